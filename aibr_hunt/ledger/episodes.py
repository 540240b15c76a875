"""What earlier runs committed of episodes and tallies, as the run that is being recorded finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from aibr_hunt.ledger import tables
from aibr_hunt.ledger.canonical import storable
from aibr_hunt.ledger.documents import moment_of, moment_text
from aibr_hunt.ledger.episoderows import episode_of, group_key, link_of, sheet_of_row
from aibr_hunt.model.episode import EpisodeRow, LeadLink, TallySheet
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRow:
    """A row of an earlier run, and the number by which later runs count from it."""

    run: int
    row: EpisodeRow


class EarlierEpisodes:
    """Reads within the transaction of the run that is being recorded: no other run can come between."""

    def __init__(self, connection: Connection) -> None:
        """Read from `connection`."""
        self._connection = connection

    def touching(self, correlation_id: str, group: tuple[str, ...], *, first: datetime, last: datetime) -> list[EarlierRow]:
        """Return the rows of a group whose [first, last] overlaps or touches the given one, oldest run first."""
        table = tables.episodes
        conditions = (
            table.c.group_key == group_key(group),
            table.c.first <= moment_text(last),
            table.c.last >= moment_text(first),
        )
        return list(self._rows(correlation_id, *conditions))

    def between(self, correlation_id: str, first: datetime | None, end: datetime | None) -> list[EarlierRow]:
        """Return the rows whose last event lies in [first, end), of all groups, oldest run first."""
        table = tables.episodes
        conditions: list[ColumnElement[bool]] = []
        if first is not None:
            conditions.append(table.c.last >= moment_text(first))
        if end is not None:
            conditions.append(table.c.last < moment_text(end))
        return list(self._rows(correlation_id, *conditions))

    def judged(self, correlation_id: str, meaning_digest: str) -> list[tuple[int, Window]]:
        """Return in which windows runs judged that meaning with everything covered: number of the run, window."""
        table = tables.coverage
        query = select(table.c.run, table.c.window_start, table.c.window_end).where(
            table.c.meaning_digest == meaning_digest,
            table.c.rule_id == storable(correlation_id),
            table.c.state == CoverageState.SETTLED.value,
        )
        rows = self._connection.execute(query)
        return [(int(row.run), Window(start=moment_of(row.window_start), end=moment_of(row.window_end))) for row in rows]

    def links(self, correlation_id: str) -> list[LeadLink]:
        """Return all links between leads of a correlation, oldest run first."""
        table = tables.links
        query = select(table).where(table.c.correlation_id == storable(correlation_id)).order_by(table.c.run, table.c.position)
        return [link_of(row) for row in self._connection.execute(query).mappings()]

    def _rows(self, correlation_id: str, *conditions: ColumnElement[bool]) -> Iterator[EarlierRow]:
        table = tables.episodes
        query = select(table).where(table.c.correlation_id == storable(correlation_id), *conditions)
        for row in self._connection.execute(query.order_by(table.c.run, table.c.position)).mappings():
            yield EarlierRow(run=int(row["run"]), row=episode_of(row))


def read_sheets(connection: Connection, correlation_id: str, meaning_digest: str) -> tuple[TallySheet, ...]:
    """Return the sheets of tallies of one meaning, oldest run first."""
    table = tables.tallies
    query = select(table).where(table.c.correlation_id == storable(correlation_id), table.c.meaning_digest == meaning_digest)
    return tuple(sheet_of_row(row) for row in connection.execute(query.order_by(table.c.run, table.c.position)).mappings())
