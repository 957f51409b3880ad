"""Literal rows: VERIFY, CHANGE, ``80 2A``, GET CHALLENGE (card.md §3, §4.2-4.4), in hex, typed from the facts."""

from __future__ import annotations

from support import Row

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"
AUTH_OK = "0020009804 31323334 -> 9000"
SIGN_OK = "0020009B06 414243313233 -> 9000"
TEXT_OK = "0020009104 35363738 -> 9000"
#: DigestInfo of SHA-256("abc"): prefix of card.md §4.4, digest of FIPS 180-4's own example.
DI = "3031300D060960864801650304020105000420BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
HASH = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
WRONG_LENGTH = "6985|6700"  # card.md §4.4: "bad length -> 6985 or 6700"

VERIFY_ROWS = (
    Row("tries of every key, as delivered (JPKI)", "card.md §3", (JPKI, "00200098 -> 63C3", "0020009B -> 63C5")),
    Row(
        "tries of every key, as delivered (入力補助)",
        "card.md §3 (照合番号A: no primary source)",
        (TEXT, "00200091 -> 63C3", "00200095 -> 63CA", "00200094 -> 63C?"),
    ),
    Row("tries as delivered (共通)", "card.md §3", (COMMON, "0020009C -> 63C3")),
    Row(
        "the empty VERIFY on the selected key",
        "card.md §4.3",
        (JPKI, "00A4020C02 001B -> 9000", "00200080 -> 63C5", "00A4020C02 0018 -> 9000", "00200080 -> 63C3"),
    ),
    Row("the empty VERIFY costs nothing", "card.md §4.3", (JPKI, *("00200098 -> 63C3",) * 5, AUTH_OK)),
    Row("right by SFI", "card.md §4.3", (JPKI, AUTH_OK)),
    Row("right on the selected key", "card.md §4.3", (JPKI, "00A4020C02 0018 -> 9000", "0020008004 31323334 -> 9000")),
    Row("the empty VERIFY when verified", "pcsc.md P2: always 63Cx", (JPKI, AUTH_OK, "00200098 -> 63C3")),
    Row(
        "the empty VERIFY when verified, ISO's way",
        "card.md §4.3: 9000 possible; a knob",
        (JPKI, "00200098 -> 63C3", AUTH_OK, "00200098 -> 9000", "0020009B -> 63C5"),
        knobs=(("empty_verify_when_verified", 0x9000),),
    ),
    Row(
        "three wrong ones, then blocked",
        "card.md §4.3, §12",
        (
            JPKI,
            "0020009804 30303030 -> 63C2",
            "0020009804 30303030 -> 63C1",
            "0020009804 30303030 -> 63C0",
            "0020009804 30303030 -> 6984",
            "0020009804 31323334 -> 6984",
            "00200098 -> 63C0",
        ),
    ),
    Row(
        "blocked, 6983 selected",
        "card.md §12: accept both; a knob",
        (
            JPKI,
            "0020009804 30303030 -> 63C2",
            "0020009804 30303030 -> 63C1",
            "0020009804 30303030 -> 63C0",
            "0020009804 31323334 -> 6983",
            "00200098 -> 63C0",
        ),
        knobs=(("blocked_sw", 0x6983),),
    ),
    Row(
        "five wrong passwords",
        "card.md §3: 5",
        (
            JPKI,
            "0020009B06 414243313230 -> 63C4",
            "0020009B06 414243313230 -> 63C3",
            "0020009B06 414243313230 -> 63C2",
            "0020009B06 414243313230 -> 63C1",
            "0020009B06 414243313230 -> 63C0",
            "0020009B06 414243313233 -> 6984",
            "00200098 -> 63C3",
        ),
    ),
    Row(
        "success restores the counter",
        "card.md §3",
        (JPKI, "0020009804 30303030 -> 63C2", "0020009804 30303030 -> 63C1", AUTH_OK, "0020009804 30303030 -> 63C2"),
    ),
    Row(
        "a counter for each key",
        "card.md §3",
        (TEXT, "0020009104 30303030 -> 63C2", "002000950E 3030303030303030303030303030 -> 63C9", "00200091 -> 63C2"),
    ),
    Row(
        "a counter for each key of JPKI",
        "card.md §3",
        (
            JPKI,
            "0020009B06 303030303030 -> 63C4",
            "00200098 -> 63C3",
            "0020009804 30303030 -> 63C2",
            "0020009B -> 63C4",
        ),
    ),
    Row(
        "the same PIN value elsewhere is another reference",
        "card.md §2.4, §3",
        (COMMON, "0020009C04 30303030 -> 63C2", TEXT, "00200091 -> 63C3", COMMON, "0020009C -> 63C2"),
    ),
    Row("住民基本台帳用 PIN in 共通", "card.md §2.4", (COMMON, "0020009C04 39303132 -> 9000")),
    Row("the password is upper case; the card compares bytes", "card.md §3", (JPKI, "0020009B06 616263313233 -> 63C4")),
    Row("no padding", "card.md §4.3", (JPKI, "0020009808 31323334FFFFFFFF -> 63C2|6700|6A80")),
    Row(
        "a VERIFY of impossible length spends one try or none",
        "silent (§13 Lc edges): either 63C2 or a length error",
        (JPKI, "0020009803 313233 -> 63C2|6700|6A80", "00200098 -> 63C2|63C3"),
    ),
    Row(
        "five bytes with Le are no VERIFY of a PIN",
        "silent (card.md §13); no try may go",
        (JPKI, "0020009800 -> 63C3|6700", "00200098 -> 63C3"),
    ),
    Row(
        "blocked as issued",
        "card.md §2.1 [R]",
        (TEXT, "00200092 -> 63C0", "0020009204 30303030 -> 6984", "00A4020C02 0012 -> 9000", "00200080 -> 63C0"),
    ),
    Row(
        "VERIFY on a private key",
        "silent: refused",
        (JPKI, "00200097 -> 6???", "0020009704 31323334 -> 6981|6985|6A88|6A86"),
    ),
    Row("VERIFY on a data file", "silent: refused", (JPKI, "00200086 -> 6981|6985|6A88|6A82|6A86")),
    Row("VERIFY of an SFI that is not there", "card.md §4.1, §2.9 [R] 6A82", (JPKI, "0020009F -> 6A82|6A88")),
    Row("VERIFY with P2 80 and no EF", "card.md §4.9: 6986", (JPKI, "00200080 -> 6986")),
    Row("VERIFY with nothing selected", "card.md §4.9: 6986", ("00200080 -> 6986",)),
    Row(
        "VERIFY with P2 80 on a data file",
        "silent: refused",
        (JPKI, "00A4020C02 0006 -> 9000", "00200080 -> 6981|6985|6986", "0020008004 31323334 -> 6981|6985|6986"),
    ),
    Row("VERIFY with P1 01", "silent: 6A86 is what P1 P2 faults are (§4.9)", (JPKI, "0020019804 31323334 -> 6A86")),
    Row("a VERIFY with P1 01 spends nothing", "silent", (JPKI, "0020019804 30303030 -> 6A86", "00200098 -> 63C3")),
    Row("VERIFY with P2 00", "card.md §4.3 knows only 80 and 80|SFI", (JPKI, "0020000004 31323334 -> 6A86|6A88|6A82")),
    Row(
        "extended Lc",
        "card.md §4.2: extended works on the interface",
        (JPKI, "00200098 000004 31323334 -> 9000"),
    ),
    Row(
        "VERIFY by SFI selects the key",
        "card.md §4.3 (80|SFI without SELECT), §4.2 (an SFI selects)",
        (JPKI, AUTH_OK, "00200080 -> 63C3"),
    ),
)

