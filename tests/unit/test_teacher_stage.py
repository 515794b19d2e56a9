"""The teacher stage on tiny models: what it keeps for the students, what it costs to run again, what it refuses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from peft import PeftModel

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.series import decode_points
from pipeline.models.chat import encode_example, encode_prompt, stop_token_id
from pipeline.models.generation import decoding_of, generate
from pipeline.models.loading import load_model
from pipeline.models.origin import materialise
from pipeline.stages import teacher, train
from pipeline.training import checkpoint_key, teacher_answers
from pipeline.training import teacher as making
from pipeline.training.rows import read_rows
from pipeline.training.teacher_table import read_teacher
from pipeline.training.tempering import INVERSE_TEMPERATURES
from tests.unit import tiny_teacher, tiny_training
from tests.unit.resuming import assert_resumes, before_writing, during_step

STARTER = {
    "hidden_size": 16, "num_layers": 1, "num_heads": 2, "num_kv_heads": 1,
    "vocab_size": 300, "num_documents": 100, "num_steps": 20, "batch_size": 4,
}  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after the teacher stage; copied for every test."""
    return tiny_teacher.make_project(tmp_path_factory.mktemp("taught"))


def metrics(stage: str = "teacher") -> dict[str, Any]:
    return dict(json.loads(Path(f"data/metrics/{stage}/metrics.json").read_text()))


def points() -> list[dict[str, Any]]:
    return [dict(point) for point in decode_points(Path("data/metrics/teacher/series.jsonl").read_bytes())]


def written() -> dict[str, bytes]:
    folders = (paths.model_dir("teacher"), paths.TEACHER_DIR)
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file): file.read_bytes() for file in files}


