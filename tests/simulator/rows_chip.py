"""Literal rows: 確認AP, 住基AP, card manager, INTERNAL AUTHENTICATE, terminal certificates, typed from the facts."""

from __future__ import annotations

from support import Row

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
FACE = "00A4040C0A D3921000310001010402 -> 9000"
JUKI = "00A4040C0A D3921000310001010401 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"
MANAGER = "00A4040C07 A0000001510000 -> 9000"
AUTH_OK = "0020009804 31323334 -> 9000"
SIGN_OK = "0020009B06 414243313233 -> 9000"
BIRTH_OK = "0020009106 303230383033 -> 9000"
A_OK = "002000930C 313233343536373839303138 -> 9000"
#: The year of expiry, which 照合番号B needs, stands in the record of 共通カードAP (card.md §2.3, §2.4).
YEAR = "00B2010C00 -> 011C ..{20} <YEAR:4> ..{4} 9000"
B_OK = "002000920E 303230383033 <YEAR> 34323731 -> 9000"
#: DigestInfo of SHA-256("abc"): prefix of card.md §4.4, digest of FIPS 180-4's own example.
DI = "3031300D060960864801650304020105000420BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
HASH = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
WRONG_LENGTH = "6985|6700"  # card.md §4.4: "bad length -> 6985 or 6700"
ISSUER_ID = "00CA004200 -> ..{16} 9000"

