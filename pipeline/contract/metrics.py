"""What a metric means: its direction, unit and description, declared once."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "none"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric, by the last part of its name."""

    direction: Direction
    """Which way is better; `none` where neither is."""
    unit: str
    """Unit, empty for a ratio or a count."""
    description: str
    """One line for help texts."""
    is_resource: bool = False
    """Whether it says what a run cost, which is never the same twice."""


METRICS: dict[str, Metric] = {
    "loss": Metric("lower", "nats/token", "mean negative log-likelihood of the completion tokens"),
    "perplexity": Metric("lower", "", "exp(loss)"),
    "exact_match": Metric("higher", "", "share of answers equal to the reference after normalisation"),
    "chrf": Metric("higher", "", "character n-gram F-score, 0 to 100 (Popovic 2015)"),
    "rouge_l": Metric("higher", "", "longest common subsequence F-score, 0 to 1 (Lin 2004)"),
    "distinct": Metric("higher", "", "share of answers that differ from each other"),
    "completion_tokens": Metric("none", "tokens", "mean length of the answers"),
    "truncated": Metric("lower", "", "share of answers cut off at the longest allowed length"),
    "token_accuracy": Metric("higher", "", "share of completion tokens predicted first"),
    "accuracy": Metric("higher", "", "share that is right"),
    "calibration_error": Metric("lower", "", "distance between the confidence in rankings and the share that is right"),
    "reward": Metric("higher", "", "mean reward of the completions"),
    "reward_std": Metric("none", "", "spread of the rewards"),
    "chosen_reward": Metric("none", "", "mean implicit reward of the chosen answers; only the margin says which way"),
    "rejected_reward": Metric("none", "", "mean implicit reward of the rejected answers"),
    "margin": Metric("higher", "", "mean difference between the chosen and the rejected answer"),
    "kl": Metric("lower", "nats/token", "divergence of the policy from its reference model"),
    "divergence": Metric("lower", "nats/token", "divergence of the student from the teacher"),
    "agreement": Metric("higher", "", "share of tokens that student and teacher predict alike"),
    "rejected_format": Metric("lower", "", "share of completions that do not have the asked form"),
    "zero_spread": Metric("lower", "", "share of prompts whose completions all got the same reward"),
    "entropy": Metric("none", "nats/token", "uncertainty of the policy about its own tokens"),
    "tokens_per_second": Metric("higher", "tokens/s", "throughput", is_resource=True),
    "steps_per_second": Metric("higher", "steps/s", "throughput", is_resource=True),
    "duration_s": Metric("lower", "s", "wall-clock time", is_resource=True),
    "peak_memory_bytes": Metric(
        "lower", "bytes", "peak memory of the process, or of the device where there is one", is_resource=True
    ),
    "num_parameters": Metric("none", "", "all parameters"),
    "num_trainable_parameters": Metric("lower", "", "parameters that training changes"),
    "model_bytes": Metric("lower", "bytes", "size of the whole model on disk"),
    "adapter_bytes": Metric("lower", "bytes", "size of what the adaptation adds on disk"),
    "learning_rate": Metric("none", "", "learning rate of the step"),
    "grad_norm": Metric("none", "", "norm of the gradient before clipping"),
    "epoch": Metric("none", "", "passes over the training split"),
    "num_tokens": Metric("none", "tokens", "tokens seen in training"),
}

# Metrics of projects that finetui did not write are judged by the words that the field uses.
_HIGHER = ("acc", "f1", "auc", "precision", "recall", "bleu", "rouge", "reward", "score", "map", "iou", "r2", "exact")
_ONE_REWARD = "reward_"
_LOWER = ("loss", "error", "perplexity", "mse", "mae", "rmse", "wer", "cer", "time", "latency", "duration")
_RESOURCES = ("time", "latency", "duration", "memory", "per_sec", "throughput", "energy", "kwh", "emission", "_fps")
RESOURCE_TOLERANCE = 0.05
"""Share by which time, memory, throughput and energy may differ between two runs of the very same thing."""
_MIN_DURATION_S = 1.0
"""Stages that have nothing to do take some hundredths of a second, or twice that."""


def last_part(name: str) -> str:
    """`train/loss` and `eval.loss` both end in `loss`."""
    return name.replace(":", "/").replace(".", "/").rsplit("/", 1)[-1].lower()


def direction(name: str) -> Direction:
    """Which way a metric is better, by the name's last part; `none` if nothing is known."""
    part = last_part(name)
    if part in METRICS:
        return METRICS[part].direction
    if part.startswith(_ONE_REWARD):
        # A name that a project gave: `answer` has the field's word error rate in it.
        return METRICS["reward"].direction
    if any(word in part for word in _LOWER):
        return "lower"
    return "higher" if any(word in part for word in _HIGHER) else "none"


def is_resource(name: str) -> bool:
    """Whether a metric says what a run cost (time, memory, throughput, energy), by the name's last part."""
    part = last_part(name)
    if part in METRICS:
        return METRICS[part].is_resource
    return any(word in part for word in _RESOURCES)


def is_negligible(name: str, delta: float, base: float) -> bool:
    """Whether a resource differs no more than it does by itself, from one run to the next."""
    if not is_resource(name):
        return False
    floor = _MIN_DURATION_S if last_part(name) == "duration_s" else 0.0
    return abs(delta) <= max(floor, RESOURCE_TOLERANCE * abs(base))
