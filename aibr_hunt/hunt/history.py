"""History that baselines rest on, taken from the tallies of earlier runs in place of reading the lookback again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from aibr_hunt.correlate.chosen import united
from aibr_hunt.correlate.reach import HOUR_US
from aibr_hunt.hunt.covered import Span, rest_of, us_of
from aibr_hunt.ledger import tallies_of
from aibr_hunt.model.episode import Tally, TallySheet

Sheets: TypeAlias = Callable[[str, str], Sequence[TallySheet]]
"""Gives the sheets of a baseline's id and meaning digest, oldest run first."""


def whole_hours(span: Span) -> Span:
    """Return the part of a span that is made of whole hours; it may be empty."""
    start, end = span
    return -(-start // HOUR_US) * HOUR_US, end // HOUR_US * HOUR_US


def hours_of(span: Span) -> Span:
    """Return the hours that a span touches."""
    start, end = span
    return start // HOUR_US * HOUR_US, -(-end // HOUR_US) * HOUR_US


def covers(sheets: Iterable[TallySheet], span: Span) -> bool:
    """True when the sheets tell of every hour of the span."""
    return not rest_of(span, united(us_of(sheet.window) for sheet in sheets))


def history(sheets: Sequence[TallySheet], span: Span) -> list[Tally]:
    """Return the tallies of a span of whole hours; of an hour that several runs counted, those of the last one.

    Args:
        sheets: Oldest run first; their windows are whole hours.
        span: What is wanted.

    Raises:
        LedgerError: A sheet is not what its digest names.
    """
    found: list[Tally] = []
    wanting: tuple[Span, ...] = (span,)
    for sheet in reversed(sheets):
        window = us_of(sheet.window)
        ours = [(max(start, window[0]), min(end, window[1])) for start, end in wanting]
        ours = [part for part in ours if part[0] < part[1]]
        if not ours:
            continue
        found += [tally for tally in tallies_of(sheet) if any(start <= tally.hour * HOUR_US < end for start, end in ours)]
        wanting = tuple(rest for part in wanting for rest in rest_of(part, [each for each in ours if part[0] <= each[0] < part[1]]))
    return found
