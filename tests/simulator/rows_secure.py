"""Literal rows: secure messaging of 入力補助 and what others answer instead, typed from card.md §4.7.

The seed is 00 01 .. 1F, so the key is its first half. The enciphered bytes were computed once, outside of our own
code, with ``openssl enc -aes-128-cbc -nopad``: the IV of command N is sixteen bytes of N under that key with an IV of
zeros, and what is enciphered ends in 80 00 .. 00. Only the key delivery (RSA-OAEP, random) is made when the row is run:
``<OAEP:..>`` for the modulus that the card gave. What follows "N = " beside a constant is the counter it was made for.
"""

from __future__ import annotations

from support import Row

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
FACE = "00A4040C0A D3921000310001010402 -> 9000"
JUKI = "00A4040C0A D3921000310001010401 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"
PIN_OK = "0020009104 35363738 -> 9000"
A_OK = "002000940C 313233343536373839303138 -> 9000"
YEAR = "00B2010C00 -> 011C ..{20} <YEAR:4> ..{4} 9000"
B_OK = "002000950E 303230383033 <YEAR> 34323731 -> 9000"
#: EF 0006, with SFI and an extended Le (card.md §2.1, §4.2): A1{ 90 03 010001, 91 82 0100 modulus }
KEY = "00B0860000 0000 -> A182010990030100019182 0100 <MODULUS:256> 9000"
SEED = "000102030405060708090A0B0C0D0E0F 101112131415161718191A1B1C1D1E1F"
DELIVER = f"80AE0000 000100 <OAEP:A0228020 {SEED}>"
OPEN = (TEXT, PIN_OK, KEY, f"{DELIVER} -> 9000")

#: SELECT EF 0001 under N = 1 to 6, and EF 000E, which is not there, under N = 1
SELECT_0001 = {
    1: "C102E0ACB67AABA0E85BDFD63B3FB5B2",
    2: "46D4CAAC313B21DA35E3FE7C435C3150",
    3: "00E49E651A8B6192364F9CDA118BA22E",
    4: "5C42D23DAAD77E06E9CFC163C1E611FA",
    5: "DCA571C3CE29CA0978AAAF2333049D01",
    6: "3E8C8486806821DFF050869EC1C7A019",
}
SELECT_ABSENT = "3372C887A7E58B96AFB9D1431039D7F1"  # N = 1
#: FF10 0C 313233343536373839303138 FFFF, whole (17 bytes), its first 16, its first 3 and its last 2
WHOLE = {
    2: "7AC0D5A1644C9CE50D0DD02C17E2C469605994A18C118D5185DB8F6F134FB939",
    3: "01BE559EACDDDB81FBB117082392E11C84523C82037D74DB17F444981A43C033",
}
SIXTEEN = "7AC0D5A1644C9CE50D0DD02C17E2C4699338268E7720F51D552EFAE96E20D8AD"  # N = 2
THREE = {
    2: "D9920328964C4D0517465BE03D4F0471",
    3: "77332B1A279A50E7FF24866629E91453",
    5: "950CCE7A1E8C36957DEEF3D183345F5E",
    6: "BD3FE013F4E4841AE65FB222F4CB6A23",
}
TAIL = "9D2AA29C705E82D3BE45EE46CB2E8B82"  # N = 3
#: PIN 5678 under N = 2, PIN 0000 under N = 1, 照合番号A under N = 2, fourteen digits 9 under N = 1
RIGHT_PIN, WRONG_PIN = "E3BC28A4531860CEC53CABA6B57FE94B", "44D9132720DA978A0357E570A89A5EDE"
RIGHT_A, WRONG_B = "3C2640655D573E9A7F3E456EC1EBCB18", "84458DE9CF959910A448172856BE343A"


def select(cryptogram: str) -> str:
    """SELECT EF: CLA 08, one object 86."""
    return f"08A4020C13 861101 {cryptogram}"


def verify(p2: str, cryptogram: str) -> str:
    """VERIFY: CLA 08, one object 86."""
    return f"082000{p2}13 861101 {cryptogram}"


