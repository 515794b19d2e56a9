"""Which changes between two revisions decide on their results: params, code and data, and the pipeline itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.contract.paths import METRICS_DIR
from tui.core.experiments import Experiment
from tui.core.keys import Key, flat, same
from tui.core.ports import Store

_PIPELINE_NAMES = frozenset({"dvc.yaml", ".dvcignore"})


def differ(store: Store, one: Experiment, other: Experiment) -> bool:
    """Whether anything differs that results are made from."""
    return not same(param_values(one), param_values(other)) or any(
        decides(change.path, one, other) for change in store.changed_files(one, other)
    )


def decides(path: str, one: Experiment, other: Experiment) -> bool:
    """Whether a file that two revisions do not share decides on their results: code or data, but no result of a stage,
    and no params, which are compared value by value."""
    name = path.rpartition("/")[2]
    if name in _PIPELINE_NAMES:
        return True
    if name == "dvc.lock" or path in {**one.params, **other.params, **other.metrics}:
        return False
    results = [*other.outs, *one.outs, str(METRICS_DIR)]
    if any(_inside(path, out) for out in results if not out.endswith(".dvc")) or name == ".gitignore":
        return False
    deps = {**one.deps, **other.deps}
    return not deps or name.endswith(".dvc") or any(_inside(path, dep) for dep in deps)


def param_values(row: Experiment) -> dict[str, Any]:
    """`file:name` -> value."""
    files: Mapping[str, Any] = row.params
    return {f"{path}:{name}": value for path, document in files.items() for name, value in flat(document).items()}


def files_of(key: Key, row: Experiment) -> Sequence[str]:
    """Files of a revision that a metric is in."""
    paths = [key.path] if key.path else list(row.metrics)
    return [path for path in paths if key.name in flat(row.metrics.get(path, {}))]


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
