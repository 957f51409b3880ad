"""What the tests of the command line share: what a run gave, its JSON against the schemas, files of secrets."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

#: secrets of the adult persona, by what they open
PINS: Mapping[str, str] = {"basic": "5678", "auth": "1234", "sign": "ABC123"}

#: what of the adult persona may only be seen where it was asked for
PLANTED = ("1234", "5678", "ABC123", "9012", "123456789018", "見本", "花子", "架空町", "19900803", "1990-08-03")


@dataclass(frozen=True, slots=True)
class Run:
    """What one command did."""

    exit: int
    out: str
    err: str
    raw: bytes

    @property
    def all(self) -> str:
        """Everything that a person could see."""
        return self.out + self.err

    def json(self, kind: str) -> dict[str, Any]:
        """The answer, held against the published schema of that kind."""
        value: dict[str, Any] = json.loads(self.out)
        schema = json.loads(files("kojin_card.cli").joinpath("schemas", f"{kind}.json").read_text("utf-8"))
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)
        return value

    def error(self) -> dict[str, Any]:
        """The error object."""
        found: dict[str, Any] = self.json("error")["error"]
        return found


Cli = Callable[..., Run]


def secrets_file(folder: Path, values: Mapping[str, str]) -> Path:
    """A ``--secrets`` file, mode 0600."""
    path = folder / "given.secrets"
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path
