"""Secure messaging, both sides: whatever is said in a session gets the answer that it gets in clear.

Client and software card were written apart. Two cards that are the same hear the same, one of them in a session:
the answers must be the same, refused commands and commands in clear between them included, and so must the counters.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kojin_card.channel import CardChannel
from kojin_card.iso7816.apdu import EXTENDED_LE_MAX, CommandApdu
from kojin_card.simulator import SoftCard, make_card
from kojin_card.simulator.chip import Chip

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

#: card.md §2.1, §3, typed here: the files and keys of 入力補助, one that is not there, and values right and wrong
FILES = [bytes.fromhex(f"{number:04X}") for number in (1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x13, 0x0E)]
SECRETS = [b"5678", b"0000", b"123456789018", b"123456789019", b"9" * 14, b"1", b"9" * 16, b"9" * 31]

select = st.builds(lambda file: CommandApdu(0x00, 0xA4, 0x02, 0x0C, file), st.sampled_from(FILES))
verify = st.builds(
    lambda p2, value: CommandApdu(0x00, 0x20, 0x00, p2, value, sensitive=True),
    st.sampled_from([0x91, 0x92, 0x94, 0x95]),
    st.sampled_from(SECRETS),
)
offsets = st.one_of(st.integers(0, 40), st.sampled_from([256, 335, 336, 568, 0x7FFF]))
lengths = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 1000, 65535, EXTENDED_LE_MAX]))
read = st.builds(lambda at, le: CommandApdu(0x00, 0xB0, at >> 8, at & 0xFF, le=le), offsets, lengths)
commands = st.lists(st.tuples(st.one_of(select, verify, read), st.booleans()), min_size=1, max_size=25)


@cache
def state() -> CardState:
    return make_card("adult", now=datetime(2026, 4, 1, tzinfo=UTC))


@given(said=commands, seed=st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_session_says_what_is_said_in_clear(said: list[tuple[CommandApdu, bool]], seed: bytes) -> None:
    card, twin = SoftCard.in_memory(state()), SoftCard.in_memory(state())
    channel = CardChannel(card, random=lambda _: seed)
    channel.verify("input_support", "pin", "5678")
    session = channel.secure_messaging("input_support")
    for opening in ("00A4040C0AD3921000310001010408", "002000910435363738", "00B0860001"):
        assert twin.transmit(bytes.fromhex(opening))[-2:] == b"\x90\x00"
    counter = 1
    for command, secured in said:
        expected = twin.transmit(command.encode())
        if secured:
            answer = session._link.send(command, operation="said in a session").encode()
            counter += 1
        else:
            answer = card.transmit(command.encode())
        assert answer == expected, command
        assert counter == session._link.counter == _counter(card)
    assert not session.is_over
    assert card.state == twin.state


def _counter(card: SoftCard) -> int:
    chip: Chip = card._chip
    session = chip._context.security.session
    assert session is not None
    return session.counter


@given(
    ins=st.sampled_from([0x20, 0xA4, 0xB0]),
    parameters=st.binary(min_size=2, max_size=2),
    data=st.one_of(
        st.binary(max_size=40),
        st.binary(min_size=16, max_size=16).map(lambda block: b"\x86\x11\x01" + block),
        st.binary(max_size=4).map(lambda value: b"\x96" + bytes((len(value),)) + value),
    ),
    le=st.sampled_from([None, 1, 256, 257, EXTENDED_LE_MAX]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_bytes_at_all_make_the_card_misbehave(ins: int, parameters: bytes, data: bytes, le: int | None) -> None:
    card = SoftCard.in_memory(state())
    channel = CardChannel(card, random=lambda count: bytes(count))
    channel.verify("input_support", "pin", "5678")
    session = channel.secure_messaging("input_support")
    before = card.state
    answer = card.transmit(CommandApdu(0x08, ins, parameters[0], parameters[1], data, le).encode())
    word = int.from_bytes(answer[-2:], "big")
    assert word != 0x6F00
    assert len(answer) == 2 or word == 0x9000
    if word == 0x6988:
        assert card.state == before
        assert card.transmit(bytes.fromhex("08B0000000000596030000030000")) == b"\x69\xfc"
    assert session._link.counter == 1
