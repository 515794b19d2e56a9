"""The History screen as users see it: a drop in a long history, and a metric that drifts."""

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.ui import project
from tests.ui.driving import text_of, until
from tests.ui.fakes import FakeStore
from tui.app import FinetuiApp
from tui.core.experiments import Experiment
from tui.settings import Settings

PATH = "data/metrics/evaluate/metrics.json"
NUM = 60
DROP = 41


def history() -> FakeStore:
    """Sixty commits: the score drops once, the loss drifts, three seeds tell the noise."""
    rows = []
    for number in range(NUM):
        score = (0.9 if number < DROP else 0.72) + 0.004 * math.sin(number * 1.7)
        metrics = {PATH: {"test/exact_match": round(score, 4), "test/loss": round(0.3 + 0.002 * number, 4)}}
        when = project.NOW - timedelta(days=NUM - number)
        subject = "Ask for shorter answers" if number == DROP else f"Change number {number}"
        refs = ("main",) if number == NUM - 1 else ("v1.0",) if number == 30 else ()
        rows.append(Experiment(f"{number:02x}" * 20, "commit", None, None, refs, when, subject, metrics=metrics))
    newest = rows[-1]
    for seed, score in enumerate((0.71, 0.72, 0.725)):
        rows.append(
            Experiment(
                f"e{seed}" * 20, "experiment", f"seed-{seed}", newest.rev, timestamp=project.NOW,
                params={"params.yaml": {"train": {"seed": seed}}},
                metrics={PATH: {"test/exact_match": score, "test/loss": 0.4 + seed / 1000}},
            )
        )  # fmt: skip
    return FakeStore([*rows[:NUM][::-1], *rows[NUM:]])


def app() -> FinetuiApp:
    """The app on that history."""
    return FinetuiApp(history(), project.runner(), Settings(), clock=lambda: project.NOW)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_where_a_metric_moved(snap_compare: Any, size: tuple[int, int]) -> None:
    async def gesture(pilot: Any) -> None:
        await until(pilot, lambda: "Change number" in text_of(pilot.app) or "main" in text_of(pilot.app))
        await pilot.press("H")
        await until(pilot, lambda: "60 commits" in text_of(pilot.app))
        await pilot.press("b")
        await until(pilot, lambda: "Ask for shorter answers" in text_of(pilot.app))
        await pilot.pause(0.1)

    assert snap_compare(app(), terminal_size=size, run_before=gesture)


def test_a_drift(snap_compare: Any) -> None:
    async def gesture(pilot: Any) -> None:
        await until(pilot, lambda: "main" in text_of(pilot.app))
        await pilot.press("H")
        await until(pilot, lambda: "60 commits" in text_of(pilot.app))
        await pilot.press("m", "d")
        await until(pilot, lambda: "60 changes" in text_of(pilot.app) and "drifted" in text_of(pilot.app))
        await pilot.pause(0.1)

    assert snap_compare(app(), terminal_size=(120, 30), run_before=gesture)
