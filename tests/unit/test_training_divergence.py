"""Divergences from a teacher known by its top k: equal to torch's where nothing is cut, properties where it is."""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import kl_div

from pipeline.training.divergence import Divergence, divergence, top_logprobs

KINDS: tuple[Divergence, ...] = get_args(Divergence)
VOCAB = 40


def logits(seed: int, spread: float = 3.0, shape: tuple[int, ...] = (6, VOCAB)) -> Tensor:
    return spread * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def exact(teacher: Tensor, student: Tensor, kind: Divergence, temperature: float, beta: float) -> Tensor:
    """The same by torch's own KL in float64 over the whole vocabulary."""
    p, q = ((x.double() / temperature).log_softmax(-1) for x in (teacher, student))
    if kind == "forward_kl":
        return kl_div(q, p, reduction="none", log_target=True).sum(-1)
    if kind == "reverse_kl":
        return kl_div(p, q, reduction="none", log_target=True).sum(-1)
    m = (beta * p.exp() + (1 - beta) * q.exp()).log()
    to_teacher, to_student = (kl_div(m, x, reduction="none", log_target=True).sum(-1) for x in (p, q))
    return beta * to_teacher + (1 - beta) * to_student


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_whole_vocabulary_gives_the_exact_divergence(kind: Divergence, temperature: float, beta: float) -> None:
    teacher, student = logits(1), logits(2)
    got = divergence(student, *top_logprobs(teacher, VOCAB, temperature), kind, temperature, beta)
    torch.testing.assert_close(got.double(), exact(teacher, student, kind, temperature, beta), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_over_the_whole_vocabulary_is_the_exact_one(kind: Divergence) -> None:
    teacher, student = logits(3), logits(4).requires_grad_()
    divergence(student, *top_logprobs(teacher, VOCAB, 2.0), kind, 2.0, 0.3).sum().backward()
    ours, student.grad = student.grad, None
    exact(teacher, student, kind, 2.0, 0.3).sum().backward()
    torch.testing.assert_close(ours, student.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_divergence_is_that_of_the_summed_tail(kind: Divergence) -> None:
    """By hand, on three tokens of which the last two share a bucket."""
    teacher, student = torch.tensor([[0.6, 0.3, 0.1]]), torch.tensor([[0.2, 0.5, 0.3]])
    got = divergence(student.log(), *top_logprobs(teacher.log(), 1), kind)
    want = exact(torch.tensor([[0.6, 0.4]]).log(), torch.tensor([[0.2, 0.8]]).log(), kind, 1.0, 0.5)
    torch.testing.assert_close(got.double(), want)


@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, VOCAB),
    temperature=st.floats(0.3, 5),
    spread=st.floats(0, 20),
    kind=st.sampled_from(KINDS),
    beta=st.floats(0.01, 0.99),
)
@settings(max_examples=150, deadline=None)
def test_cutting_keeps_it_between_zero_and_exact(
    seed: int, k: int, temperature: float, spread: float, kind: Divergence, beta: float
) -> None:
    teacher, student = logits(seed, spread), logits(seed + 1)
    cut = divergence(student, *top_logprobs(teacher, k, temperature), kind, temperature, beta).double()
    whole = exact(teacher, student, kind, temperature, beta)
    assert (cut >= -1e-5).all()
    tail = 1 - (teacher.double() / temperature).softmax(-1).topk(k).values.sum(-1)
    # The reverse KL takes the logarithm of the teacher's tail: where that is tiny, float32 leaves noise of it.
    known = (tail > 1e-3) | (kind != "reverse_kl") | (k == VOCAB)
    assert (cut <= whole * (1 + 1e-3) + 1e-4)[known].all()


@given(seed=st.integers(0, 10_000), k=st.integers(1, VOCAB), kind=st.sampled_from(KINDS), temperature=st.floats(0.3, 5))
@settings(max_examples=100, deadline=None)
def test_equal_distributions_are_not_apart(seed: int, k: int, kind: Divergence, temperature: float) -> None:
    same = logits(seed)
    got = divergence(same + 7.0, *top_logprobs(same, k, temperature), kind, temperature)
    torch.testing.assert_close(got, torch.zeros(6), atol=2e-5, rtol=0)


