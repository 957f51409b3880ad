"""Judging what cards signed, without a card: signatures (CMS, PDF, raw), authentication proofs and certificates;
and, from what was read of a card, whether it is genuine.

This room imports no card, reader, transport or simulator; a server that only verifies imports only this.
"""

from __future__ import annotations

from kojin_card.pki.card_evidence import CardEvidence, RecordEvidence
from kojin_card.pki.crl_store import CrlFile, CrlFolder
from kojin_card.pki.revocation import RevocationAnswer, RevocationSource, RevocationStatus
from kojin_card.verification.authenticity import CardJudge
from kojin_card.verification.challenges import ChallengeStore, MemoryChallengeStore, SqliteChallengeStore
from kojin_card.verification.evidence import EvidenceProfile, EvidenceRecord, reverify
from kojin_card.verification.holder import Holder, Sex
from kojin_card.verification.licence import LicenceIssuerKey, judge_licence
from kojin_card.verification.verifier import Verifier

__all__ = [
    "CardEvidence",
    "CardJudge",
    "ChallengeStore",
    "CrlFile",
    "CrlFolder",
    "EvidenceProfile",
    "EvidenceRecord",
    "Holder",
    "LicenceIssuerKey",
    "MemoryChallengeStore",
    "RecordEvidence",
    "RevocationAnswer",
    "RevocationSource",
    "RevocationStatus",
    "Sex",
    "SqliteChallengeStore",
    "Verifier",
    "judge_licence",
    "reverify",
]
