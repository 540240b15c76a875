"""Random Sigma rules, as YAML text, over the fields and values of a world: every construct that the oracle reads."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import TypeAlias

import yaml

from tests.oracle.jsontext import NUMBER_FORM
from tests.oracle.pools import NETWORKS, NUMBERS, POOLS, WORDS
from tests.oracle.worlds import World, vary

Scalar: TypeAlias = "bool | int | float | str | None"


def draw_rule(rng: random.Random, world: World, number: int) -> str:
    """Return one rule as YAML text; its id follows from `number`."""
    return rule_text(draw_detection(rng, world), number)


def rule_text(detection: dict[str, object], number: int) -> str:
    """Return the YAML of a rule around a detection section."""
    rule = {
        "title": f"Drawn rule {number}",
        "id": rule_id(number),
        "status": "test",
        "logsource": {"product": "drawn", "service": "parity"},
        "detection": detection,
        "level": "low",
    }
    return yaml.dump(rule, Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=10_000)


class _Quoting(yaml.SafeDumper):
    """Quotes every text that might read as something else: authors are told to, and refused otherwise."""


def _quoted(dumper: _Quoting, text: str) -> yaml.ScalarNode:
    is_word = len(text) > 3 and text.isascii() and text.replace("_", "").isalpha() and text.lower() not in ("true", "false", "null")
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_word else "'")
    return node


_Quoting.add_representer(str, _quoted)


def rule_id(number: int) -> str:
    """Return the deterministic id of a rule."""
    return f"00000000-0000-4000-8000-{number:012x}"


def draw_detection(rng: random.Random, world: World) -> dict[str, object]:
    """Return a detection section: one to four selections and a condition over them."""
    names = ["sel_a", "sel_b", "filter_c", "other"][: rng.randint(1, 4)]
    detection: dict[str, object] = {name: draw_selection(rng, world) for name in names}
    detection["condition"] = draw_condition(rng, names)
    return detection


def draw_condition(rng: random.Random, names: list[str]) -> str:
    """Return a condition that uses some of the names."""
    first = names[0]
    if len(names) == 1:
        return rng.choice((first, first, f"not {first}", f"not not {first}", "1 of them", "1 of sel*"))
    forms = ["{0} and not {1}", "{0} or {1}", "{0} and {1}", "not ({0} and {1})", "1 of them", "all of them", "not 1 of them"]
    if len(names) > 2:
        forms += ["{0} and {1} or {2}", "{0} and ({1} or {2})", "not {0} or {1} and not {2}"]
        forms += ["1 of sel* and not 1 of filter*", "all of sel_* or {2}"]
    return rng.choice(forms).format(*names)


def draw_selection(rng: random.Random, world: World) -> object:
    """Return a selection: a map, a list of maps, or keywords."""
    roll = rng.random()
    if roll < 0.06:
        return [draw_keyword(rng, world) for _ in range(rng.randint(1, 2))]
    if roll < 0.08:
        return {"|all": [draw_keyword(rng, world) for _ in range(2)]}
    if roll < 0.20:
        return [draw_map(rng, world) for _ in range(rng.randint(1, 2))]
    return draw_map(rng, world)


def draw_keyword(rng: random.Random, world: World) -> object:
    """Return a keyword: part of a word, with wildcards at times, or a number."""
    if rng.random() < 0.1:
        return rng.choice((5, 16, 443))
    return with_stars(rng, literal(rng, world, "word"))


def draw_map(rng: random.Random, world: World) -> dict[str, object]:
    """Return a map of one to three items that often share an array on their way."""
    chosen = [rng.choice(world.paths) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    siblings = [one for one in world.paths if len(one[0]) > 1 and one[0][0] == chosen[0][0][0]]
    if len(chosen) > 1 and siblings:
        chosen[1] = rng.choice(siblings)
    items = dict(draw_item(rng, world, path, kind) for path, kind in chosen)
    if siblings and rng.random() < 0.15:
        one, other = rng.choice(siblings), rng.choice(siblings)
        items[field_name(one[0]) + rng.choice(("|fieldref", "|fieldref|neq"))] = field_name(other[0])
    return items


def draw_item(rng: random.Random, world: World, path: tuple[str, ...], kind: str) -> tuple[str, object]:
    """Return `field|modifiers` and its value, fitting the kind that events hold there."""
    field = field_name(path)
    if rng.random() < 0.05:
        field = rng.choice((field + ".below", "nowhere", field.swapcase()))
    roll = rng.random()
    if roll < 0.12:
        return draw_blank_item(rng, field)
    if roll < 0.16:
        return draw_fieldref(rng, world, field)
    if kind == "object":
        return draw_object_item(rng, world, field)
    if kind in ("number", "number text") and roll < 0.75:
        return draw_number_item(rng, world, field)
    if kind == "address" and roll < 0.75:
        return field + rng.choice(("|cidr", "|cidr", "|cidr|neq")), _one_or_more(rng, lambda: rng.choice(NETWORKS))
    if kind == "time" and roll < 0.75:
        return draw_time_item(rng, field)
    if kind == "bool" and roll < 0.75:
        return field + rng.choice(("", "|neq")), rng.choice((True, False, "true", "FALSE"))
    return draw_text_item(rng, world, field, kind)


def field_name(path: tuple[str, ...]) -> str:
    """Return the field that a rule writes for member names."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in path)


