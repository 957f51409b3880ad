"""``verify raw|cms|pdf|xml``: verdicts on what cards signed. No card, no reader."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.files import MAX_SMALL_BYTES, attached, read_input
from kojin_card.cli.framework import KojinGroup, argument, command, option
from kojin_card.cli.judged import answer_verdicts
from kojin_card.cli.judging import Judging, judging_options
from kojin_card.errors import KojinError, UsageError
from kojin_card.verdict import Indication, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.cli.session import Session

verify = KojinGroup(
    "verify",
    {
        "raw": "commands.verify:verify_raw",
        "cms": "commands.verify:verify_cms",
        "pdf": "commands.verify:verify_pdf",
        "xml": "commands.verify:verify_xml",
    },
)


Hint = Callable[[bytes, Verdict], str | None]


def _judge_each(
    session: Session,
    judging: Judging,
    files: Sequence[str],
    judge: Callable[[bytes], Verdict],
    hint: Hint = lambda _, __: None,
    **beside: Any,
) -> int:
    """Every file has its own verdict, or its own error: one bad file does not hide the others. Each verdict is kept
    as evidence, where it is to be kept, before the next file is read.

    Args:
        hint: the text, if any, that helps somebody with this file and this verdict; it is said on stderr.
        beside: what stands beside each document, as a record of evidence keeps it.
    """
    keeper = judging.keeper(session)
    results: list[tuple[str, Verdict | KojinError]] = []
    for name in files:
        try:
            data = read_input(name)
            verdict = judge(data)
            if keeper is not None:
                verdict = keeper.keep(verdict, data, beside)
            results.append((name, verdict))
            key = hint(data, verdict)
            if key is not None:
                session.say(f"say.verify.{key}", file=name)
        except KojinError as error:
            results.append((name, error))
    if keeper is not None:
        session.say("say.report.kept", folder=keeper.folder, count=keeper.count)
    return answer_verdicts(session, judging, results)


def _hint_cms(data: bytes, verdict: Verdict) -> str | None:
    if "coverage.two_contents" in verdict.reasons:
        return "two_contents"
    return _kind(data)


def _hint_pdf(data: bytes, verdict: Verdict) -> str | None:
    kind = _kind(data)
    return None if verdict.indication is Indication.TOTAL_PASSED or kind == "is_pdf" else kind or "not_pdf"


def _hint_xml(data: bytes, verdict: Verdict) -> str | None:
    if "coverage.content_missing" in verdict.reasons:
        return "attach"
    kind = _kind(data)
    return None if verdict.indication is Indication.TOTAL_PASSED or kind == "is_xml" else kind or "not_xml"


def _kind(data: bytes) -> str | None:
    """What it looks like; a CMS signature (a DER SEQUENCE) may hold a document of another kind."""
    if data.startswith(b"\x30"):
        return None
    if b"%PDF-" in data[:1024]:
        return "is_pdf"
    return "is_xml" if data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<" else None


@command(
    "verify.raw",
    argument("signature", metavar="SIG"),
    option("--content", metavar="FILE", required=True, help="content_raw"),
    option("--certificate", metavar="FILE", required=True, help="certificate"),
    option(
        "--purpose",
        type=click.Choice(["signature", "authentication"]),
        default="signature",
        help="purpose_raw",
        show_default=True,
    ),
    *judging_options(evidence=True, stamped=True),
)
def verify_raw(session: Session, signature: str, content: str, certificate: str, purpose: str, **options: Any) -> int:
    """A bare signature over a file, by a certificate."""
    from kojin_card.pki.profile import Purpose

    judging = Judging.taken_from(options)
    session.one_stdin(signature, content, certificate)
    judging.spare(signature, content, certificate)
    verifier = judging.verifier(session)
    given = read_input(certificate, MAX_SMALL_BYTES)
    body, stamps = read_input(content), judging.stamps()

    def judge(data: bytes) -> Verdict:
        return verifier.verify_raw(data, body, given, purpose=Purpose(purpose), **judging.times(), **stamps)

    return _judge_each(session, judging, [signature], judge, content=body, **stamps)


@command(
    "verify.cms",
    argument("files", nargs=-1, required=True, metavar="FILE..."),
    option("--content", metavar="FILE", help="content_cms"),
    *judging_options(evidence=True, stamped=True),
)
def verify_cms(session: Session, files: tuple[str, ...], content: str | None, **options: Any) -> int:
    """CMS signatures, attached, or detached with ``--content``."""
    judging = Judging.taken_from(options)
    if content is not None and len(files) > 1:
        raise UsageError("--content belongs to one FILE", operation="verify cms")
    session.one_stdin(*files, content)
    judging.spare(*files, content)
    verifier = judging.verifier(session)
    body, stamps = None if content is None else read_input(content), judging.stamps()

    def judge(data: bytes) -> Verdict:
        return verifier.verify_cms(data, body, **judging.times(), **stamps)

    return _judge_each(session, judging, files, judge, _hint_cms, content=body, **stamps)


@command(
    "verify.pdf",
    argument("files", nargs=-1, required=True, metavar="FILE..."),
    *judging_options(evidence=True, stamped=True),
)
def verify_pdf(session: Session, files: tuple[str, ...], **options: Any) -> int:
    """Every signature of a PDF, and that they cover all of it."""
    judging = Judging.taken_from(options)
    session.one_stdin(*files)
    judging.spare(*files)
    verifier, stamps = judging.verifier(session), judging.stamps()

    def judge(data: bytes) -> Verdict:
        return verifier.verify_pdf(data, **judging.times(), **stamps)

    return _judge_each(session, judging, files, judge, _hint_pdf, **stamps)


@command(
    "verify.xml",
    argument("files", nargs=-1, required=True, metavar="FILE..."),
    option("--attach", multiple=True, metavar="NAME=FILE", help="attach_xml"),
    *judging_options(evidence=True),
)
def verify_xml(session: Session, files: tuple[str, ...], attach: tuple[str, ...], **options: Any) -> int:
    """Every signature of XML documents, what they cover, and that nothing else stands in them."""
    judging = Judging.taken_from(options)
    names = attached(attach)
    if names and len(files) > 1:
        raise UsageError("--attach belongs to one FILE", operation="verify xml")
    session.one_stdin(*files, *names.values())
    judging.spare(*files, *names.values())
    verifier = judging.verifier(session)
    attachments = {name: read_input(file) for name, file in names.items()}

    def judge(data: bytes) -> Verdict:
        return verifier.verify_xml(data, attachments, **judging.times())

    return _judge_each(session, judging, files, judge, _hint_xml, attachments=attachments)
