"""What is watched while a model trains: every detector by its properties, and what a stage makes of them."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract import paths
from pipeline.contract.handing_on import empty_samples
from pipeline.contract.loading import check_params
from pipeline.contract.problems import StageError
from pipeline.contract.series import Event, decode_events, decode_points
from pipeline.stages import train
from pipeline.training.detectors import EarlyStopping, Limit, Overfitting, RewardCollapse, Spike
from pipeline.training.job import Job
from pipeline.training.resumable import Resumable
from pipeline.training.trainer import CompletionTrainer
from pipeline.training.watch import Watch
from tests.unit import tiny_training

LOSSES = st.floats(0.001, 100, allow_nan=False)
NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])


def fired(detector: Any, values: list[Any]) -> list[int]:
    """Places of the values at which a detector speaks."""
    calls = [value if isinstance(value, tuple) else (value,) for value in values]
    return [place for place, call in enumerate(calls) if detector.see(*call) is not None]


@given(st.lists(LOSSES, min_size=1, unique=True), st.booleans(), st.integers(1, 5))
def test_a_metric_that_always_gets_better_never_stops(values: list[float], higher: bool, patience: int) -> None:
    assert fired(EarlyStopping("m", higher, patience, 0.0), sorted(values, reverse=not higher)) == []


@given(st.lists(LOSSES | NOT_FINITE, max_size=30), st.integers(1, 5), st.floats(0, 10))
def test_early_stopping_speaks_once_after_so_many_evaluations_without_a_better_value(
    values: list[float], patience: int, min_change: float
) -> None:
    best, worse, expected = math.inf, 0, []
    for place, value in enumerate(values):
        better = math.isfinite(value) and (best == math.inf or best - value > min_change)
        best, worse = (value, 0) if better else (best, worse + 1)
        expected += [place] if worse == patience else []
    assert fired(EarlyStopping("m", False, patience, min_change), values) == expected


def test_a_change_that_is_too_small_counts_for_nothing() -> None:
    assert fired(EarlyStopping("m", True, 2, 0.1), [0.5, 0.55, 0.59, 0.59]) == [2]
    assert fired(EarlyStopping("m", True, 2, 0.0), [0.5, 0.55, 0.59, 0.58]) == []


@given(st.lists(st.tuples(LOSSES, LOSSES), max_size=20), st.integers(1, 4))
def test_losses_that_fall_together_are_no_overfitting(pairs: list[tuple[float, float]], patience: int) -> None:
    train_losses, validation = (
        sorted(column, reverse=True) for column in ([p[0] for p in pairs], [p[1] for p in pairs])
    )
    assert fired(Overfitting(patience), list(zip(train_losses, validation, strict=True))) == []


@given(st.integers(1, 6), st.floats(0.02, 1), st.integers(7, 12))
def test_losses_that_part_ways_are_overfitting_after_the_patience(patience: int, rise: float, count: int) -> None:
    pairs = [(1.0 - 0.05 * place, 1.0 + rise * place) for place in range(count)]
    assert fired(Overfitting(patience), pairs) == [patience]


@given(st.lists(st.tuples(LOSSES | NOT_FINITE, LOSSES | NOT_FINITE), max_size=20))
def test_both_losses_rising_is_no_overfitting(pairs: list[tuple[float, float]]) -> None:
    rising = [(1.0 + place, 1.0 + place) for place in range(len(pairs))]
    assert fired(Overfitting(1), rising) == []
    fired(Overfitting(1), pairs)  # nothing raises


@given(st.floats(0.01, 10), st.lists(st.floats(-1, 1), min_size=10, max_size=40), st.floats(1.5, 20))
def test_a_spike_is_seen_once_and_noise_is_not(level: float, noise: list[float], factor: float) -> None:
    calm = [level * (1 + 0.001 * value) for value in noise]
    detector = Spike(factor)
    quiet = fired(detector, [level] * 10 + [level * (1 + 0.001 * (factor - 1) / 20)] * 3)
    assert quiet == []
    loud = Spike(factor)
    assert fired(loud, [*calm, level * (3 + factor)])[-1:] == [len(calm)]
    assert fired(loud, [level * (3 + factor)]) == []


def test_a_falling_loss_has_no_spike() -> None:
    assert fired(Spike(8.0), [4 * 0.9**place for place in range(60)]) == []
    assert fired(Spike(8.0), [math.nan, math.inf] * 20) == []


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=30))
def test_rewards_have_collapsed_when_no_group_has_any_spread_for_a_while(values: list[float]) -> None:
    expected = [
        place
        for place in range(2, len(values))
        if values[place - 2 : place + 1] == [1.0] * 3 and (place == 2 or values[place - 3] != 1.0)
    ]
    assert fired(RewardCollapse(), values) == expected


@given(st.lists(st.floats(0, 2) | NOT_FINITE, max_size=20))
def test_a_limit_is_passed_once_each_time(values: list[float]) -> None:
    above = [value > 1.0 for value in values]
    expected = [place for place, now in enumerate(above) if now and not (place and above[place - 1])]
    assert fired(Limit("kl", 1.0), values) == expected


@settings(max_examples=50)
@given(st.lists(st.tuples(LOSSES, LOSSES), min_size=2, max_size=40), st.data())
def test_a_detector_goes_on_from_its_fields(pairs: list[tuple[float, float]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(pairs)))
    makes: list[Any] = [
        lambda: EarlyStopping("m", False, 2, 0.0), lambda: Overfitting(1), lambda: Spike(2.0), RewardCollapse,
        lambda: Limit("m", 1.0),
    ]  # fmt: skip
    for make in makes:
        values = pairs if isinstance(make(), Overfitting) else [pair[0] for pair in pairs]
        whole, first = fired(make(), values), make()
        before = fired(first, values[:cut])
        after = fired(type(first)(**json.loads(json.dumps(asdict(first)))), values[cut:])
        assert before + [cut + place for place in after] == whole


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def series() -> bytes:
    return Path("data/metrics/train/series.jsonl").read_bytes()


def events() -> list[Event]:
    return list(decode_events(series()))


def metrics() -> dict[str, Any]:
    return dict(json.loads(Path("data/metrics/train/metrics.json").read_text()))


# Full fine-tuning at this rate gets worse at once.
DIVERGING: dict[str, Any] = {
    "peft": "none", "max_steps": 8, "learning_rate": 1.0, "lr_schedule": "constant", "eval_fraction": 0.125,
    "max_grad_norm": 100.0,
}  # fmt: skip


def run(watch: dict[str, Any], **train_params: Any) -> None:
    train.run(tiny_training.write_project(**train_params, watch={"num_samples": 0} | watch))


@pytest.mark.usefixtures("project")
def test_early_stopping_ends_the_training_and_keeps_the_best_step() -> None:
    run({"early_stopping_metric": "validation/loss", "early_stopping_patience": 2}, **DIVERGING)
    losses = [point["validation/loss"] for point in decode_points(series()) if "validation/loss" in point]
    result = metrics()
    best = losses.index(min(losses, key=lambda value: value or 0)) + 1
    assert (result["train/stopped_early"], result["train/best_step"]) == (1, best)
    assert result["train/num_steps"] == len(losses) == best + 2 < 8
    assert [(event.step, event.event, event.action) for event in events()] == [(best + 2, "early_stopping", "stop")]
    assert str(best) not in ("0", "8")
    assert json.loads(Path("data/metrics/train/run.json").read_text())["status"] == "done"
    assert read_table_events() == ["early_stopping"]


def read_table_events() -> list[str]:
    rows = Path("data/metrics/train/series.csv").read_text().splitlines()
    column = rows[0].split(",").index("event")
    return [row.split(",")[column] for row in rows[1:] if row.split(",")[column]]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("metric", "message"),
    [("validation/losss", r"does not log; it logs .*validation/loss"), ("train/learning_rate", "neither higher nor")],
)
def test_a_metric_that_can_stop_nothing_is_refused(metric: str, message: str) -> None:
    with pytest.raises(StageError, match=message):
        run({"early_stopping_metric": metric, "early_stopping_patience": 1})


@pytest.mark.usefixtures("project")
def test_a_spike_ends_the_training_where_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    ever: Any = CompletionTrainer.log

    def log(self: Any, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs["loss"] = 50.0 if self.state.global_step == 14 else 1.0 + 0.01 * (self.state.global_step % 3)
        ever(self, logs, start_time)

    monkeypatch.setattr(CompletionTrainer, "log", log)
    run({"spike": "stop"}, max_steps=20, eval_fraction=1.0)
    assert [(event.step, event.event, event.action) for event in events()] == [(14, "spike", "stop")]
    result = metrics()
    assert (result["train/num_steps"], result["train/best_step"], result["train/stopped_early"]) == (14, 14, 1)
    assert "50.0000" in events()[0].message


def broken_gradients(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Make the gradients of some steps infinite."""
    ever: Any = Resumable._clip_grad_norm

    def clip(self: Any, model: Any) -> Any:
        if self.state.global_step + 1 in steps:
            next(p for p in model.parameters() if p.grad is not None).grad.fill_(math.inf)
        return ever(self, model)

    monkeypatch.setattr(Resumable, "_clip_grad_norm", clip)