FACE_ROWS = (
    Row("select 券面事項確認AP by full name", "card.md §1, §4.1", (FACE, "00200092 -> 63CA")),
    Row(
        "確認: tries as delivered",
        "card.md §3: B ten; A without a primary source; 生年月日 key unknown (§4.3: 6300 = unlimited)",
        (FACE, "00200092 -> 63CA", "00200093 -> 63C?", "00200091 -> 63C?|6300"),
    ),
    Row(
        "確認: every file and key can be selected",
        "card.md §2.2",
        (
            FACE,
            *(f"00A4020C02 {ef} -> 9000" for ef in ("0001", "0002", "0003", "0004", "0005", "0006")),
            *(f"00A4020C02 {ef} -> 9000" for ef in ("0011", "0012", "0013", "001A", "001C", "001E")),
        ),
    ),
    Row("確認: an EF that is not there", "card.md §4.1: 6A82", (FACE, "00A4020C02 000A -> 6A82")),
    Row(
        "確認: the age record's head",
        "card.md §2.2: FF10 82 021E",
        (FACE, BIRTH_OK, "00B0810010 -> FF1082021E DF1108 3139393030383033 9000"),
    ),
    Row(
        "確認: the age record is 547 bytes",
        "card.md §2.2",
        (FACE, BIRTH_OK, "00B08100000000 -> FF1082021E ..{542} 9000", "00B0022201 -> ?? 9000", "00B0022300 -> 6B00"),
    ),
    Row(
        "確認: the face's head",
        "card.md §2.2: nine offsets, from the start of the file (§2)",
        (FACE, A_OK, "00B0820025 -> FF2082???? DF2112 001A 0025 0029 0137 ..{10} DF2208 3139393030383033 9000"),
    ),
    Row(
        "確認: key identification record",
        "card.md §2.2: DF31 .. DF35",
        (
            FACE,
            "00B0830000 -> FF3082013B DF310406030E01 DF3210 ..{16} DF3301?? DF3405 3?3?3?3?3? DF35820110 ..{208} 9000",
        ),
    ),
    Row(
        "確認: CV certificate of 568 bytes",
        "card.md §2.2, §2.7",
        (FACE, "00B08400000000 -> 7F21820233 5F4E820129 ..{297} 5F37820100 ..{256} 9000", "00B0023800 -> 6B00"),
    ),
    Row("確認: 0006 is filler", "card.md §2.2: who may read is unknown", (FACE, "00B0860000 -> FF*16 9000|6982")),
    Row(
        "確認: READ BINARY on its keys", "card.md §4.2: 6981", (FACE, *(f"00B0{p1}0000 -> 6981" for p1 in ("91", "9A")))
    ),
    Row(
        "確認: a closed file tells nothing of its length",
        "card.md §4.2 (6982 before 6B00)",
        (FACE, "00B082FF00 -> 6982", "00B085FF00 -> 6982"),
    ),
    Row(
        "確認: A goes with 0013, not with 入力補助's 0014",
        "card.md §2.2: the numbering differs",
        (
            FACE,
            "002000940C 313233343536373839303138 -> 6???",
            "00B0850003 -> 6982",
            A_OK,
            "00B0850003 -> FF4082 9000",
        ),
    ),
    Row(
        "確認: B goes with 0012, not with 入力補助's 0015",
        "card.md §2.2: the numbering differs",
        (
            COMMON,
            YEAR,
            FACE,
            "002000950E 303230383033 <YEAR> 34323731 -> 6???",
            "00B0820003 -> 6982",
            B_OK,
            "00B0820003 -> FF2082 9000",
        ),
    ),
    Row(
        "確認: ten wrong B, then blocked",
        "card.md §3: 10; §4.3, §12: 6984",
        (
            COMMON,
            YEAR,
            FACE,
            *(f"002000920E 3939393939393939393939393939 -> 63C{left:X}" for left in range(9, -1, -1)),
            "002000920E 303230383033 <YEAR> 34323731 -> 6984",
            "00B0820003 -> 6982",
            "00200092 -> 63C0",
            TEXT,
            "00200095 -> 63CA",
        ),
    ),
    Row(
        "確認: a wrong A counts here and not in 入力補助",
        "card.md §3 [I]: a counter per IEF",
        (
            FACE,
            "002000930C 393939393939393939393939 -> 63C?",
            "00200092 -> 63CA",
            TEXT,
            "002000940C 313233343536373839303138 -> 9000",
            FACE,
            A_OK,
        ),
    ),
    Row(
        "確認: success restores the counter of B",
        "card.md §3",
        (COMMON, YEAR, FACE, "002000920E 3939393939393939393939393939 -> 63C9", B_OK, "00200092 -> 63CA"),
    ),
    Row(
        "確認: the age code with the era's letter is wrong",
        "card.md §2.3: the era letter is not included",
        (FACE, "0020009107 48303230383033 -> 6???", "00B0810003 -> 6982"),
    ),
    Row(
        "確認: the age code is not the Gregorian date",
        "card.md §2.3: 和暦",
        (FACE, "0020009106 393030383033 -> 63C?|6300", "00B0810003 -> 6982"),
    ),
    Row(
        "確認: SELECT of the application again closes",
        "card.md §4.10, §12",
        (FACE, A_OK, "00B0850003 -> FF4082 9000", FACE, "00B0850003 -> 6982"),
    ),
    Row(
        "入力補助's A does not open the face",
        "card.md §4.10, §2.2",
        (TEXT, "002000940C 313233343536373839303138 -> 9000", FACE, "00B0820003 -> 6982"),
    ),
    Row(
        "確認: 照合番号A cannot be changed",
        "no fact knows such a command: refused",
        (
            FACE,
            A_OK,
            "00A4020C02 0013 -> 9000",
            "002401800C 393939393939393939393939 -> 6???",
            "803200800C 393939393939393939393939 -> 6???",
            A_OK,
        ),
    ),
    Row("確認: P2 00, the AP's key, no PIN", "card.md §2.8, §4.4", (FACE, f"802A000033 {DI} 00 -> ..{{256}} 9000")),
    Row("確認: P2 00, one byte", "card.md §4.4: 1..245", (FACE, "802A000001 AA 00 -> ..{256} 9000")),
    Row("確認: P2 00, 245 bytes", "card.md §4.4", (FACE, "802A0000F5 AA*245 00 -> ..{256} 9000")),
    Row("確認: P2 00, 246 bytes", "card.md §4.4", (FACE, f"802A0000F6 AA*246 00 -> {WRONG_LENGTH}")),
    Row("確認: P1 06 with P2 00", "card.md §4.4: 6A86", (FACE, f"802A060020 {HASH} 00 -> 6A86")),
    Row(
        "確認: a signature opens nothing",
        "card.md §2.2",
        (FACE, f"802A000033 {DI} 00 -> .. 9000", "00B0820003 -> 6982"),
    ),
    Row(
        "確認: the published numbers of the test card are its keys",
        "card.md §2.1, §2.2, §2.3: 55021720352285, 537686677188, 550217; its card face is not published",
        (
            FACE,
            "002000920E 3535303231373230333532323835 -> 9000",
            "002000930C 353337363836363737313838 -> 9000",
            "0020009106 353530323137 -> 9000",
        ),
        persona="jlis_test_card",
    ),
    Row("P2 00 in 住基", "card.md §4.4: only in 券面 APs", (JUKI, f"802A000033 {DI} 00 -> 6???")),
    Row("P2 00 with the card manager", "card.md §4.4: only in 券面 APs", (f"802A000033 {DI} 00 -> 6???",)),
)

