"""BigQuery and Athena: shapes and limits of what is deployed, and text that neither Dataform nor CloudFormation takes for its own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from aibr_hunt.hunt import deploy_athena, deploy_bigquery
from aibr_hunt.model.correlation import CorrelationType
from aibr_hunt.model.layout import ColumnPath, EngineKind
from aibr_hunt.model.rule import Rule
from tests.unit.deploy_samples import (
    HOSTILE_TEXTS,
    HOSTILE_TITLE,
    HOUR_US,
    correlation_of,
    documents,
    files_of,
    pack_of,
    rule_of,
    shipped,
    shipped_correlations,
    shipped_sources,
)

TRANSFER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["displayName", "dataSourceId", "destinationDatasetId", "schedule", "disabled", "params"],
    "properties": {
        "displayName": {"type": "string"},
        "dataSourceId": {"const": "scheduled_query"},
        "destinationDatasetId": {"pattern": r"^\w+$"},
        "schedule": {"pattern": r"^every \d+ hours$"},
        "disabled": {"const": True},
        "params": {
            "type": "object",
            "additionalProperties": False,
            "required": ["query", "destination_table_name_template", "write_disposition"],
            "properties": {
                "query": {"type": "string", "maxLength": 1_000_000},
                "destination_table_name_template": {"pattern": r'^[a-z0-9_]+_\{run_time\|"%Y%m%d%H%M"\}$'},
                "write_disposition": {"enum": ["WRITE_TRUNCATE", "WRITE_APPEND"]},
            },
        },
    },
}
NAMED_PROPERTIES: dict[str, Any] = {
    "Name": {"type": "string", "minLength": 1, "maxLength": 128},
    "Description": {"type": "string", "minLength": 1, "maxLength": 1024},
    "Database": {"type": "string", "minLength": 1, "maxLength": 255},
    "QueryString": {"type": "string", "minLength": 1, "maxLength": 262_144},
    "WorkGroup": {"pattern": "^[a-zA-Z0-9._-]{1,128}$"},
}


def named_schema(**changed: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(NAMED_PROPERTIES),
        "properties": NAMED_PROPERTIES | changed,
    }


STACK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["AWSTemplateFormatVersion", "Description", "Parameters", "Resources"],
    "properties": {
        "AWSTemplateFormatVersion": {"const": "2010-09-09"},
        "Description": {"type": "string", "maxLength": 1024},
        "Parameters": {"type": "object", "required": ["WorkGroup"]},
        "Resources": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 500,
            "propertyNames": {"pattern": "^[A-Za-z0-9]{1,255}$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["Type", "Properties"],
                "properties": {
                    "Type": {"const": "AWS::Athena::NamedQuery"},
                    "Properties": named_schema(WorkGroup={"const": {"Ref": "WorkGroup"}}),
                },
            },
        },
    },
}
PLACEHOLDER = '${"$"}'


def sqlx_of(rule: Rule) -> tuple[str, str]:
    """Return the config and the body of a rule's Dataform file."""
    text = files_of(pack_of([rule], EngineKind.BIGQUERY))["dataform/definitions/rule_1.sqlx"].decode()
    config, _, body = text.partition("\n}\n\n")
    return config.removeprefix("config {\n"), body


# --- BigQuery ----------------------------------------------------------------------------------------------------------------------


def test_every_scheduled_query_has_the_documented_shape() -> None:
    transfers = documents(pack_of(shipped(), EngineKind.BIGQUERY), "bigquery/scheduled/")
    assert transfers
    for transfer in transfers.values():
        Draft202012Validator(TRANSFER).validate(transfer)


