"""Sentinel's rules: the shape that the resource provider documents, its limits, and text that no template reads as an expression."""

from __future__ import annotations

from typing import Any

import pytest
import re2
import yaml
from jsonschema import Draft202012Validator

from aibr_hunt.hunt.deploy_sentinel import TACTICS, WITHOUT_PORT
from aibr_hunt.model.correlation import CorrelationType
from aibr_hunt.model.layout import EngineKind
from tests.built_in import LIBRARY
from tests.unit.deploy_samples import (
    FIELDS,
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

# The enumeration AttackTactic of Microsoft.SecurityInsights, and the identifiers of the entities that are used here.
KNOWN_TACTICS = [
    "Reconnaissance",
    "ResourceDevelopment",
    "InitialAccess",
    "Execution",
    "Persistence",
    "PrivilegeEscalation",
    "DefenseEvasion",
    "CredentialAccess",
    "Discovery",
    "LateralMovement",
    "Collection",
    "Exfiltration",
    "CommandAndControl",
    "Impact",
    "PreAttack",
    "ImpairProcessControl",
    "InhibitResponseFunction",
]
IDENTIFIERS = {"Account": ["FullName", "AadUserId"], "IP": ["Address"], "AzureResource": ["ResourceId"], "CloudApplication": ["Name"]}
DURATION = {"type": "string", "pattern": r"^P(\d+D|T\d+H)$"}
ENTITY = {
    "type": "object",
    "required": ["entityType", "fieldMappings"],
    "additionalProperties": False,
    "properties": {
        "entityType": {"enum": list(IDENTIFIERS)},
        "fieldMappings": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": {
                "type": "object",
                "required": ["identifier", "columnName"],
                "additionalProperties": False,
                "properties": {
                    "identifier": {"enum": [each for some in IDENTIFIERS.values() for each in some]},
                    "columnName": {"type": "string"},
                },
            },
        },
    },
}
DETAILS = {
    "type": "object",
    "maxProperties": 20,
    "propertyNames": {"pattern": r"^[a-zA-Z]+\w*$", "maxLength": 20},
    "additionalProperties": {"type": "string", "pattern": r"^[a-zA-Z_]+\w*$", "maxLength": 500},
}
PROPERTIES: dict[str, Any] = {
    "displayName": {"type": "string", "minLength": 1, "maxLength": 257},
    "description": {"type": "string", "minLength": 1, "maxLength": 5001},
    "severity": {"enum": ["Informational", "Low", "Medium", "High"]},
    "enabled": {"const": False},
    "query": {"type": "string", "minLength": 1, "maxLength": 10_000},
    "queryFrequency": DURATION,
    "queryPeriod": DURATION,
    "triggerOperator": {"enum": ["GreaterThan", "LessThan", "Equal", "NotEqual"]},
    "triggerThreshold": {"type": "integer", "minimum": 0, "maximum": 10_000},
    "suppressionDuration": {"const": "PT5H"},
    "suppressionEnabled": {"const": False},
    "tactics": {"type": "array", "items": {"enum": KNOWN_TACTICS}, "uniqueItems": True},
    "techniques": {"type": "array", "items": {"type": "string", "pattern": r"^T\d{4}$"}, "uniqueItems": True},
    "subTechniques": {"type": "array", "items": {"type": "string", "pattern": r"^T\d{4}\.\d{3}$"}, "uniqueItems": True},
    "entityMappings": {"type": "array", "minItems": 1, "maxItems": 10, "items": ENTITY},
    "customDetails": DETAILS,
    "eventGroupingSettings": {
        "properties": {"aggregationKind": {"enum": ["SingleAlert", "AlertPerResult"]}},
        "required": ["aggregationKind"],
    },
    "incidentConfiguration": {
        "type": "object",
        "required": ["createIncident", "groupingConfiguration"],
        "properties": {
            "createIncident": {"type": "boolean"},
            "groupingConfiguration": {
                "required": ["enabled", "reopenClosedIncident", "lookbackDuration", "matchingMethod"],
                "properties": {"lookbackDuration": DURATION, "matchingMethod": {"enum": ["AllEntities", "AnyAlert", "Selected"]}},
            },
        },
    },
}
# What names no account and no address has no entity.
REQUIRED = [name for name in PROPERTIES if name != "entityMappings"]
TEMPLATE = {
    "type": "object",
    "required": ["$schema", "contentVersion", "parameters", "resources"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": "deploymentTemplate"},
        "contentVersion": {"const": "1.0.0.0"},
        "parameters": {"type": "object", "required": ["workspace"]},
        "resources": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "apiVersion", "name", "kind", "properties"],
                "properties": {
                    "type": {"const": "Microsoft.OperationalInsights/workspaces/providers/alertRules"},
                    "apiVersion": {"pattern": r"^\d{4}-\d{2}-\d{2}(-preview)?$"},
                    "name": {"pattern": r"^\[concat\(parameters\('workspace'\), '/Microsoft\.SecurityInsights/[0-9a-f-]{36}'\)\]$"},
                    "kind": {"const": "Scheduled"},
                    "properties": {"type": "object", "required": REQUIRED, "additionalProperties": False, "properties": PROPERTIES},
                },
            },
        },
    },
}
COMMUNITY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "name", "description", "severity", "requiredDataConnectors", "query", "version", "kind"],
    "properties": {
        "id": {"pattern": "^[0-9a-f-]{36}$"},
        "name": {"type": "string", "maxLength": 256},
        "description": {"type": "string", "maxLength": 5000},
        "severity": PROPERTIES["severity"],
        "requiredDataConnectors": {"type": "array", "items": {"type": "object", "required": ["connectorId", "dataTypes"]}},
        "queryFrequency": {"pattern": r"^\d+[hd]$"},
        "queryPeriod": {"pattern": r"^\d+[hd]$"},
        "triggerOperator": {"const": "gt"},
        "triggerThreshold": {"const": 0},
        "tactics": PROPERTIES["tactics"],
        "relevantTechniques": {"type": "array", "items": {"pattern": r"^T\d{4}(\.\d{3})?$"}},
        "query": PROPERTIES["query"],
        "entityMappings": PROPERTIES["entityMappings"],
        "customDetails": DETAILS,
        "eventGroupingSettings": PROPERTIES["eventGroupingSettings"],
        "version": {"pattern": r"^\d+\.\d+\.\d+$"},
        "kind": {"const": "Scheduled"},
    },
}


