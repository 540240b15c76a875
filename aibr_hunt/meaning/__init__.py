"""The written meaning (docs/meaning.md), executable: pure functions over values, no I/O and no clock."""

from __future__ import annotations

from typing import Final

# Raised whenever matcher, sieve or a printer gives another result for some rule and event: older coverage becomes stale.
MEANING_VERSION: Final = 1
