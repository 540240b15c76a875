"""Detection rules and hunts for breaches of AI systems in the cloud."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aibr_hunt.notebook import open_lake as open  # noqa: A004 - it is called as aibr_hunt.open()

__all__ = ["__version__", "open"]

__version__ = "0.1.0"

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Return `open`, imported now: whoever imports the package pays for nothing that is not used.

        Raises:
            AttributeError: There is no such name.
        """
        if name == "open":
            return importlib.import_module("aibr_hunt.notebook").open_lake
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
