"""Faults by engines, no cell left out: what comes of each, what the ledger says of it, and that none of them ends as a clean night."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from aibr_hunt.cli.gaps import unseen_lines
from aibr_hunt.cli.output import Exit
from aibr_hunt.cli.running import code_of
from aibr_hunt.engines.cloud.budget import Ceilings
from aibr_hunt.engines.cloud.protocol import Watch
from aibr_hunt.model.event import Json
from aibr_hunt.model.job import JobState
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.unit.cloud_samples import START
from tests.unit.cloud_samples import record as trail_record
from tests.unit.run_samples import run
from tests.wire import bigquery_server, log_analytics_server
from tests.wire.bigquery_server import Ending, Refused, Reply
from tests.wire.estates import Estate, estate, request, rows_of, source_of
from tests.wire.log_analytics_server import counts_in
from tests.wire.test_bigquery import COMPLEX, DENIED, MEMORY
from tests.wire.test_bigquery import record as audit_record

DAY: Final = Window(start=START, end=START + timedelta(days=1))
MINUTES: Final = Window(start=START, end=START + timedelta(minutes=4))
ENGINES: Final = (EngineKind.ATHENA, EngineKind.BIGQUERY, EngineKind.KQL)
PLACES: Final = {
    EngineKind.ATHENA: ("aws_cloudtrail", "athena/projection"),
    EngineKind.BIGQUERY: ("gcp_audit", "bigquery/export_activity"),
    EngineKind.KQL: ("aws_cloudtrail", "kql/sentinel"),
}
_AWS_RULES: Final = ("shipped:aws/bedrock/aws_bedrock_guardrail_deleted", "shipped:aws/bedrock/aws_bedrock_invocation_logging_removed")
_GCP_RULES: Final = ("shipped:gcp/vertexai/gcp_vertexai_model_taken_out", "shipped:gcp/iam/gcp_iam_service_account_key_created")
RULES: Final = {EngineKind.ATHENA: _AWS_RULES, EngineKind.BIGQUERY: _GCP_RULES, EngineKind.KQL: _AWS_RULES}
FAULTS: Final = (
    "throttled",
    "retry after",
    "server error",
    "connection cut",
    "slow poll",
    "never ends",
    "token expired",
    "access denied",
    "table missing",
    "column missing",
    "too complex",
    "always too complex",
    "partial result",
    "always partial",
    "page lost",
    "page repeated",
    "wrong count",
    "stopped by the user",
    "over a ceiling",
    "cut off by a ceiling",
)
SETTLED, FAILED, NOT_COVERED, OVER_BUDGET = (
    CoverageState.SETTLED,
    CoverageState.FAILED,
    CoverageState.NOT_COVERED,
    CoverageState.OVER_BUDGET,
)


@dataclass(slots=True)
class Trial:
    """One run in which something goes wrong.

    Attributes:
        estate: Its servers. `engine`: which of them is asked.
        ceilings, watch, stop: Of the run.
        told: Sentences that the user saw while it ran.
    """

    estate: Estate
    engine: EngineKind
    ceilings: Ceilings = field(default_factory=Ceilings)
    stop: threading.Event = field(default_factory=threading.Event)
    stops_when_started: bool = False
    told: list[str] = field(default_factory=list)

    def started(self, _: str) -> None:
        """Stop the run as soon as a job is there, where that is what is tried."""
        if self.stops_when_started:
            self.stop.set()

    @property
    def watch(self) -> Watch:
        return Watch(is_stopped=self.stop.is_set, tell=self.told.append, started=self.started)

    def hurry(self) -> None:
        """Give programs little time."""
        self.estate.manners = replace(self.estate.manners, deadline_s=0.6)

    @property
    def table(self) -> str:
        return self.estate.sources[0].layout.table


Order = Callable[[Trial], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What must come of a fault at an engine.

    Attributes:
        order: Makes it go wrong.
        state: What is known of the rules over the window.
        jobs: How programs ended, of all that were asked.
        says: What the user reads: in the cause of the hole or, where none is left, in what is told while it runs.
        window: What is asked.
        remote: True when what runs in the cloud was told to stop.
    """

    order: Order
    state: CoverageState = SETTLED
    jobs: frozenset[JobState] = frozenset((JobState.DONE,))
    says: str = ""
    window: Window = DAY
    remote: Callable[[Trial], bool] = lambda _: True


