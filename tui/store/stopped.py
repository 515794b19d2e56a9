"""Where a run ended before its end: its commit still holds, of all later stages, what the baseline had."""

from collections.abc import Iterator

from pipeline.contract import paths
from pipeline.contract.run_record import RunRecord, decode_run_record
from pipeline.contract.stages import STAGES
from tui.store.git.files import Files


def records(files: Files) -> Iterator[RunRecord]:
    """Run records of all stages of a revision."""
    for path in files.below(paths.METRICS_DIR.as_posix()):
        if path.endswith("/" + paths.RUN_RECORD_NAME):
            record = decode_run_record(files.read(path))
            if record is not None:
                yield record


def failures(files: Files) -> list[str]:
    """Why stages failed."""
    found = [record for record in records(files) if record.status == "failed" and record.error]
    return [f"{record.stage}: {record.error}" for record in found]


def unreached_stages(files: Files) -> frozenset[str]:
    """Stages after the one that failed or was cancelled."""
    stopped = {record.stage for record in records(files) if record.status != "done"}
    names = [stage.name for stage in STAGES]
    first = next((index for index, name in enumerate(names) if name in stopped), len(names))
    return frozenset(names[first + 1 :])


def stages_after(stage: str) -> frozenset[str]:
    """Stages that come after one."""
    names = [known.name for known in STAGES]
    return frozenset(names[names.index(stage) + 1 :]) if stage in names else frozenset()
