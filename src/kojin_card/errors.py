"""Every error that leaves this package.

Each class carries a stable ``code`` (the JSON errors, the catalogue in ``messages`` and the exit codes are keyed by it)
and says which ``operation`` failed. No error ever carries command data, a PIN, the four items or 個人番号: what it may
carry is listed in ``details`` and shown to people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.verdict import Verdict

Detail = str | int

#: secrets made of what is printed on the card: their remedies stand under ``number`` (card.md §3: no reset is public)
_PRINTED = frozenset({"code-a", "code-b", "birth-code"})


class KojinError(Exception):
    """Base of all errors of kojin_card.

    Attributes:
        code: stable, snake_case; the key of the words and the remedy in ``kojin_card.messages``.
        operation: what was being done, in the words of the specs (``"read input_support/attributes"``).
        details: harmless values for the words (never personal, never secret).
    """

    code: ClassVar[str] = "unexpected"

    def __init__(self, message: str = "", *, operation: str | None = None, **details: Detail) -> None:
        self.message = message
        self.operation = operation
        self.details: dict[str, Detail] = details
        super().__init__(": ".join(part for part in (operation, message or self.code.replace("_", " ")) if part))

    def words(self, lang: str = "en") -> str:
        """What happened, as a person reads it (``lang``: ``ja`` or ``en``)."""
        from kojin_card import messages

        found = (messages.error_words(code, lang, self.details) for code in self._codes())
        return next(filter(None, found), str(self))

    def remedy(self, lang: str = "en") -> str:
        """What to do about it (``lang``: ``ja`` or ``en``)."""
        from kojin_card import messages

        # what to do about a secret may depend on what carries it, on which one it is, and on where it comes from
        secret = str(self.details.get("secret", "")).removeprefix("new-")
        kinds = (self.details.get("carrier"), secret, "number" if secret in _PRINTED else "", "")
        names = [f"{code}.{kind}".rstrip(".") for code in self._codes() for kind in kinds if kind is not None]
        found = (messages.error_remedy(name, lang, self.details) for name in names)
        return next(filter(None, found), "")

    @classmethod
    def _codes(cls) -> list[str]:
        """The codes of this class and of those above it: a special kind of error has the words of its general kind."""
        return [kind.code for kind in cls.__mro__ if issubclass(kind, KojinError)]


# --- what the caller gave -------------------------------------------------------------------------------------------


class UsageError(KojinError):
    """The call itself is wrong: an impossible combination, a value out of range."""

    code = "usage"


class SecretFormatError(UsageError):
    """A PIN or password that the card could never accept, or is not to be sent: no try was spent."""

    code = "secret_format"


class SecretUnavailable(UsageError):
    """The injected source has no such secret (a ``--secrets`` file without that name, no terminal to ask at)."""

    code = "secret_unavailable"


class InputError(KojinError):
    """A file or text that was given cannot be used: unreadable, malformed, too large, of another format."""

    code = "bad_input"


class SpecError(InputError):
    """An applet spec is malformed. ``details`` has ``file`` and ``table``."""

    code = "spec"


class DecodeError(KojinError):
    """Bytes that do not have the form their specification demands. Never carries the bytes."""

    code = "malformed"


class Cancelled(KojinError):
    """The person stopped it."""

    code = "cancelled"


# --- reaching a card --------------------------------------------------------------------------------------------------


class NoReader(KojinError):
    """No reader is connected (or none of the name that was given)."""

    code = "no_reader"


class NotServed(NoReader):
    """No software card is being served in a virtual reader (or not under the name that was given)."""

    code = "not_served"


class NoCard(KojinError):
    """A reader, but no card that answers as an Individual Number Card."""

    code = "no_card"


class WrongCard(NoCard):
    """A card that is no Individual Number Card, or none that the reader can speak with."""

    code = "wrong_card"


class AmbiguousCard(KojinError):
    """More than one card answers and no reader was named."""

    code = "ambiguous_card"


class TransportError(KojinError):
    """The connection failed: nothing is known about what the card did with the last command."""

    code = "transport"


class CardRemoved(TransportError):
    """The card left the reader; the session is over."""

    code = "card_removed"


class CardBusy(TransportError):
    """Another program holds the card. Nothing was sent."""

    code = "card_busy"


class CardReset(TransportError):
    """Another program reset the card in the middle: what was verified is forgotten, and nothing is sent again."""

    code = "card_reset"


class CardFileBusy(TransportError):
    """Another process holds the software card's file."""

    code = "card_file_busy"


