"""Everyday records of Google Cloud: audit logs and VPC flows of a project that trains, serves and asks models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.scene import Hours, Record, Scene, Told, habit

PROJECT: Final = "example-ml"
REGION: Final = "europe-west4"
PEOPLE: Final = ("ada@example.com", "grace@example.com", "edsger@example.com", "barbara@example.com", "alan@example.com")
OFFICE: Final = ("198.51.100.10", "198.51.100.11", "198.51.100.12")
_BROWSER: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36,gzip(gfe)"
)
_LIBRARY: Final = "google-cloud-sdk gcloud/540.0.0 command/gcloud.ai.models.list,gzip(gfe)"
_V1: Final = "google.cloud.aiplatform.v1."
_IMAGE: Final = "us-docker.pkg.dev/example-ml/train/churn:1.4"
_PLACE: Final = f"projects/{PROJECT}/locations/{REGION}"


class Caller:
    """Who calls: principal, address and client.

    Args:
        scene: In what.
        principal: The mail address.
        address: Where from.
        agent: With which client.
    """

    def __init__(self, scene: Scene, principal: str, *, address: str, agent: str) -> None:
        """Keep what each record says of the caller."""
        self.scene = scene
        self.principal = principal
        self.address = address
        self.agent = agent

    def call(  # noqa: PLR0913 - a record has these parts
        self,
        service: str,
        method: str,
        resource: str,
        *,
        request: Mapping[str, Json] | None = None,
        is_data: bool = False,
        status: int = 0,
        kind: str = "audited_resource",
    ) -> Told:
        """Return the record of a call that is made now; a moment passes."""
        scene = self.scene
        payload: Record = {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": f"{service}.googleapis.com",
            "methodName": method,
            "resourceName": resource,
            "authenticationInfo": {"principalEmail": self.principal},
            "requestMetadata": {"callerIp": self.address, "callerSuppliedUserAgent": self.agent},
            "authorizationInfo": [{"resource": resource, "permission": f"{service}.use", "granted": status == 0}],
            "status": {"code": status, "message": "Refused."} if status else {},
        }
        if request is not None:
            payload["request"] = dict(request)
        log = "data_access" if is_data else "activity"
        event: Record = {
            "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2F{log}",
            "timestamp": scene.text,
            "receiveTimestamp": scene.text,
            "insertId": scene.hex(12),
            "severity": "ERROR" if status else "INFO" if is_data else "NOTICE",
            "resource": {"type": kind, "labels": {"project_id": PROJECT, "location": REGION}},
            "protoPayload": payload,
        }
        scene.wait(0.2, 4)
        return "gcp_audit", event

    def object(self, method: str, bucket: str, name: str) -> Told:
        """Return the record of a call on an object."""
        return self.call("storage", method, f"projects/_/buckets/{bucket}/objects/{name}", is_data=True, kind="gcs_bucket")


def person(scene: Scene) -> Caller:
    """Return somebody of the team."""
    who = scene.usual(PEOPLE)
    return Caller(scene, who, address=OFFICE[PEOPLE.index(who) % len(OFFICE)], agent=_BROWSER if scene.chance(0.6) else _LIBRARY)


def account(scene: Scene, name: str) -> Caller:
    """Return a service account of the project, on a machine of the project."""
    return Caller(
        scene,
        f"{name}@{PROJECT}.iam.gserviceaccount.com",
        address="10.1.0.7",
        agent="google-cloud-aiplatform/1.120.0 gl-python/3.12.3 grpc/1.75.0",
    )


def _gemini(scene: Scene) -> Iterator[Told]:
    who, model = (account(scene, scene.usual(("chat-app", "search-app"))), scene.usual(("gemini-3.0-flash", "gemini-3.0-pro")))
    name = f"{_PLACE}/publishers/google/models/{model}"
    for _ in scene.times(10, 40):
        method = scene.usual(("GenerateContent", "StreamGenerateContent", "EmbedContent"))
        status = 8 if scene.chance(0.01) else 3 if scene.chance(0.003) else 0
        yield who.call("aiplatform", f"{_V1}PredictionService.{method}", name, request={"model": name}, is_data=True, status=status)
        scene.wait(5, 120)


def _playground(scene: Scene) -> Iterator[Told]:
    who = person(scene)
    yield who.call("aiplatform", f"{_V1}ModelService.ListModels", _PLACE, request={"parent": _PLACE}, is_data=True)
    for _ in scene.times(2, 8):
        name = f"{_PLACE}/publishers/google/models/{scene.usual(('gemini-3.0-flash', 'gemini-3.0-pro', 'gemini-2.5-flash'))}"
        if scene.chance(0.3):
            yield who.call("aiplatform", f"{_V1}LlmUtilityService.CountTokens", name, request={"endpoint": name}, is_data=True)
        status = 7 if scene.chance(0.02) else 0
        yield who.call("aiplatform", f"{_V1}PredictionService.GenerateContent", name, request={"model": name}, is_data=True, status=status)
        scene.wait(10, 90)


def _console(scene: Scene) -> Iterator[Told]:
    who = person(scene)
    asked = (
        "EndpointService.ListEndpoints",
        "ModelService.ListModels",
        "JobService.ListCustomJobs",
        "DatasetService.ListDatasets",
        "PipelineService.ListPipelineJobs",
    )
    for method in scene.rng.sample(asked, k=scene.rng.randint(1, 3)):
        yield who.call("aiplatform", _V1 + method, _PLACE, request={"parent": _PLACE}, is_data=True)
    yield who.call(
        "aiplatform", f"{_V1}ModelService.GetModel", f"{_PLACE}/models/100", request={"name": f"{_PLACE}/models/100"}, is_data=True
    )


def _training(scene: Scene) -> Iterator[Told]:
    who, trainer = (account(scene, "deploy-ml") if scene.chance(0.6) else person(scene), account(scene, "trainer"))
    pool: Record = {
        "containerSpec": {"imageUri": _IMAGE, "args": ["--epochs=3"]},
        "machineSpec": {"machineType": "n1-standard-8"},
        "replicaCount": "1",
    }
    spec: Record = {"workerPoolSpecs": [pool], "serviceAccount": trainer.principal}
    if scene.chance(0.5):
        job: Record = {"parent": _PLACE, "customJob": {"displayName": "churn", "jobSpec": spec}}
        yield who.call("aiplatform", f"{_V1}JobService.CreateCustomJob", _PLACE, request=job)
    else:
        run: Record = {
            "parent": _PLACE,
            "pipelineJob": {"serviceAccount": trainer.principal, "runtimeConfig": {"gcsOutputDirectory": "gs://example-ml-runs/out"}},
        }
        yield who.call("aiplatform", f"{_V1}PipelineService.CreatePipelineJob", _PLACE, request=run)
    for part in scene.times(5, 25):
        yield trainer.object("storage.objects.get", "example-ml-data", f"train/part-{part:05d}")
    yield trainer.object("storage.objects.create", "example-ml-models", f"out/{scene.hex(6)}/model.bin")
    for _ in scene.times(2, 6):
        yield who.call("aiplatform", f"{_V1}JobService.GetCustomJob", f"{_PLACE}/customJobs/1", request={"name": "1"}, is_data=True)
        scene.wait(60, 600)


def _release(scene: Scene) -> Iterator[Told]:
    who, endpoint = (account(scene, "deploy-ml"), f"{_PLACE}/endpoints/200")
    model: Record = {
        "displayName": "churn",
        "artifactUri": "gs://example-ml-models/out/",
        "containerSpec": {"imageUri": "us-docker.pkg.dev/vertex-ai/prediction/xgboost-cpu.2-1:latest"},
    }
    yield who.call("aiplatform", f"{_V1}ModelService.UploadModel", _PLACE, request={"parent": _PLACE, "model": model})
    deployed: Record = {
        "endpoint": endpoint,
        "deployedModel": {"model": f"{_PLACE}/models/100", "serviceAccount": f"serving@{PROJECT}.iam.gserviceaccount.com"},
    }
    yield who.call("aiplatform", f"{_V1}EndpointService.DeployModel", endpoint, request=deployed)
    if scene.chance(0.5):
        yield who.call(
            "aiplatform", f"{_V1}EndpointService.UndeployModel", endpoint, request={"endpoint": endpoint, "deployedModelId": "7"}
        )


def _serving(scene: Scene) -> Iterator[Told]:
    who, endpoint = (account(scene, "scoring-app"), f"{_PLACE}/endpoints/200")
    for _ in scene.times(10, 50):
        yield who.call("aiplatform", f"{_V1}PredictionService.Predict", endpoint, request={"endpoint": endpoint}, is_data=True)
        if scene.chance(0.2):
            name = f"{_PLACE}/featurestores/shop/entityTypes/customer"
            yield who.call(
                "aiplatform", f"{_V1}FeaturestoreOnlineServingService.ReadFeatureValues", name, request={"entityType": name}, is_data=True
            )
        scene.wait(2, 60)


def _retrieval(scene: Scene) -> Iterator[Told]:
    who, agent = (account(scene, "assistant-app"), f"{_PLACE}/reasoningEngines/300")
    for _ in scene.times(5, 20):
        yield who.call(
            "aiplatform", f"{_V1}ReasoningEngineExecutionService.StreamQueryReasoningEngine", agent, request={"name": agent}, is_data=True
        )
        yield who.call("aiplatform", f"{_V1}VertexRagService.RetrieveContexts", _PLACE, request={"parent": _PLACE}, is_data=True)
        yield who.call(
            "aiplatform", f"{_V1}SessionService.AppendEvent", f"{agent}/sessions/1", request={"name": f"{agent}/sessions/1"}, is_data=True
        )
        scene.wait(10, 200)


def _notebook(scene: Scene) -> Iterator[Told]:
    who = person(scene)
    name = f"projects/{PROJECT}/locations/{REGION}-a/instances/nb-{who.principal.split('@')[0]}"
    for method in ("ListInstances", "GetInstance", "StartInstance"):
        yield who.call(
            "notebooks",
            f"google.cloud.notebooks.v2.NotebookService.{method}",
            name,
            request={"name": name},
            is_data=method != "StartInstance",
        )
    for _ in scene.times(3, 8):
        yield who.call("notebooks", "google.cloud.notebooks.v2.NotebookService.GetInstance", name, request={"name": name}, is_data=True)
    scene.wait(3600, 20000)
    yield who.call("notebooks", "google.cloud.notebooks.v2.NotebookService.StopInstance", name, request={"name": name})


def _objects(scene: Scene) -> Iterator[Told]:
    who = scene.pick((account(scene, "report-app"), account(scene, "trainer"), person(scene)))
    bucket = scene.usual(("example-web", "example-reports", "example-ml-data"))
    for _ in scene.times(5, 25):
        method = scene.usual(("storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"))
        yield who.object(method, bucket, f"daily/{scene.hex(8)}.json")


def _images(scene: Scene) -> Iterator[Told]:
    node, build = (account(scene, "gke-node"), account(scene, "build"))
    place = f"projects/{PROJECT}/locations/us/repositories/train"
    for _ in scene.times(4, 12):
        method = scene.usual(("Docker-ServeBlob", "Docker-GetManifest", "Python-InstallPackage"))
        yield node.call("artifactregistry", method, f"{place}/dockerImages/churn@sha256:{scene.hex(64)}", is_data=True)
    if scene.chance(0.2):
        for method in ("Docker-StartUpload", "Docker-PutManifest"):
            yield build.call("artifactregistry", method, f"{place}/dockerImages/churn", is_data=True)


def _platform(scene: Scene) -> Iterator[Told]:
    """The rest of the project: machines, roles, secrets, keys, tables and logs."""
    terraform, app, root = (account(scene, "terraform"), account(scene, "chat-app"), f"projects/{PROJECT}")
    for _ in scene.times(2, 6):
        yield account(scene, "etl").call(
            "bigquery",
            "google.cloud.bigquery.v2.JobService.InsertJob",
            f"{root}/jobs/{scene.hex(8)}",
            request={"job": {"configuration": {"query": {}}}},
            is_data=True,
        )
        yield app.call(
            "secretmanager",
            "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion",
            f"{root}/secrets/{scene.usual(('db', 'mail'))}/versions/1",
            is_data=True,
        )
        yield app.call("cloudkms", "Decrypt", f"{root}/locations/{REGION}/keyRings/app/cryptoKeys/app", is_data=True)
        yield account(scene, "build").call(
            "iamcredentials", "GenerateAccessToken", f"{root}/serviceAccounts/deploy-ml@{PROJECT}.iam.gserviceaccount.com", is_data=True
        )
        yield account(scene, "autoscaler").call(
            "compute",
            scene.pick(("v1.compute.instances.list", "v1.compute.instances.get")),
            f"{root}/zones/{REGION}-a/instances",
            is_data=True,
        )
    if scene.chance(0.4):
        machine: Record = {"name": f"web-{scene.hex(4)}", "machineType": f"{root}/zones/{REGION}-a/machineTypes/e2-small"}
        yield account(scene, "autoscaler").call(
            "compute", "v1.compute.instances.insert", f"{root}/zones/{REGION}-a/instances/{machine['name']}", request=machine
        )
        yield terraform.call("logging", "google.logging.v2.ConfigServiceV2.ListSinks", root, request={"parent": root}, is_data=True)
        yield terraform.call(
            "serviceusage", "google.api.serviceusage.v1.ServiceUsage.ListServices", root, request={"parent": root}, is_data=True
        )
        yield terraform.call("cloudresourcemanager", "GetIamPolicy", root, request={"resource": PROJECT}, is_data=True)
    if scene.chance(0.1):
        delta: Json = [{"action": "ADD", "role": "roles/logging.viewer", "member": f"user:{scene.pick(PEOPLE)}"}]
        source, event = terraform.call("cloudresourcemanager", "SetIamPolicy", root, request={"resource": PROJECT})
        if isinstance(event, dict) and isinstance(event["protoPayload"], dict):
            event["protoPayload"]["serviceData"] = {"policyDelta": {"bindingDeltas": delta}}
        yield (source, event)
        yield terraform.call("iam", "google.iam.admin.v1.CreateServiceAccount", root, request={"name": root})


def _operators(scene: Scene) -> Iterator[Told]:
    """Programs and administrators that look after everything."""
    operator, terraform, deploy = (account(scene, "external-secrets"), account(scene, "terraform"), account(scene, "deploy-ml"))
    for number in scene.times(6, 20):
        yield operator.call(
            "secretmanager",
            "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion",
            f"projects/{PROJECT}/secrets/service-{number}/versions/latest",
            is_data=True,
        )
    for method in (
        "EndpointService.ListEndpoints",
        "ModelService.ListModels",
        "DatasetService.ListDatasets",
        "IndexService.ListIndexes",
        "TensorboardService.ListTensorboards",
        "FeaturestoreService.ListFeaturestores",
    ):
        yield terraform.call("aiplatform", _V1 + method, _PLACE, request={"parent": _PLACE}, is_data=True)
    if scene.chance(0.3):
        copy: Record = {"parent": _PLACE, "sourceModel": "projects/example-ml-staging/locations/europe-west4/models/100"}
        yield deploy.call("aiplatform", f"{_V1}ModelService.CopyModel", _PLACE, request=copy)
    if scene.chance(0.3):
        for _ in scene.times(1, 6):
            name = f"{_PLACE}/models/{scene.rng.randint(100, 999)}"
            yield account(scene, "cleanup").call("aiplatform", f"{_V1}ModelService.DeleteModelVersion", name, request={"name": name})
    if scene.chance(0.2):
        source, event = terraform.call("cloudresourcemanager", "SetIamPolicy", f"projects/{PROJECT}", request={"resource": PROJECT})
        if isinstance(event, dict) and isinstance(event["protoPayload"], dict):
            delta: Json = [{"action": "ADD", "role": "roles/aiplatform.user", "member": f"user:{scene.pick(PEOPLE)}"}]
            event["protoPayload"]["serviceData"] = {"policyDelta": {"bindingDeltas": delta}}
        yield (source, event)
        for _ in scene.times(5, 40):
            yield account(scene, "cleanup").object("storage.objects.delete", "example-ml-runs", f"tmp/{scene.hex(8)}")


def _flows(scene: Scene) -> Iterator[Told]:
    for _ in scene.times(10, 40):
        inside, is_out = (f"10.1.0.{scene.rng.randint(4, 60)}", scene.chance(0.4))
        outside = scene.usual(("198.51.100.200", "198.51.100.201", "203.0.113.80"))
        flow: Record = {
            "connection": {
                "src_ip": inside,
                "dest_ip": outside if is_out else "10.1.0.99",
                "src_port": 40001,
                "dest_port": scene.usual((443, 5432, 53)),
                "protocol": 6,
            },
            "reporter": "SRC",
            "bytes_sent": str(scene.rng.randint(200, 5000000)),
            "packets_sent": str(scene.rng.randint(3, 4000)),
            "start_time": scene.text,
            "end_time": scene.text,
            "src_instance": {"project_id": PROJECT, "region": REGION, "vm_name": f"train-{scene.rng.randint(1, 4)}"},
            "src_vpc": {"project_id": PROJECT, "vpc_name": "main", "subnetwork_name": scene.pick(("example-ml-train", "web"))},
        }
        if is_out:
            flow["dest_location"] = {"country": "nld", "continent": "Europe", "asn": 64500}
        log = f"projects/{PROJECT}/logs/compute.googleapis.com%2Fvpc_flows"
        resource: Record = {"type": "gce_subnetwork", "labels": {"project_id": PROJECT, "location": REGION}}
        yield (
            "gcp_vpcflow",
            {"logName": log, "timestamp": scene.text, "insertId": scene.hex(12), "resource": resource, "jsonPayload": flow},
        )
        scene.wait(1, 10)


GCP_HABITS: Final = (
    habit(6, Hours.ALWAYS, _gemini),
    habit(3, Hours.WORK, _playground),
    habit(3, Hours.WORK, _console),
    habit(3, Hours.WORK, _training),
    habit(1, Hours.WORK, _release),
    habit(4, Hours.ALWAYS, _serving),
    habit(2, Hours.ALWAYS, _retrieval),
    habit(4, Hours.WORK, _notebook),
    habit(4, Hours.ALWAYS, _objects),
    habit(4, Hours.ALWAYS, _images),
    habit(6, Hours.ALWAYS, _platform),
    habit(1.5, Hours.ALWAYS, _operators),
    habit(3, Hours.ALWAYS, _flows),
)
