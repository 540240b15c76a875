"""The matcher beside the oracle on a mapping: aliases, fields without case, several places, JSON in texts, named blanks."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.files import Scope, scan
from aibr_hunt.engines.program import Options, Program
from aibr_hunt.errors import ContentError, ContentErrors, Unsupported
from aibr_hunt.intake.files import discover
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.bind import binder_of, check_bindable, leaves
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.meaning.sieve import sieve_of
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.predicate import FieldRef, Keyword, Predicate
from aibr_hunt.model.rule import Rule
from tests.oracle.jsontext import parse
from tests.oracle.mapped import MappedEvaluator
from tests.oracle.mapped_world import FIELDS, MAPPING, draw_mapped_world
from tests.oracle.serialisers import FRAMINGS, draw_spelling, needs_lines, spell
from tests.oracle.sigma import predicate_of_rule
from tests.oracle.strategies import draw_rule, rule_text
from tests.oracle.worlds import draw_event
from tests.parity.batches import make_file, minimise
from tests.parity.cases import Case, mapped_cases

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ORACLE = MappedEvaluator(MAPPING)


def is_bound(rule: Rule) -> bool:
    """True when the mapping can ask the rule."""
    try:
        check_bindable(rule.predicate, binder_of(MAPPING))
    except Unsupported:
        return False
    return True


def has_every_field(predicate: Predicate) -> bool:
    """True when the oracle knows every field of the predicate."""
    try:
        for leaf in leaves(predicate):
            if not isinstance(leaf, Keyword):
                ORACLE.paths(leaf.field)
            if isinstance(leaf, FieldRef):
                ORACLE.paths(leaf.other)
    except KeyError:
        return False
    return True


def drawn_rules(rng: random.Random, count: int) -> list[tuple[str, Rule, Predicate]]:
    """Return rules that can be asked on the mapping, with the oracle's reading of them."""
    world = draw_mapped_world(rng)
    kept: list[tuple[str, Rule, Predicate]] = []
    while len(kept) < count:
        text = draw_rule(rng, world, len(kept))
        try:
            rule = load_rule_text(text, "drawn.yml")
        except (ContentError, ContentErrors, Unsupported):
            continue
        predicate = predicate_of_rule(text)
        if is_bound(rule):
            assert has_every_field(predicate), text
            if not sieve_of([rule], MAPPING).unsieved or rng.random() < 0.3:
                kept.append((text, rule, predicate))
    return kept


@pytest.mark.parametrize("case", mapped_cases(), ids=lambda case: case.name)
def test_matcher_and_oracle_say_what_was_typed_by_hand(case: Case) -> None:
    predicate = predicate_of_rule(case.rule)
    assert {event: ORACLE.matches_text(predicate, event) for event in case.truths} == dict(case.truths), case.pins
    matcher = compile_rules([load_rule_text(case.rule, "case.yml")], MAPPING)
    assert {event: bool(matcher.match(parse_record(event.encode()).value)) for event in case.truths} == dict(case.truths), case.pins


@pytest.mark.parametrize("field", ["nowhere", "action.below", "count", "eventNames", "http"])
def test_a_field_that_the_mapping_does_not_define_is_refused(field: str) -> None:
    text = rule_text({"sel": {field: "x"}, "condition": "sel"}, 1)
    assert not is_bound(load_rule_text(text, "case.yml"))
    assert not has_every_field(predicate_of_rule(text))


@pytest.mark.parametrize("part", range(4))
def test_matcher_agrees_with_the_oracle_on_a_mapping(part: int) -> None:
    cells = true = 0
    for seed in range(10):
        rng = random.Random(f"mapped {part} {seed}")
        world = draw_mapped_world(rng)
        rules = drawn_rules(rng, 20)
        matcher = compile_rules([rule for _, rule, _ in rules], MAPPING)
        for _ in range(20):
            record = spell(rng, draw_event(rng, world), draw_spelling(rng, is_line=True))
            event = parse(record)
            truth = {number for number, (_, _, predicate) in enumerate(rules) if ORACLE.matches(predicate, event)}
            for number in sorted(truth ^ set(matcher.match(parse_record(record.encode()).value)))[:1]:
                pytest.fail(told(rules[number], record))
            cells += len(rules)
            true += len(truth)
    assert cells >= 4_000
    assert true >= cells // 20


