"""The demo's logs are what their generator writes, and a run over them finds what was planted and nothing else.

demo/expected.json was written where the events were planted; no rule and no matcher had a part in it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.content.library import Library
from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.program import Options
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.lead import Lead

DEMO = Path(__file__).resolve().parents[2] / "demo"
LOGS = DEMO / "logs"
NOW = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
STORIES = {
    "sagemaker_model_theft",
    "stolen_key_llmjacking",
    "azure_training_data_tampering",
    "vertex_stolen_service_account",
    "planned_work",
}
RESERVED_NETS = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
RESERVED_ACCOUNTS = {"123456789012", "210987654321", "444455556666"}

# Rule, identity (empty where the cloud gives none), time, action, principal, deliveries, whether they contradict each other.
Row = tuple[str, str, datetime, str, str, int, bool]


def build_into(folder: Path) -> None:
    subprocess.run([sys.executable, str(DEMO / "build.py"), str(folder)], check=True, capture_output=True)


def digests_below(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


def content_of(path: Path) -> bytes:
    """Return what a file says; of one that is cut off, what can still be read."""
    content = path.read_bytes()
    return zlib.decompressobj(31).decompress(content) if path.suffix == ".gz" else content


def contents_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): content_of(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEMO / "expected.json").read_text(encoding="utf-8"))
    return found


def planted(expected: dict[str, Any]) -> list[Row]:
    def row(lead: dict[str, Any]) -> Row:
        key = "|".join((lead["source"], *lead["identity"])) if lead["identity"] else ""
        return (lead["rule"], key, moment_of(lead["time"]), lead["action"], lead["principal"], lead["deliveries"], lead["conflict"])

    return sorted(map(row, expected["leads"]))


def found_in(leads: list[Lead]) -> list[Row]:
    def row(lead: Lead) -> Row:
        key = "" if lead.is_weak else lead.event_key
        return (lead.rule_name, key, lead.time or NOW, lead.action, lead.principal, len(lead.sightings), lead.has_conflict)

    return sorted(map(row, leads))


def moment_of(text: str) -> datetime:
    """Return a time of a log at the precision that is kept, one microsecond."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1Z", text))


def run_demo(ledger: Ledger, *, asked: str = "the demo", use_sieve: bool = True, is_strict: bool = False) -> Outcome:
    library = Library()
    corpus = library.load_rules(["shipped:"])
    assert corpus.refused == ()
    request = Request(
        rules=corpus.rules,
        mapping_of={rule.id: library.mapping_for(rule.logsource) for rule in corpus.rules},
        mappings=library.mappings,
        paths=(LOGS,),
        scope=Scope(now=NOW),
        options=Options(use_sieve=use_sieve, is_strict=is_strict),
        asked=asked,
        actor="golden",
        host="example.com",
    )
    return run_files(request, ledger, clock=lambda: NOW, tell=lambda _: None)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(tmp_path_factory.mktemp("demo"), clock=lambda: NOW, create=True, tell=print) as opened:
        yield opened


@pytest.fixture(scope="module")
def outcome(ledger: Ledger) -> Outcome:
    return run_demo(ledger)


@pytest.fixture(scope="module")
def leads(ledger: Ledger, outcome: Outcome) -> list[Lead]:
    assert outcome.recorded.leads_new
    return ledger.leads()


# --- the logs ----------------------------------------------------------------------------------------------------------------------


def test_the_logs_say_what_the_generator_writes(tmp_path: Path) -> None:
    build_into(tmp_path)
    assert contents_below(LOGS) == contents_below(tmp_path / "logs")
    assert (DEMO / "expected.json").read_bytes() == (tmp_path / "expected.json").read_bytes()


def test_building_the_logs_again_changes_no_byte(tmp_path: Path) -> None:
    shutil.copytree(LOGS, tmp_path / "logs")
    before = digests_below(LOGS)
    (tmp_path / "logs" / "stray.json").write_text("{}")
    build_into(tmp_path)
    assert digests_below(tmp_path / "logs") == before


def test_every_record_says_that_it_is_synthetic() -> None:
    silent = []
    for path in sorted(LOGS.rglob("*.json*")):
        body = content_of(path).decode()
        records = re.split(r'(?=\{"eventVersion")|\n|(?=\{"time":"[^"]+","resourceId)', body)
        silent += [(path.name, record[:80]) for record in records if len(record) > 60 and "synthetic" not in record.lower()]
    assert silent == []


