"""Files of one run: what was asked (written once) and how it goes (written by its supervisor)."""

import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pipeline.contract.files import write_json

State = Literal["starting", "running", "finishing", "done", "failed", "cancelled", "lost"]
ENDED = frozenset({"done", "failed", "cancelled", "lost"})
StageState = Literal["running", "done", "cached", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Paths of one run."""

    directory: Path
    """`.dvc/tmp/finetui/runs/<id>`."""

    @property
    def root(self) -> Path:
        """Root of the project that the run belongs to."""
        return self.directory.parents[4]

    @property
    def clone(self) -> Path:
        """Git work tree that it runs in."""
        return self.directory / "project"

    @property
    def log(self) -> Path:
        """Output of DVC and of the stages."""
        return self.directory / "log.txt"

    @property
    def request(self) -> Path:
        """What was asked for."""
        return self.directory / "request.json"

    @property
    def status(self) -> Path:
        """How it goes."""
        return self.directory / "status.json"

    @property
    def exit_code(self) -> Path:
        """Exit code of `dvc repro`, left by it also when nobody waits for it."""
        return self.directory / "exit_code"

    @property
    def stop(self) -> Path:
        """Exists once somebody has asked the run to stop."""
        return self.directory / "stop"

    @property
    def lock(self) -> Path:
        """Held by the supervisor: there is never more than one."""
        return self.directory / "supervisor.lock"

    @property
    def site_cache(self) -> Path:
        """Where DVC keeps what it otherwise would keep in /var/tmp."""
        return self.directory / "site"

    @property
    def checkpoints(self) -> Path:
        """Where the trainings of all runs keep what a next one with the same params goes on from after a kill."""
        return self.directory.parents[1] / "checkpoints"


@dataclass(frozen=True, slots=True)
class RunSpec:
    """request.json: everything that the supervisor needs to know."""

    id: str
    name: str
    prefix: str
    """Path from the top of the clone to the DVC project in it."""
    baseline: str
    snapshot: str
    started_at: str
    """ISO 8601, UTC."""
    overrides: dict[str, Any] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    force: bool = False
    stages: list[str] = field(default_factory=list)
    """Stages in pipeline order, as far as dvc.yaml tells without DVC."""
    identity: dict[str, str] = field(default_factory=dict)
    """GIT_* variables for the experiment commit."""

    def write(self, path: Path) -> None:
        """Write it, complete or not at all."""
        write_json(path, asdict(self))

    @property
    def command(self) -> str:
        """Command line that is run in the clone."""
        return shlex.join(["dvc", *self.arguments()])

    def arguments(self) -> list[str]:
        """Arguments of dvc."""
        return ["repro", *(["--force"] if self.force else []), *(["--", *self.targets] if self.targets else [])]


@dataclass(slots=True)
class StageNote:
    """What the supervisor saw of a stage."""

    status: StageState
    started: float
    """Seconds since the epoch."""
    ended: float | None = None
    is_restored: bool = False
    """Whether its results are those of some earlier run, out of DVC's run cache."""
    step: int = 0
    """Last step; kept at the end of the run, when the files that tell it go away."""
    num_steps: int | None = None
    elapsed_s: float | None = None
    """Seconds that it took; None until the end of the run."""


@dataclass(slots=True)
class RunStatus:
    """status.json: how the run goes."""

    state: State = "starting"
    supervisor: list[float] | None = None
    """Process id and start time."""
    process: list[float] | None = None
    """Process id and start time of `dvc repro`, which leads its process group."""
    ended_at: str | None = None
    """ISO 8601, UTC."""
    name: str | None = None
    """Name that the experiment got in the end; differs from the wanted one if that was taken meanwhile."""
    rev: str | None = None
    outcome: State | None = None
    """How it ended, once decided; it becomes the state when the experiment is saved."""
    error: str | None = None
    """Why the run failed."""
    trouble: str | None = None
    """Why its experiment could not be saved yet."""
    stages: dict[str, StageNote] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it, complete or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def from_values(cls, value: dict[str, Any]) -> Self:
        """The status that the decoded file describes."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        status = cls(**known)
        status.stages = {name: StageNote(**note) for name, note in value.get("stages", {}).items()}
        return status


def read_spec(files: RunFiles) -> RunSpec | None:
    """The request; None when the directory holds no run."""
    value = _read_object(files.request)
    try:
        known = {name: value[name] for name in RunSpec.__dataclass_fields__ if name in value} if value else {}
        return RunSpec(**known)
    except TypeError:
        return None


def read_status(files: RunFiles) -> RunStatus:
    """The status; a fresh one when there is none yet."""
    value = _read_object(files.status)
    try:
        return RunStatus.from_values(value) if value is not None else RunStatus()
    except (TypeError, AttributeError):
        return RunStatus()


def read_exit_code(files: RunFiles) -> int | None:
    """Exit code of `dvc repro`; None when it did not live to tell."""
    try:
        return int(files.exit_code.read_text())
    except (OSError, ValueError):
        return None


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def exclusive(path: Path, wait: bool) -> Iterator[bool]:
    """Hold a file lock that the kernel takes back when the process dies; False when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        held = False
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        yield held
    finally:
        os.close(descriptor)
