"""How often rules speak where nothing happens, in hits for every hundred thousand events of the service that they look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.library import Library
from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.engines.files import Scope, scan
from aibr_hunt.engines.program import AS_WRITTEN, Options, Program
from aibr_hunt.errors import Unsupported
from aibr_hunt.intake.files import discover
from aibr_hunt.meaning.bind import Binder, binder_of, check_bindable
from aibr_hunt.meaning.fold import fold
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.meaning.view import View
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Hit, Json
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.predicate import And, Or, Predicate, Text, TextOp, Together
from aibr_hunt.model.rule import Rule
from aibr_hunt.testing.benign import traffic

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.lake import Lake

# Rates are told for so many events.
PER: Final = 100_000
# A service with fewer events tells nothing of how often a rule on it speaks.
LEAST: Final = 500
# A rule at the level of an alarm that speaks more often than this, where nothing happens, is noise.
MOST: Final = 10
ALARMS: Final = frozenset(("high", "critical"))
# The field of each log source that names the service; in one of them it is the beginning of a longer name.
_SERVICE_FIELDS: Final[Mapping[str, str]] = {
    "aws_cloudtrail": "eventSource",
    "gcp_audit": "protoPayload.serviceName",
    "azure_activitylogs": "operationName",
}
_PROVIDERS: Final = frozenset(("azure_activitylogs",))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often one rule or correlation spoke.

    Attributes:
        id: Its id; `name` and `level`: its own.
        kind: `rule`, or the type of the correlation.
        service: Where it looks: a service, several, or a whole log source.
        hits: Events that a rule met, or episodes of a correlation.
        events: Events of the service that were there.
        least: Events below which nothing is said.
        is_lead: False for what only serves correlations.
    """

    id: str
    name: str
    level: str
    kind: str
    service: str
    hits: int
    events: int
    least: int
    is_lead: bool

    @property
    def rate(self) -> float | None:
        """Hits for every hundred thousand events of the service; None where there were too few to say."""
        return None if self.events < max(self.least, 1) else self.hits * PER / self.events

    @property
    def is_noisy(self) -> bool:
        """True for an alarm that speaks more often than `MOST`."""
        return self.level in ALARMS and self.rate is not None and self.rate > MOST


class NoiseMeter:
    """Counts what the rules of a corpus say of events.

    Args:
        corpus: The rules and correlations.
        library: Gives the mappings.
    """

    def __init__(self, corpus: Corpus, library: Library) -> None:
        """Compile every rule that its log source can be asked."""
        self.corpus = corpus
        self.mappings = {mapping.name: mapping for mapping in library.mappings}
        self.mapping_of = {rule.id: library.mapping_for(rule.logsource) for rule in corpus.matched}
        self._sets = {name: compile_rules(rules, self.mappings.get(name)) for name, rules in self._grouped().items()}
        self._services: dict[str, Counter[str]] = {}
        self._hits: Counter[str] = Counter()
        self._kept: list[tuple[str, str, int, Json]] = []
        self._serving = {source.id for each in corpus.correlations for source in each.sources}
        self._span: tuple[int, int] | None = None

    def _grouped(self) -> dict[str, list[Rule]]:
        groups: dict[str, list[Rule]] = {}
        for rule in self.corpus.matched:
            mapping = self.mapping_of[rule.id]
            try:
                check_bindable(rule.predicate, binder_of(mapping))
            except Unsupported:
                continue  # `rules check` names it
            groups.setdefault(AS_WRITTEN if mapping is None else mapping.name, []).append(rule)
        return groups

    def add(self, source: str, event: Json, *, time_us: int | None, ident: str) -> None:
        """Count one event.

        Args:
            source: Name of its mapping.
            event: The parsed record.
            time_us: Its time, microseconds of epoch; None when it has none.
            ident: What names it: the same for two deliveries.
        """
        self._services.setdefault(source, Counter())[_service_of(event, source, self.mappings.get(source))] += 1
        if time_us is not None:
            first, last = self._span or (time_us, time_us)
            self._span = min(first, time_us), max(last, time_us)
        rules: RuleSet | None = self._sets.get(source)
        for rule in () if rules is None else (rules.rules[number].id for number in rules.match(event)):
            self._hits[rule] += 1
            if time_us is not None and rule in self._serving:
                self._kept.append((rule, ident, time_us, event))

    def rates(self, *, least: int = LEAST) -> tuple[Rate, ...]:
        """Return the rate of every rule and correlation, the noisiest first, then by name; what nothing can be said of comes last.

        Args:
            least: Events that a service needs before anything is said of it.
        """
        episodes = self._episodes()
        found = [self._rate(thing, episodes, least) for thing in self.corpus.things]
        return tuple(sorted(found, key=lambda each: (each.rate is None, -(each.rate or 0.0), each.name)))

    def _rate(self, thing: Rule | Correlation, episodes: Mapping[str, int], least: int) -> Rate:
        where = self._where(thing)
        is_judged = isinstance(thing, Rule) or thing.id in episodes
        return Rate(
            id=thing.id,
            name=thing.name,
            level=thing.level,
            kind="rule" if isinstance(thing, Rule) else thing.type.value,
            service=_told(where),
            hits=self._hits[thing.id] if isinstance(thing, Rule) else episodes.get(thing.id, 0),
            events=sum(self._services[source][service] for source, service in where) if is_judged else 0,
            least=least,
            is_lead=thing.id not in self.corpus.silent,
        )

    def _where(self, thing: Rule | Correlation) -> tuple[tuple[str, str], ...]:
        """Return the services, of those that were seen, at which a rule or correlation looks."""
        if isinstance(thing, Rule):
            return tuple(self._where_of_rule(thing))
        known: dict[str, Rule | Correlation] = {each.id: each for each in self.corpus.things}
        found = {place for source in thing.sources for place in self._where(known[source.id])}
        return tuple(sorted(found))

    def _where_of_rule(self, rule: Rule) -> Iterator[tuple[str, str]]:
        mapping = self.mapping_of[rule.id]
        source = AS_WRITTEN if mapping is None else mapping.name
        field = _SERVICE_FIELDS.get(source)
        wanted = None if field is None else _wanted(rule.predicate, field, binder_of(mapping), is_provider=source in _PROVIDERS)
        for service in self._services.get(source, ()):
            if wanted is None or any(_fits(service, leaf) for leaf in wanted):
                yield source, service

    def _episodes(self) -> dict[str, int]:
        """Return how many episodes each correlation has that the time of the events lets judge."""
        if self._span is None:
            return {}
        start, end = self._span[0], self._span[1] + 1
        judged = [each for each in self.corpus.correlations if each.lookback_us < end - start]
        if not judged:
            return {}
        found = {each.id: 0 for each in judged}
        covered = {each.id: [(start, end)] for each in self.corpus.correlations}
        mapping_of = self.mapping_of
        with Correlator(self.corpus.correlations, readers=lambda rule, field: KeyReader(field, mapping_of[rule])) as correlator:
            for rule, ident, time_us, event in self._kept:
                correlator.add(rule, event_id=ident, time_us=time_us, event=event)
            for episode in correlator.components(covered=covered, only=set(found)):
                found[episode.correlation_id] += 1
        return found


