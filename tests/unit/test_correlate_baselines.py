"""first_seen, rare and spike, and the tallies that stand for their history (docs/meaning.md section 7.3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aibr_hunt.errors import Unsupported, UsageError
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.episode import Tally
from aibr_hunt.model.event import Json
from tests.unit.correlate_samples import HOUR, Sample, add, at, baseline, correlation, correlator, figures, limits, row, rows

NEW = baseline("first_seen", values=("ip",), back=24 * HOUR)
DAY = 24 * HOUR


def population(time: int, name: str, **fields: Json) -> Sample:
    return at(time, "p", name, **fields)


def test_combination_that_the_population_never_had_is_new() -> None:
    assert rows(NEW, [population(0, "p1", ip="1"), at(10, "a", "x", ip="2")]) == [("alice", 10, 10, "x")]


@pytest.mark.parametrize(("before", "is_new"), [(DAY + 1, True), (DAY, False), (1, False), (0, True), (-1, True)])
def test_history_reaches_from_the_lookback_to_just_before_the_event(before: int, *, is_new: bool) -> None:
    found = rows(NEW, [population(DAY - before, "p1", ip="1"), at(DAY, "a", "x", ip="1")])
    assert found == ([("alice", DAY, DAY, "x")] if is_new else [])


def test_value_that_another_group_had_is_new_here() -> None:
    assert rows(NEW, [population(0, "p1", ip="1", user="bob"), at(1, "a", "x", ip="1")]) == [("alice", 1, 1, "x")]


def test_one_new_value_of_a_list_is_enough() -> None:
    assert rows(NEW, [population(0, "p1", ip="1"), at(1, "a", "x", ip=["1", "2", "3"]), at(1, "a", "y", ip=["1"])]) == [
        ("alice", 1, 1, "x")
    ]


def test_event_without_a_value_is_never_new() -> None:
    assert rows(NEW, [at(1, "a", "x")]) == []


def test_new_events_of_one_time_are_windows_of_their_own_and_one_episode() -> None:
    with correlator(NEW) as one:
        add(one, [at(1, "a", "x", ip="1"), at(1, "a", "y", ip="1")])
        assert [row(each) for each in one.windows()] == [("alice", 1, 1, "x"), ("alice", 1, 1, "y")]
        assert [(row(each), each.windows) for each in one.components()] == [(("alice", 1, 1, "x y"), 2)]


def test_single_events_of_neighbouring_times_stay_apart() -> None:
    with correlator(NEW) as one:
        add(one, [at(time, "a", f"{time}.{place}", ip="1") for time in range(20) for place in range(20)])
        found = list(one.components())
    assert [(each.first_us, each.last_us, each.windows) for each in found] == [(time, time, 20) for time in range(20)]


def test_group_itself_is_what_is_new_without_value_fields() -> None:
    one = baseline("first_seen")
    assert rows(one, [population(0, "p1"), at(1, "a", "x"), at(2, "a", "y", user="bob")]) == [("bob", 2, 2, "y")]


def test_rule_that_is_its_own_population_is_new_once() -> None:
    one = baseline("first_seen", population="a", values=("ip",))
    assert rows(one, [at(0, "a", "x", ip="1"), at(1, "a", "y", ip="1"), at(DAY + 2, "a", "z", ip="1")]) == [
        ("alice", 0, 0, "x"),
        ("alice", DAY + 2, DAY + 2, "z"),
    ]


def rare(**numbers: str) -> Correlation:
    return baseline("rare", values=("op",), back=2 * HOUR, thresholds=limits(**(numbers or {"lte": "0.25"})), minimum=4)


def test_rare_value_of_the_hour_is_found_at_the_very_share() -> None:
    often = [population(time, f"p{time}", op="get") for time in range(3)]
    samples = [*often, population(3, "p3", op="put"), at(3, "a", "x", op="put"), at(4, "a", "y", op="get")]
    assert rows(rare(), samples) == [("alice", 3, 3, "x")]
    assert rows(rare(lt="0.25"), samples) == []
    assert figures(rare(), samples) == [(3, Decimal("0.25"))]


def test_population_later_in_the_hour_counts_and_in_the_next_does_not() -> None:
    samples = [at(0, "a", "x", op="put"), population(0, "p0", op="put")]
    late = [population(HOUR - place, f"p{place}", op="get") for place in (1, 2, 3)]
    assert rows(rare(), [*samples, *late]) == [("alice", 0, 0, "x")]
    assert rows(rare(), [*samples, *late[1:], population(HOUR, "p9", op="get")]) == []


def test_rare_looks_back_whole_hours() -> None:
    event = at(2 * HOUR + 5, "a", "x", op="put")
    near = [population(time, f"p{time}", op="get") for time in (0, 1, 2, HOUR)]
    assert rows(rare(), [event, *near]) == [("alice", 2 * HOUR + 5, 2 * HOUR + 5, "x")]
    assert rows(rare(), [event, *near[1:], population(-1, "p9", op="get")]) == []


def test_group_with_too_few_events_says_nothing() -> None:
    assert rows(rare(), [population(0, "p0", op="get"), at(0, "a", "x", op="put")]) == []


def test_rare_divides_by_all_events_of_the_group_whatever_values_they_have() -> None:
    # Five events, one of them with two values, one without: `put` is one of five.
    samples = [population(0, "p0", op=["get", "put"]), *(population(1, f"p{n}", op="get") for n in (1, 2, 3)), population(2, "p4")]
    assert figures(rare(), [*samples, at(0, "a", "x", op="put")]) == [(0, Decimal("0.2"))]


def test_rare_of_a_third_is_compared_exactly() -> None:
    samples = [population(n, f"p{n}", op="put" if n < 2 else "get") for n in range(6)]
    event = at(0, "a", "x", op="put")
    assert rows(rare(lte="0.333333"), [*samples, event]) == []
    assert rows(rare(gt="0.333333", lt="0.333334"), [*samples, event]) == [("alice", 0, 0, "x")]


def spike(hours: int = 4, minimum: int = 10, **numbers: str) -> Correlation:
    return baseline("spike", back=hours * HOUR, minimum=minimum, thresholds=limits(**(numbers or {"gte": "3"})))


def hourly(*counts: int) -> list[Sample]:
    return [population(hour * HOUR + n, f"p{hour}.{n}") for hour, count in enumerate(counts) for n in range(count)]


def test_hour_far_above_the_median_of_those_before_is_found() -> None:
    samples = [*hourly(1, 2, 3, 4, 20), at(4 * HOUR + 7, "a", "x"), at(4 * HOUR + 3, "a", "y")]
    # Median 2.5, distances 1.5 0.5 0.5 1.5, their median 1: (20 - 2.5) / 1.4826.
    assert figures(spike(), samples) == [(4 * HOUR + 7, Decimal("17.5") / Decimal("1.4826"))]
    assert rows(spike(), samples) == [("alice", 4 * HOUR + 3, 4 * HOUR + 7, "x y")]


def test_hours_without_events_count_as_zero() -> None:
    samples = [*hourly(0, 0, 0, 7, 12), at(4 * HOUR, "a", "x")]
    # Median 0, deviation 0, so the divisor is 1.
    assert figures(spike(), samples) == [(4 * HOUR, Decimal(12))]


def test_median_of_an_even_number_of_hours_lies_between() -> None:
    samples = [*hourly(0, 0, 5, 9, 12), at(4 * HOUR, "a", "x")]
    # Median 2.5, distances 2.5 2.5 2.5 6.5, their median 2.5: 9.5 / 3.7065.
    assert figures(spike(gte="2"), samples) == [(4 * HOUR, Decimal("9.5") / Decimal("3.7065"))]


def test_quarter_of_a_deviation_is_exact() -> None:
    samples = [*hourly(0, 1, 4, 8, 12), at(4 * HOUR, "a", "x")]
    # Median 2.5, distances 2.5 1.5 1.5 5.5, their median 2: 9.5 / 2.9652 = 3.2038311...
    assert rows(spike(gt="3.203831"), samples) == [("alice", 4 * HOUR, 4 * HOUR, "x")]
    assert rows(spike(gt="3.203832"), samples) == []


def test_hour_with_fewer_than_the_minimum_says_nothing() -> None:
    assert rows(spike(), [*hourly(0, 0, 0, 0, 9), at(4 * HOUR, "a", "x")]) == []
    assert rows(spike(), [*hourly(0, 0, 0, 0, 10), at(4 * HOUR, "a", "x")]) == [("alice", 4 * HOUR, 4 * HOUR, "x")]


def test_hour_without_an_event_of_the_rules_has_no_window() -> None:
    assert rows(spike(), [*hourly(0, 0, 0, 0, 10), at(3 * HOUR, "a", "x"), at(5 * HOUR, "a", "y")]) == []


def test_history_before_the_lookback_does_not_weigh() -> None:
    assert figures(spike(), [*hourly(50, 0, 0, 0, 0, 10), at(5 * HOUR, "a", "x")]) == [(5 * HOUR, Decimal(10))]


@pytest.mark.parametrize("one", [NEW, rare(), spike()])
def test_tallies_that_were_kept_stand_for_the_events(one: Correlation) -> None:
    history = [population(place * HOUR // 3, f"p{place}", op=["get", "put"] if place == 4 else "get", ip=["1", "2"]) for place in range(12)]
    today = [population(4 * HOUR + n, f"q{n}", op="get", ip="1") for n in range(30)]
    events = [at(4 * HOUR + 40, "a", "x", op="put", ip="3"), at(4 * HOUR + 41, "a", "y", op="get", ip="2")]
    whole = rows(one, [*history, *today, *events])
    with correlator(one) as before:
        add(before, history)
        kept = list(before.tallies("C", start_us=0, end_us=4 * HOUR))
    with correlator(one) as after:
        after.add_tallies("C", kept)
        add(after, [*today, *events])
        assert sorted(row(each) for each in after.windows()) == whole
        assert whole


def test_tallies_are_of_combination_and_hour() -> None:
    with correlator(rare()) as one:
        add(one, [population(5, "x", op="get"), population(9, "y", op=["get", "put"]), population(9, "y", op=["get", "put"])])
        add(one, [population(HOUR, "z"), population(-1, "u", op="get"), at(1, "a", "v", op="get")])
        found = sorted(one.tallies("C", start_us=0, end_us=HOUR + 1), key=lambda tally: (tally.hour, tally.combination))
    assert found == [
        Tally(combination=("alice",), hour=0, events=2, first_us=5, last_us=9),
        Tally(combination=("alice", "get"), hour=0, events=2, first_us=5, last_us=9),
        Tally(combination=("alice", "put"), hour=0, events=1, first_us=9, last_us=9),
        Tally(combination=("alice",), hour=1, events=1, first_us=HOUR, last_us=HOUR),
    ]


def test_tallies_of_two_values_keep_them_apart() -> None:
    one = baseline("first_seen", values=("ip", "op"))
    with correlator(one) as before:
        add(before, [population(0, "x", ip="1\x1f\\", op="u")])
        (kept,) = before.tallies("C")
    assert kept.combination == ("alice", "1\x1f\\", "u")


def test_history_of_first_seen_may_overlap_with_events() -> None:
    with correlator(NEW) as one:
        add(one, [population(0, "x", ip="1"), at(5, "a", "y", ip="1")])
        one.add_tallies("C", one.tallies("C"))
        one.add_tallies("C", [Tally(combination=("alice", "1"), hour=0, events=9, first_us=0, last_us=9)])
        assert list(one.windows()) == []


def test_last_event_of_a_tally_after_the_event_does_not_precede_it() -> None:
    with correlator(NEW) as one:
        add(one, [at(5, "a", "y", ip="1")])
        one.add_tallies("C", [Tally(combination=("alice", "1"), hour=0, events=2, first_us=5, last_us=9)])
        assert [row(each) for each in one.windows()] == [("alice", 5, 5, "y")]


def test_tallies_of_another_form_are_refused() -> None:
    with correlator(NEW, correlation("event_count", name="D", thresholds=limits(gte="2"))) as one:
        with pytest.raises(UsageError, match="tally of 1 keys"):
            one.add_tallies("C", [Tally(combination=("alice",), hour=0, events=1, first_us=0, last_us=0)])
        with pytest.raises(UsageError, match="keeps no tallies"):
            one.add_tallies("D", [])
        with pytest.raises(UsageError, match="keeps no tallies"):
            one.tallies("E")


def test_history_in_hours_cannot_serve_a_lookback_of_minutes() -> None:
    with correlator(baseline("first_seen", back=HOUR - 1)) as one, pytest.raises(Unsupported, match="history of a first_seen"):
        one.add_tallies("C", [])
