"""The channel against conversations typed in hex: selecting, reading, signing, and cards with manners of their own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from client.scripted import EF_0002, SELECT_COMMON, SELECT_JPKI, SELECT_TEXT, Scripted
from kojin_card.channel import CardChannel
from kojin_card.errors import AccessDenied, NotOnCard, TransportError, UnexpectedAnswer, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST_INFO = "3031300D060960864801650304020105000420" + "AB" * 32
SIGNATURE = "5A" * 256

#: what a card may answer that does not know short identifiers (ISO/IEC 7816-4 §5.6; card.md §4.9)
REFUSALS = ["6A86", "6A82", "6981", "6986", "6A81", "6B00", "6A88"]


def der(content: int) -> str:
    return f"3082{content:04X}" + "C3" * content


# --- selecting ----------------------------------------------------------------------------------------------------


def test_an_application_is_selected_once_and_again_when_asked() -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00200098", "63C3"), ("0020009B", "63C5"), (SELECT_JPKI, "9000"))
    channel = CardChannel(card)
    assert (channel.tries_left("jpki", "auth_pin"), channel.tries_left("jpki", "sign_password")) == (3, 5)
    channel.select("jpki")
    card.done()


def test_another_application_takes_its_place() -> None:
    card = Scripted(
        (SELECT_TEXT, "9000"),
        ("00200091", "63C3"),
        (SELECT_JPKI, "9000"),
        ("00200098", "63C3"),
        (SELECT_TEXT, "9000"),
        ("00200095", "63CA"),
    )
    channel = CardChannel(card)
    channel.tries_left("input_support", "pin")
    channel.tries_left("jpki", "auth_pin")
    assert channel.tries_left("input_support", "code_b") == 10
    card.done()


def test_a_select_that_failed_is_not_believed() -> None:
    card = Scripted((SELECT_TEXT, "6A82"), (SELECT_TEXT, "9000"), ("00200091", "63C3"))
    channel = CardChannel(card)
    with pytest.raises(NotOnCard) as caught:
        channel.tries_left("input_support", "pin")
    assert caught.value.operation == "select input_support"
    assert channel.tries_left("input_support", "pin") == 3
    card.done()


def test_names_that_no_spec_has_are_usage_errors() -> None:
    card = Scripted()
    channel = CardChannel(card)
    for call in (
        lambda: channel.select("nothing"),
        lambda: channel.read("jpki", "nothing"),
        lambda: channel.read("nothing", "nothing"),
        lambda: channel.read_record("common", "nothing", 1),
        lambda: channel.tries_left("jpki", "nothing"),
        lambda: channel.tries_left("jpki", "auth_key"),
        lambda: channel.verify("jpki", "auth_key", "1234"),
        lambda: channel.sign("jpki", "auth_pin", b"x"),
        lambda: channel.read("common", "card_information"),
        lambda: channel.read_record("jpki", "auth_certificate", 1),
        lambda: channel.read_record("common", "card_information", 0),
        lambda: channel.read_record("common", "card_information", 255),
        lambda: channel.challenge(0),
        lambda: channel.challenge(257),
    ):
        with pytest.raises(UsageError):
            call()
    assert card.sent == []


# --- reading ------------------------------------------------------------------------------------------------------


def test_a_certificate_in_pieces_without_its_filler() -> None:
    whole = der(596)  # 600 bytes
    card = Scripted(
        (SELECT_JPKI, "9000"),
        ("00B0820000", whole[:512] + "9000"),
        ("00B0010000", whole[512:1024] + "9000"),
        ("00B0020058", whole[1024:] + "9000"),
    )
    assert CardChannel(card).read("jpki", "sign_ca_certificate").hex().upper() == whole
    card.done()


def test_a_short_object_before_filler_costs_one_read() -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B0820000", der(60) + "FF" * 192 + "9000"))
    assert CardChannel(card).read("jpki", "sign_ca_certificate").hex().upper() == der(60)
    card.done()


def test_a_file_of_known_size_is_read_with_its_filler() -> None:
    """The digest of EF 0003 covers all 17 bytes of 個人番号's file (card.md §2.1)."""
    physical = "FF100C353337363836363737313838FFFF"
    card = Scripted((SELECT_TEXT, "9000"), ("00B0810011", physical + "9000"))
    assert CardChannel(card).read("input_support", "my_number").hex().upper() == physical
    card.done()


