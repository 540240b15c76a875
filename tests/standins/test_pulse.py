"""The pulse of every layout: accepted by the official checkers, and counted right where it is run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aibr_hunt.compile.pulse import EARLIEST, EVENTS, LATEST, key_columns, pulse_query
from aibr_hunt.engines.cloud.pulse import pulses_in
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.parity.rows import row_of_record
from tests.parity.test_checkers import complaints
from tests.parity.test_engine_parity import STANDINS
from tests.unit.cloud_samples import record

START = datetime(2026, 1, 12, tzinfo=UTC)
DAY = Window(start=START, end=START + timedelta(days=1))
PLACES = [(mapping, layout) for mapping in LIBRARY.mappings for layout in mapping.layouts]
IDS = [f"{mapping.name}-{layout.label}" for mapping, layout in PLACES]
TRAILS = [each for each in PLACES if each[0].name == "aws_cloudtrail"]


@pytest.mark.parametrize(("mapping", "layout"), PLACES, ids=IDS)
def test_official_checker_accepts_the_pulse(mapping: Mapping, layout: Layout) -> None:
    if layout.engine in {EngineKind.ATHENA, EngineKind.DUCKDB}:
        STANDINS[layout.engine]().load(layout, [])
    assert complaints(layout, pulse_query(layout, DAY)) == [], mapping.name


@pytest.mark.parametrize(("mapping", "layout"), TRAILS, ids=[layout.label for _, layout in TRAILS])
def test_events_are_counted_by_hour_and_key(mapping: Mapping, layout: Layout) -> None:
    minutes = {1: 61, 2: 62, 3: 119, 4: 121, 5: 24 * 60, 6: -1}
    records = [record(number, at=timedelta(minutes=at)) for number, at in minutes.items()]
    records.append(record(7, at=timedelta(minutes=63), awsRegion="eu-central-1"))
    standin = STANDINS[layout.engine]()
    standin.load(layout, [row_of_record(each, mapping, layout) for each in records])
    names = key_columns(layout)
    columns = (*names, "hour", EVENTS, EARLIEST, LATEST) if layout.engine is EngineKind.KQL else (*names, EVENTS, EARLIEST, LATEST)
    rows = [dict(zip(columns, row, strict=True)) for row in standin.rows(pulse_query(layout, DAY))]
    found = pulses_in(rows, Source(name="s", mapping=mapping, layout=layout, place="p"))
    assert sorted((pulse.key.split("|")[-1], pulse.hour, pulse.events, pulse.earliest, pulse.latest) for pulse in found if pulse.hour) == [
        ("eu-central-1", START + timedelta(hours=1), 1, START + timedelta(minutes=63), START + timedelta(minutes=63)),
        ("eu-west-1", START + timedelta(hours=1), 3, START + timedelta(minutes=61), START + timedelta(minutes=119)),
        ("eu-west-1", START + timedelta(hours=2), 1, START + timedelta(minutes=121), START + timedelta(minutes=121)),
    ]
