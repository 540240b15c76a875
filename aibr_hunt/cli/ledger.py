"""`aibr-hunt ledger`: status, backup and upgrade."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, say, say_json
from aibr_hunt.cli.parts import actor_of, json_option, opened_ledger
from aibr_hunt.cli.settings import Settings


@click.group("ledger", cls=NearestGroup)
def command() -> None:
    """Status, backup and upgrade of the ledger."""


@command.command("status", epilog="Example: aibr-hunt ledger status --json")
@json_option
@click.pass_obj
def status(settings: Settings, *, as_json: bool) -> int:
    """Show where the ledger lies and what it holds."""
    with opened_ledger(settings, create=False) as ledger:
        found = ledger.status()
    names = [name for name in found.__slots__ if name != "path"]
    if as_json:
        say_json({"path": str(found.path), **{name: getattr(found, name) for name in names}})
        return int(Exit.NOTHING_FOUND)
    say(f"path                 {found.path}")
    for name in names:
        value = getattr(found, name)
        say(f"{name.replace('_', ' '):<21}{value:,}" if isinstance(value, int) else f"{name.replace('_', ' '):<21}{value or 'none'}")
    return int(Exit.NOTHING_FOUND)


@command.command("backup", epilog="Example: aibr-hunt ledger backup /mnt/evidence/ledger-2026-01-31.sqlite")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_obj
def backup(settings: Settings, target: Path) -> int:
    """Write a copy of ledger and raw events to TARGET while others may work, and a manifest beside it."""
    with opened_ledger(settings, create=False) as ledger:
        made = ledger.backup(target, actor=actor_of(settings))
    say(f"Backup: {made.path} ({made.size_bytes:,} bytes, sha256 {made.digest})")
    say(f"Manifest: {made.manifest}")
    return int(Exit.NOTHING_FOUND)


@command.command("upgrade", epilog="Example: aibr-hunt ledger upgrade")
@click.pass_obj
def upgrade(settings: Settings) -> int:
    """Bring an older ledger to this version's form; a backup is made first."""
    with opened_ledger(settings, create=False) as ledger:
        done = ledger.upgraded
        found = ledger.status()
    if done is None:
        say(f"The ledger has schema {found.schema} already.")
    else:
        say(f"Upgraded from schema {done.from_schema} to {done.to_schema}; the ledger as it was: {done.backup}")
        for step in done.steps:
            say(f"  {step}")
    return int(Exit.NOTHING_FOUND)