JUKI_ROWS = (
    Row("select 住基AP by full name", "card.md §1, §4.1", (JUKI, "0020009C -> 63C3")),
    Row("住基: the key reference", "card.md §2.4: one 16-byte record", (JUKI, "00B2011400 -> ??10 ..{16} 9000")),
    Row("共通: the key reference", "card.md §2.4: one 16-byte record", (COMMON, "00B2011400 -> ??10 ..{16} 9000")),
    Row("住基: no record 2", "card.md §2.4, §4.2: 6A83", (JUKI, "00B2021400 -> 6A83")),
    Row("住基: no other data", "card.md §2.4: no readable data EF", (JUKI, "00A4020C02 0001 -> 6A82")),
    Row("住基: READ BINARY on its record", "card.md §4.2: 6981", (JUKI, "00B0820000 -> 6981")),
    Row("住基: READ on its PIN", "card.md §4.2: 6981", (JUKI, "00B09C0000 -> 6981", "00B201E400 -> 6981")),
    Row("住民基本台帳用 PIN in 住基", "card.md §2.4: the same value", (JUKI, "0020009C04 39303132 -> 9000")),
    Row(
        "住基: three wrong ones, then blocked, and 共通 is not",
        "card.md §3: 3; §2.4: a separate reference",
        (
            JUKI,
            "0020009C04 30303030 -> 63C2",
            "0020009C04 30303030 -> 63C1",
            "0020009C04 30303030 -> 63C0",
            "0020009C04 39303132 -> 6984",
            COMMON,
            "0020009C -> 63C3",
            "0020009C04 39303132 -> 9000",
        ),
    ),
    Row(
        "住基: CHANGE KEY",
        "card.md §2.4, §4.3: 80 32 00 80",
        (
            JUKI,
            "00A4020C02 001C -> 9000",
            "8032008004 31313131 -> 6982",
            "0020008004 39303132 -> 9000",
            "8032008004 31313131 -> 9000",
            "0020008004 39303132 -> 63C2",
            "0020008004 31313131 -> 9000",
            COMMON,
            "0020009C04 39303132 -> 9000",
        ),
    ),
    Row(
        "住基: a VERIFY in 共通 does not allow the change here",
        "card.md §2.4, §4.10",
        (COMMON, "0020009C04 39303132 -> 9000", JUKI, "00A4020C02 001C -> 9000", "8032008004 31313131 -> 6982"),
    ),
    Row(
        "共通: a VERIFY in 住基 does not allow the change here",
        "card.md §2.4, §4.10",
        (JUKI, "0020009C04 39303132 -> 9000", COMMON, "00A4020C02 001C -> 9000", "8032008004 31313131 -> 6982"),
    ),
    Row(
        "住基: a change of one outlives power loss, of one only",
        "card.md §2.4: both must be changed",
        (
            JUKI,
            "0020009C04 39303132 -> 9000",
            "00A4020C02 001C -> 9000",
            "8032008004 31313131 -> 9000",
            "power_off",
            COMMON,
            "0020009C04 31313131 -> 63C2",
            JUKI,
            "0020009C04 31313131 -> 9000",
        ),
    ),
    Row(
        "住基: change to three digits",
        "silent (§13): refused, and the old one stays",
        (
            JUKI,
            "0020009C04 39303132 -> 9000",
            "00A4020C02 001C -> 9000",
            "8032008003 313131 -> 6???",
            "0020008004 39303132 -> 9000",
        ),
    ),
    Row("住基: CHANGE KEY with no EF", "silent: refused", (JUKI, "8032008004 31313131 -> 6986|6982")),
)

