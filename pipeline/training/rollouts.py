"""What RLOO and GRPO share beyond TRL: prompts, answers and their ends as in evaluation, our rewards, one reference.

TRL would render prompts by its own rules, stop at other tokens, load the reference from disk without the earlier
adapters, and pad prompts on the left, where learned positions and soft prompts lie elsewhere than in evaluation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from accelerate.utils import gather
from trl.models.utils import unwrap_model_for_generation

from pipeline.contract.problems import StageError
from pipeline.models.answers import weighted_sum
from pipeline.models.generation import generate
from pipeline.training.greedy import Judge, Prompt, Validation
from pipeline.training.random_state import random_state_kept

NUM_PREFLIGHT_PROMPTS = 32
Scored = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What a trainer learns from."""

    prompts: Sequence[Prompt]
    """The questions; a row of its data set names one by its number."""
    judge: Judge
    """What makes rewards of the answers, and how those are drawn."""
    validation: Validation
    """What is measured at evaluations."""
    reference: Any
    """The policy before its first step."""
    beta: float
    """Strength of the pull towards the reference."""


class Rolling:
    """Mixin before a trainer's class; `begin` must be called once the trainer is made."""

    rollouts: Rollouts

    def begin(self: Any, rollouts: Rollouts) -> None:
        """Put our parts in place of what the trainer has made for itself."""
        self.rollouts = rollouts
        self.ref_model, self.beta = rollouts.reference, rollouts.beta
        self.eos_token_ids = rollouts.judge.decoding.stop_ids
        self.reward_func_names = [reward.name for reward in rollouts.judge.rewards]
        self._own_logps = None

    def draw(self: Any, prompt_ids: Sequence[list[int]]) -> list[list[int]]:
        """An answer of the policy to each prompt."""
        checkpointing = self.args.gradient_checkpointing_kwargs
        with unwrap_model_for_generation(
            self.model_wrapped, self.accelerator, gradient_checkpointing_kwargs=checkpointing
        ) as policy:
            return generate(policy, prompt_ids, self.rollouts.judge.decoding)

    def check_spread(self: Any, seed: int) -> None:
        """StageError when all answers to each of a few prompts are worth the same; leaves no trace in the training."""
        prompts = list(self.rollouts.prompts)
        tried = Random(seed).sample(prompts, min(NUM_PREFLIGHT_PROMPTS, len(prompts)))
        size = max(1, self.args.generation_batch_size // self.num_generations)
        with random_state_kept():
            torch.manual_seed(seed)
            for first in range(0, len(tried), size):
                if self._have_spread(tried[first : first + size]):
                    return
        raise StageError(
            f"align.rewards: {self.num_generations} answers to each of {len(tried)} prompts are worth the same, so "
            "nothing could be learned; give other rewards, raise align.rollout.temperature, let `train` learn more "
            "first, or set align.watch.reward_collapse to off"
        )

    def _have_spread(self: Any, prompts: Sequence[Prompt]) -> bool:
        asked = [prompt for prompt in prompts for _ in range(self.num_generations)]
        judge = self.rollouts.judge
        answers = judge.answers(asked, self.draw([prompt.ids for prompt in asked]))
        columns = [reward.score(answers) for reward in judge.rewards]
        sums = torch.tensor(weighted_sum(judge.rewards, columns, len(asked))).view(len(prompts), -1)
        return bool(_has_spread(sums).any())

    def evaluate(self: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Answer the validation prompts greedily, as `evaluate` will."""
        del args, kwargs
        self.model.eval()
        with unwrap_model_for_generation(self.model_wrapped, self.accelerator) as policy:
            figures = self.rollouts.validation.measure(policy, self.rollouts.reference)
        logs = {f"eval_{name}": value for name, value in figures.items()}
        self.log(logs)
        self.model.train()
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, logs)
        return logs

    def _tokenize_prompts(self: Any, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """The template has written all special tokens already."""
        return self.processing_class(text=prompts, add_special_tokens=False)["input_ids"], None, {}

    def _calculate_rewards(self: Any, inputs: Any, prompts: Any, completions: Any, ids: list[list[int]]) -> Any:
        """Scores of all processes, one column for each reward."""
        del prompts, completions
        judge = self.rollouts.judge
        answers = judge.answers([self.rollouts.prompts[row["row"]] for row in inputs], ids)
        columns = [reward.score(answers) for reward in judge.rewards]
        device = self.accelerator.device
        scores: torch.Tensor = gather(torch.tensor(columns, dtype=torch.float32, device=device).T.contiguous())
        rejected = gather(torch.tensor(judge.rejected(answers, ids), dtype=torch.float32, device=device))
        worth = (scores * self.reward_weights.to(device)).sum(1).view(-1, self.num_generations)
        metrics = self._metrics["train"]
        metrics["rejected_format"].append(rejected.mean().item())
        # The trainer's own figure counts the penalty for the distance in.
        metrics["zero_spread"].append((~_has_spread(worth)).float().mean().item())
        return scores

    def _get_per_token_logps_and_entropies(
        self: Any,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **others: Any,
    ) -> Scored:
        """Log-probabilities of the completions, with the padding of their prompts moved behind them."""
        del others
        moved = _Moved(input_ids, attention_mask, logits_to_keep)
        size = batch_size or len(input_ids)
        parts = []
        for start in range(0, len(input_ids), size):
            inputs = moved.inputs(slice(start, start + size))
            with self.accelerator.autocast():
                parts.append(model(**inputs, **({"output_router_logits": True} if compute_aux_loss else {})))
        logps = moved.back(torch.cat([moved.real(part.log_probs) for part in parts]))
        entropies = moved.back(torch.cat([moved.real(part.entropy) for part in parts])) if compute_entropy else None
        aux_loss = torch.stack([part.aux_loss for part in parts]).mean() if compute_aux_loss else None
        # With a pull the reference is asked about fresh answers, before the loss; without one nobody asks it.
        is_time = model is self.ref_model or compute_entropy == (self.beta == 0)
        self._watch_distance(model, logps.detach() if is_time else None, (input_ids, attention_mask, logits_to_keep))
        return logps, entropies, aux_loss

    @torch.no_grad()
    def _watch_distance(self: Any, model: Any, logps: torch.Tensor | None, rows: tuple[Any, torch.Tensor, int]) -> None:
        """Note how far the policy is from the reference, once both have said how likely the same answers are."""
        if model is not self.ref_model:
            self._own_logps = logps
            if logps is not None and self.beta == 0:
                self._get_per_token_logps_and_entropies(self.ref_model, *rows)
        elif logps is not None and self._own_logps is not None:
            ratio = logps - self._own_logps
            self._own_logps = None
            is_answer = rows[1][:, -rows[2] :]
            # An estimate that is never negative (Schulman 2020).
            sums = torch.stack([((ratio.exp() - ratio - 1) * is_answer).sum(), is_answer.sum().float()])
            total, count = self.accelerator.reduce(sums, reduction="sum").tolist()
            self._metrics["train"]["distance"].append(total / max(count, 1.0))


class _Moved:
    """Rows padded on both sides, with all padding moved to their ends."""

    def __init__(self, ids: torch.Tensor, mask: torch.Tensor, num_last: int) -> None:
        width, device = ids.shape[1], ids.device
        num_pads = (mask[:, : width - num_last] == 0).sum(1, keepdim=True)
        place = torch.arange(width, device=device)
        order = (place + num_pads) % width
        self._ids, self._mask = ids.gather(1, order), mask.gather(1, order)
        is_answer = (place >= width - num_last - num_pads) & (self._mask == 1)
        self._labels = self._ids.masked_fill(~is_answer, -100)
        # The first place predicts the second token.
        self._answer = torch.arange(width - num_last, width, device=device) - num_pads - 1

    def inputs(self, rows: slice) -> dict[str, Any]:
        """What a model with the trainer's head takes."""
        return {
            "input_ids": self._ids[rows],
            "attention_mask": self._mask[rows],
            "labels": self._labels[rows],
            "fused_lm_head": True,
        }

    def real(self, values: torch.Tensor) -> torch.Tensor:
        """Without what belongs to virtual tokens."""
        return values[:, -(self._ids.shape[1] - 1) :]

    def back(self, values: torch.Tensor) -> torch.Tensor:
        """Values of the completions where the trainer looks for them."""
        return values.gather(1, self._answer)


def _has_spread(rewards: torch.Tensor) -> torch.Tensor:
    """Whether the rewards in each row differ by more than rounding."""
    return (rewards.amax(1) - rewards.amin(1)) > 1e-6
