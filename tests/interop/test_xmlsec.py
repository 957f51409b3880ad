"""xmlsec1, signxml and the standard library judge the XML that we sign, and we judge what they sign.

The order of transforms in the J-LIS client's template is one that xmlsec1 refuses to compute (an enveloped-signature
transform wants nodes of the same document, not octets); it is judged by expat's Canonical XML and openssl.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import canonicalize

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import SignatureReference, XMLSigner
from signxml.xades.xades import XAdESSigner

from attacks.forge import verifier
from issued import NOW
from kojin_card import Card
from kojin_card.errors import InputError, UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.signing import XmlForm, check_xml, sign_xml
from kojin_card.simulator import SoftCard, make_card
from kojin_card.verdict import Indication, Verdict
from signers import make_signer, run

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet href="x.xsl"?><!-- a comment -->
<申請 xml:lang="ja" xmlns="urn:example:shinsei" xmlns:a="urn:example:a" xmlns:unused="urn:example:unused">
  <氏名 a:種別="漢字">架空　花子 &amp; 吉&#x20BB7;</氏名><![CDATA[<&>]]>
  <a:額 通貨='円'
     b="&#9;x&#10;">1000</a:額><x xmlns=""><y/></x>\r\n</申請>
"""
PLAIN = "<申請><氏名>架空　花子</氏名><金額>1000</金額></申請>"
EGOV = """<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet href="1.xsl" type="text/xsl"?>
<DataRoot>
<様式ID>1</様式ID><様式バージョン>1</様式バージョン><STYLESHEET>1.xsl</STYLESHEET>
<ApplData Id="ApplData"><金額>1000</金額></ApplData>
<署名情報/></DataRoot>"""
ATTACHED = {"添付 書類.txt": b"one", "b.xml": b"<b/>"}
LATER = NOW + timedelta(minutes=1)


def judge(document: bytes, **options: object) -> Verdict:
    return verifier(now=LATER).verify_xml(document, **options)  # type: ignore[arg-type]


def signed(form: XmlForm, document: str = DOCUMENT) -> bytes:
    return sign_xml(make_signer(), document.encode(), form=form, now=NOW)


@cache
def pems() -> tuple[bytes, bytes]:
    """The invented person's key and certificate."""
    numbers = make_signer().private
    assert isinstance(numbers, RSAPrivateNumbers)
    private = numbers.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, x509.load_der_x509_certificate(make_signer().certificate).public_bytes(Encoding.PEM)


def xmlsec(folder: Path, document: bytes, *ids: str) -> bool:
    """Whether xmlsec1 takes the signature, by the certificate's key (it knows nothing of our trust store)."""
    (folder / "signed.xml").write_bytes(document)
    (folder / "leaf.pem").write_bytes(pems()[1])
    said = run(
        "xmlsec1", "--verify", "--pubkey-cert-pem", "leaf.pem", "--enabled-key-data", "rsa,x509",
        *(word for name in ids for word in ("--id-attr:Id", name)), "signed.xml", cwd=folder,
    )  # fmt: skip
    return said.returncode == 0


PROPERTIES = "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"


# --- ours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [DOCUMENT, PLAIN])
@pytest.mark.parametrize("form", [XmlForm.ENVELOPED, XmlForm.XADES, XmlForm.JLIS])
def test_what_we_sign_passes(form: XmlForm, document: str) -> None:
    verdict = judge(signed(form, document))
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks
    expected = canonicalize(document.split("?>")[-1].split("-->")[-1]) if document is PLAIN else None
    assert verdict.signed[0].kind == "document"
    if expected is not None:
        assert verdict.signed[0].octets == expected.encode()
    assert "架空" not in repr(verdict)


@pytest.mark.foreign("xmlsec1")
@pytest.mark.parametrize("document", [DOCUMENT, PLAIN])
@pytest.mark.parametrize("form", [XmlForm.ENVELOPED, XmlForm.XADES])
def test_xmlsec_agrees(tmp_path: Path, form: XmlForm, document: str) -> None:
    made = signed(form, document)
    assert xmlsec(tmp_path, made, PROPERTIES)
    changed = made.replace(b"1000", b"9000")
    assert not xmlsec(tmp_path, changed, PROPERTIES)
    assert judge(changed).reasons == ("digest.mismatch",)


@pytest.mark.foreign("xmlsec1")
def test_xmlsec_agrees_on_the_element_of_egov(tmp_path: Path) -> None:
    made = sign_xml(make_signer(), EGOV.encode(), form=XmlForm.EGOV)
    assert xmlsec(tmp_path, made, "ApplData")
    assert judge(made).indication is Indication.TOTAL_PASSED


