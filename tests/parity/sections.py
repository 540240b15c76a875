"""Golden lists in parts: one part for each layout, which its own test holds to what it finds and renews alone."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path


def section(name: str, found: Mapping[str, Sequence[str]]) -> str:
    """Return the part of a layout: each reason with those that it meets; empty where there is none."""
    blocks = [f"{reason}\n" + "".join(f"    {each}\n" for each in sorted(names)) for reason, names in sorted(found.items())]
    return f"== {name}\n{''.join(blocks)}" if blocks else ""


def sections(path: Path) -> dict[str, str]:
    """Return the parts of a list, by the name of the layout."""
    parts = path.read_text(encoding="utf-8").split("== ")[1:] if path.exists() else []
    return {part.partition("\n")[0]: f"== {part}" for part in parts}


def hold(path: Path, name: str, text: str, names: Collection[str]) -> None:
    """Hold the part of a layout to the list; with AIBR_RENEW_GOLDEN renew it, and drop the parts of layouts that are no more."""
    known = sections(path)
    if os.environ.get("AIBR_RENEW_GOLDEN"):
        kept = {each: part for each, part in (known | {name: text}).items() if part and each in names}
        path.write_text("".join(kept[each] for each in sorted(kept)), encoding="utf-8", newline="\n")
        return
    assert text == known.get(name, ""), "set AIBR_RENEW_GOLDEN=1 to renew it, and read the difference"
