"""One pass of the teacher over all prompts: its answers, and its most likely tokens along them and along the labels."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.contract import paths
from pipeline.contract.params import Teacher
from pipeline.contract.problems import StageError
from pipeline.contract.recorder import StageRecorder
from pipeline.models.chat import encode_example, encode_prompt, stop_token_id
from pipeline.models.devices import device_memory, device_name
from pipeline.models.generation import Decoding, batches_by_length, decoding_of, generate
from pipeline.models.loading import LoadedModel
from pipeline.training.divergence import top_logprobs
from pipeline.training.live_teacher import answer_logits
from pipeline.training.rows import read_rows
from pipeline.training.teacher_table import (
    ANSWER,
    BOTH,
    LABEL,
    Facts,
    ScoredText,
    hash_vocabulary,
    table_writer,
    vocabulary_size,
    write_facts,
    write_part,
)
from pipeline.training.tempering import tail_logs

# Logits of one forward pass: 1 GiB in float32.
_MAX_NUM_LOGITS = 2**28


@dataclass(frozen=True, slots=True)
class _Text:
    """A completion of a row, before the teacher has seen it."""

    id: str
    origin: str
    text: str
    prompt_ids: list[int]
    token_ids: list[int]


@dataclass(slots=True)
class _Sums:
    """What the metrics are made of."""

    num_right: int = 0
    num_truncated: int = 0
    num_answer_tokens: int = 0
    nats: float = 0.0
    num_label_tokens: int = 0


def num_batches(params: Teacher) -> int:
    """Steps of the pass, as far as they are known before it."""
    num_rows = len(read_rows(paths.split_file("train")))
    return -(-num_rows // params.batch_size)


def answer_prompts(
    loaded: LoadedModel, params: Teacher, recorder: StageRecorder
) -> tuple[dict[str, float], dict[str, float | int | None]]:
    """Write data/teacher; the metrics of the pass, and what it cost."""
    start = time.monotonic()
    sums = _Sums()
    rows = read_rows(paths.split_file("train"))
    recorder.plan(num_batches(params), device_name(loaded.device))
    with device_memory("the teacher's pass", "lower teacher.batch_size"):
        texts = _texts(loaded, params, rows, recorder, sums)
        size = vocabulary_size(loaded.tokenizer)
        top_k = min(params.top_k, size)
        _score_all(loaded, texts, top_k, size, sums)
    write_facts(Facts(params.source, top_k, size, hash_vocabulary(loaded.tokenizer)))
    metrics = {
        "teacher_answers/exact_match": sums.num_right / len(rows),
        "teacher_answers/truncated": sums.num_truncated / len(rows),
        "teacher_answers/num_tokens": sums.num_answer_tokens,
        "teacher_answers/loss": sums.nats / max(sums.num_label_tokens, 1),
    }
    return metrics, {"answers_s": round(time.monotonic() - start, 3)}


def _texts(
    loaded: LoadedModel,
    params: Teacher,
    rows: Sequence[dict[str, Any]],
    recorder: StageRecorder,
    sums: _Sums,
) -> list[_Text]:
    """Labels and the teacher's answers, in the order of the rows."""
    decoding = decoding_of(loaded, params.max_new_tokens)
    prompts = [encode_prompt(loaded.tokenizer, row["prompt"]) for row in rows]
    answers: dict[int, str | None] = {}
    for step, batch in enumerate(batches_by_length([len(ids) for ids in prompts], params.batch_size), start=1):
        for position, ids in zip(batch, generate(loaded.model, [prompts[p] for p in batch], decoding), strict=True):
            sums.num_answer_tokens += len(ids)
            answers[position] = _answer(loaded, ids, decoding)
        recorder.log(step)
    sums.num_truncated = sum(answer is None for answer in answers.values())
    stop_id = stop_token_id(loaded.tokenizer)
    return [text for place, row in enumerate(rows) for text in _of_row(loaded, row, answers[place], stop_id, sums)]


def _answer(loaded: LoadedModel, ids: list[int], decoding: Decoding) -> str | None:
    """The answer as text; None where it was cut off: a student would learn to stop in the middle."""
    if not ids or ids[-1] not in decoding.stop_ids:
        return None
    return str(loaded.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _of_row(loaded: LoadedModel, row: dict[str, Any], answer: str | None, stop_id: int, sums: _Sums) -> Iterator[_Text]:
    label = str(row["completion"])
    is_right = answer == label
    sums.num_right += is_right
    texts = [(BOTH if is_right else LABEL, label)]
    if answer is not None and not is_right:
        texts.append((ANSWER, answer))
    for origin, text in texts:
        yield _Text(str(row["id"]), origin, text, *encode_example(loaded.tokenizer, row["prompt"], text, stop_id))


def _score_all(loaded: LoadedModel, texts: Sequence[_Text], top_k: int, size: int, sums: _Sums) -> None:
    """Write every text with the teacher's most likely tokens, those of like length together."""
    lengths = [len(text.prompt_ids) + len(text.token_ids) for text in texts]
    longest = max(len(text.token_ids) for text in texts)
    batch_size = max(1, min(256, _MAX_NUM_LOGITS // ((longest + 1) * size)))
    with table_writer() as writer:
        for batch in batches_by_length(lengths, batch_size):
            write_part(writer, list(_score(loaded, [texts[position] for position in batch], top_k, size, sums)))


def _score(loaded: LoadedModel, texts: Sequence[_Text], top_k: int, size: int, sums: _Sums) -> Iterator[ScoredText]:
    answers = [text.token_ids for text in texts]
    for text, own in zip(texts, answer_logits(loaded, [t.prompt_ids for t in texts], answers, size), strict=True):
        if not torch.isfinite(own).all():
            raise StageError("the teacher's logits are not finite; does the model work at all? See teacher.source")
        if text.origin != ANSWER:
            targets = torch.tensor(text.token_ids, device=own.device)
            sums.nats += torch.nn.functional.cross_entropy(own, targets, reduction="sum").item()
            sums.num_label_tokens += len(text.token_ids)
        ids, logprobs = top_logprobs(own, top_k)
        tails = tail_logs(own, ids)
        yield ScoredText(
            text.id,
            text.origin,
            text.text,
            text.token_ids,
            ids.int().cpu().numpy(),
            logprobs.cpu().numpy(),
            tails.cpu().numpy(),
        )
