"""A program of its own: asks DVC where the params, metrics, plots, deps and outs of revisions are.

`python -P dvc_layout.py` reads requests `{"root": ..., "rev": ...}` and answers each with one line of JSON. It is the
only module that imports dvc, which costs half a second and changes the process it is in; it imports nothing of finetui.
It takes no lock of DVC's, needs no network and writes nothing into the project but what DVC keeps in .dvc/tmp.
"""

import io
import json
import os
import posixpath
import queue
import re
import sys
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TextIO

_NO_FILES = ("ParamsDependency", "RepoDependency", "DatasetDependency", "DbDependency")
_PASSING = {"SCMError", "RemoteMissingDepsError", "PermissionError", "OSError"}
"""Errors that may be gone the next time: an object of Git, a plugin of DVC, or the right or space to write was missing.

These very classes: an OSError that is no other one is of the disk, as a file system that is read-only.
"""
_GRACE_S = 30.0
_MAX_REASON = 400
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main() -> None:
    """Answer requests until there are no more."""
    answers = _own_stdout()
    _read_blobs_whole()
    requests = _requests()
    for request in iter(requests.get, None):
        root, rev = request.get("root", ""), request.get("rev", "")
        errors: dict[str, Exception] = {}
        try:
            answer: dict[str, Any] = {"layout": layout(root, rev, errors)}
        except Exception as error:  # noqa: BLE001 - whatever one revision makes DVC do must not hide the others
            answer, errors[""] = {"problem": reason(error)}, error
        answer["is_final"] = not any(type(error).__name__ in _PASSING for error in errors.values())
        answers.write(json.dumps({"root": root, "rev": rev, **answer}, default=str) + "\n")
        answers.flush()


def _own_stdout() -> TextIO:
    """The real standard output; what DVC prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _requests() -> "queue.SimpleQueue[dict[str, Any] | None]":
    """Requests as they arrive, then None; without a parent the program ends even when DVC hangs."""
    found: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def pump() -> None:
        for line in sys.stdin:
            found.put(json.loads(line))
        found.put(None)
        threading.Event().wait(_GRACE_S)
        os._exit(1)

    threading.Thread(target=pump, daemon=True).start()
    return found


def layout(root: str, rev: str, errors: dict[str, Exception]) -> dict[str, Any]:
    """What DVC knows of a revision, or of the work tree if that is `workspace`; paths are relative to the root.

    Files that it refuses are left out, and why goes to `errors`.
    """
    os.chdir(root)
    repo = _open(root)
    with repo.switch(rev):

        def keep(path: str, error: Exception) -> None:
            errors[_relative(repo, posixpath.abspath(path))] = error

        repo.stage_collection_error_handler = keep
        stages = [_stage(repo, stage) for stage in repo.index.stages]
        return {
            "params": _params(repo),
            "vars": _variables(repo),
            "metrics": _metrics(repo),
            "plots": [*_stage_plots(repo), *_top_level_plots(repo)],
            "stages": stages,
            "problems": {path: reason(error) for path, error in errors.items()},
        }


def _read_blobs_whole() -> None:
    """Make DVC read blobs at once: pygit2's stream waits for ever for one that is missing."""
    import pygit2

    stream = pygit2.BlobIO

    def read(blob: Any, **filters: Any) -> Any:
        content = io.BytesIO(blob.data)
        return stream(blob, **filters) if filters else content

    vars(pygit2)["BlobIO"] = read


@lru_cache(maxsize=4)
def _open(root: str) -> Any:
    from dvc.dvcfile import Lockfile
    from dvc.repo import Repo

    Repo._ignore = lambda _self: None  # it would write .dvc/.gitignore
    Lockfile.load = lambda _self: {}  # hashes are not asked for, and a broken dvc.lock must not hide the stages
    return Repo(root)


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    text = " ".join(_COLOUR.sub("", str(error)).split()) or type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause) and str(cause) not in text:
        text = f"{text}: {' '.join(str(cause).split())}"
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"


def _relative(repo: Any, path: str) -> str:
    from dvc.utils import relpath

    return str(relpath(path, repo.root_dir))


def _with_slashes(path: str) -> str:
    """A path as DVC shows it of params, metrics and plots: one that was written on Windows, too."""
    return path.replace("\\", "/")


def _stage(repo: Any, stage: Any) -> dict[str, Any]:
    """A stage of a dvc.yaml, or a .dvc file, whose name is None."""
    return {
        "file": _relative(repo, stage.path),
        "name": getattr(stage, "name", None),
        "wdir": _relative(repo, stage.wdir),
        "deps": [_file(repo, dep) for dep in stage.deps if type(dep).__name__ not in _NO_FILES],
        "outs": [[*_file(repo, out), _flags(out)] for out in stage.outs],
    }


