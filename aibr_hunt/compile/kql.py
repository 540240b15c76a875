"""Conditions as KQL (Log Analytics, Sentinel).

Facts from the Kusto query language reference: texts know no null; `=~`, `contains`, `startswith` and `endswith` compare without ASCII case;
`matches regex` is RE2; null compares to null and `not(null)` drops a row, so a negated test on a typed column says coalesce.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from typing import Final, assert_never

from aibr_hunt.compile.addresses import QUAD
from aibr_hunt.compile.alternatives import OneOf, gathered
from aibr_hunt.compile.dialects import BROKEN_NUMBER, NUMBER_FORM, TIME_FORM
from aibr_hunt.compile.sql import NON_ASCII, ORDER_SIGNS, escaped, letters_pattern, number_pattern, wildcard_pattern
from aibr_hunt.compile.text import Joined, Node
from aibr_hunt.compile.words import KQL
from aibr_hunt.errors import Unsupported
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
from aibr_hunt.model.predicate import TextOp, TimePart

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PARTS: Final = {
    TimePart.MINUTE: 'datetime_part("minute", {})',
    TimePart.HOUR: 'datetime_part("hour", {})',
    TimePart.DAY: 'datetime_part("day", {})',
    TimePart.WEEK: "week_of_year({})",
    TimePart.MONTH: 'datetime_part("month", {})',
    TimePart.YEAR: 'datetime_part("year", {})',
}
_HOST: Final = r"^([0-9.]+)(?::[0-9]{1,5})?$"
_BARE: Final = rf"^(?i:::ffff:)?{QUAD}$"
_EMPTY: Final = ("null", '""', "{}", "[]")


def literal(text: str) -> str:
    """Return a string literal: double quotes, backslash escapes, control characters as code points."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if ord(character) < 0x20 or ord(character) in {0x7F, 0x85, 0x2028, 0x2029}:
        return f"\\u{ord(character):04x}"
    return character


