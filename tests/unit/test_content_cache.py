"""Parsed rules kept between runs: never wrong, whatever became of the file."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import orjson
import pytest

from aibr_hunt.content import cache
from aibr_hunt.content.cache import Passed, RuleCache, digest_of_files
from aibr_hunt.content.mappings import load_mapping
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.predicate import Exists
from aibr_hunt.model.rule import LogSource, Rule

RULE = Rule(
    id="i", name="n", title="t", path="p", text_digest="d", logsource=LogSource(product="x"), predicate=Exists(field="f"), warnings=("w",)
)


def kept(folder: Path, text: str = "text", fingerprint: str = "facts") -> tuple[Rule, ...] | None:
    return RuleCache(folder).rules(text, fingerprint)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache in which one text is kept."""
    made = tmp_path / "deep" / "cache"
    written = RuleCache(made)
    written.keep_rules("text", "facts", [RULE])
    written.flush()
    return made


def test_what_was_kept_is_there_in_the_next_run(folder: Path) -> None:
    found = kept(folder)
    assert found == (RULE,)
    assert found is not None
    assert found[0].warnings == ("w",)


def test_it_is_there_for_the_same_text_and_the_same_facts_only(folder: Path) -> None:
    assert kept(folder, text="other") is None
    assert kept(folder, fingerprint="other") is None


def test_nothing_is_written_before_the_end_of_the_work(tmp_path: Path) -> None:
    waiting = RuleCache(tmp_path)
    waiting.keep_rules("text", "facts", [RULE])
    assert waiting.rules("text", "facts") == (RULE,)
    assert list(tmp_path.iterdir()) == []
    waiting.flush()
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_a_file_without_rules_is_kept_too(tmp_path: Path) -> None:
    written = RuleCache(tmp_path)
    written.keep_rules("none", "facts", [])
    written.flush()
    assert kept(tmp_path, "none") == ()


DAMAGES = {
    "empty": b"",
    "no JSON": b"{",
    "no map": b"[1]",
    "binary": bytes(range(256)),
    "null": b"null",
}


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_counts_as_absent_and_is_written_anew(folder: Path, content: bytes) -> None:
    [path] = folder.iterdir()
    path.write_bytes(content)
    assert kept(folder) is None
    again = RuleCache(folder)
    again.keep_rules("text", "facts", [RULE])
    again.flush()
    assert kept(folder) == (RULE,)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "x",
        [5],
        [[]],
        ["x"],
        [{}],
        [{"id": "i"}],
        {"predicate": []},
    ],
    ids=repr,
)
def test_an_entry_of_another_form_counts_as_absent(folder: Path, entry: object) -> None:
    [path] = folder.iterdir()
    body = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps(dict.fromkeys(body, entry)))
    assert kept(folder) is None


@pytest.mark.parametrize(
    "predicate",
    [None, [], ["nope"], ["not"], ["regex", "f"], ["text", "f"], ["text", "f", "no", "x", False], ["and", 5], ["together", ["f"]]],
    ids=repr,
)
def test_a_predicate_of_another_form_counts_as_absent(folder: Path, predicate: object) -> None:
    [path] = folder.iterdir()
    body = orjson.loads(path.read_bytes())
    for entry in body.values():
        entry[0]["predicate"] = predicate
    path.write_bytes(orjson.dumps(body))
    assert kept(folder) is None


def test_another_version_of_the_project_the_parser_or_the_code_reads_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cache, "__version__", "0.0.0-other")
        assert kept(folder) is None
    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "version", lambda _: "0.0.0")
        assert kept(folder) is None
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_code_digest", lambda: "other code")
        assert kept(folder) is None
    assert kept(folder) == (RULE,)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_keeps_nothing_and_is_no_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    silent = RuleCache(tmp_path)
    silent.keep_rules("text", "facts", [RULE])
    silent.flush()
    assert kept(tmp_path) is None


def test_a_folder_that_cannot_be_made_keeps_nothing_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    silent = RuleCache(tmp_path / "file" / "cache")
    silent.keep_rules("text", "facts", [RULE])
    silent.flush()
    assert kept(tmp_path / "file" / "cache") is None


def test_a_write_that_fails_half_way_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    again = RuleCache(folder)
    again.keep_rules("more", "facts", [RULE])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        again.flush()
    assert len(list(folder.iterdir())) == 1
    assert kept(folder) == (RULE,)
    assert kept(folder, "more") is None


def test_a_cache_that_grew_too_large_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_TEXTS", 2)
    small = RuleCache(tmp_path)
    for text in ("one", "two", "three"):
        small.keep_rules(text, "facts", [RULE])
    small.flush()
    assert [kept(tmp_path, text) is not None for text in ("one", "two", "three")] == [False, False, True]


def test_the_digest_of_files_tells_their_borders_and_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, content in zip(paths, (b"xy", b"", b"z"), strict=True):
        path.write_bytes(content)
    one = digest_of_files(paths)
    assert one != digest_of_files([paths[1], paths[0], paths[2]])
    paths[0].write_bytes(b"x")
    paths[1].write_bytes(b"y")
    assert one != digest_of_files(paths)
    assert digest_of_files([]) != one


class TestPassed:
    def test_a_content_that_fitted_once_is_known_to_the_next_process(self, tmp_path: Path) -> None:
        first = Passed(tmp_path)
        assert not first.has("logsource", "d1")
        first.add("logsource", "d1")
        first.flush()
        assert Passed(tmp_path).has("logsource", "d1")
        assert not Passed(tmp_path).has("hunt", "d1")

    def test_another_schema_forgets_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = Passed(tmp_path)
        first.add("logsource", "d1")
        first.flush()
        monkeypatch.setattr("aibr_hunt.content.cache.digest_of_files", lambda _: "other")
        assert not Passed(tmp_path).has("logsource", "d1")

    def test_a_changed_mapping_is_checked_again(self, tmp_path: Path) -> None:
        path = tmp_path / "aws_cloudtrail.yml"
        shipped = Path(__file__).resolve().parents[2] / "mappings" / "logsources" / "aws_cloudtrail.yml"
        path.write_bytes(shipped.read_bytes())
        passed = Passed(tmp_path / "cache")
        assert load_mapping(path, passed=passed) is load_mapping(path, passed=passed)
        path.write_text(path.read_text(encoding="utf-8").replace("provider:", "provder:"), encoding="utf-8")
        with pytest.raises(ContentErrors, match="provder"):
            load_mapping(path, passed=passed)
