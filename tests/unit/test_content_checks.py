"""What `rules check` asks of a rule: each check fires on what it is for, and is silent on a rule without fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aibr_hunt.content.cases import Case, CaseFile
from aibr_hunt.content.catalogue import Catalogue, load_catalogue
from aibr_hunt.content.checks import Finding, Score, check_cases, check_rule, mutation_score
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldSpec, LogSwitch, Mapping
from aibr_hunt.model.predicate import And, Exists, Keyword, Not, Or, Predicate, Regex, Star, Text, TextOp, Together
from aibr_hunt.model.rule import LogSource, Rule

CLOUDTRAIL = LogSource(product="aws", service="cloudtrail")
MAPPING = Mapping(
    name="aws_cloudtrail",
    logsource=CLOUDTRAIL,
    provider="aws",
    identity=(("id",),),
    time=("t",),
    fields=(
        FieldSpec(name="eventName", paths=(("eventName",),)),
        FieldSpec(name="eventSource", paths=(("eventSource",),)),
        FieldSpec(name="errorCode", paths=(("errorCode",),)),
        FieldSpec(name="requestParameters", paths=(("requestParameters",),), is_open=True, is_object=True),
    ),
    aliases=(("event_name", "eventName"),),
    misspelt=("event_name",),
)
OTHER = replace(MAPPING, name="other", logsource=LogSource(product="other"))
SWITCHES = {"aws.cloudtrail.management": LogSwitch(id="aws.cloudtrail.management", is_on_by_default=True, what="w", how="h")}


def text(field: str, literal: str, op: TextOp = TextOp.EQUALS) -> Text:
    return Text(field=field, op=op, literal=literal)


NAME, SOURCE = text("eventName", "DeleteGuardrail"), text("eventSource", "bedrock.amazonaws.com")
SUCCESS = Not(item=Exists(field="errorCode"))
BOTH = Together(items=(("eventSource", SOURCE), ("eventName", NAME)))
GOOD = Rule(
    id="00000000-0000-4000-8000-000000000001",
    name="good",
    title="Good",
    path="good.yml",
    text_digest="d",
    logsource=CLOUDTRAIL,
    predicate=BOTH,
    description="Says why.",
    falsepositives=("None known.",),
    tags=("attack.defense-impairment", "attack.t1685"),
    requires=("aws.cloudtrail.management",),
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The shipped ATT&CK and ATLAS."""
    return load_catalogue(Path(__file__).resolve().parents[2] / "mappings")


def checked(rule: Rule, catalogue: Catalogue, mapping: Mapping | None = MAPPING) -> tuple[Finding, ...]:
    return check_rule(rule, mapping, catalogue=catalogue, switches=SWITCHES)


def test_a_rule_without_fault_is_let_be(catalogue: Catalogue) -> None:
    assert checked(GOOD, catalogue) == ()


RULES: list[tuple[str, Rule, str, str, bool]] = [
    ("a warning of the parser", replace(GOOD, warnings=("id 'x' is no UUID",)), "metadata", "id 'x' is no UUID.", True),
    ("no description", replace(GOOD, description=""), "metadata", "has no description.", False),
    ("no false positives", replace(GOOD, falsepositives=()), "metadata", "has no falsepositives.", False),
    ("no tags", replace(GOOD, tags=()), "metadata", "has no tags.", False),
    ("an unknown technique", replace(GOOD, tags=("attack.t9999",)), "tags", "attack.t9999", True),
    ("an unknown switch", replace(GOOD, requires=("aws.nope",)), "requires", "requires the unknown log switch aws.nope.", True),
    ("an unknown field", replace(GOOD, predicate=And(items=(BOTH, text("eventNam", "x")))), "fields", "Did you mean eventName?", True),
    (
        "a misspelt field",
        replace(GOOD, predicate=And(items=(SOURCE, text("event_name", "DeleteGuardrail")))),
        "fields",
        "known misspelling",
        False,
    ),
    (
        "a test an object cannot answer",
        replace(GOOD, predicate=And(items=(BOTH, text("requestParameters", "x")))),
        "fields",
        "equals on",
        True,
    ),
    ("no event source", replace(GOOD, predicate=NAME), "eventsource", "names no eventSource", True),
    (
        "an event source under not",
        replace(GOOD, predicate=And(items=(NAME, Not(item=SOURCE)))),
        "eventsource",
        "names no eventSource",
        True,
    ),
    ("an event source in one alternative", replace(GOOD, predicate=Or(items=(BOTH, NAME))), "eventsource", "names no eventSource", True),
    ("no literal to look for", replace(GOOD, predicate=text("eventSource", "s3")), "sieve", "has an empty sieve", True),
    (
        "nothing but an absence",
        replace(GOOD, predicate=And(items=(Not(item=NAME), text("eventsource", "")))),
        "sieve",
        "has an empty sieve",
        True,
    ),
]


