"""What looks like the attacks and is none: the same calls by those who may, attempts that failed, harmless forms.

Each rule that is shipped for CloudTrail has its near misses here, spread over the fortnight.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from synthetic.aws import (
    APPS,
    APPS_HOME,
    ARTIFACTS,
    DROP,
    GUARDRAIL,
    HOME,
    ML,
    MODEL_GROUP,
    TRAINING,
    Actor,
    Call,
    Trail,
    in_console,
    person,
    refused,
    s3_object,
    session,
)
from synthetic.aws_everyday import (
    BACKUP,
    CHAT,
    CHAT_MODEL,
    DEPLOY,
    DEVELOPER,
    ML_DEPLOY,
    PIPELINE,
    REPORTING,
    SCIENTISTS,
    presigned,
    read,
    run_model,
)
from synthetic.dice import DAYS, START, Dice
from synthetic.everyday import plant_of
from synthetic.planned import Planned, Record

AT_ML: Final = (ML, HOME)
AT_APPS: Final = (APPS, APPS_HOME)
IAM_ML: Final = (ML, "us-east-1")  # IAM is one for all regions, and is recorded there
IAM_APPS: Final = (APPS, "us-east-1")

PLATFORM: Final = session(APPS, "platform-admin", "margaret", "192.0.2.26")
ML_PLATFORM: Final = session(ML, "platform-admin", "margaret", "192.0.2.26")
HELPDESK: Final = session(ML, "helpdesk", "barbara", "192.0.2.27")
CONTRACTOR: Final = person(ML, "contractor", "AKIAEXAMPLE000000013", "192.0.2.92")

Row = tuple[int, tuple[str, str], Actor, Call]

# Not all of it is a near miss: these are calls that a rule finds whoever makes them.
_FINDERS: Final = {"PutFoundationModelEntitlement": "aws_bedrock_model_access_refused"}

STRONG: Final = (
    {"type": "HATE", "inputStrength": "HIGH", "outputStrength": "HIGH", "inputAction": "BLOCK", "inputEnabled": True},
    {"type": "VIOLENCE", "inputStrength": "MEDIUM", "outputStrength": "HIGH", "inputAction": "BLOCK", "inputEnabled": True},
    {"type": "PROMPT_ATTACK", "inputStrength": "HIGH", "outputStrength": "NONE", "inputAction": "BLOCK", "inputEnabled": True},
)


def guardrail(name: str, filters: tuple[Record, ...] = ()) -> Call:
    """Return a call on the guardrail; with filters it writes them, and the topics and personal data that it always had."""
    request: Record = {"guardrailIdentifier": GUARDRAIL}
    if filters:
        request |= {
            "name": "HIDDEN_DUE_TO_SECURITY_REASONS",
            "contentPolicyConfig": {"filtersConfig": list(filters)},
            "topicPolicyConfig": {"topicsConfig": [{"name": "HIDDEN_DUE_TO_SECURITY_REASONS", "type": "DENY"}]},
            "sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]},
        }
    return Call(service="bedrock", name=name, request=request)


def invocation_logging(name: str, **settings: object) -> Call:
    """Return a call on the invocation log; with settings it writes them."""
    place = {"s3Config": {"bucketName": "example-llm-logs-synthetic", "keyPrefix": "bedrock"}}
    return Call(service="bedrock", name=name, request={"loggingConfig": {**place, **settings}} if settings else None)


def selectors(name: str, *, kind: str = "All", has_management: bool = True) -> Call:
    """Return a call on what the trail of the ML account records."""
    data = [{"type": "AWS::S3::Object", "values": [f"arn:aws:s3:::{ARTIFACTS}/", f"arn:aws:s3:::{TRAINING}/"]}]
    row = {"readWriteType": kind, "includeManagementEvents": has_management, "dataResources": data}
    request: Record = {"trailName": "synthetic-all-regions"}
    return Call(service="cloudtrail", name=name, request={**request, "eventSelectors": [row]} if name.startswith("Put") else request)


def access_key(user: str | None) -> Call:
    """Return the making of a key; None leaves the user's name out."""
    made = {"accessKey": {"userName": user or "self", "status": "Active", "accessKeyId": "AKIAEXAMPLE000000099"}}
    return Call(service="iam", name="CreateAccessKey", request={"userName": user} if user else None, response=made)


