"""Runs the cases of rules and correlations and the incidents of hunts, for the command line and for users' own test suites.

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
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from aibr_hunt.content.cases import Case, CaseFile, cases_path, load_cases
from aibr_hunt.content.checks import MIN_SCORE, Finding, Score, check_cases, check_rule, mutation_score
from aibr_hunt.content.corpus_checks import BLOCK_LEVEL, check_corpus
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
from aibr_hunt.testing.hunts import HuntBench
from aibr_hunt.testing.pool import in_order
from aibr_hunt.testing.results import Failure, HuntResult, RuleResult

__all__ = ["Bench", "Failure", "HuntBench", "HuntResult", "RuleResult", "serialisations"]

# Digits that a double does not tell apart, and numbers that none holds.
_LONG_NUMBER: Final = re.compile(r"[0-9]{16}|[0-9][eE]")
_PART: Final = "has no cases of its own: those of the correlation in its file test it."


# Name, what the checks found, and the mutation score.
Checked: TypeAlias = tuple[str, tuple[Finding, ...], Score | None]


class Bench:
    """Tests and checks rules against one set of content folders.

    Args:
        library: The content; None for the shipped one.
        is_scoring: False leaves out the mutants, which cost most of a check.
    """

    def __init__(self, library: Library | None = None, *, is_scoring: bool = True) -> None:
        """Read nothing yet."""
        self.library = library or Library()
        self.is_scoring = is_scoring

    def run(self, names: Sequence[str], *, processes: int = 1) -> Iterator[RuleResult]:
        """Yield the result of every rule and correlation below the named files and folders, those that only serve others included.

        Args:
            names: Files, folders, `shipped:` names.
            processes: How many processes work on them.

        Raises:
            UsageError: A name means nothing.
            EngineError: A process died.
        """
        corpus = self.library.load_rules(names)
        for shown, error in corpus.refused:
            yield RuleResult(rule=shown, path=shown, cases=0, failures=(Failure(case="", what=str(error)),))
        yield from in_order(_tested, (self, corpus), _keys(corpus), processes=processes)

    def run_rule(self, rule: Rule, file: Path) -> RuleResult:
        """Return the result of one rule's cases."""
        path = cases_path_of(rule, file)
        try:
            found = load_cases(path, self.library.shown(path))
            failures = tuple(self._failures(rule, found))
        except (ContentErrors, Unsupported) as error:
            return RuleResult(rule=rule.name, path=rule.path, cases=0, failures=(Failure(case="", what=str(error)),))
        return RuleResult(rule=rule.name, path=rule.path, cases=len(found.cases), failures=failures)

    def run_correlation(self, correlation: Correlation, corpus: Corpus) -> RuleResult:
        """Return the result of one correlation's cases; the corpus holds its rules."""
        path = cases_path_of(correlation, corpus.files[correlation.id])
        try:
            found = load_correlation_cases(path, self.library.shown(path))
            trial = CorrelationTrial(correlation, corpus, self.library)
            failures = tuple(Failure(case=case.name, what=f"{found.path}:{case.line}: {what}") for case, what in trial.faults(found.cases))
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

    def check(self, names: Sequence[str], *, processes: int = 1) -> Iterator[Checked]:
        """Yield for every rule and correlation its name, what the checks found, and its mutation score (None without cases).

        Args:
            names: Files, folders, `shipped:` names.
            processes: How many processes work on them.

        Raises:
            UsageError: A name means nothing.
            EngineError: A process died.
        """
        corpus = self.library.load_rules(names)
        for shown, error in corpus.refused:
            yield shown, (Finding(rule=shown, check="rule", what=str(error)),), None
        together = self.check_corpus(corpus)
        for name, found, score, ident in in_order(_checked, (self, corpus), _keys(corpus), processes=processes):
            yield name, (*found, *together.get(ident, ())), score

    def check_corpus(self, corpus: Corpus) -> dict[str, tuple[Finding, ...]]:
        """Return by id what is wrong with rules and correlations among the others: twins, and what is silenced by accident."""
        shipped = {ident: self._is_shipped(file) for ident, file in corpus.files.items()}
        silent = corpus.silent
        if any(thing.id in silent and shipped[thing.id] and thing.level != BLOCK_LEVEL for thing in corpus.things):
            silent &= self._silent_everywhere  # what lies in other folders may let it speak
        return check_corpus(corpus, mapping_for=self.library.mapping_for, is_shipped=shipped.__getitem__, silent=silent)

    @cached_property
    def _silent_everywhere(self) -> frozenset[str]:
        return frozenset(self.library.load_all().silent)

    def check_rule(self, rule: Rule, corpus: Corpus) -> tuple[tuple[Finding, ...], Score | None]:
        """Return what the checks found of one rule, and its mutation score; None without cases."""
        file = corpus.files[rule.id]
        mapping = self.library.mapping_for(rule.logsource)
        switches = switches_of(self.library.mappings)
        found = list(check_rule(rule, mapping, catalogue=self.library.catalogue, switches=switches))
        if _is_part(rule, corpus):
            return (*found, Finding(rule=rule.path, check="cases", what=_PART, is_error=False)), None
        cases, extra = self._cases_of(rule, file)
        is_shipped = self._is_shipped(file)
        found += extra or check_cases(rule, cases, mapping, is_shipped=is_shipped)
        score = None if cases is None or not self.is_scoring else _score(rule, cases, mapping)
        return (*found, *_weakness(rule, score, is_shipped=is_shipped)), score

    def check_correlation(self, correlation: Correlation, corpus: Corpus) -> tuple[tuple[Finding, ...], Score | None]:
        """Return what the checks found of one correlation, and its mutation score; None without cases. The corpus holds its rules."""
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
        is_shipped, path = self._is_shipped(file), cases_path_of(correlation, file)
        try:
            cases = load_correlation_cases(path, self.library.shown(path)) if path.exists() else None
            found += check_correlation_cases(correlation, cases, is_shipped=is_shipped)
            score = None
            if cases is not None and self.is_scoring:
                score = CorrelationTrial(correlation, corpus, self.library).score(cases)
        except (ContentErrors, Unsupported) as error:
            found.append(Finding(rule=correlation.path, check="cases", what=str(error)))
            return tuple(found), None
        return (*found, *_weakness(correlation, score, is_shipped=is_shipped)), score

    def _is_shipped(self, file: Path) -> bool:
        return file.resolve().is_relative_to((self.library.roots[0] / "rules").resolve())

    def _cases_of(self, rule: Rule, file: Path) -> tuple[CaseFile | None, tuple[Finding, ...]]:
        path = cases_path_of(rule, file)
        if not path.exists():
            return None, ()
        try:
            return load_cases(path, self.library.shown(path)), ()
        except AibrError as error:
            return None, (Finding(rule=rule.path, check="cases", what=str(error)),)


