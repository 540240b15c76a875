"""temporal, conditions with absence, and temporal_ordered (docs/meaning.md section 7.2)."""

from __future__ import annotations

import itertools
import random

import pytest

from aibr_hunt.model.correlation import Both, Correlation, Either, Has, Lacks, TemporalCondition
from tests.unit.correlate_samples import SPAN, Sample, add, at, correlation, correlator, row, rows

PAIR = correlation("temporal", "ab")
ORDERED = correlation("temporal_ordered", "abc")


def has(name: str) -> Has:
    return Has(operand=name)


def lacks(name: str) -> Lacks:
    return Lacks(item=Has(operand=name))


def extended(operands: str, condition: TemporalCondition) -> Correlation:
    return correlation("temporal", operands, condition=condition)


@pytest.mark.parametrize(
    ("first", "second", "is_found"),
    [("a", "b", True), ("b", "a", True), ("a", "a", False)],
)
def test_every_operand_has_an_event_in_any_order(first: str, second: str, *, is_found: bool) -> None:
    assert rows(PAIR, [at(0, first, "x"), at(SPAN, second, "y")]) == ([("alice", 0, SPAN, "x y")] if is_found else [])


def test_operand_a_microsecond_out_of_reach_is_absent() -> None:
    assert rows(PAIR, [at(0, "a", "x"), at(SPAN + 1, "b", "y")]) == []


def test_one_event_may_be_every_operand() -> None:
    assert rows(PAIR, [at(5, "a", "x"), at(5, "b", "x")]) == [("alice", 5, 5, "x")]


def test_operands_at_one_instant_are_together() -> None:
    assert rows(PAIR, [at(5, "b", "x"), at(5, "a", "y")]) == [("alice", 5, 5, "x y")]


def test_operands_of_two_groups_are_not_together() -> None:
    assert rows(PAIR, [at(0, "a", "x"), at(1, "b", "y", user="bob")]) == []


def test_window_begins_with_the_earliest_operand_event_in_reach() -> None:
    samples = [at(0, "a", "x"), at(1, "a", "y"), at(SPAN + 1, "b", "z")]
    assert rows(PAIR, samples) == [("alice", 1, SPAN + 1, "y z")]


def test_later_event_of_an_operand_anchors_a_window_of_its_own() -> None:
    samples = [at(0, "a", "x"), at(10, "b", "y"), at(20, "a", "z")]
    assert rows(PAIR, samples) == [("alice", 0, 10, "x y"), ("alice", 0, 20, "x y z")]


@pytest.mark.parametrize(("distance", "is_found"), [(-SPAN - 1, True), (-SPAN, False), (0, False), (SPAN, False), (SPAN + 1, True)])
def test_negated_rule_is_absent_before_and_after(distance: int, *, is_found: bool) -> None:
    one = extended("ab", Both(items=(has("a"), lacks("b"))))
    assert rows(one, [at(0, "a", "x"), at(distance, "b", "y")]) == ([("alice", 0, 0, "x")] if is_found else [])


def test_negated_rule_in_another_group_does_not_matter() -> None:
    one = extended("ab", Both(items=(has("a"), lacks("b"))))
    assert rows(one, [at(0, "a", "x"), at(0, "b", "y", user="bob")]) == [("alice", 0, 0, "x")]


def test_negation_of_a_conjunction_moves_down_to_its_rules() -> None:
    one = extended("abc", Both(items=(has("a"), Lacks(item=Both(items=(has("b"), has("c")))))))
    # c follows at once and b is far: not (b and c) is (not b) or (not c), and b is absent.
    assert rows(one, [at(0, "a", "x"), at(1, "c", "y")]) == [("alice", 0, 0, "x")]
    assert rows(one, [at(0, "a", "x"), at(1, "c", "y"), at(2, "b", "z")]) == []


def test_either_of_two_is_enough() -> None:
    one = extended("abc", Both(items=(has("a"), Either(items=(has("b"), has("c"))))))
    assert rows(one, [at(0, "a", "x"), at(1, "c", "y"), at(5000, "a", "z")]) == [("alice", 0, 1, "x y")]


def test_rules_that_occur_only_negated_neither_anchor_nor_are_members() -> None:
    one = extended("abc", Both(items=(has("a"), Either(items=(has("b"), lacks("c"))))))
    samples = [at(0, "c", "x"), at(1, "a", "y"), at(2, "b", "z"), at(3, "c", "u")]
    assert rows(one, samples) == [("alice", 1, 2, "y z")]


def test_rule_that_occurs_both_ways_anchors_and_is_a_member() -> None:
    one = extended("ab", Either(items=(Both(items=(has("a"), has("b"))), lacks("a"))))
    assert rows(one, [at(0, "b", "x")]) == [("alice", 0, 0, "x")]
    assert rows(one, [at(0, "b", "x"), at(1, "a", "y")]) == [("alice", 0, 1, "x y")]


