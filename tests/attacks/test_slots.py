"""Slots of the free area that are not what they seem: each is refused offline by the check that should refuse it.

Cards are changed behind their backs, as somebody could who has a chip of his own that says what he likes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from client.slots_world import (
    BASIS,
    FACILITY,
    FACILITY_AID,
    FRESH,
    ISSUED,
    NOW,
    PIN,
    SEAL,
    SEAL_AID,
    TOWN,
    World,
    clock,
    in_use,
    keys,
    status,
    store,
    terminal_key,
    used,
    with_domains,
)
from kojin_card.errors import SecureChannelError, SpecError, TerminalExpired, TerminalRefused
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.slots import CardStanding, JoinedAuthority, OwnerStore, SlotIssuer, Standing, StaticStatus
from kojin_card.slots.applet import SlotApplet, select
from kojin_card.slots.judge import SlotJudge
from kojin_card.slots.reading import SlotEvidence, card_identification, gather
from kojin_card.spec.owner import Owner, OwnerKind
from kojin_card.spec.service import load_services
from kojin_card.testing.cards import card_state
from kojin_card.verdict import REASONS, SLOT_CHECKS, Indication

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState
    from kojin_card.simulator.content import Bank, SlotState
    from kojin_card.slots import SlotReading


def changed(state: CardState, change: Callable[[SlotState], SlotState], aid: bytes = FACILITY_AID) -> CardState:
    """The card with one slot changed behind its back."""
    assert state.content is not None
    return replace(state, content=state.content.with_slot(aid, change))


def with_bank(change: Callable[[Bank], Bank]) -> Callable[[SlotState], SlotState]:
    """A slot whose valid bank is changed."""

    def change_slot(slot: SlotState) -> SlotState:
        assert slot.active is not None
        assert slot.bank is not None
        banks = list(slot.banks)
        banks[slot.active] = change(slot.bank)
        return replace(slot, banks=(banks[0], banks[1]))

    return change_slot


def read(state: CardState, **how: Any) -> SlotReading:
    """What a library's gate makes of the facility slot."""
    newest = how.pop("newest_counter", None)
    aid = how.pop("aid", FACILITY_AID)
    return World.at(SoftCard.in_memory(state)).terminal(**how).read(aid, newest_counter=newest)


def evidence() -> SlotEvidence:
    """What a gate reads of a good slot."""
    _, world = used()
    from kojin_card.spec.terminal_certificate import encode_authentication, proof_message

    card = card_identification(world.channel)
    select(world.channel, FACILITY_AID, "test")
    applet = SlotApplet(world.channel.link, FACILITY_AID)
    key = terminal_key()
    proof = key.signer.sign(proof_message(applet.challenge("test"), FACILITY_AID))
    applet.authenticate_terminal(encode_authentication(key.octets, proof), "test")
    return gather(applet, card, load_services(), "test", random=bytes)


def judged(one: SlotEvidence, **how: Any) -> SlotReading:
    """The reading of evidence that a test changed."""
    settings = {"owners": store(), "services": load_services(), "status": status(), **how}
    return SlotJudge(**settings).judge(one, NOW)


# --- cards ------------------------------------------------------------------------------------------------------------


def copied() -> CardState:
    """The whole slot, its card key too, on another card."""
    other = card_state("child", ISSUED)
    return replace(other, content=in_use().content)


def under_another_name() -> CardState:
    """The same slot under another AID of the same card."""
    return changed(in_use(), lambda slot: replace(slot, aid=slot.aid[:-1] + b"\x99"))


def old_record() -> CardState:
    """The bank of before an update, on a card that has counted on."""
    card, world = used()
    before = card.state
    world.desk().update(FACILITY_AID, {"category": "student"})
    assert before.content is not None
    old = before.content.slot(FACILITY_AID)
    assert old is not None
    assert old.bank is not None
    bank = old.bank
    return changed(card.state, with_bank(lambda _: bank))


def forged_field() -> CardState:
    """A field that its owner did not write."""

    def forge(bank: Bank) -> Bank:
        first = bank.fields[0]
        return replace(bank, fields=(replace(first, content=first.content[:16] + b"L99999999"), *bank.fields[1:]))

    return changed(in_use(), with_bank(forge))


