"""Case studies: would the rules have shown them, and why not."""

from __future__ import annotations

from collections.abc import Collection

from aibr_hunt.content.target import LogClass
from aibr_hunt.report.studies import Answer, StudyAnswer, count_answers, judge_studies
from aibr_hunt.report.techniques import KnownRule, Scope, Sight, cover
from tests.unit.coverage_samples import row, rule, studies, target

A = row("AML.T0040", "D", {"aws": ("bedrock-runtime:InvokeModel",)})
B = row("AML.T0051", "P", {"aws": ("bedrock-runtime:Converse",)})
HIDDEN = row("AML.T0016", "N")
WORLD = target(A, B, HIDDEN)
RULE_A = rule("finds_a", "atlas.aml.t0040", sources=("aws_cloudtrail",), requires=("aws.cloudtrail.management",))
RULE_B = rule("finds_b", "atlas.aml.t0051", sources=("aws_bedrock_invocation",), requires=("aws.bedrock.invocation_logging",))


def answer(ids: Collection[str], *rules: KnownRule, sight: Sight | None = None, scope: Scope = "all") -> StudyAnswer:
    (found,) = judge_studies(studies(CS0001=ids), cover(WORLD, rules, sight or Sight()), scope=scope)
    return found


def test_yes_needs_a_tested_rule_for_every_technique_that_logs_can_show() -> None:
    found = answer(["AML.T0016", "AML.T0040", "AML.T0051"], RULE_A, RULE_B)
    assert found.answer is Answer.YES
    assert found.why == "2 of 2 observable techniques with a tested rule; 1 of 3 techniques not observable."
    assert [each.name for each in found.rules] == ["finds_a", "finds_b"]
    assert (found.logs, found.switches) == (
        ("aws_bedrock_invocation", "aws_cloudtrail"),
        ("aws.bedrock.invocation_logging", "aws.cloudtrail.management"),
    )


def test_partly_names_what_has_no_rule() -> None:
    found = answer(["AML.T0040", "AML.T0051"], RULE_A)
    assert (found.answer, found.why) == (Answer.PARTLY, "1 of 2 observable techniques with a tested rule; no rule: AML.T0051.")


def test_no_when_no_rule_is_there() -> None:
    found = answer(["AML.T0040", "AML.T0051"])
    assert (found.answer, found.why) == (Answer.NO, "0 of 2 observable techniques with a tested rule; no rule: AML.T0040 and AML.T0051.")
    assert (found.rules, found.logs) == ((), ())


def test_no_when_no_log_shows_any_technique_whatever_rules_say() -> None:
    found = answer(["AML.T0016"], rule("claims", "atlas.aml.t0016"))
    assert (found.answer, found.why, found.rules) == (Answer.NO, "None of its 1 technique shows in logs of AI services.", ())


def test_a_rule_without_cases_that_hit_does_not_count() -> None:
    found = answer(["AML.T0040"], rule("draft", "atlas.aml.t0040", tested=False))
    assert (found.answer, found.steps[0].state) == (Answer.NO, "written")
    assert "a rule without cases that hit: AML.T0040" in found.why


def test_a_rule_whose_log_is_off_does_not_count() -> None:
    found = answer(["AML.T0040", "AML.T0051"], RULE_A, RULE_B, sight=Sight(off=frozenset({"aws.bedrock.invocation_logging"})))
    assert (found.answer, [step.state for step in found.steps]) == (Answer.PARTLY, ["tested", "blind"])
    assert "log off: AML.T0051" in found.why


def test_a_technique_that_nobody_classified_is_neither_shown_nor_missed() -> None:
    found = answer(["AML.T0040", "AML.T9999"], RULE_A)
    assert (found.answer, found.steps[1].log_class, found.steps[1].state) == (Answer.YES, None, "not classified")


def test_one_cloud_alone_sees_what_its_rules_see() -> None:
    assert answer(["AML.T0040"], RULE_A, scope="aws").answer is Answer.YES
    elsewhere = answer(["AML.T0040"], RULE_A, scope="gcp")
    assert (elsewhere.answer, elsewhere.steps[0].log_class) == (Answer.NO, LogClass.DATA)


def test_every_answer_is_counted_even_one_that_no_study_has() -> None:
    assert count_answers([answer(["AML.T0016"])]) == {Answer.YES: 0, Answer.PARTLY: 0, Answer.NO: 1}
