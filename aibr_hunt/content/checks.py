"""What `rules check` asks of a rule: that it can be trusted, tested and found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aibr_hunt.content.cases import Case, CaseFile
from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.mutants import Mutant, mutants_of
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import binder_of, check_bindable, leaves
from aibr_hunt.meaning.match import compile_predicate
from aibr_hunt.meaning.sieve import need_of
from aibr_hunt.meaning.view import View
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.predicate import And, Keyword, Not, Or, Predicate, Text, Together
from aibr_hunt.model.rule import Rule

MIN_HITS = 2
MIN_MISSES = 3
MIN_MISSES_SHIPPED = 4
MIN_SCORE = 0.95
MAX_EQUIVALENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found.

    Attributes:
        rule: The rule's path.
        check: Short name of the check, for filters and counts.
        what: What is wrong and what to do.
        is_error: False for advice.
    """

    rule: str
    check: str
    what: str
    is_error: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many mutants the cases notice: `killed` of `total`, those that survive by name; listed equivalents left out."""

    killed: int
    total: int
    survivors: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """Killed ÷ total, 1.0 when there is none."""
        return self.killed / self.total if self.total else 1.0


def check_rule(rule: Rule, mapping: LogMapping | None, *, catalogue: Catalogue, switches: Mapping[str, LogSwitch]) -> tuple[Finding, ...]:
    """Return what is wrong with a rule itself, its cases apart."""
    return tuple(
        Finding(rule=rule.path, check=check, what=what, is_error=is_error)
        for found in (_metadata(rule), _tags(rule, catalogue), _fields(rule, mapping), _requires(rule, switches), _sieve(rule, mapping))
        for check, what, is_error in found
    )


def about(thing: Rule | Correlation, catalogue: Catalogue, switches: Mapping[str, LogSwitch]) -> Iterator[tuple[str, str, bool]]:
    """Yield check, sentence and whether it is an error for what a rule or correlation says of itself."""
    yield from _metadata(thing)
    yield from _tags(thing, catalogue)
    yield from _requires(thing, switches)


def _metadata(rule: Rule | Correlation) -> Iterator[tuple[str, str, bool]]:
    for warning in rule.warnings:
        yield "metadata", f"{warning}.", True
    for name, value in (("description", rule.description), ("falsepositives", rule.falsepositives), ("tags", rule.tags)):
        if not value:
            yield "metadata", f"has no {name}.", False


def _tags(rule: Rule | Correlation, catalogue: Catalogue) -> Iterator[tuple[str, str, bool]]:
    for fault in catalogue.check_tags(rule.tags):
        yield "tags", f"{fault.what} {fault.hint}".strip(), True


def _fields(rule: Rule, mapping: LogMapping | None) -> Iterator[tuple[str, str, bool]]:
    if mapping is None:
        yield "fields", f"no mapping serves the log source {rule.logsource}: fields are taken as written.", False
        return
    try:
        for warning in check_bindable(rule.predicate, binder_of(mapping)):
            yield "fields", f"{warning}.", False
    except Unsupported as refusal:
        yield "fields", str(refusal), True
        return
    if mapping.logsource.product == "aws" and mapping.logsource.service == "cloudtrail" and not _names_source(rule.predicate):
        yield "eventsource", "names no eventSource: several services use one event name.", True


def _names_source(predicate: Predicate) -> bool:
    """True when every way to meet the predicate tests eventSource positively."""
    match predicate:
        case And(items=items):
            return any(map(_names_source, items))
        case Together(items=pairs):
            return any(_names_source(item) for _, item in pairs)
        case Or(items=items):
            return bool(items) and all(map(_names_source, items))
        case Text():
            return predicate.field.lower() == "eventsource"
        case _:
            return False


def _requires(rule: Rule | Correlation, switches: Mapping[str, LogSwitch]) -> Iterator[tuple[str, str, bool]]:
    for switch in rule.requires:
        if switch not in switches:
            yield "requires", f"requires the unknown log switch {switch}.", True


def _sieve(rule: Rule, mapping: LogMapping | None) -> Iterator[tuple[str, str, bool]]:
    try:
        need = need_of(rule.predicate, binder_of(mapping))
    except Unsupported:
        return
    if need is None:
        what = "has an empty sieve: no text of 4 plain characters must occur, so every record has to be parsed for it."
        yield "sieve", what, True


def check_cases(rule: Rule, cases: CaseFile | None, mapping: LogMapping | None, *, is_shipped: bool) -> tuple[Finding, ...]:
    """Return what is wrong with a rule's cases: too few, no near miss in one place, an absent field untested."""
    if cases is None:
        return (Finding(rule=rule.path, check="cases", what="has no cases: write <name>.tests.yaml beside it.", is_error=is_shipped),)
    found: list[Finding] = []

    def add(check: str, what: str, *, is_error: bool = True) -> None:
        found.append(Finding(rule=rule.path, check=check, what=what, is_error=is_error))

    wanted = MIN_MISSES_SHIPPED if is_shipped else MIN_MISSES
    if cases.rule and cases.rule != rule.name:
        add("cases", f"its cases name the rule {cases.rule}.")
    if len(cases.hits) < MIN_HITS:
        add("cases", f"has {len(cases.hits)} {'hit' if len(cases.hits) == 1 else 'hits'}, {MIN_HITS} are needed.")
    if len(cases.misses) < wanted:
        add("cases", f"has {len(cases.misses)} near misses, {wanted} are needed.")
    for case in cases.misses:
        if all(_differences(case.event, hit.event) != 1 for hit in cases.hits):
            add("near-miss", f"case {case.name} differs from every hit in more than one place.")
    for field in sorted(_negated_fields(rule.predicate)):
        if not any(_is_absent(field, case, mapping) for case in cases.cases):
            add("absent", f"no case leaves out {field}, which the rule tests under not.")
    if len(cases.equivalent) > MAX_EQUIVALENT:
        add("mutation", f"lists {len(cases.equivalent)} equivalent mutants, at most {MAX_EQUIVALENT} are allowed.")
    return tuple(found)


