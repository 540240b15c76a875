"""What a sweep asks, under which meanings and of which Sources: what `sweep status` and `sweep run --due` look up in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aibr_hunt.engines.program import AS_WRITTEN, meaning_digest
from aibr_hunt.errors import Unsupported
from aibr_hunt.hunt.asking import Asked, askable
from aibr_hunt.hunt.covered import moment_at
from aibr_hunt.hunt.due import due_spans
from aibr_hunt.hunt.schedule import History, Standing
from aibr_hunt.model.window import Window

if TYPE_CHECKING:
    from aibr_hunt.content.corpus import Corpus
    from aibr_hunt.content.library import Library
    from aibr_hunt.content.sweeps import Sweep
    from aibr_hunt.ledger import Ledger
    from aibr_hunt.model.correlation import Correlation
    from aibr_hunt.model.mapping import Mapping
    from aibr_hunt.model.rule import Rule
    from aibr_hunt.model.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """A rule or correlation of a sweep, and what it means.

    Attributes:
        digest: Of its meaning; empty when it is refused, and `refusal` says why.
        source: Its log source, or several joined, as runs over files tell of it.
    """

    thing: Rule | Correlation
    source: str
    digest: str = ""
    refusal: str = ""


def meant_rules(rules: Sequence[Rule], sweep: Sweep, library: Library) -> Iterator[Meant]:
    """Yield rules with what they mean."""
    for rule in rules:
        mapping = _mapping(rule, sweep, library)
        source = AS_WRITTEN if mapping is None else mapping.name
        try:
            yield Meant(thing=rule, source=source, digest=meaning_digest(rule, mapping))
        except Unsupported as refusal:
            yield Meant(thing=rule, source=source, refusal=str(refusal))


def meant_correlations(corpus: Corpus, sweep: Sweep, library: Library) -> Iterator[Meant]:
    """Yield the correlations that make leads of their own, with what they mean."""
    rules = {rule.id: (rule, _mapping(rule, sweep, library)) for rule in corpus.matched}
    digests: dict[str, str] = {}
    for rule_id, (rule, mapping) in rules.items():
        with suppress(Unsupported):
            digests[rule_id] = meaning_digest(rule, mapping)
    bound = {rule_id: pair for rule_id, pair in rules.items() if rule_id in digests}
    asked, refused = askable(corpus.correlations, rules=bound, digests=digests, silent=corpus.silent)
    meanings, refusals = asked.meanings(), dict(refused)
    known = Asked(correlations=corpus.correlations, rules=rules)
    for each in corpus.correlations:
        if each.id not in corpus.silent:
            digest, refusal = meanings.get(each.id, ""), refusals.get(each.path or each.id, "")
            yield Meant(thing=each, source=known.source_name(each), digest=digest, refusal="" if digest else refusal)


def _mapping(rule: Rule, sweep: Sweep, library: Library) -> Mapping | None:
    return None if sweep.source == AS_WRITTEN else library.mapping_for(rule.logsource)


def standings(meant: Meant, history: History, sources: Sequence[Source], *, overdue_before: datetime) -> Iterator[tuple[str, Standing]]:
    """Yield how a rule or correlation stands on each configured Source of its log source, and on files where runs read some.

    Args:
        meant: What it means.
        history: Of the ledger.
        sources: Those that are configured.
        overdue_before: What was last asked earlier (aware) is overdue.
    """
    if not meant.digest:
        yield meant.source, Standing(state=f"refused: {meant.refusal}")
        return
    looked = {look.row.source for look in history.looks(meant.digest)}
    labels = [each.label for each in sources if each.mapping.name == meant.source]
    for source in (*labels, *([meant.source] if meant.source in looked or not labels else [])):
        yield source, history.standing(meant.thing.id, meaning_digest=meant.digest, source=source, overdue_before=overdue_before)


def due_window(meant: Sequence[Meant], ledger: Ledger | None, sources: Sequence[Source], *, reach: Window, now: datetime) -> Window | None:
    """Return the window from the first moment within reach that some rule is due to be asked on some Source; None when nothing is due.

    Args:
        meant: The rules, those that only serve correlations too.
        ledger: Holds what was looked at; None where there is none.
        sources: Those that will be asked.
        reach: How far back is looked; bounded on both sides.
        now: The present, aware UTC.
    """
    firsts: list[int] = []
    for each in meant:
        looks = () if ledger is None or not each.digest else ledger.looks(each.digest)
        for source in sources if each.digest else ():
            if source.mapping.name == each.source:
                recheck = timedelta(seconds=source.layout.recheck_s)
                own = (look for look in looks if look.row.source == source.label)
                firsts += [start for start, _ in due_spans(own, reach, now=now, recheck=recheck)[:1]]
    return Window(start=moment_at(min(firsts)), end=reach.end) if firsts else None
