"""Judging what cards signed, without a card: signatures (CMS, PDF, XML, raw), authentication proofs and certificates;
and, from what was read of a card, whether it is genuine.

This room imports no card, reader, transport or simulator; a server that only verifies imports only this.
"""

from __future__ import annotations

from kojin_card.pki.card_evidence import CardEvidence, RecordEvidence
from kojin_card.pki.crl_store import CrlFile, CrlFolder
from kojin_card.pki.ocsp_source import Combined, OcspSettings, OcspSource
from kojin_card.pki.operator_source import OperatorAnswer, OperatorQuestion, OperatorSource
from kojin_card.pki.reference import CertificateReference, EnrolAgain, LinkedCertificate, LinkSource
from kojin_card.pki.revocation import RevocationAnswer, RevocationSource, RevocationStatus
from kojin_card.pki.tsa import TsaStore
from kojin_card.verdict import Indication, SubIndication, Verdict
from kojin_card.verification.authenticity import CardJudge
from kojin_card.verification.challenges import ChallengeStore, MemoryChallengeStore, SqliteChallengeStore
from kojin_card.verification.evidence import EvidenceProfile, EvidenceRecord, reverify
from kojin_card.verification.holder import Holder, Sex
from kojin_card.verification.licence import LicenceIssuerKey, judge_licence
from kojin_card.verification.pinless import ChipAnswer, EarlierConfirmations
from kojin_card.verification.verifier import Verifier

__all__ = [
    "CardEvidence",
    "CardJudge",
    "CertificateReference",
    "ChallengeStore",
    "ChipAnswer",
    "Combined",
    "CrlFile",
    "CrlFolder",
    "EarlierConfirmations",
    "EnrolAgain",
    "EvidenceProfile",
    "EvidenceRecord",
    "Holder",
    "Indication",
    "LicenceIssuerKey",
    "LinkSource",
    "LinkedCertificate",
    "MemoryChallengeStore",
    "OcspSettings",
    "OcspSource",
    "OperatorAnswer",
    "OperatorQuestion",
    "OperatorSource",
    "RecordEvidence",
    "RevocationAnswer",
    "RevocationSource",
    "RevocationStatus",
    "Sex",
    "SqliteChallengeStore",
    "SubIndication",
    "TsaStore",
    "Verdict",
    "Verifier",
    "judge_licence",
    "reverify",
]
