"""The floor: zlib-ng decompresses the same files, in the same number of processes, and does nothing else.

Run as a program (`python -m tests.bench.floor FOLDER PROCESSES`) so that both sides pay for starting.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from zlib_ng import zlib_ng

WINDOW = 31


def decompress_share(folder: Path, number: int, of: int) -> int:
    """Decompress every `of`-th file from `number` on and return the bytes of content."""
    files = sorted(folder.rglob("*.gz"))
    return sum(len(zlib_ng.decompress(path.read_bytes(), WINDOW)) for path in files[number::of])


def main(arguments: list[str]) -> int:
    """Start one process a share, or do one share."""
    folder, processes = Path(arguments[0]), int(arguments[1])
    if len(arguments) > 2:
        sys.stdout.write(f"{decompress_share(folder, int(arguments[2]), processes)}\n")
        return 0
    workers = [
        subprocess.Popen([sys.executable, "-m", "tests.bench.floor", str(folder), str(processes), str(number)], stdout=subprocess.PIPE)
        for number in range(processes)
    ]
    told = [worker.communicate()[0] for worker in workers]
    sys.stdout.write(f"{sum(map(int, told))}\n")
    return max(worker.returncode for worker in workers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
