"""What goes on in the two AWS accounts on any day: training, serving, watching, people at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from synthetic.aws import (
    APPS,
    APPS_HOME,
    ARTIFACTS,
    BROWSER,
    CLI,
    GUARDRAIL,
    HOME,
    ML,
    MODEL_GROUP,
    TERRAFORM,
    TRAINING,
    Actor,
    Call,
    Trail,
    in_console,
    on_behalf,
    person,
    s3_object,
    service,
    session,
)
from synthetic.dice import START, Dice, at
from synthetic.planned import Record

EXECUTION: Final = session(ML, "service-role/AmazonSageMaker-ExecutionRole-synthetic", "SageMaker", "192.0.2.40")
PIPELINE: Final = session(ML, "github-actions-synthetic", "run", "192.0.2.50", TERRAFORM)
DEPLOY: Final = session(APPS, "deploy-synthetic", "release", "192.0.2.51", TERRAFORM)
ML_DEPLOY: Final = session(ML, "deploy-synthetic", "release", "192.0.2.51", TERRAFORM)
SCIENTISTS: Final = tuple(
    session(ML, "data-science", who, f"192.0.2.{20 + number}", CLI) for number, who in enumerate(("ada", "kurt", "emmy"))
)
CHAT: Final = tuple(session(APPS, "chat-backend", f"task{number}", f"192.0.2.{60 + number}") for number in range(3))
SUMMARY: Final = session(APPS, "summary-worker", "lambda", "192.0.2.70")
DEVELOPER: Final = session(APPS, "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Developer_synthetic", "grace", "192.0.2.25", CLI)
WATCHERS: Final = tuple(session(account, "monitoring-reader", "scan", "192.0.2.80") for account in (ML, APPS))
RESPONDER: Final = session(APPS, "security-responder", "oncall", "192.0.2.30", CLI)
BACKUP: Final = person(ML, "backup-agent", "AKIAEXAMPLE000000011", "192.0.2.90")
REPORTING: Final = person(APPS, "reporting", "AKIAEXAMPLE000000012", "192.0.2.91")

CHAT_MODEL: Final = "example.chat-model-v2:0"
EMBEDDING: Final = "example.embedding-v1:0"
BEDROCK_REGIONS: Final = ((8, APPS_HOME), (2, "us-west-2"))

Maker = Callable[[Dice], Call]


def read(service_name: str, name: str, **request: object) -> Call:
    """Return a plain read."""
    return Call(service=service_name, name=name, request=dict(request) or None, is_read=True)


def run_model(name: str, model: str, **more: object) -> Call:
    """Return a call that runs a Bedrock model."""
    request: Record = {"modelId": model, **more}
    return Call(service="bedrock", name=name, request=request, is_read=True, more={"additionalEventData": {"inferenceRegion": APPS_HOME}})


def assume(role: str, account: str, who: str) -> Call:
    """Return the start of a role's session by a service."""
    arn = f"arn:aws:iam::{account}:role/{role}"
    name = role.rsplit("/", 1)[-1]
    return Call(
        service="sts",
        name="AssumeRole",
        request={"roleArn": arn, "roleSessionName": f"synthetic-{who}"},
        response={
            "credentials": {"accessKeyId": "ASIAEXAMPLE000000100", "expiration": "Jan 31, 2026, 12:00:00 AM"},
            "assumedRoleUser": {"arn": f"arn:aws:sts::{account}:assumed-role/{name}/synthetic-{who}"},
        },
        is_read=True,
        resources=((arn, "AWS::IAM::Role"),),
    )


def _training_read(dice: Dice) -> Call:
    return s3_object("GetObject", TRAINING, f"transactions/2025/part-{dice.below(4000):05d}.parquet")


def _artifact_write(dice: Dice) -> Call:
    name = dice.pick(("output/model.tar.gz", "output/metrics.json", "checkpoints/epoch.ckpt", "debug/events.out"))
    return s3_object("PutObject", ARTIFACTS, f"fraud/run-{dice.below(90):03d}/{name}")


def _artifact_read(dice: Dice) -> Call:
    name = dice.pick(("output/model.tar.gz", "weights/model-00001.safetensors", "export/model.onnx"))
    return s3_object("GetObject", ARTIFACTS, f"fraud/run-{dice.below(90):03d}/{name}")


def _training(dice: Dice) -> Call:
    run = f"fraud-synthetic-{dice.below(900):03d}"
    request = {
        "trainingJobName": run,
        "roleArn": EXECUTION.identity["sessionContext"]["sessionIssuer"]["arn"],
        "outputDataConfig": {"s3OutputPath": f"s3://{ARTIFACTS}/fraud"},
        "resourceConfig": {"instanceType": "ml.g5.2xlarge", "instanceCount": 1, "volumeSizeInGB": 100},
        "tags": [{"key": "dataset", "value": "synthetic"}],
    }
    arn = f"arn:aws:sagemaker:{HOME}:{ML}:training-job/{run}"
    return Call(service="sagemaker", name="CreateTrainingJob", request=request, response={"trainingJobArn": arn})


