r"""RE2 patterns in the syntax of Java-like libraries, which Athena uses: the same language, or no answer.

Differences that are rewritten: `$` without `m` (before a last line break there), `^`, `.`, the classes `\d \w \s` and `\b` (ASCII here,
maybe not there), and `i`, which is spelt out letter by letter. Groups capture nothing. What this reader does not know it does not rewrite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_WORD: Final = "[0-9A-Za-z_]"
BOUNDARY: Final = f"(?:(?<!{_WORD})(?={_WORD})|(?<={_WORD})(?!{_WORD}))"
LINE_START: Final = r"(?:\A|(?<=\n))"
LINE_END: Final = r"(?:\z|(?=\n))"
_CONTROL: Final = {"a": r"\x07", "f": r"\f", "n": r"\n", "r": r"\r", "t": r"\t", "v": r"\x0B"}
_MEANS_SOMETHING: Final = frozenset("\\^$.|?*+()[]{}&-~#\"' ")
_REPEAT: Final = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}|[*+?]")
_GROUP: Final = re.compile(r"\((?:\?(?:P?<[A-Za-z_][0-9A-Za-z_]*>|(?P<on>[ims]*)(?:-(?P<off>[ims]+))?(?P<end>[:)])))?")
_POINT: Final = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))")
# Letters beyond the two cases that RE2 folds together with an ASCII letter.
_THIRD: Final = {"k": "\u212a", "s": "\u017f"}


class _NoAnswer(Exception):
    pass


@dataclass(slots=True)
class _Reader:
    pattern: str
    flags: frozenset[str]
    at: int = 0

    def read(self, *, is_inside: bool = False) -> str:
        """Return the rewritten pattern up to the end, or up to the bracket that ends the group."""
        written: list[str] = []
        while self.at < len(self.pattern):
            character = self.pattern[self.at]
            if character == ")":
                if not is_inside:
                    raise _NoAnswer
                return "".join(written)
            written.append(self._next(character))
        if is_inside:
            raise _NoAnswer
        return "".join(written)

    def _next(self, character: str) -> str:
        repeat = _REPEAT.match(self.pattern, self.at)
        if repeat:
            self.at = repeat.end()
            if self.pattern[self.at : self.at + 1] == "+" or (_REPEAT.match(self.pattern, self.at) and self.pattern[self.at] != "?"):
                raise _NoAnswer  # a repeat of a repeat means something else there
            return repeat.group()
        match character:
            case "\\":
                return self._escape()
            case "[":
                return self._class()
            case "(":
                return self._group()
            case "|":
                self.at += 1
                return "|"
            case "^" | "$" | ".":
                self.at += 1
                return self._anchor(character)
            case _:
                self.at += 1
                return self._letter(character)

    def _anchor(self, character: str) -> str:
        if character == "^":
            return LINE_START if "m" in self.flags else r"\A"
        if character == "$":
            return LINE_END if "m" in self.flags else r"\z"
        return r"(?:.|\n)" if "s" in self.flags else r"[^\n]"

    def _letter(self, character: str) -> str:
        if "i" not in self.flags or character.lower() == character.upper():
            return _plain(character)
        if not character.isascii():
            raise _NoAnswer
        lower = character.lower()
        return f"[{lower}{lower.upper()}{_THIRD.get(lower, '')}]"

    def _escape(self) -> str:
        point = _POINT.match(self.pattern, self.at)
        if point:
            self.at = point.end()
            return self._letter(_character(point))
        escaped = self.pattern[self.at + 1 : self.at + 2]
        self.at += 2
        if escaped in _CLASSES:
            return f"[{_CLASSES[escaped]}]"
        if escaped.lower() in _CLASSES:
            return f"[^{_CLASSES[escaped.lower()]}]"
        if escaped in {"A", "z"}:
            return f"\\{escaped}"
        if escaped == "b":
            return BOUNDARY
        if escaped in _CONTROL:
            return _CONTROL[escaped]
        if not escaped or escaped.isalnum():
            raise _NoAnswer
        return self._letter(escaped)

    def _group(self) -> str:
        opened = _GROUP.match(self.pattern, self.at)
        if opened is None or (self.pattern.startswith("(?", self.at) and opened.end() == self.at + 1):
            raise _NoAnswer
        self.at = opened.end()
        on, off, end = frozenset(opened["on"] or ""), frozenset(opened["off"] or ""), opened["end"]
        before = self.flags
        self.flags = (self.flags | on) - off
        if end == ")":
            return ""  # in force up to the end of the group around it
        inner = self.read(is_inside=True)
        self.at += 1
        self.flags = before
        return f"(?:{inner})"

    def _class(self) -> str:
        at = self.at + 1
        is_negated = self.pattern[at : at + 1] == "^"
        at += is_negated
        items: list[str] = []
        is_first = True
        while at < len(self.pattern) and (is_first or self.pattern[at] != "]"):
            is_first = False
            at = self._class_item(at, items)
        if at >= len(self.pattern):
            raise _NoAnswer
        self.at = at + 1
        return f"[{'^' if is_negated else ''}{''.join(items)}]"

    def _class_item(self, at: int, items: list[str]) -> int:
        first, at = self._class_character(at, items)
        if first is None:
            return at
        last = first
        if self.pattern[at : at + 1] == "-" and self.pattern[at + 1 : at + 2] not in ("]", ""):
            found, at = self._class_character(at + 1, items)
            if found is None:
                raise _NoAnswer
            last = found
        items.append(_plain(first) if first == last else f"{_plain(first)}-{_plain(last)}")
        if "i" in self.flags:
            items.extend(_other_cases(first, last))
        return at

    def _class_character(self, at: int, items: list[str]) -> tuple[str | None, int]:
        """Return one character of a class and the place behind it; None after a class within the class, which is in `items` then."""
        if self.pattern.startswith("[:", at):
            raise _NoAnswer
        if self.pattern[at] != "\\":
            return self.pattern[at], at + 1
        point = _POINT.match(self.pattern, at)
        if point:
            return _character(point), point.end()
        escaped = self.pattern[at + 1 : at + 2]
        if escaped in _CLASSES:
            items.append(_CLASSES[escaped])
            return None, at + 2
        if escaped in _CONTROL:
            return {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}[escaped], at + 2
        if not escaped or escaped.isalnum():
            raise _NoAnswer
        return escaped, at + 2


def for_java(pattern: str, flags: str) -> str | None:
    """Return a pattern that finds, under Java's syntax and without flags, exactly what RE2 finds; None when none is known.

    Args:
        pattern: An expression that RE2 accepts.
        flags: Subset of `ims`.
    """
    try:
        return _Reader(pattern=pattern, flags=frozenset(flags)).read()
    except _NoAnswer:
        return None


def _character(point: re.Match[str]) -> str:
    number = int(point.group(1) or point.group(2), 16)
    if number > 0x10FFFF or number == 0 or 0xD800 <= number <= 0xDFFF:
        raise _NoAnswer
    return chr(number)


def _plain(character: str) -> str:
    if character in _MEANS_SOMETHING:
        return f"\\{character}" if character not in "\"' " else character
    return character if character.isprintable() else f"\\x{{{ord(character):x}}}"


def _other_cases(first: str, last: str) -> list[str]:
    """Return what `i` adds to a range of a class: the other case of each ASCII letter in it."""
    if not (first.isascii() and last.isascii()):
        raise _NoAnswer
    letters = [chr(point) for point in range(ord(first), ord(last) + 1) if chr(point).isalpha()]
    return [each for letter in letters for each in (letter.swapcase(), _THIRD.get(letter.lower(), ""))]
