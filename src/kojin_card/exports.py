"""Packages whose names are loaded when they are first used, so that a program loads what it uses and no more.

``kojin_card`` itself does the same in its own words: it loads nothing at all, not even this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


def lazily(
    package: str, homes: Mapping[str, Collection[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: its name.
        homes: module of the package -> the names of it that are the package's too.
    """

    def get(name: str) -> object:
        from importlib import import_module

        for home, names in homes.items():
            if name in names:
                return getattr(import_module(f"{package}.{home}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        import sys

        own = sys.modules[package]
        return sorted({*vars(own), *own.__all__})

    return get, names
