"""Builds Git + DVC projects in milliseconds, with history as DVC and finetui store it, without starting either."""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pygit2

from tui.core.runs import Run

TEMPLATE = Path(__file__).resolve().parents[2]
"""The repository itself: its dvc.yaml and params.yaml are the template of every project."""
START = 1_700_000_000
Content = str | bytes | Mapping[str, Any]


def encode(content: Content) -> bytes:
    """Bytes of a file; a mapping becomes JSON."""
    if isinstance(content, Mapping):
        return json.dumps(content).encode()
    return content.encode() if isinstance(content, str) else content


class RepoBuilder:
    """A project with a work tree, whose commits are written straight into the object database."""

    def __init__(self, root: Path, prefix: str = "") -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.git_root, self.root, self.prefix = root, root / prefix, prefix
        self.repository = pygit2.init_repository(str(root), initial_head="main")
        (self.root / ".dvc").mkdir(parents=True)
        (self.root / ".dvc" / "config").write_text("")
        self.clock = START

    def signature(self) -> pygit2.Signature:
        """Every commit is a minute later than the one before."""
        self.clock += 60
        return pygit2.Signature("somebody", "somebody@example.com", self.clock, 60)

    def commit(self, files: Mapping[str, Content | None], message: str = "a commit", branch: str = "main") -> str:
        """A commit on a branch: the files of the one before, with these changed or, where None, removed."""
        ref = f"refs/heads/{branch}"
        known = ref in self.repository.references
        parents = [str(self.repository.references[ref].target)] if known else []
        return self._write(parents, files, message, ref)

    def experiment(
        self, name: str, baseline: str, files: Mapping[str, Content | None], message: str = "dvc: commit experiment 0"
    ) -> str:
        """An experiment: one commit on top of its baseline, under refs/exps."""
        return self._write([baseline], files, message, f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}")

    def _write(self, parents: Sequence[str], files: Mapping[str, Content | None], message: str, ref: str) -> str:
        index = pygit2.Index()
        if parents:
            index.read_tree(self.repository[parents[0]].tree)
        for path, content in files.items():
            if content is None:
                index.remove(self._inside(path))
            else:
                blob = self.repository.create_blob(encode(content))
                index.add(pygit2.IndexEntry(self._inside(path), blob, pygit2.enums.FileMode.BLOB))
        tree = index.write_tree(self.repository)
        author = self.signature()
        rev = self.repository.create_commit(None, author, author, message, tree, list(parents))
        self.repository.references.create(ref, rev, force=True)
        return str(rev)

    def _inside(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def checkout(self) -> None:
        """Make the work tree and the index those of HEAD."""
        self.repository.reset(self.repository.head.target, pygit2.enums.ResetMode.HARD)

    def write(self, files: Mapping[str, Content], root: Path | None = None) -> None:
        """Write files into the work tree."""
        for path, content in files.items():
            target = (root or self.root) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(encode(content))

    def cache(self, content: bytes, suffix: str = "") -> str:
        """Put content into the DVC cache; its md5."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        place = self.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return md5

    def cache_folder(self, files: Mapping[str, bytes]) -> str:
        """Put a folder into the DVC cache; its md5."""
        listing = [{"md5": self.cache(content), "relpath": path} for path, content in sorted(files.items())]
        return self.cache(json.dumps(listing).encode(), ".dir")


def lock(stages: Mapping[str, Mapping[str, str]]) -> str:
    """A dvc.lock, laid out as DVC does, of stages with outputs path -> md5."""
    lines = ["schema: '2.0'", "stages:"]
    for stage, outs in stages.items():
        lines += [f"  {stage}:", f"    cmd: python {stage}.py", "    deps:", "    - path: code.py", "      hash: md5"]
        lines += [
            f"      md5: {'a' * 32}",
            "      size: 10",
            "    params:",
            "      params.yaml:",
            "        train.lr: 0.1",
        ]
        lines += ["    outs:"]
        for path, md5 in outs.items():
            lines += [f"    - path: {path}", "      hash: md5", f"      md5: {md5}", "      size: 20"]
    return "\n".join(lines) + "\n"


def finetui_params(**train: Any) -> str:
    """params.yaml of the template, with other values in its train section."""
    lines, inside = [], False
    for line in (TEMPLATE / "params.yaml").read_text(encoding="utf-8").splitlines():
        inside = line.startswith("train:") or (inside and line.startswith(" "))
        key = line.strip().partition(":")[0]
        depth = len(line) - len(line.lstrip())
        lines.append(f"{line[:depth]}{key}: {train[key]}" if inside and key in train else line)
    return "\n".join(lines) + "\n"


def finetui_results(seed: int, num_points: int = 20) -> dict[str, Content]:
    """Metrics, series and run records of one experiment, with the numbers that a run would write."""
    rng = random.Random(seed)
    exact, loss = round(rng.uniform(0.2, 0.95), 4), round(rng.uniform(0.1, 2.0), 6)
    rows = [f"{step},{step * 0.1:.3f},{loss + 3 / (step + 1):.6f}," for step in range(0, num_points * 5, 5)]
    rows.append(f"{num_points * 5},{num_points * 0.5:.3f},,{loss}")
    table = "\n".join(["step,time_s,train/loss,validation/loss", *rows]) + "\n"
    files: dict[str, Content] = {
        "data/metrics/train/metrics.json": {
            "train/loss": loss + 0.01,
            "validation/loss": loss,
            "num_trainable_parameters": 4096,
        },
        "data/metrics/train/resources.json": {
            "duration_s": rng.uniform(10, 20),
            "peak_memory_bytes": rng.randrange(10**9),
        },
        "data/metrics/train/series.csv": table,
        "data/metrics/evaluate/metrics.json": {"test/exact_match": exact, "test/loss": loss, "base/exact_match": 0.02},
        "data/metrics/evaluate/resources.json": {
            "duration_s": rng.uniform(1, 2),
            "tokens_per_second": rng.uniform(1, 9e3),
        },
    }
    for stage in ("train", "evaluate"):
        files[f"data/metrics/{stage}/run.json"] = {
            "stage": stage,
            "status": "done",
            "started_at": f"2024-01-01T00:00:{seed % 60:02}",
        }
    return files


def finetui_project(root: Path, num_experiments: int = 0, num_commits: int = 1) -> RepoBuilder:
    """A finetui project whose last commit has experiments of several methods, some failed or cancelled."""
    builder = RepoBuilder(root)
    for number in range(num_commits):
        pipeline = (TEMPLATE / "dvc.yaml").read_text(encoding="utf-8")
        files: dict[str, Content] = {
            "dvc.yaml": pipeline,
            "params.yaml": finetui_params(seed=number),
            "README.md": "text\n",
        }
        baseline = builder.commit({**files, **finetui_results(number)}, f"baseline {number}")
    for number in range(num_experiments):
        add_experiment(builder, baseline, number)
    builder.checkout()
    return builder


def add_experiment(builder: RepoBuilder, baseline: str, number: int) -> str:
    """One finished experiment, different from every other number's."""
    method: dict[str, Any] = [
        {"peft": "lora", "r": 4 + number % 60},
        {"peft": "prompt_tuning", "num_virtual_tokens": 4 + number % 28},
        {"peft": "none"},
    ][number % 3]
    params = finetui_params(seed=number, learning_rate=f"{(number % 97 + 1) * 1.0e-5:.6e}", **method)
    files: dict[str, Content] = {"params.yaml": params, **finetui_results(1000 + number)}
    return builder.experiment(
        f"exp-{number:04}", baseline, files, f"an experiment\n\nFinetui-Status: done\nFinetui-Run: run-{number}\n"
    )


def make_run(builder: RepoBuilder, baseline: str, **changes: Any) -> Run:
    """A run as the runner reports it, whose clone is a folder beside the project."""
    run = Run(
        id="r1",
        name="live-one",
        status="running",
        baseline=baseline,
        snapshot=baseline,
        started_at=datetime.fromtimestamp(START + 10**6, UTC),
        directory=builder.git_root / ".dvc/tmp/finetui/runs/r1/clone",
        log=builder.git_root / ".dvc/tmp/finetui/runs/r1/run.log",
    )
    return replace(run, **changes)