def test_a_file_larger_than_its_declared_size_is_read_to_the_end_of_its_object() -> None:
    body = "FF100C" + "35" * 12 + "FF" * 2
    card = Scripted(
        (SELECT_TEXT, "9000"),
        ("00B0810011", body.replace("FF100C", "FF1014") + "9000"),
        ("00B0001106", "35" * 6 + "9000"),
    )
    assert len(CardChannel(card).read("input_support", "my_number")) == 23
    card.done()


def test_a_card_that_gives_less_at_a_time_is_followed() -> None:
    whole = der(296)
    card = Scripted(
        (SELECT_JPKI, "9000"),
        ("00B0820000", whole[:400] + "9000"),
        ("00B000C864", whole[400:] + "9000"),
    )
    assert CardChannel(card).read("jpki", "sign_ca_certificate").hex().upper() == whole
    card.done()


@pytest.mark.parametrize("end", ["9000", "6B00", "6282"])
def test_a_file_that_ends_before_its_object_is_malformed(end: str) -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B0820000", der(596)[:512] + "9000"), ("00B0010000", end))
    with pytest.raises(UnexpectedAnswer, match="malformed"):
        CardChannel(card).record("jpki", "sign_ca_certificate")
    card.done()


@pytest.mark.parametrize("head", ["", "30", "3080", "FFFFFFFF", "00" * 256, "308100", "04820004" + "00" * 4])
def test_what_is_no_certificate_is_malformed_after_one_read(head: str) -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B0820000", head + "9000"))
    with pytest.raises(UnexpectedAnswer, match="malformed"):
        CardChannel(card).record("jpki", "sign_ca_certificate")
    card.done()


@pytest.mark.parametrize("head", ["", "FF", "FF20", "FF2082", "FF2081", "DF2183FFFFFF", "FF" * 256, "A1" * 256])
def test_what_is_no_tlv_is_malformed(head: str) -> None:
    card = Scripted((SELECT_TEXT, "9000"), ("00B0820000", head + "9000"))
    with pytest.raises(UnexpectedAnswer, match="malformed"):
        CardChannel(card).record("input_support", "basic_four")
    assert len(card.sent) <= 3


class Endless:
    """Promises 65535 bytes and gives a few at a time, for ever."""

    def __init__(self, piece: int) -> None:
        self.piece = piece
        self.sent = 0

    def transmit(self, command: bytes) -> bytes:
        self.sent += 1
        if command[1] != 0xB0:
            return b"\x90\x00"
        return (b"\x30\x82\xff\xff" if command[2] & 0x80 else b"\xc3").ljust(self.piece, b"\xc3") + b"\x90\x00"


@pytest.mark.parametrize("piece", [1, 4, 200, 256])
def test_a_file_without_end_is_left(piece: int) -> None:
    card = Endless(piece)
    with contextlib.suppress(UnexpectedAnswer):
        CardChannel(card).read("jpki", "sign_ca_certificate")
    assert card.sent < 1100


def test_extended_apdus_read_a_certificate_at_once() -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B08200000000", der(1500) + "FF" * 300 + "9000"), extended=True)
    assert CardChannel(card).read("jpki", "sign_ca_certificate").hex().upper() == der(1500)
    card.done()


def test_extended_apdus_that_are_refused_are_not_tried_again() -> None:
    whole = der(296)
    card = Scripted(
        (SELECT_JPKI, "9000"),
        ("00B08200000000", "6700"),
        ("00B0820000", whole[:512] + "9000"),
        ("00B001002C", whole[512:] + "9000"),
        ("00B08B0000", whole[:512] + "9000"),
        ("00B001002C", whole[512:] + "9000"),
        extended=True,
    )
    channel = CardChannel(card)
    assert channel.read("jpki", "sign_ca_certificate") == channel.read("jpki", "auth_ca_certificate")
    card.done()


def test_a_record() -> None:
    content = "011C34303030303030313237313938343331333232313230333530323137"
    card = Scripted((SELECT_COMMON, "9000"), ("00B2010C00", content + "9000"))
    assert CardChannel(card).read_record("common", "card_information", 1).hex().upper() == content
    card.done()


def test_a_file_whose_content_nobody_knows_is_read_raw_and_not_decoded() -> None:
    card = Scripted((SELECT_TEXT, "9000"), ("00B0880010", "FF" * 16 + "9000"))
    assert CardChannel(card).read("input_support", "unknown_0008") == b"\xff" * 16
    card = Scripted((SELECT_JPKI, "9000"), ("00B0850000", "AA" * 256 + "9000"), ("00B0010000", "AA" * 3 + "9000"))
    assert CardChannel(card).read("jpki", "unknown_0005") == b"\xaa" * 259
    card.done()


