"""Reading leads and runs, and the judgements of people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from aibr_hunt.errors import LedgerError, UsageError
from aibr_hunt.ledger import LeadFilter, Ledger, Suppression
from aibr_hunt.model.lead import Lead, TriageState
from tests.unit.ledger_samples import SOURCE, T0, Clock, hit, opened, record, rule, tampering

RULES = (rule(1, level="critical"), rule(2, level="medium"), rule(3, level="low"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """Nine leads: event e0 to e8, minute 0 to 8, rules 1 to 3 in turn; e0 to e4 in run R-1, e4 to e8 in R-2; e8 is untimed."""
    hits = [hit(f"e{number}", RULES[number % 3], minute=None if number == 8 else number, offset=number * 100) for number in range(9)]
    with opened(tmp_path / "home", clock) as made:
        made.record(record("R-1", rules=RULES), hits[:5])
        made.record(record("R-2", rules=RULES), hits[4:])
        yield made


def names(leads: list[Lead]) -> str:
    """Return the events of leads, such as `e1 e2`."""
    return " ".join(lead.event_key.rsplit("|", 1)[1] for lead in leads)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LeadFilter(), "e8 e0 e1 e2 e3 e4 e5 e6 e7"),
        (LeadFilter(run_id="R-1"), "e0 e1 e2 e3 e4"),
        (LeadFilter(run_id="R-2"), "e8 e4 e5 e6 e7"),
        (LeadFilter(run_id="R-none"), ""),
        (LeadFilter(rule=RULES[0].id), "e0 e3 e6"),
        (LeadFilter(rule="rule_2"), "e1 e4 e7"),
        (LeadFilter(rule="rule_none"), ""),
        (LeadFilter(level="critical"), "e0 e3 e6"),
        (LeadFilter(level="medium"), "e0 e1 e3 e4 e6 e7"),
        (LeadFilter(source=SOURCE, limit=2), "e8 e0"),
        (LeadFilter(source="other"), ""),
        (LeadFilter(since=T0 + timedelta(minutes=3), until=T0 + timedelta(minutes=6)), "e3 e4 e5"),
        (LeadFilter(limit=2, offset=3), "e2 e3"),
        (LeadFilter(offset=7), "e6 e7"),
        (LeadFilter(state=TriageState.CONFIRMED), ""),
        (LeadFilter(run_id="R-2", rule="rule_1", level="high"), "e6"),
    ],
)
def test_a_filter_gives_the_leads_that_it_names_by_event_time(ledger: Ledger, wanted: LeadFilter, found: str) -> None:
    assert names(ledger.leads(wanted)) == found
    if wanted.limit is None and not wanted.offset:
        assert ledger.count(wanted) == len(found.split())


def test_a_list_without_events_differs_in_nothing_else(ledger: Ledger) -> None:
    with_events, without = ledger.leads(), ledger.leads(LeadFilter(with_events=False))
    assert all(lead.event_value is not None for lead in with_events)
    assert all(lead.event_value is None for lead in without)
    assert [lead.id for lead in with_events] == [lead.id for lead in without]


def test_the_beginning_of_an_id_is_enough_where_it_is_unique(ledger: Ledger) -> None:
    lead = ledger.leads()[0]
    assert ledger.lead(lead.id) == lead
    assert ledger.lead(lead.id[:10]) == lead
    assert ledger.lead(lead.id[2:]) == lead


def test_an_ambiguous_or_unknown_id_names_the_choice(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="no lead") as ambiguous:
        ledger.lead("L-")
    assert "Several begin so" in ambiguous.value.hint
    with pytest.raises(UsageError, match="no lead 'L-zzz'"):
        ledger.lead("L-zzz")


@pytest.mark.parametrize("ask", [Ledger.run, Ledger.rules, Ledger.accounts, Ledger.coverage, Ledger.pulses, Ledger.noise])
def test_an_unknown_run_is_the_askers_mistake(ledger: Ledger, ask: object) -> None:
    assert callable(ask)
    with pytest.raises(UsageError, match="no run 'R-9'"):
        ask(ledger, "R-9")


def test_runs_come_the_last_one_first(ledger: Ledger) -> None:
    assert [run.id for run in ledger.runs()] == ["R-2", "R-1"]
    assert [run.id for run in ledger.runs(limit=1)] == ["R-2"]
    assert ledger.last_run_id() == "R-2"


def test_coverage_of_one_meaning_is_that_of_all_runs(ledger: Ledger) -> None:
    looks = ledger.looks(RULES[0].meaning_digest)
    assert [each.row for each in looks] == [ledger.coverage("R-1")[0], ledger.coverage("R-2")[0]]
    assert [each.began for each in looks] == [ledger.run("R-1").started, ledger.run("R-2").started]
    assert ledger.looks("another meaning") == ()


def test_a_verdict_is_kept_with_its_note_and_its_act(ledger: Ledger) -> None:
    lead = ledger.leads()[0]
    shown = ledger.triage(lead.id[:9], TriageState.CONFIRMED, note="seen \x00 elsewhere", actor="analyst@example.com")
    assert (shown.state, shown.note) == (TriageState.CONFIRMED, "seen \\u0000 elsewhere")
    assert ledger.leads(LeadFilter(state=TriageState.CONFIRMED)) == [shown]
    act = ledger.acts(lead.id)[-1]
    assert (act.kind, act.subject, act.actor) == ("triage", lead.id, "analyst@example.com")
    assert json.loads(act.body) == {"from": "new", "note": "seen \\u0000 elsewhere", "to": "confirmed"}
    assert ledger.verify().is_clean


def test_the_acts_of_a_lead_begin_with_the_hits_behind_it(ledger: Ledger) -> None:
    lead = next(lead for lead in ledger.leads() if lead.event_key.endswith("e4"))
    ledger.append_act("view", lead.id, actor="analyst")
    ledger.append_act("export", lead.id, actor="analyst", detail={"digest": "0" * 64, "share": 0.5, "records": [1, True, None]})
    acts = ledger.acts(lead.id)
    assert [(act.kind, act.run_id) for act in acts] == [("hit", "R-1"), ("hit", "R-2"), ("view", ""), ("export", "")]
    assert json.loads(acts[-1].body) == {"digest": "0" * 64, "records": [1, True, None], "share": "0.5"}
    assert ledger.acts("") == ()
    assert ledger.verify().is_clean


@pytest.mark.parametrize("kind", ["", "hit", "run closed", "triage", "backup"])
def test_an_act_cannot_pass_for_what_the_ledger_writes_itself(ledger: Ledger, kind: str) -> None:
    with pytest.raises(UsageError, match="writes such records itself"):
        ledger.append_act(kind, "", actor="analyst")


def suppression(**changes: object) -> Suppression:
    values: dict[str, object] = {
        "id": "",
        "rule_id": RULES[0].id,
        "predicate": "",
        "reason": "planned work",
        "actor": "analyst",
        "start": T0,
        "end": None,
    }
    return Suppression(**(values | changes))  # type: ignore[arg-type]  # the tests name members only


def test_a_suppression_hides_the_leads_of_its_rule_until_it_is_withdrawn(ledger: Ledger) -> None:
    made = ledger.suppress(suppression())
    assert made.id.startswith("S-")
    assert names(ledger.leads()) == "e8 e1 e2 e4 e5 e7"
    assert ledger.count() == 6
    assert names(ledger.leads(LeadFilter(limit=2, offset=1))) == "e1 e2"
    everything = ledger.leads(LeadFilter(include_suppressed=True))
    assert [lead.suppressed_by for lead in everything if lead.rule_id == RULES[0].id] == [made.id] * 3
    assert ledger.count(LeadFilter(include_suppressed=True)) == 9
    ledger.unsuppress(made.id, reason="the work is over", actor="analyst")
    assert ledger.count() == 9
    assert ledger.suppressions()[0].withdrawn is not None
    assert ledger.verify().is_clean


def test_a_predicate_hides_only_what_the_judge_finds_it_true_on(ledger: Ledger) -> None:
    predicate = '{"text":"e3"}'
    ledger.suppress(suppression(predicate=predicate))

    def judge(asked: Suppression, lead: Lead) -> bool:
        assert asked.predicate == predicate
        assert isinstance(lead.event_value, dict)
        return lead.event_value["eventID"] == "e3"

    assert names(ledger.leads(judge=judge)) == "e8 e0 e1 e2 e4 e5 e6 e7"
    assert names(ledger.leads(LeadFilter(with_events=False), judge=judge)) == "e8 e0 e1 e2 e4 e5 e6 e7"
    assert ledger.count(judge=judge) == 8
    assert ledger.lead(ledger.leads(LeadFilter(rule="rule_1"))[1].id, judge=judge).suppressed_by


def test_what_nobody_judged_stays_visible(ledger: Ledger) -> None:
    ledger.suppress(suppression(predicate="{}"))
    assert ledger.count() == 9


def test_a_suppression_hides_from_its_start_to_its_end(ledger: Ledger, clock: Clock) -> None:
    start = clock.now + timedelta(hours=1)
    ledger.suppress(suppression(start=start, end=start + timedelta(hours=1)))
    assert ledger.count() == 9
    clock.now = start
    assert ledger.count() == 6
    clock.now = start + timedelta(hours=1)
    assert ledger.count() == 9


@pytest.mark.parametrize(("changes", "told"), [({"reason": " "}, "needs a reason"), ({"end": T0}, "before it starts")])
def test_a_suppression_without_reason_or_duration_is_refused(ledger: Ledger, changes: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ledger.suppress(suppression(**changes))


def test_a_suppression_can_be_withdrawn_once(ledger: Ledger) -> None:
    made = ledger.suppress(suppression())
    ledger.unsuppress(made.id, reason="", actor="analyst")
    for unknown in (made.id, "S-none"):
        with pytest.raises(UsageError, match="no suppression"):
            ledger.unsuppress(unknown, reason="", actor="analyst")


def test_an_object_that_is_not_there_or_was_changed_is_never_given_out(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no object"):
        ledger.content("0" * 64)
    digest = ledger.leads()[0].sightings[0].raw_digest
    with tampering(tmp_path / "home") as connection:
        connection.execute("UPDATE vault SET content = CAST(replace(content, 'Invoke', 'Delete') AS BLOB)")
    with pytest.raises(LedgerError, match="another digest"):
        ledger.content(digest)


def test_readers_see_one_state_while_another_writes(ledger: Ledger) -> None:
    reading = ledger.each_lead()
    first = next(reading)
    ledger.record(record("R-3", rules=RULES), [hit("later", RULES[0], minute=1)])
    assert 1 + sum(1 for _ in reading) == 9
    assert first.id == ledger.leads()[0].id
    assert ledger.count() == 10


def test_status_counts_what_the_ledger_holds(ledger: Ledger) -> None:
    status = ledger.status()
    assert (status.runs, status.leads, status.sightings, status.conflicts) == (2, 9, 10, 0)
    assert (status.vault_objects, status.last_run_id) == (18, "R-2")
    assert status.vault_bytes >= status.vault_stored_bytes > 0
    assert status.size_bytes > status.vault_stored_bytes
    assert (status.chain_length, status.chain_head) == (ledger.verify().records, ledger.verify().head)
