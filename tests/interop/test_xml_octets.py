"""The octets that we hash are those that xmlsec1 hashes, in documents made at random from namespaces, ``xml:``
attributes and what canonicalization changes: xmlsec1 signs with HMAC, and its digests are compared with ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kojin_card.verification.xml_signature import read_signature
from kojin_card.xml_reader import (
    C14N_10,
    C14N_11,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    XmlError,
    XmlUnsupportedError,
    by_id,
    canonical,
    identifiers,
    read_xml,
    signatures,
    without,
)
from signers import run

DOCUMENTS = 60
KEY = b"k" * 16
PREFIXES = ("a", "b", "d", "ds", "")
NAMES = ("urn:a", "urn:b", "urn:c", DS)
BETWEEN = ("", "t&amp;", "&#13;\r\n", "<!--c-->", "<?pi d  ?>", "<![CDATA[<x>]]>", "\u2028")
VALUES = ("p:q", "&lt;&quot;&apos;", " a &#9;&#10;&#13; b", "日本")
HERE = "\ue000"


@dataclass
class Maker:
    """One document, with a place for a signature and at most one element ``t``."""

    random: random.Random
    target: str | None = None
    placed: bool = False
    scope: dict[str, str] = field(default_factory=lambda: {"": ""})

    def element(self, depth: int, scope: dict[str, str]) -> str:
        pick, scope = self.random, dict(scope)
        text = ""
        for prefix in pick.sample(PREFIXES, pick.choice((0, 0, 1, 1, 2))):
            scope[prefix] = pick.choice(NAMES if prefix else (*NAMES, ""))
            text += f' xmlns{":" if prefix else ""}{prefix}="{scope[prefix]}"'
        prefix, name = pick.choice(list(scope)), pick.choice("xyz")
        used = set()
        for _ in range(pick.choice((0, 0, 1, 2))):
            own = pick.choice([*(other for other in scope if other), "", "xml"])
            attribute = pick.choice(("lang", "space", "foo") if own == "xml" else ("m", "n"))
            expanded = (scope.get(own, own) if own else "", attribute)
            if expanded not in used:
                used.add(expanded)
                value = "preserve" if attribute == "space" else pick.choice(VALUES)
                text += f' {own}{":" if own else ""}{attribute}="{value}"'
        inside = ""
        for _ in range(pick.choice((0, 1, 2, 3)) if depth < 5 else 0):
            inside += pick.choice(BETWEEN) + self.element(depth + 1, scope)
        if depth and self.target is None and pick.random() < 0.35:
            name, text = "target", f'{text} Id="t"'
            self.target = f"{scope[prefix]}:{name}" if scope[prefix] else name
        if not self.placed and pick.random() < 0.3:
            self.placed = True
            inside += HERE + pick.choice(("", "v"))
        qualified = f"{prefix}:{name}" if prefix else name
        return f"<{qualified}{text}>{inside}</{qualified}>"

    def reference(self, uri: str) -> str:
        way, inside = self.random.choice((C14N_10, C14N_11, EXCLUSIVE)), ""
        if way == EXCLUSIVE and self.random.random() < 0.5:
            listed = self.random.choice(("a b", "ds", "zz a", "#default a"))
            inside = f'<e:InclusiveNamespaces xmlns:e="{EXCLUSIVE}" PrefixList="{listed}"/>'
        return (
            f'<$Reference URI="{uri}"><$Transforms><$Transform Algorithm="{ENVELOPED}"/><$Transform Algorithm="{way}">'
            f'{inside}</$Transform></$Transforms><$DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
            "<$DigestValue>AA==</$DigestValue></$Reference>"
        )

    def document(self) -> str:
        pick = self.random
        body = self.element(0, {"": ""})
        references = self.reference("") + ("" if self.target is None else self.reference("#t"))
        prefix, more = pick.choice(("s:", "")), pick.choice(("", ' xmlns:zz="urn:a"', ' xmlns:b="urn:b"'))
        signature = (
            f'<$Signature xmlns{":s" if prefix else ""}="{DS}"{more}><$SignedInfo>'
            f'<$CanonicalizationMethod Algorithm="{pick.choice((C14N_10, C14N_11, EXCLUSIVE))}"/>'
            '<$SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>'
            f"{references}</$SignedInfo><$SignatureValue>AA==</$SignatureValue></$Signature>"
        ).replace("$", prefix)
        before, after = pick.choice(("", "<?before x?>\n", "<!--c-->")), pick.choice(("", "\n<?after?>"))
        return before + body.replace(HERE, signature) + after


def usable(document: str, maker: Maker) -> bool:
    if not maker.placed:
        return False
    try:
        return len(signatures(read_xml(document.encode()))) == 1  # xmlsec1 signs the first
    except XmlError:  # the same attribute twice, by two prefixes
        return False


@pytest.mark.foreign("xmlsec1")
def test_our_octets_are_those_of_xmlsec(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    compared = refused = seed = 0
    while compared < DOCUMENTS:
        seed += 1
        maker = Maker(random.Random(seed))  # noqa: S311  # the same documents every run
        document = maker.document()
        if not usable(document, maker):
            continue
        (tmp_path / "template.xml").write_bytes(document.encode())
        ids = () if maker.target is None else ("--id-attr:Id", maker.target)
        said = run("xmlsec1", "--sign", "--hmackey", "key", *ids, "template.xml", cwd=tmp_path)
        assert said.returncode == 0, (seed, said.stderr)
        tree = read_xml(said.stdout.encode())
        (element,) = signatures(tree)
        signature = read_signature(element)
        for reference in signature.references:
            target = None if reference.target is None else by_id(identifiers(tree), reference.target)
            around = target is None or target in element.iterancestors()
            read = without(tree, element, target) if around else (tree, target)
            try:
                octets = canonical(*read, reference.way, reference.prefixes)
            except XmlUnsupportedError:
                assert "#default" in reference.prefixes
                refused += 1
                continue
            assert hashlib.sha256(octets).digest() == reference.digest, seed
        info = canonical(tree, signature.signed_info, signature.way, signature.prefixes)
        value = re.search("SignatureValue>([^<]+)<", said.stdout)
        assert value is not None
        assert hmac.new(KEY, info, "sha256").digest() == base64.b64decode(value[1]), seed
        compared += 1
    assert 0 < refused < compared
