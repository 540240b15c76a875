"""What `rules check` asks of a correlation, its fields and its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aibr_hunt.content.catalogue import Catalogue
from aibr_hunt.content.checks import (
    MAX_EQUIVALENT,
    MIN_HITS,
    MIN_MISSES,
    MIN_MISSES_SHIPPED,
    Finding,
    about,
)
from aibr_hunt.content.correlation_cases import CorrelationCases
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import LogSource, Rule


def check_correlation(
    correlation: Correlation,
    rules: Mapping[str, Rule],
    *,
    mapping_for: Callable[[LogSource], LogMapping | None],
    catalogue: Catalogue,
    switches: Mapping[str, LogSwitch],
) -> tuple[Finding, ...]:
    """Return what is wrong with a correlation itself, its cases apart.

    Args:
        correlation: The correlation.
        rules: Its rules, by id.
        mapping_for: Gives the mapping of a log source.
        catalogue: Knows the techniques.
        switches: Log switches that `requires` may name, by id.
    """
    found = [
        Finding(rule=correlation.path, check=check, what=what, is_error=is_error)
        for check, what, is_error in about(correlation, catalogue, switches)
    ]
    try:
        warnings = check_fields(correlation, rules, mapping_for=mapping_for)
    except Unsupported as refusal:
        return (*found, Finding(rule=correlation.path, check="fields", what=str(refusal)))
    return (*found, *(Finding(rule=correlation.path, check="fields", what=f"{each}.", is_error=False) for each in warnings))


def check_fields(
    correlation: Correlation, rules: Mapping[str, Rule], *, mapping_for: Callable[[LogSource], LogMapping | None]
) -> tuple[str, ...]:
    """Return the warnings of every field that the correlation reads; all of them can be read in events of all its rules.

    Args:
        correlation: The correlation.
        rules: Its rules, by id.
        mapping_for: Gives the mapping of a log source.

    Raises:
        Unsupported: A mapping does not define a field, or an object stands there, which has no key.
    """
    return tuple(dict.fromkeys(_field_warnings(correlation, rules, mapping_for)))


def _field_warnings(
    correlation: Correlation, rules: Mapping[str, Rule], mapping_for: Callable[[LogSource], LogMapping | None]
) -> Iterator[str]:
    for source in correlation.sources:
        if source.is_correlation:
            continue
        binder = binder_of(mapping_for(rules[source.id].logsource))
        for field in (*correlation.group_by, *correlation.values):
            name = field.of(source.name)
            try:
                bound = binder.field(name)
            except Unsupported as refusal:
                raise Unsupported(f"{refusal.construct} of {source.name}", refusal.why, hint=refusal.hint, place=correlation.path) from None
            if bound.spec.is_object and bound.key == bound.spec.name:
                why = "the field is an object, which has no key and is no number."
                raise Unsupported(f"field {name} of {source.name}", why, hint="Read a member of it.", place=correlation.path)
            if bound.warning:
                yield bound.warning


def check_correlation_cases(correlation: Correlation, cases: CorrelationCases | None, *, is_shipped: bool) -> tuple[Finding, ...]:
    """Return what is wrong with a correlation's cases: too few, none at the edge of what is asked."""
    if cases is None:
        what = "has no cases: write <name>.tests.yaml beside it."
        return (Finding(rule=correlation.path, check="cases", what=what, is_error=is_shipped),)
    found: list[Finding] = []

    def add(check: str, what: str, *, is_error: bool = True) -> None:
        found.append(Finding(rule=correlation.path, check=check, what=what, is_error=is_error))

    wanted = MIN_MISSES_SHIPPED if is_shipped else MIN_MISSES
    if cases.correlation and cases.correlation != correlation.name:
        add("cases", f"its cases name the correlation {cases.correlation}.")
    if len(cases.hits) < MIN_HITS:
        add("cases", f"has {len(cases.hits)} {'hit' if len(cases.hits) == 1 else 'hits'}, {MIN_HITS} are needed.")
    if len(cases.misses) < wanted:
        add("cases", f"has {len(cases.misses)} misses, {wanted} are needed.")
    if not any(each.deliveries > 1 for case in cases.cases for each in case.events):
        add("redelivery", "no case delivers an event twice.", is_error=False)
    if _needs_a_hole(correlation) and not any(case.uncovered for case in cases.cases):
        add("coverage", "rests on absence, and no case has an uncovered span.", is_error=False)
    if len(cases.equivalent) > MAX_EQUIVALENT:
        add("mutation", f"lists {len(cases.equivalent)} equivalent mutants, at most {MAX_EQUIVALENT} are allowed.")
    return tuple(found)


def _needs_a_hole(correlation: Correlation) -> bool:
    """True when what was not read could unmake a finding."""
    is_judged_by_history = correlation.is_baseline and correlation.type is not CorrelationType.SHARE
    return correlation.looks_forward or is_judged_by_history
