"""Which of the satisfying windows a run commits: those whose time is its own, where all that they need is covered (section 7.4).

Consecutive runs share a window out to exactly one of them: by the time of its last event in [start, end), or, for `rare` and
`spike`, by the end of its hour in (start, end], for before that end they are not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aibr_hunt.correlate.database import Sql, joined, sql
from aibr_hunt.correlate.reach import HOUR_US, HOURLY, Path, back_paths, forward_paths, rests_on_presence
from aibr_hunt.model.correlation import Correlation

_LAST: Final = Sql("last")


def floored(time: Sql) -> Sql:
    """Return the start of the hour that holds a time; the remainder of a negative time is negative, so it is taken twice."""
    return sql("($time - (($time % $hour) + $hour) % $hour)", time=time, hour=HOUR_US)


def of_run(correlation: Correlation, *, start_us: int | None, end_us: int | None) -> Sql:
    """Return the test that a window is the run's own."""
    is_hourly = correlation.type in HOURLY
    moment = sql("($floor + $hour)", floor=floored(_LAST), hour=HOUR_US) if is_hourly else _LAST
    low, high = (Sql(">"), Sql("<=")) if is_hourly else (Sql(">="), Sql("<"))
    parts = [
        sql("$moment $sign $bound", moment=moment, sign=sign, bound=bound)
        for sign, bound in ((low, start_us), (high, end_us))
        if bound is not None
    ]
    return joined(parts, " AND ") or Sql("TRUE")


def is_covered(correlation: Correlation, by_id: Mapping[str, Correlation], covered: Iterable[tuple[int, int]] | None) -> Sql:
    """Return the test that all that a window needs lies in one of the covered spans."""
    if covered is None:
        return Sql("TRUE")
    low = joined([_along(path) for path in sorted(back_paths(correlation, by_id), key=str)], ", ")
    high = joined([_along(path) for path in sorted(forward_paths(correlation, by_id), key=str)], ", ")
    parts = [
        sql("(least($low) >= $start AND greatest($high) < $end)", low=low, high=high, start=start, end=end)
        for start, end in united(covered)
    ]
    return sql("($parts)", parts=joined(parts, " OR ")) if parts else Sql("FALSE")


def _along(path: Path) -> Sql:
    time = _LAST
    for step in path:
        time = floored(time) if step is None else sql("($time + $step)", time=time, step=step)
    return time


def united(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return half-open spans, ascending, those that overlap or meet made one; empty ones are dropped."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def chosen(
    correlation: Correlation,
    by_id: Mapping[str, Correlation],
    *,
    windows: str,
    span: tuple[int | None, int | None],
    covered: Iterable[tuple[int, int]] | None,
) -> Sql:
    """Return the statement for a run's own windows, numbered k by group and time, with p true for provisional ones.

    Where something that a window needs is not covered, it is provisional when it rests on presence, and else left out.
    """
    has_all = is_covered(correlation, by_id, covered)
    may_be_provisional = rests_on_presence(correlation, by_id)
    return sql(
        "SELECT row_number() OVER (ORDER BY w) AS k, g, first, last, num, den, e, NOT $has_all AS p FROM $windows WHERE $own AND $kept",
        has_all=has_all,
        windows=windows,
        own=of_run(correlation, start_us=span[0], end_us=span[1]),
        kept=Sql("TRUE") if may_be_provisional else has_all,
    )
