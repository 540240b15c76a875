"""Small values of every kind that a ledger keeps. Synthetic throughout, with reserved ids only."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aibr_hunt.ledger import Ledger, NoiseKeys
from aibr_hunt.model.event import Account, ByteClass, Event, Hit, Identity, Json, Place, Refusal
from aibr_hunt.model.lead import CoverageRow, CoverageState, Pulse, RuleRow, RunRecord, RunRow
from aibr_hunt.model.technique import Technique
from aibr_hunt.model.window import Window

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = "aws_cloudtrail"


def sha(text: str | bytes) -> str:
    """Return the SHA-256, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).hexdigest()


@dataclass
class Clock:
    """A clock that goes on by a second whenever it is looked at."""

    now: datetime = T0 + timedelta(days=30)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Told:
    """Keeps what the ledger says to the person who waits."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)


def rule(number: int = 1, **changes: str) -> RuleRow:
    row = RuleRow(
        id=f"00000000-0000-4000-8000-{number:012d}",
        name=f"rule_{number}",
        title=f"Rule number {number}",
        level="high",
        path=f"rules/rule_{number}.yml",
        text_digest=sha(f"text {number}"),
        meaning_digest=sha(f"meaning {number}"),
        logsource="aws/cloudtrail",
        techniques=(Technique(framework="attack", id="T1078.004", name="Cloud Accounts", tactics=("TA0001", "TA0005"), version="19.1"),),
        requires=("aws.cloudtrail.management",),
        triage=("Who was it?",),
        preserve_first=("the bucket",),
        falsepositives=("deployments",),
        synthetic="schema-only",
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # the tests change texts only


def hit(name: str, *rules: RuleRow, content: str = "", path: str = "logs/a.json.gz", offset: int = 0, minute: int | None = 0) -> Hit:
    """Return a hit on the event `name`; `content` makes another content of the same identity."""
    value: dict[str, Json] = {"eventName": "InvokeModel", "content": content, "eventID": name}
    raw = json.dumps(value).encode()
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    event = Event(
        value=value,
        raw=raw,
        raw_digest=sha(raw),
        canonical=canonical,
        canonical_digest=sha(canonical),
        source=SOURCE,
        identity=Identity(key=f"aws|123456789012|{name}", is_weak=False),
        place=Place(path=path, file_digest=sha(path), offset=offset, length=len(raw), ordinal=offset // 100 + 1),
        time=None if minute is None else T0 + timedelta(minutes=minute),
        time_text="2026-01-01T00:00:00Z",
        principal=f"arn:aws:iam::123456789012:user/{name}",
        address="192.0.2.1",
        resource="anthropic.model",
        action="InvokeModel",
        region="us-east-1",
        account="123456789012",
    )
    return Hit(event=event, rule_ids=tuple(one.id for one in rules or (rule(),)))


def account(path: str = "logs/a.json.gz") -> Account:
    return Account(
        path=path,
        stored_size=500,
        digest=sha(path),
        content_size=1000,
        format="records",
        compression="gzip",
        encoding="utf-8",
        source=SOURCE,
        byte_counts={ByteClass.FRAMING: 100, ByteClass.MATCHED: 200, ByteClass.SKIMMED: 690, ByteClass.REFUSED: 10},
        record_counts={ByteClass.MATCHED: 2, ByteClass.SKIMMED: 7},
        refusals=(Refusal(reason="not JSON", offset=990, length=10, is_stored=True, detail="line 1"),),
        refusals_left_out=3,
        notes=("invalid UTF-8 replaced",),
        first_time=T0,
        last_time=T0 + timedelta(hours=1, microseconds=5),
        span="parsed",
        odd_numbers=1,
        repeated_keys=2,
        untimed=3,
        duplicate_of="logs/0.json.gz",
    )


def record(run_id: str = "R-0000000000000001", *, rules: tuple[RuleRow, ...] = (rule(),), **changes: str) -> RunRecord:
    run = RunRow(
        id=run_id,
        kind="files",
        asked="rules/ over logs/",
        window=Window(start=T0, end=T0 + timedelta(days=1)),
        query_text="sieve",
        query_digest=sha("sieve"),
        started=T0 + timedelta(days=20),
        ended=T0 + timedelta(days=20, seconds=7),
        actor="analyst@example.com",
        host="host.example.com",
        tool_version="0.1.0",
        outcome="complete",
        gaps=("one file was cut off",),
        refused_rules=(("rules/bad.yml", "no condition"),),
        statistics={"events": 12.0, "scan_s": 0.25},
    )
    noise = NoiseKeys()
    for number in range(5):
        noise.add(f"aws|123456789012|noise-{number}")
    return RunRecord(
        run=replace(run, **changes),  # type: ignore[arg-type]  # the tests change texts only
        rules=rules,
        accounts=(account(), account("logs/b.json.gz")),
        coverage=tuple(
            CoverageRow(
                meaning_digest=one.meaning_digest,
                rule_id=one.id,
                source=SOURCE,
                window=Window(start=T0, end=None),
                state=CoverageState.NOT_KNOWN_ALIVE,
                cause="no pulse",
            )
            for one in rules
        ),
        pulses=(
            Pulse(source=SOURCE, key="123456789012|us-east-1", hour=T0, events=4, earliest=T0, latest=T0 + timedelta(minutes=59)),
            Pulse(source=SOURCE, key="", hour=None, events=1),
        ),
        noise=(noise.row(rules[0].id, source=SOURCE, considered=9),) if rules else (),
    )


@contextmanager
def opened(home: Path, clock: Clock | None = None) -> Iterator[Ledger]:
    with Ledger.open(home, clock=clock or Clock(), tell=Told()) as ledger:
        yield ledger


@contextmanager
def tampering(home: Path) -> Iterator[sqlite3.Connection]:
    """Give the database to someone who knows it well: guards and references are off, and back afterwards."""
    with closing(sqlite3.connect(home / "ledger.sqlite3", isolation_level=None)) as connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f'DROP TRIGGER "{name}"')
        yield connection
        for _, statement in guards:
            connection.execute(statement)
