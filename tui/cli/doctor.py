"""`finetui doctor`: is everything there that browsing, launching and training need?"""

import argparse
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from pipeline.contract.loading import load_params
from pipeline.contract.paths import PARAMS_FILE
from pipeline.contract.problems import ParamsError
from tui.cli.context import Context
from tui.cli.output import print_json, print_line
from tui.core.errors import UserError
from tui.core.visible import visible

_TRAINING = {"torch": "2.13", "transformers": "5.23", "trl": "1.16", "peft": "0.21"}
"""Libraries of the `train` extra, and the release that the tests run with."""
_LOW_DISK_BYTES = 5 * 2**30
_GLYPHS = {"ok": "✓", "note": "!", "missing": "✗"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "note", "missing"]
    """`missing` keeps something from working, `note` is good to know."""
    detail: str
    hint: str = ""
    """What to do about it."""


def doctor(context: Context, options: argparse.Namespace) -> int:
    """Look at everything; exit code 1 when something is missing."""
    checks = [check for look in _LOOKS for check in look(context)]
    if options.form == "json":
        print_json(checks)
    else:
        for check in checks:
            hint = f"  → {check.hint}" if check.hint else ""
            print_line(f"{_GLYPHS[check.state]} {check.name}: {visible(check.detail)}{hint}")
    return 1 if any(check.state == "missing" for check in checks) else 0


def _python(_context: Context) -> Iterator[Check]:
    yield Check("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _commands(_context: Context) -> Iterator[Check]:
    path = shutil.which("git")
    if path is None:
        yield Check("git", "missing", "not on the PATH", "install git")
    else:
        yield Check("git", "ok", path)
    yield Check("DVC", "ok", metadata.version("dvc"))


def _training(_context: Context) -> Iterator[Check]:
    absent = [name for name in _TRAINING if util.find_spec(name) is None]
    if absent:
        yield Check("training libraries", "missing", "no " + ", ".join(absent), 'pip install "finetui[train]"')
        return
    for name, tested in _TRAINING.items():
        version = metadata.version(name)
        is_tested = version.startswith(tested)
        yield Check(name, "ok" if is_tested else "note", version if is_tested else f"{version}; tested with {tested}")


def _accelerators(_context: Context) -> Iterator[Check]:
    if util.find_spec("torch") is None:
        return
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Check("accelerator", "ok" if names else "note", ", ".join(names) or "none: training runs on the CPU")


def _project(context: Context) -> Iterator[Check]:
    try:
        root = context.store.root
    except UserError as error:
        yield Check("project", "missing", error.title, error.hint)
        return
    yield Check("project", "ok", str(root))
    yield _params(root)
    yield from _history(context)


def _params(root: Path) -> Check:
    try:
        load_params(root / PARAMS_FILE)
    except ParamsError as error:
        return Check(
            "params.yaml", "note", str(error).splitlines()[0], "not a project of finetui's pipeline, or wrong params"
        )
    return Check("params.yaml", "ok", "valid")


def _history(context: Context) -> Iterator[Check]:
    broken = [row for row in context.experiments() if row.error and row.status in {"done", "not run"}]
    for row in broken:
        yield Check(row.label, "note", row.error or "")
    lost = [run.name for run in context.runner.runs() if run.status == "lost"]
    if lost:
        yield Check("runs", "note", "lost: " + ", ".join(lost), "their logs: finetui logs NAME")


def _disk(context: Context) -> Iterator[Check]:
    free = shutil.disk_usage(context.directory).free
    detail = f"{free / 2**30:.1f} GiB free"
    yield Check("disk", "ok" if free > _LOW_DISK_BYTES else "note", detail)


_LOOKS: tuple[Callable[[Context], Iterator[Check]], ...] = (
    _python,
    _commands,
    _training,
    _accelerators,
    _project,
    _disk,
)
