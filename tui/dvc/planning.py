"""The plan of a launch: stages with reasons, what makes it impossible, and what is worth knowing before."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.contract.paths import PARAMS_FILE, RAW_DATA
from tui.core.errors import UserError
from tui.core.runs import LaunchPlan, RunRequest, StagePlan
from tui.dvc.declared import overlaps, read_stages
from tui.dvc.durations import latest_durations, recorded_durations
from tui.dvc.git import git
from tui.dvc.hashing import TrackedFiles
from tui.dvc.launch import check_out, check_request, scratch
from tui.dvc.overrides import rewritten_params
from tui.dvc.plan import outdated_stages, plan_stages
from tui.dvc.project import Project, at_commit, open_project
from tui.dvc.sources import check_sources

_MAX_NAMES = 5


def make_plan(root: Path, request: RunRequest, taken: Collection[str]) -> LaunchPlan:
    """What a launch would do; every error becomes a problem of the plan."""
    try:
        project = open_project(root)
        if request.rev is not None:
            return _plan_commit(at_commit(project, request.rev), request, taken)
        problems, text = _find_problems(project, request, taken)
        replaced = {} if text is None else {str(PARAMS_FILE): text}
        stages = plan_stages(root, replaced, request.targets, request.force)
        return LaunchPlan(_timed(project, stages), problems, _warnings(project))
    except UserError as error:
        return LaunchPlan((), (str(error),))


def _plan_commit(project: Project, request: RunRequest, taken: Collection[str]) -> LaunchPlan:
    with scratch(project.root) as draft:
        sources = check_out(project, draft)
        check_request(project, request, taken, sources)
        text = rewritten_params(sources, request.overrides)
        replaced = {} if text is None else {str(PARAMS_FILE): text}
        return LaunchPlan(_timed(project, plan_stages(sources, replaced, request.targets, request.force)))


def find_outdated(root: Path, rev: str, results: Sequence[str]) -> tuple[StagePlan, ...]:
    """Stages of a commit whose recorded results belong to other params, code or data; see `outdated_stages`."""
    project = at_commit(open_project(root), rev)
    with scratch(root) as draft:
        return outdated_stages(check_out(project, draft), results)


def _timed(project: Project, stages: Sequence[StagePlan]) -> tuple[StagePlan, ...]:
    """With the time that each stage took in the latest run, in the workspace, or in the newest experiment."""
    known = {stage.stage: stage.expected_s for stage in stages if stage.expected_s is not None}
    known |= latest_durations(project)
    known = recorded_durations(project, [stage.stage for stage in stages if stage.stage not in known]) | known
    return tuple(replace(stage, expected_s=known.get(stage.stage)) for stage in stages)


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
