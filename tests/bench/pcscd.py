"""What pcscd and vpcd add to an APDU: `python tests/bench/pcscd.py`, with pcscd, vsmartcard-vpcd and pyscard there.

The reference is the same card in this process. Without the quick acknowledgment of vpcd's first packet the ratio is in
the ten thousands, and a command takes 44 ms (pcsc.md P1).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from interop.pcscd import served
from kojin_card.simulator import SoftCard, make_card

TIMES = 1000
COMMANDS = {
    "READ BINARY, 256 octets": "00B0000000",
    "READ BINARY, the whole file": "00B0000000FFFF",
    "SELECT EF": "00A4020C02000A",
}
SELECTS = ("00A4040C0AD392F000260100000001", "00A4020C02000A")

OVER_PCSC = """
import json, sys, time
from smartcard.System import readers
before, command, times = json.loads(sys.argv[1])
line = readers()[0].createConnection()
line.connect()
for one in before:
    line.transmit(list(bytes.fromhex(one)))
apdu, taken = list(bytes.fromhex(command)), []
for _ in range(times):
    start = time.perf_counter()
    line.transmit(apdu)
    taken.append(time.perf_counter() - start)
print(json.dumps(taken))
"""


def in_process(state: object, command: str) -> list[float]:
    """Seconds of each command, with nothing between."""
    taken = []
    with SoftCard.in_memory(state) as card:  # type: ignore[arg-type]
        for one in SELECTS:
            card.transmit(bytes.fromhex(one))
        apdu = bytes.fromhex(command)
        for _ in range(TIMES):
            start = time.perf_counter()
            card.transmit(apdu)
            taken.append(time.perf_counter() - start)
    return taken


def main() -> None:
    """One line a command: median and 95th percentile over pcscd, the median in process, their ratio."""
    state = make_card("adult", now=datetime.now(UTC) - timedelta(hours=1))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "one.json", Path(folder) / "two.json"]
        for path in paths:
            SoftCard.create(path, state).close()
        with served(*paths) as desk:
            for name, command in COMMANDS.items():
                said = desk.run(sys.executable, "-c", OVER_PCSC, json.dumps([SELECTS, command, TIMES]))
                if said.returncode:
                    sys.exit(said.stderr)
                over = json.loads(said.stdout)
                median, reference = statistics.median(over), statistics.median(in_process(state, command))
                slow = sorted(over)[int(0.95 * len(over))]
                sys.stdout.write(
                    f"{name:<30}{1e6 * median:>8.0f} us (95 %: {1e6 * slow:.0f} us), in process"
                    f" {1e6 * reference:.1f} us: {median / reference:.0f} times\n"
                )


if __name__ == "__main__":
    main()
