"""One file per DVC stage: reads top to bottom."""
