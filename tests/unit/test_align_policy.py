"""Policies that learn from rewards: what they see, where they are measured from, and which way they go."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.contract import paths
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.models.answers import Answers, Reward
from pipeline.models.chat import encode_prompt
from pipeline.models.inputs import last_logits, model_inputs
from pipeline.models.loading import load_model
from pipeline.stages import align
from pipeline.stages import reward as reward_stage
from pipeline.training import policy, rollouts
from pipeline.training.greedy import Judge, Validation, read_prompts
from pipeline.training.job import Job
from pipeline.training.policy_start import PolicyStart, start_policy
from pipeline.training.rows import read_rows
from tests.unit import tiny_alignment, tiny_training

LETTER = """
def letter(prompts, completions, references):
    return [text.count("e") for text in completions]

def constant(prompts, completions, references):
    return [1.0] * len(completions)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make_trainer(
    monkeypatch: pytest.MonkeyPatch, objective: str = "grpo", peft: str = "lora", method: str = "lora", **section: Any
) -> tuple[Any, PolicyStart]:
    """The trainer as the stage makes it, before its first step."""
    made: list[Any] = []
    monkeypatch.setattr(policy, "fit", lambda _job, _plan, build: made.append(build([])))
    params = tiny_alignment.params(method, objective=objective, peft=peft, **section)
    start = start_policy(params.align, read_manifest(paths.model_dir("train")), Base(source="source"))
    recorder: Any = None
    job = Job("align", objective, recorder, Path("checkpoints/x"))
    reward = Reward("length", 1.0, lambda answers: [float(len(text)) for text in answers.texts])
    policy.learn_rewards(job, params.align, start, [reward], lambda _text: True)
    return made[0], start


@pytest.mark.parametrize("objective", ["grpo", "rloo"])
@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_distance_begins_at_nothing(objective: str, beta: float) -> None:
    tiny_alignment.write_start("llama")
    tiny_alignment.run(objective=objective, beta=beta, max_steps=3)
    distances = tiny_alignment.curve("align/kl")
    assert len(distances) == 3
    assert distances[0] == 0.0
    assert min(distances[1:]) > 0


@pytest.mark.parametrize("objective", ["grpo", "rloo"])
def test_what_is_worth_more_becomes_likelier(objective: str) -> None:
    tiny_alignment.write_start("llama")
    Path("letters.py").write_text(LETTER)
    metrics = tiny_alignment.run(
        objective=objective,
        peft="none",
        max_steps=20,
        batch_size=32,
        learning_rate=1e-2,
        eval_fraction=0.5,
        beta=0.01,
        rollout={"max_new_tokens": 4, "num_generations": 8},
        rewards={"functions": [{"function": "letters:letter"}]},
    )
    rewards = tiny_alignment.curve("align/reward")
    assert sum(rewards[-5:]) > 2 * sum(rewards[:5])
    assert metrics["align_validation/reward"] > 1
    assert metrics["align_validation/reward"] == metrics["align_validation/reward_letter"]
    assert tiny_alignment.curve("align/reward") == tiny_alignment.curve("align/reward_letter")


def test_each_reward_is_logged_and_weighed() -> None:
    tiny_alignment.write_start()
    rewards = {
        "chrf": 2.0,
        "length_penalty": 0.5,
        "max_tokens": 1,
        "format": 1.0,
        "format_pattern": "[a-z ]*",
        "functions": [{"function": "own_rewards:variety", "weight": -0.25}],
    }
    metrics = tiny_alignment.run(objective="grpo", rewards=rewards)
    names = ("chrf", "length_penalty", "format", "variety")
    for split in ("align", "align_validation"):
        each = [tiny_alignment.curve(f"{split}/reward_{name}") for name in names]
        sums = [2 * a + 0.5 * b + c - 0.25 * d for a, b, c, d in zip(*each, strict=True)]
        assert tiny_alignment.curve(f"{split}/reward") == pytest.approx(sums, rel=1e-5)
        assert len(sums) == 2
    assert metrics["align/rejected_format"] == 1.0  # nothing ends within four tokens
    assert {f"align/{name}" for name in ("reward_std", "zero_spread", "completion_tokens")} <= metrics.keys()


def test_rewards_that_cannot_teach_are_refused_before_the_first_step() -> None:
    tiny_alignment.write_start()
    Path("letters.py").write_text(LETTER)
    section: dict[str, Any] = {"objective": "grpo", "rewards": {"functions": [{"function": "letters:constant"}]}}
    with pytest.raises(StageError, match=r"2 answers to each of 24 prompts are worth the same.*reward_collapse"):
        tiny_alignment.run(**section, watch={"num_samples": 0, "reward_collapse": "warn"})
    assert not tiny_alignment.curve("align/loss")
    assert tiny_alignment.run(**section)["align/zero_spread"] == 1.0


def test_looking_for_spread_leaves_no_trace() -> None:
    tiny_alignment.write_start()
    without = tiny_alignment.run(objective="grpo")
    assert tiny_alignment.run(objective="grpo", watch={"num_samples": 0, "reward_collapse": "warn"}) == without


def test_a_step_needs_enough_prompts() -> None:
    tiny_alignment.write_start()
    with pytest.raises(StageError, match=r"a step needs 8 prompts .* and there are 6"):
        tiny_alignment.run(objective="grpo", batch_size=16, max_rows=6)


