"""Why a rule is true or false on one event: its Predicate as a tree, each node with its answer, each leaf with the values that it read.

Answers come from the matcher's own functions, so the tree cannot say anything else than the matcher does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from aibr_hunt.meaning.bind import Binder, BoundField, binder_of
from aibr_hunt.meaning.leaf import Locate, compile_leaf
from aibr_hunt.meaning.match import _below, _cut_at, _parsed, compile_predicate
from aibr_hunt.meaning.view import View, member_of, opened, scalars
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath, Mapping
from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Leaf,
    Not,
    Or,
    Order,
    Predicate,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
    Together,
)

ALL: Final = "all of"
ANY: Final = "any of"
NOT: Final = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One node of a Predicate on one event.

    Attributes:
        what: `all of`, `any of`, `not`, `one element of x`, or what a leaf asks.
        holds: What the matcher says of it.
        items: Nodes below it.
        is_leaf: True when it reads values itself.
        values: What a leaf read, in the order of the event; none when the field is blank. Of a keyword: the values that hold it.
        note: Which element of a list was looked at; empty elsewhere.
    """

    what: str
    holds: bool
    items: tuple[Explained, ...] = ()
    is_leaf: bool = False
    values: tuple[Json, ...] = ()
    note: str = ""


def explain(predicate: Predicate, event: Json, mapping: Mapping | None) -> Explained:
    """Return the tree of a Predicate on an event.

    Args:
        predicate: The rule's.
        event: The record.
        mapping: Where fields lie; None takes them as written.

    Raises:
        Unsupported: A field that the mapping does not define, or a test that cannot be asked of it.
    """
    binder = binder_of(mapping)
    answer = compile_predicate(predicate, binder)(View(event))
    found = _Explainer(binder).node(predicate, View(event), binder.field)
    if found.holds is not answer:
        raise AssertionError("an explanation must say what the matcher says")
    return found


