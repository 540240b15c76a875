"""`aibr-hunt sweep`: run a standing set of rules, and show what it has covered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from aibr_hunt.cli.output import Exit, say, say_json, say_table
from aibr_hunt.cli.parts import all_option, duration_of, json_option, library_of, window_options, window_text
from aibr_hunt.cli.running import Wanted, execute, now, opened_ledger
from aibr_hunt.cli.settings import Settings
from aibr_hunt.content.library import Library
from aibr_hunt.content.sweeps import Sweep, load_sweep, load_sweeps
from aibr_hunt.engines.program import AS_WRITTEN, meaning_digest
from aibr_hunt.errors import Unsupported
from aibr_hunt.hunt.schedule import standing_of
from aibr_hunt.model.rule import Rule


@click.group("sweep")
def command() -> None:
    """Run a standing set of rules, and show what it has covered."""


@command.command("run", epilog="Example: aibr-hunt sweep run shipped:nightly_aws --logs ./AWSLogs/2026/01/31")
@click.argument("name")
@click.option(
    "--logs", "logs", multiple=True, required=True, type=click.Path(path_type=Path), help="A log file or a folder of them (repeatable)."
)
@window_options
@click.option("--report", "report", type=click.Path(file_okay=False, path_type=Path), help="Also write the report into this folder.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that read files (default: one a core).")
@json_option
@click.pass_obj
def run_sweep(
    settings: Settings,
    name: str,
    *,
    logs: tuple[Path, ...],
    since: str | None,
    until: str | None,
    last: str | None,
    report: Path | None,
    processes: int | None,
    as_json: bool,
) -> int:
    """Run the rules of a sweep over log files once; cron or a timer starts it again."""
    sweep = load_sweep(library_of(settings).resolve(_with_folder(name), "hunts"))
    wanted = Wanted(
        rules=sweep.rules,
        logs=logs,
        source=sweep.source or None,
        times=(since, until, last),
        report=report,
        processes=processes or settings.processes,
        as_json=as_json,
        kind="sweep",
        label=f"sweep {sweep.name} over {' '.join(str(path) for path in logs)}",
    )
    return int(execute(settings, wanted))


@command.command("list", epilog="Example: aibr-hunt sweep list")
@click.pass_obj
def list_sweeps(settings: Settings) -> int:
    """List the sweeps."""
    sweeps = load_sweeps(library_of(settings).folders("hunts", "sweeps"))
    say_table(
        ("name", "every", "rules", "title"), [(each.name, each.every, " ".join(each.rules), each.title) for each in sweeps], show_all=True
    )
    return int(Exit.NOTHING_FOUND)


@command.command("status", epilog="Example: aibr-hunt sweep status shipped:nightly_aws")
@click.argument("name")
@json_option
@all_option
@click.pass_obj
def status(settings: Settings, name: str, *, as_json: bool, show_all: bool) -> int:
    """Show for each rule of a sweep what committed runs have covered, and what was asked with an older meaning."""
    library = library_of(settings)
    sweep = load_sweep(library.resolve(_with_folder(name), "hunts"))
    rows: list[tuple[str, ...]] = []
    stale_or_open = 0
    with opened_ledger(settings, create=False) as ledger:
        for rule in library.load_rules(sweep.rules).rules:
            source, digest = _asked_of(rule, library)
            standing = standing_of(
                ledger, rule_id=rule.id, meaning_digest=digest, source=source, overdue_before=now() - 2 * _interval(sweep)
            )
            stale_or_open += standing.state != "settled"
            windows = " ".join(window_text(window) for window in standing.windows[-2:])
            rows.append(
                (rule.name, source, standing.state, "never" if standing.last is None else f"{standing.last:%Y-%m-%d %H:%M}", windows)
            )
            if as_json:
                last = None if standing.last is None else standing.last.isoformat()
                say_json(
                    {
                        "rule": rule.name,
                        "source": source,
                        "state": standing.state,
                        "last_run": last,
                        "windows": [window_text(each) for each in standing.windows],
                    }
                )
    if not as_json:
        say_table(("rule", "source", "state", "last run", "last windows"), rows, show_all=show_all)
        say(f"{len(rows)} rules, {stale_or_open} not settled")
    return int(Exit.INCOMPLETE if stale_or_open else Exit.NOTHING_FOUND)


def _with_folder(name: str) -> str:
    return name.replace("shipped:", "shipped:sweeps/", 1) if name.startswith("shipped:") and "/" not in name else name


def _interval(sweep: Sweep) -> timedelta:
    return duration_of(sweep.every)


def _asked_of(rule: Rule, library: Library) -> tuple[str, str]:
    mapping = library.mapping_for(rule.logsource)
    try:
        return (AS_WRITTEN if mapping is None else mapping.name), meaning_digest(rule, mapping)
    except Unsupported:
        return "refused", ""
