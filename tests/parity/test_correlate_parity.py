"""Correlations beside their oracle: drawn histories in one run over everything, and shared out to runs that read no more than they need.

Many go into one Correlator: correlations with rules of their own, and up to 16 histories under each, in groups of their own. So neither
one correlation nor one group must disturb another.
AIBR_PARITY_HISTORIES says how many are drawn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise

import pytest

from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.reach import needed_span
from aibr_hunt.correlate.values import Component, SatisfyingWindow, episodes
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.episode import Tally
from tests.oracle.correlation_variants import wrong_readings
from tests.oracle.correlations import HOUR, CorrelationOracle, Span
from tests.oracle.histories import BASE, MINUTE, TYPES, History, clock, draw_history, minimised

HISTORIES = int(os.environ.get("AIBR_PARITY_HISTORIES", "1000"))
SLOW_HISTORIES = 20_000
SLOW_PARTS = 20
AT_ONCE = 30
WORLDS = (1, 8, 16, 8)
PARTS = 4
PLANTED = 1300
# Far beyond every history, and on the hour.
DAWN, DUSK = BASE - 1000 * HOUR, BASE + 1000 * HOUR
TALLIED = (CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.SPIKE)

Row = tuple[tuple[str, ...], int, int, tuple[str, ...]]
Said = dict[str, tuple[list[Row], list[Row]]]
Reading = Callable[[Sequence[History]], Said]


# -- what both say -------------------------------------------------------------------------------------------------


def right(history: History, reading: type[CorrelationOracle] = CorrelationOracle) -> Said:
    """Return windows and episodes of each correlation by the oracle."""
    oracle = reading(history.correlations, history.deliveries)
    return {each.id: (rows(oracle.windows(each.id)), rows(oracle.episodes(each.id))) for each in history.correlations}


def rows(spans: Iterable[Span | SatisfyingWindow | Component]) -> list[Row]:
    """Return group, first, last and members of each, in order; what occurs twice stands there twice."""
    return sorted(
        (each.group, each.first, each.last, tuple(sorted(each.members)))
        if isinstance(each, Span)
        else (each.group, each.first_us, each.last_us, each.members)
        for each in spans
    )


@cache
def reader(rule_id: str, name: str) -> KeyReader:
    """Return a reader of the events as they are."""
    del rule_id
    return KeyReader(name, None)


def correlator_of(correlations: Iterable[Correlation]) -> Correlator:
    """Return a correlator that reads events without a mapping."""
    return Correlator(tuple(correlations), readers=reader)


def add(correlator: Correlator, history: History, low: int = DAWN, high: int = DUSK) -> None:
    """Add what was delivered with a time in [low, high), and what has none."""
    for each in history.deliveries:
        if each.time_us is None or low <= each.time_us < high:
            correlator.add(each.rule_id, event_id=each.event_id, time_us=each.time_us, event=each.event)


def by_correlation(spans: Iterable[SatisfyingWindow | Component], ids: Iterable[str]) -> dict[str, list[Row]]:
    """Return the rows of each correlation."""
    found: dict[str, list[SatisfyingWindow | Component]] = {each: [] for each in ids}
    for span in spans:
        found[span.correlation_id].append(span)
    return {name: rows(each) for name, each in found.items()}


def at_once(histories: Sequence[History]) -> Said:
    """Return what one run over everything says."""
    asked = [each for history in histories for each in history.correlations]
    correlator = correlator_of(asked)
    for history in histories:
        add(correlator, history)
    windows = tuple(correlator.windows())
    components = tuple(correlator.components())
    correlator.close()
    ids = [each.id for each in asked]
    shown, formed = by_correlation(windows, ids), by_correlation(components, ids)
    return {each: (shown[each], formed[each]) for each in ids}


# -- runs that read no more than they need -------------------------------------------------------------------------


def cuts(seed: int) -> list[tuple[int, int]]:
    """Return consecutive runs whose borders lie on, just before and just after what the histories hold."""
    rng = random.Random(seed)
    grid = [BASE + place * unit for unit in (MINUTE, HOUR // 2, HOUR) for place in range(13)]
    found = sorted({rng.choice(grid) + rng.choice((0, 0, 1, -1)) for _ in range(rng.choice((1, 2, 3, 5)))})
    borders = [DAWN, *found, DUSK]
    return list(pairwise(borders))


def nightly(histories: Sequence[History], runs: Sequence[tuple[int, int]]) -> Said:
    """Return what runs say that read only the span that each history's last correlation needs."""
    windows: list[SatisfyingWindow] = []
    tops = [history.correlations[-1].id for history in histories]
    for start, end in runs:
        correlator = correlator_of(each for history in histories for each in history.correlations)
        for history in histories:
            by_id = {each.id: each for each in history.correlations}
            add(correlator, history, *needed_span(history.correlations[-1], by_id, start_us=start, end_us=end))
        windows += correlator.windows(start_us=start, end_us=end, only=tops)
        correlator.close()
    shown, formed = by_correlation(windows, tops), by_correlation(episodes(windows), tops)
    return {each: (shown[each], formed[each]) for each in tops}