def model_group_policy(name: str, reader: str) -> Call:
    """Return a call on the policy of the group of registered models."""
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"synthetic","Effect":"Allow","Principal":{"AWS":"' + reader + '"},'
        '"Action":["sagemaker:DescribeModelPackage","sagemaker:ListModelPackages"],"Resource":"*"}]}'
    )
    request: Record = {"modelPackageGroupName": MODEL_GROUP}
    return Call(service="sagemaker", name=name, request={**request, "resourcePolicy": policy} if name.startswith("Put") else request)


def transform(name: str, target: str) -> Call:
    """Return a batch transform that writes to `target`."""
    request = {
        "transformJobName": name,
        "modelName": MODEL_GROUP,
        "transformInput": {"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": f"s3://{TRAINING}/scoring/"}}},
        "transformOutput": {"s3OutputPath": target},
        "transformResources": {"instanceType": "ml.m5.4xlarge", "instanceCount": 8},
    }
    return Call(service="sagemaker", name="CreateTransformJob", request=request)


def model_access(name: str) -> Call:
    """Return a step by which an account gets access to a model."""
    return Call(service="bedrock", name=name, request=None if "UseCase" in name else {"modelId": "example.large-model-v1:0"})


def _logging_rows() -> tuple[Row, ...]:
    trail = "synthetic-all-regions"
    return (
        (6, AT_ML, ML_PLATFORM, selectors("GetEventSelectors")),
        (2, AT_ML, ML_DEPLOY, selectors("PutEventSelectors")),
        (2, AT_ML, HELPDESK, refused(selectors("PutEventSelectors", has_management=False))),
        (2, AT_ML, HELPDESK, refused(Call(service="cloudtrail", name="StopLogging", request={"name": trail}))),
        (1, AT_ML, ML_DEPLOY, Call(service="cloudtrail", name="StartLogging", request={"name": trail})),
        (2, AT_ML, ML_DEPLOY, Call(service="cloudtrail", name="UpdateTrail", request={"name": trail, "isMultiRegionTrail": True})),
        (1, AT_ML, ML_DEPLOY, Call(service="events", name="DeleteTrail", request={"name": trail}, error="UnknownOperationException")),
        (3, AT_APPS, DEPLOY, invocation_logging("PutModelInvocationLoggingConfiguration", textDataDeliveryEnabled=True)),
        (2, AT_APPS, CHAT[0], refused(invocation_logging("DeleteModelInvocationLoggingConfiguration"))),
        (2, AT_APPS, DEVELOPER, refused(invocation_logging("PutModelInvocationLoggingConfiguration", textDataDeliveryEnabled=False))),
    )


def _identity_rows() -> tuple[Row, ...]:
    rotation = session(APPS, "cicd/key-rotation", "nightly", "192.0.2.52")
    return (
        (3, IAM_ML, BACKUP, access_key("backup-agent")),
        (2, IAM_APPS, REPORTING, access_key(None)),
        (5, IAM_APPS, replace(DEPLOY, agent="synthetic-rotation/1.0"), access_key("reporting")),
        (2, IAM_ML, HELPDESK, refused(access_key("backup-agent"))),
        (2, IAM_ML, CONTRACTOR, Call(service="iam", name="UpdateAccessKey", request={"userName": "backup-agent", "status": "Inactive"})),
        (2, IAM_APPS, rotation, Call(service="iam", name="DeleteAccessKey", request={"userName": "reporting"})),
    )


