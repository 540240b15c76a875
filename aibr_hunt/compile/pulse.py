"""The pulse of a layout's table over a window: events by hour and key, earliest and latest, in one cheap query."""

from __future__ import annotations

from typing import Final, assert_never

from aibr_hunt.compile.dialects import Dialect
from aibr_hunt.compile.kql import identifier
from aibr_hunt.compile.program import KQL_PRINTER, SQL_PRINTERS, fixed_condition, span_text
from aibr_hunt.compile.span import kql_bounds, sql_bounds
from aibr_hunt.compile.text import flat
from aibr_hunt.meaning.places import typed_path
from aibr_hunt.model.condition import both
from aibr_hunt.model.layout import EngineKind, Layout, TimeForm
from aibr_hunt.model.text import visible
from aibr_hunt.model.window import Window

EVENTS: Final = "events"
EARLIEST: Final = "earliest"
LATEST: Final = "latest"
# How long a text is that tells the hour: `2026-01-31T12` and `[31/Jan/2026:12`.
_ISO_HOUR: Final = 13
_BRACKETED_HOUR: Final = 15


def key_columns(layout: Layout) -> tuple[str, ...]:
    """Return the names of the columns that hold the parts of a pulse's key."""
    return tuple(f"key{number}" for number in range(len(layout.pulse)))


def pulse_query(layout: Layout, window: Window) -> str:
    """Return one query with a row for each hour and key: the key's parts, `events`, `earliest` and `latest` as the table writes times.

    Raises:
        Unsupported: The window cannot be said on the layout.
    """
    mark = "//" if layout.engine is EngineKind.KQL else "--"
    head = f"{mark} {visible(f'pulse of {layout.label}, {span_text(window)}')}\n"
    return head + (_kql(layout, window) if layout.engine is EngineKind.KQL else _sql(layout, window))


def _sql(layout: Layout, window: Window) -> str:
    printer = SQL_PRINTERS[layout.engine]
    time = printer.value(typed_path(layout, layout.time))
    keys = [printer.text(typed_path(layout, path)) for path in layout.pulse]
    named = [f"{key} AS {name}" for key, name in zip(keys, key_columns(layout), strict=True)]
    counts = [f"count(*) AS {EVENTS}", f"min({time}) AS {EARLIEST}", f"max({time}) AS {LATEST}"]
    bounds = sql_bounds(layout, window, printer)
    fixed = fixed_condition(layout)
    where = [*bounds, *((flat(printer.condition(fixed)),) if fixed != both() else ())]
    text = f"SELECT {', '.join([*named, *counts])}\nFROM {printer.dialect.table(layout.table)}\n"
    text += f"WHERE {' AND '.join(where)}\n" if where else ""
    return text + f"GROUP BY {', '.join([*keys, _hour(layout, time, printer.dialect)])}\n"


def _hour(layout: Layout, time: str, dialect: Dialect) -> str:
    match layout.time_form:
        case TimeForm.TYPED:
            return f"TIMESTAMP_TRUNC({time}, HOUR)" if dialect.engine is EngineKind.BIGQUERY else f"date_trunc('hour', {time})"
        case TimeForm.ISO_TEXT:
            return f"substr({time}, 1, {_ISO_HOUR})"
        case TimeForm.BRACKETED:
            return f"substr({time}, 1, {_BRACKETED_HOUR})"
        case TimeForm.EPOCH_SECONDS:
            return f"floor({time} / 3600)"
        case TimeForm.EPOCH_MILLISECONDS:
            return f"floor({time} / 3600000)"
        case _:
            assert_never(layout.time_form)


def _kql(layout: Layout, window: Window) -> str:
    time = KQL_PRINTER.value(typed_path(layout, layout.time))
    values = [KQL_PRINTER.value(typed_path(layout, path)) for path in layout.pulse]
    keys = [f"{name} = tostring({value})" for name, value in zip(key_columns(layout), values, strict=True)]
    bounds = kql_bounds(layout, window, KQL_PRINTER)
    fixed = fixed_condition(layout)
    text = [identifier(layout.table)]
    text += [f"| where {' and '.join(bounds)}"] if bounds else []
    text += [f"| where {flat(KQL_PRINTER.condition(fixed))}"] if fixed != both() else []
    counts = f"{EVENTS} = count(), {EARLIEST} = min({time}), {LATEST} = max({time})"
    text.append(f"| summarize {counts} by {', '.join([*keys, f'hour = bin({time}, 1h)'])}")
    return "\n".join(text) + "\n"
