"""`aibr-hunt demo`: the main job, on bundled synthetic logs, with nothing to set up."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from aibr_hunt.cli.output import Exit, counted, say
from aibr_hunt.cli.parts import library_of, opened_ledger
from aibr_hunt.cli.settings import Chosen, Settings
from aibr_hunt.content.shipped import shipped_root


@click.command("demo", epilog="Example: aibr-hunt demo --out ./demo-report")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("aibr-hunt-demo"),
    show_default=True,
    help="Folder for the report.",
)
@click.pass_obj
def command(settings: Settings, *, out: Path) -> int:
    """Run all built-in rules over bundled synthetic logs of three clouds, print the leads, and write the report.

    The logs are made up and marked so. The ledger of the demo lies in a temporary folder unless the option --home names one.
    """
    from aibr_hunt.cli.reporting import write_report
    from aibr_hunt.cli.running import Wanted, run_corpus, tell_outcome
    from aibr_hunt.content.hunts import load_hunts
    from aibr_hunt.ledger import LeadFilter

    library = library_of(settings)
    logs = shipped_root() / "demo" / "logs"
    if not settings.chosen["home"].origin.startswith("option"):  # made-up leads never reach a ledger that is in use
        settings.chosen["home"] = Chosen(value=tempfile.mkdtemp(prefix="aibr-hunt-demo-"), origin="demo")
    wanted = Wanted(
        rules=("shipped:",), logs=(logs,), processes=settings.processes, label="all built-in rules over the synthetic logs of the demo"
    )
    corpus = library.load_rules(wanted.rules)
    hunts = load_hunts(library.folders("hunts"), catalogue=library.catalogue)
    with opened_ledger(settings) as ledger:
        outcome = run_corpus(settings, wanted, library, corpus, ledger)
        run_id = outcome.record.run.id
        leads = ledger.leads(LeadFilter(run_id=run_id))
        tell_outcome(settings, wanted, outcome, leads)
        paths = write_report(settings, library, ledger, (run_id,), folder=out, hunts=hunts)
        verified = ledger.verify()
    say(f"Evidence: {'clean' if verified.is_clean else 'NOT CLEAN'}, {counted(verified.records, 'record')}, head {verified.head[:16]}")
    for path in paths:
        say(f"Report: {path.resolve()}")
    say("These logs are synthetic. On your own: aibr-hunt run shipped:aws --logs PATH")
    return int(Exit.NOTHING_FOUND if leads and verified.is_clean else Exit.FAILURE)
