"""`aibr-hunt coverage`: what a run looked at, which techniques rules can find, and which case studies they would have shown."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.coverage_techniques import show_studies, show_techniques
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, counted, say, say_json, say_table
from aibr_hunt.cli.parts import all_option, json_option, opened_ledger, window_text
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import utc_text


@click.group("coverage", cls=NearestGroup, invoke_without_command=True, epilog="Example: aibr-hunt coverage --run R-0123456789abcdef")
@click.option("--run", "run_id", default="", help="The run to tell of (default: the last one).")
@click.option("--navigator", type=click.Path(path_type=Path, file_okay=False), help="Short for `coverage techniques --navigator DIR`.")
@json_option
@all_option
@click.pass_context
def command(ctx: click.Context, *, run_id: str, navigator: Path | None, as_json: bool, show_all: bool) -> int:
    """Show what a run looked at; the subcommands say what rules can find at all.

    Without a subcommand it is `coverage run`: each rule of a run, its source and window, and whether that is settled. `coverage techniques`
    counts ATT&CK and ATLAS techniques by cloud and tier of logs, and `coverage studies` asks each case study of ATLAS whether the rules
    would have shown it. Options stand behind the subcommand.
    """
    is_asked = bool(run_id or navigator or as_json or show_all)
    if ctx.invoked_subcommand is not None:
        if is_asked:
            raise UsageError("Options of `coverage` stand behind the subcommand.", hint=f"Write `coverage {ctx.invoked_subcommand} --…`.")
        return int(Exit.NOTHING_FOUND)
    if navigator is not None:
        if run_id or show_all:
            raise UsageError(
                "--navigator is about rules, not about a run.", hint="`coverage techniques --run R-… --navigator DIR` takes both."
            )
        return int(ctx.invoke(show_techniques, navigator=navigator, as_json=as_json))
    return show_run(ctx.ensure_object(Settings), run_id, as_json=as_json, show_all=show_all)


command.add_command(show_techniques)
command.add_command(show_studies)


@command.command("run", epilog="Example: aibr-hunt coverage run --run R-0123456789abcdef")
@click.option("--run", "run_id", default="", help="The run to tell of (default: the last one).")
@json_option
@all_option
@click.pass_obj
def run_command(settings: Settings, *, run_id: str, as_json: bool, show_all: bool) -> int:
    """Show what a run looked at: each rule, its source and window, and whether that is settled."""
    return show_run(settings, run_id, as_json=as_json, show_all=show_all)


def show_run(settings: Settings, run_id: str, *, as_json: bool, show_all: bool) -> int:
    """Print the coverage of a run and return the exit code.

    Raises:
        UsageError: No run is on record.
    """
    with opened_ledger(settings, create=False) as ledger:
        chosen = run_id or ledger.last_run_id()
        if chosen is None:
            raise UsageError("No run is on record.", hint="Start with `aibr-hunt run`.")
        names = {rule.id: rule.name for rule in ledger.rules(chosen)}
        rows = ledger.coverage(chosen)
    unsettled = sum(row.state is not CoverageState.SETTLED for row in rows)
    if as_json:
        for row in rows:
            start = None if row.window.start is None else utc_text(row.window.start)
            end = None if row.window.end is None else utc_text(row.window.end)
            known = {"rule": names.get(row.rule_id, ""), "rule_id": row.rule_id, "meaning_digest": row.meaning_digest, "source": row.source}
            say_json({**known, "from": start, "to": end, "state": row.state.value, "cause": row.cause})
    else:
        cells = [(names.get(row.rule_id, row.rule_id), row.source, window_text(row.window), row.state.value, row.cause) for row in rows]
        cells.sort(key=lambda row: (row[3] == CoverageState.SETTLED.value, row[0]))
        say_table(("rule", "source", "window", "state", "cause"), cells, show_all=show_all)
        say(f"{counted(len(rows), 'row')} of run {chosen}, {unsettled} not settled")
    return int(Exit.INCOMPLETE if unsettled else Exit.NOTHING_FOUND)
