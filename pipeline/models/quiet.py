"""Keeps the libraries quiet: no telemetry, no progress bars, no advice; progress comes from the recorder."""

import os
from typing import Any

from pipeline.contract.main import QUIET_ENVIRONMENT


def quiet_libraries() -> None:
    """Silence transformers, datasets and the hub client, also when they were imported before."""
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    hub: Any = constants
    hub.HF_HUB_DISABLE_TELEMETRY = True
    disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
