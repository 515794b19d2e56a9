"""Files that a stage reads by the will of a param: DVC knows those alone that are deps."""

import sys
from pathlib import Path

import yaml

from pipeline.contract import paths


def warn_unless_dep(stage: str, file: Path, named: str) -> None:
    """Say that DVC will not run the stage again when a file changes that it does not know of."""
    if any(file.resolve().is_relative_to(Path(dep).resolve()) for dep in _deps(stage)):
        return
    sys.stderr.write(
        f"{stage}: warning: {file} ({named}) is no dep of {stage} in {paths.PIPELINE_FILE}, so DVC will not see "
        "when it changes; add it there\n"
    )


def _deps(stage: str) -> list[str]:
    """Deps of a stage as dvc.yaml has them; a project may be run without one."""
    try:
        content = yaml.safe_load(paths.PIPELINE_FILE.read_text())
        return [str(dep) for dep in content["stages"][stage]["deps"]]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return []
