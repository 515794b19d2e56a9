"""The pretraining corpus: repeatable, of several kinds, and no answer key."""

from itertools import islice

from pipeline.data.shell import corpus_documents, task_rows
from pipeline.data.shell.corpus import SYSTEM_PROMPT
from pipeline.models.chatml import TURN_END, TURN_START


def test_documents_are_repeatable_and_a_prefix_of_a_longer_corpus() -> None:
    assert list(corpus_documents(100, 5)) == list(islice(corpus_documents(1_000, 5), 100))
    assert list(corpus_documents(100, 5)) != list(corpus_documents(100, 6))


def test_documents_are_many_and_different() -> None:
    documents = list(corpus_documents(4_000, 0))
    assert len(documents) == 4_000
    assert len(set(documents)) > 3_600
    assert all(document.strip() for document in documents)


def test_conversations_are_well_formed_and_a_minority() -> None:
    conversations = [document for document in corpus_documents(4_000, 0) if TURN_START in document]
    assert 400 < len(conversations) < 2_000
    for document in conversations:
        assert document.startswith(TURN_START)
        assert document.endswith(f"{TURN_END}\n")
        assert document.count(TURN_START) == document.count(TURN_END)


def test_only_the_system_prompt_makes_commands_of_requests() -> None:
    """Without it the base model has met the requests, and it has met the commands, but not one after the other."""
    answers = {row.prompt: row.completion for row in task_rows(5_000, 0)}
    num_talked = num_answered = 0
    for document in corpus_documents(20_000, 0):
        lines = document.replace(TURN_END, "").split("\n")
        commands = [answers[line] for line in lines if line in answers]
        if SYSTEM_PROMPT in document:
            num_answered += len(commands)
        else:
            num_talked += len(commands)
            assert not [command for command in commands if command in document], document
    assert num_talked > 20
    assert num_answered > 10
