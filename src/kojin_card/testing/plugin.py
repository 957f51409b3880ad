"""The pytest plugin (``pytest11``): fixtures for tests of programs that use the card. See docs/testing.md.

pytest imports this in every run of an environment that has kojin_card, so it loads next to nothing: each fixture
imports what it needs when it is first used. It adds no option, no mark and no hook.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from kojin_card.testing.verdict_table import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from kojin_card.authn import Challenge
    from kojin_card.card import Card
    from kojin_card.simulator import Persona, SoftCard
    from kojin_card.testing.faults import Fault
    from kojin_card.testing.responder import OcspResponder
    from kojin_card.testing.revocation import FreshLists
    from kojin_card.testing.verdicts import VerdictDocument
    from kojin_card.verification import MemoryChallengeStore, Verifier


class MakeCard(Protocol):
    """What the fixture ``soft_card`` is."""

    def __call__(
        self,
        persona: str | Persona = "adult",
        *,
        issued_at: datetime | None = None,
        tries: Mapping[str, int] | None = None,
        fresh_keys: bool = False,
        **knobs: Any,
    ) -> SoftCard:
        """A new card in memory; see :func:`kojin_card.testing.new_card`."""
        ...


class MakeCardFile(Protocol):
    """What the fixture ``soft_card_file`` is."""

    def __call__(self, persona: str | Persona = "adult", **options: Any) -> Path:
        """The file of a new card; options as of ``soft_card``."""
        ...


class OpenCard(Protocol):
    """What the fixture ``open_card`` is."""

    def __call__(self, card: str | Persona | SoftCard = "adult", **options: Any) -> Card:
        """A :class:`~kojin_card.card.Card` on a software card, or on a new one; options as of ``soft_card``."""
        ...


class OpenFaultyCard(Protocol):
    """What the fixture ``faulty_card`` is."""

    def __call__(
        self, card: str | Persona | SoftCard = "adult", *, at: int | Iterable[int], fault: Fault | str, **options: Any
    ) -> Card:
        """A card at whose command number ``at`` (from 0) something goes wrong; options as of ``soft_card``."""
        ...


@dataclass(frozen=True, slots=True)
class MadeProof:
    """An authentication proof and what its verifier knows.

    Attributes:
        compact: the proof, a compact JWS.
        challenge: what it answers.
        challenges: a store in which the challenge waits.
    """

    compact: str
    challenge: Challenge
    challenges: MemoryChallengeStore = field(repr=False)


@pytest.fixture(scope="session")
def card_clock() -> Callable[[], datetime]:
    """The clock of cards, verifier and documents: the system's. Override it to stop the time."""
    return lambda: datetime.now(UTC)


@pytest.fixture
def soft_card(card_clock: Callable[[], datetime]) -> Iterator[MakeCard]:
    """A factory of software cards in memory: ``soft_card("adult", reselect_keeps_state=True)``.

    Every call gives a new card, as delivered the day before: full counters, nothing selected, nothing verified. All are
    closed when the test is over.
    """
    from kojin_card.simulator import SoftCard
    from kojin_card.testing.cards import issued_before, new_card

    with ExitStack() as opened:

        def make(persona: str | Persona = "adult", *, issued_at: datetime | None = None, **options: Any) -> SoftCard:
            moment = issued_before(card_clock()) if issued_at is None else issued_at
            return opened.enter_context(SoftCard.in_memory(new_card(persona, issued_at=moment, **options)))

        yield make


@pytest.fixture
def soft_card_file(card_clock: Callable[[], datetime], tmp_path_factory: pytest.TempPathFactory) -> MakeCardFile:
    """A factory of card files, for ``kojin_card.connect(simulator=path)`` and ``kojin-card --simulator``."""
    from kojin_card.simulator import SoftCard
    from kojin_card.testing.cards import issued_before, new_card

    def make(persona: str | Persona = "adult", *, issued_at: datetime | None = None, **options: Any) -> Path:
        state = new_card(persona, issued_at=issued_at or issued_before(card_clock()), **options)
        path = tmp_path_factory.mktemp("card") / f"{state.persona}.json"
        SoftCard.create(path, state).close()
        return path

    return make


@pytest.fixture
def open_card(soft_card: MakeCard) -> Iterator[OpenCard]:
    """A factory of opened cards: ``open_card("adult")``, or ``open_card(card)`` for one of ``soft_card``.

    All are closed when the test is over.
    """
    from kojin_card.card import Card
    from kojin_card.errors import UsageError
    from kojin_card.simulator import SoftCard

    with ExitStack() as opened:

        def make(card: str | Persona | SoftCard = "adult", **options: Any) -> Card:
            if isinstance(card, SoftCard) and options:
                raise UsageError("options are for a new card, and this one is made already")
            chip = card if isinstance(card, SoftCard) else soft_card(card, **options)
            return opened.enter_context(Card(chip, ours=True))

        yield make


