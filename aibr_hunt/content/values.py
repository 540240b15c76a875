"""One value of a Sigma item, as pySigma parsed it, becomes the leaves that it means (docs/meaning.md sections 2 to 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.leaf import compile_program
from aibr_hunt.meaning.scalar import canonical_number
from aibr_hunt.model.predicate import (
    Cidr,
    Exists,
    FieldRef,
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
)

_STARS: Final = {SpecialChars.WILDCARD_MULTI: Star.ANY, SpecialChars.WILDCARD_SINGLE: Star.ONE}
_FLAGS: Final = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_ORDERS: Final = {
    CompareOperators.LT: OrderOp.LT,
    CompareOperators.LTE: OrderOp.LTE,
    CompareOperators.GT: OrderOp.GT,
    CompareOperators.GTE: OrderOp.GTE,
}
# One value with several placeholders is a product of lists.
MAX_PRODUCT: Final = 100_000


class Refused(Exception):
    """A value that its author must change.

    Args:
        what: The fault.
        hint: What to write instead.
    """

    def __init__(self, what: str, hint: str) -> None:
        """Keep the hint apart."""
        super().__init__(what)
        self.hint = hint


def lower_value(name: str, value: SigmaType, *, is_cased: bool, placeholders: Mapping[str, tuple[str, ...]]) -> list[Predicate]:
    """Return the leaves that one value means; several are alternatives of one written value (placeholders).

    Args:
        name: The field.
        value: The value with all modifiers applied.
        is_cased: The item has the modifier `cased`.
        placeholders: Values of each placeholder.

    Raises:
        Unsupported: A value that has no meaning here.
        Refused: A value that is wrong.
    """
    match value:
        case SigmaExpansion():
            alternatives = [leaf for each in value.values for leaf in lower_value(name, each, is_cased=is_cased, placeholders=placeholders)]
            return [Or(items=tuple(alternatives))]
        case SigmaString():
            leaves = [_text(name, parts, is_cased=is_cased) for parts in _resolved(tuple(value.s), placeholders)]
            return leaves if len(leaves) == 1 else [Or(items=tuple(leaves))]
        case SigmaRegularExpression():
            return [_regex(name, value)]
        case _:
            return [_typed(name, value)]


def _typed(name: str, value: SigmaType) -> Predicate:
    match value:
        case SigmaTimestampPart():
            return TimeIs(field=name, part=TimePart(value.timestamp_part.name.lower()), number=int(value.number))
        case SigmaCompareExpression():
            return _order(name, value)
        case SigmaNumber():
            return Text(field=name, op=TextOp.EQUALS, literal=_number_text(value.number))
        case SigmaBool():
            return Text(field=name, op=TextOp.EQUALS, literal="true" if value.boolean else "false")
        case SigmaNull():
            return Not(item=Exists(field=name))
        case SigmaExists():
            return Exists(field=name) if value.exists else Not(item=Exists(field=name))
        case SigmaCIDRExpression():
            return Cidr(field=name, network=str(value.network))
        case SigmaFieldReference():
            return FieldRef(field=name, other=value.field, op=_reference_op(value))
        case _:
            raise Unsupported(type(value).__name__, "it has no meaning in docs/meaning.md.")


def _reference_op(value: SigmaFieldReference) -> TextOp:
    if value.starts_with and value.ends_with:
        return TextOp.CONTAINS
    if value.starts_with:
        return TextOp.STARTSWITH
    return TextOp.ENDSWITH if value.ends_with else TextOp.EQUALS


def _order(name: str, value: SigmaCompareExpression) -> Predicate:
    op = _ORDERS.get(value.op)
    if op is None:
        raise Unsupported(f"comparison {value.op.name.lower()}", "it has no meaning in docs/meaning.md.", hint="Use neq.")
    if isinstance(value.number, SigmaTimestampPart):
        return TimeIs(field=name, part=TimePart(value.number.timestamp_part.name.lower()), number=int(value.number.number), op=op)
    number = _number_text(value.number.number)
    if canonical_number(number) is None:
        raise Refused(f"{number} has more than 15 digits before or 6 after the point.", "Engines do not agree on such numbers.")
    return Order(field=name, op=op, number=number)


def _number_text(number: float) -> str:
    return str(number) if isinstance(number, int) else format(Decimal(repr(number)), "f")


def _resolved(parts: tuple[object, ...], placeholders: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str | Star, ...]]:
    """Yield the parts of a text with wildcards named and every placeholder replaced by each of its values."""
    for index, part in enumerate(parts):
        if isinstance(part, Placeholder):
            for number, text in enumerate(_values_of(part.name, placeholders)):
                if number >= MAX_PRODUCT:
                    raise Refused(f"%{part.name}% has more than {MAX_PRODUCT:,} values.", "Split the list.")
                yield from _resolved((*parts[:index], text, *parts[index + 1 :]), placeholders)
            return
    yield tuple(_STARS[part] if isinstance(part, SpecialChars) else str(part) for part in parts)


def _values_of(name: str, placeholders: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    values = placeholders.get(name)
    if not values:
        known = ", ".join(f"%{each}%" for each in sorted(placeholders)) or "none"
        raise Refused(f"the placeholder %{name}% has no values.", f"Add mappings/values/{name}.yml. Known: {known}.")
    return values


def _text(name: str, parts: tuple[str | Star, ...], *, is_cased: bool) -> Predicate:
    """Return the simplest comparison that a pattern is."""
    pattern = _simplified(parts)
    match pattern:
        case ():
            return Not(item=Exists(field=name))
        case (str() as text,):
            return Text(field=name, op=TextOp.EQUALS, literal=text, cased=is_cased)
        case (Star.ANY, str() as text, Star.ANY):
            return Text(field=name, op=TextOp.CONTAINS, literal=text, cased=is_cased)
        case (str() as text, Star.ANY):
            return Text(field=name, op=TextOp.STARTSWITH, literal=text, cased=is_cased)
        case (Star.ANY, str() as text):
            return Text(field=name, op=TextOp.ENDSWITH, literal=text, cased=is_cased)
        case _:
            return Text(field=name, op=TextOp.WILDCARD, pattern=pattern, cased=is_cased)


def _simplified(parts: tuple[str | Star, ...]) -> tuple[str | Star, ...]:
    """Return the parts with neighbouring texts joined, empty ones dropped and runs of `*` made one."""
    kept: list[str | Star] = []
    for part in parts:
        if part == "":
            continue
        if kept and part is Star.ANY and kept[-1] is Star.ANY:
            continue
        if kept and not isinstance(part, Star) and not isinstance(kept[-1], Star):
            kept[-1] = kept[-1] + part
        else:
            kept.append(part)
    return tuple(kept)


def _regex(name: str, value: SigmaRegularExpression) -> Predicate:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    if any(isinstance(part, Placeholder) for part in value.regexp.s):
        raise Unsupported("expand with re", "a list has no meaning inside an expression.", hint="List the expressions.")
    pattern = str(value.regexp)
    compile_program(pattern, flags)
    return Regex(field=name, pattern=pattern, flags=flags)
