"""value_count, share, sums, averages and percentiles of sliding windows (docs/meaning.md sections 7.2 and 7.3)."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from aibr_hunt.model.correlation import Correlation, CorrelationType, KeyField, Operand
from aibr_hunt.model.event import Json
from tests.unit.correlate_samples import SPAN, Sample, at, correlation, figures, limits, rows

DIFFERENT = correlation("value_count", values=("ip",), thresholds=limits(gte="2"))


def of(kind: str, percentile: str | None = None, **thresholds: str) -> Correlation:
    return correlation(kind, values=("n",), percentile=percentile, thresholds=limits(**thresholds))


def series(*numbers: Json) -> list[Sample]:
    return [at(place, "a", f"e{place}", n=number) for place, number in enumerate(numbers)]


def test_different_values_count_once_each() -> None:
    samples = [at(0, "a", "x", ip="1"), at(1, "a", "y", ip="1"), at(2, "a", "z", ip="2")]
    assert rows(DIFFERENT, samples) == [("alice", 0, 2, "x y z")]


@pytest.mark.parametrize(("last", "found"), [(SPAN, [("alice", 0, SPAN, "x y")]), (SPAN + 1, [])])
def test_value_at_the_edge_counts_and_one_beyond_does_not(last: int, found: list[object]) -> None:
    assert rows(DIFFERENT, [at(0, "a", "x", ip="1"), at(last, "a", "y", ip="2")]) == found


def test_value_seen_again_stays_in_reach() -> None:
    samples = [at(0, "a", "x", ip="1"), at(500, "a", "y", ip="1"), at(1100, "a", "z", ip="2"), at(1101, "a", "u", ip="2")]
    assert rows(DIFFERENT, samples) == [("alice", 500, 1100, "y z")]


def test_each_element_of_a_list_is_a_value_and_blanks_are_none() -> None:
    assert rows(DIFFERENT, [at(0, "a", "x", ip=["1", "2", None])]) == [("alice", 0, 0, "x")]
    assert rows(DIFFERENT, [at(0, "a", "x", ip=["1", None, "", {"a": 1}])]) == []


def test_values_compare_under_fold_and_numbers_by_their_digits() -> None:
    assert rows(DIFFERENT, [at(0, "a", "x", ip=["A", "a", 5]), at(1, "a", "y", ip=5.0)]) == [("alice", 0, 0, "x"), ("alice", 0, 1, "x y")]
    assert rows(DIFFERENT, [at(0, "a", "x", ip=5), at(1, "a", "y", ip=5.0), at(2, "a", "z", ip="5")]) == []


def test_combination_with_a_blank_is_none() -> None:
    pairs = correlation("value_count", values=("ip", "port"), thresholds=limits(gte="2"))
    assert rows(pairs, [at(0, "a", "x", ip="1", port=["2", "3"])]) == [("alice", 0, 0, "x")]
    assert rows(pairs, [at(0, "a", "x", ip="1", port="2"), at(1, "a", "y", ip="1"), at(2, "a", "z", port="3")]) == []


def test_combinations_are_told_apart_whatever_letters_they_hold() -> None:
    pairs = correlation("value_count", values=("ip", "port"), thresholds=limits(gte="2"))
    twins = [at(0, "a", "x", ip="1\x1f", port="2"), at(1, "a", "y", ip="1", port="\x1f2")]
    assert rows(pairs, twins) == [("alice", 0, 1, "x y")]
    assert rows(pairs, [at(0, "a", "x", ip="\\", port="u\x1f"), at(1, "a", "y", ip="\\", port="u\x1f")]) == []


def test_event_without_a_value_anchors_a_window_all_the_same() -> None:
    few = correlation("value_count", values=("ip",), thresholds=limits(lt="1"))
    assert rows(few, [at(0, "a", "x"), at(5, "a", "y", ip="1"), at(5, "a", "z"), at(9999, "a", "u")]) == [
        ("alice", 0, 0, "x"),
        ("alice", 9999, 9999, "u"),
    ]


def test_event_without_a_value_is_a_member() -> None:
    samples = [at(0, "a", "x"), at(1, "a", "y", ip="1"), at(2, "a", "z", ip="2"), at(3, "a", "u")]
    assert rows(DIFFERENT, samples) == [("alice", 0, 2, "x y z"), ("alice", 0, 3, "u x y z")]


def test_share_is_of_the_values_listed() -> None:
    half = correlation("share", values=("ip",), listed=("One", "two", "three", "four"), thresholds=limits(gte="0.5"))
    samples = [at(0, "a", "x", ip=["one", "five"]), at(1, "a", "y", ip="ONE"), at(2, "a", "z", ip="Two"), at(700, "a", "u", ip="four")]
    assert rows(half, samples) == [("alice", 0, 2, "x y z")]
    assert figures(half, samples) == [(2, Decimal("0.5"))]


def test_share_of_a_third_is_exact() -> None:
    third = correlation("share", values=("ip",), listed=("1", "2", "3"), thresholds=limits(gt="0.333333", lt="0.333334"))
    assert rows(third, [at(0, "a", "x", ip="2"), at(1, "a", "y", ip="9")]) == [("alice", 0, 0, "x"), ("alice", 0, 1, "x y")]


def test_share_below_counts_windows_that_show_nothing_listed() -> None:
    none = correlation("share", values=("ip",), listed=("1", "2"), thresholds=limits(lt="0.5"))
    assert rows(none, [at(0, "a", "x", ip="9"), at(1, "a", "y")]) == [("alice", 0, 0, "x"), ("alice", 0, 1, "x y")]


def test_sum_is_exact_and_takes_texts_and_lists() -> None:
    samples = series(0.1, "0.2", [-1, "-1"], "x", [True])
    assert figures(of("value_sum", gte="-9"), samples) == [
        (0, Decimal("0.1")),
        (1, Decimal("0.3")),
        (2, Decimal("-1.7")),
        (3, Decimal("-1.7")),
        (4, Decimal("-1.7")),
    ]
    assert [last for last, _ in figures(of("value_sum", eq="0.3"), samples)] == [1]


def test_sum_of_the_greatest_numbers_is_exact() -> None:
    assert [last for last, _ in figures(of("value_sum", gt="999999999999999"), series("999999999999999", "0.000001"))] == [1]


def test_sum_without_a_number_is_false() -> None:
    assert rows(of("value_sum", lt="5"), series(None, "x", {"a": 1})) == []
    assert [last for last, _ in figures(of("value_sum", lt="5"), series(None, "2"))] == [1]


def test_numbers_of_a_list_repeat() -> None:
    assert figures(of("value_sum", gte="1"), series([2, 2])) == [(0, Decimal(4))]


def test_numbers_of_an_event_of_two_operands_count_once() -> None:
    both = correlation("value_sum", "ab", values=("n",), thresholds=limits(gte="1"))
    assert figures(both, [at(0, "a", "x", n=[2, 2]), at(0, "b", "x", n=[2, 2])]) == [(0, Decimal(4))]


def test_event_that_reads_two_fields_by_an_alias_gives_the_numbers_of_both() -> None:
    aliased = Correlation(
        id="C",
        name="C",
        title="",
        path="",
        text_digest="",
        type=CorrelationType.VALUE_SUM,
        operands=(Operand(name="a", id="a"), Operand(name="b", id="b")),
        values=(KeyField(name="size", fields=(("a", "sent"), ("b", "got"))),),
        timespan_us=SPAN,
        thresholds=limits(gte="1"),
    )
    assert figures(aliased, [at(0, "a", "x", sent=2, got=3), at(0, "b", "x", sent=2, got=3)]) == [(0, Decimal(5))]


def test_average_is_not_rounded_before_it_is_compared() -> None:
    thirds = series(0, 0, 1)
    assert [last for last, _ in figures(of("value_avg", gt="0.333333"), thirds)] == [2]
    assert [last for last, _ in figures(of("value_avg", gte="0.333334"), thirds)] == []


def test_average_leaves_out_what_is_no_number() -> None:
    assert figures(of("value_avg", gte="0"), series(1, None, 2)) == [(0, Decimal(1)), (1, Decimal(1)), (2, Decimal("1.5"))]


def test_number_that_leaves_the_window_no_longer_weighs() -> None:
    samples = [at(0, "a", "x", n=100), at(SPAN, "a", "y", n=1), at(SPAN + 1, "a", "z", n=1)]
    assert figures(of("value_avg", gte="0"), samples) == [(0, Decimal(100)), (SPAN, Decimal("50.5")), (SPAN + 1, Decimal(1))]


def test_median_of_an_even_number_lies_between() -> None:
    assert figures(of("value_median", gte="0"), series(1, 4, 3, 2))[-1] == (3, Decimal("2.5"))
    assert rows(of("value_median", eq="2.5"), series(1, 4, 3, 2)) == [("alice", 0, 1, "e0 e1"), ("alice", 0, 3, "e0 e1 e2 e3")]
    assert [last for last, _ in figures(of("value_median", gt="2.5"), series(1, 4, 3, 2))] == [2]


def test_percentile_is_interpolated_between_ranks() -> None:
    assert figures(of("value_percentile", "90", gte="0"), series(10, 20, 30))[-1] == (2, Decimal(28))
    assert figures(of("value_percentile", "0", gte="0"), series(30, 10))[-1] == (1, Decimal(10))
    assert figures(of("value_percentile", "100", gte="0"), series(30, 10))[-1] == (1, Decimal(30))


def test_percentile_without_a_number_is_false() -> None:
    assert rows(of("value_percentile", "50", lt="9"), series(None)) == []


@pytest.mark.parametrize("comparison", ["gt", "gte", "lt", "lte", "eq", "neq"])
def test_percentiles_agree_with_fractions(comparison: str) -> None:
    dice = random.Random(f"percentile {comparison}")
    for _ in range(12):
        numbers = [Decimal(dice.randint(-8, 8)) / 4 for _ in range(dice.randint(1, 9))]
        share, limit = Decimal(dice.choice(["0", "12.5", "33.333333", "50", "95", "100"])), Decimal(dice.randint(-8, 8)) / 8
        one = of("value_percentile", str(share), **{comparison: str(limit)})
        found = {last for last, _ in figures(one, series(*[str(number) for number in numbers]))}
        expected = {last for last in range(len(numbers)) if _compares(comparison, _percentile(numbers[: last + 1], share), Fraction(limit))}
        assert found == expected, (numbers, share, limit)


def _percentile(numbers: list[Decimal], share: Decimal) -> Fraction:
    ordered = sorted(map(Fraction, numbers))
    rank = Fraction(share) / 100 * (len(ordered) - 1)
    low = int(rank)
    return ordered[low] + (rank - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def _compares(comparison: str, left: Fraction, right: Fraction) -> bool:
    return {
        "gt": left > right,
        "gte": left >= right,
        "lt": left < right,
        "lte": left <= right,
        "eq": left == right,
        "neq": left != right,
    }[comparison]
