"""Makes a tokenizer fit for chat: a template, a pad token that needs no new embedding, a neutral saved form."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from pipeline.contract.problems import StageError

# Plain words and line breaks: any tokenizer can write them; the stop token is the one that the base model knows.
_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- message['role'] | capitalize + ':\\n' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{%- generation -%}{{- message['content'] + eos_token -}}{%- endgeneration -%}"
    "{%- else -%}{{- message['content'] -}}{%- endif -%}"
    "{{- '\\n\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'Assistant:\\n' -}}{%- endif -%}"
)
_BEGIN = "{{- bos_token -}}"
_PAD_TOKENS = ("<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|reserved_special_token_0|>")
# What from_pretrained was called with; it says nothing of the tokenizer.
_CALL_OPTIONS = ("is_local", "local_files_only", "name_or_path", "trust_remote_code", "padding_side")


def fit_for_chat(tokenizer: PreTrainedTokenizerBase, template: str | None) -> None:
    """Give the tokenizer a chat template and a pad token where it lacks them; `template` replaces its own."""
    if template is not None:
        tokenizer.chat_template = template
    elif not tokenizer.chat_template:
        tokenizer.chat_template = default_template(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = _pad_token(tokenizer)


def default_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """Chat template for a base model without one; opens with the begin token where the tokenizer itself adds it."""
    if tokenizer.eos_token is None:
        raise StageError(
            "base.source: the tokenizer has neither a chat template nor an end-of-sequence token, so no answer could "
            "end; give a template that ends the assistant's turn with base.chat_template"
        )
    adds_begin = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    return (_BEGIN if adds_begin else "") + _TEMPLATE


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    """Save the tokenizer so that equal tokenizers give equal files."""
    for name in _CALL_OPTIONS:
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(directory)


def _pad_token(tokenizer: PreTrainedTokenizerBase) -> str:
    """Token of the vocabulary: a new one would need a new embedding; batches are masked by position, not by id."""
    vocabulary = tokenizer.get_vocab()
    for token in (*_PAD_TOKENS, tokenizer.unk_token, tokenizer.eos_token):
        if token is not None and token in vocabulary:
            return str(token)
    raise StageError("base.source: the tokenizer has no token that could pad a batch (pad, unk or eos)")
