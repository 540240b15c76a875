"""Correlations as JSON and back: for meaning digests and for the cache of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from aibr_hunt.model.codec import Plain
from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    Either,
    Has,
    KeyField,
    Lacks,
    Operand,
    TemporalCondition,
    Threshold,
)
from aibr_hunt.model.technique import Technique

_TEXTS: Final = (
    *("id", "name", "title", "path", "text_digest", "status", "level", "description", "author", "date", "synthetic", "tests_path"),
)
_TUPLES: Final = (*("listed", "tags", "references", "falsepositives", "requires", "triage", "preserve_first", "evades", "warnings"),)
_NUMBERS: Final = ("timespan_us", "lookback_us", "minimum")


def condition_to_plain(condition: TemporalCondition) -> Plain:
    """Return a condition as a list whose first item names the node."""
    match condition:
        case Has(operand=operand):
            return ["has", operand]
        case Lacks(item=item):
            return ["not", condition_to_plain(item)]
        case Both(items=items):
            return ["and", *(condition_to_plain(item) for item in items)]
        case Either(items=items):
            return ["or", *(condition_to_plain(item) for item in items)]


def condition_from_plain(plain: Plain) -> TemporalCondition:
    """Return the condition of `condition_to_plain`.

    Raises:
        ValueError: The plain form is none of ours.
    """
    match plain:
        case ["has", str(operand)]:
            return Has(operand=operand)
        case ["not", item]:
            return Lacks(item=condition_from_plain(item))
        case ["and", *items]:
            return Both(items=tuple(map(condition_from_plain, items)))
        case ["or", *items]:
            return Either(items=tuple(map(condition_from_plain, items)))
        case _:
            raise ValueError("not the plain form of a condition")


def correlation_to_plain(correlation: Correlation) -> dict[str, Plain]:
    """Return every attribute of a correlation as plain JSON values."""
    plain: dict[str, Plain] = {name: getattr(correlation, name) for name in (*_TEXTS, *_NUMBERS)}
    plain |= {name: list(getattr(correlation, name)) for name in _TUPLES}
    plain["type"] = correlation.type.value
    plain["operands"] = [_operand_to_plain(each) for each in correlation.operands]
    plain["population"] = None if correlation.population is None else _operand_to_plain(correlation.population)
    plain["group_by"] = [_field_to_plain(each) for each in correlation.group_by]
    plain["values"] = [_field_to_plain(each) for each in correlation.values]
    plain["thresholds"] = [[each.comparison.value, str(each.number)] for each in correlation.thresholds]
    plain["percentile"] = None if correlation.percentile is None else str(correlation.percentile)
    plain["condition"] = None if correlation.condition is None else condition_to_plain(correlation.condition)
    plain["is_generating"] = correlation.is_generating
    plain["techniques"] = [[each.framework, each.id, each.name, list(each.tactics), each.version] for each in correlation.techniques]
    return plain


def correlation_from_plain(plain: Mapping[str, Plain]) -> Correlation:
    """Return the correlation of `correlation_to_plain`.

    Raises:
        ValueError: The plain form is none of ours.
        KeyError: An attribute is missing.
    """
    population = plain["population"]
    percentile = plain["percentile"]
    condition = plain["condition"]
    return Correlation(
        **{name: str(plain[name]) for name in _TEXTS},  # type: ignore[arg-type] # all of these are texts
        **{name: _number(plain[name]) for name in _NUMBERS},  # type: ignore[arg-type] # all of these are numbers
        **{name: tuple(str(each) for each in _list(plain[name])) for name in _TUPLES},  # type: ignore[arg-type] # tuples of texts
        type=CorrelationType(str(plain["type"])),
        operands=tuple(_operand_from_plain(each) for each in _list(plain["operands"])),
        population=None if population is None else _operand_from_plain(population),
        group_by=tuple(_field_from_plain(each) for each in _list(plain["group_by"])),
        values=tuple(_field_from_plain(each) for each in _list(plain["values"])),
        thresholds=tuple(_threshold_from_plain(each) for each in _list(plain["thresholds"])),
        percentile=None if percentile is None else Decimal(str(percentile)),
        condition=None if condition is None else condition_from_plain(condition),
        is_generating=bool(plain["is_generating"]),
        techniques=tuple(_technique_from_plain(each) for each in _list(plain["techniques"])),
    )


def _operand_to_plain(operand: Operand) -> Plain:
    return [operand.name, operand.id, operand.is_correlation]


def _operand_from_plain(plain: Plain) -> Operand:
    name, ident, is_correlation = _list(plain)
    return Operand(name=str(name), id=str(ident), is_correlation=bool(is_correlation))


def _field_to_plain(field: KeyField) -> Plain:
    return [field.name, [[operand, name] for operand, name in field.fields]]


def _field_from_plain(plain: Plain) -> KeyField:
    name, fields = _list(plain)
    pairs = [_list(pair) for pair in _list(fields)]
    return KeyField(name=str(name), fields=tuple((str(operand), str(own)) for operand, own in pairs))


def _threshold_from_plain(plain: Plain) -> Threshold:
    comparison, number = _list(plain)
    return Threshold(comparison=Comparison(str(comparison)), number=Decimal(str(number)))


def _technique_from_plain(plain: Plain) -> Technique:
    framework, ident, name, tactics, version = _list(plain)
    return Technique(
        framework="atlas" if framework == "atlas" else "attack",
        id=str(ident),
        name=str(name),
        tactics=tuple(str(each) for each in _list(tactics)),
        version=str(version),
    )


def _list(plain: Plain) -> list[Plain]:
    if not isinstance(plain, list):
        raise ValueError("a list was expected")  # noqa: TRY004 - the plain form is wrong, not a type in our code
    return plain


def _number(plain: Plain) -> int:
    if not isinstance(plain, int):
        raise ValueError("a number was expected")  # noqa: TRY004 - as above
    return plain
