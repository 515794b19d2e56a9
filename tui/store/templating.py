"""DVC's templating: `${...}` from params.yaml and `vars`, `foreach` and `matrix`.

Follows dvc.parsing of DVC 3.67; only the keys that say where params, metrics and plots are get resolved.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

_EXPRESSION = re.compile(r"(?<!\\)\$\{(?P<inner>.*?)\}")
_MAX_STAGES = 10_000

Context = Mapping[str, Any]
LoadVars = Callable[[str], Any]
"""Reads the variables file at a path that is relative to the project's root; None if there is none."""


class TemplateError(Exception):
    """A template that cannot be resolved; the text says which and why."""


def make_context(variables: Any, directory: str, load: LoadVars, default: bool = True) -> dict[str, Any]:
    """Variables of a dvc.yaml, or of a stage: params.yaml beside it, then its `vars`."""
    context: dict[str, Any] = {}
    if default:
        found = load(posixpath.join(directory, "params.yaml"))
        _merge(context, found if isinstance(found, Mapping) else {})
    for item in variables if isinstance(variables, list) else []:
        _merge(context, item if isinstance(item, Mapping) else _from_file(str(item), directory, load))
    return context


def _from_file(item: str, directory: str, load: LoadVars) -> Mapping[str, Any]:
    path, _, names = item.partition(":")
    found = load(posixpath.normpath(posixpath.join(directory, path)))
    if not isinstance(found, Mapping):
        raise TemplateError(f"vars: '{path}' is no file with a mapping")
    wanted = [name for name in names.split(",") if name]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise TemplateError(f"vars: '{path}' has no '{missing[0]}'")
    return {name: found[name] for name in wanted} if wanted else found


def _merge(target: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), Mapping):
            merged = dict(target[key])
            _merge(merged, value)
            target[key] = merged
        else:
            target[key] = value


def resolve(value: Any, context: Context) -> Any:
    """The value with every `${...}` replaced; TemplateError if a name is unknown."""
    if isinstance(value, Mapping):
        return {resolve(key, context): resolve(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, context) for item in value]
    return _resolve_text(value, context) if isinstance(value, str) else value


def _resolve_text(text: str, context: Context) -> Any:
    whole = _EXPRESSION.fullmatch(text)
    if whole is not None and "${" not in whole["inner"]:
        return _lookup(whole["inner"], context)
    return _EXPRESSION.sub(lambda match: as_text(_lookup(match["inner"], context)), text).replace("\\${", "${")


def _lookup(expression: str, context: Context) -> Any:
    found: Any = context
    for part in expression.strip().replace("[", ".").replace("]", "").split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise TemplateError(f"'${{{expression}}}' is not defined in params.yaml or vars")
    return found


def as_text(value: Any) -> str:
    """A value as DVC puts it into a string."""
    if isinstance(value, Mapping | list):
        raise TemplateError("a list or a mapping cannot be put into a string")
    return str(value).lower() if isinstance(value, bool) else str(value)


def expand(
    name: str, definition: Mapping[str, Any], context: Context
) -> Iterator[tuple[str, Mapping[str, Any], Context]]:
    """The stages that a definition stands for: itself, or one per item of its `foreach` or `matrix`."""
    if "foreach" in definition:
        template, items = definition.get("do") or {}, _foreach(resolve(definition["foreach"], context))
    elif "matrix" in definition:
        template, items = definition, _matrix(resolve(definition["matrix"], context))
    else:
        yield name, definition, context
        return
    for number, (key, extra) in enumerate(items):
        if number >= _MAX_STAGES:
            raise TemplateError(f"more than {_MAX_STAGES} stages")
        yield f"{name}@{key}", template, {**context, **extra}


def _foreach(data: Any) -> Iterator[tuple[str, Context]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield as_text(key), {"item": value, "key": as_text(key)}
    elif isinstance(data, list):
        nested = any(isinstance(value, Mapping | list) for value in data)
        for index, value in enumerate(data):
            yield str(index) if nested else as_text(value), {"item": value}
    else:
        raise TemplateError("foreach needs a list or a mapping")


def _matrix(data: Any) -> Iterator[tuple[str, Context]]:
    if not isinstance(data, Mapping) or not all(isinstance(values, list) for values in data.values()):
        raise TemplateError("matrix needs a mapping of lists")
    for choice in product(*(enumerate(values) for values in data.values())):
        item = {name: value for name, (_, value) in zip(data, choice, strict=True)}
        fragments = [
            f"{name}{index}" if isinstance(value, Mapping | list) else as_text(value)
            for name, (index, value) in zip(data, choice, strict=True)
        ]
        key = "-".join(fragments)
        yield key, {"item": item, "key": key}
