"""What the configured Sources show of what the rules ask for, before any run: which rules are blind, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from aibr_hunt.compile import program
from aibr_hunt.compile.pack import pack
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.protocol import CloudEngine, Inspection
from aibr_hunt.engines.cloud.pulse import pulse_of
from aibr_hunt.engines.cloud.rows import lacking
from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.errors import AibrError
from aibr_hunt.hunt.asking import rules_of
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.hunt import Hunt
from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.query import Form
from aibr_hunt.model.rule import LogSource, Rule
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window

# How far back a Source is asked for its newest event.
LOOKED_BACK: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a Source looks like.

    Attributes:
        inspection: Table, columns, partitions; None when it could not be looked at.
        newest: Newest event of the last two days. `events`: how many these hold; both None when it was not asked.
        job: What asking for it came to.
        faults: Sentences: what keeps rules from seeing anything there. None where it is empty.
        notes: Sentences for the operator.
    """

    source: Source
    inspection: Inspection | None = None
    newest: datetime | None = None
    events: int | None = None
    job: Job | None = None
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of one rule or correlation.

    Attributes:
        sources: Labels of the Sources that can be asked for it.
        blind: Why nothing, or not all of it, can be seen; empty when it can.
        switches: Switches that are off by default, without which there is nothing to see.
    """

    id: str
    name: str
    sources: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True when all that it rests on can be seen."""
        return not self.blind and not self.switches


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntSight:
    """What is known of one hunt: its rules that see all, and those that do not."""

    name: str
    whole: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True when every rule that it names sees all."""
        return not self.doubtful and not self.blind


def look(source: Source, open_engine: Callable[[Source], CloudEngine], around: Surroundings, *, asks_pulse: bool) -> Seen:
    """Return what a Source looks like. `asks_pulse`: one small program is asked for the newest event."""
    try:
        engine = open_engine(source)
    except AibrError as error:
        return Seen(source=source, faults=(str(error),))
    try:
        try:
            inspection = engine.inspect(source)
        except AibrError as error:
            return Seen(source=source, faults=(str(error),))
        faults = tuple(_faults(source, inspection))
        if not inspection.is_there or faults or not asks_pulse:
            return Seen(source=source, inspection=inspection, newest=inspection.newest, faults=faults, notes=inspection.notes)
        return _fresh(source, engine, inspection, around=around)
    finally:
        engine.close()


def _faults(source: Source, inspection: Inspection) -> Iterator[str]:
    if not inspection.is_there:
        why = " ".join(inspection.notes)
        yield f"{source.label}: the table {source.layout.table} is not there. {why}".strip()
    elif inspection.columns:
        missing = lacking(source.layout, frozenset(column.name for column in inspection.columns))
        if missing:
            what = f"{source.label}: the table {source.layout.table} lacks {', '.join(missing)}, which {source.layout.label} reads"
            yield f"{what}. Every program names them, so none can be asked: choose the layout that fits."


def _fresh(source: Source, engine: CloudEngine, inspection: Inspection, *, around: Surroundings) -> Seen:
    end = around.clock()
    pulses, job = pulse_of(source, engine, Window(start=end - LOOKED_BACK, end=end), around=around)
    seen = Seen(source=source, inspection=inspection, job=job, notes=inspection.notes)
    if job.state is not JobState.DONE:
        return replace(seen, faults=(f"{source.label} cannot be asked: {job.cause}",))
    events = sum(pulse.events for pulse in pulses)
    newest = max((pulse.latest for pulse in pulses if pulse.latest is not None), default=inspection.newest)
    what = f"{source.label}: no event of any kind in the last {LOOKED_BACK.days} days. Nothing is written there, or the table finds it not."
    return replace(seen, faults=() if events else (what,), newest=newest, events=events)


class Deployment:
    """What rules see on some Sources.

    Args:
        seen: The Sources, looked at.
        mapping_for: Gives the mapping of a log source.
        switches: The log switches that the mappings define, by id.
        window: A window such as runs ask for: some layouts cannot be asked for every one.
    """

    def __init__(
        self,
        seen: Sequence[Seen],
        *,
        mapping_for: Callable[[LogSource], LogMapping | None],
        switches: Mapping[str, LogSwitch],
        window: Window,
    ) -> None:
        """Ask nothing."""
        self._seen, self._mapping_for, self._switches, self._window = tuple(seen), mapping_for, switches, window

    def sights(self, corpus: Corpus) -> tuple[Sight, ...]:
        """Return what is known of every rule and correlation, in the order of the corpus."""
        refused = self._refused(corpus.matched)
        rules = {rule.id: self._sight(rule, refused) for rule in corpus.matched}
        by_id = {each.id: each for each in corpus.correlations}
        found = list(rules.values())
        for each in corpus.correlations:
            under = [rules[rule] for rule in rules_of(each, by_id) if rule in rules]
            own = self._off(each.requires)
            found.append(
                Sight(
                    id=each.id,
                    name=each.name,
                    sources=_once(label for sight in under for label in sight.sources),
                    blind=_once(f"rests on {sight.name}: {why}" for sight in under for why in sight.blind),
                    switches=_once((*own, *(switch for sight in under for switch in sight.switches))),
                )
            )
        return tuple(found)

    def _refused(self, rules: Sequence[Rule]) -> dict[tuple[str, str], str]:
        """Return why a layout cannot be asked for a rule, by label of the Source and id of the rule."""
        found: dict[tuple[str, str], str] = {}
        for seen in self._seen:
            source = seen.source
            own = [rule for rule in rules if self._name(rule) == source.mapping.name]
            asking = program.Asking(locator=Locator(source.mapping, source.layout), span=self._window, meanings={}, is_read_back=True)
            try:
                packed = pack(own, asking, Form.SIEVE)
            except AibrError as refusal:
                found |= {(source.label, rule.id): str(refusal) for rule in own}
                continue
            found |= {(source.label, rule.id): str(why) for rule, why in packed.refused}
        return found

    def _name(self, rule: Rule) -> str:
        mapping = self._mapping_for(rule.logsource)
        return AS_WRITTEN if mapping is None else mapping.name

    def _sight(self, rule: Rule, refused: Mapping[tuple[str, str], str]) -> Sight:
        name = self._name(rule)
        holding = [seen for seen in self._seen if seen.source.mapping.name == name]
        blind = [] if holding else [f"no Source holds the log source {name if name != AS_WRITTEN else rule.logsource}"]
        able: list[str] = []
        for seen in holding:
            label = seen.source.label
            if (label, rule.id) in refused:
                blind.append(f"{label}: {refused[label, rule.id]}")
            elif seen.faults:
                blind += seen.faults
            else:
                able.append(label)
        return Sight(id=rule.id, name=rule.name, sources=tuple(able), blind=tuple(blind), switches=self._off(rule.requires))

    def _off(self, requires: Iterable[str]) -> tuple[str, ...]:
        """Return those of the switches that are off by default, or depend on the deployment."""
        return tuple(name for name in requires if (known := self._switches.get(name)) is None or not known.is_on_by_default)


def hunt_sight(hunt: Hunt, sights: Iterable[Sight]) -> HuntSight:
    """Return what is known of a hunt from what is known of its rules."""
    known = {key: sight for sight in sights for key in (sight.id, sight.name)}
    named = _once(name for each in hunt.expect for name in each.rules)
    whole = tuple(name for name in named if name in known and known[name].is_whole)
    blind = tuple(name for name in named if name not in known or known[name].blind)
    doubtful = tuple(name for name in named if name not in (*whole, *blind))
    return HuntSight(name=hunt.name, whole=whole, doubtful=doubtful, blind=blind)


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
