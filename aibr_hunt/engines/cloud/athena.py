"""Athena through boto3: one job for each program, every page of its result, and the rows counted against the engine's own count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aibr_hunt.engines.cloud.patience import Again, Patience
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    Answer,
    ColumnSeen,
    Estimate,
    Inspection,
    Manners,
    NotThere,
    OverBudget,
    PartialResult,
    Question,
    Row,
    Statistics,
    TooComplex,
    Watch,
)
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind, PartitionForm
from aibr_hunt.model.source import Source

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html: at most 1000 rows a page.
_PAGE: Final = 1000
# docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html: the least cut-off that a work group takes.
LEAST_CUT_OFF: Final = 10_000_000
# Objects that are listed for an estimate; a table of more is not estimated.
_MOST_OBJECTS: Final = 50_000
_ENDED: Final = frozenset(("SUCCEEDED", "FAILED", "CANCELLED"))
_TIMES: Final = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
_AGAIN: Final = frozenset(
    (
        *("TooManyRequestsException", "ThrottlingException", "Throttling", "SlowDown"),
        *("InternalServerException", "InternalError", "ServiceUnavailable"),
    )
)
_REFUSED: Final = frozenset(
    (
        *("AccessDeniedException", "AccessDenied", "UnrecognizedClientException"),
        *("ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId"),
    )
)
# Reasons as Athena words them; the first that occurs decides. Each stands in a test with the text that was seen or documented.
_REASONS: Final[tuple[tuple[type[EngineError], tuple[str, ...]], ...]] = (
    (NotThere, ("TABLE_NOT_FOUND", r"Table .* does not exist", "COLUMN_NOT_FOUND", r"Column '.*' cannot be resolved")),
    (NotThere, ("SCHEMA_NOT_FOUND", r"Schema .* does not exist")),
    (PartialResult, ("exhausted resources", "Query timeout", r"EXCEEDED_(LOCAL_|GLOBAL_)?MEMORY", r"exceeded .*memory")),
    (
        TooComplex,
        ("Method too large", "COMPILER_ERROR", "Compiler failed", "stack.?overflow", "too complex", r"exceeded maximum.*(depth|length)"),
    ),
    (AccessRefused, ("Access ?Denied", "not authorized", "Insufficient permissions", "INSUFFICIENT_PRIVILEGES")),
)
_CUT_OFF: Final = re.compile(r"Bytes scanned limit was exceeded", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class AthenaEngine:
    """Asks one account and region.

    Args:
        region: Of Athena and of its result bucket.
        workgroup, catalog, database: As Athena names them. `output`: where results go (`s3://…/`); empty leaves it to the work group.
        endpoint: Of another server than Amazon's, for tests; empty otherwise.
        price: What a tebibyte costs. `manners`: how patient the client is.
    """

    region: str
    workgroup: str = "primary"
    catalog: str = "AwsDataCatalog"
    database: str = "default"
    output: str = ""
    profile: str = ""
    endpoint: str = ""
    price: Price | None = None
    manners: Manners = field(default_factory=Manners)
    _clients: dict[str, Any] = field(default_factory=dict, init=False)
    _running: set[str] = field(default_factory=set, init=False)

    @property
    def kind(self) -> EngineKind:
        """Athena."""
        return EngineKind.ATHENA

    # -- clients ----------------------------------------------------------------------------------------------------

    def _client(self, name: str) -> Any:
        if name not in self._clients:
            try:
                import boto3
                from botocore.config import Config
            except ImportError:
                raise UsageError("Athena needs boto3.", hint="Install it with `pip install 'aibr_hunt[athena]'`.") from None
            # Repeating is ours: every call has one deadline, and what is waited for is told.
            config = Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=min(10.0, self.manners.call_s),
                read_timeout=self.manners.call_s,
                s3={"addressing_style": "path"} if self.endpoint else {},
                user_agent_extra="aibr_hunt",
            )
            session = boto3.Session(profile_name=self.profile or None, region_name=self.region)
            self._clients[name] = session.client(name, config=config, endpoint_url=self.endpoint or None)
        return self._clients[name]

    def _call(self, patience: Patience, client: str, method: str, **arguments: object) -> dict[str, Any]:
        """Return what one call gives; throttling, faults of the server and of the network are waited out."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            made = getattr(self._client(client), method)  # a profile that is not there shows itself here
            found: dict[str, Any] = patience.call(lambda: made(**arguments), _again, (ClientError, BotoCoreError))
        except ClientError as error:
            raise self._error_of(error, f"{patience.what}: {method}") from error
        except NoCredentialsError as error:
            hint = "Sign in (`aws sso login`), or name a profile in the Source."
            raise AccessRefused(f"{patience.what} finds no AWS credentials.", hint=hint) from error
        except BotoCoreError as error:
            raise EngineError(f"{patience.what} cannot be reached: {error}.", retryable=True, hint="Check region and network.") from error
        return found

    def _error_of(self, error: ClientError, where: str) -> EngineError:
        code, message = str(error.response["Error"].get("Code")), str(error.response["Error"].get("Message"))
        if code in _REFUSED:
            return AccessRefused(f"{where} was refused: {message} ({code}).", hint="docs/clouds.md lists the permissions that are needed.")
        if code == "InvalidRequestException":
            return _reason(message, where) or EngineError(f"{where} was refused as wrong: {message}.")
        return EngineError(f"{where} failed: {message} ({code}).", retryable=code in _AGAIN)

    # -- the protocol -----------------------------------------------------------------------------------------------

    def estimate(self, question: Question) -> Estimate:
        """Return the sizes of the objects that lie below the days of the window, as far as the table's keys tell days."""
        patience = self._patience(question.source, Watch())
        try:
            table = self._table(question.source, patience)
            location = str(table["Table"]["StorageDescriptor"].get("Location", ""))
            template = str(table["Table"].get("Parameters", {}).get("storage.location.template", ""))
            return self._objects(location or template.split("$", 1)[0], question, patience)
        except (NotThere, AccessRefused) as error:
            if isinstance(error, NotThere):
                raise
            return Estimate(scanned_bytes=None, basis="the sizes of the table's objects may not be listed")

    def _objects(self, location: str, question: Question, patience: Patience) -> Estimate:
        match = re.fullmatch(r"s3://([^/]+)/(.*)", location)
        if match is None:
            return Estimate(scanned_bytes=None, basis="the table names no place in S3")
        days = _days(question)
        size = count = 0
        tokens = ("ContinuationToken", "NextContinuationToken")
        for page in self._pages(patience, ("s3", "list_objects_v2"), tokens, Bucket=match[1], Prefix=match[2]):
            for item in page.get("Contents", ()):
                count += 1
                if not days or any(day in item["Key"] for day in days):
                    size += int(item["Size"])
            if count > _MOST_OBJECTS:
                return Estimate(scanned_bytes=None, basis=f"more than {_MOST_OBJECTS:,} objects lie below the table")
        return Estimate(scanned_bytes=size, basis="an upper bound: the objects below the days of the window, before columns are left out")

    def _pages(self, patience: Patience, call: tuple[str, str], tokens: tuple[str, str], **arguments: object) -> Iterator[dict[str, Any]]:
        """Yield every page of a call; `tokens` names the token as it is given, and as the next one is found."""
        token, following = tokens
        while True:
            client, method = call
            page = self._call(patience, client, method, **arguments)
            yield page
            if not page.get(following):
                return
            arguments[token] = page[following]

    def _table(self, source: Source, patience: Patience) -> dict[str, Any]:
        """Return what the catalogue says of the table.

        Raises:
            NotThere: It holds no such table.
        """
        database, table = self._named(source)
        try:
            return self._call(patience, "glue", "get_table", DatabaseName=database, Name=table)
        except EngineError as error:
            if "EntityNotFoundException" in str(error):
                hint = "Name the table in the Source, or make it (docs/clouds.md)."
                raise NotThere(
                    f"{source.label} names the table {database}.{table}, which the catalogue does not hold.", hint=hint
                ) from error
            raise

    def _named(self, source: Source) -> tuple[str, str]:
        *before, table = source.layout.table.split(".")
        return (before[-1] if before else self.database), table

    def ask(self, question: Question, watch: Watch) -> Answer:
        """Start the program under its token, or take up the job that was started under it, and wait."""
        patience = self._patience(question.source, watch)
        started = self._call(patience, "athena", "start_query_execution", **self._start(question))
        job = str(started["QueryExecutionId"])
        watch.started(job)
        self._running.add(job)
        try:
            execution = self._wait(job, patience)
        except BaseException:
            self._stop(job)
            raise
        self._running.discard(job)
        told = execution.get("Statistics", {})
        scanned = int(told.get("DataScannedInBytes", 0))
        statistics = Statistics(job=job, scanned_bytes=scanned, billed_bytes=max(scanned, LEAST_CUT_OFF) if scanned else 0)
        self._check(execution, question, statistics)
        return Answer(rows=self._rows(job, patience, statistics), statistics=statistics)

    def _start(self, question: Question) -> dict[str, object]:
        start: dict[str, object] = {
            "QueryString": question.text,
            "ClientRequestToken": question.token,
            "QueryExecutionContext": {"Database": self._named(question.source)[0], "Catalog": self.catalog},
            "WorkGroup": self.workgroup,
            # What was true an hour ago is no evidence.
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        }
        return start | ({"ResultConfiguration": {"OutputLocation": self.output}} if self.output else {})

    def _wait(self, job: str, patience: Patience) -> dict[str, Any]:
        for _ in patience.polls():
            found: dict[str, Any] = self._call(patience, "athena", "get_query_execution", QueryExecutionId=job)["QueryExecution"]
            if found["Status"]["State"] in _ENDED:
                return found
        raise AssertionError("polls do not end")

    def _check(self, execution: Mapping[str, Any], question: Question, statistics: Statistics) -> None:
        """Return when the job succeeded.

        Raises:
            NotThere, PartialResult, TooComplex, AccessRefused, OverBudget, EngineError: As it says why it did not.
        """
        state, why = str(execution["Status"]["State"]), str(execution["Status"].get("StateChangeReason", "it gives no reason"))
        if state == "SUCCEEDED":
            return
        where = f"{question.source.label}: job {statistics.job}"
        if _CUT_OFF.search(why):
            raise OverBudget(f"{where} was stopped at the work group's cut-off: {why}.", hint="Raise it, or ask a shorter window.")
        if state == "CANCELLED":
            raise EngineError(f"{where} was cancelled by someone else: {why}.", retryable=True)
        is_retryable = bool(execution["Status"].get("AthenaError", {}).get("Retryable"))
        raise _reason(why, where) or EngineError(f"{where} failed: {why}.", retryable=is_retryable)

    def _rows(self, job: str, patience: Patience, statistics: Statistics) -> Iterator[Row]:
        """Yield every row of every page; the first row of the first page repeats the columns' names."""
        count, names, types = -1, [], []
        call, tokens = ("athena", "get_query_results"), ("NextToken", "NextToken")
        for page in self._pages(patience, call, tokens, QueryExecutionId=job, MaxResults=_PAGE):
            columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            names, types = [str(each["Name"]) for each in columns], [str(each["Type"]) for each in columns]
            for row in page["ResultSet"]["Rows"]:
                count += 1
                if count:
                    yield _row(names, types, row["Data"])
                elif [cell.get("VarCharValue") for cell in row["Data"]] != names:
                    raise EngineError(f"{patience.what}: the result of job {job} does not begin with the names of its columns.")
        statistics.counted_rows = self._counted(job, patience)
        if statistics.counted_rows is not None and statistics.counted_rows != max(0, count):
            what = f"{patience.what}: job {job} gave {max(0, count):,} rows, and the engine counted {statistics.counted_rows:,}."
            raise EngineError(what, retryable=True, hint="The result is not taken for whole.")

    def _counted(self, job: str, patience: Patience) -> int | None:
        """Return how many rows the engine says that it gave; None when it keeps no such statistics."""
        try:
            found = self._call(patience, "athena", "get_query_runtime_statistics", QueryExecutionId=job)
        except EngineError:
            return None
        rows = found.get("QueryRuntimeStatistics", {}).get("Rows", {}).get("OutputRows")
        return None if rows is None else int(rows)

    def inspect(self, source: Source) -> Inspection:
        """Return what the catalogue says of the table."""
        try:
            table = self._table(source, self._patience(source, Watch()))["Table"]
        except NotThere as error:
            return Inspection(is_there=False, notes=(str(error),))
        partitions = [str(each["Name"]) for each in table.get("PartitionKeys", ())]
        columns = [*table["StorageDescriptor"].get("Columns", ()), *table.get("PartitionKeys", ())]
        is_projected = str(table.get("Parameters", {}).get("projection.enabled", "")).lower() == "true"
        return Inspection(
            is_there=True,
            columns=tuple(ColumnSeen(name=str(each["Name"]), type=str(each.get("Type", ""))) for each in columns),
            partitions=f"{', '.join(partitions)} ({'projected' if is_projected else 'in the catalogue'})" if partitions else "",
            notes=tuple(_partition_notes(source, partitions)),
        )

    def _patience(self, source: Source, watch: Watch) -> Patience:
        return Patience(manners=self.manners, watch=watch, what=source.label)

    def _stop(self, job: str) -> None:
        """Tell the remote job to stop; whoever stops is not held up by what that comes to."""
        self._running.discard(job)
        with suppress(Exception):
            self._client("athena").stop_query_execution(QueryExecutionId=job)

    def close(self) -> None:
        """Stop what still runs, and give up connections."""
        for job in tuple(self._running):
            self._stop(job)
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _again(error: Exception) -> Again | None:
    from botocore.exceptions import ClientError, HTTPClientError, ReadTimeoutError
    from botocore.exceptions import ConnectionError as Unreachable

    if isinstance(error, Unreachable | HTTPClientError | ReadTimeoutError):
        return Again(why=f"no answer ({type(error).__name__})")
    if not isinstance(error, ClientError):
        return None
    code, headers = str(error.response["Error"].get("Code")), error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _AGAIN or status == 429 or status >= 500:
        after = str(headers.get("retry-after", ""))
        return Again(why=f"{code} ({status})", after_s=float(after) if after.isdecimal() else None)
    return None


