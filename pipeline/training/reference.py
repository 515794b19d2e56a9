"""The reference model of an alignment: the policy before its first step, on the same frozen weights."""

import copy
from typing import Any

import torch
from peft import PeftModel

from pipeline.models.inputs import bare_model


def frozen_copy(policy: Any, *, shared: bool) -> Any:
    """A copy that never changes, in evaluation mode.

    Frozen parameters are not copied where `shared` says so: a base of billions of parameters lies in memory once.
    """
    frozen = [parameter for parameter in policy.parameters() if not parameter.requires_grad] if shared else []
    # deepcopy takes what its memo knows for the copy.
    reference = copy.deepcopy(policy, {id(parameter): parameter for parameter in frozen})
    return reference.requires_grad_(False).eval()


def bare_reference(reference: Any) -> Any:
    """The transformers model inside, to which a trainer may add its head."""
    return bare_model(reference)


class FoldedPrompt(torch.nn.Module):
    """A soft prompt as its embeddings alone: what an encoder made of it is saved, the encoder is not."""

    def __init__(self, embedding: torch.nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, indices: torch.Tensor) -> Any:
        """Embeddings of the virtual tokens."""
        return self.embedding(indices)


def train_on(model: PeftModel) -> PeftModel:
    """Make the weights of a loaded adapter trainable, those below it not."""
    name = model.active_adapter
    config = model.active_peft_config
    model.requires_grad_(False)
    if config.is_prompt_learning:
        encoder: Any = model.prompt_encoder[name]
        model.prompt_encoder[name] = FoldedPrompt(encoder.embedding).requires_grad_(True)
    else:
        config.inference_mode = False
        model.set_adapter(name)
    return model
