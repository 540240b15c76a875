"""One run over log files: discover, scan, record. One transaction holds leads, accounts, coverage and evidence."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aibr_hunt import __version__
from aibr_hunt.engines.files import FileResult, Scope, scan
from aibr_hunt.engines.program import AS_WRITTEN, Options, Part, Program
from aibr_hunt.errors import UsageError
from aibr_hunt.intake.files import Discovery, discover
from aibr_hunt.ledger import Ledger, NoiseKeys
from aibr_hunt.ledger.values import Recorded
from aibr_hunt.model.event import Account, ByteClass, Hit
from aibr_hunt.model.lead import CoverageRow, CoverageState, NoiseRow, Pulse, RuleRow, RunRecord, RunRow
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window

# A rule that has met so many events, and so large a share of its source, is a noise rule: further events are kept by
# identity and make no leads of their own, so that one careless rule does not drown the ledger.
NOISE_EVENTS = 1_000
NOISE_SHARE = 0.05
# Passed over below folders without a word: no log events are lost with them.
_HARMLESS = frozenset(("hidden", "CloudTrail digests"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a run is asked to do.

    Attributes:
        rules: The rules, filters applied.
        mapping_of: Rule id to the mapping that its fields are bound on; None for fields as written.
        mappings: Every mapping in force.
        paths: Files and folders of logs.
        scope: Source and window.
        options: How files are read.
        refused: Pairs of rule path or id and reason, from loading.
        asked: What was asked, in the user's words.
        actor, host: Who runs it, where.
        processes: Processes that read files, at least 1.
        kind: `files`, or `hunt` and `sweep` when one of these asked.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        record: As it was committed.
        recorded: What the transaction wrote.
        hits_by_rule: Events that each rule met, by rule id.
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


class _Run:
    """The state of one run."""

    def __init__(self, request: Request, clock: Callable[[], datetime], tell: Callable[[FileResult], None]) -> None:
        self.request = request
        self.clock = clock
        self.tell = tell
        self.started = clock()
        self.timer = time.perf_counter()
        self.program = Program(request.rules, mappings=request.mappings, mapping_of=request.mapping_of, options=request.options)
        self.discovery: Discovery = discover(request.paths)
        if not self.program.rules:
            raise UsageError("There is no rule to ask.", hint="Every rule was refused, or none was found; see above.")
        if not self.discovery.files and not self.discovery.problems:
            raise UsageError(
                f"There is no log file in {', '.join(map(str, request.paths))}.",
                hint="Below folders, files are read that end in .json, .jsonl, .ndjson, .log, .csv, .gz or .zst; name others one by one.",
            )
        self.accounts: list[Account] = []
        self.hits_by_rule: Counter[str] = Counter()
        self.records_by_source: Counter[str] = Counter()
        self.noise: dict[str, tuple[str, NoiseKeys]] = {}
        self.outside_window = 0
        self.strangers: Counter[str] = Counter()
        self.digests: dict[str, str] = {}

    def into(self, ledger: Ledger) -> Outcome:
        """Record the run."""
        opening = self._record()
        settled: list[RunRecord] = []

        def settle() -> RunRecord:
            settled.append(self._record())
            return settled[0]

        recorded = ledger.record(opening, self._hits(), settle=settle)
        return Outcome(record=settled[0] if settled else opening, recorded=recorded, hits_by_rule=dict(self.hits_by_rule))

    def _hits(self) -> Iterator[Hit]:
        """Yield the hits that become leads, while accounts and counts are gathered."""
        for result in scan(self.discovery.files, self.program, self.request.scope, processes=self.request.processes):
            self._take(result)
            for hit in result.hits:
                kept = self._without_noise(hit)
                if kept is not None:
                    yield kept
            self.tell(result)

    def _take(self, result: FileResult) -> None:
        account = result.account
        first = self.digests.setdefault(account.digest, account.path) if account.digest else account.path
        self.accounts.append(account if first == account.path else replace(account, duplicate_of=first))
        self.records_by_source[account.source] += sum(account.record_counts.values())
        self.outside_window += result.outside_window
        if result.strangers:
            self.strangers[account.source] += result.strangers

    def _without_noise(self, hit: Hit) -> Hit | None:
        source = hit.event.source
        considered = self.records_by_source[source]
        kept: list[str] = []
        for rule_id in hit.rule_ids:
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
        refused = (*self.request.refused, *self.program.refused)
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
        )
        return RunRecord(
            run=run,
            rules=tuple(_rule_row(rule, part) for part in self.program.parts.values() for rule in part.rules),
            accounts=tuple(self.accounts),
            coverage=coverage,
            pulses=tuple(self._pulses()),
            noise=tuple(self._noise_rows()),
        )

    def _run_id(self) -> str:
        request = self.request
        seed = f"{self.started.isoformat()}|{request.host}|{request.actor}|{request.asked}|{self.program.digest}"
        return f"R-{hashlib.sha256(seed.encode()).hexdigest()[:16]}"

    def _statistics(self) -> dict[str, float]:
        totals = Counter[str]()
        for account in self.accounts:
            totals.update({f"bytes_{name.value}": size for name, size in account.byte_counts.items()})
            totals.update({f"records_{name.value}": count for name, count in account.record_counts.items()})
        return {
            **{name: float(value) for name, value in sorted(totals.items())},
            "files": float(len(self.accounts)),
            "stored_bytes": float(sum(account.stored_size for account in self.accounts)),
            "content_bytes": float(sum(account.content_size for account in self.accounts)),
            "outside_window": float(self.outside_window),
            "reached_twice": float(len(self.discovery.notes)),
            "passed_over": float(sum(count for _, count in self.discovery.left_out)),
            "noise_events": float(sum(keys.events for _, keys in self.noise.values())),
            "seconds": round(time.perf_counter() - self.timer, 3),
        }

    def _gaps(self) -> Iterator[str]:
        for problem in self.discovery.problems:
            yield f"{problem.path} was not read: {problem.reason}."
        for kind, count in self.discovery.left_out:
            if kind not in _HARMLESS:
                what, them = ("1 file", "it") if count == 1 else (f"{count:,} files", "them")
                was = "was" if count == 1 else "were"
                yield f"{what} of the kind {kind} {was} passed over below the folders; name {them} to have {them} read."
        for source, count in sorted(self.strangers.items()):
            yield f"{count:,} parsed records in files read as {source} do not look like it."
        unasked = [account.path for account in self.accounts if account.source == AS_WRITTEN and any(account.record_counts.values())]
        if unasked and AS_WRITTEN not in self.program.parts:
            whose = "1 file is" if len(unasked) == 1 else f"{len(unasked):,} files are"
            yield f"{whose} of no known log source, and no rule was asked of fields as written: {_first_of(unasked)}."

    def _coverage(self) -> Iterator[CoverageRow]:
        for name, part in self.program.parts.items():
            accounts = [account for account in self.accounts if account.source == name]
            asked = self.request.scope.window
            window = _span(asked, accounts)
            state, cause = _state_of(name, accounts, self._unknown())
            if state is CoverageState.SETTLED and not _is_met(asked, accounts):
                state, cause = CoverageState.NOT_KNOWN_ALIVE, "no event of the files is known to lie in the window that was asked"
            for rule in part.rules:
                yield CoverageRow(
                    meaning_digest=part.digests[rule.id], rule_id=rule.id, source=name, window=window, state=state, cause=cause
                )

    def _unknown(self) -> tuple[str, ...]:
        """Return paths that may have held any source: they could not be read, not even to tell what they are."""
        unread = (account.path for account in self.accounts if not account.source and not account.is_complete)
        return (*(problem.path for problem in self.discovery.problems), *unread)

    def _pulses(self) -> Iterator[Pulse]:
        for source in sorted({account.source for account in self.accounts if account.source}):
            accounts = [account for account in self.accounts if account.source == source]
            by_hour: dict[datetime | None, list[Account]] = {}
            for account in accounts:
                hour = None if account.first_time is None else account.first_time.replace(minute=0, second=0, microsecond=0)
                by_hour.setdefault(hour, []).append(account)
            for hour, group in sorted(by_hour.items(), key=lambda pair: (pair[0] is not None, pair[0] or self.started)):
                times = [moment for account in group for moment in (account.first_time, account.last_time) if moment is not None]
                events = sum(sum(account.record_counts.values()) for account in group)
                earliest, latest = (min(times), max(times)) if times else (None, None)
                yield Pulse(source=source, key="", hour=hour, events=events, earliest=earliest, latest=latest)

    def _noise_rows(self) -> Iterator[NoiseRow]:
        for rule_id, (source, keys) in sorted(self.noise.items()):
            yield keys.row(rule_id, source=source, considered=self.records_by_source[source])


def _first_of(paths: Sequence[str]) -> str:
    return f"{paths[0]} and {len(paths) - 1:,} more" if len(paths) > 1 else paths[0]


def _state_of(source: str, accounts: Sequence[Account], unknown: Sequence[str]) -> tuple[CoverageState, str]:
    """Return what is known of a source over the files that were read; `unknown` may have been its files too."""
    if unknown:
        return CoverageState.FAILED, f"{_first_of(unknown)} could not be read and may have held it"
    if not accounts:
        what = "no file was taken as written" if source == AS_WRITTEN else f"no file of the log source {source} was among the input"
        return CoverageState.NOT_COVERED, what
    if not any(sum(account.record_counts.values()) for account in accounts):
        return CoverageState.NOT_KNOWN_ALIVE, "the files hold no record"
    doubtful = [account for account in accounts if not account.is_complete]
    if doubtful:
        refused = sum(account.byte_counts.get(ByteClass.REFUSED, 0) for account in doubtful)
        return CoverageState.FAILED, f"{len(doubtful)} of {len(accounts)} files were not read whole ({refused:,} content bytes refused)"
    return CoverageState.SETTLED, "as far as the files reach"


def _is_met(asked: Window, accounts: Sequence[Account]) -> bool:
    """True when the files are known to speak of a time in the asked window; a window without bounds is always met."""
    if asked.start is None and asked.end is None:
        return True
    return any(
        account.first_time is not None
        and account.last_time is not None
        and (asked.start is None or account.last_time >= asked.start)
        and (asked.end is None or account.first_time < asked.end)
        for account in accounts
    )


def _span(asked: Window, accounts: Sequence[Account]) -> Window:
    """Return the asked window, its open sides closed by what the files are known to span."""
    firsts = [account.first_time for account in accounts if account.first_time is not None]
    lasts = [account.last_time for account in accounts if account.last_time is not None]
    start = asked.start or (min(firsts) if firsts else None)
    end = asked.end or (max(lasts) + timedelta(microseconds=1) if lasts else None)
    return Window(start=start, end=end) if start is None or end is None or start < end else asked


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
