"""Projects with long series: experiments as refs, each with a series.csv in Git."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.unit.store_repos import RepoBuilder, finetui_params, finetui_project

METRICS = ("train/loss", *(f"train/metric_{number}" for number in range(1, 10)))


@dataclass(frozen=True, slots=True)
class Shape:
    """How many runs, and how long."""

    num_runs: int
    num_steps: int

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.num_runs:,} runs x {self.num_steps:,} steps x {len(METRICS)} metrics"

    def values(self, run: int) -> NDArray[np.float64]:
        """One row per step, one column per metric: falling curves with noise, six digits."""
        rng = np.random.default_rng(run)
        steps = np.arange(1, self.num_steps + 1)[:, None]
        curves = rng.uniform(0.5, 2, len(METRICS)) + rng.uniform(1, 3, len(METRICS)) / np.sqrt(steps)
        return np.round(curves + rng.normal(0, 0.02, curves.shape), 6)

    def tables(self) -> Iterator[str]:
        """Of each run series.csv as a stage writes it."""
        header = ",".join(["step", "time_s", *METRICS])
        for run in range(self.num_runs):
            rows = (",".join(map(repr, row)) for row in self.values(run).tolist())
            yield "\n".join([header, *(f"{step},{step * 0.05:.3f},{row}" for step, row in enumerate(rows, 1))]) + "\n"


def make_project(root: Path, shape: Shape) -> RepoBuilder:
    """A finetui project with that many experiments."""
    builder = finetui_project(root)
    baseline = str(builder.repository.head.target)
    for number, table in enumerate(shape.tables()):
        add_run(builder, baseline, number, table)
    return builder


def add_run(builder: RepoBuilder, baseline: str, number: int, table: str) -> str:
    """One more experiment."""
    files = {"params.yaml": finetui_params(seed=number), "data/metrics/train/series.csv": table}
    return builder.experiment(f"run-{number:05}", baseline, files)
