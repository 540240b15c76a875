"""What may be asked in SQL: one statement that reads the lake's views and does nothing else.

The connection is locked besides; this check is what gives a clear refusal, and what holds where a lock has a gap: a common table
expression that writes, or a table function that reads memory or runs a text as SQL.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from aibr_hunt.errors import AibrError, EngineError, UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Functions that give rows without reading a file, the engine's memory or a text as SQL.
_TABLE_FUNCTIONS: Final = frozenset(
    (
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "summary"),
        *("histogram", "histogram_values", "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_types", "duckdb_views"),
    )
)
_READING: Final = frozenset(("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"))
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\b(?:\s+(?:ANALYZE|VERBOSE)\b|\s*\([^()]*\))*", re.IGNORECASE)
_PIVOT_HINT: Final = "List the values: PIVOT … ON column IN ('a', 'b') …."
_ALLOWED: Final = "A question is one SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN: it reads the lake's views and changes nothing."
_AT: Final = re.compile(r"\n+LINE (\d+): ?(.*)\n( *)\^", re.DOTALL)
_UNKNOWN_TABLE: Final = re.compile(r'(?:Table with name|Referenced table) "?(.+?)"? (?:does not exist|not found)')
_UNKNOWN_COLUMN: Final = re.compile(
    r'(?:Referenced column "(.+?)" (?:not found|was not found)|does not have a column named "(.+?)")', re.DOTALL
)
_NO_MEMBER: Final = re.compile(r'Cannot extract field .+? from expression "(.+?)"', re.DOTALL)
_QUOTED_HINT: Final = 'A name with a dot stands in double quotes: "{}".'
_PREFIX: Final = re.compile(r"^[A-Z][A-Za-z ]+ Error: ")
_FAILURES: Final = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a question may name.

    Attributes:
        by_view: The columns of each of the lake's views.
    """

    by_view: Mapping[str, tuple[str, ...]]

    @property
    def views(self) -> tuple[str, ...]:
        """The lake's views."""
        return tuple(self.by_view)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of any of them."""
        return tuple(dict.fromkeys(name for columns in self.by_view.values() for name in columns))


def names_of(connection: DuckDBPyConnection) -> Names:
    """Return what the views of a connection are called, and their columns."""
    rows = connection.execute(
        "SELECT c.table_name, c.column_name FROM duckdb_columns() AS c JOIN duckdb_views() AS v USING (database_name, schema_name) "
        "WHERE v.view_name = c.table_name AND NOT v.internal ORDER BY c.table_name, c.column_index"
    ).fetchall()
    found: dict[str, tuple[str, ...]] = {}
    for view, column in rows:
        found[str(view)] = (*found.get(str(view), ()), str(column))
    return Names(by_view=found)


def check_statement(connection: DuckDBPyConnection, text: str, names: Names) -> str:
    """Return the statement that a text holds; all it can do is read.

    Args:
        connection: Its parser is asked; nothing is run.
        text: What the user wrote.
        names: For the hint where the text cannot be parsed.

    Raises:
        UsageError: The text is no SQL, holds several statements or none, or asks for more than reading.
    """
    found = _statements(connection, text, names)
    if len(found) != 1:
        what = "There is no statement in the text." if not found else f"The text holds {len(found)} statements."
        raise UsageError(what, hint=_ALLOWED)
    kind, statement = found[0]
    if kind == "EXPLAIN":
        inner = _EXPLAIN.sub("", statement, count=1)
        explained = _statements(connection, inner, names) if inner != statement else []
        if len(explained) != 1 or explained[0][0] != "SELECT":
            raise UsageError("EXPLAIN of a statement that is no SELECT is refused.", hint=_ALLOWED)
        _check_tree(connection, explained[0][1])
    elif kind == "SELECT":
        _check_tree(connection, statement)
    elif kind == "MULTI":
        raise UsageError("PIVOT without a list of values is refused: it would make a type.", hint=_PIVOT_HINT)
    else:
        raise UsageError(f"{kind.replace('_', ' ')} is refused.", hint=_ALLOWED)
    return statement


def _statements(connection: DuckDBPyConnection, text: str, names: Names) -> list[tuple[str, str]]:
    if "\0" in text:
        raise UsageError("The text holds a NUL sign.", hint="Write chr(0) where one is meant.")
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise UsageError("The text holds bytes that are no UTF-8.", hint="Write the statement in UTF-8.")
    try:
        return [(each.type.name, each.query) for each in connection.extract_statements(text)]
    except duckdb.Error as error:
        raise told(error, text, names) from None


def _check_tree(connection: DuckDBPyConnection, statement: str) -> None:
    row = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
    tree = json.loads(str(row[0])) if row else {"error": True}
    if tree.get("error"):
        raise UsageError("The statement is refused: it does more than read.", hint=_ALLOWED)
    for node in _nodes(tree):
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _READING:
            verb = kind.removesuffix("_NODE").removesuffix("_QUERY").replace("_", " ")
            raise UsageError(f"{verb} inside the statement is refused.", hint=_ALLOWED)
        if kind == "TABLE_FUNCTION":
            _check_function(node.get("function"))


def _check_function(function: object) -> None:
    name = str(function.get("function_name", "")) if isinstance(function, dict) else ""
    if name.lower() not in _TABLE_FUNCTIONS:
        hint = f"A question reads the lake's views. Functions that may stand after FROM: {', '.join(sorted(_TABLE_FUNCTIONS))}."
        raise UsageError(f"The table function {name} is refused.", hint=hint)


def _nodes(tree: object) -> Iterator[dict[str, object]]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def told(error: Exception, text: str, names: Names) -> AibrError:
    """Return what DuckDB says of a statement as an error of ours: where, what, and the nearest name.

    Args:
        error: DuckDB's error.
        text: The statement as the user wrote it.
        names: Views and columns there are.
    """
    message = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return EngineError("The question needs more memory than it may take.", hint="Ask for less at once: a shorter time, fewer columns.")
    if isinstance(error, _FAILURES):
        return EngineError(f"The lake cannot answer: {_sentence(message)}", hint="`aibr-hunt logs status` says how the lake stands.")
    if isinstance(error, duckdb.PermissionException):
        return UsageError("The statement reaches outside the lake.", hint="A question reads the lake's views: no files, no settings.")
    return UsageError(f"{_place(message, text)}{_sentence(message)}", hint=_hint(message, text, names))


def _sentence(message: str) -> str:
    """Return DuckDB's own sentence, without its class, its guesses and the excerpt of the statement."""
    body = _PREFIX.sub("", _AT.split(message)[0])
    body = re.split(r"\n(?:Did you mean|Candidate)", body)[0]
    return f"{' '.join(body.split()).rstrip('.!')}."


