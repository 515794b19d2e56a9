"""The demo's rows: allowed by the schema, each with its own method, run in an order that shares what can be shared."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.contract.loading import check_params
from pipeline.contract.params import Params
from tui.cli import running
from tui.cli.context import Context
from tui.cli.demo import EXPERIMENTS, QUICK, DemoRow, in_order, next_request
from tui.core.experiments import Experiment, flatten
from tui.core.form import with_overrides
from tui.core.methods import applies, method_of
from tui.core.runs import Run, RunRequest

NAMES = [row.name for row in EXPERIMENTS]


def params(row: DemoRow) -> dict[str, object]:
    return with_overrides(Params().model_dump(), dict(row.overrides))


def experiment(row: DemoRow) -> Experiment:
    return Experiment(row.name, "experiment", row.name, params={"params.yaml": params(row)})


def test_every_row_is_allowed_and_changes_only_what_has_an_effect() -> None:
    keys = {key for key, _ in flatten(Params().model_dump())}
    for row in EXPERIMENTS:
        check_params(params(row))
        for key in row.overrides:
            assert key in keys
            assert applies(key, experiment(row)), (row.name, key)


def test_the_rows_show_the_whole_mission() -> None:
    methods = [method_of(experiment(row)) for row in EXPERIMENTS]
    assert methods == [
        "base", "prompt tuning", "full", "lora", "dora", "prefix tuning", "teacher", "full", "distill full", "lora",
        "lora + dpo", "lora + grpo", "lora + rloo (reward model)",
    ]  # fmt: skip
    assert [row.name for row in QUICK] == NAMES[:4]
    assert len(set(NAMES)) == len(NAMES)


def test_what_is_shared_is_made_first() -> None:
    """Rows with the same params of a costly stage follow, directly or not, one row that makes it."""
    for section in ("base", "teacher", "reward"):
        made: dict[str, str] = {}
        for row in EXPERIMENTS:
            shown = {key: value for key, value in flatten(params(row)) if key.startswith(f"{section}.")}
            if section != "base" and shown[f"{section}.{'source' if section == 'teacher' else 'objective'}"] == "none":
                continue
            first = made.setdefault(repr(shown), row.name)
            assert first == row.name or first in ancestors(row.name), (section, row.name)
    assert {"sft-dpo", "sft-grpo", "rm-rloo"} == {row.name for row in EXPERIMENTS if "sft-few" in row.after}


def ancestors(name: str) -> set[str]:
    row = next(row for row in EXPERIMENTS if row.name == name)
    return {*row.after, *(other for one in row.after for other in ancestors(one))}


def test_two_slots_are_kept_busy_and_nothing_starts_too_early() -> None:
    waiting = [RunRequest(row.overrides, row.name) for row in in_order(EXPERIMENTS)]
    seconds = {row.name: row.seconds for row in EXPERIMENTS}
    active: dict[str, float] = {}
    done: list[str] = []
    now = 0.0
    while waiting or active:
        while len(active) < 2 and (chosen := next_request(waiting, requests(active))) is not None:
            waiting.remove(chosen)
            row = next(row for row in EXPERIMENTS if row.name == chosen.name)
            assert set(row.after) <= set(done)
            active[row.name] = now + seconds[row.name]
        name, now = min(active.items(), key=lambda pair: pair[1])
        del active[name]
        done.append(name)
    assert sorted(done) == sorted(NAMES)
    assert now < 1.25 * sum(seconds.values()) / 2
    assert now < 20 * 60


def requests(names: dict[str, float]) -> list[RunRequest]:
    """Stand-ins of runs, of which only the name counts."""
    return [RunRequest({}, name) for name in names]


def test_a_second_try_keeps_its_followers_waiting() -> None:
    waiting = [RunRequest({}, "sft-dpo"), RunRequest({}, "base-try-2")]
    assert next_request(waiting, ()) is waiting[0]
    waiting = [RunRequest({}, "sft-few"), RunRequest({}, "base-try-2")]
    assert next_request(waiting, ()) is waiting[1]


class Runner:
    """Ends every run at the second look; one of them fails."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.launched: list[tuple[str, list[str]]] = []
        self.active: dict[str, Run] = {}

    def launch(self, request: RunRequest) -> Run:
        run = Run(
            request.name or "", request.name or "", "running", "a" * 40, "b" * 40, datetime.now(UTC), Path(), Path()
        )
        self.launched.append((run.name, sorted(self.active)))
        self.active[run.name] = run
        return run

    def runs(self) -> list[Run]:
        first = next(iter(self.active), None)
        if first is None:
            return []
        status = "failed" if first == self.failing else "done"
        return [replace(self.active.pop(first), status=status), *self.active.values()]


@pytest.mark.parametrize("failing", ["", "sft-few"])
def test_all_rows_are_launched_two_at_a_time(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    monkeypatch.setattr(running, "_POLL_S", 0)
    runner = Runner(failing)
    context = cast(Context, SimpleNamespace(runner=runner))
    requests = [RunRequest(row.overrides, row.name) for row in in_order(EXPERIMENTS)]
    assert running.run_all(context, requests, 2, (), next_request) == (not failing)
    names = [name for name, _ in runner.launched]
    assert sorted(names) == sorted(NAMES)
    assert max(len(beside) for _, beside in runner.launched) == 1
    for row in EXPERIMENTS:
        assert all(names.index(other) < names.index(row.name) for other in row.after)
