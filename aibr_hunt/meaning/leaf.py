"""Leaves of a Predicate as functions: each answers for one View, true or false, never unknown (docs/meaning.md)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias, assert_never

import re2

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import Binder, BoundField, is_open
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.scalar import address_of, canonical_number, number_of, text_of, time_of, time_part
from aibr_hunt.meaning.view import View, object_texts, scalars
from aibr_hunt.model.event import Json
from aibr_hunt.model.predicate import (
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Leaf,
    Order,
    OrderOp,
    Regex,
    Star,
    Text,
    TextOp,
    TimeIs,
)

Test: TypeAlias = Callable[[View], bool]
TextTest: TypeAlias = Callable[[str], bool]
Locate: TypeAlias = Callable[[str], BoundField]

# Bytes that RE2 may spend on one program: far above what a written rule needs, far below what an expansion bomb asks.
MAX_REGEX_MEMORY = 8 << 20

_IN_ORDER: dict[OrderOp, Callable[[Decimal, Decimal], bool]] = {
    OrderOp.LT: lambda left, right: left < right,
    OrderOp.LTE: lambda left, right: left <= right,
    OrderOp.GT: lambda left, right: left > right,
    OrderOp.GTE: lambda left, right: left >= right,
}


def compile_leaf(leaf: Leaf, locate: Locate, binder: Binder) -> Test:
    """Return the leaf as a function of a View.

    Args:
        leaf: The leaf.
        locate: Gives the bound field of a name, relative to the View that the function will be given.
        binder: Gives fields relative to the record's root, for keyword searches.

    Raises:
        Unsupported: A regular expression that RE2 refuses.
    """
    match leaf:
        case Text():
            return _compile_text(leaf, locate(leaf.field))
        case Regex():
            return _compile_regex(leaf, locate(leaf.field))
        case Cidr():
            return _compile_cidr(leaf, locate(leaf.field))
        case Order():
            return _compile_order(leaf, locate(leaf.field))
        case Exists():
            field = locate(leaf.field)
            return lambda view: bool(view.values(field))
        case FieldRef():
            return _compile_reference(leaf, locate(leaf.field), locate(leaf.other))
        case TimeIs():
            return _compile_time(leaf, locate(leaf.field))
        case Keyword():
            return _compile_keyword(leaf, binder)
    assert_never(leaf)


def _compile_text(leaf: Text, field: BoundField) -> Test:
    if leaf.op is TextOp.EQUALS:
        return _compile_equals(leaf, field)
    test = text_test(leaf.op, leaf.literal if leaf.op is not TextOp.WILDCARD else leaf.pattern, cased=leaf.cased)
    read = View.texts if leaf.cased else View.folded
    if not is_open(leaf):
        return lambda view: any(map(test, read(view, field)))
    shape = _as_it_is if leaf.cased else fold
    return lambda view: (
        any(map(test, read(view, field)))
        or any(test(shape(text)) for value in view.values(field) if isinstance(value, dict) for text in object_texts(value))
    )


def _as_it_is(text: str) -> str:
    return text


def _compile_equals(leaf: Text, field: BoundField) -> Test:
    wanted = leaf.literal if leaf.cased else fold(leaf.literal)
    number = None if leaf.cased else canonical_number(leaf.literal)
    if leaf.cased:
        return lambda view: wanted in view.texts(field)
    if number is None:
        return lambda view: wanted in view.folded(field)
    return lambda view: wanted in view.folded(field) or any(number_of(value) == number for value in view.values(field))


def text_test(op: TextOp, pattern: str | tuple[str | Star, ...], *, cased: bool) -> TextTest:
    """Return the comparison of one text with a pattern; under the fold the text must come folded."""
    if isinstance(pattern, tuple):
        return _wildcard_test(pattern if cased else tuple(part if isinstance(part, Star) else fold(part) for part in pattern))
    literal = pattern if cased else fold(pattern)
    match op:
        case TextOp.EQUALS | TextOp.WILDCARD:
            return literal.__eq__
        case TextOp.CONTAINS:
            return lambda text: literal in text
        case TextOp.STARTSWITH:
            return lambda text: text.startswith(literal)
        case TextOp.ENDSWITH:
            return lambda text: text.endswith(literal)
    assert_never(op)


def _wildcard_test(pattern: tuple[str | Star, ...]) -> TextTest:
    """Return a linear-time test: RE2 with `.` for `?` and `.*` for `*`, newlines included, the whole text."""
    parts = {Star.ANY: ".*", Star.ONE: "."}
    program = re2.compile("(?s)" + "".join(parts[part] if isinstance(part, Star) else re2.escape(part) for part in pattern), _options())
    return lambda text: program.fullmatch(text) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_REGEX_MEMORY
    return options


def compile_program(pattern: str, flags: str) -> re2._Regexp:
    """Return the RE2 program of a rule's regular expression.

    Args:
        pattern: The expression as written.
        flags: Subset of `ims`.

    Raises:
        Unsupported: RE2 refuses it: look-around, back references, a program that is too large, a plain mistake.
    """
    try:
        return re2.compile(f"(?{flags}){pattern}" if flags else pattern, _options())
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown fault"
        why = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise Unsupported(
            f"regular expression {pattern!r}", f"RE2 says: {why}.", hint="Write it without look-around and back references."
        ) from None


def _compile_regex(leaf: Regex, field: BoundField) -> Test:
    search = compile_program(leaf.pattern, leaf.flags).search
    return lambda view: any(search(text) is not None for text in view.texts(field))


def _compile_cidr(leaf: Cidr, field: BoundField) -> Test:
    network = ipaddress.ip_network(leaf.network)

    def is_inside(value: Json) -> bool:
        address = address_of(value)
        return address is not None and address.version == network.version and address in network

    return lambda view: any(map(is_inside, view.values(field)))


def _compile_order(leaf: Order, field: BoundField) -> Test:
    in_order, bound = _IN_ORDER[leaf.op], Decimal(leaf.number)

    def holds(value: Json) -> bool:
        number = number_of(value)
        return number is not None and in_order(Decimal(number), bound)

    return lambda view: any(map(holds, view.values(field)))


def _compile_time(leaf: TimeIs, field: BoundField) -> Test:
    in_order = None if leaf.op is None else _IN_ORDER[leaf.op]

    def holds(value: Json) -> bool:
        moment: datetime | None = time_of(value)
        if moment is None:
            return False
        part = time_part(moment, leaf.part)
        return part == leaf.number if in_order is None else in_order(Decimal(part), Decimal(leaf.number))

    return lambda view: any(map(holds, view.values(field)))


def _compile_reference(leaf: FieldRef, field: BoundField, other: BoundField) -> Test:
    shape = _as_it_is if leaf.cased else fold

    def agree(left: Json, right: Json) -> bool:
        if leaf.op is TextOp.EQUALS and not leaf.cased:
            number = number_of(left)
            if number is not None and number == number_of(right):
                return True
        left_text, right_text = text_of(left), text_of(right)
        if left_text is None or right_text is None:
            return False
        return text_test(leaf.op, shape(right_text), cased=True)(shape(left_text))

    return lambda view: any(agree(left, right) for left in view.values(field) for right in view.values(other))


def _compile_keyword(leaf: Keyword, binder: Binder) -> Test:
    inner = leaf.pattern[1:-1]
    if len(inner) == 1 and not isinstance(inner[0], Star):
        test = text_test(TextOp.CONTAINS, inner[0], cased=leaf.cased)
    else:
        test = text_test(TextOp.WILDCARD, leaf.pattern, cased=leaf.cased)
    names = () if binder.mapping is None else binder.mapping.keywords
    fields = tuple(binder.field(name) for name in names)

    def is_found(value: Json) -> bool:
        text = text_of(value)
        return text is not None and text != "" and test(text if leaf.cased else fold(text))

    if fields:
        return lambda view: any(is_found(scalar) for field in fields for value in view.values(field) for scalar in scalars(value))
    return lambda view: any(map(is_found, scalars(view.root)))
