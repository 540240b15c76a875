"""Options and words of commands that may ask Sources in clouds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


def on_option(function: F) -> F:
    """Add `--on`."""
    return click.option("--on", "on", multiple=True, help="Ask this configured Source (repeatable; `all` for every one).")(function)


def cloud_options(function: F) -> F:
    """Add `--on`, `--dry-run` and `--resume`."""
    function = click.option("--resume", "resume", help="Take up the run of this id, which was cut off: its jobs are not started twice.")(
        function
    )
    function = click.option(
        "--dry-run", "dry_run", is_flag=True, help="With --on: print the programs and their estimates, and ask nothing."
    )(function)
    return on_option(function)


def over_text(logs: Sequence[Path], *, is_lake: bool, on: Sequence[str] = ()) -> str:
    """Return what a run reads, in words."""
    if on:
        return f"Sources {', '.join(on)}"
    return "the lake" if is_lake else " ".join(map(str, logs))
