"""The fixtures and helpers of ``kojin_card.testing``: cards, secrets, revocation data, signed things."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import kojin_card
from kojin_card import PinBlocked, Secret, TransportError, UsageError, Verifier
from kojin_card.errors import KojinError
from kojin_card.simulator import load_persona, persona_names
from kojin_card.testing import FreshLists, new_card, pin
from kojin_card.testing.cards import issued_before
from kojin_card.testing.plugin import MadeProof, MakeCard, MakeCardFile, OpenCard
from kojin_card.verification import CrlFolder

DAY = timedelta(days=1)
CARD_DAY = datetime(2026, 4, 2, tzinfo=UTC)


# --- cards ------------------------------------------------------------------------------------------------------------


def test_every_card_is_a_new_one(soft_card: MakeCard) -> None:
    first, second = soft_card(), soft_card()
    verify = bytes.fromhex("00A4040C0AD392F000260100000001"), bytes.fromhex("00A4020C020018")
    for command in (*verify, bytes.fromhex("0020008004") + b"0000"):
        first.transmit(command)
    assert first.state != second.state
    assert second.state == soft_card("adult").state


def test_options_of_a_card(soft_card: MakeCard) -> None:
    assert soft_card(blocked_sw=0x6983).state.knobs.blocked_sw == 0x6983
    assert soft_card(tries={"registry-pin": 1}).state.key("juki", "resident_registry_pin").tries_left == 1
    assert soft_card(tries={"registry-pin": 1}).state.key("common", "resident_registry_pin").tries_left == 1
    assert pin(soft_card(gregorian_code_b=True), "code-b") != pin(soft_card(), "code-b")  # a setting of its making
    assert soft_card(load_persona("child")).state.persona == "child"
    moment = datetime(2026, 2, 3, tzinfo=UTC)
    assert soft_card(issued_at=moment).state.issued_at == moment
    with pytest.raises(TypeError):
        soft_card(no_such_knob=True)
    for tries in ({"auth-pin": 4}, {"auth-pin": -1}, {"no-pin": 1}):
        with pytest.raises(UsageError):
            soft_card(tries=tries)
    with pytest.raises(UsageError):
        soft_card("nobody")


def test_fresh_keys_are_nobody_elses(soft_card: MakeCard) -> None:
    keys = {soft_card(fresh_keys=fresh).state.key("jpki", "auth_key").private for fresh in (False, True, True)}
    assert len(keys) == 3


def test_the_day_before_at_midnight(card_clock: Callable[[], datetime], soft_card: MakeCard) -> None:
    assert soft_card().state.issued_at == issued_before(card_clock())
    assert issued_before(datetime(2026, 11, 24, 3, 4, 5, 6, UTC)) == datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(UsageError, match="zone"):
        issued_before(datetime(2026, 11, 24))  # noqa: DTZ001 - that is what is refused


@pytest.mark.parametrize("year", [2027, 2029])
def test_a_clock_of_these_years_works_for_every_persona(year: int) -> None:
    for persona in persona_names():
        for now in (datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, tzinfo=UTC)):
            new_card(persona, issued_at=issued_before(now))


def test_a_card_file_is_opened_like_any_other(soft_card_file: MakeCardFile) -> None:
    path, other = soft_card_file(tries={"auth-pin": 1}), soft_card_file()
    assert path != other
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with kojin_card.connect(simulator=path) as card:
        assert {one.key: one.tries_left for one in card.pin_status()}["auth_pin"] == 1


def test_open_card_makes_one_or_takes_one(open_card: OpenCard, soft_card: MakeCard) -> None:
    chip = soft_card("child")
    assert not open_card(chip).jpki.availability().sign
    assert open_card().jpki.availability().sign
    with pytest.raises(PinBlocked):
        open_card(tries={"sign-password": 0}).jpki.signer(pin("adult", "sign-password"))
    with pytest.raises(UsageError, match="made already"):
        open_card(chip, tries={"auth-pin": 1})


@pytest.fixture
def afterwards() -> Iterator[list[Callable[[], object]]]:
    """What a test puts in here must fail once every other fixture of the test is done with."""
    calls: list[Callable[[], object]] = []
    yield calls
    assert calls
    for call in calls:
        with pytest.raises(TransportError):
            call()


def test_cards_are_closed_when_the_test_is_over(
    afterwards: list[Callable[[], object]], open_card: OpenCard, soft_card: MakeCard
) -> None:
    card, chip = open_card(), soft_card()
    afterwards.extend([card.jpki.token, lambda: chip.transmit(bytes.fromhex("00A40400"))])
    for call in afterwards:
        call()


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pin", "auth-pin", "sign-password", "registry-pin", "code-a"])
def test_the_secret_of_a_persona_is_that_of_her_card(name: str, soft_card: MakeCard) -> None:
    assert isinstance(pin("adult", name), Secret)
    assert pin("adult", name) == pin(soft_card("adult"), name)


def test_secrets_open_what_they_are_for(open_card: OpenCard, soft_card: MakeCard) -> None:
    chip = soft_card()
    card = open_card(chip)
    assert card.input_support.read_basic_four(pin("adult", "pin")).name == load_persona("adult").name
    assert card.card_face.read_age(pin(chip, "birth-code")).is_at_least(18, on=issued_before(CARD_DAY).date())
    face = card.card_face.read_face(code_b=pin(chip, "code-b"))
    assert face.birth_date == load_persona("adult").born.on(issued_before(CARD_DAY).date())


@pytest.mark.parametrize(
    ("whose", "name"), [("adult", "code-b"), ("adult", "nothing"), ("nobody", "pin"), ("child", "sign-password")]
)
def test_a_secret_that_is_not_there(whose: str, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        pin(whose, name)
    assert "1234" not in str(refused.value)


# --- revocation -------------------------------------------------------------------------------------------------------


def test_lists_stay_fresh_whatever_the_clock_says(open_card: OpenCard) -> None:
    certificate = open_card().jpki.certificate("auth")
    clock = [datetime(2026, 4, 2, tzinfo=UTC)]
    verifier = Verifier.for_store("simulator", FreshLists(lambda: clock[0]), now=lambda: clock[0])
    for step in (0, 1, 90, -60):
        clock[0] += step * DAY
        verifier.certificate_status(certificate).require()


def test_a_revocation_counts_at_once_and_from_its_time_on(
    open_card: OpenCard, verifier: Verifier, fresh_lists: FreshLists, card_clock: Callable[[], datetime], tmp_path: Path
) -> None:
    certificate = open_card().jpki.certificate("auth")
    verifier.certificate_status(certificate).require()
    fresh_lists.revoke(certificate, reason="superseded")
    verdict = verifier.certificate_status(certificate)
    assert verdict.reasons == ("revocation.revoked",)
    before = card_clock() - timedelta(hours=2)
    verifier.certificate_status(certificate, received_at=before).require()
    fresh_lists.revoke(certificate, at=before)
    assert verifier.certificate_status(certificate, received_at=before).reasons == ("revocation.revoked",)
    folder = fresh_lists.write(tmp_path / "lists")
    on_disk = Verifier.for_store("simulator", CrlFolder(folder), now=card_clock)
    assert on_disk.certificate_status(certificate).reasons == ("revocation.revoked",)


def test_only_a_certificate_of_the_test_pki_can_be_revoked(fresh_lists: FreshLists) -> None:
    from kojin_card.testing import forge

    with pytest.raises(UsageError, match="test PKI"):
        fresh_lists.revoke(forge.changed(signed_by=forge.key("terminal", "stranger")))
    with pytest.raises(KojinError):
        fresh_lists.revoke(b"nothing")


# --- signed things ----------------------------------------------------------------------------------------------------


def test_what_the_card_signed_passes_and_is_the_adults(
    signed_pdf: bytes, signed_cms: bytes, verifier: Verifier
) -> None:
    for verdict in (verifier.verify_pdf(signed_pdf, disclose=True), verifier.verify_cms(signed_cms, disclose=True)):
        assert verdict.require().holder.name == load_persona("adult").name  # type: ignore[attr-defined]
    assert Verifier.production().verify_cms(signed_cms).reasons[0] == "chain.no_issuer"


def test_the_proof_passes_once(authentication_proof: MadeProof, verifier: Verifier) -> None:
    given = authentication_proof
    judged = [verifier.verify_proof(given.compact, given.challenges, audience=given.challenge.audience) for _ in "ab"]
    judged[0].require()
    assert judged[1].reasons == ("challenge.replayed",)


def test_nothing_secret_shows_in_what_the_fixtures_give(soft_card: MakeCard, authentication_proof: MadeProof) -> None:
    shown = f"{soft_card()!r} {soft_card().state!r} {pin('adult', 'pin')!r} {authentication_proof!r}"
    persona = load_persona("adult")
    assert not [value for value in (*persona.pins.values(), persona.my_number, persona.name) if value in shown]
