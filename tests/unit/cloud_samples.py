"""A cloud engine that keeps to the protocol and answers from a list of records, with the faults that a test asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aibr_hunt.engines.cloud.protocol import Answer, Estimate, Inspection, Question, Row, Statistics, Watch
from aibr_hunt.meaning.match import compile_rules
from aibr_hunt.model.event import Json
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source
from tests.built_in import LIBRARY, every_rule
from tests.parity.rows import row_of_record

TRAIL = next(each for each in LIBRARY.mappings if each.name == "aws_cloudtrail")
LAYOUT = next(each for each in TRAIL.layouts if each.label == "athena/projection")
SOURCE = Source(name="trail", mapping=TRAIL, layout=LAYOUT, place="123456789012", settings={"region": "eu-west-1"})
RULES = every_rule().matched
START = datetime(2026, 1, 12, tzinfo=UTC)
Fault = Callable[[Question], Exception | None]


def record(number: int, *, at: timedelta, name: str = "DeleteGuardrail", **more: Json) -> dict[str, Json]:
    """Return a CloudTrail record of Bedrock."""
    return {
        "eventVersion": "1.10",
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "eventTime": (START + at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "bedrock.amazonaws.com",
        "eventName": name,
        "recipientAccountId": "123456789012",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/a"},
        "requestParameters": {"guardrailIdentifier": "example"},
        **more,
    }


@dataclass
class ScriptedEngine:
    """Gives the rows whose time lies in the question's window, unless a fault is due.

    Attributes:
        records: What its table holds.
        fault: Gives the error that a question ends with, or None; asked at the start.
        breaks_after: Rows after which an answer breaks off with the error that `breaking` makes; None for never.
        is_honest: False gives rows that meet no rule to programs that ask for the rules themselves.
        scanned: Bytes that each program scans.
    """

    records: Sequence[dict[str, Json]]
    fault: Fault = lambda _: None
    breaks_after: int | None = None
    breaking: Callable[[], Exception] = RuntimeError
    is_honest: bool = True
    scanned: int = 1_000
    estimated: int | None = 1_000
    kind: EngineKind = EngineKind.ATHENA
    price: Price | None = None
    asked: list[Question] = field(default_factory=list)

    def estimate(self, question: Question) -> Estimate:  # noqa: ARG002 - the protocol's
        return Estimate(scanned_bytes=self.estimated, basis="a script")

    def ask(self, question: Question, watch: Watch) -> Answer:
        self.asked.append(question)
        error = self.fault(question)
        if error is not None:
            raise error
        job = f"job-{len(self.asked)}"
        watch.started(job)
        found = [each for each in self.records if question.window.holds(datetime.fromisoformat(str(each["eventTime"])))]
        if question.text.startswith("-- pulse"):
            times = [str(each["eventTime"]) for each in found]
            rows = [{"key0": "123456789012", "key1": "eu-west-1", "events": "1", "earliest": at, "latest": at} for at in times]
            return Answer(rows=iter(rows), statistics=Statistics(job=job, counted_rows=len(rows), scanned_bytes=self.scanned))
        if self.is_honest and "-- sieve" not in question.text:
            rules = [rule for rule in RULES if rule.id in question.text]
            found = [each for each in found if compile_rules(rules, TRAIL).match(each)]
        statistics = Statistics(job=job, counted_rows=len(found), scanned_bytes=self.scanned, billed_bytes=self.scanned)
        return Answer(rows=self._rows(found), statistics=statistics)

    def _rows(self, found: Sequence[dict[str, Json]]) -> Iterator[Row]:
        for number, each in enumerate(found):
            if number == self.breaks_after:
                raise self.breaking()
            yield row_of_record(each, TRAIL, LAYOUT)

    def inspect(self, source: Source) -> Inspection:  # noqa: ARG002 - the protocol's
        return Inspection(is_there=True)

    def close(self) -> None:
        """Hold nothing."""


def rules_in(text: str) -> int:
    """Return how many rules a program's header names."""
    return len(re.findall(r"-- rule [0-9a-f-]{36}", text))
