"""CloudTrail: who acts, what a call is, and how AWS writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from synthetic.planned import EVERYDAY, Ids, Planned, Plant, Record

ML: Final = "123456789012"  # where models are trained and kept
APPS: Final = "210987654321"  # where applications use models
STRANGER: Final = "444455556666"  # an account that sends us no logs

HOME: Final = "eu-west-1"
APPS_HOME: Final = "us-east-1"

ARTIFACTS: Final = "example-ml-artifacts-synthetic"
TRAINING: Final = "example-ml-training-synthetic"
DROP: Final = "example-drop-synthetic"
MODEL_GROUP: Final = "fraud-scoring-synthetic"
GUARDRAIL: Final = "synthetic0gr1"

BOTO: Final = "Boto3/1.35.36 md/Botocore#1.35.36 ua/2.0 os/linux lang/python#3.11.9"
CLI: Final = "aws-cli/2.17.20 md/awscrt#0.20.11 ua/2.0 os/linux#6.1 lang/python#3.11.8"
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
TERRAFORM: Final = "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 aws-sdk-go-v2/1.30.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who calls, from where, with what.

    Attributes:
        identity: The userIdentity element.
        account: Account that the identity belongs to.
        is_console: The session came from the console.
    """

    identity: Mapping[str, Any]
    account: str
    address: str
    agent: str = BOTO
    is_console: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is called, and what comes of it.

    Attributes:
        service: First part of the event source.
        error: Error code; empty when the call goes through.
        is_data: A data event (S3 objects) instead of a management event.
        resources: ARN and type of what a data event names.
        more: Further members of the record.
    """

    service: str
    name: str
    request: Record | None = None
    response: Record | None = None
    error: str = ""
    message: str = ""
    is_read: bool = False
    is_data: bool = False
    resources: tuple[tuple[str, str], ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def person(account: str, name: str, key: str, address: str, agent: str = CLI) -> Actor:  # noqa: PLR0917 - a row of a table
    """Return an IAM user with a long-term key."""
    identity = {
        "type": "IAMUser",
        "principalId": f"AIDAEXAMPLE{len(name):02d}{name[:4].upper():X<4}",
        "arn": f"arn:aws:iam::{account}:user/synthetic/{name}",
        "accountId": account,
        "accessKeyId": key,
        "userName": name,
    }
    return Actor(identity=identity, account=account, address=address, agent=agent)


def session(account: str, role: str, who: str, address: str, agent: str = BOTO) -> Actor:  # noqa: PLR0917 - a row of a table
    """Return the session of a role; `role` may begin with a path."""
    name = role.rsplit("/", 1)[-1]
    principal = f"AROAEXAMPLE{len(role):02d}{name[:6].upper():X<6}"
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": f"arn:aws:iam::{account}:role/{role}",
        "accountId": account,
        "userName": name,
    }
    identity = {
        "type": "AssumedRole",
        "principalId": f"{principal}:synthetic-{who}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/synthetic-{who}",
        "accountId": account,
        "accessKeyId": f"ASIAEXAMPLE{sum(map(ord, account + role + who)) % 10**9:09d}",
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": "", "mfaAuthenticated": "false"}},
    }
    return Actor(identity=identity, account=account, address=address, agent=agent)


def in_console(actor: Actor) -> Actor:
    """Return the actor as he works in the console."""
    return replace(actor, agent=BROWSER, is_console=True)


def on_behalf(actor: Actor, service: str) -> Actor:
    """Return the actor as a service works for him: its name stands where an address would."""
    return replace(actor, identity={**actor.identity, "invokedBy": service}, address=service, agent=service)


def service(name: str) -> Actor:
    """Return an AWS service that acts for itself."""
    return Actor(identity={"type": "AWSService", "invokedBy": name}, account="", address=name, agent=name)


def s3_object(name: str, bucket: str, key: str, *, error: str = "", more: Record | None = None) -> Call:
    """Return a call on one object of a bucket."""
    host = f"{bucket}.s3.eu-west-1.amazonaws.com"
    return Call(
        service="s3",
        name=name,
        request={"bucketName": bucket, "Host": host, "key": key, **(more or {})},
        error=error,
        message="Access Denied" if error else "",
        is_read=name == "GetObject",
        is_data=True,
        resources=((f"arn:aws:s3:::{bucket}/{key}", "AWS::S3::Object"), (f"arn:aws:s3:::{bucket}", "AWS::S3::Bucket")),
        more={
            "additionalEventData": {
                "SignatureVersion": "SigV4",
                "CipherSuite": "TLS_AES_128_GCM_SHA256",
                "AuthenticationMethod": "AuthHeader",
            }
        },
    )


def refused(call: Call, message: str = "") -> Call:
    """Return the call as one that is denied."""
    text = message or f"not authorized to perform: {call.service}:{call.name}"
    return replace(call, error="AccessDenied", message=text, response=None)


class Trail:
    """Everything that happens in the two accounts, in the order in which it is told."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: list[Planned] = []
        self._ids = Ids(0x10000)

    def add(self, moment: datetime, where: tuple[str, str], actor: Actor, call: Call, plant: Plant = EVERYDAY) -> None:  # noqa: PLR0917 - a line of a script: when, where, who, what
        """Note one call.

        Args:
            moment: When.
            where: Account and region.
            actor: Who.
            call: What.
            plant: What rules are to make of it.
        """
        account, region = where
        record = self._record(moment, where, actor, call)
        label = {"time": record["eventTime"], "action": call.name, "principal": str(actor.identity.get("arn", ""))}
        self.events.append(
            Planned(
                time=moment.replace(microsecond=0),
                place=(account, region),
                record=record,
                source="aws_cloudtrail",
                identity=(account, record["eventID"]),
                label=label,
                plant=plant,
            )
        )

    def _record(self, moment: datetime, where: tuple[str, str], actor: Actor, call: Call) -> Record:  # noqa: PLR0917 - as add
        account, region = where
        is_bedrock_run = call.name.startswith(("InvokeModel", "Converse"))
        record: Record = {
            "eventVersion": "1.11",
            "userIdentity": _identity_at(actor, moment),
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": f"{call.service}.amazonaws.com",
            "eventName": call.name,
            "awsRegion": region,
            "sourceIPAddress": actor.address,
            "userAgent": actor.agent,
        }
        if call.error:
            record |= {"errorCode": call.error, "errorMessage": call.message or call.error}
        record |= {"requestParameters": call.request, "responseElements": call.response, **call.more}
        record |= {"requestID": self._ids.guid(), "eventID": self._ids.guid(), "readOnly": call.is_read}
        if call.resources:
            record["resources"] = [{"accountId": account, "type": kind, "ARN": arn} for arn, kind in call.resources]
        record |= {"eventType": "AwsApiCall", "managementEvent": not call.is_data, "recipientAccountId": account}
        record["eventCategory"] = "Data" if call.is_data else "Management"
        if actor.identity["type"] != "AWSService" and "invokedBy" not in actor.identity:
            host = "bedrock-runtime" if is_bedrock_run else call.service
            record["tlsDetails"] = {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": f"{host}.{region}.amazonaws.com",
            }
        if actor.is_console:
            record["sessionCredentialFromConsole"] = "true"
        return record


def _identity_at(actor: Actor, moment: datetime) -> Record:
    """Return the identity with the session begun at the full hour."""
    identity = dict(actor.identity)
    if "sessionContext" in identity:
        context = dict(identity["sessionContext"])
        context["attributes"] = {**context["attributes"], "creationDate": f"{moment:%Y-%m-%dT%H:00:00Z}"}
        identity["sessionContext"] = context
    return identity
