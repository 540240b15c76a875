"""The catalogues of techniques: what is shipped, how tags are read, and what becomes of retired ids."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.content.catalogue import FRAMEWORKS, Catalogue, load_catalogue, tag_of
from aibr_hunt.errors import ContentError

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MAPPINGS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies of the shipped catalogues, to be broken."""
    for framework in FRAMEWORKS:
        shutil.copy(MAPPINGS / f"{framework}.json", tmp_path)
    return tmp_path


def rewrite(folder: Path, framework: str, **parts: Any) -> None:
    path = folder / f"{framework}.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **parts}), encoding="utf-8")


# --- what is shipped ---------------------------------------------------------------------------------------------------------------


def test_the_catalogues_are_those_that_the_documents_promise(catalogue: Catalogue) -> None:
    assert catalogue.versions == {"attack": "19.1", "atlas": "2026.09"}
    counts = {framework: sum(found.framework == framework for found in catalogue.techniques.values()) for framework in FRAMEWORKS}
    assert counts == {"attack": 697, "atlas": 208}


def test_the_owners_notices_are_kept(catalogue: Catalogue) -> None:
    attack, atlas = catalogue.notices
    assert "reproduced and distributed with the permission of The MITRE Corporation" in attack
    assert "Apache License, Version 2.0" in atlas


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_rows_hold_facts_and_no_descriptions(framework: str) -> None:
    document = json.loads((MAPPINGS / f"{framework}.json").read_text(encoding="utf-8"))
    keys = {key for row in (*document["techniques"], *document["retired"], *document["tactics"]) for key in row}
    assert keys <= {"id", "name", "tag", "parent", "tactics", "cloud", "attack", "successors", "since"}
    assert document["provenance"]


def test_every_relation_of_atlas_leads_to_an_active_attack_technique(catalogue: Catalogue) -> None:
    assert catalogue.attack_relations["atlas.aml.t0012"] == "attack.t1078"
    assert [target for target in catalogue.attack_relations.values() if target not in catalogue.techniques] == []


def test_every_sub_technique_has_its_parent(catalogue: Catalogue) -> None:
    below = [found for found in catalogue.techniques.values() if found.id.count(".") > (found.framework == "atlas")]
    parents = {found.id: catalogue.parent(found) for found in below}
    assert len(below) > 500
    assert {id_: parent.id for id_, parent in parents.items() if parent} == {id_: id_.rsplit(".", 1)[0] for id_ in parents}


def test_a_technique_of_its_own_has_no_parent(catalogue: Catalogue) -> None:
    assert catalogue.parent(catalogue.technique("attack.t1078")) is None


def test_the_matrix_has_the_order_of_its_owner(catalogue: Catalogue) -> None:
    tags = [tactic.tag for tactic in catalogue.tactics_of("attack")]
    assert tags[:2] == ["reconnaissance", "resource-development"]
    assert tags[6:9] == ["stealth", "defense-impairment", "credential-access"]
    assert tags[-1] == "impact"
    assert [tactic.order for tactic in catalogue.tactics_of("atlas")] == list(range(1, 17))
    assert catalogue.tactics_of("atlas")[4].name == "AI Model Access"


def test_tags_and_techniques_name_each_other(catalogue: Catalogue) -> None:
    assert all(tag_of(found) == tag for tag, found in catalogue.techniques.items())


# --- how a tag is read -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["attack.t1078.004", "attack.T1078.004", "ATTACK.t1078.004"])
def test_a_tag_is_read_without_case(catalogue: Catalogue, tag: str) -> None:
    found = catalogue.technique(tag)
    assert (found.id, found.name, found.version) == ("T1078.004", "Cloud Accounts", "19.1")
    assert found.tactics == ("TA0001", "TA0003", "TA0004", "TA0005")


def test_a_tactic_is_read_by_name_and_by_id(catalogue: Catalogue) -> None:
    assert catalogue.tactic("attack.defense-impairment") == catalogue.tactic("attack.ta0112")
    assert catalogue.tactic("atlas.aml.ta0013") == catalogue.tactic("atlas.credential-access")
    assert catalogue.tactic("attack.t1078") is None


def test_techniques_of_a_rule_are_those_that_are_known_each_once(catalogue: Catalogue) -> None:
    found = catalogue.techniques_of(["attack.impact", "atlas.aml.t0024", "attack.t1562", "attack.t1078", "ATLAS.AML.T0024"])
    assert [technique.id for technique in found] == ["AML.T0024", "T1078"]


@pytest.mark.parametrize(
    ("tag", "what", "hint"),
    [
        ("attack.t1562.008", "is retired since version 19.0", "Write attack.t1685.002 (Disable or Modify Cloud Log)."),
        ("attack.t1089", "is retired in ATT&CK 19.1", "Write attack.t1685 (Disable or Modify Tools)."),
        ("attack.t1064", "attack.t1064 (Scripting) is retired", "Nothing took its place"),
        ("atlas.aml.t0019", "is retired since version 2026.07 in ATLAS 2026.09", "Write atlas.aml.t0115.000 (Datasets)."),
        ("attack.t1078.099", "is no technique of ATT&CK 19.1", "The catalogue knows attack.t1078 (Valid Accounts) and attack.t1078.001,"),
        ("atlas.aml.t0012.001", "is no technique of ATLAS 2026.09", "The catalogue knows atlas.aml.t0012 (Valid Accounts)."),
        ("attack.t9999", "is no technique of ATT&CK 19.1", ""),
    ],
)
def test_an_id_that_does_not_stand_is_refused_with_what_to_write(catalogue: Catalogue, tag: str, what: str, hint: str) -> None:
    with pytest.raises(ContentError) as refused:
        catalogue.technique(tag)
    assert what in refused.value.what
    assert refused.value.hint.startswith(hint)
    assert bool(refused.value.hint) == bool(hint)


