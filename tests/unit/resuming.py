"""Kills a stage at a chosen moment, starts it again, and compares what it leaves with an undisturbed run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract import paths
from pipeline.contract.series import decode_events, decode_points
from pipeline.training import checkpoint_key, saving
from pipeline.training.keeper import Keeper
from pipeline.training.resumable import Resumable

Stage = Callable[[], None]
Kill = Callable[[pytest.MonkeyPatch], None]
_MACHINE_DECIDES = ("time_s", "tokens_per_second")


class Killed(BaseException):
    """What nothing in a stage may catch: the end of the process."""


def left_behind(stage: str) -> dict[str, Any]:
    """All that a stage has written but for times: metrics, points, events, answers, and the bytes of the model."""
    folder = paths.metrics_dir(stage)
    series = (folder / paths.SERIES_NAME).read_bytes()
    events = [(event.step, event.event, event.action, event.message) for event in decode_events(series)]
    return {
        "metrics": json.loads((folder / paths.METRICS_NAME).read_bytes()),
        "points": [
            {name: value for name, value in point.items() if not name.endswith(_MACHINE_DECIDES)}
            for point in decode_points(series)
        ],
        "events": [event for event in events if event[1] != "resumed"],
        "files": _files(paths.model_dir(stage)) | _files(paths.SAMPLES_DIR / stage),
    }


def resumed_at(stage: str) -> list[int]:
    """Steps from which the stage went on."""
    series = (paths.metrics_dir(stage) / paths.SERIES_NAME).read_bytes()
    return [event.step for event in decode_events(series) if event.event == "resumed"]


def assert_resumes(stage: str, run: Stage, *kills: Kill) -> list[list[int]]:
    """Run a stage undisturbed, and killed in each way; all must leave the same. The steps from which each went on."""
    run()
    undisturbed = left_behind(stage)
    assert undisturbed["points"]
    assert resumed_at(stage) == []
    return [_resumed(stage, run, kill, undisturbed) for kill in kills]


def _resumed(stage: str, run: Stage, kill: Kill, undisturbed: dict[str, Any]) -> list[int]:
    with pytest.MonkeyPatch.context() as unedited:
        # Whoever saves a source file while the test runs does not break it.
        unedited.setattr(checkpoint_key, "_code", dict)
        with pytest.MonkeyPatch.context() as patch:
            kill(patch)
            with pytest.raises(Killed):
                run()
        run()
    assert left_behind(stage) == undisturbed
    assert not paths.CHECKPOINTS.exists()
    return resumed_at(stage)


def _killed() -> None:
    raise Killed


def during_step(step: int, happens: Callable[[], None] = _killed) -> Kill:
    """Kill, or let something else happen, after the gradients of a step and before its update."""

    def kill(patch: pytest.MonkeyPatch) -> None:
        def clip(self: Any, model: Any) -> Any:
            if self.state.global_step + 1 == step:
                happens()
            return clip_as_ever(self, model)

        clip_as_ever: Any = Resumable._clip_grad_norm
        patch.setattr(Resumable, "_clip_grad_norm", clip)

    return kill


def while_saving(step: int) -> Kill:
    """Kill in the middle of writing the checkpoint of a step: its files are torn, its marker is missing."""

    def kill(patch: pytest.MonkeyPatch) -> None:
        def write(self: Any, folder: Path) -> None:
            write_as_ever(self, folder)
            if self._trainer.state.global_step == step:
                file = folder / "training.safetensors"
                file.write_bytes(file.read_bytes()[:-50])
                raise Killed

        write_as_ever: Any = Keeper._write_state
        patch.setattr(Keeper, "_write_state", write)

    return kill


def before_writing(module: Any = saving, name: str = "write_model") -> Kill:
    """Kill when everything is trained and the model is about to be written."""

    def kill(patch: pytest.MonkeyPatch) -> None:
        def write(*_: Any) -> None:
            raise Killed

        patch.setattr(module, name, write)

    return kill


def _files(folder: Path) -> dict[str, bytes]:
    return {file.as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
