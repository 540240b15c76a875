"""Newer releases of ATT&CK and ATLAS: read from a file, kept without descriptions, and compared with what is in force."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.content.bundles import Bundle, attack_bundle, read_atlas_bundle, read_attack_bundle
from aibr_hunt.content.case_studies import load_case_studies
from aibr_hunt.content.catalogue import load_catalogue
from aibr_hunt.content.refresh import Gone, Renamed, changes_between, refreshed, refreshed_studies, text_of
from aibr_hunt.errors import ContentError, UsageError
from tests.unit.release_samples import ATLAS_5, ATLAS_6, attack_objects, old_atlas, old_attack, old_studies, write_stix

HERE = Path("bundle.json")
BROKEN_OBJECT = '{"type": "bundle", "id": "x", "objects": [{"type": "attack-pattern", "id": "no id at all"}]}'


def attack() -> Bundle:
    return attack_bundle(attack_objects(), path=HERE)


def atlas(folder: Path, text: str = ATLAS_6, **more: Any) -> Bundle:
    path = folder / "ATLAS.yaml"
    path.write_text(text, encoding="utf-8")
    return read_atlas_bundle(path, **more)


def rows(document: dict[str, Any], key: str = "techniques") -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in document[key]}


# --- reading ATT&CK ----------------------------------------------------------------------------------------------------------------


def test_a_release_of_attack_is_read_from_its_objects() -> None:
    found = attack()
    assert (found.version, [each.tag for each in found.tactics]) == ("20.0", ["second-new", "first"])
    assert [each.id for each in found.techniques] == ["T1003", "T1003.001", "T1004", "T1006"]
    assert found.techniques[0].tactics == ("TA0001", "TA0002")
    assert found.techniques[0].cloud == ("IaaS", "SaaS")
    assert found.retired == {"T1001": ("Given Up", "T1002"), "T1002": ("Given Up Too", "T1003"), "T1005": ("Withdrawn", "")}


def test_a_version_can_be_given_and_must_be_known() -> None:
    assert attack_bundle(attack_objects(), path=HERE, version="20.1").version == "20.1"
    with pytest.raises(ContentError, match="does not say its version"):
        attack_bundle(attack_objects(version=""), path=HERE)


def test_an_extract_without_techniques_is_refused() -> None:
    with pytest.raises(ContentError, match="holds no tactics or no techniques"):
        attack_bundle([each for each in attack_objects() if each["type"] != "attack-pattern"], path=HERE)


def test_without_its_library_a_bundle_is_refused_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mitreattack", None)
    monkeypatch.setitem(sys.modules, "mitreattack.stix20", None)
    with pytest.raises(UsageError, match=r"pip install 'aibr_hunt\[attack\]'"):
        read_attack_bundle(write_stix(tmp_path / "bundle.json"))


@pytest.mark.filterwarnings("ignore")  # what the library and its own dependencies warn of is theirs
def test_a_bundle_is_read_through_the_library_of_its_owner(tmp_path: Path) -> None:
    pytest.importorskip("mitreattack.stix20", reason="mitreattack-python is an extra", exc_type=ImportError)
    assert read_attack_bundle(write_stix(tmp_path / "bundle.json")) == attack()


@pytest.mark.filterwarnings("ignore")  # as above
@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"type": "bundle"}', '{"type": "bundle", "objects": [1]}', BROKEN_OBJECT])
def test_what_is_no_bundle_is_refused_by_name(tmp_path: Path, text: str) -> None:
    pytest.importorskip("mitreattack.stix20", reason="mitreattack-python is an extra", exc_type=ImportError)
    path = tmp_path / "bundle.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        read_attack_bundle(path)
    assert caught.value.path == path


# --- reading ATLAS -----------------------------------------------------------------------------------------------------------------


def test_a_release_of_atlas_is_read_in_format_6(tmp_path: Path) -> None:
    found = atlas(tmp_path)
    assert (found.version, [each.tag for each in found.tactics]) == ("2026.12", ["reconnaissance", "ai-attack-adaptation"])
    assert [(each.id, each.tactics, each.attack) for each in found.techniques] == [
        ("AML.T0001", ("AML.TA0002",), None),
        ("AML.T0001.000", ("AML.TA0001",), None),
        ("AML.T0003", ("AML.TA0001",), None),
    ]
    (study,) = found.studies
    assert (study.kind, study.date, study.granularity) == ("incident", "2026-05-01", "month")
    assert study.steps == (("AML.TA0001", "AML.T0003"), ("AML.TA0002", "AML.T0009"))


def test_a_release_of_atlas_is_read_in_the_format_before(tmp_path: Path) -> None:
    found = atlas(tmp_path, ATLAS_5)
    assert found.version == "5.7.0"
    assert [(each.id, each.tactics, each.attack) for each in found.techniques] == [
        ("AML.T0001", ("AML.TA0002",), "T1003"),
        ("AML.T0001.000", ("AML.TA0002",), None),
    ]
    (study,) = found.studies
    assert (study.kind, study.date, study.granularity) == ("exercise", "2020-01-01", "year")


def test_json_of_a_release_says_the_same_as_its_yaml(tmp_path: Path) -> None:
    import yaml

    assert atlas(tmp_path, json.dumps(yaml.safe_load(ATLAS_6))) == atlas(tmp_path, ATLAS_6)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- a\n", "no release of ATLAS"),
        ("a: 1\n", "lacks a part: 'matrices'"),
        ("matrices: []\nversion: 5.7.0\n", "holds no tactics"),
        ("techniques: {AML.T0001: {name: x}}\n", "lacks a part"),
        ('{"a": ', "no JSON"),
        (ATLAS_6.replace("version: '2026.12'", "x: y"), "does not say its version"),
    ],
)
def test_what_is_no_release_of_atlas_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ContentError, match=what) as caught:
        atlas(tmp_path, text)
    assert caught.value.path == tmp_path / "ATLAS.yaml"


# --- what is kept ------------------------------------------------------------------------------------------------------------------


def test_a_refreshed_catalogue_loads_and_holds_no_prose(tmp_path: Path) -> None:
    text = text_of(refreshed(attack(), old_attack(), source="Read from a test."))
    (tmp_path / "attack.json").write_text(text, encoding="utf-8")
    (tmp_path / "atlas.json").write_text(text_of(refreshed(atlas(tmp_path), old_atlas(), source="x", attack_now={})), encoding="utf-8")
    catalogue = load_catalogue(tmp_path)
    assert catalogue.versions == {"attack": "20.0", "atlas": "2026.12"}
    assert "Prose" not in text
    assert "reproduced and distributed with the permission" in text
    assert json.loads(text)["provenance"][0] == "Read from a test."


def test_a_chain_of_successors_ends_at_an_active_technique() -> None:
    retired = rows(refreshed(attack(), old_attack(), source="x"), "retired")
    assert retired["T1001"] == {"id": "T1001", "name": "Given Up", "successors": ["T1003"], "since": "20.0"}
    assert retired["T0900"] == {"id": "T0900", "name": "Long Gone", "successors": ["T1003"], "since": "17.0"}
    assert retired["T1005"] == {"id": "T1005", "name": "Withdrawn", "since": "20.0"}


def test_a_chain_that_bites_its_tail_ends(tmp_path: Path) -> None:
    old = old_atlas()
    old["retired"] = [
        {"id": "AML.T0008", "name": "a", "successors": ["AML.T0009"]},
        {"id": "AML.T0009", "name": "b", "successors": ["AML.T0008"]},
    ]
    retired = rows(refreshed(atlas(tmp_path), old, source="x", attack_now={}), "retired")
    assert ("successors" in retired["AML.T0008"], "successors" in retired["AML.T0009"]) == (False, False)


def test_a_tactic_that_goes_on_under_another_name_is_the_successor() -> None:
    found = refreshed(attack(), old_attack(), source="x")["retired_tactics"]
    assert found == [
        {"tag": "oldest", "id": "TA0002", "since": "18.0", "successors": ["second-new"]},
        {"tag": "second", "id": "TA0002", "since": "20.0", "successors": ["second-new"]},
    ]


def test_a_technique_that_a_release_of_atlas_no_longer_has_is_retired_without_a_successor(tmp_path: Path) -> None:
    retired = rows(refreshed(atlas(tmp_path), old_atlas(), source="x", attack_now={}), "retired")
    assert retired["AML.T0002"] == {"id": "AML.T0002", "name": "Two", "since": "2026.12"}


def test_a_relation_to_attack_is_kept_and_follows_its_successor(tmp_path: Path) -> None:
    now = {"T1001": "T1003", "T1003": "T1003"}
    found = rows(refreshed(atlas(tmp_path), old_atlas(), source="x", attack_now=now))
    assert found["AML.T0001"] == {"id": "AML.T0001", "name": "One", "tactics": ["AML.TA0002"], "attack": "T1003"}
    assert "attack" not in rows(refreshed(atlas(tmp_path), old_atlas(), source="x", attack_now={}))["AML.T0001"]


def test_a_step_that_names_a_retired_technique_names_its_successor(tmp_path: Path) -> None:
    bundle = atlas(tmp_path)
    catalogue = refreshed(bundle, old_atlas(), source="x", attack_now={})
    (tmp_path / "atlas.json").write_text(text_of(catalogue), encoding="utf-8")
    (tmp_path / "attack.json").write_text(text_of(refreshed(attack(), old_attack(), source="x")), encoding="utf-8")
    text = text_of(refreshed_studies(bundle, old_studies(), catalogue, source="x"))
    (tmp_path / "case_studies.json").write_text(text, encoding="utf-8")
    (study,) = load_case_studies([tmp_path], load_catalogue(tmp_path)).studies
    assert ([each.id for each in study.techniques], study.lost, study.date) == (["AML.T0003", "AML.T0001"], (), "2026-05")
    assert json.loads(text)["case_studies"][0]["steps"][1]["was"] == "AML.T0009"
    assert "Prose" not in text


def test_a_release_read_again_changes_nothing(tmp_path: Path) -> None:
    once = refreshed(attack(), old_attack(), source="x")
    twice = refreshed(attack(), once, source="x")
    changes = changes_between(once, twice)
    assert {key: value for key, value in twice.items() if key != "provenance"} == {
        key: value for key, value in once.items() if key != "provenance"
    }
    assert (changes.added, changes.renamed, changes.moved, changes.retired, changes.lost_tactics) == ((), (), (), (), ())
    assert atlas(tmp_path) == atlas(tmp_path)


def test_a_technique_that_comes_back_is_retired_no_more() -> None:
    old = old_attack()
    old["retired"].append({"id": "T1006", "name": "Was Gone", "successors": ["T1003"]})
    found = refreshed(attack(), old, source="x")
    assert "T1006" not in rows(found, "retired")
    assert "T1006" in rows(found)


# --- what changed ------------------------------------------------------------------------------------------------------------------


def test_what_changed_is_named_each_by_its_kind() -> None:
    old = old_attack()
    changes = changes_between(old, refreshed(attack(), old, source="x"))
    assert (changes.framework, changes.before, changes.after) == ("attack", "19.1", "20.0")
    assert changes.added == (("T1006", "New"),)
    assert changes.renamed == (Renamed(id="T1004", before="Had This Name", after="Has Another Name"),)
    assert changes.moved == (Renamed(id="T1003", before="TA0001", after="TA0001 TA0002"),)
    assert changes.retired == (
        Gone(id="T1001", name="Given Up", successors=("T1003",)),
        Gone(id="T1002", name="Given Up Too", successors=("T1003",)),
        Gone(id="T1005", name="Withdrawn", successors=()),
    )
    assert changes.lost_tactics == ("second",)
    assert changes.touched_tags == {"attack.t1001", "attack.t1002", "attack.t1003", "attack.t1004", "attack.t1005", "attack.second"}


def test_the_files_text_has_a_row_a_line() -> None:
    text = text_of(refreshed(attack(), old_attack(), source="x"))
    assert text.count('\n  {"id": "T1') == 4 + 3
    assert text.endswith("}\n")
