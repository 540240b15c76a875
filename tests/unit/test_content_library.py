"""The content folders in force: names on the command line, overlays, files that cannot be read, filters, the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aibr_hunt.content import shipped
from aibr_hunt.content.cache import RuleCache
from aibr_hunt.content.library import Library, rule_files
from aibr_hunt.content.shipped import shipped_root
from aibr_hunt.errors import ContentError, UsageError
from aibr_hunt.model.rule import LogSource

ROOT = Path(__file__).resolve().parents[2]
RULE = """\
title: {title}
id: 00000000-0000-4000-8000-{number:012d}
logsource: {{product: example}}
detection:
  sel: {{f|expand: '%names%'}}
  condition: sel
"""
FILTER = "title: F\nlogsource: {{product: example}}\nfilter:\n  rules: [{rules}]\n  own: {{user: me}}\n  condition: not own\n"

Write = Callable[[str, str], Path]


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """A user's own folder with one list for placeholders."""
    values = tmp_path / "own" / "mappings" / "values"
    values.mkdir(parents=True)
    (values / "names.yml").write_text("values: ['alice', 'bob']\n", encoding="utf-8")
    return tmp_path / "own"


@pytest.fixture
def write(overlay: Path) -> Write:
    def written(name: str, text: str) -> Path:
        path = overlay / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def rule_text(number: int, title: str = "A") -> str:
    return RULE.format(number=number, title=title)


# --- names -------------------------------------------------------------------------------------------------------------------------


def test_a_path_that_exists_is_used_as_it_is(write: Write, overlay: Path) -> None:
    path = write("a.yml", rule_text(1))
    assert Library().resolve(str(path)) == path
    assert Library().resolve(str(overlay / "rules")) == overlay / "rules"


@pytest.mark.parametrize(
    ("name", "inner"),
    [
        ("shipped:aws/bedrock", "aws/bedrock"),
        ("shipped:aws/bedrock/", "aws/bedrock"),
        ("shipped:aws/bedrock/aws_bedrock_guardrail_deleted", "aws/bedrock/aws_bedrock_guardrail_deleted.yml"),
        ("shipped:aws/bedrock/aws_bedrock_guardrail_deleted.yml", "aws/bedrock/aws_bedrock_guardrail_deleted.yml"),
        ("shipped:", "."),
    ],
)
def test_a_shipped_name_means_the_built_in_set(name: str, inner: str) -> None:
    assert Library().resolve(name).resolve() == (ROOT / "rules" / inner).resolve()


def test_hunts_have_names_too() -> None:
    assert Library().resolve("shipped:sagemaker_model_theft", "hunts") == ROOT / "hunts" / "sagemaker_model_theft.yml"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("shipped:nope", r"There is no built-in rule shipped:nope\. `aibr-hunt rules list` shows what there is\."),
        ("shipped:../hunts", "There is no built-in rule"),
        ("shipped:../../etc/passwd", "There is no built-in rule"),
        ("no/such/path.yml", r"There is no file or folder no/such/path\.yml\. Check the path\."),
        ("aws/sagemaker", r"There is no file or folder aws/sagemaker\. Write shipped:aws/sagemaker for the built-in one\."),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_what_to_write(
    name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=what):
        Library().resolve(name)


def test_built_in_files_are_shown_by_their_shipped_name_and_others_by_their_path(tmp_path: Path) -> None:
    library = Library()
    assert library.shown(ROOT / "rules" / "aws" / "x.yml") == "shipped:aws/x.yml"
    assert library.shown(ROOT / "hunts" / "h.yml") == "shipped:h.yml"
    assert library.shown(tmp_path / "x.yml") == (tmp_path / "x.yml").as_posix()
    assert library.shown(Path("rules/aws/x.yml")) == "rules/aws/x.yml"


def test_a_damaged_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "lib" / "aibr_hunt" / "content" / "shipped.py"))
    with pytest.raises(UsageError, match=r"missing from this installation\. Install aibr_hunt again\."):
        shipped_root()


def test_an_installed_package_brings_its_content_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "aibr_hunt" / "_shipped"
    (inside / "mappings" / "logsources").mkdir(parents=True)
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "aibr_hunt" / "content" / "shipped.py"))
    assert shipped_root() == inside


# --- files -------------------------------------------------------------------------------------------------------------------------


def test_rule_files_are_found_below_a_folder_without_tests_and_hidden_ones(write: Write, overlay: Path) -> None:
    for name in ("b.yml", "a.yaml", "deep/c.yml", "b.tests.yaml", "b.tests.yml", ".hidden.yml", "notes.md", "d.yml.bak"):
        write(name, "")
    (overlay / "rules" / "folder.yml").mkdir()
    found = [path.relative_to(overlay / "rules").as_posix() for path in rule_files(overlay / "rules")]
    assert found == ["a.yaml", "b.yml", "deep/c.yml"]


