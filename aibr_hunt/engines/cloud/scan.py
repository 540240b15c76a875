"""One Source is asked many rules over a window: few programs, every row matched, and of each rule what was looked at and what not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from aibr_hunt.compile import program
from aibr_hunt.compile.pack import pack
from aibr_hunt.engines.cloud.asking import LOST, Asking, Surroundings, question_of, state_of
from aibr_hunt.engines.cloud.matching import Matching
from aibr_hunt.engines.cloud.protocol import (
    AccessRefused,
    CloudEngine,
    NotThere,
    OverBudget,
    PartialResult,
    Stopped,
    TooComplex,
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
from aibr_hunt.model.window import Window

# Windows are not halved below this: what one minute holds must come whole.
LEAST_WINDOW: Final = timedelta(minutes=1)
# Partial results one after the other, none of them whole, after which no more halves are asked: it is not the size of the window then.
MOST_IN_VAIN: Final = 24
# So few rules are asked as they are, where that can be said of all of them: what comes back is what is met.
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
        self._in_vain = 0
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

    @property
    def is_shut(self) -> bool:
        """True when the Source let nobody in, or the user stopped: nothing more is asked of it."""
        return self._shut is not None

    # -- programs ---------------------------------------------------------------------------------------------------

    def programs(self) -> Iterator[Query]:
        """Yield the programs that would be asked first, and ask none; `findings` names the rules that cannot be asked."""
        for piece in self._planned():
            yield from self._queries(piece)

    def _planned(self) -> Iterator[_Piece]:
        """Yield the rules as they are asked first: a few as they are, many by what they have in common."""
        rules = self.part.rules
        is_whole = 0 < len(rules) <= FEW_RULES and self._can_be_said_whole(rules)
        if rules:
            yield _Piece(rules=rules, window=self.window, form=Form.WHOLE if is_whole else Form.SIEVE)

    def _can_be_said_whole(self, rules: Sequence[Rule]) -> bool:
        """True when the rules can be asked as they are, and nothing is taken for granted of the events: what is assumed could be missed."""
        packed = pack(rules, self._asking(self.window), Form.WHOLE)
        return not packed.refused and not any(query.assumptions for query in packed.queries)

    def _asking(self, window: Window) -> program.Asking:
        locator = Locator(self.source.mapping, self.source.layout)
        return program.Asking(locator=locator, span=window, meanings=self._digests, is_read_back=True)

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

    # -- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, query: Query, piece: _Piece) -> Iterator[FileResult]:
        """Ask one program, and yield what it gave; what went wrong leads to halves, or to a named hole."""
        question = question_of(self.source, query.text, piece.window, run=self.around.run)
        asking = Asking(self.engine, question, self.around, rules=query.rules)
        scope = Scope(now=self.around.clock(), window=self.window)
        found = Matching(self.source, self.part, piece.rules, scope=scope)
        try:
            for row in asking.rows():
                found.take(row, asking.place)
        except LOST as error:
            self.findings.jobs.append(asking.job(state_of(error), error))
            self._lose(piece, error)
            return
        self._in_vain = 0
        self.findings.jobs.append(asking.job(JobState.DONE))
        self._settle(piece, asked=self.around.began or scope.now)
        result = found.result(asking.place)
        self._disagree(query, piece, result)
        yield result

    def _lose(self, piece: _Piece, error: EngineError | OverBudget) -> None:
        """Ask for halves of what was lost, or name the hole."""
        match error:
            case PartialResult():
                self._halve_window(piece, error)
            case TooComplex():
                self._halve_rules(piece, error)
            case OverBudget():
                self._claim(piece, CoverageState.OVER_BUDGET, error.what)
            case NotThere():
                self._claim(piece, CoverageState.NOT_COVERED, f"{error.what} {switches_of(piece.rules, self.source.mapping)}".strip())
            case AccessRefused() | Stopped():
                self._shut = CoverageState.FAILED, error.what
                self._claim(piece, *self._shut)
            case _:
                self._claim(piece, CoverageState.FAILED, str(error))

    def _settle(self, piece: _Piece, *, asked: datetime) -> None:
        """Claim what came whole: settled up to the layout's settle time before it was asked, provisional from there on."""
        settle_s = self.source.layout.settle_s
        edge = asked - timedelta(seconds=settle_s)
        start, end = piece.window.start or edge, piece.window.end or edge
        if start < edge:
            settled = replace(piece, window=Window(start=start, end=min(end, edge)))
            self._claim(settled, CoverageState.SETTLED, f"every row of {self.source.label} was read")
        if end > edge:
            early = replace(piece, window=Window(start=max(start, edge), end=end))
            self._claim(early, CoverageState.PROVISIONAL, f"asked before the {settle_s} s had passed in which late events come")

    def _halve_window(self, piece: _Piece, error: PartialResult) -> None:
        start, end = piece.window.start, piece.window.end
        self._in_vain += 1
        is_in_vain = self._in_vain > MOST_IN_VAIN
        if start is None or end is None or end - start < 2 * LEAST_WINDOW or is_in_vain:
            why = f", after {MOST_IN_VAIN} partial results in a row" if is_in_vain else ""
            self._claim(piece, CoverageState.FAILED, f"{error.what} The window is not halved any further{why}.")
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


def switches_of(rules: Sequence[Rule], mapping: Mapping) -> str:
    """Return, in a sentence, which logs must be on for the rules and how they are switched on; empty when they name none."""
    known = {switch.id: switch for switch in mapping.switches}
    asked = dict.fromkeys(name for rule in rules for name in rule.requires if name in known)
    return " ".join(f"{name} may be off: {known[name].how}" for name in asked)
