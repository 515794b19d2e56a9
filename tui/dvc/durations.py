"""How long stages took: in the latest runs, or else in the newest experiments."""

from collections.abc import Collection, Iterator

from pipeline.contract import paths
from pipeline.contract.run_record import decode_run_record
from tui.dvc.git import GitError, git
from tui.dvc.project import Project, runs_directory
from tui.dvc.record import RunFiles, read_status

_MAX_RUNS = 50
_MAX_EXPERIMENTS = 50


def latest_durations(project: Project) -> dict[str, float]:
    """Stage -> seconds in the latest run whose record is still there."""
    found: dict[str, float] = {}
    newest = sorted(runs_directory(project.root).glob("[0-9]*"), reverse=True)
    for directory in newest[:_MAX_RUNS]:
        for name, note in read_status(RunFiles(directory)).stages.items():
            if note.status == "done" and note.elapsed_s is not None:
                found.setdefault(name, note.elapsed_s)
    return found


def recorded_durations(project: Project, stages: Collection[str]) -> dict[str, float]:
    """Stage -> seconds according to the newest experiment that holds a run record of it, whoever ran that."""
    try:
        return _find_recorded(project, stages) if stages else {}
    except GitError:
        return {}  # a broken experiment must not keep a run from being planned


def _find_recorded(project: Project, stages: Collection[str]) -> dict[str, float]:
    newest = ("--sort=-committerdate", f"--count={_MAX_EXPERIMENTS}", "--format=%(objectname)")
    revisions = git(project.root, "for-each-ref", *newest, "refs/exps").split()
    wanted = [(rev, stage) for rev in revisions for stage in stages]
    found: dict[str, float] = {}
    for (_, stage), content in zip(wanted, _read_records(project, wanted), strict=False):
        record = decode_run_record(content) if content is not None and stage not in found else None
        if record is not None and record.status == "done" and record.duration_s is not None:
            found[stage] = record.duration_s
    return found


def _read_records(project: Project, wanted: list[tuple[str, str]]) -> Iterator[bytes | None]:
    """Contents of the run records in the same order; None where there is none."""
    names = (f"{rev}:{project.git_path(paths.metrics_dir(stage) / paths.RUN_RECORD_NAME)}" for rev, stage in wanted)
    asked = "".join(f"{name}\n" for name in names)
    local = {"GIT_NO_LAZY_FETCH": "1"}
    text = git(project.root, "cat-file", "--batch", stdin=asked.encode(), environment=local)
    output = text.encode("utf-8", "surrogateescape")
    while output:
        header, _, output = output.partition(b"\n")
        size = header.rpartition(b" ")[2]
        if not size.isdigit():
            yield None
            continue
        content, output = output[: int(size)], output[int(size) + 1 :]
        yield content
