"""The spec language, strictly: a secret that nobody set, a lock, a signature over another file."""

from __future__ import annotations

import pytest

from kojin_card.errors import SpecError
from kojin_card.spec import EvidenceLevel, load_application, load_card_spec
from support import ROOT

TEXT = (ROOT / "applets_spec" / "licence.toml").read_text("utf-8")


def test_the_licence_says_what_stands_for_no_pin_and_what_locks_it() -> None:
    licence = load_card_spec()["licence"]
    unset = licence.keys["pin"].unset
    assert unset is not None
    assert (unset.value, unset.file, unset.field, unset.meaning) == (b"****", "pin_setting", "pin_set", "unset")
    assert unset.evidence.level is EvidenceLevel.PUBLIC
    assert "value" not in repr(unset)
    assert (licence.locked_with, licence.optional) == ("pin", True)
    signature = licence.signatures["licence_signature"]
    assert (signature.of_file, signature.covers, signature.signer) == ("licence_information", (), "issuer")


def test_the_variants_are_the_readings_that_were_not_followed() -> None:
    spec = load_card_spec()
    other = spec.varied(["licence_pin_reference_82"])["licence"]
    assert other.keys["pin"].file_id.hex() == "0002"
    open_one = spec.varied(["licence_open_without_pin"])["licence"]
    assert all(open_one.files[name].read.always for name in ("licence_information", "signature"))
    assert not spec["licence"].files["licence_information"].read.always


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('value = "2A2A2A2A", ', ""),
        ('value = "2A2A2A2A"', 'value = ""'),
        ('value = "2A2A2A2A"', 'value = "2A", more = 1'),
        ('file = "pin_setting", field', 'file = "nothing", field'),
        ('file = "pin_setting", field', 'file = "licence_information", field'),
        ('field = "pin_set", meaning', 'field = "nothing", meaning'),
        ('meaning = "unset", evidence', 'meaning = "perhaps", evidence'),
        ('locked_with = "pin"', 'locked_with = "nothing"'),
        ('of_file = "licence_information"', 'of_file = "nothing"'),
        ('of_file = "licence_information"', 'of_file = "licence_information"\ncovers = [["serial"]]'),
        ('of_file = "licence_information"\n', ""),
        ('signer = "issuer"', 'signer = "file:nothing"'),
        ("sparse = true", "sparse = 1"),
        ('encoding = "plain_tlv"\nsparse', 'encoding = "ber_tlv"\nsparse'),
        ('tag = "C2"', 'tag = "0A0B"'),
        ('tag = "C2"', 'tag = "C3"'),
        ('tag = "C2"', 'tag = "00"'),
    ],
)
def test_the_language_is_strict(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(SpecError) as caught:
        load_application(TEXT.replace(old, new), "licence.toml")
    assert caught.value.details["file"] == "licence.toml"
