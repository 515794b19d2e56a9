"""A small project with one good experiment, which must stay readable whatever else is broken beside it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store_repos import Content, RepoBuilder
from tui.__main__ import main
from tui.core.experiments import Experiment
from tui.store import GitStore

PIPELINE = "stages:\n  s:\n    cmd: x\n    metrics:\n    - m.json:\n        cache: false\n"
FILES: dict[str, Content] = {"dvc.yaml": PIPELINE, "params.yaml": "a: 1\n", "m.json": {"loss": 1}}
GOOD = {"params.yaml": {"a": 2}}


def good_project(root: Path, prefix: str = "") -> RepoBuilder:
    """A project with a good experiment on a good commit, checked out."""
    builder = RepoBuilder(root, prefix)
    builder.commit(FILES)
    builder.experiment("good", head(builder), {"params.yaml": "a: 2\n"})
    builder.checkout()
    return builder


def head(builder: RepoBuilder) -> str:
    """SHA of HEAD."""
    return str(builder.repository.head.target)


def place_of(builder: RepoBuilder, object_id: Any) -> Path:
    """The file of a loose object."""
    text = str(object_id)
    return builder.git_root / ".git/objects" / text[:2] / text[2:]


def spoil(builder: RepoBuilder, object_id: Any, content: bytes = b"garbage") -> None:
    """Replace a loose object by something that is none."""
    place = place_of(builder, object_id)
    place.chmod(0o644)
    place.write_bytes(content)


def rows(root: Path) -> dict[str, Experiment]:
    """All rows by their label; the good one is as good as ever."""
    found = {row.label: row for row in GitStore(root).experiments()}
    assert found["good"].params == GOOD
    assert found["good"].error is None
    return found


def listed(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """What the command line lists: an answer, no traceback, and only JSON on standard output."""
    assert main(["-C", str(root), "experiments", "--json", *arguments]) == 0
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    answer: list[dict[str, Any]] = json.loads(shown.out)
    for form in ("--csv", "--md"):
        assert main(["-C", str(root), "experiments", form, "--all-columns"]) == 0
        assert "Traceback" not in capsys.readouterr().err
    return answer


def git(root: Path, *arguments: str) -> str:
    """A Git command in a repository; what it printed."""
    options = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "protocol.file.allow=always")
    command = ["git", "-C", str(root), *options, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main_of(root: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """Exit code of the listing; never a traceback."""
    code = main(["-C", str(root), "experiments", "--json"])
    assert "Traceback" not in capsys.readouterr().err
    return code


def experiment_refs(builder: RepoBuilder) -> Path:
    """Folder with the refs of the experiments on HEAD."""
    return builder.git_root / f".git/refs/exps/{head(builder)[:2]}/{head(builder)[2:]}"
