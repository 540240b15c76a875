"""A Predicate on one layout, as Bounds: what follows from it, what it follows from, and where it can be said exactly.

docs/meaning.md section 8: each leaf is exact or a pair (must, may) with must ⇒ leaf ⇒ may; `not` swaps the pair, `and` and `or` act on
each side. Two pairs are kept. The *sieve* pair holds whatever shape a row has. The *whole* pair says the rule itself: it assumes that paths
which no mapping declares meet no list and no object, and differs from the rule only on letters on which engines differ (section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import assert_never

from aibr_hunt.meaning.bind import check_bindable
from aibr_hunt.meaning.leafbounds import Asked, LeafBounds, bounds_of_keyword, bounds_of_leaf, bounds_of_reference
from aibr_hunt.meaning.places import Access, Locator
from aibr_hunt.model.condition import NO, YES, Condition, Value, any_element, both, either, negated
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.predicate import And, FieldRef, Keyword, Leaf, Not, Or, Predicate, Together

Context = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A predicate on one layout.

    Attributes:
        must: Implies the predicate on every row.
        may: Is implied by the predicate on every row: the sieve, when the predicate is a rule's.
        low: As `must`, within what `assumptions` say; differs from the rule at most on odd letters. None: the rule cannot be said whole.
        high: As `may`, likewise: the whole predicate, when it is a rule's.
        obstacles: The constructs for which the rule cannot be said whole on this layout.
        assumptions: What the whole form takes for granted, one sentence each.
    """

    must: Condition
    may: Condition
    low: Condition | None
    high: Condition | None
    obstacles: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def bounds_of(predicate: Predicate, locator: Locator) -> Bounds:
    """Return the bounds of a rule's predicate on the locator's layout.

    Raises:
        Unsupported: The mapping does not define a field, the layout does not carry it, or a test cannot be asked of it.
    """
    check_bindable(predicate, locator.binder)
    return _bounds(predicate, (), locator)


def _bounds(predicate: Predicate, context: Context, locator: Locator) -> Bounds:
    match predicate:
        case And(items=items):
            return _all([_bounds(item, context, locator) for item in items])
        case Or(items=items):
            return _any([_bounds(item, context, locator) for item in items])
        case Not(item=item):
            return _not(_bounds(item, context, locator))
        case Together(items=pairs):
            return _together(pairs, context, locator)
        case _:
            return _leaf(predicate, context, locator)
    assert_never(predicate)


def _merged(parts: Iterable[Bounds], join: Callable[..., Condition]) -> Bounds:
    parts = list(parts)
    lows = [part.low for part in parts if part.low is not None]
    highs = [part.high for part in parts if part.high is not None]
    is_whole = len(lows) == len(highs) == len(parts)
    return Bounds(
        must=join(*(part.must for part in parts)),
        may=join(*(part.may for part in parts)),
        low=join(*lows) if is_whole else None,
        high=join(*highs) if is_whole else None,
        obstacles=tuple(dict.fromkeys(each for part in parts for each in part.obstacles)),
        assumptions=tuple(dict.fromkeys(each for part in parts for each in part.assumptions)),
    )


def _all(parts: Sequence[Bounds]) -> Bounds:
    return _merged(parts, both)


def _any(parts: Sequence[Bounds]) -> Bounds:
    return _merged(parts, either)


def _not(part: Bounds) -> Bounds:
    return Bounds(
        must=negated(part.may),
        may=negated(part.must),
        low=None if part.high is None else negated(part.high),
        high=None if part.low is None else negated(part.low),
        obstacles=part.obstacles,
        assumptions=part.assumptions,
    )


def _together(pairs: tuple[tuple[str, Predicate], ...], context: Context, locator: Locator) -> Bounds:
    """Return the bounds of a selection map: items that share an array are asked of one and the same element of it."""
    groups: dict[Value | None, list[tuple[str, Predicate]]] = {}
    for field, item in pairs:
        accesses = locator.access(field)
        own = accesses[0].arrays[len(context) :] if len(accesses) == 1 and accesses[0].arrays[: len(context)] == context else ()
        groups.setdefault(own[0] if own else None, []).append((field, item))
    parts: list[Bounds] = []
    for array, group in groups.items():
        if array is None or len(group) == 1:
            parts += [_bounds(item, context, locator) for _, item in group]
        else:
            parts.append(_shared(array, tuple(group), context=context, locator=locator))
    return _all(parts)


