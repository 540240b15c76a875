"""`rules compile`: text to paste on standard output and nothing else; what cannot be said is refused by name with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aibr_hunt.cli.compile import span_of
from aibr_hunt.content.shipped import shipped_root
from aibr_hunt.errors import UsageError
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.query import Last
from aibr_hunt.model.window import Window
from tests.cli.conftest import Aibr, Said
from tests.cli.samples import GUID, rule_text, write_rules

GUARDRAIL = "shipped:aws/bedrock/aws_bedrock_guardrail_deleted"
GCP = "{product: gcp, service: gcp.audit}"
KEYWORDS = "[mimikatz]"


def compiled(aibr: Aibr, *arguments: object) -> Said:
    said = aibr("rules", "compile", *arguments)
    assert said.code == 0, said.err
    return said


def table_of(text: str) -> str:
    return next(line.removeprefix("FROM ") for line in text.splitlines() if line.startswith("FROM "))


# -- text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["athena", "kql", "duckdb"])
def test_the_text_is_headed_by_rule_digests_layout_and_span(aibr: Aibr, engine: str) -> None:
    said = compiled(aibr, GUARDRAIL, "--engine", engine)
    mark = "// " if engine == "kql" else "-- "
    header = [line.removeprefix(mark) for line in said.out.splitlines() if line.startswith(mark)]
    assert header[0] == "Bedrock guardrail removed by hand"
    assert header[1].startswith("rule 495b54c1-520b-41ec-95ad-1c6d96b4c371, text sha256 ")
    assert ", meaning sha256 " in header[1]
    assert any(line.startswith(f"layout {engine}/") and line.endswith("the last 24 hours") for line in header)


def test_standard_output_holds_only_what_is_pasted(aibr: Aibr) -> None:
    said = compiled(aibr, GUARDRAIL, "--engine", "athena")
    assert said.out.startswith("-- Bedrock")
    assert said.err == "aws_cloudtrail: read from athena/projection; --layout chooses another: regions, lake, ocsf.\n"
    assert ";" not in said.out.splitlines()[-1]


def test_several_rules_are_several_statements(aibr: Aibr) -> None:
    names = (GUARDRAIL, "shipped:aws/bedrock/aws_bedrock_model_probe")
    assert compiled(aibr, *names, "--engine", "athena").out.count(";\n") == 2
    blocks = compiled(aibr, *names, "--engine", "kql").out.rstrip("\n").split("\n\n")
    assert [block.startswith("// ") for block in blocks] == [True, True]


def test_a_sieve_asks_for_many_rules_at_once_and_for_those_below_correlations(aibr: Aibr) -> None:
    said = compiled(aibr, "shipped:aws", "--engine", "athena", "--form", "sieve")
    assert "sieve: a necessary condition" in said.out
    rows = compiled(aibr, "shipped:aws", "--engine", "athena", "--form", "sieve", "--json").rows
    assert len({row["mapping"] for row in rows}) == len(rows), "one query for each log source"
    listed = [row["id"] for row in aibr("rules", "list", "shipped:aws", "--json").rows if "correlation" not in row]
    assert sorted(each for row in rows for each in row["rules"]) == sorted(listed)


def test_a_correlation_is_one_text_that_stands_alone(aibr: Aibr) -> None:
    name = "shipped:aws/bedrock/aws_bedrock_many_models_probed"
    for engine in ("athena", "kql", "duckdb"):
        (row,) = [row for row in compiled(aibr, name, "--engine", engine, "--json").rows if "window_end" in row["text"]]
        assert len(row["rules"]) > 1
    refused = aibr("rules", "compile", name, "--engine", "bigquery")
    assert refused.code == 2
    assert "aws_bedrock_many_models_probed: log source aws/cloudtrail on bigquery is not supported" in refused.err


def test_machines_get_a_line_for_every_query(aibr: Aibr) -> None:
    (row,) = compiled(aibr, GUARDRAIL, "--engine", "athena", "--layout", "lake", "--json").rows
    assert (row["engine"], row["mapping"], row["layout"], row["form"]) == ("athena", "aws_cloudtrail", "lake", "whole")
    assert row["bytes"] == len(row["text"].encode())
    assert compiled(aibr, GUARDRAIL, "--engine", "athena", "--layout", "lake").out == row["text"]


def test_text_that_would_act_on_a_terminal_is_shown_there_and_exact_elsewhere(
    aibr: Aibr, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rules(rules, {"guardrail.yml": rule_text(1, '{userAgent: "a\\u202eb"}')})
    assert "a\u202eb" in compiled(aibr, rules, "--engine", "athena").out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = compiled(aibr, rules, "--engine", "athena")
    assert "a\\u202eb" in said.out
    assert "redirect it to a file" in said.err


# -- span ---------------------------------------------------------------------------------------------------------------


def test_a_window_is_absolute_and_a_length_alone_is_relative(aibr: Aibr) -> None:
    said = compiled(aibr, GUARDRAIL, "--engine", "kql", "--from", "2026-01-01", "--to", "2026-01-02")
    assert "| where TimeGenerated >= datetime(2026-01-01T00:00:00Z) and TimeGenerated < datetime(2026-01-02T00:00:00Z)" in said.out
    assert "ago(336h)" in compiled(aibr, GUARDRAIL, "--engine", "kql", "--last", "P14D").out


def test_a_length_with_an_end_is_a_window() -> None:
    window = span_of(None, "2026-01-02", "1d")
    assert isinstance(window, Window)
    assert window.start is not None
    assert window.start.day == 1
    assert span_of(None, None, None) == Last(hours=24)


@pytest.mark.parametrize("last", ["90m", "PT1M"])
def test_a_relative_length_is_a_whole_number_of_hours(last: str) -> None:
    with pytest.raises(UsageError, match="no whole number of hours"):
        span_of(None, None, last)


# -- layouts and tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lake", "athena/lake"])
def test_a_layout_is_chosen_by_name(aibr: Aibr, name: str) -> None:
    said = compiled(aibr, GUARDRAIL, "--engine", "athena", "--layout", name)
    assert table_of(said.out) == '"EVENT_DATA_STORE_ID"'
    assert "--layout" not in said.err


def test_a_name_that_every_deployment_has_for_itself_is_asked_for(aibr: Aibr) -> None:
    arguments = (GUARDRAIL, "--engine", "athena", "--layout", "lake")
    assert compiled(aibr, *arguments).err == (
        "EVENT_DATA_STORE_ID: EVENT_DATA_STORE_ID is to be filled in: by --table, or by aws_cloudtrail.athena.lake in [tables] "
        "of aibr-hunt.toml.\n"
    )
    assert compiled(aibr, *arguments, "--table", "MINE").err == ""
    said = compiled(aibr, "shipped:gcp/iam/gcp_iam_service_account_key_created", "--engine", "bigquery")
    assert "cloudaudit_googleapis_com_activity: PROJECT, DATASET is to be filled in" in said.err
    kql = compiled(aibr, "shipped:gcp/iam/gcp_iam_service_account_key_created", "--engine", "kql")
    assert kql.err == ""


def test_a_layout_that_does_not_exist_is_answered_with_the_nearest(aibr: Aibr) -> None:
    said = aibr("rules", "compile", GUARDRAIL, "--engine", "athena", "--layout", "lkae")
    assert (said.code, said.out) == (2, "")
    assert "aws_cloudtrail has no layout athena/lkae. Did you mean lake?" in said.err
    assert "It has projection, regions" in aibr("rules", "compile", GUARDRAIL, "--engine", "athena", "--layout", "zzz").err


def test_duckdb_reads_whole_records_where_no_mapping_says_otherwise(aibr: Aibr, rules: Path) -> None:
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "duckdb").out) == "events"
    write_rules(rules, {"guardrail.yml": rule_text(1, "{Image: x}", logsource="{product: windows, category: process_creation}")})
    assert "'$.Image'" in compiled(aibr, rules, "--engine", "duckdb").out


@pytest.mark.parametrize(
    ("logsource", "expected"),
    [
        (GCP, "log source gcp/gcp.audit on athena is not supported: its mapping has no layout there. gcp_audit has bigquery/"),
        ("{product: windows}", "log source windows on athena is not supported: no mapping serves it. There is duckdb/raw."),
    ],
)
def test_a_log_source_that_the_engine_does_not_hold_is_refused(aibr: Aibr, rules: Path, logsource: str, expected: str) -> None:
    write_rules(rules, {"guardrail.yml": rule_text(1, "{a: x}", logsource=logsource)})
    said = aibr("rules", "compile", rules, "--engine", "athena")
    assert (said.code, said.out) == (2, "")
    assert expected in said.err


def test_the_table_comes_from_the_option_then_from_configuration_then_from_the_layout(aibr: Aibr) -> None:
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "athena").out) == "cloudtrail_logs_pp"
    Path("aibr-hunt.toml").write_text('[tables]\naws_cloudtrail.athena.projection = "security.trail"\n', encoding="utf-8")
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "athena").out) == "security.trail"
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "athena", "--layout", "regions").out) == "cloudtrail_logs_org"
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "athena", "--table", "other.trail").out) == "other.trail"


def test_a_table_of_whole_records_can_be_configured_too(aibr: Aibr) -> None:
    Path("aibr-hunt.toml").write_text('[tables]\n"aws_cloudtrail.duckdb.raw" = "trail"\n', encoding="utf-8")
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "duckdb").out) == "trail"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('tables = "x"', ["tables", "is a section of lines"]),
        ('[tables]\naws_cloudtrail = "x"', ["tables.aws_cloudtrail", "<mapping>.<engine>.<layout>"]),
        ("[tables]\naws_cloudtrail.athena.projection = 5", ["tables.aws_cloudtrail.athena.projection to 5"]),
        ('[tables]\naws_cloudtrail.athnea.projection = "x"', ["there is no engine athnea", "Did you mean athena?"]),
        ('[tabels]\na.athena.c = "x"', ["'tabels'", "Did you mean tables?"]),
        ('[tables]\naws_cloudtrial.athena.projection = "x"', ["is no layout", "Did you mean aws_cloudtrail.athena.projection?"]),
        ('[tables]\n"a.athena.b" = "x"', ["is no layout", "`aibr-hunt engines` lists"]),
        ('[tables]\n"a.z.b" = "x"', ["there is no engine z", "Engines are athena, "]),
    ],
)
def test_a_table_of_what_there_is_not_is_named_with_its_file(aibr: Aibr, text: str, expected: list[str]) -> None:
    Path("aibr-hunt.toml").write_text(text, encoding="utf-8")
    said = aibr("rules", "compile", GUARDRAIL, "--engine", "athena")
    assert (said.code, said.out) == (2, "")
    assert [each for each in (str(Path.cwd() / "aibr-hunt.toml"), *expected) if each not in said.err] == []


def test_configuration_shows_every_table_with_its_origin(aibr: Aibr) -> None:
    Path("aibr-hunt.toml").write_text('[tables.aws_cloudtrail]\nathena.lake = "store"\n', encoding="utf-8")
    row = aibr("config", "show", "--json").rows[-1]
    assert (row["name"], row["value"], row["origin"]) == ("tables.aws_cloudtrail.athena.lake", "store", str(Path.cwd() / "aibr-hunt.toml"))
    assert row["what"]


# -- mappings -----------------------------------------------------------------------------------------------------------


def test_a_mapping_file_replaces_the_one_of_its_name(aibr: Aibr, tmp_path: Path) -> None:
    text = (shipped_root() / "mappings" / "logsources" / "aws_cloudtrail.yml").read_text(encoding="utf-8")
    path = tmp_path / "aws_cloudtrail.yml"
    path.write_text(text.replace("table: cloudtrail_logs_pp", "table: mine.trail"), encoding="utf-8")
    assert table_of(compiled(aibr, GUARDRAIL, "--engine", "athena", "--mapping", path).out) == "mine.trail"


def test_a_wrong_mapping_file_is_named_with_its_line(aibr: Aibr, tmp_path: Path) -> None:
    path = write_rules(tmp_path, {"mine.yml": "name: mine\n"}) / "mine.yml"
    said = aibr("rules", "compile", GUARDRAIL, "--engine", "athena", "--mapping", path)
    assert (said.code, said.out) == (2, "")
    assert f"{path}:" in said.err


# -- refusals -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_said_whole_is_refused_and_can_be_sieved(aibr: Aibr, rules: Path) -> None:
    write_rules(rules, {"guardrail.yml": rule_text(1, KEYWORDS)})
    said = aibr("rules", "compile", rules, "--engine", "athena")
    assert (said.code, said.out) == (2, "")
    assert "rule_1: rule rule_1 as a whole on athena/projection is not supported: it asks for a keyword search." in said.err
    assert "`--form sieve`" in said.err
    assert compiled(aibr, rules, "--engine", "athena", "--form", "sieve").out


def test_one_refused_rule_does_not_hide_the_others(aibr: Aibr, rules: Path) -> None:
    write_rules(rules, {"b.yml": rule_text(2, "{eventNmae: x}"), "c.yml": "title: x\n", "d.yml": rule_text(4)})
    said = aibr("rules", "compile", rules, "--engine", "kql", "--json")
    assert (said.code, [row["rules"] for row in said.rows]) == (2, [[GUID.format(4)], [GUID.format(1)]])
    assert "rule_2: field eventNmae is not supported" in said.err
    assert "c.yml" in said.err


def test_a_rule_that_nothing_narrows_is_named(aibr: Aibr, rules: Path) -> None:
    write_rules(rules, {"guardrail.yml": rule_text(1, "{eventName: null}")})
    said = compiled(aibr, rules, "--engine", "athena", "--form", "sieve")
    assert "rule_1: its sieve lets every row through; its query reads all of the span." in said.err


def test_a_text_too_long_for_a_scheduled_rule_is_pointed_out(aibr: Aibr, rules: Path) -> None:
    names = ", ".join(f"SomeRatherLongNameOfACall{number}" for number in range(400))
    write_rules(rules, {"guardrail.yml": rule_text(1, f"{{eventName: [{names}]}}")})
    said = compiled(aibr, rules, "--engine", "kql")
    assert "rule_1: the query has 1" in said.err
    assert "a scheduled rule of Microsoft Sentinel takes 10,000." in said.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--engine", "athena", "--engine", "kql"), "--engine is given more than once."),
        (("--engine", "athena", "--summary", "--form", "sieve"), "--summary tries both forms."),
        (("--engine", "oracle"), "'oracle' is not one of"),
        ((), "--engine"),
    ],
)
def test_options_that_make_no_sense_are_the_user_s_mistake(aibr: Aibr, arguments: tuple[str, ...], expected: str) -> None:
    said = aibr("rules", "compile", GUARDRAIL, *arguments)
    assert (said.code, said.out) == (2, "")
    assert expected in said.err


# -- summary ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder such as anyone has: rules for other products, with fields of their own, and one that is none."""
    texts = {
        "whole.yml": rule_text(1),
        "sieve.yml": rule_text(2, "{requestParameters|contains: 's3:GetObject'}"),
        "open.yml": rule_text(3, "[x]"),
        "field.yml": rule_text(4, "{commandLine: x}"),
        "other_field.yml": rule_text(5, "{image: x}"),
        "source.yml": rule_text(6, logsource="{product: windows, category: process_creation}"),
        "broken.yml": "title: x\n",
    }
    return write_rules(tmp_path / "foreign", texts)


