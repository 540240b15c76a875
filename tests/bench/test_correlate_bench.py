"""What correlating five million thin rows costs: 2,000 principals, few of them with most events, windows of ten minutes.

The rows are drawn inside the engine, for what is measured is the judging and the forming of episodes. Beside each stands its ratio to
the floor: the engine sorting the same rows by group and time. Nothing of it is asserted; what is, is what was found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest

from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.database import Sql, sql
from aibr_hunt.correlate.stage import Table
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType, KeyField, Operand, Threshold

EVENTS = 5_000_000
PRINCIPALS = 2_000
DAYS = 30
TEN_MINUTES = 600_000_000

pytestmark = pytest.mark.bench


HOURLY = frozenset((CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.SPIKE))


def correlation(kind: CorrelationType, *, rules: str = "a", gte: str = "", lt: str = "", values: tuple[str, ...] = ()) -> Correlation:
    """Return one over rules of one letter; a baseline looks back seven days at its own rule."""
    thresholds = [(Comparison.GTE, gte), (Comparison.LT, lt)]
    is_hourly = kind in HOURLY
    return Correlation(
        id="c",
        name="c",
        title="",
        path="",
        text_digest="",
        type=kind,
        operands=tuple(Operand(name=rule, id=rule) for rule in rules),
        group_by=(KeyField(name="user"),),
        timespan_us=0 if is_hourly else TEN_MINUTES,
        lookback_us=7 * 24 * 3_600_000_000 if is_hourly else 0,
        population=Operand(name=rules, id=rules) if is_hourly else None,
        listed=tuple(map(str, range(100))) if kind is CorrelationType.SHARE else (),
        thresholds=tuple(Threshold(comparison=comparison, number=Decimal(text)) for comparison, text in thresholds if text),
        values=tuple(KeyField(name=value) for value in values),
        percentile=Decimal(95) if kind is CorrelationType.VALUE_PERCENTILE else None,
    )


def filled(one: Correlation) -> Correlator:
    """Return a correlator with drawn rows in its tables."""
    correlator = Correlator([one], readers=lambda _, field: KeyReader(field, None))
    stage, connection = correlator._stage, correlator._connection
    for number in range(PRINCIPALS):
        stage.groups.number((f"user{number}",))
    connection.execute("SELECT setseed(0.5)")
    connection.execute(
        sql(
            "CREATE TEMP TABLE drawn AS SELECT CAST(floor(random() * $operands) AS INTEGER) AS o, i AS e,"
            " CAST(floor(random() * $days * 86400) AS BIGINT) * 1000000 AS t,"
            " CAST(least($principals - 1, floor(exp(random() * ln($principals)) - 1)) AS INTEGER) AS g FROM range($events) s(i)",
            operands=len(one.operands),
            days=DAYS,
            principals=PRINCIPALS,
            events=EVENTS,
        )
    )
    _fill(stage.rows[0], Sql("o, e, t, g"), connection)
    _fill(stage.events, Sql("e, 'event-' || e"), connection)
    if one.values:
        _fill(stage.values[0], Sql("o, e, t, g, 0, 0, CAST(CAST(floor(random() * 400) AS INTEGER) AS VARCHAR)"), connection)
    connection.execute("DROP TABLE drawn")
    return correlator


def _fill(table: Table, columns: Sql, connection: duckdb.DuckDBPyConnection) -> None:
    table.create(connection)
    connection.execute(sql("INSERT INTO $table SELECT $columns FROM drawn", table=table.name, columns=columns))


@pytest.fixture(scope="module", autouse=True)
def heading() -> Iterator[None]:
    print(f"\n{'what':40} {'judge s':>8} {'CPU s':>8} {'x floor':>8} {'episodes s':>10} {'windows':>9} {'episodes':>9}")
    yield
    print()


@pytest.mark.parametrize(
    ("what", "one"),
    [
        ("event_count gte, few", correlation(CorrelationType.EVENT_COUNT, gte="138")),
        ("event_count gte, many", correlation(CorrelationType.EVENT_COUNT, gte="100")),
        ("temporal_ordered, three steps", correlation(CorrelationType.TEMPORAL_ORDERED, rules="abc")),
        ("temporal, three operands", correlation(CorrelationType.TEMPORAL, rules="abc")),
        ("value_count gte, few", correlation(CorrelationType.VALUE_COUNT, gte="110", values=("ip",))),
        ("value_count gte, many", correlation(CorrelationType.VALUE_COUNT, gte="40", values=("ip",))),
        ("value_sum gte", correlation(CorrelationType.VALUE_SUM, gte="26000", values=("ip",))),
        ("value_avg gte", correlation(CorrelationType.VALUE_AVG, gte="390", values=("ip",))),
        ("value_median gte", correlation(CorrelationType.VALUE_MEDIAN, gte="390", values=("ip",))),
        ("value_percentile gte", correlation(CorrelationType.VALUE_PERCENTILE, gte="399", values=("ip",))),
        ("first_seen, lookback of 7 d", correlation(CorrelationType.FIRST_SEEN, values=("ip",))),
        ("rare, lookback of 7 d", correlation(CorrelationType.RARE, lt="0.002", values=("ip",))),
        ("share of 100 values", correlation(CorrelationType.SHARE, gte="0.25", values=("ip",))),
        ("spike, lookback of 7 d", correlation(CorrelationType.SPIKE, gte="4")),
    ],
)
@pytest.mark.timeout(600)
def test_correlating_five_million_rows(what: str, one: Correlation) -> None:
    with filled(one) as correlator:
        floor = _floor(correlator)
        begun, spent = time.perf_counter(), time.process_time()
        answers = correlator._asked()
        judged, spent = time.perf_counter() - begun, time.process_time() - spent
        name = answers._judged.windows[0]
        found = correlator._connection.execute(sql("SELECT count(*) FROM $name", name=name)).fetchone() if name else (0,)
        begun = time.perf_counter()
        episodes = sum(1 for _ in correlator.components())
        formed = time.perf_counter() - begun
    windows = found[0] if found else 0
    print(f"{what:40} {judged:8.2f} {spent:8.2f} {judged / floor:8.2f} {formed:10.2f} {windows:9,} {episodes:9,}")
    assert 0 < episodes <= windows


def _floor(correlator: Correlator) -> float:
    """Return the seconds that sorting the rows by group and time takes; the median of three."""
    spent = []
    for _ in range(3):
        begun = time.perf_counter()
        correlator._connection.execute("CREATE OR REPLACE TEMP TABLE sorted AS SELECT g, t, e FROM rows0 ORDER BY g, t")
        spent.append(time.perf_counter() - begun)
    correlator._connection.execute("DROP TABLE sorted")
    return sorted(spent)[1]


@pytest.mark.timeout(600)
def test_dense_group_forms_one_episode_in_bounded_memory() -> None:
    """Four million windows of one group never stand in Python one by one."""
    one = correlation(CorrelationType.EVENT_COUNT, gte="2")
    with filled(one) as correlator:
        correlator._connection.execute("UPDATE rows0 SET g = 0, t = e * 1000000")
        begun = time.perf_counter()
        (episode,) = correlator.components()
        print(f"{'one group, a window for each event':40} {'':8} {'':8} {time.perf_counter() - begun:10.2f} {episode.windows:9,} {1:9,}")
    assert episode.windows == EVENTS - 1
    assert len(episode.members) == EVENTS
