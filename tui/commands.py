"""Every action, declared once: key, footer, help, palette, and whether it changes anything."""

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

Scope = Literal["app", "experiments", "run", "compare", "examples", "launch", "query", "history"]


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that a user can do on a screen."""

    action: str
    """Textual action, as `compare` for `action_compare`."""
    keys: str
    """Keys that start it, separated by commas; empty if only the palette has it."""
    label: str
    """Two or three words for the footer and the palette."""
    help: str
    """One line for the help screen and the palette."""
    footer: bool = False
    """Whether the footer shows it."""
    writes: bool = False
    """Whether it starts, stops or removes something: off with --read-only."""

    @property
    def shown_key(self) -> str:
        """The first key as a person reads it."""
        return shown_key(self.keys.split(",")[0])

    def binding(self) -> Binding:
        """What Textual dispatches from."""
        return Binding(self.keys, self.action, self.label, show=self.footer)


_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "at": "@",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "comma": ",",
    "full_stop": ".",
}


def shown_key(key: str) -> str:
    """A key as a person reads it.

    >>> shown_key("ctrl+s"), shown_key("slash")
    ('^s', '/')
    """
    if key.startswith("ctrl+"):
        return "^" + shown_key(key.removeprefix("ctrl+"))
    return _NAMES.get(key, key)


COMMANDS: dict[Scope, tuple[Command, ...]] = {
    "app": (
        Command("help", "question_mark,f1", "Help", "Show every key of this screen", footer=True),
        Command("command_palette", "colon,ctrl+p", "Commands", "Find a command by its name"),
        Command("command_log", "at", "Command log", "Show every git and dvc command that was run"),
        Command("quit", "q", "Quit", "Leave finetui; runs go on without it", footer=True),
    ),
    "experiments": (
        Command("open", "enter", "Open", "Curves, log, params and metrics of the row", footer=True),
        Command("mark", "space", "Mark", "Mark the row, or unmark it", footer=True),
        Command("launch", "n", "New run", "Change params and launch a run", footer=True, writes=True),
        Command("compare", "c", "Compare", "Compare the marked rows, or a row with the baseline", footer=True),
        Command("filter", "slash", "Filter", "Show only rows that match, as you type", footer=True),
        Command("sort_next", "s", "Sort", "Sort by the next column, best first", footer=True),
        Command("sort_turn", "S", "Turn sort", "Turn the order of the sort around"),
        Command("toggle_flat", "t", "Tree or list", "Experiments below their commit, or one sorted list"),
        Command("toggle_fold", "z", "Fold", "Hide or show the experiments of a commit"),
        Command("unmark", "u", "Unmark all", "Remove all marks"),
        Command("pin_baseline", "b", "Pin baseline", "Baseline of all differences; again: each one's commit"),
        Command("next_metric", "m", "Main metric", "Make the next metric the main one"),
        Command("stop", "x", "Stop run", "Stop the run of the row; asks first", writes=True),
        Command("copy_rev", "y", "Copy SHA", "Copy the full SHA of the row"),
        Command("copy_name", "Y", "Copy name", "Copy the name of the row"),
        Command("history", "H", "History", "The main metric along the commits, and where it last moved"),
        Command("query", "Q", "Query", "Ask in SQL about everything that ever ran"),
        Command("reload", "r", "Reload", "Read the project again now"),
        Command("back", "escape", "Back", "Clear the filter"),
    ),
    "run": (
        Command("stop", "x", "Stop run", "Stop the run; asks first", footer=True, writes=True),
        Command("next_stage", "n", "Next stage", "Charts of the next stage", footer=True),
        Command("previous_stage", "p", "Previous stage", "Charts of the previous stage"),
        Command("next_page", "m", "More charts", "The next charts of this stage", footer=True),
        Command("toggle_log", "l", "Log scale", "Logarithmic or linear y axes"),
        Command("cycle_panel", "v", "Next panel", "Show the next of the views below", footer=True),
        Command("panel_log", "1", "Log", "Show the log below"),
        Command("panel_params", "2", "Params", "Show the params below"),
        Command("panel_metrics", "3", "Metrics", "Show the final metrics below"),
        Command("panel_answers", "4", "Answers", "Show answers of the model below"),
        Command("panel_events", "5", "Events", "Show what was seen while it ran below"),
        Command("panel_samples", "6", "Samples", "Show how answers to a few prompts changed below; enter: in full"),
        Command("copy_rev", "y", "Copy SHA", "Copy the full SHA"),
        Command("copy_name", "Y", "Copy name", "Copy the name of the experiment"),
        Command("reload", "r", "Reload", "Read it again now"),
        Command("back", "escape,backspace", "Back", "Back to the experiments", footer=True),
    ),
    "compare": (
        Command("toggle_differences", "d", "Differences", "Only rows that differ, or all rows", footer=True),
        Command("next_difference", "n", "Next", "Jump to the next row that differs", footer=True),
        Command("previous_difference", "p,N", "Previous", "Jump to the previous row that differs"),
        Command(
            "next_baseline", "b", "Baseline", "Compare against the next experiment; or click its title", footer=True
        ),
        Command("next_metric", "m,right_square_bracket", "Next curve", "Curves of the next metric", footer=True),
        Command("previous_metric", "M,left_square_bracket", "Previous curve", "Curves of the previous metric"),
        Command("choose_metric", "o", "Choose curve", "Choose the curves from a list; enter takes those of the row"),
        Command("examples", "e", "Examples", "Examples that were fixed or broke against the baseline", footer=True),
        Command("toggle_seeds", "s", "Seeds", "Mean and spread of experiments that differ only in their seed"),
        Command("toggle_intervals", "i", "Intervals", "Show or hide what the examples say about each metric"),
        Command("switch_focus", "tab", "Table or chart", "Move between the table and the chart"),
        Command("toggle_chart", "v", "Chart", "Show or hide the chart"),
        Command("toggle_log", "l", "Log scale", "Logarithmic or linear y axis"),
        Command("copy_row", "y", "Copy row", "Copy the full values of the row, separated by tabs"),
        Command("reload", "r", "Reload", "Read the curves again now"),
        Command("back", "escape,backspace", "Back", "Back to the experiments", footer=True),
    ),
    "examples": (
        Command("open", "enter", "In full", "Prompt, reference and both answers in full", footer=True),
        Command("choose_score", "s", "Score", "Choose the score that examples are judged by", footer=True),
        Command("choose_category", "f", "Category", "Show only examples of one category", footer=True),
        Command("next_kind", "v", "Fixed or broke", "Both, only those fixed, only those that broke", footer=True),
        Command("next_candidate", "n", "Next", "The next experiment against the same baseline", footer=True),
        Command("previous_candidate", "p,N", "Previous", "The experiment before"),
        Command("copy_example", "y", "Copy", "Copy the example: prompt, reference and both answers"),
        Command("reload", "r", "Reload", "Read the results again now"),
        Command("back", "escape,backspace", "Back", "Back to the comparison", footer=True),
    ),
    "query": (
        Command("run", "ctrl+r,f5,ctrl+enter,ctrl+j", "Run", "Run the query; a running one gives way", footer=True),
        Command("cancel", "ctrl+c", "Cancel", "Give up the running query"),
        Command("toggle_tables", "f2,ctrl+t", "Tables", "Tables and columns; enter puts a name in", footer=True),
        Command("open_saved", "f3,ctrl+o", "Saved", "Choose a saved query and its values", footer=True),
        Command("open_history", "f4,ctrl+l", "History", "Choose a query that was run before", footer=True),
        Command("switch_focus", "tab", "Next pane", "Move between the query, the rows and the tables"),
        Command("copy_rows", "f8,y", "Copy rows", "Copy all rows as CSV, Markdown or JSON", footer=True),
        Command("copy_row", "Y", "Copy row", "Copy the full values of the row, separated by tabs"),
        Command("view_row", "v", "Whole row", "Show every value of the row in full; enter opens its experiment"),
        Command("back", "escape", "Back", "Cancel the running query; else back to the experiments", footer=True),
    ),
    "history": (
        Command("open", "enter", "Open", "Curves, log, params and metrics of the commit", footer=True),
        Command("compare", "c", "Compare", "Compare with the commit before; the move with where it began", footer=True),
        Command("jump", "b", "Last move", "Jump to the commit where it last moved by more than its noise", footer=True),
        Command("toggle_changes", "d", "Changes", "Only commits where the value changed, or all", footer=True),
        Command("next_metric", "m", "Next metric", "The next metric", footer=True),
        Command("previous_metric", "M", "Previous metric", "The previous metric"),
        Command("choose_metric", "o", "Choose metric", "Choose the metric from a list"),
        Command("switch_focus", "tab", "Table or chart", "Move between the table and the chart"),
        Command("toggle_log", "l", "Log scale", "Logarithmic or linear y axis"),
        Command("copy_rev", "y", "Copy SHA", "Copy the full SHA of the commit"),
        Command("reload", "r", "Reload", "Read the commits again now"),
        Command("back", "escape,backspace", "Back", "Back to the experiments", footer=True),
    ),
    "launch": (
        Command("launch", "ctrl+s", "Launch", "Start the run", footer=True, writes=True),
        Command("edit", "enter,space", "Change", "Edit the value; turn a switch; open a choice", footer=True),
        Command("next_choice", "right,l", "Next choice", "The next allowed value"),
        Command("previous_choice", "left,h", "Previous choice", "The previous allowed value"),
        Command("reset", "backspace,u", "Reset", "Back to the value of the workspace", footer=True),
        Command("reset_all", "U", "Reset all", "Drop the draft: back to the params of the workspace"),
        Command("filter", "slash", "Find key", "Show only keys that contain a text", footer=True),
        Command("choose_section", "s", "Section", "Choose a section from a list; 1 to 9 jump to one"),
        Command("toggle_everything", "a", "All keys", "Also keys without effect on the method, or only those with one"),
        Command("next_changed", "c", "Next change", "Jump to the next changed value"),
        Command("name", "e", "Name", "Name the experiment"),
        Command("toggle_force", "f", "Force", "Run stages that are up to date as well"),
        Command("switch_focus", "tab", "Form or plan", "Move between the form and the plan"),
        Command("replan", "r", "Plan again", "Find out again what would run"),
        Command("back", "escape", "Back", "Leave without launching; the draft is kept", footer=True),
    ),
}


def bindings(scope: Scope) -> list[BindingType]:
    """Bindings of a screen, or of the app."""
    return [command.binding() for command in COMMANDS[scope] if command.keys]


def find(scope: Scope, action: str) -> Command | None:
    """The command of an action on a screen; None if it has none."""
    return next((command for command in COMMANDS[scope] if command.action == action), None)
