"""New projects: complete or not at all, and nothing of the user's is overwritten."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tui.__main__ import main
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


def test_an_empty_folder_stays_the_one_that_a_shell_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "project"
    directory.mkdir()
    monkeypatch.chdir(directory)
    assert main(["init", "."]) == 0
    assert Path("dvc.yaml").exists()
    assert git(Path(), "status", "--porcelain") == ""
    assert sorted(path.name for path in directory.iterdir() if path.name.startswith(".")) == [
        ".dvc",
        ".dvcignore",
        ".git",
        ".gitignore",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    assert "cd " not in capsys.readouterr().out


def test_a_move_that_fails_leaves_an_empty_folder_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_then_intrude(building: Path, names: list[str]) -> None:
        (building / "a").mkdir()
        (tmp_path / "params.yaml").write_text("mine")

    monkeypatch.setattr(template, "_initialise", fill_then_intrude)
    with pytest.raises(UserError, match="appeared meanwhile"):
        create_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
    assert (tmp_path / "params.yaml").read_text() == "mine"


def test_what_was_made_is_told_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(template, "_initialise", lambda *_: None)
    (tmp_path / "params.yaml").write_text("mine: 1\n")
    assert main(["-C", str(tmp_path), "init", ".", "--into-existing", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"directory": str(tmp_path), "kept": ["params.yaml"]}


def test_a_gitignore_in_any_encoding_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "_initialise", lambda *_: None)
    (tmp_path / ".gitignore").write_bytes(b"gr\xfcn")
    create_project(tmp_path, into_existing=True)
    text = (tmp_path / ".gitignore").read_bytes()
    assert text.startswith(b"gr\xfcn\n")
    assert b"\n/checkpoints/\n" in text


def test_a_gitignore_that_cannot_be_read_is_told_before_anything_is_copied(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    with pytest.raises(UserError, match="cannot complete"):
        create_project(tmp_path, into_existing=True)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


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
