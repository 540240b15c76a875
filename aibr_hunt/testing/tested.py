"""Which rules have cases that hit: what coverage may call tested.

Every case that must hit is asked once, of the matcher or the correlator. That is less than `Bench.run`, which also asks the
near misses, the sieve, other spellings and other orders; it is enough to know that a rule finds what it was written for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from aibr_hunt.content.cache import Passed, digest_of_files
from aibr_hunt.content.cases import load_cases
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.correlation_cases import load_correlation_cases
from aibr_hunt.content.library import Library
from aibr_hunt.content.target import CLOUDS
from aibr_hunt.engines.program import AS_WRITTEN
from aibr_hunt.errors import AibrError
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.rule import Rule
from aibr_hunt.report.techniques import KnownRule, tags_of
from aibr_hunt.testing import cases_path_of
from aibr_hunt.testing.correlations import CorrelationTrial

NO_CASES: Final = "it has no cases"
NO_HIT: Final = "none of its cases must hit"
# The code on which the answer of a case rests: what was kept for other code is not taken for this one's.
_ROOMS: Final = ("meaning", "correlate", "testing", "content", "model")
_KEPT_AS: Final = "cases hit"


def known_rules(corpus: Corpus, library: Library, *, tell: Callable[[str], None] = lambda _: None) -> tuple[KnownRule, ...]:
    """Return every rule and correlation that makes leads of its own, with whether its cases hit.

    Args:
        corpus: What to look at.
        library: Gives mappings, and remembers which cases hit when it has a cache.
        tell: Called with the name of each rule before its cases are asked.
    """
    passed = None if library.cache is None else library.cache.passed
    asker = _Asker(corpus, library, passed)
    found: list[KnownRule] = []
    for thing in corpus.things:
        if thing.id not in corpus.silent:
            tell(thing.name)
            found.append(asker.known(thing))
    if passed is not None:
        passed.flush()
    return tuple(found)


class _Asker:
    """Asks the cases of one corpus."""

    def __init__(self, corpus: Corpus, library: Library, passed: Passed | None) -> None:
        self.corpus = corpus
        self.library = library
        self.passed = passed

    def known(self, thing: Rule | Correlation) -> KnownRule:
        """Return what coverage needs of one rule or correlation."""
        rules = self._rules_of(thing)
        why = self._why_untested(thing, rules)
        products = {rule.logsource.product.lower() for rule in rules}
        switches = (switch for each in (thing, *rules) for switch in each.requires)
        return KnownRule(
            id=thing.id,
            name=thing.name,
            tags=tags_of(thing.techniques),
            clouds=frozenset(cloud for cloud in CLOUDS if cloud in products),
            requires=tuple(dict.fromkeys(switches)),
            sources=tuple(dict.fromkeys(self._source_of(rule) for rule in rules)),
            is_tested=not why,
            why=why,
        )

    def _rules_of(self, thing: Rule | Correlation) -> tuple[Rule, ...]:
        return (thing,) if isinstance(thing, Rule) else self.corpus.only({thing.id}).matched

    def _source_of(self, rule: Rule) -> str:
        mapping = self.library.mapping_for(rule.logsource)
        return AS_WRITTEN if mapping is None else mapping.name

    def _why_untested(self, thing: Rule | Correlation, rules: Sequence[Rule]) -> str:
        path = cases_path_of(thing, self.corpus.files[thing.id])
        if not path.is_file():
            return NO_CASES
        try:
            digest = self._digest(thing, rules, path)
            if self.passed is not None and self.passed.has(_KEPT_AS, digest):
                return ""
            why = self._ask_rule(thing, path) if isinstance(thing, Rule) else self._ask_correlation(thing, path)
        except (AibrError, OSError) as error:
            return f"its cases cannot be asked: {str(error).splitlines()[0]}"
        if not why and self.passed is not None:
            self.passed.add(_KEPT_AS, digest)
        return why

    def _ask_rule(self, rule: Rule, path: Path) -> str:
        hits = load_cases(path, self.library.shown(path)).hits
        ruleset = compile_rules([rule], self.library.mapping_for(rule.logsource))
        return _first_miss((case.name, bool(ruleset.match(case.event))) for case in hits)

    def _ask_correlation(self, correlation: Correlation, path: Path) -> str:
        hits = load_correlation_cases(path, self.library.shown(path)).hits
        missed = CorrelationTrial(correlation, self.corpus, self.library).without_episode(hits) if hits else ()
        return _first_miss((case.name, case not in missed) for case in hits)

    def _digest(self, thing: Rule | Correlation, rules: Sequence[Rule], path: Path) -> str:
        """Return a digest of everything on which the answer rests."""
        whole = hashlib.sha256(_digest_of_code().encode())
        for rule in rules:
            mapping = self.library.mapping_for(rule.logsource)
            whole.update(f"{rule.text_digest}|{rule.predicate!r}|{'' if mapping is None else mapping.digest}\n".encode())
        if isinstance(thing, Correlation):
            whole.update("".join(each.text_digest for each in self.corpus.only({thing.id}).correlations).encode())
        whole.update(path.read_bytes())
        return whole.hexdigest()


def _first_miss(asked: Iterable[tuple[str, bool]]) -> str:
    """Return why the cases do not show that the rule hits; empty when all of them do."""
    count = 0
    for name, is_hit in asked:
        if not is_hit:
            return f"its case {name} does not hit"
        count += 1
    return "" if count else NO_HIT


@cache
def _digest_of_code() -> str:
    package = Path(__file__).resolve().parents[1]
    return digest_of_files(path for room in _ROOMS for path in sorted((package / room).glob("*.py")))
