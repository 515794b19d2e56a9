"""The saved query finds the repeats that `--group-seeds` finds."""

import statistics

import pytest

from tests.unit.store_repos import Content, RepoBuilder
from tui.core.grouping import Group, group_by_seed
from tui.core.keys import Key
from tui.store import GitStore

ACCURACY = Key("metric", "accuracy")
PIPELINE = """\
stages:
  split:
    cmd: python split.py
    deps: [split.py, data/raw]
    outs: [data/split]
  train:
    cmd: python train.py
    deps: [train.py, data/split/train.csv, labels.csv]
    params: [train]
    metrics:
    - metrics.json:
        cache: false
  report:
    cmd: python report.py
    deps: [metrics.json]
    outs: [report.html]
"""
TRACKED = "outs:\n- path: {path}\n  hash: md5\n  md5: {md5}\n  size: 3\n"


def digest(text: str, suffix: str = "") -> str:
    return text + "e" * 31 + suffix  # a number would be none


def entry(path: str, md5: str | None, indent: str = "    ") -> str:
    known = "" if md5 is None else f"\n{indent}  hash: md5\n{indent}  md5: {md5}\n{indent}  size: 3"
    return f"{indent}- path: {path}{known}"


def run(
    seed: float | str,
    accuracy: float,
    *,
    lr: str = "0.1",
    raw: str = "1",
    labels: str = "2",
    code: str | None = "3",
    made: str = "4",
    duration_s: float = 1.0,
) -> dict[str, Content]:
    """Files of an experiment, as DVC leaves them behind; `made` changes with what stages write."""
    lock = [
        "schema: '2.0'", "stages:", "  split:", "    cmd: python split.py", "    deps:",
        entry("data/raw", digest(raw, ".dir")), entry("split.py", digest("9")), "    outs:",
        entry("data/split", digest(made, ".dir")), "  train:", "    cmd: python train.py", "    deps:",
        entry("data/split/train.csv", digest(made)), entry("labels.csv", digest(labels)),
        entry("train.py", None if code is None else digest(code)), "    outs:", entry("metrics.json", digest(made)),
        "  report:", "    cmd: python report.py", "    deps:", entry("metrics.json", digest(made)), "    outs:",
        entry("report.html", digest(made)),
    ]  # fmt: skip
    return {
        "params.yaml": f"train:\n  Random_Seed: {seed}\n  lr: {lr}\n  name: '1'\n",
        "metrics.json": {"accuracy": accuracy, "duration_s": duration_s, "confusion": "none"},
        "dvc.lock": "\n".join(lock) + "\n",
        "data/raw.dvc": TRACKED.format(path="raw", md5=digest(raw, ".dir")),
        "labels.csv.dvc": TRACKED.format(path="labels.csv", md5=digest(labels)),
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> GitStore:
    builder = RepoBuilder(tmp_path_factory.mktemp("seeds") / "p")
    baseline = builder.commit({"dvc.yaml": PIPELINE, **run(0, 0.5)})
    experiments: dict[str, dict[str, Content]] = {
        "repeat-1": run(1, 0.51, made="5"),
        "repeat-2": run(2, 0.52, lr="1.0e-1", made="6"),
        "applied": run(0, 0.5, duration_s=2.0),
        "other-lr-1": run(1, 0.6, lr="1"),
        "other-lr-2": run(2, 0.61, lr="1.0"),
        "text-lr": run(3, 0.62, lr="'1'"),
        "other-raw-1": run(1, 0.7, raw="a"),
        "other-raw-2": run(2, 0.71, raw="a", made="7"),
        "other-labels-1": run(1, 0.8, labels="b"),
        "other-labels-2": run(2, 0.81, labels="b", made="8"),
        "other-code": run(1, 0.9, code="c"),
        "unknown-code-1": run(1, 0.91, code=None),
        "unknown-code-2": run(2, 0.92, code=None),
    }
    for name, files in experiments.items():
        builder.experiment(name, baseline, files)
    later = builder.commit(run(0, 0.5))
    builder.experiment("unknown-code-elsewhere", later, run(3, 0.93, code=None))
    builder.experiment("repeat-3", later, run(3, 0.53, made="d"))
    builder.checkout()
    return GitStore(builder.root)


def names_of(group: Group) -> str:
    return ", ".join(sorted(one.label for one in group.experiments))


def test_the_query_gives_the_groups_of_the_comparison(store: GitStore) -> None:
    groups = {names_of(group): group for group in group_by_seed(store.experiments()) if len(group.experiments) > 1}
    found = store.saved_query("seed_groups", metric="accuracy")
    rows = {str(row[-1]): dict(zip(found.columns, row, strict=True)) for row in found.rows}
    assert rows.keys() == groups.keys()
    assert len(rows) == len(found.rows) == 5
    for name, row in rows.items():
        values = [ACCURACY.value(one) for one in groups[name].experiments]
        assert row["num_seeds"] == len(values)
        assert row["mean"] == pytest.approx(statistics.fmean(values))
        assert row["spread"] == pytest.approx(statistics.stdev(values))


def test_data_is_told_apart_by_who_writes_it(store: GitStore) -> None:
    sql = "SELECT path, kind, is_made FROM hashes WHERE name = 'repeat-1' ORDER BY path, kind"
    assert store.query(sql).rows == (
        ("data/raw", "dep", False),
        ("data/raw", "out", False),
        ("data/split", "out", True),
        ("data/split/train.csv", "dep", True),
        ("labels.csv", "dep", False),
        ("labels.csv", "out", False),
        ("metrics.json", "dep", True),
        ("report.html", "out", True),
        ("split.py", "dep", False),
        ("train.py", "dep", False),
    )
