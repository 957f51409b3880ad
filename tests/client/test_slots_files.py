"""Files of the free area: key files, owners.toml, lists of cards, hand-overs, ledgers, terminal certificates."""

from __future__ import annotations

import json
import pickle
import stat
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from client.slots_world import BEGIN, FRESH, NEXT_TOWN, TOWN, keys, store
from kojin_card.errors import (
    HandOverRefused,
    InputError,
    KeyFileError,
    KojinError,
    PassphraseRejected,
    SpecError,
    UsageError,
)
from kojin_card.globalplatform import FileMaster
from kojin_card.secret import Secret
from kojin_card.slots import (
    FileLedger,
    HandOver,
    IssuerKeys,
    JoinedAuthority,
    OwnerKeys,
    OwnerStore,
    StaticStatus,
    TerminalKey,
    certify_terminal,
    terminal_key_pair,
)
from kojin_card.slots.ec import EcSigner, verifies
from kojin_card.spec.terminal_certificate import authority_id, decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSPHRASE = Secret("a long passphrase")
COST = 14


def saved(path: Path, found: OwnerKeys | None = None) -> Path:
    (found or keys(TOWN)).save(path, PASSPHRASE, cost=COST)
    return path


# --- key files --------------------------------------------------------------------------------------------------------


def test_a_key_file_gives_back_what_it_was_given(tmp_path: Path) -> None:
    whole = keys(TOWN).rotated(date(2026, 11, 20))
    path = saved(tmp_path / "owner.json", whole)
    found = OwnerKeys.load(path, PASSPHRASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (found.owner, found.begin, found.earlier) == (whole.owner, whole.begin, whole.earlier)
    assert found.public("x", "y") == whole.public("x", "y")
    assert [one.version for one in found.masters] == [2, 1]
    assert found.for_card(b"card").check_values() == whole.for_card(b"card").check_values()
    assert verifies(whole.record.compressed, b"message", found.record.sign(b"message"))
    assert not verifies(whole.record.compressed, b"massage", found.record.sign(b"message"))


def test_a_key_file_shows_no_secret(tmp_path: Path) -> None:
    path = saved(tmp_path / "owner.json")
    text = path.read_text("utf-8") + repr(keys(TOWN))
    master = keys(TOWN).masters[0]
    assert isinstance(master, FileMaster)
    for secret in (keys(TOWN).record.scalar().reveal(), bytes(master.octets())):
        assert secret.hex() not in text.lower()
    with pytest.raises(TypeError):
        pickle.dumps(keys(TOWN).record)


def test_another_passphrase_or_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "owner.json")
    with pytest.raises(PassphraseRejected):
        OwnerKeys.load(path, Secret("another passphrase"))
    table = json.loads(path.read_text("utf-8"))
    changes: list[tuple[type[KojinError], Callable[[dict[str, Any]], object]]] = [
        (PassphraseRejected, lambda one: one["public"].update(owner="municipality:13103")),
        (PassphraseRejected, lambda one: one["public"].update({"from": "2020-01-01"})),
        (PassphraseRejected, lambda one: one["public"].update(record_key=one["public"]["terminal_ca"])),
        (PassphraseRejected, lambda one: one["public"].update(earlier=[1])),
        (KeyFileError, lambda one: one.update(kind="kojin-card issuer keys")),
        (KeyFileError, lambda one: one.update(schema=2)),
        (KeyFileError, lambda one: one.pop("secret")),
        (KeyFileError, lambda one: one.update(more=1)),
        (KeyFileError, lambda one: one.update(public=[])),
        (InputError, lambda one: one["secret"].update(cost=40)),
    ]
    for kind, change in changes:
        other = json.loads(json.dumps(table))
        change(other)
        path.write_text(json.dumps(other), "utf-8")
        with pytest.raises(kind) as caught:
            OwnerKeys.load(path, PASSPHRASE)
        assert "long passphrase" not in str(caught.value)
    for octets in (b"", b"{}", b"[" * 100_000, b"\xff", b'{"kind": "kojin-card owner keys"}'):
        path.write_bytes(octets)
        with pytest.raises(KeyFileError):
            OwnerKeys.load(path, PASSPHRASE)
    with pytest.raises(InputError):
        OwnerKeys.load(tmp_path / "missing.json", PASSPHRASE)


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        keys(TOWN).save(tmp_path / "owner.json", Secret("short"), cost=COST)
    assert not list(tmp_path.iterdir())


def test_a_master_key_may_lie_elsewhere(tmp_path: Path) -> None:
    class Token:
        description, bits, version, trial = "a token", 128, 3, False

        def cmac(self, message: bytes) -> bytes:
            return FileMaster(Secret(bytes(16)), 3).cmac(message)

    made = OwnerKeys.create(TOWN, begin=BEGIN, master=Token())
    path = saved(tmp_path / "owner.json", made)
    with pytest.raises(KeyFileError, match="elsewhere"):
        OwnerKeys.load(path, PASSPHRASE)
    found = OwnerKeys.load(path, PASSPHRASE, masters=[Token()])
    assert found.for_card(b"card").check_values() == made.for_card(b"card").check_values()
    with pytest.raises(UsageError):
        made.rotated(date(2027, 1, 1))
    assert made.rotated(date(2027, 1, 1), master=False).masters == made.masters


