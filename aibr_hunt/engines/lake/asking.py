"""One segment asked all rules: what its contents rule out, which rows are read of it, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from aibr_hunt.engines.files import Scope, candidates
from aibr_hunt.engines.lake.contents import Contents, unpacked
from aibr_hunt.engines.lake.hot import column_of, shown
from aibr_hunt.engines.lake.pruning import Pruner
from aibr_hunt.engines.lake.segments import named, quoted
from aibr_hunt.engines.lake.store import Segment
from aibr_hunt.engines.program import Part
from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.identity import time_of
from aibr_hunt.intake.parse import parse_record

# Rows that are fetched and sieved together.
ROWS_AT_ONCE: Final = 2048
# Of a segment of which more than this share is to be read, all of it is: a long list costs more than it spares.
_NEARLY_ALL: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A record that met rules.

    Attributes:
        numbers: Of the rules, in their part. `raw`: its bytes as delivered; `text`: its UTF-8 text where that is another.
    """

    file: int
    ordinal: int
    offset: int
    numbers: tuple[int, ...]
    raw: bytes
    text: bytes | None


@dataclass(slots=True)
class Found:
    """What one segment gave.

    Attributes:
        hits: In no order.
        outside: By file, matching events outside the window.
        too_deep: Files with a record that was too deep to match.
        rows_read, rows_parsed: What it cost.
    """

    hits: list[Delivery] = field(default_factory=list)
    outside: dict[int, int] = field(default_factory=dict)
    too_deep: set[int] = field(default_factory=set)
    rows_read: int = 0
    rows_parsed: int = 0


def ask_segment(  # noqa: PLR0913 - one call a segment, all by name
    folder: Path, segment: Segment, *, part: Part, pruner: Pruner, scope: Scope, connection: duckdb.DuckDBPyConnection
) -> Found:
    """Return the records of a segment that meet rules."""
    found = Found()
    contents = unpacked(segment.contents)
    plan = _Plan(segment, contents if part.options.use_sieve else _UNKNOWN, pruner)
    condition = plan.condition()
    if condition is None:
        return found
    columns = "".join(f", {named(column_of(segment.hot[number]))}" for number in plan.columns)
    file = quoted((folder / segment.name).as_posix())
    where = f" WHERE {condition}" if condition else ""
    rows = connection.execute(
        f'SELECT file, ordinal, "offset", raw, raw_bytes, text, shape{columns} FROM read_parquet({file}){where}'  # noqa: S608 - our own names, texts quoted
    )
    while block := rows.fetchmany(ROWS_AT_ONCE):
        _ask_block(block, plan, part=part, scope=scope, found=found)
    return found


# Of a segment with such contents every row is read, and may meet every rule.
_UNKNOWN: Final = Contents(together=(), shapes=(), values={}, odd=-1)


class _Plan:
    """What a segment's contents say: for each rule where it is looked for, and for each row which rules it can meet.

    Attributes:
        columns: Numbers of the hot columns that rows are told by, besides the shape.
    """

    def __init__(self, segment: Segment, contents: Contents, pruner: Pruner) -> None:
        self._segment = segment
        self._contents = contents
        self._everything = pruner.everything
        shape_paths = tuple(segment.hot[number] for number in contents.together)
        self.shapes = [pruner.possible(shape_paths, cells) for cells, _ in contents.shapes]
        self.columns = tuple(number for number in sorted(contents.values) if pruner.told_by((segment.hot[number],)))
        self.values: list[dict[str | None, int]] = []
        self._counts: list[dict[str | None, int]] = []
        for number in self.columns:
            masks: dict[str | None, int] = {}
            counts: dict[str | None, int] = {}
            for cell, count in contents.values[number]:
                # A text and the boolean that it spells lie in one column: rows of either may be both.
                masks[shown(cell)] = masks.get(shown(cell), 0) | pruner.possible((segment.hot[number],), (cell,))
                counts[shown(cell)] = counts.get(shown(cell), 0) + count
            self.values.append(masks)
            self._counts.append(counts)

    def condition(self) -> str | None:
        """Return SQL for the rows to read: empty for all of them, None for none."""
        by_shape = [(mask, count) for mask, (_, count) in zip(self.shapes, self._contents.shapes, strict=True)]
        groups = [by_shape] + [
            [(masks[text], counts[text]) for text in masks] for masks, counts in zip(self.values, self._counts, strict=True)
        ]
        rows = [_rows_by_rule(group) for group in groups]
        wanted = [0] * len(groups)
        size = 0
        for number in _bits(self._everything):
            costs = [each.get(number, 0) for each in rows]
            if all(costs):
                least = min(range(len(groups)), key=costs.__getitem__)
                wanted[least] |= 1 << number
        terms: list[str] = []
        for place, group in enumerate(groups):
            chosen = [index for index, (mask, _) in enumerate(group) if mask & wanted[place]]
            size += sum(group[index][1] for index in chosen)
            if chosen:
                terms.append(self._term(place, chosen))
        if self._contents is _UNKNOWN:
            return ""
        if self._contents.odd:
            terms.append("is_odd")
        if not terms:
            return None
        return "" if size > _NEARLY_ALL * self._segment.events else " OR ".join(terms)

    def _term(self, place: int, chosen: Sequence[int]) -> str:
        if place == 0:
            return f"shape IN ({', '.join(map(str, chosen))})"
        column = named(column_of(self._segment.hot[self.columns[place - 1]]))
        texts = [list(self.values[place - 1])[index] for index in chosen]
        literals = [quoted(text) for text in texts if text is not None]
        terms = [f"{column} IN ({', '.join(literals)})"] if literals else []
        terms += [f"{column} IS NULL"] if None in texts else []
        return f"({' OR '.join(terms)})"

    def possible(self, shape: int, texts: Sequence[str | None]) -> int:
        """Return the rules that a row can meet."""
        if shape < 0 or not self.shapes:
            return self._everything
        mask = self.shapes[shape]
        for masks, text in zip(self.values, texts, strict=True):
            if not mask:
                break
            mask &= masks.get(text, self._everything)
        return mask


