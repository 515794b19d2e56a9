"""`finetui query`: where the statement comes from, how rows are printed, what it says of mistakes."""

import io
import json
from pathlib import Path

import pytest

from tests.unit.store_repos import finetui_project
from tui.__main__ import main


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finetui_project(tmp_path_factory.mktemp("query-command") / "p", num_experiments=3).root


def run(root: Path, *arguments: str) -> int:
    return main(["-C", str(root), "query", *arguments])


def test_the_statement_comes_from_the_command_line_a_file_or_standard_input(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "q.sql"
    place.write_text("SELECT 'file' AS place", encoding="utf-8")
    assert run(root, "--csv", "SELECT 'line' AS place") == 0
    assert run(root, "--csv", "-f", str(place)) == 0
    for arguments in (("-",), ("-f", "-")):
        monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 'input' AS place"))
        assert run(root, "--csv", *arguments) == 0
    assert capsys.readouterr().out.split() == ["place", "line", "place", "file", "place", "input", "place", "input"]


def test_rows_have_all_forms(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT 'a|b' AS x, NULL AS y, true AS x, [1, 2] AS z, 0.1::DECIMAL(3, 1) AS d, TIMESTAMP '2024-02-03' AS t"
    run(root, "--csv", sql)
    assert capsys.readouterr().out == 'x,y,x,z,d,t\na|b,,true,"[1, 2]",0.1,2024-02-03 00:00:00\n'
    run(root, "--md", sql)
    assert capsys.readouterr().out.splitlines()[2] == "| a\\|b |  | true | [1, 2] | 0.1 | 2024-02-03 00:00:00 |"
    run(root, "--json", sql)
    wanted = {"x": "a|b", "y": None, "x_3": True, "z": [1, 2], "d": 0.1, "t": "2024-02-03T00:00:00"}
    assert json.loads(capsys.readouterr().out) == [wanted]


def test_saved_queries_are_listed_with_what_they_are_given(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--list") == 0
    assert "leaderboard  -p metric=...\n    Experiments by one metric, the best first" in capsys.readouterr().out
    assert run(root, "--list", "--json") == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["fixed_and_broken"]["parameters"] == ["baseline", "candidate"]
    assert all(one["description"] for one in found.values())
    assert len(found) == 9


def test_a_saved_query_runs_with_its_values(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--saved", "leaderboard", "-p", "metric=test/exact_match", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["name"] for row in rows} == {"exp-0000", "exp-0001", "exp-0002", "main"}
    assert run(root, "SELECT $a || $b AS x", "-p", "a=1=2", "-p", "$b=", "--csv") == 0
    assert capsys.readouterr().out == "x\n1=2\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a query is SQL, or -f FILE, or --saved NAME"),
        (("SELECT 1", "--saved", "leaderboard"), "a query is SQL, or -f FILE, or --saved NAME"),
        (("--saved", "nosuch"), "no saved query 'nosuch': there are best_by_method, best_points"),
        (("--saved", "leaderboard"), "the query needs values: $metric; -p metric=..."),
        (("--saved", "leaderboard", "-p", "metric"), "-p takes NAME=VALUE: metric"),
        (("SELECT 1", "-p", "x=1"), "the query has no such parameter: $x"),
        (("-f", "nosuch.sql"), "the file cannot be read: nosuch.sql: No such file or directory"),
        (("SELECT 'é',\n vale FROM metrics",), "there is no column vale (line 2, column 2); did you mean value?"),
        (("SELECT * FROM metric",), "there is no table metric (line 1, column 15); did you mean metrics? there are"),
        (("SELECT 1 +",), 'the query does not parse: syntax error at or near "+" (line 1, column 10)'),
    ],
)
def test_mistakes_are_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(root, *arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_what_is_left_out_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = root / "data/eval/predictions.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"PAR1 torn")
    try:
        assert run(root, "SELECT count(*) FROM predictions") == 0
    finally:
        place.unlink()
    assert "left out: workspace: predictions.parquet cannot be read" in capsys.readouterr().err


def test_a_query_that_takes_too_long_is_a_failure(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT max(md5(a.range || b.range)) FROM range(100000) AS a, range(1000000) AS b"
    assert run(root, sql, "--timeout", "2") == 1
    assert "took longer than 2 s" in capsys.readouterr().err
