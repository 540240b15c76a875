"""The demo's logs are what their generator writes, and a run over them finds what was planted and nothing else.

demo/expected.json was written where the events were planted; no rule, no correlation and no matcher had a part in it. It names
every event of every story, whether a rule is to find it or not, and the few everyday events that rules of lower levels may find.
One run over the logs serves all tests that only read what it found.
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
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aibr_hunt.cli.gaps import unseen_lines
from aibr_hunt.content.hunts import load_hunts
from aibr_hunt.content.library import Corpus, Library
from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.program import Options
from aibr_hunt.hunt.run import Outcome, Request, run_files
from aibr_hunt.ledger import Ledger
from aibr_hunt.model.correlation import Correlation
from aibr_hunt.model.episode import EPISODES
from aibr_hunt.model.event import ByteClass
from aibr_hunt.model.lead import CoverageState, Lead
from aibr_hunt.report import observe_hunt
from aibr_hunt.report.hypotheses import argue
from tests.built_in import LIBRARY, rules_asked

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
EVERYDAY = "found in everyday traffic"
# Hunts of which the demo tells the story, each with the explanation that is true.
HUNTS = {
    "sagemaker_model_theft": "theft",
    "stolen_key_llmjacking": "stolen",
    "azure_training_data_tampering": "tampering",
    "vertex_training_with_stolen_key": "stolen",
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


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEMO / "expected.json").read_text(encoding="utf-8"))
    return found


def expected_leads(expected: dict[str, Any]) -> list[Row]:
    """Return what was planted, and what of everyday traffic is to be found."""

    def row(lead: dict[str, Any]) -> Row:
        key = "|".join((lead["source"], *lead["identity"])) if lead["identity"] else ""
        return (lead["rule"], key, moment_of(lead["time"]), lead["action"], lead["principal"], lead["deliveries"], lead["conflict"])

    return sorted(map(row, (*expected["leads"], *expected[EVERYDAY]["leads"])))


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


def key_of(lead: Lead) -> str:
    """Return by what the generator tells an event from all others."""
    return f"{lead.source}|{lead.time:%Y-%m-%dT%H:%M:%S.%fZ}|{lead.action}|{lead.principal}" if lead.is_weak else lead.event_key


def episodes_in(leads: list[Lead]) -> list[EpisodeRow]:
    shown = {lead.event_key: key_of(lead) for lead in single(leads)}

    def row(lead: Lead) -> EpisodeRow:
        told: Any = lead.event_value
        span = (moment_of(told["first"]), moment_of(told["last"]))
        assert told["correlation"]["name"] == lead.rule_name
        assert (len(lead.sightings), lead.time) == (1, span[0])
        keys = [shown.get(member["event"], member["event"]) for member in told["members"]]
        return (lead.rule_name, group_of(told["group"]), *span, told.get("figure", ""), told["members_count"], digest_of(keys))

    return sorted(row(lead) for lead in leads if lead.source == EPISODES)


def group_of(told: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value.casefold()) for name, value in told.items()))


def digest_of(keys: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def moment_of(text: str) -> datetime:
    """Return a time of a log at the precision that is kept, one microsecond."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1Z", text))


def run_demo(
    ledger: Ledger, library: Library, corpus: Corpus, *, asked: str = "the demo", use_sieve: bool = True, is_strict: bool = False
) -> Outcome:
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


def sources_of(correlation: Correlation, library: Library, corpus: Corpus) -> set[str]:
    """Return the log sources that a correlation rests on."""
    rules, correlations = {rule.id: rule for rule in corpus.matched}, {each.id: each for each in corpus.correlations}
    found: set[str] = set()
    for operand in (*correlation.operands, *([correlation.population] if correlation.population else [])):
        if operand.id in correlations:
            found |= sources_of(correlations[operand.id], library, corpus)
        else:
            found |= {mapping.name for mapping in [library.mapping_for(rules[operand.id].logsource)] if mapping}
    return found


