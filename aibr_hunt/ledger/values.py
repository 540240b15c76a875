"""What the ledger is asked and what it answers, beyond the values that every room shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from aibr_hunt.model.lead import Lead, TriageState


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFilter:
    """Which leads are wanted; an empty part asks for nothing. Leads come by event time, untimed ones first.

    Attributes:
        run_id: Seen by this run.
        rule: Id or name of a rule.
        level: This level or a graver one.
        since, until: Event time in `[since, until)`, aware; untimed leads then stay out.
        include_suppressed: True also gives those that a suppression hides now.
        limit: At most so many; None for all. `offset`: leave out the first so many.
        with_events: False leaves `event_value` None: lists that do not show the event are much faster.
    """

    run_id: str = ""
    rule: str = ""
    level: str = ""
    state: TriageState | None = None
    source: str = ""
    since: datetime | None = None
    until: datetime | None = None
    include_suppressed: bool = False
    limit: int | None = None
    offset: int = 0
    with_events: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A recorded judgement that hides leads of one rule for a while (docs/record.md section 5).

    Attributes:
        predicate: Canonical JSON of the Predicate over the event; empty hides every lead of the rule.
        start, end: `[start, end)`, aware UTC; an `end` of None lasts until it is withdrawn.
        withdrawn: When a person ended it early.
    """

    id: str
    rule_id: str
    predicate: str
    reason: str
    actor: str
    start: datetime
    end: datetime | None = None
    withdrawn: datetime | None = None

    def is_active(self, at: datetime) -> bool:
        """True when it hides leads at that moment."""
        ends = [moment for moment in (self.end, self.withdrawn) if moment is not None]
        return self.start <= at and all(at < moment for moment in ends)


Judge: TypeAlias = Callable[[Suppression, Lead], bool]
"""Says whether a suppression's predicate holds for a lead. The ledger keeps predicates and does not execute them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What one run's transaction wrote.

    Attributes:
        is_new: False when the run id was on record already: then nothing was written.
        hits: Rows returned = hit records written.
        leads: Leads that the run saw; `leads_new`: those that no run saw before.
        sightings_new: Deliveries under a lead that no run saw before.
        conflicts_new: Further contents of an identity that were not known before.
        first_sequence, last_sequence: Numbers of the run's first and closing evidence records.
        merkle_root: Root over the run's evidence records but the closing one, hex.
    """

    run_id: str
    is_new: bool
    hits: int
    leads: int
    leads_new: int
    sightings_new: int
    conflicts_new: int
    first_sequence: int
    last_sequence: int
    merkle_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One evidence record, as it is shown: who did what, when.

    Attributes:
        sequence: Its number in the chain, from 1.
        kind: `hit`, `run closed`, `triage`, `view`, `export`, ....
        subject: Id of the lead, run or suppression that it is about; empty for hits.
        body: Canonical JSON of what it says.
    """

    sequence: int
    digest: str
    at: datetime
    kind: str
    run_id: str
    subject: str
    actor: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that does not verify.

    Attributes:
        where: The row or object: `lead L-0123456789ab`, `evidence record 17`, `vault object <digest>`, ....
        what: What is wrong with it, in a sentence. May hold text of logs: escape it.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `Ledger.verify` checked and found.

    Attributes:
        records, runs, leads, sightings, vault_objects, rows: How many of each were checked.
        head: Digest of the last evidence record, hex; empty in a ledger without records.
        faults: What does not verify, up to a stated cap; `faults_left_out` counts the rest.
    """

    records: int
    runs: int
    leads: int
    sightings: int
    vault_objects: int
    rows: int
    head: str
    faults: tuple[Fault, ...] = ()
    faults_left_out: int = 0

    @property
    def is_clean(self) -> bool:
        """True when nothing is wrong."""
        return not self.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """How a ledger stands.

    Attributes:
        schema: Version of its tables. `ledger_id`: made at creation, named by checkpoints.
        size_bytes: The database and its journal on disk.
        vault_bytes: Raw and canonical events before compression; `vault_stored_bytes`: as they lie.
        chain_length, chain_head: Number and digest of the last evidence record.
    """

    path: Path
    schema: int
    ledger_id: str
    runs: int
    leads: int
    sightings: int
    conflicts: int
    vault_objects: int
    vault_bytes: int
    vault_stored_bytes: int
    size_bytes: int
    chain_length: int
    chain_head: str
    last_run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy of a ledger that was made and read back.

    Attributes:
        path: The copy. `manifest`: JSON beside it with the digest, the chain's head and the vault's extent.
        digest: SHA-256 of the copy, hex.
    """

    path: Path
    manifest: Path
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What `Ledger.open` did to an older ledger.

    Attributes:
        steps: One line for each migration that ran.
        backup: The copy of the ledger as it was before.
    """

    from_schema: int
    to_schema: int
    steps: tuple[str, ...]
    backup: Path
