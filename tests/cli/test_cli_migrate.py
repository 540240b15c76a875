"""`rules migrate`: a diff by default, changed files with --write, and what is left to a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import rule_text, write_rules

OLD = "tags: [attack.defense-evasion, attack.t1562.001]  # the tags\n"
NEW = "tags: [attack.defense-impairment, attack.t1685]  # the tags\n"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_rules(
        tmp_path / "old",
        {
            "a.yml": rule_text(1) + OLD,
            "b.yml": rule_text(2),
            "deep/c.yml": rule_text(3) + "tags: [attack.defense-evasion]\n",
            "a.tests.yaml": OLD,
        },
    )


def test_without_write_nothing_changes_and_a_diff_is_shown(aibr: Aibr, old: Path) -> None:
    before = {path: path.read_bytes() for path in old.rglob("*.y*ml")}
    said = aibr("rules", "migrate", old)
    assert said.code == 1
    assert f"--- {old / 'a.yml'}" in said.out
    assert f"-{OLD.strip()}" in said.out
    assert f"+{NEW.strip()}" in said.out
    assert f"{old / 'deep' / 'c.yml'}:10: attack.defense-evasion stays: the catalogue names several successors" in said.out
    assert said.out.splitlines()[-1] == "3 files: 2 tags to change in 1; 1 tag to decide by hand"
    assert {path: path.read_bytes() for path in old.rglob("*.y*ml")} == before


def test_write_changes_the_tags_and_nothing_else(aibr: Aibr, old: Path) -> None:
    said = aibr("rules", "migrate", old, "--write")
    assert (said.code, said.out.splitlines()[-1]) == (1, "3 files: 2 tags changed in 1; 1 tag to decide by hand")
    assert (old / "a.yml").read_text(encoding="utf-8") == rule_text(1) + NEW
    assert (old / "b.yml").read_text(encoding="utf-8") == rule_text(2)
    assert (old / "a.tests.yaml").read_text(encoding="utf-8") == OLD
    (old / "deep" / "c.yml").unlink()
    again = aibr("rules", "migrate", old, "--write")
    assert (again.code, again.out) == (0, "2 files: 0 tags changed in 0; 0 tags to decide by hand\n")
    checked = aibr("rules", "list", old / "a.yml", "--json")
    assert checked.rows[0]["tags"] == ["attack.defense-impairment", "attack.t1685"]


def test_machines_get_a_line_for_each_file(aibr: Aibr, old: Path) -> None:
    rows = aibr("rules", "migrate", old, "--json").rows
    assert [(Path(row["path"]).name, row["written"], len(row["changes"]), len(row["open"])) for row in rows] == [
        ("a.yml", False, 2, 0),
        ("c.yml", False, 0, 1),
    ]
    assert rows[0]["changes"][1] == {"line": 10, "old": "attack.t1562.001", "new": ["attack.t1685"]}
    assert rows[1]["open"][0]["candidates"] == ["attack.stealth", "attack.defense-impairment"]


def test_a_broken_file_is_named_and_the_others_are_migrated(aibr: Aibr, old: Path) -> None:
    (old / "broken.yml").write_text("tags: [\n", encoding="utf-8")
    (old / "latin.yml").write_bytes(b"title: \xff\n")
    said = aibr("rules", "migrate", old, "--write")
    assert (said.code, "broken.yml" in said.err, "latin.yml" in said.err) == (2, True, True)
    assert (old / "a.yml").read_text(encoding="utf-8") == rule_text(1) + NEW


def test_a_folder_without_rules_is_refused(aibr: Aibr, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = aibr("rules", "migrate", tmp_path / "empty")
    assert (said.code, "There is no rule or hunt in" in said.err) == (2, True)


def test_the_shipped_rules_and_hunts_are_up_to_date(aibr: Aibr) -> None:
    root = Path(__file__).resolve().parents[2]
    said = aibr("rules", "migrate", root / "rules", root / "hunts")
    assert (said.code, said.out.splitlines()[-1].split(": ", 1)[1]) == (0, "0 tags to change in 0; 0 tags to decide by hand")
