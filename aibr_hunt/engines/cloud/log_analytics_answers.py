"""What may be sent to Log Analytics, and what it says: bodies of answers and of refusals, and cells by their type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aibr_hunt.engines.cloud.protocol import AccessRefused, NotThere, PartialResult, Question, Row, TooComplex
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.source import Source
from aibr_hunt.model.times import parse_time

# learn.microsoft.com/kusto/concepts/query-limits: rows of one result, and bytes of it (64 MB; the interface's own pages say 64,000,000).
MOST_ROWS: Final = 500_000
MOST_BYTES: Final = 64_000_000
GRANT: Final = (
    "Sign in (`az login`), and grant Log Analytics Reader, or Log Analytics Data Reader, on the workspace or on the table"
    " (docs/clouds.md lists the permissions)."
)
BASIC: Final = frozenset(("basic", "auxiliary"))
"""Plans of a table under which each query is paid for by what it scans, and asked through the interface `search`."""
_PLANS: Final = frozenset(("analytics", *BASIC))
TIME: Final = "TimeGenerated"
"""What the service cuts every table by, besides what the query says."""
EDGE: Final = timedelta(seconds=1)
"""The span of a call is that much wider than what the query bounds, so that it never cuts the edges themselves."""

# -- programs -------------------------------------------------------------------------------------------------------

# Comments and literals of KQL. A plain literal knows backslashes and ends on its line, a verbatim one doubles its quotation mark.
_NO_CODE: Final = re.compile(
    r"""//[^\n]*|```.*?```|~~~.*?~~~|@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
# What begins a statement that is no tabular expression, and what reads elsewhere than in the workspace.
_NO_TABLE: Final = re.compile(r"(let|set|declare|alias|restrict|import|pattern)\b", re.IGNORECASE)
_ELSEWHERE: Final = re.compile(
    r"\|\s*(evaluate|invoke)\b"
    r"|(?<![.\w])(externaldata|external_data|external_table|cluster|database|workspace|app|adx|arg|resource)\s*\(",
    re.IGNORECASE,
)


def check_text(question: Question) -> None:
    """Return when the text is one tabular expression over the workspace.

    Raises:
        UsageError: It is something else; nothing was sent.
    """
    code = _NO_CODE.sub(lambda found: " " if found[0].startswith("//") else '""', question.text).strip()
    why = ""
    if not code:
        why = "it is empty"
    elif code.startswith("."):
        why = "it is a control command"
    elif ";" in code:
        why = "it has several statements"
    elif _NO_TABLE.match(code):
        why = "it begins with a statement that gives no table"
    elif '"' in code.replace('""', "") or "'" in code or "`" in code:
        why = "a literal in it is not closed"
    elif found := _ELSEWHERE.search(code):
        why = f"{found[0].strip('|( ')} reads elsewhere than in the workspace"
    if why:
        raise UsageError(f"{question.source.label}: the program is not one tabular expression ({why}), and is not sent.")


def span_of(question: Question) -> tuple[datetime, datetime] | None:
    """Return the span that the service cuts tables by: as wide as what the query bounds of TimeGenerated, and a little wider.

    None, for no cut at all, where the window has an open side or the query does not bound TimeGenerated.
    """
    layout, start, end = question.source.layout, question.window.start, question.window.end
    slacks = [timedelta(days=each.slack_days) for each in layout.partitions if each.column == TIME]
    if layout.time.column == TIME and not layout.time.steps:
        slacks.append(timedelta(0))
    if start is None or end is None or not slacks:
        return None
    return start - max(slacks) - EDGE, end + max(slacks) + EDGE


def plan_of(source: Source) -> str:
    """Return the plan of the Source's table.

    Raises:
        UsageError: There is no such plan.
    """
    plan = source.settings.get("plan", "analytics").lower()
    if plan not in _PLANS:
        raise UsageError(f"{source.label} names the plan {plan}.", hint=f"Plans are {', '.join(sorted(_PLANS))}.")
    return plan


# -- bodies ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Reply:
    """What came over the wire, whatever the client made of it.

    Attributes:
        status: Of HTTP; 0 when no answer came. `headers`: names in lower case.
        size: Bytes of the body. `body`: the JSON object that it holds; empty when it holds none.
        is_partial: The client took it for a result in part.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    is_partial: bool = False

    def take(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """Keep an answer."""
        self.status, self.size = status, len(content)
        self.headers = {name.lower(): str(value) for name, value in headers.items()}
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        self.body = found if isinstance(found, dict) else {}

    @property
    def after_s(self) -> float | None:
        """Seconds that the service asks to wait; None when it says nothing."""
        text = self.headers.get("retry-after", "")
        return float(text) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text) else None

    @property
    def error(self) -> Mapping[str, Any]:
        """The error that the body tells of; empty when there is none."""
        found = self.body.get("error")
        return found if isinstance(found, dict) else {"message": str(found)} if found else {}

    @property
    def code(self) -> str:
        """The code of the error, as `BadArgumentError`."""
        return str(self.error.get("code", ""))

    @property
    def said(self) -> str:
        """What the error says, from its innermost parts, on one line."""
        parts = dict.fromkeys(" ".join(part.split()).rstrip(".") for part in _innermost(self.error))
        return "; ".join(part for part in parts if part) or "it gives no reason"


def _innermost(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield the message of the innermost error, and those of its details, with their codes where they are names or numbers of faults."""
    inner = error
    while isinstance(inner.get("innererror"), dict):
        inner = inner["innererror"]
    details = [each for each in error.get("details") or () if isinstance(each, dict)]
    for each in details:
        yield from _innermost(each)
    if not details or inner is not error:
        code, message = str(inner.get("code", "")), str(inner.get("message", ""))
        yield f"{message} ({code})" if code and code not in message else message
        information = inner.get("information")
        if isinstance(information, dict):
            yield from _informed(information)


