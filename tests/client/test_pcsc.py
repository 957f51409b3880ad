"""Cards through PC/SC, on a stand-in for pyscard: which card, whose it is meanwhile, and every way to fail."""

from __future__ import annotations

import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import kojin_card
from client.fake_pcsc import OK, PIN_DIRECT, PROPERTIES, REMOVED, RESET, SHARING, Fake, Reader
from client.operations import AUTH_PIN, PASSWORD, TEXT_PIN, planted, spec, state
from kojin_card.errors import (
    AmbiguousCard,
    Cancelled,
    CardBusy,
    CardRemoved,
    CardReset,
    KojinError,
    MissingExtra,
    NoCard,
    NoReader,
    NoService,
    PinRejected,
    ServiceRefused,
    TransportError,
    WrongCard,
)
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.transport import bounded, finding, pcsc, pinpad, winscard
from kojin_card.transport.base import Closable, Connection, Described, HasAtr, PinPad, Resettable, Transactional
from kojin_card.transport.bounded import BoundedCalls, CallCancelled, CallFailed, CallTimedOut
from kojin_card.transport.finding import Change, Event

JPKI = "D392F000260100000001"
ONE = "Reader one"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for anybody, but where a test says so."""
    monkeypatch.setattr(pcsc, "PATIENCE", 0.0)
    monkeypatch.setattr(pcsc, "PAUSE", 0.001)


def soft() -> SoftCard:
    return SoftCard.in_memory(state(), spec=spec())


class Other:
    """A card of another kind: refuses every application."""

    def transmit(self, _: bytes) -> bytes:
        return b"\x6a\x82"

    def reset(self) -> None:
        pass


class Phone:
    """Has the JPKI application only."""

    def transmit(self, command: bytes) -> bytes:
        return b"\x90\x00" if JPKI in command.hex().upper() else b"\x6a\x82"

    def reset(self) -> None:
        pass


class CommonOnly(Phone):
    """A card without JPKI (none was recorded on it)."""

    def transmit(self, command: bytes) -> bytes:
        return b"\x6a\x82" if JPKI in command.hex().upper() else b"\x90\x00"


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """One reader with the adult's card."""
    fake = Fake(Reader_one=Reader(soft())).install(monkeypatch)
    yield fake
    assert fake.contexts == 0, "a context of the service was left open"


def install(monkeypatch: pytest.MonkeyPatch, **readers: Reader) -> Fake:
    return Fake(**readers).install(monkeypatch)


# --- which card -------------------------------------------------------------------------------------------------------


def test_the_card_that_answers_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch, Empty=Reader(), Other=Reader(Other()), Right_one=Reader(soft()), Mute=Reader(Other(), mute=True)
    )
    with kojin_card.connect() as card:
        assert card.description == "Right one"
        assert card.jpki.token().label


@pytest.mark.parametrize("kind", [Phone, CommonOnly])
@pytest.mark.parametrize("atr", ["3B00", "3B8F8001804F0CA0000003060300030000000068", "3BE000FF8131FE4514"])
def test_it_is_told_by_its_answer_and_never_by_its_atr(
    monkeypatch: pytest.MonkeyPatch, kind: Callable[[], Any], atr: str
) -> None:
    install(monkeypatch, Reader_one=Reader(kind(), atr=bytes.fromhex(atr)))
    kojin_card.connect().close()
    install(monkeypatch, Reader_one=Reader(Other(), atr=bytes.fromhex("3BE000FF8131FE4514")))
    with pytest.raises(WrongCard) as caught:
        kojin_card.connect()
    assert caught.value.details["reader"] == ONE


def test_several_that_answer_are_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, Left=Reader(soft()), Right=Reader(soft()), Middle=Reader(Other()))
    with pytest.raises(AmbiguousCard) as caught:
        kojin_card.connect()
    assert caught.value.details["readers"] == "Left, Right"
    assert fake.dispositions == [0, 0, 0], "and left as they were"
    assert not fake.handles
    assert fake.contexts == 0
    for name in ("Right", "right", "igh"):
        with kojin_card.connect(name) as card:
            assert card.description == "Right"


