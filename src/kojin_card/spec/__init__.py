"""The applet specs (``applets_spec/``): strict loading into frozen models, access rules, the record codec."""

from kojin_card.spec.access import Access
from kojin_card.spec.codec import Record, decode, encode
from kojin_card.spec.load import load_application, load_card_spec
from kojin_card.spec.messaging import SecureMessagingSpec
from kojin_card.spec.model import (
    ApplicationSpec,
    CardSpec,
    ChangeCommand,
    DigestSpec,
    Encoding,
    Evidence,
    EvidenceLevel,
    FieldSpec,
    FieldType,
    FileSpec,
    KeyKind,
    KeySpec,
    LayoutSpec,
    ObjectSpec,
    Privacy,
    RecordSpec,
    SchemeSpec,
    SecretFormat,
    SignatureSpec,
    Structure,
)

__all__ = [
    "Access",
    "ApplicationSpec",
    "CardSpec",
    "ChangeCommand",
    "DigestSpec",
    "Encoding",
    "Evidence",
    "EvidenceLevel",
    "FieldSpec",
    "FieldType",
    "FileSpec",
    "KeyKind",
    "KeySpec",
    "LayoutSpec",
    "ObjectSpec",
    "Privacy",
    "Record",
    "RecordSpec",
    "SchemeSpec",
    "SecretFormat",
    "SecureMessagingSpec",
    "SignatureSpec",
    "Structure",
    "decode",
    "encode",
    "load_application",
    "load_card_spec",
]
