"""``trust list|add``: which CAs are trusted, store by store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kojin_card.cli import places
from kojin_card.cli.files import MAX_SMALL_BYTES, read_input
from kojin_card.cli.framework import KojinGroup, argument, command, option
from kojin_card.cli.judging import STORES, store_option, trust_store
from kojin_card.cli.render import Block, Fields, Heading, Line
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import DecodeError, TrustError, UsageError

if TYPE_CHECKING:
    from typing import Any

    from kojin_card.cli.console import Console
    from kojin_card.cli.session import Session
    from kojin_card.pki.trust import TrustAnchor

trust = KojinGroup("trust", {"list": "commands.trust:list_anchors", "add": "commands.trust:add"})


def _folder_option() -> click.Parameter:
    return option("--trust-folder", metavar="FOLDER", type=click.Path(path_type=Path), help="trust_folder")


def _anchor_json(anchor: TrustAnchor) -> dict[str, Any]:
    from kojin_card.pki import names

    return {
        "name": anchor.name,
        "store": str(anchor.store),
        "purpose": str(anchor.purpose),
        "generation": anchor.generation,
        "subject": names.text(anchor.subject),
        "serial": f"{anchor.serial:X}",
        "not_before": utc(anchor.not_before),
        "not_after": utc(anchor.not_after),
        "key_id": anchor.key_id.hex(),
        "sha256": anchor.sha256.hex(),
    }


def _anchor_fields(anchor: TrustAnchor, console: Console) -> Fields:
    from kojin_card.pki import names

    text, lang = console.text, console.lang
    return Fields(
        [
            (text("say.trust.name"), anchor.name),
            (text("say.trust.purpose"), text(f"say.purpose.{anchor.purpose}")),
            (text("say.trust.subject"), names.text(anchor.subject)),
            (text("say.trust.validity"), f"{moment(anchor.not_before, lang)} - {moment(anchor.not_after, lang)}"),
            (text("say.trust.sha256"), anchor.sha256.hex()),
        ]
    )


@command(
    "trust.list", option("--trust", type=click.Choice(STORES), metavar="STORE", help="trust_list"), _folder_option()
)
def list_anchors(session: Session, trust: str | None, trust_folder: Path | None) -> None:
    """The anchors of one store, or of all."""
    stores = [trust_store(name, trust_folder) for name in ([trust] if trust else STORES)]
    text = session.console.text
    blocks: list[Block] = []
    for store in stores:
        blocks.append(Heading(f"{text(f'say.store.{store.store}')} ({len(store.anchors)})"))
        if not store.anchors:
            blocks.append(Line(text("say.trust.empty")))
        for number, anchor in enumerate(store.anchors):
            blocks += [*([Line("")] if number else []), _anchor_fields(anchor, session.console)]
    value = {"anchors": [_anchor_json(anchor) for store in stores for anchor in store.anchors]}
    session.answer("trust", value, blocks)


@command(
    "trust.add",
    argument("certificate", metavar="CERTIFICATE"),
    store_option(),
    option("--purpose", type=click.Choice(["signature", "authentication"]), help="purpose_add"),
    option("--fingerprint", metavar="HEX", help="fingerprint"),
    _folder_option(),
)
def add(
    session: Session,
    certificate: str,
    trust: str,
    purpose: str | None,
    fingerprint: str | None,
    trust_folder: Path | None,
) -> None:
    """Trust a CA certificate, once its fingerprint was compared with one from another source."""
    from kojin_card.pki.profile import Purpose, Store
    from kojin_card.pki.trust import add_anchor

    folder = places.trust_folder() if trust_folder is None else trust_folder
    data = read_input(certificate, MAX_SMALL_BYTES)
    _require_certificate(data)
    typed = _ask_fingerprint(session) if fingerprint is None else fingerprint
    anchor = add_anchor(
        data,
        store=Store(trust),
        purpose=None if purpose is None else Purpose(purpose),
        fingerprint=typed,
        folder=folder,
    )
    if anchor.store is Store.PRODUCTION:  # those that are published came with the package and are refused as known
        session.say("say.trust.outside", file=folder / f"{anchor.name}.toml")
    heading = Heading(session.console.text("say.trust.added", store=session.console.text(f"say.store.{trust}")))
    session.answer("trust-added", {"anchor": _anchor_json(anchor)}, [heading, _anchor_fields(anchor, session.console)])


def _require_certificate(data: bytes) -> None:
    """Nobody is asked to compare a fingerprint with a file that is no certificate.

    Raises:
        TrustError: it is none.
    """
    from kojin_card.pki.certificate import Certificate
    from kojin_card.pki.files import to_der

    try:
        Certificate.parse(to_der(data, "CERTIFICATE"))
    except DecodeError as bad:
        raise TrustError("not a certificate", operation="add a trust anchor") from bad


def _ask_fingerprint(session: Session) -> str:
    """Typed by a person who has it from elsewhere: the one in the file is not shown, so that it cannot be copied."""
    import sys

    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("a fingerprint is needed: --fingerprint", operation="add a trust anchor")
    return str(click.prompt(session.console.text("say.trust.ask"), err=True))
