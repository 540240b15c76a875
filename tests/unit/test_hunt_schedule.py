"""How a standing rule stands: told by committed runs alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.program import Options, meaning_digest
from aibr_hunt.hunt.run import Request, run_files
from aibr_hunt.hunt.schedule import History, Standing, joined
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import NOW, cloudtrail, rule, write_bytes, write_lines

RULE = rule(1)
CHANGED = rule(1, "{eventName: [DeleteGuardrail, UpdateGuardrail]}")
DAY = timedelta(days=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "home", clock=lambda: NOW, tell=lambda _: None) as opened:
        yield opened


def night(ledger: Ledger, path: Path, number: int, asked: Rule = RULE, *, times: Sequence[str] = ("00:00:02", "23:31:00")) -> None:
    """Run a rule over one file in the night of a day of January, over that day's window."""
    start = datetime(2026, 1, number, tzinfo=UTC)
    if path.name == "day.json":
        write_lines(path, [cloudtrail(each, eventTime=f"2026-01-{number:02d}T{time}Z") for each, time in enumerate(times)])
    request = Request(
        rules=[asked],
        mapping_of={asked.id: LIBRARY.mapping_for(asked.logsource)},
        mappings=LIBRARY.mappings,
        paths=[path],
        scope=Scope(now=NOW, window=Window(start=start, end=start + DAY)),
        options=Options(),
        kind="sweep",
    )
    run_files(request, ledger, clock=lambda: start + DAY, tell=lambda _: None)


def standing(ledger: Ledger, asked: Rule = RULE, *, overdue_before: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Standing:
    digest = meaning_digest(asked, LIBRARY.mapping_for(asked.logsource))
    return History.read(ledger).standing(asked.id, meaning_digest=digest, source="aws_cloudtrail", overdue_before=overdue_before)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "day.json", [cloudtrail(1)])


def test_a_rule_that_no_run_asked_was_never_asked(ledger: Ledger) -> None:
    assert standing(ledger) == Standing(state="never asked")


def test_windows_that_touch_are_one_and_a_night_that_was_left_out_shows(ledger: Ledger, day: Path) -> None:
    for number in (1, 2, 5):
        night(ledger, day, number)
    one, five = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)
    windows = (Window(start=one, end=one + 2 * DAY), Window(start=five, end=five + DAY))
    assert standing(ledger) == Standing(state="settled", windows=windows, last=five + DAY)


def test_a_night_of_which_the_files_reach_a_part_is_settled_for_that_part_alone(ledger: Ledger, day: Path) -> None:
    night(ledger, day, 1, times=("00:30:00", "10:00:00"))
    found = standing(ledger)
    one = datetime(2026, 1, 1, tzinfo=UTC)
    assert found.state == "not known to be alive"
    assert found.windows == (Window(start=one, end=one + timedelta(hours=10, microseconds=1)),)


def test_a_rule_that_was_asked_too_long_ago_is_overdue(ledger: Ledger, day: Path) -> None:
    night(ledger, day, 1)
    assert standing(ledger, overdue_before=datetime(2026, 1, 2, tzinfo=UTC)).state == "settled"
    assert standing(ledger, overdue_before=datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC)).state == "overdue"


def test_a_rule_whose_meaning_changed_is_stale_until_it_is_asked_anew(ledger: Ledger, day: Path) -> None:
    night(ledger, day, 1)
    assert standing(ledger, CHANGED) == Standing(state="stale")
    night(ledger, day, 2, CHANGED)
    assert standing(ledger, CHANGED).state == "settled"
    assert [window.start for window in standing(ledger, CHANGED).windows] == [datetime(2026, 1, 2, tzinfo=UTC)]


def test_the_last_run_says_the_state_and_settled_windows_stay(ledger: Ledger, day: Path, tmp_path: Path) -> None:
    night(ledger, day, 1)
    night(ledger, write_bytes(tmp_path / "broken.json", b'{"eventName": oops}\n{"a":1}\n'), 2)
    found = standing(ledger)
    assert found.state == "not covered"
    assert [window.start for window in found.windows] == [datetime(2026, 1, 1, tzinfo=UTC)]


HOURS = st.integers(0, 40)
WINDOWS = st.lists(st.tuples(st.none() | HOURS, st.none() | st.integers(1, 12)), max_size=8)


@given(WINDOWS)
def test_joined_windows_hold_the_same_moments_and_neither_touch_nor_overlap(drawn: list[tuple[int | None, int | None]]) -> None:
    windows = tuple(
        Window(
            start=None if start is None else NOW + timedelta(hours=start),
            end=None if size is None else NOW + timedelta(hours=(start or 0) + size),
        )
        for start, size in drawn
    )
    few = joined(windows)
    moments = [NOW + timedelta(minutes=30 * each) for each in range(-2, 110)]
    assert [any(each.holds(at) for each in few) for at in moments] == [any(each.holds(at) for each in windows) for at in moments]
    assert all(left.end is not None and right.start is not None and left.end < right.start for left, right in itertools.pairwise(few))


def test_a_window_of_which_the_files_hold_no_event_is_not_known_to_be_alive(ledger: Ledger, day: Path) -> None:
    night(ledger, day, 1)
    start = datetime(2026, 1, 9, tzinfo=UTC)
    request = Request(
        rules=[RULE],
        mapping_of={RULE.id: LIBRARY.mapping_for(RULE.logsource)},
        mappings=LIBRARY.mappings,
        paths=[day],
        scope=Scope(now=NOW, window=Window(start=start, end=start + DAY)),
        options=Options(),
    )
    outcome = run_files(request, ledger, clock=lambda: start + DAY, tell=lambda _: None)
    assert [row.state.value for row in outcome.record.coverage] == ["not known to be alive"]
    assert not outcome.is_complete
