"""Per-example results: scores of one experiment, and two experiments joined example by example."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.store_repos import RepoBuilder, finetui_project
from tui.core.errors import UsageError, UserError
from tui.core.evidence import read_evidence
from tui.core.examples import ExampleComparison, PairedScore, Score, adjust, holm, why_none
from tui.core.experiments import Experiment
from tui.store import GitStore
from tui.store.examples import compare_examples, scores_of
from tui.store.predictions import read_predictions


def frame(right: list[bool], **more: Any) -> pl.DataFrame:
    """Results of as many examples; the answer is the reference where it is right."""
    num = len(right)
    columns: dict[str, Any] = {
        "id": [f"e{i}" for i in range(num)],
        "category": ["git" if i % 2 else "files" for i in range(num)],
        "prompt": [f"prompt {i}" for i in range(num)],
        "reference": [f"ls {i}" for i in range(num)],
        "prediction": [f"ls {i}" if one else "cd" for i, one in enumerate(right)],
        "exact_match": right,
    }
    return pl.DataFrame({**columns, **more})


def exact(comparison: ExampleComparison) -> PairedScore:
    found = comparison.score("exact_match")
    assert found is not None
    return found


def test_examples_are_joined_by_their_id_whatever_the_order() -> None:
    old, new = frame([True, True, False, False, True]), frame([True, False, True, True, True])
    comparison = compare_examples(old, new.sample(fraction=1.0, shuffle=True, seed=1))
    assert (comparison.num_baseline, comparison.num_candidate, comparison.num_shared) == (5, 5, 5)
    score = exact(comparison)
    assert (score.num_fixed, score.num_broke, score.test) == (2, 1, "mcnemar")
    assert (score.baseline, score.candidate, score.p_value) == (0.6, 0.8, 1.0)
    assert [(one.change, one.id) for one in comparison.changes] == [("fixed", "e2"), ("fixed", "e3"), ("broke", "e1")]
    fixed = comparison.changes[0]
    assert (fixed.prompt, fixed.reference) == ("prompt 2", "ls 2")
    assert (fixed.baseline_prediction, fixed.candidate_prediction) == ("cd", "ls 2")
    assert (fixed.baseline_score, fixed.candidate_score) == (False, True)


def test_ten_fixed_and_two_broken_are_significant_by_hand() -> None:
    old = frame([False] * 10 + [True] * 20)
    new = frame([True] * 10 + [False] * 2 + [True] * 18)
    score = exact(compare_examples(old, new))
    # 2 * (C(12,0) + C(12,1) + C(12,2)) / 2^12
    assert score.p_value == pytest.approx(2 * (1 + 12 + 66) / 4096)
    assert not score.is_noise


def test_different_test_sets_are_compared_on_what_both_have() -> None:
    old, new = frame([True] * 6), frame([False] * 6)
    comparison = compare_examples(old.head(4), new.tail(4))
    assert (comparison.num_baseline, comparison.num_candidate, comparison.num_shared) == (4, 4, 2)
    assert exact(comparison).num_broke == 2


def test_an_id_with_another_prompt_is_another_example() -> None:
    old = frame([True] * 4)
    new = frame([False] * 4).with_columns(prompt=pl.Series(["prompt 0", "another", "prompt 2", None]))
    assert compare_examples(old, new).num_shared == 2


def test_duplicate_and_missing_ids_count_once_and_are_told() -> None:
    old = pl.concat([frame([True, False]), frame([False, False])])
    new = frame([True, True]).with_columns(id=pl.Series(["e0", None]))
    comparison = compare_examples(old, new)
    assert (comparison.num_shared, comparison.num_duplicates) == (1, 3)
    assert exact(comparison).num_broke == 0


def test_scores_of_other_types_meet_as_numbers() -> None:
    old = frame([True, False, True], id=[1, 2, 3], exact_match=[1.0, 0.0, 1.0])
    new = frame([True, True, True], id=["1", "2", "3"])
    score = exact(compare_examples(old, new))
    assert (score.test, score.num_fixed, score.num_broke) == ("mcnemar", 1, 0)


def test_what_is_no_number_in_both_is_no_score() -> None:
    old = frame([True, True], grade=["good", "bad"], parts=[[1], [2]], chrf=[1.0, 2.0])
    new = frame([True, True], grade=[1.0, 2.0], parts=[[1], [2]], rouge_l=[0.5, 0.5])
    assert [score.key for score in compare_examples(old, new).scores] == ["exact_match"]


def test_columns_of_unheard_types_are_no_trouble() -> None:
    num = 4
    hostile = {"category": [["a"]] * num, "prompt": [1, 2, 3, 4], "prompt_new": [1] * num, "when": [{"a": 1}] * num}
    one = frame([True, False] * 2, **hostile)
    comparison = compare_examples(one, frame([True] * num, prompt=["1", "2", "3", "9"], prompt_new=["x"] * num))
    assert (comparison.num_shared, exact(comparison).num_fixed) == (3, 1)
    assert comparison.categories.keys() == {"files", "git"}
    assert "cannot be joined" in compare_examples(one, one.with_columns(id=pl.Series([[1]] * num))).problem
    assert [score.key for score in scores_of(one)] == ["exact_match", "prompt_new"]


def test_missing_and_non_finite_scores_leave_their_example_out() -> None:
    old = frame([True] * 5, chrf=[1.0, None, float("nan"), 4.0, 5.0])
    new = frame([True] * 5, chrf=[2.0, 2.0, 2.0, float("inf"), 6.0])
    score = compare_examples(old, new).score("chrf")
    assert score is not None
    assert (score.num_examples, score.baseline, score.candidate) == (2, 3.0, 4.0)
    assert (score.num_fixed, score.num_broke) == (2, 0)


def test_less_loss_is_a_fix_and_the_largest_change_comes_first() -> None:
    old, new = frame([True] * 3, loss=[1.0, 1.0, 1.0]), frame([True] * 3, loss=[0.9, 0.2, 1.5])
    comparison = compare_examples(old, new, "loss")
    assert [(one.change, one.id) for one in comparison.changes] == [("fixed", "e1"), ("fixed", "e0"), ("broke", "e2")]
    loss = comparison.score("loss")
    assert loss is not None
    assert (loss.num_fixed, loss.num_broke) == (2, 1)


def test_scores_of_the_base_model_are_not_of_the_experiment() -> None:
    one = frame([True] * 3, base_exact_match=[False] * 3, base_rate=[1.0] * 3)
    assert [score.key for score in scores_of(one)] == ["exact_match", "base_rate"]


def test_categories_are_tested_by_themselves() -> None:
    old, new = frame([True, False] * 8), frame([True, True] * 8)
    comparison = compare_examples(old, new)
    git, files = comparison.score("exact_match", "git"), comparison.score("exact_match", "files")
    assert git is not None
    assert files is not None
    assert (git.num_examples, git.num_fixed) == (8, 8)
    assert git.p_value == pytest.approx(2 / 256)
    assert (files.num_fixed, files.p_value) == (0, 1.0)
    assert comparison.score("exact_match", "unheard") is None


def test_a_limit_is_of_each_kind() -> None:
    comparison = compare_examples(frame([False] * 5 + [True] * 5), frame([True] * 5 + [False] * 5), limit=2)
    assert [one.change for one in comparison.changes] == ["fixed", "fixed", "broke", "broke"]
    assert (exact(comparison).num_fixed, exact(comparison).num_broke) == (5, 5)


@pytest.mark.parametrize("key", ["unheard", "completion_tokens"])
def test_a_score_that_cannot_be_listed_is_told_with_those_that_can(key: str) -> None:
    one = frame([True] * 3, completion_tokens=[1, 2, 3])
    with pytest.raises(UsageError, match="exact_match"):
        compare_examples(one, one, key)


def test_without_results_or_ids_nothing_is_joined() -> None:
    one = frame([True] * 3)
    assert compare_examples(pl.DataFrame(), one) == ExampleComparison(0, 3)
    assert compare_examples(one, pl.DataFrame()).num_candidate == 0
    nameless = compare_examples(one, one.drop("id"))
    assert "no column `id`" in nameless.problem
    assert nameless.scores == ()
    assert compare_examples(one, one.with_columns(id=pl.lit("x") + pl.col("id"))).num_shared == 0
    assert scores_of(pl.DataFrame()) == []


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_turned_round_everything_is_turned_round(pairs: list[tuple[bool, bool]]) -> None:
    old, new = (frame(list(side)) for side in zip(*pairs, strict=True))
    there, back = exact(compare_examples(old, new)), exact(compare_examples(new, old))
    assert (there.num_fixed, there.num_broke, there.p_value) == (back.num_broke, back.num_fixed, back.p_value)
    assert there.delta == -back.delta
    if there.interval is not None and back.interval is not None:
        assert there.interval.low == pytest.approx(-back.interval.high)


def test_holm_is_what_its_paper_says() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    # 4 tests: 0.005*4, 0.01*3, 0.03*2, then never below the one before
    assert holm([0.01, 0.03, 0.005, 0.04]) == pytest.approx([0.03, 0.06, 0.02, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def paired(p_value: float | None) -> ExampleComparison:
    score = PairedScore("exact_match", 10, 0.5, 0.6, None, "mcnemar", p_value, 1, 0)
    return ExampleComparison(10, 10, 10, scores=(score,), categories={"git": (score,)})


def test_p_values_are_adjusted_for_the_candidates_and_the_baseline_counts_none() -> None:
    first, second, third, fourth = adjust([None, paired(0.03), paired(0.02), paired(None)])
    assert first is None
    assert second is not None
    assert third is not None
    assert fourth is not None
    assert [one.scores[0].adjusted_p_value for one in (second, third, fourth)] == [0.04, 0.04, None]
    assert third.categories["git"][0].adjusted_p_value == 0.04
    assert not second.scores[0].is_noise
    (alone,) = adjust([paired(0.03)])
    assert alone is not None
    assert alone.scores[0].adjusted_p_value == 0.03


def test_a_panic_of_polars_is_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("called `Result::unwrap()` on an `Err` value")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(UserError, match="predictions of lora cannot be read"):
        read_predictions(tmp_path / "predictions.parquet", "lora")


class Store:
    """Per-example results by the name of the experiment."""

    def __init__(self, frames: dict[str, Any]) -> None:
        self.frames = frames

    def scores(self, experiment: Experiment) -> list[Score]:
        return scores_of(self._frame(experiment))

    def examples(
        self, baseline: Experiment, candidate: Experiment, key: str | None = None, limit: int = 1000
    ) -> ExampleComparison:
        return compare_examples(self._frame(baseline), self._frame(candidate), key, limit)

    def _frame(self, experiment: Experiment) -> Any:
        found = self.frames.get(experiment.label, pl.DataFrame())
        if isinstance(found, Exception):
            raise found
        return found


def named(name: str, **more: Any) -> Experiment:
    return Experiment(name * 40, "experiment", name, **more)


def test_evidence_tells_what_is_not_there() -> None:
    one = frame([True] * 4)
    frames = {"a": one, "b": one.head(3), "d": UserError("predictions of d cannot be read", "torn")}
    c = named("c", outs={"data/eval": "0" * 32 + ".dir"})
    store: Any = Store(frames)
    rows = [named("a"), named("b"), c, named("d"), named("e")]
    evidence = read_evidence(store, rows, rows[0])
    assert [len(scores) for scores in evidence.scores] == [1, 1, 0, 0, 0]
    assert evidence.num_candidates == 1
    assert sorted(note[:60] for note in evidence.notes) == [
        "b: compared on the 3 examples that both have; a has 4, it ha",
        "c: its per-example results are not in the local cache; dvc p",
        "e: it has no per-example results",
        "predictions of d cannot be read: torn",
    ]


@pytest.mark.parametrize(("num_candidates", "is_told"), [(10, False), (45, True)])
def test_so_many_candidates_that_no_resample_can_decide_are_told(num_candidates: int, is_told: bool) -> None:
    old, new = frame([True] * 80, chrf=[0.0] * 80), frame([True] * 80, chrf=[1.0 + place % 7 for place in range(80)])
    rows = [Experiment(f"{place:040}", "experiment", f"run-{place}") for place in range(num_candidates + 1)]
    store: Any = Store({})
    found = compare_examples(old.drop("category"), new.drop("category"))
    store.scores = lambda _: [Score("chrf", 80, 1.0, None)]
    store.examples = lambda *_: found
    evidence = read_evidence(store, rows, rows[0])
    first = evidence.paired[1]
    chrf = first.score("chrf") if first is not None else None
    assert chrf is not None
    assert chrf.is_noise is is_told
    assert [note.partition(":")[0] for note in evidence.notes] == ["chrf"] * is_told
    assert f"against {num_candidates} candidates" in "".join(evidence.notes) or not is_told


def test_a_score_that_one_experiment_lacks_is_told_and_the_others_are_listed() -> None:
    store: Any = Store({"a": frame([True, False], chrf=[1.0, 2.0]), "b": frame([True, True], chrf=[2.0, 2.0])})
    store.frames["c"] = frame([True, True])
    rows = [named("a"), named("b"), named("c")]
    evidence = read_evidence(store, rows, rows[0], "chrf")
    _, b, c = evidence.paired
    assert b is not None
    assert c is not None
    assert [one.id for one in b.changes] == ["e0"]
    assert (c.key, c.changes, [score.key for score in c.scores]) == (None, (), ["exact_match"])
    assert evidence.notes[0].startswith("c: no examples were fixed or broke in 'chrf'")
    with pytest.raises(UsageError):
        read_evidence(store, [rows[0], rows[2]], rows[0], "chrf")


def test_a_project_without_per_example_results_has_no_evidence_and_no_notes() -> None:
    rows = [named("a"), named("b")]
    store: Any = Store({})
    evidence = read_evidence(store, rows, rows[0])
    assert (evidence.scores, evidence.notes, evidence.num_candidates) == (((), ()), (), 0)


def test_a_baseline_without_results_is_told_once() -> None:
    rows = [named("a"), named("b"), named("c")]
    store: Any = Store({"b": frame([True]), "c": frame([True])})
    assert read_evidence(store, rows, rows[0]).notes == ("a: it has no per-example results",)


def test_what_is_missing_is_told_by_its_place() -> None:
    known = named("a", outs={"data/eval/predictions.parquet": "0" * 32})
    assert "dvc pull data/eval/predictions.parquet" in why_none(known)
    assert why_none(replace(known, outs={"data/evaluation": "0" * 32})) == "it has no per-example results"


def add(builder: RepoBuilder, baseline: str, name: str, results: pl.DataFrame, is_cached: bool = True) -> None:
    """An experiment whose evaluate stage wrote these results."""
    place = builder.root / "results.parquet"
    results.write_parquet(place)
    content = place.read_bytes()
    place.unlink()
    md5 = builder.cache_folder({"predictions.parquet": content})
    if not is_cached:
        (builder.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    lines = ["schema: '2.0'", "stages:", "  evaluate:", "    cmd: x", "    outs:", "    - path: data/eval"]
    lines += ["      hash: md5", f"      md5: {md5}", "      size: 1", "      nfiles: 1", ""]
    builder.experiment(name, baseline, {"dvc.lock": "\n".join(lines)})


def test_the_store_reads_results_of_commits_from_the_dvc_cache(tmp_path: Path) -> None:
    builder = finetui_project(tmp_path / "project")
    baseline = str(builder.repository.head.target)
    add(builder, baseline, "old", frame([True, False, False]))
    add(builder, baseline, "new", frame([True, True, False]))
    add(builder, baseline, "gone", frame([True, True, True]), is_cached=False)
    store = GitStore(builder.root)
    old, new, gone = (store.resolve(name) for name in ("old", "new", "gone"))
    (score,) = store.scores(old)
    assert (score.key, score.num_examples) == ("exact_match", 3)
    assert score.mean == pytest.approx(1 / 3)
    comparison = store.examples(old, new)
    assert [(one.change, one.id) for one in comparison.changes] == [("fixed", "e1")]
    assert store.examples(old, gone).num_candidate == 0
    assert store.scores(gone) == []
