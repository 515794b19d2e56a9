"""What models answered to a few fixed prompts while they were trained."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.stages import STAGES
from tui.core.experiments import Experiment
from tui.core.series import Sample
from tui.store.dvc_cache import DvcCache
from tui.store.git.commits import CommitReader
from tui.store.git.files import MAX_BYTES
from tui.store.layouts.lookup import Layouts
from tui.store.series.tail import Tail
from tui.store.stopped import stages_after

_MAX_KNOWN = 256


class SamplesDecoder:
    """samples.jsonl of finetui; what is no sample is skipped."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._samples: list[Sample] = []

    def feed(self, data: bytes) -> None:
        """Take complete lines."""
        self._samples += (sample for line in data.splitlines() if (sample := _sample(self._stage, line)) is not None)

    def result(self) -> tuple[Sample, ...]:
        """A copy of all so far."""
        return tuple(self._samples)


class SamplesReader:
    """Reads samples of commits from the DVC cache, and follows those of folders."""

    def __init__(self, layouts: Layouts, cache: DvcCache, commits: CommitReader) -> None:
        self._layouts, self._cache, self._commits = layouts, cache, commits
        self._known: dict[tuple[Path, str], tuple[Sample, ...]] = {}
        self._tails: dict[Path, Tail[tuple[Sample, ...]]] = {}

    def read(self, experiment: Experiment, folder: Path | None) -> list[Sample]:
        """All samples, stage by stage; from a folder if there is one, else from the DVC cache."""
        if folder is not None and folder.is_dir():
            return list(self._follow(experiment, folder))
        if experiment.is_queued:
            return []
        try:
            files = self._commits.files(experiment.rev)
            outs = self._cache.outs(files, self._layouts.of(files))
            places = ((name, self._cache.find(paths.samples_file(name).as_posix(), outs)) for name in _names())
            return [sample for name, place in places if place is not None for sample in self._cached(place, name)]
        except (KeyError, ValueError, OSError):
            return []

    def _follow(self, experiment: Experiment, folder: Path) -> Iterator[Sample]:
        """Samples of a folder; stages of a run that have not begun may still have the baseline's there."""
        skipped = stages_after(experiment.stage) if experiment.stage else frozenset()
        for name in _names():
            if name not in skipped:
                yield from self._tail(folder / paths.samples_file(name), name).read()

    def _tail(self, path: Path, stage: str) -> Tail[tuple[Sample, ...]]:
        if path not in self._tails:
            if len(self._tails) >= _MAX_KNOWN:
                self._tails.clear()
            self._tails[path] = Tail(path, partial(SamplesDecoder, stage))
        return self._tails[path]

    def _cached(self, place: Path, stage: str) -> tuple[Sample, ...]:
        if (place, stage) not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[place, stage] = _decode(place, stage)
        return self._known[place, stage]


def _names() -> list[str]:
    return [stage.name for stage in STAGES]


def _decode(place: Path, stage: str) -> tuple[Sample, ...]:
    decoder = SamplesDecoder(stage)
    if place.stat().st_size <= MAX_BYTES:
        decoder.feed(place.read_bytes())
    return decoder.result()


def _sample(stage: str, line: bytes) -> Sample | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or type(value.get("step")) is not int:
        return None
    texts = [value.get(name) for name in ("prompt", "reference", "prediction")]
    if not (isinstance(texts[0], str) and isinstance(texts[2], str)):
        return None
    return Sample(stage, value["step"], texts[0], texts[1] if isinstance(texts[1], str) else "", texts[2])
