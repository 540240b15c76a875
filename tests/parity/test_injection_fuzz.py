"""Hostile values, names and titles: each engine's own parser reads back what was printed, and the tree around it stays as it was."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

import pytest
from zetasql.core.exceptions import ServerError
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service

from aibr_hunt.compile import bigquery, kql, words
from aibr_hunt.compile.kql import KqlPrinter
from aibr_hunt.compile.program import KQL_PRINTER, SQL_PRINTERS, Asking, sieve_query, whole_query
from aibr_hunt.compile.sql import SqlPrinter
from aibr_hunt.compile.text import flat
from aibr_hunt.content.sigma import load_rule_text
from aibr_hunt.errors import Unsupported
from aibr_hunt.meaning.places import Locator
from aibr_hunt.model.condition import ColumnValue, IsPresent, JsonValue, TextIs
from aibr_hunt.model.layout import Column, ColumnPath, ColumnType, EngineKind, Kind, Layout
from aibr_hunt.model.predicate import Text, TextOp
from aibr_hunt.model.query import Last
from tests.oracle.strategies import rule_text
from tests.parity.engine_world import mapping
from tests.parity.test_engine_parity import LAYOUTS, STANDINS
from tests.standins import googlesql, trino_engine, trino_grammar
from tests.standins.contract import Rejected, StandIn
from tests.standins.duckdb_engine import duckdb_engine
from tests.standins.kusto_parser import kustology
from tests.standins.trino import fetch as trino_fetch

SEED: Final = 20_260_105
TOGETHER: Final = 500
Record = Callable[[str, object], None]

# -- what is hostile ----------------------------------------------------------------------------------------------

PIECES: Final = (
    *("'", '"', "`", "''", '""', "'''", '"""', "```", "\\", "\\\\", "\\'", '\\"', "\\`", "\\\\'", "'\\''"),
    *("--", "-- ", "/*", "*/", "//", "#", "<!--", "/**/", "*/ 1 /*", ";", ",", ")", "]", "}", "(", "$$", "$x$"),
    *("\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\t", "\x01", "\x08", "\x1a", "\x1b", "\x1f", "\x7f", "\x9f"),
    *("${x}", "{{x}}", "{x}", "%s", "%", "_", "*", "?", "$1", "@x", "?1", ":x", "\\n", "\\x41", "\\u0041", "\\U0001F600", "\\101", "\\N"),
    *(
        "' OR '1'='1",
        "'; DROP TABLE t; --",
        "') UNION SELECT 1 --",
        '" or true //',
        '") | take 1',
        "' | union * //",
        "@'",
        '@"',
        "h'",
        "~~~",
    ),
    *(
        "r'",
        "b'",
        "U&'",
        "X'",
        "E'",
        'R"',
        "'||'",
        "' 'x",
        "\\\n",
        "'\n'",
        "SELECT",
        "where",
        "true",
        "NULL",
        "let x = 1;",
        ".drop table T",
    ),
    *("a", "Z", "0", " ", ".", "é", "\u0130", "\u017f", "\u212a", "ß", "模型", "\U0001f600", "\U0001d54f", "e\u0301"),
    *("\u200b", "\ufeff", "\u202e", "\uff07", "\u02bc", "\u2019", "\u00a0", "\U000e0041"),
)


def drawn(seed: int, count: int, *, is_long: bool = True) -> list[str]:
    """Return texts that try to end what they are printed in; none holds a NUL or half a code point."""
    rng = random.Random(seed)
    found = list(PIECES)
    while len(found) < count:
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 7)))
        if rng.random() < 0.05:
            text = "".join(chr(rng.choice((rng.randint(1, 0xD7FF), rng.randint(0xE000, 0x10FFFF)))) for _ in range(rng.randint(1, 9)))
        if is_long and rng.random() < 0.01:
            text += rng.choice(PIECES) * rng.randint(50, 900)
        found.append(text)
    return found[:count]


