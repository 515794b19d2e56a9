"""How likely a model finds the reference answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from pipeline.evals.encoding import EncodedExample
from pipeline.models.inputs import bare_model, last_logits, model_inputs
from pipeline.models.loading import Model

# Logits of one forward pass: 1 GiB in float32.
_MAX_NUM_LOGITS = 2**28


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One reference answer under the model, its stop token included."""

    nats: float
    """Negative log-likelihood, summed over the tokens."""
    num_tokens: int
    """Tokens of the reference answer."""
    num_first: int
    """Tokens that the model would have said itself, given those before."""


@torch.inference_mode()
def likelihoods(model: Model, examples: Sequence[EncodedExample], pad_id: int) -> list[Likelihood]:
    """Likelihood of each completion given its prompt."""
    parts = _parts(examples, bare_model(model).get_input_embeddings().weight.shape[0])
    return [likelihood for part in parts for likelihood in _batch(model, part, pad_id)]


def _parts(examples: Sequence[EncodedExample], vocab_size: int) -> Iterator[Sequence[EncodedExample]]:
    """Parts whose logits fit into memory, also with a large vocabulary."""
    longest = max((len(example.completion_ids) for example in examples), default=0)
    size = max(1, _MAX_NUM_LOGITS // ((longest + 1) * vocab_size))
    return (examples[start : start + size] for start in range(0, len(examples), size))


def _batch(model: Model, examples: Sequence[EncodedExample], pad_id: int) -> Iterator[Likelihood]:
    rows = [[*example.prompt_ids, *example.completion_ids] for example in examples]
    lengths = [len(example.completion_ids) for example in examples]
    # One more position than tokens: each token is predicted from the one before it.
    logits = last_logits(model, model_inputs(model, rows, pad_id), max(lengths) + 1)[:, :-1]
    for row, length, row_logits in zip(rows, lengths, logits, strict=True):
        targets = torch.tensor(row[len(row) - length :], dtype=torch.long, device=logits.device)
        own = row_logits[len(row_logits) - length :]
        nats = functional.cross_entropy(own, targets, reduction="sum").item()
        yield Likelihood(nats, length, int((own.argmax(-1) == targets).sum()))
