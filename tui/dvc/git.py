"""The only place that starts git: argument lists, no shell, English messages, every failure a UserError."""

import shlex
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from tui.core.errors import UserError
from tui.dvc.environment import git_environment

COMMANDS: deque[str] = deque(maxlen=2_000)
"""Command lines that this process has run, oldest first."""

_TIMEOUT_S = 600


class GitError(UserError):
    """A git command that failed."""


def record_command(arguments: list[str]) -> None:
    """Remember a command line for the user to see and copy."""
    COMMANDS.append(shlex.join(arguments))


def git(
    directory: Path, *arguments: str, environment: Mapping[str, str] | None = None, stdin: bytes | None = None
) -> str:
    """Output of a git command, without its last newline; GitError when it fails."""
    done = _run(directory, arguments, environment, stdin)
    if done.returncode != 0:
        raise _failure(arguments, directory, done)
    return _text(done.stdout)


def try_git(directory: Path, *arguments: str) -> str | None:
    """Output of a git command; None when it fails, for questions whose answer may be no."""
    done = _run(directory, arguments, None, None)
    return _text(done.stdout) if done.returncode == 0 else None


def _run(
    directory: Path, arguments: tuple[str, ...], environment: Mapping[str, str] | None, stdin: bytes | None
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(directory), *arguments]
    record_command(command)
    try:
        return subprocess.run(  # noqa: S603 - an argument list, no shell
            command,
            env=git_environment(environment),
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed", hint="install git and try again") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {arguments[0]} did not answer", str(directory), "try it by hand there") from error


def _failure(arguments: tuple[str, ...], directory: Path, done: subprocess.CompletedProcess[bytes]) -> GitError:
    message = _text(done.stderr) or f"exit code {done.returncode}"
    verb = next((part for part in arguments if not part.startswith("-")), "")
    hint = "free some space and try again" if "No space left" in message else ""
    return GitError(f"git {verb} failed", f"{directory}: {message}", hint)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape").removesuffix("\n")