def keeps_tallies(history: History) -> bool:
    """True when earlier runs can keep the history of the last correlation."""
    top = history.correlations[-1]
    if top.type is CorrelationType.FIRST_SEEN and top.lookback_us < HOUR:
        return False
    return top.type in TALLIED and len(history.correlations) == 1


def kept_span(top: Correlation, start: int, end: int) -> tuple[int, int]:
    """Return what a run reads and keeps; an hour that it begins within is read again from its start, for it is judged as a whole."""
    return (start, end) if top.type is CorrelationType.FIRST_SEEN else (start // HOUR * HOUR, end // HOUR * HOUR)


def tallied(histories: Sequence[History], runs: Sequence[tuple[int, int]]) -> Said:
    """Return what runs say that read no lookback but take the tallies that earlier runs kept."""
    windows: list[SatisfyingWindow] = []
    tops = [history.correlations[-1] for history in histories]
    kept: dict[str, list[Tally]] = {each.id: [] for each in tops}
    for start, end in runs:
        correlator = correlator_of(tops)
        for top, history in zip(tops, histories, strict=True):
            add(correlator, history, *kept_span(top, start, end))
            correlator.add_tallies(top.id, kept[top.id])
        for top in tops:
            low, high = kept_span(top, start, end)
            kept[top.id] += correlator.tallies(top.id, start_us=low, end_us=high)
        windows += correlator.windows(start_us=start, end_us=end)
        correlator.close()
    ids = [each.id for each in tops]
    shown, formed = by_correlation(windows, ids), by_correlation(episodes(windows), ids)
    return {each: (shown[each], formed[each]) for each in ids}


# -- comparison ----------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """How many histories were compared, and how many satisfying windows each type of correlation had."""

    histories: int = 0
    by_type: dict[str, int] = field(default_factory=dict)

    def told(self) -> str:
        """Return the figures in one line."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.by_type.items()))
        return f"{self.histories} histories, satisfying windows of {kinds}"


def compare(histories: Sequence[History], reading: Reading, outcome: Outcome) -> None:
    """Fail on a disagreement, told as small as it gets."""
    found = reading(histories)
    for history in histories:
        expected = right(history)
        top = history.correlations[-1]
        outcome.histories += history.worlds
        outcome.by_type[top.type] = outcome.by_type.get(top.type, 0) + len(expected[top.id][0])
        if differing(expected, found, history):
            pytest.fail(disagreement(history, reading), pytrace=False)


def differing(expected: Mapping[str, object], found: Mapping[str, object], history: History) -> list[str]:
    """Return the ids of the history's correlations on which the two differ."""
    return [each.id for each in history.correlations if each.id in found and found[each.id] != expected[each.id]]


def disagreement(history: History, reading: Reading) -> str:
    """Return the smallest history that shows one, and what both say of it."""

    def is_wrong(smaller: History) -> bool:
        return bool(differing(right(smaller), reading([smaller]), smaller))

    if not is_wrong(history):
        return f"only beside others in one run is it wrong:\n{history.told()}"
    small = minimised(history, is_wrong)
    expected, found = right(small), reading([small])
    lines = [small.told()]
    for each in differing(expected, found, small):
        lines += [f"{each} expected:", *shown(expected[each]), f"{each} found:", *shown(found[each])]
    return "\n".join(lines)


def shown(said: tuple[list[Row], list[Row]]) -> Iterator[str]:
    """Yield windows and episodes as lines."""
    for name, spans in zip(("window", "episode"), said, strict=True):
        for group, first, last, members in spans:
            yield f"  {name} {'/'.join(group)} {clock(first)} .. {clock(last)}: {', '.join(members)}"


def batches(first: int, count: int, kinds: Sequence[CorrelationType] = TYPES) -> Iterator[tuple[int, list[History]]]:
    """Yield so many histories from a seed on, many at once and each with ids of its own."""
    seed = first
    while count > 0:
        drawn: list[History] = []
        start = seed
        while count > 0 and len(drawn) < AT_ONCE:
            drawn.append(draw_history(seed, f"h{seed}.", min(count, WORLDS[seed % 4]), kinds))
            count -= drawn[-1].worlds
            seed += 1
        yield start, drawn


def tallied_batches(first: int, count: int) -> Iterator[tuple[int, list[History]]]:
    """Yield batches of baselines, with those left out whose history earlier runs cannot keep."""
    while count > 0:
        for start, histories in batches(first, count, TALLIED):
            first = start + AT_ONCE
            kept = list(filter(keeps_tallies, histories))
            count -= sum(history.worlds for history in kept)
            yield start, kept
            break


def run_at_once(first: int, count: int) -> Outcome:
    """Compare one run over everything."""
    outcome = Outcome()
    for _, histories in batches(first, count):
        compare(histories, at_once, outcome)
    return outcome


def run_nightly(first: int, count: int) -> Outcome:
    """Compare runs that read only what they need."""
    outcome = Outcome()
    for seed, histories in batches(first, count):
        compare(histories, partial(nightly, runs=cuts(seed)), outcome)
    return outcome


def run_tallied(first: int, count: int) -> Outcome:
    """Compare runs that keep tallies."""
    outcome = Outcome()
    for seed, histories in tallied_batches(first, count):
        compare(histories, partial(tallied, runs=cuts(seed)), outcome)
    return outcome


KINDS = {"at once": run_at_once, "nightly": run_nightly, "with tallies": run_tallied}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_correlator_agrees_with_the_oracle(kind: str, part: int, record_property: Callable[[str, object], None]) -> None:
    """Half of the histories in one run over everything, a third in runs that read what they need, the rest in runs with tallies."""
    count = HISTORIES // PARTS // {"at once": 2, "nightly": 3, "with tallies": 6}[kind]
    outcome = KINDS[kind](1_000_000 + 100_000 * part, count)
    assert outcome.histories == count
    assert sum(outcome.by_type.values()) > count // 2
    record_property("parity", f"correlations {kind} {part}: {outcome.told()}")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(SLOW_PARTS))
