"""The command line: what it prints, and its exit codes."""

import errno
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.projects import commit, git, make_project
from tui.__main__ import main
from tui.cli import reading, running
from tui.cli.context import Context
from tui.core.runs import Run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits that differ in a param and a metric, and one experiment."""
    root = make_project(tmp_path_factory.mktemp("cli") / "project")
    write_score(root, 0.5)
    commit(root, "First")
    git(root, "branch", "first")
    (root / "params.yaml").write_text((root / "params.yaml").read_text().replace("value: 2 ", "value: 7 "))
    write_score(root, 0.75)
    head = commit(root, "Second")
    write_score(root, 0.25)
    sha = commit(root, "dvc: commit experiment x\n\nFinetui-Status: failed")
    git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/cold-elk", sha)
    git(root, "reset", "-q", "--hard", head)
    return root


def write_score(root: Path, score: float) -> None:
    folder = root / "data/metrics/train"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps({"test/accuracy": score}))


def run(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), *arguments])


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_experiments_as_json_have_the_documented_shape(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "experiments", "--json") == 0
    rows = printed(capsys)
    assert [row["kind"] for row in rows] == ["workspace", "commit", "experiment", "commit", "commit"]
    fields = ["rev", "name", "kind", "baseline", "refs", "timestamp", "status", "params", "metrics", "deps", "outs"]
    fields += ["missing", "error"]
    assert all(list(row) == fields for row in rows)
    experiment = rows[2]
    assert (experiment["name"], experiment["status"]) == ("cold-elk", "failed")
    assert experiment["baseline"] == rows[1]["rev"]
    assert experiment["metrics"]["data/metrics/train/metrics.json"] == {"test/accuracy": 0.25}


def test_a_table_can_be_sorted_and_filtered(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("experiments", "--csv", "--sort", "test/accuracy", "--filter", "test/accuracy>0.3 -workspace")
    assert run(project, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["main", "first"]


def test_markdown_neutralises_what_would_break_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "experiments", "--md") == 0
    header, rule, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("| experiment |")
    assert set(rule) == set("| -")
    assert len(rows) == 5


def test_show_names_an_experiment_by_its_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "show", "cold-elk") == 0
    out = capsys.readouterr().out
    assert "status     failed" in out
    assert "test/accuracy" in out


def test_show_tells_what_was_seen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = project / "data/metrics/train/series.csv"
    series.write_text(
        "step,time_s,train/loss,event,action,message\n5,1,2.5,,,\n7,1.5,,spike,warn,nine times \x1b[2J more\n"
    )
    try:
        assert run(project, "show", "workspace") == 0
        assert capsys.readouterr().out.endswith(
            "events\n  stage  step  event  action  message\n  train     7  spike  warn    nine times [2J more\n"
        )
        assert run(project, "show", "workspace", "--json") == 0
        assert [event["event"] for event in printed(capsys)["events"]] == ["spike"]
    finally:
        series.unlink()


def test_compare_marks_what_is_better(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "first", "main", "cold-elk", "--json") == 0
    comparison = printed(capsys)
    accuracy = comparison["metrics"]["test/accuracy"]
    assert accuracy["values"] == [0.5, 0.75, 0.25]
    assert accuracy["verdicts"] == ["equal", "better", "worse"]
    assert comparison["params"] == {"train.value": [2, 7, 7]}


def test_diff_lists_params_metrics_and_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "diff", "first", "main") == 0
    out = capsys.readouterr().out
    assert "train.value" in out
    assert "0.75 ▲ +0.25" in out
    assert "params.yaml" in out


def test_query_answers_and_says_when_rows_are_left_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select name, value from metrics where key = 'test/accuracy' and name = 'cold-elk'"
    assert run(project, "query", "--json", sql) == 0
    assert printed(capsys) == [{"name": "cold-elk", "value": 0.25}]
    assert run(project, "query", "--limit", "1", "select * from metrics") == 0
    assert "first 1 rows" in capsys.readouterr().err


def test_doctor_finds_the_project(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(project, "doctor", "--json")
    checks = {check["name"]: check for check in printed(capsys)}
    assert checks["project"]["state"] == "ok"
    assert checks["params.yaml"]["state"] == "note"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "nothing"), 2, "nothing"),
        (("frobnicate",), 2, "frobnicate"),
        ((), 2, "needs a terminal"),
        (("experiments", "--filter", "nokey>1"), 2, "nokey"),
        (("experiments", "--sort", "nokey"), 2, "nokey"),
        (("query", "delete from metrics"), 2, ""),
        (("query", "--limit", "0", "select 1"), 2, "positive"),
        (("run", "-S", "train.value"), 2, "KEY=VALUE"),
        (("run", "--plan", "-S", "train.valu=3"), 2, "train.value"),
        (("--read-only", "run"), 2, "read-only"),
        (("logs", "nothing"), 2, "nothing"),
    ],
)
def test_wrong_use_is_one_message(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert run(project, *arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("finetui: ")
    assert message in captured.err


def test_a_folder_that_is_no_project_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "experiments") == 2
    assert "finetui init" in capsys.readouterr().err


def test_a_full_disk_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/there")

    monkeypatch.setattr(reading, "show", fail)
    assert run(project, "show", "main") == 1
    assert capsys.readouterr().err == "finetui: /there: No space left on device\n"


def test_control_characters_never_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_project(tmp_path / "project")
    folder = root / "data/metrics/train"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"a\x1b[2Jb": 1, "text": "x\x1b]0;y\x07"}))
    assert run(root, "show", "workspace") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out


class GrowingLog:
    """A runner whose only run logs some pieces, one a poll, and then ends."""

    def __init__(self, pieces: list[str], num_bytes: int) -> None:
        self._pieces, self._num_bytes = pieces, num_bytes
        self._log = self._pieces.pop(0)

    def read_log(self, run_id: str, offset: int = 0) -> tuple[str, int]:
        text = self._log[offset : offset + self._num_bytes]
        return text, offset + len(text)

    def runs(self) -> list[Run]:
        run = Run("1", "owl", "running", "b", "s", datetime.now(UTC), Path(), Path())
        if not self._pieces:
            return [replace(run, status="done")]
        self._log += self._pieces.pop(0)
        return [run]


def logs(runner: GrowingLog, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(Context, "runner", runner)
    monkeypatch.setattr(running, "_POLL_S", 0.0)
    return main(["logs", "owl", *arguments])


def test_a_long_log_is_printed_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    log = "one\ntwo\n\nthree\u2028four\nfive"
    assert logs(GrowingLog([log], 4), monkeypatch) == 0
    assert capsys.readouterr().out == log + "\n"
    assert logs(GrowingLog([log], 4), monkeypatch, "--json") == 0
    assert printed(capsys)["log"] == log


def test_a_followed_line_is_printed_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = ["one\nha", "lf", " a line\n", "50%\r100%\r\n", "end"]
    assert logs(GrowingLog(pieces, 1_000), monkeypatch, "--follow") == 0
    assert capsys.readouterr().out == "one\nhalf a line\n50%\n100%\nend\n"


def test_csv_is_for_other_programs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "first", "main", "--csv") == 0
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert rows == [["key", "first", "main"], ["train.value", "2", "7"], ["test/accuracy", "0.5", "0.75"]]


def test_equal_experiments_are_said_to_be_equal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "main", "main") == 0
    assert "nothing differs" in capsys.readouterr().out


def test_a_filter_without_a_match_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "experiments", "--filter", "nosuchword") == 0
    assert "no row matches" in capsys.readouterr().err


def test_a_commit_that_never_ran_is_not_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_project(tmp_path / "project"), "show", "main") == 0
    assert "status     not run" in capsys.readouterr().out


def test_a_plan_changes_nothing_and_is_allowed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--read-only", "run", "--plan") == 0
    assert "it has not run yet" in capsys.readouterr().out


def test_rows_are_sorted_by_every_column_that_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for field, key in (("status", "status"), ("rev", "rev"), ("timestamp", "timestamp"), ("name", None)):
        assert run(project, "experiments", "--sort", field, "--json") == 0
        rows = printed(capsys)
        found = [row[key] for row in rows if row[key]] if key else [row["name"] for row in rows if row["name"]]
        assert found == sorted(found)
        assert len(rows) == 5
    assert run(project, "experiments", "--sort", "expriment") == 2
    assert "did you mean experiment" in capsys.readouterr().err


def test_a_short_sha_filters_and_a_lone_word_is_explained(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "experiments", "--filter", "name=cold-elk", "--json") == 0
    (row,) = printed(capsys)
    assert run(project, "experiments", "--filter", f"rev={row['rev'][:7]}", "--json") == 0
    assert [one["rev"] for one in printed(capsys)] == [row["rev"]]
    assert run(project, "experiments", "--filter", "name=nothing") == 0
    assert "quotes" not in capsys.readouterr().err
    assert run(project, "experiments", "--filter", "subject=two words") == 0
    assert "quotes" in capsys.readouterr().err


def test_wrong_use_is_told_with_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "experiments", "-C", "elsewhere") == 2
    assert "before the command" in capsys.readouterr().err
    assert run(project, "compare", "cold-elk") == 2
    assert "nothing to compare with" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(project, "experiments", "--help")
    assert "key:text: contains" in capsys.readouterr().out
    assert run(project, "show", "first") == 0
    assert "subject    First" in capsys.readouterr().out


def test_a_repository_without_commits_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_project(tmp_path / "new")
    git(root, "update-ref", "-d", "HEAD")
    assert run(root, "show", "HEAD") == 2
    assert "there is no commit yet" in capsys.readouterr().err
