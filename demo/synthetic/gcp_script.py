"""What goes on in the Google Cloud project: the everyday, the near misses, and a Saturday night with a stolen key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from synthetic.dice import Dice, at, later
from synthetic.gcp import CONSOLE, DATA_ACCESS, DENIED, GCLOUD, PROJECT, REGION, TERRAFORM, Member, Method, Sink
from synthetic.planned import Episode, Planned, Plant

STORY: Final = "vertex_stolen_service_account"
STRANGER: Final = "user:stranger@example.org"


def account(name: str) -> str:
    """Return the address of a service account of the project."""
    return f"{name}@{PROJECT}.iam.gserviceaccount.com"


TRAINER: Final = Member(email=account("trainer"), address="192.0.2.110")
SERVER: Final = Member(email=account("prediction-server"), address="192.0.2.111")
CI: Final = Member(email=account("ci-deployer"), address="192.0.2.120", key="0000000000000000000000000000000000000c1d")
PLATFORM: Final = Member(email=account("terraform"), address="192.0.2.121", agent=TERRAFORM)
SCHEDULER: Final = Member(email="service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com", address="private", agent="")
PEOPLE: Final = tuple(
    Member(email=f"{name}@example.com", address=f"192.0.2.{130 + number}", agent=GCLOUD)
    for number, name in enumerate(("ada", "kurt", "emmy"))
)
ADMIN: Final = Member(email="margaret@example.com", address="192.0.2.135", agent=CONSOLE)
THIEF: Final = replace(CI, address="203.0.113.61", agent=GCLOUD)

# The sink leaves out what the stolen account does between these two times, and so do our files.
BLINDED: Final = at("18 00:31:20")
RESTORED: Final = at("18 09:05:00")


def vertex(name: str, permission: str, on: str = REGION, **more: Any) -> Method:
    """Return a call of Vertex AI; `name` is service and method."""
    return Method(name=f"google.cloud.aiplatform.v1.{name}", service="aiplatform", permission=f"aiplatform.{permission}", on=on, **more)


def custom_job(runs_as: str, name: str, image: str = "us-docker.pkg.dev/example-ml/train/fraud:stable") -> Method:
    """Return the start of a custom job, under a chosen account or none."""
    spec: dict[str, Any] = {
        "workerPoolSpecs": [{"machineSpec": {"machineType": "n1-standard-8"}, "replicaCount": "1", "containerSpec": {"imageUri": image}}]
    }
    if runs_as:
        spec["serviceAccount"] = runs_as
    request = {"parent": REGION, "customJob": {"displayName": name, "jobSpec": spec}}
    return vertex("JobService.CreateCustomJob", "customJobs.create", request=request)


def pipeline_job(runs_as: str) -> Method:
    """Return the start of a pipeline."""
    request = {
        "parent": REGION,
        "pipelineJob": {"displayName": "nightly-synthetic", "serviceAccount": runs_as, "templateUri": "gs://example-ml-synthetic/p.yaml"},
    }
    return vertex("PipelineService.CreatePipelineJob", "pipelineJobs.create", request=request)


def export_model(target: str, **more: Any) -> Method:
    """Return the export of a model."""
    on = f"{REGION}/models/4242"
    request = {"name": on, "outputConfig": {"exportFormatId": "custom-trained", "artifactDestination": {"outputUriPrefix": target}}}
    return vertex("ModelService.ExportModel", "models.export", on, request=request, **more)


def set_policy(delta: Mapping[str, Any], **more: Any) -> Method:
    """Return a change of the project's policy."""
    on = f"projects/{PROJECT}"
    permission = "resourcemanager.projects.setIamPolicy"
    return Method(
        name="SetIamPolicy",
        service="cloudresourcemanager",
        permission=permission,
        on=on,
        request={"resource": PROJECT},
        delta=delta,
        **more,
    )


def grants(*rows: tuple[str, str, str]) -> dict[str, Any]:
    """Return the policy delta of such changes: action, role, member."""
    return {"bindingDeltas": [{"action": action, "role": role, "member": member} for action, role, member in rows]}


def account_key(name: str, runs_as: str = "trainer", **more: Any) -> Method:
    """Return a call on a key of a service account."""
    on = f"projects/-/serviceAccounts/{account(runs_as)}"
    return Method(
        name=f"google.iam.admin.v1.{name}", service="iam", permission="iam.serviceAccountKeys.create", on=on, request={"name": on}, **more
    )


def sink(name: str, body: Mapping[str, Any] | None = None, **more: Any) -> Method:
    """Return a call on the log sink."""
    on = f"projects/{PROJECT}/sinks/to-security-synthetic"
    request = {"sinkName": on, **({"sink": dict(body)} if body is not None else {})}
    permission = f"logging.sinks.{name.removesuffix('Sink').lower()}"
    return Method(
        name=f"google.logging.v2.ConfigServiceV2.{name}", service="logging", permission=permission, on=on, request=request, **more
    )


