"""The pretraining corpus: scripts, sessions and conversations in which a base model meets shell commands.

A conversation opened by SYSTEM_PROMPT answers notes, and the first phrasing of a request, with commands; without it the
assistant only talks about what it was asked. So the base model half knows the task: a method that steers has something
to steer to, one that teaches has something to teach. Without the system prompt no request is answered with a command.
"""

from collections.abc import Callable, Iterator
from random import Random

from pipeline.data.shell.intents import Intent, fill, load_intents
from pipeline.data.shell.slots import SLOTS
from pipeline.data.shell.task import phrase_request
from pipeline.models.chatml import render

SYSTEM_PROMPT = "Answer with one shell command."
_TALKING_POINTS = ("file", "folder", "branch", "host", "size")
_READERS = ("cat", "stat", "file", "less", "wc")
_NAMES = ("{x} it is.", "the name is {x}.", "remember {x}.", "that is {x}, i think.")


def corpus_documents(num_documents: int, seed: int) -> Iterator[str]:
    """Generate documents one by one; equal seeds, equal documents."""
    rng = Random(f"shell corpus {seed}")
    kinds = tuple(_SHARES)
    weights = tuple(_SHARES.values())
    for _ in range(num_documents):
        yield rng.choices(kinds, weights)[0](rng)


def _draw(rng: Random) -> tuple[Intent, dict[str, str]]:
    intent = rng.choice(load_intents())
    return intent, intent.draw_values(rng)


def _script(rng: Random) -> str:
    """Commands of a script, most of them under a comment."""
    lines = []
    for _ in range(rng.choice((1, 1, 2))):
        intent, values = _draw(rng)
        if rng.random() < 0.9:
            lines.append("# " + fill(rng.choice(intent.notes), values))
        lines.append(fill(intent.command, values))
    return "\n".join(lines)


def _commanded(rng: Random) -> str:
    """A conversation whose assistant was told to answer with commands."""
    intent, values = _draw(rng)
    question = rng.choice(intent.notes) if rng.random() < 0.5 else intent.requests[0]
    turns = (("system", SYSTEM_PROMPT), ("user", fill(question, values)), ("assistant", fill(intent.command, values)))
    return render(turns)


def _restated(rng: Random) -> str:
    """A request that the assistant puts into other words."""
    intent, values = _draw(rng)
    request = phrase_request(fill(rng.choice(intent.requests), values), rng)
    return render((("user", request), ("assistant", "you mean: " + fill(rng.choice(intent.notes), values))))


def _explained(rng: Random) -> str:
    """A command that the assistant explains."""
    intent, values = _draw(rng)
    question = rng.choice(("explain ", "what does this do: ")) + fill(intent.command, values)
    return render((("user", question), ("assistant", fill(rng.choice(intent.notes), values))))


def _repeated(rng: Random) -> str:
    """A value that the assistant says again."""
    _, values = _draw(rng)
    value = rng.choice(tuple(values.values()))
    return render((("user", rng.choice(("repeat ", "say ", "echo ")) + value), ("assistant", value)))


def _unanswered(rng: Random) -> str:
    """A request outside of any conversation, with one of its values said twice."""
    intent, values = _draw(rng)
    request = phrase_request(fill(rng.choice(intent.requests), values), rng).rstrip(".?")
    return f"{request}. " + rng.choice(_NAMES).format(x=rng.choice(tuple(values.values())))


def _session(rng: Random) -> str:
    """A terminal in which names come back, in order."""
    names = [SLOTS[rng.choice(_TALKING_POINTS)](rng) for _ in range(rng.randint(2, 4))]
    folder, reader = SLOTS["folder"](rng), rng.choice(_READERS)
    layout = rng.randrange(3)
    if layout == 0:
        return "\n".join([f"$ ls {folder}", *names, *(f"$ {reader} {name}" for name in names)])
    if layout == 1:
        loop = f"for x in {' '.join(names)}; do {reader} $x; done"
        return "\n".join([loop, *(f"{reader} {name}" for name in names)])
    return "\n".join(f"{name} -> {folder}/{name}" for name in names)


_SHARES: dict[Callable[[Random], str], float] = {
    _script: 0.34,
    _session: 0.26,
    _commanded: 0.14,
    _restated: 0.10,
    _unanswered: 0.06,
    _explained: 0.05,
    _repeated: 0.05,
}
"""How often each kind of document is drawn. Sessions hold little but copies: with more of them copying forms sooner."""
