"""What the commands of the free area do to a card, for ``--explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kojin_card.cli.explain import Plan, in_free_area, only, plan, read, verify
from kojin_card.cli.genuine import proof_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.cli.explain import Step

_NUMBER = read("card_manager/card_identification")
#: what an owner's desk does to a slot, by command
_WRITES = {
    "issue": ("install", "store"),
    "take_over": ("old_slot", "install", "store"),
    "update": ("store",),
    "suspend": ("store",),
    "resume": ("store",),
    "move": ("store",),
    "delete": ("delete",),
    "unblock": ("slot_pin",),
    "join": ("store",),
    "rotate": ("put_key", "store"),
}
_ISSUER = {
    "create": ("create_domain", "put_key"),
    "delete": ("delete",),
    "quota": ("quota",),
    "list": (),
}


def of_list(given: Mapping[str, Any]) -> Plan:
    """``slot list``."""
    if given["keys"] is not None:
        return plan(_opened(), in_free_area("registry"), only("slots", in_free_area("own_slot"))).reading(given["keys"])
    if given["issuer_keys"] is not None or given["trial_keys"]:
        return of_issuer(given, "list")
    return plan(in_free_area("walk"))


def of_show(given: Mapping[str, Any]) -> Plan:
    """``slot show``."""
    if given["terminal"] is None:
        steps = plan(in_free_area("walk"), in_free_area("verify_slot_pin"), in_free_area("slot"), _NUMBER)
    else:
        by_pin = only("slot_pin_given", in_free_area("verify_slot_pin"))
        steps = plan(in_free_area("terminal"), by_pin, in_free_area("slot"), _NUMBER)
    return steps.reading(given["terminal"], given["terminal_key"], given["owners"])


def of_desk(given: Mapping[str, Any], done: str) -> Plan:
    """What an owner does to a slot that is there."""
    return _written(given, done, in_free_area("own_slot") if done != "rotate" else ())


def of_rotate(given: Mapping[str, Any]) -> Plan:
    """``slot-issuer rotate``: on the card, in an owner's domain or the issuer's, or a new key file only."""
    if given["issuer_keys"] is not None or given["trial_keys"]:
        written = () if given["dry_run"] else in_free_area("issuer_channel", "put_key")
        return plan(_NUMBER, written).reading(given["issuer_keys"], given["keys"])
    if given["new_file"] is not None:
        return plan().reading(given["keys"]).writing(given["new_file"], private=True).writing(given["public"])
    return _written(given, "rotate", ())


def of_issue(given: Mapping[str, Any]) -> Plan:
    """``slot issue``."""
    table = None if given["batch"] is None else str(given["batch"])
    return _written(given, "issue", _of_holder(given)).reading(table)


def of_move(given: Mapping[str, Any]) -> Plan:
    """``slot move``: either half."""
    if given["take_over"] is None:
        return _written(given, "move", in_free_area("own_slot")).writing(given["output"], private=True)
    return _written(given, "take_over", _of_holder(given)).reading(given["take_over"])


def of_issuer(given: Mapping[str, Any], done: str) -> Plan:
    """What the card's issuer does."""
    if given.get("dry_run"):
        return plan(_NUMBER)
    writes = tuple(step for name in _ISSUER[done] for step in in_free_area(name))
    return plan(_NUMBER, in_free_area("issuer_channel", "registry"), writes).reading(
        given["issuer_keys"], given.get("keys")
    )


def _opened() -> tuple[Step, ...]:
    return (*_NUMBER, *in_free_area("owner_channel"))


def _of_holder(given: Mapping[str, Any]) -> tuple[Step, ...]:
    """Resident data of the card."""
    if not given["from_card"]:
        return ()
    four = (verify("input_support/pin"), *proof_steps("input_support/basic_four"), *read("input_support/basic_four"))
    return (*only("service_wants", read("common/card_information")), *only("service_wants", *four))


def _written(given: Mapping[str, Any], done: str, before: tuple[Step, ...]) -> Plan:
    if given["dry_run"]:
        look = in_free_area("walk") if done not in ("issue", "take_over", "rotate") else ()
        found = plan(_NUMBER, look)
    else:
        steps = tuple(step for name in _WRITES[done] for step in in_free_area(name))
        found = plan(_opened(), in_free_area("registry"), before, steps)
    return found.reading(given["keys"], given["owners"]).writing(given.get("receipt"), private=True)
