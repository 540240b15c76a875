"""A mapping with every liberty that a mapping has, and worlds whose events lie as it says."""

from __future__ import annotations

import base64
import gzip
import json
import random
import urllib.parse

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
        FieldSpec(name="decoded.script", paths=(("requestParameters", "onStart", "content"),), derive="base64 gunzip", is_verbatim=False),
        FieldSpec(
            name="decoded.policy", paths=(("answer", "policy"),), derive="url", is_verbatim=False, is_open=True, json_text=1, blanks=("x",)
        ),
        FieldSpec(
            name="decoded.any",
            paths=(("answer", "form"), ("answer", "policy")),
            derive="base64 url",
            is_verbatim=False,
            is_open=True,
            json_text=2,
        ),
        FieldSpec(name="answer", paths=(("answer",),), is_open=True, is_object=True),
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
        "onStart": {"content": "script", "k": "word"},
    },
    "answer": {"policy": "url policy", "form": "form", "k": "word"},
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
    (("decoded", "script"), "word"),
    (("decoded", "script"), "word"),
    (("request", "onStart", "content"), "word"),
    (("request", "onStart", "k"), "word"),
    (("decoded", "policy"), "word"),
    (("Decoded", "Policy", "Statement", "Effect"), "word"),
    (("decoded", "policy", "Statement", "Action"), "word"),
    (("decoded", "policy", "Statement", "Inner"), "object"),
    (("decoded", "any", "k"), "word"),
    (("decoded", "any"), "word"),
    (("answer", "policy"), "word"),
    (("answer", "k"), "word"),
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
    words = (*pools["word"], "x")
    pools["script"] = tuple(draw_encoded(rng, rng.choice(words), "base64 gunzip") for _ in range(8))
    statements = [f'{{"Statement":{draw_statement(rng, words)}}}' for _ in range(5)]
    pools["url policy"] = tuple(draw_encoded(rng, text, "url") for text in (*statements, "x", "null", rng.choice(words)))
    twice = [text for text in pools["twice"] if text != "x"]
    pools["form"] = tuple(draw_encoded(rng, draw_encoded(rng, rng.choice(twice), "url"), "base64") for _ in range(8))
    return World(EVENT, tuple(rng.sample(FIELDS, 14)), pools)


def draw_statement(rng: random.Random, words: tuple[str, ...]) -> str:
    """Return a policy's statements as JSON, one or a list."""
    rows = [{"Effect": rng.choice(words), "Action": rng.choice(words), "Inner": {"k": rng.choice(words)}} for _ in range(rng.randint(1, 3))]
    return json.dumps(rows if len(rows) > 1 or rng.random() < 0.5 else rows[0], ensure_ascii=rng.random() < 0.5)


def draw_encoded(rng: random.Random, text: str, derive: str) -> str:
    """Return a text encoded, now and then spelled in another way, and now and then spoilt."""
    if derive == "url":
        found = urllib.parse.quote(text, safe=rng.choice(("", "/", ' {}":,')))
        return spoilt(rng, found, "%z") if rng.random() < 0.15 else found
    raw = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16-le", "utf-16", "latin-1")), errors="replace")
    if "gunzip" in derive and rng.random() < 0.4:
        cut = rng.randint(0, len(raw))
        raw = gzip.compress(raw[:cut], mtime=0) + (gzip.compress(raw[cut:], mtime=0) if cut < len(raw) else b"")
        raw += rng.choice((b"", b"", b"\0\0", b"\x1f\x8bbroken"))
        raw = raw[: rng.randint(1, len(raw))] if rng.random() < 0.15 else raw
    found = rng.choice((base64.b64encode, base64.urlsafe_b64encode))(raw).decode()
    found = found.rstrip("=") if rng.random() < 0.3 else found
    if rng.random() < 0.3:
        found = "".join(letter + rng.choice(("", "", "", "\n", " ", "\t")) for letter in found)
    return spoilt(rng, found, "=*-A\xa0") if rng.random() < 0.2 else found


def spoilt(rng: random.Random, text: str, letters: str) -> str:
    """Return a text with one letter more, one less, or one changed."""
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(("", rng.choice(letters))) + text[at + rng.randint(0, 1) :]
