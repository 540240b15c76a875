"""Lakes for tests: a folder of files as people have them, the rules that are asked of it, and what both engines say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aibr_hunt.engines.files import FileResult, Scope, scan
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.scan import scan_lake
from aibr_hunt.engines.lake.values import Added
from aibr_hunt.engines.program import Options, Program
from aibr_hunt.intake.files import discover
from aibr_hunt.model.rule import Rule
from tests.built_in import LIBRARY
from tests.cli.samples import NOW, cloudtrail, gcp, rule, write_azure_csv, write_bytes, write_lines, write_records

ANY_SOURCE = "{category: anything}"
RULES = (
    rule(1),
    rule(2, "{userAgent|contains: curl/8}"),
    rule(3, "{eventName: [StopLogging, DeleteTrail]}"),
    rule(4, "{requestParameters.note: Überwachung}"),
    rule(5, "{protoPayload.methodName|endswith: .DeleteModel}", logsource="{product: gcp, service: gcp.audit}"),
    rule(6, "{operationName: 'Delete Workspace'}", logsource="{product: azure, service: activitylogs}"),
    rule(7, "{kind: needle}", logsource=ANY_SOURCE),
    rule(8, "{eventName|startswith: Delete, readOnly: false}"),
    rule(9, "{eventSource: bedrock.amazonaws.com, errorCode: null, sourceIPAddress|cidr: 203.0.113.0/24}"),
    rule(10, "{userIdentity.arn|re: 'role/odd[0-9]$'}"),
    rule(11, "{requestParameters.count|gt: 7}"),
    rule(12, "{managementEvent: 'true', awsRegion: us-east-2}"),
)


def program_of(rules: Sequence[Rule] = RULES, options: Options | None = None) -> Program:
    mapping_of = {each.id: LIBRARY.mapping_for(each.logsource) for each in rules}
    return Program(rules, mappings=LIBRARY.mappings, mapping_of=mapping_of, options=options or Options())


def opened(folder: Path) -> Lake:
    return Lake.open(folder, mappings=LIBRARY.mappings, create=True)


def add(lake: Lake, *paths: Path, processes: int = 1, scope: Scope | None = None) -> Added:
    return lake.add(discover(paths).files, scope or Scope(now=NOW), processes=processes)


def from_files(paths: Sequence[Path], rules: Sequence[Rule] = RULES, scope: Scope | None = None) -> list[FileResult]:
    """What the files engine says when it parses everything."""
    return list(scan(discover(paths).files, program_of(rules, Options(use_sieve=False)), scope or Scope(now=NOW)))


def from_lake(
    lake: Lake, rules: Sequence[Rule] = RULES, scope: Scope | None = None, *, options: Options | None = None, processes: int = 1
) -> list[FileResult]:
    return list(scan_lake(lake, program_of(rules, options), scope or Scope(now=NOW), processes=processes))


def identities(lake: Lake) -> list[tuple[Any, ...]]:
    """Every delivery in the lake with what is known of it, in the order of files."""
    from aibr_hunt.engines.lake.segments import working
    from aibr_hunt.engines.lake.views import rows_of

    segments = lake.store.segments()
    wanted = (
        'file, ordinal, identity, canonical_digest, is_repeat, is_conflict, is_odd, time_us, "offset", length, raw, raw_bytes, text, json'
    )
    with working(lake.store.folder) as connection:
        return connection.execute(f"SELECT {wanted} FROM {rows_of(lake.store.folder, segments)} ORDER BY file, ordinal").fetchall()  # noqa: S608 - names are quoted


def write_mixed(folder: Path) -> Path:
    """Write what people have: three clouds, a portal export, UTF-16, something unknown, something broken, something odd."""
    events = [
        cloudtrail(
            number,
            "DeleteGuardrail" if number % 40 == 3 else "ListGuardrails",
            readOnly=number % 3 == 0,
            eventTime=f"2026-01-{5 + number % 3:02d}T10:{number % 60:02d}:00Z",
        )
        for number in range(200)
    ]
    events[50] = cloudtrail(50, "StopLogging", userAgent="curl/8.1")
    events[60] = cloudtrail(60, requestParameters={"note": "ÜBERWACHUNG", "name": "ÜBERWACHUNG"})
    events[61] = cloudtrail(61, userIdentity={"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:role/odd7"})
    events[62] = cloudtrail(62, userIdentity=[{"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:role/odd8"}, {"arn": 7}])
    events[63] = cloudtrail(63, requestParameters={"count": 8.5})
    events[64] = cloudtrail(64, eventName=["StopLogging", "ListModels"])
    events[65] = cloudtrail(65, managementEvent=True, awsRegion="us-east-2")
    events[66] = cloudtrail(66, managementEvent="true", awsRegion="us-east-2")
    events[67] = cloudtrail(67, eventTime="yesterday", eventName="DeleteTrail")
    events[68] = cloudtrail(68, sourceIPAddress="203.0.113.9")
    write_records(folder / "a" / "trail.json.gz", events)
    write_lines(folder / "a" / "lines.jsonl", events[:90])
    write_lines(folder / "b" / "wide.json", events[:70], encoding="utf-16")
    write_lines(folder / "b" / "gcp.json", [gcp(1), gcp(2, "google.cloud.aiplatform.v1.ModelService.DeleteModel")])
    write_azure_csv(folder / "c" / "portal.csv", ["Read Workspace", "Delete Workspace"])
    write_lines(folder / "c" / "unknown.json", [{"kind": "needle"}, {"kind": "hay"}])
    broken = b'{"eventName": "DeleteGuardrail", oops}\n' + json.dumps(cloudtrail(9)).encode() + b"\nnonsense\n"
    write_bytes(folder / "c" / "broken.json", broken)
    twice = json.dumps(cloudtrail(300, "ListModels")).replace('"ListModels"', '"ListModels", "eventName": "DeleteGuardrail"')
    lone = json.dumps(cloudtrail(301, "DeleteGuardrail", userAgent="\ud800"))
    escaped = json.dumps(cloudtrail(302, "@@")).replace("@@", r"\u0044eleteGuardrail")
    bare = json.dumps(cloudtrail(303, "DeleteGuardrail", userAgent="@@")).encode().replace(b"@@", b"\xff\xfe")
    raw_sign = json.dumps(cloudtrail(304, "DeleteGuardrail", userAgent="@@")).replace("@@", "a\x00b\x01c")
    write_bytes(folder / "d" / "odd.json", f"{twice}\n{lone}\n{escaped}\n{raw_sign}\n".encode() + bare + b"\n")
    write_bytes(folder / "d" / "copy.json", (folder / "a" / "lines.jsonl").read_bytes())
    write_bytes(folder / "d" / "empty.json", b"")
    return folder


def without_copies(results: Sequence[FileResult]) -> list[FileResult]:
    return [replace(each, account=replace(each.account, duplicate_of="")) for each in results]
