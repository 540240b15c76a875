"""Which files lie below the paths that the user named: each once, in a fixed order, and what was left out is said.

What is named is read, whatever it is called. Below a folder only files with the extensions of logs are read; hidden
files and folders (a leading dot), and the folders in which CloudTrail keeps its digests, are left out and counted.
Symbolic links are followed; a folder or file that was reached before is not read a second time.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOG_SUFFIXES = (".json", ".jsonl", ".ndjson", ".log", ".csv", ".gz", ".zst", ".zstd", ".tsv")
_DIGEST_FOLDERS = frozenset({"CloudTrail-Digest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file to be read.

    Attributes:
        shown: The path as the user named it, or as it was found below a folder that the user named.
        real: The path to open.
        size: Bytes, as the file system said.
        mtime_ns: Time of the last change, in nanoseconds of the Unix epoch.
        inode: Device and inode: one file under two names has one.
    """

    shown: str
    real: Path
    size: int
    mtime_ns: int
    inode: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A path that was not read, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What lies below the paths.

    Attributes:
        files: The files, in the order of the paths and sorted by name below each folder.
        problems: Paths that are missing, unreadable or no regular files.
        left_out: Kinds of files that were passed over below folders (`hidden`, `CloudTrail digests`, a suffix), with counts.
        notes: Files and folders that were reached twice, as pairs of path and the path that is read.
    """

    files: tuple[Found, ...]
    problems: tuple[Problem, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Walk:
    files: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    seen: dict[tuple[int, int], str] = field(default_factory=dict)


def discover(paths: Sequence[str | Path], *, follow_links: bool = True) -> Discovery:
    """Return the files below `paths`, each real file once.

    Args:
        paths: Files and folders.
        follow_links: False leaves symbolic links below folders out; named paths are always followed.
    """
    walk = _Walk()
    for path in paths:
        shown = os.fspath(path)
        try:
            status = os.stat(shown)  # noqa: PTH116 - one call a file, without an object for it
        except (OSError, ValueError) as error:
            walk.problems.append(Problem(path=shown, reason=_reason(error)))
            continue
        if stat.S_ISDIR(status.st_mode):
            _walk_folder(walk, shown, status, follow_links=follow_links)
        else:
            _add_file(walk, shown, status)
    return Discovery(
        files=tuple(walk.files),
        problems=tuple(walk.problems),
        left_out=tuple(sorted(walk.left_out.items())),
        notes=tuple(walk.notes),
    )


def kind_passed_over(path: str) -> str:
    """Return the kind under which a file is passed over by its path below a folder that was named, empty when it is read.

    Args:
        path: Names with `/` between them, where no file system can be asked.
    """
    *folders, name = path.split("/")
    if any(each.startswith(".") for each in (*folders, name)):
        return "hidden"
    if not _DIGEST_FOLDERS.isdisjoint(folders):
        return "CloudTrail digests"
    if name.lower().endswith(LOG_SUFFIXES):
        return ""
    return os.path.splitext(name)[1].lower() or "no suffix"  # noqa: PTH122 - as for files


def _walk_folder(walk: _Walk, folder: str, status: os.stat_result, *, follow_links: bool) -> None:
    """Add what lies below `folder`, depth first; without recursion, as folders may nest deeper than Python's stack."""
    stack = [(folder, status)]
    while stack:
        path, status = stack.pop()
        if not _is_new(walk, path, status):
            continue
        try:
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            walk.problems.append(Problem(path=path, reason=_reason(error)))
            continue
        # The stack gives back what was put last, so folders go in backwards; files of a folder come before its folders.
        stack.extend(reversed(list(_take_entries(walk, listed, follow_links=follow_links))))


def _take_entries(walk: _Walk, entries: Sequence[os.DirEntry[str]], *, follow_links: bool) -> Iterator[tuple[str, os.stat_result]]:
    for entry in entries:
        kind = _left_out_as(entry, follow_links=follow_links)
        if kind:
            walk.left_out[kind] += 1
            continue
        try:
            status = os.stat(entry.path)  # noqa: PTH116 - DirEntry.stat knows no inode on Windows
        except OSError as error:
            walk.problems.append(Problem(path=entry.path, reason=_reason(error)))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield entry.path, status
        else:
            _add_file(walk, entry.path, status)


def _left_out_as(entry: os.DirEntry[str], *, follow_links: bool) -> str:
    """Return the kind under which an entry is passed over, empty when it is taken."""
    name = entry.name
    if name.startswith("."):
        return "hidden"
    if not follow_links and entry.is_symlink():
        return "symbolic link"
    if name in _DIGEST_FOLDERS:
        return "CloudTrail digests"
    if name.lower().endswith(LOG_SUFFIXES):
        return ""
    try:
        is_folder = entry.is_dir()
    except OSError:
        return ""
    if is_folder or not _is_plain(entry):
        return ""
    return os.path.splitext(name)[1].lower() or "no suffix"  # noqa: PTH122 - an object a name would cost more than the listing


def _is_plain(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _add_file(walk: _Walk, shown: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        walk.problems.append(Problem(path=shown, reason="no regular file (a pipe, socket or device)"))
    elif _is_new(walk, shown, status):
        inode = (status.st_dev, status.st_ino)
        walk.files.append(Found(shown=shown, real=Path(shown), size=status.st_size, mtime_ns=status.st_mtime_ns, inode=inode))


def _is_new(walk: _Walk, path: str, status: os.stat_result) -> bool:
    """True when the file or folder is met for the first time; a note is kept otherwise."""
    inode = (status.st_dev, status.st_ino)
    first = walk.seen.get(inode)
    if first is None:
        walk.seen[inode] = path
        return True
    walk.notes.append((path, first))
    return False


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
