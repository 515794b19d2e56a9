"""Parts of the Query screen that need no screen: colours of SQL, cells, copies, history."""

import doctest
import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core import queries, table_text
from tui.core.ports import QueryResult
from tui.core.queries import SavedQuery, place_in, quoted
from tui.core.table_text import as_csv, as_json, as_markdown
from tui.screens.query import history
from tui.screens.query.history import NUM_KEPT, remembered
from tui.screens.query.rows import NULL, ResultRows, shown
from tui.widgets import sql_editor
from tui.widgets.sql_editor import spans


@pytest.mark.parametrize("module", [queries, table_text, history, sql_editor])
def test_examples_in_the_code_are_true(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def kinds(text: str) -> list[list[tuple[str, str]]]:
    lines = text.split("\n")
    return [[(lines[row][start:end], kind) for start, end, kind in found] for row, found in enumerate(spans(text))]


def test_words_texts_numbers_and_comments_are_told_apart() -> None:
    assert kinds("SELECT selected, 'it''s' -- FROM 'x\nFROM \"from\" WHERE x1 = 1.5e3 AND y = $where") == [
        [("SELECT", "keyword"), ("'it''s'", "text"), ("-- FROM 'x", "comment")],
        [
            ("FROM", "keyword"), ('"from"', "name"), ("WHERE", "keyword"), ("1.5e3", "number"), ("AND", "keyword"),
            ("$where", "parameter"),
        ],
    ]  # fmt: skip


def test_texts_and_comments_go_on_over_lines_and_to_the_end() -> None:
    assert kinds("'a\nselect\n' from /* x\n\nselect") == [
        [("'a", "text")],
        [("select", "text")],
        [("'", "text"), ("from", "keyword"), ("/* x", "comment")],
        [],
        [("select", "comment")],
    ]


@given(st.text(alphabet="ab '\"-/*\n$1select", max_size=40))
def test_colours_stay_within_their_lines(text: str) -> None:
    lines, found = text.split("\n"), spans(text)
    assert len(found) <= len(lines)
    for line, parts in zip(lines, found, strict=False):
        places = [place for start, end, _ in parts for place in (start, end)]
        assert places == sorted(places)
        assert all(place <= len(line) for place in places)


@given(st.text(max_size=20), st.integers(min_value=0, max_value=20))
def test_a_place_is_where_the_character_is(text: str, position: int) -> None:
    position = min(position, len(text))
    line, column = place_in(text, position)
    before = text.split("\n")[: line - 1]
    assert sum(len(one) + 1 for one in before) + column - 1 == position


@pytest.mark.parametrize(
    ("value", "column", "wanted"),
    [
        (None, "", NULL),
        ("", "", ""),
        ("NULL", "", "NULL"),
        (0.1 + 0.2, "", "0.3"),
        (36462592.0, "", "36462592"),
        (1e300, "", "1e+300"),
        (math.nan, "", "nan"),
        (-math.inf, "", "-inf"),
        (2**127, "", str(2**127)),
        (True, "", "true"),
        ([1, None, "é"], "", '[1, null, "é"]'),
        (datetime(2026, 1, 2, 3, 4, 5), "", "2026-01-02 03:04:05"),
        ("a" * 40, "rev", "aaaaaaa"),
        ("a" * 40, "text", "a" * 40),
        ("workspace", "rev", "workspace"),
    ],
)
def test_cells(value: Any, column: str, wanted: Any) -> None:
    assert shown(value, column) == wanted


def test_sorting_keeps_null_and_nan_last_and_copes_with_mixed_values() -> None:
    values = [2, None, 10, math.nan, "b", True, [1], 1.5]
    rows = ResultRows(QueryResult(("x",), tuple((value,) for value in values), False), 3)
    (column,) = rows.columns()
    orders = []
    for _ in range(3):
        rows.turn_sort(column.key)
        orders.append([int(rows.key(place)) for place in range(rows.num_rows)])
    assert orders == [[4, 6, 2, 0, 7, 5, 1, 3], [5, 7, 0, 2, 6, 4, 1, 3], list(range(8))]


def test_copies_hold_every_digit_and_tell_null() -> None:
    columns, rows = ("a|b", "n", "n"), [("x\ny", 0.1 + 0.2, None), ("<b>", math.inf, True)]
    assert as_csv(columns, rows) == 'a|b,n,n\n"x\ny",0.30000000000000004,\n<b>,inf,true\n'
    assert as_markdown(columns, rows).splitlines()[0] == "| a\\|b | n | n |"
    assert "| x<br>y | 0.30000000000000004 |  |" in as_markdown(columns, rows)
    assert "| &lt;b> | inf | true |" in as_markdown(columns, rows)
    assert json.loads(as_json(columns, rows)) == [
        {"a|b": "x\ny", "n": 0.1 + 0.2, "n_3": None},
        {"a|b": "<b>", "n": None, "n_3": True},
    ]


def test_the_history_is_short_and_has_nothing_twice() -> None:
    kept: tuple[str, ...] = ()
    for number in range(150):
        kept = remembered(kept, f"SELECT {number % 120}")
    assert len(kept) == NUM_KEPT == len(set(kept))
    assert kept[-1] == "SELECT 29"
    assert remembered(kept, "x" * 100_000) == kept


@given(st.text())
def test_a_value_put_into_a_saved_query_stays_one_text(value: str) -> None:
    filled = SavedQuery("q", "", "SELECT $a, $b, $a").with_values({"a": value, "b": "$a"})
    assert filled == f"SELECT {quoted(value)}, '$a', {quoted(value)}"
    assert quoted(value)[1:-1].replace("''", "") == value.replace("'", "")
