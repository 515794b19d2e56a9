"""The plan of a launch: stages with reasons, what makes it impossible, and what is worth knowing before."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from pipeline.contract.paths import PARAMS_FILE, RAW_DATA
from tui.core.errors import UserError
from tui.core.runs import LaunchPlan, RunRequest
from tui.dvc.declared import overlaps, read_stages
from tui.dvc.git import git
from tui.dvc.hashing import TrackedFiles
from tui.dvc.launch import check_request
from tui.dvc.overrides import rewritten_params
from tui.dvc.plan import plan_stages
from tui.dvc.project import Project, open_project, runs_directory
from tui.dvc.record import RunFiles, read_status
from tui.dvc.sources import check_sources

_MAX_NAMES = 5
_MAX_RUNS = 50


def make_plan(root: Path, request: RunRequest, taken: Collection[str]) -> LaunchPlan:
    """What a launch would do; every error becomes a problem of the plan."""
    try:
        project = open_project(root)
        problems, text = _find_problems(project, request, taken)
        replaced = {} if text is None else {str(PARAMS_FILE): text}
        stages = plan_stages(root, replaced, request.targets, request.force)
        known = _durations(root)
        timed = tuple(replace(stage, expected_s=known.get(stage.stage, stage.expected_s)) for stage in stages)
        return LaunchPlan(timed, problems, _warnings(project))
    except UserError as error:
        return LaunchPlan((), (str(error),))


def _durations(root: Path) -> dict[str, float]:
    """Seconds that each stage took in the latest runs."""
    found: dict[str, float] = {}
    newest = sorted(runs_directory(root).glob("[0-9]*"), reverse=True)
    for directory in newest[:_MAX_RUNS]:
        for name, note in read_status(RunFiles(directory)).stages.items():
            if note.status == "done" and note.elapsed_s is not None:
                found.setdefault(name, note.elapsed_s)
    return found


def _find_problems(project: Project, request: RunRequest, taken: Collection[str]) -> tuple[tuple[str, ...], str | None]:
    problems: list[str] = []
    text = None
    try:
        check_request(project, request, taken)
    except UserError as error:
        problems.append(str(error))
    try:
        text = rewritten_params(project.root, request.overrides)
        check_sources(project, request.overrides)
    except UserError as error:
        problems.append(str(error))
    return tuple(problems), text


def _warnings(project: Project) -> tuple[str, ...]:
    found = []
    left_out = _left_out(project)
    if left_out:
        more = f" and {len(left_out) - _MAX_NAMES} more" if len(left_out) > _MAX_NAMES else ""
        names = ", ".join(left_out[:_MAX_NAMES]) + more
        found.append(f"the run will not see untracked files: {names}; git add them, or dvc add what is large")
    if (project.top / ".gitmodules").exists():
        found.append("the run will not see Git submodules")
    return tuple(found)


def _left_out(project: Project) -> list[str]:
    """Untracked files that stages would read: all below data/raw, elsewhere those that Git does not ignore."""
    root = project.root
    stages = read_stages(root)
    made = [out.path for stage in stages for out in stage.outputs]
    deps = sorted({dep for stage in stages for dep in stage.deps if not dep.startswith(("/", "../"))})
    read = [dep for dep in deps if not any(overlaps(dep, path) for path in made)]
    files = TrackedFiles(root)
    names = {name for name in _untracked(root, [str(RAW_DATA)]) if not files.is_added(name)}
    names.update(name for name in _untracked(root, read, "--exclude-standard"))
    return sorted(names)


def _untracked(root: Path, places: list[str], *options: str) -> list[str]:
    if not places:
        return []
    patterns = [f":(literal){place}" for place in places]
    listed = git(root, "ls-files", "-z", "--others", *options, "--", *patterns)
    return [name for name in listed.split("\0") if name]
