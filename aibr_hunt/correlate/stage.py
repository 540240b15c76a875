"""Thin rows of confirmed events: read from each event once, gathered in batches, written to the engine's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Final, TypeAlias

import duckdb
import numpy as np

from aibr_hunt.correlate.database import sql
from aibr_hunt.correlate.plan import Measure, Node, field_names
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.event import Json

MOST_GROUPS: Final = 1_000
_BATCH: Final = 50_000
_JOINT: Final = "\x1f"
_NUMPY: Final = {"BIGINT": "int64", "INTEGER": "int32", "VARCHAR": "object"}

Readers: TypeAlias = Callable[[str, str], KeyReader]
# Of the rows of an operand's events: its place, the event's number, its time, its group.
ROW: Final = (("o", "INTEGER"), ("e", "BIGINT"), ("t", "BIGINT"), ("g", "INTEGER"))
# Of values besides: the field it was read from, its number there, its text.
VALUE: Final = (*ROW, ("f", "INTEGER"), ("k", "INTEGER"), ("v", "VARCHAR"))
HISTORY: Final = (("g", "INTEGER"), ("v", "VARCHAR"), ("h", "BIGINT"), ("n", "BIGINT"), ("first", "BIGINT"), ("last", "BIGINT"))
EVENT: Final = (("e", "BIGINT"), ("id", "VARCHAR"))
LEFT: Final = (("r", "INTEGER"), ("e", "BIGINT"))


def together(keys: Sequence[str]) -> str:
    """Return one text for several keys; different keys give different texts."""
    if len(keys) == 1:
        return keys[0]
    return _JOINT.join(key.replace("\\", "\\\\").replace(_JOINT, "\\u") for key in keys)


def apart(text: str, size: int) -> tuple[str, ...]:
    """Return the keys that `together` joined."""
    if size <= 1:
        return (text,) * size
    return tuple(_unescaped(part) for part in text.split(_JOINT))


def _unescaped(part: str) -> str:
    if "\\" not in part:
        return part
    return "\\".join(piece.replace("\\u", _JOINT) for piece in part.split("\\\\"))


class Table:
    """One table of the engine with the rows that wait to be written to it.

    Args:
        name: Its name.
        columns: Names and types.
    """

    __slots__ = ("columns", "exists", "name", "rows", "writes")

    def __init__(self, name: str, columns: Sequence[tuple[str, str]]) -> None:
        """Start without rows, and without a table: it is made when the first rows are written."""
        self.name = name
        self.columns = columns
        self.rows: list[tuple[int | str | None, ...]] = []
        self.exists = False
        self.writes = 0

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let the table exist."""
        if not self.exists:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {self.name} ({', '.join(f'{name} {kind}' for name, kind in self.columns)})")
            self.exists = True

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the waiting rows."""
        if not self.rows:
            return
        self.create(connection)
        kinds = zip(self.columns, zip(*self.rows, strict=True), strict=True)
        part = {name: np.array(values, dtype=_NUMPY[kind]) for (name, kind), values in kinds}
        connection.register("part", part)
        connection.execute(sql("INSERT INTO $name SELECT * FROM part", name=self.name))
        connection.unregister("part")
        self.writes += 1
        self.rows = []


@dataclass(slots=True)
class Groups:
    """Groups by number: tables hold numbers, the texts stay here once (some 200 bytes for each different group)."""

    by_keys: dict[tuple[str, ...], int] = field(default_factory=dict)
    keys: list[tuple[str, ...]] = field(default_factory=list)

    def number(self, keys: tuple[str, ...]) -> int:
        """Return the number of the group, a new one when it is new."""
        found = self.by_keys.get(keys)
        if found is None:
            found = self.by_keys[keys] = len(self.keys)
            self.keys.append(keys)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One operand of one correlation that a rule's events serve."""

    node: Node
    place: int
    group: tuple[int, ...]
    values: tuple[int, ...]
    measured: int


class _Feed:
    """Everything that events of one rule are read for."""

    __slots__ = ("bit", "names", "readers", "rule_id", "targets")

    def __init__(self, rule_id: str, bit: int) -> None:
        self.rule_id = rule_id
        self.bit = bit
        self.names: list[str] = []
        self.readers: list[KeyReader] = []
        self.targets: list[_Target] = []

    def place_of(self, name: str, readers: Readers) -> int:
        """Return the place of a field's reader, made on first sight."""
        if name not in self.names:
            self.readers.append(readers(self.rule_id, name))
            self.names.append(name)
        return self.names.index(name)