# --- cards that refuse short identifiers -----------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", REFUSALS)
def test_reading_falls_back_once_and_remembers(refusal: str) -> None:
    card = Scripted(
        (SELECT_JPKI, "9000"),
        ("00B0820000", refusal),
        ("00A4020C020002", "9000"),
        ("00B0000000", der(60) + "9000"),
        ("00A4020C02000B", "9000"),
        ("00B0000000", der(61) + "9000"),
        ("00A4020C020018", "9000"),
        ("00200080", "63C3"),
        ("0020008004 31323334", "9000"),
        ("00A4020C020017", "9000"),
        (f"802A008033 {DIGEST_INFO} 00", SIGNATURE + "9000"),
        (f"802A008033 {DIGEST_INFO} 00", SIGNATURE + "9000"),
    )
    channel = CardChannel(card)
    assert len(channel.read("jpki", "sign_ca_certificate")) == 64
    assert len(channel.read("jpki", "auth_ca_certificate")) == 65
    channel.verify("jpki", "auth_pin", "1234")
    for _ in range(2):
        assert channel.sign("jpki", "auth_key", bytes.fromhex(DIGEST_INFO)) == b"\x5a" * 256
    card.done()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_records_fall_back(refusal: str) -> None:
    card = Scripted(
        (SELECT_COMMON, "9000"),
        ("00B2010C00", refusal),
        ("00A4020C020001", "9000"),
        ("00B2010400", "AA9000"),
    )
    assert CardChannel(card).read_record("common", "card_information", 1) == b"\xaa"
    card.done()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_the_form_of_verify_is_found_out_with_the_question_that_costs_nothing(refusal: str) -> None:
    card = Scripted(
        (SELECT_TEXT, "9000"),
        ("00200091", refusal),
        ("00A4020C020011", "9000"),
        ("00200080", "63C3"),
        ("0020008004 35363738", "9000"),
        ("00A4020C020002", "9000"),
        ("00B0000000", EF_0002 + "9000"),
    )
    channel = CardChannel(card)
    channel.verify("input_support", "pin", "5678")
    assert channel.read("input_support", "basic_four").hex().upper() == EF_0002
    card.done()


@pytest.mark.parametrize("refusal", [*REFUSALS, "6700", "6D00", "6E00", "6F00", "6C04", "6985"])
def test_without_the_question_a_refused_secret_is_not_sent_again(refusal: str) -> None:
    card = Scripted((SELECT_TEXT, "9000"), ("0020009104 35363738", refusal))
    with pytest.raises((UnexpectedAnswer, NotOnCard)):
        CardChannel(card).verify("input_support", "pin", "5678", look=False)
    card.done()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_signing_falls_back(refusal: str) -> None:
    card = Scripted(
        (SELECT_JPKI, "9000"),
        (f"802A009733 {DIGEST_INFO} 00", refusal),
        ("00A4020C020017", "9000"),
        (f"802A008033 {DIGEST_INFO} 00", SIGNATURE + "9000"),
    )
    assert CardChannel(card).sign("jpki", "auth_key", bytes.fromhex(DIGEST_INFO)) == b"\x5a" * 256
    card.done()


def test_what_is_denied_is_denied_in_either_form() -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B0810000", "6982"), (f"802A009A33 {DIGEST_INFO} 00", "6982"))
    channel = CardChannel(card)
    with pytest.raises(AccessDenied):
        channel.read("jpki", "sign_certificate")
    with pytest.raises(AccessDenied):
        channel.sign("jpki", "sign_key", bytes.fromhex(DIGEST_INFO))
    card.done()


def test_a_file_that_is_not_there_does_not_end_the_use_of_short_identifiers() -> None:
    card = Scripted(
        (SELECT_JPKI, "9000"),
        ("00B0820000", "6A82"),
        ("00A4020C020002", "6A82"),
        ("00B08B0000", der(60) + "9000"),
    )
    channel = CardChannel(card)
    with pytest.raises(NotOnCard):
        channel.read("jpki", "sign_ca_certificate")
    assert len(channel.read("jpki", "auth_ca_certificate")) == 64
    card.done()


def test_plain_select_from_the_start() -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00A4020C020008", "9000"), ("00B0000003", "8F8F009000"))
    assert CardChannel(card, plain_select=True).read("jpki", "certificate_availability") == b"\x8f\x8f\x00"
    card.done()


# --- keys ---------------------------------------------------------------------------------------------------------


def test_the_application_key_needs_no_reference() -> None:
    card = Scripted((SELECT_TEXT, "9000"), (f"802A000033 {DIGEST_INFO} 00", SIGNATURE + "9000"))
    assert CardChannel(card).sign("input_support", "application_key", bytes.fromhex(DIGEST_INFO)) == b"\x5a" * 256
    card.done()


