"""Structures of public repositories that were once read otherwise than DVC reads them; text and numbers are our own."""

from tests.contract.repos.cases import History, case, dvc_yaml, history, locked, md5, stage
from tests.unit.store_repos import RepoBuilder

UNCACHED = {"cache": False}


@case("surveyed")
def stages_whose_names_have_slashes(_cache: RepoBuilder) -> History:
    """PIReTship/bookdata-tools: a foreach over paths, so the names of the stages in dvc.lock have slashes."""
    tables = {"do": {"cmd": "x", "deps": ["${item}.parquet"], "outs": [{"${item}.json": UNCACHED}]}}
    ends = {
        f"schema@{name}": {"deps": {f"{name}.parquet": md5(number)}, "outs": {f"{name}.json": md5(number + 10)}}
        for number, name in enumerate(("a/ratings", "a/more ratings", "plain"))
    }
    files = {
        "dvc.yaml": dvc_yaml(
            stages={
                "first": {"cmd": "x", "deps": ["code.py"], "outs": ["a/ratings.parquet"]},
                "schema": {**tables, "foreach": ["a/ratings", "a/more ratings", "plain"]},
            }
        ),
        "dvc.lock": locked(first={"deps": {"code.py": md5(20)}, "outs": {"a/ratings.parquet": md5(21)}}, **ends),
    }
    return history(files)


@case("surveyed")
def paths_too_long_for_a_line(_cache: RepoBuilder) -> History:
    """MArpogaus/hybrid-flows: DVC writes a long path into dvc.lock on a line of its own."""
    path = f"results/{'a_long_name_' * 6}/model.h5"
    lock = locked(
        fit={"deps": {"code.py": md5(1)}, "outs": {path: md5(2), "short.h5": md5(3)}},
        score={"deps": {path: md5(2)}},
    )
    return history(
        {
            "dvc.yaml": dvc_yaml(
                stages={
                    "fit": {"cmd": "x", "deps": ["code.py"], "outs": [path, "short.h5"]},
                    "score": {"cmd": "x", "deps": [path]},
                }
            ),
            "dvc.lock": lock.replace(f"path: {path}", f"path:\n        {path}"),
        }
    )


@case("surveyed")
def names_with_several_dots(_cache: RepoBuilder) -> History:
    """lenskit/lk-demo-experiment: `eval-metrics.ml-1m.json`, which DVC reads as YAML, as all but `.json` and so on."""
    return history(
        {
            "dvc.yaml": dvc_yaml(
                vars=["vars.v1.json"],
                params=["params.v1.py", "more.v1.json"],
                metrics=["metrics.small.json", "conflict.small.json", ".hidden.json", "upper.JSON"],
                stages={"fit": {"cmd": "x ${width}", "outs": ["${width}.pkl"]}},
            ),
            "vars.v1.json": "width: 3\n",
            "params.v1.py": "a: 1\n",
            "more.v1.json": '{"lr": 1e-3, "rate": NaN, "on": yes}\n',
            "metrics.small.json": '{"f1": 0.5, "loss": NaN, "step": 010}\n',
            "conflict.small.json": '<<<<<<< HEAD\n{"f1": 1}\n=======\n{"f1": 2}\n',
            ".hidden.json": '{"f1": 1e-3, "loss": NaN}\n',
            "upper.JSON": '{"f1": 1}\n',
        }
    )


@case("surveyed")
def folders_with_outs_that_are_not_here(cache: RepoBuilder) -> History:
    """usnistgov/affinis: params that name a folder by mistake, in which stages have folders in the DVC cache."""
    here = cache.cache_folder({"one.yaml": b"lr: 1\n", "more/two.yaml": b"lr: 2\n"})

    def lock(outs: str) -> str:
        return locked(fit={"outs": {"tables/big": outs, "scores/big": outs}})

    files = {
        "dvc.yaml": dvc_yaml(
            params=["tables"],
            metrics=["scores"],
            stages={"fit": {"cmd": "x", "outs": ["tables/big", "scores/big"]}},
        ),
        "tables/.gitignore": "/big\n",
        "tables/small.yaml": "lr: 3\n",
        "scores/.gitignore": "/big\n",
        "scores/small.json": {"f1": 0.5},
    }
    return history({**files, "dvc.lock": lock(md5(1) + ".dir")}, {"dvc.lock": lock(here)}, {"dvc.lock": lock(md5(2))})


@case()
def lock_with_a_conflict(_cache: RepoBuilder) -> History:
    """A dvc.lock that was merged badly: every line that can be understood is, but DVC refuses the whole."""
    lock = locked(s={"deps": {"data": md5(1)}, "outs": {"model": md5(2)}})
    mark = "<<<<<<< HEAD\n"
    return history(
        {"dvc.yaml": stage(deps=["data"], outs=["model"]), "dvc.lock": lock},
        {"dvc.lock": lock.replace("    outs:\n", f"{mark}    outs:\n") + ">>>>>>> other\n"},
        {"dvc.lock": lock + lock.partition("stages:\n")[2]},
        {"dvc.lock": lock},
    )


@case("surveyed")
def paths_as_windows_writes_them(_cache: RepoBuilder) -> History:
    r"""Himanshu-1703/experimation-through-pipelines: `.\reports\metrics.json` in a dvc.yaml."""
    return history(
        {
            "dvc.yaml": stage(
                deps=[".\\src\\model.py"],
                params=[{".\\conf\\more.yaml": ["a"]}, {"conf\\whole.yaml": None}],
                outs=["data\\model.pkl"],
                metrics=[{".\\reports\\metrics.json": UNCACHED}, {"reports\\other.json": UNCACHED}, "gone\\m.json"],
                plots=[{"reports\\curve.csv": UNCACHED}],
            ),
            "src/model.py": "",
            "conf/more.yaml": "a: 1\nb: 2\n",
            "conf/whole.yaml": "c: 3\n",
            "reports/metrics.json": {"f1": 0.5},
            "reports/other.json": {"f1": 0.25},
            "reports/curve.csv": "step,f1\n0,1\n",
        }
    )
