"""What the Run screen shows, read in one go by its worker."""

from dataclasses import dataclass, replace

from tui.core.errors import UserError
from tui.core.experiments import Experiment
from tui.core.ports import Runner, Store
from tui.core.rows import row_key
from tui.core.runs import Run, StageProgress
from tui.core.series import Event, Sample, Series, why_no_curves


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The state of one experiment at one moment."""

    experiment: Experiment
    run: Run | None
    series: tuple[Series, ...]
    log: str
    """What was added to the log."""
    log_offset: int
    """Where to go on reading it."""
    events: tuple[Event, ...] = ()
    samples: tuple[Sample, ...] = ()
    problem: str = ""
    """What could not be read."""

    @property
    def progress(self) -> tuple[StageProgress, ...]:
        """Stages of the run; none without a record of it."""
        return self.run.progress if self.run is not None else ()

    @property
    def is_live(self) -> bool:
        """Whether more will come."""
        return self.run is not None and self.run.is_active


def read(store: Store, runner: Runner, experiment: Experiment, log_offset: int) -> Reading:
    """Read an experiment, and its run if there is a record of it."""
    runs = runner.runs()
    run = run_of(experiment, runs)
    key = row_key(experiment)
    now = next((row for row in store.experiments(runs) if row_key(row) == key), experiment)
    directory = run.directory if run is not None and run.is_active else None
    reading = Reading(_joined(now, run), run, (), "", log_offset)
    try:
        reading = replace(
            reading,
            series=tuple(store.series(now, directory)),
            events=tuple(store.events(now, directory)),
            samples=tuple(store.samples(now, directory)),
            problem=why_no_curves(store.unread([now])[0]),
        )
    except UserError as error:
        reading = replace(reading, problem=str(error))
    log, offset = runner.read_log(run.id, log_offset) if run is not None else ("", log_offset)
    return replace(reading, log=log, log_offset=offset)


def run_of(experiment: Experiment, runs: list[Run]) -> Run | None:
    """The run that makes or made an experiment, while its record exists."""
    if experiment.run_id is not None:
        return next((run for run in runs if run.id == experiment.run_id), None)
    return next((run for run in runs if run.rev == experiment.rev), None)


def _joined(experiment: Experiment, run: Run | None) -> Experiment:
    """The run knows its state first; a commit may follow a moment later."""
    if run is None:
        return experiment
    return replace(experiment, status=run.status, error=run.error or experiment.error)
