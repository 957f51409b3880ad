"""What every command of the software card works with: the received command, the memory, the security state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.rsa_engine import RsaEngine
from kojin_card.simulator.security import Refused, Security
from kojin_card.spec.model import FileSpec, KeySpec

if TYPE_CHECKING:
    from kojin_card.iso7816.apdu import CommandApdu
    from kojin_card.simulator.content import ContentState, DomainState, SlotState
    from kojin_card.simulator.memory import Memory
    from kojin_card.simulator.state import ApplicationState, PrivateKey
    from kojin_card.spec.model import ApplicationSpec, CardSpec

CURRENT = (
    0x80  # P2 (VERIFY, CHANGE, 80 2A): the current internal file; with a short identifier in the low bits: that one
)
_SFI = 0x1F


@dataclass(frozen=True, slots=True)
class Received:
    """A command as it came in; ``extended`` says which form its length fields had."""

    apdu: CommandApdu
    extended: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Data and status word."""

    sw: int
    data: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Context:
    """One card at work.

    Attributes:
        random: gives that many random bytes.
        engines: RSA engines, made when first used; they hold nothing that the memory does not.
    """

    spec: CardSpec
    memory: Memory
    security: Security
    random: Callable[[int], bytes]
    engines: dict[PrivateKey, RsaEngine] = field(default_factory=dict)

    @property
    def application(self) -> ApplicationSpec:
        """The current application.

        Raises:
            Refused: 6986, there is none.
        """
        if self.security.application is None:
            raise Refused(SW.NO_CURRENT_EF)
        return self.spec[self.security.application]

    @property
    def content(self) -> ApplicationState:
        """Files and keys of the current application."""
        return self.memory.state.applications[self.application.id]

    @property
    def content_state(self) -> ContentState:
        """The free area, as it was committed last.

        Raises:
            Refused: 6D00, this card knows no GlobalPlatform.
        """
        if self.memory.state.content is None:
            raise Refused(SW.INS_NOT_SUPPORTED)
        return self.memory.state.content

    def commit_content(self, content: ContentState) -> None:
        """Keep another free area; one call is one write of the chip, which power loss leaves done or not done.

        Raises:
            Refused: 6581, it could not be kept.
        """
        self.security.listing = None  # it would go on telling what was
        try:
            self.memory.commit(replace(self.memory.state, content=content))
        except OSError:
            raise Refused(SW.MEMORY_FAILURE) from None

    @property
    def slot(self) -> SlotState:
        """The slot that a command is for: the current one, or that which its domain is personalizing.

        Raises:
            Refused: 6985, there is none.
        """
        aid = self.security.slot or self.security.personalizing
        slot = self.content_state.slot(aid) if aid is not None else None
        if slot is None:
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        return slot

    @property
    def domain(self) -> DomainState:
        """The security domain whose keys open a session here: the current one, or that of the current slot.

        Raises:
            Refused: 6985, there is none.
        """
        aid = self.slot.domain if self.security.slot is not None else self.security.domain
        domain = self.content_state.domain(aid) if aid is not None else None
        if domain is None:
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        return domain

    def has(self, ef: FileSpec | KeySpec) -> bool:
        """Whether the current application of *this* card has that file or key."""
        content = self.content
        return ef.id in (content.files if isinstance(ef, FileSpec) else content.keys)

    def current_ef(self) -> FileSpec | KeySpec:
        """The current file or key.

        Raises:
            Refused: 6986.
        """
        if self.security.ef is None:
            raise Refused(SW.NO_CURRENT_EF)
        return self.security.ef

    def by_sfi(self, sfi: int) -> FileSpec | KeySpec:
        """The file or key with that short identifier; it becomes current (card.md §4.2).

        Raises:
            Refused: 6986 without an application, 6A82.
        """
        for ef in self.application.elementary_files:
            if ef.sfi == sfi and self.has(ef):
                self.security.ef = ef
                return ef
        raise Refused(SW.FILE_NOT_FOUND)

    def referenced(self, p2: int) -> FileSpec | KeySpec:
        """The internal file that P2 names: ``80`` the current one, ``80|SFI`` that one (card.md §4.3, §4.4).

        Raises:
            Refused: 6A86 for any other P2, 6986, 6A82.
        """
        if p2 & ~_SFI != CURRENT:
            raise Refused(SW.INCORRECT_P1P2)
        return self.by_sfi(p2 & _SFI) if p2 & _SFI else self.current_ef()

    def engine(self, key: PrivateKey) -> RsaEngine:
        """The engine of a private key of this card."""
        if key not in self.engines:
            self.engines[key] = RsaEngine(key.p, key.q)
        return self.engines[key]
