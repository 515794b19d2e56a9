"""Puts a base model into a model directory: weights copied, never loaded; tokenizer made fit for chat."""

import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerBase

from pipeline.contract.files import empty_directory, write_json
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.models.chat import stop_token_id
from pipeline.models.loading import load_tokenizer
from pipeline.models.sources import Source
from pipeline.models.tokenizer import fit_for_chat, save_tokenizer
from pipeline.models.weights import INDEX_FILE, copy_file, count_parameters, hash_weights, weight_files

_CONFIG = "config.json"
_GENERATION_CONFIG = "generation_config.json"


def copy_model(source: Source, directory: Path, trust_remote_code: bool) -> None:
    """Copy weights and configuration of a model into an empty folder."""
    folder, target = source.directory.resolve(), directory.resolve()
    if target == folder or target in folder.parents or folder in target.parents:
        raise StageError(
            f"base.source is {source.directory}: it overlaps {directory}, which the stage replaces; move it"
        )
    files = weight_files(folder)
    count_parameters(folder, trust_remote_code)
    empty_directory(directory)
    config = json.loads((folder / _CONFIG).read_bytes())
    config.pop("_name_or_path", None)
    write_json(directory / _CONFIG, config)
    others = [folder / name for name in (INDEX_FILE, _GENERATION_CONFIG) if (folder / name).is_file()]
    code = sorted(folder.glob("*.py")) if trust_remote_code else []
    for file in (*files, *others, *code):
        copy_file(file.resolve(), directory / file.name)


def finish_base(directory: Path, tokenizer: PreTrainedTokenizerBase, params: Base, revision: str | None) -> Manifest:
    """Add tokenizer, generation config and manifest to the weights in a folder."""
    _check_vocabulary(directory, tokenizer, params)
    fit_for_chat(tokenizer, _template(params.chat_template))
    stop_id = stop_token_id(tokenizer)
    save_tokenizer(tokenizer, directory)
    _write_generation_config(directory, tokenizer, stop_id)
    manifest = Manifest(
        stage="base",
        base_source=params.source,
        base_revision=revision,
        weights=directory.as_posix(),
        tokenizer=directory.as_posix(),
        method="base",
        adapters=(),
        num_parameters=count_parameters(directory, params.trust_remote_code),
        num_trainable_parameters=0,
        weights_sha256=hash_weights(weight_files(directory)),
    )
    manifest.write(directory)
    return manifest


def source_tokenizer(source: Source, params: Base) -> PreTrainedTokenizerBase:
    """Tokenizer that lies beside a model's weights."""
    try:
        return load_tokenizer(source.directory, params.trust_remote_code)
    except StageError as error:
        raise StageError(f"base.source is {params.source!r}: {error}") from error


def _check_vocabulary(directory: Path, tokenizer: PreTrainedTokenizerBase, params: Base) -> None:
    """A token beyond the embeddings would end training in an index error."""
    config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=params.trust_remote_code)
    size = config.get_text_config().vocab_size
    if len(tokenizer) > size:
        raise StageError(
            f"base.source is {params.source!r}: its tokenizer has {len(tokenizer)} tokens, its model only {size}; "
            "do they belong together?"
        )


def _template(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"base.chat_template is {path!r}: cannot be read ({error})") from error


def _write_generation_config(directory: Path, tokenizer: PreTrainedTokenizerBase, stop_id: int) -> None:
    """Generation stops at whatever the model stopped at before, and at the end of the assistant's turn."""
    if (directory / _GENERATION_CONFIG).is_file():
        config = GenerationConfig.from_pretrained(directory, local_files_only=True)
    else:
        config = GenerationConfig()
    known: Any = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    known = known if isinstance(known, list) else [known]
    size = len(tokenizer)
    config.eos_token_id = sorted({stop_id, *(token for token in known if token is not None and token < size)})
    config.pad_token_id = tokenizer.pad_token_id
    if config.bos_token_id is None or config.bos_token_id >= size:
        config.bos_token_id = tokenizer.bos_token_id
    config.save_pretrained(directory)
