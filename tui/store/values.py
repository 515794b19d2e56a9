"""Params, metrics and hashes of one revision, and what is missing or broken about them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tui.store.dvc_cache import DvcCache
from tui.store.git.files import Files
from tui.store.git.trees import is_dvc_file
from tui.store.layouts.dvc_files import Outs, read_hashes
from tui.store.layouts.ignored import Ignored
from tui.store.layouts.lookup import Layouts
from tui.store.parsing.documents import BadDocumentError, Documents, parse_document, parse_metrics
from tui.store.parsing.selection import pick, select

_SHOWN_PROBLEMS = 3


@dataclass(slots=True)
class Values:
    """What a revision says of itself.

    Those of a commit that are final stay the same until something that they await comes into the DVC cache; the
    others until `ValueReader.version` is another.
    """

    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    deps: dict[str, str | None] = field(default_factory=dict)
    outs: dict[str, str | None] = field(default_factory=dict)
    data_sources: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    """Declared files that are not available locally."""
    awaited: list[str] = field(default_factory=list)
    """md5 of missing files that may come into the DVC cache."""
    problems: list[str] = field(default_factory=list)
    is_pending: bool = False
    """Whether DVC is still being asked where things are."""
    is_final: bool = True
    """Whether it was read with DVC's own layout, and no Git object was missing."""

    @property
    def error(self) -> str | None:
        """The first problems in one line."""
        if not self.problems:
            return None
        more = len(self.problems) - _SHOWN_PROBLEMS
        return "; ".join(self.problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


class ValueReader:
    """Reads the values of any revision."""

    def __init__(self, documents: Documents, layouts: Layouts, cache: DvcCache) -> None:
        self._documents, self._layouts, self._cache = documents, layouts, cache

    @property
    def version(self) -> int:
        """Goes up whenever DVC has said where more things are."""
        return self._layouts.version

    def read(self, files: Files, without: frozenset[str] = frozenset(), only: frozenset[str] | None = None) -> Values:
        """Everything of a revision; metrics only of some stages, or not of some, where the others have not run."""
        layout = self._layouts.of(files)
        hashes = read_hashes(files, layout, self._documents)
        values = Values(
            deps=hashes.deps, outs=hashes.outs, data_sources=tuple(hashes.data_sources),
            problems=[*layout.problems, *hashes.problems],
        )  # fmt: skip
        values.is_pending, values.is_final = layout.is_pending, layout.is_final
        reading = _Reading(files, hashes.cached, values, self._documents, self._cache)
        for path, keys in layout.params.items():
            reading.read_params(path, keys)
        for path, keys in layout.variables.items():
            reading.read_variables(path, keys)
        for path, out in layout.metrics.items():
            if out.stage in without or (only is not None and out.stage not in only):
                values.missing.append(path)
            else:
                reading.read_metrics(path)
        return values


class _Reading:
    """Reads one revision."""

    def __init__(self, files: Files, outs: Outs, values: Values, documents: Documents, cache: DvcCache) -> None:
        self._files, self._outs, self._values = files, outs, values
        self._documents, self._cache = documents, cache
        self._read: set[str] = set()

    def read_params(self, path: str, keys: tuple[str, ...]) -> None:
        """Read the tracked params of a file, or of all in a folder."""
        for file in self._expand(path):
            self._read.add(file)
            document = self._load(file, parse_document)
            if document is not None:
                try:
                    self._values.params[file] = select(document, keys)
                except BadDocumentError as error:
                    self._values.problems.append(f"{file}: {error}")

    def read_variables(self, path: str, keys: tuple[str, ...]) -> None:
        """Read the variables of a file that is no params file."""
        if path not in self._read:
            document = self._load(path, parse_document)
            if document is not None:
                self._values.params[path] = pick(document.plain, keys)

    def read_metrics(self, path: str) -> None:
        """Read a metrics file, or all in a folder."""
        for file in self._expand(path):
            metrics = self._load(file, parse_metrics)
            if metrics is not None:
                self._values.metrics[file] = metrics

    def _expand(self, path: str) -> list[str]:
        if self._files.identity(path) is not None:
            return [path]
        names = self._files.below(path)
        if names:
            ignored = Ignored(self._files, self._documents)
            names = [name for name in names if not is_dvc_file(name.rpartition("/")[2]) and not ignored.has(name)]
        found = list(dict.fromkeys((*names, *self._cache.below(path, self._outs))))
        for out in self._cache.unlisted(path, self._outs) if found else ():
            if not self._files.below(out):
                self._miss(out)
        return found or [path]

    def _load(self, file: str, decode: Callable[[str, bytes], Any]) -> Any:
        """A decoded file, from Git, the work tree or the DVC cache; None if that is not possible, for a reason told."""
        try:
            if self._files.identity(file) is not None:
                return self._documents.cached(self._files, file, decode)
            place = self._cache.find(file, self._outs)
            if place is not None:
                return self._documents.at_place(place, file, decode)
        except BadDocumentError as error:
            self._values.problems.append(f"{file}: {error}")
            self._values.is_final = self._values.is_final and error.is_final
            return None
        self._miss(file)
        return None

    def _miss(self, path: str) -> None:
        if path not in self._values.missing:
            self._values.missing.append(path)
            self._values.awaited += self._cache.awaited(path, self._outs)
