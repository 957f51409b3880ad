"""The index of revocation lists: nothing is lost in it, and no damage goes unseen."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from kojin_card.pki import der
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_index import CrlIndex, IndexDamaged, build, sorted_lines
from kojin_card.pki.profile import Store
from kojin_card.pki.revocation import REASON_NAMES, Crl
from kojin_card.pki.trust import TrustAnchor, TrustStore
from kojin_card.testing import forge

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SERIALS = st.integers(1, 40) | st.integers(0, (1 << 159) - 1)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001 - zone follows
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
ENTRIES = st.dictionaries(SERIALS, st.tuples(MOMENTS, st.sampled_from(sorted(REASON_NAMES))), max_size=30)
Entries = dict[int, tuple[datetime, int]]


@cache
def anchor() -> TrustAnchor:
    return TrustStore.load(Store.SIMULATOR).anchors[0]


@cache
def leaf() -> Certificate:
    return Certificate.parse(forge.certificate())


def line(serial: int, when: datetime, reason: int) -> bytes:
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    parts = der.encode(der.INTEGER, number) + der.encode(der.UTC_TIME, f"{when:%y%m%d%H%M%SZ}".encode("ascii"))
    if reason:
        value = der.encode(der.OCTET_STRING, bytes((0x0A, 1, reason)))
        extension = der.encode(der.SEQUENCE, bytes.fromhex("0603551d15") + value)
        parts += der.encode(der.SEQUENCE, extension)
    return der.encode(der.SEQUENCE, parts)


def crl(day: int, entries: Entries, asserted_by: str | None = None) -> Crl:
    """A list as it is once it was read and its signature verified."""
    revoked = b"".join(line(serial, *rest) for serial, rest in entries.items())
    return Crl(
        sha256=hashlib.sha256(bytes((day,)) + revoked).hexdigest(),
        number=day + 1,
        this_update=START + day * DAY,
        next_update=START + (day + 1) * DAY,
        asserted_by=asserted_by,
        tbs=b"",
        signature_algorithm="",
        signature=b"",
        issuer=anchor().subject,
        authority_key=None,
        scope=b"\x30\x00",
        revoked=revoked,
    )


def made_of(generations: list[Entries]) -> bytes:
    data, before = b"", None
    for day, entries in enumerate(generations):
        one = crl(day, entries, f"nobody, day {day}" if day % 2 else None)
        data = build(anchor(), one, sorted_lines(one), before=before, added=START + day * DAY)
        before = CrlIndex.of(data)
    return data


@given(st.lists(ENTRIES, min_size=1, max_size=5), st.sets(SERIALS, max_size=10))
def test_every_revocation_of_every_generation_is_found_and_no_other(
    generations: list[Entries], others: set[int]
) -> None:
    index = CrlIndex.of(made_of(generations))
    said = {serial for entries in generations for serial in entries}
    assert (index.records, index.lists) == (len(said), len(generations))
    assert index.newest.entries == len(generations[-1])
    for serial in said:
        found = index.find(serial)
        newest = max(day for day, entries in enumerate(generations) if serial in entries)
        assert found is not None
        assert found.effective == min(entries[serial][0] for entries in generations if serial in entries)
        assert found.reason == REASON_NAMES[generations[newest][serial][1]]
        by = index.list_at(found.said_by)
        assert (by.number, by.this_update) == (newest + 1, START + newest * DAY)
        assert by.asserted_by == (f"nobody, day {newest}" if newest % 2 else None)
    assert all(index.find(serial) is None for serial in others - said)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 14 * 24), st.integers(0, 14 * 24))
def test_the_newest_list_that_can_tell_is_found(days: list[bool], asked: int, passed: int) -> None:
    """By binary search, as by asking each list."""
    data, before, lists = b"", None, []
    for day in (day for day, there in enumerate([*days, True]) if there):
        lists.append(crl(day, {}))
        data = build(anchor(), lists[-1], [], before=before, added=START)
        before = CrlIndex.of(data)
    at = START + asked * timedelta(hours=1)
    now = at + passed * timedelta(hours=1)
    for age in (DAY, timedelta(hours=5), 3 * DAY):
        able = [one for one in lists if one.answers(leaf(), at, now, age)]
        found = CrlIndex.of(data).answering(leaf(), at, now, age)
        assert (None if found is None else found.sha256) == (able[-1].sha256 if able else None)


@given(st.lists(ENTRIES, min_size=1, max_size=2), st.data())
@settings(max_examples=200)
def test_a_byte_that_changed_is_seen(generations: list[Entries], data: st.DataObject) -> None:
    good = made_of(generations)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(good) - 1))
    for damaged in (bytes(bad), good[:cut], good + b"\x00"):
        with pytest.raises(IndexDamaged):
            CrlIndex.of(damaged)


@given(st.lists(ENTRIES, min_size=1, max_size=2), st.data())
@settings(max_examples=200)
def test_what_somebody_made_up_is_refused_or_read_but_never_breaks(
    generations: list[Entries], data: st.DataObject
) -> None:
    made = bytearray(made_of(generations)[:-32])
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    try:
        index = CrlIndex.of(bytes(made) + hashlib.sha256(made).digest())
        for serial in (0, 1, (1 << 159) - 1, *generations[0]):
            found = index.find(serial)
            if found is not None:
                index.list_at(found.said_by)
        index.answering(leaf(), START, START + DAY, DAY)
        assert index.newest.number >= 0
    except IndexDamaged:
        pass


@given(ENTRIES)
@settings(max_examples=30)
def test_lines_are_read_as_the_library_reads_them(entries: Entries) -> None:
    builder = x509.CertificateRevocationListBuilder(
        x509.Name([]),
        START,
        START + DAY,
        revoked_certificates=[
            x509.RevokedCertificateBuilder(serial, when).build() for serial, (when, _) in entries.items() if serial
        ],
    )
    made = builder.sign(forge.pki().ca_of(anchor().purpose, 2).key, hashes.SHA256())
    fields = der.children(der.single(made.tbs_certlist_bytes))
    body = fields[5].value if len(fields) > 5 else b""
    told = [(one.serial_number, one.revocation_date_utc, 0) for one in made]
    assert list(replace(crl(0, {}), revoked=body).lines()) == told
