"""The typed client against the hand-typed transcripts: it must send these bytes and no others (ARCHITECTURE §4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from kojin_card.applications import Sex
from kojin_card.applications.card_face import CardFace
from kojin_card.applications.common import Common
from kojin_card.applications.input_support import BasicFour, InputSupport
from kojin_card.applications.jpki import Jpki, TokenKind
from kojin_card.applications.licence import DrivingLicence, Licence
from kojin_card.channel import CardChannel
from kojin_card.errors import AccessDenied, PinBlocked, PinRejected, PinReserve, TransportError
from kojin_card.pki.card_evidence import RecordEvidence
from support import TRANSCRIPTS, ReplayCard, read_transcript, transcripts

#: DigestInfo of SHA-256("abc"): card.md §4.4, FIPS 180-4.
DIGEST_INFO = bytes.fromhex(
    "3031300D060960864801650304020105000420BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
)
#: test-card.toml, written out (the vector test of test_transcripts compares the typed bytes with the file).
KOKUTO = BasicFour("黒桐　幹也", "東京都清瀬市観布子南１２－７－２０２", date(1980, 2, 17), "19800217", Sex.MALE)


def _four_by_pin(channel: CardChannel) -> None:
    assert InputSupport(channel).read_basic_four("5678") == KOKUTO


def _four_without_counter(channel: CardChannel) -> None:
    assert InputSupport(channel).read_basic_four("5678", look=False) == KOKUTO


def _four_by_code_b(channel: CardChannel) -> None:
    assert InputSupport(channel).read_basic_four(code_b="55021720352285") == KOKUTO


def _four_long(channel: CardChannel) -> None:
    four = InputSupport(channel).read_basic_four("5678")
    assert four == BasicFour("見本　太郎", "東京都" + "見" * 77, date(1990, 1, 1), "19900101", Sex.FEMALE)


def _my_number(channel: CardChannel) -> None:
    channel.verify("input_support", "pin", "5678")
    assert channel.record("input_support", "my_number").text("my_number") == "537686677188"


def _secure_four(channel: CardChannel) -> None:
    assert InputSupport(channel).read_basic_four("5678", secure_messaging=True) == KOKUTO


def _secure_number(channel: CardChannel) -> None:
    number = InputSupport(channel).read_my_number("5678", duty="源泉徴収票の作成", secure_messaging=True)
    assert number.reveal() == "537686677188"


def _wrong_pin(channel: CardChannel) -> None:
    with pytest.raises(PinRejected) as caught:
        InputSupport(channel).read_basic_four("0000")
    assert caught.value.tries_left == 2


def _last_try_kept(channel: CardChannel) -> None:
    with pytest.raises(PinReserve):
        InputSupport(channel).read_basic_four("5678")


def _blocked(channel: CardChannel) -> None:
    with pytest.raises(PinBlocked):
        InputSupport(channel).read_basic_four("5678")


def _pin_status(channel: CardChannel) -> None:
    assert channel.tries_left("jpki", "auth_pin") == 3
    assert channel.tries_left("jpki", "sign_password") == 5


def _sign(channel: CardChannel) -> None:
    channel.verify("jpki", "sign_password", "abc123")  # the client upper-cases it (card.md §3)
    assert channel.sign("jpki", "sign_key", DIGEST_INFO) == b"\xa5" * 256


def _authenticate(channel: CardChannel) -> None:
    channel.verify("jpki", "auth_pin", "1234")
    assert channel.sign("jpki", "auth_key", DIGEST_INFO) == b"\xa5" * 256


def _token(channel: CardChannel) -> None:
    jpki = Jpki(channel)
    token = jpki.token()
    assert token.kind is TokenKind.INDIVIDUAL_NUMBER_CARD
    assert (token.label, token.model, token.serial_number) == ("JPKIAPICCTOKEN2", "E16R01NJ", "0000000020500003")
    available = jpki.availability()
    assert (available.sign, available.auth) == (True, True)


def _common(channel: CardChannel) -> None:
    found = Common(channel).card_information()
    assert (found.serial, found.municipality, found.expiry) == ("400000012719843", "13221", date(2035, 2, 17))
    assert found.manufacturing_number == "0000012719843"  # card.md §2.4: characters 2 to 15


def _certificate(channel: CardChannel) -> None:
    raw = channel.read("jpki", "auth_certificate")
    assert raw == bytes.fromhex("3082012404820120") + b"\xc3" * 288


def _change_pin(channel: CardChannel) -> None:
    channel.change("jpki", "auth_pin", "1234", "4321")


def _change_key(channel: CardChannel) -> None:
    for application in ("juki", "common"):
        channel.change(application, "resident_registry_pin", "9012", "1111")


def _face_numbers(channel: CardChannel) -> None:
    channel.verify("card_face", "code_a", "537686677188")
    channel.verify("card_face", "code_b", "55021720352285")


def _age(channel: CardChannel) -> None:
    channel.verify("card_face", "birth_code", "020803")
    raw = channel.read("card_face", "age")
    assert len(raw) == 547
    assert raw[8:16] == b"19900803"
    assert raw[-256:] == b"\xa5" * 256


class _Asks:
    """Who wants a proof with a challenge that was typed, and judges nothing."""

    def __init__(self) -> None:
        self.seen: list[RecordEvidence] = []

    def challenge(self) -> bytes:
        return b"\x07" * 32

    def require(self, evidence: RecordEvidence) -> None:
        self.seen.append(evidence)


def _prove_basic_four(channel: CardChannel) -> None:
    asks = _Asks()
    assert InputSupport(channel).read_basic_four("5678", prove=asks) == KOKUTO
    (seen,) = asks.seen
    assert {name: len(data) for name, data in seen.files.items()} == {  # card.md §2.1
        "basic_four": 104,
        "record_signature": 336,
        "cv_certificate": 568,
        "application_public_key": 536,
    }
    assert seen.answer == b"\x5a" * 256


def _prove_age(channel: CardChannel) -> None:
    asks = _Asks()
    assert CardFace(channel).read_age("020803", prove=asks).is_at_least(20, date(2026, 11, 24))
    (seen,) = asks.seen
    assert {name: len(data) for name, data in seen.files.items()} == {"age": 547, "cv_certificate": 568}  # card.md §2.2
    assert seen.answer == b"\x5a" * 256


def _licence(channel: CardChannel) -> None:
    licence = Licence(channel).read("2468")
    assert (licence.number, licence.colour, licence.expiry) == ("990912345670", "優良", date(2028, 11, 3))
    assert (licence.conditions, licence.remarks, licence.drawn_characters) == (("眼鏡等",), (), {})
    assert [category.name_ja for category in licence.categories] == ["普通", "普通二輪", "原付"]
    days = (licence.motorcycle_date, licence.other_date, licence.second_class_date)
    assert days == (date(2012, 5, 20), date(2016, 7, 4), None)
    assert licence.photo == bytes.fromhex("0000000C6A5020200D0A870A")
    assert len(licence.record) == 218
    _signature_record_as_typed(licence)


def _signature_record_as_typed(licence: DrivingLicence) -> None:
    assert len(licence.signature_record) == 584
    assert licence.signature_record[5:261] == b"\xa5" * 256
    assert licence.signature_record.endswith(b"\x5a" * 32)


def _licence_locked(channel: CardChannel) -> None:
    with pytest.raises(PinBlocked):
        Licence(channel).read("2468")


def _licence_without_pin(channel: CardChannel) -> None:
    licence = Licence(channel).read()
    assert (licence.number, licence.expiry) == ("990912345670", date(2028, 11, 3))
    assert (licence.categories, licence.photo) == ((), None)
    _signature_record_as_typed(licence)


SCENARIOS: dict[str, Callable[[CardChannel], None]] = {
    "client_age": _age,
    "client_authenticate": _authenticate,
    "client_basic_four_code_b": _four_by_code_b,
    "client_basic_four_long": _four_long,
    "client_basic_four_no_counter": _four_without_counter,
    "client_basic_four_pin": _four_by_pin,
    "client_basic_four_plain": _four_by_pin,
    "client_blocked": _blocked,
    "client_certificate": _certificate,
    "client_change_key": _change_key,
    "client_change_pin": _change_pin,
    "client_common": _common,
    "client_face_numbers": _face_numbers,
    "client_last_try_kept": _last_try_kept,
    "client_licence": _licence,
    "client_licence_locked": _licence_locked,
    "client_licence_without_pin": _licence_without_pin,
    "client_my_number": _my_number,
    "client_pin_status": _pin_status,
    "client_prove_age": _prove_age,
    "client_prove_basic_four": _prove_basic_four,
    "client_secure_basic_four": _secure_four,
    "client_secure_my_number": _secure_number,
    "client_sign": _sign,
    "client_token": _token,
    "client_wrong_pin": _wrong_pin,
}


def replayed(name: str) -> tuple[ReplayCard, CardChannel]:
    card = ReplayCard(read_transcript(TRANSCRIPTS / f"{name}.apdu"))
    # Some facts are assumptions (照合番号A's tries and such); the conversation is what is tested here.
    return card, CardChannel(card, ours=True, plain_select=name.endswith("_plain"), random=_seed)


def _seed(count: int) -> bytes:
    """What the transcripts of secure messaging say is the seed."""
    return bytes(range(count))


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_client_says_what_was_typed(name: str) -> None:
    card, channel = replayed(name)
    SCENARIOS[name](channel)
    card.finish()


def test_every_client_transcript_has_its_scenario() -> None:
    assert {one.name for one in transcripts("client")} == set(SCENARIOS)


@pytest.mark.parametrize(
    ("name", "apdus"),
    [
        ("client_basic_four_pin", 4),  # issue §4: with the PIN in 4 APDUs
        ("client_basic_four_no_counter", 3),  # 3 when told not to look at the tries
        ("client_basic_four_code_b", 4),
        ("client_basic_four_long", 5),  # one more past 256 bytes
        ("client_secure_basic_four", 8),
        ("client_secure_my_number", 8),
    ],
)
def test_the_number_of_apdus_for_the_four_items(name: str, apdus: int) -> None:
    card, channel = replayed(name)
    SCENARIOS[name](channel)
    assert card.sent == channel.link.sent == apdus


@pytest.mark.parametrize(
    "name", ["client_age", "client_basic_four_pin", "client_change_key", "client_change_pin", "client_sign"]
)
def test_the_same_conversation_works_with_the_software_card(name: str, soft_card: Callable[..., Any]) -> None:
    # Not one of the ropes (client and card share their specs): it only shows that the scenarios are real ones.
    persona = read_transcript(TRANSCRIPTS / f"{name}.apdu").persona
    channel = CardChannel(soft_card(persona), ours=True)
    if name == "client_sign":
        channel.verify("jpki", "sign_password", "abc123")
        assert len(channel.sign("jpki", "sign_key", DIGEST_INFO)) == 256
    elif name == "client_age":
        channel.verify("card_face", "birth_code", "020803")
        assert len(channel.read("card_face", "age")) == 547
    else:
        SCENARIOS[name](channel)


def test_a_client_that_says_something_else_is_found_out() -> None:
    card, channel = replayed("client_basic_four_pin")
    with pytest.raises(TransportError):
        InputSupport(channel).read_basic_four("8765")
    with pytest.raises(AssertionError):
        card.finish()


def test_a_refused_read_is_access_denied() -> None:
    class Closed:
        def transmit(self, command: bytes) -> bytes:
            return b"\x90\x00" if command[1] == 0xA4 else b"\x69\x82"

    with pytest.raises(AccessDenied):
        CardChannel(Closed()).read("input_support", "basic_four")