def pattern_literal(pattern: str) -> str:
    """Return a pattern as a verbatim literal where that is possible: easier to read."""
    if re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", pattern):
        return literal(pattern)
    return "@'" + pattern.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a column or member name, bracketed where it is no plain word."""
    return name if _WORD.fullmatch(name) and name.lower() not in KQL else f"['{_quoted(name)}']"


def _quoted(name: str) -> str:
    return "".join("\\'" if character == "'" else character if character == '"' else _character(character) for character in name)


class KqlPrinter:
    """Prints conditions in KQL."""

    def condition(self, condition: Condition) -> Node:
        """Return a condition as text that is true on exactly the rows that meet it, and false or null on the others."""
        match condition:
            case Truth(value=value):
                return "true" if value else "false"
            case Both(items=items):
                return Joined(joiner=" and ", parts=tuple(map(self.condition, items)))
            case Either(items=items):
                return self._either(items)
            case Negated(item=item):
                inner = self.condition(item)
                opening, closing = ("not(coalesce(", ", false))") if _can_be_null(item) else ("not(", ")")
                if isinstance(inner, Joined) and inner.opening == "(":
                    return Joined(joiner=inner.joiner, parts=inner.parts, opening=opening, closing=closing)
                return Joined(joiner="", parts=(inner,), opening=opening, closing=closing)
            case AnyElement():
                raise Unsupported("a list in KQL", "no test on some element of a list works inside a condition.")
            case _:
                return self._test(condition)
        assert_never(condition)

    def _either(self, items: tuple[Condition, ...]) -> Node:
        parts = tuple(self._one_of(item) if isinstance(item, OneOf) else self.condition(item) for item in gathered(items))
        return parts[0] if len(parts) == 1 else Joined(joiner=" or ", parts=parts)

    def _one_of(self, found: OneOf) -> Node:
        text, word = self._text(found.value), "in" if found.cased else "in~"
        if not found.cased and not all(map(str.isascii, found.literals)):
            text, word = f"tolower({text})", "in"
        return Joined(joiner=", ", parts=tuple(map(literal, found.literals)), opening=f"{text} {word} (", closing=")")

    def _test(self, test: Test) -> Node:  # noqa: C901, PLR0911, PLR0912 - one line for each test of the closed union
        match test:
            case TextIs():
                return self._text_is(test)
            case NumberIs():
                return self._number_is(test)
            case BooleanIs(value=value, wanted=wanted):
                return f"{self.value(value)} == {'true' if wanted else 'false'}"
            case Finds(value=value, pattern=pattern, flags=flags):
                return f"{self._text(value)} matches regex {pattern_literal(f'(?{flags}){pattern}' if flags else pattern)}"
            case InNetwork():
                return self._in_network(test)
            case IsPresent(value=value, blanks=blanks):
                return self._is_present(value, blanks)
            case IsScalar(value=value, is_checked=is_checked):
                there = f"isnotempty({self._text(value)})"
                if not is_checked:
                    return there
                return Joined(joiner=" and ", parts=(there, f'gettype({self.value(value)}) !in ("array", "dictionary")'))
            case TextsAgree():
                return self._texts_agree(test)
            case NumbersAgree(left=left, right=right):
                return f"{self._number(left)} == {self._number(right)}"
            case TimePartIs(value=value, part=part, number=number, op=op):
                moment = self.value(value)
                if value.type.kind is not Kind.TIME:
                    moment = f"todatetime(extract({pattern_literal(f'^({TIME_FORM})$')}, 1, {self._text(value)}))"
                return f"{_PARTS[part].format(moment)} {'==' if op is None else ORDER_SIGNS[op]} {number}"
            case HoldsFragment(value=value, fragment=fragment):
                return f"{self._text(value)} contains {literal(fragment)}"
            case HoldsAny(value=value, fragments=fragments):
                return f"tolower({self._text(value)}) matches regex {pattern_literal('|'.join(map(escaped, fragments)))}"
            case HoldsOddLetter(value=value, letters=letters):
                return f"{self._text(value)} matches regex {pattern_literal(letters_pattern(letters))}"
            case IsBroken(value=value):
                return f"{self._text(value)} matches regex {pattern_literal(BROKEN_NUMBER)}"
            case HasNonAscii(value=value):
                return f"{self._text(value)} matches regex {pattern_literal(NON_ASCII)}"
        assert_never(test)

    def _text_is(self, test: TextIs) -> str:
        text, cased = self._text(test.value), test.cased
        if not cased and not test.literal.isascii():
            # The operators without case know ASCII only.
            text, cased = f"tolower({text})", True
        match test.op:
            case TextOp.EQUALS:
                return f"{text} {'==' if cased else '=~'} {literal(test.literal)}"
            case TextOp.CONTAINS | TextOp.STARTSWITH | TextOp.ENDSWITH:
                return f"{text} {test.op.value}{'_cs' if cased else ''} {literal(test.literal)}"
            case TextOp.WILDCARD:
                pattern = wildcard_pattern(test.pattern)
                return f"{text if cased else f'tolower({text})'} matches regex {pattern_literal(pattern)}"
        assert_never(test.op)

    def _number_is(self, test: NumberIs) -> str:
        sign = "==" if test.op is None else ORDER_SIGNS[test.op]
        if test.value.type.kind in {Kind.INTEGER, Kind.REAL}:
            return f"{self.value(test.value)} {sign} {test.number}"
        if test.op is None:
            return f"{self._text(test.value)} matches regex {pattern_literal(number_pattern(test.number))}"
        return f"{self._number(test.value)} {sign} decimal({test.number})"

    def _number(self, value: Value) -> str:
        if value.type.kind in {Kind.INTEGER, Kind.REAL}:
            return f"todecimal({self.value(value)})"
        return f"todecimal(extract({pattern_literal(f'^({NUMBER_FORM})$')}, 1, {self._text(value)}))"

    def _in_network(self, test: InNetwork) -> Node:
        text = self._text(test.value)
        if test.has_port:
            text = f"extract({pattern_literal(_HOST)}, 1, {text})"
        network = ip_network(test.network)
        if not isinstance(network, IPv4Network):
            # ipv6_is_in_range takes an IPv4 address for a mapped one.
            return Joined(joiner=" and ", parts=(f"{text} contains {literal(':')}", f"ipv6_is_in_range({text}, {literal(str(network))})"))
        # ipv4_is_in_range takes a prefix length behind the address; only a bare one counts.
        bare = f"{text} matches regex {pattern_literal(_BARE)}"
        return Joined(joiner=" and ", parts=(bare, f'ipv4_is_in_range(replace_regex({text}, "(?i)^::ffff:", ""), {literal(str(network))})'))

    def _is_present(self, value: Value, blanks: tuple[str, ...]) -> Node:
        kind = value.type.kind
        if kind not in {Kind.TEXT, Kind.JSON, Kind.JSON_TEXT}:
            return f"isnotnull({self.value(value)})"
        text = self._text(value)
        if kind is Kind.JSON:
            # Texts that read {} or [] are no empty objects and lists.
            empty = f'({text} in ("{{}}", "[]") and gettype({self.value(value)}) in ("array", "dictionary"))'
            return Joined(joiner=" and ", parts=(f"isnotempty({text})", f"not{empty}"))
        empty_texts = tuple(dict.fromkeys((*(_EMPTY if kind is Kind.JSON_TEXT else ()), *blanks)))
        if not empty_texts:
            return f"isnotempty({text})"
        return Joined(joiner=", ", parts=tuple(map(literal, ("", *empty_texts))), opening=f"{text} !in (", closing=")")

    def _texts_agree(self, test: TextsAgree) -> str:
        left, right = (text if test.cased else f"tolower({text})" for text in (self._text(test.left), self._text(test.right)))
        return f"{left} {'==' if test.op is TextOp.EQUALS else f'{test.op.value}_cs'} {right}"

    # -- values ----------------------------------------------------------------------------------------------------

    def value(self, value: Value) -> str:
        """Return a value as it lies: a column, or a dynamic part of one."""
        match value:
            case ColumnValue(name=name, type=kind, is_optional=is_optional):
                if not is_optional:
                    return identifier(name)
                return optional_column(name, kind.kind)
            case MemberValue(of=of, name=name):
                return f"{self._dynamic(of)}{_step(name)}"
            case EntryValue(of=of, key=key):
                return f"{self._dynamic(of)}{_step(key)}"
            case JsonValue(of=of, path=path):
                return self._dynamic(of) + "".join(map(_step, path))
            case ParsedValue(of=of):
                return self._text(of)
            case ElementValue():
                raise Unsupported("a list in KQL", "no test on some element of a list works inside a condition.")
        assert_never(value)

    def text(self, value: Value) -> str:
        """Return the text of a scalar, empty for an absent one."""
        return self._text(value)

    def number(self, value: Value) -> str:
        """Return the number of a scalar or of a text in number form as an exact decimal, null for any other value."""
        return self._number(value)

    def _dynamic(self, value: Value) -> str:
        return f"parse_json({self.value(value)})" if value.type.kind is Kind.JSON_TEXT else self.value(value)

    def _text(self, value: Value) -> str:
        text = self.value(value)
        return text if value.type.kind in {Kind.TEXT, Kind.JSON_TEXT} else f"tostring({text})"


_NONE: Final = {
    Kind.TEXT: '""',
    Kind.JSON_TEXT: '""',
    Kind.INTEGER: "long(null)",
    Kind.REAL: "real(null)",
    Kind.BOOLEAN: "bool(null)",
    Kind.TIME: "datetime(null)",
    Kind.JSON: "dynamic(null)",
}


def optional_column(name: str, kind: Kind) -> str:
    """Return a column that the table may lack, absent then."""
    return f"column_ifexists({literal(name)}, {_NONE[kind]})"


def _step(name: str) -> str:
    return f".{name}" if _WORD.fullmatch(name) and name.lower() not in KQL else f"[{literal(name)}]"


def _can_be_null(condition: Condition) -> bool:
    """True when the printed condition may be null: a test on a typed column, or a conversion that fails."""
    match condition:
        case Both(items=items) | Either(items=items):
            return any(map(_can_be_null, items))
        case Negated() | Truth():
            return False
        case NumberIs(value=value, op=op):
            return value.type.kind in {Kind.INTEGER, Kind.REAL} or op is not None
        case BooleanIs() | NumbersAgree() | TimePartIs() | InNetwork():
            return True
        case _:
            return False
