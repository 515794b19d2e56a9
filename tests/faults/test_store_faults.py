"""One broken thing at a time: a row with an error, never a crash, and the other rows as before."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store_repos import RepoBuilder, finetui_project, make_run
from tui.core.errors import UsageError, UserError
from tui.core.experiments import Experiment
from tui.store import GitStore, find_project

PIPELINE = "stages:\n  s:\n    cmd: x\n    metrics:\n    - m.json:\n        cache: false\n"
FILES = {"dvc.yaml": PIPELINE, "params.yaml": "a: 1\n", "m.json": {"loss": 1}}


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    """A project with a good experiment on a good commit."""
    builder = RepoBuilder(tmp_path / "repo")
    builder.commit(FILES)
    builder.experiment("good", head(builder), {"params.yaml": "a: 2\n"})
    builder.checkout()
    return builder


def head(builder: RepoBuilder) -> str:
    return str(builder.repository.head.target)


def lose(builder: RepoBuilder, object_id: Any) -> None:
    """Remove a loose object from the repository."""
    text = str(object_id)
    (builder.git_root / ".git/objects" / text[:2] / text[2:]).unlink()


def rows(builder: RepoBuilder) -> dict[str, Experiment]:
    found = {row.label: row for row in GitStore(builder.root).experiments()}
    assert found["good"].params == {"params.yaml": {"a": 2}}
    assert found["good"].error is None
    return found


def test_a_commit_whose_pipeline_does_not_parse(builder: RepoBuilder) -> None:
    builder.experiment("bad", head(builder), {"dvc.yaml": "stages: ["})
    row = rows(builder)["bad"]
    assert (row.error or "").startswith("dvc.yaml: does not parse as YAML")
    assert row.params == {"params.yaml": {"a": 1}}


def test_a_blob_that_is_missing(builder: RepoBuilder) -> None:
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    lose(builder, builder.repository[rev].tree["m.json"].id)
    row = rows(builder)["bad"]
    assert row.error == "m.json: its object is missing from the Git repository"
    assert row.params == {"params.yaml": {"a": 1}}


def test_a_tree_that_is_missing(builder: RepoBuilder) -> None:
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    lose(builder, builder.repository[rev].tree_id)
    assert "missing from the Git repository" in (rows(builder)["bad"].error or "")


def test_a_commit_that_is_missing(builder: RepoBuilder) -> None:
    lose(builder, builder.experiment("bad", head(builder), {"m.json": {"loss": 77}}))
    assert rows(builder)["bad"].error == "its commit is missing from the Git repository"


def test_a_baseline_that_is_missing(builder: RepoBuilder) -> None:
    ref = builder.repository.references.create(f"refs/exps/{'ab'}/{'cd' * 19}/stray", head(builder))
    assert ref.name.endswith("stray")
    found = rows(builder)
    assert found["abcdcdc"].error == "its commit is missing from the Git repository"
    assert found["stray"].baseline == "ab" + "cd" * 19


def test_a_blob_that_is_corrupt(builder: RepoBuilder) -> None:
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    text = str(builder.repository[rev].tree["m.json"].id)
    place = builder.git_root / ".git/objects" / text[:2] / text[2:]
    place.chmod(0o644)
    place.write_bytes(b"garbage")
    assert (rows(builder)["bad"].error or "").startswith("m.json: ")


def test_a_ref_that_is_corrupt(builder: RepoBuilder) -> None:
    folder = builder.git_root / f".git/refs/exps/{head(builder)[:2]}/{head(builder)[2:]}"
    (folder / "bad").write_text("not a sha\n")
    found = GitStore(builder.root).experiments()
    assert [row.error for row in found if row.label == "good"] == [None]
    assert all(row.error == "its ref is broken" for row in found if row.name == "bad")


@pytest.mark.parametrize("content", ["", '{"loss": 0.1', "\0\0\0"])
def test_a_metrics_file_that_is_empty_or_torn(builder: RepoBuilder, content: str) -> None:
    builder.write({"m.json": content})
    store = GitStore(builder.root)
    assert (store.experiments()[0].error or "").startswith("m.json: ")
    builder.write({"m.json": {"loss": 3}})
    assert store.experiments()[0].error is None
    assert store.experiments()[0].metrics == {"m.json": {"loss": 3}}


def test_a_pipeline_that_breaks_while_it_is_edited(builder: RepoBuilder) -> None:
    builder.write({"dvc.yaml": "stages:\n  s: [\n"})
    store = GitStore(builder.root)
    assert "dvc.yaml" in (store.experiments()[0].error or "")
    builder.write({"dvc.yaml": PIPELINE})
    assert store.experiments()[0].error is None


def test_a_clone_that_vanishes(builder: RepoBuilder) -> None:
    run = make_run(builder, head(builder))
    builder.write(FILES, run.directory)
    store = GitStore(builder.root)
    assert store.experiments([run])[2].params == {"params.yaml": {"a": 1}}
    shutil.rmtree(run.directory)
    assert store.experiments([run])[2].params == {"params.yaml": {"a": 1}}


def test_a_run_whose_snapshot_and_clone_are_gone(builder: RepoBuilder) -> None:
    row = GitStore(builder.root).experiments([make_run(builder, head(builder), snapshot="f" * 40, status="lost")])[2]
    assert row.error == "its clone and its snapshot are gone"


def test_a_folder_in_place_of_a_file(builder: RepoBuilder) -> None:
    (builder.root / "m.json").unlink()
    (builder.root / "m.json").mkdir()
    row = GitStore(builder.root).experiments()[0]
    assert row.missing == ("m.json",)


def test_the_project_folder_is_removed_while_it_is_open(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    store.experiments()
    for name in ("dvc.yaml", "params.yaml", "m.json"):
        (builder.root / name).unlink()
    assert store.experiments()[0].params == {}


def test_a_shallow_clone_ends_where_its_history_does(builder: RepoBuilder, tmp_path: Path) -> None:
    import subprocess

    builder.commit({"params.yaml": "a: 5\n"}, "later")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{builder.git_root}", tmp_path / "shallow"], check=True)
    (tmp_path / "shallow/.dvc").mkdir(exist_ok=True)
    found = GitStore(find_project(tmp_path / "shallow")).experiments()
    assert [row.error for row in found] == [None, None]


def test_a_linked_work_tree_sees_the_same_experiments(builder: RepoBuilder, tmp_path: Path) -> None:
    import subprocess

    subprocess.run(["git", "-C", builder.git_root, "worktree", "add", "-q", tmp_path / "linked"], check=True)
    (tmp_path / "linked/.dvc").mkdir(exist_ok=True)
    store = GitStore(find_project(tmp_path / "linked"))
    assert "good" in {row.name for row in store.experiments()}
    builder.experiment("later", head(builder), {})
    assert "later" in {row.name for row in store.experiments()}


def test_a_bare_repository_is_refused(tmp_path: Path) -> None:
    import pygit2

    pygit2.init_repository(str(tmp_path / "bare"), bare=True)
    (tmp_path / "bare/.dvc").mkdir()
    with pytest.raises(UsageError, match="bare Git repository"):
        find_project(tmp_path / "bare")


def test_a_diff_with_a_commit_that_is_missing(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    with pytest.raises(UserError, match="missing from the Git repository"):
        store.changed_files(Experiment("f" * 40, "commit"), store.resolve("HEAD"))
    assert store.series(Experiment("f" * 40, "commit")) == []
    assert store.predictions(Experiment("f" * 40, "commit")).is_empty()


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p", num_experiments=30)
    store = GitStore(builder.root)

    def work(number: int) -> None:
        for _ in range(5):
            found = store.experiments()
            assert len(found) == 32
            assert len(store.series(found[2 + number])) == 2
            assert store.resolve(f"exp-{number:04}").name == f"exp-{number:04}"

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(work, range(8)))) == 8