# -- what parsers read --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """What a parser makes of a text: the values of its literals, and everything else about its tree."""

    values: list[str]
    shape: object


def _trino(text: str) -> tuple[Any, list[Any]]:
    """Return tokens and all nodes of the tree that Trino's grammar makes; keywords have to be in capitals.

    Raises:
        Rejected: It is no statement.
    """
    import jpype

    classes = trino_grammar._classes()
    listener = trino_grammar._Listener()
    proxy = jpype.JProxy(classes["Listener"], inst=listener)
    lexer = classes["Lexer"](classes["CharStreams"].fromString(text))
    tokens = classes["CommonTokenStream"](lexer)
    parser = classes["Parser"](tokens)
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(proxy)
    tree = parser.singleStatement()
    if listener.said:
        raise Rejected(listener.said[0])
    return tokens.getTokens(), list(jpype.JClass("org.antlr.v4.runtime.tree.Trees").descendants(tree))


def read_trino(literals: Sequence[str]) -> Read:
    tokens, nodes = _trino(f"SELECT ARRAY[{', '.join(literals)}]")
    texts = [str(token.getText()) for token in tokens if token.getText().startsWith("'")]
    # As Trino's AstBuilder does with a token STRING.
    values = [text[1:-1].replace("''", "'") for text in texts]
    shape = ([int(token.getType()) for token in tokens], [str(node.getClass().getSimpleName()) for node in nodes])
    return Read(values, shape)


def read_googlesql(literals: Sequence[str]) -> Read:
    text = f"SELECT [{', '.join(literals)}]"
    found = googlesql.googlesql().rows(text)
    values = found[0][0]
    assert isinstance(values, list)
    return Read(values, (len(found), len(found[0]), re.sub(r'string_value: ".*"', "", resolved(text, ()))))


def resolved(text: str, layouts: Sequence[Layout]) -> str:
    """Return the resolved tree of GoogleSQL's analyzer as text."""
    request = service.AnalyzeRequest(
        sql_statement=text, options=googlesql._analyzer_options(), simple_catalog=googlesql._catalog(list(layouts))
    )
    try:
        return str(googlesql._call("Analyze", request, service.AnalyzeResponse).resolved_statement)
    except ServerError as error:
        raise Rejected(str(error)) from error


def kusto_tree(text: str) -> tuple[list[str], list[Any]]:
    """Return the kinds of all nodes and tokens, and the values of all literals.

    Raises:
        Rejected: It is no program.
    """
    kustology()
    from Kusto.Language import KustoCode  # type: ignore[import-not-found]
    from Kusto.Language.Syntax import LiteralExpression, SyntaxElement  # type: ignore[import-not-found]

    code = KustoCode.Parse(text)
    said = [str(each.Message) for each in code.GetDiagnostics()]
    if said:
        raise Rejected(said[0])
    kinds = [str(element.Kind) for element in code.Syntax.GetDescendants[SyntaxElement]()]
    return kinds, [each.ConstantValue for each in code.Syntax.GetDescendants[LiteralExpression]()]


def read_kusto(literals: Sequence[str]) -> Read:
    kinds, values = kusto_tree(f"T | where x in ({', '.join(literals)})")
    return Read([str(value) for value in values], kinds)


def read_duckdb(literals: Sequence[str]) -> Read:
    text = f"SELECT [{', '.join(literals)}]"
    found = duckdb_engine().rows(text)
    values = found[0][0]
    assert isinstance(values, list)
    return Read(values, (len(found), len(found[0]), duckdb_tree(text)))


def duckdb_tree(text: str) -> str:
    """Return the tree of DuckDB's parser without the texts of literals and without places."""
    written = str(duckdb_engine()._connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()[0][0])
    tree = json.loads(written)
    if tree.get("error"):
        raise Rejected(written)
    return json.dumps(_bare(tree))


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        is_text = node.get("kind") == "STRING"
        return {
            key: "" if key == "text" and is_text else _bare(value) for key, value in node.items() if not key.startswith("query_location")
        }
    return [_bare(each) for each in node] if isinstance(node, list) else node


