"""Wrong readings of the meaning, each a plausible mistake of an engine: the drawn corpus must tell every one of them from the oracle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

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
    Predicate,
    Regex,
    Text,
    TextOp,
    TimeIs,
    Together,
)
from tests.oracle.evaluate import Evaluator, Frames, Path, Pattern
from tests.oracle.jsontext import Number, Value, compact


class CaseMatters(Evaluator):
    """Texts compare as they are written."""

    def fold(self, text: str) -> str:
        return text


class CasedIsIgnored(Evaluator):
    """`cased` compares under the fold too."""

    def key(self, text: str, *, cased: bool) -> str:
        del cased
        return self.fold(text)


class FullCaseFolding(Evaluator):
    """Texts compare under Python's casefold."""

    def fold(self, text: str) -> str:
        return text.casefold()


class LowerCaseOfTheWhole(Evaluator):
    """Texts compare under Python's lower, which looks at neighbours and lowers every letter."""

    def fold(self, text: str) -> str:
        return text.lower()


class NotDropsTheAbsent(Evaluator):
    """`not` over an absent field is neither true nor false, as NULL in SQL."""

    def holds(self, predicate: Predicate, frames: Frames) -> bool:
        if isinstance(predicate, Not) and any(not self.values(leaf.field, frames) for leaf in fielded(predicate.item)):
            return False
        return super().holds(predicate, frames)


class NotMeansSomeOther(Evaluator):
    """`not` of one test on a list means that some element fails it."""

    def holds(self, predicate: Predicate, frames: Frames) -> bool:
        if isinstance(predicate, Not):
            leaves = list(fielded(predicate.item))
            if len(leaves) == 1 and isinstance(leaves[0], Text) and (found := self.values(leaves[0].field, frames)):
                return any(not self.text_holds(leaves[0], value) for value in found)
        return super().holds(predicate, frames)


