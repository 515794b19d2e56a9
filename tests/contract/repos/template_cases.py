"""Templating: variables from files and inline, in every place that DVC resolves, foreach and matrix."""

from typing import Any

from tests.contract.repos.cases import History, case, dvc_yaml, history, locked, stage
from tests.unit.store_repos import Content, RepoBuilder

UNCACHED = {"cache": False}


def uncached(*paths: str) -> list[Any]:
    """Metrics that Git tracks."""
    return [{path: UNCACHED} for path in paths]


@case("templates")
def variables_from_files(cache: RepoBuilder) -> History:
    """Whole files, keys of files, inline values; used in commands, where they decide nothing but are tracked."""
    pipeline = dvc_yaml(
        vars=["conf/whole.yaml", "conf/part.json:one,two", "conf/t.toml", "conf/p.py", {"inline": {"deep": [1, "x"]}}],
        stages={
            "a": {"cmd": "x ${lr} ${whole.a} ${one.n} ${inline.deep[1]} ${toml_key} ${PY}"},
            "b": {"cmd": ["x ${two}", "y ${whole.list[0]}"], "metrics": uncached("m-${inline.deep[0]}-${one.n}.json")},
            "c": {"cmd": "z", "params": [{"conf/whole.yaml": ["whole.a"]}]},
        },
    )
    return history(
        {
            "dvc.yaml": pipeline,
            "params.yaml": "lr: 1e-5\nunused: 1\n",
            "conf/whole.yaml": "whole: {a: 1, list: [p, q]}\nnot_used: 2\n",
            "conf/part.json": {"one": {"n": 5}, "two": "2", "three": 3},
            "conf/t.toml": "toml_key = 1.5\n",
            "conf/p.py": "PY = 'v'\n",
            "m-1-5.json": {"n": 1},
            "m-1-6.json": {"n": 2},
        },
        [
            {"params.yaml": "lr: 3\n", "conf/part.json": {"one": {"n": 6}, "two": "other"}},
            {"conf/whole.yaml": "whole: {a: 7, list: [r]}\n"},
        ],
        {"conf/part.json": {"one": {"n": 6}, "two": "2"}},
    )


@case("templates")
def variables_of_a_stage(cache: RepoBuilder) -> History:
    """`vars` of a stage are read from its wdir."""
    pipeline = dvc_yaml(
        stages={
            "own": {
                "cmd": "x ${k} ${which}",
                "wdir": "work",
                "vars": ["v.yaml", {"which": "b"}],
                "metrics": uncached("m-${k}-${which}.json"),
            },
            "other": {"cmd": "x ${k}", "vars": [{"k": "other"}], "params": [{"${k}.yaml": ["a"]}]},
        }
    )
    return history(
        {
            "dvc.yaml": pipeline,
            "work/v.yaml": "k: one\nrest: 1\n",
            "work/m-one-b.json": {"n": 1},
            "work/m-two-b.json": {"n": 2},
            "other.yaml": "a: 1\nb: 2\n",
        },
        [{"work/v.yaml": "k: two\n"}],
    )


