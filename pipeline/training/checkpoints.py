"""The folder of a training's checkpoints, outside the stage's outputs and named after everything that determines it.

`finetui` runs trainings in throw-away clones and names a folder that outlives them in FINETUI_CHECKPOINTS.
"""

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.contract import launching, paths
from pipeline.contract.files import write_text
from pipeline.contract.params import Params
from pipeline.training.checkpoint_key import KEY_LENGTH, checkpoint_key

_LOCK = "lock"
_CHOICE = "checkpoints"
_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}(-\d+)?")
_MAX_AGE_S = 7 * 24 * 3600


@contextmanager
def checkpoint_folder(params: Params, stage: str, inputs: Sequence[Path]) -> Iterator[Path]:
    """Folder of this very training, of nobody else's while inside; removed when all is done, kept on any error.

    `inputs` are the model directories and data files that the training reads. Of several processes the main one
    chooses and removes.
    """
    shared_folder = launching.shared_folder()
    if not launching.is_main_process() and shared_folder is not None:
        yield _chosen(shared_folder / _CHOICE)
        return
    with _own_folder(params, stage, inputs) as folder:
        if shared_folder is not None:
            write_text(shared_folder / _CHOICE, str(folder))
        yield folder


@contextmanager
def _own_folder(params: Params, stage: str, inputs: Sequence[Path]) -> Iterator[Path]:
    parent = checkpoints_parent()
    sweep_checkpoints(parent)
    folder = parent / checkpoint_key(params, stage, inputs)
    lock = _lock(folder)
    shared = lock is not None
    if lock is None:
        # Somebody else trains the very same: go on alone.
        folder = parent / f"{folder.name}-{os.getpid()}"
        lock = _lock(folder)
    done = False
    try:
        yield folder
        done = True
    finally:
        if done or not shared:
            shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        _remove_empty(folder)


def _chosen(choice: Path) -> Path:
    """The folder that the main process has chosen; whoever started both ends this one when that one has failed."""
    while not choice.is_file():
        time.sleep(0.1)
    return Path(choice.read_text(encoding="utf-8"))


def checkpoints_parent() -> Path:
    """Where all checkpoints lie."""
    named = os.environ.get(paths.CHECKPOINTS_VARIABLE)
    return Path(named) if named else paths.CHECKPOINTS


def sweep_checkpoints(parent: Path) -> None:
    """Remove what interrupted trainings left and nobody has touched for a week; other things in the folder stay."""
    for folder in list(parent.iterdir()) if parent.is_dir() else []:
        if not _KEY.fullmatch(folder.name) or time.time() - _touched(folder) < _MAX_AGE_S:
            continue
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Descriptor of the folder's lock, held until it is closed, also by a kill; None when another process holds it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return None
            if _is_there(folder / _LOCK, descriptor):
                return descriptor
            # Its holder removed the folder between our two calls.
            os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _touched(folder: Path) -> float:
    """Time of the last change in a folder."""
    with contextlib.suppress(OSError):
        return max(entry.stat().st_mtime for entry in (folder, *folder.iterdir()))
    return time.time()


def _remove_empty(folder: Path) -> None:
    """Remove the parent, and on a network disk the folder whose lock was open, when nothing is left in them."""
    for directory in (folder, folder.parent):
        with contextlib.suppress(OSError):
            directory.rmdir()
