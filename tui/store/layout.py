"""Which files hold params, metrics and plots, according to the dvc.yaml files of a revision."""

import posixpath
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.store.documents import BadDocumentError, Documents
from tui.store.files import Files
from tui.store.templating import Context, TemplateError, expand, make_context, resolve

_PARAMS = "params.yaml"
_MAX_LAYOUTS = 5_000


@dataclass(frozen=True, slots=True)
class OutFile:
    """A metrics or plots file that is declared."""

    stage: str | None
    """Stage that writes it, as DVC addresses it (`train`, `sub/dvc.yaml:train`); None where no stage says so."""
    cached: bool
    """Whether its content is in the DVC cache and not in Git."""
    x: str | None = None
    """Column with the steps, of a plot."""
    y: tuple[str, ...] = ()
    """Columns with the values, of a plot; empty takes all that are numbers."""


@dataclass(slots=True)
class Layout:
    """Where to look for what; paths are relative to the project's root."""

    params: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """File -> tracked keys; no keys is the whole file."""
    metrics: dict[str, OutFile] = field(default_factory=dict)
    plots: dict[str, OutFile] = field(default_factory=dict)
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    """Folder of a dvc.yaml -> stage -> working directory; the paths of its dvc.lock are relative to that."""
    problems: list[str] = field(default_factory=list)
    """What could not be understood."""

    def track(self, path: str, keys: tuple[str, ...]) -> None:
        """Add tracked keys of a params file; once a file is tracked whole it stays so."""
        known = self.params.get(path)
        self.params[path] = () if known == () or not keys else (*(known or ()), *keys)


