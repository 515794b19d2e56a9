"""What DVC shows beside what we show: the first difference, in words."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from tui.core.experiments import Experiment
from tui.core.plain import plain
from tui.store import GitStore

ROOT = Path(__file__).resolve().parents[3]
_CACHE_FAILED = "is not JSON serializable"
"""What DVC says where it has read everything, and cannot write it into its own cache because a value is a date."""
Rows = dict[tuple[str, str | None], dict[str, Any]]
"""(SHA or `workspace`, name of the experiment) -> what DVC's JSON has for it."""


def dvc_rows(roots: Sequence[Path]) -> list[Rows]:
    """What `dvc exp show --json` answers for each project."""
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "CI": "true", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.contract.repos.dvc_oracle", *map(str, roots)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) == len(roots), done.stderr
    return [dict(_flat(json.loads(line))) for line in lines]


def _flat(states: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str | None], dict[str, Any]]]:
    for state in states:
        yield (state["rev"], None), state | {"baseline": None}
        for group in state.get("experiments") or ():
            status = (group.get("executor") or {}).get("state")
            yield (
                (group["revs"][0]["rev"], group["name"]),
                group["revs"][0] | {"state": status, "baseline": state["rev"]},
            )


def our_rows(root: Path) -> dict[tuple[str, str | None], Experiment]:
    """What we show of a project, all commits that DVC shows included."""
    return {(row.rev, row.name): row for row in GitStore(root, num_commits=1000).experiments()}


def first_difference(name: str, theirs: Rows, ours: Mapping[tuple[str, str | None], Experiment]) -> str | None:
    """The first thing that we show otherwise than DVC; None if there is none."""
    for key in sorted(theirs.keys() ^ ours.keys(), key=str):
        return f"{name}: row {key} is only in {'DVC' if key in theirs else 'finetui'}"
    for key, state in theirs.items():
        found = next(_differences(state, ours[key]), None)
        if found is not None:
            return f"{name}, row {ours[key].label} ({key[0][:7]}): {found}"
    return None


def _differences(state: Mapping[str, Any], row: Experiment) -> Iterator[str]:
    yield from _differing_facts(state, row)
    status = state.get("state")
    if status == "failed":
        yield from _differing_files("params", state["data"]["params"], plain(row.params), row)
        return
    if state["error"] is not None:
        if row.error is None and _CACHE_FAILED not in state["error"]["msg"]:
            yield f"DVC says {state['error']['msg']!r}; finetui says nothing"
        return
    data = state["data"]
    broken = {path for side in ("params", "metrics") for path, one in data[side].items() if "error" in one}
    for side, values in (("params", row.params), ("metrics", row.metrics)):
        yield from _differing_files(side, data[side], plain(values), row)
    for side, hashes in (("deps", row.deps), ("outs", row.outs)):
        theirs = {path: one["hash"] for path, one in data[side].items()}
        yield from _differing_values(side, theirs, dict(hashes), row, side)
    for path in row.missing:
        if not _is_of(path, broken):
            yield f"finetui misses {path!r}, DVC does not"
    if row.error is not None and row.status == "done" and not any(_is_told(path, row) for path in broken):
        yield f"finetui says {row.error!r}, DVC says nothing"


def _differing_facts(state: Mapping[str, Any], row: Experiment) -> Iterator[str]:
    status, data = state.get("state"), state["data"] or {}
    if status in ("queued", "failed") and row.status != status:
        yield f"DVC says it is {status}, finetui {row.status}"
    if row.error is not None and "\x1b" in row.error:
        yield f"its error has control characters: {row.error!r}"
    if row.kind == "experiment" and row.baseline != state["baseline"]:
        yield f"its baseline is {state['baseline']} for DVC, {row.baseline} for finetui"
    if data.get("timestamp") is not None and _seconds(data["timestamp"]) != _seconds(str(row.timestamp)):
        yield f"its time is {data['timestamp']} for DVC, {row.timestamp} for finetui"


def _seconds(text: str) -> int:
    """A moment; without a time zone it is in that of this machine."""
    return int(datetime.fromisoformat(text).timestamp())


def _differing_files(side: str, theirs: Mapping[str, Any], ours: Any, row: Experiment) -> Iterator[str]:
    for path, found in theirs.items():
        if "error" in found:
            if path in ours:
                yield f"{side} of {path!r}: DVC says {found['error']['msg']!r}, finetui shows {ours[path]!r}"
            elif not _is_told(path, row) and not any(_is_of(missing, {path}) for missing in row.missing):
                yield f"{side} of {path!r}: DVC says {found['error']['msg']!r}; finetui says nothing"
        elif path not in ours:
            yield f"{side} of {path!r}: only DVC has it: {found['data']!r}; finetui says {row.error!r}, {row.missing!r}"
        else:
            yield from _differing_values(f"{side} of {path!r}", found["data"], ours[path], row, path)
    broken = {path for path, found in theirs.items() if "error" in found}
    for path in sorted(path for path in ours.keys() - theirs.keys() if not _is_of(path, broken)):
        yield f"{side} of {path!r}: only finetui has it: {ours[path]!r}"


def _is_of(path: str, broken: Container[str]) -> bool:
    """Whether it is one of these files, or in one of these folders, of which DVC shows nothing if a part is missing."""
    return any(part in broken for part in (path, *map(str, PurePosixPath(path).parents)))


def _differing_values(where: str, theirs: Any, ours: Any, row: Experiment, path: str) -> Iterator[str]:
    """Leaves that differ in value or type; a number that is not finite is null with us, or named in the error."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            if key not in ours:
                if not (_is_special(theirs[key]) and _is_told(path, row)):
                    yield f"{where}: key {key!r} is only in DVC: {theirs[key]!r}"
            elif key not in theirs:
                yield f"{where}: key {key!r} is only in finetui: {ours[key]!r}"
            else:
                yield from _differing_values(f"{where}: {key}", theirs[key], ours[key], row, path)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, pair in enumerate(zip(theirs, ours, strict=True)):
            yield from _differing_values(f"{where}[{index}]", *pair, row, path)
    elif not (_is_special(theirs) and ours is None) and repr(theirs) != repr(ours):
        yield f"{where}: DVC has {theirs!r}, finetui {ours!r}"


def _is_special(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _is_told(path: str, row: Experiment) -> bool:
    error = row.error or ""
    return path in row.missing or path in error or error.endswith(" more")
