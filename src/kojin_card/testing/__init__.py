"""For other people's tests: software cards, fresh revocation data, documents to sign and a document for each verdict.

With pytest installed :mod:`.plugin` is loaded by itself and gives fixtures (docs/testing.md); without it everything
here can be called. Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.simulator.softcard import SoftCard
    from kojin_card.testing.cards import new_card, pin
    from kojin_card.testing.documents import blank_pdf
    from kojin_card.testing.faults import Fault, FaultKind, FaultyConnection, every_fault
    from kojin_card.testing.ocsp import OcspAnswers, OcspFault
    from kojin_card.testing.responder import OcspResponder
    from kojin_card.testing.revocation import FreshLists
    from kojin_card.testing.verdict_table import VerdictCase
    from kojin_card.testing.verdicts import DOCUMENTS_NOW, VerdictDocument, verdict_document, verdict_documents

__all__ = [
    "DOCUMENTS_NOW",
    "Fault",
    "FaultKind",
    "FaultyConnection",
    "FreshLists",
    "OcspAnswers",
    "OcspFault",
    "OcspResponder",
    "SoftCard",
    "VerdictCase",
    "VerdictDocument",
    "blank_pdf",
    "every_fault",
    "new_card",
    "pin",
    "verdict_document",
    "verdict_documents",
]

_HOMES = {
    "DOCUMENTS_NOW": "verdicts",
    "Fault": "faults",
    "FaultKind": "faults",
    "FaultyConnection": "faults",
    "FreshLists": "revocation",
    "OcspAnswers": "ocsp",
    "OcspFault": "ocsp",
    "OcspResponder": "responder",
    "SoftCard": "cards",
    "VerdictCase": "verdict_table",
    "VerdictDocument": "verdicts",
    "blank_pdf": "documents",
    "every_fault": "faults",
    "new_card": "cards",
    "pin": "cards",
    "verdict_document": "verdicts",
    "verdict_documents": "verdicts",
}

if not TYPE_CHECKING:  # a type checker must see the names above and nothing else

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
