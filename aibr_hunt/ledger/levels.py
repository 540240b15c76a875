"""Sigma's levels in their order, so that the ledger can be asked for one and graver ones."""

from __future__ import annotations

LEVELS = ("informational", "low", "medium", "high", "critical")
_RANKS = {level: rank for rank, level in enumerate(LEVELS)}


def rank_of(level: str) -> int:
    """Return the place of a level among Sigma's, from 0; an unknown one ranks lowest."""
    return _RANKS.get(level, 0)