def read(offset: str, length: str) -> str:
    """READ BINARY of the current EF: CLA 08, one object 96, extended Lc and Le."""
    return f"08B0{offset} 000005 960300{length} 0000"


def opened(name: str, fact: str, *talk: str) -> Row:
    """A row that begins with a session."""
    return Row(name, fact, (*OPEN, *talk))


DELIVERY_ROWS = (
    Row(
        "SM: no key delivery before the PIN",
        "card.md §4.7: PIN 0011 must be verified first",
        (TEXT, "80AE0000 000100 AA*256 -> 6982"),
    ),
    Row("SM: 照合番号A is not enough", "card.md §4.7: A -> 6982", (TEXT, A_OK, KEY, f"{DELIVER} -> 6982")),
    Row(
        "SM: nor is 照合番号B",
        "card.md §4.7: PIN 0011 must be verified first",
        (COMMON, YEAR, TEXT, B_OK, KEY, f"{DELIVER} -> 6982"),
    ),
    Row(
        "SM: a refused delivery opens no session",
        "card.md §4.7",
        (TEXT, A_OK, KEY, f"{DELIVER} -> 6982", f"{select(SELECT_0001[1])} -> 6882", f"{read('0000', '0003')} -> 69FC"),
    ),
    Row("SM: key delivery", "card.md §4.7", OPEN),
    Row(
        "SM: A0{81} is refused",
        "card.md §4.7: 6A80",
        (TEXT, PIN_OK, KEY, f"80AE0000 000100 <OAEP:A0228120 {SEED}> -> 6A80", f"{read('0000', '0003')} -> 69FC"),
    ),
    Row(
        "SM: A0{80,81} is refused",
        "card.md §4.7: 6A80",
        (TEXT, PIN_OK, KEY, f"80AE0000 000100 <OAEP:A0448020 {SEED} 8120 {SEED}> -> 6A80"),
    ),
    Row("SM: above the modulus", "card.md §4.7: 6F00", (TEXT, PIN_OK, "80AE0000 000100 FF*256 -> 6F00")),
    Row(
        "SM: the modulus itself",
        "card.md §4.7: >= modulus: 6F00",
        (TEXT, PIN_OK, KEY, "80AE0000 000100 <MODULUS> -> 6F00"),
    ),
    Row(
        "SM: a ciphertext cut short",
        "silent: the facts have no word for it; no session",
        (TEXT, PIN_OK, "80AE0000 0000FF AA*255 -> 6???", f"{read('0000', '0003')} -> 69FC"),
    ),
    Row(
        "SM: a second delivery begins anew",
        "card.md §4.7: N starts at 1",
        (*OPEN, f"{select(SELECT_0001[1])} -> 9000", f"{DELIVER} -> 9000", f"{select(SELECT_0001[1])} -> 9000"),
    ),
)

SESSION_ROWS = (
    opened(
        "SM: SELECT EF and READ BINARY",
        "card.md §4.7, §2.1",
        f"{select(SELECT_0001[1])} -> 9000",
        f"{read('0000', '0011')} -> 862101 {WHOLE[2]} 9000",
    ),
    opened(
        "SM: Le 0000 is the whole file",
        "card.md §4.7 (MC sm.rs: filler included)",
        f"{select(SELECT_0001[1])} -> 9000",
        f"{read('0000', '0000')} -> 862101 {WHOLE[2]} 9000",
    ),
    opened(
        "SM: padding also after a whole block",
        "card.md §4.7: ISO 7816-4 padding, always",
        f"{select(SELECT_0001[1])} -> 9000",
        f"{read('0000', '0010')} -> 862101 {SIXTEEN} 9000",
    ),
    opened(
        "SM: by offset, and past the end",
        "card.md §4.7, §4.2 (fewer bytes with 9000; 6B00)",
        f"{select(SELECT_0001[1])} -> 9000",
        f"{read('0000', '0003')} -> 861101 {THREE[2]} 9000",
        f"{read('000F', '0010')} -> 861101 {TAIL} 9000",
        f"{read('0011', '0001')} -> 6B00",
        f"{read('0000', '0003')} -> 861101 {THREE[5]} 9000",
    ),
    opened(
        "SM: an answer longer than a short length",
        "card.md §4.7, §2.1: 336 bytes, 352 with padding",
        "00A4020C02 0003 -> 9000",
        f"{read('0000', '0000')} -> 86820161 01 ..{{352}} 9000",
    ),
    opened(
        "SM: VERIFY, wrong and right",
        "card.md §4.7, §3, §4.3: a try is spent as in clear",
        f"{verify('91', WRONG_PIN)} -> 63C2",
        "00200091 -> 63C2",
        f"{verify('91', RIGHT_PIN)} -> 9000",
        "00200091 -> 63C3",
        "00B0810003 -> FF100C 9000",
    ),
    opened(
        "SM: VERIFY of 照合番号A",
        "card.md §4.7, §2.3",
        f"{select(SELECT_0001[1])} -> 9000",
        f"{verify('94', RIGHT_A)} -> 9000",
    ),
    opened(
        "SM: the length in its long form",
        "card.md §4.7 (MC sm.rs: 86 81 11 01 is accepted)",
        f"08A4020C14 86811101 {SELECT_0001[1]} -> 9000",
        f"{read('0000', '0003')} -> 861101 {THREE[2]} 9000",
    ),
)

