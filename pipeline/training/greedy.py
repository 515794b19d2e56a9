"""What a policy answers to a few validation prompts, greedily as `evaluate` does: rewards, form, distance moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import torch

from pipeline.contract import paths
from pipeline.contract.problems import StageError
from pipeline.models.answers import Answers, Reward, answer_text, weighted_sum
from pipeline.models.chat import encode_prompt
from pipeline.models.generation import Decoding, batches_by_length, generate
from pipeline.models.inputs import bare_model, last_logits, model_inputs
from pipeline.models.messages import Message
from pipeline.training.rows import read_rows

NUM_VALIDATION_PROMPTS = 256
# Log-probabilities of one forward pass: 256 MiB in float32.
_MAX_NUM_LOGITS = 2**26
_BATCH_SIZE = 64


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with the answer of the data."""

    ids: list[int]
    """Token ids up to where the assistant begins to speak."""
    turns: list[Message]
    """What has been said."""
    reference: str
    """The row's own answer."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What makes figures out of answers."""

    tokenizer: Any
    """Turns ids into words."""
    decoding: Decoding
    """When an answer ends."""
    rewards: Sequence[Reward]
    """What an answer is worth; none where a training needs none."""
    is_well_formed: Callable[[str], bool]
    """Whether a text has the asked form."""

    def answers(self, prompts: Sequence[Prompt], ids: Sequence[list[int]]) -> Answers:
        """Answers in words, each with its question."""
        texts = [answer_text(self.tokenizer, row) for row in ids]
        turns, references = [prompt.turns for prompt in prompts], [prompt.reference for prompt in prompts]
        return Answers(turns, texts, references, [len(row) for row in ids])

    def rejected(self, answers: Answers, ids: Sequence[list[int]]) -> list[bool]:
        """Which answers do not have the asked form, or did not end."""
        return [
            not row or row[-1] not in self.decoding.stop_ids or not self.is_well_formed(text)
            for row, text in zip(ids, answers.texts, strict=True)
        ]


def read_prompts(split: str, tokenizer: Any, max_length: int, max_rows: int | None = None) -> list[Prompt]:
    """Prompts of a split of at most so many tokens; StageError when all are longer."""
    rows = read_rows(paths.split_file(split), max_rows)
    prompts = [Prompt(encode_prompt(tokenizer, row["prompt"]), row["prompt"], row["completion"]) for row in rows]
    kept = [prompt for prompt in prompts if len(prompt.ids) <= max_length]
    if not kept:
        raise StageError(
            f"{paths.split_file(split)}: align.max_length leaves {max_length} tokens for a prompt beside "
            "align.rollout.max_new_tokens for its answer, and every prompt is longer; raise it"
        )
    return kept


@dataclass(frozen=True, slots=True)
class Validation:
    """Prompts that are answered at every evaluation, always the same ones."""

    prompts: Sequence[Prompt]
    """The questions."""
    judge: Judge
    """What makes figures of the answers."""

    @torch.inference_mode()
    def measure(self, policy: Any, reference: Any) -> dict[str, float]:
        """Figures of a policy's answers, those with a reward only where the judge has some."""
        ids = self._generate(policy)
        answers = self.judge.answers(self.prompts, ids)
        figures = {
            "completion_tokens": fmean(answers.num_tokens),
            "rejected_format": fmean(self.judge.rejected(answers, ids)),
        }
        return figures | self._rewards(answers) | self._distance(policy, reference, ids)

    def _generate(self, policy: Any) -> list[list[int]]:
        answers: dict[int, list[int]] = {}
        for batch in batches_by_length([len(prompt.ids) for prompt in self.prompts], _BATCH_SIZE):
            rows = generate(policy, [self.prompts[row].ids for row in batch], self.judge.decoding)
            answers |= dict(zip(batch, rows, strict=True))
        return [answers[row] for row in range(len(self.prompts))]

    def _rewards(self, answers: Answers) -> dict[str, float]:
        rewards = self.judge.rewards
        if not rewards:
            return {}
        columns = [reward.score(answers) for reward in rewards]
        sums = weighted_sum(rewards, columns, len(answers.texts))
        each = {f"reward_{reward.name}": fmean(column) for reward, column in zip(rewards, columns, strict=True)}
        return {"reward": fmean(sums), "reward_std": pstdev(sums)} | each

    def _distance(self, policy: Any, reference: Any, answers: Sequence[list[int]]) -> dict[str, float]:
        """KL divergence to the reference and entropy, both per token of the policy's own answers."""
        rows = [[*prompt.ids, *answer] for prompt, answer in zip(self.prompts, answers, strict=True)]
        lengths = [len(answer) for answer in answers]
        vocab_size = bare_model(policy).get_input_embeddings().weight.shape[0]
        size = max(1, min(_BATCH_SIZE, _MAX_NUM_LOGITS // ((max(lengths) + 1) * vocab_size)))
        sums = torch.zeros(2, dtype=torch.float64)
        for batch in batches_by_length([len(row) for row in rows], size):
            part = [rows[row] for row in batch]
            sums += _sums(policy, reference, part, [lengths[row] for row in batch], self.judge.decoding.pad_id)
        # Of two equal models rounding may leave less than 0.
        kl, entropy = (sums / max(1, sum(lengths))).clamp(min=0).tolist()
        return {"kl": kl, "entropy": entropy}


def _sums(policy: Any, reference: Any, rows: Sequence[list[int]], lengths: Sequence[int], pad_id: int) -> torch.Tensor:
    """Divergence and entropy, added up over the tokens of the answers."""
    num_last = max(lengths) + 1
    # One more position than tokens: each token is predicted from the one before it.
    first, second = (
        torch.log_softmax(last_logits(model, model_inputs(model, rows, pad_id), num_last)[:, :-1], dim=-1)
        for model in (policy, reference)
    )
    probabilities = first.exp()
    both = torch.stack([(probabilities * (first - second)).sum(-1), -(probabilities * first).sum(-1)])
    place = torch.arange(num_last - 1, device=first.device)
    is_answer = place >= num_last - 1 - torch.tensor(lengths, device=first.device).unsqueeze(1)
    return both.masked_fill(~is_answer, 0.0).sum((1, 2)).double().cpu()
