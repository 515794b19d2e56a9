"""What a trainer of any kind must keep to go on later as if it had never stopped; laid over TRL's trainers.

Read from the sources of transformers 5.23, accelerate 1.15 and trl 1.16. Their own checkpoints do not go on bit for
bit: they leave out what peft does not save (the network behind a soft prompt), the tokens that TRL counts, running
metrics, buffered rollouts, and the place of GRPO's and RLOO's sampler, which deals every epoch from one generator.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers.trainer_utils import align_special_tokens

from pipeline.training.random_state import random_state, set_random_state
from pipeline.training.state_files import read_state, write_state

_SHARED = "training"
_ATTRIBUTES = (
    "_total_train_tokens", "_metrics", "_step", "_eval_sum", "_eval_tokens",
    "entropy_coef", "_last_world_entropy", "_entropy_window_stats",
)  # fmt: skip
# Set to 0 when a training begins, a resumed one as well.
_RUNNING = ("_tr_loss", "_total_loss_scalar", "_globalstep_last_logged")


class Resumable:
    """Mixin before a trainer's class. A trainer with running state of its own names it in `resumed_attributes`."""

    resumed_attributes: tuple[str, ...] = ()
    save_now: Callable[[], None]
    """Saves a checkpoint; called when the training loop says so."""
    may_update: Callable[[float], bool] | None = None
    """Whether an update with this gradient norm may be made; None makes them all."""

    def write_training_state(self: Any, directory: Path) -> None:
        """Write everything that decides how the training goes on."""
        if self.args.should_save:
            shared = {
                "weights": dict(_trained(self.model)),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.lr_scheduler.state_dict(),
            }
            write_state(directory, _SHARED, shared)
            self.state.save_to_json(str(directory / "trainer_state.json"))
        own = {
            "random": random_state(),
            "running": {name: getattr(self, name) for name in _RUNNING},
            "attributes": {name: getattr(self, name) for name in self._attributes() if hasattr(self, name)},
            "rollouts": self._rollouts(),
        }
        write_state(directory, self._own_name(), own)

    def restore_running(self: Any, directory: Path) -> None:
        """Put back what the beginning of a training sets to 0."""
        for name, value in read_state(directory, self._own_name())["running"].items():
            setattr(self, name, value.to(self.args.device) if isinstance(value, torch.Tensor) else value)

    def restore_end(self: Any, directory: Path) -> None:
        """Put the model and the generators in the state of a training that has ended."""
        # The first thing that a training does.
        align_special_tokens(self.model, self.processing_class)
        self._load_from_checkpoint(str(directory))
        self._load_rng_state(str(directory))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Leave the card to the deploy stage: a checkpoint needs none."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        del model, trial
        self.save_now()

    def _load_from_checkpoint(self: Any, resume_from_checkpoint: str, model: Any = None) -> None:
        del model
        weights = read_state(Path(resume_from_checkpoint), _SHARED)["weights"]
        with torch.no_grad():
            for name, parameter in _trained(self.model):
                parameter.copy_(weights[name])

    def _load_optimizer_and_scheduler(self: Any, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        shared = read_state(Path(checkpoint), _SHARED)
        self.optimizer.load_state_dict(shared["optimizer"])
        self.lr_scheduler.load_state_dict(shared["scheduler"])
        own = read_state(Path(checkpoint), self._own_name())
        for name, value in own["attributes"].items():
            _restore(self, name, _on(self.args.device, value))
        if own["rollouts"] is not None:
            self._buffered_inputs = _on(self.args.device, own["rollouts"])

    def _load_rng_state(self: Any, checkpoint: str | None) -> None:
        if checkpoint is not None:
            set_random_state(read_state(Path(checkpoint), self._own_name())["random"])

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
        parent: Any = super()
        sampler = parent._get_train_sampler(*args, **kwargs)
        deals_on = isinstance(getattr(sampler, "generator", None), torch.Generator) and not hasattr(
            sampler, "set_epoch"
        )
        return EpochSampler(sampler) if deals_on else sampler

    def _clip_grad_norm(self: Any, model: Any) -> Any:
        parent: Any = super()
        norm = parent._clip_grad_norm(model)
        if self.may_update is not None and not self.may_update(float(norm)):
            # Without gradients the optimizer leaves weights and moments alone.
            model.zero_grad(set_to_none=True)
        return norm

    def _attributes(self) -> tuple[str, ...]:
        return (*_ATTRIBUTES, *self.resumed_attributes)

    def _own_name(self: Any) -> str:
        return f"process-{self.args.process_index}"

    def _rollouts(self: Any) -> Any:
        """Completions that later steps will learn from, where there are some left."""
        buffered = getattr(self, "_buffered_inputs", None)
        if buffered is None or self._step % (self.args.steps_per_generation * self.num_iterations) == 0:
            return None
        return buffered


class EpochSampler(Sampler[int]):
    """A sampler with a generator, whose order in an epoch depends on that epoch's number alone."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self._seed = sampler.generator.initial_seed()
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; the trainer calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._sampler)

    def __iter__(self) -> Iterator[int]:
        self._sampler.generator.manual_seed(self._seed + self._epoch)
        yield from self._sampler


def make_resumable(trainer: Any) -> Any:
    """Lay `Resumable` over a trainer, whatever its class."""
    kind = type(trainer)
    trainer.__class__ = type(f"Resumable{kind.__name__}", (Resumable, kind), {})
    return trainer


def _trained(model: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def _restore(trainer: Any, name: str, value: Any) -> None:
    """Set an attribute; a dictionary keeps its type, which may make missing entries by itself."""
    current = getattr(trainer, name, None)
    if not isinstance(current, dict):
        setattr(trainer, name, value)
        return
    for key, item in value.items():
        if isinstance(current.get(key), dict):
            current[key].clear()
            current[key].update(item)
        else:
            current[key] = item


def _on(device: torch.device, value: Any) -> Any:
    """The value with its tensors on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _on(device, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_on(device, item) for item in value)
    return value
