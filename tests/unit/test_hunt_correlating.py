"""Correlations in runs over files: leads, members, coverage, and what later runs make of earlier ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.program import Options
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger, tallies_of
from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    Correlation,
    CorrelationType,
    Has,
    KeyField,
    Lacks,
    Operand,
    Threshold,
)
from aibr_hunt.model.episode import EPISODES
from aibr_hunt.model.lead import CoverageState, Lead
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import GUID, NOW, Event, cloudtrail, rule, write_lines
from tests.unit.ledger_samples import Clock

LISTED, RUN = rule(1, "{eventName: ListFoundationModels}"), rule(2, "{eventName: InvokeModel}")
_NUMBERS = count()
START = datetime(2026, 1, 10, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ARN = KeyField(name="userIdentity.arn")


def operand(number: int) -> Operand:
    return Operand(name=f"rule_{number}", id=GUID.format(number))


def correlation(number: int, kind: CorrelationType, *rules: int, timespan: timedelta = timedelta(0), **changes: Any) -> Correlation:
    return Correlation(
        id=GUID.format(number),
        name=f"correlation_{number}",
        title=f"Correlation {number}",
        path=f"correlation_{number}.yml",
        text_digest=f"{number:064d}",
        type=kind,
        operands=tuple(map(operand, rules)),
        timespan_us=timespan // timedelta(microseconds=1),
        **{"group_by": (ARN,), **changes},
    )


def at_least(number: int) -> dict[str, Any]:
    return {"thresholds": (Threshold(comparison=Comparison.GTE, number=Decimal(number)),)}


THREE_RUNS = correlation(101, CorrelationType.EVENT_COUNT, 2, timespan=10 * MINUTE, **at_least(3))
LISTED_THEN_RUN = correlation(102, CorrelationType.TEMPORAL_ORDERED, 1, 2, timespan=10 * MINUTE)
RUN_WITHOUT_LISTING = correlation(
    103,
    CorrelationType.TEMPORAL,
    1,
    2,
    timespan=10 * MINUTE,
    condition=Both(items=(Has(operand="rule_2"), Lacks(item=Has(operand="rule_1")))),
)
NEW_ADDRESS = correlation(
    104,
    CorrelationType.FIRST_SEEN,
    2,
    values=(KeyField(name="sourceIPAddress"),),
    population=operand(2),
    lookback_us=2 * DAY // timedelta(microseconds=1),
)


def event(number: int, when: datetime, name: str = "InvokeModel", **changes: Any) -> Event:
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/{changes.pop('who', 'person')}"}
    moment = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    return cloudtrail(number, name, eventTime=moment, userIdentity=identity, **changes)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "home", clock=Clock(NOW), tell=lambda _: None) as opened:
        yield opened


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def run(
    ledger: Ledger,
    path: Path,
    *correlations: Correlation,
    window: Window | None = None,
    loud: bool = False,
    silent: Sequence[Correlation] = (),
) -> Outcome:
    """Run correlations over files; the rules that they rest on make leads of their own only when `loud`, those in `silent` never."""
    rules = (LISTED, RUN)
    request = Request(
        rules=rules if loud else (),
        operands=() if loud else rules,
        correlations=correlations,
        silent=frozenset(each.id for each in (*silent, *(() if loud else rules))),
        mapping_of={each.id: LIBRARY.mapping_for(each.logsource) for each in rules},
        mappings=LIBRARY.mappings,
        paths=[path],
        scope=Scope(now=NOW, window=window or Window()),
        options=Options(),
        asked=f"test {next(_NUMBERS)}",
    )
    return run_files(request, ledger, clock=Clock(NOW), tell=lambda _: None)


def episodes(ledger: Ledger) -> list[Lead]:
    return [lead for lead in ledger.leads() if lead.source == EPISODES and not lead.is_told_elsewhere]


def value(lead: Lead) -> dict[str, Any]:
    assert isinstance(lead.event_value, dict)
    return lead.event_value


def states(outcome: Outcome, which: Correlation) -> list[tuple[CoverageState, Window]]:
    return [(row.state, row.window) for row in outcome.record.coverage if row.rule_id == which.id]


def spread(logs: Path, events: Sequence[Event], name: str = "a.json") -> None:
    write_lines(logs / name, events)


class TestOneRun:
    def test_an_episode_is_one_lead_with_its_members_as_evidence(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * MINUTE) for number in range(4)])
        outcome = run(ledger, logs, THREE_RUNS)
        (lead,) = ledger.leads()
        assert (lead.rule_id, lead.source, lead.time, lead.principal) == (
            THREE_RUNS.id,
            EPISODES,
            START,
            "arn:aws:iam::123456789012:user/person",
        )
        told = value(lead)
        assert [member["event"].rpartition("|")[2] for member in told["members"]] == [GUID.format(number) for number in range(4)]
        assert (told["windows"], told["figure"], told["members_count"]) == (2, "4", 4)
        assert told["group"] == {"userIdentity.arn": "arn:aws:iam::123456789012:user/person"}
        for member in told["members"]:
            assert ledger.content(member["raw"])
        assert outcome.hits_by_rule == {THREE_RUNS.id: 1}
        assert ledger.verify().is_clean

    def test_too_few_events_are_no_episode_and_leave_no_evidence(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * MINUTE) for number in range(2)])
        outcome = run(ledger, logs, THREE_RUNS)
        assert (ledger.count(), outcome.record.run.outcome, outcome.recorded.hits) == (0, "complete", 0)

    def test_a_redelivery_counts_once(self, ledger: Ledger, logs: Path) -> None:
        same = [event(number, START + number * MINUTE) for number in range(2)]
        spread(logs, same)
        spread(logs, [*same, *same], "b.json")
        run(ledger, logs, THREE_RUNS)
        assert ledger.count() == 0

    def test_rules_that_only_serve_make_no_leads_and_loud_ones_do(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * MINUTE) for number in range(3)])
        run(ledger, logs, THREE_RUNS)
        assert {lead.rule_id for lead in ledger.leads()} == {THREE_RUNS.id}
        run(ledger, logs, THREE_RUNS, loud=True)
        assert {lead.rule_id for lead in ledger.leads()} == {THREE_RUNS.id, RUN.id}
        assert ledger.count() == 4
        assert ledger.verify().is_clean

    def test_events_before_the_window_count_and_make_no_lead_of_their_own(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * MINUTE) for number in range(-2, 1)])
        run(ledger, logs, THREE_RUNS, window=Window(start=START, end=START + HOUR), loud=True)
        by_rule = {lead.rule_id: lead for lead in ledger.leads()}
        assert by_rule.keys() == {THREE_RUNS.id, RUN.id}
        assert value(by_rule[THREE_RUNS.id])["members_count"] == 3
        assert by_rule[RUN.id].time == START

    def test_events_without_a_group_are_counted_by_name(self, ledger: Ledger, logs: Path) -> None:
        strangers = [cloudtrail(number, "InvokeModel", userIdentity=None) for number in range(3)]
        spread(logs, strangers)
        outcome = run(ledger, logs, THREE_RUNS)
        assert outcome.record.run.outcome == "complete"
        assert outcome.record.run.notes == ("Correlations: 3 events of rule rule_2 took no part: no value in userIdentity.arn.",)

    def test_a_correlation_on_a_field_that_is_none_is_refused_by_name(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(1, START)])
        bad = correlation(105, CorrelationType.EVENT_COUNT, 2, timespan=MINUTE, group_by=(KeyField(name="noSuchField"),), **at_least(2))
        outcome = run(ledger, logs, THREE_RUNS, bad)
        ((shown, reason),) = outcome.record.run.refused_rules
        assert shown == bad.path
        assert "noSuchField" in reason
        assert outcome.record.run.outcome == "incomplete"

    def test_a_chain_is_judged_and_only_its_outermost_makes_a_lead(self, ledger: Ledger, logs: Path) -> None:
        inner = Operand(name=THREE_RUNS.name, id=THREE_RUNS.id, is_correlation=True)
        twice = replace(correlation(107, CorrelationType.EVENT_COUNT, timespan=DAY, **at_least(2)), operands=(inner,))
        spread(logs, [event(10 * burst + number, START + burst * HOUR + number * MINUTE) for burst in range(2) for number in range(3)])
        run(ledger, logs, THREE_RUNS, twice, silent=(THREE_RUNS,))
        (lead,) = ledger.leads()
        assert (lead.rule_id, value(lead)["members_count"], value(lead)["figure"]) == (twice.id, 6, "2")

    def test_what_rests_on_a_refused_correlation_is_refused_with_it(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(1, START)])
        bad = correlation(105, CorrelationType.EVENT_COUNT, 2, timespan=MINUTE, group_by=(KeyField(name="noSuchField"),), **at_least(2))
        inner = Operand(name=bad.name, id=bad.id, is_correlation=True)
        above = replace(correlation(108, CorrelationType.EVENT_COUNT, timespan=DAY, group_by=(), **at_least(2)), operands=(inner,))
        refused = dict(run(ledger, logs, bad, above).record.run.refused_rules)
        assert "rests on correlation_105, which cannot be asked" in refused[above.path]


class TestHostile:
    """Whoever writes to a log must not end a run with what he writes."""

    @pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\x1f\\u", "x" * 100_000])
    def test_any_text_may_stand_in_identity_group_and_value(self, ledger: Ledger, logs: Path, text: str) -> None:
        events = [
            event(number, START + number * MINUTE, who=text, eventID=f"{text}{number}", sourceIPAddress=f"{text}{number}")
            for number in range(3)
        ]
        (logs / "a.json").write_text(
            "".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8"
        )  # escaped, as it may be delivered
        values = correlation(
            109, CorrelationType.VALUE_COUNT, 2, timespan=10 * MINUTE, values=(KeyField(name="sourceIPAddress"),), **at_least(3)
        )
        new = replace(NEW_ADDRESS, id=GUID.format(110), lookback_us=MINUTE // timedelta(microseconds=1))
        run(ledger, logs, THREE_RUNS, values, new, window=Window(start=START, end=START + HOUR))
        assert {value(lead)["members_count"] for lead in ledger.leads() if lead.rule_id in {THREE_RUNS.id, values.id}} == {3}
        run(ledger, logs, THREE_RUNS, values, new, window=Window(start=START, end=START + HOUR))
        assert ledger.verify().is_clean


class TestCoverage:
    def test_presence_is_judged_as_far_as_the_files_reach(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * HOUR) for number in range(5)])
        outcome = run(ledger, logs, THREE_RUNS)
        reach = Window(start=START, end=START + 4 * HOUR + timedelta(microseconds=1))
        assert states(outcome, THREE_RUNS) == [(CoverageState.SETTLED, reach)]
        assert outcome.record.run.outcome == "complete"

    def test_a_later_run_over_other_files_takes_nothing_back(self, ledger: Ledger, logs: Path) -> None:
        january, february = logs / "january", logs / "february"
        spread(january, [event(number, START + number * MINUTE) for number in range(4)])
        spread(february, [event(90 + number, START + 15 * DAY + number * HOUR) for number in range(4)])
        run(ledger, january, THREE_RUNS)
        run(ledger, february, THREE_RUNS)
        assert [lead.standing for lead in ledger.leads()] == [""]

    def test_absence_is_judged_only_inside_and_the_edges_are_named(self, ledger: Ledger, logs: Path) -> None:
        # The first run has nothing known before it, the last nothing after it: only the middle one can be told to lack a listing.
        spread(logs, [event(number, START + number * HOUR) for number in range(3)])
        outcome = run(ledger, logs, RUN_WITHOUT_LISTING)
        (lead,) = episodes(ledger)
        assert lead.time == START + HOUR
        assert [state for state, _ in states(outcome, RUN_WITHOUT_LISTING)].count(CoverageState.SETTLED) == 1
        causes = [row.cause for row in outcome.record.coverage if row.state is CoverageState.NOT_JUDGED]
        assert causes
        assert all("rests on absence" in cause for cause in causes)
        assert outcome.record.run.outcome == "incomplete"

    def test_a_file_that_could_not_be_read_whole_makes_what_was_found_provisional(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * MINUTE) for number in range(3)])
        (logs / "b.json").write_text('{"eventVersion": "1.11", "eventName": broken\n', encoding="utf-8")
        run(ledger, logs, THREE_RUNS, RUN_WITHOUT_LISTING)
        (lead,) = episodes(ledger)
        assert value(lead)["provisional"] is True


class TestLaterRuns:
    def test_asking_again_adds_no_lead(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * MINUTE) for number in range(4)])
        run(ledger, logs, THREE_RUNS)
        again = run(ledger, logs, THREE_RUNS)
        assert (again.recorded.leads_new, again.recorded.sightings_new, ledger.count()) == (0, 0, 1)
        assert ledger.verify().is_clean

    def test_nightly_runs_tell_what_one_run_over_all_tells(self, ledger: Ledger, logs: Path, tmp_path: Path) -> None:
        times = [0, 5, 9, 300, 1435, 1438, 1441, 1444, 1500, 2875, 2879, 2880, 3000]
        spread(logs, [event(number, START + minute * MINUTE) for number, minute in enumerate(times)])
        for night in range(3):
            run(ledger, logs, THREE_RUNS, LISTED_THEN_RUN, window=Window(start=START + night * DAY, end=START + (night + 1) * DAY))
        with Ledger.open(tmp_path / "other", clock=Clock(NOW), tell=lambda _: None) as whole:
            run(whole, logs, THREE_RUNS, LISTED_THEN_RUN, window=Window(start=START, end=START + 3 * DAY))
            assert [_told(lead) for lead in episodes(ledger)] == [_told(lead) for lead in episodes(whole)]
            assert [lead.id for lead in episodes(ledger)] == [lead.id for lead in episodes(whole)]
            assert len(episodes(whole)) == 3
        assert ledger.verify().is_clean

    def test_an_episode_over_midnight_grows_and_keeps_its_lead(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + DAY + (number - 3) * MINUTE) for number in range(6)])
        run(ledger, logs, THREE_RUNS, window=Window(start=START, end=START + DAY))
        first = episodes(ledger)
        run(ledger, logs, THREE_RUNS, window=Window(start=START + DAY, end=START + 2 * DAY))
        second = episodes(ledger)
        assert [lead.id for lead in first] == [lead.id for lead in second]
        assert (value(first[0])["members_count"], value(second[0])["members_count"]) == (3, 6)

    def test_late_data_that_breaks_an_absence_leaves_the_lead_superseded(self, ledger: Ledger, logs: Path) -> None:
        spread(logs, [event(number, START + number * HOUR) for number in range(3)])
        run(ledger, logs, RUN_WITHOUT_LISTING)
        spread(logs, [event(9, START + HOUR + MINUTE, "ListFoundationModels")], "late.json")
        run(ledger, logs, RUN_WITHOUT_LISTING)
        (lead,) = ledger.leads()
        assert lead.standing == "superseded"
        assert not episodes(ledger)

    def test_a_person_s_verdict_outlives_a_later_run(self, ledger: Ledger, logs: Path) -> None:
        from aibr_hunt.model.lead import TriageState

        spread(logs, [event(number, START + number * MINUTE) for number in range(4)])
        run(ledger, logs, THREE_RUNS)
        ledger.triage(ledger.leads()[0].id, TriageState.CONFIRMED, note="seen", actor="analyst")
        run(ledger, logs, THREE_RUNS)
        assert ledger.leads()[0].state is TriageState.CONFIRMED


class TestRememberedHistory:
    def nights(self, folder: Path) -> list[Path]:
        """Return four folders of one day each: an address every four hours, and a new one on the fourth day."""
        made = []
        for night in range(4):
            events = [event(night * 10 + number, START + night * DAY + 4 * number * HOUR) for number in range(7)]
            if night == 3:
                events.append(event(99, START + 3 * DAY + 5 * HOUR, sourceIPAddress="192.0.2.99"))
            made.append(folder / f"night{night}")
            spread(made[-1], events)
        return made

    def test_a_nightly_run_takes_the_lookback_from_tallies(self, ledger: Ledger, logs: Path) -> None:
        outcomes = [
            run(ledger, folder, NEW_ADDRESS, window=Window(start=START + night * DAY, end=START + (night + 1) * DAY))
            for night, folder in enumerate(self.nights(logs))
        ]
        (lead,) = episodes(ledger)
        assert value(lead)["group"] == {"userIdentity.arn": "arn:aws:iam::123456789012:user/person"}
        assert lead.address == "192.0.2.99"
        assert CoverageState.SETTLED in {state for state, _ in states(outcomes[-1], NEW_ADDRESS)}
        assert ledger.verify().is_clean

    def test_without_tallies_nothing_is_told_and_the_hole_is_named(self, ledger: Ledger, logs: Path) -> None:
        last = self.nights(logs)[3]
        outcome = run(ledger, last, NEW_ADDRESS, window=Window(start=START + 3 * DAY, end=START + 4 * DAY))
        assert not episodes(ledger)
        assert {state for state, _ in states(outcome, NEW_ADDRESS)} == {CoverageState.NOT_JUDGED}
        assert "lookback 2d" in next(row.cause for row in outcome.record.coverage if row.rule_id == NEW_ADDRESS.id)

    def test_reading_the_whole_time_tells_the_same(self, ledger: Ledger, logs: Path) -> None:
        self.nights(logs)
        run(ledger, logs, NEW_ADDRESS, window=Window(start=START + 3 * DAY, end=START + 4 * DAY))
        (lead,) = episodes(ledger)
        assert lead.address == "192.0.2.99"

    def test_a_lookback_of_minutes_keeps_no_tallies_and_reads_it_again(self, ledger: Ledger, logs: Path) -> None:
        soon = replace(NEW_ADDRESS, id=GUID.format(106), lookback_us=30 * MINUTE // timedelta(microseconds=1))
        spread(logs, [event(number, START + 10 * number * MINUTE) for number in range(12)])
        windows = [Window(start=START + hour * HOUR, end=START + (hour + 1) * HOUR) for hour in range(2)]
        assert [run(ledger, logs, soon, window=window).record.tallies for window in windows] == [(), ()]

    def test_tallies_of_whole_hours_are_kept(self, ledger: Ledger, logs: Path) -> None:
        first = self.nights(logs)[0]
        outcome = run(ledger, first, NEW_ADDRESS, window=Window(start=START, end=START + DAY))
        (sheet,) = outcome.record.tallies
        assert (sheet.window.start, sheet.window.end) == (START, START + DAY)
        assert sum(tally.events for tally in tallies_of(sheet)) == 6
        assert ledger.sheets(NEW_ADDRESS.id, sheet.meaning_digest) == (sheet,)


def _told(lead: Lead) -> dict[str, Any]:
    return {name: part for name, part in value(lead).items() if name != "members"} | {
        "members": [(member["event"], member["time"]) for member in value(lead)["members"]]
    }