def test_a_scheduled_query_asks_for_the_window_of_its_own_run() -> None:
    transfers = documents(pack_of(shipped(), EngineKind.BIGQUERY), "bigquery/scheduled/")
    for transfer in transfers.values():
        query = transfer["params"]["query"]
        assert "CURRENT_TIMESTAMP()" not in query
        assert "CURRENT_DATE()" not in query
        assert re.search(r"^  AND \S+ < @run_time$", query, re.MULTILINE)
        assert "TIMESTAMP_SUB(@run_time, INTERVAL 25 HOUR)" in query


def test_a_sharded_table_is_bounded_by_the_day_of_the_run() -> None:
    pack = pack_of([rule_of(EngineKind.BIGQUERY)], EngineKind.BIGQUERY, layout="export_sharded")
    (transfer,) = documents(pack, "bigquery/scheduled/").values()
    assert "DATE_SUB(DATE(@run_time)" in transfer["params"]["query"]


def test_only_the_bounds_hang_on_the_run_whatever_a_rules_literals_hold() -> None:
    rule = rule_of(EngineKind.BIGQUERY, texts=["current_timestamp() x", "a\n  AND timestamp >= b"])
    (transfer,) = documents(pack_of([rule], EngineKind.BIGQUERY), "bigquery/scheduled/").values()
    assert "'current_timestamp() x'" in transfer["params"]["query"]
    assert r"'a\n  and timestamp >= b'" in transfer["params"]["query"]


def test_dataform_merges_by_the_events_identity_and_meets_each_event_once() -> None:
    config, body = sqlx_of(rule_of(EngineKind.BIGQUERY))
    assert '  type: "incremental",' in config
    assert '  uniqueKey: ["logName", "timestamp", "insertId"],' in config
    assert body.endswith("QUALIFY ROW_NUMBER() OVER (PARTITION BY logName, timestamp, insertId) = 1\n")


def test_without_an_identity_of_columns_dataform_appends() -> None:
    (prepared,) = pack_of([rule_of(EngineKind.BIGQUERY)], EngineKind.BIGQUERY).prepared
    layout = replace(prepared.layout, identity=(ColumnPath(column="resource", steps=("type",)),))
    text = deploy_bigquery.sqlx(replace(prepared, query=replace(prepared.query, layout=layout)))
    assert "uniqueKey" not in text
    assert "QUALIFY" not in text


def test_dataform_gets_the_program_without_comments_and_with_every_dollar_brace_neutralised() -> None:
    """Compiled with Dataform 3.0.62, the body gives back the program: the placeholder is the one thing that it evaluates."""
    rule = rule_of(EngineKind.BIGQUERY, title=HOSTILE_TITLE, texts=HOSTILE_TEXTS)
    _, body = sqlx_of(rule)
    program = pack_of([rule], EngineKind.BIGQUERY).prepared[0].query.text
    without_comments = "".join(f"{line}\n" for line in program.splitlines() if not line.startswith("--"))
    assert body.startswith("SELECT\n")
    assert "${" not in body.replace(PLACEHOLDER, "")
    assert body.replace(PLACEHOLDER, "$").startswith(without_comments)
    assert "process.exit" not in body


@pytest.mark.parametrize("field", ["title", "description"])
def test_nothing_in_the_config_ends_a_string_or_opens_a_block(field: str) -> None:
    hostile = HOSTILE_TITLE + '" } js { throw 1 } // /* \\" \\u0022'
    changes: dict[str, Any] = {field: hostile}
    config, _ = sqlx_of(rule_of(EngineKind.BIGQUERY, **changes))
    for line in config.splitlines():
        assert re.fullmatch(r"  \w+: (?:\[(?:\"[^\"\\]*\"(?:, )?)+\]|\"[^\"\\]*\"),", line), line
        assert not set("`{}$'\\") & set(line)


def test_the_settings_of_dataform_name_its_version_and_leave_places_to_the_operator() -> None:
    settings = yaml.safe_load(files_of(pack_of(shipped(), EngineKind.BIGQUERY))["dataform/workflow_settings.yaml"])
    assert settings["defaultProject"] == "PROJECT"
    assert re.fullmatch(r"3\.\d+\.\d+", settings["dataformCoreVersion"])