READERS: Final[dict[EngineKind, Callable[[Sequence[str]], Read]]] = {
    EngineKind.ATHENA: read_trino,
    EngineKind.BIGQUERY: read_googlesql,
    EngineKind.KQL: read_kusto,
    EngineKind.DUCKDB: read_duckdb,
}
LITERALS: Final = {
    **{engine: printer.dialect.literal for engine, printer in SQL_PRINTERS.items()},
    EngineKind.KQL: kql.literal,
}
# A literal of a pattern may be raw or verbatim.
PATTERNS: Final = {**LITERALS, EngineKind.BIGQUERY: bigquery._google_pattern, EngineKind.KQL: kql.pattern_literal}
WRITERS: Final = {"literal": LITERALS, "pattern": PATTERNS}
KEEPS_NUL: Final = frozenset({EngineKind.BIGQUERY, EngineKind.KQL})


# -- literals -----------------------------------------------------------------------------------------------------


def _literals(engine: EngineKind, kind: str, count: int) -> int:
    """Print values, let the engine's parser read them, and return how many came back."""
    write, read = WRITERS[kind][engine], READERS[engine]
    values = drawn(SEED, count)
    if engine in KEEPS_NUL:
        values += [f"{value}\0{value}" for value in values[:100]]
    for start in range(0, len(values), TOGETHER):
        part = values[start : start + TOGETHER]
        found = read([write(value) for value in part])
        assert len(found.values) == len(part)
        for wanted, got in zip(part, found.values, strict=True):
            assert got == wanted, (wanted, write(wanted))
        assert found.shape == _harmless(engine, len(part))
    return len(values)


@cache
def _harmless(engine: EngineKind, count: int) -> object:
    return READERS[engine]([LITERALS[engine]("harmless")] * count).shape


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("engine", EngineKind)
def test_value_is_read_back_as_it_was(engine: EngineKind, kind: str, record_property: Record) -> None:
    count = _literals(engine, kind, 5_000 if kind == "literal" else 2_000)
    record_property("parity", f"{engine.value}: {count} hostile values as {kind}, 0 escapes")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("engine", EngineKind)
def test_very_many_values_are_read_back_as_they_were(engine: EngineKind, kind: str, record_property: Record) -> None:
    record_property("parity", f"{engine.value}: {_literals(engine, kind, 50_000)} hostile values as {kind}, 0 escapes")


def test_values_survive_the_shim_of_athena() -> None:
    values = drawn(SEED + 1, 1_000, is_long=False)
    text = f"SELECT ARRAY[{', '.join(map(LITERALS[EngineKind.ATHENA], values))}]"
    assert STANDINS[EngineKind.ATHENA]().rows(text)[0][0] == values


@pytest.mark.parametrize("engine", [each for each in EngineKind if each not in KEEPS_NUL])
def test_nul_is_refused(engine: EngineKind) -> None:
    with pytest.raises(Unsupported, match="NUL"):
        LITERALS[engine]("a\0b")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.label)
@pytest.mark.parametrize("op", TextOp)
@pytest.mark.parametrize("text", ["a\0b", "a\ud800", "\udfff"])
def test_what_no_engine_can_be_told_is_never_printed(layout: Layout, op: TextOp, text: str) -> None:
    rule = load_rule_text(rule_text({"sel": {"name": "x"}, "condition": "sel"}, 1), "rule.yml")
    leaf = Text(field="name", op=op, literal="" if op is TextOp.WILDCARD else text, pattern=(text,) if op is TextOp.WILDCARD else ())
    rule = replace(rule, predicate=leaf)
    asking = Asking(locator=Locator(mapping(), layout), span=Last(hours=1), meanings={})
    with pytest.raises(Unsupported):
        whole_query([rule], asking)
    sieve = sieve_query([rule], asking).text
    assert "\0" not in sieve
    sieve.encode()


