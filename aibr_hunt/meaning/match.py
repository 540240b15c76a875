"""Decides, exactly, which rules an event meets: the one place where a rule's meaning is executed.

Rules are compiled once. A rule that cannot match without a certain value in a certain field is only tried on events
that hold such a value, so an event costs what its own candidate rules cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias, assert_never

from aibr_hunt.meaning.bind import Binder, BoundField, binder_of, check_bindable
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.leaf import Locate, Test, compile_leaf
from aibr_hunt.meaning.scalar import canonical_number
from aibr_hunt.meaning.view import View, member_of, opened, parsed_text
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath, Mapping
from aibr_hunt.model.predicate import And, Not, Or, Predicate, Text, TextOp, Together
from aibr_hunt.model.rule import Rule

Anchors: TypeAlias = dict[str, frozenset[str]]


def compile_predicate(predicate: Predicate, binder: Binder) -> Test:
    """Return the predicate as a function of the View of a whole record.

    Raises:
        Unsupported: A field that the mapping does not define, or a test that cannot be asked of it.
    """
    check_bindable(predicate, binder)
    return _compile(predicate, binder.field, binder)


def _compile(predicate: Predicate, locate: Locate, binder: Binder) -> Test:
    match predicate:
        case And(items=items):
            return _all_of([_compile(item, locate, binder) for item in items])
        case Or(items=items):
            return _compile_or(items, locate, binder)
        case Not(item=item):
            test = _compile(item, locate, binder)
            return lambda view: not test(view)
        case Together(items=pairs):
            return _compile_together(pairs, locate, binder)
        case _:
            return compile_leaf(predicate, locate, binder)
    assert_never(predicate)


def _all_of(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda view: first(view) and second(view)
    return lambda view: all(test(view) for test in tests)


def _any_of(tests: Sequence[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda view: any(test(view) for test in tests)


def _compile_or(items: tuple[Predicate, ...], locate: Locate, binder: Binder) -> Test:
    """Return the alternatives as one test; plain values of one field are looked up in a set."""
    sets: dict[str, tuple[BoundField, set[str]]] = {}
    tests: list[Test] = []
    for item in items:
        if isinstance(item, Text) and item.op is TextOp.EQUALS and not item.cased and canonical_number(item.literal) is None:
            field = locate(item.field)
            sets.setdefault(field.key, (field, set()))[1].add(fold(item.literal))
        else:
            tests.append(_compile(item, locate, binder))
    return _any_of([*(_is_one_of(field, frozenset(wanted)) for field, wanted in sets.values()), *tests]) if items else lambda _: False


def _is_one_of(field: BoundField, wanted: frozenset[str]) -> Test:
    return lambda view: not wanted.isdisjoint(view.folded(field))


def _compile_together(pairs: tuple[tuple[str, Predicate], ...], locate: Locate, binder: Binder) -> Test:
    """Return a selection map as one test: fields that share a list are tested on one element of it (docs/meaning.md section 1).

    A field with several places in the record has no one list to share: it binds on its own.
    """
    alone: list[Test] = []
    shared: list[tuple[BoundField, Predicate]] = []
    for name, item in pairs:
        field = locate(name)
        if len(field.paths) == 1:
            shared.append((field, item))
        else:
            alone.append(_compile(item, locate, binder))
    return _all_of(_group(shared, (), locate=locate, binder=binder) + alone)


def _group(items: list[tuple[BoundField, Predicate]], prefix: FieldPath, *, locate: Locate, binder: Binder) -> list[Test]:
    """Return tests on a View of what lies at `prefix`; items that go on through one member are tested together below it."""
    depth = len(prefix)
    groups: dict[str | None, list[tuple[BoundField, Predicate]]] = {}
    for field, item in items:
        path = field.paths[0]
        groups.setdefault(path[depth] if len(path) > depth else None, []).append((field, item))
    tests: list[Test] = []
    for member, group in groups.items():
        if member is None or len(group) == 1:
            tests += [_compile(item, _below(locate, prefix), binder) for _, item in group]
            continue
        times = max(_cut_at(field, depth + 1) for field, _ in group)
        # Where a text is opened as JSON, items on the text itself and items below it look at different values.
        ending = [pair for pair in group if times and len(pair[0].paths[0]) == depth + 1]
        going_on = [pair for pair in group if pair not in ending]
        for part, parse_times in ((ending, 0), (going_on, times)):
            if part:
                inner = _all_of(_group(part, (*prefix, member), locate=locate, binder=binder))
                tests.append(_on_one_element(member, inner, parse_times=parse_times))
    return tests


def _cut_at(field: BoundField, depth: int) -> int:
    """Return how many times a text that lies `depth` members deep on the field's path is parsed as JSON."""
    return dict(field.json_cuts[0]).get(depth, 0) if field.json_cuts else 0


