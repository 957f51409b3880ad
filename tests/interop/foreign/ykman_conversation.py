"""yubikit's SCP03 on a typed conversation (``fixtures/scp03``): runs in that program's own environment.

Argument: the file, S8 with AES-128 at level 33. Prints JSON: for each step whether yubikit sends the typed bytes, and
whether it makes the typed answer in clear of what is received.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

from yubikit.core.smartcard import ApduProcessor, ScpProcessor, ShortApduFormatter
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpState, StaticKeys

octets = bytes.fromhex


class Typed(ApduProcessor):  # type: ignore[misc]
    """Gives the typed answer, whatever is sent, and keeps that."""

    sent = received = b""

    def send_apdu(self, cla: int, ins: int, p1: int, p2: int, data: bytes, _: int) -> tuple[bytes, int]:
        self.sent = bytes((cla, ins, p1, p2, len(data))) + data
        return self.received[:-2], int.from_bytes(self.received[-2:], "big")


def main(path: str) -> int:
    found = tomllib.loads(Path(path).read_text("utf-8"))
    first, second, *steps = found["step"]
    keys = StaticKeys(*(octets(found[name]) for name in ("enc", "mac", "dek")))
    state, host_cryptogram = ScpState.scp03_init(
        lambda *_: octets(first["received"])[:-2],
        Scp03KeyParams(KeyRef(1, int(found["key_version"], 16)), keys),
        host_challenge=octets(found["host_challenge"]),
    )
    line = Typed()
    channel = ScpProcessor(line, ShortApduFormatter(), state)
    line.received = octets(second["received"])
    channel.send_apdu(0x84, 0x82, 0x33, 0, host_cryptogram, 0, encrypt=False)
    told = [[line.sent == octets(second["sent"]), True]]
    for step in steps:
        cla, ins, p1, p2, *rest = octets(step["plain"])
        data = bytes(rest[1 : 1 + rest[0]]) if len(rest) > 1 else b""
        line.received = octets(step["received"])
        if not data:
            # yubikit enciphers padding where there is no data, the standard enciphers nothing and counts (D §6.2.6)
            state._enc_counter += 1
        answer, sw = channel.send_apdu(cla, ins, p1, p2, data, 0, encrypt=bool(data))
        # nor does it write a Le
        sent = octets(step["sent"])[: len(line.sent)]
        told.append([line.sent == sent, answer + sw.to_bytes(2, "big") == octets(step["answer"])])
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
