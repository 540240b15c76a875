"""Answers as files and lines: CSV that no spreadsheet takes for formulas, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from aibr_hunt.engines.lake.ask_answer import Answer, Row, interruptible, is_number
from aibr_hunt.engines.lake.ask_cells import cell_text, json_line, told_apart
from aibr_hunt.engines.lake.ask_ground import quoted
from aibr_hunt.engines.lake.segments import LOCKED_DOWN
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.model.text import for_csv

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Types that Parquet keeps as they are (HUGEINT would become a double); a value of any other goes as the text that people see.
_KEPT: Final = re.compile(
    r"(?:BOOLEAN|U?(?:TINY|SMALL|BIG)?INT(?:EGER)?|DOUBLE|FLOAT|DECIMAL\(\d+,\d+\)|VARCHAR|JSON|DATE|TIME|UUID|BLOB|INTERVAL"
    r"|TIMESTAMP(?: WITH TIME ZONE)?)(?:\[\])*"
)
_TEXT: Final = "VARCHAR"


def csv_lines(answer: Answer) -> Iterator[str]:
    """Yield the answer as CSV (RFC 4180, every text quoted), the header first; no cell is a formula in any spreadsheet."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    numbers = [is_number(kind) for kind in answer.types]
    writer.writerow([for_csv(name) for name in answer.columns])
    yield sheet.getvalue()
    for batch in answer.batches():
        sheet.seek(0)
        sheet.truncate()
        for row in batch:
            writer.writerow([_csv_cell(cell, is_numeric=is_numeric) for cell, is_numeric in zip(row, numbers, strict=True)])
        yield sheet.getvalue()


def _csv_cell(cell: object, *, is_numeric: bool) -> object:
    if is_numeric and isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        return cell
    return for_csv(cell_text(cell))


def json_lines(answer: Answer) -> Iterator[str]:
    """Yield the answer as JSON lines of printable ASCII."""
    for batch in answer.batches():
        yield "".join(f"{json_line(answer.columns, answer.types, row)}\n" for row in batch)


def write_texts(texts: Iterable[str], path: Path) -> None:
    """Write texts into a file, which appears whole or not at all.

    Raises:
        UsageError: It cannot be written.
    """
    part = _part_of(path)
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.writelines(texts)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.", hint="Name a file in a folder that exists.") from None
    finally:
        part.unlink(missing_ok=True)


def write_parquet(answer: Answer, path: Path) -> None:
    """Write an answer into a Parquet file, which appears whole or not at all.

    The connection that answered is locked and writes no file: the rows go through one that sees nothing of the lake.

    Raises:
        UsageError: The file cannot be written.
        EngineError: A value fits in no column.
    """
    part = _part_of(path)
    try:
        with duckdb.connect(config=dict(LOCKED_DOWN)) as connection:
            _copy(answer, connection)
            interruptible(connection, lambda: connection.table("answer").write_parquet(str(part), compression="zstd"))
        part.replace(path)
    except (duckdb.IOException, OSError) as error:
        what = getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0].removeprefix("IO Error: ").rstrip(".")
        raise UsageError(f"{path} cannot be written: {what}.", hint="Name a file in a folder that exists.") from None
    except duckdb.Error as error:
        raise EngineError(f"The answer cannot be written as Parquet: {error}.", hint="Cast the column to VARCHAR.") from None
    finally:
        part.unlink(missing_ok=True)


def _copy(answer: Answer, connection: DuckDBPyConnection) -> None:
    """Copy an answer's rows into the table `answer`, a column at a time."""
    kinds = [kind if _KEPT.fullmatch(kind) else _TEXT for kind in answer.types]
    named = list(zip(told_apart(answer.columns), kinds, strict=True))
    connection.execute(f"CREATE TABLE answer ({', '.join(f'{quoted(name)} {kind}' for name, kind in named)})")
    unnested = ", ".join(f"unnest(?::{kind}[])" for kind in kinds)
    for batch in answer.batches():
        columns = _columns(batch, answer.types, kinds)
        interruptible(connection, partial(connection.execute, f"INSERT INTO answer SELECT {unnested}", columns))


def _columns(batch: Sequence[Row], types: Sequence[str], kinds: Sequence[str]) -> list[list[object]]:
    turned = [type_ != kind for type_, kind in zip(types, kinds, strict=True)]
    return [
        [None if cell is None else cell_text(cell) for cell in column] if is_turned else list(column)
        for column, is_turned in zip(zip(*batch, strict=True), turned, strict=True)
    ]


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
