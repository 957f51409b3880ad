"""The specs load strictly: each fault names its file and its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from kojin_card.errors import SpecError, UsageError
from kojin_card.resources import data_root
from kojin_card.spec import (
    Access,
    ChangeCommand,
    EvidenceLevel,
    KeyKind,
    Privacy,
    Structure,
    load_application,
    load_card_spec,
)
from kojin_card.spec.strict import parse_toml

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
[secure_messaging]
key_file = "key"
after = "key:pin"
evidence = "public"
source = "x"
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
[[object]]
id = "expiry"
tag = "00F2"
name_en = "Expiry"
name_ja = "有効期限"
read = "key:pin"
layout = "expiry"
long = true
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
[[layout]]
id = "expiry"
encoding = "fixed"
evidence = "public"
source = "x"
fields = [{ name = "expiry", type = "date" }]
[[file]]
id = "key"
file_id = "0002"
structure = "transparent"
name_en = "Key"
name_ja = "鍵"
layout = "key"
evidence = "public"
source = "x"
[[layout]]
id = "key"
encoding = "fixed"
evidence = "public"
source = "x"
fields = [{ name = "exponent", type = "bytes", length = 3 }, { name = "modulus", type = "bytes", length = 256 }]
"""


def test_the_good_one_is_good() -> None:
    application = load_application(GOOD, "demo.toml")
    assert application.keys["signer"].use == Access((frozenset({"key:pin"}),))
    assert application.files["data"].privacy is Privacy.PERSONAL  # omitted: closed
    assert application.signatures["s"].covers == (("name",), ("digest",))
    assert (application.power_on, application.order) == (False, 100)
    assert not application.keys["signer"].internal_authentication


def test_a_data_object_says_what_get_data_returns() -> None:
    application = load_application(GOOD, "demo.toml")
    found = application.by_tag(b"\x00\xf2")
    assert found is application.objects["expiry"]
    assert (found.long, found.optional, found.everywhere, found.size) == (True, False, False, None)
    assert found.privacy is Privacy.PERSONAL  # omitted: closed, as the rule
    assert found.read == Access((frozenset({"key:pin"}),))
    assert application.layout_of_object("expiry") is application.layouts["expiry"]
    assert application.by_tag(b"\x00\xf3") is None
    closed = load_application(GOOD.replace('read = "key:pin"\nlayout = "expiry"', ""), "demo.toml")
    assert not closed.objects["expiry"].read.allows({"key:pin"})
    assert closed.layout_of_object("expiry") is None


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
    "object without a tag": ('tag = "00F2"\n', "", "object[expiry]"),
    "tag of one byte": ('tag = "00F2"', 'tag = "F2"', "object[expiry]"),
    "tag of three bytes": ('tag = "00F2"', 'tag = "DF8101"', "object[expiry]"),
    "object of no layout": ('layout = "expiry"', 'layout = "expires"', "object[expiry]"),
    "object without evidence": ('long = true\nevidence = "public"\n', "long = true\n", "object[expiry]"),
    "a number for a flag": ("long = true", "long = 1", "object[expiry]"),
    "object behind a key, everywhere": ("long = true", "everywhere = true", "object[expiry]"),
    "object with a structure": ("long = true", 'structure = "transparent"', "object[expiry]"),
    "object of no bytes": ("long = true", "size = 0", "object[expiry]"),
    "object with a rule of no key": ('read = "key:pin"\nlayout = "expiry"', 'read = "key:nip"', "application"),
    "object and file share an id": ('[[object]]\nid = "expiry"', '[[object]]\nid = "data"', "application"),
    "key delivery for no file": ('key_file = "key"', 'key_file = "kex"', "secure_messaging"),
    "key delivery for a file that is no key": ('key_file = "key"', 'key_file = "data"', "secure_messaging"),
    "key delivery without evidence": ('key_file = "key"', 'evidense = "public"', "secure_messaging"),
    "key delivery to anyone": ('after = "key:pin"\nevidence', 'after = "always"\nevidence', "secure_messaging"),
    "key delivery to nobody": ('after = "key:pin"\nevidence', "evidence", "secure_messaging"),
    "key delivery after an unknown key": ('after = "key:pin"\nevidence', 'after = "key:nip"\nevidence', "application"),
    "key delivery taken and refused": ('key_file = "key"', 'key_file = "key"\nrefused = "66F1"', "secure_messaging"),
    "a refusal after something": ('key_file = "key"', 'refused = "66F1"', "secure_messaging"),
    "a refusal in one byte": ('key_file = "key"\nafter = "key:pin"', 'refused = "66"', "secure_messaging"),
    "order in words": ('default_key = "signer"', 'default_key = "signer"\norder = "first"', "application"),
    "power-on in words": ('default_key = "signer"', 'default_key = "signer"\npower_on = "yes"', "application"),
    "a pin that authenticates": ('secret = "pin"', 'secret = "pin"\ninternal_authentication = true', "key[pin]"),
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