def _things(corpus: Corpus) -> tuple[Rule | Correlation, ...]:
    return *corpus.matched, *corpus.correlations


def _keys(corpus: Corpus) -> list[str]:
    return [thing.id for thing in _things(corpus)]


def _thing(corpus: Corpus, key: str) -> Rule | Correlation:
    return next(thing for thing in _things(corpus) if thing.id == key)


def _tested(shared: tuple[Bench, Corpus], key: str) -> RuleResult:
    bench, corpus = shared
    thing = _thing(corpus, key)
    if _is_part(thing, corpus):
        return _untested(thing)
    return bench.run_rule(thing, corpus.files[key]) if isinstance(thing, Rule) else bench.run_correlation(thing, corpus)


def _checked(shared: tuple[Bench, Corpus], key: str) -> tuple[str, tuple[Finding, ...], Score | None, str]:
    bench, corpus = shared
    thing = _thing(corpus, key)
    found = bench.check_rule(thing, corpus) if isinstance(thing, Rule) else bench.check_correlation(thing, corpus)
    return thing.name, *found, key


def cases_path_of(thing: Rule | Correlation, file: Path) -> Path:
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
    spaced = json.dumps(event, ensure_ascii=False)
    yield "compactly", json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    yield "with spaces", _indented(event, spaced)
    yield "with sorted keys and ASCII escapes", json.dumps(event, ensure_ascii=True, sort_keys=True, separators=(", ", " : ")).encode()
    yield r"with \/ for /", spaced.replace("/", "\\/").encode()
    yield r"with every letter as \uXXXX", _all_escaped(event).encode()


def _indented(event: Json, spaced: str) -> bytes:
    """Return the event over several lines; Python's own encoder writes those one value at a time."""
    if _LONG_NUMBER.search(spaced):
        return json.dumps(event, ensure_ascii=False, indent=2).encode()
    return orjson.dumps(orjson.loads(spaced), option=orjson.OPT_INDENT_2)


def _all_escaped(event: Json) -> str:
    """Return the event with every character of every string spelled as an escape."""
    if isinstance(event, str):
        units = event.encode("utf-16-be", "surrogatepass").hex("|", 2)
        return '"\\u' + units.replace("|", "\\u") + '"' if units else '""'
    if isinstance(event, dict):
        return "{" + ",".join([f"{_all_escaped(key)}:{_all_escaped(value)}" for key, value in event.items()]) + "}"
    if isinstance(event, list):
        return "[" + ",".join(map(_all_escaped, event)) + "]"
    return json.dumps(event)
