"""One Source is asked many rules over a window: few programs, every row matched, and of each rule what was looked at and what not."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from aibr_hunt.compile.pack import pack
from aibr_hunt.compile.program import Asking
from aibr_hunt.engines.cloud.budget import Budget
from aibr_hunt.engines.cloud.matching import Matching
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    CloudEngine,
    Estimate,
    NotThere,
    OverBudget,
    PartialResult,
    Question,
    Statistics,
    Stopped,
    TooComplex,
    Watch,
)
from aibr_hunt.engines.files import FileResult, Scope
from aibr_hunt.engines.program import Part
from aibr_hunt.errors import AibrError, EngineError, UsageError
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.query import Form, Query
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window, utc_text

# Windows are not halved below this: what one minute holds must come whole.
LEAST_WINDOW: Final = timedelta(minutes=1)
# So few rules are asked as they are, where that can be said: what comes back is what is met.
FEW_RULES: Final = 3
FORMAT: Final = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What is known of some rules over a window of the Source."""

    rules: tuple[str, ...]
    window: Window
    state: CoverageState
    cause: str


@dataclass(slots=True)
class Findings:
    """What asking a Source came to, besides its rows.

    Attributes:
        jobs: Every program that was asked, in order.
        claims: What was looked at; together they hold each rule over the whole window, once.
        refused: Rules that the layout cannot be asked, and why.
        disagreements: Sentences: rows that the engine said meet a rule and the matcher said do not.
    """

    jobs: list[Job] = field(default_factory=list)
    claims: list[Claimed] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the asking of every Source of a run has in common.

    Attributes:
        run: Says one run from another: jobs are started under tokens that follow from it, so that a run that goes on after a crash
            takes up its jobs and starts none twice.
        clock: Gives the present, aware UTC.
        watch: What the engine heeds and tells.
    """

    run: str
    clock: Callable[[], datetime]
    budget: Budget
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Rules that are to be asked over a window, and in which form."""

    rules: tuple[Rule, ...]
    window: Window
    form: Form


