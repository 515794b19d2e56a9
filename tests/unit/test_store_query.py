"""SQL: what it sees, what it may not do, and its limits."""

import io
import math
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.store_repos import TEMPLATE, RepoBuilder, add_experiment, finetui_project, lock, make_run
from tui.core.errors import UsageError, UserError
from tui.core.queries import QueryError, place_in
from tui.store import GitStore
from tui.store.sql.query import QueryEngine
from tui.store.sql.schema import SCHEMA


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    return finetui_project(tmp_path_factory.mktemp("query") / "p", num_experiments=4)


@pytest.fixture(scope="module")
def store(builder: RepoBuilder) -> GitStore:
    return GitStore(builder.root)


def test_tables_have_the_columns_that_the_docs_name(store: GitStore) -> None:
    text = (TEMPLATE / "docs/sql.md").read_text(encoding="utf-8")
    documented = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        table = part.partition("\n")[0]
        documented[table] = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", part, re.MULTILINE)
    for table, columns in SCHEMA.items():
        assert documented[table] == [(column.name, column.type, column.description) for column in columns]
        found = store.query(f"DESCRIBE {table}").rows
        assert [row[:2] for row in found] == [(column.name, column.type) for column in columns]
    assert store.query("SHOW TABLES").rows == tuple((table,) for table in sorted(SCHEMA))
    queries = {path.stem for path in (TEMPLATE / "tui/store/sql").glob("*.sql")}
    assert queries <= set(re.findall(r"`(\w+)`", documented_part(text, "Saved queries")))


def documented_part(text: str, title: str) -> str:
    return text.partition(f"## {title}")[2]


def test_values_are_those_of_the_rows(store: GitStore) -> None:
    rows = store.experiments()
    assert store.query("SELECT name, rev, status, method FROM experiments WHERE kind = 'experiment'").rows == tuple(
        (row.name, row.rev, "done", ["lora", "prompt tuning", "full"][int(row.label[-1]) % 3])
        for row in rows
        if row.kind == "experiment"
    )
    found = store.query(
        "SELECT rev, value, direction FROM metrics WHERE key = 'test/exact_match' AND name LIKE 'exp%'"
    ).rows
    values = {row.rev: row.metrics["data/metrics/evaluate/metrics.json"]["test/exact_match"] for row in rows}
    assert len(found) == 4
    assert all(value == values[rev] and way == "higher" for rev, value, way in found)
    assert store.query("SELECT DISTINCT value, number FROM params WHERE key = 'train.max_steps'").rows == (
        ("null", None),
    )
    shared = store.query("SELECT DISTINCT key FROM metrics WHERE key LIKE '%duration_s' ORDER BY key").rows
    assert shared == (
        ("data/metrics/evaluate/resources.json:duration_s",),
        ("data/metrics/train/resources.json:duration_s",),
    )


def test_series_and_commits_and_runs(builder: RepoBuilder, store: GitStore) -> None:
    run = make_run(builder, str(builder.repository.head.target), status="queued")
    series = store.query(
        "SELECT count(*), max(step), count(value) FROM series WHERE metric = 'train/loss' AND name = 'exp-0001'"
    )
    assert series.rows == ((20, 95.0, 20),)
    assert store.query("SELECT id, status FROM runs", [run]).rows == (("r1", "queued"),)
    assert store.query("SELECT name FROM experiments WHERE run_id = 'r1'", [run]).rows == (("live-one",),)
    assert store.query("SELECT refs FROM commits").rows == (("main",),)


def test_tables_of_an_empty_project_are_empty(tmp_path: Path) -> None:
    empty = GitStore(RepoBuilder(tmp_path / "r").root)
    for table in SCHEMA:
        assert len(empty.query(f"FROM {table}").rows) == (1 if table == "experiments" else 0)


def predictions(exact: list[bool], **more: Any) -> bytes:
    data = io.BytesIO()
    pl.DataFrame({"id": [f"e{i}" for i in range(len(exact))], "exact_match": exact, **more}).write_parquet(data)
    return data.getvalue()


