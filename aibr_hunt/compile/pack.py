"""Many rules in as few queries as an engine takes: no rule is dropped in silence, and none makes the sieve of others empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from aibr_hunt.compile.limits import LIMITS, Limits, list_key, terms_in
from aibr_hunt.compile.program import KQL_PRINTER, SQL_PRINTERS, Asking, rule_bounds, sieve_query, whole_query
from aibr_hunt.compile.text import flat
from aibr_hunt.errors import AibrError, LimitExceeded, Unsupported
from aibr_hunt.meaning.narrow import is_empty, narrowed
from aibr_hunt.model.condition import Condition, Either, Value
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.query import Form, Query
from aibr_hunt.model.rule import Rule

# Estimated texts fill this share of a limit; lines are indented more in the company of others, by about that much.
_FILL: Final = 0.97
_INDENTED: Final = 1.1
# Rules that a header names, and what it says of one besides title and id.
_MOST_NAMED: Final = 20
_HEADING: Final = 75
_MAKERS: Final[dict[Form, Callable[[Sequence[Rule], Asking], Query]]] = {Form.WHOLE: whole_query, Form.SIEVE: sieve_query}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What became of rules.

    Attributes:
        queries: Each rule that is not refused is asked for by exactly one of them, in the order in which the rules were given.
        refused: Rules that no query asks for, and why.
        unsieved: Rules whose sieve lets every row through. Their query, the last one, reads the whole window.
    """

    queries: tuple[Query, ...]
    refused: tuple[tuple[Rule, AibrError], ...] = ()
    unsieved: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A rule that can be asked, with the condition that its query will hold and how long that is as text, and in the header."""

    rule: Rule
    condition: Condition
    size: int
    header: int


def pack(rules: Sequence[Rule], asking: Asking, form: Form, *, limits: Limits | None = None) -> Packed:
    """Return queries that ask for all the rules that can be asked, few of them, none over the engine's limits.

    Args:
        rules: Of one log source, each with an id of its own.
        asking: Mapping, layout and span.
        form: WHOLE joins rules that can be said exactly, SIEVE what their sieves have in common.
        limits: What one query may hold; None for the engine's own limits.

    Raises:
        Unsupported: The span cannot be said on the layout, whatever the rule.
    """
    bound = limits or LIMITS[asking.layout.engine]
    refused: list[tuple[Rule, AibrError]] = []
    found: list[_Candidate] = []
    for rule in rules:
        try:
            found.append(_candidate(rule, asking, form))
        except Unsupported as refusal:
            refused.append((rule, refusal))
    unsieved = tuple(each.rule for each in found if form is Form.SIEVE and is_empty(each.condition))
    kept = [each for each in found if each.rule not in unsieved]
    queries: list[Query] = []
    for made in (_fitting(kept, asking, form, limits=bound), _fitting_halves(unsieved, asking, form, limits=bound)):
        for each in made:
            if isinstance(each, Query):
                queries.append(each)
            else:
                refused.append(each)
    return Packed(queries=tuple(queries), refused=tuple(refused), unsieved=unsieved)


def bisect(rules: Sequence[Rule], asking: Asking, form: Form) -> tuple[Query, Query]:
    """Return the rules of a query that an engine found too complex, half of them in each of two queries.

    Raises:
        LimitExceeded: There is only one rule.
    """
    if len(rules) < 2:
        names = ", ".join(rule.name for rule in rules)
        raise LimitExceeded(
            f"The rule {names} alone is too complex for {asking.layout.engine.value}.",
            hint="Split it, ask a shorter form, or hunt it on files.",
        )
    half = (len(rules) + 1) // 2
    make = _MAKERS[form]
    return make(rules[:half], asking), make(rules[half:], asking)


def _candidate(rule: Rule, asking: Asking, form: Form) -> _Candidate:
    bounds = rule_bounds(rule, asking.locator)
    if form is Form.SIEVE:
        condition = narrowed(bounds.may, asking.locator.weights)
    elif bounds.high is not None:
        condition = bounds.high
    else:
        whole_query([rule], asking)
        raise AssertionError("it says what stands in the way")
    printer = KQL_PRINTER if asking.layout.engine is EngineKind.KQL else SQL_PRINTERS[asking.layout.engine]
    size, header = len(flat(printer.condition(condition)).encode()), len(f"{rule.title}{rule.id}".encode()) + _HEADING
    return _Candidate(rule=rule, condition=condition, size=size, header=header)


_Made = Query | tuple[Rule, AibrError]


def _fitting(found: Sequence[_Candidate], asking: Asking, form: Form, *, limits: Limits) -> Iterator[_Made]:
    """Yield queries within the limits, in the order of the rules, and each rule that is too long even alone."""
    if not found:
        return
    whole: int | None = None
    if limits.terms is None or _Load.of(found).terms <= limits.terms:
        query = _MAKERS[form]([each.rule for each in found], asking)
        if limits.admits(query):
            yield query
            return
        whole = limits.length(query)
    alone = limits.length(_MAKERS[form]([found[0].rule], asking))
    estimate = _Estimate.fitted(found, alone=alone, whole=whole)
    for group in _groups(found, limits, estimate):
        yield from _fitting_halves([each.rule for each in group], asking, form, limits=limits)


def _fitting_halves(rules: Sequence[Rule], asking: Asking, form: Form, *, limits: Limits) -> Iterator[_Made]:
    """Yield the query of all the rules, or, where its text is too long, those of its halves."""
    if not rules:
        return
    query = _MAKERS[form](rules, asking)
    if limits.admits(query):
        yield query
    elif len(rules) == 1:
        what = f"The rule {rules[0].name} has a text of {limits.length(query):,} {limits.unit.value} on {asking.layout.label}"
        hint = "Split its lists of values over several rules, or hunt it on files."
        yield rules[0], LimitExceeded(f"{what}: {limits.taker} takes {limits.text:,}.", hint=hint)
    else:
        half = (len(rules) + 1) // 2
        for part in (rules[:half], rules[half:]):
            yield from _fitting_halves(part, asking, form, limits=limits)


def _groups(found: Sequence[_Candidate], limits: Limits, estimate: _Estimate) -> Iterator[list[_Candidate]]:
    """Yield neighbours as many at a time as fit by estimate."""
    group: list[_Candidate] = []
    load = _Load()
    for each in found:
        grown = load.with_(each)
        is_too_long = limits.text is not None and estimate.length(grown) > limits.text * _FILL
        if group and (is_too_long or (limits.terms is not None and grown.terms > limits.terms)):
            yield group
            group, grown = [], _Load().with_(each)
        group.append(each)
        load = grown
    yield group


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """What a group holds so far: rules, characters of conditions and of the header, single tests, and lists of values."""

    rules: int = 0
    size: int = 0
    header: int = 0
    single: int = 0
    lists: frozenset[tuple[Value, bool]] = frozenset()

    @classmethod
    def of(cls, found: Sequence[_Candidate]) -> _Load:
        return reduce(cls.with_, found, cls())

    def with_(self, added: _Candidate) -> _Load:
        """Return the load with one rule more: a list that is there already costs no further term."""
        items = added.condition.items if isinstance(added.condition, Either) else (added.condition,)
        keys = [list_key(item) for item in items]
        return _Load(
            rules=self.rules + 1,
            size=self.size + added.size,
            header=self.header + (added.header if self.rules < _MOST_NAMED else 0),
            single=self.single + sum(terms_in(item) for item, key in zip(items, keys, strict=True) if key is None),
            lists=self.lists | {key for key in keys if key is not None},
        )

    @property
    def terms(self) -> int:
        return self.single + len(self.lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Estimate:
    """How long a group's text will be: a frame, the header, and of its conditions the share that is not common to several."""

    frame: float
    share: float

    @classmethod
    def fitted(cls, found: Sequence[_Candidate], *, alone: int, whole: int | None) -> _Estimate:
        """Return the estimate that is right for the first rule alone and, where that text was made, for all of them."""
        first, every = _Load.of(found[:1]), _Load.of(found)
        frame = alone - first.size - first.header
        share = _INDENTED if whole is None else (whole - frame - every.header) / every.size
        return cls(frame=frame, share=share)

    def length(self, load: _Load) -> float:
        return self.frame + load.header + self.share * load.size
