"""Combinations of teacher and student that do not work."""

from pipeline.contract.params import Params
from pipeline.contract.rules.rule import Rule


def _distills(params: Params, *levels: str) -> bool:
    return params.train.objective == "distill" and params.train.distill.level in levels


def _tokenizer_of_starter(params: Params) -> tuple[int, int, int]:
    """What decides the base starter's tokenizer."""
    starter = params.base.starter
    return starter.vocab_size, starter.num_documents, params.base.seed


def _tokenizer_of_teacher(params: Params) -> tuple[int, int, int]:
    starter = params.teacher.starter
    return starter.vocab_size, starter.num_documents, params.teacher.seed


DISTILLING_RULES = (
    Rule(
        "train.objective",
        lambda p: p.train.objective in ("distill", "teacher") and p.teacher.source == "none",
        "needs a teacher: set teacher.source to starter, a folder or a hub id",
    ),
    Rule(
        "teacher.revision",
        lambda p: p.teacher.revision is not None and p.teacher.source in ("none", "starter"),
        "only a hub id has revisions; set it to null",
    ),
    Rule(
        "train.distill.level",
        lambda p: (
            _distills(p, "logit", "on_policy")
            and p.base.source == p.teacher.source == "starter"
            and _tokenizer_of_starter(p) != _tokenizer_of_teacher(p)
        ),
        "compares probabilities token by token, and teacher and student would have different tokenizers: make "
        "vocab_size, num_documents and seed of teacher and base equal, or set it to sequence",
    ),
    Rule(
        "train.max_rows",
        lambda p: _distills(p, "sequence") and p.train.distill.prompts == "all" and p.train.max_rows is None,
        "every training row would be learned by its own label, none by the teacher's answer: give the number of rows "
        "whose labels count, or set train.distill.prompts to labelled",
    ),
    Rule(
        "train.packing",
        lambda p: p.train.packing and _distills(p, "logit", "on_policy"),
        "the teacher's probabilities are kept by row; set it to false, or train.distill.level to sequence",
    ),
)
