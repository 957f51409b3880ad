"""SCP03 from the terminal's side: against exchanges that real cards had, against a card written by hand, and against
cards that lie in every way."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.security_domain import SecurityDomain, hand_cmac
from kojin_card.channel import CardChannel
from kojin_card.errors import (
    CardRemoved,
    ChannelWait,
    HostRefused,
    KojinError,
    NotOnCard,
    SecureChannelError,
    TransportError,
    UnexpectedAnswer,
    UnprovenRefused,
    UsageError,
    WrongCardKeys,
)
from kojin_card.globalplatform import Scp03Session, SecurityLevel, StaticKeys, TrialKeys, open_session
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.secret import Secret
from kojin_card.transport.link import Exchange

FULL = SecurityLevel.FULL
LEVELS = list(SecurityLevel)
GET_STATUS = CommandApdu(0x80, 0xF2, 0x40, 0x02, bytes.fromhex("4F00"), 256)


def octets(bits: int) -> tuple[bytes, bytes, bytes]:
    """Three keys, of which none is another."""
    return bytes(range(bits // 8)), bytes(range(0x40, 0x40 + bits // 8)), bytes(range(0x80, 0x80 + bits // 8))


def key_set(bits: int = 128, version: int = 1) -> StaticKeys:
    enc, mac, dek = (Secret(key) for key in octets(bits))
    return StaticKeys(version, enc, mac, dek)


def opened(card: SecurityDomain, level: SecurityLevel = FULL, bits: int = 128) -> Scp03Session:
    return open_session(CardChannel(card, ours=True), card.aid, key_set(bits), level)


# --- real cards ------------------------------------------------------------------------------------------------------

# What an eUICC answered, recorded in public (tests of pySim, Osmocom): the octets only. The commands
# of the second block were computed by that program, which cards accept. AES-192 is none of ours.
EUICC = bytes.fromhex("A0000005591010FFFFFFFF8900000100")
EID = ("80E2910006BF3E035C015A00", "BF3E125A10898821199000000000000000000000059000")
CASES = ("80F22002", "80CA006600", "80F220020A4F0212345C054F9F70C5", "80F28002024F0000")


@dataclass(frozen=True)
class Recorded:
    bits: int
    level: SecurityLevel
    challenge: str
    initialize: str
    authenticate: str
    eid: tuple[str, str]
    cases: tuple[str, str, str, str]


RECORDED = [
    Recorded(
        128,
        SecurityLevel.C_MAC_R_MAC,
        "b13e5f938fc108c4",
        "000000000000000000003003703eb51047495b249f66c484c1d2ef1948000002",
        "84821100107d5f5826a993ebc89eea24957fa0b3ce",
        (
            "84e291000ebf3e035c015a558d036518a2829700",
            "bf3e125a1089882119900000000000000000000005971be68992dbbdfa",
        ),
        (
            "84f220020863a63f8959827fb2",
            "84ca006608a0c6a4a74166f7ce00",
            "84f22002124f0212345c054f9f70c52249b50272656536",
            "84f280020a4f00e91443f6dce6b8ed00",
        ),
    ),
    Recorded(
        128,
        SecurityLevel.C_MAC_C_DEC,
        "8e1552d0513c60f3",
        "0000000000000000000030037030760cd2c47c1dd395065fe5ead8a9d7000001",
        "8482030010fd4721a14d9b07003c451d2f8ae6bb21",
        ("84e2910018ca9c00f6713d79bc8baa642bdff51c3f6a4082d3bd9ad26c00", "bf3e125a1089882119900000000000000000000005"),
        (
            "84f2200208c9811b11f1264cf1",
            "84ca006608e10ab60b3054798800",
            "84f22002184e2908bdb48b2315a55482e9e936ca122d6ecfae7d17416e",
            "84f28002180dd10a6b6193e5340b9e77d32d5a179cd710ac2773aefb2800",
        ),
    ),
    Recorded(
        128,
        FULL,
        "fdf38259a1e0de44",
        "000000000000000000003003703b1aca81e821f219081cdc01c26b372d000003",
        "84823300108c36f96bcc00724a4e13ad591d7da3f0",
        (
            "84e2910018267a85dfe4a98fca6fb0527e0dfecce4914e40401433c87f00",
            "f3ba2b1013aa6224f5e1c138d71805c569e5439b47576260b75fc021b25097cb2e68f8a0144975b9",
        ),
        (
            "84f2200208ac6a59024bed84cc",
            "84ca006608409912ad8fb7aed000",
            "84f22002185f3dafc3ac14c381536a488bf44e06d056df9d74dbd21e5a",
            "84f280021865165105be3373347d0424d4400af2ac393f569ec779389e00",
        ),
    ),
    Recorded(
        256,
        SecurityLevel.C_MAC_R_MAC,
        "11666d57866c6f54",
        "0000000000000000000032037053ea8847efa7674e41498a4d66cf0dee000003",
        "84821100102f2ad190eff2fafc4908996d1cebd310",
        (
            "84e291000ebf3e035c015af4b680372542b59d00",
            "bf3e125a10898821199000000000000000000000058012dd7f01f1c4c1",
        ),
        (
            "84f2200208d618b7da68d5fe52",
            "84ca0066088f3e055db23ad5e500",
            "84f22002124f0212345c054f9f70c5b6e15cc42404915e",
            "84f280020a4f00aa124aa74afe7f7500",
        ),
    ),
    Recorded(
        256,
        SecurityLevel.C_MAC_C_DEC,
        "c6066990fc426e1d",
        "000000000000000000003203708682cd81bbd8919f2de3f2664581f118000001",
        "848203001077c493b632edadaf865a1e64acc07ce9",
        ("84e29100183ddaa60594963befaada3525b492ede23c2ab2c1ce3afe4400", "bf3e125a1089882119900000000000000000000005"),
        (
            "84f2200208480ddc8e419da38d",
            "84ca0066083e9d6a6c0b2d732000",
            "84f22002183ebfef2da8b04af2a85f491f299b76973df76ff08a4031be",
            "84f2800218783fff80990f5585b1055010ea95094a26e4a8f1ef4b18e100",
        ),
    ),
    Recorded(
        256,
        FULL,
        "97b2055fe58599fd",
        "00000000000000000000320370a8439a22cedf045fa9f1903b2834f26e000002",
        "8482330010508a0fd959d2e547c6b33154a6be2057",
        (
            "84e29100187a5ef717eaf1e135ae92fe54429d0e465decda65f5fe5aea00",
            "ea90dbfa648a67c5eb6abc57f8530b97d0cd5647c5e8732016b55203b078dd2ace7f8bc5d1c1cd99",
        ),
        (
            "84f2200208bcc5c17275545d93",
            "84ca00660804806aba9d543bb600",
            "84f2200218717222491556ec81a45f49ce48be33320024801a1c4cb0e0",
            "84f2800218561f105bccd3a1642904b251ccc1228beb80a82370a8637000",
        ),
    ),
]


@dataclass
class Played:
    """Answers what was recorded, and 6A88 (which has no MAC) where no answer was."""

    recorded: Recorded
    sent: list[str] = field(default_factory=list)
    description = "recorded"

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command.hex())
        answers = ["9000", self.recorded.initialize + "9000", "9000", self.recorded.eid[1] + "9000"]
        return bytes.fromhex(answers[len(self.sent) - 1] if len(self.sent) <= len(answers) else "6A88")


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: f"AES-{one.bits}-{one.level:02X}")
def test_what_a_real_card_accepted_and_answered(recorded: Recorded) -> None:
    repeat = recorded.bits // 128
    enc, mac, dek = (Secret(bytes(range(first, first + 16)) * repeat) for first in (0x00, 0x10, 0x20))
    keys = StaticKeys(0x30 if repeat == 1 else 0x32, enc, mac, dek)
    card = Played(recorded)
    channel = CardChannel(card, ours=True)
    session = open_session(
        channel, EUICC, keys, recorded.level, random=lambda count: bytes.fromhex(recorded.challenge)[:count]
    )
    answer = session.send(CommandApdu.decode(bytes.fromhex(EID[0])), operation="read the EID")
    assert answer.encode().hex().upper() == EID[1]
    for case in CASES:
        session.send(CommandApdu.decode(bytes.fromhex(case)), operation="case")
    assert card.sent[1] == f"8050{keys.version:02x}0008{recorded.challenge}00"
    assert card.sent[2] == recorded.authenticate
    # Le is our own business: an answer that may carry a MAC is always asked for
    without_le = [one[: 10 + 2 * int(one[8:10], 16)] for one in card.sent[3:]]
    assert without_le == [one[: 10 + 2 * int(one[8:10], 16)] for one in (recorded.eid[0], *recorded.cases)]


# --- every length, mode and level, against a card written by hand ----------------------------------------------------


@pytest.mark.parametrize("i", [0x70, 0x60])
@pytest.mark.parametrize("s16", [False, True])
@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("level", LEVELS)
def test_commands_and_answers_go_through(level: SecurityLevel, bits: int, s16: bool, i: int) -> None:
    def reply(ins: int, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        return data[::-1], {0x01: 0x6A88, 0x02: 0x6310}.get(p1, 0x9000)

    card = SecurityDomain(octets(bits), s16=s16, i=i, reply=reply)
    session = opened(card, level, bits)
    assert card.level == level
    assert session.peer.s16 is s16
    assert session.peer.counter == (6 if i == 0x70 else None)
    mac = 16 if s16 else 8
    for count in (0, 1, 15, 16, 17, 200):
        data = bytes(range(count))
        answer = session.send(CommandApdu(0x80, 0xE2, 0x90, 0, data, 256), operation="store")
        assert (answer.data, answer.sw) == (data[::-1], 0x9000)
        assert card.plain[-1] == (0xE2, 0x90, 0, data)
    assert session.send(CommandApdu(0x00, 0xF2, 0x01, 0), operation="nothing found").sw == 0x6A88
    more = session.send(CommandApdu(0x80, 0xF2, 0x02, 0, b"abc", 256), operation="more")
    assert (more.data, more.sw) == (b"cba", 0x6310)
    assert {command[0] for command in card.raw[3:]} == {0x84, 0x04}
    # the most that fits goes, and a byte more is refused before anything is sent
    assert session.room == ((255 - mac) // 16 * 16 - 1 if level & 0x02 else 255 - mac)
    session.send(CommandApdu(0x80, 0xE2, 0x01, 0, bytes(session.room)), operation="store")
    sent = len(card.raw)
    with pytest.raises(UsageError):
        session.send(CommandApdu(0x80, 0xE2, 0x01, 0, bytes(session.room + 1)), operation="store")
    assert len(card.raw) == sent
    assert not session.is_over
    if level & 0x02:
        assert not any(bytes(range(15)) in command for command in card.raw)


@pytest.mark.parametrize(
    "command", [CommandApdu(0x80, 0xCA, 0, 0, le=257), CommandApdu(0x84, 0xCA, 0, 0), CommandApdu(0x01, 0xA4, 4, 0)]
)
def test_what_cannot_be_protected_is_refused_and_the_session_goes_on(command: CommandApdu) -> None:
    card = SecurityDomain(octets(128))
    session = opened(card)
    sent = len(card.raw)
    with pytest.raises(UsageError):
        session.send(command, operation="look")
    assert len(card.raw) == sent
    assert session.send(GET_STATUS, operation="look").ok


def test_every_byte_of_one_session_at_the_highest_level() -> None:
    """S8, AES-128, level 33, typed out: what goes over and in which order."""
    card = SecurityDomain(octets(128), reply=lambda *_: (b"\xe3\x00", 0x9000))
    channel = CardChannel(card, ours=True)
    session = open_session(channel, card.aid, key_set(), random=lambda count: bytes(count))
    session.send(GET_STATUS, operation="look")
    select, initialize, authenticate, status = card.raw
    assert select.hex().upper() == "00A404000E" + card.aid.hex().upper() + "00"
    assert initialize.hex() == "8050010008" + "00" * 8 + "00"
    assert authenticate.hex().startswith("8482330010")
    assert len(authenticate) == 5 + 8 + 8
    first = hand_cmac(card.s_mac, bytes(16) + authenticate[:13])
    assert authenticate[13:] == first[:8]
    assert status.hex().startswith("84f2400218")
    assert status[-9:-1] == hand_cmac(card.s_mac, first + status[:21])[:8]
    assert status[-1] == 0x00


def test_a_domain_is_asked_for_its_first_key_set_when_the_keys_are_those_it_began_with() -> None:
    trial = TrialKeys().static()
    card = SecurityDomain((trial.enc.reveal(),) * 3, version=0xFF)
    open_session(CardChannel(card, ours=True), card.aid, trial)
    assert card.raw[1][:4].hex() == "80500000"


def test_a_slot_has_the_challenges_of_its_domain() -> None:
    card = SecurityDomain(octets(128))
    slot = bytes.fromhex("F04B4F4A494E0102030405060708")
    assert not open_session(CardChannel(card, ours=True), slot, key_set(), domain=card.aid).is_over
    with pytest.raises(SecureChannelError, match="counter"):
        open_session(CardChannel(card, ours=True), slot, key_set(), domain=slot)


def test_who_wants_16_bytes_does_not_get_8() -> None:
    card = SecurityDomain(octets(128))
    with pytest.raises(UnexpectedAnswer):
        open_session(CardChannel(card, ours=True), card.aid, key_set(), s16=True)


# --- the gate --------------------------------------------------------------------------------------------------------


@pytest.mark.attack("channel", "{} for a card that is not ours", "unproven, before anything is sent")
@pytest.mark.parametrize("trial", [True, False], ids=["trial keys", "an owner's keys"])
def test_nothing_is_sent_to_a_card_that_is_not_ours(trial: bool) -> None:
    keys = TrialKeys().static() if trial else key_set()
    card = SecurityDomain(octets(128))
    with pytest.raises(UnprovenRefused):
        open_session(CardChannel(card), card.aid, keys)
    assert not card.raw
    if not trial:
        open_session(CardChannel(card, allow_unproven=True), card.aid, keys)


# --- a card that lies ------------------------------------------------------------------------------------------------


def flipped(at: int) -> Callable[[bytes], bytes]:
    def lie(answer: bytes) -> bytes:
        changed = bytearray(answer)
        changed[at] ^= 0x01
        return bytes(changed)

    return lie


def refused(card: SecurityDomain, kind: type[KojinError], *, level: SecurityLevel = FULL) -> None:
    with pytest.raises(kind):
        opened(card, level)
    assert card.level is None
    assert not any(command[:2] == b"\x84\x82" for command in card.raw), "nothing that depends on the keys went out"


OPENING: dict[str, tuple[Callable[[bytes], bytes], type[KojinError]]] = {
    "a wrong cryptogram": (flipped(21), WrongCardKeys),
    "another challenge": (flipped(13), WrongCardKeys),
    "a counter that is not that of the challenge": (flipped(31), SecureChannelError),
    "another version of keys": (flipped(10), WrongCardKeys),
    "another protocol": (flipped(11), SecureChannelError),
    "cut off": (lambda answer: answer[:-3] + answer[-2:], SecureChannelError),
    "cut short": (lambda answer: answer[:9] + answer[-2:], SecureChannelError),
    "empty": (lambda answer: answer[-2:], SecureChannelError),
    "with more behind it": (lambda answer: answer[:-2] + b"\x00" + answer[-2:], SecureChannelError),
    "said to be S16": (flipped(12), SecureChannelError),
    "without protection of answers": (
        lambda answer: answer[:12] + b"\x10" + answer[13:],
        SecureChannelError,
    ),
    "the host's challenge given back": (lambda answer: answer[:13] + bytes(16) + answer[29:], WrongCardKeys),
    "one must wait": (lambda _: b"\x69\x85", ChannelWait),
    "no such keys": (lambda _: b"\x6a\x88", NotOnCard),
    "an error": (lambda _: b"\x6f\x00", UnexpectedAnswer),
}


@pytest.mark.attack("channel", "INITIALIZE UPDATE answered: {}", "refused; the host shows nothing")
@pytest.mark.parametrize("name", OPENING)
def test_a_card_that_does_not_prove_its_keys_is_shown_nothing(name: str) -> None:
    lie, kind = OPENING[name]
    card = SecurityDomain(octets(128))
    card.lie["initialize"] = lie
    refused(card, kind)


def test_keys_of_another_card_are_told_as_that() -> None:
    refused(SecurityDomain((bytes(16),) * 3), WrongCardKeys)


def test_a_domain_that_is_not_there() -> None:
    card = SecurityDomain(octets(128))
    card.lie["select"] = lambda _: b"\x6a\x82"
    refused(card, NotOnCard)
    assert len(card.raw) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("6300", HostRefused), ("6982", SecureChannelError), ("6A80", SecureChannelError), ("0102039000", KojinError)],
)
def test_a_card_that_refuses_our_cryptogram(answer: str, kind: type[KojinError]) -> None:
    card = SecurityDomain(octets(128))
    card.lie["authenticate"] = lambda _: bytes.fromhex(answer)
    with pytest.raises(kind):
        opened(card)
    assert len(card.raw) == 3, "once, and never again"


def test_waiting_is_over_when_the_card_has_counted() -> None:
    card = SecurityDomain(octets(128))
    card.waits = 2
    for _ in range(2):
        with pytest.raises(ChannelWait) as caught:
            opened(card)
        assert caught.value.remedy("en")
    assert not opened(card).is_over


REPLAYED: list[bytes] = []


def replay(answer: bytes) -> bytes:
    REPLAYED.append(answer)
    return REPLAYED[0]


ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "a wrong MAC": flipped(-3),
    "changed data": flipped(0),
    "another status word": lambda answer: answer[:-2] + b"\x63\x10",
    "no MAC": lambda answer: answer[:-10] + answer[-2:],
    "a status word alone": lambda _: b"\x90\x00",
    "a warning alone": lambda _: b"\x62\x83",
    "a piece of a MAC": lambda answer: answer[-5:],
    "more behind the MAC": lambda answer: answer[:-2] + b"\x00" + answer[-2:],
    "data with an error": lambda answer: answer[:-2] + b"\x6a\x88",
    "the session ended": lambda _: b"\x69\x82",
    "secure messaging unknown": lambda _: b"\x68\x82",
    "another class wanted": lambda _: b"\x6e\x00",
    "no answer": lambda _: b"",
    "one byte": lambda _: b"\x90",
    "GET RESPONSE for ever": lambda _: b"\x00\x61\x01",
}


@pytest.mark.attack("channel", "an answer inside a session: {}", "the session ends, nothing is sent again")
@pytest.mark.parametrize("name", ANSWERS)
def test_a_session_dies_with_the_first_answer_that_is_not_the_cards(name: str) -> None:
    card = SecurityDomain(octets(128), reply=lambda *_: (b"0123456789", 0x9000))
    session = opened(card)
    session.send(GET_STATUS, operation="look")
    card.lie["answer"] = ANSWERS[name]
    if name == "GET RESPONSE for ever":
        real = card.transmit
        card.transmit = lambda command: b"\x00\x61\x01" if command[1] == 0xC0 else real(command)  # type: ignore[method-assign]
    sent = len(card.plain)
    with pytest.raises((SecureChannelError, TransportError)):
        session.send(GET_STATUS, operation="look")
    assert len(card.plain) == sent + 1, "nothing is sent twice"
    dead(session, card)


@pytest.mark.attack("channel", "an older answer of the session played back, level {}", "the session ends")
@pytest.mark.parametrize("level", [level for level in LEVELS if level.answers_authentic], ids="{:02X}".format)
def test_an_answer_played_back_is_found(level: SecurityLevel) -> None:
    REPLAYED.clear()
    card = SecurityDomain(octets(128), reply=lambda *_: (b"0123456789", 0x9000))
    session = opened(card, level)
    card.lie["answer"] = replay
    session.send(GET_STATUS, operation="look")
    with pytest.raises(SecureChannelError):
        session.send(GET_STATUS, operation="look")
    dead(session, card)


@pytest.mark.parametrize("sw", ["6C10", "6C00", "6700"])
def test_a_wrapped_command_is_never_sent_again_for_a_length(sw: str) -> None:
    card = SecurityDomain(octets(128))
    session = opened(card)
    card.lie["answer"] = lambda _: bytes.fromhex(sw)
    sent = len(card.raw)
    assert session.send(GET_STATUS, operation="look").sw == int(sw, 16)
    assert len(card.raw) == sent + 1


def dead(session: Scp03Session, card: SecurityDomain) -> None:
    card.lie.clear()
    sent = len(card.raw)
    assert session.is_over
    with pytest.raises(SecureChannelError):
        session.send(GET_STATUS, operation="look")
    with pytest.raises(SecureChannelError):
        session.wrapped_key(Secret(bytes(16)))
    assert len(card.raw) == sent
    wiped = session._keys
    assert not any(any(key) for key in (wiped.enc, wiped.mac, wiped.rmac, wiped.dek)), "the keys are wiped"


def test_a_lost_answer_is_the_end() -> None:
    card = SecurityDomain(octets(128))
    session = opened(card)

    def gone(_: bytes) -> bytes:
        raise CardRemoved(operation="send")

    card.lie["answer"] = gone
    with pytest.raises(CardRemoved):
        session.send(GET_STATUS, operation="look")
    dead(session, card)


def test_a_stop_at_the_keyboard_is_the_end() -> None:
    card = SecurityDomain(octets(128))
    session = opened(card)

    def stopped(_: bytes) -> bytes:
        raise KeyboardInterrupt

    card.lie["answer"] = stopped
    with pytest.raises(KeyboardInterrupt):
        session.send(GET_STATUS, operation="look")
    dead(session, card)


def test_a_session_does_not_outlive_a_selection_a_reset_or_its_block() -> None:
    card = SecurityDomain(octets(128))
    channel = CardChannel(card, ours=True)
    for end in (channel.forget, channel.reset):
        session = open_session(channel, card.aid, key_set())
        end()
        dead(session, card)
    with open_session(channel, card.aid, key_set()) as session:
        assert not session.is_over
    dead(session, card)
    older = open_session(channel, card.aid, key_set())
    newer = open_session(channel, card.aid, key_set())
    dead(older, card)
    assert newer.send(GET_STATUS, operation="look").ok


def test_wrong_padding_inside_a_right_mac() -> None:
    card = SecurityDomain(octets(128))
    session = opened(card)

    def lie(_: bytes) -> bytes:
        data = bytes(16)  # deciphers to something, and ends in no 80 00..
        return data + hand_cmac(card.s_rmac, card.chain + data + b"\x90\x00")[:8] + b"\x90\x00"

    card.lie["answer"] = lie
    with pytest.raises(SecureChannelError, match="padding"):
        session.send(GET_STATUS, operation="look")
    dead(session, card)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([level for level in LEVELS if level.answers_authentic]))
def test_nothing_that_a_card_without_the_keys_says_is_believed(answer: bytes, level: SecurityLevel) -> None:
    card = SecurityDomain(octets(128))
    session = opened(card, level)
    card.lie["answer"] = lambda _: answer
    try:
        told = session.send(GET_STATUS, operation="look")
    except (SecureChannelError, TransportError):
        assert session.is_over
    else:
        assert told.data == b""
        assert told.sw != 0x9000
        assert told.sw >> 8 not in (0x62, 0x63)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64))
def test_no_answer_to_initialize_update_breaks_the_client(answer: bytes) -> None:
    card = SecurityDomain(octets(128))
    card.lie["initialize"] = lambda _: answer
    with pytest.raises(KojinError):
        opened(card)


# --- what others may see ---------------------------------------------------------------------------------------------


def test_observers_see_no_key_and_nothing_of_what_goes_through() -> None:
    seen: list[Exchange] = []
    card = SecurityDomain(octets(128), reply=lambda *_: (b"0123456789", 0x9000))
    channel = CardChannel(card, ours=True, observer=seen.append)
    session = open_session(channel, card.aid, key_set())
    session.send(CommandApdu(0x80, 0xD8, 0x00, 0x81, b"a new key", 256), operation="put a key set")
    text = "\n".join(str(one) for one in seen)
    assert "84 D8 00 81 [secret]" in text
    for hidden in (
        *octets(128),
        card.s_enc,
        card.s_mac,
        card.s_rmac,
        card.host_cryptogram,
        b"a new key",
        b"0123456789",
    ):
        assert hidden.hex().upper() not in text
    assert "[secret]" in text.splitlines()[2], "EXTERNAL AUTHENTICATE"
    for value in (session, session._keys):
        assert all(key.hex() not in repr(value) for key in (*octets(128), card.s_enc, card.s_mac))
    with pytest.raises((TypeError, AttributeError)):
        pickle.dumps(key_set())
