"""A run over files: what it finds, what it says it did not see, and what stays on record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import Options
from aibr_hunt.errors import UsageError
from aibr_hunt.hunt import run as hunt_run
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger
from aibr_hunt.ledger.noise import keys_of
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import NOW, cloudtrail, gcp, rule, write_bytes, write_lines, write_records

DELETED = rule(1)
GCP = rule(2, "{protoPayload.methodName|endswith: .DeleteModel}", logsource="{product: gcp, service: gcp.audit}")
ANY = rule(3, "{kind: needle}", logsource="{category: anything}")


class Clock:
    """A clock that moves by a second each time it is looked at."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "home", clock=clock, tell=lambda _: None) as opened:
        yield opened


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def run(ledger: Ledger, clock: Clock, paths: Sequence[Path], rules: Sequence[Rule] = (DELETED,), **changes: Any) -> Outcome:
    tell = changes.pop("tell", lambda _: None)
    request = Request(
        rules=rules,
        mapping_of={each.id: LIBRARY.mapping_for(each.logsource) for each in rules},
        mappings=LIBRARY.mappings,
        paths=paths,
        scope=changes.pop("scope", Scope(now=NOW)),
        options=changes.pop("options", Options()),
        asked="a test",
        actor="somebody",
        host="here",
        **changes,
    )
    return run_files(request, ledger, clock=clock, tell=tell)


