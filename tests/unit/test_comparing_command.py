"""`finetui compare` and `finetui diff`: what they print."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.store_repos import RepoBuilder, finetui_params, finetui_project, finetui_results
from tui.__main__ import main
from tui.core.experiments import Experiment
from tui.store import GitStore

NUM = 40


def predictions(num_right: int, skip: int = 0) -> pl.DataFrame:
    """The first examples are right, except for some."""
    right = [skip <= i < num_right for i in range(NUM)]
    return pl.DataFrame(
        {
            "id": [f"e{i:02}" for i in range(NUM)],
            "category": ["files" if i % 2 else "git" for i in range(NUM)],
            "prompt": [f"list the {i} newest files, and then a prompt that does not end \x1b[2J" for i in range(NUM)],
            "reference": [f"ls -t | head -{i}" for i in range(NUM)],
            "prediction": [f"ls -t | head -{i}" if one else "cd | rm" for i, one in enumerate(right)],
            "exact_match": right,
            "chrf": [100.0 if one else 30.0 + i for i, one in enumerate(right)],
        }
    )


def add(builder: RepoBuilder, baseline: str, name: str, seed: int, results: pl.DataFrame | None, **train: Any) -> None:
    """An experiment; without results it has none in the cache."""
    files: dict[str, Any] = {"params.yaml": finetui_params(seed=seed, **train), **finetui_results(seed)}
    if results is not None:
        share = results["exact_match"].mean()
        files["data/metrics/evaluate/metrics.json"] = {"test/exact_match": share, "test/num_examples": NUM}
        place = builder.root / "results.parquet"
        results.write_parquet(place)
        md5 = builder.cache_folder({"predictions.parquet": place.read_bytes()})
        place.unlink()
        lines = ["schema: '2.0'", "stages:", "  evaluate:", "    cmd: x", "    outs:", "    - path: data/eval"]
        lines += ["      hash: md5", f"      md5: {md5}", "      size: 1", "      nfiles: 1", ""]
        files["dvc.lock"] = "\n".join(lines)
    builder.experiment(name, baseline, files)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three experiments with per-example results, two without, one of them another seed of the other."""
    builder = finetui_project(tmp_path_factory.mktemp("comparing") / "project")
    baseline = str(builder.repository.head.target)
    add(builder, baseline, "old", 0, predictions(20), peft="prefix_tuning")
    add(builder, baseline, "new", 0, predictions(36, skip=2), peft="none")
    add(builder, baseline, "alike", 0, predictions(21), peft="ia3")
    add(builder, baseline, "one", 1, None, learning_rate=0.125)
    add(builder, baseline, "two", 2, None, learning_rate=0.125)
    return builder.root


def run(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), *arguments])


def test_a_comparison_ends_with_what_the_examples_say(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "old", "new", "alike") == 0
    out = capsys.readouterr().out
    rows = {tuple(line.split()[:2]): line.split() for line in out.splitlines() if line.startswith(("exact", "test/"))}
    assert rows["test/exact_match", "0.5"][2:] == ["0.85", "▲", "+0.35", "0.525", "~", "+0.025"]
    assert "~ can well be chance" in out
    assert rows["exact_match", "new"][2:4] == ["40", "0.85"]
    # 16 fixed and 2 broken: 2 * (1 + 18 + 153) / 2^18, twice by Holm
    assert rows["exact_match", "new"][-3:] == ["0.003", "16", "2"]
    assert rows["exact_match", "alike"][-3:] == ["1.000", "1", "0"]
    assert "p by Holm over 2 candidates" in out


def test_examples_are_listed_within_the_width(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(project, "compare", "old", "new", "--examples", "test/exact_match") == 0
    out = capsys.readouterr().out
    listed = out[out.index("new against old, exact_match: 16 fixed, 2 broke") :].splitlines()
    assert len(listed) == 2 + 18
    assert max(map(len, listed)) <= 100
    assert "\x1b" not in out
    assert [line.split()[0] for line in listed[2:]] == ["fixed"] * 16 + ["broke"] * 2
    assert "list the 21 newest …" in listed[2]


def test_as_json_everything_is_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "old", "new", "one", "--json", "--examples", "exact_match") == 0
    answer = json.loads(capsys.readouterr().out)
    metric = answer["metrics"]["test/exact_match"]
    assert metric["values"][:2] == [0.5, 0.85]
    assert metric["verdicts"][:2] == ["equal", "better"]
    assert metric["relative"][1] == pytest.approx(0.7)
    assert metric["intervals"][0]["low"] == pytest.approx(0.352, abs=0.001)
    examples = answer["examples"]
    assert [len(scores) for scores in examples["scores"]] == [2, 2, 0]
    none, new, missing = examples["paired"]
    assert none is None
    assert missing["num_candidate"] == 0
    assert [change["change"] for change in new["changes"]].count("fixed") == 16
    assert new["changes"][0]["prompt"].endswith("\x1b[2J")
    score = new["scores"][0]
    assert (score["key"], score["is_noise"], score["delta"]) == ("exact_match", False, pytest.approx(0.35))
    assert set(new["categories"]) == {"files", "git"}
    assert examples["notes"] == ["one: it has no per-example results"]
    assert run(project, "compare", "old", "new", "--json") == 0
    assert "changes" not in json.loads(capsys.readouterr().out)["examples"]["paired"][1]


