"""The instruction task: English in, one shell command out, right or wrong by comparison."""

from dataclasses import dataclass
from random import Random

from pipeline.contract.problems import StageError
from pipeline.data.shell.intents import Intent, fill, load_intents

OPENINGS = ("", "", "", "please ", "can you ", "i want to ", "how do i ", "i need to ", "help me ")
CLOSINGS = ("", "", "", ".", "?", " please", " for me", " now")
_QUESTION_WORDS = frozenset(("how", "is", "on", "what", "where", "which", "who"))
_ATTEMPTS_PER_ROW = 50


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One prompt with the command that answers it."""

    prompt: str
    """What a person asks for."""
    completion: str
    """The command."""
    category: str
    """Group of intents that the row belongs to."""


def task_rows(num_rows: int, seed: int) -> list[TaskRow]:
    """Generate rows with distinct prompts, as many for each category as the count allows; equal seeds, equal rows."""
    rng = Random(f"shell task {seed}")
    by_category: dict[str, list[Intent]] = {}
    for intent in load_intents():
        by_category.setdefault(intent.category, []).append(intent)
    categories = list(by_category)
    rows: dict[str, TaskRow] = {}
    for _ in range(num_rows * _ATTEMPTS_PER_ROW):
        if len(rows) == num_rows:
            break
        intent = rng.choice(by_category[categories[len(rows) % len(categories)]])
        row = _draw_row(intent, rng)
        rows.setdefault(row.prompt, row)
    else:
        raise StageError(
            f"params.yaml: prepare.num_rows is {num_rows}: the starter task has no more than {len(rows)} rows"
        )
    result = list(rows.values())
    rng.shuffle(result)
    return result


def phrase_request(request: str, rng: Random) -> str:
    """Wrap a request in the small words of a person who asks."""
    is_question = request.split(maxsplit=1)[0] in _QUESTION_WORDS
    opening = "" if is_question else rng.choice(OPENINGS)
    return opening + request + rng.choice(CLOSINGS)


def _draw_row(intent: Intent, rng: Random) -> TaskRow:
    values = intent.draw_values(rng)
    request = fill(rng.choice(intent.requests), values)
    return TaskRow(phrase_request(request, rng), fill(intent.command, values), intent.category)
