"""Makes a new project from the template: files, Git, DVC, first commit."""

import errno
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pipeline
import tui
from pipeline.contract.files import write_bytes, write_text
from tui.core.errors import UsageError, UserError
from tui.dvc.environment import git_environment
from tui.dvc.git import git, record_command, try_git
from tui.dvc.project import identity

_TEMPLATE = Path(tui.__file__).parent / "template"
_SOURCE_TREE = Path(tui.__file__).parent.parent
_TOP_LEVEL = (
    "dvc.yaml", "params.yaml", ".dvcignore", "data/README.md", "data/raw/.gitkeep", "docs/params.md", "README.md",
    ".gitignore",
)  # fmt: skip
_DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n"
"""What `dvc config` would write in two more seconds."""
_RENAMED = {".gitignore": "gitignore"}
"""Names in the template that would do something there under their real name."""


def create_project(directory: Path, into_existing: bool = False) -> list[str]:
    """Make a project; the files that were there already and stay as they are.

    A folder that is not empty is refused unless `into_existing`. A new project is built beside its place, in an empty
    folder inside it, and moved there when it is complete, so a failure leaves nothing behind.
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
    _build(directory)
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


def _build(directory: Path) -> None:
    is_there = directory.exists()
    home = directory if is_there else directory.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=home))
    except OSError as error:
        raise UserError(f"cannot make {directory}", str(error)) from error
    try:
        building.chmod(0o755)
        _copy_missing(building)
        _initialise(building, [name for name, _ in template_files()])
        if is_there:
            _move_out(building)
        else:
            building.replace(directory)
    except OSError as error:
        raise UserError(f"cannot make {directory}", str(error)) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _move_out(building: Path) -> None:
    """Everything one folder up, or nothing: the folder stays the same one, because a shell may stand in it."""
    moved: list[Path] = []
    try:
        for path in sorted(building.iterdir()):
            target = building.parent / path.name
            if target.exists():
                raise FileExistsError(errno.EEXIST, "it appeared meanwhile", str(target))
            path.rename(target)
            moved.append(path)
    except BaseException:
        for path in moved:
            (building.parent / path.name).rename(path)
        raise


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
    gitignore = _completed_gitignore(directory / ".gitignore")
    kept = []
    for name, source in template_files():
        target = directory / name
        if target.exists():
            kept.append(name)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if gitignore is not None:
        write_bytes(directory / ".gitignore", gitignore)
    return kept


def _completed_gitignore(path: Path) -> bytes | None:
    """The file with the lines that it lacks, in whatever encoding it is; None when there is nothing to add."""
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        return None
    lines = set(present.splitlines())
    missing = [line for line in _template_file(".gitignore").read_bytes().splitlines() if line not in lines]
    return present + b"\n".join([b"", b"# finetui", *missing, b""]) if missing else None


def _initialise(directory: Path, names: list[str]) -> None:
    if not (directory / ".git").exists():
        git(directory, "init", "--quiet", "--initial-branch=main")
    if not (directory / ".dvc").exists():
        _dvc(directory, "init", "--quiet")
        write_text(directory / ".dvc" / "config", _DVC_CONFIG)
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