@pytest.mark.usefixtures("project")
def test_an_update_that_is_not_finite_is_left_out_when_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_gradients(monkeypatch, 3, 4, 6)
    run({"not_finite": "warn"}, max_steps=8, eval_fraction=0.5)
    assert [(event.step, event.event, event.action) for event in events()] == [
        (3, "not_finite", "warn"),
        (6, "not_finite", "warn"),
    ]
    points = {point["step"]: point for point in decode_points(series()) if "train/grad_norm" in point}
    assert [step for step, point in points.items() if point["train/grad_norm"] is None] == [3, 4, 6]
    assert all(point["train/loss"] is not None for point in points.values())
    assert (metrics()["train/num_events"], metrics()["train/stopped_early"]) == (2, 0)


@pytest.mark.usefixtures("project")
def test_an_update_that_is_not_finite_fails_the_stage_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_gradients(monkeypatch, 3)
    with pytest.raises(StageError, match=r"train/grad_norm is .* at step 3; lower train\.learning_rate"):
        run({}, max_steps=8)
    assert [(event.step, event.event, event.action) for event in events()] == [(3, "not_finite", "stop")]


def answers() -> list[dict[str, Any]]:
    return [json.loads(line) for line in paths.samples_file("train").read_text().splitlines()]


@pytest.mark.usefixtures("project")
def test_the_first_prompts_are_answered_before_and_after_without_a_trace() -> None:
    lora = {"r": 4, "alpha": 8.0, "dropout": 0.2}
    shape: dict[str, Any] = {"max_steps": 6, "eval_fraction": 0.17, "lora": lora}
    run({"num_samples": 0}, **shape)
    silent = [point | {"time_s": 0, "train/tokens_per_second": 0} for point in decode_points(series())]
    weights, result = Path("data/models/train/adapter/adapter_model.safetensors").read_bytes(), metrics()
    assert answers() == []
    run({"num_samples": 2, "sample_interval": 4, "sample_max_new_tokens": 3}, **shape)
    assert [point | {"time_s": 0, "train/tokens_per_second": 0} for point in decode_points(series())] == silent
    assert Path("data/models/train/adapter/adapter_model.safetensors").read_bytes() == weights
    assert metrics() == result
    rows = answers()
    assert [row["step"] for row in rows] == [0, 0, 4, 4, 6, 6]
    assert len({(row["prompt"], row["reference"]) for row in rows}) == 2
    assert all(set(row) == {"step", "prompt", "reference", "prediction"} for row in rows)