def test_sequence_in_order_within_the_timespan_is_found() -> None:
    assert rows(ORDERED, [at(0, "a", "x"), at(1, "b", "y"), at(SPAN, "c", "z")]) == [("alice", 0, SPAN, "x y z")]


def test_sequence_that_takes_a_microsecond_too_long_is_not() -> None:
    assert rows(ORDERED, [at(0, "a", "x"), at(1, "b", "y"), at(SPAN + 1, "c", "z")]) == []


@pytest.mark.parametrize("order", [order for order in itertools.permutations("abc") if order != ("a", "b", "c")])
def test_sequence_in_another_order_is_not(order: tuple[str, ...]) -> None:
    assert rows(ORDERED, [at(place, rule, f"x{place}") for place, rule in enumerate(order)]) == []


def test_events_of_one_instant_have_no_order() -> None:
    assert rows(ORDERED, [at(5, "c", "x"), at(5, "a", "y"), at(5, "b", "z")]) == [("alice", 5, 5, "x y z")]


def test_tightest_sequence_that_ends_there_is_taken() -> None:
    samples = [at(0, "a", "x"), at(10, "b", "y"), at(20, "a", "u"), at(30, "b", "v"), at(40, "c", "z")]
    assert rows(ORDERED, samples) == [("alice", 20, 40, "u v z")]


def test_members_are_all_operand_events_between() -> None:
    samples = [at(0, "a", "x"), at(10, "c", "y"), at(20, "b", "u"), at(30, "c", "z")]
    assert rows(ORDERED, samples) == [("alice", 0, 30, "u x y z")]


def test_sequence_of_two_groups_is_none() -> None:
    assert rows(ORDERED, [at(0, "a", "x"), at(1, "b", "y", user="bob"), at(2, "c", "z")]) == []


def test_one_event_cannot_be_two_steps() -> None:
    two = correlation("temporal_ordered", "ab")
    assert rows(two, [at(0, "a", "x"), at(0, "b", "x")]) == []
    assert rows(two, [at(0, "a", "x"), at(0, "b", "x"), at(5, "a", "y"), at(5, "b", "y")]) == [("alice", 0, 5, "x y")]


def test_shared_events_of_one_instant_are_dealt_out() -> None:
    # x can only be a, so y must be b although it could be a as well; z is c.
    assert rows(ORDERED, [at(0, "a", "x"), at(0, "a", "y"), at(0, "b", "y"), at(0, "b", "z"), at(0, "c", "z")]) == [
        ("alice", 0, 0, "x y z")
    ]
    assert rows(ORDERED, [at(0, "a", "y"), at(0, "b", "y"), at(0, "b", "z"), at(0, "c", "z")]) == []


def test_shared_event_added_in_a_later_batch_is_still_one_event() -> None:
    two = correlation("temporal_ordered", "ab")
    with correlator(two) as one:
        add(one, [at(0, "a", "x")])
        assert list(one.windows()) == []
        add(one, [at(0, "b", "x")])
        assert list(one.windows()) == []
        add(one, [at(1, "b", "y")])
        assert [row(each) for each in one.windows()] == [("alice", 0, 1, "x y")]


def test_rule_named_twice_needs_two_events() -> None:
    twice = correlation("temporal_ordered", "aa")
    assert rows(twice, [at(0, "a", "x")]) == []
    assert rows(twice, [at(0, "a", "x"), at(SPAN, "a", "y")]) == [("alice", 0, SPAN, "x y")]


def test_sequences_agree_with_trying_all() -> None:
    dice = random.Random("sequences")
    for size in (2, 3, 4):
        operands = "abcd"[:size]
        one = correlation("temporal_ordered", operands, span=4)
        for _ in range(25):
            samples = [
                at(time, rule, f"e{name}")
                for name in range(dice.randint(1, 7))
                for time in [dice.randint(0, 9)]
                for rule in dice.sample(operands, dice.randint(1, 2))
            ]
            assert {found[1:3] for found in rows(one, samples)} == _all_sequences(samples, operands), samples


def _all_sequences(samples: list[Sample], operands: str) -> set[tuple[int, int]]:
    """Return first and last of the tightest sequence for each last time, by trying every choice of events."""
    best: dict[int, int] = {}
    for chosen in itertools.product(*([sample for sample in samples if sample.rule == rule] for rule in operands)):
        times = [sample.time or 0 for sample in chosen]
        is_sequence = times == sorted(times) and len({sample.id for sample in chosen}) == len(chosen)
        if is_sequence and times[-1] - times[0] <= 4:
            best[times[-1]] = max(best.get(times[-1], times[0]), times[0])
    return {(first, last) for last, first in best.items()}
