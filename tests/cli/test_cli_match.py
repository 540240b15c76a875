"""`rules match`: the form on which anyone's differential tests rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import GUID, rule_text, write_bytes, write_rules

A, B, C = (GUID.format(number) for number in (1, 2, 3))
NEEDLE = rule_text(1, "{kind: needle}")
HAY = rule_text(2, "{kind: hay}")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return write_bytes(tmp_path / "events.jsonl", b'{"kind": "needle"}\n{"kind": "hay"}\n{"kind": "NEEDLE"}\n')


def lines(tmp_path: Path, content: bytes) -> Path:
    return write_bytes(tmp_path / "events.jsonl", content)


class TestOneFile:
    def test_each_event_gets_its_line_and_its_answer(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        said = aibr("rules", "match", write_rules(tmp_path, {"r.yml": NEEDLE}) / "r.yml", events)
        assert (said.code, said.out, said.err) == (0, "1\ttrue\n2\tfalse\n3\ttrue\n", "")

    @pytest.mark.parametrize(
        ("content", "answers"),
        [
            (b'{"kind": "needle"}\r\n{"kind": "hay"}\r\n', "1\ttrue\n2\tfalse\n"),
            (b'\xef\xbb\xbf{"kind": "needle"}\n', "1\ttrue\n"),
            (b'\n  \n{"kind": "needle"}\n\r\n{"kind": "hay"}', "3\ttrue\n5\tfalse\n"),
            (b'  {"kind": "needle"}\t \n', "1\ttrue\n"),
            (b"", ""),
            (b"\xef\xbb\xbf", ""),
            (b'{"kind": "hay", "kind": "needle"}\n', "1\ttrue\n"),
            (b'{"k\\u0069nd": "\\u006eeedle"}\n', "1\ttrue\n"),
            (b'{"kind": ["hay", "needle"]}\n', "1\ttrue\n"),
            (b'{"kind": "needle", "big": ' + b"9" * 400 + b"}\n", "1\ttrue\n"),
            (b'{"kind": "needle", "low": -0.0, "odd": 1e400}\n', "1\ttrue\n"),
            (b'{"kind": "needle\\ud800"}\n', "1\tfalse\n"),
            (b"{}\n", "1\tfalse\n"),
        ],
        ids=[
            *(
                "CRLF",
                "BOM",
                "blank lines keep the numbers",
                "white space around",
                "an empty file",
                "only a BOM",
                "the last of two keys counts",
            ),
            *("escapes", "a list", "a huge integer", "odd numbers", "a lone surrogate", "an empty object"),
        ],
    )
    def test_lines_are_read_as_json_lines_are(self, aibr: Aibr, tmp_path: Path, content: bytes, answers: str) -> None:
        said = aibr("rules", "match", write_rules(tmp_path, {"r.yml": NEEDLE}) / "r.yml", lines(tmp_path, content))
        assert (said.code, said.out, said.err) == (0, answers, "")

    @pytest.mark.parametrize(
        "line",
        [
            b"nonsense",
            b"17",
            b'"needle"',
            b"null",
            b"[]",
            b'[{"kind": "needle"}]',
            b'{"kind": NaN}',
            b'{"kind": Infinity}',
            b'{"kind": "needle"',
            b"[" * 5000,
        ],
        ids=["no JSON", "a number", "a text", "null", "a list", "a list of events", "NaN", "Infinity", "cut off", "deep"],
    )
    def test_a_line_that_is_no_event_is_named_and_the_others_are_matched(self, aibr: Aibr, tmp_path: Path, line: bytes) -> None:
        events = lines(tmp_path, b'{"kind": "needle"}\n' + line + b'\n{"kind": "needle"}\n')
        said = aibr("rules", "match", write_rules(tmp_path, {"r.yml": NEEDLE}) / "r.yml", events)
        assert (said.code, said.out) == (2, "1\ttrue\n3\ttrue\n")
        assert said.err.startswith(f"{events}:2: ")
        assert said.err.count("\n") == 1

    def test_a_line_of_twenty_mebibytes_is_matched(self, aibr: Aibr, tmp_path: Path) -> None:
        events = lines(tmp_path, json.dumps({"pad": "x" * (20 << 20), "kind": "needle"}).encode() + b"\n")
        said = aibr("rules", "match", write_rules(tmp_path, {"r.yml": NEEDLE}) / "r.yml", events)
        assert (said.code, said.out) == (0, "1\ttrue\n")

    def test_the_log_source_is_not_asked_and_fields_are_taken_as_written(self, aibr: Aibr, tmp_path: Path) -> None:
        """An alias of a mapping is no field here; exact names with exact case are."""
        text = rule_text(1, "{sourceip: 192.0.2.1}", logsource="{product: aws, service: cloudtrail}")
        events = lines(tmp_path, b'{"sourceIPAddress": "192.0.2.1"}\n{"sourceip": "192.0.2.1"}\n{"SourceIP": "192.0.2.1"}\n')
        assert aibr("rules", "match", write_rules(tmp_path, {"r.yml": text}) / "r.yml", events).out == "1\tfalse\n2\ttrue\n3\tfalse\n"

    @pytest.mark.parametrize("name", ["rule.yaml", "rule.txt", "rule", "rule.tests.yaml"])
    def test_a_file_that_is_named_is_read_whatever_it_is_called(self, aibr: Aibr, tmp_path: Path, events: Path, name: str) -> None:
        assert aibr("rules", "match", write_rules(tmp_path, {name: NEEDLE}) / name, events).out == "1\ttrue\n2\tfalse\n3\ttrue\n"

    def test_a_rule_file_may_have_crlf_and_a_bom(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        path = write_bytes(tmp_path / "r.yml", b"\xef\xbb\xbf" + NEEDLE.replace("\n", "\r\n").encode())
        assert aibr("rules", "match", path, events).out == "1\ttrue\n2\tfalse\n3\ttrue\n"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (rule_text(1, "{kind|re: '(?<=a)b'}"), "re"),
            (rule_text(1, "{kind|sideways: x}"), "sideways"),
            (rule_text(1, "{kind: '%nothing%'}").replace("kind:", "kind|expand:"), "nothing"),
            ("title: x\n", "logsource"),
            ("just words\n", "no Sigma rule"),
            ("a: [1\n", ""),
            ("", "no Sigma rule"),
        ],
        ids=["look-behind", "unknown modifier", "unknown placeholder", "no detection", "no map", "no YAML", "empty"],
    )
    def test_a_refused_rule_is_named_with_its_reason_and_gives_no_answer(
        self, aibr: Aibr, tmp_path: Path, events: Path, text: str, reason: str
    ) -> None:
        path = write_rules(tmp_path, {"r.yml": text}) / "r.yml"
        said = aibr("rules", "match", path, events)
        assert (said.code, said.out) == (2, "")
        assert said.err
        assert all(line.startswith(f"{path}: ") for line in said.err.splitlines())
        assert reason in said.err

    def test_two_rules_in_one_file_answer_as_a_folder_does(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        path = write_rules(tmp_path, {"r.yml": f"{NEEDLE}---\n{HAY}"}) / "r.yml"
        said = aibr("rules", "match", path, events)
        assert (said.code, said.out) == (0, f"{A}\t1\n{B}\t2\n{A}\t3\n")


class TestFolder:
    def test_each_match_is_a_line_with_rule_and_event(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        folder = write_rules(tmp_path / "rules", {"a.yml": NEEDLE, "b/c/d.yaml": HAY, "z.yml": rule_text(3, "{kind: '*'}")})
        said = aibr("rules", "match", folder, events)
        assert (said.code, said.out.splitlines(), said.err) == (0, [f"{A}\t1", f"{C}\t1", f"{B}\t2", f"{C}\t2", f"{A}\t3", f"{C}\t3"], "")

    def test_a_folder_with_one_rule_answers_as_a_folder(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        assert aibr("rules", "match", write_rules(tmp_path / "rules", {"a.yml": NEEDLE}), events).out == f"{A}\t1\n{A}\t3\n"

    def test_cases_hidden_files_and_other_files_are_no_rules(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        files = {
            "a.yml": NEEDLE,
            "a.tests.yaml": "rule: a\ncases: {}\n",
            "b.tests.yml": "x: 1\n",
            ".c.yml": HAY,
            "README.md": "# x\n",
            "d.json": "{}",
        }
        said = aibr("rules", "match", write_rules(tmp_path / "rules", files), events)
        assert (said.code, said.out, said.err) == (0, f"{A}\t1\n{A}\t3\n", "")

    def test_a_refused_rule_is_named_and_the_others_run(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        folder = write_rules(tmp_path / "rules", {"a.yml": "title: x\n", "b.yml": HAY, "c.yml": rule_text(3, "{kind|re: '['}")})
        said = aibr("rules", "match", folder, events)
        assert (said.code, said.out) == (2, f"{B}\t2\n")
        assert {line.partition(": ")[0] for line in said.err.splitlines()} == {f"{folder / 'a.yml'}", f"{folder / 'c.yml'}"}

    def test_an_id_that_two_rules_have_is_refused_the_second_time(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        folder = write_rules(tmp_path / "rules", {"a.yml": NEEDLE, "b.yml": rule_text(1, "{kind: hay}")})
        said = aibr("rules", "match", folder, events)
        assert (said.code, said.out) == (2, f"{A}\t1\n{A}\t3\n")
        assert f"has the id {A}, which {folder / 'a.yml'} has too" in said.err

    def test_a_rule_without_an_id_is_called_by_the_digest_of_its_text(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        folder = write_rules(tmp_path / "rules", {"a.yml": NEEDLE.replace(f"id: {A}\n", ""), "b.yml": HAY.replace(f"id: {B}\n", "")})
        said = aibr("rules", "match", folder, events)
        names = [line.split("\t")[0] for line in said.out.splitlines()]
        assert (said.code, len(names), len(set(names))) == (0, 3, 2)
        assert all(name.startswith("sha256:") and len(name) == 71 for name in names)

    def test_an_id_cannot_forge_a_line_or_act_on_a_terminal(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        folder = write_rules(tmp_path / "rules", {"a.yml": NEEDLE.replace(A, '"x\\ty\\n\\e[31m"')})
        said = aibr("rules", "match", folder, events)
        assert [line.split("\t")[1] for line in said.out.splitlines()] == ["1", "3"]
        assert "\x1b" not in said.out

    def test_an_empty_folder_matches_nothing(self, aibr: Aibr, tmp_path: Path, events: Path) -> None:
        (tmp_path / "rules").mkdir()
        said = aibr("rules", "match", tmp_path / "rules", events)
        assert (said.code, said.out, said.err) == (0, "", "")

    def test_the_built_in_rules_can_be_named_too(self, aibr: Aibr, tmp_path: Path) -> None:
        events = lines(tmp_path, b'{"eventSource": "bedrock.amazonaws.com", "eventName": "DeleteGuardrail"}\n')
        said = aibr("rules", "match", "shipped:aws/bedrock", events)
        assert (said.code, said.out.count("\n")) == (0, 1)


def test_a_rule_or_file_that_is_not_there_is_named(aibr: Aibr, tmp_path: Path, events: Path) -> None:
    rules = write_rules(tmp_path, {"r.yml": NEEDLE}) / "r.yml"
    assert (aibr("rules", "match", tmp_path / "gone.yml", events).code, aibr("rules", "match", rules, tmp_path / "gone").code) == (2, 2)
    assert str(tmp_path / "gone.yml") in aibr("rules", "match", tmp_path / "gone.yml", events).err
    assert str(tmp_path / "gone") in aibr("rules", "match", rules, tmp_path / "gone").err


def test_no_ledger_is_made(aibr: Aibr, tmp_path: Path, events: Path) -> None:
    aibr("rules", "match", write_rules(tmp_path, {"r.yml": NEEDLE}) / "r.yml", events)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("selection", ["{kind: needle}", "{kind: '*'}", "{kind|contains: e}", "{kind: null}", "{kind|re: ^n}"])
def test_one_file_and_its_folder_give_the_same_answers(aibr: Aibr, tmp_path: Path, events: Path, selection: str) -> None:
    folder = write_rules(tmp_path / "rules", {"a.yml": rule_text(1, selection)})
    one = {line.split("\t")[0] for line in aibr("rules", "match", folder / "a.yml", events).out.splitlines() if line.endswith("\ttrue")}
    assert one == {line.split("\t")[1] for line in aibr("rules", "match", folder, events).out.splitlines()}
