"""Py-GP 1.0 at work on a card through PC/SC: runs in that program's own environment.

``python pygp_contents.py READER STEP...``, each step ``name[:word...]``:

* ``auth:VERSION`` opens SCP03 at security level 03 with the keys under that number, ``auth:VERSION:02`` wants SCP02;
* ``keys`` lists what GET DATA tells;
* ``ls`` lists everything (to stderr, where Py-GP logs);
* ``isd``, ``select:AID`` select; ``install:PACKAGE:MODULE:AID:PRIVILEGE:C9`` installs (privilege ``SD`` or nothing);
* ``put:VERSION`` puts the keys of that number; ``delete:AID`` deletes.

The last line on stdout is JSON: for each step what it gave, up to the first that failed: ``{"error": ...}`` in Py-GP's
words.
Py-GP ships its binding to PC/SC for Windows only; pyscard has the same one.
"""

from __future__ import annotations

import json
import sys

import smartcard.scard

sys.modules["pygp.connection.pcsc"] = smartcard.scard

import pygp  # noqa: E402

KEYS = {
    "00": "404142434445464748494A4B4C4D4E4F",  # everybody's, under whatever number the card has them first
    "01": "505152535455565758595A5B5C5D5E5F",
}
LEVEL = 0x03  # C-DECRYPTION and C-MAC


def auth(version: str, protocol: str | None = None) -> None:
    pygp.auth(keysetversion=version, securitylevel=LEVEL, scp=protocol)


def install(package: str, module: str, aid: str, privilege: str, parameters: str) -> None:
    pygp.install(True, package, module, aid, [privilege] if privilege else [], parameters)


def keys() -> object:
    return pygp.get_key_information()


STEPS = {
    "auth": auth,
    "keys": keys,
    "ls": pygp.ls,
    "isd": pygp.select_isd,
    "select": pygp.select,
    "install": install,
    "put": pygp.put_scp_key,
    "delete": pygp.delete,
}


def main(reader: str, steps: list[str]) -> int:
    pygp.set_log_mode(pygp.CONSOLE_TRACE | pygp.INFO_LEVEL)
    for version, key in KEYS.items():
        for number in "123":
            pygp.set_key(f"{version}/{number}/AES/{key}")
    pygp.terminal(reader)
    pygp.card()
    told: list[object] = []
    for step in steps:
        name, *words = step.split(":")
        try:
            told.append(STEPS[name](*words))
        except BaseException as bad:  # it raises that class itself
            told.append({"error": str(bad), "status": pygp.last_status()})
            break
    pygp.close()
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