def test_prompts_that_leave_no_room_for_an_answer_are_left_out() -> None:
    tiny_alignment.write_start()
    tokenizer = load_model(read_manifest(paths.model_dir("train")), Base(source="source")).tokenizer
    lengths = [len(encode_prompt(tokenizer, row["prompt"])) for row in read_rows(paths.split_file("train"))]
    middle = sorted(lengths)[len(lengths) // 2]
    assert len(read_prompts("train", tokenizer, middle)) == sum(length <= middle for length in lengths)
    with pytest.raises(StageError, match=r"align\.max_length"):
        read_prompts("train", tokenizer, 1)


@pytest.mark.parametrize("objective", ["grpo", "rloo"])
def test_the_trainer_sees_prompts_and_ends_as_evaluation_does(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_alignment.write_start("llama")
    trainer, start = make_trainer(monkeypatch, objective)
    texts = trainer.train_dataset["prompt"]
    rows = read_rows(paths.split_file("train"))
    expected = [encode_prompt(start.tokenizer, row["prompt"]) for row in rows]
    assert trainer._tokenize_prompts(list(texts))[0] == expected
    assert trainer.eos_token_ids == start.stop_ids
    assert trainer.rollouts.judge.decoding.config().top_k == 0


@pytest.mark.parametrize(
    ("architecture", "peft", "method"),
    [("gpt2", "lora", "lora"), ("llama", "continue", "prompt_tuning"), ("qwen3", "continue", "prefix_tuning")],
)
def test_likelihoods_do_not_depend_on_padding(
    architecture: tiny_training.Architecture, peft: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_alignment.write_start(architecture, method)
    trainer, start = make_trainer(monkeypatch, peft=peft, method=method, rollout={"num_generations": 2})
    prompts, answers = [[5, 6, 7, 8, 9], [10], [11, 12, 13]], [[20, 21], [22, 23, 24, 25], [26]]
    width, num_last = 5, 4
    ids = [[0] * (width - len(p)) + p + a + [0] * (num_last - len(a)) for p, a in zip(prompts, answers, strict=True)]
    mask = [
        [0] * (width - len(p)) + [1] * len(p + a) + [0] * (num_last - len(a))
        for p, a in zip(prompts, answers, strict=True)
    ]
    logps, entropies, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, torch.tensor(ids), torch.tensor(mask), num_last, 2, compute_entropy=True
    )
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        with torch.no_grad():
            inputs = model_inputs(start.reference, [prompt + answer], 0)
            alone = torch.log_softmax(last_logits(start.reference, inputs, len(answer) + 1)[0, :-1], -1)
        torch.testing.assert_close(logps[row, : len(answer)], alone.gather(1, torch.tensor(answer)[:, None])[:, 0])
        torch.testing.assert_close(entropies[row, : len(answer)], -(alone.exp() * alone).sum(-1))
        assert not logps[row, len(answer) :].any()


def test_validation_measures_the_distance_over_the_whole_vocabulary() -> None:
    tiny_alignment.write_start("gpt2")
    params = tiny_alignment.params(objective="grpo", peft="none")
    start = start_policy(params.align, read_manifest(paths.model_dir("train")), Base(source="source"))
    prompts = read_prompts("validation", start.tokenizer, 100)
    assert len({len(prompt.ids) for prompt in prompts}) > 1
    judge = Judge(start.tokenizer, policy.Decoding(3, start.stop_ids, start.pad_id), (), lambda _text: True)
    validation = Validation(prompts, judge)
    assert validation.measure(start.model, start.reference)["kl"] == 0.0
    with torch.no_grad():
        start.model.lm_head.weight.add_(torch.randn_like(start.model.lm_head.weight) * 0.2)
    other = load_model(read_manifest(paths.model_dir("train")), Base(source="source")).model
    total, count = 0.0, 0
    for prompt, answer in zip(prompts, validation._generate(start.model), strict=True):
        ids = torch.tensor([prompt.ids + answer])
        with torch.no_grad():
            first, second = (torch.log_softmax(model(ids).logits[0, :-1], -1) for model in (start.model, other))
        total += float((first.exp() * (first - second)).sum(-1)[-len(answer) :].sum())
        count += len(answer)
    figures = validation.measure(start.model, start.reference)
    assert figures["kl"] == pytest.approx(total / count, rel=1e-4)
    assert figures["completion_tokens"] == count / len(prompts)
    assert "reward" not in figures


def test_an_answer_without_end_or_form_is_rejected() -> None:
    tokenizer: Any = None
    decoding = policy.Decoding(4, [2], 0)
    judge = Judge(tokenizer, decoding, (), lambda text: text == "good")
    answers = Answers([[]] * 4, ["good", "good", "bad", ""], [""] * 4, [2, 2, 2, 0])
    assert judge.rejected(answers, [[5, 2], [5, 6], [7, 2], []]) == [False, True, True, True]


def test_groups_of_equal_rewards_have_no_spread() -> None:
    rewards = torch.tensor([[1.0, 1.0], [0.1 + 0.2, 0.3], [0.0, 1.0]])
    assert rollouts._has_spread(rewards).tolist() == [False, False, True]


@pytest.mark.parametrize("objective", ["bradley_terry", "likelihood"])
def test_a_reward_model_scores_what_the_policy_says(objective: str) -> None:
    tiny_alignment.write_start()
    params = tiny_alignment.params(reward=objective, objective="rloo", rewards={"reward_model": 2.0})
    reward_stage.run(params)
    align.run(params)
    scores = tiny_alignment.curve("align/reward_model")
    assert tiny_alignment.curve("align/reward") == pytest.approx([2 * score for score in scores])
    assert len(set(scores)) == 2
    assert read_manifest(paths.model_dir("align")).lineage[-1].objective == "rloo"
