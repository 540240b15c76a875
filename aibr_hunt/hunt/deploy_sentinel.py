"""Rules and correlations as scheduled analytics rules of Microsoft Sentinel: ARM templates, and the YAML of the community's repository.

Shapes and limits: the REST specification of Microsoft.SecurityInsights, and the validation that Azure-Sentinel runs on contributions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml

from aibr_hunt.compile.correlation_plan import HOUR_US
from aibr_hunt.compile.correlations import WITHOUT_FIGURE
from aibr_hunt.hunt.deploy_parts import Artefact, Deployment, Prepared, columns_at, group_columns, plain_json
from aibr_hunt.model.correlation import Correlation

LONGEST_QUERY: Final = 10_000
LONGEST_NAME: Final = 256
LONGEST_DESCRIPTION: Final = 5_000
LONGEST_PERIOD_HOURS: Final = 14 * 24
# Two runs share these minutes of arrivals, since no document says that runs start to the second.
SHARED_MINUTES: Final = 5
# Sentinel's list of tactics is older than the split of defense evasion into stealth and defense impairment.
TACTICS: Final = {
    "TA0043": "Reconnaissance",
    "TA0042": "ResourceDevelopment",
    "TA0001": "InitialAccess",
    "TA0002": "Execution",
    "TA0003": "Persistence",
    "TA0004": "PrivilegeEscalation",
    "TA0005": "DefenseEvasion",
    "TA0112": "DefenseEvasion",
    "TA0006": "CredentialAccess",
    "TA0007": "Discovery",
    "TA0008": "LateralMovement",
    "TA0009": "Collection",
    "TA0011": "CommandAndControl",
    "TA0010": "Exfiltration",
    "TA0040": "Impact",
}
SEVERITIES: Final = {"informational": "Informational", "low": "Low", "medium": "Medium", "high": "High", "critical": "High"}
# Connectors by table, as the community's list of connector ids spells them; a table that is not here is named without one.
_CONNECTORS: Final = {
    "AzureActivity": "AzureActivity",
    "AWSCloudTrail": "AWSS3",
    "AWSGuardDuty": "AWSS3",
    "AWSVPCFlow": "AWSS3",
    "AuditLogs": "AzureActiveDirectory",
    "SigninLogs": "AzureActiveDirectory",
    "AADNonInteractiveUserSignInLogs": "AzureActiveDirectory",
    "AADServicePrincipalSignInLogs": "AzureActiveDirectory",
    "AADManagedIdentitySignInLogs": "AzureActiveDirectory",
    "StorageBlobLogs": "AzureStorageAccount",
}
_API_VERSION: Final = "2023-12-01-preview"  # the first with subTechniques that the portal's own export names
_MOST_ACCOUNTS, _MOST_ADDRESSES, _MOST_DETAILS = 3, 2, 20
_LONGEST_DETAIL: Final = 20
_OBJECT_IDS: Final = frozenset({"objectid", "userid", "userobjectid"})
_RESOURCE_IDS: Final = frozenset({"resourceid", "_resourceid"})
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ADDRESS: Final = "AibrAddress"
WITHOUT_PORT: Final = r"^\[?([0-9]+(?:\.[0-9]+){3}|[0-9a-fA-F:.]+)\]?(?::[0-9]{1,5})?$"

Json = dict[str, object]


def artefacts(prepared: Prepared, asked: Deployment) -> Iterator[Artefact]:
    """Yield the files of one rule."""
    if "arm" in asked.forms:
        path = f"sentinel/arm/{prepared.stem}.json"
        yield Artefact(path=path, content=plain_json(_template(prepared, asked)), rules=(prepared.rule.id,))
    if "yaml" in asked.forms:
        path = f"sentinel/yaml/{prepared.stem}.yaml"
        yield Artefact(path=path, content=_yaml(_community(prepared, asked)), rules=(prepared.rule.id,))


def fault_of(prepared: Prepared, asked: Deployment) -> str:
    """Return why Sentinel would not take a rule, with the numbers; empty when it takes it."""
    if prepared.hours > LONGEST_PERIOD_HOURS:
        return _too_far(prepared, asked)
    measured = (
        ("query", len(text_of(prepared, asked)), LONGEST_QUERY),
        ("title", len(prepared.title), LONGEST_NAME),
        ("description", len(prepared.description), LONGEST_DESCRIPTION),
    )
    return " ".join(f"Its {what} has {size:,} characters; Sentinel allows {most:,}." for what, size, most in measured if size > most)


def _too_far(prepared: Prepared, asked: Deployment) -> str:
    found = prepared.scheduled
    of_its_own = "" if found is None else f", {-(-found.back_us // HOUR_US)} of them for what a window holds and is compared with"
    # With the smallest --every it may fit; a long history never does.
    is_mendable = prepared.hours - asked.every_hours + 1 <= LONGEST_PERIOD_HOURS
    said = f"it would look back {prepared.hours} hours{of_its_own}; Sentinel allows {LONGEST_PERIOD_HOURS} (14 days)."
    return f"{said} Give a smaller --every." if is_mendable else said


def text_of(prepared: Prepared, asked: Deployment) -> str:
    """Return the program as it is deployed: what arrived since the run before, and addresses without their port.

    Over the longer look-back alone, two runs would tell of the same event: the condition on `ingestion_time()` is the one that
    Microsoft's page on ingestion delay gives. A correlation's text has neither: it bounds its windows itself, and needs old rows too.
    """
    if prepared.scheduled is not None:
        return prepared.query.text
    lines = prepared.query.text.rstrip("\n").split("\n")
    if prepared.layout.arrival == "ingestion_time()":
        at = next(number for number, line in enumerate(lines) if line.startswith("| where "))
        lines.insert(at + 1, f"| where ingestion_time() >= ago({asked.every_hours * 60 + SHARED_MINUTES}m)")
    ported = [column for _, column, has_port in columns_at(prepared, prepared.mapping.address) if has_port]
    for column in ported[:1]:
        lines.append(f"| extend {_ADDRESS} = extract(@'{WITHOUT_PORT}', 1, {column})")
    return "\n".join(lines) + "\n"


def tactics_of(prepared: Prepared) -> list[str]:
    """Return the tactics by Sentinel's names, each once."""
    return list(dict.fromkeys(TACTICS[tactic.id] for tactic in prepared.tactics if tactic.id in TACTICS))


