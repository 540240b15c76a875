"""Noise rules: a rule that meets a large share of all events is counted, and its events stay findable."""

from __future__ import annotations

import hashlib
import zlib

from aibr_hunt.errors import LedgerError
from aibr_hunt.ledger.canonical import storable
from aibr_hunt.model.lead import NoiseRow


class NoiseKeys:
    """Collects the identity keys of one noise rule's events; memory grows with their compressed size only."""

    __slots__ = ("_digest", "_packed", "_packer", "events")

    def __init__(self) -> None:
        """Start without events."""
        self.events = 0
        self._digest = hashlib.sha256()
        self._packer = zlib.compressobj(6)
        self._packed = bytearray()

    def add(self, event_key: str) -> None:
        """Count one event."""
        line = storable(event_key).replace("\n", "\\n").encode() + b"\n"
        self.events += 1
        self._digest.update(line)
        self._packed += self._packer.compress(line)

    def row(self, rule_id: str, *, source: str, considered: int) -> NoiseRow:
        """Return what was collected, as a run records it; nothing can be added afterwards.

        Args:
            rule_id: Id of the noise rule.
            source: Name of the Source.
            considered: Events of the Source in the run.
        """
        self._packed += self._packer.flush()
        keys, digest = bytes(self._packed), self._digest.hexdigest()
        return NoiseRow(rule_id=rule_id, source=source, events=self.events, considered=considered, keys=keys, keys_digest=digest)


def keys_of(row: NoiseRow) -> tuple[str, ...]:
    """Return the identity keys of a noise rule's events.

    Raises:
        LedgerError: They are not what the row's digest names.
    """
    try:
        lines = zlib.decompress(row.keys)
    except zlib.error as error:
        raise LedgerError(f"The event keys of noise rule {row.rule_id} cannot be unpacked: {error}.") from error
    if hashlib.sha256(lines).hexdigest() != row.keys_digest:
        raise LedgerError(f"The event keys of noise rule {row.rule_id} have another digest than the row says.")
    return tuple(lines.decode().split("\n")[:-1])
