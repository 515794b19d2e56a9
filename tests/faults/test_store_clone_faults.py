"""Git repositories in unusual places and shapes: clones, work trees, submodules, links, nothing at all."""

import os
import shutil
from pathlib import Path

import pygit2
import pytest

from tests.faults.store_project import (
    FILES,
    GOOD,
    experiment_refs,
    git,
    good_project,
    head,
    listed,
    main_of,
    rows,
)
from tests.unit.store_repos import RepoBuilder
from tui.core.errors import UsageError
from tui.store import GitStore, find_project

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return good_project(tmp_path / "repo")


def clone(builder: RepoBuilder, place: Path, *options: str) -> Path:
    git(builder.root, "config", "uploadpack.allowFilter", "true")
    git(builder.root.parent, "clone", "-q", *options, f"file://{builder.git_root}", str(place))
    (place / ".dvc").mkdir(exist_ok=True)
    return place


def test_a_shallow_clone_ends_where_its_history_does(builder: RepoBuilder, tmp_path: Path, capsys: Capture) -> None:
    builder.commit({"params.yaml": "a: 5\n"}, "later")
    root = clone(builder, tmp_path / "shallow", "--depth=1")
    assert [row.error for row in GitStore(find_project(root)).experiments()] == [None, None]
    assert len(listed(root, capsys)) == 2


def test_an_experiment_on_a_commit_that_a_shallow_clone_lacks(builder: RepoBuilder, tmp_path: Path) -> None:
    builder.commit({"params.yaml": "a: 5\n"}, "later")
    root = clone(builder, tmp_path / "shallow", "--depth=1")
    git(root, "fetch", "-q", "--depth=1", "origin", "refs/exps/*:refs/exps/*")
    found = {row.label: row for row in GitStore(root).experiments()}
    assert found["good"].params == GOOD
    assert found["good"].error is None


