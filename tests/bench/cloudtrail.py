"""Synthetic CloudTrail-shaped events, fast: a file's content follows from (seed, file number) alone.

Shapes, shares and sizes follow what was measured on real trails: about 1.4 kB an event, 350 event names with a heavy head,
2,000 principals, some 270 user agents, 4,000 addresses, 4 % errors, and 21 % of the deliveries repeat an event of another file.
Every identifier is reserved or made up.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate

EVENTS_PER_FILE = 2500
REDELIVERED_PER_FILE = 525  # 21 % of the records of a file repeat the first records of its twin
PLANTED_SHARE = 0.001
DECOY_SHARE = 0.001
WATCHED_SHARE = 0.015
MIX_SHARE = 0.40
ERROR_SHARE = 0.04
MASTER_RULES = 1000
ID_SPREAD = 0x9E3779B97F4B  # odd, so that ids never repeat below 2**48 events
ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
REGIONS = ("us-east-1", "eu-central-1", "us-west-2", "ap-northeast-1")
START = datetime(2026, 1, 5, tzinfo=UTC)
APART_S = 300  # a file for each of four regions every five minutes

# Service, its share of events, nouns; verbs are common. Twenty names each, the first the most frequent.
SERVICES: tuple[tuple[str, int, str], ...] = (
    ("s3", 26, "Object Bucket ObjectAcl BucketAcl"),
    ("sts", 17, "Role CallerIdentity SessionToken FederationToken"),
    ("kms", 13, "Key DataKey Grant Alias"),
    ("ec2", 11, "Instances Volumes Snapshots SecurityGroups"),
    ("logs", 7, "LogGroups LogStream LogEvents MetricFilters"),
    ("dynamodb", 6, "Table Item Backup Stream"),
    ("lambda", 5, "Function20150331 Layers Aliases EventSourceMappings"),
    ("iam", 4, "User RolePolicy Groups InstanceProfile"),
    ("sagemaker", 3, "TrainingJob Endpoint NotebookInstance ModelPackage"),
    ("bedrock", 3, "Model FoundationModels InferenceProfile Guardrails"),
    ("secretsmanager", 2, "SecretValue Secret RandomPassword Rotation"),
    ("ecr", 2, "AuthorizationToken Repository LifecyclePolicy ImageScan"),
    ("cloudtrail", 1, "Trails TrailStatus EventSelectors Insights"),
)
VERBS = ("Get", "Describe", "List", "Put", "Batch")
WATCHED_VERBS = ("Delete", "Stop", "Disable", "Detach", "Revoke", "Modify", "Export", "Copy", "Share")
WATCHED_NOUNS = (
    *("Trail", "Guardrail", "ModelArtifact", "Detector", "LoginProfile"),
    *("AccessKey", "BucketPolicy", "KeyRotation", "FlowLogs", "Dataset"),
)
AGENT_FAMILIES = (
    "aws-cli/2.{}.{} Python/3.11.8 Linux/5.10.201 source/x86_64 prompt/off",
    "Boto3/1.34.{} md/Botocore#1.34.{} ua/2.0 os/linux#5.10 md/arch#x86_64 lang/python#3.11 md/pyimpl#CPython",
    "aws-sdk-go-v2/1.24.{} os/linux lang/go#1.21.{} md/GOOS#linux md/GOARCH#amd64 api/s3#1.48.0",
    "APN/1.0 HashiCorp/1.0 Terraform/1.6.{} terraform-provider-aws/5.{}.0",
    "aws-sdk-java/2.21.{} Linux/5.15 OpenJDK_64-Bit_Server_VM/17.0.{} Java/17 vendor/Eclipse_Adoptium cfg/retry-mode/standard",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/12{}.0.0.0 Safari/537.{}",
)
ERRORS = (
    ("AccessDenied", "User is not authorized to perform this operation on the resource"),
    ("ThrottlingException", "Rate exceeded"),
    ("NoSuchKey", "The specified key does not exist."),
    ("ResourceNotFoundException", "Requested resource not found"),
)
# Bodies have slots: R random hex, B a bucket, N a name. Policy documents stand as JSON text in JSON.
REQUESTS: dict[str, tuple[str, ...]] = {
    "s3": (
        '{"bucketName":"B","Host":"B.s3.us-east-1.amazonaws.com","key":"data/year=2026/month=01/part-R.snappy.parquet","x-id":"GetObject"}',
        '{"bucketName":"B","Host":"B.s3.us-east-1.amazonaws.com","prefix":"logs/N/","list-type":"2","encoding-type":"url","max-keys":"1000"}',
    ),
    "sts": (
        (
            '{"roleArn":"arn:aws:iam::123456789012:role/N","roleSessionName":"session-R","durationSeconds":3600,'
            '"tags":[{"key":"team","value":"N"},{"key":"stage","value":"prod"}]}'
        ),
        "null",
    ),
    "kms": (
        (
            '{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::B/N/R"},'
            '"keyId":"arn:aws:kms:us-east-1:123456789012:key/N"}'
        ),
    ),
    "ec2": (
        (
            '{"instancesSet":{"items":[{"instanceId":"i-R"},{"instanceId":"i-0N"}]},"filterSet":{"items":[{"name":"instance-state-name",'
            '"valueSet":{"items":[{"value":"running"},{"value":"pending"}]}}]},"includeAllInstances":false}'
        ),
        '{"maxResults":100,"volumeSet":{},"filterSet":{"items":[{"name":"tag:owner","valueSet":{"items":[{"value":"N"}]}}]}}',
    ),
    "iam": (
        (
            '{"userName":"N","policyName":"inline-N","policyDocument":"{\\"Version\\":\\"2012-10-17\\",\\"Statement\\":[{\\"Effect\\":\\"Allow\\",'
            '\\"Action\\":[\\"s3:GetObject\\",\\"s3:ListBucket\\"],\\"Resource\\":\\"arn:aws:s3:::B/*\\"}]}"}'
        ),
        '{"maxItems":100,"pathPrefix":"/teams/N/"}',
    ),
    "logs": ('{"logGroupName":"/aws/lambda/N","logStreamName":"2026/01/05/[$LATEST]R","limit":50,"startFromHead":true}',),
    "dynamodb": ('{"tableName":"N","key":{"pk":"R"},"consistentRead":false,"returnConsumedCapacity":"TOTAL"}',),
    "lambda": ('{"functionName":"arn:aws:lambda:us-east-1:123456789012:function:N","qualifier":"live","masterRegion":"us-east-1"}',),
    "sagemaker": (
        (
            '{"trainingJobName":"N-R","algorithmSpecification":{"trainingImage":"123456789012.dkr.ecr.us-east-1.amazonaws.com/N:latest",'
            '"trainingInputMode":"File"},"inputDataConfig":[{"channelName":"train","dataSource":{"s3DataSource":{"s3Uri":"s3://B/train/",'
            '"s3DataType":"S3Prefix"}}}],"enableNetworkIsolation":true}'
        ),
    ),
    "bedrock": ('{"modelId":"example.model-v1:0","inferenceProfileIdentifier":"N","guardrailIdentifier":"gr-N","guardrailVersion":"1"}',),
    "secretsmanager": ('{"secretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/N","versionStage":"AWSCURRENT"}',),
    "ecr": ('{"registryId":"123456789012","repositoryName":"N","imageIds":[{"imageTag":"R"},{"imageTag":"latest"}]}',),
    "cloudtrail": ('{"name":"arn:aws:cloudtrail:us-east-1:123456789012:trail/N","includeShadowTrails":false}',),
}
RESPONSES = (
    "null",
    "null",
    "null",
    "null",
    '{"x-amz-expiration":"expiry-date=\\"Fri, 06 Feb 2026 00:00:00 GMT\\", rule-id=\\"N\\"","x-amz-server-side-encryption":"aws:kms"}',
    (
        '{"credentials":{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","expiration":"Jan 5, 2026, 11:30:00 PM"},'
        '"assumedRoleUser":{"assumedRoleId":"AROAIOSFODNN7EXAMPLE:session-R","arn":"arn:aws:sts::123456789012:assumed-role/N/session-R"}}'
    ),
    '{"requestId":"R","_return":true,"items":[{"status":"ok","detail":{"name":"N","progress":100}},{"status":"ok"}]}',
)
RECORD = (
    '{"eventVersion":"1.09","userIdentity":%s,"eventTime":"%s","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"%s",'
    '"sourceIPAddress":"%s","userAgent":"%s",%s"requestParameters":%s,"responseElements":%s,%s'
    '"requestID":"%s","eventID":"%s","readOnly":%s,%s"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012",'
    '"eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","clientProvidedHostHeader":"%s.us-east-1.amazonaws.com"}}'
)
ADDITIONAL = (
    '"additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":0,'
    '"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%s","bytesTransferredOut":%s},'
)
RESOURCES = '"resources":[{"accountId":"123456789012","type":"AWS::S3::Object","ARN":"arn:aws:s3:::%s"}],'


@dataclass(frozen=True, slots=True)
class Population:
    """What benign events are drawn from; the same for every seed, so that rules can keep clear of it."""

    names: tuple[tuple[str, str], ...]
    name_weights: tuple[float, ...]
    watched: tuple[tuple[str, str], ...]
    principals: tuple[str, ...]
    principal_weights: tuple[float, ...]
    agents: tuple[str, ...]
    addresses: tuple[str, ...]
    requests: dict[str, tuple[str, ...]]
    responses: tuple[str, ...]


@cache
def population() -> Population:
    """Return the one population of benign values."""
    rng = random.Random(20260105)
    names: list[tuple[str, str]] = []
    weights: list[float] = []
    for service, share, nouns in SERVICES:
        own = [(service, verb + noun) for verb in VERBS for noun in nouns.split()]
        zipf = [1 / (rank + 1) ** 1.2 for rank in range(len(own))]
        names += own
        weights += [share * weight / sum(zipf) for weight in zipf]
    services = [service for service, _, _ in SERVICES]
    names_watched = [verb + noun for verb in WATCHED_VERBS for noun in WATCHED_NOUNS]
    watched = tuple((services[at % len(services)], name) for at, name in enumerate(names_watched))
    tokens = [f"{rng.choice(('alpha', 'orders', 'ledger', 'model', 'vision', 'search', 'pay', 'batch'))}-{n:03d}" for n in range(400)]
    return Population(
        names=tuple(names),
        name_weights=tuple(accumulate(weights)),
        watched=watched,
        principals=tuple(_principal(n, rng) for n in range(2000)),
        principal_weights=tuple(accumulate(1 / (rank + 1) ** 0.9 for rank in range(2000))),
        agents=tuple(family.format(n, n % 7) for family in AGENT_FAMILIES for n in range(45)),
        addresses=_addresses(rng),
        requests={service: tuple(_filled(body, tokens, rng) for body in bodies for _ in range(60)) for service, bodies in REQUESTS.items()},
        responses=tuple(_filled(body, tokens, rng) for body in RESPONSES for _ in range(60)),
    )


def _principal(number: int, rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.10:
        return f'{{"type":"AWSService","invokedBy":"svc{number % 40}.amazonaws.com"}}'
    if roll < 0.28:
        return (
            f'{{"type":"IAMUser","principalId":"AIDAIOSFODN{number:04d}EXAMPLE","arn":"arn:aws:iam::{ACCOUNT}:user/staff/user{number:04d}",'
            f'"accountId":"{ACCOUNT}","accessKeyId":"AKIAIOSF{number:04d}EXAMPLE","userName":"user{number:04d}"}}'
        )
    return (
        f'{{"type":"AssumedRole","principalId":"AROAIOSFODN{number:04d}EXAMPLE:session-%s",'
        f'"arn":"arn:aws:sts::{ACCOUNT}:assumed-role/role{number % 300:03d}/session-%s","accountId":"{ACCOUNT}",'
        f'"accessKeyId":"ASIA%sEXAMPLE","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAIOSFODN{number:04d}EXAMPLE",'
        f'"arn":"arn:aws:iam::{ACCOUNT}:role/role{number % 300:03d}","accountId":"{ACCOUNT}","userName":"role{number % 300:03d}"}},'
        f'"attributes":{{"creationDate":"2026-01-05T0{number % 10}:00:00Z","mfaAuthenticated":"false"}}}}}}'
    )


def _addresses(rng: random.Random) -> tuple[str, ...]:
    reserved = [f"{net}.{host}" for net in ("192.0.2", "198.51.100", "203.0.113") for host in range(1, 255)]
    private = {f"10.{rng.randrange(64)}.{rng.randrange(256)}.{rng.randrange(1, 255)}" for _ in range(3400)}
    return (*reserved, *sorted(private))[:4000]


def _filled(body: str, tokens: list[str], rng: random.Random) -> str:
    # A body ends up with "%s" where each event puts its own random digits.
    name, bucket = rng.choice(tokens), f"corp-{rng.choice(tokens)}"
    out = body.replace("%", "%%")
    for slot, text in (('"B', f'"{bucket}'), (":B/", f":{bucket}/"), ("/B/", f"/{bucket}/")):
        out = out.replace(slot, text)
    for slot in ('"N"', "/N", ":N", "-N", "0N", "N/", '"N-', "N:", '"N\\'):
        out = out.replace(slot, slot.replace("N", name))
    return out.replace('"R"', '"%s"').replace("-R", "-%s").replace("/R", "/%s").replace("]R", "]%s")


# -- one file -------------------------------------------------------------------------------------------------


class Draw:
    """All random choices of one file's own events, made at once, so that its twin can repeat the first of them."""

    def __init__(self, seed: int, number: int, *, is_mixed: bool = False, apart_s: int = APART_S) -> None:
        """Draw everything for file `number`; `is_mixed` lets 40 % of events carry watched names, four files begin every `apart_s`."""
        people = population()
        self.rng = rng = random.Random(f"{seed}/{number}")
        self.number = number
        count = EVENTS_PER_FILE
        self.hex = rng.randbytes(16 * count).hex()
        self.letters = base64.b64encode(rng.randbytes(120 * count), b"Ab").decode()
        share = MIX_SHARE if is_mixed else WATCHED_SHARE
        heads = rng.choices(people.names, cum_weights=people.name_weights, k=count)
        self.names = [rng.choice(people.watched) if rng.random() < share else head for head in heads]
        self.principals = rng.choices(people.principals, cum_weights=people.principal_weights, k=count)
        self.agents = rng.choices(people.agents, k=count)
        self.addresses = rng.choices(people.addresses, k=count)
        self.responses = rng.choices(people.responses, k=count)
        self.requests = [rng.choice(people.requests[service]) for service, _ in self.names]
        self.errors = [rng.choice(ERRORS) if rng.random() < ERROR_SHARE else None for _ in range(count)]
        rolls = [rng.random() for _ in range(count)]
        self.planted = {at: rng.randrange(MASTER_RULES) for at, roll in enumerate(rolls) if roll < PLANTED_SHARE}
        self.decoys = {at: rng.randrange(MASTER_RULES) for at, roll in enumerate(rolls) if 1 - roll < DECOY_SHARE}
        self.start = START + timedelta(seconds=apart_s * (number // 4))

    def event_id(self, at: int) -> str:
        """Return the id of the event `at`."""
        spread = (self.number * EVENTS_PER_FILE + at) * ID_SPREAD % 2**48
        return f"00000000-0000-4000-8000-{spread:012x}"

    def record(self, at: int) -> str:
        """Return the benign event `at` as JSON text."""
        service, name = self.names[at]
        digits = self.hex[32 * at : 32 * at + 32]
        letters = self.letters[160 * at : 160 * at + 160]
        error = self.errors[at]
        has_transfer = service in ("s3", "kms", "sts")
        moment = self.start + timedelta(milliseconds=119 * at)
        return RECORD % (
            slotted(self.principals[at], letters[:9].upper()),
            moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            service,
            name,
            REGIONS[self.number % 4],
            self.addresses[at],
            self.agents[at],
            "" if error is None else f'"errorCode":"{error[0]}","errorMessage":"{error[1]}",',
            slotted(self.requests[at], letters[9:37]),
            slotted(self.responses[at], letters[37:77]),
            ADDITIONAL % (letters[84:160], int(digits[:4], 16)) if has_transfer else "",
            f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
            self.event_id(at),
            "true" if name.startswith(("Get", "Describe", "List")) else "false",
            RESOURCES % letters[9:37] if service == "s3" else "",
            service,
        )


def slotted(body: str, digits: str) -> str:
    """Return a body with the event's own digits in its slots."""
    return body.replace("%s", digits).replace("%%", "%") if "%" in body else body


def path_of(number: int, *, apart_s: int = APART_S) -> str:
    """Return where file `number` lies below the root, as CloudTrail lays out deliveries."""
    region = REGIONS[number % 4]
    moment = START + timedelta(seconds=apart_s * (number // 4))
    stamp = moment.strftime("%Y%m%dT%H%MZ")
    folder = f"AWSLogs/{ACCOUNT}/CloudTrail/{region}/{moment:%Y/%m/%d}"
    return f"{folder}/{ACCOUNT}_CloudTrail_{region}_{stamp}_SYNTHETIC{number:06d}.json.gz"


def twin_of(number: int) -> int:
    """Return the file whose first events are delivered again in file `number`."""
    return number ^ 1


def changed(record: str, changes: dict[str, object]) -> str:
    """Return the record with members set by dotted path; None removes a member."""
    event = json.loads(record)
    for path, value in changes.items():
        *above, last = path.split(".")
        inner = event
        for name in above:
            if not isinstance(inner.get(name), dict):
                inner[name] = {}
            inner = inner[name]
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    return json.dumps(event, separators=(",", ":"))
