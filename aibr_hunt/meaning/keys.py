"""Keys and numbers of an event: what correlations group by, count and measure (docs/meaning.md section 7.1)."""

from __future__ import annotations

from decimal import Decimal

from aibr_hunt.meaning.bind import binder_of
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.scalar import number_of
from aibr_hunt.meaning.view import View
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import Mapping


class KeyReader:
    """Reads one field as correlations do: found on the mapping exactly as a rule's field is.

    Args:
        field: The field as a correlation writes it.
        mapping: The mapping of the rule's log source; None takes the field as written.

    Raises:
        Unsupported: The mapping does not define the field.
    """

    __slots__ = ("_bound", "field")

    def __init__(self, field: str, mapping: Mapping | None) -> None:
        """Bind the field once."""
        self.field = field
        self._bound = binder_of(mapping).field(field)

    def keys(self, event: Json) -> tuple[str, ...]:
        """Return the different key texts of the event, sorted; none when the field is blank or holds nothing that has a key."""
        values = View(event).values(self._bound)
        if len(values) == 1:
            key = key_of(values[0])
            return () if key is None else (key,)
        return tuple(sorted({key for value in values if (key := key_of(value)) is not None}))

    def numbers(self, event: Json) -> tuple[Decimal, ...]:
        """Return all numbers of the field (docs/meaning.md section 5) in the event's order, repeats kept."""
        return tuple(Decimal(number) for value in View(event).values(self._bound) if (number := number_of(value)) is not None)


def key_of(value: Json) -> str | None:
    """Return the key of one scalar: a text under fold, a number in its shortest decimal form; None for objects and odd numbers."""
    if isinstance(value, str):
        return fold(value) or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_of(value)
    return None
