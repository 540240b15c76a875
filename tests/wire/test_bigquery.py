"""BigQuery over the wire: Google's client itself against a server on the loopback; each fault, and what the user is told of it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.bigquery import LEAST_BILLED, BigQueryEngine
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    Answer,
    ColumnSeen,
    Manners,
    NotThere,
    OverBudget,
    PartialResult,
    Question,
    Stopped,
    TooComplex,
    Watch,
)
from aibr_hunt.engines.cloud.rows import lacking
from aibr_hunt.engines.cloud.scan import SourceScan
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.errors import AibrError, EngineError, UsageError
from aibr_hunt.hunt.clouds import Clouds
from aibr_hunt.model.event import Json
from aibr_hunt.model.job import JobState
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.parity.rows import row_of_record
from tests.unit.run_samples import request_of, run
from tests.wire.bigquery_server import BigQueryServer, Fault, Refused, Reply

AUDIT = next(each for each in LIBRARY.mappings if each.name == "gcp_audit")
_SHIPPED = {each.label: each for each in AUDIT.layouts}
LAYOUT = replace(_SHIPPED["bigquery/export_activity"], table="example-project.logs.cloudaudit_googleapis_com_activity")
SHARDED = replace(_SHIPPED["bigquery/export_sharded"], table="example-project.logs.cloudaudit_googleapis_com_activity_*")
SOURCE = Source(name="audit", mapping=AUDIT, layout=LAYOUT, place="example-project")
SHARDS = replace(SOURCE, layout=SHARDED)
ALL_LOGS = replace(SOURCE, layout=replace(_SHIPPED["bigquery/log_analytics"], table="example-project.logs._AllLogs"))
START = datetime(2026, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 2, 1, 9, tzinfo=UTC)
DAY = Window(start=START, end=START + timedelta(days=1))
QUICK = Manners(deadline_s=20.0, call_s=5.0, attempts=4, wait_s=0.01, longest_wait_s=0.05)
NAMES = ["shipped:gcp/vertexai/gcp_vertexai_model_taken_out", "shipped:gcp/iam/gcp_iam_service_account_key_created"]
TEXT = f"SELECT insertId, timestamp FROM `{LAYOUT.table}` ORDER BY insertId"  # noqa: S608 - a test's own
MANY = "SELECT x * 100 + y AS n FROM UNNEST(GENERATE_ARRAY(0, 99)) AS x, UNNEST(GENERATE_ARRAY(0, 99)) AS y"


def record(number: int, *, method: str = "google.cloud.aiplatform.v1.ModelService.ExportModel", **more: Json) -> dict[str, Json]:
    """Return an entry of the audit log of Vertex AI."""
    return {
        "logName": "projects/example-ml/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": (START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.250Z"),
        "insertId": f"example-{number:04}",
        "severity": "NOTICE",
        "resource": {"type": "audited_resource", "labels": {"project_id": "example-ml"}},
        "protoPayload": {
            "serviceName": "aiplatform.googleapis.com",
            "methodName": method,
            "resourceName": "projects/example-ml/locations/us-central1/models/4242",
            "authenticationInfo": {"principalEmail": "contractor@example.com"},
            "authorizationInfo": [{"permission": "aiplatform.models.export", "granted": True}],
            "requestMetadata": {"callerIp": "192.0.2.61"},
            "request": {"name": "projects/example-ml/models/4242", "outputConfig": {"exportFormatId": "custom-trained"}},
        },
        **more,
    }


EVENTS = [record(number) for number in range(7)]
OTHER = record(8, method="google.cloud.aiplatform.v1.ModelService.GetModel")
ALL = [f"{number:04}" for number in range(7)]


@pytest.fixture
def server() -> Iterator[BigQueryServer]:
    made = BigQueryServer()
    made.load(LAYOUT, [row_of_record(each, AUDIT, LAYOUT) for each in EVENTS])
    yield made
    made.close()


@pytest.fixture
def engine(server: BigQueryServer) -> Iterator[BigQueryEngine]:
    made = BigQueryEngine(project="example-project", endpoint=server.url, manners=QUICK)
    yield made
    made.close()


def question(text: str = TEXT, *, token: str = "0" * 64, most_bytes: int | None = None) -> Question:
    return Question(source=SOURCE, text=text, window=DAY, token=token, most_bytes=most_bytes)


def ids(answer: Answer) -> list[str]:
    return [str(row["insertId"])[-4:] for row in answer.rows]


def refuse(status: int, reason: str, message: str = "Example.", **headers: str) -> Refused:
    return Refused(status, reason, message, {name.replace("_", "-"): value for name, value in headers.items()})


# -- rows -----------------------------------------------------------------------------------------------------------


def test_every_page_is_read_once_and_counted(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 3
    answer = engine.ask(question(), Watch())
    assert ids(answer) == ALL
    assert server.count("page") == 3
    assert answer.statistics.counted_rows == 7
    assert (answer.statistics.scanned_bytes, answer.statistics.billed_bytes) == (1_000, LEAST_BILLED)
    assert answer.statistics.job == server.jobs[0]


def test_ten_thousand_rows_come_once_each(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 3_000
    assert sorted(int(str(row["n"])) for row in engine.ask(question(MANY), Watch()).rows) == list(range(10_000))


def test_an_answer_without_rows_is_whole(engine: BigQueryEngine) -> None:
    answer = engine.ask(question("SELECT 1 AS n FROM UNNEST(CAST([] AS ARRAY<INT64>))"), Watch())
    assert list(answer.rows) == []
    assert answer.statistics.counted_rows == 0


def test_cells_keep_null_apart_from_empty_and_have_their_types(engine: BigQueryEngine) -> None:
    text = """SELECT CAST(NULL AS STRING) AS a, '' AS b, true AS c, 5 AS d, TIMESTAMP '2026-01-12 01:02:03.5Z' AS e, 1.5 AS f,
        NUMERIC '0.000000001' AS g, b'\\xff' AS h, DATE '2026-01-12' AS i, JSON '{"k": [1, null, "2"]}' AS j,
        STRUCT('x' AS k, [STRUCT(1 AS l, CAST(NULL AS STRING) AS m)] AS n) AS o, ['p', 'q'] AS r, CAST(NULL AS ARRAY<STRING>) AS s"""
    (row,) = engine.ask(question(text), Watch()).rows
    assert row == {
        "a": None,
        "b": "",
        "c": True,
        "d": 5,
        "e": datetime(2026, 1, 12, 1, 2, 3, 500_000, tzinfo=UTC),
        "f": 1.5,
        "g": Decimal("0.000000001"),
        "h": b"\xff",
        "i": date(2026, 1, 12),
        "j": {"k": [1, None, "2"]},
        "o": {"k": "x", "n": [{"l": 1, "m": None}]},
        "r": ["p", "q"],
        "s": [],
    }


# -- how a program is sent ------------------------------------------------------------------------------------------


def test_a_job_is_sent_with_its_ceiling_and_without_the_cache(server: BigQueryServer, engine: BigQueryEngine) -> None:
    started: list[str] = []
    list(engine.ask(question(token="ab" * 32, most_bytes=20_000_000), Watch(started=started.append)).rows)
    (told,) = server.said("insert")
    query = told["configuration"]["query"]
    assert (query["useQueryCache"], query["useLegacySql"], query["maximumBytesBilled"]) == (False, False, "20000000")
    assert told["configuration"]["jobTimeoutMs"] == "20000"
    assert told["jobReference"]["jobId"] == f"aibr_hunt-{'ab' * 32}-1"
    assert started == [told["jobReference"]["jobId"]]
    assert "aibr_hunt" in told["agent"]


def test_no_ceiling_sends_none(server: BigQueryServer, engine: BigQueryEngine) -> None:
    list(engine.ask(question(), Watch()).rows)
    assert "maximumBytesBilled" not in server.said("insert")[0]["configuration"]["query"]


def test_a_ceiling_below_what_is_billed_at_least_is_held_by_a_dry_run(server: BigQueryServer, engine: BigQueryEngine) -> None:
    assert ids(engine.ask(question(most_bytes=1_000), Watch())) == ALL
    assert server.said("insert")[0]["configuration"]["query"]["maximumBytesBilled"] == str(LEAST_BILLED)
    with pytest.raises(OverBudget, match="would scan 1,000 bytes, and the ceiling is 999"):
        engine.ask(question(token="1" * 64, most_bytes=999), Watch())
    assert len(server.jobs) == 1


def test_the_engine_itself_holds_the_ceiling(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.size = 30_000_000
    with pytest.raises(OverBudget, match=r"bytes billed: 20000000\. 30000000 or higher required"):
        engine.ask(question(most_bytes=20_000_000), Watch())


def test_the_estimate_is_a_dry_run_and_starts_nothing(server: BigQueryServer, engine: BigQueryEngine) -> None:
    estimate = engine.estimate(question())
    assert (estimate.scanned_bytes, estimate.basis) == (1_000, "dry run")
    assert server.jobs == []
    (told,) = server.said("dry")
    assert told["configuration"]["query"]["useQueryCache"] is False


@pytest.mark.parametrize(("accuracy", "size", "basis"), [("UPPER_BOUND", 1_000, "dry run, upper bound"), ("UNKNOWN", None, "does not say")])
def test_an_estimate_says_how_exact_it_is(
    server: BigQueryServer, engine: BigQueryEngine, accuracy: str, size: int | None, basis: str
) -> None:
    server.accuracy = accuracy
    estimate = engine.estimate(question())
    assert estimate.scanned_bytes == size
    assert basis in estimate.basis


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM t WHERE true",
        "-- SELECT\nDROP TABLE t",
        "SELECT 1; DROP TABLE t",
        "SELECT 'a\n; DROP TABLE t; --'",
        "EXPORT DATA OPTIONS (uri = 'x') AS SELECT 1",
        "SELECT 1 |> CREATE TABLE t",
        "",
    ],
)
def test_nothing_but_one_select_is_sent(server: BigQueryServer, engine: BigQueryEngine, text: str) -> None:
    for send in (engine.estimate, lambda asked: engine.ask(asked, Watch())):
        with pytest.raises(UsageError, match="not one SELECT"):
            send(question(text))
    assert server.calls == []


@pytest.mark.parametrize(
    "text",
    [
        "-- it's ; one\n SELECT 1 AS n",
        "WITH a AS (SELECT ';' AS b) SELECT b FROM a;\n",
        "SELECT r'\\' ; DROP TABLE t -- ' AS n # ;",
        'SELECT """;\n\'""" AS n /* ; */',
        "SELECT 1 AS `a;b`",
    ],
)
def test_a_semicolon_in_a_literal_or_a_comment_ends_no_statement(engine: BigQueryEngine, text: str) -> None:
    assert len(list(engine.ask(question(text), Watch()).rows)) == 1


