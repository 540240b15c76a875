"""One meaning on every engine: rules and events drawn together, and truths typed by hand, asked of each stand-in beside the matcher."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import ContentError, ContentErrors, Unsupported
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place
from tests.oracle.strategies import draw_rule
from tests.parity.cases import all_cases
from tests.parity.engine_parity import Subject, Tally, breaks_an_assumption, compare, holds_odd_letter
from tests.parity.engine_world import draw_engine_world, draw_events, mapping, row_of
from tests.standins.contract import Row, StandIn
from tests.standins.duckdb_engine import duckdb_engine
from tests.standins.googlesql import googlesql
from tests.standins.kusto import kusto
from tests.standins.trino.fetch import Missing
from tests.standins.trino_engine import trino
from tests.standins.trino_shim import trino_shim

STANDINS: dict[EngineKind, Callable[[], StandIn]] = {
    EngineKind.ATHENA: trino_shim,
    EngineKind.BIGQUERY: googlesql,
    EngineKind.KQL: kusto,
    EngineKind.DUCKDB: duckdb_engine,
}
LAYOUTS = mapping().layouts
# For each of the two layouts of an engine; `make parity` asks for more than every test run does.
CELLS = int(os.environ.get("AIBR_PARITY_CELLS", "2000"))
SLOW_CELLS = 50_000
MOST_GAPS = 0.02


@cache
def drawn(seed: int, rules: int, events: int, *, drifts: bool) -> tuple[tuple[Subject, ...], tuple[dict[str, Json], ...]]:
    """Return rules that the mapping can ask, with the ids that the matcher finds, and the events."""
    rng = random.Random(seed)
    world = draw_engine_world(rng)
    found = draw_events(rng, world, events, drifts=drifts)
    subjects: list[Subject] = []
    while len(subjects) < rules:
        text = draw_rule(rng, world, len(subjects))
        try:
            rule = load_rule_text(text, "drawn.yml")
            matcher = compile_rules([rule], mapping())
        except (ContentError, ContentErrors, Unsupported):
            continue
        hits = frozenset(str(event["id"]) for event in found if matcher.match(event))
        if hits or rng.random() < 0.4:
            subjects.append(Subject(text, rule.predicate, hits))
    return tuple(subjects), tuple(found)


def run(layout: Layout, standin: StandIn, *, seed: int, rules: int, tally: Tally, drifts: bool = False) -> None:
    """Ask drawn rules of one layout, forty events at a time."""
    subjects, events = drawn(seed, rules, 40, drifts=drifts)
    locator = Locator(mapping(), layout)
    standin.load(layout, [row_of(event, layout) for event in events])
    judged = [replace(each, is_as_assumed=not breaks_an_assumption(each.predicate, events, locator)) for each in subjects]
    ids = frozenset(str(event["id"]) for event in events)
    odd = frozenset(str(event["id"]) for event in events if holds_odd_letter(event))
    compare(judged, ids, locator=locator, standin=standin, tally=tally, odd=odd, is_whole=not drifts)


def settle(tally: Tally) -> None:
    """Fail on a disagreement, and when too many cells fell into gaps of the stand-in."""
    assert not tally.wrong, f"{len(tally.wrong)} disagreements; the first:\n{tally.wrong[0]}"
    assert tally.gaps.total() <= MOST_GAPS * (tally.cells + tally.gaps.total()), tally.gaps


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_engine_agrees_with_the_matcher_on_drawn_rules(layout: Layout, record_property: Callable[[str, object], None]) -> None:
    tally = Tally()
    seed = 0
    while tally.cells < CELLS:
        seed += 1
        run(layout, STANDINS[layout.engine](), seed=seed, rules=60, tally=tally)
    settle(tally)
    assert tally.ran["whole"] >= CELLS // 20
    record_property("parity", f"{layout.label}: {dict(tally.ran)} ran, {dict(tally.gaps)} gaps, {tally.refused.total()} refused")


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_engine_agrees_with_the_matcher_on_a_hundred_thousand_cells(layout: Layout, record_property: Callable[[str, object], None]) -> None:
    """Other seeds than every test run's; half of the cells on each of the two layouts of an engine."""
    tally = Tally()
    seed = 10_000
    while tally.cells < SLOW_CELLS:
        seed += 1
        run(layout, STANDINS[layout.engine](), seed=seed, rules=100, tally=tally, drifts=seed % 4 == 0)
    settle(tally)
    record_property("parity", f"{layout.label}, slow: {dict(tally.ran)} ran, {dict(tally.gaps)} gaps, {tally.refused.total()} refused")


@pytest.mark.slow
@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.engine is EngineKind.ATHENA], ids=lambda layout: layout.label)
def test_trino_itself_agrees_with_the_matcher(layout: Layout, record_property: Callable[[str, object], None]) -> None:
    """Nothing is a gap here: what Athena's text says is run by Trino's own parser, planner and operators."""
    try:
        standin = trino()
    except Missing as error:
        pytest.skip(str(error))
    tally = Tally()
    seed = 20_000
    while tally.cells < SLOW_CELLS:
        seed += 1
        run(layout, standin, seed=seed, rules=100, tally=tally, drifts=seed % 4 == 0)
    settle(tally)
    assert not tally.gaps
    record_property("parity", f"{layout.label}, Trino 435: {dict(tally.ran)} ran, {tally.refused.total()} refused")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
