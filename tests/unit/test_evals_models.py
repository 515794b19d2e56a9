"""Likelihood and generation on tiny random models, against the plain way of computing them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_project
import torch

from pipeline.contract.manifest import Manifest
from pipeline.contract.params import Base, Evaluate
from pipeline.contract.paths import split_file
from pipeline.evals.encoding import EncodedExample, encode_example
from pipeline.evals.examples import read_examples
from pipeline.evals.likelihood import likelihoods
from pipeline.evals.measure import decoding_of, measure
from pipeline.models.chat import encode_prompt, stop_token_id
from pipeline.models.generation import generate
from pipeline.models.inputs import bare_model
from pipeline.models.loading import LoadedModel, load_model

CPU = torch.device("cpu")
METHODS: dict[str, Callable[[Manifest], Manifest]] = {
    "base": tiny_project.write_untouched,
    "lora": tiny_project.write_lora,
    "ia3": tiny_project.write_ia3,
    "prompt_tuning": tiny_project.write_prompt_tuning,
    "prefix_tuning": tiny_project.write_prefix_tuning,
    "p_tuning": tiny_project.write_p_tuning,
}
PAD = 0


@pytest.fixture(scope="module", params=list(METHODS))
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedModel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp(request.param))
        tiny_project.write_test_split()
        yield load_model(METHODS[request.param](tiny_project.write_base()), Base(), CPU)


def encoded_examples(loaded: LoadedModel) -> list[EncodedExample]:
    stop_id = stop_token_id(loaded.tokenizer)
    return [encode_example(loaded.tokenizer, example, stop_id) for example in read_examples(split_file("test"))]


@torch.inference_mode()
def logits_of(model: Any, ids: list[int]) -> torch.Tensor:
    """Logits of one row through peft's own forward, virtual tokens left out."""
    logits: torch.Tensor = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits[0]
    return logits[len(logits) - len(ids) :]


def plain_greedy(model: Any, ids: list[int], max_new_tokens: int, stop_ids: list[int]) -> list[int]:
    """One row, one token at a time, no cache, no padding."""
    answer: list[int] = []
    while len(answer) < max_new_tokens and (not answer or answer[-1] not in stop_ids):
        answer.append(int(logits_of(model, [*ids, *answer])[-1].argmax()))
    return answer


def test_loss_is_the_sum_over_the_completion_and_its_stop_token(loaded: LoadedModel) -> None:
    examples = encoded_examples(loaded)
    assert len({len(example.prompt_ids) for example in examples}) > 2
    for example, found in zip(examples, likelihoods(loaded.model, examples, PAD), strict=True):
        ids = example.prompt_ids + example.completion_ids
        log_probs = logits_of(loaded.model, ids).log_softmax(-1)
        places = range(len(example.prompt_ids), len(ids))
        assert found.nats == pytest.approx(-sum(float(log_probs[at - 1, ids[at]]) for at in places), rel=1e-5)
        assert found.num_first == sum(int(log_probs[at - 1].argmax()) == ids[at] for at in places)
        assert found.num_tokens == len(places)
        assert example.completion_ids[-1] == stop_token_id(loaded.tokenizer)


def test_loss_does_not_depend_on_how_rows_share_a_batch(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = encoded_examples(loaded)
    together = likelihoods(loaded.model, examples, PAD)
    monkeypatch.setattr("pipeline.evals.likelihood._MAX_NUM_LOGITS", 1)
    alone = likelihoods(loaded.model, examples, PAD)
    assert [one.nats for one in together] == pytest.approx([one.nats for one in alone], rel=1e-5)


def test_batched_answers_are_those_of_single_prompts(loaded: LoadedModel) -> None:
    prompts = [encode_prompt(loaded.tokenizer, list(row.prompt)) for row in read_examples(split_file("test"))]
    decoding = decoding_of(loaded, 12)
    expected = [plain_greedy(loaded.model, prompt, 12, decoding.stop_ids) for prompt in prompts]
    assert generate(loaded.model, prompts, decoding) == expected
    assert len({tuple(answer) for answer in expected}) > 2


def test_an_answer_ends_with_its_stop_token(loaded: LoadedModel) -> None:
    prompts = [encode_prompt(loaded.tokenizer, list(row.prompt)) for row in read_examples(split_file("test"))]
    decoding = decoding_of(loaded, 12)
    free = generate(loaded.model, prompts, decoding)
    decoding.stop_ids.append(free[0][3])
    answers = generate(loaded.model, prompts, decoding)
    assert answers[0] == free[0][: free[0].index(free[0][3]) + 1]


def test_the_models_own_sampling_defaults_stay_out_and_stay(loaded: LoadedModel) -> None:
    prompt = encode_prompt(loaded.tokenizer, [{"role": "user", "content": "disk usage"}])
    decoding = decoding_of(loaded, 12)
    before = generate(loaded.model, [prompt], decoding)
    config = bare_model(loaded.model).generation_config
    config.repetition_penalty, config.do_sample, config.temperature = 5.0, True, 9.0
    assert generate(loaded.model, [prompt], decoding) == before
    assert bare_model(loaded.model).generation_config is config
    config.repetition_penalty, config.do_sample, config.temperature = None, None, None


def test_scores_do_not_depend_on_the_batch_size(loaded: LoadedModel) -> None:
    examples = read_examples(split_file("test"))
    counts: list[int] = []
    one, many = (
        measure(loaded, examples, Evaluate(batch_size=size, max_new_tokens=8), counts.append) for size in (1, 3)
    )
    assert [score.prediction for score in one.scores] == [score.prediction for score in many.scores]
    assert counts == [1, 1, 1, 1, 1, 3, 2]
    assert [score.truncated for score in one.scores] == [score.completion_tokens == 8 for score in one.scores]


def test_examples_come_by_id_and_in_part(loaded: LoadedModel, tmp_path: Path) -> None:
    assert [example.id for example in read_examples(split_file("test"), 2)] == ["0000", "0001"]
    assert read_examples(split_file("test"))[3].category == "search"