def test_what_cannot_be_read_is_listed_and_the_rest_is_there(write: Write, overlay: Path) -> None:
    write("a.yml", rule_text(1))
    write("b.yml", "")
    write("c.yml", "detection: [")
    write("d.yml", "title: c\ncorrelation: {}\n")
    write("e.yml", rule_text(2).replace("%names%", "%nowhere%"))
    write("f.yml", rule_text(3))
    (overlay / "rules" / "g.yml").write_bytes(b"title: \xff\xfe\n")
    (overlay / "rules" / "h.yml").write_bytes(rule_text(4).encode("utf-16"))
    corpus = Library([overlay]).load_rules([str(overlay / "rules")])
    assert [rule.name for rule in corpus.rules] == ["a", "f"]
    refused = {Path(path).name: str(error) for path, error in corpus.refused}
    assert list(refused) == ["b.yml", "c.yml", "d.yml", "e.yml", "g.yml", "h.yml"]
    assert "holds no Sigma rule" in refused["b.yml"]
    assert "is no YAML" in refused["c.yml"]
    assert "correlation must be a map" in refused["d.yml"]
    assert "the placeholder %nowhere% has no values" in refused["e.yml"]
    assert "cannot be read: 'utf-8' codec" in refused["g.yml"]
    assert "cannot be read: 'utf-8' codec" in refused["h.yml"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_listed(write: Write, overlay: Path) -> None:
    write("a.yml", rule_text(1)).chmod(0)
    assert "cannot be read" in str(Library([overlay]).load_rules([str(overlay / "rules")]).refused[0][1])


def test_an_id_is_given_once(write: Write, overlay: Path) -> None:
    first = write("a.yml", rule_text(1))
    second = write("b.yml", rule_text(1, "B"))
    corpus = Library([overlay]).load_rules([str(overlay / "rules")])
    assert [rule.title for rule in corpus.rules] == ["A"]
    [(path, error)] = corpus.refused
    assert path == second.as_posix()
    assert isinstance(error, ContentError)
    assert error.what == f"has the id 00000000-0000-4000-8000-000000000001, which {first.as_posix()} has too."
    assert (error.path, error.hint) == (second, "Give every rule its own id.")


def test_a_file_named_twice_is_read_once(write: Write, overlay: Path) -> None:
    path = write("a.yml", rule_text(1))
    corpus = Library([overlay]).load_rules([str(path), str(overlay / "rules"), str(path)])
    assert [len(corpus.rules), len(corpus.refused)] == [1, 0]
    assert corpus.files == {corpus.rules[0].id: path}


def test_a_file_may_hold_several_rules(write: Write, overlay: Path) -> None:
    path = write("a.yml", f"{rule_text(1)}---\n{rule_text(2, 'B')}")
    corpus = Library([overlay]).load_rules([str(path)])
    assert [rule.title for rule in corpus.rules] == ["A", "B"]
    assert set(corpus.files.values()) == {path}


def test_a_refused_document_leaves_the_others_of_its_file(write: Write, overlay: Path, tmp_path: Path) -> None:
    path = write("a.yml", f"{rule_text(1)}---\ntitle: C\ncorrelation: {{}}\n---\n{rule_text(2, 'B')}")
    for _ in range(2):
        corpus = cached(overlay, tmp_path / "cache").load_rules([str(path)])
        assert [rule.title for rule in corpus.rules] == ["A", "B"]
        assert [str(error).rpartition(":")[2] for _, error in corpus.refused] == [
            " correlation must be a map of type, rules and what is asked of their events."
        ]


# --- overlays ----------------------------------------------------------------------------------------------------------------------


def test_a_user_s_own_rule_replaces_the_shipped_one_of_its_id(write: Write, overlay: Path) -> None:
    name = "aws_bedrock_guardrail_deleted.yml"
    shipped_text = (ROOT / "rules" / "aws" / "bedrock" / name).read_text(encoding="utf-8")
    mine = write(name, shipped_text.replace("title: ", "title: My own ", 1))
    corpus = Library([overlay]).load_all()
    [rule] = [rule for rule in corpus.rules if rule.title.startswith("My own ")]
    assert corpus.files[rule.id] == mine
    assert len({rule.id for rule in corpus.rules}) == len(corpus.rules) == len(Library().load_all().rules)
    assert corpus.refused == ()


def test_a_user_s_own_list_replaces_the_shipped_one_of_its_name(overlay: Path) -> None:
    shipped_lists = Library().placeholders
    name = min(shipped_lists)
    (overlay / "mappings" / "values" / f"{name}.yml").write_text("['mine']\n", encoding="utf-8")
    assert Library([overlay]).placeholders == shipped_lists | {name: ("mine",), "names": ("alice", "bob")}


def test_folders_that_are_not_there_are_left_out(overlay: Path) -> None:
    assert Library([overlay]).folders("mappings", "values") == (ROOT / "mappings" / "values", overlay / "mappings" / "values")
    assert Library([overlay]).folders("hunts") == (ROOT / "hunts",)


def test_the_last_folder_that_holds_the_catalogues_wins(overlay: Path) -> None:
    assert Library([overlay]).catalogue.techniques
    for name in ("attack.json", "atlas.json"):
        shutil.copy(ROOT / "mappings" / name, overlay / "mappings" / name)
    assert Library([overlay]).catalogue.techniques == Library().catalogue.techniques


def test_a_log_source_without_a_mapping_has_none() -> None:
    library = Library()
    found = library.mapping_for(LogSource(product="aws", service="cloudtrail"))
    assert found is not None
    assert found.name == "aws_cloudtrail"
    assert library.mapping_for(LogSource(product="example")) is None


# --- filters -----------------------------------------------------------------------------------------------------------------------


def test_filters_apply_whether_found_among_the_rules_or_named(write: Write, overlay: Path, tmp_path: Path) -> None:
    path = write("a.yml", rule_text(1))
    among = write("filter.yml", FILTER.format(rules="a"))
    apart = tmp_path / "apart.yml"
    apart.write_text(FILTER.format(rules="").replace("title: F", "title: G"), encoding="utf-8")
    library = Library([overlay])
    assert library.load_rules([str(path)]).rules[0].filters == ()
    assert library.load_rules([str(path), str(among)]).rules[0].filters == ("F",)
    assert library.load_rules([str(path)], filters=[apart]).rules[0].filters == ("G",)


def test_a_filter_that_names_an_unknown_rule_is_listed(write: Write, overlay: Path) -> None:
    write("a.yml", rule_text(1))
    write("filter.yml", FILTER.format(rules="b"))
    corpus = Library([overlay]).load_rules([str(overlay / "rules")])
    [warning] = corpus.warnings
    assert "filter.yml: " in warning
    assert "names the rule b, which was not read" in warning
    assert corpus.refused == ()
    write("filter.yml", FILTER.format(rules=corpus.rules[0].name))
    assert Library([overlay]).load_rules([str(overlay / "rules")]).warnings == ()


# --- the cache ---------------------------------------------------------------------------------------------------------------------


def cached(overlay: Path, folder: Path) -> Library:
    return Library([overlay], cache=RuleCache(folder))


def test_a_cached_rule_is_the_rule_itself(write: Write, overlay: Path, tmp_path: Path) -> None:
    write("a.yml", rule_text(1) + "level: odd\n")
    names = [str(overlay / "rules"), "shipped:aws"]
    fresh = Library([overlay]).load_rules(names)
    for _ in range(2):
        found = cached(overlay, tmp_path / "cache").load_rules(names)
        assert (found.rules, found.files, found.refused) == (fresh.rules, fresh.files, fresh.refused)
        assert [rule.warnings for rule in found.rules] == [rule.warnings for rule in fresh.rules]


@pytest.mark.parametrize("named", ["", "name: a\n"], ids=["without a name", "with a name"])
def test_a_cached_rule_follows_its_file_and_keeps_its_own_name(write: Write, overlay: Path, tmp_path: Path, named: str) -> None:
    path = write("a.yml", rule_text(1) + named)
    cached(overlay, tmp_path / "cache").load_rules([str(path)])
    moved = path.rename(path.with_name("b.yml"))
    [rule] = cached(overlay, tmp_path / "cache").load_rules([str(moved)]).rules
    assert (rule.path, rule.name) == (moved.as_posix(), "a" if named else "b")


def test_a_list_that_changes_makes_cached_rules_stale(write: Write, overlay: Path, tmp_path: Path) -> None:
    path = write("a.yml", rule_text(1))
    before = cached(overlay, tmp_path / "cache").load_rules([str(path)]).rules[0]
    (overlay / "mappings" / "values" / "names.yml").write_text("['carol']\n", encoding="utf-8")
    after = cached(overlay, tmp_path / "cache").load_rules([str(path)]).rules[0]
    assert before.predicate != after.predicate


def test_a_file_with_a_filter_is_parsed_every_time(write: Write, overlay: Path, tmp_path: Path) -> None:
    path = write("a.yml", f"{rule_text(1)}---\n{FILTER.format(rules='a')}")
    for _ in range(2):
        assert cached(overlay, tmp_path / "cache").load_rules([str(path)]).rules[0].filters == ("F",)


def test_a_refused_file_is_refused_again_with_a_cache(write: Write, overlay: Path, tmp_path: Path) -> None:
    path = write("a.yml", rule_text(1).replace("condition: sel", "condition: sle"))
    told = [str(cached(overlay, tmp_path / "cache").load_rules([str(path)]).refused[0][1]) for _ in range(2)]
    assert told[0] == told[1]
    assert "Did you mean sel?" in told[0]