def test_sieve_holds_where_lists_and_objects_lie_on_undeclared_paths(layout: Layout) -> None:
    tally = Tally()
    run(layout, STANDINS[layout.engine](), seed=901, rules=60, tally=tally, drifts=True)
    settle(tally)
    assert tally.ran["sieve"] >= 1_500


# -- truths typed by hand -----------------------------------------------------------------------------------------


def raw(engine: EngineKind, kind: Kind) -> Layout:
    """Return a layout with the whole record in one column."""
    columns = (Column(name="id", type=ColumnType(kind=Kind.TEXT)), Column(name="record", type=ColumnType(kind=kind)))
    return Layout(
        name=f"raw_{kind.value}",
        engine=engine,
        table="Raw" if engine is EngineKind.KQL else "raw",
        columns=columns,
        places=(Place(member=(), paths=(ColumnPath(column="record"),)),),
        time=ColumnPath(column="id"),
        is_full=True,
    )


RAW = tuple(
    raw(engine, kind)
    for engine in EngineKind
    for kind in (Kind.JSON, Kind.JSON_TEXT)
    if (engine, kind) != (EngineKind.ATHENA, Kind.JSON)  # Athena's tables have no such column
)


@pytest.mark.slow
def test_trino_itself_says_what_was_typed_by_hand(record_property: Callable[[str, object], None]) -> None:
    try:
        standin = trino()
    except Missing as error:
        pytest.skip(str(error))
    truths, tally = said_of_truths(raw(EngineKind.ATHENA, Kind.JSON_TEXT), standin)
    settle(tally)
    assert not tally.gaps
    record_property("parity", f"Trino 435: {truths} truths, {dict(tally.ran)} ran")


# The same truths from JSON in a text column, a quarter of a minute each on the slower stand-ins: `make slow`.
_AGAIN = ("bigquery/raw_json_text", "kql/raw_json_text")


@pytest.mark.parametrize(
    "layout",
    [pytest.param(each, marks=pytest.mark.slow) if each.label in _AGAIN else each for each in RAW],
    ids=lambda layout: layout.label,
)
def test_engine_says_what_was_typed_by_hand(layout: Layout, record_property: Callable[[str, object], None]) -> None:
    truths, tally = said_of_truths(layout, STANDINS[layout.engine]())
    settle(tally)
    assert truths >= 300
    record_property("parity", f"{layout.label}: {truths} truths, {dict(tally.ran)} ran, {dict(tally.gaps)} gaps")


def said_of_truths(layout: Layout, standin: StandIn) -> tuple[int, Tally]:
    """Ask every hand-written case of a stand-in; return how many truths that were, and the outcome."""
    locator = Locator(None, layout)
    rows: list[Row] = []
    subjects: list[Subject] = []
    odd: set[str] = set()
    for case in all_cases():
        parsed = [(parse_record(text.encode()).value, truth) for text, truth in case.truths.items()]
        named = {f"{case.name} {number}": each for number, each in enumerate(parsed) if not spells_a_number_anew(each[0])}
        rule = load_rule_text(case.rule, "case.yml")
        rows += [_row(layout, name, value) for name, (value, _) in named.items()]
        odd |= {name for name, (value, _) in named.items() if holds_odd_letter(value)}
        is_as_assumed = not breaks_an_assumption(rule.predicate, [value for value, _ in named.values()], locator)
        hits = frozenset(name for name, (_, truth) in named.items() if truth)
        subjects.append(Subject(case.rule, rule.predicate, hits, is_as_assumed=is_as_assumed, scope=frozenset(named)))
    standin.load(layout, rows)
    tally = Tally()
    ids = frozenset(str(row["id"]) for row in rows)
    compare(subjects, ids, locator=locator, standin=standin, tally=tally, odd=frozenset(odd))
    return len(ids), tally


def _row(layout: Layout, name: str, value: Json) -> Row:
    is_text = layout.columns[1].type.kind is Kind.JSON_TEXT
    return {"id": name, "record": json.dumps(value, ensure_ascii=False) if is_text else value}


def spells_a_number_anew(value: Json) -> bool:
    """True when a number in the event is odd or long: an engine's JSON forgets how it was spelt (docs/meaning.md section 5)."""
    if isinstance(value, dict):
        return any(map(spells_a_number_anew, value.values()))
    if isinstance(value, list):
        return any(map(spells_a_number_anew, value))
    if isinstance(value, float):
        return type(value) is not float or value != round(value, 6)
    return isinstance(value, int) and abs(value) >= 10**15


def test_cells_are_counted_for_each_form() -> None:
    """The tally itself: what did not run is never counted as agreement."""
    tally = Tally()
    layout = next(each for each in LAYOUTS if each.label == "duckdb/typed")
    run(layout, duckdb_engine(), seed=1, rules=20, tally=tally)
    assert tally.ran["sieve"] == tally.ran["short sieve"] == tally.ran["sieve of the negation"]
    assert tally.ran["sieve"] + sum(count for reason, count in tally.refused.items() if "whole" not in reason) == 20 * 40
