"""The metric or param that a user names, on a line of commits."""

from collections.abc import Iterator
from shlex import quote

from tui.cli.context import Context
from tui.core.errors import UsageError
from tui.core.experiments import Experiment
from tui.core.history.metric_history import find_key
from tui.core.history.walking import find, walk
from tui.core.keys import Key


def find_here(
    context: Context, metric: str, rev: str, of_experiments: bool = False
) -> tuple[Key, Iterator[Experiment]]:
    """The key, and the commits from a revision on; where no commit has it yet, their experiments may."""
    newest = context.resolve(rev)
    try:
        return find(metric, walk(context.store, newest))
    except UsageError:
        key = find_key(metric, [row for row in context.experiments() if row.kind == "experiment"])
        if key is None:
            raise
        if not of_experiments:
            hint = f"experiments have it: finetui log {quote(metric)} --experiments"
            raise UsageError(f"no commit here has a value of {metric!r}", hint=hint) from None
        return key, walk(context.store, newest)
