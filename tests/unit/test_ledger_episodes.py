"""Members, episodes, links and tallies in the ledger: written once, read back, checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import EarlierEpisodes, Ledger, sheet_of, tallies_of
from aibr_hunt.model.episode import EPISODES, EpisodeRow, LeadLink, LinkKind, Member, Tally
from aibr_hunt.model.event import Hit
from aibr_hunt.model.lead import CoverageRow, CoverageState, RunRecord
from aibr_hunt.model.window import Window
from tests.unit.ledger_samples import T0, hit, opened, record, rule, sha, tampering

CORRELATION = rule(77, name="many_calls", meaning_digest=sha("many"))
ROW = EpisodeRow(
    correlation_id=CORRELATION.id,
    meaning_digest=CORRELATION.meaning_digest,
    group=("user/a", 'quoted "b"\ud800'),
    first=T0,
    last=T0 + timedelta(minutes=5),
    anchor=T0 + timedelta(minutes=4),
    windows=2,
    figure="11",
    members=(Member(time_us=1, event="aws|1#a"), Member(time_us=2, event="aws|2#b\ud800")),
    lead_key="episode|x",
)
LINK = LeadLink(correlation_id=CORRELATION.id, lead_key="episode|y", kind=LinkKind.MERGED_INTO, other_key="episode|x")
TALLIES = (
    Tally(combination=("a", "b"), hour=10, events=3, first_us=1, last_us=9),
    Tally(combination=("a", "c"), hour=9, events=1, first_us=5, last_us=5),
)
DAY = Window(start=T0, end=T0 + timedelta(days=1))


def member(name: str) -> Hit:
    return replace(hit(name), rule_ids=(), member_of=(CORRELATION.id,))


def episode(content: str) -> Hit:
    """Return an episode's event; `content` stands for a document that grows."""
    found = hit("episode", CORRELATION, content=content)
    return replace(found, event=replace(found.event, source=EPISODES))


def settled(run_id: str = "R-0000000000000001") -> RunRecord:
    base = record(run_id, rules=(rule(), CORRELATION))
    covered = CoverageRow(
        meaning_digest=CORRELATION.meaning_digest, rule_id=CORRELATION.id, source="s", window=DAY, state=CoverageState.SETTLED
    )
    sheet = sheet_of(CORRELATION.id, CORRELATION.meaning_digest, DAY, tallies=TALLIES)
    return replace(base, episodes=(ROW,), links=(LINK,), tallies=(sheet,), coverage=(*base.coverage, covered))


