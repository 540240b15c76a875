"""Satisfying windows of counts, measures and presence, as statements (docs/meaning.md section 7.2).

Each statement gives (g, first, last, num, den, e): the group, the times of the first and last event, the figure as an exact
quotient of integers, and the event itself where a window is one event. Windows that agree in all of it are one window.
Measured numbers are integers here, a million times the number: number form has six decimals at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from aibr_hunt.correlate.database import Sql, joined, sql
from aibr_hunt.correlate.plan import Node
from aibr_hunt.model.correlation import (
    Both,
    Comparison,
    CorrelationType,
    Either,
    Has,
    Lacks,
    TemporalCondition,
    Threshold,
)

_SCALE: Final = 1_000_000
_SIGNS: Final = {
    Comparison.GT: Sql(">"),
    Comparison.GTE: Sql(">="),
    Comparison.LT: Sql("<"),
    Comparison.LTE: Sql("<="),
    Comparison.EQ: Sql("="),
    Comparison.NEQ: Sql("<>"),
}
FIGURE: Final = Sql("CAST(NULL AS HUGEINT) AS num, CAST(NULL AS HUGEINT) AS den, CAST(NULL AS BIGINT) AS e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the rows of one correlation lie, each event once under each operand and group.

    Attributes:
        rows, values, history: Names of tables; they exist, empty or not.
        is_shared: True when one event may serve two operands.
    """

    rows: str
    values: str
    history: str
    is_shared: bool


def scaled(number: Decimal) -> int:
    """Return a million times the number."""
    return int(number.scaleb(6))


def holds(thresholds: tuple[Threshold, ...], *, num: Sql, den: Sql) -> Sql:
    """Return the test that num / den meets every threshold; den is positive."""
    parts = [
        sql(
            "($num)::HUGEINT * $scale $sign $number::HUGEINT * ($den)",
            num=num,
            scale=_SCALE,
            sign=_SIGNS[each.comparison],
            number=scaled(each.number),
            den=den,
        )
        for each in thresholds
    ]
    return joined(parts, " AND ") or Sql("TRUE")


def least_count(thresholds: tuple[Threshold, ...]) -> int:
    """Return a count that every window that satisfies has at least; 0 when the thresholds ask for none."""
    least = 0
    for each in thresholds:
        if each.comparison is Comparison.GT:
            least = max(least, int(each.number.to_integral_value(ROUND_FLOOR)) + 1)
        elif each.comparison in {Comparison.GTE, Comparison.EQ}:
            least = max(least, int(each.number.to_integral_value(ROUND_CEILING)))
    return least


def statement(node: Node, source: Source) -> Sql:
    """Return the statement for a correlation of a sliding window."""
    kind = node.correlation.type
    if kind is CorrelationType.EVENT_COUNT:
        hits = _event_count(node, source)
    elif kind in {CorrelationType.VALUE_COUNT, CorrelationType.SHARE}:
        hits = _value_count(node, source)
    elif kind is CorrelationType.TEMPORAL:
        hits = _temporal(node, source)
    else:
        hits = _measure(node, source)
    # Only windows that satisfy look for their first event: the earliest of the anchors' operands that is not out of reach.
    return sql(
        "WITH hits AS MATERIALIZED ($hits) SELECT h.g, a.t AS first, h.t AS last, h.num, h.den, CAST(NULL AS BIGINT) AS e FROM hits h"
        " ASOF JOIN (SELECT DISTINCT g, t FROM $rows WHERE o IN ($places) AND g IN (SELECT g FROM hits)) a"
        " ON h.g = a.g AND a.t >= h.t - $span",
        hits=hits,
        rows=source.rows,
        places=joined([sql("$place", place=place) for place in node.anchors], ", "),
        span=node.correlation.timespan_us,
    )


def _events(source: Source) -> Sql:
    if source.is_shared:
        return sql("(SELECT DISTINCT g, t, e FROM $rows)", rows=source.rows)
    return sql("$rows", rows=source.rows)


def _event_count(node: Node, source: Source) -> Sql:
    """Return the hits of a count; where it has a lower bound k, the k-th event up to one must lie in reach.

    The last of events of one time sees them all behind it, so ties are counted whole.
    """
    thresholds, span = node.correlation.thresholds, node.correlation.timespan_us
    least = least_count(thresholds)
    if least <= 1:
        return sql(
            "SELECT DISTINCT g, t, num, 1 AS den FROM (SELECT g, t, count(*) OVER (PARTITION BY g ORDER BY t"
            " RANGE BETWEEN $span PRECEDING AND CURRENT ROW) AS num FROM $events r) WHERE $holds",
            span=span,
            events=_events(source),
            holds=holds(thresholds, num=Sql("num"), den=Sql("1")),
        )
    return sql(
        "WITH near AS MATERIALIZED (SELECT DISTINCT g, t FROM (SELECT g, t, t - lag(t, $back) OVER (PARTITION BY g ORDER BY t) AS d"
        " FROM $events r) WHERE d <= $span), line AS MATERIALIZED (SELECT g, t, min(s) AS low, max(s) AS high FROM"
        " (SELECT g, t, row_number() OVER (PARTITION BY g ORDER BY t) AS s FROM $events r WHERE g IN (SELECT g FROM near)) GROUP BY g, t)"
        " SELECT * FROM (SELECT n.g, n.t, a.high - b.low + 1 AS num, 1 AS den FROM near n JOIN line a ON n.g = a.g AND n.t = a.t"
        " ASOF JOIN line b ON n.g = b.g AND b.t >= n.t - $span) WHERE $holds",
        back=least - 1,
        span=span,
        events=_events(source),
        holds=holds(thresholds, num=Sql("num"), den=Sql("1")),
    )


