"""TRL's trainer with rows of like length in a batch and an exact validation loss."""

from typing import Any

from torch.utils.data import Sampler
from trl.trainer.sft_trainer import SFTTrainer

from pipeline.training.rows import IGNORED
from pipeline.training.sampling import LengthBucketSampler, step_size
from pipeline.training.shared_rows import OwnRows, sum_of_all


class CompletionTrainer(SFTTrainer):
    """Supervised trainer on rows that come with labels."""

    _eval_sum = 0.0
    _eval_tokens = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._eval_rows = OwnRows(self)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        if self.padding_free:
            return super()._get_train_sampler(train_dataset)
        lengths = [len(ids) for ids in dataset["input_ids"]]
        return LengthBucketSampler(lengths, step_size(self.args), self.args.seed)

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Count the loss per token: a mean over batches would depend on how rows fall into batches."""
        _leave_out(inputs, self._eval_rows.next_batch())
        result = super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        num_tokens = int((inputs["labels"][:, 1:] != IGNORED).sum())
        self._eval_sum += float(result[0]) * num_tokens
        self._eval_tokens += num_tokens
        return result

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Put the exact validation loss in place of the mean over batches."""
        if "eval_loss" in logs:
            total, num_tokens = sum_of_all(self, self._eval_sum, self._eval_tokens)
            logs["eval_loss"] = total / num_tokens
            self._eval_sum, self._eval_tokens, self._eval_rows = 0.0, 0, OwnRows(self)
        super().log(logs, start_time)


def _leave_out(inputs: Any, num_kept: int) -> None:
    """Count no token after the first so many rows of a batch."""
    labels, starts = inputs["labels"], inputs.get("cu_seq_lens_q")
    if starts is None:
        labels[num_kept:] = IGNORED
    elif num_kept < len(starts):
        # Rows one behind the other in a single one.
        labels[:, int(starts[num_kept]) :] = IGNORED