def test_a_query_over_the_limit_of_bigquery_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aibr_hunt.hunt.deploy_bigquery.LONGEST_QUERY", 100)
    (refused,) = pack_of([rule_of(EngineKind.BIGQUERY)], EngineKind.BIGQUERY).refused
    assert "BigQuery allows 100" in refused.reason


def test_a_scheduled_correlation_hangs_on_the_run_alone_and_reads_back_as_far_as_its_windows_need() -> None:
    rule = rule_of(EngineKind.BIGQUERY, texts=["CURRENT_TIMESTAMP()", "@run_time"])
    pack = pack_of((), EngineKind.BIGQUERY, correlations=[correlation_of(EngineKind.BIGQUERY)], sources={rule.id: rule}, every_hours=6)
    (transfer,) = documents(pack, "bigquery/scheduled/").values()
    Draft202012Validator(TRANSFER).validate(transfer)
    query = transfer["params"]["query"]
    assert "CURRENT_TIMESTAMP()" not in query
    assert "'current_timestamp()'" in query
    settle = pack.prepared[0].layout.settle_s * 1_000_000
    hours = 6 + 1 + -(-(HOUR_US + settle) // HOUR_US)
    lines = query.splitlines()
    at = next(number for number, line in enumerate(lines) if line.endswith(f"timestamp >= TIMESTAMP_SUB(@run_time, INTERVAL {hours} HOUR)"))
    assert lines[at + 1] == "    AND timestamp < @run_time"
    hour = f"DIV(UNIX_MICROS(@run_time), {HOUR_US}) * {HOUR_US}"
    assert lines[-3:-1] == [f"WHERE t >= {hour} - {6 * HOUR_US + settle}", f"  AND t < {hour} - {settle}"]


def test_a_correlation_on_a_sharded_table_is_bounded_by_the_day_of_the_run() -> None:
    pack = pack_of((), EngineKind.BIGQUERY, correlations=[correlation_of(EngineKind.BIGQUERY)], layout="export_sharded")
    (transfer,) = documents(pack, "bigquery/scheduled/").values()
    assert "DATE_SUB(DATE(@run_time)" in transfer["params"]["query"]
    assert "CURRENT_DATE()" not in transfer["params"]["query"]


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (CorrelationType.EVENT_COUNT, '["protoPayload_authenticationInfo_principalEmail", "window_end"]'),
        (CorrelationType.FIRST_SEEN, '["protoPayload_authenticationInfo_principalEmail", "window_end", "event_id"]'),
    ],
)
def test_dataform_merges_windows_by_what_tells_them_apart_and_gets_no_comment(kind: CorrelationType, key: str) -> None:
    hostile = correlation_of(EngineKind.BIGQUERY, kind, title=HOSTILE_TITLE)
    text = files_of(pack_of((), EngineKind.BIGQUERY, correlations=[hostile]))["dataform/definitions/many.sqlx"].decode()
    config, _, body = text.partition("\n}\n\n")
    assert f"  uniqueKey: {key}," in config
    assert body.startswith("WITH\nscanned AS (")
    assert not any(line.lstrip().startswith("--") for line in body.splitlines())
    assert "QUALIFY" not in body
    assert "process.exit" not in body


# --- Athena ------------------------------------------------------------------------------------------------------------------------


def test_every_saved_query_and_every_template_has_the_documented_shape() -> None:
    pack = pack_of(shipped(), EngineKind.ATHENA)
    named = documents(pack, "athena/named/")
    assert named
    for each in named.values():
        Draft202012Validator(named_schema()).validate(each)
    stacks = documents(pack, "athena/cloudformation/").values()
    for stack in stacks:
        Draft202012Validator(STACK).validate(stack)
    saved = [each["Properties"]["QueryString"] for stack in stacks for each in stack["Resources"].values()]
    assert sorted(saved) == sorted(each["QueryString"] for each in named.values())


