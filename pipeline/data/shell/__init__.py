"""Generated data for the starter model: English to shell commands, and the corpus that it is pretrained on."""

from pipeline.data.shell.corpus import corpus_documents
from pipeline.data.shell.preferences import PreferenceRow, preference_rows
from pipeline.data.shell.task import TaskRow, task_rows

__all__ = ["PreferenceRow", "TaskRow", "corpus_documents", "preference_rows", "task_rows"]
