"""A query cannot reach out, change anything, or take more time or memory than it is given: one attempt per test."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.unit.store_repos import finetui_project
from tui.core.errors import UserError
from tui.store import GitStore
from tui.store.sql.process import MAX_MEMORY

HIDDEN = "elderberry"
_AT_ONCE_S = 5.0
"""Wall-clock seconds on a busy machine; what is not stopped takes the 30 s that a query may take."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = finetui_project(tmp_path_factory.mktemp("limits") / "p", num_experiments=1)
    builder.write({"secret.csv": f"word\n{HIDDEN}\n", "secret.json": f'[{{"word": "{HIDDEN}"}}]'})
    return builder.root


@pytest.fixture(scope="module")
def store(root: Path) -> Iterator[GitStore]:
    store = GitStore(root)
    store.query("SELECT 1")
    yield store
    store._queries.close()


@pytest.fixture(autouse=True)
def from_the_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths would lead to the secret."""
    monkeypatch.chdir(root)


REACHING_OUT = [
    "SELECT * FROM 'secret.csv'",
    'SELECT * FROM "secret.csv"',
    "SELECT * FROM '{root}/secret.csv'",
    "SELECT * FROM 'file:///{root}/secret.csv'",
    "SELECT * FROM read_csv('{root}/secret.csv')",
    "SELECT * FROM main.read_csv('{root}/secret.csv')",
    "SELECT * FROM \"read_csv\"('{root}/secret.csv')",
    "SELECT * FROM read_csv/* a comment */('{root}/secret.csv')",
    "SELECT * FROM READ_CSV_AUTO('{root}/secret.csv')",
    "SELECT * FROM read_text('{root}/secret.csv')",
    "SELECT * FROM read_blob('{root}/secret.csv')",
    "SELECT * FROM read_json('{root}/secret.json')",
    "SELECT * FROM read_parquet('{root}/data/eval/predictions.parquet')",
    "SELECT * FROM parquet_metadata('{root}/secret.csv')",
    "SELECT * FROM sniff_csv('{root}/secret.csv')",
    "SELECT * FROM glob('{root}/*')",
    "SELECT * FROM read_duckdb('{root}/x.db')",
    "SELECT '{root}/secret.csv'.read_text()",
    "SELECT * FROM query('FROM read_text(''{root}/secret.csv'')')",
    "SELECT * FROM query_table('{root}/secret.csv')",
    "SELECT * FROM query_table(['secret.csv'])",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM ''{root}/secret.csv'''))",
    "WITH x AS (FROM '{root}/secret.csv') SELECT * FROM x",
    "SELECT (SELECT word FROM '{root}/secret.csv')",
    "EXPLAIN ANALYZE SELECT * FROM '{root}/secret.csv'",
    "DESCRIBE '{root}/secret.csv'",
    "SUMMARIZE '{root}/secret.csv'",
    "PIVOT '{root}/secret.csv' ON word",
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT getenv('HOME')",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "FROM (DESCRIBE '{root}/secret.csv')",
    "FROM (SUMMARIZE '{root}/secret.csv')",
    "UNPIVOT '{root}/secret.csv' ON COLUMNS(*)",
    "SELECT COLUMNS(*) FROM '{root}/secret.csv'",
    "SELECT * FROM metrics WHERE key IN (FROM '{root}/secret.csv')",
    "SELECT * FROM metrics, LATERAL (FROM '{root}/secret.csv')",
    "WITH RECURSIVE t AS (FROM '{root}/secret.csv' UNION ALL FROM t) FROM t",
    "SELECT * FROM system.main.read_csv('{root}/secret.csv')",
    "SELECT * FROM read_csv\n\n-- (\n('{root}/secret.csv')",
    "FROM '{root}/.git/config' LIMIT 1",
    "FROM '/proc/self/environ'",
    "FROM read_text('/proc/self/environ')",
    "FROM '{root}/data/*'",
    "SELECT * FROM root",
    "SELECT * FROM arrays",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM sqlite_scan('{root}/.dvc/tmp/finetui/cache/rows.sqlite', 'rows')",
    "SELECT * FROM postgres_scan('host=localhost', 'public', 't')",
]

CHANGING = [
    "COPY metrics TO '{root}/out.csv'",
    "COPY (SELECT 1) TO '{root}/out.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/out.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '.tmp/out.csv'",
    "EXPORT DATABASE '{root}/out'",
    "IMPORT DATABASE '{root}/out'",
    "ATTACH '{root}/out.db'",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL httpfs FROM 'http://example.com'",
    "SET threads = 64",
    "SET memory_limit = '1TB'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "PRAGMA memory_limit = '1TB'",
    "PRAGMA enable_profiling",
    "CALL enable_logging(storage = 'file')",
    "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_path = '{root}/out')",
    "SELECT * FROM enable_profiling(save_location := '{root}/out.json')",
    "SELECT * FROM checkpoint()",
    "FROM register_external_resource_type('n', kind := 's3', create_function := 'glob')",
    "SELECT write_log('x')",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW metrics AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "CREATE SECRET (TYPE s3)",
    "CREATE PERSISTENT SECRET (TYPE s3)",
    "INSERT INTO metrics SELECT * FROM metrics",
    "UPDATE metrics SET value = 1",
    "DELETE FROM metrics",
    "TRUNCATE metrics",
    "DROP TABLE metrics",
    "ALTER TABLE metrics ADD COLUMN x INT",
    "MERGE INTO metrics USING params ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
    "WITH x AS (INSERT INTO metrics (rev) VALUES ('x') RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM metrics RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE metrics SET value = 1 RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE INSERT INTO metrics SELECT * FROM metrics",
    "EXPLAIN ANALYZE DELETE FROM metrics",
    "BEGIN",
    "COMMIT",
    "VACUUM",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "SELECT 1; DROP TABLE metrics",
    "SELECT 1; -- \nDROP TABLE metrics",
    "SELECT 1 /* */ ; /* */ SELECT 2",
    ";",
    "-- nothing",
    "/* SELECT 1",
    "\\copy metrics to x",
    "SELECT '\ud800' FROM nosuch",
    "SELECT \x00 1",
    "SET VARIABLE x = 1",
    "COMMENT ON TABLE metrics IS 'x'",
    "CREATE SEQUENCE x",
    "CREATE TRIGGER x AFTER INSERT ON metrics FOR EACH ROW EXECUTE SELECT 1",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "EXPLAIN ANALYZE UPDATE metrics SET value = 1",
    "WITH x AS (COPY metrics TO '{root}/out.csv') FROM x",
    ".read x",
]

TOO_LARGE_IN_STEPS = [
    "SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)",
    "SELECT array_agg(a.range) FROM range(1000000000) AS a",
    "SELECT repeat('x', 100000000) FROM range(100)",
    "WITH RECURSIVE t(a) AS (SELECT 'x' UNION ALL SELECT a || a FROM t) SELECT count(*) FROM t",
    "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b",
    "WITH RECURSIVE t(a) AS (SELECT [1] UNION ALL SELECT a || a FROM t) SELECT count(*) FROM t",
]

TOO_LARGE = [
    "SELECT repeat('x', 3000000000)",
    "SELECT list_aggregate(range(1000000000), 'sum')",
    "SELECT list_sort(range(300000000))",
    *(pytest.param(sql, marks=pytest.mark.slow) for sql in TOO_LARGE_IN_STEPS),
]

TOO_LONG = [
    "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range % 7 = b.range % 5",
    "SELECT max(md5(a.range || b.range)) FROM range(100000) AS a, range(1000000) AS b",
    "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))",
    "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t",
]


@pytest.mark.parametrize("sql", REACHING_OUT)
def test_nothing_outside_is_seen(store: GitStore, root: Path, sql: str) -> None:
    with pytest.raises(UserError) as caught:
        store.query(sql.replace("{root}", str(root)), timeout_s=20)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("sql", CHANGING)
def test_nothing_is_changed(store: GitStore, root: Path, sql: str) -> None:
    before = store.query("SELECT count(*), sum(value) FROM metrics").rows
    with pytest.raises(UserError):
        store.query(sql.replace("{root}", str(root)), timeout_s=20)
    assert store.query("SELECT count(*), sum(value) FROM metrics").rows == before
    assert not [*root.glob("out*"), *root.glob(".tmp")]


@pytest.mark.parametrize("sql", TOO_LARGE)
def test_memory_has_a_limit(store: GitStore, sql: str) -> None:
    with pytest.raises(UserError, match="needs too much memory"):
        store.query(sql, timeout_s=60)
    assert store.query("SELECT count(*) > 0 FROM metrics").rows == ((True,),)


@pytest.mark.parametrize("sql", TOO_LONG)
def test_time_has_a_limit(store: GitStore, sql: str) -> None:
    store.query("SELECT 1")
    began = time.monotonic()
    with pytest.raises(UserError, match=r"took longer than 0\.3 s"):
        store.query(sql, timeout_s=0.3)
    assert time.monotonic() - began < _AT_ONCE_S


@pytest.mark.parametrize("sql", [TOO_LONG[0], TOO_LONG[2]])
def test_cancel_ends_a_query_at_once(store: GitStore, sql: str) -> None:
    store.query("SELECT 1")
    cancelled = threading.Event()
    began: list[float] = []
    timer = threading.Timer(0.2, lambda: (began.append(time.monotonic()), cancelled.set()))
    timer.start()
    with pytest.raises(UserError, match="the query was cancelled"):
        store.query(sql, cancelled=cancelled)
    assert time.monotonic() - began[0] < _AT_ONCE_S
    assert store.query("SELECT count(*) > 0 FROM metrics").rows == ((True,),)


def test_cancel_ends_the_reading_of_the_project_too(root: Path) -> None:
    store, cancelled = GitStore(root), threading.Event()
    cancelled.set()
    began = time.monotonic()
    with pytest.raises(UserError, match="cancelled"):
        store.query("FROM series", cancelled=cancelled)
    assert time.monotonic() - began < _AT_ONCE_S


def test_a_query_waits_for_another_one_no_longer_than_it_may(store: GitStore) -> None:
    cancelled = threading.Event()
    failed: list[str] = []

    def other() -> None:
        try:
            store.query(TOO_LONG[0], cancelled=cancelled)
        except UserError as error:
            failed.append(error.title)

    store.query("SELECT 1")
    thread = threading.Thread(target=other)
    thread.start()
    while not store._queries._turn.locked():
        time.sleep(0.01)
    with pytest.raises(UserError, match="took longer"):
        store.query("SELECT 1", timeout_s=0.1)
    cancelled.set()
    thread.join()
    assert failed == ["the query was cancelled"]


def test_large_cells_are_not_all_carried_over(store: GitStore) -> None:
    found = store.query("SELECT repeat('x', 1000000) FROM range(1000)")
    assert found.truncated
    assert 50 <= len(found.rows) < 100
    with pytest.raises(UserError, match="one row of the result is too large"):
        store.query("SELECT repeat('x', 100000000)")


def test_what_an_analysed_query_may_do_is_no_more(store: GitStore) -> None:
    """EXPLAIN ANALYZE runs its statement; one that reads is fine."""
    assert "physical" in str(store.query("EXPLAIN SELECT count(*) FROM metrics").rows).lower()
    assert store.query("EXPLAIN ANALYZE SELECT count(*) FROM metrics").rows


def test_an_expression_without_end_is_refused(store: GitStore) -> None:
    with pytest.raises(UserError, match="expression depth"):
        store.query("SELECT " + "(" * 20_000 + "1" + ")" * 20_000)


def test_the_process_is_replaced_after_it_was_killed(store: GitStore) -> None:
    store.query("SELECT 1")
    process = store._queries._process
    assert process is not None
    psutil.Process(process.pid).kill()
    process.wait()
    assert store.query("SELECT 2").rows == ((2,),)


def test_the_process_ends_with_the_one_that_started_it(root: Path) -> None:
    store = GitStore(root)
    store.query("SELECT 1")
    process = store._queries._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0


def test_the_folder_for_temporary_files_is_not_seen_either(root: Path) -> None:
    """DuckDB allows it always: `.tmp` where the process was started."""
    (root / ".tmp").mkdir()
    try:
        shutil.copy(root / "secret.csv", root / ".tmp")
        store = GitStore(root)
        for sql in ("FROM '.tmp/secret.csv'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '.tmp/out.csv'"):
            with pytest.raises(UserError) as caught:
                store.query(sql)
            assert HIDDEN not in str(caught.value)
        assert [place.name for place in (root / ".tmp").iterdir()] == ["secret.csv"]
    finally:
        shutil.rmtree(root / ".tmp")


def test_code_in_the_project_is_not_run(root: Path) -> None:
    for package in ("tui", "duckdb"):
        (root / package).mkdir()
        (root / package / "__init__.py").write_text("raise SystemExit(3)")
    try:
        assert GitStore(root).query("SELECT 1", timeout_s=1e300).rows == ((1,),)
    finally:
        for package in ("tui", "duckdb"):
            shutil.rmtree(root / package)


def test_the_limit_of_memory_is_one_that_a_small_machine_has() -> None:
    assert MAX_MEMORY <= 4 * 1024**3
