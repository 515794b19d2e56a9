"""The same series in other tools: MLflow with SQLite, TensorBoard event files, dvclive's TSV files."""

import csv
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tests.benchmarks.series_shapes import METRICS, Shape

_BATCH = 1_000


class Peer(Protocol):
    """A tool that keeps series."""

    name: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, folder: Path) -> None: ...

    def write(self, shape: Shape) -> None:
        """Record all runs."""

    def last_and_best(self) -> int:
        """Last and lowest value of every metric of every run; how many there are."""

    def one_metric(self) -> int:
        """All points of the first metric of every run; how many there are."""


class MLflow:
    """Its own client and a SQLite store; it knows last values only, so the lowest are left out."""

    name, package = "MLflow (sqlite), last only", "mlflow"

    def __init__(self, folder: Path) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        self._experiment = self._client.create_experiment("bench", str(folder / "artifacts"))

    def write(self, shape: Shape) -> None:
        """In batches, as fast as it goes."""
        from mlflow.entities import Metric

        for run in range(shape.num_runs):
            run_id = self._client.create_run(self._experiment).info.run_id
            points = [
                Metric(name, value, 0, step)
                for step, row in enumerate(shape.values(run).tolist(), 1)
                for name, value in zip(METRICS, row, strict=True)
            ]
            for start in range(0, len(points), _BATCH):
                self._client.log_batch(run_id, metrics=points[start : start + _BATCH])
            self._client.set_terminated(run_id)

    def _runs(self) -> list[Any]:
        return list(self._client.search_runs([self._experiment], max_results=50_000))

    def last_and_best(self) -> int:
        """Last values."""
        return sum(len(run.data.metrics) for run in self._runs())

    def one_metric(self) -> int:
        """The history."""
        ids = [run.info.run_id for run in self._runs()]
        return sum(len(self._client.get_metric_history(run_id, METRICS[0])) for run_id in ids)


class TensorBoard:
    """Event files, read by its own accumulator."""

    name, package = "TensorBoard event files", "tensorboard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, shape: Shape) -> None:
        """One event per step with all metrics."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        for run in range(shape.num_runs):
            writer = EventFileWriter(str(self._folder / f"run-{run:05}"))
            for step, row in enumerate(shape.values(run).tolist(), 1):
                values = [Summary.Value(tag=name, simple_value=value) for name, value in zip(METRICS, row, strict=True)]
                writer.add_event(Event(step=step, wall_time=0.0, summary=Summary(value=values)))
            writer.close()

    def _scalars(self, run: Path) -> Any:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
        found.Reload()
        return found

    def last_and_best(self) -> int:
        """Everything has to be read."""
        count = 0
        for run in sorted(self._folder.iterdir()):
            found = self._scalars(run)
            for name in found.Tags()["scalars"] or found.Tags()["tensors"]:
                values = [_value(event) for event in _events(found, name)]
                count += len((values[-1], min(values))) // 2
        return count

    def one_metric(self) -> int:
        """Everything has to be read."""
        return sum(len(_events(self._scalars(run), METRICS[0])) for run in sorted(self._folder.iterdir()))


def _events(found: Any, name: str) -> Sequence[Any]:
    events: Sequence[Any] = found.Scalars(name) if name in found.Tags()["scalars"] else found.Tensors(name)
    return events


def _value(event: Any) -> float:
    return float(event.value if hasattr(event, "value") else event.tensor_proto.float_val[0])


class Dvclive:
    """One TSV file per metric; read with csv.DictReader, as `dvc plots` does."""

    name, package = "dvclive TSV, read as dvc plots does", "dvclive"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, shape: Shape) -> None:
        """As dvclive would; it takes 12 ms a step itself."""
        for run in range(shape.num_runs):
            values = shape.values(run).tolist()
            for index, name in enumerate(METRICS):
                path = self._folder / f"run-{run:05}" / "plots" / "metrics" / f"{name}.tsv"
                path.parent.mkdir(parents=True, exist_ok=True)
                rows = (f"{step}\t{row[index]!r}\n" for step, row in enumerate(values))
                path.write_text(f"step\t{name.rpartition('/')[2]}\n{''.join(rows)}")

    def _read(self, path: Path) -> list[float]:
        with path.open(newline="") as file:
            return [float(row[path.stem]) for row in csv.DictReader(file, delimiter="\t")]

    def last_and_best(self) -> int:
        """Of every file."""
        columns = map(self._read, self._folder.rglob("*.tsv"))
        return sum(math.isfinite(column[-1] + min(column)) for column in columns)

    def one_metric(self) -> int:
        """Of one file per run."""
        return sum(len(self._read(path)) for path in self._folder.rglob(f"{METRICS[0]}.tsv"))


PEERS: tuple[type[Peer], ...] = (MLflow, TensorBoard, Dvclive)


def is_installed(peer: type[Peer]) -> bool:
    """Whether its package is here; `pip install --group bench` brings all of them."""
    return find_spec(peer.package) is not None
