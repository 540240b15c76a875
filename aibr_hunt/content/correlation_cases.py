"""A correlation's cases: several events with relative times, and whether an episode comes of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aibr_hunt.content.cases import nearest_key, own, with_value
from aibr_hunt.content.yaml import Document, YamlValue, load_yaml
from aibr_hunt.errors import ContentError, ContentErrors
from aibr_hunt.model.event import Json

MAX_EVENTS: Final = 20_000
_TOP_KEYS: Final = frozenset(("correlation", "base", "cases", "equivalent"))
_CASE_KEYS: Final = frozenset(("hit", "events", "episodes", "members", "uncovered", "each", "why"))
_EVENT_KEYS: Final = frozenset(("at", "event", "id", "repeat", "every", "each", "deliveries", "late"))
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
    """

    name: str
    at_us: int
    event: Json
    deliveries: int = 1
    late_us: int = 0
    has_own_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationCase:
    """Events, and what must come of them.

    Attributes:
        name: Unique in its file; a case that stands for several values ends in `[value]`.
        hit: True when at least one episode comes of them.
        uncovered: Spans [from, to) in which nothing was read, in microseconds after the start.
        episodes: Their exact number; None where any number will do.
        members: Names of the events in the episodes; None where they are not told.
        line: Line in the file, from 1.
    """

    name: str
    hit: bool
    events: tuple[TimedEvent, ...]
    uncovered: tuple[tuple[int, int], ...] = ()
    episodes: int | None = None
    members: frozenset[str] | None = None
    why: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationCases:
    """All cases of one correlation.

    Attributes:
        correlation: Name of the correlation.
        equivalent: Mutant to reason: mutants that no events can tell from the correlation.
    """

    correlation: str
    path: str
    cases: tuple[CorrelationCase, ...]
    equivalent: Mapping[str, str]

    @property
    def hits(self) -> tuple[CorrelationCase, ...]:
        """The cases of which an episode comes."""
        return tuple(case for case in self.cases if case.hit)

    @property
    def misses(self) -> tuple[CorrelationCase, ...]:
        """The near misses."""
        return tuple(case for case in self.cases if not case.hit)


def load_correlation_cases(path: Path, shown: str | None = None) -> CorrelationCases:
    """Return the cases of a file.

    Raises:
        ContentErrors: Everything that is wrong with it, with lines.
    """
    name = shown or path.as_posix()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentErrors((ContentError(f"cannot be read: {error}.", path=name),)) from None
    reader = _Reader(load_yaml(text, name), name)
    found = reader.read()
    if reader.faults:
        raise ContentErrors(tuple(reader.faults))
    return found


def time_us(value: YamlValue) -> int | None:
    """Return the microseconds that `90s`, `-2h` or `1h30m` means; None for anything else."""
    if value == 0 and not isinstance(value, bool):
        return 0
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    whole = sum(int(number) * _UNITS_US[unit] for number, unit in _PART.findall(found[2]))
    return -whole if found[1] else whole


