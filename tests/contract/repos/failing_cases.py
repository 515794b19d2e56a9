"""Revisions of which DVC shows nothing but one message: we show the message and what is known."""

from tests.contract.repos.cases import Files, History, case, dvc_yaml, hashed, history, locked, stage
from tests.unit.store_repos import RepoBuilder

UNCACHED = {"cache": False}
GOOD: Files = {
    "dvc.yaml": stage(metrics=[{"m.json": UNCACHED}], outs=["o"]),
    "dvc.lock": locked(s={"outs": {"o": "a" * 32}}),
    "m.json": {"n": 1},
    "params.yaml": "a: 1\n",
}


@case()
def whole_revisions_fail(cache: RepoBuilder) -> History:
    """One broken thing in each experiment, the next commit is good again."""
    live = stage(metrics=[{"m.json": UNCACHED}], live={"logs": {"summary": True}})
    broken: tuple[Files, ...] = (
        {"dvc.yaml": "stages: ["},
        {"dvc.yaml": "- a\n- list\n"},
        {"dvc.yaml": "stages: 3\n"},
        {"dvc.yaml": "stages:\n  s:\n    cmd: x\n  s:\n    cmd: y\n"},
        {"dvc.yaml": live},
        {"dvc.yaml": stage(unknown=1)},
        {"dvc.yaml": dvc_yaml(stages={"s": {"deps": ["x"]}})},
        {"dvc.yaml": stage(metrics=["m-${nowhere}.json"])},
        {"dvc.yaml": stage(cmd="x ${nowhere.at.all}")},
        {"dvc.yaml": stage(cmd="x ${a")},
        {"dvc.yaml": stage(cmd="x ${}")},
        {"dvc.yaml": dvc_yaml(vars=["gone.yaml"])},
        {"dvc.yaml": dvc_yaml(vars=["params.yaml:gone"])},
        {"dvc.yaml": dvc_yaml(vars=[{"a": 2}])},
        {"dvc.yaml": dvc_yaml(vars=["${a}.yaml"])},
        {"dvc.yaml": dvc_yaml(stages={"f": {"foreach": "${a}", "do": {"cmd": "x"}}})},
        {"dvc.yaml": dvc_yaml(stages={"f": {"foreach": [1]}})},
        {"dvc.yaml": dvc_yaml(stages={"f": {"matrix": {"x": "${a}"}, "cmd": "x"}})},
        {"dvc.yaml": dvc_yaml(stages={"s": {"cmd": "x", "wdir": "${b}"}})},
        {"dvc.lock": "schema: '2.0'\nstages: ["},
        {"dvc.lock": "schema: '9.0'\nstages: {}\n"},
        {"dvc.lock": "- a\n"},
        {"params.yaml": "a: [1\n", "dvc.yaml": stage(cmd="x ${a}")},
        {"params.yaml": "a: 2024-01-02\n"},
        {"params.yaml": "- a\n- list\n"},
        {"x.dvc": "outs: ["},
        {"x.dvc": "outs:\n- path: 1\n"},
        {"x.dvc": dvc_yaml(outs=[{**hashed({"x": "1" * 32})[0], "metric": True}])},
    )
    return history(GOOD, list(broken), {"params.yaml": "a: 2\n"}, [{}])


@case()
def odd_but_whole(cache: RepoBuilder) -> History:
    """Files that look broken and that DVC does not mind."""
    odd: tuple[Files, ...] = (
        {"dvc.yaml": ""},
        {"dvc.yaml": "# nothing\n"},
        {"dvc.yaml": "stages: {}\n"},
        {"dvc.yaml": "stages:\n"},
        {"dvc.yaml": dvc_yaml(params=[], metrics=[], plots=[], vars=[])},
        {"dvc.lock": ""},
        {"dvc.lock": "schema: '2.0'\n"},
        {"dvc.lock": None},
        {"params.yaml": ""},
        {"x.dvc": ""},
        {"dvc.yml": "stages: ["},
        {"sub/dvc.yaml/x": "a folder"},
        {"sub/x.dvc/y": "a folder"},
        {"dvc.yaml": stage(deps=["/absolute", "https://example.invalid/x"])},
        {"dvc.yaml": dvc_yaml(stages={"a": {"cmd": "x", "outs": ["o"]}, "b": {"cmd": "x", "outs": ["o"]}})},
        {
            "dvc.yaml": dvc_yaml(
                stages={
                    "a": {"cmd": "x", "deps": ["q"], "outs": ["p"]},
                    "b": {"cmd": "x", "deps": ["p"], "outs": ["q"]},
                }
            )
        },
        {"dvc.yaml": dvc_yaml(stages={"a": {"cmd": "x", "outs": ["d", "d/o"]}})},
    )
    return history(GOOD, list(odd))
