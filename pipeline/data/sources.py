"""Finds the rows that `prepare.source` names."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from pipeline.contract.params import Prepare
from pipeline.contract.problems import StageError
from pipeline.data import hub
from pipeline.data.jsonl import read_json, read_json_lines
from pipeline.data.rows import DroppedRow, RawRow
from pipeline.data.shell import task_rows
from pipeline.data.tabular import frame_rows, read_csv, read_parquet

STARTER = "starter"
Reader = Callable[[Path, str], Iterator[RawRow | DroppedRow]]
READERS: dict[str, Reader] = {
    ".jsonl": read_json_lines,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that rows are read from."""

    path: str
    """Path as the user wrote it."""
    num_bytes: int
    """Size."""
    md5: str
    """Hash of the content, as DVC takes it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that was read, and where it came from."""

    rows: list[RawRow]
    """Rows that could be decoded."""
    bad: list[DroppedRow]
    """Rows that could not."""
    files: list[SourceFile] = field(default_factory=list)
    """Files in the order read; none for generated rows and hub data sets."""
    skipped: list[str] = field(default_factory=list)
    """Names in the folder that are no data files."""

    @property
    def num_rows(self) -> int:
        """Rows read, decoded or not."""
        return len(self.rows) + len(self.bad)


def read_source(prepare: Prepare) -> Source:
    """Read the rows; StageError when there is nothing to read."""
    if prepare.source == STARTER:
        return _collect(_starter_rows(prepare), prepare.max_rows)
    if prepare.source.startswith(hub.PREFIX):
        return _require_rows(_collect(frame_rows(hub.load_hub_frame(prepare), prepare.source), None), prepare.source)
    others = "hub:<id>, or starter"
    return read_files(prepare.source, prepare.max_rows, "prepare.source", others)


def read_files(source: str, max_rows: int | None, key: str, others: str) -> Source:
    """Read a file or folder that the params name; StageError, which tells the other values, when there are no rows."""
    paths, skipped = _data_files(source, key, others)
    files = [_describe(path) for path in paths]
    rows = chain.from_iterable(READERS[path.suffix.lower()](path, str(path)) for path in paths)
    found = _collect(rows, max_rows)
    return _require_rows(Source(found.rows, found.bad, files, skipped), source)


def _starter_rows(prepare: Prepare) -> Iterator[RawRow]:
    for number, row in enumerate(task_rows(prepare.num_rows, prepare.seed), 1):
        yield RawRow(STARTER, number, {"prompt": row.prompt, "completion": row.completion, "category": row.category})


def _data_files(source: str, key: str, others: str) -> tuple[list[Path], list[str]]:
    """Data files of the source in sorted order, and the names of what else lies in the folder."""
    path = Path(source)
    if path.is_dir():
        return _folder_files(path)
    if not path.exists():
        raise StageError(
            f"params.yaml: {key} is {source!r}: no such file or folder; give a path from the project's "
            f"root or an absolute one, {others}"
        )
    if path.suffix.lower() not in READERS:
        raise StageError(f"{source}: unknown kind of file {path.suffix!r}; known are {', '.join(READERS)}")
    return [path], []


def _folder_files(folder: Path) -> tuple[list[Path], list[str]]:
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in visible if path.is_file() and path.suffix.lower() in READERS]
    if not files:
        raise StageError(f"{folder}: no data files in this folder; known are {', '.join(READERS)}")
    return files, [path.name for path in visible if path not in files]


def _describe(path: Path) -> SourceFile:
    size = path.stat().st_size
    if size == 0:
        raise StageError(f"{path}: the file is empty; remove it or write it anew")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return SourceFile(str(path), size, digest.hexdigest())


def _collect(rows: Iterator[RawRow] | Iterator[RawRow | DroppedRow], max_rows: int | None) -> Source:
    source = Source([], [])
    for row in islice(rows, max_rows):
        if isinstance(row, RawRow):
            source.rows.append(row)
        else:
            source.bad.append(row)
    return source


def _require_rows(found: Source, source: str) -> Source:
    if found.num_rows == 0:
        raise StageError(f"{source}: holds no rows")
    return found
