"""The files engine: the same hits in one process or several, with the sieve or without, and every byte in an account."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.engines import files
from aibr_hunt.engines.files import FileResult, Scope, scan, scan_file
from aibr_hunt.engines.program import AS_WRITTEN, Options, Program
from aibr_hunt.errors import EngineError
from aibr_hunt.intake.batch import Batch
from aibr_hunt.intake.files import discover
from aibr_hunt.intake.identity import Origin, event_of
from aibr_hunt.model.event import ByteClass, Event, Json
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY
from tests.cli.samples import NOW, cloudtrail, gcp, rule, write_azure_csv, write_bytes, write_lines, write_records

READINGS = {
    "sieve": Options(),
    "re2": Options(use_hyperscan=False),
    "no sieve": Options(use_sieve=False),
    "strict": Options(is_strict=True),
}
DELETED = rule(1)
OTHERS = (
    rule(2, "{userAgent|contains: curl/8}"),
    rule(3, "{eventName: [StopLogging, DeleteTrail]}"),
    rule(4, "{requestParameters.note: Überwachung}"),
)
GCP = rule(5, "{protoPayload.methodName|endswith: .DeleteModel}", logsource="{product: gcp, service: gcp.audit}")
AZURE = rule(6, "{operationName: 'Delete Workspace'}", logsource="{product: azure, service: activitylogs}")
ANY = rule(7, "{kind: needle}", logsource="{category: anything}")


def program_of(rules: Sequence[Rule], options: Options | None = None) -> Program:
    mapping_of = {each.id: LIBRARY.mapping_for(each.logsource) for each in rules}
    return Program(rules, mappings=LIBRARY.mappings, mapping_of=mapping_of, options=options or Options())


def read(
    folder: Path, rules: Sequence[Rule], options: Options | None = None, scope: Scope | None = None, **how: object
) -> list[FileResult]:
    return list(scan(discover([folder]).files, program_of(rules, options), scope or Scope(now=NOW), **how))  # type: ignore[arg-type]


def hits_of(results: Sequence[FileResult]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(Path(hit.event.place.path).name, hit.event.place.ordinal, hit.rule_ids) for result in results for hit in result.hits]


def totals_of(results: Sequence[FileResult]) -> dict[str, int]:
    """Return bytes and records by class; what was skimmed and what was parsed without a match count as one."""
    totals = Counter[str]()
    for result in results:
        assert result.account.is_balanced
        for word, counts in (("bytes", result.account.byte_counts), ("records", result.account.record_counts)):
            for kind, count in counts.items():
                name = "unmatched" if kind in {ByteClass.PARSED, ByteClass.SKIMMED} else kind.value
                totals[f"{name} {word}"] += count
    return dict(totals)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder as people have it: three clouds, a portal export, UTF-16, something unknown, something broken."""
    events = [cloudtrail(number, "DeleteGuardrail" if number % 40 == 3 else "ListGuardrails") for number in range(200)]
    events[50] = cloudtrail(50, "StopLogging", userAgent="curl/8.1")
    events[60] = cloudtrail(60, requestParameters={"note": "ÜBERWACHUNG"})
    write_records(tmp_path / "a" / "trail.json.gz", events)
    write_lines(tmp_path / "a" / "lines.jsonl", events[:90])
    write_lines(tmp_path / "b" / "wide.json", events[:50], encoding="utf-16")
    write_lines(tmp_path / "b" / "gcp.json", [gcp(1), gcp(2, "google.cloud.aiplatform.v1.ModelService.DeleteModel")])
    write_azure_csv(tmp_path / "c" / "portal.csv", ["Read Workspace", "Delete Workspace"])
    write_lines(tmp_path / "c" / "unknown.json", [{"kind": "needle"}, {"kind": "hay"}])
    write_bytes(
        tmp_path / "c" / "broken.json", b'{"eventName": "DeleteGuardrail", oops}\n' + json.dumps(cloudtrail(9)).encode() + b"\nnonsense\n"
    )
    return tmp_path


ALL = (DELETED, *OTHERS, GCP, AZURE, ANY)
EXPECTED = [
    ("lines.jsonl", 4, (DELETED.id,)),
    ("lines.jsonl", 44, (DELETED.id,)),
    ("lines.jsonl", 51, (OTHERS[0].id, OTHERS[1].id)),
    ("lines.jsonl", 61, (OTHERS[2].id,)),
    ("lines.jsonl", 84, (DELETED.id,)),
    ("trail.json.gz", 4, (DELETED.id,)),
    ("trail.json.gz", 44, (DELETED.id,)),
    ("trail.json.gz", 51, (OTHERS[0].id, OTHERS[1].id)),
    ("trail.json.gz", 61, (OTHERS[2].id,)),
    ("trail.json.gz", 84, (DELETED.id,)),
    ("trail.json.gz", 124, (DELETED.id,)),
    ("trail.json.gz", 164, (DELETED.id,)),
    ("gcp.json", 2, (GCP.id,)),
    ("wide.json", 4, (DELETED.id,)),
    ("wide.json", 44, (DELETED.id,)),
    ("portal.csv", 2, (AZURE.id,)),
    ("unknown.json", 1, (ANY.id,)),
]


