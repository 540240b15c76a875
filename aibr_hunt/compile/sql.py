"""Conditions as SQL: one printer for every SQL engine, over the primitives of a Dialect."""

from __future__ import annotations

import re
from typing import assert_never

from aibr_hunt.compile.alternatives import OneOf, gathered
from aibr_hunt.compile.dialects import BROKEN_NUMBER, NUMBER_FORM, Dialect
from aibr_hunt.compile.text import Joined, Node, flat
from aibr_hunt.model.condition import (
    AnyElement,
    BooleanIs,
    Both,
    ColumnValue,
    Condition,
    Either,
    ElementValue,
    EntryValue,
    Finds,
    HasNonAscii,
    HoldsAny,
    HoldsFragment,
    HoldsOddLetter,
    InNetwork,
    IsBroken,
    IsPresent,
    IsScalar,
    JsonValue,
    MemberValue,
    Negated,
    NumberIs,
    NumbersAgree,
    ParsedValue,
    Test,
    TextIs,
    TextsAgree,
    TimePartIs,
    Truth,
    Value,
)
from aibr_hunt.model.layout import Kind
from aibr_hunt.model.predicate import OrderOp, Star, TextOp

ORDER_SIGNS = {OrderOp.LT: "<", OrderOp.LTE: "<=", OrderOp.GT: ">", OrderOp.GTE: ">="}
_EMPTY_JSON = ("null", '""', "{}", "[]")


