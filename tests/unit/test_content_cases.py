"""Files of cases: each case one event and its answer, every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aibr_hunt.content.cases import Case, CaseFile, cases_path, load_cases
from aibr_hunt.errors import ContentErrors
from aibr_hunt.model.event import Json

WHOLE = """\
rule: example
base: &base {name: x, deep: {a: 1}}
cases:
  one: {hit: true, event: *base, why: because}
  two:
    hit: false
    event: {<<: *base, name: z}
  many: {hit: true, event: *base, each: {deep.b.c: [1, 'x', null]}}
equivalent:
  - {mutant: remove name equals 'x', why: no event can tell}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "example.tests.yaml"


def loaded(path: Path, text: str) -> CaseFile:
    path.write_text(text, encoding="utf-8")
    return load_cases(path, "example.tests.yaml")


def faults(path: Path, text: str) -> list[str]:
    with pytest.raises(ContentErrors) as refused:
        loaded(path, text)
    return [str(error) for error in refused.value.errors]


def test_cases_are_read_in_their_order_with_their_lines(path: Path) -> None:
    found = loaded(path, WHOLE)
    base: Json = {"name": "x", "deep": {"a": 1}}
    assert found.cases[:2] == (
        Case(name="one", hit=True, event=base, why="because", line=4),
        Case(name="two", hit=False, event={"name": "z", "deep": {"a": 1}}, line=5),
    )
    assert (found.rule, found.path) == ("example", "example.tests.yaml")
    assert found.equivalent == {"remove name equals 'x'": "no event can tell"}


def test_each_stands_for_one_case_a_value(path: Path) -> None:
    many = loaded(path, WHOLE).cases[2:]
    assert [case.name for case in many] == ["many[1]", "many[x]", "many[None]"]
    assert [case.event for case in many] == [{"name": "x", "deep": {"a": 1, "b": {"c": value}}} for value in (1, "x", None)]


def test_hits_and_near_misses_are_told_apart(path: Path) -> None:
    found = loaded(path, WHOLE)
    assert [case.name for case in found.hits] == ["one", "many[1]", "many[x]", "many[None]"]
    assert [case.name for case in found.misses] == ["two"]


def test_cases_share_no_event_although_their_texts_share_an_anchor(path: Path) -> None:
    one, two, *_ = loaded(path, WHOLE).cases
    assert isinstance(one.event, dict)
    assert isinstance(two.event, dict)
    deep = one.event["deep"]
    assert isinstance(deep, dict)
    deep["a"] = 2
    assert two.event["deep"] == {"a": 1}


@pytest.mark.parametrize(
    ("field", "event"),
    [
        ("a", {"a": 9, "b": {"c": 1}, "d": "x"}),
        ("b.c", {"b": {"c": 9}, "d": "x"}),
        ("b.e.f", {"b": {"c": 1, "e": {"f": 9}}, "d": "x"}),
        ("d.e", {"b": {"c": 1}, "d": {"e": 9}}),
        (r"b\.c", {"b": {"c": 1}, "b.c": 9, "d": "x"}),
    ],
)
def test_a_value_is_put_at_its_path_and_objects_on_the_way_are_made(path: Path, field: str, event: Json) -> None:
    text = f"cases: {{c: {{hit: true, event: {{b: {{c: 1}}, d: x}}, each: {{'{field}': [9]}}}}}}"
    assert loaded(path, text).cases[0].event == event


FAULTS: list[tuple[str, str]] = [
    ("rule: x\n", "example.tests.yaml:1: has no cases. Add `cases:` with one named case for each event."),
    ("cases: []\n", "example.tests.yaml:1: has no cases."),
    ("- a\n", "example.tests.yaml:1: has no cases."),
    ("cases: {a: {hit: true, event: {}}}\nrules: x\n", "example.tests.yaml:2: has the unknown key 'rules'. Did you mean rule?"),
    (
        "cases: {a: {hit: true, event: {}}}\nzzz: x\n",
        "example.tests.yaml:2: has the unknown key 'zzz'. Known: base, cases, equivalent, rule.",
    ),
    ("cases:\n  a: 5\n", "example.tests.yaml:2: case a is no map. Write {hit: true, event: {...}}."),
    ("cases:\n  a: {hits: true, event: {}}\n", "example.tests.yaml:2: case a has the unknown key 'hits'. Did you mean hit?"),
    ("cases:\n  a: {event: {}}\n", "example.tests.yaml:2: case a needs `hit: true` or `hit: false`, and an event."),
    ("cases:\n  a: {hit: 1, event: {}}\n", "case a needs `hit: true`"),
    ("cases:\n  a: {hit: true}\n", "case a needs `hit: true`"),
    ("cases:\n  a: {hit: true, event: [x]}\n", "case a needs `hit: true`"),
    (
        "cases:\n  a: {hit: true, event: {}, each: [x]}\n",
        "case a: each must be one field with a list of values. Write each: {field: [v1, v2]}.",
    ),
    ("cases:\n  a: {hit: true, event: {}, each: {f: x}}\n", "case a: each must be one field"),
    ("cases:\n  a: {hit: true, event: {}, each: {f: []}}\n", "case a: each must be one field"),
    ("cases:\n  a: {hit: true, event: {}, each: {f: [1], g: [2]}}\n", "case a: each must be one field"),
    ("cases:\n  a: {hit: true, event: {}, each: {}}\n", "case a: each must be one field"),
    (
        "cases: {a: {hit: true, event: {}}}\nequivalent:\n  - {mutant: x}\n",
        "example.tests.yaml:3: an equivalent mutant needs `mutant` and `why`.",
    ),
    ("cases: {a: {hit: true, event: {}}}\nequivalent: [x]\n", "example.tests.yaml:2: an equivalent mutant needs"),
    ("cases: {a: {hit: true, event: {}}}\nequivalent: {mutant: x}\n", "example.tests.yaml:2: an equivalent mutant needs"),
    ("cases: {a: {hit: true, event: {id: 123456789012}}}\n", "has the unquoted value 123456789012"),
    ("cases: {a: {hit: true, event: {}}, a: {hit: false, event: {}}}\n", "repeats the key 'a'"),
    ("cases: [", "is no YAML"),
    ("", "holds no YAML document"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[f"{number} {fault[-40:]}" for number, (_, fault) in enumerate(FAULTS)])
def test_what_is_wrong_is_named_with_its_line(path: Path, text: str, fault: str) -> None:
    assert any(fault in each for each in faults(path, text)), faults(path, text)


def test_all_faults_are_shown_together(path: Path) -> None:
    assert len(faults(path, "casses: x\ncases:\n  a: 5\n  b: {hit: true}\n  c: {hit: true, event: {}, each: 5}\nequivalent: [5]\n")) == 5


@pytest.mark.parametrize("content", [None, b"cases: \xff"], ids=["missing", "not UTF-8"])
def test_a_file_that_cannot_be_read_says_so(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContentErrors, match="cannot be read"):
        load_cases(path)


@pytest.mark.parametrize(
    ("rule", "named", "cases"),
    [
        ("a/b.yml", "", "a/b.tests.yaml"),
        ("a/b.yaml", "", "a/b.tests.yaml"),
        ("a/b.yml", "other.yaml", "a/other.yaml"),
        ("a/b.yml", "../c/d.yaml", "a/../c/d.yaml"),
    ],
)
def test_cases_lie_beside_the_rule_or_where_it_says(rule: str, named: str, cases: str) -> None:
    assert cases_path(Path(rule), named) == Path(cases)
