"""Secure messaging of the software card where the facts are silent: what it decides, so that a change is seen.

What the facts say is in the literal rows (tests/simulator/rows_secure.py) and in the transcript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kojin_card.simulator.security import Session
from support import talk

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "00A4040C0A D3921000310001010408 -> 9000"
PIN_OK = "0020009104 35363738 -> 9000"
KEY = "00B0860000 0000 -> A182010990030100019182 0100 <MODULUS:256> 9000"
SEED = "00" * 32
OPEN = (TEXT, PIN_OK, KEY, f"80AE0000 000100 <OAEP:A0228020 {SEED}> -> 9000")


def sealed(counter: int, clear: bytes) -> str:
    """``clear`` as the terminal sends it, with a key of zeros; made here and not by our own code."""

    def cbc(iv: bytes, data: bytes) -> bytes:
        cipher = Cipher(algorithms.AES(bytes(16)), modes.CBC(iv)).encryptor()
        return cipher.update(data) + cipher.finalize()

    padded = clear + b"\x80" + bytes(-(len(clear) + 1) % 16)
    return cbc(cbc(bytes(16), counter.to_bytes(16, "big")), padded).hex()


def select(counter: int, file_id: str = "0001") -> str:
    return f"08A4020C13 861101 {sealed(counter, bytes.fromhex(file_id))} -> 9000"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("08B2010400", "6882"),  # READ RECORD
        ("0884000008", "6882"),
        ("0824019113 861101" + sealed(1, b"1111"), "6882"),
        ("0888009900", "6882"),
        ("88AE000000", "6882"),
        ("882A000001AA00", "6882"),
        ("04B0000000", "6882"),
        ("0CB0000000", "6987"),
        ("09A4020C00", "6881"),
        ("08B0000005 9603000003", "6700"),  # no Le
        ("08B0000005 9603000003 00", "6700"),  # a short one
        ("80AE0000 000100" + "FF" * 256, "6F00"),
        ("80AE000000", "6700"),
    ],
)
def test_what_leaves_the_session_as_it_was(soft_card: Callable[..., Any], command: str, word: str) -> None:
    talk(soft_card(), *OPEN, f"{command} -> {word}", select(1))


@pytest.mark.parametrize(
    "value",
    ["9602 0003", "9604 00000003", "9603 010003", "9600", "968103 000003 00", "968203", "96", "9680000003", "960300"],
)
def test_what_is_no_expected_length_ends_the_session(soft_card: Callable[..., Any], value: str) -> None:
    data = bytes.fromhex(value)
    command = f"08B00000 {len(data):06X} {data.hex()} 0000"
    talk(soft_card(), *OPEN, select(1), f"{command} -> 6988", "08B00000 000005 9603000003 0000 -> 69FC")


def test_an_answer_longer_than_the_terminal_wants(soft_card: Callable[..., Any]) -> None:
    # the command was done and counts; nothing of the answer leaves
    talk(soft_card(), *OPEN, select(1), "08B00000 000005 9603000003 0012 -> 6700", select(3))


def test_an_empty_verify_in_a_session_is_the_question_for_the_tries(soft_card: Callable[..., Any]) -> None:
    talk(soft_card(), *OPEN, f"0820009113 861101 {sealed(1, b'')} -> 63C3", select(2))


def test_a_session_outlives_the_pin_that_opened_it(soft_card: Callable[..., Any]) -> None:
    read = "08B00000 000005 9603000003 0000 -> 6982"
    talk(soft_card(), *OPEN, "0020009104 30303030 -> 63C2", select(1), read, PIN_OK, select(3))


def test_an_application_selected_in_a_session_ends_it(soft_card: Callable[..., Any]) -> None:
    jpki = sealed(1, bytes.fromhex("D392F000260100000001"))
    talk(soft_card(), *OPEN, f"08A4040C13 861101 {jpki} -> 9000", "08B00000 000005 9603000003 0000 -> 69FC")


def test_a_card_file_knows_nothing_of_a_session(soft_card: Callable[..., Any]) -> None:
    card = soft_card()
    before = card.state
    talk(card, *OPEN, select(1))
    assert card.state == before
    assert "00" * 16 not in repr(Session(bytes(16)))
