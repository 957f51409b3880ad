"""``auth challenge|respond|verify``: logging in with the card."""

from __future__ import annotations

import secrets as randomness
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli import places
from kojin_card.cli.explain import with_key
from kojin_card.cli.files import MAX_SMALL_BYTES, read_input
from kojin_card.cli.framework import KojinGroup, argument, command, option, output_options, secret_options
from kojin_card.cli.judged import answer_verdicts
from kojin_card.cli.judging import Judging, judging_options
from kojin_card.cli.render import Fields, Heading
from kojin_card.cli.wording import moment
from kojin_card.errors import DecodeError, InputError, UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.verification.challenges import ChallengeStore, SqliteChallengeStore

auth = KojinGroup(
    "auth",
    {"challenge": "commands.auth:challenge", "respond": "commands.auth:respond", "verify": "commands.auth:verify"},
)


def _store_option() -> click.Parameter:
    return option(
        "--challenges", "--store", "store", metavar="FILE", type=click.Path(path_type=Path), help="challenges"
    )


def _store_to_judge(named: Path | None) -> ChallengeStore:
    """The challenges that were given out, to take one back: nothing is made here.

    Raises:
        InputError: what was named is not there.
    """
    from kojin_card.verification.challenges import MemoryChallengeStore

    if (places.challenge_store() if named is None else named).is_file():
        return _store(named)
    if named is not None:
        words = "there is no such challenge store (none was made)"
        raise InputError(words, operation="look for a challenge", file=named.name)
    return MemoryChallengeStore()  # no challenge was ever given out here


def _store(named: Path | None) -> SqliteChallengeStore:
    from kojin_card.verification.challenges import SqliteChallengeStore

    where = places.challenge_store() if named is None else named
    if named is None:
        try:
            where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as bad:
            raise InputError("its folder cannot be made", operation="keep challenges", file=where.name) from bad
    return SqliteChallengeStore(where)


@command(
    "auth.challenge",
    option("--audience", metavar="TEXT", required=True, help="audience"),
    option("--purpose", metavar="TEXT", required=True, help="purpose_challenge"),
    option(
        "--lifetime", metavar="SECONDS", type=click.IntRange(1, 3600), default=300, help="lifetime", show_default=True
    ),
    _store_option(),
    *output_options(),
)
def challenge(
    session: Session, audience: str, purpose: str, lifetime: int, store: Path | None, output: str, force: bool
) -> None:
    """A fresh challenge, kept for the proof that answers it."""
    from kojin_card.authn import Challenge

    try:
        made = Challenge.new(
            audience,
            purpose,
            now=session.now(),
            random=randomness.token_bytes,
            lifetime=timedelta(seconds=lifetime),
        )
    except DecodeError as bad:  # all of it was given on the line
        raise UsageError(bad.message, operation="make a challenge") from bad
    if output != "-":
        session.check_output(output, force=force)
    _store(store).add(made)
    if output != "-":
        session.write(output, f"{made.to_json()}\n".encode(), force=force)
        session.written(output)
    elif session.settings.json:
        session.console.json("challenge", {"type": "kojin-card-challenge", **made.claims()})
    else:
        session.console.json_line(made.to_json())


@command(
    "auth.respond",
    argument("challenge", metavar="CHALLENGE"),
    *output_options(),
    *secret_options(),
    plan=lambda given: with_key("auth").reading(given["challenge"]).writing(given["output"]),
)
def respond(session: Session, challenge: str, output: str, force: bool, secrets: str | None, last_try: bool) -> None:
    """Sign a challenge with the authentication key, after the holder was shown what it is for."""
    from kojin_card.authn import Challenge

    session.one_stdin(challenge, secrets)
    if output != "-":
        session.check_output(output, force=force)
    asked = Challenge.from_json(read_input(challenge, MAX_SMALL_BYTES))
    text = session.console.text
    session.console.talk(
        [
            Heading(text("say.auth.title")),
            Fields(
                [
                    (text("say.auth.audience"), asked.audience),
                    (text("say.auth.purpose"), asked.purpose),
                    (text("say.auth.expires"), moment(asked.expires_at, session.lang)),
                ]
            ),
        ]
    )
    if asked.expires_at <= session.now():
        raise InputError("the challenge has expired: ask for a new one", operation="answer a challenge")
    pin = session.secret(secrets, "auth-pin")
    proof = session.card().jpki.authenticate(pin, asked, reserve=0 if last_try else 1)
    if output != "-":
        session.write(output, f"{proof.compact()}\n".encode("ascii"), force=force)
        session.written(output)
    elif session.settings.json:
        session.console.json("proof", {"proof": proof.compact()})
    else:
        session.console.raw(f"{proof.compact()}\n".encode("ascii"))


@command(
    "auth.verify",
    argument("proof", metavar="PROOF"),
    option("--audience", metavar="TEXT", required=True, help="audience"),
    option("--purpose", metavar="TEXT", help="purpose_verify"),
    _store_option(),
    *judging_options(disclose=False),
)
def verify(session: Session, proof: str, audience: str, purpose: str | None, store: Path | None, **options: Any) -> int:
    """A verdict on a proof; its challenge is used up by it."""
    judging = Judging.taken_from(options)
    verifier = judging.verifier(session)
    raw = read_input(proof, MAX_SMALL_BYTES)
    compact = raw.decode("ascii", "replace").strip()
    challenges = _store_to_judge(store)
    if verifier.revocation is None:
        session.say("say.verify.no_lists")
    verdict = verifier.verify_proof(compact, challenges, audience=audience, purpose=purpose, **judging.times())
    return answer_verdicts(session, judging, [(proof, verdict)])
