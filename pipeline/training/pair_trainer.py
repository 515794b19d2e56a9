"""TRL's reward trainer with pairs of like length in a batch and exact validation figures."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Sampler
from trl.trainer.reward_trainer import RewardTrainer

from pipeline.models.likelihood import answer_log_probs
from pipeline.models.reward_model import Row, pad_right
from pipeline.training.sampling import LengthBucketSampler, step_size
from pipeline.training.shared_rows import sum_of_all

_FIGURES = ("accuracy", "margin", "mean_reward")


class PairTrainer(RewardTrainer):
    """Reward trainer on pairs that come as token ids."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._eval_batches: list[tuple[int, dict[str, float]]] = []

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        lengths = [
            max(len(chosen), len(rejected))
            for chosen, rejected in zip(dataset["chosen_ids"], dataset["rejected_ids"], strict=True)
        ]
        return LengthBucketSampler(lengths, step_size(self.args), self.args.seed)

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Keep the size of the batch: a mean over batches would depend on how pairs fall into batches."""
        result: Any = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        figures = {name: self._metrics["eval"][name][-1] for name in _FIGURES}
        self._eval_batches.append((len(inputs["input_ids"]), {"loss": float(result[0])} | figures))
        return result

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Put the exact figures in place of the means over batches."""
        if "eval_loss" in logs and self._eval_batches:
            sizes = [size for size, _ in self._eval_batches]
            sums = (sum(size * figures[name] for size, figures in self._eval_batches) for name in ("loss", *_FIGURES))
            # All processes must agree on the best step: each one waits for the others to save it.
            total, *exact = sum_of_all(self, sum(sizes), *sums)
            logs["eval_loss"], *means = (value / total for value in exact)
            self._metrics["eval"].update({name: [value] for name, value in zip(_FIGURES, means, strict=True)})
            self._eval_batches = []
        super().log(logs, start_time)


@dataclass(frozen=True, slots=True)
class AnswerCollator:
    """Batches of pairs that know which tokens are answers: the better ones first, the worse ones behind."""

    pad_id: int
    """Token that fills up short rows."""

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch of these pairs."""
        rows = [self._row(example, name) for name in ("chosen_ids", "rejected_ids") for example in examples]
        ids, mask, answer_mask = pad_right(rows, self.pad_id)
        return {"input_ids": ids, "attention_mask": mask, "answer_mask": answer_mask}

    def _row(self, example: dict[str, Any], name: str) -> Row:
        length = example["prompt_length"]
        return example[name][:length], example[name][length:]


class LikelihoodTrainer(PairTrainer):
    """Learns to find chosen answers likelier than rejected ones, and to say the chosen ones.

    The loss is SimPO's (Meng et al. 2024, arXiv:2405.14734) without its margin, beside the cross-entropy of the chosen
    answer, without which both answers would become unlikely (Pang et al. 2024, arXiv:2404.19733).
    """

    def __init__(self, *, beta: float, **options: Any) -> None:
        config = options["model"].config
        num_labels = config.num_labels
        # The library accepts models with one output only.
        config.num_labels = 1
        super().__init__(data_collator=AnswerCollator(options["processing_class"].pad_token_id), **options)
        config.num_labels = num_labels
        self._beta = beta

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Loss of a batch; the figures are taken from the scores that the reward model will give."""
        del num_items_in_batch
        log_probs = answer_log_probs(model, inputs["input_ids"], inputs["attention_mask"], inputs["answer_mask"])
        chosen, rejected = log_probs.chunk(2)
        ranking = -torch.nn.functional.logsigmoid(self._beta * (chosen - rejected)).mean()
        loss = ranking - chosen.mean()
        self._record(log_probs.detach().exp(), inputs["attention_mask"])
        return (loss, {"scores": log_probs}) if return_outputs else loss

    def _record(self, scores: torch.Tensor, mask: torch.Tensor) -> None:
        model: Any = self.model
        mode = "train" if model.training else "eval"
        metrics, gather = self._metrics[mode], self.accelerator.gather_for_metrics
        if mode == "train":
            self._total_train_tokens += int(gather(mask.sum()).sum())
        metrics["num_tokens"] = [self._total_train_tokens]
        chosen, rejected = scores.chunk(2)
        values = {
            "mean_reward": scores.mean(),
            "accuracy": (chosen > rejected).float().mean(),
            "margin": (chosen - rejected).mean(),
        }
        for name, value in values.items():
            metrics[name].append(float(gather(value).mean()))
