"""What the plan says of stages, against what DVC says of the same project."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.projects import commit, dvc, git, make_project
from tui.core.runs import LaunchPlan, RunRequest
from tui.dvc import DvcRunner
from tui.dvc.project import runs_directory
from tui.dvc.record import RunFiles, RunStatus, StageNote


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything has run and is committed."""
    root = make_project(tmp_path_factory.mktemp("plan") / "project")
    dvc(root, "repro", "--quiet")
    commit(root, "Run everything")
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


def _plan(root: Path, **request: object) -> LaunchPlan:
    return DvcRunner(root).plan(RunRequest(**request))  # type: ignore[arg-type]  # the fields of a request


def _verdicts(plan: LaunchPlan) -> list[tuple[str, str | None]]:
    return [(stage.stage, stage.reason) for stage in plan.stages]


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _nothing(root: Path) -> None:
    assert root.exists()


def _params(root: Path) -> None:
    _replace(root / "params.yaml", "value: 2 ", "value: 20 ")


def _comment_in_params(root: Path) -> None:
    _replace(root / "params.yaml", "# Comments stay.", "# Another comment.")


def _code(root: Path) -> None:
    _replace(root / "stage.py", "import json", "import json  # again")


def _data(root: Path) -> None:
    (root / "data/raw/rows.txt").write_text("three\n")


def _more_data(root: Path) -> None:
    (root / "data/raw/sub").mkdir()
    (root / "data/raw/sub/more.txt").write_text("four\n")
    git(root, "add", "data/raw")


def _ignored_data(root: Path) -> None:
    (root / "data/raw/__pycache__").mkdir()
    (root / "data/raw/__pycache__/x.txt").write_text("not a dep\n")
    git(root, "add", "-f", "data/raw")


def _command(root: Path) -> None:
    _replace(root / "dvc.yaml", "cmd: python stage.py train", "cmd: python -u stage.py train")


def _metrics(root: Path) -> None:
    (root / "data/metrics/train/metrics.json").write_text("{}")
    shutil.rmtree(root / ".dvc/cache/runs")


def _no_lock_entry(root: Path) -> None:
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    del lock["stages"]["evaluate"]
    shutil.rmtree(root / ".dvc/cache/runs")
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))


def _no_cache(root: Path) -> None:
    shutil.rmtree(root / ".dvc/cache/files")
    shutil.rmtree(root / "data/models")


EVERYTHING = {"prepare", "train", "evaluate"}
CASES: list[tuple[Callable[[Path], None], dict[str, str]]] = [
    (_nothing, {}),
    (_params, {"train": "params", "evaluate": "upstream"}),
    (_comment_in_params, {}),
    (_code, {"prepare": "code", "train": "code", "evaluate": "code"}),
    (_data, {"prepare": "data", "train": "upstream", "evaluate": "upstream"}),
    (_more_data, {"prepare": "data", "train": "upstream", "evaluate": "upstream"}),
    (_ignored_data, {}),
    (_command, {"train": "code", "evaluate": "upstream"}),
    (_metrics, {"train": "data", "evaluate": "upstream"}),
    (_no_lock_entry, {"evaluate": "new"}),
    (_no_cache, {"prepare": "data", "train": "upstream", "evaluate": "upstream"}),
]