def draw_blank_item(rng: random.Random, field: str) -> tuple[str, object]:
    """Return a test for blank, or a list that mixes blank with a text."""
    forms: tuple[tuple[str, object], ...] = (
        (field, None),
        (field, ""),
        (f"{field}|exists", True),
        (f"{field}|exists", False),
        (f"{field}|neq", None),
        (field, [None, rng.choice(WORDS[:8])]),
        (field, "*"),
        (field, []),
    )
    return rng.choice(forms)


def draw_fieldref(rng: random.Random, world: World, field: str) -> tuple[str, object]:
    """Return a comparison with another field."""
    end = rng.choice(("", "", "|startswith", "|endswith", "|contains", "|neq"))
    return f"{field}|fieldref{end}", field_name(rng.choice(world.paths)[0])


def draw_object_item(rng: random.Random, world: World, field: str) -> tuple[str, object]:
    """Return a test on an object: its text, or a test that no object meets."""
    inner = rng.choice(
        (
            '"s3:GetObject"',
            '"Action":"s3:',
            '"n":5',
            ":[true,22]}",
            ":5,",
            "Action",
            "5",
            "null",
            "\\",
            *map(plain_part, world.pools["word"]),
        )
    )
    if rng.random() < 0.2:
        return field, "*" + escaped(inner[:4]) + "*" + escaped(inner[4:]) + "*"
    return field + rng.choice(("|contains", "|contains", "|contains", "|contains|cased", "", "|startswith", "|neq")), escaped(inner)


def plain_part(text: str) -> str:
    """Return the middle of a text."""
    return text[1:-1] or text


def draw_number_item(rng: random.Random, world: World, field: str) -> tuple[str, object]:
    """Return an equality or an order test with a number."""
    text = rng.choice([text for text in world.pools["number"] if text in NUMBERS])
    number: Scalar = text if "e" in text.lower() or len(text) > 11 else json.loads(text)
    if rng.random() < 0.5:
        op = rng.choice(("lt", "lte", "gt", "gte"))
        # Order tests take numbers of the number form only; others are refused by name, which unit tests hold.
        is_near = not isinstance(number, str) and NUMBER_FORM.fullmatch(text) is not None and rng.random() < 0.6
        return f"{field}|{op}", number if is_near else rng.choice((0, 5, 5.5, -5, 100, 99999999999))
    if rng.random() < 0.5:
        return field + rng.choice(("", "|neq", "|cased")), str(text)
    return field + rng.choice(("", "|neq")), [number, rng.choice((5, 22))] if rng.random() < 0.3 else number


def draw_time_item(rng: random.Random, field: str) -> tuple[str, object]:
    """Return a test on a part of a time."""
    choices = {"minute": (30, 59), "hour": (21, 23, 4), "day": (5, 1), "week": (2, 53, 1), "month": (1, 2), "year": (2026, 2027)}
    part = rng.choice(tuple(choices))
    order = rng.choice(("", "", "|gte", "|lt", "|gt", "|lte"))
    return f"{field}|{part}{order}", rng.choice(choices[part])


