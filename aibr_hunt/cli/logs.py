"""`aibr-hunt logs`: the lake. Logs are read once and asked again and again; the questions themselves are in `questions`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli import questions
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, complain, counted, progress_wanted, say, say_json, say_table
from aibr_hunt.cli.parts import json_option, lake_folder, lake_of, library_of, moment_text, now, window_of, window_options
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.remote import Remote
    from aibr_hunt.engines.lake.values import Added, SourceStatus
    from aibr_hunt.intake.files import Discovery, Found
    from aibr_hunt.model.event import Account

# Lines of what was refused; `--json` names all.
_SHOWN: Final = 30


@click.group("logs", cls=NearestGroup)
def command() -> None:
    """Keep logs in the lake below --home: add them once, then run rules over them, ask in SQL, merge and drop."""


for _question in questions.COMMANDS:
    command.add_command(_question)


@command.command("add", epilog="Example: aibr-hunt logs add ./AWSLogs")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--source", help="Log source of the files (a mapping's name or product/service); `as-written` for none. Default: recognised.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that read files (default: one a core).")
@json_option
@click.pass_obj
def add(settings: Settings, paths: tuple[str, ...], *, source: str | None, processes: int | None, as_json: bool) -> int:
    """Read log files, folders, and objects of s3://, gs:// and az:// into the lake: all of them or, when something fails, none.

    Files that the lake holds already, byte for byte, are passed over.
    """
    from aibr_hunt.cli.running import source_of
    from aibr_hunt.engines.files import Scope
    from aibr_hunt.engines.lake.lake import Lake
    from aibr_hunt.engines.lake.remote import is_url, listed
    from aibr_hunt.intake.files import discover

    library = library_of(settings)
    mapping, is_as_written = source_of(source, library)
    discovery = discover([Path(path) for path in paths if not is_url(path)])
    listing = listed([path for path in paths if is_url(path)])
    found: list[Found | Remote] = [*discovery.files, *listing.objects]
    _tell_left_out(listing.left_out)
    if not found:
        _tell_problems(discovery)
        raise UsageError(f"There is no log file in {', '.join(paths)}.", hint="Name files one by one, whatever they are called.")
    lake = Lake.open(lake_folder(settings), mappings=library.mappings, create=True)
    scope = Scope(mapping=mapping, is_as_written=is_as_written, now=now())
    with _progress(len(found)) as tell:
        added = lake.add(found, scope, processes=processes or settings.processes, tell=tell, say=_warn)
    _tell_problems(discovery)
    _tell_added(added, as_json=as_json)
    is_whole = added.is_complete and not discovery.problems
    return int(Exit.NOTHING_FOUND if is_whole else Exit.INCOMPLETE)


@command.command("status", epilog="Example: aibr-hunt logs status --json")
@json_option
@click.pass_obj
def status(settings: Settings, *, as_json: bool) -> int:
    """Show what the lake holds, by log source."""
    found = lake_of(settings, library_of(settings)).status()
    if as_json:
        for each in found:
            say_json(_status_row(each))
        return int(Exit.NOTHING_FOUND)
    headers = ("source", "files", "events", "repeats", "conflicts", "untimed", "first", "last", "days", "segments", "Parquet MB", "raw MB")
    say_table(headers, [_status_cells(each) for each in found], show_all=True, right=frozenset((1, 2, 3, 4, 5, 8, 9, 10, 11)))
    if not found:
        say("The lake is empty.")
    return int(Exit.NOTHING_FOUND)


@command.command("drop", epilog="Example: aibr-hunt logs drop --source aws_cloudtrail --to 2026-01-01")
@click.option("--source", help="Only this log source, as `logs status` names it.")
@window_options
@click.option("--everything", is_flag=True, help="Drop all that the lake holds.")
@json_option
@click.pass_obj
def drop(
    settings: Settings, *, source: str | None, since: str | None, until: str | None, last: str | None, everything: bool, as_json: bool
) -> int:
    """Take whole days of events out of the lake; files of which nothing is left can be added again."""
    is_bounded = source is not None or since is not None or until is not None or last is not None
    if is_bounded == everything:
        raise UsageError("It is not clear what to drop.", hint="Give --source, --from or --to; or --everything alone.")
    window = window_of(since, until, last, now=now())
    dropped = lake_of(settings, library_of(settings)).drop(source=source, window=window, say=_warn)
    if as_json:
        say_json({name: getattr(dropped, name) for name in ("events", "segments", "files", "cut_files")})
    else:
        what = f"{counted(dropped.events, 'event')} in {counted(dropped.segments, 'segment')}"
        say(f"Dropped {what}: of {counted(dropped.files, 'file')} nothing is left, of {dropped.cut_files:,} a part.")
    return int(Exit.NOTHING_FOUND)


@command.command("compact", epilog="Example: aibr-hunt logs compact")
@json_option
@click.pass_obj
def compact(settings: Settings, *, as_json: bool) -> int:
    """Merge the Parquet files of each day; questions asked meanwhile are answered from the old ones."""
    done = lake_of(settings, library_of(settings)).compact(say=_warn)
    if as_json:
        say_json({name: getattr(done, name) for name in ("segments_before", "segments_after", "events", "removed", "waiting")})
        return int(Exit.NOTHING_FOUND)
    if not done.segments_before:
        say("Nothing to merge.")
    else:
        say(f"Merged {counted(done.segments_before, 'segment')} into {done.segments_after:,} ({counted(done.events, 'event')}).")
    if done.waiting:
        say(f"{counted(done.waiting, 'file')} of before are still read by others and go with the next addition or compaction.")
    return int(Exit.NOTHING_FOUND)


def _warn(line: str) -> None:
    complain(line, level="warning")


def _tell_problems(discovery: Discovery) -> None:
    for problem in discovery.problems:
        _warn(f"{problem.path} was not read: {problem.reason}.")
    _tell_left_out(discovery.left_out)


def _tell_left_out(kinds: Sequence[tuple[str, int]]) -> None:
    for kind, count in kinds:
        complain(f"{counted(count, 'file')} passed over below the folders: {kind}", level="info")


def _tell_added(added: Added, *, as_json: bool) -> None:
    if as_json:
        for account in added.accounts:
            say_json(_account_row(account))
        say_json(
            {
                "files": len(added.accounts),
                **{name: getattr(added, name) for name in ("events", "repeats", "conflicts", "skipped", "refused")},
                "is_complete": added.is_complete,
            }
        )
        return
    say(f"Added {counted(added.events, 'event')} from {counted(len(added.accounts) - added.skipped, 'file')}.")
    if added.skipped:
        say(f"Passed over {counted(added.skipped, 'file')} that the lake holds already, byte for byte.")
    if added.repeats:
        say(f"{added.repeats:,} of them repeat an event that was there: they are kept as deliveries, and views leave them out.")
    if added.conflicts:
        _warn(f"{counted(added.conflicts, 'event')} with the identity of another and other content: views show both.")
    lines = [line for account in added.accounts if not account.duplicate_of for line in _refusals(account)]
    if lines:
        _warn(f"Not read ({len(lines)}):")
    for line in lines[:_SHOWN]:
        _warn(f"  {line}")
    if len(lines) > _SHOWN:
        _warn(f"  … and {len(lines) - _SHOWN} more; --json names all")


def _refusals(account: Account) -> Iterator[str]:
    for each in account.refusals:
        yield f"{account.path}: {each.reason} at {'stored ' if each.is_stored else ''}byte {each.offset:,}"
    if account.refusals_left_out:
        yield f"{account.path}: {account.refusals_left_out:,} more refusals"
    yield from (f"{account.path}: {note.removeprefix('!').strip()}" for note in account.notes if note.startswith("!"))


def _account_row(account: Account) -> dict[str, object]:
    return {
        "path": account.path,
        "source": account.source,
        "format": account.format,
        "digest": account.digest,
        "content_bytes": account.content_size,
        "bytes": {name.value: count for name, count in account.byte_counts.items()},
        "records": {name.value: count for name, count in account.record_counts.items()},
        "refusals": list(_refusals(account)),
        "untimed": account.untimed,
        "duplicate_of": account.duplicate_of,
    }


def _status_row(each: SourceStatus) -> dict[str, object]:
    names = ("source", "files", "events", "repeats", "conflicts", "untimed", "days", "segments", "parquet_bytes", "raw_bytes")
    times = {name: None if getattr(each, name) is None else moment_text(getattr(each, name)) for name in ("first_time", "last_time")}
    return {**{name: getattr(each, name) for name in names}, **times}


def _status_cells(each: SourceStatus) -> Sequence[str]:
    counts = [f"{number:,}" for number in (each.files, each.events, each.repeats, each.conflicts, each.untimed)]
    times = ["" if moment is None else moment_text(moment) for moment in (each.first_time, each.last_time)]
    sizes = [f"{size / 1e6:,.1f}" for size in (each.parquet_bytes, each.raw_bytes)]
    return (each.source, *counts, *times, f"{each.days:,}", f"{each.segments:,}", *sizes)


@contextmanager
def _progress(files: int) -> Iterator[Callable[[Account], None]]:
    """Give a function that draws progress on standard error; without a terminal it tells what --log-level asks for."""
    if not progress_wanted():
        yield lambda account: complain(f"{account.path}: {account.format}, {account.source or 'no source'}", level="info")
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawing:
        task = drawing.add_task("reading", total=files)
        size = 0

        def tell(account: Account) -> None:
            nonlocal size
            size += account.content_size
            drawing.update(task, advance=1, description=f"{size / 1e6:,.0f} MB")

        yield tell