def test_reader_notices_a_value_that_escapes() -> None:
    """The readers themselves: a quote left as it is changes values or tree, or is refused."""
    for engine, read in READERS.items():
        mark = '"' if engine is EngineKind.KQL else "'"
        for value in (f"x{mark}, {mark}y", f"x{mark} + {mark}", "\\", f"{mark} --"):
            naive = [f"{mark}{value}{mark}", LITERALS[engine]("z")]
            if engine in {EngineKind.ATHENA, EngineKind.DUCKDB} and value == "\\":
                continue  # a backslash is nothing special there
            try:
                found = read(naive)
            except (Rejected, AssertionError):
                continue
            assert (found.values, found.shape) != ([value, "z"], _harmless(engine, 2)), (engine, value)


# -- names --------------------------------------------------------------------------------------------------------


@cache
def _keywords() -> tuple[str, ...]:
    """Return the words that one of the engines has for itself."""
    duck = [str(row[0]) for row in duckdb_engine().rows("SELECT keyword_name FROM duckdb_keywords()")]
    names = trino_grammar._classes()["Lexer"].VOCABULARY
    trino = [str(names.getLiteralName(number)).strip("'") for number in range(names.getMaxTokenType() + 1)]
    kustology()
    from Kusto.Language.Syntax import SyntaxFacts

    called_bare = ("current_date", "current_datetime", "current_time", "current_timestamp")  # functions of GoogleSQL without brackets
    found = {*duck, *trino, *map(str, SyntaxFacts.Keywords), *called_bare, *words.ATHENA, *words.BIGQUERY, *words.KQL}
    return tuple(sorted({word.lower() for word in found if re.fullmatch(r"[A-Za-z_]+", word)}))


def hostile_names(count: int) -> list[str]:
    """Return keywords and drawn names; no two of them differ by case alone."""
    found: dict[str, str] = {}
    for name in [*_keywords(), "Name", "eventName", "a.b", "_x", "x1", "1x", "a-b", *drawn(SEED + 2, count, is_long=False)]:
        found.setdefault(name.casefold().upper().lower(), name)
    return list(found.values())


def _names_for(engine: EngineKind, count: int) -> list[str]:
    """Return hostile names; those that begin with $ are GoogleSQL's own, and its reference implementation stumbles over them."""
    return [name for name in hostile_names(count) if engine is not EngineKind.BIGQUERY or not name.startswith("$")]


def _table(engine: EngineKind, columns: Sequence[tuple[str, ColumnType]], table: str = "t") -> Layout:
    made = tuple(Column(name=name, type=of) for name, of in columns)
    return Layout(name="names", engine=engine, table=table, columns=made, places=(), time=ColumnPath(column=columns[0][0]))


TEXT: Final = ColumnType(kind=Kind.TEXT)


