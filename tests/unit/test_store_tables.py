"""Params, metrics and hashes as tables: every value of every row, whatever it is."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.metrics import direction
from tui.core.experiments import Experiment, flatten
from tui.core.ports import QueryResult
from tui.core.queries import QueryError
from tui.core.runs import Run, StageProgress
from tui.core.series import Event, Sample, Series, SeriesSummary, UnreadFile
from tui.store.sql.query import QueryEngine
from tui.store.sql.wire import Request, decode_answer, decode_request, encode_answer, encode_request

HOSTILE = [
    "",
    "a'b",
    'a"b',
    "a\nb",
    "a\x00b",
    "\x1b[2J",
    "\ud800",
    "\U0001f600",
    "a;DROP TABLE metrics",
    "null",
    "a.b",
    "$x",
]
NUMBERS = [0, 1, -1, 2**63, 10**400, 0.1, math.nan, math.inf, -math.inf, 5e-324, True, False]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=8)
VALUES = (
    st.none() | st.sampled_from(NUMBERS) | st.integers() | st.floats() | TEXTS | st.lists(st.integers(), max_size=2)
)
DOCUMENTS = st.dictionaries(
    TEXTS.filter(bool), VALUES | st.dictionaries(TEXTS.filter(bool), VALUES, max_size=3), max_size=4
)
FILES = st.dictionaries(st.sampled_from(["a.json", "b/c.yaml"]), DOCUMENTS, max_size=2)


class NoFiles:
    """A store whose experiments have no files."""

    def series(self, experiment: Experiment) -> list[Series]:
        return []

    def summaries(self, experiments: Any) -> list[tuple[SeriesSummary, ...]]:
        return [() for _ in experiments]

    def unread(self, experiments: Any) -> list[tuple[UnreadFile, ...]]:
        return [() for _ in experiments]

    def events(self, experiment: Experiment) -> list[Event]:
        return []

    def samples(self, experiment: Experiment) -> list[Sample]:
        return []

    def predictions_file(self, experiment: Experiment) -> Path | None:
        return None


def rows_of(files: list[dict[str, Any]], side: str) -> list[Experiment]:
    return [Experiment(f"{number:040x}", "commit", **{side: one}) for number, one in enumerate(files)]


def leaves(files: dict[str, Any]) -> list[Any]:
    return [value for document in files.values() for key, value in flatten(document) if key]


def as_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(float(value)) else None
    except OverflowError:
        return None


def clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


ENGINE = QueryEngine(NoFiles())


@settings(max_examples=60, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=3))
def test_every_param_is_a_row(files: list[dict[str, Any]]) -> None:
    rows = rows_of(files, "params")
    found = ENGINE.run("SELECT rev, key, value, number FROM params", rows).rows
    for row in rows:
        own = [one for one in found if one[0] == row.rev]
        wanted = leaves(dict(row.params))
        assert [one[3] for one in own] == [as_number(value) for value in wanted]
        for (_, _, text, _), value in zip(own, wanted, strict=True):
            if isinstance(value, str):
                assert text == clean(value)
            elif value is None or isinstance(value, bool | list | dict):
                assert json.loads(text) == value


@settings(max_examples=60, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=3))
def test_every_metric_is_a_row_with_a_key_that_is_its_own(files: list[dict[str, Any]]) -> None:
    rows = rows_of(files, "metrics")
    found = ENGINE.run("SELECT rev, key, value, text, direction FROM metrics", rows).rows
    for row in rows:
        own = [one for one in found if one[0] == row.rev]
        wanted = leaves(dict(row.metrics))
        assert [one[2] for one in own] == [as_number(value) for value in wanted]
        assert all(text is None for (_, _, number, text, _) in own if number is not None)
        assert all(way == direction(key) for _, key, _, _, way in own)


def test_two_files_with_one_key_are_told_apart() -> None:
    rows = rows_of([{"a.json": {"x": 1}, "b.json": {"x": 2, "y": "z"}}, {"a.json": {"x": 3}}], "metrics")
    assert ENGINE.run("SELECT key, value, text FROM metrics", rows).rows == (
        ("a.json:x", 1.0, None),
        ("b.json:x", 2.0, None),
        ("y", None, "z"),
        ("a.json:x", 3.0, None),
    )


def test_very_many_metrics_become_columns() -> None:
    rows = rows_of([{"a.json": {f"metric {number}'\"": number for number in range(500)}}], "metrics")
    found = ENGINE.run("PIVOT metrics ON key USING first(value) GROUP BY name", rows)
    assert len(found.columns) == 501
    assert found.columns[1] == "metric 0'\""


def test_hashes_are_those_of_deps_and_outs() -> None:
    rows = [Experiment("workspace", "workspace", deps={"a": "1" * 32, "b'": None}, outs={"m": "2" * 32 + ".dir"})]
    assert ENGINE.run("SELECT name, kind, path, hash FROM hashes", rows).rows == (
        ("workspace", "dep", "a", "1" * 32),
        ("workspace", "dep", "b'", None),
        ("workspace", "out", "m", "2" * 32 + ".dir"),
    )


def test_a_request_and_an_answer_arrive_as_they_were_sent() -> None:
    run = Run(
        "r1", "ant", "running", "a" * 40, "b" * 40, datetime(2026, 1, 2, 3, 4, tzinfo=UTC), Path("/x/y"), Path("/x/l"),
        {"train.lr": 0.1, "é": [1, None]}, pid=3, progress=(StageProgress("train", "running", 3, 10, 1.5),),
    )  # fmt: skip
    request = Request("SELECT 'é\n'", (run,), 3, 1.5, {"a": "b"})
    line = encode_request(request)
    assert line.count(b"\n") == 1
    assert decode_request(line) == request
    moment = datetime(2026, 1, 2, 3, 4, 5, 6)
    result = QueryResult(("t", "x"), ((moment, "\n"), (None, None)), True, ("TIMESTAMP", "VARCHAR"), ("note",))
    assert decode_answer(encode_answer(result)) == result
    with pytest.raises(QueryError) as found:
        decode_answer(encode_answer(QueryError("title", "detail", "hint", 7)))
    error = found.value
    assert (error.title, error.detail, error.hint, error.position) == ("title", "detail", "hint", 7)
