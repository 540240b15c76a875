"""Consecutive runs of a scheduled text tell of every window once: each run sees what has arrived by then, and starts when it starts."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from aibr_hunt.compile.correlations import scheduled_query
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.query import Last
from aibr_hunt.model.window import Window
from tests.parity.correlation_parity import Row, asking, expected, told
from tests.parity.correlation_world import (
    HOUR_US,
    MINUTE_US,
    RULES,
    START,
    Moment,
    drawn,
    history,
    layouts,
    made,
    micros,
    row_of,
    threshold,
    time_of,
)
from tests.parity.test_engine_parity import STANDINS

PLAIN: Final = {layout.engine: layout for layout in layouts() if layout.name == "plain"}
EVERY: Final = 2
STEP_US: Final = HOUR_US // 2
DRAWS: Final = 2
# How each engine writes the time at which a text runs, and how that time is written in its place.
NOW: Final = {
    EngineKind.ATHENA: ("current_timestamp", "TIMESTAMP '{0:%Y-%m-%d %H:%M:%S} UTC'"),
    EngineKind.BIGQUERY: ("CURRENT_TIMESTAMP()", "TIMESTAMP '{0:%Y-%m-%dT%H:%M:%S}Z'"),
    EngineKind.DUCKDB: ("current_timestamp", "TIMESTAMPTZ '{0:%Y-%m-%d %H:%M:%S}+00'"),
    EngineKind.KQL: ("now()", "datetime({0:%Y-%m-%dT%H:%M:%S}Z)"),
}


def run_at(text: str, now: datetime, engine: EngineKind) -> str:
    """Return a text as it reads when it runs at a time."""
    word, form = NOW[engine]
    if engine is EngineKind.KQL:
        text = re.sub(r"ago\((\d+h)\)", r"now() - \1", text)
    assert word in text
    return text.replace(word, form.format(now))


def runs(until: datetime, minutes: Sequence[int]) -> list[datetime]:
    """Return when consecutive runs start: in the hours in which they are due, so many minutes late."""
    hours = range(0, int((until - START) / timedelta(hours=1)) + EVERY, EVERY)
    return [START + timedelta(hours=hour, minutes=minutes[place % len(minutes)]) for place, hour in enumerate(hours)]


def told_by_runs(
    correlation: Correlation, arrivals: Sequence[tuple[Moment, int]], layout: Layout, *, minutes: Sequence[int]
) -> Counter[Row]:
    """Return all windows that the runs tell of, each run on what has arrived when it starts."""
    scheduled = scheduled_query(correlation, RULES, asking(layout, Last(hours=EVERY)))
    last = max(moment.t for moment, _ in arrivals) + scheduled.held_us + EVERY * HOUR_US
    found: Counter[Row] = Counter()
    for now in runs(time_of(last), minutes):
        standin = STANDINS[layout.engine]()
        standin.load(layout, [row_of(moment, layout) for moment, arrival in arrivals if arrival <= micros(now)])
        found += told(correlation, standin.rows(run_at(scheduled.query.text, now, layout.engine)))
    return found


EVER: Final = Window(start=START - timedelta(days=1), end=START + timedelta(days=2))


@pytest.mark.parametrize("kind", CorrelationType, ids=lambda kind: kind.value)
@pytest.mark.parametrize("engine", NOW, ids=str)
def test_consecutive_runs_tell_of_every_window_once(engine: EngineKind, kind: CorrelationType) -> None:
    layout = PLAIN[engine]
    tried = 0
    for seed in range(100):
        rng = random.Random(f"{seed} {kind.value} scheduled")
        correlation = drawn(rng, kind, step_us=STEP_US)
        moments = history(rng, step_us=STEP_US, count=16, is_fine=seed % 2 == 1)
        arrivals = [(moment, moment.t + rng.randrange(layout.settle_s * 1_000_000)) for moment in moments]
        wanted = expected(correlation, (), moments, EVER)
        is_said = engine is not EngineKind.KQL or kind not in {CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN}
        if not is_said:
            with pytest.raises(Unsupported, match="approximations"):
                scheduled_query(correlation, RULES, asking(layout, Last(hours=EVERY)))
            return
        if wanted:
            assert told_by_runs(correlation, arrivals, layout, minutes=[3, 59, 0, 17]) == wanted
            tried += 1
        if tried == DRAWS:
            return
    pytest.fail("too few histories have a window")


@pytest.mark.parametrize("minutes", [[0], [59], [0, 59]], ids=str)
def test_a_window_at_the_edge_of_two_runs_is_told_by_one(minutes: list[int]) -> None:
    """Events at whole hours, and a microsecond on either side of them."""
    layout = PLAIN[EngineKind.DUCKDB]
    count = made(CorrelationType.EVENT_COUNT, "a", timespan_us=MINUTE_US, thresholds=(threshold(Comparison.GTE, "1"),))
    times = [hour * HOUR_US + beside for hour in range(5) for beside in (0, 1, HOUR_US - 1)]
    moments = [Moment(f"e{number}", micros(START) + t, {"kind": "ka", "who": "x"}) for number, t in enumerate(times)]
    found = told_by_runs(count, [(moment, moment.t) for moment in moments], layout, minutes=minutes)
    assert found == expected(count, (), moments, EVER)
    assert set(found.values()) == {1}


def test_what_settles_is_waited_for_and_what_comes_later_is_missed() -> None:
    layout = replace(PLAIN[EngineKind.DUCKDB], settle_s=3 * 3600)
    pair = made(CorrelationType.TEMPORAL, "ab", timespan_us=10 * MINUTE_US)
    moments = [Moment(name, micros(START) + HOUR_US, {"kind": kind, "who": "x"}) for name, kind in (("e1", "ka"), ("e2", "kb"))]
    in_time = [(moments[0], moments[0].t), (moments[1], moments[1].t + 3 * HOUR_US - 1)]
    too_late = [in_time[0], (moments[1], moments[1].t + 9 * HOUR_US)]
    assert told_by_runs(pair, in_time, layout, minutes=[0]).total() == 1
    assert told_by_runs(pair, too_late, layout, minutes=[0]).total() == 0


def test_a_text_for_a_schedule_asks_for_hours() -> None:
    count = made(CorrelationType.EVENT_COUNT, "a", timespan_us=MINUTE_US)
    with pytest.raises(Unsupported, match="absolute window"):
        scheduled_query(count, RULES, asking(PLAIN[EngineKind.DUCKDB], EVER))


def test_in_kql_edges_hang_on_the_whole_hour_of_the_run() -> None:
    count = made(CorrelationType.EVENT_COUNT, "a", timespan_us=MINUTE_US)
    found = scheduled_query(count, RULES, asking(PLAIN[EngineKind.KQL], Last(hours=EVERY)))
    settle = PLAIN[EngineKind.KQL].settle_s
    assert found.edges == (f"t >= bin(now(), 1h) - {EVERY * 3600 + settle}s", f"t < bin(now(), 1h) - {settle}s")
    assert all(f"| where {edge}" in found.query.text.splitlines() for edge in found.edges)
    assert found.query.span == Last(hours=EVERY + 1 + -(-(60 + settle) // 3600))
