"""A run over cloud Sources: each is asked in a thread of its own, and what is known of a log source is what is known of all its Sources."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from aibr_hunt.compile.program import rule_bounds
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.protocol import CloudEngine, Watch
from aibr_hunt.engines.cloud.pulse import pulse_of
from aibr_hunt.engines.cloud.scan import Claimed, Findings, SourceScan
from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import Part, Program
from aibr_hunt.errors import EngineError, Unsupported
from aibr_hunt.hunt.coverage import Claim
from aibr_hunt.hunt.covered import Span, us_of, window_of
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import CoverageState, Pulse
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window

# Sources that are asked at the same time.
AT_ONCE: Final = 8
# From the gravest: what holds of several at once is what the gravest says.
_GRAVITY: Final = (
    CoverageState.FAILED,
    CoverageState.OVER_BUDGET,
    CoverageState.NOT_COVERED,
    CoverageState.SOURCE_SILENT,
    CoverageState.NOT_KNOWN_ALIVE,
    CoverageState.STALE,
    CoverageState.PROVISIONAL,
    CoverageState.NOT_JUDGED,
    CoverageState.SETTLED,
)


_Results = queue.Queue[FileResult | None]


@dataclass(slots=True)
class _Asked:
    """What became of one Source."""

    source: Source
    findings: Findings = field(default_factory=Findings)
    pulses: tuple[Pulse, ...] = ()


class Clouds:
    """Asks Sources, and keeps what is known of each.

    Args:
        sources: Where. `open_engine`: gives the engine of a Source; engines of one account may be one.
        around: What all askings have in common.
    """

    def __init__(self, sources: Sequence[Source], open_engine: Callable[[Source], CloudEngine], around: Surroundings) -> None:
        """Ask nothing yet."""
        self.sources = tuple(sources)
        self._open = open_engine
        self._stop = threading.Event()
        self._around = replace(around, watch=_stoppable(around.watch, self._stop))
        self._asked: list[_Asked] = []
        self._reading: Generator[FileResult] | None = None

    def results(self, program: Program, scope: Scope) -> Generator[FileResult]:
        """Return what each program of each Source gave, as it comes. When the caller stops, remote jobs are stopped too."""
        self._reading = self._results(program, scope)
        return self._reading

    def close(self) -> None:
        """Stop what still runs, here and in the clouds: for whoever does not read the results to their end."""
        if self._reading is not None:
            self._reading.close()

    def _results(self, program: Program, scope: Scope) -> Generator[FileResult]:
        results: _Results = queue.Queue(maxsize=2 * AT_ONCE)
        self._asked = [_Asked(source) for source in self.sources if source.mapping.name in program.parts]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="source") as pool:
            asking = [
                pool.submit(self._run, asked, program.parts[asked.source.mapping.name], scope.window, results) for asked in self._asked
            ]
            try:
                left = len(asking)
                while left:
                    found = results.get()
                    if found is not None:
                        yield found
                        continue
                    left -= 1
                    for each in asking:
                        if each.done():
                            each.result()  # raises what the asking raised
                for each in asking:
                    each.result()
            finally:
                self._stop.set()
                _drain(results, asking)

    def _run(self, asked: _Asked, part: Part, window: Window, results: _Results) -> None:  # noqa: PLR0917 - each is another kind of thing
        try:
            self._ask(asked, part, window, results)
        finally:
            results.put(None)

    def _ask(self, asked: _Asked, part: Part, window: Window, results: _Results) -> None:  # noqa: PLR0917 - each is another kind of thing
        try:
            engine = self._open(asked.source)
        except EngineError as error:
            rules = tuple(rule.id for rule in part.rules)
            asked.findings.claims.append(Claimed(rules=rules, window=window, state=CoverageState.FAILED, cause=str(error)))
            return
        try:
            scan = SourceScan(asked.source, engine, part, window, self._around)
            asked.findings = scan.findings
            for result in scan.results():
                results.put(result)
            if not scan.is_shut:
                asked.pulses, job = pulse_of(asked.source, engine, window, around=self._around)
                asked.findings.jobs.append(job)
        finally:
            engine.close()

    # -- what is known ----------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every program of every Source."""
        return tuple(job for asked in self._asked for job in asked.findings.jobs)

    @property
    def pulses(self) -> tuple[Pulse, ...]:
        """The pulse of every Source."""
        return tuple(pulse for asked in self._asked for pulse in asked.pulses)

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Rules that a layout cannot be asked, and why; of rules that no Source can be asked, and of others."""
        return [pair for asked in self._asked for pair in asked.findings.refused]

    def gaps(self) -> Iterator[str]:
        """Yield a sentence for each hole that is no matter of coverage alone."""
        for asked in self._asked:
            yield from asked.findings.disagreements

    def lacks(self, rule: Rule, names: Sequence[str]) -> str:
        """Return why some Source of a rule's log source cannot give its events with these fields in them; empty when all can."""
        for source in self.sources:
            if source.mapping.logsource != rule.logsource and rule.logsource not in source.mapping.also:
                continue
            locator = Locator(source.mapping, source.layout)
            try:
                rule_bounds(rule, locator)
                for name in names:
                    locator.access(name)
            except Unsupported as refusal:
                return f"{source.label}: {refusal}"
        return ""

    def claims(self, source: str, window: Window) -> tuple[Claim, ...]:
        """Return what is known of a log source over a window: of every Source of it and every rule that it can be asked, the gravest.

        What rests on a rule that a Source cannot be asked is refused before (`lacks`), so such rules say nothing here.
        """
        asked_of = [asked for asked in self._asked if asked.source.mapping.name == source]
        refused = {asked.source.name: {rule_id for rule_id, _ in asked.findings.refused} for asked in asked_of}
        found = [claim for asked in asked_of for claim in self._alive(asked) if not refused[asked.source.name].issuperset(claim.rules)]
        if not found:
            return ((window, CoverageState.NOT_COVERED, f"no configured Source holds the log source {source}"),)
        return gravest([(claim.window, claim.state, claim.cause) for claim in found], window)

    def rows(self, source: str, rule_id: str, window: Window) -> Iterator[tuple[str, Claim]]:
        """Yield what is known of one rule: label of the Source, and the claim."""
        is_asked = False
        for asked in self._asked:
            if asked.source.mapping.name != source:
                continue
            is_asked = True
            found = [(claim.window, claim.state, claim.cause) for claim in self._alive(asked) if rule_id in claim.rules]
            yield from ((asked.source.label, claim) for claim in gravest(found, window))
        if not is_asked:
            yield source, (window, CoverageState.NOT_COVERED, f"no configured Source holds the log source {source}")

    @staticmethod
    def _alive(asked: _Asked) -> Iterator[Claimed]:
        """Yield the claims of a Source; what was read of one that shows no pulse is not known to be alive."""
        is_alive = any(pulse.events for pulse in asked.pulses)
        for claim in asked.findings.claims:
            if is_alive or claim.state not in {CoverageState.SETTLED, CoverageState.PROVISIONAL}:
                yield claim
            else:
                cause = f"{asked.source.label} shows no event of any kind in the window"
                yield replace(claim, state=CoverageState.NOT_KNOWN_ALIVE, cause=cause)


