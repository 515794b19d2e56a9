"""Stages and data that differ between two revisions."""

from pathlib import Path
from typing import Any

import pygit2
import pytest

from tests.unit.store_repos import RepoBuilder, lock, make_run
from tui.core.changes import DataChange, StageChange, changed_data
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import FileChange
from tui.store import GitStore

PIPELINE = "stages:\n  train:\n    cmd: python train.py\n  other:\n    cmd: x\n"
OLD, NEW = "1" * 32, "2" * 32


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return RepoBuilder(tmp_path / "project")


def changes(builder: RepoBuilder, old: dict[str, Any], new: dict[str, Any]) -> list[StageChange]:
    """Between two commits with these files; the second one is checked out."""
    builder.commit({"dvc.yaml": PIPELINE, **old}, branch="old")
    builder.commit({"dvc.yaml": PIPELINE, **new}, branch="main")
    builder.checkout()
    store = GitStore(builder.root)
    found = store.changed_stages(store.resolve("old"), store.resolve("main"))
    assert store.changed_stages(store.resolve("old"), store.resolve("workspace")) == found
    assert store.changed_stages(store.resolve("main"), store.resolve("workspace")) == []
    return found


@pytest.mark.parametrize(
    ("text", "changed", "parts"),
    [
        ("cmd: python train.py", "cmd: python other.py", (("cmd", ()),)),
        ("a" * 32, "b" * 32, (("deps", ("code.py",)),)),
        ("train.lr: 0.1", "train.lr: 0.2", (("params", ("train.lr",)),)),
        ("train.lr: 0.1", "train.rate: 0.1", (("params", ("train.lr", "train.rate")),)),
        ("train.lr: 0.1", "train.lr: 1.0e-1", ()),
        (OLD, NEW, (("outs", ("model",)),)),
        ("size: 20", "size: 21", ()),
        ("path: model", "path: other", (("outs", ("model", "other")),)),
        ("cmd: python train.py", "cmd:\n    - python train.py\n    - echo", (("cmd", ()),)),
        ("params.yaml:", "own.toml:", (("params", ("train.lr", "own.toml:train.lr")),)),
    ],
)
def test_the_part_that_differs_is_told(builder: RepoBuilder, text: str, changed: str, parts: Any) -> None:
    before = lock({"train": {"model": OLD}})
    assert text in before
    found = changes(builder, {"dvc.lock": before}, {"dvc.lock": before.replace(text, changed)})
    assert found == ([StageChange("train", "modified", parts)] if parts else [])


def test_stages_come_and_go_and_are_named_by_their_file(builder: RepoBuilder) -> None:
    found = changes(
        builder,
        {"dvc.lock": lock({"train": {}, "other": {}})},
        {"dvc.lock": lock({"train": {}}), "sub/dvc.yaml": PIPELINE, "sub/dvc.lock": lock({"train": {}})},
    )
    assert found == [StageChange("sub/dvc.yaml:train", "added"), StageChange("other", "deleted")]


def test_a_lock_file_of_dvc_1_has_no_heading(builder: RepoBuilder) -> None:
    old = f"train:\n  cmd: x\n  outs:\n  - path: model\n    md5: {OLD}\n"
    found = changes(builder, {"dvc.lock": old}, {"dvc.lock": old.replace(OLD, NEW)})
    assert found == [StageChange("train", "modified", (("outs", ("model",)),))]


@pytest.mark.parametrize(
    "broken", ["{", "- 1\n", "stages: 3\n", "stages:\n  train: 3\n", "stages:\n  train:\n    deps: x\n"]
)
def test_a_broken_lock_file_knows_no_content(builder: RepoBuilder, broken: str) -> None:
    found = changes(builder, {"dvc.lock": lock({"train": {"model": OLD}})}, {"dvc.lock": broken})
    assert [change.stage for change in found] == ["train"]


def test_a_run_that_goes_on_is_compared_by_its_clone(builder: RepoBuilder) -> None:
    baseline = builder.commit({"dvc.yaml": PIPELINE, "dvc.lock": lock({"train": {"model": OLD}}), "code.py": "a\n"})
    builder.checkout()
    run = make_run(builder, baseline)
    pygit2.clone_repository(str(builder.root), str(run.directory))
    (run.directory / ".dvc").mkdir(exist_ok=True)
    builder.write({"dvc.lock": lock({"train": {"model": NEW}}), "code.py": "a\nb\n"}, run.directory)
    store = GitStore(builder.root)
    live = next(row for row in store.experiments([run]) if row.run_id == run.id)
    main = store.resolve("main")
    assert [change.stage for change in store.changed_stages(main, live)] == ["train"]
    assert FileChange("code.py", "modified", 1, 0) in store.changed_files(main, live)
    assert FileChange("code.py", "modified", 0, 1) in store.changed_files(live, main)
    workspace = store.resolve("workspace")
    assert FileChange("code.py", "modified", 1, 0) in store.changed_files(workspace, live)
    assert store.changed_files(workspace, main) == []


def test_a_commit_that_is_not_here_is_told(builder: RepoBuilder) -> None:
    builder.commit({"dvc.yaml": PIPELINE})
    store = GitStore(builder.root)
    with pytest.raises(UserError, match="missing from the Git repository"):
        store.changed_stages(Experiment("9" * 40, "commit"), store.resolve("main"))


def test_data_that_differs_is_told_once_by_its_path() -> None:
    old = Experiment(
        "a" * 40, "commit", deps={"data": OLD, "code.py": OLD, "model": OLD}, outs={"model": OLD, "gone": OLD}
    )
    new = Experiment(
        "b" * 40, "commit", deps={"data": NEW, "code.py": OLD, "model": NEW}, outs={"model": NEW, "come": None}
    )
    assert changed_data(old, new) == [
        DataChange("come", "out", "added", None, None),
        DataChange("data", "dep", "modified", OLD, NEW),
        DataChange("gone", "out", "deleted", OLD, None),
        DataChange("model", "out", "modified", OLD, NEW),
    ]
    assert changed_data(old, old) == []


def test_files_of_a_folder_that_differ_are_named(builder: RepoBuilder) -> None:
    old = builder.cache_folder({"same": b"1", "gone": b"2", "other/a.csv": b"3"})
    new = builder.cache_folder({"same": b"1", "come": b"2", "other/a.csv": b"4"})
    builder.commit({"dvc.yaml": PIPELINE})
    store = GitStore(builder.root)

    def with_data(md5: str) -> Experiment:
        return Experiment(md5[:32] + "0" * 8, "commit", outs={"data": md5})

    (change,) = store.changed_data(with_data(old), with_data(new))
    assert change.files == (("come", "added"), ("gone", "deleted"), ("other/a.csv", "modified"))
    (unknown,) = store.changed_data(with_data(old), with_data(NEW + ".dir"))
    assert unknown.files == ()


def test_what_has_no_hash_is_not_said_to_differ() -> None:
    old = Experiment("a" * 40, "commit", deps={"data": OLD}, outs={"model": None})
    new = Experiment("b" * 40, "commit", deps={"data": None}, outs={"model": NEW})
    assert changed_data(old, new) == []
