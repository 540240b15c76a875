"""Sources in a cloud: one configured place that holds a log source."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field

from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One configured place that holds a log source.

    Attributes:
        name: As configuration calls it.
        mapping: Its log source.
        layout: How it lies there; the table is the deployment's own.
        place: Account, project or workspace that pays for what is asked, as evidence names it.
        settings: What the engine needs besides, such as region, work group, location; never a credential.
    """

    name: str
    mapping: Mapping
    layout: Layout
    place: str
    settings: MappingABC[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> EngineKind:
        """The engine that reads it."""
        return self.layout.engine

    @property
    def label(self) -> str:
        """Engine and name, as runs and reports name it: `athena:trail`."""
        return f"{self.engine.value}:{self.name}"
