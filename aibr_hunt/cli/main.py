"""The root command: global options, and the groups by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from aibr_hunt import __version__
from aibr_hunt.cli.settings import Settings

_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("demo", "Run the main job on bundled synthetic logs, and write a report."),
    "init": ("init", "Lay out a repository of your own rules, hunts and mappings."),
    "rules": ("rules", "List, show, check, test, start and match rules."),
    "run": ("run", "Run rules over log files and record leads."),
    "hunt": ("hunt", "List, show and run hunts: hypotheses with what speaks for and against them."),
    "sweep": ("sweep", "Run a standing set of rules, and show what it has covered."),
    "leads": ("leads", "List, show, triage and export leads."),
    "evidence": ("evidence", "Verify the evidence record."),
    "ledger": ("ledger", "Status, backup and upgrade of the ledger."),
    "report": ("report", "Write the report of a run as HTML, Markdown and JSON."),
    "coverage": ("coverage", "What was looked at, for which rule, over which time."),
    "config": ("config", "Show every setting and where it came from."),
    "completion": ("completion", "Print the completion script of your shell."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed: help and errors stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, imported now; None when there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"aibr_hunt.cli.{_COMMANDS[cmd_name][0]}")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: aibr-hunt run shipped:aws --logs ./cloudtrail/ --out leads.jsonl",
)
@click.version_option(__version__, "--version", message="%(version)s", callback=None)
@click.option("--home", type=click.Path(path_type=Path), help="Folder of ledger, vault and cache (default: the platform's data folder).")
@click.option(
    "--content",
    "content",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder of your own with rules/, hunts/, mappings/ (repeatable).",
)
@click.option("--tz", help="Time zone for display only, such as Europe/Vienna (default: UTC).")
@click.option("--log-level", type=click.Choice(("error", "warning", "info", "debug")), help="How much is told on standard error.")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, content: tuple[Path, ...], tz: str | None, log_level: str | None) -> None:
    """Hunt for breaches of AI systems in cloud logs.

    Sigma rules find events, leads keep the evidence, and the report also says what was not seen.
    """
    ctx.obj = Settings.load(
        {"home": home, "content": [str(folder) for folder in content] or None, "tz": tz, "log_level": log_level}, here=Path.cwd()
    )
