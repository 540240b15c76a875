"""Pages speak of commands that exist, and every command is spoken of."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from aibr_hunt.cli.main import cli
from aibr_hunt.cli.settings import SETTINGS
from aibr_hunt.cli.skeletons import CI
from aibr_hunt.cli.skeletons import README as OWN_README

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "demo").glob("*.md")))
# Commands that a later version brings: named in the normative pages, which say so.
LATER: set[str] = set()
_SPAN = re.compile(r"`(aibr-hunt(?: [^`]+)?)`")
_LINE = re.compile(r"^\s*(?:\$ |> )?(?:\.venv/bin/)?(aibr-hunt .*?)(?:\s+#.*)?$", re.MULTILINE)
_FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(group: click.Group = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


LEAVES = list(commands())


def examples_of(text: str) -> Iterator[str]:
    """Yield every command of ours in a Markdown text: in code spans, and at the start of lines of code blocks."""
    blocks = _FENCE.findall(text)
    yield from _SPAN.findall(_FENCE.sub("", text))
    for block in blocks:
        yield from _LINE.findall(block.replace("\\\n", " "))


def words_of(example: str) -> list[str]:
    """Return the words of a command, up to a pipe, a redirection or the next command."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|&;><")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;><"):
            break
        words.append(word)
    return words


def check(words: list[str], group: click.Group = cli) -> None:
    """Parse the words as click does, without running anything.

    Raises:
        click.ClickException: The words are no such command.
    """
    if not words[1:]:
        return  # the name of a group
    with contextlib.suppress(click.exceptions.Exit), group.make_context(words[0], words[1:]) as context:
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        assert name is not None
        assert command is not None
        if isinstance(command, click.Group):
            check([name, *rest], command)
        elif rest or name == words[-1]:
            command.make_context(name, list(rest)).close()


@pytest.fixture(autouse=True)
def _paths_need_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages name files that are the reader's."""
    monkeypatch.setattr(click.Path, "convert", lambda _self, value, _param, _ctx: value)


def mentioned() -> list[tuple[str, str]]:
    found = [(page.relative_to(ROOT).as_posix(), example) for page in PAGES for example in examples_of(page.read_text(encoding="utf-8"))]
    found += [("README of init", example) for example in examples_of(OWN_README)]
    found += [("workflow of init", line.strip().removeprefix("- run: ")) for line in CI.splitlines() if "- run: aibr-hunt" in line]
    found += [("help of " + " ".join(words), (command.epilog or "").removeprefix("Example: ")) for words, command in LEAVES]
    return [(place, example) for place, example in found if not {*example.split()[1:2]} & LATER and "…" not in example]


MENTIONED = mentioned()


@pytest.mark.parametrize(("place", "example"), MENTIONED, ids=[f"{place}: {example}" for place, example in MENTIONED])
def test_every_command_that_is_shown_can_be_typed(place: str, example: str) -> None:
    body = re.sub(r"^\w+ \"\$\((.*)\)\"$", r"\1", example)  # eval "$(aibr-hunt completion bash)"
    words = words_of(body)
    assert words[0] == "aibr-hunt", place
    check(words)


def test_commands_that_do_not_exist_are_noticed() -> None:
    """Without this the test above could pass for the wrong reason."""
    for wrong in (
        "nothing",
        "rules nothing",
        "run shipped:aws --lgs x",
        "leads triage L-1 maybe",
        "run --lake",
        "report --format pdf",
    ):
        with pytest.raises(click.ClickException):
            check(["aibr-hunt", *wrong.split()])


@pytest.mark.parametrize("words", [words for words, _ in LEAVES], ids=" ".join)
def test_every_command_stands_on_some_page(words: tuple[str, ...]) -> None:
    """In full (`aibr-hunt leads triage`), or in a list that names its group once (`leads list|show|triage|export`)."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    group, _, name = " ".join(words).partition(" ")
    listed = [line.split("|") for line in re.findall(rf"\b{group} ([a-z]+(?:\\?\|[a-z]+)+)", text)]
    in_list = any(name in [each.strip("\\ ") for each in names] for names in listed)
    assert re.search(rf"(?:aibr-hunt |`){' '.join(words)}\b", text) or (name and in_list)


def test_every_setting_stands_on_some_page() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in SETTINGS if f"AIBR_{name.upper()}" not in text and f"`{name}`" not in text] == []


def test_every_built_in_name_that_pages_use_exists() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    places = [ROOT / "rules", ROOT / "hunts", ROOT / "hunts" / "sweeps"]
    names = set(re.findall(r"shipped:([a-z0-9_/]+)", text))
    assert [name for name in names if not any((place / name).exists() or (place / f"{name}.yml").exists() for place in places)] == []
