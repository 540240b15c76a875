"""`aibr-hunt coverage`: what was looked at, for which rule, over which time."""

from __future__ import annotations

import click

from aibr_hunt.cli.output import Exit, counted, say, say_json, say_table
from aibr_hunt.cli.parts import all_option, json_option, opened_ledger, window_text
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import UsageError
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import utc_text


@click.command("coverage", epilog="Example: aibr-hunt coverage --run R-0123456789abcdef")
@click.option("--run", "run_id", default="", help="The run to tell of (default: the last one).")
@json_option
@all_option
@click.pass_obj
def command(settings: Settings, *, run_id: str, as_json: bool, show_all: bool) -> int:
    """Show what a run looked at: each rule, its source and window, and whether that is settled."""
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
