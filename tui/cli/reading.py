"""`finetui experiments` and `finetui show`: what there is."""

import argparse
from typing import TYPE_CHECKING

from tui.cli.context import Context
from tui.cli.output import print_json, print_line, print_table
from tui.cli.rows import as_json, state
from tui.core.garbage import no_collection
from tui.core.visible import visible

if TYPE_CHECKING:
    from tui.core.experiments import Experiment


@no_collection()
def experiments(context: Context, options: argparse.Namespace) -> int:
    """List all rows, filtered and sorted as asked."""
    rows = context.experiments()
    if options.group_seeds:
        from tui.cli.seeds import print_groups

        return print_groups(rows, options)
    if options.form == "json" and not options.sort and not options.filter.strip():
        print_json([as_json(row) for row in (reversed(rows) if options.reverse else rows)])
        return 0
    from tui.cli.listing import print_listing  # keys and columns of all rows are worked out only where they count

    return print_listing(rows, options)


def show(context: Context, options: argparse.Namespace) -> int:
    """Print one experiment: where it comes from, params, metrics, what was seen, what is missing."""
    row = context.resolve(options.rev)
    events = context.store.events(row)
    if options.form == "json":
        print_json(as_json(row) | {"events": events})
        return 0
    from tui.core.experiments import flat_values
    from tui.core.values import format_param, format_value

    for name, value in _facts(row):
        print_line(f"{name:<10} {visible(value)}")
    params, metrics = flat_values(row.params), flat_values(row.metrics)
    _print_values("params", {key: format_param(value) for key, value in params.items()})
    _print_values("metrics", {key: format_value(value, key) for key, value in metrics.items()})
    if events:
        print_line("\nevents")
        rows = [[f"  {one.stage}", str(one.step), one.event, one.action, one.message] for one in events]
        print_table(["  stage", "step", "event", "action", "message"], rows)
    return 0


def _facts(row: "Experiment") -> list[tuple[str, str]]:
    when = "" if row.timestamp is None else row.timestamp.isoformat(sep=" ", timespec="seconds")
    facts = [
        ("name", row.label),
        ("rev", row.rev),
        ("kind", row.kind),
        ("baseline", row.baseline or ""),
        ("refs", ", ".join(row.refs)),
        ("subject", row.subject),
        ("when", when),
        ("status", state(row)),
        ("error", row.error or ""),
        ("missing", ", ".join(row.missing)),
    ]
    return [(name, value) for name, value in facts if value]


def _print_values(title: str, texts: dict[str, str]) -> None:
    print_line()
    print_line(title)
    width = max((len(key) for key in texts), default=0)
    for key, text in texts.items():
        print_line(f"  {visible(key):<{width}}  {visible(text)}")
