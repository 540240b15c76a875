"""The journal of a cloud run: what was started is on disk before rows come, and who takes the run up again starts nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.athena import AthenaEngine
from aibr_hunt.engines.cloud.attended import Attended
from aibr_hunt.engines.cloud.bigquery import BigQueryEngine
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.journal import LOOKING, Begun, Journal, cut_off, spent_since
from aibr_hunt.engines.cloud.log_analytics import LogAnalyticsEngine
from aibr_hunt.engines.cloud.opening import Opener, manners_of, open_engine, price_of
from aibr_hunt.engines.cloud.protocol import Answer, CloudEngine, NotThere, Question, Statistics, Stopped, Watch
from aibr_hunt.engines.cloud.scan import SourceScan
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.unit.cloud_samples import SOURCE, START, TRAIL, ScriptedEngine, record

NOW = datetime(2026, 2, 1, 9, tzinfo=UTC)
DAY = Window(start=START, end=START + timedelta(days=1))
BEGUN = Begun(run="R-1", kind="files", words=("run", "x y"), sources=("athena:trail",), window=DAY, began=NOW, rules="d")


def question(token: str = "a" * 64) -> Question:
    return Question(source=SOURCE, text="SELECT 1", window=DAY, token=token)


@dataclass
class Noting(ScriptedEngine):
    """Says under which tokens it was asked; a token that it knows is the same job again."""

    tokens: list[str] = field(default_factory=list)

    def ask(self, question: Question, watch: Watch) -> Answer:
        self.tokens.append(question.token)
        watch.started(f"job-{question.token[:6]}")
        error = self.fault(question)
        if error is not None:
            raise error
        statistics = Statistics(job=f"job-{question.token[:6]}", scanned_bytes=self.scanned)
        return Answer(rows=iter(()), statistics=statistics)


def attended(engine: CloudEngine, journal: Journal, *, at_once: int = 1) -> Attended:
    return Attended(engine=engine, journal=journal, clock=lambda: NOW, gate=threading.Semaphore(at_once))


def test_what_a_run_was_begun_with_comes_back(tmp_path: Path) -> None:
    Journal.create(tmp_path / "runs", BEGUN).close()
    assert (tmp_path / "runs").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "runs" / "R-1.jsonl").stat().st_mode & 0o777 == 0o600
    journal = Journal.resume(tmp_path / "runs", "R-1")
    assert journal.begun == BEGUN
    assert journal.jobs == 0
    journal.finish()
    with pytest.raises(UsageError, match="There is no run R-1 that was cut off"):
        Journal.resume(tmp_path / "runs", "R-1")


def test_a_job_is_on_disk_before_its_rows_come(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, BEGUN)

    class Looking(Noting):
        def ask(self, question: Question, watch: Watch) -> Answer:  # noqa: ARG002 - the protocol's
            watch.started("job-1")
            assert '"job": "job-1"' in (tmp_path / "R-1.jsonl").read_text(encoding="utf-8")
            return Answer(rows=iter(()), statistics=Statistics(job="job-1", scanned_bytes=5))

    told: list[str] = []
    attended(Looking(()), journal).ask(question(), Watch(started=told.append))
    assert told == ["job-1"]
    assert journal.jobs == 1
    journal.close()


def test_who_holds_a_run_is_left_alone_and_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, BEGUN)
    attended(Noting(()), journal).ask(question(), Watch())
    assert cut_off(tmp_path) == ()
    with pytest.raises(UsageError, match="The run R-1 still goes on"):
        Journal.resume(tmp_path, "R-1")
    journal.close()
    with (tmp_path / "R-1.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"token": "b')
    (found,) = cut_off(tmp_path)
    assert (found.begun, found.jobs) == (BEGUN, 1)
    again = Journal.resume(tmp_path, "R-1")
    attended(Noting(()), again).ask(question("c" * 64), Watch())
    again.close()
    assert cut_off(tmp_path)[0].jobs == 2


def test_a_journal_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "R-1.jsonl").write_text("nothing\n", encoding="utf-8")
    assert cut_off(tmp_path) == ()
    with pytest.raises(UsageError, match="cannot be read"):
        Journal.resume(tmp_path, "R-1")
    with pytest.raises(UsageError, match="cannot be written"):
        Journal.create(tmp_path, BEGUN)


@pytest.mark.parametrize(
    ("error", "is_new"),
    [
        (Stopped("Stopped."), True),
        (EngineError("It took too long and was stopped.", retryable=True), True),
        (NotThere("There is no such table."), False),
        (EngineError("It failed."), False),
    ],
)
def test_a_job_that_was_stopped_is_asked_anew_and_one_that_failed_is_not(tmp_path: Path, error: Exception, *, is_new: bool) -> None:
    journal = Journal.create(tmp_path, BEGUN)
    engine = Noting((), fault=lambda _: error)
    with pytest.raises(type(error)):
        attended(engine, journal).ask(question(), Watch())
    journal.close()
    again = Journal.resume(tmp_path, "R-1")
    working = Noting(())
    for _ in range(2):
        attended(working, again).ask(question(), Watch())
    assert len(set(working.tokens)) == 1
    assert (working.tokens[0] != engine.tokens[0]) is is_new
    again.close()


def test_an_error_before_a_job_started_leaves_its_token(tmp_path: Path) -> None:
    class Refusing(Noting):
        def ask(self, question: Question, watch: Watch) -> Answer:  # noqa: ARG002 - the protocol's
            raise EngineError("Nobody answers.", retryable=True)

    journal = Journal.create(tmp_path, BEGUN)
    with pytest.raises(EngineError):
        attended(Refusing(()), journal).ask(question(), Watch())
    assert journal.asked(question()) == question()
    journal.finish()


def test_what_runs_that_are_not_on_record_spent_counts_for_the_day(tmp_path: Path) -> None:
    price = Price(per_tib=float(1 << 40))
    journal = Journal.create(tmp_path, BEGUN)
    attended(Noting((), scanned=7, price=price), journal).ask(question(), Watch())
    journal.close()
    midnight = NOW.replace(hour=0)
    assert spent_since(tmp_path, midnight) == (7, 7.0)
    assert spent_since(tmp_path, midnight, without="R-1") == (0, 0.0)
    assert spent_since(tmp_path, NOW + timedelta(hours=1)) == (0, 0.0)


def test_a_look_counts_for_its_day_is_no_run_and_is_forgotten_later(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, replace(BEGUN, run="D-1", kind=LOOKING))
    attended(Noting((), scanned=7), journal).ask(question(), Watch())
    journal.close()
    assert cut_off(tmp_path) == ()
    assert spent_since(tmp_path, NOW.replace(hour=0)) == (7, 0.0)
    assert spent_since(tmp_path, NOW + timedelta(days=2)) == (0, 0.0)
    assert list(tmp_path.iterdir()) == []


def test_no_more_programs_of_an_account_run_at_once_than_it_allows(tmp_path: Path) -> None:
    running, most, lock = [0], [0], threading.Lock()

    class Busy(Noting):
        def ask(self, question: Question, watch: Watch) -> Answer:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            threading.Event().wait(0.02)
            with lock:
                running[0] -= 1
            return super().ask(question, watch)

    journal = Journal.create(tmp_path, BEGUN)
    source = replace(SOURCE, settings={"at_once": "2"})
    opener = Opener(journal=journal, clock=lambda: NOW, open=lambda _: Busy(()))
    threads = [threading.Thread(target=opener(source).ask, args=(question(f"{each:064}"), Watch())) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2
    assert journal.jobs == 8
    journal.finish()


def test_who_waits_for_others_heeds_a_stop(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, BEGUN)
    with pytest.raises(Stopped, match="before athena:trail was asked"):
        attended(Noting(()), journal, at_once=0).ask(question(), Watch(is_stopped=lambda: True))
    journal.finish()


def configured(engine: EngineKind, settings: dict[str, str]) -> Source:
    return Source(name="x", mapping=TRAIL, layout=replace(SOURCE.layout, engine=engine), place="p", settings=settings)


def test_each_engine_is_opened_by_what_its_source_says() -> None:
    patience = {"deadline_s": "90", "at_once": "3", "price_per_tib": "6.25", "currency": "EUR"}
    said = {"region": "eu-west-1", "workgroup": "hunt", "output": "s3://example/", **patience}
    athena = open_engine(configured(EngineKind.ATHENA, said))
    assert isinstance(athena, AthenaEngine)
    assert (athena.region, athena.workgroup, athena.catalog, athena.output) == ("eu-west-1", "hunt", "AwsDataCatalog", "s3://example/")
    assert (athena.manners.deadline_s, athena.manners.at_once) == (90.0, 3)
    assert athena.price == Price(per_tib=6.25, currency="EUR", least_bytes=10_000_000)
    query = open_engine(configured(EngineKind.BIGQUERY, {"project": "example", "location": "EU", **patience}))
    assert isinstance(query, BigQueryEngine)
    assert (query.project, query.location, query.price) == ("example", "EU", Price(per_tib=6.25, currency="EUR", least_bytes=10 << 20))
    logs = open_engine(configured(EngineKind.KQL, {"workspace": "w"}))
    assert isinstance(logs, LogAnalyticsEngine)
    assert (logs.workspace, logs.price) == ("w", None)
    with pytest.raises(UsageError, match="duckdb:x is no Source in a cloud"):
        open_engine(configured(EngineKind.DUCKDB, {}))
    assert price_of(configured(EngineKind.ATHENA, {})) is None
    assert manners_of(configured(EngineKind.ATHENA, {})).deadline_s == 3600


def states(events: Sequence[timedelta], began: datetime | None) -> dict[CoverageState, Window]:
    rules = LIBRARY.load_rules(["shipped:aws/bedrock/aws_bedrock_guardrail_deleted"]).rules
    engine = ScriptedEngine([record(number, at=at) for number, at in enumerate(events)])
    around = Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(Ceilings()), began=began)
    scan = SourceScan(SOURCE, engine, Part(rules, TRAIL, Options()), DAY, around)
    assert [query.rules for query in scan.programs()] == [tuple(rule.id for rule in rules)]
    assert engine.asked == []
    list(scan.results())
    return {claim.state: claim.window for claim in scan.findings.claims}


def test_jobs_that_are_taken_up_settle_nothing_that_they_were_too_early_for() -> None:
    edge = START + timedelta(hours=23)
    assert states([timedelta(hours=1)], None) == {CoverageState.SETTLED: DAY}
    assert states([timedelta(hours=1)], START + timedelta(days=1)) == {
        CoverageState.SETTLED: Window(start=START, end=edge),
        CoverageState.PROVISIONAL: Window(start=edge, end=DAY.end),
    }
    assert states([timedelta(hours=1)], START + timedelta(days=3)) == {CoverageState.SETTLED: DAY}
