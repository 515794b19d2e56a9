"""Dependencies, outputs and .dvc files: their hashes, and what they do to the files that are shown."""

from tests.contract.repos.cases import History, case, dvc_yaml, hashed, history, locked, md5, stage
from tests.unit.store_repos import RepoBuilder

UNCACHED = {"cache": False}
A, B, C, D = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)


@case("tracking")
def dependencies_and_outputs(cache: RepoBuilder) -> History:
    pipeline = dvc_yaml(
        stages={
            "one": {
                "cmd": ["x", "y"],
                "deps": ["code.py", "data", "never.csv", "sub/../up.txt"],
                "outs": ["model", {"plain.txt": UNCACHED}, {"kept": {"persist": True}}, {"local": {"push": False}}],
                "metrics": [{"m.json": UNCACHED}],
                "plots": [{"p.csv": UNCACHED}],
                "always_changed": True,
                "meta": {"any": "thing"},
            },
            "two": {"cmd": "x", "deps": ["model", "code.py"], "outs": ["end"], "frozen": True},
            "three": {"cmd": "x", "deps": ["end"]},
        }
    )
    one = {
        "deps": {"code.py": A, "data": B + ".dir", "up.txt": C, "other.txt": D},
        "outs": {"model": C + ".dir", "plain.txt": D, "kept": A, "m.json": B, "p.csv": C, "local": D, "gone": A},
    }
    two = {"deps": {"model": D + ".dir", "code.py": B}, "outs": {"end": B}}
    return history(
        {"dvc.yaml": pipeline, "dvc.lock": locked(one=one, two=two), "m.json": {"n": 1}},
        [{"dvc.lock": locked(two=two)}, {"dvc.lock": None}, {"dvc.lock": locked(one=one, renamed=two)}],
        {"dvc.lock": locked(two=two, one={**one, "deps": {**one["deps"], "code.py": D}})},
    )


@case("tracking")
def locks_laid_out_otherwise(cache: RepoBuilder) -> History:
    """Flow style, quotes, comments, other order of keys, folders listed with `files:`, odd names, cloud versions."""
    names = ["with space.csv", "it's.csv", "ü.csv", "a: b.csv", "#x.csv", "- y.csv", "100%.csv", "[z].csv"]
    pipeline = stage(deps=[*names, "in"], outs=["out", "cloud"])
    hard = locked(s={"deps": {name: md5(number) for number, name in enumerate(names)}, "outs": {"out": A}})
    flow = (
        "# a comment\nstages: {s: {cmd: x, outs: [{md5: '" + A + "', path: out, hash: md5, size: 1}],\n"
        '  deps: [{"size": 2, "path": "in", "md5": ' + B + "}]}}\nschema: '2.0'\n"
    )
    listed = (
        f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n    - path: out\n      hash: md5\n      files:\n"
        f"      - relpath: x\n        md5: {A}\n        size: 1\n      - relpath: y/z\n        md5: {B}\n"
        f"        size: 1\n"
        f"    - path: cloud\n      hash: md5\n      md5: {C}\n      size: 3\n      cloud:\n        storage:\n"
        f"          etag: {D}\n          version_id: one\n    deps:\n    - path: in\n      md5: {D}\n      size: 0\n"
        "      nfiles: 0\n"
    )
    text = (
        f"schema: '2.0'\nstages:\n  s:\n    cmd: >\n      - path: out\n        md5: {D}\n    outs:\n"
        f"    - md5: {A}\n      path: out\n"
    )
    return history(
        {"dvc.yaml": pipeline, "dvc.lock": hard}, [{"dvc.lock": flow}, {"dvc.lock": listed}], {"dvc.lock": text}
    )


@case("tracking")
def files_added_and_imported(cache: RepoBuilder) -> History:
    """What `dvc add`, `dvc import` and `dvc import-url` write, with and without wdir, frozen, with `files:`."""
    imported = {
        "frozen": True,
        "deps": [{"path": "data/x.csv", "repo": {"url": "https://example.invalid/r", "rev_lock": "1" * 40}}],
        "outs": hashed({"x.csv": A}),
    }
    from_url = {
        "md5": B,
        "frozen": True,
        "deps": [{"etag": '"tag"', "size": 3, "hash": "md5", "path": "https://example.invalid/y.csv"}],
        "outs": hashed({"y.csv": B}),
    }
    near = {"wdir": "..", "deps": hashed({"source.csv": D}), "outs": hashed({"placed.csv": C, "folder": D + ".dir"})}
    return history(
        {
            "dvc.yaml": dvc_yaml(stages={"s": {"cmd": "x", "deps": ["plain.csv", "placed.csv"], "outs": ["o"]}}),
            "plain.csv.dvc": dvc_yaml(outs=hashed({"plain.csv": A}), desc="text", meta={"by": "hand"}),
            "old.csv.dvc": dvc_yaml(outs=hashed({"old.csv": A}, kind=None), md5=C),
            "never.csv.dvc": dvc_yaml(outs=[{"path": "never.csv"}]),
            "x.csv.dvc": dvc_yaml(**imported),
            "y.csv.dvc": dvc_yaml(**from_url),
            "sub/near.dvc": dvc_yaml(**near),
            "kept.csv.dvc": dvc_yaml(outs=[{**hashed({"kept.csv": D})[0], "persist": True, "cache": False}]),
        },
        [
            {"plain.csv.dvc": dvc_yaml(outs=hashed({"plain.csv": B}))},
            {"plain.csv.dvc": None, "sub/near.dvc": dvc_yaml(outs=hashed({"near": A}))},
        ],
        {"later.csv.dvc": dvc_yaml(outs=hashed({"later.csv": B})), "x.csv.dvc": None},
    )


