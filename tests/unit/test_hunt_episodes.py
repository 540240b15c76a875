"""Episodes across runs: what the rows of one run come to beside those of earlier ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aibr_hunt.hunt.episodes import Conclusion, conclude
from aibr_hunt.ledger import EarlierRow
from aibr_hunt.model.episode import EpisodeRow, LeadLink, LinkKind, Member
from aibr_hunt.model.window import Window
from tests.unit.ledger_samples import T0

CORRELATION, MEANING = "00000000-0000-4000-8000-000000000101", "m1"


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def row(first: float, last: float, *, group: str = "a", anchor: float | None = None, meaning: str = MEANING) -> EpisodeRow:
    """Return a component from minute `first` to minute `last` with a member at each end."""
    members = tuple(Member(time_us=round(at(minute).timestamp() * 1_000_000), event=f"{group}{minute}") for minute in sorted({first, last}))
    return EpisodeRow(
        correlation_id=CORRELATION,
        meaning_digest=meaning,
        group=(group,),
        first=at(first),
        last=at(last),
        anchor=at(last if anchor is None else anchor),
        windows=1,
        members=members,
    )


@dataclass
class Memory:
    """What runs committed, as the ledger would read it."""

    rows: list[EarlierRow] = field(default_factory=list)
    settled: list[tuple[int, str, Window]] = field(default_factory=list)
    linked: list[LeadLink] = field(default_factory=list)
    runs: int = 0

    def touching(self, correlation_id: str, group: tuple[str, ...], *, first: datetime, last: datetime) -> list[EarlierRow]:
        assert correlation_id == CORRELATION
        return [each for each in self.rows if each.row.group == group and each.row.first <= last and each.row.last >= first]

    def between(self, correlation_id: str, first: datetime | None, end: datetime | None) -> list[EarlierRow]:
        assert correlation_id == CORRELATION
        return [each for each in self.rows if (first is None or each.row.last >= first) and (end is None or each.row.last < end)]

    def judged(self, correlation_id: str, meaning_digest: str) -> list[tuple[int, Window]]:
        assert correlation_id == CORRELATION
        return [(run, window) for run, meaning, window in self.settled if meaning == meaning_digest]

    def links(self, correlation_id: str) -> list[LeadLink]:
        assert correlation_id == CORRELATION
        return self.linked

    def run(self, rows: Sequence[EpisodeRow], judged: Window | None, *, meaning: str = MEANING, timespan_minutes: float = 10) -> Conclusion:
        """Commit one run."""
        windows = () if judged is None else (judged,)
        timespan = timedelta(minutes=timespan_minutes)
        found = conclude(rows, judged=windows, earlier=self, which=(CORRELATION, meaning), timespan=timespan)
        self.runs += 1
        self.rows += [EarlierRow(run=self.runs, row=each) for each in found.rows]
        self.settled += [(self.runs, meaning, window) for window in windows]
        self.linked += found.links
        return found


def between(start: float, end: float) -> Window:
    return Window(start=at(start), end=at(end))


def test_a_new_component_makes_a_lead_named_by_correlation_group_and_first_time() -> None:
    found = Memory().run([row(5, 9)], between(0, 60))
    assert [story.lead_key for story in found.stories] == [f'episode|{CORRELATION}|["a"]|2026-01-01T00:05:00.000000Z']
    assert found.rows[0].lead_key == found.stories[0].lead_key
    assert not found.links


def test_asking_again_tells_the_same_lead_and_counts_no_member_twice() -> None:
    memory = Memory()
    first = memory.run([row(5, 9)], between(0, 60))
    again = memory.run([row(5, 9)], between(0, 60))
    assert again.stories == first.stories
    assert not again.links


def test_asking_again_where_nothing_is_settled_counts_no_window_twice() -> None:
    memory = Memory()
    first = memory.run([row(5, 9)], None)
    assert memory.run([row(5, 9)], None).stories == first.stories


def test_a_component_of_the_next_night_that_touches_goes_on_in_the_same_lead() -> None:
    memory = Memory()
    first = memory.run([row(50, 59)], between(0, 60)).stories[0]
    second = memory.run([row(59, 65, anchor=61)], between(60, 120)).stories[0]
    assert second.lead_key == first.lead_key
    assert (second.first, second.last) == (at(50), at(65))
    assert [member.event for member in second.members] == ["a50", "a59", "a65"]
    assert second.windows == 2


def test_a_component_that_does_not_touch_is_another_lead() -> None:
    memory = Memory()
    first = memory.run([row(50, 58)], between(0, 60)).stories[0]
    assert memory.run([row(59, 65, anchor=61)], between(60, 120)).stories[0].lead_key != first.lead_key


def test_another_group_is_another_lead() -> None:
    found = Memory().run([row(5, 9), row(5, 9, group="b")], between(0, 60))
    assert len({story.lead_key for story in found.stories}) == 2


def test_episodes_that_join_go_on_in_the_earliest_lead() -> None:
    memory = Memory()
    both = memory.run([row(5, 9), row(20, 25)], between(0, 60)).stories
    joined = memory.run([row(8, 21, anchor=21)], None)
    assert [story.lead_key for story in joined.stories] == [both[0].lead_key]
    assert joined.links == (
        LeadLink(correlation_id=CORRELATION, lead_key=both[1].lead_key, kind=LinkKind.MERGED_INTO, other_key=both[0].lead_key),
    )
    assert (joined.stories[0].first, joined.stories[0].last) == (at(5), at(25))


def test_a_merged_lead_stays_merged_when_its_rows_are_met_again() -> None:
    memory = Memory()
    both = memory.run([row(5, 9), row(20, 25)], between(0, 60)).stories
    memory.run([row(8, 21, anchor=21)], None)
    again = memory.run([row(24, 26, anchor=26)], None)
    assert [story.lead_key for story in again.stories] == [both[0].lead_key]
    assert not again.links


def test_a_component_that_late_data_unmade_leaves_its_lead_superseded() -> None:
    memory = Memory()
    first = memory.run([row(5, 9)], between(0, 60)).stories[0]
    again = memory.run([], between(0, 60))
    assert again.links == (LeadLink(correlation_id=CORRELATION, lead_key=first.lead_key, kind=LinkKind.SUPERSEDED),)
    assert not memory.run([], between(0, 60)).links, "said once"


def test_a_run_that_could_not_judge_supersedes_nothing() -> None:
    memory = Memory()
    memory.run([row(5, 9)], between(0, 60))
    assert not memory.run([], None).links
    assert not memory.run([], between(30, 60)).links


def test_a_run_of_another_meaning_supersedes_nothing_and_keeps_the_lead() -> None:
    memory = Memory()
    first = memory.run([row(5, 9)], between(0, 60)).stories[0]
    other = memory.run([row(6, 9, meaning="m2")], between(0, 60), meaning="m2")
    assert [story.lead_key for story in other.stories] == [first.lead_key]
    assert not other.links
    assert [member.event for member in other.stories[0].members] == ["a6", "a9"], "members of the old meaning are not its own"


def test_an_episode_that_splits_keeps_its_lead_for_the_earlier_part() -> None:
    memory = Memory()
    whole = memory.run([row(5, 30)], between(0, 60)).stories[0]
    parts = memory.run([row(5, 9), row(20, 30)], between(0, 60)).stories
    assert parts[0].lead_key == whole.lead_key
    assert parts[1].lead_key != whole.lead_key


def test_an_overlong_episode_goes_on_in_further_leads() -> None:
    day = 24 * 60
    memory = Memory()
    found = memory.run([row(0, day - 1), row(day - 1, 2 * day + 5)], between(0, 3 * day))
    base = found.stories[0].lead_key
    assert [story.lead_key for story in found.stories] == [base, f"{base}|2"]
    assert found.links == (LeadLink(correlation_id=CORRELATION, lead_key=f"{base}|2", kind=LinkKind.CONTINUED_FROM, other_key=base),)
    assert [[member.event for member in story.members] for story in found.stories] == [["a0", f"a{day - 1}"], [f"a{2 * day + 5}"]]


def test_a_long_timespan_makes_longer_leads() -> None:
    found = Memory().run([row(0, 2 * 24 * 60)], between(0, 5000), timespan_minutes=24 * 60)
    assert len(found.stories) == 1


def test_nights_and_one_month_tell_the_same_episodes() -> None:
    """Components cut at random into nightly rows join to what one run over everything tells."""
    for seed in range(200):
        chance = random.Random(seed)
        whole: list[EpisodeRow] = []
        end = 0
        for _ in range(chance.randint(1, 6)):
            start = end + chance.randint(1, 90)
            end = start + chance.randint(0, 100)
            whole.append(row(start, end, anchor=start))
        memory = Memory()
        for night in range(0, end + 60, 60):
            memory.run(list(_night(whole, night)), between(night, night + 60))
        told: dict[str, list[EpisodeRow]] = {}
        for each in memory.rows:
            told.setdefault(each.row.lead_key, []).append(each.row)
        spans = sorted((min(part.first for part in parts), max(part.last for part in parts)) for parts in told.values())
        assert spans == [(each.first, each.last) for each in whole], f"seed {seed}"


def _night(whole: Sequence[EpisodeRow], night: int) -> list[EpisodeRow]:
    """Return what one night commits: of every minute of a component a window of it and the minute before."""
    rows = []
    for each in whole:
        minutes = [m for m in range(night, night + 60) if each.first <= at(m) <= each.last]
        if minutes:
            first = max(minutes[0] - 1, round((each.first - T0).total_seconds() / 60))
            rows.append(replace(row(first, minutes[-1]), anchor=at(minutes[0])))
    return rows