def test_two_objects_may_not_share_a_tag() -> None:
    start = GOOD.index("[[object]]")
    again = GOOD[start : GOOD.index("[[digest]]")].replace('id = "expiry"', 'id = "other"')
    with pytest.raises(SpecError, match="share a tag"):
        load_application(GOOD + again, "demo.toml")


def test_applications_stand_in_their_order_and_one_is_current_at_power_on(tmp_path: Path) -> None:
    def write(name: str, aid: str, line: str) -> None:
        text = GOOD.replace('id = "demo"', f'id = "{name}"').replace("F04B4F4A494E", aid)
        (tmp_path / f"{name}.toml").write_text(text.replace("default_key", f"{line}\ndefault_key", 1), "utf-8")

    write("a", "F000000001", "order = 30")
    write("b", "F000000002", "order = 10\npower_on = true")
    write("c", "F000000003", "")
    spec = load_card_spec(tmp_path)
    assert list(spec.applications) == ["b", "a", "c"]
    assert spec.power_on is spec["b"]
    write("c", "F000000003", "power_on = true")
    with pytest.raises(SpecError, match="power-on"):
        load_card_spec(tmp_path)


# Typed from card.md §1 to §3, not from the specs.
AIDS = {
    "common": "D3921000310001010100",
    "input_support": "D3921000310001010408",
    "jpki": "D392F000260100000001",
    "card_face": "D3921000310001010402",
    "juki": "D3921000310001010401",
    "card_manager": "A0000001510000",
    "licence": "A0000002310600000000000000000000",
}
EXPECTED_EFS = {
    "common": "0001 0002 0019 001C",
    "input_support": "0001 0002 0003 0004 0005 0006 0007 0008 0010 0011 0012 0013 0014 0015 001C 001E",
    "card_face": "0001 0002 0003 0004 0005 0006 0011 0012 0013 0014 0015 001A 001C 001E",
    "juki": "0002 001C",
    "card_manager": "001E",
    "licence": "0006 001A 001B 001C",
    "jpki": "0001 0002 0005 0006 0008 0009 000A 000B 0010 0016 0017 0018 0019 001A 001B 001C 001E",
}
EXPECTED_SECRETS = {
    ("licence", "0006"): (4, 4, 10),
    ("jpki", "001B"): (6, 16, 5),
    ("jpki", "0018"): (4, 4, 3),
    ("input_support", "0011"): (4, 4, 3),
    ("input_support", "0014"): (12, 12, 10),
    ("input_support", "0015"): (14, 14, 10),
    ("common", "001C"): (4, 4, 3),
    ("juki", "001C"): (4, 4, 3),
    ("card_face", "0011"): (6, 6, None),
    ("card_face", "0012"): (14, 14, 10),
    ("card_face", "0013"): (12, 12, 10),
}
# tag: name, bytes, whether a short Le answers 6700, whether some cards lack it, whether it answers in any application
EXPECTED_OBJECTS = {
    "0042": ("issuer", 16, False, False, False),
    "0045": ("card_identification", None, False, False, False),
    "0066": ("card_recognition", None, False, False, False),
    "00F0": ("municipality", 5, False, False, False),
    "00F2": ("expiry", 8, False, False, False),
    "00F7": ("intermediate_key_id", 16, False, False, False),
    "00F8": ("upper_cv_certificate", 563, True, False, False),
    "7F21": ("lower_cv_certificate", None, True, True, False),
    "5F51": ("contact_atr", None, False, False, True),
}
# card.md §2.2 and §2.3: who reads what of the card's face
EXPECTED_FACE = {
    "0001": ("key:birth_code", 547),
    "0002": ("key:code_a | key:code_b", None),
    "0003": ("always", None),
    "0004": ("always", 568),
    "0005": ("key:code_a", None),
    "0006": ("always", 16),
}


