"""Every fuzz target for a moment, the same documents on every machine; and a fuzzer that finds what is planted."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from fuzz import seeds
from fuzz.bounds import TooMuch, bounded
from fuzz.mutate import BASE64URL, HEX, Mutator, Wrapping, header, nodes, put
from fuzz.targets import TARGETS, Finding, Target, refused, target
from kojin_card.errors import DecodeError, InputError, KojinError, UsageError
from kojin_card.pki import der
from kojin_card.verdict import Check, CheckId

ROOT = Path(__file__).resolve().parents[2]

#: how many mutations each target gets here, typed so that no edit makes the smoke empty
EXECUTIONS = {
    "cms": 100, "cms-detached": 60, "certificate": 150, "crl": 100, "ber": 300, "pdf": 60, "proof": 60, "proof-text":
    300, "challenge": 300, "cv": 300, "tlv": 400, "apdu": 100, "spec": 80, "card-file": 60, "xml": 60,
    "ocsp": 100, "timestamp": 60, "service": 80, "manifest": 200, "descriptor": 200, "terminal": 200,
}  # fmt: skip

#: targets that give a verdict, with whatever else they do
JUDGES = {"cms", "cms-detached", "certificate", "crl", "pdf", "proof", "xml"}


def skip_without(one: Target) -> None:
    if (why := one.needs()) is not None:
        pytest.skip(f"fuzz target {one.name}: {why}")


def smoke(one: Target, count: int) -> Counter[str]:
    """What became of ``count`` mutations; each is drawn by its number, so that one alone can be made again."""
    said, mutator = Counter[str](), one.mutator()
    for number in range(count):
        said[bounded(one.run, mutator.fresh(Random(f"{one.name}/{number}")))] += 1
    return said


def test_every_target_is_run_here() -> None:
    assert {one.name for one in TARGETS} == EXECUTIONS.keys()
    assert len(TARGETS) == len(EXECUTIONS) == 21
    assert sum(EXECUTIONS.values()) == 3270


@pytest.mark.attack("fuzzing", "a mutated document", "never accepted with another meaning; a typed refusal")
@pytest.mark.parametrize("name", EXECUTIONS)
def test_smoke(name: str) -> None:
    one = target(name)
    skip_without(one)
    said = smoke(one, EXECUTIONS[name])
    assert said.total() == EXECUTIONS[name]
    assert len(said) > 1, "every mutation ends the same way: they do not reach what they should"
    if name in JUDGES:
        assert sum(count for word, count in said.items() if not word.startswith("TOTAL_PASSED")) > said.total() / 2


@pytest.mark.parametrize("name", sorted(EXECUTIONS))
def test_every_good_seed_is_accepted_and_no_bad_one(name: str) -> None:
    one = target(name)
    skip_without(one)
    good = [bounded(one.run, data) for data in one.good()]
    bad = [bounded(one.run, data) for data in one.bad()]
    assert good
    if name in JUDGES:
        assert all(word.startswith("TOTAL_PASSED") for word in good), good
        assert not any(word.startswith("TOTAL_PASSED") for word in bad), bad
    assert not any(word.endswith("Error") for word in good), good


def test_seeds_are_the_same_in_every_process() -> None:
    """Otherwise a finding of one run could not be made again in another."""
    program = (
        "import hashlib, sys; sys.path[:0] = ['tests', '.']\n"
        "from fuzz.targets import TARGETS\n"
        "print(*(hashlib.sha256(b''.join(one.seeds())).hexdigest() for one in TARGETS if one.needs() is None))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    here = [hashlib.sha256(b"".join(one.seeds())).hexdigest() for one in TARGETS if one.needs() is None]
    assert done.stdout.split() == here


# --- what is planted is found -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("kojin_card.verification.cms.Signing._digest", "cms"),
        ("kojin_card.verification.cms.Signing._digest", "pdf"),
        ("kojin_card.verification.engine.Task.signature_check", "cms"),
        ("kojin_card.verification.engine.Task.signature_check", "proof"),
    ],
)
def test_a_verifier_that_does_not_look_is_found(place: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One check always passes: some mutation is then accepted with another meaning."""
    which = CheckId.DIGEST if place.endswith("_digest") else CheckId.SIGNATURE
    one = target(name)
    one.run(one.good()[0])  # what good documents say is found out before the check is gone
    monkeypatch.setattr(place, staticmethod(lambda *_, **__: Check.passed(which)))
    with pytest.raises(Finding, match="does not say what a good document says"):
        smoke(one, 1500)


