"""Pretraining the starter: repeatable to the bit, loadable, and it learns."""

from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.contract.params import StarterModel
from pipeline.contract.problems import StageError
from pipeline.data.shell import corpus_documents
from pipeline.models.starter import pretrain

TINY = StarterModel(
    hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, vocab_size=400, num_steps=45, batch_size=8
)
Points = list[tuple[int, int, dict[str, float]]]


def run(directory: Path, seed: int = 0, params: StarterModel = TINY) -> Points:
    points: Points = []
    pretrain(params, corpus_documents(300, 0), directory, seed, lambda *point: points.append(point))
    return points


def weights(directory: Path) -> str:
    return sha256((directory / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Points]:
    directory = tmp_path_factory.mktemp("starter")
    return directory, run(directory)


def test_same_seed_same_bits_whatever_happened_before(starter: tuple[Path, Points], tmp_path: Path) -> None:
    torch.rand(7)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        points = run(tmp_path / "again")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    assert weights(tmp_path / "again") == weights(starter[0])
    assert points == starter[1]
    assert (tmp_path / "again/tokenizer.json").read_bytes() == (starter[0] / "tokenizer.json").read_bytes()


def test_another_seed_gives_another_model(starter: tuple[Path, Points], tmp_path: Path) -> None:
    run(tmp_path, seed=1)
    assert weights(tmp_path) != weights(starter[0])


@pytest.mark.parametrize("deterministic", [False, True])
def test_torch_is_left_as_it_was(tmp_path: Path, deterministic: bool) -> None:
    found = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(deterministic)
    try:
        before = torch.get_rng_state()
        run(tmp_path, params=TINY.model_copy(update={"num_steps": 1}))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
    finally:
        torch.use_deterministic_algorithms(found)


def test_points_are_reported_and_the_loss_falls(starter: tuple[Path, Points]) -> None:
    points = starter[1]
    assert [(step, num_steps) for step, num_steps, _ in points] == [(10, 45), (20, 45), (30, 45), (40, 45), (45, 45)]
    assert points[-1][2]["train/loss"] < points[0][2]["train/loss"] - 0.5
    assert set(points[0][2]) == {"train/loss", "train/learning_rate"}


def test_the_directory_loads_as_any_base_model_does(starter: tuple[Path, Points]) -> None:
    directory, _ = starter
    model = AutoModelForCausalLM.from_pretrained(directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert model.config.model_type == "qwen3"
    assert model.config.vocab_size == len(tokenizer) <= TINY.vocab_size
    assert not list(directory.glob("*.bin"))
    stops = model.generation_config.eos_token_id
    assert stops == tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert tokenizer.eos_token_id == stops[0]


def test_llama_is_the_other_architecture(tmp_path: Path) -> None:
    run(tmp_path, params=TINY.model_copy(update={"architecture": "llama", "num_steps": 1}))
    assert AutoModelForCausalLM.from_pretrained(tmp_path).config.model_type == "llama"


def test_without_muon_the_matrices_are_trained_all_the_same(tmp_path: Path) -> None:
    points = run(tmp_path, params=TINY.model_copy(update={"muon_learning_rate": 0.0}))
    assert points[-1][2]["train/loss"] < points[0][2]["train/loss"] - 0.3


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="the corpus is empty"):
        pretrain(TINY, islice(corpus_documents(1, 0), 0), tmp_path, 0, lambda *_: None)
    assert not list(tmp_path.iterdir())
