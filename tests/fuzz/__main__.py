"""Fuzz a target: ``python -m tests.fuzz TARGET --seconds N`` (``all``: one after the other, each its share).

With atheris (the extra ``fuzz``) coverage guides it; without it the mutator of these tests goes on blindly. What is
found is written to ``build/fuzz/TARGET/``; ``--replay FILE`` runs one such file again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
FOUND = ROOT / "build" / "fuzz"
MEMORY = 3 * 1024 * 1024 * 1024
SLOWEST = 30


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", help="a target of tests/fuzz/targets.py, all, or list")
    parser.add_argument("--seconds", type=int, default=60, help="how long; with all: of all together")
    parser.add_argument("--engine", choices=("atheris", "own"), help="atheris where it is installed")
    parser.add_argument("--seed", type=int, default=0, help="the same seed tries the same documents (own)")
    parser.add_argument("--replay", type=Path, help="run this file and nothing else")
    return parser.parse_args(given)


def _have_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _keep(name: str, data: bytes) -> Path:
    folder = FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


def _own(name: str, seconds: int, seed: int) -> int:
    from fuzz.bounds import bounded
    from fuzz.targets import target

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    one, chance, said = target(name), Random(f"{name}/{seed}"), Counter[str]()
    mutator, corpus = one.mutator(), list(one.seeds())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = mutator.mutate(chance.choice(corpus), chance)
        try:
            word = bounded(one.run, data)
        except Exception:
            print(f"{name}: {_keep(name, data)}", file=sys.stderr)
            raise
        said[word] += 1
        if said[word] == 1 and len(corpus) < 500:  # something new came out: go on from there
            corpus.append(data)
    _tell(name, said)
    return 0


def _tell(name: str, said: Counter[str]) -> None:
    words = ", ".join(f"{word} {count}" for word, count in said.most_common(12))
    print(f"{name}: {sum(said.values())} documents: {words}")


def _atheris(name: str, seconds: int, seed: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["kojin_card", "pyhanko"]):
        from fuzz.bounds import bounded
        from fuzz.targets import target

        one = target(name)
        for data in one.good():  # what is imported inside functions is instrumented too
            one.run(data)
    mutator = one.mutator()

    def run(data: bytes) -> None:
        bounded(one.run, data)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        chance = Random(number)
        made = (
            mutator.mutate(data, chance) if chance.random() < 0.6 else atheris.Mutate(data, min(most, len(data) + 64))
        )
        return bytes(made[:most])

    corpus = FOUND / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in one.seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    longest = 2 * max(map(len, one.seeds()))
    options = {
        "max_total_time": seconds,
        "max_len": longest,
        "timeout": SLOWEST,
        "rss_limit_mb": MEMORY // 1024 // 1024,
        "seed": seed + 1,
        "artifact_prefix": f"{FOUND / name}/",
        "print_final_stats": 1,
        "verbosity": 1,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], run, custom_mutator=mutate
    )
    atheris.Fuzz()
    return 0


def _all(seconds: int, seed: int, engine: str) -> int:
    from fuzz.targets import TARGETS

    worst, mine = 0, [one for one in TARGETS if one.needs() is None]
    for one in TARGETS:
        if (why := one.needs()) is not None:
            print(f"{one.name}: not run: {why}")
            continue
        share = str(max(1, seconds // len(mine)))
        command = [sys.executable, "-m", "tests.fuzz", one.name, "--seconds", share, "--seed", str(seed)]
        worst = max(worst, subprocess.run([*command, "--engine", engine], cwd=ROOT, check=False).returncode)
    return worst


def main(given: list[str]) -> int:
    """Run what was asked for."""
    asked = _arguments(given)
    engine = asked.engine or ("atheris" if _have_atheris() else "own")
    if asked.target == "all":
        return _all(asked.seconds, asked.seed, engine)
    if asked.replay is None and engine == "atheris" and asked.target != "list":
        return _atheris(asked.target, asked.seconds, asked.seed)
    from fuzz.targets import TARGETS, target

    if asked.target == "list":
        print("\n".join(one.name for one in TARGETS))
        return 0
    if (why := target(asked.target).needs()) is not None:
        print(f"{asked.target}: not run: {why}", file=sys.stderr)
        return 1
    if asked.replay is not None:
        print(target(asked.target).run(asked.replay.read_bytes()))
        return 0
    return _own(asked.target, asked.seconds, asked.seed)


def _paths() -> None:
    """What pytest takes from pyproject.toml."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    os.environ.setdefault("PYTHONHASHSEED", "0")


if __name__ == "__main__":
    _paths()
    sys.exit(main(sys.argv[1:]))