def _rows_by_rule(group: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Return for each rule how many rows it can be met by, as far as one group of columns tells."""
    by_mask: dict[int, int] = {}
    for mask, count in group:
        by_mask[mask] = by_mask.get(mask, 0) + count
    found: dict[int, int] = {}
    common = _common(by_mask)
    total = sum(by_mask.values())
    for number in _bits(common):
        found[number] = total
    for mask, count in by_mask.items():
        for number in _bits(mask & ~common):
            found[number] = found.get(number, 0) + count
    return found


def _common(masks: dict[int, int]) -> int:
    """Return the rules that every value allows: those of which the column tells nothing."""
    common = -1
    for mask in masks:
        common &= mask
    return max(common, 0)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _ask_block(block: Sequence[tuple[Any, ...]], plan: _Plan, *, part: Part, scope: Scope, found: Found) -> None:
    """Match rows: those whose text hints at a rule that their hot values allow."""
    found.rows_read += len(block)
    texts = _Texts(block)
    for place, hints in _hinted(texts, part):
        row = block[place]
        mask = plan.possible(row[6], row[7:])
        numbers = list(_bits(mask)) if hints is None else sorted({number for number in hints if mask >> number & 1})
        if numbers:
            found.rows_parsed += 1
            _match(row, texts.text(place), numbers, part=part, scope=scope, found=found)


class _Texts:
    """The UTF-8 texts of a block's rows, joined."""

    def __init__(self, block: Sequence[tuple[Any, ...]]) -> None:
        is_plain = all(row[3] is not None and row[5] is None for row in block)
        joined = "\n".join(row[3] for row in block) if is_plain else ""
        self.must_parse: npt.NDArray[np.bool_] | None = None
        if is_plain and joined.isascii():
            self.buffer = joined.encode()
            lengths = [len(row[3]) for row in block]
        else:
            texts = [_text_of(row) for row in block]
            self.buffer = b"\n".join(texts)
            lengths = [len(text) for text in texts]
            # As the files engine: a byte beyond ASCII, or a text that is not the record's bytes, may hide a literal.
            pairs = zip(block, texts, strict=True)
            self.must_parse = np.array([row[5] is not None or row[3] is None or not text.isascii() for row, text in pairs], np.bool_)
        sizes = np.array(lengths, np.int64)
        self.ends = np.cumsum(sizes + 1) - 1
        self.starts = self.ends - sizes

    def text(self, place: int) -> bytes:
        """Return the text of one row."""
        return self.buffer[self.starts[place] : self.ends[place]]


def _text_of(row: tuple[Any, ...]) -> bytes:
    """Return the UTF-8 text of a row's record."""
    text = row[5] if row[5] is not None else row[4]
    return text if isinstance(text, bytes) else str(row[3]).encode()


def _hinted(texts: _Texts, part: Part) -> Iterator[tuple[int, Sequence[int] | None]]:
    """Yield the rows that may meet a rule, with the rules that their literals hint at (None for any)."""
    rows = len(texts.starts)
    if not part.options.use_sieve:
        yield from ((place, None) for place in range(rows))
        return
    batch = Batch(
        buffer=texts.buffer,
        starts=texts.starts,
        ends=texts.ends,
        offsets=texts.starts,
        lengths=texts.ends - texts.starts,
        first_ordinal=1,
        must_parse=texts.must_parse,
    )
    hinted = candidates(batch, part) if part.sieve.literals else iter(())
    if not part.sieve.unsieved:
        yield from hinted
        return
    known = dict(hinted)
    for place in range(rows):
        yield place, known.get(place, part.sieve.unsieved)


def _match(row: tuple[Any, ...], text: bytes, numbers: Sequence[int], *, part: Part, scope: Scope, found: Found) -> None:  # noqa: PLR0913 - called for each candidate
    file, ordinal, offset = row[:3]
    value = parse_record(text).value
    try:
        matched = part.ruleset.match_among(value, numbers)
    except RecursionError:  # one record must not end the run; its file's account names it
        found.too_deep.add(file)
        return
    if not matched:
        return
    moment, _ = time_of(value, part.mapping, scope.now)
    if moment is not None and not scope.window.holds(moment):
        found.outside[file] = found.outside.get(file, 0) + 1
        return
    raw = row[4] if row[3] is None else str(row[3]).encode()
    found.hits.append(
        Delivery(file=file, ordinal=ordinal, offset=offset, numbers=matched, raw=raw, text=text if row[5] is not None else None)
    )
