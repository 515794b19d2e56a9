"""Repositories that are special as a whole: where the project is, what points at its commits, what is queued."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pygit2

from tests.contract.repos.cases import Files, dvc_yaml, locked, stage
from tests.unit.store_repos import RepoBuilder

PLACES: dict[str, Callable[[Path], list[Path]]] = {}
"""Name -> writes a repository into an empty folder and answers the projects to look at."""
UNCACHED = {"cache": False}
LOCAL = "/t[m]p\n/cache\n"
"""What DVC puts into .dvc/.gitignore."""
FIRST: Files = {
    "dvc.yaml": stage(params=["lr"], metrics=[{"m.json": UNCACHED}], deps=["code.py"], outs=["o"]),
    "dvc.lock": locked(s={"deps": {"code.py": "a" * 32}, "outs": {"o": "b" * 32}}),
    "params.yaml": "lr: 1e-3\n",
    "m.json": {"n": 1},
}


def place(make: Callable[[Path], list[Path]]) -> Callable[[Path], list[Path]]:
    """Register a repository under the name of its function."""
    PLACES[make.__name__] = make
    return make


def git(root: Path, *arguments: str) -> None:
    """A Git command in a repository."""
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def dvc(root: Path, *arguments: str) -> None:
    """A DVC command in a project."""
    environment = os.environ | {
        "DVC_NO_ANALYTICS": "1",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@example.com",
    }
    subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment, check=True, capture_output=True
    )


def head(builder: RepoBuilder) -> str:
    """SHA of HEAD."""
    return str(builder.repository.head.target)


@place
def project_in_a_sub_folder(root: Path) -> list[Path]:
    builder = RepoBuilder(root, prefix="deep/project")
    rev = builder.commit({**FIRST, ".dvc/config": "[core]\n    analytics = false\n"})
    builder.experiment("ant", rev, {"m.json": {"n": 2}})
    builder.prefix = ""
    builder.commit(
        {"dvc.yaml": dvc_yaml(metrics=["outside.json"]), "outside.json": {"n": 3}, "params.yaml": "out: 1\n"}
    )
    builder.checkout()
    return [builder.root]


@place
def two_projects_in_one_repository(root: Path) -> list[Path]:
    builder = RepoBuilder(root, prefix="one")
    other = RepoBuilder(root, prefix="two")
    builder.commit({**FIRST, ".dvc/config": ""})
    rev = other.commit({**FIRST, "m.json": {"two": 2}, "params.yaml": "lr: 2\n", ".dvc/config": ""})
    builder.experiment("ant", rev, {"m.json": {"n": 5}})
    other.experiment("bee", rev, {"params.yaml": "lr: 7\n"})
    other.commit({"dvc.yaml": None})
    builder.checkout()
    return [builder.root, other.root]


@place
def project_around_another(root: Path) -> list[Path]:
    """The outer project does not look into the inner one."""
    outer = RepoBuilder(root)
    inner = RepoBuilder(root, prefix="inner/one")
    outer.commit(
        {
            **FIRST,
            ".dvc/config": "",
            "beside/dvc.yaml": stage(metrics=[{"b.json": UNCACHED}]),
            "beside/b.json": {"b": 1},
        }
    )
    rev = inner.commit({**FIRST, ".dvc/config": "", "m.json": {"inner": 1}})
    outer.experiment("ant", rev, {"m.json": {"n": 9}})
    inner.experiment("bee", rev, {"m.json": {"inner": 9}})
    outer.checkout()
    return [outer.root, inner.root]


@place
def cache_elsewhere(root: Path) -> list[Path]:
    """Cache folders by .dvc/config, and by .dvc/config.local, which wins."""
    builder = RepoBuilder(root / "repo")
    one, two = builder.cache(b'{"acc": 0.5}'), builder.cache(b'{"acc": 0.75}')
    (builder.root / ".dvc/cache").rename(root / "shared cache")
    builder.commit(
        {
            ".dvc/config": "[cache]\n    dir = ../../nowhere\n    type = symlink\n",
            ".dvc/.gitignore": f"/config.local\n{LOCAL}",
            "dvc.yaml": stage(metrics=["m.json"]),
            "dvc.lock": locked(s={"outs": {"m.json": one}}),
        }
    )
    builder.experiment("ant", head(builder), {"dvc.lock": locked(s={"outs": {"m.json": two}})})
    builder.checkout()
    (builder.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {root / 'shared cache'}\n")
    return [builder.root]


@place
def detached_head(root: Path) -> list[Path]:
    builder = RepoBuilder(root)
    one = builder.commit(FIRST, "one")
    builder.commit({"params.yaml": "lr: 2\n"}, "two")
    builder.experiment("ant", one, {"m.json": {"n": 2}})
    builder.repository.set_head(builder.repository[one].id)
    builder.checkout()
    return [builder.root]


@place
def branches_tags_and_a_merge(root: Path) -> list[Path]:
    builder = RepoBuilder(root)
    one = builder.commit(FIRST, "one")
    builder.repository.references.create("refs/heads/feature/x", one)
    side = builder.commit({"m.json": {"n": 2}}, "on the branch", branch="feature/x")
    builder.commit({"params.yaml": "lr: 2\n"}, "two")
    builder.experiment("ant", side, {"m.json": {"n": 3}})
    author = builder.signature()
    builder.repository.create_tag("v1", builder.repository[one].id, pygit2.enums.ObjectType.COMMIT, author, "a tag")
    builder.repository.create_reference("refs/tags/light", side)
    builder.checkout()
    git(root, "merge", "-q", "--no-ff", "-m", "merged", "feature/x")
    return [builder.root]


@place
def linked_work_tree(root: Path) -> list[Path]:
    builder = RepoBuilder(root / "main")
    builder.commit({**FIRST, ".dvc/config": "", ".dvc/.gitignore": LOCAL})
    builder.experiment("ant", head(builder), {"m.json": {"n": 2}})
    builder.checkout()
    git(builder.root, "worktree", "add", "-q", "-b", "other", str(root / "linked"))
    (root / "linked/params.yaml").write_text("lr: 77\n")
    return [root / "linked", builder.root]


@place
def work_tree_with_edits(root: Path) -> list[Path]:
    """Edited, removed, new and staged files; results in the work tree that the cache has otherwise."""
    builder = RepoBuilder(root)
    cached = builder.cache(b'{"acc": 0.5}')
    builder.commit(
        {
            "dvc.yaml": stage(params=["lr"], metrics=["m.json", {"u.json": UNCACHED}, "d"], outs=["o"]),
            "dvc.lock": locked(s={"outs": {"m.json": cached, "o": "c" * 32}}),
            "params.yaml": "lr: 1\n",
            "u.json": {"n": 1},
            ".gitignore": "/m.json\n/d\n",
        }
    )
    builder.checkout()
    builder.write({"m.json": {"acc": 0.9}, "params.yaml": "lr: 5\nnew: 1\n", "d/x.json": {"x": 1}, "o": "text"})
    builder.write({"sub/dvc.yaml": stage(metrics=[{"s.json": UNCACHED}]), "sub/s.json": {"s": 1}})
    (root / "u.json").unlink()
    return [builder.root]


@place
def experiments_of_several_commits(root: Path) -> list[Path]:
    """An experiment may be a chain of commits; one name may be used on two baselines; two names for one commit."""
    builder = RepoBuilder(root)
    one = builder.commit(FIRST, "one")
    first = builder.experiment("chain", one, {"m.json": {"n": 2}})
    last = builder.experiment("part", first, {"m.json": {"n": 3}})
    builder.repository.references.delete(f"refs/exps/{first[:2]}/{first[2:]}/part")
    builder.repository.references.create(f"refs/exps/{one[:2]}/{one[2:]}/chain", last, force=True)
    two = builder.commit({"params.yaml": "lr: 2\n"}, "two")
    builder.experiment("same", one, {"m.json": {"n": 4}})
    again = builder.experiment("same", two, {"m.json": {"n": 5}})
    builder.repository.references.create(f"refs/exps/{two[:2]}/{two[2:]}/twin-ü;x", again)
    builder.checkout()
    git(root, "pack-refs", "--all")
    git(root, "gc", "-q")
    return [builder.root]


@place
def metrics_on_a_remote_that_does_not_answer(root: Path) -> list[Path]:
    builder = RepoBuilder(root)
    remote = "[core]\n    remote = far\n['remote \"far\"']\n    url = http://127.0.0.1:9/data\n"
    builder.commit(
        {
            ".dvc/config": remote,
            "dvc.yaml": stage(metrics=["m.json", "folder"], params=["lr"]),
            "dvc.lock": locked(s={"outs": {"m.json": "c" * 32, "folder": "d" * 32 + ".dir"}}),
            "params.yaml": "lr: 1\n",
        }
    )
    builder.checkout()
    return [builder.root]


@place
def links_in_place_of_files(root: Path) -> list[Path]:
    """Metrics, params and a folder that are links to others in the repository, as Git stores them."""
    builder = RepoBuilder(root)
    rev = builder.commit(
        {
            "dvc.yaml": dvc_yaml(metrics=["link.json", "folder"], params=["link.yaml"]),
            "real/m.json": {"n": 1},
            "real/p.yaml": "a: 1\n",
            "params.yaml": "b: 1\n",
        }
    )
    index = pygit2.Index()
    index.read_tree(builder.repository[rev].tree)
    for path, target in (("link.json", "real/m.json"), ("link.yaml", "real/p.yaml"), ("folder", "real")):
        blob = builder.repository.create_blob(target.encode())
        index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.LINK))
    author, tree = builder.signature(), index.write_tree(builder.repository)
    builder.repository.create_commit("refs/heads/main", author, author, "links", tree, [rev])
    builder.checkout()
    return [builder.root]


@place
def queued_and_failed_by_dvc(root: Path) -> list[Path]:
    """Two experiments that DVC has queued; the files say that a worker has taken one of them, which failed."""
    builder = RepoBuilder(root)
    files = {**FIRST, ".dvc/config": "", ".dvc/.gitignore": LOCAL, ".dvcignore": ""}
    builder.commit({**files, "dvc.yaml": stage(params=["lr"], metrics=[{"m.json": UNCACHED}])})
    builder.experiment("done", head(builder), {"m.json": {"n": 2}})
    builder.checkout()
    dvc(root, "exp", "run", "--queue", "--name", "later", "--set-param", "lr=5,6")
    celery = root / ".dvc/tmp/exps/celery"
    message = min((celery / "broker/in").iterdir())
    task = json.loads(message.read_text())["headers"]["id"]
    (celery / "broker/processed").mkdir(exist_ok=True)
    message.rename(celery / "broker/processed" / message.name)
    (celery / "result").mkdir(exist_ok=True)
    result = {"status": "FAILURE", "result": None, "traceback": None, "children": [], "task_id": task}
    (celery / f"result/celery-task-meta-{task}").write_text(json.dumps(result))
    return [builder.root]
