"""Every row against `dvc exp show --json`, value for value."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store_repos import Content, RepoBuilder, lock
from tui.store import GitStore

PIPELINE = """\
vars:
- conf/extra.yaml:langs
- conf/whole.yaml
- suffix: v2
params:
- conf/top.toml
metrics:
- live/metrics.json
- reports
stages:
  plain:
    cmd: x ${suffix}
    params:
    - train.lr
    - other.json:
      - a.b
      - list
    - glob.yaml:
      - part.*
    metrics:
    - m.yaml
    - torn.json:
        cache: false
  placed:
    wdir: ${where}
    cmd: x
    params:
    - local
    metrics:
    - scores-${suffix}.json:
        cache: false
  shards:
    matrix:
      lang: ${langs}
      size: [1, 2.5, true]
    cmd: x
    metrics:
    - out/${item.lang}-${item.size}.json:
        cache: false
  each:
    foreach:
      first: {n: 1}
      second: {n: 2}
    do:
      cmd: x ${key}
      metrics:
      - each-${item.n}.toml:
          cache: false
"""
NUMBERS = (
    "floats: [1e-5, 1E5, .5, 1., -1.5e+3]\nwords: [yes, no, on, 'null', 12:30, 017]\nhex: 0x1f\nbig: 1_000\nnone: ~\n"
)


def files(builder: RepoBuilder) -> dict[str, Content]:
    cached = builder.cache(
        b"acc: 0.5\nlist: [1]\nnothing: null\nnested: {deep: {loss: 1e-5}, empty: {}}\nflag: true\ntext: yes\n"
    )
    plain = {"m.yaml": cached}
    return {
        "dvc.yaml": PIPELINE,
        "dvc.lock": lock({"plain": plain}),
        "params.yaml": f"where: work\ntrain: {{lr: 1e-4, seed: 0}}\n{NUMBERS}",
        "conf/extra.yaml": "langs: [en, de]\nunused: 1\n",
        "conf/whole.yaml": "unused_too: 3\n",
        "conf/top.toml": "x = 1\n[t]\ny = 2.5\n",
        "other.json": {"a": {"b": 1, "c": 2}, "list": [1, 2], "rest": 0},
        "glob.yaml": "part: {one: 1, two: 2}\nelse: 3\n",
        "torn.json": '{"loss": 0.1',
        "work/params.yaml": "local: {a: 1}\nmore: 2\n",
        "work/scores-v2.json": {"f1": 0.25, "bad": [1], "": 3},
        "live/metrics.json": {"step": 3, "train": {"loss": 1}},
        "reports/a.json": {"a": 1},
        "reports/sub/b.yaml": "b: 2\n",
        "each-1.toml": "k = 1.5\n",
        "each-2.toml": "k = true\n",
        "sub/dvc.yaml": "stages:\n  s:\n    cmd: x\n    params: [p.yaml: ]\n"
        "    metrics: [here.json: {cache: false}, gone.json]\n",
        "sub/p.yaml": "deep: {er: 1}\n",
        "sub/here.json": {"n": 1.0},
        **{f"out/{lang}-{size}.json": {"n": len(size)} for lang in ("en", "de") for size in ("1", "2.5", "true")},
    }


def dvc_rows(root: Path) -> dict[str, dict[str, Any]]:
    """SHA or `workspace` -> what DVC shows."""
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "CI": "true"}
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--all-commits", "--force"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True)
    found = {}
    for state in json.loads(done.stdout):
        for revision in (state, *(group["revs"][0] for group in state.get("experiments") or ())):
            found[revision["rev"]] = revision
    return found


@pytest.mark.slow
def test_all_rows_equal_those_of_dvc(tmp_path: Path) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    first = builder.commit(files(builder), "first")
    builder.experiment(
        "renamed", first, {"params.yaml": "where: other\ntrain: {lr: 3}\n", "other/scores-v2.json": {"f1": 1}}
    )
    builder.experiment("fewer", first, {"conf/extra.yaml": "langs: [en]\n", "reports/a.json": None})
    builder.commit(
        {"params.yaml": f"where: work\n{NUMBERS}", "torn.json": {"loss": 0.1}, "m.yaml": "acc: 0.75\n"}, "second"
    )
    builder.checkout()
    theirs = dvc_rows(builder.root)
    ours = {row.rev: row for row in GitStore(builder.root).experiments()}
    assert theirs.keys() == ours.keys()
    assert len(ours) == 5
    for rev, revision in theirs.items():
        row = ours[rev]
        for side, values in (("params", row.params), ("metrics", row.metrics)):
            readable = {path: found["data"] for path, found in revision["data"][side].items() if "error" not in found}
            readable.pop("conf/extra.yaml", None)  # DVC adds variables that stages use; we show what dvc.yaml tracks
            assert json.loads(json.dumps(values)) == readable, (row.label, side)
        broken = {
            path for side in ("params", "metrics") for path, found in revision["data"][side].items() if "error" in found
        }
        told = set(row.missing) | {part.partition(":")[0] for part in (row.error or "").split("; ")} - {""}
        assert told == broken
