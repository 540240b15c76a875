"""The Merkle tree of one run's evidence records, hashed as RFC 6962 section 2.1 says."""

from __future__ import annotations

import hashlib


class MerkleTree:
    """A tree that grows leaf by leaf and keeps only the roots of its complete subtrees: memory grows with log n.

    Leaves and nodes are hashed with different first bytes, so that no leaf can pass for a node.
    """

    __slots__ = ("_subtrees", "leaves")

    def __init__(self) -> None:
        """Start empty."""
        self.leaves = 0
        self._subtrees: list[tuple[int, bytes]] = []

    def add(self, content: bytes) -> None:
        """Append one leaf."""
        self.leaves += 1
        height, node = 0, hashlib.sha256(b"\x00" + content).digest()
        while self._subtrees and self._subtrees[-1][0] == height:
            node = _join(self._subtrees.pop()[1], node)
            height += 1
        self._subtrees.append((height, node))

    def root(self) -> str:
        """Return the tree's hash, hex; that of no leaves is the SHA-256 of nothing."""
        if not self._subtrees:
            return hashlib.sha256(b"").hexdigest()
        node = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            node = _join(left, node)
        return node.hex()


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
