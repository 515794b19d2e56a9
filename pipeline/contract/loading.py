"""Reads params.yaml: every problem is reported at once."""

import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.contract.params import Params
from pipeline.contract.paths import PARAMS_FILE
from pipeline.contract.problems import ParamsError, Problem
from pipeline.contract.remaining import broken_among_the_rest
from pipeline.contract.rules import broken_rules
from pipeline.contract.rules.rule import Rule
from pipeline.contract.yaml12 import load_yaml


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Params of a project; ParamsError names everything that is wrong with them."""
    name = str(path)
    try:
        value = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParamsError([Problem(name, "", None, "no such file; finetui init makes a project with one")]) from error
    except UnicodeDecodeError as error:
        raise ParamsError([Problem(name, "", None, f"is not UTF-8 text (byte {error.start})")]) from error
    except yaml.YAMLError as error:
        raise ParamsError([Problem(name, "", None, f"does not parse as YAML: {_one_line(error)}")]) from error
    return check_params(value if value is not None else {}, name)


def check_params(value: Any, name: str = str(PARAMS_FILE)) -> Params:
    """Params from plain values; ParamsError names everything that is wrong with them."""
    if not isinstance(value, dict):
        raise ParamsError([Problem(name, "", None, "must be a mapping with one section per stage")])
    try:
        params = Params.model_validate(value)
    except ValidationError as error:
        wrong = _merged([_problem(name, details) for details in error.errors()])
        rules = broken_among_the_rest(value, [key for problem in wrong for key in _doubtful(problem)])
        raise ParamsError([*wrong, *_broken(name, value, rules)]) from error
    broken = _broken(name, value, broken_rules(params))
    if broken:
        raise ParamsError(broken)
    return params


def value_at(value: Any, key: str) -> Any:
    """Value at a dotted key; None where there is none."""
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _broken(name: str, value: Any, rules: Iterable[Rule]) -> list[Problem]:
    return [Problem(name, rule.key, value_at(value, rule.key), rule.allowed) for rule in rules]


def _doubtful(problem: Problem) -> list[str]:
    """Keys whose value is not known: the wrong one, and the one that a typing error was meant for."""
    *section, name = problem.key.split(".")
    close = _nearest(name, _fields_at(section))
    return [problem.key, *(".".join([*section, key]) for key in close)]


def _merged(problems: list[Problem]) -> list[Problem]:
    """One problem per key: each branch of a union reports what it would have allowed."""
    by_key: dict[str, Problem] = {}
    for problem in problems:
        first = by_key.get(problem.key)
        allowed = problem.allowed if first is None else f"{first.allowed} or {problem.allowed.removeprefix('must be ')}"
        by_key[problem.key] = replace(problem, allowed=allowed)
    return list(by_key.values())


def _problem(name: str, details: ErrorDetails) -> Problem:
    keys = [str(part) for part in details["loc"] if not _is_union_branch(part)]
    key = ".".join(keys)
    if details["type"] == "extra_forbidden":
        return Problem(name, key, details["input"], _unknown_key(keys))
    return Problem(name, key, details["input"], _allowed(details))


def _is_union_branch(part: int | str) -> bool:
    """Pydantic adds the tried type of a union to the place, such as `list[str]`."""
    return isinstance(part, str) and (part in {"str", "int", "float"} or "[" in part)


def _unknown_key(keys: list[str]) -> str:
    known = _fields_at(keys[:-1])
    close = _nearest(keys[-1], known)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown key{hint} (known here: {', '.join(known)})"


def _nearest(name: str, known: list[str]) -> list[str]:
    """The known key that a name is most like; none where nothing is near."""
    return difflib.get_close_matches(name, known, n=1)


def _fields_at(keys: list[str]) -> list[str]:
    model: type[BaseModel] = Params
    for key in keys:
        field = model.model_fields.get(key)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def _allowed(details: ErrorDetails) -> str:
    text = details["msg"].removeprefix("Input ").replace("should be", "must be", 1)
    if details["type"] == "float_type" and isinstance(details["input"], str):
        text += "; YAML 1.1 readers take 1e-5 for text, write 1.0e-05"
    return text


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())
