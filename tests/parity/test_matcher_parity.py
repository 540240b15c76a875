"""The matcher beside the oracle: truths typed by hand, and rules and events that Hypothesis draws and shrinks."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import AibrError, Unsupported
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.match import compile_rules
from tests.oracle.evaluate import Evaluator
from tests.oracle.serialisers import draw_spelling, spell
from tests.oracle.sigma import predicate_of_rule
from tests.oracle.strategies import draw_rule
from tests.oracle.worlds import draw_event, draw_world
from tests.parity.batches import draw_batch, minimise
from tests.parity.cases import IS_OLD_PYSIGMA, Case, all_cases, refused_cases

ORACLE = Evaluator()


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_matcher_says_what_was_typed_by_hand(case: Case) -> None:
    matcher = compile_rules([load_rule_text(case.rule, "case.yml")], None)
    said = {event: bool(matcher.match(parse_record(event.encode()).value)) for event in case.truths}
    assert said == dict(case.truths), case.pins


@settings(max_examples=150)
@given(st.randoms(use_true_random=False))
def test_matcher_agrees_with_the_oracle_on_one_rule_and_a_few_events(rng: random.Random) -> None:
    """Here every choice is Hypothesis's own, so that a disagreement shrinks to a small rule and event."""
    world = draw_world(rng)
    text = draw_rule(rng, world, 1)
    assume(not IS_OLD_PYSIGMA or not is_misread(text))
    events = [spell(rng, draw_event(rng, world), draw_spelling(rng, is_line=True)) for _ in range(3)]
    assert [matcher_says(text, event) for event in events] == [oracle_says(text, event) for event in events], (text, events)


def is_misread(text: str) -> bool:
    """True when the older pySigma misreads the rule, or knows a part of it as no regular expression, so that it is refused."""
    try:
        load_rule_text(text, "drawn.yml")
    except AibrError:
        return True
    return False


def test_matcher_agrees_with_the_oracle_on_many_rules_at_once() -> None:
    """One rule set over each event: what the set's index leaves out must not have matched."""
    cells = 0
    for seed in range(20):
        batch = draw_batch(seed, rules=25, events=20, files=2)
        matcher = compile_rules(batch.rules, None)
        for file in batch.files:
            said = {
                (number, place) for place, text in enumerate(file.records) for number in matcher.match(parse_record(text.encode()).value)
            }
            for number, place in sorted(said ^ batch.truth[file.name])[:1]:
                pytest.fail(told(batch.texts[number], file.records[place]))
            cells += len(batch.rules) * len(file.records)
    assert cells >= 18_000


def matcher_says(rule: str, record: str) -> bool:
    """Return the matcher's word on one rule, as its author wrote it, and one record."""
    return bool(compile_rules([load_rule_text(rule, "drawn.yml")], None).match(parse_record(record.encode()).value))


def oracle_says(rule: str, record: str) -> bool:
    """Return the oracle's word."""
    return ORACLE.matches_text(predicate_of_rule(rule), record)


def told(rule: str, record: str) -> str:
    """Return a disagreement as a person wants to read it: as small as it gets."""

    def is_wrong(rule: str, record: str) -> bool:
        try:
            return matcher_says(rule, record) != oracle_says(rule, record)
        except AibrError:
            return False

    small = minimise(rule, record, is_wrong) if is_wrong(rule, record) else record
    return f"{rule}\n{small}\noracle: {oracle_says(rule, small)}, matcher alone: {matcher_says(rule, small)}"


@pytest.mark.skipif(not IS_OLD_PYSIGMA, reason="pySigma 2 reads them as they are")
def test_what_the_older_pysigma_misreads_is_refused_by_name() -> None:
    assert len(refused_cases()) == 2
    for case in refused_cases():
        with pytest.raises(Unsupported, match="pySigma"):
            load_rule_text(case.rule, "case.yml")
