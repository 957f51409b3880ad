"""Text and dates of the driving licence (card.md §2.9), against hand-made bytes."""

from __future__ import annotations

from datetime import date

import pytest

from kojin_card.spec import jis_x0208
from kojin_card.spec.wareki import era_date, is_era_date, to_era_date


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("", ""),
        ("4D254E49", "優良"),  # JIS X 0208: 優 45-05, 良 46-41
        ("346336404579", "眼鏡等"),
        ("2121", "\u3000"),
        ("FFF1FFF7FFFA", "\ue001\ue007\ue00a"),
        ("222E", "〓"),
    ],
)
def test_text_both_ways(raw: str, text: str) -> None:
    assert jis_x0208.decode(bytes.fromhex(raw)) == text
    assert jis_x0208.encode(text).hex().upper() == raw


@pytest.mark.parametrize("raw", ["4D", "4D25FF", "FFF0", "FFF8", "FFFB", "CDA5", "4D7F", "2D35", "7E7E", "1B24"])
def test_what_is_no_text(raw: str) -> None:
    assert jis_x0208.decode(bytes.fromhex(raw)) is None


@pytest.mark.parametrize("text", ["A", "ｱ", "𠮷", "鷗", "€", "\ue008"])
def test_what_jis_x_0208_has_not_got(text: str) -> None:
    with pytest.raises((ValueError, UnicodeEncodeError)):
        jis_x0208.encode(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("5101103", date(2028, 11, 3)),
        ("5010501", date(2019, 5, 1)),
        ("4330101", date(2021, 1, 1)),  # 平成33年, on papers of before 2019
        ("3640107", date(1989, 1, 7)),
        ("2010730", date(1912, 7, 30)),
        ("1010908", date(1868, 9, 8)),
    ],
)
def test_days_with_their_era(text: str, day: date) -> None:
    assert era_date(text) == day
    assert is_era_date(text)


def test_a_day_in_its_era() -> None:
    assert [to_era_date(day) for day in (date(2019, 4, 30), date(2019, 5, 1), date(1926, 12, 25))] == [
        "4310430",
        "5010501",
        "3011225",
    ]


@pytest.mark.parametrize("text", ["5000000", "0000000"])
def test_no_day(text: str) -> None:
    assert era_date(text) is None
    assert is_era_date(text)


@pytest.mark.parametrize(
    "text",
    ["", "510110", "51011033", "6010101", "0010101", "5000101", "5021301", "5020230", "５１０１１０３", "5-10101"],
)
def test_what_is_no_date(text: str) -> None:
    assert era_date(text) is None
    assert not is_era_date(text)
