"""An owner's desk and the card's issuer at the software card: what they do, and what they refuse."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest

from client.slots_world import (
    BASIS,
    FACILITY,
    FACILITY_AID,
    NEXT_TOWN,
    NOW,
    PIN,
    SEAL,
    SEAL_AID,
    TOWN,
    World,
    blank,
    clock,
    in_use,
    keys,
    store,
    terminal_key,
    used,
    with_domains,
)
from kojin_card.channel import CardChannel
from kojin_card.errors import (
    AmbiguousSlot,
    HandOverRefused,
    KojinError,
    NoDomain,
    NoRoom,
    NoSlot,
    NotOnCard,
    PinBlocked,
    PinRejected,
    PinReserve,
    SecretFormatError,
    SlotConflict,
    UnprovenRefused,
    UsageError,
)
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.slots import (
    CardIssuer,
    FileLedger,
    HandOver,
    IssuerKeys,
    JoinedAuthority,
    OwnerKeys,
    SlotDirectory,
    SlotIssuer,
    SlotTerminal,
)
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import FieldError, load_services
from kojin_card.testing.cards import card_state
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def issue_facility(world: World, owner: Owner = TOWN, **more: str) -> bytes:
    return world.desk(owner).issue("facility", {**FACILITY, **more}, legal_basis=BASIS).aid


# --- the gate ---------------------------------------------------------------------------------------------------------

ACTIONS: dict[str, Callable[[CardChannel], object]] = {
    "area": lambda channel: CardIssuer(channel, IssuerKeys.trial()).area(),
    "create_owner": lambda channel: CardIssuer(channel, IssuerKeys.trial()).create_owner(keys(TOWN)),
    "rotate issuer": lambda channel: CardIssuer(channel, IssuerKeys.trial()).rotate(IssuerKeys.create()),
    "domain": lambda channel: SlotIssuer(channel, keys(TOWN), load_services()).domain(),
    "issue": lambda channel: SlotIssuer(channel, keys(TOWN), load_services(), clock=clock).issue(
        "facility", FACILITY, legal_basis=BASIS
    ),
    "unblock": lambda channel: SlotIssuer(channel, keys(TOWN), load_services()).unblock(SEAL_AID, Secret("1234")),
    "read": lambda channel: SlotTerminal(channel, terminal_key(), store(), load_services(), clock=clock).read(
        FACILITY_AID
    ),
    "find": lambda channel: SlotTerminal(channel, terminal_key(), store(), load_services(), clock=clock).find(),
    "show": lambda channel: SlotDirectory(channel).show(SEAL_AID, Secret(PIN)),
    "change_pin": lambda channel: SlotDirectory(channel).change_pin(SEAL_AID, Secret(PIN), Secret("1234")),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_nothing_is_done_to_a_card_that_is_not_ours(action: Callable[[CardChannel], object]) -> None:
    card = SoftCard.in_memory(in_use())
    channel = CardChannel(card)
    with pytest.raises(UnprovenRefused):
        action(channel)
    assert card.state == in_use()
    assert channel.link.sent == 0
    action(CardChannel(SoftCard.in_memory(in_use()), allow_unproven=True))


def test_the_types_say_who_holds_which_keys() -> None:
    held = {
        SlotTerminal: ("key", "TerminalKey"),
        SlotIssuer: ("keys", "OwnerKeys"),
        CardIssuer: ("keys", "IssuerKeys"),
    }
    for kind, (name, wanted) in held.items():
        assert kind.__init__.__annotations__[name] == wanted  # type: ignore[misc]
    assert not {"key", "keys"} & set(SlotDirectory.__init__.__annotations__)


# --- issuing ----------------------------------------------------------------------------------------------------------


def test_an_issued_slot_is_on_the_card_once_and_its_receipt_tells_nothing_personal() -> None:
    card = SoftCard.in_memory(with_domains())
    world = World.at(card)
    issued = world.desk().issue("facility", FACILITY, legal_basis=BASIS, instance=FACILITY_AID)
    assert (issued.aid, issued.counter, issued.written) == (FACILITY_AID, 2, True)
    assert issued.last_day == date(2029, 3, 31)
    receipt = issued.receipt()
    assert receipt["owner"] == "municipality:13101"
    assert receipt["fields"] == ["user_number", "facility_group", "category", "valid_until", "issued"]
    assert FACILITY["user_number"] not in str(receipt)
    again = world.desk().issue("facility", FACILITY, legal_basis=BASIS, instance=FACILITY_AID)
    assert again == replace(issued, written=False)
    assert [one.aid for one in world.desk().slots()] == [FACILITY_AID]


def test_another_record_is_no_repetition() -> None:
    _, world = used()
    desk = world.desk()
    for values, basis in (({**FACILITY, "category": "child"}, BASIS), (FACILITY, "別の条例")):
        with pytest.raises(SlotConflict):
            desk.issue("facility", values, legal_basis=basis, instance=FACILITY_AID)
    desk.suspend(FACILITY_AID)
    with pytest.raises(SlotConflict):
        desk.issue("facility", FACILITY, legal_basis=BASIS, instance=FACILITY_AID)


def test_what_cannot_be_issued_is_refused_before_anything_is_sent() -> None:
    world = World.at(SoftCard.in_memory(with_domains()))
    desk, sent = world.desk(), world.channel.link.sent
    wrong: list[tuple[type[KojinError], Callable[[], object]]] = [
        (FieldError, lambda: desk.check("facility", {**FACILITY, "category": "nobody"})),
        (FieldError, lambda: desk.check("facility", {"category": "general"})),
        (FieldError, lambda: desk.check("facility", {**FACILITY, "shoe_size": "27"})),
        (UsageError, lambda: desk.check("library", FACILITY)),
        (UsageError, lambda: desk.check("facility", FACILITY, pin=Secret(PIN))),
        (UsageError, lambda: desk.check("seal_registration", SEAL)),
        (SecretFormatError, lambda: desk.check("seal_registration", SEAL, pin=Secret("12a4"))),
        (FieldError, lambda: desk.issue("facility", FACILITY, legal_basis="")),
        (FieldError, lambda: desk.issue("facility", FACILITY, legal_basis="長" * 80)),
        (UsageError, lambda: desk.issue("facility", FACILITY, legal_basis=BASIS, instance=b"123")),
        (UsageError, lambda: desk.issue("facility", FACILITY, legal_basis=BASIS, groups=["Library"])),
    ]
    for kind, call in wrong:
        with pytest.raises(kind) as caught:
            call()
        assert "L00482913" not in repr(caught.value)
    assert world.channel.link.sent == sent
    desk.check("facility", FACILITY)


def test_keys_that_begin_later_sign_nothing_yet() -> None:
    world = World.at(SoftCard.in_memory(with_domains()))
    early = SlotIssuer(world.channel, keys(TOWN).rotated(date(2027, 1, 1), master=False), load_services(), clock=clock)
    with pytest.raises(UsageError, match="2027-01-01"):
        early.issue("facility", FACILITY, legal_basis=BASIS)


def test_the_quota_holds() -> None:
    card = SoftCard.in_memory(with_domains())
    world = World.at(card)
    count = 0

    def fill() -> None:
        nonlocal count
        while count < 100:
            issue_facility(world)
            count += 1

    with pytest.raises(NoRoom):
        fill()
    own = world.desk().domain()
    assert own.used <= own.quota
    assert count >= 8
    assert [one.state for one in own.slots] == ["active"] * count  # no empty one is left behind
    world.issuer.set_quota(TOWN, 16384)
    issue_facility(world)


# --- changing ---------------------------------------------------------------------------------------------------------


def test_a_life_of_a_slot() -> None:
    _, world = used()
    desk, gate = world.desk(), world.terminal()
    assert desk.update(FACILITY_AID, {"category": "student"}).counter == 3
    assert desk.update(FACILITY_AID, {"category": "student"}).written is False
    assert desk.suspend(FACILITY_AID).state == "suspended"
    assert gate.read(FACILITY_AID).verdict.reasons == ("slot_state.suspended",)
    assert desk.update(FACILITY_AID, {"category": "senior"}).state == "suspended"
    assert desk.resume(FACILITY_AID).counter == 6
    reading = gate.read(FACILITY_AID, newest_counter=6)
    assert (reading.verdict.indication, reading.values["category"]) == (Indication.TOTAL_PASSED, "senior")
    assert desk.terminate(FACILITY_AID).state == "terminated"
    for call in (desk.suspend, desk.resume, lambda aid: desk.update(aid, {}), desk.join):
        with pytest.raises(SlotConflict):
            call(FACILITY_AID)
    assert desk.show(FACILITY_AID).values["category"] == "senior"
    assert desk.delete(FACILITY_AID) is True
    assert desk.delete(FACILITY_AID) is False
    with pytest.raises(NoSlot):
        desk.suspend(FACILITY_AID)


def test_an_owner_touches_nothing_of_another() -> None:
    card, world = used()
    before, other = card.state.content, world.desk(NEXT_TOWN)
    assert other.slots() == ()
    assert other.delete(FACILITY_AID) is False
    for call in (
        other.show,
        other.suspend,
        other.terminate,
        other.join,
        lambda aid: other.update(aid, {}),
        lambda aid: other.unblock(aid, Secret("1234")),
        lambda aid: other.hand_over(aid, TOWN.parse("municipality:13104"), bytes),
    ):
        with pytest.raises(NoSlot):
            call(FACILITY_AID)
    with pytest.raises(KojinError):
        other.issue("facility", FACILITY, legal_basis=BASIS, instance=FACILITY_AID)
    assert before is not None
    assert card.state.content is not None
    assert card.state.content.slots == before.slots
    assert all(one.failures == 0 for one in card.state.content.domains)


def test_an_owner_without_a_domain_is_told_so() -> None:
    world = World.at(SoftCard.in_memory(blank()))
    with pytest.raises(NoDomain):
        world.desk().domain()
    world.issuer.create_owner(keys(TOWN))
    stranger = OwnerKeys.create(TOWN, begin=date(2026, 4, 1), bits=128)
    with pytest.raises(NoDomain):
        SlotIssuer(world.channel, stranger, load_services()).domain()
    with pytest.raises(SlotConflict):
        world.issuer.create_owner(stranger)


def test_what_somebody_else_signed_is_not_signed_again() -> None:
    """A forged record does not become a good one by a change of state."""
    from attacks.test_slots import forged_field

    world = World.at(SoftCard.in_memory(forged_field()))
    for call in (world.desk().suspend, lambda aid: world.desk().update(aid, {"category": "child"})):
        with pytest.raises(SlotConflict):
            call(FACILITY_AID)


def test_keys_rotate_on_the_card_and_in_the_record() -> None:
    _, world = used()
    new = keys(TOWN).rotated(date(2026, 11, 20))
    desk = SlotIssuer(world.channel, new, load_services(), clock=clock)
    assert (desk.rotate(), desk.rotate()) == (2, 2)
    with pytest.raises(NoDomain):
        world.desk().domain()
    assert desk.update(FACILITY_AID, {}).written is True  # the same record, by the new key
    assert desk.update(FACILITY_AID, {}).written is False
    entry = new.public("名前", "Name")
    reading = world.terminal(owners=store().with_entry(entry)).read(FACILITY_AID)
    assert reading.verdict.indication is Indication.TOTAL_PASSED
    assert [one.end for one in entry.keys] == [date(2026, 11, 19), None]
    assert desk.join(FACILITY_AID) is True  # the new terminal CA beside the old one
    assert len(desk.authorities(FACILITY_AID).authorities or ()) == 2


def test_joint_use() -> None:
    _, world = used()
    partner = terminal_key(owner=NEXT_TOWN)
    joined = JoinedAuthority(keys(NEXT_TOWN).terminal_ca.compressed, NEXT_TOWN, (1, 4))
    desk = world.desk()
    assert desk.join(FACILITY_AID, [joined]) is True
    assert desk.join(FACILITY_AID, [joined]) is False
    reading = world.terminal(partner).read(FACILITY_AID)
    assert set(reading.values) == {"user_number", "valid_until"}
    assert reading.verdict.indication is Indication.TOTAL_PASSED
    assert desk.join(FACILITY_AID, []) is True
    assert world.terminal(partner).find() == ()
    with pytest.raises(UsageError):
        desk.join(FACILITY_AID, groups=[f"g{number}" for number in range(9)])


# --- the slot PIN -----------------------------------------------------------------------------------------------------


def test_the_last_try_of_a_slot_pin_is_kept_and_the_owner_unblocks_it() -> None:
    _, world = used()
    directory = world.directory()
    for left in (2, 1):
        with pytest.raises(PinRejected) as caught:
            directory.show(SEAL_AID, Secret("0000"))
        assert caught.value.tries_left == left
    with pytest.raises(PinReserve):
        directory.show(SEAL_AID, Secret("0000"))
    with pytest.raises(PinBlocked):
        directory.show(SEAL_AID, Secret("0000"), reserve=0)
    with pytest.raises(PinBlocked):
        directory.show(SEAL_AID, Secret(PIN))
    world.desk().unblock(SEAL_AID, Secret("9753"))
    assert directory.tries_left(SEAL_AID) == 3
    assert directory.show(SEAL_AID, Secret("9753")).verdict.indication is Indication.TOTAL_PASSED
    directory.change_pin(SEAL_AID, Secret("9753"), Secret("8642"))
    assert directory.show(SEAL_AID, Secret("8642")).state == "active"
    with pytest.raises(SecretFormatError):
        directory.change_pin(SEAL_AID, Secret("8642"), Secret("86420"))
    assert directory.tries_left(FACILITY_AID) is None
    with pytest.raises(NotOnCard):
        world.desk().unblock(FACILITY_AID, Secret("1234"))


def test_nothing_secret_or_personal_is_observed() -> None:
    log = io.StringIO()
    card = SoftCard.in_memory(with_domains())
    world = World.at(card, lambda exchange: print(exchange, repr(exchange), file=log))
    issued = world.desk().issue("seal_registration", SEAL, legal_basis=BASIS, instance=SEAL_AID, pin=Secret(PIN))
    facility = issue_facility(world)
    world.terminal(terminal_key("kiosk")).read(SEAL_AID, pin=Secret(PIN))
    world.terminal().read(facility)
    world.directory().show(SEAL_AID, Secret(PIN))
    said = (log.getvalue() + repr(issued) + repr(world.desk().show(SEAL_AID))).upper()
    for value in (PIN, SEAL["registration_number"], FACILITY["user_number"]):
        assert value.encode().hex().upper() not in said
    assert SEAL["registration_number"] not in said
    assert len(log.getvalue().splitlines()) > 40


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_terminal_reads_a_part_and_judges_it() -> None:
    _, world = used()
    reading = world.terminal().read(FACILITY_AID, fields=["facility_group"])
    assert set(reading.values) == {"facility_group", "valid_until"}
    assert reading.verdict.indication is Indication.TOTAL_PASSED
    assert world.terminal().read(service="facility").aid == FACILITY_AID
    issue_facility(world, user_number="X1")
    with pytest.raises(AmbiguousSlot) as caught:
        world.terminal().read()
    assert FACILITY_AID.hex().upper() in str(caught.value.details["slots"])
    with pytest.raises(NoSlot):
        world.terminal().read(service="staff_id")


def test_anybody_sees_aids_and_no_more() -> None:
    _, world = used()
    directory = world.directory()
    assert directory.walk() == (FACILITY_AID, SEAL_AID)
    seen = directory.describe(FACILITY_AID)
    assert (seen.definition, seen.terminated) == (1, False)
    world.desk().terminate(FACILITY_AID)
    assert directory.describe(FACILITY_AID).terminated is True
    world.issuer.lock(SEAL_AID)
    assert directory.walk() == (FACILITY_AID,)
    with pytest.raises(NoSlot):
        directory.describe(SEAL_AID)
    world.issuer.unlock(SEAL_AID)
    assert directory.walk() == (FACILITY_AID, SEAL_AID)
    world.issuer.lock_card()
    assert directory.walk() == ()
    assert world.issuer.area().card_state == "card_locked"
    world.issuer.unlock_card()
    assert world.issuer.area().card_state == "secured"


# --- the card's issuer ------------------------------------------------------------------------------------------------


def test_the_issuer_sees_the_whole_area_and_no_record() -> None:
    _, world = used()
    area = world.issuer.area()
    assert [str(one.owner) for one in area.domains] == ["municipality:13101", "municipality:13103"]
    mine = area.domain_of(TOWN)
    assert mine is not None
    assert [(one.aid, one.state) for one in mine.slots] == [(FACILITY_AID, "active"), (SEAL_AID, "active")]
    assert area.free == area.total - sum(one.used for one in area.domains)
    with pytest.raises(UsageError):
        world.issuer.delete_owner(TOWN)
    with pytest.raises(NoDomain):
        world.issuer.set_quota(Owner.parse("prefecture:13"), 1024)
    with pytest.raises(NoRoom):
        world.issuer.set_quota(TOWN, 10)
    assert world.issuer.delete_slot(SEAL_AID) is True
    assert world.issuer.delete_owner(TOWN, slots=True) is True
    assert world.issuer.delete_owner(TOWN, slots=True) is False


def test_the_trial_keys_are_replaced() -> None:
    _, world = used()
    new = IssuerKeys.create(bits=256)
    assert world.issuer.rotate(new) == 1
    assert CardIssuer(world.channel, new).area().card_state == "secured"
    with pytest.raises(KojinError):
        world.issuer.area()
    with pytest.raises(UsageError):
        CardIssuer(world.channel, new).rotate(new)
    assert world.desk().domain().quota == 8192


# --- moving -----------------------------------------------------------------------------------------------------------


def moved() -> tuple[SoftCard, World, bytes]:
    card, world = used()
    files: list[bytes] = []
    world.desk().hand_over(FACILITY_AID, NEXT_TOWN, files.append)
    return card, world, files[0]


def test_a_resident_moves_and_the_library_card_goes_on(tmp_path: Path) -> None:
    _, world, file = moved()
    ledger = FileLedger(tmp_path / "ledger")
    desk = SlotIssuer(world.channel, keys(NEXT_TOWN), load_services(), owners=store(), clock=clock, ledger=ledger)
    issued = desk.take_over(file, FACILITY, legal_basis=BASIS)
    assert issued.former_owner == TOWN
    shown = desk.show(issued.aid)
    assert (shown.values["former_owner"], shown.values["former_owner_date"]) == (str(TOWN), "2026-11-27")
    assert shown.hand_over == HandOver.decode(file).id
    assert ledger.taken_by(HandOver.decode(file).id) == issued.aid
    assert desk.take_over(file, FACILITY, legal_basis=BASIS).aid == issued.aid
    with pytest.raises(HandOverRefused):
        desk.take_over(file, FACILITY, legal_basis=BASIS, instance=desk.new_instance())
    desk.delete(issued.aid)  # what the ledger remembers outlives the slot
    with pytest.raises(HandOverRefused):
        desk.take_over(file, FACILITY, legal_basis=BASIS, instance=desk.new_instance())


@pytest.mark.attack("slots", "a hand-over used again while the slot that it made is locked", "HandOverRefused")
def test_a_hand_over_is_not_used_again_behind_a_lock() -> None:
    _, world, file = moved()
    desk = world.desk(NEXT_TOWN)
    first = desk.take_over(file, FACILITY, legal_basis=BASIS)
    world.issuer.lock(first.aid)
    with pytest.raises(HandOverRefused, match="locked"):
        world.desk(NEXT_TOWN).take_over(file, FACILITY, legal_basis=BASIS)
    assert len(world.desk(NEXT_TOWN).slots()) == 1
    world.issuer.unlock(first.aid)
    assert world.desk(NEXT_TOWN).take_over(file, FACILITY, legal_basis=BASIS).aid == first.aid


@pytest.mark.attack("slots", "a hand-over used again while a refusal is played for what its slot holds", "refused")
def test_a_hand_over_is_not_used_again_behind_a_refusal() -> None:
    card, world, file = moved()
    world.desk(NEXT_TOWN).take_over(file, FACILITY, legal_basis=BASIS)

    class Between:
        def transmit(self, command: bytes) -> bytes:
            answer = card.transmit(command)
            return b"\x6a\x82" if command[:3] == bytes.fromhex("04B09D") else answer

        def close(self) -> None:
            """Nothing is held."""

    with pytest.raises(HandOverRefused):
        World.at(Between()).desk(NEXT_TOWN).take_over(file, FACILITY, legal_basis=BASIS)
    assert len(world.desk(NEXT_TOWN).slots()) == 1


def test_a_hand_over_is_refused_that_does_not_fit() -> None:
    card, world, file = moved()
    given = HandOver.decode(file)

    def refused(file: bytes, why: str, world: World = world, owner: Owner = NEXT_TOWN, now: datetime = NOW) -> None:
        desk = SlotIssuer(world.channel, keys(owner), load_services(), owners=store(), clock=lambda: now)
        with pytest.raises(HandOverRefused, match=why):
            desk.take_over(file, FACILITY, legal_basis=BASIS)

    before = card.state.content
    refused(b"{}", "malformed")
    refused(file.replace(b"facility", b"staff_id"), "did not sign")
    refused(replace(given, last_day=date(2030, 1, 1)).encode(), "did not sign")
    refused(given.signed(keys(NEXT_TOWN).record).encode(), "did not sign")
    refused(file, "for another owner", owner=TOWN)
    refused(file, "run out", now=datetime.fromisoformat("2026-12-12T12:00:00+09:00"))
    stranger = OwnerKeys.create(Owner.parse("municipality:13102"), begin=date(2026, 4, 1), bits=128)
    refused(replace(given, old=stranger.owner).signed(stranger.record).encode(), "not known")
    assert card.state.content is not None
    assert before is not None
    assert card.state.content.slots == before.slots
    other = SoftCard.in_memory(replace(card_state("child", NOW), content=card.state.content))
    refused(file, "another card", world=World.at(other))
    not_terminated = World.at(SoftCard.in_memory(in_use()))
    refused(file, "not terminated", world=not_terminated)
    world.desk().delete(FACILITY_AID)
    refused(file, "not on this card")


@pytest.mark.parametrize("days", [-1, 367, 10**9, 10**12])
def test_a_hand_over_does_not_last_for_ever(days: int) -> None:
    with pytest.raises(UsageError):
        used()[1].desk().hand_over(FACILITY_AID, NEXT_TOWN, bytes, days=days)


def test_only_what_continues_is_handed_over() -> None:
    card, world = used()
    kept: list[bytes] = []
    with pytest.raises(UsageError):
        world.desk().hand_over(SEAL_AID, NEXT_TOWN, kept.append)
    with pytest.raises(UsageError):
        world.desk().hand_over(FACILITY_AID, TOWN, kept.append)
    assert not kept

    def fails(file: bytes) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        world.desk().hand_over(FACILITY_AID, NEXT_TOWN, fails)
    assert world.desk().show(FACILITY_AID).state == "active"  # nothing is terminated before its file is safe
    assert card.state.content is not None
    assert card.state.content.slots == in_use().content.slots  # type: ignore[union-attr]