class SourceScan:
    """Asks one Source.

    Args:
        source: Where. `engine`: who asks it.
        part: The rules of its log source, with their matcher.
        window: Bounded on both sides.
        around: What the run's Sources have in common.

    Raises:
        UsageError: The window has an open side: a table has no end that could be read to.
    """

    def __init__(self, source: Source, engine: CloudEngine, part: Part, window: Window, around: Surroundings) -> None:  # noqa: PLR0917 - each is another kind of thing
        """Plan nothing yet."""
        if window.start is None or window.end is None:
            raise UsageError(
                f"The window over {source.label} has an open side.", hint="Say from when to when with --last, or --from and --to."
            )
        self.source, self.engine, self.part, self.window, self.around = source, engine, part, window, around
        self.findings = Findings()
        self._digests = part.digests
        self._pieces: deque[_Piece] = deque()
        self._shut: tuple[CoverageState, str] | None = None

    def results(self) -> Iterator[FileResult]:
        """Yield what each program gave; `findings` is complete when it ends."""
        self._pieces.extend(self._planned())
        while self._pieces:
            piece = self._pieces.popleft()
            if self._shut is not None:
                self._claim(piece, *self._shut)
                continue
            for query in self._queries(piece):
                yield from self._ask(query, replace(piece, rules=self._rules(query)))

    # -- programs ---------------------------------------------------------------------------------------------------

    def _planned(self) -> Iterator[_Piece]:
        """Yield the rules as they are asked first: a few of them whole, many by their sieve, those without one whole."""
        rules = self.part.rules
        if len(rules) <= FEW_RULES:
            whole = self._packed(rules, Form.WHOLE, self.window)
            said = {each for query in whole for each in query.rules}
            yield from (_Piece(rules=(rule,), window=self.window, form=Form.WHOLE) for rule in rules if rule.id in said)
            rules = tuple(rule for rule in rules if rule.id not in said)
        if rules:
            yield _Piece(rules=rules, window=self.window, form=Form.SIEVE)

    def _asking(self, window: Window) -> Asking:
        return Asking(locator=Locator(self.source.mapping, self.source.layout), span=window, meanings=self._digests)

    def _packed(self, rules: Sequence[Rule], form: Form, window: Window) -> tuple[Query, ...]:
        return pack(rules, self._asking(window), form).queries

    def _queries(self, piece: _Piece) -> tuple[Query, ...]:
        """Return the programs of a piece; rules that the layout cannot be asked are refused, once."""
        try:
            packed = pack(piece.rules, self._asking(piece.window), piece.form)
        except AibrError as refusal:
            self.findings.refused += [(rule.id, str(refusal)) for rule in piece.rules]
            self._claim(piece, CoverageState.NOT_COVERED, "the layout cannot be asked for this window")
            return ()
        for rule, why in packed.refused:
            self.findings.refused.append((rule.id, str(why)))
            self._claim(replace(piece, rules=(rule,)), CoverageState.NOT_COVERED, f"{self.source.label} cannot be asked for it")
        return packed.queries

    def _rules(self, query: Query) -> tuple[Rule, ...]:
        asked = set(query.rules)
        return tuple(rule for rule in self.part.rules if rule.id in asked)

    def token(self, query: Query, window: Window) -> str:
        """Return what says this program of this run from every other."""
        edges = "|".join(utc_text(edge) for edge in (window.start, window.end) if edge)
        return hashlib.sha256(f"{self.around.run}|{self.source.label}|{edges}|{query.digest}".encode()).hexdigest()

    # -- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, query: Query, piece: _Piece) -> Iterator[FileResult]:
        """Ask one program, and yield what it gave; what went wrong leads to halves, or to a named hole."""
        asked = _Asked(self, query, piece)
        try:
            result = asked.run()
        except PartialResult as error:
            asked.note(JobState.PARTIAL, error)
            self._halve_window(piece, error)
        except TooComplex as error:
            asked.note(JobState.TOO_COMPLEX, error)
            self._halve_rules(piece, error)
        except OverBudget as error:
            asked.note(JobState.OVER_BUDGET, error)
            self._claim(piece, CoverageState.OVER_BUDGET, error.what)
        except NotThere as error:
            asked.note(JobState.NOT_COVERED, error)
            self._claim(piece, CoverageState.NOT_COVERED, f"{error.what} {switches_of(piece.rules, self.source.mapping)}".strip())
        except (AccessRefused, Stopped) as error:
            asked.note(JobState.FAILED, error)
            self._shut = CoverageState.FAILED, error.what
            self._claim(piece, *self._shut)
        except EngineError as error:
            asked.note(JobState.FAILED, error)
            self._claim(piece, CoverageState.FAILED, str(error))
        else:
            asked.note(JobState.DONE)
            self._claim(piece, *self._settled(piece.window))
            self._disagree(query, piece, result)
            yield result

    def _settled(self, window: Window) -> tuple[CoverageState, str]:
        """Return the state of a window that was asked whole: provisional until the layout's settle time has passed."""
        settle = timedelta(seconds=self.source.layout.settle_s)
        if window.end is not None and self.around.clock() < window.end + settle:
            return CoverageState.PROVISIONAL, f"asked before the {self.source.layout.settle_s} s had passed in which late events come"
        return CoverageState.SETTLED, f"every row of {self.source.label} was read"

    def _halve_window(self, piece: _Piece, error: PartialResult) -> None:
        start, end = piece.window.start, piece.window.end
        if start is None or end is None or end - start < 2 * LEAST_WINDOW:
            self._claim(piece, CoverageState.FAILED, f"{error.what} The window is not halved any further.")
            return
        middle = start + timedelta(seconds=(end - start).total_seconds() // 2)
        halves = (Window(start=start, end=middle), Window(start=middle, end=end))
        self._pieces.extendleft(replace(piece, window=half) for half in reversed(halves))

    def _halve_rules(self, piece: _Piece, error: TooComplex) -> None:
        if len(piece.rules) == 1:
            if piece.form is Form.WHOLE:
                self._pieces.appendleft(replace(piece, form=Form.SIEVE))
            else:
                self._claim(piece, CoverageState.FAILED, f"{error.what} The rule alone is too complex.")
            return
        half = (len(piece.rules) + 1) // 2
        self._pieces.extendleft(replace(piece, rules=rules) for rules in (piece.rules[half:], piece.rules[:half]))

    def _claim(self, piece: _Piece, state: CoverageState, cause: str) -> None:
        self.findings.claims.append(Claimed(rules=tuple(rule.id for rule in piece.rules), window=piece.window, state=state, cause=cause))

    def _disagree(self, query: Query, piece: _Piece, result: FileResult) -> None:
        """Note rows of a rule's own program that do not meet it."""
        others = result.account.record_counts[ByteClass.PARSED]
        if query.form is Form.WHOLE and others:
            names = ", ".join(rule.name for rule in piece.rules)
            self.findings.disagreements.append(
                f"{self.source.label} said of {others:,} rows that they meet {names}, and the matcher said that they do not:"
                f" job {self.findings.jobs[-1].id}."
            )


class _Asked:
    """One program while it is asked: estimate, start, rows, statistics."""

    def __init__(self, scan: SourceScan, query: Query, piece: _Piece) -> None:
        self.scan, self.query, self.piece = scan, query, piece
        self.started = scan.around.clock()
        self.token = scan.token(query, piece.window)
        self.estimate: Estimate | None = None
        self.statistics = Statistics()
        self.rows = 0

    def run(self) -> FileResult:
        """Return what the program gave, once every row was read and matched."""
        scan, budget = self.scan, self.scan.around.budget
        question = Question(source=scan.source, text=self.query.text, window=self.piece.window, token=self.token)
        self.estimate = scan.engine.estimate(question)
        most = budget.hold(self.token, self.estimate, scan.engine.price)
        answer = scan.engine.ask(replace(question, most_bytes=most), self._watch())
        self.statistics = answer.statistics
        path = f"{scan.source.label}/{self.statistics.job}"
        scope = Scope(now=self.started, window=scan.window)
        found = Matching(scan.source, scan.part, self.piece.rules, scope=scope, path=path)
        for row in answer.rows:
            self.rows += 1
            found.take(row)
        return found.result()

    def _watch(self) -> Watch:
        watch = self.scan.around.watch

        def started(job: str) -> None:
            self.statistics.job = job
            watch.started(job)

        return replace(watch, started=started)

    def note(self, state: JobState, error: AibrError | None = None) -> None:
        """Keep the job, and count what it cost."""
        scan, told, price = self.scan, self.statistics, self.scan.engine.price
        billed = told.scanned_bytes if told.billed_bytes is None else told.billed_bytes
        money = None if price is None or billed is None else price.of(billed)
        if told.job:
            scan.around.budget.spend(self.token, told.scanned_bytes, money)
        else:
            scan.around.budget.release(self.token)
        job = Job(
            id=told.job,
            source=scan.source.label,
            place=scan.source.place,
            window=self.piece.window,
            rules=tuple(rule.id for rule in self.piece.rules),
            text=self.query.text,
            digest=self.query.digest,
            started=self.started,
            ended=scan.around.clock(),
            state=state,
            cause="" if error is None else str(error),
            estimated_bytes=None if self.estimate is None else self.estimate.scanned_bytes,
            estimate="" if self.estimate is None else self.estimate.basis,
            rows=self.rows,
            counted_rows=told.counted_rows,
            scanned_bytes=told.scanned_bytes,
            billed_bytes=told.billed_bytes,
            money=money,
            currency="" if price is None else price.currency,
        )
        scan.findings.jobs.append(job)


def switches_of(rules: Sequence[Rule], mapping: Mapping) -> str:
    """Return, in a sentence, which logs must be on for the rules and how they are switched on; empty when they name none."""
    known = {switch.id: switch for switch in mapping.switches}
    asked = dict.fromkeys(name for rule in rules for name in rule.requires if name in known)
    return " ".join(f"{name} may be off: {known[name].how}" for name in asked)
