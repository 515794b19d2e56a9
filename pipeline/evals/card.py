"""The model card: what the model is, how to use it, how good it is, and what it was made from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from pipeline.contract.manifest import Manifest
from pipeline.contract.metrics import METRICS
from pipeline.contract.params import Params
from pipeline.evals.card_training import method_name, quantization_note, shipped, tags, training_params
from pipeline.evals.card_usage import usage
from pipeline.evals.markdown import code_block, number, plain, table
from pipeline.evals.parity import Comparison

_SCORES = ("exact_match", "chrf", "rouge_l", "token_accuracy", "loss", "perplexity", "distinct", "truncated")
_MAX_CATEGORIES = 50
_MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that a card tells; it holds no time, so that equal inputs give equal cards."""

    manifest: Manifest
    """The exported model."""
    base_name: str
    """Name of the base model for people."""
    params: Params
    """Params of the experiment."""
    metrics: Mapping[str, Any]
    """metrics.json of evaluate."""
    categories: Mapping[str, Mapping[str, Any]]
    """categories.json of evaluate."""
    report: Mapping[str, Any]
    """The data report."""
    comparison: Comparison
    """Answers before and after the export."""
    versions: Mapping[str, str]
    """Library versions."""
    has_adapter: bool
    """Whether the export holds an adapter beside the model."""


def model_card(facts: CardFacts) -> str:
    """The card as Markdown with the hub's front matter."""
    sections = [f"---\n{_front_matter(facts)}\n---", f"# {plain(facts.base_name)}, {method_name(facts.manifest)}"]
    sections += _introduction(facts)
    sections += ["## Use", usage(facts.has_adapter, facts.params.base.trust_remote_code)]
    sections += ["## Evaluation", *_evaluation(facts)]
    sections += ["## Training", *_training(facts)]
    sections += ["## Data", table(["", "value"], _flat(facts.report))]
    sections += ["## Provenance", table(["", "value"], _provenance(facts))]
    return "\n\n".join(sections) + "\n"


def _front_matter(facts: CardFacts) -> str:
    is_hub_base = facts.manifest.base_revision is not None
    source = str(facts.report.get("source", ""))
    data = ModelCardData(
        model_name=f"{facts.base_name}, {method_name(facts.manifest)}",
        base_model=facts.manifest.base_source if is_hub_base else None,
        base_model_relation=("adapter" if facts.has_adapter else "finetune") if is_hub_base else None,
        datasets=[source.removeprefix("hub:")] if source.startswith("hub:") else None,
        library_name="peft" if facts.has_adapter else "transformers",
        pipeline_tag="text-generation",
        tags=["finetui", *tags(facts.manifest)],
        eval_results=_results(facts),
    )
    return data.to_yaml().strip()


def _results(facts: CardFacts) -> list[EvalResult]:
    source = str(facts.report.get("source", ""))
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=source.removeprefix("hub:") if source.startswith("hub:") else "custom",
            dataset_name=f"test split of {_name(source)}",
            metric_type=name,
            metric_name=METRICS[name].description,
            metric_value=facts.metrics[f"test/{name}"],
        )
        for name in ("exact_match", "chrf", "rouge_l", "loss")
        if facts.metrics.get(f"test/{name}") is not None
    ]


def _introduction(facts: CardFacts) -> Iterator[str]:
    manifest = facts.manifest
    yield (
        f"Base model: {plain(facts.base_name)}. Method: {method_name(manifest)}{shipped(manifest)}. "
        f"{number(manifest.num_parameters)} parameters, {number(manifest.num_trainable_parameters)} of them trained."
    )
    comparison = facts.comparison
    ties = f"; {comparison.num_ties} part at a tie that rounding decides" if comparison.num_ties else ""
    yield (
        f"Before it was written, this export was loaded in a fresh process: it answered {comparison.num_equal} of "
        f"{comparison.num_probes} probe prompts with the same tokens as the model that was evaluated{ties}."
    )


def _evaluation(facts: CardFacts) -> Iterator[str]:
    metrics = facts.metrics
    yield f"{number(metrics.get('test/num_examples'))} examples of the test split, greedy decoding."
    rows = [
        [METRICS[name].description, metrics.get(f"test/{name}"), metrics.get(f"base/{name}"), _better(name)]
        for name in _SCORES
    ]
    yield table(["score", "this model", "base model", "better is"], rows)
    shown = sorted(facts.categories)[:_MAX_CATEGORIES]
    keys = ("num_examples", "exact_match", "base_exact_match", "chrf")
    yield table(
        ["category", "examples", "exact match", "exact match of the base model", "chrF"],
        [[name, *(facts.categories[name].get(key) for key in keys)] for name in shown],
    )
    if len(facts.categories) > len(shown):
        yield f"{len(facts.categories) - len(shown)} more categories are not shown."


def _training(facts: CardFacts) -> Iterator[str]:
    note = quantization_note(facts.params)
    if note is not None:
        yield note
    yield code_block(training_params(facts.params), "yaml")


def _provenance(facts: CardFacts) -> Iterator[list[object]]:
    yield ["base model", facts.base_name]
    yield ["revision of the base model", facts.manifest.base_revision or "not from a hub"]
    yield ["SHA-256 of the exported weights", facts.manifest.weights_sha256]
    for library, version in facts.versions.items():
        yield [library, version]


def _flat(values: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[list[object]]:
    """Scalars of the data report by dotted name; lists and the per-category counts are left to the report itself."""
    for name, value in values.items():
        if isinstance(value, Mapping) and depth < _MAX_DEPTH and name != "categories":
            yield from _flat(value, f"{prefix}{name}.", depth + 1)
        elif name == "source":
            yield [f"{prefix}{name}", _name(str(value))]
        elif isinstance(value, str | int | float):
            yield [f"{prefix}{name}", value]


def _better(name: str) -> str:
    return METRICS[name].direction


def _name(source: str) -> str:
    """A path is private: its last part says enough."""
    return source.rstrip("/").rsplit("/", 1)[-1] if source.startswith(("/", ".", "~")) else source


def base_name(manifest: Manifest) -> str:
    """Name of the base model for people: a hub id, `starter`, or the last part of a path."""
    return manifest.base_source if manifest.base_revision else _name(manifest.base_source)


def known_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the libraries that are installed."""
    from importlib import metadata

    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
