"""Decides how a run ended from what it left behind."""

from datetime import datetime
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.run_record import decode_run_record
from tui.core.errors import UserError
from tui.dvc.logscan import last_error
from tui.dvc.plan import is_up_to_date
from tui.dvc.record import RunFiles, RunSpec, RunStatus, State, read_exit_code

_NO_WITNESS = "its processes went away without a word (killed, out of memory, or the machine restarted)"


def decide(files: RunFiles, spec: RunSpec, status: RunStatus, witnessed: bool) -> tuple[State, str | None]:
    """State and error; `witnessed` says whether a supervisor saw the processes end."""
    code = read_exit_code(files)
    if code == 0:
        return "done", None
    if files.stop.exists():
        return "cancelled", None
    if code is not None:
        return "failed", describe_failure(files, spec, status) or f"dvc repro ended with exit code {code}"
    if status.process is not None and _has_everything(files.clone / spec.prefix, spec):
        return "done", None
    if witnessed:
        return "failed", describe_failure(files, spec, status) or "dvc repro was killed"
    return "lost", _NO_WITNESS


def _has_everything(root: Path, spec: RunSpec) -> bool:
    try:
        return is_up_to_date(root, spec.targets)
    except UserError:
        return False


def describe_failure(files: RunFiles, spec: RunSpec, status: RunStatus) -> str | None:
    """What the stage itself said, or DVC."""
    for stage, note in status.stages.items():
        if note.status in {"running", "failed"}:
            error = _stage_error(files.clone / spec.prefix, stage, datetime.fromisoformat(spec.started_at))
            if error:
                return f"{stage}: {error}"
    return last_error(files.log)


def _stage_error(root: Path, stage: str, since: datetime) -> str | None:
    try:
        record = decode_run_record((root / paths.metrics_dir(stage) / paths.RUN_RECORD_NAME).read_bytes())
        is_current = record is not None and datetime.fromisoformat(record.started_at) >= since.replace(microsecond=0)
    except (OSError, ValueError, TypeError):
        return None
    return record.error if record is not None and is_current else None
