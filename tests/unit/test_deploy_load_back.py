"""The fresh process: it is never left behind, and its failure is told in one line."""

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.contract.problems import StageError
from pipeline.evals import load_back
from pipeline.evals.load_back import ProbeRequest, ask_export

REQUEST = ProbeRequest([[{"role": "user", "content": "hi"}]], 4, "cpu", False, 1000)


def write_program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another program in the place of the probe."""
    package = folder / "packages" / "pipeline" / "evals"
    package.mkdir(parents=True)
    for directory in (package, package.parent):
        (directory / "__init__.py").touch()
    (package / "probe.py").write_text(text)
    monkeypatch.setattr(load_back, "_PACKAGES", folder / "packages")


def interrupted() -> None:
    raise KeyboardInterrupt


def nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("program", "on_answer", "error", "message"),
    [
        ("import time\nprint('{}', flush=True)\ntime.sleep(60)", interrupted, KeyboardInterrupt, "^$"),
        ("raise ValueError('no weights\\nand more')", nothing, StageError, r"exit code 1\): ValueError: no weights$"),
        ("import os\nos.kill(os.getpid(), 9)", nothing, StageError, r"exit code -9\): no message$"),
    ],
)
def test_the_process_is_gone_whatever_happens(
    program: str,
    on_answer: Callable[[], None],
    error: type[BaseException],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_program(tmp_path, program, monkeypatch)
    before = set(psutil.Process().children())
    with pytest.raises(error, match=message):
        ask_export(tmp_path, REQUEST, on_answer)
    assert set(psutil.Process().children()) == before
