"""An event as leaves read it: the values of a path, each shape of them worked out once (docs/meaning.md section 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

import orjson

from aibr_hunt.meaning.bind import BoundField
from aibr_hunt.meaning.derive import Opening, decoded
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.scalar import canonical_number, text_of
from aibr_hunt.model.event import Json, LongNumber, OddNumber, SpelledNumber
from aibr_hunt.model.mapping import FieldPath

MAX_JSON_TEXT_NESTING: Final = 64
# Lists and objects in one another when all JSON texts of an object are opened: as deep as a record itself may be.
MAX_OPENED_NESTING: Final = 256
_HOST_AND_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")
_DIGITS_OF_A_DOUBLE: Final = 15
# An exponent, or more digits than a double tells apart.
_BY_SPELLING: Final = re.compile(r"[0-9](?:[eE]|\.[0-9]{7})|[0-9]{10}\.[0-9]")


class View:
    """One record, or one element of a list in it, with what its leaves have already asked.

    Args:
        root: The JSON value that paths start from; None stands for a missing element.
        outer: The View in which `root` is an element; None for the View of a whole record.
    """

    __slots__ = ("_folded", "_texts", "_values", "outer", "root")

    def __init__(self, root: Json, outer: View | None = None) -> None:
        """Start with nothing worked out."""
        self.root = root
        self.outer = outer
        self._values: dict[str, list[Json]] = {}
        self._texts: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}

    def values(self, field: BoundField) -> list[Json]:
        """Return every value of the field that is not blank: scalars and objects, lists opened."""
        found = self._values.get(field.key)
        if found is None:
            found = self._values[field.key] = _read(self._root_of(field), field)
        return found

    def _root_of(self, field: BoundField) -> Json:
        view = self
        for _ in range(field.levels_up):
            view = view.outer or view
        return view.root

    def texts(self, field: BoundField) -> list[str]:
        """Return the texts of the field's scalars; a value without a text (odd number, fraction) gives none."""
        found = self._texts.get(field.key)
        if found is None:
            found = [text for value in self.values(field) if (text := text_of(value)) is not None]
            self._texts[field.key] = found
        return found

    def folded(self, field: BoundField) -> list[str]:
        """Return the texts of the field under the fold."""
        found = self._folded.get(field.key)
        if found is None:
            values = self.values(field)
            # One text is nearly always all there is: it is spared the way over `texts`.
            is_one_text = len(values) == 1 and isinstance(values[0], str)
            found = self._folded[field.key] = [fold(str(text)) for text in (values if is_one_text else self.texts(field))]
        return found


def _read(root: Json, field: BoundField) -> list[Json]:
    is_plain = len(field.paths) == 1 and not field.json_cuts
    found = _walk(root, field.paths[0]) if is_plain else _through_all(root, field)
    if field.blanks:
        found = [value for value in found if not (isinstance(value, str) and value in field.blanks)]
    if field.spec.derive == "lower":
        found = [value.lower() if isinstance(value, str) else value for value in found]
    elif field.spec.derive == "host":
        found = [host_of(value) if isinstance(value, str) else value for value in found]
    return found


def host_of(text: str) -> str:
    """Return the address in front of a port (`192.0.2.7:443`, `[2001:db8::1]:443`), any other text as it is."""
    found = _HOST_AND_PORT.fullmatch(text)
    return text if found is None else found.group(1) or found.group(2)


def _through_all(root: Json, field: BoundField) -> list[Json]:
    found: list[Json] = []
    for index, path in enumerate(field.paths):
        found += _through_texts(root, path, field.json_cuts[index]) if field.json_cuts else _walk(root, path)
    return found


def _through_texts(root: Json, path: FieldPath, cuts: tuple[tuple[int, int], ...]) -> list[Json]:
    """Return the values at `path`, texts parsed as JSON at the cuts."""
    at, holders = 0, [root]
    for cut, times in cuts:
        holders = [parsed_text(found, times) for holder in holders for found in _walk(holder, path[at:cut])]
        at = cut
    return [found for holder in holders for found in _walk(holder, path[at:])]


def _walk(value: Json, path: FieldPath) -> list[Json]:
    """Return the values at `path` below `value` that are not blank, every list opened."""
    for index, member in enumerate(path):
        if type(value) is dict:  # exactly what parsers give; faster than isinstance in the innermost loop
            value = value.get(member)
        elif isinstance(value, list):
            return [found for element in opened(value) for found in _walk(element, path[index:])]
        elif isinstance(member, Opening):
            value = _inside(value, member)
        else:
            return []
    if type(value) is str:
        return [value] if value else []
    if isinstance(value, list):
        return list(opened(value))
    return [] if value is None or value == "" or value == {} else [value]


