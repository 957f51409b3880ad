"""券面事項確認AP, card manager, INTERNAL AUTHENTICATE: conversations typed in hex (card.md §2.2, §2.5, §4.5)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from client.scripted import SELECT_COMMON, Scripted
from kojin_card.applications import Age, CardFace, CardManager, Common, Sex, birth_code
from kojin_card.channel import CardChannel
from kojin_card.errors import (
    AccessDenied,
    NotOnCard,
    PinBlocked,
    SecretFormatError,
    UnexpectedAnswer,
    UnprovenRefused,
    UsageError,
)

if TYPE_CHECKING:
    from kojin_card.transport.link import Exchange

# card.md §1
SELECT_FACE = "00A4040C0AD3921000310001010402"
SELECT_MANAGER = "00A4040C07A0000001510000"

PNG = "89504E470D0A1A0A"
JP2 = "0000000C6A5020200D0A870A"
KEY = "9003010001 91820100".replace(" ", "") + "C5" * 256


def tlv(tag: str, value: str) -> str:
    """card.md §2: one byte below 80, otherwise 82 hh ll."""
    size = len(value) // 2
    return f"{tag}{size:02X}{value}" if size < 0x80 else f"{tag}82{size:04X}{value}"


def face(*, birth: str = "19800217", photo: str | None = JP2 + "AB" * 40, name: str = PNG + "11" * 20) -> str:
    """EF 0002 (card.md §2.2): nine offsets from the start of the file, then nine objects (eight without a photo)."""
    objects = [
        tlv("DF22", birth.encode().hex().upper()),
        tlv("DF23", "31"),
        tlv("DF24", KEY),
        tlv("DF25", name),
        tlv("DF26", PNG + "22" * 30),
        *([] if photo is None else [tlv("DF27", photo)]),
        tlv("DF28", "5C" * 256),
        tlv("DF29", b"20350217".hex().upper()),
        tlv("DF2A", PNG + "33" * 10),
    ]
    at = 5 + 3 + 2 * len(objects)  # FF20 82 hh ll, DF21 nn, the table
    offsets = ""
    for one in objects:
        offsets += f"{at:04X}"
        at += len(one) // 2
    return tlv("FF20", tlv("DF21", offsets) + "".join(objects))


def reads(sfi: str, content: str) -> list[tuple[str, str]]:
    """READ BINARY of a whole file in short APDUs, the first by short identifier."""
    size, steps = len(content) // 2, []
    for at in range(0, size, 256):
        head = f"00B0{sfi}00" if at == 0 else f"00B0{at:04X}"
        le = 0 if at == 0 else min(256, size - at) & 0xFF
        steps.append((f"{head}{le:02X}", content[2 * at : 2 * at + 512] + "9000"))
    return steps


def driver(*steps: tuple[str, str], **options: Any) -> tuple[Scripted, CardFace, list[Exchange]]:
    seen: list[Exchange] = []
    card = Scripted((SELECT_FACE, "9000"), *steps)
    return card, CardFace(CardChannel(card, observer=seen.append, **options)), seen


BY_B = [("00200092", "63CA"), ("002000920E 3535303231373230333532323835", "9000")]
BY_A = [("00200093", "63CA"), ("002000930C 353337363836363737313838", "9000")]
BY_BIRTH = [("00200091", "63CA"), ("0020009106 353530323137", "9000")]


# --- face ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "code"), [(BY_B, {"code_b": "55021720352285"}), (BY_A, {"code_a": "537686677188"})])
def test_the_face(by: list[tuple[str, str]], code: dict[str, str]) -> None:
    """card.md §2.2: numbered otherwise than in the input support application: 0012 is B, 0013 is A."""
    card, driving, seen = driver(*by, *reads("82", face()))
    found = driving.read_face(**code)  # type: ignore[arg-type]
    card.done()
    assert (found.birth_date, found.birth_date_text, found.sex) == (date(1980, 2, 17), "19800217", Sex.MALE)
    assert found.name_png.hex().upper() == PNG + "11" * 20
    assert found.address_png.hex().upper() == PNG + "22" * 30
    assert found.photo is not None
    assert found.photo.hex().upper() == JP2 + "AB" * 40
    assert found.expiry == date(2035, 2, 17)
    assert found.security_code_png.hex().upper() == PNG + "33" * 10
    shown = repr(found) + repr(seen)
    assert not [part for part in ("1980", "2035", "male", PNG, "1111", "PNG", "55021720352285") if part in shown]


def test_a_card_without_a_photo() -> None:
    card, driving, _ = driver(*BY_B, *reads("82", face(photo=None)))
    assert driving.read_face(code_b="55021720352285").photo is None
    card.done()


def test_a_birth_date_of_which_a_part_is_unknown() -> None:
    card, driving, _ = driver(*BY_B, *reads("82", face(birth="19800000")))
    found = driving.read_face(code_b="55021720352285")
    card.done()
    assert (found.birth_date, found.birth_date_text) == (None, "19800000")


@pytest.mark.parametrize(
    "content",
    [
        face(name="00" * 28),
        face(photo="FFD8FFE0" + "00" * 20),
        face(birth="19801317"),
        face().replace("DF230131", "DF230134"),
    ],
    ids=["no PNG", "no JP2", "no date", "no sex"],
)
def test_a_malformed_face(content: str) -> None:
    card, driving, _ = driver(*BY_B, *reads("82", content))
    with pytest.raises(UnexpectedAnswer) as caught:
        driving.read_face(code_b="55021720352285")
    card.done()
    assert "1980" not in str(caught.value)
    assert caught.value.__context__ is None


def test_one_number_and_only_one() -> None:
    card = Scripted()
    driving = CardFace(CardChannel(card))
    with pytest.raises(UsageError):
        driving.read_face()
    with pytest.raises(UsageError):
        driving.read_face(code_a="537686677188", code_b="55021720352285")
    with pytest.raises(SecretFormatError):
        driving.read_face(code_b="5502172035228")
    assert card.sent == []


# --- age ----------------------------------------------------------------------------------------------------------


def age_record(birth: str) -> str:
    """EF 0001 (card.md §2.2): 547 bytes."""
    inner = tlv("DF11", birth.encode().hex().upper()) + tlv("DF12", KEY) + tlv("DF13", "5C" * 256)
    record = tlv("FF10", inner)
    assert len(record) == 2 * 547
    return record


def test_the_age_record_gives_yes_or_no() -> None:
    card, driving, seen = driver(*BY_BIRTH, *reads("81", age_record("19800217")))
    age = driving.read_age(birth_code(date(1980, 2, 17)))
    card.done()
    assert age.is_at_least(20, date(2026, 11, 24))
    assert not age.is_at_least(65, date(2026, 11, 24))
    assert "1980" not in repr(age) + str(age) + repr(seen)
    assert [name for name in dir(age) if not name.startswith("_")] == ["is_at_least"]


@pytest.mark.parametrize(
    ("born", "years", "on", "answer"),
    [
        (date(2006, 11, 24), 20, date(2026, 11, 24), True),
        (date(2006, 11, 25), 20, date(2026, 11, 24), False),
        (date(2006, 11, 23), 20, date(2026, 11, 24), True),
        (date(2004, 2, 29), 18, date(2022, 2, 28), False),
        (date(2004, 2, 29), 18, date(2022, 3, 1), True),
        (date(2004, 2, 29), 20, date(2024, 2, 29), True),
        (date(2026, 11, 24), 0, date(2026, 11, 24), True),
        (date(2026, 11, 25), 0, date(2026, 11, 24), False),
        (date(1989, 1, 7), 18, date(2007, 1, 7), True),
        (None, 0, date(2026, 11, 24), False),
        (None, 20, date(2026, 11, 24), False),
    ],
)
def test_at_least(born: date | None, years: int, on: date, answer: bool) -> None:
    assert Age(born).is_at_least(years, on) is answer


@pytest.mark.parametrize("years", [-1, 151, 10**9, True])
def test_an_age_that_nobody_asks_for(years: int) -> None:
    with pytest.raises(UsageError):
        Age(date(1980, 2, 17)).is_at_least(years, date(2026, 11, 24))


@pytest.mark.parametrize("birth", ["19800200", "19800000", "00000000"])
def test_an_age_from_part_of_a_date_is_no(birth: str) -> None:
    card, driving, _ = driver(*BY_BIRTH, *reads("81", age_record(birth)))
    assert not driving.read_age("550217").is_at_least(0, date(2026, 11, 24))
    card.done()


@pytest.mark.parametrize("birth", ["S5502170", "55021700", "1980021 ", "19800230"])
def test_an_age_from_what_is_no_gregorian_date_is_an_error(birth: str) -> None:
    card, driving, _ = driver(*BY_BIRTH, *reads("81", age_record(birth)))
    with pytest.raises(UnexpectedAnswer):
        driving.read_age("550217")
    card.done()


@pytest.mark.parametrize("word", ["63C0", "6984", "6983"])
def test_a_blocked_birth_key(word: str) -> None:
    card, driving, _ = driver(("00200091", word))
    with pytest.raises(PinBlocked):
        driving.read_age("550217")
    card.done()


def test_a_card_that_does_not_count_the_birth_key() -> None:
    """card.md §3, §4.3: the number of tries is unknown; 6300 says that they are unlimited."""
    card, driving, _ = driver(("00200091", "6300"), BY_BIRTH[1], *reads("81", age_record("19800217")))
    assert driving.read_age("550217").is_at_least(18, date(2026, 11, 24))
    card.done()
    card, driving, _ = driver(("00200091", "63C7"), ("00200092", "63CA"), ("00200093", "63CA"))
    birth = driving.tries()[0]
    assert (birth.key, birth.tries_left, birth.tries) == ("birth_code", 7, None)


# --- the image of 個人番号 -----------------------------------------------------------------------------------------


def test_the_image_of_the_number() -> None:
    content = tlv("FF40", tlv("DF41", PNG + "44" * 60) + tlv("DF42", KEY) + tlv("DF43", "5C" * 256))
    card, driving, seen = driver(*BY_A, *reads("85", content))
    found = driving.read_my_number_image("537686677188", duty="源泉徴収票の作成")
    card.done()
    assert found.png.hex().upper() == PNG + "44" * 60
    assert "44" * 8 not in repr(found) + repr(seen)
    assert "DDDD" not in repr(found)


def test_the_image_needs_a_duty() -> None:
    card = Scripted()
    with pytest.raises(UsageError, match="番号法"):
        CardFace(CardChannel(card)).read_my_number_image("537686677188", duty=" ")
    assert card.sent == []


def test_a_reference_on_an_assumption_is_not_tried() -> None:
    from dataclasses import replace

    from kojin_card.spec import CardSpec, EvidenceLevel, load_card_spec

    real = load_card_spec()
    app = real["card_face"]
    key = app.keys["birth_code"]
    doubtful = replace(key, evidence=replace(key.evidence, level=EvidenceLevel.ASSUMPTION))
    spec = CardSpec({**real.applications, "card_face": replace(app, keys={**app.keys, "birth_code": doubtful})})
    card = Scripted()
    with pytest.raises(UnprovenRefused):
        CardFace(CardChannel(card, spec=spec)).read_age("550217")
    assert card.sent == []
    card, driving, _ = driver(*BY_BIRTH, *reads("81", age_record("19800217")), spec=spec, allow_unproven=True)
    assert driving.read_age("550217").is_at_least(18, date(2026, 11, 24))
    card.done()


# --- card manager ---------------------------------------------------------------------------------------------------

#: card.md §2.7
ID = "35303030303230 0805 303031 000000A8".replace(" ", "")
CERTIFICATE = tlv("5F4E", ID + ID + KEY) + tlv("5F37", "5C" * 256)
PLAIN = [
    ("00CA004200", "41" * 16 + "9000"),
    ("00CA004500", b"JPN0123456789".hex().upper() + "9000"),
    ("00CA00F000", b"13221".hex().upper() + "9000"),
    ("00CA00F200", b"20350217".hex().upper() + "9000"),
    ("00CA00F700", ID + "9000"),
]
UPPER = [("00CA00F800", "6700"), ("00CA00F8000000", CERTIFICATE + "9000")]
LOWER = [("00CA7F2100", "6700"), ("00CA7F21000000", CERTIFICATE + "9000")]


def manager(*steps: tuple[str, str], extended: bool | None = None) -> tuple[Scripted, CardManager, list[Exchange]]:
    seen: list[Exchange] = []
    card = Scripted((SELECT_MANAGER, "9000"), *steps, extended=extended)
    return card, CardManager(CardChannel(card, observer=seen.append)), seen


@pytest.mark.parametrize("absent", [None, "6A88", "6A82"])
def test_the_card_manager(absent: str | None) -> None:
    """card.md §2.5: big objects answer 6700 to a short Le; 7F21 is absent on some cards."""
    card, driving, seen = manager(*PLAIN, *UPPER, *(LOWER if absent is None else [("00CA7F2100", absent)]))
    found = driving.information()
    card.done()
    assert found.issuer_id == b"A" * 16
    assert found.card_identification == "JPN0123456789"
    assert (found.municipality, found.expiry) == ("13221", date(2035, 2, 17))
    assert found.intermediate_key_id.hex().upper() == ID
    assert found.upper_cv_certificate == bytes.fromhex(CERTIFICATE)
    assert found.lower_cv_certificate == (bytes.fromhex(CERTIFICATE) if absent is None else None)
    shown = repr(found) + repr(seen)
    assert not [part for part in ("JPN0", "13221", "2035", "4A504E", "3133323231") if part in shown]


def test_without_the_certificates() -> None:
    card, driving, _ = manager(*PLAIN)
    found = driving.information(chain=False)
    card.done()
    assert (found.upper_cv_certificate, found.lower_cv_certificate) == (None, None)


def test_a_refused_long_object_leaves_the_short_form_for_others_alone() -> None:
    """6700 to an extended GET DATA says nothing of other commands, and is asked once."""
    card, driving, _ = manager(*PLAIN, ("00CA00F800", "6700"), ("00CA00F8000000", "6700"), extended=True)
    with pytest.raises(UnexpectedAnswer):
        driving.information()
    card.done()
    assert driving._channel.link.extended


def test_a_connection_that_carries_short_apdus_only() -> None:
    card, driving, _ = manager(*PLAIN, ("00CA00F800", "6700"), extended=False)
    with pytest.raises(UsageError):
        driving.information()
    card.done()


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        (0, "41" * 15 + "9000"),
        (0, "9000"),
        (1, "9000"),
        (1, "4A500A4E9000"),
        (1, "4A50FF4E9000"),
        (2, b"1322X".hex() + "9000"),
        (2, b"132210".hex() + "9000"),
        (3, b"20351317".hex() + "9000"),
        (4, "41" * 17 + "9000"),
    ],
)
def test_malformed_objects(at: int, answer: str) -> None:
    steps = [*PLAIN[:at], (PLAIN[at][0], answer)]
    card, driving, _ = manager(*steps, *(PLAIN[at + 1 :] if at == 1 and len(answer) > 4 else []))
    with pytest.raises(UnexpectedAnswer):
        driving.information(chain=False)
    card.done()


def test_a_malformed_certificate() -> None:
    bad = tlv("5F4E", ID + ID + KEY) + tlv("5F37", "5C" * 255)
    card, driving, _ = manager(*PLAIN, UPPER[0], (UPPER[1][0], bad + "9000"))
    with pytest.raises(UnexpectedAnswer):
        driving.information()
    card.done()


def test_objects_that_must_be_there() -> None:
    card, driving, _ = manager(("00CA004200", "6A88"))
    with pytest.raises(NotOnCard):
        driving.information()
    card.done()
    with pytest.raises(UsageError):
        driving._channel.get_data("card_manager", "nothing")


# --- INTERNAL AUTHENTICATE ------------------------------------------------------------------------------------------


def test_internal_authenticate() -> None:
    """card.md §4.5: 00 88 00 99 Lc challenge 00."""
    card = Scripted((SELECT_COMMON, "9000"), ("0088009908 0102030405060708 00", "5C" * 256 + "9000"))
    seen: list[Exchange] = []
    assert Common(CardChannel(card, observer=seen.append)).internal_authenticate(bytes(range(1, 9))) == b"\x5c" * 256
    card.done()
    assert "0102030405060708" not in repr(seen)


@pytest.mark.parametrize("size", [1, 255])
def test_the_least_and_the_longest_challenge(size: int) -> None:
    card = Scripted((SELECT_COMMON, "9000"), (f"00880099{size:02X}{'AA' * size}00", "5C" * 256 + "9000"))
    assert len(Common(CardChannel(card)).internal_authenticate(b"\xaa" * size)) == 256
    card.done()


@pytest.mark.parametrize("size", [0, 256])
def test_a_challenge_that_the_card_does_not_take(size: int) -> None:
    card = Scripted()
    with pytest.raises(UsageError):
        Common(CardChannel(card)).internal_authenticate(bytes(size))
    assert card.sent == []


@pytest.mark.parametrize(
    ("answer", "kind"), [("9000", UnexpectedAnswer), ("6985", UnexpectedAnswer), ("6982", AccessDenied)]
)
def test_what_is_no_answer(answer: str, kind: type[Exception]) -> None:
    card = Scripted((SELECT_COMMON, "9000"), ("0088009901AA00", answer))
    with pytest.raises(kind):
        Common(CardChannel(card)).internal_authenticate(b"\xaa")
    card.done()


def test_a_key_that_is_not_for_this() -> None:
    card = Scripted()
    channel = CardChannel(card)
    for app, key in [("jpki", "auth_key"), ("card_face", "card_key"), ("common", "resident_registry_pin")]:
        with pytest.raises(UsageError):
            channel.internal_authenticate(app, key, b"x")
    assert card.sent == []