def test_predictions_come_from_the_dvc_cache(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    baseline = str(builder.repository.head.target)
    for name, content in {"ant": predictions([True, False]), "bee": predictions([True], extra=["x"])}.items():
        md5 = builder.cache_folder({"predictions.parquet": content})
        builder.experiment(name, baseline, {"dvc.lock": lock({"evaluate": {"data/eval": md5}})})
    builder.experiment("gone", baseline, {"dvc.lock": lock({"evaluate": {"data/eval": "f" * 32 + ".dir"}})})
    store = GitStore(builder.root)
    assert store.predictions(store.resolve("ant"))["exact_match"].to_list() == [True, False]
    assert store.predictions(store.resolve("gone")).is_empty()
    assert store.predictions(store.resolve("workspace")).is_empty()
    found = store.query("SELECT name, id, exact_match, chrf, extra FROM predictions ORDER BY name, id")
    assert found.rows == (
        ("ant", "e0", True, None, None),
        ("ant", "e1", False, None, None),
        ("bee", "e0", True, None, "x"),
    )


def test_a_broken_predictions_file_is_told(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "p")
    builder.write({"data/eval/predictions.parquet": "PAR1 torn"})
    store = GitStore(builder.root)
    with pytest.raises(UserError, match=r"predictions of workspace cannot be read: predictions\.parquet"):
        store.predictions(store.resolve("workspace"))
    md5 = builder.cache_folder({"predictions.parquet": predictions([True])})
    builder.experiment(
        "whole", str(builder.repository.head.target), {"dvc.lock": lock({"evaluate": {"data/eval": md5}})}
    )
    found = store.query("SELECT name FROM predictions")
    assert found.rows == (("whole",),)
    assert len(found.notes) == 1
    assert found.notes[0].startswith("workspace: predictions.parquet cannot be read")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "exactly one statement"),
        ("SELECT 1; SELECT 2", "exactly one statement"),
        ("selec 1", "does not parse"),
        ("SELECT * FROM nosuch", "no table nosuch; there are commits, events, experiments"),
        ("SELECT * FROM metric", "did you mean metrics?"),
        ("SELECT nam FROM metrics", "there is no column nam; did you mean name?"),
        ("SELECT metric FROM metrics", "there is no column metric; there are "),
        ("SELECT m.vale FROM metrics AS m", 'does not have a column named "vale"; Candidate bindings: "value"'),
        ("SELECT nosuch FROM metrics", "nosuch"),
        ("DROP TABLE metrics", "can only read, and this is DROP"),
        ("CREATE TABLE x AS SELECT 1", "can only read"),
        ("INSERT INTO metrics SELECT * FROM metrics", "can only read"),
        ("COPY metrics TO '/tmp/x.csv'", "can only read"),
        ("ATTACH '/tmp/x.db'", "can only read"),
        ("SET threads = 4", "can only read"),
        ("PRAGMA database_list", "can only read"),
        ("INSTALL httpfs", "can only read"),
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv() is not for queries"),
        ("SELECT * FROM '/etc/passwd.csv'", "disabled"),
        ("SELECT * FROM glob('/*')", "glob() is not for queries"),
        ("SELECT * FROM rows", "no table rows"),
        ("SELECT 1 / x FROM (SELECT 'a'::INT AS x)", "Could not convert"),
    ],
)
def test_what_a_query_may_not_do(store: GitStore, sql: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        store.query(sql)


def test_more_rows_than_the_limit_are_told(store: GitStore) -> None:
    some = store.query("SELECT * FROM range(1000000000)", limit=3)
    assert (some.rows, some.truncated) == (((0,), (1,), (2,)), True)
    assert not store.query("SELECT * FROM range(3)", limit=3).truncated


@pytest.mark.parametrize(
    ("sql", "num_read"),
    [
        ("SELECT count(*) FROM metrics", 0),
        ("SELECT 'series' FROM experiments -- series", 0),
        ("SELECT name AS series FROM experiments AS series", 0),
        ("WITH series AS (SELECT 1) SELECT * FROM series", 0),
        ('SELECT count(*) FROM "Series"', 6),
        ("SELECT count(*) FROM main.series", 6),
        ("WITH x AS (FROM series) FROM x", 6),
        ("SELECT (SELECT count(*) FROM series)", 6),
        ("EXPLAIN FROM series", 6),
        ("FROM query_table('series')", 6),
        ("SELECT count(*) FROM metrics JOIN series USING (rev, name)", 6),
        ("PIVOT series ON metric USING count(*) GROUP BY name", 6),
    ],
)
def test_only_tables_that_are_named_are_read(
    store: GitStore, monkeypatch: pytest.MonkeyPatch, sql: str, num_read: int
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(store, "series", lambda row: asked.append(row.label) or [])
    QueryEngine(store).run(sql, store.experiments())
    assert len(asked) == num_read


def test_tables_are_kept_until_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = finetui_project(tmp_path / "p", num_experiments=2)
    store = GitStore(builder.root)
    read = store.series
    asked: list[str] = []
    monkeypatch.setattr(store, "series", lambda row: asked.append(row.label) or read(row))
    engine = QueryEngine(store)

    def names(sql: str) -> list[str]:
        return sorted(row[0] for row in engine.run(sql, store.experiments()).rows)

    assert names("SELECT DISTINCT name FROM series WHERE rev <> 'workspace'") == ["exp-0000", "exp-0001", "main"]
    assert sorted(asked) == ["exp-0000", "exp-0001", "main", "workspace"]
    asked.clear()
    assert names("SELECT DISTINCT name FROM series WHERE rev <> 'workspace'") == ["exp-0000", "exp-0001", "main"]
    assert asked == ["workspace"]
    rev = add_experiment(builder, str(builder.repository.head.target), 2)
    ref = next(ref for ref in builder.repository.references if ref.endswith("/exp-0000"))
    builder.repository.references.delete(ref)
    assert names("SELECT DISTINCT name FROM series WHERE rev <> 'workspace'") == ["exp-0001", "exp-0002", "main"]
    assert names("SELECT DISTINCT name FROM metrics WHERE name <> 'workspace'") == ["exp-0001", "exp-0002", "main"]
    assert engine.run("SELECT DISTINCT rev FROM params WHERE name = 'exp-0002'", store.experiments()).rows == ((rev,),)


def test_what_a_query_leaves_behind_is_gone_with_it(store: GitStore) -> None:
    engine = QueryEngine(store)
    engine.run("PIVOT metrics ON direction USING count(*) GROUP BY name", store.experiments())
    found = engine.run("SELECT type_name FROM duckdb_types() WHERE NOT internal", store.experiments())
    assert found.rows == ()
    shown = engine.run("SHOW ALL TABLES", store.experiments()).rows
    assert {name for _, schema, name, *_ in shown if schema == "main"} == set(SCHEMA)
    assert {schema for _, schema, *_ in shown} == {"main", "parts"}  # parts of `series`


def test_parameters_stand_for_texts(store: GitStore) -> None:
    sql = "SELECT count(*) FROM metrics WHERE key = $metric AND value > $least::DOUBLE"
    assert store.query(sql, parameters={"metric": "test/loss", "least": "0"}).rows[0][0] >= 4
    assert store.query("SELECT $a", parameters={"a": "1'; DROP TABLE metrics --"}).rows == (
        ("1'; DROP TABLE metrics --",),
    )
    with pytest.raises(UsageError, match=r"needs values: \$least, \$metric"):
        store.query(sql)
    with pytest.raises(UsageError, match=r"no such parameter: \$b"):
        store.query("SELECT 1", parameters={"b": "2"})


@pytest.mark.parametrize("table", sorted(SCHEMA))
def test_names_of_columns_need_no_quotes(store: GitStore, table: str) -> None:
    names = [column.name for column in SCHEMA[table]]
    assert store.query(f"SELECT {', '.join(names)} FROM {table}").columns == tuple(names)  # noqa: S608 - ours


def test_the_place_of_an_error_counts_characters(store: GitStore) -> None:
    with pytest.raises(QueryError) as caught:
        store.query("SELECT 'é',\n  nosuch FROM metrics")
    assert caught.value.position is not None
    assert place_in("SELECT 'é',\n  nosuch FROM metrics", caught.value.position) == (2, 3)


def test_values_keep_their_types(store: GitStore) -> None:
    sql = """
        SELECT 1, 170141183460469231731687303715884105727::HUGEINT, 0.5::DECIMAL(5, 2), 'nan'::DOUBLE, NULL, true,
            TIMESTAMP '2024-02-03 04:05:06', DATE '2024-02-03', [1, 2], {'a': DATE '2024-02-03'}, MAP {1: 'x'},
            '\\xAA'::BLOB, 'infinity'::TIMESTAMP, INTERVAL 1 DAY
    """
    (row,) = store.query(sql).rows
    assert row[:3] == (1, 2**127 - 1, 0.5)
    assert math.isnan(row[3])
    assert row[4:8] == (None, True, datetime(2024, 2, 3, 4, 5, 6), date(2024, 2, 3))
    assert row[8:12] == ([1, 2], {"a": "2024-02-03"}, {"1": "x"}, "aa")
    with pytest.raises(UserError, match=r"cast it: \(now\(\)\)::TIMESTAMP"):
        store.query("SELECT now()")


def test_nothing_heavy_is_imported_for_the_table_of_experiments(builder: RepoBuilder) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from tui.store import GitStore; "
        f"assert len(GitStore(Path({str(builder.root)!r})).experiments()) == 6; "
        "heavy = ('duckdb', 'polars', 'dvc', 'textual', 'pandas', 'torch'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
