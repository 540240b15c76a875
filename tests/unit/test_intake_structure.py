"""The fast scan of braces agrees with an obvious one, whatever the bytes and wherever the blocks are cut."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aibr_hunt.intake import structure
from aibr_hunt.intake.structure import State, Structure

SIGNS = st.lists(st.sampled_from([b"{", b"}", b'"', b"\\", b"\\" * 63, b"\\" * 64, b"\n", b" ", b"a", b"x" * 60]), max_size=80).map(
    b"".join
)


def obvious(text: bytes) -> tuple[dict[int, list[int]], dict[int, list[int]], list[int], list[int]]:
    """Return opens and closes by depth, line feeds in strings, and braces at line starts: sign by sign."""
    opens: dict[int, list[int]] = {}
    closes: dict[int, list[int]] = {}
    feeds, lines = [], []
    depth, is_inside, is_escaped = 0, False, False
    for at, sign in enumerate(text.decode("latin-1")):
        was_escaped, is_escaped = is_escaped, sign == "\\" and not is_escaped
        if sign == '"' and not was_escaped:
            is_inside = not is_inside
        elif is_inside:
            feeds += [at] if sign == "\n" else []
        elif sign == "{":
            lines += [at] if at and text[at - 1 : at] == b"\n" else []
            opens.setdefault(depth, []).append(at)
            depth += 1
        elif sign == "}":
            depth -= 1
            closes.setdefault(depth, []).append(at + 1)
    return opens, closes, feeds, lines


@pytest.mark.parametrize("block", [64, 128, structure.BLOCK_BYTES])
@given(text=SIGNS)
def test_levels_are_those_of_a_scan_sign_by_sign(block: int, text: bytes) -> None:
    opens, closes, feeds, lines = obvious(text)
    with patch.object(structure, "BLOCK_BYTES", block):
        found = Structure(text, start=0, end=len(text))
        for depth in range(-4, 5):
            level = found.level(depth)
            outer = [] if level.outer_end is None else [level.outer_end]
            assert level.starts.tolist() == opens.get(depth, [])
            assert outer + level.ends.tolist() == closes.get(depth, [])
    assert found.string_newlines.tolist() == feeds
    assert found.line_opens.tolist() == lines


@given(text=SIGNS, cut=st.integers(0, 400))
@example(text=b'"\\""{}', cut=2)
def test_a_part_goes_on_where_the_part_before_left_off(text: bytes, cut: int) -> None:
    cut = min(cut, len(text))
    whole = Structure(text, start=0, end=len(text))
    state = State()
    Structure(text, start=0, end=cut, state=state)
    Structure(text, start=cut, end=len(text), state=state)
    assert (state.in_string, state.depth, state.is_escaped) == (whole.state.in_string, whole.state.depth, whole.state.is_escaped)


def test_an_object_that_was_open_before_has_only_its_end() -> None:
    level = Structure(b'"a":1}{}', start=0, end=8, state=State(depth=1)).level(0)
    assert (level.outer_end, level.starts.tolist(), level.ends.tolist()) == (6, [6], [8])


def test_the_last_object_has_no_end_while_it_is_open() -> None:
    level = Structure(b'{}{"a":', start=0, end=7).level(0)
    assert (level.starts.tolist(), level.ends.tolist()) == ([0, 2], [2])
