"""Processes that share work: how they come to be, and that none of them outlives the process that asked."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final

# Fork where it is safe; macOS frameworks do not survive it, and Windows has none.
START_METHOD: Final = "fork" if sys.platform == "linux" else "spawn"


@contextmanager
def pool_of(
    processes: int, start: Callable[..., None], arguments: tuple[object, ...], *, start_method: str = START_METHOD
) -> Iterator[ProcessPoolExecutor]:
    """Give a pool; at the end what was not begun is given up, and its processes end.

    Args:
        processes: How many.
        start: A function of a module, called once in each of them.
        arguments: Its arguments: inherited where processes are forked, else pickled.
        start_method: How they come to be: a start method of `multiprocessing`.
    """
    context = multiprocessing.get_context(start_method)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(start, arguments))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(start: Callable[..., None], arguments: tuple[object, ...]) -> None:
    # A forked process holds both ends of the pipe that it waits on: when its parent is killed it would wait for ever.
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    start(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
