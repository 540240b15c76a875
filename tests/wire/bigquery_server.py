"""BigQuery's REST interface on the loopback, as Google's client speaks it: jobs run on Google's reference implementation of GoogleSQL.

Jobs, their results and what a data set says of its tables are as the real service tells them; a test orders faults in between.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from google.protobuf import empty_pb2
from zetasql.core.exceptions import ServerError
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2

from aibr_hunt.model.layout import ColumnType, Kind, Layout, PartitionForm
from tests.standins import googlesql as standin
from tests.standins.contract import Row, columns_of

Reply = dict[str, Any]
LEAST_BILLED: Final = 10 << 20
_LOCK: Final = threading.Lock()
_NAMES: Final = {
    type_pb2.TYPE_STRING: "STRING",
    type_pb2.TYPE_INT64: "INTEGER",
    type_pb2.TYPE_BOOL: "BOOLEAN",
    type_pb2.TYPE_DOUBLE: "FLOAT",
    type_pb2.TYPE_TIMESTAMP: "TIMESTAMP",
    type_pb2.TYPE_JSON: "JSON",
    type_pb2.TYPE_DATE: "DATE",
    type_pb2.TYPE_BYTES: "BYTES",
    type_pb2.TYPE_NUMERIC: "NUMERIC",
    type_pb2.TYPE_STRUCT: "RECORD",
}
_COLUMN_TYPES: Final = {
    Kind.TEXT: "STRING",
    Kind.JSON_TEXT: "STRING",
    Kind.INTEGER: "INTEGER",
    Kind.REAL: "FLOAT",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIME: "TIMESTAMP",
    Kind.JSON: "JSON",
    Kind.STRUCT: "RECORD",
}


class Refused(Exception):
    """The service answers with an error."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        self.told: Reply = {"reason": reason, "message": message, "domain": "global"}
        self.body: Reply = {"error": {"code": status, "message": message, "errors": [self.told]}}


@dataclass(slots=True)
class Fault:
    """What goes wrong with some calls.

    Attributes:
        on: Which: `dry`, `insert`, `job`, `cancel`, `table`, `tables`, `page`, `token`.
        times: With how many of them. `after`: how many come before that go well.
        error: The answer in place of the right one. `change`: makes another answer of it.
        is_cut: The connection ends in the middle of the answer. `is_lost`: it ends before, though the call was heeded.
        wait_s: The answer comes so much later.
    """

    on: str
    times: int = 1
    after: int = 0
    error: Refused | None = None
    change: Callable[[Reply], Reply] | None = None
    is_cut: bool = False
    is_lost: bool = False
    wait_s: float = 0.0

    def is_due(self) -> bool:
        self.after -= 1
        self.times -= self.after < 0
        return self.after < 0 <= self.times


@dataclass(slots=True)
class Ending:
    """How jobs end that do not end well.

    Attributes:
        reason, message: As the service words them.
        times: How many jobs.
    """

    reason: str
    message: str
    times: int = 1


@dataclass(slots=True)
class _Job:
    resource: Reply
    polls: int
    fields: list[Reply] = field(default_factory=list)
    rows: list[Reply] = field(default_factory=list)
    has_run: bool = False


