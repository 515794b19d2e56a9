"""Projects put together at random: what no list of cases thought of; the seed is fixed, others may be tried by hand."""

import json
import random
from itertools import product
from typing import Any

from tests.contract.repos.cases import Files, History, case, dvc_yaml, hashed, history, locked, md5
from tests.unit.store_repos import Content, RepoBuilder

SEED = 4
NUM_EXPERIMENTS = 30
NAMES = ["a", "b", "lr", "deep", "é"]
SUFFIXES = ["json", "yaml", "toml", "py"]
FOLDERS = ["", "sub", "sub/er"]


class Chooser:
    """Makes files of a project, one choice after the other."""

    def __init__(self, seed: int, cache: RepoBuilder) -> None:
        self.rng, self.cache = random.Random(seed), cache

    def value(self, depth: int = 0) -> Any:
        """A number, text, list or mapping."""
        kind = self.rng.randrange(9 if depth < 3 else 6)
        if kind < 6:
            return [1, 1.5, "text", True, 1e-5, "no"][kind]
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.rng.randrange(3))]
        return self.mapping(depth + 1)

    def mapping(self, depth: int = 0) -> dict[str, Any]:
        """Names and values; the variables of templates are always there."""
        names = self.rng.sample(NAMES, self.rng.randrange(1, len(NAMES)))
        return {name: self.value(depth) for name in names}

    def document(self, suffix: str) -> str:
        """A file with values, now and then a broken one."""
        if self.rng.random() < 0.05:
            return "{ broken"
        values = self.mapping()
        if suffix == "py":
            return "".join(f"{name} = {value!r}\n" for name, value in values.items())
        if suffix == "toml":
            return "".join(f"{json.dumps(name)} = {toml(value)}\n" for name, value in values.items())
        return json.dumps(values) if suffix == "json" or self.rng.random() < 0.3 else dvc_yaml(**values)

    def path(self, stem: str) -> str:
        """A file somewhere."""
        name = f"{stem}{self.rng.randrange(3)}.{self.rng.choice(SUFFIXES)}"
        return "/".join(filter(None, [self.rng.choice(FOLDERS), name]))

    def keys(self) -> list[str]:
        """Tracked keys."""
        parts = [*NAMES, "0", "d*", "*"]
        return [".".join(self.rng.sample(parts, self.rng.randrange(1, 3))) for _ in range(self.rng.randrange(1, 3))]

    def variables(self) -> str:
        """params.yaml at the root of a pipeline."""
        word = self.rng.choice(["x", "y"])
        words = self.rng.choice([["p"], ["p", "q"], []])
        return dvc_yaml(word=word, words=words, table={"k": {"n": self.rng.randrange(3)}}, **self.mapping())

    def stage(self) -> dict[str, Any]:
        """A stage of some kind."""
        where = self.rng.choice(["", "${word}-", ""])
        params = [
            self.rng.choice([self.keys()[0], {self.path("p"): self.rng.choice([None, self.keys()])}]) for _ in range(2)
        ]
        stage: dict[str, Any] = {
            "cmd": f"x {self.rng.choice(['', '${word}', '${table.k.n}'])}",
            "params": params,
            "deps": [f"dep{self.rng.randrange(4)}"],
            "outs": [f"{where}out{self.rng.randrange(1000)}"],
            "metrics": [{f"{where}m{self.rng.randrange(4)}.json": {"cache": self.rng.random() < 0.5}}],
        }
        if self.rng.random() < 0.3:
            stage["wdir"] = self.rng.choice(["work", "${word}", "."])
        kind = self.rng.randrange(6)
        if kind == 0:
            return {"foreach": self.rng.choice(["${words}", ["p", 1], "${table}"]), "do": self.each(stage, "${item}")}
        if kind == 1:
            return {"matrix": {"w": "${words}", "n": [1, 2]}, **self.each(stage, "${item.w}-${item.n}")}
        return stage

    def each(self, stage: dict[str, Any], item: str) -> dict[str, Any]:
        """The stage with outputs of its own for every item."""
        number = self.rng.randrange(1000)
        return {**stage, "outs": [f"out-{number}-{item if 'item}' not in item else '${word}'}"], "metrics": []}

    def pipeline(self) -> str:
        """A dvc.yaml."""
        stages = {f"s{number}": self.stage() for number in range(self.rng.randrange(4))}
        return dvc_yaml(
            stages=stages,
            params=[self.path("p") for _ in range(self.rng.randrange(2))],
            metrics=[self.path("t") for _ in range(self.rng.randrange(3))],
        )

    def lock(self) -> str:
        """A dvc.lock that may or may not belong to the pipeline."""
        content = [md5(self.rng.randrange(99)), self.cache.cache(json.dumps(self.mapping()).encode())]
        entries = {}
        for name in self.rng.sample(["s0", "s1", "s2", "s0@p", "s1@k", "s2@p-1"], 3):
            outs = {f"m{number}.json": self.rng.choice(content) for number in range(self.rng.randrange(4))}
            entries[name] = {"deps": {f"dep{self.rng.randrange(4)}": md5(self.rng.randrange(9))}, "outs": outs}
        return locked(**entries)

    def files(self) -> dict[str, Content | None]:
        """All files of a project."""
        found: dict[str, Content | None] = {}
        for folder in self.rng.sample(FOLDERS, 2):
            begin = f"{folder}/" if folder else ""
            found |= {f"{begin}dvc.yaml": self.pipeline(), f"{begin}params.yaml": self.variables()}
            found[f"{begin}dvc.lock"] = self.lock()
        for folder, stem, number, suffix in product(FOLDERS, "pt", range(3), SUFFIXES):
            if self.rng.random() < 0.5:
                found["/".join(filter(None, [folder, f"{stem}{number}.{suffix}"]))] = self.document(suffix)
        for number in range(4):
            for begin in ("", "x-", "y-", "sub/", "work/"):
                if self.rng.random() < 0.3:
                    found[f"{begin}m{number}.json"] = json.dumps(self.mapping())
        if self.rng.random() < 0.5:
            found["data.csv.dvc"] = dvc_yaml(outs=hashed({"data.csv": md5(self.rng.randrange(9))}))
        return found


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(item)}" for name, item in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def random_history(cache: RepoBuilder, seed: int) -> History:
    """A project and experiments that change some of its files."""
    chooser = Chooser(seed, cache)
    first = chooser.files()
    experiments: list[Files] = []
    for _ in range(NUM_EXPERIMENTS):
        other = chooser.files()
        paths = chooser.rng.sample(sorted(other), min(len(other), chooser.rng.choice([1, 3, 100])))
        gone = {path: None for path in chooser.rng.sample(sorted(first), 2) if path not in paths}
        experiments.append({**gone, **{path: other[path] for path in paths}})
    return history(first, experiments)


@case()
def random_project(cache: RepoBuilder) -> History:
    return random_history(cache, SEED)
