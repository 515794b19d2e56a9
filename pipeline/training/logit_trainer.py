"""A trainer whose loss mixes cross-entropy with the divergence from a teacher whose top tokens are kept."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor

from pipeline.contract.params import Distill
from pipeline.training.divergence import divergence
from pipeline.training.rows import IGNORED
from pipeline.training.teacher_table import TeacherTable
from pipeline.training.tempering import tempered
from pipeline.training.trainer import CompletionTrainer

PLACE = "teacher_row"
"""Column of the training rows: where each is in the teacher's table."""
_TOP_IDS, _TOP_LOGPROBS = "teacher_ids", "teacher_logprobs"


@dataclass(frozen=True, slots=True)
class TeacherCollator:
    """Adds the teacher's top tokens to a batch, one line per trained token, in the order of rows and tokens."""

    inner: Any
    """Makes everything else of the batch."""
    table: TeacherTable
    """Where they come from."""
    temperature: float
    """At which they are wanted."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Batch of validation rows or, with the teacher's lines, of training rows."""
        batch: dict[str, Any] = self.inner([{"input_ids": row["input_ids"], "labels": row["labels"]} for row in rows])
        if PLACE not in rows[0]:
            return batch
        scores = [self.table.scores(row[PLACE], _num_trained(row["labels"])) for row in rows]
        ids, logprobs, tails = (torch.from_numpy(np.concatenate(part)) for part in zip(*scores, strict=True))
        batch[_TOP_IDS] = ids.long()
        batch[_TOP_LOGPROBS] = tempered(logprobs, tails, self.table.facts.num_tokens, self.temperature)
        return batch


class LogitTrainer(CompletionTrainer):
    """Learns the teacher's probabilities of every token; validation stays plain cross-entropy."""

    def __init__(self, *, table: TeacherTable, distill: Distill, **options: Any) -> None:
        super().__init__(**options)
        self._distill = distill
        self._num_known_tokens = table.facts.num_tokens
        self.data_collator = TeacherCollator(self.data_collator, table, distill.temperature)

    def _set_signature_columns_if_needed(self) -> None:
        columns: Any = ["input_ids", "labels", PLACE]
        self._signature_columns = columns

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mixed loss on training rows, cross-entropy on those without a teacher."""
        if _TOP_IDS not in inputs:
            parent: Any = super()
            return parent.compute_loss(model, inputs, return_outputs, num_items_in_batch)
        top_ids, top_logprobs = inputs.pop(_TOP_IDS), inputs.pop(_TOP_LOGPROBS)
        logits, targets = completion_logits(model, inputs)
        known = logits[:, : self._num_known_tokens]
        params = self._distill
        distances = divergence(known, top_ids, top_logprobs, params.divergence, params.temperature, params.jsd_beta)
        hard = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        weight = params.hard_label_weight
        # The gradient of a tempered divergence shrinks with the square of the temperature.
        total = weight * hard + (1 - weight) * params.temperature**2 * distances.sum()
        num_tokens = len(targets) if num_items_in_batch is None else num_items_in_batch
        loss = total / torch.as_tensor(num_tokens, device=total.device).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        best = logits.detach().argmax(-1)
        sums = [distances.detach().sum(), (best == top_ids[:, 0]).sum(), (best == targets).sum()]
        self._note(inputs, [part.float() for part in sums], len(targets))
        return loss

    def _note(self, inputs: Mapping[str, Tensor], sums: Sequence[Tensor], num_tokens: int) -> None:
        """Keep what the next log line averages; over all processes, as the parent does it."""
        own = torch.stack(
            [*sums, *(sums[0].new_tensor(float(n)) for n in (num_tokens, inputs["attention_mask"].sum()))]
        )
        distance, alike, right, counted, seen = self.accelerator.gather_for_metrics(own[None]).sum(0).tolist()
        metrics = self._metrics["train"]
        for name, value in (("divergence", distance), ("agreement", alike), ("mean_token_accuracy", right)):
            metrics[name].append(value / max(counted, 1))
        self._total_train_tokens += int(seen)
        metrics["num_tokens"] = [self._total_train_tokens]


def completion_logits(model: Any, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits [tokens, vocabulary] in float32 before every trained token of a batch, and those tokens."""
    labels = inputs["labels"]
    counted = labels[:, 1:] != IGNORED
    first = int(counted.any(0).nonzero()[0])
    # The head leaves out what all rows have before their completions; a soft prompt lies further in front.
    num_last = labels.shape[1] - first
    options = {"logits_to_keep": num_last} if _keeps_logits(model) else {}
    given = {name: value for name, value in inputs.items() if name != "labels"}
    logits = model(**given, use_cache=False, **options).logits[:, -num_last:-1]
    return logits[counted[:, first:]].float(), labels[:, 1:][counted]


def _keeps_logits(model: Any) -> bool:
    inner = getattr(model, "module", model)
    bare = inner.get_base_model() if isinstance(inner, PeftModel) else inner
    return "logits_to_keep" in inspect.signature(type(bare).forward).parameters


def _num_trained(labels: Sequence[int]) -> int:
    return sum(label != IGNORED for label in labels)
