"""First drafts of files that people go on writing: a rule, its cases, a repository of their own."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Final

import yaml

from aibr_hunt.errors import UsageError

_DETECTIONS: Final[Mapping[str, dict[str, str]]] = {
    "aws/cloudtrail": {"eventSource": "s3.amazonaws.com", "eventName": "DeleteBucket"},
    "gcp/gcp.audit": {
        "protoPayload.serviceName": "aiplatform.googleapis.com",
        "protoPayload.methodName|endswith": ".ModelService.DeleteModel",
    },
    "azure/activitylogs": {"operationName": "Microsoft.MachineLearningServices/workspaces/delete"},
}
_EVENTS: Final[Mapping[str, dict[str, object]]] = {
    "aws/cloudtrail": {
        "eventVersion": "1.11",
        "eventTime": "2026-01-01T00:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "DeleteBucket",
        "userIdentity": {"arn": "arn:aws:iam::123456789012:user/a"},
    },
    "gcp/gcp.audit": {
        "timestamp": "2026-01-01T00:00:00Z",
        "protoPayload": {
            "serviceName": "aiplatform.googleapis.com",
            "methodName": "google.cloud.aiplatform.v1.ModelService.DeleteModel",
        },
    },
    "azure/activitylogs": {
        "time": "2026-01-01T00:00:00Z",
        "operationName": "MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/DELETE",
        "resultType": "Success",
    },
}


def _known(logsource: str) -> None:
    if logsource not in _DETECTIONS:
        raise UsageError(f"There is no skeleton for the log source {logsource}.", hint=f"Choose one of {', '.join(_DETECTIONS)}.")


def rule_skeleton(name: str, title: str, logsource: str, ident: uuid.UUID, today: dt.date) -> str:
    """Return the text of a rule that loads, matches its skeleton cases and asks to be edited.

    Raises:
        UsageError: There is no skeleton for the log source.
    """
    _known(logsource)
    product, service = logsource.split("/", 1)
    body = {
        "title": title or name.replace("_", " ").capitalize(),
        "id": str(ident),
        "status": "experimental",
        "description": "EDIT: what happened, and why it matters.",
        "author": "",
        "date": today.isoformat(),
        "references": [],
        "tags": ["attack.impact", "attack.t1485"],
        "logsource": {"product": product, "service": service},
        "detection": {"selection": dict(_DETECTIONS[logsource]), "condition": "selection"},
        "falsepositives": ["EDIT: what a SOC would recognise"],
        "level": "medium",
        "regression_tests_path": f"{name}.tests.yaml",
    }
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=140)


def cases_skeleton(name: str, logsource: str) -> str:
    """Return the text of cases with one hit, for the author to go on.

    Raises:
        UsageError: There is no skeleton for the log source.
    """
    _known(logsource)
    hit = {"hit": True, "event": _EVENTS[logsource], "why": "EDIT: at least 2 hits, and near misses that differ in one place"}
    return yaml.safe_dump({"rule": name, "cases": {"first_hit": hit}}, sort_keys=False, allow_unicode=True, width=140)


# Types that one rule is enough for, each with what it asks and how many events of the skeleton's rule meet it.
_KINDS: Final[Mapping[str, tuple[dict[str, object], int]]] = {
    "event_count": ({"timespan": "15m", "condition": {"gte": 3}}, 3),
    "first_seen": ({"lookback": "30d"}, 1),
    "spike": ({"lookback": "14d", "minimum": 3, "condition": {"gt": 2}}, 3),
}
_GROUPS: Final[Mapping[str, str]] = {
    "aws/cloudtrail": "userIdentity.arn",
    "gcp/gcp.audit": "protoPayload.authenticationInfo.principalEmail",
    "azure/activitylogs": "caller",
}
_WHO: Final[Mapping[str, dict[str, object]]] = {
    "aws/cloudtrail": {},
    "gcp/gcp.audit": {"authenticationInfo": {"principalEmail": "a@example.com"}},
    "azure/activitylogs": {"caller": "a@example.com"},
}


def correlation_skeleton(name: str, title: str, logsource: str, *, kind: str, idents: tuple[uuid.UUID, uuid.UUID], today: dt.date) -> str:
    """Return the text of a rule and a correlation over it that load and meet their skeleton cases.

    Raises:
        UsageError: There is no skeleton for the log source or the type.
    """
    _known(logsource)
    _known_kind(kind)
    rule = yaml.safe_load(rule_skeleton(name, f"{title or name.replace('_', ' ')}: the event", logsource, idents[0], today))
    rule |= {"name": f"{name}_event", "level": "informational"}
    del rule["regression_tests_path"]
    asked, _ = _KINDS[kind]
    body = {
        "title": title or name.replace("_", " ").capitalize(),
        "id": str(idents[1]),
        "status": "experimental",
        "description": "EDIT: what happened, and why it matters.",
        "author": "",
        "date": today.isoformat(),
        "references": [],
        "tags": ["attack.impact", "attack.t1485"],
        "correlation": {"type": kind, "rules": [f"{name}_event"], "group-by": [_GROUPS[logsource]], **asked},
        "falsepositives": ["EDIT: what a SOC would recognise"],
        "level": "medium",
    }
    return yaml.safe_dump_all([rule, body], sort_keys=False, allow_unicode=True, width=140)


def correlation_cases_skeleton(name: str, logsource: str, kind: str) -> str:
    """Return the text of cases with one hit, for the author to go on.

    Raises:
        UsageError: There is no skeleton for the log source or the type.
    """
    _known(logsource)
    _known_kind(kind)
    event = copy.deepcopy(_EVENTS[logsource])
    (event["protoPayload"] if logsource == "gcp/gcp.audit" else event).update(_WHO[logsource])  # type: ignore[attr-defined] # a map, above
    row = {"at": "0s", "event": event, "repeat": _KINDS[kind][1], "every": "1m"}
    hit = {"hit": True, "events": [row], "why": "EDIT: also just inside and just outside, delivered twice, late, of two groups"}
    return yaml.safe_dump({"correlation": name, "cases": {"first_hit": hit}}, sort_keys=False, allow_unicode=True, width=140)


def _known_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise UsageError(f"There is no skeleton for a correlation of type {kind}.", hint=f"Begin with one of {', '.join(_KINDS)}.")


README: Final = """\
# Our hunts

