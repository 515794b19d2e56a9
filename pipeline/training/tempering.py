"""Kept top log-probabilities at any temperature: what they lack, the mass of all other tokens, is kept beside them.

Tempering divides by the sum of p^(1/T) over the whole vocabulary. Its part outside the top tokens is a smooth function
of 1/T, known exactly at 1/T = 0, where every token counts 1; kept at five more points, it is known in between by the
polynomial through all six. At lower temperatures the tail fades, and a power of the last kept value bounds it.
"""

import math

import torch
from torch import Tensor

INVERSE_TEMPERATURES = (2.0, 1.0, 0.5, 0.25, 0.125)
"""Where the tail is kept: exact at the temperatures 0.5, 1, 2, 4 and 8."""

# Smaller than any float32 probability that matters, and finite: an empty tail has logarithm -infinity.
_MIN_LOG = -100.0


def tail_logs(logits: Tensor, top_ids: Tensor) -> Tensor:
    """For each of INVERSE_TEMPERATURES the log of the sum of p^(1/T) outside the top tokens; shape [..., 5]."""
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    others = logprobs.scatter(-1, top_ids.long(), -math.inf)
    logs = [torch.logsumexp(others * inverse, dim=-1) for inverse in INVERSE_TEMPERATURES]
    return torch.stack(logs, dim=-1).clamp(min=_MIN_LOG)


def tempered(top_logprobs: Tensor, tails: Tensor, num_tokens: int, temperature: float) -> Tensor:
    """The kept log-probabilities [..., k] at a temperature; `num_tokens` is the size of the vocabulary."""
    if temperature == 1:
        return top_logprobs
    scaled = top_logprobs / temperature
    num_others = num_tokens - top_logprobs.shape[-1]
    if num_others == 0:
        return torch.log_softmax(scaled, dim=-1)
    tail = _tail(tails, num_others, 1 / temperature)
    return scaled - torch.logaddexp(torch.logsumexp(scaled, dim=-1), tail).unsqueeze(-1)


def _tail(tails: Tensor, num_others: int, inverse: float) -> Tensor:
    if inverse > INVERSE_TEMPERATURES[0]:
        return tails[..., 0] * (inverse / INVERSE_TEMPERATURES[0])
    points = (0.0, *INVERSE_TEMPERATURES)
    values = torch.cat([torch.full_like(tails[..., :1], math.log(num_others)), tails], dim=-1)
    weights = torch.tensor([_lagrange(points, point, inverse) for point in points], device=tails.device)
    return (values * weights).sum(-1)


def _lagrange(points: tuple[float, ...], own: float, at: float) -> float:
    return math.prod((at - other) / (own - other) for other in points if other != own)
