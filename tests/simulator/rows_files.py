"""Literal rows: SELECT, READ BINARY, READ RECORD (card.md §2, §4.1, §4.2), in hex, typed from the facts."""

from __future__ import annotations

from support import Row

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"
PIN_5678 = "0020009104 35363738 -> 9000"

SELECT_ROWS = (
    Row("select 共通カードAP by full name", "card.md §1, §4.1", (COMMON, "00B2010C00 -> 011C ..{28} 9000")),
    Row("select 券面事項入力補助AP by full name", "card.md §1, §4.1", (TEXT, "00200091 -> 63C3")),
    Row("select 公的個人認証AP by full name", "card.md §1, §4.1", (JPKI, "00200098 -> 63C3")),
    Row(
        "select with P2 00 and Le",
        "card.md §4.1 (FCI bytes unknown)",
        ("00A404000A D392F000260100000001 00 -> .. 9000", "00200098 -> 63C3"),
    ),
    Row(
        "select with P2 00 without Le",
        "card.md §4.1, §13 (FCI unknown)",
        ("00A404000A D392F000260100000001 -> .. 9000", "00200098 -> 63C3"),
    ),
    Row("select by the prefix of everything", "card.md §1: D392 must match something", ("00A4040C02 D392 -> 9000",)),
    Row("select by one byte", "card.md §4.1: name of 1 to 16 bytes", ("00A4040C01 D3 -> 9000",)),
    Row("select by D3921000", "card.md §1", ("00A4040C04 D3921000 -> 9000", "00200098 -> 6A82|6A88|6981|6985|6986")),
    Row("select JPKI by its prefix", "card.md §1", ("00A4040C05 D392F00026 -> 9000", "00200098 -> 63C3")),
    Row(
        "select 入力補助 by nine bytes",
        "card.md §1: …010104 is 住基, 確認 and 入力補助",
        ("00A4040C09 D39210003100010104 -> 9000",),
    ),
    Row("select 共通 by nine bytes", "card.md §1", ("00A4040C09 D39210003100010101 -> 9000", "00B2010C00 -> .. 9000")),
    Row("an unknown name", "card.md §1: 6A82", ("00A4040C07 A0000002771000 -> 6A82",)),
    Row("a name that goes on after ours", "card.md §1", ("00A4040C0B D392F000260100000001 00 -> 6A82",)),
    Row("a name that differs in the last digit", "card.md §1", ("00A4040C0A D392F000260100000002 -> 6A82",)),
    Row("the elf name of the licence", "card.md §1 [R] 6A82", ("00A4040C07 A0000002310400 -> 6A82",)),
    Row(
        "an unknown name of sixteen bytes",
        "card.md §4.1",
        ("00A4040C10 A0000000000000000000000000000000 -> 6A82",),
    ),
    Row(
        "a name of seventeen bytes",
        "silent (names have 1 to 16 bytes): refused",
        ("00A4040C11 D392F00026010000000100000000000000 -> 6A82|6700|6A80|6A86",),
    ),
    Row("an EF by its id", "card.md §4.1", (JPKI, "00A4020C02 000A -> 9000", "00B0000002 -> 3082 9000")),
    Row("an EF that is not there", "card.md §4.1: 6A82", (JPKI, "00A4020C02 0003 -> 6A82")),
    Row("an EF id far from ours", "card.md §4.1", (JPKI, "00A4020C02 2F10 -> 6A82")),
    Row("there is no MF", "card.md §2.5: 3F00 -> 6A82", (JPKI, "00A4020C02 3F00 -> 6A82")),
    Row("an EF of another application", "card.md §2.1, §2.6", (TEXT, "00A4020C02 0018 -> 6A82")),
    Row(
        "an EF that the MF does not have",
        "card.md §2.5 [R] for other ids, §4.1; [I] for this one",
        ("00A4020C02 0001 -> 6A82",),
    ),
    Row("path selection", "card.md §4.1: P1=09 fails (SW not given)", (JPKI, "00A4090C02 000A -> 6A86|6A82|6A81")),
    Row("SELECT 00 00 after a cold reset", "card.md §2.5 [R]", ("00A40000 -> 6A86",)),
    Row(
        "SELECT 00 00 with an application current",
        "card.md §2.5 [R]: 9000 with no effect",
        (JPKI, "0020009804 31323334 -> 9000", "00A40000 -> 9000", "802A009701 AA 00 -> ..{256} 9000"),
    ),
    Row("selecting a protected EF is free", "card.md §9.2, OSC log", (JPKI, "00A4020C02 0001 -> 9000")),
    Row(
        "unknown files of 入力補助 can be selected",
        "card.md §2.1: 0010, 001C, 001E selectable",
        (TEXT, "00A4020C02 0010 -> 9000", "00A4020C02 001C -> 9000", "00A4020C02 001E -> 9000"),
    ),
    Row("JPKI 0005 exists", "card.md §2.6", (JPKI, "00A4020C02 0005 -> 9000")),
    Row("JPKI 0016 is there", "card.md §2.6", (JPKI, "00A4020C02 0016 -> 9000")),
    Row(
        "every key of 入力補助 can be selected",
        "card.md §2.1",
        (TEXT, *(f"00A4020C02 {ief} -> 9000" for ief in ("0011", "0012", "0013", "0014", "0015"))),
    ),
    Row(
        "every key of JPKI can be selected",
        "card.md §2.6",
        (JPKI, *(f"00A4020C02 {ief} -> 9000" for ief in ("0017", "0018", "001A", "001B"))),
    ),
    Row(
        "共通: both records and both keys can be selected",
        "card.md §2.4",
        (COMMON, *(f"00A4020C02 {ef} -> 9000" for ef in ("0001", "0002", "0019", "001C"))),
    ),
    Row(
        "a failed SELECT EF leaves the application current",
        "card.md §4.1 (only an application's SELECT changes it)",
        (JPKI, "00A4020C02 0003 -> 6A82", "00A4020C02 0006 -> 9000"),
    ),
    Row("SELECT EF with one byte", "silent: refused", (JPKI, "00A4020C01 0A -> 6700|6A80|6A82|6A86")),
    Row("SELECT EF with three bytes", "silent: refused", (JPKI, "00A4020C03 000A00 -> 6700|6A80|6A82|6A86")),
    Row(
        "an application's SELECT forgets the EF",
        "card.md §4.9: 6986 no current EF",
        (JPKI, "00A4020C02 0006 -> 9000", JPKI, "00B0000004 -> 6986"),
    ),
)

