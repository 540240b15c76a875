"""`make bench`: one night of 300 rules over three clouds' log sources: programs sent and bytes read, beside one program a rule.

What is asserted is that both ways find the same events. Bytes are not measured, for no cloud is asked: they follow from a model.

    bytes of a program = rows of the night times the sum of the mean sizes of the columns that it reads

The size of a column is measured: the mean length of its cells, written as JSON, over generated rows. Three figures are told: programs as
they are sent, which select every column that evidence needs; one such program a rule; and one lean program a rule, which reads only what
its own condition names (as a count would), the least that asking rule by rule can read. The model knows no compression, and no column
that is read in part: both ways are dearer in it than in a cloud, by about the same factor.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import yaml

from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.engines.cloud import scan
from aibr_hunt.engines.cloud.asking import Surroundings
from aibr_hunt.engines.cloud.budget import Budget, Ceilings
from aibr_hunt.engines.cloud.scan import SourceScan
from aibr_hunt.engines.program import Options, Part
from aibr_hunt.model.event import Json
from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.rule import Rule
from aibr_hunt.model.source import Source
from aibr_hunt.model.window import Window
from tests.bench.cloudtrail import changed
from tests.bench.generate import REPORT_SEED
from tests.bench.rulesets import BenchRule, master_set
from tests.parity.rows import row_of_record
from tests.standins.contract import Row
from tests.wire.estates import NOW, Estate, estate, quiet, source_of

RULES_EACH: Final = 100
EVENTS_EACH: Final = 400
NIGHT_ROWS: Final = 10_000_000
NIGHT: Final = Window(start=datetime(2026, 1, 12, 18, tzinfo=UTC), end=datetime(2026, 1, 13, 6, tzinfo=UTC))
GOAL: Final = 50
_REQUEST: Final = ("roleSessionName", "bucketName", "userName", "name", "policyDocument", "key", "prefix", "tags", "tags.key", "tags.value")
# Fields of the generated rules, which are CloudTrail's, under the names that another log source has for them.
_GOOGLE: Final = {
    "userAgent": "protoPayload.requestMetadata.callerSuppliedUserAgent",
    "eventName": "protoPayload.methodName",
    "eventSource": "protoPayload.serviceName",
    "errorCode": "protoPayload.status.message",
    **{f"requestParameters.{name}": f"protoPayload.request.{name}" for name in _REQUEST},
    "requestParameters.key": "protoPayload.request.parent",  # request.key is an object there
}
_AZURE: Final = {
    "userAgent": "properties.userAgentHeader",
    "eventName": "operationName",
    "eventSource": "properties.accountName",
    "errorCode": "statusText",
    **{f"requestParameters.{name}": "properties.objectKey" for name in ("roleSessionName", "bucketName", "userName", "name")},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A log source with its rules: where it lies, and what its fields are called; no names means CloudTrail's own."""

    source: Source
    logsource: Mapping[str, str]
    names: Mapping[str, str]


PLACES: Final = (
    Place(source=source_of("aws_cloudtrail", "athena/projection"), logsource={"product": "aws", "service": "cloudtrail"}, names={}),
    Place(source=source_of("gcp_audit", "bigquery/export_activity"), logsource={"product": "gcp", "service": "gcp.audit"}, names=_GOOGLE),
    Place(
        source=source_of("azure_storage_blob", "kql/log_analytics"),
        logsource={"product": "azure", "service": "storage_blob"},
        names=_AZURE,
    ),
)


def moved(rule: BenchRule, place: Place) -> BenchRule | None:
    """Return a rule under another log source's names; None when that has no name for one of its fields."""
    document = yaml.safe_load(rule.text)
    try:
        detection = {key: _renamed(value, place.names) for key, value in document["detection"].items()}
        hit, decoy = (
            {_named(key, place.names): value for key, value in each.items() if value is not None} for each in (rule.hit, rule.decoy)
        )
    except KeyError:
        return None
    text = yaml.safe_dump({**document, "logsource": dict(place.logsource), "detection": detection}, sort_keys=False)
    return BenchRule(rule.id, text, hit, decoy)