class SqlPrinter:
    """Prints conditions in one dialect.

    Args:
        dialect: The primitives.
    """

    def __init__(self, dialect: Dialect) -> None:
        """Keep the primitives."""
        self.dialect = dialect

    # -- conditions ------------------------------------------------------------------------------------------------

    def condition(self, condition: Condition) -> Node:
        """Return a condition as text that is true on exactly the rows that meet it, and false or NULL on the others."""
        match condition:
            case Truth(value=value):
                return "TRUE" if value else "FALSE"
            case Both(items=items):
                return Joined(joiner=" AND ", parts=tuple(map(self.condition, items)))
            case Either(items=items):
                return self._either(items)
            case Negated(item=item):
                # NULL stands for false in a positive test; under NOT it has to be said.
                inner = self.condition(item)
                if isinstance(inner, Joined) and inner.opening == "(":
                    return Joined(joiner=inner.joiner, parts=inner.parts, opening="NOT COALESCE(", closing=", FALSE)")
                return Joined(joiner="", parts=(inner,), opening="NOT COALESCE(", closing=", FALSE)")
            case AnyElement(array=array, number=number, body=body):
                return self.dialect.any_element(self._array(array), f"element{number}", flat(_bare(self.condition(body))))
            case _:
                return self._test(condition)
        assert_never(condition)

    def _either(self, items: tuple[Condition, ...]) -> Node:
        parts = tuple(self._one_of(item) if isinstance(item, OneOf) else self.condition(item) for item in gathered(items))
        return parts[0] if len(parts) == 1 else Joined(joiner=" OR ", parts=parts)

    def _one_of(self, found: OneOf) -> Node:
        literals = tuple(map(self.dialect.literal, found.literals))
        return Joined(joiner=", ", parts=literals, opening=f"{self._text(found.value, found.cased)} IN (", closing=")")

    def _test(self, test: Test) -> Node:  # noqa: C901, PLR0911, PLR0912 - one line for each test of the closed union
        dialect = self.dialect
        match test:
            case TextIs():
                return self._text_is(test)
            case NumberIs():
                return self._number_is(test)
            case BooleanIs(value=value, wanted=wanted):
                return f"{self.value(value)} = {'TRUE' if wanted else 'FALSE'}"
            case Finds(value=value, pattern=pattern, flags=flags):
                return dialect.finds(self._text(value), f"(?{flags}){pattern}" if flags else pattern)
            case InNetwork(value=value, network=network):
                return dialect.in_network(self._text(value), network)
            case IsPresent(value=value, blanks=blanks):
                return self._is_present(value, blanks)
            case IsScalar(value=value):
                return f"{self._text(value)} <> ''"
            case TextsAgree():
                return self._texts_agree(test)
            case NumbersAgree(left=left, right=right):
                return f"{self._number(left)} = {self._number(right)}"
            case TimePartIs(value=value, part=part, number=number, op=op):
                moment = self.value(value) if value.type.kind is Kind.TIME else dialect.time_of(self._text(value))
                return f"{dialect.part(moment, part)} {'=' if op is None else ORDER_SIGNS[op]} {number}"
            case HoldsFragment(value=value, fragment=fragment):
                return dialect.contains(f"LOWER({self._whole_text(value)})", dialect.literal(fragment))
            case HoldsAny(value=value, fragments=fragments):
                return dialect.finds(f"LOWER({self._whole_text(value)})", "|".join(map(escaped, fragments)))
            case HoldsOddLetter(value=value, letters=letters):
                return dialect.finds(self._text(value), letters_pattern(letters))
            case IsBroken(value=value):
                return dialect.finds(self._text(value), BROKEN_NUMBER)
            case HasNonAscii(value=value):
                return dialect.finds(self._text(value), NON_ASCII)
        assert_never(test)

    def _text_is(self, test: TextIs) -> Node:
        dialect = self.dialect
        text = self._text(test.value, test.cased)
        match test.op:
            case TextOp.EQUALS:
                return f"{text} = {dialect.literal(test.literal)}"
            case TextOp.CONTAINS:
                return dialect.contains(text, dialect.literal(test.literal))
            case TextOp.STARTSWITH:
                return dialect.starts(text, dialect.literal(test.literal))
            case TextOp.ENDSWITH:
                return dialect.ends(text, test.literal)
            case TextOp.WILDCARD:
                return dialect.finds(text, wildcard_pattern(test.pattern))
        assert_never(test.op)

    def _number_is(self, test: NumberIs) -> str:
        kind = test.value.type.kind
        if kind in {Kind.INTEGER, Kind.REAL}:
            sign = "=" if test.op is None else ORDER_SIGNS[test.op]
            return f"{self.value(test.value)} {sign} {test.number}"
        if test.op is None:
            return self.dialect.finds(self._text(test.value), number_pattern(test.number))
        return f"{self._number(test.value)} {ORDER_SIGNS[test.op]} {self.dialect.number(test.number)}"

    def _number(self, value: Value) -> str:
        if value.type.kind in {Kind.INTEGER, Kind.REAL}:
            return self.dialect.decimal(self.dialect.text_of(self.value(value), value.type.kind))
        return self.dialect.decimal(self.dialect.extract(self._text(value), NUMBER_FORM))

    def _is_present(self, value: Value, blanks: tuple[str, ...]) -> Node:
        kind = value.type.kind
        if kind is Kind.JSON:
            whole = self._json_text(value)
            empty = (
                *_EMPTY_JSON,
                *(f'"{text}"' for text in blanks if text not in _EMPTY_JSON),
                *(('"{}"', '"[]"', '"null"') if blanks else ()),
            )
            return Joined(
                joiner=", ", parts=tuple(map(self.dialect.literal, dict.fromkeys(empty))), opening=f"{whole} NOT IN (", closing=")"
            )
        if kind in {Kind.TEXT, Kind.JSON_TEXT}:
            text = self.value(value)
            texts = ("", *(_EMPTY_JSON if kind is Kind.JSON_TEXT else ()), *blanks)
            if len(texts) == 1:
                return f"{text} <> ''"
            return Joined(joiner=", ", parts=tuple(map(self.dialect.literal, texts)), opening=f"{text} NOT IN (", closing=")")
        return f"{self.value(value)} IS NOT NULL"

    def _texts_agree(self, test: TextsAgree) -> str:
        left, right = self._text(test.left, test.cased), self._text(test.right, test.cased)
        match test.op:
            case TextOp.CONTAINS:
                return self.dialect.contains(left, right)
            case TextOp.STARTSWITH:
                return self.dialect.starts(left, right)
            case TextOp.ENDSWITH:
                return f"SUBSTR({left}, LENGTH({left}) - LENGTH({right}) + 1) = {right} AND LENGTH({left}) >= LENGTH({right})"
            case _:
                return f"{left} = {right}"

    # -- values ----------------------------------------------------------------------------------------------------

    def value(self, value: Value) -> str:
        """Return a value as it lies: a column, a member, a part of JSON."""
        match value:
            case ColumnValue(name=name):
                return self.dialect.identifier(name)
            case ElementValue(number=number):
                return f"element{number}"
            case MemberValue(of=of, name=name):
                return f"{self.value(of)}.{self.dialect.identifier(name)}"
            case EntryValue(of=of, key=key):
                return self.dialect.entry(self.value(of), key)
            case JsonValue(of=of, path=path):
                return self.dialect.json_part(self.value(of), path, of.type.kind)
            case ParsedValue(of=of):
                # What is text in one delivery may stand as an object in another.
                return f"COALESCE({self._text(of)}, {self._json_text(of)})"
        assert_never(value)

    def text(self, value: Value) -> str:
        """Return the text of a scalar, NULL for any other value."""
        return self._text(value)

    def number(self, value: Value) -> str:
        """Return the number of a scalar or of a text in number form as an exact decimal, NULL for any other value."""
        return self._number(value)

    def json_text(self, value: Value) -> str:
        """Return the serialised text of a JSON value."""
        return self._json_text(value)

    def _text(self, value: Value, cased: bool = True) -> str:  # noqa: FBT001, FBT002 - read in one place, as `_text(value, cased)`
        """Return the text of a scalar, in lower case when the comparison is not cased."""
        if isinstance(value, JsonValue):
            text = self.dialect.json_scalar(self.value(value.of), value.path, value.of.type.kind)
        elif value.type.kind is Kind.JSON:
            text = self.dialect.json_scalar(self.value(value), (), Kind.JSON)
        else:
            text = self.dialect.text_of(self.value(value), value.type.kind)
        return text if cased else f"LOWER({text})"

    def _json_text(self, value: Value) -> str:
        return self.dialect.json_text(self.value(value))

    def _whole_text(self, value: Value) -> str:
        return self._json_text(value) if value.type.kind is Kind.JSON else self.dialect.text_of(self.value(value), value.type.kind)

    def _array(self, value: Value) -> str:
        if value.type.kind is Kind.ARRAY:
            return self.value(value)
        part = self.value(value) if isinstance(value, JsonValue) else self.dialect.json_part(self.value(value), (), value.type.kind)
        return self.dialect.elements(part)