class Stage:
    """Rows of all correlations.

    Args:
        nodes: The correlations.
        readers: Gives the reader of a rule's field.
        connection: Where the tables are.
    """

    def __init__(self, nodes: Sequence[Node], readers: Readers, connection: duckdb.DuckDBPyConnection) -> None:
        """Bind every field.

        Raises:
            Unsupported: A mapping does not define a field.
        """
        self._connection = connection
        self.groups = Groups()
        self.rows = [Table(f"rows{node.index}", ROW) for node in nodes]
        self.values = [Table(f"vals{node.index}", VALUE) for node in nodes]
        self.history = [Table(f"hist{node.index}", HISTORY) for node in nodes]
        self.events = Table("events", EVENT)
        self.left = Table("left_out", LEFT)
        self.reasons: dict[tuple[str, str, str], int] = {}
        self.shared: set[int] = set()
        self._shared_masks: set[int] = set()
        self._count = 0
        self._batch: dict[str, tuple[int, int]] = {}
        self._waiting = 0
        self._feeds: dict[str, _Feed] = {}
        for node in nodes:
            self._bind(node, readers)
        self._masks = [(node.index, self._mask(node)) for node in nodes]
        # The rules whose events are read, each with the ids of the correlations that it serves; asked for with each event.
        self.rules: dict[str, tuple[str, ...]] = {
            rule_id: tuple(dict.fromkeys(target.node.correlation.id for target in feed.targets)) for rule_id, feed in self._feeds.items()
        }

    def _bind(self, node: Node, readers: Readers) -> None:
        measured = node.measured_fields
        for place, operand in enumerate(node.sources):
            if operand.is_correlation:
                continue
            feed = self._feeds.setdefault(operand.id, _Feed(operand.id, len(self._feeds)))
            group = tuple(feed.place_of(name, readers) for name in field_names(node.correlation.group_by, operand))
            names = field_names(node.correlation.values, operand) if node.measure is not Measure.NOTHING else ()
            values = tuple(feed.place_of(name, readers) for name in names)
            number = measured.index(names[0]) if node.measure is Measure.NUMBERS else 0
            feed.targets.append(_Target(node=node, place=place, group=group, values=values, measured=number))
        rules = [operand.id for operand in node.correlation.operands]
        if len(set(rules)) < len(rules):
            self.shared.add(node.index)

    def _mask(self, node: Node) -> int:
        return sum({1 << self._feeds[operand.id].bit for operand in node.correlation.operands if not operand.is_correlation})

    def add(self, rule_id: str, event_id: str, *, time_us: int | None, event: Json) -> bool:
        """Take one event under one rule; return False when it serves nothing or is there already."""
        feed = self._feeds.get(rule_id)
        if feed is None:
            return False
        number, mask = self._batch.get(event_id, (-1, 0))
        if mask >> feed.bit & 1:
            return False
        if number < 0:
            number = self._count
            self._count += 1
            self.events.rows.append((number, event_id))
        elif mask:
            self._share(mask | 1 << feed.bit)
        self._batch[event_id] = (number, mask | 1 << feed.bit)
        self._take(feed, number, time_us=time_us, event=event)
        if self._waiting >= _BATCH or len(self._batch) >= _BATCH:
            self.write()
        return True

    def _share(self, mask: int) -> None:
        """Note the correlations of which one event serves two operands: the same few combinations of rules come again and again."""
        if mask in self._shared_masks:
            return
        self._shared_masks.add(mask)
        for index, own in self._masks:
            if (own & mask).bit_count() > 1:
                self.shared.add(index)

    def _take(self, feed: _Feed, number: int, *, time_us: int | None, event: Json) -> None:
        if time_us is None:
            self._leave((feed.rule_id, "", "untimed"), number)
            return
        keys = [reader.keys(event) for reader in feed.readers]
        for target in feed.targets:
            groups = self._groups(feed, target, number=number, keys=keys)
            rows = self.rows[target.node.index].rows
            for group in groups:
                rows.append((target.place, number, time_us, group))
            self._waiting += len(groups)
            if groups and target.node.measure is not Measure.NOTHING:
                values = tuple(_values(feed, target, keys=keys, event=event))
                table = self.values[target.node.index].rows
                table += [
                    (target.place, number, time_us, group, target.measured, place, value)
                    for group in groups
                    for place, value in enumerate(values)
                ]
                self._waiting += len(groups) * len(values)

    def _groups(self, feed: _Feed, target: _Target, *, number: int, keys: list[tuple[str, ...]]) -> list[int]:
        parts = [keys[place] for place in target.group]
        if all(len(part) == 1 for part in parts):
            return [self.groups.number(tuple([part[0] for part in parts]))]
        for place in target.group:
            if not keys[place]:
                self._leave((feed.rule_id, feed.names[place], f"no value in {feed.names[place]}"), number)
        found = [self.groups.number(group) for group in islice(product(*parts), MOST_GROUPS + 1)]
        if len(found) > MOST_GROUPS:
            self._leave((feed.rule_id, "", "more than 1,000 groups"), number)
        return found[:MOST_GROUPS]

    def _leave(self, reason: tuple[str, str, str], number: int) -> None:
        self.left.rows.append((self.reasons.setdefault(reason, len(self.reasons)), number))
        self._waiting += 1

    def write(self) -> None:
        """Write all that waits."""
        for table in (self.events, self.left, *self.rows, *self.values, *self.history):
            table.write(self._connection)
        self._batch.clear()
        self._waiting = 0


def _values(feed: _Feed, target: _Target, *, keys: list[tuple[str, ...]], event: Json) -> Iterator[str]:
    if target.node.measure is Measure.NUMBERS:
        for number in feed.readers[target.values[0]].numbers(event):
            yield format(number, "f")
    else:
        for combination in product(*(keys[place] for place in target.values)):
            yield together(combination)