COUNTER_ROWS = (
    opened(
        "SM: a file that is not there counts",
        "card.md §4.7: also when the application rejects it",
        f"{select(SELECT_ABSENT)} -> 6A82",
        f"{select(SELECT_0001[2])} -> 9000",
        f"{read('0000', '0011')} -> 862101 {WHOLE[3]} 9000",
    ),
    opened(
        "SM: a wrong number and a blocked key count",
        "card.md §4.7, §2.1 (0012: 6984)",
        f"{verify('95', WRONG_B)} -> 63C9",
        f"{verify('92', RIGHT_PIN)} -> 6984",
        f"{select(SELECT_0001[3])} -> 9000",
    ),
    opened(
        "SM: plain commands do not count",
        "card.md §4.7",
        "00200091 -> 63C3",
        "00B0810003 -> FF100C 9000",
        "00A4020C02 0002 -> 9000",
        "0084000008 -> ..{8} 9000",
        f"{select(SELECT_0001[1])} -> 9000",
        "00A4020C02 0001 -> 9000",
        f"{read('0000', '0011')} -> 862101 {WHOLE[2]} 9000",
    ),
    opened(
        "SM: a counter too high",
        "card.md §4.7 (MC sm.rs: the padding is wrong then: 6988)",
        f"{select(SELECT_0001[2])} -> 6988",
        f"{read('0000', '0003')} -> 69FC",
    ),
    opened(
        "SM: a command again",
        "card.md §4.7: +1 per command",
        f"{select(SELECT_0001[1])} -> 9000",
        f"{select(SELECT_0001[1])} -> 6988",
        f"{read('0000', '0003')} -> 69FC",
    ),
    opened(
        "SM: a wrong counter spends no try",
        "card.md §4.7: nothing was decrypted",
        f"{verify('91', RIGHT_PIN)} -> 6988",
        "00200091 -> 63C3",
    ),
)


def broken(name: str, *command: str) -> Row:
    """A command with the wrong data objects, then what is left of the session."""
    return opened(
        f"SM: {name}",
        "card.md §4.7: exactly one DO, otherwise 6988, which destroys the session; afterwards 69FC",
        *command,
        f"{read('0000', '0003')} -> 69FC",
        f"{verify('91', WRONG_PIN)} -> 69FC",
        "00200091 -> 63C3",
    )


