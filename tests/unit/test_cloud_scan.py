"""A Source is asked: what is found, and of each rule over each minute whether it was looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.protocol import AccessRefused, Estimate, NotThere, OverBudget, PartialResult, TooComplex, Watch
from aibr_hunt.engines.cloud.scan import Findings, SourceScan
from aibr_hunt.engines.files import FileResult
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.job import JobState, Price
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.unit.cloud_samples import LAYOUT, SOURCE, START, TRAIL, ScriptedEngine, record, rules_in

DAY = Window(start=START, end=START + timedelta(days=1))
LATER = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = [
    "aws_bedrock_guardrail_deleted",
    "aws_bedrock_guardrail_weakened",
    "aws_bedrock_invocation_logging_removed",
    "aws_cloudtrail_trail_stopped_or_narrowed",
    "aws_iam_access_key_created_for_other_user",
    "aws_bedrock_model_access_enabled",
]
RULES = LIBRARY.load_rules([f"shipped:{name}" for name in NAMES]).rules


def scan_of(
    engine: ScriptedEngine, *, rules: Sequence[Rule] = RULES, window: Window = DAY, ceilings: Ceilings | None = None, **around: object
) -> SourceScan:
    part = Part(rules, TRAIL, Options())
    budget = Budget(ceilings or Ceilings())
    return SourceScan(SOURCE, engine, part, window, Surroundings(run="R-1", clock=lambda: LATER, budget=budget, **around))  # type: ignore[arg-type] # a test's shorthand


def asked(engine: ScriptedEngine, **how: object) -> tuple[list[FileResult], Findings]:
    scan = scan_of(engine, **how)  # type: ignore[arg-type] # a test's shorthand
    results = list(scan.results())
    assert all(result.account.is_balanced for result in results)
    return results, scan.findings


def events(results: Sequence[FileResult]) -> list[str]:
    return sorted(hit.event.identity.key[-12:] for result in results for hit in result.hits)


def covers_each_rule_once(findings: Findings, rules: Sequence[Rule] = RULES, window: Window = DAY) -> bool:
    """True when the claims of each rule share the window out without a hole and without an overlap."""
    for rule in rules:
        spans = sorted((claim.window.start, claim.window.end) for claim in findings.claims if rule.id in claim.rules)
        if spans[0][0] != window.start or spans[-1][1] != window.end or any(a[1] != b[0] for a, b in pairwise(spans)):
            return False
    return True


FOUR = [record(number, at=timedelta(hours=6 * number)) for number in range(4)]


def test_many_rules_are_one_program_and_every_row_is_matched() -> None:
    engine = ScriptedEngine([*FOUR, record(9, at=timedelta(hours=3), name="GetGuardrail")])
    results, findings = asked(engine)
    assert events(results) == [f"{number:012}" for number in range(4)]
    (job,) = findings.jobs
    assert (job.state, job.rows, job.counted_rows, len(job.rules)) == (JobState.DONE, 5, 5, len(RULES))
    assert {claim.state for claim in findings.claims} == {CoverageState.SETTLED}
    assert covers_each_rule_once(findings)
    (result,) = results
    assert result.account.path == "athena:trail/job-1"
    assert {hit.event.place.file_digest for hit in result.hits} == {result.account.digest}
    assert result.account.record_counts["matched"] == 4  # type: ignore[index] # a StrEnum


def test_few_rules_are_asked_whole_in_one_program() -> None:
    engine = ScriptedEngine([*FOUR, record(9, at=timedelta(hours=3), name="GetGuardrail")])
    results, findings = asked(engine, rules=RULES[:3])
    assert len(events(results)) == 4
    (question,) = engine.asked
    assert "sieve" not in question.text
    assert rules_in(question.text) == 3
    assert findings.disagreements == []


def test_a_row_that_does_not_meet_the_rule_that_was_asked_whole_is_told() -> None:
    engine = ScriptedEngine([*FOUR, record(9, at=timedelta(hours=3), name="GetGuardrail")], is_honest=False)
    results, findings = asked(engine, rules=RULES[:1])
    assert len(events(results)) == 4
    assert "sieve" not in engine.asked[0].text
    (sentence,) = findings.disagreements
    assert "1 rows" in sentence
    assert RULES[0].name in sentence


ASSUMING = """\
title: Tag of a guardrail
id: 00000000-0000-4000-8000-00000000c001
status: experimental
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: DeleteGuardrail, requestParameters.tags.value: red}, condition: s}
level: low
"""


def test_a_rule_whose_whole_form_takes_something_for_granted_is_sieved_and_misses_nothing() -> None:
    """The whole form assumes that no list stands on an undeclared path; here one does."""
    rule = load_rule_text(ASSUMING, "assuming.yml")
    engine = ScriptedEngine([record(1, at=timedelta(hours=1), requestParameters={"tags": [{"value": "blue"}, {"value": "red"}]})])
    results, findings = asked(engine, rules=[rule])
    assert events(results) == ["000000000001"]
    assert "-- sieve" in engine.asked[0].text
    assert covers_each_rule_once(findings, [rule])


def test_a_partial_result_is_asked_again_in_halves_until_it_is_whole() -> None:
    def fault(question: object) -> Exception | None:
        window = question.window  # type: ignore[attr-defined] # a Question
        return PartialResult("Too many rows.") if window.end - window.start > timedelta(hours=6) else None

    results, findings = asked(ScriptedEngine(FOUR, fault=fault))
    assert events(results) == [f"{number:012}" for number in range(4)]
    assert [job.state for job in findings.jobs].count(JobState.PARTIAL) == 3
    assert {claim.state for claim in findings.claims} == {CoverageState.SETTLED}
    assert covers_each_rule_once(findings)


def test_rows_that_came_before_an_answer_broke_off_are_not_counted_twice() -> None:
    engine = ScriptedEngine(FOUR, breaks_after=2, breaking=lambda: PartialResult("It broke off."))
    results, findings = asked(engine)
    assert events(results) == [f"{number:012}" for number in range(4)]
    assert covers_each_rule_once(findings)


def test_a_window_that_stays_partial_ends_as_named_minutes_and_not_as_settled() -> None:
    minute = START + timedelta(hours=5, minutes=30)

    def fault(question: object) -> Exception | None:
        return PartialResult("Too many rows.") if question.window.holds(minute) else None  # type: ignore[attr-defined] # a Question

    _, findings = asked(ScriptedEngine(FOUR, fault=fault))
    (hole,) = [claim for claim in findings.claims if claim.state is not CoverageState.SETTLED]
    assert hole.state is CoverageState.FAILED
    assert hole.window.holds(minute)
    assert hole.window.end is not None
    assert hole.window.start is not None
    assert hole.window.end - hole.window.start < timedelta(minutes=2)
    assert "Too many rows." in hole.cause
    assert covers_each_rule_once(findings)


def test_an_engine_that_only_ever_answers_in_part_is_not_asked_for_every_minute() -> None:
    engine = ScriptedEngine(FOUR, fault=lambda _: PartialResult("Query exhausted resources."))
    _, findings = asked(engine)
    assert len(engine.asked) <= 40
    assert {claim.state for claim in findings.claims} == {CoverageState.FAILED}
    assert "after 24 partial results in a row" in findings.claims[-1].cause
    assert covers_each_rule_once(findings)


def test_a_text_that_is_too_complex_is_asked_in_halves_of_its_rules() -> None:
    engine = ScriptedEngine(FOUR, fault=lambda question: TooComplex("Too complex.") if rules_in(question.text) > 2 else None)
    results, findings = asked(engine)
    assert set(events(results)) == {f"{number:012}" for number in range(4)}
    assert max(rules_in(question.text) for question in engine.asked[1:]) <= 3
    assert {claim.state for claim in findings.claims} == {CoverageState.SETTLED}
    assert covers_each_rule_once(findings)


def test_a_rule_that_is_too_complex_alone_is_named_and_the_others_are_asked() -> None:
    bad = RULES[2]
    engine = ScriptedEngine(FOUR, fault=lambda question: TooComplex("Too complex.") if bad.id in question.text else None)
    _, findings = asked(engine)
    failed = [claim for claim in findings.claims if claim.state is CoverageState.FAILED]
    assert [claim.rules for claim in failed] == [(bad.id,)]
    assert covers_each_rule_once(findings)


def test_what_is_not_there_is_not_covered_and_names_the_switch() -> None:
    _, findings = asked(ScriptedEngine((), fault=lambda _: NotThere("There is no table cloudtrail_logs.")))
    assert {claim.state for claim in findings.claims} == {CoverageState.NOT_COVERED}
    assert "aws.cloudtrail.management may be off: Create a trail" in findings.claims[0].cause
    assert findings.jobs[0].state is JobState.NOT_COVERED


def test_refused_credentials_are_not_tried_again_for_every_program() -> None:
    engine = ScriptedEngine((), fault=lambda _: AccessRefused("The token has expired."))
    _, findings = asked(engine, rules=RULES[:3])
    assert len(engine.asked) == 1
    assert {claim.state for claim in findings.claims} == {CoverageState.FAILED}
    assert covers_each_rule_once(findings, RULES[:3])


@pytest.mark.parametrize("error", [EngineError("It is gone."), OverBudget("The engine stopped it at its ceiling.")])
def test_no_fault_ends_as_settled(error: Exception) -> None:
    _, findings = asked(ScriptedEngine(FOUR, fault=lambda _: error))
    assert {claim.state for claim in findings.claims} <= {CoverageState.FAILED, CoverageState.OVER_BUDGET}
    assert covers_each_rule_once(findings)


def test_a_fault_of_our_own_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        asked(ScriptedEngine(FOUR, fault=lambda _: ZeroDivisionError()))


@pytest.mark.parametrize(
    ("asked_after", "settled_hours"),
    [(timedelta(days=1, hours=1), 24), (timedelta(days=1, minutes=6), 23.1), (timedelta(hours=7), 6), (timedelta(hours=1), 0)],
)
def test_a_window_is_provisional_where_late_events_may_still_come_and_settled_before(asked_after: timedelta, settled_hours: float) -> None:
    around = Surroundings(run="R-1", clock=lambda: START + asked_after, budget=Budget(Ceilings()))
    scan = SourceScan(SOURCE, ScriptedEngine(FOUR), Part(RULES, TRAIL, Options()), DAY, around)
    list(scan.results())
    found = {claim.state: claim.window for claim in scan.findings.claims}
    edge = START + timedelta(hours=settled_hours)
    wanted = {CoverageState.SETTLED: Window(start=START, end=edge), CoverageState.PROVISIONAL: Window(start=edge, end=DAY.end)}
    assert found == {state: window for state, window in wanted.items() if window.start != window.end}
    assert LAYOUT.settle_s == 3_600


def test_an_open_window_is_refused() -> None:
    with pytest.raises(UsageError, match="--last"):
        scan_of(ScriptedEngine(()), window=Window(start=START))


def test_tokens_follow_from_run_window_and_text_alone() -> None:
    first, again = ScriptedEngine(FOUR), ScriptedEngine(FOUR)
    asked(first)
    asked(again)
    assert [question.token for question in first.asked] == [question.token for question in again.asked]
    assert len({question.token for question in first.asked}) == len(first.asked)
    assert all(len(question.token) == 64 for question in first.asked)


# -- ceilings -------------------------------------------------------------------------------------------------------

CHEAP = Price(per_tib=5.0)


@pytest.mark.parametrize(
    ("ceilings", "price", "word"),
    [
        (Ceilings(query_bytes=999), None, "ceilings leave 999 bytes"),
        (Ceilings(run_bytes=999), None, "ceilings leave 999 bytes"),
        (Ceilings(day_bytes=999), None, "ceilings leave 999 bytes"),
        (Ceilings(run_money=0.0), CHEAP, "ceiling of the run"),
        (Ceilings(day_money=0.0), CHEAP, "ceiling of the day"),
    ],
)
def test_a_ceiling_below_the_estimate_leaves_a_named_hole_and_asks_nothing(ceilings: Ceilings, price: Price | None, word: str) -> None:
    engine = ScriptedEngine(FOUR, price=price)
    _, findings = asked(engine, ceilings=ceilings)
    assert engine.asked == []
    assert {claim.state for claim in findings.claims} == {CoverageState.OVER_BUDGET}
    assert word in findings.claims[0].cause
    assert findings.jobs[0].state is JobState.OVER_BUDGET


def test_what_was_scanned_counts_and_what_was_set_aside_does_not() -> None:
    budget = Budget(Ceilings(run_bytes=2_500))
    budget.hold("a", Estimate(scanned_bytes=2_000, basis="x"), None)
    assert budget.most_bytes() == 500
    budget.spend("a", 700, None)
    assert (budget.run_bytes, budget.most_bytes()) == (700, 1_800)
    budget.hold("b", Estimate(scanned_bytes=1_000, basis="x"), None)
    budget.release("b")
    assert budget.most_bytes() == 1_800
    budget.hold("c", Estimate(scanned_bytes=400, basis="x"), None)
    budget.spend("c", None, None)
    assert budget.run_bytes == 1_100


def test_the_ceiling_that_is_left_goes_with_the_question() -> None:
    engine = ScriptedEngine(FOUR)
    asked(engine, ceilings=Ceilings(run_bytes=5_000, query_bytes=3_000))
    asked(engine, ceilings=Ceilings(run_bytes=2_500, query_bytes=3_000))
    assert [question.most_bytes for question in engine.asked] == [3_000, 2_500]


def test_the_job_tells_bytes_and_money_as_billed() -> None:
    engine = ScriptedEngine(FOUR, price=Price(per_tib=5.0, least_bytes=10 << 20), scanned=1 << 40)
    _, findings = asked(engine)
    assert (findings.jobs[0].scanned_bytes, findings.jobs[0].money, findings.jobs[0].currency) == (1 << 40, 5.0, "USD")
    assert Price(per_tib=5.0, least_bytes=1 << 40).of(1) == 5.0


def test_started_jobs_are_told_before_rows_come() -> None:
    told: list[str] = []
    tell: Callable[[str], None] = told.append
    asked(ScriptedEngine(FOUR), watch=Watch(started=tell))
    assert told == ["job-1"]
