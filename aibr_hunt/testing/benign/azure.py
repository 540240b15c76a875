"""Everyday records of Azure: the activity log, Entra and the resource logs of workspaces, model accounts, registries and storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.azure_records import (
    GROUP,
    MODELS,
    PEOPLE,
    REGISTRY,
    STORAGE,
    TENANT,
    WORKSPACE,
    act,
    address,
    log,
    object_id,
)
from aibr_hunt.testing.benign.azure_tenant import signed_in
from aibr_hunt.testing.benign.scene import Hours, Record, Scene, Told, habit

_ML: Final = "Microsoft.MachineLearningServices/workspaces"
_AI: Final = "Microsoft.CognitiveServices/accounts"
_LINES: Final = (
    "127.0.0.1 - - POST /score 200",
    "INFO: loading the model from /var/azureml-app/azureml-models/churn/5",
    "WARNING: column age has 3 empty values",
    "Successfully installed numpy-2.3.0 pandas-2.3.0",
    "INFO: gunicorn worker booted with pid 31",
)


def _workspace(scene: Scene) -> Iterator[Told]:
    who = scene.usual(PEOPLE)
    for _ in scene.times(1, 4):
        yield from act(scene, who, f"{_ML}/jobs/write", resource=f"{WORKSPACE}/JOBS/{scene.hex(8)}")
        yield from act(scene, who, f"{_ML}/codes/versions/startPendingUpload/action", resource=f"{WORKSPACE}/CODES/C/VERSIONS/1")
    if scene.chance(0.5):
        yield from act(scene, who, f"{_ML}/computes/start/action", resource=f"{WORKSPACE}/COMPUTES/CI-{PEOPLE.index(who)}")
    yield from _runs(scene, who)


def _runs(scene: Scene, who: str) -> Iterator[Told]:
    run = f"churn_{scene.hex(8)}"
    for status in ("Queued", "Running", "Completed"):
        about: Record = {"RunId": run, "Status": status, "TriggeringUserName": who.split("@", maxsplit=1)[0], "WorkspaceName": "example-ml"}
        operation = "MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/EXPERIMENTS/RUNS/WRITE"
        yield log(
            scene,
            "azure_aml_run_status",
            "AmlRunStatusChangedEvent",
            operation=operation,
            resource=WORKSPACE,
            properties=about,
            callerIpAddress=address(who),
        )
        scene.wait(30, 600)
    environment: Record = {
        "AmlEnvironmentName": scene.usual(("churn-train", "AzureML-acpt-pytorch")),
        "AmlEnvironmentVersion": "4",
        "AadTenantId": TENANT,
    }
    operation = "MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/ENVIRONMENTS/READ"
    yield log(
        scene,
        "azure_aml_environment",
        "EnvironmentReadEvent",
        operation=operation,
        resource=WORKSPACE,
        properties=environment,
        identity=object_id(who),
    )
    size: Record = {
        "ClusterName": "cpu",
        "EventType": "NodeCountChanged",
        "VmSize": "STANDARD_DS3_V2",
        "CurrentNodeCount": scene.rng.randint(0, 4),
        "MaximumNodeCount": 4,
    }
    yield log(scene, "azure_aml_compute_cluster", "AmlComputeClusterEvent", operation="ClusterResized", resource=WORKSPACE, properties=size)


def _release(scene: Scene) -> Iterator[Told]:
    who = "deploy"
    image: Record = {"properties": {"image": "exampleml.azurecr.io/train:1.4"}}
    yield from act(scene, who, f"{_ML}/environments/versions/write", resource=f"{WORKSPACE}/ENVIRONMENTS/CHURN/VERSIONS/5", body=image)
    model: Record = {
        "properties": {
            "modelUri": "azureml://subscriptions/0/resourcegroups/example-ml/workspaces/example-ml/datastores/workspaceblobstore/paths/out"
        }
    }
    yield from act(
        scene, who, f"{_ML}/models/versions/write", resource=f"{WORKSPACE}/MODELS/CHURN/VERSIONS/{scene.rng.randint(1, 90)}", body=model
    )
    yield from act(scene, who, f"{_ML}/onlineEndpoints/deployments/write", resource=f"{WORKSPACE}/ONLINEENDPOINTS/CHURN/DEPLOYMENTS/BLUE")
    yield from act(scene, who, "Microsoft.Resources/deployments/write", resource=f"{GROUP}/MICROSOFT.RESOURCES/DEPLOYMENTS/{scene.hex(6)}")
    yield from act(
        scene,
        who,
        f"{_AI}/deployments/write",
        resource=f"{MODELS}/DEPLOYMENTS/CHAT",
        body={"sku": {"name": "Standard", "capacity": 50}, "properties": {"model": {"name": "gpt-4o-mini"}}},
    )
    if scene.chance(0.4):
        yield from act(scene, who, f"{_AI}/listKeys/action", resource=MODELS)


def _portal(scene: Scene) -> Iterator[Told]:
    """People look at things, and now and then copy a key."""
    who = scene.usual(PEOPLE)
    if scene.chance(0.1):
        yield from act(scene, who, f"{_AI}/listKeys/action", resource=MODELS)
    if scene.chance(0.3):
        yield from act(scene, who, f"{_ML}/onlineEndpoints/token/action", resource=f"{WORKSPACE}/ONLINEENDPOINTS/CHURN")
    yield from act(scene, who, "Microsoft.Insights/metricAlerts/write", resource=f"{GROUP}/MICROSOFT.INSIGHTS/METRICALERTS/LATENCY")
    yield from signed_in(scene, who)


def _platform(scene: Scene) -> Iterator[Told]:
    """The rest of the subscription."""
    yield from act(
        scene, "deploy", "Microsoft.Resources/deployments/write", resource=f"{GROUP}/MICROSOFT.RESOURCES/DEPLOYMENTS/{scene.hex(6)}"
    )
    yield from act(scene, "deploy", "Microsoft.Web/sites/config/list/action", resource=f"{GROUP}/MICROSOFT.WEB/SITES/CHAT")
    yield from act(
        scene, "monitor", "Microsoft.Compute/virtualMachines/extensions/write", resource=f"{GROUP}/MICROSOFT.COMPUTE/VIRTUALMACHINES/WEB"
    )
    yield from act(
        scene,
        "deploy",
        "Microsoft.Compute/virtualMachineScaleSets/write",
        resource=f"{GROUP}/MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/POOL",
    )
    if scene.chance(0.3):
        yield from act(scene, "backup", "Microsoft.Storage/storageAccounts/listKeys/action", resource=STORAGE)
        yield from act(
            scene,
            "deploy",
            "Microsoft.Network/networkSecurityGroups/securityRules/write",
            resource=f"{GROUP}/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/WEB",
        )
    if scene.chance(0.1):
        switched: Json = [{"category": "RequestResponse", "enabled": True}, {"category": "Audit", "enabled": True}]
        yield from act(
            scene,
            "deploy",
            "Microsoft.Insights/diagnosticSettings/write",
            resource=f"{MODELS}/PROVIDERS/MICROSOFT.INSIGHTS/DIAGNOSTICSETTINGS/ALL",
            body={"properties": {"logs": switched}},
        )
        reader = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
        granted: Record = {"Properties": {"RoleDefinitionId": reader, "PrincipalType": "User"}}
        yield from act(
            scene,
            "deploy",
            "Microsoft.Authorization/roleAssignments/write",
            resource=f"{GROUP}/MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/{scene.uuid()}",
            body=granted,
        )


def _chat(scene: Scene) -> Iterator[Told]:
    name = scene.usual(("gpt-4o-mini", "text-embedding-3-large"))
    operation = "ChatCompletions_Create" if name.startswith("gpt") else "Embeddings_Create"
    uses_key = scene.chance(0.2)
    for _ in scene.times(10, 40):
        about: Record = {
            "apiName": "Azure OpenAI API version 2024-10-21",
            "requestTime": 0,
            "requestLength": scene.rng.randint(300, 9000),
            "responseLength": scene.rng.randint(200, 4000),
            "objectId": "" if uses_key else object_id("chat-app"),
            "streamType": "Non-Streaming",
            "modelDeploymentName": "chat" if name.startswith("gpt") else "embed",
            "modelName": name,
            "modelVersion": "2024-07-18",
        }
        status = "429" if scene.chance(0.01) else "400" if scene.chance(0.003) else "200"
        more: dict[str, Json] = {
            "resultSignature": status,
            "callerIpAddress": "192.0.2.***",
            "Tenant": "westeurope",
            "durationMs": scene.rng.randint(80, 9000),
        }
        yield log(scene, "azure_cognitiveservices", "RequestResponse", operation=operation, resource=MODELS, properties=about, **more)
        scene.wait(5, 120)


def _scoring(scene: Scene) -> Iterator[Told]:
    endpoint = f"{WORKSPACE}/ONLINEENDPOINTS/CHURN"
    for _ in scene.times(10, 40):
        about: Record = {
            "Method": "POST",
            "Path": "/score",
            "EndpointName": "churn",
            "DeploymentName": "blue",
            "AuthType": scene.usual(("AADToken", "Key")),
            "UserAgent": "python-requests/2.32.0",
            "ResponseCode": "200" if scene.chance(0.99) else "408",
            "RequestPayloadSize": scene.rng.randint(200, 4000),
            "ResponsePayloadSize": scene.rng.randint(50, 900),
            "XRequestId": scene.uuid(),
        }
        yield log(
            scene,
            "azure_aml_endpoint_traffic",
            "AmlOnlineEndpointTrafficLog",
            operation="Microsoft.MachineLearningServices/workspaces/onlineEndpoints/traffic",
            resource=endpoint,
            properties=about,
        )
        said: Record = {
            "InstanceId": "i-1",
            "DeploymentName": "blue",
            "ContainerName": "inference-server",
            "ContainerImageName": "exampleml.azurecr.io/serve:1.4",
            "Message": scene.pick(_LINES),
        }
        yield log(
            scene,
            "azure_aml_endpoint_console",
            "AmlOnlineEndpointConsoleLog",
            operation="Microsoft.MachineLearningServices/workspaces/onlineEndpoints/console",
            resource=endpoint,
            properties=said,
        )
        scene.wait(2, 60)


def _operators(scene: Scene) -> Iterator[Told]:
    """Programs that look after everything: plans are compared with what is there, trials are taken away."""
    for number in scene.times(1, 7):
        yield from act(scene, "deploy", f"{_AI}/listKeys/action", resource=f"{MODELS}-{number}")
    yield from act(
        scene,
        "deploy",
        "Microsoft.OperationalInsights/workspaces/sharedKeys/action",
        resource=f"{GROUP}/MICROSOFT.OPERATIONALINSIGHTS/WORKSPACES/LOGS",
    )
    yield from act(scene, "deploy", f"{_ML}/listKeys/action", resource=WORKSPACE)
    yield from act(scene, "deploy", "Microsoft.ContainerRegistry/registries/listCredentials/action", resource=REGISTRY)
    for _ in scene.times(0, 6):
        yield from act(
            scene,
            "deploy",
            f"{_ML}/onlineEndpoints/deployments/delete",
            resource=f"{WORKSPACE}/ONLINEENDPOINTS/TRIAL/DEPLOYMENTS/{scene.hex(4)}",
        )
    if scene.chance(0.3):
        yield from act(
            scene,
            scene.usual(PEOPLE),
            f"{_ML}/computes/write",
            resource=f"{WORKSPACE}/COMPUTES/CI-{scene.hex(4)}",
            body={
                "properties": {
                    "computeType": "ComputeInstance",
                    "properties": {"vmSize": "Standard_DS3_v2", "sshSettings": {"sshPublicAccess": "Disabled"}},
                }
            },
        )


def _blobs(scene: Scene) -> Iterator[Told]:
    who = scene.usual(("scoring-app", "deploy", *PEOPLE))
    container = scene.usual(("reports", "web", "azureml-blobstore-0000", "example-training"))
    kinds = (("GetBlob", "StorageRead"), ("PutBlob", "StorageWrite"), ("ListBlobs", "StorageRead"), ("DeleteBlob", "StorageDelete"))
    for _ in scene.times(5, 30):
        operation, category = scene.usual(kinds)
        key = f"/exampleml/{container}/part-{scene.hex(6)}"
        about: Record = {
            "accountName": "exampleml",
            "userAgentHeader": "azsdk-python-storage-blob/12.26.0",
            "serviceType": "blob",
            "objectKey": key,
            "responseBodySize": scene.rng.randint(10**3, 10**6),
            "tlsVersion": "TLS 1.3",
        }
        asked: Record = {
            "type": "OAuth",
            "requester": {"objectId": object_id(who), "tenantId": TENANT, "audience": "https://storage.azure.com/"},
        }
        if who in PEOPLE:
            asked["requester"] = {"objectId": object_id(who), "tenantId": TENANT, "upn": who}
        come = f"{(address(who) if who in PEOPLE else '10.2.0.9')}:{scene.rng.randint(32768, 60999)}"
        more: dict[str, Json] = {
            "statusCode": 200,
            "statusText": "Success",
            "identity": asked,
            "callerIpAddress": come,
            "uri": f"https://exampleml.blob.core.windows.net/{container}/x",
            "resourceType": "Microsoft.Storage/storageAccounts/blobServices",
        }
        yield log(
            scene, "azure_storage_blob", category, operation=operation, resource=f"{STORAGE}/BLOBSERVICES/DEFAULT", properties=about, **more
        )


def _images(scene: Scene) -> Iterator[Told]:
    for _ in scene.times(4, 12):
        operation = "Push" if scene.chance(0.05) else "Pull"
        who = "deploy" if operation == "Push" else "scoring-app"
        about: Record = {
            "loginServer": "exampleml.azurecr.io",
            "repository": scene.usual(("serve", "train", "web")),
            "tag": f"1.{scene.rng.randint(1, 90)}",
            "digest": f"sha256:{scene.hex(64)}",
            "userAgent": "containerd/2.0.0",
        }
        yield log(
            scene,
            "azure_acr",
            "ContainerRegistryRepositoryEvents",
            operation=operation,
            resource=REGISTRY,
            properties=about,
            identity=object_id(who),
            callerIpAddress="10.2.0.9",
            resultType="HttpStatusCode 200",
        )


def _assets(scene: Scene) -> Iterator[Told]:
    registry = f"{GROUP}/MICROSOFT.MACHINELEARNINGSERVICES/REGISTRIES/EXAMPLE"
    for _ in scene.times(2, 8):
        is_write = scene.chance(0.3)
        who = "deploy" if is_write else scene.usual((*PEOPLE, "deploy"))
        about: Record = {
            "UserName": who.split("@")[0],
            "UserObjectId": object_id(who),
            "RegistryResourceId": registry,
            "AssetName": scene.usual(("churn", "ranking", "base")),
            "AssetVersion": str(scene.rng.randint(1, 9)),
        }
        kind = "Write" if is_write else "Read"
        yield log(
            scene,
            f"azure_aml_registry_{kind.lower()}",
            f"RegistryAsset{kind}Event",
            operation=f"{kind}Asset",
            resource=registry,
            properties=about,
            callerIpAddress=address(who),
        )


AZURE_HABITS: Final = (
    habit(5, Hours.WORK, _workspace),
    habit(2, Hours.WORK, _release),
    habit(5, Hours.WORK, _portal),
    habit(8, Hours.ALWAYS, _platform),
    habit(1, Hours.ALWAYS, _operators),
    habit(4, Hours.ALWAYS, _chat),
    habit(3, Hours.ALWAYS, _scoring),
    habit(4, Hours.ALWAYS, _blobs),
    habit(5, Hours.ALWAYS, _images),
    habit(6, Hours.WORK, _assets),
)