def test_rotation_begins_after_what_is_there() -> None:
    with pytest.raises(UsageError):
        keys(TOWN).rotated(BEGIN)
    only = keys(TOWN).rotated(date(2027, 1, 1), record=False, terminal_ca=False)
    assert (only.begin, only.earlier, len(only.masters)) == (BEGIN, (), 2)


def test_an_issuers_file_is_no_owners(tmp_path: Path) -> None:
    path = tmp_path / "issuer.json"
    made = IssuerKeys.create(bits=128)
    made.save(path, PASSPHRASE, cost=COST)
    found = IssuerKeys.load(path, PASSPHRASE)
    assert found.for_card(b"card").check_values() == made.for_card(b"card").check_values()
    assert not found.trial_keys
    with pytest.raises(KeyFileError):
        OwnerKeys.load(path, PASSPHRASE)
    with pytest.raises(KeyFileError):
        IssuerKeys.load(saved(tmp_path / "owner.json"), PASSPHRASE)
    with pytest.raises(UsageError):
        IssuerKeys.trial().save(path, PASSPHRASE, cost=COST)
    assert IssuerKeys.trial().trial_keys


# --- owners.toml ------------------------------------------------------------------------------------------------------


def test_owners_are_read_as_they_are_written(tmp_path: Path) -> None:
    entry = keys(TOWN).rotated(date(2026, 11, 20)).public('架空"市\\', "Name\u007f")
    whole = store().with_entry(entry)
    path = tmp_path / "owners.toml"
    path.write_text(whole.toml(), "utf-8")
    found = OwnerStore.load(path)
    assert found == whole
    assert found.find(TOWN) == entry
    assert OwnerStore().find(TOWN) is None
    with pytest.raises(InputError):
        OwnerStore.load(path, path)


def test_a_wrong_owners_file_is_refused() -> None:
    good = store().toml()
    point = keys(TOWN).record.compressed.hex().upper()
    for wrong in (
        good.replace("schema = 1", "schema = 2"),
        good.replace('kind = "municipality"', 'kind = "village"', 1),
        good.replace('code = "13101"', 'code = "99999"'),
        good.replace(point, "02" + "FF" * 32),
        good.replace(point, point[:-2]),
        good.replace(point, keys(TOWN).terminal_ca.compressed.hex().upper()),
        good.replace("from = 2026-04-01", 'from = "2026-04-01"', 1),
        good.replace("from = 2026-04-01", "from = 2026-04-01\nuntil = 2026-03-31", 1),
        good + "\n[more]\n",
        "schema = 1\n[[owner]]\n",
        "\x00",
    ):
        assert wrong != good
        with pytest.raises(SpecError):
            OwnerStore.parse(wrong)
    for twice in (good + good.replace("schema = 1\n", ""), good.replace('code = "13103"', 'code = "13101"')):
        with pytest.raises(InputError):
            OwnerStore.parse(twice)
    with pytest.raises(InputError, match="two owners"):
        OwnerStore.parse(good.replace(keys(NEXT_TOWN).record.compressed.hex().upper(), point))


# --- lists of cards ---------------------------------------------------------------------------------------------------


def test_a_wrong_list_of_cards_is_refused(tmp_path: Path) -> None:
    card = '[[card]]\nnumber = "A"\nstanding = "stopped"\n'
    assert StaticStatus.parse(FRESH + card).others == "in_force"
    for wrong in (
        FRESH.replace("schema = 1", "schema = 3"),
        FRESH.replace('"in_force"', '"stopped"'),
        FRESH.replace('"in_force"', '"fine"'),
        FRESH.replace("+09:00", "", 1),
        FRESH.replace("2026-12-04", "2026-11-01"),
        FRESH + card + card,
        FRESH + card.replace('"A"', '""'),
        FRESH + card + 'why = "紛失"\n',
        FRESH + "more = 1\n",
    ):
        with pytest.raises(SpecError):
            StaticStatus.parse(wrong)
    path = tmp_path / "status.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(SpecError):
        StaticStatus.load(path)
    path.write_text(FRESH, "utf-8")
    assert StaticStatus.load(path) == StaticStatus.parse(FRESH)


# --- hand-overs -------------------------------------------------------------------------------------------------------


def given() -> HandOver:
    return HandOver(
        id=bytes(16),
        old=TOWN,
        new=NEXT_TOWN,
        card="0123",
        aid=bytes.fromhex("F04B4F4A494E0000000000000011"),
        counter=3,
        date=date(2026, 11, 27),
        last_day=date(2026, 12, 11),
        service="facility",
    ).signed(keys(TOWN).record)


