"""Everyday records of Entra, and flows of the virtual networks: who signs in, what changes in the directory, who talks to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.azure_records import OFFICE, PROGRAMS, TENANT, address, log, object_id
from aibr_hunt.testing.benign.scene import Hours, Record, Scene, Told, habit

_CHANGES: Final = (
    ("Update user", "UserManagement"),
    ("Add member to group", "GroupManagement"),
    ("Update device", "Device"),
    ("Change user license", "UserManagement"),
    ("Reset user password", "UserManagement"),
    ("Update application", "ApplicationManagement"),
)


def signed_in(scene: Scene, who: str) -> Iterator[Told]:
    """Yield the record of a person who signs in."""
    code = "50126" if scene.chance(0.03) else "0"
    yield _sign_in(
        scene,
        "azure_signinlogs",
        "SignInLogs",
        code=code,
        userPrincipalName=who,
        userId=object_id(who),
        ipAddress=address(who),
        appDisplayName=scene.usual(("Azure Portal", "Azure Machine Learning", "Microsoft Teams")),
        resourceDisplayName="Windows Azure Service Management API",
    )


def _sign_in(scene: Scene, source: str, category: str, *, code: str, **about: Json) -> Told:
    properties: Record = {
        "id": scene.uuid(),
        "createdDateTime": scene.text,
        "status": {"errorCode": int(code)},
        "location": "NL",
        "autonomousSystemNumber": 64500,
        **about,
    }
    resource = f"/tenants/{TENANT}/providers/Microsoft.aadiam"
    return log(
        scene,
        source,
        category,
        operation="Sign-in activity",
        resource=resource,
        properties=properties,
        resultType=code,
        callerIpAddress=about.get("ipAddress", ""),
    )


def _programs_sign_in(scene: Scene) -> Iterator[Told]:
    for _ in scene.times(3, 10):
        who = scene.usual(PROGRAMS)
        same: dict[str, Json] = {"servicePrincipalId": object_id(who), "servicePrincipalName": who, "appId": object_id(who)}
        resource = scene.usual(("Azure Resource Manager", "Azure Storage", "Microsoft Cognitive Services"))
        code = "7000215" if scene.chance(0.005) else "0"
        more: dict[str, Json] = {"resourceDisplayName": resource, "servicePrincipalCredentialKeyId": object_id(who)}
        yield _sign_in(
            scene, "azure_serviceprincipal_signinlogs", "ServicePrincipalSignInLogs", code=code, ipAddress="192.0.2.20", **same, **more
        )
        yield _sign_in(scene, "azure_managedidentity_signinlogs", "ManagedIdentitySignInLogs", code="0", ipAddress="", **same, **more)


def _directory(scene: Scene) -> Iterator[Told]:
    for _ in scene.times(2, 6):
        name, category = scene.usual(_CHANGES)
        about: Record = {
            "id": f"Directory_{scene.hex(8)}",
            "category": category,
            "activityDisplayName": name,
            "activityDateTime": scene.text,
            "loggedByService": "Core Directory",
            "operationType": "Update",
            "result": "success",
            "initiatedBy": {"user": {"id": object_id("ada@example.com"), "userPrincipalName": "ada@example.com", "ipAddress": OFFICE[0]}},
            "targetResources": [{"id": scene.uuid(), "displayName": "team", "type": "User", "modifiedProperties": []}],
        }
        yield log(
            scene,
            "azure_auditlogs",
            "AuditLogs",
            operation=name,
            resource=f"/tenants/{TENANT}/providers/Microsoft.aadiam",
            properties=about,
        )


def _flows(scene: Scene) -> Iterator[Told]:
    for _ in scene.times(10, 40):
        is_out = scene.chance(0.4)
        flow: Record = {
            "Type": "NTANetAnalytics",
            "FlowStartTime": scene.text,
            "FlowEndTime": scene.text,
            "FlowIntervalStartTime": scene.text,
            "TimeGenerated": scene.text,
            "MacAddress": f"00-0D-3A-{scene.hex(2)}-{scene.hex(2)}-01".upper(),
            "SrcIp": f"10.2.0.{scene.rng.randint(4, 60)}",
            "DestIp": "" if is_out else "10.2.1.9",
            "DestPublicIps": "198.51.100.200|1|0|3|0|0" if is_out else "",
            "DestPort": scene.usual((443, 5432, 53)),
            "FlowDirection": "Outbound",
            "FlowStatus": "Allowed",
            "FlowType": scene.usual(("AzurePublic", "ExternalPublic")) if is_out else "IntraVNet",
            "Country": "nl" if is_out else "",
            "SrcSubnet": scene.pick(("example-ml/main/example-ml-train", "example-ml/main/web")),
            "BytesSrcToDest": scene.rng.randint(200, 5000000),
            "BytesDestToSrc": scene.rng.randint(200, 5000000),
            "L4Protocol": "T",
        }
        yield ("azure_vnetflow", flow)
        scene.wait(1, 10)


TENANT_HABITS: Final = (
    habit(4, Hours.ALWAYS, _programs_sign_in),
    habit(5, Hours.WORK, _directory),
    habit(3, Hours.ALWAYS, _flows),
)
