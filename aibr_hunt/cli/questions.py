"""`aibr-hunt logs sql|show|stack|timeline`: ad-hoc questions over the lake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from aibr_hunt.cli.output import LIST_ROWS, Exit, complain, counted, say, say_json, say_verbatim
from aibr_hunt.cli.parts import all_option, duration_of, json_option, lake_of, library_of, now, window_of, window_options
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.questions import Answer, EventFound, Questions, Timeline

F = TypeVar("F", bound=Callable[..., object])
_FORMATS: Final = ("table", "json", "csv", "parquet")
_PLANS: Final = ("explain_key", "explain_value")
_UNITS: Final = ("hour", "day")


def _format_options(function: F) -> F:
    """Add `--format` and `--out`."""
    out = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file; its ending names the format.")
    kind = click.option(
        "--format", "form", type=click.Choice(_FORMATS), help="How rows are written (default: a table, or what --out ends in)."
    )
    return kind(out(function))


def _source_option(function: F) -> F:
    """Add `--source`."""
    return click.option("--source", "sources", multiple=True, help="Only this log source, as `logs status` names it (repeatable).")(
        function
    )


def _questions(settings: Settings) -> Questions:
    from aibr_hunt.engines.lake.ask_lake import questions_on

    library = library_of(settings)
    return questions_on(lake_of(settings, library), library.placeholders)


@click.command("sql", epilog='Example: aibr-hunt logs sql "SELECT action, count(*) FROM events GROUP BY ALL ORDER BY 2"')
@click.argument("statement")
@_format_options
@all_option
@click.pass_obj
def sql(settings: Settings, statement: str, form: str | None, out: Path | None, *, show_all: bool) -> int:
    """Answer STATEMENT, one SELECT in the SQL of DuckDB; - reads it from standard input.

    Each log source is a view, and `events` holds what all of them have in common: SHOW TABLES lists them. A field's
    column is called as rules call it, in double quotes where the name has a dot. Times are in UTC.
    """
    text = sys.stdin.read() if statement == "-" else statement
    target = _Target.of(form, out)
    answer = _questions(settings).sql(text)
    target.write(answer, show_all=show_all)
    return int(Exit.NOTHING_FOUND)


@click.command("show", epilog="Example: aibr-hunt logs show 6f1d6c1e2a7b")
@click.argument("event_id")
@click.option("--raw", "as_raw", is_flag=True, help="Write the bytes as they were delivered, and nothing else.")
@click.option(
    "--delivery", type=click.IntRange(min=1), help="Which delivery, as their list numbers them (default: the one that EVENT_ID names)."
)
@json_option
@click.pass_obj
def show(settings: Settings, event_id: str, delivery: int | None, *, as_raw: bool, as_json: bool) -> int:
    """Show one event in full: its record, where it lay, its digests and its other deliveries.

    EVENT_ID is an id as the other commands print it, the first six or more of its digits, or a whole identity.
    """
    found = _chosen(_questions(settings).show(event_id), delivery)
    if as_raw:
        sys.stdout.flush()
        sys.stdout.buffer.write(found.raw)
        sys.stdout.buffer.flush()
    elif as_json:
        say_json(found.as_dict())
    else:
        for line in found.lines():  # safe for a terminal already; the record is whole JSON
            say_verbatim(line)
    return int(Exit.NOTHING_FOUND)


def _chosen(found: EventFound, delivery: int | None) -> EventFound:
    if delivery is None:
        return found
    if delivery > len(found.deliveries):
        raise UsageError(f"The event has {counted(len(found.deliveries), 'delivery').replace('deliverys', 'deliveries')}, not {delivery}.")
    return replace(found, chosen=delivery - 1)


@click.command("stack", epilog="Example: aibr-hunt logs stack eventName userAgent --where '{eventSource: bedrock.amazonaws.com}' --last 7d")
@click.argument("fields", nargs=-1, required=True)
@click.option("--where", default="", help="Only events that meet this, written as the detection of a rule: 'eventName|startswith: Invoke'.")
@_source_option
@window_options
@click.option("--by", type=click.Choice(_UNITS), help="Stack each hour or day (UTC) apart.")
@click.option("--rarest/--commonest", default=True, help="Which come first (default: the rarest).")
@click.option("--limit", type=click.IntRange(min=1), help="Rows to give at most.")
@_format_options
@all_option
@click.pass_obj
def stack(
    settings: Settings,
    fields: tuple[str, ...],
    where: str,
    sources: tuple[str, ...],
    since: str | None,
    until: str | None,
    last: str | None,
    by: str | None,
    limit: int | None,
    form: str | None,
    out: Path | None,
    *,
    rarest: bool,
    show_all: bool,
) -> int:
    """Count how often each combination of the values of FIELDS occurs, the rarest first.

    FIELDS are fields as rules name them, or what every event has: action, principal, address, resource, region, account, file,
    source. An element of a list counts as a value of its own; an event counts once for each combination.
    """
    from aibr_hunt.engines.lake.questions import StackAsked

    target = _Target.of(form, out)
    asked = StackAsked(
        fields=fields,
        where=where,
        sources=sources,
        window=window_of(since, until, last, now=now()),
        by=by or "",
        is_commonest_first=not rarest,
        limit=limit,
    )
    target.write(_questions(settings).stack(asked), show_all=show_all)
    return int(Exit.NOTHING_FOUND)


@click.command("timeline", epilog="Example: aibr-hunt logs timeline AKIAIOSFODNN7EXAMPLE 192.0.2.7 --last 14d")
@click.argument("names", nargs=-1, required=True)
@_source_option
@window_options
@click.option("--every", is_flag=True, help="List every event; else calls of one action that follow one another are one line.")
@click.option("--anywhere", is_flag=True, help="Also look for NAMES in the raw text of every record.")
@click.option("--gap", help="A longer silence parts two sessions, such as 10m (default: 30m).")
@_format_options
@all_option
@click.pass_obj
def timeline(
    settings: Settings,
    names: tuple[str, ...],
    sources: tuple[str, ...],
    since: str | None,
    until: str | None,
    last: str | None,
    gap: str | None,
    form: str | None,
    out: Path | None,
    *,
    every: bool,
    anywhere: bool,
    show_all: bool,
) -> int:
    """Show what NAMES did over all sources, in order of time, in sessions; and who shares their addresses and keys.

    NAMES are principals, addresses, accounts, resources, access key ids or other identifiers of who acted, whole and in any case.
    """
    from aibr_hunt.engines.lake.ask_timeline import GAP
    from aibr_hunt.engines.lake.questions import TimelineAsked

    target = _Target.of(form, out)
    asked = TimelineAsked(
        values=names,
        sources=sources,
        window=window_of(since, until, last, now=now()),
        is_anywhere=anywhere,
        gap=GAP if gap is None else duration_of(gap),
    )
    found = _questions(settings).timeline(asked)
    if not found.total:
        rest = "" if anywhere else " --anywhere also looks in the raw text of the records."
        complain(f"Nothing was found of {', '.join(names)}.{rest}", level="warning")
    target.write(found.events if every else found.lines, show_all=show_all)
    if target.is_for_people and found.total:
        _tell_around(found)
    return int(Exit.NOTHING_FOUND)


def _tell_around(found: Timeline) -> None:
    """Print what stands beside a timeline: its sessions, actions, and who shares addresses and keys with it."""
    for title, answer in (("Sessions", found.sessions), ("Actions", found.actions), ("Shared with others", found.shared)):
        rows, total = answer.first(LIST_ROWS)
        say()
        if not rows:
            say(f"{title}: none.")
            continue
        say(f"{title}:")
        for line in _table(answer, rows):
            say_verbatim(line)
        if total > len(rows):
            say(f"{len(rows):,} of {total:,} shown")


# -- where answers go -------------------------------------------------------------------------------------------------

_ENDINGS: Final = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where an answer goes, and in what form.

    Attributes:
        form: One of the formats.
        out: A file; None for standard output.
    """

    form: str
    out: Path | None

    @classmethod
    def of(cls, form: str | None, out: Path | None) -> _Target:
        """Return what the options mean.

        Raises:
            UsageError: Parquet is wanted on standard output.
        """
        chosen = form or ("table" if out is None else _ENDINGS.get(out.suffix.lower(), "table"))
        if chosen == "parquet" and out is None:
            raise UsageError("Parquet is not written to standard output.", hint="Name a file with --out.")
        return cls(form=chosen, out=out)

    @property
    def is_for_people(self) -> bool:
        """True when a table is printed."""
        return self.form == "table" and self.out is None

    def write(self, answer: Answer, *, show_all: bool) -> None:
        """Write an answer; of a printed table only the first rows, unless all are wanted."""
        from aibr_hunt.engines.lake.ask_write import csv_lines, json_lines, write_parquet, write_texts

        for note in answer.notes:
            complain(note, level="warning")
        if self.form == "parquet" and self.out is not None:
            write_parquet(answer, self.out)
        elif self.is_for_people:
            _say_table(answer, show_all=show_all)
            return
        else:
            texts = csv_lines(answer) if self.form == "csv" else json_lines(answer) if self.form == "json" else _table_texts(answer)
            if self.out is None:
                for text in texts:
                    click.echo(text, nl=False)
                return
            write_texts(texts, self.out)
        say(f"Wrote {counted(answer.taken, 'row')} to {self.out}.")