def test_every_address_and_account_in_the_logs_is_a_reserved_one() -> None:
    text = "\n".join(content_of(path).decode("utf-8", "replace") for path in sorted(LOGS.rglob("*")) if path.is_file())
    addresses = set(re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text))
    assert addresses
    assert {each for each in addresses if not any(ipaddress.ip_address(each) in net for net in RESERVED_NETS)} == set()
    assert set(re.findall(r":(\d{12}):", text)) <= RESERVED_ACCOUNTS
    keys = set(re.findall(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", text))
    assert {each for each in keys if "EXAMPLE" not in each} == set()
    guids = set(re.findall(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", text.lower()))
    machine_learning_service = "0736f41a-0425-4b46-bdb5-1563eff02385"
    assert {each for each in guids if not each.startswith("00000000-0000-4000-8000-")} == {machine_learning_service}


def test_every_shipped_rule_has_a_planted_lead_and_every_story_is_told(expected: dict[str, Any]) -> None:
    shipped = {rule.name for rule in Library().load_rules(["shipped:"]).rules}
    assert {lead["rule"] for lead in expected["leads"]} == shipped
    assert {lead["story"] for lead in expected["leads"]} == STORIES


def test_the_logs_hold_repeated_events_a_contradiction_and_a_file_that_is_cut_off(expected: dict[str, Any]) -> None:
    assert sum(lead["conflict"] for lead in expected["leads"]) == 1
    assert {lead["deliveries"] for lead in expected["leads"]} == {1, 2, 3}
    reader = zlib.decompressobj(31)
    reader.decompress((LOGS / expected["cut_off"]).read_bytes())
    assert not reader.eof


# --- the run -----------------------------------------------------------------------------------------------------------------------


def test_the_leads_are_exactly_those_that_were_planted(leads: list[Lead], expected: dict[str, Any]) -> None:
    assert found_in(leads) == planted(expected)


def test_every_byte_of_every_file_has_its_account(outcome: Outcome, expected: dict[str, Any]) -> None:
    accounts = outcome.record.accounts
    assert {account.path for account in accounts} == {path.as_posix() for path in LOGS.rglob("*") if path.is_file()}
    assert [account.path for account in accounts if not account.is_balanced] == []
    readable = {path.as_posix(): len(content_of(path)) for path in LOGS.rglob("*") if path.is_file()}
    assert {account.path: account.content_size for account in accounts} == readable
    assert {account.path: account.stored_size for account in accounts} == {path: Path(path).stat().st_size for path in readable}
    matched = sum(account.record_counts[ByteClass.MATCHED] for account in accounts)
    # An event that two rules find is one record.
    found = {(lead["source"], *(lead["identity"] or ()), lead["time"], lead["action"]): lead["deliveries"] for lead in expected["leads"]}
    assert matched == sum(found.values()) < sum(lead["deliveries"] for lead in expected["leads"])


def test_every_file_is_read_as_the_log_that_it_is(outcome: Outcome) -> None:
    sources = {(Path(account.path).relative_to(LOGS).parts[0], account.source) for account in outcome.record.accounts}
    assert sources == {("aws", "aws_cloudtrail"), ("gcp", "gcp_audit"), ("azure", "azure_activitylogs")}
    forms = {account.format for account in outcome.record.accounts if account.path.endswith(".csv")}
    assert forms == {"csv"}


def test_the_file_that_is_cut_off_is_the_only_gap_and_is_named(outcome: Outcome, expected: dict[str, Any]) -> None:
    assert [account.path for account in outcome.record.accounts if not account.is_complete] == [(LOGS / expected["cut_off"]).as_posix()]
    assert not outcome.is_complete
    unsettled = {row.source for row in outcome.record.coverage if row.state.value != "settled"}
    assert unsettled == {"aws_cloudtrail"}


def test_the_copy_of_a_file_is_known_as_a_copy(outcome: Outcome, expected: dict[str, Any]) -> None:
    copies = {account.path: account.duplicate_of for account in outcome.record.accounts if account.duplicate_of}
    first, second = ((LOGS / name).as_posix() for name in expected["copy"])
    assert copies == {second: first}


def test_the_record_of_the_run_verifies(ledger: Ledger, outcome: Outcome) -> None:
    assert outcome.recorded.leads_new
    assert ledger.verify().is_clean


@pytest.mark.parametrize("way", [{"use_sieve": False}, {"is_strict": True}], ids=["without-sieve", "strict"])
def test_other_ways_of_reading_find_the_same_leads(way: dict[str, Any], leads: list[Lead], outcome: Outcome, tmp_path: Path) -> None:
    with Ledger.open(tmp_path, clock=lambda: NOW, create=True, tell=print) as other:
        again = run_demo(other, **way)
        assert found_in(other.leads()) == found_in(leads)
    assert {account.path: account.content_size for account in again.record.accounts} == {
        account.path: account.content_size for account in outcome.record.accounts
    }
    assert sum(account.record_counts[ByteClass.SKIMMED] for account in again.record.accounts) == 0
    assert sum(account.record_counts[ByteClass.SKIMMED] for account in outcome.record.accounts) > 0


def test_a_second_run_adds_no_lead(expected: dict[str, Any], tmp_path: Path) -> None:
    with Ledger.open(tmp_path, clock=lambda: NOW, create=True, tell=print) as twice:
        first = run_demo(twice)
        second = run_demo(twice, asked="the demo again")
        assert (first.recorded.is_new, second.recorded.is_new) == (True, True)
        assert (first.recorded.leads_new, second.recorded.leads_new) == (len(expected["leads"]), 0)
        assert (second.recorded.leads, second.recorded.sightings_new) == (len(expected["leads"]), 0)
        assert found_in(twice.leads()) == planted(expected)


def test_the_command_line_says_the_same(expected: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:", "--logs", str(LOGS), "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    *rows, last = map(json.loads, shown.stdout.splitlines())
    assert sorted(row["rule"] for row in rows) == sorted(lead["rule"] for lead in expected["leads"])
    assert (last["outcome"], last["leads"], last["new_leads"]) == ("incomplete", len(rows), len(rows))


def test_the_command_line_names_the_file_that_is_cut_off(expected: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:aws/iam", "--logs", str(LOGS / "aws")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    assert Path(expected["cut_off"]).name in shown.stderr
