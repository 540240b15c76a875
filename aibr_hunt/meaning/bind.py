"""A rule's fields, found on one mapping: where each value lies in the record (docs/meaning.md section 1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.derive import Opening, decodings_of
from aibr_hunt.model.mapping import FieldPath, FieldSpec, Mapping
from aibr_hunt.model.predicate import And, Cidr, FieldRef, Keyword, Leaf, Not, Or, Predicate, Regex, Star, Text, TextOp, Together

_UNMAPPED = FieldSpec(name="", paths=())
_BLANK_JSON = ("null", '""', "{}", "[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundField:
    """Where one field lies.

    Attributes:
        key: Canonical name: equal keys read equal values.
        paths: Member paths from the record's root; a value of any of them is a value of the field. Where a text is decoded on
            the way, an `Opening` stands among the members.
        json_cuts: For each path the places where a text is parsed as JSON before the path goes on: pairs of the
            number of members before it and how many times it is parsed, ascending.
        blanks: Texts that are blank in this field besides the empty one.
        levels_up: How many Views out of the one that is asked the paths start: 0 for that View itself.
        spec: What the mapping says of the field; neutral without a mapping.
        warning: A sentence for the author when the spelling is a known misspelling, else empty.
    """

    key: str
    paths: tuple[FieldPath, ...]
    json_cuts: tuple[tuple[tuple[int, int], ...], ...] = ()
    blanks: tuple[str, ...] = ()
    levels_up: int = 0
    spec: FieldSpec = _UNMAPPED
    warning: str = ""


def holds_an_object(field: BoundField) -> bool:
    """True when the mapping names the field itself and an object may stand there: marked so, or open and not JSON in a text."""
    spec = field.spec
    return field.key == spec.name and (spec.is_object or (spec.is_open and not spec.json_text))


def split_path(name: str) -> FieldPath:
    r"""Return the member names of a field as written: dots separate, `\.` is a dot, `\\` a backslash."""
    if "\\" not in name:
        return tuple(name.split("."))
    parts: list[str] = [""]
    escaped = False
    for character in name:
        if escaped:
            parts[-1] += character if character in ".\\" else "\\" + character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ".":
            parts.append("")
        else:
            parts[-1] += character
    parts[-1] += "\\" if escaped else ""
    return tuple(parts)


class Binder:
    """Finds fields on one mapping, or takes them as written when there is none.

    Args:
        mapping: The mapping; None takes every field as written, exact in case.
    """

    def __init__(self, mapping: Mapping | None) -> None:
        """Index the mapping's names, exact and without case."""
        self.mapping = mapping
        fields = () if mapping is None else mapping.fields
        self._exact = {spec.name: spec for spec in fields}
        self._loose = {spec.name.lower(): spec for spec in reversed(fields)}
        self._aliases = {} if mapping is None else {name.lower(): target for name, target in mapping.aliases}
        self._misspelt = frozenset() if mapping is None else frozenset(name.lower() for name in mapping.misspelt)
        self._json_texts = [(path, spec.json_text) for spec in fields if spec.json_text and not decodings_of(spec) for path in spec.paths]
        self._bound: dict[str, BoundField] = {}

    def field(self, name: str) -> BoundField:
        """Return where `name` lies.

        Raises:
            Unsupported: The mapping does not define the field; the hint names the nearest one.
        """
        bound = self._bound.get(name)
        if bound is None:
            bound = self._bound[name] = self._find(name)
        return bound

    def _find(self, name: str) -> BoundField:
        if self.mapping is None:
            return BoundField(key=name, paths=(split_path(name),))
        warning = f"field {name} is a known misspelling" if name.lower() in self._misspelt else ""
        for spelling in self._spellings(name):
            found = self._on_mapping(spelling, warning)
            if found is not None:
                return found
        near = self._nearest(name)
        hint = f"Did you mean {near}?" if near else f"mappings/logsources/{self.mapping.name}.yml lists them."
        raise Unsupported(f"field {name}", f"the mapping {self.mapping.name} does not define it.", hint=hint)

    def _nearest(self, name: str) -> str:
        """Return the field that was most likely meant, members of an open one included; empty when none is near."""
        known = [*self._exact, *self._aliases]
        parts = name.split(".")
        for size in range(len(parts) - 1, 0, -1):
            near = difflib.get_close_matches(".".join(parts[:size]), known, n=1, cutoff=0.85)
            spelling = ".".join([*near, *parts[size:]])
            if near and any(self._on_mapping(each, "") for each in self._spellings(spelling)):
                return spelling
        return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.6)), "")

    def _spellings(self, name: str) -> Iterator[str]:
        yield name
        parts = name.split(".")
        for size in range(len(parts), 0, -1):
            target = self._aliases.get(".".join(parts[:size]).lower())
            if target is not None:
                yield ".".join([target, *parts[size:]])

    def _on_mapping(self, name: str, warning: str) -> BoundField | None:
        spec = self._exact.get(name) or self._loose.get(name.lower())
        if spec is not None:
            blanks = spec.blanks + (_BLANK_JSON if spec.json_text else ())
            return self._at(spec, spec.name, paths=_paths_below(spec, ()), blanks=blanks, warning=warning)
        parts = split_path(name)
        for size in range(len(parts) - 1, 0, -1):
            prefix = ".".join(parts[:size])
            spec = self._exact.get(prefix) or self._loose.get(prefix.lower())
            if spec is not None and spec.is_open:
                rest = parts[size:]
                key = ".".join((spec.name, *(part.replace("\\", "\\\\").replace(".", "\\.") for part in rest)))
                return self._at(spec, key, paths=_paths_below(spec, rest), blanks=(), warning=warning)
        return None

    def _at(self, spec: FieldSpec, key: str, *, paths: tuple[FieldPath, ...], blanks: tuple[str, ...], warning: str) -> BoundField:
        cuts = tuple(self._cuts(path) for path in paths)
        return BoundField(key=key, paths=paths, json_cuts=cuts if any(cuts) else (), blanks=blanks, spec=spec, warning=warning)

    def _cuts(self, path: FieldPath) -> tuple[tuple[int, int], ...]:
        """Return where on a path a text is parsed: behind every shorter path that the mapping marks as JSON text."""
        above = [(mark, times) for mark, times in self._json_texts if len(mark) < len(path) and path[: len(mark)] == mark]
        return tuple(sorted((len(mark), times) for mark, times in above if not isinstance(path[len(mark)], Opening)))


