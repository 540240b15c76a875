"""Runs the cases of rules and correlations, for the command line and for users' own test suites.

Each case of a rule goes through the matcher, and through the sieve in several serialisations of its event: a hit that the
sieve would drop is a failure, however the log spells it. The events of a correlation's case go through the matcher of its
rules, and what matches through the correlator: in order, in reverse, and late ones in a run of their own.

Example:
    >>> from aibr_hunt.testing import Bench
    >>> bench = Bench()
    >>> [result.rule for result in bench.run(["shipped:aws/bedrock"]) if result.failures]
    []
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aibr_hunt.content.cases import Case, CaseFile, cases_path, load_cases
from aibr_hunt.content.checks import MIN_SCORE, Finding, Score, check_cases, check_rule, mutation_score
from aibr_hunt.content.correlation_cases import load_correlation_cases
from aibr_hunt.content.correlation_checks import check_correlation, check_correlation_cases
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.content.mappings import switches_of
from aibr_hunt.engines.literals import LiteralScanner, scanner_for
from aibr_hunt.errors import AibrError, ContentErrors, Unsupported
from aibr_hunt.intake.parse import parse_record
from aibr_hunt.meaning.match import RuleSet, compile_rules
from aibr_hunt.meaning.sieve import SieveProgram, sieve_of
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.event import Json
from aibr_hunt.model.mapping import Mapping as LogMapping
from aibr_hunt.model.rule import Rule
from aibr_hunt.testing.correlations import CorrelationTrial

_PART: Final = "has no cases of its own: those of the correlation in its file test it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One case that did not get its answer.

    Attributes:
        case: The case's name; empty when the rule or its file of cases could not be read.
        what: What happened instead, and where.
    """

    case: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What became of the cases of one rule or correlation."""

    rule: str
    path: str
    cases: int
    failures: tuple[Failure, ...]


class Bench:
    """Tests and checks rules against one set of content folders.

    Args:
        library: The content; None for the shipped one.
    """

    def __init__(self, library: Library | None = None) -> None:
        """Read nothing yet."""
        self.library = library or Library()

    def run(self, names: Sequence[str]) -> Iterator[RuleResult]:
        """Yield the result of every rule and correlation below the named files and folders, those that only serve others included.

        Raises:
            UsageError: A name means nothing.
        """
        corpus = self.library.load_rules(names)
        for shown, error in corpus.refused:
            yield RuleResult(rule=shown, path=shown, cases=0, failures=(Failure(case="", what=str(error)),))
        for rule in corpus.matched:
            yield _untested(rule) if _is_part(rule, corpus) else self.run_rule(rule, corpus.files[rule.id])
        for correlation in corpus.correlations:
            yield _untested(correlation) if _is_part(correlation, corpus) else self.run_correlation(correlation, corpus)

    def run_rule(self, rule: Rule, file: Path) -> RuleResult:
        """Return the result of one rule's cases."""
        path = _cases_path(rule, file)
        try:
            found = load_cases(path, self.library.shown(path))
            failures = tuple(self._failures(rule, found))
        except (ContentErrors, Unsupported) as error:
            return RuleResult(rule=rule.name, path=rule.path, cases=0, failures=(Failure(case="", what=str(error)),))
        return RuleResult(rule=rule.name, path=rule.path, cases=len(found.cases), failures=failures)

    def run_correlation(self, correlation: Correlation, corpus: Corpus) -> RuleResult:
        """Return the result of one correlation's cases; the corpus holds its rules."""
        path = _cases_path(correlation, corpus.files[correlation.id])
        try:
            found = load_correlation_cases(path, self.library.shown(path))
            trial = CorrelationTrial(correlation, corpus, self.library)
            failures = tuple(
                Failure(case=case.name, what=f"{found.path}:{case.line}: {what}") for case in found.cases for what in trial.faults(case)
            )
        except (ContentErrors, Unsupported) as error:
            failures = (Failure(case="", what=str(error)),)
            return RuleResult(rule=correlation.name, path=correlation.path, cases=0, failures=failures)
        return RuleResult(rule=correlation.name, path=correlation.path, cases=len(found.cases), failures=failures)

    def _failures(self, rule: Rule, found: CaseFile) -> Iterator[Failure]:
        mapping = self.library.mapping_for(rule.logsource)
        trial = _Trial(rule, mapping)
        for case in found.cases:
            for what in trial.faults(case):
                yield Failure(case=case.name, what=f"{found.path}:{case.line}: {what}")

    def check(self, names: Sequence[str]) -> Iterator[tuple[str, tuple[Finding, ...], Score | None]]:
        """Yield for every rule and correlation its name, what the checks found, and its mutation score (None without cases).

        Raises:
            UsageError: A name means nothing.
        """
        corpus = self.library.load_rules(names)
        for shown, error in corpus.refused:
            yield shown, (Finding(rule=shown, check="rule", what=str(error)),), None
        for rule in corpus.matched:
            yield rule.name, *self._check_rule(rule, corpus)
        for correlation in corpus.correlations:
            yield correlation.name, *self._check_correlation(correlation, corpus)

    def _check_rule(self, rule: Rule, corpus: Corpus) -> tuple[tuple[Finding, ...], Score | None]:
        file = corpus.files[rule.id]
        mapping = self.library.mapping_for(rule.logsource)
        switches = switches_of(self.library.mappings)
        found = list(check_rule(rule, mapping, catalogue=self.library.catalogue, switches=switches))
        if _is_part(rule, corpus):
            return (*found, Finding(rule=rule.path, check="cases", what=_PART, is_error=False)), None
        cases, extra = self._cases_of(rule, file)
        is_shipped = self._is_shipped(file)
        found += extra or check_cases(rule, cases, mapping, is_shipped=is_shipped)
        score = None if cases is None else _score(rule, cases, mapping)
        return (*found, *_weakness(rule, score, is_shipped=is_shipped)), score

    def _check_correlation(self, correlation: Correlation, corpus: Corpus) -> tuple[tuple[Finding, ...], Score | None]:
        file = corpus.files[correlation.id]
        found = list(
            check_correlation(
                correlation,
                {rule.id: rule for rule in corpus.matched},
                mapping_for=self.library.mapping_for,
                catalogue=self.library.catalogue,
                switches=switches_of(self.library.mappings),
            )
        )
        if _is_part(correlation, corpus):
            return (*found, Finding(rule=correlation.path, check="cases", what=_PART, is_error=False)), None
        is_shipped, path = self._is_shipped(file), _cases_path(correlation, file)
        try:
            cases = load_correlation_cases(path, self.library.shown(path)) if path.exists() else None
            found += check_correlation_cases(correlation, cases, is_shipped=is_shipped)
            score = None if cases is None else CorrelationTrial(correlation, corpus, self.library).score(cases)
        except (ContentErrors, Unsupported) as error:
            found.append(Finding(rule=correlation.path, check="cases", what=str(error)))
            return tuple(found), None
        return (*found, *_weakness(correlation, score, is_shipped=is_shipped)), score

    def _is_shipped(self, file: Path) -> bool:
        return file.resolve().is_relative_to((self.library.roots[0] / "rules").resolve())

    def _cases_of(self, rule: Rule, file: Path) -> tuple[CaseFile | None, tuple[Finding, ...]]:
        path = _cases_path(rule, file)
        if not path.exists():
            return None, ()
        try:
            return load_cases(path, self.library.shown(path)), ()
        except AibrError as error:
            return None, (Finding(rule=rule.path, check="cases", what=str(error)),)


