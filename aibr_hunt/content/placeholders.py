"""Lists for `%placeholders%`: `mappings/values/<name>.yml`, each with its provenance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aibr_hunt.content.yaml import load_yaml
from aibr_hunt.errors import ContentError, ContentErrors


def load_placeholders(folders: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Return the values of each placeholder; a file of a later folder replaces one of the same name.

    A file is a list of texts, or a map with `values` (the list), `provenance` and `verified`.

    Raises:
        ContentErrors: A file is no such list.
    """
    found: dict[str, tuple[str, ...]] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
            found[path.stem] = _values(path)
    return found


def _values(path: Path) -> tuple[str, ...]:
    document = load_yaml(path.read_text(encoding="utf-8"), path.as_posix())
    body = document.value
    values = body.get("values") if isinstance(body, dict) else body
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise ContentErrors(
            (ContentError("holds no list of texts.", path=path, line=1, hint="Write `values:` and one quoted text a line."),)
        )
    return tuple(str(value) for value in values)
