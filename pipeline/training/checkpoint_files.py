"""Which checkpoints lie in the folder of a training: the last one, and the weights of the best step.

A checkpoint is there once its marker is, which is written last and lists every file with its size. What a kill left
half written has no marker, and is removed before the training goes on.
"""

import json
import re
import shutil
from pathlib import Path

from pipeline.contract.files import write_json

_MARKER = "complete.json"
_NAME = re.compile(r"(checkpoint|best)-(\d+)")


class CheckpointFiles:
    """The checkpoints of one training."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        """Their folder, of this training alone."""

    def state(self, step: int) -> Path:
        """Folder with everything that a training goes on from."""
        return self.directory / f"checkpoint-{step}"

    def best(self, step: int) -> Path:
        """Folder with the weights of a step that was the best one, as the libraries load them."""
        return self.directory / f"best-{step}"

    def begin(self, folder: Path) -> Path:
        """An empty folder in place of what may be left of an earlier attempt."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def complete(self, folder: Path, **facts: int) -> None:
        """Say that everything in a folder is written."""
        write_json(folder / _MARKER, {"facts": facts, "files": _sizes(folder)})

    def last(self) -> int | None:
        """Step of the last complete checkpoint; all but it and the best weights it counts on is removed."""
        for step in sorted((step for kind, step in self._names() if kind == "checkpoint"), reverse=True):
            best = self._best_step(step)
            if best is not None:
                self.keep(self.state(step), self.best(best))
                return step
        self.keep()
        return None

    def keep(self, *folders: Path) -> None:
        """Remove all checkpoints but these."""
        kept = {folder.name for folder in folders}
        for kind, step in self._names():
            if (name := f"{kind}-{step}") not in kept:
                # The marker first: half a removal must not look complete.
                (self.directory / name / _MARKER).unlink(missing_ok=True)
                shutil.rmtree(self.directory / name, ignore_errors=True)

    def _names(self) -> list[tuple[str, int]]:
        names = [entry.name for entry in self.directory.iterdir()] if self.directory.is_dir() else []
        return [(match[1], int(match[2])) for name in names if (match := _NAME.fullmatch(name))]

    def _best_step(self, step: int) -> int | None:
        """Best step that a checkpoint counts on, 0 before the first evaluation; None where it cannot be used."""
        facts = _facts(self.state(step))
        if facts is None or (facts["best_step"] and _facts(self.best(facts["best_step"])) is None):
            return None
        return facts["best_step"]


def _facts(folder: Path) -> dict[str, int] | None:
    """What the marker of a complete folder tells."""
    try:
        marker = json.loads((folder / _MARKER).read_bytes())
        facts: dict[str, int] = marker["facts"]
        return facts if marker["files"] == _sizes(folder) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sizes(folder: Path) -> dict[str, int]:
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != _MARKER]
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in sorted(files)}
