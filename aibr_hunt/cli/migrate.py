"""`aibr-hunt rules migrate`: retired ids in tags give way to their successors, and nothing else of a file changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aibr_hunt.cli.output import Exit, complain, counted, say, say_json
from aibr_hunt.cli.parts import json_option, library_of
from aibr_hunt.cli.settings import Settings
from aibr_hunt.errors import AibrError, UsageError

if TYPE_CHECKING:
    from aibr_hunt.content.catalogue import Catalogue
    from aibr_hunt.content.migrate import Migrated, OpenTag


@click.command("migrate", epilog="Example: aibr-hunt rules migrate ./rules ./hunts --write")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--write", is_flag=True, help="Change the files (default: show what would change).")
@json_option
@click.pass_obj
def migrate_tags(settings: Settings, paths: tuple[Path, ...], *, write: bool, as_json: bool) -> int:
    """Bring retired ATT&CK and ATLAS ids in the tags of rules, correlations and hunts up to date.

    Shows a diff; --write changes the files, and in them the tags only: comments and layout stay. A tag with several successors, or none, is
    listed and never guessed. The tactic defense-evasion gives way to what the techniques of the same file leave no choice about. The exit
    code is 1 while something is left to do.
    """
    from aibr_hunt.content.library import rule_files

    catalogue = library_of(settings).catalogue
    files = list(dict.fromkeys(file for path in paths for file in rule_files(path)))
    if not files:
        raise UsageError(f"There is no rule or hunt in {', '.join(map(str, paths))}.", hint="Name .yml files or folders of them.")
    changed = tags = undecided = 0
    is_refused = False
    for file in files:
        try:
            found = _migrate_file(file, catalogue, write=write)
        except (AibrError, OSError, UnicodeDecodeError) as error:
            complain(str(error) if isinstance(error, AibrError) else f"{file}: cannot be read or written: {error}.")
            is_refused = True
            continue
        changed += bool(found.changes)
        tags += len(found.changes)
        undecided += len(found.open_tags)
        _tell(file, found, as_json=as_json, is_written=write)
    if not as_json:
        done = "changed" if write else "to change"
        say(f"{counted(len(files), 'file')}: {counted(tags, 'tag')} {done} in {changed:,}; {counted(undecided, 'tag')} to decide by hand")
    if is_refused:
        return int(Exit.USER_MISTAKE)
    return int(Exit.FINDINGS if undecided or (tags and not write) else Exit.NOTHING_FOUND)


def _migrate_file(file: Path, catalogue: Catalogue, *, write: bool) -> Migrated:
    """Return what became of one file; with `write` it is on disk, line ends as they were.

    Raises:
        ContentErrors: It is no YAML.
    """
    from aibr_hunt.content.migrate import migrate_text

    found = migrate_text(file.read_bytes().decode("utf-8"), str(file), catalogue)
    if write and found.changes:
        file.write_bytes(found.after.encode())
    return found


def _tell(file: Path, found: Migrated, *, as_json: bool, is_written: bool) -> None:
    if as_json:
        if found.changes or found.open_tags:
            changes = [{"line": each.line, "old": each.old, "new": list(each.new)} for each in found.changes]
            say_json({"path": str(file), "written": is_written, "changes": changes, "open": list(map(_open_row, found.open_tags))})
        return
    for line in _diff(file, found):
        say(line)
    for each in found.open_tags:
        choice = f": {' or '.join(each.candidates)}" if each.candidates else ""
        say(f"{file}:{each.line}: {each.tag} stays: {each.why}{choice}")


def _open_row(each: OpenTag) -> dict[str, object]:
    return {"line": each.line, "tag": each.tag, "why": each.why, "candidates": list(each.candidates)}


def _diff(file: Path, found: Migrated) -> Iterable[str]:
    lines = found.before.splitlines(), found.after.splitlines()
    return difflib.unified_diff(*lines, fromfile=str(file), tofile=str(file), lineterm="", n=1)
