"""What several test rooms share: the published vectors, and a reader for hand-typed transcripts.

Nothing here imports ``kojin_card``: a helper that used the codecs under test could agree with their faults.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ROOT = Path(__file__).resolve().parent.parent
TRANSCRIPTS = ROOT / "fixtures" / "transcripts"


class Terminal(Protocol):
    """The card's side of a conversation, as a test sees it: raw command in, data and status word out."""

    def transmit(self, command: bytes, /) -> bytes: ...


class CardUnderTest(Terminal, Protocol):
    """What a transcript needs besides: both ways of losing the volatile state."""

    def reset(self) -> object: ...

    def power_off(self) -> object: ...


# --- vectors ----------------------------------------------------------------------------------------------------------


def vectors_dir() -> Path | None:
    """The published vectors: ``KOJIN_VECTORS``, else ``../shared/vectors`` beside the checkout; None where absent."""
    named = os.environ.get("KOJIN_VECTORS")
    folder = Path(named) if named else ROOT.parent / "shared" / "vectors"
    return folder if folder.is_dir() else None


def need_vectors() -> Path:
    """:func:`vectors_dir`, or skip the test; ``KOJIN_VECTORS`` naming no folder is a failure, not a skip."""
    folder = vectors_dir()
    if folder is not None:
        return folder
    if os.environ.get("KOJIN_VECTORS"):
        pytest.fail("KOJIN_VECTORS is set but names no folder")
    pytest.skip("published vectors not found (KOJIN_VECTORS or ../shared/vectors)")


def published_test_card() -> dict[str, Any]:
    """``test-card.toml``: the published contents of a J-LIS test card (skips where it is not at hand)."""
    return tomllib.loads((need_vectors() / "test-card.toml").read_text(encoding="utf-8"))


