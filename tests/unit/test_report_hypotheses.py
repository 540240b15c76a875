"""Hypotheses are held against what was seen, in sober words."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from aibr_hunt.model.hunt import Observation
from aibr_hunt.model.lead import CoverageState, TriageState
from aibr_hunt.report import HuntFinding, Observed, observe_hunt, render_html, render_json, render_markdown
from aibr_hunt.report.hypotheses import Argument, argue
from tests.unit.report_samples import coverage, findings, hunt, lead, rule


def argued(**observed: Observed) -> dict[str, str]:
    """Return the verdicts when the observations of the sample hunt came out as given."""
    items = tuple(replace(item, observation=name) for name, item in observed.items())
    return {item.key: item.verdict for item in argue(HuntFinding(hunt=hunt(), observed=items)).standings}


SEEN, UNSEEN, UNASKED = (
    Observed(observation="", lead_ids=("L-1",)),
    Observed(observation=""),
    Observed(observation="", why_unasked="no log"),
)


def test_the_hypothesis_stands_first_and_in_its_own_words() -> None:
    standings = argue(HuntFinding(hunt=hunt())).standings
    assert [item.key for item in standings] == ["stolen", "workload", "test"]
    assert standings[0].sentence == hunt().hypothesis
    assert [item.is_hypothesis for item in standings] == [True, False, False]


@pytest.mark.parametrize(
    ("probe", "steady", "rare", "verdict"),
    [
        (SEEN, UNSEEN, UNSEEN, "Not refuted: 1 of 2 observations that would support it was seen."),
        (SEEN, UNSEEN, SEEN, "Not refuted: 2 of 2 observations that would support it were seen."),
        (SEEN, SEEN, UNSEEN, "In doubt: 1 observation speaks for it and 1 against it."),
        (UNSEEN, SEEN, UNSEEN, "1 observation speaks against it and none seen speaks for it."),
        (UNSEEN, UNSEEN, UNSEEN, "Not refuted and not supported: nothing seen speaks for it or against it."),
        (UNASKED, UNASKED, UNASKED, "Not tested: none of the observations that bear on it was answered."),
        (
            SEEN,
            UNASKED,
            UNSEEN,
            "Not refuted: 1 of 2 observations that would support it was seen. 1 observation that bears on it stayed without a full answer.",
        ),
    ],
)
def test_each_outcome_has_its_verdict(probe: Observed, steady: Observed, rare: Observed, verdict: str) -> None:
    verdicts = argued(probe=probe, steady=steady, rare=rare)
    assert verdicts["stolen"] == verdict
    assert verdicts["test"] == "Not tested: no observation of this hunt bears on it."
    assert not re.search(r"prov(?:en|ed|es)|likely|probab|certain|%", " ".join(verdicts.values()))


def test_an_observation_that_is_not_reported_was_not_asked() -> None:
    argument = argue(HuntFinding(hunt=hunt()))
    assert {item.state for item in argument.seen} == {"not answered"}


def observed() -> tuple[Argument, dict[str, Observed]]:
    rules = [rule(0), rule(4)]
    leads = [lead(0), replace(lead(5), state=TriageState.DISMISSED), replace(lead(10), suppressed_by="S-1")]
    rows = [coverage(rules[0]), coverage(rules[1], CoverageState.FAILED), coverage(rules[1])]
    finding = observe_hunt(hunt(), rules=rules, leads=leads, coverage=rows)
    return argue(finding), {item.observation: item for item in finding.observed}


def test_leads_are_observed_under_the_rules_of_the_hunt_by_name() -> None:
    _, items = observed()
    assert items["probe"].lead_ids == (lead(0).id,)
    assert items["probe"].why_unasked == ""


def test_leads_that_were_set_aside_support_nothing_and_are_still_named() -> None:
    _, items = observed()
    assert items["probe"].set_aside == (lead(5).id, lead(10).id)


def test_a_rule_that_did_not_run_or_failed_somewhere_leaves_the_observation_without_an_answer() -> None:
    argument, items = observed()
    assert items["steady"].why_unasked == "rule rule_9 did not run"
    assert items["rare"].why_unasked == "rule rule_4: failed"
    assert [item.state for item in argument.seen] == ["seen", "not answered", "not answered"]


def test_a_rule_may_be_named_by_its_id() -> None:
    asked = rule(0)
    named = replace(hunt(), expect=(Observation(id="probe", rules=(asked.id,)),))
    finding = observe_hunt(named, rules=[asked], leads=[lead(0)], coverage=[coverage(asked)])
    assert finding.observed[0].lead_ids == (lead(0).id,)


def test_a_rule_without_coverage_answers_nothing() -> None:
    finding = observe_hunt(hunt(), rules=[rule(0)], leads=[], coverage=[])
    assert finding.observed[0].why_unasked == "rule rule_0: no coverage on record"


def test_the_balance_counts_what_was_seen_for_less_what_was_seen_against() -> None:
    seen = (Observed(observation="probe", lead_ids=("L-1",)), Observed(observation="steady", why_unasked="off"))
    both = (*seen[:1], Observed(observation="steady", lead_ids=("L-2", "L-3")))
    for observed, balances in (((), [0, 0, 0]), (seen, [1, -1, 0]), (both, [0, 0, 0])):
        assert [each.balance for each in argue(HuntFinding(hunt=hunt(), observed=observed)).standings] == balances


def test_case_studies_stand_in_every_form_of_the_report() -> None:
    whole = findings(3)
    assert "<dt>ATLAS case studies</dt><dd>AML.CS0012, AML.CS0030</dd>" in render_html(whole)
    assert "**ATLAS case studies:** AML.CS0012, AML.CS0030" in render_markdown(whole).replace("\\.", ".")
    assert json.loads(render_json(whole))["hypotheses"][0]["case_studies"] == ["AML.CS0012", "AML.CS0030"]
    without = replace(whole, hunts=tuple(replace(each, hunt=replace(each.hunt, case_studies=())) for each in whole.hunts))
    assert "case studies" not in render_html(without) + render_markdown(without)