class LikeWildcards(Evaluator):
    """`%` and `_` of a literal are wildcards, as in LIKE."""

    def compares(self, op: TextOp, text: str, literal: str) -> bool:
        body = "".join(".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in literal)
        front = ".*" if op in (TextOp.CONTAINS, TextOp.ENDSWITH) else ""
        back = ".*" if op in (TextOp.CONTAINS, TextOp.STARTSWITH) else ""
        return re.fullmatch(front + body + back, text, re.DOTALL) is not None


class StarStopsAtNewline(Evaluator):
    """`*` does not run over a line break."""

    def fits(self, pattern: Pattern, text: str, *, cased: bool) -> bool:
        return super().fits(pattern, text, cased=cased) and "\n" not in text


class StartsAnywhere(Evaluator):
    """`startswith` is `contains`."""

    def compares(self, op: TextOp, text: str, literal: str) -> bool:
        return super().compares(TextOp.CONTAINS if op is TextOp.STARTSWITH else op, text, literal)


class AnyElementForEach(Evaluator):
    """Items of one selection bind to elements of a list each for itself."""

    def together(self, items: list[tuple[Path, Predicate]], frames: Frames) -> bool:
        return all(self.holds(item, frames) for _, item in items)


class FirstElementOnly(Evaluator):
    """A path that meets a list looks at its first element."""

    def walk(self, value: Value, path: Path, above: Path) -> Iterator[Value]:
        return super().walk(value[:1] if isinstance(value, list) else value, path, above)


class EmptyTextIsAValue(Evaluator):
    """Only null and absence are blank."""

    def is_blank(self, value: Value) -> bool:
        return value is None


class ZeroAndFalseAreBlank(Evaluator):
    """0 and false are blank, as in many languages."""

    def is_blank(self, value: Value) -> bool:
        return super().is_blank(value) or value is False or (isinstance(value, Number) and value.value == 0)


class NumbersAreTexts(Evaluator):
    """Numbers compare by their spelling."""

    def same_number(self, one: Value, other: Value) -> bool:
        del one, other
        return False

    def text_of(self, value: Value) -> str | None:
        return value.spelling if isinstance(value, Number) else super().text_of(value)


class AnyNumberCounts(Evaluator):
    """Exponents, spaces, plus signs and leading zeros make numbers too."""

    def number_of(self, value: Value) -> Decimal | None:
        text = value.spelling if isinstance(value, Number) else value
        try:
            return Decimal(text.strip()) if isinstance(text, str) else None
        except InvalidOperation:
            return None


class FloatingNumbers(Evaluator):
    """Numbers are rounded to binary fractions."""

    def number_of(self, value: Value) -> Decimal | None:
        number = super().number_of(value)
        return None if number is None else Decimal(float(number))


class AnchoredRegex(Evaluator):
    """A regular expression must fit the whole text."""

    def regex_holds(self, leaf: Regex, value: Value) -> bool:
        text = self.text_of(value)
        return text is not None and re2.fullmatch(f"(?{leaf.flags}){leaf.pattern}" if leaf.flags else leaf.pattern, text) is not None


class FlagsAreDropped(Evaluator):
    """A regular expression loses its flags."""

    def regex_holds(self, leaf: Regex, value: Value) -> bool:
        return super().regex_holds(Regex(field=leaf.field, pattern=leaf.pattern), value)


class MappedAddressesStayLong(Evaluator):
    """`::ffff:192.0.2.7` is not 192.0.2.7."""

    def cidr_holds(self, leaf: Cidr, value: Value) -> bool:
        return super().cidr_holds(leaf, value) and not (isinstance(value, str) and value.lower().startswith("::ffff:"))


class AddressesByPrefix(Evaluator):
    """A cidr is a prefix of the text, cut at the last dot of the network."""

    def cidr_holds(self, leaf: Cidr, value: Value) -> bool:
        return isinstance(value, str) and value.startswith(leaf.network.rpartition(".")[0] or leaf.network)


class ObjectsStayClosed(Evaluator):
    """JSON text inside an object is not opened."""

    def object_holds(self, leaf: Text, value: dict[str, Value]) -> bool:
        if leaf.op is not TextOp.CONTAINS:
            return super().object_holds(leaf, value)
        return self.key(leaf.literal, cased=leaf.cased) in self.key(compact(value), cased=leaf.cased)


class KeywordsReadKeys(Evaluator):
    """A keyword is looked for in the whole record's text, member names included."""

    def keyword_in(self, leaf: Keyword, value: Value) -> bool:
        return isinstance(value, str) and super().keyword_in(leaf, value)

    def keyword_values(self, frames: Frames) -> Iterator[Value]:
        yield compact(frames[0].value)


class LocalTimes(Evaluator):
    """The parts of a time are read in its own offset."""

    def time_holds(self, leaf: TimeIs, value: Value) -> bool:
        return super().time_holds(leaf, value[:-6] + "Z" if isinstance(value, str) and value[-6:-5] in ("+", "-") else value)


class OtherFieldFromTheRoot(Evaluator):
    """A field reference inside a held element reads the other field anywhere in the event."""

    def leaf_holds(self, leaf: Leaf, frames: Frames) -> bool:
        if not isinstance(leaf, FieldRef):
            return super().leaf_holds(leaf, frames)
        found = self.values(leaf.field, frames)
        others = self.values(leaf.other, frames[:1])
        return any(self.fieldref_holds(leaf, one, other) for one in found for other in others)


@dataclass(frozen=True, slots=True)
class WrongReading:
    """A wrong reading by its name."""

    name: str
    evaluator: Evaluator


def wrong_readings() -> tuple[WrongReading, ...]:
    """Return every wrong reading of this module, in the order written."""
    found = [cls for cls in globals().values() if isinstance(cls, type) and issubclass(cls, Evaluator) and cls is not Evaluator]
    return tuple(WrongReading(cls.__name__, cls()) for cls in found)


Fielded: TypeAlias = Text | Regex | Cidr | Order | FieldRef | TimeIs


def fielded(predicate: Predicate) -> Iterator[Fielded]:
    """Yield the leaves that test a field for more than being there."""
    match predicate:
        case And(items=items) | Or(items=items):
            for item in items:
                yield from fielded(item)
        case Together(items=pairs):
            for _, item in pairs:
                yield from fielded(item)
        case Not(item=item):
            yield from fielded(item)
        case Exists() | Keyword():
            return
        case _:
            yield predicate
