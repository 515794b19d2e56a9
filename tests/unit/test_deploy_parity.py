"""Which differences between two answers count."""

import pytest
import torch

from pipeline.evals.parity import ProbeAnswer, compare, is_tie

# The logits of the two likeliest tokens at each place of the answer 7 8 2.
GAP = 0.05
RIVALS = ({7: 9.0, 5: 1.0}, {8: 9.0, 6: 9.0 - GAP}, {2: 9.0, 4: -3.0})
BEFORE = ProbeAnswer([1, 3], [7, 8, 2], torch.tensor([0.0, 1.0]), RIVALS)


def after(answer: list[int], prompt: tuple[int, ...] = (1, 3), logit: float = 1.0) -> ProbeAnswer:
    return ProbeAnswer(list(prompt), answer, torch.tensor([0.0, logit]))


@pytest.mark.parametrize(
    ("found", "dtype", "expected"),
    [
        (after([7, 6, 9, 9]), torch.bfloat16, True),
        (after([7, 6, 9, 9]), torch.float32, False),
        (after([5, 8, 2]), torch.bfloat16, False),
        (after([7, 9]), torch.bfloat16, False),
        (after([7]), torch.bfloat16, False),
        (after([7, 8, 2, 4]), torch.bfloat16, False),
        (after([7, 6], prompt=(1, 4)), torch.bfloat16, False),
        (after([7, 8, 2]), torch.bfloat16, False),
    ],
)
def test_a_tie_is_a_gap_within_the_rounding_of_the_type(found: ProbeAnswer, dtype: torch.dtype, expected: bool) -> None:
    assert is_tie(BEFORE, found, dtype) is expected


def test_counts_what_is_equal_tied_and_changed() -> None:
    found = [after([7, 8, 2]), after([7, 6]), after([5], logit=1.5), after([7, 8, 2], prompt=(1,))]
    result = compare([BEFORE] * 4, found, torch.bfloat16)
    assert (result.num_probes, result.num_equal, result.num_ties) == (4, 1, 1)
    assert result.max_logit_difference == 0.5
    assert result.first_difference == "probe 2, token 0 of the answer: 7 before, 5 after the export"


def test_a_shorter_prompt_is_told_as_such() -> None:
    result = compare([BEFORE], [after([7, 8, 2], prompt=(1,))], torch.float32)
    assert result.first_difference == "probe 0, token 1 of the prompt: 3 before, no token after the export"
