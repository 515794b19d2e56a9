"""Nothing reports home, in whatever order the libraries were imported; thread counts can be set."""

import huggingface_hub
import pytest
from huggingface_hub.utils import _telemetry

from pipeline.contract.problems import StageError
from pipeline.models.quiet import quiet_libraries
from pipeline.models.seeding import num_threads


def test_telemetry_is_off_also_when_the_hub_client_came_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(_telemetry, "_start_telemetry_thread", lambda: None)
    waiting = _telemetry._TELEMETRY_QUEUE.qsize()
    quiet_libraries()
    _telemetry.send_telemetry(topic="finetui-test", library_name="finetui")
    assert _telemetry._TELEMETRY_QUEUE.qsize() == waiting


def test_a_small_model_has_one_thread_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINETUI_NUM_THREADS", raising=False)
    assert num_threads(500_000) == 1
    monkeypatch.setenv("FINETUI_NUM_THREADS", "3")
    assert num_threads(500_000) == num_threads(8_000_000_000) == 3


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_thread_count_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUI_NUM_THREADS", text)
    with pytest.raises(StageError, match="FINETUI_NUM_THREADS"):
        num_threads(1)
