"""Reads a data set from the Hugging Face hub, or from the local copy of one."""

import re
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.contract.params import Hub, Prepare
from pipeline.contract.problems import StageError

PREFIX = "hub:"
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def load_hub_frame(prepare: Prepare) -> pl.DataFrame:
    """The rows of a hub data set. Code that a repository brings along is never run: `datasets` 4 and later cannot."""
    identifier = prepare.source.removeprefix(PREFIX)
    _check_id(prepare.source, identifier)
    loaded = _load(identifier, prepare.hub)
    if prepare.max_rows is not None:
        loaded = loaded.select(range(min(prepare.max_rows, len(loaded))))
    # Through Arrow no image or audio column is decoded.
    frame = pl.from_arrow(loaded.with_format("arrow")[:])
    if not isinstance(frame, pl.DataFrame):
        raise StageError(f"{prepare.source}: holds no table")
    return frame


def _check_id(source: str, identifier: str) -> None:
    if not _ID.fullmatch(identifier):
        raise StageError(f"params.yaml: prepare.source is {source!r}: after hub: comes an id such as owner/name")
    if Path(identifier).exists():
        raise StageError(
            f"params.yaml: prepare.source is {source!r}: {identifier} is also a local path, "
            "which the library would read instead; drop hub: to read it, or rename it"
        )


def _load(identifier: str, hub: Hub) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(identifier, name=hub.config, split=hub.split, revision=hub.revision)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise StageError(_explain(identifier, hub, error)) from error


def _explain(identifier: str, hub: Hub, error: Exception) -> str:
    asked = f"config {hub.config or 'default'}, split {hub.split}, revision {hub.revision or 'newest'}"
    reason = " ".join(str(error).split()) or type(error).__name__
    return (
        f"hub:{identifier} ({asked}) cannot be loaded: {reason}\n"
        "Check the id and prepare.hub.*, log in for a gated data set (hf auth login), and check that the hub can be "
        "reached (HF_HUB_OFFLINE must not be set); or download the files and set prepare.source to their folder."
    )
