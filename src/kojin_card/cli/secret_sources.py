"""Where PINs and passwords come from: a prompt at a terminal, or ``--secrets``. Never arguments or the environment."""

from __future__ import annotations

import getpass
import sys
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card import messages
from kojin_card.cli.files import standard_input
from kojin_card.errors import Cancelled, InputError, SecretFormatError, SecretUnavailable
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from kojin_card.cli.console import Console
    from kojin_card.spec import KeySpec

#: every name that a ``--secrets`` file may use
SECRET_NAMES = (
    "pin",
    "auth-pin",
    "registry-pin",
    "licence-pin",
    "sign-password",
    "code-a",
    "code-b",
    "birth-code",
    "birth-date",
    "expiry-year",
    "security-code",
    "new-pin",
    "new-auth-pin",
    "new-registry-pin",
    "new-sign-password",
    "slot-pin",
    "new-slot-pin",
    "owner-passphrase",
    "new-owner-passphrase",
    "issuer-passphrase",
    "new-issuer-passphrase",
    "terminal-passphrase",
)
#: a file that has one PIN only may call it ``pin``; one that names the PIN is never overruled
FALLBACK = {"auth-pin": "pin"}
MAX_SECRETS_BYTES = 65_536
#: how often a prompt lets somebody type a value of the right form; nothing is sent meanwhile
_ASKED_AT_MOST = 3
_OPERATION = "read the secrets"


class GivenSecrets:
    """The ``name=value`` lines of a file or of standard input; a :class:`~kojin_card.secret.PinSource`."""

    def __init__(self, values: dict[str, Secret]) -> None:
        self._values = values

    @classmethod
    def read(cls, where: str, console: Console) -> GivenSecrets:
        """Read a file, or standard input when ``where`` is ``-``.

        Raises:
            InputError: it cannot be read, is too large, not UTF-8, or has a line that is not ``name=value`` with a
                known name (the line's number is told, never its content).
        """
        try:
            if where == "-":
                raw = standard_input().read(MAX_SECRETS_BYTES + 1)
            else:
                with Path(where).open("rb") as stream:
                    _warn_if_open_to_others(stream.fileno(), console)
                    raw = stream.read(MAX_SECRETS_BYTES + 1)
        except (OSError, ValueError):  # the name is not repeated: it may be a password in the wrong place
            raise InputError("the file of secrets is not there or cannot be read", operation=_OPERATION) from None
        return cls(parse_secrets(raw))

    def has(self, name: str) -> bool:
        """Whether the name was given."""
        return name in self._values

    def at_hand(self, name: str) -> Secret:
        """The value itself: the card's driver then checks its form before it asks the card for anything.

        Raises:
            SecretUnavailable: it was not given.
        """
        if name not in self._values:
            name = FALLBACK.get(name, name) if FALLBACK.get(name) in self._values else name
        if name not in self._values:
            raise SecretUnavailable(operation=_OPERATION, secret=name)
        return self._values[name]

    def wipe(self) -> None:
        """Forget all of them."""
        for value in self._values.values():
            value.wipe()


def parse_secrets(raw: bytes) -> dict[str, Secret]:
    """``name=value`` lines; blank lines and lines that begin with ``#`` are skipped, spaces around both are not part.

    Raises:
        InputError: too large, not UTF-8, a line of another form, an unknown name, or a name twice.
    """
    if len(raw) > MAX_SECRETS_BYTES:
        raise InputError("too large for a file of secrets", operation=_OPERATION)
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("not UTF-8", operation=_OPERATION) from None
    values: dict[str, Secret] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or name not in SECRET_NAMES:
            known = ", ".join(SECRET_NAMES)
            raise InputError(f"line {number} is not name=value with a known name ({known})", operation=_OPERATION)
        if name in values:
            raise InputError(f"line {number} names a secret a second time", operation=_OPERATION)
        if not value.isascii():
            raise _not_ascii(value, name)
        values[name] = Secret(value)
    return values


def _not_ascii(value: str, name: str) -> SecretFormatError:
    """What is wrong with a value that is not ASCII; never the value."""
    if unicodedata.normalize("NFKC", value).isascii():
        words = "full-width characters: type half-width digits (the signature password: half-width letters and digits)"
    else:
        words = "only half-width (ASCII) letters and digits"
    return _wrong_form(words, name)