def test_a_name_is_a_whole_name_first(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, PaSoRi=Reader(soft()), PaSoRi_2=Reader(soft()))
    assert kojin_card.connect("PaSoRi").description == "PaSoRi"
    with pytest.raises(AmbiguousCard):
        kojin_card.connect("pasori")
    with pytest.raises(NoReader) as caught:
        kojin_card.connect("ACR")
    assert caught.value.details["reader"] == "ACR"
    with pytest.raises(NoReader):
        kojin_card.connect("")


@pytest.mark.parametrize(
    ("readers", "kind"),
    [
        ({}, NoReader),
        ({"Empty": Reader()}, NoCard),
        ({"Empty": Reader(), "Mute": Reader(Other(), mute=True)}, NoCard),
        ({"Mute": Reader(Other(), mute=True), "Other": Reader(Other())}, WrongCard),
        ({"Busy": Reader(Other(), exclusive_elsewhere=True), "Other": Reader(Other())}, CardBusy),
    ],
    ids=["no reader", "empty", "mute", "another card", "busy"],
)
def test_without_one_the_cause_is_told(
    monkeypatch: pytest.MonkeyPatch, readers: dict[str, Reader], kind: type[KojinError]
) -> None:
    fake = install(monkeypatch, **readers)
    with pytest.raises(KojinError) as caught:
        kojin_card.connect()
    assert type(caught.value) is kind
    assert fake.contexts == 0


def test_a_card_that_another_program_has_does_not_count_where_one_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Busy=Reader(soft(), exclusive_elsewhere=True), Free=Reader(soft()))
    assert kojin_card.connect().description == "Free"


def test_the_connection_follows_every_protocol_that_it_can(one: Fake) -> None:
    with pcsc.Service() as service:
        connection = service.connect(ONE)
        for protocol in (Connection, Transactional, Resettable, HasAtr, Described, Closable):
            assert isinstance(connection, protocol), protocol
        assert not isinstance(connection, PinPad), "this reader has no keys"
        assert connection.atr.hex().upper() == "3BE000FF8131FE4514"
        connection.close()
        connection.close()
        with pytest.raises(CardRemoved):
            connection.transmit(b"\x00\xa4\x00\x00")


# --- waiting and watching ---------------------------------------------------------------------------------------------


def test_waiting_ends_when_a_card_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch)
    told: list[str] = []

    def later() -> None:
        time.sleep(0.1)
        fake.readers["New"] = Reader()
        time.sleep(0.1)
        fake.readers["New"].card = soft()

    threading.Thread(target=later).start()
    with kojin_card.connect(wait=20, waiting=lambda: told.append("waiting")) as card:
        assert card.description == "New"
    assert told == ["waiting"]


@pytest.mark.parametrize("call", ["SCardConnect", "SCardBeginTransaction", "SCardTransmit"])
@pytest.mark.parametrize("code", [REMOVED, RESET, 0x80100016, 0x80100066])
def test_a_card_that_is_just_being_laid_on_is_waited_for(one: Fake, call: str, code: int) -> None:
    """Nothing was said to it yet, and on a contactless reader it comes and goes a few times before it lies."""
    one.fault = lambda name, number, _: code if (name, number) == (call, 0) else None
    kojin_card.connect(wait=20).close()
    one.before.clear()
    with pytest.raises((TransportError, NoCard)):
        kojin_card.connect()
    assert one.contexts == 0


def test_waiting_ends_when_the_time_is_over_or_somebody_cancels(one: Fake) -> None:
    one.readers[ONE].card = None
    with pytest.raises(NoCard):
        kojin_card.connect(wait=0.2)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        kojin_card.connect(wait=20, cancel=cancel)
    one.readers[ONE].card = soft()
    kojin_card.connect(wait=20, cancel=cancel).close()  # nothing was to be waited for


