"""What duckdb-kql lacks or reads otherwise than Kusto. Its tables of functions and operators are private: its version is pinned."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, Final, TypeAlias

import duckdb
from duckdb_kql import ir, lower, translate
from duckdb_kql.translate.functions import BINARY_OPERATORS, SCALAR_FUNCTIONS, FunctionSpec

from tests.standins.contract import Gap
from tests.standins.duckdb_engine import register

HIDDEN: Final = "_ingested"
"""The column behind ingestion_time()."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


# -- functions --------------------------------------------------------------------------------------------------


def _network(text: str | None) -> Network | None:
    try:
        return ipaddress.ip_network(text or "", strict=False)
    except ValueError:
        return None


def _ipv4_is_in_range(address: str | None, network: str | None) -> bool | None:
    """True when the address (or prefix) lies in the IPv4 network; null when either cannot be read."""
    inner, outer = _network(address), _network(network)
    if not isinstance(inner, ipaddress.IPv4Network) or not isinstance(outer, ipaddress.IPv4Network):
        return None
    bits = min(inner.prefixlen, outer.prefixlen)
    return inner.supernet(new_prefix=bits) == outer.supernet(new_prefix=bits)


def _in_v6(text: str | None) -> ipaddress.IPv6Network | None:
    """Return a network, that of an IPv4 text mapped into IPv6."""
    network = _network(text)
    if isinstance(network, ipaddress.IPv4Network):
        return ipaddress.IPv6Network((int(ipaddress.IPv6Address(f"::ffff:{network.network_address}")), network.prefixlen + 96))
    return network


def _ipv6_is_in_range(address: str | None, network: str | None) -> bool | None:
    """True when the address lies in the network, either of which may be IPv4; null when one cannot be read."""
    inner, outer = _in_v6(address), _in_v6(network)
    if inner is None or outer is None:
        return None
    bits = min(inner.prefixlen, outer.prefixlen)
    return inner.supernet(new_prefix=bits) == outer.supernet(new_prefix=bits)


def _ipv4_is_private(address: str | None) -> bool | None:
    """True when the address lies in a network of RFC 1918; null when it cannot be read."""
    return _ipv4_is_in_any_range(address, '["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]')


def _ipv4_is_in_any_range(address: str | None, networks: str | None) -> bool | None:
    """True when the address lies in one of the networks (a JSON array of texts); null when it cannot be read."""
    if not isinstance(_network(address), ipaddress.IPv4Network):
        return None
    return any(_ipv4_is_in_range(address, network) for network in json.loads(networks or "[]"))


def _translate(searched: str | None, replacements: str | None, source: str | None) -> str:
    """Replace each letter of `searched` by its counterpart; the last replacement stands for those that are missing."""
    letters, others = searched or "", replacements or ""
    padded = others + others[-1:] * (len(letters) - len(others))
    table: dict[int, str | None] = {}
    for at, letter in enumerate(letters):
        table.setdefault(ord(letter), padded[at] if padded else None)
    return (source or "").translate(table)


def _bag(text: str | None) -> dict[str, object] | None:
    found = json.loads(text) if text else None
    return found if isinstance(found, dict) else None


def _bag_keys(text: str | None) -> str | None:
    bag = _bag(text)
    return None if bag is None else json.dumps(list(bag), ensure_ascii=False)


def _bag_has_key(text: str | None, key: str | None) -> bool | None:
    bag = _bag(text)
    return None if bag is None else key in bag


def _array_concat(texts: list[str | None] | None) -> str | None:
    """Join arrays; null when one of them is no array."""
    arrays = [json.loads(text) if text else None for text in texts or []]
    found = [array for array in arrays if isinstance(array, list)]
    return json.dumps([item for array in found for item in array], ensure_ascii=False) if len(found) == len(arrays) else None


def _strcmp(left: str | None, right: str | None) -> int:
    first, second = left or "", right or ""
    return (first > second) - (first < second)