@case("tracking")
def several_pipelines(cache: RepoBuilder) -> History:
    """Pipelines in folders and folders of folders, which use each other's outputs."""
    middle = dvc_yaml(
        params=["own.yaml"],
        metrics=["../shared.json"],
        stages={"m": {"cmd": "x", "deps": ["../start"], "outs": ["end"], "metrics": [{"m.json": UNCACHED}]}},
    )
    return history(
        {
            "dvc.yaml": stage(outs=["start"], params=["lr", {"middle/own.yaml": ["a"]}]),
            "dvc.lock": locked(s={"outs": {"start": A}}),
            "params.yaml": "lr: 1\n",
            "middle/dvc.yaml": middle,
            "middle/dvc.lock": locked(m={"deps": {"../start": A}, "outs": {"end": B}}),
            "middle/own.yaml": "a: 1\nb: 2\n",
            "middle/m.json": {"n": 1},
            "middle/deep/er/dvc.yaml": stage(deps=["../../end"], metrics=["../deeper.json"], params=["x"]),
            "middle/deep/er/params.yaml": "x: 1\n",
            "middle/deep/er/dvc.lock": locked(s={"outs": {"../deeper.json": cache.cache(b'{"d": 1}')}}),
            "shared.json": {"s": 1},
        },
        [{"middle/dvc.yaml": None}, {"middle/deep/er/params.yaml": "x: 2\n"}],
        {"late/dvc.yaml": dvc_yaml(metrics=["l.json"]), "late/l.json": {"l": 1}},
    )


@case("tracking")
def two_stages_with_one_output(cache: RepoBuilder) -> History:
    """DVC refuses to run that, and shows what the last of them says."""
    one, two = cache.cache(b'{"acc": 0.5}'), cache.cache(b'{"acc": 0.75}')
    stage_of_it = {"cmd": "x", "metrics": ["m.json"], "outs": ["o"]}
    pipeline = dvc_yaml(stages={"first": stage_of_it, "last": stage_of_it})
    first, last = {"outs": {"m.json": one, "o": A}}, {"outs": {"m.json": two, "o": B}}
    return history(
        {"dvc.yaml": pipeline, "dvc.lock": locked(first=first, last=last)},
        [{"dvc.lock": locked(first=first)}, {"dvc.lock": locked(last=last)}],
    )


@case("tracking")
def datasets_and_artifacts(cache: RepoBuilder) -> History:
    """What dvc.yaml declares besides stages; a dataset is a dependency without a file."""
    source = {"name": "raw", "type": "url", "url": "https://example.invalid/raw.csv"}
    lock = {"schema": "2.0", "datasets": [{**source, "meta": {"etag": "x"}, "files": []}]}
    pipeline = dvc_yaml(
        datasets=[source],
        artifacts={"model": {"path": "model.pt", "type": "model", "desc": "text", "labels": ["a"], "meta": {"b": 1}}},
        stages={"s": {"cmd": "x", "deps": ["ds://raw", "code.py"], "outs": ["model.pt"]}},
    )
    return history({"dvc.yaml": pipeline}, [{"dvc.lock": dvc_yaml(**lock)}])


@case()
def ignored_pipelines(cache: RepoBuilder) -> History:
    """.dvcignore hides a folder with a pipeline, and a metric; a deeper one, and an exception."""
    return history(
        {
            ".dvcignore": "# comment\nhidden\n*.skip\n/only_top\n!kept.skip\n",
            "dvc.yaml": dvc_yaml(metrics=["m.json", "all"]),
            "m.json": {"n": 1},
            "all/a.json": {"n": 2},
            "all/b.skip": "n: 3\n",
            "all/kept.skip": "n: 4\n",
            "hidden/dvc.yaml": dvc_yaml(metrics=["h.json"]),
            "hidden/h.json": {"n": 5},
            "sub/hidden/dvc.yaml": dvc_yaml(metrics=["h.json"]),
            "sub/hidden/h.json": {"n": 6},
            "sub/only_top/dvc.yaml": dvc_yaml(metrics=["t.json"]),
            "sub/only_top/t.json": {"n": 7},
            "only_top/dvc.yaml": dvc_yaml(metrics=["t.json"]),
            "deep/.dvcignore": "off\n",
            "deep/off/dvc.yaml": dvc_yaml(metrics=["o.json"]),
            "deep/on/dvc.yaml": dvc_yaml(metrics=["o.json"]),
            "deep/on/o.json": {"n": 8},
            "params.yaml": "a: 1\n",
        },
        [{".dvcignore": None}, {"deep/.dvcignore": "on\n"}],
        {".dvcignore": "sub\n"},
    )


@case()
def ignored_by_git(cache: RepoBuilder) -> History:
    """A .gitignore hides pipelines of the work tree, where they are not tracked."""
    return history(
        {
            ".gitignore": "build/\n",
            "dvc.yaml": dvc_yaml(metrics=["m.json"]),
            "m.json": {"n": 1},
            "params.yaml": "a: 1\n",
        },
        edits={
            "build/dvc.yaml": dvc_yaml(metrics=["b.json"]),
            "build/b.json": {"n": 2},
            "new/dvc.yaml": dvc_yaml(params=["q.yaml"]),
            "new/q.yaml": "q: 1\n",
        },
    )


@case()
def only_params_and_no_pipeline(cache: RepoBuilder) -> History:
    return history(
        {"params.yaml": "a: 1\nb: {c: 1e-5}\n"}, [{"params.yaml": "a: 2\n"}], {"params.yaml": None, "x": "1"}
    )