def _techniques(prepared: Prepared) -> tuple[list[str], list[str]]:
    """Return techniques and sub-techniques of ATT&CK; Sentinel knows no ATLAS."""
    ids = [technique.id for technique in prepared.rule.techniques if technique.framework == "attack"]
    return list(dict.fromkeys(each.split(".")[0] for each in ids)), list(dict.fromkeys(each for each in ids if "." in each))


def _entities(prepared: Prepared) -> list[Json]:
    mapping = prepared.mapping
    if prepared.scheduled is not None:
        return _group_entities(prepared)
    accounts = [
        _entity("Account", "AadUserId" if _is_object_id(path[-1], mapping.provider) else "FullName", column)
        for path, column, _ in columns_at(prepared, mapping.principal)
    ]
    addresses = [
        _entity("IP", "Address", _ADDRESS if has_port else column) for _, column, has_port in columns_at(prepared, mapping.address)
    ]
    return [*accounts[:_MOST_ACCOUNTS], *addresses[:_MOST_ADDRESSES], *_resources(prepared)]


def _entity_mappings(prepared: Prepared) -> Json:
    """Return the member of that name; no document says that an empty list is taken."""
    found = _entities(prepared)
    return {"entityMappings": found} if found else {}


def _group_entities(prepared: Prepared) -> list[Json]:
    """Return the accounts and addresses by which a correlation groups: nothing else in its rows is one."""
    mapping = prepared.mapping
    accounts = [
        _entity("Account", "AadUserId" if all(_is_object_id(path[-1], mapping.provider) for path in places) else "FullName", column)
        for places, column in group_columns(prepared, mapping.principal)
    ]
    addresses = [_entity("IP", "Address", column) for _, column in group_columns(prepared, mapping.address)]
    return [*accounts[:_MOST_ACCOUNTS], *addresses[:_MOST_ADDRESSES]]


def _resources(prepared: Prepared) -> list[Json]:
    found = [column for _, column, _ in columns_at(prepared, prepared.mapping.resource)]
    of_azure = [column for column in found if column.lower() in _RESOURCE_IDS]
    if of_azure:
        return [_entity("AzureResource", "ResourceId", of_azure[0])]
    return [_entity("CloudApplication", "Name", column) for column in found[:1]]


def _is_object_id(member: str, provider: str) -> bool:
    return provider.startswith("azure") and member.lower() in _OBJECT_IDS


def _entity(kind: str, identifier: str, column: str) -> Json:
    return {"entityType": kind, "fieldMappings": [{"identifier": identifier, "columnName": column}]}


