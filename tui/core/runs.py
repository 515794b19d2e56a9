"""Runs as values: what is launched, what is running, what will run and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tui.core.experiments import Status

Reason = Literal["params", "code", "data", "upstream", "new", "forced", "unknown"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to launch."""

    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Dotted params key -> value, as `train.lora.r` -> 8."""
    name: str | None = None
    """Name of the experiment; None makes one up."""
    targets: tuple[str, ...] = ()
    """Stages to run; empty runs all."""
    force: bool = False
    """Run stages that are up to date as well."""
    rev: str | None = None
    """SHA of the commit to run instead of the workspace; the experiment's baseline is that commit."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Whether one stage will run, and why."""

    stage: str
    will_run: bool
    reason: Reason | None
    """None when it will not run."""
    detail: str
    """What changed, such as `train.lora.r: 16 -> 8`."""
    expected_s: float | None
    """Seconds that it took last time; None when it never ran."""


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What a launch would do."""

    stages: tuple[StagePlan, ...]
    problems: tuple[str, ...] = ()
    """Reasons for which it cannot be launched; empty when it can."""
    warnings: tuple[str, ...] = ()
    """What to know before launching, such as untracked files that will be left out."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far one stage of a run is."""

    stage: str
    status: Literal["waiting", "running", "done", "cached", "failed", "cancelled"]
    step: int = 0
    num_steps: int | None = None
    elapsed_s: float = 0.0
    """Seconds since the stage started, or that it took."""

    @property
    def fraction(self) -> float | None:
        """Share that is done, 0 to 1; None while unknown."""
        if self.status in {"done", "cached"}:
            return 1.0
        return min(1.0, self.step / self.num_steps) if self.num_steps else None

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None while unknown."""
        fraction = self.fraction
        return self.elapsed_s * (1 - fraction) / fraction if fraction else None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of the pipeline by finetui's runner."""

    id: str
    name: str
    """Name of the experiment."""
    status: Status
    baseline: str
    """SHA of the commit that it was started from."""
    snapshot: str
    """SHA of the commit with the workspace and the overrides as they were at launch."""
    started_at: datetime
    directory: Path
    """Root of the project in the clone that it runs in; gone after a finished run."""
    log: Path
    """Output of `dvc repro`."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None
    pid: int | None = None
    """Process id of the supervisor while it lives."""
    rev: str | None = None
    """Experiment commit, once there is one."""
    error: str | None = None
    """Why it failed."""
    command: str = ""
    """Command line that was run."""
    progress: tuple[StageProgress, ...] = ()
    """Stages in pipeline order."""

    @property
    def is_active(self) -> bool:
        """Whether it is still going on."""
        return self.status in {"running", "queued"}