MANAGER_ROWS = (
    Row("GET DATA 0042 at power-on", "card.md §1, §2.5: 16 bytes", (ISSUER_ID,)),
    Row("GET DATA 0045", "card.md §2.5: ASCII", ("00CA004500 -> ??.. 9000",)),
    Row("GET DATA 0066", "card.md §2.5: OID 1.2.840.114283", ("00CA006600 -> .. 2A864886FC6B .. 9000",)),
    Row("GET DATA 00F0", "card.md §2.5: 5 digits", ("00CA00F000 -> 3?3?3?3?3? 9000",)),
    Row("GET DATA 00F2", "card.md §2.5: 8 digits", ("00CA00F200 -> 32303?3?3?3?3?3? 9000",)),
    Row("GET DATA 00F7", "card.md §2.5, §2.7", ("00CA00F700 -> 3?3?3?3?3?3?3? 0805303031 000000?? 9000",)),
    Row("GET DATA 00F8, short Le", "card.md §2.5: 6700", ("00CA00F800 -> 6700",)),
    Row(
        "GET DATA 00F8, extended Le",
        "card.md §2.5: contents without the 7F21 header",
        ("00CA00F8000000 -> 5F4E820129 ..{297} 5F37820100 ..{256} 9000",),
    ),
    Row("GET DATA 00F8, short then extended", "card.md §2.5", ("00CA00F800 -> 6700", "00CA00F8000000 -> 5F4E .. 9000")),
    Row(
        "GET DATA 7F21",
        "card.md §2.5: absent on some cards: 6A88 or 6A82",
        ("00CA7F2100 -> 6700|6A88|6A82", "00CA7F21000000 -> .. 5F4E820129 .. 5F37820100 ..{256} 9000|6A88|6A82"),
    ),
    Row(
        "GET DATA 5F51",
        "card.md §2.5: ATR without TS (§5: T0 and on); which state answers differs per card",
        ("00CA5F5100 -> E000FF8131FE4514 9000|D?.. 9000|C?.. 9000|F?.. 9000|8?.. 9000|6A88|6A82",),
    ),
    Row(
        "GET DATA 5F51 where it answers only with an application current",
        "card.md §2.5: which state answers differs per card; a knob",
        ("00CA5F5100 -> 6A88|6A82", JPKI, "00CA5F5100 -> ??.. 9000", "00CA004200 -> 6???"),
        knobs=(("contact_atr_at_power_on", False),),
    ),
    Row("GET DATA of nothing", "card.md §2.5: absent: 6A88 or 6A82", ("00CA004300 -> 6A88|6A82",)),
    Row("GET DATA after a reset", "card.md §1: power-on default", (JPKI, "reset", ISSUER_ID)),
    *(
        Row(
            f"GET DATA with {name} current",
            "card.md §2.5: only with the MF/ISD state (SW not given)",
            (select, "00CA004200 -> 6???", "00CA00F8000000 -> 6???", MANAGER, ISSUER_ID),
        )
        for name, select in (("共通", COMMON), ("入力補助", TEXT), ("確認", FACE), ("住基", JUKI), ("JPKI", JPKI))
    ),
    Row("select the card manager at power-on", "card.md §1 [R]: 9000", (MANAGER, ISSUER_ID)),
    Row(
        "select the issuer's domain by no name at all",
        "GP 2.3.1 §11.9 (Py-GP begins with it: pcsc.md §8)",
        (JPKI, "00A4040000 -> 6F09 8407 A0000001510000 9000", ISSUER_ID),
    ),
    Row(
        "no name has no next occurrence, nor is it without an answer",
        "silent: nothing to go on from; what it is for is who answers",
        ("00A4040200 -> 6700", "00A4040C00 -> 6700"),
    ),
    Row(
        "the card manager's SELECT clears the security status",
        "card.md §4.10: SELECT of an application",
        (JPKI, AUTH_OK, MANAGER, JPKI, "802A009701 AA 00 -> 6982"),
    ),
    Row(
        "GET DATA refused leaves the security status",
        "card.md §4.10 (only SELECT, reset and field loss clear)",
        (JPKI, AUTH_OK, "00CA004200 -> 6???", "802A009701 AA 00 -> ..{256} 9000"),
    ),
    Row("MF: 001E", "card.md §2.5 [R]: selectable, 6981 on read", ("00A4020C02 001E -> 9000", "00B0000000 -> 6981")),
    Row(
        "MF: 2F10, 2F11, 3F00",
        "card.md §2.5 [R]: 6A82",
        ("00A4020C02 2F10 -> 6A82", "00A4020C02 2F11 -> 6A82", "00A4020C02 3F00 -> 6A82"),
    ),
    Row(
        "MF: 001E after the card manager's SELECT",
        "card.md §1, §2.5",
        (JPKI, MANAGER, "00A4020C02 001E -> 9000", "00B0000000 -> 6981"),
    ),
)