@pytest.mark.parametrize(
    ("scheme", "p1", "size"),
    [
        ("verbatim", "00", 245),
        ("hash_bare", "01", 200),
        ("digest_info", "02", 32),
        ("hash_digest_info", "03", 1),
        ("pss", "04", 32),
        ("hash_pss", "05", 9),
    ],
)
def test_the_six_schemes(scheme: str, p1: str, size: int) -> None:
    card = Scripted((SELECT_JPKI, "9000"), (f"802A{p1}9A{size:02X}{'AA' * size}00", SIGNATURE + "9000"))
    assert CardChannel(card).sign("jpki", "sign_key", b"\xaa" * size, scheme) == b"\x5a" * 256
    card.done()


@pytest.mark.parametrize(
    ("scheme", "size"), [("verbatim", 0), ("verbatim", 246), ("digest_info", 31), ("pss", 33), ("none", 32)]
)
def test_what_a_scheme_does_not_take_is_not_sent(scheme: str, size: int) -> None:
    card = Scripted()
    with pytest.raises(UsageError):
        CardChannel(card).sign("jpki", "sign_key", bytes(size), scheme)
    assert card.sent == []


def test_long_input_goes_out_extended() -> None:
    card = Scripted((SELECT_JPKI, "9000"), (f"802A039A00012C{'AA' * 300}0100", SIGNATURE + "9000"))
    CardChannel(card).sign("jpki", "sign_key", b"\xaa" * 300, "hash_digest_info")
    card.done()


def test_no_signature_is_an_unexpected_answer() -> None:
    card = Scripted((SELECT_JPKI, "9000"), (f"802A009A33 {DIGEST_INFO} 00", "9000"))
    with pytest.raises(UnexpectedAnswer):
        CardChannel(card).sign("jpki", "sign_key", bytes.fromhex(DIGEST_INFO))


def test_a_challenge_has_the_length_that_was_asked() -> None:
    card = Scripted(
        ("0084000008", "01020304050607089000"), ("0084000000", "00" * 256 + "9000"), ("0084000004", "0102039000")
    )
    channel = CardChannel(card)
    assert channel.challenge(8) == bytes(range(1, 9))
    assert len(channel.challenge(256)) == 256
    with pytest.raises(UnexpectedAnswer):
        channel.challenge(4)
    card.done()


# --- optional protocols -----------------------------------------------------------------------------------------------


class Guarded(Scripted):
    """Transactional and resettable."""

    def __init__(self, *steps: tuple[str, str]) -> None:
        super().__init__(*steps)
        self.log: list[str] = []

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.log.append("begin")
        yield
        self.log.append("end")

    def reset(self) -> None:
        self.log.append("reset")


def test_a_transaction_is_held_once_around_what_belongs_together() -> None:
    card = Guarded((SELECT_TEXT, "9000"), ("00200091", "63C3"), ("0020009104 35363738", "9000"))
    channel = CardChannel(card)
    with channel.transaction():
        channel.verify("input_support", "pin", "5678")
    assert card.log == ["begin", "end"]
    with pytest.raises(RuntimeError), channel.transaction():
        raise RuntimeError
    with channel.transaction():
        assert card.log[-1] == "begin"


def test_a_reset_forgets_everything() -> None:
    card = Guarded((SELECT_TEXT, "9000"), ("0020009104 35363738", "9000"), (SELECT_TEXT, "9000"), ("00200091", "63C3"))
    channel = CardChannel(card)
    channel.verify("input_support", "pin", "5678", look=False)
    assert channel.is_verified("input_support", "pin")
    channel.reset()
    assert not channel.is_verified("input_support", "pin")
    channel.tries_left("input_support", "pin")
    assert card.log == ["begin", "end", "reset"]
    card.done()


def test_selecting_another_application_forgets_what_was_verified() -> None:
    card = Scripted((SELECT_TEXT, "9000"), ("0020009104 35363738", "9000"), (SELECT_JPKI, "9000"), ("00200098", "63C3"))
    channel = CardChannel(card)
    channel.verify("input_support", "pin", "5678", look=False)
    channel.tries_left("jpki", "auth_pin")
    assert not channel.is_verified("input_support", "pin")


def test_a_reset_that_fails_is_told_and_ends_the_session() -> None:
    class Stuck(Scripted):
        def reset(self) -> None:
            raise OSError("device or resource busy")

    channel = CardChannel(Stuck())
    with pytest.raises(TransportError, match="reset"):
        channel.reset()
    with pytest.raises(TransportError):
        channel.select("jpki")
