"""finetui: a terminal workbench for adapting language models, backed by Git and DVC."""
