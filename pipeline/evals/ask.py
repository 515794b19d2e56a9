"""A program: asks several adapters on one base the same things, and prints their answers side by side.

    python -m pipeline.evals.ask [--base DIR] --adapter DIR [--adapter DIR]... [--max-new-tokens N] PROMPT...

The base is loaded once, the adapters are put beside each other on it, and one is switched on after the other.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.contract import paths
from pipeline.contract.adapters import AdapterFacts, check_same_base, read_adapter
from pipeline.contract.manifest import read_manifest
from pipeline.contract.params import Base
from pipeline.contract.problems import StageError
from pipeline.models.adapter_files import SOFT_PROMPTS
from pipeline.models.answers import answer_text
from pipeline.models.chat import encode_prompt
from pipeline.models.generation import decoding_of, generate
from pipeline.models.loading import LoadedModel, load_adapter, load_model
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import make_deterministic

_BASE = "base"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model says to one prompt."""

    prompt: str
    """The question."""
    adapter: str
    """Folder of the adapter; `base` for the model without any."""
    text: str
    """The answer."""


def main(arguments: Sequence[str]) -> int:
    """Print the answers; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evals.ask", description="Ask adapters of one base.")
    parser.add_argument("--base", type=Path, default=paths.model_dir("base"), help="model directory of the base")
    parser.add_argument("--adapter", type=Path, action="append", required=True, metavar="DIR", help="may be repeated")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="longest answer")
    parser.add_argument("--trust-remote-code", action="store_true", help="run Python code that the base brings along")
    parser.add_argument("prompts", nargs="+", metavar="PROMPT")
    given = parser.parse_args(arguments)
    quiet_libraries()
    try:
        manifest = read_manifest(given.base)
        adapters = [read_adapter(folder) for folder in given.adapter]
        check_same_base(manifest, adapters)
        make_deterministic(0, manifest.num_parameters)
        loaded = load_model(manifest, Base(trust_remote_code=given.trust_remote_code))
        answers = ask(loaded, adapters, given.prompts, given.max_new_tokens)
    except StageError as error:
        sys.stderr.write(f"ask: {error}\n")
        return 1
    sys.stdout.write(text(answers))
    return 0


def ask(
    loaded: LoadedModel, adapters: Sequence[AdapterFacts], prompts: Sequence[str], max_new_tokens: int
) -> list[Answer]:
    """Answers of the bare base and of each adapter on it, in the order of the adapters."""
    decoding = decoding_of(loaded, max_new_tokens)
    ids = [encode_prompt(loaded.tokenizer, [{"role": "user", "content": prompt}]) for prompt in prompts]
    answers = {name: generate(model, ids, decoding) for name, model in _switched(loaded.model, adapters)}
    return [
        Answer(prompt, name, answer_text(loaded.tokenizer, answer))
        for name in (_BASE, *(facts.path for facts in adapters))
        for prompt, answer in zip(prompts, answers[name], strict=True)
    ]


def text(answers: Sequence[Answer]) -> str:
    """The answers under their prompts, on one line each, without what a terminal would obey."""
    width = max(len(answer.adapter) for answer in answers)
    lines = []
    for prompt in dict.fromkeys(answer.prompt for answer in answers):
        lines.append(f"> {_printable(prompt)}")
        own = [answer for answer in answers if answer.prompt == prompt]
        lines += [f"  {answer.adapter.ljust(width)}  {_printable(answer.text)}" for answer in own]
    return "\n".join(lines) + "\n"


def _switched(base: Any, adapters: Sequence[AdapterFacts]) -> Iterator[tuple[str, Any]]:
    """The base, then the base with one adapter after the other switched on; peft holds those of one method together."""
    yield _BASE, base
    for method in dict.fromkeys(facts.method for facts in adapters):
        group = {facts.path: f"adapter_{number:03}" for number, facts in enumerate(adapters) if facts.method == method}
        model = base
        for path, name in group.items():
            model = load_adapter(model, Path(path), name)
        for path, name in group.items():
            model.set_adapter(name)
            yield path, model.eval()
        if method not in SOFT_PROMPTS:
            model.unload()


def _printable(value: str) -> str:
    """Escapes instead of control characters.

    >>> _printable("a\\n\\x1b[2J\u00e9")
    'a\\\\n\\\\x1b[2J\u00e9'
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
