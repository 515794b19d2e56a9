"""The base stage on models that transformers saved, and on folders that are no models."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from pipeline.contract.loading import check_params
from pipeline.contract.manifest import read_manifest
from pipeline.contract.problems import StageError
from pipeline.models.chat import encode_example, encode_prompt, stop_token_id
from pipeline.models.loading import load_model, load_tokenizer
from pipeline.models.weights import hash_weights, weight_files
from pipeline.stages import base
from tests.unit import tiny_training

BASE = Path("data/models/base")
ARCHITECTURES = ("gpt2", "llama", "qwen3")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_model_comes_through_unchanged(architecture: tiny_training.Architecture) -> None:
    source = tiny_training.save_model(Path("source"), architecture)
    params = check_params({"base": {"source": "source"}})
    base.run(params)
    manifest = read_manifest(BASE)
    assert manifest.weights_sha256 == hash_weights(weight_files(source))
    loaded = load_model(manifest, params.base)
    original = AutoModelForCausalLM.from_pretrained(source)
    assert manifest.num_parameters == sum(p.numel() for p in original.parameters())
    assert json.loads(Path("data/metrics/base/metrics.json").read_text()) == {
        "base/num_parameters": manifest.num_parameters
    }
    ids = torch.tensor([encode_prompt(loaded.tokenizer, [{"role": "user", "content": "list files"}])])
    assert torch.equal(loaded.model(ids).logits, original(ids).logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_answer_ends_with_the_token_at_which_generation_stops(architecture: tiny_training.Architecture) -> None:
    tiny_training.save_model(Path("source"), architecture)
    base.run(check_params({"base": {"source": "source"}}))
    tokenizer = load_tokenizer(BASE)
    stop = stop_token_id(tokenizer)
    assert stop in json.loads((BASE / "generation_config.json").read_text())["eos_token_id"]
    prompt = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "list files"}]
    prompt_ids, completion_ids = encode_example(tokenizer, prompt, "count lines", stop)
    assert prompt_ids == encode_prompt(tokenizer, prompt)
    assert tokenizer.decode(completion_ids[:-1]) == "count lines"
    assert completion_ids[-1] == stop
    assert prompt_ids.count(tokenizer.bos_token_id) == (1 if architecture == "llama" else 0)
    assert tokenizer.pad_token_id is not None


def test_a_template_file_replaces_the_tokenizers_own() -> None:
    tiny_training.save_model(Path("source"), "qwen3")
    Path("chat.jinja").write_text("{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}")
    base.run(check_params({"base": {"source": "source", "chat_template": "chat.jinja"}}))
    assert load_tokenizer(BASE).chat_template == Path("chat.jinja").read_text()


def test_a_template_that_never_ends_an_answer_is_refused() -> None:
    tiny_training.save_model(Path("source"), "qwen3")
    Path("chat.jinja").write_text("{% for m in messages %}{{ m.content }}\n{% endfor %}")
    with pytest.raises(StageError, match="would never learn to stop"):
        base.run(check_params({"base": {"source": "source", "chat_template": "chat.jinja"}}))


def test_equal_sources_give_equal_bytes() -> None:
    tiny_training.save_model(Path("source"), "llama")
    contents = []
    for _ in range(2):
        base.run(check_params({"base": {"source": "source"}}))
        contents.append({path.name: path.read_bytes() for path in sorted(BASE.iterdir())})
    assert contents[0] == contents[1]
    assert len(contents[0]) >= 6
    text = b"".join(value for name, value in contents[0].items() if name.endswith(".json"))
    assert str(Path.cwd()).encode() not in text


def _no_config(source: Path) -> None:
    (source / "config.json").unlink()


def _no_tokenizer(source: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).unlink()


def _foreign_tokenizer(source: Path) -> None:
    words = {f"word{number}": number for number in range(500)}
    first, last = "word0", "word499"
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=first))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=first, eos_token=last).save_pretrained(source)


def _pickled(source: Path) -> None:
    (source / "model.safetensors").rename(source / "pytorch_model.bin")


def _cut_off(source: Path) -> None:
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _adapter(source: Path) -> None:
    (source / "config.json").rename(source / "adapter_config.json")


def _unknown(source: Path) -> None:
    (source / "config.json").write_text('{"model_type": "abacus"}')


def _missing_shard(source: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))


DAMAGES = {
    _no_config: "has no config.json",
    _no_tokenizer: "has no tokenizer",
    _foreign_tokenizer: "do they belong together",
    _pickled: "is a pickle, which is never loaded",
    _cut_off: "damaged or cut off",
    _adapter: "holds an adapter, not a model",
    _unknown: "describes no language model",
    _missing_shard: "model-00001-of-00002.safetensors: no such file",
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.items())
def test_what_is_no_model_is_refused(damage: Callable[[Path], None], message: str) -> None:
    source = tiny_training.save_model(Path("source"), "qwen3")
    damage(source)
    with pytest.raises(StageError, match=message):
        base.run(check_params({"base": {"source": "source"}}))
    assert json.loads(Path("data/metrics/base/run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/nowhere/at/all", "no such folder"),
        ("some-name/that-is-nowhere", "the hub"),
        ("notes.txt", "is a file"),
        ("data/models/base", "overlaps"),
    ],
)
def test_a_source_that_cannot_be_had_is_named(source: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    Path("notes.txt").write_text("no model")
    tiny_training.save_model(BASE, "qwen3")
    with pytest.raises(StageError, match=message):
        base.run(check_params({"base": {"source": source}}))
    assert (BASE / "model.safetensors").is_file()


def test_a_folder_has_no_revision() -> None:
    tiny_training.save_model(Path("source"), "qwen3")
    with pytest.raises(StageError, match="is a folder; set it to null"):
        base.run(check_params({"base": {"source": "source", "revision": "main"}}))
