"""Columns while rows come and go: the same as if all rows were looked at anew."""

import gc
import random
import weakref
from dataclasses import replace
from typing import Any

from pipeline.contract.yaml12 import load_yaml
from tests.unit.store_repos import finetui_params
from tui.core import columns as columns_module
from tui.core.catalogue import Cataloguer
from tui.core.column_index import KeyIndex, _SideIndex
from tui.core.columns import Column, choose_columns, columns_of
from tui.core.experiments import Experiment
from tui.core.filters import parse_filter
from tui.core.keys import MISSING, same
from tui.core.memo import Memo


def row(number: int, **changes: Any) -> Experiment:
    return Experiment(f"{number:040}", "experiment", f"row-{number}", "b" * 40, **changes)


def random_row(rng: random.Random, number: int) -> Experiment:
    """A row with some of a few names, each with one of few values, in one or two files."""
    values = [1, 1.0, True, None, "x", float("nan"), [1], {"deep": 1}, {}]

    def document() -> dict[str, Any]:
        return {name: rng.choice(values[: rng.randint(1, 9)]) for name in "abc" if rng.random() < 0.6}

    params = {path: document() for path in ("params.yaml", "other.yaml") if rng.random() < 0.7}
    return row(
        number, params=params, metrics={"m.json": {"loss": rng.choice([0.1, 0.2])}} if rng.random() < 0.5 else {}
    )


def told(columns: list[Column]) -> set[tuple[Any, ...]]:
    return {(column.kind, column.text, column.title, column.direction, column.varies) for column in columns}


def by_definition(rows: list[Experiment]) -> set[tuple[str, bool]]:
    """Names and whether they vary, worked out the slow way."""
    found = set()
    for column in choose_columns(rows):
        values = [value for value in map(column.value, rows) if value is not MISSING]
        assert values
        found.add((column.text, any(not same(value, values[0]) for value in values)))
    return found


def test_a_column_varies_if_two_rows_differ_in_it() -> None:
    rng = random.Random(1)
    num_varying = 0
    for _ in range(300):
        rows = [random_row(rng, number) for number in range(rng.randint(1, 5))]
        columns = choose_columns(rows)
        assert {(column.text, column.varies) for column in columns} == by_definition(rows)
        num_varying += sum(column.varies for column in columns)
    assert num_varying > 100


def test_keeping_up_gives_what_beginning_anew_gives() -> None:
    rng = random.Random(2)
    for _ in range(60):
        index, rows = KeyIndex(), []
        for step in range(25):
            if rows and rng.random() < 0.5:
                rows.pop(rng.randrange(len(rows)))
            if rng.random() < 0.7:
                rows.insert(rng.randint(0, len(rows)), random_row(rng, step))
            if rows and rng.random() < 0.3:
                place = rng.randrange(len(rows))
                rows[place] = replace(rows[place], status="running")  # another row of the same documents
            index.update(rows)
            assert told(columns_of(index)) == told(choose_columns(rows))


def test_params_without_effect_do_not_vary_a_column() -> None:
    def tuned(number: int, **train: Any) -> Experiment:
        return row(number, params={"params.yaml": load_yaml(finetui_params(**train))})

    full, other = tuned(1, peft="none", r=4), tuned(2, peft="none", r=8)
    lora, larger = tuned(3, peft="lora", r=4), tuned(4, peft="lora", r=8)
    index = KeyIndex()

    def rank_varies(*rows: Experiment) -> bool:
        index.update(rows)
        found = {column.text: column.varies for column in columns_of(index)}
        assert told(columns_of(index)) == told(choose_columns(rows))
        return found["train.lora.r"]

    assert not rank_varies(full, other)
    assert not rank_varies(full, other, lora)
    assert rank_varies(full, other, lora, larger)
    assert not rank_varies(full, other, larger)


def test_only_new_rows_are_looked_at(monkeypatch: Any) -> None:
    rng = random.Random(3)
    rows = [random_row(rng, number) for number in range(50)]
    cataloguer = Cataloguer()
    first = cataloguer.update(rows)
    added: list[Experiment] = []
    add = _SideIndex.add
    monkeypatch.setattr(_SideIndex, "add", lambda self, number, one: added.append(one) or add(self, number, one))
    assert cataloguer.update(list(rows)) is first
    fresh = random_row(rng, 99)
    second = cataloguer.update([replace(rows[0], status="running"), *rows[1:], fresh])
    assert added == [fresh, fresh], "once for its params, once for its metrics"
    assert [experiment.status for experiment in second.experiments[:2]] == ["running", "done"]
    assert second.by_key["b" * 40 + "/row-99"] is fresh
    assert columns_module.columns_of(cataloguer._index) == list(second.columns)


def test_a_memo_forgets_what_nobody_asks_for(monkeypatch: Any) -> None:
    monkeypatch.setattr("tui.core.memo._MAX_YOUNG", 3)
    seen: list[str] = []
    memo = Memo[int](lambda subject: seen.append(subject["name"]) or len(seen))
    kept = {"name": "kept"}
    for number in range(20):
        memo({"name": str(number)})
        memo(kept)
    assert seen.count("kept") == 1
    assert len(memo._young) + len(memo._old) <= 6


class Document(dict[str, Any]):
    """A file's values; a plain dict cannot be watched."""


def test_what_a_running_experiment_was_a_second_ago_is_forgotten() -> None:
    cataloguer, seen = Cataloguer(), []
    for step in range(5):
        metrics, params = Document(train={"loss": float(step)}), Document(lr=0.1)
        seen.append((weakref.ref(metrics), weakref.ref(params)))
        row = Experiment("a" * 40, "experiment", "owl", params={"p.yaml": params}, metrics={"m.json": metrics})
        catalogue = cataloguer.update([row])
        assert parse_filter("owl loss>=0", keys=catalogue.keys).matches(row)
    del row, metrics, params
    gc.collect()
    assert all(ref() is None for pair in seen[:3] for ref in pair)
    assert all(ref() is not None for ref in seen[-1])
