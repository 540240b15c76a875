"""The house keeps its own rules: what pyproject.toml, the import contracts and the style page promise, and no tool checks by itself."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aibr_hunt

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "aibr_hunt"
MODULES = sorted(PACKAGE.rglob("*.py"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
TEXT_SUFFIXES = {
    ".py",
    ".toml",
    ".md",
    ".yml",
    ".yaml",
    ".json",
    ".jsonl",
    ".cfg",
    ".txt",
    ".html",
    ".j2",
    ".css",
    ".csv",
    ".tsv",
    ".sql",
    ".svg",
    ".sh",
    "",
}
LONGEST_FUNCTION = 60
LONGEST_MODULE = 450
DECISION_WORDS, DECISION_LINES = 420, 60
NOT_OUR_FILES = {"LICENSE"}

# Spelled in two halves, so that this file does not hold what it forbids.
REGISTRIES = [
    "pypi." + "org",
    "pythonhosted." + "org",
    "npmjs." + "org",
    "registry." + "npmjs",
    "crates." + "io",
    "proxy.golang." + "org",
    "index-" + "url",
]
MACHINE_PLACES = ["/" + "work/", "/" + "root/", "/" + "farm/", "/home/" + "user", "/Users/" + "me", "/" + "tmp/bash"]
WORKPLACE_WORDS = [
    r"\b[Aa]s an AI\b",
    r"\bscratch/",
    r"\b(?:BRIEF|DESIGN|MEANING|RECORD)\.md\b",
]
NOT_NOUNS = {"manager", "handler", "helper", "helpers", "util", "utils", "misc", "alert", "alerts", "info", "infos"}
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "Not" + "Implemented" + "Error"]

# An import of the command line, or its --help, must not pay for these: the room that needs one loads it when it works.
HEAVY = ["duckdb", "google", "hyperscan", "jinja2", "jsonschema", "matplotlib", "numpy", "re2", "requests", "sigma", "sqlalchemy", "yaml"]


@functools.cache
def tracked_files() -> list[Path]:
    """Return every file that git would publish: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files are the project's")
    return [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every published text file, this one left out."""
    for path in tracked_files():
        if path.suffix in TEXT_SUFFIXES and path.name not in NOT_OUR_FILES and path != Path(__file__).resolve():
            try:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # log data in another encoding


def places(pattern: re.Pattern[str]) -> list[str]:
    """Return where the pattern stands in published text, as `file:line: text`."""
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def definitions(tree: ast.AST, *, owner: str = "") -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each class, function and method with its dotted name; what is local to a function is not the house's concern."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{owner}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node, owner=f"{owner}{node.name}.")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


# --- what is published -------------------------------------------------------------------------------------------------------------


def test_no_published_file_names_a_package_registry() -> None:
    assert places(re.compile("|".join(map(re.escape, REGISTRIES)))) == []


def test_no_published_file_names_a_place_of_one_machine() -> None:
    assert places(re.compile(r"(?<![\w.:/-])(?:" + "|".join(map(re.escape, MACHINE_PLACES)) + ")")) == []


def test_published_text_speaks_of_the_project_and_of_nothing_else() -> None:
    assert places(re.compile("|".join(WORKPLACE_WORDS))) == []


def test_no_module_of_the_package_is_unfinished() -> None:
    wanted = re.compile(r"\b(?:" + "|".join(UNFINISHED) + r")\b")
    assert [place for place in places(wanted) if place.startswith("aibr_hunt/")] == []


def test_no_published_file_holds_a_private_key_or_a_live_looking_token() -> None:
    key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
    access_key = re.compile(r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\b")
    assert places(key) == []
    assert places(access_key) == []


def test_every_account_id_in_shipped_content_is_a_reserved_one() -> None:
    arn = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")
    reserved = {"123456789012", "210987654321", "111122223333", "444455556666", "000000000000"}
    found = {
        (name, account)
        for name, text in texts()
        if name.startswith(("demo/", "hunts/", "rules/"))
        for account in arn.findall(text)
        if account not in reserved
    }
    assert found == set()


def test_no_stray_file_is_published() -> None:
    strays = re.compile(r"(?:\.orig|\.rej|\.swp|~|\.pyc|\.DS_Store|\.egg-info|\.sqlite3?|\.db)$")
    assert [path.relative_to(ROOT).as_posix() for path in tracked_files() if strays.search(path.name)] == []


# --- how code looks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_public_thing_says_what_is_true_afterwards(path: Path) -> None:
    tree = tree_of(path)
    silent = [
        name
        for name, node in definitions(tree)
        if not any(part.startswith("_") and part != "__init__" for part in name.split(".")) and not ast.get_docstring(node)
    ]
    if not ast.get_docstring(tree) and tree.body:
        silent.insert(0, "the module itself")
    assert silent == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f"{node.name}, line {node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def test_no_module_holds_two_things() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_name_is_a_word_that_means_nothing() -> None:
    found = []
    for path in MODULES:
        names = [path.stem, *(name for name, _ in definitions(tree_of(path)))]
        for name in names:
            words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
            found += [f"{path.relative_to(ROOT)}: {name}" for word in words if word.lower() in NOT_NOUNS]
    assert found == []


def is_broad(node: ast.ExceptHandler) -> bool:
    """Return True for a clause that catches everything and does not raise it again once it has cleaned up."""
    caught = [name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)] if node.type else ["BaseException"]
    last = node.body[-1]
    return not {"Exception", "BaseException"}.isdisjoint(caught) and not (isinstance(last, ast.Raise) and last.exc is None)


def test_no_exception_is_swallowed_without_saying_which_but_once_at_the_outer_edge() -> None:
    """What nobody foresaw ends in one place, which names it and exits as a failure."""
    functions = [(path, node) for path in MODULES for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]
    broad = [
        (path.relative_to(ROOT).as_posix(), function.name)
        for path, function in functions
        for clause in ast.walk(function)
        if isinstance(clause, ast.ExceptHandler) and is_broad(clause)
    ]
    assert broad == [("aibr_hunt/cli/output.py", "run_guarded")]


def test_the_values_import_nothing_but_errors_and_the_standard_library() -> None:
    allowed = sys.stdlib_module_names | {"aibr_hunt.model", "aibr_hunt.errors"}
    found = []
    for path in [PACKAGE / "errors.py", *sorted((PACKAGE / "model").rglob("*.py"))]:
        for node in ast.walk(tree_of(path)):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            found += [
                f"{path.name}:{name}"
                for name in names
                if name.split(".")[0] not in allowed and not any(name == a or name.startswith(f"{a}.") for a in allowed)
            ]
    assert found == []


def test_every_suppressed_finding_has_its_reason_at_least_once_in_the_module() -> None:
    wanting = []
    for path in MODULES:
        found = re.findall(
            r"# (?:noqa: |type: ignore\[)([A-Za-z0-9, -]+?)\]?(?:\s+[-#]\s*(\S.*))?$", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        explained = {code.strip() for codes, reason in found if reason for code in codes.split(",")}
        suppressed = {code.strip() for codes, _ in found for code in codes.split(",")}
        wanting += [f"{path.relative_to(ROOT)}: {code}" for code in sorted(suppressed - explained)]
    assert wanting == []


# --- how checks are set ------------------------------------------------------------------------------------------------------------


def ruff_ignores() -> Iterator[tuple[str, str]]:
    """Yield each ignored rule of pyproject.toml with the line that ignores it."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("[tool.ruff.lint]")
    end = lines.index("[tool.ruff.lint.flake8-tidy-imports]")
    for line in lines[start:end]:
        code, _, _ = line.partition("#")
        if not code.strip().startswith("select"):
            yield from ((rule, line) for rule in re.findall(r'"([A-Z]+\d*)"', code))


def test_every_rule_that_ruff_ignores_has_its_reason_beside_it() -> None:
    listed = list(ruff_ignores())
    assert {rule for rule, _ in listed} >= set(project()["tool"]["ruff"]["lint"]["ignore"])
    reasons = {(rule, line): line.partition("#")[2].strip() for rule, line in listed}
    assert [f"{rule}: {line.strip()}" for (rule, line), reason in reasons.items() if len(reason) < 8] == []


def test_no_check_is_weaker_than_the_house_wants() -> None:
    tools = project()["tool"]
    assert tools["ruff"]["lint"]["select"] == ["ALL"]
    assert tools["mypy"]["strict"] is True
    assert tools["pytest"]["strict"] is True
    assert tools["pytest"]["filterwarnings"][0] == "error"
    assert "--allow-hosts=127.0.0.1,::1" in tools["pytest"]["addopts"]
    assert tools["coverage"]["run"]["branch"] is True
    assert all(not override.get("ignore_errors") for override in tools["mypy"]["overrides"])


def test_every_room_stands_in_the_contract_and_in_the_map() -> None:
    layers = next(each for each in project()["tool"]["importlinter"]["contracts"] if each["id"] == "layers")["layers"]
    named = {room.strip(" ()") for layer in layers for room in layer.split("|")}
    rooms = {path.stem for path in PACKAGE.iterdir() if (path.is_dir() and any(path.glob("*.py"))) or path.suffix == ".py"} - {
        "__init__",
        "__main__",
    }
    assert rooms <= named
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [room for room in sorted(rooms) if f"`{room}/`" not in guide and f"`{room}.py`" not in guide] == []


def test_every_dependency_has_a_lower_bound_that_was_tried() -> None:
    settings = project()["project"]
    wanted = [*settings["dependencies"], *(each for extra in settings["optional-dependencies"].values() for each in extra)]
    assert [each for each in wanted if not re.match(r"[A-Za-z0-9._-]+>=\d", each)] == []


def imported_by(code: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter holds after running `code`."""
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(shown.stdout.splitlines()[-1]))


def test_the_command_line_starts_without_heavy_libraries() -> None:
    loaded = imported_by("import aibr_hunt.cli")
    assert "aibr_hunt.cli" in loaded
    assert sorted(loaded.intersection(HEAVY)) == []


def test_help_is_answered_without_heavy_libraries() -> None:
    code = """
        import contextlib, io, sys
        from aibr_hunt.cli import main
        sys.argv = ["aibr-hunt", "--help"]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            main()
    """
    loaded = imported_by(textwrap.dedent(code))
    assert sorted(loaded.intersection(HEAVY)) == []


# --- pages -------------------------------------------------------------------------------------------------------------------------


def test_the_version_stands_in_the_changelog_and_in_the_package_alone() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(aibr_hunt.__version__)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", changelog, re.MULTILINE)
    assert "## [Unreleased]" in changelog
    assert "version" not in project()["project"]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_fits_on_one_page_and_says_what_it_costs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.split()) <= DECISION_WORDS
    assert text.count("\n") <= DECISION_LINES
    assert re.match(rf"# {path.stem[:4]}: .+\n\nDate: \d{{4}}-\d{{2}}-\d{{2}}\. Status: (?:accepted|superseded by \d{{4}})\.\n", text)
    assert [part for part in ("## Question", "## Decision", "## Cost") if part not in text] == []


def test_every_decision_is_listed_and_their_numbers_have_no_gap() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DECISIONS if f"(decisions/{path.name})" not in index] == []
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize(("page", "last"), [("meaning.md", 8), ("record.md", 7)])
def test_every_section_of_a_normative_page_says_how_far_it_is_in_force(page: str, last: int) -> None:
    sections = re.findall(r"^## (\d+)\. .+\n\n(\*Status: .+\*)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in sections] == list(range(1, last + 1))


def test_every_section_that_code_or_tests_cite_exists() -> None:
    last = {"meaning": 8, "record": 7}
    cited = re.compile(r"docs/(meaning|record)\.md,? sections? (\d+)")
    wrong = [
        f"{name}: {page} {number}" for name, text in texts() for page, number in cited.findall(text) if not 1 <= int(number) <= last[page]
    ]
    assert wrong == []


def test_every_link_between_pages_leads_somewhere() -> None:
    links = [
        (path, target)
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    ]
    assert [f"{path.name}: {target}" for path, target in links if "://" not in target and not (path.parent / target).exists()] == []


def test_every_make_target_that_pages_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {name for page, text in texts() if page.endswith(".md") for name in re.findall(r"`make ([a-z-]+)`", text)}
    assert named <= targets