def test_drawn_events_meet_and_miss_tests_on_what_their_texts_encode() -> None:
    """Each decoded field, and each way below one, is true of some events and false of others: else their agreement says little."""
    fields = [".".join(path) for path, _ in FIELDS if path[0].lower() == "decoded"]
    answers: dict[str, set[bool]] = {field: set() for field in fields}
    for seed in range(6):
        rng = random.Random(f"decoded {seed}")
        world = draw_mapped_world(rng)
        rules = [load_rule_text(rule_text({"sel": {f"{field}|exists": True}, "condition": "sel"}, 1), "exists.yml") for field in fields]
        matcher = compile_rules(rules, MAPPING)
        for _ in range(40):
            record = spell(rng, draw_event(rng, world), draw_spelling(rng, is_line=True))
            met = set(matcher.match(parse_record(record.encode()).value))
            for number, field in enumerate(fields):
                answers[field].add(number in met)
    assert {field for field, seen in answers.items() if len(seen) < 2} == set()


def test_files_engine_agrees_with_the_oracle_on_a_mapping_sieve_on_and_off(tmp_path: Path) -> None:
    """The sieve may use bytes only of fields that lie in the record as the rule sees them."""
    skimmed = cells = 0
    for seed in range(10):
        rng = random.Random(f"mapped files {seed}")
        world = draw_mapped_world(rng)
        rules = drawn_rules(rng, 12)
        framing = rng.choice(FRAMINGS)
        spelling = draw_spelling(rng, is_line=needs_lines(framing))
        records = [spell(rng, draw_event(rng, world), spelling) for _ in range(15)]
        folder = tmp_path / str(seed)
        folder.mkdir()
        make_file(rng, "drawn", framing, records).write(folder)
        events = [parse(record) for record in records]
        for drawn in rules:
            truth = {place for place, event in enumerate(events) if ORACLE.matches(drawn[2], event)}
            for options in (Options(), Options(use_hyperscan=False), Options(use_sieve=False)):
                found, passed_over = scanned(drawn[1], folder, options)
                skimmed += passed_over
                for place in sorted(truth ^ found)[:1]:
                    pytest.fail(f"{options}\n{records[place]}\n{told(drawn, records[place])}")
            cells += len(records)
    assert cells >= 1_800
    assert skimmed >= 200, "a sieve that lets everything through proves nothing"


def scanned(rule: Rule, folder: Path, options: Options) -> tuple[set[int], int]:
    """Return the records that a rule met in a folder, from 0, and how many were passed over unparsed."""
    program = Program([rule], mappings=(MAPPING,), mapping_of={rule.id: MAPPING}, options=options)
    found: set[int] = set()
    skimmed = 0
    for result in scan(discover([folder]).files, program, Scope(mapping=MAPPING, now=NOW)):
        assert result.account.is_balanced
        found |= {hit.event.place.ordinal - 1 for hit in result.hits}
        skimmed += result.account.record_counts[ByteClass.SKIMMED]
    return found, skimmed


def told(drawn: tuple[str, Rule, Predicate], record: str) -> str:
    """Return the smallest record on which the two differ, as a person wants to read it."""
    text, rule, predicate = drawn
    matcher = compile_rules([rule], MAPPING)

    def is_wrong(_: str, smaller: str) -> bool:
        return bool(matcher.match(parse_record(smaller.encode()).value)) != ORACLE.matches_text(predicate, smaller)

    small = minimise(text, record, is_wrong) if is_wrong(text, record) else record
    return f"{text}\n{small}\noracle: {ORACLE.matches_text(predicate, small)}"