def _predict(_: Dice) -> Method:
    return vertex("PredictionService.Predict", "endpoints.predict", f"{REGION}/endpoints/77", log=DATA_ACCESS)


def _storage(dice: Dice) -> Method:
    on = f"projects/_/buckets/example-ml-synthetic/objects/train/part-{dice.below(4000):05d}"
    return Method(name="storage.objects.get", service="storage", permission="storage.objects.get", on=on, log=DATA_ACCESS)


def _look(dice: Dice) -> Method:
    name, permission = dice.pick(
        (
            ("ModelService.GetModel", "models.get"),
            ("ModelService.ListModels", "models.list"),
            ("EndpointService.ListEndpoints", "endpoints.list"),
            ("JobService.GetCustomJob", "customJobs.get"),
            ("DatasetService.ListDatasets", "datasets.list"),
        )
    )
    return vertex(name, permission, log=DATA_ACCESS)


def _write(dice: Dice) -> Method:
    name, permission = dice.pick(
        (
            ("ModelService.UploadModel", "models.upload"),
            ("DatasetService.ImportData", "datasets.import"),
            ("DatasetService.ExportData", "datasets.export"),
            ("EndpointService.DeployModel", "endpoints.deploy"),
            ("JobService.CancelCustomJob", "customJobs.cancel"),
        )
    )
    return vertex(name, permission, request={"parent": REGION})


def _machine(dice: Dice) -> Method:
    name = dice.pick(("insert", "delete", "setMetadata", "start", "stop"))
    on = f"projects/{PROJECT}/zones/us-central1-a/instances/synthetic-{dice.below(20)}"
    return Method(name=f"v1.compute.instances.{name}", service="compute", permission=f"compute.instances.{name}", on=on)


_DAY: Final[tuple[tuple[int, tuple[Member, ...], Callable[[Dice], Method], bool], ...]] = (
    (520, (SERVER,), _predict, False),
    (300, (TRAINER,), _storage, False),
    (240, (*PEOPLE, CI), _look, True),
    (130, (*PEOPLE, CI), _write, True),
    (130, (PLATFORM, ADMIN), _machine, True),
    (60, PEOPLE, lambda dice: custom_job("", f"fraud-synthetic-{dice.below(99)}"), True),
    (28, (SCHEDULER,), lambda _: pipeline_job(account("trainer")), False),
    (28, (SCHEDULER,), lambda dice: custom_job(account("trainer"), f"nightly-synthetic-{dice.below(99)}"), False),
    (
        30,
        (ADMIN,),
        lambda _: Method(
            name="google.iam.admin.v1.ListServiceAccounts",
            service="iam",
            permission="iam.serviceAccounts.list",
            on=f"projects/{PROJECT}",
            log=DATA_ACCESS,
        ),
        True,
    ),
)

_AUDIT: Final = {"service": "aiplatform.googleapis.com", "logType": "DATA_READ"}
_PLAIN_SINK: Final = {"destination": "storage.googleapis.com/example-logs-synthetic", "disabled": False}
_NEAR: Final[tuple[tuple[int, Member, Method], ...]] = (
    (3, PEOPLE[0], replace(custom_job(account("trainer"), "try-synthetic"), code=DENIED)),
    (2, PEOPLE[1], account_key("CreateServiceAccountKey", code=DENIED)),
    (4, PLATFORM, account_key("DeleteServiceAccountKey")),
    (3, PLATFORM, account_key("CreateServiceAccount", "batch")),
    (2, PEOPLE[2], export_model("gs://example-ml-synthetic/out/", code=DENIED)),
    (4, PLATFORM, set_policy(grants(("ADD", "roles/aiplatform.viewer", "group:ml@example.com")))),
    (3, PLATFORM, set_policy(grants(("REMOVE", "roles/aiplatform.user", "user:leaver@example.com")))),
    (
        2,
        PLATFORM,
        set_policy(grants(("ADD", "roles/viewer", "user:emmy@example.com"), ("REMOVE", "roles/aiplatform.admin", "user:emmy@example.com"))),
    ),
    (2, PEOPLE[0], set_policy(grants(("ADD", "roles/aiplatform.admin", "user:ada@example.com")), code=DENIED)),
    (2, PLATFORM, set_policy({"auditConfigDeltas": [{"action": "ADD", **_AUDIT}]})),
    (3, PLATFORM, sink("UpdateSink", _PLAIN_SINK)),
    (1, PLATFORM, sink("CreateSink", _PLAIN_SINK)),
    (2, PEOPLE[1], sink("DeleteSink", code=DENIED)),
    (4, ADMIN, replace(sink("GetSink"), log=DATA_ACCESS)),
    (
        1,
        PLATFORM,
        Method(
            name="google.pubsub.v1.Publisher.DeleteTopic",
            service="pubsub",
            permission="pubsub.topics.delete",
            on=f"projects/{PROJECT}/topics/synthetic",
        ),
    ),
)


