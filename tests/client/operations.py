"""Every operation of the client with its conversation: recorded on the software card, played back with faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING

from kojin_card import Card
from kojin_card.applications import birth_code, verification_code_b
from kojin_card.authn import Challenge
from kojin_card.signing import sign_raw
from kojin_card.simulator import SoftCard, load_persona, make_card
from kojin_card.spec import load_card_spec
from kojin_card.verification.authenticity import RecordProver

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState
    from kojin_card.spec import CardSpec
    from kojin_card.testing import FaultyConnection
    from kojin_card.transport.base import Connection
    from kojin_card.transport.link import Exchange

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHALLENGE = Challenge.new("https://bank.invalid", "口座を開く", now=NOW, random=lambda count: b"\x07" * count)

#: invented, and unlike anything else in these conversations
TEXT_PIN, AUTH_PIN, NEW_PIN, PASSWORD = "8642", "7531", "9753", "PLANTED97531"
REGISTRY_PIN, NEW_REGISTRY_PIN = "6428", "5317"
LICENCE_PIN = "9713"
BIRTH = date(1990, 8, 3)
DUTY = "源泉徴収票の作成"


@cache
def spec() -> CardSpec:
    return load_card_spec()


@cache
def state() -> CardState:
    soft = SoftCard.in_memory(make_card("adult", now=NOW), spec=spec())
    channel = Card(soft, spec=spec()).channel
    channel.change("input_support", "pin", "5678", TEXT_PIN)
    channel.change("jpki", "auth_pin", "1234", AUTH_PIN)
    channel.change("jpki", "sign_password", "ABC123", PASSWORD)
    Card(soft, spec=spec()).change_pin("registry", "9012", REGISTRY_PIN)
    return soft.state


@cache
def licence_state() -> CardState:
    who = load_persona("licence_holder")
    return make_card(replace(who, pins={**who.pins, ("licence", "pin"): LICENCE_PIN}), now=NOW)


@cache
def code_b() -> bytes:
    card = Card(SoftCard.in_memory(state(), spec=spec()), spec=spec())
    return verification_code_b(BIRTH, card.common.card_information().expiry.year, "4271").reveal()


def code_a() -> str:
    return load_persona("adult").my_number


def prover() -> RecordProver:
    """One whose challenge is the same each time, for conversations that are played back."""
    return RecordProver("simulator", random=lambda count: b"\x07" * count, spec=spec())


def show_code_a(card: Card) -> None:
    """照合番号A, shown under secure messaging."""
    card.channel.verify("input_support", "pin", TEXT_PIN)
    with card.channel.secure_messaging("input_support") as session:
        session.verify("code_a", code_a())


def seed(count: int) -> bytes:
    """The same session keys each time, so that a conversation can be played back."""
    return bytes(range(count))


OPERATIONS: dict[str, Callable[[Card], object]] = {
    "four by PIN": lambda card: card.input_support.read_basic_four(TEXT_PIN),
    "four by PIN, not looking": lambda card: card.input_support.read_basic_four(TEXT_PIN, look=False),
    "four by code B": lambda card: card.input_support.read_basic_four(code_b=code_b().decode()),
    "card information": lambda card: card.common.card_information(),
    "token": lambda card: card.jpki.token(),
    "availability": lambda card: card.jpki.availability(),
    "authentication certificate": lambda card: card.jpki.certificate("auth", AUTH_PIN),
    "signature certificate": lambda card: card.jpki.certificate("sign", PASSWORD),
    "sign": lambda card: sign_raw(card.jpki.signer(PASSWORD), b"message"),
    "authenticate": lambda card: card.jpki.authenticate(AUTH_PIN, CHALLENGE),
    "change": lambda card: card.channel.change("jpki", "auth_pin", AUTH_PIN, NEW_PIN),
    "change registry PIN": lambda card: card.change_pin("registry", REGISTRY_PIN, NEW_REGISTRY_PIN),
    "my number by PIN": lambda card: card.input_support.read_my_number(TEXT_PIN, duty=DUTY),
    "my number by code A": lambda card: card.input_support.read_my_number(code_a=code_a(), duty=DUTY),
    "secure four by PIN": lambda card: card.input_support.read_basic_four(TEXT_PIN, secure_messaging=True),
    "secure my number": lambda card: card.input_support.read_my_number(TEXT_PIN, duty=DUTY, secure_messaging=True),
    "secure code A": lambda card: show_code_a(card),
    "face": lambda card: card.card_face.read_face(code_b=code_b().decode()),
    "age": lambda card: card.card_face.read_age(birth_code(BIRTH)).is_at_least(20, NOW),
    "my number image": lambda card: card.card_face.read_my_number_image(code_a(), duty=DUTY),
    "internal authentication": lambda card: card.common.internal_authenticate(b"\x07" * 32),
    "card management": lambda card: card.card_manager.information(),
    "four, proved": lambda card: card.input_support.read_basic_four(TEXT_PIN, prove=prover()),
    "status": lambda card: card.pin_status(),
    "licence": lambda card: card.licence.read(LICENCE_PIN),
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said in one operation that went well."""

    name: str
    answers: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.answers)


