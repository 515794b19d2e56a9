"""A training that is killed and started again ends as one that was never disturbed, never as another."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from pipeline.contract import paths
from pipeline.contract.handing_on import pass_on
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.series import decode_events, decode_points
from pipeline.stages import reward, train
from pipeline.training import reward as reward_training
from pipeline.training.checkpoint_files import CheckpointFiles
from pipeline.training.checkpoint_key import checkpoint_key
from pipeline.training.checkpoints import checkpoint_folder
from pipeline.training.resumable import EpochSampler
from pipeline.training.state_files import read_state, write_state
from tests.unit import tiny_training
from tests.unit.resuming import (
    Kill,
    Killed,
    assert_resumes,
    before_writing,
    during_step,
    left_behind,
    resumed_at,
    while_saving,
)

ROOT = Path(__file__).parents[2]
# With what peft saves of them alone, a network that makes a prompt could not go on.
_SLOW = ("prompt_tuning", "prefix_tuning", "ia3")
METHODS = ["none", "p_tuning", *(pytest.param(method, marks=pytest.mark.slow) for method in _SLOW)]
# Two epochs of six steps, an evaluation after every third step, dropout: everything that draws random numbers.
SHORT: dict[str, Any] = {
    "max_steps": 11, "eval_fraction": 0.3, "log_interval_steps": 2, "batch_size": 2, "gradient_accumulation_steps": 2,
    "lora": {"r": 4, "alpha": 8.0, "dropout": 0.1}, "watch": {"num_samples": 2, "sample_max_new_tokens": 4},
}  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(paths.CHECKPOINTS_VARIABLE, raising=False)


def resumes(params: Params, kill: Kill) -> list[int]:
    (steps,) = assert_resumes("train", lambda: train.run(params), kill)
    return steps


KILLS: dict[str, tuple[Kill, list[int]]] = {
    "before a checkpoint": (during_step(2), []),
    "in a step": (during_step(5), [3]),
    "after an epoch": (during_step(7), [6]),
    "while saving": (while_saving(6), [3]),
    "while saving the end": (while_saving(11), [9]),
    "before writing": (before_writing(), [11]),
}


def test_a_training_goes_on_bit_for_bit_wherever_it_was_killed() -> None:
    params = tiny_training.write_project(peft="lora", **SHORT)
    kills = [kill for kill, _ in KILLS.values()]
    resumed = assert_resumes("train", lambda: train.run(params), *kills)
    assert dict(zip(KILLS, resumed, strict=True)) == {name: steps for name, (_, steps) in KILLS.items()}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_bit_for_bit(method: str) -> None:
    assert resumes(tiny_training.write_project(peft=method, **SHORT), during_step(8)) == [6]


@pytest.mark.slow
def test_packed_rows_go_on_bit_for_bit() -> None:
    params = tiny_training.write_project(**(SHORT | {"max_length": 32, "batch_size": 1, "packing": True}))
    assert resumes(params, during_step(8)) == [6]


@pytest.mark.slow
def test_a_reward_model_goes_on_bit_for_bit() -> None:
    values = tiny_training.write_project().model_dump()
    pass_on(read_manifest(paths.model_dir("base")), "train", paths.model_dir("train"))
    for split in ("train", "validation", "test"):
        tiny_training.write_preferences(split, 20)
    short = {"max_steps": 8, "batch_size": 4, "eval_fraction": 0.25, "log_interval_steps": 3}
    values["reward"] |= {"objective": "bradley_terry"} | short
    params = check_params(values)
    kills = (during_step(6), before_writing(reward_training, "write_reward_model"))
    assert assert_resumes("reward", lambda: reward.run(params), *kills) == [[4], [8]]


def test_what_was_seen_before_the_kill_counts_after_it() -> None:
    """The loss gets worse from the first evaluation on: two are before the kill, the third ends the training."""
    watch = {"early_stopping_metric": "validation/loss", "early_stopping_patience": 3, "overfitting": "off"}
    params = tiny_training.write_project(
        peft="none", max_steps=12, learning_rate=1.0, lr_schedule="constant", eval_fraction=0.167, max_grad_norm=100.0,
        log_interval_steps=1, watch=watch | {"num_samples": 1},
    )  # fmt: skip
    train.run(params)
    (stop,) = left_behind("train")["events"]
    assert stop[1:3] == ("early_stopping", "stop")
    assert resumes(params, during_step(stop[0])) == [stop[0] - 2]


def test_a_training_killed_twice_goes_on_twice() -> None:
    params = tiny_training.write_project(**SHORT)
    train.run(params)
    undisturbed = left_behind("train")
    for kill in (during_step(5), during_step(8), during_step(11)):
        with pytest.MonkeyPatch.context() as patch:
            kill(patch)
            with pytest.raises(Killed):
                train.run(params)
    train.run(params)
    assert left_behind("train") == undisturbed
    assert resumed_at("train") == [3, 6, 9]


def test_only_the_last_checkpoint_and_the_best_weights_are_kept() -> None:
    params = tiny_training.write_project(**SHORT)
    with pytest.MonkeyPatch.context() as patch:
        during_step(8)(patch)
        with pytest.raises(Killed):
            train.run(params)
    (folder,) = paths.CHECKPOINTS.iterdir()
    assert sorted(entry.name for entry in folder.iterdir()) == ["best-6", "checkpoint-6", "lock"]
    assert [file for file in folder.rglob("*") if file.suffix in (".pt", ".pth", ".pkl")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_step_and_loses_nothing(number: signal.Signals) -> None:
    params = tiny_training.write_project(**SHORT)
    train.run(params)
    undisturbed = left_behind("train")
    with pytest.MonkeyPatch.context() as patch:
        during_step(5, lambda: os.kill(os.getpid(), number))(patch)
        with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit):
            train.run(params)
    assert json.loads(Path("data/metrics/train/run.json").read_text())["status"] == "cancelled"
    train.run(params)
    assert left_behind("train") == undisturbed
    assert resumed_at("train") == [5]


def start(project: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages.train"],
        cwd=project,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_bit_for_bit(tmp_path: Path) -> None:
    params = tiny_training.write_project(**(SHORT | {"max_steps": 60, "eval_fraction": 0.1}))
    Path("params.yaml").write_text(yaml.safe_dump(params.model_dump()))
    process = start(tmp_path)
    deadline = time.monotonic() + 200
    series = Path("data/metrics/train/series.jsonl")
    while not series.exists() or len(list(decode_points(series.read_bytes()))) < 20:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process = start(tmp_path)
    assert process.wait() == 0, process.communicate()
    (resumed,) = resumed_at("train")
    assert 6 <= resumed < 60
    killed = left_behind("train")
    train.run(params)
    assert left_behind("train") == killed
    assert resumed_at("train") == []


def test_anything_that_differs_has_a_checkpoint_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    params = tiny_training.write_project()
    inputs = [paths.model_dir("base"), paths.split_file("train"), paths.split_file("validation")]

    def key(changed: Params = params, stage: str = "train") -> str:
        return checkpoint_key(changed, stage, inputs)

    keys = [key(), key(tiny_training.params(Path("source"), seed=1)), key(stage="teacher"), key(stage="align")]
    watched = tiny_training.params(Path("source"), watch={"spike_factor": 9.0})
    keys += [
        key(watched),
        key(params.model_copy(update={"base": params.base.model_copy(update={"dtype": "bfloat16"})})),
    ]
    assert key(params.model_copy(update={"deploy": params.deploy.model_copy(update={"dtype": "float32"})})) == keys[0]
    tiny_training.write_split("validation", 5)
    keys.append(key())
    manifest = paths.model_dir("base") / "model.json"
    manifest.write_text(manifest.read_text().replace('"weights_sha256": "', '"weights_sha256": "0'))
    keys.append(key())
    (paths.model_dir("base") / "chat_template.jinja").write_text("{{ messages }}")
    keys.append(key())
    monkeypatch.setattr("pipeline.training.checkpoint_key.device_name", lambda _: "another device")
    keys.append(key())
    monkeypatch.setattr("pipeline.training.checkpoint_key.metadata.version", lambda _: "0.0")
    keys.append(key())
    code = tmp_path / "code"
    code.mkdir()
    monkeypatch.setattr("pipeline.__path__", [str(code)])
    keys.append(key())
    (code / "module.py").write_text("x = 1")
    keys.append(key())
    assert len(keys) == 13
    assert len(set(keys)) == 13


def test_another_training_does_not_go_on_from_a_checkpoint() -> None:
    params = tiny_training.write_project(**SHORT)
    with pytest.MonkeyPatch.context() as patch:
        during_step(5)(patch)
        with pytest.raises(Killed):
            train.run(params)
    train.run(tiny_training.params(Path("source"), **(SHORT | {"seed": 1})))
    assert resumed_at("train") == []
    train.run(params)
    assert resumed_at("train") == [3]


def test_two_trainings_of_one_kind_do_not_meet() -> None:
    params = tiny_training.write_project()
    with checkpoint_folder(params, "train", []) as first:
        (first / "mine").touch()
        with checkpoint_folder(params, "train", []) as second:
            assert (second != first, list(second.glob("mine"))) == (True, [])
        assert not second.exists()
        assert (first / "mine").exists()
    assert not paths.CHECKPOINTS.exists()


def test_a_failed_training_leaves_its_folder_to_the_next() -> None:
    params = tiny_training.write_project()
    with pytest.raises(Killed), checkpoint_folder(params, "train", []) as folder:
        raise Killed
    with checkpoint_folder(params, "train", []) as again:
        assert again == folder
    assert not folder.exists()


def test_the_environment_says_where_checkpoints_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(paths.CHECKPOINTS_VARIABLE, str(tmp_path / "elsewhere"))
    with checkpoint_folder(tiny_training.write_project(), "train", []) as folder:
        assert folder.parent == tmp_path / "elsewhere"


def test_what_nobody_has_touched_for_a_week_is_swept_away() -> None:
    params = tiny_training.write_project()
    week = time.time() - 8 * 24 * 3600
    old, young, locked, foreign = (paths.CHECKPOINTS / name for name in ("0" * 16, "1" * 16, "2" * 16, "notes"))
    with checkpoint_folder(params, "align", []) as held:
        locked = held.rename(locked)
        for folder in (old, young, foreign):
            folder.mkdir()
            (folder / "file").touch()
        for folder in (old, locked, foreign):
            for entry in (*folder.iterdir(), folder):
                os.utime(entry, (week, week))
        with checkpoint_folder(params, "train", []) as mine:
            there = {entry.name for entry in paths.CHECKPOINTS.iterdir()}
        assert there == {folder.name for folder in (young, locked, foreign, mine)}
        locked.rename(held)


def test_a_checkpoint_whose_best_weights_are_torn_is_not_used(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path / "run")
    for step, best in ((2, 2), (4, 4)):
        for folder in (files.best(step), files.state(step)):
            (files.begin(folder) / "weights").write_bytes(b"12345678")
            files.complete(folder, best_step=best)
    (files.best(4) / "weights").write_bytes(b"1234")
    assert files.last() == 2
    assert sorted(entry.name for entry in (tmp_path / "run").iterdir()) == ["best-2", "checkpoint-2"]


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    value = {
        0: {"step": torch.tensor(3), "half": torch.tensor([1.5, -0.0], dtype=torch.bfloat16), "part": whole[:, 1:3]},
        "betas": (0.9, 0.1 + 0.2), "list": [None, True, "text", -(2**62)], "rest": {"tensor": "no tensor", "tuple": []},
        "inf": float("inf"), "bytes": torch.get_rng_state(),
    }  # fmt: skip
    write_state(tmp_path, "state", value)
    back = read_state(tmp_path, "state")
    assert list(back) == list(value)
    assert all(torch.equal(back[0][name], tensor) for name, tensor in value[0].items())
    assert back[0]["half"].dtype == torch.bfloat16
    assert torch.equal(back["bytes"], value["bytes"])
    assert [back[name] for name in ("betas", "list", "rest", "inf")] == [
        value[name] for name in ("betas", "list", "rest", "inf")
    ]
    with pytest.raises(TypeError, match="cannot hold set"):
        write_state(tmp_path, "state", {"names": {1}})


def test_a_sampler_deals_an_epoch_alike_whatever_came_before() -> None:
    class Dealer:
        def __init__(self) -> None:
            self.generator = torch.Generator().manual_seed(5)

        def __len__(self) -> int:
            return 20

        def __iter__(self) -> Any:
            return iter(torch.randperm(20, generator=self.generator).tolist())

    sampler = EpochSampler(Dealer())
    epochs = []
    for epoch in (0, 1, 2):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    fresh = EpochSampler(Dealer())
    fresh.set_epoch(2)
    assert list(fresh) == epochs[2]
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_event_of_going_on_is_in_the_series_and_counts_for_nothing() -> None:
    params = tiny_training.write_project(**SHORT)
    assert resumes(params, during_step(5)) == [3]
    series = Path("data/metrics/train/series.jsonl").read_bytes()
    (event,) = [event for event in decode_events(series) if event.event == "resumed"]
    assert (event.step, event.action, event.message) == (3, "note", "went on from the checkpoint of step 3")
    assert json.loads(Path("data/metrics/train/metrics.json").read_text())["train/num_events"] == 0
    times = [point["time_s"] or 0 for point in decode_points(series)]
    assert times == sorted(times)