def forged_state() -> CardState:
    """A suspended slot, set active by somebody else than its owner."""
    card, world = used()
    world.desk().suspend(FACILITY_AID)
    return changed(card.state, with_bank(lambda bank: replace(bank, state=2)))


def forged_descriptor() -> CardState:
    """Another name in the descriptor."""

    def forge(bank: Bank) -> Bank:
        return replace(bank, descriptor=bank.descriptor.replace("架空".encode(), "実在".encode()))

    return changed(in_use(), with_bank(forge))


def other_card_key() -> CardState:
    """The record on a chip that has another key."""
    return changed(in_use(), lambda slot: replace(slot, card_key=slot.card_key + 1))


def later(days: int) -> Callable[[], datetime]:
    return lambda: NOW + timedelta(days=days)


def expired() -> SlotReading:
    """After its last day, read by a terminal whose certificate is good."""
    _, world = used()
    world.desk().update(FACILITY_AID, {"valid_until": "2026-11-26"})
    return world.terminal().read(FACILITY_AID)


def suspended() -> SlotReading:
    _, world = used()
    world.desk().suspend(FACILITY_AID)
    return world.terminal().read(FACILITY_AID)


def terminated() -> SlotReading:
    _, world = used()
    world.desk().terminate(FACILITY_AID)
    return world.terminal().read(FACILITY_AID)


def half_issued() -> CardState:
    """Installed and no more."""
    card = SoftCard.in_memory(with_domains())
    desk = World.at(card).desk()
    with desk._opener.domain("test") as manager:
        manager.install_slot(FACILITY_AID)
    return card.state


def not_yet_active() -> SlotReading:
    """Personalized, by an issuance that was cut before its end."""
    one = evidence()
    assert one.signed is not None
    assert one.status is not None
    manifest = replace(one.signed.manifest, state=1)
    return judged(replace(one, signed=replace(one.signed, manifest=manifest), status=replace(one.status, state=1)))


class Always:
    """A source that says one thing of every card."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    def status(self, card_identification: str, at: datetime) -> CardStanding:
        del card_identification, at
        return CardStanding(self.standing, "lost" if self.standing == Standing.STOPPED else "")


def contents(change: Callable[[dict[int, bytes]], object]) -> SlotReading:
    """Fields that were changed on their way."""
    one = evidence()
    found = dict(one.contents)
    change(found)
    return judged(replace(one, contents=found))


def manifest_of(**values: Any) -> SlotReading:
    """A manifest that says something else, from a chip that says what it likes."""
    one = evidence()
    assert one.signed is not None
    return judged(replace(one, signed=replace(one.signed, manifest=replace(one.signed.manifest, **values))))


def without_expiry() -> SlotReading:
    """By a terminal that may read all but the last day."""
    return read(in_use(), key=terminal_key(fields=(1, 2, 3, 5, 6, 7)))


def behind() -> SlotReading:
    """A terminal whose clock says last year would open what ended since."""
    one = evidence()
    assert one.status is not None
    return judged(replace(one, status=replace(one.status, newest=date(2026, 11, 28))))


class WithoutPin:
    """Between terminal and card: the question for the tries of the slot PIN is answered with "there is none"."""

    def __init__(self, word: str) -> None:
        self.card, self.word = SoftCard.in_memory(in_use()), bytes.fromhex(word)

    def transmit(self, command: bytes) -> bytes:
        return self.word if command == bytes.fromhex("00200081") else self.card.transmit(command)

    def close(self) -> None:
        """Nothing is held."""


def denied(word: str = "6A88") -> SlotReading:
    """The finder of a card reads a slot without its PIN, at a terminal that asks for it."""
    key = terminal_key("kiosk")
    return World.at(WithoutPin(word)).terminal(key).read(SEAL_AID, pin=Secret(PIN))


def of_another_version() -> SlotReading:
    service = replace(load_services()["facility"], version=2)
    return judged(evidence(), services={"facility": service})


def of_a_company() -> SlotReading:
    """A company that is known for its staff cards signs a seal registration, and lists the town's kiosks to read it."""
    company = Owner.parse("private:7000012050002")
    seal = load_services()["seal_registration"]
    card = SoftCard.in_memory(with_domains())
    world = World.at(card)
    world.issuer.create_owner(keys(company), 4096)
    forged = {seal.id: replace(seal, owners=(OwnerKind.PRIVATE,))}
    kiosks = JoinedAuthority(keys(TOWN).public("町", "Town").keys[0].terminal_ca, TOWN, (1, 2, 3, 4))
    SlotIssuer(world.channel, keys(company), forged, clock=clock).issue(
        seal.id, SEAL, legal_basis=BASIS, pin=Secret(PIN), instance=SEAL_AID, authorities=[kiosks]
    )
    owners = store().with_entry(keys(company).public("会社", "Company"))
    return world.terminal(terminal_key("kiosk"), owners=owners).read(SEAL_AID, pin=Secret(PIN))


