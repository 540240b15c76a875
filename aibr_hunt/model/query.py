"""Queries: a program for one engine over one window and a set of rules, with its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from aibr_hunt.model.layout import Layout
from aibr_hunt.model.window import Window


class Form(StrEnum):
    """How rules become a program."""

    WHOLE = "whole"
    """The rule itself: what an analyst pastes into a console."""
    SIEVE = "sieve"
    """A necessary condition of one or many rules: what comes back is matched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """A span that ends when the program runs: for programs that somebody deploys.

    Attributes:
        hours: Its length.
    """

    hours: int


Span = Window | Last


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A program for one engine.

    Attributes:
        layout: Where it reads.
        form: What it says of its rules.
        span: The window that it bounds.
        text: The program.
        rules: Ids of the rules that it asks for.
        assumptions: What it takes for granted, one sentence each.
    """

    layout: Layout
    form: Form
    span: Span
    text: str
    rules: tuple[str, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def size(self) -> int:
        """Length of the text in bytes of UTF-8."""
        return len(self.text.encode())
