"""The query interface of Log Analytics as Azure's client speaks with it, over the KQL stand-in, and the faults that a test orders."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout
from tests.standins.contract import Gap, Rejected, Row
from tests.standins.kusto import Kusto

Json = dict[str, Any]
# Not the stand-in that other tests use: here views stand in front of its tables.
_kusto = cache(Kusto)
_LOADED: Final[dict[str, tuple[Layout, Sequence[Row]]]] = {}
_TYPES: Final = {
    "VARCHAR": "string",
    "BIGINT": "long",
    "HUGEINT": "long",
    "INTEGER": "int",
    "DOUBLE": "real",
    "BOOLEAN": "bool",
    "JSON": "dynamic",
    "UUID": "guid",
    "INTERVAL": "timespan",
}
_USAGE: Final = {"TimeGenerated": Kind.TIME, "StartTime": Kind.TIME, "EndTime": Kind.TIME, "DataType": Kind.TEXT, "Quantity": Kind.REAL}
USAGE: Final = Layout(
    name="usage",
    engine=EngineKind.KQL,
    table="Usage",
    columns=tuple(Column(name=name, type=ColumnType(kind=kind)) for name, kind in _USAGE.items()),
    places=(),
    time=ColumnPath(column="TimeGenerated"),
)


@dataclass(frozen=True)
class Fault:
    """An answer that is none.

    Attributes:
        status: Of HTTP. `code`, `message`: of the innermost error.
        after: Value of Retry-After; empty for none.
        kind: `json`; `html`, which proxies on the way speak; `reset` closes the connection; `hang` never answers; `cut` breaks off in the
            midst of an answer, and `broken` gives half an answer as if it were a whole one.
        outer: Code of the outermost error; empty for the innermost one's.
    """

    status: int = 500
    code: str = "InternalServerError"
    message: str = "Something went wrong processing your query on the server."
    after: str = ""
    kind: str = "json"
    outer: str = ""


@dataclass
class LogAnalyticsWorld:
    """What the server holds, and what goes wrong with it.

    Attributes:
        faults: Given first, one a call.
        usage_faults: Of calls that ask the table Usage.
        partial: What a result in part says of itself; None for whole results.
        spoiled: Changes a result before it is given.
        basic: Tables of the plan basic: they are asked through `search` only.
        is_counting: Results come with statistics. `scanned`: bytes that these tell of; None for none.
        calls: Path, headers and body of every call.
    """

    kusto: Kusto = field(default_factory=_kusto)
    faults: list[Fault] = field(default_factory=list)
    usage_faults: list[Fault] = field(default_factory=list)
    partial: list[Json] | None = None
    spoiled: Callable[[Json], None] = lambda _: None
    basic: frozenset[str] = frozenset()
    is_counting: bool = True
    scanned: int | None = 4_321
    calls: list[tuple[str, dict[str, str], Json]] = field(default_factory=list)
    tables: dict[str, Layout] = field(default_factory=dict)
    hung: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.load(USAGE, [])

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make a table hold these rows."""
        if _LOADED.get(layout.table) != (layout, rows):
            self.kusto._connection.execute(f'DROP VIEW IF EXISTS temp."{layout.table}"')
            self.kusto.load(layout, rows)
            _LOADED[layout.table] = layout, rows
        self.tables[layout.table] = layout

    def use(self, table: str, start: datetime, megabytes: Sequence[float]) -> None:
        """Tell of the volume of a table, hour by hour."""
        hours = [start + timedelta(hours=number) for number in range(len(megabytes))]
        self.load(
            USAGE,
            [
                {"TimeGenerated": at, "StartTime": at, "EndTime": at + timedelta(hours=1), "DataType": table, "Quantity": float(size)}
                for at, size in zip(hours, megabytes, strict=True)
            ],
        )

    @property
    def asked(self) -> list[tuple[str, dict[str, str], Json]]:
        """Calls of programs, those of the table Usage left out."""
        return [call for call in self.calls if not call[2]["query"].startswith("Usage")]

    # -- answers ----------------------------------------------------------------------------------------------------

    def answer(self, path: str, body: Json) -> tuple[int, Json]:
        text = str(body["query"])
        if refused := self._of_plan(path, text):
            return refused
        try:
            with self.lock:
                self._cut(body.get("timespan"))
                rows = self.kusto.rows(text)
                columns = [(str(each[0]), _type_of(str(each[1]))) for each in self.kusto._connection.description or ()]
        except (Gap, Rejected) as error:
            return 400, bad(*_kusto_words(str(error)))
        cells = [[_cell(value, of) for value, (_, of) in zip(row, columns, strict=True)] for row in rows]
        table = {"name": "PrimaryResult", "columns": [{"name": name, "type": of} for name, of in columns], "rows": cells}
        found: Json = {"tables": [table]}
        if self.is_counting:
            found["statistics"] = self._statistics(cells)
        if not text.startswith("Usage"):
            self.spoiled(found)
            if self.partial is not None:
                message = "There were some errors when processing your query."
                found["error"] = {"code": "PartialError", "message": message, "details": self.partial}
        return 200, found

    def _statistics(self, cells: Sequence[object]) -> Json:
        size = len(json.dumps(cells))
        shards = {"hot": {"hitBytes": self.scanned, "missBytes": 0}, "cold": {"hitBytes": 0, "missBytes": 0}, "bypassBytes": 0}
        usage = {"cache": {"shards": shards}} if self.scanned is not None else {}
        return {"query": {"executionTime": 0.01, "resourceUsage": usage, "datasetStatistics": [_counts(len(cells), size)]}}

    def _of_plan(self, path: str, text: str) -> tuple[int, Json] | None:
        is_basic = any(re.search(rf"^{table}\b", text, re.MULTILINE) for table in self.basic)
        if path.endswith("/search") == is_basic:
            return None
        message = "Query of Basic Logs table is not supported with the API '/query'. You can use '/search' instead."
        return 400, bad("UnsupportedApiQueryValidationError", message)

    def _cut(self, timespan: str | None) -> None:
        """Let every table show only what lies in the span, the end left out."""
        found = re.fullmatch(r"([^/]+)/([^/P]+)", timespan or "")
        duration = re.fullmatch(r"PT([0-9.]+)S", timespan or "")
        if timespan and not found and not duration:
            raise Rejected(f"timespan {timespan}")
        since = datetime.now(tz=UTC) - timedelta(seconds=float(duration[1])) if duration else None
        edges = [(">=", found[1]), ("<", found[2])] if found else [(">=", since.isoformat())] if since else []
        for table in self.tables:
            where = " AND ".join(f"\"TimeGenerated\" {sign} TIMESTAMPTZ '{edge}' AT TIME ZONE 'UTC'" for sign, edge in edges) or "true"
            shown = f'SELECT * FROM memory.main."{table}" WHERE {where}'  # noqa: S608 - names and moments of the test's own
            self.kusto._connection.execute(f'CREATE OR REPLACE TEMP VIEW "{table}" AS {shown}')


