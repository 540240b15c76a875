"""`aibr-hunt init`: a repository of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from aibr_hunt.cli.output import Exit, say
from aibr_hunt.cli.skeletons import CI, CONFIG, README
from aibr_hunt.errors import UsageError

_FOLDERS = ("rules", "hunts/sweeps", "mappings/logsources", "mappings/values")
_FILES = {"README.md": README, "aibr-hunt.toml": CONFIG, ".github/workflows/rules.yml": CI}


@click.command("init", epilog="Example: aibr-hunt init our-hunts")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> int:
    """Lay out a repository of your own rules, hunts and mappings in FOLDER; what is there already stays."""
    taken = [name for name in _FILES if (folder / name).exists()]
    if taken:
        raise UsageError(f"{folder} holds {', '.join(taken)} already.", hint="Choose another folder, or move them away.")
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / ".gitkeep").touch()
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    say(f"Laid out {folder}. Next: cd {folder}, then aibr-hunt rules new rules/aws/s3/aws_s3_dataset_deleted.yml")
    return int(Exit.NOTHING_FOUND)
