"""What `rules check` asks of a correlation: its fields on each rule's log source, and its cases."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aibr_hunt.content.correlation_cases import load_correlation_cases
from aibr_hunt.content.correlation_checks import check_correlation, check_correlation_cases, check_fields
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.correlation import Comparison, Correlation, CorrelationType, KeyField, Operand, Threshold
from aibr_hunt.model.predicate import Exists
from aibr_hunt.model.rule import LogSource, Rule
from tests.built_in import LIBRARY

RULES = {
    ident: Rule(id=ident, name=ident, title="t", path="p", text_digest="d", logsource=source, predicate=Exists(field="eventName"))
    for ident, source in (
        ("a", LogSource(product="aws", service="cloudtrail")),
        ("b", LogSource(product="aws", service="bedrock_invocation")),
        ("free", LogSource(product="example")),
    )
}


def correlation(*rules: str, group_by: tuple[KeyField, ...] = (), **parts: object) -> Correlation:
    whole: dict[str, object] = {
        "id": "c",
        "name": "c",
        "title": "C",
        "path": "c.yml",
        "text_digest": "d",
        "type": CorrelationType.EVENT_COUNT,
        "operands": tuple(Operand(name=rule, id=rule) for rule in rules),
        "group_by": group_by,
        "timespan_us": 1,
        "thresholds": (Threshold(comparison=Comparison.GTE, number=Decimal(2)),),
    }
    return Correlation(**(whole | parts))  # type: ignore[arg-type] # each is what the attribute takes


def test_a_field_is_looked_up_in_the_log_source_of_each_rule() -> None:
    both = correlation("a", "b", group_by=(KeyField(name="userIdentity.arn"),))
    assert check_fields(both, RULES, mapping_for=LIBRARY.mapping_for) == ()
    aliased = correlation("a", "b", group_by=(KeyField(name="model", fields=(("a", "requestParameters.modelId"), ("b", "modelId"))),))
    assert check_fields(aliased, RULES, mapping_for=LIBRARY.mapping_for) == ()
    assert check_fields(correlation("free", group_by=(KeyField(name="anything"),)), RULES, mapping_for=LIBRARY.mapping_for) == ()


@pytest.mark.parametrize(
    ("field", "rules", "fault"),
    [
        (
            "sourceIPAdress",
            "a",
            "c.yml: field sourceIPAdress of a is not supported: the mapping aws_cloudtrail does not define it. Did you mean source",
        ),
        (
            "sourceIPAddress",
            "ab",
            "c.yml: field sourceIPAddress of b is not supported: the mapping aws_bedrock_invocation does not define it.",
        ),
        (
            "requestParameters",
            "a",
            "c.yml: field requestParameters of a is not supported: the field is an object, which has no key and is no number.",
        ),
    ],
)
def test_a_field_that_cannot_be_read_is_refused_by_name(field: str, rules: str, fault: str) -> None:
    with pytest.raises(Unsupported) as refused:
        check_fields(correlation(*rules, group_by=(KeyField(name=field),)), RULES, mapping_for=LIBRARY.mapping_for)
    assert str(refused.value).startswith(fault)


def test_a_value_field_and_a_population_are_looked_up_too() -> None:
    with pytest.raises(Unsupported, match="field modelId of a"):
        check_fields(
            correlation("b", values=(KeyField(name="modelId"),), population=Operand(name="a", id="a")),
            RULES,
            mapping_for=LIBRARY.mapping_for,
        )


def test_fields_of_an_inner_correlation_are_not_looked_up() -> None:
    outer = correlation(operands=(Operand(name="c2", id="c2", is_correlation=True),), group_by=(KeyField(name="anything"),))
    assert check_fields(outer, RULES, mapping_for=LIBRARY.mapping_for) == ()


def test_a_check_tells_metadata_tags_switches_and_fields() -> None:
    whole = correlation(
        "a", group_by=(KeyField(name="nope"),), tags=("attack.t0000",), requires=("aws.nope",), warnings=("id 'x' is no UUID",)
    )
    found = check_correlation(
        whole, RULES, mapping_for=LIBRARY.mapping_for, catalogue=LIBRARY.catalogue, switches=switches_of(LIBRARY.mappings)
    )
    assert [(each.check, each.is_error) for each in found] == [
        ("metadata", True),
        ("metadata", False),
        ("metadata", False),
        ("tags", True),
        ("requires", True),
        ("fields", True),
    ]


CASES = """\
cases:
  a: {hit: true, events: [{at: 0s, event: {}, deliveries: 2}], uncovered: [{from: -2s, to: -1s}]}
  b: {hit: true, events: []}
  c: {hit: false, events: []}
  d: {hit: false, events: []}
  e: {hit: false, events: []}
  f: {hit: false, events: []}
"""


def checked(tmp_path: Path, text: str, whole: Correlation | None = None, *, is_shipped: bool = True) -> list[str]:
    path = tmp_path / "c.tests.yaml"
    path.write_text(text, encoding="utf-8")
    found = check_correlation_cases(whole or correlation("a"), load_correlation_cases(path), is_shipped=is_shipped)
    return [f"{each.check}{'' if each.is_error else '?'}: {each.what}" for each in found]


def test_cases_that_are_enough_have_no_finding(tmp_path: Path) -> None:
    assert checked(tmp_path, CASES) == []


def test_what_the_cases_lack_is_named(tmp_path: Path) -> None:
    few = "correlation: other\ncases:\n  a: {hit: true, events: []}\n  c: {hit: false, events: []}\n"
    assert checked(tmp_path, few) == [
        "cases: its cases name the correlation other.",
        "cases: has 1 hit, 2 are needed.",
        "cases: has 1 misses, 4 are needed.",
        "redelivery?: no case delivers an event twice.",
    ]
    assert "cases: has 1 misses, 3 are needed." in checked(tmp_path, few, is_shipped=False)


@pytest.mark.parametrize("kind", [CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.SPIKE])
def test_what_rests_on_absence_should_have_a_hole_in_its_cases(tmp_path: Path, kind: CorrelationType) -> None:
    without = CASES.replace(", uncovered: [{from: -2s, to: -1s}]", "")
    whole = correlation("a", type=kind, population=Operand(name="a", id="a"))
    assert checked(tmp_path, without, whole) == ["coverage?: rests on absence, and no case has an uncovered span."]
    assert checked(tmp_path, CASES, whole) == []


def test_at_most_two_mutants_may_be_called_equivalent(tmp_path: Path) -> None:
    rows = "".join(f"  - {{mutant: m{number}, why: w}}\n" for number in range(3))
    assert checked(tmp_path, f"{CASES}equivalent:\n{rows}") == ["mutation: lists 3 equivalent mutants, at most 2 are allowed."]


@pytest.mark.parametrize("is_shipped", [True, False])
def test_a_correlation_without_cases_is_named(*, is_shipped: bool) -> None:
    [found] = check_correlation_cases(correlation("a"), None, is_shipped=is_shipped)
    assert (found.check, found.is_error) == ("cases", is_shipped)
