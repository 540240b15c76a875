"""A window as conditions on the event time and on partitions: what keeps a query from reading the whole table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_never

from aibr_hunt.compile.dialects import Dialect
from aibr_hunt.compile.kql import KqlPrinter
from aibr_hunt.compile.sql import SqlPrinter
from aibr_hunt.errors import Unsupported, UsageError
from aibr_hunt.meaning.places import typed_path
from aibr_hunt.model.layout import EngineKind, Layout, Partition, PartitionForm, TimeForm
from aibr_hunt.model.query import Last, Span

_DAY_FORMATS = {PartitionForm.SLASHED: "%Y/%m/%d", PartitionForm.DASHED: "%Y-%m-%d", PartitionForm.COMPACT: "%Y%m%d"}
_SECONDS = "%Y-%m-%dT%H:%M:%S"


def sql_bounds(layout: Layout, span: Span, printer: SqlPrinter) -> list[str]:
    """Return the conditions that bound partitions, then the event time, in a SQL dialect."""
    time = printer.value(typed_path(layout, layout.time))
    return [*_sql_partitions(layout, span, printer.dialect), *_sql_times(layout, span, time, dialect=printer.dialect)]


def _edges(span: Span) -> Iterator[tuple[str, datetime]]:
    """Yield sign and moment of each side of an absolute window."""
    if isinstance(span, Last):
        return
    if span.start is not None:
        yield ">=", span.start.astimezone(UTC)
    if span.end is not None:
        yield "<", span.end.astimezone(UTC)


def _sql_partitions(layout: Layout, span: Span, dialect: Dialect) -> Iterator[str]:
    for partition in layout.partitions:
        column = partition.column if partition.column.startswith("_") else dialect.identifier(partition.column)
        if isinstance(span, Last):
            yield f"{column} >= {_days_ago(partition, -(-span.hours // 24) + partition.slack_days, dialect)}"
            continue
        slack = timedelta(days=partition.slack_days)
        for sign, moment in _edges(span):
            if sign == ">=":
                yield f"{column} >= {_day(partition, moment - slack, dialect)}"
            else:
                yield f"{column} <= {_day(partition, moment + slack, dialect)}"


def _day(partition: Partition, moment: datetime, dialect: Dialect) -> str:
    if partition.form is PartitionForm.TIMESTAMP:
        return dialect.moment(moment.strftime(_SECONDS))
    if partition.form is PartitionForm.DATE:
        return f"DATE '{moment:%Y-%m-%d}'"
    return dialect.literal(moment.strftime(_DAY_FORMATS[partition.form]))


def _days_ago(partition: Partition, days: int, dialect: Dialect) -> str:
    if partition.form is PartitionForm.TIMESTAMP:
        return dialect.ago(days * 24)
    day = (
        f"DATE_SUB(CURRENT_DATE(), INTERVAL {days} DAY)"
        if dialect.engine is EngineKind.BIGQUERY
        else f"current_date - INTERVAL '{days}' DAY"
    )
    if partition.form is PartitionForm.DATE:
        return day
    form = _DAY_FORMATS[partition.form]
    match dialect.engine:
        case EngineKind.BIGQUERY:
            return f"FORMAT_DATE('{form}', {day})"
        case EngineKind.ATHENA:
            return f"date_format({day}, '{form}')"
        case _:
            return f"strftime({day}, '{form}')"


def _sql_times(layout: Layout, span: Span, time: str, *, dialect: Dialect) -> Iterator[str]:
    if isinstance(span, Last):
        yield (
            f"{time} >= {_moment_ago(layout, span.hours, dialect)}"
            if layout.time_form is not TimeForm.BRACKETED
            else (f"{_bracketed(time, dialect)} >= {dialect.ago(span.hours)}")
        )
        return
    for sign, moment in _edges(span):
        match layout.time_form:
            case TimeForm.TYPED:
                yield f"{time} {sign} {dialect.moment(_text_of(moment))}"
            case TimeForm.ISO_TEXT:
                # No zone behind the literal: `…:00Z` and `…:00.500Z` come after `…:00` and before `…:01`. A window's fractions widen it.
                whole = moment if sign == ">=" or not moment.microsecond else moment + timedelta(seconds=1)
                yield f"{time} {sign} {dialect.literal(whole.strftime(_SECONDS))}"
            case TimeForm.EPOCH_SECONDS:
                yield f"{time} {sign} {int(moment.timestamp()) + (sign == '<' and moment.microsecond > 0)}"
            case TimeForm.EPOCH_MILLISECONDS:
                yield f"{time} {sign} {-(-int(moment.timestamp() * 1_000_000) // 1000) if sign == '<' else int(moment.timestamp() * 1000)}"
            case TimeForm.BRACKETED:
                yield f"{_bracketed(time, dialect)} {sign} {dialect.moment(_text_of(moment))}"
            case _:
                assert_never(layout.time_form)


def _text_of(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds" if moment.microsecond else "seconds")


def _moment_ago(layout: Layout, hours: int, dialect: Dialect) -> str:
    ago = dialect.ago(hours)
    match layout.time_form, dialect.engine:
        case TimeForm.TYPED, _:
            return ago
        case TimeForm.ISO_TEXT, EngineKind.ATHENA:
            return f"date_format(({ago}) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%i:%s')"
        case TimeForm.ISO_TEXT, EngineKind.DUCKDB:
            return f"strftime({ago}, '{_SECONDS}')"
        case TimeForm.EPOCH_SECONDS, EngineKind.ATHENA:
            return f"to_unixtime({ago})"
        case TimeForm.EPOCH_MILLISECONDS, EngineKind.ATHENA:
            return f"to_unixtime({ago}) * 1000"
        case _:
            raise Unsupported(
                f"a time written as {layout.time_form.value} in {layout.label}",
                "no relative span is known for it.",
                hint="Give --from and --to.",
            )


def _bracketed(time: str, dialect: Dialect) -> str:
    if dialect.engine is not EngineKind.ATHENA:
        raise Unsupported(f"a time in brackets on {dialect.engine.value}", "only Athena's tables write it so.")
    return f"TRY(parse_datetime({time}, '[dd/MMM/yyyy:HH:mm:ss Z]'))"


def kql_bounds(layout: Layout, span: Span, printer: KqlPrinter) -> list[str]:
    """Return the conditions that bound the event time, and further time columns, in KQL."""
    time = printer.value(typed_path(layout, layout.time))
    if layout.time_form is not TimeForm.TYPED:
        raise Unsupported(f"a time written as {layout.time_form.value} in {layout.label}", "Log Analytics has a type for times.")
    bounds: list[str] = []
    for partition in layout.partitions:
        if partition.form is not PartitionForm.TIMESTAMP:
            raise UsageError(
                f"The layout {layout.label} has a partition of the form {partition.form.value}.", hint="KQL knows timestamp only."
            )
        bounds += list(_kql_side(partition.column, span, timedelta(days=partition.slack_days)))
    return [*bounds, *_kql_side(time, span, timedelta(0))]


def _kql_side(column: str, span: Span, slack: timedelta) -> Iterator[str]:
    if isinstance(span, Last):
        yield f"{column} >= ago({span.hours + int(slack.total_seconds() // 3600)}h)"
        return
    for sign, moment in _edges(span):
        moved = moment - slack if sign == ">=" else moment + slack
        yield f"{column} {sign} datetime({_text_of(moved)}Z)"
