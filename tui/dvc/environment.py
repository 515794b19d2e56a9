"""Environment variables of the commands that finetui starts."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.contract.paths import CHECKPOINTS_VARIABLE

RUN_ID = "FINETUI_RUN_ID"
"""Marks every process of a run, also those that left its process group."""

_GIT_LOCATION = {
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
}
_OF_ANOTHER_RUN = {"DVC_STAGE", "DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", RUN_ID}


def git_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """For git: the repository is the one we name, messages are English, the user's index is never refreshed."""
    clean = {name: value for name, value in os.environ.items() if name not in _GIT_LOCATION}
    return clean | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"} | dict(extra or {})


def supervisor_environment() -> dict[str, str]:
    """For the supervisor, which belongs to no run even when a stage of one has launched it."""
    return {name: value for name, value in os.environ.items() if name not in _GIT_LOCATION | _OF_ANOTHER_RUN}


def run_environment(run_id: str, name: str, baseline: str, site_cache: Path, checkpoints: Path) -> dict[str, str]:
    """For `dvc repro` and the stages below it."""
    dropped = _GIT_LOCATION | _OF_ANOTHER_RUN
    clean = {name: value for name, value in os.environ.items() if name not in dropped}
    interpreter = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in (interpreter, clean.get("PATH", os.defpath)) if part)
    return clean | {
        RUN_ID: run_id,
        "PATH": path,
        "DVC_EXP_NAME": name,
        "DVC_EXP_BASELINE_REV": baseline,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(site_cache),
        # A run's clone is thrown away: what a killed training left must outlive it.
        CHECKPOINTS_VARIABLE: os.environ.get(CHECKPOINTS_VARIABLE) or str(checkpoints),
        "PYTHONUNBUFFERED": "1",
    }