def _informed(information: Mapping[str, Any]) -> Iterator[str]:
    """Yield what stands in an error within an error that is written as text."""
    try:
        found = json.loads(str(information.get("details", "")))
    except ValueError:
        return
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        yield from _innermost(found["error"])


# What errors say; the first that occurs decides. The numbers are those of E_RUNAWAY_QUERY, E_QUERY_RESULT_SET_TOO_LARGE and
# E_LOW_MEMORY_CONDITION (learn.microsoft.com/kusto/concepts). No page tells the words of a text that is too complex: those are guessed.
_REASONS: Final[tuple[tuple[type[EngineError], str], ...]] = (
    (NotThere, r"SEM0100|failed to resolve (table|column|scalar|entity|[a-z ]*expression)"),
    (
        TooComplex,
        r"too complex|stack.?guard|E_STACK|stack.?overflow|nested too deep|tree (depth )?exceeds|query (text )?(is )?too (long|large)",
    ),
    (PartialResult, r"E_RUNAWAY_QUERY|E_QUERY_RESULT_SET_TOO_LARGE|E_LOW_MEMORY|ResultSizeLimitExceeded|80DA000[137]|-21331967(99|97|93)"),
    (PartialResult, r"(memory|cache) budget|exceed(s|ed)? the (set|allowed|internal)|lacks memory|timed out|E_QUERY_TIMEOUT|QueryTimeout"),
    (AccessRefused, r"InsufficientAccess|AuthorizationRequired|InvalidToken|NspValidationFailed|not authorized|access .* is denied"),
)
_HINTS: Final[Mapping[type[EngineError], str]] = {
    NotThere: "A table is there once its first event came. A table of the plan basic is found only by a Source that says so (`plan`).",
    PartialResult: "A shorter window may succeed.",
    TooComplex: "Fewer rules may succeed.",
    AccessRefused: GRANT,
}


def reason_of(reply: Reply, where: str) -> EngineError | None:
    """Return the error that a reply's words are; None when they tell nothing."""
    words = f"{reply.code} {reply.said}"
    for kind, pattern in _REASONS:
        if re.search(pattern, words, re.IGNORECASE):
            return kind(f"{where}: {reply.said}.", hint=_HINTS.get(kind, ""))
    return None


def refusal_of(reply: Reply, where: str) -> EngineError:
    """Return the error that an answer with a status other than 200 is."""
    told = f"{reply.said} ({reply.code or 'no code'}, {reply.status})"
    if reply.status in {401, 403}:
        return AccessRefused(f"{where} was refused: {told}.", hint=GRANT)
    if reply.status == 504 and reply.code == "GatewayTimeout":
        return PartialResult(f"{where}: the service timed out: {told}.", hint=_HINTS[PartialResult])
    if reply.status == 413:
        return TooComplex(f"{where}: the text is too long: {told}.", hint=_HINTS[TooComplex])
    if reply.status == 404:
        hint = "The workspace's id is the GUID that its overview shows, not its name."
        return EngineError(f"{where}: the workspace is not found: {told}.", hint=hint)
    if "UnsupportedApiQueryValidationError" in told:
        return EngineError(f"{where} was refused: {told}.", hint="Say in the Source of which plan the table is (`plan: basic`).")
    return reason_of(reply, where) or EngineError(f"{where} failed: {told}.", retryable=reply.status >= 500 or reply.status == 429)


# -- results --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The one table of a result: names and types of its columns, and its rows as JSON holds them."""

    columns: tuple[tuple[str, str], ...]
    rows: Sequence[Any]


