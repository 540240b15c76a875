"""Log Analytics through Azure's client: one call for each program, its whole result or an error, and rows counted as the service counts.

There are no jobs. A program is one call of HTTP that answers when the query is done, after ten minutes at most; the id under which it is
written down is the one that the call carries (`x-ms-client-request-id`). What follows from that:

- Who stops a run gives up the call. A query has no handle to stop it by: the service ends it on its own, at the latest when the time that
  the call allowed it is over.
- A run that goes on after a crash asks again. Under the plan analytics a query costs nothing; under the plans basic and auxiliary the
  program is paid for twice, and so is one that is asked again because the connection broke.
- What a program may scan at most cannot be handed to the service: a ceiling holds by the estimate alone.
- An answer may come from a cache of the last minutes unless the call forbids it, and every call does.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aibr_hunt.compile.kql import identifier, literal
from aibr_hunt.engines.cloud.log_analytics_answers import (
    BASIC,
    EDGE,
    GRANT,
    TIME,
    Reply,
    check_text,
    counts_of,
    plan_of,
    reason_of,
    refusal_of,
    rows_of,
    scanned_of,
    span_of,
    table_of,
)
from aibr_hunt.engines.cloud.patience import Again, Patience
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    Answer,
    ColumnSeen,
    Estimate,
    Inspection,
    Manners,
    NotThere,
    PartialResult,
    Question,
    Row,
    Statistics,
    Stopped,
    Watch,
)
from aibr_hunt.engines.cloud.rows import lacking
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window, utc_text

# learn.microsoft.com/azure/azure-monitor/logs/api/timeouts: what a query may take at most.
LONGEST_S: Final = 600
_NEWEST_DAYS: Final = 3
_STEP_S: Final = 0.02
_MB: Final = 1_000_000
_LOCAL: Final = "http://127.0.0.1:"

Span = tuple[datetime, datetime] | timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """One call: a text, the span that the service cuts tables by (None for no cut), and how it is made.

    Attributes:
        is_basic: The table is of a plan whose queries are asked through the interface `search`.
        job: The id that the call carries; empty lets the client choose one.
        most_s: What the service may take of time, at most.
    """

    text: str
    span: Span = None
    is_basic: bool = False
    job: str = ""
    most_s: float = LONGEST_S

    def where(self, what: str) -> str:
        """Return who is asked, in words for messages."""
        return f"{what}: request {self.job}" if self.job else what


@dataclass(slots=True, kw_only=True)
class LogAnalyticsEngine:
    """Asks one workspace. A Source's setting `plan` says of which plan its table is: analytics (when it says nothing), basic or auxiliary.

    Args:
        workspace: Its id, a GUID.
        endpoint: Of another service than the public cloud's: a sovereign cloud's, or a server on the loopback for tests, which is spoken to
            without credentials. Empty otherwise.
        price: What a tebibyte costs to scan, for a table of the plan basic or auxiliary; None for analytics, where a query costs nothing.
        manners: How patient the client is. A call takes as long as its query, so `call_s` is what it may take longer.
    """

    workspace: str
    endpoint: str = ""
    price: Price | None = None
    manners: Manners = field(default_factory=Manners)
    _opened: Any = field(default=None, init=False)
    _estimates: dict[tuple[str, Window], Estimate] = field(default_factory=dict, init=False)

    @property
    def kind(self) -> EngineKind:
        """KQL."""
        return EngineKind.KQL

    # -- calls ------------------------------------------------------------------------------------------------------

    @property
    def _client(self) -> Any:
        """The client, opened when it is first needed."""
        if self._opened is None:
            try:
                from azure.identity import DefaultAzureCredential
                from azure.monitor.query import LogsQueryClient
            except ImportError:
                hint = "Install it with `pip install 'aibr_hunt[log-analytics]'`."
                raise UsageError("Log Analytics needs azure-monitor-query and azure-identity.", hint=hint) from None
            # What goes wrong is told by errors; without a handler of the user's the client's own words would go to stderr.
            logging.getLogger("azure").addHandler(logging.NullHandler())
            credential: Any = _LocalToken() if self.endpoint.startswith(_LOCAL) else DefaultAzureCredential()
            where = {"endpoint": self.endpoint} if self.endpoint else {}
            # Repeating is ours: every call has one deadline, and what is waited for is told. A token is shown to nobody who is led to.
            self._opened = LogsQueryClient(credential, **where, retry_total=0, permit_redirects=False, user_agent="aibr_hunt")
        return self._opened

    def _call(self, query: _Query, patience: Patience) -> Reply:
        """Return the answer to one query; throttling, faults of the server and of the network are waited out, a token is renewed once.

        Raises:
            Stopped: The user asked to stop: the call was given up.
            NotThere, PartialResult, TooComplex, AccessRefused, EngineError: The service says so.
        """
        is_renewed = False

        def make() -> Reply:
            client, allowed_s = self._client, max(1, int(min(query.most_s, patience.left_s)))
            return self._awaited(lambda: _exchange(client, self.workspace, query, **self._how(query, allowed_s)), patience, allowed_s)

        def again(error: Exception) -> Again | None:
            nonlocal is_renewed
            if isinstance(error, _Failed) and error.reply.status == 401 and not is_renewed:
                is_renewed = True
                return Again(why="the token is refused (401)")
            return _again(error)

        try:
            return patience.call(make, again, (_Failed,))
        except _Failed as failed:
            raise _error_of(failed, query.where(patience.what)) from failed.__cause__

    def _how(self, query: _Query, allowed_s: int) -> dict[str, object]:
        """Return how a call is made: what the service may take of time, and what the client waits for it."""
        how: dict[str, object] = {
            "server_timeout": allowed_s,
            "include_statistics": True,
            # What was true some minutes ago is no evidence.
            "headers": {"Cache-Control": "no-cache"},
            "read_timeout": allowed_s + self.manners.call_s,
            "connection_timeout": min(10.0, self.manners.call_s),
        }
        if self.endpoint.startswith(_LOCAL):
            how["enforce_https"] = False
        if query.job:
            how["request_id"] = query.job
        if query.is_basic:
            how["raw_request_hook"] = _to_search
        return how

    def _awaited(self, make: Callable[[], Reply], patience: Patience, allowed_s: int) -> Reply:
        """Return what a call gives that is made in a thread of its own, so that a stop and the deadline are heeded while it lasts.

        Raises:
            Stopped, EngineError: The call was given up; its thread ends with the service's answer, and holds up nobody.
        """
        found: queue.SimpleQueue[Reply | _Failed | None] = queue.SimpleQueue()

        def run() -> None:
            answer: Reply | _Failed | None = None
            try:
                answer = make()
            except _Failed as failed:
                answer = failed
            finally:
                found.put(answer)

        threading.Thread(target=run, name=f"{patience.what} call", daemon=True).start()
        try:
            return self._taken(found, patience, allowed_s)
        except _Failed:
            raise
        except BaseException:
            self._forget()
            raise

    def _taken(self, found: queue.SimpleQueue[Reply | _Failed | None], patience: Patience, allowed_s: int) -> Reply:
        while True:
            with suppress(queue.Empty):
                answer = found.get(timeout=_STEP_S)
                if isinstance(answer, Reply):
                    return answer
                raise answer or AssertionError("a call ends with an answer or with an error of the driver's")
            ends = f"a query has no handle to stop it by, and ends on its own after {allowed_s:,} s at the latest"
            if patience.watch.is_stopped():
                raise Stopped(f"The run was stopped, and the call of {patience.what} was given up: {ends}.")
            if patience.left_s <= 0:
                what = f"{patience.what} gave no answer within {self.manners.deadline_s:,.1f} s and was given up: {ends}."
                raise EngineError(what, retryable=True, hint="Give it more time (deadline_s of the Source), or ask a shorter window.")

    def _forget(self) -> None:
        """Give up connections; whoever stops is not held up by what that comes to."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(Exception):
                opened.close()

    def _patience(self, source: Source, watch: Watch) -> Patience:
        return Patience(manners=self.manners, watch=watch, what=source.label)

    # -- the protocol -----------------------------------------------------------------------------------------------

    def estimate(self, question: Question) -> Estimate:
        """Return the volume that came into the table in the hours of the window, as the workspace's own `Usage` tells it."""
        check_text(question)
        key = question.source.layout.table, question.window
        if key not in self._estimates:
            self._estimates[key] = self._volume(question)
        return self._estimates[key]

    def _volume(self, question: Question) -> Estimate:
        source, span, plan = question.source, span_of(question), plan_of(question.source)
        if span is None:
            return Estimate(scanned_bytes=None, basis="the window has an open side, or the layout does not bound TimeGenerated")
        start, end = utc_text(span[0] + EDGE), utc_text(span[1] - EDGE)
        text = (
            f"Usage\n| where DataType =~ {literal(source.layout.table)} and StartTime < datetime({end}) and EndTime > datetime({start})\n"
            "| summarize Megabytes = sum(Quantity), Hours = count()\n"
        )
        try:
            reply = self._call(_Query(text=text, most_s=self.manners.call_s), self._patience(source, Watch()))
            (row,) = rows_of(table_of(reply, source.label))
        except (EngineError, ValueError) as error:
            return Estimate(scanned_bytes=None, basis=f"the table Usage, which tells volumes, could not be read: {error}")
        if not int(str(row.get("Hours") or 0)):
            return Estimate(scanned_bytes=None, basis="the table Usage tells of no volume of this table in the window")
        money = "every query is paid for by what it scans" if plan in BASIC else "scanning costs nothing"
        basis = f"an estimate: what came into the table in the hours of the window, by Usage; under the plan {plan} {money}"
        return Estimate(scanned_bytes=int(float(str(row.get("Megabytes") or 0)) * _MB), basis=basis)

    def ask(self, question: Question, watch: Watch) -> Answer:
        """Ask the program in one call and return its rows, all of which have come by then."""
        check_text(question)
        patience = self._patience(question.source, watch)
        job = str(uuid.UUID(question.token[:32]))
        is_basic = plan_of(question.source) in BASIC
        query = _Query(text=question.text, span=span_of(question), is_basic=is_basic, job=job)
        watch.started(job)
        reply = self._call(query, patience)
        table = table_of(reply, query.where(patience.what))
        # What a plan bills is not told: it counts as it was estimated. Bytes of shards are compressed, and say nothing of it.
        scanned = None if is_basic else scanned_of(reply)
        statistics = Statistics(job=job, counted_rows=counts_of(reply)[0], scanned_bytes=scanned, billed_bytes=None if is_basic else 0)
        return Answer(rows=rows_of(table), statistics=statistics)

    def inspect(self, source: Source) -> Inspection:
        """Return what the workspace says of the table, and the newest event time of the last days."""
        patience, table, of = self._patience(source, Watch()), identifier(source.layout.table), identifier(source.layout.time.column)
        newest = f"{table}\n| where {TIME} >= ago({_NEWEST_DAYS}d)\n| summarize newest = max({of})\n"
        try:
            seen = self._asked(f"{table}\n| getschema\n| project ColumnName, ColumnType\n", source, patience)
            found = self._asked(newest, source, patience)
        except NotThere as error:
            return Inspection(is_there=False, notes=(str(error),))
        moment = found[0].get("newest") if found else None
        columns = tuple(ColumnSeen(name=str(row.get("ColumnName")), type=str(row.get("ColumnType"))) for row in seen)
        return Inspection(
            is_there=True,
            columns=columns,
            newest=moment if isinstance(moment, datetime) else None,
            notes=tuple(_notes(source, columns)),
        )

    def _asked(self, text: str, source: Source, patience: Patience) -> list[Row]:
        query = _Query(text=text, span=timedelta(days=_NEWEST_DAYS), is_basic=plan_of(source) in BASIC, most_s=self.manners.call_s)
        return [*rows_of(table_of(self._call(query, patience), patience.what))]

    def close(self) -> None:
        """Give up connections. A query that still runs ends on its own."""
        self._forget()


