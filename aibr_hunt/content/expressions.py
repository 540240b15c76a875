"""The text of a temporal correlation's condition becomes a TemporalCondition: `and`, `or`, `not`, parentheses, names of rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from aibr_hunt.content.metadata import as_id
from aibr_hunt.errors import Unsupported
from aibr_hunt.model.correlation import Both, Either, Has, Lacks, TemporalCondition, normal_form

_TOKEN: Final = re.compile(r"\s*([()]|[^\s()]+)")
_WORDS: Final = frozenset(("and", "or", "not"))
_QUANTITIES: Final = frozenset(("1", "any", "all"))
# Whether a condition can hold is asked of every choice of rules; beyond this many rules it is not asked.
_MOST_NAMES: Final = 12
MAX_DEPTH: Final = 50


class BadExpression(Exception):
    """The text is no condition; the message says where it goes wrong."""


def parse_expression(text: str, rules: Sequence[str]) -> TemporalCondition:
    """Return the condition that a text means.

    Args:
        text: As written.
        rules: What `rules` lists, for `all of them` and `1 of them`; a word of the language that is a rule's name too means the rule.

    Raises:
        BadExpression: The text is no condition.
        Unsupported: A quantity over a pattern of names, or over names where none are listed.
    """
    parser = _Parser(_TOKEN.findall(text), rules)
    found = parser.alternatives(0)
    if parser.left:
        raise BadExpression(f"goes wrong at {parser.left[0]!r}: a whole condition stands before it")
    return found


def names_in(condition: TemporalCondition) -> tuple[str, ...]:
    """Return the names of the rules in a condition, each once, in order of appearance."""
    return tuple(dict.fromkeys(_names(condition)))


def positive_names(condition: TemporalCondition) -> frozenset[str]:
    """Return the rules that occur without negation: those whose events anchor windows."""
    return frozenset(_positive(normal_form(condition)))


def can_hold(condition: TemporalCondition) -> bool:
    """False when no choice of rules with and without events meets the condition; True where that is not asked."""
    return any(_answers(condition))


def always_holds(condition: TemporalCondition) -> bool:
    """True when every choice of rules that has an anchor meets the condition."""
    anchors = positive_names(condition)
    names = names_in(condition)
    if len(names) > _MOST_NAMES:
        return False
    return all(_holds(condition, present) for present in _choices(names) if present & anchors)


def _answers(condition: TemporalCondition) -> Iterator[bool]:
    names = names_in(condition)
    if len(names) > _MOST_NAMES:
        yield True
        return
    for present in _choices(names):
        yield _holds(condition, present)


def _choices(names: Sequence[str]) -> Iterator[frozenset[str]]:
    for chosen in product((False, True), repeat=len(names)):
        yield frozenset(name for name, is_there in zip(names, chosen, strict=True) if is_there)


def _holds(condition: TemporalCondition, present: frozenset[str]) -> bool:
    match condition:
        case Has(operand=operand):
            return operand in present
        case Lacks(item=item):
            return not _holds(item, present)
        case Both(items=items):
            return all(_holds(item, present) for item in items)
        case Either(items=items):
            return any(_holds(item, present) for item in items)


def _names(condition: TemporalCondition) -> Iterator[str]:
    match condition:
        case Has(operand=operand):
            yield operand
        case Lacks(item=item):
            yield from _names(item)
        case Both(items=items) | Either(items=items):
            for item in items:
                yield from _names(item)


def _positive(condition: TemporalCondition) -> Iterator[str]:
    match condition:
        case Has(operand=operand):
            yield operand
        case Lacks():
            return
        case Both(items=items) | Either(items=items):
            for item in items:
                yield from _positive(item)


class _Parser:
    """Reads tokens from the left: `or` binds least, `not` most."""

    def __init__(self, tokens: list[str], rules: Sequence[str]) -> None:
        self.left = tokens
        self.rules = rules

    def alternatives(self, depth: int) -> TemporalCondition:
        items = [self._conjunction(depth)]
        while self._takes("or"):
            items.append(self._conjunction(depth))
        return items[0] if len(items) == 1 else Either(items=tuple(items))

    def _conjunction(self, depth: int) -> TemporalCondition:
        items = [self._item(depth)]
        while self._takes("and"):
            items.append(self._item(depth))
        return items[0] if len(items) == 1 else Both(items=tuple(items))

    def _item(self, depth: int) -> TemporalCondition:
        if depth > MAX_DEPTH:
            raise BadExpression(f"nests over {MAX_DEPTH} levels")
        if self._takes("not"):
            return Lacks(item=self._item(depth + 1))
        if not self.left:
            raise BadExpression("ends where the name of a rule is expected")
        token = self.left.pop(0)
        if token == "(":  # noqa: S105 - a parenthesis, no password
            found = self.alternatives(depth + 1)
            if not self._takes(")"):
                raise BadExpression("has a parenthesis that is not closed")
            return found
        if token == ")" or self._is_word(token):  # noqa: S105 - as above
            raise BadExpression(f"has {token!r} where the name of a rule is expected")
        if self.left and self.left[0].lower() == "of" and token.lower() not in _WORDS:
            return self._quantity(token)
        return Has(operand=as_id(token))

    def _quantity(self, token: str) -> TemporalCondition:
        self.left.pop(0)
        over = self.left.pop(0) if self.left else ""
        construct = f"{token} of {over}".strip()
        if token.lower() not in _QUANTITIES or over.lower() != "them" or not self.rules:
            hint = "Name the rules: a and b, a or b." if over.lower() != "them" or self.rules else "List the rules under `rules`."
            raise Unsupported(construct, "a correlation's condition names rules one by one.", hint=hint)
        items = tuple(Has(operand=name) for name in self.rules)
        if len(items) == 1:
            return items[0]
        return Both(items=items) if token.lower() == "all" else Either(items=items)

    def _takes(self, token: str) -> bool:
        if self.left and (self.left[0] == token if token == ")" else self._is_word(self.left[0]) and self.left[0].lower() == token):  # noqa: S105 - a parenthesis
            self.left.pop(0)
            return True
        return False

    def _is_word(self, token: str) -> bool:
        return token.lower() in _WORDS and token not in self.rules
