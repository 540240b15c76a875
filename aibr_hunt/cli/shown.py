"""One rule or one correlation in full, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator

from aibr_hunt.content.mutants import describe
from aibr_hunt.meaning.bind import binder_of, fields_of
from aibr_hunt.meaning.sieve import need_of
from aibr_hunt.model.codec import rule_to_plain
from aibr_hunt.model.correlation import Both, Correlation, Either, Has, KeyField, Lacks, TemporalCondition
from aibr_hunt.model.correlation_codec import correlation_to_plain
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.rule import Rule

_UNITS = ((86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"))


def rule_row(rule: Rule, mapping: Mapping | None) -> dict[str, object]:
    """Return a rule as one JSON object."""
    need = need_of(rule.predicate, binder_of(mapping))
    return {**rule_to_plain(rule), "mapping": "" if mapping is None else mapping.name, "sieve": sorted(need.literals) if need else []}


def correlation_row(correlation: Correlation) -> dict[str, object]:
    """Return a correlation as one JSON object."""
    return {**correlation_to_plain(correlation)}


def rule_lines(rule: Rule, mapping: Mapping | None) -> Iterator[str]:
    """Yield the lines that show a rule."""
    need = need_of(rule.predicate, binder_of(mapping))
    yield from _about(rule)
    yield f"  log source  {rule.logsource} ({'fields as written' if mapping is None else 'mapping ' + mapping.name})"
    yield from _origin(rule)
    yield f"  fields      {', '.join(fields_of(rule.predicate))}"
    yield f"  sieve       {', '.join(sorted(need.literals)) if need else 'empty: every record is parsed'}"
    yield f"  text        sha256 {rule.text_digest}"
    yield f"  meaning     {describe(rule.predicate)}"
    yield from _advice(rule)


def correlation_lines(correlation: Correlation) -> Iterator[str]:
    """Yield the lines that show a correlation."""
    yield from _about(correlation)
    yield f"  type        {correlation.type.value}"
    yield from _origin(correlation)
    yield f"  rules       {', '.join(each.name for each in correlation.operands)}"
    if correlation.population is not None and correlation.population not in correlation.operands:
        yield f"  population  {correlation.population.name}"
    yield f"  group by    {', '.join(map(field_text, correlation.group_by)) or 'nothing: one group'}"
    if correlation.values:
        yield f"  field       {', '.join(map(field_text, correlation.values))}"
    if correlation.listed:
        yield f"  values      {', '.join(correlation.listed)}"
    yield f"  text        sha256 {correlation.text_digest}"
    yield f"  meaning     {meaning_text(correlation)}"
    yield from _advice(correlation)


def meaning_text(correlation: Correlation) -> str:
    """Return what a correlation asks, in a few words."""
    parts = [f"{each.comparison.value} {each.number}" for each in correlation.thresholds]
    if correlation.percentile is not None:
        parts.insert(0, f"p{correlation.percentile}")
    if correlation.condition is not None:
        parts.append(_condition_text(correlation.condition))
    if correlation.timespan_us:
        parts.append(f"within {span_text(correlation.timespan_us)}")
    if correlation.lookback_us:
        parts.append(f"looking back {span_text(correlation.lookback_us)}")
    if correlation.minimum > 1:
        parts.append(f"of at least {correlation.minimum} events")
    return " ".join((correlation.type.value, *parts))


def field_text(field: KeyField) -> str:
    """Return a field with what it is in each rule."""
    return f"{field.name} ({', '.join(f'{rule}: {name}' for rule, name in field.fields)})" if field.fields else field.name


def span_text(length_us: int) -> str:
    """Return a length of time in its largest whole unit."""
    size, unit = next(((size, unit) for size, unit in _UNITS if length_us % size == 0), (1, "us"))
    return f"{length_us // size}{unit}"


def _condition_text(condition: TemporalCondition) -> str:
    match condition:
        case Has(operand=operand):
            return operand
        case Lacks(item=item):
            return f"not {_condition_text(item)}"
        case Both(items=items):
            return f"({' and '.join(map(_condition_text, items))})"
        case Either(items=items):
            return f"({' or '.join(map(_condition_text, items))})"


def _about(thing: Rule | Correlation) -> Iterator[str]:
    yield f"{thing.name}: {thing.title}"
    yield f"  id          {thing.id}"
    yield f"  path        {thing.path}"
    yield f"  level       {thing.level} ({thing.status or 'no status'})"


def _origin(thing: Rule | Correlation) -> Iterator[str]:
    yield f"  techniques  {', '.join(f'{each.id} {each.name} [{each.framework} {each.version}]' for each in thing.techniques) or 'none'}"
    yield f"  requires    {', '.join(thing.requires) or 'nothing named'}"


def _advice(thing: Rule | Correlation) -> Iterator[str]:
    if thing.synthetic:
        yield f"  tested on   synthetic events only ({thing.synthetic})"
    for label, lines in (("triage", thing.triage), ("preserve first", thing.preserve_first), ("evades", thing.evades)):
        for line in lines:
            yield f"  {label}: {line}"
