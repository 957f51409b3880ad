"""Who may call whom: the arrows of the house, typed a second time, and every contract seen to bite."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grimp
import pytest
from tools.import_contracts import HomesContract, RoomsContract

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "kojin_card"
LEAVES = frozenset({"errors", "secret", "verdict", "authn", "exports", "messages", "resources", "version"})

# The arrows as the architecture draws them. pyproject.toml has the same in another form; the two must agree.
ARROWS: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "iso7816": set(),
    "spec": {"iso7816"},
    "transport": {"spec", "iso7816"},
    "channel": {"transport", "spec"},
    "globalplatform": {"transport", "spec"},
    "pki": {"spec", "iso7816"},
    "applications": {"channel", "pki"},
    "slots": {"globalplatform", "channel", "pki"},
    "pdf_reader": set(),
    "xml_reader": set(),
    "signing": {"pki", "pdf_reader", "xml_reader"},
    "verification": {"pki", "pdf_reader", "xml_reader"},
    "simulator": {"spec", "iso7816"},  # and of pki the profiles only: tested on its own
}
FREE = frozenset({"cli", "testing"})  # composition roots: they may import every room
EVERY_ROOM = frozenset({*ARROWS, "card", *FREE})
BOUND = EVERY_ROOM - FREE
ARROWS["card"] = set(BOUND - {"card"})
ARROWS["cli"] = ARROWS["testing"] = set(EVERY_ROOM)

# Where each outside package lives.
HOMES: dict[str, set[str]] = {
    "smartcard": {"transport.pcsc"},
    "pkcs11": {"globalplatform.hsm"},
    "click": {"cli"},
    "rich": {"cli"},
    "pytest": {"testing.plugin"},
    "PIL": {"cli.photo_worker", "cli.pictures", "simulator.lettering"},
    "pyhanko": {"pdf_reader", "signing", "verification"},
    "pyhanko_certvalidator": {"signing", "verification"},
    "lxml": {"xml_reader", "signing", "verification"},
    "signxml": {"verification"},
    "cryptography": set(EVERY_ROOM - LEAVES - {"iso7816", "cli", "pdf_reader", "xml_reader"}),
}

NETWORK = {"socket", "socketserver", "ssl", "http", "urllib.request", "ftplib", "smtplib", "xmlrpc", "telnetlib"}
NETWORK_CLIENTS = {"requests", "httpx", "aiohttp", "urllib3", "websockets"}
ASYNC_NETWORK = {"open_connection", "start_server", "open_unix_connection", "start_unix_server"}
LOOP_NETWORK = {"create_connection", "create_server", "create_unix_server", "create_datagram_endpoint", "sock_connect"}
NETWORK_HOMES = {"simulator/vpcd.py", "simulator/control.py", "pki/fetch.py", "testing/responder.py"}


def reach(room: str) -> set[str]:
    """Every room that ``room`` may reach along the arrows, itself and the leaves included."""
    found = {room, *LEAVES}
    todo = [room]
    while todo:
        for following in ARROWS[todo.pop()] - found:
            found.add(following)
            todo.append(following)
    return found


def rooms_on_disk() -> set[str]:
    """The top-level rooms of the package: its modules and sub-packages (``_data`` exists in a wheel only)."""
    found = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    return found | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@cache
def settings() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return table


def room_contracts() -> list[RoomsContract]:
    tables = [table for table in settings()["contracts"] if table["type"] == "rooms"]
    return [RoomsContract(table["name"], settings(), table) for table in tables]


def home_contracts() -> dict[str, HomesContract]:
    tables = [table for table in settings()["contracts"] if table["type"] == "homes"]
    return {table["package"]: HomesContract(table["name"], settings(), table) for table in tables}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("kojin_card", include_external_packages=True, cache_dir=None)


def plant(graph: grimp.ImportGraph, importer: str, imported: str) -> None:
    """Add an import to the graph, as if a new file held it."""
    for module in (importer, imported):
        if module not in graph.modules:
            graph.add_module(module, is_squashed=False)
    graph.add_import(importer=importer, imported=imported, line_number=1, line_contents="planted")


# --- the contracts ---------------------------------------------------------------------------------------------------


def test_every_room_is_named_here_and_in_exactly_one_contract() -> None:
    named = [room for table in settings()["contracts"] if table["type"] == "rooms" for room in table["rooms"]]
    assert sorted(named) == sorted(BOUND), "a room stands in no contract, in two, or is not in ARROWS"
    assert rooms_on_disk() <= EVERY_ROOM, "a new room: say in ARCHITECTURE, ARROWS and a contract who may call whom"
    assert set(settings()["leaves"]) == LEAVES
    assert settings()["root_packages"] == ["kojin_card"]
    assert settings()["include_external_packages"] is True


def test_the_contracts_hold(graph: grimp.ImportGraph) -> None:
    broken = {
        contract.name: check.metadata["breaches"]
        for contract in [*room_contracts(), *home_contracts().values()]
        if not (check := contract.check(graph, verbose=False)).kept
    }
    assert not broken


@pytest.mark.parametrize("room", sorted(BOUND))
def test_each_room_contract_bites_for_every_other_room_that_no_arrow_leads_to(
    room: str, graph: grimp.ImportGraph
) -> None:
    contract = next(contract for contract in room_contracts() if room in contract.contract_options["rooms"])
    importer = f"kojin_card.{room}.planted"
    bitten = set()
    if f"kojin_card.{room}" not in graph.modules:
        graph.add_module(f"kojin_card.{room}")
    for other in sorted(EVERY_ROOM - {room}):
        imported = f"kojin_card.{other}.planted_{room}"
        plant(graph, importer, imported)
        check = contract.check(graph, verbose=False)
        if (importer, imported) in check.metadata["breaches"]:
            bitten.add(other)
        assert check.kept is (other not in bitten), f"another breach than the planted one: {check.metadata}"
        graph.remove_import(importer=importer, imported=imported)
    assert bitten == EVERY_ROOM - reach(room)


def test_the_root_package_is_out_of_bounds_for_every_bound_room(graph: grimp.ImportGraph) -> None:
    """The root offers the facade lazily: who imports it could reach everything."""
    for contract in room_contracts():
        room = contract.contract_options["rooms"][0]
        importer = f"kojin_card.{room}.planted_root"
        if f"kojin_card.{room}" not in graph.modules:
            graph.add_module(f"kojin_card.{room}")
        plant(graph, importer, "kojin_card")
        assert not contract.check(graph, verbose=False).kept, contract.name
        graph.remove_import(importer=importer, imported="kojin_card")


def test_the_simulator_sees_the_profiles_of_pki_and_nothing_else_of_it(graph: grimp.ImportGraph) -> None:
    contract = next(contract for contract in room_contracts() if "simulator" in contract.contract_options["rooms"])
    importer = "kojin_card.simulator.planted_pki"
    plant(graph, importer, "kojin_card.pki.profile")
    assert contract.check(graph, verbose=False).kept
    for forbidden in ("kojin_card.pki", "kojin_card.pki.planted_trust"):
        plant(graph, importer, forbidden)
        assert not contract.check(graph, verbose=False).kept, forbidden
        graph.remove_import(importer=importer, imported=forbidden)


def test_arrows_are_transitive(graph: grimp.ImportGraph) -> None:
    """A detour through an allowed room is found in both contracts that it breaks."""
    plant(graph, "kojin_card.verification.planted_detour", "kojin_card.spec.planted_detour")
    plant(graph, "kojin_card.spec.planted_detour", "kojin_card.transport.planted_detour")
    broken = {
        contract.contract_options["rooms"][0]
        for contract in room_contracts()
        if ("kojin_card.spec.planted_detour", "kojin_card.transport.planted_detour")
        in contract.check(graph, verbose=False).metadata["breaches"]
    }
    graph.remove_import(importer="kojin_card.verification.planted_detour", imported="kojin_card.spec.planted_detour")
    graph.remove_import(importer="kojin_card.spec.planted_detour", imported="kojin_card.transport.planted_detour")
    assert broken >= {"verification", "spec"}


@pytest.mark.parametrize("package", sorted(HOMES))
def test_each_home_contract_bites_everywhere_else(package: str, graph: grimp.ImportGraph) -> None:
    assert home_contracts().keys() == HOMES.keys()
    contract = home_contracts()[package]
    if package not in graph.modules:
        graph.add_module(package, is_squashed=True)
    bitten = set()
    places = {*EVERY_ROOM, *HOMES[package]}
    for place in sorted(places):
        importer = f"kojin_card.{place}" if place in HOMES[package] else f"kojin_card.{place}.planted_home"
        known = importer in graph.modules and graph.direct_import_exists(importer=importer, imported=package)
        plant(graph, importer, package)
        if not contract.check(graph, verbose=False).kept:
            bitten.add(place)
        if not known:
            graph.remove_import(importer=importer, imported=package)
    assert bitten == places - HOMES[package]


def test_lint_imports_itself_finds_a_planted_import_in_a_function_and_one_for_types_only(tmp_path: Path) -> None:
    """The whole way once: files on disk, the program that CI runs, its exit code and its words."""
    shutil.copytree(PACKAGE, tmp_path / "src" / "kojin_card", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "import_contracts.py", tmp_path / "tools")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src/kojin_card/simulator/planted.py").write_text("def f():\n    from kojin_card import applications\n")
    (tmp_path / "src/kojin_card/verification/planted.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import kojin_card.simulator\n    import click\n"
    )
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    paths = os.pathsep.join([str(tmp_path / "src"), str(tmp_path)])
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    words = " ".join(done.stdout.split())
    assert done.returncode == 1, words + done.stderr
    assert "kojin_card.simulator.planted must not import kojin_card.applications (line 2)" in words
    assert "kojin_card.verification.planted must not import kojin_card.simulator (line 3)" in words
    assert "kojin_card.verification.planted must not import click (line 4)" in words
    assert "3 broken" in words


# --- what really happens at import -----------------------------------------------------------------------------------


def loaded_by(module: str) -> set[str]:
    """The modules that a fresh interpreter has after importing ``module``, less those it had before."""
    code = (
        "import json, sys\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def top_levels(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def test_importing_the_package_costs_the_standard_library_at_most() -> None:
    loaded = loaded_by("kojin_card")
    assert not top_levels(loaded) - sys.stdlib_module_names - {"kojin_card"}


@pytest.mark.parametrize("room", sorted(rooms_on_disk()))
def test_importing_a_room_loads_no_room_that_it_may_not_reach(room: str) -> None:
    """Sub-packages run their ``__init__`` too, which no import statement shows."""
    loaded = {name.split(".")[1] for name in loaded_by(f"kojin_card.{room}") if name.startswith("kojin_card.")}
    allowed = reach(room) | ({"pki"} if room == "simulator" else set())
    assert loaded <= allowed


def test_importing_the_simulator_loads_no_pki_but_the_profiles() -> None:
    loaded = {name for name in loaded_by("kojin_card.simulator") if name.startswith("kojin_card.pki")}
    assert loaded <= {"kojin_card.pki", "kojin_card.pki.profile", "kojin_card.pki.data"}


def test_a_banks_verifier_loads_no_card_no_reader_and_no_command_line() -> None:
    loaded = loaded_by("kojin_card.verification")
    assert not top_levels(loaded) & {"click", "rich", "smartcard", "platformdirs"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("kojin_card.")}
    assert not rooms & {"channel", "card", "transport", "simulator", "applications", "slots", "cli", "globalplatform"}


def test_importing_the_facade_loads_neither_the_simulator_nor_click() -> None:
    loaded = loaded_by("kojin_card.card")
    assert not top_levels(loaded) & {"click", "rich", "smartcard"}
    assert not {name for name in loaded if name.startswith("kojin_card.simulator")}


# --- the network -----------------------------------------------------------------------------------------------------


def network_uses(source: str) -> Iterator[tuple[int, str]]:
    """Imports and calls with which a module could open a connection."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in LOOP_NETWORK | ASYNC_NETWORK:
            yield node.lineno, node.attr
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{name}" for name in names)]
        for name in names:
            heads = {".".join(name.split(".")[:depth]) for depth in (1, 2)}
            last = name.rsplit(".", 1)[-1]
            if heads & (NETWORK | NETWORK_CLIENTS) or (name.startswith("asyncio.") and last in ASYNC_NETWORK):
                yield node.lineno, name


def test_sockets_live_in_the_named_modules_only() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}:{line}": what
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() not in NETWORK_HOMES
        for line, what in network_uses(path.read_text("utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    "planted",
    [
        "import socket",
        "from http import client",
        "import http.client as h",
        "from urllib import request",
        "import urllib.request",
        "def f():\n    import httpx",
        "from asyncio import open_connection",
        "async def f():\n    await asyncio.start_server(g)",
        "async def f(loop):\n    await loop.create_connection(g)",
    ],
)
def test_a_planted_connection_is_found(planted: str) -> None:
    assert list(network_uses(planted))


@pytest.mark.parametrize("harmless", ["import asyncio", "from urllib.parse import quote", "import urllib.parse"])
def test_what_opens_nothing_is_left_alone(harmless: str) -> None:
    assert not list(network_uses(harmless))
