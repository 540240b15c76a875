"""Verification: whatever is changed around the ledger is found and named."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from aibr_hunt.errors import LedgerError, UsageError
from aibr_hunt.ledger import Suppression, Verification, faults
from aibr_hunt.model.lead import TriageState
from tests.unit.ledger_samples import T0, Clock, hit, opened, record, rule, tampering

Tamper: TypeAlias = "str | Callable[[sqlite3.Connection], None]"

RULES = (rule(1), rule(2))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with two runs, a conflict, a re-delivery, two verdicts on one lead, a suppression and an act."""
    home = tmp_path_factory.mktemp("whole") / "home"
    with opened(home) as ledger:
        ledger.record(record("R-1", rules=RULES), [hit("e1", *RULES), hit("e2", RULES[0], offset=100, content="c" * 2000)])
        ledger.record(
            record("R-2", rules=RULES),
            [hit("e1", *RULES, content="other", path="logs/b.json.gz"), hit("e2", offset=100, content="c" * 2000)],
        )
        lead = next(lead for lead in ledger.leads() if lead.event_key.endswith("e2"))
        ledger.triage(lead.id, TriageState.OPEN, note="first look", actor="analyst")
        ledger.triage(lead.id, TriageState.CONFIRMED, note="it was him", actor="analyst")
        ledger.suppress(Suppression(id="", rule_id=RULES[1].id, predicate="", reason="known", actor="analyst", start=T0))
        ledger.append_act("view", lead.id, actor="analyst")
    return home


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "home")
    return tmp_path / "home"


def verify(home: Path, checkpoint: str = "") -> Verification:
    with opened(home) as ledger:
        return ledger.verify(checkpoint=checkpoint)


def lead_of(home: Path, event: str, rule_number: int = 1) -> str:
    with opened(home) as ledger:
        return next(lead.id for lead in ledger.leads() if lead.event_key.endswith(event) and lead.rule_id == rule(rule_number).id)


def test_a_ledger_that_nobody_touched_is_clean_and_everything_was_checked(whole: Path) -> None:
    found = verify(whole)
    assert found.is_clean
    assert (found.runs, found.leads, found.sightings, found.vault_objects) == (2, 3, 6, 6)
    assert found.rows == 2 * (2 + 2 + 2 + 2 + 1)
    assert found.records == 1 + 2 * (1 + 2 + 5 + 1) + 4
    with opened(whole) as ledger:
        assert ledger.status().chain_length == found.records


