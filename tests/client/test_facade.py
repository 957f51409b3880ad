"""What people import: connect(), lazy names, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

import kojin_card
from kojin_card.errors import CardFileBusy, InputError, MissingExtra, UsageError
from kojin_card.simulator import SoftCard, make_card

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def modules_after(statement: str) -> set[str]:
    """Names of the modules that ``statement`` loads in a fresh interpreter."""
    code = f"import sys; old = set(sys.modules); {statement}; print(*(set(sys.modules) - old), sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
    )
    return set(run.stdout.split())


def test_the_import_loads_nothing_but_itself() -> None:
    loaded = modules_after("import kojin_card")
    foreign = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names | {"kojin_card"}}
    assert not foreign
    assert not {name for name in loaded if name.startswith("kojin_card.")}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        (
            "from kojin_card import Card, connect, errors, Secret",
            ("click", "rich", "pyhanko", "cryptography", "asn1crypto", "smartcard", "kojin_card.simulator"),
        ),
        (
            "from kojin_card import Verifier",
            ("click", "rich", "smartcard", "kojin_card.channel", "kojin_card.transport", "kojin_card.simulator"),
        ),
        (
            "from kojin_card import sign_cms",
            ("click", "rich", "pyhanko", "smartcard", "kojin_card.channel", "kojin_card.simulator"),
        ),
        (
            "from kojin_card.slots import SlotDirectory, SlotTerminal",
            (
                "click",
                "kojin_card.globalplatform.content",
                "kojin_card.globalplatform.file_master",
                "kojin_card.globalplatform.hsm",
                "kojin_card.globalplatform.sealed",
                "kojin_card.simulator",
                "kojin_card.slots.issuer",
                "kojin_card.slots.keyfile",
            ),
        ),
        ("from kojin_card import Card, connect, Verifier", ("kojin_card.slots", "kojin_card.globalplatform")),
    ],
)
def test_each_name_loads_no_more_than_it_needs(statement: str, absent: tuple[str, ...]) -> None:
    loaded = modules_after(statement)
    assert not {name for name in loaded if any(name == one or name.startswith(f"{one}.") for one in absent)}


def test_every_name_that_is_promised_is_there() -> None:
    assert len(set(kojin_card.__all__)) == len(kojin_card.__all__)
    for name in kojin_card.__all__:
        assert getattr(kojin_card, name) is not None
    assert set(kojin_card.__all__) <= set(dir(kojin_card))
    with pytest.raises(AttributeError):
        kojin_card.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert kojin_card.__version__ == project["version"]


def test_connect_to_a_software_card(tmp_path: Path) -> None:
    path = tmp_path / "hanako.card"
    SoftCard.create(path, make_card("adult", now=NOW)).close()
    lines: list[str] = []
    with kojin_card.connect(simulator=path, observer=lambda exchange: lines.append(str(exchange))) as card:
        assert card.description == "hanako.card"
        assert card.input_support.read_basic_four("5678").name
        assert len(lines) == 4
    with kojin_card.connect(simulator=str(path)) as card, pytest.raises(kojin_card.PinRejected):
        card.input_support.read_basic_four("0000")
    with kojin_card.connect(simulator=path) as card:
        assert card.channel.tries_left("input_support", "pin") == 2  # a spent try stays spent


def test_connect_gives_the_file_back_also_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "card"
    SoftCard.create(path, make_card("adult", now=NOW)).close()
    with pytest.raises(RuntimeError), kojin_card.connect(simulator=path):
        raise RuntimeError
    try:
        kojin_card.connect(simulator=path).close()
    except CardFileBusy:  # pragma: no cover
        pytest.fail("the file is still locked")


def test_what_is_no_card_file(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        kojin_card.connect(simulator=tmp_path / "nothing")
    (tmp_path / "text").write_text("hello", "utf-8")
    with pytest.raises(InputError):
        kojin_card.connect(simulator=tmp_path / "text")


def test_readers_need_the_extra() -> None:
    for reader in (None, "Some reader"):
        with pytest.raises(MissingExtra) as caught:
            kojin_card.connect(reader)
        assert (caught.value.operation, caught.value.details["extra"]) == ("open a reader", "pcsc")
    with pytest.raises(UsageError):
        kojin_card.connect("Some reader", simulator="card")


def test_any_object_with_transmit_is_a_card() -> None:
    class Wire:
        def __init__(self) -> None:
            self.card = SoftCard.in_memory(make_card("adult", now=NOW))

        def transmit(self, command: bytes) -> bytes:
            return self.card.transmit(command)

    with kojin_card.Card(Wire()) as card:
        assert card.description == "Wire"
        assert card.jpki.token().label
