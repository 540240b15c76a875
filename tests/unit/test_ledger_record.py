"""Recording runs: what one transaction leaves, and what a second one adds to it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger import LeadFilter, findings
from aibr_hunt.ledger.canonical import lead_id
from aibr_hunt.ledger.noise import keys_of
from aibr_hunt.model.event import Hit, Place
from aibr_hunt.model.lead import RunRecord, TriageState
from tests.unit.ledger_samples import T0, account, hit, opened, record, rule, sha


def test_everything_that_a_run_brings_is_read_back_as_it_was(tmp_path: Path) -> None:
    run = record(rules=(rule(1), rule(2, level="low")))
    with opened(tmp_path / "home") as ledger:
        recorded = ledger.record(run, [hit("e1", rule(1))])
        assert recorded.is_new
        assert (recorded.hits, recorded.leads, recorded.leads_new, recorded.sightings_new, recorded.conflicts_new) == (1, 1, 1, 1, 0)
        assert ledger.run(run.run.id) == run.run
        assert ledger.rules(run.run.id) == run.rules
        assert ledger.accounts(run.run.id) == run.accounts
        assert ledger.coverage(run.run.id) == run.coverage
        assert ledger.pulses(run.run.id) == run.pulses
        assert ledger.noise(run.run.id) == run.noise
        assert ledger.runs() == (run.run,)
        assert ledger.last_run_id() == run.run.id
        assert ledger.verify().is_clean


def test_a_lead_shows_its_event_rule_and_place(tmp_path: Path) -> None:
    found = hit("e1", rule(1), minute=3)
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [found])
        (lead,) = ledger.leads()
    assert lead.id == lead_id(rule(1).id, found.event.identity.key)
    assert lead.id == "L-" + sha(f"{rule(1).id}\naws|123456789012|e1")[:12]
    assert (lead.rule_name, lead.rule_title, lead.level, lead.techniques) == ("rule_1", "Rule number 1", "high", rule(1).techniques)
    assert lead.event_value == found.event.value
    assert lead.time == T0 + timedelta(minutes=3)
    assert (lead.principal, lead.address, lead.action) == (found.event.principal, "192.0.2.1", "InvokeModel")
    (sighting,) = lead.sightings
    assert (sighting.path, sighting.offset, sighting.ordinal) == ("logs/a.json.gz", 0, 1)
    assert (sighting.raw_digest, sighting.canonical_digest) == (found.event.raw_digest, found.event.canonical_digest)
    assert (sighting.rule_digest, sighting.meaning_digest) == (rule(1).text_digest, rule(1).meaning_digest)
    assert lead.state is TriageState.NEW
    assert not lead.has_conflict


def test_raw_and_canonical_event_lie_in_the_vault_by_their_digests(tmp_path: Path) -> None:
    found = hit("e1", content="x" * 5000)
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [found])
        assert ledger.content(found.event.raw_digest) == found.event.raw
        assert ledger.content(found.event.canonical_digest) == found.event.canonical


def test_one_event_under_several_rules_makes_several_leads_and_one_pair_of_objects(tmp_path: Path) -> None:
    rules = (rule(1), rule(2), rule(3))
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(rules=rules), [hit("e1", *rules)])
        assert {lead.rule_id for lead in ledger.leads()} == {one.id for one in rules}
        assert ledger.status().vault_objects == 2
        assert ledger.verify().is_clean


def test_a_run_id_that_is_on_record_changes_nothing_and_leaves_the_hits_unread(tmp_path: Path) -> None:
    def unreadable() -> Iterator[Hit]:
        yield from pytest.fail("the hits were read")

    with opened(tmp_path / "home") as ledger:
        first = ledger.record(record(), [hit("e1"), hit("e2", offset=100)])
        before = ledger.status()
        again = ledger.record(record(), unreadable())
        assert not again.is_new
        assert replace(again, is_new=True) == first
        assert ledger.status() == before


def test_a_redelivery_in_another_file_is_a_second_sighting_of_the_same_lead(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        recorded = ledger.record(record(), [hit("e1"), hit("e1", path="logs/b.json.gz")])
        (lead,) = ledger.leads()
        assert [sighting.path for sighting in lead.sightings] == ["logs/a.json.gz", "logs/b.json.gz"]
        assert not lead.has_conflict
        assert (recorded.hits, recorded.leads, recorded.sightings_new) == (2, 1, 2)
        assert ledger.verify().is_clean


def test_the_same_delivery_returned_twice_in_a_run_is_one_sighting(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        recorded = ledger.record(record(), [hit("e1"), hit("e1")])
        (lead,) = ledger.leads()
        assert len(lead.sightings) == 1
        assert (recorded.hits, recorded.sightings_new) == (2, 1)
        assert ledger.verify().is_clean


def test_another_content_under_the_same_identity_is_a_conflict_on_both_deliveries(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [hit("e1", content="told by the service")])
        recorded = ledger.record(record("R-2"), [hit("e1", content="told by another", path="logs/b.json.gz")])
        (lead,) = ledger.leads()
        assert recorded.conflicts_new == 1
        assert [sighting.is_conflict for sighting in lead.sightings] == [True, True]
        assert len({sighting.canonical_digest for sighting in lead.sightings}) == 2
        assert ledger.record(record("R-3"), [hit("e1", content="told by another", path="logs/b.json.gz")]).conflicts_new == 0
        assert ledger.verify().is_clean


def test_a_conflict_between_leads_of_two_rules_shows_on_both(tmp_path: Path) -> None:
    rules = (rule(1), rule(2))
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(rules=rules), [hit("e1", rule(1), content="one"), hit("e1", rule(2), content="two", offset=100)])
        assert [lead.has_conflict for lead in ledger.leads()] == [True, True]


def test_asking_the_same_files_again_doubles_nothing_and_links_the_second_run(tmp_path: Path) -> None:
    hits = [hit("e1"), hit("e2", offset=100), hit("e1", path="logs/b.json.gz")]
    with opened(tmp_path / "home") as ledger:
        ledger.record(record("R-1"), hits)
        first = ledger.leads()
        recorded = ledger.record(record("R-2"), hits)
        assert (recorded.hits, recorded.leads, recorded.leads_new, recorded.sightings_new) == (3, 2, 0, 0)
        assert ledger.leads() == first
        assert ledger.leads(LeadFilter(run_id="R-2")) == first
        assert ledger.verify().is_clean


def test_a_file_that_was_moved_brings_no_new_sighting(tmp_path: Path) -> None:
    found = hit("e1")
    place = found.event.place
    moved = replace(found, event=replace(found.event, place=replace(place, path="archive/a.json.gz")))
    with opened(tmp_path / "home") as ledger:
        ledger.record(record("R-1"), [found])
        assert ledger.record(record("R-2"), [moved]).sightings_new == 0
        assert ledger.leads()[0].sightings[0].path == place.path
        assert ledger.verify().is_clean


def test_a_verdict_of_a_person_outlives_the_next_run(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record("R-1"), [hit("e1")])
        (lead,) = ledger.leads()
        ledger.triage(lead.id, TriageState.DISMISSED, note="a test of ours", actor="analyst")
        ledger.record(record("R-2", rules=(rule(1, title="New title", level="low"),)), [hit("e1"), hit("e1", path="logs/c.json")])
        (lead,) = ledger.leads()
        assert (lead.state, lead.note) == (TriageState.DISMISSED, "a test of ours")
        assert (lead.rule_title, lead.level, len(lead.sightings)) == ("New title", "low", 2)
        assert ledger.verify().is_clean


def test_each_sighting_keeps_the_rule_as_it_was_then(tmp_path: Path) -> None:
    newer = rule(1, text_digest=sha("newer text"))
    with opened(tmp_path / "home") as ledger:
        ledger.record(record("R-1"), [hit("e1")])
        ledger.record(record("R-2", rules=(newer,)), [hit("e1", path="logs/b.json.gz")])
        (lead,) = ledger.leads()
        assert [sighting.rule_digest for sighting in lead.sightings] == [rule(1).text_digest, newer.text_digest]


def test_hits_that_fail_half_way_leave_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Hit]:
        for number in range(2000):
            yield hit(f"e{number}", offset=number)
        raise OSError("the disk is gone")

    with opened(tmp_path / "home") as ledger:
        before = ledger.status()
        with pytest.raises(OSError, match="disk is gone"):
            ledger.record(record(), failing())
        after = ledger.status()
        assert replace(after, size_bytes=before.size_bytes) == before
        assert ledger.record(record(), [hit("e1")]).is_new
        assert ledger.verify().is_clean


def test_an_engine_that_knows_its_accounts_only_at_the_end_settles_them_then(tmp_path: Path) -> None:
    planned = replace(record(), accounts=(), coverage=(), pulses=(), noise=())
    seen: list[str] = []

    def hits() -> Iterator[Hit]:
        yield hit("e1")
        seen.append("the hits ended")

    def settle() -> RunRecord:
        seen.append("settled")
        return replace(record(), run=replace(planned.run, outcome="incomplete", ended=T0 + timedelta(days=21)))

    with opened(tmp_path / "home") as ledger:
        ledger.record(planned, hits(), settle=settle)
        assert seen == ["the hits ended", "settled"]
        assert ledger.run(planned.run.id).outcome == "incomplete"
        assert ledger.accounts(planned.run.id) == record().accounts
        assert ledger.verify().is_clean


def test_a_run_cannot_be_settled_with_other_rules(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger, pytest.raises(LedgerError, match="other rules"):
        ledger.record(record(), [hit("e1")], settle=lambda: record(rules=(rule(2),)))


@pytest.mark.parametrize("hits", [[hit("e1", rule(9))], [replace(hit("e1"), rule_ids=())]])
def test_a_hit_without_a_rule_of_the_run_is_refused(tmp_path: Path, hits: list[Hit]) -> None:
    with opened(tmp_path / "home") as ledger:
        with pytest.raises(LedgerError, match="rule"):
            ledger.record(record(), hits)
        assert ledger.count() == 0


def test_a_rule_that_a_run_names_twice_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger, pytest.raises(LedgerError, match="twice"):
        ledger.record(record(rules=(rule(1), rule(1))), [])


def test_a_run_without_hits_or_rules_is_a_run(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        recorded = ledger.record(record(rules=()), [])
        assert (recorded.hits, recorded.leads) == (0, 0)
        assert ledger.verify().is_clean


def test_texts_that_no_database_holds_are_kept_in_a_readable_form(tmp_path: Path) -> None:
    found = hit("e1")
    odd = "a\ud800b\x00c\u202e\U0001f600"
    place = Place(path="logs/\udcff.json", file_digest=sha("f"), offset=0, length=3, ordinal=1)
    event = replace(found.event, principal=odd, place=place, identity=replace(found.event.identity, key=f"aws|{odd}"), raw=b"\xff\x00{")
    event = replace(event, canonical=event.raw, raw_digest=sha(event.raw), canonical_digest=sha(event.raw))
    run = replace(record(), accounts=(account("logs/\udcff.json"),))
    with opened(tmp_path / "home") as ledger:
        ledger.record(run, [replace(found, event=event)])
        (lead,) = ledger.leads()
        assert lead.principal == "a\\ud800b\\u0000c\u202e\U0001f600"
        assert lead.sightings[0].path == "logs/\\udcff.json"
        assert ledger.accounts(run.run.id)[0].path == "logs/\\udcff.json"
        assert ledger.content(event.raw_digest) == b"\xff\x00{"
        assert ledger.verify().is_clean


def test_an_event_of_20_mebibytes_is_kept_whole(tmp_path: Path) -> None:
    found = hit("big", content="0123456789abcdef" * (20 * 2**16))
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [found])
        assert ledger.content(found.event.raw_digest) == found.event.raw
        assert ledger.leads()[0].event_value == found.event.value
        assert ledger.verify().is_clean


def test_memory_does_not_grow_with_the_hits(tmp_path: Path) -> None:
    def peak(count: int, run_id: str) -> int:
        tracemalloc.start()
        ledger.record(record(run_id), (hit(f"{run_id}-{number}", content=f"{number}" * 4000, offset=number) for number in range(count)))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    with opened(tmp_path / "home") as ledger:
        peak(500, "R-0")  # what is compiled once is not the hits' doing
        assert peak(4000, "R-2") < 1.5 * peak(1000, "R-1")


def test_two_leads_whose_ids_would_be_one_get_different_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_ID_DIGITS", (1, 2, 64))
    with opened(tmp_path / "home") as ledger:
        for run in range(3):
            ledger.record(record(f"R-{run}"), [hit(f"e{run}-{number}", offset=number) for number in range(40)])
        leads = ledger.leads()
        assert len({lead.id for lead in leads}) == len(leads) == 120
        assert {len(lead.id) for lead in leads} == {3, 4, 66}
        assert ledger.verify().is_clean


def test_noise_is_counted_and_its_events_stay_findable(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [])
        (row,) = ledger.noise(record().run.id)
        assert (row.events, row.considered) == (5, 9)
        assert keys_of(row) == tuple(f"aws|123456789012|noise-{number}" for number in range(5))


def test_noise_keys_that_were_changed_are_refused() -> None:
    (row,) = record().noise
    with pytest.raises(LedgerError, match="another digest"):
        keys_of(replace(row, keys_digest=sha("other")))
    with pytest.raises(LedgerError, match="unpacked"):
        keys_of(replace(row, keys=b"no zlib"))
