"""Which files hold series: finetui's own, dvclive's, and those that dvc.yaml draws; and how each is read."""

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from pipeline.contract import paths
from pipeline.contract.stages import STAGES
from tui.core.series import Recording
from tui.store.document_points import decode_records
from tui.store.documents import BadDocumentError, parse
from tui.store.dvclive_folders import CURVES
from tui.store.files import MAX_BYTES, Files, FolderFiles
from tui.store.layout import Layout, OutFile
from tui.store.points import Decoder, LinesDecoder
from tui.store.series_cache import FORMAT
from tui.store.table_points import TableDecoder

_METRICS = paths.METRICS_DIR.as_posix()
_UNDECLARED = OutFile(None, False)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_DOCUMENTS = {".json", ".yaml", ".yml", ".toml"}
_PLOTS = (*_DELIMITERS, *_DOCUMENTS)
_DVCLIVE = "dvclive"
MAX_SERIES_BYTES = 4 * MAX_BYTES
"""Nothing is read from a larger file."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file with series, and how to read it."""

    path: str
    stage: str
    name: str | None = None
    """Name of the metric where the file's name tells it."""
    out: OutFile = _UNDECLARED

    @property
    def is_document(self) -> bool:
        """Whether it can only be read as a whole."""
        return self._suffix in _DOCUMENTS

    @property
    def _suffix(self) -> str:
        return posixpath.splitext(self.path)[1].lower()

    def key(self, content: str) -> str:
        """What stays the same as long as the same would be decoded; `content` is the hash of the file."""
        how = (FORMAT, self._suffix, self.stage, self.name, self.out.x, self.out.y, self.out.has_header)
        return f"{content}:{blake2b(repr(how).encode(), digest_size=8).hexdigest()}"

    def decoder(self) -> Decoder[Recording]:
        """A decoder for a file that is read line by line."""
        if self._suffix == ".jsonl":
            return LinesDecoder(self.stage, self.name)
        delimiter, out = _DELIMITERS.get(self._suffix, ","), self.out
        return TableDecoder(self.stage, self.name, delimiter, out.x, out.y, has_header=out.has_header)

    def decode(self, data: bytes) -> Recording:
        """All series and events of a file that is complete; none if it is broken."""
        if self.is_document:
            try:
                return decode_records(parse(self.path, data), self.out.x, self.out.y, self.stage)
            except BadDocumentError:
                return Recording()
        decoder = self.decoder()
        complete = data.endswith(b"\n") or self._suffix == ".jsonl"
        decoder.feed(data if complete else data + b"\n")
        if isinstance(decoder, TableDecoder):
            decoder.finish()
        return decoder.result()


def find_sources(
    files: Files,
    layout: Layout,
    live_folders: Iterable[str],
    cached_below: Callable[[str], list[str]],
    skipped: frozenset[str] = frozenset(),
    current: str | None = None,
) -> Iterator[Source]:
    """Sources in the order of the pipeline, then dvclive's, then those of plots.

    `cached_below` tells the files of a folder in the DVC cache, `current` the stage that is running.
    """
    own = list(_own_sources(files, skipped, current))
    seen = {source.path for source in own}
    yield from own
    plots = [(folder, _UNDECLARED) for folder in live_folders] + list(layout.plots.items())
    for path, out in plots:
        for file in files.below(path) or cached_below(path) or [path]:
            if file not in seen and file.lower().endswith(_PLOTS) and not _is_own(file):
                seen.add(file)
                if out is not _UNDECLARED or file.endswith(".tsv"):
                    yield _plot(file, out)


def _plot(path: str, out: OutFile) -> Source:
    live, found, below = f"/{path}".partition(f"/{CURVES}/")
    if found and path.endswith(".tsv"):
        return Source(path, live.removeprefix("/") or _DVCLIVE, posixpath.splitext(below)[0])
    return Source(path, posixpath.splitext(path)[0], None, out)


def _is_own(path: str) -> bool:
    return path.startswith(_METRICS + "/") and posixpath.basename(path) in {paths.SERIES_TABLE_NAME, paths.SERIES_NAME}


def _own_sources(files: Files, skipped: frozenset[str], current: str | None) -> Iterator[Source]:
    names = set(files.below(_METRICS))
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