def test_a_wait_that_is_cancelled_comes_back_at_once(one: Fake) -> None:
    one.readers[ONE].card, one.sleeps = None, 30.0
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        kojin_card.connect(wait=60, cancel=cancel)
    assert time.monotonic() - begun < 1.5, "and not when the system would have come back by itself"


def test_events_are_told_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, Left=Reader(soft(), count=3))
    found = finding.watch(seconds=5)

    def following(count: int) -> list[tuple[str, str]]:
        return [(str(event.change), event.reader) for _, event in zip(range(count), found, strict=False)]

    assert following(2) == [("reader_added", "Left"), ("card_inserted", "Left")]
    fake.readers["Right"] = Reader()
    assert following(1) == [("reader_added", "Right")]
    fake.readers["Left"].card, fake.readers["Left"].count = None, 4
    assert following(1) == [("card_removed", "Left")]
    del fake.readers["Left"]
    assert following(1) == [("reader_removed", "Left")]
    found.close()  # type: ignore[attr-defined]
    assert fake.contexts == 0


def reader_state(name: str, raw: int, atr: str = "3B00") -> winscard.ReaderState:
    return winscard.ReaderState.of(name, raw, bytes.fromhex(atr))


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (0x30020, 0x30020, []),
        (0x30020, 0x30120, []),  # another program connected
        (0x30020, 0x40010, ["card_removed"]),
        (0x30010, 0x40020, ["card_inserted"]),
        (0x30020, 0x50020, ["card_removed", "card_inserted"]),  # changed for another between two looks
        (0x30020, None, ["card_removed", "reader_removed"]),
        (None, 0x30220, ["reader_added", "card_inserted"]),
    ],
)
def test_what_happened_between_two_looks(before: int | None, after: int | None, events: list[str]) -> None:
    old = [] if before is None else [reader_state("R", before)]
    new = [] if after is None else [reader_state("R", after)]
    assert [str(event.change) for event in finding.changes(old, new)] == events
    other = [reader_state("R", 0x30020, "3B01")]
    assert list(finding.changes([reader_state("R", 0x30020)], other))[-1] == Event(
        Change.CARD_INSERTED, "R", b"\x3b\x01"
    )


