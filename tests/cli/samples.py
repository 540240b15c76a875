"""Small synthetic rules and logs that the tests of engines, runs and commands share."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.model.rule import Rule

NOW = datetime(2026, 2, 1, tzinfo=UTC)
GUID = "00000000-0000-4000-8000-{:012d}"
Event = dict[str, Any]


def cloudtrail(number: int, name: str = "ListGuardrails", **changes: Any) -> Event:
    """Return a CloudTrail record; a change to None leaves the member out."""
    event: Event = {
        "eventVersion": "1.11",
        "eventTime": f"2026-01-{1 + number // 1440 % 28:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00Z",
        "eventSource": "bedrock.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.7",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/person{number % 7}"},
        "recipientAccountId": "123456789012",
        "eventID": GUID.format(number),
    } | changes
    return {member: value for member, value in event.items() if value is not None}


def gcp(number: int, method: str = "google.cloud.aiplatform.v1.ModelService.ListModels") -> Event:
    """Return a Cloud Logging audit entry."""
    return {
        "logName": "projects/example/logs/cloudaudit.googleapis.com%2Factivity",
        "insertId": f"i{number}",
        "timestamp": "2026-01-05T10:00:00Z",
        "protoPayload": {"serviceName": "aiplatform.googleapis.com", "methodName": method},
    }


def rule_text(
    number: int, selection: str = "{eventName: DeleteGuardrail}", *, logsource: str = "{product: aws, service: cloudtrail}"
) -> str:
    """Return the text of a rule whose condition is one selection, in YAML flow style."""
    return (
        f"title: Rule {number}\nid: {GUID.format(number)}\nname: rule_{number}\nstatus: test\nlevel: high\n"
        f"logsource: {logsource}\ndetection:\n  selection: {selection}\n  condition: selection\n"
    )


def rule(number: int, selection: str = "{eventName: DeleteGuardrail}", *, logsource: str = "{product: aws, service: cloudtrail}") -> Rule:
    """Return that rule, loaded."""
    return load_rule_text(rule_text(number, selection, logsource=logsource), f"rule_{number}.yml")


def write_rules(folder: Path, texts: Mapping[str, str]) -> Path:
    """Write rule files by name and return the folder."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def write_records(path: Path, events: Sequence[Event]) -> Path:
    """Write a CloudTrail `Records` file, compressed when its name says so."""
    return write_bytes(path, json.dumps({"Records": events}).encode())


def write_lines(path: Path, events: Iterable[Event], *, encoding: str = "utf-8") -> Path:
    """Write JSON lines."""
    return write_bytes(path, "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in events).encode(encoding))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file and the folders above it; `.gz` is compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def write_azure_csv(path: Path, operations: Sequence[str], *, encoding: str = "utf-8-sig") -> Path:
    """Write a portal export of the Azure activity log."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Correlation id", "Operation name", "Status", "Event category", "Level", "Time", "Subscription", "Event initiated by"])
    for number, operation in enumerate(operations):
        when = f"2026-01-03T00:00:{number % 60:02d}Z"
        writer.writerow(
            [GUID.format(number), operation, "Succeeded", "Administrative", "Informational", when, GUID.format(9), "a@example.com"]
        )
    return write_bytes(path, text.getvalue().encode(encoding))
