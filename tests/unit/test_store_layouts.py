"""Where DVC says that things are: when it is asked, what happens until it answers, and when it cannot."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.unit.store_repos import Content, RepoBuilder
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.layouts.key import LayoutKeys
from tui.store.layouts.resolver import PROGRAM, Answer, Resolver
from tui.store.parsing.documents import Documents

PIPELINE = """\
vars:
- conf.yaml
stages:
  each:
    foreach: ${langs}
    do:
      cmd: python train.py --lr ${train.lr} --words "${words}"
      params: [train]
      metrics:
      - out/${item}.json:
          cache: false
"""
FILES: dict[str, Content] = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "train: {lr: 0.1, seed: 0}\nwords: one\n",
    "conf.yaml": "langs: [en, de]\n",
    "out/en.json": {"n": 1},
    "out/de.json": {"n": 2},
}
PLAIN = "stages:\n  s:\n    cmd: x\n    metrics:\n    - m.json:\n        cache: false\n"


class CountingResolver(Resolver):
    """Asks DVC, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def ask(self, root: Path, revs: Sequence[str], receive: Callable[[str, Answer], None]) -> None:
        """Pass the question on, once it may."""
        self.asked += revs
        assert self.may_answer.wait(30)
        super().ask(root, revs, receive)


@pytest.fixture
def builder(tmp_path: Path) -> RepoBuilder:
    return RepoBuilder(tmp_path / "repo")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> CountingResolver:
    found = CountingResolver()
    monkeypatch.setattr("tui.store.layouts.lookup.shared_resolver", lambda: found)
    return found


def use(monkeypatch: pytest.MonkeyPatch, program: str, answer_s: float = 20.0) -> None:
    """Let another program stand for DVC's."""
    found = Resolver([sys.executable, "-c", program], answer_s)
    monkeypatch.setattr("tui.store.layouts.lookup.shared_resolver", lambda: found)


def by_label(store: GitStore) -> dict[str, Experiment]:
    return {row.label: row for row in store.experiments()}


CHANGES: list[tuple[dict[str, Content], int]] = [
    ({"params.yaml": "train: {lr: 0.3, seed: 7}\nwords: two\n"}, 0),
    ({"conf.yaml": "langs: [de, en]\n"}, 1),
    ({"params.yaml": "train: {lr: 0.1, seed: 0}\n"}, 1),
    ({"params.yaml": "train: {lr: 0.1, seed: 0}\nwords: one\nlangs: [x]\n"}, 1),
    ({"params.yaml": "train: {lr: 0.1, seed: 0}\nwords: [one]\n"}, 1),
    ({"params.yaml": "train: {lr: 2024-01-01, seed: 0}\nwords: one\n"}, 1),
    ({"conf.yaml": "- no\n- mapping\n"}, 1),
    ({"sub/dvc.yaml": PLAIN}, 1),
    ({"code.py": "new", "out/en.json": {"n": 5}, "dvc.lock": "schema: '2.0'\nstages: {}\n"}, 0),
    ({"data.dvc": f"outs:\n- md5: {'a' * 32}\n  path: data\n"}, 1),
    ({".dvcignore": "out\n"}, 1),
]


@pytest.mark.parametrize(("changes", "num_more"), CHANGES)
def test_dvc_is_asked_again_only_about_what_selects_files(
    builder: RepoBuilder, resolver: CountingResolver, changes: dict[str, Content], num_more: int
) -> None:
    rev = builder.commit(FILES)
    builder.experiment("changed", rev, changes)
    builder.checkout()
    rows = by_label(GitStore(builder.root))
    assert rows["main"].metrics == {"out/en.json": {"n": 1}, "out/de.json": {"n": 2}}
    assert len(resolver.asked) == 1 + num_more


def test_a_dvc_file_with_other_hashes_is_the_same_layout(builder: RepoBuilder, resolver: CountingResolver) -> None:
    text = "outs:\n- md5: {md5}\n  size: {size}\n  hash: md5\n  path: data\n"
    rev = builder.commit({"data.dvc": text.format(md5="a" * 32, size=1)})
    builder.experiment("newer", rev, {"data.dvc": text.format(md5="b" * 32, size=2)})
    builder.experiment("other", rev, {"data.dvc": text.format(md5="b" * 32, size=2).replace("data", "more")})
    builder.checkout()
    rows = by_label(GitStore(builder.root))
    assert [rows[name].outs for name in ("main", "newer", "other")] == [
        {"data": "a" * 32},
        {"data": "b" * 32},
        {"more": "b" * 32},
    ]
    assert len(resolver.asked) == 2


