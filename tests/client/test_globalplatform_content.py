"""Content management: every command typed out in hex, every answer that a card may lie with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from client.security_domain import Reply, SecurityDomain, hand_cbc, hand_uncbc
from kojin_card.channel import CardChannel
from kojin_card.errors import (
    DecodeError,
    NoRoom,
    NotOnCard,
    SecureChannelError,
    UnexpectedAnswer,
    UsageError,
)
from kojin_card.globalplatform import (
    ContentManager,
    DomainEntry,
    Entry,
    KeyInfo,
    LoadFileEntry,
    Resources,
    SecurityLevel,
    SlotEntry,
    StaticKeys,
    TrialKeys,
    open_session,
    registry,
)
from kojin_card.secret import Secret

KEYS = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
ISD = bytes.fromhex("A0000001510000")
DOMAIN = bytes.fromhex("F04B4F4A53440102030405060708")
SLOT = bytes.fromhex("F04B4F4A494E1112131415161718")
D, S = DOMAIN.hex().upper(), SLOT.hex().upper()
ALL = SecurityLevel.FULL


def managed(reply: Reply | None = None, level: SecurityLevel = ALL) -> tuple[ContentManager, SecurityDomain]:
    card = SecurityDomain(KEYS, reply=reply)
    enc, mac, dek = (Secret(key) for key in KEYS)
    session = open_session(CardChannel(card, ours=True), card.aid, StaticKeys(1, enc, mac, dek), level)
    return ContentManager(session), card


def says(*answers: str) -> Reply:
    """A card that answers these, in this order, the last one for ever: data and status word in hex."""
    left = [bytes.fromhex(answer) for answer in answers]

    def reply(*_: object) -> tuple[bytes, int]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    return reply


def sent(card: SecurityDomain) -> list[str]:
    return [bytes(one[:3]).hex().upper() + " " + one[3].hex().upper() for one in card.plain]


# --- commands --------------------------------------------------------------------------------------------------------

COMMANDS: list[tuple[str, Callable[[ContentManager], object], str, str]] = [
    (
        "install a domain",
        lambda manager: manager.install_domain(DOMAIN, b"\x0113101", 0x2000),
        "E60C00 07A0000001515350 08A000000151535041 0E" + D + " 03804000 13 C909DF7106013133313031 EF06C80400002000 00",
        "00",
    ),
    (
        "install a slot",
        lambda manager: manager.install_slot(SLOT),
        "E60C00 07F04B4F4A4C4601 07F04B4F4A4D4401 0E" + S + " 0100 02C900 00",
        "00",
    ),
    (
        "install a slot with parameters",
        lambda manager: manager.install_slot(SLOT, b"\x01\x02"),
        "E60C00 07F04B4F4A4C4601 07F04B4F4A4D4401 0E" + S + " 0100 04C9020102 00",
        "",
    ),
    ("personalize", lambda manager: manager.for_personalization(SLOT), "E62000 0000 0E" + S + " 000000", "00"),
    (
        "set a quota",
        lambda manager: manager.set_quota(DOMAIN, 4096),
        "E64000 0000 0E" + D + " 00 08EF06C80400001000 00",
        "00",
    ),
    ("lock", lambda manager: manager.lock(SLOT), "F04080 " + S, ""),
    ("unlock", lambda manager: manager.unlock(SLOT), "F04000 " + S, ""),
    ("lock the card", lambda manager: manager.lock_card(), "F0807F", ""),
    ("unlock the card", lambda manager: manager.unlock_card(), "F0800F", ""),
    ("delete", lambda manager: manager.delete(SLOT), "E40000 4F0E" + S, "00"),
    ("delete with what is in it", lambda manager: manager.delete(DOMAIN, related=True), "E40080 4F0E" + D, "00"),
]


@pytest.mark.parametrize("level", [SecurityLevel.C_MAC, ALL])
@pytest.mark.parametrize(("name", "do", "command", "answer"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_every_command_is_what_the_standard_says(
    name: str, do: Callable[[ContentManager], object], command: str, answer: str, level: SecurityLevel
) -> None:
    manager, card = managed(says(answer + "9000"), level)
    do(manager)
    assert "".join(sent(card)).replace(" ", "") == command.replace(" ", "")
    assert not manager.session.is_over


@pytest.mark.parametrize(("name", "do", "command", "answer"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_every_refusal_is_typed_and_nothing_is_sent_again(
    name: str, do: Callable[[ContentManager], object], command: str, answer: str
) -> None:
    for word, kind, over in (
        ("6A84", NoRoom, False),
        ("6A88", NotOnCard, False),
        ("6A82", NotOnCard, False),
        ("6985", UnexpectedAnswer, False),
        ("6A80", UnexpectedAnswer, False),
        ("6310", UnexpectedAnswer, False),
        ("6982", SecureChannelError, True),
    ):
        manager, card = managed(says(word))
        with pytest.raises(kind):
            do(manager)
        assert len(card.plain) == 1
        assert manager.session.is_over is over
    manager, card = managed(says("01029000"))
    with pytest.raises(UnexpectedAnswer, match="data where none is due"):
        do(manager)


def test_no_room_says_what_to_do() -> None:
    manager, _ = managed(says("6A84"))
    with pytest.raises(NoRoom) as caught:
        manager.install_slot(SLOT)
    assert "quota" in caught.value.remedy("en")
    assert caught.value.remedy("ja")


def test_what_no_command_can_carry_is_refused_before_anything_is_sent() -> None:
    manager, card = managed()
    bad_calls: tuple[Callable[[], None], ...] = (
        lambda: manager.set_quota(DOMAIN, 1 << 32),
        lambda: manager.store_data(b""),
        lambda: manager.store_data(bytes(256 * manager.session.room + 1)),
    )
    for call in bad_calls:
        with pytest.raises(UsageError):
            call()
    assert not card.plain


@pytest.mark.parametrize("level", list(SecurityLevel))
@given(size=st.integers(1, 2000))
@example(size=239)
@example(size=240)
@example(size=247)
@example(size=248)
@settings(max_examples=8, deadline=None)
def test_data_goes_in_as_few_blocks_as_fit(level: SecurityLevel, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    manager, card = managed(level=level)
    manager.store_data(data)
    room = 239 if level & 0x02 else 247
    assert [len(one[3]) for one in card.plain[:-1]] == [room] * (len(card.plain) - 1)
    assert b"".join(one[3] for one in card.plain) == data
    assert [one[:3] for one in card.plain] == [
        (0xE2, 0x90 if number == len(card.plain) - 1 else 0x10, number) for number in range(len(card.plain))
    ]
    assert all(len(raw) <= 5 + 255 + 1 for raw in card.raw)


def test_data_stops_with_the_first_block_that_is_refused() -> None:
    manager, card = managed(says("9000", "6A84"))
    with pytest.raises(NoRoom):
        manager.store_data(bytes(1000))
    assert len(card.plain) == 2


# --- keys ------------------------------------------------------------------------------------------------------------

NEW = tuple(bytes(range(first, first + 32)) for first in (0x10, 0x50, 0x90))


def new_keys(size: int) -> StaticKeys:
    enc, mac, dek = (Secret(key[:size]) for key in NEW)
    return StaticKeys(2, enc, mac, dek)


@pytest.mark.parametrize("size", [16, 32])
def test_a_key_set_goes_enciphered_with_check_values(size: int) -> None:
    checks = [hand_cbc(key[:size], bytes(16), b"\x01" * 16)[:3] for key in NEW]
    manager, card = managed(says("02" + b"".join(checks).hex() + "9000"))
    manager.put_key(new_keys(size), replace=1)
    ((ins, p1, p2, data),) = card.plain
    assert (ins, p1, p2) == (0xD8, 0x01, 0x81)
    assert data[0] == 2
    part = 3 + size + 4
    for number, (key, check) in enumerate(zip(NEW, checks, strict=True)):
        one = data[1 + number * part : 1 + (number + 1) * part]
        assert one[:3] == bytes((0x88, size + 1, size))
        assert hand_uncbc(card.dek, bytes(16), one[3 : 3 + size]) == key[:size]
        assert one[3 + size :] == b"\x03" + check
    assert not any(key[:size] in raw for key in NEW for raw in card.raw)


@pytest.mark.parametrize("lie", ["", "02", "02" + "00" * 9, "01" + "00" * 9])
def test_other_check_values_end_the_session(lie: str) -> None:
    manager, card = managed(says(lie + "9000"))
    with pytest.raises(SecureChannelError, match="check values"):
        manager.put_key(new_keys(16))
    assert manager.session.is_over
    assert len(card.plain) == 1


def test_trial_keys_are_never_put_on_a_card() -> None:
    manager, card = managed()
    with pytest.raises(UsageError):
        manager.put_key(TrialKeys().static())
    assert not card.plain


# --- reading ---------------------------------------------------------------------------------------------------------


def entry(*parts: str) -> str:
    body = bytes.fromhex("".join(parts))
    return "E3" + (f"{len(body):02X}" if len(body) < 128 else f"81{len(body):02X}") + body.hex().upper()


E_ISD = entry("4F07A0000001510000", "9F70010F", "C5039EFE80")
E_DOMAIN = entry(
    "4F0E" + D, "9F70010F", "C503804000", "C407A0000001515350", "CC07A0000001510000", "DF7106013133313031",
    "DF72080000200000000100",
)  # fmt: skip
E_SLOT = entry("4F0E" + S, "9F700183", "C50100", "C407F04B4F4A4C4601", "CC0E" + D, "DF730103")
E_FILE = entry("4F07F04B4F4A4C4601", "9F700101", "8407F04B4F4A4D4401", "8408F04B4F4A4D4401FF")


def test_the_registry_is_read_in_pages() -> None:
    manager, card = managed(says(E_ISD + "9000", E_DOMAIN + "6310", E_SLOT + "9000", E_FILE + "9000"))
    found = manager.status()
    assert found.isd == Entry(ISD, 0x0F, bytes.fromhex("9EFE80"))
    domain = DomainEntry(
        DOMAIN, 0x0F, b"\x80\x40\x00", bytes.fromhex("A0000001515350"), ISD, b"\x0113101", quota=8192, used=256
    )
    assert found.domains == (domain,)
    slot = SlotEntry(SLOT, 0x83, b"\x00", bytes.fromhex("F04B4F4A4C4601"), DOMAIN, slot_state=3)
    assert found.slots == (slot,)
    assert found.of(DOMAIN) == (slot,)
    assert slot.is_locked
    assert not domain.is_locked
    modules = (bytes.fromhex("F04B4F4A4D4401"), bytes.fromhex("F04B4F4A4D4401FF"))
    assert found.load_files == (LoadFileEntry(bytes.fromhex("F04B4F4A4C4601"), 1, modules),)
    tags = "4F9F70C5C4CCDF71DF72DF73"
    assert sent(card) == [
        "F28002 4F005C044F9F70C5",
        f"F24002 4F005C0C{tags}",
        f"F24003 4F005C0C{tags}",
        "F21002 4F00",
    ]
    assert S not in repr(found)


def test_one_part_of_the_registry_is_asked_for_by_the_beginning_of_its_aid() -> None:
    manager, card = managed(says(E_SLOT + "9000"))
    found = manager.status(SLOT[:6])
    assert (found.isd, found.domains, len(found.slots), found.load_files) == (None, (), 1, ())
    assert [one.split()[1][:16] for one in sent(card)] == ["4F06F04B4F4A494E"]


def test_nothing_found_is_an_empty_registry() -> None:
    manager, _ = managed(says("6A88"))
    found = manager.status()
    assert (found.isd, found.domains, found.slots, found.load_files) == (None, (), (), ())


GARBAGE = {
    "no entry": "4F0E" + D,
    "cut": E_DOMAIN[:-2],
    "an endless length": "E38400000001",
    "an indefinite length": "E380",
    "no AID": entry("9F70010F"),
    "no state": entry("4F0E" + D),
    "two states": entry("4F0E" + D, "9F70010F", "9F70010F"),
    "a long state": entry("4F0E" + D, "9F70020F0F"),
    "two AIDs": entry("4F0E" + D, "4F0E" + D, "9F70010F"),
    "a short AID": entry("4F04F04B4F4A", "9F70010F"),
    "a long AID": entry("4F11" + "F0" * 17, "9F70010F"),
    "no AID inside an AID": entry("4F00", "9F70010F"),
    "privileges of two bytes": entry("4F0E" + D, "9F70010F", "C5028000"),
    "room of another size": entry("4F0E" + D, "9F70010F", "C50180", "DF720400002000"),
    "an owner that is none": entry("4F0E" + D, "9F70010F", "C50180", "DF71060131330A3031"),
    "an owner without a code": entry("4F0E" + D, "9F70010F", "C50180", "DF710101"),
    "a state of a slot of two bytes": entry("4F0E" + S, "9F70010F", "C50100", "DF73020101"),
    "filler": E_DOMAIN + "00",
}


@pytest.mark.attack("channel", "GET STATUS answered by an authentic card: {}", "a typed error")
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_the_registry_is_a_typed_error(name: str) -> None:
    manager, _ = managed(says("6A88", GARBAGE[name] + "9000"))
    with pytest.raises(UnexpectedAnswer, match="malformed content"):
        manager.status()


@pytest.mark.parametrize("answer", [E_SLOT + "6310", "6310"])
def test_a_registry_without_end_is_left(answer: str) -> None:
    manager, card = managed(says("6A88", answer))
    with pytest.raises(UnexpectedAnswer, match="does not end"):
        manager.status()
    assert len(card.plain) <= 300


@pytest.mark.parametrize("word", ["6A80", "6A86", "6D00", "6985"])
def test_a_registry_that_is_refused_is_told(word: str) -> None:
    manager, _ = managed(says(word))
    with pytest.raises(UnexpectedAnswer):
        manager.status()


def test_nothing_found_on_a_later_page_is_no_end() -> None:
    manager, _ = managed(says("6A88", E_SLOT + "6310", "6A88"))
    with pytest.raises(NotOnCard):
        manager.status()


def test_key_information_and_resources() -> None:
    manager, card = managed(says("E012" + "C00401028810" + "C00402028810" + "C00403018020" + "9000"))
    assert manager.key_information() == (
        KeyInfo(1, 2, "AES", 128),
        KeyInfo(2, 2, "AES", 128),
        KeyInfo(3, 1, "80", 256),
    )
    assert sent(card) == ["CA00E0 "]
    manager, card = managed(says("FF210D" + "810103" + "820400006000" + "83021000" + "9000"))
    assert manager.resources() == Resources(3, 0x6000, 0x1000)
    assert sent(card) == ["CAFF21 "]


@pytest.mark.parametrize(
    "answer",
    ["", "E000E000", "E106C00401028810", "E005C003010288", "E006C1040102", "FF2103810101", "FF210681010182008300"],
)
def test_malformed_objects_are_typed_errors(answer: str) -> None:
    for read in (ContentManager.key_information, ContentManager.resources):
        manager, _ = managed(says(answer + "9000"))
        with pytest.raises(UnexpectedAnswer):
            read(manager)


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda body: b"\xe3" + bytes((len(body),)) + body))
@settings(max_examples=300)
def test_no_answer_breaks_the_readers(data: bytes) -> None:
    for parse in (
        registry.parse_entries,
        registry.parse_load_files,
        registry.parse_key_information,
        registry.parse_resources,
    ):
        with contextlib.suppress(DecodeError):
            parse(data)


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=5, max_size=16), st.integers(0, 255), st.sampled_from([b"", b"\x00", b"\x80\x40\x00"])
        ),
        max_size=12,
    )
)
def test_entries_come_back_as_they_were_written(rows: list[tuple[bytes, int, bytes]]) -> None:
    text = "".join(
        entry(
            f"4F{len(aid):02X}{aid.hex()}",
            f"9F7001{state:02X}",
            f"C5{len(privileges):02X}{privileges.hex()}" if privileges else "",
        )
        for aid, state, privileges in rows
    )
    found = [one for one, _ in registry.parse_entries(bytes.fromhex(text))]
    assert found == [Entry(aid, state, privileges) for aid, state, privileges in rows]
    assert [one.is_domain for one in found] == [bool(privileges and privileges[0]) for _, _, privileges in rows]