def telling(corpus: Corpus) -> list[Correlation]:
    """Return the correlations that make leads."""
    return [each for each in corpus.correlations if each.id not in corpus.silent]


def span_us(expected: dict[str, Any], source: str) -> int:
    first, last = map(moment_of, expected["spans"][source])
    return (last - first) // timedelta(microseconds=1)


@pytest.fixture(scope="session")
def library() -> Library:
    return LIBRARY


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    found = rules_asked()
    assert found.refused == ()
    return found


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(tmp_path_factory.mktemp("demo"), clock=lambda: NOW, create=True, tell=print) as opened:
        yield opened


@pytest.fixture(scope="session")
def outcome(ledger: Ledger, library: Library, corpus: Corpus) -> Outcome:
    return run_demo(ledger, library, corpus)


@pytest.fixture(scope="session")
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


def test_every_story_is_told_and_every_planted_lead_and_episode_rests_on_its_events(expected: dict[str, Any]) -> None:
    assert set(expected["planted"]) == {lead["story"] for lead in expected["leads"]} == STORIES
    assert {told["story"] for told in expected["episodes"]} <= STORIES
    for told in expected["episodes"]:
        assert told["correlation"] == "aws_bedrock_model_runs_spike" or set(told.get("members", ())) <= set(
            expected["planted"][told["story"]]
        )


def test_what_is_named_is_shipped(expected: dict[str, Any], corpus: Corpus) -> None:
    """A rule that was renamed or taken away would leave a story half told."""
    named = {lead["rule"] for lead in (*expected["leads"], *expected[EVERYDAY]["leads"])}
    assert named - {rule.name for rule in corpus.rules} == set()
    assert {told["correlation"] for told in expected["episodes"]} - {each.name for each in telling(corpus)} == set()


def test_nothing_grave_is_to_be_found_in_everyday_traffic_and_each_rule_that_finds_some_says_why(
    expected: dict[str, Any], corpus: Corpus
) -> None:
    levels = {rule.name: rule.level for rule in corpus.rules}
    found = {lead["rule"] for lead in expected[EVERYDAY]["leads"]}
    assert found == expected[EVERYDAY]["why"].keys()
    assert {levels[name] for name in found} <= {"informational", "low", "medium"}


def test_the_logs_hold_repeated_events_a_contradiction_and_a_file_that_is_cut_off(expected: dict[str, Any]) -> None:
    assert sum(lead["conflict"] for lead in expected["leads"]) == 1
    assert {lead["deliveries"] for lead in expected["leads"]} == {1, 2, 3}
    reader = zlib.decompressobj(31)
    reader.decompress((LOGS / expected["cut_off"]).read_bytes())
    assert not reader.eof


# --- the run -----------------------------------------------------------------------------------------------------------------------


def test_the_leads_are_exactly_those_that_were_planted(leads: list[Lead], expected: dict[str, Any]) -> None:
    assert found_in(single(leads)) == expected_leads(expected)


def test_the_episodes_are_exactly_those_that_were_planted(leads: list[Lead], expected: dict[str, Any]) -> None:
    assert episodes_in(leads) == planted_episodes(expected)


def test_each_lead_that_is_grave_rests_on_an_event_of_a_story(leads: list[Lead], expected: dict[str, Any]) -> None:
    keys = {key for story in expected["planted"].values() for key in story}
    shown = {lead.event_key: key_of(lead) for lead in single(leads)}
    for lead in leads:
        told: Any = lead.event_value
        events = [member["event"] for member in told["members"]] if lead.source == EPISODES else [lead.event_key]
        rests_on_story = not keys.isdisjoint(shown.get(event, event) for event in events)
        assert rests_on_story or (lead.level in {"informational", "low", "medium"} and lead.rule_name in expected[EVERYDAY]["why"])


