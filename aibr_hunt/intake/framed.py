"""What framing one buffer gives: its records, and the ranges that are none."""

from __future__ import annotations

from dataclasses import dataclass

from aibr_hunt.intake.structure import Positions

NOT_JSON_TEXT = "not JSON"
NOT_AN_OBJECT = "record is not an object"
BROKEN = "broken record"
TRUNCATED = "truncated record"
TOO_LARGE = "record larger than the limit"


@dataclass(frozen=True, slots=True)
class Refused:
    """A range of the buffer that is no record; `is_continued` joins it to the one that ended where it begins."""

    start: int
    end: int
    reason: str
    is_continued: bool = False


@dataclass(frozen=True, slots=True)
class Framed:
    """What one buffer held.

    Attributes:
        starts, ends: The records.
        refused: What is none.
        consumed: Bytes that are done with; the next buffer begins there.
    """

    starts: Positions
    ends: Positions
    refused: tuple[Refused, ...]
    consumed: int


def without_large(framed: Framed, most_bytes: int) -> Framed:
    """Return what was framed with records of more than `most_bytes` among the refused, so that chunks do not decide about them."""
    is_large = framed.ends - framed.starts > most_bytes
    if not is_large.any():
        return framed
    spans = zip(framed.starts[is_large].tolist(), framed.ends[is_large].tolist(), strict=True)
    refused = sorted([*framed.refused, *(Refused(start, end, TOO_LARGE) for start, end in spans)], key=lambda one: one.start)
    return Framed(framed.starts[~is_large], framed.ends[~is_large], tuple(refused), framed.consumed)
