"""Content management when the power goes: cut at every write of every command, the old free area stands or the new one.

And what is not a command's own doing: STORE DATA given on to a slot, banks that fill the room, files that nobody wrote.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kojin_card.errors import InputError
from kojin_card.simulator import CardState, SoftCard, cardformat
from kojin_card.simulator.content import Bank, FieldState
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import room
from kojin_card.simulator.memory import VolatileMemory
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot import applet
from kojin_card.spec import load_card_spec
from simulator.gp_host import (
    ISD,
    SLOT_1,
    SLOT_2,
    SSD_1,
    SSD_2,
    TRIAL,
    Host,
    Keys,
    command,
    install_domain,
    install_slot,
    lv,
    made_domain,
    own_keys,
    owner,
    put_key,
    sw,
)

MakeCard = Callable[..., Any]
SPEC = load_card_spec()
QUOTA = bytes.fromhex("EF06C804")


class CutMemory(VolatileMemory):
    """Persistent memory that fails at the ``left``-th write from now on, and at every later one, until mended."""

    def __init__(self, state: CardState) -> None:
        super().__init__(state)
        self.left: int | None = None
        self.writes = 0

    def commit(self, state: CardState) -> None:
        self.writes += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise OSError("the power is gone")
        super().commit(state)


def prepared(soft_card: MakeCard) -> tuple[CardState, Keys]:
    card = soft_card("adult")
    keys = made_domain(card)
    Host(card, keys).open(SSD_1).ok(install_slot())
    return card.state, keys


#: what is done -> (domain of the session, the command)
WRITES: dict[str, tuple[bytes, Callable[[Keys], bytes]]] = {
    "INSTALL a domain": (ISD, lambda _: install_domain(SSD_2, owner("13102"))),
    "INSTALL a slot": (SSD_1, lambda _: install_slot(SLOT_2)),
    "another quota": (
        ISD,
        lambda _: command("80E64000", b"\x00\x00" + lv(SSD_1) + b"\x00" + lv(QUOTA + b"\x00\x00\x10\x00") + b"\x00"),
    ),
    "PUT KEY": (SSD_1, lambda keys: put_key(own_keys(256, seed=3), keys.dek, version=0x31, replace=0x30)),
    "PUT KEY of the first": (ISD, lambda _: put_key(own_keys(256, seed=3), TRIAL)),
    "lock the card": (ISD, lambda _: command("80F0807F")),
    "lock a slot": (SSD_1, lambda _: command("80F04080", SLOT_1)),
    "DELETE a slot": (SSD_1, lambda _: command("80E40000", b"\x4f" + lv(SLOT_1))),
    "DELETE a domain and its slot": (ISD, lambda _: command("80E40080", b"\x4f" + lv(SSD_1))),
}


@pytest.mark.attack("management", "power lost inside content management: {}", "the old state or the new one")
@pytest.mark.parametrize("what", WRITES)
def test_the_power_goes_at_a_write(soft_card: MakeCard, what: str) -> None:
    state, keys = prepared(soft_card)
    aid, make = WRITES[what]
    memory = CutMemory(state)
    card = SoftCard(memory, "cut")
    host = Host(card, keys if aid == SSD_1 else None).open(aid)
    before, writes = memory.state, memory.writes
    memory.left = 0
    assert host.send(make(keys)) == (b"", "6581")
    assert memory.state == before
    assert memory.writes == writes + 1  # each of them is one write
    memory.left = None
    card.power_off()
    Host(card, keys if aid == SSD_1 else None).open(aid).ok(make(keys))
    assert memory.state != before


@pytest.mark.attack("management", "power lost inside the handshake of SCP03", "no try is won")
@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("right", [True, False])
def test_the_power_goes_inside_the_handshake(soft_card: MakeCard, cut: int, right: bool) -> None:
    memory = CutMemory(soft_card("adult").state)
    card = SoftCard(memory, "cut")
    host = Host(card, Keys() if right else Keys(bytes(16), bytes(16), bytes(16)))
    memory.left = cut
    words = [sw(host.initialize())]
    if words[0] == "9000":
        words.append(sw(card.transmit(host.authentication(0x33))))
    issuer = memory.state.content.issuer  # type: ignore[union-attr]
    assert (words, issuer.sequence, issuer.failures) == {
        (0, True): (["6581"], 0, 0),
        (0, False): (["6581"], 0, 0),
        (1, True): (["9000", "6581"], 1, 0),  # nothing was compared
        (1, False): (["9000", "6581"], 1, 0),
        (2, True): (["9000", "6581"], 1, 1),  # compared, and counted although it was right
        (2, False): (["9000", "6300"], 1, 1),
    }[cut, right]
    memory.left = None
    if len(words) == 2:
        assert host.send("80F28002024F00") == (b"", "6982")
    Host(card).open(ISD)
    assert memory.state.content.issuer.failures == 0  # type: ignore[union-attr]


@pytest.mark.attack("management", "power cut at each refusal of a waiting domain", "it waits as long")
def test_a_refusal_that_cannot_be_counted_is_no_refusal_less(soft_card: MakeCard) -> None:
    state = soft_card("adult").state
    waiting = replace(state.content.issuer, failures=4, waiting=2)
    memory = CutMemory(replace(state, content=replace(state.content, issuer=waiting)))
    card = SoftCard(memory, "cut")
    memory.left = 0
    for _ in range(5):
        assert sw(Host(card).initialize()) == "6581"
    memory.left = None
    assert [sw(Host(card).initialize()) for _ in range(3)] == ["6985", "6985", "9000"]


def test_a_counter_at_its_end_opens_nothing(soft_card: MakeCard) -> None:
    card = soft_card("adult")
    card.alter(
        lambda state: replace(
            state, content=replace(state.content, issuer=replace(state.content.issuer, sequence=0xFFFFFE))
        )
    )
    Host(card).open(ISD)
    assert sw(Host(card).initialize()) == "6985"


# --- STORE DATA given on ----------------------------------------------------------------------------------------------


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes, bool, int]]:
    """The slot applet replaced by one that writes down what it is given."""
    seen: list[tuple[bytes, bytes, bool, int]] = []

    def store(card: Context, received: Received) -> Answer:
        seen.append((card.slot.aid, received.apdu.data, card.security.owner_here, card.security.level))
        if received.apdu.data == b"\xff":
            raise Refused(0x6A80)
        if received.apdu.data == b"\xfe":
            raise Refused(0x63C2)
        return Answer(0x9000)

    monkeypatch.setattr(applet, "commands", lambda: {(0x80, 0xE2): store})
    return seen


def test_store_data_goes_to_the_slot_that_is_named(soft_card: MakeCard, stored: list[Any]) -> None:
    state, keys = prepared(soft_card)
    card = SoftCard.in_memory(state)
    host = Host(card, keys).open(SSD_1)
    name = command("80E62000", b"\x00\x00" + lv(SLOT_1) + b"\x00\x00\x00")
    assert host.ok(name) == b"\x00"
    host.ok(command("80E21000", b"\x01"))
    host.ok(command("80E29001", b"\x02"))
    assert stored == [(SLOT_1, b"\x01", True, 0x33), (SLOT_1, b"\x02", True, 0x33)]
    assert host.send(command("80E29000", b"\x03")) == (b"", "6985")  # the series was over
    host.ok(name)
    assert host.send(command("80E21000", b"\xff")) == (b"", "6A80")
    assert card.transmit(command("80E29001", b"\x04")).hex() == "6982"  # in clear it is nobody's
    assert stored[-1][1] == b"\xff"
    assert host.send(command("80E21002", b"\xfe")) == (b"", "63C2")  # a warning: its MAC was looked at
    card.reset()
    Host(card, keys).open(SSD_1)
    assert len(stored) == 4


# --- room with banks --------------------------------------------------------------------------------------------------


def bank(size: int) -> Bank:
    """A bank of that many bytes by the charges of the spec: 64 + 16 + descriptor + fields with 2 for each."""
    field = FieldState(1, b"\x01", bytes(size - 64 - 16 - 40 - 2 - 1))
    return Bank(1, 1, bytes.fromhex("20261101"), bytes(40), (field,), bytes(64))


def test_a_slot_pays_twice_for_the_larger_bank(soft_card: MakeCard) -> None:
    state, _ = prepared(soft_card)
    content = state.content
    assert content is not None
    large = content.with_slot(SLOT_1, lambda one: replace(one, banks=(bank(300), bank(200)), active=1))
    assert room.used(large, SSD_1) == 256 + 192 + 2 * 300
    assert room.free(large) == 32768 - 256 - 192 - 600
    exact = large.with_domain(SSD_1, lambda one: replace(one, quota=256 + 192 + 600))
    room.require_room(exact, SSD_1)
    with pytest.raises(Refused, match="6A84"):
        room.require_room(exact.with_domain(SSD_1, lambda one: replace(one, quota=one.quota - 1)), SSD_1)
    with pytest.raises(Refused, match="6A84"):
        room.require_room(exact, SSD_2)


# --- files that nobody wrote ------------------------------------------------------------------------------------------


def forged(state: CardState, change: Callable[[dict[str, Any]], object]) -> bytes:
    text = json.loads(cardformat.dump(state))
    change(text["content"])
    return json.dumps(text).encode()


def full(soft_card: MakeCard) -> CardState:
    """A card whose slot has everything that a slot can have."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from kojin_card.simulator.content import TerminalAuthority

    state, _ = prepared(soft_card)
    point = (
        ec.derive_private_key(7, ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    )
    assert state.content is not None
    content = state.content.with_slot(
        SLOT_1,
        lambda one: replace(
            one,
            counter=2,
            newest=bytes.fromhex("20261127"),
            pin=b"1234",
            tries_left=2,
            tries_full=3,
            authorities=(TerminalAuthority(point, 1, "13101", b"\x01\x02"),),
            groups=("kiosk",),
            banks=(bank(200), replace(bank(210), counter=2, date=bytes.fromhex("20261127"))),
            active=1,
        ),
    )
    return replace(state, content=content)


def test_everything_of_a_slot_is_kept(soft_card: MakeCard) -> None:
    state = full(soft_card)
    text = cardformat.dump(state)
    assert cardformat.load(text, SPEC, "x") == state
    assert cardformat.dump(cardformat.load(text, SPEC, "x")) == text


def put(*way: Any) -> Callable[[dict[str, Any]], object]:
    """A change of one value: the way to it, then the value."""

    def change(content: Any) -> None:
        *path, last, value = way
        for one in path:
            content = content[one]
        content[last] = value

    return change


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "the issuer's AID": put("issuer", "aid", "a000000151000000"),
    "a state of the card that is none": put("issuer", "life_cycle", "01"),
    "no keys of the issuer": put("issuer", "keys", []),
    "an unknown name": put("extra", 1),
    "an unknown name of a domain": put("domains", 0, "extra", 1),
    "an unknown name of a slot": put("slots", 0, "extra", 1),
    "a domain of another prefix": put("domains", 0, "aid", SLOT_1.hex()),
    "a short AID": put("domains", 0, "aid", SSD_1[:-1].hex()),
    "an owner that is none": put("domains", 0, "owner_kind", 5),
    "a code that is none": put("domains", 0, "owner_code", ""),
    "a code of another form": put("domains", 0, "owner_code", "99101"),
    "a quota larger than the card": put("domains", 0, "quota", 0x8001),
    "a negative quota": put("domains", 0, "quota", -1),
    "a quota that is no number": put("domains", 0, "quota", True),
    "a sequence too large": put("domains", 0, "sequence", 1 << 24),
    "a wait too long": put("domains", 0, "waiting", 257),
    "keys of two lengths": put("domains", 0, "keys", 0, "mac", "00" * 32),
    "keys of 24 bytes": put("domains", 0, "keys", [{"version": 1, **dict.fromkeys(("enc", "mac", "dek"), "00" * 24)}]),
    "version 00": put("domains", 0, "keys", 0, "version", 0),
    "a version twice": lambda content: content["domains"][0]["keys"].extend(content["domains"][0]["keys"]),
    "a domain twice": lambda content: content["domains"].extend(content["domains"]),
    "a slot twice": lambda content: content["slots"].extend(content["slots"]),
    "a slot of no domain": put("slots", 0, "domain", SSD_2.hex()),
    "a slot of the issuer": put("slots", 0, "domain", ISD.hex()),
    "a state of a slot that is none": put("slots", 0, "life_cycle", "0f"),
    "a card key that is none": put("slots", 0, "card_key", "00" * 32),
    "a card key beyond the order": put("slots", 0, "card_key", "ff" * 32),
    "a date that is none": put("slots", 0, "newest", "2026112a"),
    "a PIN of letters": put("slots", 0, "pin", "12a4"),
    "a short PIN": put("slots", 0, "pin", "123"),
    "more tries than there are": put("slots", 0, "tries_left", 4),
    "an authority that is no point": put("slots", 0, "authorities", 0, "key", "02" + "ff" * 32),
    "too many authorities": lambda content: put("slots", 0, "authorities", content["slots"][0]["authorities"] * 9)(
        content
    ),
    "a group of no letters": put("slots", 0, "groups", [""]),
    "an active bank that is not there": put("slots", 0, "banks", []),
    "a third bank": put("slots", 0, "banks", 0, "place", 2),
    "a bank twice": put("slots", 0, "banks", 0, "place", 1),
    "active beyond": put("slots", 0, "active", 2),
    "a state of a bank that is none": put("slots", 0, "banks", 0, "state", 5),
    "a record that is installed": put("slots", 0, "banks", 0, "state", 0),
    "a record without a counter": put("slots", 0, "banks", 0, "counter", 0),
    "a day that is none": put("slots", 0, "banks", 0, "date", "20261399"),
    "a newest day that is none": put("slots", 0, "newest", "99999999"),
    "a counter and no record": lambda content: content["slots"][0].pop("active"),
    "a record and no counter": put("slots", 0, "counter", 0),
    "a slot whose domain the issuer's keys would open": put("domains", 0, "keys", []),
    "an owner with more privileges": put("domains", 0, "privileges", "905c00"),
    "an issuer with fewer": put("issuer", "privileges", "800000"),
    "an owner with the keys of the beginning": put("domains", 0, "keys", 0, "version", 0xFF),
    "a version that PUT KEY does not know": put("issuer", "keys", 0, "version", 0x80),
    "an owner's code of another kind": put("domains", 0, "owner_code", "1310A"),
    "a quota below what is used": put("domains", 0, "quota", 600),
    "a terminal CA twice": lambda content: content["slots"][0]["authorities"].extend(
        content["slots"][0]["authorities"]
    ),
    "fields of a CA that no slot has": put("slots", 0, "authorities", 0, "fields", "01ff"),
    "a group that no certificate has": put("slots", 0, "groups", ["A B"]),
    "a group twice": put("slots", 0, "groups", ["kiosk", "kiosk"]),
    "fewer tries than every PIN has": lambda content: content["slots"][0].update(tries_left=1, tries_full=1),
    "a descriptor that is salt alone": put("slots", 0, "banks", 0, "descriptor", "00" * 16),
    "a short signature": put("slots", 0, "banks", 0, "signature", "00" * 63),
    "a field 0": put("slots", 0, "banks", 0, "fields", 0, "sfi", 0),
    "a field 25": put("slots", 0, "banks", 0, "fields", 0, "sfi", 25),
    "a rule that is none": put("slots", 0, "banks", 0, "fields", 0, "rule", "04"),
    "a field without salt": put("slots", 0, "banks", 0, "fields", 0, "content", "00" * 15),
    "a field too long": put("slots", 0, "banks", 0, "fields", 0, "content", "00" * 217),
    "fields out of order": lambda content: content["slots"][0]["banks"][0]["fields"].append(
        content["slots"][0]["banks"][0]["fields"][0]
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_free_area_is_refused(soft_card: MakeCard, what: str) -> None:
    with pytest.raises(InputError, match="damaged"):
        cardformat.load(forged(full(soft_card), FORGED[what]), SPEC, "x")


def test_a_free_area_without_a_card_manager_is_refused(soft_card: MakeCard) -> None:
    text = json.loads(cardformat.dump(soft_card("adult").state))
    del text["applications"]["card_manager"]
    with pytest.raises(InputError, match="damaged"):
        cardformat.load(json.dumps(text).encode(), SPEC, "x")


# --- garbage under a right MAC ----------------------------------------------------------------------------------------


@pytest.mark.attack(
    "management", "mutated commands by who has a session", "a word of refusal; the card file stays whole"
)
@pytest.mark.parametrize("domain", [ISD, SSD_1], ids=["issuer", "owner"])
def test_mutated_commands_never_bring_the_card_down(soft_card: MakeCard, domain: bytes) -> None:
    state, keys = prepared(soft_card)
    chance = random.Random(11)  # noqa: S311  # the same commands every run
    commands = [make(keys) for _, make in WRITES.values()]
    commands += [command("80F24002", b"\x4f\x00\x5c\x03\x4f\xdf\x72"), bytes.fromhex("80CA00E0")]
    commands += [command("80E62000", b"\x00\x00" + lv(SLOT_1) + b"\x00\x00\x00"), command("80E29000", b"\xc1\x00")]
    for _ in range(30):
        card = SoftCard.in_memory(state)
        host = Host(card, keys if domain == SSD_1 else None).open(domain)
        for _ in range(30):
            mutant = bytearray(chance.choice(commands))
            for _ in range(chance.choice((0, 1, 2, 4))):
                mutant[chance.randrange(1, len(mutant))] = chance.randrange(256)
            body = bytes(mutant[5:])[: chance.choice((200, 200, 8))]
            _, word = host.send(bytes(mutant[:4]) + (lv(body) if body else b""))
            assert word != "6F00", mutant.hex()
            if word == "6982":  # 82 is EXTERNAL AUTHENTICATE, A4 and 50 end a session too
                break
        assert cardformat.load(cardformat.dump(card.state), SPEC, "x") == card.state
