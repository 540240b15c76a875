"""Thresholds: numbers as YAML holds them, and whether any figure, or every figure, meets several of them at once."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.model.correlation import CorrelationType, Threshold

COMPARISONS: Final = ("gt", "gte", "lt", "lte", "eq", "neq")

# Number form of docs/meaning.md section 5.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """The figures that a type can give.

    Attributes:
        low, high: The least and the greatest; None for no bound.
        is_whole: Only whole numbers occur.
        parts: For a share: the figure is k ÷ parts.
        what: The figure, in a word for messages.
    """

    what: str
    low: Decimal | None = None
    high: Decimal | None = None
    is_whole: bool = False
    parts: int = 1


def domain_of(kind: CorrelationType, listed: int) -> Domain:
    """Return the figures that a correlation of this type compares.

    Args:
        kind: Its type.
        listed: How many values a share lists.
    """
    match kind:
        case CorrelationType.EVENT_COUNT:
            return Domain(what="the number of events", low=Decimal(1), is_whole=True)
        case CorrelationType.VALUE_COUNT:
            return Domain(what="the number of values", low=Decimal(0), is_whole=True)
        case CorrelationType.SHARE:
            return Domain(what="the share", low=Decimal(0), high=Decimal(max(listed, 1)), is_whole=True, parts=max(listed, 1))
        case CorrelationType.RARE:
            return Domain(what="the share of the value", low=Decimal(0), high=Decimal(1))
        case _:
            return Domain(what="the figure")


def number_of(value: YamlValue) -> Decimal | None:
    """Return the number that a value of YAML is, in number form; None for anything else. A quoted number is one."""
    if isinstance(value, bool):
        return None
    text = value if isinstance(value, str) else format(Decimal(repr(value)), "f") if isinstance(value, int | float) else ""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def can_be_met(thresholds: Sequence[Threshold], domain: Domain) -> bool:
    """True when some figure of the domain meets all of the thresholds."""
    scaled = _scaled(thresholds, domain)
    return any(all(each.holds(figure) for each in scaled) for figure in _figures(scaled, domain))


def is_always_met(thresholds: Sequence[Threshold], domain: Domain) -> bool:
    """True when every figure does that a window with something in it gives: nothing is asked."""
    scaled = _scaled(thresholds, domain)
    figures = [figure for figure in _figures(scaled, domain) if domain.low is None or figure > 0]
    return all(each.holds(figure) for each in scaled for figure in figures)


def _scaled(thresholds: Sequence[Threshold], domain: Domain) -> list[Threshold]:
    """Return the thresholds times the parts, so that a share is compared as a whole number, exactly."""
    return [replace(each, number=each.number * domain.parts) for each in thresholds]


def _figures(thresholds: Sequence[Threshold], domain: Domain) -> list[Decimal]:
    """Return figures that stand for all: every threshold, its neighbours, the gaps between and what lies outside."""
    marks = sorted({each.number for each in thresholds} | {bound for bound in (domain.low, domain.high) if bound is not None})
    if domain.is_whole:
        # Each `neq` can take one whole number out, so as many neighbours are looked at as there are thresholds.
        steps = range(-len(thresholds) - 1, len(thresholds) + 2)
        found = {Decimal(math.floor(mark) + step) for mark in marks for step in steps}
    else:
        between = {(left + right) / 2 for left, right in pairwise(marks)}
        found = {*marks, *between, marks[0] - 1, marks[-1] + 1}
    low, high = domain.low, domain.high
    return sorted(figure for figure in found if (low is None or figure >= low) and (high is None or figure <= high))