def properties_of(*rules: Any, **asked: Any) -> list[dict[str, Any]]:
    found = documents(pack_of(rules, EngineKind.KQL, **asked), "sentinel/arm/")
    return [each["resources"][0]["properties"] for each in found.values()]


def test_every_template_has_the_documented_shape_and_keeps_the_limits() -> None:
    templates = documents(pack_of(shipped(), EngineKind.KQL), "sentinel/arm/")
    assert templates
    for template in templates.values():
        Draft202012Validator(TEMPLATE).validate(template)


def test_every_file_in_the_communitys_form_has_its_shape_and_says_the_same() -> None:
    pack = pack_of(shipped(), EngineKind.KQL)
    templates = documents(pack, "sentinel/arm/")
    pages = {path: yaml.safe_load(content) for path, content in files_of(pack).items() if path.startswith("sentinel/yaml/")}
    assert len(pages) == len(templates)
    for path, page in pages.items():
        Draft202012Validator(COMMUNITY).validate(page)
        properties = templates[path.replace("yaml/", "arm/").replace(".yaml", ".json")]["resources"][0]["properties"]
        assert page["query"] == properties["query"]
        assert page["tactics"] == properties["tactics"]
        assert page.get("entityMappings") == properties.get("entityMappings")


def test_entities_and_details_name_columns_that_the_text_gives() -> None:
    for each in properties_of(*shipped()):
        given = each["query"][each["query"].index("| project") :]
        named = [field["columnName"] for entity in each.get("entityMappings", []) for field in entity["fieldMappings"]]
        assert all(column in given for column in [*named, *each["customDetails"].values()])


def test_every_tactic_of_the_catalogue_has_a_name_that_sentinel_knows() -> None:
    assert {tactic.id for tactic in LIBRARY.catalogue.tactics_of("attack")} == TACTICS.keys()
    assert set(TACTICS.values()) <= set(KNOWN_TACTICS)


def test_techniques_of_atlas_are_left_out_and_sub_techniques_stand_apart() -> None:
    tags = ["attack.credential-access", "attack.t1552", "attack.t1555.006", "atlas.aml.t0055"]
    (found,) = properties_of(rule_of(EngineKind.KQL, tags=tags))
    assert (found["techniques"], found["subTechniques"]) == (["T1552", "T1555"], ["T1555.006"])
    assert found["tactics"] == ["CredentialAccess"]


