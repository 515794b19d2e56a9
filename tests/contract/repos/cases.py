"""Cases: small histories, each of which declares params and metrics in one of the ways that DVC knows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.unit.store_repos import Content, RepoBuilder

Files = Mapping[str, Content | None]
"""Path below the folder of the case -> content; None removes the file."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the experiments on it."""

    files: Files
    experiments: tuple[Files, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What a case writes: commits, oldest first, and edits of the work tree that are in no commit."""

    commits: tuple[Commit, ...]
    edits: Files = field(default_factory=dict)


Make = Callable[[RepoBuilder], History]


@dataclass(frozen=True, slots=True)
class Case:
    """One way to declare things."""

    name: str
    group: str
    """Cases of a group share a repository, each in a folder with its name; a group may have one case."""
    make: Make


CASES: dict[str, Case] = {}


def case(group: str | None = None) -> Callable[[Make], Make]:
    """Register a case under the name of its function; without a group it has a repository of its own, at its root."""

    def register(make: Make) -> Make:
        name = make.__name__
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, group or name, make)
        return make

    return register


def history(first: Files, *commits: Files | Sequence[Files], edits: Files | None = None) -> History:
    """A history: mappings are commits, a list holds experiments on the commit before it."""
    done = [Commit(first)]
    for step in commits:
        if isinstance(step, Mapping):
            done.append(Commit(step))
        else:
            done[-1] = Commit(done[-1].files, tuple(step))
    return History(tuple(done), edits or {})


def dvc_yaml(**sections: Any) -> str:
    """A dvc.yaml."""
    return yaml.safe_dump(sections, sort_keys=False)


def stage(**entry: Any) -> str:
    """A dvc.yaml with one stage, `s`."""
    return dvc_yaml(stages={"s": {"cmd": "x", **entry}})


def md5(number: int) -> str:
    """Some hash, which YAML cannot take for a number."""
    return f"ab{number:030x}"


def hashed(files: Mapping[str, str], *, kind: str | None = "md5") -> list[dict[str, Any]]:
    """Entries of a lock file or .dvc file: path -> md5."""
    marks = {} if kind is None else {"hash": kind}
    return [{"path": path, **marks, "md5": md5, "size": 10} for path, md5 in files.items()]


def locked(**stages: Mapping[str, Mapping[str, str]]) -> str:
    """A dvc.lock: stage -> `deps` and `outs`, each path -> md5."""
    entries = {
        name: {"cmd": "x", **{side: hashed(files) for side, files in parts.items()}} for name, parts in stages.items()
    }
    return yaml.safe_dump({"schema": "2.0", "stages": entries}, sort_keys=False)