def test_even_jsd_is_symmetric_and_bounded() -> None:
    first, second = logits(5, 30.0), logits(6, 30.0)
    forth = divergence(second, *top_logprobs(first, VOCAB), "jsd")
    back = divergence(first, *top_logprobs(second, VOCAB), "jsd")
    torch.testing.assert_close(forth, back, rtol=1e-4, atol=1e-5)
    assert (forth > 0.1).all()
    assert (forth <= math.log(2) + 1e-5).all()


def test_jsd_leans_to_one_of_the_kls_at_the_ends_of_beta() -> None:
    teacher, student = logits(7, 1.0), logits(8, 1.0)
    top = top_logprobs(teacher, VOCAB)
    near_forward = divergence(student, *top, "jsd", beta=1e-3) / 1e-3
    near_reverse = divergence(student, *top, "jsd", beta=1 - 1e-3) / 1e-3
    torch.testing.assert_close(near_forward, divergence(student, *top, "forward_kl"), rtol=0.05, atol=1e-3)
    torch.testing.assert_close(near_reverse, divergence(student, *top, "reverse_kl"), rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 4, VOCAB])
def test_teacher_without_a_tail_leaves_values_and_gradients_finite(kind: Divergence, k: int) -> None:
    sure = torch.full((6, VOCAB), -math.inf)
    sure[:, 3] = 0.0
    student = logits(9, 40.0).requires_grad_()
    values = divergence(student, *top_logprobs(sure, k), kind)
    values.sum().backward()
    assert student.grad is not None
    assert values.isfinite().all()
    assert student.grad.isfinite().all()
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_student_that_leaves_no_tail_gets_finite_gradients(kind: Divergence) -> None:
    student = torch.full((1, VOCAB), -200.0)
    student[:, :2] = 0.0
    student.requires_grad_()
    values = divergence(student, torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.4]]).log(), kind)
    values.sum().backward()
    assert student.grad is not None
    assert values.isfinite().all()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_logprobs_in_half_precision_cost_the_tail_only(kind: Divergence) -> None:
    """Forward KL and JSD hardly see it; the reverse KL needs float32, and stays finite and not negative without."""
    teacher, student = logits(10, 6.0), logits(11)
    ids, logprobs = top_logprobs(teacher, 8)
    kept = divergence(student, ids.int(), logprobs.half(), kind)
    assert kept.isfinite().all()
    assert (kept >= -1e-5).all()
    if kind != "reverse_kl":
        torch.testing.assert_close(kept, divergence(student, ids, logprobs, kind), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [8, VOCAB])
def test_rounded_logprobs_never_make_it_negative(kind: Divergence, k: int) -> None:
    teacher = logits(15, 3.0, (200, VOCAB))
    ids, logprobs = top_logprobs(teacher, k)
    assert (divergence(teacher, ids, logprobs.bfloat16(), kind) >= -1e-5).all()


def test_descending_reaches_the_teacher() -> None:
    top = top_logprobs(logits(12, 2.0), 8, 2.0)
    for kind in KINDS:
        student = torch.zeros(6, VOCAB, requires_grad=True)
        optimizer = torch.optim.Adam([student], lr=0.1)
        for _ in range(300):
            optimizer.zero_grad()
            loss = divergence(student, *top, kind, 2.0).mean()
            loss.backward()
            optimizer.step()
        assert loss.item() < 1e-3, kind


def test_any_leading_shape_and_any_order_of_ids() -> None:
    teacher, student = logits(13, shape=(2, 5, VOCAB)), logits(14, shape=(2, 5, VOCAB))
    ids, logprobs = top_logprobs(teacher, 7)
    got = divergence(student, ids.flip(-1), logprobs.flip(-1))
    assert got.shape == (2, 5)
    torch.testing.assert_close(got[1, 2], divergence(student[1, 2], ids[1, 2], logprobs[1, 2]))


def test_top_logprobs_are_those_of_the_tempered_distribution() -> None:
    ids, logprobs = top_logprobs(torch.tensor([0.0, 2.0, 1.0]), 2, 2.0)
    assert ids.tolist() == [1, 2]
    torch.testing.assert_close(logprobs, torch.tensor([0.0, 1.0, 0.5]).log_softmax(0)[[1, 2]])
