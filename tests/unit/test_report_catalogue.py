"""A row of the catalogue says what a rule or correlation asks, where it belongs and what it needs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType, Operand, Threshold
from aibr_hunt.model.predicate import Predicate, Text, TextOp
from aibr_hunt.model.rule import LogSource, Rule
from aibr_hunt.model.technique import Technique
from aibr_hunt.report.catalogue import Entry, Kind, catalogue_text, counts_of, entries_of
from tests.built_in import LIBRARY

RULE = Rule(
    id="r",
    name="aws_x",
    title="Something | happened",
    path="shipped:aws/bedrock/aws_x.yml",
    text_digest="d",
    logsource=LogSource(product="aws", service="cloudtrail"),
    predicate=Text(field="eventName", op=TextOp.EQUALS, literal="x"),
    level="high",
    tags=("attack.impact", "attack.t1496.004", "attack.initial-access", "atlas.aml.t0034"),
    techniques=(Technique(framework="attack", id="T1496.004", name="n", tactics=("impact",), version="19"),),
    requires=("aws.cloudtrail.management",),
)
COUNT = Correlation(
    id="c",
    name="aws_y",
    title="Often",
    path="shipped:aws/sagemaker/aws_y.yml",
    text_digest="d",
    type=CorrelationType.EVENT_COUNT,
    operands=(Operand(name="aws_x", id="r"),),
    timespan_us=1,
    thresholds=(Threshold(comparison=Comparison.GTE, number=Decimal(2)),),
    requires=("aws.data",),
    level="medium",
)


def entries(*things: Rule | Correlation, silent: frozenset[str] = frozenset()) -> tuple[Entry, ...]:
    rules = tuple(thing for thing in things if isinstance(thing, Rule))
    correlations = tuple(thing for thing in things if isinstance(thing, Correlation))
    return entries_of(Corpus(rules=rules, correlations=correlations, silent=silent), mapping_for=LIBRARY.mapping_for)


def test_a_row_tells_place_tactics_techniques_and_logs() -> None:
    (entry,) = entries(RULE)
    assert (entry.cloud, entry.service, entry.kind) == ("aws", "bedrock", Kind.SINGLE)
    assert entry.tactics == ("impact", "initial-access")
    assert entry.techniques == ("T1496.004",)
    assert entry.logs == ("aws.cloudtrail.management",)


def test_a_correlation_needs_the_logs_of_its_rules_too() -> None:
    found = {entry.name: entry for entry in entries(RULE, COUNT)}
    assert found["aws_y"].logs == ("aws.data", "aws.cloudtrail.management")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (CorrelationType.EVENT_COUNT, Kind.THRESHOLD),
        (CorrelationType.VALUE_SUM, Kind.THRESHOLD),
        (CorrelationType.VALUE_PERCENTILE, Kind.THRESHOLD),
        (CorrelationType.TEMPORAL, Kind.TEMPORAL),
        (CorrelationType.TEMPORAL_ORDERED, Kind.ORDERED),
        (CorrelationType.FIRST_SEEN, Kind.BASELINE),
        (CorrelationType.RARE, Kind.BASELINE),
        (CorrelationType.SHARE, Kind.BASELINE),
        (CorrelationType.SPIKE, Kind.BASELINE),
    ],
)
def test_a_correlation_has_the_kind_of_its_type(kind: CorrelationType, told: Kind) -> None:
    assert {entry.kind for entry in entries(RULE, replace(COUNT, type=kind)) if entry.name == "aws_y"} == {told}


@pytest.mark.parametrize(
    ("service", "field", "told"),
    [
        ("bedrock_invocation", "prompt.text", Kind.CONTENT),
        ("bedrock_invocation", "modelId", Kind.SINGLE),
        ("bedrock_invocation", "no.such.field", Kind.SINGLE),
        ("cloudtrail", "requestParameters.prompt", Kind.SINGLE),
    ],
)
def test_a_rule_on_what_was_said_is_one_of_content(service: str, field: str, told: Kind) -> None:
    asked: Predicate = Text(field=field, op=TextOp.CONTAINS, literal="x")
    (entry,) = entries(replace(RULE, logsource=LogSource(product="aws", service=service), predicate=asked))
    assert entry.kind is told


def test_what_makes_no_leads_is_an_operand_whatever_it_asks() -> None:
    found = {entry.name: entry.kind for entry in entries(RULE, COUNT, silent=frozenset("r"))}
    assert found == {"aws_x": Kind.OPERAND, "aws_y": Kind.THRESHOLD}


def test_figures_leave_operands_out_of_levels_tactics_and_services() -> None:
    counts = counts_of(entries(RULE, COUNT, silent=frozenset("r")), ())
    assert counts["all"] == {"rules and correlations": 2, "that make leads": 1, "hunts": 0}
    assert counts["cloud"] == {"aws": 2}
    assert counts["service"] == {"aws/sagemaker": 1}
    assert counts["level"]["high"] == 0
    assert counts["tactic"] == {}


def test_bars_in_titles_do_not_break_the_table() -> None:
    text = catalogue_text(entries(RULE), (), command="write")
    assert "| `aws_x` | Something \\| happened | high | single event | T1496.004 | aws.cloudtrail.management |" in text


def test_a_rule_outside_of_folders_has_no_cloud() -> None:
    (entry,) = entries(replace(RULE, path="x.yml"))
    assert (entry.cloud, entry.service) == ("", "")
