"""BigQuery's SQL on Google's reference implementation of GoogleSQL (PyPI zetasql: a WebAssembly module)."""

from __future__ import annotations

import ctypes
import fcntl
import importlib.metadata
import json
import operator
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final, TypeVar, cast
from unittest import mock

import wasmtime
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from zetasql.core import wasm_client
from zetasql.core.exceptions import ServerError, StatusCode
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import builtin_function_pb2, type_pb2, value_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public_options

from aibr_hunt.content.cache import write_whole
from aibr_hunt.model.layout import ColumnType, EngineKind, Kind, Layout
from tests.standins.contract import Gap, Rejected, Row, TableColumn, check_names, columns_of, day, utc

CACHE: Final = Path(sys.prefix) / "aibr-standins"
"""Holds the compiled module: compiling takes the better part of a minute."""

_Reply = TypeVar("_Reply", bound=Message)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# BigQuery has these; the reference implementation does not know their names or does not run them.
_MISSING: Final = ("APPROX_COUNT_DISTINCT", "APPROX_QUANTILES", "COLLATE", "CONTAINS_SUBSTR", "HLL_COUNT", "MAX_BY", "MIN_BY", "SEARCH")
# The reference implementation has these; BigQuery does not.
_FOREIGN: Final = (
    "ARRAY_EQUALITY",
    "ARRAY_FIND_FUNCTIONS",
    "ARRAY_ORDERING",
    "FIRST_AND_LAST_N",
    "INLINE_LAMBDA_ARGUMENT",
    "JSON_TYPE_COMPARISON",
    "LATERAL_COLUMN_REFERENCES",
    "LATERAL_JOIN",
    "LIMIT_OFFSET_EXPRESSIONS",
    "MAP_TYPE",
    "MULTIWAY_UNNEST",
    "ROW_TYPE",
    "SAFE_FUNCTION_CALL_WITH_LAMBDA_ARGS",
    "STRUCT_POSITIONAL_ACCESSOR",
    "TIMESTAMP_NANOS",
    "TIMESTAMP_PICOS",
    "TIMESTAMP_PRECISION",
)
_FOREIGN_FUNCTIONS: Final = tuple(
    f"FN_{name}"
    for name in (
        *("ARRAY_AVG", "ARRAY_FILTER", "ARRAY_FIND", "ARRAY_FIRST_N", "ARRAY_INCLUDES", "ARRAY_MAX", "ARRAY_MIN", "ARRAY_OFFSET"),
        *("ARRAY_SUM", "ARRAY_TRANSFORM", "ARRAY_ZIP", "JSON_CONTAINS"),
    )
)
_SIMPLE: Final = {
    Kind.TEXT: type_pb2.TYPE_STRING,
    Kind.JSON_TEXT: type_pb2.TYPE_STRING,
    Kind.INTEGER: type_pb2.TYPE_INT64,
    Kind.REAL: type_pb2.TYPE_DOUBLE,
    Kind.BOOLEAN: type_pb2.TYPE_BOOL,
    Kind.TIME: type_pb2.TYPE_TIMESTAMP,
    Kind.JSON: type_pb2.TYPE_JSON,
}


# -- the module -------------------------------------------------------------------------------------------------


class _Module:
    """Stands where zetasql looks for `wasmtime.Module`: compiles once for all processes."""

    @staticmethod
    def from_file(engine: wasmtime.Engine, path: str) -> wasmtime.Module:
        versions = "-".join(importlib.metadata.version(name) for name in ("zetasql", "wasmtime"))
        kept = CACHE / f"zetasql-{versions}-{platform.machine()}.cwasm"
        with _locked(kept.with_suffix(".lock")):
            if kept.exists():
                try:
                    return wasmtime.Module.deserialize_file(engine, str(kept))
                except wasmtime.WasmtimeError:  # of another processor
                    kept.unlink()
            module = wasmtime.Module.from_file(engine, path)
            write_whole(kept, bytes(module.serialize()))
            return module


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Client(wasm_client.WasmClient):  # type: ignore[misc] # zetasql publishes no annotations
    """zetasql's client, which copies byte by byte, made to copy whole blocks."""

    def _base(self) -> int:
        return ctypes.addressof(cast("wasmtime.SharedMemory", self.memory).data_ptr().contents)

    def write_bytes(self, ptr: int, data: bytes) -> None:
        ctypes.memmove(self._base() + ptr, data, len(data))

    def read_bytes(self, ptr: int, size: int) -> bytes:
        return ctypes.string_at(self._base() + ptr, size)


@cache
def _client() -> _Client:
    with mock.patch.object(wasm_client, "Module", _Module):
        return _Client(str(get_wasm_path()))


