"""``cert show|export|status``: the card's certificates."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.explain import Plan, if_refused, only, plan, read, verify
from kojin_card.cli.framework import KojinGroup, argument, command, option, output_options, secret_options
from kojin_card.cli.judging import Judging, judging_options, trust_store
from kojin_card.cli.render import Fields, Heading, Line
from kojin_card.cli.secret_sources import GivenSecrets
from kojin_card.cli.serials import AskedSerials, serial_options
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import AccessDenied, SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.cli.session import Session
    from kojin_card.pki.certificate import Certificate
    from kojin_card.verdict import Verdict

ROLES = ("auth", "sign", "auth-ca", "sign-ca")

cert = KojinGroup(
    "cert",
    {"show": "commands.cert:show", "export": "commands.cert:export", "status": "commands.cert:status"},
)


def _role(*, required: bool = True) -> click.Argument:
    names = "|".join(ROLES)
    return argument("role", type=click.Choice(ROLES), metavar=names if required else f"[{names}]", required=required)


def read_certificate(session: Session, role: str, secrets: str | None, *, last_try: bool) -> bytes:
    """A certificate of the card, DER: the signature certificate after its password, the authentication certificate
    after its PIN where the card wants one (a smartphone does, card.md §8)."""
    reserve = 0 if last_try else 1
    if role == "sign":
        password = session.secret(secrets, "sign-password")
        return session.card().jpki.signer(password, reserve=reserve).certificate
    jpki = session.card().jpki
    if role != "auth":
        return jpki.certificate("auth-ca" if role == "auth-ca" else "sign-ca")
    try:
        return jpki.certificate("auth")
    except AccessDenied:
        session.say("say.cert.pin_wanted")
    source = session.secrets(secrets)
    if isinstance(source, GivenSecrets) and not source.has("auth-pin"):
        raise SecretUnavailable(operation="read jpki/auth_certificate", secret="auth-pin")  # no other PIN stands in
    return jpki.auth_signer(source.at_hand("auth-pin"), reserve=reserve).certificate


def _plan(given: Mapping[str, Any]) -> Plan:
    """A certificate, after its secret where it has one; for stored serials no card at all."""
    match given["role"]:
        case None:
            stored = given["serials"]
            return plan().reading(None if stored is None else str(stored)).writing(given["output"], private=True)
        case "sign":
            return plan(
                verify("jpki/sign_password"),
                if_refused(),
                read("jpki/sign_certificate"),
            )
        case "auth":
            return plan(
                only("asked_for", verify("jpki/auth_pin")),
                if_refused(),
                read("jpki/auth_certificate"),
            )
        case authority:
            return plan(read(f"jpki/{authority.replace('-', '_')}_certificate"))


@command("cert.show", _role(), option("--disclose", is_flag=True, help="disclose"), *secret_options(), plan=_plan)
def show(session: Session, role: str, disclose: bool, secrets: str | None, last_try: bool) -> None:
    """Subject, issuer, serial, validity, fingerprint; the four items of ``sign`` only with ``--disclose``."""
    from kojin_card.pki import names
    from kojin_card.pki.certificate import Certificate
    from kojin_card.pki.profile import load_profiles

    certificate = Certificate.parse(read_certificate(session, role, secrets, last_try=last_try))
    policies = certificate.policies or ()
    value: dict[str, Any] = {
        "role": role,
        "subject": names.text(certificate.subject),
        "issuer": names.text(certificate.issuer),
        "serial": f"{certificate.serial:X}",
        "not_before": utc(certificate.not_before),
        "not_after": utc(certificate.not_after),
        "key": f"{certificate.key.algorithm.upper()}-{certificate.key.bits}",
        "key_usage": list(certificate.key_usage or ()),
        "policies": list(policies),
        "sha256": certificate.sha256,
    }
    text, lang = session.console.text, session.lang
    labels = [
        f"{oid} ({load_profiles().policy_label(oid, lang) or text('say.cert.unknown_policy')})" for oid in policies
    ]
    rows = [
        (text("say.cert.subject"), value["subject"]),
        (text("say.cert.issuer"), value["issuer"]),
        (text("say.cert.serial"), value["serial"]),
        (text("say.cert.not_before"), moment(certificate.not_before, lang)),
        (text("say.cert.not_after"), moment(certificate.not_after, lang)),
        (text("say.cert.key"), value["key"]),
        (
            text("say.cert.key_usage"),
            text("explain.comma").join(text(f"say.key_usage.{bit}") for bit in value["key_usage"]),
        ),
        (text("say.cert.policy"), ", ".join(labels)),
        (text("say.cert.sha256"), certificate.sha256),
    ]
    blocks: list[Any] = [Heading(text(f"say.role.{role}")), Fields(rows)]
    if disclose and certificate.other_names is not None:
        blocks += _holder(session, certificate, value)
    blocks.append(Line(text("say.cert.unchecked")))
    session.answer("certificate", value, blocks)


def _holder(session: Session, certificate: Certificate, value: dict[str, Any]) -> list[Any]:
    from kojin_card.cli.wording import person_json, person_rows
    from kojin_card.verification.holder import Holder

    holder = Holder.of(certificate)
    value["holder"] = person_json(holder)
    return [Heading(session.console.text("say.verdict.holder")), Fields(person_rows(holder, session.console))]


@command(
    "cert.export",
    _role(),
    option("--der", is_flag=True, help="der"),
    *output_options(),
    *secret_options(),
    plan=lambda given: _plan(given).writing(given["output"], private=given["role"] in ("auth", "sign")),
)
def export(
    session: Session, role: str, der: bool, output: str, force: bool, secrets: str | None, last_try: bool
) -> None:
    """The certificate as PEM or DER. ``sign`` holds the four items: its file is private (0600)."""
    if output != "-":
        session.check_output(output, force=force)
    certificate = read_certificate(session, role, secrets, last_try=last_try)
    if session.settings.json and output == "-":
        session.console.json("certificate-export", {"role": role, "pem": pem(certificate).decode("ascii")})
        return
    session.write(output, certificate if der else pem(certificate), force=force, private=role in ("auth", "sign"))
    session.written(output)


def pem(certificate: bytes) -> bytes:
    """RFC 7468."""
    body = base64.b64encode(certificate)
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


@command(
    "cert.status",
    _role(required=False),
    *serial_options(),
    *judging_options(),
    *secret_options(),
    plan=lambda given: _plan(given).writing(given["report"], private=True),
)
def status(session: Session, role: str | None, secrets: str | None, last_try: bool, **options: Any) -> int:
    """Whether the certificate is one of the store's CAs, in its profile, valid and not revoked; of stored serials only
    whether they are revoked."""
    from kojin_card.cli.judged import answer_verdicts
    from kojin_card.pki.profile import Purpose

    judging = Judging.taken_from(options)
    asked = AskedSerials.taken_from(options, role=role, disclose=judging.disclose)
    if role is None:
        return asked.answer(session, judging)
    verifier = None if role.endswith("-ca") else judging.verifier(session)  # refused before the card is asked
    certificate = read_certificate(session, role, secrets, last_try=last_try)
    if verifier is None:
        verdict = _authority(session, role, certificate, judging)
    else:
        purpose = Purpose.SIGNATURE if role == "sign" else Purpose.AUTHENTICATION
        verdict = verifier.certificate_status(certificate, purpose=purpose, **judging.times())
    if session.settings.simulator is not None and judging.trust != "simulator":
        session.say("say.cert.simulator_hint")
    return answer_verdicts(session, judging, [(session.console.text(f"say.role.{role}"), verdict)])


def _authority(session: Session, role: str, der: bytes, judging: Judging) -> Verdict:
    """A CA certificate is judged by being one of the anchors for its purpose, byte for byte, and by its dates: nothing
    else vouches."""
    from kojin_card.pki.certificate import Certificate
    from kojin_card.pki.profile import Purpose
    from kojin_card.verdict import Check, CheckId, Verdict
    from kojin_card.verification.engine import Moment

    certificate = Certificate.parse(der)
    when = Moment.of(session.now, judging.at, judging.received_at)
    store = trust_store(judging.trust, judging.trust_folder)
    purpose = Purpose.AUTHENTICATION if role == "auth-ca" else Purpose.SIGNATURE
    anchor = next((one for one in store.anchors if one.sha256.hex() == certificate.sha256), None)
    checks = [Check.passed(CheckId.CERTIFICATE, sha256=certificate.sha256)]
    if anchor is None:
        checks += [Check.failed("chain.no_issuer" if store.anchors else "chain.empty_store")]
    elif anchor.purpose is not purpose:  # the other authority's certificate in this one's place
        checks += [Check.passed(CheckId.CHAIN, anchor=anchor.id), Check.failed("profile.purpose")]
    else:
        checks += [Check.passed(CheckId.CHAIN, anchor=anchor.id)]
    dates = {"not_before": utc(certificate.not_before), "not_after": utc(certificate.not_after)}
    if when.at < certificate.not_before:
        checks.append(Check.failed("validity.not_yet", **dates))
    elif when.at > certificate.not_after:
        checks.append(Check.failed("validity.issuer_expired", **dates))
    else:
        checks.append(Check.passed(CheckId.VALIDITY, **dates))
    if anchor is not None and anchor.purpose is purpose:
        checks.append(Check.passed(CheckId.PROFILE, purpose=str(purpose)))
    required = frozenset({CheckId.CERTIFICATE, CheckId.CHAIN, CheckId.PROFILE, CheckId.VALIDITY, CheckId.TIME})
    return Verdict("certificate", judging.trust, when.at, when.basis, (*checks, when.check()), required)
