"""What a run's coverage leaves open, in as few lines as say all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from aibr_hunt.cli.output import counted
from aibr_hunt.cli.parts import moment_text
from aibr_hunt.model.lead import CoverageRow, CoverageState, RunRecord
from aibr_hunt.model.window import Window

Unsettled: TypeAlias = dict[tuple[str, str], list[CoverageRow]]

# Names of correlations or log sources, and times they need, that one line holds; the report has a row for each.
SHOWN_NAMES = 3
_OF_CORRELATIONS = frozenset((CoverageState.NOT_JUDGED, CoverageState.PROVISIONAL))
# A cause names in brackets what of the time around the correlation needs: lines tell the sum of it.
_NEEDS = re.compile(r"(?P<head>[^(]*) \((?P<needs>[^)]*)\)(?P<tail>.*)", re.DOTALL)


@dataclass(slots=True)
class _Left:
    """Correlations of one source that were left open for one cause, here and there.

    Attributes:
        names: Theirs. `needs`: what they need of the time around. `times`: where they were left open, empty for everywhere.
    """

    names: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)
    times: set[str] = field(default_factory=set)


def unseen_lines(record: RunRecord) -> list[str]:
    """Return what was not seen: log sources first, then correlations, those of one source and cause in one line."""
    unsettled = _unsettled(record)
    absent: dict[str, set[str]] = {}
    for (_, source), rows in unsettled.items():
        for row in rows:
            if row.state not in _OF_CORRELATIONS:
                absent.setdefault(row.cause.replace(f"the log source {source}", "the log source"), set()).add(source)
    silent = {source for cause, sources in absent.items() for source in sources if cause.startswith("no file of ")}
    lines = [f"{_named(sorted(sources))}: {cause}" for cause, sources in sorted(absent.items())]
    return [*lines, *_correlation_lines(record, unsettled, silent)]


def _correlation_lines(record: RunRecord, unsettled: Unsettled, silent: AbstractSet[str]) -> Iterator[str]:
    names = {rule.id: rule.name for rule in record.rules}
    judged = {(row.rule_id, row.source) for row in record.coverage if row.state is CoverageState.SETTLED}
    found: dict[tuple[str, bool, str, str], _Left] = {}
    resting: set[str] = set()
    for (rule_id, source), rows in unsettled.items():
        left = [row for row in rows if row.state in _OF_CORRELATIONS]
        if not silent.isdisjoint(source.split(" + ")):
            resting |= {rule_id} if left else set()
            continue
        is_partly = (rule_id, source) in judged
        for cause in dict.fromkeys(row.cause for row in left):
            parts = _NEEDS.fullmatch(cause)
            head, needs, tail = (cause, "", "") if parts is None else parts.group("head", "needs", "tail")
            group = found.setdefault((source, is_partly, head, tail), _Left())
            group.names.add(names.get(rule_id, rule_id))
            group.needs |= {needs} if needs else set()
            group.times |= {_times(row.window for row in rows)} if is_partly else set()
    if resting:
        yield f"{counted(len(resting), 'correlation')} could not be judged, for want of these log sources"
    for (source, is_partly, head, tail), group in sorted(found.items()):
        when = "" if not is_partly else next(iter(group.times)) if len(group.times) == 1 else ", in part"
        needs = f" ({_named(sorted(group.needs))})" if group.needs else ""
        yield f"{source}{when}: {_named(sorted(group.names))}: {head}{needs}{tail}"


def _unsettled(record: RunRecord) -> Unsettled:
    found: Unsettled = {}
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
