"""Params and metrics of one revision, and what is missing or broken about them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.store.documents import BadDocumentError, Documents, clean_metrics, parse, select
from tui.store.dvc_cache import DvcCache, Outs
from tui.store.files import MAX_BYTES, Files
from tui.store.layout import Layout, Layouts, OutFile

_SHOWN_PROBLEMS = 3


@dataclass(slots=True)
class Values:
    """What a revision says of itself."""

    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Declared files that are not available locally."""
    awaited: list[Path] = field(default_factory=list)
    """Places in the DVC cache where missing files would appear."""
    problems: list[str] = field(default_factory=list)

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

    def read(self, files: Files, without: frozenset[str] = frozenset(), only: frozenset[str] | None = None) -> Values:
        """Params and metrics; metrics only of some stages, or not of some, where the others have not run."""
        layout = self._layouts.of(files)
        values = Values(problems=list(layout.problems))
        outs = self._outs(files, layout)
        for path, keys in layout.params.items():
            self._read_params(files, path, keys, values)
        for path, out in layout.metrics.items():
            if out.stage in without or (only is not None and out.stage not in only):
                values.missing.append(path)
            else:
                self._read_metrics(files, path, out, outs, values)
        return values

    def _outs(self, files: Files, layout: Layout) -> Outs:
        cached = any(out.cached and files.identity(path) is None for path, out in layout.metrics.items())
        return self._cache.outs(files, layout) if cached else {}

    def _read_params(self, files: Files, path: str, keys: tuple[str, ...], values: Values) -> None:
        for file in self._expand(files, path):
            if files.identity(file) is None:
                values.missing.append(file)
                continue
            try:
                values.params[file] = select(self._documents.load(files, file), keys)
            except BadDocumentError as error:
                values.problems.append(f"{file}: {error}")

    def _read_metrics(self, files: Files, path: str, out: OutFile, outs: Outs, values: Values) -> None:
        if files.identity(path) is None and out.cached and outs.get(path, "").endswith(".dir"):
            names = [f"{path}/{name}" for name in self._cache.listing(outs[path])] or [path]
        else:
            names = self._expand(files, path)
        for file in names:
            try:
                cleaned, bad = self._metrics(files, file, out, outs)
            except FileNotFoundError:
                values.missing.append(file)
                values.awaited += self._cache.wanted(file, outs) if out.cached else []
            except BadDocumentError as error:
                values.problems.append(f"{file}: {error}")
            else:
                values.metrics[file] = cleaned
                if bad:
                    values.problems.append(f"{file}: {', '.join(bad[:_SHOWN_PROBLEMS])} not a finite number")

    def _metrics(self, files: Files, file: str, out: OutFile, outs: Outs) -> tuple[Any, list[str]]:
        if files.identity(file) is not None:
            known: tuple[Any, list[str]] = self._documents.cached(files, file, parse_metrics)
            return known
        place = self._cache.find(file, outs) if out.cached else None
        if place is None:
            raise FileNotFoundError(file)
        if place.stat().st_size > MAX_BYTES:
            raise BadDocumentError(f"is larger than {MAX_BYTES // 2**20} MiB")
        return parse_metrics(file, place.read_bytes())

    @staticmethod
    def _expand(files: Files, path: str) -> list[str]:
        if files.identity(path) is not None:
            return [path]
        return files.below(path) or [path]


def parse_metrics(path: str, data: bytes) -> tuple[Any, list[str]]:
    """The metrics in a file, and the keys whose values are not finite."""
    bad: list[str] = []
    cleaned = clean_metrics(parse(path, data), bad)
    return {} if cleaned is None else cleaned, bad
