"""Everyday records of SageMaker: notebooks, training, releases, serving, features, and what is tidied away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.aws_callers import (
    ACCOUNT,
    BUCKETS,
    CLIENTS,
    GATEWAY,
    IMAGE,
    application,
    execution,
    person,
    pipeline,
    role,
)
from aibr_hunt.testing.benign.scene import Hours, Record, Scene, Told, habit


def _studio(scene: Scene) -> Iterator[Told]:
    who = person(scene, in_console=True)
    name = str(who.identity["arn"]).rsplit("/", maxsplit=1)[-1].split("@")[0]
    yield who.call("sagemaker", "CreatePresignedDomainUrl", {"domainId": "d-000000000001", "userProfileName": name})
    for asked in ("DescribeDomain", "DescribeUserProfile", "ListApps", "ListSpaces", "DescribeSpace", "DescribeApp"):
        yield who.call("sagemaker", asked, {"domainId": "d-000000000001"})
    inside = execution(scene)
    for _ in scene.times(2, 10):
        asked = scene.pick(("ListTrainingJobs", "DescribeTrainingJob", "ListEndpoints", "ListModelPackages", "DescribeEndpoint"))
        yield inside.call("sagemaker", asked, {})
        scene.wait(60, 1200)


def _notebook(scene: Scene) -> Iterator[Told]:
    who = person(scene, in_console=True)
    name: Record = {"notebookInstanceName": f"nb-{str(who.identity['arn']).rsplit('/', maxsplit=1)[-1].split('@')[0]}"}
    for asked in ("ListNotebookInstances", "DescribeNotebookInstance", "StartNotebookInstance", "CreatePresignedNotebookInstanceUrl"):
        yield who.call("sagemaker", asked, {} if asked.startswith("List") else name)
    scene.wait(3600, 20000)
    yield who.call("sagemaker", "StopNotebookInstance", name)


def _training(scene: Scene) -> Iterator[Told]:
    who = execution(scene) if scene.chance(0.7) else person(scene, in_console=False)
    job = f"train-{scene.hex(8)}"
    request: Record = {
        "trainingJobName": job,
        "algorithmSpecification": {"trainingImage": IMAGE, "trainingInputMode": "File"},
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-train",
        "inputDataConfig": [{"channelName": "train", "dataSource": {"s3DataSource": {"s3Uri": "s3://example-ml-data/train/"}}}],
        "outputDataConfig": {"s3OutputPath": "s3://example-ml-models/out/"},
        "resourceConfig": {
            "instanceType": scene.usual(("ml.m5.xlarge", "ml.g5.xlarge", "ml.g5.2xlarge")),
            "instanceCount": 1,
            "volumeSizeInGB": 50,
        },
        "vpcConfig": {"subnets": ["subnet-0example0000000001"], "securityGroupIds": ["sg-0example0000000001"]},
        "enableNetworkIsolation": False,
    }
    yield who.call("sagemaker", "CreateTrainingJob", request)
    inside = role(scene, "sagemaker-train", "SageMaker", address=scene.pick(GATEWAY), agent=CLIENTS[0])
    for part in scene.times(5, 25):
        yield inside.object("GetObject", BUCKETS[0], f"train/part-{part:05d}.parquet", size=scene.rng.randint(10**5, 10**7))
    for _ in scene.times(2, 6):
        yield who.call("sagemaker", "DescribeTrainingJob", {"trainingJobName": job})
        scene.wait(60, 600)
    yield inside.object("PutObject", BUCKETS[2], f"out/{job}/model.tar.gz", size=10**6)
    if scene.chance(0.4):
        packed: Record = {"modelPackageGroupName": "churn", "modelApprovalStatus": "PendingManualApproval"}
        yield inside.call("sagemaker", "CreateModelPackage", packed)


def _model_release(scene: Scene) -> Iterator[Told]:
    lead, who, name = (person(scene, in_console=True, kind="MlLead"), pipeline(scene), f"churn-{scene.hex(6)}")
    arn = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model-package/churn/{scene.rng.randint(1, 90)}"
    yield lead.call("sagemaker", "DescribeModelPackage", {"modelPackageName": arn})
    if scene.chance(0.5):
        yield lead.call("sagemaker", "UpdateModelPackage", {"modelPackageArn": arn, "modelApprovalStatus": "Approved"})
    scene.wait(120, 900)
    container: Record = {"image": IMAGE, "modelDataUrl": "s3://example-ml-models/out/model.tar.gz"}
    yield who.call(
        "sagemaker",
        "CreateModel",
        {"modelName": name, "primaryContainer": container, "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-serve"},
    )
    capture: Record = {"enableCapture": True, "initialSamplingPercentage": 50, "destinationS3Uri": "s3://example-ml-data/capture/"}
    variants: list[Json] = [{"variantName": "main", "modelName": name, "initialInstanceCount": 1, "instanceType": "ml.m5.large"}]
    yield who.call(
        "sagemaker", "CreateEndpointConfig", {"endpointConfigName": name, "dataCaptureConfig": capture, "productionVariants": variants}
    )
    yield who.call("sagemaker", "UpdateEndpoint", {"endpointName": "churn", "endpointConfigName": name})
    for _ in scene.times(2, 8):
        yield who.call("sagemaker", "DescribeEndpoint", {"endpointName": "churn"})
        scene.wait(20, 60)
    if scene.chance(0.3):
        yield who.call("sagemaker", "DeleteEndpointConfig", {"endpointConfigName": f"churn-{scene.hex(6)}"})
        yield who.call("sagemaker", "DeleteModel", {"modelName": f"churn-{scene.hex(6)}"})


def _serving(scene: Scene) -> Iterator[Told]:
    who = application(scene, "scoring-app")
    for _ in scene.times(10, 50):
        yield who.call("sagemaker", "InvokeEndpoint", {"endpointName": scene.usual(("churn", "ranking"))}, is_data=True)
        if scene.chance(0.3):
            yield who.call("sagemaker", "GetRecord", {"featureGroupName": "customers"}, is_data=True)
        scene.wait(2, 60)


def _features(scene: Scene) -> Iterator[Told]:
    who = role(scene, "feature-pipeline", "nightly", address=GATEWAY[1], agent=CLIENTS[0])
    for _ in scene.times(10, 40):
        yield who.call("sagemaker", "PutRecord", {"featureGroupName": "customers"}, is_data=True)
    job: Record = {
        "processingJobName": f"features-{scene.hex(6)}",
        "appSpecification": {"imageUri": IMAGE},
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-train",
    }
    yield who.call("sagemaker", "CreateProcessingJob", job)
    yield who.call("sagemaker", "StartPipelineExecution", {"pipelineName": "churn-nightly"})


def _tidying(scene: Scene) -> Iterator[Told]:
    """What trials leave behind is taken away, by a job and by hand."""
    who = role(scene, "ml-cleanup", "weekly", address=GATEWAY[1], agent=CLIENTS[0]) if scene.chance(0.7) else person(scene)
    for _ in scene.times(1, 6):
        name = f"trial-{scene.hex(6)}"
        yield who.call("sagemaker", "DeleteEndpoint", {"endpointName": name})
        yield who.call("sagemaker", "DeleteEndpointConfig", {"endpointConfigName": name})
        yield who.call("sagemaker", "DeleteModel", {"modelName": name})
    for _ in scene.times(5, 40):
        yield who.object("DeleteObject", BUCKETS[1], f"tmp/{scene.hex(8)}")


LEARNING_HABITS: Final = (
    habit(4, Hours.WORK, _studio),
    habit(2, Hours.WORK, _notebook),
    habit(4, Hours.WORK, _training),
    habit(1, Hours.WORK, _model_release),
    habit(4, Hours.ALWAYS, _serving),
    habit(1, Hours.NIGHT, _features),
    habit(0.4, Hours.WORK, _tidying),
)
