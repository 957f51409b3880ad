"""The table of a batch: encodings, names of columns, every bad row told before anything, never a value."""

from __future__ import annotations

import contextlib
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card.cli.counter.table import MAX_NAMED, BadCell, CardTable
from kojin_card.errors import InputError


@dataclass
class Digits:
    """A field of a service that takes digits."""

    id: str
    label_ja: str
    label_en: str
    optional: bool = False

    def encode(self, text: str) -> bytes:
        if not (text.isascii() and text.isdigit()):
            raise InputError("only digits")
        return text.encode()


@dataclass
class Stub:
    """As much of a service as a table needs."""

    pin: bool = False
    fields: dict[str, Digits] = field(
        default_factory=lambda: {
            "user_number": Digits("user_number", "利用者番号", "User number"),
            "kind": Digits("kind", "区分", "Kind", optional=True),
        }
    )


def table(path: Path, text: str | bytes, encoding: str = "utf-8", *, pin: bool = False, **more: Any) -> CardTable:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    problem = lambda value: "" if value.isdigit() and len(value) == 4 else "must have 4 digits"  # noqa: E731
    return CardTable(path, encoding, cast(Any, Stub(pin)), pin_problem=problem, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "members.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_names_in_either_language(path: Path, encoding: str, newline: str) -> None:
    lines = ["カード,利用者番号,区分", "a.json,0012,", '"b, c.json",13,1', "", " , , "]
    one = table(path, newline.join(lines).encode(encoding), "utf-8" if encoding.startswith("utf") else encoding)
    assert (one.check().rows, one.check().bad) == (2, ())
    rows = list(one.rows())
    assert [(row.number, row.card, dict(row.values)) for row in rows] == [
        (2, "a.json", {"user_number": "0012"}),
        (3, "b, c.json", {"user_number": "13", "kind": "1"}),
    ]


def test_all_bad_cells_are_told_by_row_and_column(path: Path) -> None:
    text = "card,user_number,slot-pin\na,x1234,1111\n,12,2222\na,13,22\nb,,\nc,1\n\nd,14,4444\n"
    found = table(path, text, pin=True, card_problem=lambda name: "no such file" if name == "d" else "").check()
    assert found.rows == 6
    assert found.bad == (
        BadCell(2, "user_number", "only digits"),
        BadCell(3, "card", "nothing stands there"),
        BadCell(4, "card", "the same card stands in a row above"),
        BadCell(4, "slot-pin", "must have 4 digits"),
        BadCell(5, "user_number", "nothing stands there"),
        BadCell(5, "slot-pin", "nothing stands there"),
        BadCell(6, "", "not as many cells as there are names in the first line"),
        BadCell(8, "card", "no such file"),
    )
    assert "1234" not in repr(found)


def test_a_field_that_all_get_needs_no_column(path: Path) -> None:
    assert table(path, "card\na\n", supplied=frozenset({"user_number"})).check().rows == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has none for: card, user_number"),
        ("card\na\n", "has none for: user_number"),
        ("card,user_number,phone\na,1,2\n", "column 3"),
        ("card,user_number,user_number\na,1,2\n", "column 2, 3"),
        ("card,user_number,slot-pin\na,1,1234\n", "column 3"),
        ("card,user_number\n", "no row"),
        ('card,user_number\na,"1\n', "no CSV"),
        ('card,user_number\n"a"b,1\n', "no CSV"),
        ("card,user_number\na,1\0\n", "no text"),
        ("card,user_number\na," + "1" * 70_000, "too long"),
    ],
)
def test_what_is_no_such_table(path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        table(path, text).check()


def test_another_encoding_is_said_to_be(path: Path) -> None:
    with pytest.raises(InputError, match="--encoding"):
        table(path, "カード,利用者番号\na,1\n".encode("cp932")).check()
    with pytest.raises(InputError):
        table(path, "カード,利用者番号\na,1\n".encode(), "cp932").check()


def test_a_table_that_changes_meanwhile_stops(path: Path) -> None:
    one = table(path, "card,user_number\na,1\nb,2\n")
    one.check()
    path.write_text("card,user_number\na,1\nb,x\n")
    rows = one.rows()
    assert next(rows).card == "a"
    with pytest.raises(InputError, match="changed"):
        next(rows)


def test_many_bad_rows_are_counted_and_the_first_are_named(path: Path) -> None:
    found = table(path, "card,user_number\n" + "".join(f"{n},x\n" for n in range(MAX_NAMED + 5))).check()
    assert (len(found.bad), found.more) == (MAX_NAMED, 5)


def test_memory_does_not_grow_with_what_the_rows_hold(path: Path) -> None:
    one = table(path, "card,user_number\n" + "".join(f"{n},{'1' * 500}\n" for n in range(4000)))
    tracemalloc.start()
    assert sum(1 for _ in one.rows()) == 4000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


@given(st.binary(max_size=400))
def test_hostile_bytes_give_typed_errors(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    for encoding in ("utf-8", "cp932"):
        for head in (b"", b"card,user_number\n"):
            with contextlib.suppress(InputError):
                table(tmp_path_factory.mktemp("t") / "x.csv", head + raw, encoding).check()


def test_values_do_not_show(path: Path) -> None:
    row = next(table(path, "card,user_number\nsecretcard,123456\n").rows())
    assert "123456" not in repr(row)
    assert "secretcard" not in repr(row)
