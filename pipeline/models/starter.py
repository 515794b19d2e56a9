"""The starter model: a small decoder with its own tokenizer, pretrained on the CPU in minutes.

Not a mock: an ordinary transformers model that the pipeline treats like any other base model. What makes pretraining
this short enough is told in docs/experiments.md.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import torch
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from pipeline.contract.params import StarterModel
from pipeline.contract.problems import StageError
from pipeline.models.seeding import num_threads
from pipeline.models.starter_batches import IGNORED, length_bucketed
from pipeline.models.starter_tokenizer import DOCUMENT_END, MAX_LENGTH, train_tokenizer
from pipeline.models.starter_weights import start_by_copying

OnStep = Callable[[int, int, dict[str, float]], None]

_REPORT_INTERVAL_STEPS = 10
_NUM_TOKENIZER_DOCUMENTS = 8_000
_WARMUP_STEPS = 40
_WEIGHT_DECAY = 0.1


def pretrain(params: StarterModel, documents: Iterable[str], directory: Path, seed: int, on_step: OnStep) -> None:
    """Train tokenizer and model on the documents and save both into `directory`.

    `on_step(step, num_steps, metrics)` is called every few steps, the last one included. Equal params, documents and
    seed give equal weights, bit for bit, on machines with the same kind of CPU and the same torch.
    """
    texts = list(documents)
    if not texts:
        raise StageError("base.starter.num_documents: the corpus is empty, there is nothing to pretrain on")
    with _deterministic(seed):
        tokenizer = train_tokenizer(islice(texts, _NUM_TOKENIZER_DOCUMENTS), params.vocab_size)
        model = build_model(params, tokenizer)
        torch.set_num_threads(num_threads(model.num_parameters()))
        _fit(model, tokenizer, texts, params, seed, on_step)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def build_model(params: StarterModel, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Make the model with fresh weights; torch's global seed decides them."""
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": params.hidden_size,
        "intermediate_size": 3 * params.hidden_size,
        "num_hidden_layers": params.num_layers,
        "num_attention_heads": params.num_heads,
        "num_key_value_heads": params.num_kv_heads,
        "head_dim": params.hidden_size // params.num_heads,
        "max_position_embeddings": MAX_LENGTH,
        "initializer_range": 0.04,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    }
    model: PreTrainedModel
    if params.architecture == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(**shape))
    else:
        model = LlamaForCausalLM(LlamaConfig(**shape))
    start_by_copying(model)
    model.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=[tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(DOCUMENT_END)],
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Fix seed, thread count and algorithms, and leave torch as it was found."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.get_rng_state()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.set_rng_state(state)


def _fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: list[str],
    params: StarterModel,
    seed: int,
    on_step: OnStep,
) -> None:
    end = tokenizer.convert_tokens_to_ids(DOCUMENT_END)
    encoded = [[*ids[: MAX_LENGTH - 1], end] for ids in tokenizer(texts)["input_ids"]]
    batches = length_bucketed(encoded, params.batch_size, params.num_steps, tokenizer.pad_token_id, seed)
    optimizers = _optimizers(model, params)
    peaks = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    model.train()
    losses: list[float] = []
    for step, (input_ids, labels) in enumerate(batches, start=1):
        factor = _lr_factor(step, params.num_steps)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = peak * factor
        loss = _loss(model, input_ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
        losses.append(loss.item())
        if step % _REPORT_INTERVAL_STEPS == 0 or step == params.num_steps:
            mean = sum(losses) / len(losses)
            on_step(step, params.num_steps, {"train/loss": mean, "train/learning_rate": params.learning_rate * factor})
            losses.clear()


def _loss(model: PreTrainedModel, input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy; the head sees only the positions that count."""
    hidden = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    counts = targets != IGNORED
    logits = model.get_output_embeddings()(hidden[counts])
    return torch.nn.functional.cross_entropy(logits, targets[counts])


def _optimizers(model: PreTrainedModel, params: StarterModel) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed" not in name and params.muon_learning_rate > 0
        (matrices if is_matrix else others).append(parameter)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, lr=params.learning_rate, betas=(0.9, 0.95), weight_decay=_WEIGHT_DECAY, fused=True)
    ]
    if matrices:
        muon = torch.optim.Muon(
            matrices, lr=params.muon_learning_rate, weight_decay=_WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"
        )
        optimizers.append(muon)
    return optimizers


def _lr_factor(step: int, num_steps: int) -> float:
    """Warm up, then fall to zero in a line: copying forms later where the rate stays high."""
    return min(step / _WARMUP_STEPS, (num_steps - step + 1) / num_steps)
