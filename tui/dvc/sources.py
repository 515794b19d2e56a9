"""Files that params of finetui's own pipeline name: a run sees those that Git or DVC tracks, and absolute paths."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.contract.paths import PARAMS_FILE
from tui.core.errors import UsageError
from tui.core.experiments import flatten
from tui.dvc.declared import overlaps, read_stages
from tui.dvc.git import try_git
from tui.dvc.hashing import TrackedFiles
from tui.dvc.overrides import is_own_schema, read_params
from tui.dvc.project import Project

_KEYS = ("base.source", "base.chat_template", "prepare.source", "prepare.preferences.source", "teacher.source")
_ADAPTERS = "train.merge.adapters"
_WORDS = {"starter", "auto", "none"}
"""Values that are no path, whatever is called like that."""


def check_sources(project: Project, overrides: Mapping[str, Any]) -> None:
    """UsageError when a param names something in the workspace that the snapshot of a run would lack."""
    params = read_params(project.root)
    if not is_own_schema(params):
        return
    values = dict(flatten(params)) | dict(flatten(overrides))
    named = [*((key, values.get(key)) for key in _KEYS), *_listed(values.get(_ADAPTERS))]
    unseen = [(key, name) for key, name in named if isinstance(name, str) and _is_unseen(project, name)]
    if unseen:
        lines = (f"{PARAMS_FILE}: {key}: {name!r} is not tracked by Git or DVC" for key, name in unseen)
        hint = "git add / dvc add it, or give an absolute path"
        raise UsageError("the run would not see what the params name", "\n".join(lines), hint)


def _listed(adapters: Any) -> list[tuple[str, Any]]:
    """Folders of the adapters to merge."""
    items = adapters if isinstance(adapters, list) else []
    return [(_ADAPTERS, item.get("path")) for item in items if isinstance(item, Mapping)]


def _is_unseen(project: Project, name: str) -> bool:
    root, path = project.root, os.path.normpath(name)
    is_relative = not (path.startswith(("/", "~")) or path in _WORDS)
    if not is_relative or not (root / path).exists():
        return False
    made = (out.path for stage in read_stages(root) for out in stage.outputs)
    if any(overlaps(path, out) for out in made) or TrackedFiles(root).is_added(path):
        return False
    return not try_git(root, "ls-files", "--", f":(literal){_known_part(root, path)}")


def _known_part(root: Path, path: str) -> Path:
    """The part of a path that Git can know: it looks into no folder behind a link."""
    parts = [*reversed(Path(path).parents), Path(path)]
    return next((part for part in parts if (root / part).is_symlink()), Path(path))
