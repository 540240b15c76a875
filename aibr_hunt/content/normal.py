"""The normal form of what a rule or correlation asks: equal for two that differ in names, aliases, letters and order only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import Binder, binder_of
from aibr_hunt.meaning.fold import fold
from aibr_hunt.model.codec import Plain, predicate_to_plain
from aibr_hunt.model.correlation import Both, Correlation, CorrelationType, Either, Has, KeyField, Lacks, Operand, TemporalCondition
from aibr_hunt.model.correlation import normal_form as normal_condition
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.predicate import And, FieldRef, Keyword, Not, Or, Predicate, Text, Together
from aibr_hunt.model.rule import LogSource, Rule

# The order of what is counted tells something in these only.
_ORDERED: Final = frozenset((CorrelationType.TEMPORAL_ORDERED,))


class Forms:
    """Normal forms of rules and correlations, as texts that are equal for equal meanings.

    Args:
        rules: Rules by id: those of the correlations too.
        correlations: Correlations by id: those that serve others too.
        mapping_for: Gives the mapping of a log source.
    """

    def __init__(
        self, rules: Mapping[str, Rule], correlations: Mapping[str, Correlation], *, mapping_for: Callable[[LogSource], LogMapping | None]
    ) -> None:
        """Remember what there is."""
        self.rules = rules
        self.correlations = correlations
        self.mapping_for = mapping_for
        self._known: dict[str, str] = {}

    def of(self, ident: str) -> str:
        """Return the normal form of a rule or correlation, by its id."""
        if ident not in self._known:
            rule = self.rules.get(ident)
            self._known[ident] = self._of_rule(rule) if rule is not None else self._of_correlation(self.correlations[ident])
        return self._known[ident]

    def _of_rule(self, rule: Rule) -> str:
        mapping = self.mapping_for(rule.logsource)
        source = str(rule.logsource) if mapping is None else mapping.name
        return f"{source} {normal_form(rule.predicate, mapping)}"

    def _of_correlation(self, correlation: Correlation) -> str:
        is_ordered = correlation.type in _ORDERED
        operands = [self.of(each.id) for each in correlation.operands]
        whole: dict[str, Plain] = {
            "type": correlation.type.value,
            "operands": [*(operands if is_ordered else sorted(operands))],
            "population": None if correlation.population is None else self.of(correlation.population.id),
            "group": [*sorted(_text(self._field(field, correlation)) for field in correlation.group_by)],
            "values": [*sorted(_text(self._field(field, correlation)) for field in correlation.values)],
            "condition": None if correlation.condition is None else self._condition(correlation),
            "thresholds": [*sorted(f"{each.comparison.value} {each.number.normalize()}" for each in correlation.thresholds)],
            "percentile": None if correlation.percentile is None else str(correlation.percentile.normalize()),
            "times": [correlation.timespan_us, correlation.lookback_us, correlation.minimum],
            "listed": [*sorted(map(fold, correlation.listed))],
        }
        return _text(whole)

    def _field(self, field: KeyField, correlation: Correlation) -> Plain:
        """Return where a field lies in the events of each source."""
        return [*sorted(_text([self.of(source.id), self._key(field, source)]) for source in correlation.sources)]

    def _key(self, field: KeyField, source: Operand) -> str:
        name = field.of(source.name)
        if source.is_correlation:
            inner = self.correlations[source.id]
            grouped = next((each for each in inner.group_by if each.name == name), None)
            return name if grouped is None else _text(self._field(grouped, inner))
        return _key(name, binder_of(self.mapping_for(self.rules[source.id].logsource)))

    def _condition(self, correlation: Correlation) -> str:
        forms = {each.name: self.of(each.id) for each in correlation.operands}
        condition = correlation.condition
        return "" if condition is None else _text(_condition(normal_condition(condition), forms))


def normal_form(predicate: Predicate, mapping: LogMapping | None) -> str:
    """Return the normal form of a predicate on a mapping, as a text."""
    return _text(_normal(predicate, binder_of(mapping)))


def _normal(predicate: Predicate, binder: Binder, *, is_negated: bool = False) -> Plain:
    match predicate:
        case Not(item=item):
            return _normal(item, binder, is_negated=not is_negated)
        case And(items=items):
            return _several("or" if is_negated else "and", [_normal(item, binder, is_negated=is_negated) for item in items])
        case Or(items=items):
            return _several("and" if is_negated else "or", [_normal(item, binder, is_negated=is_negated) for item in items])
        case Together(items=pairs):
            return _several("or" if is_negated else "and", list(_apart(pairs, binder, is_negated=is_negated)))
        case _:
            plain = predicate_to_plain(_folded(predicate, binder))
            return ["not", plain] if is_negated else plain


def _apart(pairs: Sequence[tuple[str, Predicate]], binder: Binder, *, is_negated: bool) -> Iterator[Plain]:
    """Yield each item of a selection map by itself; those that could share an element of a list stay together."""
    groups: dict[str, list[Predicate]] = {}
    for name, item in pairs:
        groups.setdefault(_key(name, binder).split(".")[0], []).append(item)
    for items in groups.values():
        if len(items) == 1:
            yield _normal(items[0], binder, is_negated=is_negated)
            continue
        shared = _several("together", [_normal(item, binder) for item in items])
        yield ["not", shared] if is_negated else shared


def _several(word: str, items: Iterable[Plain]) -> Plain:
    flat: list[Plain] = []
    for item in items:
        flat += item[1:] if isinstance(item, list) and item and item[0] == word else [item]
    found: dict[str, Plain] = {_text(item): item for item in flat}
    return next(iter(found.values())) if len(found) == 1 else [word, *(found[text] for text in sorted(found))]


def _folded(leaf: Predicate, binder: Binder) -> Predicate:
    """Return a leaf with its field's canonical name, and with what is compared without case folded."""
    match leaf:
        case Text():
            pattern = tuple(part if leaf.cased or part.__class__ is not str else fold(part) for part in leaf.pattern)
            literal = leaf.literal if leaf.cased else fold(leaf.literal)
            return replace(leaf, field=_key(leaf.field, binder), literal=literal, pattern=pattern)
        case FieldRef():
            return replace(leaf, field=_key(leaf.field, binder), other=_key(leaf.other, binder))
        case Keyword():
            return replace(leaf, pattern=tuple(part if leaf.cased or part.__class__ is not str else fold(part) for part in leaf.pattern))
        case And() | Or() | Not() | Together():
            return leaf
        case _:
            return replace(leaf, field=_key(leaf.field, binder))


def _key(name: str, binder: Binder) -> str:
    try:
        return binder.field(name).key
    except Unsupported:
        return name  # the check of fields names it


def _condition(condition: TemporalCondition, forms: Mapping[str, str]) -> Plain:
    match condition:
        case Has(operand=operand):
            return ["has", forms.get(operand, operand)]
        case Lacks(item=item):
            return ["not", _condition(item, forms)]
        case Both(items=items):
            return _several("and", [_condition(item, forms) for item in items])
        case Either(items=items):
            return _several("or", [_condition(item, forms) for item in items])


def _text(plain: Plain) -> str:
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)
