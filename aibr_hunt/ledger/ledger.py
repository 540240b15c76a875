"""The ledger: what was asked, looked at, found and done, in one database that nobody can change unnoticed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aibr_hunt.errors import LedgerError, UsageError
from aibr_hunt.ledger import backups, chain, judgements, migrations, runreader, sqlite, status, vault
from aibr_hunt.ledger.episodes import EarlierEpisodes, read_sheets
from aibr_hunt.ledger.leadreader import LeadReader
from aibr_hunt.ledger.recorder import record_run
from aibr_hunt.ledger.store import Store
from aibr_hunt.ledger.values import Act, Backup, Judge, LeadFilter, LedgerStatus, Recorded, Suppression, Upgrade, Verification
from aibr_hunt.ledger.verifier import verify_ledger
from aibr_hunt.model.episode import EpisodeRow, LeadLink, TallySheet
from aibr_hunt.model.event import Account, Hit, Json
from aibr_hunt.model.job import Job
from aibr_hunt.model.lead import CoverageRow, Lead, Look, NoiseRow, Pulse, RuleRow, RunRecord, RunRow, TriageState
from aibr_hunt.model.window import utc_text

_EVERYTHING = LeadFilter()


class Ledger:
    """One ledger, open. Use it as a context manager: leaving it closes the database.

    Readers never wait. A writer waits for another process that writes, and says so.
    """

    def __init__(self, store: Store, *, upgraded: Upgrade | None) -> None:
        """Work on `store`; use `open`, which sees to the schema."""
        self._store = store
        self.upgraded = upgraded

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        clock: Callable[[], datetime],
        tell: Callable[[str], None],
        create: bool = True,
        wait_s: float = 60,
    ) -> Self:
        """Return the ledger below `home`, at the newest schema; `upgraded` says what was done to an older one.

        Args:
            home: Folder of ledger and vault; made with mode 0700 when it does not exist.
            clock: Returns the present as aware UTC.
            tell: Takes sentences for the person who waits: another process writes, a backup is made.
            create: False refuses a home without a ledger.
            wait_s: Seconds to wait for another process that writes, 0 and up.

        Raises:
            UsageError: There is no ledger and `create` is False, or the folder cannot be used.
            LedgerError: The ledger is newer than this program, is damaged, or stays locked.
        """
        path = home / sqlite.FILE_NAME
        if create:
            _make_home(home, path)
        elif not path.is_file():
            raise UsageError(f"There is no ledger in {home}.", hint="A run makes one; or name another --home.")
        store = Store(path=path, engine=sqlite.open_engine(path), clock=clock, wait_s=wait_s, tell=tell)
        try:
            upgraded = migrations.bring_up_to_date(store, migrations.MIGRATIONS, ledger_id=f"A-{secrets.token_hex(8)}")
        except BaseException:
            store.engine.dispose()
            raise
        return cls(store, upgraded=upgraded)

    def __enter__(self) -> Self:
        """Return the ledger itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the database."""
        self.close()

    def close(self) -> None:
        """Close the database; what was committed stays, what was not is gone."""
        self._store.engine.dispose()

    def record(
        self,
        record: RunRecord,
        hits: Iterable[Hit],
        *,
        later: Callable[[EarlierEpisodes], Iterable[Hit]] | None = None,
        settle: Callable[[], RunRecord] | None = None,
    ) -> Recorded:
        """Leave the run with everything that rests on it on record, in one transaction, or nothing of it.

        Recording a run id that is on record already changes nothing and leaves `hits` unread.

        Args:
            record: The run. With `settle`: as it was planned; its id and its rules are final.
            hits: Rows that the run returned, read once; at most one batch of them is in memory.
            later: Called when `hits` has ended, with what earlier runs committed of episodes, of which nothing changes until this run
                is on record; returns further hits: members, and episodes.
            settle: Called when all hits have ended; returns the run as it ended, with accounts, coverage, pulses and
                noise. For engines that know them only when their last hit is out.

        Raises:
            LedgerError: A hit names an unknown rule, the chain was tampered with, or the database failed.
        """
        recorded = record_run(self._store, record, hits, later=later, settle=settle)
        if recorded.is_new:
            sqlite.tidy(self._store.engine)
        return recorded

    def leads(self, wanted: LeadFilter = _EVERYTHING, *, judge: Judge | None = None) -> list[Lead]:
        """Return the leads that are wanted, by event time."""
        return list(self.each_lead(wanted, judge=judge))

    def each_lead(self, wanted: LeadFilter = _EVERYTHING, *, judge: Judge | None = None) -> Iterator[Lead]:
        """Yield the leads that are wanted, by event time, a page of them in memory at once."""
        with self._store.reading() as connection:
            yield from LeadReader(connection, at=self._store.clock(), judge=judge).leads(wanted)

    def count(self, wanted: LeadFilter = _EVERYTHING, *, judge: Judge | None = None) -> int:
        """Return how many leads are wanted, whatever the filter's limit and offset."""
        with self._store.reading() as connection:
            return LeadReader(connection, at=self._store.clock(), judge=judge).count(wanted)

    def lead(self, lead_id: str, *, judge: Judge | None = None) -> Lead:
        """Return one lead; the beginning of its id is enough where no other begins so.

        Raises:
            UsageError: There is none, or more than one.
        """
        with self._store.reading() as connection:
            return LeadReader(connection, at=self._store.clock(), judge=judge).lead(lead_id)

    def content(self, digest: str) -> bytes:
        """Return a raw or canonical event by its SHA-256, hex.

        Raises:
            UsageError: The vault holds no such object.
            LedgerError: The object does not have that digest any more.
        """
        with self._store.reading() as connection:
            return vault.content(connection, digest)

    def run(self, run_id: str) -> RunRow:
        """Return one run.

        Raises:
            UsageError: No run has that id; the same holds for the next five.
        """
        with self._store.reading() as connection:
            return runreader.read_run(connection, run_id)

    def rules(self, run_id: str) -> tuple[RuleRow, ...]:
        """Return the rules of a run as it froze them."""
        with self._store.reading() as connection:
            return runreader.read_rules(connection, run_id)

    def jobs(self, run_id: str) -> tuple[Job, ...]:
        """Return what became of each program that a run handed to a cloud engine."""
        with self._store.reading() as connection:
            return runreader.read_jobs(connection, run_id)

    def jobs_since(self, moment: datetime) -> tuple[Job, ...]:
        """Return the jobs of all runs that started at or after a moment (aware): what a day has spent."""
        with self._store.reading() as connection:
            return runreader.read_spent(connection, utc_text(moment))

    def accounts(self, run_id: str) -> tuple[Account, ...]:
        """Return what became of the bytes of each file of a run."""
        with self._store.reading() as connection:
            return runreader.read_accounts(connection, run_id)

    def coverage(self, run_id: str) -> tuple[CoverageRow, ...]:
        """Return what a run looked at."""
        with self._store.reading() as connection:
            return runreader.read_coverage(connection, run_id)

    def pulses(self, run_id: str) -> tuple[Pulse, ...]:
        """Return the pulses that a run took."""
        with self._store.reading() as connection:
            return runreader.read_pulses(connection, run_id)

    def noise(self, run_id: str) -> tuple[NoiseRow, ...]:
        """Return the noise rules of a run."""
        with self._store.reading() as connection:
            return runreader.read_noise(connection, run_id)

    def episodes(self, run_id: str) -> tuple[EpisodeRow, ...]:
        """Return the components that a run committed."""
        with self._store.reading() as connection:
            return runreader.read_episodes(connection, run_id)

    def links(self, run_id: str) -> tuple[LeadLink, ...]:
        """Return how a run linked leads of its correlations."""
        with self._store.reading() as connection:
            return runreader.read_links(connection, run_id)

    def sheets(self, correlation_id: str, meaning_digest: str) -> tuple[TallySheet, ...]:
        """Return the tallies that all runs kept for one meaning of a baseline, oldest run first."""
        with self._store.reading() as connection:
            return read_sheets(connection, correlation_id, meaning_digest)

    def runs(self, *, limit: int | None = None) -> tuple[RunRow, ...]:
        """Return the runs, the last one first."""
        with self._store.reading() as connection:
            return runreader.read_runs(connection, limit=limit)

    def last_run_id(self) -> str | None:
        """Return the id of the run that was recorded last; None when there is none."""
        with self._store.reading() as connection:
            return runreader.last_run_id(connection)

    def looks(self, meaning_digest: str) -> tuple[Look, ...]:
        """Return what all runs looked at for one meaning, on whatever Source, in the order of the runs."""
        with self._store.reading() as connection:
            return runreader.read_looks(connection, meaning_digest)

    def triage(self, lead_id: str, state: TriageState, *, note: str, actor: str) -> Lead:
        """Leave a person's verdict on a lead and in the evidence chain; return the lead as it is now.

        Raises:
            UsageError: There is no such lead.
        """
        whole_id = self.lead(lead_id).id
        with self._store.writing() as connection:
            verdict = judgements.Verdict(state=state, note=note, actor=actor)
            judgements.set_state(connection, whole_id, verdict, at=self._store.clock())
        return self.lead(whole_id)

    def suppress(self, wanted: Suppression) -> Suppression:
        """Leave a suppression on record and return it with the id that it got; the id of `wanted` is not read.

        Raises:
            UsageError: It gives no reason, or ends before it starts.
        """
        with self._store.writing() as connection:
            return judgements.add_suppression(connection, wanted, at=self._store.clock())

    def unsuppress(self, suppression_id: str, *, reason: str, actor: str) -> None:
        """End a suppression now: the leads that it hid are back.

        Raises:
            UsageError: There is no such suppression, or it was withdrawn before.
        """
        entry = chain.Entry(kind="unsuppress", subject=suppression_id, actor=actor)
        with self._store.writing() as connection:
            judgements.withdraw(connection, suppression_id, entry, reason=reason, at=self._store.clock())

    def suppressions(self) -> tuple[Suppression, ...]:
        """Return all suppressions, also those that ended."""
        with self._store.reading() as connection:
            return judgements.read_suppressions(connection)

    def append_act(self, kind: str, subject: str, *, actor: str, detail: Mapping[str, Json] | None = None) -> int:
        """Leave an act (view, report, export, transfer, hold, ...) in the evidence chain; return its number.

        Args:
            kind: What was done, in a word or two.
            subject: Id of the lead or run that it was done to; may be empty.
            actor: Who did it.
            detail: What else should be known, such as the digest of an exported file.

        Raises:
            UsageError: The kind is one that the ledger writes itself.
        """
        if not kind or kind in judgements.RESERVED_KINDS:
            raise UsageError(f"An act cannot be of the kind {kind!r}: the ledger writes such records itself.")
        entry = chain.Entry(kind=kind, subject=subject, actor=actor)
        with self._store.writing() as connection:
            return judgements.append_act(connection, entry, detail or {}, at=self._store.clock())

    def acts(self, subject: str) -> tuple[Act, ...]:
        """Return every evidence record about a lead, run or suppression, oldest first."""
        with self._store.reading() as connection:
            return judgements.read_acts(connection, subject)

    def verify(self, *, checkpoint: str = "") -> Verification:
        """Check every record, row and object against the evidence chain, and name what does not fit.

        Args:
            checkpoint: What `checkpoint` returned earlier and was kept elsewhere; empty for none. Only with one is a
                chain proof against its own keeper.

        Raises:
            UsageError: The checkpoint cannot be read, or is another ledger's.
        """
        with self._store.reading() as connection:
            return verify_ledger(connection, checkpoint=checkpoint)

    def checkpoint(self) -> str:
        """Return the chain's head and length as JSON, to be kept where the ledger's keeper cannot change it."""
        with self._store.reading() as connection:
            return status.checkpoint(connection, at=self._store.clock())

    def status(self) -> LedgerStatus:
        """Return how the ledger stands."""
        with self._store.reading() as connection:
            return status.read_status(connection, self._store.path)

    def backup(self, target: Path, *, actor: str) -> Backup:
        """Write a copy of ledger and vault while others may work on them, and a manifest beside it.

        Args:
            target: A new file.
            actor: Who asked for it: the act becomes an evidence record of the ledger.

        Raises:
            UsageError: `target` exists, or cannot be written.
        """
        made = backups.back_up(self._store, target)
        entry = chain.Entry(kind="backup", subject="", actor=actor)
        with self._store.writing() as connection:
            detail: dict[str, Json] = {"digest": made.digest, "path": str(target), "size_bytes": made.size_bytes}
            judgements.append_act(connection, entry, detail, at=self._store.clock())
        return made


def _make_home(home: Path, path: Path) -> None:
    try:
        if not home.exists():
            home.parent.mkdir(parents=True, exist_ok=True)
            home.mkdir(mode=0o700, exist_ok=True)
            os.chmod(home, 0o700)  # noqa: PTH101 - beside the mode above, which the umask may have narrowed
        sqlite.create_file(path)
    except OSError as error:
        raise UsageError(f"The folder {home} cannot hold a ledger: {error.strerror}.", hint="Name another --home.") from error
    if not os.access(path, os.W_OK):
        raise LedgerError(f"The ledger {path} cannot be written.", hint="Check who owns it.")