def _shared(array: Value, group: tuple[tuple[str, Predicate], ...], *, context: Context, locator: Locator) -> Bounds:
    """Return the bounds of items that one element of `array` must meet together."""
    if all(_holds_on_blank(item) for _, item in group):
        # A list without elements is one missing element, on which these items hold: no engine form tells that apart.
        return _unknown("a selection on list elements that a missing element meets")
    if locator.layout.engine is EngineKind.KQL:
        inner = _all([_bounds(item, context, locator) for _, item in group if not _holds_on_blank(item)])
        return _unknown("a list in KQL", may=inner.may)
    inner = _together(group, (*context, array), locator)
    number = len(context) + 1
    return Bounds(
        must=any_element(array, number, inner.must),
        may=any_element(array, number, inner.may),
        low=None if inner.low is None else any_element(array, number, inner.low),
        high=None if inner.high is None else any_element(array, number, inner.high),
        obstacles=inner.obstacles,
        assumptions=inner.assumptions,
    )


def _unknown(obstacle: str, may: Condition = YES) -> Bounds:
    return Bounds(must=NO, may=may, low=None, high=None, obstacles=(obstacle,))


def _holds_on_blank(predicate: Predicate) -> bool:
    """True when the predicate is true where every field is blank."""
    match predicate:
        case And(items=items):
            return all(map(_holds_on_blank, items))
        case Or(items=items):
            return any(map(_holds_on_blank, items))
        case Together(items=pairs):
            return all(_holds_on_blank(item) for _, item in pairs)
        case Not(item=item):
            return not _holds_on_blank(item)
        case _:
            return False


def _leaf(leaf: Leaf, context: Context, locator: Locator) -> Bounds:
    if isinstance(leaf, Keyword):
        return _bounds_of_test(bounds_of_keyword(leaf, locator))
    spec = locator.binder.field(leaf.field)
    parts: list[Bounds] = []
    for access in locator.access(leaf.field):
        if isinstance(leaf, FieldRef):
            parts += [_reference(leaf, access, other, context=context, locator=locator) for other in locator.access(leaf.other)]
        else:
            parts.append(
                _opened(
                    bounds_of_leaf(leaf, Asked(access=access, field=spec, engine=locator.layout.engine)),
                    access,
                    context=context,
                    locator=locator,
                )
            )
    return _any(parts)


def _reference(leaf: FieldRef, access: Access, other: Access, *, context: Context, locator: Locator) -> Bounds:
    if other.arrays not in {(), context}:
        return _unknown("a field reference into a list")
    specs = (locator.binder.field(leaf.field), locator.binder.field(leaf.other))
    return _opened(bounds_of_reference(leaf, (access, other), specs), access, context=context, locator=locator)


def _bounds_of_test(found: LeafBounds) -> Bounds:
    return Bounds(
        must=found.must,
        may=found.may,
        low=found.low,
        high=found.high,
        obstacles=found.obstacles,
        assumptions=found.assumptions,
    )


def _opened(found: LeafBounds, access: Access, *, context: Context, locator: Locator) -> Bounds:
    """Return a test on the value at the end of arrays as a test on the row, or on the element that `context` has opened."""
    test = _bounds_of_test(found)
    arrays = access.arrays[len(context) :] if access.arrays[: len(context)] == context else access.arrays
    if not arrays:
        return test
    if locator.layout.engine is EngineKind.KQL:
        # KQL has no test on "some element" that works inside and, or and not: what is asked of an element is asked of the list's text.
        return _unknown("a list in KQL", may=test.may if _is_on_row(found, access) else YES)
    first = len(access.arrays) - len(arrays)
    numbered = list(enumerate(arrays, first + 1))

    def wrapped(body: Condition | None, outside: int = 0) -> Condition | None:
        return (
            None
            if body is None
            else reduce(lambda inner, each: any_element(each[1], each[0], inner), reversed(numbered[: len(arrays) - outside]), body)
        )

    # Where the sieve asks the text of a whole column, no element need be opened for it.
    may = wrapped(test.may, len(arrays) - max(0, access.root_depth - first) if found.asks_root else 0)
    return Bounds(
        must=wrapped(test.must) or NO,
        may=may or NO,
        low=wrapped(test.low),
        high=wrapped(test.high),
        obstacles=test.obstacles,
        assumptions=test.assumptions,
    )


def _is_on_row(found: LeafBounds, access: Access) -> bool:
    return found.asks_root and access.root_depth == 0
