"""The evaluate stage on tiny random models."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import tiny_project
import torch

from pipeline.contract import paths
from pipeline.contract.params import Evaluate, Params
from pipeline.contract.problems import StageError
from pipeline.contract.series import decode_points
from pipeline.stages import evaluate

PARAMS = Params(evaluate=Evaluate(batch_size=2, max_new_tokens=8))
METRICS = paths.metrics_dir("evaluate")
GENERATED = ("loss", "perplexity", "exact_match", "chrf", "rouge_l", "distinct", "completion_tokens", "truncated")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_project.write_test_split()


def run(params: Params = PARAMS) -> tuple[dict[str, Any], pl.DataFrame]:
    evaluate.run(params)
    return json.loads((METRICS / "metrics.json").read_text()), pl.read_parquet(paths.PREDICTIONS)


def test_scores_both_models_and_the_gain() -> None:
    tiny_project.write_lora(tiny_project.write_base())
    metrics, table = run()
    assert {f"{split}/{name}" for split in ("test", "base") for name in GENERATED} <= set(metrics)
    assert metrics["test/loss"] != metrics["base/loss"]
    assert metrics["gain/loss"] == metrics["test/loss"] - metrics["base/loss"]
    assert metrics["test/perplexity"] == math.exp(metrics["test/loss"])
    assert metrics["test/num_examples"] == len(table) == len(tiny_project.ROWS)
    assert metrics["test/completion_tokens"] == table["completion_tokens"].mean()
    assert metrics["base/truncated"] == table["base_truncated"].mean()
    assert table["prompt"].to_list() == [row[0] for row in tiny_project.ROWS]
    assert table["reference"].to_list() == [row[1] for row in tiny_project.ROWS]
    assert table["prediction"].to_list() != table["base_prediction"].to_list()


def test_sizes_are_those_on_disk() -> None:
    base = tiny_project.write_base()
    trained = tiny_project.write_lora(base)
    metrics, _ = run()
    adapter = (Path(trained.adapters[0].path) / "adapter_model.safetensors").stat().st_size
    weights = (Path(base.weights) / "model.safetensors").stat().st_size
    assert metrics["model/adapter_bytes"] == adapter
    assert metrics["model/model_bytes"] == weights + adapter
    assert metrics["model/num_trainable_parameters"] == trained.num_trainable_parameters
    assert metrics["model/num_parameters"] == base.num_parameters + trained.num_trainable_parameters


def test_an_untouched_base_is_scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project.write_untouched(tiny_project.write_base())
    loads: list[object] = []
    load = evaluate.load_model
    monkeypatch.setattr(evaluate, "load_model", lambda *given: loads.append(given) or load(*given))
    metrics, table = run()
    assert len(loads) == 1
    assert {value for name, value in metrics.items() if name.startswith("gain/")} == {0.0}
    assert table["prediction"].to_list() == table["base_prediction"].to_list()
    assert metrics["model/adapter_bytes"] == 0


def test_a_model_that_says_the_reference_scores_full_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project.write_full(tiny_project.write_base())
    _, table = run()
    rows = table.select("prompt", "prediction", "category").rows()
    tiny_project.write_test_split(rows)
    metrics, table = run()
    assert metrics["test/exact_match"] == 1.0
    assert metrics["test/chrf"] == 100.0
    assert metrics["base/exact_match"] < 1.0
    assert table["exact_match"].all()
    categories = json.loads((METRICS / paths.CATEGORIES_NAME).read_text())["category"]
    assert {name: scores["num_examples"] for name, scores in categories.items()} == {"files": 3, "search": 1, "text": 1}
    assert all(scores["exact_match"] == 1.0 for scores in categories.values())


def test_too_little_device_memory_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    tiny_project.write_untouched(tiny_project.write_base())
    monkeypatch.setattr(evaluate, "measure", run_out)
    with pytest.raises(StageError, match=r"too little memory for these answers; lower evaluate\.batch_size"):
        evaluate.run(PARAMS)


def test_equal_inputs_give_equal_bytes() -> None:
    tiny_project.write_prompt_tuning(tiny_project.write_base())
    files = [METRICS / "metrics.json", METRICS / paths.CATEGORIES_NAME, paths.PREDICTIONS]
    run()
    first = [file.read_bytes() for file in files]
    run()
    assert [file.read_bytes() for file in files] == first


def test_progress_counts_examples_over_both_models() -> None:
    tiny_project.write_lora(tiny_project.write_base())
    run()
    steps = [point["step"] for point in decode_points((METRICS / paths.SERIES_NAME).read_bytes())]
    record = json.loads((METRICS / paths.RUN_RECORD_NAME).read_text())
    assert steps == [2, 4, 5, 7, 9, 10]
    assert record["num_steps"] == 10
    assert record["status"] == "done"


def test_max_examples_takes_the_first_by_id() -> None:
    tiny_project.write_untouched(tiny_project.write_base())
    _, table = run(Params(evaluate=Evaluate(max_examples=2, max_new_tokens=4)))
    assert table["id"].to_list() == ["0000", "0001"]


def test_untrusted_text_is_stored_as_it_is() -> None:
    tiny_project.write_untouched(tiny_project.write_base())
    hostile = "\x1b[2J[red]`|<script>\u202e"
    tiny_project.write_test_split([(hostile, hostile, hostile)])
    _, table = run()
    assert table.select("prompt", "reference", "category").rows() == [(hostile, hostile, hostile)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: (paths.model_dir("align") / "model.json").unlink(), "dvc repro"),
        (lambda: paths.split_file("test").unlink(), r"test\.parquet: no such file; .*dvc repro"),
        (lambda: paths.split_file("test").write_bytes(b"PAR1 torn"), r"test\.parquet: not a prepared split"),
        (lambda: pl.DataFrame({"id": ["1"]}).write_parquet(paths.split_file("test")), "not a prepared split"),
        (lambda: tiny_project.write_empty_test_split(), "has no rows"),
        (lambda: (paths.model_dir("base") / "model.safetensors").write_bytes(b"x"), "data/models/base"),
    ],
)
def test_what_is_missing_or_damaged_is_named(spoil: Any, message: str) -> None:
    tiny_project.write_untouched(tiny_project.write_base())
    spoil()
    with pytest.raises(StageError, match=message):
        evaluate.run(PARAMS)
    assert json.loads((METRICS / paths.RUN_RECORD_NAME).read_text())["status"] == "failed"
    assert not paths.PREDICTIONS.exists()
