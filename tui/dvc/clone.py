"""Snapshot of the workspace and the clone that a run works in; nothing of the user's repository changes.

The clone borrows the objects of the repository (objects/info/alternates); what the snapshot adds goes there alone.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.contract.files import write_text
from tui.core.errors import UserError
from tui.dvc.config import clone_config
from tui.dvc.git import git
from tui.dvc.project import Project


def create_clone(project: Project, clone: Path) -> None:
    """An empty clone whose HEAD is the baseline."""
    git(project.top, "init", "-q", "--template=", f"--object-format={project.object_format}", str(clone))
    alternates = clone / ".git" / "objects" / "info" / "alternates"
    write_text(alternates, f"{project.objects}\n")
    if project.shallow.exists():
        shutil.copyfile(project.shallow, clone / ".git" / "shallow")
    git(clone, "update-ref", "--no-deref", "HEAD", project.baseline)


def take_snapshot(project: Project, clone: Path, changed: Mapping[str, str], identity: Mapping[str, str]) -> str:
    """SHA of a commit with the tracked files as they are now; `changed` maps Git paths to other contents."""
    if git(project.top, "ls-files", "--unmerged"):
        raise UserError(
            "a merge is not finished", str(project.top), "resolve the conflicts, git add them, and try again"
        )
    index = clone.parent / "index"
    environment = {"GIT_INDEX_FILE": str(index), "GIT_OBJECT_DIRECTORY": str(clone / ".git" / "objects")}
    try:
        _copy_index(project, index, environment)
        git(project.top, "-c", "core.fsmonitor=false", "add", "-u", "--", ":/", environment=environment)
        for path, text in changed.items():
            _replace(project.top, path, text, environment)
        tree = git(project.top, "write-tree", environment=environment)
    finally:
        index.unlink(missing_ok=True)
    message = ("-m", "finetui: the workspace at launch")
    return git(clone, "commit-tree", tree, "-p", project.baseline, *message, environment=identity)


def commit_changes(project: Project, clone: Path, changed: Mapping[str, str], identity: Mapping[str, str]) -> str:
    """SHA of a commit with the files of the baseline, some of them with other contents.

    It is another one than the baseline in any case: a run and the commit that it runs are told apart by their SHAs.
    """
    index = clone.parent / "index"
    environment = {"GIT_INDEX_FILE": str(index)}
    try:
        git(clone, "read-tree", project.baseline, environment=environment)
        for path, text in changed.items():
            _replace(clone, path, text, environment)
        tree = git(clone, "write-tree", environment=environment)
    finally:
        index.unlink(missing_ok=True)
    message = ("-m", "finetui: the commit to run")
    return git(clone, "commit-tree", tree, "-p", project.baseline, *message, environment=identity)


def fill_clone(project: Project, clone: Path, snapshot: str) -> None:
    """Check the snapshot out, and connect it to the project's cache."""
    git(clone, "read-tree", "--no-recurse-submodules", "-u", "--reset", snapshot)
    local = clone / project.prefix / ".dvc" / "config.local"
    if not local.parent.is_dir():
        hint = "git add .dvc && git commit"
        raise UserError("the project's .dvc folder is not in Git", str(project.root), hint)
    write_text(local, clone_config(project.root))


def _copy_index(project: Project, index: Path, environment: Mapping[str, str]) -> None:
    """The time stamp is kept: Git tells by it which files changed right after the index was written."""
    if project.index.exists():
        shutil.copy2(project.index, index)
        index.chmod(0o600)
    else:
        git(project.top, "read-tree", project.baseline, environment=environment)


def _replace(top: Path, path: str, text: str, environment: Mapping[str, str]) -> None:
    blob = git(top, "hash-object", "-w", "--stdin", f"--path={path}", environment=environment, stdin=text.encode())
    mode = git(top, "ls-files", "--stage", "--", f":/{path}", environment=environment)[:6] or "100644"
    git(top, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", environment=environment)
