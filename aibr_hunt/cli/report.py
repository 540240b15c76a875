"""`aibr-hunt report`: the report of runs on record."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.output import Exit, say
from aibr_hunt.cli.parts import library_of, opened_ledger
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError


@click.command("report", epilog="Example: aibr-hunt report --out ./case-7 --hunt shipped:sagemaker_model_theft")
@click.argument("runs", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write into (default: here).")
@click.option("--hunt", "hunts", multiple=True, help="Argue this hunt's hypothesis from the runs (repeatable).")
@click.option("--format", "forms", multiple=True, type=click.Choice(["html", "md", "json"]), help="Forms to write (default: all three).")
@click.pass_obj
def command(settings: Settings, runs: tuple[str, ...], out: Path, hunts: tuple[str, ...], forms: tuple[str, ...]) -> int:
    """Write the report of RUNS (ids; default: the last run) as one self-contained HTML file, Markdown and JSON."""
    from aibr_hunt.cli.reporting import FORMS, write_report
    from aibr_hunt.content.hunt_paths import hunt_path
    from aibr_hunt.content.hunts import load_hunt

    library = library_of(settings)
    with opened_ledger(settings, create=False) as ledger:
        last = ledger.last_run_id()
        if not runs and last is None:
            raise UsageError("No run is on record.", hint="Start with `aibr-hunt run` or `aibr-hunt demo`.")
        told = [load_hunt(hunt_path(library, name, kind="hunt"), catalogue=library.catalogue) for name in hunts]
        for path in write_report(settings, library, ledger, runs or (last or "",), folder=out, hunts=told, forms=forms or tuple(FORMS)):
            say(f"Report: {path}")
    return int(Exit.NOTHING_FOUND)