def test_a_hand_over_is_read_as_it_is_written() -> None:
    entry = keys(TOWN).public("", "")
    found = HandOver.decode(given().encode())
    assert found == given() or found.message() == given().message()
    assert found.signed_by(entry)
    assert not found.signed_by(keys(NEXT_TOWN).public("", ""))
    later = replace(entry, keys=(replace(entry.keys[0], begin=date(2026, 12, 1)),))
    assert not found.signed_by(later)
    assert not replace(found, counter=4).signed_by(entry)
    assert "0123" not in repr(found)


def test_a_wrong_hand_over_is_refused() -> None:
    table = json.loads(given().encode())
    for change in (
        {"id": "00"},
        {"id": "zz" * 16},
        {"id": table["id"].upper() + " "},
        {"from": "town:1"},
        {"slot": "00"},
        {"counter": 0},
        {"counter": True},
        {"counter": "3"},
        {"date": "2026-13-01"},
        {"last_day": "2026-11-01"},
        {"service": "Not A Service"},
        {"signature": "00"},
        {"kind": "letter"},
        {"more": 1},
        {"card": 1},
    ):
        with pytest.raises(HandOverRefused):
            HandOver.decode(json.dumps({**table, **change}).encode())
    for octets in (b"", b"[]", b"\xff", b"[" * 100_000, b"{" * 9000, json.dumps({"id": 1}).encode()):
        with pytest.raises(HandOverRefused):
            HandOver.decode(octets)


def test_a_ledger_gives_each_hand_over_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = FileLedger(path)
    assert ledger.taken_by(b"1" * 16) is None
    ledger.take(b"1" * 16, b"slot")
    ledger.take(b"1" * 16, b"slot")
    ledger.take(b"2" * 16, b"other")
    assert path.read_text("ascii").count("\n") == 2
    assert FileLedger(path).taken_by(b"1" * 16) == b"slot"
    with pytest.raises(HandOverRefused):
        FileLedger(path).take(b"1" * 16, b"other")
    path.write_bytes(b"no hex here")
    with pytest.raises(InputError):
        ledger.taken_by(b"1" * 16)


# --- terminals --------------------------------------------------------------------------------------------------------


def test_a_terminal_certificate(tmp_path: Path) -> None:
    private, public = terminal_key_pair(PASSPHRASE)
    dates = {"issued": date(2026, 11, 27), "expiry": date(2027, 11, 26)}
    octets = certify_terminal(keys(TOWN), public, name="GATE-1", group="library", fields=[4, 1, 4], **dates)
    certificate = decode(octets)
    assert certificate.body.fields == (1, 4)
    assert certificate.body.authority == authority_id(keys(TOWN).terminal_ca.compressed)
    assert verifies(keys(TOWN).terminal_ca.compressed, certificate.octets, certificate.signature)
    assert TerminalKey.load(octets, private, PASSPHRASE).octets == octets
    other, _ = terminal_key_pair(None)
    for pem, passphrase in (
        (private, None),
        (private, Secret("wrong one")),
        (other, None),
        (b"", None),
        (public, None),
    ):
        with pytest.raises(InputError) as caught:
            TerminalKey.load(octets, pem, passphrase)
        assert caught.value.__cause__ is None
    with pytest.raises(InputError):
        TerminalKey.load(octets[:-1], private, PASSPHRASE)
    wrong: list[dict[str, Any]] = [
        {"name": "gate"},
        {"name": "ゲート"},
        {"group": "LIBRARY"},
        {"fields": range(1, 14)},
        {"fields": [25]},
        {"fields": [0]},
        {"expiry": date(2026, 11, 26)},
        {"expiry": date(2028, 1, 1)},
    ]
    for change in wrong:
        settings: dict[str, Any] = {"name": "GATE-1", "group": "library", "fields": [1], **dates, **change}
        with pytest.raises(InputError):
            certify_terminal(keys(TOWN), public, **settings)
    for pem in (b"", b"x" * 10_000, private):
        with pytest.raises(InputError):
            certify_terminal(keys(TOWN), pem, name="GATE-1", group="library", fields=[1], **dates)


def test_a_partner_is_a_point_and_fields_in_order() -> None:
    for key, fields in ((b"\x02" + b"\xff" * 32, (1,)), (keys(TOWN).terminal_ca.compressed, (2, 1)), (b"", ())):
        with pytest.raises(InputError):
            JoinedAuthority(key, TOWN, fields)


def test_a_scalar_that_is_no_key_is_refused() -> None:
    for scalar in (bytes(32), b"\xff" * 32, b""):
        with pytest.raises(InputError):
            EcSigner.from_scalar(Secret(scalar))


@pytest.mark.attack("slots", "a key file whose cost asks for more memory than there is", "InputError")
def test_a_cost_beyond_the_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from kojin_card.globalplatform import sealed

    table = sealed.seal(b"x", Secret("correct horse"), "test", cost=14)

    def without(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr(sealed, "Scrypt", without)
    with pytest.raises(InputError, match="memory") as caught:
        sealed.unseal({**table, "cost": 20}, Secret("correct horse"), "test")
    assert caught.value.__context__ is None