def _paths_below(spec: FieldSpec, rest: FieldPath) -> tuple[FieldPath, ...]:
    """Return the paths of what lies at `rest` below a field; of a decoded one they go through its texts."""
    decodings = decodings_of(spec)
    opening = (Opening(decodings, spec.json_text if rest else 0),) if decodings else ()
    return tuple((*path, *opening, *rest) for path in spec.paths)


def check_bindable(predicate: Predicate, binder: Binder) -> tuple[str, ...]:
    """Return the warnings of every field of the predicate; all of them can be bound.

    Raises:
        Unsupported: A field is not defined, or a test cannot be asked of it (cidr on a masked field, a whole test
            on an object).
    """
    warnings: list[str] = []
    for leaf in leaves(predicate):
        if isinstance(leaf, Keyword):
            continue
        bound = binder.field(leaf.field)
        warnings += [bound.warning] if bound.warning else []
        _check_leaf(leaf, bound)
        if isinstance(leaf, FieldRef):
            binder.field(leaf.other)
    return tuple(dict.fromkeys(warnings))


def _check_leaf(leaf: Leaf, bound: BoundField) -> None:
    is_whole_object = bound.spec.is_object and bound.key == bound.spec.name
    if isinstance(leaf, Cidr) and bound.spec.is_masked:
        raise Unsupported(f"cidr on {leaf.field}", "the source masks the address.", hint="Test its first octets with startswith.")
    if is_whole_object and isinstance(leaf, Text) and not is_open(leaf):
        raise Unsupported(f"{leaf.op.value} on {leaf.field}", "the field is an object.", hint="Test a member of it, or use contains.")
    if is_whole_object and isinstance(leaf, Regex):
        raise Unsupported(f"re on {leaf.field}", "the field is an object.", hint="Test a member of it, or use contains.")


def is_open(leaf: Text) -> bool:
    """True for contains, and for wildcards open on both ends: the tests that may read an object."""
    if leaf.op is TextOp.WILDCARD:
        return leaf.pattern[0] is Star.ANY and leaf.pattern[-1] is Star.ANY
    return leaf.op is TextOp.CONTAINS


def leaves(predicate: Predicate) -> Iterator[Leaf]:
    """Yield every leaf of the tree, left to right."""
    if isinstance(predicate, And | Or):
        for item in predicate.items:
            yield from leaves(item)
    elif isinstance(predicate, Together):
        for _, item in predicate.items:
            yield from leaves(item)
    elif isinstance(predicate, Not):
        yield from leaves(predicate.item)
    else:
        yield predicate


_BINDERS: dict[int, Binder] = {}
_MOST_BINDERS = 64


def binder_of(mapping: Mapping | None) -> Binder:
    """Return the binder of a mapping, made once for each mapping value that is alive.

    Kept by identity: hashing a mapping costs more than all that is asked of the binder. A binder holds its mapping, so
    the identity of a kept one is never another's.
    """
    binder = _BINDERS.get(id(mapping))
    if binder is None or binder.mapping is not mapping:
        if len(_BINDERS) >= _MOST_BINDERS:
            _BINDERS.clear()
        binder = _BINDERS[id(mapping)] = Binder(mapping)
    return binder


def fields_of(predicate: Predicate) -> tuple[str, ...]:
    """Return the names of all fields that the predicate reads, as written, sorted."""
    return tuple(sorted(set(_names(leaves(predicate)))))


def _names(found: Iterable[Leaf]) -> Iterator[str]:
    for leaf in found:
        if not isinstance(leaf, Keyword):
            yield leaf.field
        if isinstance(leaf, FieldRef):
            yield leaf.other
