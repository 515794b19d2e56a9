"""Finds a base model that already exists: a folder, or a repository on the hub."""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pipeline.contract.adapters import ADAPTER_CONFIG
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
# Without one of them transformers makes an empty tokenizer, and says nothing.
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


@dataclass(frozen=True, slots=True)
class Source:
    """A model on this machine."""

    directory: Path
    """Folder with its files."""
    revision: str | None
    """Commit on the hub; None for a folder."""


def find_source(params: Base) -> Source:
    """Folder of `base.source`, fetched from the hub where it is an id; StageError when it holds no model."""
    folder = Path(params.source).expanduser()
    if folder.exists():
        if params.revision is not None:
            raise StageError(f"base.revision is {params.revision!r}: {params.source} is a folder; set it to null")
        source = Source(folder, None)
    else:
        source = _from_hub(params)
    _check_is_model(source.directory, params.source)
    return source


def _from_hub(params: Base) -> Source:
    name = params.source
    if not _HUB_ID.fullmatch(name):
        raise StageError(f"base.source is {name!r}: no such folder; give a folder with a model, a hub id, or 'starter'")
    patterns = [*_FILES, "*.py"] if params.trust_remote_code else _FILES
    try:
        # Only the top level: subfolders repeat the weights in other formats.
        folder = snapshot_download(name, revision=params.revision, allow_patterns=patterns, ignore_patterns=["*/*"])
    except GatedRepoError as error:
        raise StageError(
            f"base.source is {name!r}: the hub asks for its licence; accept it there and set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise StageError(f"base.revision is {params.revision!r}: {name} has no such revision on the hub") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise StageError(
            f"base.source is {name!r}: neither a folder nor a model on the hub (or it is private)"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise StageError(f"base.source is {name!r}: no such folder, and {_unreachable(error)}") from error
    return Source(Path(folder), Path(folder).name)


def _unreachable(error: Exception) -> str:
    if constants.is_offline_mode():
        return "the hub is off (HF_HUB_OFFLINE is set) and the model was not fetched before; unset it, or give a folder"
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"the hub cannot be reached ({reason}); check the network, or give a folder"


def _check_is_model(directory: Path, name: str) -> None:
    where = f"base.source is {name!r}"
    if not directory.is_dir():
        raise StageError(f"{where}: is a file; give the folder with config.json and the weights")
    if (directory / ADAPTER_CONFIG).is_file() and not (directory / "config.json").is_file():
        raise StageError(f"{where}: holds an adapter, not a model; give the base model, or merge the adapter first")
    if not (directory / "config.json").is_file():
        raise StageError(f"{where}: has no config.json, so it is no model that transformers saved")
    if not any((directory / file).is_file() for file in _VOCABULARIES):
        raise StageError(f"{where}: has no tokenizer (such as tokenizer.json); save the tokenizer beside the weights")
