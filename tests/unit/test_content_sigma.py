"""Sigma documents as rules and filters: what is kept, what is refused by name, and that every fault is shown."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aibr_hunt.content.catalogue import load_catalogue
from aibr_hunt.content.sigma import Filter, apply_filters, load_rule_text, read_sigma_text
from aibr_hunt.errors import AibrError, ContentErrors, Unsupported
from aibr_hunt.model.predicate import And, Not, Text, TextOp
from aibr_hunt.model.rule import LogSource, Rule

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
ID = "00000000-0000-4000-8000-00000000000a"
FULL = f"""\
title: Guardrail deleted
id: {ID.upper()}
name: guardrail_deleted
status: experimental
description: |
  Two lines
  of text.
author: Somebody
date: 2026-01-02
references: [https://example.com/a]
tags: [Attack.T1685, attack.defense-impairment, atlas.aml.t0054, x.y]
logsource: {{product: AWS, service: CloudTrail, definition: on}}
detection:
  sel: {{eventName: DeleteGuardrail}}
  condition: sel
falsepositives: one text
fields: [eventName]
level: HIGH
requires: [aws.cloudtrail.management]
triage: [Who?, null, When?]
preserve_first: [versions]
evades: [update]
synthetic: schema-only
regression_tests_path: other.tests.yaml
custom: {{anything: goes}}
"""
RULE = """\
title: {title}
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection: {{sel: {{f: x}}, condition: sel}}
"""


def rule_of(text: str, path: str = "folder/example.yml") -> Rule:
    return load_rule_text(text, path)


def faults(text: str) -> list[str]:
    """Every sentence by which the documents of a text are refused."""
    try:
        refusals: tuple[AibrError, ...] = read_sigma_text(text, "rule.yml").faults
    except ContentErrors as whole:
        refusals = (whole,)
    assert refusals
    return [str(each) for fault in refusals for each in (fault.errors if isinstance(fault, ContentErrors) else (fault,))]


def simple(title: str = "A", number: int = 1) -> str:
    return RULE.format(title=title, id=f"00000000-0000-4000-8000-{number:012d}")


# --- what is kept ------------------------------------------------------------------------------------------------------------------


def test_everything_an_author_wrote_is_kept() -> None:
    rule = load_rule_text(FULL.replace("definition: on", "definition: 'on'"), "folder/file.yml", catalogue=load_catalogue(MAPPINGS))
    assert (rule.id, rule.name, rule.title, rule.path) == (ID, "guardrail_deleted", "Guardrail deleted", "folder/file.yml")
    assert (rule.status, rule.level, rule.author, rule.date) == ("experimental", "high", "Somebody", "2026-01-02")
    assert rule.logsource == LogSource(product="aws", service="cloudtrail")
    assert rule.description == "Two lines\nof text."
    assert rule.tags == ("attack.t1685", "attack.defense-impairment", "atlas.aml.t0054", "x.y")
    assert [technique.id for technique in rule.techniques] == ["T1685", "AML.T0054"]
    assert (rule.falsepositives, rule.references, rule.fields) == (("one text",), ("https://example.com/a",), ("eventName",))
    assert (rule.requires, rule.triage) == (("aws.cloudtrail.management",), ("Who?", "When?"))
    assert (rule.preserve_first, rule.evades, rule.synthetic) == (("versions",), ("update",), "schema-only")
    assert rule.tests_path == "other.tests.yaml"
    assert rule.warnings == ()


def test_a_rule_that_says_only_what_it_must_is_complete() -> None:
    rule = rule_of("logsource: {category: x}\ndetection: {sel: {f: x}, condition: sel}\n")
    assert rule.id == f"sha256:{rule.text_digest}"
    assert (rule.name, rule.title, rule.level, rule.status, rule.tags) == ("example", "(no title)", "medium", "", ())
    assert rule.warnings == ("has no id; the digest of its text stands for it",)


@pytest.mark.parametrize(
    ("path", "name"), [("a/b.yml", "b"), ("b.yaml", "b"), ("shipped:x/b.yml", "b"), ("b.yml.yaml", "b.yml"), ("b", "b")]
)
def test_a_rule_without_a_name_is_called_after_its_file(path: str, name: str) -> None:
    assert rule_of(simple(), path).name == name


def test_the_digest_of_a_rule_is_that_of_its_own_document() -> None:
    first, second = simple("A", 1), simple("B", 2)
    rules = read_sigma_text(f"{first}---\n{second}", "two.yml").rules
    assert [rule.text_digest for rule in rules] == [hashlib.sha256(text.encode()).hexdigest() for text in (first, second)]
    assert rule_of(first).text_digest == rules[0].text_digest


def test_json_is_yaml() -> None:
    text = '{"title":"t","logsource":{"product":"p"},"detection":{"sel":{"f":"x"},"condition":"sel"}}'
    assert rule_of(text).predicate == Text(field="f", op=TextOp.EQUALS, literal="x")


def test_what_nothing_depends_on_is_read_leniently_with_a_warning() -> None:
    rule = rule_of(simple().replace("00000000-0000-4000-8000-000000000001", "my-rule") + "level: hihg\nstatus: odd\n")
    assert rule.id == "my-rule"
    assert (rule.level, rule.status) == ("medium", "")
    assert rule.warnings == (
        "id 'my-rule' is no UUID",
        "status 'odd' is not one of stable, test, experimental, deprecated, unsupported",
        "level 'hihg' is not one of informational, low, medium, high, critical (did you mean high?)",
    )


def test_warnings_are_no_part_of_a_rule_s_value() -> None:
    assert rule_of(simple()) == rule_of(simple())
    assert rule_of(simple() + "level: medium\n").text_digest != rule_of(simple() + "level: mediun\n").text_digest


def test_keys_of_others_are_let_be() -> None:
    assert rule_of(simple() + "x-vendor: 1\nmitre: z\n").title == "A"


# --- documents ---------------------------------------------------------------------------------------------------------------------


def test_a_file_may_hold_rules_and_filters_and_empty_documents() -> None:
    filter_text = "title: F\nlogsource: {product: aws}\nfilter: {rules: any, sel: {f: 'y'}, condition: not sel}\n"
    read = read_sigma_text(f"---\n{simple('A', 1)}---\n{filter_text}---\n---\n{simple('B', 2)}---\n", "many.yml")
    assert [rule.title for rule in read.rules] == ["A", "B"]
    assert [each.label for each in read.filters] == ["F"]


def test_one_rule_is_asked_for_and_one_is_given() -> None:
    with pytest.raises(ContentErrors, match="holds 2 rules, one was expected"):
        rule_of(f"{simple('A', 1)}---\n{simple('B', 2)}")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"], ids=repr)
def test_a_file_without_a_rule_is_refused(text: str) -> None:
    assert faults(text) == ["rule.yml:1: holds no Sigma rule."]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "5\n"], ids=repr)
def test_a_document_that_is_no_map_is_refused(text: str) -> None:
    assert faults(text) == ["rule.yml:1: is no Sigma rule: the document is not a map of title, logsource, detection."]


# --- refusals ----------------------------------------------------------------------------------------------------------------------

BODIES: list[tuple[str, str]] = [
    (simple() + "action: global\n", "rule.yml:5: action is not supported: Sigma 2 has no rule collections with global parts."),
    ("title: C\ncorrelation: {type: event_count}\n", "rule.yml:2: event_count needs rules. Add `rules: [name_of_a_rule]`."),
    (simple().replace("logsource", "logsorce"), "rule.yml:3: has the unknown key 'logsorce'. Did you mean logsource?"),
    (simple().replace("detection", "detections"), "rule.yml:4: has the unknown key 'detections'. Did you mean detection?"),
    (simple() + "falsepositive: x\n", "rule.yml:5: has the unknown key 'falsepositive'. Did you mean falsepositives?"),
    (simple().replace("product: aws", "produkt: aws"), "rule.yml:3: logsource has the unknown key 'produkt'. Did you mean product?"),
    (
        "title: x\ndetection: {sel: {f: x}, condition: sel}\n",
        "rule.yml:1: has no logsource. Add `logsource: {product: aws, service: cloudtrail}`",
    ),
    ("title: x\nlogsource: {}\ndetection: {sel: {f: x}, condition: sel}\n", "rule.yml:2: has no logsource."),
    ("title: x\nlogsource: aws\ndetection: {sel: {f: x}, condition: sel}\n", "rule.yml:2: has no logsource."),
    ("title: x\nlogsource: {product: x}\n", "rule.yml:1: has no detection. Add a `detection:` map with a selection and a condition."),
    ("title: x\nlogsource: {product: x}\ndetection: [a]\n", "rule.yml:3: has no detection."),
    (simple().replace("f: x", "f: x, f: z"), "rule.yml:4: repeats the key 'f': YAML would keep only the last."),
    (simple().replace("f: x", "f: 012345678901"), "rule.yml:4: has the unquoted value 012345678901: a number with a leading zero is octal"),
    (
        simple().replace("f: x", "f: no"),
        "rule.yml:4: has the unquoted value no: YAML 1.1 reads it as true or false. Write 'no' to mean the text.",
    ),
]


@pytest.mark.parametrize(("text", "fault"), BODIES, ids=[f"{number} {fault[:50]}" for number, (_, fault) in enumerate(BODIES)])
def test_what_is_wrong_is_named_with_its_line_and_what_to_do(text: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(text)), faults(text)


def test_all_faults_of_all_documents_are_shown_together() -> None:
    first = simple().replace("f: x", "f|contans: x") + "falsepositive: x\n"
    found = faults(f"{first}---\ntitle: C\ncorrelation: {{}}\n---\n{simple()}levle: low\n")
    assert [fault.split(" ", 1)[0] for fault in found] == ["rule.yml:5:", "rule.yml:4:", "rule.yml:8:", "rule.yml:14:"]


def test_a_lone_refusal_keeps_its_name_for_machines() -> None:
    with pytest.raises(Unsupported) as refused:
        rule_of(simple() + "action: global\n")
    assert (refused.value.construct, refused.value.place) == ("action", "folder/example.yml:5")


# --- filters -----------------------------------------------------------------------------------------------------------------------

FILTER = """\
title: Not the pipeline
id: 00000000-0000-4000-8000-0000000000ff
logsource: {logsource}
filter:
  rules: {rules}
  pipeline: {{user: pipeline}}
  condition: {condition}
"""
NOT_PIPELINE = Not(item=Text(field="user", op=TextOp.EQUALS, literal="pipeline"))


def filter_of(rules: str = "any", logsource: str = "{product: aws}", condition: str = "not pipeline") -> Filter:
    [found] = read_sigma_text(FILTER.format(rules=rules, logsource=logsource, condition=condition), "filter.yml").filters
    return found


@pytest.mark.parametrize(
    ("rules", "applies"),
    [
        ("any", True),
        ("ANY", True),
        ("[]", True),
        (ID, True),
        (f"[other, {ID}]", True),
        (f"[{ID.upper()}]", True),
        ("[example]", True),
        ("[Example]", False),
        ("[other]", False),
    ],
)
def test_a_filter_names_rules_by_id_without_case_or_by_name(rules: str, *, applies: bool) -> None:
    rule = rule_of(simple().replace("00000000-0000-4000-8000-000000000001", ID))
    assert filter_of(rules).applies_to(rule) is applies


@pytest.mark.parametrize(
    ("logsource", "applies"),
    [
        ("{product: aws}", True),
        ("{product: AWS, service: CloudTrail}", True),
        ("{service: cloudtrail}", True),
        ("{product: azure}", False),
        ("{product: aws, category: x}", False),
    ],
)
def test_a_filter_applies_to_rules_of_its_log_source(logsource: str, *, applies: bool) -> None:
    assert filter_of(logsource=logsource).applies_to(rule_of(simple())) is applies


def test_filters_join_the_rule_s_condition_in_their_order() -> None:
    rule = rule_of(simple())
    other = Filter(label="other", path="o.yml", logsource=LogSource(product="gcp"), rules=(), predicate=rule.predicate)
    second = Filter(label="second", path="s.yml", logsource=LogSource(), rules=(), predicate=rule.predicate)
    [filtered] = apply_filters([rule], [filter_of(), other, second])
    assert filtered.predicate == And(items=(And(items=(rule.predicate, NOT_PIPELINE)), rule.predicate))
    assert filtered.filters == ("00000000-0000-4000-8000-0000000000ff", "second")
    assert apply_filters([rule], []) == (rule,)


def test_a_filter_that_does_not_say_what_it_filters_is_refused() -> None:
    text = FILTER.format(rules="any", logsource="{product: aws}", condition="not pipeline").replace("  rules: any\n", "")
    assert faults(text) == ["rule.yml:4: the filter does not say which rules it filters. Add `rules: any` or a list of rule ids or names."]


def test_faults_inside_a_filter_have_their_lines() -> None:
    assert faults(FILTER.format(rules="any", logsource="{product: aws}", condition="not pipelin")) == [
        "rule.yml:7: condition names 'pipelin', which is no selection. Did you mean pipeline?"
    ]
