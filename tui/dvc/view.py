"""What a run will see of a project: files, params, locks, and the outputs of the stages that are decided already."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract import paths
from pipeline.contract.yaml12 import load_yaml
from tui.dvc.declared import DeclaredStage, overlaps
from tui.dvc.hashing import Cache, TrackedFiles, UnknownHashError

MISSING = object()
"""Stands for a param that is not there; None is a value."""

_READABLE = frozenset({".yaml", ".yml", ".json", ".lock"})


class View:
    """A work tree in which some files have other contents (path -> text)."""

    def __init__(self, root: Path, stages: Sequence[DeclaredStage], replaced: Mapping[str, str]) -> None:
        self.root = root
        self.stages = stages
        self.files = TrackedFiles(root, dict(replaced))
        self.cache = Cache(root)
        self.outputs: dict[str, str] = {}
        """Hashes of outputs that are there already, or will be without running anything."""
        self.will_run: set[str] = set()
        self._replaced = replaced
        self._loaded: dict[str, Any] = {}

    def lock_of(self, stage: DeclaredStage) -> dict[str, Any] | None:
        """The stage's entry in dvc.lock."""
        stages = self._load(str(Path(stage.file).with_name(paths.LOCK_FILE.name))).get("stages") or {}
        entry = stages.get(stage.key)
        return entry if isinstance(entry, dict) else None

    def params_of(self, stage: DeclaredStage) -> dict[str, dict[str, Any]]:
        """File -> tracked key -> value, MISSING where there is none."""
        found: dict[str, dict[str, Any]] = {}
        for file, keys in stage.params.items():
            values = self._load(file)
            found[file] = {key: _value_at(values, key) for key in keys} if keys else values
        return found

    def maker_of(self, path: str) -> DeclaredStage | None:
        """The stage that makes a file or folder; None when it is part of the sources."""
        for stage in self.stages:
            for out in stage.outputs:
                if path == out.path or path.startswith(f"{out.path}/"):
                    return stage
                if overlaps(path, out.path):
                    raise UnknownHashError(f"{path} contains {out.path}, which is made by {stage.name}")
        return None

    def hash_of(self, path: str) -> str | None:
        """Hash of a dep as the run will find it; None when it is missing."""
        for out, md5 in self.outputs.items():
            if path == out:
                return md5
            if path.startswith(f"{out}/"):
                return self.cache.listing(md5).get(path.removeprefix(f"{out}/"))
        found = self.files.hash_of(path)
        if found is None and any(stage.is_templated for stage in self.stages):
            raise UnknownHashError(f"{path} may come from a stage that is a template")
        return found

    def _load(self, file: str) -> dict[str, Any]:
        if file not in self._loaded:
            self._loaded[file] = self._read(file)
        return dict(self._loaded[file])

    def _read(self, file: str) -> dict[str, Any]:
        if Path(file).suffix not in _READABLE:
            raise UnknownHashError(f"{file} is of a kind that only DVC reads")
        try:
            text = self._replaced.get(file) or (self.root / file).read_bytes()
            value = load_yaml(text)
        except OSError:
            return {}
        except yaml.YAMLError as error:
            raise UnknownHashError(f"{file} does not parse: {' '.join(str(error).split())}") from error
        return value if isinstance(value, dict) else {}


def recorded(lock: Mapping[str, Any], kind: str, stage: DeclaredStage) -> dict[str, Any]:
    """Entries of a lock, by path relative to the root."""
    entries = (entry for entry in lock.get(kind) or () if isinstance(entry, dict) and "path" in entry)
    return {os.path.normpath(f"{stage.wdir}/{entry['path']}"): entry for entry in entries}


def recorded_hash(entry: Mapping[str, Any], path: str) -> str:
    """The hash in a lock entry, if it is of the kind that we can compute."""
    if entry.get("hash") != "md5" or "md5" not in entry:
        raise UnknownHashError(f"dvc.lock knows {path} in a way that only DVC understands")
    return str(entry["md5"])


def relative(path: str, stage: DeclaredStage) -> str:
    """A path as the stage's lock entry names it."""
    return path if path.startswith("/") else os.path.relpath(path, stage.wdir)


def _value_at(values: Any, key: str) -> Any:
    for part in key.split("."):
        if isinstance(values, dict) and part in values:
            values = values[part]
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return MISSING
    return values
