"""What a run's coverage leaves open, in as few lines as say all of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from aibr_hunt.cli.parts import moment_text
from aibr_hunt.model.lead import CoverageRow, CoverageState, RunRecord
from aibr_hunt.model.window import Window

# Names of correlations that one line holds; the report has a row for each.
SHOWN_NAMES = 6
_OF_CORRELATIONS = frozenset((CoverageState.NOT_JUDGED, CoverageState.PROVISIONAL))


def unseen_lines(record: RunRecord) -> list[str]:
    """Return a line for each source, time and cause; correlations that share all three stand in one."""
    names = {rule.id: rule.name for rule in record.rules}
    judged = {(row.rule_id, row.source) for row in record.coverage if row.state is CoverageState.SETTLED}
    whose: dict[tuple[str, str], set[str]] = {}
    for (rule_id, source), rows in _unsettled(record).items():
        at = _times(row.window for row in rows) if (rule_id, source) in judged else ""
        for cause, state in dict.fromkeys((row.cause, row.state) for row in rows):
            # Of the others the source is at fault, and all its rules with it.
            own = {names.get(rule_id, rule_id)} if state in _OF_CORRELATIONS else ()
            whose.setdefault((f"{source}{at}", cause), set()).update(own)
    return [": ".join(part for part in (where, _named(sorted(found)), cause) if part) for (where, cause), found in sorted(whose.items())]


def _unsettled(record: RunRecord) -> dict[tuple[str, str], list[CoverageRow]]:
    found: dict[tuple[str, str], list[CoverageRow]] = {}
    for row in record.coverage:
        if row.state is not CoverageState.SETTLED:
            found.setdefault((row.rule_id, row.source), []).append(row)
    return found


def _times(windows: Iterator[Window]) -> str:
    """Return windows as one phrase that follows a source's name: ` before …`, ` from … to …`, ` from … on`."""
    return " and".join(map(_time, dict.fromkeys(windows)))


def _time(window: Window) -> str:
    if window.start is None:
        return f" before {_second(window.end)}" if window.end is not None else ""
    start = f" from {_second(window.start)}"
    return f"{start} on" if window.end is None else f"{start} to {_second(window.end)}"


def _second(moment: datetime) -> str:
    """Return the second in which a moment lies: what is left open is told to the second, and exactly in the report."""
    return moment_text(moment.replace(microsecond=0))


def _named(names: list[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")
