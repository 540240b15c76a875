"""event_count, and what goes in: groups, ties, repeats, blanks, what is left out (docs/meaning.md sections 7.1 and 7.2)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aibr_hunt.correlate.values import Left
from aibr_hunt.model.correlation import Correlation, CorrelationType, KeyField, Operand, Threshold
from tests.unit.correlate_samples import SPAN, add, at, correlation, correlator, figures, limits, row, rows

TWO = correlation("event_count", thresholds=limits(gte="2"))


def test_events_within_the_timespan_count_together() -> None:
    assert rows(TWO, [at(0, "a", "x"), at(SPAN - 1, "a", "y")]) == [("alice", 0, SPAN - 1, "x y")]


def test_event_at_the_very_edge_counts() -> None:
    assert rows(TWO, [at(0, "a", "x"), at(SPAN, "a", "y")]) == [("alice", 0, SPAN, "x y")]


def test_event_a_microsecond_out_of_reach_does_not_count() -> None:
    assert rows(TWO, [at(0, "a", "x"), at(SPAN + 1, "a", "y")]) == []


def test_order_of_adding_is_no_matter() -> None:
    assert rows(TWO, [at(SPAN, "a", "y"), at(0, "a", "x")]) == [("alice", 0, SPAN, "x y")]


def test_times_before_the_epoch_count() -> None:
    assert rows(TWO, [at(-SPAN - 5, "a", "x"), at(-5, "a", "y")]) == [("alice", -SPAN - 5, -5, "x y")]


def test_events_of_one_time_see_one_another_and_are_one_window() -> None:
    assert rows(TWO, [at(7, "a", "x"), at(7, "a", "y"), at(7, "a", "z")]) == [("alice", 7, 7, "x y z")]


def test_tie_at_the_far_edge_counts_whole() -> None:
    four = correlation("event_count", thresholds=limits(gte="4"))
    assert rows(four, [at(0, "a", "x"), at(0, "a", "y"), at(SPAN, "a", "z"), at(SPAN, "a", "u")]) == [("alice", 0, SPAN, "u x y z")]


def test_event_delivered_again_counts_once() -> None:
    assert rows(TWO, [at(0, "a", "x"), at(0, "a", "x"), at(0, "a", "x")]) == []


def test_event_delivered_again_in_a_later_batch_counts_once() -> None:
    with correlator(TWO) as one:
        for _ in range(3):
            add(one, [at(0, "a", "x")])
            assert list(one.windows()) == []
        add(one, [at(1, "a", "y")])
        assert [row(each) for each in one.windows()] == [("alice", 0, 1, "x y")]


def test_event_of_two_operands_counts_once() -> None:
    both = correlation("event_count", "ab", thresholds=limits(gte="2"))
    assert rows(both, [at(0, "a", "x"), at(0, "b", "x")]) == []
    assert rows(both, [at(0, "a", "x"), at(0, "b", "x"), at(1, "b", "y")]) == [("alice", 0, 1, "x y")]


def test_event_of_two_operands_in_two_batches_counts_once() -> None:
    with correlator(correlation("event_count", "ab", thresholds=limits(gte="2"))) as one:
        add(one, [at(0, "a", "x")])
        assert list(one.windows()) == []
        add(one, [at(0, "b", "x")])
        assert list(one.windows()) == []


def test_groups_that_interleave_are_kept_apart() -> None:
    samples = [at(0, "a", "x"), at(1, "a", "u", user="bob"), at(2, "a", "y"), at(SPAN + 2, "a", "v", user="bob")]
    assert rows(TWO, samples) == [("alice", 0, 2, "x y")]


def test_group_is_the_text_under_fold() -> None:
    assert rows(TWO, [at(0, "a", "x", user="ALICE"), at(1, "a", "y", user="alice")]) == [("alice", 0, 1, "x y")]


def test_event_with_a_list_lies_in_each_group_of_its_values() -> None:
    samples = [at(0, "a", "x", user=["alice", "bob", "Bob"]), at(1, "a", "y", user="bob"), at(2, "a", "z", user="carol")]
    assert rows(TWO, samples) == [("bob", 0, 1, "x y")]


def test_groups_of_two_fields_are_all_combinations() -> None:
    by_two = correlation("event_count", by=("user", "ip"), thresholds=limits(gte="2"))
    samples = [at(0, "a", "x", user=["alice", "bob"], ip=["1", "2"]), at(1, "a", "y", user="bob", ip=2)]
    assert rows(by_two, samples) == [("bob/2", 0, 1, "x y")]


def test_without_group_by_all_is_one_group() -> None:
    assert rows(correlation("event_count", by=(), thresholds=limits(gte="2")), [at(0, "a", "x"), at(1, "a", "y", user="bob")]) == [
        ("", 0, 1, "x y")
    ]


@pytest.mark.parametrize("blank", [None, "", [], {}, ["", None], {"a": 1}])
def test_event_with_a_blank_group_field_lies_in_no_group(blank: None) -> None:
    with correlator(TWO) as one:
        add(one, [at(0, "a", "x", user=blank), at(1, "a", "y", user=blank), at(1, "a", "y", user=blank), at(2, "a", "z")])
        assert list(one.windows()) == []
        assert one.left_out() == (Left(rule_id="a", field="user", reason="no value in user", events=2),)


def test_untimed_event_takes_no_part_and_is_counted_by_name() -> None:
    with correlator(TWO, correlation("event_count", "ab", name="D", thresholds=limits(gte="2"))) as one:
        add(one, [at(None, "a", "x"), at(None, "a", "x"), at(None, "a", "y"), at(0, "a", "z")])
        assert list(one.windows()) == []
        assert one.left_out() == (Left(rule_id="a", field="", reason="untimed", events=2),)


def test_groups_beyond_a_thousand_are_cut_off_and_counted_by_name() -> None:
    users = [f"u{number:04}" for number in range(1001)]
    with correlator(TWO) as one:
        add(one, [at(0, "a", "x", user=list(users)), at(1, "a", "y", user=users[999]), at(2, "a", "z", user=users[1000])])
        assert [row(each) for each in one.windows()] == [("u0999", 0, 1, "x y")]
        assert one.left_out() == (Left(rule_id="a", field="", reason="more than 1,000 groups", events=1),)


def test_alias_reads_another_field_in_each_rule() -> None:
    aliased = Correlation(
        id="C",
        name="C",
        title="",
        path="",
        text_digest="",
        type=CorrelationType.EVENT_COUNT,
        operands=(Operand(name="first rule", id="a"), Operand(name="other rule", id="b")),
        group_by=(KeyField(name="who", fields=(("first rule", "user"),)),),
        timespan_us=SPAN,
        thresholds=limits(gte="2"),
    )
    assert rows(aliased, [at(0, "a", "x"), at(1, "b", "y", who="Alice"), at(2, "b", "z", who="bob")]) == [("alice", 0, 1, "x y")]


def test_rule_that_serves_nothing_is_passed_over() -> None:
    with correlator(TWO) as one:
        add(one, [at(0, "z", "x"), at(1, "z", "y"), at(None, "z", "u")])
        assert list(one.windows()) == []
        assert one.left_out() == ()
        assert one.needed == {"a": ("C",)}


@pytest.mark.parametrize(
    ("thresholds", "lasts"),
    [
        (limits(gte="2"), [1, 2]),
        (limits(gt="2"), [2]),
        (limits(gt="2.5"), [2]),
        (limits(gte="2.5"), [2]),
        (limits(eq="2"), [1]),
        (limits(eq="2.5"), []),
        (limits(neq="2"), [0, 2]),
        (limits(lt="2"), [0]),
        (limits(lte="2"), [0, 1]),
        (limits(gt="1", lte="2"), [1]),
        (limits(gte="0"), [0, 1, 2]),
        (limits(gt="-1"), [0, 1, 2]),
        (limits(gte="999999999999999"), []),
    ],
)
def test_every_comparison_of_a_count(thresholds: tuple[Threshold, ...], lasts: list[int]) -> None:
    one = correlation("event_count", thresholds=thresholds)
    samples = [at(time, "a", f"x{time}") for time in range(3)]
    assert figures(one, samples) == [(last, Decimal(last + 1)) for last in lasts]


def test_window_begins_with_its_earliest_event_not_with_the_threshold() -> None:
    samples = [at(time, "a", f"x{time}") for time in (0, 100, SPAN)]
    assert rows(TWO, samples) == [("alice", 0, 100, "x0 x100"), ("alice", 0, SPAN, "x0 x100 x600")]


def test_timespan_of_nothing_takes_one_instant() -> None:
    instant = correlation("event_count", span=0, thresholds=limits(gte="2"))
    assert rows(instant, [at(0, "a", "x"), at(1, "a", "y"), at(1, "a", "z")]) == [("alice", 1, 1, "y z")]


def test_nothing_added_gives_nothing() -> None:
    with correlator(TWO) as one:
        assert list(one.windows()) == []
        assert list(one.components()) == []
        assert one.left_out() == ()
