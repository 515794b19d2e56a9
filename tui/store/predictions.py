"""Per-example results: one Parquet file, on disk or in the DVC cache."""

from pathlib import Path
from typing import Any

from pipeline.contract import paths
from tui.core.errors import UserError
from tui.store.dvc_cache import DvcCache
from tui.store.layouts.dvc_files import Outs


def find_predictions(folder: Path | None, cache: DvcCache | None = None, outs: Outs | None = None) -> Path | None:
    """The file in a work tree, or in the DVC cache by the md5 that dvc.lock knows."""
    if folder is not None:
        place = folder / paths.PREDICTIONS
        return place if place.is_file() else None
    return cache.find(paths.PREDICTIONS.as_posix(), outs or {}) if cache is not None else None


def read_predictions(place: Path | None, label: str) -> Any:
    """A polars frame; empty without a file, UserError for a broken one."""
    import polars as pl

    if place is None:
        return pl.DataFrame()
    try:
        return pl.read_parquet(place, glob=False)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # some corrupt files make polars panic, which is not even an Exception
        hint = "dvc checkout restores it from the cache; finetui run makes it again"
        raise UserError(f"predictions of {label} cannot be read", f"{place.name}: {error}", hint) from error