class TestAccounts:
    def test_every_byte_of_every_file_ends_in_one_class(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_records(logs / "a.json.gz", [cloudtrail(each, "DeleteGuardrail" if each == 5 else "ListModels") for each in range(50)])
        write_lines(logs / "b.json", [gcp(1)], encoding="utf-16")
        write_bytes(logs / "c.json", b'{"eventName": nonsense}\n{"a": 1} trailing words\n\n')
        outcome = run(ledger, clock, [logs])
        accounts = ledger.accounts(outcome.record.run.id)
        assert accounts == outcome.record.accounts
        assert [account.is_balanced for account in accounts] == [True] * 3
        statistics = outcome.record.run.statistics
        assert statistics["content_bytes"] == sum(statistics[f"bytes_{kind.value}"] for kind in ByteClass)
        assert statistics["stored_bytes"] == sum(path.stat().st_size for path in logs.iterdir())
        assert statistics["bytes_refused"] > 0

    def test_a_file_with_the_bytes_of_another_is_named_as_its_copy(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        first = write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        shutil.copy(first, logs / "b.json")
        write_lines(logs / "c.json", [cloudtrail(2)])
        accounts = run(ledger, clock, [logs]).record.accounts
        assert [account.duplicate_of for account in accounts] == ["", str(first), ""]

    def test_a_file_that_is_reached_twice_is_read_once_and_counted(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        path = write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        (logs / "b.json").symlink_to(path)
        record = run(ledger, clock, [logs, path]).record
        assert (len(record.accounts), record.run.statistics["reached_twice"]) == (1, 2)

    def test_hidden_files_are_counted_and_files_of_other_kinds_are_a_gap(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1)])
        write_lines(logs / ".hidden.json", [cloudtrail(2)])
        outcome = run(ledger, clock, [logs])
        assert (outcome.record.run.statistics["passed_over"], outcome.is_complete) == (1, True)
        write_bytes(logs / "b.parquet", b"PAR1")
        outcome = run(ledger, clock, [logs])
        assert outcome.record.run.gaps == ("1 file of the kind .parquet was passed over below the folders; name it to have it read.",)
        assert not outcome.is_complete


class TestLeads:
    def test_a_re_delivery_adds_a_sighting_and_no_lead(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        event = cloudtrail(1, "DeleteGuardrail")
        write_records(logs / "a.json", [event])
        write_records(logs / "b.json.gz", [cloudtrail(2), dict(reversed(event.items()))])
        run(ledger, clock, [logs])
        (lead,) = ledger.leads()
        assert [(Path(each.path).name, each.ordinal) for each in lead.sightings] == [("a.json", 1), ("b.json.gz", 2)]
        assert len({each.raw_digest for each in lead.sightings}) == 2
        assert len({each.canonical_digest for each in lead.sightings}) == 1
        assert not lead.has_conflict

    def test_the_same_identity_with_other_content_is_a_conflict_and_both_are_kept(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail"), cloudtrail(1, "DeleteGuardrail", sourceIPAddress="203.0.113.9")])
        outcome = run(ledger, clock, [logs])
        (lead,) = ledger.leads()
        assert (lead.has_conflict, len(lead.sightings), outcome.recorded.conflicts_new) == (True, 2, 1)

    def test_a_forged_twin_that_matches_nothing_does_not_hide_the_event(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        """Whoever writes to the bucket controls the id: nothing is left out by identity before matching."""
        write_lines(logs / "a.json", [cloudtrail(1, "ListGuardrails"), cloudtrail(1, "DeleteGuardrail")])
        run(ledger, clock, [logs])
        assert [lead.action for lead in ledger.leads()] == ["DeleteGuardrail"]

    def test_one_event_under_two_rules_is_two_leads(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        outcome = run(ledger, clock, [logs], [DELETED, rule(4, "{eventSource: bedrock.amazonaws.com}")])
        assert len(ledger.leads()) == 2
        assert outcome.hits_by_rule == {DELETED.id: 1, rule(4).id: 1}

    def test_the_same_run_again_adds_no_lead(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(each, "DeleteGuardrail") for each in range(5)])
        before = run(ledger, clock, [logs])
        kept = ledger.leads()
        after = run(ledger, clock, [logs])
        assert (before.recorded.leads_new, after.recorded.leads_new, after.recorded.leads) == (5, 0, 5)
        assert [lead.id for lead in ledger.leads()] == [lead.id for lead in kept]
        assert before.record.run.id != after.record.run.id
        assert before.record.run.query_digest == after.record.run.query_digest
        assert ledger.verify().is_clean

    def test_a_rule_keeps_its_leads_when_its_words_change(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        run(ledger, clock, [logs])
        outcome = run(ledger, clock, [logs], [replace(DELETED, title="Another title", text_digest="0" * 64)])
        assert (outcome.recorded.leads_new, len(ledger.leads())) == (0, 1)

    def test_events_outside_the_window_are_counted_and_make_no_lead(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(each, "DeleteGuardrail", eventTime=f"2026-01-0{each}T00:00:00Z") for each in (1, 2, 3)])
        window = Window(start=datetime.fromisoformat("2026-01-02T00:00Z"), end=datetime.fromisoformat("2026-01-03T00:00Z"))
        outcome = run(ledger, clock, [logs], scope=Scope(now=NOW, window=window))
        assert ([lead.time for lead in ledger.leads()], outcome.record.run.statistics["outside_window"]) == ([window.start], 2)

    def test_without_the_sieve_the_run_finds_the_same(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_records(logs / "a.json", [cloudtrail(each, "DeleteGuardrail" if each % 9 == 0 else "ListModels") for each in range(60)])
        with_sieve = run(ledger, clock, [logs])
        without = run(ledger, clock, [logs], options=Options(use_sieve=False))
        assert (without.recorded.leads_new, without.hits_by_rule) == (0, with_sieve.hits_by_rule)
        assert with_sieve.record.run.statistics["records_skimmed"] == without.record.run.statistics["records_parsed"] == 53


class TestNoise:
    NOISY = rule(5, "{eventSource: bedrock.amazonaws.com}")

    @pytest.fixture(autouse=True)
    def _thousand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tenth of the number in force, so that the tests take a tenth of the time."""
        monkeypatch.setattr(hunt_run, "NOISE_EVENTS", hunt_run.NOISE_EVENTS // 10)

    def test_beyond_the_limit_and_a_twentieth_of_all_a_rule_makes_no_further_leads(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_records(logs / "a.json.gz", [cloudtrail(each, "DeleteGuardrail" if each == 1499 else "ListModels") for each in range(1500)])
        outcome = run(ledger, clock, [logs], [self.NOISY, DELETED])
        (noise,) = ledger.noise(outcome.record.run.id)
        assert (noise.rule_id, noise.source, noise.events, noise.considered) == (self.NOISY.id, "aws_cloudtrail", 500, 1500)
        assert outcome.hits_by_rule == {self.NOISY.id: 1500, DELETED.id: 1}
        assert [lead.rule_id for lead in ledger.leads()].count(self.NOISY.id) == 1000
        assert [lead.rule_id for lead in ledger.leads()].count(DELETED.id) == 1
        assert outcome.record.run.statistics["noise_events"] == 500

    def test_a_noise_rule_is_a_gap_and_the_run_is_incomplete(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        """The bytes of the events beyond the limit are not kept as evidence."""
        write_records(logs / "a.json.gz", [cloudtrail(each) for each in range(1500)])
        outcome = run(ledger, clock, [logs], [self.NOISY])
        gap = "Rule rule_5 met 1,500 events (100 % of aws_cloudtrail): past the first 1,000, only the identities of 500 are kept."
        assert (outcome.record.run.gaps, outcome.is_complete) == ((gap,), False)

    def test_the_events_of_a_noise_rule_stay_findable_by_their_identity(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_records(logs / "a.json.gz", [cloudtrail(each) for each in range(1003)])
        outcome = run(ledger, clock, [logs], [self.NOISY])
        (noise,) = ledger.noise(outcome.record.run.id)
        assert keys_of(noise) == tuple(f"aws_cloudtrail|123456789012|{cloudtrail(each)['eventID']}" for each in (1000, 1001, 1002))
        assert ledger.verify().is_clean

    def test_many_events_that_are_few_among_all_are_no_noise(
        self, ledger: Ledger, clock: Clock, logs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hunt_run, "NOISE_EVENTS", 3)
        write_records(logs / "a.json", [cloudtrail(each, "DeleteGuardrail" if each % 25 == 0 else "ListModels") for each in range(250)])
        assert run(ledger, clock, [logs]).record.noise == ()
        assert len(ledger.leads()) == 10


class TestGapsAndCoverage:
    def states(self, outcome: Outcome) -> dict[str, tuple[CoverageState, str]]:
        return {row.source: (row.state, row.cause) for row in outcome.record.coverage}

    def test_what_was_read_whole_is_settled_as_far_as_the_files_reach(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail"), cloudtrail(9, "DeleteGuardrail")])
        outcome = run(ledger, clock, [logs])
        assert self.states(outcome) == {"aws_cloudtrail": (CoverageState.SETTLED, "as far as the files reach")}
        (row,) = outcome.record.coverage
        first, last = (datetime.fromisoformat(cloudtrail(each)["eventTime"]) for each in (1, 9))
        assert row.window == Window(start=first, end=last + timedelta(microseconds=1))
        assert outcome.is_complete

    def test_a_source_without_a_file_is_not_covered(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1)])
        outcome = run(ledger, clock, [logs], [DELETED, GCP, ANY])
        assert self.states(outcome) == {
            "aws_cloudtrail": (CoverageState.SETTLED, "as far as the files reach"),
            "gcp_audit": (CoverageState.NOT_COVERED, "no file of the log source gcp_audit was among the input"),
            "as-written": (CoverageState.NOT_COVERED, "no file was taken as written"),
        }
        assert not outcome.is_complete

    def test_a_source_whose_files_hold_nothing_is_not_known_to_be_alive(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_bytes(logs / "a.json", b"")
        scope = Scope(now=NOW, mapping=LIBRARY.mapping_for(DELETED.logsource))
        outcome = run(ledger, clock, [logs], scope=scope)
        assert self.states(outcome) == {"aws_cloudtrail": (CoverageState.NOT_KNOWN_ALIVE, "the files hold no record")}
        assert not outcome.is_complete

    def test_refused_bytes_leave_the_source_failed_and_the_leads_standing(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_bytes(logs / "a.json", json.dumps(cloudtrail(1, "DeleteGuardrail")).encode() + b"\n{broken\n")
        write_lines(logs / "b.json", [cloudtrail(2)])
        outcome = run(ledger, clock, [logs])
        state, cause = self.states(outcome)["aws_cloudtrail"]
        assert (state, len(ledger.leads()), outcome.is_complete) == (CoverageState.FAILED, 1, False)
        assert cause == "1 of 2 files was not read whole (8 content bytes refused); the rest was asked"

    def test_bytes_that_no_source_can_be_told_of_leave_every_source_failed(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        """The file could have held anything: no source may be called settled."""
        write_lines(logs / "a.json", [cloudtrail(1)])
        path = write_bytes(logs / "b.json.gz", b"x")
        path.write_bytes(path.read_bytes()[:12])
        outcome = run(ledger, clock, [logs])
        state, cause = self.states(outcome)["aws_cloudtrail"]
        assert (state, cause) == (CoverageState.FAILED, f"{path} could not be read and may have held it; what could be read was asked")

    def test_a_path_that_is_gone_is_a_gap_and_no_source_is_settled(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1)])
        outcome = run(ledger, clock, [logs, logs / "gone"])
        assert outcome.record.run.gaps == (f"{logs / 'gone'} was not read: No such file or directory.",)
        assert self.states(outcome)["aws_cloudtrail"][0] is CoverageState.FAILED

    def test_a_file_of_no_known_source_is_a_gap_when_no_rule_was_asked_of_it(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1)])
        unknown = write_lines(logs / "b.json", [{"kind": "needle"}])
        gap = f"1 file is of no known log source, and no rule was asked of fields as written: {unknown}."
        assert run(ledger, clock, [logs]).record.run.gaps == (gap,)
        assert run(ledger, clock, [logs], [DELETED, ANY]).record.run.gaps == ()

    def test_records_of_another_source_inside_a_file_are_a_gap(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1), gcp(1), gcp(2)])
        outcome = run(ledger, clock, [logs], options=Options(is_strict=True))
        assert outcome.record.run.gaps == ("2 records in files read as aws_cloudtrail do not look like it, but like gcp_audit.",)

    def test_records_of_a_known_source_deep_in_a_file_read_as_written_are_a_gap(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [*({"kind": "hay"} for _ in range(30)), cloudtrail(1, "DeleteGuardrail")])
        outcome = run(ledger, clock, [logs], [ANY])
        gap = "1 record in files read as written looks like aws_cloudtrail and was asked none of its rules; "
        assert outcome.record.run.gaps == (f"{gap}name the log source with --source.",)
        assert not outcome.is_complete

    def test_one_event_does_not_settle_the_month_that_was_asked(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail", eventTime="2026-01-10T10:00:02Z")])
        asked = Window(start=datetime.fromisoformat("2026-01-01T00:00Z"), end=datetime.fromisoformat("2026-02-01T00:00Z"))
        outcome = run(ledger, clock, [logs], scope=Scope(now=NOW, window=asked))
        assert [row.state.value for row in outcome.record.coverage] == ["not known to be alive", "settled", "not known to be alive"]
        assert outcome.record.coverage[1].window.start == datetime.fromisoformat("2026-01-10T10:00:02Z")
        assert (outcome.is_complete, ledger.coverage(outcome.record.run.id)) == (False, outcome.record.coverage)

    def test_a_refused_rule_leaves_the_run_incomplete(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        outcome = run(ledger, clock, [logs], [DELETED, rule(6, "{eventNaem: x}")], refused=(("x.yml", "unreadable"),))
        assert [name for name, _ in outcome.record.run.refused_rules] == ["x.yml", rule(6).id]
        assert (outcome.is_complete, len(ledger.leads())) == (False, 1)

    def test_every_source_has_a_pulse_whether_rules_ask_it_or_not(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(each) for each in range(3)])
        write_lines(logs / "b.json", [gcp(1)])
        pulses = ledger.pulses(run(ledger, clock, [logs]).record.run.id)
        assert {(pulse.source, pulse.events) for pulse in pulses} == {("aws_cloudtrail", 3), ("gcp_audit", 1)}


class TestNothingToDo:
    def test_without_a_rule_nothing_is_run(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1)])
        with pytest.raises(UsageError, match="no rule to ask"):
            run(ledger, clock, [logs], [])
        assert ledger.runs() == ()

    def test_rules_that_were_all_refused_are_named_with_their_reasons(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1)])
        with pytest.raises(UsageError) as caught:
            run(ledger, clock, [logs], [rule(6, "{eventNaem: x}")], refused=(("x.yml", "unreadable"), ("y.yml", "y.yml:3: no level")))
        lines = str(caught.value).splitlines()
        assert lines[:3] == ["There is no rule to ask. Every rule was refused:", "  x.yml: unreadable", "  y.yml:3: no level"]
        assert (rule(6).id in lines[3], "eventNaem" in lines[3]) == (True, True)

    def test_an_empty_folder_is_the_user_s_mistake_and_leaves_no_run(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        with pytest.raises(UsageError, match="There is no log file in"):
            run(ledger, clock, [logs])
        assert ledger.runs() == ()

    def test_a_run_that_is_stopped_half_way_leaves_nothing(self, ledger: Ledger, clock: Clock, logs: Path) -> None:
        write_lines(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        write_lines(logs / "b.json", [cloudtrail(2, "DeleteGuardrail")])
        seen: list[FileResult] = []

        def stop_at_second(result: FileResult) -> None:
            seen.append(result)
            if len(seen) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(ledger, clock, [logs], tell=stop_at_second)
        assert (ledger.runs(), ledger.leads(), ledger.verify().is_clean) == ((), [], True)
