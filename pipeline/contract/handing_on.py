"""What a stage does that trains nothing: it hands the model before it on, without loading any library."""

from dataclasses import replace
from pathlib import Path

from pipeline.contract import paths
from pipeline.contract.files import empty_directory, write_bytes
from pipeline.contract.launching import is_main_process
from pipeline.contract.manifest import Manifest


def pass_on(manifest: Manifest, stage: str, directory: Path) -> Manifest:
    """Write the manifest of a stage that hands a model on untouched: it points at the files of those before it."""
    empty_directory(directory)
    result = replace(manifest, stage=stage)
    result.write(directory)
    return result


def no_model(stage: str) -> Manifest:
    """Manifest of a stage that was to make no model."""
    return Manifest(
        stage=stage,
        base_source="none",
        base_revision=None,
        weights="",
        tokenizer="",
        method="none",
        adapters=(),
        num_parameters=0,
        num_trainable_parameters=0,
        weights_sha256="",
    )


def empty_samples(stage: str) -> None:
    """Begin an empty file of answers; of several processes only the main one does, which may have some already."""
    if is_main_process():
        write_bytes(paths.samples_file(stage), b"")
