"""TRL's reward trainer with pairs of like length in a batch and exact validation figures."""

from typing import Any

from torch.utils.data import Sampler
from trl.trainer.reward_trainer import RewardTrainer

from pipeline.training.sampling import LengthBucketSampler

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
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthBucketSampler(lengths, batch_size, self.args.seed)

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Keep the size of the batch: a mean over batches would depend on how pairs fall into batches."""
        result: Any = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        figures = {name: self._metrics["eval"][name][-1] for name in _FIGURES}
        self._eval_batches.append((len(inputs["input_ids"]), {"loss": float(result[0])} | figures))
        return result

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Put the exact figures in place of the means over batches."""
        if "eval_loss" in logs and self._eval_batches:
            total = sum(size for size, _ in self._eval_batches)
            exact = {
                name: sum(size * figures[name] for size, figures in self._eval_batches) / total
                for name in ("loss", *_FIGURES)
            }
            logs["eval_loss"] = exact.pop("loss")
            self._metrics["eval"].update({name: [value] for name, value in exact.items()})
            self._eval_batches = []
        super().log(logs, start_time)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """A checkpoint needs none."""