@pytest.mark.usefixtures("project")
def test_a_stage_that_trains_nothing_leaves_an_empty_file_of_answers() -> None:
    train.run(tiny_training.write_project(objective="none"))
    assert paths.samples_file("train").read_bytes() == b""


@pytest.mark.usefixtures("project")
def test_a_process_beside_the_main_one_leaves_the_answers_of_that_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    paths.samples_file("train").parent.mkdir(parents=True)
    paths.samples_file("train").write_text("of the main process")
    monkeypatch.setenv("FINETUI_SHARED_FOLDER", "shared")
    monkeypatch.setenv("RANK", "1")
    empty_samples("train")
    assert paths.samples_file("train").read_text() == "of the main process"
    monkeypatch.setenv("RANK", "0")
    empty_samples("train")
    assert paths.samples_file("train").read_text() == ""


@pytest.mark.usefixtures("project")
def test_what_is_asked_is_answered_as_evaluate_would() -> None:
    """The answers of the last step are those of the model that was written, when it is the best one."""
    from pipeline.contract.manifest import read_manifest
    from pipeline.models.chat import encode_prompt
    from pipeline.models.generation import decoding_of, generate
    from pipeline.models.loading import load_model
    from pipeline.training.rows import read_rows

    params = tiny_training.write_project(max_steps=4, watch={"num_samples": 3, "sample_max_new_tokens": 6})
    train.run(params)
    assert metrics()["train/best_step"] == 4
    loaded = load_model(read_manifest(paths.model_dir("train")), params.base)
    prompts = [encode_prompt(loaded.tokenizer, row["prompt"]) for row in read_rows(paths.split_file("validation"), 3)]
    with torch.no_grad():
        ids = generate(loaded.model, prompts, decoding_of(loaded, 6))
    expected = [loaded.tokenizer.decode(row, skip_special_tokens=True) for row in ids]
    assert [row["prediction"] for row in answers() if row["step"] == 4] == expected


