"""The card on a connection: what :class:`FileChannel` reads, and secrets and keys by the names of the specs."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_bytes
from typing import TYPE_CHECKING

from kojin_card.channel.files import CURRENT_EF, FileChannel
from kojin_card.channel.pin_status import PinStatus
from kojin_card.channel.secrets import PinArgument, ask, checked_copy, names_of, refuse_same, typed_at_reader
from kojin_card.errors import (
    AccessDenied,
    NotOnCard,
    PinBlocked,
    PinReserve,
    UnexpectedAnswer,
    UnprovenRefused,
    UsageError,
)
from kojin_card.iso7816.apdu import SHORT_LC_MAX, SHORT_LE_MAX, CommandApdu
from kojin_card.iso7816.status import SW, tries_left
from kojin_card.secret import Secret
from kojin_card.spec import ChangeCommand, EvidenceLevel, KeyKind
from kojin_card.transport.answers import raise_for_sw

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.channel.secure_messaging import SecureLink, SecureSession
    from kojin_card.spec import CardSpec, Evidence, KeySpec, SecureMessagingSpec
    from kojin_card.transport.base import Connection
    from kojin_card.transport.link import Observer

_VERIFY, _SIGN, _GET_CHALLENGE, _INTERNAL_AUTHENTICATE = 0x20, 0x2A, 0x84, 0x88

#: CLA INS P1 of the commands that replace a secret (card.md §4.3); P2 = 80, on the current EF: no other form is known
_CHANGE = {
    ChangeCommand.CHANGE_REFERENCE_DATA: (0x00, 0x24, 0x01),
    ChangeCommand.CHANGE_KEY: (0x80, 0x32, 0x00),
}


class CardChannel(FileChannel):
    """One session with one card. Not for use by several threads at once.

    Args:
        spec: the applet specs; those of the package when left out.
        ours: the card is our software card (``connect(simulator=)`` only): what rests on an ``assumption`` may be done.
        allow_unproven: the same for any card, on the caller's responsibility (``--unproven``).
        observer: is told every exchange, masked.
        plain_select: never use short EF identifiers.
        lang: ``ja`` or ``en``: the language in which a PIN source is told what it is asked for.
        random: gives that many unpredictable bytes, for the keys of secure messaging.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        spec: CardSpec | None = None,
        ours: bool = False,
        allow_unproven: bool = False,
        observer: Observer | None = None,
        plain_select: bool = False,
        lang: str = "ja",
        random: Callable[[int], bytes] = token_bytes,
    ) -> None:
        super().__init__(connection, spec=spec, observer=observer, plain_select=plain_select)
        self._unproven = ours or allow_unproven
        self.lang = lang
        self._random = random

    def prove(self, operation: str, *evidence: Evidence) -> None:
        """ARCHITECTURE §7: nothing is tried, authenticated or written on an assumption, unless the card is ours. The
        one place that refuses it (UnprovenRefused), for what other rooms do through this channel too."""
        if not self._unproven and any(one.level is EvidenceLevel.ASSUMPTION for one in evidence):
            raise UnprovenRefused("rests on an assumption; allow_unproven=True does it anyway", operation=operation)

    # --- secrets ----------------------------------------------------------------------------------------------------

    def tries_left(self, app: str, key: str) -> int | None:
        """How many tries a secret has left; costs none (empty VERIFY, card.md §4.3).

        Returns:
            None when the card counts none (6300) or only says that the secret is verified (9000).

        Raises:
            NotOnCard: no such application or key.
        """
        spec = self._pin(app, key)
        self._ensure(app)
        return self._query(app, spec)[0]

    def pin_status(self, app: str, key: str) -> PinStatus:
        """As :meth:`tries_left`, with everything a person wants to see beside it; an absent key is told, not raised."""
        try:
            left = self.tries_left(app, key)
        except NotOnCard:
            return self.absent_pin(app, key)
        return replace(self.absent_pin(app, key), tries_left=left, present=True)

    def absent_pin(self, app: str, key: str) -> PinStatus:
        """The status of a secret that this card does not have; nothing is sent."""
        spec = self._pin(app, key)
        total = spec.tries.count if spec.tries else None
        return PinStatus(app, key, spec.secret, spec.name_ja, spec.name_en, None, total, present=False)

    def verify(
        self,
        app: str,
        key: str,
        pin: PinArgument,
        *,
        look: bool = True,
        reserve: int = 1,
        label: str | None = None,
        through: SecureLink | None = None,
    ) -> None:
        """Show the card a secret.

        Format first, then the counter, then (a source is asked, and) the secret, once. A card that says it has
        verified this key already is believed and no secret goes out.

        Args:
            look: ask the counter before (one APDU); without it the reserve cannot be kept.
            reserve: how many tries must remain even if the secret is wrong; 0 to allow the last one.
            label: what a :class:`~kojin_card.secret.PinSource` is told instead of the spec's name.
            through: show it in this session of secure messaging; the counter is asked in clear.

        Raises:
            SecretFormatError: the card could never accept it; nothing was sent.
            UnprovenRefused: the key reference rests on an assumption and this is a real card; nothing was sent.
            PinBlocked: no try is left. PinReserve: too few are left; no try was spent.
            PinRejected: wrong; ``tries_left`` says how many remain.
        """
        spec = self._pin(app, key)
        operation = f"verify {app}/{key}"
        self.prove(operation, spec.evidence)
        if reserve < 0:
            raise UsageError("reserve is 0 or more", operation=operation)
        given = checked_copy(pin, spec, operation)
        try:
            with self.transaction():
                self._ensure(app)
                left: int | None = None
                if look:
                    left, verified = self._query(app, spec)
                    if verified:
                        self._state.verified.add(key)
                        return
                    self._guard(app, spec, operation, left, reserve)
                words = label or self._label(spec)
                pad = given is None and through is None and typed_at_reader(self._connection, pin, spec, words, left)
                if given is None and not pad:
                    given = ask(pin, spec, operation, name=spec.secret, label=words, tries_left=left)
                self._ensure(app)  # a prompt may have looked at the card
                self._send_secret(app, spec, given, operation, through=through)
        finally:
            if given is not None:
                given.wipe()

    def verify_unset(self, app: str, key: str, *, reserve: int = 1) -> None:
        """Verify the value that stands for a secret which nobody set; the card's file that says so is read first.

        Never a guess: a card that says a secret is set, or says nothing, is not shown the value.

        Raises:
            UsageError: there is no such value for this secret.
            AccessDenied: the card has a secret set; nothing was verified.
            UnprovenRefused, PinBlocked, PinReserve, PinRejected: as :meth:`verify`.
        """
        spec = self._pin(app, key)
        operation = f"verify {app}/{key}"
        if spec.unset is None:
            raise UsageError("no value stands for this secret when it is not set", operation=operation)
        self.prove(operation, spec.evidence, spec.unset.evidence)
        with self.transaction():
            self._ensure(app)
            if key not in self._state.unset and self.is_set(app, key):
                raise AccessDenied("", operation=operation, sw=SW.SECURITY_NOT_SATISFIED)
            left, verified = self._query(app, spec)
            if not verified:
                self._guard(app, spec, operation, left, reserve)
                with Secret(spec.unset.value) as value:
                    self._send_secret(app, spec, value, operation)
            self._state.verified.add(key)

    def is_set(self, app: str, key: str) -> bool:
        """Whether somebody has set this secret, as the card's own file says; True where no file would say it.

        Raises:
            NotOnCard: no such application or file. UnexpectedAnswer: its content is malformed.
        """
        unset = self._pin(app, key).unset
        if unset is None:
            return True
        layout = self._layout(app, unset.file, None)
        record = self.record(app, unset.file)
        meanings = next((one.values for one in layout.walk() if one.name == unset.field), {}) if layout else {}
        found = meanings.get(record.text(unset.field)) == unset.meaning
        (self._state.unset.add if found else self._state.unset.discard)(key)
        return not found

    def require_form(self, app: str, key: str, pin: PinArgument) -> None:
        """Refuse a secret that the card could never accept, before anything is sent; a source is not asked.

        Raises:
            SecretFormatError: so it is. UsageError: it is neither a secret nor a source.
        """
        copy = checked_copy(pin, self._pin(app, key), f"verify {app}/{key}")
        if copy is not None:
            copy.wipe()

    def change(self, app: str, key: str, old: PinArgument, new: PinArgument, *, reserve: int = 1) -> None:
        """Replace a secret: SELECT EF, look at the counter, VERIFY the old one, send the new one (card.md §4.3).

        Raises:
            SecretFormatError: one of them has not the form, or they are the same; neither was sent.
            UsageError: this secret cannot be changed by the holder.
            UnprovenRefused, PinBlocked, PinReserve, PinRejected: as :meth:`verify`; the old secret stays.
            UnexpectedAnswer: the card did not take the new one.
        """
        spec = self._changeable(app, key)
        operation = f"change {app}/{key}"
        now: Secret | None = None
        then: Secret | None = None
        try:
            now = checked_copy(old, spec, operation)
            then = checked_copy(new, spec, operation)
            if now is not None and then is not None:
                refuse_same(now, then, spec, operation)
            with self.transaction():
                self._ensure(app)
                self._select_ef(spec, operation)
                query = CommandApdu(0x00, _VERIFY, 0x00, CURRENT_EF)
                left, _ = self._understand(app, spec, self.link.send(query, operation=operation).sw, operation)
                self._guard(app, spec, operation, left, reserve)
                if now is None:
                    now = ask(old, spec, operation, name=spec.secret, label=self._label(spec), tries_left=left)
                if then is None:
                    name = f"new-{spec.secret}"
                    then = ask(new, spec, operation, name=name, label=self._label(spec), tries_left=None)
                refuse_same(now, then, spec, operation)
                self._ensure(app)
                self._send_secret(app, spec, now, operation, plain=True)
                self._send_new(app, spec, then, operation)
        finally:
            for secret in (now, then):
                if secret is not None:
                    secret.wipe()

    def replace_verified(self, app: str, key: str, new: Secret) -> None:
        """Replace a secret that this session has verified: SELECT EF when it is needed, and one command.

        Raises:
            SecretFormatError: not the form of this secret; nothing was sent.
            AccessDenied: it was not verified in this session; nothing was sent.
            UsageError, UnprovenRefused: as :meth:`change`.
            UnexpectedAnswer: the card did not take the new one.
        """
        spec = self._changeable(app, key)
        operation = f"change {app}/{key}"
        copy = checked_copy(new, spec, operation)
        if copy is None:
            raise UsageError("the new secret is given as a Secret", operation=operation)
        with copy:
            if not self.is_verified(app, key):
                raise AccessDenied("", operation=operation, sw=SW.SECURITY_NOT_SATISFIED)
            self._select_ef(spec, operation)
            self._send_new(app, spec, copy, operation)

    def prove_change(self, app: str, key: str) -> None:
        """Whether the holder may change this secret and this card may be written on what is known; nothing is sent.

        Raises:
            UsageError, UnprovenRefused: as :meth:`change`.
        """
        self._changeable(app, key)

    def label(self, app: str, key: str) -> str:
        """What a person calls this secret, in the language of the session."""
        return self._label(self._pin(app, key))

    def require_tries(self, app: str, key: str, *, reserve: int = 1, changing: bool = False) -> int | None:
        """What :meth:`verify` (or, with ``changing``, :meth:`change`) would refuse without a secret being sent.

        Returns:
            The tries left, as :meth:`tries_left`.

        Raises:
            UsageError, UnprovenRefused, NotOnCard, PinBlocked, PinReserve: as those methods.
        """
        if changing:
            self.prove_change(app, key)
        spec = self._pin(app, key)
        operation = f"{'change' if changing else 'verify'} {app}/{key}"
        self.prove(operation, spec.evidence)
        self._ensure(app)
        left, _ = self._query(app, spec)
        self._guard(app, spec, operation, left, reserve)
        return left

    # --- using keys -------------------------------------------------------------------------------------------------

    def sign(self, app: str, key: str, data: bytes, scheme: str = "verbatim") -> bytes:
        """Let a private key of the card compute (card.md §4.4): 256 bytes for RSA-2048.

        Args:
            scheme: id of a scheme of the spec; ``verbatim`` pads ``data`` (a DigestInfo) as it is.

        Raises:
            AccessDenied: its PIN was not verified, or the card forgot it. NotOnCard: no such key.
            UsageError: the key has no such scheme, or the data is too long or too short for it.
            UnprovenRefused: key or scheme rest on an assumption and this is a real card.
        """
        operation = f"sign {app}/{key}"
        application, spec = self._application(app), self._key(app, key)
        if scheme not in spec.schemes:
            raise UsageError(f"no signature scheme {scheme!r}", operation=operation)
        how = application.schemes[scheme]
        if not how.minimum <= len(data) <= how.maximum:
            raise UsageError(f"the scheme signs {how.minimum} to {how.maximum} bytes", operation=operation)
        self.prove(operation, spec.evidence, how.evidence)
        self._ensure(app)
        command = CommandApdu(0x80, _SIGN, how.p1, CURRENT_EF | spec.sfi, data, SHORT_LE_MAX)
        if key == application.default_key:
            command = CommandApdu(0x80, _SIGN, how.p1, 0x00, data, SHORT_LE_MAX)
            answer = self.link.send(command, operation=operation, private_data=True)
        else:
            plain = CommandApdu(0x80, _SIGN, how.p1, CURRENT_EF, data, SHORT_LE_MAX)
            answer = self._on_ef(spec, command, plain, operation, private_data=True)
        raise_for_sw(operation, answer.sw)
        if not answer.data:
            raise UnexpectedAnswer("no signature came", operation=operation, sw=answer.sw)
        return answer.data

    def challenge(self, count: int) -> bytes:
        """``count`` (1 to 256) random bytes from the card (GET CHALLENGE, card.md §4.2).

        Raises:
            UnexpectedAnswer: it gave another number of bytes.
        """
        operation = "get a challenge"
        if not 1 <= count <= SHORT_LE_MAX:
            raise UsageError("1 to 256 bytes", operation=operation)
        answer = self.link.send(CommandApdu(0x00, _GET_CHALLENGE, 0x00, 0x00, le=count), operation=operation)
        raise_for_sw(operation, answer.sw)
        if len(answer.data) != count:
            raise UnexpectedAnswer("another number of bytes", operation=operation, sw=answer.sw)
        return answer.data

    def internal_authenticate(self, app: str, key: str, data: bytes) -> bytes:
        """Let the card answer a challenge with a key of its own (INTERNAL AUTHENTICATE, card.md §4.5): the signature.

        Args:
            data: the challenge, 1 to 255 bytes.

        Raises:
            UsageError: not a key for this, or no length that the card takes.
            NotOnCard: no such application or key. UnexpectedAnswer: no signature came.
            UnprovenRefused: the key rests on an assumption and this is a real card.
        """
        operation = f"authenticate with {app}/{key}"
        spec = self._key(app, key)
        if not spec.internal_authentication or not 1 <= len(data) <= SHORT_LC_MAX:
            raise UsageError("a key for this and a challenge of 1 to 255 bytes", operation=operation)
        self.prove(operation, spec.evidence)
        self._ensure(app)
        by_sfi = CommandApdu(0x00, _INTERNAL_AUTHENTICATE, 0x00, CURRENT_EF | spec.sfi, data, SHORT_LE_MAX)
        plain = CommandApdu(0x00, _INTERNAL_AUTHENTICATE, 0x00, CURRENT_EF, data, SHORT_LE_MAX)
        answer = self._on_ef(spec, by_sfi, plain, operation, private_data=True)
        raise_for_sw(operation, answer.sw)
        if not answer.data:
            raise UnexpectedAnswer("no signature came", operation=operation, sw=answer.sw)
        return answer.data

    # --- secure messaging -------------------------------------------------------------------------------------------

    def prove_secure_messaging(self, app: str) -> SecureMessagingSpec:
        """What :meth:`secure_messaging` would refuse without a command being sent.

        Raises:
            UsageError: the application has none, or the connection carries short APDUs only.
            UnprovenRefused: it rests on an assumption and this is a real card.
        """
        operation = f"secure messaging with {app}"
        rules = self._application(app).secure_messaging
        if rules is None or not rules.key_file:
            raise UsageError("this application has no secure messaging", operation=operation)
        self.prove(operation, rules.evidence, self._file(app, rules.key_file).evidence)
        self.link.require_extended(operation)
        return rules

    def secure_messaging(self, app: str) -> SecureSession:
        """Begin a session in which what is read cannot be overheard; a context manager (card.md §4.7).

        The PIN must have been verified in this channel before, in clear: it is not protected. There is no checksum:
        who can change what passes (or put a key of their own in place of the card's) is not noticed.

        Raises:
            UsageError, UnprovenRefused: as :meth:`prove_secure_messaging`.
            AccessDenied: what must be verified before is not; nothing was sent.
            SecureMessagingError: the card takes no session key, or has no key to encrypt it for.
        """
        from kojin_card.channel.secure_messaging import open_session

        rules = self.prove_secure_messaging(app)
        operation = f"secure messaging with {app}"
        verified = self._state.verified if self._state.application == app else set()
        if not rules.after.allows({f"key:{key}" for key in verified}):
            raise AccessDenied("", operation=operation, sw=SW.SECURITY_NOT_SATISFIED)
        return open_session(self, app, rules.key_file, self._random, operation)

    # --- in detail -----------------------------------------------------------------------------------------------

    def _changeable(self, app: str, key: str) -> KeySpec:
        """The spec of a secret that its holder may change, on evidence that this card may be written by."""
        spec = self._pin(app, key)
        operation = f"change {app}/{key}"
        if spec.change is None or spec.change.command is ChangeCommand.NONE:
            raise UsageError("the holder cannot change this secret", operation=operation)
        self.prove(operation, spec.evidence, spec.change.evidence)
        return spec

    def _send_new(self, app: str, spec: KeySpec, new: Secret, operation: str) -> None:
        """The command that replaces the secret, once, on the current EF."""
        if spec.change is None:
            raise UsageError("the holder cannot change this secret", operation=operation)
        cla, ins, p1 = _CHANGE[spec.change.command]
        command = CommandApdu(cla, ins, p1, CURRENT_EF, new.reveal(), sensitive=True)
        raise_for_sw(operation, self.link.send(command, operation=operation).sw, **names_of(app, spec))

    def _pin(self, app: str, key: str) -> KeySpec:
        spec = self._key(app, key)
        if spec.kind is not KeyKind.PIN:
            raise UsageError(f"{app}/{key} is not verified with a secret")
        return spec

    def _query(self, app: str, spec: KeySpec) -> tuple[int | None, bool]:
        """Empty VERIFY: tries left (None: not told) and whether the card says that it is verified."""
        operation = f"tries {app}/{spec.id}"
        sw = self._on_ef(
            spec,
            CommandApdu(0x00, _VERIFY, 0x00, CURRENT_EF | spec.sfi),
            CommandApdu(0x00, _VERIFY, 0x00, CURRENT_EF),
            operation,
        ).sw
        return self._understand(app, spec, sw, operation)

    @staticmethod
    def _understand(app: str, spec: KeySpec, sw: int, operation: str) -> tuple[int | None, bool]:
        left = tries_left(sw)
        if left is not None:
            return left, False
        if sw in (SW.REFERENCE_DATA_BLOCKED, SW.AUTH_METHOD_BLOCKED):
            return 0, False
        if sw != SW.UNLIMITED_TRIES:
            raise_for_sw(operation, sw, **names_of(app, spec))
        return None, sw == SW.OK

    @staticmethod
    def _guard(app: str, spec: KeySpec, operation: str, left: int | None, reserve: int) -> None:
        if left == 0:
            raise PinBlocked("", operation=operation, sw=0x63C0, **names_of(app, spec))
        if left is not None and left <= reserve:
            raise PinReserve(operation=operation, tries_left=left, reserve=reserve, **names_of(app, spec))

    def _label(self, spec: KeySpec) -> str:
        return spec.name_en if self.lang == "en" else spec.name_ja

    def _send_secret(
        self,
        app: str,
        spec: KeySpec,
        secret: Secret | None,
        operation: str,
        *,
        plain: bool | None = None,
        through: SecureLink | None = None,
    ) -> None:
        """VERIFY, once. The form is the one that the query before it showed to work. None: typed at the reader."""
        p2 = CURRENT_EF | spec.sfi
        if self._plain if plain is None else plain:
            self._select_ef(spec, operation)
            p2 = CURRENT_EF
        else:
            self._state.current = None
        self._state.verified.discard(spec.id)
        command = CommandApdu(0x00, _VERIFY, 0x00, p2, b"" if secret is None else secret.reveal(), sensitive=True)
        if secret is None and spec.format is not None:
            answer = self.link.send_typed(command, spec.format.minimum, spec.format.maximum, operation=operation)
        else:
            answer = (through or self.link).send(command, operation=operation)
        raise_for_sw(operation, answer.sw, **names_of(app, spec))
        if answer.data:  # not what VERIFY answers: nothing is built on it, least of all another VERIFY
            raise UnexpectedAnswer("data where none is due", operation=operation, sw=answer.sw)
        self._state.verified.add(spec.id)
