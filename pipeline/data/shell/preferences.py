"""Preference pairs: each command of the task beside a wrong answer of a kind that a weak model really gives."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from pipeline.data.shell.intents import Intent, fill, load_intents
from pipeline.data.shell.slots import LANGUAGES, SLOTS, WORDS
from pipeline.data.shell.task import TaskRow

_SLOT = re.compile(r"\{([a-z]+\d?)\}")
_FLAG = re.compile(r"(?<= )-[A-Za-z]+(?= )")
_NUMBERS = frozenset(("count", "digit", "mode", "port"))
_LETTERS = "acdfhilnrstvxS"
_WORDS = frozenset(WORDS)
_SAME_CATEGORY = 0.7


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """One prompt with an answer that is right and one that is not."""

    prompt: str
    """What a person asks for."""
    chosen: str
    """The command."""
    rejected: str
    """A plausible mistake."""
    category: str
    """Group of intents that the row belongs to."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A row of the task taken apart, as the mistakes need it."""

    intent: Intent
    values: dict[str, str]

    def replaced(self, **values: str) -> str:
        """The command with other values in some slots."""
        return fill(self.intent.command, {**self.values, **values})


Mistake = Callable[[_Request, Random], str | None]
"""A wrong answer to a request, or None where this kind of mistake cannot be made."""


def preference_rows(rows: Sequence[TaskRow], seed: int) -> list[PreferenceRow]:
    """One pair for each row, in their order; a row's pair depends on the row and the seed alone."""
    return [PreferenceRow(row.prompt, row.completion, _rejected(row, seed), row.category) for row in rows]


def _rejected(row: TaskRow, seed: int) -> str:
    """An answer of a kind drawn among those that can go wrong here."""
    rng = Random(f"shell preferences {seed} {row.prompt}")
    request = _take_apart(row)
    for mistake in rng.sample(MISTAKES, len(MISTAKES)):
        answer = " ".join((mistake(request, rng) or "").split())
        if answer not in ("", row.completion):
            return answer
    raise ValueError(f"no mistake can be made in {row.completion!r}")


def _take_apart(row: TaskRow) -> _Request:
    for intent in load_intents():
        found = _pattern(intent.command).fullmatch(row.completion) if intent.category == row.category else None
        if found:
            return _Request(intent, found.groupdict())
    raise ValueError(f"not a command of the shell task: {row.completion!r}")


@cache
def _pattern(command: str) -> re.Pattern[str]:
    parts = _SLOT.split(command)
    for position in range(1, len(parts), 2):
        value = r"\d+" if parts[position] in _NUMBERS else r"\S+"
        parts[position] = f"(?P<{parts[position]}>{value})"
    parts[::2] = map(re.escape, parts[::2])
    return re.compile("".join(parts))


def _other_name(request: _Request, rng: Random) -> str | None:
    """A name that nobody asked for."""
    return _redraw(request, rng, [slot for slot in request.values if slot not in _NUMBERS])


def _other_word(request: _Request, rng: Random) -> str | None:
    """One word of a name copied wrong."""
    found = [(slot, word) for slot, value in request.values.items() for word in re.findall("[a-z]+", value)]
    known = [(slot, word) for slot, word in found if word in _WORDS]
    if not known:
        return None
    slot, word = rng.choice(known)
    return request.replaced(**{slot: request.values[slot].replace(word, rng.choice(WORDS))})


def _other_number(request: _Request, rng: Random) -> str | None:
    """Another count, column, mode or port."""
    return _redraw(request, rng, [slot for slot in request.values if slot in _NUMBERS])


def _other_ending(request: _Request, rng: Random) -> str | None:
    """The right name with the ending of another file."""
    dotted = [slot for slot in request.values if slot in ("file", "file2", "url", "archive", "zipfile")]
    if not dotted:
        return None
    slot = rng.choice(dotted)
    return request.replaced(**{slot: f"{request.values[slot].rpartition('.')[0]}.{rng.choice(tuple(LANGUAGES))}"})


