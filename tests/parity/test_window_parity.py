"""A window means the same on every engine: start included, end excluded, partitions wider; run as the whole program that people get."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aibr_hunt.compile.program import Asking, sieve_query, whole_query
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.layout import Column, ColumnType, EngineKind, Kind, Layout, Partition, PartitionForm, TimeForm
from aibr_hunt.model.query import Last, Query
from aibr_hunt.model.window import Window
from tests.oracle.strategies import rule_text
from tests.parity.engine_world import mapping
from tests.parity.test_engine_parity import STANDINS
from tests.standins import kusto as kusto_standin
from tests.standins import trino_grammar
from tests.standins.googlesql import analyze

RULE = load_rule_text(rule_text({"sel": {"id|exists": True}, "condition": "sel"}, 1), "all.yml")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MOMENTS = [NOON + timedelta(seconds=second) for second in (-86_400, -1, 0, 1, 59, 60, 61, 86_400)]
WINDOWS = [
    Window(start=NOON, end=NOON + timedelta(seconds=60)),
    Window(start=NOON - timedelta(seconds=1), end=NOON),
    Window(start=NOON),
    Window(end=NOON),
    Window(),
    Window(start=NOON, end=NOON),
    Window(start=NOON.replace(microsecond=500_000), end=NOON + timedelta(seconds=60, milliseconds=1)),
]
TYPED = [layout for layout in mapping().layouts if layout.name == "json"]


def in_seconds(layout: Layout) -> bool:
    """True when the layout's times are texts to the second: a window with a fraction is then rounded outwards."""
    return layout.time_form is TimeForm.ISO_TEXT


def expected(window: Window, layout: Layout) -> set[str]:
    """Return the ids of the events that the window holds, counted by hand's own arithmetic."""
    start, end = window.start, window.end
    if in_seconds(layout):
        start = start.replace(microsecond=0) if start else None
        end = end.replace(microsecond=0) + timedelta(seconds=1) if end and end.microsecond else end
    return {f"e{number}" for number, moment in enumerate(MOMENTS) if (start is None or moment >= start) and (end is None or moment < end)}


def rows(layout: Layout) -> list[dict[str, object]]:
    """Return an event for each moment."""
    found: list[dict[str, object]] = []
    for number, moment in enumerate(MOMENTS):
        at = moment.strftime("%Y-%m-%dT%H:%M:%SZ") if in_seconds(layout) else moment
        found.append({"id": f"e{number}", "at": at, "record": "{}" if layout.column("record").type.kind is Kind.JSON_TEXT else {}})  # type: ignore[union-attr] # every layout here has the column
    return found


def ids(layout: Layout, query: Query) -> set[str]:
    place = [column.name for column in layout.columns].index("id")
    return {str(row[place]) for row in STANDINS[layout.engine]().rows(query.text)}


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("layout", TYPED, ids=lambda layout: layout.label)
def test_window_includes_its_start_and_excludes_its_end(layout: Layout, window: Window) -> None:
    STANDINS[layout.engine]().load(layout, rows(layout))
    asking = Asking(locator=Locator(mapping(), layout), span=window, meanings={})
    for query in (whole_query([RULE], asking), sieve_query([RULE], asking)):
        assert ids(layout, query) == expected(window, layout), query.text


@pytest.mark.parametrize(
    ("engine", "form", "value"),
    [
        (EngineKind.ATHENA, PartitionForm.SLASHED, "%Y/%m/%d"),
        (EngineKind.ATHENA, PartitionForm.DASHED, "%Y-%m-%d"),
        (EngineKind.DUCKDB, PartitionForm.COMPACT, "%Y%m%d"),
        (EngineKind.BIGQUERY, PartitionForm.COMPACT, "%Y%m%d"),
    ],
)
def test_partitions_are_wider_than_the_window_by_their_slack(engine: EngineKind, form: PartitionForm, value: str) -> None:
    """An event of the window that lies in the partition of the day before or after is found; two days away it is not looked for."""
    base = next(layout for layout in TYPED if layout.engine is engine)
    day = Column(name="day", type=ColumnType(kind=Kind.TEXT))
    layout = replace(
        base, columns=(*base.columns, day), partitions=(Partition(column="day", form=form, slack_days=1),), table="partitioned"
    )
    moved = [{**rows(layout)[2], "id": f"e{days}", "day": (NOON + timedelta(days=days)).strftime(value)} for days in range(-2, 3)]
    STANDINS[engine]().load(layout, moved)
    asking = Asking(locator=Locator(mapping(), layout), span=Window(start=NOON, end=NOON + timedelta(seconds=1)), meanings={})
    assert ids(layout, whole_query([RULE], asking)) == {"e-1", "e0", "e1"}


def checked(query: Query) -> list[str]:
    match query.layout.engine:
        case EngineKind.BIGQUERY:
            return analyze(query.text, [query.layout])
        case EngineKind.KQL:
            return kusto_standin.check(query.text, [query.layout])
        case EngineKind.ATHENA:
            return trino_grammar.check(query.text)
        case EngineKind.DUCKDB:
            STANDINS[EngineKind.DUCKDB]().load(query.layout, [])
            return [str(row) for row in STANDINS[EngineKind.DUCKDB]().rows(query.text)]


@pytest.mark.parametrize("layout", TYPED, ids=lambda layout: layout.label)
def test_a_span_that_ends_when_the_program_runs_is_accepted_by_the_official_parser(layout: Layout) -> None:
    asking = Asking(locator=Locator(mapping(), layout), span=Last(hours=25), meanings={})
    assert checked(whole_query([RULE], asking)) == []


@pytest.mark.parametrize("engine", [EngineKind.ATHENA, EngineKind.DUCKDB, EngineKind.BIGQUERY], ids=str)
def test_a_span_that_ends_now_finds_what_happened_in_it(engine: EngineKind) -> None:
    layout = next(layout for layout in TYPED if layout.engine is engine)
    now = datetime.now(tz=UTC).replace(microsecond=0)
    events = []
    for number, age in enumerate((timedelta(hours=1), timedelta(hours=23), timedelta(hours=26))):
        at = (now - age).strftime("%Y-%m-%dT%H:%M:%SZ") if in_seconds(layout) else now - age
        events.append({**rows(layout)[0], "id": f"e{number}", "at": at})
    STANDINS[engine]().load(layout, events)
    asking = Asking(locator=Locator(mapping(), layout), span=Last(hours=24), meanings={})
    assert ids(layout, whole_query([RULE], asking)) == {"e0", "e1"}