def _notes(source: Source, columns: tuple[ColumnSeen, ...]) -> Iterator[str]:
    if missing := lacking(source.layout, frozenset(column.name for column in columns)):
        yield f"{source.label}: the table lacks columns that the layout reads: {', '.join(missing)}."
    if plan_of(source) in BASIC:
        yield f"{source.label}: under the plan {plan_of(source)} every query is paid for by what it scans."


# -- one call -------------------------------------------------------------------------------------------------------


class _Failed(Exception):
    """A call that gave no result; `reply` is what came of it, the cause is the driver's error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the call gave no result")
        self.reply = reply


class _LocalToken:
    """What is shown to a server on the loopback: no credential."""

    def get_token(self, *scopes: str, **more: object) -> Any:  # noqa: ARG002 - the client's protocol
        from azure.core.credentials import AccessToken

        return AccessToken("local", int(time.time()) + 3600)


def _to_search(request: Any) -> None:
    """Lead a call to the interface that tables of the plan basic are asked through, which the client does not know."""
    address = str(request.http_request.url)
    request.http_request.url = f"{address.removesuffix('/query')}/search"


def _exchange(client: Any, workspace: str, query: _Query, **how: object) -> Reply:
    """Return what came of one call of the client.

    Raises:
        _Failed: No result came.
    """
    from azure.core.exceptions import AzureError
    from azure.monitor.query import LogsQueryPartialResult

    reply = Reply()

    def keep(response: Any) -> None:
        reply.take(int(response.http_response.status_code), response.http_response.headers, response.http_response.content)

    try:
        result = client.query_workspace(workspace, query.text, timespan=query.span, raw_response_hook=keep, **how)
    except (AzureError, OSError, ValueError, TypeError, AttributeError, LookupError) as error:  # the latter, of bodies that it cannot read
        raise _Failed(reply) from error
    reply.is_partial = isinstance(result, LogsQueryPartialResult)
    return reply


def _again(error: Exception) -> Again | None:
    """Return that a call may be made again: after throttling, after a fault of the server, and when no answer came."""
    if not isinstance(error, _Failed):
        return None
    from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceResponseTimeoutError

    reply, cause = error.reply, error.__cause__
    if reply.status in {408, 429}:
        return Again(why=f"too many requests ({reply.status})", after_s=reply.after_s)
    if reply.status >= 500:
        is_told = (reply.status == 504 and reply.code == "GatewayTimeout") or reason_of(reply, "") is not None
        return None if is_told else Again(why=f"{reply.code or 'a fault of the server'} ({reply.status})", after_s=reply.after_s)
    if reply.status == 200:
        return Again(why="an answer that broke off")
    if reply.status or _behind(cause, (ClientAuthenticationError, ServiceResponseTimeoutError)) or _behind(cause, (AzureError,)) is None:
        return None
    return Again(why=f"no answer ({type(cause).__name__})")


def _behind(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> BaseException | None:
    """Return the first error of these kinds on the way to what an error goes back to: the client wraps some in others."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error


def _error_of(failed: _Failed, where: str) -> EngineError:
    """Return the error that a call ended with which is not made again."""
    from azure.core.exceptions import ClientAuthenticationError, ServiceResponseTimeoutError

    cause = failed.__cause__
    if failed.reply.status:
        return refusal_of(failed.reply, where)
    if refused := _behind(cause, (ClientAuthenticationError,)):
        return AccessRefused(f"{where} finds no Azure credentials that hold: {_said(refused)}.", hint=GRANT)
    if _behind(cause, (ServiceResponseTimeoutError,)):
        return PartialResult(f"{where}: the service gave no answer in the time that it was allowed.", hint="A shorter window may succeed.")
    return EngineError(f"{where} cannot be reached: {_said(cause)}.", retryable=True, hint="Check workspace, endpoint and network.")


def _said(error: BaseException | None) -> str:
    """Return the first line of what an error says."""
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)


__all__ = ["LogAnalyticsEngine"]
