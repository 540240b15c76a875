"""The root command: global options, and the groups by name."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from aibr_hunt import __version__
from aibr_hunt.cli.groups import NearestGroup
from aibr_hunt.cli.output import leave_quietly
from aibr_hunt.cli.settings import LOG_LEVELS, Settings

_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("demo", "Run the main job on bundled synthetic logs, and write a report."),
    "init": ("init", "Lay out a repository of your own rules, hunts and mappings."),
    "rules": ("rules", "List, show, check, test, start, match and migrate rules."),
    "run": ("run", "Run rules over log files and record leads."),
    "hunt": ("hunt", "List, show and run hunts: hypotheses with what speaks for and against them."),
    "sweep": ("sweep", "Run a standing set of rules, and show what it has covered."),
    "sources": ("sources", "List the configured Sources in clouds."),
    "doctor": ("doctor", "What the configured Sources show, and what no rule can see there."),
    "logs": ("logs", "Keep logs in the lake: add, ask in SQL, merge, drop."),
    "leads": ("leads", "List, show, triage and export leads."),
    "evidence": ("evidence", "Verify the evidence record."),
    "ledger": ("ledger", "Status, backup and upgrade of the ledger."),
    "report": ("report", "Write the report of a run as HTML, Markdown and JSON."),
    "coverage": ("coverage", "What was looked at, and which techniques and case studies the rules can show."),
    "mappings": ("mappings", "Refresh the catalogues of techniques from a file of yours."),
    "engines": ("engines", "What each engine can say of a rule, and where each log source lies there."),
    "config": ("config", "Show every setting and where it came from."),
    "completion": ("completion", "Print the completion script of your shell."),
}


class LazyGroup(NearestGroup):
    """A group whose commands are imported when they are needed: help and errors stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the command names in the order of work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return a command by name, imported now; None when there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"aibr_hunt.cli.{_COMMANDS[cmd_name][0]}")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a reader of its output that goes away (`| head`) ends it quietly."""
        try:
            code: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            return leave_quietly()
        return code

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the commands from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


def _say_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    """Print the version, and the one of the parser: the two lines of pySigma read a few rules differently."""
    if value and not ctx.resilient_parsing:
        click.echo(f"{__version__} (pySigma {importlib.metadata.version('pysigma')})")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: aibr-hunt run shipped:aws --logs ./cloudtrail/ --out leads.jsonl",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_say_version, help="Show the version and exit.")
@click.option(
    "--home", type=click.Path(path_type=Path), help="Folder of the ledger, evidence included (default: the platform's data folder)."
)
@click.option(
    "--content",
    "content",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder of your own with rules/, hunts/, mappings/ (repeatable).",
)
@click.option("--tz", help="Time zone for display only, such as Europe/Vienna (default: UTC).")
@click.option("--log-level", type=click.Choice(LOG_LEVELS), help="How much is told on standard error (default: warning).")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, content: tuple[Path, ...], tz: str | None, log_level: str | None) -> None:
    """Hunt for breaches of AI systems in cloud logs.

    Sigma rules find events, leads keep the evidence, and the report also says what was not seen.
    """
    ctx.obj = Settings.load(
        {"home": home, "content": [str(folder) for folder in content] or None, "tz": tz, "log_level": log_level}, here=Path.cwd()
    )
