"""A hunt's incidents: `<name>.incidents.yaml` beside the hunt. What happened, its events, and what the hunt observes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from aibr_hunt.content.schemas import INCIDENTS_SUFFIXES, CheckedFile, YamlMap, nearest, read_checked
from aibr_hunt.content.timed_events import EVENT_KEYS, EventsReader, TimedEvent
from aibr_hunt.content.yaml import YamlValue
from aibr_hunt.errors import ContentError, ContentErrors
from aibr_hunt.model.hunt import Hunt

_EVENT_KEYS: Final = (EVENT_KEYS | {"source"}) - {"late"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened, and what a hunt makes of it.

    Attributes:
        name: Unique in its file.
        of: Key of the rival that truly happened.
        what: What happened, in a sentence.
        events: The events that it left, each with its log source.
        observes: Ids of exactly those observations that the events yield, in the order of the file.
        off: Ids of log switches that are off; what requires one of them is not asked.
        undecided: Why nothing speaks for what happened; empty where something must.
        line: Line in the file, from 1.
    """

    name: str
    of: str
    what: str
    events: tuple[TimedEvent, ...]
    observes: tuple[str, ...]
    off: frozenset[str] = frozenset()
    undecided: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """All incidents of one hunt."""

    hunt: str
    path: Path
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What incidents may name.

    Attributes:
        sources: Names of log sources' mappings.
        switches: Ids of log switches.
    """

    sources: Collection[str]
    switches: Collection[str]


def incidents_path(hunt_file: Path) -> Path:
    """Return where a hunt's incidents lie: `<name>.incidents.yaml` beside it, or `.incidents.yml` where that is there."""
    usual, short = (hunt_file.with_name(f"{hunt_file.stem}{suffix}") for suffix in INCIDENTS_SUFFIXES)
    return short if short.is_file() and not usual.exists() else usual


def load_incidents(path: Path, hunt: Hunt, known: Known) -> Incidents:
    """Return the incidents of a file.

    Args:
        path: The file.
        hunt: The hunt, whose rivals and observations the incidents name.
        known: What else they may name.

    Raises:
        ContentErrors: The file breaks the schema, or names what does not exist; all faults together.
    """
    checked = read_checked(path, "incidents")
    reader = EventsReader(checked.document, str(path), keys=_EVENT_KEYS)
    rows = cast("dict[str, YamlMap]", checked.root["incidents"])
    found = tuple(_incident(name, row, checked, reader=reader) for name, row in rows.items())
    faults = sorted([*_faults(checked, rows, hunt, known=known), *reader.faults], key=lambda fault: fault.line or 0)
    if faults:
        raise ContentErrors(tuple(faults))
    return Incidents(hunt=hunt.name, path=path, incidents=found)


def _incident(name: str, row: YamlMap, checked: CheckedFile, *, reader: EventsReader) -> Incident:
    at = ("incidents", name)
    return Incident(
        name=name,
        of=str(row["of"]),
        what=str(row["what"]),
        events=tuple(reader.events(cast("list[YamlValue]", row["events"]), f"incident {name}", (*at, "events"))),
        observes=_texts(row["observes"]),
        off=frozenset(_texts(row.get("off"))),
        undecided=str(row.get("undecided") or ""),
        line=checked.document.line(*at),
    )


def _faults(checked: CheckedFile, rows: dict[str, YamlMap], hunt: Hunt, *, known: Known) -> Iterator[ContentError]:
    """Yield what no schema can see: names that mean nothing."""
    if checked.root["hunt"] != hunt.name:
        what = f"The incidents are those of {checked.root['hunt']}, and lie beside the hunt {hunt.name}."
        yield checked.fault(what, "hunt", hint=f"Write `hunt: {hunt.name}`.")
    observations = [each.id for each in hunt.expect]
    for name, row in rows.items():
        at = ("incidents", name)
        if row["of"] not in hunt.rivals:
            what = f"The incident {name} is one of {row['of']}, which is no rival of the hunt."
            yield checked.fault(what, *at, "of", hint=_near(str(row["of"]), hunt.rivals, "The rivals are"))
        for index, each in enumerate(_texts(row["observes"])):
            if each not in observations:
                what = f"The incident {name} observes {each}, which is no observation of the hunt."
                yield checked.fault(what, *at, "observes", index, hint=_near(each, observations, "The observations are"))
        for index, each in enumerate(_texts(row.get("off"))):
            if each not in known.switches:
                yield checked.fault(
                    f"{each} is no log switch of any mapping.", *at, "off", index, hint=nearest(each, known.switches) or _SWITCHES
                )
        for index, event in enumerate(cast("list[YamlMap]", row["events"])):
            if event["source"] not in known.sources:
                hint = (
                    nearest(str(event["source"]), known.sources) or "Write the name of a file in mappings/logsources/, without its suffix."
                )
                yield checked.fault(f"There is no log source {event['source']}.", *at, "events", index, "source", hint=hint)


_SWITCHES: Final = "`switches` of the mappings in mappings/logsources/ name them."


def _near(name: str, known: Collection[str], otherwise: str) -> str:
    return nearest(name, known) or f"{otherwise} {', '.join(known)}."


def _texts(value: YamlValue) -> tuple[str, ...]:
    return tuple(cast("list[str]", value or []))
