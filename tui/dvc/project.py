"""Finds the Git and DVC project that runs are launched from; changes nothing."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tui.core.errors import UsageError, UserError
from tui.dvc import RUNS
from tui.dvc.git import GitError, git, try_git

_INIT_HINT = "go to a project, or make one with: finetui init DIR"


@dataclass(frozen=True, slots=True)
class Project:
    """Where the parts of a project are."""

    root: Path
    """Folder with `.dvc`."""
    top: Path
    """Top folder of the Git work tree; the root, or a folder above it."""
    index: Path
    """Git's index file."""
    objects: Path
    """Git's object database."""
    shallow: Path
    """Git's list of cut-off commits; only in a shallow clone."""
    object_format: str
    """`sha1` or `sha256`."""
    baseline: str
    """SHA of HEAD."""

    @property
    def prefix(self) -> Path:
        """Path from the top of the work tree to the root; `.` when they are the same."""
        return self.root.relative_to(self.top)

    def git_path(self, path: Path | str) -> str:
        """A path relative to the root as Git knows it."""
        return Path(os.path.normpath(self.prefix / path)).as_posix()


def runs_directory(root: Path) -> Path:
    """Where the runs of a project are kept."""
    return root / RUNS


def require_dvc(root: Path) -> None:
    """UserError unless the folder is the root of a DVC project."""
    if not root.is_dir():
        raise UserError("no such folder", str(root), _INIT_HINT)
    if not (root / ".dvc").is_dir():
        raise UserError("this folder is no DVC project", f"{root} has no .dvc folder", _INIT_HINT)


def open_project(root: Path) -> Project:
    """The project at a folder; UserError says what it lacks."""
    require_dvc(root)
    questions = ("--show-toplevel", "--git-path", "index", "--git-path", "objects", "--git-path", "shallow")
    try:
        answer = git(root, "rev-parse", "--path-format=absolute", *questions, "--show-object-format")
    except GitError as error:
        raise UserError("this folder is no Git repository", error.detail, _INIT_HINT) from error
    top, index, objects, shallow, object_format = answer.split("\n")
    baseline = try_git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if baseline is None:
        raise UserError(
            "the repository has no commit yet", str(root), "commit the project first: git add . && git commit"
        )
    return Project(root, Path(top), Path(index), Path(objects), Path(shallow), object_format, baseline)


def at_commit(project: Project, rev: str) -> Project:
    """The project with another commit than HEAD as the baseline; UsageError if there is no such commit."""
    baseline = try_git(project.root, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    if baseline is None:
        raise UsageError("no such commit", repr(rev), "git log shows what there is")
    return replace(project, baseline=baseline)


def identity(root: Path) -> dict[str, str]:
    """GIT_* variables with an author and committer, where the user's configuration has none; never written to it."""
    name = os.environ.get("GIT_AUTHOR_NAME") or try_git(root, "config", "user.name") or "finetui"
    email = os.environ.get("GIT_AUTHOR_EMAIL") or os.environ.get("EMAIL") or try_git(root, "config", "user.email")
    values = {"NAME": name, "EMAIL": email or "finetui@localhost"}
    wanted = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in values.items()}
    return wanted | {key: os.environ[key] for key in wanted if os.environ.get(key)}
