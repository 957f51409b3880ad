"""A second opinion on an XML signature: signxml checks signature and digests with the certificate that was chosen here.

What was decided before is not asked again: which signature, which certificate, what each reference means. signxml's
chain check is not used (the trust store and its path are ours), nor its choice of a key from KeyInfo.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import signxml.processor
from cryptography import x509
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from kojin_card.xml_reader import DIGESTS, ECDSA_SHA384, RSA_SHA256, alone, at_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kojin_card.pki.certificate import Certificate

#: what one reference means: the places of children from the root down, or the octets of an attachment
Meaning = tuple[int, ...] | bytes

_asking: ContextVar[bool] = ContextVar("kojin_card_asking_signxml", default=False)


def _outside(_: logging.LogRecord) -> bool:
    return not _asking.get()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what signxml logs inside this block: at level DEBUG it quotes the document."""
    signxml.processor.logger.addFilter(_outside)  # the same filter is never added twice
    token = _asking.set(True)
    try:
        yield
    finally:
        _asking.reset(token)


class _Told(XMLVerifier):
    """signxml's verifier, told where everything is."""

    def __init__(self, signature: tuple[int, ...], meanings: Sequence[Meaning]) -> None:
        super().__init__()
        self._signature, self._meanings, self._next = signature, meanings, 0

    def _tostring(self, xml_node: Any, **_: Any) -> bytes:
        """UTF-8 and nothing after the element: signxml would write ASCII, in which 申請 cannot be an element's name."""
        return bytes(etree.tostring(xml_node, encoding="UTF-8", with_tail=False))

    def _c14n(self, nodes: Any, algorithm: Any, inclusive_ns_prefixes: Any = None) -> bytes:
        """Of an element as a document of its own: see :func:`~kojin_card.xml_reader.alone`."""
        return bytes(super()._c14n(alone(nodes).getroot(), algorithm, inclusive_ns_prefixes))

    def _get_signature(self, root: Any) -> Any:
        return at_place(root, self._signature)

    def _resolve_reference(self, doc_root: Any, reference: Any, uri_resolver: Any = None) -> Any:  # noqa: ARG002
        meaning = self._meanings[self._next]
        self._next += 1
        return meaning if isinstance(meaning, bytes) else at_place(doc_root, meaning)


def signed_octets(
    data: bytes, signature: tuple[int, ...], meanings: Sequence[Meaning], certificate: Certificate
) -> list[bytes] | None:
    """The octets that signxml found signed, one a reference; None when it does not agree that they are."""
    configuration = SignatureConfiguration(
        require_x509=True,
        expect_references=True,
        signature_methods=frozenset(SignatureMethod(uri) for uri in (RSA_SHA256, ECDSA_SHA384)),
        digest_algorithms=frozenset(DigestAlgorithm(uri) for uri in DIGESTS),
        verification_time=certificate.not_before,  # dates are judged elsewhere
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    with _quiet():
        try:
            found = _Told(signature, meanings).verify(
                data,
                x509_cert=x509.load_der_x509_certificate(certificate.der),
                expect_config=configuration,
                validate_schema=False,
            )
        except Exception:  # whatever it raises on a hostile document, it did not agree
            return None
    results = found if isinstance(found, list) else [found]
    return [result.signed_data for result in results]