READ_ROWS = (
    Row("a file's end gives fewer bytes", "card.md §4.2", (JPKI, "00B0860000 -> ..{160} 9000")),
    Row("Le is honoured", "card.md §4.2", (JPKI, "00B0860010 -> 4A504B49 41504943 43544F4B 454E3220 9000")),
    Row("SFI with an offset", "card.md §4.2", (JPKI, "00B0869000 -> 39*16 9000")),
    Row("SFI: the last byte", "card.md §4.2", (JPKI, "00B0869F00 -> 39 9000")),
    Row("SFI: offset at the end", "card.md §4.2: 6B00", (JPKI, "00B086A000 -> 6B00")),
    Row("SFI: offset past the end", "card.md §4.2", (JPKI, "00B086FF00 -> 6B00")),
    Row(
        "the SFI form selects the EF",
        "card.md §4.2",
        (JPKI, "00B0880000 -> 8F8F00 9000", "00B0000000 -> 8F8F00 9000", "00B0000201 -> 00 9000"),
    ),
    Row("plain: the whole", "card.md §4.2", (JPKI, "00A4020C02 0006 -> 9000", "00B0000000 -> ..{160} 9000")),
    Row("plain: offset at the end", "card.md §4.2", (JPKI, "00A4020C02 0006 -> 9000", "00B000A000 -> 6B00")),
    Row("plain: 15-bit offset", "card.md §4.2", (JPKI, "00A4020C02 0006 -> 9000", "00B07FFF00 -> 6B00")),
    Row(
        "plain: three bytes asked where two are left",
        "card.md §4.2",
        (JPKI, "00A4020C02 0008 -> 9000", "00B0000103 -> 8F00 9000", "00B0000303 -> 6B00"),
    ),
    Row("extended Le, SFI", "pcsc.md §1: extended APDUs pass", (JPKI, "00B08600000000 -> ..{160} 9000")),
    Row("extended Le of four", "pcsc.md §1", (JPKI, "00B086000000 04 -> 4A504B49 9000")),
    Row(
        "extended Le: more than 256 bytes at once",
        "pcsc.md §1",
        (TEXT, "00B08400000000 -> 7F21820233 5F4E820129 ..{297} 5F37820100 ..{256} 9000"),
    ),
    Row(
        "three chunks of a CV certificate",
        "card.md §2.1, §2.7: 568 bytes, free",
        (
            TEXT,
            "00B0840000 -> 7F21820233 5F4E820129 ..{246} 9000",
            "00B0010000 -> ..{256} 9000",
            "00B0020000 -> ..{56} 9000",
            "00B0023800 -> 6B00",
        ),
    ),
    Row(
        "the last physical bytes of 0001 are filler",
        "card.md §2.1: 17 bytes",
        (TEXT, PIN_5678, "00B0810000 -> FF100C ..{12} FFFF 9000", "00B0811100 -> 6B00"),
    ),
    Row(
        "AP基本情報",
        "card.md §2 [R], §2.1: free",
        (TEXT, "00B0850000 -> FF4082009F DF410401030E01 DF4210 ..{16} DF43820080 ..{32} FF*96 9000"),
    ),
    Row("text 0008 is filler", "card.md §2.1", (TEXT, "00B0880000 -> FF*16 9000")),
    Row(
        "digests and signature of the record",
        "card.md §2.1: 336 bytes",
        (
            TEXT,
            PIN_5678,
            "00B0830000 -> FF3082014B DF3120 ..{32} DF3220 ..{32} DF33820100 ..{176} 9000",
            "00B0010000 -> ..{80} 9000",
        ),
    ),
    Row(
        "public key for session keys",
        "card.md §2.1",
        (TEXT, PIN_5678, "00B0860000 -> A1820109 9003010001 91820100 ..{243} 9000", "00B0010000 -> ..{13} 9000"),
    ),
    Row(
        "public key of the card's own key",
        "card.md §2.1: 536 bytes",
        (
            TEXT,
            PIN_5678,
            "00B0870000 -> FF50820213 DF51820109 9003010001 91820100 ..{237} 9000",
            "00B0010000 -> ..{256} 9000",
            "00B0020000 -> ..{24} 9000",
        ),
    ),
    Row(
        "token info",
        "card.md §2.6, test-card.toml token_label",
        (JPKI, "00B086000F -> 4A504B49 41504943 43544F4B 454E32 9000"),
    ),
    Row("the sign certificate before its password", "card.md §2.6 [R] 6982", (JPKI, "00B0810004 -> 6982")),
    Row(
        "the sign certificate after the other PIN",
        "card.md §2.6",
        (JPKI, "0020009804 31323334 -> 9000", "00B0810004 -> 6982"),
    ),
    Row(
        "the sign certificate after its password",
        "card.md §2.6",
        (JPKI, "0020009B06 414243313233 -> 9000", "00B0810004 -> 3082???? 9000"),
    ),
    Row(
        "both CA certificates are free",
        "card.md §2.6",
        (JPKI, "00B0820004 -> 3082???? 9000", "00B08B0004 -> 3082???? 9000"),
    ),
    Row(
        "JPKI 0009 never opens",
        "card.md §12: 6982",
        (
            JPKI,
            "00B0890000 -> 6982",
            "0020009804 31323334 -> 9000",
            "0020009B06 414243313233 -> 9000",
            "00B0890000 -> 6982",
        ),
    ),
    Row("READ BINARY with an application but no EF", "card.md §4.9: 6986", (JPKI, "00B0000000 -> 6986")),
    Row("READ BINARY with nothing selected", "card.md §4.9: 6986", ("00B0000000 -> 6986",)),
    Row("READ BINARY of an SFI that is not there", "card.md §4.1: 6A82", (JPKI, "00B0830000 -> 6A82")),
    Row("READ BINARY on a PIN", "card.md §4.2: 6981", (JPKI, "00A4020C02 0018 -> 9000", "00B0000000 -> 6981")),
    Row("READ BINARY on a PIN by SFI", "card.md §4.2: 6981", (JPKI, "00B0980000 -> 6981")),
    Row("READ BINARY on a private key", "card.md §4.2: 6981", (JPKI, "00B0970000 -> 6981")),
    Row(
        "READ BINARY on a private key, PIN verified",
        "card.md §4.2: 6981",
        (JPKI, "0020009804 31323334 -> 9000", "00B0970000 -> 6981"),
    ),
    Row("READ BINARY on a record file", "card.md §4.2: 6981", (COMMON, "00B0810000 -> 6981")),
    Row(
        "READ BINARY on a record file, plain",
        "card.md §4.2: 6981",
        (COMMON, "00A4020C02 0001 -> 9000", "00B0000000 -> 6981"),
    ),
    Row(
        "a read that was refused tells nothing of the length",
        "card.md §4.2 (6982 before 6B00)",
        (TEXT, "00B082FF00 -> 6982", "00B0826800 -> 6982"),
        persona="jlis_test_card",
    ),
)