def _cut_name(request: _Request, rng: Random) -> str | None:
    """A name without its ending, its second word or its folder."""
    shorter = {slot: re.sub(r"(?<=.)[./_-][^./_-]*$", "", value) for slot, value in request.values.items()}
    changed = [slot for slot in shorter if shorter[slot] != request.values[slot]]
    if not changed:
        return None
    slot = rng.choice(changed)
    return request.replaced(**{slot: shorter[slot]})


def _swapped_names(request: _Request, rng: Random) -> str | None:
    """Two names in each other's place."""
    names = [slot for slot in request.values if slot not in _NUMBERS]
    if len(names) < 2:
        return None
    first, second = rng.sample(names, 2)
    return request.replaced(**{first: request.values[second], second: request.values[first]})


def _same_name_twice(request: _Request, rng: Random) -> str | None:
    """One value in the place of another as well."""
    if len(request.values) < 2:
        return None
    lost, kept = rng.sample(tuple(request.values), 2)
    return request.replaced(**{lost: request.values[kept]})


def _other_flag(request: _Request, rng: Random) -> str | None:
    """A flag left out or with a wrong letter."""
    flags = list(_FLAG.finditer(request.intent.command))
    if not flags:
        return None
    flag = rng.choice(flags)
    wrong = "" if rng.random() < 0.5 else flag[0][:-1] + rng.choice(_LETTERS)
    command = request.intent.command
    return fill(command[: flag.start()] + wrong + command[flag.end() :], request.values)


def _other_intent(request: _Request, rng: Random) -> str | None:
    """The values in a command that does something else."""
    near = rng.random() < _SAME_CATEGORY
    others = [
        intent
        for intent in load_intents()
        if intent != request.intent and (intent.category == request.intent.category or not near)
    ]
    other = rng.choice(others)
    return fill(other.command, {**other.draw_values(rng), **request.values})


def _missing_argument(request: _Request, rng: Random) -> str | None:
    """Nothing where a value belongs."""
    return request.replaced(**{rng.choice(tuple(request.values)): ""})


def _repeated_text(request: _Request, rng: Random) -> str | None:
    """An end that comes twice."""
    command = request.replaced()
    last = command.split()[-1]
    return command + rng.choice((f" {last}", f"/{re.split('[/:]', last)[-1]}", f" {command}"))


def _unfinished(request: _Request, rng: Random) -> str | None:
    """The beginning of the command, or that of one and the end of another."""
    words = request.replaced().split()
    start = words[: rng.randint(1, max(1, len(words) - 1))]
    other = (_other_intent(request, rng) or "").split()
    return " ".join(start + (other[len(start) :] if rng.random() < 0.5 else []))


def _chatter(request: _Request, rng: Random) -> str | None:
    """Words about the request, instead of the command or around it."""
    command, note = request.replaced(), fill(rng.choice(request.intent.notes), _all_values(request, rng))
    return rng.choice((f"you mean: {note}", f"you mean: {command}", f"{command} # {note}", note))


def _redraw(request: _Request, rng: Random, slots: Sequence[str]) -> str | None:
    if not slots:
        return None
    slot = rng.choice(slots)
    return request.replaced(**{slot: SLOTS[slot.rstrip("2")](rng)})


def _all_values(request: _Request, rng: Random) -> dict[str, str]:
    """Notes may have slots that the command lacks."""
    return {**request.intent.draw_values(rng), **request.values}


MISTAKES: tuple[Mistake, ...] = (
    _other_name,
    _other_word,
    _other_number,
    _other_ending,
    _cut_name,
    _swapped_names,
    _same_name_twice,
    _other_flag,
    _other_intent,
    _missing_argument,
    _repeated_text,
    _unfinished,
    _chatter,
)
"""The kinds of mistakes, each as likely as the others where it can be made."""
