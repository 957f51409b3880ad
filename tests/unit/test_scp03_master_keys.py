"""Sealed content and master keys: what opens, what does not, and that nothing shows."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kojin_card.errors import InputError, KojinError, MissingExtra, PassphraseRejected, UsageError
from kojin_card.globalplatform import FileMaster, MasterKey, Pkcs11Master, diversify
from kojin_card.globalplatform.sealed import seal, unseal
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


# --- the master key --------------------------------------------------------------------------------------------------


def test_a_master_key_that_was_wiped_computes_nothing() -> None:
    with FileMaster.create(256, version=4) as master:
        assert isinstance(master, MasterKey)
        assert (master.bits, master.version, master.trial) == (256, 4, False)
        assert diversify(master, CARD).bits == 256
    with pytest.raises(UsageError):
        master.cmac(b"")


def test_no_master_key_that_no_card_could_use() -> None:
    for key, version in ((b"", 1), (bytes(24), 1), (bytes(16), 0), (bytes(16), 128)):
        with pytest.raises(UsageError):
            FileMaster(Secret(key), version)
    with pytest.raises(UsageError):
        FileMaster.create(192)


def test_the_key_shows_nowhere() -> None:
    master = FileMaster(Secret(bytes(range(0xA0, 0xB0))))
    shown = repr(master) + str(master) + master.description
    assert "a0a1a2" not in shown.lower()


def test_without_the_extra_a_token_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    with pytest.raises(MissingExtra) as caught:
        Pkcs11Master("/no/module.so", "token", "label", Secret("1234"))
    assert caught.value.details["extra"] == "pkcs11"
    assert isinstance(caught.value, KojinError)