def before_the_key() -> SlotReading:
    entry = keys(TOWN).public("", "")
    later_key = replace(entry, keys=(replace(entry.keys[0], begin=date(2026, 11, 28)),))
    return judged(evidence(), owners=OwnerStore((later_key,)))


@dataclass(frozen=True, slots=True)
class Attack:
    """A slot, and the reasons for which it is not accepted."""

    name: str
    make: Callable[[], SlotReading]
    reasons: tuple[str, ...]
    entry: str = "slots"

    @property
    def indication(self) -> Indication:
        found = {REASONS[reason].indication for reason in self.reasons}
        return Indication.TOTAL_FAILED if Indication.TOTAL_FAILED in found else Indication.INDETERMINATE


ATTACKS = (
    Attack("a slot copied to another card", lambda: read(copied()), ("slot_signature.forged",)),
    Attack(
        "a slot copied under another name",
        lambda: read(under_another_name(), aid=FACILITY_AID[:-1] + b"\x99"),
        ("slot_signature.forged",),
    ),
    Attack(
        "a record signed for another card", lambda: manifest_of(card_identification=b"X"), ("slot_binding.other_card",)
    ),
    Attack("a record signed for another slot", lambda: manifest_of(aid=SEAL_AID), ("slot_binding.other_slot",)),
    Attack("an old record put back", lambda: read(old_record()), ("slot_counter.old",)),
    Attack(
        "a whole slot put back as it was, its counter too",
        lambda: read(in_use(), newest_counter=3),
        ("slot_counter.rolled_back",),
    ),
    Attack("a forged field", lambda: read(forged_field()), ("slot_signature.forged",)),
    Attack("a forged state", lambda: read(forged_state()), ("slot_signature.forged",)),
    Attack("a forged descriptor", lambda: read(forged_descriptor()), ("slot_signature.forged",)),
    Attack("a chip with another key", lambda: read(other_card_key()), ("slot_signature.forged",)),
    Attack(
        "a chip that answers with another key",
        lambda: judged(replace(evidence(), challenge=b"1" * 32)),
        ("slot_chip.wrong",),
    ),
    Attack("a chip that does not answer", lambda: judged(replace(evidence(), answer=None)), ("slot_chip.absent",)),
    Attack(
        "a field changed on its way",
        lambda: contents(lambda found: found.update({1: found[1] + b"0"})),
        ("slot_content.mismatch",),
    ),
    Attack(
        "a field that nobody signed",
        lambda: contents(lambda found: found.update({24: b"0" * 20})),
        ("slot_content.mismatch",),
    ),
    Attack(
        "a signed field that the card lacks",
        lambda: judged(replace(evidence(), missing=(1,))),
        ("slot_content.missing",),
    ),
    Attack("a service that is defined otherwise here", of_another_version, ("slot_content.undefined",)),
    Attack("an owner that nobody knows", lambda: read(in_use(), owners=OwnerStore()), ("slot_owner.unknown",)),
    Attack("a company's slot passed off as a town's seal registration", of_a_company, ("slot_owner.not_allowed",)),
    Attack("a record dated before its key", before_the_key, ("slot_owner.out_of_time",)),
    Attack(
        "a state that the card shows otherwise",
        lambda: judged(_with_state(3)),
        ("slot_state.contradicted",),
    ),
    Attack("a slot that is not in use yet", not_yet_active, ("slot_state.not_active",)),
    Attack("a suspended slot", suspended, ("slot_state.suspended",)),
    Attack("a terminated slot", terminated, ("slot_state.terminated",)),
    Attack("a slot after its last day", expired, ("slot_validity.expired",)),
    Attack("a record of tomorrow", lambda: manifest_of(day=date(2026, 11, 28)), ("slot_validity.not_yet",)),
    Attack("a last day that the terminal may not read", without_expiry, ("slot_validity.unread",)),
    Attack("a terminal whose clock is behind what the card has seen", behind, ("slot_validity.clock",)),
    Attack("a PIN's slot that says it has none", denied, ("slot_state.no_pin",)),
    Attack("a slot without a record", lambda: read(half_issued()), ("slot_record.absent",)),
    Attack(
        "a record that is none",
        lambda: judged(replace(evidence(), signed=None, problem="malformed")),
        ("slot_record.malformed",),
    ),
    Attack(
        "a card that was stopped",
        lambda: read(in_use(), status=Always(Standing.STOPPED)),
        ("card_standing.stopped",),
    ),
    Attack(
        "a card of which nothing is known",
        lambda: read(in_use(), status=Always(Standing.UNKNOWN)),
        ("card_standing.unknown",),
    ),
    Attack("nobody to ask about the card", lambda: read(in_use(), status=None), ("card_standing.no_source",)),
)


