"""The demo's logs are what their generator writes, and a run over them finds what was planted and nothing else.

demo/expected.json was written where the events were planted; no rule, no correlation and no matcher had a part in it.
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
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.program import Options
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.episode import EPISODES
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.lead import CoverageState, Lead

DEMO = Path(__file__).resolve().parents[2] / "demo"
LOGS = DEMO / "logs"
NOW = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
STORIES = {
    "sagemaker_model_theft",
    "stolen_key_llmjacking",
    "azure_training_data_tampering",
    "vertex_stolen_service_account",
    "notebook_miner",
    "planned_work",
}
# Correlations that have nothing planted, because they cannot be judged over these logs, and why.
UNJUDGED = {
    "aws_bedrock_key_from_new_address": "its lookback of 30 days is longer than the 17 days that the logs of AWS span",
    "aws_bedrock_rare_region": "its lookback of 30 days is longer than the 17 days that the logs of AWS span",
}
RESERVED_NETS = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
RESERVED_ACCOUNTS = {"123456789012", "210987654321", "444455556666"}

# Rule, identity (empty where the cloud gives none), time, action, principal, deliveries, whether they contradict each other.
Row = tuple[str, str, datetime, str, str, int, bool]
# Correlation, group under fold, first and last time, figure (empty where none is told), number and digest of the members' identities.
EpisodeRow = tuple[str, tuple[tuple[str, str], ...], datetime, datetime, str, int, str]


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


def single(leads: list[Lead]) -> list[Lead]:
    """Return the leads that are one event each."""
    return [lead for lead in leads if lead.source != EPISODES]


def planted_episodes(expected: dict[str, Any]) -> list[EpisodeRow]:
    def row(told: dict[str, Any]) -> EpisodeRow:
        span = (moment_of(told["first"]), moment_of(told["last"]))
        assert told.get("members") is None or digest_of(told["members"]) == told["members_digest"]
        return (told["correlation"], group_of(told["group"]), *span, told["figure"], told["members_count"], told["members_digest"])

    return sorted(map(row, expected["episodes"]))


def episodes_in(leads: list[Lead]) -> list[EpisodeRow]:
    def row(lead: Lead) -> EpisodeRow:
        told: Any = lead.event_value
        span = (moment_of(told["first"]), moment_of(told["last"]))
        assert told["correlation"]["name"] == lead.rule_name
        assert (len(lead.sightings), told["provisional"], lead.time) == (1, False, span[0])
        keys = [member["event"] for member in told["members"]]
        return (lead.rule_name, group_of(told["group"]), *span, told.get("figure", ""), told["members_count"], digest_of(keys))

    return sorted(row(lead) for lead in leads if lead.source == EPISODES)


def group_of(told: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value.casefold()) for name, value in told.items()))


def digest_of(keys: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def moment_of(text: str) -> datetime:
    """Return a time of a log at the precision that is kept, one microsecond."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1Z", text))


def run_demo(ledger: Ledger, *, asked: str = "the demo", use_sieve: bool = True, is_strict: bool = False) -> Outcome:
    library = Library()
    corpus = shipped_corpus(library)
    request = Request(
        rules=corpus.rules,
        operands=corpus.operands,
        correlations=corpus.correlations,
        silent=corpus.silent,
        mapping_of={rule.id: library.mapping_for(rule.logsource) for rule in corpus.matched},
        mappings=library.mappings,
        paths=(LOGS,),
        scope=Scope(now=NOW),
        options=Options(use_sieve=use_sieve, is_strict=is_strict),
        asked=asked,
        actor="golden",
        host="example.com",
    )
    return run_files(request, ledger, clock=lambda: NOW, tell=lambda _: None)


def shipped_corpus(library: Library) -> Corpus:
    corpus = library.load_rules(["shipped:"])
    assert corpus.refused == ()
    return corpus


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
    assert {lead["rule"] for lead in expected["leads"]} == {rule.name for rule in shipped_corpus(Library()).rules}
    assert {lead["story"] for lead in expected["leads"]} == STORIES