def _among(node: Node, source: Source) -> Sql:
    """Return the test that a group can have windows with as many values as the thresholds ask for at least."""
    thresholds = node.correlation.thresholds
    size = len(set(node.correlation.listed)) if node.correlation.type is CorrelationType.SHARE else 1
    least = least_count(tuple(Threshold(comparison=each.comparison, number=each.number * size) for each in thresholds))
    if least <= 1:
        return Sql("TRUE") if least < 1 else sql("g IN (SELECT g FROM $values)", values=source.values)
    return sql(
        "g IN (SELECT g FROM (SELECT g, t - lag(t, $back) OVER (PARTITION BY g ORDER BY t) AS d FROM (SELECT g, t FROM $values WHERE g IN"
        " (SELECT g FROM $values GROUP BY g HAVING count(DISTINCT v) >= $least))) WHERE d <= $span)",
        values=source.values,
        back=least - 1,
        least=least,
        span=node.correlation.timespan_us,
    )


def _valued(source: Source, *, columns: Sql, nothing: Sql, among: Sql) -> Sql:
    """Return the values of the groups, and a row without one for anchors that have none."""
    return sql(
        "(SELECT g, t, $columns FROM $values WHERE $among"
        " UNION ALL SELECT DISTINCT g, t, $nothing FROM (SELECT g, t FROM $rows WHERE $among) ANTI JOIN $values USING (g, t))",
        columns=columns,
        nothing=nothing,
        values=source.values,
        rows=source.rows,
        among=among,
    )


def _value_count(node: Node, source: Source) -> Sql:
    size = len(set(node.correlation.listed)) if node.correlation.type is CorrelationType.SHARE else 1
    return sql(
        "SELECT DISTINCT g, t, num, $size AS den FROM (SELECT g, t, count(DISTINCT v) OVER (PARTITION BY g ORDER BY t"
        " RANGE BETWEEN $span PRECEDING AND CURRENT ROW) AS num FROM $valued r) WHERE $holds",
        size=size,
        span=node.correlation.timespan_us,
        valued=_valued(source, columns=Sql("v"), nothing=Sql("NULL AS v"), among=_among(node, source)),
        holds=holds(node.correlation.thresholds, num=Sql("num"), den=sql("$size", size=size)),
    )


NUMBER: Final = Sql("CAST(CAST(v AS DECIMAL(21, 6)) * 1000000 AS HUGEINT)")


def _measure(node: Node, source: Source) -> Sql:
    correlation = node.correlation
    if correlation.type in {CorrelationType.VALUE_SUM, CorrelationType.VALUE_AVG}:
        den = Sql("n * 1000000") if correlation.type is CorrelationType.VALUE_AVG else Sql("1000000")
        columns = sql("total AS num, $den AS den", den=den)
        aggregates = Sql("sum(x) OVER w AS total")
        test = holds(correlation.thresholds, num=Sql("total"), den=den)
    else:
        columns = Sql("CAST(NULL AS HUGEINT) AS num, CAST(NULL AS HUGEINT) AS den")
        aggregates = joined([_ranks(place, each) for place, each in enumerate(correlation.thresholds)], ", ")
        share = Decimal(50) if correlation.percentile is None else correlation.percentile
        test = joined([_percentile_holds(place, each, share) for place, each in enumerate(correlation.thresholds)], " AND ")
    return sql(
        "SELECT DISTINCT g, t, $columns FROM (SELECT g, t, count(x) OVER w AS n, $aggregates FROM $valued r"
        " WINDOW w AS (PARTITION BY g ORDER BY t RANGE BETWEEN $span PRECEDING AND CURRENT ROW)) WHERE n > 0 AND $test",
        columns=columns,
        aggregates=aggregates,
        valued=_valued(source, columns=sql("$number AS x", number=NUMBER), nothing=Sql("NULL AS x"), among=Sql("TRUE")),
        span=correlation.timespan_us,
        test=test,
    )


# `percentile >= limit` is said of the numbers below the limit, `percentile > limit` of those not above it; other comparisons
# are made of these two.
_STRICT: Final = frozenset((Comparison.GT, Comparison.LTE))


def _ranks(place: int, threshold: Threshold) -> Sql:
    """Return the count of the numbers below the limit, the greatest of them, and the least of the others."""
    parts = [_rank(f"{place}_{side}", threshold.number, is_strict=side == "s") for side in _sides(threshold)]
    return joined(parts, ", ")


