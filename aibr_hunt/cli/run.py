"""`aibr-hunt run`: rules over log files, leads on record."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.cloud_options import cloud_options
from aibr_hunt.cli.parts import fail_on_option, json_option, library_of, logs_option, tell_warnings, window_options
from aibr_hunt.cli.settings import Settings


@click.command("run", epilog="Example: aibr-hunt run shipped:aws --logs ./AWSLogs --from 2026-01-01 --to 2026-02-01 --out leads.jsonl")
@click.argument("rules", nargs=-1, required=True)
@logs_option
@cloud_options
@click.option("--source", help="Log source of the files (a mapping's name or product/service); `as-written` for none. Default: recognised.")
@window_options
@click.option("--strict", is_flag=True, help="Parse every record and count repeated keys.")
@click.option("--no-sieve", is_flag=True, help="Parse every record; slower, the same leads.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file of Sigma filters to apply (repeatable).",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the run's leads there, as JSON lines.")
@click.option("--report", "report", type=click.Path(file_okay=False, path_type=Path), help="Also write the report into this folder.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that read files (default: one a core).")
@fail_on_option
@json_option
@click.pass_obj
def command(
    settings: Settings,
    rules: tuple[str, ...],
    *,
    logs: tuple[Path, ...],
    lake: bool,
    on: tuple[str, ...],
    dry_run: bool,
    resume: str | None,
    source: str | None,
    since: str | None,
    until: str | None,
    last: str | None,
    strict: bool,
    no_sieve: bool,
    filters: tuple[Path, ...],
    out: Path | None,
    report: Path | None,
    processes: int | None,
    fail_on: str | None,
    as_json: bool,
) -> int:
    """Run RULES (files, folders, shipped:… or names) over log files, the lake or Sources in clouds, record leads, say what was not seen."""
    from aibr_hunt.cli.running import Wanted, execute

    wanted = Wanted(
        rules=rules,
        logs=logs,
        is_lake=lake,
        on=on,
        is_dry=dry_run,
        resume=resume or "",
        words=("run", *rules, *(word for path in filters for word in ("--filter", str(path)))),
        source=source,
        times=(since, until, last),
        is_strict=strict,
        use_sieve=not no_sieve,
        out=out,
        report=report,
        processes=processes or settings.processes,
        as_json=as_json,
    )
    library = library_of(settings)
    corpus = library.load_rules(rules, filters=filters)
    tell_warnings(corpus)
    return int(execute(settings.with_option("fail_on", fail_on), wanted, library, corpus))
