"""One correlation's cases and mutants, through the matcher of its rules and the correlator."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aibr_hunt.content.checks import Score
from aibr_hunt.content.correlation_cases import CorrelationCase, CorrelationCases, TimedEvent
from aibr_hunt.content.correlation_mutants import CorrelationMutant, mutants_of_correlation
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.reach import reach_us
from aibr_hunt.correlate.values import Component
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import FieldPath
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import Rule

HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Where the time of a case is 0: a whole hour, so that hours in a case are hours of the clock.
START_US: Final = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()) * 1_000_000
_FAR_US: Final = 1 << 61
# Cases are judged together within a thousand years: a date has four digits.
_MOST_US: Final = 1000 * 365 * 24 * HOUR_US


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    """One event of a case under one rule, as the correlator takes it."""

    rule_id: str
    event_id: str
    time_us: int
    event: Json
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operand:
    """A rule that a correlation needs, compiled."""

    rule_id: str
    rules: RuleSet
    mapping: LogMapping | None


class CorrelationTrial:
    """One correlation with all that it needs, compiled once for all of its cases.

    Args:
        correlation: The correlation.
        corpus: Holds its rules, and the correlations among its operands.
        library: Gives the mappings.

    Raises:
        Unsupported: A rule, or a field of the correlation, cannot be asked of its log source.
    """

    def __init__(self, correlation: Correlation, corpus: Corpus, library: Library) -> None:
        """Compile the rules."""
        part = corpus.only({correlation.id})
        self.correlation = correlation
        self.inner = tuple(each for each in part.correlations if each.id != correlation.id)
        self.operands = [_operand(rule, library) for rule in part.matched]
        self.mappings = {operand.rule_id: operand.mapping for operand in self.operands}
        self.names: dict[str, str] = {}
        with self._correlator([correlation]):
            pass  # refuses now what no case could be asked

    def _correlator(self, correlations: Sequence[Correlation]) -> Correlator:
        return Correlator([*self.inner, *correlations], readers=lambda rule, field: KeyReader(field, self.mappings[rule]))

    def faults(self, case: CorrelationCase) -> Iterator[str]:
        """Yield a sentence for every way in which the case went wrong."""
        deliveries = self._deliveries(case, START_US)
        covered = {self.correlation.id: _without((START_US + low, START_US + high) for low, high in case.uncovered)}
        found = self._episodes([deliveries], covered)
        yield from self._differences(case, found)
        if self._episodes([deliveries[::-1]], covered) != found:
            yield "the answer changes when the events arrive in reverse."
        late = [each for each in deliveries if each.is_late]
        on_time = [each for each in deliveries if not each.is_late]
        if late and self._episodes([on_time, late], covered) != found:
            yield "the answer changes when the late events arrive in a run of their own."

    def _episodes(self, runs: Sequence[Sequence[_Delivery]], covered: Mapping[str, Sequence[tuple[int, int]]]) -> tuple[Component, ...]:
        """Return the episodes that are there after the last of several runs over one history."""
        found: tuple[Component, ...] = ()
        with self._correlator([self.correlation]) as correlator:
            for run in runs:
                _add(correlator, run)
                found = tuple(sorted(correlator.components(covered=covered, only={self.correlation.id}), key=_order))
        return found

    def _differences(self, case: CorrelationCase, found: Sequence[Component]) -> Iterator[str]:
        if bool(found) != case.hit:
            yield f"expected {'an episode' if case.hit else 'none'}, there {_told(found)}."
        elif case.episodes is not None and len(found) != case.episodes:
            yield f"expected {case.episodes} episodes, there {_told(found)}."
        if case.members is not None:
            names = {self.names[member] for episode in found for member in episode.members}
            if names != case.members:
                yield f"expected the members {', '.join(sorted(case.members))}, there are {', '.join(sorted(names)) or 'none'}."

    def score(self, cases: CorrelationCases) -> Score:
        """Return how many of the correlation's mutants its cases notice.

        All mutants and cases are judged at once, each case in a time of its own, so far from the others that nothing looks across.
        """
        mutants = [each for each in mutants_of_correlation(self.correlation) if each.what not in cases.equivalent]
        left = {each.correlation.id: each for each in mutants}
        for placed in self._placed(cases.cases, mutants):
            found = self._judged(placed, [each.correlation for each in left.values()])
            for ident in list(left):
                if any(self._is_noticed(case, found.get((ident, start), [])) for case, start in placed):
                    del left[ident]
        survivors = tuple(each.what for each in left.values())
        return Score(killed=len(mutants) - len(survivors), total=len(mutants), survivors=survivors)

    def _placed(self, cases: Sequence[CorrelationCase], mutants: Sequence[CorrelationMutant]) -> list[list[tuple[CorrelationCase, int]]]:
        """Return the cases with their starts; those that can be judged together in one list."""
        apart = self._distance(cases, mutants)
        if apart * len(cases) > _MOST_US:
            return [[(case, START_US)] for case in cases]
        return [[(case, START_US + number * apart) for number, case in enumerate(cases)]]

    def _distance(self, cases: Sequence[CorrelationCase], mutants: Sequence[CorrelationMutant]) -> int:
        """Return a whole number of hours, twice as long as any case and any look from its events together."""
        known = {each.id: each for each in self.inner}
        looks = max((sum(reach_us(each.correlation, known)) for each in mutants), default=0)
        times = [
            abs(at) for case in cases for at in (*(each.at_us for each in case.events), *(end for hole in case.uncovered for end in hole))
        ]
        return 2 * ((max(times, default=0) + looks) // HOUR_US + 2) * HOUR_US

    def _judged(
        self, placed: Sequence[tuple[CorrelationCase, int]], correlations: Sequence[Correlation]
    ) -> dict[tuple[str, int], list[Component]]:
        """Return the episodes of each correlation in each case, by its id and the start of the case."""
        starts = [start for _, start in placed]
        holes = [(start + low, start + high) for case, start in placed for low, high in case.uncovered]
        ids = {each.id for each in correlations}
        found: dict[tuple[str, int], list[Component]] = {}
        with self._correlator(correlations) as correlator:
            for case, start in placed:
                _add(correlator, self._deliveries(case, start))
            for episode in correlator.components(covered=dict.fromkeys(ids, _without(holes)), only=ids):
                nearest = min(starts, key=lambda start: abs(episode.last_us - start))
                found.setdefault((episode.correlation_id, nearest), []).append(episode)
        return found

    def _is_noticed(self, case: CorrelationCase, found: Sequence[Component]) -> bool:
        return next(self._differences(case, found), None) is not None

    def _deliveries(self, case: CorrelationCase, start_us: int) -> list[_Delivery]:
        """Return the events of a case under each rule that they meet, in the order of the case, repeated as often as they arrive."""
        return [one for each in case.events for one in self._met(each, start_us) for _ in range(each.deliveries)]

    def _met(self, timed: TimedEvent, start_us: int) -> Iterator[_Delivery]:
        time_us = start_us + timed.at_us
        events = {id(operand.mapping): operand.mapping for operand in self.operands}
        made = {key: _made(timed, mapping, time_us) for key, mapping in events.items()}
        for operand in self.operands:
            event = made[id(operand.mapping)]
            if operand.rules.match(event):
                digest = hashlib.sha256(json.dumps([timed.name, time_us, event], sort_keys=True).encode()).hexdigest()
                self.names[digest] = timed.name
                yield _Delivery(rule_id=operand.rule_id, event_id=digest, time_us=time_us, event=event, is_late=timed.late_us > 0)


def _operand(rule: Rule, library: Library) -> _Operand:
    mapping = library.mapping_for(rule.logsource)
    return _Operand(rule_id=rule.id, rules=compile_rules([rule], mapping), mapping=mapping)


def _order(episode: Component) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    return episode.group, episode.first_us, episode.members


def _add(correlator: Correlator, deliveries: Iterable[_Delivery]) -> None:
    for each in deliveries:
        correlator.add(each.rule_id, event_id=each.event_id, time_us=each.time_us, event=each.event)


def _made(timed: TimedEvent, mapping: LogMapping | None, time_us: int) -> Json:
    """Return the event with its time and identity where the mapping has them."""
    event = copy.deepcopy(timed.event)
    if mapping is not None:
        moment = _EPOCH + timedelta(microseconds=time_us)
        _put(event, mapping.time, moment.isoformat().replace("+00:00", "Z"))
        if mapping.identity:
            _put(event, mapping.identity[-1], timed.name)
    return event


def _put(event: Json, path: FieldPath, value: str) -> None:
    for member in path[:-1]:
        if not isinstance(event, dict):
            return
        event = event.setdefault(member, {})
    if isinstance(event, dict):
        event[path[-1]] = value


def _without(holes: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return all time but the holes."""
    spans: list[tuple[int, int]] = []
    start = -_FAR_US
    for low, high in sorted(holes):
        if low > start:
            spans.append((start, low))
        start = max(start, high)
    return [*spans, (start, _FAR_US)]


def _told(found: Sequence[Component]) -> str:
    """Return what was found, for a sentence that begins with `there`."""
    if not found:
        return "is none"
    shown = "; ".join(f"{_moment(each.first_us)} to {_moment(each.last_us)} of {', '.join(each.group) or 'all'}" for each in found[:3])
    return f"{'is 1' if len(found) == 1 else f'are {len(found)}'}: {shown}"


def _moment(time_us: int) -> str:
    """Return a time as cases write it: seconds after the start."""
    return f"{(time_us - START_US) / 1_000_000:g}s"
