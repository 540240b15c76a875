"""`aibr-hunt completion`: the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from aibr_hunt.cli.main import cli
from aibr_hunt.cli.output import Exit, say_verbatim


@click.command("completion", epilog='Example: eval "$(aibr-hunt completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script of your SHELL."""
    script = get_completion_class(shell)
    if script is not None:
        say_verbatim(script(cli, {}, "aibr-hunt", "_AIBR_HUNT_COMPLETE").source())
    return int(Exit.NOTHING_FOUND)
