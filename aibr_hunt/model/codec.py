"""Predicates and rules as JSON and back: for meaning digests, for the cache of compiled rules, for suppressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, assert_never

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
from aibr_hunt.model.rule import LogSource, Rule
from aibr_hunt.model.technique import Technique

Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"

_TUPLES: Final = ("tags", "references", "falsepositives", "fields", "requires", "triage", "preserve_first", "evades", "filters", "warnings")
_TEXTS: Final = (
    *("id", "name", "title", "path", "text_digest", "status", "level", "description", "author", "date", "synthetic", "tests_path"),
)


def predicate_to_plain(predicate: Predicate) -> Plain:  # noqa: C901, PLR0911 - one branch a node of the closed tree
    """Return the predicate as plain JSON values: a list whose first item names the node."""
    match predicate:
        case And(items=items):
            return ["and", *(predicate_to_plain(item) for item in items)]
        case Or(items=items):
            return ["or", *(predicate_to_plain(item) for item in items)]
        case Not(item=item):
            return ["not", predicate_to_plain(item)]
        case Together(items=pairs):
            return ["together", *([name, predicate_to_plain(item)] for name, item in pairs)]
        case Text():
            pattern = None if predicate.op is not TextOp.WILDCARD else _pattern_to_plain(predicate.pattern)
            return ["text", predicate.field, predicate.op.value, predicate.literal if pattern is None else pattern, predicate.cased]
        case Regex():
            return ["regex", predicate.field, predicate.pattern, predicate.flags]
        case Cidr():
            return ["cidr", predicate.field, predicate.network]
        case Order():
            return ["order", predicate.field, predicate.op.value, predicate.number]
        case Exists():
            return ["exists", predicate.field]
        case FieldRef():
            return ["fieldref", predicate.field, predicate.other, predicate.op.value, predicate.cased]
        case TimeIs():
            return ["time", predicate.field, predicate.part.value, predicate.number, None if predicate.op is None else predicate.op.value]
        case Keyword():
            return ["keyword", _pattern_to_plain(predicate.pattern), predicate.cased]
    assert_never(predicate)


def predicate_from_plain(plain: Plain) -> Predicate:
    """Return the predicate of `predicate_to_plain`.

    Raises:
        ValueError: The plain form is none of ours.
    """
    if not isinstance(plain, list) or not plain:
        raise ValueError("not the plain form of a predicate")
    reader = _READERS.get(str(plain[0]))
    if reader is None:
        raise ValueError(f"no predicate is called {plain[0]!r}")
    try:
        return reader(plain[1:])
    except LookupError:
        raise ValueError(f"a part of {plain[0]} is missing") from None


def _pattern_to_plain(pattern: tuple[str | Star, ...]) -> Plain:
    return [{"star": part.value} if isinstance(part, Star) else part for part in pattern]


def _pattern_from_plain(plain: Plain) -> tuple[str | Star, ...]:
    return tuple(Star(str(part["star"])) if isinstance(part, dict) else str(part) for part in _list(plain))


def _list(plain: Plain) -> list[Plain]:
    if not isinstance(plain, list):
        raise ValueError("a list was expected")  # noqa: TRY004 - the plain form is wrong, not a type in our code
    return plain


def _number(plain: Plain) -> int:
    if not isinstance(plain, int):
        raise ValueError("a number was expected")  # noqa: TRY004 - as above
    return plain


def _text_from_plain(rest: list[Plain]) -> Predicate:
    field, op, body, cased = rest
    if TextOp(str(op)) is TextOp.WILDCARD:
        return Text(field=str(field), op=TextOp.WILDCARD, pattern=_pattern_from_plain(body), cased=bool(cased))
    return Text(field=str(field), op=TextOp(str(op)), literal=str(body), cased=bool(cased))


def _together_from_plain(rest: list[Plain]) -> Predicate:
    pairs = [_list(pair) for pair in rest]
    return Together(items=tuple((str(name), predicate_from_plain(item)) for name, item in pairs))


_READERS: Final[Mapping[str, Callable[[list[Plain]], Predicate]]] = {
    "and": lambda rest: And(items=tuple(map(predicate_from_plain, rest))),
    "or": lambda rest: Or(items=tuple(map(predicate_from_plain, rest))),
    "not": lambda rest: Not(item=predicate_from_plain(rest[0])),
    "together": _together_from_plain,
    "text": _text_from_plain,
    "regex": lambda rest: Regex(field=str(rest[0]), pattern=str(rest[1]), flags=str(rest[2])),
    "cidr": lambda rest: Cidr(field=str(rest[0]), network=str(rest[1])),
    "order": lambda rest: Order(field=str(rest[0]), op=OrderOp(str(rest[1])), number=str(rest[2])),
    "exists": lambda rest: Exists(field=str(rest[0])),
    "fieldref": lambda rest: FieldRef(field=str(rest[0]), other=str(rest[1]), op=TextOp(str(rest[2])), cased=bool(rest[3])),
    "time": lambda rest: TimeIs(
        field=str(rest[0]), part=TimePart(str(rest[1])), number=_number(rest[2]), op=None if rest[3] is None else OrderOp(str(rest[3]))
    ),
    "keyword": lambda rest: Keyword(pattern=_pattern_from_plain(rest[0]), cased=bool(rest[1])),
}


def rule_to_plain(rule: Rule) -> dict[str, Plain]:
    """Return every attribute of a rule as plain JSON values."""
    plain: dict[str, Plain] = {name: getattr(rule, name) for name in _TEXTS}
    plain |= {name: list(getattr(rule, name)) for name in _TUPLES}
    plain["logsource"] = [rule.logsource.product, rule.logsource.service, rule.logsource.category]
    plain["predicate"] = predicate_to_plain(rule.predicate)
    plain["techniques"] = [[each.framework, each.id, each.name, list(each.tactics), each.version] for each in rule.techniques]
    return plain


def rule_from_plain(plain: Mapping[str, Plain]) -> Rule:
    """Return the rule of `rule_to_plain`.

    Raises:
        ValueError: The plain form is none of ours.
        KeyError: An attribute is missing.
    """
    product, service, category = (str(part) for part in _list(plain["logsource"]))
    return Rule(
        **{name: str(plain[name]) for name in _TEXTS},  # type: ignore[arg-type] # all of these are texts
        **{name: tuple(str(each) for each in _list(plain[name])) for name in _TUPLES},  # type: ignore[arg-type] # all of these are tuples of texts
        logsource=LogSource(product=product, service=service, category=category),
        predicate=predicate_from_plain(plain["predicate"]),
        techniques=tuple(_technique(_list(each)) for each in _list(plain["techniques"])),
    )


def _technique(plain: list[Plain]) -> Technique:
    framework, ident, name, tactics, version = plain
    return Technique(
        framework="atlas" if framework == "atlas" else "attack",
        id=str(ident),
        name=str(name),
        tactics=tuple(str(each) for each in _list(tactics)),
        version=str(version),
    )
