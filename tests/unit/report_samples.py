"""Synthetic findings for the tests of reports: a small case with every kind of row, and the same with poisoned text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from aibr_hunt.model.event import Account, ByteClass, Json, Refusal
from aibr_hunt.model.hunt import Hunt, Observation
from aibr_hunt.model.lead import CoverageRow, CoverageState, Lead, Pulse, RuleRow, RunRow, Sighting, TriageState
from aibr_hunt.model.mapping import LogSwitch
from aibr_hunt.model.technique import Tactic, Technique
from aibr_hunt.model.window import Window
from aibr_hunt.report import Findings, observe_hunt

START = datetime(2026, 3, 14, 2, 7, tzinfo=UTC)
WINDOW = Window(start=datetime(2026, 3, 1, tzinfo=UTC), end=datetime(2026, 3, 15, tzinfo=UTC))
LEVELS = ("critical", "high", "medium", "low", "informational")
PAYLOADS = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title></textarea></svg><img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "https://evil.example.com/?a=1&b=2",
    "www.evil.example.com someone@example.com mailto:a@example.com",
    "{{ 7*7 }}{% raw %}{{ config }}",
    "{% endraw %}{{ self }}",
    "]]><!--<b>x</b>-->",
    "&lt;b&gt;&#60;script&#62;",
    "=cmd|' /C calc'!A0",
    "+1+1;=2+5",
    "-2+3",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r\n=1+1\r\n# heading\n\n<div>",
    "\x1b[31mred\x1b]8;;https://evil.example.com\x07link\x1b]8;;\x07\x9b2J",
    "user\u202egnp.exe\u2066\u200b\ufeff\u00ad\u2028",
    "[click](javascript:alert(1)) ![img](https://evil.example.com/x.png)",
    "![img](data:text/html;base64,AAAA)",
    "[ref]: https://evil.example.com",
    "`code` ``more`` ~~~ ``` <b>",
    "a | b \\| c \\\\| d |",
    "| --- | --- |",
    "***bold*** __under__ ~~gone~~ $x^2$",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "    indented code",
    "--- \n===",
    "\\",
    "ends with a backslash\\",
    "\ud800 lone surrogate",
    "\x00nul\x07bell\x08back",
    "$\\frac{1}{0}$ %n %s {0}",
    "e" + "\u0301" * 60,
    "x" * 20_000,
)


def digest(text: object) -> str:
    """Return a digest that stands for `text`."""
    return hashlib.sha256(str(text).encode()).hexdigest()


def technique(number: int, *, framework: str = "attack") -> Technique:
    if framework == "attack":
        return Technique(framework="attack", id=f"T1{number:03d}", name=f"Way {number}", tactics=("TA0003", "TA0004"), version="19.1")
    return Technique(framework="atlas", id=f"AML.T{number:04d}", name=f"Way {number}", tactics=("AML.TA0010",), version="2026.09")


def rule(number: int, **changes: Any) -> RuleRow:
    row = RuleRow(
        id=f"00000000-0000-4000-8000-{number:012d}",
        name=f"rule_{number}",
        title=f"Thing {number} was done",
        level=LEVELS[number % 5],
        path=f"shipped:aws/rule_{number}.yml",
        text_digest=digest(("text", number)),
        meaning_digest=digest(("meaning", number)),
        logsource="aws/cloudtrail",
        techniques=(technique(number), technique(number, framework="atlas")),
        requires=("aws.cloudtrail.data",),
        triage=(f"Who did thing {number}?", "What came next?"),
        preserve_first=("the session's events",),
        falsepositives=("A planned change",),
        synthetic="schema-only" if number % 2 else "",
    )
    return replace(row, **changes)


def sighting(number: int, **changes: Any) -> Sighting:
    row = Sighting(
        run_id="R-0123456789abcdef",
        path=f"logs/{number % 7}.json.gz",
        file_digest=digest(("file", number % 7)),
        offset=number * 1400,
        length=1400,
        ordinal=number + 1,
        raw_digest=digest(("raw", number)),
        canonical_digest=digest(("canonical", number)),
        rule_digest=digest("rule"),
        meaning_digest=digest("meaning"),
    )
    return replace(row, **changes)


def event_value(number: int) -> Json:
    return {
        "eventName": "DeleteGuardrail",
        "userIdentity": {"arn": f"arn:aws:iam::123456789012:user/u{number % 3}", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"},
        "requestParameters": {"tags": [{"key": "a", "value": "b"}, {"key": "c", "value": None}], "empty": {}},
        "readOnly": False,
        "count": 3,
        "share": 0.5,
    }


def lead(number: int, *, asked: RuleRow | None = None, **changes: Any) -> Lead:
    asked = asked or rule(number % 5)
    row = Lead(
        id=f"L-{digest(('lead', number))[:12]}",
        rule_id=asked.id,
        rule_name=asked.name,
        rule_title=asked.title,
        level=asked.level,
        techniques=asked.techniques,
        event_key=f"aws|123456789012|{number}",
        is_weak=False,
        source="aws_cloudtrail",
        time=START + timedelta(seconds=97 * number, microseconds=number),
        action="DeleteGuardrail",
        principal=f"arn:aws:iam::123456789012:user/u{number % 3}",
        address=f"192.0.2.{number % 5}",
        resource=f"arn:aws:bedrock:eu-central-1:123456789012:guardrail/g{number % 2}",
        region="eu-central-1",
        account="123456789012",
        event_value=event_value(number),
        sightings=(sighting(number),),
        first_seen=START + timedelta(days=1),
    )
    return replace(row, **changes)


def account(number: int, **changes: Any) -> Account:
    counts = {ByteClass.FRAMING: 20, ByteClass.MATCHED: 1400, ByteClass.PARSED: 3000 + number, ByteClass.SKIMMED: 90_000}
    row = Account(
        path=f"logs/2026/03/{1 + number % 28:02d}/{number}.json.gz",
        stored_size=5000,
        digest=digest(("file", number)),
        content_size=sum(counts.values()),
        format="records",
        compression="gzip",
        encoding="utf-8",
        source="aws_cloudtrail",
        byte_counts=counts,
        record_counts={ByteClass.MATCHED: 1, ByteClass.PARSED: 2, ByteClass.SKIMMED: 60},
        first_time=START,
        last_time=START + timedelta(hours=1),
        span="parsed",
    )
    return replace(row, **changes)


def broken_account(number: int, refused: int = 1204) -> Account:
    """Return an account of a file of which some bytes were refused; it still adds up."""
    whole = account(number)
    return replace(
        whole,
        byte_counts={**whole.byte_counts, ByteClass.REFUSED: refused},
        content_size=whole.content_size + refused,
        refusals=(Refusal(reason="truncated gzip", offset=4000, length=refused, is_stored=True, detail="ends inside a member"),),
        notes=("!changed while read", "invalid UTF-8 replaced"),
        untimed=2,
        odd_numbers=1,
        repeated_keys=1,
        duplicate_of="logs/2026/03/01/0.json.gz",
    )


def run(**changes: Any) -> RunRow:
    row = RunRow(
        id="R-0123456789abcdef",
        kind="files",
        asked="run shipped:aws --logs logs",
        window=WINDOW,
        query_text="sieve",
        query_digest=digest("query"),
        started=datetime(2026, 3, 15, 2, 4, 5, tzinfo=UTC),
        ended=datetime(2026, 3, 15, 2, 4, 9, tzinfo=UTC),
        actor="responder",
        host="workstation",
        tool_version="0.1.0",
        outcome="complete",
        statistics={"wall_s": 3.9, "records": 630},
    )
    return replace(row, **changes)


def coverage(asked: RuleRow, state: CoverageState = CoverageState.SETTLED, **changes: Any) -> CoverageRow:
    row = CoverageRow(meaning_digest=asked.meaning_digest, rule_id=asked.id, source="aws_cloudtrail", window=WINDOW, state=state)
    return replace(row, **changes)


def hunt() -> Hunt:
    return Hunt(
        name="stolen_key",
        path="shipped:hunts/stolen_key.yml",
        text_digest=digest("hunt"),
        title="Stolen key",
        hypothesis="A leaked key runs models for someone else.",
        expect=(
            Observation(id="probe", rules=("rule_0",), supports=("stolen",), against=("workload",), note="Models are tried."),
            Observation(id="steady", rules=("rule_9",), supports=("workload",), against=("stolen",)),
            Observation(id="rare", rules=("rule_4",), supports=("stolen",)),
        ),
        rivals={"stolen": "the hypothesis", "workload": "A team started to use the model.", "test": "A test is under way."},
        actor="An outsider.",
        behaviour="Tries models.",
        location="Bedrock.",
        evidence="Management events.",
        pivots=("userIdentity.accessKeyId",),
        triage=("Where did the key leak?",),
        preserve_first=("the key's last use",),
        when_logs_are_off="Ask for the bill.",
        case_studies=("AML.CS0012", "AML.CS0030"),
    )


TACTICS = (
    Tactic(framework="attack", id="TA0003", name="Persistence", tag="persistence", order=5),
    Tactic(framework="attack", id="TA0004", name="Privilege Escalation", tag="privilege-escalation", order=6),
    Tactic(framework="attack", id="TA0040", name="Impact", tag="impact", order=15),
    Tactic(framework="atlas", id="AML.TA0010", name="Exfiltration", tag="exfiltration", order=14),
)
SWITCHES = (
    LogSwitch(id="aws.cloudtrail.data", is_on_by_default=False, what="Data events.", how="Add a data event selector to the trail."),
)


def findings(leads: int = 9, **changes: Any) -> Findings:
    """Return findings with every kind of row; the first leads carry each oddity in turn."""
    rules = tuple(rule(number) for number in range(6))
    found = [lead(number, asked=rules[number % 4]) for number in range(leads)]
    if leads > 6:
        found[1] = replace(found[1], time=None, is_weak=True)
        found[2] = replace(found[2], state=TriageState.DISMISSED, note="planned")
        found[3] = replace(found[3], suppressed_by="S-1")
        found[4] = replace(found[4], sightings=(sighting(4), sighting(44, is_conflict=True)))
        found[5] = replace(found[5], state=TriageState.CONFIRMED)
    rows = (
        *(coverage(item) for item in rules[:4]),
        coverage(rules[1], CoverageState.SOURCE_SILENT, window=Window(start=START, end=START + timedelta(minutes=5)), cause="no event"),
        coverage(rules[4], CoverageState.FAILED, cause="disk full"),
    )
    pulses = tuple(Pulse(source="aws_cloudtrail", key="123456789012", hour=START + timedelta(hours=hour), events=9) for hour in (0, 1, 7))
    whole = Findings(
        title="Suspected use of a leaked key",
        made_at=datetime(2026, 3, 15, 2, 10, tzinfo=UTC),
        made_by="responder",
        tool_version="0.1.0",
        window=WINDOW,
        runs=(run(outcome="incomplete", gaps=("1,204 bytes were refused.",), refused_rules=(("own/x.yml", "look-ahead"),)),),
        rules=rules,
        leads=tuple(found),
        accounts=(account(0), account(1), broken_account(2)),
        coverage=rows,
        pulses=pulses,
        hunts=(observe_hunt(hunt(), rules=rules, leads=found, coverage=rows),),
        tactics=TACTICS,
        switches=SWITCHES,
    )
    return replace(whole, **changes)


def clean(**changes: Any) -> Findings:
    """Return findings of a run that found nothing and missed nothing that it knows of."""
    quiet = rule(0, requires=(), synthetic="")
    whole = findings(0, runs=(run(),), rules=(quiet,), accounts=(account(0),), coverage=(coverage(quiet),), hunts=())
    return replace(whole, **changes)


def poison(value: Any, payload: str, seen: dict[str, str] | None = None) -> Any:
    """Return the value with the payload in the place of every text, keys of events included.

    Equal texts stay equal and different ones different (a number follows the payload), so that what belongs together
    still does; empty texts stay empty, and so the shape of a page stays what it was.
    """
    seen = {} if seen is None else seen
    if isinstance(value, str) and not isinstance(value, Enum):
        return seen.setdefault(value, f"{payload}{len(seen)}") if value else value
    if is_dataclass(value) and not isinstance(value, type):
        # The names of the two catalogues are ours; a type checker would refuse any other.
        changed = {item.name: poison(getattr(value, item.name), payload, seen) for item in fields(value) if item.name != "framework"}
        return replace(value, **changed)
    if isinstance(value, Mapping):
        return {poison(name, payload, seen): poison(member, payload, seen) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(poison(member, payload, seen) for member in value)
    return value
