"""The specs load strictly: each fault names its file and its table."""

from __future__ import annotations

import pytest

from kojin_card.errors import SpecError
from kojin_card.spec import Access, EvidenceLevel, KeyKind, Privacy, Structure, load_application, load_card_spec

GOOD = """
schema = 1
[application]
id = "demo"
aid = "F04B4F4A494E"
name_en = "Demo"
name_ja = "見本"
default_key = "signer"
evidence = "assumption"
source = "made for this test"
[[key]]
id = "pin"
file_id = "0011"
kind = "pin"
name_en = "PIN"
name_ja = "暗証番号"
secret = "pin"
format = { charset = "digits", length = [4, 4] }
tries = { count = 3, evidence = "public", source = "x" }
change = { command = "change_key", after = "key:pin", evidence = "public", source = "x" }
evidence = "public"
source = "x"
[[key]]
id = "signer"
file_id = "0012"
kind = "private_key"
name_en = "Key"
name_ja = "鍵"
use = "key:pin"
schemes = ["raw"]
evidence = "public"
source = "x"
[[scheme]]
id = "raw"
p1 = "00"
hashes = false
wrap = "none"
input = [1, 245]
evidence = "public"
source = "x"
[[file]]
id = "data"
file_id = "0001"
structure = "transparent"
name_en = "Data"
name_ja = "データ"
read = "key:pin"
layout = "data"
evidence = "public"
source = "x"
[[digest]]
id = "d"
file = "data"
field = "digest"
algorithm = "sha256"
of_file = "data"
part = "after"
after = "name"
evidence = "public"
source = "x"
[[signature]]
id = "s"
file = "data"
field = "signature"
scheme = "rsa_pkcs1_sha256"
covers = [["name"], ["digest"]]
signer = "ca"
evidence = "public"
source = "x"
[[layout]]
id = "data"
encoding = "ber_tlv"
evidence = "public"
source = "x"
fields = [
  { tag = "DF22", name = "name", type = "utf8" },
  { tag = "DF23", name = "digest", type = "bytes", length = 32 },
  { tag = "DF24", name = "signature", type = "bytes", length = 256 },
]
"""


def test_the_good_one_is_good() -> None:
    application = load_application(GOOD, "demo.toml")
    assert application.keys["signer"].use == Access((frozenset({"key:pin"}),))
    assert application.files["data"].privacy is Privacy.PERSONAL  # omitted: closed
    assert application.signatures["s"].covers == (("name",), ("digest",))


