"""Events with relative times, as the cases of correlations and the incidents of hunts write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aibr_hunt.content.case_reader import CaseReader, with_value
from aibr_hunt.content.yaml import Document, YamlKey, YamlValue
from aibr_hunt.model.event import Json

MAX_EVENTS: Final = 20_000
EVENT_KEYS: Final = frozenset(("at", "event", "id", "repeat", "every", "each", "deliveries", "late"))
_UNITS_US: Final = {
    "us": 1,
    "ms": 1000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_TIME: Final = re.compile(r"(-?)((?:[0-9]{1,12}(?:us|ms|s|m|h|d|w))+)")
_PART: Final = re.compile(r"([0-9]+)(us|ms|s|m|h|d|w)")
_TIME_HINT: Final = "Write a number and one of us, ms, s, m, h, d, w, such as 90s, -2h or 1h30m."


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedEvent:
    """One event of a case.

    Attributes:
        name: Unique in the case unless the author says that two are one; the runner makes it the event's identity.
        at_us: Microseconds after the start of the case; negative before it.
        event: The event, its time not yet set.
        deliveries: How often it arrives.
        late_us: How long after the others it arrives; 0 for with them.
        has_own_name: The author named it, and so it is the same event wherever the name and the content are the same.
        source: Name of its log source's mapping; empty where the rules that it is matched with say it.
    """

    name: str
    at_us: int
    event: Json
    deliveries: int = 1
    late_us: int = 0
    has_own_name: bool = False
    source: str = ""


def time_us(value: YamlValue) -> int | None:
    """Return the microseconds that `90s`, `-2h` or `1h30m` means; None for anything else."""
    if value == 0 and not isinstance(value, bool):
        return 0
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    whole = sum(int(number) * _UNITS_US[unit] for number, unit in _PART.findall(found[2]))
    return -whole if found[1] else whole


class EventsReader(CaseReader):
    """Reads lists of events besides what every reader of cases does.

    Args:
        document: The file's one YAML document.
        path: What to call the file.
        keys: The keys that an event may have.
    """

    def __init__(self, document: Document, path: str, *, keys: frozenset[str] = EVENT_KEYS) -> None:
        """Begin without an event."""
        super().__init__(document, path)
        self.keys = keys
        self.serial = 0

    def events(self, rows: Sequence[YamlValue], whose: str, at: YamlKey) -> Iterator[TimedEvent]:
        """Yield the events of a list.

        Args:
            rows: The list.
            whose: Names the case, for sentences: `case three`.
            at: Where the list lies in the document.
        """
        left = MAX_EVENTS
        for index, row in enumerate(rows):
            place = (*at, index)
            if not isinstance(row, dict) or not isinstance(row.get("event"), dict):
                self.fault(f"{whose} has an event that is no map of at and event.", *place, hint="Write {at: 0s, event: {...}}.")
                continue
            self.check_keys(row, self.keys, f"an event of {whose}", *place)
            found = self._series(row, whose, place)
            left -= len(found)
            if left < 0:
                self._too_many(whose, *place)
                return
            yield from found

    def _too_many(self, whose: str, *at: str | int) -> None:
        self.fault(f"{whose} has over {MAX_EVENTS:,} events.", *at, hint="Lower the threshold in a copy of the rule.")

    def _series(self, row: Mapping[str, YamlValue], whose: str, at: YamlKey) -> list[TimedEvent]:
        """Return the events that one entry stands for: one, a number of repetitions, or one for each value."""
        start, every, late = (self._time(row, key, whose, at=at) for key in ("at", "every", "late"))
        field, values = self.one_field(row["each"], whose, *at, "each") if "each" in row else ("", [])
        count = (self.number(row, "repeat", *at, least=1) or 1) * max(len(values), 1)
        if count > MAX_EVENTS:
            self._too_many(whose, *at, "repeat")
            return []
        deliveries = self.number(row, "deliveries", *at, least=1) or 1
        return [
            TimedEvent(
                name=self._name(row.get("id"), number if count > 1 else None),
                at_us=start + number * every,
                event=with_value(row["event"], field, values[number % len(values)]) if values else row["event"],
                deliveries=deliveries,
                late_us=late,
                has_own_name=row.get("id") is not None,
                source=str(row.get("source") or ""),
            )
            for number in range(count)
        ]

    def _name(self, named: YamlValue, number: int | None) -> str:
        self.serial += 1
        if named is None:
            return f"00000000-0000-4000-8000-{self.serial:012d}"
        return str(named) if number is None else f"{named}[{number + 1}]"

    def _time(self, row: Mapping[str, YamlValue], key: str, whose: str, *, at: YamlKey) -> int:
        value = row.get(key)
        if value is None and key != "at":
            return 0
        found = time_us(value)
        if found is None or (found < 0 and key != "at"):
            what = "needs `at`" if value is None else f"has the {key} {value!r}, which is no length of time"
            self.fault(f"an event of {whose} {what}.", *at, key, hint=_TIME_HINT)
            return 0
        return found
