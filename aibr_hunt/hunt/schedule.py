"""How a standing rule stands: which windows committed runs have covered under the meaning that it has now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aibr_hunt.ledger import Ledger
from aibr_hunt.model.lead import CoverageRow, CoverageState, Look
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


class History:
    """When each rule was last asked, and under which meaning.

    Args:
        ledger: Holds the coverage.
        last_asked: Id and end of the last run that asked a rule under a meaning, by rule id and meaning digest.
    """

    def __init__(self, ledger: Ledger, last_asked: Mapping[tuple[str, str], tuple[str, datetime]]) -> None:
        """Keep what is known; `read` learns it."""
        self._ledger = ledger
        self._coverage: dict[str, tuple[CoverageRow, ...]] = {}
        self._looks: dict[str, tuple[Look, ...]] = {}
        self._last_asked = last_asked
        self._rules = {rule_id for rule_id, _ in last_asked}

    @classmethod
    def read(cls, ledger: Ledger) -> History:
        """Return the history of all committed runs; each run is read once, however many rules are asked about."""
        last_asked: dict[tuple[str, str], tuple[str, datetime]] = {}
        for run in ledger.runs():
            for rule in ledger.rules(run.id):
                last_asked.setdefault((rule.id, rule.meaning_digest), (run.id, run.ended))
        return cls(ledger, last_asked)

    def standing(self, rule_id: str, *, meaning_digest: str, source: str, overdue_before: datetime) -> Standing:
        """Return how a rule stands on a Source; one that was last asked before `overdue_before` (aware) is overdue."""
        rows = tuple(look.row for look in self.looks(meaning_digest) if look.row.source == source)
        if not rows:
            return Standing(state="stale" if rule_id in self._rules else "never asked")
        windows = joined(tuple(row.window for row in rows if row.state is CoverageState.SETTLED))
        run_id, last = self._last_asked.get((rule_id, meaning_digest), ("", None))
        newest = [row for row in self._rows_of(run_id) if (row.meaning_digest, row.source) == (meaning_digest, source)] or rows[-1:]
        # A run may settle a part of its window only: what it left open is how the rule stands.
        state = next((row.state for row in newest if row.state is not CoverageState.SETTLED), CoverageState.SETTLED)
        is_overdue = state is CoverageState.SETTLED and last is not None and last < overdue_before
        return Standing(state="overdue" if is_overdue else state.value, windows=windows, last=last)

    def looks(self, meaning_digest: str) -> tuple[Look, ...]:
        """Return what committed runs looked at for one meaning, read once."""
        if meaning_digest not in self._looks:
            self._looks[meaning_digest] = self._ledger.looks(meaning_digest)
        return self._looks[meaning_digest]

    def _rows_of(self, run_id: str) -> tuple[CoverageRow, ...]:
        """Return the coverage of a run, read once; none for no run."""
        if run_id and run_id not in self._coverage:
            self._coverage[run_id] = self._ledger.coverage(run_id)
        return self._coverage.get(run_id, ())


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
