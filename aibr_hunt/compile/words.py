"""Words that an engine does not take for a name unless they are quoted (the engines' references)."""

from __future__ import annotations

from typing import Final

# fmt: off
ATHENA: Final = frozenset((
    "alter", "and", "as", "between", "by", "case", "cast", "constraint", "create", "cross", "cube", "current_catalog",
    "current_date", "current_path", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "date",
    "deallocate", "delete", "describe", "distinct", "drop", "else", "end", "escape", "except", "execute", "exists", "extract",
    "false", "for", "from", "full", "group", "grouping", "having", "in", "inner", "insert", "intersect", "into", "is", "join",
    "json_array", "json_exists", "json_object", "json_query", "json_table", "json_value", "left", "like", "listagg", "localtime",
    "localtimestamp", "natural", "normalize", "not", "null", "on", "or", "order", "outer", "prepare", "recursive", "right",
    "rollup", "row", "select", "skip", "start", "table", "then", "time", "timestamp", "trim", "true", "type", "uescape", "union",
    "unnest", "using", "values", "when", "where", "with",
))
BIGQUERY: Final = frozenset((
    "all", "and", "any", "array", "as", "asc", "assert_rows_modified", "at", "between", "by", "case", "cast", "collate", "contains",
    "create", "cross", "cube", "current", "current_date", "current_datetime", "current_time", "current_timestamp", "default",
    "define", "desc", "distinct", "else", "end", "enum", "escape", "except", "exclude", "exists", "extract", "false", "fetch",
    "following", "for", "from", "full", "group", "grouping", "groups", "hash", "having", "if", "ignore", "in", "inner", "intersect",
    "interval", "into", "is", "join", "lateral", "left", "like", "limit", "lookup", "merge", "natural", "new", "no", "not", "null",
    "nulls", "of", "on", "or", "order", "outer", "over", "partition", "preceding", "proto", "qualify", "range", "recursive",
    "respect", "right", "rollup", "rows", "select", "set", "some", "struct", "tablesample", "then", "to", "treat", "true",
    "unbounded", "union", "unnest", "using", "when", "where", "window", "with", "within",
))
KQL: Final = frozenset((
    "__contextual_datatable", "__id", "accumulate", "and", "anomalychart", "areachart", "as", "asc", "bagexpansion", "barchart",
    "between", "bin_legacy", "bool", "boolean", "by", "byte", "cachingpolicy", "callout", "cancel", "card", "char", "columnchart",
    "contains", "contains_cs", "containscs", "count", "cycles", "dataexport", "datascope", "datatable", "date", "datetime",
    "decimal", "declare", "decodeblocks", "default", "desc", "distinct", "double", "dynamic", "earliest", "encodingpolicy",
    "endswith", "endswith_cs", "evaluate", "expandoutput", "extend", "extent_tags_retention", "external_data", "externaldata",
    "false", "find", "first", "flags", "float", "force_remote", "fork", "from", "guid", "harddelete", "hardretention", "has",
    "has_all", "has_any", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs", "hint", "hotcache", "id", "in", "int",
    "invoke", "isfuzzy", "join", "journal", "kind", "ladderchart", "last", "latest", "let", "like", "likecs", "limit", "linechart",
    "long", "lookup", "materialize", "mdm", "members", "missing", "mvexpand", "nooptimization", "not", "notcontains",
    "notcontainscs", "notlike", "notlikecs", "null", "of", "on", "or", "order", "others", "pack", "parse", "partition",
    "pathformat", "piechart", "pivotchart", "print", "project", "queries", "query_results", "range", "real", "reduce", "relaxed",
    "render", "restrict", "restricted_view_access", "row_level_security", "rowstore", "rowstore_references", "rowstore_sealinfo",
    "rowstorepolicy", "rowstores", "sample", "scan", "scatterchart", "seal", "seals", "search", "serialize", "series", "set",
    "shards", "simple", "softdelete", "softretention", "sort", "sql", "stackedareachart", "startswith", "startswith_cs",
    "statistics", "step", "stored", "storedqueryresultcontainers", "string", "summarize", "tablepurge", "take", "time", "timechart",
    "timeline", "timepivot", "timespan", "title", "to", "top", "toscalar", "totable", "treemap", "true", "type", "typeof", "uint",
    "ulong", "union", "uniqueid", "unrestrictedviewers", "verbose", "view", "viewers", "views", "where", "with", "with_itemindex",
    "with_match_id", "with_step_name", "writeaheadlog",
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