class Layouts:
    """Layouts, worked out once per distinct set of dvc.yaml files and of the variables that they use."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: dict[Hashable, Layout] = {}
        self._variables: dict[Hashable, tuple[str, ...]] = {}

    def of(self, files: Files) -> Layout:
        """The layout of a revision."""
        pipelines = tuple((path, files.identity(path)) for path in files.pipelines())
        used = self._variables.get(pipelines, ())
        key = (pipelines, files.identity(_PARAMS) is None, tuple(files.identity(path) for path in used))
        if pipelines not in self._variables or key not in self._known:
            if len(self._known) >= _MAX_LAYOUTS:
                self._known.clear()
                self._variables.clear()
            builder = _Builder(files, self._documents)
            layout = builder.build()
            used = self._variables[pipelines] = tuple(builder.used)
            key = (pipelines, files.identity(_PARAMS) is None, tuple(files.identity(path) for path in used))
            self._known[key] = layout
        return self._known[key]


class _Builder:
    """Works out one layout."""

    def __init__(self, files: Files, documents: Documents) -> None:
        self._files, self._documents = files, documents
        self._layout = Layout()
        self.used: dict[str, None] = {}
        """Variables files that were looked at."""

    def build(self) -> Layout:
        """The layout of all dvc.yaml files."""
        for path in self._files.pipelines():
            try:
                self._add_pipeline(path, self._documents.load(self._files, path))
            except (BadDocumentError, TemplateError) as error:
                self._layout.problems.append(f"{path}: {error}")
        if self._files.identity(_PARAMS) is not None:
            self._layout.track(_PARAMS, ())
        return self._layout

    def _add_pipeline(self, path: str, document: Any) -> None:
        if not isinstance(document, Mapping):
            raise BadDocumentError("must be a mapping")
        directory = posixpath.dirname(path)
        context = self._context(document, directory)
        stages = document.get("stages") or {}
        if not isinstance(stages, Mapping):
            raise BadDocumentError("stages must be a mapping")
        for name, definition in stages.items():
            try:
                self._add_definition(str(name), definition, directory, context)
            except TemplateError as error:
                self._layout.problems.append(f"{path}: stage {name}: {error}")
        self._add_top_level(document, directory, context)

    def _context(self, document: Mapping[str, Any], directory: str) -> Context:
        text = str(document)  # looking for a template is far cheaper than loading the variables
        if "${" not in text:
            return {}
        return make_context(document.get("vars"), directory, self._load_variables)

    def _load_variables(self, path: str) -> Any:
        self.used[path] = None
        if self._files.identity(path) is None:
            return None
        return self._documents.load(self._files, path)

    def _add_definition(self, name: str, definition: Any, directory: str, context: Context) -> None:
        if not isinstance(definition, Mapping):
            raise TemplateError("must be a mapping")
        for stage, template, local in expand(name, definition, context):
            if not isinstance(template, Mapping):
                raise TemplateError("must be a mapping")
            own = template.get("vars")
            if own:
                folder = posixpath.join(directory, str(template.get("wdir") or ""))
                local = {**local, **make_context(own, folder, self._load_variables, default=False)}
            self._add_stage(stage, template, directory, local)

    def _add_stage(self, stage: str, template: Mapping[str, Any], directory: str, context: Context) -> None:
        part = {key: template[key] for key in ("wdir", "params", "metrics", "plots") if template.get(key)}
        resolved = resolve(part, context) if context else part
        folder = _join(directory, str(resolved.get("wdir", "")))
        self._layout.folders.setdefault(directory, {})[stage] = folder
        address = f"{directory}/dvc.yaml:{stage}" if directory else stage
        for path, keys in _params(resolved.get("params")):
            self._layout.track(_join(folder, path), keys)
        for path, details in _entries(resolved.get("metrics")):
            self._layout.metrics[_join(folder, path)] = OutFile(address, details.get("cache") is not False)
        for path, details in _entries(resolved.get("plots")):
            if not _is_curve(details):
                continue
            x, y = details.get("x"), details.get("y")
            columns = (y,) if isinstance(y, str) else ()
            cached = details.get("cache") is not False
            self._layout.plots[_join(folder, path)] = OutFile(
                address, cached, x if isinstance(x, str) else None, columns
            )

    def _add_top_level(self, document: Mapping[str, Any], directory: str, context: Context) -> None:
        part = {key: document[key] for key in ("params", "metrics", "plots") if document.get(key)}
        resolved = resolve(part, context) if context else part
        for path, _ in _entries(resolved.get("metrics")):
            self._layout.metrics.setdefault(_join(directory, path), OutFile(None, True))
        for path, _ in _entries(resolved.get("params")):
            self._layout.track(_join(directory, path), ())
        for path, out in _top_level_plots(resolved.get("plots")):
            full = _join(directory, path)
            known = self._layout.plots.get(full)
            self._layout.plots[full] = OutFile(known.stage if known else None, True, out.x, out.y)


def _join(*parts: str) -> str:
    return posixpath.normpath(posixpath.join(*parts))


def _entries(section: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Items of a list of paths, each alone or with details."""
    for item in section if isinstance(section, list) else []:
        if isinstance(item, str):
            yield item, {}
        elif isinstance(item, Mapping):
            for path, details in item.items():
                yield str(path), details if isinstance(details, Mapping) else {}


def _params(section: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    for item in section if isinstance(section, list) else []:
        if isinstance(item, Mapping):
            for path, keys in item.items():
                yield str(path), tuple(str(key) for key in keys) if isinstance(keys, list) else ()
        else:
            yield _PARAMS, (str(item),)


def _top_level_plots(section: Any) -> Iterator[tuple[str, OutFile]]:
    items = [section] if isinstance(section, Mapping) else section
    for name, details in _entries(items):
        if not _is_curve(details):
            continue
        x, y = details.get("x"), details.get("y")
        if isinstance(y, Mapping):
            for path, columns in y.items():
                own = x.get(path) if isinstance(x, Mapping) else x
                yield str(path), OutFile(None, True, own if isinstance(own, str) else None, _columns(columns))
        else:
            yield name, OutFile(None, True, x if isinstance(x, str) else None, _columns(y))


def _is_curve(details: Mapping[str, Any]) -> bool:
    return details.get("template") in {None, "linear", "simple", "smooth"}


def _columns(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
