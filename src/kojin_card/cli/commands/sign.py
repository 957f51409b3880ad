"""``sign raw|cms|pdf|xml``: signatures with the card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.explain import with_key
from kojin_card.cli.files import MAX_SMALL_BYTES, attached, read_input, refuse_same
from kojin_card.cli.framework import KojinGroup, argument, command, option, output_options, secret_options
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from kojin_card.applications.jpki import CardSigner
    from kojin_card.cli.session import Session

sign = KojinGroup(
    "sign",
    {
        "raw": "commands.sign:sign_raw",
        "cms": "commands.sign:sign_cms",
        "pdf": "commands.sign:sign_pdf",
        "xml": "commands.sign:sign_xml",
    },
)
_common = (*output_options(required=True), *secret_options())


def _finish(session: Session, name: str, output: str, signed: bytes, *, force: bool) -> None:
    session.write(output, signed, force=force)
    session.written(output, kind="signed", source=name)


def _prepare(session: Session, name: str, output: str, secrets: str | None, *beside: str | None, force: bool) -> bytes:
    """The content, read before the card is asked for anything; the output is refused before as well.

    Args:
        beside: other files that are read.
    """
    session.one_stdin(name, secrets, *beside)
    refuse_same(output, name, secrets, *beside, operation="sign")
    session.check_output(output, force=force)
    return read_input(name)


def _signer(session: Session, secrets: str | None, *, last_try: bool) -> CardSigner:
    """The signature key, behind its password."""
    password = session.secret(secrets, "sign-password")
    return session.card().jpki.signer(password, reserve=0 if last_try else 1)


def _name_in(file: str) -> str:
    """The signer's name, one line of UTF-8: personal data does not stand in arguments, where every user sees it.

    Raises:
        InputError: not UTF-8, or not one line.
    """
    try:
        name = read_input(file, MAX_SMALL_BYTES).decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", operation="read the signer's name", file=Path(file).name) from None
    if not name.strip() or len(name.splitlines()) != 1:
        words = "the signer's name stands on one line"
        raise InputError(words, operation="read the signer's name", file=Path(file).name)
    return name


@command(
    "sign.raw",
    argument("in", metavar="IN"),
    option("--key", type=click.Choice(["sign", "auth"]), default="sign", help="key", show_default=True),
    *_common,
    plan=lambda given: with_key(given["key"]).reading(given["in"]).writing(given["output"]),
)
def sign_raw(
    session: Session, key: str, output: str, force: bool, secrets: str | None, last_try: bool, **given: str
) -> None:
    """A bare PKCS#1 v1.5 SHA-256 signature over the bytes of IN."""
    from kojin_card.signing import sign_raw as make

    content = _prepare(session, given["in"], output, secrets, force=force)
    if key == "auth":
        session.say("say.sign.auth_warning")
    secret = session.secret(secrets, "auth-pin" if key == "auth" else "sign-password")
    jpki = session.card().jpki
    signer = (jpki.auth_signer if key == "auth" else jpki.signer)(secret, reserve=0 if last_try else 1)
    _finish(session, given["in"], output, make(signer, content), force=force)


@command(
    "sign.cms",
    argument("in", metavar="IN"),
    option("--detached", is_flag=True, help="detached"),
    option("--signing-time", is_flag=True, help="signing_time"),
    option("--include-issuer", is_flag=True, help="include_issuer"),
    *_common,
    plan=lambda given: with_key("sign", issuer=given["include_issuer"]).reading(given["in"]).writing(given["output"]),
)
def sign_cms(
    session: Session,
    detached: bool,
    signing_time: bool,
    include_issuer: bool,
    output: str,
    force: bool,
    secrets: str | None,
    last_try: bool,
    **given: str,
) -> None:
    """A CMS SignedData, DER, with the signature key."""
    from kojin_card.signing import sign_cms as make

    content = _prepare(session, given["in"], output, secrets, force=force)
    signer = _signer(session, secrets, last_try=last_try)
    signed = make(
        signer,
        content,
        detached=detached,
        signing_time=session.now() if signing_time else None,
        include_issuer=include_issuer,
    )
    _finish(session, given["in"], output, signed, force=force)


@command(
    "sign.pdf",
    argument("in", metavar="IN"),
    option("--form", type=click.Choice(["pades", "registry"]), default="pades", help="form", show_default=True),
    option("--reason", metavar="TEXT", help="reason"),
    option("--location", metavar="TEXT", help="location"),
    option("--name-file", metavar="FILE", help="name_file"),
    option("--field", metavar="NAME", help="field"),
    *_common,
    plan=lambda given: with_key("sign").reading(given["in"], given["name_file"]).writing(given["output"]),
)
def sign_pdf(
    session: Session,
    form: str,
    reason: str | None,
    location: str | None,
    name_file: str | None,
    field: str | None,
    output: str,
    force: bool,
    secrets: str | None,
    last_try: bool,
    **given: str,
) -> None:
    """One more revision of the PDF with an invisible signature over all of it."""
    from kojin_card.signing import PdfForm
    from kojin_card.signing import sign_pdf as make
    from kojin_card.signing.pdf import check_pdf

    if PdfForm(form) is PdfForm.REGISTRY and name_file is None:
        raise UsageError("--form registry demands --name-file", operation="sign a PDF")
    content = _prepare(session, given["in"], output, secrets, name_file, force=force)
    name = None if name_file is None else _name_in(name_file)
    texts: dict[str, Any] = {"reason": reason, "location": location, "name": name, "field_name": field}
    check_pdf(content, now=session.now(), form=PdfForm(form), **texts)
    signer = _signer(session, secrets, last_try=last_try)
    signed = make(signer, content, now=session.now(), form=PdfForm(form), **texts)
    _finish(session, given["in"], output, signed, force=force)


@command(
    "sign.xml",
    argument("in", metavar="IN"),
    option(
        "--form",
        type=click.Choice(["enveloped", "xades", "jlis", "egov"]),
        default="enveloped",
        help="form_xml",
        show_default=True,
    ),
    option("--element", metavar="ID", help="element_xml"),
    option("--attach", multiple=True, metavar="NAME=FILE", help="attach_xml"),
    *_common,
    plan=lambda given: (
        with_key("sign").reading(given["in"], *attached(given["attach"]).values()).writing(given["output"])
    ),
)
def sign_xml(
    session: Session,
    form: str,
    element: str | None,
    attach: tuple[str, ...],
    output: str,
    force: bool,
    secrets: str | None,
    last_try: bool,
    **given: str,
) -> None:
    """An XML document with a signature in it, over all of it or over an element and files."""
    from kojin_card.signing import XmlForm, check_xml
    from kojin_card.signing import sign_xml as make

    names = attached(attach)
    content = _prepare(session, given["in"], output, secrets, *names.values(), force=force)
    attachments = {name: read_input(file) for name, file in names.items()}
    what: dict[str, Any] = {"form": XmlForm(form), "attachments": attachments, "element_id": element}
    check_xml(content, now=session.now(), **what)
    signer = _signer(session, secrets, last_try=last_try)
    signed = make(signer, content, now=session.now(), **what)
    _finish(session, given["in"], output, signed, force=force)
