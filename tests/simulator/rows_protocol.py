"""Literal rows: class bytes, unknown instructions, malformed commands, loss of state (card.md §4.7-4.10), in hex."""

from __future__ import annotations

from support import Row

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"
AUTH_OK = "0020009804 31323334 -> 9000"
TEXT_OK = "0020009104 35363738 -> 9000"
SIGNATURE = "802A009701 AA 00 -> ..{256} 9000"
NO_SIGNATURE = "802A009701 AA 00 -> 6982"

CLASS_ROWS = (
    *(
        Row(f"logical channel {channel} of READ BINARY", "card.md §4.9: 6881", (JPKI, f"0{channel}B0860000 -> 6881"))
        for channel in (1, 2, 3)
    ),
    Row("logical channel 1 of SELECT", "card.md §4.9: 6881", ("01A4040C0A D392F000260100000001 -> 6881",)),
    Row(
        "logical channel 1 of VERIFY spends nothing",
        "card.md §4.9",
        (JPKI, "0120009804 30303030 -> 6881", "00200098 -> 63C3"),
    ),
    Row("logical channel 1 of 80 2A", "card.md §4.9", (JPKI, AUTH_OK, "812A009701 AA 00 -> 6881")),
    Row("class A0", "card.md §4.9: 6E00", (JPKI, "A0B0860000 -> 6E00")),
    Row("class E0", "card.md §4.9: 6E00", (JPKI, "E0A4040C0A D392F000260100000001 -> 6E00")),
    Row("class FF", "card.md §4.9: 6E00", (JPKI, "FFB0860000 -> 6E00")),
    Row("secure messaging READ without a session", "card.md §4.7: 69FC", (TEXT, "08B0820000 -> 69FC")),
    Row("secure messaging SELECT", "card.md §4.7: 6882", ("08A4040C0A D3921000310001010408 -> 6882",)),
    Row("ISO secure messaging with header", "card.md §4.7: 0C -> 6987", (TEXT, "0CB0820000 -> 6987")),
    Row(
        "secure messaging VERIFY spends nothing",
        "card.md §4.7",
        (TEXT, "0820009104 30303030 -> 69FC|6882", "00200091 -> 63C3"),
    ),
)

INSTRUCTION_ROWS = (
    *(
        Row(f"no instruction {ins}", "card.md §4.9: 6D00", (JPKI, f"00{ins}000000 -> 6D00"))
        for ins in ("00", "10", "42", "70", "CC", "FE")
    ),
    Row("no instruction 00 00 at power on", "card.md §4.9: 6D00", ("0000000000 -> 6D00",)),
    Row("no instruction 80 10", "card.md §4.9: 6D00", (JPKI, "8010000000 -> 6D00")),
    Row(
        "RESET RETRY COUNTER is in no source",
        "card.md §3: no source shows 00 2C; no PIN may come back by it",
        (JPKI, "0020009804 30303030 -> 63C2", "002C009804 31323334 -> 6???", "00200098 -> 63C2"),
    ),
    Row(
        "UNLOCK KEY is the issuer's",
        "card.md §3, §4.8: refused for the holder",
        (JPKI, "0020009804 30303030 -> 63C2", "8054009804 31323334 -> 6???", "00200098 -> 63C2"),
    ),
    Row(
        "UPDATE BINARY",
        "no source: refused, and nothing is written",
        (JPKI, "00D6880003 000000 -> 6???", "00B0880000 -> 8F8F00 9000"),
    ),
    Row("GET RESPONSE: 61xx is never given", "card.md §4.9", (JPKI, "00C0000000 -> 6???")),
    Row("ERASE ALL RECORDS", "card.md §4.8: refused", (COMMON, "8006000000 -> 6???", "00B2010C00 -> 011C ..{28} 9000")),
)

