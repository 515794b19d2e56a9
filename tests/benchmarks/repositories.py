"""Makes DVC repositories with any number of experiments: one real `dvc repro` per commit, the rest by fast-import."""

import copy
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks import recipe

_WHO = "somebody <somebody@example.com>"
_RAW = "".join(f"sample-{number}\n" for number in range(20))


def environment() -> dict[str, str]:
    """Variables for git and dvc: nothing leaves the machine, and both are those of this interpreter."""
    names = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _identity()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **names, "PATH": path, "DVC_NO_ANALYTICS": "1", "CI": "true"}


def _identity() -> Iterator[tuple[str, str]]:
    name, _, address = _WHO.partition(" <")
    yield from (("NAME", name), ("EMAIL", address.rstrip(">")))


def run(root: Path, *command: str, text: bytes | None = None) -> str:
    """Output of a command in a repository; CalledProcessError with its messages if it fails."""
    done = subprocess.run(command, cwd=root, env=environment(), input=text, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def make_repository(root: Path, num_experiments: int, num_commits: int = 3, *, is_packed: bool = False) -> str:
    """A repository of its own in an empty folder; SHA of the commit that its experiments start from.

    DVC leaves loose objects behind, eight an experiment; packed ones are made far faster.
    """
    root.mkdir(parents=True)
    run(root, "git", "init", "-q", "-b", "main")
    run(root, "dvc", "init", "-q")
    (root / "data").mkdir()
    (root / "data/raw.txt").write_text(_RAW)
    (root / "dvc.yaml").write_text(recipe.PIPELINE)
    (root / "recipe.py").write_text(Path(recipe.__file__).read_text(encoding="utf-8"))
    for number in range(num_commits):
        params = copy.deepcopy(recipe.PARAMS)
        params["train"]["warmup"] = round(0.03 + 0.001 * number, 4)
        (root / "params.yaml").write_text(_dump(params))
        run(root, "dvc", "repro", "-q")
        run(root, "git", "add", "-A")
        run(root, "git", "commit", "-q", "-m", f"baseline {number}")
    baseline = run(root, "git", "rev-parse", "HEAD").strip()
    add_experiments(root, baseline, 0, num_experiments, is_packed=is_packed)
    return baseline


def add_experiments(root: Path, baseline: str, start: int, count: int, *, is_packed: bool = False) -> None:
    """Finished experiments with the numbers from `start` on, as `dvc exp run` would have stored them."""
    lock = yaml.safe_load(run(root, "git", "show", f"{baseline}:dvc.lock"))
    params = yaml.safe_load(run(root, "git", "show", f"{baseline}:params.yaml"))
    first = int(time.time()) - start - count
    stream = b"".join(
        _experiment(baseline, number, _files(_sample(params, number), lock), first + number)
        for number in range(start, start + count)
    )
    limit = 1 if is_packed else 10**9
    run(root, "git", "-c", f"fastimport.unpackLimit={limit}", "fast-import", "--quiet", text=stream)


def make_wide_repository(root: Path, num_experiments: int, num_names: int) -> None:
    """A repository without stages, whose experiments have so many params and as many metrics."""
    root.mkdir(parents=True)
    run(root, "git", "init", "-q", "-b", "main")
    run(root, "dvc", "init", "-q")
    (root / "dvc.yaml").write_text("params: [params.yaml]\nmetrics: [metrics.json]\n")
    for path, content in _wide_files(num_names, 0).items():
        (root / path).write_text(content)
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", "wide")
    baseline, first = run(root, "git", "rev-parse", "HEAD").strip(), int(time.time()) - num_experiments
    experiments = (
        _experiment(baseline, number, _wide_files(num_names, number), first + number)
        for number in range(num_experiments)
    )
    run(root, "git", "fast-import", "--quiet", text=b"".join(experiments))


def _wide_files(num_names: int, number: int) -> dict[str, str]:
    rng = random.Random(number)
    params = {f"param_{i:03}": rng.choice([1e-4, 2e-4, 3, "adam", True]) if i % 2 else 7 for i in range(num_names)}
    metrics = {f"metric_{i:03}": round(rng.gauss(0, 10 ** rng.randint(-4, 6)), 6) for i in range(num_names)}
    return {"params.yaml": _dump({"train": params}), "metrics.json": json.dumps({"test": metrics})}


def _experiment(baseline: str, number: int, files: dict[str, str], stamp: int) -> bytes:
    ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/bench-{number:05}"
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()
    message = f"dvc: commit experiment {digest}".encode()
    parts = [f"commit {ref}\ncommitter {_WHO} {stamp} +0000\n".encode(), _data(message), f"from {baseline}\n".encode()]
    for path, content in files.items():
        parts += [f"M 100644 inline {path}\n".encode(), _data(content.encode())]
    return b"".join(parts)


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _sample(base: dict[str, Any], number: int) -> dict[str, Any]:
    """Params that somebody could have tried."""
    rng = random.Random(number)
    params = copy.deepcopy(base)
    params["train"]["learning_rate"] = round(10 ** rng.uniform(-5, -3), 7)
    params["train"]["num_epochs"] = rng.randint(1, 5)
    params["train"]["batch_size"] = rng.choice([4, 8, 16, 32])
    params["train"]["seed"] = rng.randint(1, 10_000)
    params["lora"]["r"] = rng.choice([4, 8, 16, 32, 64])
    params["eval"]["temperature"] = round(rng.uniform(0.1, 1.0), 2)
    return params


def _files(params: dict[str, Any], baseline_lock: dict[str, Any]) -> dict[str, str]:
    """Files in Git that a run with these params changes."""
    contents = recipe.outputs(params, _RAW)
    hashes = {path: _hash(content.encode()) for path, content in contents.items()}
    hashes["model"] = _folder_hash({path: contents[path] for path in contents if path.startswith("model/")})
    lock = copy.deepcopy(baseline_lock)
    for stage in lock["stages"].values():
        for entry in (*stage["deps"], *stage["outs"]):
            entry.update(hashes.get(entry["path"], {}))
        known = stage.get("params", {}).get("params.yaml", {})
        known.update({section: params[section] for section in known})
    tracked = {path: contents[path] for path in ("metrics.json", "plots/loss.csv", "report.md")}
    return {"params.yaml": _dump(params), "dvc.lock": _dump(lock), **tracked}


def _hash(content: bytes) -> dict[str, Any]:
    return {"md5": hashlib.md5(content, usedforsecurity=False).hexdigest(), "size": len(content)}


def _folder_hash(contents: dict[str, str]) -> dict[str, Any]:
    listing = [
        {"md5": _hash(content.encode())["md5"], "relpath": path.partition("/")[2]}
        for path, content in sorted(contents.items())
    ]
    size = sum(len(content) for content in contents.values())
    found = _hash(json.dumps(listing, sort_keys=True).encode())
    return {"md5": f"{found['md5']}.dir", "size": size, "nfiles": len(contents)}


def _dump(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False)
