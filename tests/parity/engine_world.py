"""A log source for parity of engines: its mapping, events whose shapes it declares, and each event as a row of every layout."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

from aibr_hunt.content.mappings import load_mapping
from aibr_hunt.model.event import Json
from aibr_hunt.model.layout import ColumnType, Kind, Layout
from aibr_hunt.model.mapping import Mapping
from tests.oracle.pools import ADDRESSES, NUMBER_TEXTS, TIMES
from tests.oracle.worlds import World, draw_pools, draw_world, paths_of, vary

START = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)
# What every engine tells alike; numbers that engines spell anew, and halves of code points, are judged apart.
_INTEGERS = (0, 1, 5, 16, 22, 100, 443, 444, 1000, -5)
_REALS = (0.5, 0.1, 0.10, 16.5, 5.5, -0.25)
# Engines without address functions assume that an IPv4 address inside IPv6 stands as ::ffff:a.b.c.d.
_SPELT_AS_USUAL = tuple(text for text in ADDRESSES if text != "::FFFF:c000:207")
_TREE = {
    "name": "word",
    "code": "code",
    "agent": "word",
    "address": "address",
    "label": "number text",
    "count": "number",
    "size": "number",
    "flag": "bool",
    "moment": "time",
    "who": {"arn": "word", "kind": "word", "deep": {"user": "word"}},
    "tags": "word",
    "resources": {"arn": "word", "kind": "word", "count": "number"},
    "params": {
        "model": "word",
        "limit": "number",
        "open": "bool",
        "at": "time",
        "words": "word",
        "items": {"key": "word", "value": "word"},
        "policy": "json text",
        "other": "word",
        "deeper": {"below": "word"},
    },
}


@cache
def mapping() -> Mapping:
    """Return the mapping."""
    return load_mapping(Path(__file__).with_name("engine_world.yml"))


def draw_engine_world(rng: random.Random) -> World:
    """Return paths and pools for rules on the mapping."""
    pools = {**draw_world(rng).pools, **draw_pools(rng)}
    pools["code"] = tuple(text for text in pools["word"] if text.isascii()) or ("AssumeRole", "assumerole")
    tree = cast("dict[str, object]", _TREE)
    return World(tree, tuple(paths_of(tree, ())), pools)  # type: ignore[arg-type]


def draw_events(rng: random.Random, world: World, count: int, *, drifts: bool = False) -> list[dict[str, Json]]:
    """Return events with the shapes that the mapping declares; with `drifts`, undeclared members hold lists and objects as well."""
    return [_event(rng, world, number, drifts=drifts) for number in range(count)]


def _event(rng: random.Random, world: World, number: int, *, drifts: bool) -> dict[str, Json]:
    def word(pool: str = "word") -> Json:
        text = rng.choice(world.pools[pool])
        return vary(rng, text) if rng.random() < 0.3 else text

    def maybe(value: Json) -> Json:
        return rng.choice((None, "")) if rng.random() < 0.12 else value

    policy: Json = {"Action": word(), "n": rng.choice(_INTEGERS)}
    # JSON in a text, as a rule; in some deliveries the object itself.
    policies: tuple[Json, ...] = (None, "", "{}", "not json", json.dumps(policy, ensure_ascii=False), policy)
    params: dict[str, Json] = {
        "model": maybe(word()),
        "limit": maybe(rng.choice((*_INTEGERS, *_REALS, *NUMBER_TEXTS))),
        "open": maybe(rng.choice((True, False, "true", "False"))),
        "at": maybe(rng.choice(TIMES)),
        "words": rng.choice((None, [], [maybe(word()) for _ in range(rng.randint(1, 3))])),
        "items": _some(rng, [{"key": maybe(word()), "value": maybe(word())} for _ in range(rng.randint(1, 3))]),
        "policy": rng.choice(policies),
        "other": maybe(word()),
        "deeper": rng.choice((None, {"below": maybe(word())})),
    }
    if drifts and rng.random() < 0.6:
        others: tuple[Json, ...] = ([word(), word()], {"x": word()}, [[word()], {"y": word()}])
        deeper: tuple[Json, ...] = ([{"below": word()}, {"below": [word()]}], {"below": {"z": word()}})
        params["other"], params["deeper"] = rng.choice(others), rng.choice(deeper)
    for name in rng.sample(sorted(params), rng.randint(0, 3)):
        del params[name]
    return {
        "id": f"e{number}",
        "at": (START + timedelta(minutes=7 * number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "moment": maybe(
            rng.choice([text for text in TIMES if "T" in text and text.endswith("Z") and ":00Z" in text][:1] or ["2026-01-05T23:30:00Z"])
        ),
        "name": maybe(word()),
        "code": maybe(word("code")),
        "agent": rng.choice(("-", "none", word(), word())),
        "address": maybe(rng.choice(ADDRESSES if drifts else _SPELT_AS_USUAL)),
        "label": maybe(rng.choice(NUMBER_TEXTS)),
        "count": rng.choice((None, *_INTEGERS)),
        "size": rng.choice((None, *_REALS)),
        "flag": rng.choice((None, True, False)),
        "who": rng.choice((None, {"arn": maybe(word()), "kind": maybe(word()), "deep": rng.choice((None, {"user": maybe(word())}))})),
        "tags": rng.choice((None, [], [word() for _ in range(rng.randint(1, 3))])),
        "resources": _some(
            rng, [{"arn": maybe(word()), "kind": maybe(word()), "count": rng.choice((None, *_INTEGERS))} for _ in range(rng.randint(1, 3))]
        ),
        "params": rng.choice((params, params, params, None)),
    }


def _some(rng: random.Random, items: Sequence[Json]) -> Json:
    """Return the items, or now and then none or an empty list."""
    forms: tuple[Json, ...] = (None, [], list(items))
    return rng.choice(forms)


def row_of(event: dict[str, Json], layout: Layout) -> dict[str, object]:
    """Return an event as a row of a layout of this mapping, as the engine's loader would make it."""
    row: dict[str, object] = {}
    for column in layout.columns:
        if column.name == "record":
            value: Json = {name: member for name, member in event.items() if name not in {"id", "at"}}
        elif column.name.startswith("who_"):
            who = event["who"]
            value = who.get(column.name.removeprefix("who_")) if isinstance(who, dict) else None
        else:
            value = event[column.name]
        row[column.name] = cell(value, column.type)
    return row


def cell(value: Json, of: ColumnType) -> object:
    """Return a JSON value as a column of that type holds it."""
    if value is None:
        return None
    match of.kind:
        case Kind.TEXT:
            return value
        case Kind.JSON_TEXT:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case Kind.TIME:
            return datetime.fromisoformat(str(value)) if value else None
        case Kind.STRUCT:
            members = cast("dict[str, Json]", value)
            return {name: cell(members.get(name), inner) for name, inner in of.members}
        case Kind.ARRAY:
            return [cell(item, of.item or ColumnType(kind=Kind.TEXT)) for item in cast("list[Json]", value)]
        case _:
            return value
