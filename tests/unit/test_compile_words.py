"""Names that an engine takes for words of its language are quoted: asked of DuckDB itself, which lists its words."""

from __future__ import annotations

import duckdb

from aibr_hunt.compile.duckdb import DUCK
from aibr_hunt.compile.kql import identifier, literal, pattern_literal


def test_every_word_of_duckdb_can_be_a_column() -> None:
    connection = duckdb.connect()
    words = [str(row[0]) for row in connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()]
    assert len(words) > 300
    for word in words:
        text = f'SELECT {DUCK.identifier(word)}, 1 FROM (SELECT 7 AS "{word}")'  # noqa: S608 - words that DuckDB itself lists
        assert connection.execute(text).fetchall() == [(7, 1)], word


def test_kql_names_that_are_no_plain_words_stand_in_brackets() -> None:
    assert identifier("EventName") == "EventName"
    assert identifier("user-agent") == "['user-agent']"
    assert identifier("kind") == "['kind']"
    assert identifier("it's") == "['it\\'s']"


def test_kql_literals_escape_what_ends_them_and_patterns_stay_readable() -> None:
    assert literal('a"b\\c\n') == '"a\\"b\\\\c\\n"'
    assert literal("\u2028\x07") == '"\\u2028\\u0007"'
    assert pattern_literal(r"^\d+'s$") == r"@'^\d+''s$'"
    assert pattern_literal("a\nb") == '"a\\nb"'