def test_templates_are_divided_at_their_limit() -> None:
    rules = [rule_of(EngineKind.ATHENA, number, texts=[f"{each:x<900}" for each in range(60)]) for number in range(1, 12)]
    pack = pack_of(rules, EngineKind.ATHENA)
    stacks = {path: content for path, content in files_of(pack).items() if path.startswith("athena/cloudformation/")}
    assert sorted(stacks) == [f"athena/cloudformation/named_queries_{number:03d}.json" for number in range(1, len(stacks) + 1)]
    assert len(stacks) > 1
    assert all(len(content) <= deploy_athena.LARGEST_TEMPLATE for content in stacks.values())
    assert sum(len(each["Resources"]) for each in documents(pack, "athena/cloudformation/").values()) == len(rules)


def test_a_reference_that_cloudformation_would_resolve_is_taken_apart_or_refused() -> None:
    told = "{{resolve:secretsmanager:x}}"
    pack = pack_of([rule_of(EngineKind.ATHENA, title=told, description=told)], EngineKind.ATHENA)
    stacks = [content for path, content in files_of(pack).items() if path.startswith("athena/")]
    assert stacks
    assert all(b"{{resolve:" not in content for content in stacks)
    (refused,) = pack_of([rule_of(EngineKind.ATHENA, texts=[told])], EngineKind.ATHENA).refused
    assert "CloudFormation would resolve" in refused.reason


def test_what_is_over_a_limit_of_athena_is_refused_with_the_numbers() -> None:
    (refused,) = pack_of([rule_of(EngineKind.ATHENA, texts=[f"{each:x<900}" for each in range(300)])], EngineKind.ATHENA).refused
    assert re.search(r"has 2\d\d,\d{3} bytes; Athena allows 262,144", refused.reason)


def test_a_long_description_is_shortened_and_says_by_how_much() -> None:
    pack = pack_of([rule_of(EngineKind.ATHENA, description="word " * 400)], EngineKind.ATHENA)
    (named,) = documents(pack, "athena/named/").values()
    assert len(named["Description"]) <= 1024
    assert "characters" in named["Description"]


def test_cloudtrail_lake_has_no_saved_queries() -> None:
    (refused,) = pack_of([rule_of(EngineKind.ATHENA)], EngineKind.ATHENA, layout="lake").refused
    assert "has no saved queries" in refused.reason


@pytest.mark.parametrize(("table", "database"), [("", "default"), ("db.trail", "db"), ("cat.db.trail", "db")])
def test_the_database_is_what_stands_before_the_tables_name(table: str, database: str) -> None:
    found: dict[str, Any] = documents(pack_of([rule_of(EngineKind.ATHENA)], EngineKind.ATHENA, table=table), "athena/named/")
    assert [each["Database"] for each in found.values()] == [database]


def test_every_correlation_is_a_saved_query_of_the_documented_shape() -> None:
    pack = pack_of((), EngineKind.ATHENA, correlations=shipped_correlations(), sources=shipped_sources())
    named = documents(pack, "athena/named/")
    assert named
    for each in named.values():
        Draft202012Validator(named_schema()).validate(each)
        assert f"/ {HOUR_US} * {HOUR_US} - " in each["QueryString"].splitlines()[-2]
    for stack in documents(pack, "athena/cloudformation/").values():
        Draft202012Validator(STACK).validate(stack)


def test_a_correlations_title_too_holds_no_reference_that_cloudformation_resolves() -> None:
    told = "{{resolve:secretsmanager:x}}"
    pack = pack_of((), EngineKind.ATHENA, correlations=[correlation_of(EngineKind.ATHENA, title=told, description=told)])
    stacks = [content for path, content in files_of(pack).items() if path.startswith("athena/")]
    assert stacks
    assert all(b"{{resolve:" not in content for content in stacks)
