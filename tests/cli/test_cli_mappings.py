"""`mappings refresh`: a newer release from a file, what it changes, and a folder that can be used at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.content import bundles
from tests.cli.conftest import Aibr
from tests.cli.samples import rule_text, write_rules
from tests.unit.release_samples import ATLAS_6, attack_objects, old_atlas, old_attack, old_studies, write_stix


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A content folder with small catalogues and a rule of its own."""
    folder = tmp_path / "mine"
    (folder / "mappings").mkdir(parents=True)
    for name, document in (("attack", old_attack()), ("atlas", old_atlas()), ("case_studies", old_studies())):
        (folder / "mappings" / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    write_rules(folder / "rules", {"mine.yml": rule_text(77) + "tags: [attack.t1001, attack.first, atlas.aml.t0001]\n"})
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "ATLAS-2026.12.yaml"
    path.write_text(ATLAS_6, encoding="utf-8")
    return path


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_release_of_atlas_is_written_with_its_case_studies(aibr: Aibr, mine: Path, release: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    said = aibr("--content", mine, "mappings", "refresh", "--atlas", release, "--out", out)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "ATLAS 2026.09 to 2026.12"
    assert "new      AML.T0003 Three" in lines
    assert "retired  AML.T0002 Two -> nothing: name its successor by hand if there is one" in lines
    assert sorted(path.name for path in out.iterdir()) == ["atlas.json", "attack.json", "case_studies.json"]
    assert loaded(out / "atlas.json")["version"] == loaded(out / "case_studies.json")["version"] == "2026.12"
    assert loaded(out / "attack.json") == loaded(mine / "mappings" / "attack.json")
    assert "Prose" not in (out / "atlas.json").read_text(encoding="utf-8") + (out / "case_studies.json").read_text(encoding="utf-8")
    provenance = loaded(out / "atlas.json")["provenance"][0]
    assert "read from ATLAS-2026.12.yaml (SHA-256 " in provenance


def test_the_new_folder_is_used_when_it_is_laid_into_content(aibr: Aibr, mine: Path, release: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    aibr("--content", mine, "mappings", "refresh", "--atlas", release, "--out", newer / "mappings")
    write_rules(newer / "rules", {"b.yml": rule_text(78) + "tags: [atlas.aml.t0003]\n"})
    said = aibr("--content", newer, "rules", "list", newer / "rules", "--json")
    assert (said.code, said.rows[0]["tags"]) == (0, ["atlas.aml.t0003"])
    again = aibr("--content", newer, "mappings", "refresh", "--atlas", release, "--out", tmp_path / "again", "--json")
    (row,) = again.rows
    assert (row["new"], row["renamed"], row["retired"], row["before"]) == ([], [], [], "2026.12")


def test_without_its_library_a_bundle_is_refused_and_nothing_is_written(
    aibr: Aibr, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mitreattack", None)
    monkeypatch.setitem(sys.modules, "mitreattack.stix20", None)
    said = aibr("--content", mine, "mappings", "refresh", "--attack", write_stix(tmp_path / "b.json"), "--out", tmp_path / "new")
    assert (said.code, "pip install 'aibr_hunt[attack]'" in said.err, (tmp_path / "new").exists()) == (2, True, False)


def test_a_release_of_attack_is_written_and_touched_rules_are_named(
    aibr: Aibr, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library of its owner is an extra: what it hands over is given here as plain objects, read by our own code from there on."""

    def read(path: Path, *, version: str = "") -> bundles.Bundle:
        return bundles.attack_bundle(attack_objects(), path=path, version=version)

    monkeypatch.setattr(bundles, "read_attack_bundle", read)
    out = tmp_path / "new"
    path = write_stix(tmp_path / "enterprise-attack.json")
    (row,) = aibr("--content", mine, "mappings", "refresh", "--attack", path, "--out", out, "--json").rows
    assert (row["before"], row["after"], row["new"]) == ("19.1", "20.0", [{"id": "T1006", "name": "New"}])
    assert [each["id"] for each in row["retired"]] == ["T1001", "T1002", "T1005"]
    touched = {each["rule"]: each["tags"] for each in row["touched_rules"]}
    assert touched["rule_77"] == ["attack.t1001"]
    # ATLAS follows: its relation to a technique that ATT&CK gave up names the successor.
    assert {each["id"]: each.get("attack") for each in loaded(out / "atlas.json")["techniques"]}["AML.T0001"] == "T1003"
    assert aibr("--content", mine, "mappings", "refresh", "--attack", path, "--out", out).out.splitlines()[0] == "ATT&CK 19.1 to 20.0"


@pytest.mark.parametrize("words", [(), ("--attack", "x", "--atlas", "y")])
def test_exactly_one_release_is_read(aibr: Aibr, tmp_path: Path, words: tuple[str, ...]) -> None:
    for name in ("x", "y"):
        Path(name).write_text("{}", encoding="utf-8")
    said = aibr("mappings", "refresh", *words, "--out", tmp_path / "new")
    assert (said.code, "It is not clear which release to read" in said.err) == (2, True)


def test_a_release_that_contradicts_itself_is_not_written(aibr: Aibr, mine: Path, tmp_path: Path) -> None:
    broken = tmp_path / "ATLAS.yaml"
    broken.write_text(
        ATLAS_6.replace("target: AML.TA0001, relationship-type: achieves", "target: AML.TA0099, relationship-type: achieves"),
        encoding="utf-8",
    )
    said = aibr("--content", mine, "mappings", "refresh", "--atlas", broken, "--out", tmp_path / "new")
    assert (said.code, "contradicts itself" in said.err, (tmp_path / "new").exists()) == (2, True, False)


def test_a_place_that_cannot_be_written_is_named(aibr: Aibr, mine: Path, release: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    said = aibr("--content", mine, "mappings", "refresh", "--atlas", release, "--out", tmp_path / "file" / "new")
    assert (said.code, "cannot be written" in said.err) == (2, True)
