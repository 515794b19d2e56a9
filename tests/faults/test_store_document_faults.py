"""Pipelines, locks, params and metrics that are broken, huge or strange, one thing at a time."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.faults.store_project import PIPELINE, good_project, head, listed, rows
from tests.unit.store_repos import Content, RepoBuilder
from tui.__main__ import main
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.git.files import MAX_PIPELINE_BYTES

Capture = pytest.CaptureFixture[str]
PARAMS = {"params.yaml": {"a": 1}}


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return good_project(tmp_path / "repo")


def bad(builder: RepoBuilder, capsys: Capture, files: dict[str, Content | None]) -> Experiment:
    """The row of an experiment with these files, which the command line lists as well."""
    builder.experiment("bad", head(builder), files)
    row = rows(builder.root)["bad"]
    (shown,) = [found for found in listed(builder.root, capsys) if found["name"] == "bad"]
    assert (shown["error"], shown["missing"]) == (row.error, list(row.missing))
    assert len(row.error or "") < 1000
    return row


@pytest.mark.parametrize(
    "text",
    [
        "stages: [",
        "- a list",
        "just text",
        "stages: 3",
        "stages:\n  a: 1\n",
        "stages:\n  s: {cmd: x, cmd: y}\n",
        "vars: [a.yaml]\nstages: {s: {cmd: x}}\n",
        "\xff\x00",
        "a: &a [*a]\n",
        "stages: &s {s: {cmd: *s}}\n",
        "{" * 5000,
        "[" * 100_000,
        "? " * 3000,
    ],
    ids=lambda text: text[:12],
)
def test_a_pipeline_that_is_none(builder: RepoBuilder, capsys: Capture, text: str) -> None:
    row = bad(builder, capsys, {"dvc.yaml": text.encode("latin-1")})
    assert (row.error or "").startswith("dvc.yaml: ")
    assert row.params == PARAMS


def test_a_pipeline_that_is_huge(builder: RepoBuilder, capsys: Capture) -> None:
    begin = time.process_time()
    row = bad(builder, capsys, {"dvc.yaml": "# " + "x" * MAX_PIPELINE_BYTES + "\n"})
    assert "larger than" in (row.error or "")
    assert row.params == PARAMS
    assert time.process_time() - begin < 5


def test_variables_that_refer_to_each_other(builder: RepoBuilder, capsys: Capture) -> None:
    text = "vars:\n- a: ${b}\n- b: ${a}\nstages:\n  s:\n    cmd: x ${a}\n    metrics:\n    - ${a}.json\n"
    row = bad(builder, capsys, {"dvc.yaml": text})
    assert (row.error or "").startswith("dvc.yaml: ")
    assert row.params == PARAMS


@pytest.mark.parametrize(
    "text", ["", "- a", "stages: [", "stages: 3", "stages:\n  s: 1\n", "schema: '9.0'\n", "\0", "{" * 5000]
)
def test_a_lock_that_is_none(builder: RepoBuilder, capsys: Capture, text: str) -> None:
    row = bad(builder, capsys, {"dvc.lock": text})
    assert row.params == PARAMS
    assert row.metrics == {"m.json": {"loss": 1}}
    assert row.error is not None
    assert "dvc.lock" in row.error


@pytest.mark.parametrize(
    "entry",
    [
        "1",
        "{}",
        "{outs: 1}",
        "{outs: [1]}",
        "{outs: [{}]}",
        "{outs: [{path: 1, md5: 2}]}",
        "{outs: [{path: o, md5: ../../x}]}",
    ],
)
def test_an_entry_of_a_lock_that_is_none(builder: RepoBuilder, capsys: Capture, entry: str) -> None:
    pipeline = PIPELINE + "    outs:\n    - o\n"
    row = bad(builder, capsys, {"dvc.yaml": pipeline, "dvc.lock": f"schema: '2.0'\nstages:\n  s: {entry}\n"})
    assert row.params == PARAMS
    assert row.outs.get("o") in (None, "../../x")


@pytest.mark.parametrize("md5", ["../../../../secret", "/etc/passwd", "ab", "", "Ü" * 32, "a" * 500, "ab/../../x.dir"])
def test_a_hash_that_leads_elsewhere(builder: RepoBuilder, capsys: Capture, tmp_path: Path, md5: str) -> None:
    (tmp_path / "secret").write_text('{"secret": 1}')
    entry = json.dumps({"cmd": "x", "outs": [{"path": "m.json", "hash": "md5", "md5": md5}]})
    pipeline = PIPELINE.replace("m.json:\n        cache: false", "m.json")
    row = bad(
        builder, capsys, {"m.json": None, "dvc.yaml": pipeline, "dvc.lock": f"schema: '2.0'\nstages:\n  s: {entry}\n"}
    )
    assert row.metrics == {}
    assert "m.json" in (*row.missing, *(row.error or "").split(":"))


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: 1\na: 2\n",
        "\t",
        "\0",
        "caf\xe9: 1",
        "a: *b",
        "!!python/object:os.system x",
        "a: " + "[" * 3000,
        "a: 2024-99-99",
    ],
    ids=lambda text: text[:12],
)
def test_params_that_do_not_parse(builder: RepoBuilder, capsys: Capture, text: str) -> None:
    row = bad(builder, capsys, {"params.yaml": text.encode("latin-1")})
    assert "params.yaml" in (row.error or "")
    assert row.params == {}


def test_an_alias_bomb_is_refused_in_time(builder: RepoBuilder, capsys: Capture) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    begin = time.process_time()
    row = bad(builder, capsys, {"params.yaml": "\n".join(lines) + "\n"})
    assert "params.yaml" in (row.error or "")
    assert time.process_time() - begin < 20


@pytest.mark.parametrize("name", ["m.json", "params.yaml"])
def test_a_file_of_100_megabytes(builder: RepoBuilder, capsys: Capture, name: str) -> None:
    """Refused by its size alone, in Git and in the work tree."""
    begin = time.process_time()
    with (builder.root / name).open("wb") as file:
        file.seek(100 * 2**20)
        file.write(b"1")
    store = GitStore(builder.root)
    assert f"{name}: is larger than" in (store.experiments()[0].error or "")
    assert main(["-C", str(builder.root), "experiments", "--json"]) == 0
    assert "Traceback" not in capsys.readouterr().err
    assert time.process_time() - begin < 3
    row = bad(builder, capsys, {name: b'{"a": "' + b"x" * (100 * 2**20) + b'"}'})
    assert f"{name}: is larger than" in (row.error or "")


@pytest.mark.parametrize("levels", [101, 900, 5_000, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")], ids=["lists", "mappings"])
@pytest.mark.parametrize("name", ["m.json", "m.yaml", "m.toml", "m.py"])
def test_metrics_that_are_deeply_nested(
    builder: RepoBuilder, capsys: Capture, name: str, levels: int, begin: str, end: str
) -> None:
    text = begin * levels + "1" + end * levels
    text = {"m.toml": f"a = {text}", "m.py": f"a = {text}"}.get(name, text)
    row = bad(builder, capsys, {"dvc.yaml": PIPELINE.replace("m.json", name), name: text})
    assert (row.error or "").startswith(f"{name}: ")
    assert row.params == PARAMS


@pytest.mark.parametrize("text", ['{"loss": NaN}', '{"loss": Infinity}', '{"loss": -Infinity}', '{"loss": 1e999}'])
def test_metrics_that_are_not_finite(builder: RepoBuilder, capsys: Capture, text: str) -> None:
    builder.experiment("bad", head(builder), {"m.json": text})
    found = rows(builder.root)["bad"]
    assert "m.json" in (*found.metrics, *found.missing) or found.error
    for row in listed(builder.root, capsys):
        assert row["metrics"].get("m.json", {}).get("loss") in (1, None)
    assert main(["-C", str(builder.root), "query", "--json", "select max(value) as best from metrics"]) == 0
    assert json.loads(capsys.readouterr().out)


KINDS = ["1", "1.5", '"one"', "true", "null", "[1]", '{"deep": 1}', '"1"', "123456789012345678901234567890", "[]", "{}"]


def test_a_metric_of_another_type_in_every_commit(builder: RepoBuilder, capsys: Capture) -> None:
    for number, text in enumerate(KINDS):
        builder.experiment(
            f"kind-{number}", head(builder), {"m.json": f'{{"loss": {text}}}', "params.yaml": f"a: {text}\n"}
        )
    found = rows(builder.root)
    assert found["kind-0"].metrics == {"m.json": {"loss": 1}}
    assert found["kind-2"].metrics == {"m.json": {"loss": "one"}}
    assert found["kind-8"].params == {"params.yaml": {"a": 123456789012345678901234567890}}
    listed(builder.root, capsys)
    for option in (["--sort", "loss"], ["--sort", "a"], ["--filter", "loss>0"], ["--filter", "a=one"]):
        assert main(["-C", str(builder.root), "experiments", *option]) in {0, 2}
        assert "Traceback" not in capsys.readouterr().err
    for query in ("select * from metrics", "select * from params", "select * from experiments"):
        assert main(["-C", str(builder.root), "query", "--json", query]) == 0
        assert json.loads(capsys.readouterr().out)
    assert main(["-C", str(builder.root), "compare", "kind-2", "kind-6", "main"]) == 0


HOSTILE = [
    *(
        "with space",
        "new\nline",
        "tab\t",
        "\x1b[31mred",
        "\x00",
        "'quoted'",
        '"double"',
        "it's; drop table metrics; --",
    ),
    *("a.b.c", "[red]markup[/red]", "{brace}", "%s", "a/b", "\\", "é日本", "\u202eright", "\u0000x", "--option", ""),
    *(" ", "a:b", "=1+1", "|pipe|"),
]


def test_names_that_are_hostile(builder: RepoBuilder, capsys: Capture) -> None:
    values = dict.fromkeys(HOSTILE, 0.5)
    row = bad(builder, capsys, {"m.json": values, "params.yaml": json.dumps({name: name for name in HOSTILE})})
    assert row.metrics == {"m.json": values}
    assert row.params == {"params.yaml": {name: name for name in HOSTILE}}
    for form in ([], ["--md"], ["--all-columns"]):
        assert main(["-C", str(builder.root), "experiments", *form]) == 0
        shown = capsys.readouterr().out
        assert not {"\x1b", "\x00", "\u202e"} & set(shown)
    assert main(["-C", str(builder.root), "show", "bad"]) == 0
    assert not {"\x1b", "\x00", "\u202e"} & set(capsys.readouterr().out)
    assert main(["-C", str(builder.root), "query", "--json", "select key, value from metrics where value = 0.5"]) == 0
    assert set(HOSTILE) - {""} <= {found["key"] for found in json.loads(capsys.readouterr().out)}


def test_500_metrics_and_500_params(builder: RepoBuilder, capsys: Capture) -> None:
    """In every row; through the tables of the command line and SQL too."""
    names = [f"{HOSTILE[number % 5]} {number}" for number in range(500)]
    for number in range(5):
        files: dict[str, Content] = {
            "m.json": {name: number + index for index, name in enumerate(names)},
            "params.yaml": json.dumps({name: f"{number}-{name}" for name in names}),
        }
        builder.experiment(f"wide-{number}", head(builder), files)
    begin = time.process_time()
    assert len(rows(builder.root)["wide-0"].metrics["m.json"]) == 500
    assert len(listed(builder.root, capsys)) == 8
    assert main(["-C", str(builder.root), "query", "--json", "select count(*) as n from metrics"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 5 * 500 + 3}]
    assert main(["-C", str(builder.root), "query", "--json", "select count(*) as n from params"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 5 * 500 + 3}]
    assert time.process_time() - begin < 10


@pytest.mark.parametrize("content", ["", '{"loss": 0.1', "\0\0\0"])
def test_a_metrics_file_that_is_empty_or_torn(builder: RepoBuilder, content: str) -> None:
    builder.write({"m.json": content})
    store = GitStore(builder.root)
    assert (store.experiments()[0].error or "").startswith("m.json: ")
    builder.write({"m.json": {"loss": 3}})
    assert store.experiments()[0].error is None
    assert store.experiments()[0].metrics == {"m.json": {"loss": 3}}


def test_a_pipeline_that_breaks_while_it_is_edited(builder: RepoBuilder) -> None:
    builder.write({"dvc.yaml": "stages:\n  s: [\n"})
    store = GitStore(builder.root)
    assert "dvc.yaml" in (store.experiments()[0].error or "")
    builder.write({"dvc.yaml": PIPELINE})
    assert store.experiments()[0].error is None


@pytest.mark.parametrize("name", ["m.json", "params.yaml", "dvc.yaml", "dvc.lock"])
def test_a_folder_in_place_of_a_file(builder: RepoBuilder, capsys: Capture, name: str) -> None:
    (builder.root / name).unlink(missing_ok=True)
    (builder.root / name).mkdir()
    assert "workspace" in rows(builder.root)
    listed(builder.root, capsys)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(builder: RepoBuilder) -> None:
    (builder.root / "m.json").unlink()
    os.mkfifo(builder.root / "m.json")
    begin = time.monotonic()
    assert rows(builder.root)["workspace"].metrics == {}
    assert time.monotonic() - begin < 20
