"""Words that an engine does not take for a name unless they are quoted (the engines' references)."""

from __future__ import annotations

from typing import Final

# fmt: off
ATHENA: Final = frozenset((
    "alter", "and", "as", "between", "by", "case", "cast", "constraint", "create", "cross", "cube", "current_catalog",
    "current_date", "current_path", "current_role", "current_schema", "current_time", "current_timestamp", "current_user",
    "deallocate", "delete", "describe", "distinct", "drop", "else", "end", "escape", "except", "exists", "extract", "false", "for",
    "from", "full", "group", "grouping", "having", "in", "inner", "insert", "intersect", "into", "is", "join", "json_array",
    "json_exists", "json_object", "json_query", "json_table", "json_value", "left", "like", "listagg", "localtime",
    "localtimestamp", "natural", "normalize", "not", "null", "on", "or", "order", "outer", "prepare", "recursive", "right",
    "rollup", "select", "skip", "table", "then", "trim", "true", "uescape", "union", "unnest", "using", "values", "when", "where",
    "with", "date", "timestamp", "time", "start", "type", "row",
))
BIGQUERY: Final = frozenset((
    "all", "and", "any", "array", "as", "asc", "assert_rows_modified", "at", "between", "by", "case", "cast", "collate", "contains",
    "create", "cross", "cube", "current", "default", "define", "desc", "distinct", "else", "end", "enum", "escape", "except",
    "exclude", "exists", "extract", "false", "fetch", "following", "for", "from", "full", "group", "grouping", "groups", "hash",
    "having", "if", "ignore", "in", "inner", "intersect", "interval", "into", "is", "join", "lateral", "left", "like", "limit",
    "lookup", "merge", "natural", "new", "no", "not", "null", "nulls", "of", "on", "or", "order", "outer", "over", "partition",
    "preceding", "proto", "qualify", "range", "recursive", "respect", "right", "rollup", "rows", "select", "set", "some", "struct",
    "tablesample", "then", "to", "treat", "true", "unbounded", "union", "unnest", "using", "when", "where", "window", "with",
    "within",
))
KQL: Final = frozenset((
    "kind", "hint", "pack", "range", "step", "default", "title", "view", "materialize", "invoke", "partition", "series", "stored",
    "and", "as", "asc", "by", "contains", "count", "datatable", "declare", "desc", "distinct", "evaluate", "extend", "false",
    "find", "fork", "from", "has", "in", "join", "let", "limit", "lookup", "mvexpand", "not", "null", "of", "on", "or", "order",
    "parse", "print", "project", "reduce", "render", "restrict", "sample", "scan", "search", "serialize", "set", "sort",
    "summarize", "take", "to", "top", "true", "typeof", "union", "where", "with", "type", "id", "bool", "int", "long", "real",
    "string", "dynamic", "datetime", "timespan", "guid", "decimal", "time", "date",
))
DUCKDB: Final = frozenset((
    "all", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof", "asymmetric", "at", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "by", "case", "cast", "char", "character", "check", "coalesce", "collate",
    "collation", "column", "columns", "concurrently", "constraint", "create", "cross", "dec", "decimal", "default", "deferrable",
    "desc", "describe", "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign",
    "freeze", "from", "full", "generated", "glob", "group", "grouping", "grouping_id", "having", "ilike", "in", "initially",
    "inner", "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull", "join", "lambda", "lateral", "leading",
    "left", "like", "limit", "map", "national", "natural", "nchar", "none", "not", "notnull", "null", "nullif", "numeric", "offset",
    "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "pivot", "pivot_longer", "pivot_wider", "placing",
    "position", "positional", "precision", "primary", "qualify", "real", "references", "returning", "right", "row", "select",
    "semi", "setof", "show", "similar", "smallint", "some", "struct", "substring", "summarize", "symmetric", "table", "tablesample",
    "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "try_cast", "tuple", "union", "unique", "unpack",
    "unpivot", "using", "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
))
# fmt: on
