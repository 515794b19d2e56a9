"""Which files of a clone belong into the experiment commit, and which ones tell of another run."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.contract.run_record import decode_run_record
from pipeline.contract.yaml12 import load_yaml
from tui.core.errors import UserError
from tui.dvc.declared import DeclaredStage, overlaps, producers, read_stages
from tui.dvc.git import git, try_git
from tui.dvc.record import RunStatus

_STAGE_FILES = (
    paths.METRICS_NAME,
    paths.RESOURCES_NAME,
    paths.RUN_RECORD_NAME,
    paths.SERIES_TABLE_NAME,
)
_TOP_LEVEL = ("metrics", "plots", "params")


def pipeline_files(root: Path) -> list[str]:
    """The tracked dvc.yaml files, relative to the root."""
    listed = git(root, "ls-files", "-z", "--", ":(glob)**/dvc.yaml")
    return sorted({str(paths.PIPELINE_FILE), *filter(None, listed.split("\0"))})


def is_readable(root: Path) -> bool:
    """Whether the pipeline's files still parse at the end of a run: a stage can break them."""
    try:
        read_stages(root, pipeline_files(root))
    except UserError:
        return False
    return True


def result_files(root: Path) -> list[str]:
    """Existing files that Git keeps, relative to the root: locks, uncached outputs, metrics and run records."""
    files = pipeline_files(root)
    stages = read_stages(root, files)
    cached = [out.path for stage in stages for out in stage.outputs if out.is_cached]
    wanted = {
        *(str(Path(file).with_name(paths.LOCK_FILE.name)) for file in files),
        *(out.path for stage in stages for out in stage.outputs if not out.is_cached),
        *(str(Path(path).parent / ".gitignore") for path in cached),
        *_stage_files(root),
    }
    loose = {*_templated_outputs(root, stages), *_top_level_files(root, files)}
    wanted |= {path for path in loose if not _is_ignored(root, path)}
    existing = (file for path in wanted if _is_inside(path) for file in _files_below(root, path))
    return sorted(file for file in existing if not any(file == path or file.startswith(f"{path}/") for path in cached))


def stale_files(root: Path, status: RunStatus, is_done: bool) -> list[str]:
    """Tracked results of stages that this run did not come to, and records of the run before in its place."""
    stages = read_stages(root, pipeline_files(root))
    unvisited = [stage for stage in stages if not _was_visited(stage, status)]
    if is_done:
        unvisited = _below_what_ran(unvisited, stages, status)
    stale = {out.path for stage in unvisited for out in stage.outputs if not out.is_cached}
    stale |= {str(paths.metrics_dir(stage.key)) for stage in unvisited if stage.file == str(paths.PIPELINE_FILE)}
    declared = {out.path for stage in stages for out in stage.outputs}
    restored = [name for name, note in status.stages.items() if note.is_restored]
    records = {str(paths.metrics_dir(name) / file) for name in restored for file in _STAGE_FILES}
    stale |= records - declared
    if not stale:
        return []
    listed = git(root, "ls-files", "-z", "--", *sorted(f":(literal){path}" for path in stale if _is_inside(path)))
    return [path for path in listed.split("\0") if path]


def _was_visited(stage: DeclaredStage, status: RunStatus) -> bool:
    if stage.is_templated:
        return any(name == stage.name or name.startswith(f"{stage.name}@") for name in status.stages)
    return stage.name in status.stages


def _below_what_ran(
    unvisited: list[DeclaredStage], stages: list[DeclaredStage], status: RunStatus
) -> list[DeclaredStage]:
    ran = {name for name, note in status.stages.items() if note.status != "cached"}
    below = []
    for stage in stages:
        if stage in unvisited and ran & set(producers(stage, stages)):
            ran.add(stage.name)
            below.append(stage)
    return below


def _stage_files(root: Path) -> Iterator[str]:
    """What stages write by contract; of a stage that did not end well, its series, too, unless a table holds it."""
    for path in sorted((root / paths.METRICS_DIR).glob(f"**/{paths.RUN_RECORD_NAME}")):
        folder = path.parent.relative_to(root)
        yield from (str(folder / name) for name in _STAGE_FILES)
        record = decode_run_record(path.read_bytes())
        is_done = record is not None and record.status == "done"
        if not is_done and not path.with_name(paths.SERIES_TABLE_NAME).exists():
            yield str(folder / paths.SERIES_NAME)


def _templated_outputs(root: Path, stages: Iterable[DeclaredStage]) -> Iterator[str]:
    """Outputs that only dvc.lock knows by name."""
    for file in {stage.file for stage in stages if stage.is_templated}:
        folder = Path(file).parent
        entries = _load(root / folder / paths.LOCK_FILE.name).get("stages")
        for entry in (entries or {}).values():
            yield from (str(folder / str(out["path"])) for out in entry.get("outs") or () if "path" in out)


def _top_level_files(root: Path, files: list[str]) -> Iterator[str]:
    for file in files:
        definition = _load(root / file)
        for kind in _TOP_LEVEL:
            entries = definition.get(kind)
            entries = entries if isinstance(entries, list | dict) else ()
            names = (name for entry in entries for name in (entry if isinstance(entry, dict) else [entry]))
            yield from (str(Path(file).parent / str(name)) for name in names)


def _load(path: Path) -> dict[str, Any]:
    try:
        value = load_yaml(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_ignored(root: Path, path: str) -> bool:
    return not _is_inside(path) or try_git(root, "check-ignore", "--quiet", "--", path) is not None


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", "../")) and path not in {".", ".."} and not overlaps(path, ".dvc")


def _files_below(root: Path, path: str) -> list[str]:
    place = root / path
    if place.is_symlink() or place.is_file():
        return [path]
    return [str(file.relative_to(root)) for file in place.rglob("*") if file.is_symlink() or file.is_file()]