@pytest.mark.parametrize(("edit", "expected"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_each_change_has_its_reason(root: Path, edit: Callable[[Path], None], expected: dict[str, str]) -> None:
    edit(root)
    plan = _plan(root)
    assert {stage.stage: stage.reason for stage in plan.stages if stage.will_run} == expected
    assert [stage.stage for stage in plan.stages] == ["prepare", "train", "evaluate"]
    assert all(stage.detail for stage in plan.stages if stage.will_run)
    assert plan.problems == ()


@pytest.mark.slow
@pytest.mark.parametrize(("edit", "expected"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_dvc_sees_the_same_stages_changed(root: Path, edit: Callable[[Path], None], expected: dict[str, str]) -> None:
    edit(root)
    changed = set(json.loads(dvc(root, "status", "--json")))
    first_hand = {stage for stage, reason in expected.items() if reason != "upstream"}
    assert first_hand <= changed
    assert changed <= set(expected)


def test_overrides_count_and_change_nothing(root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    plan = _plan(root, overrides={"train.value": 7, "train.steps": 5})
    assert _verdicts(plan) == [("prepare", None), ("train", "params"), ("evaluate", "upstream")]
    assert plan.stages[1].detail == "train.value: 2 -> 7, train.steps: 3 -> 5"
    assert (root / "params.yaml").read_bytes() == before


def test_what_ran_before_comes_from_the_run_cache(root: Path) -> None:
    (root / "dvc.lock").unlink()
    git(root, "rm", "-q", "--cached", "dvc.lock")
    plan = _plan(root)
    assert _verdicts(plan) == [("prepare", None), ("train", None), ("evaluate", None)]
    assert {stage.detail for stage in plan.stages} == {"its results are in the cache"}
    plan = _plan(root, overrides={"train.value": 7})
    assert _verdicts(plan) == [("prepare", None), ("train", "new"), ("evaluate", "new")]
    assert _verdicts(_plan(root, force=True))[0] == ("prepare", "forced")


def test_targets_and_force_count(root: Path) -> None:
    assert _verdicts(_plan(root, targets=("train",))) == [("prepare", None), ("train", None)]
    assert _verdicts(_plan(root, targets=("train",), force=True)) == [("prepare", "forced"), ("train", "forced")]


def test_the_last_duration_is_expected(root: Path) -> None:
    record = json.loads((root / "data/metrics/train/run.json").read_text())
    assert [stage.expected_s for stage in _plan(root).stages][1] == record["duration_s"]


def test_the_duration_in_the_latest_run_is_expected(root: Path) -> None:
    for number, elapsed_s in enumerate([5.0, 7.0]):
        directory = runs_directory(root) / f"2025010{number}-000000-000000-abcdef"
        directory.mkdir(parents=True)
        note = StageNote("done", 1.0, 2.0, elapsed_s=elapsed_s)
        failed = StageNote("failed", 1.0, 2.0, elapsed_s=99.0)
        RunStatus("done", stages={"train": note, "evaluate": failed}).write(RunFiles(directory).status)
    expected = [stage.expected_s for stage in _plan(root).stages]
    assert expected[1] == 7.0
    assert expected[2] != 99.0


def test_the_duration_in_the_newest_experiment_is_expected(tmp_path: Path) -> None:
    root = make_project(tmp_path / "project")
    baseline = git(root, "rev-parse", "HEAD")
    for number, duration_s in enumerate([5.0, 7.0]):
        record = {"stage": "prepare", "status": "done", "started_at": "2025-01-01T00:00:00+00:00"}
        folder = root / "data/metrics/prepare"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(json.dumps(record | {"duration_s": duration_s, "device": "ü"}))
        (root / "data/metrics/train").mkdir(exist_ok=True)
        (root / "data/metrics/train/run.json").write_text(json.dumps(record | {"status": "failed", "duration_s": 9.0}))
        git(root, "add", "-A")
        tree = git(root, "write-tree")
        date = f"{1_700_000_000 + number} +0000"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_COMMITTER_DATE", date)
            rev = git(root, "commit-tree", tree, "-p", baseline, "-m", "dvc: commit experiment")
        git(root, "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/owl-{number}", rev)
    git(root, "reset", "-q", "--hard", baseline)
    plan = _plan(root)
    assert [stage.expected_s for stage in plan.stages] == [7.0, None, None]
    assert [stage.reason for stage in plan.stages] == ["new"] * 3
    git(root, "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/blob", git(root, "hash-object", "-w", "stage.py"))
    assert _plan(root).stages[0].expected_s == 7.0


def test_everything_is_new_before_the_first_run(tmp_path: Path) -> None:
    plan = _plan(make_project(tmp_path / "project"))
    assert _verdicts(plan) == [(stage, "new") for stage in ("prepare", "train", "evaluate")]
    assert plan.stages[0].expected_s is None


def test_a_template_is_left_to_dvc(root: Path) -> None:
    _replace(root / "dvc.yaml", "cmd: python stage.py train", "cmd: python stage.py ${train.name}")
    verdicts = dict(_verdicts(_plan(root)))
    assert verdicts == {"prepare": None, "train": "unknown", "evaluate": "unknown"}


def test_untracked_data_is_warned_of(root: Path) -> None:
    (root / "data/raw/new.jsonl").write_text("{}\n")
    assert "data/raw/new.jsonl" in " ".join(_plan(root).warnings)
    git(root, "add", "data/raw/new.jsonl")
    assert _plan(root).warnings == ()


def test_every_problem_is_named(root: Path) -> None:
    problems = " ".join(_plan(root, overrides={"train.valeu": 1}, targets=("trian",)).problems)
    assert "did you mean 'train.value'" in problems
    assert "did you mean 'train'" in problems


@pytest.mark.slow
def test_data_kept_by_dvc_counts(root: Path) -> None:
    git(root, "rm", "-q", "--cached", "data/raw/rows.txt")
    dvc(root, "add", "--quiet", "data/raw")
    (root / "data/raw.dvc").write_text((root / "data/raw.dvc").read_text())
    git(root, "add", "-A")
    assert [stage.will_run for stage in _plan(root).stages] == [False] * 3
    (root / "data/raw/rows.txt").write_text("changed\n")
    dvc(root, "add", "--quiet", "data/raw")
    plan = _plan(root)
    assert _verdicts(plan) == [("prepare", "data"), ("train", "upstream"), ("evaluate", "upstream")]
    assert plan.warnings == ()
