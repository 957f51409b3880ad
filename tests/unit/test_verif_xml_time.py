"""XAdES' SigningTime: in UTC, as a CMS message's, whatever zone it was written in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from kojin_card.errors import DecodeError
from kojin_card.verification.xml_signature import _time


def read(text: str) -> datetime | None:
    node = etree.Element("SigningTime")
    node.text = text
    return _time(node)


@pytest.mark.parametrize("text", ["2026-11-24T12:00:00+09:00", " 2026-11-24T03:00:00Z\n", "2026-11-23T17:00:00-10:00"])
def test_one_moment_has_one_form(text: str) -> None:
    found = read(text)
    assert found == datetime(2026, 11, 24, 3, tzinfo=UTC)
    assert found is not None
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_no_moment() -> None:
    assert read("2026-11-24T12:00:00") is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "yesterday", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        read(text)
