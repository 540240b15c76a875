"""Small changes to a rule's meaning, each of which its cases must notice.

A mutant removes or negates a test, drops a value, swaps `and` and `or`, changes a comparison, moves a number by one or
drops a flag. A mutant that answers every case as the rule does has survived: nothing guards that part of the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias

from aibr_hunt.meaning.scalar import canonical_number
from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Not,
    Or,
    Order,
    OrderOp,
    Predicate,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
    Together,
)

Builder: TypeAlias = Callable[[tuple[Predicate, ...]], Predicate]

_OPS: Final = (TextOp.EQUALS, TextOp.CONTAINS, TextOp.STARTSWITH, TextOp.ENDSWITH)
_NEXT_ORDER: Final = {OrderOp.LT: OrderOp.LTE, OrderOp.LTE: OrderOp.LT, OrderOp.GT: OrderOp.GTE, OrderOp.GTE: OrderOp.GT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed rule: what was done to it, in words that stay the same between runs, and the result."""

    what: str
    predicate: Predicate


def mutants_of(predicate: Predicate) -> tuple[Mutant, ...]:
    """Return every mutant, each changed meaning once."""
    found: dict[Predicate, Mutant] = {}
    for mutant in _mutants(predicate):
        if mutant.predicate != predicate:
            found.setdefault(mutant.predicate, mutant)
    return tuple(found.values())


def _mutants(predicate: Predicate) -> Iterator[Mutant]:
    match predicate:
        case And(items=items):
            yield Mutant(what=f"or for and: {describe(predicate)}", predicate=Or(items=items))
            yield from _of_items(items, lambda changed: And(items=changed))
        case Or(items=items):
            yield Mutant(what=f"and for or: {describe(predicate)}", predicate=And(items=items))
            yield from _of_items(items, lambda changed: Or(items=changed))
        case Together(items=pairs):
            yield Mutant(what=f"or for and: {describe(predicate)}", predicate=Or(items=tuple(item for _, item in pairs)))
            names = [name for name, _ in pairs]
            for index, (_, item) in enumerate(pairs):
                kept = tuple(pair for other, pair in enumerate(pairs) if other != index)
                yield Mutant(what=f"remove {describe(item)}", predicate=Together(items=kept))
                for mutant in _mutants(item):
                    changed = (*pairs[:index], (names[index], mutant.predicate), *pairs[index + 1 :])
                    yield Mutant(what=mutant.what, predicate=Together(items=changed))
        case Not(item=item):
            for mutant in _mutants(item):
                yield Mutant(what=mutant.what, predicate=Not(item=mutant.predicate))
        case _:
            yield Mutant(what=f"negate {describe(predicate)}", predicate=Not(item=predicate))
            yield from _of_leaf(predicate)


def _of_items(items: Sequence[Predicate], build: Builder) -> Iterator[Mutant]:
    for index, item in enumerate(items):
        rest = (*items[:index], *items[index + 1 :])
        if rest:
            yield Mutant(what=f"remove {describe(item)}", predicate=build(rest))
        for mutant in _mutants(item):
            yield Mutant(what=mutant.what, predicate=build((*items[:index], mutant.predicate, *items[index + 1 :])))


def _of_leaf(leaf: Predicate) -> Iterator[Mutant]:
    match leaf:
        case Text():
            yield from _of_text(leaf)
        case Regex():
            for flag in leaf.flags:
                yield Mutant(what=f"drop flag {flag} of {describe(leaf)}", predicate=replace(leaf, flags=leaf.flags.replace(flag, "")))
        case Order():
            yield Mutant(what=f"{_NEXT_ORDER[leaf.op].value} for {describe(leaf)}", predicate=replace(leaf, op=_NEXT_ORDER[leaf.op]))
            for step in (-1, 1):
                yield Mutant(what=f"{step:+d} on {describe(leaf)}", predicate=replace(leaf, number=_moved(leaf.number, step)))
        case TimeIs():
            for step in (-1, 1):
                yield Mutant(what=f"{step:+d} on {describe(leaf)}", predicate=replace(leaf, number=leaf.number + step))
        case FieldRef():
            yield from _of_reference(leaf)
        case Keyword(cased=True):
            yield Mutant(what=f"drop cased of {describe(leaf)}", predicate=replace(leaf, cased=False))
        case _:
            return


def _of_reference(leaf: FieldRef) -> Iterator[Mutant]:
    if leaf.cased:
        yield Mutant(what=f"drop cased of {describe(leaf)}", predicate=replace(leaf, cased=False))
    for op in _OPS:
        if op is not leaf.op:
            yield Mutant(what=f"{op.value} for {describe(leaf)}", predicate=replace(leaf, op=op))


def _of_text(leaf: Text) -> Iterator[Mutant]:
    if leaf.cased:
        yield Mutant(what=f"drop cased of {describe(leaf)}", predicate=replace(leaf, cased=False))
    if leaf.op is TextOp.WILDCARD:
        return
    for op in _OPS:
        if op is not leaf.op:
            yield Mutant(what=f"{op.value} for {describe(leaf)}", predicate=replace(leaf, op=op))
    if leaf.op is TextOp.EQUALS and canonical_number(leaf.literal) is not None:
        for step in (-1, 1):
            yield Mutant(what=f"{step:+d} on {describe(leaf)}", predicate=replace(leaf, literal=_moved(leaf.literal, step)))


def _moved(number: str, step: int) -> str:
    return format(Decimal(number) + step, "f")


def describe(predicate: Predicate) -> str:  # noqa: C901, PLR0911 - one branch a node of the closed tree
    """Return a predicate in a few words, as mutants and messages name it."""
    match predicate:
        case Text():
            return f"{predicate.field} {predicate.op.value} {_shown(predicate)!r}"
        case Regex():
            return f"{predicate.field} re {predicate.pattern!r}"
        case Cidr():
            return f"{predicate.field} cidr {predicate.network}"
        case Order():
            return f"{predicate.field} {predicate.op.value} {predicate.number}"
        case Exists():
            return f"{predicate.field} exists"
        case FieldRef():
            return f"{predicate.field} fieldref {predicate.other}"
        case TimeIs():
            return f"{predicate.field} {predicate.part.value} {'' if predicate.op is None else predicate.op.value + ' '}{predicate.number}"
        case Keyword():
            return f"keyword {''.join(str(part) for part in predicate.pattern)!r}"
        case Not(item=item):
            return f"not ({describe(item)})"
        case Together(items=pairs):
            return f"({' and '.join(describe(item) for _, item in pairs)})"
        case And(items=items):
            return f"({' and '.join(map(describe, items))})"
        case Or(items=items):
            shown = [describe(item) for item in items[:4]] + ([f"{len(items) - 4} more"] if len(items) > 4 else [])
            return f"({' or '.join(shown)})"


def _shown(leaf: Text) -> str:
    return (
        leaf.literal if leaf.op is not TextOp.WILDCARD else "".join(part.value if isinstance(part, Star) else part for part in leaf.pattern)
    )
