"""What an attacker can put into a signature itself, where no reference covers it (jpki.md §6 A-35), and what reading it
costs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from lxml import etree

from attacks.forge import certificate, verifier
from kojin_card.testing.forge_xml import C14N, ENVELOPED, EXCLUSIVE, HERE, Reference, Xml, base64_text, properties
from kojin_card.verdict import Indication
from kojin_card.verification import xml_coverage
from kojin_card.verification.xml_coverage import Cover
from kojin_card.xml_reader import CANONICAL as WAYS
from kojin_card.xml_reader import XmlUnsupportedError, canonical, read_xml

CERTIFICATE = f"<X509Certificate>{base64_text(certificate())}</X509Certificate>"
EVIL = '<氏名 xmlns="">偽　物</氏名>'
A = '<a Id="a"><pay>1000</pay></a>'


def key_info(inside_data: str = "", after: str = "") -> str:
    return f"<KeyInfo><X509Data>{CERTIFICATE}{inside_data}</X509Data>{after}</KeyInfo>"


def unsigned_property(text: str) -> Xml:
    held, reference = properties()
    held = held.replace(
        "</QualifyingProperties>", f"<UnsignedProperties>{text}</UnsignedProperties></QualifyingProperties>"
    )
    return Xml(objects=held, references=(Reference(), reference), id="S")


def beside(info: str) -> Xml:
    part = Reference("#a", A.encode(), (C14N,))
    return Xml(document=f"<r>{HERE}{A}</r>", references=(part,), key_info=info)


@pytest.mark.attack("A-35", "inside the signature: {}", "coverage.partial|coverage.wrapped")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Xml(key_info=key_info(after=EVIL)), "coverage.partial"),
        (lambda: Xml(key_info=key_info(EVIL)), "coverage.partial"),
        (lambda: Xml(key_info=key_info(after=f"<KeyName>{EVIL}</KeyName>")), "coverage.partial"),
        (lambda: unsigned_property(EVIL), "coverage.partial"),
        (lambda: unsigned_property(f"<CertificateValues>{EVIL}</CertificateValues>"), "coverage.partial"),
        (lambda: beside(key_info(after='<a xmlns=""><pay>9000</pay></a>')), "coverage.wrapped"),
        (lambda: beside(key_info('<x xmlns=""><a><pay>9000</pay></a></x>')), "coverage.wrapped"),
    ],
    ids=["key", "certificates", "key name", "property", "properties", "forged before the signed", "forged in another"],
)  # fmt: skip
def test_nothing_of_a_document_hides_in_its_signature(make: Callable[[], Xml], reason: str) -> None:
    verdict = verifier().verify_xml(make().build())
    assert verdict.reasons == (reason,)
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert not verdict.signed
    if reason == "coverage.wrapped":
        assert verifier().verify_xml(make().build(), signed_only=True).reasons == (reason,)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Xml(key_info=key_info("<X509SubjectName>CN=x</X509SubjectName>", "<KeyName>x</KeyName>")),
        lambda: unsigned_property(
            '<x:CertificateValues xmlns:x="http://uri.etsi.org/01903/v1.4.1#"></x:CertificateValues>'
        ),
    ],
    ids=["names in KeyInfo", "validation data"],
)
def test_what_belongs_into_a_signature_may_stand_there(make: Callable[[], Xml]) -> None:
    verdict = verifier().verify_xml(make().build())
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks


def test_the_default_namespace_signed_by_name_is_not_passed_over() -> None:
    """lxml knows no ``#default`` among InclusiveNamespaces: without it other octets are hashed than were signed."""
    way = WAYS[EXCLUSIVE]
    plain = read_xml(b'<p:r xmlns:p="urn:p"><p:a/></p:r>')
    assert canonical(plain, None, way, ("#default",)) == canonical(plain, None, way)
    for document in (
        b'<p:r xmlns:p="urn:p" xmlns="urn:x"><p:a/></p:r>',
        b'<r><p:a xmlns:p="urn:p" xmlns="urn:x"/></r>',
    ):
        tree = read_xml(document)
        for node in (None, tree.getroot(), tree.getroot()[0]):
            with pytest.raises(XmlUnsupportedError):
                canonical(tree, node, way, ("#default",))


def test_a_value_in_every_element_under_many_namespaces_costs_little() -> None:
    """512 namespaces in scope, 40 000 elements: looking all of them up in each took a minute for 5 MB."""

    def cost(namespaces: int) -> float:
        declared = "".join(f' xmlns:n{number}="u:{number}"' for number in range(namespaces))
        document = f'<r xmlns:a="urn:a"{declared}>{"<x>a:b</x>" * 40_000}{HERE}</r>'
        hashed = Reference(octets=b"x", transforms=(ENVELOPED, EXCLUSIVE))
        made = Xml(document=document, references=(hashed,), canonicalization=EXCLUSIVE).build()
        began = time.process_time()
        verdict = verifier().verify_xml(made)
        took = time.process_time() - began
        assert {"digest.mismatch", "coverage.partial"} <= set(verdict.reasons)
        return took

    cost(5)  # imports
    assert cost(500) < 3 * cost(5)  # each element costs the same, however many names are in scope


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ('<r xmlns:p="urn:p"><a>p:x</a></r>', ["a"]),
        ('<r xmlns:p="urn:p"><p:a>p:x</p:a></r>', []),
        ('<p:r xmlns:p="urn:p"><a>p:x</a></p:r>', []),
        ('<p:r xmlns:p="urn:p"><a xmlns:p="urn:q">p:x</a></p:r>', ["a"]),
        ('<p:r xmlns:p="urn:p"><p:a xmlns:p="urn:q"><b xmlns:p="urn:p">p:x</b></p:a><c>p:x</c></p:r>', []),
        ('<r xmlns:p="urn:p"><p:a/><b>p:x</b></r>', ["b"]),
        ('<r xmlns:p="urn:p"><a v="p:x"/><b v="q:x"/></r>', ["a"]),
        ('<r><a xmlns:p="urn:p"/><b>p:x</b></r>', ["b"]),
    ],
)  # fmt: skip
def test_a_prefix_in_a_value_is_signed_only_where_a_name_has_it(document: str, found: list[str]) -> None:
    root = etree.fromstring(f'<o xmlns:p="urn:o"><i xmlns:z="urn:z">{document}</i></o>')[0][0]
    loose = xml_coverage._Loose()
    xml_coverage._undeclared(root, Cover(root, ()), loose)
    assert [etree.QName(node).localname for node, _ in loose.others] == found


def test_a_prefix_that_only_what_stands_around_declares_is_found_too() -> None:
    root = etree.fromstring('<p:o xmlns:p="urn:o"><a>p:x</a></p:o>')[0]
    loose = xml_coverage._Loose()
    xml_coverage._undeclared(root, Cover(root, ()), loose)
    assert loose.others == [(root, "namespace()")]
