"""The engine of a Source, opened by what its configuration says. Drivers are imported only here, and only those that are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aibr_hunt.engines.cloud.attended import Attended
from aibr_hunt.engines.cloud.journal import Journal
from aibr_hunt.engines.cloud.protocol import CloudEngine, Manners
from aibr_hunt.errors import UsageError
from aibr_hunt.model.job import Price
from aibr_hunt.model.layout import EngineKind
from aibr_hunt.model.source import Source

CURRENCY: Final = "USD"
# What a program is billed at least: aws.amazon.com/athena/pricing says 10 MB, cloud.google.com/bigquery/pricing 10 MiB a table.
_LEAST_BILLED: Final = {EngineKind.ATHENA: 10_000_000, EngineKind.BIGQUERY: 10 << 20}


def open_engine(source: Source) -> CloudEngine:
    """Return the engine of a Source. Nothing is sent before it is asked.

    Raises:
        UsageError: No cloud engine reads such a layout.
    """
    said, price, manners = source.settings, price_of(source), manners_of(source)
    match source.engine:
        case EngineKind.ATHENA:
            from aibr_hunt.engines.cloud.athena import AthenaEngine  # noqa: PLC0415 - it brings its driver

            names = ("workgroup", "catalog", "database", "output", "profile", "endpoint")
            given = {name: said[name] for name in names if said.get(name)}
            return AthenaEngine(region=said["region"], price=price, manners=manners, **given)
        case EngineKind.BIGQUERY:
            from aibr_hunt.engines.cloud.bigquery import BigQueryEngine  # noqa: PLC0415 - it brings its driver

            given = {name: said.get(name, "") for name in ("location", "endpoint")}
            return BigQueryEngine(project=said["project"], price=price, manners=manners, **given)
        case EngineKind.KQL:
            from aibr_hunt.engines.cloud.log_analytics import LogAnalyticsEngine  # noqa: PLC0415 - it brings its driver

            return LogAnalyticsEngine(workspace=said["workspace"], endpoint=said.get("endpoint", ""), price=price, manners=manners)
        case _:
            raise UsageError(f"{source.label} is no Source in a cloud.", hint="Name a layout of athena, bigquery or log_analytics.")


def price_of(source: Source) -> Price | None:
    """Return what the configuration says that a tebibyte costs; None when it says nothing."""
    text = source.settings.get("price_per_tib")
    if text is None:
        return None
    least = _LEAST_BILLED.get(source.engine, 0)
    return Price(per_tib=float(text), currency=source.settings.get("currency", CURRENCY), least_bytes=least)


def manners_of(source: Source) -> Manners:
    """Return how patient the client of a Source is."""
    usual = Manners()
    deadline = float(source.settings.get("deadline_s", usual.deadline_s))
    return Manners(deadline_s=deadline, at_once=int(source.settings.get("at_once", usual.at_once)))


@dataclass(slots=True, kw_only=True)
class Opener:
    """Opens engines whose jobs are written down, and keeps to what each account lets run at once.

    Attributes:
        journal: Of the run.
        clock: Gives the present, aware UTC.
        open: Opens the engine of a Source.
    """

    journal: Journal
    clock: Callable[[], datetime]
    open: Callable[[Source], CloudEngine] = open_engine
    _gates: dict[tuple[EngineKind, str], threading.Semaphore] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __call__(self, source: Source) -> CloudEngine:
        """Return the engine of a Source.

        Raises:
            UsageError: As `open_engine` says.
        """
        with self._lock:
            # The first Source of an account says how many of its programs run at once.
            gate = self._gates.setdefault((source.engine, source.place), threading.Semaphore(manners_of(source).at_once))
        return Attended(engine=self.open(source), journal=self.journal, clock=self.clock, gate=gate)
