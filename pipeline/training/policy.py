"""Alignment with rewards, through TRL: the policy answers, answers are scored, better ones become likelier."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.rloo_trainer import RLOOTrainer
from trl.trainer.utils import add_fused_lm_head

from pipeline.contract.params import Align
from pipeline.contract.problems import StageError
from pipeline.models.answers import Reward
from pipeline.models.chat import render
from pipeline.models.generation import Decoding
from pipeline.training.arguments import common_arguments
from pipeline.training.fit import Plan, fit
from pipeline.training.greedy import NUM_VALIDATION_PROMPTS, Judge, Prompt, Validation, read_prompts
from pipeline.training.job import Job, Trained
from pipeline.training.policy_start import PolicyStart
from pipeline.training.reference import bare_reference
from pipeline.training.rollouts import Rolling, Rollouts

_NAMES = {
    "reward": "reward",
    "reward_std": "reward_std",
    "completions/mean_length": "completion_tokens",
    "rejected_format": "rejected_format",
    "zero_spread": "zero_spread",
    "entropy": "entropy",
}
_VALIDATION_NAMES = ("reward", "reward_std", "kl", "completion_tokens", "rejected_format", "entropy")
_KEPT = ("loss", "num_tokens", "reward", "reward_std", "kl", "completion_tokens", "rejected_format", "zero_spread")


class _GroupTrainer(Rolling, GRPOTrainer):
    def _generate_single_turn(self, prompt_ids: Any, *_others: Any, **_more: Any) -> tuple[list[list[int]], None]:
        return self.draw(prompt_ids), None


class _LeaveOneOutTrainer(Rolling, RLOOTrainer):
    def _generate_single_turn(self, prompt_ids: Any, *_others: Any, **_more: Any) -> list[list[int]]:
        return self.draw(prompt_ids)


def learn_rewards(
    job: Job, params: Align, start: PolicyStart, rewards: Sequence[Reward], is_well_formed: Callable[[str], bool]
) -> Trained:
    """Train with `rloo` or `grpo` on the prompts of data/prepared, keeping the checkpoint with the highest reward."""
    rollouts = _rollouts(params, start, rewards, is_well_formed)
    _check_enough(params, len(rollouts.prompts))
    _say(job, len(rollouts.prompts), len(rollouts.validation.prompts))
    dataset = _dataset(start.tokenizer, rollouts.prompts)

    def make(callbacks: list[TrainerCallback]) -> Any:
        trainer = _trainer(job, params, start, rewards, dataset, callbacks)
        # The trainer adds one to its own model alone.
        add_fused_lm_head(bare_reference(start.reference), temperature=params.rollout.temperature)
        trainer.begin(rollouts)
        if params.watch.reward_collapse != "off":
            trainer.check_spread(params.seed)
        return trainer

    plan = Plan(
        params=params,
        method=start.method,
        device=start.device,
        names=_names(job, params, rewards),
        best=f"{job.validation}/reward",
        rounded_dtype=start.rounded_dtype,
        kept=_KEPT,
    )
    return fit(job, plan, make)


def _trainer(
    job: Job,
    params: Align,
    start: PolicyStart,
    rewards: Sequence[Reward],
    dataset: Dataset,
    callbacks: list[TrainerCallback],
) -> Any:
    kind: Any = {"grpo": _GroupTrainer, "rloo": _LeaveOneOutTrainer}[job.objective]
    return kind(
        model=start.model,
        args=_arguments(job, params, start, rewards),
        reward_funcs=[_unused] * len(rewards),
        train_dataset=dataset,
        processing_class=start.tokenizer,
        peft_config=start.peft_config,
        callbacks=callbacks,
    )


def _arguments(job: Job, params: Align, start: PolicyStart, rewards: Sequence[Reward]) -> GRPOConfig | RLOOConfig:
    shared = common_arguments(params, job.checkpoints, start.device) | {
        "num_generations": params.rollout.num_generations,
        "max_completion_length": params.rollout.max_new_tokens,
        "temperature": params.rollout.temperature,
        "top_p": params.rollout.top_p,
        "reward_weights": [reward.weight for reward in rewards],
        # Otherwise the trainer looks for a reference of its own.
        "beta": 0.0,
        # Policy and reference would differ by chance.
        "disable_dropout": True,
    }
    if job.objective == "rloo":
        return RLOOConfig(**shared)
    grpo = params.grpo
    return GRPOConfig(**shared, loss_type=grpo.loss, scale_rewards=grpo.scale_rewards, epsilon=grpo.epsilon)


def _rollouts(
    params: Align, start: PolicyStart, rewards: Sequence[Reward], is_well_formed: Callable[[str], bool]
) -> Rollouts:
    rollout = params.rollout
    greedy = Decoding(rollout.max_new_tokens, start.stop_ids, start.pad_id)
    drawn = Decoding(rollout.max_new_tokens, start.stop_ids, start.pad_id, rollout.temperature, rollout.top_p)
    room = start.longest(params.max_length) - rollout.max_new_tokens
    validation = read_prompts("validation", start.tokenizer, room, NUM_VALIDATION_PROMPTS)
    return Rollouts(
        prompts=read_prompts("train", start.tokenizer, room, params.max_rows),
        judge=Judge(start.tokenizer, drawn, rewards, is_well_formed),
        validation=Validation(validation, Judge(start.tokenizer, greedy, rewards, is_well_formed)),
        reference=start.reference,
        beta=params.beta,
    )


def _dataset(tokenizer: Any, prompts: Sequence[Prompt]) -> Dataset:
    texts = [render(tokenizer, prompt.turns, answer_next=True) for prompt in prompts]
    return Dataset.from_dict({"prompt": texts, "row": list(range(len(texts)))})


def _names(job: Job, params: Align, rewards: Sequence[Reward]) -> dict[str, str]:
    """Our names; a training on rewards has no loss on the validation split."""
    # RLOO's own figure is a difference of likelihoods, which may be negative.
    distance = "kl" if job.objective == "grpo" and params.beta else "distance"
    each = {f"rewards/{reward.name}/mean": f"{job.stage}/reward_{reward.name}" for reward in rewards}
    names = (*_VALIDATION_NAMES, *(f"reward_{reward.name}" for reward in rewards))
    own = {theirs: f"{job.stage}/{ours}" for theirs, ours in {**_NAMES, distance: "kl"}.items()}
    return job.names() | own | each | {f"eval_{name}": f"{job.validation}/{name}" for name in names}


def _check_enough(params: Align, num_prompts: int) -> None:
    """A step takes whole groups; with fewer prompts than it has groups there would be no step."""
    per_step = params.batch_size * params.gradient_accumulation_steps * params.num_processes
    num_groups = per_step // params.rollout.num_generations
    if num_prompts < num_groups:
        raise StageError(
            f"align.batch_size: a step needs {num_groups} prompts (batch_size x gradient_accumulation_steps x "
            f"num_processes / num_generations) and there are {num_prompts}; lower it, or raise align.max_rows"
        )


def _unused(*args: Any, **kwargs: Any) -> list[float]:
    """Stands for a reward where the trainer counts them; the scores come from the judge."""
    raise NotImplementedError


def _say(job: Job, num_prompts: int, num_validation: int) -> None:
    sys.stdout.write(f"{job.stage}: {num_prompts} prompts, {num_validation} to measure on\n")
    sys.stdout.flush()
