"""An obvious reading of a Sigma detection into a Predicate, without pySigma. It covers what the strategies generate."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import TypeAlias

import yaml

from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Not,
    Or,
    Order,
    OrderOp,
    Predicate,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
    TimePart,
    Together,
)

Pattern: TypeAlias = tuple[str | Star, ...]

DASHES = ("-", "/", "\u2013", "\u2014", "\u2015")
TEXT_OPS = {"contains": TextOp.CONTAINS, "startswith": TextOp.STARTSWITH, "endswith": TextOp.ENDSWITH}
ORDER_OPS = {op.value: op for op in OrderOp}
TIME_PARTS = {part.value: part for part in TimePart}
WIDE = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16-le"}
FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}


def predicate_of_rule(text: str) -> Predicate:
    """Return what a rule (YAML text) means."""
    return predicate_of_detection(yaml.safe_load(text)["detection"])


def predicate_of_detection(detection: Mapping[str, object]) -> Predicate:
    """Return what the `detection` section of a rule means."""
    selections = {name: selection(body) for name, body in detection.items() if name not in ("condition", "timeframe")}
    return Condition(str(detection["condition"]), selections).read()


# -- selections -----------------------------------------------------------------------------------------------


def selection(body: object) -> Predicate:
    """Return what one selection means: a map, a list of maps and keywords, or a keyword."""
    if isinstance(body, Mapping):
        if all(str(key).startswith("|") or not key for key in body):
            return keywords(body)
        return Together(items=tuple((str(key).split("|")[0], item(str(key), value)) for key, value in body.items()))
    if isinstance(body, list):
        return Or(items=tuple(selection(part) for part in body))
    return Keyword(pattern=tuple(wildcards(spelled(body))))


def keywords(body: Mapping[str, object]) -> Predicate:
    """Return what `'|all': [...]` means: every keyword occurs somewhere."""
    ((_, values),) = body.items()
    return And(items=tuple(Keyword(pattern=tuple(wildcards(spelled(value)))) for value in listed(values)))


def listed(value: object) -> list[object]:
    """Return a list's items, or one item as a list."""
    return list(value) if isinstance(value, list) else [value]


def item(key: str, value: object) -> Predicate:
    """Return what one `field|modifiers: value` means."""
    field, *modifiers = key.split("|")
    asked = listed(value)
    if asked in ([], [{}]):
        return Not(item=Exists(field=field))
    tests = tuple(one_value(field, modifiers, one) for one in asked)
    joined: Predicate = And(items=tests) if "all" in modifiers else Or(items=tests)
    return Not(item=joined) if "neq" in modifiers else joined


def one_value(field: str, modifiers: list[str], value: object) -> Predicate:
    """Return what one value of an item means."""
    marks = set(modifiers)
    if value is None or value == "":
        return Not(item=Exists(field=field))
    if "exists" in marks:
        return Exists(field=field) if value is True else Not(item=Exists(field=field))
    for part in marks & TIME_PARTS.keys():
        order = next((ORDER_OPS[mark] for mark in marks & ORDER_OPS.keys()), None)
        return TimeIs(field=field, part=TIME_PARTS[part], number=int(spelled(value)), op=order)
    for mark in marks & ORDER_OPS.keys():
        return Order(field=field, op=ORDER_OPS[mark], number=spelled(value))
    if "cidr" in marks:
        return Cidr(field=field, network=str(ipaddress.ip_network(spelled(value))))
    if "re" in marks:
        flags = "".join(sorted({FLAGS[mark] for mark in marks & FLAGS.keys()}))
        return Regex(field=field, pattern=spelled(value), flags=flags)
    op = next((TEXT_OPS[mark] for mark in marks & TEXT_OPS.keys()), TextOp.EQUALS)
    if "fieldref" in marks:
        return FieldRef(field=field, other=spelled(value), op=op, cased="cased" in marks)
    patterns = transformed(wildcards(spelled(value)), modifiers) if isinstance(value, str) else [[spelled(value)]]
    return Or(items=tuple(text_test(field, op, pattern, cased="cased" in marks) for pattern in patterns))


def text_test(field: str, op: TextOp, pattern: list[str | Star], *, cased: bool) -> Text:
    """Return the text test: a plain literal, or a wildcard pattern opened where `op` opens it."""
    if not any(isinstance(part, Star) for part in pattern):
        return Text(field=field, op=op, literal=plain(pattern), cased=cased)
    front = (Star.ANY,) if op in (TextOp.CONTAINS, TextOp.ENDSWITH) else ()
    back = (Star.ANY,) if op in (TextOp.CONTAINS, TextOp.STARTSWITH) else ()
    return Text(field=field, op=TextOp.WILDCARD, pattern=(*front, *pattern, *back), cased=cased)


