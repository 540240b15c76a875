"""The bench's synthetic trail: reproducible, shaped as promised, and its planted hits are hits, alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from zlib_ng import zlib_ng

from tests.bench.cloudtrail import EVENTS_PER_FILE, REDELIVERED_PER_FILE, Draw, path_of, population, twin_of
from tests.bench.generate import GZIP_WINDOW, Trail, make_trail, records_of, write_file
from tests.bench.measure import run
from tests.bench.rulesets import MOST_VALUES, BenchRule, draw_rule, master_set
from tests.bench.run_bench import compare
from tests.oracle.evaluate import Evaluator
from tests.oracle.jsontext import parse
from tests.oracle.sigma import predicate_of_rule

SEED = 4242
ORACLE = Evaluator()


@pytest.fixture(scope="module")
def rules() -> tuple[BenchRule, ...]:
    return master_set(SEED)


@pytest.fixture(scope="module")
def events() -> list[dict[str, object]]:
    return [json.loads(record) for record in records_of(SEED, 0)[0]]


def test_a_file_follows_from_seed_and_number(tmp_path: Path) -> None:
    first = write_file(tmp_path / "a", SEED, is_mixed=False, number=3)
    again = write_file(tmp_path / "b", SEED, is_mixed=False, number=3)
    assert first == again
    assert (tmp_path / "a" / path_of(3)).read_bytes() == (tmp_path / "b" / path_of(3)).read_bytes()
    assert write_file(tmp_path / "c", SEED + 1, is_mixed=False, number=3)[2] != first[2]


def test_a_file_is_a_records_file_of_about_one_and_a_half_kilobytes_an_event(tmp_path: Path) -> None:
    write_file(tmp_path, SEED, is_mixed=False, number=0)
    content = zlib_ng.decompress((tmp_path / path_of(0)).read_bytes(), GZIP_WINDOW)
    assert len(json.loads(content)["Records"]) == EVENTS_PER_FILE
    assert 1350 <= len(content) / EVENTS_PER_FILE <= 1550


def test_a_fifth_of_the_deliveries_repeats_an_event_of_the_twin_file(events: list[dict[str, object]]) -> None:
    twin = {json.loads(record)["eventID"] for record in records_of(SEED, twin_of(0))[0]}
    shared = [event for event in events if event["eventID"] in twin]
    assert len({str(event["eventID"]) for event in events}) == EVENTS_PER_FILE
    # Both files hold the first events of both: those of the twin here are its re-deliveries.
    assert len(shared) == 2 * REDELIVERED_PER_FILE
    assert pytest.approx(0.21) == REDELIVERED_PER_FILE / EVENTS_PER_FILE


def test_population_has_the_promised_size_and_a_heavy_head(events: list[dict[str, object]]) -> None:
    people = population()
    assert len({name for _, name in (*people.names, *people.watched)}) == 350
    assert len(people.principals) == 2000
    assert len(set(people.agents)) == 270
    assert len(set(people.addresses)) == 4000
    names = Counter(str(event["eventName"]) for event in events)
    assert names.most_common(1)[0][1] > EVENTS_PER_FILE / 20
    errors = sum("errorCode" in event for event in events) / EVENTS_PER_FILE
    assert 0.02 <= errors <= 0.06


def test_mixed_trail_carries_watched_names_in_two_of_five_events() -> None:
    watched = set(population().watched)
    draw = Draw(SEED, 0, is_mixed=True)
    assert 0.36 <= sum(name in watched for name in draw.names) / EVENTS_PER_FILE <= 0.44


def test_every_planted_event_meets_its_rule_and_no_other_and_no_decoy_meets_any(rules: tuple[BenchRule, ...]) -> None:
    predicates = [predicate_of_rule(rule.text) for rule in rules]
    record = Draw(SEED, 0).record(7)
    assert [number for number, predicate in enumerate(predicates) if ORACLE.matches(predicate, parse(record))] == []
    for number in range(10):
        records, planted = records_of(SEED, number)
        draw = Draw(SEED, number)
        of_id = {json.loads(text)["eventID"]: text for text in records}
        for rule, event_id in planted:
            event = parse(of_id[event_id])
            assert [at for at, predicate in enumerate(predicates) if ORACLE.matches(predicate, event)] == [rule]
        for at in draw.decoys.keys() - draw.planted.keys():
            text = of_id.get(draw.event_id(at))
            if text is not None:
                event = parse(text)
                assert not any(ORACLE.matches(predicate, event) for predicate in predicates)


@pytest.mark.parametrize("size", [10, 60, 300, 1000])
def test_every_prefix_of_the_master_set_keeps_the_shares(rules: tuple[BenchRule, ...], size: int) -> None:
    bodies = [yaml.safe_load(rule.text)["detection"] for rule in rules[:size]]
    texts = [json.dumps(body) for body in bodies]
    assert sum('"eventName' not in text for text in texts) >= 0.15 * size
    assert sum(set(_fields(body)) == {"userAgent"} for body in bodies) >= 0.10 * size
    assert sum("|re" in text for text in texts) >= 0.10 * size
    assert sum("not filter" in text for text in texts) >= 0.20 * size


def test_lists_hold_from_one_to_five_hundred_values(rules: tuple[BenchRule, ...]) -> None:
    longest = [max((len(value) for value in _values(yaml.safe_load(rule.text)["detection"])), default=1) for rule in rules]
    assert min(longest) == 1
    assert 400 < max(longest) <= MOST_VALUES
    assert draw_rule(SEED, 3) == rules[3]


def _fields(detection: dict[str, object]) -> list[str]:
    return [key.partition("|")[0] for body in detection.values() if isinstance(body, dict) for key in body]


def _values(detection: dict[str, object]) -> list[list[object]]:
    return [value for body in detection.values() if isinstance(body, dict) for value in body.values() if isinstance(value, list)]


def test_trail_says_what_must_be_found(tmp_path: Path) -> None:
    trail = make_trail(tmp_path, seed=SEED, deliveries=10_000)
    assert isinstance(trail, Trail)
    assert trail.deliveries == 10_000
    assert trail.events == 7_900
    assert len(list(trail.logs.rglob("*.json.gz"))) == 4
    assert trail.expected_for(1000) == trail.expected
    assert trail.expected_for(0) == frozenset()
    assert make_trail(tmp_path, seed=SEED, deliveries=10_000) == trail


def test_comparison_names_what_is_missed_made_up_and_doubled(rules: tuple[BenchRule, ...]) -> None:
    expected = frozenset({(0, "x"), (1, "y")})
    first, second = (rules[0].id, "x"), (rules[1].id, "y")
    assert compare([first, second], rules, expected) == []
    assert [fault.split()[0] for fault in compare([first, (rules[2].id, "z")], rules, expected)] == ["missed:", "made"]
    assert compare([first, second, first], rules, expected) == ["1 leads doubled"]


def test_costs_of_a_command_are_told() -> None:
    cost = run(["git", "--version"])
    assert cost.code == 0
    assert cost.output.startswith("git version")
    assert 0 < cost.first_line_s <= cost.wall_s
