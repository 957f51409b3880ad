"""The hand-typed transcripts against the software card (ARCHITECTURE §4, first rope), and that the reader is strict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import (
    TRANSCRIPTS,
    ReplayCard,
    Transcript,
    TranscriptError,
    published_test_card,
    read_transcript,
    replay_on_card,
    transcripts,
)

CARD_SIDE = transcripts("card")

#: The conversations that must be there (issues 2 §7 and 3 §1; card.md §11): a lost file must not go unnoticed.
WANTED = {
    "card": {
        "ap_signature",
        "card_manager",
        "child",
        "face_birth_code",
        "face_code_a",
        "face_code_b",
        "face_free",
        "internal_authenticate",
        "jlis_basic_four_plain",
        "jlis_basic_four_sfi",
        "jlis_files",
        "jlis_my_number",
        "jlis_my_number_not_b",
        "jlis_pin",
        "juki",
        "licence",
        "licence_without_pin",
        "my_number",
        "myna",
        "myna_card",
        "opensc_blocked",
        "opensc_detection",
        "opensc_sign",
        "pin_change",
        "pin_life",
        "pyjpki_cleared",
        "pyjpki_kept",
        "secure_messaging",
        "select_with_le",
        "terminal_certificate",
    },
    "client": {
        "client_age",
        "client_authenticate",
        "client_basic_four_code_b",
        "client_basic_four_long",
        "client_basic_four_no_counter",
        "client_basic_four_pin",
        "client_basic_four_plain",
        "client_blocked",
        "client_certificate",
        "client_change_key",
        "client_change_pin",
        "client_common",
        "client_face_numbers",
        "client_last_try_kept",
        "client_licence",
        "client_licence_locked",
        "client_licence_without_pin",
        "client_my_number",
        "client_pin_status",
        "client_prove_age",
        "client_prove_basic_four",
        "client_secure_basic_four",
        "client_secure_my_number",
        "client_sign",
        "client_token",
        "client_wrong_pin",
    },
}


@pytest.mark.parametrize("transcript", CARD_SIDE, ids=lambda one: one.name)
def test_the_software_card_answers_as_typed(transcript: Transcript, soft_card: Callable[..., Any]) -> None:
    card = soft_card(transcript.persona, **transcript.knobs)
    assert replay_on_card(transcript, card) >= sum(step.kind == "send" for step in transcript.steps)


def test_opensc_needs_the_number_of_probes_that_was_counted() -> None:
    # pcsc.md §2: 29 APDUs before the jpki driver is tried; of its "18 SELECTs" of cac the list spells out 17.
    steps = read_transcript(TRANSCRIPTS / "opensc_detection.apdu").steps
    jpki = next(n for n, step in enumerate(steps) if step.command == "00A4040C0AD392F000260100000001")
    assert jpki == 28


def test_every_wanted_conversation_is_there() -> None:
    assert {side: {one.name for one in transcripts(side)} for side in WANTED} == WANTED


@pytest.mark.vectors
def test_the_typed_bytes_are_the_published_ones() -> None:
    published = published_test_card()
    typed = "".join(
        step.answers[0].removesuffix("9000")
        for name in ("jlis_basic_four_plain", "jlis_my_number", "jlis_files")
        for step in read_transcript(TRANSCRIPTS / f"{name}.apdu").steps
        if step.kind == "send"
    )
    for golden in (
        published["input_support"]["ef_0001_physical"],
        published["input_support"]["ef_0002"],
        published["input_support"]["ap_identification"],
        published["common"]["record_1"],
        published["jpki"]["token_label"].encode("ascii").ljust(32).hex(),
        published["jpki"]["certificate_availability"],
    ):
        assert golden.upper() in typed


# --- the reader itself ------------------------------------------------------------------------------------------------

HEAD = "# card: adult\n# side: card\n# source: x\n"


@pytest.mark.parametrize(
    "body",
    [
        "> 00A40000\n< 9000\n",  # cites nothing
        "> 00A40000 # card.md §1\n",  # no answer
        "< 9000\n",  # no command
        "> 00A40000 # card.md §1\n> 00A40000 # card.md §1\n< 9000\n",
        "> 00A4 # card.md §1\n< 9000\n",  # too short for a command
        "> 00A4000 # card.md §1\n< 9000\n",  # half a byte
        "> 00A40000 # card.md §1\n< 90X0\n",
        "! explode\n",
        ">> 00B2 OOOO LL # card.md §1\n",
        "hello\n",
    ],
)
def test_a_mistyped_transcript_is_refused(tmp_path: Path, body: str) -> None:
    path = tmp_path / "x.apdu"
    path.write_text(HEAD + body, encoding="utf-8")
    with pytest.raises(TranscriptError):
        read_transcript(path)


def test_a_transcript_without_its_headers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.apdu"
    path.write_text("# card: adult\n> 00A40000 # card.md §1\n< 9000\n", encoding="utf-8")
    with pytest.raises(TranscriptError):
        read_transcript(path)


@pytest.mark.parametrize(
    ("typed", "answer", "fits"),
    [
        ("9000", "9000", True),
        ("9000", "6982", False),
        ("9000", "AA9000", False),
        ("63C?", "63C7", True),
        ("63C?", "6300", False),
        (".. 9000", "9000", True),
        (".. 9000", "0102039000", True),
        ("..{2} 9000", "01029000", True),
        ("..{2} 9000", "019000", False),
        ("3082???? 9000", "308201239000", True),
        ("E8A68B*2 9000", "E8A68BE8A68B9000", True),
        ("01 <YEAR:2> 9000", "010203 9000", True),
        ("01 <YEAR:2> 9000", "0102 9000", False),
        ("AA | 6A82", "6A82", True),
        ("AA | 6A82", "6A83", False),
    ],
)
def test_the_notation(tmp_path: Path, typed: str, answer: str, fits: bool) -> None:
    path = tmp_path / "x.apdu"
    path.write_text(f"{HEAD}> 00A40000 # card.md §1\n< {typed}\n", encoding="utf-8")
    (step,) = read_transcript(path).steps
    assert step.accepts(bytes.fromhex(answer)) is fits


def test_a_command_repeats_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.apdu"
    lines = ("> 00B2010C00 # card.md §1", "< 01 <YEAR:2> .. 9000", "> 0020009205 AA<YEAR>BBCC # card.md §1", "< 9000")
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    card = _Scripted("010203049000", "9000")
    assert replay_on_card(read_transcript(path), card) == 2
    assert card.heard[-1].hex() == "0020009205aa0203bbcc"
    path.write_text(HEAD + "\n".join(lines[2:]) + "\n", encoding="utf-8")
    with pytest.raises(TranscriptError):
        replay_on_card(read_transcript(path), _Scripted("9000"))


class _Scripted:
    """A card that says what it is told, to see a replay fail."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.heard: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.heard.append(command)
        return bytes.fromhex(self._answers.pop(0))

    def reset(self) -> None: ...

    def power_off(self) -> None: ...


def test_a_replay_bites(tmp_path: Path) -> None:
    path = tmp_path / "x.apdu"
    path.write_text(
        HEAD + "> 00B0000004 # card.md §1\n< 3082???? 9000\n>> 00B0 OOOO LL # card.md §1\n", encoding="utf-8"
    )
    transcript = read_transcript(path)
    body = "00" * 8
    assert replay_on_card(transcript, _Scripted("308200049000", body + "9000")) == 2
    for wrong in (
        ("6982",),
        ("308200049000", "6B00"),
        ("308200049000", "00" * 7 + "9000"),
        ("308200049000", "00" * 9 + "9000"),
    ):
        with pytest.raises(AssertionError):
            replay_on_card(transcript, _Scripted(*wrong))


def test_the_replayed_card_refuses_another_command() -> None:
    replay = ReplayCard(read_transcript(TRANSCRIPTS / "client_pin_status.apdu"))
    assert replay.transmit(bytes.fromhex("00A4040C0AD392F000260100000001")) == b"\x90\x00"
    with pytest.raises(AssertionError):
        replay.transmit(bytes.fromhex("0020009B"))
    with pytest.raises(AssertionError):
        replay.finish()