def test_an_episode_is_provisional_exactly_where_a_file_of_its_source_is_cut_off(
    leads: list[Lead], outcome: Outcome, library: Library, corpus: Corpus
) -> None:
    in_doubt = {account.source for account in outcome.record.accounts if not account.is_complete}
    by_id = {each.id: each for each in corpus.correlations}
    told: list[tuple[Any, bool]] = [
        (lead.event_value, sources_of(by_id[lead.rule_id], library, corpus).isdisjoint(in_doubt))
        for lead in leads
        if lead.source == EPISODES
    ]
    assert {is_whole for _, is_whole in told} == {True, False}
    assert [value["correlation"]["name"] for value, is_whole in told if value["provisional"] is is_whole] == []


@pytest.fixture(scope="session")
def unplanned(leads: list[Lead], expected: dict[str, Any]) -> list[Lead]:
    """The leads that are left when planned work is set aside, as everybody does who asks for the change request."""
    return [lead for lead in leads if key_of(lead) not in expected["planted"]["planned_work"]]


@pytest.mark.parametrize(("name", "truth"), HUNTS.items(), ids=HUNTS)
def test_a_hunt_argues_for_what_happened(name: str, truth: str, unplanned: list[Lead], outcome: Outcome, library: Library) -> None:
    """No rival explanation has as much to say for it as the true one, though the logs hold all stories at once."""
    [hunt] = [each for each in load_hunts(library.folders("hunts"), catalogue=library.catalogue) if each.name == name]
    argument = argue(observe_hunt(hunt, rules=outcome.record.rules, leads=unplanned, coverage=outcome.record.coverage))
    balances = {standing.key: standing.balance for standing in argument.standings}
    true = balances.pop(truth)
    assert true >= 3
    assert true > max(balances.values())


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
    for lead in (*expected["leads"], *expected[EVERYDAY]["leads"]):
        counts[lead["rule"]] += lead["deliveries"]
    assert {names[rule_id]: count for rule_id, count in outcome.hits_by_rule.items() if count} == dict(counts)


def test_the_file_that_is_cut_off_is_the_only_one_and_only_its_source_and_those_without_files_are_in_doubt(
    outcome: Outcome, expected: dict[str, Any], library: Library, corpus: Corpus
) -> None:
    assert [account.path for account in outcome.record.accounts if not account.is_complete] == [(LOGS / expected["cut_off"]).as_posix()]
    assert not outcome.is_complete
    correlations = {each.id for each in corpus.correlations}
    unsettled = {
        row.source for row in outcome.record.coverage if row.state is not CoverageState.SETTLED and row.rule_id not in correlations
    }
    asked = {mapping.name for rule in corpus.matched for mapping in [library.mapping_for(rule.logsource)] if mapping}
    assert unsettled == {"gcp_audit"} | (asked - expected["spans"].keys())


def test_a_correlation_is_judged_somewhere_unless_a_log_is_missing_cut_off_or_shorter_than_its_lookback(
    outcome: Outcome, expected: dict[str, Any], library: Library, corpus: Corpus
) -> None:
    judged = {row.rule_id for row in outcome.record.coverage if row.state is CoverageState.SETTLED}

    def can_be_judged(correlation: Correlation) -> bool:
        sources = sources_of(correlation, library, corpus)
        has_logs = sources <= expected["spans"].keys() - {"gcp_audit"}
        return has_logs and all(correlation.lookback_us < span_us(expected, source) for source in sources)

    possible = {each.name for each in telling(corpus) if can_be_judged(each)}
    assert possible == {each.name for each in telling(corpus) if each.id in judged}
    assert {told["correlation"] for told in expected["episodes"] if not told["correlation"].startswith("gcp_")} <= possible


def test_the_copy_of_a_file_is_known_as_a_copy(outcome: Outcome, expected: dict[str, Any]) -> None:
    copies = {account.path: account.duplicate_of for account in outcome.record.accounts if account.duplicate_of}
    first, second = ((LOGS / name).as_posix() for name in expected["copy"])
    assert copies == {second: first}


def test_the_record_of_the_run_verifies(ledger: Ledger, outcome: Outcome) -> None:
    assert outcome.recorded.leads_new
    assert ledger.verify().is_clean


