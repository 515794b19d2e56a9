"""Chooses the format of the rows: by the params, or by the names of the columns."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from pipeline.contract.params import Columns, Prepare
from pipeline.contract.problems import StageError
from pipeline.data.formats import FORMATS, Format, columns_format
from pipeline.data.rows import RawRow, printable
from pipeline.data.sources import STARTER

_DEFAULT_CATEGORY = "category"
_MAX_COLUMNS_SHOWN = 30


def choose_format(rows: list[RawRow], prepare: Prepare) -> Format:
    """The format that the params name, or the one that fits most rows; StageError when the columns do not fit."""
    found = Counter(name for row in rows for name in row.columns)
    _require_named_columns(found, prepare)
    if prepare.source == STARTER:
        return _known("prompt_completion")
    if prepare.format == "auto":
        return _detect(rows, found, prepare)
    chosen = columns_format(prepare.columns) if prepare.format == "columns" else _known(prepare.format)
    if any(name not in found for name in chosen.required):
        needed = " and ".join(chosen.required)
        _refuse(prepare, f"prepare.format is {prepare.format!r}, which needs {needed}", found)
    return chosen


def category_column(columns: Columns) -> str:
    """Column that the category is read from."""
    return columns.category or _DEFAULT_CATEGORY


def _detect(rows: list[RawRow], found: Counter[str], prepare: Prepare) -> Format:
    columns = prepare.columns
    known = (columns_format(columns),) if columns.prompt and columns.completion else FORMATS
    best = max(known, key=lambda candidate: _num_fitting(rows, candidate))
    if _num_fitting(rows, best) == 0:
        _refuse(prepare, "prepare.format is 'auto', and no known format has the columns that were found", found)
    return best


def _num_fitting(rows: list[RawRow], candidate: Format) -> int:
    return sum(all(name in row.columns for name in candidate.required) for row in rows)


def _known(name: str) -> Format:
    return next(known for known in FORMATS if known.name == name)


def _require_named_columns(found: Mapping[str, Any], prepare: Prepare) -> None:
    for key, name in prepare.columns.model_dump().items():
        if name is not None and name not in found:
            raise StageError(
                f"params.yaml: prepare.columns.{key} is {name!r}: no such column in {prepare.source}; "
                f"found: {_list(found)}"
            )


def _refuse(prepare: Prepare, reason: str, found: Iterable[str]) -> NoReturn:
    formats = "; ".join(f"{known.name} ({', '.join(known.required)})" for known in FORMATS)
    raise StageError(
        f"{prepare.source}: {reason}.\n"
        f"Columns found: {_list(found)}.\n"
        f"Formats known: {formats}; columns (those that you name).\n"
        "To name them set in params.yaml: prepare.format: columns, prepare.columns.prompt: <column>, "
        "prepare.columns.completion: <column>"
    )


def _list(names: Iterable[str]) -> str:
    names = sorted(names)
    hidden = len(names) - _MAX_COLUMNS_SHOWN
    more = f" and {hidden} more" if hidden > 0 else ""
    return printable(", ".join(names[:_MAX_COLUMNS_SHOWN])) + more
