"""Files that are missing, special, linked, changing, or very many."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from aibr_hunt.errors import IntakeError
from aibr_hunt.intake.files import Found, discover
from aibr_hunt.intake.limits import Limits
from aibr_hunt.intake.read import FileReading
from aibr_hunt.intake.tally import SKIMMED
from aibr_hunt.model.event import Account, ByteClass
from tests.unit.intake_samples import read_found

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links without rights are POSIX")
RECORD = b'{"a":1}\n'


def test_a_missing_path_is_a_problem_by_name(tmp_path: Path) -> None:
    found = discover([tmp_path / "none.json", "bad\0name"])
    assert [problem.reason for problem in found.problems] == ["No such file or directory", "embedded null byte"]
    assert found.files == ()


@posix
def test_special_files_are_problems_and_nothing_waits_for_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s.json"))
    listener.close()
    found = discover([tmp_path, "/dev/null"])
    assert found.files == ()
    assert [problem.reason for problem in found.problems] == ["no regular file (a pipe, socket or device)"] * 3


@posix
def test_a_pipe_that_takes_a_files_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD)
    found = discover([path]).files[0]
    path.unlink()
    os.mkfifo(path)
    account = read_found(found).account
    assert [refusal.reason for refusal in account.refusals] == ["unreadable file"]
    assert (account.digest, account.content_size, account.is_complete) == ("", 0, False)


def test_a_file_that_vanished_has_an_account(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD)
    found = discover([path]).files[0]
    path.unlink()
    account = read_found(found).account
    assert [refusal.reason for refusal in account.refusals] == ["unreadable file"]
    assert account.refusals[0].length == len(RECORD)
    assert account.is_balanced


@posix
def test_a_disk_that_fails_while_it_is_read_leaves_an_account() -> None:
    # /proc/self/mem is a regular file by its mode, and reading its first page fails.
    path = Path("/proc/self/mem")
    if not path.exists():
        pytest.skip("no /proc here")
    account = read_found(Found(shown="mem.json", real=path, size=10, mtime_ns=0, inode=(0, 0))).account
    assert [refusal.reason for refusal in account.refusals] == ["unreadable file"]
    assert not account.is_complete


@posix
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    (tmp_path / "log.json").write_bytes(RECORD)
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path) == str(tmp_path):
            listed = real(path)
            entries = list(listed)
            listed.close()
            gone.rmdir()  # it vanishes between being listed and being entered

            class Listing:
                def __enter__(self) -> object:
                    return iter(entries)

                def __exit__(self, *_: object) -> None: ...

            return Listing()
        return real(path)

    gone_status = gone.stat()
    entries_stat = os.stat

    def stat(path: str) -> os.stat_result:
        return gone_status if str(path) == str(gone) else entries_stat(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "stat", stat)
    found = discover([tmp_path])
    monkeypatch.undo()
    assert [Path(file.shown).name for file in found.files] == ["log.json"]
    assert [(problem.path, problem.reason) for problem in found.problems] == [(str(gone), "No such file or directory")]


@posix
def test_link_loops_end_and_one_file_through_two_paths_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.json").write_bytes(RECORD)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "same.json").symlink_to(tmp_path / "a" / "log.json")
    (tmp_path / "a" / "self.json").symlink_to(tmp_path / "a" / "self.json")
    os.link(tmp_path / "a" / "log.json", tmp_path / "hard.json")
    found = discover([tmp_path, tmp_path / "a" / "log.json"])
    assert [file.shown for file in found.files] == [str(tmp_path / "hard.json")]
    assert {Path(path).name for path, _ in found.notes} == {"log.json", "same.json", "up", "b"}
    assert [Path(problem.path).name for problem in found.problems] == ["self.json"]
    assert discover([tmp_path], follow_links=False).left_out == (("symbolic link", 4),)


def test_files_come_in_a_fixed_order_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    for name in ("b.json", "a.json.gz", "c.JSONL", "z/1.log", "z/y/2.csv", "d.zst", ".hidden.json", ".git/x.json", "pic.png", "README"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(RECORD)
    digests = tmp_path / "CloudTrail-Digest"
    digests.mkdir()
    (digests / "x.json.gz").write_bytes(b"")
    found = discover([tmp_path])
    names = [Path(file.shown).relative_to(tmp_path).as_posix() for file in found.files]
    assert names == ["a.json.gz", "b.json", "c.JSONL", "d.zst", "z/1.log", "z/y/2.csv"]
    assert found.left_out == ((".png", 1), ("CloudTrail digests", 1), ("hidden", 2), ("no suffix", 1))
    assert not found.problems
    assert not found.notes


def test_a_named_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / ".odd.name"
    path.write_bytes(RECORD)
    assert [file.shown for file in discover([path, str(path)]).files] == [str(path)]


def through(found: Found, *, change: str = "", limits: Limits | None = None) -> Account:
    """Read a file and change it after its first batch."""
    reading = FileReading(found, limits=limits or Limits(chunk_bytes=64, read_bytes=64))
    for number, batch in enumerate(reading.batches()):
        reading.classify(batch, np.full(len(batch), SKIMMED, np.uint8))
        if number == 0 and change == "grow":
            with found.real.open("ab") as file:
                file.write(RECORD)
        if number == 0 and change == "touch":
            os.utime(found.real, ns=(1, 1))
        if number == 0 and change == "replace":
            other = found.real.with_suffix(".new")
            other.write_bytes(found.real.read_bytes())
            other.replace(found.real)
        if number == 0 and change == "cut":
            os.truncate(found.real, 100)
    return reading.account(source="x")


@pytest.mark.parametrize("change", ["grow", "touch", "replace", "cut"])
def test_a_file_that_changes_while_it_is_read_makes_the_account_incomplete(tmp_path: Path, change: str) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD * 500)
    account = through(discover([path]).files[0], change=change)
    assert "!changed while read" in account.notes
    assert not account.is_complete
    assert account.is_balanced


def test_a_file_that_changed_since_discovery_is_said(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD)
    found = discover([path]).files[0]
    path.write_bytes(RECORD * 2)
    account = through(found)
    assert account.notes == ("!changed while read",)
    assert account.content_size == 2 * len(RECORD)


def test_a_file_that_stays_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD * 500)
    assert through(discover([path]).files[0]).is_complete


def test_a_batch_that_is_not_classified_is_the_callers_fault(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD * 500)
    batches = FileReading(discover([path]).files[0], limits=Limits(chunk_bytes=64)).batches()
    next(batches)
    with pytest.raises(IntakeError, match="was not classified"):
        next(batches)


def test_only_the_open_batch_takes_refusals(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(RECORD)
    reading = FileReading(discover([path]).files[0])
    for batch in reading.batches():
        reading.refuse(batch, 0, "no reason")
        reading.classify(batch, np.full(len(batch), SKIMMED, np.uint8))
        with pytest.raises(IntakeError):
            reading.refuse(batch, 0, "too late")
    account = reading.account(source="x")
    assert [refusal.reason for refusal in account.refusals] == ["no reason"]
    assert account.record_counts[ByteClass.REFUSED] == 1
    assert account.byte_counts[ByteClass.REFUSED] == 7


@pytest.mark.slow
def test_a_hundred_and_twenty_thousand_small_files_are_found_and_read(tmp_path: Path) -> None:
    for folder in range(120):
        (tmp_path / f"{folder:03}").mkdir()
        for number in range(1000):
            (tmp_path / f"{folder:03}" / f"{number:04}.json").write_bytes(RECORD)
    started = time.process_time()
    found = discover([tmp_path])
    discovery_s = time.process_time() - started
    assert len(found.files) == 120_000
    assert discovery_s < 20
    started = time.process_time()
    assert all(through(file, limits=Limits()).is_complete for file in found.files[:20_000])
    assert time.process_time() - started < 60
