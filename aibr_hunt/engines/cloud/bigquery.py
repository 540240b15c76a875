"""BigQuery through Google's client: one job for each program, every page of its result, and the rows counted against the engine's count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aibr_hunt.engines.cloud.bigquery_reasons import AGAIN, HINTS, REASONS, WORDS, check_text, failure_of, one_line
from aibr_hunt.engines.cloud.bigquery_tables import inspection_of, named
from aibr_hunt.engines.cloud.patience import Again, Patience
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    Answer,
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
from aibr_hunt.errors import AibrError, EngineError, UsageError
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.bigquery import DatasetReference

T = TypeVar("T")
# Rows that are asked for at once; the engine gives fewer where they are long.
_PAGE: Final = 10_000
_TABLES_AT_ONCE: Final = 1_000
_MOST_LISTS: Final = 50
# cloud.google.com/bigquery/pricing: what a query is billed at least for each table. The engine runs nothing under a lower ceiling.
LEAST_BILLED: Final = 10 << 20


@dataclass(slots=True, kw_only=True)
class BigQueryEngine:
    """Asks one project.

    Args:
        project: It runs the jobs and pays for them. `location`: of the data set; empty lets the engine find it.
        endpoint: Of another server than Google's, for tests, without credentials; empty otherwise.
        price: What a tebibyte costs. `manners`: how patient the client is.
    """

    project: str
    location: str = ""
    endpoint: str = ""
    price: Price | None = None
    manners: Manners = field(default_factory=Manners)
    _opened: Any = field(default=None, init=False)
    _running: dict[str, str | None] = field(default_factory=dict, init=False)
    _locations: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def kind(self) -> EngineKind:
        """BigQuery."""
        return EngineKind.BIGQUERY

    # -- calls ------------------------------------------------------------------------------------------------------

    @property
    def _client(self) -> Any:
        """The client, opened when it is first needed."""
        if self._opened is None:
            library = _library()
            from google.api_core.client_info import ClientInfo
            from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - it takes long to import
            from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - it takes long to import

            try:
                self._opened = library.Client(
                    project=self.project,
                    location=self.location or None,
                    credentials=AnonymousCredentials() if self.endpoint else None,  # type: ignore[no-untyped-call] # Google's
                    client_options={"api_endpoint": self.endpoint} if self.endpoint else None,
                    client_info=ClientInfo(user_agent="aibr_hunt"),  # type: ignore[no-untyped-call] # Google's
                )
            except GoogleAuthError as error:
                hint = "Sign in (`gcloud auth application-default login`), or name a key in GOOGLE_APPLICATION_CREDENTIALS."
                what = f"BigQuery finds no Google credentials: {one_line(str(error))}."
                raise AccessRefused(what, hint=hint) from error
        return self._opened

    def _call(self, patience: Patience, method: str, *arguments: object, **more: object) -> Any:
        """Return what one call of the client gives."""
        # Repeating is ours: every call has one deadline, and what is waited for is told.
        made = getattr(self._client, method)
        return _made(patience, method, lambda: made(*arguments, **more, retry=None, timeout=self._timeout(patience)))

    def _timeout(self, patience: Patience) -> float:
        return max(1.0, min(self.manners.call_s, patience.left_s))

    def _patience(self, source: Source, watch: Watch) -> Patience:
        return Patience(manners=self.manners, watch=watch, what=source.label)

    def _place(self, source: Source) -> str | None:
        """Return where the Source's jobs run, as far as it is known."""
        return self.location or self._locations.get(source.label)

    # -- estimate ---------------------------------------------------------------------------------------------------

    def estimate(self, question: Question) -> Estimate:
        """Return what a dry run says: it costs nothing, and it checks tables, columns and permissions."""
        patience = self._patience(question.source, Watch())
        dry = self._insert(question, patience, job_id=None)
        kind = str(dry.statement_type or "SELECT")
        if kind != "SELECT":
            raise UsageError(f"{patience.what}: BigQuery reads the program as {kind}, and nothing but one SELECT is asked.")
        if dry.location:
            self._locations[question.source.label] = str(dry.location)
        told = dry._properties.get("statistics", {}).get("query", {})  # noqa: SLF001 - the client has no other way to this one
        accuracy = str(told.get("totalBytesProcessedAccuracy", "PRECISE")).lower().replace("_", " ")
        if dry.total_bytes_processed is None or accuracy == "unknown":
            return Estimate(scanned_bytes=None, basis="the dry run does not say")
        return Estimate(scanned_bytes=int(dry.total_bytes_processed), basis="dry run" if accuracy == "precise" else f"dry run, {accuracy}")

    def _insert(self, question: Question, patience: Patience, *, job_id: str | None) -> Any:
        """Return the job as it was started, or as it would be: without an id it is a dry run."""
        check_text(question)
        # What was true an hour ago is no evidence: no result is used again.
        config = _library().QueryJobConfig(use_query_cache=False, use_legacy_sql=False, dry_run=job_id is None)
        if job_id is not None:
            # A job that nobody waits for any more ends on its own.
            config.job_timeout_ms = int(self.manners.deadline_s * 1000)
            if question.most_bytes is not None:
                config.maximum_bytes_billed = max(question.most_bytes, LEAST_BILLED)
        where = {"job_config": config, "job_id": job_id, "location": self._place(question.source), "job_retry": None}
        return self._call(patience, "query", question.text, **where)

    # -- asking -----------------------------------------------------------------------------------------------------

    def ask(self, question: Question, watch: Watch) -> Answer:
        """Start the program under its token, or take up the job that was started under it, and wait."""
        patience = self._patience(question.source, watch)
        self._heed_ceiling(question)
        for number in range(1, self.manners.attempts + 1):
            job_id = f"aibr_hunt-{question.token}-{number}"
            is_new, job = self._run(job_id, question, patience)
            lost = _lost(job, patience.what, is_new=is_new)
            table = None if lost else self._result(job, patience, is_new=is_new)
            if table is not None:
                statistics = Statistics(job=job_id, scanned_bytes=job.total_bytes_processed, billed_bytes=job.total_bytes_billed)
                return Answer(rows=self._rows(table, patience, statistics), statistics=statistics)
            why = lost or "its result is kept no longer"
            watch.tell(f"{patience.what}: job {job_id} gives no rows ({why}); the program is started anew")
            patience.pause(min(self.manners.longest_wait_s, self.manners.wait_s * 2**number) if is_new else 0.0)
        what = f"{patience.what}: {self.manners.attempts} jobs gave no rows."
        raise EngineError(what, retryable=True, hint="Try again later, in a new run.")

    def _heed_ceiling(self, question: Question) -> None:
        """Hold a ceiling below what the engine bills at least, which it would not run anything under.

        Raises:
            OverBudget: The dry run says that more is scanned.
        """
        most = question.most_bytes
        if most is not None and most < LEAST_BILLED:
            size = self.estimate(question).scanned_bytes
            if size is None or size > most:
                said = "an unknown number of" if size is None else f"{size:,}"
                what = f"{question.source.label}: the program would scan {said} bytes, and the ceiling is {most:,}."
                raise OverBudget(what, hint=HINTS[OverBudget])

    def _run(self, job_id: str, question: Question, patience: Patience) -> tuple[bool, Any]:
        """Return whether the job was started now, and the job as it ended."""
        self._running[job_id] = self._place(question.source)
        try:
            is_new = self._start(job_id, question, patience)
            patience.watch.started(job_id)
            job = self._wait(job_id, self._running.get(job_id), patience)
        except (NotThere, AccessRefused, OverBudget, TooComplex, PartialResult, UsageError):
            self._running.pop(job_id, None)
            raise
        except BaseException:
            self._stop(job_id)
            raise
        self._running.pop(job_id, None)
        _check(job, f"{patience.what}: job {job_id}")
        return is_new, job

    def _start(self, job_id: str, question: Question, patience: Patience) -> bool:
        """Return True when the job was started now, False when there was one under this id: it is taken up."""
        try:
            job = self._insert(question, patience, job_id=job_id)
        except _AlreadyThere:
            patience.watch.tell(f"{patience.what}: job {job_id} was started before, and is taken up")
            return False
        self._running[job_id] = job.location or self._place(question.source)
        return True

    def _wait(self, job_id: str, place: str | None, patience: Patience) -> Any:
        """Return the job when it has ended."""
        unseen = 0
        for _ in patience.polls():
            try:
                job = self._call(patience, "get_job", job_id, location=place)
            except NotThere as error:
                # A job is not always seen at once where it was started (googleapis/python-bigquery issue 2134).
                unseen += 1
                if unseen >= self.manners.attempts:
                    hint = "Name the location of the data set in the Source."
                    raise EngineError(
                        f"{patience.what}: job {job_id} is not found where it was started.", retryable=True, hint=hint
                    ) from error
                continue
            if job.state == "DONE":
                return job
        raise AssertionError("polls do not end")

    # -- rows -------------------------------------------------------------------------------------------------------

    def _result(self, job: Any, patience: Patience, *, is_new: bool) -> Any:
        """Return the table in which the result lies; None when an earlier job's is kept no longer (a day)."""
        if job.destination is None:
            raise EngineError(f"{patience.what}: job {job.job_id} names no result.", retryable=True)
        try:
            return self._call(patience, "get_table", job.destination)
        except NotThere as error:
            if is_new:
                raise EngineError(f"{patience.what}: the result of job {job.job_id} is not found.", retryable=True) from error
            return None

    def _rows(self, table: Any, patience: Patience, statistics: Statistics) -> Iterator[Row]:
        """Yield every row of every page."""
        counted = statistics.counted_rows = int(table.num_rows or 0)
        where = f"{patience.what}: job {statistics.job}"
        count, token, seen = 0, "", {""}
        while True:
            patience.heed()
            page, token, total = self._page(table, token, patience)
            if total != counted:
                raise _not_whole(f"{where}: a page counts {total:,} rows, and the engine counted {counted:,}")
            yield from page
            count += len(page)
            if not token or count > counted:
                break
            if token in seen:
                raise _not_whole(f"{where}: a page leads back to one that was read")
            seen.add(token)
        if count != counted:
            raise _not_whole(f"{where} gave {count:,} rows, and the engine counted {counted:,}")

    def _page(self, table: Any, token: str, patience: Patience) -> tuple[list[Row], str, int]:
        """Return the rows of one page, the token of the next one (empty at the end), and how many rows the engine says there are."""

        def make() -> tuple[list[Row], str, int]:
            listed = self._client.list_rows(table, page_token=token or None, page_size=_PAGE, retry=None, timeout=self._timeout(patience))
            page = next(iter(listed.pages))
            rows: list[Row] = [dict(row.items()) for row in page]
            return rows, str(listed.next_page_token or ""), int(listed.total_rows)

        try:
            return _made(patience, "list_rows", make)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise EngineError(f"{patience.what}: a page of the result cannot be read: {error}.", retryable=True) from error

    # -- inspection -------------------------------------------------------------------------------------------------

    def inspect(self, source: Source) -> Inspection:
        """Return what the data set says of the table; of tables by day, what the newest says."""
        patience = self._patience(source, Watch())
        project, dataset_id, name = named(source, self.project)
        dataset, shard = _library().DatasetReference(project, dataset_id), ""
        try:
            if name.endswith("*"):
                name = shard = self._newest_shard(dataset, name[:-1], patience)
            table = self._call(patience, "get_table", dataset.table(name))
        except NotThere as error:
            return Inspection(is_there=False, notes=(str(error),))
        return inspection_of(source, table, shard=shard, location=self.location)

    def _newest_shard(self, dataset: DatasetReference, prefix: str, patience: Patience) -> str:
        """Return the name of the newest of the tables by day.

        Raises:
            NotThere: There is none.
        """
        newest, token = "", ""
        for _ in range(_MOST_LISTS):
            names, token = self._listed(dataset, token, patience)
            newest = max([newest, *(name for name in names if re.fullmatch(re.escape(prefix) + "[0-9]{8}", name))])
            if not token:
                break
        if not newest:
            raise NotThere(
                f"{patience.what}: the data set {dataset.project}.{dataset.dataset_id} holds no table {prefix}YYYYMMDD.",
                hint=HINTS[NotThere],
            )
        return newest

    def _listed(self, dataset: DatasetReference, token: str, patience: Patience) -> tuple[list[str], str]:
        """Return names of tables, and the token of the next ones (empty at the end)."""

        def make() -> tuple[list[str], str]:
            more = {"page_size": _TABLES_AT_ONCE, "page_token": token or None}
            listed = self._client.list_tables(dataset, **more, retry=None, timeout=self._timeout(patience))
            return [str(each.table_id) for each in next(iter(listed.pages))], str(listed.next_page_token or "")

        return _made(patience, "list_tables", make)

    # -- the end ----------------------------------------------------------------------------------------------------

    def _stop(self, job_id: str) -> None:
        """Tell the remote job to stop; whoever stops is not held up by what that comes to."""
        place = self._running.pop(job_id, None)
        with suppress(Exception):
            self._client.cancel_job(job_id, location=place, retry=None, timeout=min(10.0, self.manners.call_s))

    def close(self) -> None:
        """Stop what still runs, and give up connections."""
        for job_id in tuple(self._running):
            self._stop(job_id)
        if self._opened is not None:
            self._opened.close()
            self._opened = None