def _athena(operation: str, *faults: tuple[int, str, str]) -> Order:
    def order(trial: Trial) -> None:
        trial.estate.athena.faults[operation] = list(faults)

    return order


def _bigquery(*faults: bigquery_server.Fault) -> Order:
    def order(trial: Trial) -> None:
        for fault in faults:
            trial.estate.bigquery.order(replace(fault))

    return order


def _kql(*faults: log_analytics_server.Fault) -> Order:
    def order(trial: Trial) -> None:
        trial.estate.log_analytics.faults = list(faults)

    return order


def _reasons(*reasons: str) -> Order:
    """Let Athena's next programs fail, one for each reason."""

    def order(trial: Trial) -> None:
        trial.estate.athena.reasons = list(reasons)

    return order


def _endings(reason: str, message: str, times: int = 1) -> Order:
    def order(trial: Trial) -> None:
        trial.estate.bigquery._endings.append(Ending(reason, message, times))

    return order


def _refuse(status: int, reason: str, message: str = "Example.", **headers: str) -> Refused:
    return Refused(status, reason, message, {name.replace("_", "-"): value for name, value in headers.items()})


def _all(*orders: Order) -> Order:
    def order(trial: Trial) -> None:
        for each in orders:
            each(trial)

    return order


def _athena_set(**values: Any) -> Order:
    def order(trial: Trial) -> None:
        for name, value in values.items():
            setattr(trial.estate.athena, name, value)

    return order


def _bigquery_set(**values: Any) -> Order:
    def order(trial: Trial) -> None:
        for name, value in values.items():
            setattr(trial.estate.bigquery, name, value)

    return order


def _spoiled(change: Callable[[dict[str, Any]], None]) -> Order:
    """Spoil Log Analytics' first answer."""

    def order(trial: Trial) -> None:
        left = [change]
        trial.estate.log_analytics.spoiled = lambda found: left.pop()(found) if left else None

    return order


def _changed(change: Callable[[Reply], Reply], on: str = "page", after: int = 0) -> Order:
    return _bigquery(bigquery_server.Fault(on, after=after, change=change))


def _no_table(trial: Trial) -> None:
    """Let the Source name a table that nobody made."""
    source = trial.estate.sources[0]
    trial.estate.sources = [replace(source, layout=replace(source.layout, table=f"{source.layout.table}_gone"))]


def _ceiling(size: int) -> Order:
    def order(trial: Trial) -> None:
        trial.ceilings = Ceilings(query_bytes=size)

    return order


def _hurry(trial: Trial) -> None:
    trial.hurry()


def _stopping(trial: Trial) -> None:
    trial.stops_when_started = True


def _emptied(page: Reply) -> Reply:
    return {**page, "rows": []}


def _doubled(page: Reply) -> Reply:
    return {**page, "rows": page["rows"] * 2}


def _counted_more(table: Reply) -> Reply:
    return {**table, "numRows": str(int(table["numRows"]) + 1)}


def _lose(found: dict[str, Any]) -> None:
    found["tables"][0]["rows"].pop()


def _repeat(found: dict[str, Any]) -> None:
    found["tables"][0]["rows"].append(found["tables"][0]["rows"][0])


def _count_less(found: dict[str, Any]) -> None:
    counts_in(found).update(tableRowCount=counts_in(found)["tableRowCount"] - 1)


def _used(trial: Trial) -> None:
    """Let the table have taken in much: a gigabyte an hour."""
    trial.estate.log_analytics.use(trial.table, START, [1000.0] * 24)


