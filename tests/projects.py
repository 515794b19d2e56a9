"""Tiny Git + DVC projects for tests: made of plain files and git commands, without starting DVC."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tui.dvc import processes
from tui.dvc.project import runs_directory
from tui.dvc.record import RunFiles, read_status

_Result = TypeVar("_Result")

_SCRIPT = '''"""One stage: counts to `steps`, a pause at each step, and writes what a stage of finetui writes."""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml

name = sys.argv[1]
params = yaml.safe_load(Path("params.yaml").read_text())[name]
folder = Path("data/metrics", name)
folder.mkdir(parents=True, exist_ok=True)
if params.get("ignore_sigint"):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
start = time.time()
record = {"stage": name, "status": "running", "pid": os.getpid(), "num_steps": params["steps"], "step": 0}
record["started_at"] = datetime.now(UTC).isoformat(timespec="seconds")


def write_record(status, error=None):
    record.update(status=status, error=error, duration_s=round(time.time() - start, 3))
    Path(folder, "run.json").write_text(json.dumps(record))


write_record("running")
try:
    with Path(folder, "series.jsonl").open("w") as series:
        for step in range(1, params["steps"] + 1):
            time.sleep(params["pause_s"])
            record["step"] = step
            point = {"step": step, "time_s": round(time.time() - start, 3), "train/loss": params["value"] / step}
            series.write(json.dumps(point) + "\\\\n")
            series.flush()
            Path(folder, "metrics.json").write_text(json.dumps({"eval/score": params["value"] + step / 100}))
            print(f"{name}: step {step}", flush=True)
            if step == params["fail_at"]:
                raise ValueError(f"step {step} went wrong")
except KeyboardInterrupt:
    write_record("cancelled")
    raise
except ValueError as error:
    write_record("failed", str(error))
    raise
out = Path("data/models", name)
out.mkdir(parents=True, exist_ok=True)
Path(out, "weights.txt").write_text(f"{name} {params['value']}\\\\n")
write_record("done")
'''

_STAGE = """  {name}:
    cmd: python stage.py {name}
    deps:
      - stage.py
      - {dep}
    params:
      - {name}
    outs:
      - data/models/{name}
    metrics:
      - data/metrics/{name}/metrics.json:
          cache: false
"""

_PARAMS = """# Comments stay.
{name}:
  value: {value}  # what it is about
  steps: 3
  pause_s: 0.0
  fail_at: 0
  ignore_sigint: false
"""

STAGES = ("prepare", "train", "evaluate")


def git(root: Path, *arguments: str) -> str:
    """Output of a git command with an identity of its own."""
    author = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.com"}
    committer = {"GIT_COMMITTER_NAME": "Test", "GIT_COMMITTER_EMAIL": "test@example.com"}
    environment = os.environ | author | committer
    done = subprocess.run(["git", "-C", str(root), *arguments], env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip()


def make_dvc(root: Path) -> None:
    """What `dvc init` leaves: `.dvc` with an empty configuration and its own .gitignore."""
    folder = root / ".dvc"
    folder.mkdir(parents=True)
    (folder / "config").touch()
    (folder / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".dvcignore").write_text("__pycache__\n*.pyc\n")


def make_project(root: Path, stages: tuple[str, ...] = STAGES) -> Path:
    """A committed project with a chain of stages that take no time; each has `value`, `steps`, `pause_s`, `fail_at`."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    make_dvc(root)
    (root / "stage.py").write_text(_SCRIPT.replace("\\\\", "\\"))
    (root / "data" / "raw").mkdir(parents=True)
    (root / "data" / "raw" / "rows.txt").write_text("one\ntwo\n")
    (root / ".gitignore").write_text("/data/models/\n/data/metrics/*/series.jsonl\n")
    deps = ("data/raw", *(f"data/models/{name}" for name in stages))
    texts = (_STAGE.format(name=name, dep=dep) for name, dep in zip(stages, deps, strict=False))
    (root / "dvc.yaml").write_text("stages:\n" + "\n".join(texts))
    params = (_PARAMS.format(name=name, value=number + 1) for number, name in enumerate(stages))
    (root / "params.yaml").write_text("".join(params))
    commit(root, "Add the project")
    return root


def commit(root: Path, message: str) -> str:
    """Commit everything; gives the SHA."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def dvc(root: Path, *arguments: str) -> str:
    """Output of a dvc command; takes about a second."""
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def wait_for(condition: Callable[[], _Result | None], timeout_s: float = 60.0) -> _Result:
    """What the condition gives as soon as that is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def fingerprint(root: Path) -> dict[str, bytes]:
    """Everything of the user's: files, index, HEAD, refs, stash, configuration; not what finetui may add."""
    ours = {root / name for name in (".dvc/tmp", ".dvc/cache", ".git/objects", ".git/refs/exps")}
    found: dict[str, bytes] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if Path(folder, name) not in ours)
        paths = (Path(folder, name) for name in files)
        found |= {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return found


def end_runs(root: Path) -> None:
    """Kill whatever runs of a project are left, supervisors first; for the end of a test."""
    for files in (RunFiles(path) for path in runs_directory(root).glob("[0-9]*")):
        supervisor = read_status(files).supervisor
        members = [process.pid for process in processes.family(files.directory.name)]
        alive = [int(supervisor[0])] if supervisor and processes.is_alive(supervisor) else []
        for pid in {*alive, *members} - {os.getpid()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
