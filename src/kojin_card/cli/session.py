"""One run of one command: its console, its secrets, its card, its clock."""

from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kojin_card.cli.carriers import tell_carrier
from kojin_card.cli.console import Console
from kojin_card.cli.files import refuse_existing, write_output
from kojin_card.errors import InputError, KojinError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from kojin_card.card import Card
    from kojin_card.cli.framework import Settings
    from kojin_card.cli.render import Block
    from kojin_card.cli.secret_sources import PromptedSecrets, Secrets
    from kojin_card.cli.tracing import Tracer
    from kojin_card.secret import Secret
    from kojin_card.transport.link import Exchange


class Session(AbstractContextManager["Session"]):
    """What a command works with.

    Attributes:
        console: where it speaks.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.console = Console(lang=settings.lang, plain=settings.plain, as_json=settings.json)
        self._card: Card | None = None
        self._secrets: Secrets | None = None
        self._sent = 0
        self._tracer: Tracer | None = None

    @property
    def lang(self) -> str:
        """``ja`` or ``en``."""
        return self.settings.lang

    @staticmethod
    def now() -> datetime:
        """The time it is, UTC."""
        return datetime.now(UTC)

    # --- answers

    def answer(self, kind: str, value: Mapping[str, Any], blocks: Sequence[Block]) -> None:
        """The command's answer: ``value`` as JSON, or ``blocks`` for people."""
        if self.settings.json:
            self.console.json(kind, value)
        else:
            self.console.show(blocks)

    def say(self, key: str, **values: object) -> None:
        """A sentence of the catalogues, on stderr."""
        self.console.say(self.console.text(key, **values))

    # --- the card

    def card(self) -> Card:
        """The card, opened when first asked for; closed when the command ends.

        Raises:
            UsageError: both a reader and a software card were named.
            KojinError: no card can be reached.
        """
        if self._card is None:
            settings = self.settings
            if settings.reader is not None and settings.simulator is not None:
                raise UsageError("--reader and --simulator exclude each other", operation="open a card")
            from kojin_card.card import connect

            self._card = connect(
                settings.reader,
                simulator=settings.simulator,
                wait=settings.wait,
                waiting=lambda: self.say("say.waiting" if settings.simulator is None else "say.waiting_file"),
                allow_unproven=settings.unproven,
                observer=self._observe if settings.verbose or self._tracer is not None else None,
                lang=settings.lang,
            )
        return self._card

    def _observe(self, exchange: Exchange) -> None:
        if self._tracer is not None:
            self._tracer.log(exchange)
        self._sent += 1
        if self.settings.verbose:
            self.console.say(f"[{self._sent}] {exchange.operation}: {exchange}")

    def trace(self, command: str, given: Mapping[str, Any]) -> None:
        """Keep the conversation for ``--trace``, where it was asked for.

        Raises:
            UsageError, OutputExists, OutputFailed: it could not be written when the command ends.
        """
        if self.settings.trace is not None:
            from kojin_card.cli.tracing import Tracer

            self._tracer = Tracer(self.settings, command, given)

    def secrets(self, where: str | None, *, of_card: bool = True) -> Secrets:
        """Where this command's secrets come from: ``--secrets``, or prompts that name the card.

        The card's serial number is read for the prompt, and only for a prompt; a software card is named by its file.

        Args:
            of_card: False for the passphrase of a key file, for which no card is opened and none is named.

        Raises:
            InputError: there is no such card file, whatever becomes of the secrets.
        """
        from kojin_card.cli.secret_sources import GivenSecrets, PromptedSecrets

        if self._secrets is None:
            self._check_card_file()
            found = PromptedSecrets(self.console) if where is None else GivenSecrets.read(where, self.console)
            self._secrets = found
        if of_card and isinstance(self._secrets, PromptedSecrets) and not self._secrets.card:
            self._secrets.card = self._card_name() if PromptedSecrets.possible() else ""
        return self._secrets

    def secret(self, where: str | None, name: str) -> Secret | PromptedSecrets:
        """What the card's driver is given for the secret called ``name``: its value, or somebody who is asked for it.

        Raises:
            SecretUnavailable: neither.
        """
        return self.secrets(where).at_hand(name)

    def _check_card_file(self) -> None:
        """A name that was mistyped is told as such, and not as a PIN that is missing."""
        file = self.settings.simulator
        if file is not None and self.settings.reader is None and not os.path.lexists(file):
            raise InputError("no such file", operation="open card file", file=Path(file).name)

    def _card_name(self) -> str:
        """Reader and card: what it is, and the end of its serial number where it has one to read."""
        from kojin_card.errors import CardError

        card = self.card()
        if self.settings.simulator is not None:
            return card.description
        name = [card.description]
        with contextlib.suppress(CardError):
            name.append(self.console.text(f"say.kind.{card.jpki.token().kind}"))
        with contextlib.suppress(CardError):  # a smartphone has no such application
            name.append(f"…{card.common.card_information().serial[-4:]}")
        return " ".join(name)

    # --- files

    @staticmethod
    def one_stdin(*names: str | None) -> None:
        """Refuse to read two things from standard input.

        Raises:
            UsageError: more than one name is ``-``.
        """
        if sum(name == "-" for name in names) > 1:
            raise UsageError("standard input can be read for one thing only", operation="read standard input")

    def write(self, name: str, data: bytes, *, force: bool, private: bool = False) -> None:
        """Write a result to a file (``-``: stdout).

        Raises:
            OutputExists, OutputFailed: see :func:`~kojin_card.cli.files.write_output`.
        """
        if name == "-":
            self.console.raw(data)
        else:
            write_output(Path(name), data, force=force, private=private)

    def check_output(self, name: str, *, force: bool) -> None:
        """Refuse early what :meth:`write` would refuse late, after a PIN was spent on it."""
        if name == "-":
            if self.settings.json:
                raise UsageError("the result and JSON cannot share standard output: name a file with -o")
        else:
            refuse_existing(Path(name), force=force)

    def written(self, name: str, *, kind: str = "written", source: str | None = None) -> None:
        """Say where a result went: on stdout as JSON, on stderr in words; nothing when it went to stdout itself."""
        if name == "-":
            return
        if self.settings.json:
            self.console.json(kind, {"file": name, **({} if source is None else {"source": source})})
        else:
            self.say("say.written", file=name)

    # --- the end

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._secrets is not None:
            self._secrets.wipe()
        try:
            if self._card is not None:
                tell_carrier(error, self._card)
                self._card.close()
        except KojinError:
            if error is None:  # otherwise what went wrong first is what people must hear
                raise
        finally:
            if self.settings.verbose and self._card is not None:
                self.say("say.verbose.sent", count=self._sent)
            if self._tracer is not None and self._card is not None:
                self._tracer.write(self.console, self._card.channel.link.said_extended)

    def __enter__(self) -> Self:
        return self
