"""What a run's components come to beside those of earlier runs: episodes, their leads, and links between leads.

Pure: what earlier runs committed is handed in. docs/record.md section 4 is the specification.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from aibr_hunt.ledger import EarlierRow
from aibr_hunt.model.episode import EpisodeRow, LeadLink, LinkKind, Member
from aibr_hunt.model.window import Window, utc_text

LONGEST: Final = timedelta(hours=24)
TIMESPANS: Final = 10
"""An episode longer than LONGEST and than so many timespans goes on in a further lead."""


class Earlier(Protocol):
    """What earlier runs committed, as `aibr_hunt.ledger.EarlierEpisodes` reads it."""

    def touching(self, correlation_id: str, group: tuple[str, ...], *, first: datetime, last: datetime) -> list[EarlierRow]:
        """Return the rows of a group that overlap or touch a span."""
        ...

    def between(self, correlation_id: str, first: datetime | None, end: datetime | None) -> list[EarlierRow]:
        """Return the rows whose last event lies in a span."""
        ...

    def judged(self, correlation_id: str, meaning_digest: str) -> list[tuple[int, Window]]:
        """Return which windows which runs settled."""
        ...

    def links(self, correlation_id: str) -> list[LeadLink]:
        """Return the links of a correlation's leads."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What one lead of a correlation tells now.

    Attributes:
        lead_key: Identity key of the lead.
        windows: Satisfying windows of the whole episode.
        is_provisional: True when any part of it is.
        members: Those of this lead's span, ascending.
        continues: Lead of the span before it, in an overlong episode.
    """

    lead_key: str
    group: tuple[str, ...]
    first: datetime
    last: datetime
    windows: int
    figure: str
    is_provisional: bool
    members: tuple[Member, ...]
    continues: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a run commits for one correlation: its rows with their leads, links, and what each lead tells now."""

    rows: tuple[EpisodeRow, ...] = ()
    links: tuple[LeadLink, ...] = ()
    stories: tuple[Story, ...] = ()


def conclude(
    rows: Sequence[EpisodeRow], *, judged: Sequence[Window], earlier: Earlier, which: tuple[str, str], timespan: timedelta
) -> Conclusion:
    """Return what the new rows come to.

    Args:
        rows: Components of this run, without a lead yet.
        judged: Windows in which this run judged with everything covered: earlier rows whose anchors lie there no longer stand.
        earlier: What earlier runs committed.
        which: Id and meaning digest of the correlation.
        timespan: Its timespan; decides from when on an episode goes on in a further lead.
    """
    return _Settling(earlier, which, judged, limit=max(LONGEST, TIMESPANS * timespan)).of(rows)


@dataclass(slots=True)
class _Cluster:
    """Rows that are one episode, and the earlier leads that they touch."""

    rows: list[EpisodeRow]
    first: datetime
    last: datetime
    fresh: list[int] = field(default_factory=list)
    keys: dict[str, datetime] = field(default_factory=dict)