# --- literal APDUs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One literal conversation with the software card, in hex.

    Attributes:
        name: what it shows; the test's id.
        fact: where the facts say so (``silent``: they do not, and the typed answers say what we still insist on).
        talk: ``"COMMAND -> ANSWER"``, in the notation of the transcripts, or ``"reset"``, ``"power_off"``.
        persona: whose card.
        knobs: settings that differ from the default.
    """

    name: str
    fact: str
    talk: tuple[str, ...]
    persona: str = "adult"
    knobs: tuple[tuple[str, Any], ...] = ()

    def steps(self) -> tuple[Step, ...]:
        """The conversation as transcript steps."""
        return tuple(_row_step(line, number) for number, line in enumerate(self.talk, 1))


def _row_step(line: str, number: int) -> Step:
    command, arrow, answers = line.partition("->")
    if not arrow:
        return Step(line.strip(), number)
    return Step("send", number, _expand(command), tuple(_expand(one) for one in answers.split("|")))


def talk(card: CardUnderTest, *lines: str) -> bytes:
    """Say ``lines`` (as :attr:`Row.talk`) to ``card``, compare each answer; the data of the last answer."""
    answer = b""
    kept: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        step = _row_step(line, number).filled(kept)
        if step.kind == "reset":
            card.reset()
        elif step.kind == "power_off":
            card.power_off()
        else:
            answer = card.transmit(bytes.fromhex(step.command))
            assert step.accepts(answer), (
                f"line {number}: {step.command} -> {answer.hex().upper()}, typed {step.answers}"
            )
            kept |= step.keeps(answer)
    return answer[:-2]


# --- transcripts ------------------------------------------------------------------------------------------------------


class TranscriptError(Exception):
    """A transcript is mistyped."""


_CITATION = re.compile(r"card\.md |pcsc\.md |test-card\.toml|issue|choice:|ARCHITECTURE ")
_HEADER = re.compile(r"#\s*([a-z]+):\s*(.*)$")
_REPEAT = re.compile(r"((?:[0-9A-F?]{2})+)\*(\d+)")
_GAP = re.compile(r"\.\.(?:\{(\d+)\})?|<([A-Z]+):(\d+)>")
_KEPT = re.compile(r"<([A-Z]+)>")
_SEALED = re.compile(r"<OAEP:([0-9A-F]+)>")
_READ_ALL = re.compile(r"00B0\s*OOOO\s*LL")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the terminal and what must come back.

    Attributes:
        kind: ``send``, ``read-all`` (READ BINARY to the object's end), ``reset`` or ``power_off``.
        command: upper-case hex of a ``send``; ``?`` is any digit (client transcripts only).
        answers: the alternatives, each a pattern in the notation of fixtures/transcripts/README.md.
        line: where it stands in the file.
    """

    kind: str
    line: int
    command: str = ""
    answers: tuple[str, ...] = ()

    def takes(self, command: bytes) -> bool:
        """Whether ``command`` is the one that was typed."""
        return re.fullmatch(self.command.replace("?", "[0-9A-F]"), command.hex().upper()) is not None

    def accepts(self, answer: bytes) -> bool:
        """Whether ``answer`` is one that was typed."""
        return any(re.fullmatch(_regex(one), answer.hex().upper()) for one in self.answers)

    def keeps(self, answer: bytes) -> dict[str, str]:
        """The bytes of an accepted answer that were typed ``<NAME:n>``, in hex."""
        matches = (re.fullmatch(_regex(one), answer.hex().upper()) for one in self.answers)
        return next((match.groupdict() for match in matches if match), {})

    def filled(self, kept: dict[str, str]) -> Step:
        """This step with every ``<NAME>`` of its command replaced by what was kept, and every ``<OAEP:HEX>``.

        Raises:
            TranscriptError: nothing was kept under that name.
        """
        needed = set(_KEPT.findall(self.command)) | ({"MODULUS"} if _SEALED.search(self.command) else set())
        if missing := needed - kept.keys():
            raise TranscriptError(f"line {self.line}: no answer kept {sorted(missing)}")
        command = _KEPT.sub(lambda match: kept[match[1]], self.command)
        return replace(self, command=_SEALED.sub(lambda match: _sealed(match[1], kept["MODULUS"]), command))

    @property
    def literal_answer(self) -> bytes:
        """The answer of a client transcript, which leaves nothing open.

        Raises:
            TranscriptError: it has a wildcard.
        """
        if len(self.answers) != 1 or not re.fullmatch(r"(?:[0-9A-F]{2})+", self.answers[0]):
            raise TranscriptError(f"line {self.line}: a client transcript needs literal answers")
        return bytes.fromhex(self.answers[0])


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation typed by hand."""

    name: str
    persona: str
    side: str
    source: str
    knobs: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


def _sealed(message: str, modulus: str) -> str:
    """``message`` under RSA-OAEP with SHA-256 (RFC 8017 §7.1) for the key with that modulus and the exponent 65537."""
    key = rsa.RSAPublicNumbers(65537, int(modulus, 16)).public_key()
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return key.encrypt(bytes.fromhex(message), scheme).hex().upper()


def _regex(pattern: str) -> str:
    """A typed answer as a regular expression over upper-case hex."""
    pieces: list[str] = []
    at = 0
    for gap in _GAP.finditer(pattern):
        pieces.append(pattern[at : gap.start()].replace("?", "[0-9A-F]"))
        if gap[2]:
            pieces.append(f"(?P<{gap[2]}>(?:[0-9A-F]{{2}}){{{gap[3]}}})")
        else:
            pieces.append(f"(?:[0-9A-F]{{2}}){{{gap[1]}}}" if gap[1] else "(?:[0-9A-F]{2})*")
        at = gap.end()
    pieces.append(pattern[at:].replace("?", "[0-9A-F]"))
    return "".join(pieces)


def _expand(text: str) -> str:
    """Take out spaces (a repetition binds to the group of digits just before ``*``) and write repetitions out."""
    words = [_REPEAT.sub(lambda m: m[1] * int(m[2]), word) for word in text.split()]
    return "".join(words).upper()


def _knob(word: str, line: int) -> tuple[str, Any]:
    name, _, value = word.partition("=")
    if value in ("true", "false"):
        return name, value == "true"
    if re.fullmatch(r"0x[0-9A-Fa-f]{4}", value):
        return name, int(value, 16)
    raise TranscriptError(f"line {line}: knob {word!r}")


def read_transcript(path: Path) -> Transcript:
    """Read one ``.apdu`` file, strictly.

    Raises:
        TranscriptError: a line that is not of the format, a command without its fact, an answer without a command.
    """
    headers: dict[str, str] = {}
    steps: list[Step] = []
    waiting: Step | None = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        body, _, comment = raw.partition("#")
        body = body.strip()
        if not body:
            header = _HEADER.match(raw)
            if header and not steps and waiting is None:
                headers.setdefault(header[1], header[2].strip())
            continue
        if body.startswith("<"):
            if waiting is None:
                raise TranscriptError(f"{path.name}:{number}: an answer without a command")
            answers = tuple(_expand(one) for one in body[1:].split("|"))
            for one in answers:
                if not re.fullmatch(rf"(?:[0-9A-F?]|{_GAP.pattern})+", one):
                    raise TranscriptError(f"{path.name}:{number}: not an answer")
            steps.append(Step("send", waiting.line, waiting.command, answers))
            waiting = None
            continue
        if waiting is not None:
            raise TranscriptError(f"{path.name}:{number}: the command before has no answer")
        if body.startswith("!"):
            kind = body[1:].strip()
            if kind not in ("reset", "power_off"):
                raise TranscriptError(f"{path.name}:{number}: {kind!r}")
            steps.append(Step(kind, number))
            continue
        if not _CITATION.search(comment):
            raise TranscriptError(f"{path.name}:{number}: no fact is cited")
        if body.startswith(">>"):
            if not _READ_ALL.fullmatch(body[2:].strip()):
                raise TranscriptError(f"{path.name}:{number}: only READ BINARY repeats")
            steps.append(Step("read-all", number))
        elif body.startswith(">"):
            command = _expand(body[1:])
            if not re.fullmatch(r"(?:[0-9A-F?]{2}){4}(?:[0-9A-F?]{2}|<[A-Z]+>|<OAEP:[0-9A-F]+>)*", command):
                raise TranscriptError(f"{path.name}:{number}: not a command")
            waiting = Step("send", number, command)
        else:
            raise TranscriptError(f"{path.name}:{number}: {body[:1]!r}")
    if waiting is not None:
        raise TranscriptError(f"{path.name}:{waiting.line}: the last command has no answer")
    if missing := {"card", "side", "source"} - headers.keys():
        raise TranscriptError(f"{path.name}: no header {sorted(missing)}")
    if headers["side"] not in ("card", "client"):
        raise TranscriptError(f"{path.name}: side {headers['side']!r}")
    knobs = dict(_knob(word, 0) for word in headers.get("knobs", "").split())
    return Transcript(path.stem, headers["card"], headers["side"], headers["source"], knobs, tuple(steps))


def transcripts(side: str) -> list[Transcript]:
    """All transcripts of one side (``card`` or ``client``), by name."""
    every = (read_transcript(path) for path in sorted(TRANSCRIPTS.glob("*.apdu")))
    return [one for one in every if one.side == side]


def replay_on_card(transcript: Transcript, card: CardUnderTest) -> int:
    """Send what was typed and compare; how many APDUs went over.

    Raises:
        AssertionError: the card answered otherwise; names the line, the command and the answer (invented data only).
    """
    sent = 0
    length = 0
    kept: dict[str, str] = {}
    for typed in transcript.steps:
        step = typed.filled(kept)
        where = f"{transcript.name}.apdu:{step.line}"
        if step.kind == "reset":
            card.reset()
        elif step.kind == "power_off":
            card.power_off()
        elif step.kind == "read-all":
            assert length, f"{where}: no DER header was read just before"
            sent += _read_all(card, length, where)
        else:
            answer = card.transmit(bytes.fromhex(step.command))
            sent += 1
            assert step.accepts(answer), f"{where}: {step.command} -> {answer.hex().upper()}, typed {step.answers}"
            kept |= step.keeps(answer)
            is_header = len(answer) == 6 and answer.startswith(b"\x30\x82") and answer.endswith(b"\x90\x00")
            length = int.from_bytes(answer[2:4], "big") + 4 if is_header else 0
    return sent


def _read_all(card: CardUnderTest, length: int, where: str) -> int:
    offsets = range(0, length, 256)
    for offset in offsets:
        want = min(256, length - offset)
        command = bytes.fromhex(f"00B0{offset:04X}{want & 0xFF:02X}")
        answer = card.transmit(command)
        assert answer[-2:] == b"\x90\x00", f"{where}: {command.hex().upper()} -> {answer[-2:].hex().upper()}"
        assert len(answer) == want + 2, f"{where}: {command.hex().upper()} gave {len(answer) - 2} bytes"
    return len(offsets)


class ReplayCard:
    """A connection that plays the card's part of a client transcript and refuses any other command.

    What the client sent wrong is kept in :attr:`complaint` too: a client that swallows the error is still found out.
    """

    description = "transcript"

    def __init__(self, transcript: Transcript) -> None:
        self._steps = list(transcript.steps)
        self._name = transcript.name
        self.complaint: str | None = None
        self.sent = 0

    def transmit(self, command: bytes) -> bytes:
        if not self._steps:
            self.complaint = f"{self._name}: {command[:4].hex().upper()}... after the last command"
            raise AssertionError(self.complaint)
        step = self._steps.pop(0)
        if not step.takes(command):
            self.complaint = f"{self._name}.apdu:{step.line}: {command.hex().upper()}, typed {step.command}"
            raise AssertionError(self.complaint)
        self.sent += 1
        return step.literal_answer

    def finish(self) -> None:
        """The client said everything that was typed, and nothing else."""
        assert self.complaint is None, self.complaint
        assert not self._steps, f"{self._name}: not sent: {[step.command for step in self._steps]}"
