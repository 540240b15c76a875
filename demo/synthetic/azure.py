"""Azure's activity log: a subscription's export to a storage account, and the portal's CSV of another subscription."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from synthetic.dice import Dice
from synthetic.planned import EVERYDAY, Files, Ids, Planned, Plant, Record, deliveries_of, line_of, lines_of

SUBSCRIPTION: Final = "00000000-0000-4000-8000-000000000001"
SANDBOX: Final = "00000000-0000-4000-8000-000000000002"
GROUP: Final = "synthetic-ml"
_UPN: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_OBJECT: Final = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_COLUMNS: Final = (
    *("Correlation id", "Operation name", "Status", "Event category", "Level", "Time", "Subscription", "Event initiated by"),
    *("Resource type", "Resource group", "Resource"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: a person by name, or an application by its id."""

    name: str
    address: str
    application: str = "00000000-0000-4000-8000-00000000000a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is done.

    Attributes:
        name: Provider, type and verb, such as `Microsoft.Storage/storageAccounts/listKeys/action`.
        on: The resource's path below its group, or below the subscription when it begins with `/`.
        body: Body of the request; it stands in the event that starts the call.
        is_failed: The call fails.
    """

    name: str
    on: str
    body: Mapping[str, Any] = field(default_factory=dict)
    is_failed: bool = False


def path_of(on: str, subscription: str) -> str:
    """Return the whole path of a resource."""
    return f"/subscriptions/{subscription}{on if on.startswith('/') else f'/resourceGroups/{GROUP}/providers/{on}'}"


class Activity:
    """Everything that happens in the subscription, in the order in which it is told. One call makes two events."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: list[Planned] = []
        self._ids = Ids(0x9000000)

    def add(  # noqa: PLR0917 - a line of a script: when, who, what
        self, moment: datetime, caller: Caller, operation: Operation, plant: Plant = EVERYDAY, *, at_start: bool = False
    ) -> None:
        """Note one call: its start, and a little later its end.

        Args:
            moment: When.
            caller: Who.
            operation: What.
            plant: What rules are to make of it.
            at_start: True when they find the start and not the end.
        """
        correlation = self._ids.guid()
        lasted = 80 + self._ids.number() % 2900
        quiet = Plant(story=plant.story, deliveries=plant.deliveries)
        start = self._record(moment, caller, operation, ("Start", "Started.", correlation, 0))
        outcome = ("Failure", "Failed.Forbidden") if operation.is_failed else ("Success", "Succeeded.OK")
        end = self._record(moment + timedelta(milliseconds=lasted), caller, operation, (*outcome, correlation, lasted))
        ended = moment + timedelta(milliseconds=lasted)
        for record, when, own in ((start, moment, plant if at_start else quiet), (end, ended, quiet if at_start else plant)):
            label = {"time": record["time"], "action": record["operationName"], "principal": _named(caller)}
            self.events.append(_planned(when, SUBSCRIPTION, label, own, record))

    def _record(  # noqa: PLR0917 - as add
        self, moment: datetime, caller: Caller, operation: Operation, outcome: tuple[str, str, str, int]
    ) -> Record:
        state, signature, correlation, lasted = outcome
        resource = path_of(operation.on, SUBSCRIPTION)
        evidence = {"role": "Contributor", "roleAssignmentScope": f"/subscriptions/{SUBSCRIPTION}"}
        claims = {"aud": "https://management.azure.com/", "appid": caller.application, _OBJECT: _object_id(caller)}
        if "@" in caller.name:
            claims |= {_UPN: caller.name, "ipaddr": caller.address, "name": f"{caller.name.split('@')[0].title()} (synthetic)"}
        properties: Record = {"eventCategory": "Administrative", "entity": resource, "message": operation.name, "hierarchy": SUBSCRIPTION}
        if state == "Start" and operation.body:
            properties["requestbody"] = json.dumps(operation.body, separators=(",", ":"))
        if state != "Start":
            properties |= {"statusCode": "Forbidden" if operation.is_failed else "OK", "serviceRequestId": correlation}
        return {
            "time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}{lasted % 10}Z",
            "resourceId": resource.upper(),
            "operationName": operation.name.upper(),
            "category": "Administrative",
            "resultType": state,
            "resultSignature": signature,
            "durationMs": lasted,
            "callerIpAddress": caller.address,
            "correlationId": correlation,
            "identity": {"authorization": {"scope": resource, "action": operation.name, "evidence": evidence}, "claims": claims},
            "level": "Error" if operation.is_failed and state != "Start" else "Information",
            "properties": properties,
        }


def _planned(moment: datetime, subscription: str, label: Record, plant: Plant, record: Record) -> Planned:  # noqa: PLR0917 - private, and called twice
    """Return an event of the activity log, which has no identity in either form."""
    return Planned(time=moment, place=(subscription,), record=record, source="azure_activitylogs", identity=(), label=label, plant=plant)


def _named(caller: Caller) -> str:
    return caller.name if "@" in caller.name else _object_id(caller)


def _object_id(caller: Caller) -> str:
    return f"00000000-0000-4000-8000-0000000{len(caller.name):05d}"


def files_of(events: Iterable[Planned]) -> Files:
    """Return the blobs, by path: one an hour. What comes again stands in the blob of the next hour that has one.

    The older form of the export, one object with a list of records, was in use on the first two days.
    """
    dice = Dice("azure delivery")
    blobs: dict[datetime, list[Record]] = {}
    for event in sorted(events, key=lambda each: (each.time, each.record["correlationId"], each.record["resultType"])):
        hour = event.time.replace(minute=0, second=0, microsecond=0)
        for number, record in enumerate(deliveries_of(event, repeated=1 + dice.chance(9))):
            blobs.setdefault(hour + timedelta(hours=number), []).append(record)
    root = f"insights-activity-logs/resourceId=/SUBSCRIPTIONS/{SUBSCRIPTION}"
    files = {}
    for hour, records in sorted(blobs.items()):
        body = b'{"records":[' + b",".join(map(line_of, records)) + b"]}" if hour.day < 7 else lines_of(records)
        files[f"{root}/y={hour:%Y}/m={hour:%m}/d={hour:%d}/h={hour:%H}/m=00/PT1H.json"] = body
    return files


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the portal's CSV."""

    time: datetime
    operation: str
    status: str
    caller: str
    resource: str
    plant: Plant = EVERYDAY


def portal_export(rows: Iterable[Row]) -> tuple[bytes, list[Planned]]:
    """Return the CSV as the portal makes it (a mark of the byte order, CRLF, latest first), and its rows as events."""
    ids = Ids(0xD000000)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    events = []
    for row in sorted(rows, key=lambda each: each.time, reverse=True):
        time = f"{row.time:%Y-%m-%dT%H:%M:%S}.{row.time.microsecond // 1000:03d}Z"
        kind, _, name = row.resource.rpartition("/")
        level = "Error" if row.status == "Failed" else "Informational"
        what = (ids.guid(), row.operation, row.status, "Administrative", level, time)
        writer.writerow((*what, SANDBOX, row.caller, kind, f"{GROUP}-sandbox", name))
        label = {"time": time, "action": row.operation, "principal": row.caller}
        events.append(_planned(row.time, SANDBOX, label, row.plant, {}))
    return b"\xef\xbb\xbf" + text.getvalue().encode(), events