def planted(run: Callable[[bytes], str]) -> Target:
    return Target("planted", run, seeds.messages)


def test_an_error_without_a_type_is_found() -> None:
    with pytest.raises(KeyError):
        smoke(planted(lambda data: {True: "as it was"}[seeds.CONTENT in data]), 300)


@pytest.mark.parametrize(
    ("error", "found"),
    [(KojinError("x"), True), (UsageError("x"), True), (InputError("x"), True), (DecodeError("x"), False)],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_only_the_errors_of_the_target_are_refusals(error: KojinError, found: bool) -> None:
    def run(_: bytes) -> str:
        raise error

    if found:
        with pytest.raises(Finding):
            smoke(planted(refused(run, DecodeError)), 1)
    else:
        assert smoke(planted(refused(run, DecodeError)), 1) == {"DecodeError": 1}


def test_what_takes_too_long_or_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.bounds.SECONDS", 0.05)
    with pytest.raises(TooMuch, match=r"0\.[1-9]|[1-9]\."):
        bounded(lambda _: str(sum(range(20_000_000))), b"")
    grown = iter([0, 500 * 1024 * 1024])
    monkeypatch.setattr("fuzz.bounds.peak", lambda: next(grown))
    with pytest.raises(TooMuch, match="500 MiB"):
        bounded(lambda _: "", b"")


# --- the mutator ------------------------------------------------------------------------------------------------------


def test_the_same_number_makes_the_same_document() -> None:
    mutator = target("cms").mutator()
    one, again = (mutator.fresh(Random("5")) for _ in range(2))
    assert one == again
    assert len({mutator.fresh(Random(str(number))) for number in range(50)}) > 45


def test_lengths_around_a_change_are_made_right() -> None:
    data = seeds.messages()[0]
    found = nodes(data)
    assert len(found) > 150
    for node in found[1::7]:
        for new in (b"", b"\x04\x82\x01\x00" + bytes(256), data[node.start : node.end] * 2):
            der.check(put(data, node, new))
    assert (header(0), header(127), header(128), header(65536)) == (b"\x00", b"\x7f", b"\x81\x80", b"\x83\x01\x00\x00")


@pytest.mark.parametrize(("wrapping", "document"), [(HEX, seeds.pdfs), (BASE64URL, seeds.proofs)])
def test_what_is_wrapped_is_opened_and_closed_again(
    wrapping: Wrapping, document: Callable[[], tuple[bytes, ...]]
) -> None:
    data = document()[0]
    found = list(wrapping.find.finditer(data))
    assert found
    for piece in found:
        assert wrapping.close(wrapping.open(piece["x"]), len(piece["x"])) == piece["x"]


def test_no_document_grows_without_end() -> None:
    mutator, data = Mutator((b"\x30\x03\x02\x01\x01",), limit=1000), b"\x30\x03\x02\x01\x01"
    for number in range(300):
        data = mutator.mutate(data, Random(number))
    assert len(data) <= 1000


# --- the program ------------------------------------------------------------------------------------------------------


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_program_runs_a_target_and_a_file_again(tmp_path: Path) -> None:
    done = fuzz("challenge", "--seconds", "1", "--engine", "own")
    assert done.returncode == 0, done.stderr
    said = re.match(r"challenge: (\d+) documents: .*DecodeError", done.stdout)
    assert said is not None
    assert int(said[1]) > 100
    (tmp_path / "found").write_bytes(seeds.challenge().to_json().encode())
    assert fuzz("challenge", "--replay", str(tmp_path / "found")).stdout == "a challenge\n"
    assert fuzz("list").stdout.split() == [one.name for one in TARGETS]
