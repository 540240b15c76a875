"""One run over log files, the lake or clouds: discover, scan, record. One transaction holds leads, accounts, coverage and evidence."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aibr_hunt import __version__
from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import AS_WRITTEN, Options, Part, Program
from aibr_hunt.errors import UsageError
from aibr_hunt.hunt.asking import askable
from aibr_hunt.hunt.correlating import Correlating
from aibr_hunt.hunt.coverage import Claim, claims_of, first_of, pulses_of
from aibr_hunt.hunt.history import Sheets
from aibr_hunt.hunt.reading import reading_of
from aibr_hunt.hunt.spool import Spool
from aibr_hunt.ledger import EarlierEpisodes, Ledger, NoiseKeys
from aibr_hunt.ledger.values import Recorded
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Account, Hit
from aibr_hunt.model.lead import CoverageRow, CoverageState, NoiseRow, RuleRow, RunRecord, RunRow
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.spending import spending_of, spent_notes
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.lake import Lake
    from aibr_hunt.hunt.clouds import Clouds

# A rule that has met so many events, and so large a share of its source, is a noise rule: further events are kept by
# identity and make no leads of their own, so that one careless rule does not drown the ledger. A gap says so: what is kept
# of them is no evidence.
NOISE_EVENTS = 10_000
NOISE_SHARE = 0.05
# Reasons that an error names when every rule was refused.
_SHOWN_REFUSALS = 20
# Passed over below folders without a word: no log events are lost with them.
_HARMLESS = frozenset(("hidden", "CloudTrail digests"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a run is asked to do.

    Attributes:
        rules: The rules, filters applied.
        operands: Rules that only serve correlations: matched, without leads of their own.
        correlations: Those that serve another one stand before it.
        silent: Ids of operands, and of correlations that only serve others.
        mapping_of: Rule id to the mapping that its fields are bound on; None for fields as written.
        mappings: Every mapping in force.
        paths: Files and folders of logs.
        lake: The lake, to be read in place of files; None for files.
        clouds: Sources in clouds, to be asked in place of files.
        scope: Source and window.
        options: How files are read.
        refused: Pairs of rule path or id and reason, from loading.
        asked: What was asked, in the user's words.
        actor, host: Who runs it, where.
        processes: Processes that read files, at least 1.
        kind: `files`, or `hunt` and `sweep` when one of these asked.
        run_id: What the run is called; empty lets it follow from what is asked, by whom and when.
        began: When it was begun, for one that goes on after a crash; None for now.
    """

    rules: Sequence[Rule]
    mapping_of: dict[str, Mapping | None]
    mappings: Sequence[Mapping]
    paths: Sequence[Path]
    scope: Scope
    options: Options
    refused: tuple[tuple[str, str], ...] = ()
    asked: str = ""
    actor: str = ""
    host: str = ""
    processes: int = 1
    kind: str = "files"
    lake: Lake | None = None
    clouds: Clouds | None = None
    operands: Sequence[Rule] = ()
    correlations: Sequence[Correlation] = ()
    silent: frozenset[str] = frozenset()
    run_id: str = ""
    began: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would ask, and over which time: the run's window, widened by what correlations need."""

    program: Program
    window: Window
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        record: As it was committed.
        recorded: What the transaction wrote.
        hits_by_rule: Events that each rule met, and episodes of each correlation, by id.
    """

    record: RunRecord
    recorded: Recorded
    hits_by_rule: dict[str, int]

    @property
    def is_complete(self) -> bool:
        """True when every byte was read, every rule was asked and every rule had a source."""
        return self.record.run.outcome == "complete"


def run_files(request: Request, ledger: Ledger, *, clock: Callable[[], datetime], tell: Callable[[FileResult], None]) -> Outcome:
    """Leave one run on record and return what it came to.

    Args:
        request: What to do.
        ledger: Where it is recorded; nothing is recorded when the run fails.
        clock: Returns the present as aware UTC.
        tell: Called after each file, for progress.

    Raises:
        UsageError: There is nothing to read, or no rule to ask.
        EngineError: Reading failed.
        LedgerError: Recording failed.
    """
    return _Run(request, clock, tell).into(ledger)


def plan_of(request: Request, *, sheets: Sheets, clock: Callable[[], datetime]) -> Plan:
    """Return what a run would ask; nothing is asked, read or recorded.

    Raises:
        UsageError: There is nothing to read, or no rule to ask.
    """
    run = _Run(request, clock, lambda _: None)
    with Spool() as spool:
        window = run.prepared(spool, sheets).scan_window
    return Plan(program=run.program, window=window, refused=tuple(run.refused))


class _Run:
    """The state of one run."""

    def __init__(self, request: Request, clock: Callable[[], datetime], tell: Callable[[FileResult], None]) -> None:
        self.request = request
        self.clock = clock
        self.tell = tell
        self.started = request.began or clock()
        self.timer = time.perf_counter()
        matched = (*request.rules, *request.operands)
        self.program = Program(matched, mappings=request.mappings, mapping_of=request.mapping_of, options=request.options)
        self.refused = [*request.refused, *self.program.refused]
        self.reading = reading_of(request.paths, request.lake, request.clouds)
        if not self.program.rules:
            raise UsageError("There is no rule to ask.", hint=_why_no_rule(self.refused))
        self.accounts: list[Account] = []
        self.hits_by_rule: Counter[str] = Counter()
        self.records_by_source: Counter[str] = Counter()
        self.noise: dict[str, tuple[str, NoiseKeys]] = {}
        self.outside_window = 0
        self.strangers: Counter[str] = Counter()
        self.looks: dict[str, set[str]] = {}
        self.digests: dict[str, str] = {}

    def into(self, ledger: Ledger) -> Outcome:
        """Record the run."""
        with Spool() as spool:
            self.correlating = self.prepared(spool, ledger.sheets)
            return self._recorded(ledger)

    def _recorded(self, ledger: Ledger) -> Outcome:
        opening = self._record()
        settled: list[RunRecord] = []

        def settle() -> RunRecord:
            settled.append(self._record())
            return settled[0]

        recorded = ledger.record(opening, self._hits(), later=self._episodes, settle=settle)
        counted = self.hits_by_rule + self.correlating.found.episodes
        return Outcome(record=settled[0] if settled else opening, recorded=recorded, hits_by_rule=dict(counted))

    def prepared(self, spool: Spool, sheets: Sheets) -> Correlating:
        """Return what feeds the correlations; those that cannot be asked are refused by name."""
        rules = {rule.id: (rule, part.mapping) for part in self.program.parts.values() for rule in part.rules}
        digests = {rule_id: digest for part in self.program.parts.values() for rule_id, digest in part.digests.items()}
        clouds = self.request.clouds
        lacks = (lambda _, __: "") if clouds is None else clouds.lacks
        asked, refused = askable(self.request.correlations, rules=rules, digests=digests, silent=self.request.silent, lacks=lacks)
        self.refused += refused
        return Correlating(asked, window=self.request.scope.window, spool=spool, sheets=sheets)

    def _episodes(self, earlier: EarlierEpisodes) -> Iterator[Hit]:
        """Yield members and episodes, once every matched event is known."""
        window = self.correlating.scan_window
        claims = {name: self._claims(name, window) for name in self.program.parts}
        return self.correlating.hits(earlier, claims)

    def _claims(self, source: str, asked: Window) -> tuple[Claim, ...]:
        if self.request.clouds is not None:
            return self.request.clouds.claims(source, asked)
        accounts = [account for account in self.accounts if account.source == source]
        return claims_of(source, accounts, asked=asked, unknown=self._unknown())

    def _hits(self) -> Iterator[Hit]:
        """Yield the hits that become leads, while accounts and counts are gathered."""
        scope = replace(self.request.scope, window=self.correlating.scan_window)
        for result in self.reading.results(self.program, scope, processes=self.request.processes):
            self._take(result)
            for hit in result.hits:
                self.correlating.add(hit)
                kept = self._without_noise(hit) if self._is_asked_for(hit) else None
                if kept is not None:
                    yield kept
            self.tell(result)

    def _is_asked_for(self, hit: Hit) -> bool:
        """True when the hit may make leads of its own: it lies in the run's window, and not all its rules only serve correlations."""
        if self.request.silent.issuperset(hit.rule_ids):
            return False
        is_inside = hit.event.time is None or self.request.scope.window.holds(hit.event.time)
        self.outside_window += not is_inside
        return is_inside

    def _take(self, result: FileResult) -> None:
        account = result.account
        # Two answers of a cloud may be alike: neither is a copy of the other.
        is_file = bool(account.digest) and self.request.clouds is None
        first = self.digests.setdefault(account.digest, account.path) if is_file else account.path
        self.accounts.append(account if first == account.path else replace(account, duplicate_of=first))
        self.records_by_source[account.source] += sum(account.record_counts.values())
        self.outside_window += result.outside_window
        if result.strangers:
            self.strangers[account.source] += result.strangers
            self.looks.setdefault(account.source, set()).update(result.strangers_look_like)

    def _without_noise(self, hit: Hit) -> Hit | None:
        source = hit.event.source
        considered = self.records_by_source[source]
        kept: list[str] = []
        for rule_id in hit.rule_ids:
            if rule_id in self.request.silent:
                continue
            self.hits_by_rule[rule_id] += 1
            seen = self.hits_by_rule[rule_id]
            if seen > NOISE_EVENTS and seen > NOISE_SHARE * considered:
                self.noise.setdefault(rule_id, (source, NoiseKeys()))[1].add(hit.event.identity.key)
            else:
                kept.append(rule_id)
        if not kept:
            return None
        return hit if len(kept) == len(hit.rule_ids) else replace(hit, rule_ids=tuple(kept))

    def _record(self) -> RunRecord:
        gaps = tuple(self._gaps())
        coverage = tuple(self._coverage())
        clouds = self.request.clouds
        refused = (*self.refused, *(clouds.refused if clouds else ()))
        found = self.correlating.found
        is_complete = not gaps and not refused and all(account.is_complete for account in self.accounts)
        is_complete = is_complete and all(row.state is CoverageState.SETTLED for row in coverage)
        run = RunRow(
            id=self._run_id(),
            kind=self.request.kind,
            asked=self.request.asked,
            window=self.request.scope.window,
            query_text=self.program.text,
            query_digest=self.program.digest,
            started=self.started,
            ended=self.clock(),
            actor=self.request.actor,
            host=self.request.host,
            tool_version=__version__,
            outcome="complete" if is_complete else "incomplete",
            gaps=gaps,
            refused_rules=refused,
            statistics=self._statistics(),
            notes=(*found.notes, *(() if clouds is None else spent_notes(clouds.jobs))),
        )
        return RunRecord(
            run=run,
            rules=(*(_rule_row(rule, part) for part in self.program.parts.values() for rule in part.rules), *self.correlating.rule_rows),
            accounts=tuple(self.accounts),
            coverage=coverage,
            pulses=tuple(pulses_of(self.accounts)) if clouds is None else clouds.pulses,
            noise=tuple(self._noise_rows()),
            episodes=tuple(found.rows),
            links=tuple(found.links),
            tallies=tuple(found.sheets),
            jobs=() if clouds is None else clouds.jobs,
        )

    def _run_id(self) -> str:
        request = self.request
        if request.run_id:
            return request.run_id
        seed = f"{self.started.isoformat()}|{request.host}|{request.actor}|{request.asked}|{self.program.digest}"
        return f"R-{hashlib.sha256(seed.encode()).hexdigest()[:16]}"

    def _statistics(self) -> dict[str, float]:
        totals = Counter[str]()
        for account in self.accounts:
            totals.update({f"bytes_{name.value}": size for name, size in account.byte_counts.items()})
            totals.update({f"records_{name.value}": count for name, count in account.record_counts.items()})
        return {
            **{name: float(value) for name, value in sorted(totals.items())},
            **({} if self.request.clouds is None else spending_of(self.request.clouds.jobs).figures),
            "files": float(len(self.accounts)),
            "stored_bytes": float(sum(account.stored_size for account in self.accounts)),
            "content_bytes": float(sum(account.content_size for account in self.accounts)),
            "outside_window": float(self.outside_window),
            "reached_twice": float(len(self.reading.discovery.notes)),
            "passed_over": float(sum(count for _, count in self.reading.discovery.left_out)),
            "episodes": float(sum(self.correlating.found.episodes.values())),
            "noise_events": float(sum(keys.events for _, keys in self.noise.values())),
            "seconds": round(time.perf_counter() - self.timer, 3),
        }

    def _gaps(self) -> Iterator[str]:
        if self.request.clouds is not None:
            yield from self.request.clouds.gaps()
        for problem in self.reading.discovery.problems:
            yield f"{problem.path} was not read: {problem.reason}."
        for kind, count in self.reading.discovery.left_out:
            if kind not in _HARMLESS:
                what, them = ("1 file", "it") if count == 1 else (f"{count:,} files", "them")
                was = "was" if count == 1 else "were"
                yield f"{what} of the kind {kind} {was} passed over below the folders; name {them} to have {them} read."
        for source, count in sorted(self.strangers.items()):
            yield _strangers_gap(count, source, sorted(self.looks[source]))
        unasked = [account.path for account in self.accounts if account.source == AS_WRITTEN and any(account.record_counts.values())]
        if unasked and AS_WRITTEN not in self.program.parts:
            whose = "1 file is" if len(unasked) == 1 else f"{len(unasked):,} files are"
            yield f"{whose} of no known log source, and no rule was asked of fields as written: {first_of(unasked)}."

        names = {rule.id: rule.name for rule in self.program.rules}
        for rule_id, (source, keys) in sorted(self.noise.items()):
            met = self.hits_by_rule[rule_id]
            share = 100 * met / max(1, self.records_by_source[source])
            what = f"Rule {names[rule_id]} met {met:,} events ({share:.0f} % of {source})"
            yield f"{what}: past the first {NOISE_EVENTS:,}, only the identities of {keys.events:,} are kept."

    def _coverage(self) -> Iterator[CoverageRow]:
        for name, part in self.program.parts.items():
            for rule, source, (window, state, cause) in self._claims_by_rule(name, part):
                digest = part.digests[rule.id]
                yield CoverageRow(meaning_digest=digest, rule_id=rule.id, source=source, window=window, state=state, cause=cause)
        yield from self.correlating.found.coverage

    def _claims_by_rule(self, name: str, part: Part) -> Iterator[tuple[Rule, str, Claim]]:
        """Yield what is known of each rule of a log source, with the Source that it is known of."""
        window, clouds = self.request.scope.window, self.request.clouds
        if clouds is not None:
            yield from ((rule, source, claim) for rule in part.rules for source, claim in clouds.rows(name, rule.id, window))
            return
        claims = self._claims(name, window)
        yield from ((rule, name, claim) for rule in part.rules for claim in claims)

    def _unknown(self) -> tuple[str, ...]:
        """Return paths that may have held any source: they could not be read, not even to tell what they are."""
        unread = (account.path for account in self.accounts if not account.source and not account.is_complete)
        return (*(problem.path for problem in self.reading.discovery.problems), *unread)

    def _noise_rows(self) -> Iterator[NoiseRow]:
        for rule_id, (source, keys) in sorted(self.noise.items()):
            yield keys.row(rule_id, source=source, considered=self.records_by_source[source])


