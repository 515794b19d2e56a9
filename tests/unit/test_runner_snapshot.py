"""The snapshot of the workspace: what is in it, and that it is taken without a trace."""

import os
from pathlib import Path

import pytest

from tests.projects import fingerprint, git, make_project
from tui.dvc.clone import create_clone, fill_clone, take_snapshot
from tui.dvc.project import identity, open_project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def _snapshot(root: Path, changed: dict[str, str] | None = None) -> Path:
    """A clone that holds the snapshot."""
    clone = root.parent / "run" / "clone"
    project = open_project(root)
    create_clone(project, clone)
    sha = take_snapshot(project, clone, changed or {}, identity(root))
    fill_clone(project, clone, sha)
    return clone


def test_tracked_files_are_taken_as_they_are(root: Path) -> None:
    (root / "data/raw/rows.txt").write_text("edited\n")
    (root / "staged.txt").write_text("staged, then edited\n")
    git(root, "add", "staged.txt")
    (root / "staged.txt").write_text("edited\n")
    (root / "intended.txt").write_text("intended\n")
    git(root, "add", "--intent-to-add", "intended.txt")
    (root / "untracked.txt").write_text("untracked\n")
    (root / "README").symlink_to("params.yaml")
    git(root, "add", "README")
    (root / "stage.py").chmod(0o755)
    (root / ".gitignore").unlink()
    before, objects = fingerprint(root), git(root, "count-objects", "-v")
    clone = _snapshot(root)
    assert fingerprint(root) == before
    assert git(root, "count-objects", "-v") == objects
    assert (clone / "data/raw/rows.txt").read_text() == "edited\n"
    assert (clone / "staged.txt").read_text() == "edited\n"
    assert (clone / "intended.txt").read_text() == "intended\n"
    assert (clone / "README").readlink() == Path("params.yaml")
    assert os.access(clone / "stage.py", os.X_OK)
    assert not (clone / "untracked.txt").exists()
    assert not (clone / ".gitignore").exists()
    assert git(clone, "rev-parse", "HEAD") == git(root, "rev-parse", "HEAD")


def test_other_contents_replace_those_of_the_workspace(root: Path) -> None:
    clone = _snapshot(root, {"params.yaml": "a: ü\n"})
    assert (clone / "params.yaml").read_text() == "a: ü\n"
    assert "a: ü" not in (root / "params.yaml").read_text()


def test_an_edit_in_the_very_moment_of_a_commit_is_seen(root: Path) -> None:
    git(root, "config", "core.trustctime", "false")
    rows, index, moment = root / "data/raw/rows.txt", root / ".git/index", 1_600_000_000_000_000_000
    os.utime(rows, ns=(moment, moment))
    git(root, "update-index", "--refresh")
    rows.write_text("two\none\n")
    for path in (rows, index):
        os.utime(path, ns=(moment, moment))
    clone = _snapshot(root)
    assert (clone / "data/raw/rows.txt").read_text() == "two\none\n"


def test_no_hook_comes_into_the_clone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = root.parent / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "hooks/post-checkout").write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template))
    assert not (_snapshot(root) / ".git/hooks").exists()


def test_a_git_environment_of_the_caller_does_not_lead_astray(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    clone = root.parent / "run" / "clone"
    project = open_project(root)
    create_clone(project, clone)
    assert take_snapshot(project, clone, {}, identity(root))
