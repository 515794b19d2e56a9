"""Reward models: a language model with a score in place of the next token, read where the answer ends."""

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.contract.problems import StageError
from pipeline.models.chat import encode_example, stop_token_id
from pipeline.models.devices import pick_device
from pipeline.models.loading import load_tokenizer
from pipeline.models.messages import Message
from pipeline.models.weights import CONFIG_FILE

_BATCH_SIZE = 64


def load_reward_model(
    directory: Path, device: torch.device | None = None, trust_remote_code: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load what the stage `reward` wrote, in evaluation mode; StageError when it is no reward model."""
    auto: Any = AutoModelForSequenceClassification
    if not (directory / CONFIG_FILE).is_file():
        raise StageError(f"{directory}: no reward model here; set reward.objective to bradley_terry and run dvc repro")
    try:
        model, report = auto.from_pretrained(
            directory,
            dtype="auto",
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StageError(f"{directory}: cannot load the reward model ({reason}); run dvc repro reward") from error
    if report["missing_keys"] or model.config.num_labels != 1:
        raise StageError(f"{directory}: not a reward model: it does not give one score; run dvc repro -f reward")
    tokenizer = load_tokenizer(directory, trust_remote_code)
    return model.to(device or pick_device()).eval(), tokenizer


def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[Message]],
    completions: Sequence[str],
    batch_size: int = _BATCH_SIZE,
) -> list[float]:
    """The score of each completion of the prompt beside it; what the model has no positions for is cut in front."""
    stop_id = stop_token_id(tokenizer)
    rows = [encode_row(tokenizer, prompt, text, stop_id) for prompt, text in zip(prompts, completions, strict=True)]
    limit = num_positions(model.config) or max(map(len, rows), default=0)
    return score_rows(model, [row[-limit:] for row in rows], batch_size)


def encode_row(tokenizer: PreTrainedTokenizerBase, prompt: list[Message], answer: str, stop_id: int) -> list[int]:
    """Prompt, answer and stop token, exactly as generation sees them."""
    prompt_ids, answer_ids = encode_example(tokenizer, prompt, answer, stop_id)
    return prompt_ids + answer_ids


def score_rows(model: PreTrainedModel, rows: Sequence[Sequence[int]], batch_size: int = _BATCH_SIZE) -> list[float]:
    """The score of each row of token ids, which ends in the stop token."""
    scores = [math.nan] * len(rows)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        for number, value in zip(numbers, _score_batch(model, [rows[number] for number in numbers]), strict=True):
            scores[number] = value
    return scores


@torch.inference_mode()
def _score_batch(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[float]:
    """Padded on the right, so that every row keeps its positions."""
    pad_id = model.config.get_text_config().pad_token_id
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
    scores: list[float] = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0].float().tolist()
    return scores


def num_positions(config: Any) -> int | None:
    """Longest row that the model takes; None without a limit."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return None if positions is None else int(positions)


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that fills up short rows; the score is read at the last token that is another one.

    Where the stop token fills up, that is the last one of the answer's text: the score does not depend on the batch.
    """
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(stop_token_id(tokenizer))
    pad_id: Any = tokenizer.pad_token_id
    return int(pad_id)


def with_score(model: PreTrainedModel, pad_id: int, seed: int, trust_remote_code: bool = False) -> PreTrainedModel:
    """The same layers under a new score head, which is drawn by the seed; no weight is copied."""
    config: Any = copy.deepcopy(model.config)
    config.num_labels = 1
    config.get_text_config().pad_token_id = pad_id
    try:
        with torch.device("meta"):
            auto: Any = AutoModelForSequenceClassification
            scored: Any = auto.from_config(config, attn_implementation="sdpa", trust_remote_code=trust_remote_code)
    except ValueError as error:
        raise StageError(
            f"reward.objective: transformers has no form of {config.model_type} that gives a score; take another base"
        ) from error
    prefix = scored.base_model_prefix
    if type(getattr(scored, prefix)) is not type(model.base_model):
        raise StageError(f"reward.objective: the layers of {config.model_type} do not fit under a score head")
    setattr(scored, prefix, model.base_model)
    _draw_head(scored, model, seed)
    result: PreTrainedModel = scored
    return result


def _draw_head(scored: Any, model: PreTrainedModel, seed: int) -> None:
    """Give values to what is still without: a spread at which scores start near 1 (Stiennon et al. 2020)."""
    generator = torch.Generator().manual_seed(seed)
    for module in scored.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                spread = 1 / math.sqrt(parameter.shape[-1] + 1) if parameter.dim() > 1 else 0.0
                values = torch.randn(parameter.shape, generator=generator) * spread
                setattr(module, name, torch.nn.Parameter(values.to(model.device, model.dtype)))
