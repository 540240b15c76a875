"""Everyday records of the rest of an AWS account: objects, keys, images, roles, what watches it, flows and findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.aws_callers import (
    ACCOUNT,
    BUCKETS,
    CLIENTS,
    GATEWAY,
    REGIONS,
    application,
    execution,
    person,
    pipeline,
    role,
    service,
)
from aibr_hunt.testing.benign.scene import Hours, Record, Scene, Told, habit

_OTHER_BUCKETS: Final = ("example-web-assets", "example-reports", "example-logs")
_FILTERS: Final[Json] = {
    "filtersConfig": [
        {"type": name, "inputStrength": "HIGH", "outputStrength": "HIGH"} for name in ("HATE", "VIOLENCE", "SEXUAL", "MISCONDUCT")
    ]
}
_OWN_POLICY: Final = (
    f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},'
    '"Action":"*","Resource":"*"}]}'
)
_FINDINGS: Final = (
    ("Recon:EC2/PortProbeUnprotectedPort", 2, "Instance"),
    ("UnauthorizedAccess:EC2/SSHBruteForce", 2, "Instance"),
    ("Policy:IAMUser/RootCredentialUsage", 2, "AccessKey"),
    ("Discovery:S3/AnomalousBehavior", 2, "S3Bucket"),
    ("Stealth:IAMUser/PasswordPolicyChange", 2, "AccessKey"),
)


def _watching(scene: Scene) -> Iterator[Told]:
    who = role(scene, "SecurityAudit", "cspm", address="198.51.100.40", agent=CLIENTS[0])
    lists = (
        *(
            ("sagemaker", name)
            for name in ("ListModels", "ListEndpoints", "ListNotebookInstances", "ListDomains", "DescribeNotebookInstance")
        ),
        *(("cloudtrail", name) for name in ("DescribeTrails", "GetTrailStatus", "LookupEvents")),
        *(("guardduty", name) for name in ("ListDetectors", "GetDetector", "ListFindings", "GetFindings")),
        *(("kms", name) for name in ("ListKeys", "DescribeKey", "GetKeyPolicy")),
        *(("iam", name) for name in ("ListRoles", "GetRole", "ListUsers", "ListAccessKeys", "GetAccountSummary")),
        *(("s3", name) for name in ("ListBuckets", "GetBucketPolicy", "GetBucketEncryption", "GetBucketVersioning")),
        *(("config", name) for name in ("DescribeConfigurationRecorders", "PutEvaluations")),
        *(("ec2", name) for name in ("DescribeFlowLogs", "DescribeVpcEndpoints", "DescribeSecurityGroups")),
        *(("logs", name) for name in ("DescribeLogGroups",)),
        *(
            ("bedrock", name)
            for name in ("ListAgents", "ListGuardrails", "ListKnowledgeBases", "ListCustomModels", "GetModelInvocationLoggingConfiguration")
        ),
    )
    for source, name in scene.rng.sample(lists, k=12):
        yield who.call(source, name, {})


def _platform(scene: Scene) -> Iterator[Told]:
    """The rest of the account: secrets, keys, images, roles, logs and machines."""
    app, node, deploy = (
        application(scene),
        role(scene, "eks-node", "i-0example00000001", address="192.0.2.30", agent="kubelet"),
        pipeline(scene),
    )
    for _ in scene.times(3, 8):
        yield app.call(
            "kms", scene.pick(("Decrypt", "GenerateDataKey")), {"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{BUCKETS[0]}"}}
        )
        yield app.call("sts", "AssumeRole", {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/report-reader", "roleSessionName": "app"})
    yield app.call("secretsmanager", "GetSecretValue", {"secretId": scene.usual(("prod/db", "prod/openai-key", "prod/mail"))})
    yield service(scene, "sagemaker.amazonaws.com").call("sts", "AssumeRole", {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-train"})
    yield node.call("ecr", "GetAuthorizationToken", {})
    digest = f"sha256:{scene.hex(64)}"
    yield node.call("ecr", "BatchGetImage", {"repositoryName": "ml/serve", "imageIds": [{"imageTag": "1.4", "imageDigest": digest}]})
    for _ in scene.times(2, 6):
        yield node.call("ecr", "GetDownloadUrlForLayer", {"repositoryName": "ml/serve", "layerDigest": f"sha256:{scene.hex(64)}"})
    yield app.call("logs", "CreateLogStream", {"logGroupName": "/ecs/chat-app"})
    yield app.call("ec2", "DescribeInstances", {})
    if scene.chance(0.3):
        yield deploy.call("sts", "GetCallerIdentity", {})
        yield deploy.call("ecr", "PutImage", {"repositoryName": "ml/serve", "imageTag": f"1.{scene.rng.randint(4, 90)}"})
        yield deploy.call("iam", "AttachRolePolicy", {"roleName": "report-reader", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"})
        yield deploy.call("logs", "PutRetentionPolicy", {"logGroupName": "/ecs/chat-app", "retentionInDays": 365})
        yield deploy.call("s3", "PutBucketLifecycle", {"bucketName": scene.pick(_OTHER_BUCKETS)})
    if scene.chance(0.05):
        admin = person(scene, in_console=True, kind="Administrator")
        yield admin.call("iam", "CreateRole", {"roleName": f"app-{scene.hex(4)}"})
        yield admin.call(
            "kms",
            "CreateGrant",
            {"keyId": scene.uuid(), "operations": ["Decrypt"], "granteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/chat-app"},
        )
        yield admin.call("guardduty", "ArchiveFindings", {"detectorId": scene.hex(32)})


def _operators(scene: Scene) -> Iterator[Told]:
    """Programs that look after everything: secrets are handed to a cluster, plans are compared with what is there, copies are kept."""
    operator = role(scene, "external-secrets", "operator", address="192.0.2.30", agent=CLIENTS[0])
    for number in scene.times(6, 20):
        yield operator.call("secretsmanager", "GetSecretValue", {"secretId": f"prod/service-{number}"})
    plan = pipeline(scene)
    names = (
        "DescribeModel",
        "DescribeEndpoint",
        "DescribeEndpointConfig",
        "DescribeNotebookInstance",
        "DescribeDomain",
        "ListTags",
        "DescribeModelPackageGroup",
    )
    for name in names:
        yield plan.call("sagemaker", name, {})
    for name in ("GetGuardrail", "GetAgent", "ListAgentActionGroups", "GetKnowledgeBase", "GetModelInvocationLoggingConfiguration"):
        yield plan.call("bedrock", name, {})
    for name in ("GetBucketPolicy", "GetBucketVersioning", "GetBucketEncryption", "GetBucketReplication", "GetBucketLifecycle"):
        yield plan.call("s3", name, {"bucketName": scene.pick(BUCKETS)})
    if scene.chance(0.3):
        backup = role(scene, "backup", "nightly", address=GATEWAY[1], agent=CLIENTS[0])
        for number in scene.times(10, 40):
            yield backup.object("GetObject", BUCKETS[2], f"out/run-{number}/model.tar.gz", size=10**8)
    if scene.chance(0.2):
        yield plan.call("bedrock", "UpdateGuardrail", {"guardrailIdentifier": "gr-0000000001", "contentPolicyConfig": _FILTERS})
        yield plan.call("sagemaker", "UpdateNotebookInstanceLifecycleConfig", {"notebookInstanceLifecycleConfigName": "team"})
        yield plan.call("kms", "PutKeyPolicy", {"keyId": scene.uuid(), "policy": _OWN_POLICY})
        yield plan.call("s3", "PutBucketPolicy", {"bucketName": BUCKETS[0], "bucketPolicy": _OWN_POLICY})
        yield plan.call("iam", "UpdateAssumeRolePolicy", {"roleName": "chat-app", "policyDocument": _OWN_POLICY})
    if scene.chance(0.1):
        admin = person(scene, in_console=True, kind="Administrator")
        yield admin.call("kms", "ScheduleKeyDeletion", {"keyId": scene.uuid(), "pendingWindowInDays": 30})
        yield admin.call("iam", "CreateAccessKey", {"userName": "ml-batch"})


def _objects(scene: Scene) -> Iterator[Told]:
    who = scene.pick((application(scene, "report-app"), execution(scene)))
    bucket = scene.usual((*_OTHER_BUCKETS, BUCKETS[0]))
    for _ in scene.times(5, 30):
        name = scene.usual(("GetObject", "PutObject", "HeadObject", "DeleteObject"))
        yield who.object(name, bucket, f"daily/{scene.hex(8)}.json", size=scene.rng.randint(10**3, 10**6))


def _flows(scene: Scene) -> Iterator[Told]:
    start = int(scene.moment.timestamp())
    for _ in scene.times(10, 40):
        inside, to_outside = (f"10.0.1.{scene.rng.randint(4, 60)}", scene.chance(0.4))
        other = scene.usual(("198.51.100.200", "198.51.100.201", "203.0.113.80")) if to_outside else f"10.0.2.{scene.rng.randint(4, 60)}"
        flow: Record = {
            "version": 5,
            "account_id": ACCOUNT,
            "interface_id": f"eni-0example{scene.rng.randint(1, 9):09d}",
            "srcaddr": inside,
            "dstaddr": other,
            "srcport": scene.rng.randint(32768, 60999),
            "dstport": scene.usual((443, 2049, 5432, 53)),
            "protocol": 6,
            "packets": scene.rng.randint(3, 4000),
            "bytes": scene.rng.randint(200, 5000000),
            "start": start,
            "end": start + 60,
            "action": "ACCEPT" if scene.chance(0.97) else "REJECT",
            "log_status": "OK",
            "subnet_id": scene.pick(("subnet-0example0000000001", "subnet-0example0000000002")),
            "flow_direction": "egress",
            "region": REGIONS[0],
        }
        yield ("aws_vpcflow", flow)
        scene.wait(1, 5)
        start = int(scene.moment.timestamp())


def _finding(scene: Scene) -> Iterator[Told]:
    kind, severity, resource = scene.usual(_FINDINGS)
    about: Record = {"resourceType": resource}
    if resource == "Instance":
        about["instanceDetails"] = {"instanceId": f"i-0example{scene.hex(8)}", "instanceType": "t3.medium"}
    elif resource == "S3Bucket":
        about["s3BucketDetails"] = [{"name": "example-web-assets", "arn": "arn:aws:s3:::example-web-assets"}]
    ident = scene.hex(32)
    yield (
        "aws_guardduty",
        {
            "schemaVersion": "2.0",
            "accountId": ACCOUNT,
            "region": REGIONS[0],
            "partition": "aws",
            "id": ident,
            "arn": f"arn:aws:guardduty:eu-west-1:{ACCOUNT}:detector/{scene.hex(32)}/finding/{ident}",
            "type": kind,
            "severity": severity,
            "createdAt": scene.text,
            "updatedAt": scene.text,
            "title": "Something that happens every day.",
            "description": "An instance that answers the internet is probed.",
            "resource": about,
            "service": {
                "serviceName": "guardduty",
                "archived": False,
                "count": scene.rng.randint(1, 9),
                "action": {"actionType": "PORT_PROBE"},
            },
        },
    )


ACCOUNT_HABITS: Final = (
    habit(6, Hours.ALWAYS, _watching),
    habit(12, Hours.ALWAYS, _platform),
    habit(6, Hours.ALWAYS, _objects),
    habit(2, Hours.ALWAYS, _operators),
    habit(4, Hours.ALWAYS, _flows),
    habit(60, Hours.ALWAYS, _finding),
)
