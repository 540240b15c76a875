"""Who calls in the everyday traffic of Azure, and the records of the activity log and of resource logs that come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.scene import Record, Scene, Told

TENANT: Final = "00000000-0000-4000-8000-00000000000a"
GROUP: Final = "/SUBSCRIPTIONS/00000000-0000-4000-8000-000000000001/RESOURCEGROUPS/EXAMPLE-ML/PROVIDERS"
WORKSPACE: Final = f"{GROUP}/MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/EXAMPLE-ML"
MODELS: Final = f"{GROUP}/MICROSOFT.COGNITIVESERVICES/ACCOUNTS/EXAMPLE-AI"
STORAGE: Final = f"{GROUP}/MICROSOFT.STORAGE/STORAGEACCOUNTS/EXAMPLEML"
REGISTRY: Final = f"{GROUP}/MICROSOFT.CONTAINERREGISTRY/REGISTRIES/EXAMPLEML"
PEOPLE: Final = ("ada@example.com", "grace@example.com", "edsger@example.com", "barbara@example.com", "alan@example.com")
OFFICE: Final = ("198.51.100.10", "198.51.100.11", "198.51.100.12")
PROGRAMS: Final = ("deploy", "chat-app", "scoring-app", "backup", "monitor")
_UPN: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_OBJECT: Final = "http://schemas.microsoft.com/identity/claims/objectidentifier"


def object_id(name: str) -> str:
    """Return the object id of a person or program, always the same."""
    known = (*PEOPLE, *PROGRAMS)
    return f"00000000-0000-4000-8000-{known.index(name) + 100:012d}"


def address(who: str) -> str:
    """Return the address from which a person or program comes."""
    return OFFICE[PEOPLE.index(who) % len(OFFICE)] if who in PEOPLE else "192.0.2.20"


def act(scene: Scene, who: str, operation: str, *, resource: str, body: Mapping[str, Json] | None = None) -> Iterator[Told]:
    """Yield the records of one operation of the activity log: its start and its end, as most operations write them."""
    claims: Record = {_UPN: who, _OBJECT: object_id(who)} if who in PEOPLE else {"appid": object_id(who), _OBJECT: object_id(who)}
    correlation, ends = (scene.uuid(), ("Start", "Failure") if scene.chance(0.02) else ("Start", "Success"))
    for result in ends if scene.chance(0.5) else ends[1:]:
        properties: Record = {"eventCategory": "Administrative", "entity": resource, "message": operation, "hierarchy": TENANT}
        if body is not None and result == "Start":
            properties["requestbody"] = json.dumps(body)
        yield (
            "azure_activitylogs",
            {
                "time": scene.text,
                "resourceId": resource,
                "operationName": operation.upper(),
                "category": "Administrative",
                "resultType": result,
                "resultSignature": f"{result}.OK",
                "durationMs": 0,
                "callerIpAddress": address(who),
                "correlationId": correlation,
                "eventDataId": scene.uuid(),
                "identity": {
                    "authorization": {"scope": resource.lower(), "action": operation, "evidence": {"role": "Contributor"}},
                    "claims": claims,
                },
                "level": "Information",
                "location": "global",
                "properties": properties,
            },
        )
        scene.wait(0.5, 3)


def log(  # noqa: PLR0913 - a record has these parts
    scene: Scene, source: str, category: str, *, operation: str, resource: str, properties: Mapping[str, Json], **more: Json
) -> Told:
    """Return one record of a resource log."""
    event: Record = {
        "time": scene.text,
        "resourceId": resource,
        "category": category,
        "operationName": operation,
        "correlationId": scene.uuid(),
        "location": "westeurope",
        "properties": dict(properties),
        **more,
    }
    scene.wait(0.2, 4)
    return (source, event)
