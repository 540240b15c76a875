"""Log Analytics over the wire: Azure's client itself against a server on the loopback; each fault, and what the user is told of it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aibr_hunt.compile.pack import pack
from aibr_hunt.compile.program import Asking
from aibr_hunt.compile.pulse import pulse_query
from aibr_hunt.engines.cloud import log_analytics_answers as answers
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.log_analytics import LogAnalyticsEngine
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    Manners,
    NotThere,
    PartialResult,
    Question,
    Row,
    Stopped,
    TooComplex,
    Watch,
)
from aibr_hunt.engines.cloud.pulse import pulses_in
from aibr_hunt.engines.cloud.scan import SourceScan
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.hunt.clouds import Clouds
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.job import JobState, Price
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.query import Form
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.parity.rows import row_of_record
from tests.standins.kusto import check
from tests.unit.cloud_samples import RULES, START, TRAIL, record
from tests.unit.run_samples import run
from tests.unit.test_hunt_clouds import EVENTS as HUNTED
from tests.unit.test_hunt_clouds import NOW, keys, request
from tests.wire.log_analytics_server import USAGE, Fault, Json, LogAnalyticsWorld, counts_in, log_analytics_server

WORKSPACE = "00000000-0000-4000-8000-00000000000a"
DAY = Window(start=START, end=START + timedelta(days=1))
LAYOUT = next(each for each in TRAIL.layouts if each.label == "kql/sentinel")
TABLE = Source(name="sentinel", mapping=TRAIL, layout=LAYOUT, place=WORKSPACE)
DELETED = LIBRARY.load_rules(["shipped:aws/bedrock/aws_bedrock_guardrail_deleted"]).rules
EVENTS = [record(number, at=timedelta(minutes=number)) for number in range(7)]
QUICK = Manners(deadline_s=20.0, call_s=5.0, attempts=4, wait_s=0.01, longest_wait_s=0.05)
TEXT = "AWSCloudTrail\n| project TimeGenerated, AwsEventId, Resources\n"
JOB = "00000000-0000-0000-0000-000000000000"
PLACES = [(mapping, each) for mapping in LIBRARY.mappings for each in mapping.layouts if each.engine is EngineKind.KQL]
THROTTLED = Fault(429, "ThrottledError", "The request rate is too high.")


def rows_in(layout: Layout, records: list[Json], mapping: Mapping = TRAIL) -> list[Row]:
    return [row_of_record(each, mapping, layout) for each in records]


ROWS = rows_in(LAYOUT, EVENTS)


@pytest.fixture
def world() -> LogAnalyticsWorld:
    world = LogAnalyticsWorld()
    world.load(LAYOUT, ROWS)
    return world


@pytest.fixture
def engine(world: LogAnalyticsWorld) -> Iterator[LogAnalyticsEngine]:
    with log_analytics_server(world) as address:
        made = LogAnalyticsEngine(workspace=WORKSPACE, endpoint=address, manners=QUICK)
        yield made
        made.close()


def question(text: str = TEXT, window: Window = DAY, source: Source = TABLE, token: str = "0" * 64) -> Question:
    return Question(source=source, text=text, window=window, token=token)


def ids(engine: LogAnalyticsEngine, **how: object) -> list[str]:
    answer = engine.ask(question(**how), Watch())  # type: ignore[arg-type] # a test's shorthand
    return sorted(str(row["AwsEventId"])[-2:] for row in answer.rows)


ALL = [f"{number:02}" for number in range(7)]


# -- results --------------------------------------------------------------------------------------------------------


def test_every_row_comes_once_and_is_counted(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    started: list[str] = []
    answer = engine.ask(question(token="ab" * 32), Watch(started=started.append))
    assert sorted(str(row["AwsEventId"])[-2:] for row in answer.rows) == ALL
    told = answer.statistics
    assert (told.counted_rows, told.scanned_bytes, told.billed_bytes) == (7, 4_321, 0)
    assert started == [told.job] == ["abababab-abab-abab-abab-abababababab"]
    ((path, headers, body),) = world.calls
    assert path == f"/v1/workspaces/{WORKSPACE}/query"
    assert headers["x-ms-client-request-id"] == told.job
    assert headers["user-agent"].startswith("aibr_hunt ")
    assert headers["cache-control"] == "no-cache", "what was true some minutes ago is no evidence"
    wait, more = headers["prefer"].split(",")
    assert more == "include-statistics=true"
    assert 5 <= int(wait.removeprefix("wait=")) <= QUICK.deadline_s, "what is left until the deadline"
    assert body["query"] == TEXT
    assert body["timespan"] == "2026-01-11T23:59:59.000Z/2026-01-13T00:00:01.000Z"


def test_a_call_may_take_no_longer_than_the_service_allows(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    engine.manners = replace(QUICK, deadline_s=3600.0)
    assert ids(engine) == ALL
    assert world.calls[0][1]["prefer"] == "wait=600,include-statistics=true"


@pytest.mark.parametrize(
    ("of", "cell", "value"),
    [
        ("datetime", "2026-01-12T01:02:03Z", datetime(2026, 1, 12, 1, 2, 3, tzinfo=UTC)),
        ("datetime", "2026-01-12T01:02:03.1234560Z", datetime(2026, 1, 12, 1, 2, 3, 123_456, tzinfo=UTC)),
        ("datetime", "2026-01-12T01:02:03.1234567Z", "2026-01-12T01:02:03.1234567Z"),
        ("datetime", None, None),
        ("string", None, ""),
        ("string", "", ""),
        ("string", "5", "5"),
        ("string", "a\ud800b\U0001f600", "a\ufffdb\U0001f600"),
        ("dynamic", '{"a":[1]}', '{"a":[1]}'),
        ("dynamic", "", None),
        ("dynamic", None, None),
        ("long", 9_007_199_254_740_993, 9_007_199_254_740_993),
        ("long", "17", 17),
        ("int", None, None),
        ("real", 1.5, 1.5),
        ("real", "", None),
        ("bool", True, True),
        ("bool", 1, True),
        ("bool", 0, False),
        ("bool", None, None),
        ("guid", "74be27de-1e4e-49d9-b579-fe0b331d3642", "74be27de-1e4e-49d9-b579-fe0b331d3642"),
        ("guid", None, None),
        ("decimal", "0.10", Decimal("0.10")),
    ],
)
def test_a_cell_has_its_type_and_a_null_is_none_but_for_texts(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, of: str, cell: object, value: object
) -> None:
    def spoil(found: Json) -> None:
        table = {"name": "PrimaryResult", "columns": [{"name": "a", "type": of}], "rows": [[cell]]}
        found["tables"], counts_in(found)["tableRowCount"] = [table], 1

    world.spoiled = spoil
    (row,) = engine.ask(question(), Watch()).rows
    assert row == {"a": value}
    assert type(row["a"]) is type(value)


# -- faults that pass -----------------------------------------------------------------------------------------------

PASSING = [
    THROTTLED,
    replace(THROTTLED, after="0"),
    Fault(500),
    Fault(502, kind="html"),
    Fault(503, "ServiceUnavailable", "busy"),
    Fault(504, kind="html"),
    Fault(kind="reset"),
    Fault(kind="cut"),
    Fault(kind="broken"),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.after}")
def test_a_fault_that_passes_is_waited_out(world: LogAnalyticsWorld, engine: LogAnalyticsEngine, fault: Fault) -> None:
    world.faults = [fault, fault]
    assert ids(engine) == ALL
    assert len(world.calls) == 3, "the client itself repeats nothing"
    assert len({headers["x-ms-client-request-id"] for _, headers, _ in world.calls}) == 1


def test_a_fault_that_does_not_pass_says_how_often_and_what_to_do(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [THROTTLED] * 10
    told: list[str] = []
    with pytest.raises(EngineError, match=r"answers 4 times with too many requests \(429\).*Try again later") as found:
        engine.ask(question(), Watch(tell=told.append))
    assert found.value.retryable
    assert told[0].startswith("kql:sentinel: too many requests (429); asked again (1 of 3)")
    assert len(world.calls) == 4


def test_retry_after_is_heeded(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [replace(THROTTLED, after="1")]
    began = time.monotonic()
    assert ids(engine) == ALL
    assert time.monotonic() - began >= 1


def test_a_token_that_ran_out_is_renewed_once(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [Fault(401, "InvalidTokenError", "The provided authentication is not valid.")]
    assert ids(engine) == ALL


# -- faults that stay -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        (Fault(401, "InvalidTokenError", "The provided authentication is not valid for this resource"), 2),
        (Fault(403, "InsufficientAccessError", "The provided credentials have insufficient access to perform the requested operation"), 1),
        (
            Fault(
                403, "NspValidationFailedError", "Access to workspace 'example' from '192.0.2.7' is denied", outer="InsufficientAccessError"
            ),
            1,
        ),
    ],
    ids=["token", "rights", "network"],
)
def test_refused_credentials_are_told_with_what_to_grant(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, fault: Fault, calls: int
) -> None:
    world.faults = [fault] * 5
    with pytest.raises(AccessRefused, match=r"was refused: .*Log Analytics Reader.*docs/clouds\.md") as found:
        ids(engine)
    assert fault.message in str(found.value)
    assert len(world.calls) == calls


def test_a_machine_without_credentials_is_told_to_sign_in(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    from azure.identity import CredentialUnavailableError

    class Nobody:
        def get_token(self, *_: str, **__: object) -> object:
            raise CredentialUnavailableError("Please run 'az login' to set up an account")

    from azure.monitor.query import LogsQueryClient

    nobody: object = Nobody()
    engine._opened = LogsQueryClient(nobody, endpoint=engine.endpoint, retry_total=0)  # type: ignore[arg-type] # no credential at all
    with pytest.raises(AccessRefused, match=r"finds no Azure credentials that hold: Please run 'az login'.*Sign in"):
        ids(engine)
    assert world.calls == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(400, "SEM0100", "'where' operator: Failed to resolve table or column expression named 'AWSCloudTrail'"), NotThere),
        (Fault(400, "SEM0100", "'project' operator: Failed to resolve scalar expression named 'Nope'"), NotThere),
        (Fault(400, "SemanticError", "'take' operator: Failed to resolve table or column expression named 'T'"), NotThere),
        (Fault(400, "SYN0002", "Query could not be parsed at 'x' on line [1,2]"), EngineError),
        (Fault(400, "SEM0260", "Unknown function: 'nope'"), EngineError),
        (Fault(400, "E_QUERY_TOO_COMPLEX", "The query is too complex: the relational operators tree exceeds its limits"), TooComplex),
        (Fault(400, "E_STACK_GUARD", "Expression is nested deeper than the stack guard allows"), TooComplex),
        (Fault(413, "RequestEntityTooLarge", "The text is larger than is taken"), TooComplex),
        (Fault(400, "E_LOW_MEMORY_CONDITION", "Query execution lacks memory resources to complete (80DA0007)"), PartialResult),
        (Fault(500, "E_RUNAWAY_QUERY", "The ClusterBy operator has exceeded the memory budget during evaluation"), PartialResult),
        (Fault(400, "-2133196797", "Query result set has exceeded the internal record count limit 500000"), PartialResult),
        (Fault(504, "GatewayTimeout", "Unable to unzip response"), PartialResult),
        (Fault(404, "PathNotFoundError", "The requested path does not exist"), EngineError),
        (Fault(418, "Odd", "An answer that nobody knows"), EngineError),
    ],
)
def test_each_refusal_is_its_own_error_and_keeps_the_words(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, fault: Fault, kind: type[EngineError]
) -> None:
    world.faults = [fault]
    with pytest.raises(kind, match=f"^kql:sentinel: request {JOB}") as found:
        ids(engine)
    assert type(found.value) is kind
    assert fault.message in str(found.value)
    assert len(world.calls) == 1


def test_a_refusal_that_is_written_as_text_within_a_refusal_is_read() -> None:
    inner = {
        "error": {"code": "Bad request", "message": "Request is invalid.", "innererror": {"code": "SEM0100", "message": "'where': no"}}
    }
    error = {"code": "SyntaxError", "message": "Syntax Error", "information": {"details": json.dumps(inner)}}
    reply = answers.Reply(status=400, body={"error": {"code": "BadArgumentError", "message": "m", "innererror": error}})
    assert isinstance(answers.refusal_of(reply, "here"), NotThere)


def test_a_table_or_a_column_that_is_not_there_is_told_by_the_service_itself(engine: LogAnalyticsEngine) -> None:
    with pytest.raises(NotThere, match=r"'Gone'.*once its first event came"):
        ids(engine, text="Gone\n| project AwsEventId\n")
    with pytest.raises(NotThere, match="'Gone'"):
        ids(engine, text="AWSCloudTrail\n| project Gone\n")
    with pytest.raises(EngineError, match="could not be parsed"):
        ids(engine, text="AWSCloudTrail\n| where\n")


def test_a_service_that_cannot_be_reached_is_told(world: LogAnalyticsWorld) -> None:
    with log_analytics_server(world) as address:
        pass
    gone = LogAnalyticsEngine(workspace=WORKSPACE, endpoint=address, manners=QUICK)
    with pytest.raises(EngineError, match=r"answers 4 times with no answer \(ServiceRequestError\)") as found:
        ids(gone)
    assert found.value.retryable


# -- results that are none ------------------------------------------------------------------------------------------


def detail(code: str, message: str) -> Json:
    return {"code": "EngineError", "message": "Something went wrong.", "innererror": {"code": code, "message": message, "severity": 2}}


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ([detail("-2133196797", "The results of this query exceed the set limit of 500000 records.")], PartialResult),
        ([{"code": "QueryExecutionResultSizeLimitExceeded", "message": "The results exceed 64 MB."}], PartialResult),
        ([detail("-2133196799", "Runaway query (E_RUNAWAY_QUERY).")], PartialResult),
        ([detail("1", "Query execution timed out.")], PartialResult),
        ([detail("1", "A warning that nobody knows.")], PartialResult),
        ([], PartialResult),
        ([detail("-2133196790", "'extend' operator: Failed to resolve scalar expression named 'x'")], NotThere),
        ([detail("1", "Query throttled (E_QUERY_THROTTLED).")], EngineError),
    ],
)
def test_a_result_in_part_is_never_a_result(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, details: list[Json], kind: type[EngineError]
) -> None:
    world.partial = details
    with pytest.raises(kind) as found:
        ids(engine)
    assert type(found.value) is kind
    assert str(found.value).startswith(f"kql:sentinel: request {JOB}")


def test_a_result_of_as_many_rows_as_the_service_gives_is_a_part(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (answers.MOST_ROWS, answers.MOST_BYTES) == (500_000, 64_000_000)
    monkeypatch.setattr(answers, "MOST_ROWS", 8)
    assert ids(engine) == ALL
    monkeypatch.setattr(answers, "MOST_ROWS", 7)
    world.is_counting = False
    with pytest.raises(PartialResult, match="gave 7 rows, which is as many as the service gives"):
        ids(engine)


def test_a_result_of_as_many_bytes_as_the_service_gives_is_a_part(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.spoiled = lambda found: counts_in(found).update(tableSize=64_000_000)
    with pytest.raises(PartialResult, match="gave 64,000,000 bytes"):
        ids(engine)
    world.spoiled, world.is_counting = lambda _: None, False
    monkeypatch.setattr(answers, "MOST_BYTES", 300)
    with pytest.raises(PartialResult, match="which is as much as the service gives"):
        ids(engine)


def lose(found: Json) -> None:
    found["tables"][0]["rows"].pop()


def repeat(found: Json) -> None:
    found["tables"][0]["rows"].append(found["tables"][0]["rows"][0])


def shorten(found: Json) -> None:
    found["tables"][0]["rows"][3].pop()


def break_off(found: Json) -> None:
    found["tables"][0]["rows"][6] = {"Exceptions": ["Query execution lacks memory resources"]}


def double(found: Json) -> None:
    found["tables"] *= 2


def empty(found: Json) -> None:
    found.clear()


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lose, PartialResult, "gave 6 rows, and the service counted 7.*not taken for whole"),
        (repeat, EngineError, "gave 8 rows, and the service counted 7.*not taken for whole"),
        (shorten, EngineError, "not as many cells as there are columns"),
        (break_off, PartialResult, "broke off in the midst of its rows.*lacks memory"),
        (double, EngineError, "gave 2 tables, and one was asked for"),
        (lambda found: found.update(tables=[]), EngineError, "gave 0 tables"),
        (empty, EngineError, "gave 0 tables"),
    ],
    ids=["lost", "repeated", "short", "broken", "two", "none", "nothing"],
)
def test_a_result_that_is_not_what_was_asked_for_is_noticed(
    world: LogAnalyticsWorld, engine: LogAnalyticsEngine, spoil: Callable[[Json], None], kind: type[EngineError], words: str
) -> None:
    world.spoiled = spoil
    with pytest.raises(kind, match=words) as found:
        ids(engine)
    assert type(found.value) is kind


def test_a_result_without_statistics_is_read_without_a_count(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.is_counting = False
    answer = engine.ask(question(), Watch())
    assert len(list(answer.rows)) == 7
    assert (answer.statistics.counted_rows, answer.statistics.scanned_bytes) == (None, None)


# -- stops and deadlines --------------------------------------------------------------------------------------------


def test_who_stops_waits_for_nothing_and_is_told_what_the_service_does(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [Fault(kind="hang")]
    began = time.monotonic()
    with pytest.raises(Stopped, match=r"call of kql:sentinel was given up: a query has no handle .* ends on its own after \d+ s"):
        engine.ask(question(), Watch(is_stopped=world.hung.is_set))
    assert time.monotonic() - began < 5
    assert ids(engine) == ALL, "the engine can be asked again"


def test_a_query_that_never_ends_is_given_up_at_the_deadline(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [Fault(kind="hang")]
    engine.manners = replace(QUICK, deadline_s=0.3)
    with pytest.raises(EngineError, match=r"gave no answer within 0\.3 s and was given up.*after 1 s at the latest.*deadline_s") as found:
        ids(engine)
    assert type(found.value) is EngineError
    assert found.value.retryable


def test_a_service_that_stays_silent_longer_than_it_may_gave_a_part_at_most(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [Fault(kind="hang")]
    engine.manners = replace(QUICK, call_s=0.2)
    with pytest.raises(PartialResult, match=r"gave no answer in the time that it was allowed.*shorter window"):
        engine.inspect(TABLE)


def test_no_call_outlives_a_stop_as_a_thread_that_holds_up_the_end(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.faults = [Fault(kind="hang")]
    with pytest.raises(Stopped):
        engine.ask(question(), Watch(is_stopped=world.hung.is_set))
    left = [thread for thread in threading.enumerate() if thread.name.startswith("kql:sentinel")]
    assert all(thread.daemon for thread in left)


# -- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("// nothing", "it is empty"),
        (".drop table AWSCloudTrail", "control command"),
        ("// a\n  .show tables", "control command"),
        ("AWSCloudTrail; AWSCloudTrail", "several statements"),
        ("let x = 1; AWSCloudTrail", "several statements"),
        ("set query_results_cache_max_age = time(5m);\nAWSCloudTrail", "several statements"),
        ("AWSCloudTrail | where a == 'x;' ; .drop table T", "several statements"),
        ("AWSCloudTrail | where a == @'\\' ; .drop table T //'", "several statements"),
        ("let x = 1", "gives no table"),
        ("AWSCloudTrail | where a == 'x", "not closed"),
        ('AWSCloudTrail | where a == "x\n"', "not closed"),
        ("externaldata(a:string)[h@'https://example.com/a']", "reads elsewhere"),
        ("AWSCloudTrail | evaluate http_request('https://example.com')", "reads elsewhere"),
        ("workspace('other').AWSCloudTrail", "reads elsewhere"),
        ("cluster ('other').database('x').T", "reads elsewhere"),
    ],
)
def test_nothing_but_one_tabular_expression_leaves(world: LogAnalyticsWorld, engine: LogAnalyticsEngine, text: str, why: str) -> None:
    for ask in (lambda: engine.ask(question(text), Watch()), lambda: engine.estimate(question(text))):
        with pytest.raises(UsageError, match=f"not one tabular expression .*{why}.* is not sent"):
            ask()
    assert world.calls == []


def test_semicolons_and_words_in_literals_and_comments_are_no_statements(engine: LogAnalyticsEngine) -> None:
    text = 'AWSCloudTrail // a; b "\n| where EventName !in ("a;b", \'c;"d\', @"e\\", "\\";workspace(")'
    text += "\n| where Resources != @'f;''g'\n| project AwsEventId"
    assert ids(engine, text=text) == ALL


@pytest.mark.parametrize(("mapping", "layout"), PLACES, ids=[each.table for _, each in PLACES])
def test_every_program_that_is_made_may_be_sent(mapping: Mapping, layout: Layout) -> None:
    asking = Asking(locator=Locator(mapping, layout), span=DAY, meanings={}, is_read_back=True)
    rules = [rule for rule in RULES if LIBRARY.mapping_for(rule.logsource) is mapping][:40]
    texts = [pulse_query(layout, DAY), *(query.text for query in pack(rules, asking, Form.SIEVE).queries)]
    source = Source(name="s", mapping=mapping, layout=layout, place=WORKSPACE)
    for text in texts:
        answers.check_text(question(text, source=source))


@pytest.mark.parametrize(("mapping", "layout"), PLACES, ids=[each.table for _, each in PLACES])
def test_the_span_is_wider_than_what_the_program_bounds(mapping: Mapping, layout: Layout) -> None:
    source = Source(name="s", mapping=mapping, layout=layout, place=WORKSPACE)
    span = answers.span_of(question(source=source))
    assert span is not None
    bounded = [each for each in layout.partitions if each.column == "TimeGenerated"]
    slack = timedelta(days=bounded[0].slack_days if bounded else 0)
    assert span == (START - slack - timedelta(seconds=1), START + timedelta(days=1) + slack + timedelta(seconds=1))


def test_a_window_with_an_open_side_is_not_cut_by_the_service(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    assert ids(engine, window=Window(start=START)) == ALL
    assert world.calls[0][2]["timespan"] is None


def test_events_at_the_edges_are_cut_by_the_program_alone(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    inside = timedelta(days=1) - timedelta(microseconds=1)
    times = [START, START + inside, START + timedelta(days=1), START - timedelta(microseconds=1)]
    world.load(LAYOUT, [{**row, "TimeGenerated": at} for row, at in zip(ROWS, times, strict=False)])
    text = pack(DELETED, Asking(locator=Locator(TRAIL, LAYOUT), span=DAY, meanings={}), Form.WHOLE).queries[0].text
    assert ids(engine, text=text) == ["00", "01"]


# -- estimates and plans --------------------------------------------------------------------------------------------


def test_an_estimate_is_the_volume_of_the_table_in_the_hours_of_the_window(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.use("AWSCloudTrail", START - timedelta(hours=5), [2.5] * 40)
    window = Window(start=START + timedelta(minutes=30), end=START + timedelta(hours=3))
    estimate = engine.estimate(question(window=window))
    assert estimate.scanned_bytes == 7_500_000
    assert estimate.basis.startswith("an estimate: what came into the table in the hours of the window, by Usage")
    assert "plan analytics scanning costs nothing" in estimate.basis
    on_the_hour = Window(start=START, end=START + timedelta(hours=3))
    assert engine.estimate(question(window=on_the_hour)).scanned_bytes == 7_500_000
    calls = len(world.calls)
    assert engine.estimate(question("AWSCloudTrail | count", window=window)) == estimate
    assert len(world.calls) == calls, "a window is estimated once"
    assert world.asked == []


def test_nothing_is_estimated_where_usage_gives_nothing(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.use("SigninLogs", START, [2.5] * 24)
    assert engine.estimate(question()).scanned_bytes is None
    assert "tells of no volume" in engine.estimate(question()).basis
    engine._estimates.clear()
    world.usage_faults = [Fault(403, "InsufficientAccessError", "no")]
    refused = engine.estimate(question())
    assert refused.scanned_bytes is None
    assert "could not be read: kql:sentinel was refused" in refused.basis
    assert engine.estimate(question(window=Window(start=START))).scanned_bytes is None


BASIC = replace(TABLE, settings={"plan": "basic"})


def test_a_table_of_the_plan_basic_is_searched_and_paid_for(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.basic = frozenset(("AWSCloudTrail",))
    world.use("AWSCloudTrail", START, [1.0] * 24)
    assert ids(engine, source=BASIC) == ALL
    assert world.calls[0][0] == f"/v1/workspaces/{WORKSPACE}/search"
    estimate = engine.estimate(question(source=BASIC))
    assert estimate.scanned_bytes == 24_000_000
    assert "plan basic every query is paid for by what it scans" in estimate.basis
    told = engine.ask(question(source=BASIC), Watch()).statistics
    assert (told.scanned_bytes, told.billed_bytes) == (None, None), "it counts as it was estimated"
    with pytest.raises(EngineError, match=r"/search.*of which plan the table is \(`plan: basic`\)"):
        ids(engine)
    with pytest.raises(UsageError, match="names the plan free"):
        ids(engine, source=replace(TABLE, settings={"plan": "free"}))


# -- inspection -----------------------------------------------------------------------------------------------------


def test_inspection_tells_columns_and_the_newest_event_of_the_last_days(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    seen = engine.inspect(TABLE)
    assert seen.is_there
    assert {("TimeGenerated", "datetime"), ("AwsEventId", "string"), ("ReadOnly", "bool")} <= {
        (each.name, each.type) for each in seen.columns
    }
    assert (seen.newest, seen.notes) == (None, ()), "its events are older"
    at = datetime.now(tz=UTC).replace(microsecond=0) - timedelta(hours=2)
    world.load(LAYOUT, [{**ROWS[0], "TimeGenerated": at}])
    assert engine.inspect(TABLE).newest == at


def test_inspection_names_what_is_not_there(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    gone = engine.inspect(replace(TABLE, layout=replace(LAYOUT, table="Gone")))
    assert not gone.is_there
    assert "'Gone'" in gone.notes[0]
    world.load(replace(LAYOUT, columns=tuple(each for each in LAYOUT.columns if each.name != "UserAgent")), [])
    (note,) = engine.inspect(TABLE).notes
    assert note.endswith("the table lacks columns that the layout reads: UserAgent.")
    world.faults = [Fault(403, "InsufficientAccessError", "no")]
    with pytest.raises(AccessRefused):
        engine.inspect(TABLE)


def test_a_table_of_the_plan_basic_is_inspected_too(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.basic = frozenset(("AWSCloudTrail",))
    seen = engine.inspect(BASIC)
    assert seen.is_there
    assert "every query is paid for" in seen.notes[0]


def test_the_engines_own_programs_are_right_by_the_official_parser(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    engine.estimate(question())
    engine.inspect(TABLE)
    texts = [str(body["query"]) for _, _, body in world.calls]
    assert len(texts) == 3
    assert [check(text, [LAYOUT, USAGE]) for text in texts] == [[], [], []]


# -- the driver -----------------------------------------------------------------------------------------------------


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.monitor.query", None)
    with pytest.raises(UsageError, match=r"aibr_hunt\[log-analytics\]"):
        ids(LogAnalyticsEngine(workspace=WORKSPACE, manners=QUICK))


# -- through scan and run -------------------------------------------------------------------------------------------


def scanned(engine: LogAnalyticsEngine, window: Window = DAY) -> tuple[list[str], SourceScan]:
    around = Surroundings(run="R-1", clock=lambda: datetime(2026, 6, 1, tzinfo=UTC), budget=Budget(Ceilings()))
    scan = SourceScan(TABLE, engine, Part(DELETED, TRAIL, Options()), window, around)
    return sorted(hit.event.identity.key[-2:] for result in scan.results() for hit in result.hits), scan


def test_a_scan_finds_every_event_and_settles_its_window(engine: LogAnalyticsEngine) -> None:
    found, scan = scanned(engine)
    assert found == ALL
    assert {claim.state for claim in scan.findings.claims} == {CoverageState.SETTLED}
    (job,) = scan.findings.jobs
    assert (job.state, job.rows, job.counted_rows, job.place) == (JobState.DONE, 7, 7, WORKSPACE)
    assert job.money is None


def test_a_window_of_more_rows_than_are_given_is_halved_until_each_half_is_whole(
    engine: LogAnalyticsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_ROWS", 3)
    found, scan = scanned(engine, Window(start=START, end=START + timedelta(minutes=8)))
    assert found == ALL, "none is lost, and none comes twice"
    assert {claim.state for claim in scan.findings.claims} == {CoverageState.SETTLED}
    assert JobState.PARTIAL in {job.state for job in scan.findings.jobs}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(400, "SYN0002", "Query could not be parsed"),
        Fault(400, "SEM0100", "Failed to resolve table or column expression named 'AWSCloudTrail'"),
        Fault(400, "E_RUNAWAY_QUERY", "Runaway query"),
        Fault(400, "E_STACK_GUARD", "stack guard"),
        Fault(403, "InsufficientAccessError", "no"),
        Fault(504, "GatewayTimeout", "Gateway timeout"),
        Fault(500),
    ],
    ids=lambda fault: fault.code,
)
def test_no_fault_ends_as_settled(world: LogAnalyticsWorld, engine: LogAnalyticsEngine, fault: Fault) -> None:
    world.faults = [fault] * 500
    found, scan = scanned(engine, Window(start=START, end=START + timedelta(minutes=7)))
    assert found == []
    assert CoverageState.SETTLED not in {claim.state for claim in scan.findings.claims}


def test_the_pulse_counts_events_by_hour_and_key(engine: LogAnalyticsEngine) -> None:
    answer = engine.ask(question(pulse_query(LAYOUT, DAY)), Watch())
    (pulse,) = pulses_in(answer.rows, TABLE)
    assert (pulse.events, pulse.hour, pulse.key) == (7, START, "123456789012|eu-west-1")
    assert (pulse.earliest, pulse.latest) == (START, START + timedelta(minutes=6))


def test_leads_and_episodes_are_those_of_the_files(tmp_path: Path, world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps(each) + "\n" for each in HUNTED))
    world.load(LAYOUT, rows_in(LAYOUT, HUNTED))
    _, from_files = run(tmp_path / "files", request(None, [logs]))
    clouds = Clouds([TABLE], lambda _: engine, Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(Ceilings())))
    outcome, from_cloud = run(tmp_path / "cloud", request(clouds))
    assert {lead.source for lead in from_cloud} == {"aws_cloudtrail", "episodes"}
    assert keys(from_cloud) == keys(from_files)
    assert {(lead.id, lead.time, lead.action, lead.principal) for lead in from_cloud} == {
        (lead.id, lead.time, lead.action, lead.principal) for lead in from_files
    }
    assert {row.state for row in outcome.record.coverage} == {CoverageState.SETTLED}
    assert outcome.is_complete
    assert {job.state for job in outcome.record.jobs} == {JobState.DONE}


def test_what_a_plan_bills_is_counted_as_it_was_estimated(world: LogAnalyticsWorld, engine: LogAnalyticsEngine) -> None:
    world.basic = frozenset(("AWSCloudTrail",))
    world.use("AWSCloudTrail", START, [1.0] * 24)
    engine.price = Price(per_tib=5.0)
    budget = Budget(Ceilings(run_bytes=30_000_000))
    around = Surroundings(run="R-1", clock=lambda: datetime(2026, 6, 1, tzinfo=UTC), budget=budget)
    scan = SourceScan(BASIC, engine, Part(DELETED, TRAIL, Options()), DAY, around)
    assert len([hit for result in scan.results() for hit in result.hits]) == 7
    assert (budget.run_bytes, round(budget.run_money, 6)) == (24_000_000, round(24_000_000 / (1 << 40) * 5, 6))
    again = SourceScan(BASIC, engine, Part(DELETED, TRAIL, Options()), DAY, around)
    assert list(again.results()) == []
    assert {claim.state for claim in again.findings.claims} == {CoverageState.OVER_BUDGET}
