"""The log of Bedrock's invocations: what the calls of the trail asked and were answered, a file a day and region."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from synthetic.aws import APPS
from synthetic.aws_everyday import EMBEDDING
from synthetic.aws_resale import WHERE, ran
from synthetic.aws_stories import SILENCED, SPOKEN
from synthetic.dice import Dice
from synthetic.packing import gzipped
from synthetic.planned import Files, Planned, Plant, Record, lines_of

ROOT: Final = "AWSLogs/{account}/BedrockModelInvocationLogs/{region}/{day:%Y/%m/%d}/00"
REGIONS: Final = ("us-east-1", WHERE[1])


def is_logged(event: Planned) -> bool:
    """Return False for calls elsewhere, those that failed, and those in the hours in which the log is out."""
    if event.place[0] != APPS or event.place[1] not in REGIONS or not ran(event):
        return False
    return event.place == WHERE or not SILENCED < event.time < SPOKEN


def logged_of(events: Iterable[Planned]) -> list[Planned]:
    """Return what the log has of the calls of the trail."""
    dice = Dice("aws invocations")
    return [_logged(event, dice) for event in sorted(events, key=lambda each: (each.time, each.identity)) if is_logged(event)]


def _logged(event: Planned, dice: Dice) -> Planned:
    call = event.record
    model = call["requestParameters"]["modelId"]
    told = event.plant.logged
    tokens = (40 + dice.below(1800), 20 + dice.below(900)) if told is None else told.tokens
    is_embedding = model == EMBEDDING
    body: Record = {"inputText": "synthetic"} if is_embedding else {"messages": [{"role": "user", "content": "a synthetic question"}]}
    body |= {name: call["requestParameters"][name] for name in ("guardrailConfig",) if name in call["requestParameters"]}
    record: Record = {
        "timestamp": call["eventTime"],
        "accountId": event.place[0],
        "identity": {"arn": event.label["principal"]},
        "region": event.place[1],
        "requestId": call["requestID"],
        "operation": call["eventName"],
        "modelId": model,
        "input": {"inputContentType": "application/json", "inputBodyJson": body, "inputTokenCount": tokens[0]},
        "output": {"outputContentType": "application/json"} | ({} if is_embedding else {"outputTokenCount": tokens[1]}),
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }
    return Planned(
        time=event.time,
        place=event.place,
        record=record,
        source="aws_bedrock_invocation",
        identity=(event.place[0], call["requestID"]),
        label={"time": call["eventTime"], "action": call["eventName"], "principal": event.label["principal"]},
        plant=Plant(story=event.plant.story, deliveries=1, episodes=() if told is None else told.episodes),
    )


def files_of(events: Iterable[Planned]) -> Files:
    """Return the files, by path. AWS delivers by the hour; here a file holds a day."""
    dice = Dice("aws invocations delivery")
    days: dict[tuple[tuple[str, ...], date], list[Record]] = {}
    for event in events:
        days.setdefault((event.place, event.time.date()), []).append(event.record)
    files = {}
    for (place, day), records in sorted(days.items()):
        folder = ROOT.format(account=place[0], region=place[1], day=day)
        files[f"{folder}/{day:%Y%m%d}T000000000Z_{dice.text(16)}.json.gz"] = gzipped(lines_of(records))
    return files
