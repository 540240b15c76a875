"""Small histories for parity of correlations: events, their rows in every layout, rules on them, and drawn correlations."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from aibr_hunt.model.correlation import (
    BASELINES,
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
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place, TimeForm
from aibr_hunt.model.predicate import Text, TextOp
from aibr_hunt.model.rule import LogSource, Rule

START: Final = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000
KINDS: Final = {"kind": Kind.TEXT, "who": Kind.TEXT, "alias": Kind.TEXT, "what": Kind.TEXT, "n": Kind.INTEGER, "m": Kind.TEXT}


@dataclass(frozen=True, slots=True)
class Moment:
    """One event: its native id, its time in microseconds since 1970, its fields."""

    id: str
    t: int
    fields: Mapping[str, Json]


# -- layouts --------------------------------------------------------------------------------------------------------


def layouts() -> tuple[Layout, ...]:
    """Return for each engine a table of plain columns and one with the record as JSON."""
    return tuple(layout for engine in EngineKind for layout in (_plain(engine), _raw(engine)))


def _plain(engine: EngineKind) -> Layout:
    kinds = {"id": Kind.TEXT, "at": Kind.TIME, **KINDS}
    return _layout(engine, "plain", kinds, {name: ColumnPath(column=name) for name in kinds})


def _raw(engine: EngineKind) -> Layout:
    is_athena = engine is EngineKind.ATHENA
    kinds = {"id": Kind.TEXT, "at": Kind.TEXT if is_athena else Kind.TIME, "record": Kind.JSON_TEXT if is_athena else Kind.JSON}
    paths = {"id": ColumnPath(column="id"), "at": ColumnPath(column="at")}
    paths |= {name: ColumnPath(column="record", steps=(name,)) for name in KINDS}
    return _layout(engine, "raw", kinds, paths)


def _layout(engine: EngineKind, name: str, kinds: Mapping[str, Kind], paths: Mapping[str, ColumnPath]) -> Layout:
    return Layout(
        name=name,
        engine=engine,
        table=f"{'Moments' if engine is EngineKind.KQL else 'moments'}_{name}",
        columns=tuple(Column(name=column, type=ColumnType(kind=kind)) for column, kind in kinds.items()),
        places=tuple(Place(member=(member,), paths=(path,)) for member, path in paths.items()),
        time=ColumnPath(column="at"),
        time_form=TimeForm.ISO_TEXT if kinds["at"] is Kind.TEXT else TimeForm.TYPED,
        identity=(ColumnPath(column="id"),),
    )


def time_of(t: int) -> datetime:
    """Return microseconds since 1970 as a time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)


