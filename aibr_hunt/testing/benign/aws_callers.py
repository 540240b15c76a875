"""Who calls in the everyday traffic of AWS, and the CloudTrail records that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.testing.benign.scene import Record, Scene, Told

ACCOUNT: Final = "123456789012"
REGIONS: Final = ("eu-west-1", "us-east-1")
OFFICE: Final = ("198.51.100.10", "198.51.100.11", "198.51.100.12")
HOMES: Final = ("203.0.113.20", "203.0.113.21", "203.0.113.22", "203.0.113.23")
GATEWAY: Final = ("192.0.2.10", "192.0.2.11")
PEOPLE: Final = ("ada", "grace", "edsger", "barbara", "alan", "radia")
BUCKETS: Final = ("example-ml-data", "sagemaker-eu-west-1-123456789012", "example-ml-models")
IMAGE: Final = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/ml/train:1.4"
CLIENTS: Final = ("Boto3/1.40.0 md/Botocore#1.40.0 lang/python#3.12.3", "aws-cli/2.27.0 md/awscrt#0.26.1")
_BROWSER: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_TERRAFORM: Final = "APN/1.0 HashiCorp/1.0 Terraform/1.9.0 aws-sdk-go-v2/1.36.0"
_READS: Final = ("Get", "List", "Describe", "Head", "Batch", "Query", "Search", "Lookup", "Retrieve")


class Caller:
    """Who calls: identity, address and client, and whether in a browser.

    Args:
        scene: In what.
        identity: The member `userIdentity` of the records.
        address: Where from.
        agent: With which client.
    """

    def __init__(self, scene: Scene, identity: Record, *, address: str, agent: str) -> None:
        """Keep what each record says of the caller."""
        self.scene = scene
        self.identity = identity
        self.address = address
        self.agent = agent
        self.is_console = False

    def call(self, source: str, name: str, request: Mapping[str, Json] | None = None, *, error: str = "", is_data: bool = False) -> Told:
        """Return the record of a call that is made now; a moment passes."""
        scene = self.scene
        event: Record = {
            "eventVersion": "1.11",
            "userIdentity": self.identity,
            "eventTime": scene.text,
            "eventSource": f"{source}.amazonaws.com",
            "eventName": name,
            "awsRegion": REGIONS[0] if scene.chance(0.9) else REGIONS[1],
            "sourceIPAddress": self.address,
            "userAgent": self.agent,
            "requestParameters": None if request is None else dict(request),
            "responseElements": None,
            "requestID": scene.uuid(),
            "eventID": scene.uuid(),
            "readOnly": name.startswith(_READS),
            "eventType": "AwsApiCall",
            "managementEvent": not is_data,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Data" if is_data else "Management",
        }
        if error:
            event |= {"errorCode": error, "errorMessage": "The request was refused."}
        if self.is_console:
            event["sessionCredentialFromConsole"] = "true"
        scene.wait(0.2, 4)
        return "aws_cloudtrail", event

    def object(self, name: str, bucket: str, key: str, *, size: int = 1_000) -> Told:
        """Return the record of a call on an object in S3."""
        source, event = self.call("s3", name, {"bucketName": bucket, "key": key}, is_data=True)
        if isinstance(event, dict):
            way = "bytesTransferredOut" if name == "GetObject" else "bytesTransferredIn"
            event["additionalEventData"] = {way: size, "SSEApplied": "SSE_KMS"}
            event["resources"] = [{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"}]
        return source, event


def role(scene: Scene, name: str, session: str, *, address: str, agent: str, path: str = "") -> Caller:  # noqa: PLR0913 - a session has these parts
    """Return a session of a role."""
    key = f"ASIA{scene.hex(16).upper()}"
    issuer: Record = {
        "type": "Role",
        "principalId": "AROAEXAMPLE000000001",
        "arn": f"arn:aws:iam::{ACCOUNT}:role/{path}{name}",
        "accountId": ACCOUNT,
        "userName": name,
    }
    identity: Record = {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE000000001:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": scene.text, "mfaAuthenticated": "false"}},
    }
    return Caller(scene, identity, address=address, agent=agent)


def person(scene: Scene, *, in_console: bool | None = None, kind: str = "DataScientist") -> Caller:
    """Return somebody of the team, signed in through the identity centre."""
    who = scene.usual(PEOPLE)
    is_console = scene.chance(0.5) if in_console is None else in_console
    agent = _BROWSER if is_console else scene.pick(CLIENTS)
    name = f"AWSReservedSSO_{kind}_0123456789abcdef"
    address = HOMES[PEOPLE.index(who) % len(HOMES)] if scene.chance(0.1) else OFFICE[PEOPLE.index(who) % len(OFFICE)]
    caller = role(scene, name, f"{who}@example.com", address=address, agent=agent, path="aws-reserved/sso.amazonaws.com/eu-west-1/")
    caller.is_console = is_console
    return caller


def pipeline(scene: Scene) -> Caller:
    """Return the delivery pipeline."""
    return role(scene, "deploy-ml", "release", address=scene.pick(GATEWAY), agent=_TERRAFORM)


def application(scene: Scene, name: str = "chat-app") -> Caller:
    """Return an application under a role of its own."""
    return role(scene, name, f"task-{scene.rng.randrange(4)}", address=GATEWAY[0], agent=CLIENTS[0])


def execution(scene: Scene) -> Caller:
    """Return a notebook or job of SageMaker under its execution role."""
    name = scene.usual(("AmazonSageMaker-ExecutionRole-20250301T101010", "sagemaker-train"))
    path = "service-role/" if name.startswith("Amazon") else ""
    return role(scene, name, "SageMaker", address=scene.pick(GATEWAY), agent=CLIENTS[0], path=path)


def batch_user(scene: Scene) -> Caller:
    """Return the old batch program, which has an access key of its own."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/ml-batch"
    identity: Record = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE000000001",
        "arn": arn,
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "ml-batch",
    }
    return Caller(scene, identity, address=GATEWAY[1], agent=CLIENTS[0])


def service(scene: Scene, name: str) -> Caller:
    """Return a service of AWS that acts by itself."""
    return Caller(scene, {"type": "AWSService", "invokedBy": name}, address=name, agent=name)
