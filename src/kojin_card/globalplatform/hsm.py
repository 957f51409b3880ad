"""A master key that never leaves its token (HSM): PKCS#11 through python-pkcs11, the ``pkcs11`` extra.

The token computes the CMACs; only the keys of one card come out. A wrong PIN is sent once and never again, and none at
all when the token says that one more would block it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from kojin_card.errors import (
    InputError,
    MissingExtra,
    NoToken,
    TokenPinBlocked,
    TokenPinRejected,
    TokenPinReserve,
    UsageError,
)
from kojin_card.globalplatform.derivation import BLOCK
from kojin_card.globalplatform.keys import KEY_BITS, VERSIONS
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from kojin_card.secret import PinSource

#: what a PIN source is asked for
TOKEN_PIN = "token-pin"
_OPERATION = "use a key of a token"


class Pkcs11Master:
    """An AES master key on a token (:class:`~kojin_card.globalplatform.keys.MasterKey`); a context manager.

    Args:
        module: path of the token's PKCS#11 library.
        token: label of the token.
        label: label of the key: AES, 128 or 256 bits, allowed to sign (CKM_AES_CMAC).
        pin: the PIN of its user, or who knows it (asked for ``token-pin``).
        version: of the key sets that are derived from it, 1 to 127.

    Raises:
        MissingExtra: python-pkcs11 is not installed.
        NoToken: no such module, token or key, or not one key of that kind.
        TokenPinReserve: one more wrong PIN would block the token; none was sent.
        TokenPinRejected, TokenPinBlocked: the token said so.
    """

    trial = False

    def __init__(self, module: str, token: str, label: str, pin: Secret | PinSource, version: int = 1) -> None:
        if version not in VERSIONS:
            raise UsageError("a version of 1 to 127", operation=_OPERATION)
        self._pkcs11 = _library()
        self.version = version
        self.description = f"the key {label!r} on the token {token!r}"
        found = self._token(module, token)
        self._refuse_last_try(found, token)
        self._session = self._opened(found, token, pin)
        complete = False
        try:
            self._key = self._found(token, label)
            self.bits = int(self._key.key_length)
            if self.bits not in KEY_BITS:
                raise NoToken("the key is not AES of 128 or 256 bits", operation=_OPERATION, token=token, key=label)
            if not hasattr(self._key, "sign"):  # python-pkcs11 gives a key what its attributes allow
                raise NoToken("the key is not allowed to sign", operation=_OPERATION, token=token, key=label)
            complete = True
        finally:
            if not complete:
                self.close()

    def cmac(self, message: bytes) -> bytes:
        """AES-CMAC of ``message``, computed by the token: 16 bytes.

        Raises:
            InputError: the token refused, or gave something else.
        """
        problem = "the token gave no CMAC"
        try:
            mac = bytes(self._key.sign(message, mechanism=self._pkcs11.Mechanism.AES_CMAC))
        except self._pkcs11.exceptions.PKCS11Error as bad:
            problem = f"the token does not compute a CMAC with this key ({type(bad).__name__})"
        else:
            if len(mac) == BLOCK:
                return mac
        raise InputError(problem, operation=_OPERATION)

    def close(self) -> None:
        """Log out and give the token back."""
        with contextlib.suppress(self._pkcs11.exceptions.PKCS11Error):  # a token that is gone takes nothing back
            self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Pkcs11Master({self.description})"

    # --- in detail ---------------------------------------------------------------------------------------------------

    def _token(self, module: str, token: str) -> Any:
        problem = "no token of that label"
        try:
            present = [slot.get_token() for slot in self._pkcs11.lib(module).get_slots(token_present=True)]
            found = [one for one in present if one.label == token]
        except (self._pkcs11.exceptions.PKCS11Error, OSError, RuntimeError):
            problem, found = "the PKCS#11 module cannot be used", []
        if len(found) == 1:
            return found[0]
        if found:
            problem = "two tokens have that label"
        raise NoToken(problem, operation=_OPERATION, token=token)

    def _refuse_last_try(self, found: Any, token: str) -> None:
        flags = self._pkcs11.TokenFlag
        if found.flags & flags.USER_PIN_LOCKED:
            raise TokenPinBlocked("", operation=_OPERATION, token=token)
        if found.flags & flags.USER_PIN_FINAL_TRY:
            raise TokenPinReserve("", operation=_OPERATION, token=token)

    def _opened(self, found: Any, token: str, pin: Secret | PinSource) -> Any:
        errors = self._pkcs11.exceptions
        given = Secret(pin.reveal()) if isinstance(pin, Secret) else None
        if given is None and not isinstance(pin, Secret):
            given = pin.secret(TOKEN_PIN, label=token, tries_left=None)
        kind: type[TokenPinRejected | TokenPinBlocked | NoToken] = NoToken
        problem = "the token could not be opened"
        try:
            with given or Secret(b"") as secret:
                return found.open(user_pin=secret.reveal().decode("ascii"))
        except (errors.PinIncorrect, errors.PinLenRange, errors.PinInvalid, UnicodeDecodeError):
            kind, problem = TokenPinRejected, ""
        except (errors.PinLocked, errors.PinExpired):
            kind, problem = TokenPinBlocked, ""
        except errors.UserPinNotInitialized:
            problem = "the token has no PIN yet"
        except errors.UserAlreadyLoggedIn:
            problem = "this program uses the token already"
        except errors.PKCS11Error as bad:
            problem = f"the token could not be opened ({type(bad).__name__})"
        raise kind(problem, operation=_OPERATION, token=token)

    def _found(self, token: str, label: str) -> Any:
        errors = self._pkcs11.exceptions
        try:
            return self._session.get_key(
                object_class=self._pkcs11.ObjectClass.SECRET_KEY, key_type=self._pkcs11.KeyType.AES, label=label
            )
        except errors.NoSuchKey:
            problem = "no AES key of that label"
        except errors.MultipleObjectsReturned:
            problem = "two keys have that label"
        except errors.PKCS11Error as bad:
            problem = f"the token does not show its keys ({type(bad).__name__})"
        raise NoToken(problem, operation=_OPERATION, token=token, key=label)


def _library() -> Any:
    """python-pkcs11; imported here, so that who has no token needs none of it."""
    try:
        import pkcs11
    except ImportError:
        raise MissingExtra("python-pkcs11 is not installed", operation=_OPERATION, extra="pkcs11") from None
    return pkcs11