def _why_no_rule(refused: Sequence[tuple[str, str]]) -> str:
    """Return why nothing can be asked: each refusal on a line of its own, up to a number that a screen holds."""
    if not refused:
        return "None was found."
    reasons = [reason if reason.startswith(shown) else f"{shown}: {reason}" for shown, reason in refused[:_SHOWN_REFUSALS]]
    more = len(refused) - len(reasons)
    return "\n  ".join(("Every rule was refused:", *reasons, *((f"… and {more:,} more",) if more else ())))


def _strangers_gap(count: int, source: str, looks: Sequence[str]) -> str:
    what, do = ("1 record", "does") if count == 1 else (f"{count:,} records", "do")
    known = ", ".join(looks)
    if source == AS_WRITTEN:
        looked, was = ("looks", "was") if count == 1 else ("look", "were")
        return (
            f"{what} in files read as written {looked} like {known} and {was} asked none of its rules; name the log source with --source."
        )
    return f"{what} in files read as {source} {do} not look like it{f', but like {known}' if looks else ''}."


def _rule_row(rule: Rule, part: Part) -> RuleRow:
    return RuleRow(
        id=rule.id,
        name=rule.name,
        title=rule.title,
        level=rule.level,
        path=rule.path,
        text_digest=rule.text_digest,
        meaning_digest=part.digests[rule.id],
        logsource=str(rule.logsource),
        techniques=rule.techniques,
        requires=rule.requires,
        triage=rule.triage,
        preserve_first=rule.preserve_first,
        falsepositives=rule.falsepositives,
        synthetic=rule.synthetic,
    )
