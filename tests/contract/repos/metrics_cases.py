"""Metrics: in JSON, YAML, TOML and what else DVC reads, as files and folders, tracked by Git, by DVC or by neither."""

from tests.contract.repos.cases import Files, History, case, dvc_yaml, hashed, history, locked, stage
from tests.unit.store_repos import RepoBuilder

UNCACHED = {"cache": False}


@case("metrics")
def metrics_json(cache: RepoBuilder) -> History:
    pipeline = stage(
        metrics=[{"m.json": UNCACHED}, {"number.json": UNCACHED}, {"list.json": UNCACHED}, {"word.json": UNCACHED}]
    )
    first: Files = {
        "dvc.yaml": pipeline,
        "m.json": '{"i": 1, "f": 1.0, "t": true, "no": false, "s": "text", "empty": "", "none": null, "list": [1, 2], '
        '"deep": {"a": {"b": 1e-5}, "gone": {"x": [1]}, "nothing": {}}, "": 3, "a.b": 4, "zero": 0, "zf": 0.0, '
        '"big": 123456789012345678901234567890}',
        "number.json": "0.5",
        "list.json": "[1, 2]",
        "word.json": '"done"',
    }
    return history(
        first,
        [{"m.json": '{"i": "one", "f": 1, "t": 1}', "number.json": "0"}, {"m.json": '{"i": {"now": "deep"}}'}],
        {"m.json": '{"nan": NaN, "inf": Infinity, "ok": 1}', "list.json": None},
        edits={"m.json": '{"i": 5}', "list.json": {"a": 1}},
    )


@case("metrics")
def metrics_yaml(cache: RepoBuilder) -> History:
    pipeline = dvc_yaml(metrics=["m.yaml", "m.txt", "number.metric", "none.yaml", "m.csv"])
    return history(
        {
            "dvc.yaml": pipeline,
            "m.yaml": "acc: 1e-5\nyes: no\nday: 2024-01-02\nlist: [1]\nnone: ~\ndeep: {1: 2, true: x, a: {}}\n"
            "inf: .inf\noct: 017\nclock: 12:30\nbig: 0x1F\n",
            "m.txt": "loss: 0.5\n",
            "number.metric": "0.75\n",
            "none.yaml": "",
            "m.csv": "step,loss\n1,2\n",
        },
        {"m.yaml": "acc: [broken\n", "m.txt": "just words\n"},
    )


@case("metrics")
def metrics_toml(cache: RepoBuilder) -> History:
    return history(
        {
            "dvc.yaml": dvc_yaml(metrics=["m.toml", "m.py"]),
            "m.toml": "a = 1\nb = 1.0\nc = true\nday = 2024-01-02\nlist = [1]\n[deep]\nx = 'y'\n[[many]]\nn = 1\n",
            "m.py": "a = 1\nb = [1]\nclass C:\n    d = 2.5\n",
        },
        {"m.toml": "a = nan\n"},
    )


@case("metrics")
def metrics_in_folders(cache: RepoBuilder) -> History:
    cached = cache.cache_folder({"a.json": b'{"n": 1}', "deep/b.yaml": b"n: 2\n"})
    other = cache.cache_folder({"a.json": b'{"n": 3}', "c/d/e.toml": b"n = 4\n"})
    pipeline = dvc_yaml(
        metrics=["top"], stages={"s": {"cmd": "x", "metrics": ["cached", {"plain": UNCACHED}], "outs": ["result"]}}
    )
    outs = {"cached": cached, "plain": "1" * 32 + ".dir", "result": other}
    return history(
        {
            "dvc.yaml": pipeline,
            "dvc.lock": locked(s={"outs": outs}),
            "plain/x.json": {"n": 5},
            "plain/deep/y.json": {"n": 6},
            "top/z.json": {"n": 7},
        },
        [{"dvc.lock": locked(s={"outs": {**outs, "cached": other}}), "plain/x.json": None}],
        {"plain/words.txt": "some words\n", "plain/page.html": "<html><p>a: b</p></html>", "top/z.json": None},
    )


@case("metrics")
def metrics_in_the_cache(cache: RepoBuilder) -> History:
    one, two = cache.cache(b'{"acc": 0.5}'), cache.cache(b"acc: 0.75\nlist: [1]\n")
    pipeline = dvc_yaml(
        stages={
            "s": {"cmd": "x", "metrics": ["m.json", "m.yaml", {"kept.json": {"persist": True}}]},
            "never": {"cmd": "x", "metrics": ["never.json"]},
            "gone": {"cmd": "x", "metrics": ["gone.json", "folder"]},
        }
    )
    outs = {"m.json": one, "m.yaml": two, "kept.json": one}
    gone = {"gone.json": "e" * 32, "folder": "d" * 32 + ".dir"}
    return history(
        {"dvc.yaml": pipeline, "dvc.lock": locked(s={"outs": outs}, gone={"outs": gone})},
        [{"dvc.lock": locked(s={"outs": {**outs, "m.yaml": one}})}, {"dvc.lock": None}],
        edits={"m.json": {"acc": 0.25}, "never.json": {"n": 1}},
    )


