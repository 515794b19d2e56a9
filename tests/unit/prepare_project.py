"""A project in a folder that holds what `prepare` needs: a tokenizer with a chat template, where `base` leaves it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.contract import paths
from pipeline.contract.loading import check_params
from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Params
from pipeline.models.chatml import CHAT_TEMPLATE, TURN_END, TURN_START
from pipeline.stages import prepare

SHARED_DATA = Path(__file__).resolve().parents[2] / "../shared/data"


def write_tokenizer(template: str = CHAT_TEMPLATE) -> None:
    """Write data/models/base with a tokenizer that makes each byte a token, and no weights."""
    directory = paths.model_dir("base")
    directory.mkdir(parents=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=258, special_tokens=[TURN_START, TURN_END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(["list the files", "count the lines"], trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template, "eos_token": TURN_END}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    name = str(directory)
    Manifest("base", "starter", None, name, name, "base", (), 1, 0, "0" * 64).write(directory)


def prepare_params(source: str | Path, **section: Any) -> Params:
    """Checked params with this source."""
    return check_params({"prepare": {"source": str(source), **section}})


def run_prepare(source: str | Path, **section: Any) -> dict[str, Any]:
    """Run the stage in the working directory; gives its report."""
    prepare.run(prepare_params(source, **section))
    report: dict[str, Any] = json.loads(paths.DATA_REPORT.read_bytes())
    return report


def read_split(split: str) -> pl.DataFrame:
    """Rows of a split as the stage wrote them."""
    return pl.read_parquet(paths.split_file(split))


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs(count: int) -> list[dict[str, str]]:
    """Different prompts with their completions."""
    return [{"prompt": f"say {index}", "completion": f"echo {index}"} for index in range(count)]
