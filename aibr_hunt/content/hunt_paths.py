"""Which files a name of a hunt or sweep on the command line means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aibr_hunt.content.library import Library
from aibr_hunt.content.schemas import SUFFIXES, content_files
from aibr_hunt.content.shipped import PREFIX
from aibr_hunt.errors import UsageError


def hunt_path(library: Library, name: str, *, kind: str) -> Path:
    """Return the file of a hunt or sweep: a path that exists, a `shipped:…` name, or a name as the list shows it.

    Args:
        library: The content in force.
        name: As the user wrote it.
        kind: `hunt` or `sweep`.

    Raises:
        UsageError: There is no such thing.
    """
    inner = ("sweeps",) if kind == "sweep" else ()
    if Path(name).is_file():
        return Path(name)
    is_shipped = name.startswith(PREFIX)
    stem = name.removeprefix(PREFIX).removeprefix("sweeps/").removesuffix(".yml").removesuffix(".yaml")
    folders = [library.roots[0].joinpath("hunts", *inner)] if is_shipped else reversed(library.folders("hunts", *inner))
    files = (folder / f"{stem}{suffix}" for folder in folders for suffix in SUFFIXES if "/" not in stem)
    found = next((path for path in files if path.is_file()), None)
    if found is None:
        raise UsageError(f"There is no {kind} {name}.", hint=f"`aibr-hunt {kind} list` shows what there is; a path to a file will do too.")
    return found


def hunt_paths(library: Library, names: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of hunts, each once.

    Args:
        library: The content in force.
        names: As `hunt_path` takes them, folders of hunts, or `shipped:` for all built-in ones; none means every hunt there is.

    Raises:
        UsageError: A name means nothing.
        ContentErrors: A folder cannot be listed.
    """
    if not names:
        return content_files(library.folders("hunts"))
    found: list[Path] = []
    for name in names:
        if name == PREFIX:
            found += content_files([library.roots[0] / "hunts"])
        elif Path(name).is_dir():
            found += content_files([Path(name)])
        else:
            found.append(hunt_path(library, name, kind="hunt"))
    return tuple(dict.fromkeys(found))