def _with_state(value: int) -> SlotEvidence:
    one = evidence()
    assert one.status is not None
    return replace(one, status=replace(one.status, state=value))


def test_a_good_slot_passes() -> None:
    reading = read(in_use())
    assert reading.verdict.indication is Indication.TOTAL_PASSED
    assert reading.values == {**FACILITY, "issued": "2026-11-27"}
    assert (reading.owner, reading.service, reading.legal_basis) == (TOWN, "facility", BASIS)


@pytest.mark.attack("slots")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_each_is_refused_by_the_check_that_should(attack: Attack) -> None:
    reading = attack.make()
    decisive = tuple(r for r in reading.verdict.reasons if REASONS[r].indication is reading.verdict.indication)
    assert decisive == attack.reasons
    assert reading.verdict.indication is attack.indication


def test_no_word_in_place_of_the_tries_is_a_holder() -> None:
    for word in ("6A88", "6A82", "6A83"):
        assert denied(word).verdict.indication is Indication.TOTAL_FAILED


def test_every_reason_of_a_slot_is_shown_here() -> None:
    shown = {reason for attack in ATTACKS for reason in attack.reasons}
    assert shown == {reason for reason in REASONS if reason.split(".")[0] in SLOT_CHECKS}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_what_is_not_this_cards_is_not_told(attack: Attack) -> None:
    untold = {"slot_signature", "slot_binding", "slot_counter", "slot_record"}
    reading = attack.make()
    if untold & {reason.split(".")[0] for reason in attack.reasons}:
        assert not reading.values
        assert reading.last_day is None
    assert "L00482913" not in repr(reading)


@pytest.mark.attack("slots", "a stopped card whose number the list writes otherwise", "stopped, or the list is refused")
def test_a_stopped_card_is_stopped_however_its_number_is_written() -> None:
    def listed(number: str) -> StaticStatus:
        return StaticStatus.parse(f'{FRESH}[[card]]\nnumber = "{number}"\nstanding = "stopped"\nwhy = "lost"\n')

    for written, said in (("abc12", "ABC12"), ("ABC12", "abc12"), ("ABC12", "ABC12  "), ("ABC12", "ABC12\0\0")):
        assert listed(written).status(said, NOW).standing == Standing.STOPPED
    for bad in ("ABC 12", " ABC12", "ABC12 ", "ABC12\\t", "ＡＢＣ"):
        with pytest.raises(SpecError):
            listed(bad)


@pytest.mark.attack("slots", "a card in place of the holder's, to keep the PIN that he types", "no PIN is shown")
def test_no_pin_goes_to_a_card_that_is_not_genuine() -> None:
    def asked(state: CardState, **how: Any) -> list[bytes]:
        card, sent = SoftCard.in_memory(state), []

        class Watched:
            def transmit(self, command: bytes) -> bytes:
                sent.append(command)
                return card.transmit(command)

            def close(self) -> None:
                """Nothing is held."""

        reading = World.at(Watched()).terminal(terminal_key("kiosk"), **how).read(SEAL_AID, pin=Secret(PIN))
        assert (reading.verdict.indication is Indication.TOTAL_PASSED) == any(one[1] == 0x20 for one in sent)
        return [one for one in sent if one[1] == 0x20]

    assert len(asked(in_use())) == 2
    assert not asked(replace(card_state("child", ISSUED), content=in_use().content))
    assert not asked(changed(in_use(), lambda slot: replace(slot, card_key=slot.card_key + 1), SEAL_AID))
    assert not asked(in_use(), owners=OwnerStore())


