"""What was not seen is derived from the record, gravest first, and counted in the outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.window import Window
from aibr_hunt.report.findings import Findings
from aibr_hunt.report.gaps import Gap, count_gaps, find_gaps, headline
from tests.unit.report_samples import START, SWITCHES, account, broken_account, clean, coverage, findings, lead, rule, run, sighting


def of_kind(whole: Findings, kind: str) -> list[Gap]:
    return [gap for gap in find_gaps(whole) if gap.kind == kind]


def one(whole: Findings, kind: str) -> Gap:
    (gap,) = of_kind(whole, kind)
    return gap


def test_a_clean_run_has_no_gap_and_no_caution() -> None:
    assert find_gaps(clean()) == ()


def test_gaps_come_before_cautions_and_are_numbered_in_that_order() -> None:
    gaps = find_gaps(findings())
    assert [gap.id for gap in gaps] == [f"G-{place}" for place in range(1, len(gaps) + 1)]
    assert [gap.is_caution for gap in gaps] == sorted(gap.is_caution for gap in gaps)


def test_a_refused_rule_is_a_gap_with_its_reason() -> None:
    gap = one(clean(runs=(run(refused_rules=(("own/x.yml", "look-ahead"),)),)), "rules refused")
    assert not gap.is_caution
    assert gap.items == ("own/x.yml: look-ahead",)


def test_a_rule_without_any_coverage_names_the_log_that_is_absent_and_its_switch() -> None:
    missing = rule(3, logsource="gcp/gcp.audit", requires=("aws.cloudtrail.data",), synthetic="")
    whole = clean(rules=(rule(0, requires=(), synthetic=""), missing), switches=SWITCHES)
    gap = one(whole, "log absent")
    assert "gcp/gcp.audit" in gap.what
    assert gap.items == ("rule_3",)
    assert "Add a data event selector" in gap.remedy


@pytest.mark.parametrize("state", [state for state in CoverageState if state is not CoverageState.SETTLED])
def test_every_state_but_settled_is_told_with_cause_rules_and_remedy(state: CoverageState) -> None:
    asked = rule(0, requires=(), synthetic="")
    whole = clean(coverage=(coverage(asked), coverage(asked, state, cause="because")))
    gap = one(whole, state.value)
    assert gap.is_caution == (state is CoverageState.PROVISIONAL)
    assert "Cause: because" in gap.what
    assert gap.items == ("rule_0",)
    assert gap.remedy


def test_windows_in_the_same_state_are_told_once_with_their_number_and_span() -> None:
    asked = [rule(number, requires=(), synthetic="") for number in range(3)]
    windows = [Window(start=START + timedelta(hours=hour), end=START + timedelta(hours=hour + 1)) for hour in (0, 5)]
    rows = tuple(coverage(item, CoverageState.FAILED, window=window) for item in asked for window in windows)
    gap = one(clean(rules=tuple(asked), coverage=rows), "failed")
    assert gap.what.startswith("aws_cloudtrail, 2 windows, from 2026-03-14 02:07:00Z to 2026-03-14 08:07:00Z (not included).")
    assert gap.items == ("rule_0", "rule_1", "rule_2")


def test_refused_bytes_are_summed_by_reason() -> None:
    gap = one(clean(accounts=(broken_account(0, 1000), broken_account(1, 204), account(2))), "bytes refused")
    assert gap.what == "1,204 bytes in 2 files could not be read: truncated gzip (2 ranges)."
    assert len(gap.items) == 2
    assert "from stored byte 4,000" in gap.items[0]


def test_refused_bytes_that_no_reason_explains_are_a_gap_too() -> None:
    unexplained = replace(account(0), byte_counts={ByteClass.REFUSED: 94_420})
    assert "give no reason" in one(clean(accounts=(unexplained,)), "bytes refused").what


def test_refusals_beyond_the_cap_are_counted() -> None:
    capped = replace(broken_account(0), refusals_left_out=7)
    assert any("7 further ranges" in gap.what for gap in of_kind(clean(accounts=(capped,)), "bytes refused"))


def test_grave_notes_are_gaps_and_mild_ones_cautions() -> None:
    whole = clean(accounts=(broken_account(0), broken_account(1)))
    assert one(whole, "files in doubt").what == "2 files: changed while read."
    assert not one(whole, "files in doubt").is_caution
    assert one(whole, "files with a note").is_caution


def test_an_account_that_does_not_add_up_is_a_gap() -> None:
    assert one(clean(accounts=(replace(account(0), content_size=1),)), "accounts in error").items == (account(0).path,)


def test_an_incomplete_run_without_a_reason_is_a_gap() -> None:
    assert "names no reason" in one(clean(runs=(run(outcome="incomplete"),)), "run incomplete").what


def test_a_report_without_a_run_says_that_nothing_was_asked() -> None:
    assert one(clean(runs=()), "no run").what.endswith("nothing was asked.")


def test_a_run_that_read_nothing_says_so() -> None:
    nothing = clean(accounts=(), coverage=(), rules=())
    assert not one(nothing, "nothing read").is_caution


@pytest.mark.parametrize(("default", "words"), [(False, "off by default"), (None, "not on everywhere")])
def test_a_switch_that_may_be_off_is_a_caution_with_the_way_to_turn_it_on(default: bool | None, words: str) -> None:  # noqa: FBT001 - drawn
    needing = rule(0, requires=("a.b",), synthetic="")
    switch = LogSwitch(id="a.b", is_on_by_default=default, what="Data.", how="Turn the knob.")
    gap = one(clean(rules=(needing,), switches=(switch,)), "log switch")
    assert gap.is_caution
    assert words in gap.what
    assert "Nothing here shows that it was on" in gap.what
    assert gap.remedy == "To turn it on: Turn the knob."


def test_a_lead_under_a_switch_shows_that_it_was_on_at_its_time() -> None:
    needing = rule(0, requires=("a.b",), synthetic="")
    gap = one(clean(rules=(needing,), leads=(lead(0, asked=needing),)), "log switch")
    assert gap.lead_ids == (lead(0).id,)
    assert "was on at their times" in gap.what
    assert "of which nothing is on file" in gap.what


def test_a_switch_that_is_on_by_default_is_not_mentioned() -> None:
    switch = LogSwitch(id="a.b", is_on_by_default=True, what="Data.", how="Nothing to do.")
    assert not of_kind(clean(rules=(rule(0, requires=("a.b",), synthetic=""),), switches=(switch,)), "log switch")


def test_rules_tested_only_on_written_events_are_a_caution() -> None:
    assert one(clean(rules=(rule(0, requires=(), synthetic="schema-only"),)), "tested on synthetic events").items == ("rule_0",)


def test_odd_records_are_counted() -> None:
    told = [gap.what for gap in of_kind(clean(accounts=(broken_account(0), broken_account(1))), "odd records")]
    assert told == [
        "4 records without a usable time: matched, but outside every window.",
        "2 numbers of an odd spelling: such a number equals nothing in any rule.",
        "2 repeated keys: only one of the values was read.",
    ]


def test_doubtful_leads_are_cautions_with_their_ids() -> None:
    conflicting = replace(lead(0), sightings=(sighting(0), sighting(1, is_conflict=True)))
    weak, hidden = replace(lead(1), is_weak=True), replace(lead(2), suppressed_by="S-1")
    whole = clean(leads=(conflicting, weak, hidden))
    assert one(whole, "conflicting deliveries").lead_ids == (conflicting.id,)
    assert one(whole, "weak identity").lead_ids == (weak.id,)
    assert one(whole, "hidden by judgement").lead_ids == (hidden.id,)
    assert count_gaps(whole, find_gaps(whole)) == 0


def test_the_outcome_counts_leads_rules_and_gaps() -> None:
    whole = findings()
    assert headline(whole, find_gaps(whole)) == (
        "9 leads under 4 rules; 6 gaps: rules refused, log absent, failed, source silent, bytes refused and files in doubt."
    )


def test_the_outcome_counts_what_only_the_run_says() -> None:
    whole = clean(runs=(run(gaps=("a", "b")),))
    assert headline(whole, find_gaps(whole)) == "No lead; 2 gaps: named by the run."


def test_leads_without_a_gap_are_told_within_what_was_asked() -> None:
    assert headline(clean(leads=(lead(0),)), ()) == "1 lead under 1 rule; no gap is on record within what was asked."


def test_no_lead_is_never_told_as_good_news() -> None:
    assert headline(clean(), ()).endswith("That bounds the question, not what happened.")
