"""Series of plots against the points that `dvc plots show --json` draws."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store_repos import Content, RepoBuilder, lock
from tui.core.series import Series
from tui.store import GitStore

Curve = tuple[str, str]
"""File and column."""
Points = list[tuple[float, float]]

PIPELINE = """
stages:
  fit:
    cmd: python fit.py
    plots:
    - stage.csv: {x: n, y: a, cache: false}
    - cached.csv: {x: n, y: b}
    - bare.csv: {header: false, x: '0', y: '1', cache: false}
    outs:
    - results
plots:
- one.csv: {x: n, y: a}
- two columns:
    x: n
    y: {two.csv: [a, b]}
- two files:
    x: n
    y: {three.tsv: a, four.json: a}
- axes of their own:
    x: {five.csv: m, six.csv: n}
    y: {five.csv: a, six.csv: b}
- axis apart:
    x: {times.csv: at}
    y: {seven.csv: a, eight.yaml: a}
- last.csv
- results/curves:
    x: n
    y: a
- live/plots/metrics:
    x: step
- deep.json:
    x: fpr
    y: tpr
- quoted.csv: {x: n, y: 'a, b'}
"""
TABLE = "n,m,a,b\n1,5,0.1,0.25\n2,6,1e-3,-7\n4,8,3,1e300\n"
LIVE = "timestamp\tstep\tloss\n17\t0\t2\n18\t1\t1.5\n19\t2\tnan\n"
ONLY_FILE = {"two columns": "two.csv"}
NESTED = {"kind": "roc", "curves": {"roc": [{"fpr": 0, "tpr": 0.5}, {"fpr": 0.5, "tpr": 0.75}], "empty": {}}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with every way to declare a plot, in Git, in the DVC cache and in the work tree."""
    builder = RepoBuilder(tmp_path_factory.mktemp("series") / "p")
    results = {"curves/nine.csv": TABLE.encode(), "curves/more/ten.csv": TABLE.encode(), "notes.txt": b"x"}
    outs = {"cached.csv": builder.cache(TABLE.encode()), "results": builder.cache_folder(results)}
    files: dict[str, Content] = {
        **{f"{name}.csv": TABLE for name in ("stage", "one", "two", "five", "six", "last")},
        "three.tsv": TABLE.replace(",", "\t"),
        "four.json": json.dumps([{"n": 1, "a": 2}, {"n": 3, "a": 4.5}]),
        "times.csv": "at\n10\n20\n30\n",
        "seven.csv": "a\n1\n2\n3\n",
        "eight.yaml": "points:\n- {a: 1}\n- {a: 1.0e-05}\n- {a: 7}\n",
        "bare.csv": "1,9\n2,8\n",
        "live/plots/metrics/train/loss.tsv": LIVE,
        "deep.json": json.dumps(NESTED),
        "quoted.csv": 'n,"a, b",note\n1,2,"two\nlines"\n2,"3","say ""x"""\n',
        ".gitignore": "/cached.csv\n/results\n",
    }
    builder.commit({"dvc.yaml": PIPELINE, "dvc.lock": lock({"fit": outs}), **files})
    builder.checkout()
    builder.write({"cached.csv": TABLE, **{f"results/{path}": content for path, content in results.items()}})
    return builder.root


def theirs(root: Path, folder: Path) -> dict[Curve, Points]:
    """What DVC draws of the work tree."""
    command = [sys.executable, "-m", "dvc", "plots", "show", "--json", "--split", "-o", str(folder)]
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "CI": "true"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    plots = json.loads(done.stdout)
    assert not plots.get("errors"), plots["errors"]
    found: dict[Curve, Points] = {}
    for name, (plot,) in plots["data"].items():
        encoding, anchors = plot["content"]["layer"][0]["encoding"], plot["anchor_definitions"]
        x, y = plot["content"]["encoding"]["x"]["field"], encoding["y"]["field"]
        for row in anchors["<DVC_METRIC_DATA>"]:
            found.setdefault(_curve(name, y, row), []).append((float(row[x]), float(row[y])))
    return found


def _curve(plot: str, y: str, row: dict[str, Any]) -> Curve:
    """DVC tells file and column only where the plot has several."""
    file, _, column = row.get("filename::field", "").partition("::")
    return file or row.get("filename") or ONLY_FILE.get(plot, plot), column or row.get("field") or y


def ours(root: Path, rev: str) -> dict[Curve, Points]:
    """What finetui reads."""
    store = GitStore(root)
    return dict(_named(store.series(store.resolve(rev))))


def _named(found: list[Series]) -> Iterator[tuple[Curve, Points]]:
    for one in found:
        yield (one.stage, one.name), list(zip(one.steps, one.values, strict=True))


def stage_of(curve: Curve) -> Curve:
    """How finetui calls a curve."""
    path, column = curve
    live, found, metric = path.partition("/plots/metrics/")
    return (live, metric.removesuffix(".tsv")) if found else (path.rpartition(".")[0], column)


@pytest.fixture(scope="module")
def drawn(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Curve, Points]:
    """Asked once."""
    return theirs(root, tmp_path_factory.mktemp("plots"))


@pytest.mark.parametrize("rev", ["workspace", "HEAD"])
def test_every_curve_that_dvc_draws_has_the_same_points(root: Path, drawn: dict[Curve, Points], rev: str) -> None:
    found: dict[Curve, Any] = ours(root, rev)
    differing = {curve for curve, points in drawn.items() if repr(found.get(stage_of(curve))) != repr(points)}
    assert differing == set(), [(drawn[curve], found.get(stage_of(curve))) for curve in differing]
    assert len(drawn) == 18
