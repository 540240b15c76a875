"""Navigator layers: format 4.5, scores and comments that name rules, versions of the catalogues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aibr_hunt.content.catalogue import FRAMEWORKS, Catalogue, load_catalogue
from aibr_hunt.content.target import load_target
from aibr_hunt.model.technique import Framework
from aibr_hunt.report.navigator import COLOURS, SCORES, navigator_layer
from aibr_hunt.report.techniques import Scope, Sight, TechniqueCoverage, cover
from tests.unit.coverage_samples import row, rule, target

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
SCHEMA = json.loads(Path(__file__).with_name("navigator_layer.schema.json").read_text(encoding="utf-8"))
WORLD = target(
    row("T1485", "C", {"aws": ("s3:DeleteBucket",)}, note="only with a trail"),
    row("T1530", "D", {"gcp": ("storage.objects.get",)}),
    row("T1190", "X", note="application log"),
    row("AML.T0051", "P", {"aws": ("bedrock-runtime:Converse",)}),
    row("AML.T0016", "N"),
    unclassified=["T1136"],
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MAPPINGS)


def layer(found: TechniqueCoverage, catalogue: Catalogue, framework: Framework = "attack", scope: Scope = "all") -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(navigator_layer(found, catalogue, framework, scope=scope)))
    return made


def techniques(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["techniqueID"]: each for each in made["techniques"]}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("scope", ["all", "aws", "azure"])
def test_a_layer_of_the_shipped_classification_fits_the_format(catalogue: Catalogue, framework: Framework, scope: Scope) -> None:
    shipped = load_target([MAPPINGS], catalogue)
    made = layer(cover(shipped, [rule("a", "attack.t1485", "atlas.aml.t0051")], Sight()), catalogue, framework, scope)
    assert [fault.message for fault in Draft202012Validator(SCHEMA).iter_errors(made)] == []
    ids = [each["techniqueID"] for each in made["techniques"]]
    assert ids == sorted(set(ids))
    assert len(ids) == (208 if framework == "atlas" else 50 + 102)


def test_a_layer_says_its_versions_and_domain(catalogue: Catalogue) -> None:
    found = cover(WORLD, [], Sight())
    attack, atlas = layer(found, catalogue), layer(found, catalogue, "atlas")
    assert (attack["domain"], attack["versions"]) == ("enterprise-attack", {"attack": "19", "navigator": "5.1.0", "layer": "4.5"})
    assert (atlas["domain"], atlas["versions"]) == ("atlas-atlas", {"navigator": "5.1.0", "layer": "4.5"})
    assert {"name": "attack_version", "value": "19.1"} in attack["metadata"]
    assert {"name": "atlas_data_version", "value": "2026.09"} in atlas["metadata"]


def test_score_and_comment_name_the_rules(catalogue: Catalogue) -> None:
    rules = [rule("deletes", "attack.t1485"), rule("draft", "attack.t1485", tested=False)]
    found = techniques(layer(cover(WORLD, rules, Sight(leads={("attack.t1485", "all"): 3})), catalogue))["T1485"]
    assert (found["score"], found["color"]) == (100, COLOURS["tested"])
    assert found["comment"] == "2 rules: deletes, draft (not tested). 3 leads on record. Note: only with a trail."
    assert {"name": "tier", "value": "C, control plane"} in found["metadata"]


@pytest.mark.parametrize(
    ("rules", "off", "state"),
    [
        ([], "", "no rule"),
        ([rule("a", "attack.t1485", tested=False)], "", "written"),
        ([rule("a", "attack.t1485", requires=("x",))], "x", "blind"),
        ([rule("a", "attack.t1485", requires=("x",))], "y", "tested"),
    ],
)
def test_each_state_has_a_score_of_its_own(catalogue: Catalogue, rules: list[Any], off: str, state: str) -> None:
    found = techniques(layer(cover(WORLD, rules, Sight(off=frozenset({off}))), catalogue))["T1485"]
    assert (found["score"], found["color"]) == (SCORES[state], COLOURS[state])
    assert {"name": "state", "value": state} in found["metadata"]


def test_what_no_log_shows_is_disabled_and_has_no_score_even_with_a_rule(catalogue: Catalogue) -> None:
    found = techniques(layer(cover(WORLD, [rule("claims", "attack.t1190")], Sight()), catalogue))["T1190"]
    assert ("score" in found, found["enabled"], found["color"]) == (False, False, COLOURS["not observable"])
    assert found["comment"] == "Class X: only outside these logs. application log. Rules name it all the same, 1 rule: claims."


def test_what_nobody_classified_has_no_score(catalogue: Catalogue) -> None:
    found = techniques(layer(cover(WORLD, [rule("claims", "attack.t1136")], Sight()), catalogue))["T1136"]
    assert ("score" in found, found["enabled"]) == (False, True)
    assert found["comment"] == "Nobody has classified it yet. 1 rule: claims."


def test_one_cloud_leaves_out_what_it_cannot_show(catalogue: Catalogue) -> None:
    found = techniques(layer(cover(WORLD, [rule("a", "attack.t1530", clouds="gcp")], Sight()), catalogue, scope="aws"))
    assert ("score" in found["T1530"], found["T1530"]["comment"]) == (False, "The classification names no event of aws for it.")


def test_each_catalogue_has_its_own_layer(catalogue: Catalogue) -> None:
    found = cover(WORLD, [], Sight())
    assert set(techniques(layer(found, catalogue, "atlas"))) == {"AML.T0051", "AML.T0016"}
    assert set(techniques(layer(found, catalogue))) == {"T1485", "T1530", "T1190", "T1136"}


def test_a_comment_of_many_rules_is_cut_with_a_count(catalogue: Catalogue) -> None:
    rules = [rule(f"r{number:03d}", "attack.t1485") for number in range(45)]
    comment = techniques(layer(cover(WORLD, rules, Sight()), catalogue))["T1485"]["comment"]
    assert comment.startswith("45 rules: r000, ")
    assert " r039 and 5 more." in comment


def test_the_layer_of_attack_loads_in_the_library_of_its_owner(catalogue: Catalogue, tmp_path: Path) -> None:
    navlayers = pytest.importorskip("mitreattack.navlayers", reason="mitreattack-python is an extra", exc_type=ImportError)
    shipped = load_target([MAPPINGS], catalogue)
    made = layer(cover(shipped, [rule("a", "attack.t1485")], Sight()), catalogue)
    path = tmp_path / "layer.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    loaded = navlayers.Layer()
    loaded.from_file(str(path))
    again = loaded.to_dict()
    assert again is not None
    assert {each["techniqueID"]: each.get("score") for each in again["techniques"]} == {
        each["techniqueID"]: each.get("score") for each in made["techniques"]
    }
    assert again["versions"]["layer"] == "4.5"