def test_as_csv_it_is_one_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "old", "new", "--csv") == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == ["key", "old", "new"]
    values = {row[0]: row[1:] for row in rows}
    assert values["test/exact_match"] == ["0.5", "0.85"]
    assert values["example/exact_match:fixed"] == ["", "16"]
    assert float(values["example/exact_match:delta"][1]) == pytest.approx(0.35)
    assert values["example/exact_match:mean"] == ["0.5", "0.85"]


def test_a_baseline_that_is_not_named_comes_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "new", "--baseline", "old", "--csv") == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == ["key", "old", "new"]
    assert {row[0]: row[2] for row in rows}["example/exact_match:fixed"] == "16"
    assert run(project, "compare", "old", "new", "--baseline", "new", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in answer["experiments"]] == ["old", "new"]
    assert answer["metrics"]["test/exact_match"]["verdicts"] == ["worse", "equal"]


def test_a_metric_without_examples_is_judged_by_repeats(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = []
    for other in ("one", "new"):
        assert run(project, "compare", "alike", other, "--json", "--all") == 0
        verdicts.append(json.loads(capsys.readouterr().out)["metrics"]["validation/loss"]["verdicts"][1])
    assert verdicts == ["noise", "equal"]


def test_what_a_run_cost_is_told_as_a_share(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "old", "one", "--json") == 0
    key = "data/metrics/train/resources.json:duration_s"
    share = json.loads(capsys.readouterr().out)["metrics"][key]["relative"][1]
    for form in ((), ("--md",)):
        assert run(project, "compare", "old", "one", *form) == 0
        line = next(line for line in capsys.readouterr().out.splitlines() if key in line)
        assert f"{share:+.0%}" in line
    assert abs(share) > 0.0995


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_a_locale_cannot_write_is_written_alike(
    project: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding))
    assert run(project, "compare", "old", "new") == 0
    assert "0.85 ^ +0.35" in content.getvalue().decode(encoding)
    sys.stdout.write("\u6f22\ud800")
    sys.stdout.flush()
    assert content.getvalue().endswith(b"\\u6f22\\ud800")


def test_a_narrow_terminal_gets_the_columns_that_fit(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, "experiments")
    whole = capsys.readouterr().out.splitlines()[0].split()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    for more in ((), ("--group-seeds",)):
        assert run(project, "experiments", *more) == 0
        found = capsys.readouterr()
        lines = found.out.splitlines()
        assert max(map(len, lines)) <= 70
        assert "test/exact_match" in lines[0]
        assert len(lines[0].split()) < len(whole)
        assert "more columns differ" in found.err


def test_as_markdown_all_are_tables(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "old", "new", "--md", "--examples", "chrf") == 0
    out = capsys.readouterr().out
    assert sum(line.startswith("| ---") for line in out.splitlines()) == 3
    assert "cd \\| rm" in out


def test_a_score_that_is_not_there_is_told_with_those_that_are(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, "compare", "old", "new", "--examples", "unheard") == 2
    assert "scores: exact_match, chrf" in capsys.readouterr().err


@pytest.mark.parametrize("revs", [("one", "two"), ("old", "one")])
def test_examples_that_nobody_has_are_not_passed_over(
    project: Path, capsys: pytest.CaptureFixture[str], revs: tuple[str, ...]
) -> None:
    assert run(project, "compare", *revs, "--examples", "exact_match") == 1
    found = capsys.readouterr()
    assert not found.out
    assert "no examples to list by 'exact_match'" in found.err
    assert "per-example results" in found.err