MALFORMED_ROWS = (
    Row("one byte", "card.md §4.9: 6700", ("00 -> 6700",)),
    Row("two bytes", "card.md §4.9: 6700", ("00A4 -> 6700",)),
    Row("three bytes", "card.md §4.9: 6700", ("00A404 -> 6700",)),
    Row("Lc one too large", "card.md §4.9: 6700", ("00A4040C0B D392F000260100000001 -> 6700",)),
    Row("Lc two too small", "card.md §4.9: 6700", ("00A4040C08 D392F000260100000001 -> 6700",)),
    Row("Lc with no data", "card.md §4.9: 6700", ("00A4040C0A D3 -> 6700",)),
    Row("extended Lc cut off", "card.md §4.9: 6700", ("00A4040C 0000 -> 6700",)),
    Row("extended Lc too large", "card.md §4.9: 6700", ("00A4040C 00FFFF D392 -> 6700",)),
    Row("extended Lc of zero with data", "card.md §4.9: 6700", ("00A4040C 000000 D392 -> 6700",)),
    Row(
        "a malformed VERIFY spends nothing",
        "card.md §4.9",
        (JPKI, "0020009805 30303030 -> 6700", "0020009804 303030 -> 6700", "00200098 -> 63C3"),
    ),
    Row("a malformed command leaves the application", "card.md §4.9", (JPKI, "00 -> 6700", "00200098 -> 63C3")),
)

STATE_ROWS = (
    Row(
        "SELECT EF keeps the status",
        "card.md §4.10",
        (JPKI, AUTH_OK, "00A4020C02 000A -> 9000", "00A4020C02 0017 -> 9000", "802A008001 AA 00 -> ..{256} 9000"),
    ),
    Row("the same application again clears", "card.md §4.10, §12", (JPKI, AUTH_OK, SIGNATURE, JPKI, NO_SIGNATURE)),
    Row(
        "the same application by prefix clears too",
        "card.md §4.10",
        (JPKI, AUTH_OK, "00A4040C05 D392F00026 -> 9000", NO_SIGNATURE),
    ),
    Row("another application clears", "card.md §4.10", (JPKI, AUTH_OK, TEXT, JPKI, NO_SIGNATURE)),
    Row(
        "kept over the same application when so set",
        "card.md §4.10, §11: an option",
        (JPKI, AUTH_OK, JPKI, SIGNATURE),
        knobs=(("reselect_keeps_state", True),),
    ),
    Row(
        "another application clears even then",
        "card.md §4.10: the conflict is about the same AP",
        (JPKI, AUTH_OK, TEXT, JPKI, NO_SIGNATURE),
        knobs=(("reselect_keeps_state", True),),
    ),
    Row("reset clears", "card.md §4.10", (JPKI, AUTH_OK, "reset", JPKI, NO_SIGNATURE)),
    Row(
        "reset clears even when re-SELECT keeps",
        "card.md §4.10",
        (JPKI, AUTH_OK, "reset", JPKI, NO_SIGNATURE),
        knobs=(("reselect_keeps_state", True),),
    ),
    Row("power loss clears", "card.md §4.10", (JPKI, AUTH_OK, "power_off", JPKI, NO_SIGNATURE)),
    Row(
        "reset forgets the application",
        "card.md §4.10",
        (JPKI, "00A4020C02 0006 -> 9000", "reset", "00B0000000 -> 6986"),
    ),
    Row("power loss forgets the application", "card.md §4.10, §2.5", (JPKI, "power_off", "00A4020C02 0006 -> 6A82")),
    Row(
        "reset keeps the counters",
        "card.md §3",
        (JPKI, "0020009804 30303030 -> 63C2", "reset", JPKI, "00200098 -> 63C2", "power_off", JPKI, "00200098 -> 63C2"),
    ),
    Row(
        "a blocked PIN stays blocked",
        "card.md §3",
        (
            TEXT,
            "0020009104 30303030 -> 63C2",
            "0020009104 30303030 -> 63C1",
            "0020009104 30303030 -> 63C0",
            "power_off",
            TEXT,
            "0020009104 35363738 -> 6984",
            "00B0820000 -> 6982",
        ),
    ),
    Row(
        "the status of one key is not another's",
        "card.md §2.1, §2.4",
        (COMMON, "0020009C04 39303132 -> 9000", TEXT, "00B0820000 -> 6982"),
    ),
)

ROWS = CLASS_ROWS + INSTRUCTION_ROWS + MALFORMED_ROWS + STATE_ROWS