FAULTS = {
    "not TOML": ("schema = 1", "schema = = 1", ""),
    "another schema": ("schema = 1", "schema = 2", ""),
    "unknown key": ('structure = "transparent"', 'structure = "transparent"\ncolour = "red"', "file[data]"),
    "unknown table": ("[[scheme]]", "[[schemes]]", ""),
    "missing evidence": ('layout = "data"\nevidence = "public"\n', 'layout = "data"\n', "file[data]"),
    "empty source": ('id = "demo"', 'id = "demo"\nnote = "n"', None),
    "evidence of no level": (
        'layout = "data"\nevidence = "public"',
        'layout = "data"\nevidence = "sure"',
        "file[data]",
    ),
    "unquoted number": ('file_id = "0001"', "file_id = 1", "file[data]"),
    "id of three bytes": ('file_id = "0001"', 'file_id = "000102"', "file[data]"),
    "no hex": ('file_id = "0001"', 'file_id = "00ZZ"', "file[data]"),
    "two files share an id": ('file_id = "0001"', 'file_id = "0011"', "application"),
    "a rule with an unknown key": ('read = "key:pin"', 'read = "key:nip"', "application"),
    "a rule with a key that is never verified": ('read = "key:pin"', 'read = "key:signer"', "application"),
    "a rule of no grammar": ('read = "key:pin"', 'read = "pin or nothing"', "file[data]"),
    "a role that does not exist": ('read = "key:pin"', 'read = "role:god"', "file[data]"),
    "no such layout": ('layout = "data"', 'layout = "date"', "file[data]"),
    "unknown scheme": ('schemes = ["raw"]', 'schemes = ["row"]', "application"),
    "unknown default key": ('default_key = "signer"', 'default_key = "nobody"', "application"),
    "unknown kind": ('kind = "private_key"', 'kind = "privat"', "key[signer]"),
    "sixteen tries": ("count = 3", "count = 16", "key[pin].tries"),
    "a bool for a number": ("count = 3", "count = true", "key[pin].tries"),
    "no format": ('format = { charset = "digits", length = [4, 4] }\n', "", "key[pin]"),
    "unknown charset": ('charset = "digits"', 'charset = "kana"', "key[pin].format"),
    "length upside down": ("length = [4, 4] }", "length = [6, 4] }", "key[pin].format"),
    "digest of no field": ('field = "digest"', 'field = "digits"', "digest[d]"),
    "signature over no field": ('covers = [["name"], ["digest"]]', 'covers = [["nam"]]', "signature[s]"),
    "signature over nothing": ('covers = [["name"], ["digest"]]', "covers = []", "signature[s]"),
    "signature over nothing, inside": ('covers = [["name"], ["digest"]]', "covers = [[]]", "signature[s]"),
    "signer nobody": ('signer = "ca"', 'signer = "file:nobody"', "signature[s]"),
    "field without a tag": ('tag = "DF22", ', "", "layout[data].fields[name]"),
    "tag that does not end": ('tag = "DF22"', 'tag = "DF"', "layout[data].fields[name]"),
    "two tags alike": ('tag = "DF23"', 'tag = "DF22"', "layout[data]"),
    "two names alike": ('name = "digest"', 'name = "name"', "layout[data]"),
    "field without a name": ('name = "name", ', "", "layout[data].fields[0]"),
    "unknown type": ('type = "utf8"', 'type = "utf16"', "layout[data].fields[name]"),
    "no encoding": ('encoding = "ber_tlv"', "", "layout[data]"),
    "application twice": ('[[key]]\nid = "signer"', '[[key]]\nid = "pin"', "key[pin]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_refused_by_name(fault: str) -> None:
    old, new, table = FAULTS[fault]
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    if table is None:  # the control: this edit is no fault
        assert load_application(text, "demo.toml").evidence.note == "n"
        return
    with pytest.raises(SpecError) as caught:
        load_application(text, "demo.toml")
    assert caught.value.details["file"] == "demo.toml"
    assert caught.value.details["table"] == table


def test_two_applications_may_not_share_an_aid(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "a.toml").write_text(GOOD, "utf-8")
    (folder / "b.toml").write_text(GOOD.replace('id = "demo"', 'id = "other"'), "utf-8")
    with pytest.raises(SpecError, match="AID stands twice"):
        load_card_spec(folder)


# Typed from card.md §1 to §3, not from the specs.
AIDS = {
    "common": "D3921000310001010100",
    "input_support": "D3921000310001010408",
    "jpki": "D392F000260100000001",
}
EXPECTED_EFS = {
    "common": "0001 0002 0019 001C",
    "input_support": "0001 0002 0003 0004 0005 0006 0007 0008 0010 0011 0012 0013 0014 0015 001C 001E",
    "jpki": "0001 0002 0005 0006 0008 0009 000A 000B 0010 0016 0017 0018 0019 001A 001B 001C 001E",
}
EXPECTED_SECRETS = {
    ("jpki", "001B"): (6, 16, 5),
    ("jpki", "0018"): (4, 4, 3),
    ("input_support", "0011"): (4, 4, 3),
    ("input_support", "0014"): (12, 12, 10),
    ("input_support", "0015"): (14, 14, 10),
    ("common", "001C"): (4, 4, 3),
}


def test_the_specs_hold_every_file_and_key_of_the_facts() -> None:
    spec = load_card_spec()
    for name, aid in AIDS.items():
        assert spec[name].aid == bytes.fromhex(aid)
        listed = sorted(ef.file_id.hex().upper() for ef in spec[name].elementary_files)
        assert listed == EXPECTED_EFS[name].split()
    assert spec.by_aid(bytes.fromhex(AIDS["jpki"])) is spec["jpki"]
    assert spec.by_aid(b"\xd3\x92") is None


def test_every_secret_has_the_form_and_tries_of_the_facts() -> None:
    spec = load_card_spec()
    found = {}
    for name in AIDS:
        for key in spec[name].keys.values():
            if key.kind is KeyKind.PIN:
                assert key.format is not None
                assert key.tries is not None
                found[name, key.file_id.hex().upper()] = (key.format.minimum, key.format.maximum, key.tries.count)
    assert found == EXPECTED_SECRETS
    assert spec["input_support"].keys["code_a"].tries is not None
    assert spec["input_support"].keys["code_a"].tries.evidence.level is EvidenceLevel.ASSUMPTION


def test_what_is_unknown_is_closed() -> None:
    for application in load_card_spec().applications.values():
        for file in application.files.values():
            if file.structure is Structure.UNKNOWN:
                assert not file.read.allows({f"key:{key}" for key in application.keys})


@pytest.mark.parametrize(
    ("rule", "shown", "allowed"),
    [
        ("always", set(), True),
        ("never", {"key:pin"}, False),
        ("key:pin", set(), False),
        ("key:pin", {"key:pin"}, True),
        ("key:pin | key:code_b", {"key:code_b"}, True),
        ("key:pin & role:terminal", {"key:pin"}, False),
        ("key:pin & role:terminal | role:owner", {"role:owner"}, True),
        ("key:pin & role:terminal", {"key:pin", "role:terminal"}, True),
    ],
)
def test_access_is_decided_in_one_place(rule: str, shown: set[str], allowed: bool) -> None:
    assert Access.parse(rule).allows(shown) is allowed
    assert Access.parse(str(Access.parse(rule))) == Access.parse(rule)


def test_no_rule_is_never() -> None:
    assert not Access().allows({"key:pin", "role:owner", "always"})
