"""What reaches a terminal or a pipe: never a control character of a log, never a traceback because a reader left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.cli.conftest import Aibr
from tests.cli.samples import Event, cloudtrail, rule_text, write_lines, write_rules

ROOT = Path(__file__).resolve().parents[2]
AIBR = [sys.executable, "-m", "aibr_hunt"]
POISON = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp\u2066\u200b\x7f\x00\r\nL-forged  2026-01-01  all is well\u2028"
UNSAFE = {unicodedata.category(character) for character in POISON if not character.isprintable()}


def poisoned(number: int) -> Event:
    return cloudtrail(
        number,
        "DeleteGuardrail",
        sourceIPAddress=POISON,
        awsRegion=POISON,
        recipientAccountId=POISON,
        userIdentity={"arn": POISON},
        requestParameters={"guardrailIdentifier": POISON, POISON: POISON},
        userAgent=POISON,
    )


def is_safe(text: str) -> bool:
    return not any(unicodedata.category(character) in UNSAFE and character not in "\n\t" for character in text)


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path]:
    """Rules and logs of which every word that others choose is poisoned."""
    yaml = json.dumps(POISON)
    text = rule_text(1).replace(
        "title: Rule 1", f"title: {yaml}\ndescription: {yaml}\ntriage: [{yaml}]\npreserve_first: [{yaml}]\nevades: [{yaml}]\ntags: [{yaml}]"
    )
    folder = write_rules(
        tmp_path / "rules", {"r.yml": text.replace("name: rule_1", f"name: {yaml}"), "bad.yml": f"title: {yaml}\nlogsoruce: {yaml}\n"}
    )
    logs = write_lines(tmp_path / "logs" / "a\x1b[31m\u202eb.json", [poisoned(1)]).parent
    (logs / "c\nNot seen (0):.json").write_bytes(b'{"torn\n')
    return folder, logs


class TestLogFields:
    def test_no_command_lets_them_act_on_the_terminal(self, aibr: Aibr, case: tuple[Path, Path], tmp_path: Path) -> None:
        rules, logs = case
        ran = aibr("--log-level", "debug", "run", rules, "--logs", logs)
        lead = aibr("run", rules, "--logs", logs, "--json").rows[0]["lead"]
        events = write_lines(tmp_path / "e.jsonl", [poisoned(2)])
        said = [
            ran,
            *(
                aibr(*words)
                for words in (("leads", "list"), ("leads", "list", "--json"), ("leads", "show", lead), ("leads", "show", lead, "--json"))
            ),
            *(aibr(*words) for words in (("leads", "triage", lead, "open", "--note", POISON.replace("\0", "")), ("leads", "show", lead))),
            *(aibr(*words) for words in (("coverage",), ("coverage", "--json"), ("evidence", "verify"), ("ledger", "status"))),
            *(
                aibr(*words)
                for words in (
                    ("rules", "list", rules),
                    ("rules", "list", rules, "--json"),
                    ("rules", "show", rules),
                    ("rules", "test", rules),
                )
            ),
            *(
                aibr(*words)
                for words in (("rules", "check", rules), ("rules", "match", rules, events), ("leads", "show", POISON.replace("\0", "")))
            ),
        ]
        assert [each for each in said if not is_safe(each.out) or not is_safe(each.err)] == []
        assert ran.code == 2
        assert r"\u001b[31mred" in ran.out

    def test_no_field_and_no_file_name_begins_a_line_of_its_own(self, aibr: Aibr, case: tuple[Path, Path]) -> None:
        rules, logs = case
        ran = aibr("run", rules, "--logs", logs)
        lines = (ran.out + ran.err).splitlines()
        assert sum(line.startswith("L-") for line in lines) == 1
        assert sum(line.startswith("Not seen (") for line in lines) == 1

    def test_the_event_is_shown_as_json_that_reads_back_to_the_same(self, aibr: Aibr, case: tuple[Path, Path]) -> None:
        rules, logs = case
        lead = aibr("run", rules, "--logs", logs, "--json").rows[0]["lead"]
        shown = aibr("leads", "show", lead).out
        body = re.search(r"^  event\n(.*?)^  acts$", shown, re.MULTILINE | re.DOTALL)
        assert body is not None
        assert json.loads(body[1]) == poisoned(1)

    def test_a_hunt_of_a_stranger_is_as_harmless(self, aibr: Aibr, tmp_path: Path) -> None:
        yaml = json.dumps(POISON)
        text = (
            f"hunt: x\nhypothesis: {yaml}\nactor: {yaml}\nrivals: {{a: the hypothesis, b: {yaml}}}\nexpect:\n"
            f"  - {{id: one, rules: [aws_bedrock_guardrail_deleted], supports: [a], note: {yaml}}}\n"
            "  - {id: two, rules: [aws_bedrock_guardrail_weakened], against: [a]}\n"
        )
        path = write_rules(tmp_path, {"x.yml": text}) / "x.yml"
        for said in (aibr("hunt", "show", path), aibr("hunt", "run", path, "--logs", write_lines(tmp_path / "e.json", [poisoned(1)]))):
            assert is_safe(said.out), said
            assert is_safe(said.err), said


def shell(tmp_path: Path, *words: object, **environment: str) -> dict[str, object]:
    """Return the arguments of a subprocess that runs our command with its own home."""
    own = {"AIBR_HOME": str(tmp_path / "home"), "AIBR_CACHE": str(tmp_path / "cache"), "AIBR_PROCESSES": "1", "HOME": str(tmp_path)}
    return {"args": [*AIBR, *map(str, words)], "cwd": ROOT, "env": {"PATH": os.environ["PATH"]} | own | environment}


def test_fifty_rows_are_shown_on_a_terminal_and_all_in_a_pipe(aibr: Aibr, rules: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this platform")
    aibr("run", rules, "--logs", write_lines(tmp_path / "x.json", [cloudtrail(each, "DeleteGuardrail") for each in range(60)]))
    assert len(aibr("leads", "list").out.splitlines()) == 61
    ours, theirs = pty.openpty()
    process = subprocess.Popen(**shell(tmp_path, "leads", "list"), stdout=theirs)  # type: ignore[call-overload]
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 1
    lines = shown.decode().splitlines()
    assert (len(lines), lines[-1]) == (52, "50 of 60 shown, --all for the rest")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


@pytest.mark.parametrize("words", [("leads", "list", "--all"), ("leads", "list", "--json"), ("rules", "match", "{rules}", "{logs}")])
def test_a_reader_that_leaves_ends_a_command_quietly(aibr: Aibr, rules: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = write_lines(tmp_path / "x.json", [cloudtrail(each, "DeleteGuardrail") for each in range(900)])
    aibr("run", rules, "--logs", path)
    filled = [word.format(rules=rules / "guardrail.yml", logs=path) for word in words]
    process = subprocess.Popen(**shell(tmp_path, *filled), stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # type: ignore[call-overload]
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize("encoding", ["cp1252", "koi8-r"])
def test_an_output_that_cannot_show_a_sign_gets_it_as_an_escape(rules: Path, tmp_path: Path, encoding: str) -> None:
    path = write_lines(tmp_path / "x.json", [cloudtrail(1, "DeleteGuardrail", sourceIPAddress="größe 漢字")])
    ran = subprocess.run(**shell(tmp_path, "run", rules, "--logs", path, PYTHONIOENCODING=encoding), capture_output=True, check=False)  # type: ignore[call-overload]
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert rb"\u6f22\u5b57" in ran.stdout


def test_ctrl_c_stops_a_run_with_a_word_and_leaves_nothing(rules: Path, logs: Path, tmp_path: Path) -> None:
    """The signal comes while the ledger is open for writing: another process holds its lock."""
    import signal
    import sqlite3
    import time

    subprocess.run(**shell(tmp_path, "run", rules, "--logs", logs), capture_output=True, check=False)  # type: ignore[call-overload]
    held = sqlite3.connect(tmp_path / "home" / "ledger.sqlite3", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen(
        **shell(tmp_path, "run", rules, "--logs", logs),  # type: ignore[call-overload]
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell without job control starts its background jobs with SIGINT ignored, every descendant inherits that, and Python honours it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - nothing else happens between fork and exec
    )
    assert "Asked:" in process.stdout.readline()
    # Not before it says that it waits: a signal that lands in a destructor or an import is one that Python may drop.
    told = process.stderr.readline()
    while told and "wait" not in told.lower():
        told = process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    held.close()
    assert process.returncode == 3
    assert err.splitlines()[-1] == "Stopped."
    assert "Traceback" not in err


def test_progress_is_drawn_on_a_terminal_and_the_results_stay_clean(rules: Path, logs: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this platform")
    ours, theirs = pty.openpty()
    words = shell(tmp_path, "run", rules, "--logs", logs, "--json", TERM="xterm")
    process = subprocess.Popen(**words, stdout=subprocess.PIPE, stderr=theirs, text=True)  # type: ignore[call-overload]
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert b"1 file, " in drawn
    assert [json.loads(line) for line in out.splitlines()][-1]["leads"] == 2