# --- terminals --------------------------------------------------------------------------------------------------------


@pytest.mark.attack("slots", "a stolen terminal, after its last day by its own clock", "TerminalExpired, nothing sent")
def test_a_terminal_does_not_outlive_its_certificate() -> None:
    _, world = used()
    sent = world.channel.link.sent
    with pytest.raises(TerminalExpired):
        world.terminal(terminal_key(expiry=date(2026, 11, 26))).read(FACILITY_AID)
    assert world.channel.link.sent == sent


@pytest.mark.attack("slots", "a stolen terminal with a clock put back, on a card used since", "TerminalExpired")
def test_a_card_that_has_seen_a_later_day_refuses_an_old_certificate() -> None:
    _, world = used()  # its owner dated the record 2026-11-27
    old = world.terminal(terminal_key(expiry=date(2026, 11, 20)), clock=lambda: datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(TerminalExpired) as caught:
        old.read(FACILITY_AID)
    assert "certify-terminal" in caught.value.remedy("en")


@pytest.mark.attack("slots", "a terminal of a CA that the owner did not list", "TerminalRefused")
def test_a_foreign_terminal_is_refused() -> None:
    from client.slots_world import NEXT_TOWN

    _, world = used()
    with pytest.raises(TerminalRefused) as caught:
        world.terminal(terminal_key(owner=NEXT_TOWN)).read(FACILITY_AID)
    assert "slot-issuer join" in caught.value.remedy("en")
    assert world.terminal(terminal_key(owner=NEXT_TOWN)).find() == ()


@pytest.mark.attack("slots", "a terminal of a group that the slot does not list", "TerminalRefused")
def test_a_terminal_of_another_group_is_refused() -> None:
    _, world = used()
    with pytest.raises(TerminalRefused):
        world.terminal(terminal_key("pool")).read(FACILITY_AID)


@pytest.mark.attack("slots", "a terminal that reads what only the holder opens", "closed")
def test_a_terminal_alone_does_not_open_what_wants_the_holder() -> None:
    _, world = used()
    kiosk = world.terminal(terminal_key("kiosk"))
    reading = kiosk.read(SEAL_AID)
    assert reading.values == {}
    assert "registration_number" in reading.closed
    assert kiosk.read(SEAL_AID, pin=Secret(PIN)).values["registration_number"] == "0012345"


@pytest.mark.attack(
    "slots", "another card's number in clear, when an owner's first keys are put on", "refused, nothing written"
)
def test_no_keys_are_made_for_a_number_that_somebody_in_between_told() -> None:
    """They would be the keys of another card, on a card of the attacker's choice."""

    class Between:
        def __init__(self, card: SoftCard) -> None:
            self.card = card

        def transmit(self, command: bytes) -> bytes:
            answer = self.card.transmit(command)
            plain = command[:4] == bytes.fromhex("00CA0045")
            return b"0" * (len(answer) - 2) + answer[-2:] if plain else answer

    card = SoftCard.in_memory(card_state("adult", ISSUED))
    with pytest.raises(SecureChannelError, match="number"):
        World.at(Between(card)).issuer.create_owner(keys(TOWN))
    assert card.state.content is not None
    assert card.state.content.domains == ()


def test_a_list_that_is_old_knows_nothing_but_who_was_stopped() -> None:
    text = """
schema = 1
as_of = 2026-11-01T00:00:00+09:00
next_update = 2026-11-08T00:00:00+09:00
others = "in_force"
[[card]]
number = "ABC"
standing = "stopped"
why = "lost"
"""
    found = StaticStatus.parse(text)
    assert found.status("ABC", NOW).standing == Standing.STOPPED
    assert found.status("DEF", NOW) == CardStanding(Standing.UNKNOWN, "stale", found.as_of)
    assert found.status("DEF", found.as_of).standing == Standing.IN_FORCE
    assert "ABC" not in repr(found)
    assert clock() is NOW
