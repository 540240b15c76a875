"""A small hunt with rules of its own, and incidents to judge with it."""

from __future__ import annotations

from pathlib import Path

GUID = "00000000-0000-4000-8000-{:012d}"
SOURCE = "logsource: {product: aws, service: cloudtrail}"
RULES = {
    "tried": f"title: Tried\nid: {GUID.format(1)}\nname: tried\nrequires: [aws.cloudtrail.management]\n{SOURCE}\n"
    "detection: {sel: {eventSource: bedrock.amazonaws.com, eventName: Converse, errorCode|exists: true}, condition: sel}\n",
    "run": f"title: Run\nid: {GUID.format(2)}\nname: run\nrequires: [aws.cloudtrail.management]\n{SOURCE}\n"
    "detection: {sel: {eventSource: bedrock.amazonaws.com, eventName: Converse, errorCode: null}, condition: sel}\n",
    "asked": f"title: Asked\nid: {GUID.format(3)}\nname: asked\nrequires: [aws.bedrock.invocation_logging]\n"
    "logsource: {product: aws, service: bedrock_invocation}\n"
    "detection: {sel: {modelId: example.model-v1}, condition: sel}\n",
    "often": f"title: Often\nid: {GUID.format(4)}\nname: often\ncorrelation: {{type: event_count, rules: [run], "
    "group-by: [sourceIPAddress], timespan: 1h, condition: {gte: 3}}\n",
    "new": f"title: New\nid: {GUID.format(5)}\nname: new\ncorrelation: {{type: first_seen, rules: [run], group-by: [userIdentity.arn], "
    "field: sourceIPAddress, lookback: 30d}\n",
    "both": f"title: Both\nid: {GUID.format(6)}\nname: both\ncorrelation: {{type: temporal, rules: [often, asked], timespan: 2h}}\n",
    "door": f"title: Door\nid: {GUID.format(7)}\nname: door\nlogsource: {{product: example}}\n"
    "detection: {sel: {action: OpenDoor}, condition: sel}\n",
}
HUNT = """\
hunt: small
title: Small
hypothesis: A key was stolen.
rivals: {stolen: the hypothesis, team: A team has begun., test: A test was agreed on.}
expect:
  - {id: probe, rules: [tried], supports: [stolen, test], note: Calls fail.}
  - {id: flood, rules: [often, both], supports: [stolen], against: [team], note: Many calls.}
  - {id: fresh, rules: [new], supports: [stolen, team], note: A new address.}
  - {id: known, rules: [door], supports: [team], against: [stolen], note: Somebody came in by the door.}
"""
INCIDENTS = """\
hunt: small
base:
  who: &who {arn: 'arn:aws:iam::123456789012:user/a'}
  run: &run {eventSource: bedrock.amazonaws.com, eventName: Converse, sourceIPAddress: 192.0.2.1, userIdentity: *who}
  tried: &tried {<<: *run, errorCode: AccessDenied}
incidents:
  sold_on:
    of: stolen
    what: A key is tried and used.
    events:
      - {source: aws_cloudtrail, at: 0s, id: try, event: *tried}
      - {source: aws_cloudtrail, at: 1h, id: use, event: *run, repeat: 3, every: 10m, deliveries: 2}
    observes: [probe, flood, fresh]
  begins:
    of: team
    what: A team begins.
    events:
      - {source: as-written, at: 0s, id: came, event: {action: OpenDoor}}
      - {source: aws_cloudtrail, at: 1h, event: *run}
    observes: [fresh, known]
"""


def write_hunt(folder: Path, *, hunt: str = HUNT, incidents: str | None = INCIDENTS, rules: dict[str, str] | None = None) -> Path:
    """Write the content folder and return the hunt's file."""
    texts = {f"rules/{name}.yml": text for name, text in (RULES if rules is None else rules).items()} | {"hunts/small.yml": hunt}
    if incidents is not None:
        texts["hunts/small.incidents.yaml"] = incidents
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "hunts" / "small.yml"
