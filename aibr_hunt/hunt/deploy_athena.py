"""Rules and correlations as saved queries of Athena: requests for CreateNamedQuery, and CloudFormation templates.

Shapes and limits: the Athena API reference (NamedQuery) and the template reference of AWS::Athena::NamedQuery.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from aibr_hunt.hunt.deploy_parts import Artefact, Prepared, plain_json
from aibr_hunt.model.text import shorten

LONGEST_QUERY: Final = 262_144
LONGEST_NAME: Final = 128
LONGEST_DESCRIPTION: Final = 1_024
LARGEST_TEMPLATE: Final = 262_144
MOST_RESOURCES: Final = 500
WORKGROUP: Final = "primary"
# CloudTrail Lake speaks Athena's dialect and has no saved queries.
WITHOUT_SAVED_QUERIES: Final = frozenset({"lake"})
# CloudFormation resolves this in any text of a template, secrets included.
_REFERENCE: Final = "{{resolve:"


def artefacts(prepared: Prepared) -> Iterator[Artefact]:
    """Yield the file of one rule."""
    content = plain_json({**_named(prepared), "Database": database_of(prepared), "WorkGroup": WORKGROUP})
    yield Artefact(path=f"athena/named/{prepared.stem}.json", content=content, rules=(prepared.rule.id,))


def common(every: Sequence[Prepared]) -> Iterator[Artefact]:
    """Yield the CloudFormation templates: as few as their limits allow."""
    frame = size = len(_template([]))
    groups: list[list[Prepared]] = [[]]
    for prepared in every:
        own = len(_template([prepared])) - frame + 2  # and the comma between two
        if groups[-1] and (len(groups[-1]) == MOST_RESOURCES or size + own > LARGEST_TEMPLATE):
            groups.append([])
            size = frame
        groups[-1].append(prepared)
        size += own
    for number, members in enumerate(groups, start=1):
        if members:
            name = "named_queries" if len(groups) == 1 else f"named_queries_{number:03d}"
            ids = tuple(prepared.rule.id for prepared in members)
            yield Artefact(path=f"athena/cloudformation/{name}.json", content=_template(members), rules=ids)


def fault_of(prepared: Prepared) -> str:
    """Return why Athena would not take a rule, with the numbers; empty when it takes it."""
    if prepared.layout.name in WITHOUT_SAVED_QUERIES:
        return f"{prepared.layout.label} is CloudTrail Lake, which has no saved queries. Give another --layout."
    if _REFERENCE in prepared.query.text:
        return f"Its query holds {_REFERENCE}, which CloudFormation would resolve."
    size = len(prepared.query.text.encode())
    if size > LONGEST_QUERY:
        return f"Its query has {size:,} bytes; Athena allows {LONGEST_QUERY:,}."
    template = len(_template([prepared]))
    return f"Its template has {template:,} bytes; {LARGEST_TEMPLATE:,} are allowed here." if template > LARGEST_TEMPLATE else ""


def database_of(prepared: Prepared) -> str:
    """Return the database in front of the table's name, or Athena's usual one."""
    before, dot, _ = prepared.layout.table.rpartition(".")
    return before.rpartition(".")[2] if dot else "default"


def _named(prepared: Prepared) -> dict[str, str]:
    description = f"{prepared.title}. {' '.join(prepared.description.split())}"
    return {
        "Name": f"aibr_hunt_{prepared.stem}"[:LONGEST_NAME],
        "Description": shorten(description.replace(_REFERENCE, "{ {resolve:"), LONGEST_DESCRIPTION),
        "QueryString": prepared.query.text,
    }


def _template(every: Sequence[Prepared]) -> bytes:
    return plain_json(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "Saved queries of aibr_hunt. They run when somebody or something runs them.",
            "Parameters": {
                "WorkGroup": {"Type": "String", "Default": WORKGROUP, "Description": "The workgroup that holds the queries."},
            },
            "Resources": {_logical_id(prepared): _resource(prepared) for prepared in every},
        }
    )


def _resource(prepared: Prepared) -> dict[str, object]:
    properties = {**_named(prepared), "Database": database_of(prepared), "WorkGroup": {"Ref": "WorkGroup"}}
    return {"Type": "AWS::Athena::NamedQuery", "Properties": properties}


def _logical_id(prepared: Prepared) -> str:
    words = "".join(word.capitalize() for word in prepared.stem.split("_"))
    return f"{words}{hashlib.sha256(prepared.rule.id.encode()).hexdigest()[:8]}"