def _differences(left: Json, right: Json) -> int:
    """Return in how many members two events differ; a member that only one has counts once."""
    if isinstance(left, dict) and isinstance(right, dict):
        return sum(_differences(left[key], right[key]) if key in left and key in right else 1 for key in sorted({*left, *right}))
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return sum(_differences(one, other) for one, other in zip(left, right, strict=True))
    return int(left != right or type(left) is not type(right))


def _negated_fields(predicate: Predicate, *, is_negated: bool = False) -> set[str]:
    match predicate:
        case Not(item=item):
            return _negated_fields(item, is_negated=not is_negated)
        case And(items=items) | Or(items=items):
            return set().union(*(_negated_fields(item, is_negated=is_negated) for item in items))
        case Together(items=pairs):
            return set().union(*(_negated_fields(item, is_negated=is_negated) for _, item in pairs))
        case _:
            return {leaf.field for leaf in leaves(predicate) if not isinstance(leaf, Keyword)} if is_negated else set()


def _is_absent(field: str, case: Case, mapping: LogMapping | None) -> bool:
    try:
        return not View(case.event).values(binder_of(mapping).field(field))
    except Unsupported:
        return True


def mutation_score(rule: Rule, cases: CaseFile, mapping: LogMapping | None) -> Score:
    """Return how many of the rule's mutants its cases notice.

    Raises:
        Unsupported: The rule itself cannot be asked of the mapping.
    """
    check_bindable(rule.predicate, binder_of(mapping))
    views = [(View(case.event), case.hit) for case in cases.cases]
    mutants = [mutant for mutant in mutants_of(rule.predicate) if mutant.what not in cases.equivalent]
    survivors = [mutant.what for mutant in mutants if not _is_noticed(mutant, views, mapping)]
    return Score(killed=len(mutants) - len(survivors), total=len(mutants), survivors=tuple(survivors))


def _is_noticed(mutant: Mutant, views: list[tuple[View, bool]], mapping: LogMapping | None) -> bool:
    """True when some case gets another answer; that case comes first the next time, since it often notices the next mutant too."""
    try:
        test = compile_predicate(mutant.predicate, binder_of(mapping))
    except Unsupported:
        return True  # the change cannot even be asked of this log source
    for place, (view, hit) in enumerate(views):
        if test(view) != hit:
            views.insert(0, views.pop(place))
            return True
    return False
