"""The starter's tokenizer: lossless, word-aligned, with ChatML and generation markers."""

import pytest
from transformers import BatchEncoding, PreTrainedTokenizerFast

from pipeline.data.shell import corpus_documents
from pipeline.models.chatml import render
from pipeline.models.starter_tokenizer import train_tokenizer

TURNS = [("system", "Be brief."), ("user", "list src"), ("assistant", "ls src")]
MESSAGES = [{"role": role, "content": text} for role, text in TURNS]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(corpus_documents(2_000, 0), 700)


@pytest.mark.parametrize("text", ["find src -name '*.py'", "a  b\t\n c ", "Grüße, 世界 🦊", "x = 1_000.5e-3", "", " "])
def test_any_text_survives(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_word_has_the_same_tokens_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    word = tokenizer("walnut")["input_ids"]
    for text, before in (("in walnut", "in "), ("src/walnut", "src/"), ("'walnut", "'")):
        assert tokenizer(text)["input_ids"] == tokenizer(before)["input_ids"] + word


def test_the_vocabulary_has_its_size_and_no_merge_of_special_tokens(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert len(tokenizer) == 700
    assert not [token for token in tokenizer.get_vocab() if "im_" in token and not token.startswith("<|im_")]
    assert len({tokenizer.pad_token_id, tokenizer.eos_token_id}) == 2


def test_the_template_says_what_the_corpus_says(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.apply_chat_template(MESSAGES, tokenize=False) == render(TURNS)
    prompt = tokenizer.apply_chat_template(MESSAGES[:2], tokenize=False, add_generation_prompt=True)
    assert isinstance(prompt, str)
    assert render(TURNS).removeprefix(prompt) == "ls src<|im_end|>\n"


def test_generation_markers_cover_the_answer_and_its_end(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = tokenizer.apply_chat_template(MESSAGES, return_dict=True, return_assistant_tokens_mask=True)
    assert isinstance(encoded, BatchEncoding)
    said = [token for token, mine in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mine]
    assert tokenizer.decode(said) == "ls src<|im_end|>"