@pytest.mark.parametrize(
    ("way", "is_with_correlations"), [({"use_sieve": False}, True), ({"is_strict": True}, False)], ids=["without-sieve", "strict"]
)
def test_other_ways_of_reading_find_the_same_leads(
    way: dict[str, Any],
    *,
    is_with_correlations: bool,
    leads: list[Lead],
    outcome: Outcome,
    library: Library,
    corpus: Corpus,
    tmp_path: Path,
) -> None:
    """Correlations see nothing but matches: one of the two ways shows that they find the same in them, which takes long."""
    asked = corpus if is_with_correlations else replace(corpus, operands=(), correlations=())
    with Ledger.open(tmp_path, clock=lambda: NOW, create=True, tell=print) as other:
        again = run_demo(other, library, asked, **way)
        assert found_in(single(other.leads())) == found_in(single(leads))
        assert episodes_in(other.leads()) == (episodes_in(leads) if is_with_correlations else [])
    assert {account.path: account.content_size for account in again.record.accounts} == {
        account.path: account.content_size for account in outcome.record.accounts
    }
    assert sum(account.record_counts[ByteClass.SKIMMED] for account in again.record.accounts) == 0
    assert sum(account.record_counts[ByteClass.SKIMMED] for account in outcome.record.accounts) > 0


def test_a_second_run_adds_no_lead(ledger: Ledger, leads: list[Lead], outcome: Outcome, library: Library, corpus: Corpus) -> None:
    """Into the ledger that all tests share: after it, as before it, its leads are those of the first run."""
    second = run_demo(ledger, library, corpus, asked="the demo again")
    assert (outcome.recorded.is_new, second.recorded.is_new) == (True, True)
    assert (outcome.recorded.leads_new, second.recorded.leads_new) == (len(leads), 0)
    assert (second.recorded.leads, second.recorded.sightings_new) == (len(leads), 0)
    assert found_in(single(ledger.leads())) == found_in(single(leads))
    assert episodes_in(ledger.leads()) == episodes_in(leads)


def test_the_command_line_says_the_same(expected: dict[str, Any], tmp_path: Path) -> None:
    """Over one of the three clouds: what the rest of them holds, the tests above say of the same run."""
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:azure", "--logs", str(LOGS / "azure"), "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    *rows, last = map(json.loads, shown.stdout.splitlines())
    told = [lead["rule"] for lead in (*expected["leads"], *expected[EVERYDAY]["leads"]) if lead["source"] == "azure_activitylogs"]
    told += [episode["correlation"] for episode in expected["episodes"] if episode["correlation"].startswith("azure_")]
    assert sorted(row["rule"] for row in rows) == sorted(told)
    assert (last["outcome"], last["leads"], last["new_leads"]) == ("incomplete", len(rows), len(rows))


def test_the_command_line_names_the_file_that_is_cut_off(expected: dict[str, Any], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aibr_hunt", "--home", str(tmp_path), "run", "shipped:gcp/iam", "--logs", str(LOGS / "gcp")]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 4, shown.stderr
    assert Path(expected["cut_off"]).name in shown.stderr


def test_what_was_not_seen_fits_a_screen(outcome: Outcome, library: Library, corpus: Corpus) -> None:
    """Each log source that is missing, and each correlation that was not judged everywhere, is in one of a few lines."""
    lines = unseen_lines(outcome.record)
    assert len(lines) <= 15
    silent = {row.source for row in outcome.record.coverage if row.cause.startswith("no file of ")}
    wanting = [each for each in telling(corpus) if not silent.isdisjoint(sources_of(each, library, corpus))]
    assert f"{len(wanting)} correlations could not be judged, for want of these log sources" in lines
    never = [line for line in lines if line.startswith("aws_cloudtrail: aws_bedrock_agent_changed_by_newcomer, ")]
    partly = [line for line in lines if line.startswith("aws_cloudtrail, in part: aws_bedrock_agent_changed_outside_release, ")]
    assert (len(never), len(partly)) == (1, 1)
    assert "lookback 30d, lookback 60d, lookback 90d" in never[0]