class TestOneAnswer:
    @pytest.mark.parametrize("options", READINGS.values(), ids=READINGS)
    def test_every_reading_gives_the_same_hits_in_the_order_of_the_files(self, mixed: Path, options: Options) -> None:
        assert hits_of(read(mixed, ALL, options)) == EXPECTED

    def test_every_reading_gives_the_same_totals(self, mixed: Path) -> None:
        totals = [totals_of(read(mixed, ALL, options)) for options in READINGS.values()]
        assert totals == totals[:1] * 4
        assert totals[0]["refused records"] == 2

    def test_hits_carry_the_same_evidence_in_every_reading(self, mixed: Path) -> None:
        found = [[hit.event for result in read(mixed, ALL, options) for hit in result.hits] for options in READINGS.values()]
        assert found == found[:1] * 4

    @pytest.mark.parametrize("start_method", ["fork", "spawn"])
    def test_several_processes_give_what_one_gives(self, mixed: Path, start_method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Accounts, hits and order alike. Spawn is what macOS and Windows have: nothing is shared there but what is pickled."""
        if start_method not in multiprocessing.get_all_start_methods():
            pytest.skip(f"no {start_method} on this platform")
        monkeypatch.setattr(files, "TASK_FILES", 2)
        assert read(mixed, ALL, processes=2, start_method=start_method) == read(mixed, ALL)

    def test_what_is_skimmed_holds_no_literal_of_any_rule(self, mixed: Path) -> None:
        for result in read(mixed / "a", ALL):
            parsed = result.account.record_counts
            assert (parsed[ByteClass.SKIMMED], parsed[ByteClass.PARSED]) == (sum(parsed.values()) - parsed[ByteClass.MATCHED], 0)

    def test_a_literal_that_stands_in_another_field_costs_a_parse_and_makes_no_hit(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "x.json", [cloudtrail(1, userAgent="DeleteGuardrail")])
        (result,) = read(tmp_path, [DELETED])
        assert (result.hits, result.account.record_counts[ByteClass.PARSED]) == ((), 1)


class TestParsedWithoutLiteral:
    @pytest.mark.parametrize(
        "text",
        ['"eventName":"D\\u0065leteGuardrail"', '"event\\u004eame":"DeleteGuardrail"', '"eventName":"DeleteGuardrail","note":"\u00fc"'],
        ids=["escape in the value", "escape in the key", "non-ASCII beside it"],
    )
    def test_an_escape_or_a_byte_beyond_ascii_forces_the_parse(self, tmp_path: Path, text: str) -> None:
        head = json.dumps(cloudtrail(1, "ListGuardrails", eventName=None))[:-1]
        write_bytes(tmp_path / "x.json", f"{head},{text}}}\n".encode())
        for options in READINGS.values():
            assert len(hits_of(read(tmp_path, [DELETED], options))) == 1

    def test_the_whole_file_is_parsed_where_it_is_utf_16(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "x.json", [cloudtrail(1), cloudtrail(2)], encoding="utf-16-be")
        (result,) = read(tmp_path, [DELETED])
        assert (result.account.encoding, result.account.record_counts[ByteClass.PARSED]) == ("utf-16-be", 2)

    def test_a_record_that_only_lacks_a_field_is_found_by_a_rule_that_asks_for_its_absence(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "x.json", [cloudtrail(1), cloudtrail(2, errorCode="AccessDenied")])
        assert hits_of(read(tmp_path, [rule(8, "{errorCode: null}")])) == [("x.json", 1, (rule(8).id,))]


class TestLogSource:
    def source_of(self, path: Path, scope: Scope | None = None, rules: Sequence[Rule] = ALL) -> str:
        (result,) = read(path, rules, scope=scope)
        return result.account.source

    def test_it_is_told_by_the_records_and_never_by_the_name(self, tmp_path: Path) -> None:
        assert self.source_of(write_lines(tmp_path / "cloudtrail.json", [gcp(1)])) == "gcp_audit"
        assert self.source_of(write_lines(tmp_path / "gcp.json", [cloudtrail(1)])) == "aws_cloudtrail"
        assert self.source_of(write_azure_csv(tmp_path / "aws.csv", ["x"])) == "azure_activitylogs"

    def test_a_file_that_nothing_recognises_is_read_as_written(self, tmp_path: Path) -> None:
        assert self.source_of(write_lines(tmp_path / "x.json", [{"kind": "needle"}])) == AS_WRITTEN

    def test_refused_and_foreign_records_in_front_do_not_hide_the_source(self, tmp_path: Path) -> None:
        lines = b"{broken\n" * 3 + b'{"hello": 1}\n' * 5 + json.dumps(cloudtrail(1, "DeleteGuardrail")).encode() + b"\n"
        path = write_bytes(tmp_path / "x.json", lines)
        assert self.source_of(path) == "aws_cloudtrail"
        assert len(hits_of(read(path, [DELETED]))) == 1

    def test_a_source_that_is_named_is_believed(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail", eventVersion=None)])
        named = Scope(now=NOW, mapping=program_of(()).mapping_named("aws_cloudtrail"))
        assert (self.source_of(path), len(hits_of(read(path, [DELETED])))) == (AS_WRITTEN, 0)
        assert (self.source_of(path, named), len(hits_of(read(path, [DELETED], scope=named)))) == ("aws_cloudtrail", 1)

    def test_fields_are_taken_as_written_on_request_even_where_the_source_is_known(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail")])
        scope = Scope(now=NOW, is_as_written=True)
        program = Program([DELETED], mappings=LIBRARY.mappings, mapping_of={DELETED.id: None}, options=Options())
        (result,) = scan(discover([path]).files, program, scope)
        assert (result.account.source, len(result.hits), result.hits[0].event.identity.is_weak) == (AS_WRITTEN, 1, True)

    def test_records_that_do_not_look_like_their_file_s_source_are_counted(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "x.json", [cloudtrail(1), gcp(1), {"hello": 1}])
        (result,) = read(path, [DELETED], Options(is_strict=True))
        assert (result.account.source, result.strangers) == ("aws_cloudtrail", 2)

    def test_records_of_a_known_source_in_a_file_read_as_written_are_counted_and_named(self, tmp_path: Path) -> None:
        lines = [*({"kind": "hay"} for _ in range(files.SAMPLE_RECORDS)), cloudtrail(1), gcp(1), {"kind": "needle"}]
        path = write_lines(tmp_path / "x.json", lines)
        (result,) = read(path, [ANY], Options(is_strict=True))
        assert (result.account.source, result.strangers) == (AS_WRITTEN, 2)
        assert result.strangers_look_like == ("aws_cloudtrail", "gcp_audit")
        (asked_for,) = read(path, [ANY], Options(is_strict=True), Scope(now=NOW, is_as_written=True))
        assert (asked_for.strangers, asked_for.strangers_look_like) == (0, ())

    def test_a_source_without_rules_is_read_and_accounted_for_all_the_same(self, tmp_path: Path) -> None:
        (result,) = read(write_lines(tmp_path / "x.json", [gcp(1), gcp(2)]), [DELETED])
        assert (result.account.source, result.account.record_counts[ByteClass.SKIMMED]) == ("gcp_audit", 2)
        assert result.account.is_balanced


class TestWindow:
    WINDOW = Window(start=datetime(2026, 1, 2, tzinfo=UTC), end=datetime(2026, 1, 3, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("time", "is_kept"),
        [
            ("2026-01-01T23:59:59.999999Z", False),
            ("2026-01-02T00:00:00Z", True),
            ("2026-01-02T23:59:59.999999Z", True),
            ("2026-01-03T00:00:00Z", False),
            ("2026-01-03T01:00:00+02:00", True),
        ],
    )
    def test_the_start_is_inside_and_the_end_outside_whatever_the_offset(self, tmp_path: Path, time: str, *, is_kept: bool) -> None:
        path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail", eventTime=time)])
        (result,) = read(path, [DELETED], scope=Scope(now=NOW, window=self.WINDOW))
        assert (len(result.hits), result.outside_window) == ((1, 0) if is_kept else (0, 1))

    @pytest.mark.parametrize("time", [None, "yesterday", "", "2026-02-03T00:00:00Z", "1999-01-01T00:00:00Z", 1767312000])
    def test_an_event_without_a_time_that_can_be_is_kept_and_counted(self, tmp_path: Path, time: object) -> None:
        """Absent, unreadable, more than a day ahead of the run, older than the source keeps, a number."""
        path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail", eventTime=time)])
        (result,) = read(path, [DELETED], scope=Scope(now=NOW, window=self.WINDOW, mapping=program_of(()).mapping_named("aws_cloudtrail")))
        assert (len(result.hits), result.account.untimed, result.outside_window) == (1, 1, 0)
        assert result.hits[0].event.time is None


class TestExports:
    def test_rows_of_a_portal_export_in_utf_16_are_found_with_their_bytes(self, tmp_path: Path) -> None:
        path = write_azure_csv(tmp_path / "x.csv", ["Read Workspace", "Delete Workspace"], encoding="utf-16")
        (result,) = read(path, [AZURE])
        (hit,) = result.hits
        place = hit.event.place
        assert path.read_bytes()[place.offset : place.offset + place.length] == hit.event.raw
        assert "Delete Workspace" in hit.event.raw.decode("utf-16-le")
        assert (result.account.format, result.account.source, result.account.is_balanced) == ("csv", "azure_activitylogs", True)

    def test_raw_bytes_are_those_of_the_file_at_the_place_that_is_named(self, mixed: Path) -> None:
        for result in read(mixed / "b", ALL):
            content = Path(result.account.path).read_bytes()
            for hit in result.hits:
                place = hit.event.place
                assert content[place.offset : place.offset + place.length] == hit.event.raw
                assert place.file_digest == result.account.digest

    def test_an_unreadable_file_gives_an_account_that_says_so(self, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "x.json", [cloudtrail(1)])
        (found,) = discover([path]).files
        path.unlink()
        result = scan_file(found, program_of([DELETED]), Scope(now=NOW))
        assert not result.account.is_complete
        assert [refusal.reason for refusal in result.account.refusals] == ["unreadable file"]

    def test_a_record_too_deep_to_match_is_refused_and_the_others_are_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """How deep Python can go depends on who calls: the fault is brought about where the second hit is made."""

        def no_stack(batch: Batch, index: int, value: Json, *, origin: Origin) -> Event:
            if index == 1:
                raise RecursionError
            return event_of(batch, index, value, origin=origin)

        monkeypatch.setattr(files, "event_of", no_stack)
        path = write_lines(tmp_path / "x.json", [cloudtrail(each, "DeleteGuardrail") for each in range(3)])
        (result,) = read(path, [DELETED])
        assert [hit.event.place.ordinal for hit in result.hits] == [1, 3]
        assert [refusal.reason for refusal in result.account.refusals] == ["too deep to match"]
        assert (result.account.is_complete, result.account.is_balanced) == (False, True)


class TestProcesses:
    def many(self, folder: Path) -> Path:
        for number in range(24):
            write_lines(folder / f"{number:02d}.json", [cloudtrail(each) for each in range(200)])
        return folder

    def test_a_process_that_is_killed_ends_the_scan_with_an_error_and_no_hang(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "TASK_FILES", 1)
        results = scan(discover([self.many(tmp_path)]).files, program_of([DELETED]), Scope(now=NOW), processes=2)
        next(results)
        children = multiprocessing.active_children()
        assert len(children) == 2
        for child in children:
            os.kill(child.pid or 0, signal.SIGKILL)
        with pytest.raises(EngineError, match="died") as caught:
            list(results)
        assert caught.value.retryable
        assert "AIBR_PROCESSES=1" in str(caught.value)
        assert multiprocessing.active_children() == []

    @pytest.mark.parametrize("processes", [1, 2])
    def test_memory_that_runs_out_is_an_engine_s_error(self, tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_memory(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(files, "TASK_FILES", 1)
        monkeypatch.setattr(files, "parse_record", no_memory)
        write_lines(tmp_path / "1.json", [cloudtrail(1, "DeleteGuardrail")])
        write_lines(tmp_path / "2.json", [cloudtrail(2, "DeleteGuardrail")])
        with pytest.raises(EngineError, match="Memory ran out"):
            read(tmp_path, [DELETED], processes=processes)

    def test_a_reader_that_stops_early_leaves_no_process_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "TASK_FILES", 1)
        results = scan(discover([self.many(tmp_path)]).files, program_of([DELETED]), Scope(now=NOW), processes=2)
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert multiprocessing.active_children() == []

    def test_a_few_small_files_are_not_worth_a_second_process(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "1.json", [cloudtrail(1)])
        results = scan(discover([tmp_path]).files, program_of([DELETED]), Scope(now=NOW), processes=8)
        next(results)
        assert multiprocessing.active_children() == []


def test_an_event_keeps_its_rules_in_the_order_in_which_they_were_asked(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail")])
    again = replace(DELETED, id="z")
    assert hits_of(read(path, [again, DELETED])) == [("x.json", 1, ("z", DELETED.id))]