def _scoring(dice: Dice) -> Call:
    request = {
        "transformJobName": f"score-synthetic-{dice.below(900):03d}",
        "modelName": MODEL_GROUP,
        "transformInput": {"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": f"s3://{TRAINING}/scoring/"}}},
        "transformOutput": {"s3OutputPath": dice.pick((f"s3://{ARTIFACTS}/scores/", f"s3://sagemaker-{HOME}-{ML}/scores/"))},
        "transformResources": {"instanceType": "ml.m5.xlarge", "instanceCount": 2},
    }
    return Call(
        service="sagemaker",
        name="CreateTransformJob",
        request=request,
        response={"transformJobArn": f"arn:aws:sagemaker:{HOME}:{ML}:transform-job/s"},
    )


def presigned(dice: Dice) -> Call:
    """Return a link into a workspace."""
    who = dice.pick(("ada", "kurt", "emmy"))
    request = {"domainId": "d-synthetic01", "userProfileName": who, "sessionExpirationDurationInSeconds": 43200, "expiresInSeconds": 5}
    return Call(
        service="sagemaker", name="CreatePresignedDomainUrl", request=request, response={"authorizedUrl": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    )


def _chat(dice: Dice) -> Call:
    name = dice.weighted(((5, "Converse"), (3, "ConverseStream"), (3, "InvokeModel"), (1, "InvokeModelWithResponseStream")))
    return (
        run_model(name, CHAT_MODEL, guardrailConfig={"guardrailIdentifier": GUARDRAIL, "guardrailVersion": "3"})
        if "Converse" in name
        else run_model(name, CHAT_MODEL)
    )


def _chat_fails(dice: Dice) -> Call:
    call = _chat(dice)
    error = dice.pick(("ThrottlingException", "ValidationException", "AccessDeniedException", "ModelTimeoutException"))
    return Call(
        service=call.service, name=call.name, request=call.request, error=error, message="The request was not served.", is_read=True
    )


def _look(dice: Dice) -> Call:
    service_name, name = dice.pick(
        (
            ("ec2", "DescribeInstances"),
            ("ec2", "DescribeVolumes"),
            ("ec2", "DescribeSecurityGroups"),
            ("s3", "ListBuckets"),
            ("s3", "GetBucketPolicy"),
            ("iam", "ListAccessKeys"),
            ("iam", "ListUsers"),
            ("cloudtrail", "DescribeTrails"),
            ("cloudtrail", "GetTrailStatus"),
            ("sagemaker", "ListEndpoints"),
            ("sagemaker", "ListDomains"),
            ("bedrock", "ListGuardrails"),
            ("bedrock", "ListFoundationModels"),
            ("bedrock", "GetModelInvocationLoggingConfiguration"),
            ("kms", "ListKeys"),
            ("lambda", "ListFunctions20150331"),
        )
    )
    return read(service_name, name)


def _scientist_looks(dice: Dice) -> Call:
    name, member = dice.pick(
        (
            ("DescribeTrainingJob", "trainingJobName"),
            ("DescribeModelPackage", "modelPackageName"),
            ("DescribeEndpoint", "endpointName"),
            ("GetModelPackageGroupPolicy", "modelPackageGroupName"),
            ("DescribeDomain", "domainId"),
            ("ListModelPackages", "modelPackageGroupName"),
        )
    )
    return read("sagemaker", name, **{member: MODEL_GROUP})


def _scientist_reads(dice: Dice) -> Call:
    name = dice.pick(("metrics.json", "model.tar.gz.sha256", "model.safetensors.index.json", "config.json", "report.html"))
    return s3_object("GetObject", ARTIFACTS, f"fraud/run-{dice.below(90):03d}/output/{name}")


def _key_use(_: Dice) -> Call:
    name = f"arn:aws:kms:{HOME}:{ML}:key/00000000-0000-4000-8000-0000000000aa"
    return Call(
        service="kms",
        name="Decrypt",
        request={"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{TRAINING}"}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        is_read=True,
        resources=((name, "AWS::KMS::Key"),),
    )


def _log_stream(dice: Dice) -> Call:
    stream = f"synthetic/algo-{dice.below(9)}-{dice.below(10**6):06d}"
    return Call(service="logs", name="CreateLogStream", request={"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": stream})


def _sign_in(_: Dice) -> Call:
    more = {"additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": "Yes"}}
    return Call(service="signin", name="ConsoleLogin", response={"ConsoleLogin": "Success"}, more=more)


