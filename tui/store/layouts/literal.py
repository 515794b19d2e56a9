"""What dvc.yaml files say without DVC: entries without `${...}`, shown until DVC has answered, or when it cannot."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from tui.store.git.files import Files
from tui.store.layouts.layout import PARAMS, Layout, OutFile, StageFiles, StageOut
from tui.store.parsing.documents import BadDocumentError, Documents

_TEMPLATE = "${"


def literal_layout(files: Files, documents: Documents) -> Layout:
    """The layout as far as it is plain to see."""
    layout = Layout()
    if files.is_absent:
        layout.problems.append("the project was not there yet, or no longer")
    for path in files.pipelines():
        add_pipeline(layout, files, documents, path)
    if files.identity(PARAMS) is not None:
        layout.track(PARAMS, ())
    return layout


def add_pipeline(layout: Layout, files: Files, documents: Documents, path: str) -> None:
    """Add what one dvc.yaml says; what is no dvc.yaml at all is a problem."""
    try:
        document = documents.load(files, path)
    except BadDocumentError as error:
        layout.problems.append(f"{path}: {error}")
        return
    stages = document.get("stages") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(stages, Mapping | None):
        layout.problems.append(f"{path}: must be a mapping, and so must its stages")
        return
    directory = posixpath.dirname(path)
    for name, stage in (stages or {}).items():
        if isinstance(stage, Mapping) and not {"foreach", "matrix"} & stage.keys():
            _add_stage(layout, path, str(name), stage)
    _add_top_level(layout, directory, document)


def _add_stage(layout: Layout, file: str, name: str, stage: Mapping[str, Any]) -> None:
    directory, wdir = posixpath.dirname(file), str(stage.get("wdir") or "")
    if _TEMPLATE in wdir:
        return
    folder = _join(directory, wdir)
    address = f"{file}:{name}" if directory else name
    for path, keys in _params(stage.get("params")):
        layout.track(_place(folder, path), keys)
    for path, details in _entries(stage.get("metrics")):
        layout.metrics[_place(folder, path)] = OutFile(address, details.get("cache") is not False)
    for path, details in _entries(stage.get("plots")):
        x, y = details.get("x"), details.get("y")
        cached, header = details.get("cache") is not False, details.get("header") is not False
        out = OutFile(address, cached, x if isinstance(x, str) else None, _columns(y), None, header)
        layout.add_plot(_place(folder, path), out, details.get("template"))
    deps = tuple((path, _join(folder, path), "md5") for path, _ in _entries(stage.get("deps")))
    layout.stages.append(StageFiles(file, name, deps, tuple(_outs(stage, folder))))


def _outs(stage: Mapping[str, Any], folder: str) -> Iterator[StageOut]:
    for section in ("outs", "metrics", "plots"):
        for path, details in _entries(stage.get(section)):
            yield StageOut(path, _join(folder, path), "md5", details.get("cache") is not False, section == "outs")


def _add_top_level(layout: Layout, directory: str, document: Mapping[str, Any]) -> None:
    for path, _ in _entries(document.get("metrics")):
        layout.metrics.setdefault(_join(directory, path), OutFile(None, True))
    for path, _ in _entries(document.get("params")):
        layout.track(_join(directory, path), ())
    plots = document.get("plots")
    for name, details in _entries([plots] if isinstance(plots, Mapping) else plots):
        x, y = details.get("x"), details.get("y")
        for path, columns in y.items() if isinstance(y, Mapping) else ((name, y),):
            own = x.get(path) if isinstance(x, Mapping) else x  # DVC says the rest
            out = OutFile(None, True, own if isinstance(own, str) else None, _columns(columns))
            layout.add_plot(_join(directory, str(path)), out, details.get("template"))


def _join(*parts: str) -> str:
    return posixpath.normpath(posixpath.join(*parts))


def _place(folder: str, path: str) -> str:
    """Where a file is whose path may have been written on Windows."""
    return _join(folder, path.replace("\\", "/"))


def _entries(section: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Items of a list of paths, each alone or with details."""
    for item in section if isinstance(section, list) else []:
        pairs = item.items() if isinstance(item, Mapping) else ((item, None),)
        for path, details in pairs:
            if isinstance(path, str) and _TEMPLATE not in path:
                yield path, details if isinstance(details, Mapping) else {}


def _params(section: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    for item in section if isinstance(section, list) else []:
        if isinstance(item, Mapping):
            for path, keys in item.items():
                if _TEMPLATE not in str(path):
                    yield str(path), tuple(str(key) for key in keys) if isinstance(keys, list) else ()
        elif _TEMPLATE not in str(item):
            yield PARAMS, (str(item),)


def _columns(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