@pytest.mark.parametrize(("rule", "check", "what", "is_error"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_a_check_fires_on_what_it_is_for_and_no_other_does(
    rule: Rule, check: str, what: str, catalogue: Catalogue, *, is_error: bool
) -> None:
    found = checked(rule, catalogue)
    assert [(each.check, each.is_error) for each in found] == [(check, is_error)]
    assert what in found[0].what
    assert found[0].rule == "good.yml"


@pytest.mark.parametrize(
    "predicate",
    [
        And(items=(NAME, SOURCE)),
        Or(items=(And(items=(SOURCE, NAME)), And(items=(SOURCE, SUCCESS)))),
        Or(items=(SOURCE, text("EVENTSOURCE", "s3.amazonaws.com"))),
        And(items=(text("eventSource", "bedrock", TextOp.STARTSWITH), NAME)),
    ],
    ids=str,
)
def test_an_event_source_is_named_when_every_way_to_match_names_one(predicate: Predicate, catalogue: Catalogue) -> None:
    assert checked(replace(GOOD, predicate=predicate), catalogue) == ()


def test_only_cloudtrail_rules_are_asked_for_an_event_source(catalogue: Catalogue) -> None:
    assert checked(replace(GOOD, predicate=NAME), catalogue, OTHER) == ()


def test_a_log_source_without_a_mapping_is_said(catalogue: Catalogue) -> None:
    [found] = checked(replace(GOOD, predicate=NAME), catalogue, None)
    assert (found.check, found.is_error) == ("fields", False)
    assert found.what == "no mapping serves the log source aws/cloudtrail: fields are taken as written."


# --- cases -------------------------------------------------------------------------------------------------------------------------

HIT: dict[str, Json] = {"eventName": "DeleteGuardrail", "eventSource": "bedrock.amazonaws.com", "who": {"arn": "a", "tags": [1, 2]}}


def hit(name: str, event: Json) -> Case:
    return Case(name=name, hit=True, event=event)


def miss(name: str, event: Json) -> Case:
    return Case(name=name, hit=False, event=event)


CASES = CaseFile(
    rule="good",
    path="good.tests.yaml",
    cases=(
        hit("one", HIT),
        hit("two", HIT | {"who": {"arn": "b"}}),
        miss("other_call", HIT | {"eventName": "GetGuardrail"}),
        miss("other_service", HIT | {"eventSource": "s3.amazonaws.com"}),
        miss("no_name", {name: value for name, value in HIT.items() if name != "eventName"}),
        miss("no_source", {name: value for name, value in HIT.items() if name != "eventSource"}),
    ),
    equivalent={},
)


def with_cases(*cases: Case) -> CaseFile:
    return replace(CASES, cases=cases)


def test_good_cases_are_let_be() -> None:
    assert check_cases(GOOD, CASES, MAPPING, is_shipped=True) == ()


@pytest.mark.parametrize("is_shipped", [True, False])
def test_a_rule_without_cases_is_a_fault_of_shipped_rules_and_advice_to_others(*, is_shipped: bool) -> None:
    [found] = check_cases(GOOD, None, MAPPING, is_shipped=is_shipped)
    assert (found.check, found.is_error) == ("cases", is_shipped)
    assert found.what == "has no cases: write <name>.tests.yaml beside it."


NEGATED = replace(GOOD, predicate=And(items=(BOTH, Not(item=Or(items=(text("errorCode", "x"), Not(item=text("who", "y"))))))))
SHARED: list[tuple[str, Rule, CaseFile, str, str]] = [
    ("another rule's cases", GOOD, replace(CASES, rule="bad"), "cases", "its cases name the rule bad."),
    ("one hit", GOOD, with_cases(CASES.cases[0], *CASES.cases[2:]), "cases", "has 1 hit, 2 are needed."),
    ("too few near misses", GOOD, with_cases(*CASES.cases[:5]), "cases", "has 3 near misses, 4 are needed."),
    (
        "a miss that differs in two places",
        GOOD,
        with_cases(*CASES.cases, miss("far", HIT | {"eventName": "x", "who": "y"})),
        "near-miss",
        "case far differs from every hit in more than one place.",
    ),
    (
        "a miss that is a hit's copy",
        GOOD,
        with_cases(*CASES.cases, miss("same", HIT)),
        "near-miss",
        "case same differs from every hit",
    ),
    (
        "an absent field untested",
        NEGATED,
        with_cases(*(replace(each, event={**each.event, "errorCode": "z"}) for each in CASES.cases if isinstance(each.event, dict))),
        "absent",
        "no case leaves out errorCode, which the rule tests under not.",
    ),
    (
        "three equivalent mutants",
        GOOD,
        replace(CASES, equivalent={"a": "x", "b": "x", "c": "x"}),
        "mutation",
        "lists 3 equivalent mutants, at most 2 are allowed.",
    ),
]


@pytest.mark.parametrize(("rule", "cases", "check", "what"), [row[1:] for row in SHARED], ids=[row[0] for row in SHARED])
def test_a_check_of_the_cases_fires_on_what_it_is_for_and_no_other_does(rule: Rule, cases: CaseFile, check: str, what: str) -> None:
    found = check_cases(rule, cases, MAPPING, is_shipped=True)
    assert [(each.check, each.is_error) for each in found] == [(check, True)]
    assert found[0].what.startswith(what)


def test_three_near_misses_are_enough_for_a_rule_of_one_s_own() -> None:
    assert check_cases(GOOD, with_cases(*CASES.cases[:5]), MAPPING, is_shipped=False) == ()


@pytest.mark.parametrize(
    "changed",
    [
        HIT | {"new": 1},
        HIT | {"who": {"arn": "c", "tags": [1, 2]}},
        HIT | {"who": {"arn": "a", "tags": [1, 3]}},
        HIT | {"who": {"arn": "a", "tags": [1]}},
        HIT | {"who": {"arn": "a", "tags": [1, True]}},
        HIT | {"who": {"arn": "a"}},
    ],
    ids=repr,
)
def test_one_place_is_a_member_at_any_depth(changed: Json) -> None:
    cases = with_cases(*CASES.cases, miss("near", changed))
    assert [each for each in check_cases(GOOD, cases, MAPPING, is_shipped=True) if each.check == "near-miss"] == []


def test_a_field_is_under_not_only_when_an_odd_number_of_nots_lies_above_it() -> None:
    twice = replace(
        GOOD, predicate=And(items=(BOTH, Not(item=Not(item=text("errorCode", "x"))), Not(item=Keyword(pattern=(Star.ANY, "x", Star.ANY)))))
    )
    there = with_cases(*(replace(each, event={**each.event, "errorCode": "z"}) for each in CASES.cases if isinstance(each.event, dict)))
    assert [each for each in check_cases(twice, there, MAPPING, is_shipped=True) if each.check == "absent"] == []


def test_a_negated_field_of_one_selection_is_asked_for_too() -> None:
    shared = replace(GOOD, predicate=Together(items=(("eventName", NAME), ("errorCode", Not(item=text("errorCode", "x"))))))
    there = with_cases(*(replace(each, event={**each.event, "errorCode": "z"}) for each in CASES.cases if isinstance(each.event, dict)))
    assert "absent" in [each.check for each in check_cases(shared, there, MAPPING, is_shipped=True)]


def test_a_negated_field_that_the_mapping_does_not_define_is_the_other_check_s_matter() -> None:
    unknown = replace(GOOD, predicate=And(items=(BOTH, Not(item=text("nowhere", "x")))))
    assert check_cases(unknown, CASES, MAPPING, is_shipped=True) == ()


# --- mutation ----------------------------------------------------------------------------------------------------------------------

SURVIVORS = ("contains for eventName equals 'DeleteGuardrail'", "startswith for eventName equals 'DeleteGuardrail'")


def test_mutants_that_no_case_notices_survive_by_name() -> None:
    score = mutation_score(GOOD, CASES, MAPPING)
    assert set(SURVIVORS) <= set(score.survivors)
    assert (score.total, score.killed) == (11, 11 - len(score.survivors))
    assert score.value == score.killed / 11


def test_more_cases_notice_more_mutants() -> None:
    more = [HIT | {name: value} for name in ("eventName", "eventSource") for value in (f"{HIT[name]}x", f"x{HIT[name]}", f"x{HIT[name]}x")]
    cases = with_cases(*CASES.cases, *(miss(f"more{number}", event) for number, event in enumerate(more)))
    assert mutation_score(GOOD, cases, MAPPING) == Score(killed=11, total=11)


def test_equivalent_mutants_do_not_count() -> None:
    before = mutation_score(GOOD, CASES, MAPPING)
    after = mutation_score(GOOD, replace(CASES, equivalent=dict.fromkeys(SURVIVORS, "why")), MAPPING)
    assert (after.total, after.killed) == (before.total - 2, before.killed)


def test_a_mutant_that_the_mapping_cannot_answer_is_noticed() -> None:
    """equals for contains cannot be asked of an object."""
    on_object = replace(GOOD, predicate=text("requestParameters", "secret", TextOp.CONTAINS))
    score = mutation_score(on_object, with_cases(hit("hit", {"requestParameters": {"a": "secret"}})), MAPPING)
    assert score == Score(killed=4, total=4)


def test_a_rule_that_the_mapping_cannot_answer_has_no_score() -> None:
    with pytest.raises(Unsupported, match="field nowhere"):
        mutation_score(replace(GOOD, predicate=Regex(field="nowhere", pattern="x")), CASES, MAPPING)


def test_no_mutants_is_a_full_score() -> None:
    assert Score(killed=0, total=0).value == 1.0
