"""Branches, tags and experiments, read from files: the same as Git says, and no more than what has changed."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.store_repos import RepoBuilder
from tui.store.git import loose_refs
from tui.store.git.refs import RefReader, Refs
from tui.store.project import open_project


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    builder = RepoBuilder(tmp_path / "repo")
    one = builder.commit({"a": "1"}, "one")
    builder.experiment("first", one, {"a": "2"})
    builder.experiment("second", one, {"a": "3"})
    builder.commit({"a": "4"}, "two")
    builder.repository.create_reference("refs/heads/topic/deep/er", one)
    builder.repository.create_reference("refs/tags/light", one)
    builder.repository.create_reference("refs/exps/stash", one)
    builder.repository.create_reference("refs/exps/exec/EXEC_HEAD", one)
    git(builder, "tag", "-a", "-m", "x", "annotated", one)
    return builder


def git(builder: RepoBuilder, *arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=builder.git_root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def read(builder: RepoBuilder) -> Refs:
    return RefReader(open_project(builder.root)).read()


def settle(builder: RepoBuilder) -> None:
    """Give all files and folders of refs times that are long past."""
    for folder, _, names in os.walk(builder.git_root / ".git/refs"):
        for path in (*(Path(folder) / name for name in names), Path(folder)):
            os.utime(path, (1_000_000_000, 1_000_000_000))


def check(builder: RepoBuilder, refs: Refs) -> None:
    """The refs must be those that Git lists."""
    pattern = "--format=%(refname) %(objectname) %(*objectname)"
    named: dict[str, list[str]] = {}
    for line in git(builder, "for-each-ref", "--sort=refname", pattern, "refs/heads", "refs/tags").splitlines():
        name, sha, *peeled = line.split()
        named.setdefault(peeled[0] if peeled else sha, []).append(name.split("/", 2)[2])
    assert {rev: sorted(names) for rev, names in refs.named.items()} == {r: sorted(n) for r, n in named.items()}
    expected = set()
    for line in git(builder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines():
        name, sha = line.split()
        parts = name.split("/")
        if len(parts) == 5:
            expected.add((parts[4], parts[2] + parts[3], sha))
    assert set(refs.experiments) == expected
    assert refs.head == git(builder, "rev-parse", "HEAD")


def test_refs_are_those_that_git_lists(builder: RepoBuilder) -> None:
    refs = read(builder)
    assert len(refs.experiments) == 2
    check(builder, refs)


def test_packed_refs_are_read_and_files_go_before_them(builder: RepoBuilder) -> None:
    git(builder, "pack-refs", "--all")
    assert not (builder.git_root / ".git/refs/heads/main").exists()
    check(builder, read(builder))
    builder.commit({"a": "5"}, "three")
    baseline = read(builder).experiments[0].baseline
    builder.experiment("first", baseline, {"a": "6"})
    builder.experiment("third", baseline, {"a": "7"})
    check(builder, read(builder))
    assert [ref.name for ref in read(builder).groups[baseline]] == ["first", "second", "third"]


def test_what_does_not_change_is_the_same_value(builder: RepoBuilder) -> None:
    settle(builder)
    reader = RefReader(open_project(builder.root))
    refs = reader.read()
    assert reader.read() is refs
    other = builder.commit({"a": "8"}, "later", branch="other")
    builder.experiment("elsewhere", other, {"a": "9"})
    later = reader.read()
    assert later is not refs
    check(builder, later)
    (baseline,) = refs.groups
    assert later.groups[baseline] is refs.groups[baseline], "rows of other commits can stay"
    git(builder, "pack-refs", "--all")
    packed = reader.read()
    check(builder, packed)
    assert packed.groups[baseline] is refs.groups[baseline]


@pytest.mark.parametrize("is_settled", [True, False])
def test_changes_are_seen_at_once(builder: RepoBuilder, is_settled: bool) -> None:
    reader = RefReader(open_project(builder.root))
    baseline = reader.read().experiments[0].baseline
    for change in (
        lambda: builder.experiment("third", baseline, {"a": "7"}),
        lambda: builder.experiment("first", baseline, {"a": "77"}),
        lambda: git(builder, "update-ref", "-d", f"refs/exps/{baseline[:2]}/{baseline[2:]}/second"),
        lambda: git(builder, "branch", "-D", "topic/deep/er"),
        lambda: git(builder, "tag", "-d", "annotated"),
        lambda: git(builder, "checkout", "-q", "--detach", baseline),
    ):
        if is_settled:
            settle(builder)
            reader.read()
        change()
        check(builder, reader.read())


def test_only_files_that_changed_are_read(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(builder)
    reader = RefReader(open_project(builder.root))
    baseline = reader.read().experiments[0].baseline
    names: list[str] = []
    read_file = loose_refs._read
    monkeypatch.setattr(loose_refs, "_read", lambda name, folder: names.append(name) or read_file(name, folder))
    reader.read()
    assert names == []
    builder.experiment("third", baseline, {"a": "7"})
    reader.read()
    assert names == ["third"]


def test_a_file_that_got_the_inode_of_the_one_before_is_noticed(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a small folder at once, in a very large one some looks later."""
    settle(builder)
    reader = RefReader(open_project(builder.root))
    ref = reader.read().experiments[1]
    for limit, num_looks in ((1_000, 1), (1, 2)):
        monkeypatch.setattr(loose_refs, "_CHECKED_AT_ONCE", limit)
        settle(builder)
        reader.read()
        place = builder.git_root / f".git/refs/exps/{ref.baseline[:2]}/{ref.baseline[2:]}/{ref.name}"
        rev = ref.baseline if limit == 1 else builder.commit({"a": str(limit)})
        place.write_text(f"{rev}\n")
        os.utime(place, (1_100_000_000, 1_100_000_000 + limit))
        os.utime(place.parent, (1_100_000_000, 1_100_000_000))
        for _ in range(num_looks):
            refs = reader.read()
        assert {one.name: one.rev for one in refs.experiments}[ref.name] == rev


