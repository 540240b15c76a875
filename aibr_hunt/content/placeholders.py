"""Lists for `%placeholders%`: `mappings/values/<name>.yml`, each with its provenance."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Final

from aibr_hunt.content.values import Refused
from aibr_hunt.content.yaml import load_yaml
from aibr_hunt.errors import ContentError, ContentErrors

# One value with several placeholders is a product of lists.
MAX_PRODUCT: Final = 100_000
_PLACEHOLDER: Final = re.compile(r"(\\*)%([^%\\*?]+)%")
_SPECIAL: Final = re.compile(r"[\\*?]")


def expanded(text: str, placeholders: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield a Sigma text once for each choice of values for its placeholders; the values hold no wildcards.

    Raises:
        Refused: A placeholder has no values, or there are too many choices.
    """
    names = [found[2] for found in _PLACEHOLDER.finditer(text)]
    for name in names:
        if not placeholders.get(name):
            known = ", ".join(f"%{each}%" for each in sorted(placeholders)) or "none"
            raise Refused(f"the placeholder %{name}% has no values.", f"Add mappings/values/{name}.yml. Known: {known}.")
    choices = math.prod(len(placeholders[name]) for name in names)
    if choices > MAX_PRODUCT:
        raise Refused(f"it stands for {choices:,} texts, at most {MAX_PRODUCT:,} are taken.", "Split the lists.")
    for chosen in product(*(placeholders[name] for name in names)):
        yield _with_values(text, chosen)


def _with_values(text: str, values: tuple[str, ...]) -> str:
    left = iter(values)

    def put(found: re.Match[str]) -> str:
        # An odd backslash before the placeholder is a plain one: it must not escape what comes in its place.
        return found[1] + "\\" * (len(found[1]) % 2) + _SPECIAL.sub(r"\\\g<0>", next(left))

    return _PLACEHOLDER.sub(put, text)


def load_placeholders(folders: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """Return the values of each placeholder; a file of a later folder replaces one of the same name.

    A file is a list of texts, or a map with `values` (the list), `provenance` and `verified`.

    Raises:
        ContentErrors: A file cannot be read, or is no such list.
    """
    found: dict[str, tuple[str, ...]] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
            found[path.stem] = _values(path)
    return found


def _values(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentErrors((ContentError(f"cannot be read: {error}.", path=path),)) from None
    document = load_yaml(text, path.as_posix())
    body = document.value
    values = body.get("values") if isinstance(body, dict) else body
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise ContentErrors(
            (ContentError("holds no list of texts.", path=path, line=1, hint="Write `values:` and one quoted text a line."),)
        )
    return tuple(str(value) for value in values)