def test_the_specs_hold_every_file_and_key_of_the_facts() -> None:
    spec = load_card_spec()
    for name, aid in AIDS.items():
        assert spec[name].aid == bytes.fromhex(aid)
        listed = sorted(ef.file_id.hex().upper() for ef in spec[name].elementary_files)
        assert listed == EXPECTED_EFS[name].split()
    assert spec.by_aid(bytes.fromhex(AIDS["jpki"])) is spec["jpki"]
    assert spec.by_aid(b"\xd3\x92") is None


def test_the_card_manager_is_current_at_power_on_and_has_the_objects_of_the_facts() -> None:
    manager = load_card_spec()["card_manager"]
    assert load_card_spec().power_on is not None
    assert manager.power_on
    found = {
        spec.tag.hex().upper(): (spec.id, spec.size, spec.long, spec.optional, spec.everywhere)
        for spec in manager.objects.values()
    }
    assert found == EXPECTED_OBJECTS
    assert all(spec.read.always for spec in manager.objects.values())
    assert [a.id for a in load_card_spec().applications.values() if a.objects] == ["card_manager"]


def test_a_prefix_finds_the_common_application_first() -> None:
    assert list(load_card_spec().applications) == [
        "common",
        "input_support",
        "jpki",
        "card_face",
        "juki",
        "licence",
        "card_manager",
    ]


def test_the_cards_face_has_the_rules_signatures_and_keys_of_the_facts() -> None:
    face = load_card_spec()["card_face"]
    rules = {
        file.file_id.hex().upper(): (str(file.read), file.size)
        for file in face.files.values()
        if file.structure is Structure.TRANSPARENT
    }
    assert rules == EXPECTED_FACE
    assert {name: spec.covers for name, spec in face.signatures.items()} == {
        "age": (("birth_date", "card_key"),),
        "face": (("birth_date", "sex", "card_key"), ("name_image", "address_image"), ("photo",)),
        "my_number_image": (("my_number_image", "card_key"),),
        "cv_certificate": (("body",),),
    }
    assert {name: key.file_id.hex() for name, key in face.keys.items()} == {
        "birth_code": "0011",
        "code_b": "0012",
        "code_a": "0013",
        "card_key": "001a",
    }
    assert face.default_key == "card_key"
    assert face.keys["card_key"].use == Access(always=True)
    assert [field.tag.hex().upper() for field in face.layouts["face"].fields[0].fields] == [
        f"DF2{digit}" for digit in "123456789A"
    ]
    assert face.files["my_number_image"].privacy is Privacy.MY_NUMBER


def test_only_the_key_of_the_common_application_authenticates_the_card() -> None:
    keys = [
        (application.id, key.id)
        for application in load_card_spec().applications.values()
        for key in application.keys.values()
        if key.internal_authentication
    ]
    assert keys == [("common", "internal_authentication")]


