"""A small lake on disk, and what asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aibr_hunt.engines.files import Scope
from aibr_hunt.engines.lake.ask_lake import questions_on
from aibr_hunt.engines.lake.lake import Lake
from aibr_hunt.engines.lake.questions import Questions
from aibr_hunt.intake.files import discover
from tests.built_in import LIBRARY
from tests.cli.samples import Event, cloudtrail, gcp, write_lines, write_records

MAPPINGS = {mapping.name: mapping for mapping in LIBRARY.mappings}
NOW = datetime(2026, 2, 1, tzinfo=UTC)
# What an attacker may write into a log, and what it would do: to a terminal, a page, a spreadsheet, a statement.
HOSTILE = "=cmd|'/c calc'!A1 \x1b[31m<script>alert(1)</script> \"'; DROP VIEW events; -- \u202e"


def lake_of(folder: Path, *paths: Path) -> Lake:
    """Return a lake in a folder, with the logs below the paths added."""
    lake = Lake.open(folder, mappings=LIBRARY.mappings, create=True)
    if paths:
        lake.add(discover(list(paths)).files, Scope(now=NOW))
    return lake


def asking(folder: Path, files: Mapping[str, Sequence[Event]]) -> Questions:
    """Return what asks a new lake that holds the records, a file for each name; `.gz` is CloudTrail, other names are JSON lines."""
    for name, records in files.items():
        write = write_records if name.endswith(".gz") else write_lines
        write(folder / "logs" / name, list(records))
    return questions_on(lake_of(folder / "lake", *([folder / "logs"] if files else [])), LIBRARY.placeholders)


def person(number: int, name: str, **changes: Any) -> Event:
    """Return a CloudTrail record of one of seven people, from one of three addresses, with one of five keys."""
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/p{number % 7}", "accessKeyId": f"AKIA{number % 5}"}
    return cloudtrail(number, name, **({"sourceIPAddress": f"192.0.2.{number % 3}", "userIdentity": identity} | changes))


def plain_trail() -> list[Event]:
    """Return 200 records: 22 deletions, the rest listings; every fifth was denied."""
    return [
        person(number, "DeleteGuardrail" if number % 9 == 3 else "ListModels", errorCode="AccessDenied" if number % 5 == 0 else None)
        for number in range(200)
    ]


def standard(folder: Path) -> Questions:
    """Return what asks a lake of three sources, with repeats, a conflict, a copy of a file and hostile text."""
    trail = plain_trail()
    forged = trail[7] | {"eventName": "Forged", "x": {"y": [1, 2]}}
    return asking(
        folder,
        {
            "a.json.gz": trail,
            "b.json.gz": [*trail[:5], forged],
            "c.json.gz": [*trail[:5], forged],
            "d.json.gz": [person(900, HOSTILE, userAgent=HOSTILE)],
            "g.json": [gcp(number) for number in range(3)],
            "u.json": [{"hello": number, "a\x1b[31m": HOSTILE} for number in range(2)],
        },
    )
