"""One correlation's cases and mutants, through the matcher of its rules and the correlator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aibr_hunt.content.checks import Score
from aibr_hunt.content.correlation_cases import CorrelationCase, CorrelationCases
from aibr_hunt.content.correlation_mutants import CorrelationMutant, mutants_of_correlation
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.content.timed_events import TimedEvent
from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.reach import reach_us
from aibr_hunt.correlate.values import Component
from aibr_hunt.meaning.bind import binder_of, fields_of, leaves
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.predicate import Keyword
from aibr_hunt.model.rule import Rule
from aibr_hunt.testing.placing import HOUR_US, START_US, dated, digest_of, moment_text

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
    """A rule that a correlation needs, compiled.

    Attributes:
        is_timeless: Neither time nor name of an event changes whether it meets the rule.
        known: What was found for the undated events of a timeless rule, by identity; the event is kept with it.
    """

    rule_id: str
    rules: RuleSet
    mapping: LogMapping | None
    is_timeless: bool
    known: dict[int, tuple[Json, bool]] = field(default_factory=dict)

    def meets(self, timed: TimedEvent, event: Json) -> bool:
        """True when the dated event meets the rule: an event that is repeated is asked once where that says the same."""
        if not self.is_timeless:
            return bool(self.rules.match(event))
        found = self.known.get(id(timed.event))
        if found is None:
            found = self.known[id(timed.event)] = timed.event, bool(self.rules.match(timed.event))
        return found[1]


class _KnownKeys(KeyReader):
    """A reader that reads an event once, however often it is added: in order, in reverse, late."""

    __slots__ = ("_known",)

    def __init__(self, name: str, mapping: LogMapping | None) -> None:
        super().__init__(name, mapping)
        self._known: dict[int, tuple[Json, tuple[str, ...]]] = {}

    def keys(self, event: Json) -> tuple[str, ...]:
        found = self._known.get(id(event))
        if found is None:
            found = self._known[id(event)] = event, super().keys(event)
        return found[1]


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
        self._readers: dict[tuple[str, str], _KnownKeys] = {}
        with self._correlator([correlation]):
            pass  # refuses now what no case could be asked

    def _correlator(self, correlations: Sequence[Correlation]) -> Correlator:
        return Correlator([*self.inner, *correlations], readers=self._reader)

    def _reader(self, rule: str, name: str) -> KeyReader:
        if (rule, name) not in self._readers:
            self._readers[rule, name] = _KnownKeys(name, self.mappings[rule])
        return self._readers[rule, name]

    def faults(self, cases: Sequence[CorrelationCase]) -> Iterator[tuple[CorrelationCase, str]]:
        """Yield each case that went wrong, with a sentence for every way in which it did.

        All cases are judged at once, as for `score`: in order, in reverse, and with the late events in a run of their own. One that seems
        wrong there is asked again alone.
        """
        for placed in self._placed(cases, [CorrelationMutant(what="", correlation=self.correlation)]):
            for case in self._doubtful(placed):
                yield from ((case, what) for what in self.faults_of(case))

    def _doubtful(self, placed: Sequence[tuple[CorrelationCase, int]]) -> list[CorrelationCase]:
        """Return the cases that seem wrong when they are judged together."""
        deliveries = [each for case, start in placed for each in self._deliveries(case, start)]
        on_time, late = [each for each in deliveries if not each.is_late], [each for each in deliveries if each.is_late]
        runs = [[deliveries], [deliveries[::-1]], *([[on_time, late]] if late else [])]
        found, *others = (self._judged(placed, [self.correlation], each) for each in runs)
        return [
            case
            for case, start in placed
            if self._is_noticed(case, found.get((self.correlation.id, start), []))
            or any(_sorted(other.get((self.correlation.id, start))) != _sorted(found.get((self.correlation.id, start))) for other in others)
        ]

    def faults_of(self, case: CorrelationCase) -> Iterator[str]:
        """Yield a sentence for every way in which one case went wrong, judged alone."""
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

    def without_episode(self, cases: Sequence[CorrelationCase]) -> tuple[CorrelationCase, ...]:
        """Return the cases of which no episode comes, their events in order: less than `faults` asks, and much faster.

        All cases are judged at once, as for `score`; one that has no episode there is asked again alone.
        """
        mutant = CorrelationMutant(what="", correlation=self.correlation)
        missed: list[CorrelationCase] = []
        for placed in self._placed(cases, [mutant]):
            found = self._judged(placed, [self.correlation])
            missed += [case for case, start in placed if not found.get((self.correlation.id, start))]
        return tuple(case for case in missed if not self._has_episode(case))

    def _has_episode(self, case: CorrelationCase) -> bool:
        covered = {self.correlation.id: _without((START_US + low, START_US + high) for low, high in case.uncovered)}
        return bool(self._episodes([self._deliveries(case, START_US)], covered))

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
        self,
        placed: Sequence[tuple[CorrelationCase, int]],
        correlations: Sequence[Correlation],
        runs: Sequence[Sequence[_Delivery]] | None = None,
    ) -> dict[tuple[str, int], list[Component]]:
        """Return the episodes of each correlation in each case, by its id and the start of the case.

        Args:
            placed: The cases, each with the start of its own time.
            correlations: Those that are asked.
            runs: What is added one after the other, judged each time; None for all deliveries in their order.
        """
        starts = [start for _, start in placed]
        holes = [(start + low, start + high) for case, start in placed for low, high in case.uncovered]
        ids = {each.id for each in correlations}
        covered = dict.fromkeys(ids, _without(holes))
        found: dict[tuple[str, int], list[Component]] = {}
        with self._correlator(correlations) as correlator:
            for run in runs or [[each for case, start in placed for each in self._deliveries(case, start)]]:
                _add(correlator, run)
                found = {}
                for episode in correlator.components(covered=covered, only=ids):
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
        made = {key: dated(timed, mapping, time_us) for key, mapping in events.items()}
        for operand in self.operands:
            event = made[id(operand.mapping)]
            if operand.meets(timed, event):
                digest = digest_of(timed, event, time_us)
                self.names[digest] = timed.name
                yield _Delivery(rule_id=operand.rule_id, event_id=digest, time_us=time_us, event=event, is_late=timed.late_us > 0)


def _operand(rule: Rule, library: Library) -> _Operand:
    mapping = library.mapping_for(rule.logsource)
    rules = compile_rules([rule], mapping)
    return _Operand(rule_id=rule.id, rules=rules, mapping=mapping, is_timeless=_is_timeless(rule, mapping))


def _is_timeless(rule: Rule, mapping: LogMapping | None) -> bool:
    """True when the rule reads nothing that lies on, above or below a path that `dated` sets."""
    found = list(leaves(rule.predicate))
    if mapping is None:
        return True
    if any(isinstance(leaf, Keyword) for leaf in found):
        return False
    binder = binder_of(mapping)
    read = {_lower(path) for name in fields_of(rule.predicate) for path in binder.field(name).paths}
    written = [_lower(path) for path in (mapping.time, *mapping.identity)]
    return not any(one[: len(other)] == other[: len(one)] for one in read for other in written)


def _lower(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(member.lower() for member in path)


def _sorted(found: Sequence[Component] | None) -> list[Component]:
    return sorted(found or (), key=_order)


def _order(episode: Component) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    return episode.group, episode.first_us, episode.members


def _add(correlator: Correlator, deliveries: Iterable[_Delivery]) -> None:
    for each in deliveries:
        correlator.add(each.rule_id, event_id=each.event_id, time_us=each.time_us, event=each.event)


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
    shown = "; ".join(
        f"{moment_text(each.first_us)} to {moment_text(each.last_us)} of {', '.join(each.group) or 'all'}" for each in found[:3]
    )
    return f"{'is 1' if len(found) == 1 else f'are {len(found)}'}: {shown}"
