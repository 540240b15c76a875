"""The oracle of correlations against truths typed by hand, row by row of docs/meaning.md section 7, and the drawn histories it judges."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from functools import cache

import pytest

from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    Either,
    Has,
    KeyField,
    Lacks,
    Operand,
    TemporalCondition,
    Threshold,
)
from aibr_hunt.model.event import OddNumber
from tests.oracle.correlation_variants import wrong_readings
from tests.oracle.correlations import HOUR, CorrelationOracle, Delivery, Span
from tests.oracle.histories import BASE, MINUTE, MOST_EVENTS, TYPES, History, clock, draw_history

A, B, C = Has(operand="a"), Has(operand="b"), Has(operand="c")
TIME = re.compile(r"(-?[0-9]+)([mh])([+-][0-9]+)?")


def at(text: str) -> int:
    """Return the time that `5m`, `2h-1` (a microsecond before) and the like name."""
    found = TIME.fullmatch(text)
    assert found is not None, text
    number, unit, rest = found.groups()
    return BASE + int(number) * (HOUR if unit == "h" else MINUTE) + int(rest or 0)


def deliveries(rows: str) -> list[Delivery]:
    """Return what the lines say: `id rules time {event}`, for example `1 a,b 5m+1 {"u": "x"}`; `-` is no time."""
    found = []
    for row in filter(None, map(str.strip, rows.split("\n"))):
        event_id, rules, time, *event = row.split(" ", 3)
        value = json.loads(event[0]) if event else {}
        found += [
            Delivery(rule_id=rule, event_id=event_id, time_us=None if time == "-" else at(time), event=value) for rule in rules.split(",")
        ]
    return found


def told(spans: list[Span]) -> list[str]:
    """Return spans as `group|first..last: members`, times in microseconds since the base replaced by their short form."""
    return sorted(f"{'/'.join(each.group)}|{short(each.first)}..{short(each.last)}: {','.join(sorted(each.members))}" for each in spans)


def short(time: int) -> str:
    """Return a time as the rows write it, in minutes."""
    minutes, rest = divmod(time - BASE + MINUTE // 2, MINUTE)
    rest -= MINUTE // 2
    return f"{minutes}m{rest:+d}" if rest else f"{minutes}m"


def thresholds(text: str) -> tuple[Threshold, ...]:
    """Return the thresholds that `gte 2 lt 5` names."""
    words = text.split()
    return tuple(
        Threshold(comparison=Comparison(name), number=Decimal(number)) for name, number in zip(words[::2], words[1::2], strict=True)
    )


def operands(names: str) -> tuple[Operand, ...]:
    """Return operands of these names, the capital ones correlations."""
    return tuple(Operand(name=name, id=name, is_correlation=name.isupper()) for name in names.split())


def keys(text: str) -> tuple[KeyField, ...]:
    """Return fields; `who=a:u,b:w` is an alias."""
    found = []
    for word in text.split():
        name, _, listed = word.partition("=")
        fields = tuple((pair.split(":")[0], pair.split(":")[1]) for pair in listed.split(",") if pair)
        found.append(KeyField(name=name, fields=fields))
    return tuple(found)


def correlation(
    kind: str,
    rules: str = "a",
    asks: str = "",
    *,
    by: str = "",
    values: str = "",
    span: str = "0m",
    back: str = "0m",
    over: str = "",
    percentile: str = "",
    minimum: int = 1,
    condition: TemporalCondition | None = None,
    listed: str = "",
    name: str = "TOP",
) -> Correlation:
    """Return a correlation in few words."""
    return Correlation(
        id=name,
        name=name,
        title=name,
        path="x.yml",
        text_digest="",
        type=CorrelationType(kind),
        operands=operands(rules),
        group_by=keys(by),
        timespan_us=at(span) - BASE,
        thresholds=thresholds(asks),
        values=keys(values),
        percentile=Decimal(percentile) if percentile else None,
        condition=condition,
        population=operands(over)[0] if over else None,
        lookback_us=at(back) - BASE,
        minimum=minimum,
        listed=tuple(listed.split()),
    )


def windows(asked: Correlation, rows: str, *below: Correlation) -> list[str]:
    """Return what the oracle says."""
    return told(CorrelationOracle([*below, asked], deliveries(rows)).windows(asked.id))


def episodes(asked: Correlation, rows: str) -> list[str]:
    """Return the episodes of the oracle."""
    return told(CorrelationOracle([asked], deliveries(rows)).episodes(asked.id))


# -- what goes in (7.1) --------------------------------------------------------------------------------------------

PAIR = correlation("event_count", asks="gte 2", by="u", span="5m")
TWO = '1 a 0m {"u": %s}\n2 a 1m {"u": %s}'


@pytest.mark.parametrize(
    ("one", "other", "group"),
    [
        ('"x"', '"X"', "x"),
        ('"\u00c4"', '"\u00e4"', "\u00e4"),
        ("5", '"5"', "5"),
        ("5.0", "5", "5"),
        ("-0.0", "0", "0"),
        ("5.50", '"5.5"', "5.5"),
        ("true", '"TRUE"', "true"),
        ('["x", "y"]', '"y"', "y"),
        ('[["x"], []]', '["z", "x", null]', "x"),
    ],
)
def test_values_with_one_key_make_one_group(one: str, other: str, group: str) -> None:
    assert windows(PAIR, TWO % (one, other)) == [f"{group}|0m..1m: 1,2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"x"', '"y"'),
        ("5", '"5.0"'),
        ("1", "true"),
        ('"\u0130"', '"i"'),
        ("null", "null"),
        ('""', '""'),
        ("[]", "[]"),
        ("{}", "{}"),
        ('[null, ""]', '[null, ""]'),
        ('{"x": 1}', '{"x": 1}'),
    ],
)
def test_other_values_and_blanks_join_nothing(one: str, other: str) -> None:
    assert windows(PAIR, TWO % (one, other)) == []


def test_an_odd_number_has_no_key_and_measures_nothing() -> None:
    odd = [Delivery(rule_id="a", event_id=name, time_us=BASE, event={"u": OddNumber("1e3")}) for name in "12"]
    asked = (PAIR, correlation("value_sum", asks="gte 0", values="u", span="5m"))
    assert [CorrelationOracle([each], odd).windows(each.id) for each in asked] == [[], []]


def test_missing_group_field_is_blank() -> None:
    assert windows(PAIR, "1 a 0m\n2 a 1m") == []


def test_without_group_by_there_is_one_group_and_none_without_events() -> None:
    asked = correlation("event_count", asks="lt 2", span="5m")
    assert windows(asked, "1 a 0m") == ["|0m..0m: 1"]
    assert windows(asked, "") == []


def test_an_event_counts_once_however_often_it_is_delivered() -> None:
    rows = '1 a 0m {"u": "x"}\n' * 3
    assert windows(PAIR, rows) == []
    assert windows(correlation("event_count", asks="eq 1", span="5m"), rows) == ["|0m..0m: 1"]


def test_two_contents_of_one_identity_are_two_events() -> None:
    assert windows(PAIR, '1 a 0m {"u": "x"}\n1conflict a 0m {"u": "x"}') == ["x|0m..0m: 1,1conflict"]


def test_untimed_events_take_no_part() -> None:
    assert windows(PAIR, '1 a 0m {"u": "x"}\n2 a - {"u": "x"}') == []


def test_two_lists_make_every_combination() -> None:
    asked = correlation("event_count", asks="eq 1", by="u w.x", span="5m")
    rows = '1 a 0m {"u": ["p", "q"], "w": [{"x": 1}, {"x": 2}]}'
    assert windows(asked, rows) == [f"{group}|0m..0m: 1" for group in ("p/1", "p/2", "q/1", "q/2")]


def test_an_escaped_dot_is_part_of_a_name() -> None:
    asked = correlation("event_count", asks="eq 1", by="w\\.x", span="5m")
    assert windows(asked, '1 a 0m {"w.x": "p", "w": {"x": "q"}}') == ["p|0m..0m: 1"]


def test_an_alias_reads_another_field_in_each_rule_and_its_own_name_elsewhere() -> None:
    asked = correlation("temporal", "a b c", by="who=a:u,b:w", span="5m")
    rows = '1 a 0m {"u": "x", "w": "no"}\n2 b 1m {"u": "no", "w": "x"}\n3 c 2m {"who": "x", "u": "no"}'
    assert windows(asked, rows) == ["x|0m..2m: 1,2,3"]


# -- windows (7.2) -------------------------------------------------------------------------------------------------


def test_a_window_holds_both_its_ends() -> None:
    assert windows(PAIR, '1 a 0m {"u": "x"}\n2 a 5m {"u": "x"}') == ["x|0m..5m: 1,2"]
    assert windows(PAIR, '1 a 0m {"u": "x"}\n2 a 5m+1 {"u": "x"}') == []


def test_ties_with_the_anchor_are_in_one_window() -> None:
    assert windows(PAIR, '1 a 1m {"u": "x"}\n2 a 1m {"u": "x"}\n3 a 0m {"u": "x"}') == ["x|0m..1m: 1,2,3"]


@pytest.mark.parametrize(
    ("asks", "found"),
    [
        ("gt 1", ["|0m..1m: 1,2", "|0m..2m: 1,2,3"]),
        ("gte 2", ["|0m..1m: 1,2", "|0m..2m: 1,2,3"]),
        ("gt 2", ["|0m..2m: 1,2,3"]),
        ("lt 2", ["|0m..0m: 1"]),
        ("lte 2", ["|0m..0m: 1", "|0m..1m: 1,2"]),
        ("eq 2", ["|0m..1m: 1,2"]),
        ("neq 2", ["|0m..0m: 1", "|0m..2m: 1,2,3"]),
        ("gt 1 lte 2", ["|0m..1m: 1,2"]),
        ("gt 1.5 lt 2.5", ["|0m..1m: 1,2"]),
    ],
)
def test_event_count_meets_every_threshold(asks: str, found: list[str]) -> None:
    assert windows(correlation("event_count", asks=asks, span="5m"), "1 a 0m\n2 a 1m\n3 a 2m") == found


def test_an_event_of_two_operands_is_one_event() -> None:
    assert windows(correlation("event_count", "a b", "eq 1", span="5m"), "1 a,b 0m") == ["|0m..0m: 1"]


VALUES = """
1 a 0m {"n": "p", "m": 1}
2 a 1m {"n": ["P", "q"], "m": null}
3 a 2m {"n": "", "m": 2}
"""


@pytest.mark.parametrize(
    ("fields", "asks", "found"),
    [
        ("n", "gte 2", ["|0m..1m: 1,2", "|0m..2m: 1,2,3"]),
        ("n", "gte 3", []),
        ("n m", "eq 1", ["|0m..0m: 1", "|0m..1m: 1,2", "|0m..2m: 1,2,3"]),
        ("m", "eq 2", ["|0m..2m: 1,2,3"]),
        ("never", "lt 1", ["|0m..0m: 1", "|0m..1m: 1,2", "|0m..2m: 1,2,3"]),
    ],
)
def test_value_count_counts_different_combinations_without_blanks(fields: str, asks: str, found: list[str]) -> None:
    assert windows(correlation("value_count", asks=asks, values=fields, span="5m"), VALUES) == found


NUMBERS = """
1 a 0m {"n": 1}
2 a 1m {"n": [2, "2", "007", "x", true, null]}
3 a 2m {"n": "-0.5"}
"""


@pytest.mark.parametrize(
    ("kind", "asks", "found"),
    [
        ("value_sum", "eq 1", ["|0m..0m: 1"]),
        ("value_sum", "eq 5", ["|0m..1m: 1,2"]),
        ("value_sum", "eq 4.5", ["|0m..2m: 1,2,3"]),
        ("value_avg", "eq 1.125", ["|0m..2m: 1,2,3"]),
        ("value_avg", "gt 1.666666", ["|0m..1m: 1,2"]),
        ("value_avg", "gt 1.66666666666666666666666666666667", []),
        ("value_avg", "lt 1.66666666666666666666666666666667 gte 1.5", ["|0m..1m: 1,2"]),
        ("value_median", "eq 2", ["|0m..1m: 1,2"]),
        ("value_median", "eq 1.5", ["|0m..2m: 1,2,3"]),
    ],
)
def test_measures_take_every_number_of_a_list_exactly(kind: str, asks: str, found: list[str]) -> None:
    assert windows(correlation(kind, asks=asks, values="n", span="5m"), NUMBERS) == found


@pytest.mark.parametrize(
    ("percentile", "figure"),
    [("0", "-0.5"), ("100", "2"), ("50", "1.5"), ("25", "0.625"), ("33.3", "0.9985"), ("66.6", "1.998"), ("99", "2")],
)
def test_percentiles_lie_between_ranks_in_proportion(percentile: str, figure: str) -> None:
    """Of -0.5, 1, 2, 2 the ranks are 0, 1, 2, 3."""
    asked = correlation("value_percentile", asks=f"eq {figure}", values="n", percentile=percentile, span="5m")
    assert "|0m..2m: 1,2,3" in windows(asked, NUMBERS)


@pytest.mark.parametrize("kind", ["value_sum", "value_avg", "value_median", "value_percentile"])
def test_measures_are_false_without_a_number(kind: str) -> None:
    asked = correlation(kind, asks="lt 10", values="n", percentile="50", span="5m")
    assert windows(asked, '1 a 0m {"n": "x"}\n2 a 1m\n3 a 2m {"n": {"y": 1}}') == []


def test_numbers_of_an_event_of_two_operands_are_read_once_in_each_field() -> None:
    rows = '1 a,b 0m {"n": 2, "m": 3}'
    assert windows(correlation("value_sum", "a b", "eq 2", values="n", span="5m"), rows) != []
    assert windows(correlation("value_sum", "a b", "eq 5", values="v=a:n,b:m", span="5m"), rows) != []


def test_temporal_wants_every_operand_in_any_order() -> None:
    asked = correlation("temporal", "a b", span="5m")
    assert windows(asked, "1 b 0m\n2 a 5m\n3 a 5m+1") == ["|0m..5m: 1,2"]
    assert windows(asked, "1 a,b 0m") == ["|0m..0m: 1"]
    assert windows(asked, "1 a 0m\n2 a 1m") == []


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("-5m-1", ["|0m..0m: 1"]),
        ("-5m", []),
        ("0m", []),
        ("5m", []),
        ("5m+1", ["|0m..0m: 1"]),
    ],
)
def test_a_negation_looks_back_and_forward_inclusively(other: str, found: list[str]) -> None:
    asked = correlation("temporal", "a b", condition=Both(items=(A, Lacks(item=B))), span="5m")
    assert windows(asked, f"1 a 0m\n2 b {other}") == found


def test_only_rules_without_negation_anchor_and_are_members() -> None:
    asked = correlation("temporal", "a b c", condition=Either(items=(Both(items=(A, B)), Lacks(item=C))), span="5m")
    assert windows(asked, "1 a 0m\n2 c 1m\n3 b 2m") == ["|0m..2m: 1,3"]
    assert windows(correlation("temporal", "a", condition=Lacks(item=A), span="5m"), "1 a 0m") == []


def test_negations_move_down_to_the_rules() -> None:
    asked = correlation("temporal", "a b c", condition=Both(items=(A, Lacks(item=Both(items=(B, Lacks(item=C)))))), span="5m")
    assert windows(asked, "1 a 0m\n2 b 1m") == []
    assert windows(asked, "1 a 0m") == ["|0m..0m: 1"]
    assert windows(asked, "1 c 0m\n2 a 1m\n3 b 2m") == ["|0m..1m: 1,2"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("1 a 0m\n2 b 5m", ["|0m..5m: 1,2"]),
        ("1 a 0m\n2 b 5m+1", []),
        ("1 b 0m\n2 a 1m", []),
        ("1 b 0m\n2 a 0m", ["|0m..0m: 1,2"]),
        ("1 a,b 0m", []),
        ("1 a,b 0m\n2 b 1m", ["|0m..1m: 1,2"]),
        ("1 a 0m\n2 a 1m\n3 b 2m", ["|1m..2m: 2,3"]),
        ("1 a 0m\n2 b 1m\n3 b 2m", ["|0m..1m: 1,2", "|0m..2m: 1,2,3"]),
        ("1 a,b 0m\n2 a,b 0m", ["|0m..0m: 1,2"]),
    ],
)
def test_temporal_ordered_wants_different_events_in_order(rows: str, found: list[str]) -> None:
    assert windows(correlation("temporal_ordered", "a b", span="5m"), rows) == found


def test_an_ordered_window_holds_all_operand_events_between_its_ends() -> None:
    asked = correlation("temporal_ordered", "a b c", span="9m")
    assert windows(asked, "1 a 0m\n2 a 1m\n3 c 2m\n4 b 3m\n5 c 4m\n6 a 5m") == ["|1m..4m: 2,3,4,5"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("1 a 0m\n2 a 5m\n3 a 10m", ["|0m..10m: 1,2,3"]),
        ("1 a 0m\n2 a 5m\n3 a 6m\n4 a 11m", ["|0m..11m: 1,2,3,4"]),
        ("1 a 0m\n2 a 1m\n3 a 6m+1\n4 a 7m+1", ["|0m..1m: 1,2", "|6m+1..7m+1: 3,4"]),
    ],
)
def test_windows_that_overlap_or_touch_are_one_episode(rows: str, found: list[str]) -> None:
    assert episodes(correlation("event_count", asks="gte 2", span="5m"), rows) == found


def test_windows_of_two_groups_never_join() -> None:
    asked = correlation("event_count", asks="gte 1", by="u", span="5m")
    assert episodes(asked, '1 a 0m {"u": "x"}\n2 a 0m {"u": "y"}') == ["x|0m..0m: 1", "y|0m..0m: 2"]


def test_a_chain_counts_each_window_at_its_last_event() -> None:
    inner = correlation("event_count", asks="gte 2", by="u", span="1m", name="IN")
    asked = correlation("temporal_ordered", "IN b", by="u", span="2m")
    rows = '1 a 0m {"u": "x"}\n2 a 1m {"u": "X"}\n3 b 3m {"u": "x"}'
    assert windows(asked, rows, inner) == ["x|1m..3m: 1,2,3"]
    assert windows(correlation("temporal_ordered", "IN b", by="u", span="1m"), rows, inner) == []


def test_values_are_counted_over_the_groups_of_a_chain() -> None:
    inner = correlation("event_count", asks="gte 1", by="u w.x", span="1m", name="IN")
    rows = '1 a 0m {"u": "p", "w": {"x": 3}}\n2 a 1m {"u": "q", "w": {"x": 4}}'
    assert windows(correlation("value_count", "IN", "eq 2", values="u", span="5m"), rows, inner) == ["|0m..1m: 1,2"]
    assert windows(correlation("value_sum", "IN", "eq 7", values="w.x", span="5m"), rows, inner) == ["|0m..1m: 1,2"]
    assert windows(correlation("event_count", "IN", "gte 1", by="n", span="5m"), rows, inner) == []


def test_a_baseline_may_be_an_operand_and_each_of_its_events_counts() -> None:
    inner = correlation("first_seen", values="u", over="p", back="5m", name="IN")
    asked = correlation("event_count", "IN", "gte 2", span="1m")
    assert windows(asked, '1 a 0m {"u": "x"}\n2 a 0m {"u": "x"}', inner) == ["|0m..0m: 1,2"]


# -- baselines (7.3) -----------------------------------------------------------------------------------------------

FIRST = correlation("first_seen", by="u", values="n", over="a", back="5m")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ('1 a 0m {"u": "x", "n": "p"}\n2 a 5m {"u": "x", "n": "P"}', ["x|0m..0m: 1"]),
        ('1 a 0m {"u": "x", "n": "p"}\n2 a 5m+1 {"u": "x", "n": "p"}', ["x|0m..0m: 1", "x|5m+1..5m+1: 2"]),
        ('1 a 0m {"u": "x", "n": "p"}\n2 a 0m {"u": "x", "n": "p"}', ["x|0m..0m: 1", "x|0m..0m: 2"]),
        ('1 a 0m {"u": "x", "n": "p"}\n2 a 1m {"u": "y", "n": "p"}', ["x|0m..0m: 1", "y|1m..1m: 2"]),
        ('1 a 0m {"u": "x", "n": "p"}\n2 a 1m {"u": "x", "n": ["p", "q", "r"]}', ["x|0m..0m: 1", "x|1m..1m: 2"]),
        ('1 a 0m {"u": "x", "n": ""}', []),
    ],
)
def test_first_seen_is_what_no_population_event_shows_before(rows: str, found: list[str]) -> None:
    assert windows(FIRST, rows) == found


def test_first_seen_asks_the_population_alone() -> None:
    asked = correlation("first_seen", values="v=a:n,p:m", over="p", back="5m")
    rows = '1 p 0m {"m": "p"}\n2 a 1m {"n": "p"}\n3 a 2m {"n": "q"}\n4 a 3m {"n": "q"}'
    assert windows(asked, rows) == ["|2m..2m: 3", "|3m..3m: 4"]


@pytest.mark.parametrize(
    ("asks", "minimum", "rows", "found"),
    [
        ("lte 0.5", 2, '1 a 1h {"n": "p"}\n2 p,a 2h-1 {"n": "q"}\n3 p 1h {"n": "p"}', ["|120m-1..120m-1: 2", "|60m..60m: 1"]),
        ("lt 0.5", 2, '1 a 1h {"n": "p"}\n2 p,a 2h-1 {"n": "q"}\n3 p 1h {"n": "p"}', []),
        ("lte 0.5", 3, '1 a 1h {"n": "p"}\n2 p,a 2h-1 {"n": "q"}\n3 p 1h {"n": "p"}', []),
        ("lte 0.5", 2, '1 a 1h {"n": "p"}\n2 p 2h {"n": "q"}\n3 p 1h {"n": "p"}', []),
        ("eq 0", 1, '1 a 1h+9 {"n": "p"}\n2 p 0h {"n": "q"}', ["|60m+9..60m+9: 1"]),
        ("eq 0", 1, '1 a 1h+9 {"n": "p"}\n2 p 0h-1 {"n": "q"}', []),
        ("lt 0.333334 gt 0.333333", 3, '1 a 1h {"n": ["p", "z"]}\n2 p 1h {"n": "p"}\n3 p 1h\n4 p 0h', ["|60m..60m: 1"]),
        ("lte 1", 1, '1 a 1h {"n": null}\n2 p 1h {"n": null}', []),
    ],
)
def test_rare_is_a_small_part_of_whole_hours(asks: str, minimum: int, rows: str, found: list[str]) -> None:
    assert windows(correlation("rare", asks=asks, values="n", over="p", back="1h", minimum=minimum), rows) == found


@pytest.mark.parametrize(
    ("asks", "found"),
    [
        ("gte 0.66", ["|0m..1m: 1,2", "|1m..6m: 2,3"]),
        ("gte 1", []),
        ("lt 0.34", ["|0m..0m: 1", "|12m..12m: 4"]),
        ("eq 0", ["|12m..12m: 4"]),
        ("gt 0.666666 lt 0.666667", ["|0m..1m: 1,2", "|1m..6m: 2,3"]),
    ],
)
def test_share_is_the_part_of_the_listed_values_that_a_window_shows(asks: str, found: list[str]) -> None:
    asked = correlation("share", asks=asks, values="n", listed="P q 5", span="5m")
    assert windows(asked, '1 a 0m {"n": "p"}\n2 a 1m {"n": ["q", "other"]}\n3 a 6m {"n": [5.0]}\n4 a 12m {"n": "s"}') == found


def hourly(counts: str) -> str:
    """Return population events: so many in each hour from the first, and an event of `a` at either end of the last hour but one."""
    lines = [f"{hour}.{number} p {hour}h+{number}" for hour, count in enumerate(counts) for number in range(int(count))]
    last = len(counts) - 1
    return "\n".join([*lines, f"x a {last}h", f"y a {last + 1}h-1"])


@pytest.mark.parametrize(
    ("counts", "asks", "minimum", "is_spike"),
    [
        ("00009", "eq 9", 9, True),
        ("00009", "eq 9", 10, False),
        ("11119", "eq 8", 1, True),
        ("00239", "eq 8", 1, False),
        ("00239", "gte 5.3959 lte 5.396", 1, True),
        ("02469", "gte 2.0234 lte 2.0235", 1, True),
        ("00010", "lte 0", 0, True),
        ("20002", "eq 2", 1, True),
        ("92229", "eq 7", 1, True),
    ],
)
def test_spike_measures_by_the_median_of_all_hours_before(counts: str, asks: str, minimum: int, *, is_spike: bool) -> None:
    """0, 2, 4, 6 have the median 3 and the distances 3, 1, 1, 3: (9 - 3) / (1.4826 * 2)."""
    asked = correlation("spike", asks=asks, over="p", back="4h", minimum=minimum)
    last = len(counts) - 1
    assert windows(asked, hourly(counts)) == ([f"|{last * 60}m..{last * 60 + 60}m-1: x,y"] if is_spike else [])


def test_no_event_of_the_rules_no_spike() -> None:
    asked = correlation("spike", asks="gte 1", over="p", back="1h")
    assert windows(asked, "1 p 1h\n2 a 2h") == []


# -- drawn histories -----------------------------------------------------------------------------------------------


@cache
def drawn() -> tuple[tuple[History, object], ...]:
    """Return histories and what is right of them."""
    return tuple((each, judged(CorrelationOracle, each)) for each in map(draw_history, range(1300)))


def judged(reading: type[CorrelationOracle], history: History) -> object:
    """Return all windows and episodes by one reading, without figures."""
    oracle = reading(history.correlations, history.deliveries)
    return [(told(oracle.windows(each.id)), told(oracle.episodes(each.id))) for each in history.correlations]


def test_drawn_histories_tell_every_wrong_reading_apart() -> None:
    unseen = [reading.__name__ for reading in wrong_readings() if all(judged(reading, history) == right for history, right in drawn())]
    assert unseen == []


def test_drawn_histories_satisfy_every_type_often_and_not_always() -> None:
    found: Counter[CorrelationType] = Counter()
    for history, _ in drawn():
        top = history.correlations[-1]
        found[top.type] += bool(CorrelationOracle(history.correlations, history.deliveries).windows(top.id))
    for kind in CorrelationType:
        all_of_it = 100 * TYPES.count(kind)
        assert 0.2 * all_of_it < found[kind] < 0.9 * all_of_it, kind


def test_drawn_histories_are_small_and_full_of_ties() -> None:
    histories = [history for history, _ in drawn()]
    times = [{each.event_id: each.time_us for each in history.deliveries} for history in histories]
    assert max(map(len, times)) <= MOST_EVENTS * 2
    assert sum(len(set(each.values())) < len(each) for each in times) > len(times) // 2


def test_a_history_is_told_in_lines() -> None:
    history = draw_history(1)
    assert len(history.told().split("\n")) == len(history.correlations) + len(history.deliveries)
    assert clock(BASE - 1) == "0m-1us"
    assert clock(None) == "untimed"
