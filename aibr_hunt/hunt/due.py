"""What is due to be asked: what no committed run has answered, and what was answered too early to have seen late events. Pure.

docs/record.md section 3: truth is the set of windows that committed runs cover, never the set of times at which a schedule fired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from aibr_hunt.correlate.chosen import united
from aibr_hunt.hunt.covered import Span, rest_of, time_us_of, us_of
from aibr_hunt.model.lead import CoverageState, Look
from aibr_hunt.model.window import Window

# What is not settled and yet an answer: a log that is off stays off however often it is asked. It is asked once more after
# `recheck`, and in each new window.
ANSWERED: Final = frozenset(
    (
        CoverageState.SETTLED,
        CoverageState.NOT_COVERED,
        CoverageState.SOURCE_SILENT,
        CoverageState.NOT_KNOWN_ALIVE,
    )
)
_MICROSECOND: Final = timedelta(microseconds=1)


def due_spans(looks: Iterable[Look], reach: Window, *, now: datetime, recheck: timedelta) -> tuple[Span, ...]:
    """Return which spans within reach are to be asked, ascending.

    A moment is done when it was answered later than `recheck` after it, or was answered and no more than that has passed yet.

    Args:
        looks: What committed runs looked at for one meaning on one Source.
        reach: Bounded on both sides.
        now: The present, aware UTC.
        recheck: How long after an event another look is taken, for what arrived late.
    """
    late_us = recheck // _MICROSECOND
    done = (span for look in looks if look.row.state in ANSWERED for span in _done(look, time_us_of(now) - late_us, late_us))
    return rest_of(us_of(reach), united(done))


def _done(look: Look, newest_us: int, late_us: int) -> Iterator[Span]:
    start, end = us_of(look.row.window)
    yield start, min(end, time_us_of(look.began) - late_us)
    yield max(start, newest_us), end