def test_watching_does_not_keep_the_processor_busy(one: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the system comes back at once, with nothing."""
    monkeypatch.setattr(pcsc, "PAUSE", 0.1)
    one.fault = lambda name, _, arguments: (
        0x80100009 if name == "SCardGetStatusChange" and len(arguments[2]) > 1 else None
    )
    assert len(list(finding.watch(seconds=0.5))) == 2
    assert one.before["SCardGetStatusChange"] < 20


# --- whose the card is ------------------------------------------------------------------------------------------------


def test_from_the_first_secret_on_nobody_else_gets_at_the_card(one: Fake) -> None:
    with kojin_card.connect() as card:
        card.jpki.token()
        assert not one.lock, "looking is shared"
        card.jpki.certificate("auth")
        assert not one.lock, "so is what needed no secret, when it is over"
        card.input_support.read_basic_four(TEXT_PIN)
        assert one.lock, "the PIN is verified, so the card is kept"
        card.common.card_information()
        assert one.lock
        assert one.resets == 0
    assert not one.lock
    assert one.resets == 1


def test_a_card_that_was_shown_no_secret_is_left_to_the_others(one: Fake) -> None:
    with kojin_card.connect() as card:
        card.jpki.token()
        card.pin_status()
    assert one.resets == 0
    assert set(one.dispositions) == {0}


def test_a_reset_in_between_gives_the_card_back(one: Fake) -> None:
    with kojin_card.connect() as card:
        card.jpki.certificate("sign", PASSWORD)
        card.channel.reset()
        assert (one.resets, one.lock) == (1, {})
        card.jpki.certificate("sign", PASSWORD)
    assert one.resets == 2


def test_a_secret_that_goes_past_the_channel_is_kept_and_reset_all_the_same(one: Fake) -> None:
    with pcsc.Service() as service:
        connection = service.connect(ONE)
        connection.transmit(bytes.fromhex(f"00A4040C0A{JPKI}"))
        connection.transmit(bytes.fromhex("0020009804") + AUTH_PIN.encode())
        assert one.lock
        connection.close()
    assert (one.resets, one.dispositions) == (1, [1])


def test_nothing_is_believed_to_be_selected_when_exclusive_use_begins(one: Fake) -> None:
    with kojin_card.connect() as card:
        card.jpki.token()
        one.readers[ONE].card.transmit(bytes.fromhex("00A4040C0AD3921000310001010408"))  # another program
        assert card.jpki.certificate("sign", PASSWORD)


@pytest.mark.parametrize("when", ["before a secret", "after it"])
def test_a_reset_by_others_ends_the_session_and_no_secret_is_sent_again(one: Fake, when: str) -> None:
    with kojin_card.connect() as card:
        card.jpki.token()
        if when == "after it":
            card.channel.verify("jpki", "auth_pin", AUTH_PIN)
        secrets = len([apdu for apdu in one.sent if apdu.startswith("00200098")])
        one.reset_by_others(ONE)
        for _ in range(2):
            with pytest.raises(TransportError) as caught:
                card.jpki.auth_signer(AUTH_PIN) if when == "before a secret" else card.jpki.token()
            assert "secret" not in str(caught.value)
        assert isinstance(caught.value, CardReset | TransportError)
    assert len([apdu for apdu in one.sent if apdu.startswith("00200098")]) == secrets


def test_windows_is_asked_for_the_card_alone_because_its_transactions_end_by_themselves(
    one: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with kojin_card.connect() as card:
        card.channel.verify("jpki", "auth_pin", AUTH_PIN)
        assert one.shares[-1] == Fake.SCARD_SHARE_EXCLUSIVE
        began = one.before["SCardBeginTransaction"]
    assert one.resets == 1
    one.readers[ONE].shared_elsewhere = True
    with kojin_card.connect() as card:
        card.channel.verify("jpki", "auth_pin", AUTH_PIN)
        assert one.before["SCardBeginTransaction"] > began, "others are connected: a transaction must do"


def test_a_card_that_others_have_is_asked_for_again_for_a_while(one: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "PATIENCE", 5.0)
    one.fault = lambda name, number, _: SHARING if name == "SCardConnect" and number < 3 else None
    kojin_card.connect().close()
    assert one.before["SCardConnect"] == 4
    monkeypatch.setattr(pcsc, "PATIENCE", 0.05)
    one.fault = lambda name, *_: SHARING if name == "SCardConnect" else None
    with pytest.raises(CardBusy) as caught:
        kojin_card.connect()
    assert ONE in caught.value.words("en")


def test_a_transaction_of_others_that_does_not_end_is_not_waited_for_for_ever(
    one: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc, "SERVICE_SECONDS", 0.2)
    over = threading.Event()

    def fault(name: str, number: int, _: object) -> int | None:
        if name == "SCardBeginTransaction" and number == 1:  # the first is that of finding the card
            over.wait(20)
            return 0x80100003
        return None

    one.fault = fault
    begun = time.monotonic()
    with pytest.raises(CardBusy), kojin_card.connect() as card:
        card.channel.verify("jpki", "auth_pin", AUTH_PIN)
    assert time.monotonic() - begun < 5
    assert not [apdu for apdu in one.sent if apdu.startswith("00200098") and len(apdu) > 8]
    over.set()
    _until_given_back(one)


def _until_given_back(fake: Fake) -> None:
    """The context goes back as soon as the call that hung comes back."""
    deadline = time.monotonic() + 10
    while fake.contexts and time.monotonic() < deadline:
        time.sleep(0.01)
    assert fake.contexts == 0


def test_a_card_that_says_nothing_hangs_nobody(one: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        pcsc.Service.code, "__kwdefaults__", {**(pcsc.Service.code.__kwdefaults__ or {}), "seconds": 0.2}
    )
    stuck = threading.Event()
    one.fault = lambda name, number, _: (
        (0x80100003 if stuck.wait(20) else None) if name == "SCardTransmit" and number == 1 else None
    )
    begun = time.monotonic()
    card = kojin_card.connect()
    with pytest.raises(TransportError):
        card.jpki.token()
    card.close()
    assert time.monotonic() - begun < 5
    stuck.set()
    _until_given_back(one)


# --- what goes over ---------------------------------------------------------------------------------------------------


def test_t0_has_five_bytes_of_header_and_no_le_behind_data(one: Fake) -> None:
    class T0(SoftCard):
        """ISO/IEC 7816-3 as a card sees it: the case is not to be seen."""

        def transmit(self, command: bytes) -> bytes:
            assert len(command) >= 5
            if command[1] in (0x20, 0xB0) and len(command) == 5 and command[4] == 0:
                command = command[:4] if command[1] == 0x20 else command
            elif command[1] == 0x2A:
                assert len(command) == 5 + command[4]
                command += b"\x00"
            answer = super().transmit(command)
            if command[1] == 0x2A and answer[-2:] == b"\x90\x00":
                self.rest = answer
                return b"\x61\x00"
            return self.rest if command[1] == 0xC0 else answer

    one.readers[ONE] = Reader(T0.in_memory(state(), spec=spec()), protocol=1)
    with kojin_card.connect() as card:
        assert card.channel.link.extended is False
        assert len(card.jpki.signer(PASSWORD).certificate) > 500
        assert card.channel.tries_left("jpki", "auth_pin") == 3
        card.channel.verify("jpki", "sign_password", PASSWORD)
        assert (
            len(
                card.channel.sign(
                    "jpki", "sign_key", bytes.fromhex("3031300D060960864801650304020105000420") + b"\x07" * 32
                )
            )
            == 256
        )
    assert "00C0000000" in one.sent


@pytest.mark.parametrize(
    ("properties", "atr", "extended"),
    [
        ("", "3BDA13FF8131FB468012392F31C173C601C03B", True),
        ("0A0400000000", "3BDA13FF8131FB468012392F31C173C601C03B", False),
        ("0A0400000100", "3BDA13FF8131FB468012392F31C173C601C03B", True),
        ("0A0400000100", "3BE000FF8131FE4514", False),
        ("0A04", "3BDA13FF8131FB468012392F31C173C601C03B", True),
        ("010100 0A0400000000", "3BDA13FF8131FB468012392F31C173C601C03B", False),
    ],
)
def test_extended_apdus_where_card_and_reader_say_so(one: Fake, properties: str, atr: str, extended: bool) -> None:
    one.readers[ONE].features = {0x12: PROPERTIES}
    one.readers[ONE].properties = bytes.fromhex(properties)
    one.readers[ONE].atr = bytes.fromhex(atr)
    with kojin_card.connect() as card:
        assert card.channel.link.extended is extended
        assert len(card.jpki.certificate("auth")) > 500


@pytest.mark.parametrize("code", [0x80100004, 0x80100008, 0x80100011])
def test_a_driver_that_does_not_carry_long_commands_is_given_short_ones(one: Fake, code: int) -> None:
    one.readers[ONE].atr = bytes.fromhex("3BDA13FF8131FB468012392F31C173C601C03B")
    one.fault = lambda name, _, arguments: (
        code if name == "SCardTransmit" and len(arguments[2]) == 7 and arguments[2][1] == 0xB0 else None
    )
    with kojin_card.connect() as card:
        assert len(card.jpki.certificate("auth")) > 500
        assert card.channel.link.extended is False


# --- a reader with keys -----------------------------------------------------------------------------------------------


class AtThePad:
    """Wants the PIN typed at the reader."""

    def __init__(self, wants: bool = True) -> None:
        self.wants = wants
        self.told: list[tuple[str, int | None]] = []

    def on_pad(self, name: str, *, label: str, tries_left: int | None) -> bool:
        assert label
        self.told.append((name, tries_left))
        return self.wants

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        assert label
        assert tries_left != 0
        return Secret(PASSWORD if name == "sign-password" else AUTH_PIN)


@pytest.fixture
def pad(one: Fake) -> Fake:
    one.readers[ONE].features = {0x06: PIN_DIRECT, 0x07: 0x42330007}
    one.readers[ONE].typed = AUTH_PIN
    return one


def test_a_pin_is_typed_at_the_reader_and_never_comes_here(pad: Fake) -> None:
    lines: list[str] = []
    source = AtThePad()
    with kojin_card.connect(observer=lambda exchange: lines.append(str(exchange))) as card:
        signer = card.jpki.auth_signer(source)
        assert len(signer.certificate) > 500
        assert pad.lock
    assert source.told == [("auth-pin", 3)]
    assert pad.resets == 1
    assert not [apdu for apdu in pad.sent if AUTH_PIN.encode().hex() in apdu.lower()]
    # PC/SC part 10: 30 s, ASCII left in bytes, at most 4 and at least 4 digits, the validation key; then the command
    assert [one.hex().upper() for one in pad.structures] == [
        "1E1E820000" + "0404" + "02" + "01" + "1104" + "00000000" + "05000000" + "0020009800"
    ]
    assert any("[secret]" in line or line.startswith("00 20 00 98") for line in lines)


def test_a_wrong_pin_at_the_reader_costs_one_try(pad: Fake) -> None:
    pad.readers[ONE].typed = "0000"
    with kojin_card.connect() as card:
        with pytest.raises(PinRejected) as caught:
            card.jpki.auth_signer(AtThePad())
        assert caught.value.tries_left == 2
    assert len(pad.structures) == 1


@pytest.mark.parametrize("answer", ["6400", "6401", "6403"])
def test_what_the_reader_answers_itself_is_a_cancellation(pad: Fake, answer: str) -> None:
    pad.readers[ONE].typed = bytes.fromhex(answer)
    card = kojin_card.connect()
    with pytest.raises(Cancelled):
        card.jpki.auth_signer(AtThePad())
    card.close()
    assert pad.readers[ONE].card.state.key("jpki", "auth_pin").tries_left == 3


def test_letters_and_other_sources_are_not_for_the_pad(pad: Fake) -> None:
    source = AtThePad()
    with kojin_card.connect() as card:
        card.jpki.signer(source)  # letters and digits
        card.jpki.auth_signer(AtThePad(wants=False))
        card.jpki.auth_signer(AUTH_PIN)
    assert not pad.structures
    assert not source.told


@pytest.mark.parametrize("answer", ["06", "0603423300", "060442330006 0704", "06054233000600"])
def test_a_malformed_list_of_features_is_none(answer: str) -> None:
    assert pinpad.features(bytes.fromhex(answer)) == {}


# --- every way to fail ------------------------------------------------------------------------------------------------

#: winscard.h, all of them, and some that are in no book
CODES = [
    *range(0x80100001, 0x80100034),
    *range(0x80100065, 0x80100073),
    0x80100099,
    0x00000006,
    0xFFFFFFFF,
]
#: pyscard's own, and what a binding may raise besides
EXCEPTIONS = [
    *(
        type(name, (Exception,), {})
        for name in (
            "SmartcardException",
            "CardConnectionException",
            "NoCardException",
            "CardRequestException",
            "CardRequestTimeoutException",
            "CardServiceException",
            "CardServiceStoppedException",
            "CardServiceNotFoundException",
            "InvalidATRMaskException",
            "InvalidReaderException",
            "ListReadersException",
            "NoReadersException",
            "SWException",
            "EstablishContextException",
            "error",
        )
    ),
    SystemError,
    TypeError,
    OSError,
    OverflowError,
    MemoryError,
]
SERVICE: dict[int, type[KojinError]] = {
    0x8010001D: NoService,
    0x8010001E: NoService,
    0x80100013: NoService,
    0x8010006A: ServiceRefused,
}
EXPECTED: dict[str, dict[int, type[KojinError]]] = {
    "SCardEstablishContext": {**SERVICE, 0x80100027: ServiceRefused},
    "SCardListReaders": SERVICE,
    "SCardConnect": {
        0x8010000B: CardBusy,
        0x8010000C: NoCard,
        0x80100009: NoReader,
        0x80100066: NoCard,
        0x80100067: NoCard,
        0x80100065: WrongCard,
        0x8010000F: WrongCard,
        0x80100069: CardRemoved,
        0x8010006A: ServiceRefused,
        0x8010001D: NoService,
    },
    "SCardTransmit": {
        RESET: CardReset,
        REMOVED: CardRemoved,
        0x80100017: CardRemoved,
        0x80100009: CardRemoved,
        0x8010000B: CardBusy,
        0x80100016: TransportError,
        0x8010001E: TransportError,
    },
    "SCardBeginTransaction": {RESET: CardReset, REMOVED: CardRemoved, 0x8010001E: TransportError},
    "SCardReconnect": {RESET: CardReset, 0x8010001E: TransportError},
}
#: calls whose failure harms nobody: what is asked of a reader's features and of a card's ATR, and the last ones of a
#: card that was reset
HARMLESS = {"SCardControl", "SCardStatus", "SCardReleaseContext", "SCardEndTransaction", "SCardDisconnect"}


def job(fake: Fake) -> None:
    """Find a card, read the four items behind a PIN, leave."""
    with kojin_card.connect() as card:
        card.input_support.read_basic_four(TEXT_PIN)


def calls_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    fake = install(monkeypatch, Reader_one=Reader(soft()))
    job(fake)
    seen: dict[str, int] = {}
    out = []
    for name, code in fake.log:
        assert code == OK, name
        out.append((name, seen.get(name, 0)))
        seen[name] = seen.get(name, 0) + 1
    return out


def run_with_fault(
    monkeypatch: pytest.MonkeyPatch, call: tuple[str, int], wrong: Any
) -> tuple[Fake, KojinError | None]:
    fake = install(monkeypatch, Reader_one=Reader(soft()))
    words = f"could not send 0020009104{TEXT_PIN.encode().hex()} {TEXT_PIN}"
    fault = wrong if isinstance(wrong, int) else wrong(words)
    fake.fault = lambda name, number, _: fault if (name, number) == call else None
    try:
        job(fake)
    except KojinError as bad:
        return fake, bad
    return fake, None


@pytest.mark.parametrize("name", sorted({*EXPECTED, *HARMLESS, "SCardGetStatusChange", "SCardDisconnect"}))
def test_every_failure_of_every_call_is_a_typed_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    calls = [call for call in calls_of(monkeypatch) if call[0] == name]
    assert calls
    shown = 0
    for call in calls:
        for wrong in [*CODES, *EXCEPTIONS]:
            fake, error = run_with_fault(monkeypatch, call, wrong)
            what = (call, hex(wrong) if isinstance(wrong, int) else wrong.__name__, error)
            secrets = [apdu for apdu in fake.sent if apdu.startswith("00200091") and len(apdu) > 8]
            assert len(secrets) <= 1, what
            assert not fake.handles or name == "SCardDisconnect", what
            assert fake.contexts == 0 or name in ("SCardReleaseContext", "SCardEstablishContext"), what
            if secrets and name != "SCardDisconnect" and name != "SCardReconnect":
                assert fake.resets == 1, what
            if error is None:
                continue
            shown += 1
            _is_told_well(error)
            expected = EXPECTED.get(name, {}).get(wrong) if isinstance(wrong, int) else None
            if expected is not None:
                assert type(error) is expected or (secrets and isinstance(error, TransportError)), what
    assert shown or name in HARMLESS


def _is_told_well(error: KojinError) -> None:
    assert type(error) is not KojinError
    assert error.operation
    for lang in ("ja", "en"):
        assert error.words(lang)
        assert error.remedy(lang)
    text = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert TEXT_PIN not in text
    assert TEXT_PIN.encode().hex() not in text


def test_what_is_expected_at_the_calls_that_must_go_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of each kind, one by one: here nothing may come out otherwise."""
    for name, table in EXPECTED.items():
        for code, kind in table.items():
            _, error = run_with_fault(monkeypatch, (name, 0), code)
            assert type(error) is kind, (name, hex(code), error)


@pytest.mark.parametrize("number", range(5))
def test_a_card_that_is_taken_away_at_any_apdu(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """First the reader only stutters; a second look tells that the card is away."""
    for code in (REMOVED, 0x80100016, 0x80100066):
        fake = install(monkeypatch, Reader_one=Reader(soft()))

        def fault(name: str, at: int, _: object, fake: Fake = fake, code: int = code) -> int | None:
            if name == "SCardTransmit" and at == number:
                fake.readers[ONE].card = None
                return code
            return None

        fake.fault = fault
        with pytest.raises((CardRemoved, NoCard)) as caught:
            job(fake)
        assert number == 0 or type(caught.value) is CardRemoved
        assert fake.before["SCardTransmit"] == number + 1 or number == 0
        assert not any(item in str(vars(caught.value)) for item in planted())


def test_leaving_a_card_that_is_away_is_no_error(one: Fake) -> None:
    card = kojin_card.connect()
    card.channel.verify("jpki", "auth_pin", AUTH_PIN)
    one.readers[ONE].card = None
    card.close()


def test_a_card_that_could_not_be_reset_is_told(one: Fake) -> None:
    one.fault = lambda name, *_: 0x8010001E if name in ("SCardReconnect", "SCardDisconnect") else None
    with pytest.raises(TransportError), kojin_card.connect() as card:
        card.channel.verify("jpki", "auth_pin", AUTH_PIN)


# --- the extra --------------------------------------------------------------------------------------------------------


def test_without_pyscard_people_are_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    with pytest.raises(MissingExtra) as caught:
        kojin_card.connect()
    assert type(caught.value) is MissingExtra
    assert caught.value.details["extra"] == "pcsc"


def test_a_pyscard_without_its_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("libpcsclite.so.1: cannot open shared object file")

    monkeypatch.setitem(sys.modules, "smartcard", Broken("smartcard"))
    with pytest.raises(MissingExtra, match="cannot be loaded"):
        kojin_card.connect()


# --- calls with a limit -----------------------------------------------------------------------------------------------


def test_a_call_comes_back_or_is_given_up() -> None:
    calls = BoundedCalls()
    assert calls.call(divmod, 7, 3, seconds=5) == (2, 1)
    with pytest.raises(CallFailed, match="ZeroDivisionError"):
        calls.call(divmod, 7, 0, seconds=5)
    free = threading.Event()
    with pytest.raises(CallTimedOut):
        calls.call(free.wait, 20, seconds=0.05)
    flag = threading.Event()
    threading.Timer(0.05, flag.set).start()
    with pytest.raises(CallCancelled):
        calls.call(free.wait, 20, seconds=20, cancel=flag)
    free.set()
    assert calls.call(len, "abc", seconds=5) == 3, "in order, when the ones before came back"
    calls.close()
    assert calls.call(len, "abcd", seconds=5) == 4, "and it can be taken up again"
    calls.close()


def test_on_windows_no_wait_is_longer_than_ctrl_c_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a signal does not interrupt a wait for a lock: it is seen when the wait is over."""
    waits: list[float] = []

    class Watched(queue.SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            waits.extend([] if timeout is None else [timeout])
            return super().get(block, timeout)

    monkeypatch.setattr(bounded, "SimpleQueue", Watched)
    monkeypatch.setattr(sys, "platform", "win32")
    calls = BoundedCalls()
    assert calls.call(len, "abc", seconds=60) == 3
    calls.close()
    assert waits
    assert max(waits) <= 0.1
