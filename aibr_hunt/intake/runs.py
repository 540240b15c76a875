"""How far records follow one another on one level without anything strange between or inside them."""

from __future__ import annotations

import numpy as np

from aibr_hunt.intake.structure import Level, Positions, Structure
from aibr_hunt.intake.walk import envelope_hints

_CLEAN = b" \t\r\n,\x1e"
_SEPARATORS = np.zeros(256, np.bool_)
_SEPARATORS[list(_CLEAN)] = True
_NONE: Positions = np.empty(0, np.int64)
_GAPS_KNOWN = 64


class Runs:
    """The levels of one structure with their flaws.

    Args:
        buffer: The text.
        structure: Its braces.
    """

    def __init__(self, buffer: bytes, structure: Structure) -> None:
        """Look at nothing yet: each level is judged when it is asked for."""
        self._buffer = buffer
        self._structure = structure
        self._gaps: dict[int, Positions] = {}
        self._faults: dict[int, Positions] = {}
        self._hints: Positions | None = None

    def end(self, depth: int, first: int) -> int:
        """Return the record before which a run that begins with record `first` ends: at a flaw, or where the level does."""
        stop = len(self._structure.level(depth).ends)
        for stops, offset in ((self.gaps(depth), 1), (self.faults(depth), 0)):
            index = int(stops.searchsorted(first))
            if index < len(stops):
                stop = min(stop, int(stops[index]) + offset)
        return stop

    def hinted(self, depth: int, first: int, stop: int) -> list[int]:
        """Return the records from `first` to before `stop` that may be envelopes."""
        if self._hints is None:
            self._hints = envelope_hints(self._buffer, self._structure)
        if not len(self._hints):
            return []
        owners = np.unique(self._structure.level(depth).starts.searchsorted(self._hints, side="right") - 1)
        return [int(owner) for owner in owners[(owners >= first) & (owners < stop)]]

    def gaps(self, depth: int) -> Positions:
        """Return the records after which something else than separators stands before the next one."""
        found = self._gaps.get(depth)
        if found is None:
            level = self._structure.level(depth)
            count = max(0, len(level.starts) - 1)
            found = self._gaps[depth] = self._find_gaps(level.ends[:count], level.starts[1:])
        return found

    def _find_gaps(self, starts: Positions, ends: Positions) -> Positions:
        sizes = ends - starts
        signs = np.frombuffer(self._buffer, np.uint8)[starts]
        is_clean = ((sizes == 1) & _SEPARATORS[signs]) | (sizes == 0)
        if is_clean.all():
            return _NONE
        unclear = (~is_clean).nonzero()[0]
        good: set[bytes] = set()
        bad = []
        for index, start, end in zip(unclear.tolist(), starts[unclear].tolist(), ends[unclear].tolist(), strict=True):
            gap = self._buffer[start:end]
            if gap in good:
                continue
            if gap.strip(_CLEAN):
                bad.append(index)
            elif len(good) < _GAPS_KNOWN:
                good.add(gap)
        return np.array(bad, np.int64)

    def faults(self, depth: int) -> Positions:
        """Return the records that are proven broken by what stands inside them."""
        found = self._faults.get(depth)
        if found is None:
            found = self._faults[depth] = self._find_faults(self._structure.level(depth))
        return found

    def _find_faults(self, level: Level) -> Positions:
        broken = [_inside(level, self._structure.string_newlines)[0]] if len(self._structure.string_newlines) else []
        opens = self._structure.line_opens
        if len(opens) and not (len(opens) == len(level.starts) and np.array_equal(opens, level.starts)):
            owners, places = _inside(level, opens)
            is_strange = [self._cannot_hold_value(place) for place in places.tolist()]
            broken.append(owners[np.array(is_strange, np.bool_)])
        return np.unique(np.concatenate(broken)) if broken else _NONE

    def _cannot_hold_value(self, at: int) -> bool:
        """True when no object may stand at `at`: inside a value one follows only a comma, a colon or a bracket."""
        before = self._buffer[max(0, at - 64) : at].rstrip() or self._buffer[:at].rstrip()
        return before[-1:] not in {b",", b":", b"["}


def _inside(level: Level, places: Positions) -> tuple[Positions, Positions]:
    """Return, for the places that lie inside a record and not at its begin, the record and the place."""
    if not len(level.starts):
        return _NONE, _NONE
    owners = level.starts.searchsorted(places, side="right") - 1
    ends = np.append(level.ends, np.full(len(level.starts) + 1 - len(level.ends), np.iinfo(np.int64).max))
    is_inside = (owners >= 0) & (level.starts[np.maximum(owners, 0)] < places) & (places < ends[owners])
    return owners[is_inside], places[is_inside]
