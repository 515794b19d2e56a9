"""Adapts a language model: every step is a DVC stage that runs without the TUI."""
