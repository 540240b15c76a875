"""What `rules check` asks of rules together: twins are found however they are written, and what is silenced by accident is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.content.checks import Finding
from aibr_hunt.content.corpus_checks import check_corpus
from aibr_hunt.testing import Bench
from tests.built_in import LIBRARY, rules_asked

HEAD = """\
id: {ident}
status: experimental
description: Says why.
author: a
date: '2026-01-01'
tags: [attack.impact]
level: {level}
"""
SOURCE = "logsource: {product: aws, service: cloudtrail}\n"
ONE = """\
detection:
  call: {eventSource: sagemaker.amazonaws.com, eventName: [DeleteModel, DeleteEndpoint], errorCode: null}
  condition: call
"""


def ident(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def rule(name: str, number: int, body: str = ONE, *, level: str = "medium", source: str = SOURCE) -> str:
    return f"title: {name}\nname: {name}\n{HEAD.format(ident=ident(number), level=level)}{source}{body}"


def correlation(name: str, number: int, body: str, *, level: str = "high") -> str:
    return f"title: {name}\nname: {name}\n{HEAD.format(ident=ident(number), level=level)}correlation: {body}\n"


def found(folder: Path, *documents: str, is_shipped: bool = True) -> list[tuple[str, str, Finding]]:
    """Return id, check and finding of everything that is found among the documents."""
    for number, document in enumerate(documents):
        (folder / f"r{number}.yml").write_text(document, encoding="utf-8")
    corpus = LIBRARY.load_rules([str(folder)])
    assert not corpus.refused
    told = check_corpus(corpus, mapping_for=LIBRARY.mapping_for, is_shipped=lambda _: is_shipped)
    return [(each, finding.check, finding) for each, findings in told.items() for finding in findings]


SAME = [
    ("another order", "call: {errorCode: null, eventName: [DeleteEndpoint, DeleteModel], eventSource: sagemaker.amazonaws.com}", "call"),
    (
        "another spelling of a field",
        "call: {EventSource: sagemaker.amazonaws.com, eventname: [DeleteModel, DeleteEndpoint], errorCode: null}",
        "call",
    ),
    ("other letters", "call: {eventSource: SageMaker.amazonaws.com, eventName: [deletemodel, deleteendpoint], errorCode: null}", "call"),
    (
        "several selections",
        """a: {eventSource: sagemaker.amazonaws.com}
  b: {eventName: DeleteModel}
  c: {eventName: DeleteEndpoint}
  d: {errorCode: null}""",
        "d and a and (c or b)",
    ),
    (
        "a negation moved",
        """a: {eventSource: sagemaker.amazonaws.com}
  b: {eventName: [DeleteModel, DeleteEndpoint]}
  d: {errorCode|exists: true}""",
        "a and b and not d",
    ),
]


def detection(selections: str, condition: str) -> str:
    return f"detection:\n  {selections}\n  condition: {condition}\n"


@pytest.mark.parametrize("body", [detection(*rest) for _, *rest in SAME], ids=[row[0] for row in SAME])
def test_a_rule_that_asks_the_same_is_a_twin_however_it_is_written(body: str, tmp_path: Path) -> None:
    ((who, check, finding),) = found(tmp_path, rule("one", 1), rule("two", 2, body))
    assert (who, check, finding.is_error) == (ident(2), "twin", True)
    assert "the rule one" in finding.what


def test_an_alias_is_the_field_that_it_stands_for(tmp_path: Path) -> None:
    one, two = (
        f"detection:\n  a: {{eventSource: s3.amazonaws.com, {field}: 192.0.2.1}}\n  condition: a\n"
        for field in ("sourceIPAddress", "sourceip")
    )
    assert [check for _, check, _ in found(tmp_path, rule("one", 1, one), rule("two", 2, two))] == ["twin"]


OTHER = [
    ("another event", ONE.replace("DeleteModel", "DeleteModelCard")),
    ("no test of the outcome", ONE.replace(", errorCode: null", "")),
    ("an exact comparison", ONE.replace("eventSource:", "eventSource|cased:")),
    ("a part of the text", ONE.replace("eventSource:", "eventSource|contains:")),
    (
        "an alternative",
        ONE.replace("errorCode: null}\n", "errorCode: null}\n  b: {awsRegion: eu-west-1}\n").replace(
            "condition: call", "condition: call or b"
        ),
    ),
]


@pytest.mark.parametrize("body", [body for _, body in OTHER], ids=[name for name, _ in OTHER])
def test_a_rule_that_asks_something_else_is_no_twin(body: str, tmp_path: Path) -> None:
    assert found(tmp_path, rule("one", 1), rule("two", 2, body)) == []


def test_a_rule_on_another_log_source_is_no_twin(tmp_path: Path) -> None:
    body = "detection:\n  a: {operationName: x-y-z}\n  condition: a\n"
    one = rule("one", 1, body, source="logsource: {product: azure, service: activitylogs}\n")
    two = rule("two", 2, body, source="logsource: {product: azure, service: auditlogs}\n")
    assert found(tmp_path, one, two) == []


def test_items_that_may_share_an_element_of_a_list_stay_together(tmp_path: Path) -> None:
    both = "requestParameters.tags.key: owner", "requestParameters.tags.value: nobody"
    apart = detection(f"a: {{{both[0]}}}\n  b: {{{both[1]}}}\n  c: {{eventSource: s3.amazonaws.com}}", "a and b and c")
    joined = detection(f"a: {{{', '.join(both)}, eventSource: s3.amazonaws.com}}", "a")
    assert found(tmp_path, rule("one", 1, apart), rule("two", 2, joined)) == []


COUNT = "{type: event_count, rules: [%s], group-by: [userIdentity.arn, awsRegion], timespan: 1h, condition: {gte: 5}, generate: true}"


def test_a_correlation_that_asks_the_same_of_a_twin_is_a_twin(tmp_path: Path) -> None:
    other = COUNT.replace("userIdentity.arn, awsRegion", "awsregion, useridentity.arn").replace("gte: 5", "gte: 5.0").replace("1h", "60m")
    told = found(tmp_path, rule("one", 1), rule("two", 2), correlation("c", 3, COUNT % "one"), correlation("d", 4, other % "two"))
    assert [(who, check) for who, check, _ in told] == [(ident(2), "twin"), (ident(4), "twin")]


@pytest.mark.parametrize(
    ("left", "right"), [("gte: 5", "gte: 6"), ("1h", "2h"), (", awsRegion", ""), ("event_count", "value_count"), ("gte: 5", "gt: 5")]
)
def test_a_correlation_that_differs_in_one_figure_is_no_twin(left: str, right: str, tmp_path: Path) -> None:
    other = COUNT.replace(left, right)
    if right == "value_count":
        other = other.replace("gte: 5", "gte: 5, field: sourceIPAddress")
    assert found(tmp_path, rule("one", 1), correlation("c", 3, COUNT % "one"), correlation("d", 4, other % "one")) == []


def test_order_makes_a_difference_in_what_is_ordered_only(tmp_path: Path) -> None:
    second = rule("two", 2, ONE.replace("DeleteModel", "DeleteModelCard"))
    bodies = [
        f"{{type: {kind}, rules: [{names}], group-by: [userIdentity.arn], timespan: 1h, generate: true}}"
        for kind in ("temporal", "temporal_ordered")
        for names in ("one, two", "two, one")
    ]
    told = found(tmp_path, rule("one", 1), second, *(correlation(f"c{number}", 10 + number, body) for number, body in enumerate(bodies)))
    assert [(who, check) for who, check, _ in told] == [(ident(11), "twin")]


def test_a_rule_that_only_serves_a_silent_correlation_is_named_with_it(tmp_path: Path) -> None:
    told = found(tmp_path, rule("one", 1), correlation("c", 3, (COUNT % "one").replace(", generate: true", "")))
    assert [(who, check) for who, check, _ in told] == [(ident(1), "silenced")]
    assert "only serves c" in told[0][2].what


@pytest.mark.parametrize("is_shipped", [True, False])
def test_what_is_found_is_an_error_of_shipped_content_and_advice_for_others(tmp_path: Path, *, is_shipped: bool) -> None:
    silencing = correlation("c", 3, (COUNT % "one").replace(", generate: true", ""))
    told = found(tmp_path, rule("one", 1), rule("two", 2), silencing, is_shipped=is_shipped)
    assert [finding.is_error for _, _, finding in told] == [is_shipped, is_shipped]


def test_a_building_block_may_be_silent(tmp_path: Path) -> None:
    silencing = correlation("c", 3, (COUNT % "one").replace(", generate: true", ""))
    assert found(tmp_path, rule("one", 1, level="informational"), silencing) == []


def test_a_rule_that_one_of_its_correlations_lets_speak_is_not_silenced(tmp_path: Path) -> None:
    quiet = correlation("d", 4, (COUNT % "one").replace(", generate: true", "").replace("gte: 5", "gte: 9"))
    assert found(tmp_path, rule("one", 1), correlation("c", 3, COUNT % "one"), quiet) == []


def test_the_built_in_rules_have_no_twin_and_none_is_silenced() -> None:
    bench = Bench()
    assert bench.check_corpus(rules_asked()) == {}


def test_a_folder_checked_alone_knows_that_others_let_its_rules_speak() -> None:
    bench = Bench()
    corpus = bench.library.load_rules(["shipped:aws/guardduty"])
    silent = {thing.name for thing in corpus.things if thing.id in corpus.silent and thing.level != "informational"}
    assert "aws_guardduty_switched_off" in silent
    assert bench.check_corpus(corpus) == {}
