"""Where a curve is looked for there is a sentence that says why it is not there."""

from typing import Any

import pytest

from tests.ui import project
from tests.ui.driving import opened, text_of, until
from tui.core.experiments import Experiment
from tui.core.series import UnreadFile
from tui.screens.compare.screen import CompareScreen
from tui.screens.run.screen import RunScreen

FILE = UnreadFile("logs/loss.csv", "it has 300 MiB, and the limit is 256 MiB")
SENTENCE = "no curves from logs/loss.csv: it has 300 MiB, and the limit is 256 MiB"


def on_run(app: Any, rows: dict[str, Experiment]) -> Any:
    """The screen of one experiment."""
    return RunScreen(app.bench, rows["brisk-owl"])


def on_compare(app: Any, rows: dict[str, Experiment]) -> Any:
    """The screen of several."""
    return CompareScreen(app.bench, [rows["main"], rows["brisk-owl"]])


@pytest.mark.parametrize(("screen", "sentence"), [(on_run, SENTENCE), (on_compare, f"brisk-owl: {SENTENCE}")])
async def test_a_file_that_is_too_large_is_told(screen: Any, sentence: str) -> None:
    store = project.store()
    store.unread_files["brisk-owl"] = (FILE,)
    async with opened(store) as (app, pilot):
        await app.push_screen(screen(app, {one.label: one for one in project.experiments()}))
        await until(pilot, lambda: sentence in text_of(app))
