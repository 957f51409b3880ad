"""The house's rules for imports as import-linter contracts; pyproject.toml says which room may reach what.

``may_reach`` is closed by default: a room that is not named there may not be reached, directly or through others, from
a function or from the top of a module, at run time or only for types. A new room is therefore out of bounds at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grimp import ImportGraph

Link = tuple[str, str]


def _within(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


class HouseContract(Contract):
    """What both kinds share: short names (``pki.profile``), and how a breach is told."""

    def full(self, names: Iterable[str]) -> list[str]:
        """The names as modules of the one root package."""
        root = self.session_options["root_packages"][0]
        return [f"{root}.{name}" for name in names]

    def outcome(self, breaches: dict[Link, tuple[int, ...]]) -> ContractCheck:
        """Kept when there is no breach; a breach is (importer, imported) and its lines."""
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Tell each offending import with its line."""
        breaches: dict[Link, tuple[int, ...]] = check.metadata["breaches"]
        for (importer, imported), lines in sorted(breaches.items()):
            where = ", ".join(map(str, lines)) or "?"
            output.print_error(f"{importer} must not import {imported} (line {where})", bold=False)
        output.new_line()


def _lines(graph: ImportGraph, link: Link) -> tuple[int, ...]:
    details: list[Any] = list(graph.get_import_details(importer=link[0], imported=link[1]))
    return tuple(sorted({int(detail["line_number"]) for detail in details}))


class RoomsContract(HouseContract):
    """``rooms`` may reach only themselves, each other's ``may_reach`` and the leaves of the house.

    Options: ``rooms``, ``may_reach`` (rooms or modules, short names; absent ones do no harm).
    """

    type_name = "rooms"
    rooms = fields.ListField(subfield=fields.StringField())
    may_reach = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Walk from each room along its imports, and stop where something out of bounds begins."""
        breaches: dict[Link, tuple[int, ...]] = {}
        root: str = self.session_options["root_packages"][0]
        leaves: list[str] = self.session_options["leaves"]
        for room in self.full(self.rooms):  # type: ignore[arg-type]  # a field is its value on an instance
            if room not in graph.modules:
                continue
            bounds = [room, *self.full(self.may_reach), *self.full(leaves)]  # type: ignore[arg-type]  # likewise
            reached = {room, *graph.find_descendants(room)}
            todo = list(reached)
            while todo:
                importer = todo.pop()
                for imported in graph.find_modules_directly_imported_by(importer):
                    if not _within(imported, [root]) or imported in reached:
                        continue
                    if _within(imported, bounds):
                        reached.add(imported)
                        todo.append(imported)
                    else:
                        breaches[importer, imported] = _lines(graph, (importer, imported))
        return self.outcome(breaches)


class HomesContract(HouseContract):
    """The outside ``package`` is imported in its ``homes`` and nowhere else (directly: who uses a home may do so)."""

    type_name = "homes"
    package = fields.StringField()
    homes = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare the direct importers with the homes."""
        package = str(self.package)
        if package not in graph.modules:
            return self.outcome({})
        homes = self.full(self.homes)  # type: ignore[arg-type]  # a field is its value on an instance
        importers = graph.find_modules_that_directly_import(package)
        links = [(importer, package) for importer in importers if not _within(importer, homes)]
        return self.outcome({link: _lines(graph, link) for link in links})
