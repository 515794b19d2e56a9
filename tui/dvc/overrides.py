"""Param overrides: written into the text of params.yaml, comments kept, in a way that every YAML reader understands."""

import difflib
import json
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract.loading import check_params
from pipeline.contract.params import Params
from pipeline.contract.paths import PARAMS_FILE
from pipeline.contract.problems import ParamsError
from pipeline.contract.yaml12 import load_yaml
from tui.core.errors import UsageError, UserError
from tui.core.experiments import flatten

_OWN_SECTIONS = frozenset({"base", "prepare", "train"})
_LINE_WIDTH = 4_096


def read_params(root: Path) -> dict[str, Any]:
    """Params of the workspace; empty when the project has no params.yaml."""
    text = _read_text(root)
    return {} if text is None else _parse(text)


def is_own_schema(values: Mapping[str, Any]) -> bool:
    """Whether this params.yaml is one of finetui's pipeline."""
    return values.keys() >= _OWN_SECTIONS


def rewritten_params(root: Path, overrides: Mapping[str, Any]) -> str | None:
    """Text of params.yaml with the overrides; None without any. UsageError when a key or a value is wrong."""
    try:
        json.dumps(dict(overrides), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError("an override has a value that cannot be written", str(error)) from error
    text = _read_text(root)
    values = {} if text is None else _parse(text)
    _check_keys(values, overrides)
    if is_own_schema(values):
        _check_schema(values, overrides)
    if not overrides or text is None:
        return None
    changed = _rewrite(text, overrides)
    _check_effect(values, _parse(changed), overrides)
    return changed


def _read_text(root: Path) -> str | None:
    path = root / PARAMS_FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{PARAMS_FILE} is not UTF-8 text", f"{path}: byte {error.start}", "save it as UTF-8"
        ) from error


def _parse(text: str) -> dict[str, Any]:
    try:
        values = load_yaml(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{PARAMS_FILE} does not parse as YAML", reason, "correct the file") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{PARAMS_FILE} is no mapping", f"it holds a {type(values).__name__}", "correct the file")
    return values


def _check_keys(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    known = dict(_all_keys(values))
    if is_own_schema(values):
        known = dict(_all_keys(Params().model_dump())) | known
    unknown = [key for key in overrides if key not in known]
    if unknown:
        raise UsageError("unknown params", "\n".join(_unknown(key, known) for key in unknown))
    replaced = [key for key in overrides if isinstance(known[key], dict) and not isinstance(overrides[key], dict)]
    if replaced:
        detail = "\n".join(f"{PARAMS_FILE}: {key}: is a section, not a value" for key in replaced)
        raise UsageError("a section cannot be replaced by a value", detail, "name one of the keys below it")


def _unknown(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{PARAMS_FILE}: {key}: unknown key{hint}"


def _all_keys(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys of sections and values alike."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        found.append((dotted, value))
        if isinstance(value, dict):
            found.extend(_all_keys(value, f"{dotted}."))
    return found


def _check_schema(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    merged: Any = _copy(values)
    for key, value in overrides.items():
        _assign(merged, key, value)
    try:
        check_params(merged)
    except ParamsError as error:
        raise UsageError("these params cannot be used", str(error)) from error


def _copy(value: Any) -> Any:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def _assign(section: Any, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for part in parents:
        if not isinstance(section.get(part), dict):
            section[part] = {}
        section = section[part]
    section[last] = value


def _rewrite(text: str, overrides: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    from tui.dvc.yaml_values import PortableRepresenter, portable

    offset = _indent_below_key(text, "- ") or 0
    writer = YAML()
    writer.Representer = PortableRepresenter
    writer.preserve_quotes = True
    writer.width = _LINE_WIDTH
    writer.indent(mapping=_indent_below_key(text, "[^ #-]") or 2, sequence=offset + 2, offset=offset)
    document = writer.load(text)
    for key, value in overrides.items():
        _assign(document, key, portable(value))
    output = StringIO()
    writer.dump(document, output)
    return output.getvalue()


def _indent_below_key(text: str, item: str) -> int | None:
    """By how much the file indents the first item below a key, so that the rest of it can stay as it is."""
    blank = r"(?:[ \t]*(?:#[^\n]*)?\n)*"
    found = re.search(rf"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n{blank}(\1 *){item}", text, re.MULTILINE)
    indent = len(found[2]) - len(found[1]) if found else 0
    return indent or None


def _check_effect(before: Mapping[str, Any], after: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """Nothing but the requested keys may have changed: an alias can carry a value to places that nobody named."""
    old, new = dict(flatten(before)), dict(flatten(after))
    moved = [key for key in new if (key not in old or not _same(old[key], new[key])) and not _covers(overrides, key)]
    if moved:
        detail = f"{PARAMS_FILE}: {', '.join(moved)}"
        raise UsageError("the override would change other params, too", detail, "write the alias out in params.yaml")


def _covers(overrides: Mapping[str, Any], key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in overrides)


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) or (old != old and new != new)
