"""CPU time of the home screen on real projects: python -m tests.benchmarks.bench_experiments_screen [FOLDER...].

Without folders it makes 1,000 and 10,000 experiments, and 200 of 500 params and 500 metrics. One ref comes and goes.
"""

import asyncio
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual._compositor import CompositorUpdate
from textual.pilot import Pilot

from tests.benchmarks.repositories import environment, make_repository, make_wide_repository, run
from tui.app import FinetuiApp
from tui.dvc import DvcRunner
from tui.screens.base import PollingScreen
from tui.screens.compare.screen import CompareScreen
from tui.screens.experiments.screen import ExperimentsScreen
from tui.settings import Settings
from tui.store import GitStore
from tui.widgets.table import VirtualTable

SIZE = (200, 50)
FRAME_S = 1 / 60
NUM_ROUNDS = 3
_PATIENCE_S = 60.0

Found = dict[str, float]
"""What was done, and the CPU milliseconds of it."""

_KEYS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("a key without a meaning", (), ("f9",) * 20),
    ("cursor down, held", (), ("down",) * 30),
    ("page down", (), ("pagedown",) * 10),
    ("last row", (), ("end",)),
    ("columns to the right", (), ("right",) * 10),
    ("first row", (), ("home",)),
    ("sort by name", ("s",) * 2, ()),
    ("sort by a column", (), ("s",) * 4),
    ("turn the sort", (), ("S",)),
    ("one list", (), ("t",)),
    ("tree", (), ("t",)),
    ("main metric", (), ("m",)),
    ("a letter of a word in the filter", ("slash",), tuple("done")),
    ("a letter of a comparison in the filter", ("escape", "slash"), tuple("kind=commit")),
    ("fold", ("escape", "home", "down"), ("z",)),
    ("unfold", (), ("z",)),
    ("pin the baseline", (), ("b",)),
    ("mark", ("down",), ("space",) * 3),
)
"""What is measured, keys before that, and the keys that are measured."""


class Painting:
    """What the app would have sent to a terminal: it is made, counted, and dropped."""

    def __init__(self, app: FinetuiApp) -> None:
        self.num_bytes = 0
        self._app = app
        app._display = self._take  # type: ignore[method-assign]  # a headless app makes no output

    def _take(self, _screen: Any, renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            self.num_bytes += len(renderable.render_segments(self._app.console))


async def pressed(pilot: Pilot[None], keys: Sequence[str]) -> float:
    """CPU milliseconds of each key, with what it makes the screen paint."""
    began = time.process_time()
    for key in keys:
        await pilot.press(key)
        await asyncio.sleep(2 * FRAME_S)  # the paint is due at the next frame
    return (time.process_time() - began) * 1000 / max(1, len(keys))


async def until(condition: Any) -> None:
    """Wait until something is true."""
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it never became true")
        await asyncio.sleep(FRAME_S)


def screen_on(root: Path, poll_s: float) -> FinetuiApp:
    """The application as it is started, but for what it remembers."""
    PollingScreen.INTERVAL_S = poll_s
    return FinetuiApp(GitStore(root, is_live=True), DvcRunner(root), Settings(), read_only=True)


def num_rows(app: FinetuiApp) -> int:
    """Rows of the table, once every one of them has its values."""
    home = app.screen_stack[0]
    assert isinstance(home, ExperimentsScreen)
    return 0 if home._listing.catalogue.num_pending else home.query_one(VirtualTable).rows.num_rows


async def keys_of(root: Path) -> Found:
    """Start, and every key that may have to do with all rows."""
    began = time.process_time()
    app = screen_on(root, poll_s=1000.0)
    Painting(app)
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: num_rows(app))
        found = {"start to all rows": (time.process_time() - began) * 1000}
        await asyncio.sleep(0.5)
        gc.collect()
        for name, before, keys in _KEYS:
            await pressed(pilot, before)
            if keys:
                found[name] = await pressed(pilot, keys)
        began = time.process_time()
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, CompareScreen))
        await asyncio.sleep(0.5)
        found["compare three, all that it reads"] = (time.process_time() - began) * 1000
        found["memory after that, MB"] = memory_mb()
    return found