def test_a_clean_workspace_has_the_layout_of_its_commit(builder: RepoBuilder, resolver: CountingResolver) -> None:
    rev = builder.commit(FILES)
    builder.checkout()
    store = GitStore(builder.root)
    assert store.experiments()[0].metrics == {"out/en.json": {"n": 1}, "out/de.json": {"n": 2}}
    assert resolver.asked in (["workspace"], [rev])
    builder.write({"conf.yaml": "langs: [de]\n"})
    assert store.experiments()[0].metrics == {"out/de.json": {"n": 2}}
    assert resolver.asked[1:] == ["workspace"]


def test_layouts_are_kept_between_processes(builder: RepoBuilder, resolver: CountingResolver) -> None:
    builder.commit(FILES)
    builder.checkout()
    before = GitStore(builder.root).experiments()
    assert len(resolver.asked) == 1
    assert GitStore(builder.root).experiments() == before
    assert len(resolver.asked) == 1


def test_rows_appear_before_dvc_has_answered_and_fill_in(builder: RepoBuilder, resolver: CountingResolver) -> None:
    builder.commit({**FILES, "sub/dvc.yaml": PLAIN, "sub/m.json": {"n": 3}})
    builder.checkout()
    resolver.may_answer.clear()
    store = GitStore(builder.root, is_live=True)
    first = store.experiments()
    assert [row.is_pending for row in first] == [True, True]
    assert [row.metrics for row in first] == [{"sub/m.json": {"n": 3}}] * 2
    assert first[1].params == {"params.yaml": {"train": {"lr": 0.1, "seed": 0}, "words": "one"}}
    resolver.may_answer.set()
    assert store.wait(30)
    second = store.experiments()
    assert [row.is_pending for row in second] == [False, False]
    everything = {"sub/m.json": {"n": 3}, "out/en.json": {"n": 1}, "out/de.json": {"n": 2}}
    assert [row.metrics for row in second] == [everything] * 2
    assert [row.error for row in second] == [None, None]


def test_one_pipeline_that_dvc_refuses_does_not_hide_the_others(builder: RepoBuilder) -> None:
    broken = "stages:\n  a: {cmd: x, nonsense: 1, metrics: [m.json: {cache: false}]}\n"
    builder.commit({**FILES, "sub/dvc.yaml": broken, "sub/m.json": {"n": 3}})
    row = GitStore(builder.root).resolve("HEAD")
    assert row.metrics == {"out/en.json": {"n": 1}, "out/de.json": {"n": 2}, "sub/m.json": {"n": 3}}
    assert (row.error or "").startswith("sub/dvc.yaml: ")
    assert "nonsense" in (row.error or "")


FAULTS = {
    "crashes": ("import sys; sys.exit(3)", "its process ended"),
    "hangs": ("import time; time.sleep(60)", "did not say within"),
    "prints rubbish": ("print('rubbish'); print('{}'); print('[1'); print('null')", "its process ended"),
    "answers rubbish": (
        "import json, sys\nfor line in sys.stdin: print(json.dumps({**json.loads(line), 'layout': {}}), flush=True)",
        "cannot be understood",
    ),
    "fails": (
        "import json, sys\nfor line in sys.stdin:\n"
        "    print(json.dumps({**json.loads(line), 'problem': 'no', 'is_final': False}), flush=True)",
        "DVC says: no",
    ),
}