def micros(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def row_of(moment: Moment, layout: Layout) -> dict[str, object]:
    """Return an event as a row of the layout."""
    at: object = time_of(moment.t)
    if layout.time_form is TimeForm.ISO_TEXT:
        at = time_of(moment.t).replace(tzinfo=None).isoformat(timespec="microseconds" if moment.t % 1_000_000 else "seconds") + "Z"
    row: dict[str, object] = {"id": moment.id, "at": at}
    if layout.name == "raw":
        is_text = layout.columns[2].type.kind is Kind.JSON_TEXT
        return {**row, "record": json.dumps(dict(moment.fields)) if is_text else dict(moment.fields)}
    return row | dict(moment.fields)


# -- rules ----------------------------------------------------------------------------------------------------------


def rule_of(letter: str) -> Rule:
    """Return the rule that finds events whose kind holds the letter; `*` finds all."""
    literal = "" if letter == "*" else letter
    predicate = Text(field="kind", op=TextOp.CONTAINS if literal else TextOp.STARTSWITH, literal=literal or "k")
    return Rule(
        id=f"rule-{letter}",
        name=letter if letter != "*" else "every",
        title=f"Kind {letter}",
        path="drawn.yml",
        text_digest="0" * 64,
        logsource=LogSource(product="drawn"),
        predicate=predicate,
    )


RULES: Final = {rule.id: rule for rule in map(rule_of, ("a", "b", "c", "*"))}


def operand(letter: str) -> Operand:
    """Return the rule as an operand."""
    rule = RULES[f"rule-{letter}"]
    return Operand(name=rule.name, id=rule.id)


def meets(rule: Rule, moment: Moment) -> bool:
    """True when the rule finds the event: its own test, not the matcher's."""
    kind = str(moment.fields.get("kind") or "")
    return rule.id == "rule-*" or rule.id[-1] in kind


# -- histories ------------------------------------------------------------------------------------------------------


def history(rng: random.Random, *, step_us: int, count: int, is_fine: bool = False) -> list[Moment]:
    """Return events, many at the same time, some delivered twice."""
    found: list[Moment] = []
    start = micros(START)
    for number in range(count):
        t = start + rng.randint(0, count // 2) * step_us + (rng.choice((0, 0, 1, 999_999)) if is_fine else 0)
        found.append(Moment(f"e{number}", t, _fields(rng)))
    return [*found, *rng.sample(found, max(1, count // 6))]


def _fields(rng: random.Random) -> dict[str, Json]:
    drawn: dict[str, Json] = {
        "kind": rng.choice(("ka", "kb", "kc", "kab", "kabc", "kbc", "k")),
        "who": rng.choice(("x", "X", "x", "y", "", None)),
        "alias": rng.choice(("x", "y", "Y", None)),
        "what": rng.choice(("u", "U", "v", "w", "z", "", None)),
        "n": rng.choice((0, 1, 2, 3, 5, 8, -4, None)),
        "m": rng.choice(("1.5", "-2.25", "0.1", "7", "many", "", None)),
    }
    return {name: value for name, value in drawn.items() if value is not None}


# -- correlations ---------------------------------------------------------------------------------------------------


def threshold(comparison: Comparison, number: str) -> Threshold:
    """Return one threshold."""
    return Threshold(comparison=comparison, number=Decimal(number))


def made(kind: CorrelationType, operands: Sequence[str | Correlation], *, by: Sequence[str] = ("who",), **others: object) -> Correlation:
    """Return a correlation over rules, by letter, or over correlations."""
    named = tuple(operand(each) if isinstance(each, str) else Operand(name=each.name, id=each.id, is_correlation=True) for each in operands)
    letters = "".join(each.name for each in named)
    values: dict[str, object] = {
        "id": f"{kind.value}-{letters}",
        "name": f"{kind.value}_{letters}",
        "title": f"Drawn {kind.value}",
        "path": "drawn.yml",
        "text_digest": "1" * 64,
        "type": kind,
        "operands": named,
        "group_by": tuple(key(each) for each in by),
    }
    return Correlation(**(values | others))  # type: ignore[arg-type] # a builder for tests: names are those of the class


def key(name: str) -> KeyField:
    """Return a field; `other` is an alias that reads another field in rule b."""
    return (
        KeyField(name=name, fields=(("a", "who"), ("b", "alias"), ("c", "who"), ("every", "who")))
        if name == "other"
        else KeyField(name=name)
    )


def drawn(rng: random.Random, kind: CorrelationType, *, step_us: int) -> Correlation:
    """Return a correlation of the type over one, two or three rules."""
    if kind in BASELINES:
        return _baseline(rng, kind, step_us=step_us)
    by = rng.choice((("who",), ("who",), (), ("who", "alias"), ("other",)))
    span = rng.choice((1, 2, 3, 5)) * step_us
    others: dict[str, object] = {"timespan_us": span}
    letters = rng.choice(("a", "b", "ab", "abc"))
    match kind:
        case CorrelationType.TEMPORAL:
            letters = rng.choice(("ab", "abc"))
            if rng.random() < 0.6:
                others["condition"] = _condition(rng, letters)
        case CorrelationType.TEMPORAL_ORDERED:
            letters = rng.choice(("ab", "ba", "abc", "cba", "a"))
        case CorrelationType.VALUE_COUNT:
            others["values"] = tuple(KeyField(name=name) for name in rng.choice((("what",), ("what", "alias"), ("n",))))
        case CorrelationType.EVENT_COUNT:
            pass
        case _:
            others["values"] = (KeyField(name=rng.choice(("n", "m"))),)
            others["percentile"] = Decimal(rng.choice(("0", "10", "33.3", "50", "95", "100")))
    if kind not in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}:
        others["thresholds"] = _thresholds(rng, is_whole=kind in {CorrelationType.VALUE_COUNT, CorrelationType.EVENT_COUNT})
    return made(kind, tuple(letters), by=by, **others)


def _thresholds(rng: random.Random, *, is_whole: bool) -> tuple[Threshold, ...]:
    numbers = ("1", "2", "2.5", "3", "4") if is_whole else ("-1", "0", "0.75", "1.5", "2", "3.5")
    if rng.random() < 0.2:
        return threshold(Comparison.GT, numbers[0]), threshold(Comparison.LTE, numbers[-1])
    return (threshold(rng.choice(tuple(Comparison)), rng.choice(numbers)),)


def _condition(rng: random.Random, letters: str) -> TemporalCondition:
    a, b, *rest = (Has(operand=RULES[f"rule-{letter}"].name) for letter in letters)
    c = rest[0] if rest else a
    return rng.choice(
        (
            Both(items=(a, Lacks(item=b))),
            Both(items=(b, Lacks(item=Either(items=(a, c))))) if rest else Both(items=(b, Lacks(item=a))),
            Either(items=(a, b)),
            Both(items=(a, Either(items=(b, Lacks(item=c))))) if rest else Both(items=(a, b)),
            Both(items=(a, Lacks(item=Both(items=(b, c))))) if rest else Both(items=(a, Lacks(item=Lacks(item=b)))),
        )
    )


def _baseline(rng: random.Random, kind: CorrelationType, *, step_us: int) -> Correlation:
    by = rng.choice((("who",), ("who",), ()))
    letters = rng.choice(("a", "ab", "b"))
    population = operand(rng.choice(("*", "*", letters[0])))
    what = (KeyField(name="what"),)
    match kind:
        case CorrelationType.FIRST_SEEN:
            extra: dict[str, object] = {"lookback_us": rng.choice((1, 2, 4)) * step_us, "values": what, "population": population}
        case CorrelationType.RARE:
            share = threshold(rng.choice((Comparison.LT, Comparison.LTE, Comparison.GT)), rng.choice(("0.2", "0.25", "0.5")))
            extra = {
                "lookback_us": rng.choice((1, 2, 5)) * HOUR_US,
                "values": what,
                "population": population,
                "minimum": rng.choice((1, 3)),
                "thresholds": (share,),
            }
        case CorrelationType.SHARE:
            extra = {
                "timespan_us": rng.choice((1, 3)) * step_us,
                "values": what,
                "listed": ("U", "v", "w"),
                "thresholds": (threshold(Comparison.GTE, rng.choice(("0.3", "0.6", "1"))),),
            }
        case _:
            extra = {
                "lookback_us": rng.choice((2, 3, 6)) * HOUR_US,
                "population": population,
                "minimum": rng.choice((1, 2)),
                "thresholds": (threshold(rng.choice((Comparison.GTE, Comparison.GT)), rng.choice(("0", "0.5", "1", "2"))),),
            }
    return made(kind, tuple(letters), by=by, **extra)


def drawn_chain(rng: random.Random, *, step_us: int) -> tuple[Correlation, Correlation]:
    """Return a correlation over rules, and one over it and a rule."""
    span = rng.choice((1, 2, 3)) * step_us
    inner = rng.choice(
        (
            made(
                CorrelationType.EVENT_COUNT,
                ("a",),
                timespan_us=span,
                thresholds=(threshold(Comparison.GTE, rng.choice(("1", "2"))),),
            ),
            made(CorrelationType.TEMPORAL, ("a", "b"), timespan_us=span),
            made(
                CorrelationType.FIRST_SEEN,
                ("a",),
                lookback_us=2 * step_us,
                values=(KeyField(name="what"),),
                population=operand("*"),
            ),
        )
    )
    outer = rng.choice(
        (
            made(CorrelationType.TEMPORAL_ORDERED, (inner, "c"), timespan_us=span),
            made(CorrelationType.TEMPORAL_ORDERED, ("c", inner), timespan_us=span),
            made(CorrelationType.TEMPORAL, (inner, "c"), timespan_us=span),
            made(
                CorrelationType.TEMPORAL,
                (inner, "c"),
                timespan_us=span,
                condition=Both(items=(Has(operand=inner.name), Lacks(item=Has(operand="c")))),
            ),
            made(
                CorrelationType.EVENT_COUNT,
                (inner, "c"),
                timespan_us=span,
                thresholds=(threshold(Comparison.GTE, "2"),),
            ),
            made(
                CorrelationType.EVENT_COUNT,
                (inner,),
                by=(),
                timespan_us=span,
                thresholds=(threshold(Comparison.GT, "1"),),
            ),
        )
    )
    return inner, outer
