"""kojin_card: read, sign, authenticate and verify with Japan's Individual Number Card (個人番号カード) and its JPKI.

Every name is loaded when it is first used: ``import kojin_card`` costs no more than the standard library, and a
verifier on a server never loads anything that drives a card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card import errors
    from kojin_card.applications import (
        Age,
        BasicFour,
        CardInformation,
        CardManagement,
        DrivingLicence,
        Face,
        LicenceCategory,
        MyNumber,
        MyNumberImage,
        Sex,
        Token,
        TokenKind,
        birth_code,
        verification_code_b,
    )
    from kojin_card.authn import AuthenticationProof, Challenge
    from kojin_card.card import Card, connect
    from kojin_card.channel import CardChannel, PinStatus
    from kojin_card.errors import (
        AccessDenied,
        AmbiguousCard,
        Cancelled,
        CardBusy,
        CardError,
        CardFileBusy,
        CardRemoved,
        CardReset,
        DecodeError,
        HalfChanged,
        InputError,
        KojinError,
        MissingExtra,
        NoCard,
        NoReader,
        NoService,
        NotOnCard,
        PinBlocked,
        PinRejected,
        PinReserve,
        SecretFormatError,
        SecretUnavailable,
        ServiceRefused,
        SignatureMismatch,
        SpecError,
        TransportError,
        TrustError,
        UnexpectedAnswer,
        UnprovenRefused,
        UsageError,
        VerdictError,
        WrongCard,
    )
    from kojin_card.secret import CallablePinSource, PinSource, Secret
    from kojin_card.signing import CallableSigner, PdfForm, Signer, XmlForm, sign_cms, sign_pdf, sign_raw, sign_xml
    from kojin_card.transport.base import Connection
    from kojin_card.transport.link import Exchange
    from kojin_card.verdict import Indication, SignedContent, SubIndication, Verdict
    from kojin_card.verification import LicenceIssuerKey, Verifier, judge_licence
    from kojin_card.version import __version__

_HOMES = {
    "applications": (
        "Age",
        "BasicFour",
        "CardInformation",
        "CardManagement",
        "DrivingLicence",
        "Face",
        "LicenceCategory",
        "MyNumber",
        "MyNumberImage",
        "Sex",
        "Token",
        "TokenKind",
        "birth_code",
        "verification_code_b",
    ),
    "authn": ("AuthenticationProof", "Challenge"),
    "card": ("Card", "connect"),
    "channel": ("CardChannel", "PinStatus"),
    "errors": (
        "AccessDenied",
        "AmbiguousCard",
        "Cancelled",
        "CardBusy",
        "CardError",
        "CardFileBusy",
        "CardRemoved",
        "CardReset",
        "DecodeError",
        "HalfChanged",
        "InputError",
        "KojinError",
        "MissingExtra",
        "NoCard",
        "NoReader",
        "NoService",
        "NotOnCard",
        "PinBlocked",
        "PinRejected",
        "PinReserve",
        "SecretFormatError",
        "SecretUnavailable",
        "ServiceRefused",
        "SignatureMismatch",
        "SpecError",
        "TransportError",
        "TrustError",
        "UnexpectedAnswer",
        "UnprovenRefused",
        "UsageError",
        "VerdictError",
        "WrongCard",
    ),
    "secret": ("CallablePinSource", "PinSource", "Secret"),
    "signing": ("CallableSigner", "PdfForm", "Signer", "XmlForm", "sign_cms", "sign_pdf", "sign_raw", "sign_xml"),
    "transport.base": ("Connection",),
    "transport.link": ("Exchange",),
    "verdict": ("Indication", "SignedContent", "SubIndication", "Verdict"),
    "verification": ("LicenceIssuerKey", "Verifier", "judge_licence"),
    "version": ("__version__",),
}

__all__ = [
    "AccessDenied",
    "Age",
    "AmbiguousCard",
    "AuthenticationProof",
    "BasicFour",
    "CallablePinSource",
    "CallableSigner",
    "Cancelled",
    "Card",
    "CardBusy",
    "CardChannel",
    "CardError",
    "CardFileBusy",
    "CardInformation",
    "CardManagement",
    "CardRemoved",
    "CardReset",
    "Challenge",
    "Connection",
    "DecodeError",
    "DrivingLicence",
    "Exchange",
    "Face",
    "HalfChanged",
    "Indication",
    "InputError",
    "KojinError",
    "LicenceCategory",
    "LicenceIssuerKey",
    "MissingExtra",
    "MyNumber",
    "MyNumberImage",
    "NoCard",
    "NoReader",
    "NoService",
    "NotOnCard",
    "PdfForm",
    "PinBlocked",
    "PinRejected",
    "PinReserve",
    "PinSource",
    "PinStatus",
    "Secret",
    "SecretFormatError",
    "SecretUnavailable",
    "ServiceRefused",
    "Sex",
    "SignatureMismatch",
    "SignedContent",
    "Signer",
    "SpecError",
    "SubIndication",
    "Token",
    "TokenKind",
    "TransportError",
    "TrustError",
    "UnexpectedAnswer",
    "UnprovenRefused",
    "UsageError",
    "Verdict",
    "VerdictError",
    "Verifier",
    "WrongCard",
    "XmlForm",
    "__version__",
    "birth_code",
    "connect",
    "errors",
    "judge_licence",
    "sign_cms",
    "sign_pdf",
    "sign_raw",
    "sign_xml",
    "verification_code_b",
]

if not TYPE_CHECKING:  # a type checker must see the names above and nothing else

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name == "errors":
            return import_module(f"{__name__}.errors")
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{home}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
