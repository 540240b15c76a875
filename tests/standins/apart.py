"""What must not be loaded into a process that forks, in a process of its own: a child that is forked beside a JVM or .NET may die of it."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Lock
from typing import Final, cast

_END_S: Final = 20.0


class Apart:
    """A function in a process of its own, which starts when the function is first called and ends with this process.

    Args:
        module: Where it lies; run as a program, the module calls `serve` with the function.
    """

    def __init__(self, module: str) -> None:
        """Start nothing yet."""
        self._module = module
        self._lock = Lock()
        self._started: tuple[int, subprocess.Popen[str]] | None = None

    def __call__(self, *arguments: object) -> object:
        """Return what the function returns.

        Args:
            arguments: What JSON can hold.

        Raises:
            RuntimeError: The function raised, or its process is gone; what it said stands on standard error.
        """
        with self._lock:
            process = self._process()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(arguments) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} gave no answer: its process ended with {process.wait(_END_S)}")
        return cast("object", json.loads(line))

    def _process(self) -> subprocess.Popen[str]:
        # A process that was forked from the one that started it starts its own.
        if self._started is None or self._started[0] != os.getpid():
            command = [sys.executable, "-m", self._module]
            started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
            self._started = os.getpid(), started
            atexit.register(self.close)
        return self._started[1]

    def close(self) -> None:
        """End the process."""
        if self._started is None or self._started[0] != os.getpid():
            return
        process, self._started = self._started[1], None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def serve(answer: Callable[..., object]) -> None:
    """Answer each line of standard input, the function's arguments, with a line of what it returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its pipe
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what a runtime prints by itself is no answer
        for line in sys.stdin:
            answers.write(json.dumps(answer(*json.loads(line))) + "\n")
            answers.flush()
    os._exit(0)  # a runtime may take seconds to give back what the end of the process gives back anyway
