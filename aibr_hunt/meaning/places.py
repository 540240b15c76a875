"""A rule's fields, found in the columns of one layout (docs/meaning.md section 1): which value is read, and through which arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.bind import BoundField, binder_of, holds_an_object
from aibr_hunt.meaning.derive import Opening
from aibr_hunt.model.condition import ColumnValue, ElementValue, EntryValue, JsonValue, MemberValue, ParsedValue, Value
from aibr_hunt.model.layout import ColumnPath, ColumnType, Kind, Layout, Place
from aibr_hunt.model.mapping import FieldPath, Mapping

_JSON_KINDS = frozenset({Kind.JSON, Kind.JSON_TEXT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One way to a field's values on a layout.

    Attributes:
        arrays: The arrays on the way, outermost first; an inner one starts at the element of the outer one.
        value: What is tested; below arrays it starts at the element of the innermost.
        is_declared: Every list and object on the way is known: from the column's type, or because the mapping defines the field
            itself. Else the path goes on freely in JSON, and it is only assumed to meet no list and no object.
        root: The outermost JSON value on the way, whose serialised text holds every text found there; None outside JSON.
        root_depth: How many of the arrays lie in front of the root.
        is_caseless: The column holds the text in another case than the log does.
        has_port: A port stands behind an address.
    """

    arrays: tuple[Value, ...]
    value: Value
    is_declared: bool
    root: Value | None
    root_depth: int = 0
    is_caseless: bool = False
    has_port: bool = False


class Locator:
    """Finds fields in the columns of one layout.

    Args:
        mapping: Says what fields are; None takes them as written.
        layout: Says where they lie.
    """

    def __init__(self, mapping: Mapping | None, layout: Layout) -> None:
        """Index the layout's places."""
        self.mapping = mapping
        self.layout = layout
        self.binder = binder_of(mapping)
        self._places = {place.member: place for place in layout.places}
        self._arrays = frozenset(() if mapping is None else mapping.arrays)
        self._found: dict[str, tuple[Access, ...]] = {}
        self.weights: dict[Value, int] = {}
        """How badly a test on a value narrows (1 best, 9 least), as the mapping says of its field; filled as fields are found."""

    def access(self, name: str) -> tuple[Access, ...]:
        """Return every way to the values of a field: a test on it is true when it is true on any of them.

        Raises:
            Unsupported: The mapping does not define the field, or the layout does not carry it.
        """
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._find(self.binder.field(name))
        return found

    def _find(self, bound: BoundField) -> tuple[Access, ...]:
        found = [access for index, path in enumerate(bound.paths) for access in self._along(bound, path, index)]
        if not found:
            hint = "Hunt it on files, or on a layout that carries it (`aibr-hunt engines` lists them)."
            raise Unsupported(f"field {bound.key}", f"the layout {self.layout.label} of {self._name} does not carry it.", hint=hint)
        for access in found:
            self.weights.setdefault(access.value, bound.spec.sieve_weight)
        return tuple(dict.fromkeys(found))

    @property
    def _name(self) -> str:
        return "events" if self.mapping is None else self.mapping.name

    def _along(self, bound: BoundField, path: FieldPath, index: int) -> Iterator[Access]:
        place = self._place_of(path)
        if place is None:
            return
        cuts = dict(bound.json_cuts[index]) if bound.json_cuts else {}
        # What a mapping opens as JSON text may be delivered parsed already: then an object stands there that it does not declare.
        is_named = bound.key == bound.spec.name and not (bound.spec.json_text and bound.spec.is_open)
        for column_path in place.paths:
            way = _Way(self.layout, column_path, place)
            if not way.is_found:
                continue
            depth = len(place.member)
            way.open_arrays(is_list=path[:depth] in self._arrays)
            for member in path[depth:]:
                if isinstance(member, Opening):
                    break  # no engine is asked to decode: the way ends at the text
                way.parse(cuts.get(depth, 0))
                way.step(member)
                depth += 1
                way.open_arrays(is_list=path[:depth] in self._arrays)
            if way.is_found:
                yield way.access(is_named=is_named, is_object=holds_an_object(bound))

    def _place_of(self, path: FieldPath) -> Place | None:
        for size in range(len(path), -1, -1):
            place = self._places.get(path[:size])
            if place is not None:
                return place
        return None