def _bare(node: Node) -> Node:
    """Return a node without the brackets around it."""
    return (
        Joined(joiner=node.joiner, parts=node.parts, opening="", closing="") if isinstance(node, Joined) and node.opening == "(" else node
    )


def letters_pattern(letters: str) -> str:
    """Return a pattern that finds one of the letters, which it names by code point."""
    points = "".join(f"\\x{{{ord(letter):x}}}" for letter in letters)
    return f"[{points}]"


NON_ASCII = r"[^\x{0}-\x{7f}]"


def wildcard_pattern(pattern: tuple[str | Star, ...]) -> str:
    """Return a wildcard pattern as a regular expression for the whole text, line breaks included."""
    parts = {Star.ANY: r"(?:.|\n)*", Star.ONE: r"(?:.|\n)"}
    return r"\A" + "".join(parts[part] if isinstance(part, Star) else escaped(part) for part in pattern) + r"\z"


def escaped(text: str) -> str:
    """Return a text as a regular expression that finds it, in RE2's and Java's syntax alike."""
    return re.sub(r"[\\^$.|?*+()\[\]{}&~#-]", lambda found: "\\" + found.group(), text)


def number_pattern(number: str) -> str:
    """Return a pattern for every spelling in number form of one number in canonical form (docs/meaning.md section 5)."""
    whole, _, fraction = number.partition(".")
    sign = "-?" if number == "0" else ""
    tail = rf"\.{fraction}0{{0,{6 - len(fraction)}}}" if fraction else r"(?:\.0{1,6})?"
    return rf"\A{sign}{whole}{tail}\z"
