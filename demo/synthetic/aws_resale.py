"""The stolen key resold: a session is made of it, and a buyer asks one model five hundred times in an hour.

No single event of this gives it away, for a session's key is none that never expires. Only the number of calls does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from synthetic.aws import APPS, Actor, Call, Trail
from synthetic.aws_everyday import run_model
from synthetic.aws_near import IAM_APPS
from synthetic.aws_stories import JACKED, JACKING, LARGE
from synthetic.dice import Dice, at, later
from synthetic.planned import Episode, Logged, Planned, Plant

RUNS: Final = ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream")
WHERE: Final = (APPS, "us-west-2")
ADDRESS: Final = "203.0.113.160"
LONG: Final = "example.long-context-v1:0"
BEGIN: Final = at("16 01:04:10")
CALLS: Final = 504
# Every answer is as long as the buyer let it be.
LIMIT: Final = 10_400
STUFFED: Final = 91_000
LONG_PROMPTS: Final = 12

_NAME: Final = "synthetic-reseller"
_ARN: Final = f"arn:aws:sts::{APPS}:federated-user/{_NAME}"
_HOURS_BEFORE: Final = 14 * 24


def reseller() -> Actor:
    """Return who comes with a session that GetFederationToken made of the key."""
    issuer = {name: JACKED.identity[name] for name in ("type", "principalId", "arn", "accountId", "userName")}
    identity = {
        "type": "FederatedUser",
        "principalId": f"{APPS}:{_NAME}",
        "arn": _ARN,
        "accountId": APPS,
        "accessKeyId": "ASIAEXAMPLE000000777",
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"creationDate": "", "mfaAuthenticated": "false"}},
    }
    return Actor(identity=identity, account=APPS, address=ADDRESS, agent="curl/8.9.1")


def _episode(correlation: str, figure: str = "", **group: str) -> Episode:
    fields = {"arn": "userIdentity.arn", "model": "requestParameters.modelId", "logged_arn": "identity.arn", "logged_model": "modelId"}
    return Episode(
        correlation=f"aws_bedrock_{correlation}",
        story=JACKING,
        group=tuple((fields.get(name, name), value) for name, value in group.items()),
        figure=figure,
    )


TOO_OFTEN: Final = _episode("model_run_too_often", str(CALLS), arn=_ARN, model=LARGE)
DRAINED: Final = _episode("tokens_drained", str(CALLS * LIMIT), logged_arn=_ARN)
AT_THE_LIMIT: Final = _episode("answers_at_the_limit", logged_arn=_ARN)
HARVESTED: Final = _episode("answers_harvested", logged_arn=_ARN)
BARE: Final = _episode("models_asked_without_guardrail", str(CALLS), logged_arn=_ARN, logged_model=LARGE)
# The tenth prompt makes their number, and the sixth is the first of which the average is told within five minutes of that.
PROMPTS: Final = replace(_episode("prompts_stuffed", logged_arn=_ARN, logged_model=LONG), begins="2026-01-15T23:15:40Z")
BARE_PROMPTS: Final = _episode("models_asked_without_guardrail", str(LONG_PROMPTS), logged_arn=_ARN, logged_model=LONG)


def play_resale(trail: Trail) -> None:
    """Thursday night: a session, a dozen prompts that fill the context, and an hour of answers for somebody's own model."""
    quiet = Plant(story=JACKING, deliveries=1)
    token = Call(service="sts", name="GetFederationToken", request={"name": _NAME, "durationSeconds": 129600}, is_read=True)
    trail.add(at("15 22:58:20"), IAM_APPS, JACKED, token, quiet)
    buyer = reseller()
    for number in range(LONG_PROMPTS):
        stuffed = replace(quiet, logged=Logged(tokens=(STUFFED, 400), episodes=(PROMPTS, BARE_PROMPTS)))
        trail.add(later(at("15 23:10:05"), 67 * number), WHERE, buyer, run_model("Converse", LONG), stuffed)
    dice = Dice("aws resale")
    for number in range(CALLS):
        asked = Logged(tokens=(180 + dice.below(90), LIMIT), episodes=(DRAINED, AT_THE_LIMIT, HARVESTED, BARE))
        plant = Plant(story=JACKING, deliveries=1, episodes=(TOO_OFTEN,), logged=asked)
        trail.add(later(BEGIN, 6 * number), WHERE, buyer, run_model(dice.pick(RUNS[:2]), LARGE), plant)
    _mark_the_hour(trail)


def ran(event: Planned) -> bool:
    """Return True for a call that ran a model."""
    return event.record["eventName"] in RUNS and "errorCode" not in event.record


def _mark_the_hour(trail: Trail) -> None:
    """Plant the spike: all calls of the account in the region in this hour belong to it, whoever made them."""
    counts = Counter(_hour(event.time) for event in trail.events if event.place == WHERE and ran(event))
    hour = _hour(BEGIN)
    usual = [counts[hour - timedelta(hours=back)] for back in range(1, _HOURS_BEFORE + 1)]
    middle = median(usual)
    if median(abs(each - middle) for each in usual) > 0.5:
        raise AssertionError("the usual hours differ so much that the figure is no whole number")
    spike = _episode("model_runs_spike", f"{counts[hour] - middle:g}", recipientAccountId=APPS, awsRegion=WHERE[1])
    for number, event in enumerate(trail.events):
        if event.place == WHERE and ran(event) and _hour(event.time) == hour:
            plant = replace(event.plant, episodes=(*event.plant.episodes, spike))
            trail.events[number] = replace(event, plant=plant)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