class _Way:
    """A walk from a column to a value; remembers the arrays that it went through."""

    def __init__(self, layout: Layout, path: ColumnPath, place: Place) -> None:
        column = layout.column(path.column)
        self._place = place
        self.arrays: list[Value] = []
        self.root: Value | None = None
        self.root_depth = 0
        self.goes_into_json = False
        self.value: Value | None = None
        if column is not None:
            self.value = ColumnValue(name=column.name, type=column.type, is_optional=column.is_optional)
        for step in path.steps:
            if step == "[]":
                self._open()
            else:
                self.step(step)

    @property
    def is_found(self) -> bool:
        return self.value is not None

    def step(self, member: str) -> None:
        """Go to a member of what the way has reached: of a struct, a map, or JSON; a typed list on the way is opened."""
        if self.value is not None and self.value.type.kind is Kind.ARRAY:
            self._open()
        value = self.value
        if value is None:
            return
        kind = value.type.kind
        if kind in _JSON_KINDS:
            self._keep_root()
            self.value = _in_json(value, member)
        elif kind is Kind.STRUCT:
            name, inner = _member(value.type, member)
            self.value = None if inner is None else MemberValue(of=value, name=name, type=inner)
        elif kind is Kind.MAP and value.type.item is not None:
            self.value = EntryValue(of=value, key=member, type=value.type.item)
        else:
            self.value = None

    def parse(self, times: int) -> None:
        """Parse the text that the way has reached, where JSON stands as text inside JSON."""
        if isinstance(self.value, ColumnValue):
            return  # a column of JSON holds what the text says, parsed already; one of text is parsed where it is read
        for _ in range(times):
            if self.value is not None and self.value.type.kind is Kind.JSON:
                self._keep_root()
                self.value = ParsedValue(of=self.value)

    def open_arrays(self, *, is_list: bool) -> None:
        """Open a typed list, and JSON where the mapping says that a list stands there."""
        while self.value is not None and self.value.type.kind is Kind.ARRAY:
            self._open()
        if is_list and self.value is not None and self.value.type.kind in _JSON_KINDS:
            self._keep_root()
            self._open()

    def _open(self) -> None:
        if self.value is None:
            return
        kind = self.value.type.kind
        item = self.value.type.item if kind is Kind.ARRAY else ColumnType(kind=Kind.JSON) if kind in _JSON_KINDS else None
        if item is None:
            self.value = None
            return
        self.arrays.append(self.value)
        self.value = ElementValue(number=len(self.arrays), type=item)

    def _keep_root(self) -> None:
        if self.root is None:
            self.root, self.root_depth = self.value, len(self.arrays)
        self.goes_into_json = True

    def access(self, *, is_named: bool, is_object: bool) -> Access:
        """Return where the way has led; `is_named`: the mapping defines the field itself, `is_object`: and an object may stand there."""
        if self.value is None:
            raise AssertionError("is_found was not asked")
        if isinstance(self.value, EntryValue) and self.value.type.kind is Kind.JSON_TEXT and not is_object:
            # A map of texts holds a scalar as it is, and only lists and objects as JSON.
            self.value = replace(self.value, type=ColumnType(kind=Kind.TEXT))
        root, root_depth = self.root, self.root_depth
        if root is None and self.value.type.kind in _JSON_KINDS:
            root, root_depth = self.value, len(self.arrays)
        return Access(
            arrays=tuple(self.arrays),
            value=self.value,
            is_declared=is_named or not self.goes_into_json,
            root=root,
            root_depth=root_depth,
            is_caseless=self._place.is_caseless,
            has_port=self._place.has_port,
        )


def _in_json(value: Value, member: str) -> JsonValue:
    if isinstance(value, JsonValue):
        return replace(value, path=(*value.path, member))
    return JsonValue(of=value, path=(member,))


def _member(struct: ColumnType, wanted: str) -> tuple[str, ColumnType | None]:
    """Return name and type of a struct's member, found exactly or, as engines spell members in lower case, without case."""
    for name, inner in struct.members:
        if name == wanted:
            return name, inner
    for name, inner in struct.members:
        if name.lower() == wanted.lower():
            return name, inner
    return wanted, None


def typed_path(layout: Layout, path: ColumnPath) -> Value:
    """Return the value at a column path of a layout that leads through no list.

    Raises:
        Unsupported: It leads nowhere, or through a list.
    """
    way = _Way(layout, path, Place(member=(), paths=()))
    if way.value is None or way.arrays:
        raise Unsupported(f"the column {'.'.join((path.column, *path.steps))}", f"the layout {layout.label} has no such value.")
    return way.value
