"""What changed from one revision to another besides params and metrics: data and stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tui.core.experiments import Experiment

Status = Literal["added", "deleted", "modified"]
Part = Literal["cmd", "deps", "params", "outs"]


@dataclass(frozen=True, slots=True)
class DataChange:
    """A dependency or an output whose content differs."""

    path: str
    role: Literal["dep", "out"]
    """`out` also for what a .dvc file tracks."""
    status: Status
    old: str | None
    """Hash; None where there is none."""
    new: str | None
    files: tuple[tuple[str, Status], ...] = ()
    """Files of a folder that differ, by path; empty where the local cache does not list both."""


@dataclass(frozen=True, slots=True)
class StageChange:
    """A stage whose entry in dvc.lock differs: what it ran with, or what came out."""

    stage: str
    """As DVC addresses it: `train`, or `sub/dvc.yaml:train`."""
    status: Status
    """`added` and `deleted` are about the entry: a stage that has never run has none."""
    parts: tuple[tuple[Part, tuple[str, ...]], ...] = ()
    """What differs of a modified one, with the names of deps, params and outs that do."""


def changed_data(old: Experiment, new: Experiment) -> list[DataChange]:
    """Dependencies and outputs whose hash differs, by path; what one stage makes for another is an output."""
    outs = _differences(old.outs, new.outs, "out")
    known = {*old.outs, *new.outs}
    deps = [change for change in _differences(old.deps, new.deps, "dep") if change.path not in known]
    return sorted([*outs, *deps], key=lambda change: change.path)


def _differences(
    old: Mapping[str, str | None], new: Mapping[str, str | None], role: Literal["dep", "out"]
) -> list[DataChange]:
    found = []
    for path in {**old, **new}:
        before, after = old.get(path), new.get(path)
        status = status_of(path in old, path in new)
        # what has no hash on one side, as no stage has run there, may be the same
        if status != "modified" or (before != after and before is not None and after is not None):
            found.append(DataChange(path, role, status, before, after))
    return found


def status_of(is_old: bool, is_new: bool) -> Status:
    """Of something that one of two revisions has, or both."""
    if is_old and is_new:
        return "modified"
    return "deleted" if is_old else "added"