class _Settling:
    """Settles the rows of one correlation."""

    def __init__(self, earlier: Earlier, which: tuple[str, str], judged: Sequence[Window], *, limit: timedelta) -> None:
        self.earlier = earlier
        self.correlation_id, self.meaning = which
        self.judged = judged
        self.limit = limit
        self.judged_before = earlier.judged(*which)
        self.merged: dict[str, str] = {}
        self.superseded: set[str] = set()
        for link in earlier.links(self.correlation_id):
            if link.kind is LinkKind.MERGED_INTO:
                self.merged[link.lead_key] = link.other_key
            elif link.kind is LinkKind.SUPERSEDED:
                self.superseded.add(link.lead_key)

    def of(self, rows: Sequence[EpisodeRow]) -> Conclusion:
        """Return what the rows come to."""
        clusters = self._clusters(rows)
        taken: dict[str, _Cluster] = {}
        links: list[LeadLink] = []
        leads: dict[int, str] = {}
        stories: list[Story] = []
        for cluster in clusters:
            key, others = self._key_of(cluster, taken)
            taken[key] = cluster
            leads.update(dict.fromkeys(cluster.fresh, key))
            stories += self._stories(cluster, key)
            links += [self._link(other, LinkKind.MERGED_INTO, key) for other in others]
        links += [self._link(story.lead_key, LinkKind.CONTINUED_FROM, story.continues) for story in stories if story.continues]
        links += self._gone(taken, {link.lead_key for link in links if link.kind is LinkKind.MERGED_INTO})
        done = tuple(replace(row, lead_key=leads[index]) for index, row in enumerate(rows))
        return Conclusion(rows=done, links=tuple(links), stories=tuple(stories))

    def _link(self, key: str, kind: LinkKind, other: str = "") -> LeadLink:
        return LeadLink(correlation_id=self.correlation_id, lead_key=key, kind=kind, other_key=other)

    def _clusters(self, rows: Sequence[EpisodeRow]) -> list[_Cluster]:
        """Return the episodes that the new rows lie in, earliest first."""
        found: list[_Cluster] = []
        for index, row in sorted(enumerate(rows), key=lambda pair: (pair[1].group, pair[1].first, pair[1].last)):
            cluster = _Cluster(rows=[row], first=row.first, last=row.last, fresh=[index])
            self._gather(cluster, row.group)
            joined = [other for other in found if _touch(other, cluster) and other.rows[0].group == row.group]
            for other in joined:
                _absorb(cluster, other)
                found.remove(other)
            found.append(cluster)
        return sorted(found, key=lambda cluster: (cluster.first, cluster.rows[0].group))

    def _gather(self, cluster: _Cluster, group: tuple[str, ...]) -> None:
        """Add earlier rows that stand and touch, until none is left; note the leads of all that touch."""
        known: set[tuple[int, EpisodeRow]] = set()
        while True:
            touching = self.earlier.touching(self.correlation_id, group, first=cluster.first, last=cluster.last)
            fresh = [each for each in touching if (each.run, each.row) not in known]
            if not fresh:
                return
            for each in fresh:
                known.add((each.run, each.row))
                key = self._surviving(each.row.lead_key)
                cluster.keys[key] = min(each.row.first, cluster.keys.get(key, each.row.first))
                if each.row.meaning_digest == self.meaning and not self._is_replaced(each) and not _tells(cluster.rows[0], each.row):
                    cluster.rows.append(each.row)
                    cluster.first, cluster.last = min(cluster.first, each.row.first), max(cluster.last, each.row.last)

    def _surviving(self, key: str) -> str:
        while key in self.merged:
            key = self.merged[key]
        return key

    def _is_replaced(self, each: EarlierRow) -> bool:
        """True when a later run, or this one, judged all of the row's anchors with everything covered."""
        later = [window for run, window in self.judged_before if run > each.run]
        return any(_covers(window, each.row) for window in (*later, *self.judged))

    def _key_of(self, cluster: _Cluster, taken: Mapping[str, _Cluster]) -> tuple[str, list[str]]:
        """Return the lead that tells the cluster, and the leads that go on in it."""
        free = sorted((first, key) for key, first in cluster.keys.items() if key not in taken)
        if free:
            return free[0][1], [key for _, key in free[1:]]
        group = json.dumps(list(cluster.rows[0].group), ensure_ascii=False, separators=(",", ":"))
        key = f"episode|{self.correlation_id}|{group}|{utc_text(cluster.first)}"
        return (key if key not in taken else f"{key}|{utc_text(cluster.last)}"), []

    def _stories(self, cluster: _Cluster, key: str) -> Iterator[Story]:
        members = tuple(sorted({member for row in cluster.rows for member in row.members}))
        figures = [row.figure for row in cluster.rows if row.figure]
        whole = Story(
            lead_key=key,
            group=cluster.rows[0].group,
            first=cluster.first,
            last=cluster.last,
            windows=sum(row.windows for row in cluster.rows),
            figure=max(figures, key=float, default=""),
            is_provisional=any(row.is_provisional for row in cluster.rows),
            members=members,
        )
        yield from _pieces(whole, self.limit) if cluster.last - cluster.first > self.limit else (whole,)

    def _gone(self, taken: Mapping[str, _Cluster], merged: set[str]) -> Iterator[LeadLink]:
        """Yield a link for each lead of which no window stands any more."""
        gone: set[str] = set()
        for window in self.judged:
            for each in self.earlier.between(self.correlation_id, window.start, window.end):
                key = self._surviving(each.row.lead_key)
                is_ours = each.row.meaning_digest == self.meaning and key not in taken and key not in merged
                if is_ours and key not in self.superseded and key not in gone and not self._stands(each.row, key):
                    gone.add(key)
                    yield self._link(key, LinkKind.SUPERSEDED)

    def _stands(self, row: EpisodeRow, key: str) -> bool:
        """True when some row of the lead still stands, near `row` or further on."""
        near = self.earlier.touching(self.correlation_id, row.group, first=row.first - self.limit, last=row.last + self.limit)
        rows = [each for each in near if self._surviving(each.row.lead_key) == key]
        return any(each.row.meaning_digest != self.meaning or not self._is_replaced(each) for each in rows)


def _covers(window: Window, row: EpisodeRow) -> bool:
    return (window.start is None or window.start <= row.anchor) and (window.end is None or row.last < window.end)


def _tells(fresh: EpisodeRow, earlier: EpisodeRow) -> bool:
    """True when the new row holds all that an earlier one told: the same windows again, or more of them."""
    is_inside = fresh.anchor <= earlier.anchor and fresh.first <= earlier.first and earlier.last <= fresh.last
    return is_inside and set(earlier.members) <= set(fresh.members)


def _touch(one: _Cluster, other: _Cluster) -> bool:
    return one.first <= other.last and other.first <= one.last


def _absorb(cluster: _Cluster, other: _Cluster) -> None:
    cluster.rows += [row for row in other.rows if row not in cluster.rows]
    cluster.first, cluster.last = min(cluster.first, other.first), max(cluster.last, other.last)
    cluster.fresh += other.fresh
    for key, first in other.keys.items():
        cluster.keys[key] = min(first, cluster.keys.get(key, first))


def _pieces(whole: Story, limit: timedelta) -> Iterator[Story]:
    """Yield an overlong episode span by span: the first under its lead, the others under leads of their own."""
    start_us, step = whole.members[0].time_us, round(limit.total_seconds() * 1_000_000)
    spans: dict[int, list[Member]] = {}
    for member in whole.members:
        spans.setdefault((member.time_us - start_us) // step, []).append(member)
    before = ""
    for number, members in sorted(spans.items()):
        first, last = (whole.first + timedelta(microseconds=each.time_us - start_us) for each in (members[0], members[-1]))
        key = whole.lead_key if number == 0 else f"{whole.lead_key}|{number}"
        yield replace(whole, lead_key=key, first=first, last=last, members=tuple(members), continues=before)
        before = key