def test_a_summary_counts_rules_by_what_becomes_of_them_and_why(aibr: Aibr, foreign: Path) -> None:
    said = aibr("rules", "compile", foreign, "--engine", "athena", "--summary")
    assert (said.code, said.err) == (0, "")
    lines = [line.strip() for line in said.out.splitlines()]
    assert lines[0] == "athena: 7 rules: whole 1, sieve 1, unsieved 1, refused 4"
    assert "rules a second" in lines[1]
    assert "2  field: the mapping aws_cloudtrail does not define it. (commandLine 1, image 1)" in lines
    assert "1  log source: no mapping serves it. (windows/process_creation 1)" in lines
    assert "1  the text of an object" in lines
    assert any(line.startswith("1  not read: ") for line in lines)


def test_a_summary_for_machines_has_a_line_for_every_engine(aibr: Aibr, foreign: Path) -> None:
    said = aibr("rules", "compile", foreign, *(word for engine in EngineKind for word in ("--engine", engine)), "--summary", "--json")
    assert [row["engine"] for row in said.rows] == list(EngineKind)
    assert {sum(row[each] for each in ("whole", "sieve", "unsieved", "refused")) for row in said.rows} == {7}
    assert all(row["compiled_per_s"] >= row["loaded_and_compiled_per_s"] for row in said.rows)
    refused = {row["engine"]: row["refused"] for row in said.rows}
    assert refused["bigquery"] == 7
    assert refused["duckdb"] == 3


def test_a_summary_of_the_shipped_rules_refuses_none_on_whole_records(aibr: Aibr) -> None:
    (row,) = aibr("rules", "compile", "shipped:", "--engine", "duckdb", "--summary", "--json").rows
    assert row["refused"] == 0
    assert json.dumps(row["reasons"])


def test_a_summary_counts_correlations_apart_and_says_why_some_are_refused(aibr: Aibr) -> None:
    names = ("shipped:aws/bedrock/aws_bedrock_models_listed_then_run", "shipped:aws/bedrock/aws_bedrock_tokens_drained")
    said = aibr("rules", "compile", *names, "--engine", "kql", "--summary")
    lines = said.out.splitlines()
    assert "kql: 2 correlations: whole 1, refused 1" in lines
    assert any("log source: its mapping has no layout there. (aws/bedrock_invocation 1)" in line for line in lines)
    (row,) = aibr("rules", "compile", *names, "--engine", "kql", "--summary", "--json").rows
    assert (row["correlations"]["whole"], row["correlations"]["refused"]) == (1, 1)
    assert row["correlations"]["reasons"]["refused"][0]["correlations"] == 1
