"""Alignment with comparisons, through TRL: DPO and its relatives on pairs, KTO on answers that are good or bad."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from datasets import Dataset
from torch.utils.data import Sampler
from transformers import TrainerCallback
from trl.models.utils import unwrap_model_for_generation
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from pipeline.contract.params import Align
from pipeline.models.generation import Decoding
from pipeline.training.arguments import common_arguments
from pipeline.training.comparisons import Encoder, encode_pairs, encode_rated
from pipeline.training.fit import Plan, fit
from pipeline.training.greedy import NUM_VALIDATION_PROMPTS, Judge, Validation, read_prompts
from pipeline.training.job import Job, Trained
from pipeline.training.policy_start import PolicyStart
from pipeline.training.reference import bare_reference
from pipeline.training.sampling import LengthBucketSampler, step_size

_NAMES = {
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
    "rewards/chosen": "chosen_reward",
    "rewards/rejected": "rejected_reward",
    "entropy": "entropy",
}
_ANSWER_NAMES = ("kl", "completion_tokens", "rejected_format")


def learn_preferences(job: Job, params: Align, start: PolicyStart, is_well_formed: Callable[[str], bool]) -> Trained:
    """Train with `dpo` or `kto` on data/prepared, keeping the checkpoint with the lowest validation loss."""
    build = {"dpo": _dpo, "kto": _kto}[job.objective](job, params, start)
    validation = _validation(params, start, is_well_formed)

    def make(callbacks: list[TrainerCallback]) -> Any:
        trainer = build(callbacks)
        # In place of the bare model inside it: the trainer has added its head to that.
        trainer.ref_model, trainer.validation = start.reference, validation
        return trainer

    answers = {f"eval_answers/{name}": f"{job.validation}/{name}" for name in _ANSWER_NAMES}
    plan = Plan(
        params=params,
        method=start.method,
        device=start.device,
        names=job.names() | job.split_names(_NAMES) | answers,
        best=f"{job.validation}/loss",
        rounded_dtype=start.rounded_dtype,
    )
    return fit(job, plan, make)


@dataclass(slots=True)
class _Counts:
    """How many rows each batch of an evaluation had, so that means over batches become means over rows."""

    rows: list[int]
    good: list[int]

    def add(self, inputs: Any) -> None:
        """Count a batch of pairs, or of rated answers."""
        labels = inputs.get("label")
        num_pairs = len(inputs["input_ids"]) // 2
        self.rows.append(num_pairs if labels is None else len(labels))
        self.good.append(num_pairs if labels is None else int(labels.sum()))

    def exact(self, metrics: dict[str, list[float]]) -> None:
        """Replace the values of the batches by one mean; a batch without a good answer has no value for those."""
        bad = [rows - good for rows, good in zip(self.rows, self.good, strict=True)]
        is_paired = bad == [0] * len(bad)
        shares = {"rewards/chosen": self.good, "rewards/rejected": self.rows if is_paired else bad}
        for name, values in metrics.items():
            weights = [count for count in shares.get(name, self.rows) if count]
            if len(weights) == len(values):
                pairs = zip(values, weights, strict=True)
                metrics[name] = [sum(value * weight for value, weight in pairs) / sum(weights)]
        if "rewards/margins" in metrics:
            metrics["rewards/margins"] = [metrics["rewards/chosen"][0] - metrics["rewards/rejected"][0]]
        self.rows, self.good = [], []


class _Measured:
    """What both trainers share: rows come as ids, evaluation is exact and looks at answers."""

    validation: Validation

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._counts = _Counts([], [])
        super().__init__(*args, **kwargs)

    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        del args
        return dataset

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Count the rows of a batch."""
        self._counts.add(inputs)
        trainer: Any = super()
        return trainer.prediction_step(model, inputs, prediction_loss_only, ignore_keys)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the policy answers now to the figures of an evaluation."""
        trainer: Any = self
        if "eval_loss" in logs:
            self._counts.exact(trainer._metrics["eval"])
            with unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as policy:
                figures = self.validation.measure(policy, trainer.ref_model)
            logs |= {f"eval_answers/{name}": value for name, value in figures.items()}
        above: Any = super()
        above.log(logs, start_time)


class _PairTrainer(_Measured, DPOTrainer):
    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        lengths = [
            len(prompt) + max(len(chosen), len(rejected))
            for prompt, chosen, rejected in zip(
                dataset["prompt_ids"], dataset["chosen_ids"], dataset["rejected_ids"], strict=True
            )
        ]
        return LengthBucketSampler(lengths, step_size(self.args), self.args.seed)


class _RatedTrainer(_Measured, KTOTrainer):
    pass


def _dpo(job: Job, params: Align, start: PolicyStart) -> Callable[[list[TrainerCallback]], Any]:
    encoder = _encoder(params, start)
    train, num_dropped = encode_pairs("train", encoder, params.max_rows)
    validation, num_dropped_validation = encode_pairs("validation", encoder)
    validation.sort(key=lambda pair: len(pair["prompt_ids"]))
    _say(job, f"{len(train)} pairs", num_dropped, num_dropped_validation)
    args = DPOConfig(
        **common_arguments(params, job.checkpoints, start.device),
        beta=params.beta,
        loss_type=list(params.dpo.loss),
        loss_weights=params.dpo.loss_weights,
        label_smoothing=params.dpo.label_smoothing,
        max_length=None,
    )
    return lambda callbacks: _PairTrainer(args=args, **_inputs(start, train, validation, callbacks))


def _kto(job: Job, params: Align, start: PolicyStart) -> Callable[[list[TrainerCallback]], Any]:
    encoder = _encoder(params, start)
    train, num_dropped = encode_rated("train", encoder, params.max_rows)
    validation, num_dropped_validation = encode_rated("validation", encoder)
    _say(job, f"{len(train)} rated answers", num_dropped, num_dropped_validation)
    args = KTOConfig(
        **common_arguments(params, job.checkpoints, start.device),
        beta=params.beta,
        desirable_weight=params.kto.desirable_weight,
        undesirable_weight=params.kto.undesirable_weight,
        max_length=None,
    )
    # The trainer takes rows as they come: the batch that an answer is in decides which other one it is compared with.
    lengths = [len(row["prompt_ids"]) + len(row["completion_ids"]) for row in train]
    ordered = [train[row] for row in LengthBucketSampler(lengths, params.batch_size, params.seed)]
    rows = (_with_neighbours(ordered, params.batch_size), _with_neighbours(validation, params.batch_size))
    return lambda callbacks: _RatedTrainer(args=args, **_inputs(start, *rows, callbacks))


def _with_neighbours(rows: Sequence[dict[str, Any]], batch_size: int) -> list[dict[str, Any]]:
    """Each row beside an answer to another prompt: KTO's baseline is how likely those are.

    The answers of a batch are dealt around, so that none is more common there than among the answers themselves. Where
    that would give a prompt an answer of its own, another row's of the batch steps in, or else of all rows.
    """
    numbers: dict[tuple[int, ...], int] = {}
    prompts = [numbers.setdefault(tuple(row["prompt_ids"]), len(numbers)) for row in rows]
    result = []
    for start in range(0, len(rows), batch_size):
        batch = range(start, min(start + batch_size, len(rows)))
        shift = _shift(prompts[batch.start : batch.stop])
        for place, row in enumerate(batch):
            candidates = chain(batch[place - shift :: -1], reversed(batch), reversed(range(len(rows))))
            other = next((found for found in candidates if prompts[found] != prompts[row]), row - 1)
            result.append({**rows[row], "KL_completion_ids": rows[other]["completion_ids"]})
    return result


def _shift(prompts: Sequence[int]) -> int:
    """How far to turn a batch so that as few prompts as possible meet themselves."""

    def num_alike(shift: int) -> int:
        return sum(prompt == prompts[place - shift] for place, prompt in enumerate(prompts))

    return min(range(1, len(prompts)), key=num_alike, default=0)


def _inputs(start: PolicyStart, train: Any, validation: Any, callbacks: list[TrainerCallback]) -> dict[str, Any]:
    return {
        "model": start.model,
        "ref_model": bare_reference(start.reference),
        "processing_class": start.tokenizer,
        "train_dataset": Dataset.from_list(train),
        "eval_dataset": Dataset.from_list(validation),
        "peft_config": start.peft_config,
        "callbacks": callbacks,
    }


def _encoder(params: Align, start: PolicyStart) -> Encoder:
    return Encoder(start.tokenizer, start.longest(params.max_length), start.stop_id)


def _validation(params: Align, start: PolicyStart, is_well_formed: Callable[[str], bool]) -> Validation:
    decoding = Decoding(params.rollout.max_new_tokens, start.stop_ids, start.pad_id)
    room = start.longest(params.max_length) - decoding.max_new_tokens
    prompts = read_prompts("validation", start.tokenizer, room, NUM_VALIDATION_PROMPTS)
    return Validation(prompts, Judge(start.tokenizer, decoding, (), is_well_formed))


def _say(job: Job, rows: str, num_dropped: int, num_dropped_validation: int) -> None:
    sys.stdout.write(
        f"{job.stage}: {rows}; {num_dropped} comparisons, and {num_dropped_validation} for validation, dropped as "
        f"longer than {job.section}.max_length\n"
    )
    sys.stdout.flush()