class Recorder:
    """A connection that keeps the answers that go through it."""

    def __init__(self, card: SoftCard) -> None:
        self.card = card
        self.answers: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.answers.append(self.card.transmit(command))
        return self.answers[-1]


@cache
def conversation(name: str) -> Conversation:
    recorder = Recorder(SoftCard.in_memory(soft_card(name), spec=spec()))
    OPERATIONS[name](Card(recorder, spec=spec(), random=seed))
    return Conversation(name, tuple(recorder.answers))


class Playback:
    """A card that plays a conversation back, whatever it is sent."""

    def __init__(self, good: Conversation) -> None:
        self.good = good
        self.number = 0

    def transmit(self, command: bytes) -> bytes:
        del command
        number, self.number = self.number, self.number + 1
        return self.good.answers[number] if number < len(self.good) else b"\x6f\x00"


class Watched:
    """What an operation sends; it can be reset, and is not closed, so that what the card remembers can be looked at.

    Attributes:
        sent: how many commands came.
        secrets: how many of them were VERIFY, CHANGE REFERENCE DATA or CHANGE KEY with data.
    """

    def __init__(self, connection: FaultyConnection) -> None:
        self.connection = connection
        self.sent = 0
        self.secrets = 0

    def transmit(self, command: bytes) -> bytes:
        self.sent += 1
        self.secrets += command[1] in (0x20, 0x24, 0x32) and len(command) > 4
        return self.connection.transmit(command)

    def reset(self) -> None:
        self.connection.reset()


@cache
def soft_card(name: str) -> CardState:
    """The card that an operation wants."""
    return licence_state() if name == "licence" else state()


def play(connection: Connection, name: str, observer: Callable[[Exchange], None] | None = None) -> object:
    """An operation on a connection: the card is reset when it is over."""
    with Card(connection, spec=spec(), observer=observer, random=seed) as card:
        return OPERATIONS[name](card)


@cache
def planted() -> tuple[str, ...]:
    """What must never show: secrets and personal data of the card, as text and as hex."""
    who = load_persona("adult")
    card = Card(SoftCard.in_memory(state(), spec=spec()), spec=spec())
    management = card.card_manager.information(chain=False)
    face = card.card_face.read_face(code_b=code_b().decode())
    image = card.card_face.read_my_number_image(code_a(), duty=DUTY).png
    licence = Card(SoftCard.in_memory(licence_state(), spec=spec()), spec=spec()).licence.read(LICENCE_PIN)
    assert face.photo is not None
    assert licence.photo is not None
    images = [one[-40:-20].hex() for one in (face.name_png, face.address_png, face.photo, image, licence.photo)]
    images.append(licence.record[:40].hex())
    values = [
        TEXT_PIN,
        AUTH_PIN,
        NEW_PIN,
        PASSWORD,
        code_b().decode(),
        who.my_number,
        who.name,
        who.address,
        "19900803",
        REGISTRY_PIN,
        NEW_REGISTRY_PIN,
        birth_code(BIRTH).reveal().decode(),
        management.card_identification,
        LICENCE_PIN,
        licence.number or "",
        licence.expiry_text,
    ]
    return tuple(values + [value.encode().hex() for value in values if len(value) > 3] + images)
