"""The oracle: says whether an event meets a Predicate, written only from docs/meaning.md, clarity before speed.

Each wrong reading that the suite must notice overrides one method of `Evaluator` (see variants.py).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import TypeAlias, assert_never

import re2

from aibr_hunt.model.predicate import (
    And,
    Cidr,
    Exists,
    FieldRef,
    Keyword,
    Leaf,
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
from tests.oracle.jsontext import Number, Value, compact, number_of_text, opened, parse

Path: TypeAlias = tuple[str, ...]
Pattern: TypeAlias = tuple[str | Star, ...]

# Letters on which engines differ: they stand for themselves.
UNFOLDED = frozenset("\u0130\u0131\u017f\u212a\u212b\u2126\u1e9e\u03c2")
# Capital letters that got a small form after Unicode 14, so that newer Pythons agree with the table of the meaning.
LATER = frozenset([0x1C89, 0xA7CB, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA, 0xA7DC, *range(0x10D50, 0x10D66), *range(0x16EA0, 0x16EB9)])
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """One place of the event that is held fast while a selection is tested: the path to it and what lies there."""

    path: Path
    value: Value


Frames: TypeAlias = tuple[Frame, ...]


def split_field(field: str) -> Path:
    r"""Return the members of a field name: a dot separates, `\.` is a dot and `\\` a backslash inside a name."""
    parts = [""]
    for letter in re.findall(r"\\[.\\]|[\s\S]", field):
        if letter == ".":
            parts.append("")
        else:
            parts[-1] += letter[-1]
    return tuple(parts)


class Evaluator:
    """The meaning, one method a paragraph."""

    def matches_text(self, predicate: Predicate, record: str) -> bool:
        """True when the record (JSON text) meets the predicate."""
        return self.matches(predicate, parse(record))

    def matches(self, predicate: Predicate, event: Value) -> bool:
        """True when the event meets the predicate."""
        return self.holds(predicate, (Frame((), event),))

    def holds(self, predicate: Predicate, frames: Frames) -> bool:
        """True when the predicate holds with some places of the event held fast."""
        match predicate:
            case And(items=items):
                return all(self.holds(item, frames) for item in items)
            case Or(items=items):
                return any(self.holds(item, frames) for item in items)
            case Not(item=item):
                return not self.holds(item, frames)
            case Together(items=items):
                return self.selection_holds(items, frames)
            case _:
                return self.leaf_holds(predicate, frames)

    # -- one selection map ------------------------------------------------------------------------------------

    def selection_holds(self, items: tuple[tuple[str, Predicate], ...], frames: Frames) -> bool:
        """True when every item holds; one whose field lies at several places is read at all of them, by itself."""
        placed = [(self.paths(field), item) for field, item in items]
        apart = [item for paths, item in placed if len(paths) != 1]
        joined = [(paths[0], item) for paths, item in placed if len(paths) == 1]
        return all(self.holds(item, frames) for item in apart) and self.together(joined, frames)

    def together(self, items: list[tuple[Path, Predicate]], frames: Frames) -> bool:
        """True when every item holds; items that share a member name on the way share the element below it."""
        here = frames[-1]
        level = len(here.path)
        ending = [item for path, item in items if len(path) == level]
        going_on = [(path, item) for path, item in items if len(path) > level]
        if not all(self.holds(item, frames) for item in ending):
            return False
        groups: dict[str, list[tuple[Path, Predicate]]] = {}
        for path, item in going_on:
            groups.setdefault(path[level], []).append((path, item))
        inside = self.inside(here) if len(going_on) > 1 else [here.value]
        return any(
            all(self.group_holds(name, group, (*frames, Frame(here.path, value))) for name, group in groups.items()) for value in inside
        )

    def inside(self, here: Frame) -> list[Value]:
        """Return what items that go on below a held value may share: without a mapping the value itself."""
        return [here.value]

    def group_holds(self, name: str, group: list[tuple[Path, Predicate]], frames: Frames) -> bool:
        """True when a lone item holds by itself, or some one element below `name` satisfies all of several."""
        if len(group) == 1:
            return self.holds(group[0][1], frames)
        here = frames[-1]
        path = (*here.path, name)
        below = self.choices(self.member(here.value, name, here.path), path, [path for path, _ in group])
        return any(self.together(group, (*frames, Frame(path, element))) for element in below)

    def choices(self, value: Value, place: Path, paths: list[Path]) -> list[Value]:
        """Return what items with these paths may be tested on, where the value at `place` lies on their way."""
        del place, paths
        return self.elements(value)

    def elements(self, value: Value) -> list[Value]:
        """Return what may be held fast below a member: an array's elements that are not blank, else a missing one."""
        return [element for element in self.walk(value, (), ()) if not self.is_blank(element)] or [None]

    # -- values of a field ------------------------------------------------------------------------------------

    def paths(self, field: str) -> tuple[Path, ...]:
        """Return where a field lies: without a mapping in one place, as written."""
        return (split_field(field),)

    def values(self, field: str, frames: Frames) -> list[Value]:
        """Return the values of a field that are not blank: scalars and objects, through arrays."""
        found: list[Value] = []
        for path in self.paths(field):
            frame = next(frame for frame in reversed(frames) if path[: len(frame.path)] == frame.path)
            found += self.walk(frame.value, path[len(frame.path) :], frame.path)
        return [value for value in found if not self.is_blank_in(field, value)]

    def walk(self, value: Value, path: Path, above: Path) -> Iterator[Value]:
        """Yield every value that `path` reaches below `value`, which lies at `above`: any element of each array."""
        if isinstance(value, list):
            for element in value:
                yield from self.walk(element, path, above)
        elif not path:
            yield value
        else:
            yield from self.walk(self.member(value, path[0], above), path[1:], (*above, path[0]))

    def member(self, value: Value, name: str, above: Path) -> Value:
        """Return a member of the value that lies at `above` by its exact name, None when there is none."""
        del above
        return value.get(name) if isinstance(value, dict) else None

    def is_blank_in(self, field: str, value: Value) -> bool:
        """True when a value of the field is blank."""
        del field
        return self.is_blank(value)

    def is_blank(self, value: Value) -> bool:
        """True for null, the empty text and the empty object; arrays were opened before."""
        return value is None or value in ("", {})

    def scalars(self, value: Value) -> Iterator[Value]:
        """Yield every scalar of an event, not the keys."""
        if isinstance(value, dict):
            for member in value.values():
                yield from self.scalars(member)
        elif isinstance(value, list):
            for element in value:
                yield from self.scalars(element)
        elif not self.is_blank(value):
            yield value

    # -- leaves -----------------------------------------------------------------------------------------------

    def leaf_holds(self, leaf: Leaf, frames: Frames) -> bool:
        """True when some value satisfies the leaf."""
        if isinstance(leaf, Keyword):
            return any(self.keyword_in(leaf, value) for value in self.keyword_values(frames))
        found = self.values(leaf.field, frames)
        match leaf:
            case Exists():
                return bool(found)
            case Text():
                return any(self.text_holds(leaf, value) for value in found)
            case Regex():
                return any(self.regex_holds(leaf, value) for value in found)
            case Cidr():
                return any(self.cidr_holds(leaf, value) for value in found)
            case Order():
                return any(self.order_holds(leaf, value) for value in found)
            case TimeIs():
                return any(self.time_holds(leaf, value) for value in found)
            case FieldRef():
                others = self.values(leaf.other, frames)
                return any(self.fieldref_holds(leaf, one, other) for one, other in product(found, others))
            case _:
                assert_never(leaf)

    def keyword_values(self, frames: Frames) -> Iterator[Value]:
        """Yield the values that keywords read: every scalar of the whole event."""
        yield from self.scalars(frames[0].value)

    def keyword_in(self, leaf: Keyword, value: Value) -> bool:
        """True when the text of a scalar holds the keyword."""
        text = self.text_of(value)
        return text is not None and self.fits((Star.ANY, *leaf.pattern, Star.ANY), text, cased=leaf.cased)

    # -- texts and numbers ------------------------------------------------------------------------------------

    def fold(self, text: str) -> str:
        """Return the text in simple lower case, code point by code point."""
        return "".join(self.fold_letter(letter) for letter in text)

    def fold_letter(self, letter: str) -> str:
        """Return the small form of one code point where the table has one."""
        small = letter.lower()
        is_kept = letter in UNFOLDED or ord(letter) in LATER or len(small) != 1
        return letter if is_kept else small

    def key(self, text: str, *, cased: bool) -> str:
        """Return what is compared: the text itself when cased, else its folded form."""
        return text if cased else self.fold(text)

    def text_of(self, value: Value) -> str | None:
        """Return the text of a scalar; None when it has none."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return value
        if isinstance(value, Number):
            number = value.value
            return str(int(number)) if number is not None and number == int(number) else None
        return None

    def number_of(self, value: Value) -> Decimal | None:
        """Return the number that a JSON number or a text of the number form is."""
        if isinstance(value, Number):
            return value.value
        return number_of_text(value) if isinstance(value, str) else None

    def text_holds(self, leaf: Text, value: Value) -> bool:
        """True when one value compares with the literal."""
        if isinstance(value, dict):
            return self.object_holds(leaf, value)
        if leaf.op is TextOp.EQUALS and not leaf.cased and self.same_number(value, leaf.literal):
            return True
        text = self.text_of(value)
        if text is None:
            return False
        if leaf.op is TextOp.WILDCARD:
            return self.fits(leaf.pattern, text, cased=leaf.cased)
        return self.compares(leaf.op, self.key(text, cased=leaf.cased), self.key(leaf.literal, cased=leaf.cased))

    def same_number(self, one: Value, other: Value) -> bool:
        """True when both are numbers, or texts of the number form, and equal as numbers."""
        left, right = self.number_of(one), self.number_of(other)
        return left is not None and left == right

    def compares(self, op: TextOp, text: str, literal: str) -> bool:
        """True when two texts compare as `op` says."""
        match op:
            case TextOp.EQUALS:
                return text == literal
            case TextOp.CONTAINS:
                return literal in text
            case TextOp.STARTSWITH:
                return text[: len(literal)] == literal
            case TextOp.ENDSWITH:
                return text.endswith(literal)
            case TextOp.WILDCARD:
                message = "a wildcard pattern is no literal"
                raise AssertionError(message)
            case _:
                assert_never(op)

    def fits(self, pattern: Pattern, text: str, *, cased: bool) -> bool:
        """True when the whole text fits a wildcard pattern: `*` is any run, `?` one code point."""
        parts = [
            "[\\s\\S]*" if part is Star.ANY else "[\\s\\S]" if part is Star.ONE else re.escape(self.key(part, cased=cased))
            for part in pattern
        ]
        return re.fullmatch("".join(parts), self.key(text, cased=cased)) is not None

    def object_holds(self, leaf: Text, value: dict[str, Value]) -> bool:
        """True when the object's text holds the literal, as it stands or with JSON texts in it opened."""
        if leaf.op is TextOp.CONTAINS:
            pattern: Pattern = (Star.ANY, leaf.literal, Star.ANY)
        elif leaf.op is TextOp.WILDCARD and leaf.pattern[0] is leaf.pattern[-1] is Star.ANY:
            pattern = leaf.pattern
        else:
            return False
        return any(self.fits(pattern, text, cased=leaf.cased) for text in (compact(value), compact(opened(value))))

    # -- the other leaves -------------------------------------------------------------------------------------

    def regex_holds(self, leaf: Regex, value: Value) -> bool:
        """True when RE2 finds the pattern in the value's text."""
        text = self.text_of(value)
        pattern = f"(?{leaf.flags}){leaf.pattern}" if leaf.flags else leaf.pattern
        return text is not None and re2.search(pattern, text) is not None

    def cidr_holds(self, leaf: Cidr, value: Value) -> bool:
        """True when the value is a text that is a bare address of the network's family, inside the network."""
        if not isinstance(value, str) or "%" in value or not value.isascii():
            return False
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        network = ipaddress.ip_network(leaf.network)
        return bool(plain.version == network.version and plain in network)

    def order_holds(self, leaf: Order, value: Value) -> bool:
        """True when the value is a number in the asked order."""
        number = self.number_of(value)
        return number is not None and in_order(leaf.op, number, Decimal(leaf.number))

    def time_holds(self, leaf: TimeIs, value: Value) -> bool:
        """True when the value is an RFC 3339 text whose part, in UTC, stands in the asked order."""
        moment = time_of(value)
        if moment is None:
            return False
        week = moment.isocalendar().week
        part = week if leaf.part is TimePart.WEEK else int(getattr(moment, leaf.part.value))
        return part == leaf.number if leaf.op is None else in_order(leaf.op, Decimal(part), Decimal(leaf.number))

    def fieldref_holds(self, leaf: FieldRef, one: Value, other: Value) -> bool:
        """True when two values compare: as numbers for equality when both are, else as texts; objects never."""
        if leaf.op is TextOp.EQUALS and not leaf.cased and self.same_number(one, other):
            return True
        left, right = self.text_of(one), self.text_of(other)
        if left is None or right is None:
            return False
        return self.compares(leaf.op, self.key(left, cased=leaf.cased), self.key(right, cased=leaf.cased))


def in_order(op: OrderOp, left: Decimal, right: Decimal) -> bool:
    """True when `left op right`."""
    match op:
        case OrderOp.LT:
            return left < right
        case OrderOp.LTE:
            return left <= right
        case OrderOp.GT:
            return left > right
        case OrderOp.GTE:
            return left >= right
        case _:
            assert_never(op)


def time_of(value: Value) -> datetime | None:
    """Return the moment that an RFC 3339 text names, in UTC; None for anything else."""
    if not isinstance(value, str) or RFC_3339.fullmatch(value) is None:
        return None
    whole = re.sub(r"\.\d+", "", value).upper()
    try:
        return datetime.fromisoformat(whole).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
