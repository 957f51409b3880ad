"""A master key on a token: SoftHSM, which nobody here wrote, and a token of our own for what SoftHSM does not do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kojin_card.errors import (
    Cancelled,
    InputError,
    KojinError,
    NoToken,
    TokenPinBlocked,
    TokenPinRejected,
    TokenPinReserve,
    UsageError,
)
from kojin_card.globalplatform import FileMaster, MasterKey, Pkcs11Master, diversify
from kojin_card.secret import CallablePinSource, Secret

SOFTHSM = "/usr/lib/*/softhsm/libsofthsm2.so"
TOKEN, PIN = "kojin owners", "482913"
MASTER = bytes(range(0x30, 0x50))
CARD = b"0123456789ABCDEF"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SoftHSM with a token that has keys of every kind, in a folder of its own."""
    import pkcs11

    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    try:
        for label in (TOKEN, "twin", "twin"):
            subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "00000000", "--pin", PIN],
                check=True,
                capture_output=True,
            )
        path = str(next(Path("/").glob(SOFTHSM.removeprefix("/"))))
        library = pkcs11.lib(path)
        with library.get_token(token_label=TOKEN).open(rw=True, user_pin=PIN) as session:
            for label, value in (
                ("master 256", MASTER),
                ("master 128", MASTER[:16]),
                ("master 192", MASTER[:24]),
                ("twice", MASTER),
                ("twice", MASTER),
            ):
                session.create_object(aes_key(label, value))
            session.create_object(aes_key("may not sign", MASTER) | {pkcs11.Attribute.SIGN: False})
        yield path
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def aes_key(label: str, value: bytes) -> dict[Any, Any]:
    from pkcs11 import Attribute, KeyType, ObjectClass

    return {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.VALUE: value,
        Attribute.LABEL: label,
        Attribute.TOKEN: True,
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.SIGN: True,
    }


