"""What a run over files may claim, and what it may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.hunt.coverage import REACH_TOLERANCE, claims_of, pulses_of
from aibr_hunt.model.event import Account, ByteClass, Refusal
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import Window

START = datetime(2026, 1, 10, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = Window(start=START, end=START + timedelta(days=1))
SETTLED, UNKNOWN, FAILED = CoverageState.SETTLED, CoverageState.NOT_KNOWN_ALIVE, CoverageState.FAILED


def account(first: datetime | None, last: datetime | None, *, source: str = "s", records: int = 2, refused: int | None = None) -> Account:
    return Account(
        path="x.json",
        stored_size=9,
        digest="0" * 64,
        content_size=9,
        format="json-lines",
        compression="none",
        encoding="utf-8",
        source=source,
        byte_counts={ByteClass.PARSED: 9 - (refused or 0), ByteClass.REFUSED: refused or 0},
        record_counts={ByteClass.PARSED: records},
        refusals=() if refused is None else (Refusal(reason="broken", offset=0, length=refused),),
        first_time=first,
        last_time=last,
    )


def hours(first: float, last: float) -> Account:
    return account(START + timedelta(hours=first), START + timedelta(hours=last))


def test_a_rest_within_the_tolerance_is_settled_with_the_rest_of_the_window() -> None:
    """An hour before and an hour after, to the microsecond."""
    first = START + REACH_TOLERANCE
    last = START + timedelta(days=1) - REACH_TOLERANCE - TICK
    assert claims_of("s", [account(first, last)], asked=DAY) == ((DAY, SETTLED, "as far as the files reach"),)
    early, late = claims_of("s", [account(first + TICK, last)], asked=DAY), claims_of("s", [account(first, last - TICK)], asked=DAY)
    assert [state for _, state, _ in early] == [UNKNOWN, SETTLED]
    assert [state for _, state, _ in late] == [SETTLED, UNKNOWN]
    assert early[0] == (Window(start=START, end=first + TICK), UNKNOWN, "no file reaches here")


@pytest.mark.parametrize(
    ("asked", "states"),
    [
        (Window(start=DAY.start), [UNKNOWN, SETTLED]),
        (Window(end=DAY.end), [SETTLED, UNKNOWN]),
        (Window(), [SETTLED]),
    ],
    ids=["from", "to", "neither"],
)
def test_only_a_bound_that_was_asked_has_a_rest(asked: Window, states: list[CoverageState]) -> None:
    assert [state for _, state, _ in claims_of("s", [hours(5, 9)], asked=asked)] == states


@pytest.mark.parametrize("files", [account(None, None), hours(-9, -1), hours(24, 30)], ids=["untimed", "before", "after"])
def test_files_that_are_not_known_to_meet_the_window_settle_nothing_of_it(files: Account) -> None:
    ((window, state, _),) = claims_of("s", [files], asked=DAY)
    assert (window, state) == (DAY, UNKNOWN)


def test_one_damaged_file_fails_the_window_and_the_cause_says_that_the_rest_was_asked() -> None:
    files = [hours(0, 12), account(START, START, refused=3)]
    assert claims_of("s", files, asked=DAY) == (
        (DAY, FAILED, "1 of 2 files was not read whole (3 content bytes refused); the rest was asked"),
    )
    ((_, _, cause),) = claims_of("s", [account(None, None, refused=0)], asked=DAY)
    assert cause == "1 of 1 file was not read whole (an unknown number of bytes refused); the rest was asked"


@given(st.integers(-60, 60), st.integers(0, 60), st.integers(1, 40))
def test_the_claims_part_the_asked_window_without_gap_or_overlap(first: int, length: int, size: int) -> None:
    asked = Window(start=START, end=START + timedelta(hours=size))
    claims = claims_of("s", [hours(first, first + length)], asked=asked)
    edges = [asked.start, *(window.end for window, _, _ in claims)]
    assert [window.start for window, _, _ in claims] == edges[:-1]
    assert edges[-1] == asked.end
    assert all(window.start is not None and window.end is not None and window.start < window.end for window, _, _ in claims)


def test_events_are_given_an_hour_only_when_one_hour_holds_all_times_of_their_file() -> None:
    within, across, untimed = hours(1, 1.9), hours(1, 2), account(None, None)
    pulses = list(pulses_of([within, across, untimed, account(None, None, source=AS_WRITTEN, records=1)]))
    assert [(pulse.source, pulse.hour, pulse.events) for pulse in pulses] == [
        (AS_WRITTEN, None, 1),
        ("s", None, 4),
        ("s", START + timedelta(hours=1), 2),
    ]
    assert (pulses[1].earliest, pulses[1].latest) == (across.first_time, across.last_time)