class _AlreadyThere(EngineError):
    """There is a job under this id."""


def _library() -> Any:
    """Return Google's client, imported when it is first needed.

    Raises:
        UsageError: It is not installed.
    """
    try:
        from google.cloud import bigquery
    except ImportError:
        hint = "Install it with `pip install 'aibr_hunt[bigquery]'`."
        raise UsageError("BigQuery needs google-cloud-bigquery.", hint=hint) from None
    return bigquery


# -- errors ---------------------------------------------------------------------------------------------------------


def _made(patience: Patience, method: str, make: Callable[[], T]) -> T:
    """Return what a call gives; throttling, faults of the server and of the network are waited out."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - it takes long to import

    try:
        return patience.call(make, _again, (GoogleAPICallError, GoogleAuthError, OSError))
    except GoogleAPICallError as error:
        raise _error_of(error, f"{patience.what}: {method}") from error
    except GoogleAuthError as error:
        hint = "Sign in again (`gcloud auth application-default login`), or renew the key."
        raise AccessRefused(f"{patience.what}: the Google credentials are not taken: {one_line(str(error))}.", hint=hint) from error


def _again(error: Exception) -> Again | None:
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import RefreshError, TransportError  # noqa: PLC0415 - it takes long to import

    # The client's own errors of the network are of this kind, those of certificates and of broken answers too.
    if isinstance(error, OSError | TransportError) or (isinstance(error, RefreshError) and error.retryable):
        return Again(why=f"no answer ({type(error).__name__})")
    if not isinstance(error, GoogleAPICallError):
        return None
    reason, _ = _reason_of(error)
    status = int(error.code or 0)
    is_told = reason in REASONS or reason in WORDS
    if reason not in AGAIN and (is_told or (status != 429 and status < 500)):
        return None
    after = str(getattr(error.response, "headers", {}).get("Retry-After", ""))
    return Again(why=f"{reason or 'a fault'} ({status})", after_s=float(after) if after.isdecimal() else None)


def _reason_of(error: GoogleAPICallError) -> tuple[str, str]:
    """Return reason and message as the engine words them."""
    first = next((each for each in error.errors if isinstance(each, dict)), {})
    return str(first.get("reason", "")), str(first.get("message") or error.message)


def _error_of(error: GoogleAPICallError, where: str) -> AibrError:
    reason, message = _reason_of(error)
    status = int(error.code or 0)
    if status == 409:
        return _AlreadyThere(f"{where}: {one_line(message)}.")
    if reason not in REASONS and status in {401, 403}:
        reason = "accessDenied"
    return failure_of({"reason": "notFound" if status == 404 else reason, "message": message}, where)


def _check(job: Any, where: str) -> None:
    """Return when the job ended well, or so that another one may be started in its place.

    Raises:
        NotThere, PartialResult, TooComplex, AccessRefused, OverBudget, EngineError: As it says why it did not.
    """
    told = job.error_result
    if told is None or told.get("reason") in AGAIN:
        return
    error = failure_of(told, where)
    if told.get("reason") != "stopped" or isinstance(error, PartialResult):
        raise error


def _lost(job: Any, where: str, *, is_new: bool) -> str:
    """Return why another job is to be started in the place of one; empty when it ended well.

    Raises:
        EngineError: It was stopped by someone else.
    """
    if job.error_result is None:
        return ""
    reason = str(job.error_result.get("reason"))
    if reason == "stopped" and is_new:
        raise EngineError(f"{where}: job {job.job_id} was cancelled by someone else.", retryable=True)
    return reason


def _not_whole(what: str) -> EngineError:
    return EngineError(f"{what}.", retryable=True, hint="The result is not taken for whole.")
