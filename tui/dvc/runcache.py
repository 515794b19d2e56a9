"""DVC's run cache: results of stages by what they were made from (DVC 3.67, dvc/stage/cache.py)."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.contract.yaml12 import load_yaml
from tui.dvc.config import cache_directory


def find_result(root: Path, stage: Mapping[str, Any]) -> dict[str, Any] | None:
    """The newest lock entry of a run of this stage: the same command, deps, params and names of outputs."""
    text = json.dumps(stage, sort_keys=True).encode()
    key = hashlib.sha256(text).hexdigest()
    folder = cache_directory(root) / "runs" / key[:2] / key
    try:
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        entry = load_yaml(newest.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return entry if isinstance(entry, dict) else None
