"""Generated tables: every row with ``make tables``, a seeded sample with ``make test``, and a count of the whole.

A table is a list of rows made by a product; running all of one may take minutes. ``table()`` picks the rows to run and
marks them ``tables``. Because a sample cannot show that a row is missing from the product, each table also states its
full size, typed by hand where the table is declared, and a wrong size fails at collection.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _pytest.mark import ParameterSet

Row = TypeVar("Row")

EVERY_ROW = "KOJIN_TABLES"
SEED = "KOJIN_TABLES_SEED"


def table(
    name: str,
    rows: Iterable[Row],
    *,
    size: int,
    sample: int,
    ident: Callable[[Row], str] = str,
    always: Callable[[Row], bool] = lambda _row: False,
) -> list[ParameterSet]:
    """The rows of one table that this run has to try, for ``pytest.mark.parametrize``.

    Args:
        name: of the table; with ``KOJIN_TABLES_SEED`` (default 0) it decides the sample, the same on every machine.
        rows: the full product.
        size: how many rows the full product has, typed by hand.
        sample: how many of them ``make test`` runs besides those of ``always``.
        ident: a short unique name of a row, its test id.
        always: rows that no sample may leave out.

    Raises:
        AssertionError: the product has another size, or two rows have one name.
    """
    every = list(rows)
    assert len(every) == size, f"the table {name} has {len(every)} rows, {size} are declared"
    names = [ident(row) for row in every]
    assert len(set(names)) == size, f"two rows of the table {name} have one name"
    picked = set(range(size))
    if os.environ.get(EVERY_ROW) != "all":
        chance = random.Random(f"{name}/{os.environ.get(SEED, '0')}")  # noqa: S311 - a choice of tests, not of keys
        kept = {place for place, row in enumerate(every) if always(row)}
        others = sorted(picked - kept)
        picked = kept | set(chance.sample(others, min(sample, len(others))))
    return [pytest.param(every[place], id=names[place], marks=pytest.mark.tables) for place in sorted(picked)]
