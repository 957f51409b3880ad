"""Terminals: GET CHALLENGE, and EXTERNAL AUTHENTICATE with a terminal certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot import rules
from kojin_card.simulator.slot.card_key import load_point, verifies
from kojin_card.spec import bcd
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.terminal_certificate import (
    TerminalCertificate,
    authority_id,
    decode_authentication,
    proof_message,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from kojin_card.simulator.content import SlotState, TerminalAuthority


def get_challenge(card: Context, command: Received) -> Answer:
    """16 random bytes; the next EXTERNAL AUTHENTICATE uses them up, another challenge replaces them."""
    apdu = command.apdu
    rules.admit(card, "get_challenge", apdu)
    size = slot_applet_spec().number("challenge")
    if apdu.data or apdu.le != size:
        raise Refused(SW.WRONG_LENGTH)
    challenge = card.random(size)
    rules.visit(card).challenge = challenge
    return Answer(SW.OK, challenge)


def external_authenticate(card: Context, command: Received) -> Answer:
    """Let a terminal in. Whatever fails, the challenge is used up and an earlier terminal is out.

    The proof comes before everything that the slot knows: whose CAs it lists and what day it has seen would tell a
    passer-by who plays back a certificate, which terminals show in clear, whose slot this is. The date of a certificate
    counts once its CA's signature is right: also a terminal of a foreign group tells the card what day it is at least.

    Raises:
        Refused: in this order: 6985 (no challenge), 6A80 (form), 6982 (proof), 6A88 (CA or its signature), 6984
            (expired), 6581 (the date could not be kept), 6982 (group).
    """
    slot = rules.admit(card, "external_authenticate", command.apdu)
    visit = rules.visit(card)
    challenge, visit.challenge = visit.challenge, None
    rules.end_terminal(card)
    if challenge is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    certificate, key, proof = _read(command.apdu.data)
    if not verifies(key, proof, proof_message(challenge, slot.aid)):
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    authority = certified_by(slot, certificate)
    issued = bcd.encode_date(certificate.body.issued)
    if issued > slot.newest:
        card.commit_content(card.content_state.with_slot(slot.aid, lambda one: replace(one, newest=issued)))
    if slot.groups and certificate.body.group not in slot.groups:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    visit.terminal = frozenset(certificate.body.fields) & frozenset(authority.fields)
    card.security.shown.add(rules.TERMINAL)
    return Answer(SW.OK)


def certified_by(slot: SlotState, certificate: TerminalCertificate) -> TerminalAuthority:
    """The terminal CA of a slot that made a certificate, which is valid as far as the slot knows the day.

    A CA that is not listed and a signature that is not its own are one answer, after one verification: owners' CAs are
    public, so a certificate that anybody can make up would tell of each of them whether it is listed here.

    Raises:
        Refused: 6A88, no such CA is listed, or not its signature; 6984, expired before the newest date that the slot
            has seen, or before the certificate's own first day.
    """
    body = certificate.body
    authority = next((one for one in slot.authorities if authority_id(one.key) == body.authority), None)
    judge = body.key if authority is None else authority.key  # without a CA: for the time that it takes
    right = verifies(load_point(judge), certificate.signature, certificate.octets)
    if authority is None or not right:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    if body.expiry < body.issued or bcd.encode_date(body.expiry) < slot.newest:
        raise Refused(SW.REFERENCE_DATA_BLOCKED)
    return authority


def _read(data: bytes) -> tuple[TerminalCertificate, EllipticCurvePublicKey, bytes]:
    """Certificate, the terminal's key, proof.

    Raises:
        Refused: 6A80.
    """
    try:
        certificate, proof = decode_authentication(data)
        return certificate, load_point(certificate.body.key), proof
    except DecodeError:
        raise Refused(SW.WRONG_DATA) from None
