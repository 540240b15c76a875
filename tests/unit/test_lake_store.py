"""The lake keeps what is added whole, once, and told apart: repeats, conflicts, copies, drops, compactions, readers and writers."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.repeats import Seen
from aibr_hunt.engines.lake.store import BOOK, EVENTS, Store, account_of, text_of
from aibr_hunt.engines.pool import START_METHOD
from aibr_hunt.errors import EngineError, UsageError
from aibr_hunt.intake.files import discover
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import NOW, cloudtrail, write_bytes, write_lines, write_records
from tests.unit.lake_samples import add, from_files, from_lake, identities, opened, write_mixed


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return opened(tmp_path / "lake")


def marks(lake: Lake) -> list[tuple[int, int, bool, bool]]:
    """File, ordinal, repeat, conflict of every delivery."""
    return [(row[0], row[1], row[4], row[5]) for row in identities(lake)]


class TestAdding:
    def test_accounts_are_those_of_a_full_reading(self, lake: Lake, tmp_path: Path) -> None:
        mixed = write_mixed(tmp_path / "mixed")
        added = add(lake, mixed)
        expected = [each.account for each in from_files([mixed], ())]
        assert [replace(each, duplicate_of="") for each in added.accounts] == expected
        assert added.refused == 2
        assert not added.is_complete

    def test_every_record_that_is_not_refused_is_a_row(self, lake: Lake, tmp_path: Path) -> None:
        added = add(lake, write_mixed(tmp_path / "mixed"))
        parsed = sum(each.record_counts[ByteClass.PARSED] for each in added.accounts if not each.duplicate_of)
        assert added.events == parsed == len(identities(lake))

    def test_the_bytes_that_are_kept_are_those_that_were_delivered(self, lake: Lake, tmp_path: Path) -> None:
        mixed = write_mixed(tmp_path / "mixed")
        add(lake, mixed / "b", mixed / "d")
        files = {each.number: Path(each.account.path) for each in lake.store.snapshot()[0]}
        for row in identities(lake):
            content = files[row[0]].read_bytes()
            raw = row[10].encode() if row[10] is not None else row[11]
            assert raw == content[row[8] : row[8] + len(raw)]

    def test_a_file_that_is_there_already_is_passed_over(self, lake: Lake, tmp_path: Path) -> None:
        logs = tmp_path / "logs"
        write_records(logs / "a.json", [cloudtrail(each) for each in range(5)])
        write_bytes(logs / "b.json", (logs / "a.json").read_bytes())
        first, again = add(lake, logs), add(lake, logs)
        assert (first.events, first.skipped, again.events, again.skipped) == (5, 1, 0, 2)
        assert [each.duplicate_of for each in first.accounts] == ["", str(logs / "a.json")]
        assert len(lake.store.snapshot()[0]) == 2

    def test_a_copy_under_another_name_gives_its_hits_with_its_own_path(self, lake: Lake, tmp_path: Path) -> None:
        logs = tmp_path / "logs"
        write_records(logs / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        write_bytes(logs / "b.json", (logs / "a.json").read_bytes())
        add(lake, logs / "a.json")
        add(lake, logs / "b.json")
        assert from_lake(lake) == from_files([logs / "a.json", logs / "b.json"])

    def test_processes_come_to_the_same_rows_and_marks_as_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 1)
        for number in range(12):
            write_records(tmp_path / "logs" / f"{number:02d}.json", [cloudtrail(each + 15 * number) for each in range(20)])
        alone, many = opened(tmp_path / "alone"), opened(tmp_path / "many")
        assert add(alone, tmp_path / "logs").repeats == add(many, tmp_path / "logs", processes=3).repeats == 11 * 5
        assert identities(alone) == identities(many)

    def test_rows_beyond_what_memory_may_hold_become_further_segments(
        self, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.shard.MOST_ROWS", 30)
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 1)
        for number in range(5):
            write_records(tmp_path / "logs" / f"{number}.json", [cloudtrail(each + 100 * number) for each in range(20)])
        assert add(lake, tmp_path / "logs").events == 100
        assert len(lake.store.segments()) > 2

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_file_in_several_parts_is_one_file_and_its_copy_a_copy(
        self, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
    ) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.rows.MOST_AT_ONCE", 100)
        monkeypatch.setattr("aibr_hunt.engines.lake.shard._LARGE", 0)
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 1)
        logs = tmp_path / "logs"
        padding = {"note": "x" * 20_000}
        write_lines(
            logs / "a.json",
            [cloudtrail(each, requestParameters=padding, eventTime=f"2026-01-0{1 + each % 3}T00:00:00Z") for each in range(400)],
        )
        write_bytes(logs / "b.json", (logs / "a.json").read_bytes())
        write_lines(logs / "c.json", [cloudtrail(each, "DeleteGuardrail") for each in range(1000, 1100)])
        added = add(lake, logs, processes=processes)
        assert (added.events, added.conflicts, added.skipped) == (500, 0, 1)
        assert next(each.portions for each in lake.store.snapshot()[0]) == (("2026-01-01", 134), ("2026-01-02", 133), ("2026-01-03", 133))
        assert from_lake(lake) == from_files([logs])

    @pytest.mark.skipif(START_METHOD != "fork", reason="the fault is planted before the fork")
    def test_a_process_that_is_killed_ends_the_addition_with_an_error_and_leaves_nothing_visible(
        self, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.adding.TASK_FILES", 1)
        for number in range(6):
            write_records(tmp_path / "logs" / f"{number}.json", [cloudtrail(each + 100 * number) for each in range(20)])

        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        with monkeypatch.context() as patched:
            patched.setattr("aibr_hunt.engines.lake.shard.read_rows", die)
            with pytest.raises(EngineError, match="process that read log files died"):
                add(lake, tmp_path / "logs", processes=2)
        assert lake.status() == ()
        assert add(lake, tmp_path / "logs", processes=2).events == 120

    def test_a_source_that_is_named_is_believed_and_fields_as_written_are_kept(self, lake: Lake, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [{"x": 1}])
        add(lake, tmp_path / "a.json", scope=Scope(now=NOW, mapping=LIBRARY.mappings[1]))
        write_lines(tmp_path / "b.json", [cloudtrail(1)])
        add(lake, tmp_path / "b.json", scope=Scope(now=NOW, is_as_written=True))
        assert [each.source for each in lake.status()] == ["as-written", LIBRARY.mappings[1].name]

    def test_an_unreadable_file_is_on_record_once_and_tried_again(self, lake: Lake, tmp_path: Path) -> None:
        write_bytes(tmp_path / "logs" / "a.json.gz", b"\x1f\x8b\x08\x00nothing")
        assert not add(lake, tmp_path / "logs").is_complete
        assert not add(lake, tmp_path / "logs").is_complete
        assert len(lake.store.snapshot()[0]) == 1


class TestRepeats:
    def test_the_same_event_is_a_repeat_in_one_file_in_one_addition_and_in_the_next(self, lake: Lake, tmp_path: Path) -> None:
        event = cloudtrail(1)
        write_lines(tmp_path / "a.json", [event, event])
        write_lines(tmp_path / "b.json", [cloudtrail(2), event])
        write_lines(tmp_path / "c.json", [event, cloudtrail(3)])
        add(lake, tmp_path / "a.json", tmp_path / "b.json")
        add(lake, tmp_path / "c.json")
        assert marks(lake) == [
            (1, 1, False, False),
            (1, 2, True, False),
            (2, 1, False, False),
            (2, 2, True, False),
            (3, 1, True, False),
            (3, 2, False, False),
        ]

    def test_order_and_spaces_make_no_other_event(self, lake: Lake, tmp_path: Path) -> None:
        event = cloudtrail(1)
        write_lines(tmp_path / "a.json", [event, dict(reversed(event.items()))])
        assert add(lake, tmp_path / "a.json").repeats == 1

    def test_the_same_identity_with_other_content_is_a_conflict_and_both_are_kept(self, lake: Lake, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [cloudtrail(1), cloudtrail(1, "DeleteGuardrail"), cloudtrail(1, "DeleteGuardrail")])
        added = add(lake, tmp_path / "a.json")
        assert (added.events, added.repeats, added.conflicts) == (3, 1, 1)
        with lake.connect() as connection:
            rows = connection.execute("SELECT action, is_conflict FROM aws_cloudtrail ORDER BY ordinal").fetchall()
        assert rows == [("ListGuardrails", False), ("DeleteGuardrail", True)]

    def test_runs_of_keys_say_what_one_set_says(self) -> None:
        rng = np.random.default_rng(20260105)
        seen, known, pairs = Seen(), set[int](), set[tuple[int, int]]()
        for _ in range(60):
            ids, digests = rng.integers(0, 400, 50).tolist(), rng.integers(0, 3, 50).tolist()
            is_repeat, is_conflict = seen.add(ids, digests)
            for place, pair in enumerate(zip(ids, digests, strict=True)):
                assert bool(is_repeat[place]) == (pair in pairs)
                assert bool(is_conflict[place]) == (pair not in pairs and pair[0] in known)
                pairs.add(pair)
                known.add(pair[0])
        assert len(seen) == 3000


class TestDrop:
    @pytest.fixture
    def three_days(self, lake: Lake, tmp_path: Path) -> Lake:
        for day in (5, 6, 7):
            events = [cloudtrail(day * 100 + each, eventTime=f"2026-01-{day:02d}T0{each}:00:00Z") for each in range(3)]
            write_lines(tmp_path / "logs" / f"{day}.json", events)
        write_lines(tmp_path / "logs" / "both.json", [cloudtrail(1, eventTime=f"2026-01-{day:02d}T00:00:00Z") for day in (5, 7)])
        write_lines(tmp_path / "logs" / "never.json", [cloudtrail(2, eventTime="never")])
        add(lake, tmp_path / "logs")
        return lake

    def test_whole_days_go_and_files_of_which_nothing_is_left_can_be_added_again(self, three_days: Lake, tmp_path: Path) -> None:
        dropped = three_days.drop(source=None, window=Window(end=datetime(2026, 1, 6, tzinfo=UTC)))
        assert (dropped.events, dropped.files, dropped.cut_files) == (4, 1, 1)
        assert add(three_days, tmp_path / "logs").events == 3
        assert sum(each.events for each in three_days.status()) == 11

    def test_a_file_that_was_cut_says_so_in_every_run(self, three_days: Lake) -> None:
        three_days.drop(source="aws_cloudtrail", window=Window(start=datetime(2026, 1, 7, tzinfo=UTC)))
        told = {Path(each.account.path).name for each in from_lake(three_days) if not each.account.is_complete}
        assert told == {"both.json"}

    def test_untimed_events_go_only_with_everything(self, three_days: Lake) -> None:
        three_days.drop(source=None, window=Window(start=datetime(2000, 1, 1, tzinfo=UTC)))
        assert [(each.events, each.untimed) for each in three_days.status()] == [(1, 1)]
        three_days.drop(source=None, window=Window())
        assert three_days.status() == ()
        assert not list((three_days.store.folder / EVENTS).rglob("*.parquet"))

    def test_a_window_that_cuts_a_day_is_refused(self, three_days: Lake) -> None:
        with pytest.raises(UsageError, match="whole days"):
            three_days.drop(source=None, window=Window(end=datetime(2026, 1, 6, 1, tzinfo=UTC)))

    def test_a_source_that_is_not_there_is_refused_by_name(self, three_days: Lake) -> None:
        with pytest.raises(UsageError, match="no events of gcp_audit"):
            three_days.drop(source="gcp_audit", window=Window())


class TestCompaction:
    @pytest.fixture
    def many(self, lake: Lake, tmp_path: Path) -> Lake:
        for number in range(4):
            write_lines(
                tmp_path / f"{number}.json", [cloudtrail(each, f"Call{(each + number) % 7}") for each in range(number, number + 30)]
            )
            add(lake, tmp_path / f"{number}.json")
        return lake

    def test_rows_and_status_stay_and_one_segment_a_day_is_left(self, many: Lake) -> None:
        rows, before = identities(many), many.status()[0]
        done = many.compact()
        assert (done.segments_before, done.segments_after, done.events, done.removed, done.waiting) == (4, 1, 120, 4, 0)
        assert identities(many) == rows
        after = many.status()[0]
        assert replace(after, segments=4, parquet_bytes=before.parquet_bytes) == before

    def test_a_day_of_many_bytes_becomes_several_segments(self, many: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aibr_hunt.engines.lake.compacting.MOST_BYTES", many.status()[0].raw_bytes // 2 + 1)
        rows = identities(many)
        done = many.compact()
        assert (done.segments_before, done.segments_after) == (4, 2)
        assert identities(many) == rows

    def test_it_does_nothing_twice(self, many: Lake) -> None:
        many.compact()
        assert many.compact().segments_before == 0

    def test_a_reader_goes_on_with_what_it_began_with_and_the_files_go_when_it_is_done(self, many: Lake) -> None:
        connection = many.connect()
        done = many.compact()
        assert (done.removed, done.waiting) == (0, 4)
        assert connection.execute("SELECT count(*) FROM aws_cloudtrail").fetchall() == [(120,)]
        del connection
        gc.collect()
        assert many.compact().removed == 4

    def test_repeats_are_still_known_after_it(self, many: Lake, tmp_path: Path) -> None:
        many.compact()
        write_lines(tmp_path / "again.json", [cloudtrail(1, "Call1"), cloudtrail(500)])
        assert add(many, tmp_path / "again.json").repeats == 1


class TestFaults:
    def test_a_folder_without_a_lake_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="There is no lake in"):
            Lake.open(tmp_path, mappings=())

    def test_a_lake_is_not_made_among_other_things(self, tmp_path: Path) -> None:
        write_bytes(tmp_path / "thesis.txt", b"x")
        with pytest.raises(UsageError, match="holds other things"):
            opened(tmp_path)

    def test_a_lake_of_a_later_version_is_refused_and_untouched(self, lake: Lake) -> None:
        book = sqlite3.connect(lake.store.folder / BOOK)
        book.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
        book.commit()
        book.close()
        with pytest.raises(EngineError, match="has format 99; this version reads format 1"):
            opened(lake.store.folder)

    def test_a_damaged_book_is_a_sentence(self, lake: Lake) -> None:
        (lake.store.folder / BOOK).write_bytes(b"nothing of the kind" * 500)
        with pytest.raises(EngineError, match="cannot be used"):
            Store(lake.store.folder)

    def test_a_second_writer_says_that_it_waits_and_then_writes(self, lake: Lake, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [cloudtrail(1)])
        said: list[str] = []
        holding, done = threading.Event(), threading.Event()

        def hold() -> None:
            with lake.store.writing(print):
                holding.set()
                done.wait(60)

        holder = threading.Thread(target=hold)
        holder.start()
        holding.wait(60)

        def say(line: str) -> None:
            said.append(line)
            done.set()

        added = lake.add(discover([tmp_path / "a.json"]).files, Scope(now=NOW), say=say)
        holder.join()
        assert added.events == 1
        assert said == [f"Another process writes to the lake {lake.store.folder}: waiting for it."]

    def test_leftovers_of_a_process_that_died_go_with_the_next_addition(self, lake: Lake, tmp_path: Path) -> None:
        leftover = lake.store.folder / EVENTS / "aws_cloudtrail" / "2026-01-05" / "0123456789abcdef.parquet"
        for each in (leftover, leftover.with_suffix(".writing")):
            write_bytes(each, b"PAR1")
        write_lines(tmp_path / "a.json", [cloudtrail(1)])
        add(lake, tmp_path / "a.json")
        assert [each.name for each in (lake.store.folder / EVENTS).rglob("*") if each.is_file()] == [
            Path(lake.store.segments()[0].name).name
        ]

    def test_a_segment_that_is_gone_is_a_sentence(self, lake: Lake, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [cloudtrail(1, "DeleteGuardrail")])
        add(lake, tmp_path / "a.json")
        next((lake.store.folder / EVENTS).rglob("*.parquet")).unlink()
        with pytest.raises(EngineError, match="cannot be read"):
            from_lake(lake)
        with pytest.raises(EngineError, match="cannot be read"):
            lake.connect()


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("left", ["writer.lock", "writer.lock-journal", "readers.lock-journal", "lake.db.77", "lake.db.77-journal"])
def test_a_lake_whose_making_was_broken_off_is_made_by_the_next(tmp_path: Path, left: str) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / left).write_bytes(b"")
    assert opened(tmp_path / "lake").status() == ()


def test_an_account_comes_back_from_its_text(tmp_path: Path) -> None:
    for each in from_files([write_mixed(tmp_path)]):
        assert account_of(text_of(each.account)) == each.account
