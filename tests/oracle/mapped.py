"""The oracle on a Mapping: fields are found without case and by alias, and JSON in texts is walked into where the mapping says so."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from aibr_hunt.model.mapping import FieldSpec, Mapping
from tests.oracle.evaluate import Evaluator, Frame, Frames, Path, split_field
from tests.oracle.jsontext import Value, depth, parse
from tests.oracle.mapped_decoding import decode

BLANK_JSON_TEXTS = frozenset({"null", '""', "{}", "[]"})
DEEPEST = 64
# In front of a step that decodes, on a path; no member of a record that the suite draws begins so.
STEP = "\0decode "


class MappedEvaluator(Evaluator):
    """The meaning of rules on one log source."""

    def __init__(self, mapping: Mapping) -> None:
        """Keep the mapping."""
        self.mapping = mapping

    def spec_of(self, field: str) -> tuple[FieldSpec, Path]:
        """Return the mapping's field that a rule means, and the members below it (fields may be open).

        Raises:
            KeyError: The mapping defines no such field: the rule has to be refused.
        """
        for spelling in self.spellings(field):
            parts = spelling.split(".")
            for size in range(len(parts), 0, -1):
                spec = self.named(".".join(parts[:size]))
                rest = parts[size:]
                if spec is not None and (not rest or spec.is_open):
                    return spec, split_field(".".join(rest)) if rest else ()
        raise KeyError(field)

    def spellings(self, field: str) -> Iterator[str]:
        """Yield the field as written, then with the longest alias at its front replaced."""
        yield field
        parts = field.split(".")
        for size in range(len(parts), 0, -1):
            for alias, name in self.mapping.aliases:
                if alias.lower() == ".".join(parts[:size]).lower():
                    yield ".".join((name, *parts[size:]))

    def named(self, name: str) -> FieldSpec | None:
        """Return the field of a name: exact spelling first, then without case."""
        exact = [spec for spec in self.mapping.fields if spec.name == name]
        loose = [spec for spec in self.mapping.fields if spec.name.lower() == name.lower()]
        return next(iter(exact + loose), None)

    def paths(self, field: str) -> tuple[Path, ...]:
        """Return every place of the field."""
        spec, rest = self.spec_of(field)
        step: Path = ()
        if is_decoding(spec):
            # What is read as text and what is read as JSON are two things that lie below the text.
            step = (f"{STEP}{spec.derive} {'json ' * spec.json_text if rest else ''}",)
        return tuple((*path, *step, *rest) for path in spec.paths)

    @cached_property
    def json_marks(self) -> dict[Path, int]:
        """How many times a text at a place is parsed when a path goes on below it."""
        marked = (spec for spec in self.mapping.fields if spec.json_text and not is_decoding(spec))
        return {path: spec.json_text for spec in marked for path in spec.paths}

    def choices(self, value: Value, place: Path, paths: list[Path]) -> list[Value]:
        """Where all items go on below JSON text, what it holds is chosen from: text that holds nothing is blank there."""
        if place not in self.json_marks or place in paths:
            return self.elements(value)
        held = [self.parsed_at(element, place) for element in self.elements(value)]
        return self.elements([None if isinstance(element, str) else element for element in held])

    def inside(self, here: Frame) -> list[Value]:
        """Return the elements of an array that stands as JSON text where the mapping marks it."""
        if here.path not in self.json_marks:
            return self.elements(here.value)  # a text too: what it encodes may lie below it
        value = self.parsed_at(here.value, here.path)
        return [None if isinstance(element, str) else element for element in self.elements(value)]

    def parsed_at(self, value: Value, place: Path) -> Value:
        """Return a value with its JSON text parsed as often as the mapping says of its place."""
        for _ in range(self.json_marks.get(place, 0)):
            if isinstance(value, str):
                value = parsed(value)
        return value

    def member(self, value: Value, name: str, above: Path) -> Value:
        """Walk into JSON text where the mapping marks it, and into what a text encodes; an array in it means any element."""
        if name.startswith(STEP):
            return within(value, name.removeprefix(STEP).split())
        value = self.parsed_at(value, above)
        if isinstance(value, list):
            return [super(MappedEvaluator, self).member(element, name, above) for element in self.walk(value, (), ())]
        return super().member(value, name, above)

    def is_blank_in(self, field: str, value: Value) -> bool:
        """Also count what the mapping names as blank, and blank JSON in a text that holds JSON."""
        spec, rest = self.spec_of(field)
        if isinstance(value, str) and not rest and (value in spec.blanks or (spec.json_text and value in BLANK_JSON_TEXTS)):
            return True
        return super().is_blank_in(field, value)

    def keyword_values(self, frames: Frames) -> Iterator[Value]:
        """Yield every scalar of the fields that the mapping lists for keywords; of the event when it lists none."""
        if not self.mapping.keywords:
            yield from super().keyword_values(frames)
        for field in self.mapping.keywords:
            for value in self.values(field, frames[:1]):
                yield from self.scalars(value)


def is_decoding(spec: FieldSpec) -> bool:
    """True for a field that reads what its texts encode."""
    return spec.derive not in {"", "lower", "host"}


def within(value: Value, steps: list[str]) -> Value:
    """Return what a text encodes, None when the value is no text."""
    if not isinstance(value, str):
        return None
    found: Value = decode(value, [step for step in steps if step != "json"])
    for _ in range(steps.count("json")):
        found = parsed(found) if isinstance(found, str) else found
    return found


def parsed(text: str) -> Value:
    """Return what a JSON text holds, or None: what does not parse or nests too deep is blank below."""
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return None
    return value if depth(value) <= DEEPEST else None