# --- what is wrong with a rule's tags ----------------------------------------------------------------------------------------------


def faults_of(catalogue: Catalogue, *tags: str) -> list[tuple[str, str]]:
    return [(fault.tag, fault.hint) for fault in catalogue.check_tags(tags)]


@pytest.mark.parametrize(
    "tags",
    [
        ("attack.credential-access", "attack.t1552", "atlas.aml.t0055"),
        ("attack.persistence", "attack.privilege-escalation", "attack.t1098.001"),
        ("attack.TA0006", "attack.T1552"),
        ("atlas.credential-access", "atlas.aml.t0055"),
        ("attack.impact",),
        ("car.2013-01-002", "cve.2026-0001", "detection.emerging-threats", "tlp.green"),
        ("attack.g0001", "attack.s0154", "attack.c0001", "atlas.aml.m0005", "atlas.aml.cs0001"),
    ],
)
def test_tags_that_fit_are_left_alone(catalogue: Catalogue, tags: tuple[str, ...]) -> None:
    assert catalogue.check_tags(tags) == ()


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("attack.defense-evasion", "Write attack.stealth or attack.defense-impairment."),
        ("attack.defense_evasion", "Write attack.stealth or attack.defense-impairment."),
        ("attack.initial_access", "Did you mean attack.initial-access?"),
        ("atlas.ai-attack-staging", "Write atlas.ai-attack-adaptation."),
        ("attack.exfitration", "Did you mean attack.exfiltration?"),
        ("attack.nothing-like-it-at-all", ""),
    ],
)
def test_a_tactic_that_does_not_stand_names_its_successor_or_the_nearest(catalogue: Catalogue, tag: str, hint: str) -> None:
    assert faults_of(catalogue, tag) == [(tag, hint)]


def test_a_retired_technique_carries_the_technique_that_took_its_place(catalogue: Catalogue) -> None:
    (fault,) = catalogue.check_tags(["attack.t1562.001"])
    assert [successor.id for successor in fault.successors] == ["T1685"]


def test_a_technique_needs_one_of_its_tactics(catalogue: Catalogue) -> None:
    wanted = "Add attack.initial-access or attack.persistence or attack.privilege-escalation or attack.stealth."
    assert faults_of(catalogue, "attack.t1078.004") == [("attack.t1078.004", wanted)]
    assert faults_of(catalogue, "attack.impact", "attack.t1078.004")[0] == ("attack.t1078.004", wanted)
    assert faults_of(catalogue, "attack.stealth", "attack.t1078.004") == []


def test_a_tactic_needs_a_technique_that_serves_it(catalogue: Catalogue) -> None:
    found = faults_of(catalogue, "attack.persistence", "attack.impact", "attack.t1098.001")
    assert found == [("attack.impact", "Remove the tactic, or add the technique that serves it.")]


def test_atlas_tactics_need_not_be_written_but_must_fit(catalogue: Catalogue) -> None:
    assert faults_of(catalogue, "atlas.aml.t0055") == []
    assert [tag for tag, _ in faults_of(catalogue, "atlas.impact", "atlas.aml.t0055")] == ["atlas.aml.t0055", "atlas.impact"]


# --- a damaged catalogue -----------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "atlas.json").unlink()
    with pytest.raises(ContentError, match=r"atlas\.json: The catalogue cannot be read: No such file"):
        load_catalogue(folder)


@pytest.mark.parametrize(
    ("text", "what"), [("{", "is no JSON"), ("[]", "is no catalogue of attack"), ('{"format": 2}', "is no catalogue of attack")]
)
def test_a_file_that_is_no_catalogue_is_named(folder: Path, text: str, what: str) -> None:
    (folder / "attack.json").write_text(text, encoding="utf-8")
    with pytest.raises(ContentError, match=what) as refused:
        load_catalogue(folder)
    assert refused.value.path == folder / "attack.json"


def test_one_framework_is_not_taken_for_the_other(folder: Path) -> None:
    shutil.copy(MAPPINGS / "attack.json", folder / "atlas.json")
    with pytest.raises(ContentError, match="is no catalogue of atlas"):
        load_catalogue(folder)


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"techniques": [{"id": "T1", "name": "a", "tactics": ["TA9"]}]}, "contradicts itself: .*TA9"),
        ({"techniques": [{"id": "T1.001", "name": "a", "tactics": [], "parent": "T1"}]}, "contradicts itself: T1"),
        ({"retired": [{"id": "T1001", "name": "a"}]}, "contradicts itself: T1001"),
        ({"retired": [{"id": "T0", "name": "a", "successors": ["T7"]}]}, "contradicts itself: T7"),
        ({"retired_tactics": [{"tag": "x", "id": "TA1", "since": "1", "successors": ["y"]}]}, "contradicts itself: y"),
        ({"version": ""}, "the version or the notice is empty"),
        ({"techniques": [{"id": "T1", "tactics": []}]}, "lacks a part: 'name'"),
        ({"tactics": None}, "lacks a part"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(folder: Path, parts: dict[str, object], what: str) -> None:
    rewrite(folder, "attack", **{"retired": [], **parts})
    with pytest.raises(ContentError, match=what):
        load_catalogue(folder)
