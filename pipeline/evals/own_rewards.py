"""Rewards that a project brings along: imported from its root, and checked at every call."""

import importlib
import inspect
import math
import sys
from collections.abc import Callable, Iterable
from numbers import Real
from pathlib import Path
from typing import Any

from pipeline.contract.problems import StageError
from pipeline.contract.tracked import warn_unless_dep
from pipeline.evals.text_scores import final_answer
from pipeline.models.answers import Answers, Reward
from pipeline.models.messages import prompt_text

_KEY = "align.rewards.functions"


def own_reward(path: str, weight: float, stage: str, taken: Iterable[str] = ()) -> Reward:
    """The reward behind `module:function`; StageError when it cannot be imported, a warning when DVC cannot see it."""
    function = _imported(path)
    _warn_unless_tracked(path, function, stage)
    name = path.rpartition(":")[2]
    if name in taken:
        name = path.replace(".", "_").replace(":", "_")
    return Reward(name, weight, lambda answers: _scores(path, function, answers))


def source_files(paths_of_functions: Iterable[str]) -> list[Path]:
    """Files of the project that own rewards come from."""
    modules = {path.partition(":")[0].replace(".", "/") for path in paths_of_functions}
    candidates = [Path(module, "__init__.py") for module in modules] + [Path(f"{module}.py") for module in modules]
    return sorted(file for file in candidates if file.is_file())


def _imported(path: str) -> Callable[..., Any]:
    """A function of the project; its root goes first on the import path, as for `python -m`."""
    module_name, _, name = path.partition(":")
    root = str(Path.cwd())
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        # A module of the user's may raise anything.
        raise StageError(f"{_KEY}: cannot import {module_name} from the project's root: {_named(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise StageError(f"{_KEY}: {module_name} has no function {name}; {path} must name one")
    result: Callable[..., Any] = function
    return result


def _scores(path: str, function: Callable[..., Any], answers: Answers) -> list[float]:
    """One finite number for each answer; StageError naming the function otherwise."""
    texts = [final_answer(text) for text in answers.texts]
    prompts = [prompt_text(turns) for turns in answers.prompts]
    try:
        values = function(prompts=prompts, completions=texts, references=list(answers.references))
    except Exception as error:
        # A function of the user's may raise anything.
        raise StageError(f"{_KEY}: {path} raised {_named(error)}") from error
    try:
        scores = [_number(value) for value in values]
    except TypeError as error:
        raise StageError(f"{_KEY}: {path} must return a list of numbers, one for each completion: {error}") from error
    if len(scores) != len(texts):
        raise StageError(f"{_KEY}: {path} returned {len(scores)} numbers for {len(texts)} completions")
    if not all(map(math.isfinite, scores)):
        position = next(place for place, score in enumerate(scores) if not math.isfinite(score))
        raise StageError(f"{_KEY}: {path} gave {scores[position]} to the completion {texts[position]!r}")
    return scores


def _number(value: Any) -> float:
    # Numbers of numpy and torch are not registered as real ones; they know how to become one.
    if isinstance(value, str) or not (isinstance(value, Real) or hasattr(value, "item")):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _warn_unless_tracked(path: str, function: Callable[..., Any], stage: str) -> None:
    """Look at files of the project alone: an installed package has its version."""
    try:
        file = Path(inspect.getfile(function)).resolve().relative_to(Path.cwd().resolve())
    except (TypeError, ValueError):
        return
    warn_unless_dep(stage, file, path)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