def _sides(threshold: Threshold) -> tuple[str, ...]:
    if threshold.comparison in {Comparison.EQ, Comparison.NEQ}:
        return ("s", "w")
    return ("s",) if threshold.comparison in _STRICT else ("w",)


def _rank(name: str, number: Decimal, *, is_strict: bool) -> Sql:
    return sql(
        "count(x) FILTER (WHERE x $below $limit::HUGEINT) OVER w AS $b, max(x) FILTER (WHERE x $below $limit::HUGEINT) OVER w AS $l,"
        " min(x) FILTER (WHERE NOT (x $below $limit::HUGEINT)) OVER w AS $u",
        below=Sql("<=" if is_strict else "<"),
        limit=scaled(number),
        b=f"b{name}",
        l=f"l{name}",
        u=f"u{name}",
    )


def _percentile_holds(place: int, threshold: Threshold, share: Decimal) -> Sql:
    strict = _reaches(f"{place}_s", threshold.number, share=share, is_strict=True)
    weak = _reaches(f"{place}_w", threshold.number, share=share, is_strict=False)
    match threshold.comparison:
        case Comparison.GT:
            return strict
        case Comparison.GTE:
            return weak
        case Comparison.LTE:
            return sql("NOT $it", it=strict)
        case Comparison.LT:
            return sql("NOT $it", it=weak)
        case Comparison.EQ:
            return sql("($weak AND NOT $strict)", weak=weak, strict=strict)
        case Comparison.NEQ:
            return sql("NOT ($weak AND NOT $strict)", weak=weak, strict=strict)


def _reaches(name: str, number: Decimal, *, share: Decimal, is_strict: bool) -> Sql:
    """Return the exact test that the interpolated percentile reaches (passes, when strict) the limit.

    Its rank is a whole part and `rest` parts of `whole`. Where all of it lies on one side of the limit, counting decides;
    where it lies between a number below and one not below, the two are weighed in integers.
    """
    whole = 100 * _SCALE
    return sql(
        "(CASE WHEN $b <= ($p * (n - 1)) // $whole THEN TRUE"
        " WHEN $b >= ($p * (n - 1)) // $whole + 2 OR ($p * (n - 1)) % $whole = 0 THEN FALSE"
        " ELSE $l * ($whole - ($p * (n - 1)) % $whole) + $u * (($p * (n - 1)) % $whole) $sign $limit::HUGEINT * $whole END)",
        b=f"b{name}",
        l=f"l{name}",
        u=f"u{name}",
        p=sql("$share::HUGEINT", share=scaled(share)),
        whole=whole,
        sign=Sql(">" if is_strict else ">="),
        limit=scaled(number),
    )


def _temporal(node: Node, source: Source) -> Sql:
    """Return the hits of presence: at each time, when each operand was seen last, and is seen next where it must be absent."""
    condition = node.condition or Both(items=tuple(Has(operand=operand.name) for operand in node.sources))
    places = {operand.name: place for place, operand in reversed(list(enumerate(node.sources)))}
    seen = [sql("max(t) FILTER (WHERE o = $place) OVER before AS $name", place=place, name=f"p{place}") for place in places.values()]
    if node.correlation.looks_forward:
        seen += [sql("min(t) FILTER (WHERE o = $place) OVER after AS $name", place=place, name=f"n{place}") for place in places.values()]
    return sql(
        "SELECT DISTINCT g, t, CAST(NULL AS HUGEINT) AS num, CAST(NULL AS HUGEINT) AS den FROM (SELECT o, g, t, $seen FROM $rows $among"
        " WINDOW before AS (PARTITION BY g ORDER BY t RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),"
        " after AS (PARTITION BY g ORDER BY t RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)) WHERE o IN ($anchors) AND $test",
        seen=joined(seen, ", "),
        rows=source.rows,
        among=_with_all(node, source, len(places)),
        anchors=joined([sql("$place", place=place) for place in node.anchors], ", "),
        test=_condition(condition, places, node.correlation.timespan_us),
    )


def _with_all(node: Node, source: Source, size: int) -> Sql:
    """Return the cheap restriction to groups that hold every operand, where every operand is asked for."""
    if node.condition is not None or len(node.sources) != size:
        return Sql("")
    return sql("WHERE g IN (SELECT g FROM $rows GROUP BY g HAVING count(DISTINCT o) = $size)", rows=source.rows, size=size)


def _condition(condition: TemporalCondition, places: dict[str, int], span: int) -> Sql:
    match condition:
        case Has(operand=operand):
            return sql("COALESCE($seen >= t - $span, FALSE)", seen=f"p{places[operand]}", span=span)
        case Lacks(item=Has(operand=operand)):
            parts = {"seen": f"p{places[operand]}", "next": f"n{places[operand]}"}
            return sql("NOT COALESCE($seen >= t - $span, FALSE) AND NOT COALESCE($next <= t + $span, FALSE)", span=span, **parts)
        case Lacks(item=item):
            return sql("NOT ($item)", item=_condition(item, places, span))
        case Both(items=items) | Either(items=items):
            word = " AND " if isinstance(condition, Both) else " OR "
            return sql("($items)", items=joined([sql("($item)", item=_condition(item, places, span)) for item in items], word))