def _stopped_remotely(trial: Trial) -> bool:
    if trial.engine is EngineKind.ATHENA:
        return bool(trial.estate.athena.stopped)
    return trial.estate.bigquery.count("cancel") > 0


def _never_started(trial: Trial) -> bool:
    if trial.engine is EngineKind.ATHENA:
        return trial.estate.athena.calls["StartQueryExecution"] == 0
    return not trial.estate.bigquery.jobs and not trial.estate.log_analytics.asked


_A_THROTTLED: Final = (400, "ThrottlingException", "Rate exceeded")
_B_THROTTLED: Final = bigquery_server.Fault("insert", times=2, error=_refuse(403, "rateLimitExceeded", "Exceeded rate limits"))
_K_THROTTLED: Final = log_analytics_server.Fault(429, "ThrottledError", "The request rate is too high.")
_K_COMPLEX: Final = log_analytics_server.Fault(400, "E_QUERY_TOO_COMPLEX", "The query is too complex: the tree exceeds its limits")
_K_MEMORY: Final = log_analytics_server.Fault(400, "E_LOW_MEMORY_CONDITION", "Query execution lacks memory resources to complete")
_K_CUT: Final = log_analytics_server.Fault(kind="cut")
_OBJECTS: Final = [f"AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/{day:02}/a.json.gz" for day in range(8, 18)]
_EXHAUSTED: Final = "Query exhausted resources at this scale factor"
_CUT_OFF: Final = "Query cancelled! : Bytes scanned limit was exceeded"
_HALVED: Final = frozenset((JobState.PARTIAL, JobState.DONE))
_SPLIT: Final = frozenset((JobState.TOO_COMPLEX, JobState.DONE))
_LOST: Final = frozenset((JobState.FAILED, JobState.DONE))
_OVER: Final = frozenset((JobState.OVER_BUDGET, JobState.DONE))
_BARRED: Final = frozenset((JobState.FAILED,))
_GONE: Final = frozenset((JobState.NOT_COVERED,))
_GONE_HERE: Final = frozenset((JobState.NOT_COVERED, JobState.DONE))
_NO_PAGES: Final = "an answer is one body: what a lost or repeated page does elsewhere, a lost or repeated row does here"
_MANY: Final = 99

