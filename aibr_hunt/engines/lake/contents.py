"""What the hot columns of a segment hold: distinct values with their numbers of rows, so that a scan knows what it need not read.

Columns with few values are looked at together: each of their combinations that occurs is a *shape*, and each row carries its shape's
number. The other columns keep their values on their own; one with too many keeps none, and then rules prune nothing by it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aibr_hunt.engines.lake.hot import Cell

MOST_SHAPES: Final = 4096
MOST_VALUES: Final = 20_000
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a segment's hot columns hold, odd rows aside.

    Attributes:
        together: Numbers of the columns that make up a shape, in the order of the cells of each shape.
        shapes: Cells and number of rows of each shape; its place is the number that rows carry.
        values: For further columns by number: values and their numbers of rows. A column that is missing may hold anything.
        odd: Rows of which a column holds what no cell can: they carry the shape -1, and may be anything.
    """

    together: tuple[int, ...]
    shapes: tuple[tuple[tuple[Cell, ...], int], ...]
    values: dict[int, tuple[tuple[Cell, int], ...]]
    odd: int = 0


def packed(contents: Contents) -> bytes:
    """Return the contents as bytes."""
    values = {str(number): each for number, each in contents.values.items()}
    return zlib.compress(json.dumps([contents.together, contents.shapes, values, contents.odd], separators=(",", ":")).encode(), 6)


def unpacked(text: bytes) -> Contents:
    """Return what `packed` gave."""
    together, shapes, values, odd = json.loads(zlib.decompress(text))
    return Contents(
        together=tuple(together),
        shapes=tuple((tuple(map(_cell, cells)), count) for cells, count in shapes),
        values={int(number): tuple((_cell(cell), count) for cell, count in each) for number, each in values.items()},
        odd=odd,
    )


def _cell(plain: str | list[str] | None) -> Cell:
    return (plain[0],) if isinstance(plain, list) else plain


@dataclass(slots=True)
class Column:
    """One hot column: its distinct cells, and for each row which of them it holds."""

    cells: list[Cell]
    numbers: Numbers


def column_of_cells(cells: Sequence[Cell]) -> Column:
    """Return a column with its distinct cells numbered as they come."""
    found = {cell: number for number, cell in enumerate(dict.fromkeys(cells))}
    return Column(list(found), np.array([found[cell] for cell in cells], np.int64))


def contents_of(columns: Sequence[Column], is_odd: npt.NDArray[np.bool_]) -> tuple[Contents, Numbers]:
    """Return the contents of a segment's columns, and the shape of each row: -1 for odd ones.

    Shapes are numbered in the order of their cells, so that rows sorted by shape lie together by action.
    """
    rows = len(is_odd)
    together, shape = _together(columns, rows)
    combined, first, back = np.unique(shape, return_index=True, return_inverse=True)
    cells = [tuple(columns[number].cells[int(columns[number].numbers[place])] for number in together) for place in first]
    order = sorted(range(len(cells)), key=lambda each: [_sort_key(cell) for cell in cells[each]])
    rank = np.empty(len(combined), np.int64)
    rank[order] = np.arange(len(order))
    shapes = np.where(is_odd, -1, rank[back])
    counts = np.bincount(shapes[~is_odd], minlength=len(order))
    values: dict[int, tuple[tuple[Cell, int], ...]] = {}
    for number, column in enumerate(columns):
        if number not in together and len(column.cells) <= MOST_VALUES:
            how_many = np.bincount(column.numbers[~is_odd], minlength=len(column.cells)).tolist()
            values[number] = tuple((cell, count) for cell, count in zip(column.cells, how_many, strict=True) if count)
    kept = tuple((cells[each], int(count)) for each, count in zip(order, counts.tolist(), strict=True))
    return Contents(together=together, shapes=kept, values=values, odd=int(is_odd.sum())), shapes


def _together(columns: Sequence[Column], rows: int) -> tuple[tuple[int, ...], Numbers]:
    """Choose the columns of the shape: the first (the action), then those with the fewest values, while few combinations occur."""
    most = max(64, min(MOST_SHAPES, rows // 16))
    chosen: list[int] = []
    shape = np.zeros(rows, np.int64)
    order = sorted(range(len(columns)), key=lambda each: (each != 0, len(columns[each].cells)))
    for number in order:
        column = columns[number]
        if len(column.cells) > most:
            continue
        _, tried = np.unique(shape * len(column.cells) + column.numbers, return_inverse=True)
        if int(tried.max(initial=0)) < most:
            chosen.append(number)
            shape = tried
    return tuple(sorted(chosen)), shape


def _sort_key(cell: Cell) -> str:
    return "" if cell is None else cell[0] if isinstance(cell, tuple) else cell