def _details(prepared: Prepared) -> dict[str, str]:
    """Return the columns that an analyst reads first: action, region, account, and the event's identity; a window's group and edges."""
    if isinstance(prepared.rule, Correlation) and prepared.scheduled is not None:
        columns = [
            *prepared.scheduled.columns,
            "window_start",
            "window_end",
            *([] if prepared.rule.type in WITHOUT_FIGURE else ["figure"]),
            "event_id",
        ]
        short = {column[:_LONGEST_DETAIL]: column for column in reversed(columns)}
        return dict([*short.items()][::-1][:_MOST_DETAILS])
    mapping = prepared.mapping
    roles = (("Action", mapping.action), ("Region", mapping.region), ("AccountId", mapping.account))
    found = {name: column for name, paths in roles for _, column, _ in [*columns_at(prepared, paths)][:1]}
    own = [path.column for path in prepared.layout.identity if not path.steps]
    found |= {column.lstrip("_")[:_LONGEST_DETAIL]: column for column in own if column not in found.values()}
    usable = [(name, column) for name, column in found.items() if _WORD.fullmatch(name) and _WORD.fullmatch(column.lstrip("_"))]
    return dict(usable[:_MOST_DETAILS])


def _literal(text: str) -> str:
    """Return a text that a template takes as it is: in brackets from end to end it would be an expression."""
    return f"[{text}" if text.startswith("[") and text.endswith("]") else text


def _duration(hours: int) -> str:
    return f"P{hours // 24}D" if hours % 24 == 0 else f"PT{hours}H"


def _short_duration(hours: int) -> str:
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _template(prepared: Prepared, asked: Deployment) -> Json:
    owner = "Microsoft.OperationalInsights/workspaces/providers"
    resource = {
        "type": f"{owner}/alertRules",
        "apiVersion": _API_VERSION,
        "name": f"[concat(parameters('workspace'), '/Microsoft.SecurityInsights/{prepared.guid}')]",
        "kind": "Scheduled",
        "properties": _properties(prepared, asked),
    }
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"workspace": {"type": "string", "metadata": {"description": "Name of the Log Analytics workspace."}}},
        "resources": [resource],
    }


def _properties(prepared: Prepared, asked: Deployment) -> Json:
    techniques, below = _techniques(prepared)
    return {
        "displayName": _literal(prepared.title),
        "description": _literal(prepared.description),
        "severity": SEVERITIES.get(prepared.rule.level, "Medium"),
        "enabled": False,
        "query": _literal(text_of(prepared, asked)),
        "queryFrequency": _duration(asked.every_hours),
        "queryPeriod": _duration(prepared.hours),
        "triggerOperator": "GreaterThan",
        "triggerThreshold": 0,
        "suppressionDuration": "PT5H",
        "suppressionEnabled": False,
        "tactics": tactics_of(prepared),
        "techniques": techniques,
        "subTechniques": below,
        **_entity_mappings(prepared),
        "customDetails": _details(prepared),
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "incidentConfiguration": {
            "createIncident": True,
            "groupingConfiguration": {
                "enabled": True,
                "reopenClosedIncident": False,
                "lookbackDuration": "P1D",
                "matchingMethod": "AnyAlert",
            },
        },
    }


def _community(prepared: Prepared, asked: Deployment) -> Json:
    techniques, below = _techniques(prepared)
    table = prepared.layout.table
    return {
        "id": prepared.guid,
        "name": prepared.title,
        "description": prepared.description,
        "severity": SEVERITIES.get(prepared.rule.level, "Medium"),
        "requiredDataConnectors": [{"connectorId": _CONNECTORS[table], "dataTypes": [table]}] if table in _CONNECTORS else [],
        "queryFrequency": _short_duration(asked.every_hours),
        "queryPeriod": _short_duration(prepared.hours),
        "triggerOperator": "gt",
        "triggerThreshold": 0,
        "tactics": tactics_of(prepared),
        "relevantTechniques": [*(each for each in techniques if not any(sub.startswith(f"{each}.") for sub in below)), *below],
        "query": text_of(prepared, asked),
        **_entity_mappings(prepared),
        "customDetails": _details(prepared),
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "version": "1.0.0",
        "kind": "Scheduled",
    }


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block where YAML allows it, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        """Write equal values out each time."""
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)


def _yaml(value: Json) -> bytes:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, default_flow_style=False, width=10_000)
    return text.encode()
