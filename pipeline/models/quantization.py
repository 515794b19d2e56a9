"""QLoRA: the base in 4 bits (nf4, scales quantised too, computing in bfloat16) while an adapter is trained on it.

Evaluation and merging use the base as it is on disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from transformers import BitsAndBytesConfig

from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Adaptation, Base
from pipeline.models.loading import LoadedModel, fold_in, load_tokenizer, load_weights, put_on

Quantization = Literal["none", "nf4"]


def quantization_of(params: Adaptation) -> Quantization:
    """How the base is held while these params train it."""
    return params.lora.quantization if params.peft == "lora" else "none"


def load_quantized(start: Manifest, params: Base, device: torch.device) -> LoadedModel:
    """Load what a manifest describes in 4 bits; adapters that it has already are folded in before it is quantised."""
    with _plain_weights(start, params) as directory:
        model = load_weights(directory, params.dtype, device, params.trust_remote_code, nf4_config())
    return LoadedModel(model.eval(), load_tokenizer(Path(start.tokenizer), params.trust_remote_code), device)


def nf4_config() -> Any:
    """The quantisation of QLoRA (arXiv:2305.14314), as transformers takes it."""
    config: Any = BitsAndBytesConfig
    return config(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


@contextmanager
def _plain_weights(start: Manifest, params: Base) -> Iterator[Path]:
    """Folder with weights that hold everything the manifest describes; a temporary one where that has adapters."""
    if not start.adapters:
        yield Path(start.weights)
        return
    cpu = torch.device("cpu")
    model = put_on(load_weights(Path(start.weights), params.dtype, cpu, params.trust_remote_code), start.adapters)
    with TemporaryDirectory() as scratch:
        fold_in(model, start.adapters[-1].path).save_pretrained(scratch)
        del model
        yield Path(scratch)