def _changes(wanted: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return what makes a quiet event a hit; members that are to be taken away are not there."""
    return {_named(key, names): value for key, value in wanted.items() if value is not None}


def _named(key: str, names: Mapping[str, str]) -> str:
    name, *modifiers = key.split("|")
    return "|".join([names[name] if names else name, *modifiers])


def _renamed(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return {_named(key, names): each for key, each in value.items()} if isinstance(value, dict) else value


def rules_of(place: Place) -> tuple[list[Rule], list[BenchRule]]:
    """Return the first rules of the master set that the log source has names for, loaded and as they were drawn."""
    drawn = [found for rule in master_set(REPORT_SEED) if (found := moved(rule, place)) is not None][:RULES_EACH]
    return [load_rule_text(rule.text, f"{rule.id}.yml") for rule in drawn], drawn


def records_of(place: Place, drawn: Sequence[BenchRule]) -> list[Json]:
    """Return events of one night: of each rule a hit and a near miss, the rest quiet ones with bodies of the usual size."""
    rng = random.Random(f"{REPORT_SEED}/{place.source.name}")
    moments = [NIGHT.start + timedelta(seconds=100 * number) for number in range(EVENTS_EACH)] if NIGHT.start else []
    found: list[Json] = []
    for number, moment in enumerate(moments):
        base = json.dumps(quiet(place.source.mapping.name, [moment])[0])
        body = "".join(rng.choices("abcdefghij", k=rng.randint(200, 900)))
        padded = changed(base, {_body_of(place): body})
        rule, is_hit = drawn[number // 2 % len(drawn)], number % 2 == 0
        planted = number < 2 * len(drawn)
        found.append(json.loads(changed(padded, (rule.hit if is_hit else rule.decoy) if planted else {})))
    return found


def _body_of(place: Place) -> str:
    """Return where an event of the log source holds what it answers."""
    return {"aws_cloudtrail": "responseElements.body", "gcp_audit": "protoPayload.response.body"}.get(
        place.source.mapping.name, "properties.etag"
    )


def scanned(made: Estate, place: Place, rules: Sequence[Rule]) -> tuple[set[tuple[str, str]], list[Job], int]:
    """Return which rule met which event, the programs that told it, and how many rules the layout refused."""
    around = Surroundings(run="R-1", clock=lambda: NOW, budget=Budget(Ceilings()))
    part = Part(rules, place.source.mapping, Options())
    engine = made.open_engine(place.source)
    asking = SourceScan(place.source, engine, part, NIGHT, around)
    met = {(rule_id, hit.event.identity.key) for result in asking.results() for hit in result.hits for rule_id in hit.rule_ids}
    engine.close()
    assert {job.state for job in asking.findings.jobs} <= {JobState.DONE}
    return met, asking.findings.jobs, len(asking.findings.refused)


# -- the model ------------------------------------------------------------------------------------------------------


def sizes_of(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean size of each column's cells, written as JSON; what is empty counts nothing."""
    total: dict[str, int] = {}
    for row in rows:
        for name, cell in row.items():
            total[name] = total.get(name, 0) + len(json.dumps(cell, default=str).encode())
    return {name: size / len(rows) for name, size in total.items()}


def read_bytes(text: str, sizes: Mapping[str, float], *, is_lean: bool = False) -> float:
    """Return the bytes that a program reads in a night; a lean one selects nothing besides what its condition names."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith(("--", "//")))
    if is_lean:
        body = body[re.search(r"\bwhere\b", body, re.IGNORECASE).start() :]  # type: ignore[union-attr] # every program has a window
        body = body.split("| project")[0]
    words = {word.lower() for word in re.findall(r"\w+", body)}
    return NIGHT_ROWS * sum(size for name, size in sizes.items() if name.lower() in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one log source's night costs, packed, one program a rule, and one lean program a rule."""

    label: str
    rules: int
    programs: int
    alone: int
    packed_bytes: float
    alone_bytes: float
    lean_bytes: float

    def __str__(self) -> str:
        """Return the line of the table."""
        tb = [f"{size / 1e12:,.3f}" for size in (self.packed_bytes, self.alone_bytes, self.lean_bytes)]
        fewer = f"{self.alone / self.programs:,.0f}×"
        by = [f"{size / self.packed_bytes:,.1f}×" for size in (self.alone_bytes, self.lean_bytes)]
        return f"| {self.label} | {self.rules} | {self.programs} | {self.alone} | {fewer} | {' | '.join(tb)} | {' | '.join(by)} |"


def measured(made: Estate, place: Place) -> Line:
    """Return what a log source costs both ways, which find the same events."""
    rules, drawn = rules_of(place)
    assert len(rules) == RULES_EACH
    rows = [row_of_record(each, place.source.mapping, place.source.layout) for each in records_of(place, drawn)]
    made.load({place.source.name: rows})
    sizes = sizes_of(rows)
    met, jobs, refused = scanned(made, place, rules)
    apart: set[tuple[str, str]] = set()
    alone: list[Job] = []
    for rule in rules:
        found, asked, _ = scanned(made, place, [rule])
        apart |= found
        alone += asked
    assert met == apart, "both ways find the same events"
    assert len({rule_id for rule_id, _ in met}) >= (RULES_EACH - refused) * 0.9, "nearly every rule finds the event that was made for it"
    return Line(
        label=place.source.label,
        rules=RULES_EACH - refused,
        programs=len(jobs),
        alone=len(alone),
        packed_bytes=sum(read_bytes(job.text, sizes) for job in jobs),
        alone_bytes=sum(read_bytes(job.text, sizes) for job in alone),
        lean_bytes=sum(read_bytes(job.text, sizes, is_lean=True) for job in alone),
    )


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_a_night_of_many_rules_is_asked_in_few_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "EXAMPLE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # A rule alone in its exact form may rest on an assumption (that a member holds no list), and then finds less.
    monkeypatch.setattr(scan, "FEW_RULES", 0)
    lines = []
    for place in PLACES:
        with estate([place.source]) as made:
            lines.append(measured(made, place))
    whole = replace(
        lines[0],
        label="all",
        **{
            name: sum(getattr(line, name) for line in lines)
            for name in ("rules", "programs", "alone", "packed_bytes", "alone_bytes", "lean_bytes")
        },
    )
    print(f"\n{whole.rules} rules over three log sources, one night of {NIGHT_ROWS:,} rows each; bytes by the model, in TB\n")
    print("| log source | rules | programs | one a rule | fewer | TB packed | TB one a rule | TB lean | one a rule | lean |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for line in (*lines, whole):
        print(line)
    reached = "reached" if whole.alone >= GOAL * whole.programs and whole.alone_bytes >= GOAL * whole.packed_bytes else "missed"
    print(f"\nThe goal of {GOAL} times fewer programs and bytes than one program a rule is {reached}.")
