"""Where a run reads: log files as they were delivered, or the lake that has read them before. Both give results file by file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aibr_hunt.engines.files import FileResult, Scope, scan
from aibr_hunt.engines.program import Program
from aibr_hunt.errors import UsageError
from aibr_hunt.intake.files import Discovery, discover

if TYPE_CHECKING:
    from aibr_hunt.engines.lake.lake import Lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a run reads.

    Attributes:
        discovery: The files below the paths; without any for the lake.
        lake: The lake; None for files.
    """

    discovery: Discovery
    lake: Lake | None = None

    def results(self, program: Program, scope: Scope, *, processes: int) -> Iterator[FileResult]:
        """Yield what each file gives, in the files' order.

        Raises:
            EngineError: Reading failed.
        """
        if self.lake is None:
            return scan(self.discovery.files, program, scope, processes=processes)
        from aibr_hunt.engines.lake.scan import scan_lake

        return scan_lake(self.lake, program, scope, processes=processes)


def reading_of(paths: Sequence[Path], lake: Lake | None) -> Reading:
    """Return what the paths or the lake hold.

    Raises:
        UsageError: They hold no log file.
    """
    if lake is not None:
        if not lake.status():
            raise UsageError("The lake is empty.", hint="Read logs into it with `logs add PATH`.")
        return Reading(discovery=Discovery(files=(), problems=(), notes=(), left_out=()), lake=lake)
    discovery = discover(paths)
    if not discovery.files and not discovery.problems:
        raise UsageError(
            f"There is no log file in {', '.join(map(str, paths))}.",
            hint="Below folders, files are read that end in .json, .jsonl, .ndjson, .log, .csv, .gz or .zst; name others one by one.",
        )
    return Reading(discovery=discovery)
