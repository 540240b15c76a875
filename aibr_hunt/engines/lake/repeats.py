"""Which deliveries are repeats and which are conflicts, within one source and day (docs/record.md section 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


class Seen:
    """The deliveries of one source and day so far: identity and digest of each as 64 bits.

    Two deliveries are taken for one when both agree: 128 bits. Kept as a few sorted runs, each at least twice as long as the next.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._runs: list[tuple[Keys, Keys]] = []

    def __len__(self) -> int:
        """Return how many deliveries are kept."""
        return sum(len(ids) for ids, _ in self._runs)

    def add(self, ids: Sequence[int] | Keys, digests: Sequence[int] | Keys) -> tuple[Flags, Flags]:
        """Take deliveries in; return for each whether it repeats an earlier one, and whether it only shares its identity.

        Args:
            ids: Of their identities, in order.
            digests: Of their canonical forms.
        """
        new_ids, new_digests = np.asarray(ids, np.uint64), np.asarray(digests, np.uint64)
        old_ids, old_digests = self._alike(new_ids)
        both_ids, both_digests = np.concatenate((old_ids, new_ids)), np.concatenate((old_digests, new_digests))
        places = np.arange(len(both_ids))
        is_first_pair = _firsts(np.lexsort((places, both_digests, both_ids)), both_ids, both_digests)
        is_first_id = _firsts(np.lexsort((places, both_ids)), both_ids)
        is_repeat, is_conflict = ~is_first_pair, is_first_pair & ~is_first_id
        self._keep(new_ids, new_digests)
        return is_repeat[len(old_ids) :], is_conflict[len(old_ids) :]

    def _alike(self, ids: Keys) -> tuple[Keys, Keys]:
        """Return the kept deliveries whose identity is among `ids`."""
        wanted = np.unique(ids)
        parts = [(np.empty(0, np.uint64), np.empty(0, np.uint64))]
        for known, digests in self._runs:
            low, high = known.searchsorted(wanted, "left"), known.searchsorted(wanted, "right")
            hits = np.flatnonzero(high > low)
            if len(hits):
                places = np.concatenate([np.arange(low[hit], high[hit]) for hit in hits])
                parts.append((known[places], digests[places]))
        return np.concatenate([each for each, _ in parts]), np.concatenate([each for _, each in parts])

    def _keep(self, ids: Keys, digests: Keys) -> None:
        order = np.argsort(ids, kind="stable")
        run = (ids[order], digests[order])
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            last = self._runs.pop()
            joined, rest = np.concatenate((last[0], run[0])), np.concatenate((last[1], run[1]))
            order = np.argsort(joined, kind="stable")
            run = (joined[order], rest[order])
        self._runs.append(run)


def _firsts(order: npt.NDArray[np.int64], *keys: Keys) -> Flags:
    """Return for each place whether it comes first, in the given order, among those with equal keys."""
    is_first = np.ones(len(order), np.bool_)
    if len(order) > 1:
        is_same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
        is_first[order[1:]] = ~is_same
    return is_first
