"""The incidents of hunts, through the matcher of their rules, the correlator and the reckoning of hypotheses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from aibr_hunt.content.checks import Finding
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.hunt_checks import check_hunt, check_incidents, claim_of
from aibr_hunt.content.hunt_paths import hunt_paths
from aibr_hunt.content.hunts import load_hunt, missing_rules
from aibr_hunt.content.incidents import Incident, Incidents, Known, incidents_path, load_incidents
from aibr_hunt.content.library import Library
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.errors import AibrError, ContentError, ContentErrors
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.model.correlation import Correlation, Operand
from aibr_hunt.model.event import Json
from aibr_hunt.model.hunt import Hunt, Observation
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import Rule
from aibr_hunt.report.findings import HuntFinding, Observed
from aibr_hunt.report.hypotheses import argue
from aibr_hunt.testing.placing import HOUR_US, START_US, dated, digest_of, moment_text
from aibr_hunt.testing.results import Failure, HuntResult

# Longer than any lookback of a rule that a hunt should rest on; what lies further away is not covered.
_COVERED_US: Final = 60 * 24 * HOUR_US
_SHOWN: Final = 4


class HuntBench:
    """Tests and checks hunts against one set of content folders.

    Args:
        library: The content; None for the shipped one.

    Example:
        >>> from aibr_hunt.testing import HuntBench
        >>> [result.hunt for result in HuntBench().run(["shipped:sagemaker_model_theft"])]
        ['sagemaker_model_theft']
    """

    def __init__(self, library: Library | None = None) -> None:
        """Read nothing yet."""
        self.library = library or Library()

    @cached_property
    def _every(self) -> Corpus:
        return self.library.load_all()

    @cached_property
    def _known(self) -> Known:
        sources = [*(mapping.name for mapping in self.library.mappings), AS_WRITTEN]
        return Known(sources=sources, switches=switches_of(self.library.mappings))

    def run(self, names: Sequence[str] = ()) -> Iterator[HuntResult]:
        """Yield the result of every named hunt's incidents.

        Args:
            names: Files or folders of hunts, `shipped:` names, or names as the list shows them; none means all hunts.

        Raises:
            UsageError: A name means nothing.
        """
        for path in hunt_paths(self.library, names):
            try:
                hunt, incidents = self._load(path)
                trial = HuntTrial(hunt, self._every, self.library)
                failures = tuple(trial.failures(incidents))
            except AibrError as error:
                failure = Failure(case="", what=str(error))
                yield HuntResult(hunt=path.stem, path=self.library.shown(path), incidents=0, events=0, failures=(failure,))
                continue
            events = sum(len(each.events) for each in incidents.incidents)
            shown = self.library.shown(path)
            yield HuntResult(hunt=hunt.name, path=shown, incidents=len(incidents.incidents), events=events, failures=failures)

    def _load(self, path: Path) -> tuple[Hunt, Incidents]:
        """Return a hunt whose rules exist, and its incidents.

        Raises:
            ContentErrors: One of them cannot be read, or names what is not there.
        """
        hunt = load_hunt(path, catalogue=self.library.catalogue)
        missing = missing_rules(hunt, self._every)
        if missing:
            raise ContentErrors(missing)
        beside = incidents_path(path)
        if not beside.exists():
            raise ContentErrors((ContentError("The hunt has no incidents.", path=path, hint=f"Write {beside.name} beside it."),))
        return hunt, load_incidents(beside, hunt, self._known)

    def check(self, names: Sequence[str] = ()) -> Iterator[tuple[str, tuple[Finding, ...]]]:
        """Yield for every named hunt its name and what is wrong with it, its incidents not judged.

        Args:
            names: As of `run`.

        Raises:
            UsageError: A name means nothing.
        """
        for path in hunt_paths(self.library, names):
            yield path.stem, tuple(self._findings(path))

    def _findings(self, path: Path) -> Iterator[Finding]:
        shown = self.library.shown(path)
        is_shipped = path.resolve().is_relative_to((self.library.roots[0] / "hunts").resolve())
        try:
            hunt = load_hunt(path, catalogue=self.library.catalogue)
        except ContentErrors as found:
            yield from (Finding(rule=shown, check="hunt", what=str(fault)) for fault in found.errors)
            return
        yield from (Finding(rule=shown, check="rules", what=str(fault)) for fault in missing_rules(hunt, self._every))
        yield from check_hunt(hunt, is_shipped=is_shipped)
        beside = incidents_path(path)
        if not beside.exists():
            yield Finding(rule=shown, check="incidents", what=f"has no incidents: write {beside.name} beside it.", is_error=is_shipped)
            return
        try:
            incidents = load_incidents(beside, hunt, self._known)
        except ContentErrors as found:
            yield from (Finding(rule=shown, check="incidents", what=str(fault)) for fault in found.errors)
            return
        yield from check_incidents(hunt, incidents)
        for each in incidents.incidents:
            favoured = favours(hunt, each.observes) if each.undecided else ""
            if favoured:
                what = f"the incident {each.name} says `undecided`, and what it observes speaks most for {favoured}"
                more = " all the same." if favoured == each.of else f", though {each.of} happened: whoever hunts is led astray."
                yield Finding(rule=shown, check="incidents", what=what + more, is_error=False)


def balances(hunt: Hunt, observed: Collection[str]) -> dict[str, int]:
    """Return for each rival how many of the observations speak for it, less those that speak against it."""
    seen = tuple(Observed(observation=each.id, lead_ids=("seen",)) for each in hunt.expect if each.id in observed)
    return {standing.key: standing.balance for standing in argue(HuntFinding(hunt=hunt, observed=seen)).standings}


def favours(hunt: Hunt, observed: Collection[str]) -> str:
    """Return the rival for which strictly most speaks; empty when several tie."""
    found = balances(hunt, observed)
    best = [key for key, balance in found.items() if balance == max(found.values())]
    return best[0] if len(best) == 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    """One event of an incident that meets a rule."""

    rule_id: str
    event_id: str
    time_us: int
    event: Json
    label: str


class HuntTrial:
    """One hunt with all that it asks, compiled once for all of its incidents.

    Args:
        hunt: The hunt; its rules exist.
        every: Holds its rules, and what they need.
        library: Gives the mappings.

    Raises:
        Unsupported: A rule, or a field of a correlation, cannot be asked of its log source.
    """

    def __init__(self, hunt: Hunt, every: Corpus, library: Library) -> None:
        """Compile the rules."""
        part = every.only({name for each in hunt.expect for name in each.rules})
        self.hunt = hunt
        self.rules = {rule.id: rule for rule in part.matched}
        self.correlations = {each.id: each for each in part.correlations}
        self.ids = {key: each.id for each in part.things for key in (each.name, each.id)}
        self.mappings = {rule.id: library.mapping_for(rule.logsource) for rule in part.matched}
        self.sets: dict[str, RuleSet] = {}
        for source in {AS_WRITTEN if mapping is None else mapping.name for mapping in self.mappings.values()}:
            rules = [rule for rule in part.matched if _name_of(self.mappings[rule.id]) == source]
            self.sets[source] = compile_rules(rules, self.mappings[rules[0].id])

    def failures(self, incidents: Incidents) -> Iterator[Failure]:
        """Yield what goes wrong in the incidents, and what they leave out."""
        for incident in incidents.incidents:
            for what in self.faults(incident):
                yield Failure(case=incident.name, what=f"{incidents.path}:{incident.line}: {what}")
        for what in left_out(self.hunt, incidents):
            yield Failure(case="", what=f"{incidents.path}: {what}")

    def faults(self, incident: Incident) -> Iterator[str]:
        """Yield a sentence for every way in which the incident went otherwise than its author says."""
        asking = _Asking(self, incident)
        for observation in self.hunt.expect:
            seen = asking.seen(observation)
            if seen and observation.id not in incident.observes:
                yield f"observes {observation.id} too: {'; '.join(seen)}."
            elif not seen and observation.id in incident.observes:
                yield f"does not observe {observation.id}: {'; '.join(asking.unseen(observation))}."
        if not incident.undecided and favours(self.hunt, incident.observes) != incident.of:
            told = ", ".join(f"{key} {balance:+d}" for key, balance in balances(self.hunt, incident.observes).items())
            what = f"what it observes does not speak most for {incident.of} (for less against: {told})."
            yield f"{what} Change the hunt or the incident, or say `undecided: <why>`."


def left_out(hunt: Hunt, incidents: Incidents) -> Iterator[str]:
    """Yield a sentence for each observation that no incident observes, and for each side without an incident."""
    observed = {name for each in incidents.incidents for name in each.observes}
    for each in hunt.expect:
        if each.id not in observed:
            yield f"no incident observes {each.id}."
    happened = {each.of for each in incidents.incidents}
    claim = claim_of(hunt)
    if claim not in happened:
        yield f"no incident is one of the hypothesis ({claim})."
    if not happened - {claim}:
        yield f"every incident is one of the hypothesis ({claim}): none is of a rival."


class _Asking:
    """What the rules of a hunt say of one incident."""

    def __init__(self, trial: HuntTrial, incident: Incident) -> None:
        self.trial = trial
        self.off = incident.off
        self.met: dict[str, list[_Met]] = {}
        for each in _met(trial, incident):
            if self._is_asked(trial.rules[each.rule_id]):
                self.met.setdefault(each.rule_id, []).append(each)
        first, last = min(each.at_us for each in incident.events), max(each.at_us for each in incident.events)
        self.span = (START_US + first - _COVERED_US, START_US + last + _COVERED_US)
        self.left: dict[str, set[str]] = {}
        self.episodes = self._episodes()

    def _is_asked(self, thing: Rule | Correlation) -> bool:
        """True when no log that it requires itself is off; a correlation over a correlation asks for what that one requires too."""
        inner = (self.trial.correlations[each.id] for each in _sources(thing) if each.is_correlation)
        return self.off.isdisjoint(thing.requires) and all(map(self._is_asked, inner))

    def _rules_of(self, correlation: Correlation) -> Iterator[Rule]:
        for source in correlation.sources:
            if source.is_correlation:
                yield from self._rules_of(self.trial.correlations[source.id])
            else:
                yield self.trial.rules[source.id]

    def _episodes(self) -> Mapping[str, list[str]]:
        """Return the episodes of each correlation, told; one without an event of any of its rules has none."""
        asked = [each for each in self.trial.correlations.values() if self._is_asked(each)]
        wanted = [each.id for each in asked if any(rule.id in self.met for rule in self._rules_of(each))]
        if not wanted:
            return {}
        # What rests on a log that is off is covered nowhere, as in a run: it may be found by presence alone, or not at all.
        whole = [each.id for each in asked if all(self._is_asked(rule) for rule in self._rules_of(each))]
        labels = {each.event_id: each.label for row in self.met.values() for each in row}
        found: dict[str, list[str]] = {}
        with Correlator(self._with_inner(wanted), readers=self._reader) as correlator:
            for row in self.met.values():
                for each in row:
                    correlator.add(each.rule_id, event_id=each.event_id, time_us=each.time_us, event=each.event)
            for episode in correlator.components(covered=dict.fromkeys(whole, (self.span,)), only=set(wanted)):
                group = ", ".join(episode.group) or "all"
                members = [labels.get(member, "an episode") for member in episode.members]
                span = f"{moment_text(episode.first_us)} to {moment_text(episode.last_us)}"
                found.setdefault(episode.correlation_id, []).append(f"an episode from {span} of {group} ({_listed(members)})")
            for left in correlator.left_out():
                self.left.setdefault(left.rule_id, set()).add(f"{left.reason} of {left.events}")
        return found

    def _with_inner(self, wanted: Collection[str]) -> list[Correlation]:
        """Return the wanted correlations and those that they rest on."""
        needed = set(wanted)
        for each in reversed(self.trial.correlations.values()):  # what serves others stands before them
            needed |= {source.id for source in each.sources} if each.id in needed else set()
        return [each for each in self.trial.correlations.values() if each.id in needed]

    def _reader(self, rule: str, field: str) -> KeyReader:
        return KeyReader(field, self.trial.mappings[rule])

    def seen(self, observation: Observation) -> list[str]:
        """Return what the observation rests on, a phrase for each of its rules that found something."""
        found = []
        for name in observation.rules:
            ident = self.trial.ids.get(name) or self.trial.ids[name.lower()]
            told = self.episodes.get(ident) or list(dict.fromkeys(each.label for each in self.met.get(ident, ())))
            if told:
                found.append(f"{name} finds {_listed(told)}")
        return found

    def unseen(self, observation: Observation) -> list[str]:
        """Return for each rule of the observation why nothing was found."""
        return [self._why_unseen(name) for name in observation.rules]

    def _why_unseen(self, name: str) -> str:
        ident = self.trial.ids.get(name) or self.trial.ids[name.lower()]
        thing = self.trial.rules.get(ident) or self.trial.correlations[ident]
        if not self._is_asked(thing):
            return f"{name} is not asked, a log that it requires is off"
        if isinstance(thing, Rule):
            return f"{name} meets no event"
        rules = list(dict.fromkeys(rule.id for rule in self._rules_of(thing)))
        counts = [f"{self.trial.rules[each].name} {len({met.event_id for met in self.met.get(each, ())})}" for each in rules]
        left = sorted(set().union(*(self.left.get(each, set()) for each in rules)))
        return f"{name} finds no episode (events met: {', '.join(counts)}{f'; {_listed(left)}' if left else ''})"


def _met(trial: HuntTrial, incident: Incident) -> Iterator[_Met]:
    """Yield every event of the incident under every rule of its log source that it meets, as often as it is delivered."""
    for timed in incident.events:
        rules = trial.sets.get(timed.source)
        if rules is None:
            continue
        time_us = START_US + timed.at_us
        event = dated(timed, rules.mapping, time_us)
        numbers = rules.match(event)
        digest = digest_of(timed, event, time_us) if numbers else ""
        label = f"{timed.name if timed.has_own_name else 'the event'} at {moment_text(time_us)}"
        for number in numbers:
            one = _Met(rule_id=rules.rules[number].id, event_id=digest, time_us=time_us, event=event, label=label)
            yield from (one for _ in range(timed.deliveries))


def _sources(thing: Rule | Correlation) -> Sequence[Operand]:
    return thing.sources if isinstance(thing, Correlation) else ()


def _name_of(mapping: LogMapping | None) -> str:
    return AS_WRITTEN if mapping is None else mapping.name


def _listed(told: Sequence[str]) -> str:
    more = len(told) - _SHOWN
    return f"{', '.join(told[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"
