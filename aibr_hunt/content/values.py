"""One value of a Sigma item, as pySigma parsed it, becomes the leaves that it means (docs/meaning.md sections 2 to 5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
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


def lower_value(name: str, value: SigmaType, *, is_cased: bool) -> Predicate:
    """Return what one value means.

    Args:
        name: The field.
        value: The value with all modifiers applied, placeholders resolved.
        is_cased: The item has the modifier `cased`.

    Raises:
        Unsupported: A value that has no meaning here.
        Refused: A value that is wrong.
    """
    match value:
        case SigmaExpansion():
            return Or(items=tuple(lower_value(name, each, is_cased=is_cased) for each in value.values))
        case SigmaString():
            parts = tuple(_STARS[part] if isinstance(part, SpecialChars) else str(part) for part in value.s)
            return _text(name, parts, is_cased=is_cased)
        case SigmaRegularExpression():
            return _regex(name, value)
        case SigmaFieldReference():
            return FieldRef(field=name, other=value.field, op=_reference_op(value), cased=is_cased)
        case _:
            return _typed(name, value)


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
        case SigmaExists():
            return Exists(field=name) if value.exists else Not(item=Exists(field=name))
        case SigmaCIDRExpression():
            return Cidr(field=name, network=str(value.network))
        case _:
            raise Unsupported(type(value).__name__, "it has no meaning in docs/meaning.md.")


def _reference_op(value: SigmaFieldReference) -> TextOp:
    if value.starts_with and value.ends_with:
        return TextOp.CONTAINS
    if value.starts_with:
        return TextOp.STARTSWITH
    return TextOp.ENDSWITH if value.ends_with else TextOp.EQUALS


def _order(name: str, value: SigmaCompareExpression) -> Predicate:
    op = _ORDERS[value.op]
    if isinstance(value.number, SigmaTimestampPart):
        return TimeIs(field=name, part=TimePart(value.number.timestamp_part.name.lower()), number=int(value.number.number), op=op)
    number = _number_text(value.number.number)
    if canonical_number(number) is None:
        raise Refused(f"{number} has more than 15 digits before or 6 after the point.", "Engines do not agree on such numbers.")
    return Order(field=name, op=op, number=number)


def _number_text(number: float) -> str:
    return str(number) if isinstance(number, int) else format(Decimal(repr(number)), "f")


def _text(name: str, parts: tuple[str | Star, ...], *, is_cased: bool) -> Predicate:
    """Return the simplest comparison that a pattern is."""
    pattern = _simplified(parts)
    # Star is a text to Python too, so that `case str()` alone would take a wildcard for a literal.
    match pattern:
        case ():
            return Not(item=Exists(field=name))
        case (str() as text,) if not isinstance(text, Star):
            return Text(field=name, op=TextOp.EQUALS, literal=text, cased=is_cased)
        case (Star.ANY, str() as text, Star.ANY) if not isinstance(text, Star):
            return Text(field=name, op=TextOp.CONTAINS, literal=text, cased=is_cased)
        case (str() as text, Star.ANY) if not isinstance(text, Star):
            return Text(field=name, op=TextOp.STARTSWITH, literal=text, cased=is_cased)
        case (Star.ANY, str() as text) if not isinstance(text, Star):
            return Text(field=name, op=TextOp.ENDSWITH, literal=text, cased=is_cased)
        case _:
            return Text(field=name, op=TextOp.WILDCARD, pattern=pattern, cased=is_cased)


def _simplified(parts: tuple[str | Star, ...]) -> tuple[str | Star, ...]:
    """Return the parts with neighbouring texts joined and runs of `*` made one."""
    kept: list[str | Star] = []
    for part in parts:
        if kept and part is Star.ANY and kept[-1] is Star.ANY:
            continue
        if kept and not isinstance(part, Star) and not isinstance(kept[-1], Star):
            kept[-1] = kept[-1] + part
        else:
            kept.append(part)
    return tuple(kept)


def _regex(name: str, value: SigmaRegularExpression) -> Predicate:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    pattern = str(value.regexp)
    compile_program(pattern, flags)
    return Regex(field=name, pattern=pattern, flags=flags)
