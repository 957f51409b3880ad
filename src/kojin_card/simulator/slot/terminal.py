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

    Which CAs are listed would tell a passer-by, who knows the published keys of owners, whose slot this is. So whoever
    does not hold the key of a certificate that is good here gets one word and costs the card the same two
    verifications, whatever the reason; that a certificate has run out is told to the holder of its key only.

    The date of a certificate that has not run out counts when its CA's signature and the proof are right, also of a
    terminal of a foreign group. Without the proof whoever plays back a certificate, which passes in clear, would make
    the card write when its CA is listed here, and a write takes time.

    Raises:
        Refused: in this order: 6985 (no challenge), 6A80 (form), 6581 (the date could not be kept), 6982 (CA,
            signature, group, proof), 6984 (expired: before the newest date seen, or before its own first day).
    """
    slot = rules.admit(card, "external_authenticate", command.apdu)
    visit = rules.visit(card)
    challenge, visit.challenge = visit.challenge, None
    rules.end_terminal(card)
    if challenge is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    certificate, key, proof = _read(command.apdu.data)
    body = certificate.body
    authority = certified_by(slot, certificate)
    proved = verifies(key, proof, proof_message(challenge, slot.aid))
    issued, expiry = bcd.encode_date(body.issued), bcd.encode_date(body.expiry)
    expired = expiry < max(issued, slot.newest)
    if authority is not None and proved and not expired and issued > slot.newest:
        card.commit_content(card.content_state.with_slot(slot.aid, lambda one: replace(one, newest=issued)))
    if authority is None or (slot.groups and body.group not in slot.groups) or not proved:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    if expired:
        raise Refused(SW.REFERENCE_DATA_BLOCKED)
    visit.terminal = frozenset(body.fields) & frozenset(authority.fields)
    card.security.shown.add(rules.TERMINAL)
    return Answer(SW.OK)


def certified_by(slot: SlotState, certificate: TerminalCertificate) -> TerminalAuthority | None:
    """The terminal CA of a slot that made a certificate; None when none that is listed did."""
    body = certificate.body
    authority = next((one for one in slot.authorities if authority_id(one.key) == body.authority), None)
    signer = load_point(body.key if authority is None else authority.key)  # as much work for one as for the other
    return authority if verifies(signer, certificate.signature, certificate.octets) else None


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
