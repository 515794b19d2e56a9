"""How far a student's next-token distribution is from a teacher's that is known by its most likely tokens only.

The teacher's k most likely tokens keep a bucket each, all others share one, the tail; the student's probabilities are
put into the same buckets. That can only make two distributions look more alike, never less, and with k = vocabulary it
changes nothing.

Temperature flattens before the cut: the mass of a tempered tail cannot be told from that of the tail as it was. So the
teacher's log-probabilities are kept at the temperature of the training, and only the student's logits are tempered
here. A gradient shrinks with the square of the temperature; whoever mixes losses multiplies by it (Hinton et al. 2015).
"""

import math
from typing import Literal

import torch
from torch import Tensor

Divergence = Literal["forward_kl", "reverse_kl", "jsd"]

# Smaller probabilities are 0 in float32.
_MIN_LOGPROB = -100.0
# The teacher's tail is 1 minus a sum, known no better than this in float32 (in half precision to 1e-3 at best, which
# spoils the reverse KL); exactly 0 would make the reverse KL infinite.
_MIN_TAIL = 1e-7


def top_logprobs(logits: Tensor, k: int, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Ids [..., k] and log-probabilities [..., k] of the most likely tokens, the likeliest first."""
    logprobs, ids = torch.log_softmax(logits.float() / temperature, dim=-1).topk(k, dim=-1)
    return ids, logprobs


def divergence(
    student_logits: Tensor,
    top_ids: Tensor,
    top_logprobs: Tensor,
    kind: Divergence = "forward_kl",
    temperature: float = 1.0,
    beta: float = 0.5,
) -> Tensor:
    """Nats per token, shape [...], between a teacher, given by ids and log-probabilities, and logits [..., vocab].

    `forward_kl` is KL(teacher, student), `reverse_kl` is KL(student, teacher). `jsd` mixes both with m = beta * teacher
    + (1 - beta) * student: beta * KL(teacher, m) + (1 - beta) * KL(student, m), 0 < beta < 1 (Agarwal et al. 2023,
    arXiv:2306.13649). `top_logprobs` must have been taken at this temperature.
    """
    has_tail = top_ids.shape[-1] < student_logits.shape[-1]
    teacher = _teacher_buckets(top_logprobs, has_tail)
    student = _student_buckets(student_logits.float() / temperature, top_ids, has_tail)
    if kind == "forward_kl":
        return _kl(teacher, student)
    if kind == "reverse_kl":
        return _kl(student, teacher)
    mixture = torch.logaddexp(teacher + math.log(beta), student + math.log1p(-beta))
    return beta * _kl(teacher, mixture) + (1 - beta) * _kl(student, mixture)


def _kl(first: Tensor, second: Tensor) -> Tensor:
    return (first.exp() * (first - second)).sum(-1)


def _teacher_buckets(top_logprobs: Tensor, has_tail: bool) -> Tensor:
    """Log-probabilities of the buckets; they add up to 1 also where half precision rounded them."""
    buckets = top_logprobs.float().clamp(min=_MIN_LOGPROB)
    if has_tail:
        tail = (1 - buckets.exp().sum(-1, keepdim=True)).clamp(min=_MIN_TAIL)
        buckets = torch.cat([buckets, tail.log()], dim=-1)
    return torch.log_softmax(buckets, dim=-1)


def _student_buckets(logits: Tensor, top_ids: Tensor, has_tail: bool) -> Tensor:
    """Log-probabilities of the teacher's buckets under the student."""
    ids = top_ids.long()
    total = torch.logsumexp(logits, dim=-1, keepdim=True)
    top = logits.gather(-1, ids) - total
    if not has_tail:
        return top
    # Summed over the other tokens: 1 minus the sum of the top would lose a small tail, and its gradient would explode.
    others = logits.scatter(-1, ids, -math.inf)
    return torch.cat([top, torch.logsumexp(others, dim=-1, keepdim=True) - total], dim=-1)
