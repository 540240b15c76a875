"""Settings: an option before a variable before ./aibr-hunt.toml before the user's file; a wrong one is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aibr_hunt.cli.settings import SETTINGS
from tests.cli.conftest import Aibr
from tests.cli.samples import write_rules


def user_file(tmp_path: Path, text: str) -> None:
    write_rules(tmp_path / "config" / "aibr-hunt", {"config.toml": text})


def own_file(text: str) -> None:
    Path("aibr-hunt.toml").write_text(text, encoding="utf-8")


def chosen(aibr: Aibr, name: str, *options: str) -> tuple[object, str]:
    row = next(row for row in aibr(*options, "config", "show", "--json").rows if row["name"] == name)
    return row["value"], row["origin"]


def test_the_nearest_word_wins(aibr: Aibr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(aibr, "tz") == ("UTC", "default")
    user_file(tmp_path, 'tz = "Europe/Vienna"')
    assert chosen(aibr, "tz") == ("Europe/Vienna", str(tmp_path / "config" / "aibr-hunt" / "config.toml"))
    own_file('tz = "Asia/Tokyo"')
    assert chosen(aibr, "tz") == ("Asia/Tokyo", str(Path.cwd() / "aibr-hunt.toml"))
    monkeypatch.setenv("AIBR_TZ", "America/Lima")
    assert chosen(aibr, "tz") == ("America/Lima", "variable AIBR_TZ")
    assert chosen(aibr, "tz", "--tz", "Africa/Cairo") == ("Africa/Cairo", "option --tz")


def test_every_setting_is_shown_with_its_origin_and_what_it_is(aibr: Aibr) -> None:
    assert [row["name"] for row in aibr("config", "show", "--json").rows] == list(SETTINGS)
    assert all(row["what"] and row["origin"] for row in aibr("config", "show", "--json").rows)
    lines = aibr("config", "show").out.splitlines()
    assert len(lines) == len(SETTINGS) + 1


def test_a_setting_of_a_file_is_in_force(aibr: Aibr, rules: Path, logs: Path) -> None:
    own_file('fail_on = "none"\nactor = "night shift"')
    assert aibr("run", rules, "--logs", logs).code == 0
    assert aibr("run", rules, "--logs", logs, "--fail-on", "findings").code == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('hoem = "x"', ["'hoem'", "Did you mean home?"]),
        ('zzzzzzzz = "x"', ["'zzzzzzzz'", "Known: home, "]),
        ('processes = "two"', ["processes", "'two'", "a whole number"]),
        ("processes = true", ["processes", "True", "a whole number"]),
        ("processes = -1", ["processes", "-1", "0 stands for one a core"]),
        ("content = 'x'", ["content", "a list of texts"]),
        ("tz = 1", ["tz", "a text"]),
        ('log_level = "loud"', ["log_level", "'loud'", "error, warning, info, debug"]),
        ('fail_on = "finding"', ["fail_on", "'finding'", "findings, incomplete"]),
        ("home = ", ["is no TOML"]),
        ("[home]\nx = 1", ["home", "a text"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_file_and_what_would_be_right(aibr: Aibr, text: str, expected: list[str]) -> None:
    own_file(text)
    said = aibr("config", "show")
    assert (said.code, said.out) == (2, "")
    assert [each for each in (str(Path.cwd() / "aibr-hunt.toml"), *expected) if each not in said.err] == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("AIBR_PROCESSES", "many", "0 stands for one a core"),
        ("AIBR_PROCESSES", "-2", "0 stands for one a core"),
        ("AIBR_LOG_LEVEL", "loud", "error, warning, info, debug"),
        ("AIBR_FAIL_ON", "everything", "findings, incomplete"),
    ],
)
def test_a_variable_of_the_wrong_kind_is_named(aibr: Aibr, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str) -> None:
    monkeypatch.setenv(name, value)
    said = aibr("config", "show")
    assert said.code == 2
    assert [each for each in (name, repr(value).strip("'"), expected) if each not in said.err] == []


def test_a_file_that_cannot_be_read_is_named(aibr: Aibr) -> None:
    Path("aibr-hunt.toml").write_bytes(b"home = '\xff'")
    said = aibr("config", "show")
    assert (said.code, "aibr-hunt.toml" in said.err) == (2, True)


def test_several_content_folders_come_from_one_variable(aibr: Aibr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIBR_CONTENT", f"{tmp_path}{os.pathsep}{Path.cwd()}")
    assert chosen(aibr, "content")[0] == [str(tmp_path), str(Path.cwd())]
    assert aibr("rules", "list", "shipped:aws/iam").code == 0