def spelled(value: object) -> str:
    """Return a YAML scalar as the text that Sigma sees."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def wildcards(text: str) -> list[str | Star]:
    r"""Return a value's parts: `*` and `?` are wildcards, `\*`, `\?`, `\\` stand for the second letter."""
    parts: list[str | Star] = []
    for token in re.findall(r"\\[*?\\]|[\s\S]", text):
        if token in ("*", "?"):
            parts.append(Star(token))
        elif parts and not isinstance(parts[-1], Star):
            parts[-1] += token[-1]
        else:
            parts.append(token[-1])
    return parts


# -- modifiers that change a value -----------------------------------------------------------------------------


def transformed(parts: list[str | Star], modifiers: list[str]) -> list[list[str | Star]]:
    """Return the patterns that the encoding modifiers, in order, make of one value."""
    results: list[list[str | Star]] = [parts]
    is_marked = False
    for modifier in modifiers:
        if modifier in WIDE:
            is_marked = modifier == "utf16"
            results = [[plain(parts).encode(WIDE[modifier]).decode("latin-1")] for parts in results]
        elif modifier == "base64":
            results = [[base64.b64encode(octets(parts, is_marked=is_marked)).decode()] for parts in results]
        elif modifier == "base64offset":
            results = [[cut] for parts in results for cut in offsets(octets(parts, is_marked=is_marked))]
        elif modifier == "windash":
            results = [dashed for parts in results for dashed in with_dashes(parts)]
    return results


def plain(parts: list[str | Star]) -> str:
    """Return the text of a value that holds no wildcard."""
    return "".join(str(part) for part in parts)


def octets(parts: list[str | Star], *, is_marked: bool) -> bytes:
    """Return the bytes that base64 encodes; `utf16` puts its byte order mark in front."""
    return (b"\xff\xfe" if is_marked else b"") + plain(parts).encode()


def offsets(data: bytes) -> list[str]:
    """Return the base64 letters that depend on `data` alone, for each of its three places in the groups of three."""
    found = []
    for shift in range(3):
        first = -(-shift * 8 // 6)
        last = (shift + len(data)) * 8 // 6
        padded = base64.b64encode(b"\0" * shift + data + b"\0\0").decode()
        found.append(padded[first:last])
    return found


def with_dashes(parts: list[str | Star]) -> list[list[str | Star]]:
    """Return the value with each dash that starts a word as every dash that Windows takes."""
    choices: list[list[str | Star]] = []
    for part in parts:
        if isinstance(part, Star):
            choices.append([part])
            continue
        pieces = re.split(r"(\B[-/]\b)", part)
        choices += [list(DASHES) if piece in ("-", "/") else [piece] for piece in pieces]
    return [join(list(chosen)) for chosen in product(*choices)]


def join(parts: list[str | Star]) -> list[str | Star]:
    """Return the parts with neighbouring texts joined and empty ones left out."""
    joined: list[str | Star] = []
    for part in parts:
        if isinstance(part, Star) or not joined or isinstance(joined[-1], Star):
            joined.append(part)
        else:
            joined[-1] += part
    return [part for part in joined if part != ""]


# -- conditions -------------------------------------------------------------------------------------------------


class Condition:
    """Recursive descent over a condition: `not` binds before `and`, `and` before `or`."""

    def __init__(self, text: str, selections: Mapping[str, Predicate]) -> None:
        """Split the condition into words and parentheses."""
        self.words = re.findall(r"[()]|[^\s()]+", text)
        self.selections = selections

    def read(self) -> Predicate:
        """Return what the whole condition means."""
        found = self.either()
        if self.words:
            message = f"the condition goes on: {self.words}"
            raise ValueError(message)
        return found

    def either(self) -> Predicate:
        """Read `a or b or c`."""
        found = [self.both()]
        while self.words[:1] == ["or"]:
            self.words.pop(0)
            found.append(self.both())
        return Or(items=tuple(found))

    def both(self) -> Predicate:
        """Read `a and b and c`."""
        found = [self.negated()]
        while self.words[:1] == ["and"]:
            self.words.pop(0)
            found.append(self.negated())
        return And(items=tuple(found))

    def negated(self) -> Predicate:
        """Read `not a`, a parenthesis, a quantified pattern or a name."""
        word = self.words.pop(0)
        if word == "not":
            return Not(item=self.negated())
        if word == "(":
            found = self.either()
            self.words.pop(0)
            return found
        if word in ("1", "any", "all") and self.words[:1] == ["of"]:
            self.words.pop(0)
            return self.quantified(word, self.words.pop(0))
        return self.selections[word]

    def quantified(self, quantifier: str, pattern: str) -> Predicate:
        """Read `1 of x*`, `all of them`: names that start with an underscore are not meant by `them`."""
        names = [n for n in self.selections if not n.startswith("_") and (pattern == "them" or fnmatchcase(n, pattern))]
        items = tuple(self.selections[name] for name in names)
        return And(items=items) if quantifier == "all" else Or(items=items)