def draw_text_item(rng: random.Random, world: World, field: str, kind: str) -> tuple[str, object]:
    """Return a test on texts, with any of the text modifiers."""
    pool = kind if kind in POOLS else "word"
    roll = rng.random()
    if roll < 0.15:
        return draw_regex(rng, world, field, pool)
    if roll < 0.20:
        return draw_encoded(rng, world, field, pool)
    op = rng.choice(("", "", "|contains", "|contains", "|startswith", "|endswith"))
    marks = rng.choice(("", "", "", "|cased", "|cased", "|neq", "|all"))
    if rng.random() < 0.08:
        return f"{field}{op}|windash", _one_or_more(rng, lambda: rng.choice(("whoami -all", "cmd.exe /c", "-a", "a-b /x")))

    def draw() -> str:
        return with_stars(rng, shortened(rng, literal(rng, world, pool), op)) or "a"

    if marks == "|all":
        return f"{field}{op}|all", [draw(), draw()]
    return f"{field}{op}{marks}", _one_or_more(rng, draw)


def draw_regex(rng: random.Random, world: World, field: str, pool: str) -> tuple[str, object]:
    """Return a regular expression around a literal of the pool."""
    text = "".join(letter if letter.isalnum() else f"\\x{{{ord(letter):x}}}" for letter in literal(rng, world, pool)[:12])
    ends = ("{}", "^{}", "{}$", "^{}$", "(?:{}|zzzz)", "{}.*", "{}\\b", "(?i){}")
    form = rng.choice((*ends, "^.{{0,5}}{}", "[a-z]+{}", "\\d{{1,3}}", "\\w+\\s", "({}|[0-9]{{2}}x?)+", "{}{{2,3}}"))
    flags = rng.choice(("", "", "|i", "|s", "|m", "|i|s", "|i|m|s"))
    return f"{field}|re{flags}", form.format(text)


def draw_encoded(rng: random.Random, world: World, field: str, pool: str) -> tuple[str, object]:
    """Return a base64 test; its literal also stands in some events through the pool."""
    text = literal(rng, world, pool)
    wide = rng.choice(("", "", "|wide", "|utf16be", "|utf16"))
    if wide:
        text = "".join(letter for letter in text if " " < letter < "\x7f") or "aws"
    form = rng.choice(("|base64", "|base64offset|contains"))
    return f"{field}{wide}{form}", escaped(rng.choice((text if len(text) > 1 else text + "ws", "aws-cli/2")))


def literal(rng: random.Random, world: World, pool: str) -> str:
    """Return a value of the pool, varied at times."""
    text = rng.choice(world.pools[pool])
    return (vary(rng, text) if rng.random() < 0.3 else text) or "x"


def shortened(rng: random.Random, text: str, op: str) -> str:
    """Return the part of a text that an operator would find in the whole."""
    cut = rng.randint(0, max(0, len(text) // 2))
    match op:
        case "|contains":
            return text[cut // 2 : len(text) - cut // 2]
        case "|startswith":
            return text[: len(text) - cut]
        case "|endswith":
            return text[cut:]
        case _:
            return text


def with_stars(rng: random.Random, text: str) -> str:
    """Return the text as a rule writes it: escaped, or now and then with wildcards in place of parts."""
    roll = rng.random()
    if roll < 0.70 or not text:
        return escaped(text)
    place = rng.randrange(len(text))
    if roll < 0.80:
        return escaped(text[:place]) + "?" + escaped(text[place + 1 :])
    if roll < 0.93:
        return escaped(text[:place]) + "*" + escaped(text[place + rng.randint(0, 3) :])
    return text if not text.startswith("\\") else escaped(text)


def escaped(text: str) -> str:
    r"""Return a text in which no wildcard is left: `\`, `*` and `?` are escaped."""
    return "".join(f"\\{letter}" if letter in "\\*?" else letter for letter in text)


def _one_or_more(rng: random.Random, draw: Callable[[], object]) -> object:
    return draw() if rng.random() < 0.6 else [draw() for _ in range(rng.randint(1, 3))]