def _bedrock_rows() -> tuple[Row, ...]:
    throttled = Call(service="bedrock", name="InvokeModel", request={"modelId": CHAT_MODEL}, error="ThrottlingException", is_read=True)
    bearer = {"additionalEventData": {"callWithBearerToken": True}}
    return (
        (5, AT_APPS, DEPLOY, guardrail("UpdateGuardrail", STRONG)),
        (2, AT_APPS, PLATFORM, guardrail("UpdateGuardrail", STRONG)),
        (
            2,
            AT_APPS,
            CHAT[1],
            refused(guardrail("UpdateGuardrail", ({"type": "HATE", "inputStrength": "NONE", "outputStrength": "NONE"},))),
        ),
        (3, AT_APPS, DEPLOY, guardrail("DeleteGuardrail")),
        (2, AT_APPS, DEVELOPER, refused(guardrail("DeleteGuardrail"))),
        (4, AT_APPS, DEPLOY, guardrail("CreateGuardrailVersion")),
        (3, AT_APPS, REPORTING, throttled),
        (8, AT_APPS, CHAT[2], replace(run_model("Converse", CHAT_MODEL), more=bearer)),
        (
            4,
            AT_APPS,
            in_console(DEVELOPER),
            replace(refused(run_model("Converse", "example.large-model-v1:0")), error="AccessDeniedException"),
        ),
        (2, AT_APPS, DEVELOPER, refused(model_access("PutFoundationModelEntitlement"))),
        (3, AT_APPS, in_console(DEVELOPER), read("bedrock", "ListFoundationModelAgreementOffers", modelId="example.large-model-v1:0")),
        (6, AT_APPS, DEVELOPER, read("bedrock", "GetFoundationModelAvailability", modelId="example.large-model-v1:0")),
    )


def _model_rows() -> tuple[Row, ...]:
    weights = "fraud/run-042/output/model.tar.gz"
    copy = {"x-amz-copy-source": f"{ARTIFACTS}/{weights}"}
    return (
        (3, AT_ML, PIPELINE, model_group_policy("DeleteModelPackageGroupPolicy", "")),
        (2, AT_ML, SCIENTISTS[0], refused(model_group_policy("PutModelPackageGroupPolicy", "*"))),
        (1, AT_ML, PIPELINE, refused(model_group_policy("PutModelPackageGroupPolicy", f"arn:aws:iam::{APPS}:root"))),
        (3, AT_ML, SCIENTISTS[1], refused(s3_object("GetObject", ARTIFACTS, weights, error="AccessDenied"), "Access Denied")),
        (4, AT_ML, PIPELINE, s3_object("CopyObject", ARTIFACTS, "release/model.tar.gz", more=copy)),
        (
            2,
            AT_ML,
            SCIENTISTS[2],
            s3_object("CopyObject", ARTIFACTS, "notes/metrics.json", more={"x-amz-copy-source": f"{ARTIFACTS}/fraud/metrics.json"}),
        ),
        (5, AT_ML, BACKUP, s3_object("GetObject", ARTIFACTS, "manifest/model.tar.gz.sha256")),
        (2, AT_ML, SCIENTISTS[2], refused(transform("score-elsewhere-synthetic", f"s3://{DROP}/scores"))),
        (3, AT_ML, CONTRACTOR, refused(presigned(Dice("aws near presigned")))),
        (
            4,
            AT_ML,
            in_console(SCIENTISTS[0]),
            Call(service="sagemaker", name="CreatePresignedNotebookInstanceUrl", request={"notebookInstanceName": "synthetic"}),
        ),
    )


def play_near_misses(trail: Trail) -> None:
    """Spread the near misses over the fortnight."""
    dice = Dice("aws near")
    for count, where, actor, call in (*_logging_rows(), *_identity_rows(), *_bedrock_rows(), *_model_rows()):
        for _ in range(count):
            trail.add(dice.office_time(), where, actor, call, plant_of(call.name, _FINDERS))
    night = START + timedelta(days=DAYS - 5, hours=3)
    trail.add(night, AT_ML, PIPELINE, transform("nightly-synthetic", f"s3://sagemaker-{HOME}-{ML}/scores"))


def play_replacements(trail: Trail) -> None:
    """Put another guardrail in the place of each that a release removes."""
    removed = [event.time for event in trail.events if event.label["action"] == "DeleteGuardrail" and _by(event, DEPLOY)]
    for moment in removed:
        trail.add(moment - timedelta(minutes=4), AT_APPS, DEPLOY, guardrail("CreateGuardrail", STRONG))


def _by(event: Planned, actor: Actor) -> bool:
    return event.label["principal"] == actor.identity["arn"]
