"""Text that four engines are given for four shipped rules, letter by letter: a change of the compiler shows what it changes.

After a change that is meant, look at the difference that `AIBR_RENEW_GOLDEN=1 pytest tests/golden/test_compile.py` leaves in git.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aibr_hunt.compile.pack import pack
from aibr_hunt.compile.program import Asking
from aibr_hunt.engines.program import meaning_digest
from aibr_hunt.meaning.places import Locator
from aibr_hunt.meaning.raw import raw_layout
from aibr_hunt.model.layout import EngineKind, Layout
from aibr_hunt.model.query import Form
from aibr_hunt.model.window import Window
from tests.built_in import LIBRARY

FOLDER = Path(__file__).resolve().parent / "compile"
WINDOW = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))
# Negations over absent fields, a reference of one field to another, a test on a number, JSON inside and outside of texts.
RULES = (
    "aws/bedrock/aws_bedrock_guardrail_deleted",
    "aws/iam/aws_iam_access_key_created_for_other_user",
    "gcp/iam/gcp_iam_service_account_key_created",
    "gcp/vertexai/gcp_vertexai_model_taken_out",
)


def texts() -> dict[str, str]:
    """Return what is kept of each file name: the whole form of each rule, and one sieve of all that a layout can be asked."""
    found: dict[str, str] = {}
    corpus = LIBRARY.load_rules([f"shipped:{name}" for name in RULES])
    for engine in EngineKind:
        suffix = "kql" if engine is EngineKind.KQL else "sql"
        for rule in corpus.rules:
            mapping = LIBRARY.mapping_for(rule.logsource)
            assert mapping is not None
            own = next((layout for layout in mapping.layouts if layout.engine is engine), None)
            layout: Layout | None = raw_layout() if engine is EngineKind.DUCKDB and own is None else own
            if layout is None:
                continue
            asking = Asking(locator=Locator(mapping, layout), span=WINDOW, meanings={rule.id: meaning_digest(rule, mapping)})
            for form in Form:
                packed = pack([rule], asking, form)
                refused = "".join(f"refused: {error}\n" for _, error in packed.refused)
                found[f"{rule.name}.{engine.value}.{form.value}.{suffix}"] = "".join(query.text for query in packed.queries) + refused
    return found


TEXTS = texts()


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_the_one_that_was_looked_at(name: str) -> None:
    path = FOLDER / name
    if os.environ.get("AIBR_RENEW_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(TEXTS[name], encoding="utf-8", newline="\n")
    assert path.is_file(), "a new text: set AIBR_RENEW_GOLDEN=1 to write it, and read it"
    assert TEXTS[name] == path.read_text(encoding="utf-8"), "set AIBR_RENEW_GOLDEN=1 to renew it, and read the difference"


def test_every_engine_and_every_rule_is_there_and_nothing_else() -> None:
    assert {name.split(".")[1] for name in TEXTS} == set(EngineKind)
    assert {name.split(".")[0] for name in TEXTS} == {name.rpartition("/")[2] for name in RULES}
    kept = {path.name for path in FOLDER.iterdir()}
    if os.environ.get("AIBR_RENEW_GOLDEN"):
        for stale in kept - set(TEXTS):
            (FOLDER / stale).unlink()
        kept = set(TEXTS)
    assert kept == set(TEXTS)
