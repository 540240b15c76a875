"""Satisfying windows of `first_seen`, `rare` and `spike`, and the tallies to keep of their populations (docs/meaning.md section 7.3)."""

from __future__ import annotations

from typing import Final

from aibr_hunt.correlate.chosen import floored
from aibr_hunt.correlate.database import Sql, sql
from aibr_hunt.correlate.plan import Node
from aibr_hunt.correlate.reach import HOUR_US
from aibr_hunt.correlate.sliding import Source, holds
from aibr_hunt.model.correlation import CorrelationType

# The hour of a time.
HOUR: Final = sql("($floor // $hour)", floor=floored(Sql("t")), hour=HOUR_US)
# What history keeps of the group alone, beside its combinations: `rare` divides by it.
WHOLE_GROUP: Final = Sql("NULL")


def statement(node: Node, source: Source) -> Sql:
    """Return the statement for an hourly baseline or `first_seen`, in the columns that `sliding.statement` names."""
    if node.correlation.type is CorrelationType.FIRST_SEEN:
        return _first_seen(node, source)
    return _rare(node, source) if node.correlation.type is CorrelationType.RARE else _spike(node, source)


def _rules(node: Node) -> int:
    return len(node.correlation.operands)


def _first_seen(node: Node, source: Source) -> Sql:
    """Events whose combination the population shows nowhere in the lookback before them.

    Of a tally the first and the last event stand for all: it spans less than an hour, the lookback at least one.
    """
    return sql(
        "SELECT DISTINCT r.g, r.t AS first, r.t AS last, CAST(NULL AS HUGEINT) AS num, CAST(NULL AS HUGEINT) AS den, r.e"
        " FROM (SELECT * FROM $values WHERE o < $rules) r ASOF LEFT JOIN (SELECT DISTINCT g, v, t FROM"
        " (SELECT g, v, t FROM $values WHERE o = $population UNION ALL SELECT g, v, unnest([first, last]) AS t FROM $history)) p"
        " ON r.g = p.g AND r.v = p.v AND r.t > p.t WHERE p.t IS NULL OR p.t < r.t - $back",
        values=source.values,
        history=source.history,
        rules=_rules(node),
        population=node.population,
        back=node.correlation.lookback_us,
    )


def _rare(node: Node, source: Source) -> Sql:
    hours = node.correlation.lookback_us // HOUR_US
    return sql(
        "WITH asked AS (SELECT DISTINCT g, v, t, e, $hour AS h FROM $values WHERE o < $rules),"
        " pairs AS (SELECT g, v, h, sum(n) AS n FROM (SELECT g, v, $hour AS h, 1 AS n FROM $values WHERE o = $population"
        " UNION ALL SELECT g, v, h, n FROM $history WHERE v IS NOT NULL UNION ALL SELECT DISTINCT g, v, h, 0 FROM asked) GROUP BY g, v, h),"
        " wholes AS (SELECT g, h, sum(n) AS n FROM (SELECT g, $hour AS h, 1 AS n FROM $rows WHERE o = $population"
        " UNION ALL SELECT g, h, n FROM $history WHERE v IS NULL UNION ALL SELECT DISTINCT g, h, 0 FROM asked) GROUP BY g, h),"
        " near_pairs AS (SELECT g, v, h, sum(n) OVER (PARTITION BY g, v ORDER BY h RANGE BETWEEN $hours PRECEDING AND CURRENT ROW) AS num"
        " FROM pairs),"
        " near_wholes AS (SELECT g, h, sum(n) OVER (PARTITION BY g ORDER BY h RANGE BETWEEN $hours PRECEDING AND CURRENT ROW) AS den"
        " FROM wholes)"
        " SELECT g, t AS first, t AS last, min(num) AS num, min(den) AS den, e FROM asked JOIN near_pairs USING (g, v, h)"
        " JOIN near_wholes USING (g, h) WHERE den > 0 AND den >= $minimum AND $holds GROUP BY g, t, e",
        hour=HOUR,
        values=source.values,
        rows=source.rows,
        history=source.history,
        rules=_rules(node),
        population=node.population,
        hours=hours,
        minimum=node.correlation.minimum,
        holds=holds(node.correlation.thresholds, num=Sql("num"), den=Sql("den")),
    )


def _spike(node: Node, source: Source) -> Sql:
    """Hours whose count stands out; groups without a candidate are left out before hours without events are filled in.

    Medians of integers are multiples of a half and medians of distances from them multiples of a quarter: doubles tell them
    exactly, and from there on all is integers. (c - m) / max(1.4826 x MAD, 1) is brought over a denominator of 40,000.
    """
    return sql(
        "WITH asked AS (SELECT g, $hour AS h, min(t) AS first, max(t) AS last FROM $rows WHERE o < $rules GROUP BY ALL),"
        " counted AS (SELECT g, h, sum(n) AS c FROM (SELECT g, $hour AS h, 1 AS n FROM $rows WHERE o = $population"
        " UNION ALL SELECT g, h, n FROM $history) GROUP BY g, h),"
        " candidates AS MATERIALIZED (SELECT g, h, first, last FROM asked LEFT JOIN counted USING (g, h) WHERE COALESCE(c, 0) >= $minimum),"
        " filled AS (SELECT g, unnest(range(min(h) - $hours, max(h) + 1)) AS h FROM candidates GROUP BY g),"
        " line AS (SELECT g, h, CAST(COALESCE(c, 0) AS BIGINT) AS c FROM filled LEFT JOIN counted USING (g, h)),"
        " judged AS (SELECT g, h, c, CAST(median(c) OVER w * 2 AS HUGEINT) AS m, CAST(mad(c) OVER w * 4 AS HUGEINT) AS d FROM line"
        " WINDOW w AS (PARTITION BY g ORDER BY h ROWS BETWEEN $hours PRECEDING AND 1 PRECEDING))"
        " SELECT * FROM (SELECT g, first, last, (2 * c - m) * 20000 AS num, greatest(14826 * d, 40000) AS den, CAST(NULL AS BIGINT) AS e"
        " FROM candidates JOIN judged USING (g, h)) WHERE $holds",
        hour=HOUR,
        rows=source.rows,
        history=source.history,
        rules=_rules(node),
        population=node.population,
        hours=node.correlation.lookback_us // HOUR_US,
        minimum=node.correlation.minimum,
        holds=holds(node.correlation.thresholds, num=Sql("num"), den=Sql("den")),
    )


def tally_statement(node: Node, source: Source, *, start_us: int, end_us: int) -> Sql:
    """Return (g, v, h, n, first, last) of the population's events added with a time in [start, end); v is NULL for a group as a whole."""
    whole = _tallied(source.rows, node.population, value=WHOLE_GROUP)
    pairs = _tallied(source.values, node.population, value=Sql("v"))
    parts = {
        CorrelationType.FIRST_SEEN: pairs,
        CorrelationType.RARE: sql("$pairs UNION ALL $whole", pairs=pairs, whole=whole),
        CorrelationType.SPIKE: whole,
    }[node.correlation.type]
    return sql(
        "SELECT g, v, h, count(*) AS n, min(t) AS first, max(t) AS last FROM ($parts) WHERE t >= $start AND t < $end"
        " GROUP BY g, v, h ORDER BY g, h, v NULLS FIRST",
        parts=parts,
        start=start_us,
        end=end_us,
    )


def _tallied(table: str, population: int, *, value: Sql) -> Sql:
    return sql(
        "SELECT g, CAST($value AS VARCHAR) AS v, $hour AS h, t FROM $table WHERE o = $population",
        value=value,
        hour=HOUR,
        table=table,
        population=population,
    )
