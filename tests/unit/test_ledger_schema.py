"""Opening, upgrading, locking and copying a ledger."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_mock_engine, event
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.schema import ExecutableDDLElement

from aibr_hunt import __version__
from aibr_hunt.errors import LedgerError, UsageError
from aibr_hunt.ledger import LeadFilter, Ledger, migrations, sqlite, tables
from aibr_hunt.ledger.batches import chunks, weighed_chunks
from aibr_hunt.ledger.leadreader import LeadReader
from aibr_hunt.ledger.migrations import MIGRATIONS, Migration
from aibr_hunt.ledger.store import Store
from aibr_hunt.model.lead import TriageState
from tests.unit.ledger_samples import T0, Clock, Told, hit, opened, record, sha, tampering

SCHEMA_1 = "be81401221e1c19bfb8b69d93c9f8a3ddbee5045bca3082dca0f45e325ec7498"

SCHEMA_2 = "056e210dbac6b418c449581f689577d2f720a8bcef61bbb866d663698a15df23"

SCHEMA_3 = "a22ab170a8266938477bb104963dfd6695a5c20d96f8b28eb72e92cef2807a1e"


def test_the_first_schema_never_changes(tmp_path: Path) -> None:
    """A released step is never edited: whoever changes the tables adds a migration and freezes the statements of the one before."""
    made_by(tmp_path, MIGRATIONS[:1])
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        assert sha("\n".join(shape_of(connection))) == SCHEMA_1


def test_the_second_schema_never_changes(tmp_path: Path) -> None:
    made_by(tmp_path, MIGRATIONS[:2])
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        assert sha("\n".join(shape_of(connection))) == SCHEMA_2


def test_the_third_schema_never_changes(tmp_path: Path) -> None:
    made_by(tmp_path, MIGRATIONS[:3])
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        assert sha("\n".join(shape_of(connection))) == SCHEMA_3


def test_a_ledger_of_the_first_schema_is_upgraded_and_takes_runs(tmp_path: Path) -> None:
    home = tmp_path
    made_by(home, MIGRATIONS[:1])
    with Ledger.open(home, clock=Clock(), tell=Told()) as ledger:
        assert ledger.upgraded is not None
        assert ledger.upgraded.from_schema == 1
        ledger.record(record(), [hit("e1")])
        assert ledger.verify().is_clean


def made_by(home: Path, steps: tuple[Migration, ...]) -> None:
    """Leave an empty ledger of an older schema in `home`."""
    store = store_of(home, Told())
    sqlite.create_file(home / "ledger.sqlite3")
    migrations.bring_up_to_date(store, steps, ledger_id="A-0123456789abcdef")
    store.engine.dispose()


def shape_of(connection: sqlite3.Connection) -> list[str]:
    """Return every column, reference, index and guard, a line each."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    shape = [str(row) for row in connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")]
    for table in tables:
        columns = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY cid', (table,))
        references = connection.execute('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?) ORDER BY "from"', (table,))
        indexes = connection.execute(
            'SELECT list."unique", list.partial, info.seqno, info.name'
            " FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS info ORDER BY list.name, info.seqno",
            (table,),
        )
        shape += [f"{table} {row}" for rows in (columns, references, indexes) for row in rows]
    return shape


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_home_and_ledger_are_the_owners_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "deep" / "home") as ledger:
        ledger.record(record(), [hit("e1")])
        assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o077 for file in (tmp_path / "deep" / "home").iterdir()} == {0}


def test_a_home_without_a_ledger_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no ledger"):
        Ledger.open(tmp_path, clock=Clock(), tell=Told(), create=False)
    assert not list(tmp_path.iterdir())


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(UsageError, match="cannot hold a ledger"):
        Ledger.open(tmp_path / "home", clock=Clock(), tell=Told())


def test_a_database_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as connection:
        connection.execute("CREATE TABLE other (x)")
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(tmp_path, clock=Clock(), tell=Told())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"something else entirely" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger.open(tmp_path, clock=Clock(), tell=Told())


def test_a_ledger_closed_and_opened_again_is_the_same(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [hit("e1")])
        before = ledger.leads()
    with opened(tmp_path / "home") as ledger:
        assert ledger.leads() == before
        assert ledger.upgraded is None
        assert ledger.verify().is_clean


