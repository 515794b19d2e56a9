"""What users may call an experiment."""

from pathlib import Path

import pytest

from tests.unit.store_repos import RepoBuilder
from tui.core.errors import UsageError
from tui.store import GitStore


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    builder = RepoBuilder(tmp_path / "repo")
    one = builder.commit({"params.yaml": "a: 1\n"}, "one")
    builder.repository.create_reference("refs/tags/v1", one)
    two = builder.commit({"params.yaml": "a: 2\n"}, "two")
    builder.experiment("brisk-owl", two, {"params.yaml": "a: 3\n"})
    builder.experiment("twin", one, {"params.yaml": "a: 4\n"})
    builder.experiment("twin", two, {"params.yaml": "a: 5\n"})
    builder.checkout()
    return builder


@pytest.mark.parametrize(
    ("text", "value"), [("workspace", 2), ("HEAD", 2), ("main", 2), ("v1", 1), ("HEAD~1", 1), ("brisk-owl", 3)]
)
def test_names_that_are_understood(builder: RepoBuilder, text: str, value: int) -> None:
    assert GitStore(builder.root).resolve(text).params == {"params.yaml": {"a": value}}


def test_the_start_of_a_sha_is_enough(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    owl = store.resolve("brisk-owl")
    for text in (owl.rev, owl.rev[:7], owl.rev[:7].upper()):
        assert store.resolve(text) == owl
    with pytest.raises(UsageError):
        store.resolve(owl.rev[:3])


def test_a_commit_that_is_not_shown_is_found(builder: RepoBuilder) -> None:
    old = builder.repository.head.target
    for number in range(3):
        builder.commit({"n": str(number)})
    store = GitStore(builder.root, num_commits=1)
    assert store.resolve(str(old)[:10]).params == {"params.yaml": {"a": 2}}


def test_a_name_that_means_two_is_refused_with_both(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    twins = [row for row in store.experiments() if row.name == "twin"]
    with pytest.raises(UsageError, match="'twin' means several") as caught:
        store.resolve("twin")
    assert all(row.short_rev in caught.value.detail for row in twins)
    assert store.resolve(twins[0].rev) == twins[0]


@pytest.mark.parametrize(
    "text", ["brisk-owk", "", "nonsense", "-x", "a b", "\0", "refs/exps", "@{", "abcdef", "é" * 300, "HEAD:params.yaml"]
)
def test_a_name_that_means_nothing_is_a_usage_error(builder: RepoBuilder, text: str) -> None:
    with pytest.raises(UsageError, match="no experiment or revision"):
        GitStore(builder.root).resolve(text)


def test_near_names_are_suggested(builder: RepoBuilder) -> None:
    with pytest.raises(UsageError) as caught:
        GitStore(builder.root).resolve("brisk-owk")
    assert caught.value.detail == "did you mean brisk-owl?"


def test_an_experiment_and_a_branch_of_one_name_are_told_apart(builder: RepoBuilder) -> None:
    head = str(builder.repository.head.target)
    builder.experiment("main", head, {"params.yaml": "a: 6\n"})
    with pytest.raises(UsageError, match="'main' means several"):
        GitStore(builder.root).resolve("main")


def test_changed_files_between_any_two(builder: RepoBuilder) -> None:
    store = GitStore(builder.root)
    builder.experiment(
        "files", str(builder.repository.head.target), {"params.yaml": None, "new.txt": "1\n2\n", "raw": b"\0\1"}
    )
    head, other = store.resolve("HEAD"), store.resolve("files")
    found = [(change.path, change.status, change.added, change.deleted) for change in store.changed_files(head, other)]
    assert found == [("new.txt", "added", 2, 0), ("params.yaml", "deleted", 0, 1), ("raw", "added", 0, 0)]
    assert store.changed_files(head, head) == []
    builder.write({"params.yaml": "a: 2\nb: 3\n", "untracked": "x"})
    workspace = store.resolve("workspace")
    (change,) = store.changed_files(head, workspace)
    assert (change.path, change.status, change.added, change.deleted) == ("params.yaml", "modified", 1, 0)
    (back,) = store.changed_files(workspace, head)
    assert (back.added, back.deleted) == (0, 1)
    (builder.root / "params.yaml").unlink()
    assert [change.status for change in store.changed_files(head, workspace)] == ["deleted"]
    assert [change.status for change in store.changed_files(workspace, head)] == ["added"]
