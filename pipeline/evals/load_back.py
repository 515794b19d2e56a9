"""Asks an exported model in a fresh process."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from safetensors.torch import load_file

import pipeline
from pipeline.contract.problems import StageError
from pipeline.evals.parity import ProbeAnswer, Prompt
from pipeline.evals.probe import LOGITS

_PACKAGES = Path(pipeline.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What the fresh process is asked."""

    prompts: Sequence[Prompt]
    """Prompts to answer."""
    max_new_tokens: int
    """Longest answer."""
    device: str
    """Where to compute."""
    trust_remote_code: bool
    """Whether the model may run Python code of its own."""
    num_parameters: int
    """Size of the model, which decides the number of threads."""


def ask_export(directory: Path, request: ProbeRequest, on_answer: Callable[[], None]) -> list[ProbeAnswer]:
    """Answers of the export; the process runs inside its folder and offline, so that it finds nothing else."""
    with tempfile.TemporaryDirectory() as scratch:
        logits_file = Path(scratch) / "logits.safetensors"
        text = json.dumps(asdict(request) | {"logits": str(logits_file)})
        lines = _run(directory, text, Path(scratch), on_answer)
        answers = [json.loads(line) for line in lines]
        logits = load_file(logits_file)[LOGITS]
    return [ProbeAnswer(**answer, logits=row) for answer, row in zip(answers, logits, strict=True)]


def _run(directory: Path, request: str, scratch: Path, on_answer: Callable[[], None]) -> list[str]:
    request_file, errors_file = scratch / "request.json", scratch / "errors.txt"
    request_file.write_text(request, encoding="utf-8")
    with request_file.open() as stdin, errors_file.open("w") as stderr, _start(directory, stdin, stderr) as process:
        try:
            lines = _read_lines(process, on_answer)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise StageError(
            f"{directory}: the exported model does not load or answer in a fresh process "
            f"(exit code {process.returncode}): {_reason(errors_file.read_text(errors='replace'))}"
        )
    return lines


def _start(directory: Path, stdin: IO[str], stderr: IO[str]) -> subprocess.Popen[str]:
    search = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": search, "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.evals.probe", "."],
        cwd=directory,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def _read_lines(process: subprocess.Popen[str], on_answer: Callable[[], None]) -> list[str]:
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        on_answer()
    return lines


def _reason(stderr: str) -> str:
    """First line of the error that ended the process: what follows the last traceback's frames."""
    lines = stderr[max(0, stderr.rfind("Traceback (most recent")) :].strip().splitlines()
    told = [line for line in lines[1:] if line.strip() and not line.startswith(" ")] or lines[-1:]
    return told[0] if told else "no message"
