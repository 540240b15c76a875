"""Chains, consecutive runs, coverage, and correlations that cannot be judged (docs/meaning.md sections 7.2 to 7.4)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.reach import needed_span, reach_us, rests_on_presence
from aibr_hunt.correlate.values import Component, SatisfyingWindow, episodes
from aibr_hunt.errors import AibrError, ContentError, EngineError, Unsupported, UsageError
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.correlation import Both, Correlation, CorrelationType, Either, Has, KeyField, Lacks, Operand
from tests.unit.correlate_samples import HOUR, SPAN, Sample, add, at, baseline, correlation, correlator, limits, row, rows, windows

FAILURES = correlation("event_count", "a", name="F", thresholds=limits(gte="2"), span=10)
THEN = correlation("temporal_ordered", "Fb", name="T", span=100)


def test_inner_window_counts_at_its_last_event_and_gives_its_members() -> None:
    samples = [at(0, "a", "x"), at(5, "a", "y"), at(105, "b", "z")]
    assert rows([FAILURES, THEN], samples) == [("alice", 5, 105, "x y z")]
    assert rows([FAILURES, THEN], [*samples[:2], at(106, "b", "z")]) == []
    assert rows([FAILURES, THEN], [*samples[:1], at(105, "b", "z")]) == []


def test_order_in_which_correlations_are_given_is_no_matter() -> None:
    with correlator(THEN, FAILURES) as one:
        add(one, [at(0, "a", "x"), at(5, "a", "y"), at(6, "b", "z")])
        assert [each.correlation_id for each in one.windows()] == ["T", "F"]
        assert [each.correlation_id for each in one.windows(only=["F"])] == ["F"]


def test_inner_windows_are_counted_each() -> None:
    outer = correlation("event_count", "F", name="T", span=100, thresholds=limits(gte="2"))
    samples = [at(time, "a", f"x{time}") for time in (0, 5, 8)]
    assert rows([FAILURES, outer], samples[:2]) == []
    assert rows([FAILURES, outer], samples) == [("alice", 5, 8, "x0 x5 x8")]


def test_fields_of_an_inner_window_are_its_group() -> None:
    inner = correlation("event_count", "a", name="F", by=("user", "ip"), thresholds=limits(gte="2"), span=10)
    outer = correlation("value_count", "F", name="T", by=("user",), values=("ip",), span=100, thresholds=limits(gte="2"))
    samples = [at(time, "a", f"x{time}", ip=str(time // 2)) for time in range(4)]
    assert rows([inner, outer], samples) == [("alice", 1, 3, "x0 x1 x2 x3")]
    total = correlation("value_sum", "F", name="T", by=(), values=("ip",), span=100, thresholds=limits(gte="0"))
    assert [(each.last_us, each.figure) for each in windows([inner, total], samples)] == [(1, Decimal(0)), (3, Decimal(1))]


def test_alias_may_name_a_field_of_an_inner_group() -> None:
    outer = replace(THEN, group_by=(KeyField(name="who", fields=(("F", "user"), ("b", "login"))),))
    samples = [at(0, "a", "x"), at(5, "a", "y"), at(6, "b", "z", user="", login="ALICE")]
    assert rows([FAILURES, outer], samples) == [("alice", 5, 6, "x y z")]


def test_chain_of_three_gives_the_events_at_its_bottom() -> None:
    top = correlation("temporal", "Tc", name="X", span=1000)
    samples = [at(0, "a", "x"), at(5, "a", "y"), at(6, "b", "z"), at(900, "c", "u"), at(901, "a", "v")]
    assert rows([FAILURES, THEN, top], samples) == [("alice", 6, 900, "u x y z")]


def test_baseline_may_be_an_operand() -> None:
    new = baseline("first_seen", "a", name="F", values=("ip",))
    assert rows([new, THEN], [at(0, "p", "p", ip="1"), at(1, "a", "x", ip="1"), at(2, "a", "y", ip="2"), at(3, "b", "z")]) == [
        ("alice", 2, 3, "y z")
    ]


def test_negated_chain_looks_for_its_windows_after_too() -> None:
    lonely = correlation("temporal", "bF", name="T", span=100, condition=Both(items=(Has(operand="b"), Lacks(item=Has(operand="F")))))
    assert rows([FAILURES, lonely], [at(0, "b", "x"), at(95, "a", "y"), at(100, "a", "z")]) == []
    assert rows([FAILURES, lonely], [at(0, "b", "x"), at(95, "a", "y"), at(101, "a", "z")]) == [("alice", 0, 0, "x")]


def test_inner_windows_that_overlap_give_each_member_once() -> None:
    samples = [at(time, "a", f"x{time}") for time in range(9)]
    outer = correlation("event_count", "F", name="T", by=(), span=100, thresholds=limits(gte="8"))
    assert rows([FAILURES, outer], samples) == [("", 1, 8, " ".join(f"x{time}" for time in range(9)))]


def broken(**changes: Any) -> Correlation:
    return replace(correlation("event_count", thresholds=limits(gte="2")), **changes)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([THEN], ContentError, "names the correlation F"),
        ([replace(THEN, id="F", name="F")], ContentError, "rests on itself: F -> F"),
        (
            [correlation("temporal", "Ta", name="S"), correlation("temporal", "Sa", name="T")],
            ContentError,
            "rests on itself: S -> T -> S",
        ),
        ([FAILURES, replace(THEN, group_by=(KeyField(name="ip"),))], ContentError, "reads ip of the correlation F"),
        ([FAILURES, replace(FAILURES, timespan_us=5)], ContentError, "Two correlations have the id F"),
        ([broken(operands=())], ContentError, "has no rules"),
        ([broken(thresholds=())], ContentError, "compares with no threshold"),
        ([broken(thresholds=limits(gte="0.0000001"))], Unsupported, "more than 6 decimals"),
        ([broken(type=CorrelationType.VALUE_COUNT)], ContentError, "counts no field"),
        ([broken(type=CorrelationType.VALUE_SUM)], ContentError, "measures 0 fields"),
        ([broken(type=CorrelationType.VALUE_PERCENTILE, values=(KeyField(name="n"),))], ContentError, "names no percentile"),
        ([broken(type=CorrelationType.SHARE, values=(KeyField(name="n"),))], ContentError, "lists no values"),
        ([broken(type=CorrelationType.FIRST_SEEN, lookback_us=HOUR)], ContentError, "names no population"),
        (
            [
                FAILURES,
                broken(type=CorrelationType.FIRST_SEEN, lookback_us=HOUR, population=Operand(name="F", id="F", is_correlation=True)),
            ],
            Unsupported,
            "a correlation as population",
        ),
        ([baseline("spike", thresholds=limits(gte="1"), back=HOUR + 1)], ContentError, "lookback of whole hours"),
        ([correlation("temporal_ordered", condition=Has(operand="a"))], Unsupported, "temporal_ordered with a condition"),
        ([correlation("temporal", condition=Has(operand="z"))], ContentError, "asks for z"),
        ([correlation("temporal", condition=Lacks(item=Has(operand="a")))], Unsupported, "a condition of absences alone"),
        ([correlation("temporal", condition=Lacks(item=Lacks(item=Lacks(item=Has(operand="a")))))], Unsupported, "absences alone"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(given: Sequence[Correlation], error: type[AibrError], text: str) -> None:
    with pytest.raises(error, match=text):
        correlator(*given)


def test_memory_limit_that_is_no_size_is_refused() -> None:
    with pytest.raises(UsageError, match="is no size"):
        Correlator([FAILURES], readers=lambda _, field: KeyReader(field, None), memory_limit="2GB; SELECT 1")


def test_correlator_that_was_closed_fails_as_an_engine() -> None:
    one = correlator(FAILURES)
    add(one, [at(0, "a", "x")])
    one.close()
    with pytest.raises(EngineError, match="correlation engine"):
        list(one.windows())


def test_folder_of_its_own_is_used_by_one_correlator(tmp_path: Path) -> None:
    with Correlator([FAILURES], readers=lambda _, field: KeyReader(field, None), temporary=tmp_path / "spill") as one:
        add(one, [at(0, "a", "x"), at(1, "a", "y")])
        assert [row(each) for each in one.windows()] == [("alice", 0, 1, "x y")]


def test_correlators_of_one_process_do_not_see_each_other() -> None:
    with correlator(FAILURES) as one, correlator(FAILURES) as other:
        add(one, [at(0, "a", "x")])
        add(other, [at(1, "a", "y")])
        assert [list(one.windows()), list(other.windows())] == [[], []]


def test_answers_that_are_read_in_turns_do_not_disturb_each_other() -> None:
    with correlator(FAILURES) as one:
        add(one, [at(time * 100 + place, "a", f"x{time}.{place}") for time in range(600) for place in range(2)])
        pairs = list(zip(one.windows(), one.components(), one.windows(), strict=True))
    assert len(pairs) == 600
    assert all(row(first) == row(second) == row(third) for first, second, third in pairs)


def window(group: str, first: int, last: int, *members: str) -> SatisfyingWindow:
    return SatisfyingWindow(correlation_id="C", group=(group,), first_us=first, last_us=last, members=members)


def test_windows_that_overlap_or_touch_are_one_episode() -> None:
    found = episodes(
        [window("a", 5, 9, "z"), window("a", 0, 5, "x"), window("a", 10, 12, "u"), window("b", 0, 9, "v"), window("a", 1, 2, "y")]
    )
    assert [row(each) for each in found] == [("a", 0, 9, "x y z"), ("a", 10, 12, "u"), ("b", 0, 9, "v")]
    assert [each.windows for each in found] == [3, 1, 1]


def test_reach_is_the_longest_chain() -> None:
    by_id = {"F": FAILURES, "T": THEN}
    assert reach_us(THEN, by_id) == (110, 0)
    assert needed_span(THEN, by_id, start_us=1000, end_us=2000) == (890, 2000)
    lonely = correlation("temporal", "bF", name="N", span=50, condition=Both(items=(Has(operand="b"), Lacks(item=Has(operand="F")))))
    assert needed_span(lonely, by_id, start_us=1000, end_us=2000) == (940, 2050)
    new = baseline("first_seen", back=HOUR)
    assert needed_span(new, {}, start_us=1000, end_us=2000) == (1000 - HOUR, 2000)


def test_hourly_baselines_need_whole_hours() -> None:
    rare = baseline("rare", name="R", values=("ip",), thresholds=limits(lt="1"), back=2 * HOUR)
    assert needed_span(rare, {}, start_us=5 * HOUR, end_us=6 * HOUR) == (3 * HOUR, 6 * HOUR)
    assert needed_span(rare, {}, start_us=5 * HOUR + 1, end_us=7 * HOUR - 1) == (3 * HOUR, 6 * HOUR)
    assert needed_span(rare, {}, start_us=5 * HOUR + 1, end_us=6 * HOUR - 1) == (5 * HOUR + 1, 5 * HOUR + 1)
    assert reach_us(rare, {}) == (3 * HOUR - 1, HOUR - 1)
    outer = correlation("temporal", "Rb", name="T", span=10)
    assert needed_span(outer, {"R": rare}, start_us=5 * HOUR, end_us=6 * HOUR) == (2 * HOUR, 6 * HOUR)
    assert needed_span(outer, {"R": rare}, start_us=5 * HOUR + 10, end_us=6 * HOUR + 1) == (3 * HOUR, 7 * HOUR)


def test_presence_is_counts_from_below_and_temporal_without_negation() -> None:
    by_id = {"F": FAILURES, "T": THEN}
    assert rests_on_presence(THEN, by_id)
    few = correlation("event_count", name="F", thresholds=limits(gte="2", lte="5"))
    assert not rests_on_presence(few, {})
    assert not rests_on_presence(THEN, {"F": few})
    assert not rests_on_presence(correlation("value_sum", values=("n",), thresholds=limits(gte="2")), {})
    assert not rests_on_presence(baseline("first_seen"), {})


def test_window_is_the_runs_own_by_its_last_event() -> None:
    with correlator(FAILURES) as one:
        add(one, [at(0, "a", "x"), at(5, "a", "y"), at(9, "a", "z")])
        assert [each.last_us for each in one.windows(start_us=5, end_us=9)] == [5]
        assert [each.last_us for each in one.windows(start_us=9)] == [9]
        assert [each.last_us for each in one.windows(end_us=5)] == []
        assert [(each.first_us, each.last_us) for each in one.components(start_us=6)] == [(0, 9)]


def test_hourly_window_is_the_runs_own_by_the_end_of_its_hour() -> None:
    spike = baseline("spike", "a", population="a", thresholds=limits(gte="1"), back=HOUR)
    with correlator(spike) as one:
        add(one, [at(HOUR, "a", "x"), at(2 * HOUR - 1, "a", "y")])
        assert [each.last_us for each in one.windows(start_us=HOUR, end_us=2 * HOUR)] == [2 * HOUR - 1]
        assert list(one.windows(start_us=HOUR, end_us=2 * HOUR - 1)) == []
        assert list(one.windows(start_us=2 * HOUR, end_us=3 * HOUR)) == []
        assert [each.first_us for each in one.windows(start_us=2 * HOUR - 1, end_us=3 * HOUR)] == [HOUR]


def test_presence_outside_coverage_is_provisional_and_absence_is_not_judged() -> None:
    few = correlation("event_count", "a", name="L", thresholds=limits(lte="2"), span=10)
    with correlator(FAILURES, few) as one:
        add(one, [at(0, "a", "x"), at(5, "a", "y"), at(90, "a", "z"), at(95, "a", "u")])
        covered = {"F": [(80, 90), (90, 96)], "L": [(80, 96)]}
        found = [(each.correlation_id, each.last_us, each.is_provisional) for each in one.windows(covered=covered)]
        assert found == [("F", 5, True), ("F", 95, False), ("L", 90, False), ("L", 95, False)]
        assert [each.is_provisional for each in one.components(covered=covered, only=["F"])] == [True, False]
        assert [each.last_us for each in one.windows(covered={"L": [(80, 95)]}, only=["L"])] == [90]
        assert list(one.windows(covered={}, only=["L"])) == []


def test_absence_after_the_event_needs_coverage_after_it() -> None:
    lonely = correlation("temporal", "ab", span=10, condition=Both(items=(Has(operand="a"), Lacks(item=Has(operand="b")))))
    with correlator(lonely) as one:
        add(one, [at(20, "a", "x")])
        assert [each.last_us for each in one.windows(covered={"C": [(10, 31)]})] == [20]
        assert list(one.windows(covered={"C": [(10, 30)]})) == []
        assert list(one.windows(covered={"C": [(11, 31)]})) == []


def test_hourly_baseline_is_judged_where_its_whole_hours_are_covered() -> None:
    rare = baseline("rare", values=("ip",), thresholds=limits(lte="1"), back=HOUR)
    with correlator(rare) as one:
        add(one, [at(HOUR + 7, "a", "x", ip="1"), at(HOUR + 9, "p", "y", ip="2")])
        assert [each.last_us for each in one.windows(covered={"C": [(0, 2 * HOUR)]})] == [HOUR + 7]
        assert list(one.windows(covered={"C": [(1, 2 * HOUR)]})) == []
        assert list(one.windows(covered={"C": [(0, 2 * HOUR - 1)]})) == []


MONTH = [
    FAILURES,
    THEN,
    correlation(
        "temporal",
        "abc",
        name="N",
        span=HOUR,
        condition=Both(items=(Has(operand="a"), Either(items=(Has(operand="b"), Lacks(item=Has(operand="c")))))),
    ),
    baseline("first_seen", "a", population="b", name="S", values=("n",), back=30 * HOUR),
    baseline("rare", "a", population="b", name="R", values=("n",), back=5 * HOUR, thresholds=limits(lte="0.3"), minimum=2),
    baseline("spike", "a", population="a", name="K", back=6 * HOUR, thresholds=limits(gte="1"), minimum=2),
    correlation("temporal", "Rc", name="Q", span=2 * HOUR),
]


def _month(dice: random.Random) -> list[Sample]:
    step = HOUR // 2
    return [
        at(
            dice.randrange(30 * 48) * step + dice.choice([-1, 0, 0, 1, 5]),
            dice.choice("aabbc"),
            f"e{number}",
            user=dice.choice(["alice", "bob"]),
            n=dice.randint(1, 5),
        )
        for number in range(1500)
    ]


def test_thirty_nightly_runs_give_the_components_of_one_run_over_the_month() -> None:
    samples = _month(random.Random("month"))
    by_id = {each.id: each for each in MONTH}
    with correlator(*MONTH) as one:
        add(one, samples)
        # The month's last hour is judged at its end.
        asked = list(by_id)[1:]
        whole = set(one.components(start_us=-24 * HOUR, end_us=31 * 24 * HOUR, only=asked))
        assert whole == set(one.components(only=asked))
    nightly: list[SatisfyingWindow] = []
    for night in range(-1, 31):
        start, end = night * 24 * HOUR, (night + 1) * 24 * HOUR
        for each in MONTH[1:]:
            low, high = needed_span(each, by_id, start_us=start, end_us=end)
            with correlator(each, *(by_id[operand.id] for operand in each.operands if operand.is_correlation)) as one:
                add(one, [sample for sample in samples if sample.time is not None and low <= sample.time < high])
                nightly += one.windows(start_us=start, end_us=end, only=[each.id])
    assert set(episodes(nightly)) == whole
    assert {found.correlation_id for found in whole} == set(asked)


def test_dense_group_has_one_episode_of_all_its_windows() -> None:
    with correlator(replace(FAILURES, timespan_us=SPAN)) as one:
        add(one, [at(time, "a", f"x{time:05}") for time in range(3000)])
        (found,) = one.components()
    assert found == Component(
        correlation_id="F",
        group=("alice",),
        first_us=0,
        last_us=2999,
        members=tuple(f"x{time:05}" for time in range(3000)),
        windows=2999,
    )
    assert (found.anchor_us, found.figure) == (1, Decimal(601))


def test_an_iterator_that_is_still_read_ends_with_an_error_when_something_is_added() -> None:
    samples = [at(time, "a", f"x{time:05}") for time in range(3000)]
    with correlator(replace(FAILURES, timespan_us=SPAN)) as one:
        add(one, samples)
        half_read = one.windows()
        next(half_read)
        add(one, [at(5000, "a", "later")])
        assert len(list(one.windows())) == 2999
        with pytest.raises(UsageError, match="while answers were read"):
            list(half_read)
