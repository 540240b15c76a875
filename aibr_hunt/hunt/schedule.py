"""How a standing rule stands: which windows committed runs have covered under the meaning that it has now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from aibr_hunt.ledger import Ledger
from aibr_hunt.model.lead import CoverageState
from aibr_hunt.model.window import Window

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one rule on one source.

    Attributes:
        state: `settled`, `overdue`, `stale` (asked only with an older meaning), `never asked`, or the last run's state.
        windows: Settled windows under the meaning of now, joined where they touch, by start.
        last: When the last run that asked it ended; None for never.
    """

    state: str
    windows: tuple[Window, ...] = ()
    last: datetime | None = None


def standing_of(ledger: Ledger, *, rule_id: str, meaning_digest: str, source: str, overdue_before: datetime) -> Standing:
    """Return how a rule stands; a rule that was last asked before `overdue_before` (aware) is overdue."""
    rows = ledger.coverage_of(meaning_digest, source)
    windows = joined(tuple(row.window for row in rows if row.state is CoverageState.SETTLED))
    last = _last_asked(ledger, rule_id, meaning_digest)
    if not rows:
        return Standing(state="stale" if _was_asked(ledger, rule_id) else "never asked")
    state = rows[-1].state
    if state is not CoverageState.SETTLED:
        return Standing(state=state.value, windows=windows, last=last)
    return Standing(state="overdue" if last is not None and last < overdue_before else "settled", windows=windows, last=last)


def _was_asked(ledger: Ledger, rule_id: str) -> bool:
    return any(rule.id == rule_id for run in ledger.runs() for rule in ledger.rules(run.id))


def _last_asked(ledger: Ledger, rule_id: str, meaning_digest: str) -> datetime | None:
    for run in ledger.runs():
        if any(rule.id == rule_id and rule.meaning_digest == meaning_digest for rule in ledger.rules(run.id)):
            return run.ended
    return None


def joined(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """Return the union of windows as few windows that neither overlap nor touch, by start."""
    merged: list[Window] = []
    for window in sorted(windows, key=_start):
        if merged and _start(window) <= _end(merged[-1]):
            merged[-1] = Window(start=merged[-1].start, end=max(merged[-1], window, key=_end).end)
        else:
            merged.append(window)
    return tuple(merged)


def _start(window: Window) -> datetime:
    return window.start or _FIRST


def _end(window: Window) -> datetime:
    return window.end or _LAST
