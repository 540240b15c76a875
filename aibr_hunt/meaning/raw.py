"""The layout of a table that holds whole records: id, time, and the record as JSON. Every log source lies so on DuckDB."""

from __future__ import annotations

from typing import Final

from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout, Place

RAW: Final = "raw"


def raw_layout(table: str = "events") -> Layout:
    """Return the layout `duckdb/raw`.

    Args:
        table: The table's name, dotted.
    """
    kinds = {"event_id": Kind.TEXT, "event_time": Kind.TIME, "record": Kind.JSON}
    return Layout(
        name=RAW,
        engine=EngineKind.DUCKDB,
        table=table,
        columns=tuple(Column(name=name, type=ColumnType(kind=kind)) for name, kind in kinds.items()),
        places=(Place(member=(), paths=(ColumnPath(column="record"),)),),
        time=ColumnPath(column="event_time"),
        identity=(ColumnPath(column="event_id"),),
        is_full=True,
    )