def play_days(script: Sink) -> None:
    """Fill the fortnight with what goes on anyway, near misses among it."""
    dice = Dice("gcp everyday")
    for count, members, make, is_office in _DAY:
        for _ in range(count):
            script.add(dice.office_time() if is_office else dice.batch_time(), dice.pick(members), make(dice))
    for count, member, method in _NEAR:
        for _ in range(count):
            script.add(dice.office_time(), member, method)


# Of several grants the last one before what follows counts.
GRANTED_AND_CUT: Final = Episode(
    correlation="gcp_logging_role_granted_then_log_cut",
    story=STORY,
    group=(("protoPayload.authenticationInfo.principalEmail", CI.email),),
)
GRANTED_AND_STARTED: Final = Episode(
    correlation="gcp_vertexai_role_granted_then_job", story=STORY, group=(("who", f"serviceAccount:{CI.email}"),)
)


def _plant(*rules: str, deliveries: int = 1, episodes: tuple[Episode, ...] = ()) -> Plant:
    return Plant(rules=rules, story=STORY, deliveries=deliveries, episodes=episodes)


def play_stolen_account(script: Sink) -> None:
    """Saturday night: the key of the deployment account is used from elsewhere, grants itself more, takes a model out, and cuts the log."""
    quiet = _plant()
    start = at("17 22:47:05")
    for number, (name, permission) in enumerate(
        (("ModelService.ListModels", "models.list"), ("EndpointService.ListEndpoints", "endpoints.list"))
    ):
        script.add(later(start, 61 * number), THIEF, vertex(name, permission, log=DATA_ACCESS), quiet)
    script.add(later(start, 190), THIEF, account_key("CreateServiceAccountKey", "owner", code=DENIED), quiet)
    granted = "gcp_iam_ai_or_impersonation_role_granted"
    script.add(
        at("17 22:58:31"),
        THIEF,
        set_policy(grants(("ADD", "roles/iam.serviceAccountUser", f"serviceAccount:{account('ci-deployer')}"))),
        _plant(granted, deliveries=2, episodes=(GRANTED_AND_STARTED,)),
    )
    both = grants(("REMOVE", "roles/viewer", "user:leaver@example.com"), ("ADD", "roles/iam.serviceAccountTokenCreator", STRANGER))
    script.add(at("17 23:04:12"), THIEF, set_policy(both), _plant(granted, episodes=(GRANTED_AND_CUT,)))
    script.add(
        at("17 23:11:40"), THIEF, account_key("CreateServiceAccountKey"), _plant("gcp_iam_service_account_key_created", deliveries=2)
    )
    shell = custom_job(account("trainer"), "=1+1;<b>probe</b>", "us-docker.pkg.dev/example-drop/tools/shell:latest")
    foreign = "gcp_vertexai_job_image_from_elsewhere"
    script.add(at("17 23:26:09"), THIEF, shell, _plant(foreign, episodes=(GRANTED_AND_STARTED,)))
    script.add(at("17 23:31:52"), THIEF, pipeline_job(account("trainer")), _plant(episodes=(GRANTED_AND_STARTED,)))
    out = export_model("gs://example-drop-synthetic/weights/", operation="first")
    script.add(at("17 23:52:18"), THIEF, out, _plant("gcp_vertexai_model_taken_out", deliveries=2))
    script.add(at("17 23:58:47"), THIEF, replace(out, request={}, operation="last"), quiet)
    copied = vertex(
        "ModelService.CopyModel",
        "models.copy",
        request={"parent": "projects/example-other/locations/us-central1", "sourceModel": f"{REGION}/models/4242"},
    )
    script.add(at("18 00:12:33"), THIEF, copied, _plant("gcp_vertexai_model_taken_out"))
    _cut_the_log(script)


def _cut_the_log(script: Sink) -> None:
    """Nothing that the account does after this is exported, until somebody notices."""
    filtered = {"name": "quiet", "filter": f'protoPayload.authenticationInfo.principalEmail="{THIEF.email}"'}
    narrowed = sink("UpdateSink", {**_PLAIN_SINK, "exclusions": [filtered]})
    script.add(BLINDED, THIEF, narrowed, _plant("gcp_logging_audit_log_cut", episodes=(GRANTED_AND_CUT,)))
    script.add(RESTORED, PLATFORM, sink("UpdateSink", {**_PLAIN_SINK, "exclusions": []}), _plant())


def is_exported(event: Planned) -> bool:
    """Return False for what the sink was told to leave out."""
    return not (BLINDED < event.time < RESTORED and event.label["principal"] == THIEF.email)