def _below(locate: Locate, prefix: FieldPath) -> Locate:
    """Return a `locate` for a View of what lies at `prefix`.

    A field that parts from the prefix earlier is read from the View where it does: the same element of the lists that
    it shares, any element of the others.
    """
    if not prefix:
        return locate

    def lower(name: str) -> BoundField:
        field = locate(name)
        if len(field.paths) > 1:
            return replace(field, key=f"0:{field.key}", levels_up=len(prefix))
        path, common = field.paths[0], 0
        while common < min(len(path), len(prefix)) and path[common] == prefix[common]:
            common += 1
        cuts = tuple((at - common, times) for at, times in (field.json_cuts[0] if field.json_cuts else ()) if at > common)
        return replace(
            field, key=f"{common}:{field.key}", paths=(path[common:],), json_cuts=(cuts,) if cuts else (), levels_up=len(prefix) - common
        )

    return lower


def _on_one_element(member: str, test: Test, *, parse_times: int) -> Test:
    """Return a test that some element of the list at `member` passes; a value that is no list is its own one element."""

    def holds(view: View) -> bool:
        value = member_of(view.root, member)
        if parse_times:
            value = _parsed(value, parse_times)
        if not isinstance(value, list):
            return test(View(value, view))
        elements = list(opened(value))
        return any(test(View(element, view)) for element in elements) if elements else test(View(None, view))

    return holds


def _parsed(value: Json, times: int) -> Json:
    """Return what a JSON text holds, or a list of what each text in a list holds."""
    if isinstance(value, list):
        return [parsed_text(element, times) for element in opened(value)]
    return parsed_text(value, times)


def anchors(predicate: Predicate, binder: Binder) -> Anchors:
    """Return, by field key, value sets of which one must occur (folded) for the predicate to be true; maybe none."""
    match predicate:
        case And(items=items):
            return _narrowest([anchors(item, binder) for item in items])
        case Together(items=pairs):
            return _narrowest([anchors(item, binder) for _, item in pairs])
        case Or(items=items):
            found = [anchors(item, binder) for item in items]
            common = set(found[0]).intersection(*found[1:]) if found else set()
            return {key: frozenset().union(*(each[key] for each in found)) for key in common}
        case Text(op=TextOp.EQUALS) if canonical_number(predicate.literal) is None:
            return {binder.field(predicate.field).key: frozenset((fold(predicate.literal),))}
        case _:
            return {}


def _narrowest(found: Iterable[Anchors]) -> Anchors:
    narrow: Anchors = {}
    for each in found:
        for key, values in each.items():
            if key not in narrow or len(values) < len(narrow[key]):
                narrow[key] = values
    return narrow


class RuleSet:
    """Rules compiled on one mapping. Made by `compile_rules`.

    Attributes:
        rules: The rules, in the order in which `match` numbers them.
        mapping: The mapping that their fields are bound on; None when taken as written.
    """

    def __init__(self, rules: Sequence[Rule], mapping: Mapping | None) -> None:
        """Compile every rule.

        Raises:
            Unsupported: A rule cannot be asked of this mapping; bind rules one at a time to learn which.
        """
        self.rules = tuple(rules)
        self.mapping = mapping
        binder = binder_of(mapping)
        self._tests = [compile_predicate(rule.predicate, binder) for rule in rules]
        self._always: list[int] = []
        self._index: dict[str, tuple[BoundField, dict[str, list[int]]]] = {}
        for number, rule in enumerate(rules):
            self._place(number, anchors(rule.predicate, binder), binder)

    def _place(self, number: int, found: Anchors, binder: Binder) -> None:
        if not found:
            self._always.append(number)
            return
        key, values = min(found.items(), key=lambda pair: (len(pair[1]) * binder.field(pair[0]).spec.sieve_weight, pair[0]))
        by_value = self._index.setdefault(key, (binder.field(key), {}))[1]
        for value in values:
            by_value.setdefault(value, []).append(number)

    def match(self, value: Json) -> tuple[int, ...]:
        """Return the numbers of the rules that the record meets, ascending."""
        view = View(value)
        return tuple(number for number in sorted(self.candidates(view)) if self._tests[number](view))

    def match_among(self, value: Json, numbers: Iterable[int]) -> tuple[int, ...]:
        """Return those of `numbers` whose rules the record meets, ascending."""
        view = View(value)
        return tuple(number for number in sorted(numbers) if self._tests[number](view))

    def candidates(self, view: View) -> set[int]:
        """Return the numbers of the rules that the record could meet, by their indexed fields."""
        found = set(self._always)
        for field, by_value in self._index.values():
            for text in view.folded(field):
                numbers = by_value.get(text)
                if numbers is not None:
                    found.update(numbers)
        return found

    @property
    def unanchored(self) -> tuple[int, ...]:
        """Numbers of the rules that are tried on every event."""
        return tuple(self._always)


def compile_rules(rules: Sequence[Rule], mapping: Mapping | None) -> RuleSet:
    """Return the rules, compiled and indexed.

    Args:
        rules: In the order in which `RuleSet.match` numbers them.
        mapping: The mapping to bind on; None takes fields as written.

    Raises:
        Unsupported: A rule cannot be asked of the mapping.
    """
    return RuleSet(rules, mapping)
