"""Runs and clones that vanish, and questions about commits that are not there."""

import shutil
from pathlib import Path
from typing import Any

import pygit2
import pytest

from tests.faults.store_project import FILES, GOOD, good_project, head, place_of, rows
from tests.unit.store_repos import RepoBuilder, make_run
from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.store import GitStore


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    """A project with a good experiment on a good commit."""
    return good_project(tmp_path / "repo")


@pytest.mark.parametrize("which", ["blob", "tree", "commit"])
def test_an_object_that_is_missing(builder: RepoBuilder, which: str) -> None:
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    commit: Any = builder.repository[rev]
    place_of(builder, {"blob": commit.tree["m.json"].id, "tree": commit.tree_id, "commit": rev}[which]).unlink()
    row = rows(builder.root)["bad"]
    subject = {"blob": "m.json: its object is", "tree": "missing", "commit": "its commit is missing"}[which]
    assert subject in (row.error or "")
    assert "missing from the Git repository" in (row.error or "")
    assert row.params == ({"params.yaml": {"a": 1}} if which == "blob" else {})


def test_a_baseline_that_is_missing(builder: RepoBuilder) -> None:
    builder.repository.references.create(f"refs/exps/{'ab'}/{'cd' * 19}/stray", head(builder))
    found = rows(builder.root)
    assert found["abcdcdc"].error == "its commit is missing from the Git repository"
    assert found["stray"].baseline == "ab" + "cd" * 19


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


def test_a_diff_with_a_commit_that_is_missing(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    assert store.resolve("good").params == GOOD
    with pytest.raises(UserError, match="missing from the Git repository"):
        store.changed_files(Experiment("f" * 40, "commit"), store.resolve("HEAD"))
    assert store.series(Experiment("f" * 40, "commit")) == []
    assert store.predictions(Experiment("f" * 40, "commit")).is_empty()


def test_a_diff_of_a_file_whose_content_is_missing(builder: RepoBuilder) -> None:
    old = builder.commit({"big.txt": "1\n", "code.py": "1\n"}, "old")
    new = builder.commit({"big.txt": "2\n", "code.py": "1\n2\n"}, "new")
    store = GitStore(builder.root)
    blob = str(pygit2.hash(b"2\n"))
    (builder.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    found = store.changed_files(store.resolve(old), store.resolve(new))
    assert [(file.path, file.added, file.deleted) for file in found] == [("big.txt", 0, 0), ("code.py", 1, 0)]