def table_of(reply: Reply, where: str) -> Table:
    """Return the one table of a result that is whole.

    Raises:
        PartialResult: It is a part, by its own word, by its statistics, or because it is as large as a result may be.
        EngineError: There are several tables, or none, or more rows than were counted.
    """
    if reply.is_partial or reply.error:
        raise _part_of(reply, where)
    tables = [each for each in reply.body.get("tables") or () if isinstance(each, dict)]
    if len(tables) != 1:
        raise EngineError(f"{where} gave {len(tables)} tables, and one was asked for.", retryable=True)
    found = tables[0].get("rows")
    rows = found if isinstance(found, list) else []
    if broken := [row for row in rows if not isinstance(row, list)]:
        raise PartialResult(f"{where} broke off in the midst of its rows: {json.dumps(broken[0])[:300]}.", hint=_HINTS[PartialResult])
    counted, size = counts_of(reply)
    _check_size(len(rows), max(size or 0, reply.size), where)
    if counted is not None and len(rows) < counted:
        what = f"{where} gave {len(rows):,} rows, and the service counted {counted:,}."
        raise PartialResult(what, retryable=True, hint="The result is not taken for whole.")
    if counted is not None and len(rows) > counted:
        what = f"{where} gave {len(rows):,} rows, and the service counted {counted:,}."
        raise EngineError(what, retryable=True, hint="The result is not taken for whole.")
    columns = tuple((str(each.get("name")), str(each.get("type")).lower()) for each in tables[0].get("columns") or ())
    if any(len(row) != len(columns) for row in rows):
        raise EngineError(f"{where} gave rows that have not as many cells as there are columns.", retryable=True)
    return Table(columns=columns, rows=rows)


def _part_of(reply: Reply, where: str) -> EngineError:
    """Return what a result in part comes to: never a result."""
    if re.search("throttl", reply.said, re.IGNORECASE):
        return EngineError(f"{where} was throttled: {reply.said}.", retryable=True, hint="Try again later.")
    found = reason_of(reply, where)
    return found if isinstance(found, NotThere | TooComplex | PartialResult) else PartialResult(f"{where} gave a part: {reply.said}.")


def _check_size(rows: int, size: int, where: str) -> None:
    if rows >= MOST_ROWS:
        what = f"{where} gave {rows:,} rows, which is as many as the service gives ({MOST_ROWS:,}): there may be more."
        raise PartialResult(what, hint=_HINTS[PartialResult])
    if size >= MOST_BYTES:
        what = f"{where} gave {size:,} bytes, which is as much as the service gives ({MOST_BYTES:,}): there may be more."
        raise PartialResult(what, hint=_HINTS[PartialResult])


def counts_of(reply: Reply) -> tuple[int | None, int | None]:
    """Return rows and bytes of the result, as the service counted them; None for what it does not say."""
    found = _below(reply.body, "statistics", "query", "datasetStatistics")
    told = found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict) else {}
    rows, size = told.get("tableRowCount"), told.get("tableSize")
    return (rows if isinstance(rows, int) else None), (size if isinstance(size, int) else None)


def scanned_of(reply: Reply) -> int | None:
    """Return the bytes that were read from shards; None when the service does not say."""
    shards = _below(reply.body, "statistics", "query", "resourceUsage", "cache", "shards")
    if not isinstance(shards, dict):
        return None
    parts = [each for each in (shards.get("hot"), shards.get("cold")) if isinstance(each, dict)]
    found = [part.get(name) for part in parts for name in ("hitBytes", "missBytes")] + [shards.get("bypassBytes")]
    known = [int(each) for each in found if isinstance(each, int | float)]
    return sum(known) if known else None


def _below(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


# -- cells ----------------------------------------------------------------------------------------------------------


def rows_of(table: Table) -> Iterator[Row]:
    """Yield each row by the names of its columns, cells by their types."""
    names = [name for name, _ in table.columns]
    readers = [_READERS.get(of, _any) for _, of in table.columns]
    for row in table.rows:
        yield {name: read(cell) for name, read, cell in zip(names, readers, row, strict=True)}


def _moment(cell: object) -> object:
    """Return a moment; as text where it has digits below the microsecond, which are part of what tells events apart."""
    if not isinstance(cell, str) or not cell:
        return None
    below = re.search(r"\.[0-9]{6}([0-9]+)", cell)
    found: datetime | None = parse_time(cell)
    return cell if found is None or (below and below[1].strip("0")) else found


def _string(cell: object) -> object:
    """Return a text: the type has no null."""
    return "" if cell is None else _sound(cell)


def _any(cell: object) -> object:
    """Return a cell as it is; an empty text is a null of every type but string."""
    return None if cell == "" else _sound(cell)


def _sound(cell: object) -> object:
    """Return a text without halves of surrogate pairs, which no UTF-8 can hold; anything else as it is."""
    if not isinstance(cell, str) or cell.isascii():
        return cell
    return cell.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _number(make: Callable[[Any], object]) -> Callable[[object], object]:
    def read(cell: object) -> object:
        if cell is None or cell == "":
            return None
        try:
            return make(cell)
        except (ValueError, OverflowError, InvalidOperation):
            return cell

    return read


def _boolean(cell: object) -> object:
    if isinstance(cell, str):
        return {"true": True, "false": False}.get(cell.lower(), cell or None)
    return bool(cell) if isinstance(cell, int) else cell


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "datetime": _moment,
    "date": _moment,
    "string": _string,
    "long": _number(int),
    "int": _number(int),
    "real": _number(float),
    "double": _number(float),
    "decimal": _number(lambda cell: Decimal(str(cell))),
    "bool": _boolean,
    "boolean": _boolean,
}