async def polls_of(root: Path, num_seconds: int = 5) -> Found:
    """A second in which nothing happens, and one in which an experiment comes and another in which it goes."""
    baseline = run(root, "git", "rev-parse", "HEAD").strip()
    ref, rev = f"refs/exps/{baseline[:2]}/{baseline[2:]}/newcomer", _newest(root)
    app = screen_on(root, poll_s=1.0)
    painting = Painting(app)
    async with app.run_test(size=SIZE):
        await until(lambda: num_rows(app))
        await asyncio.sleep(6)  # curves are read a few at a time
        gc.collect()
        painting.num_bytes, began = 0, time.process_time()
        await asyncio.sleep(num_seconds)
        idle = (time.process_time() - began) * 1000 / num_seconds
        found = {"a second without news": idle, "bytes painted meanwhile": float(painting.num_bytes)}
        for name, command in (
            ("an experiment comes", ("update-ref", ref, rev)),
            ("it goes", ("update-ref", "-d", ref)),
        ):
            before, began = num_rows(app), time.process_time()
            run(root, "git", *command)
            await until(lambda before=before: num_rows(app) != before)
            await asyncio.sleep(4 * FRAME_S)
            found[name] = (time.process_time() - began) * 1000
    return found


def _newest(root: Path) -> str:
    refs = run(root, "git", "for-each-ref", "--count=1", "--format=%(objectname)", "refs/exps")
    return refs.strip()


def memory_mb() -> float:
    """Memory of this process now."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000


def measure(root: Path) -> Found:
    """The least of a few rounds: the machine may have other things to do."""
    rounds = [{**asyncio.run(keys_of(root)), **asyncio.run(polls_of(root))} for _ in range(NUM_ROUNDS)]
    return {name: min(one[name] for one in rounds) for name in rounds[0]}


def measured(root: Path) -> Found:
    """The same in a process of its own, when what finetui keeps of a project is there."""
    listing = [sys.executable, "-m", "tui", "-C", str(root), "experiments", "--json"]
    subprocess.run(listing, env=environment(), stdout=subprocess.DEVNULL, check=True)
    command = [sys.executable, "-m", "tests.benchmarks.bench_experiments_screen", "--one", str(root)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    pairs = (line.rsplit("\t", 1) for line in done.stdout.splitlines())
    return {name: float(value) for name, value in pairs}


def show(names: Sequence[str], found: Sequence[Found]) -> None:
    """Print a table; the ratio is that of the second project to the first."""
    print(f"{'CPU ms at ' + 'x'.join(map(str, SIZE)):<42}" + "".join(f"{name:>12}" for name in names) + "   ratio")
    for name, first in found[0].items():
        values = "".join(f"{one[name]:>12.1f}" for one in found)
        ratio = f"{found[1][name] / first:>7.1f}x" if len(found) > 1 and first else ""
        print(f"{name:<42}{values}{ratio}")


def main(arguments: Sequence[str]) -> None:
    """Measure what is named, or what is made here."""
    if arguments[:1] == ["--one"]:
        for name, value in measure(Path(arguments[1])).items():
            print(f"{name}\t{value}")
        return
    if arguments:
        show([Path(one).name[-11:] for one in arguments], [measured(Path(one)) for one in arguments])
        return
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder) / name for name in ("1,000", "10,000", "wide")]
        make_repository(roots[0], 1_000, is_packed=True)
        make_repository(roots[1], 10_000, is_packed=True)
        make_wide_repository(roots[2], 200, 500)
        show([root.name for root in roots], [measured(root) for root in roots])


if __name__ == "__main__":
    main(sys.argv[1:])
