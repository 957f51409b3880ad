"""Secrets before they go to a card: the form they must have, and the sources they come from. Nothing here is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import SecretFormatError, UsageError
from kojin_card.secret import PadSource, PinSource, Secret
from kojin_card.transport.base import PinPad

if TYPE_CHECKING:
    from kojin_card.errors import Detail
    from kojin_card.spec import KeySpec, SecretFormat
    from kojin_card.transport.base import Connection

PinArgument = Secret | str | PinSource

_DIGITS = b"0123456789"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def names_of(app: str, spec: KeySpec) -> dict[str, Detail]:
    """What an error about a secret may say of it."""
    return {"key": f"{app}/{spec.id}", **_called(spec)}


def _called(spec: KeySpec) -> dict[str, Detail]:
    return {"secret": spec.secret, "name_ja": spec.name_ja, "name_en": spec.name_en}


def checked_copy(pin: PinArgument, spec: KeySpec, operation: str) -> Secret | None:
    """A secret that is at hand, copied in the form that the card wants; None for a source, which is asked later.

    Raises:
        SecretFormatError: the card could never accept it; says what is wrong, never what was given.
        UsageError: it is neither a secret nor a source.
    """
    if isinstance(pin, str):
        if not pin.isascii():
            raise SecretFormatError("only ASCII characters", operation=operation, **_called(spec))
        with Secret(pin) as secret:
            return _checked(secret, spec, operation)
    if isinstance(pin, Secret):
        return _checked(pin, spec, operation)
    if not callable(getattr(pin, "secret", None)):
        raise UsageError("a secret is given as a Secret, a str or a PinSource", operation=operation)
    return None


def ask(
    source: PinArgument,
    spec: KeySpec,
    operation: str,
    *,
    name: str,
    label: str,
    tries_left: int | None,
) -> Secret:
    """Ask a source and give a checked copy of its answer, which is wiped.

    Raises:
        SecretFormatError: the answer has not the form. UsageError: the source gave something else, or is none.
        SecretUnavailable, Cancelled: the source says so.
    """
    if isinstance(source, Secret | str):
        raise UsageError("a value is no source", operation=operation)
    answer = source.secret(name, label=label, tries_left=tries_left)
    if not isinstance(answer, Secret):
        raise UsageError("a source gives a Secret", operation=operation)
    with answer:
        return _checked(answer, spec, operation)


def typed_at_reader(
    connection: Connection, source: PinArgument, spec: KeySpec, label: str, tries_left: int | None
) -> bool:
    """Whether the holder is to type this secret at the reader's keys: they have digits only, and the source must want
    it (and has told people by then)."""
    able = isinstance(connection, PinPad) and spec.format is not None and spec.format.charset == "digits"
    return able and isinstance(source, PadSource) and source.on_pad(spec.secret, label=label, tries_left=tries_left)


def _checked(secret: Secret, spec: KeySpec, operation: str) -> Secret:
    value = secret.reveal()
    if spec.format is not None:
        value = value.upper() if spec.format.fold_upper else value
        problem = form_problem(value, spec.format)
        if problem:
            raise SecretFormatError(problem, operation=operation, **_called(spec))
    return Secret(value)


def refuse_same(old: Secret, new: Secret, spec: KeySpec, operation: str) -> None:
    """Refuse to replace a secret by itself, before either is sent.

    Raises:
        SecretFormatError: they are the same.
    """
    if old == new:
        raise SecretFormatError("the new value is the old one", operation=operation, **_called(spec))


def form_problem(value: bytes, form: SecretFormat) -> str:
    """What is wrong with the form (card.md §3), in words that hold nothing of the value; empty when nothing is. A form
    that folds letters is held against the folded value."""
    value = value.upper() if form.fold_upper else value
    if not form.minimum <= len(value) <= form.maximum:
        exact = form.minimum == form.maximum
        count = f"{form.minimum}{'' if exact else f' to {form.maximum}'}"
        return f"must have {count} {'digits' if form.charset == 'digits' else 'characters'}"
    allowed = _DIGITS if form.charset == "digits" else _DIGITS + _LETTERS
    if any(byte not in allowed for byte in value):
        return "only digits" if form.charset == "digits" else "only letters A to Z and digits"
    for what, members in (("letter", _LETTERS), ("digit", _DIGITS)):
        if what in form.requires and not any(byte in members for byte in value):
            return f"at least one {what}"
    return ""