class BigQueryServer:
    """Serves from its making to its closing.

    Attributes:
        location: Where its data sets lie. `size`: bytes that every program scans.
        polls: How often a job is asked for before it has ended; None for a job that never ends.
        page: Rows of a page at most.
        shards: Names of tables by day, besides those that were loaded.
        calls: Every call: which, and what came with it.
        token: The one that is taken; empty takes every caller.
    """

    def __init__(self) -> None:
        self.location, self.size, self.page = "US", 1_000, 10_000
        self.polls: int | None = 1
        self.accuracy = ""
        self.statement = "SELECT"
        self.token = ""
        self.shards: list[str] = []
        self.table_more: Reply = {}
        self.calls: list[tuple[str, Reply]] = []
        self._faults: list[Fault] = []
        self._endings: list[Ending] = []
        self._jobs: dict[str, _Job] = {}
        self._layouts: dict[str, Layout] = {}
        standin.make_ready()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- what tests say and ask ---------------------------------------------------------------------------------------

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make a table hold these rows and no others."""
        with _LOCK:
            standin.googlesql().load(layout, rows)
        self._layouts[layout.table] = layout

    def order(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._faults.append(fault)

    def end(self, reason: str, message: str, times: int = 1) -> None:
        """Let the next jobs fail."""
        self._endings.append(Ending(reason, message, times))

    def forget_results(self) -> None:
        """Let the results of all jobs so far be over a day old."""
        for job in self._jobs.values():
            job.resource["configuration"]["query"]["destinationTable"]["tableId"] = "gone"

    def count(self, what: str) -> int:
        """Return how often a call came."""
        return [name for name, _ in self.calls].count(what)

    def said(self, what: str) -> list[Reply]:
        """Return what came with the calls of a kind."""
        return [told for name, told in self.calls if name == what]

    @property
    def jobs(self) -> list[str]:
        """Ids of the jobs that were ever started."""
        return list(self._jobs)

    # -- the interface --------------------------------------------------------------------------------------------

    def due(self, what: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.on == what and fault.is_due()), None)

    def answer(self, what: str, names: Mapping[str, str], told: Reply) -> Reply:
        match what:
            case "dry":
                return self._dry(told)
            case "insert":
                return self._insert(told)
            case "job" | "cancel":
                return self._job(names["job"], told, is_cancelled=what == "cancel")
            case "tables":
                return self._tables(names["dataset"], told)
            case "table":
                return self._table(names)
            case "page":
                return self._page(names["table"], told)
            case "token":
                return {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}
            case _:
                raise Refused(404, "notFound", f"Not found: {what}")

    def _dry(self, told: Reply) -> Reply:
        self._run(told["configuration"]["query"]["query"])
        query = {"totalBytesProcessed": str(self.size), "statementType": self.statement, "cacheHit": False}
        query |= {"totalBytesProcessedAccuracy": self.accuracy} if self.accuracy else {}
        return {
            "jobReference": {"projectId": "example-project", "location": self.location},
            "configuration": told["configuration"],
            "status": {"state": "DONE"},
            "statistics": {"creationTime": "1", "totalBytesProcessed": str(self.size), "query": query},
        }

    def _insert(self, told: Reply) -> Reply:
        name, configuration = str(told["jobReference"]["jobId"]), told["configuration"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,1024}", name)
        if name in self._jobs:
            raise Refused(409, "duplicate", f"Already Exists: Job example-project:{self.location}.{name}")
        table = {"projectId": "example-project", "datasetId": "_anon", "tableId": f"anon_{name}"}
        configuration["query"]["destinationTable"] = table
        reference = {"projectId": "example-project", "jobId": name, "location": self.location}
        job = _Job({"jobReference": reference, "configuration": configuration, "status": {"state": "RUNNING"}}, self.polls or 0)
        job.resource["statistics"] = {"creationTime": "1", "startTime": "1"}
        self._jobs[name] = job
        self._end(job, configuration["query"])
        return job.resource | {"status": {"state": "PENDING"}}

    def _end(self, job: _Job, query: Reply) -> None:
        """Run the job, so that its end stands written when it is asked for the last time."""
        told = {"totalBytesProcessed": str(self.size), "totalBytesBilled": str(max(self.size, LEAST_BILLED)), "cacheHit": False}
        job.resource["statistics"] |= {"endTime": "2", "query": told}
        ending = next((each for each in self._endings if each.times > 0), None)
        most = query.get("maximumBytesBilled")
        try:
            if ending is not None:
                ending.times -= 1
                raise Refused(400, ending.reason, ending.message)  # noqa: TRY301 - as everything that goes wrong
            if most is not None and int(most) < max(self.size, LEAST_BILLED):
                needed = max(self.size, LEAST_BILLED)
                what = f"Query exceeded limit for bytes billed: {most}. {needed} or higher required."
                raise Refused(400, "bytesBilledLimitExceeded", what)  # noqa: TRY301 - as everything that goes wrong
            job.fields, job.rows = self._run(query["query"])
        except Refused as refused:
            job.resource["errors"] = {"errorResult": refused.told, "errors": [refused.told]}
        job.has_run = True

    def _job(self, name: str, told: Reply, *, is_cancelled: bool) -> Reply:
        job = self._jobs.get(name)
        if job is None or told.get("location", "US") != self.location:
            raise Refused(404, "notFound", f"Not found: Job example-project:{name}")
        status: Reply = {"state": "RUNNING"}
        job.polls -= job.has_run and not is_cancelled
        if is_cancelled:
            job.resource["cancelled"] = True
            error = {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}
            job.resource["errors"] = {"errorResult": error, "errors": [error]}
        if job.resource.get("cancelled") or (self.polls is not None and job.polls < 0):
            status = {"state": "DONE", **job.resource.get("errors", {})}
        resource = {key: value for key, value in job.resource.items() if key not in {"errors", "cancelled"}} | {"status": status}
        return {"job": resource} if is_cancelled else resource

    def _run(self, text: str) -> tuple[list[Reply], list[Reply]]:
        """Return fields and rows of a query."""
        try:
            with _LOCK:
                columns, content = run(text)
        except ServerError as error:
            message = str(error.message)
            if message.startswith("Table not found"):
                what = re.sub(
                    r"Table not found: `?([^`;]*)`?.*", rf"Not found: Table \1 was not found in location {self.location}", message
                )
                raise Refused(404, "notFound", what) from error
            raise Refused(400, "invalidQuery", message) from error
        fields = [_field(column.name, column.type) for column in columns]
        return fields, [{"f": [_cell(cell, of.type) for cell, of in zip(row.cell, columns, strict=True)]} for row in content.table_data.row]

    def _tables(self, dataset: str, told: Reply) -> Reply:
        names = sorted(
            [*(each.rsplit(".", 1)[1] for each in self._layouts if f".{dataset}." in each and not each.endswith("*")), *self.shards]
        )
        start, size = int(told.get("pageToken", 0)), min(int(told.get("maxResults", 50)), self.page)
        where = {"projectId": "example-project", "datasetId": dataset}
        more = {"nextPageToken": str(start + size)} if start + size < len(names) else {}
        return {"tables": [{"tableReference": {**where, "tableId": name}} for name in names[start : start + size]], **more}

    def _table(self, names: Mapping[str, str]) -> Reply:
        reference = {"projectId": names["project"], "datasetId": names["dataset"], "tableId": names["table"]}
        job = self._jobs.get(names["table"].removeprefix("anon_"))
        if names["dataset"] == "_anon" and job is not None:
            return {"tableReference": reference, "schema": {"fields": job.fields}, "numRows": str(len(job.rows)), "type": "TABLE"}
        wanted = names["table"]
        layouts = {full.rsplit(".", 1)[1]: layout for full, layout in self._layouts.items()}
        found = next((layout for name, layout in layouts.items() if name in {wanted, f"{wanted[:-8]}*"}), None)
        if found is None or (wanted not in layouts and wanted not in self.shards):
            raise Refused(404, "notFound", f"Not found: Table {':'.join(reference.values())}")
        columns = [each for each in columns_of(found) if not each.is_pseudo]
        parted = any(partition.form is PartitionForm.TIMESTAMP for partition in found.partitions)
        made: Reply = {"tableReference": reference, "type": "TABLE", "location": self.location, "lastModifiedTime": "1768200000000"}
        made["schema"] = {"fields": [_column(each.name, each.type) for each in columns]}
        return made | ({"timePartitioning": {"type": "DAY", "field": found.time.column}} if parted else {}) | self.table_more

    def _page(self, table: str, told: Reply) -> Reply:
        assert told["formatOptions.useInt64Timestamp"] == "True"
        job = self._jobs[table.removeprefix("anon_")]
        start, size = int(told.get("pageToken", 0)), min(int(told["maxResults"]), self.page)
        more = {"pageToken": str(start + size)} if start + size < len(job.rows) else {}
        return {"totalRows": str(len(job.rows)), "rows": job.rows[start : start + size], **more}


def run(text: str) -> tuple[Sequence[Any], Any]:
    """Return columns, with their types, and content of a query over the tables that are loaded.

    Raises:
        ServerError: It is wrong.
    """
    request = service.PrepareQueryRequest(
        sql=text, options=standin._analyzer_options(), registered_catalog_id=standin.googlesql()._registered()
    )
    prepared = standin._call("PrepareQuery", request, service.PrepareQueryResponse).prepared
    try:
        evaluate = service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
        return prepared.columns, standin._call("EvaluateQuery", evaluate, service.EvaluateQueryResponse).content
    finally:
        standin._call("UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=prepared.prepared_query_id), empty_pb2.Empty)


# -- as the interface writes types and values -----------------------------------------------------------------------


def _field(name: str, of: type_pb2.TypeProto) -> Reply:
    mode = "REPEATED" if of.type_kind == type_pb2.TYPE_ARRAY else "NULLABLE"
    item = of.array_type.element_type if mode == "REPEATED" else of
    made: Reply = {"name": name, "mode": mode, "type": _NAMES[item.type_kind]}
    return made | (
        {"fields": [_field(each.field_name, each.field_type) for each in item.struct_type.field]} if item.struct_type.field else {}
    )


def _column(name: str, of: ColumnType) -> Reply:
    item = of.item if of.kind is Kind.ARRAY and of.item is not None else of
    made: Reply = {"name": name, "mode": "NULLABLE" if item is of else "REPEATED", "type": _COLUMN_TYPES[item.kind]}
    return made | ({"fields": [_column(*member) for member in item.members]} if item.members else {})


def _cell(value: value_pb2.ValueProto, of: type_pb2.TypeProto) -> Reply:
    which = value.WhichOneof("value")
    if of.type_kind == type_pb2.TYPE_ARRAY:
        return {"v": [_cell(each, of.array_type.element_type) for each in value.array_value.element]}
    if which is None:
        return {"v": None}
    if which == "struct_value":
        pairs = zip(value.struct_value.field, of.struct_type.field, strict=True)
        return {"v": {"f": [_cell(each, member.field_type) for each, member in pairs]}}
    return {"v": _text(value, which)}


def _text(value: value_pb2.ValueProto, which: str) -> str:
    match which:
        case "timestamp_value":
            return str(value.timestamp_value.seconds * 1_000_000 + value.timestamp_value.nanos // 1000)
        case "bool_value":
            return str(value.bool_value).lower()
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "date_value":
            return (date(1970, 1, 1) + timedelta(days=value.date_value)).isoformat()
        case "numeric_value":
            return format(Decimal(int.from_bytes(value.numeric_value, "little", signed=True)).scaleb(-9).normalize(), "f")
        case _:
            return str(getattr(value, which))


# -- HTTP ---------------------------------------------------------------------------------------------------------

_ROUTES: Final = (
    ("POST", "insert", r"/jobs"),
    ("POST", "cancel", r"/jobs/(?P<job>[^/]+)/cancel"),
    ("GET", "job", r"/jobs/(?P<job>[^/]+)"),
    ("GET", "tables", r"/datasets/(?P<dataset>[^/]+)/tables"),
    ("GET", "table", r"/datasets/(?P<dataset>[^/]+)/tables/(?P<table>[^/]+)"),
    ("GET", "page", r"/datasets/(?P<dataset>[^/]+)/tables/(?P<table>[^/]+)/data"),
)


def _route(method: str, path: str, told: Reply) -> tuple[str, dict[str, str]]:
    if path == "/token":
        return "token", {}
    for verb, what, pattern in _ROUTES:
        found = re.fullmatch(r"/bigquery/v2/projects/(?P<project>[^/]+)" + pattern, path)
        if verb == method and found:
            return ("dry" if what == "insert" and told["configuration"].get("dryRun") else what), found.groupdict()
    return path, {}


def _handler_of(server: BigQueryServer) -> type[BaseHTTPRequestHandler]:
    class Bound(_Handler):
        world = server

    return Bound


class _Handler(BaseHTTPRequestHandler):
    """Answers for the server that a class of its own names."""

    world: BigQueryServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        what, names, told = self._asked(method)
        self.world.calls.append((what, told | {"agent": self.headers.get("User-Agent", "")}))
        fault = self.world.due(what) or Fault(on=what)
        threading.Event().wait(fault.wait_s)
        try:
            self._check_token(what)
            if fault.error is not None:
                raise fault.error
            reply = self.world.answer(what, names, told)
            self._send(200, reply if fault.change is None else fault.change(json.loads(json.dumps(reply))), {}, fault)
        except Refused as refused:
            self._send(refused.status, refused.body, refused.headers, fault)

    def _asked(self, method: str) -> tuple[str, dict[str, str], Reply]:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told: Reply = {name: values[0] for name, values in parse_qs(parts.query).items()}
        is_form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        told |= json.loads(body) if body and not is_form else {}
        return (*_route(method, unquote(parts.path), told), told)

    def _check_token(self, what: str) -> None:
        token = self.world.token
        if token and what != "token" and self.headers.get("Authorization") != f"Bearer {token}":
            raise Refused(401, "authError", "Request had invalid authentication credentials.")

    def _send(self, status: int, reply: Reply, headers: Mapping[str, str], fault: Fault) -> None:
        if fault.is_lost:
            self.close_connection = True
            return
        text = json.dumps(reply).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text[: len(text) // 2] if fault.is_cut else text)
        self.close_connection = self.close_connection or fault.is_cut
