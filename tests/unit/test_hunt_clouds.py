"""A run over cloud Sources finds what a run over files of the same events finds, and says of each Source what was looked at."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.protocol import Answer, CloudEngine, PartialResult, Question, Stopped, Watch
from aibr_hunt.engines.program import Program
from aibr_hunt.errors import EngineError
from aibr_hunt.hunt.clouds import Clouds, gravest
from aibr_hunt.hunt.run import Request
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.lead import CoverageState, Lead
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.unit.cloud_samples import SOURCE, START, ScriptedEngine, record
from tests.unit.ledger_samples import Clock
from tests.unit.run_samples import request_of, run

NOW = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
DAY = Window(start=START, end=START + timedelta(days=1))
RULES = ["shipped:aws/bedrock/aws_bedrock_guardrail_deleted", "shipped:aws/bedrock/aws_bedrock_models_listed_then_run"]
KEY = {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/a", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"}
EVENTS = [
    record(1, at=timedelta(hours=1)),
    record(2, at=timedelta(hours=2), name="ListFoundationModels", userIdentity=dict(KEY)),
    record(3, at=timedelta(hours=2, minutes=5), name="InvokeModel", userIdentity=dict(KEY)),
    record(4, at=timedelta(hours=30)),
]
OTHER = Source(name="other", mapping=SOURCE.mapping, layout=SOURCE.layout, place="210987654321")


def request(clouds: Clouds | None, logs: Sequence[Path] = (), window: Window = DAY) -> Request:
    return request_of(LIBRARY.load_rules(RULES), window, NOW, clouds=clouds, paths=logs)


def clouds_of(engines: dict[str, CloudEngine], sources: Sequence[Source] = (SOURCE,), ceilings: Ceilings | None = None) -> Clouds:
    def open_engine(source: Source) -> CloudEngine:
        return engines[source.name]

    return Clouds(sources, open_engine, Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(ceilings or Ceilings())))


def keys(leads: Sequence[Lead]) -> set[tuple[str, str]]:
    return {(lead.rule_name, lead.event_key) for lead in leads}


def test_leads_and_episodes_are_those_of_the_files(tmp_path: Path) -> None:
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps(each) + "\n" for each in EVENTS))
    _, from_files = run(tmp_path / "files", request(None, [logs]))
    outcome, from_cloud = run(tmp_path / "cloud", request(clouds_of({"trail": ScriptedEngine(EVENTS)})))
    assert {lead.source for lead in from_cloud} == {"aws_cloudtrail", "episodes"}
    assert keys(from_cloud) == keys(from_files)
    assert {(lead.id, lead.time, lead.action, lead.principal) for lead in from_cloud} == {
        (lead.id, lead.time, lead.action, lead.principal) for lead in from_files
    }
    (sighting,) = next(lead for lead in from_cloud if lead.rule_name == "aws_bedrock_guardrail_deleted").sightings
    assert sighting.path == "athena:trail/job-1"
    assert {row.state for row in outcome.record.coverage} == {CoverageState.SETTLED}
    assert outcome.is_complete


def test_a_source_without_a_pulse_is_not_settled(tmp_path: Path) -> None:
    outcome, leads = run(tmp_path, request(clouds_of({"trail": ScriptedEngine(())})))
    assert leads == []
    assert not outcome.is_complete
    states = {row.state for row in outcome.record.coverage}
    assert CoverageState.SETTLED not in states
    assert CoverageState.NOT_KNOWN_ALIVE in states


def test_a_log_source_that_no_source_holds_is_not_covered(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, request(clouds_of({}, sources=())))
    (row,) = [row for row in outcome.record.coverage if row.rule_id == LIBRARY.load_rules(RULES[:1]).rules[0].id]
    assert row.state is CoverageState.NOT_COVERED
    assert "no configured Source holds the log source aws_cloudtrail" in row.cause


def test_one_failed_source_leaves_the_other_one_looked_at(tmp_path: Path) -> None:
    engines: dict[str, CloudEngine] = {
        "trail": ScriptedEngine(EVENTS),
        "other": ScriptedEngine((), fault=lambda _: EngineError("It is gone.")),
    }
    outcome, leads = run(tmp_path, request(clouds_of(engines, (SOURCE, OTHER))))
    assert keys(leads)
    states = {(row.source, row.state) for row in outcome.record.coverage}
    assert ("athena:trail", CoverageState.SETTLED) in states
    assert ("athena:other", CoverageState.FAILED) in states
    assert not outcome.is_complete
    absence = clouds_of(engines, (SOURCE, OTHER)).claims("aws_cloudtrail", DAY)
    assert absence[0][1] is CoverageState.NOT_COVERED, "nothing is known of Sources before they are asked"


def test_an_engine_that_cannot_be_opened_is_a_failed_source(tmp_path: Path) -> None:
    def refuse(_: Source) -> CloudEngine:
        raise EngineError("There are no credentials.")

    clouds = Clouds([SOURCE], refuse, Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(Ceilings())))
    outcome, _ = run(tmp_path, request(clouds))
    assert {row.cause for row in outcome.record.coverage if row.state is CoverageState.FAILED} == {"There are no credentials."}


def test_a_fault_of_our_own_ends_the_run_and_records_nothing(tmp_path: Path) -> None:
    engine = ScriptedEngine(EVENTS, fault=lambda _: ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, request(clouds_of({"trail": engine})))
    with Ledger.open(tmp_path, clock=Clock(NOW), tell=lambda _: None) as ledger:
        assert ledger.leads() == []


def test_one_event_that_two_programs_return_is_one_lead(tmp_path: Path) -> None:
    asked: list[Question] = []

    def once(question: Question) -> Exception | None:
        asked.append(question)
        return PartialResult("Too much.") if len(asked) == 1 else None

    outcome, leads = run(tmp_path, request(clouds_of({"trail": ScriptedEngine(EVENTS, fault=once)})))
    assert len({lead.id for lead in leads}) == len(leads)
    assert outcome.is_complete


class Waiting(ScriptedEngine):
    """Runs until it is told to stop."""

    def ask(self, question: Question, watch: Watch) -> Answer:
        watch.started("job-1")
        REACHED.set()
        while not watch.is_stopped():
            threading.Event().wait(0.01)
        STOPPED.append(question.source.name)
        raise Stopped("The run was stopped, and the job was told to stop.")


REACHED = threading.Event()
STOPPED: list[str] = []


def test_who_stops_reading_stops_the_remote_jobs() -> None:
    clouds = clouds_of({"trail": Waiting(()), "other": ScriptedEngine(EVENTS)}, (SOURCE, OTHER))
    asked = request(clouds)
    program = Program(asked.rules, mappings=asked.mappings, mapping_of=asked.mapping_of, options=asked.options)
    results = clouds.results(program, asked.scope)
    next(results)
    assert REACHED.wait(10)
    results.close()
    assert STOPPED == ["trail"]
    assert all(not thread.name.startswith("athena:") for thread in threading.enumerate())


Claims = list[tuple[Window, CoverageState, str]]


def test_the_gravest_claim_holds_where_several_do_and_what_nobody_speaks_of_failed() -> None:
    def part(start: int, end: int) -> Window:
        return Window(start=START + timedelta(hours=start), end=START + timedelta(hours=end))

    claims: Claims = [
        (part(0, 10), CoverageState.SETTLED, "a"),
        (part(4, 6), CoverageState.OVER_BUDGET, "b"),
        (part(5, 8), CoverageState.FAILED, "c"),
    ]
    found = [(each, state, cause) for each, state, cause in gravest(claims, part(0, 12))]
    assert found == [
        (part(0, 4), CoverageState.SETTLED, "a"),
        (part(4, 5), CoverageState.OVER_BUDGET, "b"),
        (part(5, 8), CoverageState.FAILED, "c"),
        (part(8, 10), CoverageState.SETTLED, "a"),
        (part(10, 12), CoverageState.FAILED, "it was not looked at"),
    ]