def _reason(text: str, where: str) -> EngineError | None:
    """Return the error that a reason is, None when its words tell nothing."""
    for kind, patterns in _REASONS:
        if any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns):
            return kind(f"{where}: {text.rstrip('.')}.")
    return None


def _row(names: Sequence[str], types: Sequence[str], data: Sequence[Mapping[str, str]]) -> Row:
    cells = (cell.get("VarCharValue") for cell in data)
    return {name: _cell(text, of) for name, of, text in zip(names, types, cells, strict=True)}


def _cell(text: str | None, of: str) -> object:
    """Return a cell of its type: NULL is a cell without a value, and an empty text is one with an empty value."""
    if text is None:
        return None
    kind = of.lower()
    if kind in {"tinyint", "smallint", "integer", "int", "bigint"}:
        return int(text)
    if kind == "boolean":
        return text == "true"
    if kind in {"double", "float", "real"}:
        return float(text)
    return (_moment(text) or text) if kind.startswith(("timestamp", "date")) else text


def _moment(text: str) -> datetime | None:
    for form in _TIMES:
        with suppress(ValueError):
            return datetime.strptime(text.removesuffix(" UTC"), form).replace(tzinfo=UTC)
    return None


_DAYS: Final = {
    PartitionForm.SLASHED: "%Y/%m/%d",
    PartitionForm.DASHED: "%Y-%m-%d",
    PartitionForm.COMPACT: "%Y%m%d",
    PartitionForm.DATE: "%Y-%m-%d",
}


def _days(question: Question) -> tuple[str, ...]:
    """Return the days of the window as keys write them, with the slack of partitions; nothing when the table has no partition by day."""
    found = [partition for partition in question.source.layout.partitions if partition.form in _DAYS]
    start, end = question.window.start, question.window.end
    if not found or start is None or end is None:
        return ()
    slack, form = timedelta(days=found[0].slack_days), _DAYS[found[0].form]
    first, last = (start - slack).date(), (end + slack).date()
    return tuple((first + timedelta(days=number)).strftime(form) for number in range((last - first).days + 1))


def _partition_notes(source: Source, there: Sequence[str]) -> Iterator[str]:
    known = {name.lower() for name in there}
    for partition in source.layout.partitions:
        if partition.column.lower() not in known:
            yield f"{source.label}: the layout prunes by {partition.column}, by which the table is not partitioned."