@case("templates")
def variables_in_every_place(cache: RepoBuilder) -> History:
    cached, folder = cache.cache(b'{"acc": 1}'), cache.cache_folder({"f.json": b'{"n": 1}'})
    pipeline = dvc_yaml(
        params=["${dir}/top.yaml"],
        metrics=["${dir}/top.json", "${nest.list[1].name}.json"],
        plots=["${dir}/p.csv", {"${dir}/q.csv": {"x": "${x}"}}],
        artifacts={"model": {"path": "${dir}/model.pt", "type": "model"}},
        stages={
            "s": {
                "cmd": "x ${args}",
                "wdir": "${dir}",
                "deps": ["code-${nest.n}.py", "../${dir}/in.csv"],
                "params": ["${key}", "${nest.key}.x", {"${file}.yaml": ["${key}", "a"]}],
                "outs": ["out-${flag}", {"${file}.bin": {"persist": True}}],
                "metrics": ["m-${number}.json", "folder-${nest.n}"],
                "frozen": True,
                "desc": "escaped \\${x}",
            }
        },
    )
    values = (
        "dir: work\nkey: lr\nfile: other\nnumber: 1e-3\nflag: true\nx: step\n"
        "nest: {n: 1, key: train, list: [a, {name: b}]}\n"
        "args: {lr: 0.1, names: [a, 'b c'], deep: {on: true, off: false}, text: it's}\n"
    )
    lock = locked(
        s={
            "deps": {"code-1.py": "a" * 32, "../work/in.csv": "b" * 32},
            "outs": {"out-true": "c" * 32, "other.bin": "d" * 32, "m-0.001.json": cached, "folder-1": folder},
        }
    )
    return history(
        {
            "dvc.yaml": pipeline,
            "dvc.lock": lock,
            "params.yaml": values,
            "work/params.yaml": "lr: 1\ntrain: {x: 2, y: 3}\nz: 4\n",
            "work/other.yaml": "lr: 5\na: 6\nb: 7\n",
            "work/top.yaml": "t: 1\n",
            "work/top.json": {"t": 2},
            "b.json": {"b": 3},
            "c.json": {"c": 4},
        },
        [
            {"params.yaml": values.replace("name: b", "name: c")},
            {"params.yaml": values.replace("flag: true", "flag: false").replace("n: 1,", "n: 2,")},
            {"params.yaml": values.replace("key: lr", "key: a").replace("dir: work", "dir: ./work/../work")},
            {"params.yaml": values.replace("lr: 0.1", "lr: 0.2")},
        ],
    )


FOREACH = dvc_yaml(
    stages={
        "list": {"foreach": ["a", 1, 2.5, True], "do": {"cmd": "x ${item}", "metrics": uncached("l-${item}.json")}},
        "dict": {
            "foreach": {"k": {"n": 1}, "3": {"n": 2}},
            "do": {"cmd": "x ${key}", "metrics": uncached("d-${key}-${item.n}.json"), "params": ["p.${key}"]},
        },
        "var": {"foreach": "${langs}", "do": {"cmd": "x", "metrics": uncached("v-${item}.json")}},
        "map": {
            "foreach": "${sets}",
            "do": {"cmd": "x ${item.args}", "wdir": "${key}", "metrics": uncached("${item.file}.json")},
        },
        "objects": {"foreach": [{"n": 1}, {"n": 2}], "do": {"cmd": "x", "outs": ["o-${item.n}"]}},
        "mixed": {"foreach": ["${first}", "b"], "do": {"cmd": "x", "metrics": uncached("x-${item}.json")}},
    }
)


@case("templates")
def foreach(cache: RepoBuilder) -> History:
    values = (
        "langs: [en, de]\nsets: {one: {file: a, args: {x: 1}}, two: {file: b, args: {}}}\nfirst: a\np: {k: 1, '3': 2}\n"
    )
    names = [
        *(f"l-{item}.json" for item in ("a", "1", "2.5", "true")),
        *("d-k-1.json", "d-3-2.json", "v-en.json", "v-de.json", "v-fr.json", "one/a.json", "two/b.json", "two/c.json"),
        *("x-a.json", "x-b.json", "x-c.json"),
    ]
    metrics: dict[str, Content] = {name: {"n": number} for number, name in enumerate(names)}
    lock = locked(**{"objects@0": {"outs": {"o-1": "a" * 32}}, "objects@1": {"outs": {"o-2": "b" * 32}}})
    return history(
        {"dvc.yaml": FOREACH, "dvc.lock": lock, "params.yaml": values, **metrics},
        [
            {"params.yaml": values.replace("[en, de]", "[en, de, fr]")},
            {"params.yaml": values.replace("[en, de]", "{en: fr, de: de}")},
            {"params.yaml": values.replace("file: b", "file: c").replace("first: a", "first: c")},
            {"params.yaml": values.replace("[en, de]", "[]")},
        ],
    )


