"""Distillation on tiny models: which rows a student sees, what its loss is made of, what it moves towards."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from pipeline.contract import paths
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Params
from pipeline.contract.problems import StageError
from pipeline.contract.series import decode_points
from pipeline.models.loading import load_model, load_tokenizer
from pipeline.stages import base, teacher, train
from pipeline.training.lessons import choose_lessons
from pipeline.training.on_policy_trainer import OnPolicyTrainer
from pipeline.training.rows import IGNORED, encode_split
from pipeline.training.teacher_table import read_teacher
from pipeline.training.tempering import INVERSE_TEMPERATURES, tail_logs, tempered
from tests.unit import tiny_teacher, tiny_training
from tests.unit.resuming import assert_resumes, during_step

MACHINE_DECIDES = {"time_s", "train/tokens_per_second"}
AS_IT_IS = {"objective": "none", "max_new_tokens": 1}
LABELLED = {f"train-{number:04}" for number in range(tiny_teacher.NUM_LABELLED)}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after the teacher stage; copied for every test."""
    return tiny_teacher.make_project(tmp_path_factory.mktemp("taught"))


@pytest.fixture(autouse=True)
def project(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_teacher.copy_project(taught)


def distil(level: str = "logit", *, section: dict[str, Any] | None = None, **distill: Any) -> Params:
    """Run the train stage."""
    params = tiny_teacher.params({"distill": {"level": level} | distill} | (section or {}))
    train.run(params)
    return params


def metrics() -> dict[str, Any]:
    return dict(json.loads(Path("data/metrics/train/metrics.json").read_text()))


def series() -> list[dict[str, Any]]:
    points = decode_points(Path("data/metrics/train/series.jsonl").read_bytes())
    return [{name: value for name, value in point.items() if name not in MACHINE_DECIDES} for point in points]


def curve(name: str) -> list[float]:
    return [value for point in series() if (value := point.get(name)) is not None]


def written() -> dict[str, bytes]:
    folder = paths.model_dir("train")
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def model_logits(stage: str, ids: torch.Tensor) -> torch.Tensor:
    """Logits of a stage's model on rows that are padded on the right."""
    loaded = load_model(read_manifest(paths.model_dir(stage)), tiny_teacher.params().base)
    with torch.no_grad():
        logits: torch.Tensor = loaded.model(ids).logits
    return logits[:, -ids.shape[1] :]


def stage_logits(stage: str, split: str = "validation") -> torch.Tensor:
    """Logits of a stage's model before every token of the completions of a split, one row at a time."""
    tokenizer = load_tokenizer(paths.model_dir("base"))
    rows = encode_split(paths.split_file(split), tokenizer, 512)
    parts = [
        model_logits(stage, torch.tensor([ids]))[0, :-1][torch.tensor(labels[1:]) != IGNORED]
        for ids, labels in zip(rows.input_ids, rows.labels, strict=True)
    ]
    return torch.cat(parts)


def kl(theirs: torch.Tensor, own: torch.Tensor) -> float:
    """KL from the first to the second, in nats per token."""
    first, second = torch.log_softmax(theirs, -1), torch.log_softmax(own, -1)
    return float((first.exp() * (first - second)).sum(-1).mean())


def distance(stage: str) -> float:
    """KL from the teacher to a stage's model on the validation split."""
    return kl(stage_logits("teacher"), stage_logits(stage))


@pytest.mark.parametrize("answers_only", [False, True])
@pytest.mark.parametrize("prompts", ["all", "labelled"])
def test_labelled_rows_come_first_and_the_others_are_answered_by_the_teacher(prompts: Any, answers_only: bool) -> None:
    table = read_teacher(with_scores=False)
    lessons = choose_lessons(table, prompts, tiny_teacher.NUM_LABELLED, answers_only=answers_only)
    assert len(lessons.rows) == len(lessons.places)
    names = [table.ids[place] for place in lessons.places]
    assert len(set(names)) == len(names) == (tiny_teacher.NUM_ROWS if prompts == "all" else len(LABELLED))
    for row, place in zip(lessons.rows, lessons.places, strict=True):
        wants_label = table.ids[place] in LABELLED and not answers_only
        assert table.origins[place] in ("both", "label" if wants_label else "answer")
        assert row["completion"] == table.texts[place]
    assert set(names) >= LABELLED
    assert "answer" in {table.origins[place] for place in lessons.places} or not (answers_only or prompts == "all")


def test_with_hard_labels_alone_the_student_learns_as_it_does_without_a_teacher() -> None:
    distil(prompts="labelled", hard_label_weight=1.0)
    with_teacher, losses = metrics(), curve("train/loss")
    train.run(tiny_teacher.params({"objective": "sft"}))
    assert losses == pytest.approx(curve("train/loss"), rel=1e-4)
    assert with_teacher["validation/loss"] == pytest.approx(metrics()["validation/loss"], rel=1e-4)
    assert with_teacher["train/num_tokens"] == metrics()["train/num_tokens"]


@pytest.mark.parametrize("divergence", ["forward_kl", "reverse_kl", "jsd"])
def test_without_hard_labels_the_student_moves_towards_the_teacher(divergence: str) -> None:
    distil(hard_label_weight=0.0, divergence=divergence, section={"max_steps": 20})
    assert distance("train") < 0.8 * distance("base")
    values = curve("train/divergence")
    assert values[-1] < 0.8 * values[0]
    assert values == pytest.approx(curve("train/loss"), rel=1e-3)
    assert metrics()["train/agreement"] > curve("train/agreement")[0]


def test_the_loss_is_the_weighted_sum_of_both_parts() -> None:
    first = {}
    for weight in (0.0, 0.3, 1.0):
        distil(hard_label_weight=weight, temperature=2.0, section={"max_steps": 1, "eval_fraction": 1.0})
        first[weight] = metrics()
    divergence = 4 * first[0.0]["train/divergence"]
    assert first[0.0]["train/loss"] == pytest.approx(divergence, rel=1e-4)
    assert first[0.3]["train/loss"] == pytest.approx(0.3 * first[1.0]["train/loss"] + 0.7 * divergence, rel=1e-4)


def test_accumulated_batches_equal_one_large_batch() -> None:
    distil()
    whole = metrics()["validation/loss"], curve("train/loss")
    distil(section={"batch_size": 2, "gradient_accumulation_steps": 2})
    assert metrics()["validation/loss"] == pytest.approx(whole[0], rel=1e-3)
    assert curve("train/loss") == pytest.approx(whole[1], rel=1e-3)


def test_validation_loss_is_plain_cross_entropy() -> None:
    distil(hard_label_weight=0.0)
    split = encode_split(paths.split_file("validation"), load_tokenizer(paths.model_dir("base")), 512)
    targets = torch.tensor([label for labels in split.labels for label in labels if label != IGNORED])
    loss = torch.nn.functional.cross_entropy(stage_logits("train"), targets).item()
    assert metrics()["validation/loss"] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("peft", ["lora", "ia3", "prompt_tuning", "prefix_tuning", "p_tuning"])
def test_every_method_learns_from_probabilities(peft: str) -> None:
    params = distil(section={"peft": peft, "learning_rate": 0.05, "max_steps": 12}, hard_label_weight=0.0)
    manifest = read_manifest(paths.model_dir("train"))
    assert (manifest.method, manifest.lineage[-1].objective) == (peft, "distill")
    assert curve("train/divergence")[-1] < curve("train/divergence")[0]
    load_model(manifest, params.base)


@pytest.mark.parametrize("peft", ["none", "lora"])
def test_a_student_learns_what_the_teacher_thinks_of_its_own_answers(peft: str) -> None:
    distil(
        "on_policy",
        section={"max_steps": 12, "peft": peft, "learning_rate": 0.02},
        hard_label_weight=0.0,
        max_new_tokens=5,
    )
    assert distance("train") < distance("base")
    assert curve("train/divergence")[-1] < 0.8 * curve("train/divergence")[0]
    assert 1 <= metrics()["train/completion_tokens"] <= 5
    assert metrics()["train/loss"] == pytest.approx(metrics()["train/divergence"], rel=1e-3)


def test_labels_weigh_in_beside_the_students_own_answers() -> None:
    section = {"max_steps": 2, "eval_fraction": 1.0}
    distil("on_policy", section=section, hard_label_weight=1.0, prompts="labelled", max_new_tokens=2)
    losses = curve("train/loss")
    train.run(tiny_teacher.params(section | {"objective": "sft"}))
    assert losses == pytest.approx(curve("train/loss"), rel=1e-4)


@pytest.mark.parametrize("level", ["logit", "on_policy"])
def test_an_interrupted_distillation_goes_on_bit_for_bit(level: str) -> None:
    section = {"peft": "lora", "eval_fraction": 0.25, "lora": {"r": 4, "alpha": 8.0, "dropout": 0.1}}
    params = tiny_teacher.params(section | {"distill": {"level": level, "max_new_tokens": 4}})
    (steps,) = assert_resumes("train", lambda: train.run(params), during_step(7))
    assert steps == [6]


def test_merging_needs_no_training() -> None:
    params = tiny_teacher.params({"objective": "sft", "peft": "lora", "max_steps": 2})
    train.run(params)
    for name in ("first", "second"):
        shutil.copytree("data/models/train/adapter", name)
    adapters = [{"path": "first", "weight": 0.5}, {"path": "second", "weight": 0.5}]
    train.run(tiny_teacher.params({"objective": "merge", "peft": "lora", "merge": {"adapters": adapters}}))
    manifest = read_manifest(paths.model_dir("train"))
    assert manifest.lineage[-1].objective == "merge"
    assert metrics() == {"train/num_steps": 0}
    load_model(manifest, params.base)


@pytest.mark.parametrize("level", ["sequence", "logit", "on_policy"])
def test_equal_seeds_give_equal_bytes(level: str) -> None:
    distil(level)
    first, points = written(), series()
    distil(level)
    assert (written(), series()) == (first, points)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_other_architectures_learn_as_well(architecture: tiny_training.Architecture) -> None:
    shutil.rmtree("data")
    tiny_teacher.write_project(architecture, train={"max_steps": 4, "watch": {"num_samples": 0}}, max_new_tokens=3)
    distil(prompts="labelled", hard_label_weight=0.0)
    assert distance("train") < distance("base")


def test_a_teacher_of_another_vocabulary_can_only_be_learned_from_its_answers() -> None:
    tokenizer = AutoTokenizer.from_pretrained("teacher_source")
    tokenizer.add_tokens(["listing"])
    tokenizer.save_pretrained("teacher_source")
    tiny_teacher.shake(Path("teacher_source"), num_padded=1)
    teacher.run(tiny_teacher.params())
    with pytest.raises(StageError, match="another vocabulary than the base model; set it to sequence"):
        distil("logit")
    distil("sequence")
    assert len(curve("train/loss")) == 8


@pytest.mark.parametrize("padded", [None, "source", "teacher_source"])
def test_the_divergence_is_the_one_between_both_models_on_the_tokens_they_share(padded: str | None) -> None:
    """Of the first step, when the student is still the base, and with every token of the vocabulary kept."""
    if padded is not None:
        tiny_teacher.shake(Path(padded), num_padded=7)
        base.run(tiny_teacher.params())
    teacher.run(tiny_teacher.params(teacher=AS_IT_IS | {"top_k": 1024}))
    facts = read_teacher(with_scores=True).facts
    assert facts.top_k == facts.num_tokens == len(AutoTokenizer.from_pretrained("source"))
    everything = {"max_steps": 1, "batch_size": tiny_teacher.NUM_ROWS, "max_rows": None, "eval_fraction": 1.0}
    distil(section=everything, hard_label_weight=0.0)
    theirs, own = (stage_logits(stage, "train")[:, : facts.num_tokens] for stage in ("teacher", "base"))
    assert metrics()["train/divergence"] == pytest.approx(kl(theirs, own), rel=1e-4)
    assert metrics()["train/agreement"] == pytest.approx(float((theirs.argmax(-1) == own.argmax(-1)).float().mean()))


def test_on_policy_the_divergence_is_the_one_on_the_students_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, on answers that the student drew."""
    teacher.run(tiny_teacher.params(teacher=AS_IT_IS | {"top_k": 1024}))
    seen = []
    answered = OnPolicyTrainer._answered

    def remember(self: Any, inputs: Any) -> Any:
        seen.append(answered(self, inputs))
        return seen[-1]

    monkeypatch.setattr(OnPolicyTrainer, "_answered", remember)
    distil("on_policy", section={"max_steps": 1, "eval_fraction": 1.0}, hard_label_weight=0.0, max_new_tokens=5)
    (batch,) = seen
    is_answer = batch["labels"][:, 1:] != IGNORED
    theirs, own = (model_logits(stage, batch["input_ids"])[:, :-1][is_answer] for stage in ("teacher", "base"))
    assert metrics()["train/divergence"] == pytest.approx(kl(theirs, own), rel=1e-4)
    assert metrics()["train/completion_tokens"] == pytest.approx(float(is_answer.sum()) / len(is_answer))


def test_rows_are_cut_together_with_what_is_kept_of_them() -> None:
    tokenizer = load_tokenizer(paths.model_dir("base"))
    lengths = [len(ids) for ids in encode_split(paths.split_file("train"), tokenizer, 512).input_ids]
    distil(section={"max_length": sorted(lengths)[len(lengths) // 2]})
    assert len(curve("train/loss")) == 8


def test_a_template_that_writes_answers_in_other_tokens_is_refused() -> None:
    template = Path("data/models/base/chat_template.jinja")
    template.write_text(template.read_text().replace("message['content'] + eos", "'so: ' + message['content'] + eos"))
    with pytest.raises(StageError, match=r"set base\.chat_template to the teacher's"):
        distil("logit")


def test_nothing_to_learn_from_the_teacher_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StageError, match="every prompt has its label"):
        distil("sequence", section={"max_rows": tiny_teacher.NUM_ROWS})
    teacher.run(tiny_teacher.params(teacher=AS_IT_IS))
    distil("sequence", section={"max_steps": 1})
    assert f"{tiny_teacher.NUM_ROWS - tiny_teacher.NUM_LABELLED} prompts left out" in capsys.readouterr().out
    with pytest.raises(StageError, match=r"raise teacher\.max_new_tokens"):
        distil("sequence", prompts="labelled")


def test_kept_probabilities_are_tempered_as_the_whole_would_be() -> None:
    torch.manual_seed(0)
    logits = torch.randn(50, 300) * 4
    logprobs, ids = torch.log_softmax(logits, -1).topk(8)
    tails = tail_logs(logits, ids)
    for temperature in (1.0, *(1 / inverse for inverse in INVERSE_TEMPERATURES), 1.4, 3.0, 12.0, 0.7):
        whole = torch.log_softmax(logits / temperature, -1).gather(-1, ids)
        kept = tempered(logprobs, tails, 300, temperature)
        exact = 1 / temperature in INVERSE_TEMPERATURES
        torch.testing.assert_close(kept, whole, atol=1e-4 if exact else 0.01 if temperature > 1 else 0.05, rtol=0)
    whole_vocabulary, order = torch.log_softmax(logits, -1).topk(300)
    kept = tempered(whole_vocabulary, tail_logs(logits, order), 300, 3.0)
    torch.testing.assert_close(kept, torch.log_softmax(logits / 3, -1).gather(-1, order))
