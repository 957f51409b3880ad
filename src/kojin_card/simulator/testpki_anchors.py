"""The CAs of the test PKI as trust anchors, in the format of ``pki/data/trust/production.toml``."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from kojin_card.pki.profile import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kojin_card.simulator.testpki import TestCa


def anchors_toml(cas: Iterable[TestCa]) -> str:
    """The text of ``simulator-anchors.toml``."""
    lines = [
        '# The CAs of the test PKI as trust anchors of the store "simulator", never another: keys are public.\n'
        "# Made by tools/make_key_pool.py anchors from simulator.toml and keys.toml; a test compares.\n"
    ]
    for ca in cas:
        parsed = x509.load_der_x509_certificate(ca.certificate)
        spki = parsed.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        ski = x509.SubjectKeyIdentifier.from_public_key(ca.key.public_key()).digest
        lines.append(
            f'\n[[anchor]]\nname = "{ca.label}"\npurpose = "{ca.purpose}"\nhierarchy = "{Store.SIMULATOR}"\n'
            f'generation = {ca.generation}\nsubject = "{ca.subject.rfc4514_string()}"\n'
            f'subject_der = "{ca.subject.public_bytes().hex()}"\nserial = "{ca.serial:X}"\n'
            f"not_before = {ca.not_before:%Y-%m-%dT%H:%M:%SZ}\nnot_after = {ca.not_after:%Y-%m-%dT%H:%M:%SZ}\n"
            f'subject_key_identifier = "{ski.hex()}"\n'
            f'sha256 = "{hashlib.sha256(ca.certificate).hexdigest()}"\n'
            f'spki = "{base64.b64encode(spki).decode()}"\n'
        )
    return "".join(lines)