def _file(repo: Any, file: Any) -> list[str]:
    """Path as the stage says it, path in the project, and what its hash is called."""
    name = "md5" if file.is_in_repo else str(file.fs.PARAM_CHECKSUM)
    return [str(file.def_path), _relative(repo, file.fs_path), name]


def _flags(out: Any) -> str:
    return "".join(flag for flag, is_set in (("c", out.use_cache), ("m", out.is_metric), ("p", out.is_plot)) if is_set)


def _address(repo: Any, stage: Any) -> str:
    file, name = _relative(repo, stage.path), getattr(stage, "name", None)
    if name is None:
        return file
    return str(name) if file == "dvc.yaml" else f"{file}:{name}"


def _params(repo: Any) -> dict[str, list[str]]:
    """File -> tracked keys; none is the whole file."""
    from dvc.dependency import _merge_params
    from dvc.repo.params.show import _collect_top_level_params

    found = [{_relative(repo, dep.fs_path): list(dep.params)} for dep in repo.index.params]
    found += [{path: []} for path in _collect_top_level_params(repo)]
    if _has_default(repo):
        found.append({"params.yaml": []})
    return {_with_slashes(path): [str(key) for key in keys] for path, keys in _merge_params(found).items()}


def _has_default(repo: Any) -> bool:
    path = repo.fs.join(repo.root_dir, "params.yaml")
    if repo.fs.exists(path) and not repo.dvcignore.is_ignored(repo.fs, path):
        return True
    return any(out.use_cache and _relative(repo, out.fs_path) == "params.yaml" for out in repo.index.outs)


def _variables(repo: Any) -> dict[str, list[str]]:
    """File -> dotted keys of the variables that stages use."""
    from dvc.repo.params.show import _collect_vars

    return {str(path).lstrip("/"): [str(key) for key in used] for path, used in _collect_vars(repo, {}).items()}


def _metrics(repo: Any) -> dict[str, list[Any]]:
    """File -> stage that writes it, and whether it is in the DVC cache."""
    from dvc.repo.metrics.show import _collect_top_level_metrics

    found: dict[str, list[Any]] = {}
    for out in repo.index.metrics:
        found[_with_slashes(_relative(repo, out.fs_path))] = [_address(repo, out.stage), bool(out.use_cache)]
    for path in _collect_top_level_metrics(repo):
        found.setdefault(str(path), [None, True])
    return found


def _stage_plots(repo: Any) -> Iterator[dict[str, Any]]:
    for out in repo.index.plots:
        details = out.plot if isinstance(out.plot, dict) else {}
        yield {
            "path": posixpath.normpath(_with_slashes(_relative(repo, out.fs_path))),
            "stage": _address(repo, out.stage),
            "cached": bool(out.use_cache),
            **_axes(details),
        }


def _top_level_plots(repo: Any) -> Iterator[dict[str, Any]]:
    """Data of every curve that a dvc.yaml draws."""
    for file, definitions in repo.index._plots.items():
        folder = posixpath.dirname(_relative(repo, file))
        for definition in definitions:
            for name, details in ({definition: {}} if isinstance(definition, str) else definition).items():
                for path, axes in _sources(str(name), details or {}):
                    other = axes["x_file"]
                    axes["x_file"] = other and posixpath.normpath(posixpath.join(folder, other))
                    yield {
                        "path": posixpath.normpath(posixpath.join(folder, path)),
                        "stage": None,
                        "cached": True,
                        **axes,
                    }


def _sources(name: str, details: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    y, number = details.get("y"), 0
    for path, columns in y.items() if isinstance(y, dict) else ((name, y),):
        x, other = _axis_of(details.get("x"), str(path), number)
        yield str(path), _axes({**details, "x": x, "x_file": other, "y": columns})
        number += len(columns) if isinstance(columns, list) else 1


def _axis_of(x: Any, path: str, number: int) -> tuple[Any, str | None]:
    """Column with the steps of the y of that number, and its file if that is another one; one axis is for all."""
    if not isinstance(x, dict):
        return x, None
    pairs = [
        (str(file), column) for file, found in x.items() for column in (found if isinstance(found, list) else [found])
    ]
    file, column = pairs[0] if len(pairs) == 1 else pairs[number] if number < len(pairs) else (path, None)
    return column, None if file == path else file


def _axes(details: dict[str, Any]) -> dict[str, Any]:
    x, y = details.get("x"), details.get("y")
    columns = [y] if isinstance(y, str) else y if isinstance(y, list) else []
    return {
        "x": x if isinstance(x, str) else None,
        "x_file": details.get("x_file"),
        "y": [str(column) for column in columns],
        "header": details.get("header") is not False,
        "template": details.get("template"),
    }


if __name__ == "__main__":
    main()