class _Explainer:
    """Walks a Predicate beside the matcher."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder

    def node(self, predicate: Predicate, view: View, locate: Locate) -> Explained:
        """Return the node of a Predicate on a View; `locate` gives fields relative to it."""
        match predicate:
            case And(items=items):
                return _all([self.node(item, view, locate) for item in items])
            case Or(items=items):
                parts = tuple(self.node(item, view, locate) for item in items)
                return parts[0] if len(parts) == 1 else Explained(what=ANY, holds=any(part.holds for part in parts), items=parts)
            case Not(item=item):
                inner = self.node(item, view, locate)
                return Explained(what=NOT, holds=not inner.holds, items=(inner,))
            case Together(items=pairs):
                return self._together(pairs, view, locate)
            case _:
                return self._leaf(predicate, view, locate)
        assert_never(predicate)

    def _leaf(self, leaf: Leaf, view: View, locate: Locate) -> Explained:
        holds = compile_leaf(leaf, locate, self._binder)(view)
        return Explained(what=asked_by(leaf), holds=holds, is_leaf=True, values=tuple(self._values(leaf, view, locate)))

    def _values(self, leaf: Leaf, view: View, locate: Locate) -> Sequence[Json]:
        if isinstance(leaf, FieldRef):
            return [*view.values(locate(leaf.field)), *view.values(locate(leaf.other))]
        if not isinstance(leaf, Keyword):
            return view.values(locate(leaf.field))
        names = () if self._binder.mapping is None else self._binder.mapping.keywords
        read = [value for name in names for value in view.values(self._binder.field(name))] if names else [view.root]
        # Of all that a keyword reads, only what holds it is worth showing.
        test = compile_leaf(leaf, locate, Binder(None))
        return [scalar for value in read for scalar in scalars(value) if test(View(scalar))]

    # -- selection maps: as match._compile_together groups them -----------------------------------------------------

    def _together(self, pairs: tuple[tuple[str, Predicate], ...], view: View, locate: Locate) -> Explained:
        bound = [(locate(name), item) for name, item in pairs]
        alone = [self.node(item, view, locate) for field, item in bound if len(field.paths) != 1]
        shared = [(field, item) for field, item in bound if len(field.paths) == 1]
        return _all([*self._group(shared, (), view=view, locate=locate), *alone])

    def _group(self, items: list[tuple[BoundField, Predicate]], prefix: FieldPath, *, view: View, locate: Locate) -> list[Explained]:
        """Return the nodes of items on a View of what lies at `prefix`."""
        depth = len(prefix)
        found: list[Explained] = []
        members: dict[str | None, list[tuple[BoundField, Predicate]]] = {}
        for field, item in items:
            path = field.paths[0]
            members.setdefault(path[depth] if len(path) > depth else None, []).append((field, item))
        for member, group in members.items():
            if member is None or len(group) == 1:
                found += [self.node(item, view, _below(locate, prefix)) for _, item in group]
                continue
            times = max(_cut_at(field, depth + 1) for field, _ in group)
            ending = [pair for pair in group if times and len(pair[0].paths[0]) == depth + 1]
            going_on = [pair for pair in group if pair not in ending]
            for part, parse_times in ((ending, 0), (going_on, times)):
                if part:
                    found += self._on_one_element(part, (*prefix, member), view=view, locate=locate, parse_times=parse_times)
        return found

    def _on_one_element(
        self, items: list[tuple[BoundField, Predicate]], prefix: FieldPath, *, view: View, locate: Locate, parse_times: int
    ) -> list[Explained]:
        value = member_of(view.root, prefix[-1])
        value = _parsed(value, parse_times) if parse_times else value

        def on(element: Json) -> list[Explained]:
            return self._group(items, prefix, view=View(element, view), locate=locate)

        if not isinstance(value, list):
            return on(value)
        elements = list(opened(value))
        tried = [on(element) for element in elements] or [on(None)]
        # The first element that meets all of them; where none does, the one that meets most.
        best = max(range(len(tried)), key=lambda index: (_is_met(tried[index]), sum(part.holds for part in tried[index]), -index))
        place = f"element {best + 1} of {len(elements)}" if elements else "the list holds no element"
        note = place if _is_met(tried[best]) or not elements else f"no element meets all; {place} comes nearest"
        return [Explained(what=f"one element of {'.'.join(prefix)}", holds=_is_met(tried[best]), items=tuple(tried[best]), note=note)]


def _is_met(parts: Sequence[Explained]) -> bool:
    return all(part.holds for part in parts)


def _all(parts: Sequence[Explained]) -> Explained:
    return parts[0] if len(parts) == 1 else Explained(what=ALL, holds=_is_met(parts), items=tuple(parts))


def asked_by(leaf: Leaf) -> str:
    """Return what a leaf asks, in the words of the rule's author."""
    match leaf:
        case Text():
            cased = " cased" if leaf.cased else ""
            literal = _plain(leaf.pattern) if leaf.op is TextOp.WILDCARD else leaf.literal
            return f"{leaf.field} {leaf.op.value}{cased} '{literal}'"
        case Regex():
            return f"{leaf.field} re{f'|{leaf.flags}' if leaf.flags else ''} '{leaf.pattern}'"
        case Cidr():
            return f"{leaf.field} cidr {leaf.network}"
        case Order():
            return f"{leaf.field} {leaf.op.value} {leaf.number}"
        case Exists():
            return f"{leaf.field} exists"
        case FieldRef():
            return f"{leaf.field} {leaf.op.value}{' cased' if leaf.cased else ''} the value of {leaf.other}"
        case TimeIs():
            return f"{leaf.part.value} of {leaf.field} {'is' if leaf.op is None else leaf.op.value} {leaf.number}"
        case Keyword():
            # A keyword is open on both ends; its author wrote what lies between.
            return f"keyword{' cased' if leaf.cased else ''} '{_plain(leaf.pattern[1:-1])}'"
    assert_never(leaf)


def _plain(pattern: Sequence[str | Star]) -> str:
    return "".join(part.value if isinstance(part, Star) else part for part in pattern)
