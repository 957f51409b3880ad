"""Make ``fixtures/pki/simulator-cv-keys.toml`` from the declaration and the pool: python tools/make_cv_keys.py"""

from __future__ import annotations

from pathlib import Path

from kojin_card.simulator.testpki import TestPki

TARGET = Path(__file__).resolve().parents[1] / "fixtures" / "pki" / "simulator-cv-keys.toml"

HEAD = """\
# The CA keys of the test PKI's card-verifiable certificates, of the store "simulator", never another: keys are public.
# Made by tools/make_cv_keys.py from simulator.toml and keys.toml; a test compares.
"""


def render() -> str:
    """The whole file."""
    pki = TestPki.load()
    lines = [HEAD]
    for application in pki.declaration.cv.applications:
        key_id, numbers = pki.cv_ca_key_id(application), pki.cv_ca_key(application).public_key().public_numbers()
        lines.append(
            f'\n[[key]]\nname = "{key_id[:7].decode("ascii")}"\napplication = "{application}"\n'
            'hierarchy = "simulator"\n'
            f'key_id = "{key_id.hex()}"\nexponent = {numbers.e}\nmodulus = "{numbers.n:0512x}"\n'
        )
    return "".join(lines)


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
    print(TARGET)