def test_egov_with_attachments() -> None:
    made = sign_xml(make_signer(), EGOV.encode(), form=XmlForm.EGOV, attachments=ATTACHED)
    verdict = judge(made, attachments=ATTACHED)
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks
    assert [one.kind for one in verdict.signed] == ["element", "attachment", "attachment"]
    assert [one.octets for one in verdict.signed[1:]] == list(ATTACHED.values())
    assert "unsigned" in verdict.check("coverage").evidence  # type: ignore[arg-type]
    assert judge(made).reasons == ("coverage.content_missing",)
    changed = made.replace("<様式ID>1".encode(), "<様式ID>2".encode())
    assert judge(changed, attachments=ATTACHED).signed == verdict.signed  # stated as unsigned, and not handed out


@pytest.mark.foreign("openssl")
def test_openssl_and_expat_agree_on_the_jlis_template(tmp_path: Path) -> None:
    """Canonical XML 2.0 of the standard library is Canonical XML 1.0 where no namespace is unused."""
    made = signed(XmlForm.JLIS, PLAIN).decode()
    assert '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="Signature">' in made
    assert '<Reference URI="" Id="構成管理の署名">' in made
    assert made.index("REC-xml-c14n-20010315", made.index("<Transforms>")) < made.index("enveloped-signature")
    ((signature,), (info,)) = (re.findall(f"<{name}.*</{name}>", made, re.S) for name in ("Signature", "SignedInfo"))
    octets = canonicalize(info.replace("<SignedInfo>", '<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">'))
    value = base64.b64decode(re.findall("<SignatureValue>(.*)</SignatureValue>", made)[0])
    body = canonicalize(made.replace(signature, "").partition("?>")[2].strip())
    assert base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() in info
    (tmp_path / "octets").write_bytes(octets.encode())
    (tmp_path / "value").write_bytes(value)
    public = x509.load_pem_x509_certificate(pems()[1]).public_key()
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    said = run("openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "value", "octets", cwd=tmp_path)
    assert said.returncode == 0, said.stderr


def test_both_orders_of_transforms_give_the_same_octets() -> None:
    """jpki.md §5: canonical first, then the signature taken out of what was read again, then canonical as it is."""
    made = signed(XmlForm.JLIS)
    first = etree.fromstring(etree.tostring(etree.fromstring(made).getroottree(), method="c14n", with_comments=False))
    signature = first.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    before = signature.getprevious()
    before.tail = (before.tail or "") + (signature.tail or "")
    first.remove(signature)
    again = etree.tostring(first.getroottree(), method="c14n", with_comments=False)
    assert again == judge(made).signed[0].octets


def test_the_next_card_signs_with_r_and_s() -> None:
    document = '<r><p a="1">x</p></r>'
    card = Card(SoftCard.in_memory(make_card("next_card", now=NOW - timedelta(days=1))), ours=True)
    signer = card.jpki.signer("NEXT2028")
    for form in (XmlForm.ENVELOPED, XmlForm.XADES, XmlForm.JLIS):
        made = sign_xml(signer, document.encode(), form=form, now=NOW)
        verdict = judge(made)
        assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks
        assert b"ecdsa-sha384" in made
        value = base64.b64decode(re.findall(b"<SignatureValue>(.*)</SignatureValue>", made)[0])
        assert len(value) == 96  # r and s, no DER


# --- theirs -----------------------------------------------------------------------------------------------------------


TEMPLATE = """<申請 xmlns="urn:example:x" xml:lang="ja"><金額>1000</金額><Signature xmlns="http://www.w3.org/2000/09/xmldsig#">
<SignedInfo><CanonicalizationMethod Algorithm="{way}"/>
<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<Reference URI=""><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
<Transform Algorithm="{way}"/></Transforms><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/>
<DigestValue/></Reference></SignedInfo><SignatureValue/><KeyInfo><X509Data/></KeyInfo></Signature></申請>"""


@pytest.mark.foreign("xmlsec1")
@pytest.mark.parametrize("way", [way.value for way in CanonicalizationMethod if "Comments" not in way.value])
def test_what_xmlsec_signs_passes(tmp_path: Path, way: str) -> None:
    (tmp_path / "key.pem").write_bytes(pems()[0])
    (tmp_path / "leaf.pem").write_bytes(pems()[1])
    (tmp_path / "template.xml").write_text(TEMPLATE.format(way=way), encoding="utf-8")
    said = run("xmlsec1", "--sign", "--privkey-pem", "key.pem,leaf.pem", "template.xml", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    verdict = judge(said.stdout.encode())
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks
    assert judge(said.stdout.replace("1000", "9000").encode()).reasons == ("digest.mismatch",)


@pytest.mark.foreign("xmlsec1")
def test_prefixes_stay_as_they_were_signed(tmp_path: Path) -> None:
    """lxml renames prefixes in what is taken out of a tree and put back, when its parents know the namespace too."""
    document = (
        TEMPLATE.format(way=C14N)
        .replace("<申請 ", '<申請 xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:b="urn:example:b" ')
        .replace("<SignedInfo>", '<SignedInfo xmlns:c="urn:example:b">')
    )
    (tmp_path / "key.pem").write_bytes(pems()[0])
    (tmp_path / "leaf.pem").write_bytes(pems()[1])
    (tmp_path / "template.xml").write_text(document, encoding="utf-8")
    said = run("xmlsec1", "--sign", "--privkey-pem", "key.pem,leaf.pem", "template.xml", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    verdict = judge(said.stdout.encode())
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks


@pytest.mark.parametrize("way", [way for way in CanonicalizationMethod if "Comments" not in way.value])
def test_what_signxml_signs_passes(way: CanonicalizationMethod) -> None:
    private, certificate = pems()
    root = etree.fromstring('<r><p Id="p">x</p></r>')
    options: dict[str, Any] = {"key": private, "cert": certificate.decode()}
    whole = etree.tostring(XMLSigner(c14n_algorithm=way).sign(root, **options))
    assert judge(whole).indication is Indication.TOTAL_PASSED, judge(whole).checks
    part = XMLSigner(c14n_algorithm=way).sign(root, reference_uri=[SignatureReference(URI="#p")], **options)
    verdict = judge(etree.tostring(part))
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks
    assert verdict.signed[0].octets == b'<p Id="p">x</p>'


def test_xades_of_signxml_passes() -> None:
    """It signs its KeyInfo as well, and puts the bare key beside the certificate."""
    private, certificate = pems()
    signer = XAdESSigner(c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0)
    signer.signed_signature_properties_annotators[0] = signing_time
    made = signer.sign(etree.fromstring("<r><p>x</p></r>"), key=private, cert=certificate.decode())
    verdict = judge(etree.tostring(made))
    assert verdict.indication is Indication.TOTAL_PASSED, verdict.checks
    assert [one.kind for one in verdict.signed] == ["document", "properties", "element"]


def signing_time(signed_signature_properties: Any, sig_root: Any, signing_settings: Any) -> None:
    """In place of signxml's own, which is the time of this machine."""
    written = etree.SubElement(signed_signature_properties, "{http://uri.etsi.org/01903/v1.3.2#}SigningTime")
    written.text = NOW.isoformat()


# --- refused before the card is asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "form", "words"),
    [
        ("<r", XmlForm.ENVELOPED, "not well-formed XML"),
        ("<!DOCTYPE r><r/>", XmlForm.ENVELOPED, "a document type"),
        ("<DataRoot/>", XmlForm.EGOV, "a reference to an Id that is not there"),
        ('<DataRoot><a Id="ApplData"/><b id="ApplData"/></DataRoot>', XmlForm.EGOV, "an Id that stands twice"),
        ('<DataRoot Id="ApplData"/>', XmlForm.EGOV, "the element to sign is not a child of the root"),
        ('<r Id="Signature"/>', XmlForm.JLIS, "an Id of the signature stands in the document already"),
    ],
)
def test_what_cannot_be_signed(document: str, form: XmlForm, words: str) -> None:
    signer = make_signer()
    with pytest.raises(InputError, match=words):
        sign_xml(signer, document.encode(), form=form)
    with pytest.raises(InputError, match=words):
        check_xml(document.encode(), form=form)
    assert not signer.asked


def test_a_signed_document_is_not_signed_over() -> None:
    with pytest.raises(InputError, match="signed already"):
        check_xml(signed(XmlForm.ENVELOPED))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "c:x", "a?b", "a#b", "a%20b", "a+b", " a", "a\n"])
def test_attachments_have_plain_names(name: str) -> None:
    with pytest.raises(UsageError, match="plain file name"):
        check_xml(EGOV.encode(), form=XmlForm.EGOV, attachments={name: b""})
    with pytest.raises(UsageError, match="no attachments"):
        check_xml(EGOV.encode(), attachments={"a": b""})


def test_documents_are_signed_with_the_signature_certificate() -> None:
    with pytest.raises(UsageError, match="署名用電子証明書"):
        sign_xml(make_signer(Purpose.AUTHENTICATION), b"<r/>")
