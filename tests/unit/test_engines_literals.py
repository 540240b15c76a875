"""The two literal scanners: one answer, whatever the bytes, and whatever lies in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibr_hunt.engines.literals import ESCAPE, HyperscanScanner, LiteralScanner, Re2Scanner, scanner_for

# Few letters, so that literals overlap, repeat and hold one another.
LITERALS = st.lists(st.text(alphabet="ab.-", min_size=4, max_size=9), min_size=1, max_size=8, unique=True)
PIECES = st.sampled_from([b"\\u0061", b"\\", b"u", b"\n", b'"', "é".encode(), b"\xff", b"\x00", b"K\xe2\x84\xaa"])


@st.composite
def literals_and_bytes(draw: st.DrawFn) -> tuple[list[str], bytes]:
    literals = draw(LITERALS)
    word = st.sampled_from([each.encode() for each in literals]).map(lambda each: each[: draw(st.integers(1, 9))])
    noise = st.text(alphabet="abAB.-", max_size=6).map(str.encode)
    pieces = draw(st.lists(st.one_of(word, noise, PIECES, word.map(bytes.upper)), max_size=12))
    return literals, b"".join(pieces)


def found_by(scanner: LiteralScanner, buffer: bytes) -> list[tuple[int, int]]:
    ends, numbers = scanner.scan(buffer)
    assert list(ends) == sorted(ends)
    return sorted(zip(ends.tolist(), numbers.tolist(), strict=True))


def found_plainly(literals: list[str], buffer: bytes) -> list[tuple[int, int]]:
    """Return the answer by the plainest means: a look at every place for every literal."""
    lower = buffer.lower()
    wanted = [*(literal.encode() for literal in literals), ESCAPE]
    found = [(at + len(each), number) for number, each in enumerate(wanted) for at in range(len(lower)) if lower.startswith(each, at)]
    found += [(at + 1, len(literals)) for at, byte in enumerate(buffer) if byte < 0x20 and byte not in b"\t\n\r"]
    return sorted(found)


@given(literals_and_bytes())
def test_both_scanners_find_every_literal_at_every_place(drawn: tuple[list[str], bytes]) -> None:
    literals, buffer = drawn
    expected = found_plainly(literals, buffer)
    for scanner in (HyperscanScanner(literals), Re2Scanner(literals)):
        assert found_by(scanner, buffer) == expected, scanner.name
        assert scanner.may_hold_any(buffer) == (bool(expected) or not buffer.isascii()), scanner.name


@pytest.mark.parametrize("scanner", [HyperscanScanner, Re2Scanner])
def test_literals_inside_and_across_one_another_all_count(scanner: type[HyperscanScanner | Re2Scanner]) -> None:
    assert found_by(scanner(["abcd", "bcde", "abcdef", "cdef"]), b"xABCDEFx") == [(5, 0), (6, 1), (7, 2), (7, 3)]


@pytest.mark.parametrize("scanner", [HyperscanScanner, Re2Scanner])
def test_a_letter_that_only_unicode_folds_to_ascii_is_no_match(scanner: type[HyperscanScanner | Re2Scanner]) -> None:
    """U+212A is the Kelvin sign: its lower case is k. Such a record is parsed because it is not ASCII."""
    made = scanner(["kkkk"])
    assert found_by(made, "K\u212a\u212aK".encode()) == []
    assert made.may_hold_any("K\u212a\u212aK".encode())


@pytest.mark.parametrize("scanner", [HyperscanScanner, Re2Scanner])
def test_without_literals_only_the_escape_is_found(scanner: type[HyperscanScanner | Re2Scanner]) -> None:
    assert found_by(scanner([]), b'{"a":"\\u0041"}') == [(8, 0)]


def test_a_capital_u_after_a_backslash_is_looked_for_too() -> None:
    """JSON has no such escape; that it forces a parse costs nothing and keeps both scanners alike."""
    assert found_by(HyperscanScanner([]), b"\\U") == found_by(Re2Scanner([]), b"\\U") == [(2, 0)]


def test_the_scanner_without_hyperscan_is_chosen_on_request() -> None:
    assert (scanner_for(["abcd"]).name, scanner_for(["abcd"], use_hyperscan=False).name) == ("hyperscan", "re2")


class TestCache:
    LITERALS = ("deleteguardrail", "stoplogging")
    BUFFER = b"DeleteGuardrail StopLogging \\u0041"

    def cached(self, folder: Path) -> Path:
        HyperscanScanner(self.LITERALS, folder)
        (path,) = folder.iterdir()
        return path

    def check(self, folder: Path) -> None:
        assert found_by(HyperscanScanner(self.LITERALS, folder), self.BUFFER) == found_plainly(list(self.LITERALS), self.BUFFER)

    def test_a_kept_database_answers_as_a_new_one(self, tmp_path: Path) -> None:
        path = self.cached(tmp_path)
        before = path.stat().st_mtime_ns
        self.check(tmp_path)
        assert path.stat().st_mtime_ns == before

    @pytest.mark.parametrize("size", [0, 1, 40, -1], ids=["empty", "one byte", "the head", "all but one byte"])
    def test_a_truncated_file_is_made_anew(self, tmp_path: Path, size: int) -> None:
        path = self.cached(tmp_path)
        whole = path.read_bytes()
        path.write_bytes(whole[:size])
        self.check(tmp_path)
        assert path.read_bytes() == whole

    @pytest.mark.parametrize("part", [0, 0.25, 0.5, 0.75])
    def test_a_damaged_file_is_made_anew(self, tmp_path: Path, part: float) -> None:
        path = self.cached(tmp_path)
        content = bytearray(path.read_bytes())
        content[int(len(content) * part)] ^= 0xFF
        path.write_bytes(content)
        self.check(tmp_path)

    def test_the_database_of_other_literals_under_this_name_is_not_believed(self, tmp_path: Path) -> None:
        path = self.cached(tmp_path / "ours")
        path.write_bytes(self.cached_of(("deleteguardrail", "startlogging"), tmp_path / "theirs"))
        self.check(tmp_path / "ours")

    def test_the_database_of_more_literals_under_this_name_is_not_believed(self, tmp_path: Path) -> None:
        path = self.cached(tmp_path / "ours")
        path.write_bytes(self.cached_of((*self.LITERALS, "more"), tmp_path / "theirs"))
        self.check(tmp_path / "ours")

    def cached_of(self, literals: tuple[str, ...], folder: Path) -> bytes:
        HyperscanScanner(literals, folder)
        (path,) = folder.iterdir()
        return path.read_bytes()

    def test_a_cache_that_cannot_be_written_is_done_without(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        self.check(tmp_path / "file")
        self.check(tmp_path / "file" / "below")
