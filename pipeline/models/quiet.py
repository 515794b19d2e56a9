"""Keeps the libraries quiet: no telemetry, no progress bars, no advice; progress comes from the recorder."""

import os
import warnings
from typing import Any

from pipeline.contract.environment import QUIET_ENVIRONMENT


def quiet_libraries() -> None:
    """Silence transformers and the hub client, also when they were imported before."""
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import huggingface_hub
    import transformers

    # Both build their namespaces lazily, which type checkers cannot follow.
    hub: Any = huggingface_hub
    log: Any = transformers.utils.logging
    hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    hub.utils.disable_progress_bars()
    log.disable_progress_bar()
    log.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    warnings.filterwarnings("ignore", category=UserWarning, module="peft")
