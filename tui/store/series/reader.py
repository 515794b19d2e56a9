"""Reads the series of an experiment: those of a commit once for all time, those of a folder as they grow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tui.core.experiments import Experiment
from tui.core.series import Recording, UnreadFile
from tui.store.dvc_cache import DvcCache
from tui.store.git.commits import CommitReader
from tui.store.git.files import Files, FolderFiles, TooLargeError
from tui.store.layouts.key import reading_version
from tui.store.layouts.layout import Layout
from tui.store.layouts.lookup import Layouts
from tui.store.series.axes import with_axis
from tui.store.series.cache import FORMAT, Entry, SeriesCache
from tui.store.series.dvclive_folders import DvcliveFolders
from tui.store.series.places import Place, Places
from tui.store.series.sources import Source, find_sources, finished
from tui.store.series.tail import Tail
from tui.store.stopped import stages_after, unreached_stages
from tui.store.workspace import Workspace

_STOPPED = {"failed", "cancelled", "lost"}
_MAX_TAILS = 512
_MAX_DOCUMENTS = 64
_NOT_HERE = "not in the local DVC cache"
_FAILURES = (KeyError, ValueError, OSError)


class Readers(NamedTuple):
    """What series are found with."""

    layouts: Layouts
    cache: DvcCache
    commits: CommitReader
    workspace: Workspace
    live_folders: DvcliveFolders


class SeriesReader:
    """Reads series of commits from Git and the DVC cache, and follows those of folders."""

    def __init__(self, readers: Readers, known: SeriesCache, prefix: str = "") -> None:
        """The prefix is the path of the project in its repository: two projects see one commit differently."""
        self._layouts, self._cache, self._commits, self._workspace, self._live_folders = readers
        self._known, self._prefix = known, prefix
        self._tails: dict[tuple[Path, Source], Tail[Recording]] = {}
        self._documents: dict[tuple[Path, Source], tuple[object, Recording]] = {}

    def read(self, experiment: Experiment, directory: Path | None = None) -> Recording:
        """All series and events, stage by stage in the order of the pipeline."""
        if experiment.is_queued:
            return Recording()
        if experiment.kind == "workspace" and directory is None:
            return self._follow(self._workspace.files(), experiment)
        if directory is not None and directory.is_dir():
            return self._follow(FolderFiles(directory, self._pipelines(experiment)), experiment)
        entry = self.entry(experiment)
        parts = self._parts(entry)
        if None in parts:  # what is stored of it has been thrown away
            entry = self._examine(experiment, is_new=True)
            parts = self._parts(entry)
        self._known.flush()
        return _joined([*(part for part in parts if part is not None), Recording(unread=entry.unread)])

    def _parts(self, entry: Entry) -> list[Recording | None]:
        return [self._known.recording(key) for key in entry.keys]

    # Commits

    def entries(self, experiments: Sequence[Experiment]) -> dict[str, Entry]:
        """Entries of commits by `entry_key`, as far as they are known."""
        return self._known.entries([self.entry_key(experiment) for experiment in experiments])

    def entry_key(self, experiment: Experiment) -> str:
        """What stays the same as long as an experiment has the same series."""
        state = "stopped" if experiment.status in _STOPPED else ""
        return f"{experiment.rev}:{state}:{reading_version()}:{FORMAT}:{self._prefix}"

    def entry(self, experiment: Experiment, known: Entry | None = None) -> Entry:
        """Sources of a commit; those that were not decoded yet are decoded."""
        if experiment.is_queued:
            return Entry((), ())
        key = self.entry_key(experiment)
        known = known or self._known.entries([key]).get(key)
        if known is None or not self._is_whole(known) or any(self._cache.has(md5) for md5 in known.awaited):
            return self._examine(experiment)
        return known

    def _is_whole(self, entry: Entry) -> bool:
        """Whether what is stored of its sources is still there."""
        found = self._known.indexes(entry.keys)
        return all(key in found for key in entry.keys)

    def _examine(self, experiment: Experiment, *, is_new: bool = False) -> Entry:
        """Look at the files of a commit; `is_new` decodes them even if that was done before."""
        keys: list[str] = []
        awaited: list[str] = []
        unread: list[UnreadFile] = []
        try:
            files = self._commits.files(experiment.rev)
            layout = self._layouts.of(files)
            is_final = layout.is_final and not layout.is_pending
            places = Places(files, self._cache, self._cache.outs(files, layout))
            for source in self._sources(experiment, files, layout, places):
                found = [places.find(path) for path in source.paths]
                here = [place for place in found if place is not None]
                key = source.key([place.content for place in here])
                if len(here) < len(found):
                    continue
                if not is_new and key in self._known.indexes([key]):
                    keys.append(key)
                    continue
                awaited += [place.content for place in here if place.is_missing]
                lost, is_for_ever = self._learn(key, source, places, here)
                unread += lost
                is_final = is_final and is_for_ever
                if not lost:
                    keys.append(key)
        except _FAILURES:
            is_final = False
        entry = Entry(tuple(keys), tuple(awaited), tuple(unread))
        self._known.learn_entry(self.entry_key(experiment), entry, is_final=is_final)
        return entry

    def _sources(self, experiment: Experiment, files: Files, layout: Layout, places: Places) -> Iterator[Source]:
        skipped = unreached_stages(files) if experiment.status in _STOPPED else frozenset()
        folders = [*self._live_folders.of_commit(experiment.rev), *places.live_folders()]
        return find_sources(files, layout, folders, places.below, skipped)

    def _learn(self, key: str, source: Source, places: Places, here: Sequence[Place]) -> tuple[list[UnreadFile], bool]:
        """Decode a file; what could not be read, and whether the same would come of it the next time."""
        missing = [UnreadFile(place.path, _NOT_HERE, is_missing=True) for place in here if place.is_missing]
        if missing:
            return missing, True
        try:
            recording = source.decode(*[places.read(place) for place in here])
        except TooLargeError as error:
            return [_too_large(error)], True
        except _FAILURES:
            return [UnreadFile(source.path, "it cannot be read")], False
        self._known.learn(key, recording)
        return [], True

    # Folders

    def _pipelines(self, experiment: Experiment) -> list[str]:
        try:
            return [path for path, _ in self._commits.files(experiment.rev).dvc_files()]
        except _FAILURES:
            return ["dvc.yaml"]

    def _follow(self, files: FolderFiles, experiment: Experiment) -> Recording:
        """Series of a folder; stages of a run that have not begun still have the baseline's there."""
        live = experiment.kind == "experiment" and experiment.stage is not None
        skipped = stages_after(experiment.stage) if live and experiment.stage else frozenset()
        folders = self._live_folders.on_disk(files.root)
        sources = find_sources(
            files, self._layouts.of(files), folders, lambda _: [], skipped, experiment.stage if live else None
        )
        return _joined([self._current(files, source) for source in sources])

    def _current(self, files: FolderFiles, source: Source) -> Recording:
        found = self._document(files, source) if source.is_document else self._tail(files.root, source).read()
        return found if source.axis is None else with_axis(found, self._current(files, source.axis))

    def _document(self, files: FolderFiles, source: Source) -> Recording:
        """One that is being written, and says nothing yet, is awaited."""
        identity, key = files.identity(source.path), (files.root, source)
        if identity is None:
            self._documents.pop(key, None)
            return Recording()
        known = self._documents.get(key)
        if known is None or known[0] != identity:
            try:
                recording = source.decode_document(files.read(source.path))
            except TooLargeError as error:
                recording = Recording(unread=(_too_large(error),))
            except OSError:
                recording = Recording()
            if known is not None and not (recording.series or recording.unread):
                recording = known[1]
            if len(self._documents) >= _MAX_DOCUMENTS:
                self._documents.clear()
            known = self._documents[key] = (identity, recording)
        return known[1]

    def _tail(self, root: Path, source: Source) -> Tail[Recording]:
        key = (root, source)
        if key not in self._tails:
            if len(self._tails) >= _MAX_TAILS:
                self._tails.clear()
            self._tails[key] = Tail(root / source.path, source.decoder, finished)
        return self._tails[key]


def _joined(parts: Sequence[Recording]) -> Recording:
    return Recording(
        tuple(one for part in parts for one in part.series),
        tuple(one for part in parts for one in part.events),
        tuple(one for part in parts for one in part.unread),
    )


def _too_large(error: TooLargeError) -> UnreadFile:
    size, limit = (f"{num / 2**20:.1f}".removesuffix(".0") for num in (error.size, error.limit))
    return UnreadFile(error.path, f"it has {size} MiB, and the limit is {limit} MiB")
