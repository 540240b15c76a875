"""What a correlation means, by digest: its parameters, the meaning of its rules, and where its fields lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from aibr_hunt.meaning import MEANING_VERSION
from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.meaning.fold import fold
from aibr_hunt.model.correlation import (
    Both,
    Correlation,
    Either,
    Has,
    KeyField,
    Lacks,
    Operand,
    TemporalCondition,
    normal_form,
)
from aibr_hunt.model.mapping import Mapping as LogMapping


def correlation_digest(
    correlation: Correlation, *, digests: Mapping[str, str], mappings: Mapping[str, LogMapping | None] | None = None
) -> str:
    """Return the SHA-256 of what a correlation means: its parameters, the meaning of its rules, where its fields lie.

    By what names it calls its rules, and what it says of itself, changes nothing.

    Args:
        correlation: The correlation.
        digests: Meaning digest of each of its sources, by id; those of correlations are what this function gave for them.
        mappings: Mapping of each source that is a rule, by id; one that is missing takes fields as written.

    Raises:
        KeyError: The digest of a source is missing.
        Unsupported: A field is not defined by the mapping of a source.
    """
    places = {source.name: index for index, source in enumerate(correlation.sources)}
    bound = [_field(field, correlation.sources, mappings or {}) for field in (*correlation.group_by, *correlation.values)]
    body = {
        "meaning": MEANING_VERSION,
        "type": correlation.type.value,
        "operands": [digests[each.id] for each in correlation.operands],
        "population": None if correlation.population is None else digests[correlation.population.id],
        "group_by": bound[: len(correlation.group_by)],
        "values": bound[len(correlation.group_by) :],
        "timespan_us": correlation.timespan_us,
        "lookback_us": correlation.lookback_us,
        "minimum": correlation.minimum,
        "thresholds": sorted([each.comparison.value, str(each.number.normalize())] for each in correlation.thresholds),
        "percentile": None if correlation.percentile is None else str(correlation.percentile.normalize()),
        "condition": None if correlation.condition is None else _condition(normal_form(correlation.condition), places),
        "listed": sorted(map(fold, correlation.listed)),
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _field(field: KeyField, sources: tuple[Operand, ...], mappings: Mapping[str, LogMapping | None]) -> list[object]:
    places: list[object] = []
    for source in sources:
        name = field.of(source.name)
        if source.is_correlation:
            places.append(name)
            continue
        found = binder_of(mappings.get(source.id)).field(name)
        places.append([found.paths, found.json_cuts, found.blanks, found.spec.derive])
    return [field.name, places]


def _condition(condition: TemporalCondition, places: Mapping[str, int]) -> list[object]:
    match condition:
        case Has(operand=operand):
            return ["has", places[operand]]
        case Lacks(item=item):
            return ["not", _condition(item, places)]
        case Both(items=items):
            return ["and", *(_condition(item, places) for item in items)]
        case Either(items=items):
            return ["or", *(_condition(item, places) for item in items)]
