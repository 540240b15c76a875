"""Runs, coverage, leads, the evidence chain and the vault: what is kept, and how it stays true (docs/record.md)."""

from __future__ import annotations

from aibr_hunt.ledger.episoderows import sheet_of, tallies_of
from aibr_hunt.ledger.episodes import EarlierEpisodes, EarlierRow
from aibr_hunt.ledger.ledger import Ledger
from aibr_hunt.ledger.noise import NoiseKeys
from aibr_hunt.ledger.values import (
    Act,
    Backup,
    Fault,
    Judge,
    LeadFilter,
    LedgerStatus,
    Recorded,
    Suppression,
    Upgrade,
    Verification,
)

__all__ = [
    "Act",
    "Backup",
    "EarlierEpisodes",
    "EarlierRow",
    "Fault",
    "Judge",
    "LeadFilter",
    "Ledger",
    "LedgerStatus",
    "NoiseKeys",
    "Recorded",
    "Suppression",
    "Upgrade",
    "Verification",
    "sheet_of",
    "tallies_of",
]