# How often, who, which account, which regions, what, and whether at office hours.
_DAY: Final[tuple[tuple[int, tuple[Actor, ...], str, tuple[tuple[int, str], ...], Maker, bool], ...]] = (
    (950, (EXECUTION,), ML, ((1, HOME),), _training_read, False),
    (260, (on_behalf(EXECUTION, "sagemaker.amazonaws.com"),), ML, ((1, HOME),), _training_read, False),
    (220, (EXECUTION,), ML, ((1, HOME),), _artifact_write, False),
    (160, (EXECUTION, PIPELINE, on_behalf(EXECUTION, "sagemaker.amazonaws.com")), ML, ((1, HOME),), _artifact_read, False),
    (420, (on_behalf(EXECUTION, "s3.amazonaws.com"),), ML, ((1, HOME),), _key_use, False),
    (330, (EXECUTION,), ML, ((1, HOME),), _log_stream, False),
    (60, (EXECUTION, PIPELINE, *SCIENTISTS), ML, ((1, HOME),), _training, True),
    (45, (PIPELINE, *SCIENTISTS), ML, ((1, HOME),), _scoring, True),
    (75, tuple(map(in_console, SCIENTISTS)), ML, ((1, HOME),), presigned, True),
    (380, SCIENTISTS, ML, ((1, HOME),), _scientist_looks, True),
    (210, SCIENTISTS, ML, ((1, HOME),), _scientist_reads, True),
    (40, (BACKUP,), ML, ((1, HOME),), lambda dice: s3_object("GetObject", TRAINING, f"manifest/day-{dice.below(400)}.json"), False),
    (640, (WATCHERS[0],), ML, ((5, HOME), (2, "us-east-1"), (1, "eu-central-1")), _look, False),
    (640, (WATCHERS[1],), APPS, ((1, HOME), (5, APPS_HOME), (2, "us-west-2")), _look, False),
    (
        330,
        (service("sagemaker.amazonaws.com"),),
        ML,
        ((1, HOME),),
        lambda _: assume("service-role/AmazonSageMaker-ExecutionRole-synthetic", ML, "SageMaker"),
        False,
    ),
    (
        330,
        (service("ecs-tasks.amazonaws.com"),),
        APPS,
        ((1, APPS_HOME),),
        lambda dice: assume("chat-backend", APPS, f"task{dice.below(3)}"),
        False,
    ),
    (90, (service("lambda.amazonaws.com"),), APPS, ((1, APPS_HOME),), lambda _: assume("summary-worker", APPS, "lambda"), False),
    (1400, CHAT, APPS, BEDROCK_REGIONS, _chat, False),
    (380, (SUMMARY,), APPS, ((1, APPS_HOME),), lambda _: run_model("InvokeModel", EMBEDDING), False),
    (120, (*CHAT, SUMMARY), APPS, BEDROCK_REGIONS, _chat_fails, False),
    (
        40,
        (in_console(DEVELOPER),),
        APPS,
        ((1, APPS_HOME),),
        lambda dice: run_model(dice.pick(("Converse", "InvokeModel")), CHAT_MODEL),
        True,
    ),
    (30, (in_console(DEVELOPER),), APPS, ((1, APPS_HOME),), lambda _: read("bedrock", "GetUseCaseForModelAccess"), True),
    (28, (REPORTING,), APPS, ((1, APPS_HOME),), lambda _: read("ce", "GetCostAndUsage"), False),
    (28, (REPORTING,), APPS, ((1, APPS_HOME),), lambda _: read("bedrock", "ListFoundationModels"), False),
    (
        50,
        (DEVELOPER, in_console(DEVELOPER)),
        APPS,
        ((1, APPS_HOME),),
        lambda _: read("logs", "StartQuery", logGroupName="/synthetic/chat"),
        True,
    ),
    (
        24,
        tuple(Actor(identity=each.identity, account=ML, address=each.address, agent=BROWSER) for each in SCIENTISTS),
        ML,
        ((1, HOME),),
        _sign_in,
        True,
    ),
)


def play_days(trail: Trail) -> None:
    """Fill the fortnight with what goes on anyway."""
    dice = Dice("aws everyday")
    for count, actors, account, regions, make, is_office in _DAY:
        for _ in range(count):
            moment = dice.office_time() if is_office else dice.any_time()
            where, actor = (account, dice.weighted(regions)), dice.pick(actors)
            trail.add(moment, where, actor, _at_home(make(dice), actor))


def _at_home(call: Call, actor: Actor) -> Call:
    """Return the call with the caller's own profile in it, where it names one: nobody opens a colleague's workspace on any day."""
    if not call.request or "userProfileName" not in call.request:
        return call
    return replace(call, request={**call.request, "userProfileName": actor.identity["arn"].rpartition("synthetic-")[2]})


def play_weekend_before(trail: Trail) -> None:
    """Fill Friday to Sunday after New Year's Day, when only machines work. A baseline over two weeks needs to know these days."""
    dice = Dice("aws weekend before")
    where = (APPS, APPS_HOME)
    trail.add(at("02 00:12:07"), where, WATCHERS[1], read("cloudtrail", "DescribeTrails"))
    for _ in range(120):
        moment = START - timedelta(days=1 + dice.below(3)) + timedelta(hours=1 + dice.below(23), seconds=dice.below(3600))
        is_chat = dice.chance(60)
        trail.add(moment, where, dice.pick(CHAT) if is_chat else WATCHERS[1], _chat(dice) if is_chat else _look(dice))