CELLS: Final[dict[tuple[str, EngineKind], Cell | str]] = {
    # -- Athena
    ("throttled", EngineKind.ATHENA): Cell(
        order=_all(_athena("StartQueryExecution", _A_THROTTLED, _A_THROTTLED), _athena("GetQueryResults", _A_THROTTLED)),
        says="ThrottlingException (400); asked again",
    ),
    ("retry after", EngineKind.ATHENA): Cell(order=_athena("GetQueryExecution", (429, "after", "1")), says="asked again"),
    ("server error", EngineKind.ATHENA): Cell(
        order=_athena("GetQueryResults", *[(500, "InternalServerException", "try again")] * 2), says="asked again"
    ),
    ("connection cut", EngineKind.ATHENA): Cell(order=_athena("GetQueryResults", *[(0, "reset", "")] * 2), says="asked again"),
    ("slow poll", EngineKind.ATHENA): Cell(order=_athena_set(polls=5)),
    ("never ends", EngineKind.ATHENA): Cell(
        order=_all(_athena_set(polls=-1), _hurry),
        state=FAILED,
        jobs=_BARRED,
        says="gave no answer within",
        remote=_stopped_remotely,
    ),
    ("token expired", EngineKind.ATHENA): Cell(
        order=_athena("StartQueryExecution", *[(403, "ExpiredTokenException", "The security token is expired")] * _MANY),
        state=FAILED,
        jobs=_BARRED,
        says="The security token is expired",
    ),
    ("access denied", EngineKind.ATHENA): Cell(
        order=_reasons("Access Denied (Service: Amazon S3; Status Code: 403)"), state=FAILED, jobs=_BARRED, says="Access Denied"
    ),
    ("table missing", EngineKind.ATHENA): Cell(
        order=_no_table, state=NOT_COVERED, jobs=_GONE, says="which the catalogue does not hold", remote=_never_started
    ),
    ("column missing", EngineKind.ATHENA): Cell(
        order=_reasons("COLUMN_NOT_FOUND: line 2:3: Column 'resources' cannot be resolved"),
        state=NOT_COVERED,
        jobs=_GONE_HERE,
        says="Column 'resources' cannot be resolved",
    ),
    ("too complex", EngineKind.ATHENA): Cell(order=_reasons("COMPILER_ERROR: Compiler failed"), jobs=_SPLIT),
    ("always too complex", EngineKind.ATHENA): Cell(
        order=_reasons(*["COMPILER_ERROR: Compiler failed"] * _MANY),
        state=FAILED,
        jobs=frozenset((JobState.TOO_COMPLEX,)),
        says="The rule alone is too complex",
    ),
    ("partial result", EngineKind.ATHENA): Cell(order=_reasons(_EXHAUSTED), jobs=_HALVED),
    ("always partial", EngineKind.ATHENA): Cell(
        order=_reasons(*[_EXHAUSTED] * _MANY),
        state=FAILED,
        jobs=frozenset((JobState.PARTIAL,)),
        says="not halved any further",
        window=MINUTES,
    ),
    ("page lost", EngineKind.ATHENA): Cell(
        order=_athena_set(page=3, lost=frozenset((1,))), state=FAILED, jobs=_LOST, says="and the engine counted 7"
    ),
    ("page repeated", EngineKind.ATHENA): Cell(
        order=_athena_set(page=3, repeated=frozenset((1,))), state=FAILED, jobs=_LOST, says="and the engine counted 7"
    ),
    ("wrong count", EngineKind.ATHENA): Cell(
        order=_athena_set(counted=1), state=FAILED, jobs=_BARRED, says="gave 7 rows, and the engine counted 8"
    ),
    ("stopped by the user", EngineKind.ATHENA): Cell(
        order=_all(_athena_set(polls=-1), _stopping),
        state=FAILED,
        jobs=_BARRED,
        says="was told to stop too",
        remote=_stopped_remotely,
    ),
    ("over a ceiling", EngineKind.ATHENA): Cell(
        order=_all(_athena_set(objects=_OBJECTS), _ceiling(500)),
        state=OVER_BUDGET,
        jobs=frozenset((JobState.OVER_BUDGET,)),
        says="It would scan",
        remote=_never_started,
    ),
    ("cut off by a ceiling", EngineKind.ATHENA): Cell(
        order=_all(_reasons(_CUT_OFF), _athena_set(ends="CANCELLED")), state=OVER_BUDGET, jobs=_OVER, says="cut-off"
    ),
    # -- BigQuery
    ("throttled", EngineKind.BIGQUERY): Cell(order=_bigquery(_B_THROTTLED, replace(_B_THROTTLED, on="page")), says="asked again"),
    ("retry after", EngineKind.BIGQUERY): Cell(
        order=_bigquery(bigquery_server.Fault("job", error=_refuse(429, "tooManyRequests", Retry_After="1"))), says="asked again"
    ),
    ("server error", EngineKind.BIGQUERY): Cell(
        order=_bigquery(bigquery_server.Fault("page", times=2, error=_refuse(503, "backendError"))), says="asked again"
    ),
    ("connection cut", EngineKind.BIGQUERY): Cell(order=_bigquery(bigquery_server.Fault("page", times=2, is_cut=True)), says="asked again"),
    ("slow poll", EngineKind.BIGQUERY): Cell(order=_bigquery_set(polls=5)),
    ("never ends", EngineKind.BIGQUERY): Cell(
        order=_all(_bigquery_set(polls=None), _hurry),
        state=FAILED,
        jobs=_BARRED,
        says="gave no answer within",
        remote=_stopped_remotely,
    ),
    ("token expired", EngineKind.BIGQUERY): Cell(
        order=_bigquery(
            bigquery_server.Fault("dry", times=_MANY, error=_refuse(401, "authError", "Request had invalid authentication credentials."))
        ),
        state=FAILED,
        jobs=_BARRED,
        says="the Google credentials are not taken",
        remote=_never_started,
    ),
    ("access denied", EngineKind.BIGQUERY): Cell(
        order=_bigquery(bigquery_server.Fault("dry", times=_MANY, error=_refuse(403, "accessDenied", DENIED))),
        state=FAILED,
        jobs=_BARRED,
        says="does not have permission",
        remote=_never_started,
    ),
    ("table missing", EngineKind.BIGQUERY): Cell(
        order=_no_table, state=NOT_COVERED, jobs=_GONE, says="was not found in location US", remote=_never_started
    ),
    ("column missing", EngineKind.BIGQUERY): Cell(
        order=_bigquery(bigquery_server.Fault("dry", error=_refuse(400, "invalidQuery", "Unrecognized name: severity at [5:3]"))),
        state=NOT_COVERED,
        jobs=_GONE_HERE,
        says="Unrecognized name: severity",
    ),
    ("too complex", EngineKind.BIGQUERY): Cell(order=_endings("resourcesExceeded", COMPLEX), jobs=_SPLIT),
    ("always too complex", EngineKind.BIGQUERY): Cell(
        order=_endings("resourcesExceeded", COMPLEX, _MANY),
        state=FAILED,
        jobs=frozenset((JobState.TOO_COMPLEX,)),
        says="The rule alone is too complex",
    ),
    ("partial result", EngineKind.BIGQUERY): Cell(order=_endings("resourcesExceeded", MEMORY), jobs=_HALVED),
    ("always partial", EngineKind.BIGQUERY): Cell(
        order=_endings("resourcesExceeded", MEMORY, _MANY),
        state=FAILED,
        jobs=frozenset((JobState.PARTIAL,)),
        says="not halved any further",
        window=MINUTES,
    ),
    ("page lost", EngineKind.BIGQUERY): Cell(
        order=_all(_bigquery_set(page=3), _changed(_emptied, after=1)),
        state=FAILED,
        jobs=_LOST,
        says="gave 4 rows, and the engine counted 7",
    ),
    ("page repeated", EngineKind.BIGQUERY): Cell(
        order=_all(_bigquery_set(page=3), _changed(_doubled, after=1)),
        state=FAILED,
        jobs=_LOST,
        says="gave 9 rows, and the engine counted 7",
    ),
    ("wrong count", EngineKind.BIGQUERY): Cell(
        order=_changed(_counted_more, on="table"), state=FAILED, jobs=_LOST, says="a page counts 7 rows, and the engine counted 8"
    ),
    ("stopped by the user", EngineKind.BIGQUERY): Cell(
        order=_all(_bigquery_set(polls=None), _stopping),
        state=FAILED,
        jobs=_BARRED,
        says="was told to stop too",
        remote=_stopped_remotely,
    ),
    ("over a ceiling", EngineKind.BIGQUERY): Cell(
        order=_all(_bigquery_set(size=5_000_000_000), _ceiling(1_000_000_000)),
        state=OVER_BUDGET,
        jobs=frozenset((JobState.OVER_BUDGET,)),
        says="It would scan 5.00 GB (dry run), and the ceilings leave 1.00 GB.",
        remote=_never_started,
    ),
    ("cut off by a ceiling", EngineKind.BIGQUERY): Cell(
        order=_endings("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 1000. 10485760 or higher required."),
        state=OVER_BUDGET,
        jobs=_OVER,
        says="limit for bytes billed",
    ),
    # -- Log Analytics
    ("throttled", EngineKind.KQL): Cell(order=_kql(_K_THROTTLED, _K_THROTTLED), says="too many requests (429); asked again"),
    ("retry after", EngineKind.KQL): Cell(order=_kql(replace(_K_THROTTLED, after="1")), says="asked again"),
    ("server error", EngineKind.KQL): Cell(
        order=_kql(*[log_analytics_server.Fault(503, "ServiceUnavailable", "busy")] * 2), says="asked again"
    ),
    ("connection cut", EngineKind.KQL): Cell(order=_kql(log_analytics_server.Fault(kind="reset"), _K_CUT), says="asked again"),
    ("slow poll", EngineKind.KQL): "cannot happen here: the call that asks is the call that answers, and nothing is polled",
    ("never ends", EngineKind.KQL): Cell(
        order=_all(_kql(*[log_analytics_server.Fault(kind="hang")] * _MANY), _hurry),
        state=FAILED,
        jobs=_BARRED,
        says="gave no answer within",
    ),
    ("token expired", EngineKind.KQL): Cell(
        order=_kql(*[log_analytics_server.Fault(401, "InvalidTokenError", "The provided authentication is not valid")] * _MANY),
        state=FAILED,
        jobs=_BARRED,
        says="The provided authentication is not valid",
    ),
    ("access denied", EngineKind.KQL): Cell(
        order=_kql(*[log_analytics_server.Fault(403, "InsufficientAccessError", "The credentials have insufficient access")] * _MANY),
        state=FAILED,
        jobs=_BARRED,
        says="insufficient access",
    ),
    ("table missing", EngineKind.KQL): Cell(order=_no_table, state=NOT_COVERED, jobs=_GONE, says="AWSCloudTrail_gone"),
    ("column missing", EngineKind.KQL): Cell(
        order=_kql(log_analytics_server.Fault(400, "SEM0100", "'project' operator: Failed to resolve scalar expression named 'Resources'")),
        state=NOT_COVERED,
        jobs=_GONE_HERE,
        says="named 'Resources'",
    ),
    ("too complex", EngineKind.KQL): Cell(order=_kql(_K_COMPLEX), jobs=_SPLIT),
    ("always too complex", EngineKind.KQL): Cell(
        order=_kql(*[_K_COMPLEX] * _MANY),
        state=FAILED,
        jobs=frozenset((JobState.TOO_COMPLEX,)),
        says="The rule alone is too complex",
    ),
    ("partial result", EngineKind.KQL): Cell(order=_kql(_K_MEMORY), jobs=_HALVED),
    ("always partial", EngineKind.KQL): Cell(
        order=_kql(*[_K_MEMORY] * _MANY), state=FAILED, jobs=frozenset((JobState.PARTIAL,)), says="not halved any further", window=MINUTES
    ),
    ("page lost", EngineKind.KQL): Cell(order=_spoiled(_lose), jobs=_HALVED),
    ("page repeated", EngineKind.KQL): Cell(
        order=_spoiled(_repeat), state=FAILED, jobs=_LOST, says="gave 8 rows, and the service counted 7"
    ),
    ("wrong count", EngineKind.KQL): Cell(
        order=_spoiled(_count_less), state=FAILED, jobs=_LOST, says="gave 7 rows, and the service counted 6"
    ),
    ("stopped by the user", EngineKind.KQL): Cell(
        order=_all(_kql(*[log_analytics_server.Fault(kind="hang")] * _MANY), _stopping), state=FAILED, jobs=_BARRED, says="was stopped"
    ),
    ("over a ceiling", EngineKind.KQL): Cell(
        order=_all(_used, _ceiling(1_000_000_000)),
        state=OVER_BUDGET,
        jobs=frozenset((JobState.OVER_BUDGET,)),
        says="It would scan",
        remote=_never_started,
    ),
    (
        "cut off by a ceiling",
        EngineKind.KQL,
    ): "cannot happen here: the interface takes no ceiling, and so nothing is handed to it that could cut",
}