def test_a_lock_is_no_ref_and_garbage_is_a_broken_one(builder: RepoBuilder) -> None:
    baseline = read(builder).experiments[0].baseline
    folder = builder.git_root / f".git/refs/exps/{baseline[:2]}/{baseline[2:]}"
    (folder / "fourth.lock").write_text("")
    (folder / "broken").write_text("garbage\n")
    (folder / "loop").write_text(f"ref: refs/exps/{baseline[:2]}/{baseline[2:]}/loop\n")
    (folder / "link").write_text("ref: refs/heads/main\n")
    (builder.git_root / ".git/refs/heads/broken").write_text("garbage\n")
    refs = read(builder)
    found = {ref.name: ref.rev for ref in refs.experiments}
    assert found.keys() == {"first", "second", "broken", "loop", "link"}
    assert (found["broken"], found["loop"], found["link"]) == ("", "", refs.head)
    assert "broken" not in [name for names in refs.named.values() for name in names]


def test_an_empty_repository_has_none(tmp_path: Path) -> None:
    refs = read(RepoBuilder(tmp_path / "empty"))
    assert (refs.head, refs.named, refs.experiments) == (None, {}, ())


def test_thousands_of_refs_that_are_packed_while_it_looks(builder: RepoBuilder) -> None:
    reader = RefReader(open_project(builder.root))
    baseline = reader.read().experiments[0].baseline
    folder = builder.git_root / f".git/refs/exps/{baseline[:2]}/{baseline[2:]}"
    for number in range(3_000):
        (folder / f"n{number}").write_text(f"{baseline}\n")
    assert len(reader.read().experiments) == 3_002
    time.sleep(0.15)
    reader.read()
    git(builder, "pack-refs", "--all")
    check(builder, reader.read())
    assert len(reader.read().experiments) == 3_002