def test_a_partial_clone_is_not_completed(
    builder: RepoBuilder, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blobs that were left out are told, and neither Git nor DVC fetches them while we read."""
    builder.commit({"m.json": {"loss": 5}}, "later")
    root = clone(builder, tmp_path / "partial", "--filter=blob:none")
    git(root, "fetch", "-q", "--filter=blob:none", "origin", "refs/exps/*:refs/exps/*")
    before = objects(root)
    shutil.move(builder.git_root, builder.git_root.with_name("away"))  # whoever asks the promisor fails, and is slow
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    found = {row.label: row for row in GitStore(root).experiments()}
    assert found["workspace"].metrics == {"m.json": {"loss": 5}}
    assert "missing" in (found["good"].error or "")
    assert objects(root) == before
    trace = tmp_path / "trace"
    assert not trace.exists() or "fetch" not in trace.read_text()
    assert len(listed(root, capsys)) == len(found)


def objects(root: Path) -> set[str]:
    return {str(path) for path in (root / ".git/objects").rglob("*") if path.is_file()}


def test_a_detached_head(builder: RepoBuilder, capsys: Capture) -> None:
    rev = head(builder)
    builder.commit({"params.yaml": "a: 5\n"}, "later")
    builder.repository.set_head(builder.repository[rev].id)
    assert rows(builder.root)
    assert rev in {row["rev"] for row in listed(builder.root, capsys)}


def test_a_bare_repository_is_refused(tmp_path: Path, capsys: Capture) -> None:
    pygit2.init_repository(str(tmp_path / "bare"), bare=True)
    (tmp_path / "bare/.dvc").mkdir()
    with pytest.raises(UsageError, match="bare Git repository"):
        find_project(tmp_path / "bare")
    assert main_of(tmp_path / "bare", capsys) == 2


def test_an_empty_repository_has_an_empty_table(tmp_path: Path, capsys: Capture) -> None:
    builder = RepoBuilder(tmp_path / "repo")
    (row,) = GitStore(builder.root).experiments()
    assert (row.kind, row.params, row.metrics, row.error) == ("workspace", {}, {}, None)
    assert len(listed(builder.root, capsys)) == 1


def test_a_branch_without_commits_beside_one_with(builder: RepoBuilder, capsys: Capture) -> None:
    builder.repository.references.create("refs/tags/v1", head(builder))
    (builder.git_root / ".git/HEAD").write_text("ref: refs/heads/unborn\n")
    found = rows(builder.root)
    assert {"workspace", "main", "good"} <= found.keys()
    listed(builder.root, capsys)


@pytest.mark.parametrize("text", ["", "ref: refs/heads/\n", "garbage\n", "ab" * 20 + "\n"])
def test_a_head_that_is_broken(builder: RepoBuilder, capsys: Capture, text: str) -> None:
    (builder.git_root / ".git/HEAD").write_text(text)
    assert main_of(builder.root, capsys) in {0, 2}


def test_a_project_inside_a_submodule(builder: RepoBuilder, tmp_path: Path, capsys: Capture) -> None:
    pygit2.init_repository(str(tmp_path / "outer"))
    git(tmp_path / "outer", "submodule", "add", "-q", str(builder.git_root), "inner")
    git(tmp_path / "outer/inner", "fetch", "-q", "origin", "refs/exps/*:refs/exps/*")
    (tmp_path / "outer/inner/.dvc").mkdir(exist_ok=True)
    root = find_project(tmp_path / "outer/inner")
    assert root == (tmp_path / "outer/inner").resolve()
    assert rows(root)["good"].params == GOOD
    listed(root, capsys)


def test_a_project_that_has_submodules(builder: RepoBuilder, tmp_path: Path, capsys: Capture) -> None:
    other = good_project(tmp_path / "other")
    git(builder.root, "submodule", "add", "-q", str(other.git_root), "vendor/other")
    git(builder.root, "commit", "-q", "-m", "with a submodule")
    found = rows(builder.root)
    assert found["main"].metrics == {"m.json": {"loss": 1}}
    assert all(row.error is None for row in found.values())
    assert listed(builder.root, capsys)


def test_a_submodule_in_place_of_a_metrics_file(builder: RepoBuilder, capsys: Capture) -> None:
    entry = pygit2.IndexEntry("m.json", builder.repository[head(builder)].id, pygit2.enums.FileMode.COMMIT)
    index = pygit2.Index()
    index.read_tree(builder.repository[head(builder)].tree)
    index.add(entry)
    author = builder.signature()
    rev = builder.repository.create_commit(
        None, author, author, "x", index.write_tree(builder.repository), [head(builder)]
    )
    (experiment_refs(builder) / "bad").write_text(f"{rev}\n")
    row = rows(builder.root)["bad"]
    assert row.metrics == {}
    assert row.missing == ("m.json",) or row.error is not None
    listed(builder.root, capsys)


def test_a_symbolic_link_in_place_of_a_metrics_file(builder: RepoBuilder, tmp_path: Path, capsys: Capture) -> None:
    """A link is followed neither out of the repository nor in circles."""
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    for name, target in (("out", str(tmp_path / "secret.json")), ("up", "../secret.json"), ("self", "m.json")):
        blob = builder.repository.create_blob(target.encode())
        index = pygit2.Index()
        index.read_tree(builder.repository[head(builder)].tree)
        index.add(pygit2.IndexEntry("m.json", blob, pygit2.enums.FileMode.LINK))
        author = builder.signature()
        tree = index.write_tree(builder.repository)
        rev = builder.repository.create_commit(None, author, author, "x", tree, [head(builder)])
        (experiment_refs(builder) / name).write_text(f"{rev}\n")
    found = rows(builder.root)
    assert all("secret" not in str(row.metrics) for row in found.values())
    assert {"out", "up", "self"} <= found.keys()
    listed(builder.root, capsys)


def test_a_linked_work_tree_sees_the_same_experiments(builder: RepoBuilder, tmp_path: Path, capsys: Capture) -> None:
    git(builder.root, "worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked/.dvc").mkdir(exist_ok=True)
    store = GitStore(find_project(tmp_path / "linked"))
    assert "good" in {row.name for row in store.experiments()}
    builder.experiment("later", head(builder), {})
    assert "later" in {row.name for row in store.experiments()}
    shutil.rmtree(builder.git_root)
    assert main_of(tmp_path / "linked", capsys) in {1, 2}


def test_dvc_as_a_file_is_no_project(builder: RepoBuilder, capsys: Capture) -> None:
    shutil.rmtree(builder.root / ".dvc")
    (builder.root / ".dvc").write_text("not a folder")
    with pytest.raises(UsageError, match="not a DVC project"):
        find_project(builder.root)
    assert main_of(builder.root, capsys) == 2


def test_a_project_reached_through_a_link(builder: RepoBuilder, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "link").symlink_to(builder.root, target_is_directory=True)
    root = find_project(tmp_path / "link")
    assert rows(root)["workspace"].metrics == {"m.json": {"loss": 1}}
    assert listed(tmp_path / "link", capsys)


def test_a_git_folder_that_is_a_file_to_nowhere(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "repo/.dvc").mkdir(parents=True)
    (tmp_path / "repo/.git").write_text("gitdir: /nowhere/at/all\n")
    assert main_of(tmp_path / "repo", capsys) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_repository_that_may_not_be_read(builder: RepoBuilder, capsys: Capture) -> None:
    (builder.git_root / ".git/objects").chmod(0)
    try:
        assert main_of(builder.root, capsys) in {0, 1, 2}
    finally:
        (builder.git_root / ".git/objects").chmod(0o755)


def test_a_project_without_a_work_tree_file(builder: RepoBuilder, capsys: Capture) -> None:
    for name in FILES:
        (builder.root / name).unlink()
    assert rows(builder.root)["workspace"].params == {}
    listed(builder.root, capsys)