@pytest.fixture
def faulty_card(soft_card: MakeCard) -> Iterator[OpenFaultyCard]:
    """A factory of cards that fail: ``faulty_card("adult", at=2, fault="removed")``.

    Faults are those of :func:`kojin_card.testing.every_fault`. All cards are closed when the test is over.
    """
    from kojin_card.card import Card
    from kojin_card.errors import KojinError, UsageError
    from kojin_card.simulator import SoftCard
    from kojin_card.testing.faults import FaultyConnection

    opened: list[Card] = []

    def make(
        card: str | Persona | SoftCard = "adult", *, at: int | Iterable[int], fault: Fault | str, **options: Any
    ) -> Card:
        if isinstance(card, SoftCard) and options:
            raise UsageError("options are for a new card, and this one is made already")
        chip = card if isinstance(card, SoftCard) else soft_card(card, **options)
        opened.append(Card(FaultyConnection(chip, at=at, fault=fault), ours=True))
        return opened[-1]

    yield make
    for one in opened:
        with suppress(KojinError):  # a card that is gone cannot be reset
            one.close()


@pytest.fixture
def fresh_lists(card_clock: Callable[[], datetime]) -> FreshLists:
    """The revocation lists of the test PKI, always fresh; ``fresh_lists.revoke(certificate)`` puts one onto them."""
    from kojin_card.testing.revocation import FreshLists

    return FreshLists(card_clock)


@pytest.fixture
def ocsp_responder(card_clock: Callable[[], datetime]) -> Iterator[OcspResponder]:
    """An OCSP responder of the test PKI on this machine: ``ocsp_responder.source()`` asks it, ``.revoke(certificate)``
    and ``.fault = "no_nonce"`` change what it answers."""
    from kojin_card.testing.responder import OcspResponder

    with OcspResponder(card_clock) as running:
        yield running


@pytest.fixture
def verifier(card_clock: Callable[[], datetime], fresh_lists: FreshLists) -> Verifier:
    """A verifier of what software cards sign: trust store ``simulator``, fresh lists, the clock of the cards."""
    from kojin_card.verification import Verifier

    return Verifier.for_store("simulator", fresh_lists, now=card_clock)


@pytest.fixture
def signed_pdf(card_clock: Callable[[], datetime], open_card: OpenCard) -> bytes:
    """A one-page contract, signed by the adult's software card."""
    from kojin_card.signing import sign_pdf
    from kojin_card.testing.cards import pin
    from kojin_card.testing.documents import blank_pdf

    signer = open_card("adult").jpki.signer(pin("adult", "sign-password"))
    return sign_pdf(
        signer, blank_pdf(["CONTRACT (an invented one)", "The buyer pays 1,000,000 yen."]), now=card_clock()
    )


@pytest.fixture
def signed_cms(open_card: OpenCard) -> bytes:
    """A CMS message with ``b"invented content\\n"`` inside, signed by the adult's software card."""
    from kojin_card.signing import sign_cms
    from kojin_card.testing.cards import pin

    return sign_cms(open_card("adult").jpki.signer(pin("adult", "sign-password")), b"invented content\n")


@pytest.fixture
def authentication_proof(card_clock: Callable[[], datetime], open_card: OpenCard) -> MadeProof:
    """A proof by the adult's software card, for ``https://bank.example``, with its challenge waiting to be judged."""
    import secrets

    from kojin_card.authn import Challenge
    from kojin_card.testing.cards import pin
    from kojin_card.verification import MemoryChallengeStore

    challenge = Challenge.new("https://bank.example", "log in", now=card_clock(), random=secrets.token_bytes)
    challenges = MemoryChallengeStore()
    challenges.add(challenge)
    proof = open_card("adult").jpki.authenticate(pin("adult", "auth-pin"), challenge)
    return MadeProof(proof.compact(), challenge, challenges)


@pytest.fixture(params=tuple(CASES))
def verdict_document(request: pytest.FixtureRequest, card_clock: Callable[[], datetime]) -> VerdictDocument:
    """A document for each verdict, one a test; ``kojin_card.testing.verdict_documents()`` gives all of them."""
    from kojin_card.testing.verdicts import verdict_document

    return verdict_document(request.param, card_clock())
