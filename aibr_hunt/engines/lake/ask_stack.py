"""Stacks: how often each combination of field values occurs, the rarest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aibr_hunt.engines.lake.ask_answer import Answer
from aibr_hunt.engines.lake.ask_ground import Ground, ask, quoted
from aibr_hunt.engines.lake.ask_rows import MOST_COMBINATIONS, Filling, Plan, column_names, plan_of
from aibr_hunt.engines.lake.ask_sql import names_of
from aibr_hunt.errors import Unsupported, UsageError
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from aibr_hunt.model.predicate import Predicate

UNITS: Final = ("hour", "day")
_BINS: Final = 24
_BARS: Final = "▁▂▃▄▅▆▇█"
_NO_BAR: Final = "·"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackAsked:
    """What is to be stacked.

    Attributes:
        fields: Fields as rules name them, or columns that every view has.
        where: A condition as in a rule; empty for none.
        sources: Names of sources; none stands for all.
        window: Bounds of the event time; untimed events lie in none.
        by: `hour` or `day` stacks each of them apart; empty stacks all together.
        is_commonest_first: False puts the rarest first.
        limit: Rows to give at most; None for all.
    """

    fields: tuple[str, ...]
    where: str = ""
    sources: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    by: str = ""
    is_commonest_first: bool = False
    limit: int | None = None


def stack(ground: Ground, asked: StackAsked) -> Answer:
    """Return each combination of the fields' values with its number of events, and who made them when.

    A list counts for each of its elements, and an event counts once for a combination. Blank is null.

    Raises:
        UsageError: Nothing, or a field that no source has, is to be stacked.
        ContentErrors: The condition is wrong.
    """
    fields = tuple(dict.fromkeys(asked.fields))
    if not fields:
        raise UsageError("No field to stack.", hint="Name one as rules do, such as eventName, or principal.")
    if asked.by not in {"", *UNITS}:
        raise UsageError(f"Stacks are made by {' or '.join(UNITS)}, not by {asked.by}.")
    predicate = _condition(ground, asked.where) if asked.where else None
    plans, notes = _plans(ground, asked, fields, predicate=predicate)
    connection = ground.connect()
    filling = Filling(connection, ground.connect, len(fields), window=asked.window)
    for plan in plans:
        filling.take(plan)
    if filling.cut:
        notes += (f"{filling.cut:,} events hold more than {MOST_COMBINATIONS:,} combinations: the rest of theirs is not counted.",)
    return ask(connection, _question(connection, asked, fields, total=filling.events), notes=notes)


def _condition(ground: Ground, where: str) -> Predicate:
    from aibr_hunt.engines.lake.ask_condition import read_where  # noqa: PLC0415 - it loads the Sigma parser

    return read_where(where, ground.placeholders)


def _plans(
    ground: Ground, asked: StackAsked, fields: tuple[str, ...], *, predicate: Predicate | None
) -> tuple[list[Plan], tuple[str, ...]]:
    """Return how each source is read, and a note on those that lack a field.

    Raises:
        UsageError: No source has all fields.
    """
    chosen = ground.chosen(asked.sources)
    known = names_of(ground.connect()).by_view
    plans: list[Plan] = []
    refused: dict[str, Unsupported] = {}
    for view, mapping in chosen.items():
        try:
            plans.append(plan_of(view, mapping, fields, columns=known.get(view, ()), predicate=predicate))
        except Unsupported as refusal:
            refused[view] = refusal
    if refused and not plans:
        first = next((each for each in refused.values() if "Did you mean" in each.hint), next(iter(refused.values())))
        raise UsageError(first.what, hint=first.hint)
    reasons: dict[str, list[str]] = {}
    for view, why_not in refused.items():
        reasons.setdefault(why_not.construct, []).append(view)
    return plans, tuple(f"Left out for lack of {why}: {', '.join(views)}." for why, views in reasons.items())


def _question(connection: DuckDBPyConnection, asked: StackAsked, fields: tuple[str, ...], *, total: int) -> str:
    names = column_names(len(fields))
    shown = [f"{name} AS {quoted(title)}" for name, title in zip(names, fields, strict=True)]
    bucket = [f"date_trunc('{asked.by}', \"time\")"] if asked.by else []
    head = [f"{bucket[0]} AS {quoted(asked.by)}"] if bucket else []
    spark = [] if bucket else [_spark(connection)]
    columns = [
        *head,
        *shown,
        'count(*) AS "count"',
        f"round(count(*) / {max(total, 1)}, 6) AS share",
        "count(DISTINCT principal) AS principals",
        'min("time") AS first_seen',
        'max("time") AS last_seen',
        *spark,
    ]
    direction = "DESC" if asked.is_commonest_first else "ASC"
    order = [*bucket, f"count(*) {direction}", 'max("time") DESC', *names]
    limit = "" if asked.limit is None else f" LIMIT {max(asked.limit, 0)}"
    return f"SELECT {', '.join(columns)} FROM stacked GROUP BY {', '.join([*bucket, *names])} ORDER BY {', '.join(order)}{limit}"  # noqa: S608 - names are quoted


def _spark(connection: DuckDBPyConnection) -> str:
    """Return the column that draws each combination's events over the time of all of them."""
    row = connection.execute('SELECT epoch_us(min("time")), epoch_us(max("time")) FROM stacked').fetchone()
    if row is None or row[0] is None:
        return "'' AS over_time"
    start, width = int(row[0]), int(row[1]) - int(row[0]) + 1
    place = f'((epoch_us("time") - {start}) * {_BINS}) // {width}'
    counts = ", ".join(f"count(*) FILTER ({place} = {number})" for number in range(_BINS))
    bar = f"CASE WHEN x = 0 THEN '{_NO_BAR}' ELSE substr('{_BARS}', CAST(1 + (x * 7) // greatest(list_max(bins), 1) AS INTEGER), 1) END"
    drawn = f"list_aggregate(list_transform(bins, lambda x: {bar}), 'string_agg', '')"
    return drawn.replace("bins", f"[{counts}]") + " AS over_time"