CHANGE_ROWS = (
    Row(
        "change the auth PIN",
        "card.md §4.3",
        (
            JPKI,
            "00A4020C02 0018 -> 9000",
            "0020008004 31323334 -> 9000",
            "0024018004 38383838 -> 9000",
            "0020008004 31323334 -> 63C2",
            "0020008004 38383838 -> 9000",
        ),
    ),
    Row(
        "change the sign password to sixteen characters",
        "card.md §3, §4.3",
        (
            JPKI,
            "00A4020C02 001B -> 9000",
            "0020008006 414243313233 -> 9000",
            "0024018010 41424344454647483132333435363738 -> 9000",
            "0020008010 41424344454647483132333435363738 -> 9000",
        ),
    ),
    Row(
        "change the text PIN",
        "card.md §4.3: JPKI and text AP",
        (
            TEXT,
            "00A4020C02 0011 -> 9000",
            "0020008004 35363738 -> 9000",
            "0024018004 30303031 -> 9000",
            "00200091 -> 63C3",
        ),
    ),
    Row(
        "change without VERIFY",
        "card.md §4.3",
        (JPKI, "00A4020C02 0018 -> 9000", "0024018004 38383838 -> 6982", AUTH_OK),
    ),
    Row(
        "change after another key's VERIFY",
        "card.md §4.3",
        (JPKI, SIGN_OK, "00A4020C02 0018 -> 9000", "0024018004 38383838 -> 6982"),
    ),
    Row(
        "change after the application was selected again",
        "card.md §4.10",
        (JPKI, AUTH_OK, JPKI, "00A4020C02 0018 -> 9000", "0024018004 38383838 -> 6982"),
    ),
    Row(
        "change to three digits",
        "silent (§13): refused, and the old one stays",
        (JPKI, AUTH_OK, "00A4020C02 0018 -> 9000", "0024018003 313233 -> 6???", "0020008004 31323334 -> 9000"),
    ),
    Row(
        "change of 照合番号B",
        "no fact knows such a command: refused",
        (
            TEXT,
            "002000950E 3535303231373230333532323835 -> 9000",
            "00A4020C02 0015 -> 9000",
            "002401800E 3030303030303030303030303030 -> 6???",
            "002000950E 3535303231373230333532323835 -> 9000",
        ),
        persona="jlis_test_card",
    ),
    Row("change with no EF", "card.md §4.9: 6986", (JPKI, "0024018004 38383838 -> 6986")),
    Row(
        "共通: CHANGE KEY",
        "card.md §2.4, §4.3: 80 32 00 80",
        (
            COMMON,
            "00A4020C02 001C -> 9000",
            "8032008004 31313131 -> 6982",
            "0020008004 39303132 -> 9000",
            "8032008004 31313131 -> 9000",
            "0020008004 39303132 -> 63C2",
            "0020008004 31313131 -> 9000",
        ),
    ),
    Row(
        "a change outlives power loss",
        "card.md §4.3",
        (
            JPKI,
            "00A4020C02 0018 -> 9000",
            "0020008004 31323334 -> 9000",
            "0024018004 38383838 -> 9000",
            "power_off",
            JPKI,
            "0020009804 31323334 -> 63C2",
            "0020009804 38383838 -> 9000",
        ),
    ),
    Row(
        "a blocked PIN cannot be changed",
        "card.md §4.3: 6982 without VERIFY",
        (
            JPKI,
            "00A4020C02 0018 -> 9000",
            "0020008004 30303030 -> 63C2",
            "0020008004 30303030 -> 63C1",
            "0020008004 30303030 -> 63C0",
            "0024018004 38383838 -> 6982|6984",
            "0020008004 38383838 -> 6984",
        ),
    ),
)