class ReplayMismatch(TransportError):
    """A recorded conversation was played back, and the command that came is not the one of this line (or none is).

    Attributes:
        line: of the trace.
    """

    code = "replay_mismatch"

    def __init__(self, message: str = "", *, operation: str | None = None, line: int = 0, **details: Detail) -> None:
        self.line = line
        super().__init__(message, operation=operation, line=line, **details)


class MissingExtra(KojinError):
    """An optional part of the package or a service of the system is not installed."""

    code = "missing_extra"


class NoService(MissingExtra):
    """The smart-card service of the system (PC/SC; pcscd on Linux) does not run."""

    code = "no_service"


class ServiceRefused(MissingExtra):
    """The smart-card service runs and does not let this user in (polkit on Linux)."""

    code = "service_refused"


class VpcdUnreachable(MissingExtra):
    """Nobody listens where the virtual reader of pcscd should. ``details`` has ``port``."""

    code = "vpcd_unreachable"


# --- what the card answered -------------------------------------------------------------------------------------------


class CardError(KojinError):
    """The card refused. ``sw`` is the status word (ISO/IEC 7816-4), the only thing of the answer that is kept."""

    code = "card"

    def __init__(self, message: str = "", *, operation: str | None = None, sw: int, **details: Detail) -> None:
        self.sw = sw
        super().__init__(message or f"SW={sw:04X}", operation=operation, sw=f"{sw:04X}", **details)


class UnexpectedAnswer(CardError):
    """A status word that this command should not get, or an answer whose content is malformed."""

    code = "card_answer"


class AccessDenied(CardError):
    """The card wants a key verified first (6982), or never lets a terminal do this."""

    code = "access_denied"


class NotOnCard(CardError):
    """No such application, file, record or key on this card (6A82, 6A83, 6A88)."""

    code = "not_on_card"


class PinRejected(CardError):
    """A wrong PIN: one try is gone. ``tries_left`` says how many remain."""

    code = "pin_rejected"

    def __init__(self, *, operation: str | None = None, sw: int, tries_left: int, **details: Detail) -> None:
        self.tries_left = tries_left
        super().__init__(f"wrong, {tries_left} left", operation=operation, sw=sw, tries_left=tries_left, **details)


class PinBlocked(CardError):
    """No try is left; the card no longer compares. ``details`` has ``tries_left`` where a wrong value just took the
    last one."""

    code = "pin_blocked"
    tries_left: ClassVar[int] = 0


class PinReserve(KojinError):
    """Refused here, nothing was sent: a wrong value now would block the PIN, or eat into the reserve that was asked."""

    code = "pin_reserve"

    def __init__(self, *, operation: str | None = None, tries_left: int, **details: Detail) -> None:
        self.tries_left = tries_left
        super().__init__(f"{tries_left} left", operation=operation, tries_left=tries_left, **details)


class HalfChanged(KojinError):
    """A PIN that stands in two applications was changed in one of them. The same call again finishes it.

    Attributes:
        states: application -> ``new``, ``old`` or ``unknown`` (neither of the two values, or nobody can say).
    """

    code = "half_changed"

    def __init__(
        self,
        message: str = "",
        *,
        operation: str | None = None,
        states: Mapping[str, str] | None = None,
        **more: Detail,
    ) -> None:
        self.states: dict[str, str] = dict(states or {})
        shown = ", ".join(f"{application}: {state}" for application, state in self.states.items())
        super().__init__(message or shown, operation=operation, **{**self.states, **more})


class HalfChangedUnseen(HalfChanged, TransportError):
    """The same, and the connection failed: what the card did with the last command is unknown."""


class SecureMessagingError(KojinError):
    """Secure messaging was not taken up by the card, or it broke: it is over, and nothing that came is believed.

    Attributes:
        sw: the status word, where one said so; None where the answer itself was wrong.
    """

    code = "secure_messaging"

    def __init__(self, message: str = "", *, operation: str | None = None, sw: int | None = None) -> None:
        self.sw = sw
        details: dict[str, Detail] = {} if sw is None else {"sw": f"{sw:04X}"}
        super().__init__(message, operation=operation, **details)