def _say_table(answer: Answer, *, show_all: bool) -> None:
    if answer.columns == _PLANS:
        for _, plan in answer:
            for line in str(plan).splitlines():
                say(line)
        return
    if show_all:
        for text in _table_texts(answer):
            click.echo(text, nl=False)
        return
    rows, total = answer.first(LIST_ROWS)
    for line in _table(answer, rows):
        say_verbatim(line)
    say(f"{len(rows):,} of {total:,} shown, --all for the rest" if len(rows) < total else counted(total, "row"))


def _table_texts(answer: Answer) -> Iterator[str]:
    """Yield a table of all rows; columns are as wide as the first rows need."""
    widths: list[int] = []
    for batch in answer.batches():
        lines = _table(answer, batch)
        yield "".join(f"{line}\n" for line in (lines[1:] if widths else lines))
        widths = widths or [1]
    if not widths:
        yield "".join(f"{line}\n" for line in _table(answer, []))


def _table(answer: Answer, rows: Sequence[tuple[object, ...]]) -> list[str]:
    from aibr_hunt.engines.lake.ask_answer import table_lines

    return table_lines(answer.columns, answer.types, rows, **({"limit": 0} if len(answer.columns) == 1 else {}))


COMMANDS: Final = (sql, show, stack, timeline)
