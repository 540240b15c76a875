"""What is due, against its definition told moment by moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from aibr_hunt.hunt.covered import window_of
from aibr_hunt.hunt.due import ANSWERED, due_spans
from aibr_hunt.model.lead import CoverageRow, CoverageState, Look
from aibr_hunt.model.window import Window

START = datetime(2026, 1, 12, tzinfo=UTC)
HOURS = 60


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def look(state: CoverageState, start: int | None, end: int | None, began: int) -> Look:
    window = Window(start=None if start is None else at(start), end=None if end is None else at(end))
    return Look(row=CoverageRow(meaning_digest="m", rule_id="r", source="s", window=window, state=state), began=at(began))


@st.composite
def looks(draw: st.DrawFn) -> list[Look]:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.none() | st.integers(0, HOURS - 1))
        end = draw(st.none() | st.integers((start or 0) + 1, HOURS))
        found.append(look(draw(st.sampled_from(CoverageState)), start, end, draw(st.integers(0, 2 * HOURS))))
    return found


@given(looks(), st.integers(0, 30), st.integers(HOURS, 2 * HOURS))
@example([look(CoverageState.SETTLED, 0, 24, 26)], 24, 50)
def test_a_moment_is_due_when_nobody_answered_or_answered_too_early_for_late_events(found: list[Look], late: int, now: int) -> None:
    reach = Window(start=at(0), end=at(HOURS))
    recheck = timedelta(hours=late)
    spans = due_spans(found, reach, now=at(now), recheck=recheck)
    windows = [window_of(span) for span in spans]
    for half in range(2 * HOURS):
        moment = at(half / 2 + 0.25)
        answers = [each for each in found if each.row.state in ANSWERED and each.row.window.holds(moment)]
        is_done = any(each.began > moment + recheck or at(now) < moment + recheck for each in answers)
        assert any(window.holds(moment) for window in windows) is not is_done, moment
    assert list(spans) == sorted(spans)


def test_a_log_that_is_off_is_asked_once_more_and_then_in_new_windows_only() -> None:
    first = look(CoverageState.NOT_COVERED, 0, 24, 24)
    again = look(CoverageState.NOT_COVERED, 0, 48, 49)
    reach = Window(start=at(0), end=at(48))
    due = due_spans([first], reach, now=at(49), recheck=timedelta(hours=24))
    assert [window_of(span) for span in due] == [reach]
    assert due_spans([first, again], reach, now=at(49), recheck=timedelta(hours=24)) == ()


def test_what_failed_or_cost_too_much_stays_due() -> None:
    reach = Window(start=at(0), end=at(24))
    for state in (CoverageState.FAILED, CoverageState.OVER_BUDGET, CoverageState.PROVISIONAL):
        spans = due_spans([look(state, 0, 24, 100)], reach, now=at(101), recheck=timedelta(hours=24))
        assert [window_of(span) for span in spans] == [reach]
