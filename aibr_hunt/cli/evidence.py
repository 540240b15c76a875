"""`aibr-hunt evidence`: verify the record, and take checkpoints of it."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, counted, say, say_json, say_verbatim
from aibr_hunt.cli.parts import json_option, opened_ledger
from aibr_hunt.cli.settings import Settings


@click.group("evidence", cls=NearestGroup)
def command() -> None:
    """Verify the evidence record."""


@command.command("verify", epilog="Example: aibr-hunt evidence verify --checkpoint kept-elsewhere.json")
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that was kept elsewhere: the record must still hold it.",
)
@json_option
@click.pass_obj
def verify(settings: Settings, checkpoint: Path | None, *, as_json: bool) -> int:
    """Check every record, row and raw event against the hash chain, and name what does not fit."""
    with opened_ledger(settings, create=False) as ledger:
        result = ledger.verify(checkpoint="" if checkpoint is None else checkpoint.read_text(encoding="utf-8"))
    if as_json:
        names = ("records", "runs", "leads", "sightings", "vault_objects", "rows", "head", "faults_left_out")
        faults = [{"where": fault.where, "what": fault.what} for fault in result.faults]
        say_json({"clean": result.is_clean, **{name: getattr(result, name) for name in names}, "faults": faults})
    else:
        for fault in result.faults:
            say(f"FAULT {fault.where}: {fault.what}")
        if result.faults_left_out:
            say(f"… and {result.faults_left_out} more")
        verdict = "clean" if result.is_clean else counted(len(result.faults) + result.faults_left_out, "fault")
        counts = ", ".join(
            counted(number, noun)
            for number, noun in (
                (result.records, "evidence record"),
                (result.runs, "run"),
                (result.leads, "lead"),
                (result.sightings, "sighting"),
                (result.vault_objects, "raw event"),
                (result.rows, "row"),
            )
        )
        say(f"{verdict}: {counts}; head {result.head[:16] or 'none'}")
    return int(Exit.NOTHING_FOUND if result.is_clean else Exit.FINDINGS)


@command.command("checkpoint", epilog="Example: aibr-hunt evidence checkpoint > kept-elsewhere.json")
@click.pass_obj
def checkpoint_of(settings: Settings) -> int:
    """Print the head of the chain as JSON, to be kept where the ledger's owner cannot change it."""
    with opened_ledger(settings, create=False) as ledger:
        say_verbatim(ledger.checkpoint())
    return int(Exit.NOTHING_FOUND)
