"""Where a run reads: log files as delivered, the lake that has read them before, or tables of clouds. All give results one by one."""

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
    from aibr_hunt.hunt.clouds import Clouds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a run reads.

    Attributes:
        discovery: The files below the paths; without any for the lake.
        lake: The lake; None for files and clouds.
        clouds: Sources in clouds; None for files and the lake.
    """

    discovery: Discovery
    lake: Lake | None = None
    clouds: Clouds | None = None

    def results(self, program: Program, scope: Scope, *, processes: int) -> Iterator[FileResult]:
        """Yield what each file gives, in the files' order; of clouds what each program gives, as it comes.

        Raises:
            EngineError: Reading failed.
        """
        if self.clouds is not None:
            return self.clouds.results(program, scope)
        if self.lake is None:
            return scan(self.discovery.files, program, scope, processes=processes)
        from aibr_hunt.engines.lake.scan import scan_lake

        return scan_lake(self.lake, program, scope, processes=processes)


_NOTHING = Discovery(files=(), problems=(), notes=(), left_out=())


def reading_of(paths: Sequence[Path], lake: Lake | None = None, clouds: Clouds | None = None) -> Reading:
    """Return what the paths, the lake or the clouds hold.

    Raises:
        UsageError: They hold no log file.
    """
    if clouds is not None:
        return Reading(discovery=_NOTHING, clouds=clouds)
    if lake is not None:
        if not lake.status():
            raise UsageError("The lake is empty.", hint="Read logs into it with `logs add PATH`.")
        return Reading(discovery=_NOTHING, lake=lake)
    discovery = discover(paths)
    if not discovery.files and not discovery.problems:
        raise UsageError(
            f"There is no log file in {', '.join(map(str, paths))}.",
            hint="Below folders, files are read that end in .json, .jsonl, .ndjson, .log, .csv, .gz or .zst; name others one by one.",
        )
    return Reading(discovery=discovery)
