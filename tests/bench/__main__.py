"""`python -m tests.bench --help`."""

import sys

from tests.bench.run_bench import main

if __name__ == "__main__":
    sys.exit(main())
