"""What a query is before it runs: one statement that reads, without functions that reach out, and which tables."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

import duckdb

from tui.core.errors import UsageError
from tui.core.queries import QueryError
from tui.store.sql.wrongs import HINT

_READING = {"SELECT", "EXPLAIN", "MULTI"}
"""`MULTI` is a PIVOT whose columns are found out first."""
_NAMES = {"identifier", "keyword", "string_const"}
_REFUSED = {
    "arrow_scan", "arrow_scan_dumb", "checkpoint", "create_external_resource", "deregister_external_resource",
    "destroy_external_resource", "disable_logging", "disable_profiling", "enable_logging", "enable_profiling",
    "force_checkpoint", "getenv", "glob", "json_execute_serialized_sql", "pandas_scan", "parquet_bloom_probe",
    "parquet_file_metadata", "parquet_full_metadata", "parquet_kv_metadata", "parquet_metadata", "parquet_scan",
    "parquet_schema", "python_arrow_scan", "python_map_function", "query", "read_blob", "read_csv", "read_csv_auto",
    "read_duckdb", "read_json", "read_json_auto", "read_json_objects", "read_json_objects_auto", "read_ndjson",
    "read_ndjson_auto", "read_ndjson_objects", "read_parquet", "read_single_csv_file", "read_single_json_file",
    "read_single_parquet_file", "read_text", "register_external_resource", "register_external_resource_type",
    "seq_scan", "sleep_ms", "sniff_csv", "summary", "truncate_duckdb_logs", "which_secret", "write_log",
}  # fmt: skip
"""Functions that read files, change the engine, run text as SQL or never end; DuckDB would refuse most by itself."""


def check(connection: Any, sql: str, parameters: Mapping[str, str]) -> Any:
    """The statement, if it is a single one that only reads and gets what it needs."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UsageError("a query must be exactly one statement", f"this has {len(statements)}", HINT)
    kind = str(statements[0].type).rpartition(".")[2]
    if kind not in _READING:
        raise UsageError(f"a query can only read, and this is {kind}", hint=HINT)
    for name, position in _calls(sql):
        if name.lower() in _REFUSED:
            raise QueryError("a query sees only its tables", f"{name}() is not for queries", HINT, position)
    _check_parameters(statements[0].named_parameters, parameters)
    return statements[0]


def named_tables(connection: Any, sql: str) -> Collection[str]:
    """Tables that a statement reads, as DuckDB finds them; where it cannot, every name in it that could be one."""
    try:
        # it looks at no catalog, and so stumbles over parameters, PIVOT and USING
        return {name.rpartition(".")[2] for name in connection.get_table_names(sql)}
    except duckdb.Error:
        return {text.strip("\"'") for text, kind, _ in _tokens(sql) if kind in _NAMES}


def _check_parameters(wanted: Collection[str], given: Mapping[str, str]) -> None:
    missing, more = sorted(set(wanted) - given.keys()), sorted(given.keys() - set(wanted))
    if missing:
        hint = " ".join(f"-p {name}=..." for name in missing)
        raise UsageError("the query needs values", ", ".join(f"${name}" for name in missing), hint)
    if more:
        raise UsageError("the query has no such parameter", ", ".join(f"${name}" for name in more))


def _calls(sql: str) -> Iterator[tuple[str, int]]:
    """Names that are called as functions, and where."""
    tokens = _tokens(sql)
    for (text, kind, place), (following, _, _) in pairwise(tokens):
        if following.startswith("(") and kind != "string_const":
            yield text.strip('"'), place


def _tokens(sql: str) -> list[tuple[str, str, int]]:
    """Text, kind and place of every token but comments."""
    data = sql.encode()
    found = [(offset, str(kind).rpartition(".")[2]) for offset, kind in duckdb.tokenize(sql)]
    ends = [offset for offset, _ in found[1:]] + [len(data)]
    tokens = ((data[start:end], kind, start) for (start, kind), end in zip(found, ends, strict=True))
    return [
        (text.decode(errors="replace").strip(), kind, len(data[:start].decode(errors="ignore")))
        for text, kind, start in tokens
        if kind != "comment"
    ]
