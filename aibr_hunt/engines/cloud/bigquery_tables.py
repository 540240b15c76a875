"""What BigQuery's data sets say of the table of a Source, in the words of an inspection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from aibr_hunt.engines.cloud.protocol import ColumnSeen, Inspection
from aibr_hunt.errors import UsageError
from aibr_hunt.model.source import Source


def named(source: Source, project: str) -> tuple[str, str, str]:
    """Return project, data set and table that a Source names; a project that it leaves out is `project`.

    Raises:
        UsageError: It names no data set, or a bucket of logs in the place of one.
    """
    *before, table = source.layout.table.rsplit(".", 2)
    if not before or not all((*before, table)):
        hint = "Write it as project.dataset.table."
        raise UsageError(f"{source.label} names the table {source.layout.table}, which has no data set.", hint=hint)
    owner, dataset = before if len(before) == 2 else (project, *before)
    # A project of a domain, such as example.com:project, has dots of its own.
    if "." in owner.rsplit(":", 1)[-1]:
        hint = "Link a BigQuery data set to the bucket of logs, and write project.dataset.view."
        raise UsageError(f"{source.label} names {source.layout.table}, which is no table of a data set.", hint=hint)
    return owner, dataset, table


def inspection_of(source: Source, table: Any, *, shard: str, location: str) -> Inspection:
    """Return what a table looks like.

    Args:
        source: Whose it is.
        table: As its data set describes it.
        shard: Its name when it is the newest of many by day; its midnight then stands for the newest event.
        location: Where the Source says that it lies; empty when it does not.
    """
    return Inspection(
        is_there=True,
        columns=tuple(_columns(table.schema, "")),
        newest=datetime.strptime(shard[-8:], "%Y%m%d").replace(tzinfo=UTC) if shard else None,
        partitions="_TABLE_SUFFIX (a table for each day)" if shard else _partitions(table),
        notes=tuple(_notes(source, table, shard=shard, location=location)),
    )


def _columns(fields: Sequence[Any], before: str) -> Iterator[ColumnSeen]:
    """Yield columns and what is nested in them, under dotted names."""
    for each in fields:
        kind = str(each.field_type)
        yield ColumnSeen(name=f"{before}{each.name}", type=f"ARRAY<{kind}>" if each.mode == "REPEATED" else kind)
        yield from _columns(each.fields, f"{before}{each.name}.")


def _partitions(table: Any) -> str:
    parted = table.time_partitioning
    if parted is None:
        return ""
    must = ", a filter is required" if table.require_partition_filter else ""
    return f"{parted.field or '_PARTITIONTIME'} (by {str(parted.type_).lower()}{must})"


def _notes(source: Source, table: Any, *, shard: str, location: str) -> Iterator[str]:
    if shard:
        yield f"{source.label}: the newest of its tables is {shard}; its columns are those of all."
    if table.modified is not None:
        yield f"{source.label}: last written to at {table.modified:%Y-%m-%d %H:%M} UTC."
    if location and table.location and location.lower() != str(table.location).lower():
        yield f"{source.label}: the data set lies in {table.location}, and the Source says {location}: programs will not find it."
    if not shard and table.table_type == "TABLE":
        parted = table.time_partitioning
        known = {"_PARTITIONTIME", "_PARTITIONDATE"} if parted is not None and parted.field is None else {parted and parted.field}
        for partition in source.layout.partitions:
            if partition.column not in known:
                yield f"{source.label}: the layout prunes by {partition.column}, by which the table is not partitioned."