@pytest.mark.parametrize("kind", KINDS)
def test_correlator_agrees_with_the_oracle_on_many_histories(kind: str, part: int, record_property: Callable[[str, object], None]) -> None:
    """20,000 histories in one run over everything, 10,000 in runs that read what they need, 5,000 in runs with tallies."""
    count = SLOW_HISTORIES // SLOW_PARTS // {"at once": 1, "nightly": 2, "with tallies": 4}[kind]
    outcome = KINDS[kind](5_000_000 + 100_000 * part, count)
    assert outcome.histories == count
    record_property("parity", f"correlations {kind} {part}, slow: {outcome.told()}")


# -- proof that the comparison sees --------------------------------------------------------------------------------


def found_once() -> list[tuple[History, Said]]:
    """Return histories and what one run over everything says of each."""
    pairs: list[tuple[History, Said]] = []
    for _, histories in batches(0, PLANTED):
        said = at_once(histories)
        pairs += [(history, {each.id: said[each.id] for each in history.correlations}) for history in histories]
    return pairs


@pytest.mark.timeout(600)
def test_comparison_turns_red_for_every_wrong_reading() -> None:
    """One test, so that the correlator runs once: what it found is held against each oracle that reads wrong."""
    found = found_once()
    unseen = [
        reading.__name__
        for reading in wrong_readings()
        if not any(differing(right(history, reading), said, history) for history, said in found)
    ]
    assert unseen == []
    assert len(wrong_readings()) >= 40


def test_figures_of_windows_are_those_that_were_compared() -> None:
    """To 24 digits; `rare` has a figure for each combination of an event and shows one that satisfies."""
    compared = 0
    for _, histories in batches(0, 20 * len(TYPES)):
        correlator = correlator_of(each for history in histories for each in history.correlations)
        for history in histories:
            add(correlator, history)
        windows = list(correlator.windows())
        correlator.close()
        for history in histories:
            oracle = CorrelationOracle(history.correlations, history.deliveries)
            for correlation in history.correlations:
                compared += compare_figures(correlation, oracle, [each for each in windows if each.correlation_id == correlation.id])
    assert compared >= 500


def compare_figures(correlation: Correlation, oracle: CorrelationOracle, windows: Sequence[SatisfyingWindow]) -> int:
    """Compare the figures of one correlation and return how many there were."""
    figures = {(each.group, each.first, each.last, tuple(sorted(each.members))): each.figure for each in oracle.windows(correlation.id)}
    for window in windows:
        expected = figures[window.group, window.first_us, window.last_us, window.members]
        if expected is None or correlation.type is CorrelationType.RARE:
            assert (window.figure is None) == (expected is None), described(correlation, window)
        else:
            assert window.figure is not None, described(correlation, window)
            assert abs(Fraction(window.figure) - expected) <= abs(expected) / 10**24, described(correlation, window)
    return len(windows)


def described(correlation: Correlation, window: SatisfyingWindow) -> str:
    """Return what a figure is said of."""
    return f"{correlation}\n{window}"
