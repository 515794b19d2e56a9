"""New projects: complete or not at all, and nothing of the user's is overwritten."""

import os
import subprocess
from pathlib import Path

import pytest

from tui.core.errors import UsageError, UserError
from tui.dvc import template
from tui.dvc.template import create_project, template_files


@pytest.fixture(autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, text=True).stdout


def test_a_new_project_is_committed_whole(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "project"
    assert create_project(directory) == []
    tracked = set(git(directory, "ls-files").splitlines())
    assert tracked >= {name for name, _ in template_files()} | {".dvc/config"}
    assert git(directory, "status", "--porcelain") == ""
    assert [path.name for path in directory.parent.iterdir()] == ["project"]


def test_an_empty_folder_is_fine(tmp_path: Path) -> None:
    create_project(tmp_path / "x")
    assert (tmp_path / "x/dvc.yaml").exists()


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        create_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_completing_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("mine: 1\n")
    (tmp_path / ".gitignore").write_text("secret\n")
    kept = create_project(tmp_path, into_existing=True)
    assert set(kept) == {"params.yaml", ".gitignore"}
    assert (tmp_path / "params.yaml").read_text() == "mine: 1\n"
    assert (tmp_path / ".gitignore").read_text().startswith("secret\n")
    assert "/checkpoints/" in (tmp_path / ".gitignore").read_text()
    assert "params.yaml" not in git(tmp_path, "ls-files").splitlines()


def test_completing_a_repository_commits_only_what_it_added(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "mine.txt").write_text("mine")
    git(tmp_path, "add", "mine.txt")
    create_project(tmp_path, into_existing=True)
    assert git(tmp_path, "status", "--porcelain") == "A  mine.txt\n"


def test_a_folder_inside_another_repository_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="inside the Git repository"):
        create_project(inner, into_existing=True)
    assert [path.name for path in inner.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> str:
        raise UserError("git failed")

    monkeypatch.setattr(template, "git", fail)
    with pytest.raises(UserError):
        create_project(tmp_path / "project")
    assert list(tmp_path.iterdir()) == []