@pytest.mark.parametrize(
    ("level", "severity"),
    [("informational", "Informational"), ("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "High")],
)
def test_severities_map(level: str, severity: str) -> None:
    assert properties_of(rule_of(EngineKind.KQL, level=level))[0]["severity"] == severity


@pytest.mark.parametrize(
    ("every", "frequency", "period", "minutes"), [(1, "PT1H", "PT2H", 65), (24, "P1D", "PT25H", 1445), (23, "PT23H", "P1D", 1385)]
)
def test_the_text_looks_back_as_far_as_the_rule_and_tells_of_arrivals_since_the_run_before(
    every: int, frequency: str, period: str, minutes: int
) -> None:
    (found,) = properties_of(rule_of(EngineKind.KQL), every_hours=every)
    assert (found["queryFrequency"], found["queryPeriod"]) == (frequency, period)
    lines = found["query"].splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("| where "))
    assert lines[at : at + 2] == [f"| where TimeGenerated >= ago({every + 1}h)", f"| where ingestion_time() >= ago({minutes}m)"]


def test_a_port_behind_an_address_is_taken_off_before_it_becomes_an_entity() -> None:
    rule = rule_of(
        EngineKind.KQL,
        logsource={"product": "azure", "service": "storage_blob"},
        detection={"selection": {"operationName": "GetBlob"}, "condition": "selection"},
    )
    (found,) = properties_of(rule)
    assert {"identifier": "Address", "columnName": "AibrAddress"} in [each["fieldMappings"][0] for each in found["entityMappings"]]
    assert "| extend AibrAddress = extract(" in found["query"]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7:443", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
    ],
)
def test_addresses_lose_their_port_and_nothing_else(written: str, address: str) -> None:
    found = re2.search(WITHOUT_PORT, written)
    assert found is not None
    assert found.group(1) == address


def test_a_text_in_brackets_is_no_expression() -> None:
    (found,) = properties_of(rule_of(EngineKind.KQL, title="[concat('a')]", description="[reference('secret').value]"))
    assert found["displayName"] == "[[concat('a')]"
    assert found["description"] == "[[reference('secret').value]"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": "x" * 257}, "title has 257 characters; Sentinel allows 256"),
        ({"description": "x" * 5001}, "description has 5,001 characters; Sentinel allows 5,000"),
        ({"texts": [f"{number:x<40}" for number in range(400)]}, "characters; Sentinel allows 10,000"),
    ],
)
def test_what_is_over_a_limit_is_refused_by_name_with_the_numbers(changes: dict[str, Any], reason: str) -> None:
    pack = pack_of([rule_of(EngineKind.KQL, **changes)], EngineKind.KQL)
    assert [each.name for each in pack.refused] == ["rule_1"]
    assert reason in pack.refused[0].reason
    assert pack.prepared == ()


def test_a_look_back_over_fourteen_days_is_refused() -> None:
    (refused,) = pack_of([rule_of(EngineKind.KQL)], EngineKind.KQL, every_hours=336).refused
    assert "337 hours" in refused.reason


def test_one_form_alone_can_be_asked_for() -> None:
    names = files_of(pack_of([rule_of(EngineKind.KQL)], EngineKind.KQL, forms=("yaml",)))
    assert sorted(names) == ["README.md", "pack.json", "sentinel/yaml/rule_1.yaml"]


def test_what_a_stranger_wrote_comes_back_whole_from_yaml_and_json() -> None:
    rule = rule_of(EngineKind.KQL, title=HOSTILE_TITLE, description="a\n - b: *c\n&d !!python/object:os.system x", texts=HOSTILE_TEXTS)
    pack = pack_of([rule], EngineKind.KQL)
    page = yaml.safe_load(files_of(pack)["sentinel/yaml/rule_1.yaml"])
    (properties,) = properties_of(rule)
    assert page["name"] == properties["displayName"] == pack.prepared[0].title
    assert page["description"] == "a\n - b: *c\n&d !!python/object:os.system x"
    assert page["query"] == properties["query"]


# --- correlations ------------------------------------------------------------------------------------------------------------------


