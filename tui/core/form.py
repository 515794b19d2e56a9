"""Params as a form: fields made from the schema, or from the values of a project of another make."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.contract.loading import check_params, value_at
from pipeline.contract.params import Params
from pipeline.contract.problems import ParamsError
from pipeline.contract.yaml12 import load_yaml
from tui.core.experiments import flatten

FieldKind = Literal["switch", "choice", "integer", "number", "text", "text or list", "value"]

_BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


@dataclass(frozen=True, slots=True)
class FormField:
    """One key that can be changed."""

    key: str
    """Dotted key."""
    kind: FieldKind
    """How it is edited."""
    value: Any
    """Value in the workspace."""
    has_default: bool = False
    """Whether the schema knows it."""
    default: Any = None
    """Value in the schema."""
    is_optional: bool = False
    """Whether null is allowed."""
    choices: tuple[str, ...] = ()
    """Allowed values of a choice."""
    allowed: str = ""
    """Type and range in words."""
    help: str = ""
    """What it means."""

    @property
    def section(self) -> str:
        """Everything before the last dot."""
        return self.key.rpartition(".")[0]


def form_fields(values: Mapping[str, Any]) -> list[FormField]:
    """Fields for the params of a workspace: those of the schema if they follow it, and whatever else is there."""
    known = list(_schema_fields(Params, values)) if follows_schema(values) else []
    keys = {field.key for field in known}
    return known + [_generic(key, value) for key, value in _leaves(values) if key not in keys]


def follows_schema(values: Mapping[str, Any]) -> bool:
    """Whether most of the keys are finetui's own."""
    keys = [key for key, _ in _leaves(values)]
    known = {field.key for field in _schema_fields(Params, {})}
    return bool(keys) and 2 * sum(key in known for key in keys) > len(keys)


def problems(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, str]:
    """What the schema has against these params, by key; empty for a project of another make."""
    if not follows_schema(values):
        return {}
    try:
        check_params(with_overrides(values, overrides))
    except ParamsError as error:
        return {problem.key: problem.allowed for problem in error.problems}
    return {}


def with_overrides(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values with other values at some dotted keys."""
    copy = _deep_copy(values)
    for key, value in overrides.items():
        *path, last = key.split(".")
        place = copy
        for part in path:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[last] = value
    return copy


def parse(field: FormField, text: str) -> Any:
    """The value that a typed text means; ValueError says what would be right."""
    text = text.strip()
    if field.is_optional and text in {"", "null"}:
        return None
    if field.kind == "text":
        return text
    value = text if field.kind == "text or list" and not text.startswith("[") else _yaml(text)
    if field.kind == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError("must be a whole number")
    if field.kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError("must be a number")
    if field.kind == "value" and isinstance(field.value, list) and not isinstance(value, list):
        raise ValueError("must be a list, as [1, 2]")
    return value


def shown(value: Any) -> str:
    """A value as it is typed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown_inside, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_shown_inside(key)}: {_shown_inside(item)}' for key, item in value.items())}}}"
    return str(value)


def _shown_inside(value: Any) -> str:
    """A text in a list is quoted where YAML would take it for something else."""
    if not isinstance(value, str):
        return shown(value)
    try:
        is_plain = value.isprintable() and load_yaml(f"{{key: [{value}]}}") == {"key": [value]}
    except (yaml.YAMLError, ValueError):
        is_plain = False
    quoted = value if is_plain else json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def _yaml(text: str) -> Any:
    try:
        return load_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError("does not parse as YAML") from error


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in flatten(values) if key)


def _generic(key: str, value: Any) -> FormField:
    if isinstance(value, bool):
        return FormField(key, "switch", value, allowed="true or false")
    if isinstance(value, int):
        return FormField(key, "integer", value, allowed="whole number")
    if isinstance(value, float):
        return FormField(key, "number", value, allowed="number")
    if isinstance(value, str):
        return FormField(key, "text", value, allowed="text")
    return FormField(key, "value", value, allowed="any YAML value", is_optional=value is None)


def _schema_fields(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> Iterator[FormField]:
    for name, info in model.model_fields.items():
        key = f"{prefix}{name}"
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _schema_fields(annotation, values, f"{key}.")
        else:
            yield _schema_field(key, info, values)


def _schema_field(key: str, info: FieldInfo, values: Mapping[str, Any]) -> FormField:
    types = _types(info.annotation)
    is_optional = NoneType in types
    types = [one for one in types if one is not NoneType]
    kind, choices = _kind(types)
    default = info.get_default(call_default_factory=True)
    value = value_at(values, key) if _has(values, key) else default
    first = _LIST_WORDS if kind == "value" and get_origin(types[0]) is list else _KIND_WORDS[kind]
    words = [f"one of {', '.join(choices)}" if choices else first, *_bounds(info)]
    if is_optional:
        words.append("or null")
    return FormField(
        key, kind, value, True, default, is_optional, choices, ", ".join(words), (info.description or "").strip()
    )


_LIST_WORDS = "list, as [a, b] or [{name: value}]"
_KIND_WORDS: dict[FieldKind, str] = {
    "switch": "true or false",
    "choice": "",
    "integer": "whole number",
    "number": "number",
    "text": "text",
    "text or list": "text, or a list as [a, b]",
    "value": "any YAML value",
}


def _types(annotation: Any) -> list[Any]:
    """Members of a union; a literal or a plain type stands for itself."""
    if get_origin(annotation) is Literal or annotation is None or not get_args(annotation):
        return [annotation]
    return list(get_args(annotation)) if get_origin(annotation) is not list else [annotation]


def _kind(types: Sequence[Any]) -> tuple[FieldKind, tuple[str, ...]]:
    first = types[0]
    if get_origin(first) is Literal:
        return "choice", tuple(str(value) for value in get_args(first))
    if len(types) > 1:
        return "text or list", ()
    kinds: dict[Any, FieldKind] = {bool: "switch", int: "integer", float: "number", str: "text"}
    return kinds.get(first, "value"), ()


def _bounds(info: FieldInfo) -> Iterator[str]:
    for name, sign in _BOUNDS:
        for limit in info.metadata:
            bound = getattr(limit, name, None)
            if bound is not None:
                yield f"{sign} {bound:,}" if isinstance(bound, int) else f"{sign} {bound}"


def _has(values: Mapping[str, Any], key: str) -> bool:
    place: Any = values
    for part in key.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return False
        place = place[part]
    return True


def _deep_copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _deep_copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}
