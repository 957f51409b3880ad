"""Secure messaging of the client: what it sends and refuses, and that it is over with the first thing that is wrong.

Its golden bytes are two transcripts (tests/golden). Here the card's part is scripted, or is the software card, or a
conversation with it in which something is wrong.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from client.operations import (
    DUTY,
    OPERATIONS,
    TEXT_PIN,
    Playback,
    Watched,
    code_a,
    conversation,
    planted,
    play,
    seed,
    spec,
    state,
)
from client.scripted import SELECT_TEXT, Scripted
from client.test_faults import EVERY, assert_clean, shown
from kojin_card import Card
from kojin_card.channel import CardChannel
from kojin_card.channel.secure_messaging import SecureSession
from kojin_card.errors import (
    AccessDenied,
    NotOnCard,
    PinBlocked,
    PinRejected,
    PinReserve,
    SecretFormatError,
    SecureMessagingError,
    TransportError,
    UnprovenRefused,
    UsageError,
)
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.spec import CardSpec, load_application
from kojin_card.testing import Fault, FaultKind, FaultyConnection

SECURE = ("secure four by PIN", "secure my number", "secure code A")
#: card.md §2.1: EF 0006 with a modulus of A5 bytes, in two READs, and the words around it (§4.3, §4.7)
UP_TO_THE_KEY = (
    (SELECT_TEXT, "9000"),
    ("00200091", "63C3"),
    ("0020009104 35363738", "9000"),
    ("00B0860000", "A1820109 9003010001 91820100" + "A5" * 243 + "9000"),
    ("00B001000D", "A5" * 13 + "9000"),
)


class KeyHolder(Scripted):
    """A scripted card that takes any key delivery, with the word that it is given, and keeps it."""

    def __init__(self, *steps: tuple[str, str], word: str = "9000", extended: bool | None = None) -> None:
        super().__init__(*steps, extended=extended)
        self.word = word
        self.delivered = b""

    def transmit(self, command: bytes) -> bytes:
        if command[:2] == b"\x80\xae":
            self.delivered = command
            self.sent.append(command.hex().upper())
            return bytes.fromhex(self.word)
        return super().transmit(command)


class Listener:
    """Hears every byte that passes between terminal and card."""

    def __init__(self) -> None:
        self.card = SoftCard.in_memory(state(), spec=spec())
        self.heard: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        answer = self.card.transmit(command)
        self.heard += [command, answer]
        return answer


def soft() -> Card:
    return Card(SoftCard.in_memory(state(), spec=spec()), spec=spec(), random=seed)


def opened(card: Card) -> SecureSession:
    card.channel.verify("input_support", "pin", TEXT_PIN)
    return card.channel.secure_messaging("input_support")


# --- what it sends ----------------------------------------------------------------------------------------------------


def test_the_key_delivery() -> None:
    # card.md §4.7: 80 AE 00 00, extended Lc 0100, RSA-OAEP-SHA256 of A0 22 80 20 and 32 bytes, no Le
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    modulus = key.public_key().public_numbers().n.to_bytes(256, "big").hex()
    head = "A1820109" + "9003010001" + "91820100" + modulus[:486]
    card = KeyHolder(*UP_TO_THE_KEY[:3], ("00B0860000", head + "9000"), ("00B001000D", modulus[486:] + "9000"))
    channel = CardChannel(card, random=seed)
    channel.verify("input_support", "pin", "5678")
    channel.secure_messaging("input_support")
    card.done()
    assert (card.delivered[:7].hex(), len(card.delivered)) == ("80ae0000000100", 7 + 256)
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    assert key.decrypt(card.delivered[7:], scheme) == bytes.fromhex("A0228020") + seed(32)


def test_each_session_has_a_key_of_its_own() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes([len(asked)]) * count

    card = Card(SoftCard.in_memory(state(), spec=spec()), spec=spec(), random=random)
    for _ in range(2):
        card.input_support.read_basic_four(TEXT_PIN, secure_messaging=True)
    assert asked == [32, 32]


def test_what_is_read_is_what_is_read_in_clear() -> None:
    clear, secure = soft().input_support, soft().input_support
    assert clear.read_basic_four(TEXT_PIN) == secure.read_basic_four(TEXT_PIN, secure_messaging=True)
    number = secure.read_my_number(TEXT_PIN, duty=DUTY, secure_messaging=True)
    assert clear.read_my_number(TEXT_PIN, duty=DUTY).reveal() == number.reveal() == code_a()


def test_nothing_personal_goes_over_in_clear_after_the_key() -> None:
    for name in SECURE:
        listener = Listener()
        OPERATIONS[name](Card(listener, spec=spec(), random=seed))
        text = b"".join(listener.heard).hex()
        # the PIN is not protected, everything else is
        assert TEXT_PIN.encode().hex() in text
        hidden = [value for value in planted() if value not in (TEXT_PIN, TEXT_PIN.encode().hex())]
        assert not any(value in text for value in hidden if len(value) > 6), name


def test_an_observer_sees_neither_what_is_hidden_nor_the_key() -> None:
    log = io.StringIO()
    for name in SECURE:
        play(Playback(conversation(name)), name, lambda exchange: print(exchange, repr(exchange), file=log))
    text = log.getvalue()
    assert_clean(text.lower(), "observer")
    assert "80 AE 00 00 [secret] -> 9000" in text
    assert "08 B0 00 00 [secret] -> 9000 [" in text
    assert "08 20 00 94 [secret] -> 9000" in text
    assert seed(16).hex() not in text.lower()


# --- what is refused before anything is sent -------------------------------------------------------------------------


def test_a_verification_number_opens_no_session() -> None:
    card = Scripted()
    driver = Card(card).input_support
    for call in (
        lambda: driver.read_basic_four(code_b="55021720352285", secure_messaging=True),
        lambda: driver.read_my_number(code_a="537686677188", duty=DUTY, secure_messaging=True),
        lambda: driver.read_basic_four(secure_messaging=True),
    ):
        with pytest.raises(UsageError):
            call()
    assert not card.sent


def test_without_the_pin_nothing_is_sent() -> None:
    card = Scripted()
    with pytest.raises(AccessDenied):
        CardChannel(card).secure_messaging("input_support")
    assert not card.sent


def test_a_verification_number_is_not_the_pin() -> None:
    card = soft()
    card.channel.verify("input_support", "code_a", code_a())
    sent = card.channel.link.sent
    with pytest.raises(AccessDenied):
        card.channel.secure_messaging("input_support")
    assert card.channel.link.sent == sent


@pytest.mark.parametrize("app", ["common", "card_face", "jpki", "juki", "card_manager"])
def test_the_other_applications_have_none(app: str) -> None:
    card = Scripted()
    with pytest.raises(UsageError, match="no secure messaging"):
        CardChannel(card).secure_messaging(app)
    assert not card.sent


def test_short_apdus_only_is_refused_before_the_pin_goes_out() -> None:
    card = Scripted(extended=False)
    with pytest.raises(UsageError, match="short APDUs only"):
        Card(card).input_support.read_basic_four("5678", secure_messaging=True)
    assert not card.sent


def test_what_rests_on_an_assumption_is_not_done_to_a_real_card() -> None:
    from support import ROOT

    text = (ROOT / "applets_spec" / "input_support.toml").read_text("utf-8")
    guessed = text.replace('after = "key:pin"\nevidence = "public"', 'after = "key:pin"\nevidence = "assumption"', 1)
    assert guessed != text
    applications = {**spec().applications, "input_support": load_application(guessed, "input_support.toml")}
    card = Scripted()
    with pytest.raises(UnprovenRefused):
        Card(card, spec=CardSpec(applications)).input_support.read_basic_four("5678", secure_messaging=True)
    assert not card.sent
    four = Card(
        SoftCard.in_memory(state(), spec=spec()), spec=CardSpec(applications), allow_unproven=True
    ).input_support.read_basic_four(TEXT_PIN, secure_messaging=True)
    assert four.name


@pytest.mark.parametrize(
    "command",
    [
        CommandApdu(0x00, 0xA4, 0x04, 0x0C, b"\xd3\x92"),
        CommandApdu(0x00, 0x24, 0x01, 0x91, b"1111"),
        CommandApdu(0x00, 0xB2, 0x01, 0x04, le=256),
        CommandApdu(0x80, 0x2A, 0x00, 0x00, b"x", 256),
        CommandApdu(0x00, 0xA4, 0x02, 0x0C),
        CommandApdu(0x00, 0x20, 0x00, 0x91),
        CommandApdu(0x00, 0xB0, 0x00, 0x00, b"x", 1),
    ],
    ids=str,
)
def test_no_other_command_goes_into_a_session(command: CommandApdu) -> None:
    card = soft()
    session = opened(card)
    sent = card.channel.link.sent
    with pytest.raises(UsageError):
        session._link.send(command, operation="x")
    assert (card.channel.link.sent, session.is_over) == (sent, False)


def test_records_and_contents_that_nobody_knows() -> None:
    with opened(soft()) as session:
        with pytest.raises(UsageError):
            session.record("unknown_0008")
        assert session.record("my_number").text("my_number") == code_a()


# --- the card does not take the key ----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["6982", "66F1", "6A80", "6F00", "6D00", "6700", "63C0", "6283", "AA9000"])
def test_a_card_that_takes_no_key_is_not_read_in_clear(word: str) -> None:
    card = KeyHolder(*UP_TO_THE_KEY, word=word)
    channel_owner = Card(card)
    with pytest.raises(SecureMessagingError) as caught:
        channel_owner.input_support.read_basic_four("5678", secure_messaging=True)
    card.done()
    assert caught.value.sw == int(word[-4:], 16)
    assert not channel_owner.channel.is_verified("input_support", "pin")


@pytest.mark.parametrize(
    "key",
    ["9003010001 91820100" + "00" * 256, "9003010001 91820100" + "7F" * 256, "9003000001 91820100" + "A5" * 256,
     "9003010002 91820100" + "A5" * 256, "9003010001 91820100" + "A5" * 255 + "A4"],
    ids=["zero", "2047 bits", "exponent 1", "even exponent", "even modulus"],
)  # fmt: skip
def test_a_key_that_is_none(key: str) -> None:
    content = "A1820109" + key.replace(" ", "")
    card = KeyHolder(*UP_TO_THE_KEY[:3], ("00B0860000", content[:512] + "9000"), ("00B001000D", content[512:] + "9000"))
    with pytest.raises(SecureMessagingError, match="key"):
        Card(card).input_support.read_basic_four("5678", secure_messaging=True)
    assert not card.delivered


def test_the_published_test_card_has_no_key(soft_card: Callable[..., Any]) -> None:
    with pytest.raises(NotOnCard):
        Card(soft_card("jlis_test_card")).input_support.read_basic_four("5678", secure_messaging=True)


# --- a session, and its end -------------------------------------------------------------------------------------------


def test_what_the_application_refuses_does_not_end_it() -> None:
    card = soft()
    with opened(card) as session:
        with pytest.raises(PinRejected) as caught:
            session.verify("code_b", "9" * 14)
        assert caught.value.tries_left == 9
        with pytest.raises(SecretFormatError):
            session.verify("code_b", "9")
        assert session.record("my_number").text("my_number") == code_a()
        session.verify("code_a", code_a())
        assert card.channel.is_verified("input_support", "code_a")
    assert session.is_over


def test_the_last_try_is_kept_in_a_session_too() -> None:
    card = soft()
    with opened(card) as session:
        for left in (9, 8, 7, 6, 5, 4, 3, 2, 1):
            with pytest.raises(PinRejected) as caught:
                session.verify("code_b", "9" * 14)
            assert caught.value.tries_left == left
        with pytest.raises(PinReserve):
            session.verify("code_b", "9" * 14)
        with pytest.raises(PinBlocked):
            session.verify("code_b", "9" * 14, reserve=0)
        with pytest.raises(PinBlocked):
            session.verify("code_b", "9" * 14, look=False, reserve=0)
        assert session.record("basic_four").text("name")


def test_a_session_that_the_card_has_forgotten() -> None:
    ways: list[Callable[[Card], object]] = [
        lambda card: card.channel.select("input_support"),
        lambda card: card.channel.select("jpki"),
        lambda card: card.jpki.token(),
        lambda card: card.channel.reset(),
    ]
    for forget in ways:
        card = soft()
        session = opened(card)
        forget(card)
        sent = card.channel.link.sent
        assert session.is_over
        with pytest.raises(SecureMessagingError):
            session.record("my_number")
        with pytest.raises(SecureMessagingError):
            session.verify("code_a", code_a())
        assert card.channel.link.sent == sent


def test_a_session_that_the_card_forgot_without_a_word() -> None:
    connection = SoftCard.in_memory(state(), spec=spec())
    card = Card(connection, spec=spec(), random=seed)
    session = opened(card)
    connection.reset()  # another program, or a gap in the field
    with pytest.raises(SecureMessagingError) as caught:
        session.verify("code_a", code_a(), look=False)
    assert caught.value.sw == 0x69FC
    assert session.is_over


def test_a_closed_session_is_closed() -> None:
    card = soft()
    with opened(card) as session:
        key = session._link._key
        assert bytes(key) == seed(16)
    assert not any(key)
    assert seed(16).hex() not in repr(vars(session)) + repr(vars(session._link))
    with pytest.raises(SecureMessagingError, match="over"):
        session.record("my_number")
    # what comes after is the caller's: the card still has the PIN
    assert card.channel.record("input_support", "my_number").text("my_number") == code_a()


def test_plain_commands_between_do_not_disturb() -> None:
    card = soft()
    with opened(card) as session:
        for _ in range(3):
            assert session.record("my_number").text("my_number") == code_a()
            assert card.channel.tries_left("input_support", "pin") == 3
            assert card.channel.record("input_support", "session_public_key").octets("exponent") == b"\x01\x00\x01"
            assert session.record("basic_four").text("birth_date") == "19900803"


def test_a_card_that_gives_less_than_the_whole_file_is_not_believed() -> None:
    class Short:
        def __init__(self) -> None:
            self.card = SoftCard.in_memory(state(), spec=spec())

        def transmit(self, command: bytes) -> bytes:
            if command[:2] == b"\x08\xb0":
                command = command[:10] + b"\x00\x21" + command[12:]
            return self.card.transmit(command)

    with pytest.raises(SecureMessagingError, match="not this file"):
        Card(Short(), spec=spec(), random=seed).input_support.read_basic_four(TEXT_PIN, secure_messaging=True)


# --- faults -----------------------------------------------------------------------------------------------------------


def _flip(at: int, bit: int) -> Callable[[bytes, bytes], bytes]:
    def fault(_command: bytes, answer: bytes) -> bytes:
        return bytes(byte ^ (bit if place == at else 0) for place, byte in enumerate(answer))

    return fault


def _object(change: Callable[[bytes], bytes]) -> Callable[[bytes, bytes], bytes]:
    return lambda _, answer: change(answer[:-2]) + answer[-2:]


#: answers to READ BINARY that are not of the protocol
OBJECTS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "none": _object(lambda _: b""),
    "in clear": _object(lambda _: bytes.fromhex("FF100C313233343536373839303138FFFF")),
    "twice": _object(lambda data: data * 2),
    "something behind": _object(lambda data: data + b"\x99\x02\x90\x00"),
    "a byte behind": _object(lambda data: data + b"\x00"),
    "something before": _object(lambda data: b"\x99\x02\x90\x00" + data),
    "tag 87": _object(lambda data: b"\x87" + data[1:]),
    "tag 84": _object(lambda data: b"\x84" + data[1:]),
    "a length too small": _object(lambda data: data[:1] + bytes((data[1] - 1,)) + data[2:]),
    "a length too large": _object(lambda data: data[:1] + bytes((data[1] + 1,)) + data[2:]),
    "length form 80": _object(lambda data: data[:1] + b"\x80" + data[2:] + b"\x00\x00"),
    "length form 83": _object(lambda data: data[:1] + b"\x83\x00\x00" + data[1:]),
    "cut off": _object(lambda data: data[:-1]),
    "a block less": _object(lambda data: data[:1] + bytes((data[1] - 16,)) + data[2:-16]),
    "half a block": _object(lambda data: b"\x86\x09\x01" + data[-8:]),
    "no block": _object(lambda _: b"\x86\x01\x01"),
    "nothing in it": _object(lambda _: b"\x86\x00"),
    "padding indicator 02": _object(lambda data: data[:2] + b"\x02" + data[3:]),
    "blocks exchanged": _object(lambda data: data[:3] + data[-16:] + data[19:-16] + data[3:19]),
    "the last block alone": _object(lambda data: b"\x86\x11\x01" + data[-16:]),
    "zeros": _object(lambda data: data[:3] + bytes(len(data) - 3)),
}


@pytest.mark.parametrize("name", ["secure four by PIN", "secure my number"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_an_answer_that_is_not_of_the_protocol(name: str, kind: str) -> None:
    _breaks(name, 7, OBJECTS[kind], kind)


@pytest.mark.parametrize("bit", [1 << number for number in range(8)])
def test_every_flipped_bit_of_the_number_is_noticed(bit: int) -> None:
    # Not because it is authenticated, but because so short a file is nearly all form.
    good = conversation("secure my number").answers[7]
    for at in range(len(good) - 2):
        _breaks("secure my number", 7, _flip(at, bit), f"byte {at}, bit {bit}")


@pytest.mark.parametrize("name", SECURE)
@pytest.mark.parametrize("at", [5, 6, 7])
def test_every_word_that_the_application_does_not_say(name: str, at: int) -> None:
    own = {
        5: set(),  # key delivery: no refusal is another error
        6: {"6A82"},
        7: {"6982", "6A82", "6B00", "6981", "6986"},
    }[at]
    if name == "secure code A" and at == 6:
        return  # the counter, asked in clear
    if name == "secure code A":
        own = {"6983", "6984", "6A82"} | {word for word in _words() if word.startswith("63C")}
    for word in sorted(_words() - own):
        _breaks(name, at, lambda _, __, word=word: bytes.fromhex(word), f"SW {word}")  # type: ignore[misc]


def _words() -> set[str]:
    # 61xx: what comes then is the answer to GET RESPONSE, which this card does not have
    return {name[3:] for name in EVERY if name.startswith("SW ")} - {"6100", "6110"}


def test_data_where_none_is_due() -> None:
    for at in (5, 6):
        _breaks("secure four by PIN", at, lambda _, __: b"\xaa\x90\x00", f"data at {at}")
    _breaks("secure code A", 7, lambda _, __: b"\xaa\x90\x00", "data with VERIFY")


def _breaks(name: str, at: int, fault: Callable[[bytes, bytes], bytes], where: str) -> None:
    changed = Fault.answering(where, FaultKind.DATA, lambda answer: fault(b"", answer))
    faulty = Watched(FaultyConnection(Playback(conversation(name)), at=at, fault=changed))
    log = io.StringIO()
    card = Card(faulty, spec=spec(), random=seed, observer=lambda exchange: print(exchange, file=log))
    with pytest.raises(SecureMessagingError) as caught:
        OPERATIONS[name](card)
    assert_clean(shown(caught.value), where)
    assert caught.value.__cause__ is None
    assert caught.value.operation
    assert faulty.sent == at + 1, f"{where}: something was sent after it broke"
    assert faulty.secrets <= 2
    assert not card.channel.is_verified("input_support", "pin"), where
    assert_clean(log.getvalue().lower(), where)


def test_a_broken_session_stays_broken() -> None:
    class Breaking:
        def __init__(self) -> None:
            self.card = SoftCard.in_memory(state(), spec=spec())
            self.sent = 0
            self.bad = False

        def transmit(self, command: bytes) -> bytes:
            self.sent += 1
            return b"\x90\x00" if self.bad and command[1] == 0xB0 else self.card.transmit(command)

    connection = Breaking()
    card = Card(connection, spec=spec(), random=seed)
    with opened(card) as session:
        connection.bad = True
        with pytest.raises(SecureMessagingError):
            session.record("my_number")
        connection.bad = False
        sent = connection.sent
        with pytest.raises(SecureMessagingError):
            session.record("my_number")
        with pytest.raises(SecureMessagingError):
            session.verify("code_a", code_a())
        assert connection.sent == sent
        assert not any(session._link._key)
    # a new one begins with a SELECT and the PIN
    with pytest.raises(AccessDenied):
        card.channel.secure_messaging("input_support")
    assert card.input_support.read_basic_four(TEXT_PIN, secure_messaging=True).name


def test_an_interrupted_command_ends_it() -> None:
    class Interrupted:
        def __init__(self) -> None:
            self.card = SoftCard.in_memory(state(), spec=spec())

        def transmit(self, command: bytes) -> bytes:
            if command[0] == 0x08:
                raise KeyboardInterrupt
            return self.card.transmit(command)

    session = opened(Card(Interrupted(), spec=spec(), random=seed))
    with pytest.raises(KeyboardInterrupt):
        session.record("my_number")
    assert session.is_over
    with pytest.raises((SecureMessagingError, TransportError)):
        session.record("my_number")


def test_a_prompt_that_ends_the_session_sends_no_secret_into_it() -> None:
    """Asking for the secret, somebody selected another application: the card has forgotten the session."""
    said: list[bytes] = []

    class Overheard:
        extended = True

        def __init__(self, card: SoftCard) -> None:
            self._card = card

        def transmit(self, command: bytes, /) -> bytes:
            said.append(bytes(command))
            return self._card.transmit(command)

    with SoftCard.in_memory(state()) as card:
        channel = CardChannel(Overheard(card), ours=True)
        channel.verify("input_support", "pin", TEXT_PIN)
        session = channel.secure_messaging("input_support")

        class Elsewhere:
            def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
                del name, label, tries_left
                channel.select("juki")
                said.clear()
                return Secret(TEXT_PIN)

        with pytest.raises(SecureMessagingError):
            session.verify("pin", Elsewhere())
        assert session.is_over
        assert not [command for command in said if command[1] == 0x20]
