"""The starter's tokenizer: byte-level BPE that spells a word alike wherever it stands."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pipeline.models.chatml import CHAT_TEMPLATE, TURN_END, TURN_START

PAD = "<|pad|>"
DOCUMENT_END = "<|endoftext|>"
MAX_LENGTH = 1024
_SPECIAL_TOKENS = (PAD, DOCUMENT_END, TURN_START, TURN_END)


def train_tokenizer(documents: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Learn a vocabulary of at most `vocab_size` tokens, special tokens included."""
    bpe = Tokenizer(models.BPE())
    # A space is a token of its own, so a word to be copied has the same tokens after a space, a slash or a quote.
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(" "), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(_SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator((_without_specials(document) for document in documents), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=TURN_END,
        additional_special_tokens=[DOCUMENT_END, TURN_START],
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _without_specials(document: str) -> str:
    """Special tokens are in the vocabulary already; merges learned from their spelling would be wasted."""
    for token in _SPECIAL_TOKENS:
        document = document.replace(token, "")
    return document
