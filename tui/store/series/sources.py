"""Which files hold series: finetui's own, dvclive's, and those that dvc.yaml draws; and how each is read."""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from pipeline.contract import paths
from pipeline.contract.stages import STAGES
from tui.core.series import Recording
from tui.store.git.files import Files, FolderFiles
from tui.store.layouts.layout import Layout, OutFile
from tui.store.parsing.documents import BadDocumentError, parse
from tui.store.series.axes import with_axis
from tui.store.series.cache import FORMAT
from tui.store.series.document_points import decode_records
from tui.store.series.dvclive_folders import CURVES
from tui.store.series.points import Decoder, LinesDecoder
from tui.store.series.table_points import TableDecoder

_METRICS = paths.METRICS_DIR.as_posix()
_UNDECLARED = OutFile(None, False)
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_DOCUMENTS = {".json", ".yaml", ".yml", ".toml"}
_PLOTS = (*_DELIMITERS, *_DOCUMENTS)
_DVCLIVE = "dvclive"


@dataclass(frozen=True, slots=True)
class Source:
    """One file with series, and how to read it."""

    path: str
    stage: str
    name: str | None = None
    """Name of the metric where the file's name tells it."""
    out: OutFile = _UNDECLARED
    counts_rows: bool = False
    """Whether steps are the numbers of the rows, whatever columns there are."""

    @property
    def axis(self) -> "Source | None":
        """Where the steps are, if that is another file; their values are by row."""
        if self.out.x_file is None or self.out.x is None:
            return None
        return Source(self.out.x_file, self.stage, None, OutFile(None, False, None, (self.out.x,)), counts_rows=True)

    @property
    def paths(self) -> tuple[str, ...]:
        """Files to read, the axis last."""
        return (self.path,) if self.axis is None else (self.path, self.axis.path)

    @property
    def is_document(self) -> bool:
        """Whether it can only be read as a whole."""
        return self._suffix in _DOCUMENTS

    @property
    def _suffix(self) -> str:
        return posixpath.splitext(self.path)[1].lower()

    def key(self, contents: Sequence[str]) -> str:
        """What stays the same as long as the same would be decoded; `contents` are the hashes of its files."""
        out = self.out
        suffixes = [posixpath.splitext(path)[1].lower() for path in self.paths]
        how = (FORMAT, suffixes, self.stage, self.name, out.x, out.y, out.has_header)
        return f"{'+'.join(contents)}:{blake2b(repr(how).encode(), digest_size=8).hexdigest()}"

    def decoder(self) -> Decoder[Recording]:
        """A decoder for a file that is read line by line."""
        if self._suffix == ".jsonl":
            return LinesDecoder(self.stage, self.name)
        delimiter, out = _DELIMITERS.get(self._suffix, ","), self.out
        counts_rows = self.counts_rows or self.axis is not None
        return TableDecoder(
            self.stage, self.name, delimiter, out.x, out.y, has_header=out.has_header, counts_rows=counts_rows
        )

    def decode(self, data: bytes, axis_data: bytes = b"") -> Recording:
        """All series and events of a file that is complete; none if it is broken."""
        found = self.decode_document(data) if self.is_document else self._decode_lines(data)
        return found if self.axis is None else with_axis(found, self.axis.decode(axis_data))

    def decode_document(self, data: bytes) -> Recording:
        """What a document says, over its rows if the axis is in another file."""
        counts_rows = self.counts_rows or self.axis is not None
        try:
            return decode_records(parse(self.path, data), self.out.x, self.out.y, self.stage, counts_rows=counts_rows)
        except BadDocumentError:
            return Recording()

    def _decode_lines(self, data: bytes) -> Recording:
        return finished(self.decoder(), data)


def finished(decoder: Decoder[Recording], rest: bytes) -> Recording:
    """What a decoder knows once a file has ended with this, which may lack the end of its last line."""
    is_table = isinstance(decoder, TableDecoder)
    decoder.feed(rest + b"\n" if is_table and not rest.endswith(b"\n") else rest)
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
    plots: list[Source] = []
    for path, out in [*((folder, _UNDECLARED) for folder in live_folders), *layout.plots.items()]:
        for file in files.below(path) or cached_below(path) or [path]:
            if file not in seen and file.lower().endswith(_PLOTS) and not _is_own(file):
                seen.add(file)
                if out is not _UNDECLARED or file.endswith(".tsv"):
                    plots.append(_plot(file, out))
    yield from _told_apart(plots)


def _plot(path: str, out: OutFile) -> Source:
    live, found, below = f"/{path}".partition(f"/{CURVES}/")
    if found and path.endswith(".tsv"):
        return Source(path, live.removeprefix("/") or _DVCLIVE, posixpath.splitext(below)[0])
    return Source(path, posixpath.splitext(path)[0], None, out)


def _told_apart(plots: Sequence[Source]) -> Iterator[Source]:
    """With the suffix where files differ in nothing else."""
    counts = Counter(source.stage for source in plots if source.name is None)
    for source in plots:
        is_shared = source.name is None and counts[source.stage] > 1
        yield replace(source, stage=source.path) if is_shared else source


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
