"""`aibr-hunt config`: every setting and where it came from."""

from __future__ import annotations

import click

from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import Exit, say_json, say_table
from aibr_hunt.cli.parts import json_option
from aibr_hunt.cli.settings import Settings, Value, what_of


@click.group("config", cls=NearestGroup)
def command() -> None:
    """Show every setting and where it came from."""


@command.command("show", epilog="Example: aibr-hunt config show --json")
@json_option
@click.pass_obj
def show(settings: Settings, *, as_json: bool) -> int:
    """Print each setting, its value and its origin: option, AIBR_* variable, ./aibr-hunt.toml, the user's file, default."""
    if as_json:
        for name, chosen in settings.chosen.items():
            say_json({"name": name, "value": chosen.value, "origin": chosen.origin, "what": what_of(name)})
        return int(Exit.NOTHING_FOUND)
    rows = [(name, _shown(chosen.value), chosen.origin, what_of(name)) for name, chosen in settings.chosen.items()]
    say_table(("setting", "value", "from", "what it is"), rows, show_all=True)
    return int(Exit.NOTHING_FOUND)


def _shown(value: Value) -> str:
    return (" ".join(value) if isinstance(value, list) else str(value)) or "-"
