"""Distillation: a student learns a teacher's answers, its probabilities of every token, or those on its own answers."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from pipeline.contract import paths
from pipeline.contract.manifest import Manifest, read_manifest
from pipeline.contract.params import Base, Train
from pipeline.contract.problems import StageError
from pipeline.models.loading import load_model, load_tokenizer
from pipeline.training.job import Job, Trained
from pipeline.training.lessons import Lessons, choose_lessons, has_unlabelled
from pipeline.training.logit_trainer import PLACE, LogitTrainer
from pipeline.training.on_policy_trainer import OnPolicyTrainer
from pipeline.training.rows import IGNORED, EncodedSplit, encode_rows
from pipeline.training.sft import Lesson, fine_tune
from pipeline.training.teacher_table import Facts, TeacherTable, hash_vocabulary, read_teacher

Encode = Callable[[PreTrainedTokenizerBase, int], EncodedSplit]
_METRICS = ("divergence", "agreement")
_ON_POLICY_METRICS = (*_METRICS, "completion_tokens")


def distil(job: Job, params: Train, start: Manifest, base: Base) -> Trained:
    """Train a student on what the teacher stage has left."""
    learn = {"sequence": _by_sequence, "logit": _by_logit, "on_policy": _on_policy}[params.distill.level]
    return learn(job, params, start, base)


def _by_sequence(job: Job, params: Train, start: Manifest, base: Base) -> Trained:
    """Plain cross-entropy on the teacher's answers."""
    labelled_only = params.distill.prompts == "labelled"
    if not labelled_only and not has_unlabelled(params.max_rows):
        raise StageError(
            "train.distill.prompts is 'all': every prompt has its label (train.max_rows), so nothing of the teacher "
            "would be learned; lower train.max_rows, or set it to labelled, or train.distill.level to logit"
        )
    table = read_teacher(with_scores=False)
    lessons = choose_lessons(table, params.distill.prompts, params.max_rows, answers_only=labelled_only)
    return fine_tune(job, params, start, base, Lesson(partial(_encode, job, lessons)))


def _by_logit(job: Job, params: Train, start: Manifest, base: Base) -> Trained:
    """Cross-entropy mixed with the divergence from the teacher's kept probabilities."""
    table, lessons, encode = _token_lessons(job, params)
    lesson = Lesson(
        encode,
        partial(LogitTrainer, table=table, distill=params.distill),
        lambda rows: {PLACE: [lessons.places[number] for number in rows.numbers]},
        {name: f"{job.stage}/{name}" for name in _METRICS},
    )
    return fine_tune(job, params, start, base, lesson)


def _on_policy(job: Job, params: Train, start: Manifest, base: Base) -> Trained:
    """Cross-entropy mixed with the divergence from the live teacher on the student's own answers."""
    table, _, encode = _token_lessons(job, params)
    check_vocabulary(table.facts, load_tokenizer(Path(start.tokenizer), base.trust_remote_code))
    teacher = load_model(read_manifest(paths.model_dir("teacher")), base.model_copy(update={"dtype": "auto"}))
    teacher.model.requires_grad_(False)
    lesson = Lesson(
        encode,
        partial(OnPolicyTrainer, teacher=teacher, facts=table.facts, distill=params.distill),
        metrics={name: f"{job.stage}/{name}" for name in _ON_POLICY_METRICS},
    )
    return fine_tune(job, params, start, base, lesson)


def _token_lessons(job: Job, params: Train) -> tuple[TeacherTable, Lessons, Encode]:
    """Rows whose tokens teacher and student read alike, and how they are encoded."""
    table = read_teacher(with_scores=True)
    lessons = choose_lessons(table, params.distill.prompts, params.max_rows, answers_only=False)

    def encode(tokenizer: PreTrainedTokenizerBase, limit: int) -> EncodedSplit:
        check_vocabulary(table.facts, tokenizer)
        rows = _encode(job, lessons, tokenizer, limit)
        _check_tokens(table, lessons, rows)
        return rows

    return table, lessons, encode


def check_vocabulary(facts: Facts, tokenizer: PreTrainedTokenizerBase) -> None:
    """StageError where a token id means one thing to the teacher and another one to the student."""
    if hash_vocabulary(tokenizer) != facts.vocabulary_sha256:
        raise StageError(
            f"train.distill.level: compares probabilities token by token, and the teacher ({facts.source}) has another "
            "vocabulary than the base model; set it to sequence, which works with any teacher"
        )


def _encode(job: Job, lessons: Lessons, tokenizer: PreTrainedTokenizerBase, limit: int) -> EncodedSplit:
    if lessons.num_left_out:
        sys.stdout.write(
            f"{job.stage}: {lessons.num_left_out} prompts left out, as the teacher's answer did not end within "
            "teacher.max_new_tokens\n"
        )
    return encode_rows(lessons.rows, paths.split_file("train").as_posix(), tokenizer, limit, job.section)


def _check_tokens(table: TeacherTable, lessons: Lessons, rows: EncodedSplit) -> None:
    """The teacher's lines belong to the tokens that the student learns; another template may end answers otherwise."""
    for number, labels in zip(rows.numbers, rows.labels, strict=True):
        own = [label for label in labels if label != IGNORED]
        if table.token_ids(lessons.places[number])[: len(own)] != own:
            raise StageError(
                "train.distill.level: the teacher's chat template writes answers in other tokens than the student's; "
                "set base.chat_template to the teacher's, or the level to sequence"
            )
