"""Correlations and baselines over events that the matcher has confirmed: the one implementation of docs/meaning.md section 7."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from aibr_hunt.correlate.answers import Answers
from aibr_hunt.correlate.database import connect, told
from aibr_hunt.correlate.plan import Node, planned
from aibr_hunt.correlate.reach import HOUR_US
from aibr_hunt.correlate.stage import Stage, together
from aibr_hunt.correlate.values import Component, Left, SatisfyingWindow
from aibr_hunt.errors import Unsupported, UsageError
from aibr_hunt.meaning.keys import KeyReader
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.episode import Tally
from aibr_hunt.model.event import Json

Covered: TypeAlias = Mapping[str, Sequence[tuple[int, int]]]


class Correlator:
    """Holds the thin rows of confirmed events and tells which windows of them satisfy.

    Events and tallies are added in any order; what is asked afterwards is judged over all that was added until then. `windows`
    yields one window at a time and suits tests and the ledger. In a dense group there may be a window for each event, so
    `components` forms the episodes inside the engine and Python holds one of them at a time.

    Args:
        correlations: In any order; with them every correlation that one of them names.
        readers: Gives the reader of a field of a rule, by rule id and field.
        memory_limit: How much memory the engine takes before it goes to disk, such as `2GB`.
        temporary: Folder that it goes to; a private one below the system's when None, shared by all correlators of the process.

    Raises:
        ContentError: A correlation that another one names is missing, or they rest on each other in a circle.
        Unsupported: A correlation asks for something without a meaning, or a mapping does not define a field.
    """

    def __init__(
        self,
        correlations: Sequence[Correlation],
        *,
        readers: Callable[[str, str], KeyReader],
        memory_limit: str = "2GB",
        temporary: Path | None = None,
    ) -> None:
        """Check the correlations and bind their fields."""
        self._nodes = planned(correlations)
        self._by_id = {node.correlation.id: node for node in self._nodes}
        self._given = tuple(dict.fromkeys(correlation.id for correlation in correlations))
        self._connection = connect(memory_limit, temporary)
        self._stage = Stage(self._nodes, readers, self._connection)
        self._answers: Answers | None = None

    def __enter__(self) -> Self:
        """Return the correlator itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give up the tables."""
        self.close()

    def close(self) -> None:
        """Give up the tables; nothing can be asked afterwards."""
        self._connection.close()

    @property
    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """The rules whose events must be added, operands and populations, each with the ids of the correlations that it serves."""
        return self._stage.rules

    def add(self, rule_id: str, *, event_id: str, time_us: int | None, event: Json) -> None:
        """Take one event that met a rule. The same event may be added any number of times and counts once.

        Args:
            rule_id: The rule; events of rules that serve no correlation are passed over.
            event_id: Identity and digest: the same for two deliveries of one content, different otherwise.
            time_us: Its time, microseconds of epoch; None when it is untimed.
            event: The parsed record.
        """
        with told("taking an event"):
            if self._stage.add(rule_id, event_id, time_us=time_us, event=event):
                self._outdate()

    def _outdate(self) -> None:
        """Let what is asked next be judged anew, and iterators that are still read end with an error."""
        if self._answers is not None:
            self._answers.is_outdated = True
            self._answers = None

    def add_tallies(self, correlation_id: str, tallies: Iterable[Tally]) -> None:
        """Take history that an earlier run kept.

        For `rare` and `spike` tallies and events must not tell of the same times twice; for `first_seen` they may.

        Raises:
            UsageError: The correlation keeps no tallies, or a tally is not of its form.
            Unsupported: `first_seen` looks back less than an hour: tallies do not tell times that closely.
        """
        node = self._tallied(correlation_id)
        if node.correlation.type is CorrelationType.FIRST_SEEN and node.correlation.lookback_us < HOUR_US:
            raise Unsupported("history of a first_seen", "its lookback is shorter than the hour that a tally tells of.")
        group, whole = len(node.correlation.group_by), len(node.correlation.group_by) + len(node.correlation.values)
        rows = self._stage.history[node.index].rows
        has_values = node.correlation.type is not CorrelationType.SPIKE
        for tally in tallies:
            keys = tally.combination
            is_whole_group = len(keys) == group and node.correlation.type is not CorrelationType.FIRST_SEEN
            if not is_whole_group and not (has_values and len(keys) == whole):
                raise UsageError(
                    f"A tally of {len(keys)} keys is none of the correlation {correlation_id}.", hint="Give the tallies it gave."
                )
            value = None if is_whole_group else together(keys[group:])
            rows.append((self._stage.groups.number(keys[:group]), value, tally.hour, tally.events, tally.first_us, tally.last_us))
        self._outdate()

    def tallies(self, correlation_id: str, *, start_us: int | None = None, end_us: int | None = None) -> Iterator[Tally]:
        """Yield what the population's events with a time in [start, end) gave, to be kept; tallies that were added are not among it."""
        node = self._tallied(correlation_id)
        return self._asked().tallies(node, start_us=start_us, end_us=end_us)

    def windows(
        self,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        covered: Covered | None = None,
        only: Collection[str] | None = None,
    ) -> Iterator[SatisfyingWindow]:
        """Yield the satisfying windows of a run over [start, end), by correlation, group and time.

        A window is the run's own when its last event lies in [start, end); of `rare` and `spike`, when the end of its hour lies
        in (start, end]. So consecutive runs share all windows out, each to one of them. Windows that agree in all are one.

        Args:
            start_us: Start of the run; None for no bound.
            end_us: End of the run; None for no bound.
            covered: For each correlation id the spans [from, to) in which the coverage of all its rules is settled; None when all
                is covered, and an id that is not listed is covered nowhere. Where something that a window needs is not covered, it
                is provisional when it rests on presence alone, and is not yielded otherwise.
            only: Ids of the correlations that are asked; None for all, those that others rest on among them.
        """
        answers = self._asked()
        for node in self._wanted(only):
            yield from answers.windows(node, span=(start_us, end_us), covered=_spans(node, covered))

    def components(
        self,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        covered: Covered | None = None,
        only: Collection[str] | None = None,
    ) -> Iterator[Component]:
        """Yield the connected components of what `windows` would yield, formed inside the engine."""
        answers = self._asked()
        for node in self._wanted(only):
            yield from answers.components(node, span=(start_us, end_us), covered=_spans(node, covered))

    def _wanted(self, only: Collection[str] | None) -> Iterator[Node]:
        return (self._by_id[each] for each in self._given if only is None or each in only)

    def _asked(self) -> Answers:
        """Return what is found in all that was added: judged anew when something came since."""
        if self._answers is None:
            with told("judging"):
                self._stage.write()
                self._answers = Answers(self._nodes, self._stage, self._connection)
        return self._answers

    def left_out(self) -> tuple[Left, ...]:
        """Return how many events took no part, by rule, field and reason."""
        with told("counting what was left out"):
            self._stage.write()
            if not self._stage.left.exists:
                return ()
            rows = self._connection.execute("SELECT r, count(DISTINCT id) FROM left_out JOIN events USING (e) GROUP BY r").fetchall()
        reasons = list(self._stage.reasons)
        found = ((reasons[number], count) for number, count in rows)
        return tuple(Left(rule_id=rule, field=field, reason=reason, events=count) for (rule, field, reason), count in sorted(found))

    def _tallied(self, correlation_id: str) -> Node:
        node = self._by_id.get(correlation_id)
        if node is None or not node.is_tallied:
            raise UsageError(f"The correlation {correlation_id} keeps no tallies.", hint="first_seen, rare and spike do.")
        return node


def _spans(node: Node, covered: Covered | None) -> Sequence[tuple[int, int]] | None:
    return None if covered is None else covered.get(node.correlation.id, ())