def test_what_a_run_commits_of_correlations_reads_back(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.record(settled(), [hit("e1")], later=lambda _: [member("m1"), episode("one")])
        assert ledger.episodes("R-0000000000000001")[0].members[0] == ROW.members[0]
        assert replace(ledger.episodes("R-0000000000000001")[0], group=(), members=()) == replace(ROW, group=(), members=())
        assert ledger.links("R-0000000000000001") == (LINK,)
        sheets = ledger.sheets(CORRELATION.id, CORRELATION.meaning_digest)
        assert list(tallies_of(sheets[0])) == sorted(TALLIES, key=lambda tally: tally.hour)
        assert ledger.verify().is_clean


def test_a_member_is_evidence_and_no_lead(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        recorded = ledger.record(settled(), [hit("e1")], later=lambda _: [member("m1")])
        assert (recorded.hits, recorded.leads) == (1, 1)
        assert ledger.content(member("m1").event.raw_digest) == member("m1").event.raw
        assert ledger.verify().is_clean


def test_an_episode_that_grows_keeps_its_lead_shows_the_newest_and_is_no_conflict(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.record(settled(), [], later=lambda _: [episode("short")])
        ledger.record(settled("R-0000000000000002"), [], later=lambda _: [episode("longer")])
        leads = ledger.leads()
        assert len(leads) == 1
        assert isinstance(leads[0].event_value, dict)
        assert leads[0].event_value["content"] == "longer"
        assert not leads[0].has_conflict
        assert [sighting.canonical_digest for sighting in leads[0].sightings] == [
            episode(content).event.canonical_digest for content in ("short", "longer")
        ]
        assert ledger.verify().is_clean


def test_a_later_run_finds_rows_that_overlap_or_touch(tmp_path: Path) -> None:
    group, first, last = ROW.group, ROW.first, ROW.last
    microsecond = timedelta(microseconds=1)
    found: list[tuple[int, ...]] = []

    def look(earlier: EarlierEpisodes) -> Iterable[Hit]:
        spans = [(last, last), (first, first), (last + microsecond, last + microsecond), (first - microsecond, first - microsecond)]
        found.append(tuple(len(earlier.touching(CORRELATION.id, group, first=one, last=other)) for one, other in spans))
        found.append((len(earlier.touching(CORRELATION.id, ("other",), first=first, last=last)),))
        found.append((len(earlier.between(CORRELATION.id, first, last)), len(earlier.between(CORRELATION.id, last, None))))
        assert earlier.judged(CORRELATION.id, CORRELATION.meaning_digest) == [(1, DAY)]
        assert earlier.judged(CORRELATION.id, "another meaning") == []
        assert earlier.links(CORRELATION.id) == [LINK]
        return ()

    with opened(tmp_path) as ledger:
        ledger.record(settled(), [])
        ledger.record(record("R-0000000000000002"), [], later=look)
    assert found == [(1, 1, 0, 0), (0,), (0, 1)]


def test_what_later_hits_raise_leaves_nothing_on_record(tmp_path: Path) -> None:
    def fail(_: EarlierEpisodes) -> Iterable[Hit]:
        raise LedgerError("stop")

    with opened(tmp_path) as ledger:
        with pytest.raises(LedgerError, match="stop"):
            ledger.record(settled(), [hit("e1")], later=fail)
        assert ledger.count() == 0
        assert ledger.verify().is_clean


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE episodes SET windows = 3", "was changed"),
        ("UPDATE episodes SET lead_key = 'z'", "was changed"),
        ("UPDATE episodes SET members = x'00'", "cannot be unpacked"),
        ("DELETE FROM episodes", "is missing"),
        ("UPDATE links SET kind = 'superseded'", "was changed"),
        ("UPDATE links SET kind = 'other'", "unknown kind"),
        ("UPDATE tallies SET count = 9", "was changed"),
        ("UPDATE tallies SET content = x'789c030000000001'", "another digest"),
        ("DELETE FROM vault WHERE digest IN (SELECT json_extract(body, '$.raw') FROM evidence WHERE kind = 'member')", "is missing"),
    ],
)
def test_tampering_is_named(tmp_path: Path, statement: str, told: str) -> None:
    with opened(tmp_path) as ledger:
        ledger.record(settled(), [hit("e1")], later=lambda _: [member("m1"), episode("one")])
    with tampering(tmp_path) as connection:
        connection.execute(statement)
    with Ledger.open(tmp_path, clock=lambda: T0, tell=print) as ledger:
        faults = ledger.verify().faults
    assert any(told in fault.what for fault in faults), faults


def named(key: str, content: str = "") -> Hit:
    """Return an episode's event under an identity of its own."""
    found = episode(content)
    return replace(found, event=replace(found.event, identity=replace(found.event.identity, key=key)))


def linked(run_id: str, *links: LeadLink) -> RunRecord:
    return replace(record(run_id, rules=(CORRELATION,)), links=links)


def test_a_lead_says_into_which_other_it_was_merged(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.record(record(rules=(CORRELATION,)), [named("episode|x"), named("episode|y")])
        ledger.record(linked("R-0000000000000002", LINK), [])
        by_key = {lead.event_key: lead for lead in ledger.leads()}
        assert by_key["episode|y"].standing == f"merged into {by_key['episode|x'].id}"
        assert by_key["episode|y"].is_told_elsewhere
        assert by_key["episode|x"].standing == ""


def test_a_superseded_lead_stands_again_when_a_later_run_tells_it(tmp_path: Path) -> None:
    gone = LeadLink(correlation_id=CORRELATION.id, lead_key="episode|x", kind=LinkKind.SUPERSEDED)
    with opened(tmp_path) as ledger:
        ledger.record(record(rules=(CORRELATION,)), [named("episode|x")])
        ledger.record(linked("R-0000000000000002", gone), [])
        assert ledger.leads()[0].standing == "superseded"
        ledger.record(record("R-0000000000000003", rules=(CORRELATION,)), [named("episode|x")])
        assert ledger.leads()[0].standing == ""
        assert not ledger.leads()[0].is_told_elsewhere


def test_a_link_of_another_correlation_says_nothing_of_a_lead(tmp_path: Path) -> None:
    other = replace(LINK, correlation_id="another")
    with opened(tmp_path) as ledger:
        ledger.record(record(rules=(CORRELATION,)), [named("episode|x"), named("episode|y")])
        ledger.record(linked("R-0000000000000002", other), [])
        assert {lead.standing for lead in ledger.leads()} == {""}
