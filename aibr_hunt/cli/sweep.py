"""`aibr-hunt sweep`: run a standing set of rules, show what it selects and what it has covered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from aibr_hunt.cli.cloud_options import cloud_options, over_text
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, complain, counted, say, say_json, say_table
from aibr_hunt.cli.parts import (
    all_option,
    duration_of,
    fail_on_option,
    json_option,
    ledger_exists,
    library_of,
    logs_option,
    moment_text,
    now,
    opened_ledger,
    tell_refused,
    tell_warnings,
    window_of,
    window_options,
    window_text,
)
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.errors import UsageError
from aibr_hunt.model.window import utc_text

if TYPE_CHECKING:
    from aibr_hunt.cli.running import Wanted
    from aibr_hunt.content.selection import Choice, Selection
    from aibr_hunt.content.sweeps import Selector, Sweep

Times = tuple[str | None, str | None, str | None]
"""--from, --to and --last as given."""
# How far back `--due` looks where nothing says how far.
_REACH: Final = "P7D"


@click.group("sweep", cls=NearestGroup)
def command() -> None:
    """Run a standing set of rules, show what it selects and what it has covered."""


@command.command("run", epilog="Example: aibr-hunt sweep run shipped:nightly_aws --logs ./AWSLogs/2026/01/31")
@click.argument("name")
@logs_option
@cloud_options
@window_options
@click.option(
    "--due",
    "is_due",
    is_flag=True,
    help="With --on: begin where earlier runs have left something open, at most --last back (P7D), and look once more for late events.",
)
@click.option("--report", "report", type=click.Path(file_okay=False, path_type=Path), help="Also write the report into this folder.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that read files (default: one a core).")
@fail_on_option
@json_option
@click.pass_obj
def run_sweep(
    settings: Settings,
    name: str,
    *,
    logs: tuple[Path, ...],
    lake: bool,
    on: tuple[str, ...],
    dry_run: bool,
    resume: str | None,
    since: str | None,
    until: str | None,
    last: str | None,
    is_due: bool,
    report: Path | None,
    processes: int | None,
    fail_on: str | None,
    as_json: bool,
) -> int:
    """Run the rules of a sweep over log files, the lake or Sources in clouds once; cron or a timer starts it again."""
    from aibr_hunt.cli.running import Wanted, execute
    from aibr_hunt.content.hunt_paths import hunt_path
    from aibr_hunt.content.sweeps import load_sweep

    library = library_of(settings)
    sweep = load_sweep(hunt_path(library, name, kind="sweep"))
    wanted = Wanted(
        rules=(f"sweep {sweep.name}",),
        logs=logs,
        is_lake=lake,
        on=on,
        is_dry=dry_run,
        resume=resume or "",
        words=("sweep", "run", name),
        source=sweep.source or None,
        times=(since, until, last),
        report=report,
        processes=processes or settings.processes,
        as_json=as_json,
        kind="sweep",
        label=f"sweep {sweep.name} over {over_text(logs, is_lake=lake, on=on)}",
    )
    corpus = _selected(sweep, library).corpus
    if is_due:
        due = _due(settings, wanted, sweep, library, corpus=corpus)
        if due is None:
            said = "Nothing is due there: every rule was asked, and late events were looked for."
            if as_json:
                complain(said, level="warning")
            else:
                say(said)
            return int(Exit.NOTHING_FOUND)
        wanted = replace(wanted, times=due)
    tell_warnings(corpus)
    return int(execute(settings.with_option("fail_on", fail_on), wanted, library, corpus))


def _due(settings: Settings, wanted: Wanted, sweep: Sweep, library: Library, *, corpus: Corpus) -> Times | None:
    """Return the window of what is due, as --from and --to; None when nothing is.

    Raises:
        UsageError: It is no run over Sources that begins now.
    """
    from aibr_hunt.cli.sources import sources_of
    from aibr_hunt.cli.standing import due_window, meant_rules

    if not wanted.on:
        raise UsageError("--due is for Sources in clouds.", hint="Name them with --on.")
    if wanted.resume:
        raise UsageError("--resume takes up the window of the run.", hint="Leave out --due.")
    since, until, last = wanted.times
    moment = now()
    reach = window_of(since, until, last or (None if since else _REACH), now=moment)
    reach = replace(reach, end=reach.end or moment)
    meant, sources = tuple(meant_rules(corpus.matched, sweep, library)), sources_of(settings, library, wanted.on)
    if ledger_exists(settings):
        with opened_ledger(settings, create=False) as ledger:
            due = due_window(meant, ledger, sources, reach=reach, now=moment)
    else:
        due = due_window(meant, None, sources, reach=reach, now=moment)
    return None if due is None or due.start is None or due.end is None else (utc_text(due.start), utc_text(due.end), None)


@command.command("list", epilog="Example: aibr-hunt sweep list")
@json_option
@click.pass_obj
def list_sweeps(settings: Settings, *, as_json: bool) -> int:
    """List the sweeps."""
    from aibr_hunt.content.sweeps import load_sweeps

    sweeps = load_sweeps(library_of(settings).folders("hunts", "sweeps"))
    if as_json:
        for sweep in sweeps:
            say_json(_sweep_row(sweep))
        return int(Exit.NOTHING_FOUND)
    say_table(
        ("name", "every", "rules", "title"), [(each.name, each.every, " ".join(each.rules), each.title) for each in sweeps], show_all=True
    )
    return int(Exit.NOTHING_FOUND)


def _sweep_row(sweep: Sweep) -> dict[str, object]:
    row = {"name": sweep.name, "title": sweep.title, "every": sweep.every, "rules": list(sweep.rules), "source": sweep.source or None}
    requires = "default" if sweep.needs_only_defaults else None
    chosen = {"levels": list(sweep.levels), "only": [*map(_selector_row, sweep.only)], "leave_out": [*map(_selector_row, sweep.leave_out)]}
    return {**row, "requires_only": requires, **chosen, "exclude": list(sweep.exclude)}


def _selector_row(selector: Selector) -> dict[str, object]:
    return {"levels": list(selector.levels), "types": list(selector.types), "looks_back": selector.looks_back or None}


def _selected(sweep: Sweep, library: Library) -> Selection:
    """Return what a sweep selects of its rules.

    Raises:
        ContentErrors: It excludes what is not among them.
        UsageError: It names rules that are not there.
    """
    from aibr_hunt.content.mappings import switches_of
    from aibr_hunt.content.selection import select

    return select(sweep, library.load_rules(sweep.rules), switches_of(library.mappings))


@command.command("show", epilog="Example: aibr-hunt sweep show weekly_aws --all")
@click.argument("name")
@json_option
@all_option
@click.pass_obj
def show_sweep(settings: Settings, name: str, *, as_json: bool, show_all: bool) -> int:
    """Show which rules a sweep selects and which it leaves out, and why."""
    from aibr_hunt.content.hunt_paths import hunt_path
    from aibr_hunt.content.sweeps import load_sweep

    library = library_of(settings)
    sweep = load_sweep(hunt_path(library, name, kind="sweep"))
    selection = _selected(sweep, library)
    tell_refused(selection.corpus.refused)
    tell_warnings(selection.corpus)
    choices = sorted(selection.choices, key=lambda each: (not each.is_selected, each.thing.name))
    if as_json:
        for each in choices:
            say_json(_choice_row(each))
        return int(Exit.USER_MISTAKE if selection.corpus.refused else Exit.NOTHING_FOUND)
    say(f"{sweep.name}: {sweep.title or sweep.description}".rstrip(": "))
    if sweep.title and sweep.description:
        say(f"  {sweep.description}")
    for is_selected, word in ((True, "selected"), (False, "left out")):
        found = [each for each in choices if each.is_selected is is_selected]
        say()
        say(f"{word} ({len(found)}), of {' '.join(sweep.rules)}; due every {sweep.every}" if is_selected else f"{word} ({len(found)})")
        if found:
            say_table(("rule", "level", "type", "looks back", "why"), [_choice_cells(each) for each in found], show_all=show_all)
    return int(Exit.USER_MISTAKE if selection.corpus.refused else Exit.NOTHING_FOUND)


def _choice_cells(choice: Choice) -> tuple[str, ...]:
    from aibr_hunt.content.selection import length_text

    reach = length_text(choice.looks_back_us) if choice.looks_back_us else ""
    return choice.thing.name, choice.thing.level, choice.type, reach, choice.why


def _choice_row(choice: Choice) -> dict[str, object]:
    row = {"rule": choice.thing.name, "level": choice.thing.level, "type": choice.type, "requires": list(choice.requires)}
    return {**row, "looks_back_s": choice.looks_back_us // 1_000_000, "is_selected": choice.is_selected, "why": choice.why}


@command.command("status", epilog="Example: aibr-hunt sweep status shipped:nightly_aws")
@click.argument("name")
@json_option
@all_option
@click.pass_obj
def status(settings: Settings, name: str, *, as_json: bool, show_all: bool) -> int:
    """Show for each rule of a sweep what committed runs have covered, and what was asked with an older meaning."""
    from aibr_hunt.cli.sources import ALL, sources_of
    from aibr_hunt.cli.standing import meant_correlations, meant_rules, standings
    from aibr_hunt.content.hunt_paths import hunt_path
    from aibr_hunt.content.sweeps import load_sweep
    from aibr_hunt.hunt.schedule import History

    library = library_of(settings)
    sweep = load_sweep(hunt_path(library, name, kind="sweep"))
    rows: list[tuple[str, ...]] = []
    unsettled: set[str] = set()
    corpus = _selected(sweep, library).corpus
    tell_refused(corpus.refused)
    tell_warnings(corpus)
    sources = sources_of(settings, library, (ALL,)) if settings.sources else ()
    overdue_before = now() - 2 * duration_of(sweep.every)  # what two nights missed
    with opened_ledger(settings, create=False) as ledger:
        history = History.read(ledger)
        for meant in (*meant_rules(corpus.rules, sweep, library), *meant_correlations(corpus, sweep, library)):
            for source, standing in standings(meant, history, sources, overdue_before=overdue_before):
                last = "" if standing.last is None else moment_text(standing.last)
                windows = [window_text(window) for window in standing.windows]
                name = meant.thing.name
                unsettled |= {name} if standing.state != "settled" else set()
                if as_json:
                    say_json({"rule": name, "source": source, "state": standing.state, "last_run": last or None, "windows": windows})
                rows.append((name, source, standing.state, last or "never", " ".join(windows[-2:])))
    if not as_json:
        say_table(("rule", "source", "state", "last run", "last windows"), rows, show_all=show_all)
        say(f"{counted(len({row[0] for row in rows}), 'rule')}, {len(unsettled)} not settled; due every {sweep.every}")
    if corpus.refused:
        return int(Exit.USER_MISTAKE)
    return int(Exit.INCOMPLETE if unsettled else Exit.NOTHING_FOUND)
