"""CPU time of the two own widgets, beside Textual's DataTable: `python tests/benchmarks/bench_widgets.py`."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import DataTable

from tui.widgets.chart import ChartSeries, LineChart
from tui.widgets.table import Column, VirtualTable

SIZE = (200, 50)
NUM_ROWS, NUM_COLUMNS = 10_000, 20
NUM_CHANGED = 50
FRAME_S = 1 / 60

Step = Callable[[], Awaitable[None]]


class Stage(App[None]):
    """An app that shows what is measured."""

    CSS = "Grid { grid-size: 3; } .alone { grid-size: 1; }"

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        self.animation_level = "none"
        self._widgets = widgets

    def compose(self) -> ComposeResult:
        with Grid(classes="alone" if len(self._widgets) == 1 else ""):
            yield from self._widgets


async def cpu_ms(step: Step, repeats: int = 1) -> float:
    """CPU milliseconds of one repetition."""
    gc.collect()
    start = time.process_time()
    for _ in range(repeats):
        await step()
        await asyncio.sleep(2 * FRAME_S)  # the paint is due at the next frame
    return (time.process_time() - start) * 1000 / repeats


class Cells:
    """Rows that are formatted when they are asked for."""

    num_rows = NUM_ROWS

    def __init__(self) -> None:
        self.changed: dict[tuple[int, str], str] = {}

    def cell(self, row: int, column: str) -> str:
        """A number that depends on row and column."""
        return self.changed.get((row, column)) or cell_text(row, int(column))

    def key(self, row: int) -> str:
        """The row's number."""
        return str(row)


def cell_text(row: int, column: int) -> str:
    """The same number for both tables."""
    return f"{(row * 7919 + column * 104729) % 10007 / 10007:.4f}"


async def own_table() -> dict[str, float]:
    """Our table."""
    table, rows = VirtualTable([Column(str(i), f"column {i}", "right") for i in range(NUM_COLUMNS)]), Cells()
    async with Stage(table).run_test(size=SIZE) as pilot:

        async def fill() -> None:
            table.set_rows(rows)
            await pilot.pause()

        async def change() -> None:
            top = int(table.scroll_offset.y)
            for i in range(NUM_CHANGED):
                rows.changed[top + i % 40, str(i % NUM_COLUMNS)] = f"{time.process_time() % 1:.4f}"
            table.refresh_rows()
            await pilot.pause()

        async def nothing() -> None:
            table.refresh_rows()
            await pilot.pause()

        found = {"first paint": await cpu_ms(fill), **await _keys(pilot, table)}
        return {**found, "50 changed cells": await cpu_ms(change, 10), "nothing changed": await cpu_ms(nothing, 10)}


async def data_table() -> dict[str, float]:
    """Textual's table with the same content."""
    table: DataTable[str] = DataTable(cursor_type="row")
    async with Stage(table).run_test(size=SIZE) as pilot:

        async def fill() -> None:
            table.add_columns(*(f"column {i}" for i in range(NUM_COLUMNS)))
            table.add_rows([cell_text(row, column) for column in range(NUM_COLUMNS)] for row in range(NUM_ROWS))
            await pilot.pause()

        async def change() -> None:
            top = int(table.scroll_offset.y)
            for i in range(NUM_CHANGED):
                table.update_cell_at((top + i % 40, i % NUM_COLUMNS), f"{time.process_time() % 1:.4f}")  # type: ignore[arg-type]
            await pilot.pause()

        found = {"first paint": await cpu_ms(fill), **await _keys(pilot, table)}
        return {**found, "50 changed cells": await cpu_ms(change, 3)}


async def _keys(pilot: Pilot[None], table: Widget) -> dict[str, float]:
    table.focus()
    await pilot.pause()

    def pressing(key: str) -> Step:
        async def press() -> None:
            await pilot.press(key)
            await pilot.pause()

        return press

    return {"cursor key": await cpu_ms(pressing("down"), 20), "page down": await cpu_ms(pressing("pagedown"), 10)}


async def charts(num_charts: int, num_series: int, num_points: int) -> tuple[float, float]:
    """CPU ms of a redraw of all charts with new data, and of appending one point to each of them."""
    rng = np.random.default_rng(0)
    steps = np.arange(num_points)
    walks = np.cumsum(rng.normal(size=(num_series, num_points)), axis=1)
    widgets = [LineChart(f"chart {i}") for i in range(num_charts)]
    async with Stage(*widgets).run_test(size=SIZE) as pilot:

        def series(shift: float) -> Sequence[ChartSeries]:
            return [ChartSeries(f"run {i}", steps, walk + shift) for i, walk in enumerate(walks)]

        async def redraw() -> None:
            for chart in widgets:
                chart.action_zoom(0.9)
                chart.refresh()
            await pilot.pause()

        async def append() -> None:
            for chart in widgets:
                chart.append(0, [num_points], [float(rng.normal())])
            await pilot.pause()

        for chart in widgets:
            chart.set_series(series(0.0))
        await pilot.pause()
        await redraw()
        return await cpu_ms(redraw, 5), await cpu_ms(append, 5)


async def main() -> None:
    """Measure and print."""
    ours, theirs = await own_table(), await data_table()
    print(f"table, {NUM_ROWS:,} x {NUM_COLUMNS} at {SIZE[0]}x{SIZE[1]}, CPU ms{'':14}own  DataTable   ratio")
    for name, value in ours.items():
        other = theirs.get(name)
        print(f"  {name:<46}{value:>9.1f}" + (f"{other:>11.1f}{other / value:>7.0f}x" if other is not None else ""))
    print(f"charts at {SIZE[0]}x{SIZE[1]}, CPU ms{'':23}redraw  one more point")
    for shape, target in (((1, 3, 10_000), None), ((9, 3, 10_000), 50), ((9, 50, 10_000), 250), ((1, 50, 100_000), 60)):
        redraw, append = await charts(*shape)
        name = f"{shape[0]} x {shape[1]} series x {shape[2]:,} points"
        note = f"   (target {target})" if target else ""
        print(f"  {name:<46}{redraw:>9.1f}{append:>16.1f}{note}")


if __name__ == "__main__":
    asyncio.run(main())