@case("metrics")
def a_folder_in_the_cache_without_its_files(cache: RepoBuilder) -> History:
    """The listing of the folder is there, one of its files is not."""
    listing = cache.cache(
        b'[{"md5": "cccccccccccccccccccccccccccccccc", "relpath": "gone.json"}, {"md5": "%s", "relpath": "here.json"}]'
        % cache.cache(b'{"n": 1}').encode(),
        ".dir",
    )
    return history({"dvc.yaml": stage(metrics=["d"]), "dvc.lock": locked(s={"outs": {"d": listing}})})


@case("metrics")
def metrics_inside_an_output(cache: RepoBuilder) -> History:
    """A stage writes a folder; dvc.yaml names files in it as metrics and params, as dvclive does."""
    results = cache.cache_folder(
        {"metrics.json": b'{"loss": 1e-3}', "params.yaml": b"lr: 1e-5\n", "plots/loss.tsv": b"step\tloss\n0\t1\n"}
    )
    other = cache.cache_folder({"metrics.json": b'{"loss": 2}'})
    pipeline = dvc_yaml(
        params=["results/params.yaml"],
        metrics=["results/metrics.json"],
        plots=[{"results/plots": {"x": "step"}}, "results/plots/loss.tsv"],
        stages={"train": {"cmd": "x", "outs": ["results"]}},
    )
    return history(
        {"dvc.yaml": pipeline, "dvc.lock": locked(train={"outs": {"results": results}})},
        [{"dvc.lock": locked(train={"outs": {"results": other}})}, {"dvc.lock": locked(train={"outs": {}})}],
    )


@case("metrics")
def metrics_added_by_hand(cache: RepoBuilder) -> History:
    """`dvc add` of files that dvc.yaml calls metrics."""
    one, two = cache.cache(b'{"acc": 0.5}'), cache.cache(b'{"acc": 0.25}')
    folder = cache.cache_folder({"m.json": b'{"n": 1}', "sub/k.json": b'{"n": 2}'})
    added = {"outs": hashed({"m.json": one})}
    return history(
        {
            "dvc.yaml": dvc_yaml(metrics=["m.json", "data/sub"]),
            "m.json.dvc": dvc_yaml(**added),
            "data.dvc": dvc_yaml(outs=hashed({"data": folder})),
        },
        [{"m.json.dvc": dvc_yaml(outs=hashed({"m.json": two}))}, {"m.json.dvc": None, "data.dvc": None}],
    )


@case("metrics")
def metrics_of_an_older_dvc(cache: RepoBuilder) -> History:
    """DVC 2 wrote no `hash:` and had its cache a level higher."""
    content = b'{"acc": 0.5}\n'
    place = cache.root / ".dvc/cache/files/md5"
    md5 = cache.cache(content)
    old = cache.root / ".dvc/cache" / md5[:2] / md5[2:]
    old.parent.mkdir(parents=True, exist_ok=True)
    (place / md5[:2] / md5[2:]).rename(old)
    entry = {"cmd": "x", "outs": hashed({"m.json": md5}, kind=None)}
    new = cache.cache(b'{"acc": 0.6}\n')
    return history(
        {"dvc.yaml": stage(metrics=["m.json"]), "dvc.lock": dvc_yaml(schema="2.0", stages={"s": entry})},
        [{"dvc.lock": locked(s={"outs": {"m.json": new}})}],
    )


@case("metrics")
def plots_are_no_metrics(cache: RepoBuilder) -> History:
    table = cache.cache(b"step,loss\n0,1\n")
    pipeline = dvc_yaml(
        plots=["top.csv", {"named": {"x": {"s.csv": "step"}, "y": {"s.csv": "loss"}}}],
        stages={
            "s": {
                "cmd": "x",
                "plots": ["s.csv", {"t.json": {**UNCACHED, "template": "confusion", "x": "a"}}, {"d": UNCACHED}],
                "metrics": [{"m.json": UNCACHED}],
                "outs": ["o"],
            }
        },
    )
    outs = {"s.csv": table, "t.json": "1" * 32, "o": "2" * 32, "m.json": "3" * 32}
    return history(
        {
            "dvc.yaml": pipeline,
            "dvc.lock": locked(s={"outs": outs}),
            "t.json": '[{"a": 1}]',
            "d/x.csv": "a\n1\n",
            "m.json": {"n": 1},
        },
        {"m.json": None},
    )


@case("metrics")
def metrics_twice(cache: RepoBuilder) -> History:
    """A file that a stage and the top both name, and a folder beside a file in it."""
    pipeline = dvc_yaml(
        metrics=["m.json", "live", "live/a.json", "./live/../m.json"],
        stages={"s": {"cmd": "x", "metrics": [{"m.json": UNCACHED}]}},
    )
    return history({"dvc.yaml": pipeline, "m.json": {"n": 1}, "live/a.json": {"n": 2}, "live/b.json": {"n": 3}})


@case("metrics")
def many_metrics_and_params(cache: RepoBuilder) -> History:
    """500 of each, with names that are odd anywhere else."""
    names = [f"name {number} 'q' \"d\" ; drop -- \t é {chr(7)} [b]" for number in range(500)]
    metrics = {name: number / 7 for number, name in enumerate(names)}
    pipeline = dvc_yaml(params=["p.json"], metrics=["m.json"])
    return history(
        {"dvc.yaml": pipeline, "m.json": metrics, "p.json": {name: str(value) for name, value in metrics.items()}},
        [{"m.json": {name: value + 1 for name, value in metrics.items()}}],
    )