Rules, hunts and mappings of our own, on top of the built-in ones of aibr-hunt.

| folder | holds |
|---|---|
| `rules/` | Sigma rules, each with `<name>.tests.yaml` beside it |
| `hunts/` | hypotheses, each with `<name>.incidents.yaml` beside it, and `hunts/sweeps/` for standing sets |
| `mappings/logsources/` | log sources of our own, or ours in place of built-in ones |
| `mappings/values/` | lists for `%placeholders%` in rules |

Work: `aibr-hunt rules new rules/aws/s3/aws_s3_x.yml`, edit, `aibr-hunt rules test rules`, `aibr-hunt rules check rules`;
for hunts `aibr-hunt hunt test hunts`, `aibr-hunt hunt check hunts`.
Run: `aibr-hunt run rules shipped:aws --logs PATH`.
"""

CONFIG: Final = """\
# Settings of aibr-hunt in this folder. `aibr-hunt config show` prints each value and where it came from.
content = ["."]
"""

CI: Final = """\
# Tests and checks every rule and hunt on each push. Pin the actions and the version of aibr-hunt to what you have reviewed.
name: rules
on: [push, pull_request]
permissions: {contents: read}
jobs:
  rules:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {persist-credentials: false}
      - uses: actions/setup-python@v5
        with: {python-version: '3.12'}
      - run: python -m pip install aibr_hunt
      - run: aibr-hunt rules test rules
      - run: aibr-hunt rules check rules
      - run: aibr-hunt hunt test hunts
      - run: aibr-hunt hunt check hunts
"""
