"""The security state of the card: what is selected, what was verified, the counters. The one place that decides access.

Selection and verified keys are volatile; secrets and counters are in the persistent memory. A try is spent in memory
before the comparison, so that no cut of the power can win one (ARCHITECTURE §8).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.spec.model import ChangeCommand, FileSpec, KeyKind, KeySpec, SecretFormat

if TYPE_CHECKING:
    from kojin_card.simulator.management.scp03 import Handshake, SecureChannel
    from kojin_card.simulator.management.status import Listing
    from kojin_card.simulator.memory import Memory
    from kojin_card.simulator.slot.visit import Visit
    from kojin_card.simulator.state import CardState, KeyState
    from kojin_card.spec.access import Access

_TRIES_LEFT = 0x63C0


class Refused(Exception):
    """The command ends with this status word. Never leaves the card."""

    def __init__(self, sw: int) -> None:
        self.sw = sw
        super().__init__(f"{sw:04X}")


@dataclass(slots=True)
class Session:
    """A session of secure messaging: its key, and the number of the next command in it (card.md §4.7)."""

    key: bytes = field(repr=False)
    counter: int = 1


class Security:
    """Selection, verified keys and counters of one card.

    Args:
        power_on: id of the application that is current after reset (card.md §1), or None.

    Attributes:
        application: id of the current application, or None.
        ef: the current file or key, or None.
        session: of secure messaging; it ends with the power and with each SELECT of an application (card.md §4.7).
        slot: AID of the current slot, or None.
        channel: the SCP03 session with the current domain, or with the domain of the current slot; it ends as the
            other does, and with a wrong MAC.
        handshake: of SCP03, between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE.
        listing: what GET STATUS has still to tell.
        level: security level of the command at work; 0 for one in clear, also while a session is open.
        personalizing: AID of the slot that the current domain gives STORE DATA on to, or None.
        visit: what the slot applet keeps between two commands.
        shown: terms of access rules that were shown to the current slot (``key:slot_pin``, ``role:terminal``).
    """

    def __init__(self, memory: Memory, power_on: str | None = None) -> None:
        self._memory = memory
        self.power_on = power_on
        self.application: str | None = power_on
        self.ef: FileSpec | KeySpec | None = None
        self.session: Session | None = None
        self.slot: bytes | None = None
        self.channel: SecureChannel | None = None
        self.handshake: Handshake | None = None
        self.listing: Listing | None = None
        self.level = 0
        self.personalizing: bytes | None = None
        self.visit: Visit | None = None
        self.shown: set[str] = set()
        self._domain: bytes | None = None
        self._verified: set[str] = set()

    @property
    def domain(self) -> bytes | None:
        """AID of the current security domain, the issuer's included; None elsewhere, and on a card without any."""
        content = self._memory.state.content
        if content is None or self._domain is not None:
            return self._domain
        return content.issuer.aid if self.application is not None and self.application == self.power_on else None

    @property
    def managed(self) -> bool:
        """Whether a security domain or a slot is current: what knows SCP03."""
        return self.slot is not None or self.domain is not None

    @property
    def owner_here(self) -> bool:
        """Whether the command at work came through the SCP03 session of the current slot, or of the domain that is
        personalizing it. A command in clear is nobody's."""
        return bool(self.level) and (self.slot is not None or self.personalizing is not None)

    def forget(self) -> None:
        """Reset or power loss: the application of power-on is current, no file, and nothing is verified."""
        self._leave(self.power_on)
        self._verified.clear()

    def select_domain(self, aid: bytes) -> None:
        """A supplementary security domain becomes current; what was shown or verified is lost."""
        self._leave(None)
        self._verified.clear()
        self._domain = aid

    def select_slot(self, aid: bytes, visit: Visit) -> None:
        """A slot becomes current; what was shown or verified is lost."""
        self._leave(None)
        self._verified.clear()
        self.slot, self.visit = aid, visit

    def end_channel(self) -> None:
        """The SCP03 session is over, or the handshake for one, and what it had begun."""
        self.channel = self.handshake = self.personalizing = self.listing = None
        self.level = 0

    def _leave(self, application: str | None) -> None:
        self.application = application
        self.ef = None
        self.session = None
        self.slot = self._domain = self.visit = None
        self.shown.clear()
        self.end_channel()

    def select(self, application: str) -> None:
        """An application becomes current; what was verified is lost (card.md §4.10: for the same one, a knob)."""
        if not (self._memory.state.knobs.reselect_keeps_state and application == self.application):
            self._verified.clear()
        self._leave(application)

    def require(self, rule: Access | None) -> None:
        """The access decision; no rule means never.

        Raises:
            Refused: 6982.
        """
        if rule is None or not rule.allows(self._terms()):
            raise Refused(SW.SECURITY_NOT_SATISFIED)

    def _terms(self) -> set[str]:
        """What was shown so far, as access rules name it."""
        found = {f"key:{key}" for key in self._verified} | self.shown
        if self.level:
            found.add("role:issuer" if self.domain is not None and self._domain is None else "role:owner")
        return found

    def tries(self, key: KeySpec) -> int:
        """Status word of the empty VERIFY: 63Cx, which costs nothing (card.md §4.3).

        Raises:
            Refused: 6981, the key is not one that is verified; 6581, the card file was taken away.
        """
        content = self._counted(key)
        when_verified = self._memory.state.knobs.empty_verify_when_verified
        if key.id in self._verified and when_verified is not None:
            return when_verified
        return _TRIES_LEFT | content.tries_left

    def verify(self, key: KeySpec, value: bytes) -> int:
        """Status word of VERIFY: 9000, 63Cx, or blocked. A wrong value also ends what an earlier right one had opened.

        A value of impossible length is a wrong value and costs a try (no source says otherwise).

        Raises:
            Refused: 6981, the key is not one that is verified; 6581, the try could not be recorded.
        """
        content = self._counted(key)
        self._verified.discard(key.id)
        if content.tries_left <= 0:
            return self._memory.state.knobs.blocked_sw
        spent = replace(content, tries_left=content.tries_left - 1)
        self._commit(self._with(key, spent))
        if content.secret is None or not hmac.compare_digest(content.secret, value):
            return _TRIES_LEFT | spent.tries_left
        self._commit(self._with(key, replace(content, tries_left=content.tries_full)))
        self._verified.add(key.id)
        return SW.OK

    def change(self, key: KeySpec, value: bytes, command: ChangeCommand) -> int:
        """Replace the secret: 9000, or 6A80 for a value that is not of the key's form (assumption: card.md §13).

        Raises:
            Refused: 6981, 6982 (not verified, or this command never changes this key), 6581.
        """
        content = self._counted(key)
        change = key.change
        self.require(change.after if change is not None and change.command is command else None)
        if content.secret is None:
            raise Refused(SW.SECURITY_NOT_SATISFIED)
        if key.format is None or not has_form(value, key.format):
            return SW.WRONG_DATA
        self._commit(self._with(key, replace(content, secret=value, tries_left=content.tries_full)))
        return SW.OK

    def _counted(self, key: KeySpec) -> KeyState:
        """Content of a key that VERIFY knows: a PIN, or the reference that is blocked on every card (card.md §2.1)."""
        if self.application is None or not (key.kind is KeyKind.PIN or key.issued_blocked):
            raise Refused(SW.WRONG_FILE_STRUCTURE)
        try:
            self._memory.require_present()  # a counter that may stand otherwise elsewhere is not told
        except OSError:
            raise Refused(SW.MEMORY_FAILURE) from None
        return self._memory.state.key(self.application, key.id)

    def _with(self, key: KeySpec, content: KeyState) -> CardState:
        return self._memory.state.with_key(self.application or "", key.id, content)

    def _commit(self, state: CardState) -> None:
        try:
            self._memory.commit(state)
        except OSError:
            raise Refused(SW.MEMORY_FAILURE) from None


def has_form(value: bytes, form: SecretFormat) -> bool:
    """Whether a new secret has the length and characters of its reference (card.md §3)."""
    if not form.minimum <= len(value) <= form.maximum:
        return False
    digits, letters = b"0123456789", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if set(value) - set(digits if form.charset == "digits" else digits + letters):
        return False
    classes = {"digit": digits, "letter": letters}
    return all(set(value) & set(classes[name]) for name in form.requires)