class _Reader:
    """Reads one file of a correlation's cases."""

    def __init__(self, document: Document, path: str) -> None:
        self.document = document
        self.path = path
        self.faults: list[ContentError] = []
        self.serial = 0

    def read(self) -> CorrelationCases:
        """Return the cases; `faults` says what is wrong."""
        body = self.document.value if isinstance(self.document.value, dict) else {}
        self._check_keys(body, _TOP_KEYS, "the file")
        cases = body.get("cases")
        if not isinstance(cases, dict) or not cases:
            self._fault("has no cases.", "cases", hint="Add `cases:` with one named case for each set of events.")
            cases = {}
        found = tuple(case for key, value in cases.items() for case in self._cases(key, value))
        equivalent = self._equivalent(body.get("equivalent"))
        return CorrelationCases(correlation=str(body.get("correlation") or ""), path=self.path, cases=found, equivalent=equivalent)

    def _fault(self, what: str, *at: str | int, hint: str = "") -> None:
        self.faults.append(ContentError(what, path=self.path, line=self.document.line(*at), hint=hint))

    def _check_keys(self, value: Mapping[str, YamlValue], known: frozenset[str], whose: str, *at: str | int) -> None:
        for key in value:
            if key not in known:
                self._fault(f"{whose} has the unknown key {key!r}.", *at, key, hint=nearest_key(key, known))

    def _cases(self, name: str, value: YamlValue) -> Iterator[CorrelationCase]:
        at = ("cases", name)
        if not isinstance(value, dict):
            self._fault(f"case {name} is no map.", *at, hint="Write {hit: true, events: [{at: 0s, event: {...}}]}.")
            return
        self._check_keys(value, _CASE_KEYS, f"case {name}", *at)
        events, hit = value.get("events"), value.get("hit")
        if not isinstance(hit, bool) or not isinstance(events, list):
            self._fault(f"case {name} needs `hit: true` or `hit: false`, and a list of events.", *at)
            return
        made = CorrelationCase(
            name=name,
            hit=hit,
            events=tuple(self._events(events, name)),
            uncovered=tuple(self._uncovered(value.get("uncovered"), name)),
            episodes=self._number(value, "episodes", *at, least=0),
            members=self._members(value, *at),
            why=str(value.get("why") or ""),
            line=self.document.line(*at),
        )
        self._check_case(made, at)
        yield from self._for_each(made, value.get("each"), at)

    def _check_case(self, case: CorrelationCase, at: tuple[str, str]) -> None:
        if case.episodes is not None and bool(case.episodes) != case.hit:
            self._fault(f"case {case.name} is {'a hit' if case.hit else 'a miss'} with {case.episodes} episodes.", *at, "episodes")
        unknown = sorted((case.members or frozenset()) - {each.name for each in case.events})
        if unknown:
            self._fault(f"case {case.name} names the member {unknown[0]}, which is the id of no event.", *at, "members")
        for each in case.events:
            if any(start <= each.at_us < end for start, end in case.uncovered):
                hint = "What lies there was not read: leave the event out, or move the hole."
                self._fault(f"case {case.name} has an event in an uncovered span.", *at, "events", hint=hint)
                return

    def _for_each(self, case: CorrelationCase, each: YamlValue, at: tuple[str, str]) -> Iterator[CorrelationCase]:
        if each is None:
            yield case
            return
        field, values = self._one_field(each, f"case {case.name}", *at, "each")
        for one in values:
            events = tuple(replace(event, event=with_value(copy.deepcopy(event.event), field, own(one))) for event in case.events)
            yield replace(case, name=f"{case.name}[{one}]", events=events)

    def _one_field(self, each: YamlValue, whose: str, *at: str | int) -> tuple[str, list[YamlValue]]:
        field, values = next(iter(each.items())) if isinstance(each, dict) and len(each) == 1 else ("", None)
        if not isinstance(values, list) or not values:
            self._fault(f"{whose}: each must be one field with a list of values.", *at, hint="Write each: {field: [v1, v2]}.")
            return "", []
        return field, values

    # --- events ------------------------------------------------------------------------------------------------------------------

    def _events(self, rows: list[YamlValue], case: str) -> Iterator[TimedEvent]:
        left = MAX_EVENTS
        for index, row in enumerate(rows):
            at = ("cases", case, "events", index)
            if not isinstance(row, dict) or not isinstance(row.get("event"), dict):
                self._fault(f"case {case} has an event that is no map of at and event.", *at, hint="Write {at: 0s, event: {...}}.")
                continue
            self._check_keys(row, _EVENT_KEYS, f"an event of case {case}", *at)
            found = self._series(row, case, at)
            left -= len(found)
            if left < 0:
                self._fault(f"case {case} has over {MAX_EVENTS:,} events.", *at, hint="Lower the threshold in a copy of the rule.")
                return
            yield from found

    def _series(self, row: Mapping[str, YamlValue], case: str, at: tuple[str | int, ...]) -> list[TimedEvent]:
        """Return the events that one entry stands for: one, a number of repetitions, or one for each value."""
        start, every = self._time(row, "at", case, at), self._time(row, "every", case, at)
        field, values = self._one_field(row["each"], f"case {case}", *at, "each") if "each" in row else ("", [])
        repeat = self._number(row, "repeat", *at, least=1) or 1
        count = repeat * max(len(values), 1)
        if count > MAX_EVENTS:
            self._fault(f"case {case} has over {MAX_EVENTS:,} events.", *at, "repeat", hint="Lower the threshold in a copy of the rule.")
            return []
        named, deliveries = row.get("id"), self._number(row, "deliveries", *at, least=1) or 1
        late = self._time(row, "late", case, at)
        found = []
        for number in range(count):
            event = own(row["event"])
            if values:
                event = with_value(event, field, own(values[number % len(values)]))
            name = self._name(named, number if count > 1 else None)
            found.append(
                TimedEvent(
                    name=name,
                    at_us=start + number * every,
                    event=event,
                    deliveries=deliveries,
                    late_us=late,
                    has_own_name=named is not None,
                )
            )
        return found

    def _name(self, named: YamlValue, number: int | None) -> str:
        self.serial += 1
        if named is None:
            return f"00000000-0000-4000-8000-{self.serial:012d}"
        return str(named) if number is None else f"{named}[{number + 1}]"

    def _time(self, row: Mapping[str, YamlValue], key: str, case: str, at: tuple[str | int, ...]) -> int:  # noqa: PLR0917 - as the others
        value = row.get(key)
        if value is None and key != "at":
            return 0
        found = time_us(value)
        if found is None or (found < 0 and key != "at"):
            what = "needs `at`" if value is None else f"has the {key} {value!r}, which is no length of time"
            self._fault(f"an event of case {case} {what}.", *at, key, hint=_TIME_HINT)
            return 0
        return found

    def _number(self, row: Mapping[str, YamlValue], key: str, *at: str | int, least: int) -> int | None:
        value = row.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._fault(f"{key} must be a whole number of at least {least}, not {value!r}.", *at, key)
            return None
        return value

    def _members(self, row: Mapping[str, YamlValue], *at: str | int) -> frozenset[str] | None:
        value = row.get("members")
        if value is None:
            return None
        if not isinstance(value, list):
            self._fault("members must be a list of ids of events.", *at, "members", hint="Give the events an `id`.")
            return None
        return frozenset(map(str, value))

    def _uncovered(self, value: YamlValue, case: str) -> Iterator[tuple[int, int]]:
        for index, row in enumerate(value if isinstance(value, list) else [] if value is None else [value]):
            start = time_us(row.get("from")) if isinstance(row, dict) and set(row) == {"from", "to"} else None
            end = time_us(row.get("to")) if isinstance(row, dict) else None
            if start is None or end is None or start >= end:
                what = f"case {case}: an uncovered span needs `from` and a later `to`."
                self._fault(what, "cases", case, "uncovered", index, hint="Write {from: 2h, to: 3h}.")
                continue
            yield start, end

    def _equivalent(self, value: YamlValue) -> dict[str, str]:
        found: dict[str, str] = {}
        for index, row in enumerate(value if isinstance(value, list) else [] if value is None else [value]):
            if not isinstance(row, dict) or not row.get("mutant") or not row.get("why"):
                self._fault("an equivalent mutant needs `mutant` and `why`.", "equivalent", index)
                continue
            found[str(row["mutant"])] = str(row["why"])
        return found