def test_seeds_are_grouped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "old", "one", "two", "--group-seeds", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [len(group["experiments"]) for group in answer["groups"]] == [1, 2]
    assert [seeds["train.seed"] for seeds in answer["groups"][1]["seeds"]] == [1, 2]
    spread = answer["metrics"]["test/exact_match"]["spreads"][1]
    assert spread["num"] == 2
    assert spread["low"] <= spread["mean"] <= spread["high"]
    assert run(project, "compare", "old", "one", "two", "--group-seeds") == 0
    out = capsys.readouterr().out
    assert "one and 1 more: one, two" in out
    assert "± " in out
    assert run(project, "compare", "one", "two", "--group-seeds", "--csv") == 0
    values = {row[0]: row[1:] for row in csv.reader(io.StringIO(capsys.readouterr().out))}
    assert values["test/exact_match:num"] == ["2"]


def test_a_torn_file_of_results_is_told_and_the_rest_is_shown(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = project / "torn.parquet"
    torn.write_bytes(b"PAR1 and then the disk was full")
    whole = GitStore.predictions_file

    def find(store: GitStore, experiment: Experiment) -> Path | None:
        return torn if experiment.label == "new" else whole(store, experiment)

    monkeypatch.setattr(GitStore, "predictions_file", find)
    try:
        assert run(project, "compare", "old", "new", "alike") == 0
    finally:
        torn.unlink()
    out = capsys.readouterr().out
    assert "predictions of new cannot be read: torn.parquet" in out
    assert "dvc checkout restores it" in out
    scores = [line.split() for line in out.splitlines() if line.startswith("exact_match")]
    assert [line[1:3] for line in scores] == [["old", "40"], ["new", "-"], ["alike", "40"]]


def test_without_names_all_that_was_repeated_is_grouped(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "compare", "--group-seeds", "--json") == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert sorted(one["name"] for one in group["experiments"]) == ["one", "two"]
    assert run(project, "compare", "--group-seeds", "--baseline", "old", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in answer["experiments"]] == ["old", "two"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare",), "nothing to compare"),
        (("compare", "old", "new", "--group-seeds", "--examples", "chrf"), "single experiments"),
        (("diff", "old"), "B"),
        (("diff", "old", "new", "--csv"), "--csv"),
    ],
)
def test_wrong_use_says_what_to_do(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(project, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_difference_names_stages_data_and_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "diff", "old", "new") == 0
    out = capsys.readouterr().out
    assert "evaluate  modified  outs  data/eval" in out
    data = next(line.split() for line in out.splitlines() if line.startswith("data/eval "))
    assert data[1:3] == ["out", "modified"]
    assert len(data[3]) == len(data[4]) == 8
    assert data[5] == "~predictions.parquet"
    assert any(line.split() == ["params.yaml", "modified", "+1", "-1"] for line in out.splitlines())
    assert "and 1 file of results\n" in out
    assert "0.85 ▲ +0.35" in out


def test_a_difference_as_json_and_markdown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "diff", "old", "new", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["stages"] == [{"stage": "evaluate", "status": "modified", "parts": [["outs", ["data/eval"]]]}]
    (data,) = answer["data"]
    assert (data["path"], data["files"]) == ("data/eval", [["predictions.parquet", "modified"]])
    assert {change["path"] for change in answer["files"]} >= {"params.yaml", "dvc.lock"}
    assert run(project, "diff", "old", "new", "--md") == 0
    out = capsys.readouterr().out
    assert sum(line.startswith("| ---") for line in out.splitlines()) == 4
    assert run(project, "diff", "old", "old") == 0
    assert capsys.readouterr().out == "old and old are equal\n"


def test_experiments_are_listed_by_groups_of_seeds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "experiments", "--group-seeds", "--filter", "train.learning_rate=0.125") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["experiment", "number"]
    assert row.startswith("two and 1 more       2")
    assert "± " in row
    assert run(project, "experiments", "--group-seeds", "--sort", "test/exact_match", "--json") == 0
    groups = json.loads(capsys.readouterr().out)
    means = [group["metrics"]["test/exact_match"]["mean"] for group in groups]
    assert means == sorted(means, reverse=True)
    repeated = next(group for group in groups if len(group["experiments"]) == 2)
    assert repeated["metrics"]["test/exact_match"]["num"] == 2
    assert [seeds["train.seed"] for seeds in repeated["seeds"]] == [2, 1]
    assert run(project, "experiments", "--group-seeds", "--csv") == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert sorted(row[1] for row in rows[1:]) == ["1"] * (len(rows) - 2) + ["2"]