def _counts(rows: int, size: int) -> Json:
    return {"tableRowCount": rows, "tableSize": size}


def counts_in(found: Json) -> Json:
    """Return what the statistics of a result count."""
    counts: Json = found["statistics"]["query"]["datasetStatistics"][0]
    return counts


def bad(code: str, message: str, outer: str = "BadArgumentError") -> Json:
    """Return the body of a refusal as the service nests it."""
    inner: Json = {"code": code, "message": message}
    if code.startswith(("SEM", "SYN")):
        kind = "SemanticError" if code.startswith("SEM") else "SyntaxError"
        inner = {"code": kind, "message": "A semantic error occurred.", "innererror": inner}
    return {"error": {"message": "The request had some invalid properties", "code": outer, "correlationId": "c-1", "innererror": inner}}


def _kusto_words(text: str) -> tuple[str, str]:
    """Return DuckDB's complaint in the words of Kusto."""
    if found := re.search(r"Table with name (\w+) does not exist", text):
        return "SEM0100", f"'where' operator: Failed to resolve table or column expression named '{found[1]}'"
    if found := re.search(r'[Cc]olumn "(\w+)" (not found in FROM|referenced that exists)', text):
        return "SEM0100", f"'project' operator: Failed to resolve scalar expression named '{found[1]}'"
    return "SYN0002", f"Query could not be parsed: {text.splitlines()[0]}"


def _type_of(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return "decimal"
    return "datetime" if kind.startswith("TIMESTAMP") else _TYPES.get(kind, "dynamic")


def _cell(value: object, of: str) -> object:
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds').rstrip('0').rstrip('.')}Z"
    if of == "dynamic":
        return value if value is None or isinstance(value, str) else json.dumps(value, default=str)
    if isinstance(value, Decimal):
        return str(value)
    if of == "string":
        return "" if value is None else str(value)
    return value if isinstance(value, int | float | str) or value is None else str(value)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: LogAnalyticsWorld

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.world.calls.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        waiting = self.world.usage_faults if str(body["query"]).startswith("Usage") else self.world.faults
        if waiting:
            self._fault(waiting.pop(0))
        elif self.headers.get("Authorization") != "Bearer local":
            self._give(401, json.dumps(bad("InvalidTokenError", "The provided authentication is not valid.")).encode())
        else:
            status, found = self.world.answer(self.path, body)
            self._give(status, json.dumps(found).encode())

    def _fault(self, fault: Fault) -> None:
        if fault.kind == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault.kind == "hang":
            self.world.hung.set()
            self.world.released.wait(20)
            self.close_connection = True
        elif fault.kind == "cut":
            self._give(200, b'{"tables": [{"name": "PrimaryResult", "col', length=4096)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault.kind == "broken":
            self._give(200, b'{"tables": [{"name": "PrimaryResult", "col')
        elif fault.kind == "html":
            self._give(
                fault.status, b"<html><body>Bad gateway</body></html>", "text/html", {"Retry-After": fault.after} if fault.after else {}
            )
        else:
            headers = {"Retry-After": fault.after} if fault.after else {}
            self._give(fault.status, json.dumps(bad(fault.code, fault.message, fault.outer or fault.code)).encode(), headers=headers)

    def _give(
        self, status: int, body: bytes, kind: str = "application/json", headers: dict[str, str] | None = None, length: int = 0
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length or len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def log_analytics_server(world: LogAnalyticsWorld) -> Iterator[str]:
    """Give the address of a server that lives as long as the block."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"world": world}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        world.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