def _sign_limits() -> tuple[Row, ...]:
    """Input limits of the six P1 schemes (card.md §4.4), for both keys."""
    rows: list[Row] = []
    for key, sfi, verify in (("auth", "97", AUTH_OK), ("sign", "9A", SIGN_OK)):
        rows += [
            Row(
                f"{key}: P1 00, one byte",
                "card.md §4.4: 1..245",
                (JPKI, verify, f"802A00{sfi}01 AA 00 -> ..{{256}} 9000"),
            ),
            Row(
                f"{key}: P1 00, 245 bytes", "card.md §4.4", (JPKI, verify, f"802A00{sfi}F5 AA*245 00 -> ..{{256}} 9000")
            ),
            Row(
                f"{key}: P1 00, 246 bytes", "card.md §4.4", (JPKI, verify, f"802A00{sfi}F6 AA*246 00 -> {WRONG_LENGTH}")
            ),
            Row(
                f"{key}: P1 00, 255 bytes", "card.md §4.4", (JPKI, verify, f"802A00{sfi}FF AA*255 00 -> {WRONG_LENGTH}")
            ),
            Row(f"{key}: P1 00, no data", "card.md §4.4", (JPKI, verify, f"802A00{sfi}00 -> {WRONG_LENGTH}")),
        ]
        rows += [
            Row(
                f"{key}: P1 {p1}, {length} bytes",
                "card.md §4.4: 32-byte hash",
                (JPKI, verify, f"802A{p1}{sfi}{length:02X} AA*{length} 00 -> {answer}"),
            )
            for p1 in ("02", "04")
            for length, answer in ((1, WRONG_LENGTH), (31, WRONG_LENGTH), (32, "..{256} 9000"), (33, WRONG_LENGTH))
        ]
        rows += [
            Row(
                f"{key}: P1 {p1}, {length} bytes hashed by the card",
                "card.md §4.4",
                (JPKI, verify, f"802A{p1}{sfi}{length:02X} AA*{length} 00 -> ..{{256}} 9000"),
            )
            for p1 in ("01", "03", "05")
            for length in (1, 255)
        ]
        rows += [
            Row(f"{key}: P1 {p1}", "card.md §4.4: 6A86", (JPKI, verify, f"802A{p1}{sfi}20 {HASH} 00 -> 6A86"))
            for p1 in ("06", "07", "10", "80", "9E", "FF")
        ]
    return tuple(rows)


