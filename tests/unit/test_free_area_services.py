"""Services of the free area: what the four are, how values become octets, and how strict the language is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from kojin_card import messages
from kojin_card.errors import DecodeError, InputError, SpecError
from kojin_card.spec.access import Access
from kojin_card.spec.service import (
    FROM_CARD,
    MOVED,
    FieldError,
    Service,
    ServiceFieldType,
    load_service,
    load_services,
    rule_octets,
)
from kojin_card.spec.service_field import CHARSETS
from support import ROOT

SLOTS = ROOT / "applets_spec" / "slots"
HEAD = """
schema = 1
[service]
id = "library_plus"
version = 1
name_en = "Library"
name_ja = "図書館"
summary_en = "Lends books."
summary_ja = "本を貸す。"
legal_basis_hint_en = "The ordinance"
legal_basis_hint_ja = "図書館条例"
owners = ["municipality"]
groups = ["library"]
pin = true
evidence = "assumption"
source = "a test"
"""
ISSUED = """
[[field]]
id = "issued"
sfi = 1
type = "date"
issued = true
read = "role:terminal"
label_ja = "発行年月日"
label_en = "Issued on"
privacy = "personal"
example = "2026-11-27"
evidence = "assumption"
source = "a test"
"""
REST = """
label_ja = "項目"
label_en = "Field"
privacy = "personal"
evidence = "assumption"
source = "a test"
"""


def with_field(lines: str, *, head: str = HEAD) -> Service:
    return load_service(head + ISSUED + f'\n[[field]]\nid = "one"\nsfi = 2\n{lines}\n' + REST, "library_plus.toml")


# --- the four ---------------------------------------------------------------------------------------------------------


def test_the_four_services_and_their_fields() -> None:
    """Typed from the table of the design."""
    found = {service.id: tuple(service.fields) for service in load_services().values()}
    moved = ("former_owner", "former_owner_date")
    assert found == {
        "seal_registration": ("registration_number", "registered_on", "municipality_code", "issued"),
        "facility": ("user_number", "facility_group", "category", "valid_until", "issued", *moved),
        "health_insurance": (
            "insurer_number", "symbol", "number", "branch_number", "relation", "qualified_on", "valid_until", "issued",
        ),
        "staff_id": ("office_code", "staff_number", "section", "role", "valid_until", "issued"),
    }  # fmt: skip
    seal = load_services()["seal_registration"]
    assert (seal.pin, seal.groups, seal.continues, seal.expires) == (True, ("kiosk",), False, None)
    assert {one.rule_octets for one in seal.fields.values()} == {b"\x03"}
    for name in ("facility", "health_insurance", "staff_id"):
        service = load_services()[name]
        assert {one.rule_octets for one in service.fields.values()} == {b"\x01"}
        assert service.expires is service.fields["valid_until"]
    assert load_services()["facility"].continues


def test_health_insurance_says_what_it_is_not() -> None:
    service = load_services()["health_insurance"]
    assert "マイナ保険証ではない" in service.not_ja
    assert "194" in service.not_ja
    assert "マイナ保険証" in service.not_en
    assert "no applet" in service.not_en


@pytest.mark.parametrize("name", load_services())
def test_every_example_round_trips(name: str) -> None:
    service = load_services()[name]
    octets = service.encode({one.id: one.example for one in service.fields.values()})
    assert list(octets) == sorted(octets)
    for sfi, value in octets.items():
        field = service.by_sfi(sfi)
        assert field is not None
        assert field.decode(value) == field.example
        assert field.words(field.example, "ja")


# --- octets, typed by hand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "text", "octets"),
    [
        ('type = "digits"\nlength = 3\nexample = "001"', "007", "303037"),
        ('type = "ascii"\nrange = [1, 9]\nexample = "a-b c"', "X-1 y", "582D312079"),
        ('type = "utf8"\nrange = [1, 9]\nexample = "本"', "図書館", "E59BB3E69BB8E9A4A8"),
        ('type = "utf8"\ncharset = "katakana"\nrange = [1, 9]\nexample = "ア"', "シー　ア", "E382B7E383BCE38080E382A2"),
        ('type = "date"\nexample = "2026-01-01"', "2028-02-29", "20280229"),
        ('type = "code"\nvalues = [{ code = "a-1", ja = "甲", en = "A" }]\nexample = "a-1"', "a-1", "612D31"),
        ('type = "number"\nexample = "0"', "4294967295", "FFFFFFFF"),
        ('type = "number"\nrange = [1, 20]\nexample = "1"', "20", "00000014"),
        ('type = "owner"\nexample = "prefecture:13"', "municipality:13101", "013133313031"),
        ('type = "municipality_code"\nexample = "131016"', "01101", "3031313031"),
        ('type = "corporate_number"\nexample = "7000012050002"', "7000012050002", "37303030303132303530303032"),
        ('type = "insurer_number"\nexample = "138016"', "01130012", "3031313330303132"),
    ],
)
def test_a_value_becomes_octets_and_comes_back(lines: str, text: str, octets: str) -> None:
    one = with_field(lines).fields["one"]
    assert one.encode(text) == bytes.fromhex(octets)
    assert one.decode(bytes.fromhex(octets)) == text


def test_a_municipality_code_with_its_check_digit_is_kept_without_it() -> None:
    one = load_services()["seal_registration"].fields["municipality_code"]
    assert one.encode("131016") == one.encode("13101") == b"13101"
    with pytest.raises(DecodeError):
        one.decode(b"131016")


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('type = "digits"\nlength = 3\nexample = "001"', ["", "12", "1234", "12a", "１２３", "-12"]),
        ('type = "ascii"\nrange = [1, 9]\nexample = "a"', ["", "é", "a\n", " a", "a ", "a" * 10]),
        ('type = "ascii"\ncharset = "alphanumeric"\nrange = [1, 9]\nexample = "a"', ["a-b", "a b", "ａ"]),
        ('type = "ascii"\ncharset = "upper_alphanumeric"\nrange = [1, 9]\nexample = "A"', ["a", "A-"]),
        ('type = "utf8"\nrange = [1, 100]\nexample = "本"', ["", "\u200e", "a\tb", "\ud800", "本" * 67, "本" * 101]),
        ('type = "utf8"\ncharset = "name"\nrange = [1, 9]\nexample = "本"', ["本1", "<b>", "=1+1", "a\u202eb"]),
        ('type = "utf8"\ncharset = "katakana"\nrange = [1, 9]\nexample = "ア"', ["あ", "ｱ", "本", "A"]),
        (
            'type = "date"\nexample = "2026-01-01"',
            ["", "2026-02-29", "20260101", "2026-1-1", "0000-01-01", "２０26-01-01"],
        ),
        ('type = "code"\nvalues = [{ code = "a", ja = "甲", en = "A" }]\nexample = "a"', ["", "A", "b", "甲"]),
        ('type = "number"\nrange = [1, 20]\nexample = "1"', ["", "0", "21", "01", "-1", "1.0", "+1", "9" * 5000]),
        ('type = "owner"\nexample = "prefecture:13"', ["", "13", "prefecture:99"]),
        ('type = "municipality_code"\nexample = "13101"', ["131015", "13000", "1310"]),
        ('type = "corporate_number"\nexample = "7000012050002"', ["7000012050003", "700001205000"]),
        ('type = "insurer_number"\nexample = "138016"', ["01130013", "1130012"]),
    ],
)
def test_a_value_that_the_field_cannot_have_is_refused_without_repeating_it(lines: str, wrong: list[str]) -> None:
    one = with_field(lines).fields["one"]
    for text in wrong:
        with pytest.raises(FieldError) as caught:
            one.encode(text)
        assert caught.value.details == {"service": "library_plus", "field": "one"}
        assert len(text) < 5 or text not in str(caught.value)
        assert messages.detail(caught.value.message, "ja").words, caught.value.message


@pytest.mark.parametrize(
    ("lines", "octets"),
    [
        ('type = "digits"\nlength = 3\nexample = "001"', ["", "3030", "30303A", "FF3030"]),
        ('type = "utf8"\nrange = [1, 9]\nexample = "本"', ["FF", "E69C", "0A"]),
        ('type = "date"\nexample = "2026-01-01"', ["", "20261301", "2026010100", "2026"]),
        ('type = "number"\nrange = [1, 20]\nexample = "1"', ["", "01", "00000000", "00000015", "0000000101"]),
        ('type = "owner"\nexample = "prefecture:13"', ["", "02", "023939", "053133"]),
        ('type = "code"\nvalues = [{ code = "a", ja = "甲", en = "A" }]\nexample = "a"', ["", "62", "6161", "FF"]),
    ],
)
def test_octets_that_are_no_value_are_refused(lines: str, octets: list[str]) -> None:
    one = with_field(lines).fields["one"]
    for text in octets:
        with pytest.raises(DecodeError, match=r"field library_plus\.one"):
            one.decode(bytes.fromhex(text))


def test_a_record_has_all_that_it_must_and_nothing_else() -> None:
    service = load_services()["health_insurance"]
    values = {one.id: one.example for one in service.fields.values() if not one.optional}
    assert set(service.encode(values)) == {1, 3, 5, 6, 7, 8}
    with pytest.raises(FieldError, match="is missing") as caught:
        service.encode({name: text for name, text in values.items() if name != "number"})
    assert caught.value.details["field"] == "number"
    with pytest.raises(FieldError, match="no field my_number"):
        service.encode({**values, "my_number": "1"})


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "octets"),
    [
        ("always", "00"),
        ("role:terminal", "01"),
        ("key:slot_pin", "02"),
        ("role:terminal & key:slot_pin", "03"),
        ("key:slot_pin | role:terminal", "0102"),
        ("role:terminal & key:slot_pin | key:slot_pin | role:terminal", "010203"),
        ("role:owner", ""),
        ("role:terminal | role:owner", "01"),
    ],
)
def test_rules_as_the_card_keeps_them(rule: str, octets: str) -> None:
    assert rule_octets(Access.parse(rule)) == bytes.fromhex(octets)


@pytest.mark.parametrize("rule", ["never", "key:pin", "role:issuer", "role:owner & key:slot_pin"])
def test_rules_that_no_field_has(rule: str) -> None:
    with pytest.raises(SpecError):
        rule_octets(Access.parse(rule))


def test_a_field_without_a_rule_is_the_owners_alone() -> None:
    one = with_field('type = "number"\nexample = "0"').fields["one"]
    assert (str(one.read), one.rule_octets) == ("role:owner", b"")


# --- strictness -------------------------------------------------------------------------------------------------------

TEXT = (SLOTS / "facility.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 1", "schema = 2"),
        ('id = "facility"', 'id = "Facility"'),
        ('id = "facility"', f'id = "{"f" * 33}"'),
        ("version = 1", "version = 0"),
        ("version = 1", "version = 256"),
        ("version = 1", "version = true"),
        ('name_ja = "施設利用"', 'name_ja = ""'),
        ('name_ja = "施設利用"', 'name_ja = "施設\\n利用"'),
        ('name_ja = "施設利用"', ""),
        ('owners = ["municipality", "prefecture"]', "owners = []"),
        ('owners = ["municipality", "prefecture"]', 'owners = ["town"]'),
        ('owners = ["municipality", "prefecture"]', 'owners = ["municipality", "municipality"]'),
        ('"library", "sports", "culture"]', '"Library"]'),
        ('"library", "sports", "culture"]', '"library", "library"]'),
        ('"library", "sports", "culture"]', '"a","b","c","d","e","f","g","h","i"]'),
        ('"library", "sports", "culture"]', '"ninechars"]'),
        ("continues = true", "continues = false"),
        ("pin = false", "pin = 0"),
        ("pin = false", 'pin = false\nmore = "x"'),
        ("pin = false", 'pin = false\nnot_en = "not a bank"'),
        ('id = "user_number"', 'id = "issued"'),
        ("sfi = 1\n", "sfi = 2\n"),
        ("sfi = 1\n", "sfi = 0\n"),
        ("sfi = 1\n", "sfi = 25\n"),
        ('type = "ascii"', 'type = "bytes"'),
        ('type = "ascii"', 'type = "digits"'),  # a charset is left over
        ('charset = "alphanumeric"', 'charset = "katakana"'),
        ("range = [1, 20]", "range = [0, 20]"),
        ("range = [1, 20]", "range = [20, 1]"),
        ("range = [1, 20]", "range = [1, 201]"),
        ("range = [1, 20]", "range = [1, 20]\nlength = 3"),
        ("range = [1, 20]", ""),
        ('read = "role:terminal"', 'read = "never"'),
        ('read = "role:terminal"', 'read = "always"'),  # free, and personal
        ('read = "role:terminal"', 'read = "key:slot_pin"'),  # the service has no PIN
        ('read = "role:terminal"', 'read = "role:issuer"'),
        ('read = "role:terminal"', 'read = "terminal"'),
        ('privacy = "personal"', 'privacy = "my_number"'),
        ('privacy = "personal"', 'privacy = "secret"'),
        ('example = "L00482913"', ""),
        ('example = "L00482913"', 'example = "L-1"'),
        ('example = "L00482913"', 'example = "L1"\nfrom_card = "name"'),
        ('example = "L00482913"', 'example = "L1"\nfrom_card = "my_number"'),
        ('example = "L00482913"', 'example = "L1"\nexpires = true'),
        ("issued = true", ""),
        ("issued = true", "issued = true\noptional = true"),
        ("issued = true", "issued = true\nexpires = true"),
        ("expires = true", "expires = true\nissued = true"),
        ("expires = true", "issued = true"),
        ('code = "sports"', 'code = "library"'),
        ('code = "sports"', 'code = "体育"'),
        ('code = "sports"', 'code = ""'),
        ('ja = "体育施設", ', ""),
        ('id = "former_owner"', 'id = "former"'),
        ('type = "owner"', 'type = "corporate_number"'),
        ("optional = true", "optional = false"),
        ('evidence = "assumption"', 'evidence = "rumour"'),
        ('source = "free-area.md; its form is ours"', 'source = " "'),
    ],
)
def test_the_language_is_strict(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(SpecError) as caught:
        load_service(TEXT.replace(old, new, 1), "facility.toml")
    assert caught.value.details["file"] == "facility.toml"


def test_a_service_has_at_most_24_fields() -> None:
    rows = "".join(ISSUED.replace("issued = true", "").replace('"issued"', f'"f{n}"') for n in range(24))
    with pytest.raises(SpecError, match="at most 24"):
        load_service(HEAD + ISSUED + rows, "x.toml")


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_adds_to_the_four(tmp_path: Path) -> None:
    (tmp_path / "library_plus.toml").write_text(HEAD + ISSUED, "utf-8")
    (tmp_path / "notes.txt").write_text("no service", "utf-8")
    found = load_services(tmp_path)
    assert set(found) == {*load_services(), "library_plus"}
    assert found["library_plus"].source_file == "library_plus.toml"
    assert load_services() is load_services()


def test_a_service_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TEXT, "utf-8")
    with pytest.raises(SpecError, match="stands twice"):
        load_services(tmp_path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_services(tmp_path / "nothing")
    (tmp_path / "large.toml").write_bytes(b"#" * 0x1_0001)
    with pytest.raises(InputError, match="65536"):
        load_services(tmp_path)
    (tmp_path / "large.toml").write_bytes(b"\xff")
    with pytest.raises(SpecError, match="UTF-8"):
        load_services(tmp_path)
    (tmp_path / "large.toml").write_bytes(b"schema = ")
    with pytest.raises(SpecError, match="TOML"):
        load_services(tmp_path)


def test_every_table_says_how_well_it_is_known() -> None:
    for path in sorted(SLOTS.glob("*.toml")):
        spec = tomllib.loads(path.read_text("utf-8"))
        for table in (spec["service"], *spec["field"]):
            assert table["evidence"] in ("standard", "public", "card", "assumption")
            assert table["source"]


# --- the guide --------------------------------------------------------------------------------------------------------


def test_the_example_of_the_guide_is_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``docs/free-area.md``: its TOML is loaded as it stands there, and its program prints what its comments say."""
    guide = (ROOT / "docs" / "free-area.md").read_text("utf-8")
    toml, program = (re.findall(rf"```{lang}\n(.*?)```", guide, re.DOTALL) for lang in ("toml", "python"))
    assert (len(toml), len(program)) == (2, 2)  # the second of each is the gate's: tests/distribution/test_readme.py
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "library_plus.toml").write_text(toml[0], "utf-8")
    service = load_services(tmp_path / "services")["library_plus"]
    assert service.encode({one.id: one.example for one in service.fields.values()})
    monkeypatch.chdir(tmp_path)
    exec(compile(program[0], "free-area.md", "exec"), {})  # noqa: S102  # the guide's own program
    printed = re.findall(r"print\(.*\)  # (.*)$", program[0], re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == printed
    assert len(printed) == 2


def test_the_language_says_every_type_character_set_and_source() -> None:
    section = (ROOT / "applets_spec" / "README.md").read_text("utf-8").split("### `slots/*.toml`: services")[1]
    for kind in ServiceFieldType:
        assert f"| `{kind}` |" in section
    for word in (*FROM_CARD, *MOVED, *(name for sets in CHARSETS.values() for name in sets)):
        assert f"`{word}`" in section
