"""Where the params, metrics, plots, deps and outs of a revision are; values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PARAMS = "params.yaml"
_CURVES = {None, "linear", "simple", "smooth"}


@dataclass(frozen=True, slots=True)
class OutFile:
    """A metrics or plots file that is declared."""

    stage: str | None
    """Stage that writes it, as DVC addresses it (`train`, `sub/dvc.yaml:train`); None where no stage says so."""
    cached: bool
    """Whether its content is in the DVC cache and not in Git."""
    x: str | None = None
    """Column with the steps, of a plot."""
    y: tuple[str, ...] = ()
    """Columns with the values, of a plot; empty takes all that are numbers."""
    x_file: str | None = None
    """File with that column, if it is another one; its rows are those of this file."""
    has_header: bool = True
    """Whether the first row of a table names its columns; else they are called 0, 1, ..."""


@dataclass(frozen=True, slots=True)
class StageOut:
    """An output of a stage."""

    name: str
    """Path as the stage says it, which is how dvc.lock knows it."""
    path: str
    hash_name: str
    """What its hash is called: `md5`, unless it is outside of the project."""
    cached: bool
    """Whether its content is in the DVC cache."""
    is_listed: bool
    """Whether it counts as an output of the experiment, being neither metric nor plot."""


@dataclass(frozen=True, slots=True)
class StageFiles:
    """Dependencies and outputs of a stage, or of a .dvc file."""

    file: str
    """The dvc.yaml or .dvc file that says so."""
    name: str | None
    """Name of the stage; None for a .dvc file."""
    deps: tuple[tuple[str, str, str], ...]
    """Path as the stage says it, path in the project, and what its hash is called."""
    outs: tuple[StageOut, ...]


@dataclass(slots=True)
class Layout:
    """Where to look for what; paths are relative to the project's root."""

    params: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """File or folder -> tracked keys; no keys is the whole file."""
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """File -> dotted keys that stages use as `${...}`; DVC shows those of files that are no params files."""
    metrics: dict[str, OutFile] = field(default_factory=dict)
    plots: dict[str, OutFile] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)
    """Plots that a dvc.yaml draws, as opposed to those that only a stage writes."""
    stages: list[StageFiles] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What could not be understood."""
    is_pending: bool = False
    """Whether DVC is still being asked; until then this is what is plain to see."""
    is_final: bool = True
    """Whether this is DVC's own word, and not what is plain to see without it."""

    def track(self, path: str, keys: tuple[str, ...]) -> None:
        """Add tracked keys of a params file; once a file is tracked whole it stays so."""
        known = self.params.get(path)
        self.params[path] = () if known == () or not keys else (*(known or ()), *keys)

    def add_plot(self, path: str, out: OutFile, template: object) -> None:
        """Add a plot if it is a curve; what a dvc.yaml draws of a stage's plot goes before what the stage says."""
        if isinstance(template, str | None) and template in _CURVES:
            known = self.plots.get(path)
            if known is None or out.stage is None:
                self.plots[path] = out if known is None else self._both(path, known, out)
            if out.stage is None:
                self.drawn.add(path)

    def _both(self, path: str, known: OutFile, out: OutFile) -> OutFile:
        """A plot that is declared twice; what several drawings take of one file is all of it."""
        if path not in self.drawn:
            return replace(out, stage=known.stage, cached=known.cached)
        y = (*known.y, *out.y) if known.y and out.y else ()
        axis = known if known.x else out
        return replace(known, x=axis.x, x_file=axis.x_file, y=tuple(dict.fromkeys(y)))


def decode_layout(data: Mapping[str, Any]) -> Layout:
    """A layout as `dvc_layout` answers it; LookupError, TypeError or ValueError if it is none."""
    layout = Layout(
        params={path: tuple(keys) for path, keys in data["params"].items()},
        variables={path: tuple(keys) for path, keys in data["vars"].items()},
        metrics={path: OutFile(stage, cached) for path, (stage, cached) in data["metrics"].items()},
        stages=[_stage(stage) for stage in data["stages"]],
    )
    for plot in data["plots"]:
        out = OutFile(
            plot["stage"], plot["cached"], plot["x"], tuple(plot["y"]), plot.get("x_file"), plot.get("header", True)
        )
        layout.add_plot(plot["path"], out, plot["template"])
    return layout


def _stage(data: Mapping[str, Any]) -> StageFiles:
    return StageFiles(
        data["file"],
        data["name"],
        tuple((name, path, hash_name) for name, path, hash_name in data["deps"]),
        tuple(
            StageOut(name, path, hash_name, "c" in flags, not ("m" in flags or "p" in flags))
            for name, path, hash_name, flags in data["outs"]
        ),
    )
