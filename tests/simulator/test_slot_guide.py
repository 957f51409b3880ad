"""The example of ``docs/free-area-applet.md``: its bytes hang together, the software card takes and gives them, and the
codecs of the specs read them."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from kojin_card.simulator.chip import Chip
from kojin_card.spec import descriptor, manifest, terminal_certificate
from kojin_card.spec.load import load_card_spec
from kojin_card.spec.service import load_service
from simulator.slot_world import SLOT, World, compressed, issued_state, verify
from simulator.slot_world import key as slot_key
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState

GUIDE = ROOT / "docs" / "free-area-applet.md"


@cache
def example(name: str) -> list[tuple[bytes, str]]:
    """A block of the guide: octets and comment of each line."""
    found = re.findall(rf"```text\n; {name}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1, name
    lines = (line.partition(";") for line in found[0].splitlines())
    return [(bytes.fromhex(octets), comment.strip()) for octets, _, comment in lines]


def octets(name: str) -> bytes:
    return b"".join(line for line, _ in example(name))


def under(name: str, comment: str) -> bytes:
    """The octets from the line with that comment to the next line with one."""
    found, taking = b"", False
    for line, said in example(name):
        taking = said == comment if said else taking
        found += line if taking else b""
    return found


RECORD, CA, TERMINAL = (
    under("keys", name) for name in ("owner's record key", "owner's terminal CA", "key of the terminal")
)
CARD = under("keys", "card key, uncompressed")


def test_the_keys_are_those_that_the_guide_says() -> None:
    for number, point in ((0x2001, RECORD), (0x2002, CA), (0x2003, TERMINAL)):
        assert compressed(slot_key(number - 0x1000)) == point
    assert "scalars are 2001, 2002, 2003 and 0777 (hex)" in GUIDE.read_text("utf-8")


def test_the_digests_and_the_signatures_are_right() -> None:
    parts = (b"\x01" + octets("field 1"), b"\x02" + octets("field 2"), b"\x1d" + octets("descriptor"))
    assert octets("digests") == b"".join(hashlib.sha256(part).digest() for part in parts)
    for name in ("manifest 1", "manifest 2"):
        signed, signature = octets(name)[:-66], octets(name)[-64:]
        verify(RECORD, signature, b"kojin-slot-record-v1\x00" + signed)
    certificate = octets("certificate")
    verify(CA, certificate[-64:], certificate[5:-67])
    sent = octets("external authenticate")
    assert sent[5:-66] == certificate
    verify(TERMINAL, sent[-64:], b"kojin-slot-terminal-v1\x00" + octets("challenge") + SLOT)
    card = octets("internal authenticate")[5:21] + SLOT + b"\x00\x00\x00\x02"
    digest = hashlib.sha256(octets("manifest 2")[:-66]).digest()
    verify(CARD, octets("answer")[-64:], b"kojin-slot-card-v1\x00" + card + digest)


def test_the_codecs_read_it() -> None:
    said = descriptor.decode(octets("descriptor"))
    assert (said.service, str(said.owner), said.name) == ("library_plus", "municipality:13101", "図書館プラス")
    for number, name in enumerate(("manifest 1", "manifest 2"), 1):
        read = manifest.decode_file(octets(name)).manifest
        assert (read.aid, read.counter, read.state, read.card_key) == (SLOT, number, number, CARD)
        assert read.digest_of(1) == manifest.field_digest(1, octets("field 1"))
    certificate, _ = terminal_certificate.decode_authentication(octets("external authenticate")[5:])
    assert (certificate.body.name, certificate.body.group, certificate.body.fields) == ("GATE-01", "library", (1, 2))
    assert certificate.body.authority == terminal_certificate.authority_id(CA)
    text = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "free-area.md").read_text("utf-8"), re.DOTALL)[0]
    service = load_service(text, "library_plus.toml")
    values = {"reader_number": octets("field 1")[16:], "issued": octets("field 2")[16:]}
    said_again = {name: service.fields[name].decode(value) for name, value in values.items()}
    assert said_again == {"reader_number": "100000042", "issued": "2026-11-27"}
    assert {one.sfi: one.rule_octets for one in service.fields.values()} == {1: b"\x01", 2: b"\x01\x02"}


@pytest.fixture
def world(card_state: Callable[[str], CardState]) -> World:
    return World(issued_state(card_state))


def test_the_software_card_takes_it_and_gives_it(world: World) -> None:
    series, blocks = octets("record"), octets("store record")
    while blocks:
        block, blocks = blocks[: 5 + blocks[4]], blocks[5 + blocks[4] :]
        assert series.startswith(block[5:])
        series = series.removeprefix(block[5:])
        assert world.owner(block) == (b"", 0x9000)
    assert not series
    assert world.read_all(30, world.owner) == octets("manifest 1")
    assert world.owner(octets("store state")) == (b"", 0x9000)

    world.chip = Chip(load_card_spec(), world.memory, lambda _: octets("challenge"))
    world.select()
    assert world.say("00CADF6100") == (bytes.fromhex("840E") + SLOT + bytes.fromhex("800101"), 0x9000)
    assert world.say("00B0810000")[1] == 0x6982
    assert world.challenge() == octets("challenge")
    assert world.say(octets("external authenticate")) == (b"", 0x9000)
    assert world.say("00B09D0000") == (octets("descriptor"), 0x9000)
    first, word = world.say("00B09E0000")
    assert (len(first), word) == (256, 0x9000)
    assert first + world.say("00B0010000")[0] == octets("manifest 2")
    assert world.say("00B0810000") == (octets("field 1"), 0x9000)
    assert world.say("00B0820000") == (octets("field 2"), 0x9000)
    answer, word = world.say(octets("internal authenticate"))
    assert (answer[:-64], word) == (octets("answer")[:-64], 0x9000)
    digest = hashlib.sha256(octets("manifest 2")[:-66]).digest()
    asked = octets("internal authenticate")[5:21]
    verify(CARD, answer[-64:], b"kojin-slot-card-v1\x00" + asked + SLOT + b"\x00\x00\x00\x02" + digest)


def test_the_room_that_the_guide_counts() -> None:
    bank = 64 + 16 + len(octets("descriptor")) + len(octets("field 1")) + 1 + 2 + len(octets("field 2")) + 2 + 2
    text = GUIDE.read_text("utf-8")
    assert f"Either bank takes {bank} bytes" in text
    assert f"192 + 2 x {bank} = {192 + 2 * bank}" in text
