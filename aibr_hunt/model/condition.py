"""What is asked of a row of one layout: values in columns, and conditions on them, before any engine's text.

`meaning` lowers a Predicate to Conditions on a layout, `compile` prints them. Every Condition is true or false on every row: a value that
is absent makes a test false. Values only: no I/O, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from aibr_hunt.model.layout import ColumnType, Kind
from aibr_hunt.model.predicate import OrderOp, Star, TextOp, TimePart

# -- values -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnValue:
    """A whole column. `is_optional`: the table may lack it."""

    name: str
    type: ColumnType
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberValue:
    """A member of a struct."""

    of: Value
    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryValue:
    """The value of a key in a map whose keys are texts."""

    of: Value
    key: str
    type: ColumnType


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonValue:
    """What lies at `path` inside a value that is JSON or a text that holds JSON; absent where the path leads nowhere."""

    of: Value
    path: tuple[str, ...]

    @property
    def type(self) -> ColumnType:
        """JSON: what stands there is known only row by row."""
        return ColumnType(kind=Kind.JSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedValue:
    """A text that stands in JSON, parsed as JSON once more."""

    of: Value

    @property
    def type(self) -> ColumnType:
        """A text that holds JSON."""
        return ColumnType(kind=Kind.JSON_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementValue:
    """The element of the array that an AnyElement of this `number` looks at; numbers grow inwards from 1."""

    number: int
    type: ColumnType


Value: TypeAlias = ColumnValue | MemberValue | EntryValue | JsonValue | ParsedValue | ElementValue

# -- conditions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """True or false on every row."""

    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """Every item holds."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """Some item holds."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negated:
    """The item does not hold, absent values included."""

    item: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class TextIs:
    """The text of a scalar compares with a literal; without `cased` the literal stands under the fold already.

    Attributes:
        value: A scalar of any kind but TIME; numbers and booleans stand for their texts.
        op: As in a Predicate. EQUALS compares texts only.
    """

    value: Value
    op: TextOp
    literal: str = ""
    pattern: tuple[str | Star, ...] = ()
    cased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberIs:
    """The number of a scalar, or of a text in number form, equals `number` (op None) or stands in the order to it."""

    value: Value
    number: str
    op: OrderOp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanIs:
    """A boolean column reads so."""

    value: Value
    wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finds:
    """An RE2 pattern finds something in the text of a scalar. `flags` is a sorted subset of `ims`."""

    value: Value
    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InNetwork:
    """The text is a bare address inside `network`. `has_port`: a port stands behind the address."""

    value: Value
    network: str
    has_port: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IsPresent:
    """The value is not blank; `blanks` are further texts that count as blank."""

    value: Value
    blanks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IsScalar:
    """The JSON value is a scalar that is not blank. `is_checked`: lists and objects may stand there and are no scalars."""

    value: Value
    is_checked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsAgree:
    """The texts of two scalars compare; op is EQUALS, STARTSWITH, ENDSWITH or CONTAINS."""

    left: Value
    right: Value
    op: TextOp
    cased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersAgree:
    """Two scalars are one number, as numbers or as texts in number form."""

    left: Value
    right: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePartIs:
    """A part, in UTC, of a time (a TIME column, or an RFC 3339 text) equals `number` or stands in the order to it."""

    value: Value
    part: TimePart
    number: int
    op: OrderOp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsFragment:
    """The serialised text of a value, JSON or not, holds `fragment` (folded letters, digits and a few signs)."""

    value: Value
    fragment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsAny:
    """The serialised text of a value holds one of several fragments; printers make it of many HoldsFragment."""

    value: Value
    fragments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsOddLetter:
    """The text holds one of `letters`, on which engines' case folding differs."""

    value: Value
    letters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IsBroken:
    """The scalar is a number that is not spelled in digits alone (a point or an exponent): its text is in doubt."""

    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class HasNonAscii:
    """The text holds a code point beyond ASCII."""

    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyElement:
    """Some element of an array meets `body`, in which ElementValue `number` stands for it.

    A JSON value that is no array is its own only element.
    """

    array: Value
    number: int
    body: Condition


Test: TypeAlias = (
    TextIs
    | NumberIs
    | BooleanIs
    | Finds
    | InNetwork
    | IsPresent
    | IsScalar
    | TextsAgree
    | NumbersAgree
    | TimePartIs
    | HoldsFragment
    | HoldsAny
    | HoldsOddLetter
    | IsBroken
    | HasNonAscii
)
Condition: TypeAlias = Test | AnyElement | Truth | Both | Either | Negated

YES = Truth(value=True)
NO = Truth(value=False)


def both(*items: Condition) -> Condition:
    """Return the conjunction, flattened, constants worked in and repetitions left out."""
    kept: dict[Condition, None] = {}
    for item in items:
        if item == NO:
            return NO
        for part in item.items if isinstance(item, Both) else (item,):
            if part != YES:
                kept[part] = None
    if not kept:
        return YES
    return next(iter(kept)) if len(kept) == 1 else Both(items=tuple(kept))


def either(*items: Condition) -> Condition:
    """Return the disjunction, flattened, constants worked in and repetitions left out."""
    kept: dict[Condition, None] = {}
    for item in items:
        if item == YES:
            return YES
        for part in item.items if isinstance(item, Either) else (item,):
            if part != NO:
                kept[part] = None
    if not kept:
        return NO
    return next(iter(kept)) if len(kept) == 1 else Either(items=tuple(kept))


def negated(item: Condition) -> Condition:
    """Return the complement."""
    match item:
        case Truth(value=value):
            return NO if value else YES
        case Negated(item=inner):
            return inner
        case _:
            return Negated(item=item)


def any_element(array: Value, number: int, body: Condition) -> Condition:
    """Return AnyElement; a body that never holds makes it false, one that always holds still asks for an element."""
    return NO if body == NO else AnyElement(array=array, number=number, body=body)