def _printable(names: Sequence[str], write: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, write(name)
        except Unsupported:
            continue


def _asked(standin: StandIn, printed: Sequence[tuple[str, str]], wanted: dict[str, str]) -> list[str]:
    """Return the names that do not lead to their own value; all are asked at once, and one by one where that fails."""
    try:
        row = standin.rows(f"SELECT {', '.join(text for _, text in printed)} FROM t")[0]  # noqa: S608
    except Rejected as error:
        if len(printed) == 1:
            return [f"{printed[0][0]!r} as {printed[0][1]}: {str(error)[:120]}"]
        half = len(printed) // 2
        return _asked(standin, printed[:half], wanted) + _asked(standin, printed[half:], wanted)
    return [f"{name!r} as {text}: {got!r}" for (name, text), got in zip(printed, row, strict=True) if got != wanted[name]]


RUNNING: Final = (EngineKind.BIGQUERY, EngineKind.DUCKDB)


@pytest.mark.parametrize("engine", RUNNING)
def test_column_and_member_lead_to_themselves(engine: EngineKind, record_property: Record) -> None:
    names = _names_for(engine, 300)
    wanted = {name: f"v{number}" for number, name in enumerate(names)}
    identifier = SQL_PRINTERS[engine].dialect.identifier
    STANDINS[engine]().load(_table(engine, [(name, TEXT) for name in names]), [wanted])
    wrong = _asked(STANDINS[engine](), list(_printable(names, identifier)), wanted)
    struct = ColumnType(kind=Kind.STRUCT, members=tuple((name, TEXT) for name in names))
    STANDINS[engine]().load(_table(engine, [("s", struct)]), [{"s": wanted}])
    wrong += _asked(STANDINS[engine](), [(name, f"s.{text}") for name, text in _printable(names, identifier)], wanted)
    assert not wrong, f"{len(wrong)} of {2 * len(names)}:\n" + "\n".join(wrong)
    record_property("parity", f"{engine.value}: {2 * len(names)} hostile names of columns and members, 0 escapes")


@pytest.mark.parametrize("engine", RUNNING)
def test_table_leads_to_itself(engine: EngineKind, record_property: Record) -> None:
    dialect = SQL_PRINTERS[engine].dialect
    names = [name for name in _names_for(engine, 120) if not re.search(r"\.\.|^\.|\.$", name)][::8]
    standin = type(STANDINS[engine]())()
    wrong: list[str] = []
    for name, printed in _printable(names, dialect.table):
        standin.load(_table(engine, [("c", TEXT)], name), [{"c": name}])
        try:
            found = standin.rows(f"SELECT c FROM {printed}")  # noqa: S608
        except Rejected as error:
            found = [(str(error)[:120],)]
        wrong += [f"{name!r} as {printed}: {found}"] if found != [(name,)] else []
    assert not wrong, f"{len(wrong)} of {len(names)}:\n" + "\n".join(wrong)
    record_property("parity", f"{engine.value}: {len(names)} hostile names of tables, 0 escapes")


def test_names_are_read_back_by_the_grammar_of_athena(record_property: Record) -> None:
    dialect = SQL_PRINTERS[EngineKind.ATHENA].dialect
    names = [name for name in hostile_names(300) if "" not in f"{name}t.x".split(".")]
    wrong: list[str] = []
    for name in names:
        parts = [name, f"{name}_m", *f"{name}t.x".split(".")]
        printed = list(map(dialect.identifier, parts))
        assert dialect.table(".".join(parts[2:])) == ".".join(printed[2:])
        # What is not quoted reaches Trino's lexer in capitals.
        texts = [text if text.startswith('"') else text.upper() for text in printed]
        try:
            _, nodes = _trino(f"SELECT {texts[0]}.{texts[1]} FROM {'.'.join(texts[2:])}")  # noqa: S608
        except Rejected as error:
            wrong.append(f"{name!r}: {error}")
            continue
        found = [str(node.getText()) for node in nodes if str(node.getClass().getSimpleName()).endswith("uotedIdentifierContext")]
        read = [text[1:-1].replace('""', '"') if text.startswith('"') else text.lower() for text in found]
        if sorted(read) != sorted(parts):
            wrong.append(f"{name!r}: {read}")
    assert not wrong, f"{len(wrong)} of {len(names)}:\n" + "\n".join(wrong)
    record_property("parity", f"athena: {len(names)} hostile names, 0 escapes")


def test_names_are_read_back_by_the_parser_of_kusto(record_property: Record) -> None:
    names = [name for name in hostile_names(300) if name]
    wrong: list[str] = []
    harmless = {is_plain: _kusto_names("plain" if is_plain else "a b") for is_plain in (True, False)}
    for name in names:
        plain = "plain" if kql.identifier(name) == name else "a b"
        try:
            kinds, read = _kusto_names(name)
        except Rejected as error:
            wrong.append(f"{name!r}: {error}")
            continue
        if kinds != harmless[plain == "plain"][0] or read != [name if each == plain else each for each in harmless[plain == "plain"][1]]:
            wrong.append(f"{name!r}: {read}")
    assert not wrong, f"{len(wrong)} of {len(names)}:\n" + "\n".join(wrong)
    record_property("parity", f"kql: {len(names)} hostile names, 0 escapes")


def _kusto_names(name: str) -> tuple[list[str], list[str]]:
    """Return what is read of a program that holds the name wherever one may stand: kinds of nodes, and names and literals."""
    kustology()
    from Kusto.Language import KustoCode
    from Kusto.Language.Syntax import LiteralExpression, NameReference, SyntaxNode

    code = KustoCode.Parse(_kql_names(name))
    if said := [str(each.Message) for each in code.GetDiagnostics()]:
        raise Rejected(said[0])
    names = [str(each.SimpleName) for each in code.Syntax.GetDescendants[NameReference]()]
    literals = [str(each.ConstantValue) for each in code.Syntax.GetDescendants[LiteralExpression]()]
    return [str(node.Kind) for node in code.Syntax.GetDescendants[SyntaxNode]()], names + literals


def _kql_names(name: str) -> str:
    """Return a program that names a table, a column, a member of a dynamic column, and a column that may be missing."""
    return (
        f"{kql.identifier(name)} | where {kql.identifier(name)} == d{kql._step(name)} | extend z = {kql.optional_column(name, Kind.TEXT)}"
    )


JSON_KINDS: Final = tuple(
    (engine, kind) for engine in SQL_PRINTERS for kind in (Kind.JSON, Kind.JSON_TEXT) if (engine, kind) != (EngineKind.ATHENA, Kind.JSON)
)


@pytest.mark.parametrize(("engine", "kind"), JSON_KINDS, ids=lambda each: each.value)
def test_member_of_json_leads_to_itself(engine: EngineKind, kind: Kind, record_property: Record) -> None:
    asked, refused = _members(STANDINS[engine](), kind, 200 if engine is EngineKind.BIGQUERY else 400)
    record_property("parity", f"{engine.value} {kind.value}: {asked} hostile names of members, {refused} refused, 0 escapes")


def _members(standin: StandIn, kind: Kind, count: int) -> tuple[int, int]:
    """Ask JSON for members with hostile names; return how many were asked for and how many refused."""
    engine = standin.engine
    names = [*_keywords()[::20], *drawn(SEED + 3, count, is_long=False), "$", "$.a", "a[0]", "[0]", "a.b", "*", "@", "a'b", 'a"b']
    names = list(dict.fromkeys(names))
    inside = {name: f"v{number}" for number, name in enumerate(names)}
    record = {"outer": inside, "a": {name: {"b": text} for name, text in inside.items()}}
    standin.load(
        _table(engine, [("x", ColumnType(kind=kind))]), [{"x": record if kind is Kind.JSON else json.dumps(record, ensure_ascii=False)}]
    )
    column = ColumnValue(name="x", type=ColumnType(kind=kind))
    printer = SQL_PRINTERS[engine]

    def text(name: str, *, is_deep: bool) -> str:
        path = ("a", name, "b") if is_deep else ("outer", name)
        return printer._text(JsonValue(of=column, path=path))

    wrong: list[str] = []
    asked = 0
    for is_deep in (False, True):
        printed = list(_printable(names, partial(text, is_deep=is_deep)))
        asked += len(printed)
        for start in range(0, len(printed), 100):
            wrong += _asked(standin, printed[start : start + 100], inside)
    assert not wrong, f"{len(wrong)} of {asked}:\n" + "\n".join(wrong)
    assert asked >= 1.8 * len(names)
    return asked, 2 * len(names) - asked


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trino_itself_reads_values_columns_and_members(record_property: Record) -> None:
    if reason := trino_fetch.lack():
        pytest.skip(reason)
    dialect = SQL_PRINTERS[EngineKind.ATHENA].dialect
    values = drawn(SEED, 5_000)
    # Trino gives columns their names in lower case.
    names = [name for name in hostile_names(300) if name and name == name.lower()]
    wanted = {name: f"v{number}" for number, name in enumerate(names)}
    wrong: list[str] = []
    with trino_engine.Trino() as trino:
        for start in range(0, len(values), 250):
            text = f"SELECT v FROM UNNEST(ARRAY[{', '.join(map(dialect.literal, values[start : start + 250]))}]) AS t (v)"  # noqa: S608
            assert [value for row in trino.rows(text) for value in row] == values[start : start + 250]
        asked, refused = _members(trino, Kind.JSON_TEXT, 400)
        for start in range(0, len(names), 100):
            part = names[start : start + 100]
            trino.load(_table(EngineKind.ATHENA, [(name, TEXT) for name in part]), [{name: wanted[name] for name in part}])
            wrong += _asked(trino, list(_printable(part, dialect.identifier)), wanted)
    assert not wrong, f"{len(wrong)} of {len(names)}:\n" + "\n".join(wrong)
    figures = f"{len(values)} values, {len(names)} columns, {asked} members, {refused} refused"
    record_property("parity", f"trino itself: {figures}, 0 escapes")


# -- titles -------------------------------------------------------------------------------------------------------


def _titled(layout: Layout, title: str) -> str:
    rule = load_rule_text(rule_text({"sel": {"name|contains": "x", "code": "it's"}, "condition": "sel"}, 1), "rule.yml")
    asking = Asking(locator=Locator(mapping(), replace(layout, notes=(title,))), span=Last(hours=1), meanings={})
    return whole_query([replace(rule, title=title)], asking).text


def _program_tree(layout: Layout, text: str) -> object:
    match layout.engine:
        case EngineKind.ATHENA:
            # Token by token, comments left out; texts of literals do not matter here, so all of it may be in capitals.
            tokens, _ = _trino(text.upper())
            return [int(token.getType()) for token in tokens if token.getChannel() == 0]
        case EngineKind.BIGQUERY:
            return resolved(text, [layout])
        case EngineKind.KQL:
            return kusto_tree(text)
        case EngineKind.DUCKDB:
            return duckdb_tree(text)


@pytest.mark.parametrize("layout", [each for each in LAYOUTS if each.name == "typed"], ids=lambda layout: layout.label)
def test_title_and_note_stay_in_their_comment(layout: Layout, record_property: Record) -> None:
    harmless = _program_tree(layout, _titled(layout, "harmless"))
    count = 50 if layout.engine is EngineKind.BIGQUERY else 250
    titles = [*drawn(SEED + 4, count, is_long=False), "x\0y", "x\ud800y", "\\", "x\\\nSELECT 1", "*/ SELECT 1; /*", "\u2028| take 1"]
    mark = "//" if layout.engine is EngineKind.KQL else "--"
    for title in titles:
        text = _titled(layout, title)
        assert _program_tree(layout, text) == harmless, title
        assert len([line for line in text.split("\n") if line.startswith(mark)]) == 4, title
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text), title
    record_property("parity", f"{layout.label}: {len(titles)} hostile titles and notes, 0 escapes")


def test_reader_of_programs_notices_a_title_that_escapes() -> None:
    for layout in LAYOUTS:
        if layout.name != "typed":
            continue
        text = _titled(layout, "harmless")
        harmless = _program_tree(layout, text)
        for broken in ("harmless\n1 = 1", "harmless\n| take 1"):
            try:
                assert _program_tree(layout, text.replace("harmless", broken, 1)) != harmless
            except Rejected:
                continue


def test_printers_have_no_other_way_to_a_literal() -> None:
    """Blank texts of a mapping and literals of a rule go through the same door."""
    column = ColumnValue(name="c", type=TEXT)
    printers: tuple[SqlPrinter | KqlPrinter, ...] = (*SQL_PRINTERS.values(), KQL_PRINTER)
    for printer in printers:
        for condition in (IsPresent(value=column, blanks=("a'b\\",)), TextIs(value=column, op=TextOp.EQUALS, literal="a'b\\", cased=True)):
            engine = printer.dialect.engine if isinstance(printer, SqlPrinter) else EngineKind.KQL
            assert LITERALS[engine]("a'b\\") in flat(printer.condition(condition))