def _place(message: str, text: str) -> str:
    """Return `line 1, column 8: `; empty when the message does not say where."""
    found = _AT.search(message)
    lines = text.splitlines()
    if found is None or not 0 < int(found[1]) <= len(lines):
        return ""
    line, excerpt, indent = int(found[1]), found[2], len(found[3])
    indent -= len(f"LINE {line}: ")
    is_cut = excerpt.startswith("...")
    body = excerpt.removeprefix("...").removesuffix("...")
    start = lines[line - 1].find(body)
    if start < 0:
        return f"line {line}: "
    return f"line {line}, column {start + indent - (3 if is_cut else 0) + 1}: "


def _hint(message: str, text: str, names: Names) -> str:
    if found := _UNKNOWN_TABLE.search(message):
        if "Referenced table" in message and (dotted := _dotted(found[1], text, names.columns)):
            return _QUOTED_HINT.format(dotted)
        return _nearest(found[1], names.views, "`SHOW TABLES` lists the views.")
    if (found := _NO_MEMBER.search(message)) and (dotted := _dotted(found[1], text, names.columns)):
        return _QUOTED_HINT.format(dotted)
    if found := _UNKNOWN_COLUMN.search(message):
        wanted, rest = found[1] or found[2], "`DESCRIBE` with the name of a view lists its columns."
        asked = [columns for view, columns in names.by_view.items() if re.search(rf"\b{re.escape(view)}\b", text)]
        return _nearest(wanted, [name for columns in asked for name in columns] or names.columns, rest)
    if guess := re.search(r'\nDid you mean "([^"\n]+)"', message):
        return f"Did you mean {guess[1]}?"
    return ""


def _dotted(first: str, text: str, columns: Sequence[str]) -> str:
    """Return the column that a dotted name without quotes means; empty when none begins like it."""
    known = {name.lower(): name for name in columns if name.lower().startswith(f"{first.lower()}.")}
    written = re.search(rf"{re.escape(first)}(?:\.\w+)+", text, re.IGNORECASE)
    near = difflib.get_close_matches(written[0].lower(), list(known), n=1, cutoff=0.0) if written and known else []
    return known[near[0]] if near else ""


def _nearest(wanted: str, known: Sequence[str], rest: str) -> str:
    folded = {name.lower(): name for name in reversed(known)}
    ends = {name.lower().rpartition(".")[2]: name for name in reversed(known) if "." in name}
    for among in (folded, ends):
        near = difflib.get_close_matches(wanted.lower(), list(among), n=1, cutoff=0.7)
        if near:
            name = among[near[0]]
            shown = name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else f'"{name}"'
            return f"Did you mean {shown}? {rest}"
    return rest
