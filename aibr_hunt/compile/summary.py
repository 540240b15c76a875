"""What becomes of rules and correlations on one layout each, counted and grouped by reason: what `rules compile --summary` prints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aibr_hunt.compile.program import Asking, rule_bounds, sieve_query, whole_query
from aibr_hunt.errors import AibrError, ContentErrors, Unsupported
from aibr_hunt.meaning.narrow import is_empty, narrowed
from aibr_hunt.model.rule import Rule

# What is particular to one rule or correlation in the construct of a refusal.
_PATTERNS: Final = (
    r"(log source) (.+) on \S+",
    r"(rule) (.+) as a whole on \S+",
    r"(correlation) (.+) as one query",
    r"(?:the )?(field|regular expression) (.+?)(?: as a key on \S+)?",
    r"(\S+) on (.+)",
)


class Outcome(StrEnum):
    """What became of one rule."""

    WHOLE = "whole"
    """It is said exactly."""
    SIEVE = "sieve"
    """Only a necessary condition of it is said."""
    UNSIEVED = "unsieved"
    """It can be asked, and nothing narrows it: every row is read."""
    REFUSED = "refused"
    """It cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a rule is not said whole.

    Attributes:
        what: The same sentence for all rules of one kind.
        detail: What it was about in this rule: a field, a pattern; may be empty.
    """

    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one rule, and every reason for it; none when it is said whole."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()


def fate_of(rule: Rule, asking: Asking) -> Fate:
    """Return what becomes of a rule on a layout; the text is made, as it is when somebody asks for it."""
    try:
        whole_query([rule], asking)
    except Unsupported as refusal:
        try:
            bounds = rule_bounds(rule, asking.locator)
            sieve_query([rule], asking)
        except Unsupported as also_refused:
            return Fate(outcome=Outcome.REFUSED, reasons=(reason_of(also_refused),))
        is_open = is_empty(narrowed(bounds.may, asking.locator.weights))
        reasons = tuple(Reason(what=each) for each in bounds.obstacles) or (reason_of(refusal),)
        return Fate(outcome=Outcome.UNSIEVED if is_open else Outcome.SIEVE, reasons=reasons)
    return Fate(outcome=Outcome.WHOLE)


def reason_of(error: AibrError) -> Reason:
    """Return the kind of an error, and what in it is particular to one rule."""
    if isinstance(error, ContentErrors):
        return reason_of(error.errors[0])
    if isinstance(error, Unsupported):
        for pattern in _PATTERNS:
            found = re.fullmatch(pattern, error.construct, re.DOTALL)
            if found is not None:
                return Reason(what=f"{found[1]}: {error.why}", detail=found[2])
        return Reason(what=f"{error.construct}: {error.why}")
    return Reason(what=re.sub(r"'[^']*'", "'…'", error.what))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Rules counted.

    Attributes:
        outcomes: Number of rules by outcome.
        reasons: For each outcome but WHOLE: every reason with its number of rules, the most frequent first, and its details likewise.
    """

    outcomes: dict[Outcome, int]
    reasons: dict[Outcome, tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]]


def summary_of(fates: Iterable[Fate]) -> Summary:
    """Return the fates counted."""
    outcomes: Counter[Outcome] = Counter()
    reasons: dict[Outcome, Counter[str]] = {}
    details: dict[tuple[Outcome, str], Counter[str]] = {}
    for fate in fates:
        outcomes[fate.outcome] += 1
        for reason in dict.fromkeys(fate.reasons):
            reasons.setdefault(fate.outcome, Counter())[reason.what] += 1
            if reason.detail:
                details.setdefault((fate.outcome, reason.what), Counter())[reason.detail] += 1
    return Summary(
        outcomes={each: outcomes[each] for each in Outcome},
        reasons={
            outcome: tuple((what, count, _ranked(details.get((outcome, what)))) for what, count in found.most_common())
            for outcome, found in reasons.items()
        },
    )


def _ranked(found: Counter[str] | None) -> tuple[tuple[str, int], ...]:
    return () if found is None else tuple(found.most_common())
