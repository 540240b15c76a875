"""Files of a correlation's cases: events with relative times, every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.content.correlation_cases import CorrelationCases, load_correlation_cases
from aibr_hunt.content.timed_events import MAX_EVENTS, time_us
from aibr_hunt.errors import ContentErrors

SECOND = 1_000_000
HEAD = "correlation: example\nbase: &base {name: x, deep: {a: 1}}\ncases:\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "example.tests.yaml"


def loaded(path: Path, cases: str) -> CorrelationCases:
    path.write_text(HEAD + "".join(f"  {line}\n" for line in cases.split("\n")), encoding="utf-8")
    return load_correlation_cases(path, "e.tests.yaml")


@pytest.mark.parametrize(
    ("written", "microseconds"),
    [
        ("0s", 0),
        ("90s", 90 * SECOND),
        ("-2h", -7200 * SECOND),
        ("500ms", SECOND // 2),
        ("7us", 7),
        ("1h30m", 5400 * SECOND),
        ("2d", 172_800 * SECOND),
    ],
)
def test_a_time_is_a_number_with_a_unit_or_several(written: str, microseconds: int) -> None:
    assert time_us(written) == microseconds


@pytest.mark.parametrize("written", ["", "5", "s", "1.5h", "1h 30m", "5M", "--1s", "+1s", None, True, 5, ["1s"]], ids=repr)
def test_anything_else_is_no_time(written: str | None) -> None:
    assert time_us(written) is None


def test_zero_needs_no_unit() -> None:
    assert time_us(0) == 0


def test_a_case_is_events_with_their_times(path: Path) -> None:
    found = loaded(
        path, "one: {hit: true, why: because, episodes: 2, members: [a], events: [{at: 1m, id: a, event: *base}, {at: -1s, event: {f: 1}}]}"
    )
    [case] = found.cases
    assert (found.correlation, case.name, case.hit, case.why, case.episodes, case.line) == ("example", "one", True, "because", 2, 4)
    assert case.members == frozenset("a")
    assert [(each.at_us, each.event) for each in case.events] == [(60 * SECOND, {"name": "x", "deep": {"a": 1}}), (-SECOND, {"f": 1})]
    assert [(each.name == "a", each.deliveries, each.late_us) for each in case.events] == [(True, 1, 0), (False, 1, 0)]
    assert (found.hits, found.misses) == ((case,), ())


def test_an_entry_may_stand_for_many_events(path: Path) -> None:
    [case] = loaded(
        path, "one: {hit: false, events: [{at: 0s, id: a, event: *base, repeat: 3, every: 10s, deliveries: 2, late: 1h}]}"
    ).cases
    assert [(each.name, each.at_us, each.deliveries, each.late_us) for each in case.events] == [
        (f"a[{number + 1}]", number * 10 * SECOND, 2, 3600 * SECOND) for number in range(3)
    ]


def test_each_of_an_entry_gives_an_event_a_value(path: Path) -> None:
    [case] = loaded(path, "one: {hit: false, events: [{at: 0s, event: *base, each: {deep.b: [1, x]}, repeat: 2, every: 1s}]}").cases
    assert [(each.at_us // SECOND, each.event) for each in case.events] == [
        (number, {"name": "x", "deep": {"a": 1, "b": value}}) for number, value in enumerate((1, "x", 1, "x"))
    ]
    assert len({each.name for each in case.events}) == 4


def test_each_of_a_case_gives_a_case_a_value(path: Path) -> None:
    cases = loaded(path, "one: {hit: false, events: [{at: 0s, event: *base}, {at: 1s, event: *base}], each: {name: [1, null]}}").cases
    assert [case.name for case in cases] == ["one[1]", "one[None]"]
    assert [[each.event for each in case.events] for case in cases] == [[{"name": value, "deep": {"a": 1}}] * 2 for value in (1, None)]


def test_a_hole_is_a_span_in_which_nothing_was_read(path: Path) -> None:
    [case] = loaded(path, "one: {hit: false, uncovered: [{from: -1h, to: 0s}, {from: 5m, to: 6m}], events: [{at: 1s, event: *base}]}").cases
    assert case.uncovered == ((-3600 * SECOND, 0), (300 * SECOND, 360 * SECOND))


def test_equivalent_mutants_have_reasons(path: Path) -> None:
    path.write_text(f"{HEAD}  one: {{hit: false, events: []}}\nequivalent:\n  - {{mutant: m, why: w}}\n", encoding="utf-8")
    assert load_correlation_cases(path).equivalent == {"m": "w"}


EVENT = "events: [{at: 0s, event: *base}]"
FAULTS = [
    ("one: 5", "e.tests.yaml:4: case one is no map. Write {hit: true, events: [{at: 0s, event: {...}}]}."),
    (f"one: {{hit: maybe, {EVENT}}}", "e.tests.yaml:4: case one needs `hit: true` or `hit: false`, and a list of events."),
    ("one: {hit: true, event: {a: 1}}", "e.tests.yaml:4: case one has the unknown key 'event'. Did you mean events?"),
    (f"one: {{hit: true, {EVENT}, wy: x}}", "e.tests.yaml:4: case one has the unknown key 'wy'. Did you mean why?"),
    (
        "one: {hit: true, events: [5]}",
        "e.tests.yaml:4: case one has an event that is no map of at and event. Write {at: 0s, event: {...}}.",
    ),
    (
        "one: {hit: true, events: [{event: *base}]}",
        "e.tests.yaml:4: an event of case one needs `at`. Write a number and one of us, ms, s, m, h, d, w",
    ),
    (
        "one: {hit: true, events: [{at: soon, event: *base}]}",
        "e.tests.yaml:4: an event of case one has the at 'soon', which is no length of time.",
    ),
    (
        "one: {hit: true, events: [{at: 0s, every: -1s, event: *base}]}",
        "e.tests.yaml:4: an event of case one has the every '-1s', which is no length",
    ),
    (
        "one: {hit: true, events: [{at: 0s, late: x, event: *base}]}",
        "e.tests.yaml:4: an event of case one has the late 'x', which is no length",
    ),
    (
        "one: {hit: true, events: [{at: 0s, repaet: 2, event: *base}]}",
        "e.tests.yaml:4: an event of case one has the unknown key 'repaet'. Did you mean repeat?",
    ),
    (
        "one: {hit: true, events: [{at: 0s, repeat: 0, event: *base}]}",
        "e.tests.yaml:4: repeat must be a whole number of at least 1, not 0.",
    ),
    (
        "one: {hit: true, events: [{at: 0s, deliveries: true, event: *base}]}",
        "e.tests.yaml:4: deliveries must be a whole number of at least 1, not True.",
    ),
    (
        f"one: {{hit: true, events: [{{at: 0s, repeat: {MAX_EVENTS + 1}, event: *base}}]}}",
        "e.tests.yaml:4: case one has over 20,000 events. Lower the threshold",
    ),
    (
        "one: {hit: true, events: [{at: 0s, repeat: 15000, event: *base}, {at: 0s, repeat: 15000, event: *base}]}",
        "e.tests.yaml:4: case one has over 20,000",
    ),
    (
        "one: {hit: true, events: [{at: 0s, each: {a: 1}, event: *base}]}",
        "e.tests.yaml:4: case one: each must be one field with a list of values.",
    ),
    (
        f"one: {{hit: true, {EVENT}, each: [a]}}",
        "e.tests.yaml:4: case one: each must be one field with a list of values. Write each: {field: [v1, v2]}.",
    ),
    (f"one: {{hit: true, {EVENT}, episodes: -1}}", "e.tests.yaml:4: episodes must be a whole number of at least 0, not -1."),
    (f"one: {{hit: false, {EVENT}, episodes: 1}}", "e.tests.yaml:4: case one is a miss with 1 episodes."),
    (f"one: {{hit: true, {EVENT}, episodes: 0}}", "e.tests.yaml:4: case one is a hit with 0 episodes."),
    (f"one: {{hit: true, {EVENT}, members: a}}", "e.tests.yaml:4: members must be a list of ids of events. Give the events an `id`."),
    (f"one: {{hit: true, {EVENT}, members: [a]}}", "e.tests.yaml:4: case one names the member a, which is the id of no event."),
    (
        f"one: {{hit: true, {EVENT}, uncovered: [{{from: 1h}}]}}",
        "e.tests.yaml:4: case one: an uncovered span needs `from` and a later `to`. Write {from: 2h",
    ),
    (
        f"one: {{hit: true, {EVENT}, uncovered: {{from: 1h, to: 1h}}}}",
        "e.tests.yaml:4: case one: an uncovered span needs `from` and a later `to`.",
    ),
    (
        f"one: {{hit: true, {EVENT}, uncovered: [{{from: -1s, to: 1s}}]}}",
        "e.tests.yaml:4: case one has an event in an uncovered span. What lies there was not read",
    ),
]


@pytest.mark.parametrize(("cases", "fault"), FAULTS, ids=[f"{number} {fault[16:60]}" for number, (_, fault) in enumerate(FAULTS)])
def test_what_is_wrong_is_named_with_its_line(path: Path, cases: str, fault: str) -> None:
    with pytest.raises(ContentErrors) as refused:
        loaded(path, cases)
    found = [str(error) for error in refused.value.errors]
    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("correlation: x\n", "e.tests.yaml:1: has no cases. Add `cases:` with one named case for each set of events."),
        ("corelation: x\ncases: {}\n", "e.tests.yaml:1: the file has the unknown key 'corelation'. Did you mean correlation?"),
        (
            "cases: {a: {hit: false, events: []}}\nequivalent: [{mutant: m}]\n",
            "e.tests.yaml:2: an equivalent mutant needs `mutant` and `why`.",
        ),
    ],
)
def test_what_is_wrong_with_the_file_is_named(path: Path, text: str, fault: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContentErrors) as refused:
        load_correlation_cases(path, "e.tests.yaml")
    assert fault in [str(error) for error in refused.value.errors]


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ContentErrors, match="cannot be read"):
        load_correlation_cases(path)
