"""DVC's run cache: results of stages by what they were made from (DVC 3.67, dvc/stage/cache.py)."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract.yaml12 import load_yaml
from tui.dvc.config import cache_directory

_UNFINISHED = ".tmp"


def find_result(root: Path, stage: Mapping[str, Any]) -> dict[str, Any] | None:
    """The newest lock entry of a run of this stage: the same command, deps, params and names of outputs."""
    text = json.dumps(stage, sort_keys=True).encode()
    key = hashlib.sha256(text).hexdigest()
    for path in _finished(cache_directory(root) / "runs" / key[:2] / key):
        with suppress(OSError, ValueError, yaml.YAMLError):
            entry = load_yaml(path.read_bytes())
            return entry if isinstance(entry, dict) else None
    return None


def leave_others_entries_alone() -> None:
    """Let the DVC of this process look at finished entries only: runs that go on at once share the cache.

    DVC 3.67 takes the newest file for an entry, also one that another process is about to write and rename; half of
    it is a "corrupted cache file", which DVC deletes, and the other process fails for want of it.
    """
    cache = import_module("dvc.stage.cache")

    def load(self: Any, stage: Any) -> Any:
        key = cache._get_stage_hash(stage)
        if not key:
            return None
        entries = (self._load_cache(key, path.name) for path in _finished(Path(self._get_cache_dir(key))))
        return next(filter(None, entries), None)

    cache.StageCache._load = load


def _finished(folder: Path) -> list[Path]:
    """Entries of a folder that are whole, newest first; none when there is no such folder."""
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix != _UNFINISHED:
                with suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]
