"""One experiment as the command line shows it."""

from typing import Any

from tui.core.experiments import Experiment


def as_json(row: Experiment) -> dict[str, Any]:
    """An experiment in the documented shape of `experiments --json`."""
    return {
        "rev": row.rev,
        "name": row.name,
        "kind": row.kind,
        "baseline": row.baseline,
        "refs": row.refs,
        "timestamp": row.timestamp,
        "status": row.status,
        "params": row.params,
        "metrics": row.metrics,
        "deps": row.deps,
        "outs": row.outs,
        "missing": row.missing,
        "error": row.error,
    }


def state(row: Experiment) -> str:
    """Its status, and how far it is."""
    return row.status if row.fraction is None else f"{row.status} {row.stage} {row.fraction:.0%}"
