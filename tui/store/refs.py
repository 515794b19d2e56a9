"""Branches, tags and experiment refs, and a cheap way to see that none of them has changed."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

_EXPERIMENTS = "refs/exps/"
_NOT_EXPERIMENTS = {"apply", "celery", "exec", "temp", "stash"}
_RACY_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class ExperimentRef:
    """An experiment that DVC, or finetui, has stored."""

    name: str
    baseline: str
    rev: str


@dataclass(frozen=True, slots=True)
class Refs:
    """Everything that points at commits."""

    head: str | None
    """SHA of HEAD; None in a repository without commits."""
    named: dict[str, tuple[str, ...]]
    """SHA -> branches and tags that point at it."""
    experiments: tuple[ExperimentRef, ...]


def read_refs(repository: Any) -> Refs:
    """All refs; one that is broken is left out, unless it is an experiment's: then its SHA is empty."""
    named: dict[str, list[str]] = {}
    experiments: list[ExperimentRef] = []
    for name in sorted(repository.references):
        if name.startswith(_EXPERIMENTS):
            experiments += _experiment(repository, name)
        elif name.startswith(("refs/heads/", "refs/tags/")):
            rev = _commit(repository, name)
            if rev:
                named.setdefault(rev, []).append(name.split("/", 2)[2])
    return Refs(
        _commit(repository, "HEAD") or None, {rev: tuple(names) for rev, names in named.items()}, tuple(experiments)
    )


def _experiment(repository: Any, ref: str) -> Iterator[ExperimentRef]:
    parts = ref.split("/")
    if len(parts) == 5 and parts[2] not in _NOT_EXPERIMENTS:
        try:
            rev = str(repository.references[ref].target)
        except (KeyError, ValueError, pygit2.GitError):
            rev = ""
        yield ExperimentRef(parts[4], parts[2] + parts[3], rev)


def _commit(repository: Any, ref: str) -> str:
    try:
        return str(repository.lookup_reference(ref).resolve().peel(pygit2.Commit).id)
    except (KeyError, ValueError, pygit2.GitError):
        return ""


def signature(git_dir: Path, common_dir: Path) -> tuple[Any, ...] | None:
    """What changes whenever a ref does; None while a change is too recent to be told from the next one.

    A ref is replaced by a rename, which changes the time of its folder.
    """
    now = time.time_ns()
    stamps: list[tuple[str, int]] = []
    for file in (git_dir / "HEAD", common_dir / "packed-refs", common_dir / "shallow"):
        stamps.append((str(file), file.stat().st_mtime_ns if file.exists() else 0))
    pending = [str(common_dir / "refs")]
    while pending:
        folder = pending.pop()
        try:
            stamps.append((folder, Path(folder).stat().st_mtime_ns))
            with os.scandir(folder) as entries:
                pending += sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            continue
    if any(now - stamp < _RACY_NS for _, stamp in stamps):
        return None
    return tuple(stamps)
