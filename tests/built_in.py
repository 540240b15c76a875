"""The built-in content as tests read it: parsed once a process, whoever asks. Its values are frozen, so that they can be shared."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.corpus import Corpus
from aibr_hunt.content.library import Library


@cache
def _parsed() -> tempfile.TemporaryDirectory[str]:
    """Return where parsed rules are kept, as long as the process lives."""
    return tempfile.TemporaryDirectory()


def library_with(*folders: Path) -> Library:
    """Return the built-in content with the folders on top."""
    return Library(folders, cache=RuleCache(Path(_parsed().name)))


LIBRARY: Final = library_with()


@cache
def every_rule() -> Corpus:
    """Return all rules and correlations; those that only serve others are operands."""
    return LIBRARY.load_all()


@cache
def rules_asked() -> Corpus:
    """Return what `shipped:` names."""
    return LIBRARY.load_rules(["shipped:"])
