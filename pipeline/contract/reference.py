"""Writes docs/params.md from the schema: `python -m pipeline.contract.reference [--check] FILE`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.contract.files import write_text
from pipeline.contract.params import Params
from pipeline.contract.rules import RULES

_HEADER = """# params.yaml

Every key of every stage. The file is closed: an unknown key, a wrong type or a value out of range stops a run before it
starts, and every problem is reported at once. This page is made from the schema (`make docs`).
"""
_COLUMNS = "| key | type | allowed | default | what it is |\n|---|---|---|---|---|"
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def reference() -> str:
    """The whole page."""
    parts = [_HEADER]
    for name, field in Params.model_fields.items():
        rows = "\n".join(_rows(field.annotation, name))
        parts.append(f"## {name}\n\n{field.description}\n\n{_COLUMNS}\n{rows}\n")
    rules = "\n".join(f"- `{rule.key}`: {rule.allowed}" for rule in RULES)
    parts.append(f"## Combinations that are refused\n\n{rules}\n")
    return "\n".join(parts)


def _rows(model: Any, prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(field.annotation, key)
        else:
            default = f"`{_yaml(field.default)}`"
            cells = (f"`{key}`", _type_name(field.annotation), _allowed(field), default, field.description or "")
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "text"
    names = {"str": "text", "int": "integer", "float": "number", "bool": "true or false", "NoneType": "null"}
    parts = get_args(annotation)
    if get_origin(annotation) is list:
        return f"list of {_type_name(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{" + ", ".join(annotation.model_fields) + "}"
    if parts:
        return " or ".join(_type_name(part) for part in parts)
    return names[annotation.__name__]


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    bounds = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in _BOUNDS.items()
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(bounds)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def publish(text: str, arguments: list[str]) -> int:
    """Write a page to the file that is named last, or with --check say whether it is up to date."""
    path = Path(arguments[-1])
    if "--check" not in arguments:
        write_text(path, text)
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{path} is not what the code says; run: make docs\n")
    return 1


if __name__ == "__main__":
    sys.exit(publish(reference(), sys.argv[1:]))