@case("templates")
def matrix(cache: RepoBuilder) -> History:
    pipeline = dvc_yaml(
        vars=["grid.yaml"],
        stages={
            "grid": {
                "matrix": {"lang": "${langs}", "size": [1, 2.5, True], "opt": [{"name": "sgd", "lr": [1]}, "adam"]},
                "cmd": "x ${item.lang} ${key}",
                "metrics": uncached("${item.lang}-${item.size}.json"),
                "outs": ["out-${key}"],
            },
            "deep": {
                "matrix": {"model": "${models}"},
                "cmd": "x",
                "metrics": uncached("deep-${item.model.name}-${item.model.layers[0]}.json"),
                "params": [{"grid.yaml": ["models"]}],
            },
        },
    )
    sizes = ("1", "2.5", "true")
    metrics: dict[str, Content] = {f"{lang}-{size}.json": {"n": size} for lang in ("en", "de") for size in sizes}
    lock = locked(**{"grid@en-1-opt0": {"outs": {"out-en-1-opt0": "a" * 32}}})
    return history(
        {
            "dvc.yaml": pipeline,
            "dvc.lock": lock,
            "grid.yaml": "langs: [en, de]\nmodels: [{name: a, layers: [1]}, {name: b, layers: [2]}]\n",
            "deep-a-1.json": {"n": 1},
            "deep-b-2.json": {"n": 2},
            "deep-b-3.json": {"n": 3},
            **metrics,
        },
        [
            {"grid.yaml": "langs: [en]\nmodels: [{name: b, layers: [3]}]\n"},
            {"grid.yaml": "langs: []\nmodels: [{name: b, layers: [3]}]\n"},
        ],
    )


@case("templates")
def commands_from_mappings(cache: RepoBuilder) -> History:
    """A mapping in a command becomes options; only its existence and shape matter to the layout."""
    return history(
        {
            "dvc.yaml": stage(cmd="x ${train} ${train.opt.name} ${flags[0]}", metrics=uncached("m.json")),
            "params.yaml": "train: {lr: 1e-3, opt: {name: adam, betas: [0.9, 0.99]}, on: true, none: ~}\n"
            "flags: [-v, 1]\n",
            "m.json": {"n": 1},
        },
        [
            {"params.yaml": "train: {opt: {name: sgd}}\nflags: [x]\n"},
            {"params.yaml": "train: {opt: {name: 'a b'}, lr: 5}\nflags: ['']\n"},
        ],
    )


@case("templates")
def pipelines_that_change(cache: RepoBuilder) -> History:
    """Every commit has another dvc.yaml; files come and go; a variable of the same name moves to another file."""
    return history(
        {
            "dvc.yaml": stage(metrics=uncached("a.json")),
            "a.json": {"n": 1},
            "b.json": {"n": 2},
            "params.yaml": "which: a\n",
        },
        [{"a.json": None}],
        {"dvc.yaml": stage(metrics=uncached("${which}.json"))},
        [{"params.yaml": "which: b\n"}, {"dvc.yaml": None}],
        {"dvc.yaml": dvc_yaml(vars=["v.yaml"], metrics=["${name}.json"]), "v.yaml": "name: b\n"},
        [{"v.yaml": "name: a\n"}, {"a.json": {"n": 5}}],
        {"dvc.yaml": dvc_yaml(metrics=["deep/c.json"]), "deep/c.json": {"n": 3}, "v.yaml": None},
    )


@case("templates")
def an_escape_is_no_variable(cache: RepoBuilder) -> History:
    return history(
        {
            "dvc.yaml": stage(cmd="echo \\${HOME} $HOME ${a}", metrics=uncached("m-\\${x}.json")),
            "params.yaml": "a: 1\n",
            "m-${x}.json": {"n": 1},
        }
    )
