"""`finetui log` and `finetui blame` over small histories, and the lines of commits that they walk."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.store_repos import RepoBuilder, lock
from tui.__main__ import main
from tui.core.errors import UsageError
from tui.store import GitStore

PIPELINE = """stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [lr]
    metrics:
    - metrics.json:
        cache: false
"""
LOCKED = """schema: '2.0'
stages:
  train:
    cmd: python train.py
    deps:
    - path: train.py
      hash: md5
      md5: 897316929176464ebc9ad085f31e7284
      size: 2
    params:
      params.yaml:
        lr: 0.5
"""
"""What `dvc repro` leaves of a train.py that says 0."""


class Line:
    """A project whose commits are written one by one."""

    def __init__(self, root: Path) -> None:
        self.builder = RepoBuilder(root)
        self.revs: list[str] = []
        self.add("start", {"dvc.yaml": PIPELINE, "train.py": "0\n", "params.yaml": "lr: 0.1\nseed: 0\n"})

    def add(self, subject: str, files: dict[str, Any]) -> str:
        """One more commit."""
        self.revs.append(self.builder.commit(files, subject))
        return self.revs[-1]

    def results(self, value: Any, subject: str = "results") -> str:
        """A commit with results, as `dvc repro` leaves them."""
        locked = lock({"train": {}}) + f"# {len(self.revs)}\n"
        locked = locked.replace("a" * 32, f"{len(self.revs):032}")
        return self.add(subject, {"metrics.json": {"test/accuracy": value, "test/loss": 1.0}, "dvc.lock": locked})

    def run(self, *arguments: str) -> int:
        """The command line."""
        self.builder.checkout()
        return main(["-C", str(self.builder.root), *arguments])


@pytest.fixture
def line(tmp_path: Path) -> Line:
    """A drop in the third results, which were made after two commits of code."""
    made = Line(tmp_path / "project")
    made.results(0.9)
    made.results(0.91)
    made.add("another learning rate", {"params.yaml": "lr: 0.5\nseed: 0\n"})
    made.add("other code", {"train.py": "1\n"})
    made.results(0.5, "results of both")
    made.add("a text", {"README.md": "text\n"})
    return made


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_log_shows_each_commit_with_its_change(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line.run("log", "test/accuracy", "--json") == 0
    told = _json(capsys)
    assert (told["key"], told["kind"], told["direction"]) == ("test/accuracy", "metric", "higher")
    commits = told["commits"]
    assert [one["rev"] for one in commits] == line.revs[::-1]
    assert [one["value"] for one in commits] == [0.5, 0.5, 0.91, 0.91, 0.91, 0.9, None]
    assert [one["verdict"] for one in commits[:2]] == ["equal", "worse"]
    assert commits[1]["delta"] == pytest.approx(-0.41)
    assert commits[0]["refs"] == ["main"]
    assert commits[-1]["note"] == "missing"


def test_log_folds_and_limits(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line.run("log", "test/accuracy", "--changes", "-n", "2") == 0
    shown = capsys.readouterr().out
    assert [row.split()[0] for row in shown.splitlines()[2:]] == [line.revs[6][:7], line.revs[5][:7], "…"]
    assert "2 commits without a change" in shown
    assert line.run("log", "test/accuracy", line.revs[2], "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["value"] for row in rows] == ["0.91", "0.9", ""]
    assert rows[0]["delta"].startswith("0.01")


def test_log_marks_what_a_commit_only_carries_on(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    results = {"metrics.json": {"test/accuracy": 0.6}, "dvc.lock": LOCKED}
    rev = line.add("ran as it is", {".dvc/config": "", "train.py": "0\n", **results})
    line.add("a comment in the pipeline", {"dvc.yaml": f"# all in one\n{PIPELINE}"})
    line.add("other code", {"train.py": "2\n"})
    line.add("a text", {"README.md": "more\n"})
    line.add("changed back", {"train.py": "0\n"})
    assert line.run("log", "test/accuracy", "--json") == 0
    commits = _json(capsys)["commits"]
    assert [place for place, one in enumerate(commits) if one["stale"]] == [1, 2, 7, 8]
    assert commits[4]["rev"] == rev
    assert line.run("log", "test/accuracy", line.revs[-2]) == 0
    shown = capsys.readouterr().out
    assert [row.split()[3] for row in shown.splitlines()[2:4]] == ["stale", "stale"]
    assert "are not those that the value was made from" in shown
    assert line.run("log", "test/accuracy", line.revs[-2], "--md", "--changes", "-n", "1") == 0
    assert "| 0.6 | stale |" in capsys.readouterr().out
    assert line.run("log", "test/accuracy", line.revs[-2], "--csv", "-n", "1") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["stale"] == "true"
    assert line.run("log", "lr", "--json") == 0
    assert not any(one["stale"] for one in _json(capsys)["commits"])


def test_log_takes_params_and_tells_the_nearest_name(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line.run("log", "lr", "--changes", "--json") == 0
    assert [one["value"] for one in _json(capsys)["commits"]] == [0.5, 0.5, 0.1]
    assert line.run("log", "test/acuracy") == 2
    assert "did you mean test/accuracy" in capsys.readouterr().err
    assert line.run("log", "test/accuracy", "-n", "0") == 2


def test_log_shows_experiments_below_their_commit(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    name = "bold-owl"
    line.builder.experiment(name, line.revs[5], {"metrics.json": {"test/accuracy": 0.75}})
    assert line.run("log", "test/accuracy", "--experiments", "--json") == 0
    below = _json(capsys)["commits"][1]["experiments"]
    assert [(one["name"], one["value"], one["delta"], one["verdict"]) for one in below] == [
        (name, 0.75, 0.25, "better")
    ]
    assert line.run("log", "test/accuracy", name, "--json") == 0
    assert [one["value"] for one in _json(capsys)["commits"]][:2] == [0.75, 0.5]


def test_experiments_can_have_what_no_commit_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Line(tmp_path / "project")
    made.builder.experiment("bold-owl", made.revs[0], {"metrics.json": {"test/accuracy": 0.75}})
    assert made.run("log", "test/accuracy") == 2
    assert "experiments have it: finetui log test/accuracy --experiments" in capsys.readouterr().err
    assert made.run("log", "test/accuracy", "--experiments", "--json") == 0
    (commit,) = _json(capsys)["commits"]
    assert (commit["value"], [one["value"] for one in commit["experiments"]]) == (None, [0.75])
    assert made.run("blame", "test/accuracy") == 2
    assert "experiments have it: finetui log test/accuracy --experiments" in capsys.readouterr().err


def test_what_is_missing_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Line(tmp_path / "project")
    made.results(0.9)
    made.add("null", {"metrics.json": {"test/accuracy": None}})
    made.add("broken", {"metrics.json": "{"})
    made.add("cached", {"dvc.yaml": PIPELINE.replace("cache: false", "cache: true"), "metrics.json": None})
    assert made.run("log", "test/accuracy", "--json") == 0
    assert [one["note"] for one in _json(capsys)["commits"]] == ["missing", "unreadable", "none", "", "missing"]


def test_control_characters_of_a_subject_do_not_reach_the_terminal(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    line.add("\x1b[2J\x1b]0;title\x07boo", {"metrics.json": {"test/accuracy": 0.1}})
    assert line.run("log", "test/accuracy") == 0
    assert line.run("blame", "test/accuracy") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_blame_names_the_commit_and_those_whose_change_came_into_effect_there(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line.run("blame", "test/accuracy", "--noise", "0.05", "--json") == 0
    told = _json(capsys)
    move = told["move"]
    assert (move["kind"], move["end"]["rev"], move["origin"]) == ("step", line.revs[5], line.revs[2])
    assert [one["rev"] for one in move["suspects"]] == line.revs[3:6]
    assert told["noise"] == {"size": 0.05, "source": "asked", "detail": "--noise"}
    assert told["diff"]["params"] == {"lr": [0.1, 0.5]}
    assert {"train.py", "params.yaml"} <= {one["path"] for one in told["diff"]["files"]}
    assert line.run("blame", "test/accuracy") == 0
    shown = capsys.readouterr().out
    assert f"0.91 -> 0.5 (▼ -0.41) in {line.revs[5][:7]} results of both" in shown
    assert "every change counts" in shown
    assert "the cause is in one of 3 commits" in shown


def test_a_run_with_the_same_result_clears_what_came_before_it(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.add("innocent code", {"train.py": "2\n"})
    line.results(0.5, "the same again")
    line.add("guilty code", {"train.py": "3\n"})
    line.results(0.2, "worse")
    assert line.run("blame", "test/accuracy", "--json") == 0
    move = _json(capsys)["move"]
    assert move["origin"] == line.revs[-3]
    assert [one["subject"] for one in move["suspects"]] == ["guilty code", "worse"]


def test_without_a_lock_the_suspects_begin_after_the_last_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Line(tmp_path / "project")
    for number, value in enumerate((0.9, 0.8, 0.2)):
        made.add(f"code {number}", {"train.py": f"{number}\n"})
        made.add(f"results {number}", {"metrics.json": {"test/accuracy": value}})
    assert made.run("blame", "test/accuracy", "--json") == 0
    move = _json(capsys)["move"]
    assert move["origin"] == made.revs[-3]
    assert [one["subject"] for one in move["suspects"]] == ["code 2", "results 2"]


def test_blame_says_when_nothing_moved(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert line.run("blame", "test/accuracy", "--noise", "0.9") == 1
    assert "has not moved by more than its noise" in capsys.readouterr().out
    assert line.run("blame", "test/loss", "--json") == 1
    assert _json(capsys)["move"] is None
    assert line.run("blame", "test/accuracy", "--noise", "-1") == 2


def test_blame_tells_a_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Line(tmp_path / "project")
    for number in range(6):
        made.results(0.9 - 0.02 * number, f"results {number}")
    assert made.run("blame", "test/accuracy", "--noise", "0.05") == 0
    shown = capsys.readouterr().out
    assert "0.9 -> 0.8 (▼ -0.1), drifted over 5 changes that are each within the noise" in shown
    assert [f"results {number}" in shown for number in range(1, 6)] == [True] * 5


def test_blame_since_a_baseline(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.results(0.3, "worse still")
    arguments = ("blame", "test/accuracy", "--noise", "0.05", "--baseline", line.revs[1], "--json")
    assert line.run(*arguments) == 0
    assert _json(capsys)["move"]["end"]["rev"] == line.revs[5]
    assert line.run("blame", "test/accuracy", "--baseline", line.revs[0]) == 2
    assert "has no value" in capsys.readouterr().err


def test_seeds_tell_the_noise(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, value in enumerate((0.5, 0.52, 0.48)):
        results = {"test/accuracy": value, "test/loss": 1.0}
        files: dict[str, Any] = {"params.yaml": f"lr: 0.5\nseed: {seed}\n", "metrics.json": results}
        line.builder.experiment(f"seed-{seed}", line.revs[6], files)
    assert line.run("blame", "test/accuracy", "--json") == 0
    told = _json(capsys)
    assert told["noise"]["source"] == "seeds"
    assert told["noise"]["size"] == pytest.approx(4.30 * 2**0.5 * 0.02, rel=0.02)
    assert told["move"]["end"]["rev"] == line.revs[5]


def _with_examples(line: Line, right: Sequence[bool], subject: str) -> str:
    """A commit with results, and with what they are means over in the cache."""
    frame = pl.DataFrame({"id": [f"e{place}" for place in range(len(right))], "accuracy": right})
    content = io.BytesIO()
    frame.write_parquet(content)
    md5 = line.builder.cache_folder({"predictions.parquet": content.getvalue()})
    locked = f"schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n    - path: data/eval\n      md5: {md5}\n"
    pipeline = PIPELINE + "    outs:\n    - data/eval\n"
    metrics = {"test/accuracy": sum(right) / len(right)}
    return line.add(subject, {"dvc.yaml": pipeline, "metrics.json": metrics, "dvc.lock": locked})


def test_the_same_examples_see_what_two_intervals_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Line(tmp_path / "project")
    _with_examples(made, [place < 80 for place in range(100)], "old")
    _with_examples(made, [place < 88 for place in range(100)], "new")
    assert made.run("blame", "test/accuracy", "--json") == 0
    told = _json(capsys)
    assert told["move"]["end"]["rev"] == made.revs[-1]
    assert told["noise"]["source"] == "paired"
    assert told["noise"]["size"] < 0.08
    assert "100 examples of both values has p = 0.008" in told["noise"]["detail"]
    # without the examples of the old one there are only two intervals, which overlap
    made.results(0.8)
    _with_examples(made, [place < 88 for place in range(100)], "new again")
    assert made.run("blame", "test/accuracy", "--json", "--baseline", made.revs[-2]) == 1
    told = _json(capsys)
    assert (told["move"], told["noise"]["source"]) == (None, "interval")
    assert told["noise"]["size"] > 0.08


def test_as_many_examples_fixed_as_broken_are_no_move(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Line(tmp_path / "project")
    _with_examples(made, [place < 80 for place in range(100)], "old")
    _with_examples(made, [place < 70 or place >= 87 for place in range(100)], "new")
    assert made.run("blame", "test/accuracy", "--json") == 1
    told = _json(capsys)
    assert (told["move"], told["noise"]["source"]) == (None, "paired")


def test_a_line_goes_over_first_parents_and_counts_what_merges_brought(line: Line) -> None:
    builder = line.builder
    builder.repository.references.create("refs/heads/side", line.revs[3])
    side = [builder.commit({f"{number}.txt": ""}, f"side {number}", "side") for number in range(3)]
    merge = builder._write([line.revs[-1], side[-1]], {}, "merge", "refs/heads/main")
    builder.checkout()
    store = GitStore(builder.root)
    rows = store.lineage("main", 4)
    assert [row.rev for row in rows] == [merge, *line.revs[6:3:-1]]
    assert [row.rev for row in store.lineage(merge, 100)] == [merge, *line.revs[::-1]]
    found = store.line(store.resolve(line.revs[2]), store.resolve(merge))
    assert (found.relation, dict(found.merges)) == ("before", {merge: 3})
    assert [row.rev for row in found.commits] == [*line.revs[2:], merge]
    aside = store.line(store.resolve(side[0]), store.resolve(merge))
    assert (aside.relation, aside.base, aside.merge) == ("aside", line.revs[-1], merge)
    apart = store.line(store.resolve(line.revs[5]), store.resolve(side[-1]))
    assert (apart.relation, apart.base) == ("unrelated", line.revs[3])
    with pytest.raises(UsageError, match="no commit"):
        store.lineage("nothing", 3)


def test_the_rows_of_a_line_are_not_only_those_of_the_table(tmp_path: Path) -> None:
    made = Line(tmp_path / "project")
    for number in range(60):
        made.results(number)
    made.builder.checkout()
    rows = GitStore(made.builder.root, num_commits=3).lineage("HEAD", 61)
    assert [row.metrics.get("metrics.json", {}).get("test/accuracy") for row in rows] == [*range(59, -1, -1), None]


@pytest.mark.parametrize(
    "values",
    [
        [10**400, 1, 10**400],
        [1e308, -1e308, 1e308],
        ["text", 1, None, True, [1], {"a": 1}],
        [float("nan"), float("inf"), 0.5],
        [0, -0.0, 0.0],
    ],
)
def test_odd_values_are_no_crash(tmp_path: Path, values: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    made = Line(tmp_path / "project")
    made.results(0.25)
    for value in values:
        made.results(value)
    made.results(0.5)
    for form in ((), ("--json",), ("--csv",), ("--md",), ("--changes",)):
        assert made.run("log", "test/accuracy", *form) == 0
    for options in ((), ("--noise", "0.1"), ("--json",), ("--baseline", made.revs[1])):
        assert made.run("blame", "test/accuracy", *options) == 0
    capsys.readouterr()
    assert made.run("bisect", made.revs[1], made.revs[-1], "test/accuracy < 0.4", "--trust", "--plan") == 0
    assert "next:" in capsys.readouterr().out or not any(map(_is_unknown, values))


def _is_unknown(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > 1e308


def test_a_history_with_a_hole_ends_with_a_row_that_says_so(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.builder.checkout()
    gone = line.revs[2]
    (line.builder.root / ".git/objects" / gone[:2] / gone[2:]).unlink()
    assert line.run("log", "test/accuracy", "--json") == 0
    last = _json(capsys)["commits"][-1]
    assert (last["rev"], last["value"], last["note"]) == (gone, None, "unreadable")
    assert "missing" in last["error"]
    assert line.run("blame", "test/accuracy") == 0
    assert line.run("bisect", line.revs[1], "main", "test/accuracy > 0.8") == 2
    assert "git fetch --unshallow" in capsys.readouterr().err


def test_a_repository_without_a_commit_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builder = RepoBuilder(tmp_path / "project")
    assert main(["-C", str(builder.root), "log", "test/accuracy"]) == 2
    assert main(["-C", str(builder.root), "blame", "test/accuracy"]) == 2
    assert main(["-C", str(builder.root), "bisect", "a", "b", "test/accuracy > 0.8"]) == 2
    assert "Traceback" not in capsys.readouterr().err
