"""The steps of the demonstration; those of the free area stand in :mod:`.demo_slots`."""

from __future__ import annotations

import secrets as randomness
from typing import TYPE_CHECKING

from kojin_card.cli.demo import Command, Outcome, Stage, Step, expect
from kojin_card.cli.demo_slots import STEPS as SLOT_STEPS
from kojin_card.cli.render import Block, Fields, Line
from kojin_card.cli.wording import day, sex, utc
from kojin_card.errors import PinRejected
from kojin_card.pki.profile import Purpose
from kojin_card.secret import Secret
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kojin_card.applications import BasicFour
    from kojin_card.simulator.testpki import RevokedEntry
    from kojin_card.verification import Verifier

_AUDIENCE, _PURPOSE = "demo.example", "login"
_AMOUNT, _OTHER_AMOUNT = b"1,000,000", b"9,000,000"
_CARD = "kojin-card --simulator card.json"
_BEFORE, _AFTER = "lists-before", "lists-after"


def make(stage: Stage) -> Outcome:
    """A new card, and the secrets of its persona as files for ``--secrets``."""
    from kojin_card.simulator import SoftCard, make_card

    SoftCard.create(stage.path("card.json"), make_card(stage.persona, now=stage.issued_at)).close()
    stage.files["card.json"] = "card"
    pin = stage.pin("input_support", "pin")
    for name, secret, value in (
        ("input_support", "pin", pin),
        ("wrong", "pin", "".join(str(9 - int(digit)) for digit in pin)),
        ("authentication", "auth-pin", stage.pin("jpki", "auth_pin")),
        ("signature", "sign-password", stage.pin("jpki", "sign_password")),
    ):
        stage.leave(f"{name.replace('_', '-')}.secrets", f"{secret}={value}\n".encode("ascii"), name, private=True)
    line = f"kojin-card simulator new card.json --persona {stage.persona.id} --at {utc(stage.issued_at)} --force"
    return Outcome(
        stage.text("make.about"), [stage.good(stage.text("make.outcome", file="card.json"))], [Command(line)]
    )


def show(stage: Stage) -> Outcome:
    """What the card tells anyone."""
    with stage.card() as card:
        about, present, token = card.common.card_information(), card.jpki.availability(), card.jpki.token()
        tries = {f"{one.application}/{one.key}": one.tries_left for one in card.pin_status()}
    expect(present.sign and present.auth and all(tries.values()))
    text = stage.console.text
    rows = [
        (text("say.info.kind"), text(f"say.kind.{token.kind}")),
        (text("say.info.serial"), about.serial),
        (text("say.info.expiry"), day(about.expiry, stage.session.lang)),
        (text("say.role.sign"), text("say.info.present")),
        (text("say.role.auth"), text("say.info.present")),
    ]
    return Outcome(stage.text("show.about"), [Fields(rows)], [Command(f"{_CARD} info"), Command(f"{_CARD} pin status")])


def _read_four(stage: Stage, pin: str) -> BasicFour:
    with stage.card() as card:
        return card.input_support.read_basic_four(Secret(pin))


def read(stage: Stage) -> Outcome:
    """The four items, in four APDUs."""
    four = _read_four(stage, stage.pin("input_support", "pin"))
    expect(four.name == stage.persona.name and four.address == stage.persona.address)
    text, lang = stage.console.text, stage.session.lang
    rows = [
        (text("say.four.name"), four.name),
        (text("say.four.address"), four.address),
        (text("say.four.birth_date"), day(four.birth_date, lang, four.birth_date_text)),
        (text("say.four.sex"), sex(four.sex, lang)),
    ]
    command = Command(f"{_CARD} read basic-four --secrets input-support.secrets")
    return Outcome(stage.text("read.about", apdus=stage.sent), [Fields(rows)], [command])


