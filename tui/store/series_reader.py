"""Finds the series of an experiment: finetui's own, dvclive's, and those that dvc.yaml names as plots."""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from pipeline.contract import paths
from pipeline.contract.stages import STAGES
from tui.core.experiments import Experiment
from tui.core.series import Recording
from tui.store.commits import CommitReader
from tui.store.dvc_cache import DvcCache
from tui.store.files import MAX_BYTES, Files, FolderFiles
from tui.store.layout import OutFile
from tui.store.layouts import Layouts
from tui.store.points import Decoder, LinesDecoder, TableDecoder, decode_records
from tui.store.stopped import stages_after, unreached_stages
from tui.store.tail import Tail
from tui.store.workspace import Workspace

_METRICS = paths.METRICS_DIR.as_posix()
_DVCLIVE = "plots/metrics/"
_STOPPED = {"failed", "cancelled", "lost"}
_MAX_KNOWN = 512
_MAX_TAILS = 512
_UNDECLARED = OutFile(None, False)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file with series, and how to read it."""

    path: str
    stage: str
    name: str | None = None
    """Name of the metric where the file's name tells it."""
    out: OutFile = _UNDECLARED

    def decoder(self) -> Decoder[Recording]:
        """A decoder for a file that is read line by line."""
        suffix = posixpath.splitext(self.path)[1]
        if suffix == ".jsonl":
            return LinesDecoder(self.stage, self.name)
        return TableDecoder(self.stage, self.name, _DELIMITERS.get(suffix, ","), self.out.x, self.out.y)


class SeriesReader:
    """Reads series of commits from blobs and the DVC cache, and follows those of folders."""

    def __init__(self, layouts: Layouts, cache: DvcCache, commits: CommitReader, workspace: Workspace) -> None:
        self._layouts, self._cache = layouts, cache
        self._commits, self._workspace = commits, workspace
        self._known: dict[object, Recording] = {}
        self._tails: dict[tuple[Path, Source], Tail[Recording]] = {}

    def read(self, experiment: Experiment, directory: Path | None = None) -> Recording:
        """All series and events, stage by stage in the order of the pipeline."""
        if experiment.kind == "workspace" and directory is None:
            return self._follow(self._workspace.files(), experiment)
        if directory is not None and directory.is_dir():
            return self._follow(FolderFiles(directory, self._pipelines(experiment)), experiment)
        return self._of_commit(experiment)

    def _pipelines(self, experiment: Experiment) -> list[str]:
        try:
            return list(self._commits.files(experiment.rev).pipelines())
        except (KeyError, ValueError, OSError):
            return ["dvc.yaml"]

    def _of_commit(self, experiment: Experiment) -> Recording:
        try:
            files = self._commits.files(experiment.rev)
            skipped = unreached_stages(files) if experiment.status in _STOPPED else frozenset()
            layout = self._layouts.of(files)
            outs = self._cache.outs(files, layout) if any(plot.cached for plot in layout.plots.values()) else {}
            found: list[Recording] = []
            for source in self._sources(files, skipped):
                if files.identity(source.path) is not None:
                    found.append(
                        self._remember((files.identity(source.path), source), partial(files.read, source.path))
                    )
                elif (place := self._cache.find(source.path, outs)) is not None:
                    found.append(self._remember((place, source), place.read_bytes))
        except (KeyError, ValueError, OSError):
            return Recording()
        return _joined(found)

    def _remember(self, key: tuple[object, Source], read: Callable[[], bytes]) -> Recording:
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = decode(key[1], read())
        return self._known[key]

    def _follow(self, files: FolderFiles, experiment: Experiment) -> Recording:
        """Series of a folder; stages of a run that have not begun still have the baseline's there."""
        if experiment.kind == "experiment" and experiment.status == "queued":
            return Recording()
        live = experiment.kind == "experiment" and experiment.stage is not None
        skipped = stages_after(experiment.stage) if live and experiment.stage else frozenset()
        found: list[Recording] = []
        for source in self._sources(files, skipped, experiment.stage if live else None):
            if source.path.endswith(".json"):
                identity = files.identity(source.path)
                if identity is not None:
                    found.append(self._remember((identity, source), partial(files.read, source.path)))
            else:
                found.append(self._tail(files.root, source).read())
        return _joined(found)

    def _tail(self, root: Path, source: Source) -> Tail[Recording]:
        key = (root, source)
        if key not in self._tails:
            if len(self._tails) >= _MAX_TAILS:
                self._tails.clear()
            self._tails[key] = Tail(root / source.path, source.decoder)
        return self._tails[key]

    def _sources(self, files: Files, skipped: frozenset[str], current: str | None = None) -> Iterator[Source]:
        names = files.below(_METRICS)
        yield from _own_sources(files, names, skipped, current)
        seen: set[str] = set()
        for path in files.below("dvclive/plots/metrics"):
            if path.endswith(".tsv"):
                seen.add(path)
                yield _dvclive(path)
        for path, out in self._layouts.of(files).plots.items():
            if path.startswith(_METRICS + "/"):
                continue
            for file in [path] if files.identity(path) is not None else files.below(path) or [path]:
                if file not in seen and file.endswith((".csv", ".tsv", ".json")):
                    seen.add(file)
                    yield _dvclive(file) if _DVCLIVE in file else Source(file, _stem(file), None, out)


def _own_sources(files: Files, names: list[str], skipped: frozenset[str], current: str | None) -> Iterator[Source]:
    order = {stage.name: index for index, stage in enumerate(STAGES)}
    stages = {name.removeprefix(_METRICS + "/").partition("/")[0] for name in names}
    for stage in sorted(stages - skipped, key=lambda name: (order.get(name, len(order)), name)):
        table, lines = (f"{_METRICS}/{stage}/{name}" for name in (paths.SERIES_TABLE_NAME, paths.SERIES_NAME))
        if stage == current:
            yield Source(lines, stage)
        elif table in names and not (lines in names and _is_newer(files, lines, table)):
            yield Source(table, stage)
        elif lines in names:
            yield Source(lines, stage)


def _is_newer(files: Files, one: str, other: str) -> bool:
    if not isinstance(files, FolderFiles):
        return False
    try:
        return (files.root / one).stat().st_mtime_ns > (files.root / other).stat().st_mtime_ns
    except OSError:
        return False


def _dvclive(path: str) -> Source:
    return Source(path, "dvclive", posixpath.splitext(path.partition(_DVCLIVE)[2])[0])


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _joined(found: Sequence[Recording]) -> Recording:
    return Recording(
        tuple(one for part in found for one in part.series), tuple(one for part in found for one in part.events)
    )


def decode(source: Source, data: bytes) -> Recording:
    """All series and events of a file that is complete; none if it is broken."""
    if len(data) > MAX_BYTES:
        return Recording()
    if source.path.endswith(".json"):
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return Recording()
        return decode_records(document, source.out.x, source.out.y, source.stage)
    decoder = source.decoder()
    complete = data.endswith(b"\n") or source.path.endswith(".jsonl")
    decoder.feed(data if complete else data + b"\n")
    return decoder.result()
