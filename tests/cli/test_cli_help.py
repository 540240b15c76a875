"""Help: every command shows an example, and none loads a library to say it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from aibr_hunt import __version__
from aibr_hunt.cli.main import cli
from tests.cli.conftest import Aibr

HEAVY = ("duckdb", "hyperscan", "jinja2", "jsonschema", "matplotlib", "numpy", "re2", "rich", "sigma", "sqlalchemy")
ROOT = Path(__file__).resolve().parents[2]
# The commands whose names stay.
PROMISED = {
    *("demo", "init", "rules list", "rules show", "rules check", "rules test", "rules new", "rules match", "run"),
    *("rules compile", "rules explain", "engines"),
    *("hunt list", "hunt show", "hunt run", "hunt test", "hunt check", "sweep list", "sweep show", "sweep run", "sweep status"),
    *("leads list", "leads show", "leads triage", "leads export"),
    *("evidence verify", "ledger status", "ledger backup", "ledger upgrade", "report", "coverage", "config show", "completion"),
}


def commands(group: click.Group = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that call it; groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))


ALL = list(commands())
IDS = [" ".join(words) for words, _ in ALL]
LEAVES = [(words, command) for words, command in ALL if not isinstance(command, click.Group)]


def test_every_promised_command_is_there() -> None:
    assert sorted(PROMISED - set(IDS)) == []


@pytest.mark.parametrize(("words", "command"), ALL, ids=IDS)
def test_help_is_given_with_exit_code_0(aibr: Aibr, words: tuple[str, ...], command: click.Command) -> None:
    said = aibr(*words, "--help")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: aibr-hunt {' '.join(words)} ")
    assert command.help
    assert command.help.split("\n")[0].strip() in " ".join(said.out.split())


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=[" ".join(words) for words, _ in LEAVES])
def test_every_command_shows_an_example_of_itself(words: tuple[str, ...], command: click.Command) -> None:
    assert command.epilog is not None
    example = command.epilog.removeprefix("Example: ")
    assert example != command.epilog
    assert f"aibr-hunt {' '.join(words)}" in example


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=[" ".join(words) for words, _ in LEAVES])
def test_every_option_says_what_it_is_for(words: tuple[str, ...], command: click.Command) -> None:
    silent = [each.name for each in command.params if isinstance(each, click.Option) and not each.help]
    assert silent == [], words


def test_the_table_of_commands_says_what_each_says_of_itself() -> None:
    """The root's help imports no command, so it has its own short words for each: none may be missing or empty."""
    context = click.Context(cli)
    formatter = click.HelpFormatter(width=200)
    cli.format_commands(context, formatter)
    shown = formatter.getvalue()
    for name in cli.list_commands(context):
        assert any(line.split()[:1] == [name] and len(line.split()) > 3 for line in shown.splitlines()), name


def test_no_help_loads_a_heavy_library() -> None:
    """One fresh interpreter asks every command for help; the rule is about what is loaded, which is what costs the time."""
    code = """
import contextlib, io, json, sys
from aibr_hunt.cli.main import cli
from aibr_hunt.cli.output import run_guarded
loaded = {}
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_guarded(cli, [*words, "--help"]) == 0
    for name in json.loads(sys.argv[2]):
        if name in sys.modules:
            loaded.setdefault(name, " ".join(words))
print(json.dumps(loaded))
"""
    asked = [[], *(list(words) for words, _ in ALL)]
    shown = subprocess.run(
        [sys.executable, "-c", code, json.dumps(asked), json.dumps(HEAVY)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == {}


def test_the_version_names_the_parser_s_line_too(aibr: Aibr) -> None:
    said = aibr("--version")
    assert said.code == 0
    assert said.out.startswith(f"{__version__} (pySigma ")


@pytest.mark.parametrize("words", [(), ("rules",), ("ledger",)], ids=["nothing", "rules", "ledger"])
def test_a_group_without_a_command_shows_its_help_and_ends_with_2(aibr: Aibr, words: tuple[str, ...]) -> None:
    said = aibr(*words)
    assert said.code == 2
    assert "Commands:" in said.out + said.err


@pytest.mark.parametrize(
    "words", [("ruls",), ("rules", "lst"), ("run",), ("run", "shipped:aws", "--lgs", "x"), ("leads", "triage", "L-1", "maybe")]
)
def test_a_wrong_word_is_the_user_s_mistake_and_named(aibr: Aibr, words: tuple[str, ...]) -> None:
    said = aibr(*words)
    assert (said.code, said.out) == (2, "")
    assert "Error: " in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_gives_a_script_for_the_shell(aibr: Aibr, shell: str) -> None:
    said = aibr("completion", shell)
    assert said.code == 0
    assert "_AIBR_HUNT_COMPLETE" in said.out
    assert len(said.out.splitlines()) > 5


def test_completion_completes() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "aibr_hunt"],
        env={"_AIBR_HUNT_COMPLETE": "bash_complete", "COMP_WORDS": "aibr-hunt le", "COMP_CWORD": "1", "PATH": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line.partition(",")[2] for line in shown.stdout.splitlines()] == ["leads", "ledger"]


def test_examples_are_one_line_that_a_shell_can_read() -> None:
    for words, command in LEAVES:
        assert shlex.split((command.epilog or "").removeprefix("Example: ")), words


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("rnu",), "Did you mean 'run'?"),
        (("rules", "lst"), "Did you mean 'list'?"),
        (("leads", "list", "--since", "2026-01-01"), "Did you mean --from?"),
        (("leads", "list", "--until", "2026-01-01"), "Did you mean --to?"),
        (("rules", "show", "aws_bedrock_model_prob"), "Did you mean aws_bedrock_model_probe?"),
        (("rules", "show", "shipped:asw"), "Did you mean shipped:aws?"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(aibr: Aibr, words: tuple[str, ...], near: str) -> None:
    said = aibr(*words)
    assert (said.code, said.out) == (2, "")
    assert near in said.err


@pytest.mark.parametrize("name", ["aws_bedrock_model_probe", "shipped:aws_bedrock_model_probe"])
def test_a_rule_is_found_by_the_name_that_lists_print(aibr: Aibr, name: str) -> None:
    said = aibr("rules", "show", name)
    assert (said.code, said.out.split(":")[0]) == (0, "aws_bedrock_model_probe")
