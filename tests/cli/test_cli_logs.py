"""`aibr-hunt logs`: what is added is told, counted and kept; what cannot be is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import cloudtrail, write_bytes, write_lines


@pytest.fixture
def filled(aibr: Aibr, logs: Path) -> Aibr:
    """A lake with 20 events."""
    assert aibr("logs", "add", logs).code == 0
    return aibr


class TestAdd:
    def test_it_says_how_much_was_added_and_the_status_agrees(self, aibr: Aibr, logs: Path) -> None:
        said = aibr("logs", "add", logs)
        assert (said.code, said.out, said.err) == (0, "Added 20 events from 1 file.\n", "")
        (row,) = aibr("logs", "status", "--json").rows
        assert (row["source"], row["files"], row["events"], row["repeats"]) == ("aws_cloudtrail", 1, 20, 0)

    def test_the_same_files_again_are_passed_over(self, filled: Aibr, logs: Path) -> None:
        said = filled("logs", "add", logs)
        assert said.out == "Added 0 events from 0 files.\nPassed over 1 file that the lake holds already, byte for byte.\n"
        assert said.code == 0

    def test_what_is_refused_is_told_and_ends_with_4(self, aibr: Aibr, tmp_path: Path) -> None:
        write_bytes(tmp_path / "broken.json", b'{"kind": oops}\n{"kind": 1}\nnonsense\n')
        said = aibr("logs", "add", tmp_path / "broken.json")
        assert said.code == 4
        assert said.err.startswith("Not read (2):\n")
        assert f"{tmp_path / 'broken.json'}: not JSON at byte 0" in said.err
        rows = aibr("logs", "add", tmp_path / "broken.json", "--json").rows
        assert len(rows[0]["refusals"]) == 2
        assert rows[-1]["skipped"] == 1

    def test_json_accounts_for_every_byte(self, aibr: Aibr, logs: Path) -> None:
        *accounts, total = aibr("logs", "add", logs, "--json").rows
        assert [sum(each["bytes"].values()) == each["content_bytes"] for each in accounts] == [True]
        assert (total["events"], total["is_complete"]) == (20, True)

    def test_repeats_and_conflicts_are_told(self, aibr: Aibr, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [cloudtrail(1), cloudtrail(1), cloudtrail(1, "DeleteGuardrail")])
        said = aibr("logs", "add", tmp_path / "a.json")
        assert "1 of them repeat an event that was there" in said.out
        assert "1 event with the identity of another and other content" in said.err

    def test_a_path_that_is_not_there_is_the_user_s_mistake(self, aibr: Aibr, tmp_path: Path) -> None:
        said = aibr("logs", "add", tmp_path / "nowhere")
        assert said.code == 2
        assert "nowhere was not read: No such file or directory" in said.err

    def test_a_source_is_named_as_for_a_run(self, aibr: Aibr, tmp_path: Path) -> None:
        write_lines(tmp_path / "a.json", [cloudtrail(1)])
        assert aibr("logs", "add", tmp_path / "a.json", "--source", "as-written").code == 0
        assert [row["source"] for row in aibr("logs", "status", "--json").rows] == ["as-written"]
        said = aibr("logs", "add", tmp_path / "a.json", "--source", "nothing-known")
        assert (said.code, "There is no log source nothing-known" in said.err) == (2, True)


class TestOthers:
    @pytest.mark.parametrize("arguments", [["status"], ["compact"], ["drop", "--everything"]], ids=" ".join)
    def test_without_a_lake_the_way_to_one_is_told(self, aibr: Aibr, arguments: list[str]) -> None:
        said = aibr("logs", *arguments)
        assert said.code == 2
        assert "`aibr-hunt logs add PATH` makes one" in said.err

    def test_the_status_is_a_table_for_people(self, filled: Aibr) -> None:
        head, row = filled("logs", "status").out.splitlines()
        assert head.split()[:3] == ["source", "files", "events"]
        assert row.split()[:3] == ["aws_cloudtrail", "1", "20"]

    def test_a_drop_says_what_is_left_and_must_be_told_what(self, filled: Aibr, logs: Path) -> None:
        assert filled("logs", "drop").code == 2
        assert filled("logs", "drop", "--everything", "--source", "aws_cloudtrail").code == 2
        assert filled("logs", "drop", "--source", "aws_cloudtrail", "--to", "2026-01-01T12:00:00Z").code == 2
        said = filled("logs", "drop", "--source", "aws_cloudtrail")
        assert said.out == "Dropped 20 events in 1 segment: of 1 file nothing is left, of 0 a part.\n"
        assert filled("logs", "status").out.endswith("The lake is empty.\n")
        assert filled("logs", "add", logs).out == "Added 20 events from 1 file.\n"

    def test_a_compaction_says_what_it_merged(self, filled: Aibr, tmp_path: Path) -> None:
        assert filled("logs", "compact").out == "Nothing to merge.\n"
        write_lines(tmp_path / "more.json", [cloudtrail(each) for each in range(100, 110)])
        filled("logs", "add", tmp_path / "more.json")
        assert filled("logs", "compact", "--json").rows == [
            {"segments_before": 2, "segments_after": 1, "events": 30, "removed": 2, "waiting": 0}
        ]
