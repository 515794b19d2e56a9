"""A project whose experiments have per-example results."""

from dataclasses import replace

from tests.ui import project
from tests.ui.fakes import FakeStore
from tui.core.examples import ExampleChange, ExampleComparison, Interval, PairedScore, Score
from tui.core.experiments import Experiment


def rows(*names: str) -> list[Experiment]:
    """Experiments of the project by their labels."""
    known = {one.label: one for one in project.experiments()}
    return [known[name] for name in names]


def change(number: int, kind: str, category: str = "files") -> ExampleChange:
    """One example that only one of two experiments got right."""
    right, wrong = f"ls -t | head -{number}", f"ls | head -{number}"
    answers = (wrong, right) if kind == "fixed" else (right, wrong)
    return ExampleChange(
        f"e{number}",
        "fixed" if kind == "fixed" else "broke",
        category,
        f"list the {number} newest files of a folder with a [b]name[/b]\x1b[2J",
        right,
        *answers,
        kind != "fixed",
        kind == "fixed",
    )


def comparison(p_value: float = 0.02, delta: float = 0.03, key: str = "exact_match") -> ExampleComparison:
    """Seven examples fixed, three broken, in two categories."""
    exact = PairedScore(
        "exact_match", 100, 0.91, 0.91 + delta, Interval(delta - 0.02, delta + 0.02), "mcnemar", p_value, 7, 3
    )
    chrf = PairedScore("chrf", 100, 89.9, 92.6, Interval(1.5, 4.0), "bootstrap", 0.001, 30, 12)
    tokens = PairedScore("completion_tokens", 100, 12.0, 12.5, Interval(0.1, 0.9), "bootstrap", 0.03, 0, 0)
    changes = [change(number, "fixed", "git" if number % 2 else "files") for number in range(1, 8)]
    changes += [change(number, "broke", "search") for number in range(8, 11)]
    return ExampleComparison(
        100,
        100,
        100,
        scores=(exact, chrf, tokens),
        changes=tuple(changes if key == "exact_match" else changes[:2]),
        key=key,
    )


def store() -> FakeStore:
    """The read side of that project."""
    fake = project.store()
    for label, mean in (("main", 0.91), ("brisk-owl", 0.94), ("warm-fox", 0.47)):
        fake.scored[label] = [Score("exact_match", 100, mean, Interval(mean - 0.04, mean + 0.03))]
    fake.compared["brisk-owl"] = comparison(p_value=0.34)
    fake.compared["warm-fox"] = comparison(p_value=1e-12, delta=-0.44)
    fake.compared["main"] = comparison(p_value=0.34, delta=-0.03)
    return fake


def seeded_store() -> FakeStore:
    """The same, where one experiment was repeated with other seeds."""
    fake = project.store()
    (owl,) = (one for one in fake.listing if one.label == "brisk-owl")
    for seed, exact in ((1, 0.92), (2, 0.95)):
        params = project.params(rank=32)
        params["train"]["seed"] = seed
        values = project.metrics(exact, 0.3 + seed / 100, 800_000)
        again = replace(owl, rev=str(seed) * 40, name=f"owl-{seed}", params={"params.yaml": params}, metrics=values)
        fake.listing.append(again)
        fake.recorded[again.label] = project.curves()
    return fake
