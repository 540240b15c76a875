"""The sieve of a rule made short: of a conjunction only what narrows best is asked, so that many rules share one scan.

A sieve may always be wider. What is left is a disjunction of tests on few columns, which merges with those of other rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from aibr_hunt.model.condition import YES, Both, Condition, Either, HoldsFragment, IsPresent, Negated, TextIs, Truth, Value, either
from aibr_hunt.model.layout import Kind
from aibr_hunt.model.predicate import TextOp

# How many rows of a thousand a test lets through, roughly, by its kind: only the order matters.
_EQUAL: Final = 2.0
_PART: Final = 8.0
_FRAGMENT: Final = 12.0
_OTHER: Final = 200.0
_NEGATED: Final = 900.0
_ALL: Final = 1000.0


def narrowed(condition: Condition, weights: Mapping[Value, int]) -> Condition:
    """Return a condition that the given one implies, made of few and cheap tests.

    Args:
        condition: The sieve of one rule.
        weights: For values how badly a test on them narrows, 1 to 9 (`Locator.weights`); 5 where nothing is said.
    """
    return _narrowed(condition, weights)[0]


def _narrowed(condition: Condition, weights: Mapping[Value, int]) -> tuple[Condition, float]:
    match condition:
        case Both(items=items):
            return min((_narrowed(item, weights) for item in items), key=lambda found: found[1])
        case Either(items=items):
            found = [_narrowed(item, weights) for item in items]
            cost = _cost_of_either(found)
            return (YES, _ALL) if cost >= _ALL else (either(*(each for each, _ in found)), cost)
        case Truth(value=value):
            return condition, _ALL if value else 0.0
        case _:
            cost = _cost(condition, weights)
            return (YES, _ALL) if cost >= _NEGATED else (condition, cost)


def _cost_of_either(found: Sequence[tuple[Condition, float]]) -> float:
    """Return the cost of alternatives: those on one value are one list, which costs little more for each value in it."""
    by_value: dict[object, list[float]] = {}
    for condition, cost in found:
        key = condition.value if isinstance(condition, TextIs | HoldsFragment) else condition
        by_value.setdefault(key, []).append(cost)
    return sum(max(costs) * (1.0 + math.log2(len(costs))) for costs in by_value.values())


def _cost(condition: Condition, weights: Mapping[Value, int]) -> float:
    match condition:
        case TextIs(value=value, op=op, literal=literal):
            parsing = 2.0 if value.type.kind is Kind.JSON else 1.0
            # The mapping's word counts most: names of calls are rare, names of services are not. A long text is rarer than a short one.
            weight = 2.0 ** (weights.get(value, 5) - 5)
            return parsing * weight * (_EQUAL if op is TextOp.EQUALS else _PART) * 24.0 / max(4, min(len(literal), 24))
        case HoldsFragment(fragment=fragment):
            return _FRAGMENT * 24.0 / max(2, min(len(fragment), 24))
        case Negated() | IsPresent():
            return _NEGATED
        case _:
            return _OTHER


def is_empty(condition: Condition) -> bool:
    """True when a sieve lets every row through."""
    return condition == YES
