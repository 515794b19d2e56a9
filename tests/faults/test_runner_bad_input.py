"""What a user can get wrong before a run starts: one clear message each, and nothing left behind."""

import errno
from pathlib import Path

import pytest

from tests.projects import commit, fingerprint, git, make_dvc, make_project
from tui.core.errors import UsageError, UserError
from tui.core.runs import RunRequest
from tui.dvc import DvcRunner, launch
from tui.dvc.project import runs_directory
from tui.dvc.template import template_files


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(launch, "start_supervisor", lambda _files: pytest.fail("it must not start"))
    return make_project(tmp_path / "project")


def _refused(root: Path, request: RunRequest, kind: type[UserError] = UserError) -> UserError:
    """The error of a launch, which the plan names as well, and which leaves everything as it was."""
    before = fingerprint(root)
    runner = DvcRunner(root)
    with pytest.raises(kind) as caught:
        runner.launch(request)
    assert fingerprint(root) == before
    assert runner.runs() == []
    assert [path.name for path in runs_directory(root).glob("*")] in ([], [".lock"])
    assert any(caught.value.title in problem for problem in runner.plan(request).problems)
    return caught.value


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no DVC project.*finetui init"):
        DvcRunner(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        DvcRunner(tmp_path / "nowhere")


def test_a_dvc_project_without_git(tmp_path: Path) -> None:
    make_dvc(tmp_path)
    assert _refused(tmp_path, RunRequest()).title == "this folder is no Git repository"


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    make_dvc(tmp_path)
    git(tmp_path, "init", "-q")
    error = _refused(tmp_path, RunRequest())
    assert "no commit yet" in error.title
    assert "git commit" in error.hint


def test_a_project_without_stages(root: Path) -> None:
    (root / "dvc.yaml").unlink()
    assert "no pipeline" in _refused(root, RunRequest()).title


@pytest.mark.parametrize("text", ["stages: [", "stages: 3", "stages:\n  a: 1", "- a", "stages: {a: {cmd: x\n"])
def test_a_dvc_yaml_that_does_not_parse(root: Path, text: str) -> None:
    (root / "dvc.yaml").write_text(text)
    assert "dvc.yaml" in _refused(root, RunRequest()).title


def test_a_dvc_yaml_that_git_does_not_know(root: Path) -> None:
    git(root, "rm", "-q", "--cached", "dvc.yaml")
    assert _refused(root, RunRequest()).hint == "git add dvc.yaml"


def test_wrong_params_stages_and_names(root: Path) -> None:
    assert "train.valeu" in _refused(root, RunRequest({"train.valeu": 1}), UsageError).detail
    assert "'train'" in _refused(root, RunRequest(targets=("trian",)), UsageError).hint
    assert "'--force'" in _refused(root, RunRequest(name="--force"), UsageError).detail
    _refused(root, RunRequest({"train.value": object()}), UsageError)
    _refused(root, RunRequest({"train.value": float("nan")}), UsageError)


def test_params_that_do_not_parse(root: Path) -> None:
    (root / "params.yaml").write_text("train: [")
    assert "params.yaml" in _refused(root, RunRequest()).title


def test_a_name_that_an_experiment_has(root: Path) -> None:
    baseline = git(root, "rev-parse", "HEAD")
    git(root, "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/owl", baseline)
    assert "exists already" in _refused(root, RunRequest(name="owl"), UsageError).title


def test_an_unfinished_merge(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "other")
    (root / "params.yaml").write_text("prepare: 1\n")
    git(root, "commit", "-q", "-a", "-m", "Other params")
    git(root, "checkout", "-q", "main")
    (root / "params.yaml").write_text("prepare: 2\n")
    git(root, "commit", "-q", "-a", "-m", "Params")
    with pytest.raises(Exception, match="merge"):
        git(root, "merge", "other")
    before = fingerprint(root)
    (root / "params.yaml").write_text("prepare: 3\n")
    with pytest.raises(UserError, match="merge is not finished"):
        DvcRunner(root).launch(RunRequest())
    (root / "params.yaml").write_bytes(before["params.yaml"])
    assert fingerprint(root) == before


@pytest.fixture
def own_project(root: Path) -> Path:
    """One with the params and stages of finetui's own pipeline."""
    for name, source in template_files():
        if name in {"params.yaml", "dvc.yaml"}:
            (root / name).write_bytes(source.read_bytes())
    commit(root, "Use the pipeline of finetui")
    return root


_SOURCES = ("base.source", "base.chat_template", "prepare.source", "prepare.preferences.source", "teacher.source")


@pytest.mark.parametrize("key", _SOURCES)
@pytest.mark.parametrize("name", ["data/mine.jsonl", "./data/mine.jsonl", "../outside"])
def test_a_file_that_the_run_would_not_see(own_project: Path, key: str, name: str) -> None:
    (own_project / name).write_text("{}\n")
    error = _refused(own_project, RunRequest({key: name}), UsageError)
    assert error.detail == f"params.yaml: {key}: {name!r} is not tracked by Git or DVC"
    assert "absolute path" in error.hint


def test_an_adapter_to_merge_that_the_run_would_not_see(own_project: Path) -> None:
    (own_project / "adapters/a").mkdir(parents=True)
    adapters = [{"path": path, "weight": 0.5} for path in ("adapters/a", "/elsewhere/b")]
    error = _refused(own_project, RunRequest({"train.merge.adapters": adapters}), UsageError)
    assert error.detail == "params.yaml: train.merge.adapters: 'adapters/a' is not tracked by Git or DVC"


@pytest.mark.parametrize("name", ["data/raw", "data/raw/rows.txt", "data/link/x", "{root}/mine", "Qwen/Qwen3-8B"])
def test_files_that_the_run_will_see(own_project: Path, name: str) -> None:
    (own_project / "mine").write_text("untracked\n")
    elsewhere = own_project.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_text("{}\n")
    (own_project / "data/link").symlink_to(elsewhere)
    git(own_project, "add", "data/link")
    overrides = dict.fromkeys(_SOURCES, name.format(root=own_project))
    assert DvcRunner(own_project).plan(RunRequest(overrides)).problems == ()


def test_what_dvc_keeps_is_seen(own_project: Path) -> None:
    (own_project / "corpus").mkdir()
    (own_project / "corpus/a.jsonl").write_text("{}\n")
    (own_project / ".gitignore").write_text("/corpus\n")
    request = RunRequest({"prepare.source": "corpus/a.jsonl"})
    assert len(DvcRunner(own_project).plan(request).problems) == 1
    (own_project / "corpus.dvc").write_text(f"outs:\n- {{md5: {'0' * 32}.dir, hash: md5, path: corpus}}\n")
    git(own_project, "add", "corpus.dvc")
    assert DvcRunner(own_project).plan(request).problems == ()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written(root: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "cannot be written", str(root))

    monkeypatch.setattr(launch.RunSpec, "write", fail)
    with pytest.raises(UserError, match="cannot be prepared") as caught:
        DvcRunner(root).launch(RunRequest())
    assert caught.value.hint
    assert [path.name for path in runs_directory(root).glob("*")] == [".lock"]


def test_a_lock_that_cannot_be_opened(root: Path) -> None:
    (runs_directory(root) / ".lock").mkdir(parents=True)
    with pytest.raises(UserError, match=r"cannot be prepared.*\.lock") as caught:
        DvcRunner(root).launch(RunRequest())
    assert caught.value.hint


def test_no_git_at_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="git is not installed"):
        DvcRunner(root).launch(RunRequest())


def test_a_run_that_does_not_exist(root: Path) -> None:
    runner = DvcRunner(root)
    for act in (runner.stop, runner.remove, runner.read_log):
        with pytest.raises(UsageError, match="no such run"):
            act("../../etc")  # type: ignore[operator]  # three methods with the same first parameter
