"""Printed conditions before they are laid out in lines: what is joined stays a tree until its width is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Parts between an opening and a closing text.

    Attributes:
        joiner: ` AND `, ` OR ` or `, `; with spaces as it stands in one line.
        parts: What is joined.
        opening: Text in front, such as `(` or `NOT COALESCE(`; closing: text behind.
    """

    joiner: str
    parts: tuple[Node, ...]
    opening: str = "("
    closing: str = ")"


Node: TypeAlias = str | Joined


def flat(node: Node) -> str:
    """Return a node in one line."""
    if isinstance(node, str):
        return node
    return node.opening + node.joiner.join(map(flat, node.parts)) + node.closing


def lines(node: Node, *, indent: int = 0, width: int = WIDTH) -> list[str]:
    """Return a node in lines: one when it fits, else each part on its own, joiners in front (commas behind)."""
    pad = "  " * indent
    text = flat(node)
    if isinstance(node, str) or len(text) + len(pad) <= width:
        return [pad + text]
    if node.joiner == ", ":
        return [pad + node.opening, *_filled(node.parts, indent + 1, width), pad + node.closing]
    found = [pad + node.opening] if node.opening else []
    inner = indent + bool(node.opening)
    word = node.joiner.strip()
    for number, part in enumerate(node.parts):
        block = lines(part, indent=inner, width=width)
        if number:
            lead = "  " * inner
            block[0] = f"{lead}{word} {block[0][len(lead) :]}"
        found += block
    return [*found, pad + node.closing] if node.closing else found


def _filled(parts: Sequence[Node], indent: int, width: int) -> list[str]:
    """Return a list of values, as many to a line as fit."""
    pad = "  " * indent
    found: list[str] = []
    row = pad
    for number, part in enumerate(parts):
        text = flat(part) + ("," if number < len(parts) - 1 else "")
        if row != pad and len(row) + 1 + len(text) > width:
            found.append(row)
            row = pad
        row += text if row == pad else f" {text}"
    return [*found, row]
