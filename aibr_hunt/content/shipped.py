"""Where the built-in rules, hunts, mappings and sample logs lie: inside an installed package, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aibr_hunt.errors import UsageError

PREFIX: Final = "shipped:"


def shipped_root() -> Path:
    """Return the folder that holds `rules/`, `hunts/`, `mappings/` and `demo/`.

    Raises:
        UsageError: Neither place holds them: the installation is damaged.
    """
    package = Path(__file__).resolve().parent.parent
    for root in (package / "_shipped", package.parent):
        if (root / "mappings" / "logsources").is_dir():
            return root
    raise UsageError("The built-in rules and mappings are missing from this installation.", hint="Install aibr_hunt again.")