def add_a_table(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE extra (x TEXT)")


def break_off(connection: Connection) -> None:
    add_a_table(connection)
    raise RuntimeError("the step failed")


def store_of(home: Path, told: Told) -> Store:
    path = home / "ledger.sqlite3"
    return Store(path=path, engine=sqlite.open_engine(path), clock=Clock(), wait_s=1, tell=told)


def test_an_older_ledger_is_upgraded_after_a_backup_and_stays_whole(tmp_path: Path) -> None:
    home, told = tmp_path / "home", Told()
    with opened(home) as ledger:
        ledger.record(record(), [hit("e1")])
        head = ledger.status().chain_head
    store = store_of(home, told)
    steps = (*MIGRATIONS, Migration(number=4, what="an extra table", apply=add_a_table))
    upgraded = migrations.bring_up_to_date(store, steps, ledger_id="unused")
    assert migrations.bring_up_to_date(store, steps, ledger_id="unused") is None
    store.engine.dispose()
    assert upgraded is not None
    assert (upgraded.from_schema, upgraded.to_schema, upgraded.steps) == (3, 4, ("004 an extra table",))
    assert "a backup goes to" in told.lines[0]
    with closing(sqlite3.connect(upgraded.backup)) as copied:
        assert copied.execute("SELECT head FROM chain").fetchone() == (head,)
        assert copied.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (0,)
    with closing(sqlite3.connect(home / "ledger.sqlite3")) as connection:
        assert connection.execute("SELECT kind FROM evidence ORDER BY sequence DESC").fetchone() == ("ledger upgraded",)


def test_a_newer_ledger_is_refused_with_the_version_that_it_needs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with opened(home):
        pass
    with tampering(home) as connection:
        connection.execute("UPDATE meta SET value = '7' WHERE name = 'schema'")
        connection.execute("UPDATE meta SET value = '9.1.0' WHERE name = 'tool_version'")
    with pytest.raises(LedgerError) as refused:
        Ledger.open(home, clock=Clock(), tell=Told())
    assert "has schema 7" in refused.value.what
    assert __version__ in refused.value.what
    assert "aibr_hunt 9.1.0 or newer" in refused.value.hint


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with opened(home) as ledger:
        ledger.record(record(), [hit("e1")])
    store = store_of(home, Told())
    with pytest.raises(RuntimeError, match="the step failed"):
        migrations.bring_up_to_date(store, (*MIGRATIONS, Migration(number=4, what="x", apply=break_off)), ledger_id="")
    store.engine.dispose()
    with opened(home) as ledger:
        assert ledger.status().schema == 3
        assert ledger.verify().is_clean


def test_a_ledger_that_lost_its_properties_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "home"):
        pass
    with tampering(tmp_path / "home") as connection:
        connection.execute("DELETE FROM meta")
    with pytest.raises(LedgerError, match="does not say its schema"):
        Ledger.open(tmp_path / "home", clock=Clock(), tell=Told())


def test_a_second_writer_waits_says_so_and_goes_on(tmp_path: Path) -> None:
    told = Told()
    with Ledger.open(tmp_path / "home", clock=Clock(), tell=told, wait_s=30) as ledger:
        holder = sqlite3.connect(tmp_path / "home" / "ledger.sqlite3", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.6, holder.commit)
        release.start()
        ledger.append_act("view", "", actor="analyst")
        release.join()
        holder.close()
    assert len(told.lines) == 1
    assert "waiting up to 30 s" in told.lines[0]


