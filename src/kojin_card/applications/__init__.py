"""One typed driver an application: 共通カードAP, 券面事項入力補助AP, 公的個人認証AP."""

from kojin_card.applications.common import CardInformation, Common
from kojin_card.applications.input_support import BasicFour, InputSupport, Sex, verification_code_b
from kojin_card.applications.jpki import CardSigner, CertificateAvailability, Jpki, Token, TokenKind

__all__ = [
    "BasicFour",
    "CardInformation",
    "CardSigner",
    "CertificateAvailability",
    "Common",
    "InputSupport",
    "Jpki",
    "Sex",
    "Token",
    "TokenKind",
    "verification_code_b",
]
