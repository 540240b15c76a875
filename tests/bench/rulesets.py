"""Rule sets of any size, with the events that meet them: rule i follows from (seed, i) alone.

Shapes go round in twenties, so that each prefix of the master set keeps the shares: a fifth without an event-name anchor (half of that
on the user agent only), a tenth with a regular expression, a fifth with a negation over fields that are mostly absent. Lists hold 1 to 500
values. What makes an event a hit is a token that no benign event and no other rule holds, so the expected hits are known by construction;
event names are watched names that benign events carry too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.bench.cloudtrail import MASTER_RULES, population

SYLLABLES = ("ba", "do", "fe", "ga", "hi", "ku", "la", "mo", "ne", "po", "ri", "sa", "to", "vu", "wi", "xe", "zo", "cu", "ja", "py")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MOST_VALUES = 500


@dataclass(frozen=True, slots=True)
class BenchRule:
    """One rule, the changes that make an event its hit, and those that make it a near miss."""

    id: str
    text: str
    hit: dict[str, object]
    decoy: dict[str, object]


def master_set(seed: int, count: int = MASTER_RULES) -> tuple[BenchRule, ...]:
    """Return the first `count` rules of the seed's master set."""
    return tuple(draw_rule(seed, number) for number in range(count))


def write_rules(folder: Path, rules: tuple[BenchRule, ...]) -> None:
    """Write each rule to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, rule in enumerate(rules):
        (folder / f"bench_{number:04d}.yml").write_text(rule.text, encoding="utf-8")


def draw_rule(seed: int, number: int) -> BenchRule:
    """Return rule `number` of a seed."""
    rng = random.Random(f"rule/{seed}/{number}")
    tokens = tuple(_token(rng, number, at) for at in range(_list_length(rng)))
    shape = (_agent_only, _regex, _negation, _negation, _unanchored, _listed, _listed, _contained, _prefixed, _grouped)[number % 10]
    detection, hit, decoy = shape(rng, tokens)
    rule_id = f"00000000-0000-4000-8000-{0xB000_0000_0000 + number:012x}"
    document = {
        "title": f"Bench rule {number}",
        "id": rule_id,
        "status": "test",
        "description": "Synthetic: made for timing only.",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": detection,
        "level": rng.choice(("low", "medium", "high")),
    }
    return BenchRule(rule_id, yaml.safe_dump(document, sort_keys=False), hit, decoy)


def _list_length(rng: random.Random) -> int:
    roll = rng.random()
    if roll < 0.80:
        return rng.randint(1, 5)
    return rng.randint(6, 50) if roll < 0.95 else rng.randint(51, MOST_VALUES)


def _token(rng: random.Random, number: int, at: int) -> str:
    # Four digits of fixed width after a dash: no token is part of another, and no benign value holds one.
    code = number * (MOST_VALUES + 12) + at
    digits = "".join(DIGITS[code // 36**place % 36] for place in (3, 2, 1, 0))
    return "".join(rng.choices(SYLLABLES, k=rng.randint(3, 4))) + f"-{digits}q"


def _watched(rng: random.Random) -> tuple[tuple[str, str], ...]:
    return tuple(rng.sample(population().watched, rng.randint(1, 3)))


def _anchor(rng: random.Random) -> tuple[dict[str, object], dict[str, object]]:
    names = _watched(rng)
    service = names[0][0]
    test: dict[str, object] = {"eventName": [name for _, name in names] if len(names) > 1 else names[0][1]}
    if len(names) == 1:
        test = {"eventSource": f"{service}.amazonaws.com", **test}
    return test, {"eventSource": f"{service}.amazonaws.com", "eventName": names[0][1]}


def _one(tokens: tuple[str, ...]) -> object:
    return list(tokens) if len(tokens) > 1 else tokens[0]


Parts = tuple[dict[str, object], dict[str, object], dict[str, object]]


def _agent_only(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    chosen = rng.choice(tokens)
    detection: dict[str, object] = {"selection": {"userAgent|contains": _one(tokens)}, "condition": "selection"}
    return detection, {"userAgent": f"probe {chosen.upper()}/1.0"}, {"userAgent": f"probe {chosen[:-2]}/1.0"}


def _regex(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    token = tokens[0]
    if rng.random() < 0.5:
        detection: dict[str, object] = {"selection": {"userAgent|re": f"^{token}/[0-9]+\\.[0-9]+"}, "condition": "selection"}
        return detection, {"userAgent": f"{token}/12.7 kit"}, {"userAgent": f"x {token}/12.7 kit"}
    test, base = _anchor(rng)
    detection = {"selection": {**test, "requestParameters.roleSessionName|re": f"(?i){token}-[a-z]{{3,8}}$"}, "condition": "selection"}
    hit = {**base, "requestParameters.roleSessionName": f"{token.upper()}-abcd"}
    return detection, hit, {**hit, "requestParameters.roleSessionName": f"{token}-abcd9"}


def _negation(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    test, base = _anchor(rng)
    filters: tuple[tuple[dict[str, object], dict[str, object]], ...] = (
        ({"errorCode|exists": True}, {"errorCode": "AccessDenied"}),
        ({"errorCode|startswith": ["AccessDenied", "Unauthorized"]}, {"errorCode": "AccessDeniedException"}),
        ({"additionalEventData.MFAUsed": "Yes"}, {"additionalEventData.MFAUsed": "Yes"}),
        ({"userIdentity.invokedBy|endswith": ".example.org"}, {"userIdentity.invokedBy": "ci.example.org"}),
        ({"sharedEventID": "*", "errorMessage|contains": "dry"}, {"sharedEventID": "s", "errorMessage": "a DRY run"}),
    )
    filtered, undone = rng.choice(filters)
    detection: dict[str, object] = {
        "selection": {**test, "requestParameters.bucketName": _one(tokens)},
        "filter_known": filtered,
        "condition": "selection and not filter_known",
    }
    hit = {**base, "requestParameters.bucketName": rng.choice(tokens), **dict.fromkeys(undone)}
    return detection, hit, {**hit, **undone}


def _unanchored(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    chosen = rng.choice(tokens)
    detection: dict[str, object] = {"selection": {"requestParameters.userName": _one(tokens)}, "condition": "selection"}
    return detection, {"requestParameters.userName": chosen.title()}, {"requestParameters.userName": f"{chosen}0"}


def _listed(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    test, base = _anchor(rng)
    detection: dict[str, object] = {"selection": {**test, "requestParameters.name": _one(tokens)}, "condition": "selection"}
    hit = {**base, "requestParameters.name": rng.choice(tokens)}
    return detection, hit, {**hit, "eventName": f"{base['eventName']}s"}


def _contained(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    test, base = _anchor(rng)
    detection: dict[str, object] = {
        "selection_call": test,
        "selection_document": {"requestParameters.policyDocument|contains|all": ["arn:aws:s3:::", tokens[0]]},
        "condition": "all of selection_*",
    }
    document = f'{{"Statement":[{{"Effect":"Allow","Resource":"arn:aws:s3:::{tokens[0]}/*"}}]}}'
    hit = {**base, "requestParameters.policyDocument": document}
    return detection, hit, {**hit, "requestParameters.policyDocument": document.replace(":s3:", ":s4:")}


def _prefixed(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    test, base = _anchor(rng)
    detection: dict[str, object] = {
        "selection": test,
        "place": [{"requestParameters.key|startswith": f"{tokens[0]}/"}, {"requestParameters.prefix|endswith": f"/{tokens[0]}"}],
        "condition": "selection and place",
    }
    hit = {**base, "requestParameters.prefix": f"backup/{tokens[0]}"}
    return detection, hit, {**hit, "requestParameters.prefix": f"backup/{tokens[0]}/"}


def _grouped(rng: random.Random, tokens: tuple[str, ...]) -> Parts:
    test, base = _anchor(rng)
    detection: dict[str, object] = {
        "selection": {**test, "requestParameters.tags.key": "owner", "requestParameters.tags.value": _one(tokens)},
        "condition": "selection",
    }
    chosen = rng.choice(tokens)
    hit = {**base, "requestParameters.tags": [{"key": "stage", "value": "x"}, {"key": "owner", "value": chosen}]}
    return detection, hit, {**hit, "requestParameters.tags": [{"key": "owner", "value": "x"}, {"key": "stage", "value": chosen}]}
