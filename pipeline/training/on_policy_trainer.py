"""A trainer whose student answers the prompts itself, and learns what a live teacher thinks of each of its tokens.

Not TRL's DistillationTrainer: that one samples at the temperature of the divergence, knows no labels, wants embeddings
of equal size, and validates on answers of the student, so that its validation loss compares with nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from trl.models.utils import unwrap_model_for_generation

from pipeline.contract.params import Distill
from pipeline.models.generation import Decoding, decoding_of, generate
from pipeline.models.loading import LoadedModel
from pipeline.training.divergence import divergence, top_logprobs
from pipeline.training.live_teacher import answer_logits
from pipeline.training.logit_trainer import completion_logits
from pipeline.training.rows import IGNORED
from pipeline.training.teacher_table import Facts
from pipeline.training.trainer import CompletionTrainer


class OnPolicyTrainer(CompletionTrainer):
    """Mixes the divergence on answers of the student with cross-entropy on the rows' own; validation stays plain."""

    def __init__(self, *, teacher: LoadedModel, facts: Facts, distill: Distill, **options: Any) -> None:
        super().__init__(**options)
        self._teacher, self._facts, self._distill = teacher, facts, distill
        student, tokenizer = options["model"], options["processing_class"]
        decoding = decoding_of(LoadedModel(student, tokenizer, self.args.device), distill.max_new_tokens)
        self._decoding: Decoding = replace(decoding, temperature=distill.sampling_temperature)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mixed loss in training, cross-entropy in validation."""
        if not model.training:
            parent: Any = super()
            return parent.compute_loss(model, inputs, return_outputs, num_items_in_batch)
        weight = self._distill.hard_label_weight
        batch = self._answered(inputs)
        distances, agreement = self._distances(model, batch)
        # The tokens of all batches of a step are not known before the last one: every batch counts alike.
        loss = (1 - weight) * self._distill.temperature**2 * distances.mean()
        loss = loss / self.current_gradient_accumulation_steps
        if weight > 0:
            loss = loss + weight * self._hard_loss(model, inputs, num_items_in_batch)
        lengths = (batch["labels"] != IGNORED).sum(1).float()
        seen = batch["attention_mask"].sum() + (inputs["attention_mask"].sum() if weight > 0 else 0)
        self._note(distances.detach().mean(), agreement, lengths.mean(), seen.float())
        return loss

    def _hard_loss(self, model: Any, inputs: Mapping[str, Tensor], num_items_in_batch: Any) -> Tensor:
        logits, targets = completion_logits(model, inputs)
        num_tokens = len(targets) if num_items_in_batch is None else num_items_in_batch
        hard = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        loss = hard / torch.as_tensor(num_tokens, device=hard.device).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return loss

    def _answered(self: Any, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch's prompts with an answer of the student to each, padded on the right."""
        pairs = zip(inputs["input_ids"].tolist(), inputs["labels"].tolist(), strict=True)
        prompts = [ids[: _num_ignored(labels)] for ids, labels in pairs]
        # Dropout would make a worse speaker of the student than it is.
        self.model.eval()
        with unwrap_model_for_generation(
            self.model_wrapped,
            self.accelerator,
            gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
        ) as student:
            answers = generate(student, prompts, self._decoding)
        self.model.train()
        return _padded(prompts, answers, self._decoding.pad_id, inputs["input_ids"].device)

    def _distances(self, model: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Divergence of each answered token, and the share of them that both find the most likely."""
        params, size = self._distill, self._facts.num_tokens
        prompts, answers = _split(batch)
        theirs = torch.cat(answer_logits(self._teacher, prompts, answers, size))
        top_ids, known = top_logprobs(theirs, self._facts.top_k, params.temperature)
        logits, _ = completion_logits(model, batch)
        values = divergence(logits[:, :size], top_ids, known, params.divergence, params.temperature, params.jsd_beta)
        return values, (logits.detach().argmax(-1) == top_ids[:, 0]).float().mean()

    def _note(self, *values: Tensor) -> None:
        """Keep what the next log line averages, over all processes."""
        shared = self.accelerator.gather_for_metrics(torch.stack(values)[None])
        distance, agreement, length, _ = shared.mean(0).tolist()
        metrics = self._metrics["train"]
        for name, value in (("divergence", distance), ("agreement", agreement), ("completion_tokens", length)):
            metrics[name].append(value)
        self._total_train_tokens += int(shared[:, -1].sum())
        metrics["num_tokens"] = [self._total_train_tokens]


def _num_ignored(labels: Sequence[int]) -> int:
    """Length of the prompt."""
    return next(place for place, label in enumerate(labels) if label != IGNORED)


def _padded(
    prompts: Sequence[list[int]], answers: Sequence[list[int]], pad_id: int, device: torch.device
) -> dict[str, Tensor]:
    width = max(len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True))
    ids, labels, mask = [], [], []
    for prompt, answer in zip(prompts, answers, strict=True):
        num_pads = width - len(prompt) - len(answer)
        ids.append([*prompt, *answer, *[pad_id] * num_pads])
        labels.append([*[IGNORED] * len(prompt), *answer, *[IGNORED] * num_pads])
        mask.append([1] * (width - num_pads) + [0] * num_pads)
    names = ("input_ids", "labels", "attention_mask")
    return {name: torch.tensor(rows, device=device) for name, rows in zip(names, (ids, labels, mask), strict=True)}


def _split(batch: Mapping[str, Tensor]) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts and answers of a padded batch."""
    prompts, answers = [], []
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        first = _num_ignored(labels)
        prompts.append(ids[:first])
        answers.append([label for label in labels[first:] if label != IGNORED])
    return prompts, answers