def windows_of(*correlations: Any, **asked: Any) -> list[dict[str, Any]]:
    found = documents(pack_of((), EngineKind.KQL, correlations=correlations, **asked), "sentinel/arm/")
    return [each["resources"][0]["properties"] for each in found.values()]


def test_correlations_too_have_the_documented_shape_and_keep_the_limits() -> None:
    pack = pack_of((), EngineKind.KQL, correlations=shipped_correlations(), sources=shipped_sources())
    templates = documents(pack, "sentinel/arm/")
    assert templates
    for template in templates.values():
        properties = template["resources"][0]["properties"]
        Draft202012Validator({"required": REQUIRED, "additionalProperties": False, "properties": PROPERTIES}).validate(properties)
        shown = properties["query"][properties["query"].rindex("| project") :]
        named = [field["columnName"] for entity in properties.get("entityMappings", []) for field in entity["fieldMappings"]]
        assert all(column in shown for column in [*named, *properties["customDetails"].values()])
    for path, content in files_of(pack).items():
        if path.startswith("sentinel/yaml/"):
            Draft202012Validator(COMMUNITY).validate(yaml.safe_load(content))


def test_the_period_covers_windows_settling_and_the_part_of_an_hour_before_the_run() -> None:
    (found,) = windows_of(correlation_of(EngineKind.KQL), every_hours=6)
    # Six hours, one that a window spans, one in which events settle, and what is left of the hour of the run.
    assert (found["queryFrequency"], found["queryPeriod"]) == ("PT6H", "PT9H")
    assert "TimeGenerated >= ago(9h)" in found["query"]
    assert "ingestion_time()" not in found["query"]
    assert f"| where t >= bin(now(), 1h) - {7 * 3600}s" in found["query"].splitlines()
    assert "| where t < bin(now(), 1h) - 3600s" in found["query"].splitlines()


def test_accounts_and_addresses_of_the_group_are_the_entities_and_nothing_else_is() -> None:
    account, address, other = FIELDS[EngineKind.KQL]
    (found,) = windows_of(correlation_of(EngineKind.KQL, by=(other, address, account)))
    assert found["entityMappings"] == [
        {"entityType": "Account", "fieldMappings": [{"identifier": "FullName", "columnName": account}]},
        {"entityType": "IP", "fieldMappings": [{"identifier": "Address", "columnName": address}]},
    ]
    assert list(found["customDetails"].values()) == [other, address, account, "window_start", "window_end", "figure", "event_id"]
    (without,) = windows_of(correlation_of(EngineKind.KQL, by=(other,)))
    assert "entityMappings" not in without


@pytest.mark.parametrize(("days", "every", "hours", "hint"), [(30, 1, 723, ""), (13, 24, 338, " Give a smaller --every.")])
def test_a_baseline_that_looks_back_further_than_a_rule_may_is_refused_by_name(days: int, every: int, hours: int, hint: str) -> None:
    far = correlation_of(EngineKind.KQL, CorrelationType.FIRST_SEEN, lookback_us=days * 24 * HOUR_US)
    (refused,) = pack_of((), EngineKind.KQL, correlations=[far], every_hours=every).refused
    own = f"{days * 24} of them for what a window holds and is compared with"
    assert (refused.name, refused.reason) == ("many", f"it would look back {hours} hours, {own}; Sentinel allows 336 (14 days).{hint}")


def test_a_baseline_within_fourteen_days_is_taken() -> None:
    near = correlation_of(EngineKind.KQL, CorrelationType.FIRST_SEEN, lookback_us=13 * 24 * HOUR_US)
    (found,) = windows_of(near, every_hours=21)
    assert found["queryPeriod"] == "PT335H"


def test_a_correlation_over_the_limit_of_a_query_is_refused_with_the_numbers() -> None:
    rule = rule_of(EngineKind.KQL, texts=[f"{number:x<40}" for number in range(400)])
    (refused,) = pack_of((), EngineKind.KQL, correlations=[correlation_of(EngineKind.KQL)], sources={rule.id: rule}).refused
    assert "characters; Sentinel allows 10,000." in refused.reason


def test_a_percentile_is_refused_by_name() -> None:
    middle = correlation_of(EngineKind.KQL, CorrelationType.VALUE_MEDIAN)
    (refused,) = pack_of((), EngineKind.KQL, correlations=[middle]).refused
    assert refused.reason == "value_median in kql is not supported: percentiles there are approximations."