def test_secure_messaging_is_that_of_the_facts() -> None:
    """card.md §4.7, typed again."""
    spec = load_card_spec()
    ours = spec["input_support"].secure_messaging
    assert ours is not None
    assert (ours.key_file, ours.refused, ours.evidence.level) == ("session_public_key", None, EvidenceLevel.PUBLIC)
    assert spec["input_support"].files[ours.key_file].file_id == b"\x00\x06"
    assert ours.after.allows({"key:pin"})
    assert not ours.after.allows({"key:code_a", "key:code_b"})
    others = {name: spec[name].secure_messaging for name in ("common", "card_face", "jpki", "juki")}
    assert {name: one.refused for name, one in others.items() if one is not None} == {
        "common": 0x66F1,
        "card_face": 0x66F1,
        "jpki": 0x6982,
        "juki": 0x6982,
    }
    assert not any(one.key_file or one.after.keys for one in others.values() if one is not None)
    assert spec["card_manager"].secure_messaging is None


def test_both_references_of_the_resident_registry_pin_change_alike() -> None:
    spec = load_card_spec()
    one, two = (spec[name].keys["resident_registry_pin"] for name in ("common", "juki"))
    assert one.change is not None
    assert two.change is not None
    assert one.change.command is two.change.command is ChangeCommand.CHANGE_KEY
    assert (one.format, one.sfi) == (two.format, two.sfi)


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


# --- variants ---------------------------------------------------------------------------------------------------------

VARIANT = """
[[variant]]
id = "other"
name_en = "Other"
name_ja = "別"
evidence = "public"
source = "a test"
"""


def with_variant(lines: str) -> str:
    return data_root("applets_spec").joinpath("input_support.toml").read_text("utf-8") + VARIANT + lines


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    text = with_variant('aid = "D39210003100010104FF"\nread = { my_number = "never" }\nfile_ids = { pin = "001D" }\n')
    application = load_application(text, "x.toml")
    other = application.varied(application.variants["other"])
    assert other.aid.hex() == "d39210003100010104ff"
    assert other.files["my_number"].read == Access()
    assert (other.keys["pin"].file_id, other.keys["pin"].sfi) == (b"\x00\x1d", 0x1D)
    assert other.files["basic_four"] == application.files["basic_four"]
    assert other.keys["code_a"] == application.keys["code_a"]


@pytest.mark.parametrize(
    "lines",
    [
        'read = { nothing = "always" }',
        'read = { my_number = "key:nobody" }',
        'read = { my_number = "perhaps" }',
        'file_ids = { pin = "0014" }',
        'file_ids = { nothing = "0014" }',
        'file_ids = { pin = "14" }',
        'file_ids = { pin = "xy" }',
        "file_ids = { pin = 14 }",
        'aid = "D3"',
        'last_command = "yes"',
        "colour = 1",
    ],
)
def test_a_variant_that_makes_no_sense_is_refused(lines: str) -> None:
    with pytest.raises(SpecError):
        load_application(with_variant(lines + "\n"), "x.toml")


def test_a_variant_that_two_applications_share_changes_both() -> None:
    spec = load_card_spec()
    other = spec.varied(["registry_at_common_aid"])
    assert other["common"].aid == spec["juki"].aid
    assert other["juki"].aid == spec["common"].aid
    assert spec.varied([]).applications == spec.applications
    with pytest.raises(UsageError):
        spec.varied(["nothing"])


def test_every_variant_says_where_it_is_from() -> None:
    for name, variant in load_card_spec().variants.items():
        assert "card.md" in variant.evidence.source, name
        assert variant.name_en, name
        assert variant.name_ja, name


@pytest.mark.parametrize(
    ("text", "words"),
    [("a = " + "9" * 5000, "not TOML"), ("[" + "a." * 5000 + "a]", "too deeply"), ("a = " + "[" * 5000, "too deeply")],
    ids=["digits", "a dotted name", "arrays"],
)
def test_what_tomllib_does_not_call_by_name_is_a_spec_error(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        load_application(text, "invented.toml")
    assert parse_toml("a.b.c = 1\n" + 'd = "' + "x.y " * 500 + '"', "good.toml").left() == ("a", "d")
