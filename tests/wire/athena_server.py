"""Athena, Glue and S3 as boto3 speaks with them, over the Trino shim: jobs, pages, statistics, and the faults that a test orders."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from aibr_hunt.model.layout import Layout
from tests.standins.contract import Gap, Rejected, Row
from tests.standins.trino_shim import TrinoShim, translated

OBJECT_SIZE = 1_000
Fault = tuple[int, str, str]
"""Status, code and message of an answer that is none."""


@dataclass
class AthenaWorld:
    """What the server holds, and what goes wrong with it.

    Attributes:
        faults: Operation → faults that are given first, one a call.
        reason: Programs end as failed with this reason; empty runs them.
        ends: State that programs end in when there is a reason.
        polls: Polls that find a job at work before it ends; -1 for ever.
        page: Rows of one page at most.
        lost: Pages that are left out, by number; the next page's token leads past them. `repeated`: pages that come twice.
        counted: What the runtime statistics say beside the true number.
        is_headless: Pages lack the row of names.
        calls: Operation → number of calls.
        stopped: Jobs that were told to stop.
        objects: Keys below the table's location.
    """

    shim: TrinoShim = field(default_factory=TrinoShim)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    reason: str = ""
    ends: str = "FAILED"
    polls: int = 1
    page: int = 1000
    lost: frozenset[int] = frozenset()
    repeated: frozenset[int] = frozenset()
    counted: int = 0
    is_headless: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    tables: dict[str, Layout] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make a table hold these rows."""
        self.shim.load(layout, rows)
        self.tables[layout.table.rsplit(".", 1)[-1]] = layout

    # -- operations -------------------------------------------------------------------------------------------------

    def start(self, asked: dict[str, Any]) -> dict[str, Any]:
        job = f"job-{asked['ClientRequestToken'][:12]}"
        if job not in self.jobs:
            self.jobs[job] = {"text": asked["QueryString"], "polls": 0, "asked": asked, **self._run(asked["QueryString"])}
        return {"QueryExecutionId": job}

    def _run(self, text: str) -> dict[str, Any]:
        if self.reason:
            return {"state": self.ends, "why": self.reason, "rows": [], "columns": []}
        try:
            with self.lock:
                cursor = self.shim._connection.execute(translated(text))
                found, columns = cursor.fetchall(), [(each[0], _type_of(str(each[1]))) for each in cursor.description or ()]
        except (Gap, Rejected) as error:
            return {"state": "FAILED", "why": f"SYNTAX_ERROR: {error}", "rows": [], "columns": []}
        except Exception as error:  # noqa: BLE001 - DuckDB's words become Trino's
            return {"state": "FAILED", "why": _trino_reason(str(error)), "rows": [], "columns": []}
        return {"state": "SUCCEEDED", "why": "", "rows": [[_text_of(cell) for cell in row] for row in found], "columns": columns}

    def execution(self, asked: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs[asked["QueryExecutionId"]]
        job["polls"] += 1
        is_done = 0 <= self.polls < job["polls"]
        state = "CANCELLED" if asked["QueryExecutionId"] in self.stopped else job["state"] if is_done else "RUNNING"
        status = {"State": state, **({"StateChangeReason": job["why"]} if job["why"] else {})}
        statistics = {"DataScannedInBytes": OBJECT_SIZE * len(job["rows"]), "EngineExecutionTimeInMillis": 5}
        return {"QueryExecution": {"QueryExecutionId": asked["QueryExecutionId"], "Status": status, "Statistics": statistics}}

    def results(self, asked: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs[asked["QueryExecutionId"]]
        names = [] if self.is_headless else [[name for name, _ in job["columns"]]]
        rows, size = [*names, *job["rows"]], min(self.page, asked.get("MaxResults", 1000))
        number = int(asked.get("NextToken", "0").split("/", 1)[0])
        shown = rows[number * size : (number + 1) * size]
        following = number + 1
        while following in self.lost:
            following += 1
        if number in self.repeated and not asked.get("NextToken", "").endswith("/again"):
            token = f"{number}/again"
        else:
            token = str(following) if following * size < len(rows) else ""
        columns = [{"Name": name, "Type": kind} for name, kind in job["columns"]]
        data = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in shown]
        answer: dict[str, Any] = {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": columns}}}
        return answer | ({"NextToken": token} if token else {})

    def statistics(self, asked: dict[str, Any]) -> dict[str, Any]:
        rows = len(self.jobs[asked["QueryExecutionId"]]["rows"]) + self.counted
        return {"QueryRuntimeStatistics": {"Rows": {"OutputRows": rows}}}

    def stop(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.stopped.append(asked["QueryExecutionId"])
        return {}

    def table(self, asked: dict[str, Any]) -> dict[str, Any] | Fault:
        layout = self.tables.get(asked["Name"])
        if layout is None:
            return 400, "EntityNotFoundException", f"Entity Not Found: {asked['Name']}"
        partitions = {partition.column for partition in layout.partitions}
        columns = [{"Name": each.name, "Type": each.type.kind.value} for each in layout.columns if each.name not in partitions]
        return {
            "Table": {
                "Name": asked["Name"],
                "StorageDescriptor": {"Location": "s3://example-trail/AWSLogs/", "Columns": columns},
                "PartitionKeys": [{"Name": name, "Type": "string"} for name in sorted(partitions)],
                "Parameters": {"projection.enabled": "true"},
            }
        }


def _type_of(kind: str) -> str:
    named = {"VARCHAR": "varchar", "BIGINT": "bigint", "HUGEINT": "bigint", "INTEGER": "integer", "DOUBLE": "double", "BOOLEAN": "boolean"}
    return named.get(kind, "timestamp(3)" if "TIMESTAMP" in kind else "date" if kind == "DATE" else "varchar")


def _text_of(cell: object) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        moment = cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
        return moment.isoformat(sep=" ", timespec="milliseconds")
    return str(cell)


def _trino_reason(text: str) -> str:
    """Return DuckDB's complaint in the words of Athena."""
    if "does not exist" in text:
        return f"TABLE_NOT_FOUND: line 1:1: {text.splitlines()[0]}"
    if "not found in FROM clause" in text:
        return "COLUMN_NOT_FOUND: line 2:3: Column 'x' cannot be resolved or requester is not authorized to access requested resources"
    return f"GENERIC_USER_ERROR: {text.splitlines()[0]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: AthenaWorld
    operations: ClassVar[dict[str, Callable[[AthenaWorld, dict[str, Any]], dict[str, Any] | Fault]]] = {
        "StartQueryExecution": AthenaWorld.start,
        "GetQueryExecution": AthenaWorld.execution,
        "GetQueryResults": AthenaWorld.results,
        "GetQueryRuntimeStatistics": AthenaWorld.statistics,
        "StopQueryExecution": AthenaWorld.stop,
        "GetTable": AthenaWorld.table,
    }

    def do_POST(self) -> None:
        name = self.headers["X-Amz-Target"].split(".")[-1]
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        self.world.calls[name] += 1
        waiting = self.world.faults.get(name, [])
        found = waiting.pop(0) if waiting else self.operations[name](self.world, asked)
        if isinstance(found, tuple):
            self._fault(*found)
        else:
            self._give(200, "application/x-amz-json-1.1", json.dumps(found).encode())

    def _fault(self, status: int, code: str, message: str) -> None:
        if code == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if code == "hang":
            time.sleep(float(message))
        after = {"Retry-After": message} if code == "after" else {}
        name = "ThrottlingException" if code == "after" else code
        self._give(status, "application/x-amz-json-1.1", json.dumps({"__type": name, "message": message}).encode(), after)

    def do_GET(self) -> None:
        self.world.calls["ListObjectsV2"] += 1
        waiting = self.world.faults.get("ListObjectsV2", [])
        if waiting:
            status, code, message = waiting.pop(0)
            self._give(status, "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())
            return
        items = "".join(f"<Contents><Key>{key}</Key><Size>{OBJECT_SIZE}</Size></Contents>" for key in self.world.objects)
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated><Name>example-trail</Name>{items}</ListBucketResult>"
        self._give(200, "application/xml", body.encode())

    def _give(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def athena_server(world: AthenaWorld) -> Iterator[str]:
    """Give the address of a server that lives as long as the block."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"world": world}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
