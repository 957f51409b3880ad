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
from kojin_card.applications.proof import gather_card
from kojin_card.channel import CardChannel
from kojin_card.errors import KojinError, UsageError
from kojin_card.transport.base import Closable, Described

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType

    from kojin_card.channel import PinArgument, PinStatus
    from kojin_card.pki.profile import Store
    from kojin_card.spec import CardSpec
    from kojin_card.transport.base import CancelFlag, Connection
    from kojin_card.transport.link import Observer
    from kojin_card.verdict import Verdict
    from kojin_card.verification.authenticity import RecordProver


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
        random: gives that many unpredictable bytes, for the keys of secure messaging and for challenges.
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
        self._random = random
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

        That of the driving licence stands in it only when the card has a licence; it is not ``present`` when it was not
        found there.

        Raises:
            TransportError: the connection failed. UnexpectedAnswer: the card gave an answer that is none.
        """
        drivers = (self.common, self.input_support, self.jpki, self.card_face, self.juki)
        always = tuple(status for driver in drivers for status in driver.tries())
        return always + self.licence.tries_if_there()

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

    def prover(self, trust: Store | str = "production") -> RecordProver:
        """What the reads of the applications take as ``prove``: nothing is returned that is not proved genuine.

        A record rests on its own application alone: the certificate of its signer, its signature, its digest, the
        card's key and a fresh challenge (card.md §2.8).

        Raises:
            TrustError: no store of that name.
        """
        from kojin_card.verification.authenticity import RecordProver

        return RecordProver(trust, random=self._random, spec=self.channel.spec)

    def check_authenticity(
        self,
        trust: Store | str = "production",
        *,
        pin: PinArgument | None = None,
        code_b: PinArgument | None = None,
        code_a: PinArgument | None = None,
        birth_code: PinArgument | None = None,
        look: bool = True,
        reserve: int = 1,
    ) -> Verdict:
        """Whether the card is genuine. No secret: certificates only, which a copy has too, so INDETERMINATE at best.

        Each secret opens one application, and one record there is proved: ``pin`` 券面事項入力補助AP (the four items),
        ``code_b`` or ``code_a`` 券面事項確認AP (the face), ``birth_code`` the same (the age record). Nothing that was
        read comes out of it. A genuine card can be a stopped one: whether it is in force is not looked at.

        Args:
            trust: the store of CA keys.
            look, reserve: as :meth:`CardChannel.verify`.

        Raises:
            TrustError: no store of that name; nothing was sent. UsageError: both verification numbers.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the card gave an answer that is none.
        """
        if code_a is not None and code_b is not None:
            raise UsageError("the verification number A or B, one of them", operation="check the card")
        prover = self.prover(trust)
        secrets = {"pin": pin, "code_b": code_b, "code_a": code_a, "birth_code": birth_code}
        given = {name: secret for name, secret in secrets.items() if secret is not None}
        evidence = gather_card(self.channel, given, prover.challenge, look=look, reserve=reserve)
        return prover.judge.card(evidence)

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
    wait: float = 0.0,
    cancel: CancelFlag | None = None,
    waiting: Callable[[], None] | None = None,
    allow_unproven: bool = False,
    observer: Observer | None = None,
    plain_select: bool = False,
    lang: str = "ja",
) -> Card:
    """Open a card: the one that answers in any reader, whatever its ATR.

    Args:
        reader: name of a reader, or a part of it; needed when several cards answer.
        simulator: file of a software card instead; made by ``kojin-card simulator new``.
        wait: seconds to wait for a card, when there is none yet; ``waiting`` is called once when that begins, and
            ``cancel`` (a :class:`threading.Event`) ends it. A software card's file is waited for by itself when
            another process has it, five seconds; ``waiting`` is called then too.
        allow_unproven, observer, plain_select, lang: see :class:`Card`.

    Raises:
        NoReader, NoCard, WrongCard: no card answers. AmbiguousCard: several do, and no reader is named.
        CardBusy: another program has it. Cancelled: the waiting was.
        MissingExtra: the extra ``pcsc`` is not installed. NoService, ServiceRefused: the system's smart-card service
            does not run, or does not let this user in.
        UsageError: both a reader and a software card.
        InputError: the file is no software card. CardFileBusy: another process holds it.
    """
    if simulator is not None and reader is not None:
        raise UsageError("a reader or a software card, not both", operation="open a card")
    connection: Connection
    if simulator is None:
        from kojin_card.transport.finding import open_card

        connection = open_card(reader, wait=wait, cancel=cancel, waiting=waiting)
    else:
        from kojin_card.simulator import SoftCard

        connection = SoftCard.open(simulator, waiting=waiting)
    return Card(
        connection,
        ours=simulator is not None,
        allow_unproven=allow_unproven,
        observer=observer,
        plain_select=plain_select,
        lang=lang,
    )
