"""Where an alignment starts: the model as `train` left it, as policy to be trained and as reference beside it."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import PeftConfig, PeftModel

from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Adaptation, Align, Base
from pipeline.contract.problems import StageError
from pipeline.models.chat import stop_token_id
from pipeline.models.devices import pick_device, pick_dtype, training_dtype
from pipeline.models.loading import LoadedModel, load_merged, load_model
from pipeline.models.preflight import check_adaptation, of_processes, refuse
from pipeline.models.stopping import pad_token_id, stop_token_ids
from pipeline.training.adapters import lora_config
from pipeline.training.reference import frozen_copy, train_on
from pipeline.training.residual import changes_base


@dataclass(frozen=True, slots=True)
class PolicyStart:
    """A policy before its first step."""

    model: Any
    """What is trained, or where `peft_config` is given, what it is put on."""
    reference: Any
    """The same model, which stays as it is."""
    tokenizer: Any
    """Its tokenizer."""
    device: torch.device
    """Where both lie."""
    peft_config: PeftConfig | None
    """The new adapter, if there is one."""
    method: str
    """What is trained, for the manifest."""
    stop_ids: list[int]
    """Tokens that end an answer."""
    pad_id: int
    """Token that fills up short rows."""
    rounded_dtype: torch.dtype | None
    """Type in which the weights are handed on where that is coarser than the one they are trained in."""
    manifest: Manifest
    """What the trained weights will be put on."""

    @property
    def stop_id(self) -> int:
        """Token that the chat template puts at the end of an answer."""
        return stop_token_id(self.tokenizer)

    @property
    def num_positions(self) -> int | None:
        """Positions that are left to a row beside a soft prompt; None where the model does not say."""
        positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        config = self.model.active_peft_config if isinstance(self.model, PeftModel) else None
        return None if positions is None else positions - (getattr(config, "num_virtual_tokens", None) or 0)

    def longest(self, max_length: int) -> int:
        """Tokens that a row may have."""
        positions = self.num_positions
        return max_length if positions is None else min(max_length, positions)


def start_policy(params: Align, start: Manifest, base: Base) -> PolicyStart:
    """Load the model and make its reference; StageError when model or machine do not allow what params ask for."""
    device = pick_device()
    new = Adaptation(peft="none" if params.peft == "none" else "lora", lora=params.lora)
    if params.peft != "continue":
        check_adaptation("align", new, start, base.trust_remote_code)
    refuse(list(of_processes("align", params)))
    dtype = training_dtype(new.peft, base.dtype, device)
    loaded = _load(params, start, base.model_copy(update={"dtype": dtype}), device)
    stop_ids = stop_token_ids(loaded)
    model: Any = train_on(loaded.model) if isinstance(loaded.model, PeftModel) else loaded.model
    if params.peft != "continue":
        model.requires_grad_(params.peft == "none")
    target = pick_dtype(base.dtype, device)
    return PolicyStart(
        model=model,
        reference=frozen_copy(model, shared=params.peft == "continue" or not changes_base(params.lora)),
        tokenizer=loaded.tokenizer,
        device=device,
        peft_config=lora_config(params.lora) if params.peft == "lora" else None,
        method={"lora": "lora", "none": "full"}.get(params.peft) or start.adapters[-1].method,
        stop_ids=stop_ids,
        pad_id=pad_token_id(loaded.tokenizer),
        rounded_dtype=None if pick_dtype(dtype, device) == target else target,
        manifest=_without_last_adapter(start) if params.peft == "continue" else start,
    )


def _load(params: Align, start: Manifest, base: Base, device: torch.device) -> LoadedModel:
    """The model under its last adapter, which is trained on, or with all adapters folded in."""
    if params.peft != "continue":
        return load_merged(start, base, device)
    if not start.adapters:
        raise StageError("align.peft is 'continue': the trained model has no adapter to go on with; set it to lora")
    return load_model(start, base, device)


def _without_last_adapter(start: Manifest) -> Manifest:
    *others, last = start.adapters
    return replace(start, adapters=tuple(others), num_parameters=start.num_parameters - last.num_parameters)