def make_ready() -> None:
    """Load the module: seconds, and a minute on a machine's first time. Who serves calls with a deadline calls this before."""
    _language()


def _call(method: str, request: Message, reply: type[_Reply]) -> _Reply:
    return cast("_Reply", _client().call_grpc_func(f"ZetaSqlLocalService_{method}", request, reply))


@cache
def _language() -> options_pb2.LanguageOptionsProto:
    """Return the language as BigQuery speaks it, as far as the reference implementation's switches go."""
    request = service.LanguageOptionsRequest(maximum_features=True)
    language = _call("GetLanguageOptions", request, options_pb2.LanguageOptionsProto)
    foreign = {public_options.LanguageFeature.Value(f"FEATURE_{name}") for name in _FOREIGN}
    kept = [feature for feature in language.enabled_language_features if feature not in foreign]
    del language.enabled_language_features[:]
    language.enabled_language_features.extend(kept)
    language.product_mode = public_options.PRODUCT_EXTERNAL
    return language


def _analyzer_options() -> options_pb2.AnalyzerOptionsProto:
    return options_pb2.AnalyzerOptionsProto(language_options=_language(), default_timezone="UTC")


# -- tables -----------------------------------------------------------------------------------------------------


def _type(of: ColumnType) -> type_pb2.TypeProto:
    if of.kind in _SIMPLE:
        return type_pb2.TypeProto(type_kind=_SIMPLE[of.kind])
    made = type_pb2.TypeProto()
    if of.kind is Kind.STRUCT:
        made.type_kind = type_pb2.TYPE_STRUCT
        for name, member in of.members:
            made.struct_type.field.add(field_name=name, field_type=_type(member))
    elif of.kind is Kind.ARRAY and of.item is not None:
        made.type_kind = type_pb2.TYPE_ARRAY
        made.array_type.element_type.CopyFrom(_type(of.item))
    else:
        raise Gap(f"a column of type {of.kind.value}")
    return made


def _column_type(column: TableColumn) -> type_pb2.TypeProto:
    return type_pb2.TypeProto(type_kind=type_pb2.TYPE_DATE) if column.is_date else _type(column.type)


def _fill(into: value_pb2.ValueProto, of: ColumnType, value: object) -> None:
    """Write the value; a NULL stays unset, and a NULL array is an empty one, as BigQuery stores it."""
    if of.kind is Kind.ARRAY and of.item is not None:
        into.array_value.SetInParent()
        for item in cast("list[object]", value or []):
            if item is None:
                raise ValueError("BigQuery stores no NULL in an array")
            _fill(into.array_value.element.add(), of.item, item)
    elif value is None:
        # A NULL struct is NULL as a whole.
        return
    elif of.kind is Kind.STRUCT:
        into.struct_value.SetInParent()
        inside = cast("dict[str, object]", value)
        for name, member in of.members:
            _fill(into.struct_value.field.add(), member, inside.get(name))
        if unknown := inside.keys() - dict(of.members).keys():
            raise ValueError(f"the struct has no member {', '.join(sorted(unknown))}")
    else:
        _fill_leaf(into, of.kind, value)


def _fill_leaf(into: value_pb2.ValueProto, kind: Kind, value: object) -> None:
    match kind, value:
        case ((Kind.TEXT | Kind.JSON_TEXT), str()):
            into.string_value = value
        case Kind.BOOLEAN, bool():
            into.bool_value = value
        case Kind.INTEGER, int():
            into.int64_value = value
        case Kind.REAL, (float() | int()):
            into.double_value = float(value)
        case Kind.TIME, _:
            into.timestamp_value.FromDatetime(utc(value))
        case Kind.JSON, _:
            into.json_value = json.dumps(value, ensure_ascii=False)
        case _:
            raise TypeError(f"{value!r} is no {kind.value}")


