"""Random events that meet the rules of their world often, in the traps of docs/meaning.md.

Everything is a function of a `random.Random`: a seed replays a batch in milliseconds, and Hypothesis may hand in a random of its own
whose every choice it can shrink.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.oracle.jsontext import Number, Value, compact
from tests.oracle.pools import CLUSTERS, KINDS, NAMES, NUMBER_CLUSTERS, NUMBERS, POOLS

Tree: TypeAlias = "dict[str, str | Tree | JsonTree]"


@dataclass(frozen=True, slots=True)
class JsonTree:
    """Members that stand in the event as JSON text, most of the time."""

    tree: Tree


@dataclass(frozen=True, slots=True)
class World:
    """What rules and events of one batch share: a tree of members with kinds, and a few values of each kind."""

    tree: Tree
    paths: tuple[tuple[tuple[str, ...], str], ...]
    pools: dict[str, tuple[str, ...]]


def draw_world(rng: random.Random) -> World:
    """Return a world of some members, at most three levels deep, and a few values of each kind."""
    tree: Tree = {}
    is_plain = rng.random() < 0.5  # half of the worlds are ASCII: there a sieve has something to skip
    names = [name for name in NAMES if name.isascii() or not is_plain]
    clusters = [cluster for cluster in CLUSTERS if "".join(cluster).isascii() or not is_plain]
    rng.shuffle(names)
    for name in names[: rng.randint(3, 5)]:
        tree[name] = rng.choice(KINDS)
        if rng.random() < 0.5:
            inner: Tree = {leaf: rng.choice(KINDS) for leaf in rng.sample(names, rng.randint(2, 3))}
            if rng.random() < 0.4:
                inner[rng.choice(names)] = {leaf: rng.choice(KINDS) for leaf in rng.sample(names, 2)}
            if rng.random() < 0.4:
                inner["policyDocument"] = "json text"
            tree[name] = inner
    return World(tree, tuple(paths_of(tree, ())), draw_pools(rng, clusters))


def draw_pools(rng: random.Random, clusters: Sequence[tuple[str, ...]] = CLUSTERS) -> dict[str, tuple[str, ...]]:
    """Return a few values of each kind: whole clusters of look-alike words and numbers."""
    is_plain = "".join(map("".join, clusters)).isascii()
    numbers = [cluster for cluster in NUMBER_CLUSTERS if "".join(cluster).isascii() or not is_plain]
    pools = {kind: tuple(rng.sample(pool, min(len(pool), 6))) for kind, pool in POOLS.items()}
    pools["number"] = pools["number text"] = tuple(number for cluster in rng.sample(numbers, 2) for number in cluster)
    pools["word"] = tuple(word for cluster in rng.sample(clusters, 3) for word in cluster)
    return pools


def paths_of(tree: Tree, above: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    found: list[tuple[tuple[str, ...], str]] = []
    for name, kind in tree.items():
        if isinstance(kind, str):
            found.append(((*above, name), kind))
        else:
            found.append(((*above, name), "word" if isinstance(kind, JsonTree) else "object"))
            found.extend(paths_of(kind.tree if isinstance(kind, JsonTree) else kind, (*above, name)))
    return found


# -- events ---------------------------------------------------------------------------------------------------


def draw_event(rng: random.Random, world: World) -> dict[str, Value]:
    """Return one event of the world: members missing, null, blank, wrapped in arrays, or of another kind."""
    return _draw_object(rng, world, world.tree)


def _draw_object(rng: random.Random, world: World, tree: Tree) -> dict[str, Value]:
    event: dict[str, Value] = {}
    for name, kind in tree.items():
        if rng.random() < 0.85:
            event[name] = _draw_member(rng, world, kind)
    if rng.random() < 0.1:
        event[rng.choice(NAMES)] = draw_scalar(rng, world, "mixed")
    return event


def _draw_member(rng: random.Random, world: World, kind: str | Tree | JsonTree) -> Value:
    roll = rng.random()
    if roll < 0.10:
        blanks: tuple[Value, ...] = (None, "", [], {}, [None, ""], [[]], [{}])
        return rng.choice(blanks)
    if roll < 0.30:
        return [_draw_member(rng, world, kind) for _ in range(rng.randint(1, 3))]
    if isinstance(kind, str):
        return draw_scalar(rng, world, kind)
    if roll < 0.34:
        return draw_scalar(rng, world, "mixed")
    if isinstance(kind, JsonTree):
        return _draw_json_text(rng, world, kind.tree)
    return _draw_object(rng, world, kind)


def _draw_json_text(rng: random.Random, world: World, tree: Tree) -> Value:
    roll = rng.random()
    if roll < 0.1:
        return _draw_object(rng, world, tree)
    if roll < 0.2:
        return rng.choice(("null", '""', "{}", "[]", "{", "-", "7", "{} x"))
    inner: Value = [_draw_object(rng, world, tree) for _ in range(2)] if roll < 0.4 else _draw_object(rng, world, tree)
    text = compact(inner)
    return f" {text}\n" if roll > 0.9 else text


def draw_scalar(rng: random.Random, world: World, kind: str) -> Value:
    """Return a value of a kind, sometimes as the other of number and text, sometimes varied."""
    if kind == "mixed":
        kind = rng.choice(KINDS[:-1])
    if kind == "bool":
        return rng.choice((True, False, "true", "false", "True"))
    if kind == "json text":
        return json_text(rng, world)
    text = rng.choice(world.pools[kind])
    if kind == "number":
        return Number(text) if text in NUMBERS and rng.random() < 0.8 else text
    return vary(rng, text) if rng.random() < 0.4 else text


def json_text(rng: random.Random, world: World) -> str:
    """Return a text that is JSON, such as a policy document; text in text at times."""
    inner: Value = {
        "Action": rng.choice(("s3:GetObject", "s3:GetObject", "s3:*", *world.pools["word"])),
        "n": Number("5"),
        "on": [True, Number("22")],
    }
    if rng.random() < 0.3:
        inner = {"Statement": [inner, {"doc": compact(inner)}]}
    return (" " if rng.random() < 0.1 else "") + compact(inner)


def vary(rng: random.Random, text: str) -> str:
    """Return a text near `text`: another case, a part of it, something around it."""
    cut = rng.randint(0, len(text))
    forms: tuple[Callable[[], str], ...] = (
        text.upper,
        text.lower,
        text.swapcase,
        lambda: text[:cut],
        lambda: text[cut:],
        lambda: f"x{text}",
        lambda: f"{text}x",
        lambda: f"a-{text}_b",
        lambda: text[::-1],
    )
    return rng.choice(forms)()
