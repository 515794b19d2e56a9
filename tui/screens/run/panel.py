"""The lower half of the Run screen: log, params, metrics, answers, events, samples."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher

from tui.core.columns import metric_order
from tui.core.experiments import Experiment, flat_values
from tui.core.runs import Run
from tui.core.series import Event
from tui.core.values import format_param, format_value
from tui.screens.run.reading import Reading
from tui.screens.run.samples import SamplesPane
from tui.widgets.logtail import LogTail
from tui.widgets.table import Column, ListRows, VirtualTable

Panel = Literal["log", "params", "metrics", "answers", "events", "samples"]
PANELS: tuple[Panel, ...] = ("log", "params", "metrics", "answers", "events", "samples")

_VALUE_COLUMNS = (
    Column("key", "key", max_width=60),
    Column("value", "value", max_width=60),
    Column("note", "", max_width=40),
)
_EVENT_COLUMNS = (
    Column("step", "step", "right"),
    Column("stage", "stage"),
    Column("event", "event"),
    Column("action", "action"),
    Column("message", "message", max_width=200),
)
_ACTION_STYLES = {"warn": "warning", "stop": "bad"}


class Panels(Vertical):
    """Six views of which one is seen; the title lists them."""

    def __init__(self, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._counts: dict[Panel, int] = {}

    def compose(self) -> ComposeResult:
        """One widget for each view."""
        with ContentSwitcher(initial="log"):
            yield LogTail(id="log")
            yield VirtualTable(_VALUE_COLUMNS, id="params", placeholder="no params")
            yield VirtualTable(_VALUE_COLUMNS, id="metrics", placeholder="no metrics yet")
            yield VirtualTable(id="answers", placeholder="no answers in the local cache")
            yield VirtualTable(_EVENT_COLUMNS, id="events", placeholder="nothing was seen")
            yield SamplesPane()

    def on_mount(self) -> None:
        """Name the views."""
        self.choose("log", focus=False)

    @property
    def current(self) -> Panel:
        """The view that is seen."""
        shown = self.query_one(ContentSwitcher).current
        return next((panel for panel in PANELS if panel == shown), "log")

    def choose(self, panel: Panel, *, focus: bool = True) -> None:
        """See another view."""
        self.query_one(ContentSwitcher).current = panel
        self._name_views()
        if focus:
            self.query_one("#prompts" if panel == "samples" else f"#{panel}").focus()

    def show(self, reading: Reading) -> None:
        """Show all that does not have to be asked for."""
        if reading.log:
            self.log_tail.append(reading.log)
        self.table("params").set_rows(param_rows(reading.experiment, reading.run))
        self.table("metrics").set_rows(metric_rows(reading.experiment))
        self.table("events").set_rows(event_rows(reading.events))
        self.count("events", len(reading.events))

    def count(self, panel: Panel, number: int) -> None:
        """Tell in the title how much there is in a view."""
        if number != self._counts.get(panel, 0):
            self._counts[panel] = number
            self._name_views()

    def _name_views(self) -> None:
        titles = []
        for number, name in enumerate(PANELS, 1):
            count = self._counts.get(name, 0)
            style = "bold reverse" if name == self.current else "bold" if count else "dim"
            titles.append(Content.styled(f"{number} {name}" + (f" ({count})" if count else ""), style))
        self.border_title = Content("  ").join(titles).markup

    def table(self, panel: Panel) -> VirtualTable:
        """The table of a view."""
        return self.query_one(f"#{panel}", VirtualTable)

    @property
    def log_tail(self) -> LogTail:
        """The log."""
        return self.query_one(LogTail)


def param_rows(experiment: Experiment, run: Run | None) -> ListRows:
    """Params; those that the launch changed come first."""
    values = flat_values(experiment.params)
    overrides: Mapping[str, Any] = run.overrides if run is not None else {}
    changed = [(key, values.pop(key, value)) for key, value in overrides.items()]
    rows = [_row(key, format_param(value), "changed at launch", "accent") for key, value in changed]
    return ListRows([*rows, *(_row(key, format_param(value)) for key, value in values.items())])


def event_rows(events: Sequence[Event]) -> ListRows:
    """What was seen, the newest first."""
    rows = []
    for index, one in enumerate(events):
        style = _ACTION_STYLES.get(one.action, "")
        values = {name: getattr(one, name) for name in ("stage", "message")}
        marked = {name: (getattr(one, name), style) for name in ("event", "action")}
        rows.append((str(index), {"step": str(one.step), **values, **marked}))
    return ListRows(rows[::-1])


def metric_rows(experiment: Experiment) -> ListRows:
    """Final metrics, those that matter most first."""
    values = flat_values(experiment.metrics)
    return ListRows([_row(key, format_value(values[key], key)) for key in sorted(values, key=metric_order)])


def answer_columns(names: Sequence[str], width: int) -> list[Column]:
    """Columns of the answers: what was asked and answered first, then the scores."""
    share = max(16, width // 3 - 6)
    first = [name for name in ("prompt", "reference", "prediction") if name in names]
    others = [name for name in names if name not in first and name not in {"id", "example_id"}]
    return [Column(name, name, max_width=share if name in first else 16) for name in (*first, *others)]


def answer_rows(answers: Sequence[Mapping[str, Any]]) -> ListRows:
    """One row for each answer."""
    return ListRows([(str(i), {name: _text(value) for name, value in row.items()}) for i, row in enumerate(answers)])


def _row(key: str, value: str, note: str = "", style: str = "") -> tuple[str, dict[str, str | tuple[str, str]]]:
    return key, {"key": (key, style), "value": (value, style), "note": (note, "muted")}


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else format_param(value)