def _cases_path(thing: Rule | Correlation, file: Path) -> Path:
    """Return where its cases lie: the file that it names, else that of its own name, else that of its file's name."""
    own = file.parent / f"{thing.name}.tests.yaml"
    return own if not thing.tests_path and own.exists() else cases_path(file, thing.tests_path)


def _is_part(thing: Rule | Correlation, corpus: Corpus) -> bool:
    """True for what only serves a correlation of its own file, and has no cases of its own: that one's cases test it."""
    file = corpus.files[thing.id]
    own = file.parent / f"{thing.name}.tests.yaml"
    if thing.id not in corpus.silent or thing.tests_path or (own.exists() and own != cases_path(file)):
        return False
    return any(thing.id in {source.id for source in each.sources} and corpus.files[each.id] == file for each in corpus.correlations)


def _untested(thing: Rule | Correlation) -> RuleResult:
    return RuleResult(rule=thing.name, path=thing.path, cases=0, failures=())


def _weakness(thing: Rule | Correlation, score: Score | None, *, is_shipped: bool) -> Iterator[Finding]:
    if score is not None and score.value < MIN_SCORE:
        what = f"mutation score {score.value:.2f} ({score.killed} of {score.total}); unnoticed: {'; '.join(score.survivors[:8])}."
        yield Finding(rule=thing.path, check="mutation", what=what, is_error=is_shipped)


def _score(rule: Rule, cases: CaseFile, mapping: LogMapping | None) -> Score | None:
    try:
        return mutation_score(rule, cases, mapping)
    except Unsupported:
        return None  # check_rule has named it


class _Trial:
    """One rule, compiled once for all of its cases."""

    def __init__(self, rule: Rule, mapping: LogMapping | None) -> None:
        self.rules: RuleSet = compile_rules([rule], mapping)
        self.sieve: SieveProgram = sieve_of([rule], mapping)
        self.scanner: LiteralScanner = scanner_for(self.sieve.literals)

    def faults(self, case: Case) -> Iterator[str]:
        """Yield a sentence for every way in which the case went wrong."""
        is_hit = bool(self.rules.match(case.event))
        if is_hit != case.hit:
            yield f"expected a {'hit' if case.hit else 'miss'}, the rule {'matches' if is_hit else 'does not match'}."
            return
        for name, text in serialisations(case.event):
            value = parse_record(text).value
            if bool(self.rules.match(value)) != case.hit:
                yield f"the matcher changes its answer when the event is written {name}."
            if case.hit and not self.sieve.unsieved and not self.scanner.may_hold_any(text):
                yield f"the sieve drops the hit when the event is written {name}."


def serialisations(event: Json) -> Iterator[tuple[str, bytes]]:
    """Yield ways in which the same event may stand in a log: a name and the UTF-8 bytes."""
    yield "compactly", json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    yield "with spaces", json.dumps(event, ensure_ascii=False, indent=2).encode()
    yield "with sorted keys and ASCII escapes", json.dumps(event, ensure_ascii=True, sort_keys=True, separators=(", ", " : ")).encode()
    yield r"with \/ for /", json.dumps(event, ensure_ascii=False).replace("/", "\\/").encode()
    yield r"with every letter as \uXXXX", _all_escaped(event)


def _all_escaped(event: Json) -> bytes:
    """Return the event with every character of every string spelled as an escape."""
    if isinstance(event, str):
        units = event.encode("utf-16-be", "surrogatepass")
        return b'"' + b"".join(b"\\u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2)) + b'"'
    if isinstance(event, dict):
        return b"{" + b",".join(_all_escaped(key) + b":" + _all_escaped(value) for key, value in event.items()) + b"}"
    if isinstance(event, list):
        return b"[" + b",".join(map(_all_escaped, event)) + b"]"
    return json.dumps(event).encode()
