"""Literals that a regular expression cannot do without: a text that the expression finds must hold one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_PLAIN_ESCAPES: Final = frozenset("!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\" ")
_FLAGS: Final = re.compile(r"\(\?[A-Za-z-]+\)")
_SPECIAL: Final = frozenset("^$.")


@dataclass(slots=True)
class _Branch:
    """The runs of literal characters of one alternative, and the run being read."""

    runs: list[str] = field(default_factory=list)
    run: str = ""

    def cut(self) -> None:
        if self.run:
            self.runs.append(self.run)
        self.run = ""


def required_runs(pattern: str) -> tuple[tuple[str, ...], ...] | None:
    r"""Return, for each top-level alternative, the literal runs that must all occur in a text that matches it.

    Case is as written; the caller compares without it. Groups, classes and repeated characters end a run, so the
    answer is short of what could be proven and never more than it.

    Args:
        pattern: An expression that RE2 accepts.

    Returns:
        None when the expression may use quoting (`\Q`), which this reader does not follow.
    """
    if "\\Q" in pattern:
        return None
    branches = [_Branch()]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        branch = branches[-1]
        if character == "\\":
            at = _after_escape(pattern, at, branch)
        elif character == "[":
            branch.cut()
            at = _after_class(pattern, at)
        elif (flags := _FLAGS.match(pattern, at)) is not None:
            at = flags.end()  # stands for nothing: a repeat behind it counts for what stands before it
        elif character == "(":
            branch.cut()
            at = _after_group(pattern, at)
        elif character == "|":
            branch.cut()
            branches.append(_Branch())
            at += 1
        elif character in "*?{+":
            at = _after_repeat(pattern, at, branch)
        elif character in _SPECIAL:
            branch.cut()
            at += 1
        else:
            branch.run += character
            at += 1
    for branch in branches:
        branch.cut()
    return tuple(tuple(branch.runs) for branch in branches)


def _after_escape(pattern: str, at: int, branch: _Branch) -> int:
    """Read one escape: punctuation is itself, everything else (classes, anchors, code points) ends the run."""
    escaped = pattern[at + 1 : at + 2]
    if escaped in _PLAIN_ESCAPES:
        branch.run += escaped
        return at + 2
    branch.cut()
    if escaped in ("p", "P", "x") and pattern[at + 2 : at + 3] == "{":
        return pattern.find("}", at) + 1 or len(pattern)
    if escaped == "x":
        return at + 4
    if escaped in ("p", "P"):
        return at + 3
    at += 2
    while escaped.isdigit() and at < len(pattern) and pattern[at].isdigit():  # octal
        at += 1
    return at


def _after_class(pattern: str, at: int) -> int:
    """Return the place behind a character class that starts at `at`."""
    at += 1
    if pattern[at : at + 1] == "^":
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "\\":
            at += 2
        elif pattern.startswith("[:", at) and ":]" in pattern[at:]:
            at = pattern.index(":]", at) + 2
        else:
            at += 1
    return at + 1


def _after_group(pattern: str, at: int) -> int:
    """Return the place behind a group that starts at `at`, groups inside it skipped."""
    depth = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 2
            continue
        if character == "[":
            at = _after_class(pattern, at)
            continue
        depth += (character == "(") - (character == ")")
        at += 1
        if depth == 0:
            return at
    return at


def _after_repeat(pattern: str, at: int, branch: _Branch) -> int:
    """Read a quantifier: what it repeats may be absent, so its character leaves the run, except under `+`."""
    if pattern[at] == "{":
        closing = pattern.find("}", at)
        body = pattern[at + 1 : closing] if closing > 0 else ""
        if not body or not all(part.isdigit() or part == "" for part in body.split(",")) or body.startswith(","):
            branch.run += "{"  # RE2 takes a brace that opens no count as itself
            return at + 1
        at = closing
    if pattern[at] != "+":
        branch.run = branch.run[:-1]
    branch.cut()
    return at + 1