RECORD_ROWS = (
    Row("record 1 by SFI", "card.md §2.4, §4.2 (MY)", (COMMON, "00B2010C00 -> 011C ..{28} 9000")),
    Row(
        "record 1 of the current EF",
        "card.md §4.2",
        (COMMON, "00A4020C02 0001 -> 9000", "00B2010400 -> 011C ..{28} 9000"),
    ),
    Row("the SFI form selects", "card.md §4.2", (COMMON, "00B2010C00 -> .. 9000", "00B2010400 -> 011C ..{28} 9000")),
    Row("no record 2", "card.md §4.2: 6A83", (COMMON, "00B2020C00 -> 6A83")),
    Row("no record 255", "card.md §4.2: 6A83", (COMMON, "00B2FE0C00 -> 6A83")),
    Row("all from 1", "card.md §4.2: some cards 6A81", (COMMON, "00B2010D00 -> 011C ..{28} 9000|6A81")),
    Row("READ RECORD on a transparent EF", "card.md §4.2: 6981", (JPKI, "00B2013400 -> 6981")),
    Row(
        "READ RECORD on a transparent EF, plain",
        "card.md §4.2: 6981",
        (JPKI, "00A4020C02 0006 -> 9000", "00B2010400 -> 6981"),
    ),
    Row("READ RECORD on a PIN", "card.md §4.2: 6981", (JPKI, "00B201C400 -> 6981")),
    Row("READ RECORD with no EF", "card.md §4.9: 6986", (COMMON, "00B2010400 -> 6986")),
    Row("READ RECORD with nothing selected", "card.md §4.9: 6986", ("00B2010400 -> 6986",)),
    Row("READ RECORD of an SFI that is not there", "card.md §4.1: 6A82", (COMMON, "00B2013C00 -> 6A82")),
    Row("extended Le", "pcsc.md §1", (COMMON, "00B2010C000000 -> 011C ..{28} 9000")),
    Row("the same record, other P2 low bits", "silent: refused", (COMMON, "00B2010E00 -> 6A81|6A86|6A83")),
)

ROWS = SELECT_ROWS + READ_ROWS + RECORD_ROWS
