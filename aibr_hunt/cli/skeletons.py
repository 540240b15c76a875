"""First drafts of files that people go on writing: a rule, its cases, a repository of their own."""

from __future__ import annotations

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


README: Final = """\
# Our hunts

Rules, hunts and mappings of our own, on top of the built-in ones of aibr-hunt.

| folder | holds |
|---|---|
| `rules/` | Sigma rules, each with `<name>.tests.yaml` beside it |
| `hunts/` | hypotheses, and `hunts/sweeps/` for standing sets |
| `mappings/logsources/` | log sources of our own, or ours in place of built-in ones |
| `mappings/values/` | lists for `%placeholders%` in rules |

Work: `aibr-hunt rules new rules/aws/s3/aws_s3_x.yml`, edit, `aibr-hunt rules test rules`, `aibr-hunt rules check rules`.
Run: `aibr-hunt run rules shipped:aws --logs PATH`.
"""

CONFIG: Final = """\
# Settings of aibr-hunt in this folder. `aibr-hunt config show` prints each value and where it came from.
content = ["."]
"""

CI: Final = """\
# Tests and checks every rule on each push. Pin the actions and the version of aibr-hunt to what you have reviewed.
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
"""
