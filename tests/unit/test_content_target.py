"""The classification of techniques and the case studies: what is shipped, and what becomes of broken files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aibr_hunt.content.case_studies import CaseStudies, load_case_studies
from aibr_hunt.content.catalogue import Catalogue, load_catalogue
from aibr_hunt.content.facts import FactsName, facts_schema
from aibr_hunt.content.target import CLOUDS, TIERS, LogClass, Target, load_target
from aibr_hunt.errors import ContentError

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
NAMES: tuple[FactsName, ...] = ("coverage_target", "case_studies")


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MAPPINGS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def written(folder: Path, name: str, **parts: Any) -> Path:
    (folder / f"{name}.json").write_text(json.dumps({**document(name), **parts}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(MAPPINGS)


@pytest.fixture(scope="module")
def target(catalogue: Catalogue) -> Target:
    return load_target([MAPPINGS], catalogue)


@pytest.fixture(scope="module")
def studies(catalogue: Catalogue) -> CaseStudies:
    return load_case_studies([MAPPINGS], catalogue)


# --- what is shipped ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_facts_fits_its_schema_and_says_where_it_was_read(name: FactsName) -> None:
    schema = facts_schema(name)
    Draft202012Validator.check_schema(schema)
    assert [fault.message for fault in Draft202012Validator(schema).iter_errors(document(name))] == []
    assert len(document(name)["provenance"]) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_facts_holds_no_description(name: FactsName) -> None:
    keys: set[str] = set()
    waiting: list[Any] = [document(name)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            keys |= each.keys()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    assert not {key for key in keys if "descri" in key or "summary" in key}


def test_every_id_of_the_classification_is_active_in_the_catalogue(target: Target) -> None:
    assert target.lost == ()
    assert len(target.rows) + len(target.unclassified) == len(document("coverage_target")["techniques"]) + 102


def test_the_classification_names_the_releases_in_force(target: Target, catalogue: Catalogue) -> None:
    assert target.catalogues == catalogue.versions


def test_the_classes_add_up_to_what_the_page_promises(target: Target) -> None:
    counts = Counter(row.log_class for row in target.rows.values())
    assert {each.value: counts[each] for each in LogClass} == {"C": 73, "D": 41, "P": 37, "X": 34, "N": 73}
    assert len(target.unclassified) == 102


def test_all_of_atlas_is_classified_and_no_technique_twice(target: Target, catalogue: Catalogue) -> None:
    atlas = {tag for tag, each in catalogue.techniques.items() if each.framework == "atlas"}
    assert atlas == {tag for tag in target.rows if tag.startswith("atlas.")}
    ids = [row["id"] for key in ("techniques", "unclassified") for row in document("coverage_target")[key]]
    assert len(ids) == len(set(ids)) == 360


def test_what_no_log_shows_has_no_events_and_every_event_is_known(target: Target) -> None:
    events = document("coverage_target")["events"]
    for row in target.rows.values():
        assert row.log_class in TIERS or not row.events, row.tag
        for cloud, names in row.events.items():
            assert set(names) <= events[cloud].keys(), row.tag
    assert {cloud: len(events[cloud]) for cloud in CLOUDS} == {"aws": 163, "gcp": 60, "azure": 42}


def test_an_inherited_class_is_that_of_the_technique_above(target: Target) -> None:
    inherited = [row for row in target.rows.values() if row.is_inherited]
    assert len(inherited) == 50
    assert [row.tag for row in inherited if target.rows[row.tag.rsplit(".", 1)[0]].log_class is not row.log_class] == []


def test_every_step_of_a_case_study_names_an_active_technique_and_tactic(studies: CaseStudies, catalogue: Catalogue) -> None:
    assert len(studies.studies) == 57
    assert [study.id for study in studies.studies if study.lost or not study.techniques] == []
    steps = [step for row in document("case_studies")["case_studies"] for step in row["steps"]]
    assert [step for step in steps if catalogue.tactic(f"atlas.{step['tactic']}") is None] == []


def test_a_retired_technique_of_a_step_is_kept_beside_its_successor(catalogue: Catalogue) -> None:
    moved = [step for row in document("case_studies")["case_studies"] for step in row["steps"] if "was" in step]
    assert len(moved) == 7
    for step in moved:
        assert catalogue.retired[f"atlas.{step['was'].lower()}"].successors == (f"atlas.{step['technique'].lower()}",)


def test_a_date_is_as_precise_as_it_is_known(studies: CaseStudies) -> None:
    dates = {study.id: study.date for study in studies.studies}
    assert (dates["AML.CS0000"], dates["AML.CS0056"]) == ("2020", "2026-02-23")


# --- other folders, and broken files -----------------------------------------------------------------------------------------------


def test_the_last_folder_that_holds_the_facts_wins(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine").mkdir()
    rows = [{"id": "T1485", "class": "C", "aws": ["s3:DeleteBucket"]}]
    mine = written(tmp_path / "mine", "coverage_target", techniques=rows, version="2027-01-31")
    found = load_target([MAPPINGS, mine, tmp_path / "empty"], catalogue)
    assert (found.version, list(found.rows)) == ("2027-01-31", ["attack.t1485"])


def test_an_id_that_the_catalogue_gave_up_is_told_of_and_counts_nowhere(tmp_path: Path, catalogue: Catalogue) -> None:
    rows = [{"id": "T1562.001", "class": "C"}, {"id": "T1485", "class": "C"}]
    found = load_target([written(tmp_path, "coverage_target", techniques=rows)], catalogue)
    assert (found.lost, list(found.rows)) == (("T1562.001",), ["attack.t1485"])


def test_a_step_that_the_catalogue_does_not_have_is_lost_by_name(tmp_path: Path, catalogue: Catalogue) -> None:
    steps = [{"tactic": "AML.TA0003", "technique": "AML.T0019"}, {"tactic": "AML.TA0003", "technique": "AML.T0020"}]
    each = {"id": "AML.CS0001", "name": "x", "type": "incident", "date": "2025-05-17", "granularity": "month", "steps": steps}
    (study,) = load_case_studies([written(tmp_path, "case_studies", case_studies=[each])], catalogue).studies
    assert (study.lost, [found.id for found in study.techniques], study.date) == (("AML.T0019",), ["AML.T0020"], "2025-05")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "what"),
    [("{", "no JSON"), ("[]", "break their schema at $"), ('{"format": 2}', "break their schema")],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, catalogue: Catalogue, name: FactsName, text: str, what: str) -> None:
    (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    with pytest.raises(ContentError, match=what.replace("$", r"\$")) as caught:
        load_target([tmp_path], catalogue) if name == "coverage_target" else load_case_studies([tmp_path], catalogue)
    assert caught.value.path == tmp_path / f"{name}.json"


def test_a_folder_without_the_facts_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ContentError, match=r"There is no coverage_target\.json"):
        load_target([tmp_path], catalogue)


def test_a_class_that_does_not_exist_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ContentError, match=r"techniques\[0\]\.class"):
        load_target([written(tmp_path, "coverage_target", techniques=[{"id": "T1485", "class": "Q"}])], catalogue)
