"""Literal rows: マイナ免許証, the driving licence on the card (card.md §1, §2.9), typed from the facts.

``CIV`` is the table of tags and lengths of masanork/tobari ``docs/civ/jpdlmnc.md`` (from the NPA's specification V10),
of which card.md §2.9 is the short form; ``HM`` read a real card.
"""

from __future__ import annotations

from support import Row

LICENCE = "00A4040C10 A0000002310600000000000000000000 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
PIN_OK = "0020008604 32343638 -> 9000"
PIN_WRONG = "0020008604 30303030"
HOLDER, UNSET = "licence_holder", "licence_without_pin"
#: CIV: 108 256 bytes, 109 16, 10A 48, 10B 80, 10C 130, 10D 32; 584 bytes in all need two-byte tags and 82 0082 [I].
SIGNATURE = "0108820100 ..{256} 010910 ..{16} 010A30 ..{48} 010B50 ..{80} 010C820082 ..{130} 010D20 ..{32}"

ROWS = (
    Row("免許: select by full name", "card.md §1 [R]", (LICENCE, "00200086 -> 63CA"), HOLDER),
    Row(
        "免許: select by its first six bytes",
        "card.md §1: a prefix works; [I] for this name",
        ("00A4040C06 A00000023106 -> 9000", "00200086 -> 63CA"),
        HOLDER,
    ),
    Row(
        "免許: the names of load file and module",
        "card.md §1 [R] 6A82",
        ("00A4040C10 A0000002310400000000000000000000 -> 6A82", "00A4040C10 A0000002310500000000000000000000 -> 6A82"),
        HOLDER,
    ),
    Row(
        "免許: the names of the conventional licence",
        "card.md §1: superseded draft; not on this card",
        (
            "00A4040C10 A0000002310100000000000000000000 -> 6A82",
            "00A4040C10 A0000002310200000000000000000000 -> 6A82",
            "00A4040C10 A0000002480300000000000000000000 -> 6A82",
        ),
        HOLDER,
    ),
    Row(
        "免許: a card without a licence",
        "card.md §1: an application that is not there is 6A82",
        ("00A4040C10 A0000002310600000000000000000000 -> 6A82", "00A4040C06 A00000023106 -> 6A82"),
    ),
    Row(
        "免許: every file and key can be selected",
        "card.md §2.9 (IEF01 is 0006: HM)",
        (LICENCE, *(f"00A4020C02 {ef} -> 9000" for ef in ("0006", "001A", "001B", "001C"))),
        HOLDER,
    ),
    Row("免許: an EF that is not there", "card.md §2.9, §12: no 0002", (LICENCE, "00A4020C02 0002 -> 6A82"), HOLDER),
    Row(
        "免許: whether a PIN is set is told to anyone, in three bytes",
        "card.md §2.9",
        (LICENCE, "00B09A0003 -> C10101 9000", "00B09A0000 -> C10101 9000", "00B09A0300 -> 6B00"),
        HOLDER,
    ),
    Row(
        "免許: the same by SELECT EF",
        "card.md §2.9, §4.2",
        (LICENCE, "00A4020C02 001A -> 9000", "00B0000003 -> C10101 9000"),
        HOLDER,
    ),
    Row("免許: ten tries", "card.md §2.9, §3 [R]", (LICENCE, "00200086 -> 63CA"), HOLDER),
    Row("免許: the reference of the NPA's text", "card.md §2.9, §12 [R]", (LICENCE, "00200082 -> 6A82"), HOLDER),
    Row(
        "免許: the reference of the NPA's text, followed",
        "card.md §12: the other reading",
        (LICENCE, "00200082 -> 63CA", "00200086 -> 6A82", "0020008204 32343638 -> 9000", "00B09B0001 -> C2 9000"),
        HOLDER,
        (("variants", ("licence_pin_reference_82",)),),
    ),
    Row(
        "免許: record and signature are closed before the PIN",
        "card.md §2.9; §4.2: 6982 before 6B00",
        (LICENCE, "00B09B0000 -> 6982", "00B09C0000 -> 6982", "00B09BFF00 -> 6982"),
        HOLDER,
    ),
    Row(
        "免許: the PIN opens the record",
        "card.md §2.9; CIV: C2 first",
        (LICENCE, PIN_OK, "00B09B0001 -> C2 9000", "00200086 -> 63CA"),
        HOLDER,
    ),
    Row(
        "免許: the PIN by the current EF",
        "card.md §4.3",
        (LICENCE, "00A4020C02 0006 -> 9000", "0020008004 32343638 -> 9000", "00B09B0001 -> C2 9000"),
        HOLDER,
    ),
    Row(
        "免許: the signature record is 584 bytes",
        "card.md §2.9; CIV for the lengths",
        (LICENCE, PIN_OK, f"00B09C00000248 -> {SIGNATURE} 9000", "00B0024800 -> 6B00"),
        HOLDER,
    ),
    Row(
        "免許: a wrong PIN costs a try, success restores it",
        "card.md §3",
        (LICENCE, f"{PIN_WRONG} -> 63C9", "00B09B0000 -> 6982", PIN_OK, "00200086 -> 63CA"),
        HOLDER,
    ),
    Row(
        "免許: the default is no value of a PIN that is set",
        "card.md §2.9: the default when unset",
        (LICENCE, "0020008604 2A2A2A2A -> 63C9"),
        HOLDER,
    ),
    Row(
        "免許: ten wrong, then blocked and the DF locked",
        "card.md §3, §12: 6984; §2.9: 6283 when the DF is locked (that this locks it: no source)",
        (
            LICENCE,
            *(f"{PIN_WRONG} -> 63C{left:X}" for left in range(9, -1, -1)),
            "0020008604 32343638 -> 6984",
            "00B09B0000 -> 6982",
            "00A4040C10 A0000002310600000000000000000000 -> 6283",
            "00200086 -> 63C0",
            "00B09A0003 -> C10101 9000",
            TEXT,
            "00200091 -> 63C3",
        ),
        HOLDER,
    ),
    Row(
        "免許: without a PIN the default opens the record",
        "card.md §2.9: default ****",
        (
            LICENCE,
            "00B09A0003 -> C10100 9000",
            "00B09B0000 -> 6982",
            "0020008604 2A2A2A2A -> 9000",
            "00B09B0001 -> C2 9000",
        ),
        UNSET,
    ),
    Row(
        "免許: without a PIN the record is open",
        "no fact in card.md: CIV says that nothing is verified then; the other reading",
        (LICENCE, "00B09A0003 -> C10100 9000", "00B09B0001 -> C2 9000", "00B09C0002 -> 0108 9000"),
        UNSET,
        (("variants", ("licence_open_without_pin",)),),
    ),
    Row(
        "免許: selecting it again forgets",
        "card.md §4.10",
        (LICENCE, PIN_OK, LICENCE, "00B09B0000 -> 6982"),
        HOLDER,
    ),
    Row(
        "免許: another application and back forgets",
        "card.md §4.10",
        (LICENCE, PIN_OK, TEXT, LICENCE, "00B09B0000 -> 6982"),
        HOLDER,
    ),
    Row(
        "免許: after a reset it is not current", "card.md §4.10", (LICENCE, PIN_OK, "reset", "00200086 -> 6???"), HOLDER
    ),
    Row(
        "免許: the holder cannot change the PIN here",
        "card.md §2.9: at a police counter only; no source has a command",
        (LICENCE, PIN_OK, "00A4020C02 0006 -> 9000", "0024018004 31313131 -> 6982|6985|6986|6D00", "00200086 -> 63CA"),
        HOLDER,
    ),
    Row(
        "免許: READ on the PIN, VERIFY on a file",
        "card.md §4.2, §4.3: 6981",
        (LICENCE, "00B0860000 -> 6981", "0020009A -> 6981", "00B2010600 -> 6981|6A81|6A86|6986"),
        HOLDER,
    ),
    Row(
        "免許: no object of the card manager, no key that signs",
        "card.md §2.5 (6A88 elsewhere), §4.4: only the two 券面 applications have one; the word is in no source",
        (LICENCE, "00CA004200 -> 6A88", "802A000003 414243 00 -> 6???"),
        HOLDER,
    ),
)