def _service_of(event: Json, source: str, mapping: LogMapping | None) -> str:
    """Return the service of an event, folded; empty where its log source has one only."""
    field = _SERVICE_FIELDS.get(source)
    if field is None:
        return ""
    name = next(iter(View(event).folded(binder_of(mapping).field(field))), "")
    return name.split("/")[0] if source in _PROVIDERS else name


def _wanted(predicate: Predicate, field: str, binder: Binder, *, is_provider: bool) -> list[tuple[TextOp, str]] | None:
    """Return the tests of the service, folded, of which one must hold; None when any service may meet the predicate."""
    match predicate:
        case And(items=items):
            return _narrowest(_wanted(item, field, binder, is_provider=is_provider) for item in items)
        case Together(items=pairs):
            return _narrowest(_wanted(item, field, binder, is_provider=is_provider) for _, item in pairs)
        case Or(items=items):
            found = [_wanted(item, field, binder, is_provider=is_provider) for item in items]
            return None if not found or None in found else [leaf for each in found if each for leaf in each]
        case Text():
            return _leaf(predicate, field, binder, is_provider=is_provider)
        case _:
            return None


def _leaf(leaf: Text, field: str, binder: Binder, *, is_provider: bool) -> list[tuple[TextOp, str]] | None:
    try:
        key = binder.field(leaf.field).key
    except Unsupported:
        return None
    if key != field or leaf.op is TextOp.WILDCARD:
        return None
    if not is_provider:
        return [(leaf.op, fold(leaf.literal))]
    is_beginning = leaf.op in {TextOp.EQUALS, TextOp.STARTSWITH} and "/" in leaf.literal
    return [(TextOp.EQUALS, fold(leaf.literal).split("/")[0])] if is_beginning else None


def _narrowest(found: Iterable[list[tuple[TextOp, str]] | None]) -> list[tuple[TextOp, str]] | None:
    return min((each for each in found if each is not None), key=len, default=None)


def _fits(service: str, wanted: tuple[TextOp, str]) -> bool:
    op, literal = wanted
    match op:
        case TextOp.STARTSWITH:
            return service.startswith(literal)
        case TextOp.ENDSWITH:
            return service.endswith(literal)
        case TextOp.CONTAINS:
            return literal in service
        case _:
            return service == literal


def _told(where: Sequence[tuple[str, str]]) -> str:
    names = list(dict.fromkeys(service or source for source, service in where))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def measure_traffic(meter: NoiseMeter, *, events: int, seed: int) -> None:
    """Let the meter count everyday traffic."""
    for number, sample in enumerate(traffic(events=events, seed=seed)):
        meter.add(sample.source, sample.event, time_us=sample.time_us, ident=str(number))


def measure_files(meter: NoiseMeter, paths: Sequence[Path], library: Library, *, now: datetime) -> None:
    """Let the meter count every record of log files, a file at a time."""
    program, scope = _everything(library), Scope(now=now)
    for result in scan(discover([str(path) for path in paths]).files, program, scope):
        _count(meter, result.hits)


def measure_lake(meter: NoiseMeter, lake: Lake, library: Library, *, now: datetime) -> None:
    """Let the meter count every record of the lake."""
    from aibr_hunt.engines.lake.scan import scan_lake  # noqa: PLC0415 - only those who ask it load the lake

    for result in scan_lake(lake, _everything(library), Scope(now=now)):
        _count(meter, result.hits)


def _everything(library: Library) -> Program:
    """Return a program that every record of a known log source meets."""
    rules = [
        Rule(
            id=mapping.name,
            name=mapping.name,
            title="Every record",
            path="",
            text_digest="",
            logsource=mapping.logsource,
            predicate=And(items=()),
        )
        for mapping in library.mappings
    ]
    mapping_of = {mapping.name: mapping for mapping in library.mappings}
    return Program(rules, mappings=library.mappings, mapping_of=mapping_of, options=Options(use_sieve=False))


def _count(meter: NoiseMeter, hits: Iterable[Hit]) -> None:
    for hit in hits:
        event = hit.event
        time_us = None if event.time is None else (event.time - _EPOCH) // timedelta(microseconds=1)
        meter.add(event.source, event.value, time_us=time_us, ident=f"{event.identity.key} {event.canonical_digest}")
