"""`rules deploy-pack`: what it writes, what it says, and how it ends."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import rule_text, write_rules

AZURE = "{product: azure, service: activitylogs}"


@pytest.fixture
def azure(tmp_path: Path) -> Path:
    return write_rules(tmp_path / "azure", {"keys.yml": rule_text(1, "{operationName|endswith: /listKeys/action}", logsource=AZURE)})


def test_a_pack_that_holds_every_rule_ends_with_nothing_to_say(aibr: Aibr, azure: Path) -> None:
    said = aibr("rules", "deploy-pack", "pack", azure, "--engine", "kql")
    assert (said.code, said.err) == (0, "")
    assert "1 rule in 4 files, 0 refused" in said.out
    assert sorted(path.relative_to("pack").as_posix() for path in Path("pack").rglob("*") if path.is_file()) == [
        "README.md",
        "pack.json",
        "sentinel/arm/rule_1.json",
        "sentinel/yaml/rule_1.yaml",
    ]


def test_the_second_pack_is_the_first_to_the_byte(aibr: Aibr, azure: Path) -> None:
    for folder in ("one", "two"):
        assert aibr("rules", "deploy-pack", folder, azure, "--engine", "kql").code == 0
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()} for folder in ("one", "two")
    )
    assert one == two


def test_json_lists_each_file_with_its_digest(aibr: Aibr, azure: Path) -> None:
    said = aibr("rules", "deploy-pack", "pack", azure, "--engine", "kql", "--format", "arm", "--json")
    assert [row["path"] for row in said.rows] == ["sentinel/arm/rule_1.json", "README.md", "pack.json"]
    for row in said.rows:
        assert hashlib.sha256(Path("pack", row["path"]).read_bytes()).hexdigest() == row["sha256"]


def test_a_rule_that_cannot_be_said_there_is_named_and_the_pack_is_incomplete(aibr: Aibr, azure: Path) -> None:
    said = aibr("rules", "deploy-pack", "pack", azure, "--engine", "bigquery")
    assert said.code == 4
    assert "rule_1: log source azure/activitylogs on bigquery is not supported" in said.err
    assert "0 rules in 2 files, 1 refused" in said.out
    assert [each["name"] for each in json.loads(Path("pack/pack.json").read_bytes())["refused"]] == ["rule_1"]


def test_a_rule_that_cannot_be_read_is_the_users_mistake_and_stands_in_the_manifest(aibr: Aibr, azure: Path) -> None:
    (azure / "broken.yml").write_text("title: no detection\n", encoding="utf-8")
    said = aibr("rules", "deploy-pack", "pack", azure, "--engine", "kql")
    assert said.code == 2
    assert "broken.yml" in said.err
    manifest = json.loads(Path("pack/pack.json").read_bytes())
    assert [each["could_be_read"] for each in manifest["refused"]] == [False]
    assert len(manifest["rules"]) == 1


def test_a_folder_that_is_not_empty_is_left_as_it_is(aibr: Aibr, azure: Path) -> None:
    Path("pack").mkdir()
    Path("pack/mine.txt").write_text("mine", encoding="utf-8")
    said = aibr("rules", "deploy-pack", "pack", azure, "--engine", "kql")
    assert said.code == 2
    assert "pack is not empty. Name a folder that is new or empty" in said.err
    assert [path.name for path in Path("pack").iterdir()] == ["mine.txt"]


def test_the_form_goes_with_sentinel_only(aibr: Aibr, rules: Path) -> None:
    said = aibr("rules", "deploy-pack", "pack", rules, "--engine", "athena", "--format", "yaml")
    assert said.code == 2
    assert "--format does not go with athena" in said.err
    assert not Path("pack").exists()


def test_a_table_of_ones_own_and_a_layout_are_taken(aibr: Aibr, rules: Path) -> None:
    said = aibr("rules", "deploy-pack", "pack", rules, "--engine", "athena", "--layout", "ocsf", "--table", "lake.trail", "--every", "6")
    assert (said.code, said.err) == (0, "")
    named = json.loads(Path("pack/athena/named/rule_1.json").read_bytes())
    assert named["Database"] == "lake"
    assert "FROM lake.trail" in named["QueryString"]


def test_a_table_that_configuration_names_is_taken(aibr: Aibr, rules: Path) -> None:
    Path("aibr-hunt.toml").write_text('[tables]\naws_cloudtrail.athena.ocsf = "own.trail"\n', encoding="utf-8")
    assert aibr("rules", "deploy-pack", "pack", rules, "--engine", "athena", "--layout", "athena/ocsf").code == 0
    assert "FROM own.trail" in json.loads(Path("pack/athena/named/rule_1.json").read_bytes())["QueryString"]


def test_a_table_that_is_no_name_refuses_its_rules_wherever_it_was_named(aibr: Aibr, rules: Path) -> None:
    Path("aibr-hunt.toml").write_text('[tables]\naws_cloudtrail.athena.projection = "a; drop"\n', encoding="utf-8")
    said = aibr("rules", "deploy-pack", "pack", rules, "--engine", "athena")
    assert said.code == 4
    assert "a; drop is no name of a table" in said.err


def test_configuration_for_a_layout_that_there_is_not_is_told_once(aibr: Aibr, rules: Path) -> None:
    Path("aibr-hunt.toml").write_text('[tables]\naws_cloudtrail.athena.lakes = "x"\n', encoding="utf-8")
    said = aibr("rules", "deploy-pack", "pack", rules, "--engine", "athena")
    assert said.code == 2
    assert not Path("pack").exists()


def test_every_is_a_number_of_hours_up_to_two_weeks(aibr: Aibr, azure: Path) -> None:
    assert aibr("rules", "deploy-pack", "pack", azure, "--engine", "kql", "--every", "0").code == 2
    assert aibr("rules", "deploy-pack", "pack", azure, "--engine", "kql", "--every", "337").code == 2


def test_a_correlation_is_in_the_pack_and_its_operands_are_no_rules_of_it(aibr: Aibr) -> None:
    said = aibr("rules", "deploy-pack", "pack", "shipped:aws/bedrock/aws_bedrock_models_listed_then_run", "--engine", "kql")
    assert (said.code, said.err) == (0, "")
    assert "Pack for kql: 0 rules and 1 correlation in 4 files, 0 refused" in said.out
    (told,) = json.loads(Path("pack/pack.json").read_bytes())["rules"]
    assert (told["name"], told["type"], len(told["rests_on"])) == ("aws_bedrock_models_listed_then_run", "temporal_ordered", 2)


def test_a_baseline_that_looks_back_too_far_for_sentinel_is_named_and_the_pack_is_incomplete(aibr: Aibr) -> None:
    said = aibr("rules", "deploy-pack", "pack", "shipped:aws/bedrock/aws_bedrock_rare_region", "--engine", "kql")
    assert said.code == 4
    assert "aws_bedrock_rare_region: it would look back" in said.err
    assert "Sentinel allows 336 (14 days)" in said.err
