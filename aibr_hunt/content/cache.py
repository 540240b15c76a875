"""Parsed rules kept between runs, so that a run need not load the Sigma parser. Safe to delete at any time.

One JSON file holds what one set of placeholders and catalogues makes of rule texts. Anything unreadable counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import tempfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import orjson

from aibr_hunt import __version__
from aibr_hunt.content.drafts import Draft, draft_from_plain, draft_to_plain
from aibr_hunt.model.codec import rule_from_plain, rule_to_plain
from aibr_hunt.model.rule import Rule

# Texts kept in one file; beyond it the file starts anew, so that years of edited rules do not pile up.
MAX_TEXTS = 20_000
# Stands behind a text's digest: its correlations lie beside its rules.
_DRAFTS = "+correlations"
_CODE = (
    *("detection.py", "values.py", "sigma.py", "yaml.py"),
    *("correlations.py", "drafts.py", "expressions.py", "metadata.py", "parts.py", "placeholders.py", "thresholds.py"),
)


class RuleCache:
    """A folder of parsed rules.

    Args:
        folder: Made when first written; a folder that cannot be written makes a cache that keeps nothing.
    """

    def __init__(self, folder: Path) -> None:
        """Remember the folder."""
        self.folder = folder
        self._stamp = f"{__version__}|{importlib.metadata.version('pysigma')}|{_code_digest()}"
        self._bundles: dict[str, dict[str, object]] = {}
        self._changed: set[str] = set()

    @cached_property
    def passed(self) -> Passed:
        """Which files fit their schemas."""
        return Passed(self.folder)

    def rules(self, text: str, fingerprint: str) -> tuple[Rule, ...] | None:
        """Return the rules of a file's text, None when they are not kept."""
        kept = self._bundle(fingerprint).get(_digest(text))
        if not isinstance(kept, list):
            return None
        try:
            return tuple(rule_from_plain(each) for each in kept)
        except (ValueError, KeyError, TypeError):
            return None

    def drafts(self, text: str, fingerprint: str) -> tuple[Draft, ...] | None:
        """Return the correlations of a file's text whose rules are kept; None when what is kept cannot be read."""
        kept = self._bundle(fingerprint).get(_digest(text) + _DRAFTS, [])
        if not isinstance(kept, list):
            return None
        try:
            return tuple(draft_from_plain(each) for each in kept)
        except (ValueError, KeyError, TypeError, ArithmeticError):
            return None

    def keep_rules(self, text: str, fingerprint: str, rules: Sequence[Rule], drafts: Sequence[Draft] = ()) -> None:  # noqa: PLR0917 - what a file holds, in order
        """Keep the rules and correlations of a file's text; `flush` writes them."""
        bundle = self._bundle(fingerprint)
        if len(bundle) >= MAX_TEXTS:
            bundle.clear()
        bundle[_digest(text)] = [rule_to_plain(rule) for rule in rules]
        if drafts:
            bundle[_digest(text) + _DRAFTS] = [draft_to_plain(draft) for draft in drafts]
        self._changed.add(fingerprint)

    def flush(self) -> None:
        """Write what was kept since the last time, whole or not at all; a full or read-only disk is no error."""
        for fingerprint in sorted(self._changed):
            with contextlib.suppress(OSError):
                write_whole(self._path(fingerprint), orjson.dumps(self._bundle(fingerprint)))
        self._changed.clear()

    def _bundle(self, fingerprint: str) -> dict[str, object]:
        if fingerprint not in self._bundles:
            self._bundles[fingerprint] = _read(self._path(fingerprint))
        return self._bundles[fingerprint]

    def _path(self, fingerprint: str) -> Path:
        return self.folder / f"rules-{_digest(self._stamp + fingerprint)[:32]}.json"


class Passed:
    """Which contents of files fit which schema: checking all mappings anew costs each command half a second.

    Args:
        folder: Made when first written; a folder that cannot be written keeps nothing.
    """

    def __init__(self, folder: Path) -> None:
        """Read what was kept for these schemas."""
        schemas = Path(__file__).resolve().parent / "schema"
        stamp = f"{__version__}|{digest_of_files(sorted(schemas.glob('*.json')))}"
        self._path = folder / f"passed-{_digest(stamp)[:32]}.json"
        self._known: dict[str, object] = _read(self._path)
        self._has_changed = False

    def has(self, schema: str, digest: str) -> bool:
        """True when the content with this SHA-256 is known to fit."""
        return f"{schema} {digest}" in self._known

    def add(self, schema: str, digest: str) -> None:
        """Remember that it fits; `flush` writes it."""
        if len(self._known) >= MAX_TEXTS:
            self._known.clear()
        self._known[f"{schema} {digest}"] = True
        self._has_changed = True

    def flush(self) -> None:
        """Write what was added since the last time, whole or not at all; a full or read-only disk is no error."""
        if self._has_changed:
            with contextlib.suppress(OSError):
                write_whole(self._path, orjson.dumps(self._known))
        self._has_changed = False


def digest_of_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the contents of the files, in their order."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _code_digest() -> str:
    """Return a digest of the code on which the parsed form depends, so that a checkout never reads stale entries."""
    here = Path(__file__).resolve().parent
    return digest_of_files(
        [*(here / name for name in _CODE), *(here.parent / "model" / name for name in ("codec.py", "correlation_codec.py"))]
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, object]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def write_whole(path: Path, content: bytes) -> None:
    """Leave `content` at `path`, whole or not at all; folders on the way are made.

    Raises:
        OSError: The disk is full or may not be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:  # an interrupt too must not leave a part behind; it goes on as it came
        Path(name).unlink(missing_ok=True)
        raise
