"""Make what is committed in ``fixtures/pki`` besides the declaration, from it and from the pool of keys.

python tools/make_key_pool.py keys [--force]     a new pool: every certificate made so far becomes a stranger's
python tools/make_key_pool.py ec [--force]       the pool's keys on P-384 anew, the others as they are
python tools/make_key_pool.py anchors            the simulator's CAs as trust anchors, from declaration and pool
python tools/make_key_pool.py licence            the key that verifies the software card's driving licences, as PEM
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kojin_card.simulator import keypool

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "pki"

HEAD = """\
# WORTHLESS TEST KEYS. They are public: whoever has this file can sign with them. Trust nothing that they signed.
# RSA-2048, e = 65537, each as its two primes; at the end keys on P-384 for the next card, each as its scalar d. Made by
# tools/make_key_pool.py for the software card and its test PKI.
# The keys marked persona are picked by a persona's seed; roles has what a card needs a key for, and each role of one
# persona gets another key. New roles go to the end: the place in this list decides which key a role gets.
schema = 1
"""

ROLES = ("signature", "authentication", "input_support", "session", "common", "card_face", "terminal")

KEYS = (
    *((f"ca-{purpose}-{number}", "ca") for purpose in ("signature", "authentication") for number in (1, 2)),
    *((f"cv-ca-{name}", "cv-ca") for name in ("card-manager", "card-face", "input-support")),
    ("cv-intermediate-card-manager", "cv-ca"),
    *((f"municipality-{code}", "municipality") for code in ("13221", "13113", "01101")),
    *((f"persona-{number:02}", "persona") for number in range(1, 15)),
    ("licence-issuer-1", "licence"),
)

EC_KEYS = (
    *((f"ca-{purpose}-3", "ca") for purpose in ("signature", "authentication")),
    *((f"persona-ec-{number:02}", "persona") for number in range(1, 9)),
)


def render_ec() -> str:
    """New keys on P-384, as they stand at the end of the pool."""
    lines = []
    for label, use in EC_KEYS:
        scalar = keypool.generate_ec().private_numbers().private_value
        lines.append(f'\n[[key]]\nlabel = "{label}"\nuse = "{use}"\nd = "{scalar:096x}"\n')
    return "".join(lines)


def without_ec(text: str) -> str:
    """A pool without its keys on P-384."""
    head, *keys = text.split("\n[[key]]\n")
    return "\n[[key]]\n".join([head, *(key for key in keys if "\nd = " not in key)]).rstrip("\n") + "\n"


def render_pool() -> str:
    """A whole new ``keys.toml``."""
    lines = [HEAD, "roles = [" + ", ".join(f'"{role}"' for role in ROLES) + "]\n"]
    for label, use in KEYS:
        numbers = keypool.generate().private_numbers()
        lines.append(f'\n[[key]]\nlabel = "{label}"\nuse = "{use}"\np = "{numbers.p:0256x}"\nq = "{numbers.q:0256x}"\n')
    return "".join([*lines, render_ec()])


def main(arguments: list[str]) -> int:
    """Write the file that was asked for; 2 when that would replace the pool unasked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("keys", "ec", "anchors", "licence"))
    parser.add_argument("--force", action="store_true", help="replace an existing pool")
    chosen = parser.parse_args(arguments)
    if chosen.what in ("keys", "ec"):
        target = FOLDER / keypool.FILE
        present = target.read_text("utf-8") if target.exists() else ""
        if not chosen.force and ("\nd = " in present if chosen.what == "ec" else present):
            print(f"{target} has such keys; --force replaces them", file=sys.stderr)
            return 2
        target.write_text(without_ec(present) + render_ec() if chosen.what == "ec" else render_pool(), "utf-8")
    elif chosen.what == "licence":
        from kojin_card.simulator.licence_record import issuer_pem
        from kojin_card.simulator.testpki import TestPki

        target = FOLDER / "simulator-licence-issuer.pem"
        target.write_bytes(issuer_pem(TestPki.load()))
    else:
        from kojin_card.simulator.testpki import TestPki

        target = FOLDER / "simulator-anchors.toml"
        target.write_text(TestPki.load().anchors_toml(), "utf-8")
    print(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
