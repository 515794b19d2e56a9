"""Makes a new project from the template: files, Git, DVC, first commit."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pipeline
import tui
from tui.core.errors import UsageError, UserError
from tui.dvc.environment import git_environment
from tui.dvc.git import git, record_command, try_git
from tui.dvc.project import identity

_TEMPLATE = Path(tui.__file__).parent / "template"
_SOURCE_TREE = Path(tui.__file__).parent.parent
_TOP_LEVEL = ("dvc.yaml", "params.yaml", ".dvcignore", "data/README.md", "data/raw/.gitkeep", "README.md", ".gitignore")
_RENAMED = {".gitignore": "gitignore"}
"""Names in the template that would do something there under their real name."""


def create_project(directory: Path, into_existing: bool = False) -> list[str]:
    """Make a project; the files that were there already and stay as they are.

    A folder that is not empty is refused unless `into_existing`. A new project is built beside its place and moved
    there when it is complete, so a failure leaves nothing behind.
    """
    directory = directory.absolute()
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", hint="name a folder")
    if directory.is_dir() and any(directory.iterdir()):
        if not into_existing:
            raise UsageError(
                f"{directory} is not empty",
                hint="choose another folder, or complete this one: finetui init --into-existing",
            )
        return _complete(directory)
    _build_beside(directory)
    return []


def template_files() -> Iterator[tuple[str, Path]]:
    """Path in the project and source file of everything that a project starts with."""
    for name in _TOP_LEVEL:
        yield name, _template_file(name)
    package = Path(pipeline.__file__).parent
    files = (path for path in package.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    for path in sorted(files):
        yield f"pipeline/{path.relative_to(package).as_posix()}", path


def _template_file(name: str) -> Path:
    """An installed wheel has every file in tui/template, a source tree has the shared ones at its top level."""
    packaged = _TEMPLATE / _RENAMED.get(name, name)
    return packaged if packaged.exists() else _SOURCE_TREE / name


def _build_beside(directory: Path) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise UserError(f"cannot make {directory}", str(error)) from error
    try:
        building.chmod(0o755)
        _copy_missing(building)
        _initialise(building, [name for name, _ in template_files()])
        building.replace(directory)
    except OSError as error:
        raise UserError(f"cannot make {directory}", str(error)) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _complete(directory: Path) -> list[str]:
    top_level = try_git(directory, "rev-parse", "--show-toplevel")
    if top_level and Path(top_level).resolve() != directory.resolve():
        raise UsageError(
            f"{directory} lies inside the Git repository {top_level}",
            hint="a project needs a repository of its own: choose a folder outside, or that repository's top folder",
        )
    try:
        kept = _copy_missing(directory)
    except OSError as error:
        raise UserError(f"cannot complete {directory}", str(error)) from error
    _initialise(directory, [name for name, _ in template_files() if name not in kept or name == ".gitignore"])
    return kept


def _copy_missing(directory: Path) -> list[str]:
    kept = []
    for name, source in template_files():
        target = directory / name
        if target.exists():
            kept.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if ".gitignore" in kept:
        _append_missing_lines(directory / ".gitignore", _template_file(".gitignore"))
    return kept


def _append_missing_lines(target: Path, source: Path) -> None:
    present = target.read_text(encoding="utf-8").splitlines()
    missing = [line for line in source.read_text(encoding="utf-8").splitlines() if line not in present]
    if missing:
        with target.open("a", encoding="utf-8") as file:
            file.write("\n".join(["", "# finetui", *missing, ""]))


def _initialise(directory: Path, names: list[str]) -> None:
    if not (directory / ".git").exists():
        git(directory, "init", "--quiet", "--initial-branch=main")
    if not (directory / ".dvc").exists():
        _dvc(directory, "init", "--quiet")
        _dvc(directory, "config", "core.analytics", "false")
        _dvc(directory, "config", "core.check_update", "false")
    names = [*names, ".dvc/config", ".dvc/.gitignore"]
    git(directory, "add", "--force", "--", *names)
    if git(directory, "status", "--porcelain", "--", *names):
        message = ("--quiet", "--message", "Start a finetui project")
        git(directory, "commit", *message, "--", *names, environment=identity(directory))


def _dvc(directory: Path, *arguments: str) -> None:
    """Run a DVC command; UserError with its last words when it fails."""
    command = [sys.executable, "-m", "dvc", *arguments]
    record_command(command)
    done = subprocess.run(  # noqa: S603 - an argument list, no shell
        command,
        cwd=directory,
        env=git_environment({"DVC_NO_ANALYTICS": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise UserError(f"dvc {arguments[0]} failed", f"{directory}: {words}")
