"""Sweeps: YAML in `hunts/sweeps/` that names a standing set of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aibr_hunt.content.schemas import content_files, read_checked
from aibr_hunt.errors import ContentError, ContentErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A standing set of rules.

    Attributes:
        name: The file's stem.
        rules: Rule files, folders or `shipped:…` names; paths are relative to where the sweep is run.
        every: ISO 8601 length between two runs, such as `P1D`; whoever starts the sweep keeps to it.
        source: Log source of its inputs; empty recognises it file by file.
        digest: SHA-256 of the file, hex.
    """

    name: str
    path: Path
    rules: tuple[str, ...]
    digest: str
    title: str = ""
    every: str = "P1D"
    source: str = ""


def load_sweep(path: Path) -> Sweep:
    """Return the sweep that a file holds.

    Raises:
        ContentErrors: The file breaks the schema; all faults together.
    """
    checked = read_checked(path, "sweep")
    root = checked.root
    if root["sweep"] != path.stem:
        fault = checked.fault(f"The sweep is called {root['sweep']}, its file {path.name}.", "sweep", hint="Give both the same stem.")
        raise ContentErrors((fault,))
    rules = root["rules"]
    return Sweep(
        name=path.stem,
        path=path,
        rules=tuple(str(each) for each in rules) if isinstance(rules, list) else (),
        digest=checked.digest,
        title=str(root.get("title") or ""),
        every=str(root.get("every") or "P1D"),
        source=str(root.get("source") or ""),
    )


def load_sweeps(folders: Sequence[Path]) -> tuple[Sweep, ...]:
    """Return the sweeps of the folders, by name; a later folder's file replaces an earlier one's of the same stem.

    Raises:
        ContentErrors: Every fault of every file, together.
    """
    sweeps: list[Sweep] = []
    faults: list[ContentError] = []
    for path in content_files(folders):
        try:
            sweeps.append(load_sweep(path))
        except ContentErrors as found:
            faults += [each for each in found.errors if isinstance(each, ContentError)]
    if faults:
        raise ContentErrors(tuple(faults))
    return tuple(sweeps)
