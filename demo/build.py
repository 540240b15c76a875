# ruff: noqa: INP001 - a script that is started by its path
"""Writes the demo's logs and what must be found in them: `python demo/build.py [folder]`.

Nothing here is real: the clouds, the people and the stories are made up, every identifier and address is a reserved one, and
every record says `synthetic`. The same bytes come out on every machine, but for the packing of gzip files, which depends on
the library that packs them: a file whose content is already there is left as it is.

The leads and episodes of expected.json are written down where the events are planted. No rule and no matcher has a part in it.
Beside them stand the keys of all events that belong to a story, whether a rule is to find them or not, and what rules are to find
although it belongs to none.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

from synthetic import (
    aws_everyday,
    aws_files,
    aws_invocations,
    aws_near,
    aws_resale,
    aws_scripts,
    aws_stories,
    azure,
    azure_script,
    gcp,
    gcp_script,
)
from synthetic.aws import Trail
from synthetic.everyday import FOUND
from synthetic.packing import broken_off
from synthetic.planned import EVERYDAY_STORY, Files, Planned, Record, expected_episodes, expected_leads, planted_events

AWS, GCP, AZURE = "aws", "gcp", "azure"
# A file that somebody copied by hand before the rest was fetched: the same bytes a second time, and no lead in them.
COPIED = "gcp/cloudaudit.googleapis.com/activity/2026/01/14/11-00-00_11-59-59_S0.json"
COPY = "gcp/copied-by-hand/11-00-00_11-59-59_S0.json"
# A file that was packed for its transfer, which broke off: nothing was planted there.
BROKEN = "gcp/cloudaudit.googleapis.com/data_access/2026/01/09/14-00-00_14-59-59_S0.json"


def aws_logs() -> tuple[Files, list[Planned]]:
    """Return the files of CloudTrail and of Bedrock's invocation log, and the events behind them."""
    trail = Trail()
    aws_everyday.play_days(trail)
    aws_near.play_near_misses(trail)
    aws_stories.play_ordinary_use(trail)
    aws_stories.play_model_theft(trail)
    aws_stories.play_stolen_key(trail)
    aws_stories.play_planned_work(trail)
    aws_everyday.play_weekend_before(trail)
    aws_scripts.play_scripts(trail)
    aws_stories.play_first_look(trail)
    aws_near.play_replacements(trail)
    aws_resale.play_resale(trail)
    events = [event for event in trail.events if aws_files.is_recorded(event)]
    logged = aws_invocations.logged_of(events)
    return {**aws_files.files_of(events), **aws_invocations.files_of(logged)}, [*events, *logged]


def gcp_logs() -> tuple[Files, list[Planned]]:
    """Return the files of the audit log sink and the events behind them."""
    sink = gcp.Sink()
    gcp_script.play_days(sink)
    gcp_script.play_stolen_account(sink)
    events = [event for event in sink.events if gcp_script.is_exported(event)]
    return gcp.files_of(events), events


def azure_logs() -> tuple[Files, list[Planned]]:
    """Return the blobs of the activity log's export, the portal's CSV, and the events behind them."""
    activity = azure.Activity()
    azure_script.play_days(activity)
    azure_script.play_tampering(activity)
    azure_script.play_planned_work(activity)
    table, rows = azure.portal_export(azure_script.sandbox_rows())
    return {**azure.files_of(activity.events), "QueryResult-sandbox-20260119.csv": table}, [*activity.events, *rows]


def build() -> tuple[Files, Record]:
    """Return every file of the logs by path, and what is expected of them."""
    files: Files = {}
    events: list[Planned] = []
    for cloud, (found, planned) in ((AWS, aws_logs()), (GCP, gcp_logs()), (AZURE, azure_logs())):
        files |= {f"{cloud}/{path}": content for path, content in found.items()}
        events += planned
    files[COPY] = files[COPIED]
    files[f"{BROKEN}.gz"] = broken_off(files.pop(BROKEN))
    [cut] = [path for path, content in files.items() if path.endswith(".gz") and not _is_whole(content)]
    leads = expected_leads(events)
    expected: Record = {
        "about": "Synthetic. What was planted in demo/logs, written by demo/build.py where it was planted.",
        "files": len(files),
        "events": len(events),
        "cut_off": cut,
        "copy": [COPIED, COPY],
        "spans": spans_of(events),
        "leads": [lead for lead in leads if lead["story"] != EVERYDAY_STORY],
        "episodes": expected_episodes(events),
        "found in everyday traffic": {"why": FOUND, "leads": [lead for lead in leads if lead["story"] == EVERYDAY_STORY]},
        "planted": planted_events(events),
    }
    return files, expected


def spans_of(events: Iterable[Planned]) -> dict[str, list[str]]:
    """Return the times of the first and the last event of each log source."""
    found: dict[str, list[str]] = {}
    for event in sorted(events, key=lambda each: each.time):
        found.setdefault(event.source, [event.label["time"]] * 2)[1] = event.label["time"]
    return dict(sorted(found.items()))


def write(folder: Path) -> None:
    """Leave logs/ and expected.json in the folder as they are to be, and nothing else in logs/."""
    files, expected = build()
    logs = folder / "logs"
    for path in sorted(logs.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(logs).as_posix() not in files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for name, content in files.items():
        path = logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or unpacked(path.name, path.read_bytes()) != unpacked(path.name, content):
            path.write_bytes(content)
    text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    (folder / "expected.json").write_bytes(text.encode())


def unpacked(name: str, content: bytes) -> bytes:
    """Return what a file says; of one that is cut off, what can still be read."""
    return zlib.decompressobj(31).decompress(content) if name.endswith(".gz") else content


def _is_whole(content: bytes) -> bool:
    reader = zlib.decompressobj(31)
    reader.decompress(content)
    return reader.eof


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
