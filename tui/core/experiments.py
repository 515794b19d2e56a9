"""Experiments as values: what the read side gives, and what tables, comparisons and the command line show."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["workspace", "commit", "experiment"]
Status = Literal["done", "running", "queued", "failed", "cancelled", "lost", "not run"]
"""`lost` is a run whose process is gone without having said how it ended; `not run` is a commit, or a workspace, whose
stages have left nothing behind."""
Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Code, params and results at one revision."""

    rev: str
    """Full SHA, or `workspace`; of a running experiment its snapshot commit."""
    kind: Kind
    """Where it comes from."""
    name: str | None = None
    """Name of an experiment; None for commits and the workspace."""
    baseline: str | None = None
    """SHA of the commit that an experiment was started from."""
    refs: tuple[str, ...] = ()
    """Branches and tags that point at it."""
    timestamp: datetime | None = None
    """When it was committed, or started if it is still running; with time zone."""
    subject: str = ""
    """First line of the commit message."""
    status: Status = "done"
    """State of its run."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """File path -> nested values."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """File path -> nested values."""
    deps: Mapping[str, str | None] = field(default_factory=dict)
    """Dependency -> its hash in dvc.lock or a .dvc file, with `.dir` at the end for a folder; None if none is known."""
    outs: Mapping[str, str | None] = field(default_factory=dict)
    """Output that is neither metric nor plot -> its hash, as in `deps`."""
    data_sources: tuple[str, ...] = ()
    """Outputs that no stage makes: what .dvc files track."""
    missing: tuple[str, ...] = ()
    """Declared files that are not available locally."""
    error: str | None = None
    """Why the row is incomplete, or why the run failed."""
    run_id: str | None = None
    """Run of finetui's own runner that makes or made it, while its record exists."""
    stage: str | None = None
    """Stage that is running."""
    fraction: float | None = None
    """Share of that stage that is done, 0 to 1; None while unknown."""
    is_pending: bool = False
    """Whether DVC is still being asked where its params and metrics are; until then it shows what is plain to see."""

    @property
    def label(self) -> str:
        """How a person would call it: its name, a branch or tag, or the short SHA."""
        return self.name or (self.refs[0] if self.refs else self.short_rev)

    @property
    def short_rev(self) -> str:
        """First seven digits of the SHA."""
        return self.rev if self.rev == "workspace" else self.rev[:7]

    @property
    def is_queued(self) -> bool:
        """Whether it has not begun: results in its commit, or in its folder, are those of its baseline."""
        return self.kind == "experiment" and self.status == "queued"


def has_run(metrics: Mapping[str, Any], deps: Mapping[str, str | None], outs: Mapping[str, str | None]) -> bool:
    """Whether any stage has left something behind: metrics, or hashes in dvc.lock; data that is only tracked is not."""
    return bool(metrics) or any(deps.values()) or (not deps and any(outs.values()))


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings as (dotted key, value); an empty mapping is a leaf."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def flat_values(files: Mapping[str, Any]) -> dict[str, Any]:
    """All leaves of all files; a key that two files share is told apart by `file:key`."""
    merged: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for path, values in files.items():
        for key, value in flatten(values):
            if not key and not value:
                continue  # a file that holds an empty mapping has no values
            if key in merged:
                other = owner.pop(key, None)
                if other is not None:
                    merged[f"{other}:{key}"] = merged[key]
                merged[f"{path}:{key}"] = value
            else:
                merged[key], owner[key] = value, path
    for key in [key for key in merged if key not in owner and ":" not in key]:
        del merged[key]
    return merged
