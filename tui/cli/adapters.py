"""`finetui adapters`: list the adapters of experiments, and write one out of the DVC cache."""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tui.cli.context import Context
from tui.cli.output import print_error, print_json, print_line, print_table
from tui.core.adapters import StoredAdapter
from tui.core.errors import UsageError, UserError
from tui.core.experiments import Experiment
from tui.core.values import format_value

_EXPORT = "export"
_HEADERS = ("experiment", "rev", "stage", "method", "rank", "parameters", "bytes", "base", "base hash")
_HASH_DIGITS = 12


def adapters(context: Context, options: argparse.Namespace) -> int:
    """List the adapters of some experiments, or of all; or export one."""
    if options.revs[:1] == [_EXPORT]:
        if len(options.revs) != 3:
            raise UsageError("export needs an experiment and a folder", hint="finetui adapters export REV DIR")
        return _export(context, options.revs[1], Path(options.revs[2]), options)
    rows = [context.resolve(rev) for rev in options.revs] if options.revs else _all_rows(context)
    found = [(row, adapter) for row in rows for adapter in context.store.adapters(row)]
    if options.stage:
        found = [(row, adapter) for row, adapter in found if adapter.stage == options.stage]
    if options.form == "json":
        print_json([as_json(row, adapter) for row, adapter in found])
        return 0
    print_table(_HEADERS, [_cells(row, adapter, options.form) for row, adapter in found], options.form)
    if not found:
        print_error("no adapters in the local cache; a method such as train.peft=lora makes one")
    return 0


def as_json(row: Experiment, adapter: StoredAdapter) -> dict[str, object]:
    """One adapter as an object."""
    values = asdict(adapter)
    values["files"] = sorted(adapter.files)
    return {"experiment": row.label, "rev": row.rev, **values, "is_local": bool(adapter.files)}


def _all_rows(context: Context) -> list[Experiment]:
    return [row for row in context.experiments() if row.kind != "workspace"]


def _cells(row: Experiment, adapter: StoredAdapter, form: str) -> list[str]:
    size = adapter.num_bytes
    if form == "csv":
        numbers = [str(adapter.num_parameters), "" if size is None else str(size)]
        return [row.label, row.rev, adapter.stage, adapter.method, adapter.size, *numbers, adapter.base_source,
                adapter.base_sha256]  # fmt: skip
    numbers = [format_value(adapter.num_parameters), "not local" if size is None else format_value(size, "model_bytes")]
    return [row.label, row.short_rev, adapter.stage, adapter.method, adapter.size, *numbers, adapter.base_source,
            adapter.base_sha256[:_HASH_DIGITS]]  # fmt: skip


def _export(context: Context, rev: str, directory: Path, options: argparse.Namespace) -> int:
    row = context.resolve(rev)
    adapter = _the_one(row, context.store.adapters(row), options.stage)
    if not adapter.files:
        raise UserError(
            f"the {adapter.stage} adapter of {row.label} is not in the local cache", adapter.path, "dvc pull fetches it"
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} is there already", hint="name a folder that is new or empty")
    _copy(adapter, directory)
    if options.form == "json":
        print_json({**as_json(row, adapter), "directory": directory})
    else:
        print_line(f"{directory}: {adapter.method} adapter of {row.label} ({', '.join(sorted(adapter.files))})")
    return 0


def _the_one(row: Experiment, found: Sequence[StoredAdapter], stage: str | None) -> StoredAdapter:
    chosen = [adapter for adapter in found if stage in {None, adapter.stage}]
    if not chosen:
        words = f"no adapter of stage {stage}" if stage else "no adapter"
        raise UsageError(f"{row.label} has {words}", hint="see: finetui adapters")
    if len(chosen) > 1:
        stages = ", ".join(adapter.stage for adapter in chosen)
        raise UsageError(f"{row.label} has {len(chosen)} adapters: {stages}", hint="choose one: --stage STAGE")
    return chosen[0]


def _copy(adapter: StoredAdapter, directory: Path) -> None:
    """The folder appears complete; files in the cache are read-only, copies are not."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        for name, place in adapter.files.items():
            target = scratch / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, target)
        scratch.chmod(0o755)
        scratch.replace(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
