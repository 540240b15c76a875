"""Sweeps: YAML in `hunts/sweeps/` that names a standing set of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from aibr_hunt.content.schemas import YamlMap, content_files, read_checked
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import ContentError, ContentErrors

_UNITS_US: Final = {"D": 86_400_000_000, "H": 3_600_000_000, "M": 60_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which rules and correlations are meant: those that meet all that it says.

    Attributes:
        levels: One of these; empty for any.
        types: `rule` for a rule, the type of a correlation or baseline; empty for any.
        looks_back: ISO 8601 length; those that look back at least so far from an event. Empty for any.
    """

    levels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    looks_back: str = ""

    @property
    def looks_back_us(self) -> int:
        """`looks_back` in microseconds; 0 for none."""
        return int(self.looks_back.strip("PTDHM")) * _UNITS_US[self.looks_back[-1]] if self.looks_back else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A standing set of rules.

    Attributes:
        name: The file's stem.
        rules: Rule files, folders or `shipped:…` names; paths are relative to where the sweep is run.
        every: ISO 8601 length between two runs, such as `P1D`; whoever starts the sweep keeps to it.
        source: Log source of its inputs; empty recognises it file by file.
        digest: SHA-256 of the file, hex.
        needs_only_defaults: Only what requires no other log switches than those that are on by default.
        only: Only what one of these means; empty for all.
        leave_out: Not what one of these means.
        exclude: Names or ids of what is left out besides.
    """

    name: str
    path: Path
    rules: tuple[str, ...]
    digest: str
    title: str = ""
    description: str = ""
    every: str = "P1D"
    source: str = ""
    needs_only_defaults: bool = False
    levels: tuple[str, ...] = ()
    only: tuple[Selector, ...] = ()
    leave_out: tuple[Selector, ...] = ()
    exclude: tuple[str, ...] = ()


def load_sweep(path: Path) -> Sweep:
    """Return the sweep that a file holds. What it selects is asked by `content.selection`.

    Raises:
        ContentErrors: The file breaks the schema; all faults together.
    """
    checked = read_checked(path, "sweep")
    root = checked.root
    if root["sweep"] != path.stem:
        fault = checked.fault(f"The sweep is called {root['sweep']}, its file {path.name}.", "sweep", hint="Give both the same stem.")
        raise ContentErrors((fault,))
    return Sweep(
        name=path.stem,
        path=path,
        rules=_texts(root["rules"]),
        digest=checked.digest,
        title=str(root.get("title") or ""),
        description=str(root.get("description") or "").strip(),
        every=str(root.get("every") or "P1D"),
        source=str(root.get("source") or ""),
        needs_only_defaults="requires_only" in root,
        levels=_texts(root.get("levels")),
        only=_selectors(root.get("only")),
        leave_out=_selectors(root.get("leave_out")),
        exclude=_texts(root.get("exclude")),
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


# The schema has proven the shapes that these name.
def _texts(value: YamlValue) -> tuple[str, ...]:
    return tuple(cast("list[str]", value or []))


def _selectors(value: YamlValue) -> tuple[Selector, ...]:
    rows = cast("list[YamlMap]", value or [])
    return tuple(
        Selector(levels=_texts(row.get("levels")), types=_texts(row.get("types")), looks_back=str(row.get("looks_back") or ""))
        for row in rows
    )
