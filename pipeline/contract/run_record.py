"""run.json: what every run of a stage says of itself, also when it failed."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.contract.files import write_json

RunStatus = Literal["running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class RunRecord:
    """One execution of one stage."""

    stage: str
    """Name of the stage."""
    status: RunStatus = "running"
    """`running` until the end, whatever the end is; a `running` record without a live process was killed."""
    started_at: str = ""
    """ISO 8601, UTC."""
    ended_at: str | None = None
    """ISO 8601, UTC; None while running or after a kill."""
    pid: int = 0
    """Process id of the stage."""
    process_started: float = 0.0
    """Start time of that process, in seconds since the epoch: a pid alone can be reused."""
    num_steps: int | None = None
    """Steps that the stage will take, in its own unit; None while unknown."""
    step: int = 0
    """Last step at the end of the run; while running, the series has it."""
    seed: int | None = None
    """Seed of the stage, if it has one."""
    revision: str | None = None
    """Git commit of the project at the start."""
    dirty: bool | None = None
    """Whether tracked files differed from that commit."""
    device: str = "cpu"
    """`cpu`, or the name of the accelerator."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of Python and of the libraries that decide the result."""
    duration_s: float | None = None
    """Wall-clock seconds."""
    peak_memory_bytes: int | None = None
    """Peak memory of the device, or of the process on the CPU."""
    error: str | None = None
    """Why it failed, in one line or a few."""

    def write(self, path: Path) -> None:
        """Write the record, complete or not at all."""
        write_json(path, asdict(self))


def decode_run_record(data: bytes) -> RunRecord | None:
    """The record, or None when the file is empty, torn or of another kind."""
    try:
        value: Any = json.loads(data)
    except ValueError:
        return None
    if not isinstance(value, dict) or "stage" not in value:
        return None
    known = {name: value[name] for name in RunRecord.__dataclass_fields__ if name in value}
    return RunRecord(**known)
