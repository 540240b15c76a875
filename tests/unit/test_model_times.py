"""Times of cloud logs in all the spellings that the clouds use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.model.times import parse_time

NOON = datetime(2026, 1, 2, 12, 30, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-01-02T12:30:45Z", 0),
        ("2026-01-02t12:30:45z", 0),
        ("2026-01-02 12:30:45Z", 0),
        ("2026-01-02T12:30:45.1Z", 100_000),
        ("2026-01-02T12:30:45.123Z", 123_000),
        ("2026-01-02T12:30:45.123456Z", 123_456),
        ("2026-01-02T12:30:45.1234567Z", 123_456),
        ("2026-01-02T12:30:45.123456789Z", 123_456),
        ("2026-01-02T12:30:45.999999999Z", 999_999),
        ("2026-01-02T12:30:45+00:00", 0),
        ("2026-01-02T12:30:45-00:00", 0),
        ("2026-01-02T14:00:45.5+01:30", 500_000),
        ("2026-01-01T23:30:45-13:00", 0),
    ],
)
def test_each_spelling_names_its_moment(text: str, micros: int) -> None:
    moment = parse_time(text)
    assert moment == NOON + timedelta(microseconds=micros)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T12:30:45",
        "2026-01-02T12:30Z",
        "2026-01-02T12:30:45.Z",
        "2026-01-02T12:30:45+0100",
        "20260102T123045Z",
        "2026-W01-5T12:30:45Z",
        "2026-13-02T12:30:45Z",
        "2026-02-30T12:30:45Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T12:60:45Z",
        "2026-01-02T12:30:61Z",
        "0000-01-02T12:30:45Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:60Z",
        "２026-01-02T12:30:45Z",
        " 2026-01-02T12:30:45Z",
        "2026-01-02T12:30:45Z\n",
        "1/2/2026, 12:30:45.000 PM",
        1767357045,
        None,
        ["2026-01-02T12:30:45Z"],
    ],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert parse_time(text) is None


def test_a_leap_second_is_the_next_minute() -> None:
    assert parse_time("2016-12-31T23:59:60.5Z") == datetime(2017, 1, 1, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_every_moment_reads_back(naive: datetime, offset: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert parse_time(moment.isoformat(timespec="microseconds")) == moment
