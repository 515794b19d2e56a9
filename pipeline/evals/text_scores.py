"""Scores of one answer against its reference, as pure functions of two texts."""

import unicodedata
from collections.abc import Sequence

from sacrebleu.metrics.chrf import CHRF
from torchmetrics.functional.text.rouge import rouge_score

_THOUGHTS_START, _THOUGHTS_END = "<think>", "</think>"


def normalise(text: str) -> str:
    r"""Unicode NFC, no space at the ends, every run of whitespace one space; case and punctuation stay.

    >>> normalise("  find .\t-name\n 'A b' ")
    "find . -name 'A b'"
    >>> normalise("cafe\u0301") == "caf\u00e9"
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def final_answer(text: str) -> str:
    r"""What is left of an answer without the thoughts that a reasoning model opens it with.

    >>> final_answer("<think>\n\n</think>\n\nls -a")
    'ls -a'
    >>> final_answer("echo '</think>'")
    "echo '</think>'"
    """
    if not text.lstrip().startswith(_THOUGHTS_START):
        return text
    thoughts, end, answer = text.partition(_THOUGHTS_END)
    return answer.lstrip() if end else thoughts


def exact_match(answer: str, reference: str) -> bool:
    """Whether both are equal after normalisation.

    >>> exact_match("ls  -a ", "ls -a"), exact_match("ls -A", "ls -a")
    (True, False)
    """
    return normalise(answer) == normalise(reference)


def chrf(answer: str, reference: str) -> float:
    """Sentence-level chrF2 of sacrebleu, 0 to 100: character n-grams up to 6, case kept, whitespace ignored.

    >>> chrf("ls -a", "ls -a"), chrf("ls -a", "tv")
    (100.0, 0.0)
    """
    return float(CHRF().sentence_score(normalise(answer), [normalise(reference)]).score)


def corpus_chrf(answers: Sequence[str], references: Sequence[str]) -> float:
    """Corpus-level chrF2, 0 to 100: n-gram counts are summed over all answers first.

    >>> corpus_chrf(["ls -a", "pwd"], ["ls -a", "pwd"])
    100.0
    """
    texts = [normalise(answer) for answer in answers]
    return float(CHRF().corpus_score(texts, [[normalise(reference) for reference in references]]).score)


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L F1, 0 to 1, over words between whitespace, so that `-a` and `|` count; case kept, no stemming.

    >>> rouge_l("ls -a | wc", "ls -l | wc"), rouge_l("", "ls")
    (0.75, 0.0)
    """
    scores = rouge_score(answer, reference, rouge_keys="rougeL", tokenizer=_words, normalizer=normalise)
    # torchmetrics computes in float32; more digits than it has would be noise.
    return round(float(scores["rougeL_fmeasure"]), 6)


def _words(text: str) -> list[str]:
    return text.split()
