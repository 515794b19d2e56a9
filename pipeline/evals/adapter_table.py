"""A program: adapter folders side by side.

    python -m pipeline.evals.adapter_table [--json] DIR...

Exit code 0, or 1 when a folder holds no adapter; the others are shown all the same.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.contract.adapters import AdapterFacts, read_adapter
from pipeline.contract.problems import StageError

_COLUMNS = ("adapter", "method", "size", "alpha", "parameters", "bytes", "base", "targets")
_HASH_LENGTH = 12


def main(arguments: Sequence[str]) -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evals.adapter_table", description="Compare adapters.")
    parser.add_argument("folders", nargs="+", metavar="DIR", type=Path, help="an adapter, or a model directory")
    parser.add_argument("--json", action="store_true", help="as a list of objects")
    given = parser.parse_args(arguments)
    found, problems = [], []
    for folder in given.folders:
        try:
            found.append(read_adapter(folder))
        except StageError as error:
            problems.append(str(error))
    sys.stdout.write(json.dumps([asdict(facts) for facts in found], indent=2) + "\n" if given.json else text(found))
    sys.stderr.write("".join(f"adapter_table: {problem}\n" for problem in problems))
    return 1 if problems else 0


def text(adapters: Iterable[AdapterFacts]) -> str:
    """The table, its columns as wide as they must be."""
    rows = [_COLUMNS, *(_row(facts) for facts in adapters)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)


def _row(facts: AdapterFacts) -> tuple[str, ...]:
    return (
        facts.path,
        " ".join(filter(None, (facts.method, facts.variant))),
        "-" if facts.size is None else str(facts.size),
        "-" if facts.alpha is None else f"{facts.alpha:g}",
        f"{facts.num_parameters:,}",
        f"{facts.num_bytes:,}",
        "unknown" if facts.base_sha256 is None else facts.base_sha256[:_HASH_LENGTH],
        ", ".join(facts.targets) or "-",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
