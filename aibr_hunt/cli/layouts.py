"""Which mapping and which layout a rule is compiled on: options, then configuration, then what the mappings say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from aibr_hunt.cli.settings import TABLES, Settings
from aibr_hunt.content.library import Library
from aibr_hunt.errors import UsageError
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.mapping import Mapping
from aibr_hunt.model.rule import LogSource

AS_WRITTEN = "as-written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a command asks of layouts.

    Attributes:
        layout: Name of a layout, `athena/lake` or `lake`; empty for the first of the engine.
        table: A table in place of the layout's own; empty for none.
        mapping: A file that adds a mapping, or replaces the one of its name or log source.
    """

    layout: str = ""
    table: str = ""
    mapping: Path | None = None


class Layouts:
    """Finds mappings and layouts.

    Args:
        library: The content in force.
        settings: Whose `[tables]` name tables.
        wanted: Options of the command.
    """

    def __init__(self, library: Library, settings: Settings, wanted: Wanted) -> None:
        """Keep them; files are read when first asked."""
        self._library = library
        self._settings = settings
        self._wanted = wanted

    @property
    def is_layout_given(self) -> bool:
        """True when the command names a layout."""
        return bool(self._wanted.layout)

    @cached_property
    def mappings(self) -> tuple[Mapping, ...]:
        """The mappings in force, a given file's first.

        Raises:
            ContentErrors: The file is wrong.
        """
        if self._wanted.mapping is None:
            return self._library.mappings
        from aibr_hunt.content.mappings import load_mapping

        own = load_mapping(self._wanted.mapping)
        return (own, *(each for each in self._library.mappings if each.name != own.name))

    def mapping_of(self, logsource: LogSource) -> Mapping | None:
        """Return the mapping of a log source, None when no mapping serves it."""
        from aibr_hunt.content.mappings import mapping_for

        return mapping_for(logsource, self.mappings)

    def layouts(self, mapping: Mapping | None, engine: EngineKind) -> tuple[Layout, ...]:
        """Return the layouts of an engine, the one that is used when nobody chooses first; DuckDB always has `raw`."""
        own = () if mapping is None else tuple(layout for layout in mapping.layouts if layout.engine is engine)
        return (*own, raw_layout()) if engine is EngineKind.DUCKDB else own

    def layout(self, mapping: Mapping | None, engine: EngineKind) -> Layout | None:
        """Return the layout to read, with its table in force; None when the mapping has none of the engine.

        Raises:
            UsageError: The mapping has layouts of the engine, but none of the wanted name; or configuration names what there is not.
        """
        known = self.layouts(mapping, engine)
        if not known:
            return None
        wanted = self._wanted.layout.removeprefix(f"{engine.value}/")
        found = next((each for each in known if each.name == wanted), None) if wanted else known[0]
        if found is None:
            names = [each.name for each in known]
            hint = _nearest(wanted, names) or f"It has {', '.join(names)}."
            raise UsageError(f"{name_of(mapping)} has no layout {engine.value}/{wanted}.", hint=hint)
        return replace(found, table=self._table(mapping, found))

    def _table(self, mapping: Mapping | None, layout: Layout) -> str:
        if self._wanted.table:
            return self._wanted.table
        chosen = self._tables.get(f"{name_of(mapping)}.{layout.engine.value}.{layout.name}")
        return layout.table if chosen is None else chosen

    @cached_property
    def _tables(self) -> dict[str, str]:
        """The tables of configuration, by mapping, engine and layout; every key is known."""
        known = [
            f"{name_of(mapping)}.{layout.engine.value}.{layout.name}"
            for mapping in (*self.mappings, None)
            for engine in EngineKind
            for layout in self.layouts(mapping, engine)
        ]
        for key, chosen in self._settings.tables.items():
            if key not in known:
                hint = _nearest(key, known) or "`aibr-hunt engines` lists mappings and layouts."
                raise UsageError(f"{chosen.origin} sets {TABLES}.{key}, which is no layout.", hint=hint)
        return {key: str(chosen.value) for key, chosen in self._settings.tables.items()}


def name_of(mapping: Mapping | None) -> str:
    """Return a mapping's name, or what stands for fields as written."""
    return AS_WRITTEN if mapping is None else mapping.name


def has_layouts(mapping: Mapping | None) -> str:
    """Return which layouts a mapping has, as a sentence for a hint."""
    labels: Iterable[str] = () if mapping is None else (layout.label for layout in mapping.layouts)
    return f"{'There is' if mapping is None else f'{mapping.name} has'} {', '.join([*labels, raw_layout().label])}."


def _nearest(wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1)
    return f"Did you mean {near[0]}?" if near else ""
