"""Which variables a dvc.yaml takes, from which files, and what for."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.store.layouts.layout import PARAMS

EXPRESSION = re.compile(r"\$\{(.*?)\}", re.DOTALL)
_SAID_ONLY = {"cmd", "desc", "meta"}
_SAID_ONLY_ABOVE = {"artifacts", "datasets"}
"""Sections, of stages and beside them, that select no files: it counts that their variables exist, and what kind."""


@dataclass(slots=True)
class Variables:
    """The variables that a dvc.yaml takes, and from where."""

    places: dict[str, None] = field(default_factory=dict)
    """Variables files."""
    names: set[str] = field(default_factory=set)
    """Names that one of them has to have because only they are taken."""
    selecting: set[str] = field(default_factory=set)
    """Dotted names whose values decide which files there are."""
    other: set[str] = field(default_factory=set)
    """Dotted names that only have to exist."""
    inline: list[Mapping[str, Any]] = field(default_factory=list)
    """Variables that the dvc.yaml itself defines."""
    num_sources: int = 0
    is_beyond: bool = False
    """Whether there is something that only DVC understands: then the whole content of the files counts."""


def scan_variables(path: str, document: Any) -> Variables:
    """The variables of a parsed dvc.yaml."""
    scan = Variables()
    directory = posixpath.dirname(path)
    if not isinstance(document, Mapping):
        return scan
    _add_place(scan, directory, PARAMS)
    _add_vars(scan, directory, document.get("vars"))
    stages = document.get("stages")
    for stage in stages.values() if isinstance(stages, Mapping) else ():
        if isinstance(stage, Mapping):
            body = stage.get("do")
            _add_stage(scan, directory, {key: value for key, value in stage.items() if key != "do"})
            _add_stage(scan, directory, body if isinstance(body, Mapping) else {})
    for key, value in document.items():
        if key not in {"stages", "vars"}:
            _add_section(scan, value, key in _SAID_ONLY_ABOVE)
    return scan


def _add_stage(scan: Variables, directory: str, stage: Mapping[str, Any]) -> None:
    for key, value in stage.items():
        if key == "vars":
            _add_vars(scan, posixpath.join(directory, str(stage.get("wdir") or "")), value)
        else:
            _add_section(scan, value, key in _SAID_ONLY)


def _add_place(scan: Variables, directory: str, path: str) -> None:
    scan.places[posixpath.normpath(posixpath.join(directory, path))] = None
    scan.num_sources += 1


def _add_vars(scan: Variables, directory: str, variables: Any) -> None:
    for item in variables if isinstance(variables, list) else ():
        if isinstance(item, str):
            path, _, names = item.partition(":")
            _add_place(scan, directory, path)
            scan.names |= {name for name in names.split(",") if name}
        elif isinstance(item, Mapping):
            scan.inline.append(item)
            scan.num_sources += 1


def _add_section(scan: Variables, section: Any, is_said_only: bool) -> None:
    """Collect the variables of a section, and of what is in it."""
    if isinstance(section, Mapping):
        for key, value in section.items():
            _add_section(scan, key, is_said_only)
            _add_section(scan, value, is_said_only)
    elif isinstance(section, list):
        for item in section:
            _add_section(scan, item, is_said_only)
    elif isinstance(section, str) and "${" in section:
        for inner in EXPRESSION.findall(section):
            scan.is_beyond = scan.is_beyond or "${" in inner
            (scan.other if is_said_only else scan.selecting).add(normal(inner))


def normal(expression: str) -> str:
    """The dotted name that the inside of `${...}` stands for."""
    return ".".join(part.strip() for part in expression.replace("[", ".").replace("]", "").split("."))