def test_every_shipped_correlation_has_a_planted_episode_but_those_whose_lookback_the_logs_do_not_span(expected: dict[str, Any]) -> None:
    corpus = shipped_corpus(Library())
    telling = {each.name: each for each in corpus.correlations if each.id not in corpus.silent}
    assert {told["correlation"] for told in expected["episodes"]} == telling.keys() - UNJUDGED.keys()
    assert all(telling[name].lookback_us == timedelta(days=30) // timedelta(microseconds=1) for name in UNJUDGED)
    assert {told["story"] for told in expected["episodes"]} <= STORIES


def test_the_logs_hold_repeated_events_a_contradiction_and_a_file_that_is_cut_off(expected: dict[str, Any]) -> None:
    assert sum(lead["conflict"] for lead in expected["leads"]) == 1
    assert {lead["deliveries"] for lead in expected["leads"]} == {1, 2, 3}
    reader = zlib.decompressobj(31)
    reader.decompress((LOGS / expected["cut_off"]).read_bytes())
    assert not reader.eof


# --- the run -----------------------------------------------------------------------------------------------------------------------


def test_the_leads_are_exactly_those_that_were_planted(leads: list[Lead], expected: dict[str, Any]) -> None:
    assert found_in(single(leads)) == planted(expected)


def test_the_episodes_are_exactly_those_that_were_planted(leads: list[Lead], expected: dict[str, Any]) -> None:
    assert episodes_in(leads) == planted_episodes(expected)


def test_every_byte_of_every_file_has_its_account(outcome: Outcome) -> None:
    accounts = outcome.record.accounts
    assert {account.path for account in accounts} == {path.as_posix() for path in LOGS.rglob("*") if path.is_file()}
    assert [account.path for account in accounts if not account.is_balanced] == []
    readable = {path.as_posix(): len(content_of(path)) for path in LOGS.rglob("*") if path.is_file()}
    assert {account.path: account.content_size for account in accounts} == readable
    assert {account.path: account.stored_size for account in accounts} == {path: Path(path).stat().st_size for path in readable}


def test_every_file_is_read_as_the_log_that_it_is(outcome: Outcome) -> None:
    sources = {(Path(account.path).relative_to(LOGS).parts[0], account.source) for account in outcome.record.accounts}
    assert sources == {
        ("aws", "aws_cloudtrail"),
        ("aws", "aws_bedrock_invocation"),
        ("gcp", "gcp_audit"),
        ("azure", "azure_activitylogs"),
    }
    forms = {account.format for account in outcome.record.accounts if account.path.endswith(".csv")}
    assert forms == {"csv"}


def test_each_rule_met_all_its_deliveries_and_each_correlation_its_episodes(outcome: Outcome, expected: dict[str, Any]) -> None:
    names = {rule.id: rule.name for rule in outcome.record.rules}
    counts = Counter[str](told["correlation"] for told in expected["episodes"])
    for lead in expected["leads"]:
        counts[lead["rule"]] += lead["deliveries"]
    assert {names[rule_id]: count for rule_id, count in outcome.hits_by_rule.items() if count} == dict(counts)


def test_the_file_that_is_cut_off_is_the_only_one_and_only_its_source_is_in_doubt(outcome: Outcome, expected: dict[str, Any]) -> None:
    assert [account.path for account in outcome.record.accounts if not account.is_complete] == [(LOGS / expected["cut_off"]).as_posix()]
    assert not outcome.is_complete
    correlations = {each.id for each in shipped_corpus(Library()).correlations}
    unsettled = {
        row.source for row in outcome.record.coverage if row.state is not CoverageState.SETTLED and row.rule_id not in correlations
    }
    assert unsettled == {"gcp_audit"}


def test_only_correlations_whose_lookback_the_logs_do_not_span_were_judged_nowhere(outcome: Outcome) -> None:
    names = {each.id: each.name for each in shipped_corpus(Library()).correlations}
    states = [(names[row.rule_id], row.state) for row in outcome.record.coverage if row.rule_id in names]
    judged = {name for name, state in states if state is CoverageState.SETTLED}
    assert {name for name, _ in states} - judged == UNJUDGED.keys()


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
        assert found_in(single(other.leads())) == found_in(single(leads))
        assert episodes_in(other.leads()) == episodes_in(leads)
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
        both = len(expected["leads"]) + len(expected["episodes"])
        assert (first.recorded.leads_new, second.recorded.leads_new) == (both, 0)
        assert (second.recorded.leads, second.recorded.sightings_new) == (both, 0)
        assert found_in(single(twice.leads())) == planted(expected)
        assert episodes_in(twice.leads()) == planted_episodes(expected)


def test_the_command_line_says_the_same(expected: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:", "--logs", str(LOGS), "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    *rows, last = map(json.loads, shown.stdout.splitlines())
    told = [*(lead["rule"] for lead in expected["leads"]), *(episode["correlation"] for episode in expected["episodes"])]
    assert sorted(row["rule"] for row in rows) == sorted(told)
    assert (last["outcome"], last["leads"], last["new_leads"]) == ("incomplete", len(rows), len(rows))


def test_the_command_line_names_the_file_that_is_cut_off(expected: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:gcp/iam", "--logs", str(LOGS / "gcp")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    assert Path(expected["cut_off"]).name in shown.stderr


def test_the_command_line_says_in_few_lines_which_correlations_were_not_judged_and_when(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:aws/bedrock", "--logs", str(LOGS / "aws")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    told = [line.strip() for line in shown.stderr.splitlines() if "not all that it rests on is covered" in line]
    assert len(told) == 6
    never = [line for line in told if line.startswith(f"aws_cloudtrail: {', '.join(sorted(UNJUDGED))}: ")]
    spike = [
        line
        for line in told
        if line.startswith("aws_cloudtrail from 2026-01-02T00:12:07Z to 2026-01-16T01:00:00Z and from 2026-01-18T23:00:00Z to ")
    ]
    assert (len(never), ["aws_bedrock_model_runs_spike: " in line for line in spike]) == (1, [True])
