"""Google Cloud audit logs: log entries as a sink writes them to a bucket, an hour a file, with addenda for what came late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from synthetic.dice import Dice
from synthetic.planned import EVERYDAY, Files, Ids, Planned, Plant, Record, deliveries_of, lines_of

PROJECT: Final = "example-ml"
REGION: Final = f"projects/{PROJECT}/locations/us-central1"
GCLOUD: Final = "google-cloud-sdk gcloud/500.0.0 command/gcloud.ai,gzip(gfe)"
PYTHON: Final = "google-api-python-client/2.140.0 (gzip),gzip(gfe)"
CONSOLE: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0,gzip(gfe)"
TERRAFORM: Final = "google-api-go-client/0.5 Terraform/1.9.5 (+https://www.terraform.io),gzip(gfe)"
DENIED: Final = 7

ACTIVITY, DATA_ACCESS = "activity", "data_access"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who calls: a person or a service account, the latter perhaps by one of its keys."""

    email: str
    address: str
    agent: str = PYTHON
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is called.

    Attributes:
        name: Whole method name.
        service: First part of the service's name.
        permission: What the call needs.
        on: The resource's name.
        delta: Members of the policy delta, for calls that set a policy.
        code: Status code; 0 is success.
        log: Which of the audit logs.
        operation: `first` or `last` for the two ends of a long operation.
    """

    name: str
    service: str
    permission: str
    on: str
    request: Mapping[str, Any] = field(default_factory=dict)
    delta: Mapping[str, Any] = field(default_factory=dict)
    code: int = 0
    log: str = ACTIVITY
    operation: str = ""


class Sink:
    """Everything that happens in the project, in the order in which it is told."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: list[Planned] = []
        self._ids = Ids(0x5000000)

    def add(self, moment: datetime, member: Member, method: Method, plant: Plant = EVERYDAY) -> None:  # noqa: PLR0917 - a line of a script: when, who, what
        """Note one call: when, who, what, and what rules are to make of it."""
        record = self._entry(moment, member, method)
        label = {"time": record["timestamp"], "action": method.name, "principal": member.email}
        self.events.append(
            Planned(
                time=moment,
                place=(method.log,),
                record=record,
                source="gcp_audit",
                identity=(record["logName"], record["timestamp"], record["insertId"]),
                label=label,
                plant=plant,
            )
        )

    def _entry(self, moment: datetime, member: Member, method: Method) -> Record:
        number = self._ids.number()
        entry: Record = {
            "insertId": f"synthetic-{number:012x}",
            "labels": {"dataset": "synthetic"},
            "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2F{method.log}",
            "protoPayload": _payload(moment, member, method),
            "receiveTimestamp": f"{moment + timedelta(milliseconds=200 + number % 900):%Y-%m-%dT%H:%M:%S.%fZ}",
            "resource": {
                "type": "audited_resource",
                "labels": {"project_id": PROJECT, "service": f"{method.service}.googleapis.com", "method": method.name},
            },
            "severity": "ERROR" if method.code else "NOTICE" if method.log == ACTIVITY else "INFO",
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        if method.operation:
            end = {method.operation: True}
            entry["operation"] = {"id": f"{REGION}/operations/{len(method.on)}77", "producer": f"{method.service}.googleapis.com", **end}
        return entry


def _payload(moment: datetime, member: Member, method: Method) -> Record:
    is_service_account = member.email.endswith("gserviceaccount.com")
    who: Record = {"principalEmail": member.email}
    who["principalSubject"] = f"{'serviceAccount' if is_service_account else 'user'}:{member.email}"
    if member.key:
        who["serviceAccountKeyName"] = f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{member.email}/keys/{member.key}"
    payload: Record = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "authenticationInfo": who,
        "authorizationInfo": [{"granted": not method.code, "permission": method.permission, "resource": method.on}],
        "methodName": method.name,
        "requestMetadata": {
            "callerIp": member.address,
            "callerSuppliedUserAgent": member.agent,
            "requestAttributes": {"time": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}", "auth": {}},
        },
        "resourceName": method.on,
        "serviceName": f"{method.service}.googleapis.com",
        "status": {"code": method.code, "message": "PERMISSION_DENIED"} if method.code else {},
    }
    if method.request:
        payload["request"] = dict(method.request)
    if method.delta:
        payload["serviceData"] = {"@type": "type.googleapis.com/google.iam.v1.logging.AuditData", "policyDelta": dict(method.delta)}
    return payload


def files_of(events: Iterable[Planned]) -> Files:
    """Return the files, by path: one an hour and log, what is delivered again in an addendum of a later hour.

    Google writes colons into the names; here hyphens stand for them, so that the names work everywhere.
    """
    dice = Dice("gcp delivery")
    shards: dict[str, list[Record]] = {}
    for event in sorted(events, key=lambda each: (each.time, each.identity)):
        repeated = 1 + dice.chance(9)
        for number, record in enumerate(deliveries_of(event, repeated=repeated)):
            shards.setdefault(_path(event, number), []).append(record)
    return {path: lines_of(records) for path, records in sorted(shards.items())}


def _path(event: Planned, number: int) -> str:
    moment = event.time + timedelta(hours=number)
    if number:  # what comes again is gathered half a day at a time
        moment = moment.replace(hour=moment.hour // 12 * 12)
    hour = f"{moment:%H}-00-00_{moment:%H}-59-59"
    kind = f"A{number}" if number else "S0"
    return f"cloudaudit.googleapis.com/{event.place[0]}/{moment:%Y/%m/%d}/{hour}_{kind}.json"
