"""What experiments left besides values and series: adapters, and results example by example."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tui.core.adapters import StoredAdapter
from tui.core.examples import ExampleComparison, PairedScore, Score
from tui.core.experiments import Experiment
from tui.store.adapters import CachePlace, FolderPlace, find_adapters
from tui.store.dvc_cache import DvcCache
from tui.store.git.commits import CommitReader
from tui.store.layouts.dvc_files import Outs
from tui.store.layouts.lookup import Layouts
from tui.store.predictions import find_predictions, read_predictions

Located = tuple[Experiment, Path | None]
"""An experiment, and the file with its per-example results."""


class Results:
    """Finds files in folders that experiments run in, else in the DVC cache; polars is loaded only for those found."""

    def __init__(
        self, cache: DvcCache, layouts: Layouts, commits: CommitReader, folder: Callable[[Experiment], Path | None]
    ) -> None:
        self._cache, self._layouts, self._commits, self._folder = cache, layouts, commits, folder

    def adapters(self, experiment: Experiment) -> list[StoredAdapter]:
        """Adapters that its stages trained, in pipeline order."""
        folder = self._folder(experiment)
        if folder is not None:
            return find_adapters(FolderPlace(folder))
        outs = self._outs(experiment)
        return [] if outs is None else find_adapters(CachePlace(self._cache, outs))

    def predictions_file(self, experiment: Experiment) -> Path | None:
        """File with the per-example results; None when there is none locally."""
        folder = self._folder(experiment)
        if folder is not None:
            return find_predictions(folder)
        outs = self._outs(experiment)
        return None if outs is None else find_predictions(None, self._cache, outs)

    def _outs(self, experiment: Experiment) -> Outs | None:
        if experiment.is_queued:
            return None
        try:
            files = self._commits.files(experiment.rev)
            return self._cache.outs(files, self._layouts.of(files))
        except (KeyError, ValueError, OSError):
            return None

    @staticmethod
    def predictions(experiment: Experiment, place: Path | None) -> Any:
        """Per-example results as a polars frame; an empty one without a file."""
        return read_predictions(place, experiment.label)

    def scores(self, experiment: Experiment, place: Path | None) -> list[Score]:
        """Means of the per-example scores with confidence intervals; none without a file."""
        from tui.store.examples import scores_of

        return [] if place is None else scores_of(self.predictions(experiment, place))

    def examples(self, baseline: Located, candidate: Located, key: str | None, limit: int) -> ExampleComparison:
        """Per-example results of two experiments joined by example."""
        from tui.store.examples import compare_examples

        if baseline[1] is None and candidate[1] is None:
            return ExampleComparison(0, 0)
        return compare_examples(self.predictions(*baseline), self.predictions(*candidate), key, limit)

    def paired(self, baseline: Located, candidate: Located, key: str) -> PairedScore | None:
        """One score of two experiments on the examples that both have; None without them."""
        from tui.store.examples import compare_score

        if baseline[1] is None or candidate[1] is None:
            return None
        return compare_score(self.predictions(*baseline), self.predictions(*candidate), key)