def test_what_the_engine_reads_as_another_statement_is_refused(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.statement = "SCRIPT"
    with pytest.raises(UsageError, match="reads the program as SCRIPT"):
        engine.estimate(question())


def test_the_location_that_the_dry_run_tells_goes_with_every_later_call(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.location = "europe-west3"
    engine.estimate(question())
    assert ids(engine.ask(question(), Watch())) == ALL
    assert {told["location"] for told in server.said("job")} == {"europe-west3"}


def test_a_job_elsewhere_is_taken_up_where_the_dry_run_says_that_it_is(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.location = "europe-west3"
    list(engine.ask(question(), Watch()).rows)
    again = BigQueryEngine(project="example-project", endpoint=server.url, manners=QUICK)
    with pytest.raises(EngineError, match="Name the location"):
        again.ask(question(), Watch())
    again.estimate(question())
    assert ids(again.ask(question(), Watch())) == ALL
    assert len(server.jobs) == 1
    again.close()


def test_a_job_that_is_not_found_where_it_was_started_asks_for_the_location(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("job", times=99, error=refuse(404, "notFound", "Not found: Job x")))
    with pytest.raises(EngineError, match="Name the location of the data set in the Source"):
        engine.ask(question(), Watch())
    assert server.count("cancel") == 1


def test_a_job_that_names_no_result_is_told(server: BigQueryServer, engine: BigQueryEngine) -> None:
    def without(job: Reply) -> Reply:
        del job["configuration"]["query"]["destinationTable"]
        return job

    server.order(Fault("job", times=99, change=without))
    with pytest.raises(EngineError, match="names no result"):
        engine.ask(question(), Watch())


def test_a_job_that_is_seen_late_is_waited_for(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("job", times=2, error=refuse(404, "notFound", "Not found: Job x")))
    assert ids(engine.ask(question(), Watch())) == ALL


# -- faults that pass -----------------------------------------------------------------------------------------------

PASSING = {
    "rate": Fault("", error=refuse(403, "rateLimitExceeded", "Exceeded rate limits")),
    "429": Fault("", error=refuse(429, "tooManyRequests", Retry_After="0")),
    "500": Fault("", error=refuse(500, "internalError")),
    "503": Fault("", error=refuse(503, "backendError")),
    "502": Fault("", error=refuse(502, "")),
    "cut": Fault("", is_cut=True),
    "lost": Fault("", is_lost=True),
}


@pytest.mark.parametrize("on", ["dry", "insert", "job", "table", "page"])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_fault_that_passes_is_waited_out(server: BigQueryServer, engine: BigQueryEngine, on: str, fault: Fault) -> None:
    server.order(replace(fault, on=on, times=2))
    engine.estimate(question())
    assert ids(engine.ask(question(), Watch())) == ALL
    assert len(server.jobs) == 1, "a start that is repeated starts one job"


def test_a_fault_in_the_middle_of_pages_neither_loses_nor_doubles_a_row(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 2
    server.order(Fault("page", after=1, times=2, error=refuse(503, "backendError")))
    assert ids(engine.ask(question(), Watch())) == ALL
    assert server.count("page") == 6


def test_a_fault_that_does_not_pass_says_how_often_and_what_to_do(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("insert", times=99, error=refuse(403, "rateLimitExceeded")))
    told: list[str] = []
    with pytest.raises(EngineError, match=r"answers 4 times with rateLimitExceeded \(403\).*Try again later") as found:
        engine.ask(question(), Watch(tell=told.append))
    assert found.value.retryable
    assert told[0] == "bigquery:audit: rateLimitExceeded (403); asked again (1 of 3)"


def test_what_the_engine_asks_to_wait_is_waited(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("dry", error=refuse(429, "rateLimitExceeded", Retry_After="1")))
    started = datetime.now(UTC)
    engine.estimate(question())
    assert datetime.now(UTC) - started >= timedelta(seconds=1)


def test_a_server_that_is_not_there_is_told_within_the_attempts() -> None:
    engine = BigQueryEngine(project="example-project", endpoint="http://127.0.0.1:9", manners=QUICK)
    with pytest.raises(EngineError, match=r"answers 4 times with no answer \(ConnectionError\)"):
        engine.estimate(question())
    engine.close()


def test_a_call_that_hangs_is_given_up_and_made_again(server: BigQueryServer) -> None:
    engine = BigQueryEngine(project="example-project", endpoint=server.url, manners=replace(QUICK, call_s=1.0))
    server.order(Fault("page", wait_s=1.5))
    assert ids(engine.ask(question(), Watch())) == ALL
    engine.close()


# -- jobs -----------------------------------------------------------------------------------------------------------


def test_a_job_that_was_started_before_is_taken_up(server: BigQueryServer, engine: BigQueryEngine) -> None:
    first = engine.ask(question(), Watch())
    told: list[str] = []
    again = BigQueryEngine(project="example-project", endpoint=server.url, manners=QUICK)
    assert ids(again.ask(question(), Watch(tell=told.append))) == ids(first) == ALL
    assert len(server.jobs) == 1
    assert "was started before, and is taken up" in told[0]
    again.close()


def test_a_job_whose_result_is_kept_no_longer_is_started_anew(server: BigQueryServer, engine: BigQueryEngine) -> None:
    list(engine.ask(question(), Watch()).rows)
    server.forget_results()
    told: list[str] = []
    answer = engine.ask(question(), Watch(tell=told.append))
    assert ids(answer) == ALL
    assert [each[-2:] for each in server.jobs] == ["-1", "-2"]
    assert answer.statistics.job == server.jobs[1]
    assert "kept no longer" in told[-1]


@pytest.mark.parametrize("reason", ["backendError", "internalError", "jobBackendError", "rateLimitExceeded"])
def test_a_job_that_the_service_lost_is_started_anew(server: BigQueryServer, engine: BigQueryEngine, reason: str) -> None:
    server.end(reason, "An internal error occurred.", times=2)
    assert ids(engine.ask(question(), Watch())) == ALL
    assert [each[-2:] for each in server.jobs] == ["-1", "-2", "-3"]
    assert ids(engine.ask(question(), Watch())) == ALL
    assert len(server.jobs) == 3, "the one that ended well is taken up"


def test_jobs_that_the_service_loses_for_ever_are_given_up(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.end("internalError", "An internal error occurred.", times=99)
    with pytest.raises(EngineError, match="4 jobs gave no rows") as found:
        engine.ask(question(), Watch())
    assert found.value.retryable


def test_a_job_that_someone_cancels_is_told_and_one_that_was_cancelled_is_started_anew(
    server: BigQueryServer, engine: BigQueryEngine
) -> None:
    server.end("stopped", "Job execution was cancelled: User requested cancellation")
    with pytest.raises(EngineError, match="was cancelled by someone else"):
        engine.ask(question(), Watch())
    assert ids(engine.ask(question(), Watch())) == ALL
    assert len(server.jobs) == 2


def test_a_slow_job_is_waited_for(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.polls = 8
    assert ids(engine.ask(question(), Watch())) == ALL
    assert server.count("job") == 9


def test_a_job_without_an_end_is_stopped_at_the_deadline(server: BigQueryServer) -> None:
    server.polls = None
    engine = BigQueryEngine(project="example-project", endpoint=server.url, manners=replace(QUICK, deadline_s=0.5))
    with pytest.raises(EngineError, match=r"gave no answer within 0 s and was stopped.*deadline_s") as found:
        engine.ask(question(), Watch())
    assert found.value.retryable
    assert server.count("cancel") == 1
    engine.close()


def test_who_stops_stops_the_remote_job(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.polls = None
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped, match="bigquery:audit was told to stop too"):
        engine.ask(question(), Watch(is_stopped=stop.is_set))
    assert server.count("cancel") == 1
    assert engine._running == {}


def test_who_stops_while_a_start_is_repeated_stops_a_job_that_may_have_started(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("insert", times=99, is_lost=True))
    stop = threading.Event()
    with pytest.raises(Stopped):
        engine.ask(question(), Watch(is_stopped=stop.is_set, tell=lambda _: stop.set()))
    assert server.count("cancel") == 1


def test_a_stop_that_the_service_does_not_heed_holds_nobody_up(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.polls = None
    server.order(Fault("cancel", times=99, error=refuse(500, "internalError")))
    with pytest.raises(Stopped):
        engine.ask(question(), Watch(is_stopped=lambda: bool(server.jobs)))
    assert server.count("cancel") == 1


def ask_until_stopped(engine: BigQueryEngine, stop: threading.Event) -> None:
    with pytest.raises(AibrError):
        engine.ask(question(), Watch(is_stopped=stop.is_set))


def test_closing_stops_what_still_runs(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.polls = None
    closed = threading.Event()
    thread = threading.Thread(target=ask_until_stopped, args=(engine, closed))
    thread.start()
    while not server.count("job"):
        threading.Event().wait(0.01)
    closed.set()
    engine.close()
    thread.join(10)
    assert server.count("cancel") >= 1


def test_who_stops_between_pages_gets_no_further_page(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 2
    stop = threading.Event()
    rows = engine.ask(question(), Watch(is_stopped=stop.is_set)).rows
    next(rows)
    stop.set()
    with pytest.raises(Stopped):
        list(rows)
    assert server.count("page") == 1


# -- answers that are not whole -------------------------------------------------------------------------------------


def without_last(page: Reply) -> Reply:
    return page | {"rows": page["rows"][:-1]}


def without_rows(page: Reply) -> Reply:
    return {name: value for name, value in page.items() if name != "rows"}


def twice(page: Reply) -> Reply:
    return page | {"rows": page["rows"] * 2}


@pytest.mark.parametrize("change", [without_last, without_rows, twice])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_page_that_lacks_or_repeats_rows_is_no_answer(server: BigQueryServer, engine: BigQueryEngine, change: object, after: int) -> None:
    server.page = 3
    server.order(Fault("page", after=after, change=change))  # type: ignore[arg-type] # a test's shorthand
    answer = engine.ask(question(), Watch())
    with pytest.raises(EngineError, match=r"gave \d+ rows, and the engine counted 7.*not taken for whole") as found:
        list(answer.rows)
    assert found.value.retryable


def test_a_lost_page_is_no_answer(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 2
    server.order(Fault("page", after=1, change=lambda page: page | {"pageToken": "6"}))
    with pytest.raises(EngineError, match="gave 5 rows, and the engine counted 7"):
        list(engine.ask(question(), Watch()).rows)


def test_an_end_that_comes_too_early_is_no_answer(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 2
    server.order(Fault("page", after=1, change=lambda page: {key: value for key, value in page.items() if key != "pageToken"}))
    with pytest.raises(EngineError, match="gave 4 rows, and the engine counted 7"):
        list(engine.ask(question(), Watch()).rows)


def test_pages_that_lead_back_do_not_go_on_for_ever(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.page = 1
    server.order(Fault("page", after=2, times=99, change=lambda page: page | {"pageToken": "2", "rows": []}))
    with pytest.raises(EngineError, match="leads back to one that was read"):
        list(engine.ask(question(), Watch()).rows)


@pytest.mark.parametrize("after", [0, 1])
def test_counts_that_differ_are_no_answer(server: BigQueryServer, engine: BigQueryEngine, after: int) -> None:
    server.page = 4
    server.order(Fault("page", after=after, change=lambda page: page | {"totalRows": "8"}))
    with pytest.raises(EngineError, match="a page counts 8 rows, and the engine counted 7"):
        list(engine.ask(question(), Watch()).rows)


def test_a_cell_that_is_none_of_its_type_is_told(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("page", change=lambda page: page | {"rows": [{"f": [{"v": "a"}, {"v": "yesterday"}]}] * 7}))
    with pytest.raises(EngineError, match="a page of the result cannot be read"):
        list(engine.ask(question(), Watch()).rows)


# -- faults that do not pass ----------------------------------------------------------------------------------------

COMPLEX = (
    "Resources exceeded during query execution: Not enough resources for query planning - too many subqueries or query is too complex."
)
MEMORY = "Resources exceeded during query execution: The query could not be executed in the allotted memory. Peak usage: 158% of limit."
SECONDS = "Query exceeded resource limits. This query used 5000 CPU seconds but would charge only 10M Analysis bytes."
DENIED = "Access Denied: Table example-project:logs.a: User does not have permission to query table example-project:logs.a"
LASTING = [
    ("notFound", "Not found: Table example-project:logs.a was not found in location US", NotThere, "Name project, data set and table"),
    ("invalidQuery", "Unrecognized name: principal at [3:5]", NotThere, r"Unrecognized name: principal at \[3:5\] \(invalidQuery\)"),
    ("invalidQuery", "Field name who does not exist in STRUCT<type STRING> at [3:5]", NotThere, "Field name who"),
    ("invalidQuery", "Name who not found inside p at [3:5]", NotThere, "Name who not found"),
    ("invalid", "example-project:logs.a_* does not match any table.", NotThere, "does not match any table"),
    ("accessDenied", DENIED, AccessRefused, "docs/clouds.md lists the permissions"),
    ("quotaExceeded", "Custom quota exceeded: QueryUsagePerDay", OverBudget, "Raise the ceiling or the quota"),
    ("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 1.", OverBudget, "shorten the window"),
    ("resourcesExceeded", COMPLEX, TooComplex, "query is too complex"),
    ("invalidQuery", "The query is too large. The maximum standard SQL query length is 1024.00K characters", TooComplex, "too large"),
    ("billingTierLimitExceeded", SECONDS, TooComplex, "CPU seconds"),
    ("resourcesExceeded", MEMORY, PartialResult, "allotted memory"),
    ("resourcesExceeded", SECONDS, TooComplex, "CPU seconds"),
    ("timeout", "Operation timed out after 6.0 hours.", PartialResult, "timed out after"),
    ("stopped", "Job execution was cancelled: Job timed out after 60.000 sec", PartialResult, "timed out after"),
    ("responseTooLarge", "Response too large to return.", PartialResult, "too large to return"),
    ("invalidQuery", "Syntax error: Unexpected end of script at [1:9]", EngineError, "Syntax error"),
    ("somethingNew", "It is odd.", EngineError, r"It is odd \(somethingNew\)"),
]


@pytest.mark.parametrize(("reason", "message", "kind", "word"), LASTING)
def test_the_reason_of_a_job_says_what_is_raised(
    server: BigQueryServer, engine: BigQueryEngine, reason: str, message: str, kind: type[AibrError], word: str
) -> None:
    server.end(reason, message)
    with pytest.raises(kind, match=word) as found:
        engine.ask(question(), Watch())
    assert type(found.value) is kind
    assert str(found.value).startswith(f"bigquery:audit: job {server.jobs[0]}")
    assert (len(server.jobs), server.count("cancel"), engine._running) == (1, 0, {})


@pytest.mark.parametrize(("reason", "message", "kind", "word"), [each for each in LASTING if each[0] not in {"stopped", "somethingNew"}])
@pytest.mark.parametrize(("status", "on"), [(400, "dry"), (500, "insert")])
def test_the_reason_of_a_call_says_what_is_raised(
    server: BigQueryServer, engine: BigQueryEngine, reason: str, message: str, kind: type[AibrError], word: str, status: int, on: str
) -> None:
    server.order(Fault(on, times=99, error=refuse(status, reason, message)))
    with pytest.raises(kind, match=word) as found:
        _ = engine.estimate(question()) if on == "dry" else engine.ask(question(), Watch())
    assert type(found.value) is kind
    assert server.count(on) == 1, "it is not tried again"


def test_an_unknown_table_and_an_unknown_column_are_found_by_the_dry_run(engine: BigQueryEngine) -> None:
    with pytest.raises(NotThere, match=r"Table example-project\.logs\.other was not found in location US"):
        engine.estimate(question("SELECT 1 FROM `example-project.logs.other`"))
    with pytest.raises(NotThere, match="Unrecognized name: nobody"):
        engine.estimate(question(TEXT.replace("insertId,", "nobody,")))
    with pytest.raises(NotThere, match="Field name nobody does not exist"):
        engine.estimate(question(TEXT.replace("insertId,", "resource.nobody,")))


def test_a_message_of_many_lines_is_one_sentence(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.end("accessDenied", "Access Denied:\nTable a.\n\n  -----Query Job SQL Follows-----\n 1: SELECT")
    with pytest.raises(AccessRefused) as found:
        engine.ask(question(), Watch())
    assert found.value.what.endswith("failed: Access Denied: Table a (accessDenied).")


@pytest.mark.parametrize("reason", ["accessDenied", "vpcServiceControls", ""])
def test_a_call_that_is_forbidden_is_not_tried_again(server: BigQueryServer, engine: BigQueryEngine, reason: str) -> None:
    server.order(Fault("page", times=99, error=refuse(403, reason, DENIED)))
    with pytest.raises(AccessRefused, match="list_rows failed: Access Denied"):
        list(engine.ask(question(), Watch()).rows)
    assert server.count("page") == 1


# -- credentials ----------------------------------------------------------------------------------------------------


@pytest.fixture
def signed_in(server: BigQueryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryEngine]:
    """An engine that finds its credentials as users' engines do: a service account's key, and tokens that the server gives for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    told = {"type": "service_account", "client_email": "hunter@example.com", "private_key": text, "project_id": "example-project"}
    (tmp_path / "key.json").write_text(json.dumps(told | {"private_key_id": "1", "token_uri": f"{server.url}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
    server.token = "first"  # noqa: S105 - made up
    made = BigQueryEngine(project="example-project", manners=QUICK)
    yield made
    made.close()


def test_a_token_that_expires_is_renewed(server: BigQueryServer, signed_in: BigQueryEngine) -> None:
    server.page = 3
    rows = signed_in.ask(question(), Watch()).rows
    found = [next(rows)]
    server.token = "second"  # noqa: S105 - made up
    found += rows
    assert [str(row["insertId"])[-4:] for row in found] == ALL
    assert server.count("token") == 2


def test_credentials_that_are_not_renewed_are_told(server: BigQueryServer, signed_in: BigQueryEngine) -> None:
    server.order(Fault("token", times=99, error=refuse(400, "invalid_grant", "Token has been revoked.")))
    with pytest.raises(AccessRefused, match=r"bigquery:audit: the Google credentials are not taken.*Sign in again"):
        signed_in.estimate(question())


def test_a_token_that_is_not_taken_is_told(server: BigQueryServer, signed_in: BigQueryEngine) -> None:
    server.order(Fault("dry", times=99, error=refuse(401, "authError", "Request had invalid authentication credentials.")))
    with pytest.raises(AccessRefused, match="invalid authentication credentials"):
        signed_in.estimate(question())


def test_no_credentials_at_all_say_how_to_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(AccessRefused, match=r"finds no Google credentials.*gcloud auth application-default login"):
        BigQueryEngine(project="example-project", manners=QUICK).estimate(question())


def test_a_client_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    monkeypatch.setitem(sys.modules, "google.cloud", None)
    engine = BigQueryEngine(project="example-project", manners=QUICK)
    for send in (lambda: engine.inspect(SOURCE), lambda: engine.estimate(question()), lambda: engine.ask(question(), Watch())):
        with pytest.raises(UsageError, match=r"aibr_hunt\[bigquery\]"):
            send()
    engine.close()


# -- inspection -----------------------------------------------------------------------------------------------------


def test_a_table_tells_its_columns_nested_ones_with_dots(engine: BigQueryEngine) -> None:
    found = engine.inspect(SOURCE)
    assert found.is_there
    assert lacking(LAYOUT, frozenset(column.name for column in found.columns)) == ()
    assert ColumnSeen(name="protopayload_auditlog.authorizationInfo", type="ARRAY<RECORD>") in found.columns
    assert ColumnSeen(name="protopayload_auditlog.authorizationInfo.granted", type="BOOLEAN") in found.columns
    assert ColumnSeen(name="protopayload_auditlog.resourceLocation.currentLocations", type="ARRAY<STRING>") in found.columns
    assert (found.partitions, found.newest) == ("timestamp (by day)", None)
    assert found.notes == ("bigquery:audit: last written to at 2026-01-12 06:40 UTC.",)


def test_a_table_by_ingestion_does_not_prune_by_its_time(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.table_more = {"timePartitioning": {"type": "HOUR"}, "requirePartitionFilter": True}
    found = engine.inspect(SOURCE)
    assert found.partitions == "_PARTITIONTIME (by hour, a filter is required)"
    assert "the layout prunes by timestamp, by which the table is not partitioned" in found.notes[-1]
    server.table_more = {"timePartitioning": None}
    assert engine.inspect(SOURCE).partitions == ""


def test_a_data_set_elsewhere_is_noted(server: BigQueryServer) -> None:
    engine = BigQueryEngine(project="example-project", location="EU", endpoint=server.url, manners=QUICK)
    assert "lies in US, and the Source says EU" in engine.inspect(SOURCE).notes[-1]
    engine.close()


def test_tables_by_day_are_known_by_the_newest(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.load(SHARDED, [])
    server.page = 2
    days = ("20260110", "20260112", "20260111", "2026011", "20261231_old")
    server.shards = [f"cloudaudit_googleapis_com_activity_{day}" for day in days] + ["cloudaudit_googleapis_com_data_access_20260301"]
    found = engine.inspect(SHARDS)
    assert (found.is_there, found.newest) == (True, START)
    assert found.partitions == "_TABLE_SUFFIX (a table for each day)"
    assert "cloudaudit_googleapis_com_activity_20260112" in found.notes[0]
    assert server.count("tables") == 4
    assert "_TABLE_SUFFIX" not in {column.name for column in found.columns}


def test_what_is_not_there_is_told_and_what_may_not_be_seen_is_raised(server: BigQueryServer, engine: BigQueryEngine) -> None:
    other = replace(SOURCE, layout=replace(LAYOUT, table="logs.other"))
    found = engine.inspect(other)
    assert not found.is_there
    assert "Table example-project:logs:other" in found.notes[0]
    assert "holds no table cloudaudit_googleapis_com_activity_YYYYMMDD" in engine.inspect(SHARDS).notes[0]
    server.order(Fault("table", error=refuse(403, "accessDenied", DENIED)))
    with pytest.raises(AccessRefused):
        engine.inspect(SOURCE)
    with pytest.raises(UsageError, match=r"Write it as project\.dataset\.table"):
        engine.inspect(replace(SOURCE, layout=replace(LAYOUT, table="activity")))
    with pytest.raises(UsageError, match="Link a BigQuery data set to the bucket of logs"):
        engine.inspect(replace(SOURCE, layout=replace(LAYOUT, table="example-project.global.logs._AllLogs")))


def test_a_project_of_a_domain_keeps_its_dots(server: BigQueryServer, engine: BigQueryEngine) -> None:
    layout = replace(LAYOUT, table="example.com:example-project.logs.activity")
    server.load(layout, [])
    assert engine.inspect(replace(SOURCE, layout=layout)).is_there


# -- whole runs -----------------------------------------------------------------------------------------------------


def around(ceilings: Ceilings | None = None) -> Surroundings:
    return Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(ceilings or Ceilings()))


@pytest.mark.parametrize("source", [SOURCE, SHARDS, ALL_LOGS], ids=["partitioned", "sharded", "log_analytics"])
def test_leads_are_those_of_the_files(server: BigQueryServer, engine: BigQueryEngine, source: Source, tmp_path: Path) -> None:
    key: Json = {
        "serviceName": "iam.googleapis.com",
        "methodName": "google.iam.admin.v1.CreateServiceAccountKey",
        "authenticationInfo": {"principalEmail": "contractor@example.com"},
    }
    events = [*EVENTS, OTHER, record(9, protoPayload=key), record(2_000)]
    server.load(source.layout, [row_of_record(each, AUDIT, source.layout) for each in events])
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps(each) + "\n" for each in events))
    server.page = 2
    corpus = LIBRARY.load_rules(NAMES)
    _, from_files = run(tmp_path / "files", request_of(corpus, DAY, NOW, paths=[logs]))
    clouds = Clouds([source], lambda _: engine, around())
    outcome, from_cloud = run(tmp_path / "cloud", request_of(corpus, DAY, NOW, clouds=clouds))
    assert len(from_cloud) == 8
    assert {(lead.id, lead.rule_name, lead.time, lead.action, lead.principal) for lead in from_cloud} == {
        (lead.id, lead.rule_name, lead.time, lead.action, lead.principal) for lead in from_files
    }
    assert {row.state for row in outcome.record.coverage} == {CoverageState.SETTLED}
    assert from_cloud[0].sightings[0].path == f"bigquery:audit/{server.jobs[0]}"


def scan(engine: BigQueryEngine, ceilings: Ceilings | None = None) -> SourceScan:
    made = SourceScan(SOURCE, engine, Part(LIBRARY.load_rules(NAMES).rules, AUDIT, Options()), DAY, around(ceilings))
    made.found = [hit.event.identity.key for result in made.results() for hit in result.hits]  # type: ignore[attr-defined] # a test's shorthand
    return made


def test_a_partial_result_and_a_text_too_complex_are_asked_in_halves(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.end("resourcesExceeded", MEMORY)
    server.end("resourcesExceeded", COMPLEX)
    made = scan(engine)
    assert len(made.found) == len(set(made.found)) == 7  # type: ignore[attr-defined] # as above
    states = [job.state for job in made.findings.jobs]
    assert (states[0], states.count(JobState.PARTIAL), states.count(JobState.TOO_COMPLEX)) == (JobState.PARTIAL, 1, 1)
    assert {claim.state for claim in made.findings.claims} == {CoverageState.SETTLED}
    assert {job.estimated_bytes for job in made.findings.jobs} == {1_000}
    assert made.findings.jobs[-1].billed_bytes == LEAST_BILLED


def test_a_run_that_goes_on_after_a_crash_bills_nothing_twice(server: BigQueryServer, engine: BigQueryEngine) -> None:
    first = scan(engine).findings.jobs
    again = scan(engine).findings.jobs
    assert [job.id for job in first] == [job.id for job in again] == server.jobs


def test_a_table_that_lacks_a_column_is_not_covered(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.order(Fault("dry", times=99, error=refuse(400, "invalidQuery", "Unrecognized name: severity at [5:3]")))
    made = scan(engine)
    assert {claim.state for claim in made.findings.claims} == {CoverageState.NOT_COVERED}
    assert "Unrecognized name: severity at [5:3]" in made.findings.claims[0].cause
    assert server.jobs == []


def test_a_ceiling_below_the_dry_run_asks_nothing(server: BigQueryServer, engine: BigQueryEngine) -> None:
    server.size = 5_000_000_000
    made = scan(engine, Ceilings(query_bytes=1_000_000_000))
    assert {claim.state for claim in made.findings.claims} == {CoverageState.OVER_BUDGET}
    assert "It would scan 5.00 GB (dry run), and the ceilings leave 1.00 GB." in made.findings.claims[0].cause
    assert server.jobs == []


def test_google_is_not_imported_with_the_module() -> None:
    import subprocess

    text = "import sys, aibr_hunt.engines.cloud.bigquery; assert not any(name.split('.')[0] == 'google' for name in sys.modules)"
    subprocess.run([sys.executable, "-c", text], check=True)