def events_of(engine: EngineKind) -> list[dict[str, Json]]:
    """Return seven events that meet the first rule, and one that meets none."""
    if engine is EngineKind.BIGQUERY:
        return [*(audit_record(number) for number in range(7)), audit_record(8, method="google.cloud.aiplatform.v1.ModelService.GetModel")]
    other = trail_record(8, at=timedelta(minutes=8), name="ListGuardrails")
    return [*(trail_record(number, at=timedelta(minutes=number)) for number in range(7)), other]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "EXAMPLE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def trial(engine: EngineKind) -> Iterator[Trial]:
    source = source_of(*PLACES[engine])
    with estate([source]) as made:
        rows, _, misfits = rows_of({source.mapping.name: events_of(engine)}, [source])
        assert misfits == 0
        made.load(rows)
        yield Trial(made, engine)


def test_no_cell_is_missing() -> None:
    assert set(CELLS) == {(fault, engine) for fault in FAULTS for engine in ENGINES}
    assert all(cell.startswith("cannot happen here: ") for cell in CELLS.values() if isinstance(cell, str))


HAPPENING: Final = [key for key, cell in CELLS.items() if isinstance(cell, Cell)]


@pytest.mark.parametrize("engine", ENGINES)
def test_without_a_fault_every_hit_comes_and_the_night_is_settled(trial: Trial, engine: EngineKind, tmp_path: Path) -> None:
    assert trial.engine is engine
    check(trial, Cell(order=lambda _: None), tmp_path)
    assert trial.told == []


