"""The facade people import: ``connect()`` and :class:`Card`. It wires the rooms below and has no ideas of its own."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING, Literal, Self

from kojin_card.applications import (
    CardFace,
    CardManager,
    Common,
    InputSupport,
    Jpki,
    Juki,
    Licence,
    change_registry_pin,
)
from kojin_card.channel import CardChannel
from kojin_card.errors import KojinError, MissingExtra, UsageError
from kojin_card.transport.base import Closable, Described

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType

    from kojin_card.channel import PinArgument, PinStatus
    from kojin_card.spec import CardSpec
    from kojin_card.transport.base import Connection
    from kojin_card.transport.link import Observer


#: The secrets that a holder may change: 署名用, 利用者証明用, 券面事項入力補助用, 住民基本台帳用
ChangeableSecret = Literal["sign", "auth", "input-support", "registry"]


class Card:
    """One card, one session; a context manager that resets the card and gives it back.

    ``Card(connection)`` drives any object with ``transmit(command) -> answer``; :func:`connect` finds one.

    Attributes:
        channel: the low level, by the names of the specs.
        common, input_support, jpki, card_face, juki, card_manager: the applications.
        licence: マイナ免許証, on the cards that have one.

    Args:
        ours: only :func:`connect` sets it, for the software card: what rests on an assumption may then be done.
        allow_unproven: the same for any card, on the caller's responsibility.
        observer: is told every exchange, masked (:class:`~kojin_card.transport.link.Exchange`).
        plain_select: never use short EF identifiers.
        lang: ``ja`` or ``en``, for what a PIN source is told.
        random: gives that many unpredictable bytes, for the keys of secure messaging.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        ours: bool = False,
        allow_unproven: bool = False,
        observer: Observer | None = None,
        plain_select: bool = False,
        lang: str = "ja",
        spec: CardSpec | None = None,
        random: Callable[[int], bytes] = token_bytes,
    ) -> None:
        self._connection = connection
        self.channel = CardChannel(
            connection,
            spec=spec,
            ours=ours,
            allow_unproven=allow_unproven,
            observer=observer,
            plain_select=plain_select,
            lang=lang,
            random=random,
        )
        self.common = Common(self.channel)
        self.input_support = InputSupport(self.channel)
        self.jpki = Jpki(self.channel)
        self.card_face = CardFace(self.channel)
        self.juki = Juki(self.channel)
        self.card_manager = CardManager(self.channel)
        self.licence = Licence(self.channel)
        self._closed = False

    @property
    def description(self) -> str:
        """Which card this is, for prompts: reader and card, or the software card's file."""
        connection = self._connection
        return connection.description if isinstance(connection, Described) else type(connection).__name__

    def pin_status(self) -> tuple[PinStatus, ...]:
        """Every secret of every application that is known, with its tries left; costs none.

        That of the driving licence stands in it only when the card has a licence.

        Raises:
            TransportError: the connection failed. UnexpectedAnswer: the card gave an answer that is none.
        """
        drivers = (self.common, self.input_support, self.jpki, self.card_face, self.juki)
        always = tuple(status for driver in drivers for status in driver.tries())
        return always + tuple(status for status in self.licence.tries() if status.present)

    def change_pin(self, which: ChangeableSecret, old: PinArgument, new: PinArgument, *, reserve: int = 1) -> None:
        """Replace a secret; ``registry`` stands in two applications and is changed in both.

        Args:
            which: ``sign`` 署名用パスワード, ``auth`` 利用者証明用, ``input-support`` 券面事項入力補助用, ``registry``
                住民基本台帳用.
            reserve: tries that must remain even if ``old`` is wrong.

        Raises:
            UsageError: none of the four.
            NotOnCard: the card has no such certificate, or no such application.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.change`; ``old`` stays.
            HalfChanged: ``registry`` only, see :meth:`change_registry_pin`.
        """
        given: str = which  # a program without types may say anything
        match given:
            case "registry":
                self.change_registry_pin(old, new, reserve=reserve)
            case "sign" | "auth":
                self.jpki.change_secret(given, old, new, reserve=reserve)
            case "input-support":
                self.channel.change(self.input_support.application, "pin", old, new, reserve=reserve)
            case _:
                words = "a holder can change sign, auth, input-support and registry"
                raise UsageError(words, operation="change a secret")

    def change_registry_pin(self, old: PinArgument, new: PinArgument, *, reserve: int = 1) -> None:
        """Change 住民基本台帳用暗証番号 in both applications that hold it, or finish a change that stopped half-way.

        Raises:
            HalfChanged: one has the new value, the other has not; the same call again finishes it.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: at either, before anything was changed.
        """
        change_registry_pin(self.channel, old, new, reserve=reserve)

    def close(self) -> None:
        """Let the card forget what was verified, and give it back; may be called twice.

        Raises:
            TransportError: the card could not be reset: what was verified may still be open.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self.channel.reset()
        finally:
            self.channel.link.end()
            if isinstance(self._connection, Closable):
                self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except KojinError:
            if error is None:  # else what went wrong first is what the caller must hear
                raise


def connect(
    reader: str | None = None,
    *,
    simulator: str | PathLike[str] | None = None,
    allow_unproven: bool = False,
    observer: Observer | None = None,
    plain_select: bool = False,
    lang: str = "ja",
) -> Card:
    """Open a card.

    Args:
        reader: name of a reader.
        simulator: file of a software card instead; made by ``kojin-card simulator new``.
        allow_unproven, observer, plain_select, lang: see :class:`Card`.

    Raises:
        MissingExtra: this version has no support for readers yet.
        UsageError: both a reader and a software card.
        InputError: the file is no software card. CardFileBusy: another process holds it.
    """
    if simulator is None:
        raise MissingExtra(
            "this version opens software cards only (simulator=FILE); readers come with a later version",
            operation="open a reader",
            missing_ja="カードリーダー",
            missing_en="card readers",
        )
    if reader is not None:
        raise UsageError("a reader or a software card, not both", operation="open a card")
    from kojin_card.simulator import SoftCard

    return Card(
        SoftCard.open(simulator),
        ours=True,
        allow_unproven=allow_unproven,
        observer=observer,
        plain_select=plain_select,
        lang=lang,
    )