def gravest(claims: Sequence[Claim], window: Window) -> tuple[Claim, ...]:
    """Return claims that share a window out, each moment under the gravest of those that hold there.

    What no claim speaks of is failed: it was not looked at.
    """
    span = us_of(window)
    spans = [(us_of(each), state, cause) for each, state, cause in claims]
    edges = sorted({*span, *(min(max(edge, span[0]), span[1]) for each, _, _ in spans for edge in each)})
    found: list[tuple[Span, CoverageState, str]] = []
    for start, end in pairwise(edges):
        here = [(state, cause) for each, state, cause in spans if each[0] <= start and end <= each[1]]
        state, cause = min(here, key=lambda pair: _GRAVITY.index(pair[0]), default=(CoverageState.FAILED, "it was not looked at"))
        if found and found[-1][0][1] == start and found[-1][1:] == (state, cause):
            found[-1] = ((found[-1][0][0], end), state, cause)
        else:
            found.append(((start, end), state, cause))
    return tuple((window_of(each), state, cause) for each, state, cause in found)


def _stoppable(watch: Watch, stop: threading.Event) -> Watch:
    return replace(watch, is_stopped=lambda: stop.is_set() or watch.is_stopped())


def _drain(results: _Results, asking: Sequence[Future[None]]) -> None:
    """Let those end that wait to hand over what nobody reads any more."""
    while not all(each.done() for each in asking):
        try:
            results.get(timeout=0.05)
        except queue.Empty:
            continue
    while not results.empty():
        results.get_nowait()
