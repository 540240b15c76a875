"""Which rules an event can meet, told from its hot values alone: a necessary condition, decided by the matcher itself.

Of a rule's predicate only what the columns at hand can tell is kept; every other test is taken to hold (below a `not`: to fail). What is
left is implied by the rule, and the matcher decides it on a record that is made of the hot values and nothing else. No second reading of
the rules' meaning is involved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from aibr_hunt.engines.lake.hot import Cell, value_of
from aibr_hunt.engines.program import Part
from aibr_hunt.meaning.bind import Binder, binder_of
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath
from aibr_hunt.model.predicate import And, FieldRef, Keyword, Leaf, Not, Or, Predicate, Together

Paths = tuple[FieldPath, ...]


class Pruner:
    """Says of hot values which rules of a part an event with them can meet, as bits: bit n for rule n.

    Args:
        part: The rules of one log source.
    """

    def __init__(self, part: Part) -> None:
        """Work out nothing yet."""
        self.everything = (1 << len(part.rules)) - 1
        self._part = part
        self._columns: dict[Paths, _Columns] = {}

    def possible(self, paths: Paths, cells: Sequence[Cell]) -> int:
        """Return the rules that an event can meet which holds these values at these paths."""
        return self._at(paths).possible(tuple(cells))

    def told_by(self, paths: Paths) -> int:
        """Return the rules of which these paths can tell something."""
        return self.everything & ~self._at(paths).untold

    def _at(self, paths: Paths) -> _Columns:
        found = self._columns.get(paths)
        if found is None:
            found = self._columns[paths] = _Columns(self._part, paths)
        return found


class _Columns:
    """The rules as far as some columns can tell them."""

    def __init__(self, part: Part, paths: Paths) -> None:
        self._paths = paths
        binder = binder_of(part.mapping)
        self._numbers: list[int] = []
        self.untold = 0
        weak = []
        for number, rule in enumerate(part.rules):
            left = weakened(rule.predicate, frozenset(paths), binder)
            if left is True:
                self.untold |= 1 << number
            elif left is not False:
                self._numbers.append(number)
                weak.append(replace(rule, predicate=left))
        self._rules: RuleSet = compile_rules(weak, part.mapping)
        self._known: dict[tuple[Cell, ...], int] = {}

    def possible(self, cells: tuple[Cell, ...]) -> int:
        """Return the rules, a bit each, that a row with these cells may meet."""
        found = self._known.get(cells)
        if found is None:
            found = self.untold
            if self._numbers:
                for place in self._rules.match(_record(self._paths, cells)):
                    found |= 1 << self._numbers[place]
            self._known[cells] = found
        return found


def _record(paths: Paths, cells: tuple[Cell, ...]) -> dict[str, Json]:
    """Return a record that holds the values at their paths."""
    record: dict[str, Json] = {}
    for path, cell in zip(paths, cells, strict=True):
        if cell is None:
            continue
        inner = record
        for name in path[:-1]:
            below: dict[str, Json] = {}
            inner[name] = inner.get(name) or below
            found = inner[name]
            inner = found if isinstance(found, dict) else below  # never a scalar: nothing would lie below it
        inner[path[-1]] = value_of(cell)
    return record


def weakened(predicate: Predicate, known: frozenset[FieldPath], binder: Binder, *, unknown: bool = True) -> Predicate | bool:
    """Return what is left of a predicate when only the values at some paths are known; a truth when nothing is.

    Args:
        predicate: The whole of it, or a part.
        known: The paths. No list lies on the way to any of them.
        binder: Finds fields.
        unknown: What every other test is taken for: True gives what the predicate implies, False what implies it.
    """
    match predicate:
        case And(items=items):
            parts = [weakened(item, known, binder, unknown=unknown) for item in items]
            left = _left(parts, neutral=True)
            return left if isinstance(left, bool) else left[0] if len(left) == 1 else And(items=left)
        case Or(items=items):
            parts = [weakened(item, known, binder, unknown=unknown) for item in items]
            left = _left(parts, neutral=False)
            return left if isinstance(left, bool) else left[0] if len(left) == 1 else Or(items=left)
        case Together(items=pairs):
            # Without lists, items that share an element are items of one record.
            parts = [weakened(item, known, binder, unknown=unknown) for _, item in pairs]
            left = _left(parts, neutral=True)
            return left if isinstance(left, bool) else left[0] if len(left) == 1 else And(items=left)
        case Not(item=item):
            inner = weakened(item, known, binder, unknown=not unknown)
            return not inner if isinstance(inner, bool) else Not(item=inner)
        case _:
            return predicate if _is_known(predicate, known, binder) else unknown


def _left(parts: Iterable[Predicate | bool], *, neutral: bool) -> tuple[Predicate, ...] | bool:
    """Return the parts that are no truths; a truth when one decides, or none is left."""
    kept: list[Predicate] = []
    for part in parts:
        if not isinstance(part, bool):
            kept.append(part)
        elif part is not neutral:
            return part
    return tuple(kept) or neutral


def _is_known(leaf: Leaf, known: frozenset[FieldPath], binder: Binder) -> bool:
    if isinstance(leaf, Keyword):
        return False
    names = (leaf.field, leaf.other) if isinstance(leaf, FieldRef) else (leaf.field,)
    fields = [binder.field(name) for name in names]
    return all(known.issuperset(field.paths) and not field.json_cuts for field in fields)
