"""Sweeps: standing sets of rules, named by their files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aibr_hunt.content.sweeps import Selector, Sweep, load_sweep, load_sweeps
from aibr_hunt.errors import ContentErrors

HOUR = 3_600_000_000


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sweep_is_what_its_file_says(tmp_path: Path) -> None:
    text = "sweep: nightly\ntitle: Every night\nrules: ['shipped:aws', my/rules]\nevery: PT6H\nsource: aws_cloudtrail\n"
    path = write(tmp_path, "nightly", text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert load_sweep(path) == Sweep(
        name="nightly",
        path=path,
        rules=("shipped:aws", "my/rules"),
        digest=digest,
        title="Every night",
        every="PT6H",
        source="aws_cloudtrail",
    )


def test_a_sweep_may_say_what_it_selects(tmp_path: Path) -> None:
    text = (
        "sweep: some\nrules: [a]\nrequires_only: default\nlevels: [low, high]\n"
        "only: [{types: [rule, rare]}, {levels: [high], looks_back: PT36H}]\n"
        "leave_out: [{looks_back: P7D}, {looks_back: PT5M}]\nexclude: [x]\n"
    )
    found = load_sweep(write(tmp_path, "some", text))
    assert (found.needs_only_defaults, found.levels, found.exclude) == (True, ("low", "high"), ("x",))
    assert found.only == (Selector(types=("rule", "rare")), Selector(levels=("high",), looks_back="PT36H"))
    assert [each.looks_back_us for each in (*found.only, *found.leave_out)] == [0, 36 * HOUR, 7 * 24 * HOUR, HOUR // 12]


def test_a_sweep_that_says_only_its_rules_runs_daily_on_any_source(tmp_path: Path) -> None:
    found = load_sweep(write(tmp_path, "small", "sweep: small\nrules: [a]\n"))
    assert (found.every, found.source, found.title) == ("P1D", "", "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sweep: other\nrules: [a]\n", r"s\.yml:1: The sweep is called other, its file s\.yml\. Give both the same stem\."),
        ("sweep: s\n", "lacks the key rules"),
        ("sweep: s\nrules: []\n", "rules must be a list of rule files"),
        ("sweep: s\nrules: [a, a]\n", "holds a value twice"),
        ("sweep: s\nrules: [a]\nevery: daily\n", "every must be a length of time such as P1D or PT6H"),
        ("sweep: s\nrules: [a]\nevrey: P1D\n", r"has no key evrey\. Did you mean every\?"),
        (
            "sweep: s\nrules: [a]\nlevels: [hihg]\n",
            r"levels\[0\] must be informational, low, medium, high or critical, not the text 'hihg'\. Did you mean high\?",
        ),
        ("sweep: s\nrules: [a]\nonly: [{type: [rare]}]\n", r"only\[0\] has no key type\. Did you mean types\?"),
        ("sweep: s\nrules: [a]\nonly: [{types: [first]}]\n", "must be `rule`, or a type of correlation"),
        ("sweep: s\nrules: [a]\nonly: [{}]\n", r"only\[0\] must be a map with levels, types or looks_back, not an empty map"),
        ("sweep: s\nrules: [a]\nleave_out: [{looks_back: 7d}]\n", "looks_back must be a length of time such as P1D or PT6H"),
        ("sweep: s\nrules: [a]\nrequires_only: true\n", "requires_only must be default, not true"),
        ("[", "is no YAML"),
        ("", "holds no YAML document"),
    ],
)
def test_a_sweep_that_breaks_the_schema_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ContentErrors, match=fault):
        load_sweep(write(tmp_path, "s", text))


def test_a_later_folder_replaces_a_sweep_of_the_same_name(tmp_path: Path) -> None:
    for folder, rules in (("one", "a"), ("two", "b")):
        write(tmp_path / folder, "same", f"sweep: same\nrules: [{rules}]\n")
    write(tmp_path / "one", "only", "sweep: only\nrules: [c]\n")
    found = load_sweeps([tmp_path / "one", tmp_path / "two"])
    assert [(sweep.name, sweep.rules) for sweep in found] == [("only", ("c",)), ("same", ("b",))]


def test_the_faults_of_all_sweeps_are_shown_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, name, "sweep: wrong\nrules: [x]\n")
    with pytest.raises(ContentErrors) as refused:
        load_sweeps([tmp_path])
    assert len(refused.value.errors) == 2