OBJECT_ROWS = (
    broken("86 on READ BINARY", f"08B00000 000013 861101 {SELECT_0001[1]} 0000 -> 6988"),
    broken("96 on VERIFY", "0820009105 9603000003 -> 6988"),
    broken("96 on SELECT", "08A4020C05 9603000003 -> 6988"),
    broken("no object at all", "08A4020C -> 6988"),
    broken("the object twice", f"08A4020C26 861101 {SELECT_0001[1]} 861101 {SELECT_0001[1]} -> 6988"),
    broken("an object beside the right one", f"08A4020C18 861101 {SELECT_0001[1]} 9603000003 -> 6988"),
    broken("96 twice", "08B00000 00000A 9603000003 9603000003 0000 -> 6988"),
    broken("a byte behind the object", f"08A4020C14 861101 {SELECT_0001[1]} 00 -> 6988"),
    broken("an object cut off", f"08A4020C12 861101 {SELECT_0001[1][:-2]} -> 6988"),
    broken("tag 87", f"08A4020C13 871101 {SELECT_0001[1]} -> 6988"),
    broken("padding indicator 02", f"08A4020C13 861102 {SELECT_0001[1]} -> 6988"),
    broken("no cryptogram", "08A4020C03 860101 -> 6988"),
    broken("half a block", "08A4020C0B 860901 C102E0ACB67AABA0 -> 6988"),
    broken("no padding inside", "08A4020C13 861101 00*16 -> 6988"),
    broken("data in clear", "08A4020C02 0001 -> 6988"),
)

END_ROWS = (
    opened(
        "SM: ends when the application is selected again",
        "card.md §4.7: when an application is selected",
        TEXT,
        f"{read('0000', '0003')} -> 69FC",
    ),
    opened("SM: ends with another application", "card.md §4.7", JPKI, f"{read('0000', '0003')} -> 69FC"),
    Row(
        "SM: ends even where the status survives",
        "card.md §4.7, §4.10",
        (*OPEN, TEXT, "00B0810003 -> FF100C 9000", f"{read('0000', '0003')} -> 69FC"),
        knobs=(("reselect_keeps_state", True),),
    ),
    opened("SM: ends with a reset", "card.md §4.7, §4.10", "reset", TEXT, f"{read('0000', '0003')} -> 69FC"),
    opened("SM: ends with the power", "card.md §4.7, §4.10", "power_off", TEXT, f"{read('0000', '0003')} -> 69FC"),
    opened(
        "SM: an application that is not found ends nothing",
        "card.md §4.7, §4.1",
        "00A4040C05 D392F00027 -> 6A82",
        f"{select(SELECT_0001[1])} -> 9000",
    ),
    opened("SM: CLA 0C has nothing to offer", "card.md §4.7: 6987", f"0CA4020C13 861101 {SELECT_0001[1]} -> 6987"),
    opened("SM: CLA 0C, READ BINARY", "card.md §4.7: 6987", "0CB00000 000005 9603000003 0000 -> 6987"),
)

ELSEWHERE_ROWS = (
    *(
        Row(f"SM: key delivery to {name}", f"card.md §4.7: {word}", (aid, f"80AE0000 000100 AA*256 -> {word}"))
        for name, aid, word in (
            ("共通", COMMON, "66F1"),
            ("確認", FACE, "66F1"),
            ("JPKI", JPKI, "6982"),
            ("住基", JUKI, "6982"),
        )
    ),
    Row(
        "SM: JPKI refuses after the PIN too",
        "card.md §4.7: JPKI 6982",
        (JPKI, "0020009804 31323334 -> 9000", "80AE0000 000100 AA*256 -> 6982"),
    ),
    Row(
        "SM: no session, VERIFY",
        "card.md §4.7: 69FC",
        (TEXT, PIN_OK, f"{verify('91', WRONG_PIN)} -> 69FC", "00200091 -> 63C3"),
    ),
    Row("SM: no session, READ BINARY", "card.md §4.7: 69FC", (TEXT, PIN_OK, f"{read('0000', '0003')} -> 69FC")),
    Row("SM: no session, SELECT", "card.md §4.7: 6882", (TEXT, PIN_OK, f"{select(SELECT_0001[1])} -> 6882")),
    Row(
        "SM: the published test card has no key for it",
        "silent: its private keys are not public; no session",
        (TEXT, PIN_OK, "80AE0000 000100 AA*256 -> 6???", f"{read('0000', '0003')} -> 69FC"),
        persona="jlis_test_card",
    ),
)

ROWS = DELIVERY_ROWS + SESSION_ROWS + COUNTER_ROWS + OBJECT_ROWS + END_ROWS + ELSEWHERE_ROWS
