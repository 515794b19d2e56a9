"""What an answer is worth: the registry of rewards, for alignment and for evaluation."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.contract import paths
from pipeline.contract.params import Rewards
from pipeline.evals.own_rewards import own_reward
from pipeline.evals.text_scores import chrf, exact_match, final_answer
from pipeline.models.answers import Answers, Reward, weighted_sum
from pipeline.models.reward_model import load_reward_model, score

Scores = Callable[[Answers], list[float]]


def _exact_match(params: Rewards) -> Scores:
    del params
    return lambda answers: _compared(exact_match, answers)


def _chrf(params: Rewards) -> Scores:
    del params
    return lambda answers: [score / 100 for score in _compared(chrf, answers)]


def _format(params: Rewards) -> Scores:
    is_well_formed = format_check(params)
    return lambda answers: [float(is_well_formed(text)) for text in answers.texts]


def _length_penalty(params: Rewards) -> Scores:
    return lambda answers: [length_penalty(count, params.max_tokens) for count in answers.num_tokens]


REGISTRY: dict[str, Callable[[Rewards], Scores]] = {
    "exact_match": _exact_match,
    "chrf": _chrf,
    "format": _format,
    "length_penalty": _length_penalty,
}
"""By the name of their weight in `align.rewards`."""


def make_rewards(params: Rewards, stage: str, trust_remote_code: bool = False) -> list[Reward]:
    """The rewards that have a weight, for the stage that uses them; the reward model is loaded where it has one."""
    weights = {name: float(getattr(params, name)) for name in REGISTRY}
    rewards = [Reward(name, weight, REGISTRY[name](params)) for name, weight in weights.items() if weight]
    if params.reward_model:
        rewards.append(Reward("model", params.reward_model, _reward_model(trust_remote_code)))
    for function in params.functions:
        if function.weight:
            taken = {reward.name for reward in rewards}
            rewards.append(own_reward(function.function, function.weight, stage, taken))
    return rewards


def score_answers(rewards: Sequence[Reward], answers: Answers) -> list[float]:
    """What each answer is worth, all rewards together."""
    return weighted_sum(rewards, [reward.score(answers) for reward in rewards], len(answers.texts))


def format_check(params: Rewards) -> Callable[[str], bool]:
    r"""Whether an answer matches the pattern as a whole; any text does where there is none.

    >>> is_well_formed = format_check(Rewards(format_pattern=r"ls( -\w+)*"))
    >>> is_well_formed("ls -a -l"), is_well_formed("ls; rm")
    (True, False)
    """
    if params.format_pattern is None:
        return lambda _text: True
    pattern = re.compile(params.format_pattern, re.DOTALL)
    return lambda text: pattern.fullmatch(final_answer(text).strip()) is not None


def length_penalty(num_tokens: int, max_tokens: int) -> float:
    """Minus the share by which an answer is longer than it may be.

    >>> length_penalty(48, 32), length_penalty(32, 32), length_penalty(5, 32)
    (-0.5, 0.0, 0.0)
    """
    return -max(0, num_tokens - max_tokens) / max_tokens


def _reward_model(trust_remote_code: bool) -> Scores:
    model, tokenizer = load_reward_model(paths.model_dir("reward"), trust_remote_code=trust_remote_code)
    return lambda answers: score(model, tokenizer, [list(turns) for turns in answers.prompts], answers.texts)


def _compared(measure: Callable[[str, str], Any], answers: Answers) -> list[float]:
    pairs = zip(answers.texts, answers.references, strict=True)
    return [float(measure(final_answer(text), reference)) for text, reference in pairs]
