"""The registry of rewards, and own functions with everything that can be wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.params import Rewards
from pipeline.contract.problems import StageError
from pipeline.evals.rewards import REGISTRY, make_rewards, score_answers
from pipeline.models.answers import Answers

ANSWERS = Answers(
    prompts=[
        [{"role": "user", "content": "list all"}],
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "count"}],
        [{"role": "user", "content": "where"}],
    ],
    texts=["ls  -a", "wc -c notes.txt", "<think>\nhm\n</think>\n\npwd"],
    references=["ls -a", "wc -l notes.txt", "pwd"],
    num_tokens=[3, 8, 6],
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scores(**params: Any) -> list[float]:
    return score_answers(make_rewards(Rewards(**params), "align"), ANSWERS)


def write_module(name: str, body: str) -> str:
    """A module in the project's root; each test has its own, as Python imports one only once."""
    Path(f"{name}.py").write_text(f"def reward(prompts, completions, references):\n    {body}\n")
    return f"{name}:reward"


def test_exact_match_ignores_whitespace_and_thoughts() -> None:
    assert scores(exact_match=1.0) == [1.0, 0.0, 1.0]


def test_chrf_lies_between_0_and_1() -> None:
    first, second, third = scores(chrf=1.0)
    assert (first, third) == (1.0, 1.0)
    assert 0.5 < second < 1.0


def test_format_wants_the_whole_answer() -> None:
    assert scores(format=1.0, format_pattern=r"(ls|wc) +\S+") == [1.0, 0.0, 0.0]
    assert scores(format=1.0, format_pattern=r"\w+") == [0.0, 0.0, 1.0]


def test_length_penalty_begins_behind_the_limit() -> None:
    assert scores(length_penalty=1.0, max_tokens=4) == [0.0, -1.0, -0.5]


def test_the_sum_is_weighted_and_what_weighs_nothing_is_left_out() -> None:
    path = write_module("weighed", "return [len(text) for text in completions]")
    functions: Any = [{"function": path, "weight": 0.1}]
    rewards = make_rewards(Rewards(exact_match=2.0, length_penalty=-1.0, max_tokens=4, functions=functions), "align")
    assert [reward.name for reward in rewards] == ["exact_match", "length_penalty", "reward"]
    assert score_answers(rewards, ANSWERS) == pytest.approx([2.6, 1.0 + 1.5, 2.0 + 0.5 + 0.3])
    assert make_rewards(Rewards(), "align") == []
    assert set(REGISTRY) <= set(Rewards.model_fields)


def test_own_functions_get_words_and_references() -> None:
    path = write_module("seen", "import json; json.dump([prompts, completions, references], open('seen.json', 'w'))")
    Path("seen.py").write_text(Path("seen.py").read_text() + "    return (0, True, 2.5)\n")
    assert scores(functions=[{"function": path}]) == [0.0, 1.0, 2.5]
    prompts, completions, references = json.loads(Path("seen.json").read_text())
    assert prompts == ["list all", "system: be brief\n\nuser: count", "where"]
    assert completions == ["ls  -a", "wc -c notes.txt", "pwd"]
    assert references == list(ANSWERS.references)


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    Path("arrays.py").write_text(
        "import numpy, torch\n"
        "def one(prompts, completions, references):\n    return numpy.array([1, 2, 3], dtype=numpy.float32)\n"
        "def two(prompts, completions, references):\n    return torch.tensor([1.0, 2.0, 3.0])\n"
    )
    assert scores(functions=[{"function": "arrays:one"}, {"function": "arrays:two"}]) == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return [1.0]", "returned 1 numbers for 3 completions"),
        ("return [1.0, float('nan'), 1.0]", "gave nan to the completion 'wc -c notes.txt'"),
        ("return [1.0, float('inf'), 1.0]", "gave inf to the completion 'wc -c notes.txt'"),
        ("return ['a', 'b', 'c']", "must return a list of numbers"),
        ("return [None, 1.0, 1.0]", "must return a list of numbers"),
        ("return 1.0", "must return a list of numbers"),
        ("return None", "must return a list of numbers"),
        ("return 1 / 0", "raised ZeroDivisionError: division by zero"),
        ("raise KeyError('x')", "raised KeyError"),
    ],
)
def test_what_an_own_function_does_wrong_is_said_with_its_name(
    body: str, reason: str, request: pytest.FixtureRequest
) -> None:
    path = write_module(f"wrong{abs(hash(request.node.name))}", body)
    with pytest.raises(StageError) as caught:
        scores(functions=[{"function": path}])
    assert path in str(caught.value)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("align.rewards.functions: ")


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("nowhere:reward", None, "cannot import nowhere from the project's root: ModuleNotFoundError"),
        ("broken:reward", "def reward(:", "cannot import broken from the project's root: SyntaxError"),
        (
            "exploding:reward",
            "raise ValueError('no')",
            "cannot import exploding from the project's root: ValueError: no",
        ),
        ("nameless:reward", "reward = 3", "nameless has no function reward"),
    ],
)
def test_what_cannot_be_imported_is_said(path: str, text: str | None, reason: str) -> None:
    if text is not None:
        Path(f"{path.partition(':')[0]}.py").write_text(text)
    with pytest.raises(StageError) as caught:
        scores(functions=[{"function": path}])
    assert reason in str(caught.value)


def test_functions_of_one_name_keep_apart() -> None:
    paths = [write_module(name, "return [0.0] * len(completions)") for name in ("left", "right")]
    functions: Any = [{"function": path} for path in paths]
    assert [reward.name for reward in make_rewards(Rewards(functions=functions), "align")] == ["reward", "right_reward"]


@pytest.mark.parametrize(
    ("dep", "is_warned"), [("mine", False), ("mine/own.py", False), ("pipeline", True), ("min", True), (None, True)]
)
def test_a_file_that_dvc_does_not_see_is_pointed_out(
    dep: str | None, is_warned: bool, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    package = f"mine{abs(hash(request.node.name))}"
    Path(package).mkdir()
    Path(package, "own.py").write_text("def reward(prompts, completions, references):\n    return [0.0] * 3\n")
    if dep is not None:
        Path("dvc.yaml").write_text(f"stages:\n  align:\n    deps: [{dep.replace('mine', package)}]\n")
    functions: Any = [{"function": f"{package}.own:reward"}]
    make_rewards(Rewards(functions=functions), "align")
    warning = capsys.readouterr().err
    assert (f"{package}/own.py" in warning) is is_warned
    assert ("is no dep of align in dvc.yaml" in warning) is is_warned