AUTHENTICATE_ROWS = (
    Row("INTERNAL AUTHENTICATE, one byte", "card.md §4.5: 1..255", (COMMON, "0088009901 AA 00 -> ..{256} 9000")),
    Row("INTERNAL AUTHENTICATE, 255 bytes", "card.md §4.5", (COMMON, "00880099FF AA*255 00 -> ..{256} 9000")),
    Row(
        "INTERNAL AUTHENTICATE, 256 bytes",
        "card.md §4.5 (SW not given)",
        (COMMON, "00880099000100 AA*256 0000 -> 6???"),
    ),
    Row("INTERNAL AUTHENTICATE, no challenge", "card.md §4.5 (SW not given)", (COMMON, "0088009900 -> 6???")),
    Row(
        "INTERNAL AUTHENTICATE in JPKI: behind a PIN",
        "card.md §4.5: 6982",
        (JPKI, "0088009708 0102030405060708 00 -> 6982", "0088009A08 0102030405060708 00 -> 6982"),
    ),
    Row(
        "INTERNAL AUTHENTICATE in JPKI after the PIN",
        "card.md §4.5: only on 共通 0019 (SW not given)",
        (JPKI, AUTH_OK, SIGN_OK, "0088009708 0102030405060708 00 -> 6???", "0088009A08 0102030405060708 00 -> 6???"),
    ),
    Row(
        "INTERNAL AUTHENTICATE in 入力補助",
        "card.md §4.5: 券面 keys 6985; §2.1: 0013",
        (TEXT, "0088009308 0102030405060708 00 -> 6985"),
    ),
    Row(
        "INTERNAL AUTHENTICATE in 確認",
        "card.md §4.5: 券面 keys 6985; §2.2: 001A",
        (FACE, "0088009A08 0102030405060708 00 -> 6985"),
    ),
    Row(
        "INTERNAL AUTHENTICATE on a PIN spends nothing",
        "card.md §4.5: only on 0019 (SW not given)",
        (COMMON, "0088009C04 30303030 00 -> 6???", "0020009C -> 63C3"),
    ),
    Row("INTERNAL AUTHENTICATE at power-on", "card.md §4.5: only on 共通 0019", ("0088009904 30303030 00 -> 6???",)),
)

TERMINAL_ROWS = (
    Row("80 A2: a dummy signature", "card.md §4.6 [R]: 256 B -> 6700", (JPKI, "80A200C1000100 AA*256 -> 6700")),
    *(
        Row(f"80 A2 with P1 P2 {p1p2}", "card.md §4.6 [R]: 6A86", (JPKI, f"80A2{p1p2}000100 AA*256 -> 6A86"))
        for p1p2 in ("0000", "00AE", "8000", "00B6")
    ),
    Row(
        "80 A2: a certificate that nobody signed",
        "card.md §4.6: refused (SW not given); nothing opens",
        (
            JPKI,
            "80A206C1000133 AA*307 -> 6???",
            "80A200C1000100 AA*256 -> 6???",
            "802A009701 AA 00 -> 6982",
            "802A009A01 AA 00 -> 6982",
            "00B0810003 -> 6982",
            "00200098 -> 63C3",
            "0020009B -> 63C5",
        ),
    ),
    Row("80 A2: a short certificate", "card.md §4.6 (SW not given)", (JPKI, "80A206C101 AA -> 6???")),
    *(
        Row(
            f"80 A2 in {name}",
            "card.md §4.6, §2.6: the CA key is JPKI 0016 (SW not given)",
            (select, "80A206C1000133 AA*307 -> 6???", "80A200C1000100 AA*256 -> 6???"),
        )
        for name, select in (("共通", COMMON), ("入力補助", TEXT), ("確認", FACE), ("住基", JUKI))
    ),
)

ROWS = FACE_ROWS + JUKI_ROWS + MANAGER_ROWS + AUTHENTICATE_ROWS + TERMINAL_ROWS