SIGN_ROWS = (
    *_sign_limits(),
    Row("auth key before the PIN", "card.md §4.4: 6982", (JPKI, f"802A009733 {DI} 00 -> 6982")),
    Row("sign key before the password", "card.md §4.4: 6982", (JPKI, f"802A009A33 {DI} 00 -> 6982")),
    Row("sign key with the auth PIN", "card.md §2.6", (JPKI, AUTH_OK, f"802A009A33 {DI} 00 -> 6982")),
    Row("auth key with the sign password", "card.md §2.6", (JPKI, SIGN_OK, f"802A009733 {DI} 00 -> 6982")),
    Row(
        "current key EF, P2 80",
        "card.md §4.4",
        (JPKI, AUTH_OK, "00A4020C02 0017 -> 9000", f"802A008033 {DI} 00 -> ..{{256}} 9000"),
    ),
    Row(
        "current key EF before the PIN",
        "card.md §4.4",
        (JPKI, "00A4020C02 001A -> 9000", f"802A008033 {DI} 00 -> 6982"),
    ),
    Row("P2 80 with no EF", "card.md §4.9: 6986", (JPKI, f"802A008033 {DI} 00 -> 6986")),
    Row(
        "P2 80 on a PIN",
        "silent: refused",
        (JPKI, AUTH_OK, "00A4020C02 0018 -> 9000", f"802A008033 {DI} 00 -> 6981|6985|6982"),
    ),
    Row("P2 80|SFI of a PIN", "silent: refused", (JPKI, AUTH_OK, f"802A009833 {DI} 00 -> 6981|6985|6982|6A88")),
    Row("P2 80|SFI of a certificate", "silent: refused", (JPKI, f"802A008A33 {DI} 00 -> 6981|6985|6982|6A88")),
    Row("P2 80|SFI of nothing", "card.md §4.1", (JPKI, f"802A009F33 {DI} 00 -> 6A82|6A88")),
    Row(
        "P2 00 in 入力補助: the AP's key, no PIN", "card.md §2.8, §4.4", (TEXT, f"802A000033 {DI} 00 -> ..{{256}} 9000")
    ),
    Row("P2 00 in JPKI", "card.md §4.4: only in 券面 APs", (JPKI, AUTH_OK, SIGN_OK, f"802A000033 {DI} 00 -> 6???")),
    Row("P2 00 in 共通", "card.md §4.4: only in 券面 APs", (COMMON, f"802A000033 {DI} 00 -> 6???")),
    Row("P1 06 with P2 00", "card.md §4.4: 6A86", (TEXT, f"802A060020 {HASH} 00 -> 6A86")),
    Row("class 00 has no such command", "card.md §4.4: class 80", (JPKI, AUTH_OK, f"002A009733 {DI} 00 -> 6D00|6E00")),
    Row(
        "one VERIFY, many signatures",
        "card.md §4.4",
        (JPKI, SIGN_OK, *(f"802A009A33 {DI} 00 -> ..{{256}} 9000",) * 3),
    ),
    Row(
        "the AP's key of 入力補助 with another scheme",
        "silent: card.md §4.4 has the schemes from JPKI, §2.8 only P1 00 for this key",
        (TEXT, f"802A020020 {HASH} 00 -> ..{{256}} 9000|6A86"),
    ),
    Row("extended form", "card.md §4.2", (JPKI, AUTH_OK, f"802A0097 000033 {DI} 0000 -> ..{{256}} 9000")),
)

CHALLENGE_ROWS = (
    Row("GET CHALLENGE at power on", "card.md §4.2 [R]: works at MF", ("0084000008 -> ..{8} 9000",)),
    Row("GET CHALLENGE of one", "card.md §4.2", (JPKI, "0084000001 -> ..{1} 9000")),
    Row("GET CHALLENGE of ten", "pcsc.md §2", (JPKI, "008400000A -> ..{10} 9000")),
    Row("GET CHALLENGE of 255", "card.md §4.2", (JPKI, "00840000FF -> ..{255} 9000")),
    Row("GET CHALLENGE of 256", "card.md §4.2", (JPKI, "0084000000 -> ..{256} 9000")),
    Row("GET CHALLENGE, extended", "card.md §4.2 [R]: 6985", (JPKI, "00840000000008 -> 6985")),
    Row("GET CHALLENGE, extended, 65536", "card.md §4.2 [R]: 6985", (JPKI, "00840000000000 -> 6985")),
    Row("GET CHALLENGE without Le", "silent (§13): refused", (JPKI, "00840000 -> 6700|6985")),
    Row("GET CHALLENGE with P1", "card.md §4.9: 6A86", (JPKI, "0084010008 -> 6A86")),
)

ROWS = VERIFY_ROWS + CHANGE_ROWS + SIGN_ROWS + CHALLENGE_ROWS