def swap_records(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE evidence SET sequence = -3 WHERE sequence = 3")
    connection.execute("UPDATE evidence SET sequence = 3 WHERE sequence = 4")
    connection.execute("UPDATE evidence SET sequence = 4 WHERE sequence = -3")


def flip_a_byte(connection: sqlite3.Connection) -> None:
    digest, content = connection.execute("SELECT digest, content FROM vault WHERE encoding = 'zlib' ORDER BY digest").fetchone()
    flipped = content[:20] + bytes([content[20] ^ 1]) + content[21:]
    connection.execute("UPDATE vault SET content = ? WHERE digest = ?", (flipped, digest))


def swap_objects(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "SELECT digest, content, size, stored_size FROM vault WHERE encoding = 'plain' ORDER BY digest LIMIT 2"
    ).fetchall()
    for (digest, *_), (_, *other) in zip(rows, reversed(rows), strict=True):
        connection.execute("UPDATE vault SET content = ?, size = ?, stored_size = ? WHERE digest = ?", (*other, digest))


def edit_account(connection: sqlite3.Connection) -> None:
    (document,) = connection.execute("SELECT document FROM accounts WHERE run = 1 AND position = 1").fetchone()
    assert '"content_size":1000' in document
    edited = document.replace('"content_size":1000', '"content_size":9000')
    connection.execute("UPDATE accounts SET document = ? WHERE run = 1 AND position = 1", (edited,))


ADD_A_LEAD = (
    "INSERT INTO leads SELECT 9, 'L-9', 'other', event, rule, level, source, time, time_text, principal, address, resource, action,"
    " region, account, canonical_digest, first_seen, sequence, state, note, triage_sequence FROM leads WHERE number = 1"
)

CASES: dict[str, tuple[Tamper, str, str]] = {
    "a byte of a raw event": (flip_a_byte, "vault object ", "cannot be unpacked|another digest|does not unpack"),
    "two objects exchanged": (swap_objects, "vault object ", "its bytes have another digest"),
    "an object removed": ("DELETE FROM vault WHERE encoding = 'zlib'", "vault object ", "it is missing; evidence record"),
    "an object added": (
        "INSERT INTO vault SELECT 'd', encoding, size, stored_size, sequence, content FROM vault LIMIT 1",
        "vault object d",
        "does not name it",
    ),
    "a lead's principal": (
        "UPDATE leads SET principal = 'nobody' WHERE number = 1",
        "lead L-",
        "principal is 'nobody'; evidence record 3 says",
    ),
    "a lead's time": ("UPDATE leads SET time = NULL WHERE number = 3", "lead L-", "time is None; evidence record 4 says '2026-01-01"),
    "a lead's time spoilt": ("UPDATE leads SET time = 'never' WHERE number = 3", "lead L-", "time is 'never'; evidence record 4 says"),
    "a lead's id": ("UPDATE leads SET id = 'L-0' WHERE number = 1", "lead L-0", "its id is not that of rule"),
    "a lead's level": ("UPDATE leads SET level = 0 WHERE number = 1", "lead L-", "its level ranks 0; its rule says high"),
    "a lead's state": ("UPDATE leads SET state = 'dismissed' WHERE number = 3", "lead L-", "state is 'dismissed'; the triage in"),
    "a lead's note": ("UPDATE leads SET note = 'nothing' WHERE number = 3", "lead L-", "note is 'nothing'; the triage in"),
    "a state without an act": (
        "UPDATE leads SET state = 'dismissed' WHERE number = 1",
        "lead L-",
        "state is 'dismissed'; the chain, which",
    ),
    "a verdict taken back": (
        "UPDATE leads SET state = 'new', note = '', triage_sequence = NULL WHERE number = 3",
        "lead L-",
        "came after the one that it shows",
    ),
    "an older verdict shown": (
        "UPDATE leads SET state = 'open', note = 'first look', triage_sequence = triage_sequence - 1 WHERE number = 3",
        "lead L-",
        "came after the one that it shows",
    ),
    "another's verdict borrowed": (
        "UPDATE leads SET state = 'open', triage_sequence = (SELECT triage_sequence FROM leads WHERE number = 3) WHERE number = 1",
        "lead L-",
        "which it names as its triage, is none of it",
    ),
    "a lead removed": ("DELETE FROM leads WHERE number = 3", "lead L-", "it is missing; evidence record 4 tells of it"),
    "a lead added": (
        ADD_A_LEAD,
        "lead L-9",
        "which tells of no such hit",
    ),
    "a sighting removed": ("DELETE FROM sightings WHERE lead = 3 AND run = 2", "sighting of lead L-", "it is missing; evidence record"),
    "a sighting added": (
        "INSERT INTO sightings VALUES (3, 1, 1, 1, 3)",
        "sighting of lead L-",
        "lead_event is 2; evidence record 3 says 1",
    ),
    "a sighting moved to another run": (
        "UPDATE sightings SET run = 2 WHERE lead = 1 AND run = 1",
        "sighting of lead L-",
        "run_id is 'R-2'; evidence",
    ),
    "a sighting's rule": ("UPDATE sightings SET rule = 2 WHERE lead = 3 AND run = 1", "sighting of lead L-", "sighting_rule is '00000000"),
    "a delivery's path": (
        "UPDATE deliveries SET path = 'elsewhere' WHERE number = 2",
        "sighting of lead L-",
        "path is 'elsewhere'; evidence",
    ),
    "a delivery's offset": (
        "UPDATE deliveries SET offset = 7 WHERE number = 2",
        "sighting of lead L-",
        "offset is 7; evidence record 4 says 100",
    ),
    "an identity": ("UPDATE events SET key = 'aws|other' WHERE number = 2", "sighting of lead L-", "which tells of no such hit"),
    "a strong identity called weak": ("UPDATE events SET is_weak = 1 WHERE number = 2", "sighting of lead L-", "is_weak is 1; evidence"),
    "a conflict removed": ("DELETE FROM conflicts", r"conflict of event aws\|", "it is missing: the event was delivered"),
    "a conflict invented": ("INSERT INTO conflicts VALUES (2, 'd', 4)", "conflict d", "no delivery has that content"),
    "a first content": ("UPDATE events SET canonical_digest = 'd' WHERE number = 2", r"event aws\|", "is not that of its first delivery"),
    "an account's numbers": (edit_account, r"accounts row 1 of run R-1 \(logs/b\.json\.gz\)", "it was changed: its digest is not the one"),
    "an account's path": ("UPDATE accounts SET path = 'x' WHERE run = 1", "accounts row 0 of run R-1", "speaks of another file"),
    "an account removed": ("DELETE FROM accounts WHERE run = 2 AND position = 0", "accounts row 0 of run R-2", "it is missing; evidence"),
    "an account added": (
        "INSERT INTO accounts SELECT run, 7, path, file_digest, document FROM accounts LIMIT 1",
        "accounts of run R-1",
        "3 rows in the table; closing record",
    ),
    "a coverage row": (
        "UPDATE coverage SET state = 'settled' WHERE run = 2 AND position = 1",
        rf"coverage row 1 of run R-2 \(rule {RULES[1].id}, source aws_cloudtrail\)",
        "it was changed",
    ),
    "a coverage row spoilt": (
        "UPDATE coverage SET state = 'fine' WHERE run = 2 AND position = 1",
        "coverage row 1 of run R-2",
        "unknown state",
    ),
    "a pulse": ("UPDATE pulses SET events = 0 WHERE run = 1 AND position = 0", "pulses row 0 of run R-1", "it was changed"),
    "a pulse spoilt": ("UPDATE pulses SET hour = 'noon' WHERE run = 1 AND position = 0", "pulses row 0 of run R-1", "where a time belongs"),
    "a noise row": ("UPDATE noise SET events = 1 WHERE run = 1", "noise row 0 of run R-1", "it was changed"),
    "noise keys": ("UPDATE noise SET keys = x'00' WHERE run = 1", "noise row 0 of run R-1", "cannot be unpacked"),
    "a rule's title": (
        "UPDATE rules SET document = replace(document, 'Rule number 1', 'Harmless')",
        f"rule {RULES[0].id}",
        "its digest is not its own",
    ),
    "a rule's column": ("UPDATE rules SET name = 'x' WHERE number = 1", f"rule {RULES[0].id}", "name is 'x'; its document says 'rule_1'"),
    "the rules of a run": ("UPDATE run_rules SET rule = 2 WHERE run = 1 AND position = 0", "run_rules row 0 of run R-1", "it was changed"),
    "what a run says": (
        "UPDATE runs SET document = replace(document, 'one file was cut off', '') WHERE number = 1",
        "run R-1",
        "what it says of itself was changed",
    ),
    "a run's outcome": ("UPDATE runs SET outcome = 'incomplete' WHERE number = 1", "run R-1", "outcome is 'incomplete'; closing record"),
    "a run removed": ("DELETE FROM runs WHERE number = 2", "run R-2", "its row is missing; evidence record"),
    "a run added": ("INSERT INTO runs SELECT 9, 'R-9', started, outcome, document, 1, 2 FROM runs LIMIT 1", "run R-9", "no closing record"),
    "the last record removed": (
        "DELETE FROM evidence WHERE sequence = (SELECT max(sequence) FROM evidence)",
        "evidence record 23",
        "missing from the chain: the head says",
    ),
    "a record removed": ("DELETE FROM evidence WHERE sequence = 4", "evidence record 4", "missing from the chain"),
    "records removed": ("DELETE FROM evidence WHERE sequence IN (4, 5)", "evidence record 4 to 5", "missing from the chain"),
    "records exchanged": (swap_records, "evidence record 3", "its digest is not its own|names .* as the digest of the record before it"),
    "a record's body": (
        "UPDATE evidence SET body = replace(body, 'user/e2', 'user/e3') WHERE sequence = 4",
        "evidence record 4",
        "was changed",
    ),
    "a record's body spoilt": ("UPDATE evidence SET body = '[' WHERE sequence = 4", "evidence record 4", "Its body is not JSON"),
    "a record's time": ("UPDATE evidence SET at = '2020' WHERE sequence = 21", "evidence record 21", "it was changed"),
    "a record's actor": ("UPDATE evidence SET actor = 'other' WHERE kind = 'view'", "evidence record 23", "it was changed"),
    "the head": ("UPDATE chain SET head = 'd'", "chain head", "it names record 23, digest d"),
    "the head removed": ("DELETE FROM chain", "chain head", "has no head"),
    "a suppression": ("UPDATE suppressions SET reason = 'other'", "suppression S-", "reason is 'other'; the evidence chain says 'known'"),
    "a suppression removed": ("DELETE FROM suppressions", "suppression S-", "it is missing; the evidence chain tells of it"),
    "a suppression added": (
        "INSERT INTO suppressions SELECT 'S-9', rule_id, predicate, reason, actor, start, \"end\", withdrawn, sequence FROM suppressions",
        "suppression S-9",
        "does not tell of it",
    ),
    "the ledger's id": ("UPDATE meta SET value = 'A-9' WHERE name = 'ledger_id'", "ledger properties", "ledger_id is 'A-9'"),
    "rows beyond the chain": ("UPDATE vault SET sequence = 999", "table vault", "name evidence records that do not exist"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_around_the_ledger_is_named(home: Path, name: str) -> None:
    change, where, what = CASES[name]
    with tampering(home) as connection:
        if isinstance(change, str):
            assert connection.execute(change).rowcount > 0
        else:
            change(connection)
    found = verify(home)
    assert not found.is_clean
    assert any(re.search(f"^(?:{where})", fault.where) and re.search(what, fault.what) for fault in found.faults), found.faults


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ("UPDATE leads SET principal = 'nobody' WHERE number = 3", "lead {lead}", "principal is 'nobody'"),
        ("UPDATE deliveries SET ordinal = 9 WHERE number = 2", "sighting of lead {lead} at logs/a.json.gz:100", "ordinal is 9"),
        ("UPDATE coverage SET cause = 'x' WHERE run = 1 AND position = 0", "coverage row 0 of run R-1 (rule {rule}", "it was changed"),
    ],
)
def test_only_the_row_that_was_changed_is_named(home: Path, change: str, where: str, what: str) -> None:
    lead = lead_of(home, "e2")
    with tampering(home) as connection:
        connection.execute(change)
    named = verify(home).faults
    assert {fault.where.startswith(where.format(lead=lead, rule=RULES[0].id)) for fault in named} == {True}
    assert all(what in fault.what for fault in named)


def test_a_chain_cut_back_with_its_head_is_found_by_a_checkpoint_kept_elsewhere(home: Path) -> None:
    with opened(home) as ledger:
        checkpoint = ledger.checkpoint()
    assert verify(home, checkpoint).is_clean
    with tampering(home) as connection:
        connection.execute("DELETE FROM evidence WHERE kind = 'view'")
        length, head = connection.execute("SELECT sequence, digest FROM evidence ORDER BY sequence DESC").fetchone()
        connection.execute("UPDATE chain SET length = ?, head = ?", (length, head))
    assert verify(home).is_clean, "a view leaves nothing but its record: only the checkpoint can tell"
    (fault,) = verify(home, checkpoint).faults
    assert fault.where == "evidence record 23"
    assert "the checkpoint knew 23 records, 22 are left" in fault.what


def test_a_history_that_was_written_anew_is_found_by_a_checkpoint_kept_elsewhere(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "forged")
    with opened(home) as ledger:
        ledger.append_act("view", "", actor="the real one")
        checkpoint = ledger.checkpoint()
    with opened(tmp_path / "forged") as ledger:
        ledger.append_act("view", "", actor="another")
        ledger.append_act("view", "", actor="another")
    assert verify(tmp_path / "forged").is_clean
    (fault,) = verify(tmp_path / "forged", checkpoint).faults
    assert (fault.where, "rewritten" in fault.what) == ("evidence record 24", True)


def test_a_checkpoint_stays_good_while_the_chain_grows(home: Path) -> None:
    with opened(home) as ledger:
        checkpoint = ledger.checkpoint()
        ledger.record(record("R-3"), [hit("e9")])
        assert ledger.verify(checkpoint=checkpoint).is_clean
    assert set(json.loads(checkpoint)) == {"at", "head", "ledger", "length", "tool_version"}


@pytest.mark.parametrize("checkpoint", ["no json", "[]", '{"ledger": "A-other", "length": 1, "head": ""}'])
def test_a_checkpoint_that_is_none_of_this_ledger_is_refused(home: Path, checkpoint: str) -> None:
    with pytest.raises(UsageError, match="checkpoint"):
        verify(home, checkpoint)


def test_a_guard_that_was_removed_is_named(home: Path) -> None:
    with sqlite3.connect(home / "ledger.sqlite3") as connection:
        connection.execute("DROP TRIGGER evidence_keeps_rows")
    connection.close()
    (fault,) = verify(home).faults
    assert fault.where == "table evidence"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM evidence",
        "UPDATE evidence SET body = '{}'",
        "INSERT OR REPLACE INTO evidence SELECT * FROM evidence WHERE sequence = 2",
        "DELETE FROM vault",
        "UPDATE vault SET content = x'00'",
        "UPDATE leads SET principal = ''",
        "DELETE FROM leads",
        "DELETE FROM sightings",
        "UPDATE accounts SET document = '{}'",
        "UPDATE coverage SET state = 'settled'",
        "DELETE FROM meta",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_recorded(home: Path, statement: str) -> None:
    connection = sqlite3.connect(home / "ledger.sqlite3")
    connection.execute("PRAGMA recursive_triggers = ON")
    with pytest.raises(sqlite3.IntegrityError, match=r"never (?:deleted|changed)"):
        connection.execute(statement)
    connection.close()


def test_nothing_is_recorded_on_a_chain_that_was_cut(home: Path) -> None:
    with tampering(home) as connection:
        connection.execute("DELETE FROM evidence WHERE kind = 'view'")
    with opened(home) as ledger:
        for write in (
            lambda: ledger.record(record("R-3"), [hit("e9")]),
            lambda: ledger.append_act("view", "", actor="analyst"),
        ):
            with pytest.raises(LedgerError, match="does not end as its head says"):
                write()


def test_a_page_of_the_file_that_was_overwritten_is_an_error_or_a_fault(home: Path) -> None:
    file = home / "ledger.sqlite3"
    content = bytearray(file.read_bytes())
    content[4096 * 30 : 4096 * 31] = b"\xff" * 4096
    file.write_bytes(content)
    told = verified(home)
    assert told
    assert all("record" in line or "ledger.sqlite3" in line or "database" in line for line in told), told


def verified(home: Path) -> list[str]:
    try:
        return [f"{fault.where}: {fault.what}" for fault in verify(home).faults]
    except LedgerError as error:
        return [error.what]


def test_faults_beyond_the_cap_are_counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_CAP", 2)
    with tampering(home) as connection:
        connection.execute("UPDATE leads SET region = 'nowhere', action = 'nothing'")
    found = verify(home)
    assert (len(found.faults), found.faults_left_out) == (2, 4)


def test_a_ledger_without_runs_is_clean(tmp_path: Path) -> None:
    with opened(tmp_path / "home", Clock()) as ledger:
        found = ledger.verify()
    assert found.is_clean
    assert (found.records, found.runs) == (1, 0)