@pytest.mark.usefixtures("project")
def test_asking_leaves_every_part_of_a_model_in_its_mode() -> None:
    from pipeline.contract.manifest import read_manifest
    from pipeline.models.loading import load_model
    from pipeline.training.samples import Samples

    params = tiny_training.write_project()
    loaded = load_model(read_manifest(paths.model_dir("base")), params.base)
    loaded.model.train()
    loaded.model.get_input_embeddings().eval()
    before = [module.training for module in loaded.model.modules()]
    samples = Samples("train", params.train.watch, loaded.model, loaded.tokenizer, loaded.device)
    samples.ask(0)
    assert [module.training for module in loaded.model.modules()] == before
    assert len(set(before)) == 2
    assert len(answers()) == 4


class Notes:
    """Takes events as a recorder does."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, str]] = []

    def note(self, step: int, event: str, action: str, message: str) -> None:
        assert message
        self.events.append((step, event, action))


def watch_of_align(notes: Notes, **watch: Any) -> Watch:
    params = check_params({"align": {"watch": watch}}).align
    recorder: Any = notes
    return Watch(Job("align", "grpo", recorder, Path("unused")), params)


@pytest.mark.parametrize("action", ["off", "warn", "stop"])
def test_an_alignment_that_goes_astray_is_seen(action: str) -> None:
    notes = Notes()
    watch = watch_of_align(notes, kl=action, max_kl=0.5, reward_collapse=action)
    for step, (kl, zero_spread) in enumerate([(0.1, 1.0), (0.2, 1.0), (0.6, 1.0), (0.7, 0.0), (0.4, 0.0), (0.9, 0.0)]):
        watch.point(step, {"align/kl": 9.0, "align/zero_spread": zero_spread, "align/loss": -0.1})
        watch.evaluation(step, {"align_validation/kl": kl}, {})
    seen = [(2, "reward_collapse", action), (2, "kl", action), (5, "kl", action)]
    assert notes.events == ([] if action == "off" else seen)
    assert (watch.num_events, watch.stopped) == (len(notes.events), action == "stop")


def test_what_was_watched_goes_on_from_its_state() -> None:
    points = [{"align/kl": 2.0 * (step % 3), "align/loss": 1.0 + 90.0 * (step == 13)} for step in range(20)]
    whole = Notes()
    watch = watch_of_align(whole, early_stopping_metric="align/kl", early_stopping_patience=2)
    for step, point in enumerate(points):
        watch.point(step, point)
        watch.evaluation(step, {"align_validation/kl": point["align/kl"]}, point)
    parted = Notes()
    state: Any = None
    for step, point in enumerate(points):
        watch = watch_of_align(parted, early_stopping_metric="align/kl", early_stopping_patience=2)
        if state is not None:
            watch.restore(json.loads(json.dumps(state)))
        watch.point(step, point)
        watch.evaluation(step, {"align_validation/kl": point["align/kl"]}, point)
        state = watch.state()
    assert parted.events == whole.events
    assert {event for _, event, _ in whole.events} == {"kl", "spike", "early_stopping"}
