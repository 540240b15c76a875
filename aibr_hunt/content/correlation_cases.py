"""A correlation's cases: several events with relative times, and whether an episode comes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aibr_hunt.content.case_reader import read_document, with_value
from aibr_hunt.content.timed_events import EventsReader, TimedEvent, time_us
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import ContentErrors

_TOP_KEYS: Final = frozenset(("correlation", "base", "cases", "equivalent"))
_CASE_KEYS: Final = frozenset(("hit", "events", "episodes", "members", "uncovered", "each", "why"))


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
    reader = _Reader(read_document(path, name), name)
    found = reader.read()
    if reader.faults:
        raise ContentErrors(tuple(reader.faults))
    return found


class _Reader(EventsReader):
    """Reads one file of a correlation's cases."""

    def read(self) -> CorrelationCases:
        """Return the cases; `faults` says what is wrong."""
        body = self.document.value if isinstance(self.document.value, dict) else {}
        self.check_keys(body, _TOP_KEYS, "the file")
        cases = body.get("cases")
        if not isinstance(cases, dict) or not cases:
            self.fault("has no cases.", "cases", hint="Add `cases:` with one named case for each set of events.")
            cases = {}
        found = tuple(case for key, value in cases.items() for case in self._cases(key, value))
        equivalent = self.equivalent(body.get("equivalent"))
        return CorrelationCases(correlation=str(body.get("correlation") or ""), path=self.path, cases=found, equivalent=equivalent)

    def _cases(self, name: str, value: YamlValue) -> Iterator[CorrelationCase]:
        at = ("cases", name)
        if not isinstance(value, dict):
            self.fault(f"case {name} is no map.", *at, hint="Write {hit: true, events: [{at: 0s, event: {...}}]}.")
            return
        self.check_keys(value, _CASE_KEYS, f"case {name}", *at)
        events, hit = value.get("events"), value.get("hit")
        if not isinstance(hit, bool) or not isinstance(events, list):
            self.fault(f"case {name} needs `hit: true` or `hit: false`, and a list of events.", *at)
            return
        made = CorrelationCase(
            name=name,
            hit=hit,
            events=tuple(self.events(events, f"case {name}", (*at, "events"))),
            uncovered=tuple(self._uncovered(value.get("uncovered"), name)),
            episodes=self.number(value, "episodes", *at, least=0),
            members=self._members(value, *at),
            why=str(value.get("why") or ""),
            line=self.document.line(*at),
        )
        self._check_case(made, at)
        yield from self._for_each(made, value.get("each"), at)

    def _check_case(self, case: CorrelationCase, at: tuple[str, str]) -> None:
        if case.episodes is not None and bool(case.episodes) != case.hit:
            self.fault(f"case {case.name} is {'a hit' if case.hit else 'a miss'} with {case.episodes} episodes.", *at, "episodes")
        unknown = sorted((case.members or frozenset()) - {each.name for each in case.events})
        if unknown:
            self.fault(f"case {case.name} names the member {unknown[0]}, which is the id of no event.", *at, "members")
        for each in case.events:
            if any(start <= each.at_us < end for start, end in case.uncovered):
                hint = "What lies there was not read: leave the event out, or move the hole."
                self.fault(f"case {case.name} has an event in an uncovered span.", *at, "events", hint=hint)
                return

    def _for_each(self, case: CorrelationCase, each: YamlValue, at: tuple[str, str]) -> Iterator[CorrelationCase]:
        if each is None:
            yield case
            return
        field, values = self.one_field(each, f"case {case.name}", *at, "each")
        for one in values:
            events = tuple(replace(event, event=with_value(event.event, field, one)) for event in case.events)
            yield replace(case, name=f"{case.name}[{one}]", events=events)

    def _members(self, row: Mapping[str, YamlValue], *at: str | int) -> frozenset[str] | None:
        value = row.get("members")
        if value is None:
            return None
        if not isinstance(value, list):
            self.fault("members must be a list of ids of events.", *at, "members", hint="Give the events an `id`.")
            return None
        return frozenset(map(str, value))

    def _uncovered(self, value: YamlValue, case: str) -> Iterator[tuple[int, int]]:
        for index, row in enumerate(value if isinstance(value, list) else [] if value is None else [value]):
            start = time_us(row.get("from")) if isinstance(row, dict) and set(row) == {"from", "to"} else None
            end = time_us(row.get("to")) if isinstance(row, dict) else None
            if start is None or end is None or start >= end:
                what = f"case {case}: an uncovered span needs `from` and a later `to`."
                self.fault(what, "cases", case, "uncovered", index, hint="Write {from: 2h, to: 3h}.")
                continue
            yield start, end
