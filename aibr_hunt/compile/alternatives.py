"""Alternatives before they are printed: what one value may equal becomes a list, many fragments of one text become one pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aibr_hunt.model.condition import Condition, HoldsAny, HoldsFragment, TextIs, Value
from aibr_hunt.model.predicate import TextOp

MANY: Final = 8
"""So many fragments of one text stand in one pattern: engines compile few hundred terms, and lower the text for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """The text of `value` equals one of `literals`; without `cased` they stand under the fold."""

    value: Value
    literals: tuple[str, ...]
    cased: bool


def gathered(items: Sequence[Condition]) -> tuple[Condition | OneOf, ...]:
    """Return the alternatives with equalities of one value, and many fragments of one text, each at the place of their first."""
    equal: dict[tuple[Value, bool], list[str]] = {}
    held: dict[Value, list[str]] = {}
    for item in items:
        if isinstance(item, TextIs) and item.op is TextOp.EQUALS:
            equal.setdefault((item.value, item.cased), []).append(item.literal)
        elif isinstance(item, HoldsFragment):
            held.setdefault(item.value, []).append(item.fragment)
    found: dict[Condition | OneOf, None] = {}
    for item in items:
        together: Condition | OneOf = item
        if isinstance(item, TextIs) and item.op is TextOp.EQUALS and len(equal[item.value, item.cased]) > 1:
            together = OneOf(value=item.value, literals=tuple(equal[item.value, item.cased]), cased=item.cased)
        elif isinstance(item, HoldsFragment) and len(held[item.value]) >= MANY:
            together = HoldsAny(value=item.value, fragments=tuple(held[item.value]))
        found[together] = None
    return tuple(found)
