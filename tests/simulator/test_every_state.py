"""Command x application x state x status word: every EF of every application, by an oracle typed from the facts.

``CARD`` is card.md §2 as a table and ``expected`` is §4 as a function; neither reads the applet specs. Each row is one
command in one state of one application and is tried on all thirty short identifiers, on a card of its own each time:
the word, the length of the data, and what became of every counter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable


class Ef(NamedTuple):
    """One EF.

    Attributes:
        kind: T transparent, R records, U a file of which nobody knows the inside, P a secret, K a key that signs, I the
            key of INTERNAL AUTHENTICATE, C a public key, B the reference that is blocked as issued, M that of the MF.
        opened_by: secrets of which any one opens it; ``-`` nobody needed; empty: nobody can.
        value, other: of a secret: its value on the adult's card, and one of its form that is wrong.
        tries: of a secret.
        change: of a secret: the instruction that changes it.
    """

    kind: str
    opened_by: str = ""
    value: bytes = b""
    other: bytes = b""
    tries: int = 0
    change: int = 0


def free(kind: str = "T") -> Ef:
    return Ef(kind, "-")


# persona adult, issued 2026-04-01: 個人番号 123456789018, born 平成2-08-03, card until 2035, security code 4271
A, B = b"123456789018", b"02080320354271"
PIN = Ef("P", "", b"5678", b"0000", 3, 0x24)
AUTH = Ef("P", "", b"1234", b"0000", 3, 0x24)
SIGN = Ef("P", "", b"ABC123", b"ABC124", 5, 0x24)
REGISTRY = Ef("P", "", b"9012", b"0000", 3, 0x32)
CODE_A = Ef("P", "", A, b"000000000000", 10)
CODE_B = Ef("P", "", B, b"00000000000000", 10)
BIRTH = Ef("P", "", b"020803", b"000000", 10)
UNKNOWN = Ef("U")

#: application -> (AID, EF by short identifier): card.md §1, §2.1, §2.2, §2.4, §2.5, §2.6. Tries of BIRTH: ours (§13).
CARD: dict[str, tuple[str, dict[int, Ef]]] = {
    "none": ("", {0x1E: Ef("M")}),
    "card_manager": ("A0000001510000", {0x1E: Ef("M")}),
    "common": ("D3921000310001010100", {0x01: free("R"), 0x02: free("R"), 0x19: free("I"), 0x1C: REGISTRY}),
    "juki": ("D3921000310001010401", {0x02: free("R"), 0x1C: REGISTRY}),
    "input_support": (
        "D3921000310001010408",
        {
            0x01: Ef("T", "11 14"),
            0x02: Ef("T", "11 15"),
            0x03: Ef("T", "11 14 15"),
            0x04: free(),
            0x05: free(),
            0x06: Ef("T", "11 14 15"),
            0x07: Ef("T", "11 14 15"),
            0x08: free(),
            0x10: UNKNOWN,
            0x11: PIN,
            0x12: Ef("B"),
            0x13: free("K"),
            0x14: CODE_A,
            0x15: CODE_B,
            0x1C: UNKNOWN,
            0x1E: UNKNOWN,
        },
    ),
    "card_face": (
        "D3921000310001010402",
        {
            0x01: Ef("T", "11"),
            0x02: Ef("T", "12 13"),
            0x03: free(),
            0x04: free(),
            0x05: Ef("T", "13"),
            0x06: free(),
            0x11: BIRTH,
            0x12: CODE_B,
            0x13: CODE_A,
            0x14: UNKNOWN,
            0x15: UNKNOWN,
            0x1A: free("K"),
            0x1C: UNKNOWN,
            0x1E: UNKNOWN,
        },
    ),
    "jpki": (
        "D392F000260100000001",
        {
            0x01: Ef("T", "1B"),
            0x02: free(),
            0x05: UNKNOWN,
            0x06: free(),
            0x08: free(),
            0x09: Ef("T"),
            0x0A: free(),
            0x0B: free(),
            0x10: UNKNOWN,
            0x16: Ef("C"),
            0x17: Ef("K", "18"),
            0x18: AUTH,
            0x19: UNKNOWN,
            0x1A: Ef("K", "1B"),
            0x1B: SIGN,
            0x1C: UNKNOWN,
            0x1E: UNKNOWN,
        },
    ),
    # card.md §2.9: the PIN is reference 86, so its short identifier is 6
    "licence": (
        "A0000002310600000000000000000000",
        {0x06: Ef("P", "", b"2468", b"0000", 10), 0x1A: free(), 0x1B: Ef("T", "06"), 0x1C: Ef("T", "06")},
    ),
}
PERSONA = {"licence": "licence_holder"}  # on every other card there is none

#: command -> (CLA INS P1, what stands before the short identifier in P2 or P1, data, Le); data of None: the EF's own
COMMANDS = (
    "SELECT EF",
    "READ BINARY",
    "READ RECORD",
    "empty VERIFY",
    "VERIFY right",
    "VERIFY wrong",
    "CHANGE REFERENCE DATA",
    "CHANGE KEY",
    "sign verbatim",
    "sign with a scheme that is none",
    "INTERNAL AUTHENTICATE",
)


def encoded(command: str, sfi: int, ef: Ef) -> bytes:
    """The command as the facts write it (card.md §4.1-§4.5)."""
    p2 = 0x80 | sfi

    def case3(head: str, data: bytes) -> bytes:
        return bytes.fromhex(head) + bytes((p2, len(data))) + data

    match command:
        case "SELECT EF":
            return bytes.fromhex("00A4020C0200") + bytes((sfi,))
        case "READ BINARY":
            return bytes((0x00, 0xB0, p2, 0x00, 0x00))
        case "READ RECORD":
            return bytes((0x00, 0xB2, 0x01, sfi << 3 | 0x04, 0x00))
        case "empty VERIFY":
            return bytes((0x00, 0x20, 0x00, p2))
        case "VERIFY right":
            return case3("002000", ef.value or b"0000")
        case "VERIFY wrong":
            return case3("002000", ef.other or b"0000")
        case "CHANGE REFERENCE DATA":
            return case3("002401", ef.other or b"0000")
        case "CHANGE KEY":
            return case3("803200", ef.other or b"0000")
        case "sign verbatim":
            return case3("802A00", b"\x01") + b"\x00"
        case "sign with a scheme that is none":
            return case3("802A77", b"\x01") + b"\x00"
        case _:
            return case3("008800", b"\x01") + b"\x00"


class State(NamedTuple):
    """What happened before: to one secret, or nothing (0)."""

    what: str
    sfi: int = 0


class Row(NamedTuple):
    """One command in one state of one application."""

    application: str
    state: State
    command: str

    def __str__(self) -> str:
        return f"{self.application}, {self.state.what} {self.state.sfi:02X}, {self.command}"


def states(application: str) -> list[State]:
    secrets = [sfi for sfi, ef in CARD[application][1].items() if ef.kind == "P"]
    told = ("right", "wrong", "blocked", "right then reset", "right then selected again")
    return [State("fresh"), *(State(what, sfi) for sfi in secrets for what in told)]


ROWS = [Row(name, state, command) for name in CARD for state in states(name) for command in COMMANDS]


def readable(ef: Ef, kind: str, verified: int) -> int:
    """§4.2: the other structure is 6981, what nobody knows is closed, and so is what was not opened."""
    if ef.kind == "U":
        return 0x6982
    if ef.kind != kind:
        return 0x6981
    return 0x9000 if opened(ef, verified) else 0x6982


def opened(ef: Ef, verified: int) -> bool:
    return "-" in ef.opened_by or f"{verified:02X}" in ef.opened_by.split()


def expected(command: str, ef: Ef | None, left: int, *, me: bool, verified: int) -> int:
    """The status word by card.md §4.

    Args:
        left: tries of the EF itself.
        me: the EF is the secret that was verified.
        verified: short identifier of that secret, or 0.
    """
    if ef is None:
        return 0x6A82
    counts = ef.kind in "PB"
    match command:
        case "SELECT EF":
            return 0x9000
        case "READ BINARY":
            return readable(ef, "T", verified)
        case "READ RECORD":
            return readable(ef, "R", verified)
        case "empty VERIFY":
            return 0x63C0 | left if counts else 0x6981
        case "VERIFY right" | "VERIFY wrong":
            if not counts:
                return 0x6981
            if not left:
                return 0x6984
            return 0x9000 if command == "VERIFY right" else 0x63C0 | left - 1
        case "CHANGE REFERENCE DATA" | "CHANGE KEY":
            if not counts:
                return 0x6981
            wanted = 0x24 if command == "CHANGE REFERENCE DATA" else 0x32
            return 0x9000 if me and ef.change == wanted else 0x6982
        case "sign verbatim":
            if ef.kind not in "KI":
                return 0x6981
            return 0x6A86 if ef.kind == "I" else 0x9000 if opened(ef, verified) else 0x6982
        case "sign with a scheme that is none":
            return 0x6A86 if ef.kind in "KI" else 0x6981
        case _:
            if ef.kind not in "KI":
                return 0x6981
            return 0x9000 if ef.kind == "I" else 0x6985 if opened(ef, verified) else 0x6982


def prepared(card: Any, row: Row) -> None:
    """Bring a new card into the state."""
    aid, efs = CARD[row.application]
    select = bytes.fromhex(f"00A4040C{len(aid) // 2:02X}{aid}") if aid else b""

    def say(command: bytes, word: int) -> None:
        assert card.transmit(command)[-2:] == word.to_bytes(2, "big"), (row, command[:4].hex())

    if select:
        say(select, 0x9000)
    what, sfi = row.state
    if what == "fresh":
        return
    ef = efs[sfi]
    if what == "wrong":
        say(encoded("VERIFY wrong", sfi, ef), 0x63C0 | ef.tries - 1)
    elif what == "blocked":
        for left in reversed(range(ef.tries)):
            say(encoded("VERIFY wrong", sfi, ef), 0x63C0 | left)
    else:
        say(encoded("VERIFY right", sfi, ef), 0x9000)
        if what == "right then reset":
            card.reset()
        if what != "right":
            say(select, 0x9000)


def tries_of(row: Row, sfi: int, ef: Ef) -> int:
    """Tries left of a secret in that state."""
    if (row.state.what, row.state.sfi) == ("blocked", sfi):
        return 0
    return ef.tries - ((row.state.what, row.state.sfi) == ("wrong", sfi))


def counters(card: Any) -> dict[tuple[str, str], int]:
    found = card.state.applications
    return {(app, key): content.tries_left for app, state in found.items() for key, content in state.keys.items()}


@pytest.mark.parametrize(
    "row",
    table("states", ROWS, size=(1 + 1 + 6 + 6 + 16 + 16 + 11 + 6) * 11, sample=70, ident=str),
)
def test_every_ef_answers_every_command_as_the_facts_say(soft_card: Callable[..., Any], row: Row) -> None:
    efs = CARD[row.application][1]
    verified = row.state.sfi if row.state.what == "right" else 0
    for sfi in range(1, 0x1F):
        ef = efs.get(sfi)
        card = soft_card(PERSONA.get(row.application, "adult"))
        prepared(card, row)
        before = counters(card)
        left = tries_of(row, sfi, ef) if ef is not None else 0
        answer = card.transmit(encoded(row.command, sfi, ef or UNKNOWN))
        word = int.from_bytes(answer[-2:], "big")
        wanted = expected(row.command, ef, left, me=sfi == verified, verified=verified)
        assert word == wanted, f"{row}, EF {sfi:02X}: {word:04X}, by the facts {wanted:04X}"
        assert word == 0x9000 or len(answer) == 2, f"{row}, EF {sfi:02X}: data beside a refusal"
        changed = {key for key, count in counters(card).items() if count != before[key]}
        spends = row.command == "VERIFY wrong" and wanted & 0xFFF0 == 0x63C0
        restores = row.command == "VERIFY right" and wanted == 0x9000 and ef is not None and left < ef.tries
        assert len(changed) == (spends or restores), f"{row}, EF {sfi:02X}: counters of {changed}"
        card.close()


#: Commands of an application as a whole (card.md §2.5, §4.1, §4.2, §4.6-§4.8) -> word by application; * is every other.
WHOLE: dict[str, tuple[str, dict[str, int]]] = {
    "GET CHALLENGE": ("0084000008", {"*": 0x9000}),
    "GET CHALLENGE, extended": ("00840000000008", {"*": 0x6985}),
    "GET DATA 0045": ("00CA004500", {"none": 0x9000, "card_manager": 0x9000, "*": 0x6A88}),
    "GET DATA 00F2": ("00CA00F200", {"none": 0x9000, "card_manager": 0x9000, "*": 0x6A88}),
    "GET DATA 7F21, short": ("00CA7F2100", {"none": 0x6700, "card_manager": 0x6700, "*": 0x6A88}),
    "GET DATA 7F21, extended": ("00CA7F21000000", {"none": 0x9000, "card_manager": 0x9000, "*": 0x6A88}),
    "SELECT with nothing": ("00A40000", {"none": 0x6A86, "card_manager": 0x6A86, "*": 0x9000}),
    "SELECT 3F00": ("00A4000C023F00", {"*": 0x6A82}),
    "SELECT by path": ("00A4090C02000A", {"*": 0x6A86}),
    "READ without a current EF": ("00B0000000", {"*": 0x6986}),
    "sign with the application's key": (
        "802A0000010100",
        {"input_support": 0x9000, "card_face": 0x9000, "*": 0x6A88},
    ),
    "terminal certificate of no length": ("80A206C10100", {"jpki": 0x6700, "*": 0x6985}),
    "terminal certificate, wrong parameters": ("80A200AE0100", {"*": 0x6A86}),
    "last command": ("80FC0000", {"*": 0x6700}),
    "ERASE ALL RECORDS": ("80060000", {"*": 0x6982}),
    # at the card manager 80 50 is INITIALIZE UPDATE of GlobalPlatform, whose other commands are there too
    "LOCK DF": ("80500000", {"none": 0x6700, "card_manager": 0x6700, "*": 0x6982}),
    "GET DATA 00E0 of GlobalPlatform": ("80CA00E000", {"none": 0x9000, "card_manager": 0x9000, "*": 0x6D00}),
    "GET STATUS": ("80F28002024F0000", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "INSTALL": ("80E60C0000", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "STORE DATA": ("80E2900000", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "SET STATUS": ("80F0800F00", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "DELETE": ("80E4000000", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "PUT KEY": ("80D8008100", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "LOAD": ("80E8800000", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6D00}),
    "EXTERNAL AUTHENTICATE of SCP03": ("84820100", {"none": 0x6985, "card_manager": 0x6985, "*": 0x6882}),
    "class 84, no session": ("84F28002024F0000", {"none": 0x6982, "card_manager": 0x6982, "*": 0x6882}),
    "UNLOCK DF": ("80520000", {"*": 0x6982}),
    "UNLOCK KEY": ("80540000", {"*": 0x6982}),
    "MANAGE ATTRIBUTES": ("808A2200", {"*": 0x6982}),
    "MANAGE ATTRIBUTES, other P1": ("808A0000", {"*": 0x6A86}),
    "RESET RETRY COUNTER": ("002C0080", {"*": 0x6D00}),
    "logical channel 1": ("01B0000000", {"*": 0x6881}),
    "class of ISO secure messaging": ("0CB0000000", {"*": 0x6987}),
    "class of secure messaging, no session": ("08B0000000", {"*": 0x69FC}),
    "an unknown class": ("90B0000000", {"*": 0x6E00}),
    "an unknown instruction": ("00EE000000", {"*": 0x6D00}),
}


@pytest.mark.parametrize("command", WHOLE)
@pytest.mark.parametrize("application", CARD)
def test_every_application_answers_as_a_whole(soft_card: Callable[..., Any], application: str, command: str) -> None:
    aid = CARD[application][0]
    card = soft_card(PERSONA.get(application, "adult"))
    if aid:
        assert card.transmit(bytes.fromhex(f"00A4040C{len(aid) // 2:02X}{aid}")) == b"\x90\x00"
    typed, words = WHOLE[command]
    answer = card.transmit(bytes.fromhex(typed))
    wanted = words.get(application, words["*"])
    assert int.from_bytes(answer[-2:], "big") == wanted, answer[-2:].hex()