def _value(of: value_pb2.ValueProto) -> object:
    """Return a Python value; struct as tuple."""
    which = of.WhichOneof("value")
    match which:
        case None:
            return None
        case "array_value":
            return [_value(item) for item in of.array_value.element]
        case "struct_value":
            return tuple(_value(field) for field in of.struct_value.field)
        case "timestamp_value":
            return _EPOCH + timedelta(seconds=of.timestamp_value.seconds, microseconds=of.timestamp_value.nanos // 1000)
        case "date_value":
            return date(1970, 1, 1) + timedelta(days=of.date_value)
        case "numeric_value":  # billionths, as the shortest two's complement, lowest byte first
            return Decimal(int.from_bytes(of.numeric_value, "little", signed=True)).scaleb(-9)
        case _:
            return getattr(of, which)


def _catalog(layouts: Sequence[Layout]) -> simple_catalog_pb2.SimpleCatalogProto:
    catalog = simple_catalog_pb2.SimpleCatalogProto(name="catalog")
    options = catalog.builtin_function_options
    options.language_options.CopyFrom(_language())
    options.exclude_function_ids.extend(
        number for name, number in builtin_function_pb2.FunctionSignatureId.items() if name.startswith(_FOREIGN_FUNCTIONS)
    )
    for layout in layouts:
        table = catalog.table.add(name=layout.table)
        for column in columns_of(layout):
            table.column.add(name=column.name, type=_column_type(column), is_pseudo_column=column.is_pseudo)
    return catalog


def _failure(error: ServerError) -> Gap | Rejected:
    message = str(error.message)
    missing = next((name for name in _MISSING if name in message.upper()), "")
    if missing and ("not found" in message.lower() or error.code == StatusCode.UNIMPLEMENTED):
        return Gap(missing)
    return Gap(message) if error.code == StatusCode.UNIMPLEMENTED else Rejected(message)


class _LastCatalog:
    """Keeps the catalog that was asked for last: to make one takes ten times as long as to analyze a program."""

    def __init__(self) -> None:
        self._layouts: list[Layout] = []
        self._ident = -1

    def of(self, layouts: Sequence[Layout]) -> int:
        """Return the number under which GoogleSQL holds the tables of these layouts."""
        is_same = len(layouts) == len(self._layouts) and all(map(operator.is_, layouts, self._layouts))
        if self._ident < 0 or not is_same:
            if self._ident >= 0:
                _call("UnregisterCatalog", service.UnregisterRequest(registered_id=self._ident), empty_pb2.Empty)
            request = service.RegisterCatalogRequest(simple_catalog=_catalog(layouts))
            self._ident = _call("RegisterCatalog", request, service.RegisterResponse).registered_id
            self._layouts = list(layouts)
        return self._ident


_KEPT: Final = _LastCatalog()


def analyze(text: str, layouts: Sequence[Layout]) -> list[str]:
    """Return what GoogleSQL's analyzer has against a program over the tables of these layouts; it stops at the first error."""
    request = service.AnalyzeRequest(sql_statement=text, options=_analyzer_options(), registered_catalog_id=_KEPT.of(layouts))
    try:
        _call("Analyze", request, service.AnalyzeResponse)
    except ServerError as error:
        return [str(_failure(error))]
    return []


class GoogleSql:
    """Tables in memory and programs over them."""

    name = "zetasql"
    engine = EngineKind.BIGQUERY

    def __init__(self) -> None:
        self._tables: dict[str, tuple[Layout, service.TableContent]] = {}
        self._catalog = 0

    def load(self, layout: Layout, rows: Sequence[Row]) -> None:
        """Make the layout's table hold these rows and no others."""
        check_names(layout, rows)
        content = service.TableContent()
        content.table_data.SetInParent()
        for row in rows:
            cells = content.table_data.row.add()
            for column in columns_of(layout):
                cell, value = cells.cell.add(), row.get(column.name)
                if not column.is_date:
                    _fill(cell, column.type, value)
                elif value is not None:
                    cell.date_value = (day(value) - date(1970, 1, 1)).days
        self._tables[layout.table] = (layout, content)
        self._forget()

    def _forget(self) -> None:
        if self._catalog:
            _call("UnregisterCatalog", service.UnregisterRequest(registered_id=self._catalog), empty_pb2.Empty)
            self._catalog = 0

    def _registered(self) -> int:
        if not self._catalog:
            request = service.RegisterCatalogRequest(simple_catalog=_catalog([layout for layout, _ in self._tables.values()]))
            for name, (_, content) in self._tables.items():
                request.table_content[name].CopyFrom(content)
            self._catalog = _call("RegisterCatalog", request, service.RegisterResponse).registered_id
        return self._catalog

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Return the rows that a query gives."""
        request = service.PrepareQueryRequest(sql=text, options=_analyzer_options(), registered_catalog_id=self._registered())
        try:
            prepared = _call("PrepareQuery", request, service.PrepareQueryResponse).prepared.prepared_query_id
            try:
                evaluate = service.EvaluateQueryRequest(prepared_query_id=prepared)
                content = _call("EvaluateQuery", evaluate, service.EvaluateQueryResponse).content
            finally:
                _call("UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=prepared), empty_pb2.Empty)
        except ServerError as error:
            raise _failure(error) from error
        return [tuple(_value(cell) for cell in row.cell) for row in content.table_data.row]


@cache
def googlesql() -> GoogleSql:
    """Return this process's stand-in."""
    return GoogleSql()
