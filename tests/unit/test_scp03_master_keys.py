"""Master keys in sealed files: what opens, what does not, and that nothing shows."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kojin_card.errors import InputError, KojinError, MissingExtra, PassphraseRejected, UsageError
from kojin_card.globalplatform import FileMaster, MasterKey, Pkcs11Master, diversify
from kojin_card.globalplatform.sealed import seal, unseal, write_private
from kojin_card.secret import Secret

LOW = 14
PASSPHRASE = "correct horse battery"
CARD = b"0123456789ABCDEF"


def sealed(content: bytes = b"content", context: str = "a kind of file") -> dict[str, Any]:
    return seal(content, Secret(PASSPHRASE), context, cost=LOW)


def test_what_was_sealed_is_opened_by_its_passphrase_and_context_only() -> None:
    table = sealed()
    assert unseal(table, Secret(PASSPHRASE), "a kind of file") == b"content"
    for passphrase, context in (
        (PASSPHRASE + " ", "a kind of file"),
        (PASSPHRASE, "another kind"),
        ("", "a kind of file"),
    ):
        with pytest.raises(PassphraseRejected) as caught:
            unseal(table, Secret(passphrase), context)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_the_form_is_scrypt_and_gcm_as_anybody_can_open_it() -> None:
    table = sealed()
    key = Scrypt(salt=bytes.fromhex(table["salt"]), length=32, n=1 << LOW, r=8, p=1).derive(PASSPHRASE.encode())
    nonce, data = bytes.fromhex(table["nonce"]), bytes.fromhex(table["sealed"])
    assert AESGCM(key).decrypt(nonce, data, b"a kind of file") == b"content"
    assert sealed()["salt"] != table["salt"]
    assert sealed()["nonce"] != table["nonce"]


@pytest.mark.parametrize("name", ["salt", "nonce", "sealed"])
def test_a_changed_bit_is_found(name: str) -> None:
    table = sealed()
    raw = bytearray.fromhex(table[name])
    raw[0] ^= 1
    with pytest.raises(PassphraseRejected):
        unseal(table | {name: raw.hex()}, Secret(PASSPHRASE), "a kind of file")


@pytest.mark.parametrize(
    "change",
    [
        {"cost": 40},
        {"cost": 13},
        {"cost": True},
        {"cost": "17"},
        {"cost": 14.0},
        {"kdf": "pbkdf2"},
        {"salt": ""},
        {"salt": "zz" * 16},
        {"nonce": 12},
        {"sealed": "00" * 70000},
        {"more": 1},
    ],
)
def test_a_table_of_another_form_is_refused_before_anything_is_computed(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        unseal(sealed() | change, Secret(PASSPHRASE), "a kind of file")


def test_nothing_is_sealed_without_a_passphrase() -> None:
    with pytest.raises(UsageError):
        seal(b"content", Secret(""), "a kind of file", cost=LOW)


def test_a_private_file_replaces_nothing_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    before = os.umask(0)
    try:
        write_private(path, b"first")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(InputError):
        write_private(path, b"second")
    assert path.read_bytes() == b"first"
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError):
        write_private(tmp_path / "link", b"third")
    with pytest.raises(InputError):
        write_private(tmp_path / "no folder" / "key.json", b"fourth")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["key.json", "link"]


# --- the master key --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [128, 256])
def test_a_master_key_comes_back_from_its_file(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "owner.json"
    master = FileMaster.create(bits, version=4)
    assert isinstance(master, MasterKey)
    master.save(path, Secret(PASSPHRASE))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bytes(master.octets()).hex() not in path.read_text("utf-8")
    with FileMaster.load(path, Secret(PASSPHRASE)) as again:
        assert (again.bits, again.version, again.trial) == (bits, 4, False)
        assert again.octets() == master.octets()
        assert "owner.json" in again.description
        for one, other in zip(diversify(again, CARD).each(), diversify(master, CARD).each(), strict=True):
            assert one == other
    with pytest.raises(UsageError):
        again.cmac(b"")
    with pytest.raises(PassphraseRejected):
        FileMaster.load(path, Secret("wrong"))


def test_bits_and_version_beside_the_key_are_bound_to_it() -> None:
    table = FileMaster.create(256, version=1).to_json(Secret(PASSPHRASE), cost=LOW)
    for change in ({"version": 2}, {"bits": 128}):
        with pytest.raises(PassphraseRejected):
            FileMaster.from_json(table | change, Secret(PASSPHRASE))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"kind": "kojin-card master key"}',
        "[" * 100_000,
        '{"a":' * 5000,
        "\x00",
        "9" * 5000,
    ],
)
def test_what_is_no_master_key_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "owner.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError):
        FileMaster.load(path, Secret(PASSPHRASE))
    with pytest.raises(InputError):
        FileMaster.load(tmp_path / "absent", Secret(PASSPHRASE))


@pytest.mark.parametrize(
    "change",
    [
        {"bits": 192},
        {"version": 0},
        {"version": True},
        {"schema": 2},
        {"kind": "x"},
        {"secret": []},
        {"bits": [1]},
        {"x": 1},
    ],
)
def test_a_master_key_file_of_another_form_is_refused(change: dict[str, Any]) -> None:
    table = FileMaster.create().to_json(Secret(PASSPHRASE), cost=LOW)
    with pytest.raises(InputError):
        FileMaster.from_json(table | change, Secret(PASSPHRASE))


def test_no_master_key_that_no_card_could_use() -> None:
    for key, version in ((b"", 1), (bytes(24), 1), (bytes(16), 0), (bytes(16), 128)):
        with pytest.raises(UsageError):
            FileMaster(Secret(key), version)
    with pytest.raises(UsageError):
        FileMaster.create(192)


def test_the_key_shows_nowhere() -> None:
    master = FileMaster(Secret(bytes(range(0xA0, 0xB0))))
    shown = repr(master) + str(master) + master.description + json.dumps(master.to_json(Secret(PASSPHRASE), cost=LOW))
    assert "a0a1a2" not in shown.lower()
    assert PASSPHRASE not in shown


def test_without_the_extra_a_token_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    with pytest.raises(MissingExtra) as caught:
        Pkcs11Master("/no/module.so", "token", "label", Secret("1234"))
    assert caught.value.details["extra"] == "pkcs11"
    assert isinstance(caught.value, KojinError)