def _inside(value: Json, opening: Opening) -> Json:
    """Return what is encoded in a text, parsed as JSON where the path goes on below it; None when there is nothing."""
    if not isinstance(value, str):
        return None
    text = decoded(value, opening.decodings)
    return parsed_text(text, opening.json_times) if opening.json_times else text


def member_of(value: Json, member: str) -> Json:
    """Return what lies at one step below a value that is no list; None when nothing does."""
    if isinstance(value, dict):
        return value.get(member)
    return _inside(value, member) if isinstance(member, Opening) else None


def opened(value: list[Json]) -> Iterator[Json]:
    """Yield the members of a list that are no lists and not blank, nested lists opened in order."""
    stack: list[Iterator[Json]] = [iter(value)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, list):
                stack.append(iter(item))
                break
            if item is not None and item != "" and item != {}:
                yield item
        else:
            stack.pop()


def parsed_text(value: Json, depth: int) -> Json:
    """Return what a JSON text holds, parsed at most `depth` times; None when it is plain text or nests too deeply."""
    for _ in range(depth):
        if not isinstance(value, str):
            break
        value = _parsed_once(value)
    return None if isinstance(value, str) else value


def _parsed_once(text: str) -> Json:
    try:
        value: Json = _parsed_by_spelling(text) if _BY_SPELLING.search(text) else orjson.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if nesting(value) <= MAX_JSON_TEXT_NESTING else None


def _parsed_by_spelling(text: str) -> Json:
    """Return what a JSON text holds, odd and long numbers told by how they are spelled, which orjson does not say."""
    value: Json = json.loads(text, parse_float=_fraction, parse_constant=_refuse_constant)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate makes it plain text, as orjson says
    return value


def _fraction(spelling: str) -> float:
    if canonical_number(spelling) is None:
        return OddNumber(spelling)
    return float(spelling) if len(spelling) <= _DIGITS_OF_A_DOUBLE else LongNumber(spelling)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def nesting(value: Json) -> int:
    """Return how many lists and objects lie in one another at the deepest place."""
    deepest = 0
    stack: list[tuple[Json, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict):
            deepest = max(deepest, depth)
            stack += [(member, depth + 1) for member in item.values()]
        elif isinstance(item, list):
            deepest = max(deepest, depth)
            stack += [(member, depth + 1) for member in item]
    return deepest


def scalars(value: Json) -> Iterator[Json]:
    """Yield every scalar of a value, at any depth, keys left out."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        else:
            yield item


def object_texts(value: dict[str, Json]) -> tuple[str, ...]:
    """Return the texts that stand for an object (docs/meaning.md section 6): as it is, and with JSON texts parsed in place."""
    plain = compact(value)
    opened_up = _with_texts_parsed(value, MAX_JSON_TEXT_NESTING, room=MAX_OPENED_NESTING)
    return (plain,) if opened_up is value else (plain, compact(opened_up))


def compact(value: Json) -> str:
    """Return the compact serialisation in source key order: no spaces, no escapes but those of control characters.

    Numbers that a double does not tell whole stand as the record spells them, others in their shortest form.
    """
    try:
        return orjson.dumps(value, default=_as_spelled).decode()
    except (TypeError, orjson.JSONEncodeError):  # integers beyond 64 bits, and objects nested over orjson's limit
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_spelled(value: object) -> orjson.Fragment:
    if isinstance(value, SpelledNumber):
        return orjson.Fragment(repr(value))
    raise TypeError


def _with_texts_parsed(value: Json, levels: int, *, room: int) -> Json:
    """Return the value with every JSON text in it replaced by what it holds; the same object when there is none.

    Args:
        value: What is left of the object.
        levels: How many more times a text in a text is opened.
        room: How many more lists and objects may lie in one another; what would need more stays plain text.
    """
    if isinstance(value, str):
        if levels == 0 or not value.lstrip(" \t\r\n").startswith(("{", "[")):
            return value
        inner = _parsed_once(value)
        if not isinstance(inner, dict | list) or nesting(inner) > room:
            return value
        return _with_texts_parsed(inner, levels - 1, room=room)
    if isinstance(value, dict):
        members = {key: _with_texts_parsed(member, levels, room=room - 1) for key, member in value.items()}
        return members if any(members[key] is not value[key] for key in members) else value
    if isinstance(value, list):
        items = [_with_texts_parsed(item, levels, room=room - 1) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
