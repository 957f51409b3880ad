"""Write ``constraints.txt`` anew: every name and exact version that pip resolves today for the extras dev and interop.

``make constraints`` runs it. Names and versions only, never an address, so that the file says the same everywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN_NAME = "kojin-card"


def resolve() -> dict[str, str]:
    """Ask pip what it would install into an empty environment; nothing is installed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    free = {name: value for name, value in os.environ.items() if name not in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
    command += ["-e", ".[dev,interop]"]
    done = subprocess.run(command, cwd=ROOT, env=free, capture_output=True, text=True, check=True)
    found = (entry["metadata"] for entry in json.loads(done.stdout)["install"])
    return {entry["name"]: entry["version"] for entry in found if entry["name"] != OWN_NAME}


def main() -> int:
    """Keep the heading, replace the pins."""
    path = ROOT / "constraints.txt"
    heading = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
    pins = [f"{name}=={version}" for name, version in sorted(resolve().items(), key=lambda pin: pin[0].lower())]
    path.write_text("\n".join([*heading, *pins]) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