def test_a_second_writer_gives_up_after_its_time_and_readers_never_wait(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "home", clock=Clock(), tell=Told(), wait_s=0.3) as ledger:
        ledger.record(record(), [hit("e1")])
        with closing(sqlite3.connect(tmp_path / "home" / "ledger.sqlite3", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            assert ledger.count() == 1
            assert time.monotonic() - started < 0.2
            with pytest.raises(LedgerError, match=r"writing to .* for 0\.3 s"):
                ledger.append_act("view", "", actor="analyst")
            holder.rollback()
        ledger.append_act("view", "", actor="analyst")


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from tests.unit.ledger_samples import hit, opened, record
with opened(Path(sys.argv[1])) as ledger:
    for number in range(8):
        name = f"{{sys.argv[2]}}-{{number}}"
        ledger.record(record(f"R-{{name}}"), [hit(name), hit("shared")])
"""


def test_processes_that_make_and_write_one_ledger_together_lose_nothing(tmp_path: Path, checkout: Path) -> None:
    script = WRITER.format(checkout=str(checkout))
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    writers = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in ("a", "b", "c")]
    for writer in writers:
        _, errors = writer.communicate(timeout=100)
        assert (writer.returncode, errors) == (0, b"")
    with opened(tmp_path / "home") as ledger:
        assert (ledger.status().runs, ledger.count()) == (24, 25)
        assert ledger.verify().is_clean


def test_a_backup_is_a_whole_ledger_with_a_manifest(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [hit("e1"), hit("e2", offset=100)])
        length = ledger.status().chain_length
        made = ledger.backup(tmp_path / "copy.sqlite3", actor="analyst")
        assert ledger.acts("") == ()
        assert ledger.verify().is_clean
    told = json.loads(made.manifest.read_bytes())
    assert told["digest"] == made.digest == sha(made.path.read_bytes())
    assert (told["checkpoint"]["length"], told["leads"], told["runs"], told["vault"]["objects"]) == (length, 2, 1, 4)
    assert [file.name for file in sorted(tmp_path.glob("copy*"))] == ["copy.sqlite3", "copy.sqlite3.manifest.json"]
    (tmp_path / "restored").mkdir()
    made.path.rename(tmp_path / "restored" / "ledger.sqlite3")
    with opened(tmp_path / "restored") as restored:
        assert restored.count() == 2
        assert restored.verify().is_clean


@pytest.mark.parametrize("existing", ["copy.sqlite3", "copy.sqlite3.manifest.json"])
def test_a_backup_overwrites_nothing(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("mine")
    with opened(tmp_path / "home") as ledger, pytest.raises(UsageError, match="copy"):
        ledger.backup(tmp_path / "copy.sqlite3", actor="analyst")
    assert (tmp_path / existing).read_text() == "mine"


def test_a_backup_into_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger, pytest.raises(UsageError, match="cannot be written"):
        ledger.backup(tmp_path / "none" / "copy.sqlite3", actor="analyst")


def test_a_full_disk_leaves_nothing_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record("R-1"), [hit("e1")])
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "_SETTINGS", (*sqlite._SETTINGS, "max_page_count = 150"))
        with opened(tmp_path / "home") as ledger, pytest.raises(LedgerError, match=r"full\. Nothing of this step was kept"):
            ledger.record(record("R-2"), (hit(f"f{number}", content=f"{number}" * 900, offset=number) for number in range(3000)))
    with opened(tmp_path / "home") as ledger:
        assert (ledger.status().runs, ledger.count()) == (1, 1)
        assert ledger.verify().is_clean


def test_a_backup_of_a_damaged_file_is_no_backup(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), (hit(f"e{number}", offset=number) for number in range(50)))
    file = tmp_path / "home" / "ledger.sqlite3"
    content = bytearray(file.read_bytes())
    content[4096 * 4 : 4096 * 60] = b"\xff" * (4096 * 56)
    with opened(tmp_path / "home") as ledger:
        file.write_bytes(content)
        with pytest.raises(LedgerError):
            ledger.backup(tmp_path / "copy.sqlite3", actor="analyst")
    assert not (tmp_path / "copy.sqlite3").exists()


def test_the_database_is_set_to_keep_what_it_commits(tmp_path: Path) -> None:
    with opened(tmp_path / "home"):
        pass
    store = store_of(tmp_path / "home", Told())
    with store.reading() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")}
    store.engine.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_lists_are_cut_by_count_and_by_weight() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(weighed_chunks([1, 1, 9, 1], lambda one: one, size=3, heaviest=9)) == [[1, 1, 9], [1]]
    assert list(weighed_chunks([9, 9, 1], lambda one: one, size=3, heaviest=9)) == [[9], [9], [1]]
    assert not list(weighed_chunks([], len, size=3, heaviest=9))


def test_times_before_the_year_1000_sort_as_times(tmp_path: Path) -> None:
    early = hit("early")
    early = replace(early, event=replace(early.event, time=T0.replace(year=987)))
    with opened(tmp_path / "home") as ledger:
        ledger.record(record(), [hit("late"), early])
        assert [lead.time for lead in ledger.leads()] == [T0.replace(year=987), T0 + timedelta(0)]


def test_every_table_and_index_can_be_said_in_postgresql() -> None:
    said: list[str] = []
    engine: MockConnection

    def say(statement: ExecutableDDLElement, *_: object) -> None:
        said.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+psycopg://", say)
    tables.metadata.create_all(engine, checkfirst=False)
    kinds = [" ".join(statement.split()[:2]) for statement in said]
    assert kinds.count("CREATE TABLE") == len(tables.metadata.sorted_tables)
    assert kinds.count("CREATE INDEX") == sum(len(table.indexes) for table in tables.metadata.sorted_tables)


LISTS = (
    LeadFilter(limit=50),
    LeadFilter(limit=50, rule="rule_1"),
    LeadFilter(limit=50, level="critical"),
    LeadFilter(limit=50, state=TriageState.OPEN),
    LeadFilter(limit=50, since=T0, until=T0 + timedelta(hours=1)),
    LeadFilter(limit=50, run_id="R-1"),
)


@pytest.mark.parametrize("wanted", LISTS)
def test_no_list_of_leads_reads_the_whole_table_without_an_index(tmp_path: Path, wanted: LeadFilter) -> None:
    with opened(tmp_path / "home") as ledger:
        ledger.record(record("R-1"), [hit("e1")])
    asked: list[tuple[str, tuple[str | int, ...]]] = []
    store = store_of(tmp_path / "home", Told())
    event.listen(store.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    with store.reading() as connection:
        list(LeadReader(connection, at=T0, judge=None).leads(wanted))
        statement, parameters = next(call for call in asked if "leads.number" in call[0])
        plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    store.engine.dispose()
    assert not [step for step in plan if step.startswith("SCAN leads") and "INDEX" not in step], plan
