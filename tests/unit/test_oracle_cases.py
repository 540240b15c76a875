"""The oracle against truths typed by hand, and its own parts against independent sources."""

from __future__ import annotations

import base64
import random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.evaluate import Evaluator, split_field
from tests.oracle.jsontext import Number, compact, depth, number_of_text, opened, parse
from tests.oracle.serialisers import FRAMINGS, draw_spelling, frame, needs_lines, spell
from tests.oracle.sigma import Condition, offsets, predicate_of_rule, wildcards
from tests.oracle.strategies import draw_rule, escaped, rule_text
from tests.oracle.variants import wrong_readings
from tests.oracle.worlds import draw_event, draw_world
from tests.parity.cases import Case, all_cases

ORACLE = Evaluator()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_oracle_says_what_was_typed_by_hand(case: Case) -> None:
    predicate = predicate_of_rule(case.rule)
    said = {event: ORACLE.matches_text(predicate, event) for event in case.truths}
    assert said == dict(case.truths), case.pins


def test_hand_typed_cases_are_many_and_say_both() -> None:
    truths = [truth for case in all_cases() for truth in case.truths.values()]
    assert len(truths) >= 300
    assert min(truths.count(True), truths.count(False)) >= 100


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_base64_offsets_find_the_bytes_wherever_they_lie(data: bytes, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + data + after).decode()
    assert offsets(data)[len(before) % 3] in encoded


@given(st.text())
def test_escaped_text_holds_no_wildcard(text: str) -> None:
    assert "".join(wildcards(escaped(text))) == text
    assert all(type(part) is str for part in wildcards(escaped(text)))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_field_names_split_where_the_author_did_not_escape(names: list[str]) -> None:
    field = ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)
    assert split_field(field) == tuple(names)


@pytest.mark.parametrize("text", ["0", "-0", "5.123456", "999999999999999"])
def test_number_form_takes(text: str) -> None:
    assert number_of_text(text) is not None


@pytest.mark.parametrize("text", ["", "-", "00", "1.", ".1", "1.1234567", "1000000000000000", "1e1", "+1", "1 ", "1\n", "\u0661"])
def test_number_form_refuses(text: str) -> None:
    assert number_of_text(text) is None


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[1,]", "{'a':1}", "", "1 2"])
def test_parser_refuses_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_numbers_keep_their_spelling() -> None:
    assert parse("[5.00,1E2,-0]") == [Number("5.00"), Number("1E2"), Number("-0")]


def test_texts_nested_beyond_the_limit_stay_closed() -> None:
    deep: str = "[" * 65 + "]" * 65
    assert opened({"a": deep}) == {"a": deep}
    assert opened({"a": deep[1:-1]}) != {"a": deep[1:-1]}
    assert depth(parse(deep)) == 65


@given(st.integers(0, 2**32))
def test_each_spelling_of_an_event_is_the_same_event(seed: int) -> None:
    rng = random.Random(seed)
    event = draw_event(rng, draw_world(rng))
    spelling = draw_spelling(rng, is_line=rng.random() < 0.5)
    said = parse(spell(rng, event, spelling))
    assert _plain(said) == _plain(event)


def _plain(value: object) -> object:
    if isinstance(value, Number):
        return float(value.spelling)
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("framing", FRAMINGS)
def test_framings_hold_the_records_in_order(framing: str) -> None:
    rng = random.Random(framing)
    records = [spell(rng, draw_event(rng, draw_world(rng)), draw_spelling(rng, is_line=needs_lines(framing))) for _ in range(5)]
    content = frame(framing, records)
    if framing == "concatenated":
        assert content == "".join(records)
    elif needs_lines(framing):
        assert [parse(line) for line in content.split("\n") if line.strip()] == [parse(record) for record in records]
    else:
        found = parse(content)
        inner = found["Records"] if isinstance(found, dict) else found
        assert inner == [parse(record) for record in records]


@given(st.integers(0, 2**32))
def test_drawn_rules_are_yaml_that_says_what_was_drawn(seed: int) -> None:
    rng = random.Random(seed)
    text = draw_rule(rng, draw_world(rng), 1)
    assert rule_text(yaml.safe_load(text)["detection"], 1) == text
    predicate_of_rule(text)


def test_condition_that_goes_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="goes on"):
        Condition("a b", {"a": predicate_of_rule("detection: {s: {a: 1}, condition: s}")}).read()


def test_drawn_corpus_tells_every_wrong_reading_from_the_oracle() -> None:
    """Rules and events drawn as in the parity test must have the power to notice each of these mistakes, three times over."""
    left = {reading.name: 3 for reading in wrong_readings()}
    assert len(left) >= 20
    for seed in range(400):
        rng = random.Random(f"power {seed}")
        world = draw_world(rng)
        predicates = [predicate_of_rule(draw_rule(rng, world, number)) for number in range(15)]
        events = [parse(compact(draw_event(rng, world))) for _ in range(20)]
        cells = [(predicate, event, ORACLE.matches(predicate, event)) for predicate in predicates for event in events]
        for reading in wrong_readings():
            if left.get(reading.name, 0) > 0:
                left[reading.name] -= sum(reading.evaluator.matches(predicate, event) != truth for predicate, event, truth in cells)
        left = {name: count for name, count in left.items() if count > 0}
        if not left:
            return
    pytest.fail(f"the corpus does not notice: {left}")
