"""Tallies of earlier runs as a baseline's history."""

from __future__ import annotations

import random
from datetime import timedelta

from aibr_hunt.correlate.reach import HOUR_US
from aibr_hunt.hunt.covered import us_of
from aibr_hunt.hunt.history import covers, history, hours_of, whole_hours
from aibr_hunt.ledger import sheet_of
from aibr_hunt.model.episode import Tally, TallySheet
from aibr_hunt.model.window import Window
from tests.unit.ledger_samples import T0

BASE = us_of(Window(start=T0, end=T0))[0] // HOUR_US


def sheet(first: int, end: int, run: int) -> TallySheet:
    """Return what a run counted from hour `first` to hour `end`: one event an hour, named by the run."""
    window = Window(start=T0 + timedelta(hours=first), end=T0 + timedelta(hours=end))
    tallies = [
        Tally(combination=(f"run {run}",), hour=BASE + hour, events=1, first_us=(BASE + hour) * HOUR_US, last_us=(BASE + hour) * HOUR_US)
        for hour in range(first, end)
    ]
    return sheet_of("c", "m", window, tallies=tallies)


def span(first: int, end: int) -> tuple[int, int]:
    return (BASE + first) * HOUR_US, (BASE + end) * HOUR_US


def hours(sheets: list[TallySheet], first: int, end: int) -> dict[int, str]:
    found = history(sheets, span(first, end))
    assert len({tally.hour for tally in found}) == len(found), "no hour is told twice"
    return {tally.hour - BASE: tally.combination[0] for tally in found}


def test_hours_that_a_later_run_counted_again_are_its_own() -> None:
    sheets = [sheet(0, 4, 1), sheet(2, 6, 2)]
    assert hours(sheets, 0, 6) == {0: "run 1", 1: "run 1", 2: "run 2", 3: "run 2", 4: "run 2", 5: "run 2"}


def test_a_later_run_inside_an_earlier_one_takes_the_middle() -> None:
    assert hours([sheet(0, 5, 1), sheet(2, 3, 2)], 0, 5) == {0: "run 1", 1: "run 1", 2: "run 2", 3: "run 1", 4: "run 1"}


def test_only_the_wanted_hours_are_told() -> None:
    assert hours([sheet(0, 5, 1)], 1, 3) == {1: "run 1", 2: "run 1"}


def test_a_hole_is_no_coverage() -> None:
    assert covers([sheet(0, 2, 1), sheet(2, 4, 2)], span(0, 4))
    assert not covers([sheet(0, 2, 1), sheet(3, 4, 2)], span(0, 4))
    assert not covers([sheet(1, 4, 1)], span(0, 4))
    assert not covers([sheet(0, 3, 1)], span(0, 4))
    assert not covers([], span(0, 1))


def test_whole_hours_lie_inside_and_touched_hours_around() -> None:
    start, end = span(1, 3)
    assert whole_hours((start, end)) == hours_of((start, end)) == (start, end)
    assert whole_hours((start + 1, end - 1)) == span(2, 2)
    assert hours_of((start + 1, end - 1)) == (start, end)


def test_random_runs_tell_each_hour_by_the_last_that_counted_it() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        sheets, last = [], {}
        for run in range(chance.randint(1, 6)):
            first = chance.randint(0, 8)
            end = first + chance.randint(1, 5)
            sheets.append(sheet(first, end, run))
            last.update(dict.fromkeys(range(first, end), f"run {run}"))
        wanted = sorted(chance.sample(range(14), 2))
        expected = {hour: name for hour, name in last.items() if wanted[0] <= hour < wanted[1]}
        assert hours(sheets, *wanted) == expected, f"seed {seed}"
        assert covers(sheets, span(*wanted)) == (len(expected) == wanted[1] - wanted[0]), f"seed {seed}"