class SecureChannelError(SecureMessagingError):
    """A session with a security domain (SCP03) did not come about, or it broke: it is over, its keys are wiped, and
    what the card did with the last command is unknown."""

    code = "secure_channel"


class WrongCardKeys(SecureChannelError):
    """The card does not have the keys that were given: its cryptogram is another. Nothing was shown to it."""

    code = "wrong_card_keys"


class HostRefused(SecureChannelError):
    """The card refused our cryptogram (6300): it counts that, and may make the next ones wait."""

    code = "host_refused"


class ChannelWait(SecureChannelError):
    """The card makes one wait after wrong cryptograms (6985 to INITIALIZE UPDATE); it counts those it refuses."""

    code = "channel_wait"


class NoRoom(CardError):
    """No room on the card, or in the quota of the owner (6A84). Nothing was written."""

    code = "no_room"


class PassphraseRejected(KojinError):
    """A passphrase that does not open its file, or the file was changed: the two cannot be told apart."""

    code = "passphrase_rejected"


class NoToken(InputError):
    """No token of that name, or no key of that name on it. ``details`` may have ``token`` and ``key``."""

    code = "no_token"


class TokenPinRejected(KojinError):
    """The token refused its PIN: one of its tries is gone."""

    code = "token_pin_rejected"


class TokenPinReserve(KojinError):
    """Refused here: the token says that one more wrong PIN would block it. Nothing was sent."""

    code = "token_pin_reserve"


class TokenPinBlocked(KojinError):
    """The PIN of the token is blocked; its security officer sets a new one."""

    code = "token_pin_blocked"


class SignatureMismatch(KojinError):
    """What the signer answered does not verify with the key of its certificate: garbage, or the wrong key or card."""

    code = "signature_mismatch"


class UnprovenRefused(KojinError):
    """A fact of evidence level ``assumption`` would be acted on with a real card, without ``allow_unproven``."""

    code = "unproven"


# --- the free area ----------------------------------------------------------------------------------------------------


class NoSlot(NotOnCard):
    """No such slot on this card, none that this caller may use, or it is locked."""

    code = "no_slot"


class NoDomain(NotOnCard):
    """The owner has no security domain on this card, or one with other keys."""

    code = "no_domain"


class AmbiguousSlot(UsageError):
    """Several slots could be meant and none was named. ``details`` has ``slots``, their AIDs."""

    code = "ambiguous_slot"


class SlotConflict(CardError):
    """The slot is not in a state for this, or what is on it is not what this call would have made. Nothing was
    written."""

    code = "slot_conflict"


class TerminalRefused(AccessDenied):
    """The slot does not let this terminal in: its CA or its group is not listed there, or certificate or proof are
    wrong. The card does not say which: that would tell a passer-by whose slot it is."""

    code = "terminal_refused"


class TerminalExpired(TerminalRefused):
    """The terminal's certificate has run out, by the clock or by what the card has seen of the calendar."""

    code = "terminal_expired"


class KeyFileError(InputError):
    """A key file of an owner or an issuer that cannot be used: of another kind, damaged, or of another form."""

    code = "key_file"


class HandOverRefused(InputError):
    """A hand-over (引越継続) that is not accepted: forged, run out, replayed, of another card or for somebody else."""

    code = "hand_over_refused"


# --- judging ----------------------------------------------------------------------------------------------------------


class VerdictError(KojinError):
    """:meth:`Verdict.require` on a verdict that is not TOTAL_PASSED. ``verdict`` is the whole of it."""

    code = "verdict"

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        parts = (str(verdict.indication), str(verdict.sub_indication or ""), ", ".join(verdict.reasons))
        super().__init__(
            " ".join(part for part in parts if part),
            indication=str(verdict.indication),
            sub_indication=str(verdict.sub_indication or ""),
        )


class NotGenuine(VerdictError):
    """What was read of a card is not proved genuine, and so is not given out."""

    code = "not_genuine"

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.operation = f"read {verdict.subject}"

    def remedy(self, lang: str = "en") -> str:
        """What to do about each reason."""
        from kojin_card import messages

        words = (messages.reason_words(reason, lang) for reason in dict.fromkeys(self.verdict.reasons))
        return " ".join(words) or super().remedy(lang)


class TrustError(InputError):
    """A trust anchor that cannot be added: not a CA, wrong fingerprint, wrong store."""

    code = "trust"
