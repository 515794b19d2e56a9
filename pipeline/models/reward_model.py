"""Reward models: a score for an answer, by a head of its own or by how likely the model finds the answer.

Both read the conversation up to the stop token. A head's score is any number; a likelihood is the geometric mean of the
probabilities of the answer's tokens, between 0 and 1.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from pipeline.contract.manifest import read_manifest
from pipeline.contract.problems import StageError
from pipeline.models.chat import encode_example, stop_token_id
from pipeline.models.devices import DType, pick_device
from pipeline.models.likelihood import answer_log_probs
from pipeline.models.loading import load_tokenizer, load_weights
from pipeline.models.messages import Message
from pipeline.models.weights import CONFIG_FILE

_BATCH_SIZE = 64

Row = tuple[list[int], list[int]]
"""Token ids of a prompt, and of an answer with its stop token."""


def load_reward_model(
    directory: Path, device: torch.device | None = None, trust_remote_code: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load what the stage `reward` wrote, in evaluation mode; StageError when it is no reward model."""
    device = device or pick_device()
    if not (directory / CONFIG_FILE).is_file():
        raise StageError(f"{directory}: no reward model here; set reward.objective and run dvc repro")
    if read_manifest(directory).stage != "reward":
        raise StageError(f"{directory}: not a reward model; run dvc repro -f reward")
    config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=trust_remote_code)
    model: Any
    if any("SequenceClassification" in name for name in config.architectures or ()):
        model = _load_with_head(directory, trust_remote_code)
    else:
        dtype: DType = "bfloat16" if config.dtype == torch.bfloat16 else "float32"
        model = load_weights(directory, dtype, device, trust_remote_code)
    return model.to(device).eval(), load_tokenizer(directory, trust_remote_code)


def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[Message]],
    completions: Sequence[str],
    batch_size: int = _BATCH_SIZE,
) -> list[float]:
    """The score of each completion of the prompt beside it; what the model has no positions for is cut in front."""
    stop_id = stop_token_id(tokenizer)
    rows = [encode_example(tokenizer, prompt, text, stop_id) for prompt, text in zip(prompts, completions, strict=True)]
    return score_rows(model, rows, batch_size)


def score_rows(model: PreTrainedModel, rows: Sequence[Row], batch_size: int = _BATCH_SIZE) -> list[float]:
    """The score of each row."""
    limit = num_positions(model.config)
    fitting = [row if limit is None else _cut(row, limit) for row in rows]
    scores = [math.nan] * len(rows)
    for numbers in _batches(fitting, batch_size):
        for number, value in zip(numbers, _score_batch(model, [fitting[number] for number in numbers]), strict=True):
            scores[number] = value
    return scores


def pad_right(
    rows: Sequence[Row], pad_id: int, device: torch.device | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask, and the mask of the answers; on the right every row keeps its positions."""
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, mask, answers = [], [], []
    for prompt, answer in rows:
        rest = width - len(prompt) - len(answer)
        ids.append([*prompt, *answer, *[pad_id] * rest])
        mask.append([1] * (width - rest) + [0] * rest)
        answers.append([False] * len(prompt) + [True] * len(answer) + [False] * rest)
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device), torch.tensor(answers, device=device)


def num_positions(config: Any) -> int | None:
    """Longest row that the model takes; None without a limit."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return None if positions is None else int(positions)


def _load_with_head(directory: Path, trust_remote_code: bool) -> PreTrainedModel:
    auto: Any = AutoModelForSequenceClassification
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
        raise StageError(f"{directory}: cannot load the reward model ({reason}); run dvc repro -f reward") from error
    if report["missing_keys"] or model.config.num_labels != 1:
        raise StageError(f"{directory}: the reward model does not give one score; run dvc repro -f reward")
    result: PreTrainedModel = model
    return result


def _cut(row: Row, limit: int) -> Row:
    """The last tokens that fit; one of the prompt stays, from which the answer goes on."""
    prompt, answer = row
    answer = answer[-(limit - 1) :]
    return prompt[-(limit - len(answer)) :], answer


def _batches(rows: Sequence[Row], batch_size: int) -> Iterator[list[int]]:
    """Numbers of rows of like length."""
    order = sorted(range(len(rows)), key=lambda number: sum(map(len, rows[number])))
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


@torch.inference_mode()
def _score_batch(model: PreTrainedModel, rows: Sequence[Row]) -> list[float]:
    pad_id = getattr(model.config.get_text_config(), "pad_token_id", None) or 0
    ids, mask, answers = pad_right(rows, pad_id, model.device)
    if model.can_generate():
        scores = answer_log_probs(model, ids, mask, answers).exp()
    else:
        scores = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0].float()
    values: list[float] = scores.tolist()
    return values
