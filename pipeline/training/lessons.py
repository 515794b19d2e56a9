"""Which rows a student learns from, and whether text comes from the data or from the teacher."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.contract import paths
from pipeline.contract.problems import StageError
from pipeline.training.rows import read_rows
from pipeline.training.teacher_table import ANSWER, LABEL, TeacherTable

Prompts = Literal["all", "labelled"]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows as `encode_rows` takes them."""

    rows: list[dict[str, Any]]
    """Prompt and completion."""
    places: list[int]
    """Where each of them is in the teacher's table."""
    num_left_out: int
    """Prompts whose answer the teacher did not end."""


def choose_lessons(table: TeacherTable, prompts: Prompts, max_rows: int | None, *, answers_only: bool) -> Lessons:
    """Labelled rows, the first `max_rows` by id, and with `all` the other prompts with the teacher's answers.

    `answers_only` takes the teacher's answers in place of the labels, too. Answers that were cut off are left out.
    """
    rows = sorted(read_rows(paths.split_file("train")), key=lambda row: str(row["id"]))
    num_labelled = len(rows) if max_rows is None else min(max_rows, len(rows))
    labels, answers = _places(table, ANSWER), _places(table, LABEL)
    _check_complete(rows, labels)
    chosen = [(row, answers if answers_only else labels) for row in rows[:num_labelled]]
    if prompts == "all":
        chosen += [(row, answers) for row in rows[num_labelled:]]
    found = [(row, by_id[row["id"]]) for row, by_id in chosen if row["id"] in by_id]
    if not found:
        raise StageError(
            "train.distill: every answer of the teacher was cut off, so no row is left; "
            "raise teacher.max_new_tokens, or set teacher.objective to sft"
        )
    return Lessons(
        [{"prompt": row["prompt"], "completion": table.texts[place]} for row, place in found],
        [place for _, place in found],
        len(chosen) - len(found),
    )


def has_unlabelled(max_rows: int | None) -> bool:
    """Whether the training split has prompts beyond the labelled rows."""
    return max_rows is not None and max_rows < len(read_rows(paths.split_file("train")))


def _places(table: TeacherTable, but: str) -> Mapping[str, int]:
    """Row of the table by id, for all origins but one: there each id comes once."""
    return dict(_places_of(table, but))


def _places_of(table: TeacherTable, but: str) -> Iterator[tuple[str, int]]:
    pairs = zip(table.ids, table.origins, strict=True)
    return ((name, place) for place, (name, origin) in enumerate(pairs) if origin != but)


def _check_complete(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, int]) -> None:
    unknown = next((row["id"] for row in rows if row["id"] not in labels), None)
    if unknown is not None:
        raise StageError(
            f"{paths.TEACHER_DIR}: the teacher has not seen row {unknown} of {paths.split_file('train')}; "
            "run dvc repro teacher"
        )
