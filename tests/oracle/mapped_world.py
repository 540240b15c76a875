"""A mapping with every liberty that a mapping has, and worlds whose events lie as it says."""

from __future__ import annotations

import json
import random

from aibr_hunt.model.mapping import FieldSpec, Mapping
from aibr_hunt.model.rule import LogSource
from tests.oracle.pools import CLUSTERS
from tests.oracle.worlds import JsonTree, Tree, World, draw_pools

MAPPING = Mapping(
    name="drawn_parity",
    logsource=LogSource(product="drawn", service="parity"),
    provider="drawn",
    identity=(("id",),),
    time=("when",),
    fields=(
        FieldSpec(name="action", paths=(("eventName",),), sieve_weight=1),
        FieldSpec(name="agent", paths=(("userAgent",), ("http", "user-agent"))),
        FieldSpec(name="actor", paths=(("userIdentity",),), is_open=True, is_object=True),
        FieldSpec(name="actor.arn", paths=(("userIdentity", "arn"),)),
        FieldSpec(name="request", paths=(("requestParameters",),), is_open=True, is_object=True),
        FieldSpec(name="request.policy", paths=(("requestParameters", "policyDocument"),), is_open=True, is_verbatim=False, json_text=1),
        FieldSpec(name="request.twice", paths=(("requestParameters", "twice"),), is_open=True, is_verbatim=False, json_text=2),
        FieldSpec(name="flow", paths=(("flow",),), blanks=("-", "n/a")),
        FieldSpec(name="when", paths=(("when",),), is_time=True),
        FieldSpec(name="address", paths=(("sourceIPAddress",),)),
        FieldSpec(name="hidden", paths=(("maskedAddress",),), is_masked=True),
        FieldSpec(name="size", paths=(("count",),)),
    ),
    aliases=(("eventname", "action"), ("useridentity", "actor"), ("src", "address")),
    keywords=("action", "request"),
)
POLICY: Tree = {"Effect": "word", "Action": "word", "n": "number", "Inner": {"k": "word", "v": "word"}}
EVENT: Tree = {
    "eventName": "word",
    "userAgent": "word",
    "http": {"user-agent": "word"},
    "userIdentity": {"arn": "word", "type": "word", "session": {"mfa": "bool", "at": "time"}},
    "requestParameters": {
        "name": "word",
        "policyDocument": JsonTree({"Statement": POLICY}),
        "twice": "twice",
        "items": {"k": "word", "v": "word"},
    },
    "flow": "flow",
    "when": "time",
    "sourceIPAddress": "address",
    "maskedAddress": "address",
    "count": "number",
    "other": "word",
}
# Fields as rules write them: canonical, by alias, in another case, open below, and some that the mapping does not have.
FIELDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("action",), "word"),
    (("ACTION",), "word"),
    (("eventName",), "word"),
    (("agent",), "word"),
    (("actor",), "object"),
    (("actor", "arn"), "word"),
    (("userIdentity", "ARN"), "word"),
    (("actor", "type"), "word"),
    (("actor", "session", "mfa"), "bool"),
    (("actor", "session", "at"), "time"),
    (("request",), "object"),
    (("request", "name"), "word"),
    (("request", "items"), "object"),
    (("request", "items", "k"), "word"),
    (("request", "items", "v"), "word"),
    (("request", "policy"), "word"),
    (("Request", "Policy", "Statement", "Effect"), "word"),
    (("request", "policy", "Statement", "Action"), "word"),
    (("request", "policy", "Statement", "n"), "number"),
    (("request", "policy", "Statement", "Inner", "k"), "word"),
    (("request", "policy", "Statement", "Inner", "v"), "word"),
    (("request", "policy", "Statement", "Inner"), "object"),
    (("request", "twice", "k"), "word"),
    (("request", "twice", "v"), "word"),
    (("flow",), "word"),
    (("when",), "time"),
    (("src",), "address"),
    (("hidden",), "address"),
    (("size",), "number"),
    (("other",), "word"),
)


def draw_mapped_world(rng: random.Random) -> World:
    """Return a world whose events lie as MAPPING says, with a few of its fields for the rules to share."""
    is_plain = rng.random() < 0.7  # ASCII, so that a sieve has something to skip
    pools = draw_pools(rng, [cluster for cluster in CLUSTERS if "".join(cluster).isascii() or not is_plain])
    pools["flow"] = ("-", "n/a", "ACCEPT", *pools["word"][:2])
    inner = ('{"k":"x","v":"y"}', '[{"k":"x","v":"y"},{"v":"x"}]')
    pools["twice"] = (*inner, *map(json.dumps, inner), "x", *pools["word"][:1])
    return World(EVENT, tuple(rng.sample(FIELDS, 12)), pools)
