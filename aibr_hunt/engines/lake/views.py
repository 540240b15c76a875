"""The lake as SQL sees it: one view a log source, one over all, in a connection that can read nothing else and write nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from aibr_hunt.engines.lake.hot import column_of
from aibr_hunt.engines.lake.segments import HEAD, LOCKED_DOWN, MARKS, named, quoted
from aibr_hunt.engines.lake.store import Input, Segment
from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.model.mapping import FieldPath, Mapping

ALL: Final = "events"
COMMON: Final = (
    *("source", "event_id", "identity", "time", "event_time", "action", "principal", "address", "resource", "region", "account"),
    *("file", "offset", "length", "ordinal", "is_conflict", "raw", "record"),
)
MOST_MEMORY: Final = "2GB"


def view_name(source: str) -> str:
    """Return the name of a source's view: the mapping's own, `as_written` for records of no known source."""
    return "as_written" if source == AS_WRITTEN else source


def connected(
    folder: Path, inputs: Sequence[Input], segments: Sequence[Segment], *, mappings: Sequence[Mapping], threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a connection with the views; it can read the segments and nothing else, and its settings are locked."""
    config: dict[str, Any] = {**LOCKED_DOWN, "memory_limit": MOST_MEMORY} | ({} if threads is None else {"threads": str(threads)})
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET temp_directory = ''")
    _make_files(connection, inputs)
    by_source: dict[str, list[Segment]] = {}
    for segment in segments:
        by_source.setdefault(segment.source, []).append(segment)
    known: dict[str, Mapping | None] = {mapping.name: mapping for mapping in mappings} | {AS_WRITTEN: None}
    for source in sorted({*known, *by_source}):
        connection.execute(_view(folder, source, by_source.get(source, []), mapping=known.get(source)))
    parts = " UNION ALL ".join(
        f"SELECT {', '.join(map(named, COMMON))} FROM {named(view_name(each))}"  # noqa: S608 - names are quoted
        for each in sorted({*by_source} or {AS_WRITTEN})
    )
    connection.execute(f"CREATE VIEW {named(ALL)} AS {parts}")
    files = ", ".join(quoted((folder / each.name).as_posix()) for each in segments)
    connection.execute(f"SET allowed_paths = [{files}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _make_files(connection: duckdb.DuckDBPyConnection, inputs: Sequence[Input]) -> None:
    connection.execute("CREATE TABLE files (number INTEGER PRIMARY KEY, path VARCHAR, digest VARCHAR, source VARCHAR, copy_of INTEGER)")
    rows = [(each.number, each.account.path, each.account.digest, each.account.source, each.copy_of) for each in inputs]
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(part))
        connection.execute(f"INSERT INTO files VALUES {marks}", [cell for row in part for cell in row])  # noqa: S608 - names are quoted


def _view(folder: Path, source: str, segments: Sequence[Segment], *, mapping: Mapping | None) -> str:
    rows = rows_of(folder, segments)
    hot = set(segments[0].hot).intersection(*(each.hot for each in segments)) if segments else set()
    taken = {name.lower() for name in COMMON}
    fields = [each for each in _fields(mapping, hot) if each[0].lower() not in taken]
    columns = [
        f"{quoted(source)} AS source",
        "substr(sha256(identity || '|' || lower(hex(canonical_digest))), 1, 16) AS event_id",
        "identity",
        "make_timestamp(time_us) AS time",
        "make_timestamp(time_us) AS event_time",
        *("action", "principal", "address", "resource", "region", "account"),
        "(SELECT path FROM files WHERE number = inner_rows.file) AS file",
        *('"offset"', "length", "ordinal", "is_conflict"),
        "coalesce(raw, decode(text)) AS raw",
        "record",
        *(f"{expression} AS {named(name)}" for name, expression in fields),
    ]
    inner = f"SELECT *, CAST(coalesce(json, decode(text), raw) AS JSON) AS record FROM {rows}"  # noqa: S608 - names are quoted
    return f"CREATE VIEW {named(view_name(source))} AS SELECT {', '.join(columns)} FROM ({inner}) AS inner_rows WHERE NOT is_repeat"  # noqa: S608 - names are quoted


def rows_of(folder: Path, segments: Sequence[Segment]) -> str:
    """Return SQL that stands for the rows of segments; with none, for no rows of the same form."""
    if not segments:
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {named(name)}" for name, kind in (*HEAD, *MARKS))
        return f"(SELECT {nothing} WHERE false)"
    files = ", ".join(quoted((folder / each.name).as_posix()) for each in segments)
    is_uniform = len({each.hot for each in segments}) == 1
    return f"read_parquet([{files}]{'' if is_uniform else ', union_by_name = true'})"


def _fields(mapping: Mapping | None, hot: set[FieldPath]) -> Iterator[tuple[str, str]]:
    """Yield the mapping's fields with the SQL that reads them: the first of their paths that is not blank."""
    names: set[str] = set()
    for field in () if mapping is None else mapping.fields:
        if field.name.lower() not in names:
            names.add(field.name.lower())
            ways = [_read(path, hot) for path in field.paths]
            yield field.name, ways[0] if len(ways) == 1 else f"coalesce({', '.join(ways)})"


def _read(path: FieldPath, hot: set[FieldPath]) -> str:
    members = "".join('."' + member.replace('"', '""') + '"' for member in path)
    slowly = f"json_extract_string(record, {quoted('$' + members)})"
    return f"(CASE WHEN is_odd THEN {slowly} ELSE {named(column_of(path))} END)" if path in hot else slowly
