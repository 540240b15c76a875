"""Windows of correlations in KQL: from occurrences to one row for each satisfying window.

KQL has no frames over time. Occurrences are put into the slot of the timespan in which they lie and into the next one, joined with the
windows' ends by slot and group, and kept when they lie in the window: each pair is met exactly once, ties included. Work and memory grow
with the number of pairs, that is with the events of a group within twice the timespan, never with the length of the span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from aibr_hunt.compile.correlation_plan import HOUR_US, Plan, leaf_of
from aibr_hunt.compile.correlation_sql_tables import group_names, value_names
from aibr_hunt.compile.correlation_sql_windows import run_is_feasible
from aibr_hunt.compile.kql import literal
from aibr_hunt.meaning.fold import fold
from aibr_hunt.model.correlation import Both, Comparison, CorrelationType, TemporalCondition, Threshold
from aibr_hunt.model.text import visible

_SIGNS: Final = {
    Comparison.GT: ">",
    Comparison.GTE: ">=",
    Comparison.LT: "<",
    Comparison.LTE: "<=",
    Comparison.EQ: "==",
    Comparison.NEQ: "!=",
}
_NEVER: Final = "datetime(1900-01-01)"


def length(micros: int) -> str:
    """Return a timespan literal."""
    if micros % 1_000_000 == 0:
        return f"{micros // 1_000_000}s"
    return f"{micros}microsecond"


def let(name: str, body: Sequence[str], note: str = "", *, is_kept: bool = False) -> list[str]:
    """Return a named table in lines; `is_kept`: it is computed once for all who read it."""
    text = list(body)
    text[0] = f"let {name} = {'materialize(' if is_kept else ''}{text[0]}"
    text[-1] += ");" if is_kept else ";"
    return [*([f"// {visible(note)}"] if note else []), *text]


class KqlWindows:
    """Prints the tables behind `occurrences_N` of one plan.

    Args:
        plan: What is printed.
    """

    def __init__(self, plan: Plan) -> None:
        """Name the columns once."""
        self._plan = plan
        self._found = plan.correlation
        self._number = plan.number
        self._from = f"occurrences_{plan.number}"
        self._groups = group_names(plan)
        self._values = value_names(plan)

    def text(self) -> list[str]:
        """Return the tables in lines; the last one is named `windows_N`."""
        match self._found.type:
            case CorrelationType.EVENT_COUNT:
                return self._event_count()
            case CorrelationType.VALUE_SUM | CorrelationType.VALUE_AVG:
                return self._sum()
            case CorrelationType.VALUE_COUNT | CorrelationType.SHARE:
                return self._value_count()
            case CorrelationType.TEMPORAL:
                return self._temporal()
            case CorrelationType.TEMPORAL_ORDERED:
                return self._ordered()
            case CorrelationType.FIRST_SEEN:
                return self._first_seen()
            case CorrelationType.RARE:
                return self._rare()
            case CorrelationType.SPIKE:
                return self._spike()
            case _:
                raise AssertionError("percentiles were refused")

    # -- pieces ----------------------------------------------------------------------------------------------------

    def _let(self, name: str, *body: str, note: str = "", is_kept: bool = False) -> list[str]:
        return let(f"{name}_{self._number}", body, note, is_kept=is_kept)

    def _is_one_of(self, numbers: Sequence[int]) -> str:
        return f"operand in ({', '.join(map(str, numbers))})"

    def _meets(self, figure: str, scale: str = "") -> str:
        """Return the thresholds on figure ÷ scale, without dividing."""
        tests = [f"{figure} {_SIGNS[each.comparison]} {_scaled(each, scale)}" for each in self._found.thresholds]
        return " and ".join(tests) or "true"

    def _slots(self, table: str, shown: Sequence[str], span: str, *, time: str = "t", is_ahead: bool = False) -> list[str]:
        """Return the rows of a table in the slot of their time and in each slot that a window may look from."""
        slots = [f"bin({time}, {span})", f"bin({time}, {span}) + {span}", *([f"bin({time}, {span}) - {span}"] if is_ahead else [])]
        parts = [f"    ({table} | project {', '.join([f'slot = {slot}', *shown])})" for slot in slots]
        return ["union", *(f"{part}," for part in parts[:-1]), parts[-1]]

    def _pairs(self, table: str, *, anchors: Sequence[int] = (), is_ahead: bool = False) -> list[str]:
        """Return tables of windows' ends beside each occurrence in the window."""
        micros = self._found.timespan_us
        span, slot = length(micros), length(max(micros, 1))
        shown = [*self._groups, "seen = t", *([] if table.startswith("single") else ["operand"]), *self._values]
        chosen = [f"| where {self._is_one_of(anchors)}"] if anchors else []
        until = f"t + {span}" if is_ahead else "t"
        return [
            *self._let(
                "ends",
                table,
                *chosen,
                f"| summarize event_id = take_any(event_id) by {', '.join([*self._groups, 't'])}",
                f"| extend slot = bin(t, {slot})",
                note="each time at which a window ends",
            ),
            *self._let("slotted", *self._slots(table, shown, slot, is_ahead=is_ahead), note="occurrences in the slots of the timespan"),
            *self._let(
                "pairs",
                f"ends_{self._number}",
                f"| join kind=inner slotted_{self._number} on {', '.join(['slot', *self._groups])}",
                f"| where seen >= t - {span} and seen <= {until}",
                note="each window's end beside each occurrence in it",
            ),
        ]

    @property
    def _ends(self) -> str:
        return ", ".join([*self._groups, "t", "event_id"])

    def _single(self) -> tuple[str, list[str]]:
        """Return a table in which an event of several operands stands once."""
        if len(self._plan.steps) == 1:
            return self._from, []
        reads = [(step.rule > 0, step.values) for step in self._plan.steps]
        field = ""
        if len(set(reads)) > 1:
            places = [str(reads.index(each)) for each in reads]
            tests = [f"operand == {number}, {place}" for number, place in enumerate(places[:-1], start=1)]
            field = f"field = case({', '.join([*tests, places[-1]])}), "
        names = ", ".join(["source", "event_id", "t", *self._groups, *self._values])
        note = "an event of several operands is one event"
        body = self._let("single", self._from, f"| summarize by {field}{names}", note=note, is_kept=True)
        return f"single_{self._number}", body

    # -- counts and numbers ----------------------------------------------------------------------------------------

    def _event_count(self) -> list[str]:
        table, before = self._single()
        return [
            *before,
            *self._pairs(table),
            *self._let(
                "windows",
                f"pairs_{self._number}",
                f"| summarize figure = count(), started = min(seen) by {self._ends}",
                f"| where {self._meets('figure')}",
            ),
        ]

    def _sum(self) -> list[str]:
        table, before = self._single()
        is_average = self._found.type is CorrelationType.VALUE_AVG
        return [
            *before,
            *self._pairs(table),
            *self._let(
                "windows",
                f"pairs_{self._number}",
                f"| summarize total = sum(v_1), numbers = countif(isnotnull(v_1)), started = min(seen) by {self._ends}",
                f"| where numbers > 0 and {self._meets('total', 'numbers' if is_average else '')}",
                f"| extend figure = {'toreal(total) / numbers' if is_average else 'total'}",
            ),
        ]

    def _value_count(self) -> list[str]:
        is_share = self._found.type is CorrelationType.SHARE
        listed = tuple(dict.fromkeys(map(fold, self._found.listed)))
        known = [f"isnotempty({value})" for value in self._values]
        counted = f"v_1 in ({', '.join(map(literal, listed))})" if is_share else " and ".join(known)
        size = str(len(listed)) if is_share else ""
        return [
            *self._pairs(self._from),
            *self._let(
                "windows",
                f"pairs_{self._number}",
                f"| summarize seen = min(seen) by {', '.join([self._ends, *self._values])}",
                f"| summarize figure = countif({counted}), started = min(seen) by {self._ends}",
                f"| where {self._meets('figure', size)}",
                *([f"| extend figure = toreal(figure) / {size}"] if is_share else []),
            ),
        ]

    # -- temporal --------------------------------------------------------------------------------------------------

    def _temporal(self) -> list[str]:
        condition, anchors = self._plan.condition, self._plan.anchors
        leaves = {(number, True) for number in self._plan.operands} if condition is None else set(self._leaves(condition))
        is_ahead = any(not is_there for _, is_there in leaves)
        counts = [
            f"{_flag(number, is_there)} = countif(operand == {number}{' and seen <= t' if is_there else ''})"
            for number, is_there in sorted(leaves)
        ]
        first = f"started = min(iff(seen <= t and {self._is_one_of(anchors)}, seen, datetime(null)))"
        holds = " and ".join(f"has_{number} > 0" for number in self._plan.operands) if condition is None else self._said(condition)
        return [
            *self._pairs(self._from, anchors=anchors, is_ahead=is_ahead),
            *self._let(
                "windows", f"pairs_{self._number}", f"| summarize {', '.join([*counts, first])} by {self._ends}", f"| where {holds}"
            ),
        ]

    def _leaves(self, condition: TemporalCondition) -> Iterator[tuple[int, bool]]:
        leaf = leaf_of(condition)
        if leaf is not None:
            yield self._plan.step_of(leaf[0]), leaf[1]
            return
        for item in getattr(condition, "items", ()):
            yield from self._leaves(item)

    def _said(self, condition: TemporalCondition) -> str:
        leaf = leaf_of(condition)
        if leaf is not None:
            return f"{_flag(self._plan.step_of(leaf[0]), leaf[1])} {'> 0' if leaf[1] else '== 0'}"
        joiner = " and " if isinstance(condition, Both) else " or "
        return "(" + joiner.join(self._said(item) for item in getattr(condition, "items", ())) + ")"

    def _ordered(self) -> list[str]:
        steps = self._plan.operands
        marks = ", ".join(f"is_{step} = max(iff(operand == {step}, 1, 0))" for step in steps)
        counts = [
            f"can_{'_'.join(map(str, chosen))} = countif({' + '.join(f'is_{step}' for step in chosen)} > 0)"
            for size in steps
            for chosen in combinations(steps, size)
        ]
        found = [
            *self._let(
                "ties",
                self._from,
                f"| summarize {marks} by {', '.join([*self._groups, 't', 'source', 'event_id'])}",
                f"| summarize {', '.join(counts)} by {', '.join([*self._groups, 't'])}",
                "| extend from_1 = " + f"iff({run_is_feasible(1, 1).lower()}, t, {_NEVER})",
                note="how many events of each time can take each set of steps, each event one of them",
                is_kept=True,
            )
        ]
        table = f"ties_{self._number}"
        for last in steps[1:]:
            found += self._step(table, last)
            table = f"step_{self._number}_{last}"
        reached = f"from_{steps[-1]}"
        keys = ", ".join([*self._groups, "t"])
        ids = f"({self._from} | where operand == {steps[-1]} | summarize event_id = take_any(event_id) by {keys})"
        return [
            *found,
            *self._let(
                "windows",
                table,
                f"| where {reached} > {_NEVER} and t - {reached} <= {length(self._found.timespan_us)}",
                f"| join kind=inner {ids} on {keys}",
                f"| project {', '.join([*self._groups, f'started = {reached}', 't', 'event_id'])}",
            ),
        ]

    def _step(self, table: str, last: int) -> list[str]:
        """Return the tables that give each time the latest start of a sequence of the first `last` steps."""
        micros = max(self._found.timespan_us, 1)
        span = length(micros)
        shown = [*self._groups, "seen = t", f"earlier = from_{last - 1}"]
        keys = ", ".join([*self._groups, "t"])
        options = [
            f"iff({run_is_feasible(first, last).lower()}, {'t' if first == 1 else f'before_{first}'}, {_NEVER})"
            for first in range(1, last + 1)
        ]
        kept = [f"can_{'_'.join(map(str, chosen))}" for size in self._plan.operands for chosen in combinations(self._plan.operands, size)]
        kept += [*(f"from_{step}" for step in range(1, last)), *(f"before_{step}" for step in range(2, last))]
        reached = f"{table} | where from_{last - 1} > {_NEVER}"
        return [
            *let(f"reached_{self._number}_{last}", self._slots(reached, shown, span)),
            *let(
                f"before_{self._number}_{last}",
                [
                    f"{table} | project {', '.join([*self._groups, 't', f'slot = bin(t, {span})'])}",
                    f"| join kind=inner reached_{self._number}_{last} on {', '.join(['slot', *self._groups])}",
                    f"| where seen < t and seen >= t - {span}",
                    f"| summarize before_{last} = max(earlier) by {keys}",
                ],
            ),
            *let(
                f"step_{self._number}_{last}",
                [
                    table,
                    f"| join kind=leftouter before_{self._number}_{last} on {keys}",
                    f"| project {', '.join([*self._groups, 't', *kept, f'before_{last} = coalesce(before_{last}, {_NEVER})'])}",
                    f"| extend from_{last} = max_of({', '.join(options)})",
                ],
                f"the latest start of a sequence that takes step {last} at each time",
                is_kept=True,
            ),
        ]

    # -- baselines -------------------------------------------------------------------------------------------------

    def _first_seen(self) -> list[str]:
        by = [*self._groups, *self._values]
        span = length(max(self._found.lookback_us, 1))
        keys = ", ".join(["source", "event_id", "t", *by])
        known = [f"isnotempty({value})" for value in self._values]
        people = f"{self._from} | where {self._is_one_of(self._plan.population)} | summarize by {', '.join(['t', *by])}"
        values = ", ".join(f"{value} = take_any({value})" for value in self._values)
        return [
            *self._let(
                "asked",
                self._from,
                f"| where {' and '.join([self._is_one_of(self._plan.operands), *known])}",
                f"| summarize by {keys}",
                is_kept=True,
            ),
            *self._let("slotted", *self._slots(people, [*by, "seen = t"], span), note="the population in the slots of the lookback"),
            *self._let(
                "known",
                f"asked_{self._number} | extend slot = bin(t, {span})",
                f"| join kind=inner slotted_{self._number} on {', '.join(['slot', *by])}",
                f"| where seen < t and seen >= t - {span}",
                f"| summarize by {keys}",
                note="events whose combination the population has shown within the lookback",
            ),
            *self._let(
                "windows",
                f"asked_{self._number}",
                f"| join kind=leftanti known_{self._number} on {keys}",
                f"| summarize {values or 'found = count()'} by {', '.join(['source', 'event_id', 't', *self._groups])}",
                "| extend started = t",
            ),
        ]

    def _rare(self) -> list[str]:
        by = [*self._groups, *self._values]
        hours = self._found.lookback_us // HOUR_US
        span = f"{hours}h"
        known = [f"isnotempty({value})" for value in self._values]
        counted = f"counted_{self._number}"
        return [
            *self._let(
                "counted",
                self._from,
                f"| where {self._is_one_of(self._plan.population)}",
                f"| summarize by {', '.join(['source', 'event_id', 't', *by])}",
                f"| summarize n = count() by {', '.join([*by, 'hour_start = bin(t, 1h)'])}",
                note="the population of each hour",
                is_kept=True,
            ),
            *self._let(
                "asked",
                self._from,
                f"| where {' and '.join([self._is_one_of(self._plan.operands), *known])}",
                f"| summarize by {', '.join(['source', 'event_id', 't', *by, 'hour_start = bin(t, 1h)'])}",
                is_kept=True,
            ),
            *self._hourly("of_value", by, counted=counted, span=span),
            *self._hourly("of_group", self._groups, counted=counted, span=span),
            *self._let(
                "windows",
                f"asked_{self._number}",
                f"| join kind=leftouter of_value_{self._number} on {', '.join([*by, 'hour_start'])}",
                f"| project {', '.join(['source', 'event_id', 't', *by, 'hour_start', 'of_value = coalesce(of_value, 0)'])}",
                f"| join kind=inner of_group_{self._number} on {', '.join([*self._groups, 'hour_start'])}",
                f"| where of_group >= {max(self._found.minimum, 1)} and {self._meets('of_value', 'of_group')}",
                "| extend figure = toreal(of_value) / of_group",
                f"| summarize figure = min(figure), {', '.join(f'{value} = take_any({value})' for value in self._values)}"
                f" by {', '.join(['source', 'event_id', 't', *self._groups])}",
                "| extend started = t",
            ),
        ]

    def _hourly(self, name: str, by: Sequence[str], *, counted: str, span: str) -> list[str]:
        """Return tables that sum the population's hours from the lookback to each asked hour."""
        keys = [*by, "hour_start"]
        return [
            *self._let(f"{name}_slots", *self._slots(counted, [*by, "past = hour_start", "n"], span, time="hour_start")),
            *self._let(
                name,
                f"asked_{self._number} | summarize by {', '.join(keys)} | extend slot = bin(hour_start, {span})",
                f"| join kind=inner {name}_slots_{self._number} on {', '.join(['slot', *by])}",
                f"| where past <= hour_start and past >= hour_start - {span}",
                f"| summarize {name} = sum(n) by {', '.join(keys)}",
            ),
        ]

    def _spike(self) -> list[str]:
        keys = [*self._groups, "hour_start"]
        hours = self._found.lookback_us // HOUR_US
        low, high = (hours + 1) // 2 - 1, hours // 2
        held = ", ".join([*keys, "c", "started", "t", "event_id"])
        scale = "max_of(decimal(1.4826) * mad_4, decimal(4))"
        return [
            *self._let(
                "tallies",
                self._from,
                f"| where {self._is_one_of(self._plan.population)}",
                f"| summarize by {', '.join(['source', 'event_id', 't', *self._groups])}",
                f"| summarize c = count() by {', '.join([*self._groups, 'hour_start = bin(t, 1h)'])}",
                note="the population of each hour",
                is_kept=True,
            ),
            *self._let(
                "series",
                f"{self._from} | where {self._is_one_of(self._plan.operands)}",
                f"| summarize started = min(t), arg_max(t, event_id) by {', '.join([*self._groups, 'hour_start = bin(t, 1h)'])}",
                f"| join kind=inner tallies_{self._number} on {', '.join(keys)}",
                f"| where c >= {max(self._found.minimum, 1)}",
                f"| mv-expand back = range(1, {hours}, 1) to typeof(long)",
                "| extend past = hour_start - back * 1h",
                f"| project {held}, past",
                f"| join kind=leftouter (tallies_{self._number} | project {', '.join([*self._groups, 'past = hour_start', 'n = c'])})"
                f" on {', '.join([*self._groups, 'past'])}",
                f"| project {held}, n = coalesce(n, 0)",
                note="each hour of the lookback, 0 where it holds nothing",
            ),
            *self._let(
                "windows",
                f"series_{self._number}",
                f"| summarize counts = array_sort_asc(make_list(n)) by {held}",
                f"| extend median_2 = tolong(counts[{low}]) + tolong(counts[{high}])",
                "| mv-expand n = counts to typeof(long)",
                f"| summarize distances = array_sort_asc(make_list(abs(2 * n - median_2))) by {held}, median_2",
                f"| extend mad_4 = tolong(distances[{low}]) + tolong(distances[{high}])",
                f"| where {self._meets('(4 * c - 2 * median_2)', scale)}",
                f"| extend figure = toreal(4 * c - 2 * median_2) / toreal({scale})",
                note="twice the median and four times the median distance are whole",
            ),
        ]


def _scaled(threshold: Threshold, scale: str) -> str:
    number = f"decimal({threshold.number:f})"
    return f"{number} * {scale}" if scale else number


def _flag(number: int, is_there: bool) -> str:  # noqa: FBT001 - a leaf's sign
    return f"has_{number}" if is_there else f"near_{number}"
