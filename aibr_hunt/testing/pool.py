"""Rules and correlations are tested and checked by several processes, and told in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, TypeVar

from aibr_hunt.engines.pool import pool_of
from aibr_hunt.errors import EngineError

T = TypeVar("T")
# So few are done here: a process costs more than they do.
_FEW: Final = 20
_CHUNK: Final = 8
_kept: Any = None


def in_order(what: Callable[[Any, str], T], shared: object, keys: Sequence[str], *, processes: int) -> Iterator[T]:
    """Yield `what(shared, key)` for each key, in order.

    Args:
        what: A function of a module.
        shared: Known to every process: inherited where processes are forked, else pickled.
        keys: What it is called for.
        processes: How many work; 1 works in this one.

    Raises:
        EngineError: A process died.
    """
    if processes <= 1 or len(keys) <= _FEW:
        yield from (what(shared, key) for key in keys)
        return
    with pool_of(min(processes, len(keys)), _keep, (what, shared)) as pool:
        try:
            yield from pool.map(_work, keys, chunksize=_CHUNK)
        except BrokenProcessPool:
            raise EngineError("A process that tested rules died.", retryable=True, hint="Is memory short? Try AIBR_PROCESSES=1.") from None


def _keep(what: Callable[[Any, str], object], shared: object) -> None:
    global _kept  # noqa: PLW0603 - a process of the pool knows nothing else
    _kept = (what, shared)


def _work(key: str) -> Any:
    what, shared = _kept
    return what(shared, key)