@pytest.mark.parametrize(("program", "reason"), FAULTS.values(), ids=FAULTS)
def test_without_dvc_a_row_shows_what_is_plain_to_see(
    builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    builder.commit({"dvc.yaml": PLAIN, "m.json": {"n": 1}, "params.yaml": "a: 1\n"})
    builder.checkout()
    with monkeypatch.context() as patch:
        use(patch, program, answer_s=0.5 if reason.startswith("did") else 20.0)
        for row in GitStore(builder.root).experiments():
            assert row.metrics == {"m.json": {"n": 1}}
            assert row.params == {"params.yaml": {"a": 1}}
            assert reason in (row.error or "")
    assert [row.error for row in GitStore(builder.root).experiments()] == [None, None]


def test_a_program_that_cannot_be_started_is_told_once(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    builder.commit({"dvc.yaml": PLAIN, "m.json": {"n": 1}})
    found = Resolver(["/no/such/program"])
    monkeypatch.setattr("tui.store.layouts.lookup.shared_resolver", lambda: found)
    row = GitStore(builder.root).resolve("HEAD")
    assert row.metrics == {"m.json": {"n": 1}}
    assert "/no/such/program" in (row.error or "")


def test_the_program_answers_in_lines_ends_with_its_input_and_changes_nothing(builder: RepoBuilder) -> None:
    rev = builder.commit(FILES)
    builder.checkout()
    before = sorted(path.relative_to(builder.root) for path in builder.root.rglob("*") if ".git/" not in str(path))
    questions = "".join(json.dumps({"root": str(builder.root), "rev": one}) + "\n" for one in (rev, "0" * 40, rev))
    command = [sys.executable, "-P", str(PROGRAM)]
    done = subprocess.run(command, input=questions, capture_output=True, text=True, timeout=60, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["rev"] for answer in answers] == [rev, "0" * 40, rev]
    assert answers[0]["layout"]["metrics"] == {"out/en.json": ["each@en", False], "out/de.json": ["each@de", False]}
    assert "layout" not in answers[1]
    assert answers[1]["problem"]
    assert answers[2]["layout"] == answers[0]["layout"]
    after = sorted(path.relative_to(builder.root) for path in builder.root.rglob("*") if ".git/" not in str(path))
    assert [path for path in after if path not in before and ".dvc/tmp" not in str(path)] == []


def test_one_revision_that_kills_dvc_hides_no_other(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = builder.commit({"dvc.yaml": PLAIN, "m.json": {"n": 1}})
    builder.experiment("good", bad, FILES)
    crash = f"if '{bad}' in line: os._exit(9)"
    program = (
        "import os, subprocess, sys\n"
        f"real = subprocess.Popen([sys.executable, '-P', {str(PROGRAM)!r}], stdin=subprocess.PIPE, text=True)\n"
        f"for line in sys.stdin:\n    {crash}\n    print(line, end='', file=real.stdin, flush=True)\n"
    )
    use(monkeypatch, program)
    rows = by_label(GitStore(builder.root))
    assert "its process ended" in (rows["main"].error or "")
    assert rows["main"].metrics == {"m.json": {"n": 1}}
    assert rows["good"].error is None
    assert rows["good"].metrics == {"out/en.json": {"n": 1}, "out/de.json": {"n": 2}}


def test_leaving_does_not_wait_for_dvc(builder: RepoBuilder) -> None:
    builder.commit(FILES)
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom tui.store import GitStore\n"
        "import tui.store.layouts.lookup as layouts\nfrom tui.store.layouts.resolver import Resolver\n"
        "slow = Resolver([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "layouts.shared_resolver = lambda: slow\n"
        f"rows = GitStore(Path({str(builder.root)!r}), is_live=True).experiments()\n"
        "print(rows[1].is_pending, flush=True)\ntime.sleep(0.5)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "True\n"


def test_an_asking_thread_that_fails_leaves_no_row_pending(
    builder: RepoBuilder, resolver: CountingResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.commit({"dvc.yaml": PLAIN, "m.json": {"n": 1}})
    builder.checkout()

    def ask(*_: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(resolver, "ask", ask)
        store = GitStore(builder.root, is_live=True)
        store.experiments()
        assert store.wait(10)
        rows = store.experiments()
        assert [row.is_pending for row in rows] == [False, False]
        assert all("RuntimeError('a defect')" in (row.error or "") for row in rows)
    monkeypatch.setattr("tui.store.layouts.lookup.RETRY_S", 0.0)
    rows = GitStore(builder.root).experiments()
    assert [(row.error, row.metrics) for row in rows] == [(None, {"m.json": {"n": 1}})] * 2
    builder.write({"dvc.yaml": PLAIN + "# other\n"})
    store.experiments()
    assert store.wait(30)
    assert [row.error for row in store.experiments()] == [None, None], "it asks again"


def test_failures_that_are_kept_have_a_bound(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.layouts.lookup._MAX_LAYOUTS", 2)
    found = Resolver(["/no/such/program"])
    monkeypatch.setattr("tui.store.layouts.lookup.shared_resolver", lambda: found)
    rev = builder.commit({"dvc.yaml": PLAIN})
    for number in range(5):
        builder.experiment(f"e{number}", rev, {"dvc.yaml": f"{PLAIN}# {number}\n"})
    store = GitStore(builder.root)
    assert len(store.experiments()) == 7
    assert len(store._layouts._failed) <= 2


def test_structures_that_are_kept_have_a_bound(builder: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.layouts.key._MAX_KNOWN", 2)
    rev = builder.commit(FILES)
    keys = LayoutKeys(Documents())
    store, found = GitStore(builder.root), set()
    for number in range(5):
        one = builder.experiment(f"e{number}", rev, {"params.yaml": f"p{number}: 1\n"})
        found.add(keys.of(store._commits.files(one)))
    assert len(found) == 5
    assert 0 < len(keys._structures) <= 2


def test_what_has_ended_starts_no_process_again(tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = f"open({str(started)!r}, 'a').write('x'); import time; time.sleep(60)"
    found, answers = Resolver([sys.executable, "-c", program]), dict[str, Answer]()
    thread = threading.Thread(target=found.ask, args=(tmp_path, ["a", "b"], answers.__setitem__))
    thread.start()
    deadline = time.monotonic() + 20
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    found._kill()
    thread.join(10)
    assert not thread.is_alive()
    assert found._process is None
    assert started.read_text() == "x"
    assert [answer.is_final for answer in answers.values()] == [False, False]