def test_without_a_teacher_nothing_is_done_and_no_library_is_loaded() -> None:
    code = (
        "import sys; from pipeline.stages import teacher; from pipeline.contract.params import Params; "
        "teacher.run(Params()); sys.exit('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(Path(teacher.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert read_manifest(paths.model_dir("teacher")).method == "none"
    assert metrics() == {"teacher/num_parameters": 0}
    with pytest.raises(StageError, match=r"set teacher\.source"):
        read_teacher(with_scores=False)
    with pytest.raises(StageError, match=r"set teacher\.source"):
        train.run(tiny_teacher.params({"objective": "teacher"}))


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3"])
def test_what_is_kept_equals_what_the_teacher_says_live(
    architecture: tiny_training.Architecture, request: pytest.FixtureRequest
) -> None:
    if architecture == "qwen3":
        tiny_teacher.copy_project(request.getfixturevalue("taught"))
    else:
        tiny_teacher.write_project(architecture)
    params = tiny_teacher.params()
    table = read_teacher(with_scores=True)
    loaded = load_model(read_manifest(paths.model_dir("teacher")), params.base)
    stop = stop_token_id(loaded.tokenizer)
    prompts = {row["id"]: row["prompt"] for row in read_rows(paths.split_file("train"))}
    for place, name in enumerate(table.ids):
        prompt_ids, ids = encode_example(loaded.tokenizer, prompts[name], table.texts[place], stop)
        assert table.token_ids(place) == ids
        with torch.no_grad():
            logits = loaded.model(torch.tensor([prompt_ids + ids])).logits[0, len(prompt_ids) - 1 : -1]
        logprobs = torch.log_softmax(logits, -1)
        top_ids, top_logprobs, tails = (torch.from_numpy(part.copy()) for part in table.scores(place, len(ids)))
        assert top_ids.shape == (len(ids), tiny_teacher.TOP_K)
        torch.testing.assert_close(logprobs.gather(-1, top_ids.long()), top_logprobs, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(top_logprobs, logprobs.topk(tiny_teacher.TOP_K)[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            tails[:, INVERSE_TEMPERATURES.index(1)].exp(), 1 - top_logprobs.exp().sum(-1), atol=1e-4, rtol=0
        )


def test_every_prompt_has_its_label_and_the_answer_that_the_teacher_gives(taught: Path) -> None:
    tiny_teacher.copy_project(taught)
    params = tiny_teacher.params()
    table = read_teacher(with_scores=False)
    loaded = load_model(read_manifest(paths.model_dir("teacher")), params.base)
    kept = {(name, origin): text for name, origin, text in zip(table.ids, table.origins, table.texts, strict=True)}
    num_right = 0
    for row in read_rows(paths.split_file("train")):
        ids = generate(loaded.model, [encode_prompt(loaded.tokenizer, row["prompt"])], decoding_of(loaded, 24))[0]
        answer = loaded.tokenizer.decode(ids, skip_special_tokens=True)
        is_right = answer == row["completion"]
        num_right += is_right
        name = row["id"]
        assert kept.pop((name, "both" if is_right else "label")) == row["completion"]
        assert is_right or kept.pop((name, "answer")) == answer
    assert kept == {}
    assert 0 < num_right < tiny_teacher.NUM_ROWS
    assert metrics()["teacher_answers/exact_match"] == num_right / tiny_teacher.NUM_ROWS


def test_the_series_counts_all_steps_once_and_the_metrics_tell_both_parts(taught: Path) -> None:
    tiny_teacher.copy_project(taught)
    steps = [point["step"] for point in points()]
    record = json.loads(Path("data/metrics/teacher/run.json").read_text())
    num_batches = 3  # 24 prompts, 10 at a time
    assert steps == sorted(steps)
    assert steps[-1] == record["step"] == record["num_steps"] == 40 + num_batches
    assert metrics()["teacher/num_steps"] == 40
    assert {"teacher/loss", "teacher_validation/loss", "teacher_answers/loss"} < set(metrics())
    assert not Path("checkpoints").exists()


def test_equal_seeds_give_equal_bytes(taught: Path) -> None:
    tiny_teacher.copy_project(taught)
    first = written()
    teacher.run(tiny_teacher.params())
    assert written() == first
    assert len(first) > 5


def test_an_adapted_teacher_lies_on_a_base_of_its_own_and_is_passed_on() -> None:
    tiny_teacher.write_start()
    adaptation = {"peft": "lora", "max_steps": 4, "watch": {"num_samples": 0}}
    params = tiny_teacher.params({"objective": "teacher"}, {"train": adaptation})
    teacher.run(params)
    train.run(params)
    manifest = read_manifest(paths.model_dir("train"))
    assert (manifest.stage, manifest.method, manifest.weights) == ("train", "lora", "data/models/teacher/base")
    assert [step.stage for step in manifest.lineage] == ["teacher"]
    shutil.rmtree("teacher_source")
    assert isinstance(load_model(manifest, params.base).model, PeftModel)
    assert paths.samples_file("train").is_file()


def test_a_teacher_is_taken_as_it_is() -> None:
    tiny_teacher.write_start()
    teacher.run(tiny_teacher.params(teacher={"objective": "none", "max_new_tokens": 3}))
    manifest = read_manifest(paths.model_dir("teacher"))
    assert (manifest.stage, manifest.method, manifest.lineage) == ("teacher", "base", ())
    assert "teacher/loss" not in metrics()
    # Random weights do not know how to end an answer, and nobody may learn to stop in the middle.
    assert metrics()["teacher_answers/truncated"] == 1
    assert set(read_teacher(with_scores=False).origins) == {"label"}


def test_a_starter_is_pretrained_before_it_is_adapted() -> None:
    tiny_teacher.write_start()
    teacher.run(starter())
    losses = [point for point in points() if "teacher_pretrain/loss" in point]
    steps = [point["step"] for point in points()]
    assert [point["step"] for point in losses] == [10, 20]
    assert steps == sorted(steps)
    assert steps[-1] == 20 + 4 + 3
    assert metrics()["teacher_pretrain/loss"] == losses[-1]["teacher_pretrain/loss"]


def test_pretraining_is_not_repeated_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_key, "_code", dict)  # whoever saves a source file meanwhile does no harm
    tiny_teacher.write_start()
    params = starter()
    teacher.run(params)
    whole, final, series = written(), metrics(), [point["step"] for point in points()]
    with monkeypatch.context() as patch:
        patch.setattr(making, "fine_tune", interrupted)
        with pytest.raises(KeyboardInterrupt):
            teacher.run(params)
    monkeypatch.setattr(making, "materialise", None)
    teacher.run(params)
    assert (written(), metrics()) == (whole, final)
    assert [point["step"] for point in points()] == series


def test_an_interrupted_adaptation_goes_on_bit_for_bit() -> None:
    tiny_teacher.write_start()
    params = starter(max_steps=8, eval_fraction=0.25)
    (steps,) = assert_resumes("teacher", lambda: teacher.run(params), during_step(7))
    assert steps == [20 + 6]


@pytest.mark.parametrize("peft", ["none", "lora"])
def test_a_kill_while_the_teacher_answers_repeats_no_training(peft: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Mock(wraps=materialise)
    monkeypatch.setattr(making, "materialise", made)
    tiny_teacher.write_start()
    params = starter(peft=peft)
    kill = before_writing(teacher_answers, "write_facts")
    assert assert_resumes("teacher", lambda: teacher.run(params), kill) == [[20 + 4]]
    assert made.call_count == 2  # undisturbed, and before the kill


def test_what_is_wrong_with_a_source_is_told_by_the_teachers_keys() -> None:
    tiny_teacher.write_start()
    with pytest.raises(StageError, match=r"^teacher\.source is './nowhere'"):
        teacher.run(tiny_teacher.params(teacher={"source": "./nowhere"}))


def starter(**train: Any) -> Params:
    adaptation = {"max_steps": 4, "watch": {"num_samples": 0}} | train
    section = {"source": "starter", "starter": STARTER, "batch_size": 10, "max_new_tokens": 4, "train": adaptation}
    return check_params({"base": {"source": "source"}, "teacher": section})


def interrupted(*_: Any) -> Any:
    raise KeyboardInterrupt
