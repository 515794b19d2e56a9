"""Every query of the application against an independent polars statement of the same thing."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.contract.metrics import is_resource
from tests.unit.store_repos import TEMPLATE, finetui_params, finetui_project, finetui_results, lock
from tui.core.experiments import Experiment
from tui.core.keys import MISSING, Key, all_keys, flat
from tui.core.methods import applies, method_of
from tui.core.values import as_float, format_param
from tui.store import GitStore

EXACT = Key("metric", "test/exact_match")
RANK, ODD = Key("param", "train.lora.r"), Key("param", "odd")


def predictions(seed: int) -> bytes:
    rng = random.Random(seed)
    rows = [
        {
            "id": f"e{number:02}",
            "category": rng.choice(["files", "text", None]),
            "prompt": f"p{number}",
            "reference": f"r{number}",
            "prediction": f"a{rng.randrange(9)}",
            "exact_match": rng.random() < 0.5,
            "base_exact_match": rng.random() < 0.2,
            "chrf": rng.uniform(0, 100),
            "loss": rng.uniform(0, 3) if number else None,
        }
        for number in range(30)
    ]
    rng.shuffle(rows)
    data = io.BytesIO()
    pl.DataFrame(rows).write_parquet(data)
    return data.getvalue()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> GitStore:
    builder = finetui_project(tmp_path_factory.mktemp("golden") / "p", num_experiments=9, num_commits=2)
    baseline = str(builder.repository.head.target)
    for number in range(2):
        md5 = builder.cache_folder({"predictions.parquet": predictions(number)})
        builder.experiment(f"scored-{number}", baseline, {"dvc.lock": lock({"evaluate": {"data/eval": md5}})})
    tie = {"data/metrics/evaluate/metrics.json": {"test/exact_match": 0.5, "test/loss": 1.0}}
    builder.experiment("tie-b", baseline, tie)
    builder.experiment("tie-a", baseline, tie)
    for rank in (2, 3):
        for seed in range(rank):
            params = {"params.yaml": finetui_params(r=rank, seed=seed)}
            builder.experiment(f"seed-{rank}-{seed}", baseline, {**params, **finetui_results(10 * rank + seed)})
    for number in range(5):
        shared = lock({"prepare": {"data/prepared": "c" * 32 + ".dir"}}).replace("code.py", "pipeline/data")
        builder.experiment(f"data-{number}", baseline, {"dvc.lock": shared.replace("a" * 32, f"{number % 3}" * 32)})
    for number, (code, seed) in enumerate([("1", 5), ("1", 6), ("2", 7), ("2", 8)]):  # two pairs: their code differs
        ran = lock({"prepare": {"data/prepared": "d" * 32 + ".dir"}}).replace("code.py", "pipeline/data")
        params = {"params.yaml": finetui_params(r=9, seed=seed), "dvc.lock": ran.replace("a" * 32, code * 32)}
        builder.experiment(f"code-{number}", baseline, {**params, **finetui_results(50 + number)})
    for number, odd in enumerate(["1", "1.0", "'1'", "true", "'x'", "null", "[1]", ".nan", "1e400", "10"]):
        text = f"{finetui_params(seed=number)}odd: {odd}\n"
        builder.experiment(f"odd-{number}", baseline, {"params.yaml": text, **finetui_results(70 + number)})
    gap = {
        "data/metrics/train/series.csv": "step,train/loss\n1,3\n2,nan\n3,2\n4,2\n",
        "data/metrics/evaluate/metrics.json": None,
    }
    builder.experiment("gap", baseline, gap)
    return GitStore(builder.root)


def values(store: GitStore, key: Key) -> list[tuple[Experiment, Any]]:
    return [(row, value) for row in store.experiments() if (value := key.value(row)) is not MISSING]


def leaderboard(store: GitStore, descending: bool, key: Key) -> pl.DataFrame:
    rows = [
        {"name": row.label, "rev": row.rev, "method": method_of(row), "status": row.status, "value": value}
        for row, value in values(store, key)
        if row.kind != "workspace"
    ]
    ranked = pl.DataFrame(rows).with_columns(
        pl.col("value").rank("min", descending=descending).cast(pl.Int64).alias("rank")
    )
    return ranked.sort("rank", "name", "rev")


def param_effect(store: GitStore, param: Key) -> pl.DataFrame:
    rows = [
        {"number": as_float(param.value(row)), "param": format_param(param.value(row)), "value": float(value)}
        for row, value in values(store, EXACT)
        if row.kind == "experiment" and applies(param.name, row) and param.value(row) is not MISSING
    ]
    column = pl.col("value")
    return (
        pl.DataFrame(rows, infer_schema_length=None)
        .with_columns(same=pl.coalesce(pl.col("number").cast(pl.String), "param"))
        .group_by("same", "number")
        .agg(
            pl.col("param").min(),
            pl.len().cast(pl.Int64).alias("num_experiments"),
            column.mean().alias("mean"),
            column.min().alias("lowest"),
            column.max().alias("highest"),
            column.std().alias("spread"),
        )
        .sort("number", "param", nulls_last=True)
        .drop("number", "same")
    )


def best_points(store: GitStore) -> pl.DataFrame:
    rows = [
        {"name": row.label, "rev": row.rev, "stage": series.stage, "step": step, "value": value}
        for row in store.experiments()
        for series in store.series(row)
        if series.name == "train/loss"
        for step, value in zip(series.steps, series.values, strict=True)
    ]
    value, step = pl.col("value"), pl.col("step")
    return (
        pl.DataFrame(rows)
        .filter(value.is_not_nan())
        .sort("step", maintain_order=True)
        .group_by("name", "rev", "stage")
        .agg(
            pl.len().cast(pl.Int64).alias("num_points"),
            value.min().alias("lowest"),
            step.filter(value == value.min()).first().alias("lowest_step"),
            value.max().alias("highest"),
            step.filter(value == value.max()).first().alias("highest_step"),
            value.last().alias("last"),
            step.last().alias("last_step"),
        )
        .sort("name", "rev", "stage")
    )


def best_by_method(store: GitStore, descending: bool, key: Key) -> pl.DataFrame:
    rows = [
        {"method": method_of(row), "name": row.label, "value": float(value)}
        for row, value in values(store, key)
        if row.kind == "experiment" and method_of(row) is not None
    ]
    return (
        pl.DataFrame(rows)
        .sort("name")
        .sort("value", descending=descending, maintain_order=True)
        .group_by("method", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("num_experiments"),
            pl.col("name").first().alias("best"),
            pl.col("value").first(),
            pl.col("value").mean().alias("mean"),
        )
        .sort(pl.col("value") * (-1 if descending else 1), "method")
    )


def code_and_data(row: Experiment) -> str:
    """Hashes of what no stage writes; the commit that it was started from where these do not tell."""
    outs = [*(path for path in row.outs if path not in row.data_sources), *row.metrics]
    own = {path: known for path, known in row.deps.items() if not any(f"{path}/".startswith(f"{out}/") for out in outs)}
    start = "" if own and all(own.values()) else row.baseline or row.rev
    return json.dumps([sorted(own.items()), start])


def results(row: Experiment) -> str:
    """What an experiment that gave the same again would have alike."""
    return json.dumps(
        {name: {k: v for k, v in flat(one).items() if not is_resource(k)} for name, one in row.metrics.items()}
    )


def seed_groups(store: GitStore) -> pl.DataFrame:
    rows = []
    for row, value in values(store, EXACT):
        if row.kind != "workspace" and row.status == "done":
            (params,) = row.params.values()
            numbers_alike = {key: float(item) if type(item) is int else item for key, item in flat(params).items()}
            recipe = {key: item for key, item in numbers_alike.items() if key.rpartition(".")[2] != "seed"}
            seeds = {key: item for key, item in flat(params).items() if key not in recipe}
            rows.append(
                {
                    "recipe": json.dumps(recipe, sort_keys=True) + code_and_data(row),
                    "same": json.dumps(seeds) + results(row),
                    "name": row.label,
                    "value": float(value),
                }
            )
    value = pl.col("value")
    return (
        pl.DataFrame(rows)
        .unique(("recipe", "same"), keep="first", maintain_order=True)
        .sort("name")
        .group_by("recipe", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("num_seeds"),
            value.mean().alias("mean"),
            value.std().alias("spread"),
            value.min().alias("lowest"),
            value.max().alias("highest"),
            pl.col("name").str.join(", ").alias("names"),
        )
        .filter(pl.col("num_seeds") > 1)
        .drop("recipe")
        .sort("num_seeds", "names", descending=[True, False])
    )


def dep_versions(store: GitStore) -> pl.DataFrame:
    rows = [
        {"path": path, "hash": known, "name": row.label, "timestamp": row.timestamp}
        for row in store.experiments()
        if row.kind == "experiment"
        for path, known in row.deps.items()
        if known is not None
    ]
    return (
        pl.DataFrame(rows)
        .sort("timestamp", "name", nulls_last=True)
        .group_by("path", "hash", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("num_experiments"), pl.col("name").first().alias("first"))
        .sort("path", "num_experiments", "hash", descending=[False, True, False])
    )


def stage_times(store: GitStore) -> pl.DataFrame:
    keys = [key for key in all_keys(store.experiments(), "metric") if key.name.endswith("duration_s")]
    rows = [
        {"key": key.text, "name": row.label, "value": float(value)}
        for key in keys
        for row, value in values(store, key)
        if row.kind != "workspace"
    ]
    value = pl.col("value")
    return (
        pl.DataFrame(rows)
        .group_by("key")
        .agg(
            pl.len().cast(pl.Int64).alias("num_experiments"),
            value.mean().alias("mean_s"),
            value.max().alias("longest_s"),
            pl.col("name").sort_by("value", "name").last().alias("longest"),
        )
        .sort("mean_s", "key", descending=[True, False])
    )


def all_predictions(store: GitStore) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    for row in store.experiments():
        frame = store.predictions(row)
        if not frame.is_empty():
            frames.append(frame.with_columns(pl.lit(row.label).alias("name"), pl.lit(row.rev).alias("rev")))
    return pl.concat(frames)


def category_scores(store: GitStore) -> pl.DataFrame:
    return (
        all_predictions(store)
        .with_columns(pl.col("category").fill_null(""))
        .group_by("name", "rev", "category")
        .agg(
            pl.len().cast(pl.Int64).alias("num_examples"),
            *(pl.col(name).cast(pl.Float64).mean() for name in ("exact_match", "base_exact_match", "chrf", "loss")),
        )
        .sort("name", "rev", "category")
    )


def revisions(store: GitStore) -> dict[str, str]:
    return {"baseline": store.resolve("scored-0").rev, "candidate": store.resolve("scored-1").rev}


def fixed_and_broken(store: GitStore) -> pl.DataFrame:
    frame, revs = all_predictions(store), revisions(store)
    old = frame.filter(pl.col("rev") == revs["baseline"]).rename({"prediction": "baseline_prediction"})
    new = frame.filter(pl.col("rev") == revs["candidate"]).select("id", "prediction", "exact_match")
    new = new.rename({"prediction": "candidate_prediction", "exact_match": "now"})
    joined = old.join(new, on="id").filter(pl.col("exact_match") != pl.col("now"))
    change = pl.when(pl.col("now")).then(pl.lit("fixed")).otherwise(pl.lit("broken")).alias("change")
    chosen = ["id", "category", change, "prompt", "reference", "baseline_prediction", "candidate_prediction"]
    return joined.select(chosen).sort("change", "category", "id", nulls_last=True)


ORACLES: dict[str, list[tuple[Callable[[GitStore], pl.DataFrame], Callable[[GitStore], dict[str, Any]]]]] = {
    "leaderboard": [
        (lambda store: leaderboard(store, True, EXACT), lambda _: {"metric": "test/exact_match"}),
        (lambda store: leaderboard(store, False, Key("metric", "test/loss")), lambda _: {"metric": "test/loss"}),
    ],
    "param_effect": [
        (lambda store: param_effect(store, RANK), lambda _: {"param": "train.lora.r", "metric": "test/exact_match"}),
        (lambda store: param_effect(store, ODD), lambda _: {"param": "odd", "metric": "test/exact_match"}),
    ],
    "best_points": [(best_points, lambda _: {"curve": "train/loss"})],
    "best_by_method": [
        (lambda store: best_by_method(store, True, EXACT), lambda _: {"metric": "test/exact_match"}),
        (lambda store: best_by_method(store, False, Key("metric", "test/loss")), lambda _: {"metric": "test/loss"}),
    ],
    "seed_groups": [(seed_groups, lambda _: {"metric": "test/exact_match"})],
    "dep_versions": [(dep_versions, lambda _: {})],
    "stage_times": [(stage_times, lambda _: {})],
    "category_scores": [(category_scores, lambda _: {})],
    "fixed_and_broken": [(fixed_and_broken, revisions)],
}


def test_every_query_has_an_oracle() -> None:
    found = {path.stem for path in Path(TEMPLATE / "tui/store/sql").glob("*.sql")}
    assert found == set(ORACLES)
    assert len(found) == 9


@pytest.mark.parametrize(("name", "number"), [(name, n) for name, cases in ORACLES.items() for n in range(len(cases))])
def test_a_query_gives_what_polars_gives(store: GitStore, name: str, number: int) -> None:
    oracle, parameters = ORACLES[name][number]
    wanted = oracle(store)
    found = store.saved_query(name, **parameters(store))
    assert found.columns == tuple(wanted.columns)
    assert len(found.rows) == wanted.height >= 2
    for got, row in zip(found.rows, wanted.iter_rows(), strict=True):
        for value, expected in zip(got, row, strict=True):
            assert value == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)


def test_experiments_of_other_code_are_no_repeats(store: GitStore) -> None:
    found = store.saved_query("seed_groups", metric="test/exact_match")
    names = {str(row[found.columns.index("names")]) for row in found.rows}
    assert {"code-0, code-1", "code-2, code-3"} <= names
