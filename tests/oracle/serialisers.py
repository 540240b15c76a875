"""One event, many spellings: what a record may look like in bytes without meaning anything else."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.jsontext import Number, Value, compact

SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


@dataclass(frozen=True, slots=True)
class Spelling:
    """How records of one file are spelled; each rate is the share of places changed, 0 to 1.

    Attributes:
        space_rate: White space beside punctuation; `spaces` are the runs to choose from.
        escape_rate: Characters written as `\\uXXXX`, in keys and values.
        slash_rate: Slashes written as `\\/`.
        number_rate: Numbers given decimals that say nothing (5 as 5.0 or 5.00).
        is_shuffled: Members in random order.
    """

    space_rate: float = 0.0
    spaces: tuple[str, ...] = (" ", "  ", "\t")
    escape_rate: float = 0.0
    slash_rate: float = 0.0
    number_rate: float = 0.0
    is_shuffled: bool = False


PLAIN = Spelling()


def draw_spelling(rng: random.Random, *, is_line: bool) -> Spelling:
    """Return a spelling; records that must stay on one line get no line breaks."""
    spaces = (" ", "  ", "\t") if is_line else (" ", "\n", "\r\n  ", "\t", "\n\n    ")
    return Spelling(
        space_rate=rng.choice((0.0, 0.0, 0.1, 0.5, 1.0)),
        spaces=spaces,
        escape_rate=rng.choice((0.0, 0.0, 0.0, 0.0, 0.005, 0.02, 0.3, 1.0)),
        slash_rate=rng.choice((0.0, 0.0, 0.5)),
        number_rate=rng.choice((0.0, 0.0, 0.5)),
        is_shuffled=rng.random() < 0.3,
    )


def spell(rng: random.Random, value: Value, spelling: Spelling) -> str:
    """Return a JSON text of the value in the spelling."""
    if spelling == PLAIN:
        return compact(value)
    return _Speller(rng, spelling).spell(value)


class _Speller:
    """Writes JSON with random liberties."""

    def __init__(self, rng: random.Random, spelling: Spelling) -> None:
        self.rng = rng
        self.how = spelling

    def spell(self, value: Value) -> str:
        if isinstance(value, dict):
            members = list(value.items())
            if self.how.is_shuffled:
                self.rng.shuffle(members)
            inner = [f"{self.text(key)}{self.gap()}:{self.gap()}{self.spell(member)}" for key, member in members]
            return self.wrap("{", inner, "}")
        if isinstance(value, list):
            return self.wrap("[", [self.spell(member) for member in value], "]")
        if isinstance(value, Number):
            return self.number(value.spelling)
        return self.text(value) if isinstance(value, str) else json.dumps(value)

    def wrap(self, opening: str, inner: Sequence[str], closing: str) -> str:
        return opening + self.gap() + f"{self.gap()},{self.gap()}".join(inner) + self.gap() + closing

    def gap(self) -> str:
        return self.rng.choice(self.how.spaces) if self.rng.random() < self.how.space_rate else ""

    def number(self, spelling: str) -> str:
        is_plain = spelling.lstrip("-").isdigit() and len(spelling) < 15
        if is_plain and self.rng.random() < self.how.number_rate:
            return spelling + self.rng.choice((".0", ".00"))
        return spelling

    def text(self, text: str) -> str:
        return '"' + "".join(self.letter(letter) for letter in text) + '"'

    def letter(self, letter: str) -> str:
        if self.rng.random() < self.how.escape_rate:
            return escape(letter, is_upper=self.rng.random() < 0.5)
        if letter == "/" and self.rng.random() < self.how.slash_rate:
            return "\\/"
        if letter in SHORT_ESCAPES:
            return SHORT_ESCAPES[letter]
        return escape(letter, is_upper=False) if letter < " " else letter


def escape(letter: str, *, is_upper: bool) -> str:
    """Return the `\\uXXXX` form of a letter: two of them beyond the basic plane."""
    units = letter.encode("utf-16-be")
    codes = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    return "".join("\\u" + (code.upper() if is_upper else code) for code in codes)


# -- files ----------------------------------------------------------------------------------------------------

FRAMINGS = ("lines", "crlf lines", "spaced lines", "array", "records", "late records", "concatenated")


def frame(framing: str, records: Sequence[str]) -> str:
    """Return the content of a file that holds the records, in order.

    `late records` puts other members, one with braces and quotes in its text, before and after `Records`.
    """
    match framing:
        case "lines":
            return "\n".join(records)
        case "crlf lines":
            return "".join(f"{record}\r\n" for record in records)
        case "spaced lines":
            return "\n\n" + "".join(f" {record}\t\n\n" for record in records)
        case "array":
            return "[" + " ,\n".join(records) + "]\n"
        case "records":
            return '{"Records":[' + ",".join(records) + "]}"
        case "late records":
            head = '{ "note": "}],{\\"Records\\":[", "n": [1, {"a": "]"}],\n "Records" : [ '
            return head + "\n,\n".join(records) + ' ] , "tail": {"x": "{"} }\n'
        case "concatenated":
            return "".join(records)
        case _:
            message = f"no such framing: {framing}"
            raise ValueError(message)


def needs_lines(framing: str) -> bool:
    """True when every record must stay on one line."""
    return framing.endswith("lines")
