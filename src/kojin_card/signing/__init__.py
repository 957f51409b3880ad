"""A card as a signer: raw signatures, CMS, PDF and XML.

Each name is loaded when it is first used: signing a CMS never loads pyhanko or lxml.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.signing.cms import sign_cms
    from kojin_card.signing.pdf import PdfForm, check_pdf, sign_pdf
    from kojin_card.signing.raw import sign_raw
    from kojin_card.signing.signer import CallableSigner, Signer, sign_message
    from kojin_card.signing.xml import XmlForm, check_xml, sign_xml

__all__ = [
    "CallableSigner",
    "PdfForm",
    "Signer",
    "XmlForm",
    "check_pdf",
    "check_xml",
    "sign_cms",
    "sign_message",
    "sign_pdf",
    "sign_raw",
    "sign_xml",
]

_HOMES = {
    "CallableSigner": "signer",
    "PdfForm": "pdf",
    "Signer": "signer",
    "XmlForm": "xml",
    "check_xml": "xml",
    "sign_cms": "cms",
    "sign_message": "signer",
    "check_pdf": "pdf",
    "sign_pdf": "pdf",
    "sign_raw": "raw",
    "sign_xml": "xml",
}

if not TYPE_CHECKING:  # a type checker must see the names above and nothing else

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