@pytest.mark.foreign(SOFTHSM)
@pytest.mark.parametrize("bits", [128, 256])
def test_a_token_derives_the_keys_of_a_card(module: str, bits: int) -> None:
    with Pkcs11Master(module, TOKEN, f"master {bits}", Secret(PIN), version=2) as master:
        assert isinstance(master, MasterKey)
        assert (master.bits, master.version, master.trial) == (bits, 2, False)
        keys = diversify(master, CARD)
        assert TOKEN in master.description
    due = diversify(FileMaster(Secret(MASTER[: bits // 8])), CARD)
    assert all(one == other for one, other in zip(keys.each(), due.each(), strict=True))


@pytest.mark.foreign(SOFTHSM)
def test_the_pin_is_asked_for_once_and_stays_the_callers(module: str) -> None:
    asked: list[tuple[str, str]] = []
    given = Secret(PIN)

    def ask(name: str, label: str, left: int | None) -> Secret:
        asked.append((name, label))
        return Secret(PIN)

    with Pkcs11Master(module, TOKEN, "master 256", CallablePinSource(ask)):
        pass
    assert asked == [("token-pin", TOKEN)]
    with Pkcs11Master(module, TOKEN, "master 256", given):
        pass
    assert given.reveal() == PIN.encode()


@pytest.mark.foreign(SOFTHSM)
@pytest.mark.parametrize("pin", ["000000", "1", "", "9" * 300])
def test_a_wrong_pin_is_typed_and_shows_nowhere(module: str, pin: str) -> None:
    with pytest.raises(TokenPinRejected) as caught:
        Pkcs11Master(module, TOKEN, "master 256", Secret(pin))
    assert caught.value.__context__ is None
    assert not pin or pin not in str(caught.value)
    assert caught.value.remedy("ja")


@pytest.mark.foreign(SOFTHSM)
@pytest.mark.parametrize(
    ("token", "label", "why"),
    [
        ("no such", "master 256", "no token"),
        ("twin", "master 256", "two tokens"),
        (TOKEN, "no such", "no AES key"),
        (TOKEN, "twice", "two keys"),
        (TOKEN, "master 192", "128 or 256"),
        (TOKEN, "may not sign", "not allowed to sign"),
    ],
)
def test_what_is_not_there_is_named(module: str, token: str, label: str, why: str) -> None:
    with pytest.raises(NoToken, match=why) as caught:
        Pkcs11Master(module, token, label, Secret(PIN))
    assert caught.value.details["token"] == token


@pytest.mark.foreign(SOFTHSM)
def test_after_it_was_closed_nothing_is_computed(module: str) -> None:
    master = Pkcs11Master(module, TOKEN, "master 256", Secret(PIN))
    master.close()
    with pytest.raises(KojinError):
        master.cmac(b"message")
    master.close()


@pytest.mark.parametrize("path", ["/no/such/module.so", __file__])
def test_a_module_that_is_none(path: str) -> None:
    with pytest.raises(NoToken, match="module"):
        Pkcs11Master(path, TOKEN, "master 256", Secret(PIN))


def test_a_version_that_no_key_set_has() -> None:
    with pytest.raises(UsageError):
        Pkcs11Master("/no/such/module.so", TOKEN, "master 256", Secret(PIN), version=0)


# --- what SoftHSM does not do: it counts no tries --------------------------------------------------------------------


@dataclass
class FakeToken:
    """One token in the one slot of a module."""

    flags: int = 0
    error: str = ""
    label: str = TOKEN
    tried: list[str] = field(default_factory=list)

    def get_token(self) -> FakeToken:
        return self

    def get_slots(self, **_: bool) -> list[FakeToken]:
        return [self]

    def open(self, user_pin: str) -> Any:
        import pkcs11.exceptions

        self.tried.append(user_pin)
        if self.error:
            raise getattr(pkcs11.exceptions, self.error)
        key = SimpleNamespace(key_length=256, sign=lambda *_, **__: bytes(8))
        return SimpleNamespace(get_key=lambda **_: key, close=lambda: None)


def with_token(monkeypatch: pytest.MonkeyPatch, token: FakeToken) -> None:
    import pkcs11

    named = {name: getattr(pkcs11, name) for name in ("exceptions", "TokenFlag", "ObjectClass", "KeyType", "Mechanism")}
    monkeypatch.setitem(sys.modules, "pkcs11", SimpleNamespace(lib=lambda _: token, **named))


@pytest.mark.parametrize(
    ("flag", "kind"), [("USER_PIN_FINAL_TRY", TokenPinReserve), ("USER_PIN_LOCKED", TokenPinBlocked)]
)
def test_the_last_try_of_a_token_is_never_spent(
    flag: str, kind: type[KojinError], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pkcs11

    token = FakeToken(flags=int(pkcs11.TokenFlag[flag] | pkcs11.TokenFlag.USER_PIN_COUNT_LOW))
    with_token(monkeypatch, token)

    def ask(name: str, label: str, left: int | None) -> Secret:
        raise AssertionError("nobody is asked for a PIN that will not be sent")

    with pytest.raises(kind) as caught:
        Pkcs11Master("module", TOKEN, "key", CallablePinSource(ask))
    assert caught.value.remedy("en")
    assert not token.tried


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("PinIncorrect", TokenPinRejected),
        ("PinLocked", TokenPinBlocked),
        ("UserPinNotInitialized", NoToken),
        ("UserAlreadyLoggedIn", NoToken),
        ("DeviceRemoved", NoToken),
    ],
)
def test_what_a_token_says_to_a_pin(error: str, kind: type[KojinError], monkeypatch: pytest.MonkeyPatch) -> None:
    token = FakeToken(error=error)
    with_token(monkeypatch, token)
    with pytest.raises(kind) as caught:
        Pkcs11Master("module", TOKEN, "key", Secret(PIN))
    assert token.tried == [PIN], "once"
    assert PIN not in str(caught.value)


def test_who_gives_up_at_the_prompt_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    token = FakeToken()
    with_token(monkeypatch, token)

    def ask(name: str, label: str, left: int | None) -> Secret:
        raise Cancelled

    with pytest.raises(Cancelled):
        Pkcs11Master("module", TOKEN, "key", CallablePinSource(ask))
    assert not token.tried


def test_a_token_that_gives_something_else_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    with_token(monkeypatch, FakeToken())
    master = Pkcs11Master("module", TOKEN, "key", Secret(PIN))
    with pytest.raises(InputError):
        master.cmac(b"message")
    assert PIN not in repr(master)
