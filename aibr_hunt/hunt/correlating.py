"""Correlations of one run: matched events in, episodes with their members and coverage out (docs/record.md section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aibr_hunt.correlate.chosen import united
from aibr_hunt.correlate.correlator import Correlator
from aibr_hunt.correlate.reach import HOUR_US, HOURLY, needed_span, reach_us, rests_on_presence
from aibr_hunt.hunt.asking import Asked, needs_of
from aibr_hunt.hunt.coverage import Claim
from aibr_hunt.hunt.covered import (
    FAR_US,
    Reach,
    Span,
    common,
    judged_spans,
    moment_at,
    rest_of,
    settled_spans,
    time_us_of,
    us_of,
    window_of,
)
from aibr_hunt.hunt.episodes import Conclusion, Earlier, Story, conclude
from aibr_hunt.hunt.history import Sheets, covers, history, hours_of, whole_hours
from aibr_hunt.hunt.spool import Spool, event_id
from aibr_hunt.hunt.stories import SHOWN_MEMBERS, event_of_story
from aibr_hunt.ledger import sheet_of
from aibr_hunt.model.correlation import Correlation, CorrelationType
from aibr_hunt.model.episode import EpisodeRow, LeadLink, Member, Tally, TallySheet
from aibr_hunt.model.event import Hit
from aibr_hunt.model.lead import CoverageRow, CoverageState, RuleRow
from aibr_hunt.model.window import Window

# Members of one component whose raw events are kept; of a longer one the rest is kept by identity and time.
KEPT_MEMBERS: Final = 10_000
_TALLIED: Final = frozenset((CorrelationType.FIRST_SEEN, CorrelationType.RARE, CorrelationType.SPIKE))


@dataclass(slots=True)
class Committed:
    """What a run commits of its correlations, gathered while they are judged."""

    rows: list[EpisodeRow] = field(default_factory=list)
    links: list[LeadLink] = field(default_factory=list)
    sheets: list[TallySheet] = field(default_factory=list)
    coverage: list[CoverageRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    episodes: Counter[str] = field(default_factory=Counter)


class Correlating:
    """Feeds the matched events of a run to its correlations, and judges them once all are there."""

    def __init__(self, asked: Asked, *, window: Window, spool: Spool, sheets: Sheets) -> None:
        """Prepare.

        Args:
            asked: What is asked.
            window: The run's own window: episodes are committed whose windows end in it.
            spool: Keeps events until it is known which are members.
            sheets: Gives the tallies that earlier runs kept of a baseline.
        """
        self.asked = asked
        self.window = window
        self.spool = spool
        self.by_id = {each.id: each for each in asked.correlations}
        self.digests = asked.meanings()
        self.correlator = Correlator(asked.correlations, readers=asked.reader)
        self.found = Committed()
        self._members = {operand.id for each in asked.correlations for operand in each.operands}
        self._told = [each for each in asked.correlations if each.id not in asked.silent]
        self._remembered: dict[str, list[Tally]] = {}
        self.scan_span = self._scan_span(sheets)
        for correlation_id, tallies in self._remembered.items():
            self.correlator.add_tallies(correlation_id, tallies)

    @property
    def scan_window(self) -> Window:
        """What must be read: the run's window, widened by what the correlations need before and after it."""
        return window_of(self.scan_span)

    @property
    def rule_rows(self) -> tuple[RuleRow, ...]:
        """Each correlation that makes leads, as the run freezes it."""
        return tuple(self.asked.row(each, self.digests[each.id]) for each in self._told)

    def _scan_span(self, sheets: Sheets) -> Span:
        """Return what must be read; whatever earlier runs remember of a baseline's history need not be."""
        asked = us_of(self.window)
        remembering = {each.id: kept for each in self._told if _is_tallied(each) and (kept := sheets(each.id, self.digests[each.id]))}
        inner = {operand.id for each in self.asked.correlations for operand in each.operands if operand.is_correlation}
        remembering = {key: kept for key, kept in remembering.items() if key not in inner and asked[0] != -FAR_US}
        while True:
            read = [needed_span(each, self.by_id, start_us=asked[0], end_us=asked[1]) for each in self._told if each.id not in remembering]
            start, end = min([asked[0], *(span[0] for span in read)]), max([asked[1], *(span[1] for span in read)])
            start, end = hours_of((start, end)) if any(map(_is_tallied, self._told)) else (start, end)
            lacking = [key for key, kept in remembering.items() if not covers(kept, self._history_span(self.by_id[key], start))]
            if not lacking:
                break
            for key in lacking:
                del remembering[key]
        self._remembered = {key: history(kept, self._history_span(self.by_id[key], start)) for key, kept in remembering.items()}
        return max(start, -FAR_US), min(end, FAR_US)

    def _history_span(self, baseline: Correlation, scan_start: int) -> Span:
        """Return the whole hours before the scan that a baseline's history needs."""
        first, _ = needed_span(baseline, self.by_id, start_us=us_of(self.window)[0], end_us=us_of(self.window)[0] + HOUR_US)
        return hours_of((first, scan_start))

    def add(self, hit: Hit) -> None:
        """Take one hit; events of rules that serve no correlation are passed over."""
        serving = [rule_id for rule_id in hit.rule_ids if rule_id in self.correlator.needed]
        if not serving:
            return
        event = hit.event
        time_us = None if event.time is None else time_us_of(event.time)
        for rule_id in serving:
            self.correlator.add(rule_id, event_id=event_id(event), time_us=time_us, event=event.value)
        if not self._members.isdisjoint(serving):
            self.spool.keep(event)

    def hits(self, earlier: Earlier, claims: Mapping[str, Sequence[Claim]]) -> Iterator[Hit]:
        """Judge every correlation and yield what becomes evidence: members, then episodes.

        Args:
            earlier: What earlier runs committed.
            claims: What is known of each source over `scan_window`, by its name.
        """
        member_of: dict[str, list[str]] = {}
        told: list[tuple[Correlation, Story]] = []
        for correlation in self._told:
            conclusion = self._judge(correlation, earlier, claims)
            told += [(correlation, story) for story in conclusion.stories]
            for row in conclusion.rows:
                for member in row.members[:KEPT_MEMBERS]:
                    member_of.setdefault(member.event, []).append(correlation.id)
        self.found.notes += [self.asked.sentence(left) for left in self.correlator.left_out()]
        for event in self.spool.events(member_of):
            yield Hit(event=event, rule_ids=(), member_of=tuple(member_of[event_id(event)]))
        for correlation, story in told:
            shown = list(self.spool.events(member.event for member in story.members[:SHOWN_MEMBERS]))
            event = event_of_story(correlation, self.digests[correlation.id], story, shown=shown)
            yield Hit(event=event, rule_ids=(correlation.id,))

    def _judge(self, correlation: Correlation, earlier: Earlier, claims: Mapping[str, Sequence[Claim]]) -> Conclusion:
        asked, reach = us_of(self.window), self._reach(correlation)
        covered = self._covered(correlation, claims)
        reached = self._open_sides(correlation, covered)
        rows = list(self._rows(correlation, reached))
        # Earlier episodes give way only where all around them was read: what lies beyond the files may be where they were seen.
        windows = [window_of(span) for span in judged_spans(covered, reach, asked=asked)]
        timespan, digest = timedelta(microseconds=correlation.timespan_us), self.digests[correlation.id]
        conclusion = conclude(rows, judged=windows, earlier=earlier, which=(correlation.id, digest), timespan=timespan)
        self.found.rows += conclusion.rows
        self.found.links += conclusion.links
        self.found.episodes[correlation.id] += len(conclusion.stories)
        files = _within(asked, covered)
        judged = common([judged_spans(reached, reach, asked=asked), [files]])
        self._cover(correlation, [window_of(span) for span in judged], [window_of(span) for span in rest_of(files, judged)])
        self._keep_tallies(correlation, claims)
        return conclusion

    def _covered(self, correlation: Correlation, claims: Mapping[str, Sequence[Claim]]) -> tuple[Span, ...]:
        """Return where everything is known that the correlation rests on, remembered history included."""
        spans = list(common([settled_spans(claims[name]) for name in self.asked.sources_of(correlation, self.by_id)]))
        if correlation.id in self._remembered:
            spans.append(self._history_span(correlation, self.scan_span[0]))
        return united(spans)

    def _open_sides(self, correlation: Correlation, covered: Sequence[Span]) -> tuple[Span, ...]:
        """Return the covered spans, open where presence decides and the run has no bound: what lies beyond the files could only add."""
        spans = list(covered)
        if spans and rests_on_presence(correlation, self.by_id):
            spans[0] = (-FAR_US if self.window.start is None else spans[0][0], spans[0][1])
            spans[-1] = (spans[-1][0], FAR_US if self.window.end is None else spans[-1][1])
        return tuple(spans)

    def _reach(self, correlation: Correlation) -> Reach:
        has_inner = any(operand.is_correlation for operand in correlation.operands)
        if correlation.type in HOURLY and not has_inner:
            return Reach(back=correlation.lookback_us, forward=0, is_hourly=True)
        back, forward = reach_us(correlation, self.by_id)
        return Reach(back=back, forward=forward, is_hourly=correlation.type in HOURLY)

    def _rows(self, correlation: Correlation, covered: Sequence[Span]) -> Iterator[EpisodeRow]:
        start, end = us_of(self.window)
        found = self.correlator.components(
            start_us=None if start == -FAR_US else start,
            end_us=None if end == FAR_US else end,
            covered={correlation.id: covered},
            only=(correlation.id,),
        )
        for each in found:
            members = tuple(sorted(Member(time_us=time_us, event=event) for event, time_us in self.spool.times(each.members)))
            yield EpisodeRow(
                correlation_id=correlation.id,
                meaning_digest=self.digests[correlation.id],
                group=each.group,
                first=moment_at(each.first_us),
                last=moment_at(each.last_us),
                anchor=moment_at(each.anchor_us),
                windows=each.windows,
                figure="" if each.figure is None else f"{each.figure.normalize():f}",
                is_provisional=each.is_provisional,
                members=members,
            )

    def _cover(self, correlation: Correlation, judged: Sequence[Window], rest: Sequence[Window]) -> None:
        """Note where the correlation was judged, and where not and why."""
        source = self.asked.source_name(correlation)
        names = {"meaning_digest": self.digests[correlation.id], "rule_id": correlation.id, "source": source}
        self.found.coverage += [
            CoverageRow(**names, window=window, state=CoverageState.SETTLED, cause="all that it rests on is covered") for window in judged
        ]
        is_found = rests_on_presence(correlation, self.by_id)
        what = "what was found there is provisional" if is_found else "nothing was judged there, for it rests on absence too"
        cause = f"not all that it rests on is covered here ({needs_of(correlation)}); {what}"
        state = CoverageState.PROVISIONAL if is_found else CoverageState.NOT_JUDGED
        self.found.coverage += [CoverageRow(**names, window=window, state=state, cause=cause) for window in rest]

    def _keep_tallies(self, correlation: Correlation, claims: Mapping[str, Sequence[Claim]]) -> None:
        """Keep the tallies of a baseline's population for later runs: whole hours that were read and are known whole."""
        if not _is_tallied(correlation) or correlation.population is None:
            return
        settled = settled_spans(claims[self.asked.source_of(correlation.population.id)])
        for span in settled:
            start, end = whole_hours((max(span[0], self.scan_span[0]), min(span[1], self.scan_span[1])))
            if start < end:
                tallies = self.correlator.tallies(correlation.id, start_us=start, end_us=end)
                sheet = sheet_of(correlation.id, self.digests[correlation.id], window_of((start, end)), tallies=tallies)
                self.found.sheets.append(sheet)


def _is_tallied(correlation: Correlation) -> bool:
    """True when tallies by the hour tell its history: those of a lookback shorter than an hour do not."""
    return correlation.type in _TALLIED and correlation.lookback_us >= HOUR_US


def _within(asked: Span, covered: Sequence[Span]) -> Span:
    """Return what was asked, its open sides closed by what is covered."""
    if not covered:
        return asked
    start, end = asked
    return (covered[0][0] if start == -FAR_US else start), (covered[-1][1] if end == FAR_US else end)