_UDFS: Final[dict[str, tuple[Callable[..., object], int, str]]] = {
    "bag_has_key": (_bag_has_key, 2, "BOOLEAN"),
    "bag_keys": (_bag_keys, 1, "JSON"),
    "ipv4_is_in_any_range": (_ipv4_is_in_any_range, 2, "BOOLEAN"),
    "ipv4_is_in_range": (_ipv4_is_in_range, 2, "BOOLEAN"),
    "ipv4_is_match": (_ipv4_is_in_range, 2, "BOOLEAN"),
    "ipv4_is_private": (_ipv4_is_private, 1, "BOOLEAN"),
    "ipv6_is_in_range": (_ipv6_is_in_range, 2, "BOOLEAN"),
    "ipv6_is_match": (_ipv6_is_in_range, 2, "BOOLEAN"),
    "strcmp": (_strcmp, 2, "BIGINT"),
    "translate": (_translate, 3, "VARCHAR"),
}
_TEMPLATES: Final[dict[str, tuple[str, int]]] = {
    "ingestion_time": (f'"{HIDDEN}"', 0),
    "isascii": ("regexp_full_match(CAST({0} AS VARCHAR), '[\\x00-\\x7F]*')", 1),
    "isnotnull": ("NOT kql_isnull({0})", 1),
    "isnull": ("kql_isnull({0})", 1),
    "new_guid": ("row_number() OVER ()", 0),  # unique in a row, which is all that may be asked of it
    "parse_json": ("kql_parse_json({0})", 1),
    "range": ("to_json(range(CAST({0} AS BIGINT), CAST({1} AS BIGINT) + 1, CAST({2} AS BIGINT)))", 3),  # of whole numbers
    "todecimal": ("TRY_CAST(CAST({0} AS VARCHAR) AS DECIMAL(38, 12))", 1),
    "todynamic": ("kql_parse_json({0})", 1),
    "tolower": ("kql_lower(CAST({0} AS VARCHAR))", 1),
    "unixtime_microseconds_todatetime": ("make_timestamp(CAST({0} AS BIGINT))", 1),
    "unixtime_milliseconds_todatetime": ("make_timestamp(CAST(CAST({0} AS BIGINT) * 1000 AS BIGINT))", 1),
    "unixtime_seconds_todatetime": ("make_timestamp(CAST(round({0} * 1000000) AS BIGINT))", 1),
}
# Operators without case fold ASCII letters only (the documentation says so); duckdb-kql folds all.
_FOLDING: Final[dict[str, str]] = {
    "=~": "(kql_fold({0}) = kql_fold({1}))",
    "!~": "(kql_fold({0}) <> kql_fold({1}))",
    "contains": "contains(kql_fold({0}), kql_fold({1}))",
    "!contains": "NOT contains(kql_fold({0}), kql_fold({1}))",
    "startswith": "starts_with(kql_fold({0}), kql_fold({1}))",
    "!startswith": "NOT starts_with(kql_fold({0}), kql_fold({1}))",
    "endswith": "ends_with(kql_fold({0}), kql_fold({1}))",
    "!endswith": "NOT ends_with(kql_fold({0}), kql_fold({1}))",
}
_LOWER: Final = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\blower\(""")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions with a connection."""
    upper, small = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
    connection.execute(f"CREATE MACRO kql_fold(x) AS translate(CAST(x AS VARCHAR), '{upper}', '{small}')")
    connection.execute("CREATE MACRO kql_lower(x) AS lower(x)")
    # A text that is no JSON becomes a dynamic that holds the text; an empty one and the JSON null are null.
    connection.execute("CREATE MACRO kql_parse_json(x) AS coalesce(TRY_CAST(x AS JSON), to_json(nullif(CAST(x AS VARCHAR), '')))")
    connection.execute("CREATE MACRO kql_isnull(x) AS (x IS NULL OR (typeof(x) = 'JSON' AND CAST(x AS VARCHAR) = 'null'))")
    for name, (function, parameters, returned) in _UDFS.items():
        register(connection, f"kql_{name}", function, ["VARCHAR"] * parameters + [returned])
    register(connection, "kql_array_concat", _array_concat, ["VARCHAR[]", "JSON"])


def extend() -> None:
    """Teach duckdb-kql the functions and operators; once is enough for a process."""
    for name, (_, parameters, _) in _UDFS.items():
        arguments = ", ".join(f"CAST({{{number}}} AS VARCHAR)" for number in range(parameters))
        SCALAR_FUNCTIONS[name] = FunctionSpec(name, "native", f"kql_{name}({arguments})", (parameters,))
    for name, (template, parameters) in _TEMPLATES.items():
        SCALAR_FUNCTIONS[name] = FunctionSpec(name, "template", template, (parameters,))
    translate._SPECIAL_FORMS.pop("array_concat", None)
    SCALAR_FUNCTIONS["array_concat"] = FunctionSpec("array_concat", "template", "kql_array_concat(CAST([{}] AS VARCHAR[]))")
    for name, template in _FOLDING.items():
        BINARY_OPERATORS[name] = replace(BINARY_OPERATORS[name], template=template)
    setattr(lower, _OPERATOR, _with_mv_apply(lower._lower_operator))


def folded_as_kusto_does(sql: str) -> str:
    """Return SQL that duckdb-kql printed with its own `lower`, which stands for the case of operators such as `in~`, in ASCII only."""
    return _LOWER.sub(lambda found: found[1] or "kql_fold(", sql)


# -- mv-apply ---------------------------------------------------------------------------------------------------

_Operator: TypeAlias = ir.Operator | list[ir.Operator] | None
_NUMBERS: Final = count(1)
_OPERATOR: Final = "_lower_operator"


def _with_mv_apply(known: Callable[[Any], _Operator]) -> Callable[[Any], _Operator]:
    def lowered(node: Any) -> _Operator:
        inner = node
        while type(inner).__name__ in {"PipedOperatorContext", "AfterPipeOperatorContext"}:
            inner = lower._rule_children(inner)[0]
        return _mv_apply(inner) if type(inner).__name__ == "MvapplyOperatorContext" else known(node)

    return lowered


def _mv_apply(node: Any) -> list[ir.Operator]:
    """Return operators that do what mv-apply does: rows get a number, are expanded, and `summarize` joins those of one number again.

    Raises:
        Gap: The subquery is more than `where`s and `extend`s, or `extend`s before one `summarize` without `by`.
    """
    children = lower._rule_children(node)
    expanded = lower._lower_mv_expand(node, children[:-1])
    inner = lower._lower_operators(_pipeline(children[-1]))
    if not any(isinstance(operator, ir.Summarize) for operator in inner):
        if not all(isinstance(operator, ir.Where | ir.Extend) for operator in inner):
            raise Gap("mv-apply with more than where and extend")
        return [*_listed(expanded), *inner]
    *before, last = inner
    if not isinstance(last, ir.Summarize) or last.by or any(not _is_rowwise(operator) for operator in before):
        raise Gap("mv-apply with more than one summarize without by at its end")
    number = f"_row_{next(_NUMBERS)}"
    numbered = ir.Extend((ir.NamedExpr(ir.FunctionCall("new_guid", ()), number),))
    kept = ir.NamedExpr(ir.FunctionCall("arg_max", (ir.ColumnRef(number), ir.Wildcard())), None)
    joined = ir.Summarize((*last.aggregates, kept), (ir.NamedExpr(ir.ColumnRef(number), None),))
    return [numbered, *_listed(expanded), *before, joined, ir.ProjectAway((number, *_names(expanded)))]


def _is_rowwise(operator: ir.Operator) -> bool:
    """True for `extend`, and for what a nested mv-apply became. A `where` would lose the records that it empties."""
    return isinstance(operator, ir.Extend | ir.MvExpand | ir.Summarize | ir.ProjectAway)


def _listed(operator: ir.Operator | list[ir.Operator]) -> list[ir.Operator]:
    return operator if isinstance(operator, list) else [operator]


def _names(expanded: ir.Operator | list[ir.Operator]) -> list[str]:
    """Return the names of the columns that hold elements."""
    return [
        target.name or target.column for operator in _listed(expanded) if isinstance(operator, ir.MvExpand) for target in operator.targets
    ]


def _pipeline(node: Any) -> list[Any]:
    """Return the operators of the pipeline in the parentheses."""
    inner = lower._rule_children(node)[-1]
    return list(lower._rule_children(inner))
