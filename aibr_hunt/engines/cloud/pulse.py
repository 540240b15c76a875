"""Whether a Source is alive: how many events of any kind it holds by hour and key. What shows no pulse is never settled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from aibr_hunt.compile.pulse import EARLIEST, EVENTS, LATEST, key_columns, pulse_query
from aibr_hunt.engines.cloud.asking import LOST, Asking, Surroundings, question_of, state_of
from aibr_hunt.engines.cloud.protocol import CloudEngine, Row
from aibr_hunt.model.job import Job, JobState
from aibr_hunt.model.layout import Layout, TimeForm
from aibr_hunt.model.lead import Pulse
from aibr_hunt.model.source import Source
from aibr_hunt.model.times import parse_time
from aibr_hunt.model.window import Window

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def pulse_of(source: Source, engine: CloudEngine, window: Window, *, around: Surroundings) -> tuple[tuple[Pulse, ...], Job]:
    """Return the pulse of a Source over a window, and the job that told it.

    A job that fails leaves no pulse, and says why; nothing is settled then.
    """
    question = question_of(source, pulse_query(source.layout, window), window, run=around.run)
    asking = Asking(engine, question, around)
    try:
        pulses = pulses_in(asking.rows(), source)
    except LOST as error:
        return (), asking.job(state_of(error), error)
    return pulses, asking.job(JobState.DONE)


def pulses_in(rows: Iterable[Row], source: Source) -> tuple[Pulse, ...]:
    """Return the pulses that the rows of a pulse query tell."""
    names = key_columns(source.layout)
    found = []
    for row in rows:
        earliest, latest = (_moment(row.get(name), source.layout) for name in (EARLIEST, LATEST))
        hour = None if earliest is None else earliest.replace(minute=0, second=0, microsecond=0)
        key = "|".join(str(row.get(name) or "") for name in names)
        events = int(str(row.get(EVENTS) or 0))
        found.append(Pulse(source=source.label, key=key, hour=hour, events=events, earliest=earliest, latest=latest))
    return tuple(found)


def _moment(cell: object, layout: Layout) -> datetime | None:
    """Return a time as the layout's table writes it; None for what is none."""
    if isinstance(cell, datetime):
        return cell.astimezone(UTC) if cell.tzinfo else cell.replace(tzinfo=UTC)
    text = "" if cell is None else str(cell)
    try:
        match layout.time_form:
            case TimeForm.EPOCH_SECONDS:
                return _EPOCH + timedelta(seconds=float(text))
            case TimeForm.EPOCH_MILLISECONDS:
                return _EPOCH + timedelta(milliseconds=float(text))
            case TimeForm.BRACKETED:
                return datetime.strptime(text.strip("[]"), "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
            case _:
                return parse_time(text)
    except (ValueError, OverflowError):
        return None