def mistake(stage: Stage) -> Outcome:
    """A wrong PIN spends a try, the right one brings it back."""

    def left() -> int | None:
        with stage.card() as card:
            return card.channel.tries_left("input_support", "pin")

    before = left()
    right = stage.pin("input_support", "pin")
    wrong: PinRejected | None = None
    try:
        _read_four(stage, "".join(str(9 - int(digit)) for digit in right))
    except PinRejected as refused:
        wrong = refused
    after = left()
    expect(wrong is not None and before is not None and wrong.tries_left == after == before - 1)
    _read_four(stage, right)
    restored = left()
    expect(restored == before)
    return Outcome(
        stage.text("mistake.about"),
        [
            stage.good(stage.text("mistake.wrong", before=before, after=after)),
            stage.good(stage.text("mistake.restored", after=restored)),
        ],
        [
            Command(f"{_CARD} read basic-four --secrets wrong.secrets", 4),
            Command(f"{_CARD} read basic-four --secrets input-support.secrets"),
            Command(f"{_CARD} pin status"),
        ],
    )


def _lists(stage: Stage, when: str, issued: datetime, revoked: Sequence[RevokedEntry] = ()) -> list[Block]:
    """The CA's part: both lists of the card's municipality; then the verifier's part: check and keep them."""
    from kojin_card.pki.crl_store import add_crl
    from kojin_card.pki.trust import TrustStore
    from kojin_card.simulator.testpki import TestPki

    pki, store = TestPki.load(), TrustStore.load("simulator")
    blocks: list[Block] = []
    for purpose in Purpose:
        entries = revoked if purpose is Purpose.SIGNATURE else ()
        name = f"{purpose}-{when}.crl"
        crl = pki.crl(purpose, stage.persona.municipality, this_update=issued, revoked=entries)
        stage.leave(name, crl, f"list_{when}")
        listing = add_crl(stage.path(f"lists-{when}"), crl, store, now=stage.session.now())
        expect(listing.fresh and listing.problem is None)
        words = stage.text(
            "lists.outcome",
            municipality=listing.municipality,
            purpose=stage.console.text(f"say.purpose.{purpose}"),
            entries=listing.entries,
        )
        blocks.append(stage.good(words))
    stage.files[f"lists-{when}"] = f"folder_{when}"
    return blocks


def _add_lists(when: str) -> Command:
    files = f"signature-{when}.crl authentication-{when}.crl"
    return Command(f"kojin-card revocation add {files} --trust simulator --revocation lists-{when}")


def lists(stage: Stage) -> Outcome:
    """Fresh lists, on which the card's certificates do not stand."""
    return Outcome(stage.text("lists.about"), _lists(stage, "before", stage.minutes_ago(30)), [_add_lists("before")])


def _verifier(stage: Stage, lists_folder: str) -> Verifier:
    from kojin_card.verification import CrlFolder, Verifier

    return Verifier.for_store("simulator", CrlFolder(stage.path(lists_folder)), now=stage.session.now)


def login(stage: Stage) -> Outcome:
    """A challenge, its proof, the verdict; and the proof a second time."""
    from kojin_card.authn import Challenge
    from kojin_card.verification import SqliteChallengeStore

    store = SqliteChallengeStore(stage.path("challenges.db"))
    stage.files["challenges.db"] = "challenges"
    challenge = Challenge.new(_AUDIENCE, _PURPOSE, now=stage.session.now(), random=randomness.token_bytes)
    store.add(challenge)
    stage.leave("challenge.json", f"{challenge.to_json()}\n".encode(), "challenge")
    with stage.card() as card:
        proof = card.jpki.authenticate(Secret(stage.pin("jpki", "auth_pin")), challenge).compact()
    stage.leave("proof.jws", f"{proof}\n".encode("ascii"), "proof")
    verifier = _verifier(stage, _BEFORE)
    first = verifier.verify_proof(proof, store, audience=_AUDIENCE, purpose=_PURPOSE)
    again = verifier.verify_proof(proof, store, audience=_AUDIENCE, purpose=_PURPOSE)
    judge = (
        f"kojin-card auth verify proof.jws --audience {_AUDIENCE} --purpose {_PURPOSE} --challenges challenges.db"
        f" --trust simulator --revocation {_BEFORE}"
    )
    return Outcome(
        stage.text("login.about"),
        [
            *stage.verdict(first, Indication.TOTAL_PASSED),
            Line(stage.text("login.replay")),
            *stage.verdict(again, Indication.TOTAL_FAILED, "challenge.replayed"),
        ],
        [
            Command(
                f"kojin-card auth challenge --audience {_AUDIENCE} --purpose {_PURPOSE} --challenges challenges.db"
                " -o challenge.json --force"
            ),
            Command(f"{_CARD} auth respond challenge.json -o proof.jws --force --secrets authentication.secrets"),
            Command(judge),
            Command(judge, 20),
        ],
    )


