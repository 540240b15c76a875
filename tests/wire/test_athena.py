"""Athena over the wire: boto3 itself against a server on the loopback; each fault, and what the user is told of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.athena import LEAST_CUT_OFF, AthenaEngine
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    Manners,
    NotThere,
    OverBudget,
    PartialResult,
    Question,
    Stopped,
    TooComplex,
    Watch,
)
from aibr_hunt.engines.cloud.scan import SourceScan
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.errors import EngineError
from aibr_hunt.model.job import JobState
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.parity.rows import row_of_record
from tests.unit.cloud_samples import LAYOUT, SOURCE, START, TRAIL, record
from tests.wire.athena_server import AthenaWorld, Fault, athena_server

DAY = Window(start=START, end=START + timedelta(days=1))
TABLE = replace(SOURCE, layout=replace(LAYOUT, table="security.trail"))
RULES = LIBRARY.load_rules(["shipped:aws/bedrock/aws_bedrock_guardrail_deleted"]).rules
EVENTS = [record(number, at=timedelta(minutes=number)) for number in range(7)]
QUICK = Manners(deadline_s=20.0, call_s=5.0, attempts=4, wait_s=0.01, longest_wait_s=0.05)
TEXT = 'SELECT eventid, eventtime, resources FROM "security"."trail"'
THROTTLED: Fault = (400, "ThrottlingException", "Rate exceeded")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "EXAMPLE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def world() -> AthenaWorld:
    world = AthenaWorld()
    world.load(TABLE.layout, [row_of_record(each, TRAIL, TABLE.layout) for each in EVENTS])
    return world


@pytest.fixture
def engine(world: AthenaWorld) -> Iterator[AthenaEngine]:
    with athena_server(world) as address:
        made = AthenaEngine(region="eu-west-1", database="security", endpoint=address, manners=QUICK)
        yield made
        made.close()


def question(text: str = TEXT, token: str = "0" * 64) -> Question:
    return Question(source=TABLE, text=text, window=DAY, token=token)


def ids(engine: AthenaEngine, **how: object) -> list[str]:
    answer = engine.ask(question(**how), Watch())  # type: ignore[arg-type] # a test's shorthand
    return sorted(str(row["eventid"])[-2:] for row in answer.rows)


ALL = [f"{number:02}" for number in range(7)]


def test_every_page_is_read_once_and_the_row_of_names_is_none(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.page = 3
    answer = engine.ask(question(), Watch())
    rows = list(answer.rows)
    assert sorted(str(row["eventid"])[-2:] for row in rows) == ALL
    assert world.calls["GetQueryResults"] == 3
    assert answer.statistics.counted_rows == 7
    assert (answer.statistics.scanned_bytes, answer.statistics.billed_bytes) == (7_000, LEAST_CUT_OFF)


def test_cells_keep_null_apart_from_empty_and_have_their_types(engine: AthenaEngine) -> None:
    text = "SELECT CAST(NULL AS VARCHAR) AS a, '' AS b, true AS c, 5 AS d, CAST('2026-01-12 01:02:03.5' AS TIMESTAMP) AS e, 1.5e0 AS f"
    (row,) = engine.ask(question(text), Watch()).rows
    assert row == {"a": None, "b": "", "c": True, "d": 5, "e": datetime(2026, 1, 12, 1, 2, 3, 500_000, tzinfo=UTC), "f": 1.5}


@pytest.mark.parametrize("operation", ["StartQueryExecution", "GetQueryExecution", "GetQueryResults", "GetQueryRuntimeStatistics"])
@pytest.mark.parametrize(
    "fault",
    [
        THROTTLED,
        (429, "TooManyRequestsException", "You have exceeded the limit for the number of queries you can run concurrently."),
        (500, "InternalServerException", "try again"),
        (503, "ServiceUnavailable", "busy"),
        (429, "after", "0"),
        (0, "reset", ""),
    ],
    ids=lambda fault: str(fault[1]),
)
def test_a_fault_that_passes_is_waited_out(world: AthenaWorld, engine: AthenaEngine, operation: str, fault: Fault) -> None:
    world.faults[operation] = [fault, fault]
    assert ids(engine) == ALL
    assert len(world.jobs) == 1, "a start that is repeated starts one job"


def test_a_fault_that_does_not_pass_says_how_often_and_what_to_do(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.faults["StartQueryExecution"] = [THROTTLED] * 10
    told: list[str] = []
    with pytest.raises(EngineError, match=r"answers 4 times with ThrottlingException \(400\).*Try again later") as found:
        engine.ask(question(), Watch(tell=told.append))
    assert found.value.retryable
    assert told[0].startswith("athena:trail: ThrottlingException (400); asked again (1 of 3)")


def test_retry_after_is_heeded(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.faults["GetQueryExecution"] = [(429, "after", "1")]
    began = datetime.now(tz=UTC)
    assert ids(engine) == ALL
    assert datetime.now(tz=UTC) - began >= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("TABLE_NOT_FOUND: line 5:6: Table 'awsdatacatalog.security.trail' does not exist", NotThere),
        ("COLUMN_NOT_FOUND: line 2:3: Column 'resources' cannot be resolved or requester is not authorized to access it", NotThere),
        ("SCHEMA_NOT_FOUND: line 5:6: Schema 'security' does not exist", NotThere),
        ("Query exhausted resources at this scale factor", PartialResult),
        ("EXCEEDED_LOCAL_MEMORY_LIMIT: Query exceeded per-node memory limit", PartialResult),
        ("Query timeout", PartialResult),
        ("COMPILER_ERROR: Compiler failed", TooComplex),
        ("GENERIC_INTERNAL_ERROR: Method too large: com/facebook/presto/$gen/CursorProcessor", TooComplex),
        ("Access Denied (Service: Amazon S3; Status Code: 403)", AccessRefused),
        ("HIVE_BAD_DATA: Malformed file", EngineError),
    ],
)
def test_each_reason_of_a_failed_job_is_its_own_error(
    world: AthenaWorld, engine: AthenaEngine, reason: str, kind: type[EngineError]
) -> None:
    world.reason = reason
    with pytest.raises(kind, match="athena:trail: job job-000000000000") as found:
        ids(engine)
    assert type(found.value) is kind
    assert reason.rstrip(".") in str(found.value)


def test_the_work_groups_cut_off_is_a_ceiling(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.reason, world.ends = "Query cancelled! : Bytes scanned limit was exceeded", "CANCELLED"
    with pytest.raises(OverBudget, match="cut-off"):
        ids(engine)


def test_a_job_that_someone_else_cancelled_is_no_answer(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.reason, world.ends = "Query was cancelled by user", "CANCELLED"
    with pytest.raises(EngineError, match="cancelled by someone else"):
        ids(engine)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"])
def test_refused_credentials_are_told_at_once(world: AthenaWorld, engine: AthenaEngine, code: str) -> None:
    world.faults["StartQueryExecution"] = [(403, code, "User is not authorized to perform: athena:StartQueryExecution")]
    with pytest.raises(AccessRefused, match=r"athena:StartQueryExecution.*docs/clouds\.md"):
        ids(engine)
    assert world.calls["StartQueryExecution"] == 1


@pytest.mark.parametrize(("lost", "repeated"), [(frozenset((1,)), frozenset()), (frozenset(), frozenset((1,)))], ids=["lost", "repeated"])
def test_a_page_that_is_lost_or_comes_twice_is_noticed(
    world: AthenaWorld, engine: AthenaEngine, lost: frozenset[int], repeated: frozenset[int]
) -> None:
    world.page, world.lost, world.repeated = 3, lost, repeated
    with pytest.raises(EngineError, match=r"gave \d+ rows, and the engine counted 7"):
        ids(engine)


def test_a_count_that_differs_and_a_missing_row_of_names_are_noticed(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.counted = 1
    with pytest.raises(EngineError, match="gave 7 rows, and the engine counted 8"):
        ids(engine)
    world.counted, world.is_headless = 0, True
    with pytest.raises(EngineError, match="does not begin with the names"):
        ids(engine, token="1" * 64)


def test_a_job_without_runtime_statistics_is_read_without_a_count(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.faults["GetQueryRuntimeStatistics"] = [(400, "InvalidRequestException", "not available")]
    answer = engine.ask(question(), Watch())
    assert len(list(answer.rows)) == 7
    assert answer.statistics.counted_rows is None


def test_a_token_that_was_used_takes_up_its_job(world: AthenaWorld, engine: AthenaEngine) -> None:
    assert ids(engine) == ids(engine) == ALL
    assert len(world.jobs) == 1
    assert ids(engine, token="1" * 64) == ALL
    assert len(world.jobs) == 2


def test_results_of_earlier_programs_are_not_reused(world: AthenaWorld, engine: AthenaEngine) -> None:
    ids(engine)
    (job,) = world.jobs.values()
    assert job["asked"]["ResultReuseConfiguration"] == {"ResultReuseByAgeConfiguration": {"Enabled": False}}


def test_who_stops_stops_the_remote_job(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.polls = -1
    stop = threading.Event()
    watch = Watch(is_stopped=stop.is_set, started=lambda _: stop.set())
    with pytest.raises(Stopped, match="was told to stop too"):
        engine.ask(question(), watch)
    assert world.stopped == ["job-000000000000"]


def test_a_job_that_never_ends_is_given_up_and_stopped(world: AthenaWorld, engine: AthenaEngine) -> None:
    world.polls = -1
    engine.manners = replace(QUICK, deadline_s=0.3)
    with pytest.raises(EngineError, match=r"gave no answer within 0 s and was stopped.*deadline_s"):
        ids(engine)
    assert world.stopped == ["job-000000000000"]


def test_an_estimate_counts_the_days_of_the_window_and_their_slack(world: AthenaWorld, engine: AthenaEngine) -> None:
    days = [f"AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/{day:02}/a.json.gz" for day in range(8, 18)]
    world.objects = days
    estimate = engine.estimate(question())
    assert estimate.scanned_bytes == 1_000 * len([day for day in range(8, 18) if 11 <= day <= 14])
    assert "upper bound" in estimate.basis
    world.faults["ListObjectsV2"] = [(403, "AccessDenied", "no")]
    assert engine.estimate(question()).scanned_bytes is None


def test_a_table_that_the_catalogue_lacks_is_not_there(world: AthenaWorld, engine: AthenaEngine) -> None:
    gone = replace(TABLE, layout=replace(LAYOUT, table="security.gone"))
    with pytest.raises(NotThere, match=r"names the table security\.gone, which the catalogue does not hold"):
        engine.estimate(replace(question(), source=gone))
    assert not engine.inspect(gone).is_there
    seen = engine.inspect(TABLE)
    assert seen.is_there
    assert {column.name for column in seen.columns} >= {"eventid", "eventname", "useridentity"}
    assert "projected" in seen.partitions
    assert world.calls["StartQueryExecution"] == 0


# -- through the scan -----------------------------------------------------------------------------------------------


def scanned(engine: AthenaEngine) -> tuple[list[str], SourceScan]:
    around = Surroundings(run="R-1", clock=lambda: datetime(2026, 6, 1, tzinfo=UTC), budget=Budget(Ceilings()))
    scan = SourceScan(TABLE, engine, Part(RULES, TRAIL, Options()), DAY, around)
    return sorted(hit.event.identity.key[-2:] for result in scan.results() for hit in result.hits), scan


def test_a_scan_finds_every_event_and_settles_its_window(engine: AthenaEngine) -> None:
    found, scan = scanned(engine)
    assert found == ALL
    assert {claim.state for claim in scan.findings.claims} == {CoverageState.SETTLED}
    (job,) = scan.findings.jobs
    assert (job.state, job.rows, job.counted_rows) == (JobState.DONE, 7, 7)


@pytest.mark.parametrize(
    "reason",
    [
        "HIVE_BAD_DATA: Malformed file",
        "TABLE_NOT_FOUND: Table 'x' does not exist",
        "Query exhausted resources at this scale factor",
        "COMPILER_ERROR",
    ],
)
def test_no_fault_ends_as_settled(world: AthenaWorld, engine: AthenaEngine, reason: str) -> None:
    world.reason = reason
    found, scan = scanned(engine)
    assert found == []
    assert CoverageState.SETTLED not in {claim.state for claim in scan.findings.claims}
