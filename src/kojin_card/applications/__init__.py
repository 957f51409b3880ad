"""One typed driver an application: the five of the card, the card manager, the driving licence that some cards have,
and what goes across two of them."""

from kojin_card.applications.card_face import Age, CardFace, Face, MyNumberImage, birth_code
from kojin_card.applications.card_manager import CardManagement, CardManager
from kojin_card.applications.common import CardInformation, Common
from kojin_card.applications.input_support import BasicFour, InputSupport, verification_code_b
from kojin_card.applications.jpki import CardSigner, CertificateAvailability, Jpki, Token, TokenKind
from kojin_card.applications.juki import Juki
from kojin_card.applications.licence import DrivingLicence, Licence, LicenceCategory
from kojin_card.applications.my_number import MyNumber
from kojin_card.applications.person import Sex
from kojin_card.applications.registry_pin import change_registry_pin

__all__ = [
    "Age",
    "BasicFour",
    "CardFace",
    "CardInformation",
    "CardManagement",
    "CardManager",
    "CardSigner",
    "CertificateAvailability",
    "Common",
    "DrivingLicence",
    "Face",
    "InputSupport",
    "Jpki",
    "Juki",
    "Licence",
    "LicenceCategory",
    "MyNumber",
    "MyNumberImage",
    "Sex",
    "Token",
    "TokenKind",
    "birth_code",
    "change_registry_pin",
    "verification_code_b",
]
