"""Which values of a record get columns of their own, and how they are read.

The rule, from the mapping alone: first the members that it names for people (action, principal, address, region, account), then the
paths of its fields that hold one scalar in plain sight: no time, no identity, at most three members deep, not through a list, not in a
text that is JSON, and not below a free-form field of weight 5 or less (the parameters of calls). Shallow ones come first, and among them
the heaviest, as those have few values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath, Mapping

MOST_PATHS: Final = 28
_DEEPEST: Final = 3
_FREE_FORM: Final = 5
# Fields of less weight than this are ids: nearly every event has one of its own.
_LEAST_WEIGHT: Final = 3
# A text stands for itself; what was a boolean or a whole number is the text that it shows as, in a tuple: the two are never taken for
# one another.
Cell = str | tuple[str] | None


def hot_paths(mapping: Mapping | None) -> tuple[FieldPath, ...]:
    """Return the member paths that get columns, the action's first; none for records of no known source."""
    if mapping is None:
        return ()
    named = (*mapping.action, *mapping.principal, *mapping.address, *mapping.region, *mapping.account)
    return tuple(dict.fromkeys(path for path in (*named, *_shallow_first(mapping)) if _is_plain(path, mapping)))[:MOST_PATHS]


def _shallow_first(mapping: Mapping) -> Iterator[FieldPath]:
    times = {mapping.time, *mapping.time_also, mapping.arrival}
    identities = {path for spelling in (mapping.identity, *mapping.identity_also) for path in spelling}
    free = [path for field in mapping.fields if field.is_open and field.sieve_weight <= _FREE_FORM for path in field.paths]
    fields = [each for each in mapping.fields if not (each.is_open or each.is_object or each.is_time or each.json_text)]
    ways = [(len(path), -each.sieve_weight, path) for each in fields if each.sieve_weight >= _LEAST_WEIGHT for path in each.paths]
    for depth, _, path in sorted(ways, key=lambda way: way[:2]):
        is_free = any(path[: len(each)] == each for each in free)
        if depth <= _DEEPEST and not is_free and path not in times and path not in identities:
            yield path


def _is_plain(path: FieldPath, mapping: Mapping) -> bool:
    """True when no list and no text to be parsed is declared on the way."""
    texts = {each for field in mapping.fields if field.json_text for each in field.paths}
    prefixes = {path[:size] for size in range(1, len(path) + 1)}
    return prefixes.isdisjoint(mapping.arrays) and prefixes.isdisjoint(texts)


def column_of(path: FieldPath) -> str:
    """Return the name of a path's column in a segment: it begins with `$.`, which no other column does."""
    return "$." + ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path)


class HotReader:
    """Reads the hot values of a record.

    Args:
        paths: As `hot_paths` gives them.
    """

    def __init__(self, paths: Sequence[FieldPath]) -> None:
        """Group the paths by their length: most are short."""
        self.paths = tuple(paths)
        self._short = tuple((place, path[0]) for place, path in enumerate(self.paths) if len(path) == 1)
        groups: dict[FieldPath, list[tuple[int, str]]] = {}
        for place, path in enumerate(self.paths):
            if len(path) > 1:
                groups.setdefault(path[:-1], []).append((place, path[-1]))
        self._long = tuple((way, tuple(ends)) for way, ends in groups.items())

    def read(self, value: dict[str, Json]) -> tuple[list[Cell], bool]:
        """Return one cell a path, and whether some value is none that a cell can hold (a list, an object, a fraction)."""
        cells: list[Cell] = [None] * len(self.paths)
        is_odd = _fill(cells, value, self._short)
        for way, ends in self._long:
            inner: Json = value
            for step in way:
                if type(inner) is not dict:
                    break
                inner = inner.get(step)
            if type(inner) is dict:
                is_odd |= _fill(cells, inner, ends)
            else:
                is_odd |= isinstance(inner, list) and bool(inner)  # a scalar on the way ends it: nothing lies below
        return cells, is_odd


def _fill(cells: list[Cell], value: dict[str, Json], ends: tuple[tuple[int, str], ...]) -> bool:
    """Fill the cells of members of one object; return whether one of them is odd."""
    is_odd = False
    get = value.get
    for place, name in ends:
        found = get(name)
        if found is None:
            continue
        if type(found) is str:
            cells[place] = found or None
        else:
            cells[place], is_one_odd = _cell(found)
            is_odd |= is_one_odd
    return is_odd


_TRUTHS: Final = {"true": True, "false": False}


def _cell(value: Json) -> tuple[Cell, bool]:
    """Return the cell of a value that is neither a text nor null, and whether it is odd."""
    if value is True or value is False:
        return ("true" if value else "false",), False
    if type(value) is int:
        return (str(value),), False
    return None, value not in ("", {}, [])


def value_of(cell: Cell) -> Json:
    """Return the JSON value that a cell stands for."""
    if isinstance(cell, tuple):
        return _TRUTHS[cell[0]] if cell[0] in _TRUTHS else int(cell[0])
    return cell


def shown(cell: Cell) -> str | None:
    """Return the text that people see of a cell."""
    return cell[0] if isinstance(cell, tuple) else cell


def text_reader(paths: Sequence[FieldPath], slowly: Callable[[Json, Sequence[FieldPath]], str]) -> Callable[[dict[str, Json]], str]:
    """Return a function that gives what `intake.identity.first_text` gives, faster where only objects lie on the way.

    Args:
        paths: Where to look, in order.
        slowly: `first_text` itself, for everything else.
    """
    groups: list[tuple[FieldPath, list[tuple[str, tuple[FieldPath]]]]] = []
    for path in paths:
        if not groups or groups[-1][0] != path[:-1]:
            groups.append((path[:-1], []))
        groups[-1][1].append((path[-1], (path,)))

    def read(value: dict[str, Json]) -> str:
        for way, ends in groups:
            inner: Json = value
            for step in way:
                if type(inner) is not dict:
                    break
                inner = inner.get(step)
            if inner is None:
                continue
            for name, alone in ends:
                text = inner.get(name) if type(inner) is dict else inner
                if text is not None and (type(text) is not str or type(inner) is not dict):
                    text = slowly(value, alone)
                if text:
                    return text
        return ""

    return read
