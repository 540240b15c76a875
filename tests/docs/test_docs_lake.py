"""docs/lake.md: every example that shows what comes out gives just that, and the list of columns is that of the views."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import aibr_hunt
from aibr_hunt.cli.main import cli
from aibr_hunt.cli.output import run_guarded
from aibr_hunt.engines.lake.ask_lake import questions_on
from aibr_hunt.engines.lake.ask_rows import MOST_COMBINATIONS
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.views import COMMON
from tests.built_in import LIBRARY

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "lake.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(console|pycon)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what it prints."""
    for kind, block in _FENCE.findall(PAGE):
        if kind == "console":
            for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
                command, _, printed = part.partition("\n")
                yield command, printed


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_demo(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the page's reader a folder with the demo in it, and a lake of its own."""
    if not (home / "demo").exists():
        (home / "demo").symlink_to(ROOT / "demo", target_is_directory=True)
    monkeypatch.chdir(home)
    for name, value in {"HOME": home, "XDG_CONFIG_HOME": home, "AIBR_HOME": home / "kept", "AIBR_CACHE": home / "cache"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("AIBR_PROCESSES", "1")


def filled(home: Path) -> None:
    """Add the demo's logs, as the first example does, where another test has not yet."""
    if not (home / "kept" / "lake").exists():
        assert run_guarded(cli, ["logs", "add", "demo/logs"]) == 4


def test_the_page_has_examples_of_every_question() -> None:
    assert {shlex.split(command)[2] for command, _ in EXAMPLES} >= {"sql", "stack", "timeline", "show"}


def test_the_examples_print_what_the_page_says(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    filled(home)
    capfd.readouterr()
    for command, printed in EXAMPLES:
        words = shlex.split(command)
        assert words[0] == "aibr-hunt"
        run_guarded(cli, words[1:])
        out, err = capfd.readouterr()
        assert out + err == printed, command


def test_the_python_examples_print_what_the_page_says(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    filled(home)
    capfd.readouterr()
    blocks = [block for kind, block in _FENCE.findall(PAGE) if kind == "pycon"]
    assert blocks
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {"aibr_hunt": aibr_hunt}, "lake.md", "docs/lake.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    runner.run(test)
    out, _ = capfd.readouterr()
    assert runner.failures == 0, out


def test_the_columns_that_every_view_has_are_listed(home: Path) -> None:
    listed = re.findall(r"^\| `([a-z_]+)` \|", PAGE.partition("## What a view holds")[2].partition("\n## ")[0], re.MULTILINE)
    assert listed == list(COMMON)
    filled(home)
    views = questions_on(Lake.open(home / "kept" / "lake", mappings=LIBRARY.mappings), {}).views
    assert views["events"] == COMMON
    for view, columns in views.items():
        assert set(COMMON) <= set(columns), view


def test_every_field_of_a_mapping_is_a_column(home: Path) -> None:
    filled(home)
    views = questions_on(Lake.open(home / "kept" / "lake", mappings=LIBRARY.mappings), {}).views
    for mapping in LIBRARY.mappings:
        columns = {name.lower() for name in views[mapping.name]}
        assert [field.name for field in mapping.fields if field.name.lower() not in columns] == []


def test_the_limit_that_the_page_names_is_the_one_in_force() -> None:
    assert f"{MOST_COMBINATIONS:,} combinations" in PAGE
