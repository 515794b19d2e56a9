"""Git repositories that are broken, incomplete or unusual, one thing at a time."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.store_project import (
    PIPELINE,
    experiment_refs,
    git,
    good_project,
    head,
    listed,
    main_of,
    place_of,
    rows,
    spoil,
)
from tests.unit.store_repos import RepoBuilder
from tui.store import GitStore

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return good_project(tmp_path / "repo")


@pytest.mark.parametrize("text", ["", "not a sha\n", "0" * 40, "ref: refs/heads/nowhere\n", "ref: \n", "\0\xff"])
def test_a_ref_that_is_corrupt(builder: RepoBuilder, capsys: Capture, text: str) -> None:
    (experiment_refs(builder) / "bad").write_text(text, encoding="latin-1")
    found = rows(builder.root)
    assert "bad" not in found or found["bad"].error is not None
    assert len(listed(builder.root, capsys)) == len(found)


def test_a_ref_to_an_object_that_is_missing(builder: RepoBuilder, capsys: Capture) -> None:
    (experiment_refs(builder) / "bad").write_text("ab" * 20 + "\n")
    assert rows(builder.root)["bad"].error == "its commit is missing from the Git repository"
    assert [row["error"] for row in listed(builder.root, capsys) if row["name"] == "bad"] == [
        "its commit is missing from the Git repository"
    ]


@pytest.mark.parametrize("kind", ["blob", "tree"])
def test_an_experiment_that_is_no_commit(builder: RepoBuilder, capsys: Capture, kind: str) -> None:
    tree = builder.repository[head(builder)].tree
    target = tree.id if kind == "tree" else tree["m.json"].id
    (experiment_refs(builder) / "bad").write_text(f"{target}\n")
    assert rows(builder.root)["bad"].error is not None
    assert {row["name"] for row in listed(builder.root, capsys)} == {None, "good", "bad"}


@pytest.mark.parametrize("kind", ["blob", "tree"])
@pytest.mark.parametrize("ref", ["refs/heads/bad", "refs/tags/bad"])
def test_a_branch_or_tag_that_is_no_commit(builder: RepoBuilder, capsys: Capture, ref: str, kind: str) -> None:
    tree = builder.repository[head(builder)].tree
    target = tree.id if kind == "tree" else tree["m.json"].id
    (builder.git_root / ".git" / ref).write_text(f"{target}\n")
    rows(builder.root)
    listed(builder.root, capsys)


def test_a_branch_whose_name_is_hostile(builder: RepoBuilder, capsys: Capture) -> None:
    names = [
        "a'b",
        "x;y",
        "ünï-日本",
        "-n",
        "a\u202eb",
        "$(x)",
        "HEAD",
    ]
    for name in names:
        builder.repository.references.create(f"refs/heads/{name}", head(builder))
        builder.repository.references.create(
            f"refs/exps/{head(builder)[:2]}/{head(builder)[2:]}/{name.split('/')[0]}", head(builder)
        )
    found = {row.name for row in GitStore(builder.root).experiments()}
    assert {name.split("/")[0] for name in names} <= found
    assert "\u202e" not in capsys.readouterr().out
    listed(builder.root, capsys)


def test_packed_refs_that_are_torn(builder: RepoBuilder, capsys: Capture) -> None:
    git(builder.root, "pack-refs", "--all")
    place = builder.git_root / ".git/packed-refs"
    place.write_text(place.read_text() + "not a line\n" + "ab" * 20 + " refs/exps/xy\n" + "ab" * 10)
    for row in GitStore(builder.root).experiments():
        assert row.label
    assert main_of(builder.root, capsys) in {0, 1}


@pytest.mark.parametrize("which", ["commit", "tree", "blob"])
def test_an_object_that_is_corrupt(builder: RepoBuilder, capsys: Capture, which: str) -> None:
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    commit: Any = builder.repository[rev]
    spoil(builder, {"commit": commit.id, "tree": commit.tree_id, "blob": commit.tree["m.json"].id}[which])
    error = rows(builder.root)["bad"].error
    assert error is not None
    assert len(error) < 300
    assert [row["error"] for row in listed(builder.root, capsys) if row["name"] == "bad"] == [error]


def test_an_object_that_is_another(builder: RepoBuilder, capsys: Capture) -> None:
    """A loose object whose content does not have its hash."""
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    other = place_of(builder, builder.repository[rev].tree["params.yaml"].id).read_bytes()
    spoil(builder, builder.repository[rev].tree["m.json"].id, other)
    rows(builder.root)
    listed(builder.root, capsys)


def test_a_pack_that_is_cut_off(builder: RepoBuilder, capsys: Capture) -> None:
    git(builder.root, "gc", "-q")
    (pack,) = (builder.git_root / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])
    found = GitStore(builder.root).experiments()
    assert all(row.kind == "workspace" or row.error for row in found)
    assert main_of(builder.root, capsys) in {0, 1}


def test_a_corrupt_object_that_is_repaired_is_read_then(builder: RepoBuilder) -> None:
    rev = builder.experiment("bad", head(builder), {"m.json": {"loss": 77}})
    blob = builder.repository[rev].tree["m.json"].id
    content = place_of(builder, blob).read_bytes()
    spoil(builder, blob)
    assert rows(builder.root)["bad"].error is not None
    spoil(builder, blob, content)
    row = rows(builder.root)["bad"]
    assert (row.error, row.metrics) == (None, {"m.json": {"loss": 77}})


def test_a_pipeline_whose_object_is_missing_is_read_once_it_is_there(builder: RepoBuilder) -> None:
    rev = builder.experiment("bad", head(builder), {"dvc.yaml": PIPELINE.replace("cmd: x", "cmd: other")})
    place = place_of(builder, builder.repository[rev].tree["dvc.yaml"].id)
    place.rename(place.with_suffix(".away"))
    assert "missing" in (rows(builder.root)["bad"].error or "")
    place.with_suffix(".away").rename(place)
    row = rows(builder.root)["bad"]
    assert (row.error, row.metrics) == (None, {"m.json": {"loss": 1}})