def _wrong_form(words: str, name: str) -> SecretFormatError:
    spec = _spec_of(name)
    called = {} if spec is None else {"name_ja": spec.name_ja, "name_en": spec.name_en}
    return SecretFormatError(words, operation=_OPERATION, secret=name, **called)


def _warn_if_open_to_others(descriptor: int, console: Console) -> None:
    import os
    import stat

    mode = os.fstat(descriptor).st_mode
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
        console.say(console.text("say.secrets.open_to_others"))


def _spec_of(name: str) -> KeySpec | None:
    """A key of the card whose secret has that name in ``--secrets``; None for what is no secret of the card."""
    from kojin_card.spec import load_card_spec

    keys = (key for app in load_card_spec().applications.values() for key in app.keys.values())
    return next((key for key in keys if key.secret and key.secret == name.removeprefix("new-")), None)


class PromptedSecrets:
    """Asks at the terminal, hidden, naming card, secret and tries left; a :class:`~kojin_card.secret.PinSource`.

    Attributes:
        card: what the prompt calls the card: its kind and the last digits of its serial, or the software card's file.
    """

    def __init__(self, console: Console, card: str = "") -> None:
        self._console = console
        self._named = False
        self.card = card

    @staticmethod
    def possible() -> bool:
        """Whether somebody is there to be asked."""
        return sys.stdin is not None and sys.stdin.isatty()

    def at_hand(self, name: str) -> PromptedSecrets:
        """Nothing is: what is asked for is asked when the card's driver has looked at the tries.

        Raises:
            SecretUnavailable: nobody is there.
        """
        if not self.possible():
            raise SecretUnavailable(operation=_OPERATION, secret=name)
        return self

    def name_card(self) -> None:
        """Say which card is asking, once."""
        if self.card and not self._named:
            self._console.say(self._console.text("say.prompt.card", card=self.card))
        self._named = True

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        """See :class:`~kojin_card.secret.PinSource`."""
        if not self.possible():
            raise SecretUnavailable(operation=_OPERATION, secret=name)
        self.name_card()
        key = "say.prompt.secret" if tries_left is None else "say.prompt.secret_tries"
        from kojin_card.cli.render import escape

        prompt = self._console.text(key, label=escape(label), tries_left=tries_left)
        for more in reversed(range(_ASKED_AT_MOST)):
            try:
                return self._ask_in_form(prompt, name)
            except SecretFormatError as refused:
                if not more:
                    raise
                words = messages.detail(refused.message, self._console.lang).words or refused.message
                self._console.say(self._console.text("say.prompt.form", problem=words))
        raise Cancelled(operation=_OPERATION)

    def _ask_in_form(self, prompt: str, name: str) -> Secret:
        from kojin_card.channel.secrets import form_problem

        typed, spec = self._ask(prompt, name), _spec_of(name)
        problem = "" if spec is None or spec.format is None else form_problem(typed.reveal(), spec.format)
        if problem:
            typed.wipe()
            raise _wrong_form(problem, name)
        return typed

    def on_pad(self, name: str, *, label: str, tries_left: int | None) -> bool:
        """See :class:`~kojin_card.secret.PadSource`: a reader with keys is always used, the PIN never comes here."""
        del name
        self.name_card()
        key = "say.prompt.pad" if tries_left is None else "say.prompt.pad_tries"
        self._console.say(self._console.text(key, label=label, tries_left=tries_left))
        return True

    def _ask(self, prompt: str, name: str) -> Secret:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                typed = getpass.getpass(prompt)
        except getpass.GetPassWarning:  # the input would be shown
            raise SecretUnavailable("the input cannot be hidden here", operation=_OPERATION, secret=name) from None
        except (EOFError, KeyboardInterrupt):
            raise Cancelled(operation=_OPERATION) from None
        typed = typed.strip()
        if not typed:
            raise Cancelled(operation=_OPERATION)
        if not typed.isascii():
            raise _not_ascii(typed, name)
        return Secret(typed)

    def wipe(self) -> None:
        """Nothing is kept."""


Secrets = GivenSecrets | PromptedSecrets
