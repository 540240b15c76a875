"""Detection rules and hunts for breaches of AI systems in the cloud."""

from __future__ import annotations

__version__ = "0.1.0"