def sign(stage: Stage) -> Outcome:
    """A contract, signed."""
    from kojin_card.signing import sign_pdf
    from kojin_card.testing.documents import blank_pdf

    amount = _AMOUNT.decode("ascii")
    contract = blank_pdf(["CONTRACT (an invented one)", "", f"The buyer pays {amount} yen.", "", "kojin_card demo"])
    stage.leave("contract.pdf", contract, "contract")
    with stage.card() as card:
        signer = card.jpki.signer(Secret(stage.pin("jpki", "sign_password")))
        signed = sign_pdf(signer, contract, now=stage.minutes_ago(20), reason="approved")
    expect(signed.startswith(contract) and len(signed) > len(contract))
    stage.leave("signed.pdf", signed, "signed")
    command = f"{_CARD} sign pdf contract.pdf -o signed.pdf --reason approved --secrets signature.secrets --force"
    outcome = stage.good(stage.text("sign.outcome", file="signed.pdf", size=len(signed)))
    return Outcome(stage.text("sign.about"), [outcome], [Command(command)])


def _verify_line(name: str, lists_folder: str, *more: str) -> str:
    return " ".join(["kojin-card verify pdf", name, "--trust simulator --revocation", lists_folder, *more])


def verify(stage: Stage) -> Outcome:
    """The signature passes."""
    verdict = _verifier(stage, _BEFORE).verify_pdf(stage.path("signed.pdf").read_bytes())
    blocks = stage.verdict(verdict, Indication.TOTAL_PASSED)
    return Outcome(stage.text("verify.about"), blocks, [Command(_verify_line("signed.pdf", _BEFORE))])


def tamper(stage: Stage) -> Outcome:
    """One digit changed: refused."""
    signed = stage.path("signed.pdf").read_bytes()
    expect(signed.count(_AMOUNT) == 1)
    tampered = signed.replace(_AMOUNT, _OTHER_AMOUNT)
    stage.leave("tampered.pdf", tampered, "tampered")
    verdict = _verifier(stage, _BEFORE).verify_pdf(tampered)
    about = stage.text("tamper.about", before=_AMOUNT.decode("ascii"), after=_OTHER_AMOUNT.decode("ascii"))
    blocks = stage.verdict(verdict, Indication.TOTAL_FAILED, "digest.mismatch")
    return Outcome(about, blocks, [Command(_verify_line("tampered.pdf", _BEFORE), 20)])


def revoke(stage: Stage) -> Outcome:
    """The CA revokes; what was fine is no longer, unless it was received before."""
    from kojin_card.pki.certificate import Certificate
    from kojin_card.simulator.testpki import RevokedEntry

    with stage.card() as card:
        certificate = card.jpki.certificate("sign", Secret(stage.pin("jpki", "sign_password")))
    entry = RevokedEntry(Certificate.parse(certificate).serial, stage.minutes_ago(5), "affiliationChanged")
    blocks = _lists(stage, "after", stage.minutes_ago(1), [entry])
    verifier, signed = _verifier(stage, _AFTER), stage.path("signed.pdf").read_bytes()
    received = stage.minutes_ago(10)
    blocks += stage.verdict(verifier.verify_pdf(signed), Indication.INDETERMINATE, "revocation.revoked")
    blocks.append(Line(stage.text("revoke.received")))
    blocks += stage.verdict(verifier.verify_pdf(signed, received_at=received), Indication.TOTAL_PASSED)
    commands = [
        _add_lists("after"),
        Command(_verify_line("signed.pdf", _AFTER), 21),
        Command(_verify_line("signed.pdf", _AFTER, f"--received-at {utc(received)}")),
    ]
    return Outcome(stage.text("revoke.about"), blocks, commands)


STEPS: Sequence[Step] = (
    ("make", make),
    ("show", show),
    ("read", read),
    ("mistake", mistake),
    ("lists", lists),
    ("login", login),
    ("sign", sign),
    ("verify", verify),
    ("tamper", tamper),
    ("revoke", revoke),
    *SLOT_STEPS,
)