@pytest.mark.parametrize(("fault", "engine"), HAPPENING, ids=[f"{engine.value}-{fault.replace(' ', '_')}" for fault, engine in HAPPENING])
def test_what_comes_of_a_fault(trial: Trial, fault: str, engine: EngineKind, tmp_path: Path) -> None:
    cell = CELLS[fault, engine]
    assert isinstance(cell, Cell)
    check(trial, cell, tmp_path)


def check(trial: Trial, cell: Cell, home: Path) -> None:
    """Run, and hold what came of it against the cell, and against what holds of every cell."""
    cell.order(trial)
    corpus = LIBRARY.load_rules(RULES[trial.engine])
    outcome, leads = run(home, request(corpus, cell.window, clouds=trial.estate.clouds(trial.ceilings, trial.watch)))
    wanted = {str(each["insertId" if trial.engine is EngineKind.BIGQUERY else "eventID"]) for each in events_of(trial.engine)[:7]}
    found = Counter(next((ident for ident in wanted if ident in lead.event_key), lead.event_key) for lead in leads)
    states = {row.state for row in outcome.record.coverage}
    causes = " ".join(row.cause for row in outcome.record.coverage)
    jobs = {job.state for job in outcome.record.jobs}

    assert found <= Counter(wanted), "no hit is doubled or made up"
    if set(found) != wanted:
        assert SETTLED not in states, "no window is settled of which a row is missing"
        assert not outcome.is_complete, "a run that lacks a hit ends as incomplete"
    assert states == {cell.state}, causes
    assert jobs == cell.jobs, [(job.state.value, job.cause) for job in outcome.record.jobs]
    assert set(found) == (wanted if cell.state is SETTLED else set()), "all the hits, or none and a named hole"
    assert outcome.is_complete is (cell.state is SETTLED)
    assert cell.says in (" ".join(trial.told) if cell.state is SETTLED else causes), (trial.told, causes)
    shown = "\n".join(unseen_lines(outcome.record))
    assert (shown == "") if cell.state is SETTLED else (cell.says in shown), "what the command prints as not seen"
    code = code_of(outcome, leads, failing=("findings", "incomplete"))
    assert code is (Exit.FINDINGS if cell.state is SETTLED else Exit.INCOMPLETE), "no fault ends as clean"
    assert all(bool(job.cause) is (job.state is not JobState.DONE) for job in outcome.record.jobs), "what went wrong says why"
    assert cell.remote(trial)
