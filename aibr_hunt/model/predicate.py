"""The closed tree that says what a rule means. docs/meaning.md says what each node asks of an event.

A field is kept as its author wrote it; `meaning.bind` finds where it lies. Values only: no I/O, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class TextOp(StrEnum):
    """How a text is compared."""

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTSWITH = "startswith"
    ENDSWITH = "endswith"
    WILDCARD = "wildcard"


class OrderOp(StrEnum):
    """How two numbers are ordered."""

    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"


class TimePart(StrEnum):
    """Which part of a time, in UTC, is compared."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Star(StrEnum):
    """The two wildcards of a pattern."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Some value of `field` compares with a literal (section 4 of docs/meaning.md).

    Attributes:
        field: The field as written in the rule.
        op: The comparison. EQUALS also compares numbers when the literal has the form of a number (section 5).
        literal: The text. For WILDCARD it is empty and `pattern` speaks.
        pattern: For WILDCARD only: runs of plain text and wildcards, in order.
        cased: True compares exactly, False under the fold.
    """

    field: str
    op: TextOp
    literal: str = ""
    pattern: tuple[str | Star, ...] = ()
    cased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Regex:
    """Some text of `field` is found by an RE2 pattern. `flags` is a sorted subset of 'ims'."""

    field: str
    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cidr:
    """Some value of `field` is an address inside `network` (canonical CIDR text)."""

    field: str
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Some number in `field` stands in the order to `number` (a text in the number form of section 5)."""

    field: str
    op: OrderOp
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """At least one value of `field` is not blank. Its complement is `null`, the empty text and `exists: false`."""

    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRef:
    """Some value of `field` compares with some value of `other`; op is EQUALS, STARTSWITH, ENDSWITH or CONTAINS."""

    field: str
    other: str
    op: TextOp = TextOp.EQUALS
    cased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeIs:
    """The time in `field`, in UTC, has a part that stands in the order to `number`; op None means equality."""

    field: str
    part: TimePart
    number: int
    op: OrderOp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """Some scalar value of the event holds the pattern under the fold; `pattern` as in Text, open on both ends."""

    pattern: tuple[str | Star, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """Every item is true. No items: true."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """Some item is true. No items: false."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The item is false."""

    item: Predicate


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One selection map: all items are true, those that share an array prefix on one and the same element.

    Attributes:
        items: Pairs of the item's field and its Predicate; inside the Predicate every leaf names that field.
    """

    items: tuple[tuple[str, Predicate], ...]


Leaf: TypeAlias = Text | Regex | Cidr | Order | Exists | FieldRef | TimeIs | Keyword
Predicate: TypeAlias = Leaf | And | Or | Not | Together
