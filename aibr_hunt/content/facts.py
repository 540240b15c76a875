"""Files of facts beside the catalogues: JSON in `mappings/`, each with a version and where it was read, held to a schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, TypeAlias

from aibr_hunt.errors import ContentError

FactsName: TypeAlias = Literal["coverage_target", "case_studies"]
_HINT: Final = "Restore the file from the distribution of aibr_hunt, or mend it."


def read_facts(folders: Sequence[Path], name: FactsName) -> tuple[Path, dict[str, object]]:
    """Return where the facts lie and what they are; of several folders that hold them, the last one's stand.

    Args:
        folders: Folders of mappings, the shipped one first.
        name: The file's stem, and its schema's.

    Raises:
        ContentError: No folder holds them, or the file is no JSON, or it breaks the schema.
    """
    found = [path for folder in folders if (path := folder / f"{name}.json").is_file()]
    if not found:
        raise ContentError(f"There is no {name}.json in any folder of mappings.", hint=_HINT)
    path = found[-1]
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ContentError(f"The facts cannot be read: {fault.strerror}.", path=path, hint=_HINT) from fault
    except ValueError as fault:
        raise ContentError(f"The facts are no JSON: {fault}.", path=path, hint=_HINT) from fault
    _check(document, name, path)
    return path, document


def facts_schema(name: FactsName) -> dict[str, object]:
    """Return the JSON Schema that the file is held to."""
    text = files("aibr_hunt.content").joinpath("schema", f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, object] = json.loads(text)
    return schema


def _check(document: object, name: FactsName, path: Path) -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 0.1 s that commands without these facts do not pay

    fault = next(Draft202012Validator(facts_schema(name)).iter_errors(document), None)
    if fault is not None:
        raise ContentError(f"The facts break their schema at {fault.json_path}: {fault.message[:200]}.", path=path, hint=_HINT)
